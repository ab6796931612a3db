
/*
 * Copyright (C) The nginx-osp authors
 */


/* "Where would this go?": what the rules and the table say of a name. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_path.h"


typedef struct {
    ngx_str_t                    path;
    ngx_uint_t                   op;        /* NGX_RTMP_ROUTE_FETCH ... */
    ngx_int_t                    rc;        /* of the pick */
    ngx_str_t                    to;
    ngx_http_rtmp_route_keys_t   keys;
    ngx_rtmp_route_query_t       query;
    ngx_rtmp_route_peer_t        peer;
} ngx_http_rtmp_route_lookup_t;


static ngx_int_t ngx_http_rtmp_route_lookup_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_lookup_t *lookup);
static ngx_int_t ngx_http_rtmp_route_lookup_keys(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_http_rtmp_route_lookup_t *lookup);
static ngx_int_t ngx_http_rtmp_route_lookup_name(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_http_rtmp_route_lookup_t *lookup);
static void ngx_http_rtmp_route_lookup_pick(ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_lookup_t *lookup);
static void ngx_http_rtmp_route_lookup_show(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_lookup_t *lookup);
static void ngx_http_rtmp_route_lookup_rule(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_path_t *rule);


ngx_int_t
ngx_http_rtmp_route_api_get_lookup(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_rtmp_route_json_t          json;
    ngx_http_rtmp_route_lookup_t  *lookup;

    lookup = ngx_pcalloc(r->pool, sizeof(ngx_http_rtmp_route_lookup_t));
    if (lookup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_rtmp_route_lookup_args(r, lookup);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = (lookup->op == NGX_RTMP_ROUTE_FETCH)
         ? ngx_http_rtmp_route_lookup_keys(r, ctx->route, lookup)
         : ngx_http_rtmp_route_lookup_name(r, ctx->route, lookup);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lookup->rc = NGX_DECLINED;

    if (rc == NGX_OK) {
        ngx_http_rtmp_route_lookup_pick(ctx->route, lookup);
    }

    ngx_rtmp_route_json_init(&json, r->pool, 1024);

    ngx_http_rtmp_route_lookup_show(&json, ctx, lookup);

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


/* NGX_DECLINED: they are fine */

static ngx_int_t
ngx_http_rtmp_route_lookup_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_lookup_t *lookup)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   type;

    rc = ngx_http_rtmp_route_api_args(r, "path type");

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_http_rtmp_route_api_arg(r, "path", &lookup->path) == NGX_ERROR
        || ngx_http_rtmp_route_api_arg(r, "type", &type) == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_strlchr(lookup->path.data, lookup->path.data + lookup->path.len,
                    '?');
    if (p) {
        lookup->path.len = p - lookup->path.data;
    }

    if (lookup->path.len == 0 || lookup->path.data[0] != '/') {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "\"path\" has to be a path");
    }

    if (type.len == 0 || (type.len == 5
                          && ngx_strncmp(type.data, "fetch", 5) == 0))
    {
        lookup->op = NGX_RTMP_ROUTE_FETCH;

    } else if (type.len == 4 && ngx_strncmp(type.data, "play", 4) == 0) {
        lookup->op = NGX_RTMP_ROUTE_PLAY;

    } else if (type.len == 7 && ngx_strncmp(type.data, "publish", 7) == 0) {
        lookup->op = NGX_RTMP_ROUTE_PUBLISH;

    } else {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "invalid argument \"type\"");
    }

    return NGX_DECLINED;
}


/* as for a request with that path, which has no arguments */

static ngx_int_t
ngx_http_rtmp_route_lookup_keys(ngx_http_request_t *r, ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_lookup_t *lookup)
{
    ngx_int_t  rc;
    ngx_str_t  uri, args;

    uri = r->uri;
    args = r->args;

    r->uri = lookup->path;
    ngx_str_null(&r->args);

    rc = ngx_http_rtmp_route_keys(r, route, &lookup->keys);

    r->uri = uri;
    r->args = args;

    if (rc != NGX_OK) {
        lookup->keys.mapped.servers = NULL;
        return rc;
    }

    lookup->to = lookup->keys.mapped.to;

    if (lookup->to.len == 0) {
        lookup->to = lookup->path;

        if (ngx_rtmp_route_uri(route, r->pool, &lookup->to) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_lookup_name(ngx_http_request_t *r, ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_lookup_t *lookup)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_str_t                 path;
    ngx_rtmp_route_name_t     name;
    ngx_rtmp_route_mapped_t  *mapped;

    mapped = &lookup->keys.mapped;

    rc = ngx_rtmp_route_name_text(r->pool, &lookup->path, route->key, &name);
    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_pnalloc(r->pool, name.path.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path.data = p;
    path.len = name.path.len + 1;

    *p++ = '/';
    ngx_memcpy(p, name.path.data, name.path.len);

    rc = ngx_rtmp_route_map(route, r->pool, &path, mapped);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_ABORT) {
        return NGX_DECLINED;
    }

    lookup->to = mapped->to.len ? mapped->to : path;

    if (mapped->stream.len) {
        name.path = mapped->stream;
        name.hashed = 0;
        name.bare = 0;
    }

    lookup->keys.n = 1;
    lookup->keys.fallback = 0;

    return ngx_rtmp_route_stream_key(route, r->pool, &name, lookup->op,
                                     &lookup->keys.key[0]);
}


/* nobody else is asked, and nothing is remembered */

static void
ngx_http_rtmp_route_lookup_pick(ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_lookup_t *lookup)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_query_t      *query;
    ngx_http_rtmp_route_keys_t  *keys;

    query = &lookup->query;
    keys = &lookup->keys;

    query->op = lookup->op;
    query->peek = 1;
    query->late = 1;
    query->servers = keys->mapped.servers;
    query->protocol = NGX_RTMP_ROUTE_RTMP;
    query->alternative = NGX_RTMP_ROUTE_RTMPS;

    if (lookup->op == NGX_RTMP_ROUTE_FETCH) {
        query->protocol = NGX_RTMP_ROUTE_HTTP;
        query->alternative = NGX_RTMP_ROUTE_HTTPS;
    }

    query->lookup = 1;

    for (i = 0; i < keys->n; i++) {

        if (keys->key[i].len == 0) {
            continue;
        }

        query->key = keys->key[i];

        lookup->rc = ngx_rtmp_route_table_pick(&route->table, query,
                                               &lookup->peer);

        if (lookup->rc != NGX_DECLINED) {
            return;
        }
    }

    query->lookup = 0;
    query->key = keys->key[keys->fallback];

    lookup->rc = ngx_rtmp_route_table_pick(&route->table, query,
                                           &lookup->peer);
}


static void
ngx_http_rtmp_route_lookup_show(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_lookup_t *lookup)
{
    ngx_str_t                           *id;
    ngx_uint_t                           i, status;
    ngx_rtmp_route_path_t               *rule;
    ngx_rtmp_route_mapped_t             *mapped;
    ngx_http_rtmp_route_api_loc_conf_t  *alcf;

    mapped = &lookup->keys.mapped;

    alcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_rtmp_route_api_module);

    status = (lookup->rc == NGX_OK) ? NGX_HTTP_OK
             : (lookup->rc == NGX_BUSY) ? NGX_HTTP_SERVICE_UNAVAILABLE
             : NGX_HTTP_NOT_FOUND;

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "path");
    ngx_rtmp_route_json_string(json, &lookup->path);
    ngx_rtmp_route_json_name(json, "status");
    ngx_rtmp_route_json_number(json, status);

    if (mapped->rule) {
        rule = ctx->route->paths->elts;

        ngx_rtmp_route_json_name(json, "rule");
        ngx_http_rtmp_route_lookup_rule(json, &rule[mapped->rule - 1]);
    }

    if (lookup->query.key.len && !ctx->hide) {
        ngx_rtmp_route_json_name(json, "stream");
        ngx_rtmp_route_json_string(json, &lookup->query.key);
    }

    /* a name that a rule gives is one that who asks need not know */

    if (lookup->to.len && (alcf->names || mapped->to.len == 0)) {
        ngx_rtmp_route_json_name(json, "to");
        ngx_rtmp_route_json_string(json, &lookup->to);
    }

    if (lookup->query.key.len) {
        ngx_rtmp_route_json_name(json, "args");
        ngx_rtmp_route_json_bool(json, mapped->args);
    }

    if (mapped->servers) {
        id = mapped->servers->elts;

        ngx_rtmp_route_json_name(json, "servers");
        ngx_rtmp_route_json_open(json, '[');

        for (i = 0; i < mapped->servers->nelts; i++) {
            ngx_rtmp_route_json_string(json, &id[i]);
        }

        ngx_rtmp_route_json_close(json, ']');
    }

    if (lookup->rc == NGX_OK) {
        ngx_rtmp_route_json_name(json, "server");
        ngx_rtmp_route_json_string(json, &lookup->peer.id);
        ngx_rtmp_route_json_name(json, "upstream");
        ngx_rtmp_route_json_string(json, &lookup->peer.name);
        ngx_rtmp_route_json_name(json, "source");
        ngx_http_rtmp_route_api_stream_source(json, lookup->peer.source);
    }

    ngx_rtmp_route_json_close(json, '}');
}


/* as it is written in the configuration */

static void
ngx_http_rtmp_route_lookup_rule(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_path_t *rule)
{
    u_char     *p;
    ngx_str_t   text;

    text = rule->pattern;

    if (rule->kind != NGX_RTMP_ROUTE_PATH_PREFIX) {

        p = ngx_pnalloc(json->pool, rule->pattern.len + 3);
        if (p == NULL) {
            json->failed = 1;
            return;
        }

        text.data = p;

        *p++ = '~';

        if (rule->kind == NGX_RTMP_ROUTE_PATH_CASELESS) {
            *p++ = '*';
        }

        *p++ = ' ';
        p = ngx_cpymem(p, rule->pattern.data, rule->pattern.len);

        text.len = p - text.data;
    }

    ngx_rtmp_route_json_string(json, &text);
}
