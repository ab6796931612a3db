
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Bytes of the relay, which go through one buffer of the worker.  A session
 * has a buffer only while a receiver is blocked, and then the sender is not
 * read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_stream_osp_relay.h"


#define NGX_STREAM_OSP_FILTER_READ   16384

/* what is read for a receiver that was blocked: all of it may have to wait */

#define NGX_STREAM_OSP_SLOW_READ     65536


static ngx_int_t ngx_stream_osp_relay_input(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, u_char *pos, u_char *last);
static ngx_int_t ngx_stream_osp_relay_up(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);
static ngx_int_t ngx_stream_osp_relay_out(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, u_char *pos, u_char *last);
static ngx_int_t ngx_stream_osp_relay_send(ngx_stream_osp_flow_t *flow,
    ngx_uint_t dir, ngx_connection_t *dst, u_char **pos, u_char *last);


/* of the worker: nothing stays in it between two events */

static u_char  *ngx_stream_osp_relay_buf;
static size_t   ngx_stream_osp_relay_buf_size;


/* with room for what was held in front of what is read */

ngx_int_t
ngx_stream_osp_relay_buffer(size_t size, ngx_log_t *log, u_char **buf)
{
    u_char  *p;

    if (ngx_stream_osp_relay_buf_size < size) {

        p = ngx_alloc(size + NGX_STREAM_OSP_HOLD_MAX, log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (ngx_stream_osp_relay_buf) {
            ngx_free(ngx_stream_osp_relay_buf);
        }

        ngx_stream_osp_relay_buf = p;
        ngx_stream_osp_relay_buf_size = size;
    }

    *buf = ngx_stream_osp_relay_buf;

    return NGX_OK;
}


/* what the client has sent in the set-up and waits */

ngx_int_t
ngx_stream_osp_relay_held(ngx_stream_osp_session_t *os)
{
    u_char  *buf;
    size_t   held;

    if (ngx_stream_osp_relay_buffer(os->conf->buffer_size,
                                    os->session->connection->log, &buf)
        != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    held = ngx_stream_osp_scan_unhold(os, buf);

    if (held == 0 || os->flow[NGX_STREAM_OSP_UP].dead) {
        return NGX_OK;
    }

    return ngx_stream_osp_relay_input(os, NGX_STREAM_OSP_UP, buf, buf + held);
}


/* NGX_OK; NGX_AGAIN: no more bytes; NGX_DONE: the session has ended */

ngx_int_t
ngx_stream_osp_relay_recv(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_connection_t *src)
{
    u_char                 *buf;
    size_t                  size, held;
    ssize_t                 n;
    ngx_int_t               rc;
    ngx_err_t               err;
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[dir];

    size = os->conf->buffer_size;
    held = 0;

    if (ngx_stream_osp_relay_buffer(size, src->log, &buf) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    if (flow->slow) {
        size = ngx_min(size, NGX_STREAM_OSP_SLOW_READ);
    }

    if (flow->rate && !flow->dead) {
        size = ngx_stream_osp_rate_room(os, dir, size);

        if (size == 0) {
            return NGX_AGAIN;
        }
    }

    if (dir == NGX_STREAM_OSP_UP) {

        if (os->scan && !flow->dead) {
            held = ngx_stream_osp_scan_unhold(os, buf);
        }

    } else if (os->no_input) {
        held = ngx_stream_osp_no_input_unhold(os, buf);

    } else if (flow->filter) {
        size = ngx_min(size, NGX_STREAM_OSP_FILTER_READ);
        held = ngx_stream_osp_filter_unhold(flow->filter, buf);
    }

    n = src->recv(src, buf + held, size);

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n == 0 || n == NGX_ERROR) {

        err = (n == 0) ? 0 : ngx_stream_osp_lost_error();

        if (dir == NGX_STREAM_OSP_DOWN) {
            rc = ngx_stream_osp_relay_lost(os);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }

        ngx_stream_osp_relay_eof(os, dir, err);
        return NGX_OK;
    }

    if (dir == NGX_STREAM_OSP_UP) {
        os->session->received += n;
        *flow->count += n;

    } else {
        os->received += n;
    }

    if (flow->dead) {
        return NGX_OK;
    }

    if (flow->rate) {
        ngx_stream_osp_rate_used(flow, n);
    }

    os->activity = ngx_current_msec;

    /* that an origin has something to say does not mean that a client lives */

    if (dir == NGX_STREAM_OSP_UP || os->name.op == NGX_RTMP_ROUTE_PLAY) {
        *os->rs.active = os->activity;
    }

    return ngx_stream_osp_relay_input(os, dir, buf, buf + held + n);
}


static ngx_int_t
ngx_stream_osp_relay_input(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    u_char *pos, u_char *last)
{
    u_char                 *end, *next, *buf;
    ngx_int_t               rc, passed;
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[dir];

    if (dir == NGX_STREAM_OSP_DOWN) {

        if (os->resume) {
            return ngx_stream_osp_resume_down(os, pos, last);
        }

        if (os->no_input) {
            rc = ngx_stream_osp_no_input_down(os, &pos, &last);

            if (rc != NGX_OK || pos == last) {
                return rc;
            }
        }

        if (flow->filter) {

            if (ngx_stream_osp_filter_relay(flow->filter, &pos, last,
                                            &flow->buf,
                                            os->session->connection->log)
                != NGX_OK)
            {
                return ngx_stream_osp_invalid(os, dir);
            }

            return NGX_OK;
        }

        return ngx_stream_osp_relay_out(os, dir, pos, last);
    }

    do {
        end = last;

        if (os->resume) {
            ngx_stream_osp_resume_next(os);
        }

        rc = ngx_stream_osp_scan(os, pos, &end);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        next = end;
        buf = ngx_stream_osp_path_instead(os, &pos, &end);

        passed = ngx_stream_osp_relay_up(os, pos, end);

        if (buf) {
            ngx_free(buf);
        }

        if (passed != NGX_OK) {
            return NGX_DONE;
        }

        pos = next;

    } while (rc == NGX_AGAIN && !flow->dead);

    return NGX_OK;
}


/* of the client, headers and commands are whole */

static ngx_int_t
ngx_stream_osp_relay_up(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[NGX_STREAM_OSP_UP];

    if (os->resume && ngx_stream_osp_resume_on(os)) {
        return ngx_stream_osp_resume_up(os, pos, last);
    }

    if (os->no_input && ngx_stream_osp_no_input_on(os)) {
        return ngx_stream_osp_no_input_up(os, pos, last);
    }

    if (os->moving) {
        return NGX_OK;
    }

    if (flow->filter
        && ngx_stream_osp_filter_map(flow->filter, pos, last) != NGX_OK)
    {
        return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_UP);
    }

    return ngx_stream_osp_relay_out(os, NGX_STREAM_OSP_UP, pos, last);
}


static ngx_int_t
ngx_stream_osp_relay_out(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    u_char *pos, u_char *last)
{
    ngx_connection_t       *dst;
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[dir];
    dst = ngx_stream_osp_relay_side(os, !dir);

    /* what came before goes first */

    if (flow->buf.pos == flow->buf.last
        && ngx_stream_osp_relay_send(flow, dir, dst, &pos, last) == NGX_ERROR)
    {
        return ngx_stream_osp_relay_dead(os, dir);
    }

    if (pos == last) {
        flow->slow = 0;
        return NGX_OK;
    }

    /* the receiver is blocked: what is left waits in memory of the session */

    flow->slow = 1;

    if (ngx_stream_osp_buf_reserve(&flow->buf, last - pos,
                                   os->session->connection->log)
        != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    flow->buf.last = ngx_cpymem(flow->buf.last, pos, last - pos);

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_relay_send(ngx_stream_osp_flow_t *flow, ngx_uint_t dir,
    ngx_connection_t *dst, u_char **pos, u_char *last)
{
    u_char   *p;
    ssize_t   n;

    p = *pos;

    while (p < last && dst->write->ready) {

        n = dst->send(dst, p, last - p);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        p += n;

        if (dir == NGX_STREAM_OSP_DOWN) {
            *flow->count += n;
        }
    }

    *pos = p;

    return NGX_OK;
}


/* NGX_OK: the buffer is empty, and gone; NGX_AGAIN: still blocked; NGX_DONE */

ngx_int_t
ngx_stream_osp_relay_drain(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_connection_t *dst)
{
    ngx_stream_osp_flow_t  *flow;

    flow = &os->flow[dir];

    if (flow->dead) {
        ngx_stream_osp_buf_free(&flow->buf);
        return NGX_OK;
    }

    if (ngx_stream_osp_relay_send(flow, dir, dst, &flow->buf.pos,
                                  flow->buf.last)
        == NGX_ERROR)
    {
        return ngx_stream_osp_relay_dead(os, dir);
    }

    if (flow->buf.pos == flow->buf.last) {
        ngx_stream_osp_buf_free(&flow->buf);
        return NGX_OK;
    }

    if (ngx_handle_write_event(dst->write, 0) != NGX_OK) {
        return ngx_stream_osp_relay_dead(os, dir);
    }

    return NGX_AGAIN;
}


void
ngx_stream_osp_relay_exit(ngx_cycle_t *cycle)
{
    if (ngx_stream_osp_relay_buf) {
        ngx_free(ngx_stream_osp_relay_buf);

        ngx_stream_osp_relay_buf = NULL;
        ngx_stream_osp_relay_buf_size = 0;
    }
}
