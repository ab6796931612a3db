
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * URIs that playlists name, and arguments of requests.  Pure: no request, no
 * time, no lock; memory is the caller's.
 */


#ifndef _NGX_HLS_URI_H_INCLUDED_
#define _NGX_HLS_URI_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* kinds of objects, by the path; numbers of NGX_HTTP_HLS_* */

#define NGX_HLS_KIND_PLAYLIST    1    /* .m3u8 .m3u */
#define NGX_HLS_KIND_MANIFEST    2    /* .mpd */
#define NGX_HLS_KIND_SEGMENT     3    /* segments, parts, init, subtitles */
#define NGX_HLS_KIND_KEY         4    /* .key */
#define NGX_HLS_KIND_OTHER       5
#define NGX_HLS_KIND_ENDLESS     6    /* .flv: never stored or shared */

#define NGX_HLS_MAX_URI          4096 /* longer ones are nobody's */

/* bounds of what a viewer may ask a playlist to wait for */

#define NGX_HLS_MAX_PART         10000


typedef struct {
    ngx_str_t            path;        /* as r->uri: decoded, normalised */
    ngx_str_t            args;        /* as written, without "?" */
    ngx_str_t            host;        /* lower case, no brackets; or empty */
    in_port_t            port;        /* with host: never 0 */
    unsigned             absolute:1;  /* names a host */
    unsigned             https:1;
    unsigned             own:1;       /* no host, and in the directory of the */
                                      /* base or below: may be claimed */
} ngx_hls_ref_t;


/* LL-HLS directives of a request, in the numbers that viewers see */

typedef struct {
    uint64_t             msn;
    ngx_uint_t           part;
    unsigned             has_msn:1;
    unsigned             has_part:1;
    unsigned             skip:1;      /* YES or v2 */
    unsigned             skip_v2:1;
    unsigned             any:1;       /* there was one */
} ngx_hls_directives_t;


/*
 * What uri means in the playlist whose path (r->uri) is base.  NGX_OK;
 * NGX_DECLINED: nothing that could be asked for here (another scheme, above
 * the root, not well formed, a variable, too long, base not absolute);
 * NGX_ERROR: no memory.  Strings are from the pool or point into uri.
 */
ngx_int_t ngx_hls_uri_resolve(ngx_pool_t *pool, ngx_str_t *base,
    ngx_str_t *uri, ngx_hls_ref_t *ref);

/*
 * Its parts as they are written: ref->path is neither resolved nor decoded and
 * may be empty, ref->own is not set.  prefix: length of scheme and host in
 * front of the path; rest: what follows the path, "?..." and "#...".
 */
ngx_int_t ngx_hls_uri_split(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_hls_ref_t *ref, size_t *prefix, ngx_str_t *rest);

/* whether path lies in the directory of base or below; both as r->uri */
ngx_uint_t ngx_hls_uri_own(ngx_str_t *base, ngx_str_t *path);

/* NGX_HLS_KIND_* of a decoded path */
ngx_uint_t ngx_hls_uri_kind(ngx_str_t *path);


/*
 * Arguments, "a=1&b=2".  Names are compared as they are, values are not
 * decoded.
 */

/* the next one is cut off args; NGX_DONE: no more */
ngx_int_t ngx_hls_args_next(ngx_str_t *args, ngx_str_t *name,
    ngx_str_t *value, ngx_str_t *whole);

/* the first of that name; NGX_DECLINED: there is none */
ngx_int_t ngx_hls_args_find(ngx_str_t *args, ngx_str_t *name,
    ngx_str_t *value);

/*
 * Those whose names (ngx_str_t) are listed, in the order of the list, the
 * first of each: what enters a key and reaches the origin.
 */
ngx_int_t ngx_hls_args_filter(ngx_pool_t *pool, ngx_str_t *args,
    ngx_array_t *names, ngx_str_t *result);

/* all but those, in their own order; result is args if there is nothing */
ngx_int_t ngx_hls_args_remove(ngx_pool_t *pool, ngx_str_t *args,
    ngx_array_t *names, ngx_str_t *result);

/* args with name=value at the end */
ngx_int_t ngx_hls_args_add(ngx_pool_t *pool, ngx_str_t *args,
    ngx_str_t *name, ngx_str_t *value, ngx_str_t *result);

/*
 * _HLS_msn, _HLS_part, _HLS_skip.  NGX_OK, also when there is none (any 0);
 * NGX_DECLINED: there are, and they make no sense.
 */
ngx_int_t ngx_hls_args_directives(ngx_str_t *args, ngx_hls_directives_t *d);

/*
 * The generation, g=N as the last argument, as ngx_hls_edit() writes it;
 * 0: none.  rest: args without it.
 */
ngx_uint_t ngx_hls_args_generation(ngx_str_t *args, ngx_str_t *rest);


#endif /* _NGX_HLS_URI_H_INCLUDED_ */
