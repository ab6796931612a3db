
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Clients that wait: for a name that nobody knows to be known, or for a server
 * that may be picked.  Whenever something has changed, and each second, they
 * ask again, in the order in which they came.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


static ngx_uint_t ngx_stream_osp_queue_place(ngx_stream_osp_session_t *os);
static ngx_uint_t ngx_stream_osp_queue_any(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_queue_handler(ngx_rtmp_route_wait_t *wait);


ngx_int_t
ngx_stream_osp_queue(ngx_stream_osp_session_t *os, ngx_int_t rc)
{
    ngx_msec_t               left;
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    if (rc != NGX_AGAIN && os->conf->queue == 0) {
        return NGX_DECLINED;
    }

    if (setup->wait_start == 0) {
        setup->wait_start = ngx_current_msec;
        setup->alone = os->conf->queue && !ngx_stream_osp_queue_any(os);

        ngx_stream_osp_keepalive(c, 1);
    }

    if ((setup->alone || rc == NGX_BUSY)
        && !ngx_stream_osp_queue_place(os))
    {
        setup->alone = 0;

        if (rc == NGX_BUSY) {
            return NGX_DECLINED;
        }
    }

    left = ngx_stream_osp_queue_left(os, setup->route, rc, setup->alone,
                                     ngx_current_msec - setup->wait_start);

    if (left == 0) {
        return NGX_DECLINED;
    }

    if (!setup->queued) {
        setup->queued = 1;
        ngx_rtmp_route_queued(setup->route, 1);
    }

    ngx_stream_osp_wait(os, left, ngx_stream_osp_queue_handler);

    return NGX_OK;
}


/* who waits to be known, as "unknown" says, needs none */

static ngx_uint_t
ngx_stream_osp_queue_place(ngx_stream_osp_session_t *os)
{
    ngx_connection_t           *c;
    ngx_stream_osp_setup_t     *setup;
    ngx_stream_osp_srv_conf_t  *conf;

    c = os->session->connection;
    setup = os->setup;
    conf = os->conf;

    if (setup->placed) {
        return 1;
    }

    if (conf->queue == 0) {
        return 0;
    }

    if (conf->queued == conf->queue_max) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "%ui clients wait for an upstream server, no more may",
                      conf->queued);
        return 0;
    }

    setup->placed = 1;
    conf->queued++;

    c->log->action = "waiting for an upstream server";

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "%s, client waits",
                  setup->query.full ? "no upstream server has room"
                                    : "no live upstreams");
    return 1;
}


void
ngx_stream_osp_queue_leave(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (setup->queued) {
        setup->queued = 0;
        ngx_rtmp_route_queued(setup->route, -1);
    }

    if (setup->placed) {
        setup->placed = 0;
        os->conf->queued--;
    }
}


/*
 * For a player that has found no server it is as long until its stream is
 * known, as the publisher may be one of those who wait
 */

ngx_msec_t
ngx_stream_osp_queue_left(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_int_t rc, ngx_uint_t alone,
    ngx_msec_t passed)
{
    ngx_msec_t  time;

    time = 0;

    if (rc == NGX_AGAIN) {
        time = ngx_rtmp_route_wait_time(route);
    }

    if (rc == NGX_BUSY || alone) {
        time = ngx_max(time, os->conf->queue);
    }

    return (passed < time) ? time - passed : 0;
}


/* whether a server could be picked for a name that is not known yet */

static ngx_uint_t
ngx_stream_osp_queue_any(ngx_stream_osp_session_t *os)
{
    ngx_rtmp_route_peer_t    peer;
    ngx_rtmp_route_query_t   query;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.op = NGX_RTMP_ROUTE_PUBLISH;
    query.protocol = setup->query.protocol;
    query.alternative = setup->query.alternative;
    query.peek = 1;

    return ngx_rtmp_route_pick(setup->route, &query, &peer) == NGX_OK;
}


static void
ngx_stream_osp_queue_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_stream_osp_session_t  *os;

    os = wait->data;
    os->setup->wait_set = 0;

    ngx_stream_osp_open(os);
}
