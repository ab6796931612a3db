
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
static ngx_int_t ngx_http_rtmp_route_unknown(ngx_http_rtmp_route_ctx_t *ctx,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer);
static ngx_int_t ngx_http_rtmp_route_suspend(ngx_http_request_t *r,
    ngx_http_rtmp_route_ctx_t *ctx);
static void ngx_http_rtmp_route_wait_handler(ngx_rtmp_route_wait_t *wait);
static void ngx_http_rtmp_route_timer_handler(ngx_event_t *ev);
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
    ngx_int_t                   rc;
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

    rc = ngx_http_rtmp_route_change_uri(r, ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return (rc == NGX_ABORT) ? NGX_HTTP_NOT_FOUND : NGX_DECLINED;
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
