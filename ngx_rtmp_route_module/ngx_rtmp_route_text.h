
/*
 * Copyright (C) The nginx-osp authors
 */


/* Hosts, paths and arguments as clients write them: parts of names. */


#ifndef _NGX_RTMP_ROUTE_TEXT_H_INCLUDED_
#define _NGX_RTMP_ROUTE_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* 1, or 0 if it is no URL: host and rest are empty then; no user in host */
ngx_uint_t ngx_rtmp_route_text_url(ngx_str_t *text, ngx_str_t *host,
    ngx_str_t *rest);

/* host is the text without port; 0: an address, without a dot, or no host */
ngx_uint_t ngx_rtmp_route_text_host(ngx_str_t *text, ngx_str_t *host);

/* 1 if the arguments name another host, which is then set */
ngx_uint_t ngx_rtmp_route_text_vhost(ngx_str_t *args, ngx_str_t *host);

/*
 * 1 if there is such an argument and it is not empty; the last one counts, as
 * with SRS.  A second "?" is what clients put before arguments of their own.
 */
ngx_uint_t ngx_rtmp_route_text_arg(ngx_str_t *args, char *key,
    ngx_str_t *value);

/* at the first "?" */
void ngx_rtmp_route_text_cut_args(ngx_str_t *text, ngx_str_t *path,
    ngx_str_t *args);

/* at the first slash: without one all is rest */
void ngx_rtmp_route_text_cut_first(ngx_str_t *path, ngx_str_t *first,
    ngx_str_t *rest);

/* at the last slash: without one all is base */
void ngx_rtmp_route_text_cut_last(ngx_str_t *path, ngx_str_t *dir,
    ngx_str_t *base);

/*
 * Joins two paths and makes them canonical.  NGX_DECLINED: empty, too long,
 * a control character, "." or "..".
 */
ngx_int_t ngx_rtmp_route_text_path(ngx_pool_t *pool, ngx_str_t *first,
    ngx_str_t *second, ngx_str_t *path);

/* "app...vhost...name" is what SRS once took for "app?vhost=name" */
ngx_int_t ngx_rtmp_route_text_old_vhost(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *out);

/* percent-decodes in place of the text; NGX_DECLINED: badly encoded */
ngx_int_t ngx_rtmp_route_text_decode(ngx_pool_t *pool, ngx_str_t *text);

void ngx_rtmp_route_text_trim_slashes(ngx_str_t *text);

/* the next three leave a path whose last part would be no name */
void ngx_rtmp_route_text_trim_extension(ngx_str_t *path);

/* the longest suffix that fits; 1 if one did */
ngx_uint_t ngx_rtmp_route_text_trim_suffix(ngx_str_t *path,
    ngx_array_t *suffixes);

/* "-12", which nginx-rtmp and SRS append for a segment; 1 if there was one */
ngx_uint_t ngx_rtmp_route_text_trim_number(ngx_str_t *path);

ngx_uint_t ngx_rtmp_route_text_is(ngx_str_t *text, char *word);


#endif /* _NGX_RTMP_ROUTE_TEXT_H_INCLUDED_ */
