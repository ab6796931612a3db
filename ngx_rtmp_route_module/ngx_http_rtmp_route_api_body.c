
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Reads the body of a request into one piece of memory.  It is read unbuffered,
 * so that no client_body_* directive sends it through a file, and it is known
 * at once when it gets too long.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


#define NGX_HTTP_RTMP_ROUTE_API_BODY  4096


static ngx_int_t ngx_http_rtmp_route_api_body_type(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rtmp_route_api_body_json(ngx_str_t *type);
static void ngx_http_rtmp_route_api_body_handler(ngx_http_request_t *r);
static void ngx_http_rtmp_route_api_body_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_api_body_take(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_body_add(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_buf_t *b);
static ngx_int_t ngx_http_rtmp_route_api_body_grow(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t len);
static ngx_int_t ngx_http_rtmp_route_api_body_failed(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_int_t rc);


ngx_int_t
ngx_http_rtmp_route_api_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    /* origins say what they like */

    if (ctx->resource != NGX_HTTP_RTMP_ROUTE_API_SRS
        && ngx_http_rtmp_route_api_body_type(r) != NGX_OK)
    {
        return ngx_http_rtmp_route_api_error(r,
                                             NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                             "TypeInvalid",
                                             "the body must be JSON, as "
                                             "application/json");
    }

    if (r->headers_in.content_length_n > (off_t) ctx->limit) {
        return ngx_http_rtmp_route_api_body_failed(r, ctx,
                                          NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
    }

    r->request_body_no_buffering = 1;
    r->request_body_in_file_only = 0;

    rc = ngx_http_read_client_request_body(r,
                                         ngx_http_rtmp_route_api_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_http_rtmp_route_api_body_failed(r, ctx, rc);
    }

    return NGX_DONE;
}


/* a type that was named must be one of JSON, a coding there must not be */

static ngx_int_t
ngx_http_rtmp_route_api_body_type(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    h = r->headers_in.content_type;

    if (h && h->value.len && !ngx_http_rtmp_route_api_body_json(&h->value)) {
        return NGX_DECLINED;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return NGX_OK;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Content-Encoding") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Content-Encoding",
                               sizeof("Content-Encoding") - 1)
               == 0
            && (h[i].value.len != sizeof("identity") - 1
                || ngx_strncasecmp(h[i].value.data, (u_char *) "identity",
                                   sizeof("identity") - 1)
                   != 0))
        {
            return NGX_DECLINED;
        }
    }
}


static ngx_uint_t
ngx_http_rtmp_route_api_body_json(ngx_str_t *type)
{
    size_t      len;
    ngx_str_t  *t;

    /* the second and third are what clients say who were not told the type */

    static ngx_str_t  types[] = {
        ngx_string("application/json"),
        ngx_string("application/x-www-form-urlencoded"),
        ngx_string("text/plain"),
        ngx_string("text/json"),
        ngx_null_string
    };

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    for (t = types; t->len; t++) {
        if (t->len == len && ngx_strncasecmp(t->data, type->data, len) == 0) {
            return 1;
        }
    }

    return len > sizeof("application/+json") - 1
           && ngx_strncasecmp(type->data, (u_char *) "application/",
                              sizeof("application/") - 1)
              == 0
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}


static void
ngx_http_rtmp_route_api_body_handler(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_rtmp_route_api_body_read;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_rtmp_route_api_body_read(r);
}


static void
ngx_http_rtmp_route_api_body_read(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_uint_t                      last;
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);

    for ( ;; ) {
        last = !r->reading_body;

        rc = ngx_http_rtmp_route_api_body_take(r, ctx);

        if (rc != NGX_OK) {
            break;
        }

        if (last) {
            r->read_event_handler = ngx_http_block_reading;

            rc = ctx->body_handler(r, ctx);

            ngx_http_finalize_request(r, ngx_http_rtmp_route_api_end(r, rc));
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            break;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    if (r->connection->error || r->connection->timedout) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    rc = ngx_http_rtmp_route_api_body_failed(r, ctx, rc);

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_rtmp_route_api_body_take(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = r->request_body->bufs;

    if (cl == NULL) {
        return NGX_OK;
    }

    b = cl->buf;

    if (!r->reading_body && ctx->body.data == NULL && cl->next == NULL
        && ngx_buf_in_memory(b))
    {
        /* it came as a whole, which is the usual case, and stays there */

        ctx->body.data = b->pos;
        ctx->body.len = b->last - b->pos;

        return (ctx->body.len > ctx->limit) ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
                                            : NGX_OK;
    }

    while (cl) {
        rc = ngx_http_rtmp_route_api_body_add(r, ctx, cl->buf);

        if (rc != NGX_OK) {
            return rc;
        }

        r->request_body->bufs = cl->next;
        ngx_free_chain(r->pool, cl);
        cl = r->request_body->bufs;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_body_add(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_buf_t *b)
{
    u_char   *p;
    off_t     size;
    ssize_t   n;

    if (ngx_buf_special(b)) {
        return NGX_OK;
    }

    size = ngx_buf_size(b);

    if (size > (off_t) (ctx->limit - ctx->body.len)) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (ngx_http_rtmp_route_api_body_grow(r, ctx, (size_t) size) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ctx->body.data + ctx->body.len;

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, (size_t) size);
        b->pos = b->last;

    } else {

        /* somebody else has read it before, into a file */

        n = ngx_read_file(b->file, p, (size_t) size, b->file_pos);

        if (n != (ssize_t) size) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        b->file_pos = b->file_last;
    }

    ctx->body.len += (size_t) size;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_body_grow(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t len)
{
    u_char  *p;
    size_t   size;

    if (ctx->body.len + len <= ctx->size) {
        return NGX_OK;
    }

    size = ngx_max(ctx->size * 2, NGX_HTTP_RTMP_ROUTE_API_BODY);

    if (ctx->size == 0 && r->headers_in.content_length_n > 0) {
        size = (size_t) r->headers_in.content_length_n;
    }

    size = ngx_max(size, ctx->body.len + len);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ctx->body.data) {
        ngx_memcpy(p, ctx->body.data, ctx->body.len);
        ngx_pfree(r->pool, ctx->body.data);
    }

    ctx->body.data = p;
    ctx->size = size;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_body_failed(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_int_t rc)
{
    ngx_rtmp_route_error_t  err;

    switch (rc) {

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:

        (void) ngx_rtmp_route_error(&err, rc, "BodyTooLarge",
                                    "the body is longer than %uz bytes",
                                    ctx->limit);

        return ngx_http_rtmp_route_api_refuse(r, &err);

    case NGX_HTTP_BAD_REQUEST:
        return ngx_http_rtmp_route_api_error(r, rc, "BodyInvalid",
                                             "the body cannot be read");

    default:
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                             "InternalError",
                                             "internal error");
    }
}
