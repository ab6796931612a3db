
/*
 * Copyright (C) The nginx-osp authors
 */


/* The cache in front of a location; between its own files only. */


#ifndef _NGX_HTTP_HLS_CACHE_H_INCLUDED_
#define _NGX_HTTP_HLS_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route.h"
#include "ngx_http_hls_store.h"
#include "ngx_http_hls_fill.h"


/* kinds of objects, by the path and by what the playlist said of it */

#define NGX_HTTP_HLS_PLAYLIST        1    /* .m3u8 .m3u */
#define NGX_HTTP_HLS_MANIFEST        2    /* .mpd */
#define NGX_HTTP_HLS_SEGMENT         3    /* .ts .m4s .mp4 .aac .vtt ... */
#define NGX_HTTP_HLS_KEY             4    /* .key, or named by EXT-X-KEY */
#define NGX_HTTP_HLS_OTHER           5

/* $hls_cache_status */

#define NGX_HTTP_HLS_NO_STATUS       0
#define NGX_HTTP_HLS_HIT             1
#define NGX_HTTP_HLS_MISS            2
#define NGX_HTTP_HLS_EXPIRED         3
#define NGX_HTTP_HLS_STALE           4
#define NGX_HTTP_HLS_UPDATING        5
#define NGX_HTTP_HLS_BYPASS          6


typedef struct {
    ngx_str_t                   name;
    size_t                      size;
    ngx_http_hls_store_t        store;
    ngx_shm_zone_t             *shm_zone;
    ngx_queue_t                 waits;     /* of ngx_http_hls_ctx_t */
    ngx_queue_t                 refreshes; /* of this process */
    ngx_uint_t                  nfills;    /* of this process */
} ngx_http_hls_zone_t;


typedef struct {
    ngx_array_t                 zones;     /* ngx_http_hls_zone_t * */
} ngx_http_hls_main_conf_t;


typedef struct {
    ngx_str_t                   id;        /* server_name, or an address */
    unsigned                    any:1;     /* names with wildcards */
} ngx_http_hls_srv_conf_t;


typedef struct {
    ngx_http_hls_zone_t        *zone;      /* NULL: off */
    ngx_rtmp_route_t           *route;     /* of rtmp_route in it, or NULL */

    ngx_array_t                *valid;     /* hls_cache_valid */
    ngx_msec_t                  valid_playlist;  /* 0: by the playlist */
    ngx_msec_t                  valid_segment;
    ngx_msec_t                  valid_error;
    ngx_uint_t                  use_stale; /* bits */
    ngx_http_complex_value_t   *key;
    ngx_array_t                *args;      /* of ngx_str_t */
    ngx_array_t                *session_args;
    ngx_array_t                *variants;
    ngx_uint_t                  prefetch;
    ngx_flag_t                  continuity;
    ngx_msec_t                  endlist;   /* 0: off */
    ngx_array_t                *cors;      /* of ngx_str_t, NULL: off */
    off_t                       max_size;
    ngx_msec_t                  fill_timeout;
    ngx_array_t                *bypass;
    ngx_array_t                *pass_header;
    ngx_flag_t                  honor_headers;
} ngx_http_hls_loc_conf_t;


/* what a request asks for */

typedef struct {
    ngx_uint_t                  kind;
    ngx_http_hls_key_t          key;
    ngx_str_t                   id;        /* "route" or server, first part */
    ngx_str_t                   host;      /* Host of fills */
    ngx_str_t                   path;
    ngx_str_t                   args;      /* that are in the key */
    ngx_str_t                   stream;    /* its name, or empty */
    ngx_str_t                   session;   /* name of the session argument */
    ngx_uint_t                  generation;/* ?g= */
} ngx_http_hls_target_t;


/* a viewer's request, from the lookup to the last byte */

typedef struct {
    ngx_queue_t                 queue;     /* in zone->waits */
    ngx_http_request_t         *request;
    ngx_http_hls_zone_t        *zone;
    ngx_http_hls_target_t       target;
    ngx_http_hls_found_t        found;
    ngx_uint_t                  status;    /* NGX_HTTP_HLS_HIT ... */
    off_t                       sent;      /* of a body that is filled yet */
    ngx_event_t                 timer;
    unsigned                    waiting:1;
    unsigned                    streaming:1;
    unsigned                    head_only:1;
} ngx_http_hls_ctx_t;


/* what the store keeps in front of a body; packed into bytes by _head.c */

typedef struct {
    ngx_str_t                   type;      /* Content-Type */
    ngx_str_t                   etag;
    ngx_str_t                   etag_gzip;
    time_t                      modified;
    off_t                       len;       /* of the plain body, -1: unknown */
    off_t                       gzip;      /* offset of the gzip form, 0: none */
    off_t                       gzip_len;
} ngx_http_hls_head_t;


/*
 * ngx_http_hls_target.c: kind, key and the rest from a request.  NGX_OK,
 * NGX_DECLINED: not for the cache, NGX_ERROR.
 */
ngx_int_t ngx_http_hls_target(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target);

/* the key of another path beside a target: a URI that its playlist names */
ngx_int_t ngx_http_hls_target_key(ngx_pool_t *pool,
    ngx_http_hls_zone_t *zone, ngx_http_hls_target_t *target,
    ngx_str_t *path, ngx_str_t *args, ngx_http_hls_key_t *key);


/* ngx_http_hls_head.c */

ngx_int_t ngx_http_hls_head_pack(ngx_pool_t *pool,
    ngx_http_hls_head_t *head, ngx_str_t *packed);
ngx_int_t ngx_http_hls_head_unpack(u_char *data, size_t len,
    ngx_http_hls_head_t *head);


/*
 * ngx_http_hls_object.c: the fill of an object that ctx->found has CLAIMED,
 * for a viewer or a ghost; parses, edits and stores what comes.  NGX_OK: it
 * runs; NGX_DECLINED: it cannot, the claim was given back, pass r through.
 */
ngx_int_t ngx_http_hls_object_fill(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_ctx_t *ctx);


/* ngx_http_hls_wait.c: viewers that wait for a fill, in this process */

ngx_int_t ngx_http_hls_wait(ngx_http_hls_ctx_t *ctx,
    void (*handler)(ngx_http_hls_ctx_t *ctx));
void ngx_http_hls_wait_cancel(ngx_http_hls_ctx_t *ctx);
void ngx_http_hls_woken(void);


/* ngx_http_hls_send.c: answers from a body, whole or while it is filled */

ngx_int_t ngx_http_hls_send(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx);


/* ngx_http_hls_cors.c */

ngx_int_t ngx_http_hls_cors_init(ngx_conf_t *cf);


/* ngx_http_hls_variables.c */

ngx_int_t ngx_http_hls_add_variables(ngx_conf_t *cf);


extern ngx_module_t  ngx_http_hls_cache_module;


#endif /* _NGX_HTTP_HLS_CACHE_H_INCLUDED_ */
