
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Pulls: there is one for a stream in this process, whatever the number of its
 * players, as long as there are any, and some time more
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_rtmp_pull.h"


#define NGX_RTMP_ROUTE_PULL_POOL     1024
#define NGX_RTMP_ROUTE_PULL_HOLD     10000    /* ms, of a play */


static ngx_rtmp_route_pull_t *ngx_rtmp_route_pull_create(ngx_rtmp_session_t *s,
    ngx_rtmp_route_pulls_t *pulls, ngx_str_t *name, u_char *args);
static void ngx_rtmp_route_pull_host(ngx_rtmp_session_t *s, ngx_str_t *host);
static ngx_int_t ngx_rtmp_route_pull_copy(ngx_pool_t *pool, ngx_str_t *dst,
    u_char *data, size_t len);
static void ngx_rtmp_route_pull_tick_handler(ngx_event_t *ev);
static void ngx_rtmp_route_pull_retry_handler(ngx_event_t *ev);
static void ngx_rtmp_route_pull_event_handler(ngx_event_t *ev);
static ngx_uint_t ngx_rtmp_route_pull_ends(ngx_rtmp_route_pull_t *pull);
static void ngx_rtmp_route_pull_end(ngx_rtmp_route_pull_t *pull);


ngx_rtmp_live_stream_t *
ngx_rtmp_route_pull_stream(ngx_rtmp_live_app_conf_t *lacf, u_char *name)
{
    ngx_int_t                n;
    ngx_rtmp_live_stream_t  *stream;

    for (n = 0; n < lacf->nbuckets; n++) {

        for (stream = lacf->streams[n]; stream; stream = stream->next) {

            if (ngx_strcmp(stream->name, name) == 0) {
                return stream;
            }
        }
    }

    return NULL;
}


ngx_rtmp_route_pull_t *
ngx_rtmp_route_pull_find(ngx_rtmp_route_rtmp_app_conf_t *racf, ngx_str_t *name)
{
    ngx_rtmp_route_pulls_t  *pulls;

    pulls = racf->pulls;

    return pulls ? (ngx_rtmp_route_pull_t *)
                   ngx_str_rbtree_lookup(&pulls->tree, name,
                                         ngx_crc32_long(name->data, name->len))
                 : NULL;
}


ngx_rtmp_route_pull_t *
ngx_rtmp_route_pull_get(ngx_rtmp_session_t *s, ngx_str_t *name, u_char *args)
{
    ngx_rtmp_route_pull_t           *pull;
    ngx_rtmp_route_pulls_t          *pulls;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_rtmp_route_pull_conf(s);
    pulls = racf->pulls;

    if (pulls == NULL) {
        pulls = ngx_palloc(ngx_cycle->pool, sizeof(ngx_rtmp_route_pulls_t));
        if (pulls == NULL) {
            return NULL;
        }

        ngx_rbtree_init(&pulls->tree, &pulls->sentinel,
                        ngx_str_rbtree_insert_value);
        racf->pulls = pulls;
    }

    pull = ngx_rtmp_route_pull_find(racf, name);

    if (pull == NULL) {
        pull = ngx_rtmp_route_pull_create(s, pulls, name, args);
    }

    if (pull) {
        pull->idle = 0;
    }

    return pull;
}


static ngx_rtmp_route_pull_t *
ngx_rtmp_route_pull_create(ngx_rtmp_session_t *s,
    ngx_rtmp_route_pulls_t *pulls, ngx_str_t *name, u_char *args)
{
    ngx_str_t               host, via;
    ngx_pool_t             *pool;
    ngx_rtmp_route_pull_t  *pull;

    pool = ngx_create_pool(NGX_RTMP_ROUTE_PULL_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    pull = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_pull_t));
    if (pull == NULL) {
        goto failed;
    }

    ngx_rtmp_route_pull_host(s, &host);
    ngx_rtmp_route_relay_via(s, &via);

    if (ngx_rtmp_route_pull_copy(pool, &pull->node.str, name->data, name->len)
            != NGX_OK
        || ngx_rtmp_route_pull_copy(pool, &pull->app, s->app.data, s->app.len)
           != NGX_OK
        || ngx_rtmp_route_pull_copy(pool, &pull->host, host.data, host.len)
           != NGX_OK
        || ngx_rtmp_route_pull_copy(pool, &pull->args, args,
                                    ngx_strlen(args))
           != NGX_OK
        || ngx_rtmp_route_pull_copy(pool, &pull->via, via.data, via.len)
           != NGX_OK)
    {
        goto failed;
    }

    pull->pool = pool;
    pull->racf = ngx_rtmp_route_pull_conf(s);
    pull->lacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_live_module);
    pull->cctx.main_conf = s->main_conf;
    pull->cctx.srv_conf = s->srv_conf;
    pull->cctx.app_conf = s->app_conf;
    pull->port = ngx_rtmp_route_rtmp_port(s->srv_conf);

    ngx_queue_init(&pull->held);

    pull->tick.handler = ngx_rtmp_route_pull_tick_handler;
    pull->tick.data = pull;
    pull->tick.log = ngx_cycle->log;
    pull->tick.cancelable = 1;

    pull->retry.handler = ngx_rtmp_route_pull_retry_handler;
    pull->retry.data = pull;
    pull->retry.log = ngx_cycle->log;
    pull->retry.cancelable = 1;

    pull->event.handler = ngx_rtmp_route_pull_event_handler;
    pull->event.data = pull;
    pull->event.log = ngx_cycle->log;

    pull->node.node.key = ngx_crc32_long(pull->node.str.data,
                                         pull->node.str.len);

    ngx_rbtree_insert(&pulls->tree, &pull->node.node);

    ngx_add_timer(&pull->tick, NGX_RTMP_ROUTE_PULL_TICK);

    ngx_log_debug1(NGX_LOG_DEBUG_RTMP, ngx_cycle->log, 0,
                   "rtmp route pull \"%V\"", &pull->node.str);

    return pull;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* of its tcUrl, without a port */

static void
ngx_rtmp_route_pull_host(ngx_rtmp_session_t *s, ngx_str_t *host)
{
    u_char  *p, *last;

    ngx_str_null(host);

    last = s->tc_url.data + s->tc_url.len;
    p = ngx_strlchr(s->tc_url.data, last, ':');

    if (p == NULL || last - p < 3 || p[1] != '/' || p[2] != '/') {
        return;
    }

    host->data = p + 3;

    for (p = host->data; p < last && *p != '/' && *p != ':'; p++) {

        if (*p == '[') {
            p = ngx_strlchr(p, last, ']');

            if (p == NULL) {
                return;
            }
        }
    }

    host->len = p - host->data;

    if (host->len > NGX_RTMP_ROUTE_HOST_LEN) {
        host->len = 0;
    }
}


static ngx_int_t
ngx_rtmp_route_pull_copy(ngx_pool_t *pool, ngx_str_t *dst, u_char *data,
    size_t len)
{
    dst->len = len;

    dst->data = ngx_pnalloc(pool, len + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(dst->data, data, len);
    }

    dst->data[len] = '\0';

    return NGX_OK;
}


/* those who are held count, too */

ngx_uint_t
ngx_rtmp_route_pull_players(ngx_rtmp_route_pull_t *pull)
{
    ngx_rtmp_live_ctx_t     *ctx;
    ngx_rtmp_live_stream_t  *stream;

    if (!ngx_queue_empty(&pull->held)) {
        return 1;
    }

    stream = pull->stream;

    /* one that nobody was left in may be another one by now */

    if (stream == NULL
        || stream->ctx == NULL
        || ngx_strcmp(stream->name, pull->node.str.data) != 0)
    {
        stream = ngx_rtmp_route_pull_stream(pull->lacf, pull->node.str.data);
        pull->stream = stream;
    }

    if (stream == NULL) {
        return 0;
    }

    for (ctx = stream->ctx; ctx; ctx = ctx->next) {
        if (ngx_rtmp_route_pull_is_player(ctx)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_rtmp_route_pull_linked(ngx_rtmp_route_pull_t *pull)
{
    ngx_queue_t                 *q;
    ngx_rtmp_live_ctx_t         *ctx;
    ngx_rtmp_route_pull_play_t  *play;

    for (q = ngx_queue_head(&pull->held);
         q != ngx_queue_sentinel(&pull->held);
         q = ngx_queue_next(q))
    {
        play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);

        if (ngx_rtmp_route_link_is(play->session)) {
            return 1;
        }
    }

    if (!ngx_rtmp_route_pull_players(pull) || pull->stream == NULL) {
        return 0;
    }

    for (ctx = pull->stream->ctx; ctx; ctx = ctx->next) {

        if (ngx_rtmp_route_pull_is_player(ctx)
            && ngx_rtmp_route_link_is(ctx->session))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_rtmp_route_pull_tick_handler(ngx_event_t *ev)
{
    ngx_queue_t                 *q, *next;
    ngx_rtmp_route_pull_t       *pull;
    ngx_rtmp_route_pull_play_t  *play;

    pull = ev->data;

    for (q = ngx_queue_head(&pull->held);
         q != ngx_queue_sentinel(&pull->held);
         q = next)
    {
        next = ngx_queue_next(q);
        play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);

        if ((ngx_msec_int_t) (ngx_current_msec - play->time)
            >= NGX_RTMP_ROUTE_PULL_HOLD)
        {
            ngx_queue_remove(q);
            ngx_rtmp_route_pull_refuse(play->session);
        }
    }

    if (ngx_rtmp_route_pull_ends(pull)) {
        ngx_rtmp_route_pull_end(pull);
        return;
    }

    if (!pull->idle) {
        ngx_rtmp_route_pull_follow(pull);
    }

    ngx_add_timer(ev, NGX_RTMP_ROUTE_PULL_TICK);
}


static void
ngx_rtmp_route_pull_retry_handler(ngx_event_t *ev)
{
    ngx_rtmp_route_pull_t  *pull;

    pull = ev->data;

    if (ngx_rtmp_route_pull_ends(pull)) {
        ngx_rtmp_route_pull_end(pull);
        return;
    }

    ngx_rtmp_route_pull_look(pull);
}


/*
 * After all that a client has sent: one that plays a thousand streams at once
 * waits for the last one, and no connections are made for the others
 */

static void
ngx_rtmp_route_pull_event_handler(ngx_event_t *ev)
{
    ngx_rtmp_route_pull_t  *pull;

    pull = ev->data;

    if (pull->goes && !pull->over) {
        pull->goes = 0;
        ngx_rtmp_route_pull_release(pull);
    }

    if (pull->over || ngx_rtmp_route_pull_ends(pull)) {
        ngx_rtmp_route_pull_end(pull);
        return;
    }

    ngx_rtmp_route_pull_look(pull);
}


/*
 * What was not there leaves nothing behind.  What comes from another worker is
 * at hand there for the time that "inactive" says.
 */

static ngx_uint_t
ngx_rtmp_route_pull_ends(ngx_rtmp_route_pull_t *pull)
{
    ngx_msec_t  time;

    if (ngx_rtmp_route_pull_players(pull)) {
        pull->idle = 0;

        /* somebody publishes it here */

        return pull->cur == NULL && pull->stream && pull->stream->publishing;
    }

    if (!pull->idle) {
        pull->idle = 1;
        pull->left = ngx_current_msec;
    }

    if (pull->cur == NULL || ngx_exiting || ngx_terminate) {
        return 1;
    }

    time = pull->cur->link ? NGX_RTMP_ROUTE_PULL_TICK / 2
                           : pull->racf->inactive;

    return (ngx_msec_int_t) (ngx_current_msec - pull->left)
           >= (ngx_msec_int_t) time;
}


void
ngx_rtmp_route_pull_go(ngx_rtmp_route_pull_t *pull)
{
    pull->goes = 1;
    ngx_post_event(&pull->event, &ngx_posted_events);
}


void
ngx_rtmp_route_pull_done(ngx_rtmp_route_pull_t *pull)
{
    pull->over = 1;
    ngx_post_event(&pull->event, &ngx_posted_events);
}


static void
ngx_rtmp_route_pull_end(ngx_rtmp_route_pull_t *pull)
{
    ngx_rtmp_route_pulls_t  *pulls;

    ngx_log_debug1(NGX_LOG_DEBUG_RTMP, ngx_cycle->log, 0,
                   "rtmp route pull ends \"%V\"", &pull->node.str);

    /* who goes on from here may need another one */

    pulls = pull->racf->pulls;

    ngx_rbtree_delete(&pulls->tree, &pull->node.node);

    ngx_rtmp_route_pull_release(pull);
    ngx_rtmp_route_pull_stop(pull);

    if (pull->tick.timer_set) {
        ngx_del_timer(&pull->tick);
    }

    if (pull->event.posted) {
        ngx_delete_posted_event(&pull->event);
    }

    ngx_destroy_pool(pull->pool);
}
