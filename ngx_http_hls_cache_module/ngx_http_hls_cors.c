
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_cache.h"


static ngx_int_t ngx_http_hls_cors_header_filter(ngx_http_request_t *r);
static void ngx_http_hls_cors_remove(ngx_http_request_t *r);
static ngx_uint_t ngx_http_hls_cors_listed(ngx_http_hls_loc_conf_t *hlcf,
    ngx_str_t *origin);
static ngx_int_t ngx_http_hls_cors_add(ngx_http_request_t *r,
    ngx_str_t *key, ngx_str_t *value);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_str_t  ngx_http_hls_cors_any = ngx_string("*");
static ngx_str_t  ngx_http_hls_cors_origin = ngx_string("Origin");
static ngx_str_t  ngx_http_hls_cors_vary = ngx_string("Vary");
static ngx_str_t  ngx_http_hls_cors_vary_origin = ngx_string("Origin");

static ngx_str_t  ngx_http_hls_cors_allow_origin =
    ngx_string("Access-Control-Allow-Origin");

static ngx_str_t  ngx_http_hls_cors_expose_headers =
    ngx_string("Access-Control-Expose-Headers");
static ngx_str_t  ngx_http_hls_cors_exposed =
    ngx_string("Content-Length,Content-Range,Date,Age,ETag");


/* of the answer to OPTIONS only */

static ngx_str_t  ngx_http_hls_cors_preflight[][2] = {

    { ngx_string("Access-Control-Allow-Methods"),
      ngx_string("GET, HEAD, OPTIONS") },

    { ngx_string("Access-Control-Allow-Headers"),
      ngx_string("DNT,User-Agent,X-Requested-With,If-Modified-Since,"
                 "Cache-Control,Content-Type,Range,X-Token-Session") },

    { ngx_string("Access-Control-Max-Age"),
      ngx_string("86400") }
};


/* OPTIONS comes without credentials: it is answered before access rules */

ngx_int_t
ngx_http_hls_cors_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hls_cache_module);

    if (hlcf->cors == NULL
        || hlcf->zone == NULL
        || r->method != NGX_HTTP_OPTIONS
        || r != r->main)
    {
        return NGX_DECLINED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < 3; i++) {

        if (ngx_http_hls_cors_add(r, &ngx_http_hls_cors_preflight[i][0],
                                  &ngx_http_hls_cors_preflight[i][1])
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    /* not an error, whatever error_page says */

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    rc = ngx_http_send_header(r);

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


void
ngx_http_hls_cors_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_hls_cors_header_filter;
}


static ngx_int_t
ngx_http_hls_cors_header_filter(ngx_http_request_t *r)
{
    ngx_str_t                *value;
    ngx_table_elt_t          *origin;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hls_cache_module);

    if (hlcf->cors == NULL
        || hlcf->zone == NULL
        || r != r->main
        || ngx_http_hls_fill_of(r)
        || ngx_http_hls_ghost_of(r))
    {
        return ngx_http_next_header_filter(r);
    }

    ngx_http_hls_cors_remove(r);

    value = &ngx_http_hls_cors_any;

    if (!hlcf->cors_any) {

        if (ngx_http_hls_cors_add(r, &ngx_http_hls_cors_vary,
                                  &ngx_http_hls_cors_vary_origin)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        origin = ngx_http_hls_header(r, &ngx_http_hls_cors_origin);

        if (origin == NULL || !ngx_http_hls_cors_listed(hlcf, &origin->value))
        {
            return ngx_http_next_header_filter(r);
        }

        value = &origin->value;
    }

    if (ngx_http_hls_cors_add(r, &ngx_http_hls_cors_allow_origin, value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_hls_cors_add(r, &ngx_http_hls_cors_expose_headers,
                              &ngx_http_hls_cors_exposed)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * What passes has headers of its own, and an answer that becomes an error when
 * its header is sent is here again: two of a kind are none to browsers
 */

static void
ngx_http_hls_cors_remove(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.data == ngx_http_hls_cors_allow_origin.data
            || h[i].key.data == ngx_http_hls_cors_expose_headers.data
            || h[i].value.data == ngx_http_hls_cors_vary_origin.data)
        {
            h[i].hash = 0;
            continue;
        }

        if (r->upstream
            && h[i].key.len > sizeof("Access-Control-") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Access-Control-",
                               sizeof("Access-Control-") - 1)
               == 0)
        {
            h[i].hash = 0;
        }
    }
}


static ngx_uint_t
ngx_http_hls_cors_listed(ngx_http_hls_loc_conf_t *hlcf, ngx_str_t *origin)
{
    ngx_str_t   *listed;
    ngx_uint_t   i;

    listed = hlcf->cors->elts;

    for (i = 0; i < hlcf->cors->nelts; i++) {

        if (listed[i].len == origin->len
            && ngx_strncasecmp(listed[i].data, origin->data, origin->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_hls_cors_add(ngx_http_request_t *r, ngx_str_t *key, ngx_str_t *value)
{
    if (ngx_http_hls_send_add(r, (char *) key->data, key->len, value->data,
                              value->len)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
