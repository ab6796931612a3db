
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * One check of one server: its endpoints are tried one after the other, and
 * the first that passes is enough.  What the server has sent is read before
 * the connection is closed, as it would get a reset otherwise and log it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_client.h"
#include "ngx_rtmp_route_health.h"


/* how long the rest of an answer is waited for */
#define NGX_RTMP_ROUTE_PROBE_LINGER  1000


static ngx_int_t ngx_rtmp_route_probe_choose(ngx_rtmp_route_probe_t *probe);
static ngx_int_t ngx_rtmp_route_probe_prepare(ngx_rtmp_route_probe_t *probe);
static u_char *ngx_rtmp_route_probe_preamble(ngx_rtmp_route_probe_t *probe,
    u_char *p);
static void ngx_rtmp_route_probe_handler(ngx_event_t *ev);
static void ngx_rtmp_route_probe_connect(ngx_rtmp_route_probe_t *probe);
static ngx_int_t ngx_rtmp_route_probe_open(ngx_rtmp_route_probe_t *probe);
static void ngx_rtmp_route_probe_connect_handler(ngx_event_t *ev);
static void ngx_rtmp_route_probe_connected(ngx_rtmp_route_probe_t *probe);
#if (NGX_SSL)
static void ngx_rtmp_route_probe_ssl(ngx_rtmp_route_probe_t *probe);
static void ngx_rtmp_route_probe_ssl_handler(ngx_connection_t *c);
#endif
static void ngx_rtmp_route_probe_ready(ngx_rtmp_route_probe_t *probe);
static void ngx_rtmp_route_probe_write_handler(ngx_event_t *ev);
static void ngx_rtmp_route_probe_read_handler(ngx_event_t *ev);
static ngx_int_t ngx_rtmp_route_probe_answer(ngx_rtmp_route_probe_t *probe,
    u_char *pos, u_char *last);
static ngx_uint_t ngx_rtmp_route_probe_expected(ngx_rtmp_route_check_t *check,
    ngx_uint_t status);
static void ngx_rtmp_route_probe_passed(ngx_rtmp_route_probe_t *probe);
static void ngx_rtmp_route_probe_failed(ngx_rtmp_route_probe_t *probe,
    ngx_err_t err, const char *text);
static void ngx_rtmp_route_probe_disconnect(ngx_rtmp_route_probe_t *probe);
static void ngx_rtmp_route_probe_end(ngx_rtmp_route_probe_t *probe);


/* what is looked for first */

static ngx_uint_t  ngx_rtmp_route_probe_rtmp[] = {
    NGX_RTMP_ROUTE_RTMP, NGX_RTMP_ROUTE_RTMPS, NGX_RTMP_ROUTE_NONE
};

static ngx_uint_t  ngx_rtmp_route_probe_http[] = {
    NGX_RTMP_ROUTE_HTTP, NGX_RTMP_ROUTE_HTTPS, NGX_RTMP_ROUTE_NONE
};

static ngx_uint_t  ngx_rtmp_route_probe_any[] = {
    NGX_RTMP_ROUTE_RTMP, NGX_RTMP_ROUTE_RTMPS, NGX_RTMP_ROUTE_HTTP,
    NGX_RTMP_ROUTE_HTTPS, NGX_RTMP_ROUTE_API, NGX_RTMP_ROUTE_NONE
};


ngx_rtmp_route_probe_t *
ngx_rtmp_route_probe_create(ngx_log_t *log)
{
    ngx_pool_t              *pool;
    ngx_rtmp_route_probe_t  *probe;

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NULL;
    }

    probe = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_probe_t));
    if (probe == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    probe->pool = pool;

    /* what fails is told by the handler, and not at each check anew */

    probe->log = *log;
    probe->log.log_level = ngx_min(log->log_level, NGX_LOG_ALERT);
    probe->log.handler = NULL;
    probe->log.data = NULL;
    probe->log.action = NULL;

    pool->log = &probe->log;

    return probe;
}


ngx_int_t
ngx_rtmp_route_probe_start(ngx_rtmp_route_probe_t *probe)
{
    ngx_event_t  *ev;

    if (ngx_rtmp_route_probe_choose(probe) != NGX_OK
        || ngx_rtmp_route_probe_prepare(probe) != NGX_OK)
    {
        ngx_destroy_pool(probe->pool);
        return NGX_DECLINED;
    }

    ev = &probe->event;

    ev->handler = ngx_rtmp_route_probe_handler;
    ev->data = &probe->dumb;
    ev->log = &probe->log;
    ev->cancelable = 1;

    probe->dumb.fd = (ngx_socket_t) -1;
    probe->dumb.data = probe;
    probe->dumb.log = &probe->log;

    probe->begun = ngx_current_msec;

    ngx_post_event(ev, &ngx_posted_events);

    return NGX_OK;
}


/* a server without the protocol of the check is connected to, at least */

static ngx_int_t
ngx_rtmp_route_probe_choose(ngx_rtmp_route_probe_t *probe)
{
    ngx_uint_t                i, pass, *protocol;
    ngx_rtmp_route_target_t  *target;

    target = &probe->target;

    probe->type = probe->check->type;

    for (pass = 0; pass < 2; pass++) {

        switch (probe->type) {

        case NGX_RTMP_ROUTE_CHECK_RTMP:
            protocol = ngx_rtmp_route_probe_rtmp;
            break;

        case NGX_RTMP_ROUTE_CHECK_HTTP:
            protocol = ngx_rtmp_route_probe_http;
            break;

        default:
            protocol = ngx_rtmp_route_probe_any;
            break;
        }

        for ( /* void */ ; *protocol != NGX_RTMP_ROUTE_NONE; protocol++) {

            if (target->nendpoints[*protocol]) {
                probe->protocol = *protocol;
                goto found;
            }
        }

        if (probe->check->port == 0) {
            probe->type = NGX_RTMP_ROUTE_CHECK_TCP;
            continue;
        }

        /* the address of any endpoint will do, even of UDP */

        for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

            if (target->nendpoints[i]) {
                probe->protocol = NGX_RTMP_ROUTE_RTMP;
                target->endpoints[probe->protocol][0] =
                                                   target->endpoints[i][0];
                goto found;
            }
        }
    }

    return NGX_DECLINED;

found:

    if (probe->check->port) {
        target->endpoints[probe->protocol][0].port = probe->check->port;
        target->nendpoints[probe->protocol] = 1;
    }

    /* a check that nobody has asked for has no TLS */

    if (probe->check->ssl == NULL
        && (probe->protocol == NGX_RTMP_ROUTE_RTMPS
            || probe->protocol == NGX_RTMP_ROUTE_HTTPS))
    {
        probe->type = NGX_RTMP_ROUTE_CHECK_TCP;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_probe_prepare(ngx_rtmp_route_probe_t *probe)
{
    u_char  *p;
    size_t   len;

    switch (probe->type) {

    case NGX_RTMP_ROUTE_CHECK_RTMP:

        p = ngx_palloc(probe->pool, NGX_RTMP_ROUTE_PROBE_C0C1 + 32);
        if (p == NULL) {
            return NGX_ERROR;
        }

        probe->out.start = p;

        p = ngx_rtmp_route_probe_preamble(probe, p);
        probe->out.end = ngx_rtmp_route_probe_c0c1(p);
        break;

    case NGX_RTMP_ROUTE_CHECK_HTTP:

        len = sizeof("GET  HTTP/1.1\r\nHost: []\r\nUser-Agent: "
                     NGX_RTMP_ROUTE_CLIENT_AGENT " (health check)\r\n"
                     "Connection: close\r\n\r\n")
              + probe->check->uri.len + probe->target.host.len;

        p = ngx_palloc(probe->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        probe->out.start = p;
        probe->out.end = ngx_sprintf(p, "GET %V HTTP/1.1\r\nHost: %s%V%s\r\n"
            "User-Agent: " NGX_RTMP_ROUTE_CLIENT_AGENT " (health check)\r\n"
            "Connection: close\r\n\r\n",
            &probe->check->uri,
            ngx_strchr(probe->target.host.data, ':') ? "[" : "",
            &probe->target.host,
            ngx_strchr(probe->target.host.data, ':') ? "]" : "");
        break;
    }

    return NGX_OK;
}


/* the connection is nobody's but ours */

static u_char *
ngx_rtmp_route_probe_preamble(ngx_rtmp_route_probe_t *probe, u_char *p)
{
    static u_char  v2[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";

    switch (probe->target.proxy_protocol) {

    case NGX_RTMP_ROUTE_PP_V1:
        return ngx_cpymem(p, "PROXY UNKNOWN\r\n",
                          sizeof("PROXY UNKNOWN\r\n") - 1);

    case NGX_RTMP_ROUTE_PP_V2:

        /* LOCAL, no addresses; the zero at the end is a part of the length */

        return ngx_cpymem(p, v2, sizeof(v2));

    default:
        return p;
    }
}


static void
ngx_rtmp_route_probe_handler(ngx_event_t *ev)
{
    ngx_connection_t        *dumb;
    ngx_rtmp_route_probe_t  *probe;

    dumb = ev->data;
    probe = dumb->data;

    if (!ev->timedout) {
        ngx_rtmp_route_probe_connect(probe);
        return;
    }

    ev->timedout = 0;

    if (probe->told) {
        ngx_rtmp_route_probe_end(probe);
        return;
    }

    ngx_rtmp_route_probe_failed(probe, NGX_ETIMEDOUT, probe->action);
}


/* the next endpoint, while there is one */

static void
ngx_rtmp_route_probe_connect(ngx_rtmp_route_probe_t *probe)
{
    ngx_int_t  rc;

    probe->action = "connect()";

    rc = ngx_rtmp_route_probe_open(probe);

    if (rc == NGX_ERROR) {

        /* it is our fault, and says nothing of the server */

        probe->told = 1;
        ngx_rtmp_route_probe_end(probe);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_rtmp_route_probe_failed(probe, ngx_socket_errno, probe->action);
        return;
    }

    ngx_add_timer(&probe->event, probe->check->timeout);

    if (rc == NGX_OK) {
        ngx_rtmp_route_probe_connected(probe);
    }
}


static ngx_int_t
ngx_rtmp_route_probe_open(ngx_rtmp_route_probe_t *probe)
{
    ngx_err_t                   err;
    ngx_int_t                   rc;
    ngx_sockaddr_t              sockaddr;
    ngx_connection_t           *c;
    ngx_peer_connection_t       peer;
    ngx_rtmp_route_endpoint_t  *endpoint;

    endpoint = &probe->target.endpoints[probe->protocol][probe->endpoint];

    probe->addr.data = probe->name;
    probe->addr.len = ngx_rtmp_route_endpoint_text(probe->name,
                                     probe->name + NGX_SOCKADDR_STRLEN,
                                     endpoint, 0)
                      - probe->name;

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = &sockaddr.sockaddr;
    peer.socklen = ngx_rtmp_route_endpoint_sockaddr(endpoint, &sockaddr);
    peer.name = &probe->addr;
    peer.get = ngx_event_get_peer;
    peer.log = &probe->log;
    peer.log_error = NGX_ERROR_ERR;

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(&peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        err = ngx_socket_errno;

        return (rc == NGX_DECLINED && err != NGX_EAGAIN
                && err != EADDRNOTAVAIL)
               ? NGX_DECLINED : NGX_ERROR;
    }

    c = peer.connection;

    c->data = probe;
    c->pool = probe->pool;
    c->log = &probe->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_rtmp_route_probe_connect_handler;
    c->write->handler = ngx_rtmp_route_probe_connect_handler;

    probe->connection = c;

    return rc;
}


static void
ngx_rtmp_route_probe_connect_handler(ngx_event_t *ev)
{
    ngx_err_t                err;
    ngx_connection_t        *c;
    ngx_rtmp_route_probe_t  *probe;

    c = ev->data;
    probe = c->data;

    if (!ev->write) {
        return;
    }

    err = ngx_rtmp_route_client_connected(c);

    if (err) {
        ngx_rtmp_route_probe_failed(probe, err, probe->action);
        return;
    }

    ngx_rtmp_route_probe_connected(probe);
}


static void
ngx_rtmp_route_probe_connected(ngx_rtmp_route_probe_t *probe)
{
    if (probe->type == NGX_RTMP_ROUTE_CHECK_TCP) {
        ngx_rtmp_route_probe_passed(probe);
        ngx_rtmp_route_probe_end(probe);
        return;
    }

#if (NGX_SSL)

    if (probe->protocol == NGX_RTMP_ROUTE_RTMPS
        || probe->protocol == NGX_RTMP_ROUTE_HTTPS)
    {
        ngx_rtmp_route_probe_ssl(probe);
        return;
    }

#endif

    ngx_rtmp_route_probe_ready(probe);
}


#if (NGX_SSL)

static void
ngx_rtmp_route_probe_ssl(ngx_rtmp_route_probe_t *probe)
{
    ngx_str_t         *host;
    ngx_addr_t         addr;
    ngx_connection_t  *c;

    c = probe->connection;
    host = &probe->target.host;

    probe->action = "SSL handshake";

    if (ngx_ssl_create_connection(probe->check->ssl, c, NGX_SSL_CLIENT)
        != NGX_OK)
    {
        probe->told = 1;
        ngx_rtmp_route_probe_end(probe);
        return;
    }

#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME

    if (ngx_parse_addr(probe->pool, &addr, host->data, host->len) != NGX_OK) {
        (void) SSL_set_tlsext_host_name(c->ssl->connection,
                                        (char *) host->data);
    }

#endif

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_rtmp_route_probe_ssl_handler;
        return;
    }

    ngx_rtmp_route_probe_ssl_handler(c);
}


static void
ngx_rtmp_route_probe_ssl_handler(ngx_connection_t *c)
{
    ngx_rtmp_route_probe_t  *probe;

    probe = c->data;

    if (!c->ssl->handshaked) {
        ngx_rtmp_route_probe_failed(probe, 0, probe->action);
        return;
    }

    ngx_rtmp_route_probe_ready(probe);
}

#endif


static void
ngx_rtmp_route_probe_ready(ngx_rtmp_route_probe_t *probe)
{
    ngx_connection_t  *c;

    c = probe->connection;

    probe->action = (probe->type == NGX_RTMP_ROUTE_CHECK_RTMP)
                    ? "handshake" : "request";

    ngx_memzero(&probe->answer, sizeof(ngx_rtmp_route_probe_answer_t));

    probe->out.pos = probe->out.start;
    probe->out.last = probe->out.end;

    c->read->handler = ngx_rtmp_route_probe_read_handler;
    c->write->handler = ngx_rtmp_route_probe_write_handler;

    ngx_rtmp_route_probe_write_handler(c->write);
}


static void
ngx_rtmp_route_probe_write_handler(ngx_event_t *ev)
{
    ssize_t                  n;
    ngx_buf_t               *b;
    ngx_connection_t        *c;
    ngx_rtmp_route_probe_t  *probe;

    c = ev->data;
    probe = c->data;
    b = &probe->out;

    while (b->pos < b->last) {

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_rtmp_route_probe_failed(probe, ngx_socket_errno, "send()");
            return;
        }

        b->pos += n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_rtmp_route_probe_failed(probe, 0, probe->action);
        return;
    }

    ngx_rtmp_route_probe_read_handler(c->read);
}


static void
ngx_rtmp_route_probe_read_handler(ngx_event_t *ev)
{
    ssize_t                  n;
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_rtmp_route_probe_t  *probe;
    u_char                   buf[4096];

    c = ev->data;
    probe = c->data;

    for ( ;; ) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {

            if (probe->told) {
                ngx_rtmp_route_probe_end(probe);
                return;
            }

            ngx_rtmp_route_probe_failed(probe,
                                        n ? ngx_socket_errno : 0,
                                        n ? "recv()" : probe->action);
            return;
        }

        rc = ngx_rtmp_route_probe_answer(probe, buf, buf + n);

        if (rc == NGX_ERROR) {
            ngx_rtmp_route_probe_failed(probe, 0, NULL);
            return;
        }

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (!probe->told) {
            ngx_rtmp_route_probe_passed(probe);

            ngx_add_timer(&probe->event, NGX_RTMP_ROUTE_PROBE_LINGER);
        }

        if (rc == NGX_DONE) {
            ngx_rtmp_route_probe_end(probe);
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_rtmp_route_probe_failed(probe, 0, probe->action);
    }
}


/* as the functions of ngx_rtmp_route_probe_proto.h */

static ngx_int_t
ngx_rtmp_route_probe_answer(ngx_rtmp_route_probe_t *probe, u_char *pos,
    u_char *last)
{
    ngx_int_t                       rc;
    ngx_rtmp_route_probe_answer_t  *answer;

    answer = &probe->answer;

    if (probe->type == NGX_RTMP_ROUTE_CHECK_RTMP) {
        rc = ngx_rtmp_route_probe_rtmp_read(answer, pos, last);

    } else {
        rc = ngx_rtmp_route_probe_http_read(answer, pos, last);

        if ((rc == NGX_OK || rc == NGX_DONE) && !probe->told
            && !ngx_rtmp_route_probe_expected(probe->check, answer->status))
        {
            probe->error.len = ngx_snprintf(probe->error_buf,
                                            NGX_RTMP_ROUTE_WHY_LEN,
                                            "unexpected status %ui from %V",
                                            answer->status, &probe->addr)
                               - probe->error_buf;
            return NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        probe->error.len = ngx_snprintf(probe->error_buf,
                                        NGX_RTMP_ROUTE_WHY_LEN, "%s from %V",
                                        answer->error, &probe->addr)
                           - probe->error_buf;
    }

    return rc;
}


static ngx_uint_t
ngx_rtmp_route_probe_expected(ngx_rtmp_route_check_t *check,
    ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; i < check->nstatus; i++) {
        if (status >= check->status[i].first
            && status <= check->status[i].last)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_rtmp_route_probe_passed(ngx_rtmp_route_probe_t *probe)
{
    probe->told = 1;
    probe->handler(probe, NULL);
}


/* text is NULL if probe->error is set already */

static void
ngx_rtmp_route_probe_failed(ngx_rtmp_route_probe_t *probe, ngx_err_t err,
    const char *text)
{
    u_char  *p, *last;

    if (probe->told) {
        ngx_rtmp_route_probe_end(probe);
        return;
    }

    if (text) {
        p = probe->error_buf;
        last = p + NGX_RTMP_ROUTE_WHY_LEN;

        if (err == NGX_ETIMEDOUT) {
            p = ngx_slprintf(p, last, "%s to %V timed out", text,
                             &probe->addr);

        } else {
            p = ngx_slprintf(p, last, "%s to %V failed", text, &probe->addr);

            if (err) {
                p = ngx_slprintf(p, last, " (%d: ", err);
                p = ngx_strerror(err, p, last - p);
                p = ngx_slprintf(p, last, ")");
            }
        }

        probe->error.len = p - probe->error_buf;
    }

    probe->error.data = probe->error_buf;

    ngx_rtmp_route_probe_disconnect(probe);

    if (++probe->endpoint < probe->target.nendpoints[probe->protocol]) {
        ngx_rtmp_route_probe_connect(probe);
        return;
    }

    probe->told = 1;
    probe->handler(probe, &probe->error);

    ngx_rtmp_route_probe_end(probe);
}


static void
ngx_rtmp_route_probe_disconnect(ngx_rtmp_route_probe_t *probe)
{
    ngx_connection_t  *c;

    if (probe->event.timer_set) {
        ngx_del_timer(&probe->event);
    }

    c = probe->connection;

    if (c == NULL) {
        return;
    }

#if (NGX_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = !c->ssl->handshaked;
        (void) ngx_ssl_shutdown(c);
    }

#endif

    ngx_close_connection(c);

    probe->connection = NULL;
}


static void
ngx_rtmp_route_probe_end(ngx_rtmp_route_probe_t *probe)
{
    if (probe->event.posted) {
        ngx_delete_posted_event(&probe->event);
    }

    ngx_rtmp_route_probe_disconnect(probe);

    probe->closed(probe);

    /* the log is in the pool */

    probe->pool->log = ngx_cycle->log;

    ngx_destroy_pool(probe->pool);
}


void
ngx_rtmp_route_probe_cancel(ngx_rtmp_route_probe_t *probe)
{
    probe->told = 1;

    ngx_rtmp_route_probe_end(probe);
}
