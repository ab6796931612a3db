
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The origin's side of the set-up: connects, sends what the client has sent,
 * and goes to the next server if this one does not answer.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


#define NGX_STREAM_OSP_C0  NGX_STREAM_OSP_PREAMBLE_MAX
#define NGX_STREAM_OSP_C2  (NGX_STREAM_OSP_C0 + NGX_OSP_RTMP_HS_C0C1)


static ngx_int_t ngx_stream_osp_origin_local(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_connect_handler(ngx_event_t *ev);
static ngx_int_t ngx_stream_osp_test_connect(ngx_connection_t *pc);
static void ngx_stream_osp_connected(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_quickack(ngx_connection_t *pc);
static ngx_int_t ngx_stream_osp_origin_input(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);
static ngx_int_t ngx_stream_osp_origin_handshake_input(
    ngx_stream_osp_session_t *os, u_char **pos, u_char *last);
static void ngx_stream_osp_origin_closed(ngx_stream_osp_session_t *os,
    ngx_uint_t timedout);
static void ngx_stream_osp_origin_refuse(ngx_stream_osp_session_t *os,
    ngx_uint_t status, ngx_uint_t reason, const char *code,
    const char *description);


void
ngx_stream_osp_connect(ngx_stream_osp_session_t *os)
{
    ngx_int_t                rc;
    ngx_connection_t        *c, *pc;
    ngx_peer_connection_t   *peer;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;
    peer = &setup->pc;

    setup->phase = ngx_stream_osp_connecting;
    c->log->action = "connecting to upstream";

    if (!os->moving && ngx_stream_osp_watch(os) != NGX_OK) {
        return;
    }

    if (ngx_stream_osp_peer_attempt(os) != NGX_OK
        || ngx_stream_osp_origin_local(os) != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    peer->sockaddr = &setup->peer.sockaddr.sockaddr;
    peer->socklen = setup->peer.socklen;
    peer->name = os->upstream;
    peer->get = ngx_event_get_peer;
    peer->log = c->log;
    peer->log_error = NGX_ERROR_ERR;
    peer->type = SOCK_STREAM;

    rc = ngx_event_connect_peer(peer);

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, c->log, 0, "osp connect: %i", rc);

    if (rc == NGX_ERROR) {
        ngx_stream_osp_origin_refuse(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                     NGX_STREAM_OSP_INTERNAL_ERROR,
                                     "NetConnection.Connect.Rejected",
                                     "internal error");
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_stream_osp_next(os);
        return;
    }

    pc = peer->connection;
    os->origin = pc;

    pc->data = os->session;
    pc->log = c->log;
    pc->pool = c->pool;
    pc->read->log = c->log;
    pc->write->log = c->log;

    if (rc != NGX_AGAIN) {
        ngx_stream_osp_connected(os);
        return;
    }

    pc->read->handler = ngx_stream_osp_connect_handler;
    pc->write->handler = ngx_stream_osp_connect_handler;

    ngx_add_timer(pc->write, os->conf->connect_timeout);
}


static ngx_int_t
ngx_stream_osp_origin_local(ngx_stream_osp_session_t *os)
{
    ngx_int_t                rc;
    ngx_str_t                value;
    ngx_addr_t              *addr;
    ngx_peer_connection_t   *peer;
    ngx_stream_osp_local_t  *local;

    peer = &os->setup->pc;

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    local = os->conf->local;

    if (local == NULL) {
        return NGX_OK;
    }

#if (NGX_HAVE_TRANSPARENT_PROXY)
    peer->transparent = local->transparent;
#endif

    if (local->value == NULL) {
        peer->local = local->addr;
        return NGX_OK;
    }

    if (ngx_stream_complex_value(os->session, local->value, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    addr = ngx_palloc(os->pool, sizeof(ngx_addr_t));
    if (addr == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_parse_addr_port(os->pool, addr, value.data, value.len);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, os->session->connection->log, 0,
                      "invalid local address \"%V\"", &value);
        return NGX_OK;
    }

    addr->name = value;
    peer->local = addr;

    return NGX_OK;
}


static void
ngx_stream_osp_connect_handler(ngx_event_t *ev)
{
    ngx_connection_t          *pc;
    ngx_stream_session_t      *s;
    ngx_stream_osp_session_t  *os;

    pc = ev->data;
    s = pc->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (pc->close && !os->exiting) {
        ngx_stream_osp_shutdown(os);
        return;
    }

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ERR, pc->log, NGX_ETIMEDOUT,
                      "upstream timed out");
        ngx_stream_osp_next(os);
        return;
    }

    if (pc->write->timer_set) {
        ngx_del_timer(pc->write);
    }

    if (ngx_stream_osp_test_connect(pc) != NGX_OK) {
        ngx_stream_osp_next(os);
        return;
    }

    ngx_stream_osp_connected(os);
}


static ngx_int_t
ngx_stream_osp_test_connect(ngx_connection_t *pc)
{
    int        err;
    socklen_t  len;

    /* with epoll an error makes it readable, too; an origin speaks second */

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && !pc->read->ready) {
        return NGX_OK;
    }

#if (NGX_HAVE_KQUEUE)

    if (ngx_event_flags & NGX_USE_KQUEUE_EVENT)  {
        err = pc->write->kq_errno ? pc->write->kq_errno : pc->read->kq_errno;

    } else
#endif
    {
        err = 0;
        len = sizeof(int);

        if (getsockopt(pc->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len)
            == -1)
        {
            err = ngx_socket_errno;
        }
    }

    if (err) {
        (void) ngx_connection_error(pc, err, "connect() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_stream_osp_connected(ngx_stream_osp_session_t *os)
{
    u_char                  *p;
    size_t                   len;
    ngx_uint_t               type, before;
    ngx_connection_t        *c, *pc;
    ngx_stream_osp_setup_t  *setup;
    u_char                   buf[NGX_STREAM_OSP_PREAMBLE_MAX];

    c = os->session->connection;
    pc = os->origin;
    setup = os->setup;

    if (ngx_stream_osp_socket(pc) != NGX_OK) {
        ngx_stream_osp_next(os);
        return;
    }

    os->state->connect_time = ngx_current_msec - os->start;

    type = setup->peer.proxy_protocol ? setup->peer.proxy_protocol
                                      : os->conf->proxy_protocol;

    p = NULL;

    if (type <= NGX_RTMP_ROUTE_PP_OFF
        || ngx_connection_local_sockaddr(c, NULL, 0) == NGX_OK)
    {
        p = ngx_rtmp_route_preamble(c->sockaddr, c->local_sockaddr, type, buf,
                                    buf + sizeof(buf));
    }

    if (p == NULL) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    len = p - buf;
    before = 0;

#if (NGX_SSL)

    if (os->conf->ssl_enable
        || setup->peer.protocol == NGX_RTMP_ROUTE_RTMPS)
    {
        /* the preamble of SRS belongs to RTMP, the others to the connection */

        before = 1;

        if (len && type != NGX_RTMP_ROUTE_PP_SRS) {

            if (pc->send(pc, buf, len) != (ssize_t) len) {
                ngx_log_error(NGX_LOG_ERR, c->log, 0,
                              "could not send PROXY protocol header at once");
                ngx_stream_osp_next(os);
                return;
            }

            len = 0;
        }
    }

#endif

    setup->sent = NGX_STREAM_OSP_C0 - len;
    ngx_memcpy(setup->raw.start + setup->sent, buf, len);

#if (NGX_SSL)

    if (before) {
        ngx_stream_osp_ssl_connect(os);
        return;
    }

#endif

    (void) before;

    ngx_stream_osp_origin_ready(os);
}


/* bytes can be sent now: all of it at once, unless this server is known */

void
ngx_stream_osp_origin_ready(ngx_stream_osp_session_t *os)
{
    u_char                  *p;
    ngx_connection_t        *c, *pc;
    ngx_stream_osp_peer_t   *peer;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    pc = os->origin;
    setup = os->setup;

    setup->phase = ngx_stream_osp_origin_handshake;
    c->log->action = "reading RTMP handshake from upstream";

    pc->read->handler = ngx_stream_osp_origin_read;
    pc->write->handler = ngx_stream_osp_origin_write;

#if (NGX_SSL)

    if (pc->ssl && ngx_stream_osp_socket(pc) != NGX_OK) {
        ngx_stream_osp_next(os);
        return;
    }

#endif

    switch (ngx_stream_osp_filter_init(os)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_ERR, pc->log, 0,
                      "an upstream closed connection within a message");
        ngx_stream_osp_finalize(os, NGX_STREAM_BAD_GATEWAY,
                                NGX_STREAM_OSP_ORIGIN_PROTOCOL_ERROR);
        return;

    default: /* NGX_ERROR */
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    peer = ngx_stream_osp_peer_find(os);

    if (peer && peer->step) {
        setup->step = 1;
    }

    p = setup->raw.start + NGX_STREAM_OSP_C0;

    (void) ngx_osp_rtmp_handshake_c0c1(p);

    if (setup->step) {
        setup->send_end = NGX_STREAM_OSP_C2;
        ngx_osp_rtmp_handshake_client_init(&setup->ohs, setup->raw.start
                                                        + NGX_STREAM_OSP_C2);

    } else {
        setup->send_end = setup->raw.pos - setup->raw.start;
        ngx_osp_rtmp_handshake_client_init(&setup->ohs, NULL);
    }

    ngx_rtmp_route_session_state(&os->rs, NGX_RTMP_ROUTE_S_SETUP);

    ngx_add_timer(pc->read, os->conf->connect_timeout);

    if (ngx_stream_osp_origin_send(os) == NGX_ERROR) {
        ngx_stream_osp_origin_closed(os, 0);
        return;
    }

    ngx_stream_osp_quickack(pc);

    ngx_stream_osp_origin_read(pc->read);
}


/* an origin that answers in small writes waits for an ACK after each */

static void
ngx_stream_osp_quickack(ngx_connection_t *pc)
{
#ifdef TCP_QUICKACK

    int  on;

    on = 1;

    (void) setsockopt(pc->fd, IPPROTO_TCP, TCP_QUICKACK, (const void *) &on,
                      sizeof(int));

#endif
}


ngx_int_t
ngx_stream_osp_origin_send(ngx_stream_osp_session_t *os)
{
    ssize_t                  n;
    ngx_connection_t        *pc;
    ngx_stream_osp_setup_t  *setup;

    pc = os->origin;
    setup = os->setup;

    while (setup->sent < setup->send_end) {

        n = pc->send(pc, setup->raw.start + setup->sent,
                     setup->send_end - setup->sent);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {

            if (ngx_handle_write_event(pc->write, 0) != NGX_OK) {
                return NGX_ERROR;
            }

            return NGX_AGAIN;
        }

        setup->sent += n;
    }

    return NGX_OK;
}


void
ngx_stream_osp_origin_write(ngx_event_t *wev)
{
    ngx_connection_t          *pc;
    ngx_stream_session_t      *s;
    ngx_stream_osp_session_t  *os;

    pc = wev->data;
    s = pc->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (ngx_stream_osp_origin_send(os) == NGX_ERROR
        || ngx_handle_write_event(wev, 0) != NGX_OK)
    {
        ngx_stream_osp_origin_closed(os, 0);
    }
}


void
ngx_stream_osp_origin_read(ngx_event_t *rev)
{
    u_char                    *buf;
    size_t                     size, held;
    ssize_t                    n;
    ngx_connection_t          *pc;
    ngx_stream_session_t      *s;
    ngx_stream_osp_buf_t      *b;
    ngx_stream_osp_session_t  *os;

    pc = rev->data;
    s = pc->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (pc->close && !os->exiting) {
        ngx_stream_osp_shutdown(os);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_stream_osp_origin_closed(os, 1);
        return;
    }

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;
    size = os->conf->buffer_size;

    if (ngx_stream_osp_relay_buffer(size, pc->log, &buf) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    for ( ;; ) {

        /* what the client gets goes with the answer to publish or play */

        if (b->last - b->pos >= NGX_STREAM_OSP_OUT_MAX && !os->moving) {

            switch (ngx_stream_osp_flush(os)) {

            case NGX_OK:
                break;

            case NGX_AGAIN:
                if (b->last - b->pos >= NGX_STREAM_OSP_OUT_MAX) {
                    goto done;
                }

                break;

            default: /* NGX_ERROR */
                ngx_stream_osp_finalize(os, NGX_STREAM_OK,
                                        NGX_STREAM_OSP_CLIENT_CLOSED);
                return;
            }
        }

        held = ngx_stream_osp_filter_unhold(&os->setup->filter, buf);

        n = pc->recv(pc, buf + held, size - held);

        if (n == NGX_AGAIN) {
            goto done;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_stream_osp_origin_closed(os, 0);
            return;
        }

        if (os->received == 0) {
            os->state->first_byte_time = ngx_current_msec - os->start;
        }

        os->received += n;

        if (ngx_stream_osp_origin_input(os, buf, buf + held + n) != NGX_OK) {
            return;
        }

        ngx_stream_osp_quickack(pc);
    }

done:

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
    }
}


/* NGX_OK, or NGX_DONE: the session is not here any more */

static ngx_int_t
ngx_stream_osp_origin_input(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_int_t                rc;
    ngx_stream_osp_buf_t    *b;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (setup->phase == ngx_stream_osp_origin_handshake) {

        rc = ngx_stream_osp_origin_handshake_input(os, &pos, last);

        if (rc != NGX_OK) {
            return NGX_DONE;
        }

        if (setup->phase == ngx_stream_osp_origin_handshake) {
            return NGX_OK;
        }
    }

    if (os->moving) {
        rc = ngx_stream_osp_move_replies(os, &pos, last);

        return (rc == NGX_OK) ? NGX_OK : NGX_DONE;
    }

    rc = ngx_stream_osp_filter_replies(os, &pos, last);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_DONE;
    }

    /* NGX_DONE: what follows is for the relay, and may change the size */

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;
    os->scan->chunk_size = (uint32_t) setup->chunk_size;

    if ((os->resume && ngx_stream_osp_resume_start(os) != NGX_OK)
        || ngx_stream_osp_no_input_start(os) != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    if (os->resume) {
        rc = ngx_stream_osp_resume_down(os, pos, last);

        if (rc != NGX_OK) {
            return NGX_DONE;
        }

    } else if (os->no_input == NULL
               && ngx_stream_osp_filter_needed(&setup->filter))
    {
        rc = ngx_stream_osp_filter_relay(&setup->filter, &pos, last, b,
                                         os->origin->log);

        if (rc != NGX_OK) {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_DOWN);
        }

    } else {

        if (os->no_input) {
            rc = ngx_stream_osp_no_input_down(os, &pos, &last);

            if (rc != NGX_OK) {
                return NGX_DONE;
            }
        }

        rc = ngx_stream_osp_buf_reserve(b, last - pos, os->origin->log);

        if (rc == NGX_OK) {
            b->last = ngx_cpymem(b->last, pos, last - pos);
        }
    }

    if (rc != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    if (setup->missing && os->reason == NGX_STREAM_OSP_NONE) {
        ngx_stream_osp_search_done(os);
    }

    ngx_stream_osp_relay_start(os);

    return NGX_DONE;
}


static ngx_int_t
ngx_stream_osp_origin_handshake_input(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last)
{
    ngx_int_t                rc;
    ngx_connection_t        *pc;
    ngx_stream_osp_setup_t  *setup;

    pc = os->origin;
    setup = os->setup;

    do {
        rc = ngx_osp_rtmp_handshake_client(&setup->ohs, pos, last);
    } while (rc == NGX_OK);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, pc->log, 0, "%s", setup->ohs.error);
        ngx_stream_osp_next(os);
        return NGX_ERROR;
    }

    /* NGX_DONE */

    setup->phase = ngx_stream_osp_replies;
    os->session->connection->log->action = "reading replies from upstream";

    if (setup->step) {
        setup->send_end = setup->connect_end;

        if (ngx_stream_osp_origin_send(os) == NGX_ERROR) {
            ngx_stream_osp_origin_closed(os, 0);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The origin has closed the connection, or said nothing for too long.  A
 * close after a whole handshake is how some refuse; before that it may be
 * that this server does not take all in one write.
 */

static void
ngx_stream_osp_origin_closed(ngx_stream_osp_session_t *os,
    ngx_uint_t timedout)
{
    ngx_uint_t               lost, hangs;
    ngx_connection_t        *pc;
    ngx_stream_osp_setup_t  *setup;

    pc = os->origin;
    setup = os->setup;

    /* one that has not said a byte in time hangs, however it is asked */

    hangs = (timedout && os->received == 0);

    /* a close with a reset may take the rest of its handshake with it */

    lost = (!timedout
            && os->received
            && setup->phase == ngx_stream_osp_origin_handshake);

    if (!setup->accepted && !setup->step && !hangs
        && (lost || ngx_stream_osp_peer_find(os) == NULL))
    {
        ngx_log_error(NGX_LOG_INFO, pc->log, 0,
                      "upstream %s, trying step by step",
                      timedout ? "timed out" : "closed connection");

        ngx_stream_osp_origin_close(os);

        setup->step = 1;
        ngx_stream_osp_connect(os);
        return;
    }

    if (timedout) {
        ngx_log_error(NGX_LOG_ERR, pc->log, NGX_ETIMEDOUT,
                      "upstream timed out");

        if (!setup->accepted || os->moving) {
            ngx_stream_osp_next(os);
            return;
        }

        ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_GATEWAY,
                                   NGX_STREAM_OSP_ORIGIN_TIMEOUT,
                                   "NetConnection.Connect.Rejected",
                                   "server does not answer");
        return;
    }

    if (setup->phase == ngx_stream_osp_origin_handshake) {
        ngx_log_error(NGX_LOG_ERR, pc->log, 0,
                      "upstream prematurely closed connection");
        ngx_stream_osp_next(os);
        return;
    }

    if (setup->accepted
        && (ngx_stream_osp_search(os, NULL) == NGX_OK
            || ngx_stream_osp_takeover_retry(os, NULL) == NGX_OK))
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, pc->log, 0,
                  "client refused by upstream, which has closed connection");

    if (os->name.op == NGX_RTMP_ROUTE_PUBLISH) {
        ngx_stream_osp_origin_refuse(os, NGX_STREAM_FORBIDDEN,
                                     NGX_STREAM_OSP_REFUSED,
                                     "NetStream.Publish.Denied",
                                     "refused by the server");

    } else {
        ngx_stream_osp_origin_refuse(os, NGX_STREAM_FORBIDDEN,
                                     NGX_STREAM_OSP_REFUSED,
                                     "NetStream.Play.StreamNotFound",
                                     "refused by the server");
    }
}


/* this server has failed */

void
ngx_stream_osp_next(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t     *setup;
    ngx_stream_osp_srv_conf_t  *conf;

    setup = os->setup;
    conf = os->conf;

    ngx_stream_osp_origin_close(os);

    ngx_rtmp_route_report(setup->route, &setup->query, &setup->peer, 1);

    setup->step = 0;
    setup->tries++;

    if (os->moving) {
        ngx_stream_osp_move_next(os, NULL);
        return;
    }

    /* it may have had the stream */

    setup->unclear = 1;

    if (conf->next_upstream
        && setup->query.ntried < NGX_RTMP_ROUTE_MAX_TRIED
        && (conf->next_upstream_tries == 0
            || setup->tries < conf->next_upstream_tries)
        && ngx_rtmp_route_session_next(&os->rs, &setup->query, &setup->peer)
           == NGX_OK)
    {
        ngx_stream_osp_connect(os);
        return;
    }

    if (setup->missing) {
        ngx_stream_osp_search_failed(os);
        return;
    }

    ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_GATEWAY,
                               NGX_STREAM_OSP_CONNECT_FAILED,
                               "NetConnection.Connect.Rejected",
                               "no server could be reached");
}


/* it does not take the session, and says so in its way */

static void
ngx_stream_osp_origin_refuse(ngx_stream_osp_session_t *os, ngx_uint_t status,
    ngx_uint_t reason, const char *code, const char *description)
{
    ngx_str_t  text;

    if (!os->moving) {
        ngx_stream_osp_refuse_text(os, status, reason, code, description);
        return;
    }

    text.data = (u_char *) description;
    text.len = ngx_strlen(description);

    ngx_stream_osp_move_next(os, &text);
}


void
ngx_stream_osp_origin_close(ngx_stream_osp_session_t *os)
{
    ngx_connection_t             *pc;
    ngx_stream_upstream_state_t  *state;

    pc = os->origin;
    state = os->state;

    if (state && state->response_time == (ngx_msec_t) -1) {
        state->response_time = ngx_current_msec - os->start;
        state->bytes_received = os->received;
        state->bytes_sent = pc ? pc->sent : 0;
    }

    if (pc == NULL) {
        return;
    }

#if (NGX_SSL)

    if (pc->ssl) {
        pc->ssl->no_wait_shutdown = 1;
        (void) ngx_ssl_shutdown(pc);
    }

#endif

    ngx_close_connection(pc);
    os->origin = NULL;
}
