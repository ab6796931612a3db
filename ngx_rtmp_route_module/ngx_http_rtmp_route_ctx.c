
/*
 * Copyright (C) The nginx-osp authors
 */


/* What is known of a request, for its subrequests and after redirects, too. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_rtmp_route_table.h"


static void ngx_http_rtmp_route_cleanup(void *data);


ngx_http_rtmp_route_ctx_t *
ngx_http_rtmp_route_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_rtmp_route_ctx_t  *ctx;

    for ( /* void */ ; r; r = r->parent) {

        ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_module);

        if (ctx) {
            return ctx;
        }

        if (!r->internal && !r->filter_finalize) {
            continue;
        }

        /* the last one comes first; subrequests use the same pool */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {

            if (cln->handler != ngx_http_rtmp_route_cleanup) {
                continue;
            }

            ctx = cln->data;

            if (ctx->request == r) {
                return ctx;
            }
        }
    }

    return NULL;
}


ngx_http_rtmp_route_ctx_t *
ngx_http_rtmp_route_create_ctx(ngx_http_request_t *r, ngx_rtmp_route_t *route)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_rtmp_route_ctx_t  *ctx, *octx;

    octx = ngx_http_rtmp_route_get_ctx(r);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_rtmp_route_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_rtmp_route_ctx_t));

    ctx->request = r;
    ctx->route = route;
    ctx->timeout = octx ? octx->timeout : 0;
    ctx->quiet = octx ? octx->quiet : 0;

    cln->handler = ngx_http_rtmp_route_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_rtmp_route_module);

    return ctx;
}


static void
ngx_http_rtmp_route_cleanup(void *data)
{
    ngx_http_rtmp_route_cancel(data);
}


void
ngx_http_rtmp_route_cancel(void *data)
{
    ngx_http_rtmp_route_ctx_t *ctx = data;

    if (ctx->waiting) {
        ctx->waiting = 0;
        ngx_rtmp_route_wait_cancel(&ctx->wait);
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


ngx_int_t
ngx_http_rtmp_route_choose(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx, ngx_rtmp_route_peer_t *peer)
{
    ctx->protocol = peer->protocol;
    ctx->ref = peer->server;
    ctx->place = peer->place;

    if (!ctx->only) {
        ctx->told = (peer->source > NGX_RTMP_ROUTE_FROM_PICK);
    }

    if (ctx->chosen
        && ctx->server.len == peer->id.len
        && ngx_memcmp(ctx->server.data, peer->id.data, peer->id.len) == 0)
    {
        return NGX_OK;
    }

    ctx->chosen = 0;

    ctx->server.len = peer->id.len;
    ctx->server.data = ngx_pstrdup(r->pool, &peer->id);
    if (ctx->server.data == NULL) {
        return NGX_ERROR;
    }

    ctx->host.len = peer->host.len;
    ctx->host.data = ngx_pstrdup(r->pool, &peer->host);
    if (ctx->host.data == NULL) {
        return NGX_ERROR;
    }

    ctx->chosen = 1;

    return NGX_OK;
}


ngx_http_rtmp_route_ctx_t *
ngx_http_rtmp_route_answered_by(ngx_http_request_t *r, ngx_rtmp_route_t *route)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    if (r->upstream == NULL) {
        return NULL;
    }

    ctx = ngx_http_rtmp_route_get_ctx(r);

    if (ctx == NULL
        || ctx->request != r
        || ctx->upstream != r->upstream
        || (route && ctx->route != route))
    {
        return NULL;
    }

    return ctx;
}


ngx_int_t
ngx_http_rtmp_route_again(ngx_http_request_t *r, ngx_http_request_t *answered)
{
    ngx_http_rtmp_route_ctx_t  *ctx, *octx;

    octx = ngx_http_rtmp_route_answered_by(answered, NULL);

    if (octx == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_rtmp_route_create_ctx(r, octx->route);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_rtmp_route_copy_ctx(ctx, octx);

    ctx->only = 1;

    return NGX_OK;
}


void
ngx_http_rtmp_route_copy_ctx(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_http_rtmp_route_ctx_t *octx)
{
    ctx->key = octx->key;
    ctx->found = octx->found;
    ctx->chosen = octx->chosen;
    ctx->server = octx->server;
    ctx->host = octx->host;
    ctx->protocol = octx->protocol;
    ctx->ref = octx->ref;
    ctx->place = octx->place;
    ctx->only = octx->only;
    ctx->told = octx->told;
}


ngx_int_t
ngx_http_rtmp_route_ask(ngx_http_request_t *r, ngx_rtmp_route_t *route,
    ngx_msec_t timeout, ngx_uint_t quiet, ngx_str_t *key,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_create_ctx(r, route);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->timeout = timeout;
    ctx->quiet = quiet ? 1 : 0;

    if (peer == NULL) {
        return NGX_OK;
    }

    if (ngx_http_rtmp_route_choose(r, ctx, peer) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->key.len = key->len;
    ctx->key.data = ngx_pstrdup(r->pool, key);
    if (ctx->key.data == NULL) {
        return NGX_ERROR;
    }

    ctx->found = 1;
    ctx->only = 1;

    return NGX_OK;
}
