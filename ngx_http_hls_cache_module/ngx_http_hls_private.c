
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A body that outgrows the cache, or has no end, becomes that of one viewer:
 * the fill goes on, and what it brings goes to him alone, as fast as he
 * reads.  Others who have had a part of it get the rest by a fill of their
 * own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_tier.h"


#define NGX_HTTP_HLS_PRIVATE_BUF  16384


struct ngx_http_hls_private_s {
    ngx_http_hls_ctx_t         *ctx;
    ngx_http_hls_fill_t        *fill;      /* NULL: it has ended */
    ngx_chain_t                *out;       /* to be sent */
    ngx_chain_t                *busy;
    ngx_chain_t                *free;
    off_t                       sent;      /* what he has got before */
    off_t                       seen;      /* of that, and was the same */
    ngx_event_t                 event;
    unsigned                    complete:1;
};


static ngx_http_hls_private_t *ngx_http_hls_private_create(
    ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_private_own(ngx_http_hls_private_t *p,
    ngx_http_hls_fill_t *fill);
static ngx_int_t ngx_http_hls_private_header(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *sr);
static ngx_int_t ngx_http_hls_private_body(ngx_http_hls_fill_t *fill,
    u_char *data, size_t len);
static ngx_buf_t *ngx_http_hls_private_buf(ngx_http_hls_private_t *p,
    size_t len);
static void ngx_http_hls_private_end(ngx_http_hls_fill_t *fill,
    ngx_uint_t complete);
static void ngx_http_hls_private_event_handler(ngx_event_t *ev);
static void ngx_http_hls_private_cleanup(void *data);


ngx_int_t
ngx_http_hls_private_take(ngx_http_hls_zone_t *zone,
    ngx_http_hls_found_t *found, ngx_http_hls_fill_t *fill, u_char *data,
    size_t len)
{
    ngx_queue_t             *q;
    ngx_http_hls_ctx_t      *ctx, *viewer;
    ngx_http_hls_private_t  *p;

    viewer = NULL;

    for (q = ngx_queue_head(&zone->senders);
         q != ngx_queue_sentinel(&zone->senders);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_hls_ctx_t, queue);

        if (ctx->found.entry != found->entry
            || ctx->found.seq != found->seq
            || ctx->found.fill != found->fill
            || ctx->private)
        {
            continue;
        }

        viewer = ctx;

        if (ctx->claims) {
            break;
        }
    }

    if (viewer == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_http_hls_private_create(viewer);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, viewer->request->connection->log, 0,
                   "hls cache body becomes private: \"%V\"",
                   &viewer->target.key.text);

    ngx_http_hls_private_own(p, fill);

    /* it lasts as long as he reads */

    if (fill->timer.timer_set) {
        ngx_del_timer(&fill->timer);
    }

    ngx_http_hls_wait_cancel(viewer);

    if (len && ngx_http_hls_private_body(fill, data, len) != NGX_OK) {
        ngx_http_hls_fill_stop(fill);
    }

    ngx_post_event(&p->event, &ngx_posted_events);

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_private_start(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    off_t sent)
{
    ngx_uint_t               pass;
    ngx_msec_t               lasted;
    ngx_http_hls_fill_t     *fill;
    ngx_http_hls_found_t     found;
    ngx_http_hls_store_t    *store;
    ngx_http_hls_private_t  *p;

    /*
     * one that has lasted too long is of a live stream: to ask for it again
     * from its beginning is no use
     */

    lasted = (ngx_msec_t) (ngx_time() - ctx->found.body.created + 1) * 1000;

    if (lasted >= ctx->conf->fill_timeout) {
        return NGX_DECLINED;
    }

    store = &ctx->zone->store;

    found = ctx->found;
    ngx_memzero(&found.body, sizeof(ngx_http_hls_body_t));

    if (ngx_http_hls_store_again(store, &found) != NGX_OK) {
        return NGX_DECLINED;
    }

    pass = (found.state == NGX_HTTP_HLS_STORE_FRESH
            && found.body.body == 0
            && found.status == NGX_HTTP_HLS_PASS);

    ngx_http_hls_store_release(store, &found.body);

    if (!pass) {
        return NGX_DECLINED;
    }

    p = ngx_http_hls_private_create(ctx);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fill = ngx_http_hls_fill_create(r);
    if (fill == NULL) {
        return NGX_ERROR;
    }

    ngx_http_hls_private_own(p, fill);

    fill->header = ngx_http_hls_private_header;
    fill->again = ngx_http_rtmp_route_again;
    fill->args = ctx->target.args;
    fill->host = ctx->target.host;
    fill->pass = ctx->conf->pass_header;

    p->sent = sent;

    ngx_http_hls_fill_start(fill);

    return NGX_OK;
}


static ngx_http_hls_private_t *
ngx_http_hls_private_create(ngx_http_hls_ctx_t *ctx)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_hls_private_t  *p;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_hls_private_t));
    if (cln == NULL) {
        return NULL;
    }

    p = cln->data;

    ngx_memzero(p, sizeof(ngx_http_hls_private_t));

    cln->handler = ngx_http_hls_private_cleanup;

    p->ctx = ctx;

    p->event.handler = ngx_http_hls_private_event_handler;
    p->event.data = p;
    p->event.log = ctx->request->connection->log;

    ctx->private = p;

    return p;
}


static void
ngx_http_hls_private_own(ngx_http_hls_private_t *p, ngx_http_hls_fill_t *fill)
{
    p->fill = fill;

    fill->data = p;
    fill->header = NULL;
    fill->body = ngx_http_hls_private_body;
    fill->end = ngx_http_hls_private_end;
}


static ngx_int_t
ngx_http_hls_private_header(ngx_http_hls_fill_t *fill, ngx_http_request_t *sr)
{
    ngx_http_hls_private_t  *p;

    p = fill->data;

    if (sr->headers_out.status == NGX_HTTP_OK) {
        return NGX_OK;
    }

    return ngx_http_hls_tier_redirect(fill, sr, p->ctx->target.kind
                                                == NGX_HTTP_HLS_KEY);
}


static ngx_int_t
ngx_http_hls_private_body(ngx_http_hls_fill_t *fill, u_char *data, size_t len)
{
    size_t                   n;
    ngx_buf_t               *b;
    ngx_chain_t             *cl, **ll;
    ngx_http_hls_ctx_t      *ctx;
    ngx_http_hls_private_t  *p;

    p = fill->data;
    ctx = p->ctx;

    n = (size_t) ngx_min(p->sent - p->seen, (off_t) len);

    if (n) {

        /* he has it from the store, where it is as long as he needs it */

        if (ngx_memcmp(data, ctx->found.body.data + p->seen, n) != 0) {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                          "the origin's answer has changed while it was sent");
            return NGX_ERROR;
        }

        p->seen += n;
        data += n;
        len -= n;

        if (len == 0) {
            return NGX_OK;
        }
    }

    b = ngx_http_hls_private_buf(p, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->pos, data, len);
    b->flush = 1;

    cl = ngx_alloc_chain_link(ctx->request->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    for (ll = &p->out; *ll; ll = &(*ll)->next) { /* void */ }

    *ll = cl;

    /* one at a time */

    ngx_http_hls_fill_pause(fill, 1);

    ngx_post_event(&p->event, &ngx_posted_events);

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_hls_private_buf(ngx_http_hls_private_t *p, size_t len)
{
    ngx_buf_t    *b;
    ngx_pool_t   *pool;
    ngx_chain_t  *cl, **ll;

    pool = p->ctx->request->pool;

    for (ll = &p->free; *ll; ll = &(*ll)->next) {

        cl = *ll;
        b = cl->buf;

        if ((size_t) (b->end - b->start) < len) {
            continue;
        }

        *ll = cl->next;
        ngx_free_chain(pool, cl);

        b->pos = b->start;
        b->last = b->start;

        return b;
    }

    b = ngx_create_temp_buf(pool, ngx_max(len, NGX_HTTP_HLS_PRIVATE_BUF));
    if (b == NULL) {
        return NULL;
    }

    b->tag = (ngx_buf_tag_t) &ngx_http_hls_private_take;

    return b;
}


static void
ngx_http_hls_private_end(ngx_http_hls_fill_t *fill, ngx_uint_t complete)
{
    ngx_http_hls_private_t  *p;

    p = fill->data;

    p->fill = NULL;
    p->complete = (complete && p->seen == p->sent);

    ngx_post_event(&p->event, &ngx_posted_events);
}


ngx_int_t
ngx_http_hls_private_send(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_chain_t             *out;
    ngx_http_hls_private_t  *p;

    p = ctx->private;

    if (p->out) {

        out = p->out;
        p->out = NULL;

        rc = ngx_http_output_filter(r, out);

        ngx_chain_update_chains(r->pool, &p->free, &p->busy, &out,
                                (ngx_buf_tag_t) &ngx_http_hls_private_take);

        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }

    if (p->fill) {
        ngx_http_hls_fill_pause(p->fill, 0);
        return NGX_AGAIN;
    }

    return p->complete ? NGX_DONE : NGX_ERROR;
}


static void
ngx_http_hls_private_event_handler(ngx_event_t *ev)
{
    ngx_http_hls_private_t *p = ev->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_http_hls_ctx_t  *ctx;

    ctx = p->ctx;
    r = ctx->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_hls_cache_module) != ctx) {
        ngx_http_hls_private_cleanup(p);
        return;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_http_hls_send_more(ctx);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_hls_private_cleanup(void *data)
{
    ngx_http_hls_private_t *p = data;

    if (p->event.posted) {
        ngx_delete_posted_event(&p->event);
    }

    if (p->fill) {
        p->fill->data = NULL;
        p->fill->header = NULL;
        p->fill->body = NULL;
        p->fill->end = NULL;

        ngx_http_hls_fill_stop(p->fill);

        p->fill = NULL;
    }
}
