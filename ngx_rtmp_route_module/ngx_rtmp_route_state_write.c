
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_state.h"

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


/* records of one step */
#define NGX_RTMP_ROUTE_STATE_SERVER_STEP  32
#define NGX_RTMP_ROUTE_STATE_BAN_STEP     64
#define NGX_RTMP_ROUTE_STATE_STREAM_STEP  200

/* an array begins with a record and no comma, so there is no line for it */
#define ngx_rtmp_route_state_line(json)                                       \
    ngx_rtmp_route_json_close(json, '\n')


static void ngx_rtmp_route_state_put_head(ngx_rtmp_route_state_write_t *w);
static ngx_int_t ngx_rtmp_route_state_put_access(
    ngx_rtmp_route_state_write_t *w);
static ngx_int_t ngx_rtmp_route_state_put_bans(
    ngx_rtmp_route_state_write_t *w);
static void ngx_rtmp_route_state_put_ban(ngx_rtmp_route_state_write_t *w,
    ngx_rtmp_route_ban_t *ban);
static void ngx_rtmp_route_state_put_key(ngx_rtmp_route_json_t *json,
    ngx_str_t *key);
static ngx_int_t ngx_rtmp_route_state_put_servers(
    ngx_rtmp_route_state_write_t *w);
static void ngx_rtmp_route_state_put_server(ngx_rtmp_route_state_write_t *w,
    ngx_rtmp_route_saved_server_t *saved);
static void ngx_rtmp_route_state_put_endpoints(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_info_t *info);
static void ngx_rtmp_route_state_put_params(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_params_t *params,
    ngx_rtmp_route_server_params_t *other);
static ngx_int_t ngx_rtmp_route_state_put_streams(
    ngx_rtmp_route_state_write_t *w);
static void ngx_rtmp_route_state_put_stream(ngx_rtmp_route_state_write_t *w);
static ngx_uint_t ngx_rtmp_route_state_utf8(ngx_str_t *text);
static void ngx_rtmp_route_state_put_text(ngx_rtmp_route_json_t *json,
    const char *name, u_char *data, size_t len);
static void ngx_rtmp_route_state_put_number(ngx_rtmp_route_json_t *json,
    const char *name, uint64_t number);
static void ngx_rtmp_route_state_put_name(ngx_rtmp_route_json_t *json,
    const char *name);
static ngx_int_t ngx_rtmp_route_state_flush(ngx_rtmp_route_state_write_t *w);
static ngx_int_t ngx_rtmp_route_state_sync(ngx_rtmp_route_state_write_t *w,
    ngx_event_t *ev);
static ngx_int_t ngx_rtmp_route_state_rename(ngx_rtmp_route_state_write_t *w);
static ngx_int_t ngx_rtmp_route_state_close_last(
    ngx_rtmp_route_state_write_t *w, ngx_event_t *ev);
static ngx_int_t ngx_rtmp_route_state_write_failed(
    ngx_rtmp_route_state_write_t *w, const char *failed);

#if (NGX_THREADS)
static ngx_int_t ngx_rtmp_route_state_post(ngx_rtmp_route_state_write_t *w,
    ngx_event_t *ev, ngx_fd_t fd, ngx_uint_t last);
static void ngx_rtmp_route_state_thread(void *data, ngx_log_t *log);
static void ngx_rtmp_route_state_thread_done(ngx_event_t *ev);
#endif


enum {
    sw_open = 0,
    sw_access,
    sw_bans,
    sw_servers,
    sw_streams,
    sw_sync,
    sw_synced,
    sw_renamed
};


#if (NGX_THREADS)

typedef struct {
    ngx_fd_t                       fd;
    ngx_uint_t                     last;
    ngx_err_t                      err;
    ngx_event_t                   *ev;
    ngx_rtmp_route_state_write_t  *w;
} ngx_rtmp_route_state_thread_t;

#endif


ngx_rtmp_route_state_write_t *
ngx_rtmp_route_state_write_start(ngx_rtmp_route_state_t *state,
    ngx_pool_t *pool, ngx_uint_t old)
{
    ngx_time_t                    *tp;
    ngx_rtmp_route_state_write_t  *w;

    w = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_state_write_t));
    if (w == NULL) {
        return NULL;
    }

    tp = ngx_timeofday();

    w->state = state;
    w->pool = pool;
    w->log = pool->log;
    w->name = old ? &state->old : &state->name;
    w->temp = old ? &state->old_temp : &state->temp;
    w->old = old ? 1 : 0;
    w->fd = NGX_INVALID_FILE;
    w->last = NGX_INVALID_FILE;
    w->now = (uint64_t) tp->sec * 1000 + tp->msec;

    ngx_rtmp_route_json_init(&w->json, pool, NGX_RTMP_ROUTE_JSON_BUFFER);

    /* what changes from now on may be in it or not */

    ngx_rtmp_route_saved_mark(&state->route->table, &w->mark);

    return w;
}


ngx_int_t
ngx_rtmp_route_state_write_step(ngx_rtmp_route_state_write_t *w,
    ngx_event_t *ev)
{
    ngx_int_t  rc;

    switch (w->phase) {

    case sw_open:

        rc = ngx_rtmp_route_state_open_temp(w->temp, &w->fd);

        if (rc == NGX_ERROR) {
            return ngx_rtmp_route_state_write_failed(w, ngx_open_file_n);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_rtmp_route_state_put_head(w);

        w->phase = sw_access;
        break;

    case sw_access:

        if (ngx_rtmp_route_state_put_access(w) != NGX_OK) {
            ngx_set_errno(NGX_ENOMEM);
            return ngx_rtmp_route_state_write_failed(w, "malloc()");
        }

        w->cursor = 0;
        w->phase = sw_bans;
        break;

    case sw_bans:

        if (ngx_rtmp_route_state_put_bans(w) == NGX_OK) {

            ngx_rtmp_route_json_close(&w->json, ']');
            ngx_rtmp_route_state_line(&w->json);
            ngx_rtmp_route_json_name(&w->json, "servers");
            ngx_rtmp_route_json_open(&w->json, '[');

            w->cursor = 0;
            w->phase = sw_servers;
        }

        break;

    case sw_servers:

        if (ngx_rtmp_route_state_put_servers(w) == NGX_OK) {

            ngx_rtmp_route_json_close(&w->json, ']');
            ngx_rtmp_route_state_line(&w->json);
            ngx_rtmp_route_json_name(&w->json, "streams");
            ngx_rtmp_route_json_open(&w->json, '[');

            w->cursor = 0;
            w->phase = sw_streams;
        }

        break;

    case sw_streams:

        if (ngx_rtmp_route_state_put_streams(w) == NGX_OK) {

            ngx_rtmp_route_json_close(&w->json, ']');
            ngx_rtmp_route_json_close(&w->json, '}');
            ngx_rtmp_route_state_line(&w->json);

            w->phase = sw_sync;
        }

        break;

    case sw_sync:

        rc = ngx_rtmp_route_state_sync(w, ev);

        if (rc == NGX_ERROR) {
            return ngx_rtmp_route_state_write_failed(w, "fsync()");
        }

        w->phase = sw_synced;

        return rc;

    case sw_synced:

        if (w->err) {
            ngx_set_errno(w->err);
            return ngx_rtmp_route_state_write_failed(w, "fsync()");
        }

        rc = ngx_rtmp_route_state_rename(w);

        if (rc != NGX_OK) {
            return rc;
        }

        w->phase = sw_renamed;

        /* the pages of the file that was there go with its last descriptor */

        return ngx_rtmp_route_state_close_last(w, ev);

    default: /* sw_renamed */

        return NGX_OK;
    }

    if (w->json.failed) {
        ngx_set_errno(NGX_ENOMEM);
        return ngx_rtmp_route_state_write_failed(w, "malloc()");
    }

    return ngx_rtmp_route_state_flush(w);
}


/* a file that is not complete is left to the next one who writes */

void
ngx_rtmp_route_state_write_end(ngx_rtmp_route_state_write_t *w)
{
    if (w->last != NGX_INVALID_FILE) {
        (void) ngx_close_file(w->last);
        w->last = NGX_INVALID_FILE;
    }

    if (w->fd == NGX_INVALID_FILE) {
        return;
    }

    if (ngx_close_file(w->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, w->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", w->temp);
    }

    w->fd = NGX_INVALID_FILE;
}


static void
ngx_rtmp_route_state_put_head(ngx_rtmp_route_state_write_t *w)
{
    ngx_rtmp_route_t             *route;
    ngx_rtmp_route_json_t        *json;
    ngx_rtmp_route_state_head_t   head;

    route = w->state->route;
    json = &w->json;

    ngx_rtmp_route_state_own(w->state, &head);

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_state_put_text(json, "format",
                                  (u_char *) NGX_RTMP_ROUTE_STATE_FORMAT,
                                  sizeof(NGX_RTMP_ROUTE_STATE_FORMAT) - 1);
    ngx_rtmp_route_state_put_number(json, "version", head.version);
    ngx_rtmp_route_state_put_text(json, "key",
                              ngx_rtmp_route_state_keys[route->key].data,
                              ngx_rtmp_route_state_keys[route->key].len);
    ngx_rtmp_route_state_put_name(json, "secret");
    ngx_rtmp_route_json_bool(json, route->secret);
    ngx_rtmp_route_state_put_name(json, "written");
    ngx_rtmp_route_json_time(json, w->now);
    ngx_rtmp_route_state_put_number(json, "born", head.born);
    ngx_rtmp_route_state_put_number(json, "master", head.master);
    ngx_rtmp_route_state_put_number(json, "master_start", head.master_start);
    ngx_rtmp_route_state_put_number(json, "worker", head.worker);
    ngx_rtmp_route_state_put_number(json, "worker_start", head.worker_start);

    ngx_rtmp_route_state_line(json);
}


static ngx_int_t
ngx_rtmp_route_state_put_access(ngx_rtmp_route_state_write_t *w)
{
    u_char                  *p, buf[NGX_RTMP_ROUTE_RULE_LEN];
    uint32_t                 last;
    ngx_uint_t               i, n;
    ngx_rtmp_route_json_t   *json;
    ngx_rtmp_route_rule_t   *rules;
    ngx_rtmp_route_table_t  *table;

    json = &w->json;
    table = &w->state->route->table;

    rules = ngx_palloc(w->pool, ngx_rtmp_route_max_rules(table)
                                * sizeof(ngx_rtmp_route_rule_t));
    if (rules == NULL) {
        return NGX_ERROR;
    }

    n = ngx_rtmp_route_saved_rules(table, rules, &last);

    ngx_rtmp_route_state_put_number(json, "last_rule", last);
    ngx_rtmp_route_json_name(json, "access");
    ngx_rtmp_route_json_open(json, '[');

    for (i = 0; i < n; i++) {
        p = ngx_rtmp_route_rule_text(buf, &rules[i]);

        ngx_rtmp_route_json_open(json, '{');

        ngx_rtmp_route_state_put_number(json, "id", rules[i].id);

        if (rules[i].action == NGX_RTMP_ROUTE_ALLOW) {
            ngx_rtmp_route_state_put_text(json, "action", (u_char *) "allow",
                                          5);

        } else {
            ngx_rtmp_route_state_put_text(json, "action", (u_char *) "deny",
                                          4);
        }

        ngx_rtmp_route_state_put_text(json, "cidr", buf, p - buf);

        ngx_rtmp_route_json_close(json, '}');
        ngx_rtmp_route_state_line(json);
    }

    ngx_rtmp_route_json_close(json, ']');
    ngx_rtmp_route_state_line(json);

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_state_put_bans(ngx_rtmp_route_state_write_t *w)
{
    uint32_t                 last;
    ngx_uint_t               i, n, max;
    ngx_rtmp_route_ban_t     ban;
    ngx_rtmp_route_table_t  *table;

    table = &w->state->route->table;

    if (w->cursor == 0) {
        ngx_rtmp_route_bans_stat(table, &n, &max, &last);

        ngx_rtmp_route_state_put_number(&w->json, "last_ban", last);
        ngx_rtmp_route_json_name(&w->json, "bans");
        ngx_rtmp_route_json_open(&w->json, '[');
    }

    for (i = 0; i < NGX_RTMP_ROUTE_STATE_BAN_STEP; i++) {

        if (ngx_rtmp_route_ban_walk(table, &w->cursor, &ban) != NGX_OK) {
            return NGX_OK;
        }

        ngx_rtmp_route_state_put_ban(w, &ban);
    }

    return NGX_AGAIN;
}


/* the time of day, as one may pass before this is read */

static void
ngx_rtmp_route_state_put_ban(ngx_rtmp_route_state_write_t *w,
    ngx_rtmp_route_ban_t *ban)
{
    u_char                  *p, buf[NGX_RTMP_ROUTE_RULE_LEN];
    ngx_str_t               *word;
    ngx_rtmp_route_rule_t    rule;
    ngx_rtmp_route_json_t   *json;

    json = &w->json;

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_state_put_number(json, "id", ban->id);

    word = &ngx_rtmp_route_state_ops[ban->ops & 3];
    ngx_rtmp_route_state_put_text(json, "type", word->data, word->len);

    if (ban->key.len) {
        ngx_rtmp_route_state_put_key(json, &ban->key);
    }

    if (ban->addr.family) {
        ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));

        rule.addr = ban->addr;
        rule.bits = (u_char) ban->bits;

        p = ngx_rtmp_route_rule_text(buf, &rule);
        ngx_rtmp_route_state_put_text(json, "client", buf, p - buf);
    }

    ngx_rtmp_route_state_put_number(json, "created", w->now - ban->age);
    ngx_rtmp_route_state_put_number(json, "until", w->now + ban->left);

    ngx_rtmp_route_json_close(json, '}');
    ngx_rtmp_route_state_line(json);
}


static void
ngx_rtmp_route_state_put_key(ngx_rtmp_route_json_t *json, ngx_str_t *key)
{
    u_char  *p, hex[2 * NGX_RTMP_ROUTE_KEY_LEN];

    if (ngx_rtmp_route_state_utf8(key)) {
        ngx_rtmp_route_state_put_text(json, "stream", key->data, key->len);
        return;
    }

    p = ngx_hex_dump(hex, key->data, key->len);
    ngx_rtmp_route_state_put_text(json, "hex", hex, p - hex);
}


static ngx_int_t
ngx_rtmp_route_state_put_servers(ngx_rtmp_route_state_write_t *w)
{
    ngx_uint_t                      n;
    ngx_rtmp_route_saved_server_t   saved;

    for (n = 0; n < NGX_RTMP_ROUTE_STATE_SERVER_STEP; n++) {

        if (ngx_rtmp_route_saved_server(&w->state->route->table, &w->cursor,
                                        &saved)
            != NGX_OK)
        {
            return NGX_OK;
        }

        ngx_rtmp_route_state_put_server(w, &saved);
    }

    return NGX_AGAIN;
}


static void
ngx_rtmp_route_state_put_server(ngx_rtmp_route_state_write_t *w,
    ngx_rtmp_route_saved_server_t *saved)
{
    u_char                        *p, buf[NGX_SOCKADDR_STRLEN];
    ngx_str_t                     *word;
    ngx_rtmp_route_json_t         *json;
    ngx_rtmp_route_server_info_t  *info;

    json = &w->json;
    info = &saved->info;

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_state_put_text(json, "id", info->id, info->id_len);

    word = &ngx_rtmp_route_state_sources[info->source];
    ngx_rtmp_route_state_put_text(json, "source", word->data, word->len);

    ngx_rtmp_route_state_put_text(json, "host", info->host, info->host_len);
    ngx_rtmp_route_state_put_text(json, "origin", info->origin,
                                  info->origin_len);

    ngx_rtmp_route_state_put_endpoints(json, info);

    if (info->source == NGX_RTMP_ROUTE_SRC_REGISTER) {

        ngx_rtmp_route_state_put_text(json, "service", info->service,
                                      info->service_len);
        ngx_rtmp_route_state_put_text(json, "pid", info->pid, info->pid_len);
        ngx_rtmp_route_state_put_text(json, "device_id", info->device,
                                      info->device_len);

        if (info->registrar.family) {
            p = ngx_rtmp_route_endpoint_text(buf, buf + NGX_SOCKADDR_STRLEN,
                                             &info->registrar, 1);

            ngx_rtmp_route_state_put_text(json, "registrar", buf, p - buf);
            ngx_rtmp_route_state_put_number(json, "registrar_port",
                                            info->registrar.port);
        }

        /* a digest: who has the token may replace the server */

        if (info->token) {
            p = ngx_sprintf(buf, "%08xD%08xD", (uint32_t) (info->token >> 32),
                            (uint32_t) info->token);

            ngx_rtmp_route_state_put_text(json, "token", buf, p - buf);
        }

        ngx_rtmp_route_state_put_number(json, "seen", w->now - saved->idle);
    }

    if (info->proxy_protocol) {
        word = &ngx_rtmp_route_state_proxy[info->proxy_protocol];
        ngx_rtmp_route_state_put_text(json, "proxy_protocol", word->data,
                                      word->len);
    }

    ngx_rtmp_route_state_put_params(json, &saved->params, NULL);

    ngx_rtmp_route_state_put_name(json, "given");
    ngx_rtmp_route_json_open(json, '{');
    ngx_rtmp_route_state_put_params(json, &saved->given, &saved->params);
    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_close(json, '}');
    ngx_rtmp_route_state_line(json);
}


static void
ngx_rtmp_route_state_put_endpoints(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_info_t *info)
{
    u_char                      buf[NGX_SOCKADDR_STRLEN + 8];
    ngx_str_t                   text;
    ngx_uint_t                  i, k;
    ngx_rtmp_route_endpoint_t  *e;

    text.data = buf;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

        if (info->nendpoints[i] == 0) {
            continue;
        }

        ngx_rtmp_route_json_key(json, &ngx_rtmp_route_state_protocols[i]);
        ngx_rtmp_route_json_open(json, '[');

        for (k = 0; k < info->nendpoints[i]; k++) {
            e = &info->endpoints[i][k];

            if (e->family) {
                text.len = ngx_rtmp_route_endpoint_text(buf,
                                                        buf + sizeof(buf), e,
                                                        0)
                           - buf;

            } else {
                text.len = ngx_sprintf(buf, "%ui", (ngx_uint_t) e->port)
                           - buf;
            }

            ngx_rtmp_route_json_string(json, &text);
        }

        ngx_rtmp_route_json_close(json, ']');
    }
}


/* without other all of them, otherwise those that are not the same there */

static void
ngx_rtmp_route_state_put_params(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_params_t *params,
    ngx_rtmp_route_server_params_t *other)
{
#define ngx_rtmp_route_state_put(field)                                       \
    if (other == NULL || other->field != params->field) {                     \
        ngx_rtmp_route_state_put_number(json, #field, params->field);         \
    }

#define ngx_rtmp_route_state_put_flag(field)                                  \
    if (other ? other->field != params->field : params->field) {              \
        ngx_rtmp_route_state_put_name(json, #field);                          \
        ngx_rtmp_route_json_bool(json, params->field);                        \
    }

    ngx_rtmp_route_state_put(weight);
    ngx_rtmp_route_state_put(max_conns);
    ngx_rtmp_route_state_put(max_streams);
    ngx_rtmp_route_state_put(max_fails);
    ngx_rtmp_route_state_put(fail_timeout);
    ngx_rtmp_route_state_put(slow_start);
    ngx_rtmp_route_state_put(timeout);
    ngx_rtmp_route_state_put_flag(down);
    ngx_rtmp_route_state_put_flag(drain);
    ngx_rtmp_route_state_put_flag(backup);

#undef ngx_rtmp_route_state_put
#undef ngx_rtmp_route_state_put_flag
}


static ngx_int_t
ngx_rtmp_route_state_put_streams(ngx_rtmp_route_state_write_t *w)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    for (n = 0; n < NGX_RTMP_ROUTE_STATE_STREAM_STEP; n++) {

        rc = ngx_rtmp_route_saved_stream(&w->state->route->table, &w->cursor,
                                         &w->stream);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            break;
        }

        ngx_rtmp_route_state_put_stream(w);
    }

    return NGX_AGAIN;
}


static void
ngx_rtmp_route_state_put_stream(ngx_rtmp_route_state_write_t *w)
{
    ngx_str_t                      *word;
    ngx_rtmp_route_json_t          *json;
    ngx_rtmp_route_saved_stream_t  *saved;

    json = &w->json;
    saved = &w->stream;

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_state_put_key(json, &saved->key);

    if (saved->server.len) {
        word = &ngx_rtmp_route_state_from[saved->from];

        ngx_rtmp_route_state_put_text(json, "server", saved->server.data,
                                      saved->server.len);
        ngx_rtmp_route_state_put_text(json, "source", word->data, word->len);
    }

    ngx_rtmp_route_state_put_text(json, "pin", saved->pin.data,
                                  saved->pin.len);
    ngx_rtmp_route_state_put_text(json, "list", saved->list.data,
                                  saved->list.len);

    if (saved->lived) {
        ngx_rtmp_route_state_put_name(json, "published");
        ngx_rtmp_route_json_bool(json, 1);
    }

    if (saved->live) {
        ngx_rtmp_route_state_put_name(json, "live");
        ngx_rtmp_route_json_bool(json, 1);
    }

    if (saved->checked) {
        ngx_rtmp_route_state_put_number(json, "until", w->now + saved->ttl);
    }

    ngx_rtmp_route_state_put_number(json, "used", w->now - saved->idle);
    ngx_rtmp_route_state_put_number(json, "created", w->now - saved->age);

    ngx_rtmp_route_json_close(json, '}');
    ngx_rtmp_route_state_line(json);
}


/* whether a reader of JSON gives the same bytes back */

static ngx_uint_t
ngx_rtmp_route_state_utf8(ngx_str_t *text)
{
    size_t     i;
    json_t    *json;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] >= 0x80) {
            break;
        }
    }

    if (i == text->len) {
        return 1;
    }

    json = json_stringn((char *) text->data, text->len);

    if (json == NULL) {
        return 0;
    }

    json_decref(json);

    return 1;
}


static void
ngx_rtmp_route_state_put_text(ngx_rtmp_route_json_t *json, const char *name,
    u_char *data, size_t len)
{
    ngx_str_t  text;

    if (len == 0) {
        return;
    }

    text.len = len;
    text.data = data;

    ngx_rtmp_route_state_put_name(json, name);
    ngx_rtmp_route_json_string(json, &text);
}


static void
ngx_rtmp_route_state_put_number(ngx_rtmp_route_json_t *json, const char *name,
    uint64_t number)
{
    ngx_rtmp_route_state_put_name(json, name);
    ngx_rtmp_route_json_number(json, number);
}


static void
ngx_rtmp_route_state_put_name(ngx_rtmp_route_json_t *json, const char *name)
{
    ngx_str_t  text;

    text.data = (u_char *) name;
    text.len = ngx_strlen(name);

    ngx_rtmp_route_json_key(json, &text);
}


static ngx_int_t
ngx_rtmp_route_state_flush(ngx_rtmp_route_state_write_t *w)
{
    u_char       *p;
    ssize_t       n;
    ngx_chain_t  *cl;

    if (w->phase != sw_sync && w->json.length < NGX_RTMP_ROUTE_STATE_PIECE) {
        return NGX_AGAIN;
    }

    for (cl = w->json.out; cl; cl = cl->next) {

        for (p = cl->buf->pos; p < cl->buf->last; p += n) {

            n = write(w->fd, p, cl->buf->last - p);

            if (n == -1) {

                if (ngx_errno == NGX_EINTR) {
                    n = 0;
                    continue;
                }

                return ngx_rtmp_route_state_write_failed(w, "write()");
            }
        }
    }

#if (NGX_LINUX)

    /* to the disk from now on, so that less is left for the end */

    (void) sync_file_range(w->fd, w->offset, w->json.length,
                           SYNC_FILE_RANGE_WRITE);
#endif

    w->offset += w->json.length;

    ngx_rtmp_route_json_reset(&w->json);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_rtmp_route_state_sync(ngx_rtmp_route_state_write_t *w, ngx_event_t *ev)
{
#if (NGX_THREADS)

    if (ngx_rtmp_route_state_post(w, ev, w->fd, 0) == NGX_OK) {
        return NGX_DONE;
    }

#endif

    return (fsync(w->fd) == -1) ? NGX_ERROR : NGX_AGAIN;
}


static ngx_int_t
ngx_rtmp_route_state_rename(ngx_rtmp_route_state_write_t *w)
{
    ngx_rtmp_route_state_head_t  head;

    /* as long as the lock is held nobody else renames */

    if (!w->old
        && ngx_rtmp_route_state_head(w->name, &head) == NGX_OK
        && ngx_rtmp_route_state_newer(w->state, &head))
    {
        return NGX_BUSY;
    }

    ngx_rtmp_route_state_give(w->state, w->fd, w->temp->data);

    w->last = ngx_open_file(w->name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);

    if (ngx_rename_file(w->temp->data, w->name->data) == NGX_FILE_ERROR) {
        return ngx_rtmp_route_state_write_failed(w, ngx_rename_file_n);
    }

    ngx_rtmp_route_saved_set(&w->state->route->table, &w->mark);

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_state_close_last(ngx_rtmp_route_state_write_t *w,
    ngx_event_t *ev)
{
    ngx_fd_t  fd;

    fd = w->last;

    if (fd == NGX_INVALID_FILE) {
        return NGX_OK;
    }

    w->last = NGX_INVALID_FILE;

#if (NGX_THREADS)

    if (ngx_rtmp_route_state_post(w, ev, fd, 1) == NGX_OK) {
        return NGX_DONE;
    }

#endif

    (void) ngx_close_file(fd);

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_state_write_failed(ngx_rtmp_route_state_write_t *w,
    const char *failed)
{
    w->err = ngx_errno;
    w->failed = failed;

    /* no use to keep a part of it */

    if (w->fd != NGX_INVALID_FILE) {
        (void) ngx_delete_file(w->temp->data);
    }

    return NGX_ERROR;
}


#if (NGX_THREADS)

static ngx_int_t
ngx_rtmp_route_state_post(ngx_rtmp_route_state_write_t *w, ngx_event_t *ev,
    ngx_fd_t fd, ngx_uint_t last)
{
    ngx_thread_pool_t              *tp;
    ngx_thread_task_t              *task;
    ngx_rtmp_route_state_thread_t  *ctx;

    static ngx_str_t  name = ngx_string("default");

    tp = ev ? ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle, &name) : NULL;

    if (tp == NULL) {
        return NGX_DECLINED;
    }

    task = ngx_thread_task_alloc(w->pool,
                                 sizeof(ngx_rtmp_route_state_thread_t));
    if (task == NULL) {
        return NGX_DECLINED;
    }

    ctx = task->ctx;

    ctx->fd = fd;
    ctx->last = last;
    ctx->ev = ev;
    ctx->w = w;

    task->handler = ngx_rtmp_route_state_thread;
    task->event.handler = ngx_rtmp_route_state_thread_done;
    task->event.data = ctx;

    return (ngx_thread_task_post(tp, task) == NGX_OK) ? NGX_OK : NGX_DECLINED;
}


static void
ngx_rtmp_route_state_thread(void *data, ngx_log_t *log)
{
    ngx_rtmp_route_state_thread_t *ctx = data;

    if (ctx->last) {
        (void) ngx_close_file(ctx->fd);
        ctx->err = 0;

    } else {
        ctx->err = (fsync(ctx->fd) == -1) ? ngx_errno : 0;
    }
}


static void
ngx_rtmp_route_state_thread_done(ngx_event_t *ev)
{
    ngx_rtmp_route_state_thread_t *ctx = ev->data;

    ctx->w->err = ctx->err;

    ngx_post_event(ctx->ev, &ngx_posted_events);
}

#endif
