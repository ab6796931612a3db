
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_tier.h"


/* a fill that fails and leaves nothing is begun again by its waiters */
#define NGX_HTTP_HLS_CLAIMS  3

/* changes that are seen in a row, before somebody else has his turn */
#define NGX_HTTP_HLS_LOOKS   8


static ngx_http_hls_ctx_t *ngx_http_hls_create_ctx(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf);
static ngx_int_t ngx_http_hls_open(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static ngx_uint_t ngx_http_hls_private(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf);
static ngx_int_t ngx_http_hls_look(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_find(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_find_first(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_uint_t count);
static ngx_uint_t ngx_http_hls_filled(ngx_http_hls_ctx_t *ctx,
    ngx_http_hls_ghost_t *ghost);
static ngx_int_t ngx_http_hls_find_special(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_answer(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_msec_t *timeout);
static ngx_int_t ngx_http_hls_error(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_uint_t status);
static ngx_int_t ngx_http_hls_pass(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_viewer(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_suspend(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_msec_t timeout);
static void ngx_http_hls_resume(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_cleanup(void *data);


ngx_int_t
ngx_http_hls_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_hls_ctx_t       *ctx;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hls_cache_module);

    if (hlcf->zone == NULL || ngx_http_hls_fill_of(r)) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_hls_cache_module);

    if (ctx == NULL) {

        ctx = ngx_http_hls_create_ctx(r, hlcf);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_hls_open(r, ctx);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc == NGX_DECLINED) {
            ctx->passing = 1;
        }
    }

    if (ctx->pass) {
        return NGX_DECLINED;
    }

    if (!ctx->passing) {
        rc = ngx_http_hls_look(r, ctx);

        /* who has been answered may be gone, and the context as well */

        if (rc != NGX_DECLINED || !ctx->passing) {
            return rc;
        }
    }

    rc = ngx_http_hls_auth_pass(r, hlcf);

    return (rc == NGX_OK) ? ngx_http_hls_pass(r, ctx) : rc;
}


/*
 * The context is found again through the cleanup after a redirect has cleared
 * r->ctx; it holds the body until the log was written
 */

static ngx_http_hls_ctx_t *
ngx_http_hls_create_ctx(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf)
{
    ngx_http_hls_ctx_t  *ctx;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_hls_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_hls_ctx_t));

    ctx->request = r;
    ctx->conf = hlcf;
    ctx->zone = hlcf->zone;
    ctx->age = -1;

    cln->handler = ngx_http_hls_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_hls_cache_module);

    return ctx;
}


ngx_http_hls_ctx_t *
ngx_http_hls_get_ctx(ngx_http_request_t *r)
{
    ngx_http_hls_ctx_t  *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hls_cache_module);

    if (ctx || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    /* the last one comes first; subrequests use the same pool */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_hls_cleanup) {
            continue;
        }

        ctx = cln->data;

        if (ctx->request == r) {
            return ctx;
        }
    }

    return NULL;
}


ngx_table_elt_t *
ngx_http_hls_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == name->len
            && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
        {
            return &h[i];
        }
    }
}


static ngx_int_t
ngx_http_hls_open(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ctx->conf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || r->headers_in.content_length_n > 0
        || r->headers_in.chunked
        || r->headers_in.upgrade
        || ngx_http_hls_private(r, hlcf))
    {
        return NGX_DECLINED;
    }

    if (hlcf->bypass) {

        rc = ngx_http_test_predicates(r, hlcf->bypass);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_hls_target(r, hlcf, &ctx->target);
}


/* what the location passes on may make answers differ */

static ngx_uint_t
ngx_http_hls_private(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf)
{
    if (hlcf->pass_authorization && r->headers_in.authorization) {
        return 1;
    }

#if (nginx_version >= 1023000)
    return hlcf->pass_cookie && r->headers_in.cookie;
#else
    return hlcf->pass_cookie && r->headers_in.cookies.nelts;
#endif
}


static ngx_int_t
ngx_http_hls_look(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_msec_t  timeout;
    ngx_uint_t  n;

    timeout = 0;

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_hls_find(r, ctx);

        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "hls cache look-up: %i, state %ui, body %uD, \"%V\"",
                       rc, ctx->found.state, ctx->found.body.body,
                       &ctx->target.key.text);

        if (rc == NGX_DECLINED) {
            ctx->passing = 1;
            return NGX_DECLINED;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        if (ctx->target.kind == NGX_HTTP_HLS_KEY) {

            rc = ngx_http_hls_auth(r, ctx->conf);

            if (rc != NGX_OK) {

                if (ctx->found.state == NGX_HTTP_HLS_STORE_CLAIMED) {
                    ngx_http_hls_store_abandon(&ctx->zone->store, &ctx->found,
                                               NULL);
                }

                return rc;
            }
        }

        if (ctx->found.state == NGX_HTTP_HLS_STORE_CLAIMED) {

            ctx->claims++;

            if (ngx_http_hls_object_fill(r, ctx->conf, ctx) != NGX_OK) {
                return ngx_http_hls_pass(r, ctx);
            }
        }

        if (ngx_http_hls_ghost_of(r)) {

            /* all that it is for has been done */

            ngx_http_finalize_request(r, NGX_OK);
            return NGX_DONE;
        }

        rc = ngx_http_hls_answer(r, ctx, &timeout);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        if (n == NGX_HTTP_HLS_LOOKS) {
            return ngx_http_hls_error(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE);
        }

        rc = ngx_http_hls_suspend(r, ctx, timeout);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        /* it has changed meanwhile */
    }
}


static ngx_int_t
ngx_http_hls_find(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_uint_t             first;
    ngx_http_hls_store_t  *store;

    store = &ctx->zone->store;
    first = (ctx->found.state == NGX_HTTP_HLS_STORE_NONE);

    if (!first) {
        ngx_http_hls_store_release(store, &ctx->found.body);

        if (ngx_http_hls_store_again(store, &ctx->found) == NGX_OK
            && ctx->found.state != NGX_HTTP_HLS_STORE_NONE
            && ctx->found.state != NGX_HTTP_HLS_STORE_STALE)
        {
            return NGX_OK;
        }

        ngx_http_hls_store_release(store, &ctx->found.body);
    }

    if (ctx->claims == NGX_HTTP_HLS_CLAIMS) {
        return ngx_http_hls_error(r, ctx, NGX_HTTP_BAD_GATEWAY);
    }

    return ngx_http_hls_find_first(r, ctx, first);
}


static ngx_int_t
ngx_http_hls_find_first(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_uint_t count)
{
    ngx_int_t               rc;
    ngx_uint_t              claim;
    ngx_http_hls_ghost_t   *ghost;
    ngx_http_hls_target_t  *target;

    target = &ctx->target;
    ghost = ngx_http_hls_ghost_of(r);
    claim = NGX_HTTP_HLS_STORE_CLAIM;

    if (ghost) {
        count = 0;

        /* playlists are refreshed ahead of their time */

        if ((target->kind == NGX_HTTP_HLS_PLAYLIST
             || target->kind == NGX_HTTP_HLS_MANIFEST)
            && !ngx_http_hls_filled(ctx, ghost))
        {
            claim = NGX_HTTP_HLS_STORE_REFRESH;
        }
    }

    if (!ctx->special
        && (target->kind == NGX_HTTP_HLS_OTHER
            || target->generation
            || target->directives.len))
    {
        rc = ngx_http_hls_find_special(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }

        ctx->special = 1;
    }

    if (ngx_http_hls_store_lookup(&ctx->zone->store, &target->key,
                                  target->kind, 0, claim, count, &ctx->found)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ctx->found.kind) {
        target->kind = ctx->found.kind;
    }

    return NGX_OK;
}


/* a viewer may have been quicker than the ghost that asks again */

static ngx_uint_t
ngx_http_hls_filled(ngx_http_hls_ctx_t *ctx, ngx_http_hls_ghost_t *ghost)
{
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    if (!ghost->again) {
        return 0;
    }

    ngx_memzero(&found, sizeof(ngx_http_hls_found_t));

    store = &ctx->zone->store;

    if (ngx_http_hls_store_lookup(store, &ctx->target.key, ctx->target.kind,
                                  0, 0, 0, &found)
        != NGX_OK)
    {
        return 0;
    }

    ngx_http_hls_store_release(store, &found.body);

    return found.state == NGX_HTTP_HLS_STORE_FRESH
           && found.times.fresh != ghost->fresh;
}


/* keys that are good only if a playlist has made them so */

static ngx_int_t
ngx_http_hls_find_special(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_uint_t              known;
    ngx_http_hls_key_t      key;
    ngx_http_hls_found_t    found;
    ngx_http_hls_store_t   *store;
    ngx_http_hls_target_t  *target;

    store = &ctx->zone->store;
    target = &ctx->target;

    key = target->key;

    if (target->generation) {

        rc = ngx_http_hls_target_generation(r->pool, ctx->conf, target, &key);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_memzero(&found, sizeof(ngx_http_hls_found_t));

    if (ngx_http_hls_store_lookup(store, &key, target->kind, 0, 0, 0, &found)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_hls_store_release(store, &found.body);

    known = (found.entry != 0);

    if (target->directives.len) {

        if (known && ngx_http_hls_object_announced(target, &found)) {
            rc = ngx_http_hls_target_directives(r->pool, ctx->conf, target,
                                                &key);
            if (rc != NGX_OK) {
                return rc;
            }

            target->key = key;

        } else {
            ngx_str_null(&target->directives);
        }

        return NGX_OK;
    }

    if (target->generation) {

        if (known) {
            target->key = key;

        } else if (ngx_http_hls_object_outdated(r->pool, ctx->conf, target)) {
            ctx->status = NGX_HTTP_HLS_HIT;
            return ngx_http_hls_error(r, ctx, NGX_HTTP_NOT_FOUND);

        } else {
            /* another proxy's, or an argument of the origin's */

            target->generation = 0;
            ngx_str_null(&target->generations);
        }

        if (target->kind != NGX_HTTP_HLS_OTHER) {
            return NGX_OK;
        }
    }

    return known ? NGX_OK : NGX_DECLINED;
}


/* NGX_AGAIN: it is to be waited for, so long at most */

static ngx_int_t
ngx_http_hls_answer(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_msec_t *timeout)
{
    ngx_int_t                     rc;
    ngx_uint_t                    filling;
    ngx_msec_t                    waited;
    ngx_http_hls_found_t         *found;
    ngx_http_hls_policy_found_t   in;
    ngx_http_hls_policy_answer_t  answer;

    found = &ctx->found;

    filling = (found->state != NGX_HTTP_HLS_STORE_FRESH);

    in.state = found->state;
    in.status = found->status;
    in.now = ngx_current_msec;
    in.changed = found->times.changed;
    in.body = (found->body.body
               && found->body.state == NGX_HTTP_HLS_BODY_DONE);

    ngx_http_hls_policy_answer(&in, (ngx_http_hls_data_t *) found->times.data,
                               &answer);

    if (ctx->status == NGX_HTTP_HLS_NO_STATUS) {

        ctx->status = NGX_HTTP_HLS_HIT;

        if (filling) {
            ctx->status = in.body ? NGX_HTTP_HLS_EXPIRED : NGX_HTTP_HLS_MISS;
        }

        ngx_http_hls_viewer(r, ctx);
    }

    waited = ctx->wait ? ngx_current_msec - ctx->wait->start : 0;

    switch (answer.action) {

    case NGX_HTTP_HLS_ANSWER_BODY:

        if (filling
            && !(ctx->conf->use_stale & NGX_HTTP_UPSTREAM_FT_UPDATING)
            && waited < ctx->conf->fill_timeout)
        {
            answer.wait = (ngx_msec_t) -1;
            break;
        }

        if (answer.stale) {
            ctx->status = NGX_HTTP_HLS_STALE;

        } else if (filling) {
            ctx->status = NGX_HTTP_HLS_UPDATING;
        }

        return ngx_http_hls_send(r, ctx);

    case NGX_HTTP_HLS_ANSWER_ERROR:
        return ngx_http_hls_error(r, ctx, answer.status);

    case NGX_HTTP_HLS_ANSWER_PASS:
        return ngx_http_hls_pass(r, ctx);

    default: /* NGX_HTTP_HLS_ANSWER_WAIT */
        break;
    }

    if (found->body.body && found->body.state == NGX_HTTP_HLS_BODY_FILLING) {

        rc = ngx_http_hls_send(r, ctx);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    if (waited >= ctx->conf->fill_timeout) {

        /* one line is enough for all who wait */

        ngx_log_error((ctx->claims ? NGX_LOG_ERR : NGX_LOG_INFO),
                      r->connection->log, NGX_ETIMEDOUT,
                      "hls cache fill timed out");

        if (in.body) {
            ctx->status = NGX_HTTP_HLS_STALE;
            return ngx_http_hls_send(r, ctx);
        }

        return ngx_http_hls_error(r, ctx, NGX_HTTP_GATEWAY_TIME_OUT);
    }

    *timeout = ngx_min(answer.wait, ctx->conf->fill_timeout - waited);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_hls_error(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_uint_t status)
{
    ngx_uint_t  key;

    key = (ctx->target.kind == NGX_HTTP_HLS_KEY);

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_hls_send_add(r, "Retry-After", sizeof("Retry-After") - 1,
                                 (u_char *) "1", 1)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_hls_send_control(r, key ? "no-store" : "no-cache", 8)
        != NGX_OK
        || ngx_http_hls_tier_tell(r, ctx, 1) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return status;
}


static ngx_int_t
ngx_http_hls_pass(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ctx->pass = 1;
    ctx->status = NGX_HTTP_HLS_BYPASS;

    ngx_http_hls_store_release(&ctx->zone->store, &ctx->found.body);

    if (ngx_http_hls_ghost_of(r)) {
        ngx_http_finalize_request(r, NGX_OK);
        return NGX_DONE;
    }

    return NGX_DECLINED;
}


/* who asks for a playlist of a stream is a viewer of it */

static void
ngx_http_hls_viewer(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    uint64_t              viewer;
    ngx_str_t            *agent;
    ngx_http_hls_data_t  *data;

    if (ctx->found.stream == 0
        || (ctx->target.kind != NGX_HTTP_HLS_PLAYLIST
            && ctx->target.kind != NGX_HTTP_HLS_MANIFEST))
    {
        return;
    }

    viewer = ngx_murmur_hash2(r->connection->addr_text.data,
                              r->connection->addr_text.len);

    if (r->headers_in.user_agent) {
        agent = &r->headers_in.user_agent->value;
        viewer |= (uint64_t) ngx_murmur_hash2(agent->data, agent->len) << 32;
    }

    /* the two halves are mixed */

    viewer = (viewer ^ (viewer >> 30)) * 0xbf58476d1ce4e5b9;
    viewer = (viewer ^ (viewer >> 27)) * 0x94d049bb133111eb;
    viewer ^= viewer >> 31;

    data = (ngx_http_hls_data_t *) ctx->found.times.data;

    ngx_http_hls_store_viewer(&ctx->zone->store, ctx->found.stream, viewer,
                              3 * (data->target ? data->target
                                                : NGX_HTTP_HLS_TARGET));
}


static ngx_int_t
ngx_http_hls_suspend(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_msec_t timeout)
{
    ngx_int_t  rc;

    rc = ngx_http_hls_wait(ctx, ngx_http_hls_resume, timeout);

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_rtmp_route_hold(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_http_hls_resume(ngx_http_hls_ctx_t *ctx)
{
    ngx_http_rtmp_route_go_on(ctx->request);
}


static void
ngx_http_hls_cleanup(void *data)
{
    ngx_http_hls_ctx_t *ctx = data;

    ngx_http_hls_wait_cancel(ctx);

    if (ctx->sender) {
        ngx_queue_remove(&ctx->queue);
    }

    ngx_http_hls_store_release(&ctx->zone->store, &ctx->found.body);
}
