
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The status page, its JSON and metrics: how they are written, and the parts
 * that other modules add.  Nothing in them may name a stream or a client.
 */


#ifndef _NGX_HTTP_RTMP_ROUTE_STATUS_H_INCLUDED_
#define _NGX_HTTP_RTMP_ROUTE_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_json.h"


#define NGX_HTTP_RTMP_ROUTE_STATUS_MAX_PARTS  4

/* pairs of labels and their values */

#define NGX_HTTP_RTMP_ROUTE_STATUS_LABELS     3


/* one metric: its lines follow each other */

typedef struct {
    const char      *name;
    const char      *type;         /* "counter", "gauge", "histogram" */
    const char      *help;
} ngx_http_rtmp_route_metric_t;


/*
 * What another module shows.  read is called once or more before the others,
 * in turns of the event loop: some work with each call, *data is NULL at first
 * and goes with the pool of the request.  NGX_AGAIN: there is more to read;
 * NGX_DONE; NGX_ERROR.  The others write what was read: all metrics, or values
 * for an object of JSON.
 */

typedef struct {
    ngx_int_t      (*read)(ngx_http_request_t *r, void **data);
    void           (*json)(ngx_rtmp_route_json_t *json, void *data);
    void           (*metrics)(ngx_rtmp_route_json_t *json, void *data);
} ngx_http_rtmp_route_status_part_t;


/*
 * In postconfiguration; part has to live as long as the configuration.
 * NGX_ERROR after one log line.
 */
ngx_int_t ngx_http_rtmp_route_status_add(ngx_conf_t *cf,
    ngx_http_rtmp_route_status_part_t *part);


/*
 * ngx_http_rtmp_route_status_metrics.c
 */

/* HELP and TYPE, before the first line of a metric */
void ngx_http_rtmp_route_metric(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric);

/*
 * A line of it.  labels are names and values in turn, up to the first NULL
 * name or the limit; values are escaped.
 */
void ngx_http_rtmp_route_metric_line(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric, const char **names,
    ngx_str_t **values, uint64_t value);

/* the same with a value in ms, shown in seconds */
void ngx_http_rtmp_route_metric_time(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric, const char **names,
    ngx_str_t **values, uint64_t msec);


#endif /* _NGX_HTTP_RTMP_ROUTE_STATUS_H_INCLUDED_ */
