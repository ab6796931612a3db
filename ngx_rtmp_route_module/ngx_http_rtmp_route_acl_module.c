
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * rtmp_route_acl: the access list of a route, beside allow and deny; and the
 * proxies with which this nginx registers, with a route or without one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_proxies.h"


typedef struct {
    ngx_rtmp_route_t  *route;      /* NULL: none */
    ngx_uint_t         words;      /* NGX_RTMP_ROUTE_ACL_*; without a route */
                                   /* proxies alone; 0: off */
} ngx_http_rtmp_route_acl_loc_conf_t;


static ngx_int_t ngx_http_rtmp_route_acl_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rtmp_route_acl_proxies(struct sockaddr *sockaddr);
static void *ngx_http_rtmp_route_acl_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_rtmp_route_acl_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_rtmp_route_acl(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_http_rtmp_route_acl_mention(ngx_conf_t *cf,
    ngx_rtmp_route_place_t *place);
static ngx_int_t ngx_http_rtmp_route_acl_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_rtmp_route_acl_commands[] = {

    { ngx_string("rtmp_route_acl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF
                        |NGX_CONF_TAKE123,
      ngx_http_rtmp_route_acl,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rtmp_route_acl_module_ctx = {
    NULL,                                    /* preconfiguration */
    ngx_http_rtmp_route_acl_init,            /* postconfiguration */

    NULL,                                    /* create main configuration */
    NULL,                                    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_rtmp_route_acl_create_loc_conf, /* create location configuration */
    ngx_http_rtmp_route_acl_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_rtmp_route_acl_module = {
    NGX_MODULE_V1,
    &ngx_http_rtmp_route_acl_module_ctx,     /* module context */
    ngx_http_rtmp_route_acl_commands,        /* module directives */
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
ngx_http_rtmp_route_acl_handler(ngx_http_request_t *r)
{
    uint32_t                             id;
    ngx_http_core_loc_conf_t            *clcf;
    ngx_http_rtmp_route_acl_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_acl_module);

    if (alcf->route == NULL) {
        return alcf->words
               ? ngx_http_rtmp_route_acl_proxies(r->connection->sockaddr)
               : NGX_DECLINED;
    }

    switch (ngx_rtmp_route_acl_check(&alcf->route->acl,
                                     r->connection->sockaddr, alcf->words,
                                     &id))
    {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_DECLINED;

    case NGX_ABORT:

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (clcf->satisfy == NGX_HTTP_SATISFY_ALL) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "access forbidden by rule %uD of route \"%V\"",
                          id, &alcf->route->name);
        }

        return NGX_HTTP_FORBIDDEN;

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_rtmp_route_acl_proxies(struct sockaddr *sockaddr)
{
    ngx_rtmp_route_endpoint_t  addr;

    return ngx_rtmp_route_endpoint_from(sockaddr, &addr) == NGX_OK
           && ngx_rtmp_route_proxies_has(&addr) ? NGX_OK : NGX_DECLINED;
}


static void *
ngx_http_rtmp_route_acl_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_rtmp_route_acl_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rtmp_route_acl_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->words = 0;
     */

    conf->route = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_rtmp_route_acl_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_rtmp_route_acl_loc_conf_t *prev = parent;
    ngx_http_rtmp_route_acl_loc_conf_t *conf = child;

    if (conf->route == NGX_CONF_UNSET_PTR) {
        conf->route = (prev->route == NGX_CONF_UNSET_PTR) ? NULL : prev->route;
        conf->words = prev->words;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rtmp_route_acl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rtmp_route_acl_loc_conf_t *alcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i, word;
    ngx_rtmp_route_main_conf_t  *rmcf;

    if (alcf->route != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    rmcf = ngx_rtmp_route_main_conf(cf->cycle);

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        alcf->route = NULL;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "proxies") == 0) {
        alcf->route = NULL;
        alcf->words = NGX_RTMP_ROUTE_ACL_PROXIES;
        ngx_http_rtmp_route_acl_mention(cf, &rmcf->proxies_alone);
        return NGX_CONF_OK;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "servers") == 0) {
            word = NGX_RTMP_ROUTE_ACL_SERVERS;

        } else if (ngx_strcmp(value[i].data, "proxies") == 0) {
            word = NGX_RTMP_ROUTE_ACL_PROXIES;

        } else {
            word = alcf->words;
        }

        if (alcf->words & word || word == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        alcf->words |= word;
    }

    if (alcf->words & NGX_RTMP_ROUTE_ACL_PROXIES) {
        ngx_http_rtmp_route_acl_mention(cf, &rmcf->proxies);
    }

    alcf->route = ngx_rtmp_route_add(cf, &value[1]);

    return alcf->route ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* whether this nginx registers is known when all has been read */

static void
ngx_http_rtmp_route_acl_mention(ngx_conf_t *cf, ngx_rtmp_route_place_t *place)
{
    if (place->file == NULL) {
        place->file = cf->conf_file->file.name.data;
        place->line = cf->conf_file->line;
    }
}


static ngx_int_t
ngx_http_rtmp_route_acl_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_rtmp_route_acl_handler;

    return NGX_OK;
}
