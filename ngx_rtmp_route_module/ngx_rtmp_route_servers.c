
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_addr.h"


#define NGX_RTMP_ROUTE_TOKEN_FILE  65536


static ngx_rtmp_route_server_t *ngx_rtmp_route_server_push(
    ngx_rtmp_route_t *route);
static ngx_int_t ngx_rtmp_route_server_name(ngx_conf_t *cf,
    ngx_rtmp_route_t *route, ngx_rtmp_route_server_t *server, ngx_str_t *value,
    ngx_uint_t *port);
static ngx_int_t ngx_rtmp_route_server_param(ngx_conf_t *cf,
    ngx_rtmp_route_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_server_number(ngx_str_t *value, size_t prefix,
    uint32_t *number);
static ngx_int_t ngx_rtmp_route_server_time(ngx_str_t *value, size_t prefix,
    uint32_t *ms);
static ngx_int_t ngx_rtmp_route_server_ports(ngx_rtmp_route_server_info_t *info,
    ngx_uint_t protocol, ngx_str_t *text);
static ngx_int_t ngx_rtmp_route_server_id(ngx_conf_t *cf,
    ngx_rtmp_route_t *route, ngx_rtmp_route_server_t *server,
    ngx_uint_t port);
static ngx_uint_t ngx_rtmp_route_server_taken(ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_t *server, u_char *id, size_t len);
static ngx_int_t ngx_rtmp_route_server_resolve(ngx_conf_t *cf,
    ngx_rtmp_route_server_t *server);
static ngx_int_t ngx_rtmp_route_register_cidr(ngx_conf_t *cf,
    ngx_array_t **cidrs, ngx_str_t *text);
static ngx_int_t ngx_rtmp_route_register_token_file(ngx_conf_t *cf,
    ngx_rtmp_route_register_t *reg, ngx_str_t *name);
static ngx_int_t ngx_rtmp_route_register_ports(ngx_conf_t *cf,
    ngx_rtmp_route_register_t *reg, ngx_str_t *text);


/* in the order of NGX_RTMP_ROUTE_RTMP ... */

static ngx_str_t  ngx_rtmp_route_protocols[] = {
    ngx_string("rtmp="),
    ngx_string("rtmps="),
    ngx_string("http="),
    ngx_string("https="),
    ngx_string("api="),
    ngx_string("srt="),
    ngx_string("rtc="),
    ngx_null_string
};


char *
ngx_rtmp_route_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t                *value;
    ngx_uint_t                i, n, port;
    ngx_rtmp_route_server_t  *server;

    server = ngx_rtmp_route_server_push(route);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    port = 0;

    if (ngx_rtmp_route_server_name(cf, route, server, &value[1], &port)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_rtmp_route_server_param(cf, server, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    n = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        n += server->info.nendpoints[i];
    }

    if (port && server->info.nendpoints[NGX_RTMP_ROUTE_RTMP]) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "port in \"%V\" and \"rtmp=\" are mutually "
                           "exclusive", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (port || n == 0) {
        server->info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 1;
        server->info.endpoints[NGX_RTMP_ROUTE_RTMP][0].port =
                                               (in_port_t) (port ? port : 1935);
    }

    if (ngx_rtmp_route_server_id(cf, route, server, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the id has the port: servers of the control plane may have that name, too */

ngx_int_t
ngx_rtmp_route_control_force(ngx_conf_t *cf, ngx_rtmp_route_t *route,
    ngx_str_t *host, ngx_uint_t protocol, in_port_t port)
{
    ngx_uint_t                     given;
    ngx_rtmp_route_server_t       *server;
    ngx_rtmp_route_server_info_t  *info;

    server = ngx_rtmp_route_server_push(route);
    if (server == NULL) {
        return NGX_ERROR;
    }

    given = 0;

    if (ngx_rtmp_route_server_name(cf, route, server, host, &given)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (given) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "port in \"%V\", it is told by \"port=\"", host);
        return NGX_ERROR;
    }

    info = &server->info;

    info->forced = 1;
    info->nendpoints[protocol] = 1;
    info->endpoints[protocol][0].port = port;

    if (ngx_rtmp_route_server_id(cf, route, server, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    route->table.forced = 1;

    /* at the end of the block others are looked up, but it was read already */

    if (route->defined && route != ngx_rtmp_route_current(cf)
        && route->resolver == NULL && !server->literal)
    {
        return ngx_rtmp_route_server_resolve(cf, server);
    }

    return NGX_OK;
}


static ngx_rtmp_route_server_t *
ngx_rtmp_route_server_push(ngx_rtmp_route_t *route)
{
    ngx_rtmp_route_server_t  *server;

    server = ngx_array_push(&route->servers);
    if (server == NULL) {
        return NULL;
    }

    ngx_memzero(server, sizeof(ngx_rtmp_route_server_t));

    server->route = route;
    server->info.source = NGX_RTMP_ROUTE_SRC_CONFIG;
    server->params.weight = 1;
    server->params.max_fails = 1;
    server->params.fail_timeout = 10000;

    return server;
}


/* "10.0.0.11", "10.0.0.11:1935", "[::1]:1935", "origin-b.example.com" */

static ngx_int_t
ngx_rtmp_route_server_name(ngx_conf_t *cf, ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_t *server, ngx_str_t *value, ngx_uint_t *port)
{
    u_char                     *p, *last, *colon;
    ngx_int_t                   n;
    ngx_str_t                   host;
    ngx_rtmp_route_endpoint_t   addr;

    host = *value;
    last = value->data + value->len;

    p = ngx_strlchr(value->data, last, ']');
    colon = ngx_strlchr(p ? p : value->data, last, ':');

    if (colon && (p || ngx_strlchr(colon + 1, last, ':') == NULL)) {
        n = ngx_atoi(colon + 1, last - colon - 1);

        if (n < 1 || n > 65535) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid port in \"%V\"", value);
            return NGX_ERROR;
        }

        *port = n;
        host.len = colon - host.data;
    }

    server->name = host;

    if (ngx_rtmp_route_addr_parse(&host, &addr) == NGX_OK) {

        server->addrs = ngx_pcalloc(cf->pool,
                                    sizeof(ngx_rtmp_route_endpoint_t));
        if (server->addrs == NULL) {
            return NGX_ERROR;
        }

        server->addrs[0] = addr;
        server->naddrs = 1;
        server->literal = 1;

        if (host.len > 2 && host.data[0] == '[') {
            host.data++;
            host.len -= 2;
        }

    } else {

        for (p = host.data; p < host.data + host.len; p++) {
            if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                  || (*p >= '0' && *p <= '9')
                  || *p == '-' || *p == '.' || *p == '_'))
            {
                break;
            }
        }

        if (host.len == 0 || p < host.data + host.len
            || host.len > NGX_RTMP_ROUTE_HOST_LEN)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid server name \"%V\"", value);
            return NGX_ERROR;
        }
    }

    server->info.host_len = (u_char) host.len;
    ngx_memcpy(server->info.host, host.data, host.len);

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_server_param(ngx_conf_t *cf, ngx_rtmp_route_server_t *server,
    ngx_str_t *value)
{
    ngx_str_t                        s, *proto;
    ngx_uint_t                       i;
    ngx_rtmp_route_server_params_t  *params;

    params = &server->params;
    proto = ngx_rtmp_route_protocols;

    for (i = 0; proto[i].len; i++) {

        if (ngx_strncmp(value->data, proto[i].data, proto[i].len) == 0) {
            s.data = value->data + proto[i].len;
            s.len = value->len - proto[i].len;

            return ngx_rtmp_route_server_ports(&server->info, i, &s);
        }
    }

    if (ngx_strncmp(value->data, "weight=", 7) == 0) {
        return (ngx_rtmp_route_server_number(value, 7, &params->weight)
                == NGX_OK && params->weight > 0 && params->weight <= 65535)
               ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strncmp(value->data, "max_conns=", 10) == 0) {
        return ngx_rtmp_route_server_number(value, 10, &params->max_conns);
    }

    if (ngx_strncmp(value->data, "max_streams=", 12) == 0) {
        return ngx_rtmp_route_server_number(value, 12, &params->max_streams);
    }

    if (ngx_strncmp(value->data, "max_fails=", 10) == 0) {
        return ngx_rtmp_route_server_number(value, 10, &params->max_fails);
    }

    if (ngx_strncmp(value->data, "fail_timeout=", 13) == 0) {
        return ngx_rtmp_route_server_time(value, 13, &params->fail_timeout);
    }

    if (ngx_strncmp(value->data, "slow_start=", 11) == 0) {
        return ngx_rtmp_route_server_time(value, 11, &params->slow_start);
    }

    if (ngx_strncmp(value->data, "proxy_protocol=", 15) == 0) {
        s.data = value->data + 15;

        if (ngx_strcmp(s.data, "off") == 0) {
            server->info.proxy_protocol = NGX_RTMP_ROUTE_PP_OFF;

        } else if (ngx_strcmp(s.data, "v1") == 0) {
            server->info.proxy_protocol = NGX_RTMP_ROUTE_PP_V1;

        } else if (ngx_strcmp(s.data, "v2") == 0) {
            server->info.proxy_protocol = NGX_RTMP_ROUTE_PP_V2;

        } else if (ngx_strcmp(s.data, "srs") == 0) {
            server->info.proxy_protocol = NGX_RTMP_ROUTE_PP_SRS;

        } else {
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "backup") == 0) {
        params->backup = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "down") == 0) {
        params->down = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "drain") == 0) {
        params->drain = 1;
        return NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_server_number(ngx_str_t *value, size_t prefix, uint32_t *number)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data + prefix, value->len - prefix);

    if (n == NGX_ERROR || n > NGX_MAX_INT32_VALUE) {
        return NGX_ERROR;
    }

    *number = (uint32_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_server_time(ngx_str_t *value, size_t prefix, uint32_t *ms)
{
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = value->data + prefix;
    s.len = value->len - prefix;

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || n > NGX_MAX_INT32_VALUE) {
        return NGX_ERROR;
    }

    *ms = (uint32_t) n;

    return NGX_OK;
}


/* one port or several, as "1935" or "1935,1936" */

static ngx_int_t
ngx_rtmp_route_server_ports(ngx_rtmp_route_server_info_t *info,
    ngx_uint_t protocol, ngx_str_t *text)
{
    u_char      *p, *last, *comma;
    ngx_int_t    port;
    ngx_uint_t   n;

    if (info->nendpoints[protocol]) {
        return NGX_ERROR;
    }

    p = text->data;
    last = text->data + text->len;
    n = 0;

    for ( ;; ) {

        comma = ngx_strlchr(p, last, ',');

        port = ngx_atoi(p, (comma ? comma : last) - p);

        if (port < 1 || port > 65535 || n == NGX_RTMP_ROUTE_MAX_ENDPOINTS) {
            return NGX_ERROR;
        }

        info->endpoints[protocol][n++].port = (in_port_t) port;

        if (comma == NULL) {
            break;
        }

        p = comma + 1;
    }

    info->nendpoints[protocol] = (u_char) n;

    return NGX_OK;
}


/* the address is the id, with the first port if the address is taken */

static ngx_int_t
ngx_rtmp_route_server_id(ngx_conf_t *cf, ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_t *server, ngx_uint_t port)
{
    u_char                        *p, id[NGX_RTMP_ROUTE_HOST_LEN + 16];
    size_t                         len;
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t  *info;

    info = &server->info;

    p = ngx_cpymem(id, info->host, info->host_len);
    len = p - id;

    if (port || ngx_rtmp_route_server_taken(route, server, id, len)) {

        for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
            if (info->nendpoints[i]) {
                p = ngx_sprintf(p, ":%ui",
                                (ngx_uint_t) info->endpoints[i][0].port);
                break;
            }
        }

        len = p - id;

        if (ngx_rtmp_route_server_taken(route, server, id, len)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate server \"%V\"", &server->name);
            return NGX_ERROR;
        }
    }

    /* leaves room for "#" and an address that a name is resolved to */

    if (len > NGX_RTMP_ROUTE_ID_LEN - NGX_INET6_ADDRSTRLEN - 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "server name \"%V\" is too long", &server->name);
        return NGX_ERROR;
    }

    ngx_memcpy(info->id, id, len);
    info->id_len = (u_char) len;

    ngx_memcpy(info->origin, id, len);
    info->origin_len = (u_char) len;

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_server_taken(ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_t *server, u_char *id, size_t len)
{
    ngx_uint_t                i;
    ngx_rtmp_route_server_t  *servers;

    servers = route->servers.elts;

    for (i = 0; i < route->servers.nelts; i++) {

        if (&servers[i] != server
            && servers[i].info.id_len == len
            && ngx_memcmp(servers[i].info.id, id, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* without a resolver a name is looked up once, as nginx does with servers */

ngx_int_t
ngx_rtmp_route_server_lookup(ngx_conf_t *cf, ngx_rtmp_route_t *route)
{
    ngx_uint_t                i;
    ngx_rtmp_route_server_t  *servers;

    if (route->resolver) {
        return NGX_OK;
    }

    servers = route->servers.elts;

    for (i = 0; i < route->servers.nelts; i++) {

        if (!servers[i].literal
            && ngx_rtmp_route_server_resolve(cf, &servers[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_server_resolve(ngx_conf_t *cf, ngx_rtmp_route_server_t *server)
{
    ngx_url_t                  u;
    ngx_uint_t                 i, excess;
    ngx_rtmp_route_endpoint_t  addr;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = server->name;
    u.default_port = 1935;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "host not found in server \"%V\", it is down until "
                           "a reload finds it; with \"resolver\" it is looked "
                           "up again and again", &server->name);
        return NGX_OK;
    }

    server->addrs = ngx_pcalloc(cf->pool,
                                NGX_RTMP_ROUTE_MAX_ADDRS
                                * sizeof(ngx_rtmp_route_endpoint_t));
    if (server->addrs == NULL) {
        return NGX_ERROR;
    }

    excess = 0;

    for (i = 0; i < u.naddrs; i++) {

        if (ngx_rtmp_route_endpoint_from(u.addrs[i].sockaddr, &addr) == NGX_OK
            && !ngx_rtmp_route_addrs_add(server->addrs, &server->naddrs,
                                         &addr))
        {
            excess++;
        }
    }

    if (excess) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "server \"%V\" has %ui addresses more than the "
                           "first %d, which are used", &server->name, excess,
                           NGX_RTMP_ROUTE_MAX_ADDRS);
    }

    return NGX_OK;
}


char *
ngx_rtmp_route_register(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_int_t                   rc;
    ngx_str_t                  *value, s;
    ngx_uint_t                  i;
    ngx_rtmp_route_register_t  *reg;

    if (route->reg) {
        return "is duplicate";
    }

    reg = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_register_t));
    if (reg == NULL) {
        return NGX_CONF_ERROR;
    }

    route->reg = reg;

    reg->timeout = 30000;
    reg->max_fails = 1;
    reg->fail_timeout = 10000;
    reg->streams = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = NGX_DECLINED;

        if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {
            s.data = value[i].data + 8;
            s.len = value[i].len - 8;

            reg->timeout = ngx_parse_time(&s, 0);

            if (reg->timeout != (ngx_msec_t) NGX_ERROR
                && reg->timeout >= 1000
                && reg->timeout <= NGX_MAX_INT32_VALUE)
            {
                rc = NGX_OK;
            }

        } else if (ngx_strncmp(value[i].data, "token=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            if (ngx_rtmp_route_register_token(cf, reg, &s) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            rc = NGX_OK;

        } else if (ngx_strncmp(value[i].data, "from=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            rc = ngx_rtmp_route_register_cidr(cf, &reg->from, &s);

        } else if (ngx_strncmp(value[i].data, "allow=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            rc = ngx_rtmp_route_register_cidr(cf, &reg->allow, &s);

        } else if (ngx_strncmp(value[i].data, "ports=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            rc = ngx_rtmp_route_register_ports(cf, reg, &s);

        } else if (ngx_strncmp(value[i].data, "max_fails=", 10) == 0) {
            rc = ngx_rtmp_route_server_number(&value[i], 10, &reg->max_fails);
            rc = (rc == NGX_OK) ? NGX_OK : NGX_DECLINED;

        } else if (ngx_strncmp(value[i].data, "fail_timeout=", 13) == 0) {
            rc = ngx_rtmp_route_server_time(&value[i], 13,
                                            &reg->fail_timeout);
            rc = (rc == NGX_OK) ? NGX_OK : NGX_DECLINED;

        } else if (ngx_strncmp(value[i].data, "slow_start=", 11) == 0) {
            rc = ngx_rtmp_route_server_time(&value[i], 11, &reg->slow_start);
            rc = (rc == NGX_OK) ? NGX_OK : NGX_DECLINED;

        } else if (ngx_strcmp(value[i].data, "streams=on") == 0) {
            reg->streams = 1;
            rc = NGX_OK;

        } else if (ngx_strcmp(value[i].data, "streams=off") == 0) {
            reg->streams = 0;
            rc = NGX_OK;

        } else if (ngx_strcmp(value[i].data, "open") == 0) {
            reg->open = 1;
            rc = NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (reg->tokens == NULL && reg->from == NULL && !reg->open) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"register\" needs \"token=\" or \"from=\", or "
                           "\"open\" if anybody may register");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_rtmp_route_register_cidr(ngx_conf_t *cf, ngx_array_t **cidrs,
    ngx_str_t *text)
{
    ngx_int_t    rc;
    ngx_cidr_t  *cidr;

    if (*cidrs == NULL) {
        *cidrs = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (*cidrs == NULL) {
            return NGX_ERROR;
        }
    }

    cidr = ngx_array_push(*cidrs);
    if (cidr == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(cidr, sizeof(ngx_cidr_t));

    rc = ngx_ptocidr(text, cidr);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of %V are meaningless", text);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_register_token(ngx_conf_t *cf, ngx_rtmp_route_register_t *reg,
    ngx_str_t *text)
{
    ngx_str_t  *token, name;

    if (text->len > 5 && ngx_strncmp(text->data, "file:", 5) == 0) {
        name.data = text->data + 5;
        name.len = text->len - 5;

        return ngx_rtmp_route_register_token_file(cf, reg, &name);
    }

    if (text->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty token");
        return NGX_ERROR;
    }

    if (reg->tokens == NULL) {
        reg->tokens = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
        if (reg->tokens == NULL) {
            return NGX_ERROR;
        }
    }

    token = ngx_array_push(reg->tokens);
    if (token == NULL) {
        return NGX_ERROR;
    }

    *token = *text;

    return NGX_OK;
}


/* one token a line, so that an old and a new one hold during rotation */

static ngx_int_t
ngx_rtmp_route_register_token_file(ngx_conf_t *cf,
    ngx_rtmp_route_register_t *reg, ngx_str_t *name)
{
    u_char      *p, *last, *start;
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_str_t    token;
    ngx_uint_t   found;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, NGX_RTMP_ROUTE_TOKEN_FILE);

    n = p ? ngx_read_fd(fd, p, NGX_RTMP_ROUTE_TOKEN_FILE) : -1;

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", name);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == -1) {
        return NGX_ERROR;
    }

    last = p + n;
    found = 0;

    while (p < last) {

        while (p < last && *p <= ' ') {
            p++;
        }

        start = p;

        while (p < last && *p > ' ') {
            p++;
        }

        if (p == start) {
            break;
        }

        token.data = start;
        token.len = p - start;

        if (ngx_rtmp_route_register_token(cf, reg, &token) != NGX_OK) {
            return NGX_ERROR;
        }

        found = 1;
    }

    if (!found) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no token in file \"%V\"", name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* "1935", "1935-1940", or several with commas */

static ngx_int_t
ngx_rtmp_route_register_ports(ngx_conf_t *cf, ngx_rtmp_route_register_t *reg,
    ngx_str_t *text)
{
    u_char                  *p, *last, *end, *dash;
    ngx_int_t                first, until;
    ngx_rtmp_route_ports_t  *ports;

    if (reg->ports == NULL) {
        reg->ports = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_rtmp_route_ports_t));
        if (reg->ports == NULL) {
            return NGX_ERROR;
        }
    }

    p = text->data;
    last = text->data + text->len;

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        dash = ngx_strlchr(p, end, '-');

        first = ngx_atoi(p, (dash ? dash : end) - p);
        until = dash ? ngx_atoi(dash + 1, end - dash - 1) : first;

        if (first < 1 || until < first || until > 65535) {
            return NGX_DECLINED;
        }

        ports = ngx_array_push(reg->ports);
        if (ports == NULL) {
            return NGX_ERROR;
        }

        ports->first = (in_port_t) first;
        ports->last = (in_port_t) until;

        if (end == last) {
            break;
        }

        p = end + 1;
    }

    return NGX_OK;
}
