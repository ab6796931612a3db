
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Sections of the HTTP API that other modules add: /1/NAME/...  Whoever adds
 * one answers by the writer of ngx_rtmp_route_json.h and the functions below,
 * and returns what they return, as a content handler does.
 */


#ifndef _NGX_HTTP_RTMP_ROUTE_API_SECTION_H_INCLUDED_
#define _NGX_HTTP_RTMP_ROUTE_API_SECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_json.h"


#define NGX_HTTP_RTMP_ROUTE_API_MAX_SECTIONS  8


/* a call that has passed the checks of the method, write= and the body */

typedef struct {
    ngx_str_t       path;        /* what follows the name, decoded, without */
                                 /* slashes around it; empty: the section */
    json_t         *body;        /* an object, with POST, PUT and PATCH only; */
                                 /* goes when the handler has returned */
    unsigned        write:1;     /* write=on */
    unsigned        names:1;     /* names of streams may be shown */
} ngx_http_rtmp_route_api_call_t;


typedef struct {
    ngx_str_t       name;        /* "caches" */
    ngx_uint_t      methods;     /* NGX_HTTP_GET|NGX_HTTP_HEAD|... all that */
                                 /* some path takes; others are a 405 */
    ngx_int_t     (*handler)(ngx_http_request_t *r,
                             ngx_http_rtmp_route_api_call_t *call);
} ngx_http_rtmp_route_api_section_t;


/* a field that ?fields= may name; number, up to 63, is known to the writer */

typedef struct {
    ngx_str_t       name;
    ngx_uint_t      number;
} ngx_http_rtmp_route_api_field_t;


/*
 * Who else counts those who watch a stream of a route, named as in its table;
 * called from the event loop for each stream of a list: must not block.
 */
typedef ngx_uint_t (*ngx_http_rtmp_route_api_viewers_pt)(
    ngx_rtmp_route_t *route, ngx_str_t *key);


/* ?after= and ?limit= */

typedef struct {
    uint32_t        after;       /* a cursor, 0 at first */
    ngx_uint_t      limit;       /* at most 1000, 0: none was given */
} ngx_http_rtmp_route_api_page_t;


/*
 * In preconfiguration, postconfiguration or a directive of http{}; section
 * has to live as long as the configuration.  NGX_ERROR after one log line.
 */
ngx_int_t ngx_http_rtmp_route_api_section_add(ngx_conf_t *cf,
    ngx_http_rtmp_route_api_section_t *section);

/* the same for a count of viewers; what all of them return is added up */
ngx_int_t ngx_http_rtmp_route_api_viewers_add(ngx_conf_t *cf,
    ngx_http_rtmp_route_api_viewers_pt viewers);

/* sends what was written and nothing else; a failed writer is a 500 */
ngx_int_t ngx_http_rtmp_route_api_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_rtmp_route_json_t *json);

/* 204, no body */
ngx_int_t ngx_http_rtmp_route_api_no_content(ngx_http_request_t *r);

/* the error object; code and text are literals */
ngx_int_t ngx_http_rtmp_route_api_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *code, const char *text);

/* the same for an error with a text made by ngx_rtmp_route_error() */
ngx_int_t ngx_http_rtmp_route_api_refuse(ngx_http_request_t *r,
    ngx_rtmp_route_error_t *err);

/* 405 for a path that takes those methods only, with Allow */
ngx_int_t ngx_http_rtmp_route_api_not_allowed(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_call_t *call, ngx_uint_t methods);

/* headers of the answer, before it is sent */
ngx_int_t ngx_http_rtmp_route_api_headers(ngx_http_request_t *r);
ngx_int_t ngx_http_rtmp_route_api_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);

/* a decoded argument; NGX_DECLINED: there is none; NGX_ERROR */
ngx_int_t ngx_http_rtmp_route_api_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/*
 * Of those below that answer the request if something is wrong: NGX_DECLINED
 * means that all is fine.
 */

/* for calls that change something: there are no arguments but the known ones */
ngx_int_t ngx_http_rtmp_route_api_args(ngx_http_request_t *r,
    const char *known);

/* ?fields= as a bit for each number; 0: names of what is listed are wanted */
ngx_int_t ngx_http_rtmp_route_api_wanted(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_field_t *fields, uint64_t *wanted);

/*
 * Cursors of a section's list are good for that path alone, and only as long
 * as instance is the same; to be called before the next two, if it matters.
 */
void ngx_http_rtmp_route_api_instance(ngx_http_request_t *r,
    uint64_t instance);

ngx_int_t ngx_http_rtmp_route_api_page(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_page_t *page);

/* before the answer is sent: the list goes on after that cursor */
ngx_int_t ngx_http_rtmp_route_api_next(ngx_http_request_t *r,
    uint32_t after);

/* what a comparison of all records has found: a literal, or NULL; and where */
void ngx_http_rtmp_route_api_fault(ngx_rtmp_route_json_t *json,
    const char *fault, uint32_t where);

/*
 * The name of a stream as a value or as the name of one.  With hide set, the
 * parts from the hide'th on (1, 2 ...) are shown as their hash.
 */
void ngx_http_rtmp_route_api_stream_name(ngx_rtmp_route_json_t *json,
    ngx_str_t *key, ngx_uint_t hide, ngx_uint_t value);


#endif /* _NGX_HTTP_RTMP_ROUTE_API_SECTION_H_INCLUDED_ */
