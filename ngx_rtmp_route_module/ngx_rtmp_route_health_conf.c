
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client.h"
#include "ngx_rtmp_route_health.h"


static ngx_int_t ngx_rtmp_route_check_param(ngx_conf_t *cf,
    ngx_rtmp_route_check_t *check, ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_check_time(ngx_str_t *value, size_t prefix,
    ngx_msec_t *ms, ngx_msec_t min);
static ngx_int_t ngx_rtmp_route_check_number(ngx_str_t *value, size_t prefix,
    ngx_uint_t *number, ngx_int_t min, ngx_int_t max);
static ngx_int_t ngx_rtmp_route_check_status(ngx_rtmp_route_check_t *check,
    ngx_str_t *value, size_t prefix);
static ngx_int_t ngx_rtmp_route_check_uri(ngx_rtmp_route_check_t *check,
    ngx_str_t *value, size_t prefix);
static ngx_int_t ngx_rtmp_route_check_ssl(ngx_conf_t *cf,
    ngx_rtmp_route_check_t *check);


/* a mere connection may be to something that stands in front of the server */

static ngx_rtmp_route_check_t  ngx_rtmp_route_check_default = {
    5000,                                  /* interval */
    0,                                     /* jitter */
    3000,                                  /* timeout */
    1,                                     /* fails */
    1,                                     /* passes */
    NGX_RTMP_ROUTE_CHECK_RTMP,
    0,                                     /* port */
    ngx_null_string,                       /* uri */
    0,                                     /* status */
    { { 0, 0 } },
    NULL,                                  /* ssl */
    0                                      /* mandatory */
};


ngx_rtmp_route_check_t *
ngx_rtmp_route_health_default(void)
{
    return &ngx_rtmp_route_check_default;
}


char *
ngx_rtmp_route_health_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t               *value;
    ngx_uint_t               i, http;
    ngx_rtmp_route_check_t  *check;

    if (route->check) {
        return "is duplicate";
    }

    check = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_check_t));
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     check->jitter = 0;
     *     check->timeout = 0;
     *     check->type = NGX_RTMP_ROUTE_CHECK_TCP;
     *     check->port = 0;
     *     check->uri = { 0, NULL };
     *     check->nstatus = 0;
     *     check->ssl = NULL;
     *     check->mandatory = 0;
     */

    check->interval = 5000;
    check->fails = 2;
    check->passes = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_rtmp_route_check_param(cf, check, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    http = (check->type == NGX_RTMP_ROUTE_CHECK_HTTP);

    if (!http && (check->uri.len || check->nstatus)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" needs \"type=http\"",
                           check->uri.len ? "uri=" : "status=");
        return NGX_CONF_ERROR;
    }

    if (check->uri.len == 0) {
        ngx_str_set(&check->uri, "/");
    }

    if (check->nstatus == 0) {
        check->nstatus = 1;
        check->status[0].first = 200;
        check->status[0].last = 399;
    }

    if (check->timeout == 0) {
        check->timeout = ngx_min(check->interval, 3000);
    }

    route->check = check;
    route->table.checks = 1;
    route->table.mandatory = check->mandatory;

    if (ngx_rtmp_route_check_ssl(cf, check) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_rtmp_route_check_param(ngx_conf_t *cf, ngx_rtmp_route_check_t *check,
    ngx_str_t *value)
{
    ngx_uint_t  n;

    if (ngx_strncmp(value->data, "interval=", 9) == 0) {
        return ngx_rtmp_route_check_time(value, 9, &check->interval, 100);
    }

    if (ngx_strncmp(value->data, "jitter=", 7) == 0) {
        return ngx_rtmp_route_check_time(value, 7, &check->jitter, 0);
    }

    if (ngx_strncmp(value->data, "timeout=", 8) == 0) {
        return ngx_rtmp_route_check_time(value, 8, &check->timeout, 1);
    }

    if (ngx_strncmp(value->data, "fails=", 6) == 0) {
        return ngx_rtmp_route_check_number(value, 6, &check->fails, 1, 1000);
    }

    if (ngx_strncmp(value->data, "passes=", 7) == 0) {
        return ngx_rtmp_route_check_number(value, 7, &check->passes, 1, 1000);
    }

    if (ngx_strncmp(value->data, "port=", 5) == 0) {

        if (ngx_rtmp_route_check_number(value, 5, &n, 1, 65535) != NGX_OK) {
            return NGX_ERROR;
        }

        check->port = (in_port_t) n;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "status=", 7) == 0) {
        return ngx_rtmp_route_check_status(check, value, 7);
    }

    if (ngx_strncmp(value->data, "uri=", 4) == 0) {
        return ngx_rtmp_route_check_uri(check, value, 4);
    }

    if (ngx_strcmp(value->data, "type=tcp") == 0) {
        check->type = NGX_RTMP_ROUTE_CHECK_TCP;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "type=rtmp") == 0) {
        check->type = NGX_RTMP_ROUTE_CHECK_RTMP;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "type=http") == 0) {
        check->type = NGX_RTMP_ROUTE_CHECK_HTTP;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "mandatory") == 0) {
        check->mandatory = 1;
        return NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_check_time(ngx_str_t *value, size_t prefix, ngx_msec_t *ms,
    ngx_msec_t min)
{
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = value->data + prefix;
    s.len = value->len - prefix;

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || n < (ngx_int_t) min || n > NGX_MAX_INT32_VALUE / 4) {
        return NGX_ERROR;
    }

    *ms = (ngx_msec_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_number(ngx_str_t *value, size_t prefix,
    ngx_uint_t *number, ngx_int_t min, ngx_int_t max)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data + prefix, value->len - prefix);

    if (n == NGX_ERROR || n < min || n > max) {
        return NGX_ERROR;
    }

    *number = n;

    return NGX_OK;
}


/* "200", "200-399", or several with commas */

static ngx_int_t
ngx_rtmp_route_check_status(ngx_rtmp_route_check_t *check, ngx_str_t *value,
    size_t prefix)
{
    u_char     *p, *last, *end, *dash;
    ngx_int_t   first, until;

    p = value->data + prefix;
    last = value->data + value->len;

    if (check->nstatus) {
        return NGX_ERROR;
    }

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        dash = ngx_strlchr(p, end, '-');

        first = ngx_atoi(p, (dash ? dash : end) - p);
        until = dash ? ngx_atoi(dash + 1, end - dash - 1) : first;

        if (first < 100 || until < first || until > 599
            || check->nstatus == NGX_RTMP_ROUTE_CHECK_RANGES)
        {
            return NGX_ERROR;
        }

        check->status[check->nstatus].first = first;
        check->status[check->nstatus].last = until;
        check->nstatus++;

        if (end == last) {
            return NGX_OK;
        }

        p = end + 1;
    }
}


static ngx_int_t
ngx_rtmp_route_check_uri(ngx_rtmp_route_check_t *check, ngx_str_t *value,
    size_t prefix)
{
    u_char  *p;

    check->uri.data = value->data + prefix;
    check->uri.len = value->len - prefix;

    if (check->uri.len == 0 || check->uri.data[0] != '/') {
        return NGX_ERROR;
    }

    /* it becomes a part of the request line */

    for (p = check->uri.data; p < value->data + value->len; p++) {
        if (*p <= ' ' || *p == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* for servers that have TLS only; as with proxy_ssl nothing is verified */

static ngx_int_t
ngx_rtmp_route_check_ssl(ngx_conf_t *cf, ngx_rtmp_route_check_t *check)
{
#if (NGX_SSL)

    if (check->type == NGX_RTMP_ROUTE_CHECK_TCP) {
        return NGX_OK;
    }

    check->ssl = ngx_rtmp_route_client_ssl(cf, NGX_SSL_TLSv1|NGX_SSL_TLSv1_1
                                           |NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3,
                                           NULL);
    if (check->ssl == NULL) {
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}
