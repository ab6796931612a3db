
/*
 * Copyright (C) The nginx-osp authors
 */


/* The status page, its JSON and metrics; between its own files only. */


#ifndef _NGX_HTTP_RTMP_ROUTE_STATUS_INT_H_INCLUDED_
#define _NGX_HTTP_RTMP_ROUTE_STATUS_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_http_rtmp_route_status.h"


#define NGX_HTTP_RTMP_ROUTE_STATUS_PAGE     1
#define NGX_HTTP_RTMP_ROUTE_STATUS_JSON     2
#define NGX_HTTP_RTMP_ROUTE_STATUS_METRICS  3

/* servers of a route that are shown as JSON, at most */

#define NGX_HTTP_RTMP_ROUTE_STATUS_LIMIT    1000


/* what was read of a route */

typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_rtmp_route_summary_t         summary;
    ngx_rtmp_route_table_stat_t      stat;
    ngx_rtmp_route_counters_t        counters;
    ngx_rtmp_route_control_stat_t    control;
    uint64_t                         in;
    uint64_t                         out;
    ngx_uint_t                       bans;
} ngx_http_rtmp_route_status_route_t;


typedef struct ngx_http_rtmp_route_status_ctx_s
    ngx_http_rtmp_route_status_ctx_t;

struct ngx_http_rtmp_route_status_ctx_s {
    ngx_uint_t                           write;
    ngx_uint_t                           nroutes;
    ngx_http_rtmp_route_status_route_t  *routes;
    ngx_http_rtmp_route_status_route_t   none;     /* what has no route */
    void                                *parts[
                                      NGX_HTTP_RTMP_ROUTE_STATUS_MAX_PARTS];

    /* where the step is */

    ngx_uint_t                           phase;
    ngx_uint_t                           i;        /* route or part */
    ngx_uint_t                           family;   /* metric */
    uint32_t                             cursor;
    ngx_uint_t                           pass;

    ngx_str_t                            filter;   /* of servers' ids */
    ngx_uint_t                           limit;
    ngx_uint_t                           listed;
    ngx_uint_t                           matched;
};


/* words for NGX_RTMP_ROUTE_UP ..., and those of the API */

ngx_str_t *ngx_http_rtmp_route_status_state(ngx_uint_t state);

/* whether such a server gets new streams */

ngx_uint_t ngx_http_rtmp_route_status_up(ngx_rtmp_route_t *route,
    ngx_uint_t state);

/* words for reasons of refusals, types and states of sessions */

extern ngx_str_t  ngx_http_rtmp_route_status_refused[];
extern ngx_str_t  ngx_http_rtmp_route_status_types[];
extern ngx_str_t  ngx_http_rtmp_route_status_steps[];

/* ngx_http_rtmp_route_status_json.c and _metrics.c: once all was read */

ngx_int_t ngx_http_rtmp_route_status_json_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);
ngx_int_t ngx_http_rtmp_route_status_metrics_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);


#endif /* _NGX_HTTP_RTMP_ROUTE_STATUS_INT_H_INCLUDED_ */
