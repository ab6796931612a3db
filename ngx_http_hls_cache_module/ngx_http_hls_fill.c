
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_lone.h"


/* a bit of r->buffered; the filter that has it does not see fills */

#define NGX_HTTP_HLS_FILL_BUFFERED  0x08

/* of the body of a redirect */

#define NGX_HTTP_HLS_FILL_SKIP      65536


static ngx_int_t ngx_http_hls_fill_build(ngx_http_hls_fill_t *fill);
static void ngx_http_hls_fill_event_handler(ngx_event_t *ev);
static void ngx_http_hls_fill_timer_handler(ngx_event_t *ev);
static void ngx_http_hls_fill_done(ngx_http_hls_lone_t *lone);
static void ngx_http_hls_fill_end(ngx_http_hls_fill_t *fill);
static ngx_int_t ngx_http_hls_fill_skip(ngx_http_hls_fill_t *fill,
    ngx_chain_t *in);
static ngx_int_t ngx_http_hls_fill_buf(ngx_http_hls_fill_t *fill,
    ngx_buf_t *b);
static ngx_int_t ngx_http_hls_fill_fail(ngx_http_hls_fill_t *fill);


/* of this process */

static ngx_queue_t          ngx_http_hls_fills;

/* for requests of a fill that has ended */

static ngx_http_hls_fill_t  ngx_http_hls_fill_gone;


ngx_http_hls_fill_t *
ngx_http_hls_fill_create(ngx_http_request_t *r)
{
    ngx_pool_t                *pool;
    ngx_http_hls_fill_t       *fill;
    ngx_http_hls_lone_t       *lone;
    ngx_http_core_srv_conf_t  *cscf;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 8, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    fill = ngx_pcalloc(pool, sizeof(ngx_http_hls_fill_t));
    if (fill == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    lone = ngx_http_hls_lone_create(r->connection->listening,
                                    r->main->http_connection, cscf->ctx);
    if (lone == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    lone->data = fill;
    lone->done = ngx_http_hls_fill_done;

    fill->pool = pool;
    fill->viewer = r;
    fill->lone = lone;
    fill->connection = lone->connection;
    fill->parent = lone->parent;
    fill->length = -1;

    fill->event.handler = ngx_http_hls_fill_event_handler;
    fill->event.data = fill;
    fill->event.log = ngx_cycle->log;

    fill->timer.handler = ngx_http_hls_fill_timer_handler;
    fill->timer.data = fill;
    fill->timer.log = ngx_cycle->log;

    ngx_queue_insert_tail(&ngx_http_hls_fills, &fill->queue);

    return fill;
}


void
ngx_http_hls_fill_start(ngx_http_hls_fill_t *fill)
{
    if (ngx_http_hls_fill_build(fill) != NGX_OK) {
        ngx_http_hls_fill_stop(fill);
        return;
    }

    fill->viewer = NULL;
    fill->ready = 1;

    if (fill->timeout) {
        ngx_add_timer(&fill->timer, fill->timeout);
    }

    ngx_post_event(&fill->event, &ngx_posted_events);
}


static ngx_int_t
ngx_http_hls_fill_build(ngx_http_hls_fill_t *fill)
{
    ngx_array_t           *passed;
    ngx_http_request_t    *r, *pr;
    ngx_http_hls_place_t   place;

    r = fill->viewer;
    pr = fill->parent;

    if (r == NULL || fill->failed) {
        return NGX_ERROR;
    }

    if (ngx_http_hls_fill_request_line(pr, &r->uri, &fill->args) != NGX_OK) {
        return NGX_ERROR;
    }

    passed = NULL;

    if (fill->pass) {
        passed = ngx_http_hls_fill_passed(r, pr->pool, fill->pass);

        if (passed == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_hls_fill_headers(pr, &fill->host, passed) != NGX_OK) {
        return NGX_ERROR;
    }

    if (fill->ask && fill->ask(pr) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_hls_fill_place(r, pr->pool, &place) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_hls_fill_set_place(pr, &place);
}


void
ngx_http_hls_fill_stop(ngx_http_hls_fill_t *fill)
{
    fill->viewer = NULL;
    fill->failed = 1;

    ngx_post_event(&fill->event, &ngx_posted_events);
}


void
ngx_http_hls_fill_pause(ngx_http_hls_fill_t *fill, ngx_uint_t pause)
{
    ngx_event_t  *wev;

    fill->paused = pause ? 1 : 0;

    if (fill->connection == NULL) {
        return;
    }

    wev = fill->connection->write;

    if (pause) {
        wev->ready = 0;
        return;
    }

    if (!wev->ready) {

        wev->ready = 1;

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

        ngx_post_event(wev, &ngx_posted_events);
    }
}


ngx_http_hls_fill_t *
ngx_http_hls_fill_of(ngx_http_request_t *r)
{
    ngx_http_hls_lone_t  *lone;

    lone = ngx_http_hls_lone_of(r);

    if (lone == NULL || lone->ghost) {
        return NULL;
    }

    return lone->data ? lone->data : &ngx_http_hls_fill_gone;
}


static void
ngx_http_hls_fill_event_handler(ngx_event_t *ev)
{
    ngx_http_hls_fill_t *fill = ev->data;

    if (fill->parent == NULL) {
        ngx_http_hls_fill_end(fill);
        return;
    }

    if (fill->failed) {
        ngx_http_hls_lone_close(fill->lone);
        return;
    }

    if (!fill->started) {
        fill->started = 1;
        ngx_http_hls_lone_run(fill->lone, NGX_HTTP_SUBREQUEST_CLONE
                                          |NGX_HTTP_SUBREQUEST_WAITED);
    }
}


static void
ngx_http_hls_fill_timer_handler(ngx_event_t *ev)
{
    ngx_http_hls_fill_t *fill = ev->data;

    if (fill->parent == NULL) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, fill->connection->log, NGX_ETIMEDOUT,
                  "hls fill timed out");

    fill->timedout = 1;
    fill->failed = 1;

    if (!fill->header_seen && fill->status == 0) {
        fill->status = NGX_HTTP_GATEWAY_TIME_OUT;
    }

    ngx_http_hls_lone_close(fill->lone);
}


/* nothing comes any more, the subrequest may be about to be freed */

static void
ngx_http_hls_fill_done(ngx_http_hls_lone_t *lone)
{
    ngx_http_hls_fill_t  *fill;

    fill = lone->data;

    fill->lone = NULL;
    fill->connection = NULL;
    fill->parent = NULL;
    fill->out = NULL;

    /*
     * a body that was cut off ends without an error, but without a last
     * buffer as well, and an empty file has none in a subrequest
     */

    if (fill->header_seen && !fill->failed) {

        if (fill->length == -1) {
            fill->complete = fill->last_seen;

        } else {
            fill->complete = (fill->received == fill->length
                              && (fill->last_seen || fill->length == 0));
        }
    }

    ngx_post_event(&fill->event, &ngx_posted_events);
}


static void
ngx_http_hls_fill_end(ngx_http_hls_fill_t *fill)
{
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "hls fill end, status:%ui %O of %O, complete:%d",
                   fill->status, fill->received, fill->length,
                   fill->complete && !fill->failed);

    ngx_queue_remove(&fill->queue);

    if (fill->timer.timer_set) {
        ngx_del_timer(&fill->timer);
    }

    if (fill->event.posted) {
        ngx_delete_posted_event(&fill->event);
    }

    if (fill->end) {
        fill->end(fill, fill->complete && !fill->failed);
    }

    ngx_destroy_pool(fill->pool);
}


/* what has come so far was a redirect */

ngx_uint_t
ngx_http_hls_fill_next(ngx_http_hls_lone_t *lone)
{
    ngx_http_request_t   *pr, *answered;
    ngx_http_hls_fill_t  *fill;

    fill = lone->data;

    if (fill == NULL || lone->ghost || fill->failed || fill->next.len == 0) {
        return 0;
    }

    pr = fill->parent;

    /* the path is the server's, whatever the location makes of its own */

    pr->valid_location = 0;

    if (ngx_http_hls_fill_request_line(pr, &fill->next, &fill->next_args)
        != NGX_OK)
    {
        goto failed;
    }

    ngx_str_null(&fill->next);

    fill->status = 0;
    fill->length = -1;
    fill->received = 0;
    fill->header_seen = 0;
    fill->last_seen = 0;

    answered = lone->request;

    if (ngx_http_hls_lone_post(lone, NGX_HTTP_SUBREQUEST_CLONE
                                     |NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        goto failed;
    }

    if (fill->again == NULL
        || fill->again(lone->request, answered) != NGX_ERROR)
    {
        return 1;
    }

    /* it was not to be run */

    lone->request = answered;

failed:

    fill->failed = 1;
    fill->status = NGX_HTTP_INTERNAL_SERVER_ERROR;

    return 0;
}


/* an error page comes through the filter like any answer */

void
ngx_http_hls_fill_status(ngx_http_hls_lone_t *lone, ngx_int_t rc)
{
    ngx_http_hls_fill_t  *fill;

    fill = lone->data;

    if (fill == NULL || fill->failed || fill->header_seen || fill->status) {
        return;
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        fill->status = rc;
    }
}


ngx_uint_t
ngx_http_hls_fill_is_paused(ngx_http_hls_lone_t *lone)
{
    ngx_http_hls_fill_t  *fill;

    if (lone->ghost || lone->data == NULL) {
        return 0;
    }

    fill = lone->data;

    return fill->paused;
}


ngx_int_t
ngx_http_hls_fill_header(ngx_http_hls_fill_t *fill, ngx_http_request_t *r)
{
    if (fill->failed) {
        return NGX_ERROR;
    }

    /* no status: what does not look like HTTP is taken for HTTP/0.9 */

    if (r->headers_out.status == 0) {
        fill->status = NGX_HTTP_BAD_GATEWAY;
        return ngx_http_hls_fill_fail(fill);
    }

    fill->header_seen = 1;
    fill->status = r->headers_out.status;

    if (fill->status != NGX_HTTP_NO_CONTENT
        && fill->status != NGX_HTTP_NOT_MODIFIED)
    {
        fill->length = r->headers_out.content_length_n;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "hls fill header, status:%ui length:%O",
                   fill->status, fill->length);

    if (fill->header && fill->header(fill, r) != NGX_OK) {
        return ngx_http_hls_fill_fail(fill);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_fill_body(ngx_http_hls_fill_t *fill, ngx_http_request_t *r,
    ngx_chain_t *in)
{
    ngx_chain_t  *cl, *ln;

    if (fill->failed) {
        return NGX_ERROR;
    }

    if (fill->next.len) {
        return ngx_http_hls_fill_skip(fill, in);
    }

    /* links are the caller's, buffers stay what they are until consumed */

    if (in && (fill->out || fill->paused)) {
        if (ngx_chain_add_copy(r->pool, &fill->out, in) != NGX_OK) {
            return ngx_http_hls_fill_fail(fill);
        }

        in = NULL;
    }

    for (cl = fill->out; cl && !fill->paused; cl = fill->out) {

        fill->out = cl->next;

        if (ngx_http_hls_fill_buf(fill, cl->buf) != NGX_OK) {
            return ngx_http_hls_fill_fail(fill);
        }

        ngx_free_chain(r->pool, cl);
    }

    for (ln = in; ln && !fill->paused; ln = ln->next) {

        if (ngx_http_hls_fill_buf(fill, ln->buf) != NGX_OK) {
            return ngx_http_hls_fill_fail(fill);
        }
    }

    if (ln && ngx_chain_add_copy(r->pool, &fill->out, ln) != NGX_OK) {
        return ngx_http_hls_fill_fail(fill);
    }

    if (fill->out) {
        r->buffered |= NGX_HTTP_HLS_FILL_BUFFERED;
        return NGX_AGAIN;
    }

    r->buffered &= ~NGX_HTTP_HLS_FILL_BUFFERED;

    return NGX_OK;
}


/* a page that says where to go */

static ngx_int_t
ngx_http_hls_fill_skip(ngx_http_hls_fill_t *fill, ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {

        if (in->buf->in_file) {
            in->buf->file_pos = in->buf->file_last;
        }

        fill->received += in->buf->last - in->buf->pos;
        in->buf->pos = in->buf->last;
    }

    if (fill->received > NGX_HTTP_HLS_FILL_SKIP) {
        fill->status = NGX_HTTP_BAD_GATEWAY;
        return ngx_http_hls_fill_fail(fill);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_buf(ngx_http_hls_fill_t *fill, ngx_buf_t *b)
{
    size_t   len;
    u_char  *data;

    if (b->last_buf || b->last_in_chain) {
        fill->last_seen = 1;
    }

    if (b->in_file) {
        b->file_pos = b->file_last;
    }

    if (!ngx_buf_in_memory(b)) {
        return NGX_OK;
    }

    data = b->pos;
    len = b->last - b->pos;

    b->pos = b->last;

    if (len == 0) {
        return NGX_OK;
    }

    fill->received += len;

    return fill->body ? fill->body(fill, data, len) : NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_fail(ngx_http_hls_fill_t *fill)
{
    /* what keeps the upstream, nginx's own cache for one, is ended as well */

    fill->failed = 1;

    ngx_post_event(&fill->event, &ngx_posted_events);

    return NGX_ERROR;
}


void
ngx_http_hls_fill_init(void)
{
    ngx_queue_init(&ngx_http_hls_fills);
}


void
ngx_http_hls_fill_exit(void)
{
    ngx_queue_t          *q;
    ngx_http_hls_fill_t  *fill;

    while (!ngx_queue_empty(&ngx_http_hls_fills)) {

        q = ngx_queue_head(&ngx_http_hls_fills);
        fill = ngx_queue_data(q, ngx_http_hls_fill_t, queue);

        if (fill->lone) {
            ngx_http_hls_lone_leave(fill->lone);
        }

        ngx_http_hls_fill_end(fill);
    }
}
