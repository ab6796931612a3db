
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_key.h"


#define NGX_HTTP_RTMP_ROUTE_API_REGISTER_BODY  1048576

#define NGX_HTTP_RTMP_ROUTE_API_GET_LIST                                      \
    (NGX_HTTP_RTMP_ROUTE_API_SERVERS|NGX_HTTP_RTMP_ROUTE_API_STREAMS          \
     |NGX_HTTP_RTMP_ROUTE_API_SESSIONS|NGX_HTTP_RTMP_ROUTE_API_SESSION        \
     |NGX_HTTP_RTMP_ROUTE_API_BANS)


/* what may be done with what; a write is refused unless write=on */

typedef struct {
    ngx_uint_t                     resources;
    ngx_uint_t                     method;
    ngx_uint_t                     write;
    size_t                         limit;     /* 0: a body is ignored */
    ngx_http_rtmp_route_api_pt     check;     /* before a body is read */
    ngx_http_rtmp_route_api_pt     handler;
} ngx_http_rtmp_route_api_op_t;


static ngx_int_t ngx_http_rtmp_route_api_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_api_call(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static const char *ngx_http_rtmp_route_api_known(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_http_rtmp_route_api_op_t *ngx_http_rtmp_route_api_op(
    ngx_http_request_t *r, ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_int_t ngx_http_rtmp_route_api_method(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_op_t *op);
static ngx_int_t ngx_http_rtmp_route_api_uri(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_uint_t ngx_http_rtmp_route_api_path(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *path, ngx_str_t *route);
static ngx_uint_t ngx_http_rtmp_route_api_added(
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *path, ngx_str_t *name);
static void ngx_http_rtmp_route_api_part(ngx_str_t *path, ngx_str_t *part);
static ngx_uint_t ngx_http_rtmp_route_api_is(ngx_str_t *part,
    const char *word);

static void *ngx_http_rtmp_route_api_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_rtmp_route_api_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_rtmp_route_api_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_rtmp_route_api_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_rtmp_route_api_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_rtmp_route_api_init(ngx_conf_t *cf);


static ngx_http_rtmp_route_api_op_t  ngx_http_rtmp_route_api_ops[] = {

    { NGX_HTTP_RTMP_ROUTE_API_SRS, NGX_HTTP_POST, 0,
      NGX_HTTP_RTMP_ROUTE_API_REGISTER_BODY,
      ngx_http_rtmp_route_api_register_check,
      ngx_http_rtmp_route_api_register },

    { NGX_HTTP_RTMP_ROUTE_API_VERSIONS, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_versions },

    { NGX_HTTP_RTMP_ROUTE_API_INDEX, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_index },

    { NGX_HTTP_RTMP_ROUTE_API_ROOT, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_root },

    { NGX_HTTP_RTMP_ROUTE_API_PROXY, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_proxy },

    { NGX_HTTP_RTMP_ROUTE_API_PROXY, NGX_HTTP_PATCH, 1,
      NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY, NULL,
      ngx_http_rtmp_route_api_proxy_update },

    { NGX_HTTP_RTMP_ROUTE_API_ROUTES|NGX_HTTP_RTMP_ROUTE_API_ROUTE,
      NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_routes },

    { NGX_HTTP_RTMP_ROUTE_API_GET_LIST, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_list },

    { NGX_HTTP_RTMP_ROUTE_API_SERVER, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_server },

    { NGX_HTTP_RTMP_ROUTE_API_STREAM, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_stream },

    { NGX_HTTP_RTMP_ROUTE_API_SERVERS, NGX_HTTP_POST, 1,
      NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY, NULL,
      ngx_http_rtmp_route_api_server_create },

    { NGX_HTTP_RTMP_ROUTE_API_SERVER, NGX_HTTP_PATCH, 1,
      NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY, NULL,
      ngx_http_rtmp_route_api_server_update },

    { NGX_HTTP_RTMP_ROUTE_API_SERVER, NGX_HTTP_DELETE, 1, 0, NULL,
      ngx_http_rtmp_route_api_server_delete },

    { NGX_HTTP_RTMP_ROUTE_API_STREAM, NGX_HTTP_PUT, 1,
      NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY, NULL,
      ngx_http_rtmp_route_api_stream_pin },

    { NGX_HTTP_RTMP_ROUTE_API_STREAM, NGX_HTTP_DELETE, 1, 0, NULL,
      ngx_http_rtmp_route_api_stream_delete },

    { NGX_HTTP_RTMP_ROUTE_API_SESSION, NGX_HTTP_DELETE, 1, 0, NULL,
      ngx_http_rtmp_route_api_session_delete },

    { NGX_HTTP_RTMP_ROUTE_API_BANS, NGX_HTTP_POST, 1,
      NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY, NULL,
      ngx_http_rtmp_route_api_ban_create },

    { NGX_HTTP_RTMP_ROUTE_API_BANS, NGX_HTTP_DELETE, 1, 0, NULL,
      ngx_http_rtmp_route_api_bans_delete },

    { NGX_HTTP_RTMP_ROUTE_API_BAN, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_ban },

    { NGX_HTTP_RTMP_ROUTE_API_BAN, NGX_HTTP_DELETE, 1, 0, NULL,
      ngx_http_rtmp_route_api_ban_delete },

    { NGX_HTTP_RTMP_ROUTE_API_REFRESH, NGX_HTTP_POST, 1, 0, NULL,
      ngx_http_rtmp_route_api_refresh },

    { NGX_HTTP_RTMP_ROUTE_API_CHECK, NGX_HTTP_GET|NGX_HTTP_HEAD, 1, 0,
      NULL, ngx_http_rtmp_route_api_get_check },

    { NGX_HTTP_RTMP_ROUTE_API_LOOKUP, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_lookup },

    { NGX_HTTP_RTMP_ROUTE_API_ACCESS, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_access },

    { NGX_HTTP_RTMP_ROUTE_API_ACCESS, NGX_HTTP_POST, 1,
      NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY, NULL,
      ngx_http_rtmp_route_api_rule_create },

    { NGX_HTTP_RTMP_ROUTE_API_RULE, NGX_HTTP_GET|NGX_HTTP_HEAD, 0, 0,
      NULL, ngx_http_rtmp_route_api_get_rule },

    { NGX_HTTP_RTMP_ROUTE_API_RULE, NGX_HTTP_DELETE, 1, 0, NULL,
      ngx_http_rtmp_route_api_rule_delete },

    { 0, 0, 0, 0, NULL, NULL }
};


/* arguments of calls that change something; of the others there are none */

static struct {
    ngx_uint_t                     resources;
    ngx_uint_t                     method;
    const char                    *args;
} ngx_http_rtmp_route_api_known_args[] = {

    { NGX_HTTP_RTMP_ROUTE_API_SERVER|NGX_HTTP_RTMP_ROUTE_API_RULE,
      NGX_HTTP_DELETE, "fields limit after" },

    { NGX_HTTP_RTMP_ROUTE_API_SESSION, NGX_HTTP_DELETE, "ban" },

    { 0, 0, NULL }
};


static ngx_command_t  ngx_http_rtmp_route_api_commands[] = {

    { ngx_string("rtmp_route_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_rtmp_route_api_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rtmp_route_api_module_ctx = {
    NULL,                                    /* preconfiguration */
    ngx_http_rtmp_route_api_init,            /* postconfiguration */

    ngx_http_rtmp_route_api_create_main_conf,/* create main configuration */
    NULL,                                    /* init main configuration */

    ngx_http_rtmp_route_api_create_srv_conf, /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_rtmp_route_api_create_loc_conf, /* create location configuration */
    ngx_http_rtmp_route_api_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_rtmp_route_api_module = {
    NGX_MODULE_V1,
    &ngx_http_rtmp_route_api_module_ctx,     /* module context */
    ngx_http_rtmp_route_api_commands,        /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    NULL,                                    /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    NULL,                                    /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_rtmp_route_api_handler(ngx_http_request_t *r)
{
    ngx_http_rtmp_route_api_ctx_t  *ctx;

    ctx = ngx_http_rtmp_route_api_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rtmp_route_api_end(r,
                                       ngx_http_rtmp_route_api_call(r, ctx));
}


static ngx_int_t
ngx_http_rtmp_route_api_call(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                            rc;
    ngx_http_rtmp_route_api_op_t        *op;
    ngx_http_rtmp_route_api_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_api_module);

    rc = ngx_http_rtmp_route_api_uri(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "PathNotFound",
                                             "path not found");
    }

    if (rc != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "RouteNotFound",
                                             "route not found");
    }

    if (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_SECTION) {
        return ngx_http_rtmp_route_api_section(r, ctx);
    }

    op = ngx_http_rtmp_route_api_op(r, ctx);

    if (op == NULL || (op->write && !alcf->write)) {
        return ngx_http_rtmp_route_api_method(r, ctx, op);
    }

    ctx->hide = 0;

    if (!alcf->names && ctx->route && !ctx->route->secret) {
        ctx->hide = (ctx->route->key == NGX_RTMP_ROUTE_KEY_STREAM) ? 1
                    : (ctx->route->key == NGX_RTMP_ROUTE_KEY_VHOST) ? 3 : 2;
    }

    if (op->write && !(op->method & NGX_HTTP_GET)) {
        rc = ngx_http_rtmp_route_api_args(r,
                                      ngx_http_rtmp_route_api_known(r, ctx));

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (op->check) {
        rc = op->check(r, ctx);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (op->limit) {
        ctx->limit = op->limit;
        ctx->body_handler = op->handler;

        return ngx_http_rtmp_route_api_body(r, ctx);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return op->handler(r, ctx);
}


static const char *
ngx_http_rtmp_route_api_known(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_rtmp_route_api_known_args[i].resources; i++) {

        if ((ngx_http_rtmp_route_api_known_args[i].resources & ctx->resource)
            && (ngx_http_rtmp_route_api_known_args[i].method & r->method))
        {
            return ngx_http_rtmp_route_api_known_args[i].args;
        }
    }

    return "";
}


static ngx_http_rtmp_route_api_op_t *
ngx_http_rtmp_route_api_op(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_http_rtmp_route_api_op_t  *op;

    for (op = ngx_http_rtmp_route_api_ops; op->resources; op++) {
        if ((op->resources & ctx->resource) && (op->method & r->method)) {
            return op;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_rtmp_route_api_method(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_op_t *op)
{
    ngx_uint_t                           methods;
    ngx_http_rtmp_route_api_op_t        *o;
    ngx_http_rtmp_route_api_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_api_module);

    methods = 0;

    for (o = ngx_http_rtmp_route_api_ops; o->resources; o++) {
        if ((o->resources & ctx->resource) && (!o->write || alcf->write)) {
            methods |= o->method;
        }
    }

    return ngx_http_rtmp_route_api_allow(r, methods, op != NULL);
}


/*
 * What follows the first "/1/" or "/v1/" counts, wherever the location stands,
 * unless nothing known follows: it is a part of the location then.  NGX_OK,
 * NGX_DECLINED: no such path, NGX_ABORT: no such route.
 */

static ngx_int_t
ngx_http_rtmp_route_api_uri(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    u_char                    *p, *last;
    size_t                     n;
    ngx_str_t                  path, route, name;
    ngx_http_core_loc_conf_t  *clcf;

    ctx->resource = NGX_HTTP_RTMP_ROUTE_API_NONE;
    ctx->route = NULL;

    last = r->uri.data + r->uri.len;

    for (p = r->uri.data; p < last; p++) {

        n = last - p;

        if (n >= 2 && ngx_memcmp(p, "/1", 2) == 0) {
            path.data = p + 2;

        } else if (n >= 3 && ngx_memcmp(p, "/v1", 3) == 0) {
            path.data = p + 3;

        } else {
            continue;
        }

        path.len = last - path.data;

        if (path.len && path.data[0] != '/') {
            continue;
        }

        ctx->resource = ngx_http_rtmp_route_api_path(ctx, &path, &route);

        if (ctx->resource == NGX_HTTP_RTMP_ROUTE_API_NONE) {
            continue;
        }

        if (route.len) {
            ctx->route = ngx_rtmp_route_find(&route);

            if (ctx->route == NULL) {
                return NGX_ABORT;
            }
        }

        return NGX_OK;
    }

    /* the location itself */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    name = clcf->name;
    path = r->uri;

    if (name.len && name.data[name.len - 1] == '/') {
        name.len--;
    }

    if (path.len && path.data[path.len - 1] == '/') {
        path.len--;
    }

    if (path.len == name.len
        && ngx_memcmp(path.data, name.data, name.len) == 0)
    {
        ctx->resource = NGX_HTTP_RTMP_ROUTE_API_INDEX;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_rtmp_route_api_path(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_str_t *path, ngx_str_t *route)
{
    ngx_str_t   part;
    ngx_uint_t  collection, entry;

    ngx_str_null(route);

    ngx_http_rtmp_route_api_part(path, &part);

    if (part.len == 0) {
        return NGX_HTTP_RTMP_ROUTE_API_ROOT;
    }

    if (ngx_http_rtmp_route_api_is(&part, "versions") && path->len == 0) {
        return NGX_HTTP_RTMP_ROUTE_API_VERSIONS;
    }

    if (ngx_http_rtmp_route_api_is(&part, "proxy") && path->len == 0) {
        return NGX_HTTP_RTMP_ROUTE_API_PROXY;
    }

    if (ngx_http_rtmp_route_api_is(&part, "srs")) {
        ngx_http_rtmp_route_api_part(path, &part);

        return (ngx_http_rtmp_route_api_is(&part, "register")
                && (path->len == 0
                    || ngx_strlchr(path->data, path->data + path->len, '=')))
               ? NGX_HTTP_RTMP_ROUTE_API_SRS : NGX_HTTP_RTMP_ROUTE_API_NONE;
    }

    if (!ngx_http_rtmp_route_api_is(&part, "routes")) {
        return ngx_http_rtmp_route_api_added(ctx, path, &part);
    }

    ngx_http_rtmp_route_api_part(path, route);

    if (route->len == 0) {
        return NGX_HTTP_RTMP_ROUTE_API_ROUTES;
    }

    ngx_http_rtmp_route_api_part(path, &part);

    if (part.len == 0) {
        return NGX_HTTP_RTMP_ROUTE_API_ROUTE;
    }

    if (ngx_http_rtmp_route_api_is(&part, "servers")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_SERVERS;
        entry = NGX_HTTP_RTMP_ROUTE_API_SERVER;

    } else if (ngx_http_rtmp_route_api_is(&part, "streams")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_STREAMS;
        entry = NGX_HTTP_RTMP_ROUTE_API_STREAM;

    } else if (ngx_http_rtmp_route_api_is(&part, "sessions")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_SESSIONS;
        entry = NGX_HTTP_RTMP_ROUTE_API_SESSION;

    } else if (ngx_http_rtmp_route_api_is(&part, "bans")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_BANS;
        entry = NGX_HTTP_RTMP_ROUTE_API_BAN;

    } else if (ngx_http_rtmp_route_api_is(&part, "access")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_ACCESS;
        entry = NGX_HTTP_RTMP_ROUTE_API_RULE;

    } else if (ngx_http_rtmp_route_api_is(&part, "refresh")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_REFRESH;
        entry = NGX_HTTP_RTMP_ROUTE_API_NONE;

    } else if (ngx_http_rtmp_route_api_is(&part, "check")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_CHECK;
        entry = NGX_HTTP_RTMP_ROUTE_API_NONE;

    } else if (ngx_http_rtmp_route_api_is(&part, "lookup")) {
        collection = NGX_HTTP_RTMP_ROUTE_API_LOOKUP;
        entry = NGX_HTTP_RTMP_ROUTE_API_NONE;

    } else {
        return NGX_HTTP_RTMP_ROUTE_API_NONE;
    }

    if (path->len && path->data[path->len - 1] == '/') {
        path->len--;
    }

    if (path->len == 0) {
        return collection;
    }

    ctx->item = *path;

    return entry;
}


/* a section that another module has added */

static ngx_uint_t
ngx_http_rtmp_route_api_added(ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_str_t *path, ngx_str_t *name)
{
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_rtmp_route_api_module);

    ctx->section = ngx_http_rtmp_route_api_section_find(amcf, name);

    if (ctx->section == NULL) {
        return NGX_HTTP_RTMP_ROUTE_API_NONE;
    }

    if (path->len && path->data[path->len - 1] == '/') {
        path->len--;
    }

    ctx->item = *path;

    return NGX_HTTP_RTMP_ROUTE_API_SECTION;
}


/* takes the first part off a path */

static void
ngx_http_rtmp_route_api_part(ngx_str_t *path, ngx_str_t *part)
{
    while (path->len && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    part->data = path->data;
    part->len = 0;

    while (path->len && path->data[0] != '/') {
        path->data++;
        path->len--;
        part->len++;
    }

    while (path->len && path->data[0] == '/') {
        path->data++;
        path->len--;
    }
}


static ngx_uint_t
ngx_http_rtmp_route_api_is(ngx_str_t *part, const char *word)
{
    return part->len == ngx_strlen(word)
           && ngx_memcmp(part->data, word, part->len) == 0;
}


static void *
ngx_http_rtmp_route_api_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_rtmp_route_api_main_conf_t));
}


static void *
ngx_http_rtmp_route_api_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_rtmp_route_api_srv_conf_t));
}


static void *
ngx_http_rtmp_route_api_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_rtmp_route_api_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rtmp_route_api_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->enabled = 0;
     */

    conf->write = NGX_CONF_UNSET;
    conf->names = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_rtmp_route_api_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_rtmp_route_api_loc_conf_t *prev = parent;
    ngx_http_rtmp_route_api_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" are parts of their location */

    if (clcf->noname && !conf->enabled && prev->enabled) {
        *conf = *prev;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = ngx_http_rtmp_route_api_handler;
        }
    }

    ngx_conf_init_value(conf->write, 0);
    ngx_conf_init_value(conf->names, 1);

    if (conf->enabled) {

        /* bodies have limits of their own, and a refusal is JSON */

        clcf->client_max_body_size = 0;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rtmp_route_api_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_rtmp_route_api_loc_conf_t *alcf = conf;

    ngx_str_t                            *value, s;
    ngx_uint_t                            i;
    ngx_flag_t                           *flag;
    ngx_http_core_loc_conf_t             *clcf;
    ngx_http_rtmp_route_api_srv_conf_t   *ascf;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    if (alcf->enabled) {
        return "is duplicate";
    }

    alcf->enabled = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "write=", 6) == 0) {
            flag = &alcf->write;

        } else if (ngx_strncmp(value[i].data, "names=", 6) == 0) {
            flag = &alcf->names;

        } else {
            goto invalid;
        }

        if (*flag != NGX_CONF_UNSET) {
            goto invalid;
        }

        if (ngx_strcmp(value[i].data + 6, "on") == 0) {
            *flag = 1;

        } else if (ngx_strcmp(value[i].data + 6, "off") == 0) {
            *flag = 0;

        } else {
            goto invalid;
        }
    }

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_rtmp_route_api_module);

    if (!amcf->used) {
        amcf->used = 1;

        ngx_str_set(&s, "request_id");

        amcf->request_id = ngx_http_get_variable_index(cf, &s);

        if (amcf->request_id == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    ascf = ngx_http_conf_get_module_srv_conf(cf,
                                             ngx_http_rtmp_route_api_module);
    ascf->used = 1;

    ngx_rtmp_route_main_conf(cf->cycle)->drains = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_rtmp_route_api_handler;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_rtmp_route_api_init(ngx_conf_t *cf)
{
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_rtmp_route_api_module);

    if (!amcf->used) {
        return NGX_OK;
    }

    return ngx_http_rtmp_route_api_token_init(cf);
}
