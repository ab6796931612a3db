
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The proxy itself, all routes and workers of it: what runs, what is left of
 * sessions, and its drain.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_http_rtmp_route_api.h"


enum {
    proxy_drain = 0,
    proxy_since,
    proxy_drained,
    proxy_sessions,
    proxy_publishers,
    proxy_players,
    proxy_queued,
    proxy_version,
    proxy_nginx,
    proxy_pid,
    proxy_ppid,
    proxy_generation,
    proxy_load_timestamp,
    proxy_workers
};


static ngx_int_t ngx_http_rtmp_route_api_proxy_send(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static void ngx_http_rtmp_route_api_proxy_field(ngx_rtmp_route_json_t *json,
    ngx_uint_t number, time_t since, ngx_uint_t *n);
static void ngx_http_rtmp_route_api_proxy_workers(
    ngx_rtmp_route_json_t *json);
static ngx_int_t ngx_http_rtmp_route_api_proxy_body(ngx_str_t *text,
    ngx_uint_t *drain, ngx_rtmp_route_error_t *err);


static ngx_http_rtmp_route_api_field_t
    ngx_http_rtmp_route_api_proxy_fields[] =
{
    { ngx_string("drain"), proxy_drain },
    { ngx_string("since"), proxy_since },
    { ngx_string("drained"), proxy_drained },
    { ngx_string("sessions"), proxy_sessions },
    { ngx_string("publishers"), proxy_publishers },
    { ngx_string("players"), proxy_players },
    { ngx_string("queued"), proxy_queued },
    { ngx_string("version"), proxy_version },
    { ngx_string("nginx"), proxy_nginx },
    { ngx_string("pid"), proxy_pid },
    { ngx_string("ppid"), proxy_ppid },
    { ngx_string("generation"), proxy_generation },
    { ngx_string("load_timestamp"), proxy_load_timestamp },
    { ngx_string("workers"), proxy_workers },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_rtmp_route_api_get_proxy(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                        ngx_http_rtmp_route_api_proxy_fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_rtmp_route_api_proxy_send(r, ctx);
}


ngx_int_t
ngx_http_rtmp_route_api_proxy_update(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_uint_t              drain;
    ngx_rtmp_route_error_t  err;

    if (ngx_http_rtmp_route_api_proxy_body(&ctx->body, &drain, &err)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    rc = ngx_rtmp_route_slots_drain(drain);

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      drain ? "proxy drains, as asked by %V"
                            : "proxy drains no more, as asked by %V",
                      &r->connection->addr_text);
    }

    ctx->fields = (uint64_t) -1;

    return ngx_http_rtmp_route_api_proxy_send(r, ctx);
}


static ngx_int_t
ngx_http_rtmp_route_api_proxy_send(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    time_t                            since;
    ngx_uint_t                        i, j, n[NGX_RTMP_ROUTE_N];
    ngx_rtmp_route_json_t             json;
    ngx_rtmp_route_slot_stat_t        stat;
    ngx_http_rtmp_route_api_field_t  *field;

    since = ngx_rtmp_route_slots_draining();

    ngx_memzero(n, sizeof(n));

    for (i = 0; i < ngx_rtmp_route_slots(); i++) {

        if (ngx_rtmp_route_slot_stat(i, &stat) == NGX_OK) {

            for (j = 0; j < NGX_RTMP_ROUTE_N; j++) {
                n[j] += stat.n[j];
            }
        }
    }

    ngx_rtmp_route_json_init(&json, r->pool, 1024);

    ngx_rtmp_route_json_open(&json, '{');

    field = ngx_http_rtmp_route_api_proxy_fields;

    for ( /* void */ ; field->name.len; field++) {

        if (!(ctx->fields & ((uint64_t) 1 << field->number))
            || (field->number == proxy_since && since == 0))
        {
            continue;
        }

        ngx_rtmp_route_json_key(&json, &field->name);
        ngx_http_rtmp_route_api_proxy_field(&json, field->number, since, n);
    }

    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


static void
ngx_http_rtmp_route_api_proxy_field(ngx_rtmp_route_json_t *json,
    ngx_uint_t number, time_t since, ngx_uint_t *n)
{
    ngx_str_t                    text;
    ngx_uint_t                   sessions;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);
    sessions = n[NGX_RTMP_ROUTE_N_PUBLISHERS] + n[NGX_RTMP_ROUTE_N_PLAYERS];

    switch (number) {

    case proxy_drain:
        ngx_rtmp_route_json_bool(json, since != 0);
        return;

    case proxy_since:
        ngx_rtmp_route_json_time(json, (uint64_t) since * 1000);
        return;

    case proxy_drained:

        /* who waits may become a session yet */

        ngx_rtmp_route_json_bool(json, since && sessions == 0
                                       && n[NGX_RTMP_ROUTE_N_QUEUED] == 0);
        return;

    case proxy_sessions:
        ngx_rtmp_route_json_number(json, sessions);
        return;

    case proxy_publishers:
        ngx_rtmp_route_json_number(json, n[NGX_RTMP_ROUTE_N_PUBLISHERS]);
        return;

    case proxy_players:
        ngx_rtmp_route_json_number(json, n[NGX_RTMP_ROUTE_N_PLAYERS]);
        return;

    case proxy_queued:
        ngx_rtmp_route_json_number(json, n[NGX_RTMP_ROUTE_N_QUEUED]);
        return;

    case proxy_version:
        ngx_str_set(&text, NGX_RTMP_ROUTE_VERSION);
        break;

    case proxy_nginx:
        ngx_str_set(&text, NGINX_VERSION);
        break;

    case proxy_pid:
        ngx_rtmp_route_json_number(json, ngx_pid);
        return;

    case proxy_ppid:
        ngx_rtmp_route_json_number(json, getppid());
        return;

    case proxy_generation:
        ngx_rtmp_route_json_number(json, rmcf->number);
        return;

    case proxy_load_timestamp:
        ngx_rtmp_route_json_time(json, rmcf->loaded);
        return;

    default: /* proxy_workers */
        ngx_http_rtmp_route_api_proxy_workers(json);
        return;
    }

    ngx_rtmp_route_json_string(json, &text);
}


static void
ngx_http_rtmp_route_api_proxy_workers(ngx_rtmp_route_json_t *json)
{
    ngx_uint_t                  i;
    ngx_rtmp_route_slot_stat_t  stat;

    ngx_rtmp_route_json_open(json, '[');

    for (i = 0; i < ngx_rtmp_route_slots(); i++) {

        if (ngx_rtmp_route_slot_stat(i, &stat) != NGX_OK) {
            continue;
        }

        ngx_rtmp_route_json_open(json, '{');
        ngx_rtmp_route_json_name(json, "pid");
        ngx_rtmp_route_json_number(json, stat.pid);
        ngx_rtmp_route_json_name(json, "generation");
        ngx_rtmp_route_json_number(json, stat.cycle);
        ngx_rtmp_route_json_name(json, "publishers");
        ngx_rtmp_route_json_number(json, stat.n[NGX_RTMP_ROUTE_N_PUBLISHERS]);
        ngx_rtmp_route_json_name(json, "players");
        ngx_rtmp_route_json_number(json, stat.n[NGX_RTMP_ROUTE_N_PLAYERS]);
        ngx_rtmp_route_json_name(json, "queued");
        ngx_rtmp_route_json_number(json, stat.n[NGX_RTMP_ROUTE_N_QUEUED]);
        ngx_rtmp_route_json_close(json, '}');
    }

    ngx_rtmp_route_json_close(json, ']');
}


/* {"drain":true} */

static ngx_int_t
ngx_http_rtmp_route_api_proxy_body(ngx_str_t *text, ngx_uint_t *drain,
    ngx_rtmp_route_error_t *err)
{
    json_t     *body, *value;
    ngx_int_t   rc;

    *drain = 0;

    body = ngx_rtmp_route_json_parse(text, err);

    if (body == NULL) {
        return NGX_DECLINED;
    }

    value = json_object_get(body, "drain");

    if (!json_is_object(body)) {
        rc = ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "JsonError",
                                  "the body must be a JSON object");

    } else if (!json_is_boolean(value)) {
        rc = ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                  "\"drain\" must be true or false");

    } else if (json_object_size(body) != 1) {
        rc = ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                  "there is a field beside \"drain\"");

    } else {
        *drain = json_is_true(value);
        rc = NGX_OK;
    }

    json_decref(body);

    return rc;
}
