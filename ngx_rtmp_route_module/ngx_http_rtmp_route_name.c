
/*
 * Copyright (C) The nginx-osp authors
 */


/* Names of requests: the keys they may mean, and what servers call them. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"


static ngx_int_t ngx_http_rtmp_route_rule(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_rtmp_route_mapped_t *mapped);


/* no server has this id: nobody is asked for what a rule refuses */

static ngx_str_t  ngx_http_rtmp_route_nobody_id = ngx_string("");

static ngx_array_t  ngx_http_rtmp_route_nobody = {
    &ngx_http_rtmp_route_nobody_id, 1, sizeof(ngx_str_t), 1, NULL
};


ngx_int_t
ngx_http_rtmp_route_keys(ngx_http_request_t *r, ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_keys_t *keys)
{
    size_t                           len;
    ngx_int_t                        rc;
    ngx_str_t                        uri;
    ngx_uint_t                       i, escape;
    ngx_rtmp_route_name_t            names[NGX_HTTP_RTMP_ROUTE_NAMES];
    ngx_http_rtmp_route_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_module);

    rc = ngx_http_rtmp_route_rule(r, route, &keys->mapped);
    if (rc != NGX_OK) {
        return rc;
    }

    if (keys->mapped.stream.len) {
        rc = ngx_rtmp_route_name_mapped(r->pool, &r->headers_in.server,
                                        &r->uri, &r->args,
                                        &keys->mapped.stream, rlcf->suffixes,
                                        names, &keys->n, &keys->fallback);
        goto found;
    }

    /*
     * r->uri is what the location was chosen by and what a rewrite has left;
     * it is decoded once already
     */

    uri = r->uri;

    escape = 2 * ngx_escape_uri(NULL, uri.data, uri.len, NGX_ESCAPE_URI);

    if (escape) {
        len = uri.len + escape;

        uri.data = ngx_pnalloc(r->pool, len);
        if (uri.data == NULL) {
            return NGX_ERROR;
        }

        ngx_escape_uri(uri.data, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
        uri.len = len;
    }

    rc = ngx_rtmp_route_name_http(r->pool, &r->headers_in.server, &uri,
                                  &r->args, rlcf->suffixes, names, &keys->n,
                                  &keys->fallback);

found:

    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < keys->n; i++) {

        rc = ngx_rtmp_route_stream_key(route, r->pool, &names[i],
                                       NGX_RTMP_ROUTE_FETCH, &keys->key[i]);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_str_null(&keys->key[i]);
        }
    }

    /* the last one is the directory, without the ending of a variant */

    for (i = keys->n; i-- && keys->key[keys->fallback].len == 0; /* void */ ) {
        if (keys->key[i].len) {
            keys->fallback = i;
        }
    }

    return keys->key[keys->fallback].len ? NGX_OK : NGX_DECLINED;
}


/* what a rule refuses is as good as no name */

static ngx_int_t
ngx_http_rtmp_route_rule(ngx_http_request_t *r, ngx_rtmp_route_t *route,
    ngx_rtmp_route_mapped_t *mapped)
{
    ngx_int_t  rc;

    rc = ngx_rtmp_route_map(route, r->pool, &r->uri, mapped);

    if (rc == NGX_ABORT) {
        mapped->servers = &ngx_http_rtmp_route_nobody;
        return NGX_DECLINED;
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_rtmp_route_known(ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_keys_t *keys, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    query->lookup = 1;
    query->servers = keys->mapped.servers;

    for (i = 0; i < keys->n; i++) {

        if (keys->key[i].len == 0) {
            continue;
        }

        query->key = keys->key[i];

        rc = ngx_rtmp_route_pick(route, query, peer);

        if (rc != NGX_DECLINED) {
            query->lookup = 0;
            return rc;
        }
    }

    query->lookup = 0;
    query->key = keys->key[keys->fallback];

    return NGX_DECLINED;
}


ngx_array_t *
ngx_http_rtmp_route_servers(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *path)
{
    ngx_int_t                rc;
    ngx_rtmp_route_mapped_t  mapped;

    rc = ngx_rtmp_route_map(route, pool, path, &mapped);

    if (rc == NGX_ABORT) {
        return &ngx_http_rtmp_route_nobody;
    }

    return (rc == NGX_OK) ? mapped.servers : NULL;
}


/* a redirect may lead here with what the server was asked for */

void
ngx_http_rtmp_route_restore_uri(ngx_http_request_t *r)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_get_ctx(r);

    if (ctx && ctx->request == r
        && ctx->changed.len && ctx->changed.data == r->uri.data)
    {
        r->uri = ctx->uri;

        if (r->args.len == 0) {
            r->args = ctx->args;
        }
    }
}


/* as "rewrite ... break" would, for the location stays */

ngx_int_t
ngx_http_rtmp_route_change_uri(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                 uri;
    ngx_rtmp_route_mapped_t  *mapped;

    uri = r->uri;
    mapped = &ctx->keys.mapped;

    /* a server was named, not looked up */

    if (ctx->keys.n == 0) {
        rc = ngx_http_rtmp_route_rule(r, ctx->route, mapped);
        if (rc != NGX_OK) {
            return (rc == NGX_ERROR) ? NGX_ERROR : NGX_ABORT;
        }
    }

    if (mapped->to.len) {
        uri = mapped->to;

    } else {
        rc = ngx_rtmp_route_uri(ctx->route, r->pool, &uri);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK && (mapped->args || r->args.len == 0)) {
            return NGX_DECLINED;
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "rtmp route uri: \"%V\" is \"%V\"", &r->uri, &uri);

    ctx->uri = r->uri;
    ctx->changed = uri;

    r->uri = uri;
    r->quoted_uri = 1;
    r->valid_unparsed_uri = 0;
    r->valid_location = 0;

    if (!mapped->args) {
        ctx->args = r->args;
        ngx_str_null(&r->args);
    }

    return NGX_OK;
}
