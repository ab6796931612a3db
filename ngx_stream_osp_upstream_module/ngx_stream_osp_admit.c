
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Whether a client may have what it has named, before anybody else is asked
 * or has to make room for it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


static ngx_uint_t ngx_stream_osp_barred_banned(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_stream_osp_bar_t *bar);
static ngx_uint_t ngx_stream_osp_barred_draining(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_query_t *query, ngx_stream_osp_bar_t *bar);


ngx_int_t
ngx_stream_osp_admit(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_bar_t     bar;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (ngx_stream_osp_barred(os, setup->route, &setup->query, &bar)) {
        ngx_stream_osp_refuse(os, bar.status, bar.reason, bar.code, &bar.text);
        return NGX_ERROR;
    }

    return ngx_stream_osp_limit_conn(os);
}


ngx_uint_t
ngx_stream_osp_barred(ngx_stream_osp_session_t *os, ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query, ngx_stream_osp_bar_t *bar)
{
    return ngx_stream_osp_barred_banned(os, route, query, bar)
           || ngx_stream_osp_barred_draining(os, query, bar);
}


static ngx_uint_t
ngx_stream_osp_barred_banned(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_stream_osp_bar_t *bar)
{
    time_t             left;
    ngx_connection_t  *c;

    c = os->session->connection;

    if (ngx_rtmp_route_banned(route, &query->key, query->op, &c->addr_text,
                              &left)
        != NGX_OK)
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "client refused, banned for %T s", left);

    bar->status = NGX_STREAM_FORBIDDEN;
    bar->reason = NGX_STREAM_OSP_BANNED;
    bar->code = (query->op == NGX_RTMP_ROUTE_PUBLISH)
                ? "NetStream.Publish.Denied" : "NetStream.Play.Failed";
    bar->text.data = bar->buf;
    bar->text.len = ngx_sprintf(bar->buf, "banned for %T s", left) - bar->buf;

    return 1;
}


/* who watches what is here still may */

static ngx_uint_t
ngx_stream_osp_barred_draining(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_query_t *query, ngx_stream_osp_bar_t *bar)
{
    if (query->op != NGX_RTMP_ROUTE_PUBLISH || !ngx_rtmp_route_draining()) {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                  "client refused, the proxy drains");

    bar->status = NGX_STREAM_SERVICE_UNAVAILABLE;
    bar->reason = NGX_STREAM_OSP_DRAINING;
    bar->code = "NetConnection.Connect.Rejected";
    ngx_str_set(&bar->text, "proxy is draining");

    return 1;
}
