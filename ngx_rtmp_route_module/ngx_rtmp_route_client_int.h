
/*
 * Copyright (C) The nginx-osp authors
 */


/* Inside the HTTP client only. */


#ifndef _NGX_RTMP_ROUTE_CLIENT_INT_H_INCLUDED_
#define _NGX_RTMP_ROUTE_CLIENT_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_client.h"


/* in the pool of the connection, which lives as long as it */

typedef struct ngx_rtmp_route_client_conn_s {
    ngx_queue_t                      queue;       /* while it is idle */
    ngx_connection_t                *connection;
    ngx_rtmp_route_client_t         *client;
} ngx_rtmp_route_client_conn_t;


/* ngx_rtmp_route_client.c: idle connections */

/* NULL if there is none */
ngx_rtmp_route_client_conn_t *ngx_rtmp_route_client_get(
    ngx_rtmp_route_client_t *client);

/* keeps the connection for a next request, or closes it */
void ngx_rtmp_route_client_put(ngx_rtmp_route_client_conn_t *conn);

void ngx_rtmp_route_client_close(ngx_rtmp_route_client_conn_t *conn);


/* ngx_rtmp_route_request.c */

/* calls the handler and frees the request */
void ngx_rtmp_route_request_end(ngx_rtmp_route_request_t *request,
    ngx_uint_t keep);

/* gives the connection back, to be kept or closed */
void ngx_rtmp_route_request_release(ngx_rtmp_route_request_t *request,
    ngx_uint_t keep);

void ngx_rtmp_route_request_free(ngx_rtmp_route_request_t *request);

/* the request in one buffer */
ngx_int_t ngx_rtmp_route_request_build(ngx_rtmp_route_request_t *request);

/* frees all requests of a client, or of all, without a call of handlers */
void ngx_rtmp_route_request_free_all(ngx_rtmp_route_client_t *client);

/* notes why it fails; level 0: somebody else has logged it */
void ngx_rtmp_route_request_note(ngx_rtmp_route_request_t *request,
    ngx_uint_t level, ngx_err_t err, const char *fmt, ...);


/* ngx_rtmp_route_client_connect.c: from a name to a connection */

void ngx_rtmp_route_request_begin_handler(ngx_event_t *ev);
void ngx_rtmp_route_request_begin(ngx_rtmp_route_request_t *request);
void ngx_rtmp_route_request_connect(ngx_rtmp_route_request_t *request);

/* this address does not do */
void ngx_rtmp_route_request_next(ngx_rtmp_route_request_t *request);


/* ngx_rtmp_route_client_io.c */

/* the connection is there, TLS included */
void ngx_rtmp_route_request_ready(ngx_rtmp_route_request_t *request);


#if (NGX_SSL)

/* ngx_rtmp_route_client_ssl.c */

ngx_int_t ngx_rtmp_route_client_ssl_init(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client);
void ngx_rtmp_route_client_ssl_connect(ngx_rtmp_route_request_t *request);

#endif


#endif /* _NGX_RTMP_ROUTE_CLIENT_INT_H_INCLUDED_ */
