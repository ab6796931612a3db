
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_lone.h"


static ngx_int_t ngx_http_hls_fill_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_hls_fill_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_hls_fill_discard(ngx_chain_t *in);
static ngx_int_t ngx_http_hls_fill_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_hls_fill_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_hls_fill_init_process(ngx_cycle_t *cycle);
static void ngx_http_hls_fill_exit_process(ngx_cycle_t *cycle);


static ngx_http_module_t  ngx_http_hls_fill_module_ctx = {
    ngx_http_hls_fill_preconfiguration,    /* preconfiguration */
    ngx_http_hls_fill_postconfiguration,   /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


/* its filters stand below those that copy, and above those that add headers */

ngx_module_t  ngx_http_hls_fill_module = {
    NGX_MODULE_V1,
    &ngx_http_hls_fill_module_ctx,         /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_hls_fill_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_hls_fill_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_hls_fill_header_filter(ngx_http_request_t *r)
{
    ngx_http_hls_lone_t  *lone;

    lone = ngx_http_hls_lone_of(r);

    if (lone == NULL || r->subrequest_in_memory) {
        return ngx_http_next_header_filter(r);
    }

    if (r->header_sent) {
        return NGX_OK;
    }

    r->header_sent = 1;

    if (r != lone->request && !r->background && !r->header_only) {

        /* a body that is made of several is not put together here */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "subrequest in hls fill");

        return NGX_ERROR;
    }

    if (r != lone->request || lone->ghost) {

        /* nobody wants the body */

        r->header_only = 1;

        return NGX_OK;
    }

    if (lone->data == NULL) {
        return NGX_ERROR;
    }

    r->filter_need_in_memory = 1;

    return ngx_http_hls_fill_header(lone->data, r);
}


static ngx_int_t
ngx_http_hls_fill_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_hls_lone_t  *lone;

    lone = ngx_http_hls_lone_of(r);

    if (lone == NULL || r->subrequest_in_memory) {
        return ngx_http_next_body_filter(r, in);
    }

    if (r != lone->request || lone->ghost) {
        return ngx_http_hls_fill_discard(in);
    }

    if (lone->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_hls_fill_body(lone->data, r, in);
}


static ngx_int_t
ngx_http_hls_fill_discard(ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {

        if (in->buf->in_file) {
            in->buf->file_pos = in->buf->file_last;
        }

        in->buf->pos = in->buf->last;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_hls_fill_probe(cf);
}


static ngx_int_t
ngx_http_hls_fill_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_hls_fill_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_hls_fill_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_init_process(ngx_cycle_t *cycle)
{
    ngx_http_hls_fill_init();
    ngx_http_hls_ghost_init();

    return NGX_OK;
}


static void
ngx_http_hls_fill_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_hls_ghost_exit();
    ngx_http_hls_fill_exit();
}
