
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * From the name in publish or play to the question that is put to the table.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


static ngx_int_t ngx_stream_osp_name_set(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_name_t *name, ngx_pool_t *names, ngx_pool_t *pool);
static ngx_int_t ngx_stream_osp_name_route(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t **route);


/*
 * Sets os->name, whose text is in names, to what the client has said; the
 * rest is in pool, and that which rules of the route make of it.  NGX_OK;
 * NGX_DECLINED: this is no name; NGX_BUSY: there is no such route; NGX_ERROR.
 */

ngx_int_t
ngx_stream_osp_name_query(ngx_stream_osp_session_t *os, ngx_str_t *tc_url,
    ngx_str_t *app, ngx_osp_rtmp_command_t *cmd, ngx_pool_t *names,
    ngx_pool_t *pool, ngx_rtmp_route_t **route, ngx_rtmp_route_query_t *query,
    ngx_stream_osp_mapped_t *mapped)
{
    ngx_int_t              rc;
    ngx_rtmp_route_name_t  name;

    os->name.op = (cmd->name == NGX_OSP_RTMP_PUBLISH) ? NGX_RTMP_ROUTE_PUBLISH
                                                      : NGX_RTMP_ROUTE_PLAY;
    os->name.set = 1;

    ngx_memzero(&name, sizeof(ngx_rtmp_route_name_t));

    rc = ngx_rtmp_route_name_rtmp(pool, tc_url, app, &cmd->stream, &name);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                      "client sent an invalid stream name");
        return NGX_DECLINED;
    }

    if (rc != NGX_OK
        || ngx_stream_osp_name_set(os, &name, names, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_stream_osp_name_route(os, route) != NGX_OK) {
        return NGX_BUSY;
    }

    rc = ngx_stream_osp_path_map(*route, pool, &cmd->stream, &name, query,
                                 mapped);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_stream_key(*route, pool, &name, os->name.op,
                                       &query->key);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    query->op = os->name.op;
    query->protocol = NGX_RTMP_ROUTE_RTMP;
    query->alternative = NGX_RTMP_ROUTE_RTMPS;

#if (NGX_SSL)

    if (os->conf->ssl_enable) {
        query->protocol = NGX_RTMP_ROUTE_RTMPS;
        query->alternative = NGX_RTMP_ROUTE_RTMP;
    }

#endif

    return NGX_OK;
}


/* copies for the variables, which outlive the set-up */

static ngx_int_t
ngx_stream_osp_name_set(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_name_t *name, ngx_pool_t *names, ngx_pool_t *pool)
{
    u_char                 *p, *last;
    ngx_str_t               key;
    ngx_stream_osp_name_t  *n;

    n = &os->name;

    if (ngx_stream_osp_name_copy(names, &n->app, &name->app,
                                 NGX_RTMP_ROUTE_KEY_LEN)
        != NGX_OK
        || ngx_stream_osp_name_copy(names, &n->stream, &name->stream,
                                    NGX_RTMP_ROUTE_KEY_LEN)
           != NGX_OK
        || ngx_stream_osp_name_copy(names, &n->vhost, &name->vhost,
                                    NGX_RTMP_ROUTE_HOST_LEN)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* "#" and 16 digits */

    if (ngx_rtmp_route_key(pool, name, NGX_RTMP_ROUTE_KEY_STREAM, 1, &key)
        == NGX_OK)
    {
        last = key.data + key.len;
        p = ngx_strlchr(key.data, last, '#');

        if (p && (size_t) (last - p) > sizeof(n->hash)) {
            ngx_memcpy(n->hash, p + 1, sizeof(n->hash));
            n->hashed = 1;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_name_route(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t **route)
{
    ngx_str_t                   name;
    ngx_stream_osp_srv_conf_t  *conf;

    conf = os->conf;

    if (conf->route) {
        *route = conf->route;
        return NGX_OK;
    }

    if (ngx_stream_complex_value(os->session, conf->route_value, &name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *route = ngx_rtmp_route_find(&name);

    if (*route == NULL) {
        ngx_log_error(NGX_LOG_ERR, os->session->connection->log, 0,
                      "unknown route in \"osp_upstream\"");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_stream_osp_name_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src,
    size_t max)
{
    dst->len = ngx_min(src->len, max);

    if (dst->len == 0) {
        dst->data = (u_char *) "";
        return NGX_OK;
    }

    dst->data = ngx_pnalloc(pool, dst->len);
    if (dst->data == NULL) {
        dst->len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, dst->len);

    return NGX_OK;
}
