
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * JSON: reading with limits, by jansson, and a writer that fills a chain of
 * buffers.  Pure: knows nothing of requests.
 */


#ifndef _NGX_RTMP_ROUTE_JSON_H_INCLUDED_
#define _NGX_RTMP_ROUTE_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_RTMP_ROUTE_JSON_DEPTH    32
#define NGX_RTMP_ROUTE_JSON_VALUES   131072
#define NGX_RTMP_ROUTE_JSON_BUFFER   16384

#define NGX_RTMP_ROUTE_ERROR_LEN     256


/* why a request is refused, as its sender is told */

typedef struct {
    ngx_uint_t     status;      /* of HTTP */
    ngx_str_t      code;        /* "FieldInvalid" */
    ngx_str_t      text;        /* points to buf */
    u_char         buf[NGX_RTMP_ROUTE_ERROR_LEN];
} ngx_rtmp_route_error_t;


/* a writer; after a failed allocation it does nothing but set "failed" */

typedef struct {
    ngx_pool_t    *pool;
    size_t         size;        /* of a buffer */
    size_t         length;      /* written since the last reset */
    ngx_buf_t     *buf;
    ngx_chain_t   *out;
    ngx_chain_t  **last;
    ngx_chain_t   *free;
    unsigned       comma:1;     /* a value precedes */
    unsigned       failed:1;
} ngx_rtmp_route_json_t;


/* fills the error; always NGX_DECLINED, so that callers may return it */
ngx_int_t ngx_rtmp_route_error(ngx_rtmp_route_error_t *err, ngx_uint_t status,
    const char *code, const char *fmt, ...);

/*
 * A document, to be released by json_decref(), or NULL and the error.  Depth
 * and number of values are bounded before anything is allocated; names
 * that occur twice in an object, zero characters and what is not UTF-8 are
 * refused.  An empty text is an empty object.
 */
json_t *ngx_rtmp_route_json_parse(ngx_str_t *text,
    ngx_rtmp_route_error_t *err);


void ngx_rtmp_route_json_init(ngx_rtmp_route_json_t *json, ngx_pool_t *pool,
    size_t size);

/* the buffers were sent and may be filled again; nesting goes on */
void ngx_rtmp_route_json_reset(ngx_rtmp_route_json_t *json);

/* '{' or '[', '}' or ']' */
void ngx_rtmp_route_json_open(ngx_rtmp_route_json_t *json, u_char bracket);
void ngx_rtmp_route_json_close(ngx_rtmp_route_json_t *json, u_char bracket);

/* what is not UTF-8 is written as U+FFFD */
void ngx_rtmp_route_json_key(ngx_rtmp_route_json_t *json, ngx_str_t *name);
void ngx_rtmp_route_json_string(ngx_rtmp_route_json_t *json, ngx_str_t *text);

void ngx_rtmp_route_json_number(ngx_rtmp_route_json_t *json, uint64_t number);
void ngx_rtmp_route_json_bool(ngx_rtmp_route_json_t *json, ngx_uint_t value);

/* milliseconds, as seconds with one digit behind the point */
void ngx_rtmp_route_json_seconds(ngx_rtmp_route_json_t *json, uint64_t msec);

/* milliseconds since the epoch, as "2026-01-01T00:00:00.000Z" */
void ngx_rtmp_route_json_time(ngx_rtmp_route_json_t *json, uint64_t msec);


/* for texts of another kind: as it is, and as a value of a metric's label */
void ngx_rtmp_route_json_raw(ngx_rtmp_route_json_t *json, u_char *p,
    size_t len);
void ngx_rtmp_route_json_label(ngx_rtmp_route_json_t *json, ngx_str_t *text);


/* a name that is a literal */
#define ngx_rtmp_route_json_name(json, text)                                  \
    do {                                                                      \
        static ngx_str_t  json_name = ngx_string(text);                       \
                                                                              \
        ngx_rtmp_route_json_key(json, &json_name);                            \
    } while (0)


#endif /* _NGX_RTMP_ROUTE_JSON_H_INCLUDED_ */
