
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Players of other workers.  Each worker has a private socket for each server
 * of rtmp{}, whose name is in shared memory; what comes in by it plays what is
 * published, or pulled, in this worker.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                     /* struct ucred */
#endif

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_rtmp.h"
#include "ngx_rtmp_route_rtmp_relay.h"


#pragma weak ngx_rtmp_handshake


#define NGX_RTMP_ROUTE_LINK_BACKLOG   128
#define NGX_RTMP_ROUTE_LINK_BAD       8
#define NGX_RTMP_ROUTE_LINK_TIME      3000      /* ms, out of use */


/* a worker that could not be reached */

typedef struct {
    u_char                  name[NGX_RTMP_ROUTE_RTMP_LINK];
    ngx_msec_t              time;
    ngx_uint_t              set;
} ngx_rtmp_route_link_bad_t;


static ngx_uint_t ngx_rtmp_route_link_pulls(ngx_array_t *apps,
    ngx_uint_t depth);
#if (NGX_LINUX)
static ngx_int_t ngx_rtmp_route_link_listen(ngx_cycle_t *cycle,
    ngx_rtmp_core_srv_conf_t *cscf, in_port_t port);
static void ngx_rtmp_route_link_accept(ngx_event_t *ev);
static ngx_uint_t ngx_rtmp_route_link_allowed(ngx_socket_t fd);
static void ngx_rtmp_route_link_open(ngx_socket_t fd,
    ngx_rtmp_addr_conf_t *addr_conf);
#endif
static ngx_uint_t ngx_rtmp_route_link_is_bad(u_char *link);


static u_char                     ngx_rtmp_route_link_text[] = "worker";

static ngx_rtmp_route_link_bad_t  ngx_rtmp_route_link_bad[
                                                 NGX_RTMP_ROUTE_LINK_BAD];
static ngx_uint_t                 ngx_rtmp_route_link_nbad;


ngx_int_t
ngx_rtmp_route_link_init(ngx_cycle_t *cycle, ngx_rtmp_core_main_conf_t *cmcf)
{
    in_port_t                   port;
    ngx_uint_t                  i;
    ngx_rtmp_core_srv_conf_t  **cscf;

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        port = ngx_rtmp_route_rtmp_port(cscf[i]->ctx->srv_conf);

        if (port == 0
            || !ngx_rtmp_route_link_pulls(&cscf[i]->applications, 0))
        {
            continue;
        }

#if (NGX_LINUX)

        if (ngx_rtmp_route_link_listen(cycle, cscf[i], port) != NGX_OK) {
            return NGX_ERROR;
        }

#endif
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_link_pulls(ngx_array_t *apps, ngx_uint_t depth)
{
    ngx_uint_t                        i;
    ngx_rtmp_core_app_conf_t        **cacf;
    ngx_rtmp_route_rtmp_app_conf_t   *racf;

    cacf = apps->elts;

    for (i = 0; i < apps->nelts; i++) {

        racf = cacf[i]->app_conf[ngx_rtmp_route_rtmp_module.ctx_index];

        if (racf->pull) {
            return 1;
        }

        if (depth < NGX_RTMP_ROUTE_RTMP_DEPTH
            && ngx_rtmp_route_link_pulls(&cacf[i]->applications, depth + 1))
        {
            return 1;
        }
    }

    return 0;
}


#if (NGX_LINUX)

/*
 * A name that the kernel makes up is nobody else's.  Without such a socket a
 * worker does all alone, so that this is no reason for it to end.
 */

static ngx_int_t
ngx_rtmp_route_link_listen(ngx_cycle_t *cycle, ngx_rtmp_core_srv_conf_t *cscf,
    in_port_t port)
{
    socklen_t              len;
    ngx_socket_t           fd;
    ngx_connection_t      *c;
    struct sockaddr_un     sun;
    ngx_rtmp_addr_conf_t  *addr_conf;

    addr_conf = ngx_pcalloc(cycle->pool, sizeof(ngx_rtmp_addr_conf_t));
    if (addr_conf == NULL) {
        return NGX_ERROR;
    }

    addr_conf->ctx = cscf->ctx;
    addr_conf->addr_text.data = ngx_rtmp_route_link_text;
    addr_conf->addr_text.len = sizeof(ngx_rtmp_route_link_text) - 1;

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      ngx_socket_n " for other workers failed");
        return NGX_OK;
    }

    ngx_memzero(&sun, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;
    len = sizeof(struct sockaddr_un);

    if (bind(fd, (struct sockaddr *) &sun, sizeof(sa_family_t)) == -1
        || getsockname(fd, (struct sockaddr *) &sun, &len) == -1
        || listen(fd, NGX_RTMP_ROUTE_LINK_BACKLOG) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      "listen() for other workers failed");
        goto failed;
    }

    if (len != offsetof(struct sockaddr_un, sun_path)
               + NGX_RTMP_ROUTE_RTMP_LINK)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "socket for other workers has a name of %d bytes",
                      (int) len);
        goto failed;
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        goto failed;
    }

    c->log = cycle->log;
    c->data = addr_conf;

    /* as such it may be open when the process ends */

    c->read->accept = 1;
    c->read->log = cycle->log;
    c->read->handler = ngx_rtmp_route_link_accept;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_free_connection(c);
        goto failed;
    }

    (void) ngx_rtmp_route_rtmp_streams_link(port, (u_char *) sun.sun_path);

    return NGX_OK;

failed:

    (void) ngx_close_socket(fd);

    return NGX_OK;
}


static void
ngx_rtmp_route_link_accept(ngx_event_t *ev)
{
    ngx_err_t          err;
    ngx_uint_t         level;
    ngx_socket_t       fd;
    ngx_connection_t  *lc;

    lc = ev->data;

    for ( ;; ) {

        fd = accept4(lc->fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (fd == (ngx_socket_t) -1) {
            err = ngx_socket_errno;

            if (err == NGX_EAGAIN) {
                return;
            }

            if (err == NGX_ECONNABORTED || err == NGX_EINTR) {
                continue;
            }

            level = (err == NGX_EMFILE || err == NGX_ENFILE) ? NGX_LOG_CRIT
                                                             : NGX_LOG_ALERT;
            ngx_log_error(level, ev->log, err,
                          "accept() of another worker failed");
            return;
        }

        if (!ngx_rtmp_route_link_allowed(fd)) {
            (void) ngx_close_socket(fd);
            continue;
        }

        ngx_rtmp_route_link_open(fd, lc->data);

        if (ngx_event_flags & NGX_USE_LEVEL_EVENT) {
            return;
        }
    }
}


/* who is not of this nginx can't have got the name but by guessing */

static ngx_uint_t
ngx_rtmp_route_link_allowed(ngx_socket_t fd)
{
    socklen_t     len;
    struct ucred  cred;

    len = sizeof(struct ucred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, (void *) &cred, &len) == -1) {
        return 0;
    }

    return cred.uid == geteuid() || cred.uid == 0;
}


static void
ngx_rtmp_route_link_open(ngx_socket_t fd, ngx_rtmp_addr_conf_t *addr_conf)
{
    ngx_log_t           *log;
    ngx_pool_t          *pool;
    ngx_connection_t    *c;
    struct sockaddr     *sa;
    ngx_rtmp_session_t  *s;

    c = ngx_get_connection(fd, ngx_cycle->log);

    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return;
    }

    c->type = SOCK_STREAM;

    pool = ngx_create_pool(512, ngx_cycle->log);
    if (pool == NULL) {
        ngx_close_connection(c);
        return;
    }

    c->pool = pool;

    log = ngx_palloc(pool, sizeof(ngx_log_t));
    sa = ngx_pcalloc(pool, sizeof(ngx_sockaddr_t));

    if (log == NULL || sa == NULL) {
        ngx_close_connection(c);
        ngx_destroy_pool(pool);
        return;
    }

    *log = *ngx_cycle->log;

    sa->sa_family = AF_UNIX;

    c->sockaddr = sa;
    c->socklen = sizeof(sa_family_t);
    c->local_sockaddr = sa;
    c->local_socklen = sizeof(sa_family_t);
    ngx_str_set(&c->addr_text, "unix:");

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->log = log;
    c->read->log = log;
    c->write->log = log;
    pool->log = log;

    c->write->ready = 1;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    s = ngx_rtmp_init_session(c, addr_conf);
    if (s == NULL) {
        return;
    }

    s->auto_pushed = 1;

    ngx_rtmp_handshake(s);
}

#endif


ngx_int_t
ngx_rtmp_route_link_find(in_port_t port, ngx_str_t *app, ngx_str_t *name,
    ngx_uint_t published, ngx_sockaddr_t *sockaddr, socklen_t *socklen)
{
    u_char               link[NGX_RTMP_ROUTE_RTMP_LINK];
    struct sockaddr_un  *sun;

    if (ngx_rtmp_route_rtmp_streams_where(port, app, name, published,
                                          ngx_rtmp_route_link_is_bad, link)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    sun = &sockaddr->sockaddr_un;

    ngx_memzero(sun, sizeof(struct sockaddr_un));

    sun->sun_family = AF_UNIX;
    ngx_memcpy(sun->sun_path, link, NGX_RTMP_ROUTE_RTMP_LINK);

    *socklen = offsetof(struct sockaddr_un, sun_path)
               + NGX_RTMP_ROUTE_RTMP_LINK;

    return NGX_OK;
}


/* for as long as it may take until all know that it is gone */

void
ngx_rtmp_route_link_failed(ngx_sockaddr_t *sockaddr)
{
    ngx_rtmp_route_link_bad_t  *bad;

    bad = &ngx_rtmp_route_link_bad[ngx_rtmp_route_link_nbad++
                                   % NGX_RTMP_ROUTE_LINK_BAD];

    ngx_memcpy(bad->name, sockaddr->sockaddr_un.sun_path,
               NGX_RTMP_ROUTE_RTMP_LINK);

    bad->time = ngx_current_msec;
    bad->set = 1;
}


static ngx_uint_t
ngx_rtmp_route_link_is_bad(u_char *link)
{
    ngx_uint_t                  i;
    ngx_rtmp_route_link_bad_t  *bad;

    for (i = 0; i < NGX_RTMP_ROUTE_LINK_BAD; i++) {
        bad = &ngx_rtmp_route_link_bad[i];

        if (bad->set
            && ngx_memcmp(bad->name, link, NGX_RTMP_ROUTE_RTMP_LINK) == 0
            && (ngx_msec_int_t) (ngx_current_msec - bad->time)
               < NGX_RTMP_ROUTE_LINK_TIME)
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_rtmp_route_link_is(ngx_rtmp_session_t *s)
{
    return s->addr_text->data == ngx_rtmp_route_link_text;
}
