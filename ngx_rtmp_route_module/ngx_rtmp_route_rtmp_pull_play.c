
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Players of streams that are not here: what they and publishers do.  They wait
 * where nginx-rtmp lets them wait; without "idle_streams" plays are held here.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_rtmp_pull.h"


#pragma weak ngx_rtmp_stream_begin
#pragma weak ngx_rtmp_stream_eof


#define NGX_RTMP_ROUTE_PULL_ASK      50       /* ms, looks at "on_play" */


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
static ngx_int_t ngx_rtmp_route_pull_stream_begin(ngx_rtmp_session_t *s,
    ngx_rtmp_stream_begin_t *v);
static ngx_int_t ngx_rtmp_route_pull_stream_eof(ngx_rtmp_session_t *s,
    ngx_rtmp_stream_eof_t *v);
static void ngx_rtmp_route_pull_said(ngx_rtmp_session_t *s, ngx_uint_t eof);
static void ngx_rtmp_route_pull_forget(ngx_rtmp_session_t *s);
static void ngx_rtmp_route_pull_left(ngx_rtmp_session_t *s,
    ngx_rtmp_live_stream_t *stream, ngx_str_t *name);


static ngx_rtmp_play_pt          next_play;
static ngx_rtmp_publish_pt       next_publish;
static ngx_rtmp_close_stream_pt  next_close_stream;
static ngx_rtmp_stream_begin_pt  next_stream_begin;
static ngx_rtmp_stream_eof_pt    next_stream_eof;

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

    next_stream_begin = ngx_rtmp_stream_begin;
    ngx_rtmp_stream_begin = ngx_rtmp_route_pull_stream_begin;

    next_stream_eof = ngx_rtmp_stream_eof;
    ngx_rtmp_stream_eof = ngx_rtmp_route_pull_stream_eof;

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

    ngx_post_event(&pull->event, &ngx_posted_events);

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

    ngx_post_event(&pull->event, &ngx_posted_events);
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


static ngx_int_t
ngx_rtmp_route_pull_stream_begin(ngx_rtmp_session_t *s,
    ngx_rtmp_stream_begin_t *v)
{
    ngx_rtmp_route_pull_said(s, 0);

    return next_stream_begin(s, v);
}


static ngx_int_t
ngx_rtmp_route_pull_stream_eof(ngx_rtmp_session_t *s,
    ngx_rtmp_stream_eof_t *v)
{
    ngx_rtmp_route_pull_said(s, 1);

    return next_stream_eof(s, v);
}


/* a server, of a stream that is pulled from it */

static void
ngx_rtmp_route_pull_said(ngx_rtmp_session_t *s, ngx_uint_t eof)
{
    ngx_rtmp_route_pull_t      *pull;
    ngx_rtmp_route_relay_t     *relay;
    ngx_rtmp_route_pull_try_t  *try;

    relay = ngx_rtmp_route_relay_of(s);

    if (relay == NULL || relay->type != NGX_RTMP_ROUTE_RELAY_PULL) {
        return;
    }

    try = relay->data;
    pull = try->pull;

    if (pull->cur == try) {
        pull->eof = eof;
        pull->last = ngx_current_msec;
    }
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


void
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


void
ngx_rtmp_route_pull_refuse(ngx_rtmp_session_t *s)
{
    (void) ngx_rtmp_send_status(s, "NetStream.Play.StreamNotFound", "error",
                                "No such stream");
    ngx_rtmp_finalize_session(s);
}


ngx_rtmp_route_rtmp_app_conf_t *
ngx_rtmp_route_pull_conf(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_route_rtmp_module);

    return (racf && racf->pull) ? racf : NULL;
}


/* who pushes it on is none */

ngx_uint_t
ngx_rtmp_route_pull_is_player(ngx_rtmp_live_ctx_t *ctx)
{
    return !ctx->publishing && !ctx->silent && !ctx->session->relay;
}
