
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Tokens of registrations are taken out of the request and overwritten before
 * a log can show them.  Logs may be written before the location is known, so
 * what looks like a registration is masked early, and restored if the location
 * turns out to be another's.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


static ngx_int_t ngx_http_rtmp_route_api_early_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_api_rewrite_handler(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_api_log_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rtmp_route_api_is_register(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rtmp_route_api_path_args(ngx_str_t *uri,
    ngx_str_t *args);
static ngx_int_t ngx_http_rtmp_route_api_secure(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t bearer);
static ngx_int_t ngx_http_rtmp_route_api_take(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_mask_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *text);
static ngx_int_t ngx_http_rtmp_route_api_mask(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, u_char *p, size_t len);
static void ngx_http_rtmp_route_api_restore(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_uint_t ngx_http_rtmp_route_api_bearer(ngx_http_request_t *r,
    ngx_str_t *token);
static void ngx_http_rtmp_route_api_cleanup(void *data);


ngx_int_t
ngx_http_rtmp_route_api_token_init(ngx_conf_t *cf)
{
    ngx_array_t                *a;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_rtmp_route_api_early_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_rtmp_route_api_rewrite_handler;

    /* in front of the access log: these run in the order of the array */

    a = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    if (ngx_array_push(a) == NULL) {
        return NGX_ERROR;
    }

    h = a->elts;

    ngx_memmove(h + 1, h, (a->nelts - 1) * sizeof(ngx_http_handler_pt));

    *h = ngx_http_rtmp_route_api_log_handler;

    return NGX_OK;
}


ngx_http_rtmp_route_api_ctx_t *
ngx_http_rtmp_route_api_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t             *cln;
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);

    if (ctx) {
        return ctx;
    }

    if (r->internal) {

        /* a redirect has cleared the contexts; subrequests share the pool */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {

            if (cln->handler != ngx_http_rtmp_route_api_cleanup) {
                continue;
            }

            ctx = cln->data;

            if (ctx->request == r) {
                goto done;
            }
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_rtmp_route_api_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_rtmp_route_api_cleanup;

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_rtmp_route_api_ctx_t));

    ctx->request = r;

done:

    ngx_http_set_ctx(r, ctx, ngx_http_rtmp_route_api_module);

    return ctx;
}


/* before the location is looked for, which may log the request line */

static ngx_int_t
ngx_http_rtmp_route_api_early_handler(ngx_http_request_t *r)
{
    ngx_str_t                            args;
    ngx_http_rtmp_route_api_ctx_t       *ctx;
    ngx_http_rtmp_route_api_srv_conf_t  *ascf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_rtmp_route_api_module);

    if (!ascf->used || r != r->main
        || !ngx_http_rtmp_route_api_is_register(r))
    {
        return NGX_DECLINED;
    }

    ngx_str_null(&args);

    if (r->args.len == 0
        && !ngx_http_rtmp_route_api_path_args(&r->unparsed_uri, &args))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_rtmp_route_api_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (args.len) {
        r->args = args;
        ctx->path_args = 1;
    }

    if (ngx_http_rtmp_route_api_secure(r, ctx, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_api_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_rtmp_route_api_ctx_t       *ctx;
    ngx_http_rtmp_route_api_srv_conf_t  *ascf;
    ngx_http_rtmp_route_api_loc_conf_t  *alcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_rtmp_route_api_module);

    if (!ascf->used || r != r->main) {
        return NGX_DECLINED;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_api_module);

    if (!alcf->enabled) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);

        if (ctx) {
            ngx_http_rtmp_route_api_restore(r, ctx);
        }

        return NGX_DECLINED;
    }

    ctx = ngx_http_rtmp_route_api_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_rtmp_route_api_secure(r, ctx,
                                       ngx_http_rtmp_route_api_is_register(r))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/* what was refused before it came to a location, by any part of nginx */

static ngx_int_t
ngx_http_rtmp_route_api_log_handler(ngx_http_request_t *r)
{
    u_char                               *p;
    ngx_str_t                             line, token;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_rtmp_route_api_module);

    if (!amcf->used || r != r->main) {
        return NGX_OK;
    }

    line = r->request_line;

    if (line.data == NULL && r->request_start && r->header_in) {

        /* it could not be parsed, and is shown as far as it was read */

        for (p = r->request_start; p < r->header_in->last; p++) {
            if (*p == CR || *p == LF) {
                break;
            }
        }

        line.data = r->request_start;
        line.len = p - r->request_start;
    }

    if (line.data == NULL
        || ngx_strlcasestrn(line.data, line.data + line.len,
                            (u_char *) NGX_HTTP_RTMP_ROUTE_API_REGISTER,
                            sizeof(NGX_HTTP_RTMP_ROUTE_API_REGISTER) - 2)
           == NULL)
    {
        return NGX_OK;
    }

    (void) ngx_http_rtmp_route_api_mask_args(r, NULL, &line);
    (void) ngx_http_rtmp_route_api_mask_args(r, NULL, &r->unparsed_uri);
    (void) ngx_http_rtmp_route_api_mask_args(r, NULL, &r->uri);
    (void) ngx_http_rtmp_route_api_mask_args(r, NULL, &r->args);

    if (ngx_http_rtmp_route_api_bearer(r, &token)) {
        (void) ngx_http_rtmp_route_api_mask(r, NULL, token.data, token.len);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rtmp_route_api_is_register(ngx_http_request_t *r)
{
    size_t     len, n;
    ngx_str_t  args;

    if (ngx_http_rtmp_route_api_path_args(&r->uri, &args)) {
        return 1;
    }

    n = sizeof(NGX_HTTP_RTMP_ROUTE_API_REGISTER) - 1;
    len = r->uri.len;

    if (len && r->uri.data[len - 1] == '/') {
        len--;
    }

    return len >= n
           && ngx_memcmp(r->uri.data + len - n,
                         NGX_HTTP_RTMP_ROUTE_API_REGISTER, n)
              == 0;
}


/* SRS sends no arguments, so that a path has to take their place */

static ngx_uint_t
ngx_http_rtmp_route_api_path_args(ngx_str_t *uri, ngx_str_t *args)
{
    u_char  *p, *last;

    p = ngx_strnstr(uri->data, NGX_HTTP_RTMP_ROUTE_API_REGISTER "/", uri->len);

    if (p == NULL) {
        return 0;
    }

    last = uri->data + uri->len;

    p += sizeof(NGX_HTTP_RTMP_ROUTE_API_REGISTER "/") - 1;

    if (ngx_strlchr(p, last, '=') == NULL) {
        return 0;
    }

    args->data = p;
    args->len = last - p;

    return 1;
}


static ngx_int_t
ngx_http_rtmp_route_api_secure(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t bearer)
{
    ngx_str_t  token;

    if (!ctx->secured) {

        if (ngx_http_rtmp_route_api_take(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->secured = 1;
    }

    /* a redirect may have changed or dropped the arguments since */

    if (ngx_http_rtmp_route_api_mask_args(r, ctx, &r->request_line) != NGX_OK
        || ngx_http_rtmp_route_api_mask_args(r, ctx, &r->unparsed_uri)
           != NGX_OK
        || ngx_http_rtmp_route_api_mask_args(r, ctx, &r->uri) != NGX_OK
        || ngx_http_rtmp_route_api_mask_args(r, ctx, &r->args) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (bearer && ngx_http_rtmp_route_api_bearer(r, &token)) {
        return ngx_http_rtmp_route_api_mask(r, ctx, token.data, token.len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_take(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_str_t   token;

    if (!ngx_http_rtmp_route_api_bearer(r, &token)) {
        rc = ngx_http_rtmp_route_api_arg(r, "token", &ctx->token);
        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }

    ctx->token.len = token.len;
    ctx->token.data = ngx_pstrdup(r->pool, &token);

    return ctx->token.data ? NGX_OK : NGX_ERROR;
}


/* each token=... of a request line, a URI or arguments */

static ngx_int_t
ngx_http_rtmp_route_api_mask_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *text)
{
    u_char  *p, *last, *value;

    p = text->data;
    last = text->data + text->len;

    while (p && p < last) {

        value = ngx_strlcasestrn(p, last, (u_char *) "token=", 6 - 1);

        if (value == NULL) {
            break;
        }

        p = value + 6;

        if (value != text->data
            && value[-1] != '?' && value[-1] != '&' && value[-1] != '/')
        {
            continue;
        }

        for (value = p; p < last; p++) {
            if (*p == '&' || *p == ' ' || *p == '#') {
                break;
            }
        }

        if (ngx_http_rtmp_route_api_mask(r, ctx, value, p - value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* without a context nothing is remembered: nobody will restore it */

static ngx_int_t
ngx_http_rtmp_route_api_mask(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, u_char *p, size_t len)
{
    size_t                             i;
    ngx_http_rtmp_route_api_masked_t  *masked;

    for (i = 0; i < len; i++) {
        if (p[i] != '*') {
            break;
        }
    }

    if (i == len) {
        return NGX_OK;
    }

    if (ctx) {

        if (ctx->masked == NULL) {
            ctx->masked = ngx_array_create(r->pool, 4,
                                     sizeof(ngx_http_rtmp_route_api_masked_t));
            if (ctx->masked == NULL) {
                return NGX_ERROR;
            }
        }

        masked = ngx_array_push(ctx->masked);
        if (masked == NULL) {
            return NGX_ERROR;
        }

        masked->pos = p;
        masked->text.len = len;
        masked->text.data = ngx_pnalloc(r->pool, len);

        if (masked->text.data == NULL) {
            ctx->masked->nelts--;
            return NGX_ERROR;
        }

        ngx_memcpy(masked->text.data, p, len);
    }

    ngx_memset(p, '*', len);

    return NGX_OK;
}


static void
ngx_http_rtmp_route_api_restore(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_uint_t                         i;
    ngx_http_rtmp_route_api_masked_t  *masked;

    ngx_str_null(&ctx->token);
    ctx->secured = 0;

    if (ctx->path_args) {
        ngx_str_null(&r->args);
        ctx->path_args = 0;
    }

    if (ctx->masked == NULL) {
        return;
    }

    masked = ctx->masked->elts;

    for (i = ctx->masked->nelts; i > 0; i--) {
        ngx_memcpy(masked[i - 1].pos, masked[i - 1].text.data,
                   masked[i - 1].text.len);
    }

    ctx->masked->nelts = 0;
}


static ngx_uint_t
ngx_http_rtmp_route_api_bearer(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL
        || h->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return 0;
    }

    p = h->value.data + sizeof("Bearer ") - 1;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = last - p;

    return token->len != 0;
}


/* marks the context among the cleanups of the request */

static void
ngx_http_rtmp_route_api_cleanup(void *data)
{
    /* void */
}
