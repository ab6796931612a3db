
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_key.h"


#define NGX_RTMP_ROUTE_ZONE_SIZE  (16 * 1024 * 1024)


char *
ngx_rtmp_route_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (route->zone.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    route->zone = value[1];

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", &value[1]);
        return NGX_CONF_ERROR;
    }

    route->size = size;

    return NGX_CONF_OK;
}


char *
ngx_rtmp_route_key_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t  *value;

    if (route->key != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "app/stream") == 0) {
        route->key = NGX_RTMP_ROUTE_KEY_APP_STREAM;

    } else if (ngx_strcmp(value[1].data, "stream") == 0) {
        route->key = NGX_RTMP_ROUTE_KEY_STREAM;

    } else if (ngx_strcmp(value[1].data, "vhost/app/stream") == 0) {
        route->key = NGX_RTMP_ROUTE_KEY_VHOST;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid key \"%V\", it must be \"app/stream\", "
                           "\"stream\" or \"vhost/app/stream\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "secret") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        route->secret = 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_rtmp_route_method(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t  *value;

    if (route->method != NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "load balancing method redefined");
    }

    if (cf->args->nelts == 2) {
        value = cf->args->elts;

        if (ngx_strcmp(value[1].data, "consistent") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    route->method = cmd->offset;

    return NGX_CONF_OK;
}


char *
ngx_rtmp_route_unknown(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t   *value, s;
    ngx_msec_t   wait;

    if (route->unknown != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "pick") == 0) {
        route->unknown = NGX_RTMP_ROUTE_UNKNOWN_PICK;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "refuse") == 0) {
        route->unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "wait=", 5) == 0) {
        s.data = value[1].data + 5;
        s.len = value[1].len - 5;

        wait = ngx_parse_time(&s, 0);

        if (wait != (ngx_msec_t) NGX_ERROR && wait != 0) {
            route->unknown = NGX_RTMP_ROUTE_UNKNOWN_WAIT;
            route->unknown_wait = wait;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be \"pick\", "
                       "\"wait=time\" or \"refuse\"", &value[1]);

    return NGX_CONF_ERROR;
}


char *
ngx_rtmp_route_resolver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t  *value;

    if (route->resolver) {
        return "is duplicate";
    }

    value = cf->args->elts;

    route->resolver = ngx_resolver_create(cf, &value[1], cf->args->nelts - 1);

    if (route->resolver == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_rtmp_route_defaults(ngx_conf_t *cf, ngx_rtmp_route_t *route)
{
    if (route->zone.data == NULL) {
        route->zone = route->name;
    }

    if (route->size == 0) {
        route->size = NGX_RTMP_ROUTE_ZONE_SIZE;
    }

    ngx_conf_init_uint_value(route->key, NGX_RTMP_ROUTE_KEY_APP_STREAM);
    ngx_conf_init_uint_value(route->method, NGX_RTMP_ROUTE_HASH);
    ngx_conf_init_msec_value(route->inactive, 60000);
    ngx_conf_init_msec_value(route->resolver_timeout, 30000);

    if (ngx_rtmp_route_server_lookup(cf, route) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    route->table.method = route->method;
    route->table.inactive = route->inactive;

    return NGX_CONF_OK;
}


void
ngx_rtmp_route_defaults_last(ngx_rtmp_route_t *route, ngx_log_t *log)
{
    ngx_uint_t  unknown;

    /* what the control plane has for publishers may be a password */

    ngx_conf_init_value(route->secret, route->control != NULL);

    /* without a hash two requests for one unknown name may part */

    unknown = (route->method == NGX_RTMP_ROUTE_HASH && route->control == NULL)
              ? NGX_RTMP_ROUTE_UNKNOWN_PICK : NGX_RTMP_ROUTE_UNKNOWN_REFUSE;

    ngx_conf_init_uint_value(route->unknown, unknown);

    route->table.unknown = route->unknown;

    if (route->reg == NULL && route->servers.nelts == 0
        && route->control == NULL)
    {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rtmp_route \"%V\" has neither \"server\" nor "
                      "\"register\", only the API can add servers in %s:%ui",
                      &route->name, route->file, route->line);
    }

    if (route->control && route->resolver == NULL) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rtmp_route \"%V\" has \"%V\", but no \"resolver\": "
                      "servers that have names will not be found in %s:%ui",
                      &route->name, &route->control->name, route->file,
                      route->line);
    }
}
