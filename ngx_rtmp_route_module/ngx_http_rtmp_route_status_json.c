
/*
 * Copyright (C) The nginx-osp authors
 */


/* What the status page shows, as JSON. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_http_rtmp_route_status_int.h"


/* what it costs to look at a server, in bytes of an answer */
#define NGX_HTTP_RTMP_ROUTE_STATUS_LOOK  256


enum {
    json_begin = 0,
    json_route,
    json_servers,
    json_end
};


static void ngx_http_rtmp_route_status_begin(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_ctx_t *st);
static void ngx_http_rtmp_route_status_proxy(ngx_rtmp_route_json_t *json);
static void ngx_http_rtmp_route_status_route(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_route_t *sr);
static void ngx_http_rtmp_route_status_zone(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_route_t *sr);
static void ngx_http_rtmp_route_status_numbers(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_route_t *sr);
static void ngx_http_rtmp_route_status_ended(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_counters_t *counters);
static void ngx_http_rtmp_route_status_events(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_t *route);
static ngx_int_t ngx_http_rtmp_route_status_servers(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_status_ctx_t *st);
static ngx_uint_t ngx_http_rtmp_route_status_wanted(
    ngx_http_rtmp_route_status_ctx_t *st, ngx_rtmp_route_server_stat_t *stat);
static void ngx_http_rtmp_route_status_server(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat, ngx_uint_t checks);


ngx_int_t
ngx_http_rtmp_route_status_json_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made)
{
    size_t                                length;
    ngx_uint_t                            i;
    ngx_http_rtmp_route_status_ctx_t     *st;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    st = ctx->data;
    length = ctx->json.length;

    while (*made + (ctx->json.length - length) < NGX_HTTP_RTMP_ROUTE_API_STEP) {

        switch (st->phase) {

        case json_begin:
            ngx_http_rtmp_route_status_begin(&ctx->json, st);
            st->phase = json_route;
            break;

        case json_route:

            if (st->i == st->nroutes) {
                st->phase = json_end;
                break;
            }

            ngx_http_rtmp_route_status_route(&ctx->json, &st->routes[st->i]);

            st->cursor = 0;
            st->pass = 0;
            st->listed = 0;
            st->matched = 0;
            st->phase = json_servers;
            break;

        case json_servers:
            *made += NGX_HTTP_RTMP_ROUTE_STATUS_LOOK;

            if (ngx_http_rtmp_route_status_servers(ctx, st) == NGX_DONE) {
                st->i++;
                st->phase = json_route;
            }

            break;

        default: /* json_end */

            ngx_rtmp_route_json_close(&ctx->json, '}');

            amcf = ngx_http_get_module_main_conf(r,
                                              ngx_http_rtmp_route_api_module);

            for (i = 0; i < amcf->nparts; i++) {
                amcf->parts[i]->json(&ctx->json, st->parts[i]);
            }

            ngx_rtmp_route_json_close(&ctx->json, '}');

            return NGX_DONE;
        }
    }

    return NGX_AGAIN;
}


static void
ngx_http_rtmp_route_status_begin(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_ctx_t *st)
{
    ngx_str_t                    text;
    ngx_time_t                  *tp;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);
    tp = ngx_timeofday();

    ngx_rtmp_route_json_open(json, '{');

    ngx_str_set(&text, NGX_RTMP_ROUTE_VERSION);
    ngx_rtmp_route_json_name(json, "version");
    ngx_rtmp_route_json_string(json, &text);

    ngx_str_set(&text, NGINX_VERSION);
    ngx_rtmp_route_json_name(json, "nginx");
    ngx_rtmp_route_json_string(json, &text);

    ngx_rtmp_route_json_name(json, "time");
    ngx_rtmp_route_json_time(json, (uint64_t) tp->sec * 1000 + tp->msec);
    ngx_rtmp_route_json_name(json, "load_timestamp");
    ngx_rtmp_route_json_time(json, rmcf->loaded);
    ngx_rtmp_route_json_name(json, "write");
    ngx_rtmp_route_json_bool(json, st->write);

    ngx_rtmp_route_json_name(json, "proxy");
    ngx_http_rtmp_route_status_proxy(json);

    /* of clients that have never said where they want to go */

    ngx_rtmp_route_json_name(json, "ended");
    ngx_http_rtmp_route_status_ended(json, &st->none.counters);

    ngx_rtmp_route_json_name(json, "routes");
    ngx_rtmp_route_json_open(json, '{');
}


static void
ngx_http_rtmp_route_status_proxy(ngx_rtmp_route_json_t *json)
{
    time_t                      since;
    ngx_uint_t                  i, j, workers, n[NGX_RTMP_ROUTE_N];
    ngx_rtmp_route_slot_stat_t  stat;

    since = ngx_rtmp_route_slots_draining();
    workers = 0;

    ngx_memzero(n, sizeof(n));

    for (i = 0; i < ngx_rtmp_route_slots(); i++) {

        if (ngx_rtmp_route_slot_stat(i, &stat) != NGX_OK) {
            continue;
        }

        workers++;

        for (j = 0; j < NGX_RTMP_ROUTE_N; j++) {
            n[j] += stat.n[j];
        }
    }

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "drain");
    ngx_rtmp_route_json_bool(json, since != 0);

    if (since) {
        ngx_rtmp_route_json_name(json, "since");
        ngx_rtmp_route_json_time(json, (uint64_t) since * 1000);
    }

    ngx_rtmp_route_json_name(json, "publishers");
    ngx_rtmp_route_json_number(json, n[NGX_RTMP_ROUTE_N_PUBLISHERS]);
    ngx_rtmp_route_json_name(json, "players");
    ngx_rtmp_route_json_number(json, n[NGX_RTMP_ROUTE_N_PLAYERS]);
    ngx_rtmp_route_json_name(json, "queued");
    ngx_rtmp_route_json_number(json, n[NGX_RTMP_ROUTE_N_QUEUED]);
    ngx_rtmp_route_json_name(json, "workers");
    ngx_rtmp_route_json_number(json, workers);

    ngx_rtmp_route_json_close(json, '}');
}


/* up to the list of its servers */

static void
ngx_http_rtmp_route_status_route(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_route_t *sr)
{
    ngx_uint_t         i, j;
    ngx_rtmp_route_t  *route;

    route = sr->route;

    ngx_rtmp_route_json_key(json, &route->name);
    ngx_rtmp_route_json_open(json, '{');

    ngx_http_rtmp_route_status_zone(json, sr);
    ngx_http_rtmp_route_status_numbers(json, sr);

    ngx_rtmp_route_json_name(json, "sessions");
    ngx_rtmp_route_json_open(json, '{');

    for (i = 0; i < NGX_RTMP_ROUTE_SESSION_TYPES; i++) {
        ngx_rtmp_route_json_key(json, &ngx_http_rtmp_route_status_types[i]);
        ngx_rtmp_route_json_open(json, '{');

        for (j = 0; j < NGX_RTMP_ROUTE_SESSION_STATES; j++) {
            ngx_rtmp_route_json_key(json,
                                    &ngx_http_rtmp_route_status_steps[j]);
            ngx_rtmp_route_json_number(json, sr->summary.sessions[i][j]);
        }

        ngx_rtmp_route_json_close(json, '}');
    }

    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_name(json, "ended");
    ngx_http_rtmp_route_status_ended(json, &sr->counters);

    ngx_rtmp_route_json_name(json, "refused");
    ngx_rtmp_route_json_open(json, '{');

    for (i = 0; i < NGX_RTMP_ROUTE_REFUSED_N; i++) {
        ngx_rtmp_route_json_key(json, &ngx_http_rtmp_route_status_refused[i]);
        ngx_rtmp_route_json_number(json, sr->counters.refused[i]);
    }

    ngx_rtmp_route_json_close(json, '}');

    if (route->control && route->control->stat) {
        ngx_rtmp_route_json_name(json, "core");
        ngx_rtmp_route_json_open(json, '{');

        ngx_rtmp_route_json_name(json, "up");
        ngx_rtmp_route_json_bool(json, sr->control.up);

        if (sr->control.last) {
            ngx_rtmp_route_json_name(json, "last");
            ngx_rtmp_route_json_time(json, (uint64_t) sr->control.last * 1000);
        }

        ngx_rtmp_route_json_name(json, "servers");
        ngx_rtmp_route_json_number(json, sr->control.servers);
        ngx_rtmp_route_json_name(json, "streams");
        ngx_rtmp_route_json_number(json, sr->control.streams);
        ngx_rtmp_route_json_name(json, "polls");
        ngx_rtmp_route_json_number(json, sr->control.polls);
        ngx_rtmp_route_json_name(json, "polls_failed");
        ngx_rtmp_route_json_number(json, sr->control.polls_failed);
        ngx_rtmp_route_json_name(json, "yes");
        ngx_rtmp_route_json_number(json, sr->control.yes);
        ngx_rtmp_route_json_name(json, "no");
        ngx_rtmp_route_json_number(json, sr->control.no);
        ngx_rtmp_route_json_name(json, "failed");
        ngx_rtmp_route_json_number(json, sr->control.failed);

        ngx_rtmp_route_json_close(json, '}');
    }

    ngx_http_rtmp_route_status_events(json, route);

    ngx_rtmp_route_json_name(json, "states");
    ngx_rtmp_route_json_open(json, '{');

    for (i = 0; i < NGX_RTMP_ROUTE_STATES; i++) {
        if (sr->summary.servers[i]) {
            ngx_rtmp_route_json_key(json, ngx_http_rtmp_route_status_state(i));
            ngx_rtmp_route_json_number(json, sr->summary.servers[i]);
        }
    }

    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_name(json, "list");
    ngx_rtmp_route_json_open(json, '[');
}


static void
ngx_http_rtmp_route_status_zone(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_route_t *sr)
{
    ngx_rtmp_route_json_name(json, "zone");
    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "name");
    ngx_rtmp_route_json_string(json, &sr->route->zone);
    ngx_rtmp_route_json_name(json, "size");
    ngx_rtmp_route_json_number(json, sr->route->size);

    ngx_rtmp_route_json_name(json, "cells");
    ngx_rtmp_route_json_open(json, '{');
    ngx_rtmp_route_json_name(json, "used");
    ngx_rtmp_route_json_number(json, sr->stat.cells_used);
    ngx_rtmp_route_json_name(json, "free");
    ngx_rtmp_route_json_number(json,
                               sr->stat.cells_total - sr->stat.cells_used);
    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_name(json, "evicted");
    ngx_rtmp_route_json_number(json, sr->stat.evicted);
    ngx_rtmp_route_json_name(json, "full");
    ngx_rtmp_route_json_number(json, sr->stat.full);
    ngx_rtmp_route_json_name(json, "rebuilt");
    ngx_rtmp_route_json_number(json, sr->stat.rebuilt);

    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_rtmp_route_status_numbers(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_route_t *sr)
{
    uint64_t    count;
    ngx_uint_t  i;

    count = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_SETUP_BUCKETS; i++) {
        count += sr->counters.setup[i];
    }

    ngx_rtmp_route_json_name(json, "servers");
    ngx_rtmp_route_json_number(json, sr->stat.servers);
    ngx_rtmp_route_json_name(json, "streams");
    ngx_rtmp_route_json_number(json, sr->stat.streams);
    ngx_rtmp_route_json_name(json, "published");
    ngx_rtmp_route_json_number(json, sr->summary.published);
    ngx_rtmp_route_json_name(json, "conns");
    ngx_rtmp_route_json_number(json, sr->stat.conns);
    ngx_rtmp_route_json_name(json, "queued");
    ngx_rtmp_route_json_number(json, sr->stat.queued);
    ngx_rtmp_route_json_name(json, "bans");
    ngx_rtmp_route_json_number(json, sr->bans);
    ngx_rtmp_route_json_name(json, "in");
    ngx_rtmp_route_json_number(json, sr->in);
    ngx_rtmp_route_json_name(json, "out");
    ngx_rtmp_route_json_number(json, sr->out);
    ngx_rtmp_route_json_name(json, "registrations");
    ngx_rtmp_route_json_number(json, sr->counters.registered);

    ngx_rtmp_route_json_name(json, "setup");
    ngx_rtmp_route_json_open(json, '{');
    ngx_rtmp_route_json_name(json, "count");
    ngx_rtmp_route_json_number(json, count);
    ngx_rtmp_route_json_name(json, "time");
    ngx_rtmp_route_json_number(json, sr->counters.setup_time);
    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_rtmp_route_status_ended(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_counters_t *counters)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);

    ngx_rtmp_route_json_open(json, '{');

    for (i = 0; i < rmcf->nreasons; i++) {
        if (counters->ended[i]) {
            ngx_rtmp_route_json_key(json, rmcf->reason(i));
            ngx_rtmp_route_json_number(json, counters->ended[i]);
        }
    }

    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_rtmp_route_status_events(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_t *route)
{
    ngx_str_t                 id;
    ngx_uint_t                i, n;
    ngx_rtmp_route_history_t  history[NGX_RTMP_ROUTE_HISTORY];

    n = ngx_rtmp_route_table_history(&route->table, history);

    ngx_rtmp_route_json_name(json, "events");
    ngx_rtmp_route_json_open(json, '[');

    for (i = 0; i < n; i++) {
        id.len = history[i].len;
        id.data = history[i].id;

        ngx_rtmp_route_json_open(json, '{');
        ngx_rtmp_route_json_name(json, "time");
        ngx_rtmp_route_json_time(json, history[i].time);
        ngx_rtmp_route_json_name(json, "server");
        ngx_rtmp_route_json_string(json, &id);
        ngx_rtmp_route_json_name(json, "state");
        ngx_rtmp_route_json_string(json,
                          ngx_http_rtmp_route_status_state(history[i].state));
        ngx_rtmp_route_json_name(json, "was");
        ngx_rtmp_route_json_string(json,
                            ngx_http_rtmp_route_status_state(history[i].was));
        ngx_rtmp_route_json_close(json, '}');
    }

    ngx_rtmp_route_json_close(json, ']');
}


/*
 * One more; those that are not up come first, so that they are among those
 * that are shown.  NGX_DONE: the route was closed.
 */

static ngx_int_t
ngx_http_rtmp_route_status_servers(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_http_rtmp_route_status_ctx_t *st)
{
    ngx_int_t                      rc;
    ngx_rtmp_route_table_t        *table;
    ngx_rtmp_route_server_stat_t   stat;

    table = &st->routes[st->i].route->table;

    rc = ngx_rtmp_route_server_walk(table, &st->cursor, &stat);

    if (rc == NGX_OK) {

        if ((stat.state == NGX_RTMP_ROUTE_UP) != st->pass
            || !ngx_http_rtmp_route_status_wanted(st, &stat))
        {
            return NGX_OK;
        }

        st->matched++;

        if (st->listed < st->limit) {
            st->listed++;
            ngx_http_rtmp_route_status_server(&ctx->json, &stat,
                                              table->checks);
        }

        return NGX_OK;
    }

    if (st->pass == 0) {
        st->pass = 1;
        st->cursor = 0;
        return NGX_OK;
    }

    ngx_rtmp_route_json_close(&ctx->json, ']');

    ngx_rtmp_route_json_name(&ctx->json, "matched");
    ngx_rtmp_route_json_number(&ctx->json, st->matched);

    ngx_rtmp_route_json_close(&ctx->json, '}');

    return NGX_DONE;
}


static ngx_uint_t
ngx_http_rtmp_route_status_wanted(ngx_http_rtmp_route_status_ctx_t *st,
    ngx_rtmp_route_server_stat_t *stat)
{
    u_char  buf[NGX_RTMP_ROUTE_ID_LEN + 1 + NGX_RTMP_ROUTE_HOST_LEN + 1];
    u_char *p;
    size_t  len;

    if (st->filter.len == 0) {
        return 1;
    }

    p = buf;

    ngx_strlow(p, stat->info.id, stat->info.id_len);
    p += stat->info.id_len;
    *p++ = ' ';
    ngx_strlow(p, stat->info.host, stat->info.host_len);
    p += stat->info.host_len;

    len = p - buf;

    for (p = buf; len >= st->filter.len; p++, len--) {
        if (ngx_memcmp(p, st->filter.data, st->filter.len) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_rtmp_route_status_server(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat, ngx_uint_t checks)
{
    ngx_str_t  text;

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "id");
    text.data = stat->info.id;
    text.len = stat->info.id_len;
    ngx_rtmp_route_json_string(json, &text);

    ngx_rtmp_route_json_name(json, "server");
    text.data = stat->info.host;
    text.len = stat->info.host_len;
    ngx_rtmp_route_json_string(json, &text);

    ngx_rtmp_route_json_name(json, "state");
    ngx_rtmp_route_json_string(json,
                               ngx_http_rtmp_route_status_state(stat->state));

    ngx_rtmp_route_json_name(json, "drain");
    ngx_rtmp_route_json_bool(json, stat->params.drain);
    ngx_rtmp_route_json_name(json, "drained");
    ngx_rtmp_route_json_bool(json, stat->drained);
    ngx_rtmp_route_json_name(json, "backup");
    ngx_rtmp_route_json_bool(json, stat->params.backup);

    ngx_rtmp_route_json_name(json, "weight");
    ngx_rtmp_route_json_number(json, stat->params.weight);
    ngx_rtmp_route_json_name(json, "streams");
    ngx_rtmp_route_json_number(json, stat->streams);
    ngx_rtmp_route_json_name(json, "max_streams");
    ngx_rtmp_route_json_number(json, stat->params.max_streams);
    ngx_rtmp_route_json_name(json, "conns");
    ngx_rtmp_route_json_number(json, stat->conns);
    ngx_rtmp_route_json_name(json, "max_conns");
    ngx_rtmp_route_json_number(json, stat->params.max_conns);
    ngx_rtmp_route_json_name(json, "in");
    ngx_rtmp_route_json_number(json, stat->in);
    ngx_rtmp_route_json_name(json, "out");
    ngx_rtmp_route_json_number(json, stat->out);
    ngx_rtmp_route_json_name(json, "selected");
    ngx_rtmp_route_json_number(json, stat->selected);
    ngx_rtmp_route_json_name(json, "fails");
    ngx_rtmp_route_json_number(json, stat->fails);
    ngx_rtmp_route_json_name(json, "unavail");
    ngx_rtmp_route_json_number(json, stat->unavail);
    ngx_rtmp_route_json_name(json, "downtime");
    ngx_rtmp_route_json_number(json, stat->check.downtime);

    /* without health_check a failed check means nothing */

    if (stat->check.checks
        && (checks || stat->health == NGX_RTMP_ROUTE_HEALTH_UP))
    {
        ngx_rtmp_route_json_name(json, "checks");
        ngx_rtmp_route_json_number(json, stat->check.checks);
        ngx_rtmp_route_json_name(json, "check_fails");
        ngx_rtmp_route_json_number(json, stat->check.fails);
        ngx_rtmp_route_json_name(json, "check_time");
        ngx_rtmp_route_json_number(json, stat->check.took);
        ngx_rtmp_route_json_name(json, "check_error");
        ngx_rtmp_route_json_string(json, &stat->check.error);
    }

    if (stat->expires) {
        ngx_rtmp_route_json_name(json, "expires");
        ngx_rtmp_route_json_number(json, (stat->expires + 999) / 1000);
    }

    ngx_rtmp_route_json_close(json, '}');
}
