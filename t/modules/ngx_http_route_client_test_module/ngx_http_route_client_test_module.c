
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The directive "client_test" makes a request with the HTTP client for each
 * that comes, and answers with what it has brought:
 *
 *     client_test  URL [method=METHOD] [uri=VALUE] [body=VALUE] [type=TYPE]
 *                  [header=NAME:VALUE]... [want=NAME] [many=NUMBER]
 *                  [pieces] [refuse] [idempotent] [quiet] [leave]
 *                  [cancel=create|start|body|end|TIME]
 *                  [connect=TIME] [send=TIME] [read=TIME] [timeout=TIME]
 *                  [limit=SIZE] [keepalive=NUMBER] [idle=TIME]
 *                  [verify=off] [sni=off] [name=NAME] [trusted=FILE]
 *                  [depth=NUMBER] [certificate=FILE] [key=FILE];
 *
 * many: so many at a time, the last one is answered with; pieces: the body is
 * handed on in pieces; refuse: the first of them is not taken; leave: it is
 * answered at once, and a worker that exits does not wait for the request.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route_client.h"


#define NGX_HTTP_ROUTE_CLIENT_TEST_CREATE  1
#define NGX_HTTP_ROUTE_CLIENT_TEST_START   2
#define NGX_HTTP_ROUTE_CLIENT_TEST_BODY    3
#define NGX_HTTP_ROUTE_CLIENT_TEST_END     4
#define NGX_HTTP_ROUTE_CLIENT_TEST_TIMER   5


typedef struct {
    ngx_rtmp_route_client_t       *client;
    ngx_rtmp_route_client_conf_t   conf;
    ngx_http_complex_value_t      *uri;
    ngx_http_complex_value_t      *body;
    ngx_str_t                      method;
    ngx_str_t                      type;
    ngx_array_t                   *headers;   /* of ngx_keyval_t */
    ngx_str_t                      want;
    ngx_uint_t                     many;
    ngx_uint_t                     cancel;
    ngx_msec_t                     after;
    ngx_flag_t                     pieces;
    ngx_flag_t                     refuse;
    ngx_flag_t                     idempotent;
    ngx_flag_t                     quiet;
    ngx_flag_t                     leave;
} ngx_http_route_client_test_loc_conf_t;


typedef struct {
    ngx_http_request_t            *request;
    ngx_rtmp_route_request_t     **running;
    ngx_uint_t                     left;
    ngx_event_t                    timer;
    ngx_uint_t                     pieces;
    size_t                         size;
    ngx_msec_t                     start;
} ngx_http_route_client_test_ctx_t;


static ngx_int_t ngx_http_route_client_test_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_route_client_test_start(ngx_http_request_t *r,
    ngx_http_route_client_test_ctx_t *ctx, ngx_uint_t n);
static void ngx_http_route_client_test_cleanup(void *data);
static void ngx_http_route_client_test_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_route_client_test_body(
    ngx_rtmp_route_request_t *request, ngx_str_t *piece);
static void ngx_http_route_client_test_end(ngx_rtmp_route_request_t *request);
static ngx_int_t ngx_http_route_client_test_answer(
    ngx_http_route_client_test_ctx_t *ctx, ngx_rtmp_route_request_t *request);
static void ngx_http_route_client_test_finalize(
    ngx_http_route_client_test_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_route_client_test_add(ngx_http_request_t *r,
    char *name, const char *fmt, ...);
static void *ngx_http_route_client_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_route_client_test_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_route_client_test(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_route_client_test_param(ngx_conf_t *cf,
    ngx_http_route_client_test_loc_conf_t *tlcf, ngx_str_t *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_route_client_test_header(ngx_conf_t *cf,
    ngx_http_route_client_test_loc_conf_t *tlcf, ngx_str_t *value);
static ngx_int_t ngx_http_route_client_test_value(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_complex_value_t **cv);
static void ngx_http_route_client_test_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_route_client_test_commands[] = {

    { ngx_string("client_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_route_client_test,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_route_client_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_route_client_test_create_loc_conf, /* create location config */
    ngx_http_route_client_test_merge_loc_conf /* merge location config */
};


ngx_module_t  ngx_http_route_client_test_module = {
    NGX_MODULE_V1,
    &ngx_http_route_client_test_module_ctx, /* module context */
    ngx_http_route_client_test_commands,   /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_route_client_test_exit_process, /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_route_client_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                               rc;
    ngx_uint_t                              i;
    ngx_http_cleanup_t                     *cln;
    ngx_http_route_client_test_ctx_t       *ctx;
    ngx_http_route_client_test_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_route_client_test_module);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_route_client_test_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->running = ngx_pcalloc(r->pool, conf->many * sizeof(void *));
    cln = ngx_http_cleanup_add(r, 0);

    if (ctx->running == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_route_client_test_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->start = ngx_current_msec;
    ctx->left = conf->many;

    ctx->timer.handler = ngx_http_route_client_test_timer_handler;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    for (i = 0; i < conf->many; i++) {
        rc = ngx_http_route_client_test_start(r, ctx, i);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (conf->cancel == NGX_HTTP_ROUTE_CLIENT_TEST_TIMER) {
        ngx_add_timer(&ctx->timer, conf->after);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_route_client_test_start(ngx_http_request_t *r,
    ngx_http_route_client_test_ctx_t *ctx, ngx_uint_t n)
{
    ngx_uint_t                              i;
    ngx_keyval_t                           *header;
    ngx_rtmp_route_request_t               *request;
    ngx_http_route_client_test_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_route_client_test_module);

    request = ngx_rtmp_route_request_create(conf->client);
    if (request == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->cancel == NGX_HTTP_ROUTE_CLIENT_TEST_CREATE) {
        ngx_rtmp_route_request_cancel(request);
        return NGX_HTTP_NO_CONTENT;
    }

    if ((conf->uri
         && ngx_http_complex_value(r, conf->uri, &request->uri) != NGX_OK)
        || (conf->body
            && ngx_http_complex_value(r, conf->body, &request->body)
               != NGX_OK))
    {
        ngx_rtmp_route_request_cancel(request);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->method.len) {
        request->method = conf->method;
    }

    request->content_type = conf->type;
    request->handler = ngx_http_route_client_test_end;
    request->data = ctx;
    request->idempotent = conf->idempotent;
    request->quiet = conf->quiet;
    request->waited = !conf->leave;

    if (conf->leave) {
        request->handler = NULL;
    }

    if (conf->pieces) {
        request->body_handler = ngx_http_route_client_test_body;
    }

    if (conf->headers) {
        header = conf->headers->elts;

        for (i = 0; i < conf->headers->nelts; i++) {
            (void) ngx_rtmp_route_request_header(request, &header[i].key,
                                                 &header[i].value);
        }
    }

    if (ngx_rtmp_route_request_start(request) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (conf->cancel == NGX_HTTP_ROUTE_CLIENT_TEST_START) {
        ngx_rtmp_route_request_cancel(request);
        return NGX_HTTP_NO_CONTENT;
    }

    if (conf->leave) {
        return NGX_HTTP_NO_CONTENT;
    }

    ctx->running[n] = request;

    return NGX_OK;
}


static void
ngx_http_route_client_test_cleanup(void *data)
{
    ngx_http_route_client_test_ctx_t *ctx = data;

    ngx_uint_t                              i;
    ngx_http_route_client_test_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_route_client_test_module);

    for (i = 0; i < conf->many; i++) {
        if (ctx->running[i]) {
            ngx_rtmp_route_request_cancel(ctx->running[i]);
        }
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static void
ngx_http_route_client_test_timer_handler(ngx_event_t *ev)
{
    ngx_http_route_client_test_ctx_t *ctx = ev->data;

    ngx_http_route_client_test_finalize(ctx, NGX_HTTP_NO_CONTENT);
}


static ngx_int_t
ngx_http_route_client_test_body(ngx_rtmp_route_request_t *request,
    ngx_str_t *piece)
{
    u_char                                 *p;
    ngx_http_route_client_test_ctx_t       *ctx;
    ngx_http_route_client_test_loc_conf_t  *conf;

    ctx = request->data;
    conf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_route_client_test_module);

    if (conf->refuse || request->status == 0) {
        return NGX_ERROR;
    }

    ctx->pieces++;

    if (conf->cancel == NGX_HTTP_ROUTE_CLIENT_TEST_BODY) {
        ngx_http_route_client_test_finalize(ctx, NGX_HTTP_NO_CONTENT);
        return NGX_OK;
    }

    /* large ones are but counted */

    ctx->size += piece->len;

    if (ctx->size > 1024 * 1024) {
        return NGX_OK;
    }

    p = ngx_pnalloc(request->pool, request->answer.len + piece->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (request->answer.len) {
        ngx_memcpy(p, request->answer.data, request->answer.len);
    }

    ngx_memcpy(p + request->answer.len, piece->data, piece->len);

    request->answer.data = p;
    request->answer.len += piece->len;

    return NGX_OK;
}


static void
ngx_http_route_client_test_end(ngx_rtmp_route_request_t *request)
{
    ngx_uint_t                              i;
    ngx_http_route_client_test_ctx_t       *ctx;
    ngx_http_route_client_test_loc_conf_t  *conf;

    ctx = request->data;
    conf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_route_client_test_module);

    if (conf->cancel == NGX_HTTP_ROUTE_CLIENT_TEST_END) {
        ngx_rtmp_route_request_cancel(request);
    }

    for (i = 0; i < conf->many; i++) {
        if (ctx->running[i] == request) {
            ctx->running[i] = NULL;
        }
    }

    if (--ctx->left) {
        return;
    }

    ngx_http_route_client_test_finalize(ctx,
                              ngx_http_route_client_test_answer(ctx, request));
}


static ngx_int_t
ngx_http_route_client_test_answer(ngx_http_route_client_test_ctx_t *ctx,
    ngx_rtmp_route_request_t *request)
{
    ngx_int_t                               rc;
    ngx_buf_t                              *b;
    ngx_str_t                               value;
    ngx_chain_t                             out;
    ngx_http_request_t                     *r;
    ngx_http_route_client_test_loc_conf_t  *conf;

    r = ctx->request;
    conf = ngx_http_get_module_loc_conf(r, ngx_http_route_client_test_module);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = request->answer.len;

    if (ngx_http_route_client_test_add(r, "X-Status", "%ui", request->status)
        != NGX_OK
        || ngx_http_route_client_test_add(r, "X-Error", "%V", &request->error)
           != NGX_OK
        || ngx_http_route_client_test_add(r, "X-Why", "%s%s%s",
                               request->timedout ? "timedout" : "",
                               request->too_large ? "large" : "",
                               request->reused ? "reused" : "")
           != NGX_OK
        || ngx_http_route_client_test_add(r, "X-Pieces", "%ui/%uz",
                                          ctx->pieces, ctx->size)
           != NGX_OK
        || ngx_http_route_client_test_add(r, "X-Msec", "%M",
                                          ngx_current_msec - ctx->start)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->want.len
        && ngx_rtmp_route_request_find(request, &conf->want, &value) == NGX_OK
        && ngx_http_route_client_test_add(r, "X-Want", "%V", &value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, request->answer.len + 1);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (request->answer.len) {
        b->last = ngx_cpymem(b->last, request->answer.data,
                             request->answer.len);
    }

    b->last_buf = 1;
    b->last_in_chain = 1;
    b->memory = request->answer.len ? 1 : 0;
    b->temporary = 0;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_route_client_test_finalize(ngx_http_route_client_test_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    ngx_http_finalize_request(ctx->request, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_route_client_test_add(ngx_http_request_t *r, char *name,
    const char *fmt, ...)
{
    u_char           *p, *last;
    va_list           args;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, 1024);
    if (p == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    last = ngx_vslprintf(p, p + 1024, fmt, args);
    va_end(args);

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = last - p;
    h->value.data = p;

    return NGX_OK;
}


static void *
ngx_http_route_client_test_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_route_client_test_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool,
                       sizeof(ngx_http_route_client_test_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    ngx_rtmp_route_client_conf_init(&conf->conf);

    return conf;
}


static char *
ngx_http_route_client_test_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_route_client_test_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (conf->client == NULL) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* nginx makes one without servers where none is configured */

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        conf->conf.resolver = clcf->resolver;
        conf->conf.resolver_timeout = clcf->resolver_timeout;
    }

    if (ngx_rtmp_route_client_init(cf, conf->client, &conf->conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_route_client_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_route_client_test_loc_conf_t *tlcf = conf;

    u_char                    *p;
    ngx_str_t                 *value, name, s;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (tlcf->client) {
        return "is duplicate";
    }

    value = cf->args->elts;

    tlcf->many = 1;

    tlcf->client = ngx_rtmp_route_client_create(cf, &value[1]);
    if (tlcf->client == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        name = value[i];
        ngx_str_null(&s);

        p = ngx_strlchr(name.data, name.data + name.len, '=');

        if (p) {
            s.data = p + 1;
            s.len = name.data + name.len - s.data;
            name.len = p - name.data;
            *p = '\0';
        }

        if (ngx_http_route_client_test_param(cf, tlcf, &name, &s) != NGX_OK) {
            return "has an invalid parameter";
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_route_client_test_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_route_client_test_param(ngx_conf_t *cf,
    ngx_http_route_client_test_loc_conf_t *tlcf, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t  i;

    struct {
        char        *name;
        ngx_str_t   *str;
        ngx_flag_t  *flag;
        ngx_msec_t  *msec;
        ngx_int_t   *num;
    } params[] = {
        { "method", &tlcf->method, NULL, NULL, NULL },
        { "type", &tlcf->type, NULL, NULL, NULL },
        { "want", &tlcf->want, NULL, NULL, NULL },
        { "name", &tlcf->conf.ssl_name, NULL, NULL, NULL },
        { "trusted", &tlcf->conf.ssl_trusted_certificate, NULL, NULL, NULL },
        { "certificate", &tlcf->conf.ssl_certificate, NULL, NULL, NULL },
        { "key", &tlcf->conf.ssl_certificate_key, NULL, NULL, NULL },
        { "pieces", NULL, &tlcf->pieces, NULL, NULL },
        { "refuse", NULL, &tlcf->refuse, NULL, NULL },
        { "idempotent", NULL, &tlcf->idempotent, NULL, NULL },
        { "quiet", NULL, &tlcf->quiet, NULL, NULL },
        { "leave", NULL, &tlcf->leave, NULL, NULL },
        { "verify", NULL, &tlcf->conf.ssl_verify, NULL, NULL },
        { "sni", NULL, &tlcf->conf.ssl_server_name, NULL, NULL },
        { "connect", NULL, NULL, &tlcf->conf.connect_timeout, NULL },
        { "send", NULL, NULL, &tlcf->conf.send_timeout, NULL },
        { "read", NULL, NULL, &tlcf->conf.read_timeout, NULL },
        { "timeout", NULL, NULL, &tlcf->conf.timeout, NULL },
        { "idle", NULL, NULL, &tlcf->conf.keepalive_timeout, NULL },
        { "keepalive", NULL, NULL, NULL, &tlcf->conf.keepalive },
        { "depth", NULL, NULL, NULL, &tlcf->conf.ssl_verify_depth },
        { "many", NULL, NULL, NULL, (ngx_int_t *) &tlcf->many },
        { NULL, NULL, NULL, NULL, NULL }
    };

    for (i = 0; params[i].name; i++) {

        if (ngx_strcmp(params[i].name, name->data) != 0) {
            continue;
        }

        if (params[i].str) {
            *params[i].str = *value;

        } else if (params[i].flag) {
            *params[i].flag = (value->len != 3);

        } else if (params[i].msec) {
            *params[i].msec = ngx_parse_time(value, 0);

        } else {
            *params[i].num = ngx_atoi(value->data, value->len);
        }

        return NGX_OK;
    }

    if (ngx_strcmp(name->data, "uri") == 0) {
        return ngx_http_route_client_test_value(cf, value, &tlcf->uri);
    }

    if (ngx_strcmp(name->data, "body") == 0) {
        return ngx_http_route_client_test_value(cf, value, &tlcf->body);
    }

    if (ngx_strcmp(name->data, "header") == 0) {
        return ngx_http_route_client_test_header(cf, tlcf, value);
    }

    if (ngx_strcmp(name->data, "limit") == 0) {
        tlcf->conf.max_body = ngx_parse_size(value);
        return NGX_OK;
    }

    if (ngx_strcmp(name->data, "cancel") != 0) {
        return NGX_ERROR;
    }

    if (ngx_strcmp(value->data, "create") == 0) {
        tlcf->cancel = NGX_HTTP_ROUTE_CLIENT_TEST_CREATE;

    } else if (ngx_strcmp(value->data, "start") == 0) {
        tlcf->cancel = NGX_HTTP_ROUTE_CLIENT_TEST_START;

    } else if (ngx_strcmp(value->data, "body") == 0) {
        tlcf->cancel = NGX_HTTP_ROUTE_CLIENT_TEST_BODY;

    } else if (ngx_strcmp(value->data, "end") == 0) {
        tlcf->cancel = NGX_HTTP_ROUTE_CLIENT_TEST_END;

    } else {
        tlcf->cancel = NGX_HTTP_ROUTE_CLIENT_TEST_TIMER;
        tlcf->after = ngx_parse_time(value, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_route_client_test_header(ngx_conf_t *cf,
    ngx_http_route_client_test_loc_conf_t *tlcf, ngx_str_t *value)
{
    u_char        *p;
    ngx_keyval_t  *header;

    if (tlcf->headers == NULL) {
        tlcf->headers = ngx_array_create(cf->pool, 2, sizeof(ngx_keyval_t));
        if (tlcf->headers == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_strlchr(value->data, value->data + value->len, ':');
    header = ngx_array_push(tlcf->headers);

    if (p == NULL || header == NULL) {
        return NGX_ERROR;
    }

    header->key.data = value->data;
    header->key.len = p - value->data;
    header->value.data = p + 1;
    header->value.len = value->data + value->len - p - 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_route_client_test_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv);
}


static void
ngx_http_route_client_test_exit_process(ngx_cycle_t *cycle)
{
    ngx_rtmp_route_client_exit();
}
