
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is published here goes on to the server that the table names.  A
 * publisher has one way out, and a second one while it moves; the first is
 * closed when the second works.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_rtmp_relay.h"


#define NGX_RTMP_ROUTE_PUSH_FIRST    100      /* ms, doubled each time */
#define NGX_RTMP_ROUTE_PUSH_LAST     3000
#define NGX_RTMP_ROUTE_PUSH_LOOK     1000     /* whether it has moved */
#define NGX_RTMP_ROUTE_PUSH_MOVE     5000     /* after a move that failed */
#define NGX_RTMP_ROUTE_PUSH_WORKS    5000     /* after that it is a new start */
#define NGX_RTMP_ROUTE_PUSH_HERE     3000     /* without a server it is ours */


typedef struct ngx_rtmp_route_push_s  ngx_rtmp_route_push_t;


/* a server, and the connection to it */

typedef struct {
    ngx_rtmp_route_push_t      *push;
    ngx_pool_t                 *pool;
    ngx_rtmp_route_choice_t     choice;
    ngx_rtmp_route_relay_t      relay;
    ngx_msec_t                  since;       /* it is ready */
    unsigned                    looped:1;
} ngx_rtmp_route_push_way_t;


struct ngx_rtmp_route_push_s {
    ngx_rtmp_session_t         *session;     /* of the publisher */
    ngx_rtmp_route_push_way_t  *way;         /* NULL: none, or it is tried */
    ngx_rtmp_route_push_way_t  *next;        /* that is tried */
    ngx_event_t                 event;
    ngx_uint_t                  fails;       /* in a row */
    ngx_msec_t                  start;       /* without a way since */
    ngx_msec_t                  move;        /* not before */
    ngx_rtmp_route_ref_t        looped;      /* server that said so */
    ngx_str_t                   name;
    ngx_str_t                   args;
    ngx_str_t                   client;
    unsigned                    on:1;
    unsigned                    waits:1;     /* for nginx-rtmp to accept it */
    unsigned                    lost:1;      /* its server is down */
    u_char                      name_buf[NGX_RTMP_MAX_NAME];
    u_char                      args_buf[NGX_RTMP_MAX_ARGS];
    u_char                      client_buf[NGX_SOCKADDR_STRLEN];
};


static ngx_int_t ngx_rtmp_route_push_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static ngx_int_t ngx_rtmp_route_push_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v);
static ngx_int_t ngx_rtmp_route_push_media(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_rtmp_route_push_t *ngx_rtmp_route_push_create(
    ngx_rtmp_session_t *s);
static ngx_rtmp_route_push_t *ngx_rtmp_route_push_get(ngx_rtmp_session_t *s);
static void ngx_rtmp_route_push_start(ngx_rtmp_route_push_t *push);
static void ngx_rtmp_route_push_cleanup(void *data);
static void ngx_rtmp_route_push_stop(ngx_rtmp_route_push_t *push);
static void ngx_rtmp_route_push_timer(ngx_event_t *ev);
static void ngx_rtmp_route_push_try(ngx_rtmp_route_push_t *push);
static ngx_int_t ngx_rtmp_route_push_ask(ngx_rtmp_route_push_way_t *way);
static void ngx_rtmp_route_push_host(ngx_str_t *url, ngx_str_t *host);
static void ngx_rtmp_route_push_chosen(ngx_rtmp_route_choice_t *choice,
    ngx_int_t rc);
static void ngx_rtmp_route_push_banned(ngx_rtmp_route_push_t *push,
    time_t left);
static ngx_int_t ngx_rtmp_route_push_connect(ngx_rtmp_route_push_way_t *way);
static void ngx_rtmp_route_push_relayed(ngx_rtmp_route_relay_t *relay,
    ngx_uint_t what);
static void ngx_rtmp_route_push_ready(ngx_rtmp_route_push_way_t *way);
static void ngx_rtmp_route_push_closed(ngx_rtmp_route_push_way_t *way);
static void ngx_rtmp_route_push_failed(ngx_rtmp_route_push_way_t *way);
static void ngx_rtmp_route_push_event(ngx_rtmp_route_choice_t *choice,
    ngx_uint_t what);
static void ngx_rtmp_route_push_later(ngx_rtmp_route_push_t *push);
static void ngx_rtmp_route_push_close(ngx_rtmp_route_push_way_t *way);


static ngx_rtmp_publish_pt       next_publish;
static ngx_rtmp_close_stream_pt  next_close_stream;


ngx_int_t
ngx_rtmp_route_push_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    ngx_uint_t            i;
    ngx_rtmp_handler_pt  *h;

    static ngx_uint_t  events[] = {
        NGX_RTMP_MSG_AMF_META,
        NGX_RTMP_MSG_AUDIO,
        NGX_RTMP_MSG_VIDEO
    };

    for (i = 0; i < sizeof(events) / sizeof(ngx_uint_t); i++) {

        h = ngx_array_push(&cmcf->events[events[i]]);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_rtmp_route_push_media;
    }

    next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_rtmp_route_push_publish;

    next_close_stream = ngx_rtmp_close_stream;
    ngx_rtmp_close_stream = ngx_rtmp_route_push_close_stream;

    return NGX_OK;
}


ngx_uint_t
ngx_rtmp_route_push_away(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_push_t  *push;

    push = ngx_rtmp_route_push_get(s);

    if (push == NULL || !push->on) {
        return 0;
    }

    if (push->way) {
        return !push->way->looped;
    }

    return ngx_current_msec - push->start < NGX_RTMP_ROUTE_PUSH_HERE;
}


static ngx_int_t
ngx_rtmp_route_push_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    ngx_int_t                        rc;
    ngx_rtmp_route_push_t           *push;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_route_rtmp_module);

    if (racf == NULL || !racf->push || s->auto_pushed || s->relay) {
        return next_publish(s, v);
    }

    push = ngx_rtmp_route_push_create(s);
    if (push == NULL) {
        return NGX_ERROR;
    }

    /* what comes next may change them */

    if (!push->on) {
        push->args.len = ngx_strlen(v->args);
        ngx_memcpy(push->args.data, v->args, push->args.len);
        push->waits = 1;
    }

    rc = next_publish(s, v);

    if (rc == NGX_OK && push->waits) {
        ngx_rtmp_route_push_start(push);
    }

    return rc;
}


static ngx_int_t
ngx_rtmp_route_push_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v)
{
    ngx_rtmp_route_push_t  *push;

    push = ngx_rtmp_route_push_get(s);

    if (push) {
        ngx_rtmp_route_push_stop(push);
    }

    return next_close_stream(s, v);
}


/* nginx-rtmp has asked somebody, who said yes */

static ngx_int_t
ngx_rtmp_route_push_media(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_push_t  *push;

    push = ngx_rtmp_route_push_get(s);

    if (push && push->waits) {
        ngx_rtmp_route_push_start(push);
    }

    return NGX_OK;
}


static ngx_rtmp_route_push_t *
ngx_rtmp_route_push_create(ngx_rtmp_session_t *s)
{
    ngx_connection_t           *c;
    ngx_pool_cleanup_t         *cln;
    ngx_rtmp_route_push_t      *push;
    ngx_rtmp_route_rtmp_ctx_t  *ctx;

    ctx = ngx_rtmp_route_rtmp_ctx(s);

    if (ctx == NULL || ctx->push) {
        return ctx ? ctx->push : NULL;
    }

    c = s->connection;

    push = ngx_pcalloc(c->pool, sizeof(ngx_rtmp_route_push_t));
    cln = ngx_pool_cleanup_add(c->pool, 0);

    if (push == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_rtmp_route_push_cleanup;
    cln->data = push;

    push->session = s;
    push->name.data = push->name_buf;
    push->args.data = push->args_buf;
    push->client.data = push->client_buf;

    if (c->sockaddr && c->sockaddr->sa_family != AF_UNIX) {
        push->client.len = ngx_sock_ntop(c->sockaddr, c->socklen,
                                         push->client.data,
                                         NGX_SOCKADDR_STRLEN, 1);
    }

    push->event.handler = ngx_rtmp_route_push_timer;
    push->event.data = push;
    push->event.log = c->log;
    push->event.cancelable = 1;

    ctx->push = push;

    return push;
}


static ngx_rtmp_route_push_t *
ngx_rtmp_route_push_get(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_rtmp_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_route_rtmp_module);

    return ctx ? ctx->push : NULL;
}


/* unless it is not accepted, or not yet */

static void
ngx_rtmp_route_push_start(ngx_rtmp_route_push_t *push)
{
    ngx_rtmp_live_ctx_t  *lctx;

    lctx = ngx_rtmp_get_module_ctx(push->session, ngx_rtmp_live_module);

    if (lctx == NULL || lctx->stream == NULL || !lctx->publishing) {
        return;
    }

    /* by the name that it was given here in the end */

    push->name.len = ngx_strlen(lctx->stream->name);
    ngx_memcpy(push->name.data, lctx->stream->name, push->name.len);

    push->waits = 0;
    push->on = 1;
    push->lost = 0;
    push->fails = 0;
    push->start = ngx_current_msec;
    push->looped.seq = 0;

    ngx_rtmp_route_push_try(push);
}


static void
ngx_rtmp_route_push_cleanup(void *data)
{
    ngx_rtmp_route_push_stop(data);
}


static void
ngx_rtmp_route_push_stop(ngx_rtmp_route_push_t *push)
{
    push->on = 0;
    push->waits = 0;

    if (push->event.timer_set) {
        ngx_del_timer(&push->event);
    }

    if (push->way) {
        ngx_rtmp_route_push_close(push->way);
        push->way = NULL;
    }

    if (push->next) {
        ngx_rtmp_route_push_close(push->next);
        push->next = NULL;
    }
}


static void
ngx_rtmp_route_push_timer(ngx_event_t *ev)
{
    ngx_rtmp_route_push_t *push = ev->data;

    ngx_rtmp_route_push_way_t  *way;

    way = push->way;

    if (way == NULL) {
        if (push->next == NULL) {
            ngx_rtmp_route_push_try(push);
        }

        return;
    }

    if (!way->looped && push->fails
        && ngx_current_msec - way->since >= NGX_RTMP_ROUTE_PUSH_WORKS)
    {
        push->fails = 0;
    }

    if (push->next == NULL
        && (ngx_msec_int_t) (ngx_current_msec - push->move) >= 0
        && (push->lost || ngx_rtmp_route_choose_moved(&way->choice)))
    {
        push->move = ngx_current_msec + NGX_RTMP_ROUTE_PUSH_MOVE;
        ngx_rtmp_route_push_try(push);
    }

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_RTMP_ROUTE_PUSH_LOOK);
    }
}


static void
ngx_rtmp_route_push_try(ngx_rtmp_route_push_t *push)
{
    ngx_pool_t                 *pool;
    ngx_rtmp_route_push_way_t  *way;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        ngx_rtmp_route_push_later(push);
        return;
    }

    way = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_push_way_t));
    if (way == NULL) {
        ngx_destroy_pool(pool);
        ngx_rtmp_route_push_later(push);
        return;
    }

    way->push = push;
    way->pool = pool;

    push->next = way;

    if (ngx_rtmp_route_push_ask(way) != NGX_OK) {
        ngx_rtmp_route_push_failed(way);
    }
}


static ngx_int_t
ngx_rtmp_route_push_ask(ngx_rtmp_route_push_way_t *way)
{
    u_char                          *p;
    ngx_str_t                       *app;
    ngx_rtmp_session_t              *s;
    ngx_rtmp_route_push_t           *push;
    ngx_rtmp_route_choice_t         *choice;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    push = way->push;
    s = push->session;
    choice = &way->choice;

    racf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_route_rtmp_module);

    choice->route = racf->route;
    choice->op = NGX_RTMP_ROUTE_PUBLISH;
    choice->pool = way->pool;
    choice->log = ngx_cycle->log;
    choice->name = push->name;
    choice->args = push->args;
    choice->client = push->client;
    choice->handler = ngx_rtmp_route_push_chosen;
    choice->event = ngx_rtmp_route_push_event;
    choice->data = way;

    ngx_rtmp_route_push_host(&s->tc_url, &choice->host);

    app = &choice->app;
    *app = s->app;

    if (s->args.len) {
        app->len = s->app.len + 1 + s->args.len;

        app->data = ngx_pnalloc(way->pool, app->len);
        if (app->data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(app->data, s->app.data, s->app.len);
        *p++ = '?';
        ngx_memcpy(p, s->args.data, s->args.len);
    }

    return ngx_rtmp_route_choose(choice);
}


/* of "rtmp://host:port/app" */

static void
ngx_rtmp_route_push_host(ngx_str_t *url, ngx_str_t *host)
{
    u_char  *p, *last;

    host->len = 0;

    if (url->len < sizeof("rtmp://") - 1
        || ngx_strncmp(url->data, "rtmp", 4) != 0)
    {
        return;
    }

    last = url->data + url->len;

    p = ngx_strlchr(url->data, last, '/');

    if (p == NULL || last - p < 2 || p[1] != '/') {
        return;
    }

    host->data = p + 2;

    for (p = host->data; p < last && *p != '/'; p++) { /* void */ }

    host->len = p - host->data;
}


static void
ngx_rtmp_route_push_chosen(ngx_rtmp_route_choice_t *choice, ngx_int_t rc)
{
    ngx_uint_t                  same;
    ngx_rtmp_route_ref_t       *server;
    ngx_rtmp_route_push_t      *push;
    ngx_rtmp_route_push_way_t  *way;

    way = choice->data;
    push = way->push;

    if (rc != NGX_OK) {

        if (push->way == NULL && choice->banned) {
            ngx_rtmp_route_push_banned(push, choice->banned);
            return;
        }

        if (push->way == NULL) {
            ngx_log_error((push->fails ? NGX_LOG_INFO : NGX_LOG_ERR),
                          ngx_cycle->log, 0,
                          "there is no server in route \"%V\" to push a stream "
                          "to", ngx_rtmp_route_name(choice->route));
        }

        ngx_rtmp_route_push_failed(way);
        return;
    }

    server = &choice->peer.server;

    /* where it is already, or has been */

    if (push->way) {

        same = (server->index == push->way->choice.peer.server.index
                && server->seq == push->way->choice.peer.server.seq);

        if (same) {
            push->lost = 0;
        }

        if (same
            || (server->index == push->looped.index
                && server->seq == push->looped.seq))
        {
            ngx_rtmp_route_push_failed(way);
            return;
        }
    }

    rc = ngx_rtmp_route_push_connect(way);

    if (rc == NGX_DECLINED) {
        rc = ngx_rtmp_route_choose_next(choice, 1);
    }

    if (rc != NGX_OK) {
        ngx_rtmp_route_push_failed(way);
    }
}


/* the operator does not want it anywhere: as a proxy would do */

static void
ngx_rtmp_route_push_banned(ngx_rtmp_route_push_t *push, time_t left)
{
    u_char               text[sizeof("banned for  s") + NGX_TIME_T_LEN];
    ngx_rtmp_session_t  *s;

    s = push->session;

    ngx_rtmp_route_push_stop(push);

    *ngx_sprintf(text, "banned for %T s", left) = '\0';

    (void) ngx_rtmp_send_status(s, "NetStream.Publish.Denied", "error",
                                (char *) text);
    ngx_rtmp_finalize_session(s);
}


static ngx_int_t
ngx_rtmp_route_push_connect(ngx_rtmp_route_push_way_t *way)
{
    ngx_rtmp_session_t       *s;
    ngx_rtmp_route_push_t    *push;
    ngx_rtmp_route_relay_t   *relay;
    ngx_rtmp_route_choice_t  *choice;

    push = way->push;
    s = push->session;
    relay = &way->relay;
    choice = &way->choice;

    ngx_memzero(relay, sizeof(ngx_rtmp_route_relay_t));

    relay->type = NGX_RTMP_ROUTE_RELAY_PUSH;
    relay->cctx.main_conf = s->main_conf;
    relay->cctx.srv_conf = s->srv_conf;
    relay->cctx.app_conf = s->app_conf;
    relay->name = push->name;
    relay->sockaddr = &choice->peer.sockaddr.sockaddr;
    relay->socklen = choice->peer.socklen;
    relay->addr = choice->peer.name;
    relay->host = choice->peer.host;
    relay->proxy_protocol = choice->peer.proxy_protocol;
    relay->client = s->connection;
    relay->app = choice->to_app;
    relay->path = choice->to_path;
    relay->quiet = (push->fails != 0);

    /* the table counts what the publisher sends */

    relay->in = choice->session.out;
    relay->out = choice->session.in;
    relay->active = choice->session.active;

    relay->handler = ngx_rtmp_route_push_relayed;
    relay->data = way;

    ngx_rtmp_route_relay_via(s, &relay->via);

    return ngx_rtmp_route_relay_open(relay);
}


static void
ngx_rtmp_route_push_relayed(ngx_rtmp_route_relay_t *relay, ngx_uint_t what)
{
    ngx_rtmp_route_push_way_t  *way;

    way = relay->data;

    switch (what) {

    case NGX_RTMP_ROUTE_RELAY_READY:
        ngx_rtmp_route_push_ready(way);
        return;

    case NGX_RTMP_ROUTE_RELAY_LOOP:
        way->looped = 1;
        return;

    case NGX_RTMP_ROUTE_RELAY_CLOSED:
        ngx_rtmp_route_push_closed(way);
        return;

    default: /* NGX_RTMP_ROUTE_RELAY_REFUSED: it closes */
        return;
    }
}


static void
ngx_rtmp_route_push_ready(ngx_rtmp_route_push_way_t *way)
{
    ngx_rtmp_route_push_t  *push;

    push = way->push;

    if (push->way) {
        ngx_rtmp_route_push_close(push->way);
    }

    push->way = way;
    push->next = NULL;
    push->lost = 0;
    push->looped.seq = 0;
    push->move = ngx_current_msec;

    way->since = ngx_current_msec;

    ngx_rtmp_route_choose_works(&way->choice);
    ngx_rtmp_route_rtmp_soon();

    ngx_log_error(NGX_LOG_INFO, push->session->connection->log, 0,
                  "a stream is pushed to server %V", &way->choice.peer.name);

    if (push->event.timer_set) {
        ngx_del_timer(&push->event);
    }

    ngx_add_timer(&push->event, NGX_RTMP_ROUTE_PUSH_LOOK);
}


static void
ngx_rtmp_route_push_closed(ngx_rtmp_route_push_way_t *way)
{
    ngx_rtmp_route_push_t  *push;

    push = way->push;

    /* what worked is lost: anew */

    if (way == push->way) {

        push->way = NULL;
        push->start = ngx_current_msec;

        if (ngx_current_msec - way->since >= NGX_RTMP_ROUTE_PUSH_WORKS) {
            push->fails = 0;
        }

        ngx_rtmp_route_push_close(way);

        if (push->next == NULL) {
            ngx_rtmp_route_push_later(push);
        }

        return;
    }

    if (way->looped) {

        push->looped = way->choice.peer.server;

        if (push->way == NULL) {

            /* it stays here, until the table names another server */

            ngx_rtmp_route_session_state(&way->choice.session,
                                         NGX_RTMP_ROUTE_S_CONNECT);

            push->way = way;
            push->next = NULL;

            ngx_rtmp_route_rtmp_soon();

            if (push->event.timer_set) {
                ngx_del_timer(&push->event);
            }

            ngx_add_timer(&push->event, NGX_RTMP_ROUTE_PUSH_LOOK);

            return;
        }

        ngx_rtmp_route_push_failed(way);
        return;
    }

    /* a server's no is an answer: no other server is asked */

    if (way->relay.refused
        || ngx_rtmp_route_choose_next(&way->choice, 1) != NGX_OK)
    {
        ngx_rtmp_route_push_failed(way);
    }
}


static void
ngx_rtmp_route_push_failed(ngx_rtmp_route_push_way_t *way)
{
    ngx_rtmp_route_push_t  *push;

    push = way->push;
    push->next = NULL;

    ngx_rtmp_route_push_close(way);

    if (push->way == NULL) {
        ngx_rtmp_route_push_later(push);

    } else {
        push->move = ngx_current_msec + NGX_RTMP_ROUTE_PUSH_MOVE;
    }
}


/* from the table */

static void
ngx_rtmp_route_push_event(ngx_rtmp_route_choice_t *choice, ngx_uint_t what)
{
    ngx_rtmp_route_push_t      *push;
    ngx_rtmp_route_push_way_t  *way;

    way = choice->data;
    push = way->push;

    if (what != NGX_RTMP_ROUTE_E_LOST) {

        /* the operator, or another publisher: as if it were one of a proxy */

        ngx_log_error(NGX_LOG_INFO, push->session->connection->log, 0,
                      "publisher is closed: the table says so");

        ngx_rtmp_finalize_session(push->session);
        return;
    }

    if (way != push->way || way->looped) {
        return;
    }

    push->lost = 1;
    push->move = ngx_current_msec;

    if (push->event.timer_set) {
        ngx_del_timer(&push->event);
    }

    ngx_add_timer(&push->event, 1);
}


static void
ngx_rtmp_route_push_later(ngx_rtmp_route_push_t *push)
{
    ngx_uint_t  n;
    ngx_msec_t  delay;

    n = ngx_min(push->fails, 5);
    push->fails++;

    delay = ngx_min(NGX_RTMP_ROUTE_PUSH_FIRST << n, NGX_RTMP_ROUTE_PUSH_LAST);
    delay += ngx_random() % (delay / 4 + 1);

    if (push->event.timer_set) {
        ngx_del_timer(&push->event);
    }

    ngx_add_timer(&push->event, delay);
}


static void
ngx_rtmp_route_push_close(ngx_rtmp_route_push_way_t *way)
{
    ngx_rtmp_route_relay_close(&way->relay);
    ngx_rtmp_route_choose_close(&way->choice);

    ngx_destroy_pool(way->pool);
}
