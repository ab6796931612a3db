
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Rules of an origin map.  Pure: takes text, allocates from the given pool,
 * knows neither requests nor the table.
 */


#ifndef _NGX_RTMP_ROUTE_PATH_H_INCLUDED_
#define _NGX_RTMP_ROUTE_PATH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"


#define NGX_RTMP_ROUTE_PATH_PREFIX    0
#define NGX_RTMP_ROUTE_PATH_REGEX     1
#define NGX_RTMP_ROUTE_PATH_CASELESS  2

/* a capture of a part, if it has none */
#define NGX_RTMP_ROUTE_PATH_NONE      ((ngx_uint_t) -1)

/* how often a regex may try, about a millisecond: nobody else runs then */
#define NGX_RTMP_ROUTE_PATH_TRIES     "10000"


/* text, then a capture */

typedef struct {
    ngx_str_t        text;
    ngx_uint_t       capture;
} ngx_rtmp_route_path_part_t;


typedef struct {
    ngx_str_t        pattern;    /* as written, zero terminated */
    ngx_uint_t       kind;       /* NGX_RTMP_ROUTE_PATH_* */
    ngx_str_t        stream;     /* as written, or empty */
    ngx_str_t        to;
    ngx_array_t     *servers;    /* of ngx_str_t, or NULL */
    unsigned         args:1;

    ngx_array_t     *stream_parts;
    ngx_array_t     *to_parts;
#if (NGX_PCRE)
    ngx_regex_t     *regex;
#endif
    ngx_uint_t       ncaptures;  /* groups of the regex */
} ngx_rtmp_route_path_t;


/*
 * Makes a rule, whose texts are set, ready for use.  NGX_OK; NGX_DECLINED: it
 * is wrong, err says why, in up to err->len bytes; NGX_ERROR: no memory.
 */
ngx_int_t ngx_rtmp_route_path_compile(ngx_pool_t *pool,
    ngx_rtmp_route_path_t *rule, ngx_str_t *err);

/* whether whatever the second rule would match is matched by the first */
ngx_uint_t ngx_rtmp_route_path_covers(ngx_rtmp_route_path_t *first,
    ngx_rtmp_route_path_t *second);

/*
 * Whether the end of what a prefix stands for becomes part of a name: a slash
 * is missing, "/live/" and "/edge"
 */
ngx_uint_t ngx_rtmp_route_path_glued(ngx_rtmp_route_path_t *rule,
    ngx_str_t *text);

/*
 * Finds the first rule that matches a path, "/app/stream", decoded.  NGX_OK:
 * mapped and *index are set; NGX_DECLINED: none; NGX_ABORT: what rule *index
 * makes of it is no name, or (*tries set) its regex takes too long;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_rtmp_route_path_map(ngx_array_t *rules, ngx_pool_t *pool,
    ngx_str_t *path, ngx_rtmp_route_mapped_t *mapped, ngx_uint_t *index,
    ngx_int_t *tries);


#endif /* _NGX_RTMP_ROUTE_PATH_H_INCLUDED_ */
