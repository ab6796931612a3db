
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * rtmp_route_status: a page for operators, what it shows as JSON, and metrics.
 * Thousands of servers are read and shown in turns, as lists of the API are.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_rtmp_route_status_int.h"

/* the page, made of ngx_http_rtmp_route_status.html by configure */
#include "ngx_http_rtmp_route_status_page.h"

#include <openssl/evp.h>


/* BASE64 of SHA-256 */
#define NGX_HTTP_RTMP_ROUTE_STATUS_HASH  44

#define ngx_http_rtmp_route_status_csp                                        \
    "default-src 'none'; connect-src 'self'; img-src data:; "                 \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "


typedef struct {
    ngx_str_t                      csp;       /* made with the first page */
} ngx_http_rtmp_route_status_main_conf_t;


typedef struct {
    ngx_uint_t                     enabled;
    ngx_uint_t                     format;    /* 0: the request decides */
    ngx_flag_t                     write;
} ngx_http_rtmp_route_status_loc_conf_t;


static ngx_int_t ngx_http_rtmp_route_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_status_format(ngx_http_request_t *r,
    ngx_uint_t *format);
static ngx_int_t ngx_http_rtmp_route_status_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_status_answer(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t format);
static ngx_int_t ngx_http_rtmp_route_status_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_status_ctx_t *st);
static ngx_int_t ngx_http_rtmp_route_status_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);
static ngx_int_t ngx_http_rtmp_route_status_read(ngx_http_request_t *r,
    ngx_http_rtmp_route_status_ctx_t *st);
static void ngx_http_rtmp_route_status_read_route(
    ngx_http_rtmp_route_status_route_t *sr);
static ngx_int_t ngx_http_rtmp_route_status_update(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
static ngx_uint_t ngx_http_rtmp_route_status_own(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_status_drain(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);

static ngx_int_t ngx_http_rtmp_route_status_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rtmp_route_status_add_variables(ngx_conf_t *cf);
static void *ngx_http_rtmp_route_status_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_rtmp_route_status_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_rtmp_route_status_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_rtmp_route_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_rtmp_route_status_init_csp(ngx_conf_t *cf,
    ngx_str_t *csp);
static u_char *ngx_http_rtmp_route_status_hash(u_char *p, const char *tag,
    const char *end);


static ngx_str_t  ngx_http_rtmp_route_status_text =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


/* in the order of NGX_RTMP_ROUTE_UP ... */

static ngx_str_t  ngx_http_rtmp_route_status_states[] = {
    ngx_string("up"),
    ngx_string("down"),
    ngx_string("expired"),
    ngx_string("unavail"),
    ngx_string("draining"),
    ngx_string("unresolved"),
    ngx_string("unhealthy"),
    ngx_string("checking"),
    ngx_string("stale"),
    ngx_string("gone")
};


ngx_str_t  ngx_http_rtmp_route_status_refused[] = {
    ngx_string("invalid"),
    ngx_string("token"),
    ngx_string("forbidden"),
    ngx_string("too_large"),
    ngx_string("full"),
    ngx_string("other")
};


ngx_str_t  ngx_http_rtmp_route_status_types[] = {
    ngx_string("publish"),
    ngx_string("play")
};


ngx_str_t  ngx_http_rtmp_route_status_steps[] = {
    ngx_string("connect"),
    ngx_string("setup"),
    ngx_string("relay"),
    ngx_string("closing")
};


static ngx_http_variable_t  ngx_http_rtmp_route_status_vars[] = {

    { ngx_string("rtmp_route_version"), NULL,
      ngx_http_rtmp_route_status_version, 0, 0, 0 },

      ngx_http_null_variable
};


static ngx_command_t  ngx_http_rtmp_route_status_commands[] = {

    { ngx_string("rtmp_route_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_rtmp_route_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rtmp_route_status_module_ctx = {
    ngx_http_rtmp_route_status_add_variables,    /* preconfiguration */
    NULL,                                        /* postconfiguration */

    ngx_http_rtmp_route_status_create_main_conf, /* create main configuration */
    NULL,                                        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_rtmp_route_status_create_loc_conf,
                                           /* create location configuration */
    ngx_http_rtmp_route_status_merge_loc_conf
                                           /* merge location configuration */
};


ngx_module_t  ngx_http_rtmp_route_status_module = {
    NGX_MODULE_V1,
    &ngx_http_rtmp_route_status_module_ctx,  /* module context */
    ngx_http_rtmp_route_status_commands,     /* module directives */
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


ngx_int_t
ngx_http_rtmp_route_status_add(ngx_conf_t *cf,
    ngx_http_rtmp_route_status_part_t *part)
{
    ngx_uint_t                            i;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_rtmp_route_api_module);

    for (i = 0; i < amcf->nparts; i++) {
        if (amcf->parts[i] == part) {
            return NGX_OK;
        }
    }

    if (i == NGX_HTTP_RTMP_ROUTE_STATUS_MAX_PARTS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot add to rtmp_route_status, there are too many "
                      "parts of it");
        return NGX_ERROR;
    }

    amcf->parts[amcf->nparts++] = part;

    return NGX_OK;
}


ngx_str_t *
ngx_http_rtmp_route_status_state(ngx_uint_t state)
{
    static ngx_str_t  none = ngx_string("none");

    return (state < NGX_RTMP_ROUTE_STATES)
           ? &ngx_http_rtmp_route_status_states[state] : &none;
}


ngx_uint_t
ngx_http_rtmp_route_status_up(ngx_rtmp_route_t *route, ngx_uint_t state)
{
    return state == NGX_RTMP_ROUTE_UP
           || state == NGX_RTMP_ROUTE_STALE
           || (state == NGX_RTMP_ROUTE_CHECKING && !route->table.mandatory);
}


static ngx_int_t
ngx_http_rtmp_route_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                               rc;
    ngx_uint_t                              format, methods;
    ngx_http_rtmp_route_api_ctx_t          *ctx;
    ngx_http_rtmp_route_status_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_status_module);

    ctx = ngx_http_rtmp_route_api_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->resource = NGX_HTTP_RTMP_ROUTE_API_NONE;

    methods = NGX_HTTP_GET|NGX_HTTP_HEAD;

    if (slcf->write) {
        methods |= NGX_HTTP_PATCH;
    }

    if (!(r->method & methods)) {
        rc = ngx_http_rtmp_route_api_allow(r, methods,
                                           r->method == NGX_HTTP_PATCH);

        return ngx_http_rtmp_route_api_end(r, rc);
    }

    if (r->method == NGX_HTTP_PATCH) {
        rc = ngx_http_rtmp_route_status_update(r, ctx);

        return ngx_http_rtmp_route_api_end(r, rc);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    format = slcf->format;

    if (format == 0) {
        rc = ngx_http_rtmp_route_status_format(r, &format);

        if (rc != NGX_DECLINED) {
            return ngx_http_rtmp_route_api_end(r, rc);
        }
    }

    if (format == NGX_HTTP_RTMP_ROUTE_STATUS_PAGE) {
        rc = ngx_http_rtmp_route_status_page(r);

    } else {
        rc = ngx_http_rtmp_route_status_answer(r, ctx, format);
    }

    return ngx_http_rtmp_route_api_end(r, rc);
}


static ngx_int_t
ngx_http_rtmp_route_status_format(ngx_http_request_t *r, ngx_uint_t *format)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    *format = NGX_HTTP_RTMP_ROUTE_STATUS_PAGE;

    rc = ngx_http_rtmp_route_api_arg(r, "format", &value);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    if (value.len == 4 && ngx_memcmp(value.data, "json", 4) == 0) {
        *format = NGX_HTTP_RTMP_ROUTE_STATUS_JSON;
        return NGX_DECLINED;
    }

    if (value.len == 10 && ngx_memcmp(value.data, "prometheus", 10) == 0) {
        *format = NGX_HTTP_RTMP_ROUTE_STATUS_METRICS;
        return NGX_DECLINED;
    }

    return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                         "ArgumentInvalid",
                                         "\"format\" is \"json\" or "
                                         "\"prometheus\"");
}


static ngx_int_t
ngx_http_rtmp_route_status_page(ngx_http_request_t *r)
{
    ngx_int_t                                rc;
    ngx_buf_t                               *b;
    ngx_str_t                                value;
    ngx_chain_t                              out;
    ngx_http_rtmp_route_status_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_rtmp_route_status_module);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = sizeof(ngx_http_rtmp_route_status_html)
                                      - 1;

    if (ngx_http_rtmp_route_api_headers(r) != NGX_OK
        || ngx_http_rtmp_route_add_header(r, "Content-Security-Policy",
                                          &smcf->csp)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&value, "nosniff");

    if (ngx_http_rtmp_route_add_header(r, "X-Content-Type-Options", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&value, "no-referrer");

    if (ngx_http_rtmp_route_add_header(r, "Referrer-Policy", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ngx_http_rtmp_route_status_html;
    b->last = b->pos + sizeof(ngx_http_rtmp_route_status_html) - 1;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_rtmp_route_status_answer(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t format)
{
    ngx_int_t                               rc;
    ngx_uint_t                              i, n;
    ngx_rtmp_route_t                      **routes;
    ngx_rtmp_route_main_conf_t             *rmcf;
    ngx_http_rtmp_route_status_ctx_t       *st;
    ngx_http_rtmp_route_status_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_status_module);

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);

    routes = rmcf->routes.elts;
    n = rmcf->routes.nelts;

    st = ngx_pcalloc(r->pool, sizeof(ngx_http_rtmp_route_status_ctx_t));
    if (st == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    st->routes = ngx_pcalloc(r->pool, (n + 1)
                                * sizeof(ngx_http_rtmp_route_status_route_t));
    if (st->routes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (routes[i]->defined) {
            st->routes[st->nroutes++].route = routes[i];
        }
    }

    st->write = slcf->write;

    ctx->data = st;
    ctx->whole = 0;

    ngx_rtmp_route_json_init(&ctx->json, r->pool, NGX_RTMP_ROUTE_JSON_BUFFER);

    if (format == NGX_HTTP_RTMP_ROUTE_STATUS_METRICS) {
        ctx->type = &ngx_http_rtmp_route_status_text;

    } else {
        rc = ngx_http_rtmp_route_status_args(r, st);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        ctx->type = NULL;
    }

    return ngx_http_rtmp_route_api_steps(r, ctx,
                                         ngx_http_rtmp_route_status_step);
}


/* which servers are shown, and how many of each route */

static ngx_int_t
ngx_http_rtmp_route_status_args(ngx_http_request_t *r,
    ngx_http_rtmp_route_status_ctx_t *st)
{
    ngx_int_t  rc, n;
    ngx_str_t  value;

    st->limit = NGX_HTTP_RTMP_ROUTE_STATUS_LIMIT;

    rc = ngx_http_rtmp_route_api_arg(r, "filter", &st->filter);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_strlow(st->filter.data, st->filter.data, st->filter.len);

    rc = ngx_http_rtmp_route_api_arg(r, "limit", &value);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    n = ngx_atoi(value.data, value.len);

    if (n < 0 || n > NGX_HTTP_RTMP_ROUTE_STATUS_LIMIT) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "ArgumentInvalid",
                                             "\"limit\" is a number up to "
                                             "1000");
    }

    st->limit = n;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_rtmp_route_status_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made)
{
    ngx_int_t                          rc;
    ngx_http_rtmp_route_status_ctx_t  *st;

    st = ctx->data;

    while (*made < NGX_HTTP_RTMP_ROUTE_API_STEP) {

        rc = ngx_http_rtmp_route_status_read(r, st);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc == NGX_DONE) {
            ctx->step = ctx->type ? ngx_http_rtmp_route_status_metrics_step
                                  : ngx_http_rtmp_route_status_json_step;

            return ctx->step(r, ctx, made);
        }

        *made += NGX_HTTP_RTMP_ROUTE_API_VAIN;
    }

    return NGX_AGAIN;
}


/* some of it; NGX_DONE: that was all, nothing was read */

static ngx_int_t
ngx_http_rtmp_route_status_read(ngx_http_request_t *r,
    ngx_http_rtmp_route_status_ctx_t *st)
{
    ngx_int_t                             rc;
    ngx_rtmp_route_counters_t            *counters;
    ngx_http_rtmp_route_status_route_t   *sr;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    if (st->phase == 0) {

        if (st->i < st->nroutes) {
            sr = &st->routes[st->i];

            rc = ngx_rtmp_route_summary_step(&sr->route->table, &sr->summary);

            if (rc == NGX_DONE) {
                ngx_http_rtmp_route_status_read_route(sr);
                st->i++;
            }

            return NGX_OK;
        }

        counters = ngx_rtmp_route_slots_counters();

        if (counters) {
            st->none.counters = *counters;
        }

        st->phase = 1;
        st->i = 0;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_rtmp_route_api_module);

    if (st->i < amcf->nparts) {

        rc = amcf->parts[st->i]->read(r, &st->parts[st->i]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {
            st->i++;
        }

        return NGX_OK;
    }

    st->phase = 0;
    st->i = 0;

    return NGX_DONE;
}


static void
ngx_http_rtmp_route_status_read_route(ngx_http_rtmp_route_status_route_t *sr)
{
    uint32_t           last;
    ngx_uint_t         max;
    ngx_rtmp_route_t  *route;

    route = sr->route;

    ngx_rtmp_route_table_stat(&route->table, &sr->stat);
    ngx_rtmp_route_table_bytes(&route->table, &sr->in, &sr->out);
    ngx_rtmp_route_bans_stat(&route->table, &sr->bans, &max, &last);

    sr->counters = *ngx_rtmp_route_table_counters(&route->table);

    if (route->control && route->control->stat) {
        route->control->stat(route->control, &sr->control);
    }
}


/*
 * A page of somebody else can make a browser send some kinds of requests, but
 * none with this method and type, unless it is allowed to by an answer that is
 * never given here.
 */

static ngx_int_t
ngx_http_rtmp_route_status_update(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    if (!ngx_http_rtmp_route_status_own(r)) {
        return ngx_http_rtmp_route_api_error(r,
                                             NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                             "TypeInvalid",
                                             "the body must be JSON, as "
                                             "application/json");
    }

    rc = ngx_http_rtmp_route_api_args(r, "route server");

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_rtmp_route_api_arg(r, "server", &ctx->item);

    if (rc == NGX_ERROR
        || ngx_http_rtmp_route_api_arg(r, "route", &name) == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->route = NULL;

    /* a name that is empty, as of a variable that is not set, is no route */

    if (rc == NGX_OK || r->args.len) {

        ctx->route = ngx_rtmp_route_find(&name);

        if (ctx->route == NULL) {
            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                                 "RouteNotFound",
                                                 "route not found");
        }
    }

    ctx->limit = NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY;
    ctx->body_handler = ngx_http_rtmp_route_status_drain;

    return ngx_http_rtmp_route_api_body(r, ctx);
}


static ngx_uint_t
ngx_http_rtmp_route_status_own(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;

    return type->len >= sizeof("application/json") - 1
           && ngx_strncasecmp(type->data, (u_char *) "application/json",
                              sizeof("application/json") - 1)
              == 0
           && (type->len == sizeof("application/json") - 1
               || type->data[sizeof("application/json") - 1] == ';');
}


/* {"drain":true}, of a server or of all of the proxy, and nothing else */

static ngx_int_t
ngx_http_rtmp_route_status_drain(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    json_t                  *body;
    ngx_uint_t               good;
    ngx_rtmp_route_error_t   err;

    body = ngx_rtmp_route_json_parse(&ctx->body, &err);

    if (body == NULL) {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    good = json_is_object(body)
           && json_object_size(body) == 1
           && json_is_boolean(json_object_get(body, "drain"));

    json_decref(body);

    if (!good) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "FieldInvalid",
                                             "\"drain\" must be true or "
                                             "false, and nothing else");
    }

    if (ctx->route == NULL) {
        return ngx_http_rtmp_route_api_proxy_update(r, ctx);
    }

    return ngx_http_rtmp_route_api_server_update(r, ctx);
}


static ngx_int_t
ngx_http_rtmp_route_status_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->len = sizeof(NGX_RTMP_ROUTE_VERSION) - 1;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) NGX_RTMP_ROUTE_VERSION;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_status_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_rtmp_route_status_vars; v->name.len; v++) {
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
ngx_http_rtmp_route_status_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool,
                       sizeof(ngx_http_rtmp_route_status_main_conf_t));
}


static void *
ngx_http_rtmp_route_status_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_rtmp_route_status_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool,
                       sizeof(ngx_http_rtmp_route_status_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->enabled = 0;
     *     conf->format = 0;
     */

    conf->write = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_rtmp_route_status_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_rtmp_route_status_loc_conf_t *prev = parent;
    ngx_http_rtmp_route_status_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" are parts of their location */

    if (clcf->noname && !conf->enabled && prev->enabled) {
        *conf = *prev;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = ngx_http_rtmp_route_status_handler;
        }
    }

    ngx_conf_init_value(conf->write, 0);

    return NGX_CONF_OK;
}


static char *
ngx_http_rtmp_route_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rtmp_route_status_loc_conf_t *slcf = conf;

    ngx_str_t                               *value, name;
    ngx_uint_t                               i;
    ngx_http_core_loc_conf_t                *clcf;
    ngx_http_rtmp_route_api_main_conf_t     *amcf;
    ngx_http_rtmp_route_status_main_conf_t  *smcf;

    if (slcf->enabled) {
        return "is duplicate";
    }

    slcf->enabled = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "format=json") == 0
            && slcf->format == 0)
        {
            slcf->format = NGX_HTTP_RTMP_ROUTE_STATUS_JSON;

        } else if (ngx_strcmp(value[i].data, "format=prometheus") == 0
                   && slcf->format == 0)
        {
            slcf->format = NGX_HTTP_RTMP_ROUTE_STATUS_METRICS;

        } else if (ngx_strcmp(value[i].data, "write=on") == 0
                   && slcf->write == NGX_CONF_UNSET)
        {
            slcf->write = 1;

        } else if (ngx_strcmp(value[i].data, "write=off") == 0
                   && slcf->write == NGX_CONF_UNSET)
        {
            slcf->write = 0;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_rtmp_route_api_module);

    ngx_str_set(&name, "request_id");

    amcf->request_id = ngx_http_get_variable_index(cf, &name);

    if (amcf->request_id == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (slcf->write == 1) {
        ngx_rtmp_route_main_conf(cf->cycle)->drains = 1;
    }

    smcf = ngx_http_conf_get_module_main_conf(cf,
                                          ngx_http_rtmp_route_status_module);

    if (smcf->csp.len == 0
        && ngx_http_rtmp_route_status_init_csp(cf, &smcf->csp) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_rtmp_route_status_handler;

    return NGX_CONF_OK;
}


/* what stands in the page may run there, and nothing else */

static ngx_int_t
ngx_http_rtmp_route_status_init_csp(ngx_conf_t *cf, ngx_str_t *csp)
{
    u_char  *p;
    size_t   len;

    len = sizeof(ngx_http_rtmp_route_status_csp
                 "script-src 'sha256-'; style-src 'sha256-'") - 1
          + 2 * NGX_HTTP_RTMP_ROUTE_STATUS_HASH;

    csp->data = ngx_pnalloc(cf->pool, len);
    if (csp->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(csp->data, ngx_http_rtmp_route_status_csp,
                   sizeof(ngx_http_rtmp_route_status_csp) - 1);

    p = ngx_cpymem(p, "script-src 'sha256-", 19);
    p = ngx_http_rtmp_route_status_hash(p, "<script>", "</script>");

    if (p) {
        p = ngx_cpymem(p, "'; style-src 'sha256-", 21);
        p = ngx_http_rtmp_route_status_hash(p, "<style>", "</style>");
    }

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot find script and style of the status page");
        return NGX_ERROR;
    }

    *p++ = '\'';

    csp->len = p - csp->data;

    return NGX_OK;
}


static u_char *
ngx_http_rtmp_route_status_hash(u_char *p, const char *tag, const char *end)
{
    u_char        digest[EVP_MAX_MD_SIZE];
    char         *first, *last;
    ngx_str_t     src, dst;
    unsigned int  len;

    first = ngx_strstr(ngx_http_rtmp_route_status_html, tag);
    if (first == NULL) {
        return NULL;
    }

    first += ngx_strlen(tag);

    last = ngx_strstr(first, end);
    if (last == NULL) {
        return NULL;
    }

    if (EVP_Digest(first, last - first, digest, &len, EVP_sha256(), NULL)
        != 1)
    {
        return NULL;
    }

    src.data = digest;
    src.len = len;

    dst.data = p;

    ngx_encode_base64(&dst, &src);

    return p + dst.len;
}
