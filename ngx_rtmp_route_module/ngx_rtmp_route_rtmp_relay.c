
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * One connection to another server: a session of nginx-rtmp that begins as a
 * client, with commands of our own.  What it says before there is media is
 * in ngx_rtmp_route_rtmp_say.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <openssl/rand.h>
#include "ngx_rtmp_route_rtmp_say.h"


#define NGX_RTMP_ROUTE_RELAY_CONNECT   3000     /* ms, to be connected */
#define NGX_RTMP_ROUTE_RELAY_ANSWER    10000    /* ... and answered then */
#define NGX_RTMP_ROUTE_RELAY_TICK      1000
#define NGX_RTMP_ROUTE_RELAY_SILENT    20       /* s, of a dead peer */

#define NGX_RTMP_ROUTE_RELAY_MARK      16       /* hex digits */
#define NGX_RTMP_ROUTE_RELAY_MARKS     8


static ngx_int_t ngx_rtmp_route_relay_preamble(
    ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_relay_session(
    ngx_rtmp_route_relay_ctx_t *ctx, ngx_connection_t *c);
static ngx_int_t ngx_rtmp_route_relay_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_rtmp_route_relay_connected(ngx_event_t *ev);
static void ngx_rtmp_route_relay_options(ngx_connection_t *c);
static void ngx_rtmp_route_relay_timer(ngx_event_t *ev);
static void ngx_rtmp_route_relay_count(ngx_rtmp_route_relay_ctx_t *ctx);
static void ngx_rtmp_route_relay_cleanup(void *data);
static ngx_int_t ngx_rtmp_route_relay_media(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_route_relay_play_here(
    ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_relay_publish_here(
    ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_relay_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static ngx_int_t ngx_rtmp_route_relay_play(ngx_rtmp_session_t *s,
    ngx_rtmp_play_t *v);
static ngx_uint_t ngx_rtmp_route_relay_refuses(ngx_rtmp_session_t *s);


static ngx_rtmp_publish_pt  next_publish;
static ngx_rtmp_play_pt     next_play;

static u_char               ngx_rtmp_route_relay_mark[
                                                NGX_RTMP_ROUTE_RELAY_MARK];


ngx_int_t
ngx_rtmp_route_relay_open(ngx_rtmp_route_relay_t *relay)
{
    ngx_int_t                    rc;
    ngx_pool_t                  *pool;
    ngx_uint_t                   level;
    ngx_connection_t            *c;
    ngx_peer_connection_t       *pc;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    relay->session = NULL;
    relay->ready = 0;
    relay->refused = 0;
    relay->reason.len = 0;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_relay_ctx_t));
    if (ctx == NULL) {
        goto failed;
    }

    ctx->relay = relay;
    ctx->log = *ngx_cycle->log;

    ctx->addr.len = relay->addr.len;
    ctx->addr.data = ngx_pstrdup(pool, &relay->addr);
    if (ctx->addr.data == NULL) {
        goto failed;
    }

    pc = &ctx->peer;

    pc->sockaddr = ngx_palloc(pool, relay->socklen);
    if (pc->sockaddr == NULL) {
        goto failed;
    }

    ngx_memcpy(pc->sockaddr, relay->sockaddr, relay->socklen);

    if (ngx_rtmp_route_relay_preamble(ctx) != NGX_OK) {
        goto failed;
    }

    pc->socklen = relay->socklen;
    pc->name = &ctx->addr;
    pc->log = &ctx->log;
    pc->get = ngx_rtmp_route_relay_get_peer;

    /* nginx logs a refusal that comes at once, each time */

    level = ctx->log.log_level;

    if (relay->quiet) {
        ctx->log.log_level = NGX_LOG_ALERT;
    }

    rc = ngx_event_connect_peer(pc);

    ctx->log.log_level = level;

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_destroy_pool(pool);
        return (rc == NGX_DECLINED) ? NGX_DECLINED : NGX_ERROR;
    }

    c = pc->connection;
    c->pool = pool;
    c->addr_text = ctx->addr;

    if (ngx_rtmp_route_relay_session(ctx, c) != NGX_OK) {
        return NGX_ERROR;
    }

    c->read->handler = ngx_rtmp_route_relay_connected;
    c->write->handler = ngx_rtmp_route_relay_connected;

    ngx_add_timer(c->write, NGX_RTMP_ROUTE_RELAY_CONNECT);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


/* for servers with "proxy_protocol" */

static ngx_int_t
ngx_rtmp_route_relay_preamble(ngx_rtmp_route_relay_ctx_t *ctx)
{
    u_char                  *p;
    struct sockaddr         *local;
    ngx_connection_t        *c;
    ngx_rtmp_route_relay_t  *relay;

    relay = ctx->relay;

    if (relay->proxy_protocol <= NGX_RTMP_ROUTE_PP_OFF) {
        return NGX_OK;
    }

    c = relay->client;
    local = NULL;

    if (c && c->sockaddr && ngx_connection_local_sockaddr(c, NULL, 0) == NGX_OK)
    {
        local = c->local_sockaddr;
    }

    p = ngx_rtmp_route_preamble(local ? c->sockaddr : NULL, local,
                                relay->proxy_protocol, ctx->preamble,
                                ctx->preamble + NGX_RTMP_ROUTE_PREAMBLE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->first = p - ctx->preamble;

    return NGX_OK;
}


/* whatever it returns, the connection has an owner */

static ngx_int_t
ngx_rtmp_route_relay_session(ngx_rtmp_route_relay_ctx_t *ctx,
    ngx_connection_t *c)
{
    ngx_pool_t                 *pool;
    ngx_pool_cleanup_t         *cln;
    ngx_rtmp_session_t         *s;
    ngx_rtmp_addr_conf_t       *addr_conf;
    ngx_rtmp_route_relay_t     *relay;
    ngx_rtmp_core_app_conf_t   *cacf;
    ngx_rtmp_route_rtmp_ctx_t  *rctx;

    relay = ctx->relay;
    pool = c->pool;

    addr_conf = ngx_pcalloc(pool, sizeof(ngx_rtmp_addr_conf_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (addr_conf == NULL || cln == NULL) {
        ngx_close_connection(c);
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    /* a copy: ends of sessions look at it, when the owner is gone */

    ctx->cctx = relay->cctx;
    addr_conf->ctx = &ctx->cctx;
    ngx_str_set(&addr_conf->addr_text, "rtmp_route");

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    s = ngx_rtmp_init_session(c, addr_conf);
    if (s == NULL) {
        return NGX_ERROR;
    }

    cacf = relay->cctx.app_conf[ngx_rtmp_core_module.ctx_index];

    s->app_conf = relay->cctx.app_conf;
    s->app = cacf->name;
    s->relay = 1;

    /*
     * Not asked for: on_play, rules of access, for what is pushed; records
     * and playlists of what is here already, in another worker
     */

    s->auto_pushed = (relay->type == NGX_RTMP_ROUTE_RELAY_PUSH || relay->link);

    if (relay->type == NGX_RTMP_ROUTE_RELAY_PUSH) {
        ngx_str_set(&s->flashver, "rtmp_route push");

    } else {
        ngx_str_set(&s->flashver, "rtmp_route pull");
    }

    rctx = ngx_rtmp_route_rtmp_ctx(s);
    if (rctx == NULL) {
        ngx_rtmp_finalize_session(s);
        return NGX_ERROR;
    }

    rctx->relay = ctx;
    ctx->session = s;

    cln->handler = ngx_rtmp_route_relay_cleanup;
    cln->data = ctx;

    ctx->event.handler = ngx_rtmp_route_relay_timer;
    ctx->event.data = c;
    ctx->event.log = c->log;
    ctx->event.cancelable = 1;

    relay->session = s;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_relay_get_peer(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


static void
ngx_rtmp_route_relay_connected(ngx_event_t *ev)
{
    int                          err;
    socklen_t                    len;
    ngx_connection_t            *c;
    ngx_rtmp_session_t          *s;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    c = ev->data;
    s = c->data;

    if (c->destroyed) {
        return;
    }

    ctx = ngx_rtmp_route_relay_ctx(s);

    /* left by its owner; or the time to shut down is over */

    if (ctx == NULL || c->close) {
        ngx_rtmp_finalize_session(s);
        return;
    }

    if (ev->timedout) {
        c->timedout = 1;
        ngx_rtmp_route_relay_fail(ctx, NGX_ETIMEDOUT, "connect() failed");
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_rtmp_route_relay_fail(ctx, err, "connect() failed");
        return;
    }

    ngx_rtmp_route_relay_options(c);

    ngx_add_timer(&ctx->event, NGX_RTMP_ROUTE_RELAY_ANSWER);

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    /* nothing was sent yet: there is room for that */

    if (ctx->first
        && c->send(c, ctx->preamble, ctx->first) != (ssize_t) ctx->first)
    {
        ngx_rtmp_route_relay_fail(ctx, 0, "no PROXY protocol could be sent");
        return;
    }

    ngx_rtmp_client_handshake(s, 0);
}


static void
ngx_rtmp_route_relay_options(ngx_connection_t *c)
{
    int                          value;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    ctx = ngx_rtmp_route_relay_ctx((ngx_rtmp_session_t *) c->data);

    if (ctx->peer.sockaddr->sa_family == AF_UNIX) {
        return;
    }

    (void) ngx_tcp_nodelay(c);

    value = 1;

    (void) setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, (const void *) &value,
                      sizeof(int));

#if (NGX_LINUX)

    value = NGX_RTMP_ROUTE_RELAY_SILENT * 1000;

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                      (const void *) &value, sizeof(int));

#endif
}


static void
ngx_rtmp_route_relay_timer(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    c = ev->data;

    ctx = ngx_rtmp_route_relay_ctx((ngx_rtmp_session_t *) c->data);
    if (ctx == NULL) {
        return;
    }

    if (ctx->state != NGX_RTMP_ROUTE_RELAY_S_RUN) {
        ngx_rtmp_route_relay_fail(ctx, NGX_ETIMEDOUT, "no answer");
        return;
    }

    ngx_rtmp_route_relay_count(ctx);

    ngx_add_timer(ev, NGX_RTMP_ROUTE_RELAY_TICK);
}


/* nginx-rtmp counts in 32 bits, and begins again before they are full */

static void
ngx_rtmp_route_relay_count(ngx_rtmp_route_relay_ctx_t *ctx)
{
    uint32_t                 in, out;
    ngx_rtmp_session_t      *s;
    ngx_rtmp_route_relay_t  *relay;

    s = ctx->session;
    relay = ctx->relay;

    in = s->in_bytes < ctx->in ? s->in_bytes : s->in_bytes - ctx->in;
    out = s->out_bytes - ctx->out;

    ctx->in = s->in_bytes;
    ctx->out = s->out_bytes;

    if (in && relay->in) {
        (void) ngx_atomic_fetch_add(relay->in, in);
    }

    if (out && relay->out) {
        (void) ngx_atomic_fetch_add(relay->out, out);
    }

    if ((relay->type == NGX_RTMP_ROUTE_RELAY_PUSH ? out : in)
        && relay->active)
    {
        *relay->active = ngx_current_msec;
    }
}


void
ngx_rtmp_route_relay_close(ngx_rtmp_route_relay_t *relay)
{
    ngx_rtmp_session_t          *s;
    ngx_rtmp_close_stream_t      v;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    s = relay->session;

    if (s == NULL) {
        return;
    }

    ctx = ngx_rtmp_route_relay_ctx(s);

    if (ctx) {
        ngx_rtmp_route_relay_count(ctx);
        ctx->relay = NULL;

        if (ctx->event.timer_set) {
            ngx_del_timer(&ctx->event);
        }
    }

    relay->session = NULL;
    relay->ready = 0;

    /* it leaves the stream at once */

    ngx_memzero(&v, sizeof(ngx_rtmp_close_stream_t));

    (void) ngx_rtmp_close_stream(s, &v);

    ngx_rtmp_finalize_session(s);
}


/* the end of the connection, whoever it was that ended it */

static void
ngx_rtmp_route_relay_cleanup(void *data)
{
    ngx_rtmp_route_relay_ctx_t  *ctx = data;

    ngx_rtmp_route_relay_t  *relay;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    relay = ctx->relay;

    if (relay == NULL) {
        return;
    }

    ngx_rtmp_route_relay_count(ctx);

    /* that is how servers refuse who may not publish */

    if (!ctx->told && ctx->state == NGX_RTMP_ROUTE_RELAY_S_START
        && relay->type == NGX_RTMP_ROUTE_RELAY_PUSH)
    {
        relay->refused = 1;
    }

    if (!ctx->told) {
        ngx_log_error(ngx_rtmp_route_relay_level(relay),
                      ngx_cycle->log, 0,
                      relay->ready ? "server %V closed the connection of a "
                                     "stream"
                                   : "server %V closed the connection, and "
                                     "gave no reason",
                      &ctx->addr);
    }

    ctx->relay = NULL;
    relay->session = NULL;

    relay->handler(relay, NGX_RTMP_ROUTE_RELAY_CLOSED);
}


void
ngx_rtmp_route_relay_fail(ngx_rtmp_route_relay_ctx_t *ctx, ngx_err_t err,
    char *text)
{
    ngx_rtmp_route_relay_t  *relay;

    relay = ctx->relay;

    if (relay && !ctx->told) {
        ctx->told = 1;

        ngx_log_error(ngx_rtmp_route_relay_level(relay),
                      ngx_cycle->log, err, "%s while a stream is %s server %V",
                      text,
                      relay->type == NGX_RTMP_ROUTE_RELAY_PUSH ? "pushed to"
                                                               : "pulled from",
                      &ctx->addr);
    }

    ngx_rtmp_finalize_session(ctx->session);
}


ngx_rtmp_route_relay_t *
ngx_rtmp_route_relay_of(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_relay_ctx_t  *ctx;

    ctx = ngx_rtmp_route_relay_ctx(s);

    return ctx ? ctx->relay : NULL;
}


/* NULL: not one of ours, or its owner has left it */

ngx_rtmp_route_relay_ctx_t *
ngx_rtmp_route_relay_ctx(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_rtmp_ctx_t   *rctx;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    rctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_route_rtmp_module);

    if (rctx == NULL || rctx->relay == NULL) {
        return NULL;
    }

    ctx = rctx->relay;

    return ctx->relay ? ctx : NULL;
}


/* the server has the stream, or takes it */

ngx_int_t
ngx_rtmp_route_relay_ready(ngx_rtmp_route_relay_ctx_t *ctx)
{
    ngx_rtmp_route_relay_t  *relay;

    relay = ctx->relay;

    ctx->state = NGX_RTMP_ROUTE_RELAY_S_RUN;
    ngx_add_timer(&ctx->event, NGX_RTMP_ROUTE_RELAY_TICK);

    if (relay->type == NGX_RTMP_ROUTE_RELAY_PULL) {
        return NGX_OK;
    }

    relay->ready = 1;
    relay->handler(relay, NGX_RTMP_ROUTE_RELAY_READY);

    return ctx->relay ? ngx_rtmp_route_relay_play_here(ctx) : NGX_ERROR;
}


/* the first audio or video of what is pulled */

static ngx_int_t
ngx_rtmp_route_relay_media(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_relay_t      *relay;
    ngx_rtmp_route_relay_ctx_t  *ctx;

    ctx = ngx_rtmp_route_relay_ctx(s);

    if (ctx == NULL) {
        return NGX_OK;
    }

    relay = ctx->relay;

    if (relay->ready || relay->type != NGX_RTMP_ROUTE_RELAY_PULL) {
        return NGX_OK;
    }

    if (ctx->state != NGX_RTMP_ROUTE_RELAY_S_RUN) {

        /* there are servers that say nothing of a play */

        if (ctx->state != NGX_RTMP_ROUTE_RELAY_S_START
            || ngx_rtmp_route_relay_ready(ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    relay->ready = 1;
    relay->handler(relay, NGX_RTMP_ROUTE_RELAY_READY);

    return ctx->relay ? ngx_rtmp_route_relay_publish_here(ctx) : NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_relay_play_here(ngx_rtmp_route_relay_ctx_t *ctx)
{
    ngx_str_t        *name;
    ngx_rtmp_play_t   v;

    name = &ctx->relay->name;

    ngx_memzero(&v, sizeof(ngx_rtmp_play_t));
    ngx_memcpy(v.name, name->data, ngx_min(name->len, sizeof(v.name) - 1));
    v.silent = 1;

    return ngx_rtmp_play(ctx->session, &v);
}


static ngx_int_t
ngx_rtmp_route_relay_publish_here(ngx_rtmp_route_relay_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_str_t            *name;
    ngx_rtmp_publish_t    v;
    ngx_rtmp_live_ctx_t  *lctx;

    name = &ctx->relay->name;

    ngx_memzero(&v, sizeof(ngx_rtmp_publish_t));
    ngx_memcpy(v.name, name->data, ngx_min(name->len, sizeof(v.name) - 1));
    ngx_memcpy(v.type, "live", sizeof("live") - 1);
    v.silent = 1;

    rc = ngx_rtmp_publish(ctx->session, &v);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* somebody else has published it; or "on_publish" is being asked */

    lctx = ngx_rtmp_get_module_ctx(ctx->session, ngx_rtmp_live_module);

    if (lctx && lctx->stream == NULL) {
        ctx->told = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_rtmp_route_relay_init(void)
{
    u_char      random[NGX_RTMP_ROUTE_RELAY_MARK / 2];
    ngx_msec_t  now;

    if (ngx_rtmp_route_relay_mark[0]) {
        return;
    }

    if (RAND_bytes(random, sizeof(random)) != 1) {
        now = ngx_current_msec;

        ngx_memcpy(random, &ngx_pid, 4);
        ngx_memcpy(random + 4, &now, 4);
    }

    ngx_hex_dump(ngx_rtmp_route_relay_mark, random, sizeof(random));
}


/* "rtmp-route:ID,ID" */

void
ngx_rtmp_route_relay_via(ngx_rtmp_session_t *s, ngx_str_t *via)
{
    u_char  *p, *last;

    via->len = 0;
    via->data = NULL;

    if (s->page_url.len < sizeof(NGX_RTMP_ROUTE_RELAY_VIA) - 1
        || ngx_memcmp(s->page_url.data, NGX_RTMP_ROUTE_RELAY_VIA,
                      sizeof(NGX_RTMP_ROUTE_RELAY_VIA) - 1)
           != 0)
    {
        return;
    }

    p = s->page_url.data + sizeof(NGX_RTMP_ROUTE_RELAY_VIA) - 1;
    last = s->page_url.data + s->page_url.len;

    via->data = p;

    while (p < last
           && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f')
               || *p == ','))
    {
        p++;
    }

    via->len = p - via->data;
}


/* what is sent on; p has room for NGX_RTMP_ROUTE_RELAY_PAGE */

u_char *
ngx_rtmp_route_relay_page(ngx_rtmp_route_relay_t *relay, u_char *p)
{
    size_t   len;
    u_char  *start;

    start = p;
    p = ngx_cpymem(p, NGX_RTMP_ROUTE_RELAY_VIA,
                   sizeof(NGX_RTMP_ROUTE_RELAY_VIA) - 1);

    len = relay->via.len;

    if (len > NGX_RTMP_ROUTE_RELAY_PAGE
              - (sizeof(NGX_RTMP_ROUTE_RELAY_VIA) - 1)
              - NGX_RTMP_ROUTE_RELAY_MARK - 1)
    {
        len = 0;
    }

    if (len) {
        p = ngx_cpymem(p, relay->via.data, len);
    }

    if (relay->link) {
        return len ? p : start;
    }

    if (len) {
        *p++ = ',';
    }

    return ngx_cpymem(p, ngx_rtmp_route_relay_mark, NGX_RTMP_ROUTE_RELAY_MARK);
}


ngx_uint_t
ngx_rtmp_route_relay_loop(ngx_str_t *via)
{
    u_char      *p, *last, *end;
    ngx_uint_t   n;

    p = via->data;
    last = p + via->len;

    for (n = 0; p < last; n++) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        if (end - p == NGX_RTMP_ROUTE_RELAY_MARK
            && ngx_memcmp(p, ngx_rtmp_route_relay_mark,
                          NGX_RTMP_ROUTE_RELAY_MARK)
               == 0)
        {
            return 1;
        }

        p = end + 1;
    }

    return n > NGX_RTMP_ROUTE_RELAY_MARKS;
}


ngx_int_t
ngx_rtmp_route_relay_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    if (ngx_rtmp_route_rtmp_first(&cmcf->events[NGX_RTMP_MSG_AUDIO],
                                  ngx_rtmp_route_relay_media)
        != NGX_OK
        || ngx_rtmp_route_rtmp_first(&cmcf->events[NGX_RTMP_MSG_VIDEO],
                                     ngx_rtmp_route_relay_media)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_rtmp_route_relay_publish;

    next_play = ngx_rtmp_play;
    ngx_rtmp_play = ngx_rtmp_route_relay_play;

    return ngx_rtmp_route_relay_say_hooks(cmcf);
}


static ngx_int_t
ngx_rtmp_route_relay_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    if (ngx_rtmp_route_relay_refuses(s)) {
        (void) ngx_rtmp_send_status(s, "NetStream.Publish.BadName", "error",
                                    NGX_RTMP_ROUTE_RELAY_LOOPS);
        return NGX_ERROR;
    }

    return next_publish(s, v);
}


static ngx_int_t
ngx_rtmp_route_relay_play(ngx_rtmp_session_t *s, ngx_rtmp_play_t *v)
{
    if (ngx_rtmp_route_relay_refuses(s)) {
        (void) ngx_rtmp_send_status(s, "NetStream.Play.StreamNotFound",
                                    "error", NGX_RTMP_ROUTE_RELAY_LOOPS);
        return NGX_ERROR;
    }

    return next_play(s, v);
}


static ngx_uint_t
ngx_rtmp_route_relay_refuses(ngx_rtmp_session_t *s)
{
    ngx_str_t                        via;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_route_rtmp_module);

    if (racf == NULL || racf->route == NULL || s->relay) {
        return 0;
    }

    ngx_rtmp_route_relay_via(s, &via);

    if (!ngx_rtmp_route_relay_loop(&via)) {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "a stream is refused that has been here before");

    return 1;
}
