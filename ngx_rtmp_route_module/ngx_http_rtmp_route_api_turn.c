
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Long answers are made in steps.  However many requests want one, and whatever
 * they read, a turn of the event loop makes about one buffer's worth for all of
 * them together, and those that have got their share wait behind the others.
 * A request whose client has not taken what was made is not among them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


typedef struct {
    ngx_queue_t                    queue;     /* of contexts */
    ngx_event_t                    event;     /* of the next turn */
    size_t                         made;      /* in this one */
} ngx_http_rtmp_route_api_turn_t;


static ngx_int_t ngx_http_rtmp_route_api_turn_step(
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_turn_send(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t done);
static ngx_int_t ngx_http_rtmp_route_api_turn_header(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t done);
static ngx_int_t ngx_http_rtmp_route_api_turn_wait(
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_uint_t ngx_http_rtmp_route_api_turn_pending(
    ngx_http_rtmp_route_api_ctx_t *ctx);
static void ngx_http_rtmp_route_api_turn_handler(ngx_http_request_t *r);
static void ngx_http_rtmp_route_api_turn_event(ngx_event_t *ev);
static void ngx_http_rtmp_route_api_turn_post(void);
static void ngx_http_rtmp_route_api_turn_cleanup(void *data);


static ngx_http_rtmp_route_api_turn_t  ngx_http_rtmp_route_api_turn;


ngx_int_t
ngx_http_rtmp_route_api_steps(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_step_pt step)
{
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_rtmp_route_api_turn_cleanup;
    cln->data = ctx;

    ctx->step = step;
    ctx->queued = 0;
    ctx->started = 0;

    if (ngx_http_rtmp_route_api_turn.made < NGX_HTTP_RTMP_ROUTE_API_STEP) {

        /* most often there is no other step */

        rc = ngx_http_rtmp_route_api_turn_step(ctx);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    if (ngx_http_rtmp_route_api_turn_wait(ctx) != NGX_OK) {
        return ctx->started ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    r->write_event_handler = ngx_http_rtmp_route_api_turn_handler;

    return NGX_DONE;
}


/* NGX_AGAIN: there is more to do; otherwise how the request has ended */

static ngx_int_t
ngx_http_rtmp_route_api_turn_step(ngx_http_rtmp_route_api_ctx_t *ctx)
{
    size_t     length;
    ngx_int_t  rc;

    if (ctx->started) {
        ngx_rtmp_route_json_reset(&ctx->json);
    }

    length = ctx->json.length;

    rc = ctx->step(ctx->request, ctx, &ngx_http_rtmp_route_api_turn.made);

    ngx_http_rtmp_route_api_turn.made += ctx->json.length - length;
    ngx_http_rtmp_route_api_turn_post();

    if (rc != NGX_AGAIN && rc != NGX_DONE) {
        return ctx->started ? NGX_ERROR : rc;
    }

    if (ctx->json.failed) {
        return ctx->started ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_AGAIN && (ctx->whole || ctx->json.buf == NULL)) {
        return NGX_AGAIN;
    }

    return ngx_http_rtmp_route_api_turn_send(ctx, rc == NGX_DONE);
}


static ngx_int_t
ngx_http_rtmp_route_api_turn_send(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_uint_t done)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ctx->started) {
        rc = ngx_http_rtmp_route_api_turn_header(ctx, done);

        if (rc == NGX_ERROR || rc > NGX_OK) {
            return rc;
        }

        if (r->header_only) {
            return NGX_OK;
        }

        ctx->started = 1;
    }

    b = ctx->json.buf;

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
ngx_http_rtmp_route_api_turn_header(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_uint_t done)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    r->headers_out.status = NGX_HTTP_OK;

    if (done) {
        r->headers_out.content_length_n = ctx->json.length;
    }

    if (ngx_http_rtmp_route_api_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->type) {
        r->headers_out.content_type = *ctx->type;
        r->headers_out.content_type_len = ctx->type->len;
    }

    if (ctx->more && ngx_http_rtmp_route_api_next(r, ctx->cursor) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


/* for the client, or for a turn; the timer keeps a leaving worker here, too */

static ngx_int_t
ngx_http_rtmp_route_api_turn_wait(ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    wev = r->connection->write;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (wev->delayed || ngx_http_rtmp_route_api_turn_pending(ctx)) {
        return ngx_handle_write_event(wev, clcf->send_lowat);
    }

    if (!ctx->queued) {

        if (ngx_http_rtmp_route_api_turn.queue.next == NULL) {
            ngx_queue_init(&ngx_http_rtmp_route_api_turn.queue);
        }

        ctx->queued = 1;
        ngx_queue_insert_tail(&ngx_http_rtmp_route_api_turn.queue,
                              &ctx->queue);
    }

    ngx_http_rtmp_route_api_turn_post();

    return NGX_OK;
}


/*
 * Buffers that were sent are still in use: by those of the connection, too,
 * where what a subrequest has sent is among the data of the main one
 */

static ngx_uint_t
ngx_http_rtmp_route_api_turn_pending(ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    return r->buffered
           || r->postponed
           || (ctx->started && r->connection->buffered);
}


/* the client may have taken what there was */

static void
ngx_http_rtmp_route_api_turn_handler(ngx_http_request_t *r)
{
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

    if (ctx->queued) {
        return;
    }

    if (!wev->delayed
        && ngx_http_rtmp_route_api_turn_pending(ctx)
        && ngx_http_output_filter(r, NULL) == NGX_ERROR)
    {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (ngx_http_rtmp_route_api_turn_wait(ctx) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


static void
ngx_http_rtmp_route_api_turn_event(ngx_event_t *ev)
{
    ngx_int_t                       rc;
    ngx_queue_t                    *q;
    ngx_event_t                    *wev;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    ngx_http_rtmp_route_api_turn.made = 0;

    while (ngx_http_rtmp_route_api_turn.queue.next
           && !ngx_queue_empty(&ngx_http_rtmp_route_api_turn.queue)
           && ngx_http_rtmp_route_api_turn.made < NGX_HTTP_RTMP_ROUTE_API_STEP)
    {
        q = ngx_queue_head(&ngx_http_rtmp_route_api_turn.queue);
        ngx_queue_remove(q);

        ctx = ngx_queue_data(q, ngx_http_rtmp_route_api_ctx_t, queue);
        ctx->queued = 0;

        r = ctx->request;
        c = r->connection;
        wev = c->write;

        ngx_http_set_log_request(c->log, r);

        if (!wev->delayed && wev->timer_set) {
            ngx_del_timer(wev);
        }

        rc = ngx_http_rtmp_route_api_turn_step(ctx);

        if (rc == NGX_AGAIN) {
            rc = ngx_http_rtmp_route_api_turn_wait(ctx);

            if (rc == NGX_OK) {
                rc = NGX_AGAIN;
            }
        }

        if (rc != NGX_AGAIN) {
            ngx_http_finalize_request(r, ngx_http_rtmp_route_api_end(r, rc));
        }

        ngx_http_run_posted_requests(c);
    }

    /* others may have been left */

    if (ngx_http_rtmp_route_api_turn.made) {
        ngx_http_rtmp_route_api_turn_post();
    }
}


static void
ngx_http_rtmp_route_api_turn_post(void)
{
    ngx_event_t  *ev;

    ev = &ngx_http_rtmp_route_api_turn.event;

    ev->handler = ngx_http_rtmp_route_api_turn_event;
    ev->data = &ngx_http_rtmp_route_api_turn;
    ev->log = ngx_cycle->log;

    ngx_post_event(ev, &ngx_posted_next_events);
}


static void
ngx_http_rtmp_route_api_turn_cleanup(void *data)
{
    ngx_http_rtmp_route_api_ctx_t *ctx = data;

    if (ctx->queued) {
        ctx->queued = 0;
        ngx_queue_remove(&ctx->queue);
    }
}
