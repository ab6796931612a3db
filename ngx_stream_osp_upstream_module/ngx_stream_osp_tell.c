
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Ends of sessions that come from outside: another publisher, the operator,
 * the end of this process.  The client is told why, between two messages of
 * the origin.  Where these end is known if they are read here.  Otherwise: an
 * origin says little to a publisher, or to a player who has ended what it had,
 * and that in whole messages; and what has come for a player ends with a whole
 * message if nothing more has come for a moment.  A player for whom there is
 * no such moment is told nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* ms: nothing has come for a moment, and how long that is waited for */

#define NGX_STREAM_OSP_QUIET_TIME  5
#define NGX_STREAM_OSP_QUIET_MAX   500

/* the rest of messages that is made up, so that a client can be told */

#define NGX_STREAM_OSP_TELL_REST   1048576


struct ngx_stream_osp_quiet_s {
    ngx_event_t  event;
    ngx_msec_t   start;
    ngx_uint_t   reason;
};


static ngx_uint_t ngx_stream_osp_silent(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_end(ngx_stream_osp_session_t *os,
    ngx_uint_t reason);
static ngx_int_t ngx_stream_osp_quiet(ngx_stream_osp_session_t *os,
    ngx_uint_t reason);
static void ngx_stream_osp_quiet_handler(ngx_event_t *ev);
static ngx_uint_t ngx_stream_osp_between(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_end_now(ngx_stream_osp_session_t *os,
    ngx_uint_t reason);


/* what the table has to say to an open session */

void
ngx_stream_osp_event(ngx_rtmp_route_session_t *rs, ngx_uint_t what)
{
    ngx_stream_osp_session_t  *os;

    os = (ngx_stream_osp_session_t *)
             ((u_char *) rs - offsetof(ngx_stream_osp_session_t, rs));

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, os->session->connection->log, 0,
                   "osp session event: %ui", what);

    switch (what) {

    case NGX_RTMP_ROUTE_E_SILENT:

        if (!ngx_stream_osp_silent(os)) {
            ngx_rtmp_route_session_stay(rs);
            return;
        }

        /* fall through */

    case NGX_RTMP_ROUTE_E_REPLACED:
        ngx_stream_osp_end(os, NGX_STREAM_OSP_REPLACED);
        return;

    case NGX_RTMP_ROUTE_E_KICKED:
        ngx_stream_osp_end(os, NGX_STREAM_OSP_KICKED);
        return;

    default: /* NGX_RTMP_ROUTE_E_LOST */

        /* in set-up it is found by itself */

        if (os->setup == NULL) {
            (void) ngx_stream_osp_relay_lost(os);
        }
    }
}


/* a client that was not read for some time may have sent something */

static ngx_uint_t
ngx_stream_osp_silent(ngx_stream_osp_session_t *os)
{
    char                    buf[1];
    ngx_connection_t       *c;
    ngx_stream_osp_flow_t  *up;

    c = os->session->connection;
    up = &os->flow[NGX_STREAM_OSP_UP];

    if (os->closing || up->eof || c->read->pending_eof) {
        return 1;
    }

    return up->buf.pos == up->buf.last
           && !ngx_stream_osp_rate_delayed(os, NGX_STREAM_OSP_UP)
           && recv(c->fd, buf, 1, MSG_PEEK) <= 0;
}


/*
 * This process has to end: nginx has set c->close, and calls the handlers of
 * both connections, one after the other
 */

void
ngx_stream_osp_shutdown(ngx_stream_osp_session_t *os)
{
    os->exiting = 1;

    ngx_stream_osp_end(os, NGX_STREAM_OSP_SHUTDOWN);
}


static void
ngx_stream_osp_end(ngx_stream_osp_session_t *os, ngx_uint_t reason)
{
    ngx_uint_t  moving;

    /* one side has ended, or the client was told why */

    if (os->closing) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK, reason);
        return;
    }

    if (os->told) {
        return;
    }

    os->told = 1;

    moving = os->moving;
    ngx_stream_osp_moved(os);

    if (os->reason == NGX_STREAM_OSP_NONE) {
        os->reason = reason;
        os->status = NGX_STREAM_OK;
    }

    if (os->setup && os->setup->phase == ngx_stream_osp_handshake) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK, reason);
        return;
    }

    if (!moving && ngx_stream_osp_quiet(os, reason) == NGX_AGAIN) {
        return;
    }

    ngx_stream_osp_end_now(os, reason);
}


static ngx_int_t
ngx_stream_osp_quiet(ngx_stream_osp_session_t *os, ngx_uint_t reason)
{
    ngx_connection_t        *c;
    ngx_stream_osp_quiet_t  *quiet;

    os->between = ngx_stream_osp_between(os);

    if (os->between) {
        return NGX_OK;
    }

    c = os->session->connection;

    quiet = ngx_pcalloc(c->pool, sizeof(ngx_stream_osp_quiet_t));
    if (quiet == NULL) {
        return NGX_OK;
    }

    quiet->start = ngx_current_msec;
    quiet->reason = reason;

    quiet->event.handler = ngx_stream_osp_quiet_handler;
    quiet->event.data = c;
    quiet->event.log = c->log;

    os->quiet = quiet;

    ngx_add_timer(&quiet->event, NGX_STREAM_OSP_QUIET_TIME);

    return NGX_AGAIN;
}


static void
ngx_stream_osp_quiet_handler(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_stream_session_t      *s;
    ngx_stream_osp_quiet_t    *quiet;
    ngx_stream_osp_session_t  *os;

    c = ev->data;
    s = c->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);
    quiet = os->quiet;

    /* one side has ended meanwhile */

    if (os->closing) {
        ngx_stream_osp_quiet_free(os);
        return;
    }

    os->between = ngx_stream_osp_between(os);

    if (!os->between
        && ngx_current_msec - quiet->start < NGX_STREAM_OSP_QUIET_MAX)
    {
        ngx_add_timer(ev, NGX_STREAM_OSP_QUIET_TIME);
        return;
    }

    ngx_stream_osp_end_now(os, quiet->reason);
}


/* whether what the client was sent, and what waits for it, ends a message */

static ngx_uint_t
ngx_stream_osp_between(ngx_stream_osp_session_t *os)
{
    char                      buf[1];
    ngx_connection_t         *pc;
    ngx_stream_osp_flow_t    *down;
#if (NGX_HAVE_TCP_INFO)
    socklen_t                 len;
    struct tcp_info           ti;
#endif

    down = &os->flow[NGX_STREAM_OSP_DOWN];
    pc = os->origin;

    if (os->setup) {
        return 1;
    }

    if (os->resume) {
        return ngx_stream_osp_resume_between(os);
    }

    if (os->no_input) {
        return ngx_stream_osp_no_input_between(os);
    }

    if (down->filter) {
        return ngx_osp_rtmp_reader_idle(down->filter->reader);
    }

    if (!os->scan->played) {
        return 1;
    }

    if (down->buf.pos != down->buf.last || pc == NULL) {
        return 0;
    }

    if (os->ended) {
        return 1;
    }

    if (recv(pc->fd, buf, 1, MSG_PEEK) != -1
        || ngx_socket_errno != NGX_EAGAIN)
    {
        return 0;
    }

#if (NGX_HAVE_TCP_INFO)

    len = sizeof(struct tcp_info);

    if (getsockopt(pc->fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == 0) {
        return ti.tcpi_last_data_recv >= NGX_STREAM_OSP_QUIET_TIME;
    }

#endif

    return os->quiet
           && ngx_current_msec - os->activity >= NGX_STREAM_OSP_QUIET_TIME;
}


void
ngx_stream_osp_quiet_free(ngx_stream_osp_session_t *os)
{
    if (os->quiet == NULL) {
        return;
    }

    if (os->quiet->event.timer_set) {
        ngx_del_timer(&os->quiet->event);
    }

    os->quiet = NULL;
}


/* os->reason may be an earlier one: the server has refused the client */

static void
ngx_stream_osp_end_now(ngx_stream_osp_session_t *os, ngx_uint_t reason)
{
    uint32_t     msid;
    ngx_uint_t   play;
    const char  *level, *code, *text;
    ngx_str_t    description;

    play = (os->name.op == NGX_RTMP_ROUTE_PLAY);

    level = "error";
    msid = os->scan ? os->scan->msid : 1;

    switch (reason) {

    case NGX_STREAM_OSP_REPLACED:
        code = "NetStream.Publish.BadName";
        text = "replaced by another publisher";
        break;

    case NGX_STREAM_OSP_KICKED:
        code = play ? "NetStream.Play.Failed" : "NetStream.Publish.Denied";
        text = "closed by the operator";
        break;

    default: /* NGX_STREAM_OSP_SHUTDOWN */
        code = "NetConnection.Connect.AppShutdown";
        text = "server is shutting down";

        if (os->reconnects) {
            level = "status";
            code = "NetConnection.Connect.ReconnectRequest";
            msid = 0;
        }
    }

    description.data = (u_char *) text;
    description.len = ngx_strlen(text);

    ngx_stream_osp_tell(os, msid, level, code, &description);
    ngx_stream_osp_leave(os);
}


/* writes a status for the client, if it can be told between two messages */

void
ngx_stream_osp_tell(ngx_stream_osp_session_t *os, uint32_t msid,
    const char *level, const char *code, ngx_str_t *description)
{
    size_t                    left;
    ngx_str_t                 text;
    ngx_osp_rtmp_out_t        out;
    ngx_stream_osp_buf_t     *b;
    ngx_stream_osp_filter_t  *f;

    if (os->setup) {
        ngx_stream_osp_client_status(os, code, description);
        return;
    }

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;
    f = os->flow[NGX_STREAM_OSP_DOWN].filter;

    out.chunk_size = os->scan->chunk_size;
    out.track = NULL;

    left = 0;

    if (f && os->resume == NULL) {
        left = ngx_osp_rtmp_reader_finish(f->reader, NULL);
        out.chunk_size = ngx_osp_rtmp_reader_chunk_size(f->reader);

        if (left > NGX_STREAM_OSP_TELL_REST) {
            return;
        }

    } else if (!os->between && !ngx_stream_osp_between(os)) {
        return;
    }

    text = *description;
    text.len = ngx_min(text.len, NGX_STREAM_OSP_TELL_MAX);

    if (ngx_stream_osp_buf_reserve(b, left + 2 * text.len + 1024,
                                   os->session->connection->log)
        != NGX_OK)
    {
        return;
    }

    if (left) {
        b->last += ngx_osp_rtmp_reader_finish(f->reader, b->last);
    }

    out.pos = b->last;
    out.end = b->end;

    if (ngx_osp_rtmp_write_on_status(&out, msid, level, code, &text)
        == NGX_OK)
    {
        b->last = out.pos;
    }
}
