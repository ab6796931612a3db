
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* dead peers are found after this time, seconds */

#define NGX_STREAM_OSP_USER_TIMEOUT  20
#define NGX_STREAM_OSP_KEEPINTVL     10


static ngx_int_t ngx_stream_osp_create_setup(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_opened(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_not_found(ngx_stream_osp_session_t *os);


/* where bytes are counted that belong to no session of the table */

static ngx_atomic_t  ngx_stream_osp_uncounted;


void
ngx_stream_osp_handler(ngx_stream_session_t *s)
{
    ngx_connection_t          *c;
    ngx_stream_osp_session_t  *os;

    c = s->connection;

    ngx_log_debug0(NGX_LOG_DEBUG_STREAM, c->log, 0, "osp upstream handler");

    os = ngx_pcalloc(c->pool, sizeof(ngx_stream_osp_session_t));
    if (os == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    os->session = s;
    os->conf = ngx_stream_get_module_srv_conf(s,
                                              ngx_stream_osp_upstream_module);
    os->flow[NGX_STREAM_OSP_UP].count = &ngx_stream_osp_uncounted;
    os->flow[NGX_STREAM_OSP_DOWN].count = &ngx_stream_osp_uncounted;

    ngx_stream_set_ctx(s, os, ngx_stream_osp_upstream_module);

    if (c->type != SOCK_STREAM) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "\"osp_upstream\" does not work over UDP");
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    s->log_handler = ngx_stream_osp_log_error;

    if (ngx_stream_osp_create_setup(os) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    if (ngx_stream_osp_socket(c) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK,
                                NGX_STREAM_OSP_CLIENT_CLOSED);
        return;
    }

    ngx_stream_osp_client_start(os);
}


static ngx_int_t
ngx_stream_osp_create_setup(ngx_stream_osp_session_t *os)
{
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;

    s = os->session;
    c = s->connection;

    os->pool = ngx_create_pool(4096, c->log);
    if (os->pool == NULL) {
        return NGX_ERROR;
    }

    os->setup = ngx_pcalloc(os->pool, sizeof(ngx_stream_osp_setup_t));
    if (os->setup == NULL) {
        return NGX_ERROR;
    }

    s->upstream_states = ngx_array_create(c->pool, 1,
                                          sizeof(ngx_stream_upstream_state_t));
    if (s->upstream_states == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* picks a server, once the client has said what it wants */

void
ngx_stream_osp_open(ngx_stream_osp_session_t *os)
{
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    if (ngx_stream_osp_admit(os) != NGX_OK) {
        return;
    }

    if (ngx_stream_osp_takeover(os) != NGX_OK) {
        return;
    }

    if (ngx_stream_osp_limit_settle(os) != NGX_OK) {
        return;
    }

    setup->phase = ngx_stream_osp_waiting;
    c->log->action = "choosing an upstream server";

    switch (ngx_stream_osp_open_session(os, setup->route, &setup->query,
                                        &os->rs, &setup->peer))
    {

    case NGX_OK:
        ngx_stream_osp_opened(os);
        return;

    case NGX_AGAIN:

        if (ngx_stream_osp_queue(os, NGX_AGAIN) != NGX_OK) {
            setup->query.late = 1;
            ngx_stream_osp_open(os);
        }

        return;

    case NGX_DECLINED:

        if (ngx_rtmp_route_asks_nobody(setup->route)
            && ngx_stream_osp_queue(os, NGX_DECLINED) == NGX_OK)
        {
            return;
        }

        ngx_stream_osp_not_found(os);
        return;

    default: /* NGX_BUSY */

        if (!setup->query.unsure
            && ngx_stream_osp_queue(os, NGX_BUSY) == NGX_OK)
        {
            return;
        }

        if (setup->query.unsure) {
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "nobody can tell where the stream is");

            ngx_stream_osp_refuse_text(os, NGX_STREAM_SERVICE_UNAVAILABLE,
                                       NGX_STREAM_OSP_NO_ANSWER,
                                       "NetConnection.Connect.Rejected",
                                       "nobody can tell where it is");
            return;

        } else if (setup->query.full) {
            ngx_stream_osp_refuse_full(os);
            return;

        } else {
            ngx_log_error(NGX_LOG_ERR, c->log, 0, "no live upstreams");
        }

        ngx_stream_osp_refuse_text(os, NGX_STREAM_SERVICE_UNAVAILABLE,
                                   NGX_STREAM_OSP_NO_SERVER,
                                   "NetConnection.Connect.Rejected",
                                   "no server available");
    }
}


void
ngx_stream_osp_refuse_full(ngx_stream_osp_session_t *os)
{
    ngx_log_error(NGX_LOG_ERR, os->session->connection->log, 0,
                  "no upstream server has room");

    ngx_stream_osp_refuse_text(os, NGX_STREAM_SERVICE_UNAVAILABLE,
                               NGX_STREAM_OSP_LIMIT_SERVER,
                               "NetConnection.Connect.Rejected",
                               "no server has room");
}


ngx_int_t
ngx_stream_osp_open_session(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_session_t *rs, ngx_rtmp_route_peer_t *peer)
{
    u_char                          text[NGX_SOCKADDR_STRLEN];
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_rtmp_route_session_info_t   info;

    c = os->session->connection;

    info.type = os->name.op;
    info.agent = os->agent;
    info.client.data = text;
    info.client.len = ngx_sock_ntop(c->sockaddr, c->socklen, text,
                                    NGX_SOCKADDR_STRLEN, 1);

    rc = ngx_rtmp_route_session_open(route, query, &info, rs, peer);

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, c->log, 0,
                   "osp session open: %i", rc);

    return rc;
}


static void
ngx_stream_osp_opened(ngx_stream_osp_session_t *os)
{
    ngx_connection_t  *c;

    c = os->session->connection;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_stream_osp_queue_leave(os);

    ngx_rtmp_route_session_watch(&os->rs, ngx_stream_osp_event);

    os->flow[NGX_STREAM_OSP_UP].count = os->rs.in;
    os->flow[NGX_STREAM_OSP_DOWN].count = os->rs.out;

    /* all that has been read and written for this session so far */

    *os->rs.in += os->session->received;
    *os->rs.out += c->sent;

    ngx_stream_osp_connect(os);
}


static void
ngx_stream_osp_not_found(ngx_stream_osp_session_t *os)
{
    ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                  "client refused, the stream is unknown");

    if (os->name.op == NGX_RTMP_ROUTE_PUBLISH) {
        ngx_stream_osp_refuse_text(os, NGX_STREAM_FORBIDDEN,
                                   NGX_STREAM_OSP_REFUSED_UNKNOWN,
                                   "NetStream.Publish.Denied",
                                   "stream is not allowed");

    } else {
        ngx_stream_osp_refuse_text(os, NGX_STREAM_FORBIDDEN,
                                   NGX_STREAM_OSP_REFUSED_UNKNOWN,
                                   "NetStream.Play.StreamNotFound",
                                   "stream not found");
    }
}


/*
 * While the client has to wait it is not read, what it sends stays in the
 * socket; but if it goes, that is to be noticed.
 */

ngx_int_t
ngx_stream_osp_watch(ngx_stream_osp_session_t *os)
{
    char               buf[1];
    ssize_t            n;
    ngx_err_t          err;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = os->session->connection;
    rev = c->read;

#if (NGX_HAVE_EPOLLRDHUP)

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && ngx_use_epoll_rdhup
        && !rev->pending_eof && !rev->error)
    {
        goto done;
    }

#endif

    if (rev->ready || rev->pending_eof) {
        n = recv(c->fd, buf, 1, MSG_PEEK);
        err = ngx_socket_errno;

        /* what it said before its end is passed on if a server is found */

        if (n == 0
            || (n == -1 && err != NGX_EAGAIN)
            || (rev->pending_eof
                && os->setup->phase == ngx_stream_osp_waiting))
        {
            ngx_stream_osp_finalize(os, NGX_STREAM_OK,
                                    (n == -1 && err == NGX_ETIMEDOUT)
                                    ? NGX_STREAM_OSP_CLIENT_TIMEOUT
                                    : NGX_STREAM_OSP_CLIENT_CLOSED);
            return NGX_ERROR;
        }
    }

#if (NGX_HAVE_EPOLLRDHUP)
done:
#endif

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_stream_osp_wait(ngx_stream_osp_session_t *os, ngx_msec_t time,
    void (*handler)(ngx_rtmp_route_wait_t *wait))
{
    ngx_stream_osp_setup_t  *setup;

    if (ngx_stream_osp_watch(os) != NGX_OK) {
        return;
    }

    ngx_add_timer(os->session->connection->read, time);

    setup = os->setup;

    setup->wait.route = setup->route;
    setup->wait.handler = handler;
    setup->wait.data = os;
    setup->wait_set = 1;

    ngx_rtmp_route_wait(&setup->wait);
}


ngx_int_t
ngx_stream_osp_socket(ngx_connection_t *c)
{
#if (NGX_SSL)

    /* what was not written is copied, and written again from there */

    if (c->ssl) {
        SSL_set_mode(c->ssl->connection, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                         |SSL_MODE_ENABLE_PARTIAL_WRITE);
        c->ssl->no_wait_shutdown = 1;
    }

#endif

    if (c->sockaddr && c->sockaddr->sa_family == AF_UNIX) {
        return NGX_OK;
    }

    return ngx_tcp_nodelay(c);
}


/* that a dead peer is found; not in the set-up, which has its own deadlines */

void
ngx_stream_osp_keepalive(ngx_connection_t *c, ngx_uint_t keepalive)
{
    int  value;
#if (NGX_LINUX)
    int  seconds, interval;
#endif

    if (c->sockaddr && c->sockaddr->sa_family == AF_UNIX) {
        return;
    }

#if (NGX_LINUX)

    value = NGX_STREAM_OSP_USER_TIMEOUT * 1000;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                   (const void *) &value, sizeof(int))
        == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(TCP_USER_TIMEOUT) failed");
    }

#endif

    if (!keepalive) {
        return;
    }

    value = 1;

    if (setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE,
                   (const void *) &value, sizeof(int))
        == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(SO_KEEPALIVE) failed");
        return;
    }

#if (NGX_LINUX)

    seconds = NGX_STREAM_OSP_USER_TIMEOUT;
    interval = NGX_STREAM_OSP_KEEPINTVL;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE,
                   (const void *) &seconds, sizeof(int))
        == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL,
                      (const void *) &interval, sizeof(int))
           == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(TCP_KEEPIDLE) failed");
    }

#endif
}


/* tells the client why, as RTMP knows it, and ends the session */

void
ngx_stream_osp_refuse(ngx_stream_osp_session_t *os, ngx_uint_t status,
    ngx_uint_t reason, const char *code, ngx_str_t *description)
{
    ngx_log_debug3(NGX_LOG_DEBUG_STREAM, os->session->connection->log, 0,
                   "osp refuse: %ui %s \"%V\"", status, code, description);

    if (os->setup && os->setup->phase == ngx_stream_osp_handshake) {
        ngx_stream_osp_finalize(os, status, reason);
        return;
    }

    ngx_stream_osp_moved(os);

    if (os->reason == NGX_STREAM_OSP_NONE) {
        os->status = status;
        os->reason = reason;
    }

    if (os->setup) {
        ngx_stream_osp_client_status(os, code, description);

    } else {
        ngx_stream_osp_tell(os, os->scan->msid, "error", code, description);
    }

    ngx_stream_osp_leave(os);
}


/* ends all of the session but the connection of the client */

void
ngx_stream_osp_leave(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_quiet_free(os);

    ngx_stream_osp_origin_close(os);

    os->flow[NGX_STREAM_OSP_UP].filter = NULL;
    os->flow[NGX_STREAM_OSP_DOWN].filter = NULL;

    os->flow[NGX_STREAM_OSP_UP].count = &ngx_stream_osp_uncounted;
    os->flow[NGX_STREAM_OSP_DOWN].count = &ngx_stream_osp_uncounted;

    ngx_stream_osp_limit_free(os);

    ngx_stream_osp_count_end(os);
    ngx_rtmp_route_session_close(&os->rs);

    ngx_stream_osp_relay_end(os);
}


void
ngx_stream_osp_refuse_text(ngx_stream_osp_session_t *os, ngx_uint_t status,
    ngx_uint_t reason, const char *code, const char *description)
{
    ngx_str_t  text;

    text.data = (u_char *) description;
    text.len = ngx_strlen(description);

    ngx_stream_osp_refuse(os, status, reason, code, &text);
}


/* frees what the relay does not need */

void
ngx_stream_osp_setup_done(ngx_stream_osp_session_t *os)
{
    ngx_uint_t               used;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;
    used = 0;

    if (setup) {
        used = os->flow[NGX_STREAM_OSP_UP].filter == &setup->up
               || os->flow[NGX_STREAM_OSP_DOWN].filter == &setup->filter;

        if (setup->wait_set) {
            ngx_rtmp_route_wait_cancel(&setup->wait);
        }

        ngx_stream_osp_queue_leave(os);
        ngx_stream_osp_search_leave(os);

        if (setup->raw.start) {
            ngx_free(setup->raw.start);
        }

        os->setup = NULL;
    }

    if (os->pool && !used) {
        ngx_destroy_pool(os->pool);
        os->pool = NULL;
    }
}


void
ngx_stream_osp_finalize(ngx_stream_osp_session_t *os, ngx_uint_t status,
    ngx_uint_t reason)
{
    ngx_stream_session_t  *s;

    s = os->session;

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                   "finalize osp session: %ui %ui", status, reason);

    if (os->reason == NGX_STREAM_OSP_NONE) {
        os->status = status;
        os->reason = reason;
    }

    ngx_stream_osp_log_end(os);

    ngx_stream_osp_quiet_free(os);

    ngx_stream_osp_origin_close(os);

    ngx_stream_osp_rate_free(os);
    ngx_stream_osp_limit_free(os);

    ngx_stream_osp_count_end(os);
    ngx_rtmp_route_session_close(&os->rs);

    ngx_stream_osp_buf_free(&os->flow[NGX_STREAM_OSP_UP].buf);
    ngx_stream_osp_buf_free(&os->flow[NGX_STREAM_OSP_DOWN].buf);

    os->flow[NGX_STREAM_OSP_UP].filter = NULL;
    os->flow[NGX_STREAM_OSP_DOWN].filter = NULL;

    ngx_stream_osp_move_free(os);
    ngx_stream_osp_resume_free(os);
    ngx_stream_osp_no_input_free(os);
    ngx_stream_osp_path_free(os);
    ngx_stream_osp_scan_free(os);
    ngx_stream_osp_setup_done(os);

    ngx_stream_finalize_session(s, os->status);
}


ngx_int_t
ngx_stream_osp_invalid(ngx_stream_osp_session_t *os, ngx_uint_t dir)
{
    if (dir == NGX_STREAM_OSP_UP) {
        ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                      "client sent invalid rtmp");

        ngx_stream_osp_finalize(os, NGX_STREAM_BAD_REQUEST,
                                NGX_STREAM_OSP_PROTOCOL_ERROR);
        return NGX_DONE;
    }

    ngx_log_error(NGX_LOG_ERR, os->session->connection->log, 0,
                  "upstream sent invalid rtmp");

    ngx_stream_osp_finalize(os, NGX_STREAM_BAD_GATEWAY,
                            NGX_STREAM_OSP_ORIGIN_PROTOCOL_ERROR);
    return NGX_DONE;
}


/* sends what is there for the client */

ngx_int_t
ngx_stream_osp_flush(ngx_stream_osp_session_t *os)
{
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_stream_osp_buf_t   *b;
    ngx_stream_osp_flow_t  *flow;

    c = os->session->connection;
    flow = &os->flow[NGX_STREAM_OSP_DOWN];
    b = &flow->buf;

    while (b->pos < b->last) {

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {

            if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
                return NGX_ERROR;
            }

            return NGX_AGAIN;
        }

        b->pos += n;
        *flow->count += n;
    }

    b->pos = b->start;
    b->last = b->start;

    return NGX_OK;
}


/* makes room for size more bytes behind b->last */

ngx_int_t
ngx_stream_osp_buf_reserve(ngx_stream_osp_buf_t *b, size_t size,
    ngx_log_t *log)
{
    u_char  *p;
    size_t   len, room;

    if ((size_t) (b->end - b->last) >= size) {
        return NGX_OK;
    }

    len = b->last - b->pos;
    room = b->end - b->start;

    if (room - len >= size) {
        ngx_memmove(b->start, b->pos, len);

        b->pos = b->start;
        b->last = b->start + len;

        return NGX_OK;
    }

    room = ngx_max(2 * room, len + size);

    p = ngx_alloc(room, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (b->start) {
        ngx_memcpy(p, b->pos, len);
        ngx_free(b->start);
    }

    b->start = p;
    b->pos = p;
    b->last = p + len;
    b->end = p + room;

    return NGX_OK;
}


void
ngx_stream_osp_buf_free(ngx_stream_osp_buf_t *b)
{
    if (b->start) {
        ngx_free(b->start);
    }

    ngx_memzero(b, sizeof(ngx_stream_osp_buf_t));
}
