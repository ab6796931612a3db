
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core.h"


#define NGX_OSP_CORE_ZONE_SIZE  (1024 * 1024)


static void *ngx_osp_core_create_conf(ngx_cycle_t *cycle);
static char *ngx_osp_core_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_osp_core_init_process(ngx_cycle_t *cycle);
static ngx_osp_core_t *ngx_osp_core_of(ngx_conf_t *cf,
    ngx_rtmp_route_t **route);
static char *ngx_osp_core_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_osp_core_params(ngx_conf_t *cf, ngx_osp_core_t *core);
static char *ngx_osp_core_force_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_osp_core_client_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_osp_core_password_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_osp_core_port(ngx_str_t *value, size_t skip,
    in_port_t *port);


/* in rtmp_route { }; those of stream { } are in ngx_stream_osp_core_module.c */

#define ngx_osp_core_client_command(name, n, args)                            \
    { ngx_string(name), NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|args,             \
      ngx_osp_core_client_directive, 0, n, NULL }

static ngx_command_t  ngx_osp_core_commands[] = {

    { ngx_string("osp_core"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_osp_core_directive,
      0,
      0,
      NULL },

    { ngx_string("osp_force"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_osp_core_force_directive,
      0,
      0,
      NULL },

    ngx_osp_core_client_command("osp_core_connect_timeout", 0,
                                NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_timeout", 1, NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_max_body", 2, NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_verify", 3, NGX_CONF_FLAG),
    ngx_osp_core_client_command("osp_core_ssl_verify_depth", 4,
                                NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_server_name", 5,
                                NGX_CONF_FLAG),
    ngx_osp_core_client_command("osp_core_ssl_name", 6, NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_protocols", 7,
                                NGX_CONF_1MORE),
    ngx_osp_core_client_command("osp_core_ssl_ciphers", 8, NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_certificate", 9,
                                NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_certificate_key", 10,
                                NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_trusted_certificate", 11,
                                NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_crl", 12, NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_conf_command", 13,
                                NGX_CONF_TAKE2),
    ngx_osp_core_client_command("osp_core_ssl_password_file", 14,
                                NGX_CONF_TAKE1),
    ngx_osp_core_client_command("osp_core_ssl_session_reuse", 15,
                                NGX_CONF_FLAG),

      ngx_null_command
};


#if (NGX_SSL)

static ngx_conf_bitmask_t  ngx_osp_core_ssl_protocols[] = {
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};

#define NGX_OSP_CORE_SSL_PROTOCOLS  ngx_osp_core_ssl_protocols

#else

#define NGX_OSP_CORE_SSL_PROTOCOLS  NULL

#endif


/* what each of them sets, in the order of their numbers */

#define ngx_osp_core_setting(set, field, post)                                \
    { ngx_null_string, 0, set, 0,                                             \
      offsetof(ngx_rtmp_route_client_conf_t, field), post }

static ngx_command_t  ngx_osp_core_settings[] = {
    ngx_osp_core_setting(ngx_conf_set_msec_slot, connect_timeout, NULL),
    ngx_osp_core_setting(ngx_conf_set_msec_slot, timeout, NULL),
    ngx_osp_core_setting(ngx_conf_set_size_slot, max_body, NULL),
    ngx_osp_core_setting(ngx_conf_set_flag_slot, ssl_verify, NULL),
    ngx_osp_core_setting(ngx_conf_set_num_slot, ssl_verify_depth, NULL),
    ngx_osp_core_setting(ngx_conf_set_flag_slot, ssl_server_name, NULL),
    ngx_osp_core_setting(ngx_conf_set_str_slot, ssl_name, NULL),
    ngx_osp_core_setting(ngx_conf_set_bitmask_slot, ssl_protocols,
                         NGX_OSP_CORE_SSL_PROTOCOLS),
    ngx_osp_core_setting(ngx_conf_set_str_slot, ssl_ciphers, NULL),
    ngx_osp_core_setting(ngx_conf_set_str_slot, ssl_certificate, NULL),
    ngx_osp_core_setting(ngx_conf_set_str_slot, ssl_certificate_key, NULL),
    ngx_osp_core_setting(ngx_conf_set_str_slot, ssl_trusted_certificate,
                         NULL),
    ngx_osp_core_setting(ngx_conf_set_str_slot, ssl_crl, NULL),
    ngx_osp_core_setting(ngx_conf_set_keyval_slot, ssl_conf_commands, NULL),
    ngx_osp_core_setting(ngx_osp_core_password_file, ssl_passwords, NULL),
    ngx_osp_core_setting(ngx_conf_set_flag_slot, ssl_session_reuse, NULL)
};


static ngx_core_module_t  ngx_osp_core_module_ctx = {
    ngx_string("osp_core"),
    ngx_osp_core_create_conf,
    ngx_osp_core_init_conf
};


ngx_module_t  ngx_osp_core_module = {
    NGX_MODULE_V1,
    &ngx_osp_core_module_ctx,              /* module context */
    ngx_osp_core_commands,                 /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_osp_core_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* an array of ngx_osp_core_t * */

static void *
ngx_osp_core_create_conf(ngx_cycle_t *cycle)
{
    return ngx_array_create(cycle->pool, 2, sizeof(ngx_osp_core_t *));
}


static char *
ngx_osp_core_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_array_t *list = conf;

    ngx_uint_t                     i;
    ngx_conf_t                     cf;
    ngx_osp_core_t               **cores;
    ngx_rtmp_route_client_conf_t   own;

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.temp_pool = cycle->pool;
    cf.log = cycle->log;

    cores = list->elts;

    for (i = 0; i < list->nelts; i++) {

        if (cores[i]->client == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "route \"%V\" has \"osp_\" directives, but no "
                          "\"osp_core\"", ngx_rtmp_route_name(cores[i]->route));
            return NGX_CONF_ERROR;
        }

        if (ngx_rtmp_route_key_form(cores[i]->route)
            == NGX_RTMP_ROUTE_KEY_VHOST)
        {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "route \"%V\" has \"osp_core\" and can't have keys "
                          "with a vhost", ngx_rtmp_route_name(cores[i]->route));
            return NGX_CONF_ERROR;
        }

        own = *cores[i]->conf;

        own.resolver = ngx_rtmp_route_control_resolver(cores[i]->route,
                                                       &own.resolver_timeout);

        if (ngx_rtmp_route_client_init(&cf, cores[i]->client, &own)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_osp_core_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_array_t      *list;
    ngx_osp_core_t  **cores;

    if ((ngx_process != NGX_PROCESS_WORKER
         && ngx_process != NGX_PROCESS_SINGLE)
        || ngx_worker != 0)
    {
        return NGX_OK;
    }

    list = (ngx_array_t *) ngx_get_conf(cycle->conf_ctx, ngx_osp_core_module);
    cores = list->elts;

    for (i = 0; i < list->nelts; i++) {
        ngx_osp_core_poll_start(cores[i]);
    }

    return NGX_OK;
}


ngx_osp_core_t *
ngx_osp_core_get(ngx_conf_t *cf, ngx_rtmp_route_t *route)
{
    ngx_uint_t        i;
    ngx_array_t      *list;
    ngx_osp_core_t   *core, **cores;

    list = (ngx_array_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                        ngx_osp_core_module);
    cores = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (cores[i]->route == route) {
            return cores[i];
        }
    }

    core = ngx_pcalloc(cf->pool, sizeof(ngx_osp_core_t));
    if (core == NULL) {
        return NULL;
    }

    core->route = route;
    core->conf = &core->own;

    ngx_rtmp_route_client_conf_init(&core->own);

    cores = ngx_array_push(list);
    if (cores == NULL) {
        return NULL;
    }

    *cores = core;

    return core;
}


/* that of the block, or that which the parameter "route=" names */

static ngx_osp_core_t *
ngx_osp_core_of(ngx_conf_t *cf, ngx_rtmp_route_t **route)
{
    ngx_str_t   *value, name;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts && *route == NULL; i++) {

        if (value[i].len > 6 && ngx_strncmp(value[i].data, "route=", 6) == 0) {

            name.data = value[i].data + 6;
            name.len = value[i].len - 6;

            *route = ngx_rtmp_route_add(cf, &name);
            if (*route == NULL) {
                return NULL;
            }

            value[i].len = 0;
        }
    }

    if (*route == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs \"route=\" here", &value[0]);
        return NULL;
    }

    return ngx_osp_core_get(cf, *route);
}


static char *
ngx_osp_core_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_osp_core_set(cf, ngx_rtmp_route_current(cf), NULL);
}


char *
ngx_osp_core_set(ngx_conf_t *cf, ngx_rtmp_route_t *route,
    ngx_rtmp_route_client_conf_t *conf)
{
    ngx_str_t       *value;
    ngx_osp_core_t  *core;

    value = cf->args->elts;

    core = ngx_osp_core_of(cf, &route);
    if (core == NULL) {
        return NGX_CONF_ERROR;
    }

    if (core->client) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"osp_core\" of route \"%V\"",
                           ngx_rtmp_route_name(route));
        return NGX_CONF_ERROR;
    }

    core->interval = 5000;
    core->rtmp = 1935;
    ngx_str_set(&core->publish_app, "stream");

    if (conf) {
        core->conf = conf;
    }

    if (ngx_osp_core_params(cf, core) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    core->url = value[1];

    core->client = ngx_rtmp_route_client_create(cf, &value[1]);
    if (core->client == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&core->control.name, "osp_core");
    core->control.data = core;
    core->control.key = ngx_osp_core_key;

    if (ngx_rtmp_route_set_control(route, &core->control) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "route \"%V\" has another control plane",
                           ngx_rtmp_route_name(route));
        return NGX_CONF_ERROR;
    }

    if (ngx_osp_core_query_init(cf, core) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_osp_core_poll_init(cf, core);
}


static ngx_int_t
ngx_osp_core_params(ngx_conf_t *cf, ngx_osp_core_t *core)
{
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (value[i].len == 0) {
            continue;
        }

        if (ngx_strncmp(value[i].data, "interval=", 9) == 0) {

            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            core->interval = ngx_parse_time(&s, 0);

            if (core->interval == (ngx_msec_t) NGX_ERROR
                || core->interval < 100)
            {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "rtmp=", 5) == 0) {

            if (ngx_osp_core_port(&value[i], 5, &core->rtmp) != NGX_OK) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "http=", 5) == 0) {

            if (ngx_osp_core_port(&value[i], 5, &core->http) != NGX_OK) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "https=", 6) == 0) {

            if (ngx_osp_core_port(&value[i], 6, &core->https) != NGX_OK) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {

            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            core->size = ngx_parse_size(&s);

            if (core->size < (ssize_t) (8 * ngx_pagesize)) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "publish_app=", 12) == 0
            && value[i].len > 12
            && ngx_strlchr(value[i].data, value[i].data + value[i].len, '/')
               == NULL)
        {
            core->publish_app.data = value[i].data + 12;
            core->publish_app.len = value[i].len - 12;
            continue;
        }

    invalid:

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_osp_core_force_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_osp_core_set_force(cf, ngx_rtmp_route_current(cf));
}


/* without a route it is the parameter "route=" that names it */

char *
ngx_osp_core_set_force(ngx_conf_t *cf, ngx_rtmp_route_t *route)
{
    ngx_str_t       *value;
    ngx_uint_t       i;
    ngx_osp_core_t  *core;

    value = cf->args->elts;

    core = ngx_osp_core_of(cf, &route);
    if (core == NULL) {
        return NGX_CONF_ERROR;
    }

    if (core->force) {
        return "is duplicate";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (value[i].len == 0) {
            continue;
        }

        if (ngx_strcmp(value[i].data, "type=edge") == 0) {
            core->force = NGX_OSP_CORE_FORCE_EDGE;
            continue;
        }

        if (ngx_strcmp(value[i].data, "type=proxy") == 0) {
            core->force = NGX_OSP_CORE_FORCE_PROXY;
            continue;
        }

        if (ngx_strcmp(value[i].data, "scheme=http") == 0) {
            core->force_https = 0;
            continue;
        }

        if (ngx_strcmp(value[i].data, "scheme=https") == 0) {
            core->force_https = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "port=", 5) == 0
            && ngx_osp_core_port(&value[i], 5, &core->force_port) == NGX_OK)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (core->force == NGX_OSP_CORE_FORCE_NONE) {
        return "needs \"type=edge\" or \"type=proxy\"";
    }

    if (core->force_port == 0) {
        core->force_port = core->force_https ? 443 : 80;
    }

    if (core->force == NGX_OSP_CORE_FORCE_EDGE) {
        core->control.uri = ngx_osp_core_edge_uri;
    }

    if (ngx_rtmp_route_control_force(cf, route, &value[1],
                                     core->force_https ? NGX_RTMP_ROUTE_HTTPS
                                                       : NGX_RTMP_ROUTE_HTTP,
                                     core->force_port)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_osp_core_client_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_osp_core_t  *core;

    core = ngx_osp_core_get(cf, ngx_rtmp_route_current(cf));
    if (core == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_osp_core_set_client(cf, cmd, &core->own);
}


char *
ngx_osp_core_set_client(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_rtmp_route_client_conf_t *conf)
{
    ngx_command_t  setting;

    setting = ngx_osp_core_settings[cmd->offset];
    setting.name = cmd->name;

    return setting.set(cf, &setting, conf);
}


/* passwords are wiped out of memory when the configuration was read */

static char *
ngx_osp_core_password_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
#if (NGX_SSL)

    ngx_rtmp_route_client_conf_t *client = conf;

    ngx_str_t  *value;

    if (client->ssl_passwords != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    client->ssl_passwords = ngx_ssl_read_password_file(cf, &value[1]);

    if (client->ssl_passwords == NULL) {
        return NGX_CONF_ERROR;
    }

#endif

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_osp_core_port(ngx_str_t *value, size_t skip, in_port_t *port)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data + skip, value->len - skip);

    if (n < 1 || n > 65535) {
        return NGX_ERROR;
    }

    *port = (in_port_t) n;

    return NGX_OK;
}
