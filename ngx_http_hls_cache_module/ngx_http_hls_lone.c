
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_lone.h"


/* connections that one takes: its own, and one to an upstream */

#define NGX_HTTP_HLS_LONE_CONNECTIONS  2


static ngx_int_t ngx_http_hls_lone_connect(ngx_http_hls_lone_t *lone,
    ngx_connection_t *c, ngx_listening_t *ls);
static ngx_int_t ngx_http_hls_lone_parent(ngx_http_hls_lone_t *lone,
    ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_hls_lone_post_handler(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static void ngx_http_hls_lone_unlogged(ngx_http_request_t *r);
static void ngx_http_hls_lone_phases(ngx_http_request_t *r);
static void ngx_http_hls_lone_finish(ngx_http_request_t *pr);
static void ngx_http_hls_lone_event_handler(ngx_event_t *ev);
static void ngx_http_hls_lone_cleanup(void *data);
static void ngx_http_hls_lone_done(ngx_http_hls_lone_t *lone);
static u_char *ngx_http_hls_lone_log(ngx_log_t *log, u_char *buf, size_t len);


/* of this process: have no upstream connection yet, and will want one */

static ngx_uint_t  ngx_http_hls_lone_waiting;


ngx_http_hls_lone_t *
ngx_http_hls_lone_create(ngx_listening_t *ls, ngx_http_connection_t *hc,
    ngx_http_conf_ctx_t *ctx)
{
    ngx_uint_t            n;
    ngx_pool_t           *pool;
    ngx_connection_t     *c;
    ngx_http_hls_lone_t  *lone;

    /* methods that look at descriptors cannot do with none */

    if (!(ngx_event_flags & NGX_USE_CLEAR_EVENT) || ngx_cycle->files) {
        return NULL;
    }

    /* some are left for viewers */

    n = ngx_cycle->free_connection_n + ngx_cycle->reusable_connections_n;

    if (n < NGX_HTTP_HLS_LONE_CONNECTIONS + ngx_http_hls_lone_waiting
            + ngx_cycle->connection_n / 16)
    {
        return NULL;
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    lone = ngx_pcalloc(pool, sizeof(ngx_http_hls_lone_t));
    if (lone == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    lone->hc.addr_conf = hc->addr_conf;
    lone->hc.conf_ctx = ctx;

    lone->log = *ngx_cycle->log;
    lone->log.handler = ngx_http_hls_lone_log;
    lone->log.data = &lone->ctx;
    lone->log.action = "filling";

    c = ngx_get_connection((ngx_socket_t) -2, &lone->log);
    if (c == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    c->pool = pool;
    pool->log = &lone->log;

    if (ngx_http_hls_lone_connect(lone, c, ls) != NGX_OK
        || ngx_http_hls_lone_parent(lone, ctx) != NGX_OK)
    {
        ngx_http_close_connection(c);
        return NULL;
    }

    lone->waiting = 1;
    ngx_http_hls_lone_waiting++;

    return lone;
}


static ngx_int_t
ngx_http_hls_lone_connect(ngx_http_hls_lone_t *lone, ngx_connection_t *c,
    ngx_listening_t *ls)
{
    ngx_event_t  *rev, *wev;

#if (NGX_STAT_STUB)

    /* what closes the connection counts it as one of a client */

    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);

#endif

    /* closed without a system call */

    c->shared = 1;

    c->type = SOCK_STREAM;
    c->listening = ls;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->log_error = NGX_ERROR_INFO;
    c->data = &lone->hc;

    lone->connection = c;
    lone->log.connection = c->number;
    lone->ctx.connection = c;

    /* geo, ip_hash and others look at the addresses */

    lone->sockaddr.sun_family = AF_UNIX;

    c->sockaddr = (struct sockaddr *) &lone->sockaddr;
    c->socklen = offsetof(struct sockaddr_un, sun_path);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    ngx_str_set(&c->addr_text, "unix:");

    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->sndlowat = 1;

    rev = c->read;
    wev = c->write;

    rev->log = c->log;
    wev->log = c->log;

    rev->handler = ngx_http_hls_lone_event_handler;
    wev->handler = ngx_http_hls_lone_event_handler;

    /* nothing to be added to epoll, nothing to be read, all can be written */

    rev->active = 1;
    wev->active = 1;
    wev->ready = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_lone_parent(ngx_http_hls_lone_t *lone, ngx_http_conf_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *pr;
    ngx_http_cleanup_t  *cln;

    c = lone->connection;

    pr = ngx_http_create_request(c);
    if (pr == NULL) {
        return NGX_ERROR;
    }

#if (NGX_STAT_STUB)

    /* no request of a client, and nothing is read for it */

    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
    pr->stat_reading = 0;

#endif

    c->data = pr;

    pr->srv_conf = ctx->srv_conf;
    pr->loc_conf = ctx->loc_conf;

    /* neither in the log nor limited, whatever location it gets to */

    pr->logged = 1;
    pr->limit_conn_status = 1;
    pr->limit_req_status = 1;

    pr->read_event_handler = ngx_http_request_empty_handler;
    pr->write_event_handler = ngx_http_hls_lone_finish;

    cln = ngx_http_cleanup_add(pr, 0);
    if (cln == NULL) {
        ngx_http_free_request(pr, 0);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_hls_lone_cleanup;
    cln->data = lone;

    lone->parent = pr;

    return NGX_OK;
}


void
ngx_http_hls_lone_run(ngx_http_hls_lone_t *lone, ngx_uint_t flags)
{
    ngx_connection_t  *c;

    c = lone->connection;

    if (ngx_http_hls_lone_post(lone, flags) != NGX_OK) {
        ngx_http_hls_lone_close(lone);
        return;
    }

    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_http_hls_lone_post(ngx_http_hls_lone_t *lone, ngx_uint_t flags)
{
    ngx_http_request_t          *pr, *sr;
    ngx_http_post_subrequest_t  *ps;

    pr = lone->parent;

    ps = ngx_palloc(pr->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_hls_lone_post_handler;
    ps->data = lone;

    if (ngx_http_subrequest(pr, &pr->uri, &pr->args, &sr, ps, flags)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    lone->request = sr;

    if (lone->ghost && !(flags & NGX_HTTP_SUBREQUEST_CLONE)) {
        sr->write_event_handler = ngx_http_hls_lone_phases;
    }

    if (lone->waiting) {
        lone->waiting = 0;
        ngx_http_hls_lone_waiting--;
    }

    return NGX_OK;
}


void
ngx_http_hls_lone_close(ngx_http_hls_lone_t *lone)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = lone->connection;
    r = c->data;

    /* with an error post_action would follow */

    c->error = 0;

    r->main->count++;

    ngx_http_finalize_request(r, NGX_HTTP_CLOSE);

    /* there is no socket to be reset */

    c->timedout = 0;

    ngx_http_run_posted_requests(c);
}


void
ngx_http_hls_lone_free(ngx_http_hls_lone_t *lone)
{
    ngx_connection_t  *c;

    c = lone->connection;

    ngx_http_hls_lone_forget(lone);

    ngx_http_free_request(lone->parent, 0);
    ngx_http_close_connection(c);
}


ngx_http_hls_lone_t *
ngx_http_hls_lone_of(ngx_http_request_t *r)
{
    ngx_log_t  *log;

    log = r->connection->log;

    if (log->handler != ngx_http_hls_lone_log) {
        return NULL;
    }

    return log->data;
}


void
ngx_http_hls_lone_forget(ngx_http_hls_lone_t *lone)
{
    if (lone->waiting) {
        lone->waiting = 0;
        ngx_http_hls_lone_waiting--;
    }

    lone->data = NULL;
}


void
ngx_http_hls_lone_leave(ngx_http_hls_lone_t *lone)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    ngx_http_hls_lone_forget(lone);

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    /* no socket is left open, those to upstreams neither */

    lone->connection->fd = (ngx_socket_t) -1;

    c = ngx_cycle->connections;

    for (i = 0; i < ngx_cycle->connection_n; i++) {
        if (c[i].fd != (ngx_socket_t) -1 && c[i].log == &lone->log) {
            ngx_close_connection(&c[i]);
        }
    }
}


static ngx_int_t
ngx_http_hls_lone_post_handler(ngx_http_request_t *r, void *data,
    ngx_int_t rc)
{
    ngx_http_hls_lone_t *lone = data;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "hls lone request: %i", rc);

    if (lone->ghost) {
        ngx_http_hls_lone_unlogged(r);

    } else {
        ngx_http_hls_fill_status(lone, rc);
    }

    return rc;
}


/* with log_subrequest the log would tell of viewers that are none */

static void
ngx_http_hls_lone_unlogged(ngx_http_request_t *r)
{
    void                      **loc_conf;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!clcf->log_subrequest) {
        return;
    }

    loc_conf = ngx_palloc(r->pool, sizeof(void *) * ngx_http_max_module
                                   + sizeof(ngx_http_core_loc_conf_t));
    if (loc_conf == NULL) {
        return;
    }

    ngx_memcpy(loc_conf, r->loc_conf, sizeof(void *) * ngx_http_max_module);

    clcf = (ngx_http_core_loc_conf_t *) &loc_conf[ngx_http_max_module];
    *clcf = *(ngx_http_core_loc_conf_t *)
                        r->loc_conf[ngx_http_core_module.ctx_index];
    clcf->log_subrequest = 0;

    loc_conf[ngx_http_core_module.ctx_index] = clcf;

    r->loc_conf = loc_conf;
}


/*
 * What ngx_http_handler() does for subrequests, but that "internal" locations
 * are as closed as they are to viewers: a playlist may name anything.
 */

static void
ngx_http_hls_lone_phases(ngx_http_request_t *r)
{
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    r->connection->log->action = NULL;

    r->internal = 0;
    r->quoted_uri = 1;
    r->valid_location = 1;
    r->phase_handler = cmcf->phase_engine.server_rewrite_index;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static void
ngx_http_hls_lone_finish(ngx_http_request_t *pr)
{
    ngx_http_hls_lone_t  *lone;

    lone = ngx_http_hls_lone_of(pr);

    if (lone->request == NULL || !lone->request->done) {
        return;
    }

    if (ngx_http_hls_fill_next(lone)) {
        return;
    }

    pr->write_event_handler = ngx_http_request_empty_handler;

    /* else nginx would linger, or look at what was read */

    pr->connection->read->eof = 1;

    /* an update of nginx's own cache may go on below the same parent */

    ngx_http_hls_lone_done(lone);

    ngx_http_finalize_request(pr, NGX_DONE);
}


static void
ngx_http_hls_lone_event_handler(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_hls_lone_t       *lone;
    ngx_http_core_loc_conf_t  *clcf;

    c = ev->data;
    r = c->data;
    lone = c->log->data;

    ngx_http_set_log_request(c->log, r);

    if (c->close) {
        ngx_http_hls_lone_close(lone);
        return;
    }

    if (ev->delayed && ev->timedout) {
        ev->delayed = 0;
        ev->timedout = 0;
    }

    if (ev->write && ev->timedout && ngx_http_hls_fill_is_paused(lone)) {

        /* the reader may be slow, whether it is too slow is not known here */

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        ev->timedout = 0;
        ngx_add_timer(ev, clcf->send_timeout);

        return;
    }

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_hls_lone_cleanup(void *data)
{
    ngx_http_hls_lone_t *lone = data;

    lone->connection->timedout = 0;

    ngx_http_hls_lone_done(lone);
}


static void
ngx_http_hls_lone_done(ngx_http_hls_lone_t *lone)
{
    if (lone->data) {
        lone->done(lone);
    }

    ngx_http_hls_lone_forget(lone);
}


static u_char *
ngx_http_hls_lone_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char               *p;
    ngx_http_request_t   *r;
    ngx_http_hls_lone_t  *lone;

    lone = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(p, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(buf, len, lone->ghost ? ", hls refresh" : ", hls fill");
    len -= p - buf;

    r = lone->ctx.request;

    if (r == NULL) {
        return p;
    }

    return r->log_handler(r, lone->ctx.current_request, p, len);
}
