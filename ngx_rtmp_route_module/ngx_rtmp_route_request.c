
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client_int.h"


#define NGX_RTMP_ROUTE_REQUEST_POOL    2048
#define NGX_RTMP_ROUTE_REQUEST_INPUT   16384
#define NGX_RTMP_ROUTE_REQUEST_ERROR   256


static ngx_uint_t ngx_rtmp_route_request_own(ngx_str_t *name);
static ngx_int_t ngx_rtmp_route_request_valid(
    ngx_rtmp_route_request_t *request);
static void ngx_rtmp_route_request_deadline_handler(ngx_event_t *ev);
static u_char * ngx_rtmp_route_request_log(ngx_log_t *log, u_char *buf,
    size_t len);


/* those that run in this process */

static ngx_queue_t  ngx_rtmp_route_requests = {
    &ngx_rtmp_route_requests, &ngx_rtmp_route_requests
};


ngx_rtmp_route_request_t *
ngx_rtmp_route_request_create(ngx_rtmp_route_client_t *client)
{
    ngx_log_t                 *log;
    ngx_pool_t                *pool;
    ngx_rtmp_route_request_t  *request;

    pool = ngx_create_pool(NGX_RTMP_ROUTE_REQUEST_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    request = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_request_t));
    log = ngx_palloc(pool, sizeof(ngx_log_t));

    if (request == NULL
        || log == NULL
        || ngx_array_init(&request->headers, pool, 4, sizeof(ngx_keyval_t))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    *log = *ngx_cycle->log;

    log->handler = ngx_rtmp_route_request_log;
    log->data = request;
    log->action = "starting a request";

    pool->log = log;

    request->client = client;
    request->pool = pool;
    request->log = log;
    request->timeout = client->conf.timeout;
    request->max_body = client->conf.max_body;

    ngx_str_set(&request->method, "GET");

    request->dumb.fd = (ngx_socket_t) -1;
    request->dumb.data = request;

    request->event.handler = ngx_rtmp_route_request_begin_handler;
    request->event.data = &request->dumb;
    request->event.log = log;

    request->deadline.handler = ngx_rtmp_route_request_deadline_handler;
    request->deadline.data = &request->dumb;
    request->deadline.log = log;

    ngx_queue_insert_tail(&ngx_rtmp_route_requests, &request->queue);

    return request;
}


ngx_int_t
ngx_rtmp_route_request_header(ngx_rtmp_route_request_t *request,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char         ch;
    size_t         i;
    ngx_keyval_t  *header;

    request->invalid = 1;

    if (name->len == 0 || ngx_rtmp_route_request_own(name)) {
        return NGX_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (ch <= ' ' || ch >= 0x7f || ch == ':') {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch < ' ' && ch != '\t') || ch == 0x7f) {
            return NGX_ERROR;
        }
    }

    header = ngx_array_push(&request->headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    header->key = *name;
    header->value = *value;

    request->invalid = 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_request_own(ngx_str_t *name)
{
    ngx_str_t  *own;

    static ngx_str_t  names[] = {
        ngx_string("host"),
        ngx_string("connection"),
        ngx_string("user-agent"),
        ngx_string("content-length"),
        ngx_string("content-type"),
        ngx_string("transfer-encoding"),
        ngx_string("te"),
        ngx_string("upgrade"),
        ngx_string("expect"),
        ngx_null_string
    };

    for (own = names; own->len; own++) {

        if (own->len == name->len
            && ngx_strncasecmp(own->data, name->data, own->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_rtmp_route_request_start(ngx_rtmp_route_request_t *request)
{
    u_char     *p;
    ngx_log_t  *log;

    if (request->invalid
        || ngx_rtmp_route_request_valid(request) != NGX_OK
        || ngx_rtmp_route_request_build(request) != NGX_OK)
    {
        ngx_rtmp_route_request_free(request);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(request->pool, NGX_RTMP_ROUTE_RESPONSE_HEADER);
    request->input = ngx_pnalloc(request->pool, NGX_RTMP_ROUTE_REQUEST_INPUT);

    if (p == NULL || request->input == NULL) {
        ngx_rtmp_route_request_free(request);
        return NGX_ERROR;
    }

    ngx_rtmp_route_response_init(&request->response, p,
                                 p + NGX_RTMP_ROUTE_RESPONSE_HEADER,
                                 request->max_body, request->head);

    /* lines of nginx itself are left out, too, unless all are wanted */

    log = request->log;

    if (request->quiet && log->log_level < NGX_LOG_INFO) {
        log->log_level = ngx_min(log->log_level, NGX_LOG_ALERT);
    }

    request->event.cancelable = !request->waited;
    request->deadline.cancelable = !request->waited;

    ngx_add_timer(&request->event, 0);
    ngx_add_timer(&request->deadline, request->timeout);

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_request_valid(ngx_rtmp_route_request_t *request)
{
    u_char      ch;
    size_t      i;
    ngx_str_t  *method;

    method = &request->method;

    if (method->len == 0) {
        return NGX_ERROR;
    }

    for (i = 0; i < method->len; i++) {
        if (method->data[i] < 'A' || method->data[i] > 'Z') {
            return NGX_ERROR;
        }
    }

    if (request->uri.len && request->uri.data[0] != '/'
        && request->uri.data[0] != '?')
    {
        return NGX_ERROR;
    }

    for (i = 0; i < request->uri.len; i++) {
        ch = request->uri.data[i];

        if (ch <= ' ' || ch >= 0x7f || ch == '#') {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < request->content_type.len; i++) {
        ch = request->content_type.data[i];

        if (ch < ' ' || ch >= 0x7f) {
            return NGX_ERROR;
        }
    }

    if (method->len == 4 && ngx_memcmp(method->data, "HEAD", 4) == 0) {
        request->head = 1;
        request->idempotent = 1;
        return NGX_OK;
    }

    if ((method->len == 3 && (ngx_memcmp(method->data, "GET", 3) == 0
                              || ngx_memcmp(method->data, "PUT", 3) == 0))
        || (method->len == 6 && ngx_memcmp(method->data, "DELETE", 6) == 0)
        || (method->len == 7 && ngx_memcmp(method->data, "OPTIONS", 7) == 0))
    {
        request->idempotent = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_request_build(ngx_rtmp_route_request_t *request)
{
    u_char                   *p, *last;
    size_t                    len;
    ngx_buf_t                *b;
    ngx_uint_t                i;
    ngx_keyval_t             *header;
    ngx_rtmp_route_client_t  *client;

    client = request->client;

    len = request->method.len + client->path.len + request->uri.len
          + client->authority.len + request->content_type.len
          + request->body.len
          + sizeof(" / HTTP/1.1" CRLF "Host: " CRLF "User-Agent: "
                   NGX_RTMP_ROUTE_CLIENT_AGENT CRLF "Connection: keep-alive"
                   CRLF "Content-Type: " CRLF "Content-Length: " CRLF CRLF)
          + NGX_SIZE_T_LEN;

    header = request->headers.elts;

    for (i = 0; i < request->headers.nelts; i++) {
        len += header[i].key.len + header[i].value.len + sizeof(": " CRLF);
    }

    b = ngx_create_temp_buf(request->pool, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(b->last, "%V %V", &request->method, &client->path);

    if (client->path.len == 0
        && (request->uri.len == 0 || request->uri.data[0] != '/'))
    {
        *p++ = '/';
    }

    last = ngx_sprintf(p, "%V", &request->uri);

    /* arguments are not logged */

    p = ngx_strlchr(b->pos, last, '?');

    request->line.data = b->pos;
    request->line.len = (p ? p : last) - b->pos;

    p = ngx_sprintf(last, " HTTP/1.1" CRLF "Host: %V" CRLF "User-Agent: "
                    NGX_RTMP_ROUTE_CLIENT_AGENT CRLF "Connection: %s" CRLF,
                    &client->authority,
                    client->conf.keepalive > 0 ? "keep-alive" : "close");

    for (i = 0; i < request->headers.nelts; i++) {
        p = ngx_sprintf(p, "%V: %V" CRLF, &header[i].key, &header[i].value);
    }

    if (request->content_type.len) {
        p = ngx_sprintf(p, "Content-Type: %V" CRLF, &request->content_type);
    }

    if (request->body.len
        || (request->method.len == 4
            && ngx_memcmp(request->method.data, "POST", 4) == 0)
        || (request->method.len == 3
            && ngx_memcmp(request->method.data, "PUT", 3) == 0))
    {
        p = ngx_sprintf(p, "Content-Length: %uz" CRLF, request->body.len);
    }

    *p++ = CR; *p++ = LF;

    if (request->body.len) {
        p = ngx_cpymem(p, request->body.data, request->body.len);
    }

    b->last = p;

    request->buf = b;

    return NGX_OK;
}


static void
ngx_rtmp_route_request_deadline_handler(ngx_event_t *ev)
{
    ngx_connection_t          *dumb;
    ngx_rtmp_route_request_t  *request;

    dumb = ev->data;
    request = dumb->data;

    request->timedout = 1;

    ngx_rtmp_route_request_note(request, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                "server took too long");
    ngx_rtmp_route_request_end(request, 0);
}


/* the connection is back before the handler is called */

void
ngx_rtmp_route_request_end(ngx_rtmp_route_request_t *request, ngx_uint_t keep)
{
    ngx_rtmp_route_request_release(request, keep);

    if (request->deadline.timer_set) {
        ngx_del_timer(&request->deadline);
    }

    if (request->error.len) {
        request->status = 0;
    }

    request->busy = 1;

    if (request->handler) {
        request->handler(request);
    }

    ngx_rtmp_route_request_free(request);
}


void
ngx_rtmp_route_request_release(ngx_rtmp_route_request_t *request,
    ngx_uint_t keep)
{
    ngx_rtmp_route_client_conn_t  *conn;

    conn = request->conn;

    if (conn == NULL) {
        return;
    }

    request->conn = NULL;

    if (keep) {
        ngx_rtmp_route_client_put(conn);

    } else {
        ngx_rtmp_route_client_close(conn);
    }
}


ngx_int_t
ngx_rtmp_route_request_find(ngx_rtmp_route_request_t *request,
    ngx_str_t *name, ngx_str_t *value)
{
    return ngx_rtmp_route_response_find(&request->response, name, value);
}


void
ngx_rtmp_route_request_cancel(ngx_rtmp_route_request_t *request)
{
    if (request->busy) {
        request->cancelled = 1;
        return;
    }

    ngx_rtmp_route_request_free(request);
}


void
ngx_rtmp_route_request_free(ngx_rtmp_route_request_t *request)
{
    ngx_rtmp_route_request_release(request, 0);

    if (request->resolving) {
        ngx_resolve_name_done(request->resolving);
    }

    if (request->event.timer_set) {
        ngx_del_timer(&request->event);
    }

    if (request->deadline.timer_set) {
        ngx_del_timer(&request->deadline);
    }

    ngx_queue_remove(&request->queue);

    ngx_destroy_pool(request->pool);
}


void
ngx_rtmp_route_request_free_all(ngx_rtmp_route_client_t *client)
{
    ngx_queue_t               *q, *next;
    ngx_rtmp_route_request_t  *request;

    for (q = ngx_queue_head(&ngx_rtmp_route_requests);
         q != ngx_queue_sentinel(&ngx_rtmp_route_requests);
         q = next)
    {
        next = ngx_queue_next(q);
        request = ngx_queue_data(q, ngx_rtmp_route_request_t, queue);

        if (client == NULL || request->client == client) {
            ngx_rtmp_route_request_free(request);
        }
    }
}


void
ngx_rtmp_route_request_note(ngx_rtmp_route_request_t *request,
    ngx_uint_t level, ngx_err_t err, const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    /* one that was set may be constant */

    p = ngx_pnalloc(request->pool, NGX_RTMP_ROUTE_REQUEST_ERROR);
    if (p == NULL) {
        ngx_str_set(&request->error, "no memory");
        return;
    }

    request->error.data = p;
    last = p + NGX_RTMP_ROUTE_REQUEST_ERROR;

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    request->error.len = p - request->error.data;

    if (level) {
        level = request->quiet ? NGX_LOG_INFO : level;

        ngx_log_error(level, request->log, err, "%V", &request->error);
    }

    if (err) {
        p = ngx_slprintf(p, last, " (%d: ", err);
        p = ngx_strerror(err, p, last - p);
        p = ngx_slprintf(p, last, ")");

        request->error.len = p - request->error.data;
    }
}


static u_char *
ngx_rtmp_route_request_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                    *p;
    ngx_rtmp_route_request_t  *request;

    request = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(buf, len, ", server: \"%V\", request: \"%V\"",
                     &request->client->authority, &request->line);
    len -= p - buf;
    buf = p;

    if (request->naddr < request->naddrs) {
        p = ngx_snprintf(buf, len, ", peer: %V",
                         &request->addrs[request->naddr].name);
    }

    return p;
}
