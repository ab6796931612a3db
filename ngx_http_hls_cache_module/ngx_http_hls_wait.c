
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "ngx_rtmp_route_slot.h"
#include "ngx_http_hls_cache.h"


/* a worker process without a slot is not woken and looks by itself, ms */
#define NGX_HTTP_HLS_POLL  20


/* those in this process who wait for the same fill */

struct ngx_http_hls_watch_s {
    ngx_queue_t                 queue;     /* in zone->watches */
    ngx_queue_t                 bucket;    /* in one of zone->buckets */
    ngx_queue_t                 waits;
    ngx_http_hls_zone_t        *zone;
    uint32_t                    entry;
    uint32_t                    seq;
    uint32_t                    fill;
    uint32_t                    body;
};


static ngx_http_hls_watch_t *ngx_http_hls_watch(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_watch_arm(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_watch_changed(ngx_http_hls_watch_t *watch);
static void ngx_http_hls_wait_remove(ngx_http_hls_wait_t *wait);
static void ngx_http_hls_wait_run(ngx_http_hls_wait_t *wait);
static void ngx_http_hls_wait_timer_handler(ngx_event_t *ev);
static void ngx_http_hls_wait_cleanup(void *data);
static void ngx_http_hls_wake_handler(ngx_event_t *ev);
static void ngx_http_hls_poll_handler(ngx_event_t *ev);


static ngx_event_t       ngx_http_hls_wake_event;
static ngx_event_t       ngx_http_hls_poll_event;
static ngx_connection_t  ngx_http_hls_poll_dumb;


ngx_int_t
ngx_http_hls_wait(ngx_http_hls_ctx_t *ctx, ngx_http_hls_wait_pt handler,
    ngx_msec_t timeout)
{
    ngx_http_cleanup_t    *cln;
    ngx_http_request_t    *r;
    ngx_http_hls_wait_t   *wait;
    ngx_http_hls_watch_t  *watch;

    r = ctx->request;
    wait = ctx->wait;

    if (wait == NULL) {

        wait = ngx_pcalloc(r->pool, sizeof(ngx_http_hls_wait_t));
        if (wait == NULL) {
            return NGX_ERROR;
        }

        /* this one runs as soon as the client is gone */

        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_ERROR;
        }

        cln->handler = ngx_http_hls_wait_cleanup;
        cln->data = ctx;

        wait->ctx = ctx;
        wait->start = ngx_current_msec;

        wait->timer.handler = ngx_http_hls_wait_timer_handler;
        wait->timer.data = wait;
        wait->timer.log = r->connection->log;

        ctx->wait = wait;
    }

    if (ngx_http_hls_watch_arm(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    watch = ngx_http_hls_watch(ctx);
    if (watch == NULL) {
        return NGX_ERROR;
    }

    wait->handler = handler;
    wait->watch = watch;

    ngx_queue_insert_tail(&watch->waits, &wait->queue);

    ctx->timedout = 0;

    ngx_add_timer(&wait->timer, ngx_max(timeout, 1));

    return NGX_OK;
}


void
ngx_http_hls_wait_cancel(ngx_http_hls_ctx_t *ctx)
{
    if (ctx->wait && ctx->wait->watch) {
        ngx_http_hls_wait_remove(ctx->wait);
    }
}


/* the slot of this process was woken, for whatever reason */

void
ngx_http_hls_woken(void)
{
    ngx_event_t  *ev;

    ev = &ngx_http_hls_wake_event;

    ev->handler = ngx_http_hls_wake_handler;
    ev->log = ngx_cycle->log;

    ngx_post_event(ev, &ngx_posted_events);
}


static ngx_http_hls_watch_t *
ngx_http_hls_watch(ngx_http_hls_ctx_t *ctx)
{
    ngx_queue_t           *q, *bucket;
    ngx_http_hls_zone_t   *zone;
    ngx_http_hls_watch_t  *watch;

    zone = ctx->zone;
    bucket = &zone->buckets[ctx->found.entry % NGX_HTTP_HLS_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        watch = ngx_queue_data(q, ngx_http_hls_watch_t, bucket);

        if (watch->entry == ctx->found.entry
            && watch->seq == ctx->found.seq
            && watch->fill == ctx->found.fill
            && watch->body == ctx->found.body.body)
        {
            return watch;
        }
    }

    watch = ngx_alloc(sizeof(ngx_http_hls_watch_t), ngx_cycle->log);
    if (watch == NULL) {
        return NULL;
    }

    ngx_queue_init(&watch->waits);

    watch->zone = zone;
    watch->entry = ctx->found.entry;
    watch->seq = ctx->found.seq;
    watch->fill = ctx->found.fill;
    watch->body = ctx->found.body.body;

    ngx_queue_insert_head(&zone->watches, &watch->queue);
    ngx_queue_insert_head(bucket, &watch->bucket);

    return watch;
}


/* NGX_DECLINED: there is more than what was found */

static ngx_int_t
ngx_http_hls_watch_arm(ngx_http_hls_ctx_t *ctx)
{
    off_t                 have;
    ngx_event_t          *ev;
    ngx_http_hls_body_t  *body;

    if (ngx_rtmp_route_slot() == NGX_RTMP_ROUTE_NO_SLOT) {

        ev = &ngx_http_hls_poll_event;

        if (!ev->timer_set) {
            ngx_http_hls_poll_dumb.fd = (ngx_socket_t) -1;

            ev->handler = ngx_http_hls_poll_handler;
            ev->data = &ngx_http_hls_poll_dumb;
            ev->log = ngx_cycle->log;
            ev->cancelable = 1;

            ngx_add_timer(ev, NGX_HTTP_HLS_POLL);
        }

        return NGX_OK;
    }

    body = &ctx->found.body;

    have = (body->body && body->state == NGX_HTTP_HLS_BODY_FILLING)
           ? body->len : 0;

    return ngx_http_hls_store_wait(&ctx->zone->store, &ctx->found, have);
}


static void
ngx_http_hls_watch_changed(ngx_http_hls_watch_t *watch)
{
    ngx_queue_t          *q, waits;
    ngx_http_hls_wait_t  *wait;

    /* those that wait again do so in another one */

    ngx_queue_remove(&watch->queue);
    ngx_queue_remove(&watch->bucket);

    ngx_queue_init(&waits);
    ngx_queue_add(&waits, &watch->waits);

    for (q = ngx_queue_head(&waits);
         q != ngx_queue_sentinel(&waits);
         q = ngx_queue_next(q))
    {
        wait = ngx_queue_data(q, ngx_http_hls_wait_t, queue);
        wait->watch = NGX_HTTP_HLS_NO_WATCH;
    }

    ngx_free(watch);

    while (!ngx_queue_empty(&waits)) {

        q = ngx_queue_head(&waits);
        wait = ngx_queue_data(q, ngx_http_hls_wait_t, queue);

        ngx_http_hls_wait_run(wait);
    }
}


static void
ngx_http_hls_wait_remove(ngx_http_hls_wait_t *wait)
{
    ngx_http_hls_watch_t  *watch;

    watch = wait->watch;

    ngx_queue_remove(&wait->queue);

    wait->watch = NULL;

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    if (watch != NGX_HTTP_HLS_NO_WATCH && ngx_queue_empty(&watch->waits)) {
        ngx_queue_remove(&watch->queue);
        ngx_queue_remove(&watch->bucket);
        ngx_free(watch);
    }
}


static void
ngx_http_hls_wait_run(ngx_http_hls_wait_t *wait)
{
    ngx_http_hls_ctx_t  *ctx;

    ctx = wait->ctx;

    ngx_http_hls_wait_remove(wait);

    /* it may have been redirected, by post_action for one */

    if (ngx_http_get_module_ctx(ctx->request, ngx_http_hls_cache_module)
        != ctx)
    {
        return;
    }

    wait->handler(ctx);
}


static void
ngx_http_hls_wait_timer_handler(ngx_event_t *ev)
{
    ngx_http_hls_wait_t *wait = ev->data;

    wait->ctx->timedout = 1;

    ngx_http_hls_wait_run(wait);
}


static void
ngx_http_hls_wait_cleanup(void *data)
{
    ngx_http_hls_wait_cancel(data);
}


static void
ngx_http_hls_wake_handler(ngx_event_t *ev)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q, watches;
    ngx_http_hls_wait_t        *wait;
    ngx_http_hls_zone_t       **zone;
    ngx_http_hls_watch_t       *watch;
    ngx_http_hls_main_conf_t   *hmcf;

    hmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_hls_cache_module);
    zone = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {

        if (ngx_queue_empty(&zone[i]->watches)) {
            continue;
        }

        /* each is seen once, also those that come back meanwhile */

        ngx_queue_init(&watches);
        ngx_queue_add(&watches, &zone[i]->watches);
        ngx_queue_init(&zone[i]->watches);

        while (!ngx_queue_empty(&watches)) {

            q = ngx_queue_head(&watches);
            watch = ngx_queue_data(q, ngx_http_hls_watch_t, queue);

            q = ngx_queue_head(&watch->waits);
            wait = ngx_queue_data(q, ngx_http_hls_wait_t, queue);

            if (ngx_http_hls_watch_arm(wait->ctx) == NGX_OK
                && ngx_rtmp_route_slot() != NGX_RTMP_ROUTE_NO_SLOT)
            {
                /* it was not for this one */

                ngx_queue_remove(&watch->queue);
                ngx_queue_insert_tail(&zone[i]->watches, &watch->queue);
                continue;
            }

            ngx_http_hls_watch_changed(watch);
        }
    }
}


static void
ngx_http_hls_poll_handler(ngx_event_t *ev)
{
    ngx_http_hls_wake_handler(ev);
}
