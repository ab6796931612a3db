
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_proxies.h"
#include "ngx_rtmp_route_rtmp.h"


#define NGX_RTMP_ROUTE_RTMP_RESOLV_CONF  "/etc/resolv.conf"
#define NGX_RTMP_ROUTE_RTMP_NAMESERVERS  3


static ngx_int_t ngx_rtmp_route_rtmp_parameter(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_rtmp_number(ngx_str_t *s, ngx_int_t max,
    ngx_uint_t *number);
static ngx_int_t ngx_rtmp_route_rtmp_token(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_str_t *text);
static ngx_int_t ngx_rtmp_route_rtmp_url(ngx_conf_t *cf, ngx_str_t *url);
static ngx_int_t ngx_rtmp_route_rtmp_resolver(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy);
static ngx_int_t ngx_rtmp_route_rtmp_nameserver(ngx_conf_t *cf,
    ngx_str_t *line, ngx_str_t *name);


ngx_rtmp_route_rtmp_proxy_t *
ngx_rtmp_route_rtmp_proxy_parse(ngx_conf_t *cf)
{
    ngx_int_t                     rc;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_rtmp_route_rtmp_proxy_t  *proxy;

    value = cf->args->elts;

    if (ngx_rtmp_route_rtmp_url(cf, &value[1]) != NGX_OK) {
        return NULL;
    }

    proxy = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_rtmp_proxy_t));
    if (proxy == NULL) {
        return NULL;
    }

    proxy->url = value[1];
    proxy->key = ngx_rtmp_route_proxies_key(&value[1]);
    proxy->interval = 9000;

    if (ngx_array_init(&proxy->listens, cf->pool, 2,
                       sizeof(ngx_rtmp_route_rtmp_listen_t))
        != NGX_OK
        || ngx_array_init(&proxy->ports, cf->pool, 2, sizeof(in_port_t))
           != NGX_OK)
    {
        return NULL;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rc = ngx_rtmp_route_rtmp_parameter(cf, proxy, &value[i]);

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
        }

        if (rc != NGX_OK) {
            return NULL;
        }
    }

    ngx_rtmp_route_main_conf(cf->cycle)->registers = 1;

    proxy->client = ngx_rtmp_route_client_create(cf, &value[1]);

    return proxy->client ? proxy : NULL;
}


static ngx_int_t
ngx_rtmp_route_rtmp_parameter(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_str_t *value)
{
    ngx_str_t   s;
    ngx_addr_t  addr;

#define ngx_rtmp_route_rtmp_is(text)                                          \
    (ngx_strncmp(value->data, text, sizeof(text) - 1) == 0                    \
     && (s.data = value->data + sizeof(text) - 1,                             \
         s.len = value->len - (sizeof(text) - 1), 1))

    if (ngx_rtmp_route_rtmp_is("interval=")) {
        proxy->interval = ngx_parse_time(&s, 0);

        return (proxy->interval != (ngx_msec_t) NGX_ERROR
                && proxy->interval >= 1000
                && proxy->interval <= 3600000) ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_rtmp_route_rtmp_is("token=")) {
        return ngx_rtmp_route_rtmp_token(cf, proxy, &s);
    }

    if (ngx_rtmp_route_rtmp_is("ip=")) {

        if (ngx_parse_addr(cf->pool, &addr, s.data, s.len) != NGX_OK) {
            return NGX_DECLINED;
        }

        proxy->ip = s;
        return NGX_OK;
    }

    if (ngx_rtmp_route_rtmp_is("id=")) {

        if (s.len == 0 || s.len > NGX_RTMP_ROUTE_ID_LEN) {
            return NGX_DECLINED;
        }

        proxy->id = s;
        return NGX_OK;
    }

    if (ngx_rtmp_route_rtmp_is("http=")) {
        return ngx_rtmp_route_rtmp_number(&s, 65535, &proxy->http);
    }

    if (ngx_rtmp_route_rtmp_is("weight=")) {
        return ngx_rtmp_route_rtmp_number(&s, 65535, &proxy->weight);
    }

    if (ngx_rtmp_route_rtmp_is("max_streams=")) {
        return ngx_rtmp_route_rtmp_number(&s, NGX_MAX_INT32_VALUE,
                                          &proxy->max_streams);
    }

    if (ngx_rtmp_route_rtmp_is("resolver=")) {
        proxy->resolver = ngx_resolver_create(cf, &s, 1);

        return proxy->resolver ? NGX_OK : NGX_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_rtmp_route_rtmp_number(ngx_str_t *s, ngx_int_t max, ngx_uint_t *number)
{
    ngx_int_t  n;

    n = ngx_atoi(s->data, s->len);

    if (n < 1 || n > max) {
        return NGX_DECLINED;
    }

    *number = n;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_rtmp_token(ngx_conf_t *cf, ngx_rtmp_route_rtmp_proxy_t *proxy,
    ngx_str_t *text)
{
    u_char                     *p;
    size_t                      i;
    ngx_str_t                  *token;
    ngx_rtmp_route_register_t   reg;

    /* "file:PATH", too; of several tokens the first is told */

    ngx_memzero(&reg, sizeof(ngx_rtmp_route_register_t));

    if (ngx_rtmp_route_register_token(cf, &reg, text) != NGX_OK) {
        return NGX_ERROR;
    }

    token = reg.tokens->elts;

    for (i = 0; i < token->len; i++) {
        if (token->data[i] <= ' ' || token->data[i] >= 0x7f) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid character in a token");
            return NGX_ERROR;
        }
    }

    p = ngx_pnalloc(cf->pool, sizeof("Bearer ") + token->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    proxy->bearer.data = p;
    proxy->bearer.len = ngx_sprintf(p, "Bearer %V", token) - p;

    return NGX_OK;
}


/* the URL is logged, and so must hold no token */

static ngx_int_t
ngx_rtmp_route_rtmp_url(ngx_conf_t *cf, ngx_str_t *url)
{
    if (ngx_strlchr(url->data, url->data + url->len, '?')
        || ngx_strstr(url->data, "token="))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "arguments in the URL of \"rtmp_route_register\" "
                           "are not supported, \"token=\" is a parameter");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_rtmp_proxy_init(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy)
{
    u_char                        *p;
    size_t                         len;
    ngx_str_t                     *host;
    ngx_rtmp_route_rtmp_listen_t  *listen;
    ngx_rtmp_route_client_conf_t   conf;

    if (proxy->listens.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rtmp_route_register %V\" has no server with "
                           "\"listen\" to be registered", &proxy->url);
        return NGX_ERROR;
    }

    if (proxy->id.len == 0) {
        host = &cf->cycle->hostname;
        listen = proxy->listens.elts;

        len = ngx_min(host->len,
                      NGX_RTMP_ROUTE_ID_LEN - (sizeof("-65535") - 1));

        p = ngx_pnalloc(cf->pool, len + sizeof("-65535"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        proxy->id.data = p;
        p = ngx_cpymem(p, host->data, len);
        p = ngx_sprintf(p, "-%ui", (ngx_uint_t)
                              ngx_inet_get_port(&listen->sockaddr.sockaddr));
        proxy->id.len = p - proxy->id.data;
    }

    if (proxy->resolver == NULL
        && !proxy->client->literal
        && ngx_rtmp_route_rtmp_resolver(cf, proxy) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rtmp_route_client_conf_init(&conf);

    conf.resolver = proxy->resolver;
    conf.keepalive = 1;
    conf.keepalive_timeout = 2000;
    conf.max_body = 65536;

    return ngx_rtmp_route_client_init(cf, proxy->client, &conf);
}


/* rtmp{} has no resolver: by default the system's servers are asked */

static ngx_int_t
ngx_rtmp_route_rtmp_resolver(ngx_conf_t *cf,
    ngx_rtmp_route_rtmp_proxy_t *proxy)
{
    u_char      *p, *last, buf[4096];
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_int_t    rc;
    ngx_str_t    line, names[NGX_RTMP_ROUTE_RTMP_NAMESERVERS];
    ngx_uint_t   nnames;

    fd = ngx_open_file(NGX_RTMP_ROUTE_RTMP_RESOLV_CONF, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return NGX_OK;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf) - 1);

    (void) ngx_close_file(fd);

    nnames = 0;
    last = buf + ngx_max(n, 0);

    for (p = buf; p < last && nnames < NGX_RTMP_ROUTE_RTMP_NAMESERVERS; p++) {

        line.data = p;

        while (p < last && *p != LF) {
            p++;
        }

        line.len = p - line.data;

        rc = ngx_rtmp_route_rtmp_nameserver(cf, &line, &names[nnames]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            nnames++;
        }
    }

    if (nnames) {
        proxy->resolver = ngx_resolver_create(cf, names, nnames);

        return proxy->resolver ? NGX_OK : NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_rtmp_nameserver(ngx_conf_t *cf, ngx_str_t *line,
    ngx_str_t *name)
{
    u_char      *p, *last, *start;
    ngx_addr_t   addr;

    p = line->data;
    last = p + line->len;

    if (line->len <= 11
        || ngx_strncmp(p, "nameserver", 10) != 0
        || p[10] > ' ')
    {
        return NGX_DECLINED;
    }

    for (start = p + 10; start < last && *start <= ' '; start++) { /* void */ }
    for (p = start; p < last && *p > ' '; p++) { /* void */ }

    if (ngx_parse_addr(cf->pool, &addr, start, p - start) != NGX_OK) {
        return NGX_DECLINED;
    }

    name->data = ngx_pnalloc(cf->pool, p - start + sizeof("[]"));
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    *p = '\0';

    name->len = ngx_sprintf(name->data, addr.sockaddr->sa_family == AF_INET
                                        ? "%s" : "[%s]", start)
                - name->data;

    return NGX_OK;
}
