
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Calls of the API that change the table: registrations, servers, pins, and
 * the one that lets the control plane do so.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_register.h"


#define NGX_HTTP_RTMP_ROUTE_API_LOG_INTERVAL  60


static ngx_rtmp_route_t *ngx_http_rtmp_route_api_register_route(
    ngx_str_t *name, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_register_challenge(
    ngx_http_request_t *r, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_register_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, json_t *body,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_listing_t *listing,
    ngx_rtmp_route_error_t *err);
static void ngx_http_rtmp_route_api_register_log(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_listing_t *listing);
static ngx_int_t ngx_http_rtmp_route_api_register_answer(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_api_server_body(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_rtmp_route_desc_t *desc,
    ngx_uint_t form, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_pin_server(ngx_http_request_t *r,
    ngx_str_t *body, ngx_str_t *server, ngx_rtmp_route_error_t *err);


/*
 * Who may not register is told so before a body is read.  NGX_DECLINED: go
 * on, otherwise the request was answered.
 */

ngx_int_t
ngx_http_rtmp_route_api_register_check(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_rtmp_route_error_t   err;

    rc = ngx_http_rtmp_route_api_arg(r, "route", &name);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->route = ngx_http_rtmp_route_api_register_route(&name, &err);

    if (ctx->route == NULL
        || ngx_rtmp_route_register_caller(ctx->route->reg,
                                          r->connection->sockaddr, &err)
           != NGX_OK
        || ngx_rtmp_route_register_secret(ctx->route->reg, &ctx->token,
                                          &ctx->digest, &err)
           != NGX_OK)
    {
        if (err.status == NGX_HTTP_UNAUTHORIZED) {
            return ngx_http_rtmp_route_api_register_challenge(r, &err);
        }

        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    return NGX_DECLINED;
}


/* the named route, or the first that takes registrations */

static ngx_rtmp_route_t *
ngx_http_rtmp_route_api_register_route(ngx_str_t *name,
    ngx_rtmp_route_error_t *err)
{
    ngx_uint_t                    i;
    ngx_rtmp_route_t             *route, **routes;
    ngx_rtmp_route_main_conf_t   *mcf;

    if (name->len) {
        route = ngx_rtmp_route_find(name);

        if (route == NULL) {
            (void) ngx_rtmp_route_error(err, NGX_HTTP_NOT_FOUND,
                                        "RouteNotFound", "route not found");
            return NULL;
        }

        if (route->reg) {
            return route;
        }

        goto disabled;
    }

    mcf = (ngx_rtmp_route_main_conf_t *)
              ngx_get_conf(ngx_cycle->conf_ctx, ngx_rtmp_route_module);

    if (mcf) {
        routes = mcf->routes.elts;

        for (i = 0; i < mcf->routes.nelts; i++) {
            if (routes[i]->defined && routes[i]->reg) {
                return routes[i];
            }
        }
    }

disabled:

    (void) ngx_rtmp_route_error(err, NGX_HTTP_FORBIDDEN,
                                "RegistrationDisabled",
                                "registration is disabled");

    return NULL;
}


static ngx_int_t
ngx_http_rtmp_route_api_register_challenge(ngx_http_request_t *r,
    ngx_rtmp_route_error_t *err)
{
    ngx_str_t  bearer;

    ngx_str_set(&bearer, "Bearer");

    if (ngx_http_rtmp_route_api_header(r, "WWW-Authenticate", &bearer)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rtmp_route_api_refuse(r, err);
}


ngx_int_t
ngx_http_rtmp_route_api_register(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    json_t                    *body;
    ngx_int_t                  rc;
    ngx_rtmp_route_desc_t      desc;
    ngx_rtmp_route_error_t     err;
    ngx_rtmp_route_listing_t   listing;

    body = ngx_rtmp_route_json_parse(&ctx->body, &err);

    if (body == NULL) {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    rc = ngx_http_rtmp_route_api_register_body(r, ctx, body, &desc, &listing,
                                               &err);

    json_decref(body);

    if (rc == NGX_DECLINED) {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    if (rc != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                             "InternalError",
                                             "internal error");
    }

    ngx_rtmp_route_count_registration(ctx->route, NGX_HTTP_OK);

    ngx_http_rtmp_route_api_register_log(r, ctx, &desc, &listing);

    return ngx_http_rtmp_route_api_register_answer(r);
}


static ngx_int_t
ngx_http_rtmp_route_api_register_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, json_t *body,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_listing_t *listing,
    ngx_rtmp_route_error_t *err)
{
    if (ngx_rtmp_route_desc_parse(desc, body, NGX_RTMP_ROUTE_DESC_REGISTER,
                                  err)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_rtmp_route_register_claim(ctx->route->reg, desc, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* of a caller on a unix domain socket there is no address */

    (void) ngx_rtmp_route_endpoint_from(r->connection->sockaddr,
                                        &desc->info.registrar);

    desc->info.token = ctx->digest;

    if (desc->leaves) {
        ngx_memzero(listing, sizeof(ngx_rtmp_route_listing_t));

        return ngx_rtmp_route_register_leave(ctx->route, desc, err);
    }

    if (ngx_rtmp_route_register_apply(ctx->route, desc, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_register_streams(ctx->route, desc, r->pool, listing);
}


static void
ngx_http_rtmp_route_api_register_log(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_listing_t *listing)
{
    ngx_str_t       id;

    static time_t   long_list, not_taken;

    id.data = desc->info.id;
    id.len = desc->info.id_len;

    if (desc->added) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "server \"%V\" registered in route \"%V\"",
                      &id, &ctx->route->name);
    }

    if (desc->left) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "server \"%V\" left route \"%V\"",
                      &id, &ctx->route->name);
    }

    /* a heartbeat comes each few seconds, once a minute is often enough */

    if (desc->too_many
        && ngx_time() - long_list >= NGX_HTTP_RTMP_ROUTE_API_LOG_INTERVAL)
    {
        long_list = ngx_time();

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "server \"%V\" lists more than %d streams, the list is "
                      "ignored", &id, NGX_RTMP_ROUTE_DESC_MAX_STREAM_LIST);
    }

    if ((listing->conflicts || listing->full || listing->invalid)
        && ngx_time() - not_taken >= NGX_HTTP_RTMP_ROUTE_API_LOG_INTERVAL)
    {
        not_taken = ngx_time();

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "server \"%V\" lists streams that were not taken: "
                      "%ui are elsewhere, %ui have invalid names, "
                      "for %ui there is no room", &id,
                      listing->conflicts, listing->invalid, listing->full);
    }
}


/* in this form to the byte: there are clients that compare it */

static ngx_int_t
ngx_http_rtmp_route_api_register_answer(ngx_http_request_t *r)
{
    u_char                 *p, buf[NGX_INT64_LEN];
    ngx_str_t               pid;
    ngx_rtmp_route_json_t   json;

    p = ngx_sprintf(buf, "%P", (ngx_process == NGX_PROCESS_SINGLE)
                               ? ngx_pid : ngx_parent);

    pid.data = buf;
    pid.len = p - buf;

    ngx_rtmp_route_json_init(&json, r->pool, 64);

    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_name(&json, "code");
    ngx_rtmp_route_json_number(&json, 0);
    ngx_rtmp_route_json_name(&json, "pid");
    ngx_rtmp_route_json_string(&json, &pid);
    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_server_create(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_str_t                        id;
    ngx_rtmp_route_desc_t            desc;
    ngx_rtmp_route_error_t           err;
    ngx_rtmp_route_server_params_t   params;

    if (ngx_http_rtmp_route_api_server_body(ctx, &desc,
                                            NGX_RTMP_ROUTE_DESC_CREATE, &err)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    ngx_rtmp_route_desc_defaults(&params);
    ngx_rtmp_route_desc_params(&desc, &params);

    rc = ngx_rtmp_route_server_create(&ctx->route->table, &desc.info, &params);

    if (rc == NGX_BUSY) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                             "ZoneFull",
                                             "no room in the zone");
    }

    if (rc != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_CONFLICT,
                                             "EntryExists",
                                             "a server with this id exists");
    }

    id.data = desc.info.id;
    id.len = desc.info.id_len;

    if (ngx_http_rtmp_route_api_location(r, &id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->item = id;
    ctx->fields = (uint64_t) -1;

    return ngx_http_rtmp_route_api_send_server(r, ctx, NGX_HTTP_CREATED);
}


static ngx_int_t
ngx_http_rtmp_route_api_server_body(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_rtmp_route_desc_t *desc, ngx_uint_t form, ngx_rtmp_route_error_t *err)
{
    json_t     *body;
    ngx_int_t   rc;

    body = ngx_rtmp_route_json_parse(&ctx->body, err);

    if (body == NULL) {
        return NGX_DECLINED;
    }

    /* nothing of the description points into the body but streams */

    rc = ngx_rtmp_route_desc_parse(desc, body, form, err);

    json_decref(body);

    return rc;
}


ngx_int_t
ngx_http_rtmp_route_api_server_update(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_rtmp_route_desc_t            desc;
    ngx_rtmp_route_error_t           err;
    ngx_rtmp_route_server_stat_t     stat;
    ngx_rtmp_route_server_params_t   params;

    if (ngx_http_rtmp_route_api_server_body(ctx, &desc,
                                            NGX_RTMP_ROUTE_DESC_UPDATE, &err)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    if (ngx_rtmp_route_server_get(&ctx->route->table, &ctx->item, &stat)
        == NGX_OK)
    {
        params = stat.params;
        ngx_rtmp_route_desc_params(&desc, &params);

        (void) ngx_rtmp_route_server_update(&ctx->route->table, &ctx->item,
                                            &stat.params, &params);
    }

    ctx->fields = (uint64_t) -1;

    /* if it has gone meanwhile, this says so */

    return ngx_http_rtmp_route_api_send_server(r, ctx, NGX_HTTP_OK);
}


ngx_int_t
ngx_http_rtmp_route_api_server_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    if (ngx_rtmp_route_server_delete(&ctx->route->table, &ctx->item)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "ServerNotFound",
                                             "server not found");
    }

    /* those that remain */

    ctx->resource = NGX_HTTP_RTMP_ROUTE_API_SERVERS;

    return ngx_http_rtmp_route_api_get_list(r, ctx);
}


ngx_int_t
ngx_http_rtmp_route_api_stream_pin(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_str_t                      key, server;
    ngx_uint_t                     known;
    ngx_rtmp_route_error_t         err;
    ngx_rtmp_route_stream_stat_t   stat;

    rc = ngx_http_rtmp_route_api_pin_server(r, &ctx->body, &server, &err);

    if (rc == NGX_DECLINED) {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rtmp_route_api_key(r, ctx, &ctx->item, &key);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "StreamInvalid",
                                             "this is no name of a stream");
    }

    known = (ngx_rtmp_route_stream_get(&ctx->route->table, &key, &stat)
             == NGX_OK);

    rc = ngx_rtmp_route_stream_set(&ctx->route->table, &key, &server,
                                   NGX_RTMP_ROUTE_FROM_PIN);

    switch (rc) {

    case NGX_OK:
    case NGX_DONE:
        break;

    case NGX_BUSY:
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                             "ZoneFull",
                                             "no room in the zone");

    default: /* NGX_DECLINED */
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "ServerNotFound",
                                             "server not found");
    }

    ctx->fields = (uint64_t) -1;

    return ngx_http_rtmp_route_api_send_stream(r, ctx,
                                               known ? NGX_HTTP_OK
                                                     : NGX_HTTP_CREATED);
}


/* {"server":"id"} */

static ngx_int_t
ngx_http_rtmp_route_api_pin_server(ngx_http_request_t *r, ngx_str_t *body,
    ngx_str_t *server, ngx_rtmp_route_error_t *err)
{
    json_t      *json, *id;
    ngx_int_t    rc;
    ngx_str_t    text;

    json = ngx_rtmp_route_json_parse(body, err);

    if (json == NULL) {
        return NGX_DECLINED;
    }

    id = json_object_get(json, "server");

    if (json_string_length(id) == 0) {
        rc = ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                  "\"server\" must be the id of a server");

    } else if (json_object_size(json) != 1) {
        rc = ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                  "there is a field beside \"server\"");

    } else {
        text.data = (u_char *) json_string_value(id);
        text.len = json_string_length(id);

        server->len = text.len;
        server->data = ngx_pstrdup(r->pool, &text);

        rc = server->data ? NGX_OK : NGX_ERROR;
    }

    json_decref(json);

    return rc;
}


ngx_int_t
ngx_http_rtmp_route_api_stream_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  key;

    rc = ngx_http_rtmp_route_api_key(r, ctx, &ctx->item, &key);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_stream_delete(&ctx->route->table, &key);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "StreamNotFound",
                                             "stream not found");
    }

    return ngx_http_rtmp_route_api_no_content(r);
}


/* it is done later, so that is no answer to wait for */

ngx_int_t
ngx_http_rtmp_route_api_refresh(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    if (ngx_rtmp_route_refresh(ctx->route) != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_CONFLICT,
                                             "NoControlPlane",
                                             "the route has no control plane "
                                             "to ask");
    }

    return ngx_http_rtmp_route_api_no_content(r);
}
