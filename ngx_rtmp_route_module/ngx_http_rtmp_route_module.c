
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_rtmp_route_table.h"


static ngx_int_t ngx_http_rtmp_route_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_inherit(ngx_http_request_t *r,
    ngx_rtmp_route_t *route);
static ngx_int_t ngx_http_rtmp_route_lookup(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx, ngx_uint_t protocol);
static void ngx_http_rtmp_route_restore_uri(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_change_uri(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_unknown(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer);
static ngx_int_t ngx_http_rtmp_route_suspend(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx);
static void ngx_http_rtmp_route_wait_handler(ngx_rtmp_route_wait_t *wait);
static void ngx_http_rtmp_route_timer_handler(ngx_event_t *ev);
static void ngx_http_rtmp_route_cancel(void *data);
static void ngx_http_rtmp_route_cleanup(void *data);
static void ngx_http_rtmp_route_copy_ctx(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_http_rtmp_route_ctx_t *octx);
static ngx_int_t ngx_http_rtmp_route_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rtmp_route_scheme_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rtmp_route_add_variables(ngx_conf_t *cf);
static void *ngx_http_rtmp_route_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_rtmp_route_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_rtmp_route_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_rtmp_route_location(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_rtmp_route_init(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_http_rtmp_route_protocols[] = {
    { ngx_string("http"), NGX_RTMP_ROUTE_HTTP },
    { ngx_string("https"), NGX_RTMP_ROUTE_HTTPS },
    { ngx_string("rtmp"), NGX_RTMP_ROUTE_RTMP },
    { ngx_string("rtmps"), NGX_RTMP_ROUTE_RTMPS },
    { ngx_string("api"), NGX_RTMP_ROUTE_API },
    { ngx_string("srt"), NGX_RTMP_ROUTE_SRT },
    { ngx_string("rtc"), NGX_RTMP_ROUTE_RTC },
    { ngx_null_string, 0 }
};


static ngx_str_t  ngx_http_rtmp_route_second = ngx_string("1");


static ngx_command_t  ngx_http_rtmp_route_commands[] = {

    { ngx_string("rtmp_route"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE12,
      ngx_http_rtmp_route_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rtmp_route"),
      NGX_HTTP_UPS_CONF|NGX_CONF_TAKE23,
      ngx_http_rtmp_route_upstream,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rtmp_route_module_ctx = {
    ngx_http_rtmp_route_add_variables,     /* preconfiguration */
    ngx_http_rtmp_route_init,              /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_rtmp_route_create_srv_conf,   /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_rtmp_route_create_loc_conf,   /* create location configuration */
    ngx_http_rtmp_route_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_rtmp_route_module = {
    NGX_MODULE_V1,
    &ngx_http_rtmp_route_module_ctx,       /* module context */
    ngx_http_rtmp_route_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* no value is cached: subrequests share the values of their parent */

static ngx_http_variable_t  ngx_http_rtmp_route_vars[] = {

    { ngx_string("rtmp_route_server"), NULL, ngx_http_rtmp_route_variable,
      offsetof(ngx_http_rtmp_route_ctx_t, server),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_route_host"), NULL, ngx_http_rtmp_route_variable,
      offsetof(ngx_http_rtmp_route_ctx_t, host),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_route_scheme"), NULL,
      ngx_http_rtmp_route_scheme_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_rtmp_route_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_http_rtmp_route_ctx_t       *ctx;
    ngx_http_rtmp_route_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_module);

    if (rlcf->route == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_module);

    if (ctx && ctx->only) {
        return NGX_DECLINED;
    }

    if (ctx == NULL) {
        rc = ngx_http_rtmp_route_inherit(r, rlcf->route);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    if (ctx == NULL || !ctx->waited || ctx->found) {

        ngx_http_rtmp_route_restore_uri(r);

        ctx = ngx_http_rtmp_route_create_ctx(r, rlcf->route);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_rtmp_route_keys(r, rlcf->route, &ctx->keys);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc == NGX_DECLINED) {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    rc = ngx_http_rtmp_route_lookup(r, ctx, rlcf->protocol);

    switch (rc) {

    case NGX_OK:
        return (ngx_http_rtmp_route_change_uri(r, ctx) == NGX_ERROR)
               ? NGX_HTTP_INTERNAL_SERVER_ERROR : NGX_DECLINED;

    case NGX_AGAIN:
        return ngx_http_rtmp_route_suspend(r, ctx);

    case NGX_DECLINED:
        return NGX_HTTP_NOT_FOUND;

    case NGX_BUSY:

        if (ctx->unsure) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "nobody can tell where the stream is in route "
                          "\"%V\"", ngx_rtmp_route_name(rlcf->route));

        } else {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          ctx->full ? "no server has room in route \"%V\""
                                    : "no live servers in route \"%V\"",
                          ngx_rtmp_route_name(rlcf->route));
        }

        if (ngx_http_rtmp_route_add_header(r, "Retry-After",
                                           &ngx_http_rtmp_route_second)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_SERVICE_UNAVAILABLE;

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* NGX_AGAIN: nobody has said which server to ask */

static ngx_int_t
ngx_http_rtmp_route_inherit(ngx_http_request_t *r, ngx_rtmp_route_t *route)
{
    ngx_http_rtmp_route_ctx_t  *ctx, *octx;

    octx = ngx_http_rtmp_route_get_ctx(r);

    if (octx == NULL
        || octx->request == r
        || octx->route != route
        || !octx->only)
    {
        return NGX_AGAIN;
    }

    ctx = ngx_http_rtmp_route_create_ctx(r, route);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_rtmp_route_copy_ctx(ctx, octx);

    return (ngx_http_rtmp_route_change_uri(r, ctx) == NGX_ERROR)
           ? NGX_HTTP_INTERNAL_SERVER_ERROR : NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_lookup(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx, ngx_uint_t protocol)
{
    ngx_int_t               rc;
    ngx_rtmp_route_peer_t   peer;
    ngx_rtmp_route_query_t  query;

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.op = NGX_RTMP_ROUTE_FETCH;
    query.peek = 1;
    query.protocol = protocol;
    query.alternative = (protocol == NGX_RTMP_ROUTE_HTTP)
                        ? NGX_RTMP_ROUTE_HTTPS : NGX_RTMP_ROUTE_NONE;

    query.late = ctx->timedout;

    rc = ngx_http_rtmp_route_known(ctx->route, &ctx->keys, &query, &peer);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_rtmp_route_unknown(ctx, &query, &peer);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "rtmp route look-up: %i, key \"%V\"", rc, &query.key);

    ctx->unsure = query.unsure;
    ctx->full = query.full;

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_rtmp_route_choose(r, ctx, &peer) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->key = query.key;
    ctx->found = 1;

    ngx_http_rtmp_route_cancel(ctx);

    return NGX_OK;
}


/* a redirect may lead here with what the server was asked for */

static void
ngx_http_rtmp_route_restore_uri(ngx_http_request_t *r)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_get_ctx(r);

    if (ctx && ctx->request == r
        && ctx->changed.len && ctx->changed.data == r->uri.data)
    {
        r->uri = ctx->uri;
    }
}


/* as "rewrite ... break" would, for the location stays */

static ngx_int_t
ngx_http_rtmp_route_change_uri(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  uri;

    uri = r->uri;

    rc = ngx_rtmp_route_uri(ctx->route, r->pool, &uri);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "rtmp route uri: \"%V\" is \"%V\"", &r->uri, &uri);

    ctx->uri = r->uri;
    ctx->changed = uri;

    r->uri = uri;
    r->quoted_uri = 1;
    r->valid_unparsed_uri = 0;
    r->valid_location = 0;

    return NGX_OK;
}


/*
 * A control plane is asked for the most likely name first, and for the others
 * if there is no such stream
 */

static ngx_int_t
ngx_http_rtmp_route_unknown(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_rtmp_route_keys_t  *keys;

    keys = &ctx->keys;

    rc = ngx_rtmp_route_pick(ctx->route, query, peer);

    for (i = keys->n; rc == NGX_DECLINED && i--; /* void */ ) {

        if (i == keys->fallback || keys->key[i].len == 0) {
            continue;
        }

        query->key = keys->key[i];

        rc = ngx_rtmp_route_pick(ctx->route, query, peer);
    }

    return rc;
}


static ngx_int_t
ngx_http_rtmp_route_suspend(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx)
{
    ngx_http_cleanup_t  *cln;

    if (!ctx->waited) {

        /* this one runs as soon as the client is gone, the pool's at the end */

        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cln->handler = ngx_http_rtmp_route_cancel;
        cln->data = ctx;

        ctx->wait.route = ctx->route;
        ctx->wait.handler = ngx_http_rtmp_route_wait_handler;
        ctx->wait.data = ctx;

        ctx->timer.handler = ngx_http_rtmp_route_timer_handler;
        ctx->timer.data = ctx;
        ctx->timer.log = r->connection->log;

        ngx_add_timer(&ctx->timer, ngx_rtmp_route_wait_time(ctx->route));

        ctx->waited = 1;
    }

    if (ngx_http_rtmp_route_hold(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->waiting = 1;
    ngx_rtmp_route_wait(&ctx->wait);

    return NGX_AGAIN;
}


static void
ngx_http_rtmp_route_wait_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_http_rtmp_route_ctx_t *ctx = wait->data;

    ctx->waiting = 0;

    ngx_http_rtmp_route_go_on(ctx->request);
}


static void
ngx_http_rtmp_route_timer_handler(ngx_event_t *ev)
{
    ngx_http_rtmp_route_ctx_t *ctx = ev->data;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ev->log, 0,
                   "rtmp route look-up timed out");

    if (ctx->waiting) {
        ctx->waiting = 0;
        ngx_rtmp_route_wait_cancel(&ctx->wait);
    }

    ctx->timedout = 1;

    ngx_http_rtmp_route_go_on(ctx->request);
}


static void
ngx_http_rtmp_route_cancel(void *data)
{
    ngx_http_rtmp_route_ctx_t *ctx = data;

    if (ctx->waiting) {
        ctx->waiting = 0;
        ngx_rtmp_route_wait_cancel(&ctx->wait);
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static void
ngx_http_rtmp_route_cleanup(void *data)
{
    ngx_http_rtmp_route_cancel(data);
}


ngx_int_t
ngx_http_rtmp_route_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value = *value;

    return NGX_OK;
}


ngx_http_rtmp_route_ctx_t *
ngx_http_rtmp_route_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_rtmp_route_ctx_t  *ctx;

    for ( /* void */ ; r; r = r->parent) {

        ctx = ngx_http_get_module_ctx(r, ngx_http_rtmp_route_module);

        if (ctx) {
            return ctx;
        }

        if (!r->internal && !r->filter_finalize) {
            continue;
        }

        /* the last one comes first; subrequests use the same pool */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {

            if (cln->handler != ngx_http_rtmp_route_cleanup) {
                continue;
            }

            ctx = cln->data;

            if (ctx->request == r) {
                return ctx;
            }
        }
    }

    return NULL;
}


ngx_http_rtmp_route_ctx_t *
ngx_http_rtmp_route_create_ctx(ngx_http_request_t *r, ngx_rtmp_route_t *route)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_rtmp_route_ctx_t  *ctx, *octx;

    octx = ngx_http_rtmp_route_get_ctx(r);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_rtmp_route_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_rtmp_route_ctx_t));

    ctx->request = r;
    ctx->route = route;
    ctx->timeout = octx ? octx->timeout : 0;
    ctx->quiet = octx ? octx->quiet : 0;

    cln->handler = ngx_http_rtmp_route_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_rtmp_route_module);

    return ctx;
}


ngx_int_t
ngx_http_rtmp_route_choose(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx, ngx_rtmp_route_peer_t *peer)
{
    ctx->protocol = peer->protocol;
    ctx->ref = peer->server;

    if (!ctx->only) {
        ctx->told = (peer->source > NGX_RTMP_ROUTE_FROM_PICK);
    }

    if (ctx->chosen
        && ctx->server.len == peer->id.len
        && ngx_memcmp(ctx->server.data, peer->id.data, peer->id.len) == 0)
    {
        return NGX_OK;
    }

    ctx->chosen = 0;

    ctx->server.len = peer->id.len;
    ctx->server.data = ngx_pstrdup(r->pool, &peer->id);
    if (ctx->server.data == NULL) {
        return NGX_ERROR;
    }

    ctx->host.len = peer->host.len;
    ctx->host.data = ngx_pstrdup(r->pool, &peer->host);
    if (ctx->host.data == NULL) {
        return NGX_ERROR;
    }

    ctx->chosen = 1;

    return NGX_OK;
}


ngx_http_rtmp_route_ctx_t *
ngx_http_rtmp_route_answered_by(ngx_http_request_t *r, ngx_rtmp_route_t *route)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    if (r->upstream == NULL) {
        return NULL;
    }

    ctx = ngx_http_rtmp_route_get_ctx(r);

    if (ctx == NULL
        || ctx->request != r
        || ctx->upstream != r->upstream
        || (route && ctx->route != route))
    {
        return NULL;
    }

    return ctx;
}


ngx_int_t
ngx_http_rtmp_route_again(ngx_http_request_t *r, ngx_http_request_t *answered)
{
    ngx_http_rtmp_route_ctx_t  *ctx, *octx;

    octx = ngx_http_rtmp_route_answered_by(answered, NULL);

    if (octx == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_rtmp_route_create_ctx(r, octx->route);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_rtmp_route_copy_ctx(ctx, octx);

    ctx->only = 1;

    return NGX_OK;
}


static void
ngx_http_rtmp_route_copy_ctx(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_http_rtmp_route_ctx_t *octx)
{
    ctx->key = octx->key;
    ctx->found = octx->found;
    ctx->chosen = octx->chosen;
    ctx->server = octx->server;
    ctx->host = octx->host;
    ctx->protocol = octx->protocol;
    ctx->ref = octx->ref;
    ctx->only = octx->only;
    ctx->told = octx->told;
}


ngx_int_t
ngx_http_rtmp_route_ask(ngx_http_request_t *r, ngx_rtmp_route_t *route,
    ngx_msec_t timeout, ngx_uint_t quiet, ngx_str_t *key,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_create_ctx(r, route);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->timeout = timeout;
    ctx->quiet = quiet ? 1 : 0;

    if (peer == NULL) {
        return NGX_OK;
    }

    if (ngx_http_rtmp_route_choose(r, ctx, peer) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->key.len = key->len;
    ctx->key.data = ngx_pstrdup(r->pool, key);
    if (ctx->key.data == NULL) {
        return NGX_ERROR;
    }

    ctx->found = 1;
    ctx->only = 1;

    return NGX_OK;
}


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


ngx_int_t
ngx_http_rtmp_route_known(ngx_rtmp_route_t *route,
    ngx_http_rtmp_route_keys_t *keys, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    query->lookup = 1;

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


ngx_uint_t
ngx_http_rtmp_route_protocol(ngx_str_t *name)
{
    ngx_conf_enum_t  *e;

    for (e = ngx_http_rtmp_route_protocols; e->name.len; e++) {

        if (e->name.len == name->len
            && ngx_strncmp(e->name.data, name->data, name->len) == 0)
        {
            return e->value;
        }
    }

    return NGX_RTMP_ROUTE_NONE;
}


static ngx_int_t
ngx_http_rtmp_route_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  *value;
    ngx_http_rtmp_route_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_get_ctx(r);

    if (ctx == NULL || !ctx->chosen) {
        v->not_found = 1;
        return NGX_OK;
    }

    value = (ngx_str_t *) ((char *) ctx + data);

    v->len = value->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_scheme_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_rtmp_route_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_get_ctx(r);

    if (ctx == NULL || !ctx->chosen) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = (ctx->protocol == NGX_RTMP_ROUTE_HTTPS) ? 5 : 4;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) "https";

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_rtmp_route_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_rtmp_route_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_rtmp_route_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rtmp_route_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->route = NULL;
     *     conf->protocol = 0;
     *     conf->key = NULL;
     */

    return conf;
}


static void *
ngx_http_rtmp_route_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_rtmp_route_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_rtmp_route_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->route = NGX_CONF_UNSET_PTR;
    conf->protocol = NGX_CONF_UNSET_UINT;
    conf->suffixes = NULL;

    return conf;
}


static char *
ngx_http_rtmp_route_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_rtmp_route_loc_conf_t *prev = parent;
    ngx_http_rtmp_route_loc_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->route, prev->route, NULL);
    ngx_conf_merge_uint_value(conf->protocol, prev->protocol,
                              NGX_RTMP_ROUTE_HTTP);

    return NGX_CONF_OK;
}


static char *
ngx_http_rtmp_route_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rtmp_route_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->route != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->route = NULL;
        return NGX_CONF_OK;
    }

    rlcf->protocol = NGX_RTMP_ROUTE_HTTP;

    if (cf->args->nelts == 3) {

        rlcf->protocol = ngx_http_rtmp_route_protocol(&value[2]);

        if (rlcf->protocol == NGX_RTMP_ROUTE_NONE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid protocol \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    rlcf->route = ngx_rtmp_route_add(cf, &value[1]);
    if (rlcf->route == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_rtmp_route_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_rtmp_route_handler;

    return NGX_OK;
}
