
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
#include "ngx_http_hls_cache.h"
#include "ngx_http_hls_policy.h"


/*
 * In a fill's header(): follows a redirect to another path of the server that
 * has sent it, so that header() is called again.  key: a key may be there.
 * NGX_DECLINED: it is none, or leads elsewhere, which is logged.
 */
ngx_int_t ngx_http_hls_tier_redirect(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *sr, ngx_uint_t key);


#endif /* _NGX_HTTP_HLS_TIER_H_INCLUDED_ */
