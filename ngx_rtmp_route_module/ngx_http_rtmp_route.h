
/*
 * Copyright (C) The nginx-osp authors
 */


/* The look-up of a location and the balancer of http{}, which share it. */


#ifndef _NGX_HTTP_RTMP_ROUTE_H_INCLUDED_
#define _NGX_HTTP_RTMP_ROUTE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"


#define NGX_HTTP_RTMP_ROUTE_NAMES  6


/* the keys that a request may mean, in the order of looking them up */

typedef struct {
    ngx_uint_t                       n;
    ngx_uint_t                       fallback;
    ngx_str_t                        key[NGX_HTTP_RTMP_ROUTE_NAMES];
    ngx_rtmp_route_mapped_t          mapped;
} ngx_http_rtmp_route_keys_t;


/* rtmp_route NAME PROTOCOL [key=] in upstream{} */

typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_uint_t                       protocol;
    ngx_http_complex_value_t        *key;
} ngx_http_rtmp_route_srv_conf_t;


/* rtmp_route NAME [PROTOCOL] in a location */

typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_uint_t                       protocol;
    ngx_array_t                     *suffixes; /* of ngx_str_t, or NULL: */
                                               /* endings of variants */
} ngx_http_rtmp_route_loc_conf_t;


/* found again through a pool cleanup after a redirect has cleared r->ctx */

typedef struct {
    ngx_http_request_t              *request;
    ngx_rtmp_route_t                *route;
    ngx_str_t                        key;      /* chosen by a look-up */

    ngx_str_t                        server;
    ngx_str_t                        host;
    ngx_uint_t                       protocol;
    ngx_rtmp_route_ref_t             ref;      /* of the server */
    uint32_t                         place;    /* likewise */
    ngx_http_upstream_t             *upstream; /* that asks it */

    ngx_str_t                        uri;      /* as the client has it */
    ngx_str_t                        changed;  /* as the server has it, or */
                                               /* empty */
    ngx_str_t                        args;     /* those it is not to have */

    ngx_http_rtmp_route_keys_t       keys;
    ngx_msec_t                       timeout;  /* of connecting and between */
                                               /* reads, at most; 0: none */
    ngx_rtmp_route_wait_t            wait;
    ngx_event_t                      timer;

    unsigned                         chosen:1;
    unsigned                         found:1;    /* key is set, maybe empty */
    unsigned                         waiting:1;  /* wait is queued */
    unsigned                         waited:1;   /* the timer was started */
    unsigned                         timedout:1;
    unsigned                         unsure:1;   /* nobody can tell */
    unsigned                         full:1;     /* servers have no room */
    unsigned                         only:1;     /* no other server */
    unsigned                         told:1;     /* somebody says that the */
                                                 /* stream is there */
    unsigned                         quiet:1;    /* what a search finds is */
                                                 /* not remembered */
    unsigned                         searched:1; /* it was not on the first */
                                                 /* server that was asked */
} ngx_http_rtmp_route_ctx_t;


/* ngx_http_rtmp_route_ctx.c */

/* the context of the request or, for a subrequest without one, its parent's */
ngx_http_rtmp_route_ctx_t *ngx_http_rtmp_route_get_ctx(ngx_http_request_t *r);
ngx_http_rtmp_route_ctx_t *ngx_http_rtmp_route_create_ctx(
    ngx_http_request_t *r, ngx_rtmp_route_t *route);

/* it waits no longer */
void ngx_http_rtmp_route_cancel(void *data);

/* the same server for another request */
void ngx_http_rtmp_route_copy_ctx(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_http_rtmp_route_ctx_t *octx);

/* adds a header to the answer; name and value must last as long as it */
ngx_int_t ngx_http_rtmp_route_add_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);

/* remembers the server for the variables */
ngx_int_t ngx_http_rtmp_route_choose(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx, ngx_rtmp_route_peer_t *peer);

/*
 * The context of a request that a server of the route answers, NULL: somebody
 * else does.  With route NULL that of any route.
 */
ngx_http_rtmp_route_ctx_t *ngx_http_rtmp_route_answered_by(
    ngx_http_request_t *r, ngx_rtmp_route_t *route);

/*
 * For a request that asks for something else where another one was answered,
 * one of the same main request: the same server of the route, with r->uri as
 * it is.  NGX_DECLINED: that was not answered by a server of a route.
 */
ngx_int_t ngx_http_rtmp_route_again(ngx_http_request_t *r,
    ngx_http_request_t *answered);

/*
 * For subrequests of r: a server that hangs is left after so many ms (0: as
 * the location says), quiet: where the stream is found is remembered by the
 * caller, who looks at what it is, if at all; and with a peer this server is
 * asked, for that stream, and no other one.
 */
ngx_int_t ngx_http_rtmp_route_ask(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_msec_t timeout, ngx_uint_t quiet,
    ngx_str_t *key, ngx_rtmp_route_peer_t *peer);


/* ngx_http_rtmp_route_name.c */

/*
 * NGX_OK, NGX_DECLINED: the request names no stream, or NGX_ERROR.  What a rule
 * says of it is set with NGX_DECLINED, too.
 */
ngx_int_t ngx_http_rtmp_route_keys(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_http_rtmp_route_keys_t *keys);

/*
 * Sets query->key to the first known of the keys and returns as a look-up
 * does; with NGX_DECLINED none is known and query->key is the fallback.
 */
ngx_int_t ngx_http_rtmp_route_known(ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_keys_t *keys, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer);

/*
 * The only servers, in their order, for a path that is as clients have it;
 * NULL: any; none of those there are, if a rule refuses it
 */
ngx_array_t *ngx_http_rtmp_route_servers(ngx_rtmp_route_t *route,
    ngx_pool_t *pool, ngx_str_t *path);

/*
 * Makes r->uri and r->args what the server is to be asked for.  NGX_OK;
 * NGX_DECLINED: they are; NGX_ABORT: a rule refuses it; NGX_ERROR.  And back,
 * after a redirect.
 */
ngx_int_t ngx_http_rtmp_route_change_uri(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx);
void ngx_http_rtmp_route_restore_uri(ngx_http_request_t *r);


/* ngx_http_rtmp_route_module.c */

/* the protocol of that name, NGX_RTMP_ROUTE_NONE: unknown */
ngx_uint_t ngx_http_rtmp_route_protocol(ngx_str_t *name);

/*
 * ngx_http_rtmp_route_hold.c: a request waits in a phase, whose handler returns
 * NGX_AGAIN; meanwhile it is noticed if its client leaves.  Then its phases go
 * on, where it waited; it may be gone after that.
 */
ngx_int_t ngx_http_rtmp_route_hold(ngx_http_request_t *r);
void ngx_http_rtmp_route_go_on(ngx_http_request_t *r);

/* ngx_http_rtmp_route_upstream.c: the directive of upstream{} */
char *ngx_http_rtmp_route_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


extern ngx_module_t  ngx_http_rtmp_route_module;


#endif /* _NGX_HTTP_RTMP_ROUTE_H_INCLUDED_ */
