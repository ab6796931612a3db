
/*
 * Copyright (C) The nginx-osp authors
 */


/* rtmp_route_ping: whether this nginx is of use, for OSP and balancers. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_rtmp_route_conf.h"


typedef struct {
    ngx_rtmp_route_t  *route;      /* NULL: any time */
    ngx_uint_t         min_up;
} ngx_http_rtmp_route_ping_loc_conf_t;


static ngx_int_t ngx_http_rtmp_route_ping_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rtmp_route_ping_enough(ngx_rtmp_route_t *route,
    ngx_uint_t min_up);
static void *ngx_http_rtmp_route_ping_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_rtmp_route_ping(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_str_t  ngx_http_rtmp_route_ping_no_store = ngx_string("no-store");


static ngx_command_t  ngx_http_rtmp_route_ping_commands[] = {

    { ngx_string("rtmp_route_ping"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_rtmp_route_ping,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rtmp_route_ping_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_rtmp_route_ping_create_loc_conf,
                                           /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_rtmp_route_ping_module = {
    NGX_MODULE_V1,
    &ngx_http_rtmp_route_ping_module_ctx,  /* module context */
    ngx_http_rtmp_route_ping_commands,     /* module directives */
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


/* OSP looks for exactly this message */

static ngx_str_t  ngx_http_rtmp_route_ping_pong =
    ngx_string("{\"results\":{\"message\":\"pong\"}}" CRLF);

static ngx_str_t  ngx_http_rtmp_route_ping_draining =
    ngx_string("{\"results\":{\"message\":\"draining\"}}" CRLF);

static ngx_str_t  ngx_http_rtmp_route_ping_too_few =
    ngx_string("{\"results\":{\"message\":\"too few servers\"}}" CRLF);


static ngx_int_t
ngx_http_rtmp_route_ping_handler(ngx_http_request_t *r)
{
    ngx_int_t                             rc;
    ngx_buf_t                            *b;
    ngx_str_t                            *text;
    ngx_uint_t                            status;
    ngx_chain_t                           out;
    ngx_http_rtmp_route_ping_loc_conf_t  *plcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_rtmp_route_ping_module);

    if (ngx_rtmp_route_draining()) {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        text = &ngx_http_rtmp_route_ping_draining;

    } else if (plcf->route == NULL
               || ngx_http_rtmp_route_ping_enough(plcf->route,
                                                  plcf->min_up))
    {
        status = NGX_HTTP_OK;
        text = &ngx_http_rtmp_route_ping_pong;

    } else {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        text = &ngx_http_rtmp_route_ping_too_few;
    }

    if (ngx_http_rtmp_route_add_header(r, "Cache-Control",
                                       &ngx_http_rtmp_route_ping_no_store)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = text->len;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_uint_t
ngx_http_rtmp_route_ping_enough(ngx_rtmp_route_t *route, ngx_uint_t min_up)
{
    uint32_t                       cursor;
    ngx_uint_t                     n;
    ngx_rtmp_route_server_stat_t   stat;

    n = 0;
    cursor = 0;

    /* who is draining takes no new streams */

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat) == NGX_OK)
    {
        if ((stat.state == NGX_RTMP_ROUTE_UP
             || stat.state == NGX_RTMP_ROUTE_STALE
             || (stat.state == NGX_RTMP_ROUTE_CHECKING
                 && !route->table.mandatory))
            && ++n >= min_up)
        {
            return 1;
        }
    }

    return 0;
}


static void *
ngx_http_rtmp_route_ping_create_loc_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->route = NULL;
     *     conf->min_up = 0;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_rtmp_route_ping_loc_conf_t));
}


static char *
ngx_http_rtmp_route_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rtmp_route_ping_loc_conf_t *plcf = conf;

    ngx_int_t                  n;
    ngx_str_t                 *value, name;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (plcf->min_up) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "route=", 6) == 0
            && value[i].len > 6 && plcf->route == NULL)
        {
            name.data = value[i].data + 6;
            name.len = value[i].len - 6;

            plcf->route = ngx_rtmp_route_add(cf, &name);
            if (plcf->route == NULL) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "min_up=", 7) == 0
            && plcf->min_up == 0)
        {
            n = ngx_atoi(value[i].data + 7, value[i].len - 7);

            if (n > 0) {
                plcf->min_up = n;
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (plcf->min_up && plcf->route == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"min_up\" needs \"route\"");
        return NGX_CONF_ERROR;
    }

    if (plcf->min_up == 0) {
        plcf->min_up = 1;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_rtmp_route_ping_handler;

    return NGX_CONF_OK;
}
