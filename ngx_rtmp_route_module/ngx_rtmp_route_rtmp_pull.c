
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Players of streams that are not here.  There is one pull for a stream in
 * this process, whatever the number of its players, who wait where nginx-rtmp
 * lets them wait; without "idle_streams" their plays are held here.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_rtmp_pull.h"


#define NGX_RTMP_ROUTE_PULL_POOL     1024
#define NGX_RTMP_ROUTE_PULL_HOLD     10000    /* ms, of a play */
#define NGX_RTMP_ROUTE_PULL_ASK      50       /* between looks at "on_play" */


/* pulls of an application, in this process */

typedef struct {
    ngx_rbtree_t         tree;
    ngx_rbtree_node_t    sentinel;
} ngx_rtmp_route_pulls_t;


/* a play that is held, or that nginx-rtmp has not accepted yet */

typedef struct {
    ngx_queue_t          queue;
    ngx_rtmp_session_t  *session;
    ngx_msec_t           time;
    ngx_rtmp_play_t      v;
} ngx_rtmp_route_pull_play_t;


static ngx_int_t ngx_rtmp_route_pull_play(ngx_rtmp_session_t *s,
    ngx_rtmp_play_t *v);
static ngx_int_t ngx_rtmp_route_pull_hold(ngx_rtmp_session_t *s,
    ngx_rtmp_play_t *v);
static ngx_int_t ngx_rtmp_route_pull_played(ngx_rtmp_session_t *s,
    ngx_rtmp_play_t *v);
static ngx_rtmp_route_pull_play_t *ngx_rtmp_route_pull_keep(
    ngx_rtmp_session_t *s, ngx_rtmp_play_t *v);
static void ngx_rtmp_route_pull_ask_handler(ngx_event_t *ev);
static void ngx_rtmp_route_pull_join(ngx_rtmp_session_t *s,
    ngx_rtmp_live_stream_t *stream, u_char *args);
static ngx_int_t ngx_rtmp_route_pull_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static ngx_int_t ngx_rtmp_route_pull_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v);
static void ngx_rtmp_route_pull_forget(ngx_rtmp_session_t *s);
static void ngx_rtmp_route_pull_left(ngx_rtmp_session_t *s,
    ngx_rtmp_live_stream_t *stream, ngx_str_t *name);

static ngx_rtmp_route_rtmp_app_conf_t *ngx_rtmp_route_pull_conf(
    ngx_rtmp_session_t *s);
static ngx_uint_t ngx_rtmp_route_pull_is_player(ngx_rtmp_live_ctx_t *ctx);
static ngx_rtmp_live_stream_t *ngx_rtmp_route_pull_stream(
    ngx_rtmp_live_app_conf_t *lacf, u_char *name);
static ngx_rtmp_route_pull_t *ngx_rtmp_route_pull_find(
    ngx_rtmp_route_rtmp_app_conf_t *racf, ngx_str_t *name);
static ngx_rtmp_route_pull_t *ngx_rtmp_route_pull_get(ngx_rtmp_session_t *s,
    ngx_str_t *name, u_char *args);
static ngx_rtmp_route_pull_t *ngx_rtmp_route_pull_create(
    ngx_rtmp_session_t *s, ngx_rtmp_route_pulls_t *pulls, ngx_str_t *name,
    u_char *args);
static void ngx_rtmp_route_pull_host(ngx_rtmp_session_t *s, ngx_str_t *host);
static ngx_int_t ngx_rtmp_route_pull_copy(ngx_pool_t *pool, ngx_str_t *dst,
    u_char *data, size_t len);
static ngx_uint_t ngx_rtmp_route_pull_players(ngx_rtmp_route_pull_t *pull);
static void ngx_rtmp_route_pull_tick_handler(ngx_event_t *ev);
static void ngx_rtmp_route_pull_retry_handler(ngx_event_t *ev);
static void ngx_rtmp_route_pull_event_handler(ngx_event_t *ev);
static ngx_uint_t ngx_rtmp_route_pull_ends(ngx_rtmp_route_pull_t *pull);
static void ngx_rtmp_route_pull_release(ngx_rtmp_route_pull_t *pull);
static void ngx_rtmp_route_pull_refuse(ngx_rtmp_session_t *s);
static void ngx_rtmp_route_pull_end(ngx_rtmp_route_pull_t *pull);


static ngx_rtmp_play_pt          next_play;
static ngx_rtmp_publish_pt       next_publish;
static ngx_rtmp_close_stream_pt  next_close_stream;

/* plays that nginx-rtmp has not accepted yet, of this process */

static ngx_queue_t  ngx_rtmp_route_pull_asking = {
    &ngx_rtmp_route_pull_asking, &ngx_rtmp_route_pull_asking
};

static ngx_event_t               ngx_rtmp_route_pull_ask;
static ngx_connection_t          ngx_rtmp_route_pull_dumb;


ngx_int_t
ngx_rtmp_route_pull_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    next_play = ngx_rtmp_play;
    ngx_rtmp_play = ngx_rtmp_route_pull_play;

    next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_rtmp_route_pull_publish;

    next_close_stream = ngx_rtmp_close_stream;
    ngx_rtmp_close_stream = ngx_rtmp_route_pull_close_stream;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_pull_play(ngx_rtmp_session_t *s, ngx_rtmp_play_t *v)
{
    ngx_int_t                  rc;
    ngx_rtmp_live_stream_t    *stream;
    ngx_rtmp_live_app_conf_t  *lacf;

    lacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_live_module);

    if (ngx_rtmp_route_pull_conf(s) == NULL
        || lacf == NULL || !lacf->live || s->relay || v->silent)
    {
        return next_play(s, v);
    }

    if (!lacf->idle_streams) {
        stream = ngx_rtmp_route_pull_stream(lacf, v->name);

        if (stream == NULL || !stream->publishing) {
            return ngx_rtmp_route_pull_hold(s, v);
        }
    }

    rc = next_play(s, v);

    return (rc == NGX_ERROR) ? rc : ngx_rtmp_route_pull_played(s, v);
}


/* nginx-rtmp would say at once that there is no such stream */

static ngx_int_t
ngx_rtmp_route_pull_hold(ngx_rtmp_session_t *s, ngx_rtmp_play_t *v)
{
    ngx_str_t                    name;
    ngx_rtmp_route_pull_t       *pull;
    ngx_rtmp_route_pull_play_t  *play;

    ngx_rtmp_route_pull_forget(s);

    name.data = v->name;
    name.len = ngx_strlen(v->name);

    play = ngx_rtmp_route_pull_keep(s, v);
    pull = ngx_rtmp_route_pull_get(s, &name, v->args);

    if (play == NULL || pull == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&pull->held, &play->queue);

    ngx_rtmp_route_pull_look(pull);

    return NGX_OK;
}


/* it may be that "on_play" is being asked: a pull is for those it accepts */

static ngx_int_t
ngx_rtmp_route_pull_played(ngx_rtmp_session_t *s, ngx_rtmp_play_t *v)
{
    ngx_event_t                 *ev;
    ngx_rtmp_live_ctx_t         *ctx;
    ngx_rtmp_route_pull_play_t  *play;

    if (s->connection->destroyed) {
        return NGX_OK;
    }

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);

    if (ctx && ctx->stream) {
        ngx_rtmp_route_pull_join(s, ctx->stream, v->args);
        return NGX_OK;
    }

    ngx_rtmp_route_pull_forget(s);

    play = ngx_rtmp_route_pull_keep(s, v);
    if (play == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&ngx_rtmp_route_pull_asking, &play->queue);

    ev = &ngx_rtmp_route_pull_ask;

    if (!ev->timer_set) {
        ngx_rtmp_route_pull_dumb.fd = (ngx_socket_t) -1;

        ev->handler = ngx_rtmp_route_pull_ask_handler;
        ev->data = &ngx_rtmp_route_pull_dumb;
        ev->log = ngx_cycle->log;
        ev->cancelable = 1;

        ngx_add_timer(ev, NGX_RTMP_ROUTE_PULL_ASK);
    }

    return NGX_OK;
}


static ngx_rtmp_route_pull_play_t *
ngx_rtmp_route_pull_keep(ngx_rtmp_session_t *s, ngx_rtmp_play_t *v)
{
    ngx_rtmp_route_pull_play_t  *play;

    play = ngx_palloc(s->connection->pool, sizeof(ngx_rtmp_route_pull_play_t));

    if (play) {
        play->session = s;
        play->time = ngx_current_msec;
        play->v = *v;
    }

    return play;
}


static void
ngx_rtmp_route_pull_ask_handler(ngx_event_t *ev)
{
    ngx_queue_t                 *q, *next;
    ngx_rtmp_live_ctx_t         *ctx;
    ngx_rtmp_route_pull_play_t  *play;

    for (q = ngx_queue_head(&ngx_rtmp_route_pull_asking);
         q != ngx_queue_sentinel(&ngx_rtmp_route_pull_asking);
         q = next)
    {
        next = ngx_queue_next(q);
        play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);

        ctx = ngx_rtmp_get_module_ctx(play->session, ngx_rtmp_live_module);

        if (ctx && ctx->stream) {
            ngx_queue_remove(q);
            ngx_rtmp_route_pull_join(play->session, ctx->stream, play->v.args);
        }
    }

    if (!ngx_queue_empty(&ngx_rtmp_route_pull_asking)) {
        ngx_add_timer(ev, NGX_RTMP_ROUTE_PULL_ASK);
    }
}


/* a player waits there, or plays */

static void
ngx_rtmp_route_pull_join(ngx_rtmp_session_t *s, ngx_rtmp_live_stream_t *stream,
    u_char *args)
{
    ngx_str_t               name;
    ngx_rtmp_route_pull_t  *pull;

    if (stream->publishing) {
        return;
    }

    name.data = stream->name;
    name.len = ngx_strlen(stream->name);

    pull = ngx_rtmp_route_pull_get(s, &name, args);
    if (pull == NULL) {
        return;
    }

    pull->stream = stream;

    /* two workers that wait for each other would wait for ever */

    if (ngx_rtmp_route_link_is(s) && pull->next && pull->next->link) {
        ngx_rtmp_route_pull_stop(pull);
    }

    ngx_rtmp_route_pull_look(pull);
}


static ngx_int_t
ngx_rtmp_route_pull_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    ngx_int_t                        rc;
    ngx_str_t                        name;
    ngx_rtmp_live_ctx_t             *ctx;
    ngx_rtmp_route_pull_t           *pull;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_rtmp_route_pull_conf(s);

    if (racf == NULL) {
        return next_publish(s, v);
    }

    name.data = v->name;
    name.len = ngx_strlen(v->name);

    /* a copy that nginx-rtmp pushes to all workers comes in place of ours */

    if (s->auto_pushed && !s->relay) {
        pull = ngx_rtmp_route_pull_find(racf, &name);

        if (pull && pull->cur && pull->cur->link) {
            ngx_rtmp_route_pull_hand_over(pull);
        }
    }

    rc = next_publish(s, v);

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);

    if (ctx == NULL || ctx->stream == NULL || !ctx->publishing) {
        return rc;
    }

    /* players were not told of an end, and will be of this one */

    if (ctx->stream->active) {
        ctx->active = 1;
    }

    if (ngx_rtmp_route_relay_of(s) == NULL) {
        pull = ngx_rtmp_route_pull_find(racf, &name);

        if (pull && pull->cur == NULL) {
            ngx_rtmp_route_pull_done(pull);
        }
    }

    return rc;
}


static ngx_int_t
ngx_rtmp_route_pull_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v)
{
    u_char                   buf[NGX_RTMP_MAX_NAME];
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_rtmp_live_ctx_t     *ctx;
    ngx_rtmp_live_stream_t  *stream;

    if (ngx_rtmp_route_pull_conf(s) == NULL) {
        return next_close_stream(s, v);
    }

    ngx_rtmp_route_pull_forget(s);

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);
    stream = ctx ? ctx->stream : NULL;

    if (stream == NULL || ngx_rtmp_route_relay_of(s)) {
        return next_close_stream(s, v);
    }

    name.data = buf;
    name.len = ngx_cpystrn(buf, stream->name, NGX_RTMP_MAX_NAME) - buf;

    rc = next_close_stream(s, v);

    ngx_rtmp_route_pull_left(s, stream, &name);

    return rc;
}


/* a session that ends waits for nothing */

static void
ngx_rtmp_route_pull_forget(ngx_rtmp_session_t *s)
{
    ngx_queue_t                     *q, *queue;
    ngx_rbtree_node_t               *node;
    ngx_rtmp_route_pull_t           *pull;
    ngx_rtmp_route_pulls_t          *pulls;
    ngx_rtmp_live_app_conf_t        *lacf;
    ngx_rtmp_route_pull_play_t      *play;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    queue = &ngx_rtmp_route_pull_asking;

    for (q = ngx_queue_head(queue); q != queue; q = ngx_queue_next(q)) {
        play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);

        if (play->session == s) {
            ngx_queue_remove(q);
            return;
        }
    }

    racf = ngx_rtmp_route_pull_conf(s);
    lacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_live_module);

    if (racf == NULL || racf->pulls == NULL || lacf == NULL
        || lacf->idle_streams)
    {
        return;
    }

    pulls = racf->pulls;

    if (pulls->tree.root == &pulls->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(pulls->tree.root, &pulls->sentinel);
         node;
         node = ngx_rbtree_next(&pulls->tree, node))
    {
        pull = (ngx_rtmp_route_pull_t *) node;
        queue = &pull->held;

        for (q = ngx_queue_head(queue); q != queue; q = ngx_queue_next(q)) {
            play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);

            if (play->session == s) {
                ngx_queue_remove(q);
                ngx_post_event(&pull->event, &ngx_posted_events);
                return;
            }
        }
    }
}


/* a player has gone, or a publisher, whose players still want the stream */

static void
ngx_rtmp_route_pull_left(ngx_rtmp_session_t *s, ngx_rtmp_live_stream_t *stream,
    ngx_str_t *name)
{
    ngx_rtmp_live_ctx_t    *ctx;
    ngx_rtmp_route_pull_t  *pull;

    pull = ngx_rtmp_route_pull_find(ngx_rtmp_route_pull_conf(s), name);

    if (pull) {
        ngx_post_event(&pull->event, &ngx_posted_events);
        return;
    }

    /* it is another one if nobody has been left */

    if (stream->publishing || ngx_strcmp(stream->name, name->data) != 0) {
        return;
    }

    for (ctx = stream->ctx; ctx; ctx = ctx->next) {

        if (ngx_rtmp_route_pull_is_player(ctx)
            && !ctx->session->connection->destroyed)
        {
            ngx_rtmp_route_pull_join(ctx->session, stream, (u_char *) "");
            return;
        }
    }
}


static ngx_rtmp_route_rtmp_app_conf_t *
ngx_rtmp_route_pull_conf(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_route_rtmp_module);

    return (racf && racf->pull) ? racf : NULL;
}


/* who pushes it on is none */

static ngx_uint_t
ngx_rtmp_route_pull_is_player(ngx_rtmp_live_ctx_t *ctx)
{
    return !ctx->publishing && !ctx->silent && !ctx->session->relay;
}


static ngx_rtmp_live_stream_t *
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


static ngx_rtmp_route_pull_t *
ngx_rtmp_route_pull_find(ngx_rtmp_route_rtmp_app_conf_t *racf, ngx_str_t *name)
{
    ngx_rtmp_route_pulls_t  *pulls;

    pulls = racf->pulls;

    return pulls ? (ngx_rtmp_route_pull_t *)
                   ngx_str_rbtree_lookup(&pulls->tree, name,
                                         ngx_crc32_long(name->data, name->len))
                 : NULL;
}


static ngx_rtmp_route_pull_t *
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
    pull->port = ngx_rtmp_route_link_port(
                     ngx_rtmp_get_module_main_conf(s, ngx_rtmp_core_module),
                     s->srv_conf);

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

static ngx_uint_t
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
    }
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
ngx_rtmp_route_pull_release(ngx_rtmp_route_pull_t *pull)
{
    ngx_queue_t                 *q;
    ngx_rtmp_session_t          *s;
    ngx_rtmp_route_pull_play_t  *play;

    while (!ngx_queue_empty(&pull->held)) {
        q = ngx_queue_head(&pull->held);
        ngx_queue_remove(q);

        play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);
        s = play->session;

        if (next_play(s, &play->v) == NGX_ERROR
            || ngx_rtmp_route_pull_played(s, &play->v) != NGX_OK)
        {
            ngx_rtmp_finalize_session(s);
        }
    }
}


void
ngx_rtmp_route_pull_missing(ngx_rtmp_route_pull_t *pull)
{
    ngx_queue_t                 *q;
    ngx_rtmp_live_ctx_t         *ctx, *next;
    ngx_rtmp_route_pull_play_t  *play;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "rtmp_route \"%V\" knows no such stream as is played",
                  ngx_rtmp_route_name(pull->racf->route));

    while (!ngx_queue_empty(&pull->held)) {
        q = ngx_queue_head(&pull->held);
        ngx_queue_remove(q);

        play = ngx_queue_data(q, ngx_rtmp_route_pull_play_t, queue);
        ngx_rtmp_route_pull_refuse(play->session);
    }

    if (ngx_rtmp_route_pull_players(pull) && !pull->stream->publishing) {

        for (ctx = pull->stream->ctx; ctx; ctx = next) {
            next = ctx->next;

            if (ngx_rtmp_route_pull_is_player(ctx)) {
                ngx_rtmp_route_pull_refuse(ctx->session);
            }
        }
    }

    ngx_rtmp_route_pull_done(pull);
}


static void
ngx_rtmp_route_pull_refuse(ngx_rtmp_session_t *s)
{
    (void) ngx_rtmp_send_status(s, "NetStream.Play.StreamNotFound", "error",
                                "No such stream");
    ngx_rtmp_finalize_session(s);
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
