
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Registrations: who may register, what may be claimed, and how it enters the
 * table.  Takes parsed JSON and the caller's address, knows nothing of
 * requests.
 */


#ifndef _NGX_RTMP_ROUTE_REGISTER_H_INCLUDED_
#define _NGX_RTMP_ROUTE_REGISTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_desc.h"


/* what the streams of a registration came to */

typedef struct {
    ngx_uint_t     listed;
    ngx_uint_t     invalid;       /* names no stream can have */
    ngx_uint_t     conflicts;     /* live, pinned or listed elsewhere */
    ngx_uint_t     full;          /* no room in the zone */
} ngx_rtmp_route_listing_t;


/* all return NGX_OK, or NGX_DECLINED and the error */

/* by "from=", before anything of the body is read */
ngx_int_t ngx_rtmp_route_register_caller(ngx_rtmp_route_register_t *reg,
    struct sockaddr *sockaddr, ngx_rtmp_route_error_t *err);

/*
 * By "token=", in a time that does not depend on where a wrong one differs;
 * *digest stands for the token in the table, 0 if none is needed.
 */
ngx_int_t ngx_rtmp_route_register_secret(ngx_rtmp_route_register_t *reg,
    ngx_str_t *token, uint64_t *digest, ngx_rtmp_route_error_t *err);

/* by "allow=" and "ports=", for each address and port of the description */
ngx_int_t ngx_rtmp_route_register_claim(ngx_rtmp_route_register_t *reg,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_error_t *err);

/* puts a description that passed all of these into the table */
ngx_int_t ngx_rtmp_route_register_apply(ngx_rtmp_route_t *route,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_error_t *err);

/*
 * Says that the server leaves, which is as if its time were over, and that it
 * has no streams; desc->left is set unless it was gone, or is another run of
 * it, by now.
 */
ngx_int_t ngx_rtmp_route_register_leave(ngx_rtmp_route_t *route,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_error_t *err);

/*
 * The streams it lists, after it was applied.  NGX_OK, or NGX_ERROR if there
 * is not enough memory.  What cannot be taken is left out and counted.
 */
ngx_int_t ngx_rtmp_route_register_streams(ngx_rtmp_route_t *route,
    ngx_rtmp_route_desc_t *desc, ngx_pool_t *pool,
    ngx_rtmp_route_listing_t *listing);


#endif /* _NGX_RTMP_ROUTE_REGISTER_H_INCLUDED_ */
