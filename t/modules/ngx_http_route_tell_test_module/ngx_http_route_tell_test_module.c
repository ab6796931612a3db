
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The directive "tell_test ROUTE" tells a session of the route something for
 * each request: ?what=lost|silent|replaced|kicked&id=SLOT-NUMBER.  Answers 204,
 * or 404 if there is no such session.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_rtmp_route_conf.h"


static ngx_int_t ngx_http_route_tell_test_handler(ngx_http_request_t *r);
static void *ngx_http_route_tell_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_route_tell_test(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_route_tell_test_commands[] = {

    { ngx_string("tell_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_route_tell_test,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_route_tell_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_route_tell_test_create_loc_conf, /* create location config */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_route_tell_test_module = {
    NGX_MODULE_V1,
    &ngx_http_route_tell_test_module_ctx,  /* module context */
    ngx_http_route_tell_test_commands,     /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


typedef struct {
    ngx_rtmp_route_t  *route;
} ngx_http_route_tell_test_conf_t;


static ngx_int_t
ngx_http_route_tell_test_handler(ngx_http_request_t *r)
{
    u_char                           *p, *last;
    ngx_int_t                         rc, slot, number;
    ngx_str_t                         id, what;
    ngx_uint_t                        i;
    ngx_http_route_tell_test_conf_t  *conf;

    static ngx_str_t  words[] = {
        ngx_string("lost"),
        ngx_string("silent"),
        ngx_string("replaced"),
        ngx_string("kicked")
    };

    conf = ngx_http_get_module_loc_conf(r, ngx_http_route_tell_test_module);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_arg(r, (u_char *) "id", 2, &id) != NGX_OK
        || ngx_http_arg(r, (u_char *) "what", 4, &what) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    last = id.data + id.len;
    p = ngx_strlchr(id.data, last, '-');

    if (p == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    slot = ngx_atoi(id.data, p - id.data);
    number = ngx_atoi(p + 1, last - p - 1);

    for (i = 0; i < 4; i++) {
        if (words[i].len == what.len
            && ngx_strncmp(words[i].data, what.data, what.len) == 0)
        {
            break;
        }
    }

    if (slot < 0 || number < 0 || i == 4) {
        return NGX_HTTP_BAD_REQUEST;
    }

    return (ngx_rtmp_route_table_session_tell(&conf->route->table, slot,
                                              number, i + 1)
            == NGX_OK)
           ? NGX_HTTP_NO_CONTENT : NGX_HTTP_NOT_FOUND;
}


static void *
ngx_http_route_tell_test_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_route_tell_test_conf_t));
}


static char *
ngx_http_route_tell_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_route_tell_test_conf_t *tlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    tlcf->route = ngx_rtmp_route_add(cf, &value[1]);
    if (tlcf->route == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_route_tell_test_handler;

    return NGX_CONF_OK;
}
