
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Lists of servers, streams and sessions.  They may be long, so they are made
 * in steps: one buffer's worth, or so many records, in one turn of the event
 * loop, and not before the client has taken what was made.  A page (?limit=)
 * is made at once, so that its header can name the next one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


#define NGX_HTTP_RTMP_ROUTE_API_STEP     65536    /* bytes */
#define NGX_HTTP_RTMP_ROUTE_API_RECORDS  4096


static ngx_int_t ngx_http_rtmp_route_api_list_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_list_filters(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_list_step(
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_list_next(
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_uint_t ngx_http_rtmp_route_api_list_wanted(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_rtmp_route_session_stat_t *stat);
static ngx_int_t ngx_http_rtmp_route_api_list_send(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t done);
static ngx_int_t ngx_http_rtmp_route_api_list_header(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t done);
static ngx_int_t ngx_http_rtmp_route_api_list_wait(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rtmp_route_api_list_pending(ngx_http_request_t *r);
static void ngx_http_rtmp_route_api_list_handler(ngx_http_request_t *r);


ngx_int_t
ngx_http_rtmp_route_api_get_list(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_rtmp_route_api_list_args(r, ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_rtmp_route_json_init(&ctx->json, r->pool, NGX_RTMP_ROUTE_JSON_BUFFER);

    ctx->single = (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_SESSION);
    ctx->more = 0;
    ctx->started = 0;

    if (!ctx->single) {
        ngx_rtmp_route_json_open(&ctx->json,
                      (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_STREAMS) ? '{'
                                                                         : '[');
    }

    /* the first step is made at once, and most often there is no other */

    rc = ngx_http_rtmp_route_api_list_step(ctx);
    rc = ngx_http_rtmp_route_api_list_send(r, ctx, rc == NGX_DONE);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    r->main->count++;

    r->write_event_handler = ngx_http_rtmp_route_api_list_handler;

    if (ngx_http_rtmp_route_api_list_wait(r) != NGX_OK) {
        r->main->count--;
        return NGX_ERROR;
    }

    return NGX_DONE;
}


/* NGX_DECLINED: they are fine; otherwise the request was answered */

static ngx_int_t
ngx_http_rtmp_route_api_list_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_http_rtmp_route_api_page_t    page;
    ngx_http_rtmp_route_api_field_t  *fields;

    switch (ctx->resource) {

    case NGX_HTTP_RTMP_ROUTE_API_SERVERS:
        fields = ngx_http_rtmp_route_api_server_fields;
        break;

    case NGX_HTTP_RTMP_ROUTE_API_STREAMS:
        fields = ngx_http_rtmp_route_api_stream_fields;
        break;

    default: /* sessions, session */
        fields = ngx_http_rtmp_route_api_session_fields;
        break;
    }

    rc = ngx_http_rtmp_route_api_fields(r, ctx, fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx->cursor = 0;
    ctx->max = 0;
    ctx->type = NGX_CONF_UNSET_UINT;
    ngx_str_null(&ctx->stream);

    if (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_SESSION) {
        return NGX_DECLINED;
    }

    rc = ngx_http_rtmp_route_api_page(r, &page);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx->cursor = page.after;
    ctx->max = page.limit;

    if (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_SESSIONS) {
        return ngx_http_rtmp_route_api_list_filters(r, ctx);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_list_filters(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  arg;

    rc = ngx_http_rtmp_route_api_arg(r, "type", &arg);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (arg.len == 7 && ngx_memcmp(arg.data, "publish", 7) == 0) {
        ctx->type = NGX_RTMP_ROUTE_PUBLISH;

    } else if (arg.len == 4 && ngx_memcmp(arg.data, "play", 4) == 0) {
        ctx->type = NGX_RTMP_ROUTE_PLAY;

    } else if (arg.len) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "invalid \"type\"");
    }

    rc = ngx_http_rtmp_route_api_arg(r, "stream", &arg);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (arg.len == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_http_rtmp_route_api_key(r, ctx, &arg, &ctx->stream);

    if (rc == NGX_DECLINED) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "invalid \"stream\"");
    }

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_ERROR;
}


/* NGX_DONE: there is no more */

static ngx_int_t
ngx_http_rtmp_route_api_list_step(ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t   rc;
    uint32_t    cursor;
    ngx_uint_t  n, entries;

    entries = 0;

    for (n = 0; n < NGX_HTTP_RTMP_ROUTE_API_RECORDS; n++) {

        if (ctx->max) {

            if (entries == ctx->max) {
                break;
            }

        } else if (ctx->json.length >= NGX_HTTP_RTMP_ROUTE_API_STEP) {
            return NGX_OK;
        }

        rc = ngx_http_rtmp_route_api_list_next(ctx);

        if (rc == NGX_DONE) {
            goto done;
        }

        if (rc == NGX_OK) {
            entries++;

            if (ctx->single) {
                return NGX_DONE;
            }
        }
    }

    if (ctx->max == 0) {
        return NGX_OK;
    }

    /* a page ends here, and may be the last one */

    cursor = ctx->cursor;

    ctx->peek = 1;
    ctx->more = (ngx_http_rtmp_route_api_list_next(ctx) != NGX_DONE);
    ctx->peek = 0;

    ctx->cursor = cursor;

done:

    if (!ctx->single) {
        ngx_rtmp_route_json_close(&ctx->json,
                      (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_STREAMS) ? '}'
                                                                         : ']');
    }

    return NGX_DONE;
}


/* NGX_OK: one more entry, NGX_DECLINED: not wanted, NGX_DONE: no more */

static ngx_int_t
ngx_http_rtmp_route_api_list_next(ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                ret;
    ngx_rtmp_route_table_t  *table;

    union {
        ngx_rtmp_route_server_stat_t    server;
        ngx_rtmp_route_stream_stat_t    stream;
        ngx_rtmp_route_session_stat_t   session;
    } stat;

    table = &ctx->route->table;

    switch (ctx->resource) {

    case NGX_HTTP_RTMP_ROUTE_API_SERVERS:

        ret = ngx_rtmp_route_server_walk(table, &ctx->cursor, &stat.server);

        if (ret == NGX_OK && !ctx->peek) {
            ngx_http_rtmp_route_api_server(&ctx->json, &stat.server,
                                           ctx->fields);
        }

        return ret;

    case NGX_HTTP_RTMP_ROUTE_API_STREAMS:

        ret = ngx_rtmp_route_stream_walk(table, &ctx->cursor, &stat.stream);

        if (ret == NGX_OK && !ctx->peek) {
            ngx_http_rtmp_route_api_stream_name(&ctx->json, &stat.stream.key,
                                                ctx->hide, 0);
            ngx_http_rtmp_route_api_stream(&ctx->json, &stat.stream, ctx);
        }

        return ret;

    default: /* sessions, session */

        ret = ngx_rtmp_route_session_walk(table, &ctx->cursor, &stat.session);

        if (ret != NGX_OK || ctx->peek) {
            return ret;
        }

        if (!ngx_http_rtmp_route_api_list_wanted(ctx, &stat.session)) {
            return NGX_DECLINED;
        }

        ngx_http_rtmp_route_api_session(&ctx->json, &stat.session,
                                        ctx->fields, ctx->hide);
        return NGX_OK;
    }
}


static ngx_uint_t
ngx_http_rtmp_route_api_list_wanted(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_rtmp_route_session_stat_t *stat)
{
    u_char  *p, id[NGX_INT_T_LEN * 2 + 1];

    if (ctx->single) {
        p = ngx_sprintf(id, "%uD-%uD", stat->slot, stat->number);

        return ctx->item.len == (size_t) (p - id)
               && ngx_memcmp(ctx->item.data, id, p - id) == 0;
    }

    if (ctx->type != NGX_CONF_UNSET_UINT && ctx->type != stat->type) {
        return 0;
    }

    return ctx->stream.len == 0
           || (ctx->stream.len == stat->key.len
               && ngx_memcmp(ctx->stream.data, stat->key.data, stat->key.len)
                  == 0);
}


/* NGX_AGAIN: call again for more, after the client has taken this */

static ngx_int_t
ngx_http_rtmp_route_api_list_send(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t done)
{
    ngx_int_t   rc;
    ngx_buf_t  *b;

    if (ctx->json.failed) {
        return ctx->started ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->started) {

        if (ctx->single && ctx->json.length == 0) {

            if (!done) {
                return NGX_AGAIN;
            }

            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                                 "SessionNotFound",
                                                 "session not found");
        }

        rc = ngx_http_rtmp_route_api_list_header(r, ctx, done);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return rc;
        }

        if (r->header_only) {
            return NGX_OK;
        }

        ctx->started = 1;
    }

    b = ctx->json.buf;

    if (b == NULL) {

        /* nothing was wanted of what was looked at */

        return NGX_AGAIN;
    }

    if (done) {
        b->last_buf = (r == r->main) ? 1 : 0;
        b->last_in_chain = 1;

    } else {
        b->flush = 1;
    }

    if (ngx_http_output_filter(r, ctx->json.out) == NGX_ERROR) {
        return NGX_ERROR;
    }

    return done ? NGX_OK : NGX_AGAIN;
}


static ngx_int_t
ngx_http_rtmp_route_api_list_header(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t done)
{
    r->headers_out.status = NGX_HTTP_OK;

    if (done) {
        r->headers_out.content_length_n = ctx->json.length;
    }

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ctx->more && ngx_http_rtmp_route_api_next(r, ctx->cursor) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


/* the next step comes when the client has room, but others come first */

static ngx_int_t
ngx_http_rtmp_route_api_list_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;

    if (wev->delayed || ngx_http_rtmp_route_api_list_pending(r)) {

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (!wev->delayed) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        return ngx_handle_write_event(wev, clcf->send_lowat);
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    ngx_post_event(wev, &ngx_posted_next_events);

    return NGX_OK;
}


/* buffers that were sent are still in use */

static ngx_uint_t
ngx_http_rtmp_route_api_list_pending(ngx_http_request_t *r)
{
    return r->buffered
           || r->postponed
           || (r == r->main && r->connection->buffered);
}


static void
ngx_http_rtmp_route_api_list_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_event_t                    *wev;
    ngx_connection_t               *c;
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    c = r->connection;
    wev = c->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);

    rc = NGX_AGAIN;

    if (!wev->delayed
        && ngx_http_rtmp_route_api_list_pending(r)
        && ngx_http_output_filter(r, NULL) == NGX_ERROR)
    {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (!wev->delayed && !ngx_http_rtmp_route_api_list_pending(r)) {
        ngx_rtmp_route_json_reset(&ctx->json);

        rc = ngx_http_rtmp_route_api_list_step(ctx);
        rc = ngx_http_rtmp_route_api_list_send(r, ctx, rc == NGX_DONE);
    }

    if (rc == NGX_AGAIN) {

        if (ngx_http_rtmp_route_api_list_wait(r) == NGX_OK) {
            return;
        }

        rc = NGX_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}
