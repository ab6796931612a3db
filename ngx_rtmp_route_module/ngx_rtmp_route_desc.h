
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A server as JSON describes it: in a registration, or in a call of the API
 * that adds or changes one.  Pure: takes parsed JSON, allocates nothing.
 */


#ifndef _NGX_RTMP_ROUTE_DESC_H_INCLUDED_
#define _NGX_RTMP_ROUTE_DESC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_json.h"
#include "ngx_rtmp_route_table.h"


/* forms of a description: which fields there are, and which it must have */

#define NGX_RTMP_ROUTE_DESC_REGISTER   0x01   /* SRS heartbeat, and ours */
#define NGX_RTMP_ROUTE_DESC_CREATE     0x02
#define NGX_RTMP_ROUTE_DESC_UPDATE     0x04

/* parameters that a description has given */

#define NGX_RTMP_ROUTE_DESC_WEIGHT        0x0001
#define NGX_RTMP_ROUTE_DESC_MAX_CONNS     0x0002
#define NGX_RTMP_ROUTE_DESC_MAX_STREAMS   0x0004
#define NGX_RTMP_ROUTE_DESC_MAX_FAILS     0x0008
#define NGX_RTMP_ROUTE_DESC_FAIL_TIMEOUT  0x0010
#define NGX_RTMP_ROUTE_DESC_SLOW_START    0x0020
#define NGX_RTMP_ROUTE_DESC_DOWN          0x0040
#define NGX_RTMP_ROUTE_DESC_DRAIN         0x0080
#define NGX_RTMP_ROUTE_DESC_BACKUP        0x0100
#define NGX_RTMP_ROUTE_DESC_UNREGISTER    0x0200

#define NGX_RTMP_ROUTE_DESC_MAX_STREAM_LIST  10000


typedef struct {
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;    /* those in given */
    ngx_uint_t                       given;
    ngx_rtmp_route_endpoint_t        addr;      /* that it says it has */
    json_t                          *streams;   /* owned by the body */
    unsigned                         too_many:1;   /* streams, ignored */
    unsigned                         added:1;      /* by a registration */
    unsigned                         leaves:1;     /* the server, by itself */
    unsigned                         left:1;       /* it was there */
} ngx_rtmp_route_desc_t;


/* NGX_OK, or NGX_DECLINED and the error */
ngx_int_t ngx_rtmp_route_desc_parse(ngx_rtmp_route_desc_t *desc, json_t *body,
    ngx_uint_t form, ngx_rtmp_route_error_t *err);

/* what a server has if nobody says anything else */
void ngx_rtmp_route_desc_defaults(ngx_rtmp_route_server_params_t *params);

/* sets the given parameters, leaves the others */
void ngx_rtmp_route_desc_params(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_server_params_t *params);

/*
 * The i-th of desc->streams.  NGX_OK: its name, which points into the body;
 * NGX_DECLINED: it has no publisher; NGX_DONE: there is none.
 */
ngx_int_t ngx_rtmp_route_desc_stream(ngx_rtmp_route_desc_t *desc, ngx_uint_t i,
    ngx_str_t *name);


#endif /* _NGX_RTMP_ROUTE_DESC_H_INCLUDED_ */
