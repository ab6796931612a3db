
/*
 * Copyright (C) The nginx-osp authors
 */


/* Answers of the API that are one object. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_key.h"


enum {
    route_zone = 0,
    route_key,
    route_secret,
    route_method,
    route_unknown,
    route_inactive,
    route_register,
    route_servers,
    route_streams,
    route_sessions,
    route_conns,
    route_queued,
    route_paths,
    route_core
};


static void ngx_http_rtmp_route_api_route(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_t *route, uint64_t fields);
static void ngx_http_rtmp_route_api_zone(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_t *route, ngx_rtmp_route_table_stat_t *stat);


static ngx_http_rtmp_route_api_field_t  ngx_http_rtmp_route_api_fields_of[] = {
    { ngx_string("zone"), route_zone },
    { ngx_string("key"), route_key },
    { ngx_string("secret"), route_secret },
    { ngx_string("method"), route_method },
    { ngx_string("unknown"), route_unknown },
    { ngx_string("inactive"), route_inactive },
    { ngx_string("register"), route_register },
    { ngx_string("servers"), route_servers },
    { ngx_string("streams"), route_streams },
    { ngx_string("sessions"), route_sessions },
    { ngx_string("conns"), route_conns },
    { ngx_string("queued"), route_queued },
    { ngx_string("paths"), route_paths },
    { ngx_string("core"), route_core },
    { ngx_null_string, 0 }
};


/* by NGX_RTMP_ROUTE_KEY_*, NGX_RTMP_ROUTE_HASH ... and UNKNOWN_* */

static ngx_str_t  ngx_http_rtmp_route_api_keys[] = {
    ngx_string("app/stream"),
    ngx_string("stream"),
    ngx_string("vhost/app/stream")
};


static ngx_str_t  ngx_http_rtmp_route_api_methods[] = {
    ngx_string("hash"),
    ngx_string("least_conn"),
    ngx_string("round_robin"),
    ngx_string("random")
};


static ngx_str_t  ngx_http_rtmp_route_api_unknown[] = {
    ngx_string("pick"),
    ngx_string("wait"),
    ngx_string("refuse")
};


/* as SRS answers it, so that probes made for SRS work */

ngx_int_t
ngx_http_rtmp_route_api_get_versions(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_str_t               name, version;
    ngx_rtmp_route_json_t   json;

    ngx_str_set(&name, "nginx-osp");
    ngx_str_set(&version, NGX_RTMP_ROUTE_VERSION);

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_name(&json, "code");
    ngx_rtmp_route_json_number(&json, 0);
    ngx_rtmp_route_json_name(&json, "server");
    ngx_rtmp_route_json_string(&json, &name);

    ngx_rtmp_route_json_name(&json, "data");
    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_name(&json, "major");
    ngx_rtmp_route_json_number(&json, NGX_RTMP_ROUTE_VERSION_MAJOR);
    ngx_rtmp_route_json_name(&json, "minor");
    ngx_rtmp_route_json_number(&json, NGX_RTMP_ROUTE_VERSION_MINOR);
    ngx_rtmp_route_json_name(&json, "revision");
    ngx_rtmp_route_json_number(&json, NGX_RTMP_ROUTE_VERSION_REVISION);
    ngx_rtmp_route_json_name(&json, "version");
    ngx_rtmp_route_json_string(&json, &version);
    ngx_rtmp_route_json_close(&json, '}');

    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


/* the versions of the API */

ngx_int_t
ngx_http_rtmp_route_api_get_index(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_rtmp_route_json_t  json;

    ngx_rtmp_route_json_init(&json, r->pool, 64);

    ngx_rtmp_route_json_open(&json, '[');
    ngx_rtmp_route_json_number(&json, 1);
    ngx_rtmp_route_json_close(&json, ']');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_get_root(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_str_t                             name;
    ngx_uint_t                            i;
    ngx_rtmp_route_json_t                 json;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_rtmp_route_api_module);

    ngx_str_set(&name, "routes");

    ngx_rtmp_route_json_init(&json, r->pool, 64);

    ngx_rtmp_route_json_open(&json, '[');
    ngx_rtmp_route_json_string(&json, &name);

    ngx_str_set(&name, "proxy");

    ngx_rtmp_route_json_string(&json, &name);

    for (i = 0; i < amcf->nsections; i++) {
        ngx_rtmp_route_json_string(&json, &amcf->sections[i]->name);
    }

    ngx_rtmp_route_json_close(&json, ']');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


/* all routes, or one */

ngx_int_t
ngx_http_rtmp_route_api_get_routes(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i, n, last, entries;
    ngx_rtmp_route_t                **routes;
    ngx_rtmp_route_json_t             json;
    ngx_rtmp_route_main_conf_t       *mcf;
    ngx_http_rtmp_route_api_page_t    page;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                        ngx_http_rtmp_route_api_fields_of);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_rtmp_route_json_init(&json, r->pool, 1024);

    if (ctx->route) {
        ngx_http_rtmp_route_api_route(&json, ctx->route, ctx->fields);

        return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
    }

    mcf = (ngx_rtmp_route_main_conf_t *)
              ngx_get_conf(ngx_cycle->conf_ctx, ngx_rtmp_route_module);

    n = mcf ? mcf->routes.nelts : 0;
    routes = mcf ? mcf->routes.elts : NULL;

    for (i = 0; i < n; i++) {
        ctx->instance = ctx->instance * 31
                        + ngx_crc32_short(routes[i]->name.data,
                                          routes[i]->name.len);
    }

    rc = ngx_http_rtmp_route_api_page(r, &page);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_rtmp_route_json_open(&json, ctx->fields ? '{' : '[');

    last = page.after;
    entries = 0;

    for (i = page.after; i < n; i++) {

        if (!routes[i]->defined) {
            continue;
        }

        if (page.limit && entries++ == page.limit) {

            if (ngx_http_rtmp_route_api_next(r, (uint32_t) last) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            break;
        }

        last = i + 1;

        if (ctx->fields == 0) {
            ngx_rtmp_route_json_string(&json, &routes[i]->name);
            continue;
        }

        ngx_rtmp_route_json_key(&json, &routes[i]->name);
        ngx_http_rtmp_route_api_route(&json, routes[i], ctx->fields);
    }

    ngx_rtmp_route_json_close(&json, ctx->fields ? '}' : ']');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


static void
ngx_http_rtmp_route_api_route(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_t *route, uint64_t fields)
{
    ngx_rtmp_route_table_stat_t       stat;
    ngx_http_rtmp_route_api_field_t  *field;

    ngx_rtmp_route_table_stat(&route->table, &stat);

    ngx_rtmp_route_json_open(json, '{');

    field = ngx_http_rtmp_route_api_fields_of;

    for ( /* void */ ; field->name.len; field++) {

        if (!(fields & ((uint64_t) 1 << field->number))
            || (field->number == route_core
                && (route->control == NULL || route->control->show == NULL)))
        {
            continue;
        }

        ngx_rtmp_route_json_key(json, &field->name);

        switch (field->number) {

        case route_zone:
            ngx_http_rtmp_route_api_zone(json, route, &stat);
            break;

        case route_key:
            ngx_rtmp_route_json_string(json,
                                   &ngx_http_rtmp_route_api_keys[route->key]);
            break;

        case route_secret:
            ngx_rtmp_route_json_bool(json, route->secret);
            break;

        case route_method:
            ngx_rtmp_route_json_string(json,
                             &ngx_http_rtmp_route_api_methods[route->method]);
            break;

        case route_unknown:
            ngx_rtmp_route_json_string(json,
                            &ngx_http_rtmp_route_api_unknown[route->unknown]);
            break;

        case route_inactive:
            ngx_rtmp_route_json_number(json, route->inactive);
            break;

        case route_register:
            ngx_rtmp_route_json_bool(json, route->reg != NULL);
            break;

        case route_servers:
            ngx_rtmp_route_json_number(json, stat.servers);
            break;

        case route_streams:
            ngx_rtmp_route_json_number(json, stat.streams);
            break;

        case route_sessions:
            ngx_rtmp_route_json_number(json, stat.sessions);
            break;

        case route_conns:
            ngx_rtmp_route_json_number(json, stat.conns);
            break;

        case route_queued:
            ngx_rtmp_route_json_number(json, stat.queued);
            break;

        case route_paths:
            ngx_rtmp_route_json_number(json, route->paths
                                             ? route->paths->nelts : 0);
            break;

        case route_core:
            route->control->show(route->control, json);
            break;
        }
    }

    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_rtmp_route_api_zone(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_t *route, ngx_rtmp_route_table_stat_t *stat)
{
    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "name");
    ngx_rtmp_route_json_string(json, &route->zone);
    ngx_rtmp_route_json_name(json, "size");
    ngx_rtmp_route_json_number(json, route->size);

    ngx_rtmp_route_json_name(json, "cells");
    ngx_rtmp_route_json_open(json, '{');
    ngx_rtmp_route_json_name(json, "used");
    ngx_rtmp_route_json_number(json, stat->cells_used);
    ngx_rtmp_route_json_name(json, "free");
    ngx_rtmp_route_json_number(json, stat->cells_total - stat->cells_used);
    ngx_rtmp_route_json_close(json, '}');

    ngx_rtmp_route_json_name(json, "evicted");
    ngx_rtmp_route_json_number(json, stat->evicted);
    ngx_rtmp_route_json_name(json, "full");
    ngx_rtmp_route_json_number(json, stat->full);
    ngx_rtmp_route_json_name(json, "rebuilt");
    ngx_rtmp_route_json_number(json, stat->rebuilt);

    ngx_rtmp_route_json_close(json, '}');
}


ngx_int_t
ngx_http_rtmp_route_api_get_server(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                        ngx_http_rtmp_route_api_server_fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_rtmp_route_api_send_server(r, ctx, NGX_HTTP_OK);
}


ngx_int_t
ngx_http_rtmp_route_api_get_stream(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                        ngx_http_rtmp_route_api_stream_fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_rtmp_route_api_send_stream(r, ctx, NGX_HTTP_OK);
}


ngx_int_t
ngx_http_rtmp_route_api_send_server(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t status)
{
    ngx_rtmp_route_json_t          json;
    ngx_rtmp_route_server_stat_t   stat;

    if (ngx_rtmp_route_server_get(&ctx->route->table, &ctx->item, &stat)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "ServerNotFound",
                                             "server not found");
    }

    ngx_rtmp_route_json_init(&json, r->pool, 2048);

    ngx_http_rtmp_route_api_server(&json, &stat, ctx->fields);

    return ngx_http_rtmp_route_api_send(r, status, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_send_stream(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t status)
{
    ngx_int_t                      rc;
    ngx_str_t                      key;
    ngx_rtmp_route_json_t          json;
    ngx_rtmp_route_stream_stat_t   stat;

    rc = ngx_http_rtmp_route_api_key(r, ctx, &ctx->item, &key);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_stream_get(&ctx->route->table, &key, &stat);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "StreamNotFound",
                                             "stream not found");
    }

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_http_rtmp_route_api_stream(&json, &stat, ctx);

    return ngx_http_rtmp_route_api_send(r, status, &json);
}


/* NGX_DECLINED: they are known; otherwise the request was answered */

ngx_int_t
ngx_http_rtmp_route_api_fields(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_http_rtmp_route_api_field_t *fields)
{
    return ngx_http_rtmp_route_api_wanted(r, fields, &ctx->fields);
}


/* whether the table is as its records say; the others wait for the lock */

ngx_int_t
ngx_http_rtmp_route_api_get_check(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_rtmp_route_json_t         json;
    ngx_rtmp_route_table_audit_t  audit;

    if (ngx_rtmp_route_table_audit(&ctx->route->table, &audit) == NGX_ABORT) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_rtmp_route_json_open(&json, '{');

    ngx_http_rtmp_route_api_fault(&json, audit.fault, audit.where);

    ngx_rtmp_route_json_name(&json, "servers");
    ngx_rtmp_route_json_number(&json, audit.stat.servers);
    ngx_rtmp_route_json_name(&json, "streams");
    ngx_rtmp_route_json_number(&json, audit.stat.streams);
    ngx_rtmp_route_json_name(&json, "sessions");
    ngx_rtmp_route_json_number(&json, audit.stat.sessions);
    ngx_rtmp_route_json_name(&json, "conns");
    ngx_rtmp_route_json_number(&json, audit.stat.conns);
    ngx_rtmp_route_json_name(&json, "waiters");
    ngx_rtmp_route_json_number(&json, audit.waiters);
    ngx_rtmp_route_json_name(&json, "cells");
    ngx_rtmp_route_json_number(&json, audit.stat.cells_used);
    ngx_rtmp_route_json_name(&json, "rebuilt");
    ngx_rtmp_route_json_number(&json, audit.stat.rebuilt);
    ngx_rtmp_route_json_name(&json, "held");
    ngx_rtmp_route_json_number(&json, audit.held);

    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}
