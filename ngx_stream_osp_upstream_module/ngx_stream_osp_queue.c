
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


static ngx_int_t ngx_stream_osp_queue_enter(ngx_stream_osp_session_t *os,
    ngx_int_t rc);
static ngx_uint_t ngx_stream_osp_queue_any(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query);
static void ngx_stream_osp_queue_handler(ngx_rtmp_route_wait_t *wait);


ngx_int_t
ngx_stream_osp_queue(ngx_stream_osp_session_t *os, ngx_int_t rc)
{
    ngx_msec_t               left;
    ngx_uint_t               any;
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    if (setup->wait_start == 0) {
        setup->wait_start = ngx_current_msec;
        ngx_stream_osp_keepalive(c, 1);
    }

    if (rc == NGX_AGAIN && os->conf->queue) {
        any = ngx_stream_osp_queue_any(setup->route, &setup->query);

        /* its publisher, who may have waited, too, has as long as ever */

        if (any && setup->alone) {
            setup->wait_start = ngx_current_msec;
        }

        setup->alone = !any;
    }

    left = ngx_stream_osp_queue_left(os, setup->route, &setup->query, rc,
                                     ngx_current_msec - setup->wait_start);

    if (left == 0 || ngx_stream_osp_queue_enter(os, rc) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_stream_osp_watch(os) != NGX_OK) {
        return NGX_OK;
    }

    ngx_add_timer(c->read, left);

    setup->wait.route = setup->route;
    setup->wait.handler = ngx_stream_osp_queue_handler;
    setup->wait.data = os;
    setup->wait_set = 1;

    ngx_rtmp_route_wait(&setup->wait);

    return NGX_OK;
}


/* who waits only to be known has no limit, as it has always been */

static ngx_int_t
ngx_stream_osp_queue_enter(ngx_stream_osp_session_t *os, ngx_int_t rc)
{
    ngx_connection_t           *c;
    ngx_stream_osp_setup_t     *setup;
    ngx_stream_osp_srv_conf_t  *conf;

    c = os->session->connection;
    setup = os->setup;
    conf = os->conf;

    if (!setup->queued) {
        setup->queued = 1;
        ngx_rtmp_route_queued(setup->route, 1);
    }

    if (rc == NGX_AGAIN || setup->placed) {
        return NGX_OK;
    }

    if (conf->queued == conf->queue_max) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "%ui clients wait for an upstream server, no more may",
                      conf->queued);
        return NGX_DECLINED;
    }

    setup->placed = 1;
    conf->queued++;

    c->log->action = "waiting for an upstream server";

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "%s, client waits",
                  setup->query.full ? "no upstream server has room"
                                    : "no live upstreams");
    return NGX_OK;
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


ngx_msec_t
ngx_stream_osp_queue_left(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query, ngx_int_t rc,
    ngx_msec_t passed)
{
    ngx_msec_t  time;

    if (rc == NGX_AGAIN) {
        time = ngx_rtmp_route_wait_time(route);

        if (passed < time) {
            return time - passed;
        }
    }

    if (passed >= os->conf->queue) {
        return 0;
    }

    if (rc == NGX_AGAIN && ngx_stream_osp_queue_any(route, query)) {
        return 0;
    }

    return os->conf->queue - passed;
}


/* whether there is a server for those who are not known yet */

static ngx_uint_t
ngx_stream_osp_queue_any(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query)
{
    ngx_rtmp_route_peer_t   peer;
    ngx_rtmp_route_query_t  any;

    ngx_memzero(&any, sizeof(ngx_rtmp_route_query_t));

    any.op = NGX_RTMP_ROUTE_PUBLISH;
    any.protocol = query->protocol;
    any.alternative = query->alternative;
    any.peek = 1;

    return ngx_rtmp_route_pick(route, &any, &peer) == NGX_OK;
}


static void
ngx_stream_osp_queue_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_stream_osp_session_t  *os;

    os = wait->data;
    os->setup->wait_set = 0;

    ngx_stream_osp_open(os);
}
