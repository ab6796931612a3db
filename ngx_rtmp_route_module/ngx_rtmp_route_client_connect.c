
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client_int.h"


#define NGX_RTMP_ROUTE_REQUEST_ADDRS   16


static void ngx_rtmp_route_request_resolve(ngx_rtmp_route_request_t *request);
static void ngx_rtmp_route_request_resolved(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_request_addrs(
    ngx_rtmp_route_request_t *request, ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_request_open(
    ngx_rtmp_route_request_t *request, ngx_addr_t *addr);
static void ngx_rtmp_route_request_attach(ngx_rtmp_route_request_t *request,
    ngx_rtmp_route_client_conn_t *conn);
static void ngx_rtmp_route_request_connect_handler(ngx_event_t *ev);
static void ngx_rtmp_route_request_connected(
    ngx_rtmp_route_request_t *request);


void
ngx_rtmp_route_request_begin_handler(ngx_event_t *ev)
{
    ngx_connection_t  *dumb;

    dumb = ev->data;

    ngx_rtmp_route_request_begin(dumb->data);
}


void
ngx_rtmp_route_request_begin(ngx_rtmp_route_request_t *request)
{
    ngx_rtmp_route_client_t       *client;
    ngx_rtmp_route_client_conn_t  *conn;

    client = request->client;

    conn = request->fresh ? NULL : ngx_rtmp_route_client_get(client);

    if (conn) {
        ngx_rtmp_route_request_attach(request, conn);

        request->reused = 1;

        ngx_rtmp_route_request_ready(request);
        return;
    }

    request->reused = 0;

    if (client->naddrs) {
        request->addrs = client->addrs;
        request->naddrs = ngx_min(client->naddrs,
                                  NGX_RTMP_ROUTE_REQUEST_ADDRS);

        ngx_rtmp_route_request_connect(request);
        return;
    }

    ngx_rtmp_route_request_resolve(request);
}


static void
ngx_rtmp_route_request_resolve(ngx_rtmp_route_request_t *request)
{
    ngx_resolver_ctx_t       *ctx;
    ngx_rtmp_route_client_t  *client;

    client = request->client;
    ctx = NGX_NO_RESOLVER;

    request->log->action = "resolving server";

    if (client->conf.resolver) {
        ctx = ngx_resolve_start(client->conf.resolver, NULL);
    }

    if (ctx == NGX_NO_RESOLVER) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "no address of \"%V\" is known and no "
                                    "resolver defined", &client->host);
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    if (ctx == NULL) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "no memory to resolve \"%V\"",
                                    &client->host);
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    ctx->name = client->host;
    ctx->handler = ngx_rtmp_route_request_resolved;
    ctx->data = request;
    ctx->timeout = client->conf.resolver_timeout;
    ctx->cancelable = !request->waited;

    request->resolving = ctx;

    /* the handler may have been called, and the request be freed, after it */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        request->resolving = NULL;

        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "\"%V\" could not be resolved",
                                    &client->host);
        ngx_rtmp_route_request_end(request, 0);
    }
}


static void
ngx_rtmp_route_request_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_rtmp_route_client_t   *client;
    ngx_rtmp_route_request_t  *request;

    request = ctx->data;
    client = request->client;

    if (ctx->state) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "\"%V\" could not be resolved (%i: %s)",
                                    &client->host, ctx->state,
                                    ngx_resolver_strerror(ctx->state));
    }

    rc = ngx_rtmp_route_request_addrs(request, ctx);

    ngx_resolve_name_done(ctx);
    request->resolving = NULL;

    if (rc != NGX_OK) {
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    ngx_rtmp_route_request_connect(request);
}


/* the address that did last time comes first; it does if no other is known */

static ngx_int_t
ngx_rtmp_route_request_addrs(ngx_rtmp_route_request_t *request,
    ngx_resolver_ctx_t *ctx)
{
    u_char                   *p;
    ngx_addr_t               *addr, temp;
    ngx_uint_t                i, n;
    struct sockaddr          *sa;
    ngx_resolver_addr_t       last, *from;
    ngx_rtmp_route_client_t  *client;

    client = request->client;

    from = ctx->addrs;
    n = ngx_min(ctx->naddrs, NGX_RTMP_ROUTE_REQUEST_ADDRS);

    if (ctx->state) {

        if (ctx->state == NGX_RESOLVE_NXDOMAIN || client->last_len == 0) {
            return NGX_ERROR;
        }

        ngx_memzero(&last, sizeof(ngx_resolver_addr_t));

        last.sockaddr = &client->last.sockaddr;
        last.socklen = client->last_len;

        from = &last;
        n = 1;
    }

    addr = ngx_pcalloc(request->pool, n * sizeof(ngx_addr_t));
    if (addr == NULL) {
        return NGX_ERROR;
    }

    request->addrs = addr;
    request->naddrs = n;

    for (i = 0; i < n; i++, addr++) {

        sa = ngx_palloc(request->pool, from[i].socklen);
        p = ngx_pnalloc(request->pool, NGX_SOCKADDR_STRLEN);

        if (sa == NULL || p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(sa, from[i].sockaddr, from[i].socklen);
        ngx_inet_set_port(sa, client->port);

        addr->sockaddr = sa;
        addr->socklen = from[i].socklen;
        addr->name.data = p;
        addr->name.len = ngx_sock_ntop(sa, addr->socklen, p,
                                       NGX_SOCKADDR_STRLEN, 1);

        if (i && client->last_len
            && ngx_cmp_sockaddr(sa, addr->socklen, &client->last.sockaddr,
                                client->last_len, 1)
               == NGX_OK)
        {
            temp = *addr;
            *addr = request->addrs[0];
            request->addrs[0] = temp;
        }
    }

    return NGX_OK;
}


void
ngx_rtmp_route_request_connect(ngx_rtmp_route_request_t *request)
{
    ngx_int_t    rc;
    ngx_addr_t  *addr;

    request->log->action = "connecting to server";

    while (request->naddr < request->naddrs) {

        addr = &request->addrs[request->naddr];

        rc = ngx_rtmp_route_request_open(request, addr);

        if (rc == NGX_OK) {
            ngx_rtmp_route_request_connected(request);
            return;
        }

        if (rc == NGX_AGAIN) {
            ngx_add_timer(request->conn->connection->write,
                          request->client->conf.connect_timeout);
            return;
        }

        ngx_rtmp_route_request_note(request, 0, 0, "connect() to %V failed",
                                    &addr->name);

        if (rc == NGX_ERROR) {
            break;
        }

        request->naddr++;
    }

    ngx_rtmp_route_request_end(request, 0);
}


static ngx_int_t
ngx_rtmp_route_request_open(ngx_rtmp_route_request_t *request,
    ngx_addr_t *addr)
{
    ngx_int_t                      rc;
    ngx_connection_t              *c;
    ngx_peer_connection_t          peer;
    ngx_rtmp_route_client_conn_t  *conn;

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = addr->sockaddr;
    peer.socklen = addr->socklen;
    peer.name = &addr->name;
    peer.get = ngx_event_get_peer;
    peer.log = request->log;
    peer.log_error = NGX_ERROR_ERR;
    peer.so_keepalive = 1;

    rc = ngx_event_connect_peer(&peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return rc;
    }

    c = peer.connection;

    c->pool = ngx_create_pool(512, request->log);
    if (c->pool == NULL) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    conn = ngx_pcalloc(c->pool, sizeof(ngx_rtmp_route_client_conn_t));
    if (conn == NULL) {
        ngx_destroy_pool(c->pool);
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    conn->connection = c;
    conn->client = request->client;

    ngx_rtmp_route_request_attach(request, conn);

    return rc;
}


static void
ngx_rtmp_route_request_attach(ngx_rtmp_route_request_t *request,
    ngx_rtmp_route_client_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;
    request->conn = conn;

    c->data = request;
    c->log_error = request->quiet ? NGX_ERROR_INFO : NGX_ERROR_ERR;
    c->log = request->log;
    c->pool->log = request->log;
    c->read->log = request->log;
    c->write->log = request->log;
    c->read->cancelable = !request->waited;
    c->write->cancelable = !request->waited;
    c->read->handler = ngx_rtmp_route_request_connect_handler;
    c->write->handler = ngx_rtmp_route_request_connect_handler;
}


static void
ngx_rtmp_route_request_connect_handler(ngx_event_t *ev)
{
    ngx_err_t                  err;
    ngx_addr_t                *addr;
    ngx_connection_t          *c;
    ngx_rtmp_route_request_t  *request;

    c = ev->data;
    request = c->data;
    addr = &request->addrs[request->naddr];

    if (c->close) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "request ended as nginx exits");
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    if (ev->timedout) {
        request->timedout = 1;
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                    "connect() to %V timed out", &addr->name);
        ngx_rtmp_route_request_next(request);
        return;
    }

    if (!ev->write) {
        return;
    }

    err = ngx_rtmp_route_client_connected(c);

    if (err) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, err,
                                    "connect() to %V failed", &addr->name);
        ngx_rtmp_route_request_next(request);
        return;
    }

    ngx_rtmp_route_request_connected(request);
}


/* epoll tells of a connection when there is one, or when there is none */

ngx_err_t
ngx_rtmp_route_client_connected(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_rtmp_route_request_connected(ngx_rtmp_route_request_t *request)
{
    ngx_connection_t  *c;

    c = request->conn->connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_rtmp_route_request_note(request, 0, 0, "connection was lost");
        ngx_rtmp_route_request_next(request);
        return;
    }

#if (NGX_SSL)

    if (request->client->https) {
        ngx_rtmp_route_client_ssl_connect(request);
        return;
    }

#endif

    ngx_rtmp_route_request_ready(request);
}


void
ngx_rtmp_route_request_next(ngx_rtmp_route_request_t *request)
{
    ngx_rtmp_route_request_release(request, 0);

    request->naddr++;

    ngx_rtmp_route_request_connect(request);
}
