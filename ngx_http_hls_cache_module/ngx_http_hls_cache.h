
/*
 * Copyright (C) The nginx-osp authors
 */


/* The cache in front of a location; between its own files only. */


#ifndef _NGX_HTTP_HLS_CACHE_H_INCLUDED_
#define _NGX_HTTP_HLS_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_rtmp_route.h"
#include "ngx_http_hls_store.h"
#include "ngx_http_hls_fill.h"
#include "ngx_http_hls_policy.h"


/* kinds of objects, by the path and by what the playlist said of it */

#define NGX_HTTP_HLS_PLAYLIST        1    /* .m3u8 .m3u */
#define NGX_HTTP_HLS_MANIFEST        2    /* .mpd */
#define NGX_HTTP_HLS_SEGMENT         3    /* .ts .m4s .mp4 .aac .vtt ... */
#define NGX_HTTP_HLS_KEY             4    /* .key, or named by EXT-X-KEY */
#define NGX_HTTP_HLS_OTHER           5    /* passes, unless a list names it */

/* $hls_cache_status */

#define NGX_HTTP_HLS_NO_STATUS       0
#define NGX_HTTP_HLS_HIT             1
#define NGX_HTTP_HLS_MISS            2
#define NGX_HTTP_HLS_EXPIRED         3
#define NGX_HTTP_HLS_STALE           4
#define NGX_HTTP_HLS_UPDATING        5
#define NGX_HTTP_HLS_BYPASS          6

/*
 * Status that a fill leaves by ngx_http_hls_store_fail() where it found that
 * the cache is no help: until then requests pass.  So does any below 300.
 */
#define NGX_HTTP_HLS_PASS            1

/* hls_cache_valid: what a time is for, where no status code is given */

#define NGX_HTTP_HLS_VALID_ANY       0
#define NGX_HTTP_HLS_VALID_PLAYLIST  1
#define NGX_HTTP_HLS_VALID_SEGMENT   2
#define NGX_HTTP_HLS_VALID_KEY       3

/* hls_cache_auth and hls_cache_auth_fail */

#define NGX_HTTP_HLS_AUTH_OFF        0
#define NGX_HTTP_HLS_AUTH_OSP        1

#define NGX_HTTP_HLS_AUTH_DENY       0
#define NGX_HTTP_HLS_AUTH_ALLOW      1

/* watches of a zone are found by that many lists */
#define NGX_HTTP_HLS_BUCKETS         256

/* what a wait has in place of a watch until its turn comes */
#define NGX_HTTP_HLS_NO_WATCH        ((ngx_http_hls_watch_t *) -1)

/* "0123456789abcdef..." in quotes, at most */
#define NGX_HTTP_HLS_ETAG_LEN        40


typedef struct {
    ngx_str_t                   name;
    size_t                      size;
    ngx_http_hls_store_t        store;
    ngx_shm_zone_t             *shm_zone;
    ngx_http_hls_window_t      *window;    /* held by the cycle's pool */
    ngx_array_t                 routes;    /* of ngx_rtmp_route_t *, whose */
                                           /* streams it has */
    ngx_cycle_t                *cycle;
    u_char                     *file;      /* where it was named first */
    ngx_uint_t                  line;

    /* of this process */

    ngx_queue_t                 watches;   /* of ngx_http_hls_watch_t */
    ngx_queue_t                 buckets[NGX_HTTP_HLS_BUCKETS];
                                           /* the same, by their entries */
    ngx_queue_t                 senders;   /* of ngx_http_hls_ctx_t */
    ngx_queue_t                 refreshes;
    ngx_uint_t                  nfills;
} ngx_http_hls_zone_t;


typedef struct {
    ngx_array_t                 zones;     /* of ngx_http_hls_zone_t * */
    ngx_array_t                 checks;    /* of void **: loc_conf */
} ngx_http_hls_main_conf_t;


typedef struct {
    ngx_str_t                   id;        /* server_name, or an address */
    unsigned                    any:1;     /* names with wildcards */
} ngx_http_hls_srv_conf_t;


typedef struct {
    ngx_uint_t                  status;    /* a code, or ..._VALID_* */
    ngx_msec_t                  valid;
} ngx_http_hls_valid_t;


typedef struct {
    ngx_http_hls_zone_t        *zone;      /* NULL: off */
    ngx_rtmp_route_t           *route;     /* of rtmp_route in it, or NULL */
    ngx_http_hls_srv_conf_t    *server;

    ngx_array_t                *valid;     /* of ngx_http_hls_valid_t */
    ngx_uint_t                  use_stale; /* NGX_HTTP_UPSTREAM_FT_* */
    ngx_msec_t                  max_stale; /* 0: target durations */
    ngx_http_complex_value_t   *key;
    ngx_array_t                *args;      /* of ngx_str_t, or NULL */
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
    ngx_uint_t                  auth;
    ngx_uint_t                  auth_fail;

    unsigned                    own:1;     /* hls_cache stands in it */
    unsigned                    own_auth:1;
    unsigned                    cors_any:1;
    unsigned                    pass_cookie:1;
    unsigned                    pass_authorization:1;
} ngx_http_hls_loc_conf_t;


/* what a request asks for */

typedef struct {
    ngx_uint_t                  kind;
    ngx_http_hls_key_t          key;
    ngx_str_t                   id;        /* "route" or server, first part */
    ngx_str_t                   host;      /* Host of fills */
    ngx_str_t                   path;
    ngx_str_t                   args;      /* that are in the key */
    ngx_str_t                   stream;    /* ngx_http_hls_target_stream() */
    ngx_str_t                   session;   /* name of the session argument */
    ngx_str_t                   directives;    /* "_HLS_msn=7&_HLS_part=1" */
    uint64_t                    msn;       /* if there are directives */
    ngx_str_t                   generations;   /* "g=2&g=1" */
    ngx_uint_t                  generation;/* the last of them */
} ngx_http_hls_target_t;


typedef struct ngx_http_hls_ctx_s      ngx_http_hls_ctx_t;
typedef struct ngx_http_hls_watch_s    ngx_http_hls_watch_t;
typedef struct ngx_http_hls_sender_s   ngx_http_hls_sender_t;
typedef struct ngx_http_hls_private_s  ngx_http_hls_private_t;

typedef void (*ngx_http_hls_wait_pt)(ngx_http_hls_ctx_t *ctx);


/* what a viewer that waits needs; made when he waits for the first time */

typedef struct {
    ngx_queue_t                 queue;     /* in watch->waits */
    ngx_http_hls_ctx_t         *ctx;
    ngx_http_hls_watch_t       *watch;     /* NULL: it does not wait */
    ngx_http_hls_wait_pt        handler;
    ngx_event_t                 timer;
    ngx_msec_t                  start;     /* of the first wait */
} ngx_http_hls_wait_t;


/* a viewer's request, from the lookup to the last byte */

struct ngx_http_hls_ctx_s {
    ngx_queue_t                 queue;     /* in zone->senders */
    ngx_http_request_t         *request;
    ngx_http_hls_loc_conf_t    *conf;
    ngx_http_hls_zone_t        *zone;
    ngx_http_hls_target_t       target;
    ngx_http_hls_found_t        found;     /* its body is referenced */
    ngx_uint_t                  status;    /* NGX_HTTP_HLS_HIT ... */
    ngx_uint_t                  claims;
    ngx_http_hls_wait_t        *wait;
    ngx_http_hls_sender_t      *sender;    /* of a body that is filled yet */
    ngx_http_hls_private_t     *private;   /* the rest, that is his alone */
    time_t                      age;       /* -1: not from the cache */
    unsigned                    pass:1;    /* on to the next handler */
    unsigned                    passing:1; /* if that is no key */
    unsigned                    special:1; /* a key that a list has made */
    unsigned                    timedout:1;
};


/* what the store keeps in front of a body; packed into bytes by _head.c */

typedef struct {
    ngx_str_t                   type;      /* Content-Type */
    ngx_str_t                   etag;      /* empty until it is known */
    ngx_str_t                   etag_gzip;
    time_t                      modified;  /* -1: unknown */
    ngx_str_t                   date;      /* its text, made by pack() */
    off_t                       len;       /* of the plain body, -1: unknown */
    off_t                       gzip;      /* offset of its gzip form, or 0 */
    off_t                       gzip_len;
} ngx_http_hls_head_t;


/*
 * ngx_http_hls_target.c: kind, key and the rest from a request.  NGX_OK,
 * NGX_DECLINED: not for the cache, NGX_ERROR.
 */
ngx_int_t ngx_http_hls_target(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target);

/* target->key becomes that with its generation, or with its directives */
ngx_int_t ngx_http_hls_target_generation(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target,
    ngx_http_hls_key_t *key);
ngx_int_t ngx_http_hls_target_directives(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target,
    ngx_http_hls_key_t *key);

/*
 * The key of another path beside a target: a URI that its playlist names.
 * path is decoded and normalised, args are raw; *kind is set.  NGX_DECLINED:
 * it has none (hls_cache_key, or it is too long).
 */
ngx_int_t ngx_http_hls_target_key(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target,
    ngx_str_t *path, ngx_str_t *args, ngx_http_hls_key_t *key,
    ngx_uint_t *kind);

/* sets target->stream, the name in lists: as the table has it, or the path */
ngx_int_t ngx_http_hls_target_stream(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target);

/* whether a path with that ending may be an endless body of a live stream */
ngx_uint_t ngx_http_hls_target_endless(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target);


/* ngx_http_hls_type.c: the Content-Type of a path; empty: it has none */
void ngx_http_hls_type(ngx_str_t *path, ngx_str_t *type);


/* ngx_http_hls_head.c */

ngx_int_t ngx_http_hls_head_pack(ngx_pool_t *pool,
    ngx_http_hls_head_t *head, ngx_str_t *packed);
ngx_int_t ngx_http_hls_head_unpack(u_char *data, size_t len,
    ngx_http_hls_head_t *head);

/* sets the etag of a packed head, before the body is done */
void ngx_http_hls_head_etag(u_char *data, size_t len, ngx_str_t *etag);


/*
 * ngx_http_hls_object.c: the fill of an object that ctx->found has CLAIMED,
 * for a viewer or a ghost; parses, edits and stores what comes.  NGX_OK: it
 * runs; NGX_DECLINED: it cannot, the claim was given back, pass r through.
 * ctx->found.body stays the viewer's.
 */
ngx_int_t ngx_http_hls_object_fill(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_ctx_t *ctx);

/*
 * Whether target's LL-HLS directives may be asked for: found is the playlist
 * without them, which announces them, and the values are sane.
 */
ngx_uint_t ngx_http_hls_object_announced(ngx_http_hls_target_t *target,
    ngx_http_hls_found_t *found);

/*
 * Whether the generation of target, which is not known, is older than that of
 * the playlists beside it: what has its name now is something else.
 */
ngx_uint_t ngx_http_hls_object_outdated(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target);

/*
 * ngx_http_hls_handler.c: the viewer's request.  get_ctx finds the context
 * also after a redirect has cleared r->ctx; header the first request header of
 * that name, or NULL.
 */
ngx_int_t ngx_http_hls_handler(ngx_http_request_t *r);
ngx_http_hls_ctx_t *ngx_http_hls_get_ctx(ngx_http_request_t *r);
ngx_table_elt_t *ngx_http_hls_header(ngx_http_request_t *r, ngx_str_t *name);


/*
 * ngx_http_hls_wait.c: viewers that wait for a fill, in this process.  The
 * handler is called from the event loop once there is more than found.body
 * has now, or after timeout (ctx->timedout is set then).  NGX_OK: it waits;
 * NGX_DECLINED: there is more already; NGX_ERROR.
 */
ngx_int_t ngx_http_hls_wait(ngx_http_hls_ctx_t *ctx,
    ngx_http_hls_wait_pt handler, ngx_msec_t timeout);
void ngx_http_hls_wait_cancel(ngx_http_hls_ctx_t *ctx);
void ngx_http_hls_woken(void);


/*
 * ngx_http_hls_send.c: answers from a body, whole or while it is filled.  As
 * a phase handler returns; NGX_AGAIN: wait for the rest of the body first.
 */
ngx_int_t ngx_http_hls_send(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx);

/* sends what there is of a body that is filled yet, may end the request */
void ngx_http_hls_send_more(ngx_http_hls_ctx_t *ctx);

/* adds a header to the answer; value must live as long as the request */
ngx_table_elt_t *ngx_http_hls_send_add(ngx_http_request_t *r, const char *key,
    size_t key_len, u_char *value, size_t len);
ngx_int_t ngx_http_hls_send_control(ngx_http_request_t *r, const char *value,
    size_t len);


/*
 * ngx_http_hls_private.c: a body that outgrows the cache or lasts too long.
 * take() gives the fill, and what was not stored of it, to the viewer that
 * has asked first, or to another one in this process: its callbacks are
 * others then, and whoever had it ends the claim with NGX_HTTP_HLS_PASS.
 * NGX_DECLINED: nobody here reads it.
 */
ngx_int_t ngx_http_hls_private_take(ngx_http_hls_zone_t *zone,
    ngx_http_hls_found_t *found, ngx_http_hls_fill_t *fill, u_char *data,
    size_t len);

/*
 * A fill for a viewer who has got so much of what was not stored after all;
 * NGX_DECLINED: it has failed for another reason.
 */
ngx_int_t ngx_http_hls_private_start(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, off_t sent);

/* NGX_OK: there may be more; NGX_AGAIN: not yet; NGX_DONE: that was all */
ngx_int_t ngx_http_hls_private_send(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);


/*
 * ngx_http_hls_auth.c: whether a viewer may have a key.  NGX_OK, or what a
 * phase handler returns, which will be called again after NGX_AGAIN.
 */
ngx_int_t ngx_http_hls_auth(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf);

/* the same for what may be a key although its name does not say so */
ngx_int_t ngx_http_hls_auth_pass(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf);

ngx_int_t ngx_http_hls_auth_handler(ngx_http_request_t *r);
void ngx_http_hls_auth_init(void);
ngx_int_t ngx_http_hls_auth_check(ngx_conf_t *cf, void **loc_conf);


/* ngx_http_hls_cors.c */

ngx_int_t ngx_http_hls_cors_handler(ngx_http_request_t *r);
void ngx_http_hls_cors_init(void);


/* ngx_http_hls_variables.c */

ngx_int_t ngx_http_hls_add_variables(ngx_conf_t *cf);


/* ngx_http_hls_zone.c */

char *ngx_http_hls_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_http_hls_zone_t *ngx_http_hls_zone_get(ngx_conf_t *cf, ngx_str_t *name);
ngx_int_t ngx_http_hls_zones_check(ngx_conf_t *cf);


/* ngx_http_hls_directives.c */

extern ngx_array_t  ngx_http_hls_default_session;

char *ngx_http_hls_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_hls_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_hls_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_hls_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_hls_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_hls_endlist(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_hls_prefetch(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_hls_check(ngx_conf_t *cf);

/* hls_cache_valid of that kind and status, 0: not set */
ngx_msec_t ngx_http_hls_valid_time(ngx_http_hls_loc_conf_t *conf,
    ngx_uint_t kind, ngx_uint_t status);


extern ngx_module_t  ngx_http_hls_cache_module;


#endif /* _NGX_HTTP_HLS_CACHE_H_INCLUDED_ */
