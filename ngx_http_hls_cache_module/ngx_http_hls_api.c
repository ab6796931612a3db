
/*
 * Copyright (C) The nginx-osp authors
 */


/* Caches in the HTTP API of the routes: what is in them, and purging. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api_section.h"
#include "ngx_http_hls_cache.h"
#include "ngx_http_hls_api.h"


/* of a list, if the request does not say how many */
#define NGX_HTTP_HLS_API_PAGE  1000


enum {
    cache_size = 0,
    cache_used,
    cache_objects,
    cache_streams,
    cache_filling,
    cache_hits,
    cache_misses,
    cache_stale,
    cache_passed,
    cache_evicted,
    cache_filled,
    cache_failed,
    cache_rebuilt,
    cache_cells
};


enum {
    stream_objects = 0,
    stream_bytes,
    stream_hits,
    stream_misses,
    stream_age,
    stream_viewers
};


static ngx_uint_t ngx_http_hls_api_viewers(ngx_rtmp_route_t *route,
    ngx_str_t *key);
static ngx_int_t ngx_http_hls_api_handler(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_call_t *call);
static ngx_http_hls_zone_t *ngx_http_hls_api_zone(ngx_str_t *path,
    ngx_str_t *rest);
static ngx_int_t ngx_http_hls_api_caches(ngx_http_request_t *r,
    ngx_http_hls_zone_t *zone);
static void ngx_http_hls_api_cache(ngx_rtmp_route_json_t *json,
    ngx_http_hls_zone_t *zone, uint64_t fields);
static uint64_t ngx_http_hls_api_cache_number(ngx_http_hls_store_stat_t *stat,
    ngx_uint_t field);
static ngx_int_t ngx_http_hls_api_streams(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_call_t *call, ngx_http_hls_zone_t *zone);
static void ngx_http_hls_api_stream(ngx_rtmp_route_json_t *json,
    ngx_http_hls_stream_stat_t *stat, uint64_t fields, ngx_uint_t hide);
static ngx_int_t ngx_http_hls_api_check(ngx_http_request_t *r,
    ngx_http_hls_zone_t *zone);
static ngx_int_t ngx_http_hls_api_delete(ngx_http_request_t *r,
    ngx_http_hls_zone_t *zone);
static ngx_int_t ngx_http_hls_api_uri(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_str_t *text);
static ngx_uint_t ngx_http_hls_api_purge(ngx_http_hls_zone_t *zone,
    ngx_str_t *uri, ngx_str_t *stream);
static ngx_uint_t ngx_http_hls_api_purge_uri(ngx_http_hls_zone_t *zone,
    ngx_str_t *uri);


static ngx_http_rtmp_route_api_field_t  ngx_http_hls_api_cache_fields[] = {
    { ngx_string("size"), cache_size },
    { ngx_string("used"), cache_used },
    { ngx_string("objects"), cache_objects },
    { ngx_string("streams"), cache_streams },
    { ngx_string("filling"), cache_filling },
    { ngx_string("hits"), cache_hits },
    { ngx_string("misses"), cache_misses },
    { ngx_string("stale"), cache_stale },
    { ngx_string("passed"), cache_passed },
    { ngx_string("evicted"), cache_evicted },
    { ngx_string("filled"), cache_filled },
    { ngx_string("failed"), cache_failed },
    { ngx_string("rebuilt"), cache_rebuilt },
    { ngx_string("cells"), cache_cells },
    { ngx_null_string, 0 }
};


static ngx_http_rtmp_route_api_field_t  ngx_http_hls_api_stream_fields[] = {
    { ngx_string("objects"), stream_objects },
    { ngx_string("bytes"), stream_bytes },
    { ngx_string("hits"), stream_hits },
    { ngx_string("misses"), stream_misses },
    { ngx_string("age"), stream_age },
    { ngx_string("viewers"), stream_viewers },
    { ngx_null_string, 0 }
};


static ngx_http_rtmp_route_api_section_t  ngx_http_hls_api_section = {
    ngx_string("caches"),
    NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_DELETE,
    ngx_http_hls_api_handler
};


ngx_int_t
ngx_http_hls_api_init(ngx_conf_t *cf)
{
    if (ngx_http_rtmp_route_api_viewers_add(cf, ngx_http_hls_api_viewers)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rtmp_route_api_section_add(cf, &ngx_http_hls_api_section);
}


/* of a stream in the table of a route */

static ngx_uint_t
ngx_http_hls_api_viewers(ngx_rtmp_route_t *route, ngx_str_t *key)
{
    ngx_uint_t                  i, j, n;
    ngx_rtmp_route_t          **routes;
    ngx_http_hls_zone_t       **zone;
    ngx_http_hls_main_conf_t   *hmcf;

    hmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_hls_cache_module);
    zone = hmcf->zones.elts;
    n = 0;

    for (i = 0; i < hmcf->zones.nelts; i++) {

        routes = zone[i]->routes.elts;

        for (j = 0; j < zone[i]->routes.nelts; j++) {

            if (routes[j] == route) {
                n += ngx_http_hls_store_viewers(&zone[i]->store, key);
                break;
            }
        }
    }

    return n;
}


/* caches/, caches/{zone}/, caches/{zone}/streams/, caches/{zone}/check */

static ngx_int_t
ngx_http_hls_api_handler(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_call_t *call)
{
    ngx_str_t             rest;
    ngx_http_hls_zone_t  *zone;

    if (call->path.len == 0) {

        if (r->method == NGX_HTTP_DELETE) {
            return ngx_http_hls_api_delete(r, NULL);
        }

        return ngx_http_hls_api_caches(r, NULL);
    }

    zone = ngx_http_hls_api_zone(&call->path, &rest);

    if (zone == NULL) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "CacheNotFound",
                                             "cache not found");
    }

    if (rest.len == 0) {

        if (r->method == NGX_HTTP_DELETE) {
            return ngx_http_hls_api_delete(r, zone);
        }

        return ngx_http_hls_api_caches(r, zone);
    }

    if (rest.len == sizeof("check") - 1
        && ngx_strncmp(rest.data, "check", rest.len) == 0)
    {
        if (!call->write || r->method == NGX_HTTP_DELETE) {
            return ngx_http_rtmp_route_api_not_allowed(r, call,
                                   call->write ? NGX_HTTP_GET|NGX_HTTP_HEAD
                                               : 0);
        }

        return ngx_http_hls_api_check(r, zone);
    }

    if (rest.len != sizeof("streams") - 1
        || ngx_strncmp(rest.data, "streams", rest.len) != 0)
    {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "PathNotFound",
                                             "path not found");
    }

    if (r->method == NGX_HTTP_DELETE) {
        return ngx_http_rtmp_route_api_not_allowed(r, call,
                                                   NGX_HTTP_GET|NGX_HTTP_HEAD);
    }

    return ngx_http_hls_api_streams(r, call, zone);
}


static ngx_http_hls_zone_t *
ngx_http_hls_api_zone(ngx_str_t *path, ngx_str_t *rest)
{
    u_char                     *p;
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_hls_zone_t       **zone;
    ngx_http_hls_main_conf_t   *hmcf;

    p = ngx_strlchr(path->data, path->data + path->len, '/');
    len = p ? (size_t) (p - path->data) : path->len;

    rest->data = p ? p + 1 : NULL;
    rest->len = p ? path->len - len - 1 : 0;

    hmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_hls_cache_module);
    zone = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {
        if (zone[i]->name.len == len
            && ngx_memcmp(zone[i]->name.data, path->data, len) == 0)
        {
            return zone[i];
        }
    }

    return NULL;
}


/* one, or all of them by their names */

static ngx_int_t
ngx_http_hls_api_caches(ngx_http_request_t *r, ngx_http_hls_zone_t *zone)
{
    uint64_t                          fields, instance;
    ngx_int_t                         rc;
    ngx_uint_t                        i, last;
    ngx_http_hls_zone_t             **zones;
    ngx_rtmp_route_json_t             json;
    ngx_http_hls_main_conf_t         *hmcf;
    ngx_http_rtmp_route_api_page_t    page;

    rc = ngx_http_rtmp_route_api_wanted(r, ngx_http_hls_api_cache_fields,
                                        &fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_rtmp_route_json_init(&json, r->pool, 1024);

    if (zone) {
        ngx_http_hls_api_cache(&json, zone, fields);
        return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
    }

    hmcf = ngx_http_get_module_main_conf(r, ngx_http_hls_cache_module);
    zones = hmcf->zones.elts;
    instance = 0;

    for (i = 0; i < hmcf->zones.nelts; i++) {
        instance = instance * 31 + ngx_crc32_short(zones[i]->name.data,
                                                   zones[i]->name.len);
    }

    ngx_http_rtmp_route_api_instance(r, instance);

    rc = ngx_http_rtmp_route_api_page(r, &page);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    i = ngx_min(page.after, hmcf->zones.nelts);
    last = hmcf->zones.nelts;

    if (page.limit && last - i > page.limit) {
        last = i + page.limit;

        if (ngx_http_rtmp_route_api_next(r, (uint32_t) last) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_rtmp_route_json_open(&json, fields ? '{' : '[');

    for ( /* void */ ; i < last; i++) {

        if (fields == 0) {
            ngx_rtmp_route_json_string(&json, &zones[i]->name);
            continue;
        }

        ngx_rtmp_route_json_key(&json, &zones[i]->name);
        ngx_http_hls_api_cache(&json, zones[i], fields);
    }

    ngx_rtmp_route_json_close(&json, fields ? '}' : ']');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


static void
ngx_http_hls_api_cache(ngx_rtmp_route_json_t *json, ngx_http_hls_zone_t *zone,
    uint64_t fields)
{
    ngx_http_hls_store_stat_t         stat;
    ngx_http_rtmp_route_api_field_t  *field;

    ngx_http_hls_store_stat(&zone->store, &stat);

    ngx_rtmp_route_json_open(json, '{');

    field = ngx_http_hls_api_cache_fields;

    for ( /* void */ ; field->name.len; field++) {

        if (!(fields & ((uint64_t) 1 << field->number))) {
            continue;
        }

        ngx_rtmp_route_json_key(json, &field->name);

        if (field->number == cache_cells) {
            ngx_rtmp_route_json_open(json, '{');
            ngx_rtmp_route_json_name(json, "used");
            ngx_rtmp_route_json_number(json, stat.cells_used);
            ngx_rtmp_route_json_name(json, "free");
            ngx_rtmp_route_json_number(json,
                                       stat.cells_total - stat.cells_used);
            ngx_rtmp_route_json_close(json, '}');
            continue;
        }

        ngx_rtmp_route_json_number(json,
                            ngx_http_hls_api_cache_number(&stat,
                                                          field->number));
    }

    ngx_rtmp_route_json_close(json, '}');
}


static uint64_t
ngx_http_hls_api_cache_number(ngx_http_hls_store_stat_t *stat,
    ngx_uint_t field)
{
    switch (field) {

    case cache_size:
        return stat->size;

    case cache_used:
        return stat->used;

    case cache_objects:
        return stat->bodies;

    case cache_streams:
        return stat->streams;

    case cache_filling:
        return stat->fills;

    case cache_hits:
        return stat->hits;

    case cache_misses:
        return stat->misses;

    case cache_stale:
        return stat->stale;

    case cache_passed:
        return stat->passed;

    case cache_evicted:
        return stat->evicted;

    case cache_filled:
        return stat->filled;

    case cache_failed:
        return stat->failed;

    default: /* cache_rebuilt */
        return stat->rebuilt;
    }
}


static ngx_int_t
ngx_http_hls_api_streams(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_call_t *call, ngx_http_hls_zone_t *zone)
{
    uint32_t                         cursor, last;
    uint64_t                         fields;
    ngx_int_t                        rc;
    ngx_uint_t                       n, max;
    ngx_rtmp_route_json_t            json;
    ngx_http_hls_stream_stat_t      *stat;
    ngx_http_rtmp_route_api_page_t   page;

    rc = ngx_http_rtmp_route_api_wanted(r, ngx_http_hls_api_stream_fields,
                                        &fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_http_rtmp_route_api_instance(r,
                                 ngx_http_hls_store_instance(&zone->store));

    rc = ngx_http_rtmp_route_api_page(r, &page);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    stat = ngx_palloc(r->pool, sizeof(ngx_http_hls_stream_stat_t));
    if (stat == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    max = page.limit ? page.limit : NGX_HTTP_HLS_API_PAGE;
    cursor = page.after;
    last = cursor;

    ngx_rtmp_route_json_init(&json, r->pool, NGX_RTMP_ROUTE_JSON_BUFFER);

    ngx_rtmp_route_json_open(&json, fields ? '{' : '[');

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_hls_store_stream_walk(&zone->store, &cursor, stat);

        if (rc != NGX_OK) {
            break;
        }

        if (n == max) {

            /* there is one more */

            if (ngx_http_rtmp_route_api_next(r, last) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            break;
        }

        ngx_http_hls_api_stream(&json, stat, fields, call->names ? 0 : 1);

        last = cursor;
    }

    ngx_rtmp_route_json_close(&json, fields ? '}' : ']');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


static void
ngx_http_hls_api_stream(ngx_rtmp_route_json_t *json,
    ngx_http_hls_stream_stat_t *stat, uint64_t fields, ngx_uint_t hide)
{
    ngx_http_rtmp_route_api_field_t  *field;

    ngx_http_rtmp_route_api_stream_name(json, &stat->name, hide, fields == 0);

    if (fields == 0) {
        return;
    }

    ngx_rtmp_route_json_open(json, '{');

    field = ngx_http_hls_api_stream_fields;

    for ( /* void */ ; field->name.len; field++) {

        if (!(fields & ((uint64_t) 1 << field->number))) {
            continue;
        }

        ngx_rtmp_route_json_key(json, &field->name);

        switch (field->number) {

        case stream_objects:
            ngx_rtmp_route_json_number(json, stat->objects);
            break;

        case stream_bytes:
            ngx_rtmp_route_json_number(json, (uint64_t) stat->bytes);
            break;

        case stream_hits:
            ngx_rtmp_route_json_number(json, stat->hits);
            break;

        case stream_misses:
            ngx_rtmp_route_json_number(json, stat->misses);
            break;

        case stream_age:
            ngx_rtmp_route_json_seconds(json, stat->age);
            break;

        default: /* stream_viewers */
            ngx_rtmp_route_json_number(json, stat->viewers);
            break;
        }
    }

    ngx_rtmp_route_json_close(json, '}');
}


/* whether the store is as its records say; the others wait for the lock */

static ngx_int_t
ngx_http_hls_api_check(ngx_http_request_t *r, ngx_http_hls_zone_t *zone)
{
    ngx_rtmp_route_json_t       json;
    ngx_http_hls_store_stat_t   stat;
    ngx_http_hls_store_audit_t  audit;

    if (ngx_http_hls_store_audit(&zone->store, &audit) == NGX_ABORT) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_hls_store_stat(&zone->store, &stat);

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_rtmp_route_json_open(&json, '{');

    ngx_http_rtmp_route_api_fault(&json, audit.fault, audit.where);

    ngx_rtmp_route_json_name(&json, "entries");
    ngx_rtmp_route_json_number(&json, stat.entries);
    ngx_rtmp_route_json_name(&json, "objects");
    ngx_rtmp_route_json_number(&json, stat.bodies);
    ngx_rtmp_route_json_name(&json, "streams");
    ngx_rtmp_route_json_number(&json, stat.streams);
    ngx_rtmp_route_json_name(&json, "filling");
    ngx_rtmp_route_json_number(&json, audit.claims);
    ngx_rtmp_route_json_name(&json, "references");
    ngx_rtmp_route_json_number(&json, audit.refs);
    ngx_rtmp_route_json_name(&json, "leaving");
    ngx_rtmp_route_json_number(&json, audit.doomed);
    ngx_rtmp_route_json_name(&json, "used");
    ngx_rtmp_route_json_number(&json, stat.used);
    ngx_rtmp_route_json_name(&json, "cells");
    ngx_rtmp_route_json_number(&json, stat.cells_used);
    ngx_rtmp_route_json_name(&json, "rebuilt");
    ngx_rtmp_route_json_number(&json, stat.rebuilt);
    ngx_rtmp_route_json_name(&json, "held");
    ngx_rtmp_route_json_number(&json, audit.held);

    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


/* of one zone or all: ?uri=, ?stream=, or all there is */

static ngx_int_t
ngx_http_hls_api_delete(ngx_http_request_t *r, ngx_http_hls_zone_t *zone)
{
    ngx_int_t                   rc;
    ngx_str_t                   uri, stream, text;
    ngx_uint_t                  i, n, some;
    ngx_http_hls_zone_t       **zones;
    ngx_http_hls_main_conf_t   *hmcf;

    rc = ngx_http_rtmp_route_api_args(r, "uri stream");

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_rtmp_route_api_arg(r, "uri", &uri);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    some = (rc == NGX_OK);

    if (rc == NGX_OK && ngx_http_hls_api_uri(r->pool, &uri, &text) != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "invalid \"uri\"");
    }

    if (rc != NGX_OK) {
        ngx_str_null(&text);
    }

    rc = ngx_http_rtmp_route_api_arg(r, "stream", &stream);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_str_null(&stream);

    } else if (stream.len == 0 || some) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "invalid \"stream\"");
    }

    some = some || stream.len;

    if (zone) {
        n = ngx_http_hls_api_purge(zone, &text, &stream);

    } else {
        hmcf = ngx_http_get_module_main_conf(r, ngx_http_hls_cache_module);
        zones = hmcf->zones.elts;

        n = 0;

        for (i = 0; i < hmcf->zones.nelts; i++) {
            n += ngx_http_hls_api_purge(zones[i], &text, &stream);
        }
    }

    if (n == 0 && some) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "ObjectNotFound",
                                             "nothing of that is cached");
    }

    return ngx_http_rtmp_route_api_no_content(r);
}


/* as keys have it: the path is escaped, its arguments are not */

static ngx_int_t
ngx_http_hls_api_uri(ngx_pool_t *pool, ngx_str_t *uri, ngx_str_t *text)
{
    u_char     *p;
    ngx_str_t   path;
    uintptr_t   escape;

    if (uri->len == 0 || uri->data[0] != '/') {
        return NGX_DECLINED;
    }

    p = ngx_strlchr(uri->data, uri->data + uri->len, '?');

    path.data = uri->data;
    path.len = p ? (size_t) (p - uri->data) : uri->len;

    escape = ngx_escape_uri(NULL, path.data, path.len, NGX_ESCAPE_URI);

    if (escape == 0) {
        *text = *uri;
        return NGX_OK;
    }

    text->data = ngx_pnalloc(pool, uri->len + 2 * escape);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) ngx_escape_uri(text->data, path.data, path.len,
                                  NGX_ESCAPE_URI);
    p = ngx_cpymem(p, uri->data + path.len, uri->len - path.len);

    text->len = p - text->data;

    return NGX_OK;
}


/* how many objects there were */

static ngx_uint_t
ngx_http_hls_api_purge(ngx_http_hls_zone_t *zone, ngx_str_t *uri,
    ngx_str_t *stream)
{
    if (uri->len) {
        return ngx_http_hls_api_purge_uri(zone, uri);
    }

    if (stream->len) {
        return ngx_http_hls_store_purge_stream(&zone->store, stream);
    }

    return ngx_http_hls_store_purge_all(&zone->store);
}


/* whatever server or route it is of, and with any arguments if it has none */

static ngx_uint_t
ngx_http_hls_api_purge_uri(ngx_http_hls_zone_t *zone, ngx_str_t *uri)
{
    u_char                     *p, *last;
    uint32_t                    cursor;
    ngx_uint_t                  n;
    ngx_http_hls_key_t          key;
    ngx_http_hls_entry_stat_t   stat;

    n = 0;
    cursor = 0;

    while (ngx_http_hls_store_entry_walk(&zone->store, &cursor, &stat)
           == NGX_OK)
    {
        last = stat.key.data + stat.key.len;

        p = ngx_strlchr(stat.key.data, last, '|');

        if (p == NULL
            || (size_t) (last - ++p) < uri->len
            || ngx_memcmp(p, uri->data, uri->len) != 0
            || (p + uri->len < last && p[uri->len] != '?'))
        {
            continue;
        }

        key.text = stat.key;
        ngx_http_hls_store_key(&zone->store, &key);

        if (ngx_http_hls_store_purge(&zone->store, &key) == NGX_OK) {
            n++;
        }
    }

    return n;
}
