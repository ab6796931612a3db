
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


static ngx_int_t ngx_http_rtmp_route_api_section_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_section_call(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, json_t *body);


ngx_int_t
ngx_http_rtmp_route_api_section_add(ngx_conf_t *cf,
    ngx_http_rtmp_route_api_section_t *section)
{
    ngx_http_rtmp_route_api_section_t    *old;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_rtmp_route_api_module);

    old = ngx_http_rtmp_route_api_section_find(amcf, &section->name);

    if (old == section) {
        return NGX_OK;
    }

    if (old || amcf->nsections == NGX_HTTP_RTMP_ROUTE_API_MAX_SECTIONS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot add section \"%V\" to rtmp_route_api, %s",
                      &section->name,
                      old ? "it is there already" : "there are too many");
        return NGX_ERROR;
    }

    amcf->sections[amcf->nsections++] = section;

    return NGX_OK;
}


ngx_int_t
ngx_http_rtmp_route_api_viewers_add(ngx_conf_t *cf,
    ngx_http_rtmp_route_api_viewers_pt viewers)
{
    ngx_uint_t                            i;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_rtmp_route_api_module);

    for (i = 0; i < amcf->nviewers; i++) {

        if (amcf->viewers[i] == viewers) {
            return NGX_OK;
        }
    }

    if (i == NGX_HTTP_RTMP_ROUTE_API_MAX_SECTIONS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot add viewers to rtmp_route_api, there are too "
                      "many that count them");
        return NGX_ERROR;
    }

    amcf->viewers[amcf->nviewers++] = viewers;

    return NGX_OK;
}


ngx_http_rtmp_route_api_section_t *
ngx_http_rtmp_route_api_section_find(
    ngx_http_rtmp_route_api_main_conf_t *amcf, ngx_str_t *name)
{
    ngx_uint_t                          i;
    ngx_http_rtmp_route_api_section_t  *section;

    for (i = 0; i < amcf->nsections; i++) {
        section = amcf->sections[i];

        if (section->name.len == name->len
            && ngx_memcmp(section->name.data, name->data, name->len) == 0)
        {
            return section;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_rtmp_route_api_section(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                            rc;
    ngx_uint_t                           methods;
    ngx_http_rtmp_route_api_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_api_module);

    methods = ctx->section->methods;

    if (!alcf->write) {
        methods &= NGX_HTTP_GET|NGX_HTTP_HEAD;
    }

    if (!(r->method & methods)) {
        return ngx_http_rtmp_route_api_allow(r, methods,
                                         (r->method & ctx->section->methods)
                                         ? 1 : 0);
    }

    if (r->method & (NGX_HTTP_POST|NGX_HTTP_PUT|NGX_HTTP_PATCH)) {
        ctx->limit = NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY;
        ctx->body_handler = ngx_http_rtmp_route_api_section_body;

        return ngx_http_rtmp_route_api_body(r, ctx);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_rtmp_route_api_section_call(r, ctx, NULL);
}


ngx_uint_t
ngx_http_rtmp_route_api_viewers(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_str_t *key)
{
    ngx_uint_t                            i, n;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_rtmp_route_api_module);

    n = 0;

    for (i = 0; i < amcf->nviewers; i++) {
        n += amcf->viewers[i](route, key);
    }

    return n;
}


static ngx_int_t
ngx_http_rtmp_route_api_section_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    json_t                  *body;
    ngx_int_t                rc;
    ngx_rtmp_route_error_t   err;

    body = ngx_rtmp_route_json_parse(&ctx->body, &err);

    if (body == NULL) {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    if (!json_is_object(body)) {
        json_decref(body);

        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "JsonError",
                                             "the body must be a JSON "
                                             "object");
    }

    rc = ngx_http_rtmp_route_api_section_call(r, ctx, body);

    json_decref(body);

    return rc;
}


static ngx_int_t
ngx_http_rtmp_route_api_section_call(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, json_t *body)
{
    ngx_http_rtmp_route_api_call_t       call;
    ngx_http_rtmp_route_api_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_api_module);

    call.path = ctx->item;
    call.body = body;
    call.write = alcf->write ? 1 : 0;
    call.names = alcf->names ? 1 : 0;

    return ctx->section->handler(r, &call);
}


ngx_int_t
ngx_http_rtmp_route_api_not_allowed(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_call_t *call, ngx_uint_t methods)
{
    if (!call->write) {
        methods &= NGX_HTTP_GET|NGX_HTTP_HEAD;
    }

    return ngx_http_rtmp_route_api_allow(r, methods, 0);
}
