
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_cmd_module.h>
#include <ngx_rtmp_live_module.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_rtmp.h"
#include "ngx_rtmp_route_rtmp_listen.h"
#include "ngx_rtmp_route_rtmp_relay.h"


/* as those in ngx_rtmp_route_rtmp_relay.h */

extern ngx_module_t  ngx_rtmp_module;
extern ngx_module_t  ngx_rtmp_gop_cache_module;
extern ngx_module_t  ngx_http_flv_live_module;

#pragma weak ngx_rtmp_module
#pragma weak ngx_rtmp_gop_cache_module
#pragma weak ngx_http_flv_live_module


#define NGX_RTMP_ROUTE_RTMP_DELAY   20       /* ms, from a change to a look */
#define NGX_RTMP_ROUTE_RTMP_LOOK    1000


typedef struct {
    ngx_array_t                 proxies;     /* of all levels */
    ngx_rtmp_core_main_conf_t  *core;
    unsigned                    pull:1;      /* in an application */
    unsigned                    push:1;
} ngx_rtmp_route_rtmp_main_conf_t;


typedef struct {
    ngx_array_t                *proxies;     /* proxy pointers, or NULL */
    in_port_t                   port;        /* what it is known by */
} ngx_rtmp_route_rtmp_srv_conf_t;


static void *ngx_rtmp_route_rtmp_create_main_conf(ngx_conf_t *cf);
static void *ngx_rtmp_route_rtmp_create_srv_conf(ngx_conf_t *cf);
static char *ngx_rtmp_route_rtmp_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_rtmp_route_rtmp_register(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rtmp_route_rtmp_route(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_rtmp_route_rtmp_loaded(ngx_conf_t *cf, ngx_command_t *cmd);
static ngx_int_t ngx_rtmp_route_rtmp_init(ngx_conf_t *cf);
static ngx_int_t ngx_rtmp_route_rtmp_add_listens(ngx_rtmp_conf_ctx_t *ctx,
    ngx_rtmp_route_rtmp_listen_t *ls);
static in_port_t ngx_rtmp_route_rtmp_unused(ngx_rtmp_conf_ctx_t *ctx,
    in_port_t port);
static ngx_int_t ngx_rtmp_route_rtmp_add_listen(
    ngx_rtmp_route_rtmp_proxy_t *proxy, in_port_t port,
    ngx_rtmp_route_rtmp_listen_t *ls);
static ngx_int_t ngx_rtmp_route_rtmp_hooks(ngx_rtmp_core_main_conf_t *cmcf);
static ngx_rtmp_route_rtmp_main_conf_t *ngx_rtmp_route_rtmp_main_conf(
    ngx_cycle_t *cycle);
static ngx_int_t ngx_rtmp_route_rtmp_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_rtmp_route_rtmp_init_process(ngx_cycle_t *cycle);

static ngx_int_t ngx_rtmp_route_rtmp_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static ngx_int_t ngx_rtmp_route_rtmp_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v);
static ngx_int_t ngx_rtmp_route_rtmp_media(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_uint_t ngx_rtmp_route_rtmp_publishing(ngx_rtmp_session_t *s);
static void ngx_rtmp_route_rtmp_look_handler(ngx_event_t *ev);
static ngx_uint_t ngx_rtmp_route_rtmp_apps(ngx_array_t *apps, in_port_t port,
    ngx_uint_t published, ngx_uint_t depth);
static ngx_uint_t ngx_rtmp_route_rtmp_app(ngx_str_t *name,
    ngx_rtmp_live_app_conf_t *lacf, in_port_t port, ngx_uint_t published);


static ngx_rtmp_publish_pt                next_publish;
static ngx_rtmp_close_stream_pt           next_close_stream;

static ngx_event_t                        ngx_rtmp_route_rtmp_event;
static ngx_connection_t                   ngx_rtmp_route_rtmp_dumb;
static ngx_msec_t                         ngx_rtmp_route_rtmp_due;

/* of this worker; NULL: it does not look */
static ngx_rtmp_route_rtmp_main_conf_t   *ngx_rtmp_route_rtmp_conf;


static ngx_command_t  ngx_rtmp_route_rtmp_commands[] = {

    { ngx_string("rtmp_route_register"),
      NGX_RTMP_MAIN_CONF|NGX_RTMP_SRV_CONF|NGX_CONF_1MORE,
      ngx_rtmp_route_rtmp_register,
      NGX_RTMP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rtmp_route"),
      NGX_RTMP_APP_CONF|NGX_CONF_1MORE,
      ngx_rtmp_route_rtmp_route,
      NGX_RTMP_APP_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_rtmp_module_t  ngx_rtmp_route_rtmp_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_rtmp_route_rtmp_init,              /* postconfiguration */

    ngx_rtmp_route_rtmp_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_rtmp_route_rtmp_create_srv_conf,   /* create server configuration */
    ngx_rtmp_route_rtmp_merge_srv_conf,    /* merge server configuration */

    ngx_rtmp_route_rtmp_create_app_conf,   /* create app configuration */
    NULL                                   /* merge app configuration */
};


ngx_module_t  ngx_rtmp_route_rtmp_module = {
    NGX_MODULE_V1,
    &ngx_rtmp_route_rtmp_module_ctx,       /* module context */
    ngx_rtmp_route_rtmp_commands,          /* module directives */
    NGX_RTMP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_rtmp_route_rtmp_init_module,       /* init module */
    ngx_rtmp_route_rtmp_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_rtmp_route_rtmp_create_main_conf(ngx_conf_t *cf)
{
    ngx_rtmp_route_rtmp_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_rtmp_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rmcf->proxies, cf->pool, 4, sizeof(void *))
        != NGX_OK)
    {
        return NULL;
    }

    return rmcf;
}


static void *
ngx_rtmp_route_rtmp_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_rtmp_srv_conf_t));
}


static char *
ngx_rtmp_route_rtmp_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_rtmp_route_rtmp_srv_conf_t *prev = parent;
    ngx_rtmp_route_rtmp_srv_conf_t *conf = child;

    if (conf->proxies == NULL) {
        conf->proxies = prev->proxies;
    }

    return NGX_CONF_OK;
}


static char *
ngx_rtmp_route_rtmp_register(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_rtmp_srv_conf_t *rscf = conf;

    ngx_rtmp_route_rtmp_proxy_t      *proxy, **proxyp;
    ngx_rtmp_route_rtmp_main_conf_t  *rmcf;

    if (ngx_rtmp_route_rtmp_loaded(cf, cmd) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    proxy = ngx_rtmp_route_rtmp_proxy_parse(cf);
    if (proxy == NULL) {
        return NGX_CONF_ERROR;
    }

    if (rscf->proxies == NULL) {
        rscf->proxies = ngx_array_create(cf->pool, 2, sizeof(void *));
        if (rscf->proxies == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    proxyp = ngx_array_push(rscf->proxies);
    if (proxyp == NULL) {
        return NGX_CONF_ERROR;
    }

    *proxyp = proxy;

    rmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_route_rtmp_module);

    proxyp = ngx_array_push(&rmcf->proxies);
    if (proxyp == NULL) {
        return NGX_CONF_ERROR;
    }

    *proxyp = proxy;

    return NGX_CONF_OK;
}


static char *
ngx_rtmp_route_rtmp_route(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                             *rv;
    ngx_rtmp_route_rtmp_app_conf_t   *racf = conf;
    ngx_rtmp_route_rtmp_main_conf_t  *rmcf;

    if (ngx_rtmp_route_rtmp_loaded(cf, cmd) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (NGX_RTMP_ROUTE_HTTP_FLV) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of an application works with nginx-rtmp, "
                           "not with nginx-http-flv-module", &cmd->name);
        return NGX_CONF_ERROR;
    }

    rv = ngx_rtmp_route_rtmp_app_set(cf, cmd, conf);

    if (rv == NGX_CONF_OK) {
        rmcf = ngx_rtmp_conf_get_module_main_conf(cf,
                                                  ngx_rtmp_route_rtmp_module);
        rmcf->pull |= racf->pull;
        rmcf->push |= racf->push;
    }

    return rv;
}


static char *
ngx_rtmp_route_rtmp_loaded(ngx_conf_t *cf, ngx_command_t *cmd)
{
    /* this module was there before, or the directive would be unknown */

    if (&ngx_rtmp_core_module == NULL || &ngx_rtmp_live_module == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs nginx-rtmp to be loaded first: put "
                           "\"load_module\" of %s before that "
                           "of ngx_rtmp_route_module.so", &cmd->name,
                           NGX_RTMP_ROUTE_HTTP_FLV
                           ? "ngx_http_flv_live_module.so"
                           : "ngx_rtmp_module.so");
        return NGX_CONF_ERROR;
    }

    /* sessions of nginx-http-flv-module look different */

    if (NGX_RTMP_ROUTE_HTTP_FLV && &ngx_http_flv_live_module == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" was built with headers of "
                           "nginx-http-flv-module, and works with that, not "
                           "with nginx-rtmp", &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (!NGX_RTMP_ROUTE_HTTP_FLV && &ngx_rtmp_gop_cache_module != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" was built with headers of nginx-rtmp, and "
                           "works with that, not with nginx-http-flv-module, "
                           "which NGX_RTMP_SRC may name", &cmd->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_rtmp_route_rtmp_init(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_rtmp_core_main_conf_t        *cmcf;
    ngx_rtmp_route_rtmp_proxy_t     **proxyp;
    ngx_rtmp_route_rtmp_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_route_rtmp_module);

    if (rmcf->proxies.nelts == 0 && !rmcf->pull && !rmcf->push) {
        return NGX_OK;
    }

    cmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_core_module);
    rmcf->core = cmcf;

    if (ngx_rtmp_route_rtmp_listens(cmcf, ngx_rtmp_route_rtmp_add_listens)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    proxyp = rmcf->proxies.elts;

    for (i = 0; i < rmcf->proxies.nelts; i++) {
        if (ngx_rtmp_route_rtmp_proxy_init(cf, proxyp[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rmcf->proxies.nelts
        && ngx_rtmp_route_on_wake(ngx_rtmp_route_rtmp_register_check)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_rtmp_route_rtmp_hooks(cmcf) != NGX_OK
        || ngx_rtmp_route_rtmp_app_init(cf, cmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rmcf->pull && ngx_rtmp_route_pull_hooks(cmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rmcf->push && ngx_rtmp_route_push_hooks(cmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the last hook is the first to be called */

    if (rmcf->pull || rmcf->push) {
        return ngx_rtmp_route_relay_hooks(cmcf);
    }

    return NGX_OK;
}


/* a server registers with its own proxies, or with those of rtmp{} */

static ngx_int_t
ngx_rtmp_route_rtmp_add_listens(ngx_rtmp_conf_ctx_t *ctx,
    ngx_rtmp_route_rtmp_listen_t *ls)
{
    in_port_t                        port;
    ngx_uint_t                       n;
    ngx_rtmp_route_rtmp_proxy_t    **proxyp;
    ngx_rtmp_route_rtmp_srv_conf_t  *rscf;

    port = ngx_inet_get_port(&ls->sockaddr.sockaddr);

    if (port == 0) {
        return NGX_OK;
    }

    rscf = ctx->srv_conf[ngx_rtmp_route_rtmp_module.ctx_index];

    if (rscf->port == 0) {
        rscf->port = ngx_rtmp_route_rtmp_unused(ctx, port);
    }

    if (rscf->proxies == NULL) {
        return NGX_OK;
    }

    proxyp = rscf->proxies->elts;

    for (n = 0; n < rscf->proxies->nelts; n++) {
        if (ngx_rtmp_route_rtmp_add_listen(proxyp[n], rscf->port, ls)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * A server is known by its first port, in all processes; of those that have
 * the same at other addresses each but the first by the next one
 */

static in_port_t
ngx_rtmp_route_rtmp_unused(ngx_rtmp_conf_ctx_t *ctx, in_port_t port)
{
    ngx_uint_t                   i;
    ngx_rtmp_core_srv_conf_t   **cscf;
    ngx_rtmp_core_main_conf_t   *cmcf;

    cmcf = ctx->main_conf[ngx_rtmp_core_module.ctx_index];
    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; /* void */ ) {

        if (ngx_rtmp_route_rtmp_port(cscf[i]->ctx->srv_conf) != port) {
            i++;
            continue;
        }

        port = (port == 65535) ? 1 : port + 1;
        i = 0;
    }

    return port;
}


in_port_t
ngx_rtmp_route_rtmp_port(void **srv_conf)
{
    ngx_rtmp_route_rtmp_srv_conf_t  *rscf;

    rscf = srv_conf[ngx_rtmp_route_rtmp_module.ctx_index];

    return rscf->port;
}


static ngx_int_t
ngx_rtmp_route_rtmp_add_listen(ngx_rtmp_route_rtmp_proxy_t *proxy,
    in_port_t port, ngx_rtmp_route_rtmp_listen_t *ls)
{
    in_port_t                     *portp;
    ngx_uint_t                     i;
    ngx_rtmp_route_rtmp_listen_t  *listen;

    listen = proxy->listens.elts;

    for (i = 0; i < proxy->listens.nelts; i++) {
        if (ngx_memcmp(&listen[i], ls, sizeof(ngx_rtmp_route_rtmp_listen_t))
            == 0)
        {
            break;
        }
    }

    if (i == proxy->listens.nelts) {
        listen = ngx_array_push(&proxy->listens);
        if (listen == NULL) {
            return NGX_ERROR;
        }

        *listen = *ls;
    }

    portp = proxy->ports.elts;

    for (i = 0; i < proxy->ports.nelts; i++) {
        if (portp[i] == port) {
            return NGX_OK;
        }
    }

    portp = ngx_array_push(&proxy->ports);
    if (portp == NULL) {
        return NGX_ERROR;
    }

    *portp = port;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_rtmp_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    ngx_uint_t            i;
    ngx_rtmp_handler_pt  *h;

    static ngx_uint_t  events[] = {
        NGX_RTMP_MSG_AMF_META,
        NGX_RTMP_MSG_AUDIO,
        NGX_RTMP_MSG_VIDEO
    };

    for (i = 0; i < sizeof(events) / sizeof(ngx_uint_t); i++) {

        h = ngx_array_push(&cmcf->events[events[i]]);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_rtmp_route_rtmp_media;
    }

    next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_rtmp_route_rtmp_publish;

    next_close_stream = ngx_rtmp_close_stream;
    ngx_rtmp_close_stream = ngx_rtmp_route_rtmp_close_stream;

    return NGX_OK;
}


static ngx_rtmp_route_rtmp_main_conf_t *
ngx_rtmp_route_rtmp_main_conf(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_rtmp_conf_ctx_t              *ctx;
    ngx_rtmp_route_rtmp_main_conf_t  *rmcf;

    /* after a reload without nginx-rtmp another module may have its index */

    for (i = 0; cycle->modules[i]; i++) {
        if (cycle->modules[i] == &ngx_rtmp_module) {
            break;
        }
    }

    if (cycle->modules[i] == NULL) {
        return NULL;
    }

    ctx = (ngx_rtmp_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_rtmp_module);
    if (ctx == NULL) {
        return NULL;
    }

    rmcf = ctx->main_conf[ngx_rtmp_route_rtmp_module.ctx_index];

    return (rmcf->proxies.nelts || rmcf->pull || rmcf->push) ? rmcf : NULL;
}


static ngx_int_t
ngx_rtmp_route_rtmp_init_module(ngx_cycle_t *cycle)
{
    ngx_rtmp_route_main_conf_t  *mcf;

    if (ngx_rtmp_route_rtmp_main_conf(cycle) == NULL) {
        return NGX_OK;
    }

    ngx_rtmp_route_relay_init();

    mcf = (ngx_rtmp_route_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                      ngx_rtmp_route_module);

    if (ngx_rtmp_route_rtmp_register_init(cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rtmp_route_rtmp_streams_create(mcf->number, cycle->log);
}


static ngx_int_t
ngx_rtmp_route_rtmp_init_process(ngx_cycle_t *cycle)
{
    ngx_event_t                      *ev;
    ngx_rtmp_route_main_conf_t       *mcf;
    ngx_rtmp_route_rtmp_main_conf_t  *rmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    rmcf = ngx_rtmp_route_rtmp_main_conf(cycle);

    if (rmcf == NULL) {
        return NGX_OK;
    }

    mcf = (ngx_rtmp_route_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                      ngx_rtmp_route_module);

    ngx_rtmp_route_rtmp_conf = rmcf;
    ngx_rtmp_route_rtmp_dumb.fd = (ngx_socket_t) -1;

    ev = &ngx_rtmp_route_rtmp_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_rtmp_route_rtmp_look_handler;
    ev->data = &ngx_rtmp_route_rtmp_dumb;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_rtmp_route_rtmp_due = ngx_current_msec + NGX_RTMP_ROUTE_RTMP_LOOK;
    ngx_add_timer(ev, NGX_RTMP_ROUTE_RTMP_LOOK);

    ngx_rtmp_route_rtmp_streams_claim(mcf->number);

    if (rmcf->pull
        && ngx_rtmp_route_link_init(cycle, rmcf->core) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_worker != 0 || rmcf->proxies.nelts == 0) {
        return NGX_OK;
    }

    return ngx_rtmp_route_rtmp_register_start(cycle, &rmcf->proxies);
}


static ngx_int_t
ngx_rtmp_route_rtmp_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    ngx_int_t                   rc;
    ngx_rtmp_route_rtmp_ctx_t  *ctx;

    rc = next_publish(s, v);

    if (rc != NGX_OK || s->auto_pushed || ngx_rtmp_route_rtmp_conf == NULL) {
        return rc;
    }

    if (ngx_rtmp_route_rtmp_publishing(s)) {
        ngx_rtmp_route_rtmp_soon();
        return rc;
    }

    /* refused, or "on_publish" is being asked */

    ctx = ngx_rtmp_route_rtmp_ctx(s);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->waits = 1;

    return rc;
}


static ngx_int_t
ngx_rtmp_route_rtmp_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v)
{
    if (ngx_rtmp_route_rtmp_publishing(s) && !s->auto_pushed) {
        ngx_rtmp_route_rtmp_soon();
    }

    return next_close_stream(s, v);
}


static ngx_int_t
ngx_rtmp_route_rtmp_media(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_rtmp_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_route_rtmp_module);

    if (ctx && ctx->waits && ngx_rtmp_route_rtmp_publishing(s)) {
        ctx->waits = 0;
        ngx_rtmp_route_rtmp_soon();
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_rtmp_publishing(ngx_rtmp_session_t *s)
{
    ngx_rtmp_live_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);

    return ctx && ctx->stream && ctx->publishing;
}


void
ngx_rtmp_route_rtmp_soon(void)
{
    ngx_msec_t  due;

    if (ngx_rtmp_route_rtmp_conf == NULL) {
        return;
    }

    /* of several changes the first counts */

    due = ngx_current_msec + NGX_RTMP_ROUTE_RTMP_DELAY;

    if ((ngx_msec_int_t) (ngx_rtmp_route_rtmp_due - due) > 0) {
        ngx_rtmp_route_rtmp_due = due;

        if (ngx_rtmp_route_rtmp_event.timer_set) {
            ngx_del_timer(&ngx_rtmp_route_rtmp_event);
        }

        ngx_add_timer(&ngx_rtmp_route_rtmp_event, NGX_RTMP_ROUTE_RTMP_DELAY);
    }
}


/* those that are published come first: there may be no room for all */

static void
ngx_rtmp_route_rtmp_look_handler(ngx_event_t *ev)
{
    ngx_uint_t                        i, n, full;
    ngx_rtmp_core_srv_conf_t        **cscf;
    ngx_rtmp_route_rtmp_srv_conf_t   *rscf;

    cscf = ngx_rtmp_route_rtmp_conf->core->servers.elts;
    full = 0;

    ngx_rtmp_route_rtmp_streams_begin();

    for (n = 2; n > 0; n--) {

        for (i = 0; i < ngx_rtmp_route_rtmp_conf->core->servers.nelts; i++) {

            rscf = cscf[i]->ctx->srv_conf[ngx_rtmp_route_rtmp_module.ctx_index];

            if (rscf->port
                && ngx_rtmp_route_rtmp_apps(&cscf[i]->applications,
                                            rscf->port, n - 1, 0)
                && n == 2)
            {
                full = 1;
            }
        }
    }

    ngx_rtmp_route_rtmp_streams_end(full);

    /* who was killed has told nobody */

    if (ngx_rtmp_route_rtmp_conf->proxies.nelts) {
        ngx_rtmp_route_rtmp_register_check();
    }

    ngx_rtmp_route_rtmp_due = ngx_current_msec + NGX_RTMP_ROUTE_RTMP_LOOK;
    ngx_add_timer(ev, NGX_RTMP_ROUTE_RTMP_LOOK);
}


/* whether there was no room */

static ngx_uint_t
ngx_rtmp_route_rtmp_apps(ngx_array_t *apps, in_port_t port,
    ngx_uint_t published, ngx_uint_t depth)
{
    ngx_uint_t                  i, full;
    ngx_rtmp_live_app_conf_t   *lacf;
    ngx_rtmp_core_app_conf_t  **cacf;

    full = 0;
    cacf = apps->elts;

    for (i = 0; i < apps->nelts; i++) {

        lacf = cacf[i]->app_conf[ngx_rtmp_live_module.ctx_index];

        if (lacf->streams && lacf->live) {
            full |= ngx_rtmp_route_rtmp_app(&cacf[i]->name, lacf, port,
                                            published);
        }

        if (cacf[i]->applications.nelts && depth < NGX_RTMP_ROUTE_RTMP_DEPTH) {
            full |= ngx_rtmp_route_rtmp_apps(&cacf[i]->applications, port,
                                             published, depth + 1);
        }
    }

    return full;
}


/*
 * A session between workers (rtmp_auto_push) is neither publisher nor player,
 * nor is one that pushes the stream on a player, nor one that pulls it a
 * publisher: the stream is another server's, as is one that is pushed there.
 */

static ngx_uint_t
ngx_rtmp_route_rtmp_app(ngx_str_t *name, ngx_rtmp_live_app_conf_t *lacf,
    in_port_t port, ngx_uint_t published)
{
    ngx_int_t                n;
    ngx_str_t                stream;
    ngx_uint_t               publishers, players, pulled, pushed;
    ngx_rtmp_live_ctx_t     *ctx;
    ngx_rtmp_live_stream_t  *st;

    for (n = 0; n < lacf->nbuckets; n++) {

        for (st = lacf->streams[n]; st; st = st->next) {

            publishers = 0;
            players = 0;
            pulled = 0;
            pushed = 0;

            for (ctx = st->ctx; ctx; ctx = ctx->next) {

                if (ctx->session->auto_pushed) {
                    continue;
                }

                if (ctx->publishing) {

                    if (ngx_rtmp_route_relay_of(ctx->session)) {
                        pulled = 1;

                    } else if (ngx_rtmp_route_push_away(ctx->session)) {
                        pushed = 1;

                    } else {
                        publishers++;
                    }

                } else if (!ctx->session->relay) {
                    players++;
                }
            }

            if ((publishers || pulled || pushed) != published
                || (!published && players == 0))
            {
                continue;
            }

            if (publishers == 0 && pushed) {
                publishers = NGX_RTMP_ROUTE_RTMP_PUSHED;

            } else if (publishers == 0 && pulled) {
                publishers = NGX_RTMP_ROUTE_RTMP_PULLED;
            }

            stream.data = st->name;
            stream.len = ngx_strlen(st->name);

            if (ngx_rtmp_route_rtmp_streams_add(port, name, &stream,
                                                publishers, players)
                != NGX_OK)
            {
                return 1;
            }
        }
    }

    return 0;
}
