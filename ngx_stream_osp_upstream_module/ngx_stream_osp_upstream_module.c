
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


static void *ngx_stream_osp_create_main_conf(ngx_conf_t *cf);
static char *ngx_stream_osp_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_stream_osp_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_osp_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_osp_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_osp_takeover_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_osp_queue_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_osp_bind(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_osp_no_input(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
#if (NGX_SSL)
static char *ngx_stream_osp_ssl_conf_command_check(ngx_conf_t *cf, void *post,
    void *data);
#endif
static void ngx_stream_osp_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_stream_osp_proxy_protocols[] = {
    { ngx_string("off"), NGX_RTMP_ROUTE_PP_OFF },
    { ngx_string("v1"), NGX_RTMP_ROUTE_PP_V1 },
    { ngx_string("v2"), NGX_RTMP_ROUTE_PP_V2 },
    { ngx_string("srs"), NGX_RTMP_ROUTE_PP_SRS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_stream_osp_limit_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


/* below this a relay would be slow, and a worker has only one */

static ngx_conf_num_bounds_t  ngx_stream_osp_buffer_size_bounds = {
    ngx_conf_check_num_bounds, 4096, 16 * 1024 * 1024
};


#if (NGX_SSL)

static ngx_conf_bitmask_t  ngx_stream_osp_ssl_protocols[] = {
    { ngx_string("SSLv2"), NGX_SSL_SSLv2 },
    { ngx_string("SSLv3"), NGX_SSL_SSLv3 },
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_stream_osp_ssl_conf_command_post =
    { ngx_stream_osp_ssl_conf_command_check };

#endif


static ngx_command_t  ngx_stream_osp_upstream_commands[] = {

    { ngx_string("osp_upstream"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_osp_upstream,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_upstream_connect_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, connect_timeout),
      NULL },

    { ngx_string("osp_upstream_handshake_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, handshake_timeout),
      NULL },

    { ngx_string("osp_upstream_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, timeout),
      NULL },

    { ngx_string("osp_upstream_next_upstream"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, next_upstream),
      NULL },

    { ngx_string("osp_upstream_next_upstream_tries"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, next_upstream_tries),
      NULL },

    { ngx_string("osp_upstream_proxy_protocol"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, proxy_protocol),
      &ngx_stream_osp_proxy_protocols },

    { ngx_string("osp_upstream_takeover"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_osp_takeover_directive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_upstream_buffer_size"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, buffer_size),
      &ngx_stream_osp_buffer_size_bounds },

    { ngx_string("osp_upstream_resume"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, resume),
      NULL },

    { ngx_string("osp_upstream_resume_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, resume_timeout),
      NULL },

    { ngx_string("osp_upstream_resume_buffer"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, resume_buffer),
      NULL },

    { ngx_string("osp_upstream_no_input"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_osp_no_input,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_upstream_limit_conn"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE23,
      ngx_stream_osp_limit_directive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_upstream_limit_conn_log_level"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, limit_log_level),
      &ngx_stream_osp_limit_log_levels },

    { ngx_string("osp_upstream_limit_conn_dry_run"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, limit_dry_run),
      NULL },

    { ngx_string("osp_upstream_limit_conn_zone_size"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_stream_osp_main_conf_t, limit_size),
      NULL },

    { ngx_string("osp_upstream_upload_rate"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, upload_rate),
      NULL },

    { ngx_string("osp_upstream_download_rate"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, download_rate),
      NULL },

    { ngx_string("osp_upstream_queue"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE12,
      ngx_stream_osp_queue_directive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_upstream_bind"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE12,
      ngx_stream_osp_bind,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("osp_upstream_socket_keepalive"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, socket_keepalive),
      NULL },

#if (NGX_SSL)

    { ngx_string("osp_upstream_ssl"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_enable),
      NULL },

    { ngx_string("osp_upstream_ssl_session_reuse"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_session_reuse),
      NULL },

    { ngx_string("osp_upstream_ssl_protocols"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_protocols),
      &ngx_stream_osp_ssl_protocols },

    { ngx_string("osp_upstream_ssl_ciphers"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_ciphers),
      NULL },

    { ngx_string("osp_upstream_ssl_name"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_name),
      NULL },

    { ngx_string("osp_upstream_ssl_server_name"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_server_name),
      NULL },

    { ngx_string("osp_upstream_ssl_verify"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_verify),
      NULL },

    { ngx_string("osp_upstream_ssl_verify_depth"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_verify_depth),
      NULL },

    { ngx_string("osp_upstream_ssl_trusted_certificate"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_trusted_certificate),
      NULL },

    { ngx_string("osp_upstream_ssl_crl"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_crl),
      NULL },

    { ngx_string("osp_upstream_ssl_certificate"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_certificate),
      NULL },

    { ngx_string("osp_upstream_ssl_certificate_key"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_certificate_key),
      NULL },

    { ngx_string("osp_upstream_ssl_conf_command"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE2,
      ngx_conf_set_keyval_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_osp_srv_conf_t, ssl_conf_commands),
      &ngx_stream_osp_ssl_conf_command_post },

#endif

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_osp_upstream_module_ctx = {
    ngx_stream_osp_add_variables,          /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_stream_osp_create_main_conf,       /* create main configuration */
    ngx_stream_osp_init_main_conf,         /* init main configuration */

    ngx_stream_osp_create_srv_conf,        /* create server configuration */
    ngx_stream_osp_merge_srv_conf          /* merge server configuration */
};


ngx_module_t  ngx_stream_osp_upstream_module = {
    NGX_MODULE_V1,
    &ngx_stream_osp_upstream_module_ctx,   /* module context */
    ngx_stream_osp_upstream_commands,      /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_stream_osp_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_stream_osp_create_main_conf(ngx_conf_t *cf)
{
    ngx_stream_osp_main_conf_t  *omcf;

    omcf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_osp_main_conf_t));
    if (omcf == NULL) {
        return NULL;
    }

    omcf->limit_size = NGX_CONF_UNSET_SIZE;

    return omcf;
}


static char *
ngx_stream_osp_init_main_conf(ngx_conf_t *cf, void *conf)
{
    return ngx_stream_osp_limit_init_conf(cf, conf);
}


static void *
ngx_stream_osp_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_osp_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_osp_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->route = NULL;
     *     conf->route_value = NULL;
     *     conf->limits = NULL;
     *
     *     conf->ssl_protocols = 0;
     *     conf->ssl_ciphers = { 0, NULL };
     *     conf->ssl_trusted_certificate = { 0, NULL };
     *     conf->ssl_crl = { 0, NULL };
     *     conf->ssl_certificate = { 0, NULL };
     *     conf->ssl_certificate_key = { 0, NULL };
     *     conf->ssl = NULL;
     */

    conf->limit_log_level = NGX_CONF_UNSET_UINT;
    conf->limit_dry_run = NGX_CONF_UNSET;
    conf->upload_rate = NGX_CONF_UNSET_PTR;
    conf->download_rate = NGX_CONF_UNSET_PTR;
    conf->queue = NGX_CONF_UNSET_MSEC;
    conf->queue_max = NGX_CONF_UNSET_UINT;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->handshake_timeout = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->next_upstream = NGX_CONF_UNSET;
    conf->next_upstream_tries = NGX_CONF_UNSET_UINT;
    conf->proxy_protocol = NGX_CONF_UNSET_UINT;
    conf->takeover = NGX_CONF_UNSET;
    conf->takeover_idle = NGX_CONF_UNSET_MSEC;
    conf->resume = NGX_CONF_UNSET;
    conf->resume_timeout = NGX_CONF_UNSET_MSEC;
    conf->resume_buffer = NGX_CONF_UNSET_SIZE;
    conf->no_input = NGX_CONF_UNSET_MSEC;
    conf->buffer_size = NGX_CONF_UNSET_SIZE;
    conf->local = NGX_CONF_UNSET_PTR;
    conf->socket_keepalive = NGX_CONF_UNSET;

#if (NGX_SSL)
    conf->ssl_enable = NGX_CONF_UNSET;
    conf->ssl_session_reuse = NGX_CONF_UNSET;
    conf->ssl_name = NGX_CONF_UNSET_PTR;
    conf->ssl_server_name = NGX_CONF_UNSET;
    conf->ssl_verify = NGX_CONF_UNSET;
    conf->ssl_verify_depth = NGX_CONF_UNSET_UINT;
    conf->ssl_conf_commands = NGX_CONF_UNSET_PTR;
#endif

    return conf;
}


static char *
ngx_stream_osp_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_osp_srv_conf_t *prev = parent;
    ngx_stream_osp_srv_conf_t *conf = child;

    if (conf->limits == NULL) {
        conf->limits = prev->limits;
    }

    ngx_conf_merge_uint_value(conf->limit_log_level, prev->limit_log_level,
                              NGX_LOG_ERR);
    ngx_conf_merge_value(conf->limit_dry_run, prev->limit_dry_run, 0);
    ngx_conf_merge_ptr_value(conf->upload_rate, prev->upload_rate, NULL);
    ngx_conf_merge_ptr_value(conf->download_rate, prev->download_rate, NULL);
    ngx_conf_merge_msec_value(conf->queue, prev->queue, 0);
    ngx_conf_merge_uint_value(conf->queue_max, prev->queue_max, 1000);
    ngx_conf_merge_msec_value(conf->connect_timeout,
                              prev->connect_timeout, 3000);
    ngx_conf_merge_msec_value(conf->handshake_timeout,
                              prev->handshake_timeout, 10000);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 10 * 60000);
    ngx_conf_merge_value(conf->next_upstream, prev->next_upstream, 1);
    ngx_conf_merge_uint_value(conf->next_upstream_tries,
                              prev->next_upstream_tries, 3);
    ngx_conf_merge_uint_value(conf->proxy_protocol, prev->proxy_protocol,
                              NGX_RTMP_ROUTE_PP_OFF);
    ngx_conf_merge_value(conf->takeover, prev->takeover, 1);
    ngx_conf_merge_msec_value(conf->takeover_idle, prev->takeover_idle, 3000);
    ngx_conf_merge_value(conf->resume, prev->resume, 0);
    ngx_conf_merge_msec_value(conf->resume_timeout, prev->resume_timeout,
                              10000);
    ngx_conf_merge_size_value(conf->resume_buffer, prev->resume_buffer,
                              2097152);
    ngx_conf_merge_msec_value(conf->no_input, prev->no_input, 0);
    ngx_conf_merge_size_value(conf->buffer_size, prev->buffer_size,
                              262144);
    ngx_conf_merge_ptr_value(conf->local, prev->local, NULL);
    ngx_conf_merge_value(conf->socket_keepalive, prev->socket_keepalive, 1);

#if (NGX_SSL)

    ngx_conf_merge_value(conf->ssl_enable, prev->ssl_enable, 0);
    ngx_conf_merge_value(conf->ssl_session_reuse,
                              prev->ssl_session_reuse, 1);
    ngx_conf_merge_bitmask_value(conf->ssl_protocols, prev->ssl_protocols,
                              (NGX_CONF_BITMASK_SET
                               |NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3));
    ngx_conf_merge_str_value(conf->ssl_ciphers, prev->ssl_ciphers, "DEFAULT");
    ngx_conf_merge_ptr_value(conf->ssl_name, prev->ssl_name, NULL);
    ngx_conf_merge_value(conf->ssl_server_name, prev->ssl_server_name, 1);
    ngx_conf_merge_value(conf->ssl_verify, prev->ssl_verify, 0);
    ngx_conf_merge_uint_value(conf->ssl_verify_depth,
                              prev->ssl_verify_depth, 1);
    ngx_conf_merge_str_value(conf->ssl_trusted_certificate,
                              prev->ssl_trusted_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_crl, prev->ssl_crl, "");
    ngx_conf_merge_str_value(conf->ssl_certificate,
                              prev->ssl_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_certificate_key,
                              prev->ssl_certificate_key, "");
    ngx_conf_merge_ptr_value(conf->ssl_conf_commands,
                              prev->ssl_conf_commands, NULL);

    /* any server of a route may turn out to speak RTMPS */

    if (conf->route || conf->route_value) {
        if (ngx_stream_osp_set_ssl(cf, conf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

#endif

    return NGX_CONF_OK;
}


static char *
ngx_stream_osp_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_osp_srv_conf_t *oscf = conf;

    ngx_str_t                           *value;
    ngx_stream_complex_value_t           cv;
    ngx_stream_core_srv_conf_t          *cscf;
    ngx_stream_compile_complex_value_t   ccv;

    if (oscf->route || oscf->route_value) {
        return "is duplicate";
    }

    value = cf->args->elts;

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    cscf->handler = ngx_stream_osp_handler;

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &cv;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv.lengths == NULL) {
        oscf->route = ngx_rtmp_route_add(cf, &value[1]);

        return oscf->route ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    oscf->route_value = ngx_palloc(cf->pool,
                                   sizeof(ngx_stream_complex_value_t));
    if (oscf->route_value == NULL) {
        return NGX_CONF_ERROR;
    }

    *oscf->route_value = cv;

    return NGX_CONF_OK;
}


static char *
ngx_stream_osp_takeover_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_osp_srv_conf_t *oscf = conf;

    ngx_str_t   s, *value;
    ngx_msec_t  idle;

    if (oscf->takeover != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        oscf->takeover = 0;
        oscf->takeover_idle = 0;
        return NGX_CONF_OK;
    }

    oscf->takeover = 1;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        oscf->takeover_idle = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "idle=", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be \"off\", "
                           "\"on\" or \"idle=time\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    s.data = value[1].data + 5;
    s.len = value[1].len - 5;

    idle = ngx_parse_time(&s, 0);

    if (idle == (ngx_msec_t) NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time in \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (idle == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "time in \"%V\" must not be zero, to take over "
                           "at once is \"on\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    oscf->takeover_idle = idle;

    return NGX_CONF_OK;
}


static char *
ngx_stream_osp_queue_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_osp_srv_conf_t *oscf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (oscf->queue != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    oscf->queue_max = 1000;

    if (cf->args->nelts == 3) {

        n = NGX_ERROR;

        if (ngx_strncmp(value[2].data, "max=", 4) == 0) {
            n = ngx_atoi(value[2].data + 4, value[2].len - 4);
        }

        if (n < 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        oscf->queue_max = n;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        oscf->queue = 0;
        return NGX_CONF_OK;
    }

    oscf->queue = ngx_parse_time(&value[1], 0);

    if (oscf->queue == (ngx_msec_t) NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_osp_bind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_osp_srv_conf_t *oscf = conf;

    ngx_int_t                            rc;
    ngx_str_t                           *value;
    ngx_stream_osp_local_t              *local;
    ngx_stream_complex_value_t           cv;
    ngx_stream_compile_complex_value_t   ccv;

    if (oscf->local != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        oscf->local = NULL;
        return NGX_CONF_OK;
    }

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &cv;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    local = ngx_pcalloc(cf->pool, sizeof(ngx_stream_osp_local_t));
    if (local == NULL) {
        return NGX_CONF_ERROR;
    }

    oscf->local = local;

    if (cv.lengths) {
        local->value = ngx_palloc(cf->pool,
                                  sizeof(ngx_stream_complex_value_t));
        if (local->value == NULL) {
            return NGX_CONF_ERROR;
        }

        *local->value = cv;

    } else {
        local->addr = ngx_palloc(cf->pool, sizeof(ngx_addr_t));
        if (local->addr == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_parse_addr_port(cf->pool, local->addr, value[1].data,
                                 value[1].len);

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\"", &value[1]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        local->addr->name = value[1];
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "transparent") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

#if (NGX_HAVE_TRANSPARENT_PROXY)

    {
    ngx_core_conf_t  *ccf;

    /* workers need a capability for it, which they keep if this is set */

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    ccf->transparent = 1;
    local->transparent = 1;
    }

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "transparent proxying is not supported "
                       "on this platform, ignored");
    return NGX_CONF_OK;

#endif
}


static char *
ngx_stream_osp_no_input(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_osp_srv_conf_t *oscf = conf;

    ngx_str_t   *value;
    ngx_msec_t   time;

    if (oscf->no_input != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        oscf->no_input = 0;
        return NGX_CONF_OK;
    }

    time = ngx_parse_time(&value[1], 0);

    if (time == (ngx_msec_t) NGX_ERROR) {
        return "invalid value";
    }

    /* less is what a stream on a network has now and then */

    if (time < 1000) {
        return "must be at least 1s, or \"off\"";
    }

    oscf->no_input = time;

    return NGX_CONF_OK;
}


#if (NGX_SSL)

static char *
ngx_stream_osp_ssl_conf_command_check(ngx_conf_t *cf, void *post, void *data)
{
#ifndef SSL_CONF_FLAG_FILE
    return "is not supported on this platform";
#else
    return NGX_CONF_OK;
#endif
}

#endif


static void
ngx_stream_osp_exit_process(ngx_cycle_t *cycle)
{
    ngx_stream_osp_relay_exit(cycle);
    ngx_stream_osp_peers_exit(cycle);
    ngx_stream_osp_search_exit(cycle);
}
