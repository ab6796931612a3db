
/*
 * Copyright (C) The nginx-osp authors
 */


/* Which sessions a list is to show. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_acl.h"
#include "ngx_rtmp_route_addr.h"


static ngx_int_t ngx_http_rtmp_route_api_filter_type(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_rtmp_route_api_filter_state(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_rtmp_route_api_filter_stream(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_rtmp_route_api_filter_prefix(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_rtmp_route_api_filter_client(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_rtmp_route_api_filter_server(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_rtmp_route_api_filter_agent(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value);


typedef struct {
    const char    *name;

    /* NGX_OK; NGX_DECLINED: invalid; NGX_ERROR: no memory */
    ngx_int_t    (*parse)(ngx_http_request_t *r,
                          ngx_http_rtmp_route_api_ctx_t *ctx,
                          ngx_str_t *value);
    const char    *error;
} ngx_http_rtmp_route_api_filter_arg_t;


static ngx_http_rtmp_route_api_filter_arg_t
    ngx_http_rtmp_route_api_filter_args[] =
{
    { "type", ngx_http_rtmp_route_api_filter_type,
      "invalid \"type\"" },

    { "state", ngx_http_rtmp_route_api_filter_state,
      "invalid \"state\"" },

    { "stream", ngx_http_rtmp_route_api_filter_stream,
      "invalid \"stream\"" },

    { "client", ngx_http_rtmp_route_api_filter_client,
      "invalid \"client\": an address or a network" },

    { "server", ngx_http_rtmp_route_api_filter_server,
      "invalid \"server\"" },

    { "agent", ngx_http_rtmp_route_api_filter_agent,
      "invalid \"agent\"" },

    { NULL, NULL, NULL }
};


ngx_int_t
ngx_http_rtmp_route_api_filter(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                              rc;
    ngx_str_t                              value;
    ngx_http_rtmp_route_api_filter_arg_t  *arg;

    ctx->filter = ngx_pcalloc(r->pool,
                              sizeof(ngx_http_rtmp_route_api_filter_t));
    if (ctx->filter == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->filter->type = NGX_CONF_UNSET_UINT;
    ctx->filter->state = NGX_CONF_UNSET_UINT;

    for (arg = ngx_http_rtmp_route_api_filter_args; arg->name; arg++) {

        rc = ngx_http_rtmp_route_api_arg(r, arg->name, &value);

        if (rc == NGX_OK && value.len) {
            rc = arg->parse(r, ctx, &value);

            if (rc == NGX_DECLINED) {
                return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                                     "ArgumentInvalid",
                                                     arg->error);
            }
        }

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_filter_type(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    if (value->len == 7 && ngx_memcmp(value->data, "publish", 7) == 0) {
        ctx->filter->type = NGX_RTMP_ROUTE_PUBLISH;
        return NGX_OK;
    }

    if (value->len == 4 && ngx_memcmp(value->data, "play", 4) == 0) {
        ctx->filter->type = NGX_RTMP_ROUTE_PLAY;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_filter_state(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    ngx_int_t  state;

    state = ngx_http_rtmp_route_api_session_state(value);

    if (state == NGX_ERROR) {
        return NGX_DECLINED;
    }

    ctx->filter->state = state;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_filter_stream(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    if (value->data[value->len - 1] == '*') {
        return ngx_http_rtmp_route_api_filter_prefix(r, ctx, value);
    }

    return ngx_http_rtmp_route_api_key(r, ctx, value, &ctx->filter->stream);
}


/* "live/" and a star; what is shown as its hash is not to be found out so */

static ngx_int_t
ngx_http_rtmp_route_api_filter_prefix(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    u_char      *p, *last;
    ngx_uint_t   parts;

    p = value->data;
    last = p + value->len - 1;

    if (p < last && *p == '/') {
        p++;
    }

    ctx->filter->stream.data = p;
    ctx->filter->stream.len = last - p;
    ctx->filter->prefix = 1;

    if (ctx->hide == 0) {
        return NGX_OK;
    }

    for (parts = 1; parts < ctx->hide && p < last; p++) {
        if (*p == '/') {
            parts++;
        }
    }

    return (p == last) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_filter_client(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    ctx->filter->from = 1;

    if (ngx_rtmp_route_rule_parse(value, &ctx->filter->client) != NGX_OK) {
        return NGX_DECLINED;
    }

    return (ctx->filter->client.kind == NGX_RTMP_ROUTE_RULE_CIDR)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_filter_server(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    ctx->filter->server = *value;

    return (value->len <= NGX_RTMP_ROUTE_ID_LEN) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_filter_agent(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *value)
{
    ctx->filter->agent = *value;

    return NGX_OK;
}


ngx_uint_t
ngx_http_rtmp_route_api_filter_match(ngx_http_rtmp_route_api_filter_t *filter,
    ngx_rtmp_route_session_stat_t *stat)
{
    ngx_str_t  *stream, *agent;

    stream = &filter->stream;
    agent = &filter->agent;

    if (filter->type != NGX_CONF_UNSET_UINT && filter->type != stat->type) {
        return 0;
    }

    if (filter->state != NGX_CONF_UNSET_UINT && filter->state != stat->state) {
        return 0;
    }

    if (stream->len
        && (stat->key.len < stream->len
            || (stat->key.len > stream->len && !filter->prefix)
            || ngx_memcmp(stat->key.data, stream->data, stream->len) != 0))
    {
        return 0;
    }

    if (filter->from
        && !ngx_rtmp_route_addr_within(&stat->addr, &filter->client.addr,
                                       filter->client.bits))
    {
        return 0;
    }

    if (filter->server.len
        && (stat->server.len != filter->server.len
            || ngx_memcmp(stat->server.data, filter->server.data,
                          filter->server.len)
               != 0))
    {
        return 0;
    }

    return agent->len == 0
           || (agent->len <= stat->agent.len
               && ngx_strlcasestrn(stat->agent.data,
                                   stat->agent.data + stat->agent.len,
                                   agent->data, agent->len - 1)
                  != NULL);
}
