
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * An origin may answer that another one has the stream, as SRS does in a
 * cluster.  It is followed if that is a server of the route: a client knows
 * only us, and may not reach origins at all.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


#define NGX_STREAM_OSP_RTMP_PORT  1935


static ngx_int_t ngx_stream_osp_redirect_find(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_query_t *query, ngx_str_t *host, in_port_t port);
static ngx_int_t ngx_stream_osp_redirect_parse(ngx_str_t *url,
    ngx_str_t *host, in_port_t *port);
static ngx_uint_t ngx_stream_osp_redirect_match(ngx_rtmp_route_peer_t *peer,
    ngx_str_t *host, in_port_t port);


/* NGX_OK: another server is tried; NGX_DECLINED: none of the route */

ngx_int_t
ngx_stream_osp_redirect(ngx_stream_osp_session_t *os, ngx_str_t *url)
{
    in_port_t                port;
    ngx_str_t                host;
    ngx_rtmp_route_query_t   query;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (ngx_stream_osp_redirect_parse(url, &host, &port) != NGX_OK) {
        return NGX_DECLINED;
    }

    query = setup->query;

    /* the session moves only if there is a server to move to */

    if (ngx_stream_osp_redirect_find(os, &query, &host, port) != NGX_OK
        || ngx_rtmp_route_session_next(&os->rs, &query, &setup->peer)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    setup->query = query;

    ngx_log_error(NGX_LOG_INFO, os->origin->log, 0,
                  "redirected by upstream to \"%V\"", &setup->peer.name);

    ngx_stream_osp_origin_close(os);

    setup->step = 0;

    ngx_stream_osp_connect(os);

    return NGX_OK;
}


/*
 * Looks at all servers that can be asked yet, and puts them into query->tried
 * but for the one that is meant.
 */

static ngx_int_t
ngx_stream_osp_redirect_find(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_query_t *query, ngx_str_t *host, in_port_t port)
{
    ngx_uint_t               found;
    ngx_rtmp_route_peer_t    peer, *current;
    ngx_rtmp_route_tried_t  *tried;

    current = &os->setup->peer;
    found = NGX_RTMP_ROUTE_MAX_TRIED;

    query->peek = 1;

    while (query->ntried < NGX_RTMP_ROUTE_MAX_TRIED) {

        tried = &query->tried[query->ntried++];

        tried->server = current->server;
        tried->protocol = current->protocol;
        tried->endpoint = current->endpoint;

        if (ngx_rtmp_route_pick(os->setup->route, query, &peer) != NGX_OK) {
            break;
        }

        current = &peer;

        if (ngx_stream_osp_redirect_match(current, host, port)) {
            found = query->ntried;
        }
    }

    query->peek = 0;

    if (found == NGX_RTMP_ROUTE_MAX_TRIED) {
        return NGX_DECLINED;
    }

    query->tried[found] = query->tried[--query->ntried];

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_redirect_parse(ngx_str_t *url, ngx_str_t *host,
    in_port_t *port)
{
    u_char     *p, *last;
    ngx_int_t   n;

    p = url->data;
    last = p + url->len;

    if (url->len > 7 && ngx_strncmp(p, "rtmp://", 7) == 0) {
        p += 7;

    } else if (url->len > 8 && ngx_strncmp(p, "rtmps://", 8) == 0) {
        p += 8;

    } else {
        return NGX_ERROR;
    }

    host->data = p;

    if (*p == '[') {
        p = ngx_strlchr(p, last, ']');

        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    while (p < last && *p != ':' && *p != '/') {
        p++;
    }

    host->len = p - host->data;

    if (host->len == 0) {
        return NGX_ERROR;
    }

    *port = NGX_STREAM_OSP_RTMP_PORT;

    if (p == last || *p == '/') {
        return NGX_OK;
    }

    p++;

    for (n = 0; p < last && *p >= '0' && *p <= '9' && n < 65536; p++) {
        n = n * 10 + (*p - '0');
    }

    if (n == 0 || n > 65535 || (p < last && *p != '/')) {
        return NGX_ERROR;
    }

    *port = (in_port_t) n;

    return NGX_OK;
}


/* as an address, "10.0.0.11" or "[fd00::11]", or by the configured name */

static ngx_uint_t
ngx_stream_osp_redirect_match(ngx_rtmp_route_peer_t *peer, ngx_str_t *host,
    in_port_t port)
{
    if (ngx_inet_get_port(&peer->sockaddr.sockaddr) != port) {
        return 0;
    }

    if (peer->name.len > host->len
        && peer->name.data[host->len] == ':'
        && ngx_memcmp(peer->name.data, host->data, host->len) == 0)
    {
        return 1;
    }

    return peer->host.len == host->len
           && ngx_strncasecmp(peer->host.data, host->data, host->len) == 0;
}
