
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The relay: bytes go from one side to the other.  Here is which side is read
 * and when, and how a session ends.  The end of one side is passed on when all
 * before it is; what the other side still says is passed for a short time.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_stream_osp_relay.h"


/* reads in one go, then it is the turn of others */

#define NGX_STREAM_OSP_RELAY_READS   4

/* when a session is one that lasts, ms: what is for these only is done then */

#define NGX_STREAM_OSP_KEEP_TIME     1000


static void ngx_stream_osp_relay_handlers(ngx_connection_t *c);
static void ngx_stream_osp_relay_read(ngx_event_t *rev);
static void ngx_stream_osp_relay_write(ngx_event_t *wev);
static void ngx_stream_osp_relay_timer(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_relay_pass(ngx_stream_osp_session_t *os,
    ngx_uint_t dir);
static void ngx_stream_osp_relay_shut(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, ngx_connection_t *dst);
static void ngx_stream_osp_relay_closing(ngx_stream_osp_session_t *os,
    ngx_msec_t time);


/* the set-up has ended: all that it has not sent goes first */

void
ngx_stream_osp_relay_start(ngx_stream_osp_session_t *os)
{
    u_char                  *p, *last;
    ngx_connection_t        *c, *pc;
    ngx_stream_osp_flow_t   *up, *down;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    pc = os->origin;
    setup = os->setup;

    up = &os->flow[NGX_STREAM_OSP_UP];
    down = &os->flow[NGX_STREAM_OSP_DOWN];

    c->log->action = "relaying";

    p = setup->raw.start + setup->sent;
    last = setup->raw.pos;

    if (setup->up.to) {
        up->filter = &setup->up;
    }

    if (os->resume == NULL
        && os->no_input == NULL
        && ngx_stream_osp_filter_needed(&setup->filter))
    {
        down->filter = &setup->filter;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_STREAM, c->log, 0,
                   "osp relay, left: %uz, filters: %d %d",
                   (size_t) (last - p), up->filter != NULL,
                   down->filter != NULL);

    if (p < last) {

        if (ngx_stream_osp_buf_reserve(&up->buf, last - p, c->log)
            != NGX_OK)
        {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
            return;
        }

        up->buf.last = ngx_cpymem(up->buf.last, p, last - p);
    }

    if (ngx_stream_osp_scan_start(os) != NGX_OK
        || ngx_stream_osp_rate_start(os) != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    if (os->reason != NGX_STREAM_OSP_NONE) {
        ngx_stream_osp_limit_free(os);

    } else {
        ngx_rtmp_route_count_setup(os->rs.route,
                                   ngx_current_msec - c->start_time);
    }

    ngx_rtmp_route_session_state(&os->rs,
                                 (os->reason == NGX_STREAM_OSP_NONE)
                                 ? NGX_RTMP_ROUTE_S_RELAY
                                 : NGX_RTMP_ROUTE_S_CLOSING);

    ngx_stream_osp_setup_done(os);

    ngx_stream_osp_relay_handlers(c);
    ngx_stream_osp_relay_handlers(pc);

    if (pc->read->timer_set) {
        ngx_del_timer(pc->read);
    }

    os->activity = ngx_current_msec;
    *os->rs.active = os->activity;

    ngx_add_timer(c->read, ngx_min(os->conf->timeout,
                                   NGX_STREAM_OSP_KEEP_TIME));

    if (ngx_stream_osp_relay_pass(os, NGX_STREAM_OSP_DOWN) == NGX_OK
        && ngx_stream_osp_relay_held(os) == NGX_OK)
    {
        ngx_stream_osp_relay(os, NGX_STREAM_OSP_UP);
    }
}


/* the session has another origin */

void
ngx_stream_osp_relay_again(ngx_stream_osp_session_t *os)
{
    ngx_connection_t  *c;

    c = os->session->connection;

    c->log->action = "relaying";

    ngx_stream_osp_relay_handlers(os->origin);

    os->activity = ngx_current_msec;

    if (ngx_stream_osp_relay_pass(os, NGX_STREAM_OSP_DOWN) == NGX_OK) {
        ngx_stream_osp_relay(os, NGX_STREAM_OSP_UP);
    }
}


/* there is no origin (any more): the client gets what is left for it */

void
ngx_stream_osp_relay_end(ngx_stream_osp_session_t *os)
{
    ngx_connection_t  *c;

    c = os->session->connection;

    c->log->action = "closing client connection";

    ngx_stream_osp_setup_done(os);

    ngx_stream_osp_relay_handlers(c);

    os->flow[NGX_STREAM_OSP_UP].dead = 1;
    os->flow[NGX_STREAM_OSP_DOWN].eof = 1;

    ngx_stream_osp_relay_closing(os, NGX_STREAM_OSP_CLOSE_TIME);

    if (ngx_stream_osp_relay_pass(os, NGX_STREAM_OSP_DOWN) == NGX_OK) {
        ngx_stream_osp_relay(os, NGX_STREAM_OSP_UP);
    }
}


static void
ngx_stream_osp_relay_handlers(ngx_connection_t *c)
{
    ngx_event_handler_pt  *read, *write;

    read = &c->read->handler;
    write = &c->write->handler;

#if (NGX_SSL)

    /*
     * TLS that has to write in order to read, or the other way round, borrows
     * the other handler and puts back what it has saved
     */

    if (c->ssl && c->ssl->saved_read_handler) {
        read = &c->ssl->saved_read_handler;
    }

    if (c->ssl && c->ssl->saved_write_handler) {
        write = &c->ssl->saved_write_handler;
    }

#endif

    *read = ngx_stream_osp_relay_read;
    *write = ngx_stream_osp_relay_write;
}


static void
ngx_stream_osp_relay_read(ngx_event_t *rev)
{
    ngx_uint_t                 dir;
    ngx_connection_t          *c;
    ngx_stream_session_t      *s;
    ngx_stream_osp_session_t  *os;

    c = rev->data;
    s = c->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (c->close && !os->exiting) {
        ngx_stream_osp_shutdown(os);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_stream_osp_relay_timer(os);
        return;
    }

    dir = (c == s->connection) ? NGX_STREAM_OSP_UP : NGX_STREAM_OSP_DOWN;

    ngx_stream_osp_relay(os, dir);
}


static void
ngx_stream_osp_relay_write(ngx_event_t *wev)
{
    ngx_uint_t                 dir;
    ngx_connection_t          *c;
    ngx_stream_session_t      *s;
    ngx_stream_osp_session_t  *os;

    c = wev->data;
    s = c->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    dir = (c == s->connection) ? NGX_STREAM_OSP_DOWN : NGX_STREAM_OSP_UP;

    if (os->flow[dir].buf.pos == os->flow[dir].buf.last) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
        }

        return;
    }

    ngx_stream_osp_relay(os, dir);
}


/* one timer, not armed anew by each read */

static void
ngx_stream_osp_relay_timer(ngx_stream_osp_session_t *os)
{
    ngx_msec_t         idle;
    ngx_connection_t  *c;

    c = os->session->connection;

    if (os->closing) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_OK);
        return;
    }

    if (!os->kept) {
        os->kept = 1;

        ngx_stream_osp_keepalive(c, 1);

        if (os->origin) {
            ngx_stream_osp_keepalive(os->origin, os->conf->socket_keepalive);
        }
    }

    /* who would say something if it were read is no silence */

    if (ngx_stream_osp_rate_delayed(os, NGX_STREAM_OSP_UP)
        || ngx_stream_osp_rate_delayed(os, NGX_STREAM_OSP_DOWN))
    {
        os->activity = ngx_current_msec;
    }

    idle = ngx_current_msec - os->activity;

    if (idle < os->conf->timeout) {
        ngx_add_timer(c->read, os->conf->timeout - idle);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                  "connection timed out");

    ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_TIMEOUT);
}


/* who sends in that direction; there is no origin while the session moves */

ngx_connection_t *
ngx_stream_osp_relay_side(ngx_stream_osp_session_t *os, ngx_uint_t dir)
{
    if (dir == NGX_STREAM_OSP_UP) {
        return os->session->connection;
    }

    return os->moving ? NULL : os->origin;
}


void
ngx_stream_osp_relay(ngx_stream_osp_session_t *os, ngx_uint_t dir)
{
    ngx_uint_t  other;

    if (ngx_stream_osp_relay_pass(os, dir) != NGX_OK) {
        return;
    }

    /* the other side may have been found dead, then it is to be read out */

    other = !dir;

    if (os->flow[dir].dead && !os->flow[other].eof && !os->flow[other].shut) {
        (void) ngx_stream_osp_relay_pass(os, other);
    }
}


/* NGX_OK, or NGX_DONE: the session has ended */

static ngx_int_t
ngx_stream_osp_relay_pass(ngx_stream_osp_session_t *os, ngx_uint_t dir)
{
    ngx_int_t               rc;
    ngx_uint_t              n;
    ngx_connection_t       *src, *dst;
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[dir];

    for (n = 0; /* void */ ; n++) {

        /* the origin may have become another one, or none */

        src = ngx_stream_osp_relay_side(os, dir);
        dst = ngx_stream_osp_relay_side(os, !dir);

        if (flow->buf.pos < flow->buf.last && (dst || !os->moving)) {

            rc = ngx_stream_osp_relay_drain(os, dir, dst);

            if (rc == NGX_DONE) {
                return NGX_DONE;
            }

            if (rc == NGX_AGAIN) {
                break;
            }

            if (dst != ngx_stream_osp_relay_side(os, !dir)) {
                continue;
            }
        }

        if (flow->eof) {

            if (os->moving) {
                ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_OK);
                return NGX_DONE;
            }

            if (!flow->shut) {
                ngx_stream_osp_relay_shut(os, dir, dst);
            }

            break;
        }

        if (src == NULL || !src->read->ready) {
            break;
        }

        if (dir == NGX_STREAM_OSP_UP && ngx_stream_osp_scan_waits(os)) {

            if (!src->read->pending_eof || ngx_stream_osp_path_rests(os)) {
                break;
            }

            ngx_stream_osp_scan_leave(os);
            ngx_stream_osp_relay_eof(os, dir, 0);
            continue;
        }

        if (n == NGX_STREAM_OSP_RELAY_READS) {
            ngx_post_event(src->read, &ngx_posted_next_events);
            break;
        }

        rc = ngx_stream_osp_relay_recv(os, dir, src);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        if (rc == NGX_AGAIN) {
            break;
        }
    }

    if (os->flow[NGX_STREAM_OSP_UP].shut && os->flow[NGX_STREAM_OSP_DOWN].shut)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_OK);
        return NGX_DONE;
    }

    if (src
        && ngx_handle_read_event(src->read, flow->eof ? NGX_CLOSE_EVENT : 0)
           != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    return NGX_OK;
}


/* what had to wait is looked at again, and then what is behind it */

void
ngx_stream_osp_relay_waited(ngx_stream_osp_session_t *os)
{
    if (ngx_stream_osp_relay_held(os) == NGX_OK) {
        ngx_stream_osp_relay(os, NGX_STREAM_OSP_UP);
    }
}


/*
 * The origin has gone, without a word.  NGX_OK: the session looks for another
 * one; NGX_DECLINED: it ends; NGX_DONE: it has ended.
 */

ngx_int_t
ngx_stream_osp_relay_lost(ngx_stream_osp_session_t *os)
{
    if (os->reason != NGX_STREAM_OSP_NONE
        || os->ended
        || os->closing
        || os->flow[NGX_STREAM_OSP_UP].eof)
    {
        return NGX_DECLINED;
    }

    if (os->resume) {
        return ngx_stream_osp_resume_lost(os);
    }

    if (os->no_input) {
        return ngx_stream_osp_no_input_lost(os);
    }

    return NGX_DECLINED;
}


void
ngx_stream_osp_relay_eof(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_err_t err)
{
    os->flow[dir].eof = 1;

    if (dir == NGX_STREAM_OSP_UP) {
        ngx_stream_osp_scan_end(os);
    }

    if (os->reason == NGX_STREAM_OSP_NONE) {
        ngx_stream_osp_lost(os, dir, err);
    }

    /* it may be gone for good, then writing to it fails */

    if (os->origin) {
        os->origin->log_error = NGX_ERROR_INFO;
    }
}


/* the receiver is gone: what comes for it is read, so as to see the end */

ngx_int_t
ngx_stream_osp_relay_dead(ngx_stream_osp_session_t *os, ngx_uint_t dir)
{
    ngx_int_t  rc;
    ngx_err_t  err;

    err = ngx_stream_osp_lost_error();

    if (dir == NGX_STREAM_OSP_UP) {
        rc = ngx_stream_osp_relay_lost(os);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    /* the cause is told once, here or where it is read */

    if (os->reason == NGX_STREAM_OSP_NONE
        && (err == NGX_ETIMEDOUT || err == NGX_ECONNRESET))
    {
        ngx_stream_osp_lost(os, !dir, err);
    }

    os->flow[dir].dead = 1;

    ngx_stream_osp_buf_free(&os->flow[dir].buf);

    ngx_stream_osp_relay_closing(os, NGX_STREAM_OSP_CLOSE_TIME);

    return NGX_OK;
}


static void
ngx_stream_osp_relay_shut(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_connection_t *dst)
{
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[dir];

    flow->shut = 1;

    ngx_stream_osp_relay_closing(os, NGX_STREAM_OSP_LINGER_TIME);

    if (dst == NULL || flow->dead) {
        return;
    }

#if (NGX_SSL)

    if (dst->ssl && !dst->ssl->no_send_shutdown) {
        (void) SSL_shutdown(dst->ssl->connection);
        ERR_clear_error();
    }

#endif

    /* there is nothing to be said if both are closed next */

    if (os->flow[!dir].shut) {
        return;
    }

    /* the other side may have closed its end at the same time */

    (void) ngx_shutdown_socket(dst->fd, NGX_WRITE_SHUTDOWN);
}


/* the session ends within that time, whatever the two sides do */

static void
ngx_stream_osp_relay_closing(ngx_stream_osp_session_t *os, ngx_msec_t time)
{
    ngx_connection_t  *c;

    c = os->session->connection;

    if (os->exiting) {
        time = ngx_min(time, NGX_STREAM_OSP_EXIT_TIME);
    }

    /* a timer that is close to the old one would be left as it is */

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_add_timer(c->read, time);

    if (os->closing) {
        return;
    }

    os->closing = 1;

    ngx_stream_osp_limit_free(os);

    if (os->rs.route && os->rs.in) {
        ngx_rtmp_route_session_state(&os->rs, NGX_RTMP_ROUTE_S_CLOSING);
    }
}
