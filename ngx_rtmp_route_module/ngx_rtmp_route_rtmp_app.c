
/*
 * Copyright (C) The nginx-osp authors
 */


/* "rtmp_route" of an application of nginx-rtmp, and what its parts share */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_rtmp_relay.h"


static ngx_int_t ngx_rtmp_route_rtmp_app_check(ngx_conf_t *cf,
    ngx_array_t *apps, ngx_uint_t depth);


void *
ngx_rtmp_route_rtmp_create_app_conf(ngx_conf_t *cf)
{
    ngx_rtmp_route_rtmp_app_conf_t  *racf;

    racf = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_rtmp_app_conf_t));
    if (racf == NULL) {
        return NULL;
    }

    racf->inactive = NGX_CONF_UNSET_MSEC;

    return racf;
}


/* rtmp_route NAME [pull] [push] [inactive=TIME]; */

char *
ngx_rtmp_route_rtmp_app_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_rtmp_app_conf_t *racf = conf;

    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (racf->route) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "pull") == 0 && !racf->pull) {
            racf->pull = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "push") == 0 && !racf->push) {
            racf->push = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "inactive=", 9) == 0
            && racf->inactive == NGX_CONF_UNSET_MSEC)
        {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            racf->inactive = (ngx_msec_t) ngx_parse_time(&s, 0);

            if (racf->inactive != (ngx_msec_t) NGX_ERROR) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (!racf->pull && !racf->push) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of an application needs \"pull\", \"push\" "
                           "or both", &value[0]);
        return NGX_CONF_ERROR;
    }

    if (racf->inactive != NGX_CONF_UNSET_MSEC && !racf->pull) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"inactive=\" makes no sense without \"pull\"");
        return NGX_CONF_ERROR;
    }

    racf->route = ngx_rtmp_route_add(cf, &value[1]);

    return racf->route ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* an application that is not live has no streams to push or to pull */

ngx_int_t
ngx_rtmp_route_rtmp_app_init(ngx_conf_t *cf, ngx_rtmp_core_main_conf_t *cmcf)
{
    ngx_uint_t                  i;
    ngx_rtmp_core_srv_conf_t  **cscf;

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (ngx_rtmp_route_rtmp_app_check(cf, &cscf[i]->applications, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_rtmp_app_check(ngx_conf_t *cf, ngx_array_t *apps,
    ngx_uint_t depth)
{
    ngx_uint_t                        i;
    ngx_rtmp_live_app_conf_t         *lacf;
    ngx_rtmp_core_app_conf_t        **cacf;
    ngx_rtmp_route_rtmp_app_conf_t   *racf;

    cacf = apps->elts;

    for (i = 0; i < apps->nelts; i++) {

        racf = cacf[i]->app_conf[ngx_rtmp_route_rtmp_module.ctx_index];
        lacf = cacf[i]->app_conf[ngx_rtmp_live_module.ctx_index];

        if (racf->route && !lacf->live) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"rtmp_route\" needs \"live on\" in "
                               "application \"%V\"", &cacf[i]->name);
            return NGX_ERROR;
        }

        if (depth < NGX_RTMP_ROUTE_RTMP_DEPTH
            && ngx_rtmp_route_rtmp_app_check(cf, &cacf[i]->applications,
                                             depth + 1)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_rtmp_route_rtmp_ctx_t *
ngx_rtmp_route_rtmp_ctx(ngx_rtmp_session_t *s)
{
    ngx_rtmp_route_rtmp_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_route_rtmp_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(s->connection->pool,
                          sizeof(ngx_rtmp_route_rtmp_ctx_t));
        if (ctx == NULL) {
            return NULL;
        }

        ngx_rtmp_set_ctx(s, ctx, ngx_rtmp_route_rtmp_module);
    }

    return ctx;
}


ngx_int_t
ngx_rtmp_route_rtmp_first(ngx_array_t *events, ngx_rtmp_handler_pt handler)
{
    ngx_rtmp_handler_pt  *h;

    if (ngx_array_push(events) == NULL) {
        return NGX_ERROR;
    }

    h = events->elts;

    ngx_memmove(&h[1], h, (events->nelts - 1) * sizeof(ngx_rtmp_handler_pt));

    h[0] = handler;

    return NGX_OK;
}
