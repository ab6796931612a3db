
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Between proxies: what an origin that is a proxy itself answers, and what is
 * told to those who ask as proxies.
 */


#ifndef _NGX_HTTP_HLS_TIER_H_INCLUDED_
#define _NGX_HTTP_HLS_TIER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_object.h"


/*
 * In a fill's header(): follows a redirect to another path of the server that
 * has sent it, so that header() is called again.  key: a key may be there.
 * NGX_DECLINED: it is none, or leads elsewhere, which is logged.
 */
ngx_int_t ngx_http_hls_tier_redirect(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *sr, ngx_uint_t key);

/* the parent of a fill wants to know how old the answer is: X-HLS-Age */
ngx_int_t ngx_http_hls_tier_ask(ngx_http_request_t *pr);

/* sets obj->age, by the header of an answer */
void ngx_http_hls_tier_age(ngx_http_hls_object_t *obj, ngx_http_request_t *sr);

/* the times of a playlist or manifest: those that it had at the proxy */
void ngx_http_hls_tier_list(ngx_http_hls_object_t *obj,
    ngx_http_hls_policy_list_t *in);

/* whether the client is a proxy, as far as it says so itself */
ngx_uint_t ngx_http_hls_tier_client(ngx_http_request_t *r);

/* tells a client that has asked for it how old the answer, or error, is */
ngx_int_t ngx_http_hls_tier_tell(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_uint_t error);


#endif /* _NGX_HTTP_HLS_TIER_H_INCLUDED_ */
