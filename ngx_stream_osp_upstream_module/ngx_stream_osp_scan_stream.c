
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A client names another stream on its connection: the table is asked, what
 * the client says waits until that has an answer, and goes on or is refused.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* streams that a client may name behind the first one */

#define NGX_STREAM_OSP_SCAN_STREAMS  1000

/* ms after which it is seen whether a session that is moved has an origin */

#define NGX_STREAM_OSP_SCAN_MOVING   100


static ngx_int_t ngx_stream_osp_scan_open(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_uint_t replace, ngx_msec_t *left);
static ngx_int_t ngx_stream_osp_scan_wait(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_msec_t left);
static void ngx_stream_osp_scan_wait_set(ngx_stream_osp_scan_wait_t *w,
    ngx_msec_t time);
static void ngx_stream_osp_scan_wait_handler(ngx_rtmp_route_wait_t *wait);
static void ngx_stream_osp_scan_timer_handler(ngx_event_t *ev);
static void ngx_stream_osp_scan_waited(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_scan_wait_unset(ngx_stream_osp_scan_wait_t *w);
static ngx_int_t ngx_stream_osp_scan_refuse(ngx_stream_osp_session_t *os,
    ngx_int_t rc, ngx_uint_t reason);
static void ngx_stream_osp_scan_cleanup(void *data);


/* another stream on the same connection, or the same once more */

ngx_int_t
ngx_stream_osp_scan_stream(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, uint32_t msid)
{
    ngx_int_t                rc;
    ngx_str_t                app, tc_url;
    ngx_msec_t               left;
    ngx_uint_t               replace, reason;
    ngx_pool_t              *pool, *old;
    ngx_rtmp_route_t        *route;
    ngx_stream_osp_bar_t     bar;
    ngx_stream_osp_scan_t   *scan;
    ngx_stream_osp_name_t    name;
    ngx_rtmp_route_query_t   query;
    ngx_stream_osp_mapped_t  mapped;

    scan = os->scan;

    /* who would be told of it, and compared with its place? */

    if (os->moving) {
        rc = ngx_stream_osp_scan_wait(os, os->move->route, 0);

        return (rc == NGX_AGAIN) ? rc : ngx_stream_osp_scan_failed(os);
    }

    if (scan->nstreams++ == NGX_STREAM_OSP_SCAN_STREAMS) {
        return ngx_stream_osp_scan_refuse(os, NGX_ABORT,
                                          NGX_STREAM_OSP_REFUSED_STREAM);
    }

    pool = ngx_create_pool(1024, os->session->connection->log);
    if (pool == NULL) {
        return ngx_stream_osp_scan_failed(os);
    }

    /* names are there until the session was logged */

    if (scan->names == NULL) {

        scan->names = ngx_pool_cleanup_add(os->session->connection->pool, 0);
        if (scan->names == NULL) {
            ngx_destroy_pool(pool);
            return ngx_stream_osp_scan_failed(os);
        }
    }

    old = scan->names->data;

    scan->names->handler = ngx_stream_osp_scan_cleanup;
    scan->names->data = pool;

    name = os->name;
    ngx_memzero(&os->name, sizeof(ngx_stream_osp_name_t));

    /* it takes the place of the one before, or it is beside it */

    replace = (os->ended
               || os->reason == NGX_STREAM_OSP_REFUSED
               || msid == scan->msid);

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));
    left = 0;

    app.len = scan->app_len;
    app.data = (u_char *) scan + sizeof(ngx_stream_osp_scan_t);

    tc_url.len = scan->tc_url_len;
    tc_url.data = app.data + app.len;

    rc = ngx_stream_osp_name_query(os, &tc_url, &app, cmd, pool, pool, &route,
                                   &query, &mapped);

    reason = (rc == NGX_BUSY) ? NGX_STREAM_OSP_NO_ROUTE
                              : NGX_STREAM_OSP_REFUSED_NAME;

    if (rc == NGX_OK) {
        rc = ngx_stream_osp_path_stream(os, &mapped);
        reason = NGX_STREAM_OSP_REFUSED_STREAM;
    }

    if (rc == NGX_OK) {
        rc = ngx_stream_osp_barred(os, route, &query, &bar)
             ? NGX_DONE : ngx_stream_osp_limit_stream(os, route, &query,
                                                      replace, &bar);
    }

    if (rc == NGX_OK) {
        rc = ngx_stream_osp_scan_open(os, route, &query, replace, &left);

        reason = (rc == NGX_DECLINED) ? NGX_STREAM_OSP_REFUSED_UNKNOWN
                 : (rc == NGX_ABORT) ? NGX_STREAM_OSP_REFUSED_STREAM
                 : query.unsure ? NGX_STREAM_OSP_NO_ANSWER
                 : NGX_STREAM_OSP_NO_SERVER;
    }

    if (rc == NGX_AGAIN) {
        rc = ngx_stream_osp_scan_wait(os, route, left);

    } else {
        ngx_stream_osp_scan_wait_free(scan);
    }

    if (rc == NGX_OK && os->name.op == NGX_RTMP_ROUTE_PLAY) {
        scan->played = 1;
    }

    if (rc == NGX_AGAIN || (rc == NGX_OK && !replace)) {
        scan->nstreams -= (rc == NGX_AGAIN);
        scan->beside |= (rc == NGX_OK);

        os->name = name;
        scan->names->data = old;
        ngx_destroy_pool(pool);
        return rc;
    }

    if (old) {
        ngx_destroy_pool(old);
    }

    scan->msid = msid;

    /* that was the one before */

    if (os->reason == NGX_STREAM_OSP_REFUSED) {
        os->reason = NGX_STREAM_OSP_NONE;
    }

    if (rc == NGX_DONE) {
        ngx_stream_osp_refuse(os, bar.status, bar.reason, bar.code, &bar.text);
        return NGX_DONE;
    }

    if (rc == NGX_BUSY && query.full) {
        ngx_stream_osp_refuse_full(os);
        return NGX_DONE;
    }

    if (rc == NGX_ERROR) {
        return ngx_stream_osp_scan_failed(os);
    }

    if (rc != NGX_OK) {
        return ngx_stream_osp_scan_refuse(os, rc, reason);
    }

    os->ended = 0;

    return NGX_OK;
}


/* NGX_OK, NGX_AGAIN, NGX_DECLINED, NGX_BUSY, NGX_ABORT */

static ngx_int_t
ngx_stream_osp_scan_open(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_uint_t replace, ngx_msec_t *left)
{
    ngx_int_t                    rc;
    ngx_msec_t                   passed;
    ngx_rtmp_route_peer_t        peer;
    ngx_rtmp_route_session_t     rs;
    ngx_stream_osp_scan_wait_t  *w;

    ngx_memzero(&rs, sizeof(ngx_rtmp_route_session_t));

    w = os->scan->wait;

    passed = w ? ngx_current_msec - w->start : 0;

    *left = ngx_stream_osp_queue_left(os, route, NGX_AGAIN, 0, passed);

    query->late = (*left == 0);

    rc = ngx_stream_osp_open_session(os, route, query, &rs, &peer);

    if (rc == NGX_BUSY && query->full && replace) {

        /* the place of the stream that has ended; refused, all ends */

        ngx_rtmp_route_session_close(&os->rs);

        os->flow[NGX_STREAM_OSP_UP].count = os->rs.in;
        os->flow[NGX_STREAM_OSP_DOWN].count = os->rs.out;

        rc = ngx_stream_osp_open_session(os, route, query, &rs, &peer);
    }

    if (rc == NGX_BUSY && !query->unsure && !query->full) {
        *left = ngx_stream_osp_queue_left(os, route, rc, 0, passed);

        if (*left) {
            return NGX_AGAIN;
        }
    }

    if (rc == NGX_BUSY && query->unsure) {
        ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                      "nobody can tell where the stream is");

    } else if (rc == NGX_BUSY && !query->full) {
        ngx_log_error(NGX_LOG_ERR, os->session->connection->log, 0,
                      "no live upstreams");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* the client has one connection to one server */

    if (peer.name.len != os->upstream->len
        || ngx_memcmp(peer.name.data, os->upstream->data, peer.name.len) != 0
        || peer.id.len != os->server.len
        || ngx_memcmp(peer.id.data, os->server.data, peer.id.len) != 0)
    {
        ngx_rtmp_route_session_close(&rs);
        return NGX_ABORT;
    }

    if (!replace) {
        ngx_rtmp_route_session_close(&rs);
        return NGX_OK;
    }

    ngx_rtmp_route_session_close(&os->rs);

    os->rs = rs;
    ngx_rtmp_route_session_watch(&os->rs, ngx_stream_osp_event);

    os->flow[NGX_STREAM_OSP_UP].count = rs.in;
    os->flow[NGX_STREAM_OSP_DOWN].count = rs.out;

    ngx_rtmp_route_session_state(&os->rs, NGX_RTMP_ROUTE_S_RELAY);

    return NGX_OK;
}


/* NGX_AGAIN or NGX_ERROR; what is held is looked at again when that is over */

static ngx_int_t
ngx_stream_osp_scan_wait(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_msec_t left)
{
    ngx_connection_t            *c;
    ngx_stream_osp_scan_wait_t  *w;

    c = os->session->connection;
    w = os->scan->wait;

    if (w == NULL) {
        w = ngx_calloc(sizeof(ngx_stream_osp_scan_wait_t), c->log);
        if (w == NULL) {
            return NGX_ERROR;
        }

        w->start = ngx_current_msec;

        w->timer.handler = ngx_stream_osp_scan_timer_handler;
        w->timer.data = os;
        w->timer.log = c->log;

        w->wait.handler = ngx_stream_osp_scan_wait_handler;
        w->wait.data = os;

        os->scan->wait = w;
    }

    w->wait.route = route;

    /* that time does not count */

    if (os->moving) {
        w->start = ngx_current_msec;
        ngx_stream_osp_scan_wait_set(w, NGX_STREAM_OSP_SCAN_MOVING);

        return NGX_AGAIN;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, c->log, 0,
                   "osp another stream waits: %M", left);

    ngx_stream_osp_scan_wait_set(w, left);

    return NGX_AGAIN;
}


static void
ngx_stream_osp_scan_wait_set(ngx_stream_osp_scan_wait_t *w, ngx_msec_t time)
{
    ngx_add_timer(&w->timer, time);

    ngx_rtmp_route_wait(&w->wait);
    w->set = 1;
}


static void
ngx_stream_osp_scan_wait_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_stream_osp_session_t    *os;
    ngx_stream_osp_scan_wait_t  *w;

    os = wait->data;
    w = os->scan->wait;

    /* it is not in the queue any more */

    w->set = 0;

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    ngx_stream_osp_scan_waited(os);
}


static void
ngx_stream_osp_scan_timer_handler(ngx_event_t *ev)
{
    ngx_stream_osp_session_t  *os;

    os = ev->data;

    ngx_stream_osp_scan_wait_unset(os->scan->wait);

    ngx_stream_osp_scan_waited(os);
}


static void
ngx_stream_osp_scan_waited(ngx_stream_osp_session_t *os)
{
    /* there is no origin while the session is moved to another one */

    if (os->moving) {
        (void) ngx_stream_osp_scan_wait(os, os->scan->wait->wait.route, 0);
        return;
    }

    ngx_stream_osp_relay_waited(os);
}


static void
ngx_stream_osp_scan_wait_unset(ngx_stream_osp_scan_wait_t *w)
{
    if (!w->set) {
        return;
    }

    w->set = 0;

    ngx_rtmp_route_wait_cancel(&w->wait);

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }
}


/* whether what is held has to wait, so that nothing may be read behind it */

ngx_uint_t
ngx_stream_osp_scan_waits(ngx_stream_osp_session_t *os)
{
    return os->scan
           && ((os->scan->wait && os->scan->wait->set)
               || ngx_stream_osp_path_rests(os))
           && !os->flow[NGX_STREAM_OSP_UP].dead;
}


void
ngx_stream_osp_scan_wait_free(ngx_stream_osp_scan_t *scan)
{
    if (scan->wait) {
        ngx_stream_osp_scan_wait_unset(scan->wait);

        ngx_free(scan->wait);
        scan->wait = NULL;
    }
}


/* NGX_DECLINED, NGX_ABORT, NGX_BUSY */

static ngx_int_t
ngx_stream_osp_scan_refuse(ngx_stream_osp_session_t *os, ngx_int_t rc,
    ngx_uint_t reason)
{
    ngx_log_t   *log;
    ngx_uint_t   publish;
    const char  *code, *text;

    log = os->session->connection->log;
    publish = (os->name.op == NGX_RTMP_ROUTE_PUBLISH);

    if (rc == NGX_BUSY) {
        text = (reason == NGX_STREAM_OSP_NO_ROUTE) ? "no such route"
               : (reason == NGX_STREAM_OSP_NO_ANSWER)
                 ? "nobody can tell where it is" : "no server available";

        ngx_stream_osp_refuse_text(os, NGX_STREAM_SERVICE_UNAVAILABLE, reason,
                                   "NetConnection.Connect.Rejected", text);
        return NGX_DONE;
    }

    code = publish ? "NetStream.Publish.Denied"
                   : "NetStream.Play.StreamNotFound";

    switch (reason) {

    case NGX_STREAM_OSP_REFUSED_NAME:

        /* logged already */

        code = publish ? "NetStream.Publish.BadName" : code;
        text = "invalid stream name";
        break;

    case NGX_STREAM_OSP_REFUSED_UNKNOWN:
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "client refused, another stream is unknown");
        text = publish ? "stream is not allowed" : "stream not found";
        break;

    default: /* NGX_STREAM_OSP_REFUSED_STREAM */
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "client refused, another stream needs a connection");
        text = "stream needs a connection of its own";
    }

    ngx_stream_osp_refuse_text(os, NGX_STREAM_FORBIDDEN, reason, code, text);

    return NGX_DONE;
}


ngx_int_t
ngx_stream_osp_scan_failed(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
    return NGX_DONE;
}


static void
ngx_stream_osp_scan_cleanup(void *data)
{
    ngx_pool_t *pool = data;

    if (pool) {
        ngx_destroy_pool(pool);
    }
}
