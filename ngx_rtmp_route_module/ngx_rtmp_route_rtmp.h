
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * An nginx-rtmp that registers itself with proxies.  What needs nginx-rtmp's
 * headers is in ngx_rtmp_route_rtmp_module.c; each worker writes down which
 * streams it has, in shared memory, and one of them registers for all.
 */


#ifndef _NGX_RTMP_ROUTE_RTMP_H_INCLUDED_
#define _NGX_RTMP_ROUTE_RTMP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client.h"


typedef struct {
    ngx_sockaddr_t                   sockaddr;
    unsigned                         wildcard:1;
    unsigned                         dual:1;      /* IPv6, and IPv4 as well */
    unsigned                         proxy_protocol:1;
} ngx_rtmp_route_rtmp_listen_t;


/* a proxy with which this nginx registers */

typedef struct {
    ngx_rtmp_route_client_t         *client;
    ngx_str_t                        url;
    ngx_str_t                        id;
    ngx_str_t                        ip;          /* or empty */
    ngx_str_t                        bearer;      /* or empty */
    ngx_resolver_t                  *resolver;
    ngx_msec_t                       interval;
    ngx_uint_t                       http;        /* port; 0: none */
    ngx_uint_t                       weight;      /* 0: unset */
    ngx_uint_t                       max_streams; /* 0: unset */
    ngx_array_t                      listens;
    ngx_array_t                      ports;       /* in_port_t, of servers */
    uint64_t                         key;         /* of its URL */

    /* of the worker that registers */

    ngx_event_t                      event;
    ngx_connection_t                 dumb;
    ngx_rtmp_route_request_t        *request;     /* that runs */
    ngx_uint_t                       fails;       /* in a row */
    ngx_msec_t                       connected;   /* last time, anew */
    ngx_sockaddr_t                   peer;        /* of the request */
    unsigned                         known:1;     /* it has answered */
    unsigned                         failing:1;   /* which was logged */
    unsigned                         pending:1;   /* something has changed */
    unsigned                         leaving:1;
    unsigned                         cut:1;       /* streams, logged */
} ngx_rtmp_route_rtmp_proxy_t;


/* a stream of all processes, as it is registered */

typedef struct {
    ngx_str_t                        name;        /* app/stream */
    in_port_t                        port;        /* of its server */
    ngx_uint_t                       publishers;
    ngx_uint_t                       players;
} ngx_rtmp_route_rtmp_stream_t;


/* ngx_rtmp_route_rtmp_streams.c */

/* the name of a socket as the kernel makes it up, without end */
#define NGX_RTMP_ROUTE_RTMP_LINK  6

/*
 * In the master, after the slots were made; later calls only tell who may
 * register: workers of that configuration.  NGX_ERROR after one log line.
 */
ngx_int_t ngx_rtmp_route_rtmp_streams_create(ngx_uint_t cycle,
    ngx_log_t *log);

/* In a worker that has claimed a slot: what it has is shown from now on. */
void ngx_rtmp_route_rtmp_streams_claim(ngx_uint_t cycle);

/* this worker registers for all, and will be woken; whether it still does */
void ngx_rtmp_route_rtmp_streams_lead(void);
ngx_uint_t ngx_rtmp_route_rtmp_streams_leads(void);

/*
 * The socket of this worker for players of other workers, for the server that
 * has that port; after the claim.  NGX_OK, or NGX_DECLINED: no room, no slot.
 */
ngx_int_t ngx_rtmp_route_rtmp_streams_link(in_port_t port, u_char *name);

/*
 * The worker that has the stream, or is to pull it for all; or with published
 * only one that has a publisher of it.  NGX_OK: link is its socket, which is
 * not bad; NGX_DECLINED: this one, or none.
 */
ngx_int_t ngx_rtmp_route_rtmp_streams_where(in_port_t port, ngx_str_t *app,
    ngx_str_t *name, ngx_uint_t published, ngx_uint_t (*bad)(u_char *link),
    u_char *link);

/*
 * What this worker has: begin, add for each, end.  add: NGX_OK, or
 * NGX_DECLINED: there is no room.  end wakes who registers if other streams
 * are published than before.
 */

/* publishers of a stream that is another server's: pulled, or pushed there */
#define NGX_RTMP_ROUTE_RTMP_PULLED  ((ngx_uint_t) -1)
#define NGX_RTMP_ROUTE_RTMP_PUSHED  ((ngx_uint_t) -2)

void ngx_rtmp_route_rtmp_streams_begin(void);
ngx_int_t ngx_rtmp_route_rtmp_streams_add(in_port_t port, ngx_str_t *app,
    ngx_str_t *name, ngx_uint_t publishers, ngx_uint_t players);
void ngx_rtmp_route_rtmp_streams_end(ngx_uint_t full);

/* changes with what is published by all processes */
uint64_t ngx_rtmp_route_rtmp_streams_sum(void);

/*
 * The published streams of all processes on servers with these ports, sorted
 * by name, allocated from pool.  NGX_OK; NGX_DECLINED: there are more than
 * could be written down; NGX_ERROR: no memory.
 */
ngx_int_t ngx_rtmp_route_rtmp_streams_collect(ngx_pool_t *pool,
    ngx_array_t *ports, ngx_array_t *streams);


/* ngx_rtmp_route_rtmp_register.c */

/*
 * In the master: what tells this run of nginx from an earlier one, and room
 * for proxies that answer.  NGX_ERROR after one log line.
 */
ngx_int_t ngx_rtmp_route_rtmp_register_init(ngx_log_t *log);

/* in the worker that registers; proxies are of ngx_rtmp_route_rtmp_proxy_t * */
ngx_int_t ngx_rtmp_route_rtmp_register_start(ngx_cycle_t *cycle,
    ngx_array_t *proxies);

/* looks whether something has changed */
void ngx_rtmp_route_rtmp_register_check(void);


/* ngx_rtmp_route_rtmp_conf.c */

/* rtmp_route_register, without what needs nginx-rtmp; NULL after a log line */
ngx_rtmp_route_rtmp_proxy_t *ngx_rtmp_route_rtmp_proxy_parse(ngx_conf_t *cf);

/* once its listens are known */
ngx_int_t ngx_rtmp_route_rtmp_proxy_init(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy);


#endif /* _NGX_RTMP_ROUTE_RTMP_H_INCLUDED_ */
