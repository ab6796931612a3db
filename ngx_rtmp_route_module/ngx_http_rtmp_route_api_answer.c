
/*
 * Copyright (C) The nginx-osp authors
 */


/* Arguments and answers of the API, for its own files and other modules. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_key.h"


#define NGX_HTTP_RTMP_ROUTE_API_PAGE  1000

/* "4711-01234567" */
#define NGX_HTTP_RTMP_ROUTE_API_AFTER_LEN  (NGX_INT32_LEN + 9)


static ngx_int_t ngx_http_rtmp_route_api_after(ngx_http_request_t *r,
    ngx_str_t *arg, uint32_t *after);
static uint32_t ngx_http_rtmp_route_api_tag(ngx_http_request_t *r,
    uint32_t after);


ngx_int_t
ngx_http_rtmp_route_api_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_rtmp_route_json_t *json)
{
    ngx_int_t  rc;

    if (json->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = json->length;

    if (ngx_http_rtmp_route_api_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    json->buf->last_buf = (r == r->main) ? 1 : 0;
    json->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, json->out);
}


ngx_int_t
ngx_http_rtmp_route_api_no_content(ngx_http_request_t *r)
{
    if (ngx_http_rtmp_route_api_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_null(&r->headers_out.content_type);
    r->headers_out.content_type_len = 0;

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_rtmp_route_api_end(ngx_http_request_t *r, ngx_int_t rc)
{
    if (rc != NGX_HTTP_INTERNAL_SERVER_ERROR || r->header_sent) {
        return rc;
    }

    return ngx_http_rtmp_route_api_error(r, rc, "InternalError",
                                         "internal error");
}


ngx_int_t
ngx_http_rtmp_route_api_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *text)
{
    ngx_rtmp_route_error_t  err;

    (void) ngx_rtmp_route_error(&err, status, code, "%s", text);

    return ngx_http_rtmp_route_api_refuse(r, &err);
}


ngx_int_t
ngx_http_rtmp_route_api_refuse(ngx_http_request_t *r,
    ngx_rtmp_route_error_t *err)
{
    ngx_int_t                             rc;
    ngx_str_t                             s;
    ngx_rtmp_route_json_t                 json;
    ngx_http_variable_value_t            *vv;
    ngx_http_rtmp_route_api_ctx_t        *ctx;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);

    /* a log line shows the URI, and others may hold names of streams */

    if (ctx && ctx->resource == NGX_HTTP_RTMP_ROUTE_API_SRS) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "registration was refused: %ui %V",
                      err->status, &err->code);

        ngx_rtmp_route_count_registration(ctx->route, err->status);
    }

    /* the client need not send a body that nobody wants */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        r->keepalive = 0;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_rtmp_route_api_module);

    vv = ngx_http_get_indexed_variable(r, amcf->request_id);

    if (vv == NULL || vv->not_found) {
        ngx_str_set(&s, "");

    } else {
        s.data = vv->data;
        s.len = vv->len;
    }

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_name(&json, "error");

    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_name(&json, "status");
    ngx_rtmp_route_json_number(&json, err->status);
    ngx_rtmp_route_json_name(&json, "text");
    ngx_rtmp_route_json_string(&json, &err->text);
    ngx_rtmp_route_json_name(&json, "code");
    ngx_rtmp_route_json_string(&json, &err->code);
    ngx_rtmp_route_json_close(&json, '}');

    ngx_rtmp_route_json_name(&json, "request_id");
    ngx_rtmp_route_json_string(&json, &s);

    ngx_str_set(&s, NGX_HTTP_RTMP_ROUTE_API_HREF);

    ngx_rtmp_route_json_name(&json, "href");
    ngx_rtmp_route_json_string(&json, &s);
    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, err->status, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_allow(ngx_http_request_t *r, ngx_uint_t methods,
    ngx_uint_t disabled)
{
    u_char     *p;
    ngx_str_t   allow;
    u_char      buf[sizeof("GET, HEAD, POST, PUT, PATCH, DELETE, ")];

    p = ngx_sprintf(buf, "%s%s%s%s%s",
                    (methods & NGX_HTTP_GET) ? "GET, HEAD, " : "",
                    (methods & NGX_HTTP_POST) ? "POST, " : "",
                    (methods & NGX_HTTP_PUT) ? "PUT, " : "",
                    (methods & NGX_HTTP_PATCH) ? "PATCH, " : "",
                    (methods & NGX_HTTP_DELETE) ? "DELETE, " : "");

    allow.data = buf;
    allow.len = (p == buf) ? 0 : p - buf - 2;

    if (ngx_http_rtmp_route_api_header(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (disabled) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_ALLOWED,
                                             "MethodDisabled",
                                             "method disabled");
    }

    return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_ALLOWED,
                                         "MethodNotAllowed",
                                         "method not allowed here");
}


ngx_int_t
ngx_http_rtmp_route_api_headers(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_str_set(&value, "no-store");

    return ngx_http_rtmp_route_add_header(r, "Cache-Control", &value);
}


ngx_int_t
ngx_http_rtmp_route_api_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_str_t  copy;

    copy.len = value->len;
    copy.data = ngx_pstrdup(r->pool, value);

    if (copy.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rtmp_route_add_header(r, name, &copy);
}


ngx_int_t
ngx_http_rtmp_route_api_location(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char      *p;
    size_t       len;
    ngx_str_t    location;
    uintptr_t    uri, escape;

    len = r->uri.len;

    if (len && r->uri.data[len - 1] == '/') {
        len--;
    }

    uri = 2 * ngx_escape_uri(NULL, r->uri.data, len, NGX_ESCAPE_URI);
    escape = 2 * ngx_escape_uri(NULL, id->data, id->len,
                                NGX_ESCAPE_URI_COMPONENT);

    p = ngx_pnalloc(r->pool, len + uri + 1 + id->len + escape);
    if (p == NULL) {
        return NGX_ERROR;
    }

    location.data = p;

    p = (u_char *) ngx_escape_uri(p, r->uri.data, len, NGX_ESCAPE_URI);
    *p++ = '/';
    p = (u_char *) ngx_escape_uri(p, id->data, id->len,
                                  NGX_ESCAPE_URI_COMPONENT);

    location.len = p - location.data;

    return ngx_http_rtmp_route_api_header(r, "Location", &location);
}


ngx_int_t
ngx_http_rtmp_route_api_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char     *src, *dst;
    ngx_str_t   raw;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        ngx_str_null(value);
        return NGX_DECLINED;
    }

    dst = ngx_pnalloc(r->pool, raw.len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;
    src = raw.data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_rtmp_route_api_args(ngx_http_request_t *r, const char *known)
{
    size_t       len;
    u_char      *arg, *last, *end, *p;
    const char  *name;

    arg = r->args.data;
    last = r->args.data + r->args.len;

    for ( /* void */ ; arg < last; arg = end + 1) {

        end = ngx_strlchr(arg, last, '&');

        if (end == NULL) {
            end = last;
        }

        p = ngx_strlchr(arg, end, '=');
        len = (p ? p : end) - arg;

        if (len == 0) {
            continue;
        }

        /* who may call at all can be a matter of a token */

        if (len == 5 && ngx_strncasecmp(arg, (u_char *) "token", 5) == 0) {
            continue;
        }

        for (name = known; *name; name++) {

            if (ngx_strncasecmp(arg, (u_char *) name, len) == 0
                && (name[len] == ' ' || name[len] == '\0'))
            {
                break;
            }

            while (name[1] && *name != ' ') {
                name++;
            }
        }

        if (*name == '\0') {
            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                                 "ArgumentInvalid",
                                                 "unknown argument");
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rtmp_route_api_wanted(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_field_t *fields, uint64_t *wanted)
{
    u_char                           *p, *last, *comma;
    size_t                            len;
    ngx_int_t                         rc;
    ngx_str_t                         arg;
    ngx_http_rtmp_route_api_field_t  *field;

    *wanted = (uint64_t) -1;

    rc = ngx_http_rtmp_route_api_arg(r, "fields", &arg);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    *wanted = 0;

    p = arg.data;
    last = arg.data + arg.len;

    while (p < last) {

        comma = ngx_strlchr(p, last, ',');
        len = (comma ? comma : last) - p;

        for (field = fields; field->name.len; field++) {
            if (field->name.len == len
                && ngx_memcmp(field->name.data, p, len) == 0)
            {
                *wanted |= (uint64_t) 1 << field->number;
                break;
            }
        }

        if (len && field->name.len == 0) {
            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                                 "ArgumentInvalid",
                                                 "unknown field in "
                                                 "\"fields\"");
        }

        p += len + 1;
    }

    return NGX_DECLINED;
}


void
ngx_http_rtmp_route_api_instance(ngx_http_request_t *r, uint64_t instance)
{
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);
    ctx->instance = instance;
}


ngx_int_t
ngx_http_rtmp_route_api_page(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_page_t *page)
{
    ngx_int_t  rc, n;
    ngx_str_t  arg;

    page->after = 0;
    page->limit = 0;

    rc = ngx_http_rtmp_route_api_arg(r, "after", &arg);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (arg.len
        && ngx_http_rtmp_route_api_after(r, &arg, &page->after) != NGX_OK)
    {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "invalid \"after\": not of this "
                                             "list, or of an earlier one");
    }

    rc = ngx_http_rtmp_route_api_arg(r, "limit", &arg);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        n = ngx_atoi(arg.data, arg.len);

        if (n < 1) {
            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                                 "ArgumentInvalid",
                                                 "invalid \"limit\"");
        }

        page->limit = ngx_min(n, NGX_HTTP_RTMP_ROUTE_API_PAGE);
    }

    return NGX_DECLINED;
}


/*
 * A cursor means nothing in another list, nor in one that was begun anew, as
 * by a restart: it comes with a tag that says what it is about.
 */

static ngx_int_t
ngx_http_rtmp_route_api_after(ngx_http_request_t *r, ngx_str_t *arg,
    uint32_t *after)
{
    u_char     *p;
    ngx_int_t   n, tag;

    if (arg->len == 1 && arg->data[0] == '0') {
        *after = 0;
        return NGX_OK;
    }

    p = ngx_strlchr(arg->data, arg->data + arg->len, '-');

    if (p == NULL || arg->data + arg->len - p != 9) {
        return NGX_DECLINED;
    }

    n = ngx_atoi(arg->data, p - arg->data);
    tag = ngx_hextoi(p + 1, 8);

    if (n == NGX_ERROR
        || n > (ngx_int_t) NGX_MAX_UINT32_VALUE
        || tag == NGX_ERROR)
    {
        return NGX_DECLINED;
    }

    *after = (uint32_t) n;

    return (ngx_http_rtmp_route_api_tag(r, *after) == (uint32_t) tag)
           ? NGX_OK : NGX_DECLINED;
}


static uint32_t
ngx_http_rtmp_route_api_tag(ngx_http_request_t *r, uint32_t after)
{
    uint32_t                        tag;
    uint64_t                        instance;
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_api_module);

    instance = ctx->route ? ngx_rtmp_route_table_instance(&ctx->route->table)
                          : ctx->instance;

    ngx_crc32_init(tag);
    ngx_crc32_update(&tag, (u_char *) &instance, sizeof(uint64_t));
    ngx_crc32_update(&tag, (u_char *) &ctx->resource, sizeof(ngx_uint_t));
    ngx_crc32_update(&tag, (u_char *) &after, sizeof(uint32_t));

    if (ctx->section) {
        ngx_crc32_update(&tag, ctx->section->name.data,
                         ctx->section->name.len);
        ngx_crc32_update(&tag, ctx->item.data, ctx->item.len);
    }

    ngx_crc32_final(tag);

    return tag;
}


/* where the list goes on: the same arguments but for "after" */

ngx_int_t
ngx_http_rtmp_route_api_next(ngx_http_request_t *r, uint32_t after)
{
    size_t      len;
    u_char     *p, *arg, *last, *end;
    ngx_str_t   link;

    link.data = ngx_pnalloc(r->pool, r->args.len * 3
                                     + sizeof("<?&after=>; rel=\"next\"")
                                     + NGX_HTTP_RTMP_ROUTE_API_AFTER_LEN);
    if (link.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(link.data, "<?", 2);

    arg = r->args.data;
    last = r->args.data + r->args.len;

    for ( /* void */ ; arg < last; arg = end + 1) {

        end = ngx_strlchr(arg, last, '&');

        if (end == NULL) {
            end = last;
        }

        len = end - arg;

        if (len == 0
            || (len >= 6
                && ngx_strncasecmp(arg, (u_char *) "after=", 6) == 0))
        {
            continue;
        }

        while (arg < end) {

            /* what would end the URI in the header */

            if (*arg == '>' || *arg == '<' || *arg == '"') {
                p = ngx_sprintf(p, "%%%02Xd", (int) *arg++);
                continue;
            }

            *p++ = *arg++;
        }

        *p++ = '&';
    }

    p = ngx_sprintf(p, "after=%uD-%08xD>; rel=\"next\"", after,
                    ngx_http_rtmp_route_api_tag(r, after));

    link.len = p - link.data;

    return ngx_http_rtmp_route_api_header(r, "Link", &link);
}


void
ngx_http_rtmp_route_api_fault(ngx_rtmp_route_json_t *json, const char *fault,
    uint32_t where)
{
    ngx_str_t  text;

    ngx_rtmp_route_json_name(json, "consistent");
    ngx_rtmp_route_json_bool(json, fault == NULL);

    if (fault) {
        text.data = (u_char *) fault;
        text.len = ngx_strlen(fault);

        ngx_rtmp_route_json_name(json, "fault");
        ngx_rtmp_route_json_string(json, &text);
        ngx_rtmp_route_json_name(json, "record");
        ngx_rtmp_route_json_number(json, where);
    }
}


ngx_int_t
ngx_http_rtmp_route_api_key(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *text, ngx_str_t *key)
{
    ngx_int_t              rc;
    ngx_rtmp_route_name_t  name;

    rc = ngx_rtmp_route_name_text(r->pool, text, ctx->route->key, &name);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_rtmp_route_stream_key(ctx->route, r->pool, &name,
                                     NGX_RTMP_ROUTE_NAMED, key);
}
