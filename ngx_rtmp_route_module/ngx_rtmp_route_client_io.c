
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client_int.h"


#define NGX_RTMP_ROUTE_REQUEST_INPUT   16384
#define NGX_RTMP_ROUTE_REQUEST_READS   8       /* before others have a turn */


static void ngx_rtmp_route_request_send_handler(ngx_event_t *wev);
static void ngx_rtmp_route_request_dummy_handler(ngx_event_t *wev);
static void ngx_rtmp_route_request_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_rtmp_route_request_process(
    ngx_rtmp_route_request_t *request, size_t n);
static ngx_int_t ngx_rtmp_route_request_piece(
    ngx_rtmp_route_request_t *request, ngx_str_t *piece);
static ngx_int_t ngx_rtmp_route_request_collect(
    ngx_rtmp_route_request_t *request, ngx_str_t *piece);
static void ngx_rtmp_route_request_closed(ngx_rtmp_route_request_t *request,
    ssize_t n, ngx_err_t err);
static void ngx_rtmp_route_request_again(ngx_rtmp_route_request_t *request);


void
ngx_rtmp_route_request_ready(ngx_rtmp_route_request_t *request)
{
    ngx_int_t                 rc;
    ngx_str_t                 error;
    ngx_addr_t               *addr;
    ngx_connection_t         *c;
    ngx_rtmp_route_client_t  *client;

    c = request->conn->connection;
    client = request->client;

    request->log->action = "sending request to server";

    /* what was noted about other addresses */

    error = request->error;
    request->error.len = 0;
    request->timedout = 0;

    if (request->connected) {

        rc = request->connected(request, c);

        if (rc == NGX_DECLINED) {

            if (error.len) {
                request->error = error;
            }

            ngx_rtmp_route_request_next(request);
            return;
        }

        if (rc != NGX_OK || ngx_rtmp_route_request_build(request) != NGX_OK) {

            if (request->error.len == 0) {
                ngx_rtmp_route_request_note(request, 0, 0, "no memory");
            }

            ngx_rtmp_route_request_end(request, 0);
            return;
        }
    }

    if (!request->reused) {
        addr = &request->addrs[request->naddr];

        ngx_memcpy(&client->last, addr->sockaddr, addr->socklen);
        client->last_len = addr->socklen;
    }

    c->read->handler = ngx_rtmp_route_request_read_handler;
    c->write->handler = ngx_rtmp_route_request_send_handler;

    ngx_rtmp_route_request_send_handler(c->write);
}


static void
ngx_rtmp_route_request_send_handler(ngx_event_t *wev)
{
    ssize_t                    n;
    ngx_buf_t                 *b;
    ngx_connection_t          *c;
    ngx_rtmp_route_request_t  *request;

    c = wev->data;
    request = c->data;
    b = request->buf;

    if (wev->timedout) {
        request->timedout = 1;
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                    "server timed out");
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    while (b->pos < b->last) {

        n = c->send(c, b->pos, b->last - b->pos);

        if (n > 0) {
            b->pos += n;
            continue;
        }

        if (n == NGX_AGAIN && ngx_handle_write_event(wev, 0) == NGX_OK) {
            ngx_add_timer(wev, request->client->conf.send_timeout);
            return;
        }

        ngx_rtmp_route_request_closed(request, NGX_ERROR, ngx_socket_errno);
        return;
    }

    request->sent = 1;
    request->log->action = "reading answer of server";

    wev->handler = ngx_rtmp_route_request_dummy_handler;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_rtmp_route_request_closed(request, NGX_ERROR, 0);
        return;
    }

    ngx_add_timer(c->read, request->client->conf.read_timeout);

    if (c->read->ready) {
        ngx_rtmp_route_request_read_handler(c->read);
    }
}


static void
ngx_rtmp_route_request_dummy_handler(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, wev->log, 0,
                   "route request dummy handler");
}


static void
ngx_rtmp_route_request_read_handler(ngx_event_t *rev)
{
    ssize_t                    n;
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_rtmp_route_request_t  *request;

    c = rev->data;
    request = c->data;

    if (c->close) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "request ended as nginx exits");
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    if (rev->timedout) {
        request->timedout = 1;
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                    "server timed out");
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    for (i = 0; i < NGX_RTMP_ROUTE_REQUEST_READS; i++) {

        n = c->recv(c, request->input, NGX_RTMP_ROUTE_REQUEST_INPUT);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_rtmp_route_request_closed(request, NGX_ERROR, 0);
            }

            return;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_rtmp_route_request_closed(request, n, ngx_socket_errno);
            return;
        }

        if (request->sent) {
            ngx_add_timer(rev, request->client->conf.read_timeout);
        }

        if (ngx_rtmp_route_request_process(request, n) != NGX_AGAIN) {
            return;
        }
    }

    ngx_post_event(rev, &ngx_posted_next_events);
}


/* NGX_AGAIN: there is more to come; else the request is no more */

static ngx_int_t
ngx_rtmp_route_request_process(ngx_rtmp_route_request_t *request, size_t n)
{
    u_char                     *p, *last;
    ngx_int_t                   rc;
    ngx_str_t                   piece;
    ngx_rtmp_route_response_t  *response;

    response = &request->response;

    p = request->input;
    last = p + n;

    for ( ;; ) {

        rc = ngx_rtmp_route_response_read(response, &p, last, &piece);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DONE) {
            request->status = response->status;

            ngx_rtmp_route_request_end(request, response->keepalive
                                                && request->sent
                                                && p == last);
            return NGX_DONE;
        }

        if (rc == NGX_ERROR) {
            request->too_large = response->too_large;

            ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0, "%s",
                                        response->error);
            ngx_rtmp_route_request_end(request, 0);
            return NGX_ERROR;
        }

        request->status = response->status;

        if (piece.len == 0) {
            continue;
        }

        rc = ngx_rtmp_route_request_piece(request, &piece);

        if (rc == NGX_ABORT) {
            ngx_rtmp_route_request_free(request);
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_rtmp_route_request_note(request, 0, 0,
                                        "answer was not taken");
            ngx_rtmp_route_request_end(request, 0);
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_rtmp_route_request_piece(ngx_rtmp_route_request_t *request,
    ngx_str_t *piece)
{
    ngx_int_t  rc;

    if (request->body_handler == NULL) {
        return ngx_rtmp_route_request_collect(request, piece);
    }

    request->busy = 1;

    rc = request->body_handler(request, piece);

    request->busy = 0;

    if (request->cancelled) {
        return NGX_ABORT;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_request_collect(ngx_rtmp_route_request_t *request,
    ngx_str_t *piece)
{
    u_char     *p;
    size_t      size;
    ngx_str_t  *answer;

    answer = &request->answer;

    if (piece->len > request->answer_size - answer->len) {

        /* doubled, as a length is only what the server says */

        size = ngx_max(answer->len + piece->len, 2 * request->answer_size);
        size = ngx_max(size, 4096);
        size = ngx_min(size, request->max_body);

        p = ngx_pnalloc(request->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (answer->len) {
            ngx_memcpy(p, answer->data, answer->len);
            (void) ngx_pfree(request->pool, answer->data);
        }

        answer->data = p;
        request->answer_size = size;
    }

    ngx_memcpy(answer->data + answer->len, piece->data, piece->len);
    answer->len += piece->len;

    return NGX_OK;
}


static void
ngx_rtmp_route_request_closed(ngx_rtmp_route_request_t *request, ssize_t n,
    ngx_err_t err)
{
    ngx_rtmp_route_response_t  *response;

    response = &request->response;

    if (request->reused
        && request->idempotent
        && ngx_rtmp_route_response_none(response))
    {
        /* the connection was no good any more */

        ngx_rtmp_route_request_again(request);
        return;
    }

    if (n == 0 && ngx_rtmp_route_response_closed(response) == NGX_DONE) {
        request->status = response->status;
        ngx_rtmp_route_request_end(request, 0);
        return;
    }

    /* nginx has logged the other */

    if (n == 0) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0, "%s",
                                    response->error);

    } else {
        ngx_rtmp_route_request_note(request, 0,
                                    request->client->https ? 0 : err,
                                    "connection was lost");
    }

    ngx_rtmp_route_request_end(request, 0);
}


static void
ngx_rtmp_route_request_again(ngx_rtmp_route_request_t *request)
{
    ngx_rtmp_route_response_t  *response;

    response = &request->response;

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, request->log, 0,
                   "route client: stale connection");

    ngx_rtmp_route_request_release(request, 0);

    ngx_rtmp_route_response_init(response, response->start, response->end,
                                 response->limit, request->head);

    request->buf->pos = request->buf->start;
    request->sent = 0;
    request->fresh = 1;

    ngx_rtmp_route_request_begin(request);
}
