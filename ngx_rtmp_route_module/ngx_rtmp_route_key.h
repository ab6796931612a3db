
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Names and keys.  One place makes the key of a stream for every protocol, so
 * that a publisher, a player, a viewer and a registration meet.  Pure: takes
 * text, allocates from the given pool.
 */


#ifndef _NGX_RTMP_ROUTE_KEY_H_INCLUDED_
#define _NGX_RTMP_ROUTE_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* forms of a key */

#define NGX_RTMP_ROUTE_KEY_APP_STREAM    0    /* app/stream, the default */
#define NGX_RTMP_ROUTE_KEY_STREAM        1    /* stream */
#define NGX_RTMP_ROUTE_KEY_VHOST         2    /* vhost/app/stream */


typedef struct {
    ngx_str_t    vhost;     /* lower case, without port, or default */
    ngx_str_t    path;      /* joined: "app/stream", normalised */
    ngx_str_t    app;       /* what the client called it, without arguments */
    ngx_str_t    stream;
    ngx_str_t    args;      /* arguments of app and stream, joined by "&" */
    unsigned     bare:1;    /* path is without an app */
    unsigned     hashed:1;  /* the stream part is a digest already */
} ngx_rtmp_route_name_t;


/*
 * All return NGX_OK, NGX_DECLINED (this names no stream: empty, too long,
 * control characters, "." or ".." as a part) or NGX_ERROR (no memory).
 * Results point into the input where they can, otherwise into the pool.
 */

/* app of connect, its tcUrl (may be empty), and the name of publish or play */
ngx_int_t ngx_rtmp_route_name_rtmp(ngx_pool_t *pool, ngx_str_t *tcurl,
    ngx_str_t *app, ngx_str_t *stream, ngx_rtmp_route_name_t *name);

/*
 * The candidates of an HTTP request, in the order in which they are to be
 * looked up: host as in the Host header, uri still encoded and without
 * arguments, args raw.  *fallback is the index of the one to use when none is
 * known.  suffixes are variant endings such as "_720" (hls_cache_variants).
 * names has room for 6; *n tells how many were set.  app, stream, vhost and
 * domain in args decide: a cache gives only arguments that are in its key.
 */
ngx_int_t ngx_rtmp_route_name_http(ngx_pool_t *pool, ngx_str_t *host,
    ngx_str_t *uri, ngx_str_t *args, ngx_array_t *suffixes,
    ngx_rtmp_route_name_t *names, ngx_uint_t *n, ngx_uint_t *fallback);

/*
 * The same for an HTTP request, its path decoded, whose stream a rule has
 * named, without an app if that is so in the rule.  Where the end of the path
 * has become that of the stream, an extension, the number of a segment and a
 * variant are left out as above.
 */
ngx_int_t ngx_rtmp_route_name_mapped(ngx_pool_t *pool, ngx_str_t *host,
    ngx_str_t *path, ngx_str_t *args, ngx_str_t *stream,
    ngx_array_t *suffixes, ngx_rtmp_route_name_t *names, ngx_uint_t *n,
    ngx_uint_t *fallback);

/*
 * A stream as a registration lists it or the API's URI names it: a key of
 * the given form, where a digest is taken for what it is; or, whatever the
 * form, a URL or a path with a leading slash, which begin with the app.
 */
ngx_int_t ngx_rtmp_route_name_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t form, ngx_rtmp_route_name_t *name);

/*
 * The key of a name.  With secret set the stream part, all that follows the
 * app, becomes "#" and the first 16 hex digits of its SHA-256, so that the
 * table never holds it: "live/#0123456789abcdef", or "#0123456789abcdef"
 * alone with NGX_RTMP_ROUTE_KEY_STREAM.
 */
ngx_int_t ngx_rtmp_route_key(ngx_pool_t *pool, ngx_rtmp_route_name_t *name,
    ngx_uint_t form, ngx_uint_t secret, ngx_str_t *key);


#endif /* _NGX_RTMP_ROUTE_KEY_H_INCLUDED_ */
