
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Where nginx-rtmp, or nginx-http-flv-module whose headers have the same
 * names, keeps what "listen" says.
 */


#ifndef _NGX_RTMP_ROUTE_RTMP_LISTEN_H_INCLUDED_
#define _NGX_RTMP_ROUTE_RTMP_LISTEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_rtmp.h>
#include "ngx_rtmp_route_rtmp.h"


/* of the headers; both have ngx_rtmp.h */

#if defined NGX_HTTP_FLV_LIVE_REQUEST
#define NGX_RTMP_ROUTE_HTTP_FLV  1
#else
#define NGX_RTMP_ROUTE_HTTP_FLV  0
#endif


/*
 * Called for each "listen" of each server, with what is known of it.  Any code
 * but NGX_OK ends the walk.
 */
typedef ngx_int_t (*ngx_rtmp_route_rtmp_listen_pt)(ngx_rtmp_conf_ctx_t *ctx,
    ngx_rtmp_route_rtmp_listen_t *listen);

ngx_int_t ngx_rtmp_route_rtmp_listens(ngx_rtmp_core_main_conf_t *cmcf,
    ngx_rtmp_route_rtmp_listen_pt handler);


#endif /* _NGX_RTMP_ROUTE_RTMP_LISTEN_H_INCLUDED_ */
