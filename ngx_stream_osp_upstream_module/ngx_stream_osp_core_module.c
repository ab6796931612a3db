
/*
 * Copyright (C) The nginx-osp authors
 */


/* osp_core in stream { }, where "route=" says whose it is. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_osp_core.h"


static void *ngx_stream_osp_core_create_main_conf(ngx_conf_t *cf);
static char *ngx_stream_osp_core_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_osp_core_force(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_osp_core_client(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#define ngx_stream_osp_core_client_command(name, n, args)                     \
    { ngx_string(name), NGX_STREAM_MAIN_CONF|args,                            \
      ngx_stream_osp_core_client, NGX_STREAM_MAIN_CONF_OFFSET, n, NULL }

static ngx_command_t  ngx_stream_osp_core_commands[] = {

    { ngx_string("osp_core"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_1MORE,
      ngx_stream_osp_core_directive,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_force"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_1MORE,
      ngx_stream_osp_core_force,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    ngx_stream_osp_core_client_command("osp_core_connect_timeout", 0,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_timeout", 1,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_max_body", 2,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_verify", 3,
                                       NGX_CONF_FLAG),
    ngx_stream_osp_core_client_command("osp_core_ssl_verify_depth", 4,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_server_name", 5,
                                       NGX_CONF_FLAG),
    ngx_stream_osp_core_client_command("osp_core_ssl_name", 6,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_protocols", 7,
                                       NGX_CONF_1MORE),
    ngx_stream_osp_core_client_command("osp_core_ssl_ciphers", 8,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_certificate", 9,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_certificate_key", 10,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_trusted_certificate", 11,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_crl", 12,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_conf_command", 13,
                                       NGX_CONF_TAKE2),
    ngx_stream_osp_core_client_command("osp_core_ssl_password_file", 14,
                                       NGX_CONF_TAKE1),
    ngx_stream_osp_core_client_command("osp_core_ssl_session_reuse", 15,
                                       NGX_CONF_FLAG),

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_osp_core_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_stream_osp_core_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL                                   /* merge server configuration */
};


ngx_module_t  ngx_stream_osp_core_module = {
    NGX_MODULE_V1,
    &ngx_stream_osp_core_module_ctx,       /* module context */
    ngx_stream_osp_core_commands,          /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* osp_core_ssl_* and the like are for each osp_core of the block */

static void *
ngx_stream_osp_core_create_main_conf(ngx_conf_t *cf)
{
    ngx_rtmp_route_client_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_rtmp_route_client_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    ngx_rtmp_route_client_conf_init(conf);

    return conf;
}


static char *
ngx_stream_osp_core_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_osp_core_set(cf, NULL, conf);
}


static char *
ngx_stream_osp_core_force(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_osp_core_set_force(cf, NULL);
}


static char *
ngx_stream_osp_core_client(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_osp_core_set_client(cf, cmd, conf);
}
