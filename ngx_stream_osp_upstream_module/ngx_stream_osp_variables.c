
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


static ngx_int_t ngx_stream_osp_variable_name(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_osp_variable_command(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_osp_variable_hash(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_osp_variable_reason(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_osp_variable_value(ngx_stream_variable_value_t *v,
    u_char *data, size_t len);


static ngx_stream_variable_t  ngx_stream_osp_vars[] = {

    { ngx_string("rtmp_app"), NULL,
      ngx_stream_osp_variable_name,
      offsetof(ngx_stream_osp_session_t, name.app),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_stream"), NULL,
      ngx_stream_osp_variable_name,
      offsetof(ngx_stream_osp_session_t, name.stream),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_vhost"), NULL,
      ngx_stream_osp_variable_name,
      offsetof(ngx_stream_osp_session_t, name.vhost),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_agent"), NULL,
      ngx_stream_osp_variable_name, offsetof(ngx_stream_osp_session_t, agent),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_route_server"), NULL,
      ngx_stream_osp_variable_name,
      offsetof(ngx_stream_osp_session_t, server),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_command"), NULL,
      ngx_stream_osp_variable_command, 0,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_stream_hash"), NULL,
      ngx_stream_osp_variable_hash, 0,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("rtmp_reason"), NULL,
      ngx_stream_osp_variable_reason, 0,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

      ngx_stream_null_variable
};


static ngx_int_t
ngx_stream_osp_variable_name(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                 *name;
    ngx_stream_osp_session_t  *os;

    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (os == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    name = (ngx_str_t *) ((u_char *) os + data);

    return ngx_stream_osp_variable_value(v, name->data, name->len);
}


static ngx_int_t
ngx_stream_osp_variable_command(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_stream_osp_session_t  *os;

    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (os == NULL || !os->name.set) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (os->name.op == NGX_RTMP_ROUTE_PUBLISH) {
        return ngx_stream_osp_variable_value(v, (u_char *) "publish", 7);
    }

    return ngx_stream_osp_variable_value(v, (u_char *) "play", 4);
}


static ngx_int_t
ngx_stream_osp_variable_hash(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_stream_osp_session_t  *os;

    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (os == NULL || !os->name.hashed) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_stream_osp_variable_value(v, os->name.hash,
                                         sizeof(os->name.hash));
}


static ngx_int_t
ngx_stream_osp_variable_reason(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                 *reason;
    ngx_stream_osp_session_t  *os;

    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (os == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    reason = ngx_stream_osp_reason_name(os->reason);

    return ngx_stream_osp_variable_value(v, reason->data, reason->len);
}


static ngx_int_t
ngx_stream_osp_variable_value(ngx_stream_variable_value_t *v, u_char *data,
    size_t len)
{
    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = data;

    return NGX_OK;
}


ngx_int_t
ngx_stream_osp_add_variables(ngx_conf_t *cf)
{
    ngx_stream_variable_t  *var, *v;

    ngx_stream_osp_reasons_init(cf);

    for (v = ngx_stream_osp_vars; v->name.len; v++) {
        var = ngx_stream_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
