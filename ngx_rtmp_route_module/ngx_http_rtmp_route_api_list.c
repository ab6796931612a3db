
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Lists of servers, streams, sessions and bans.  They may be long, so they are
 * made in steps.  A page (?limit=) is sent when it is complete, so that its
 * header can name the next one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


/* what it costs to look at one record, in bytes of an answer */
#define NGX_HTTP_RTMP_ROUTE_API_LOOK  32

/* without fields a list is one of names */
#define ngx_http_rtmp_route_api_list_keyed(ctx)                               \
    ((ctx)->resource == NGX_HTTP_RTMP_ROUTE_API_STREAMS && (ctx)->fields)


static ngx_int_t ngx_http_rtmp_route_api_list_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_list_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);
static ngx_int_t ngx_http_rtmp_route_api_list_end(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_list_next(
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_uint_t ngx_http_rtmp_route_api_list_wanted(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_rtmp_route_session_stat_t *stat);


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
    ctx->whole = (ctx->single || ctx->max);
    ctx->entries = 0;
    ctx->peek = 0;
    ctx->more = 0;

    if (!ctx->single) {
        ngx_rtmp_route_json_open(&ctx->json,
                                 ngx_http_rtmp_route_api_list_keyed(ctx) ? '{'
                                                                         : '[');
    }

    return ngx_http_rtmp_route_api_steps(r, ctx,
                                         ngx_http_rtmp_route_api_list_step);
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

    case NGX_HTTP_RTMP_ROUTE_API_BANS:
        fields = ngx_http_rtmp_route_api_ban_fields;
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
    ctx->filter = NULL;

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
        return ngx_http_rtmp_route_api_filter(r, ctx);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_list_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made)
{
    size_t     length;
    ngx_int_t  rc;

    length = ctx->json.length;

    while (*made + (ctx->json.length - length) < NGX_HTTP_RTMP_ROUTE_API_STEP) {

        rc = ngx_http_rtmp_route_api_list_next(ctx);

        *made += (rc == NGX_AGAIN) ? NGX_HTTP_RTMP_ROUTE_API_VAIN
                                   : NGX_HTTP_RTMP_ROUTE_API_LOOK;

        if (rc == NGX_DONE) {
            return ngx_http_rtmp_route_api_list_end(r, ctx);
        }

        if (rc != NGX_OK) {
            continue;
        }

        if (ctx->peek) {
            ctx->more = 1;
            ctx->cursor = ctx->next;

            return ngx_http_rtmp_route_api_list_end(r, ctx);
        }

        if (ctx->single) {
            return NGX_DONE;
        }

        if (++ctx->entries == ctx->max) {

            /* a page ends here, and may be the last one */

            ctx->peek = 1;
            ctx->next = ctx->cursor;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_rtmp_route_api_list_end(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->single) {
        rc = ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                           "SessionNotFound",
                                           "session not found");

        return (rc == NGX_AGAIN) ? NGX_OK : rc;
    }

    ngx_rtmp_route_json_close(&ctx->json,
                              ngx_http_rtmp_route_api_list_keyed(ctx) ? '}'
                                                                      : ']');
    return NGX_DONE;
}


/*
 * NGX_OK: one more entry, NGX_DECLINED: not wanted, NGX_AGAIN: none so far,
 * NGX_DONE: no more
 */

static ngx_int_t
ngx_http_rtmp_route_api_list_next(ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                ret;
    ngx_rtmp_route_table_t  *table;

    union {
        ngx_rtmp_route_server_stat_t    server;
        ngx_rtmp_route_stream_stat_t    stream;
        ngx_rtmp_route_session_stat_t   session;
        ngx_rtmp_route_ban_t            ban;
    } stat;

    table = &ctx->route->table;

    switch (ctx->resource) {

    case NGX_HTTP_RTMP_ROUTE_API_SERVERS:

        ret = ngx_rtmp_route_server_walk(table, &ctx->cursor, &stat.server);

        if (ret != NGX_OK || ctx->peek) {
            return ret;
        }

        if (ctx->fields == 0) {
            ngx_http_rtmp_route_api_server_name(&ctx->json, &stat.server);
            return NGX_OK;
        }

        ngx_http_rtmp_route_api_server(&ctx->json, &stat.server, ctx->fields);
        return NGX_OK;

    case NGX_HTTP_RTMP_ROUTE_API_STREAMS:

        ret = ngx_rtmp_route_stream_look(table, &ctx->cursor, &stat.stream);

        if (ret != NGX_OK || ctx->peek) {
            return ret;
        }

        ngx_http_rtmp_route_api_stream_name(&ctx->json, &stat.stream.key,
                                            ctx->hide, ctx->fields == 0);
        if (ctx->fields) {
            ngx_http_rtmp_route_api_stream(&ctx->json, &stat.stream, ctx);
        }

        return NGX_OK;

    case NGX_HTTP_RTMP_ROUTE_API_BANS:

        ret = ngx_rtmp_route_ban_walk(table, &ctx->cursor, &stat.ban);

        if (ret != NGX_OK || ctx->peek) {
            return ret;
        }

        if (ctx->fields == 0) {
            ngx_rtmp_route_json_number(&ctx->json, stat.ban.id);
            return NGX_OK;
        }

        ngx_http_rtmp_route_api_ban(&ctx->json, &stat.ban, ctx->fields,
                                    ctx->hide);
        return NGX_OK;

    default: /* sessions, session */

        ret = ngx_rtmp_route_session_look(table, &ctx->cursor, &stat.session);

        if (ret != NGX_OK) {
            return ret;
        }

        if (!ngx_http_rtmp_route_api_list_wanted(ctx, &stat.session)) {
            return NGX_DECLINED;
        }

        if (ctx->peek) {
            return NGX_OK;
        }

        if (ctx->fields == 0 && !ctx->single) {
            ngx_http_rtmp_route_api_session_name(&ctx->json, &stat.session);
            return NGX_OK;
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

    return ctx->filter == NULL
           || ngx_http_rtmp_route_api_filter_match(ctx->filter, stat);
}
