
/*
 * Copyright (C) The nginx-osp authors
 */


#ifndef _NGX_HTTP_HLS_API_H_INCLUDED_
#define _NGX_HTTP_HLS_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* adds the section of the caches to the API, in postconfiguration */
ngx_int_t ngx_http_hls_api_init(ngx_conf_t *cf);


/* ngx_http_hls_status.c: the same for the status page and metrics */
ngx_int_t ngx_http_hls_status_init(ngx_conf_t *cf);

/* counts the answer of a viewer's request, in the log phase */
ngx_int_t ngx_http_hls_status_count(ngx_http_request_t *r);


#endif /* _NGX_HTTP_HLS_API_H_INCLUDED_ */
