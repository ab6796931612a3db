
/*
 * Copyright (C) The nginx-osp authors
 */


/* Caches in the status page and in metrics; answers are counted for both. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_status.h"
#include "ngx_http_hls_cache.h"
#include "ngx_http_hls_api.h"


/* streams whose viewers are counted in one turn */
#define NGX_HTTP_HLS_STATUS_STREAMS  256


typedef struct {
    ngx_str_t                     *name;
    ngx_http_hls_store_stat_t      stat;
    uint64_t                       viewers;
} ngx_http_hls_status_zone_t;


typedef struct {
    ngx_uint_t                     n;          /* zones, and those done */
    ngx_uint_t                     i;
    uint32_t                       cursor;
    ngx_http_hls_status_zone_t    *zones;
    ngx_http_hls_stream_stat_t     stream;
} ngx_http_hls_status_t;


static ngx_int_t ngx_http_hls_status_read(ngx_http_request_t *r,
    void **data);
static ngx_http_hls_status_t *ngx_http_hls_status_create(
    ngx_http_request_t *r);
static void ngx_http_hls_status_json(ngx_rtmp_route_json_t *json,
    void *data);
static void ngx_http_hls_status_zone(ngx_rtmp_route_json_t *json,
    ngx_http_hls_status_zone_t *zone);
static void ngx_http_hls_status_metrics(ngx_rtmp_route_json_t *json,
    void *data);
static uint64_t ngx_http_hls_status_value(ngx_http_hls_status_zone_t *zone,
    ngx_uint_t line);


/* in the order of NGX_HTTP_HLS_HIT ... */

static ngx_str_t  ngx_http_hls_status_words[] = {
    ngx_string("hit"),
    ngx_string("miss"),
    ngx_string("expired"),
    ngx_string("stale"),
    ngx_string("updating"),
    ngx_string("bypass")
};


static ngx_str_t  ngx_http_hls_status_ok = ngx_string("ok");
static ngx_str_t  ngx_http_hls_status_failed = ngx_string("failed");
static ngx_str_t  ngx_http_hls_status_used = ngx_string("used");
static ngx_str_t  ngx_http_hls_status_free = ngx_string("free");


enum {
    line_size = 0,
    line_used,
    line_objects,
    line_streams,
    line_viewers,
    line_cells_used,
    line_cells_free,
    line_filling,
    line_filled,
    line_failed,
    line_answers,
    line_sent = line_answers + NGX_HTTP_HLS_STORE_ANSWERS,
    line_evicted,
    line_passed,
    line_rebuilt
};


/* lines without a name are of the metric before */

static struct {
    ngx_http_rtmp_route_metric_t   metric;
    const char                    *label;
    ngx_str_t                     *value;
} ngx_http_hls_status_lines[] = {

    { { "nginx_hls_cache_size_bytes", "gauge",
        "Memory for bodies." }, NULL, NULL },
    { { "nginx_hls_cache_used_bytes", "gauge",
        "Memory for bodies that is used." }, NULL, NULL },
    { { "nginx_hls_cache_objects", "gauge",
        "Bodies in the cache." }, NULL, NULL },
    { { "nginx_hls_cache_streams", "gauge",
        "Streams in the cache." }, NULL, NULL },
    { { "nginx_hls_cache_viewers", "gauge",
        "Viewers of all streams, an estimate." }, NULL, NULL },
    { { "nginx_hls_cache_cells", "gauge",
        "Records of the zone." }, "state", &ngx_http_hls_status_used },
    { { NULL, NULL, NULL }, "state", &ngx_http_hls_status_free },
    { { "nginx_hls_cache_fills", "gauge",
        "Fills that run." }, NULL, NULL },
    { { "nginx_hls_cache_fills_total", "counter",
        "Fills that have ended." }, "result", &ngx_http_hls_status_ok },
    { { NULL, NULL, NULL }, "result", &ngx_http_hls_status_failed },
    { { "nginx_hls_cache_requests_total", "counter",
        "Requests by cache status." },
      "status", &ngx_http_hls_status_words[0] },
    { { NULL, NULL, NULL }, "status", &ngx_http_hls_status_words[1] },
    { { NULL, NULL, NULL }, "status", &ngx_http_hls_status_words[2] },
    { { NULL, NULL, NULL }, "status", &ngx_http_hls_status_words[3] },
    { { NULL, NULL, NULL }, "status", &ngx_http_hls_status_words[4] },
    { { NULL, NULL, NULL }, "status", &ngx_http_hls_status_words[5] },
    { { "nginx_hls_cache_sent_bytes_total", "counter",
        "Bytes of bodies sent to viewers." }, NULL, NULL },
    { { "nginx_hls_cache_evicted_total", "counter",
        "Objects that made room for others." }, NULL, NULL },
    { { "nginx_hls_cache_passed_total", "counter",
        "Fills that were passed through for lack of room." }, NULL, NULL },
    { { "nginx_hls_cache_rebuilds_total", "counter",
        "Rebuilds after a process had died within a change." },
      NULL, NULL }
};


static ngx_http_rtmp_route_status_part_t  ngx_http_hls_status_part = {
    ngx_http_hls_status_read,
    ngx_http_hls_status_json,
    ngx_http_hls_status_metrics
};


ngx_int_t
ngx_http_hls_status_init(ngx_conf_t *cf)
{
    return ngx_http_rtmp_route_status_add(cf, &ngx_http_hls_status_part);
}


/* a fill is no viewer's request */

ngx_int_t
ngx_http_hls_status_count(ngx_http_request_t *r)
{
    off_t                bytes;
    ngx_http_hls_ctx_t  *ctx;

    if (ngx_http_hls_fill_of(r)) {
        return NGX_OK;
    }

    ctx = ngx_http_hls_get_ctx(r);

    if (ctx == NULL || ctx->status == NGX_HTTP_HLS_NO_STATUS) {
        return NGX_OK;
    }

    bytes = r->connection->sent - (off_t) r->header_size;

    ngx_http_hls_store_answered(&ctx->zone->store, ctx->status - 1,
                                ngx_max(bytes, 0));

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_status_read(ngx_http_request_t *r, void **data)
{
    ngx_uint_t                   k;
    ngx_http_hls_zone_t        **zone;
    ngx_http_hls_status_t       *status;
    ngx_http_hls_main_conf_t    *hmcf;
    ngx_http_hls_status_zone_t  *z;

    hmcf = ngx_http_get_module_main_conf(r, ngx_http_hls_cache_module);
    zone = hmcf->zones.elts;

    status = *data;

    if (status == NULL) {
        status = ngx_http_hls_status_create(r);
        if (status == NULL) {
            return NGX_ERROR;
        }

        *data = status;
    }

    if (status->i == status->n) {
        return NGX_DONE;
    }

    z = &status->zones[status->i];

    if (z->name == NULL) {
        z->name = &zone[status->i]->name;
        ngx_http_hls_store_stat(&zone[status->i]->store, &z->stat);
    }

    for (k = 0; k < NGX_HTTP_HLS_STATUS_STREAMS; k++) {

        if (ngx_http_hls_store_stream_walk(&zone[status->i]->store,
                                           &status->cursor, &status->stream)
            != NGX_OK)
        {
            status->i++;
            status->cursor = 0;
            break;
        }

        z->viewers += status->stream.viewers;
    }

    return (status->i == status->n) ? NGX_DONE : NGX_AGAIN;
}


static ngx_http_hls_status_t *
ngx_http_hls_status_create(ngx_http_request_t *r)
{
    ngx_http_hls_status_t     *status;
    ngx_http_hls_main_conf_t  *hmcf;

    hmcf = ngx_http_get_module_main_conf(r, ngx_http_hls_cache_module);

    status = ngx_pcalloc(r->pool, sizeof(ngx_http_hls_status_t));
    if (status == NULL) {
        return NULL;
    }

    status->n = hmcf->zones.nelts;

    status->zones = ngx_pcalloc(r->pool, status->n
                                         * sizeof(ngx_http_hls_status_zone_t));
    if (status->zones == NULL) {
        return NULL;
    }

    return status;
}


static void
ngx_http_hls_status_json(ngx_rtmp_route_json_t *json, void *data)
{
    ngx_http_hls_status_t *status = data;

    ngx_uint_t  i;

    ngx_rtmp_route_json_name(json, "caches");
    ngx_rtmp_route_json_open(json, '{');

    for (i = 0; i < status->n; i++) {
        ngx_rtmp_route_json_key(json, status->zones[i].name);
        ngx_http_hls_status_zone(json, &status->zones[i]);
    }

    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_hls_status_zone(ngx_rtmp_route_json_t *json,
    ngx_http_hls_status_zone_t *zone)
{
    ngx_uint_t                  i;
    ngx_http_hls_store_stat_t  *stat;

    stat = &zone->stat;

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "size");
    ngx_rtmp_route_json_number(json, stat->size);
    ngx_rtmp_route_json_name(json, "used");
    ngx_rtmp_route_json_number(json, stat->used);
    ngx_rtmp_route_json_name(json, "objects");
    ngx_rtmp_route_json_number(json, stat->bodies);
    ngx_rtmp_route_json_name(json, "streams");
    ngx_rtmp_route_json_number(json, stat->streams);
    ngx_rtmp_route_json_name(json, "viewers");
    ngx_rtmp_route_json_number(json, zone->viewers);
    ngx_rtmp_route_json_name(json, "filling");
    ngx_rtmp_route_json_number(json, stat->fills);
    ngx_rtmp_route_json_name(json, "filled");
    ngx_rtmp_route_json_number(json, stat->filled);
    ngx_rtmp_route_json_name(json, "failed");
    ngx_rtmp_route_json_number(json, stat->failed);
    ngx_rtmp_route_json_name(json, "evicted");
    ngx_rtmp_route_json_number(json, stat->evicted);
    ngx_rtmp_route_json_name(json, "passed");
    ngx_rtmp_route_json_number(json, stat->passed);
    ngx_rtmp_route_json_name(json, "rebuilt");
    ngx_rtmp_route_json_number(json, stat->rebuilt);
    ngx_rtmp_route_json_name(json, "sent");
    ngx_rtmp_route_json_number(json, stat->sent);

    ngx_rtmp_route_json_name(json, "requests");
    ngx_rtmp_route_json_open(json, '{');

    for (i = 0; i < NGX_HTTP_HLS_STORE_ANSWERS; i++) {
        ngx_rtmp_route_json_key(json, &ngx_http_hls_status_words[i]);
        ngx_rtmp_route_json_number(json, stat->answers[i]);
    }

    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_name(json, "cells");
    ngx_rtmp_route_json_open(json, '{');
    ngx_rtmp_route_json_name(json, "used");
    ngx_rtmp_route_json_number(json, stat->cells_used);
    ngx_rtmp_route_json_name(json, "free");
    ngx_rtmp_route_json_number(json, stat->cells_total - stat->cells_used);
    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_hls_status_metrics(ngx_rtmp_route_json_t *json, void *data)
{
    ngx_http_hls_status_t *status = data;

    const char                    *names[NGX_HTTP_RTMP_ROUTE_STATUS_LABELS];
    ngx_str_t                     *values[NGX_HTTP_RTMP_ROUTE_STATUS_LABELS];
    ngx_uint_t                     i, k, n, first;
    ngx_http_rtmp_route_metric_t  *metric;

    n = sizeof(ngx_http_hls_status_lines)
        / sizeof(ngx_http_hls_status_lines[0]);

    names[0] = "zone";
    names[2] = NULL;

    for (first = 0; first < n; first = k) {

        metric = &ngx_http_hls_status_lines[first].metric;

        ngx_http_rtmp_route_metric(json, metric);

        for (i = 0; i < status->n; i++) {

            values[0] = status->zones[i].name;
            k = first;

            do {
                names[1] = ngx_http_hls_status_lines[k].label;
                values[1] = ngx_http_hls_status_lines[k].value;

                ngx_http_rtmp_route_metric_line(json, metric, names, values,
                           ngx_http_hls_status_value(&status->zones[i], k));

            } while (++k < n
                     && ngx_http_hls_status_lines[k].metric.name == NULL);
        }

        for (k = first + 1; k < n; k++) {
            if (ngx_http_hls_status_lines[k].metric.name) {
                break;
            }
        }
    }
}


static uint64_t
ngx_http_hls_status_value(ngx_http_hls_status_zone_t *zone, ngx_uint_t line)
{
    ngx_http_hls_store_stat_t  *stat;

    stat = &zone->stat;

    switch (line) {

    case line_size:
        return stat->size;

    case line_used:
        return stat->used;

    case line_objects:
        return stat->bodies;

    case line_streams:
        return stat->streams;

    case line_viewers:
        return zone->viewers;

    case line_cells_used:
        return stat->cells_used;

    case line_cells_free:
        return stat->cells_total - stat->cells_used;

    case line_filling:
        return stat->fills;

    case line_filled:
        return stat->filled;

    case line_failed:
        return stat->failed;

    case line_sent:
        return stat->sent;

    case line_evicted:
        return stat->evicted;

    case line_passed:
        return stat->passed;

    case line_rebuilt:
        return stat->rebuilt;

    default: /* line_answers ... */
        return stat->answers[line - line_answers];
    }
}
