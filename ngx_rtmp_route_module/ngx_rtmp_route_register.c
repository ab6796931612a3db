
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_sha1.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_key.h"
#include "ngx_rtmp_route_register.h"


static ngx_uint_t ngx_rtmp_route_register_equal(ngx_str_t *token,
    ngx_str_t *secret);
static uint64_t ngx_rtmp_route_register_digest(ngx_str_t *token);
static ngx_int_t ngx_rtmp_route_register_address(
    ngx_rtmp_route_register_t *reg, ngx_rtmp_route_endpoint_t *addr,
    ngx_rtmp_route_error_t *err);
static ngx_uint_t ngx_rtmp_route_register_port(ngx_array_t *ports,
    in_port_t port);


ngx_int_t
ngx_rtmp_route_register_caller(ngx_rtmp_route_register_t *reg,
    struct sockaddr *sockaddr, ngx_rtmp_route_error_t *err)
{
    if (reg->from && ngx_cidr_match(sockaddr, reg->from) != NGX_OK) {
        return ngx_rtmp_route_error(err, 403, "CallerNotAllowed",
                                    "registration from this address is not "
                                    "allowed");
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_register_secret(ngx_rtmp_route_register_t *reg,
    ngx_str_t *token, uint64_t *digest, ngx_rtmp_route_error_t *err)
{
    ngx_str_t   *secrets;
    ngx_uint_t   i, equal;

    *digest = 0;

    if (reg->tokens == NULL) {
        return NGX_OK;
    }

    if (token->len == 0) {
        return ngx_rtmp_route_error(err, 401, "TokenMissing",
                                    "registration needs a token");
    }

    secrets = reg->tokens->elts;
    equal = 0;

    for (i = 0; i < reg->tokens->nelts; i++) {
        equal |= ngx_rtmp_route_register_equal(token, &secrets[i]);
    }

    if (!equal) {
        return ngx_rtmp_route_error(err, 401, "TokenInvalid", "wrong token");
    }

    *digest = ngx_rtmp_route_register_digest(token);

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_register_equal(ngx_str_t *token, ngx_str_t *secret)
{
    size_t      i;
    ngx_uint_t  diff;

    if (secret->len == 0) {
        return 0;
    }

    diff = token->len ^ secret->len;

    for (i = 0; i < token->len; i++) {
        diff |= token->data[i] ^ secret->data[i % secret->len];
    }

    return diff == 0;
}


static uint64_t
ngx_rtmp_route_register_digest(ngx_str_t *token)
{
    u_char      buf[20];
    uint64_t    digest;
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, token->data, token->len);
    ngx_sha1_final(buf, &sha1);

    ngx_memcpy(&digest, buf, sizeof(uint64_t));

    return digest ? digest : 1;
}


ngx_int_t
ngx_rtmp_route_register_claim(ngx_rtmp_route_register_t *reg,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_error_t *err)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_endpoint_t  *endpoint;

    if (ngx_rtmp_route_register_address(reg, &desc->addr, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

        for (n = 0; n < desc->info.nendpoints[i]; n++) {

            endpoint = &desc->info.endpoints[i][n];

            /* an endpoint may have an address of its own */

            if (!ngx_rtmp_route_addr_equal(endpoint, &desc->addr)
                && ngx_rtmp_route_register_address(reg, endpoint, err)
                   != NGX_OK)
            {
                return NGX_DECLINED;
            }

            if (!ngx_rtmp_route_register_port(reg->ports, endpoint->port)) {
                return ngx_rtmp_route_error(err, 403, "PortNotAllowed",
                                            "registration of port %ui is not "
                                            "allowed",
                                            (ngx_uint_t) endpoint->port);
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_register_address(ngx_rtmp_route_register_t *reg,
    ngx_rtmp_route_endpoint_t *addr, ngx_rtmp_route_error_t *err)
{
    u_char      *p, text[NGX_SOCKADDR_STRLEN];
    ngx_uint_t   allowed;

    allowed = reg->allow ? ngx_rtmp_route_addr_in(addr, reg->allow)
                         : !ngx_rtmp_route_addr_special(addr);

    if (allowed) {
        return NGX_OK;
    }

    p = ngx_rtmp_route_endpoint_text(text, text + NGX_SOCKADDR_STRLEN, addr,
                                     1);

    return ngx_rtmp_route_error(err, 403, "AddressNotAllowed",
                                "registration of address %*s is not allowed",
                                (size_t) (p - text), text);
}


static ngx_uint_t
ngx_rtmp_route_register_port(ngx_array_t *ports, in_port_t port)
{
    ngx_uint_t               i;
    ngx_rtmp_route_ports_t  *range;

    if (ports == NULL) {
        return 1;
    }

    range = ports->elts;

    for (i = 0; i < ports->nelts; i++) {
        if (port >= range[i].first && port <= range[i].last) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_rtmp_route_register_apply(ngx_rtmp_route_t *route,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_error_t *err)
{
    ngx_int_t                       rc;
    ngx_rtmp_route_server_params_t  params;

    /* the table keeps what an operator has set since */

    ngx_rtmp_route_desc_defaults(&params);
    ngx_rtmp_route_desc_params(desc, &params);

    params.timeout = (uint32_t) route->reg->timeout;
    params.max_fails = route->reg->max_fails;
    params.fail_timeout = route->reg->fail_timeout;
    params.slow_start = route->reg->slow_start;

    rc = ngx_rtmp_route_server_set(&route->table, &desc->info, &params, NULL);

    if (rc == NGX_OK || rc == NGX_DONE) {
        desc->added = (rc == NGX_OK);
        return NGX_OK;
    }

    if (rc == NGX_BUSY) {
        return ngx_rtmp_route_error(err, 507, "ZoneFull",
                                    "no room in zone \"%V\"", &route->zone);
    }

    return ngx_rtmp_route_error(err, 403, "ServerOwned",
                                "this server or its address is held by "
                                "somebody else");
}


ngx_int_t
ngx_rtmp_route_register_leave(ngx_rtmp_route_t *route,
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_error_t *err)
{
    ngx_str_t                      id;
    ngx_rtmp_route_server_info_t  *info, *own;
    ngx_rtmp_route_server_stat_t   stat;

    id.data = desc->info.id;
    id.len = desc->info.id_len;

    if (ngx_rtmp_route_server_get(&route->table, &id, &stat) != NGX_OK) {
        return NGX_OK;
    }

    if (stat.state == NGX_RTMP_ROUTE_EXPIRED) {
        return NGX_OK;
    }

    info = &stat.info;
    own = &desc->info;

    if (info->source != NGX_RTMP_ROUTE_SRC_REGISTER
        || info->service_len != own->service_len
        || ngx_memcmp(info->service, own->service, own->service_len) != 0
        || info->pid_len != own->pid_len
        || ngx_memcmp(info->pid, own->pid, own->pid_len) != 0)
    {
        return NGX_OK;
    }

    /* who may not register the server may not take it away */

    if (ngx_rtmp_route_register_apply(route, desc, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_rtmp_route_list_begin(&route->table, &id);
    ngx_rtmp_route_list_end(&route->table, &id);

    if (ngx_rtmp_route_server_expire(&route->table, &id) == NGX_OK) {
        desc->added = 0;
        desc->left = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_register_streams(ngx_rtmp_route_t *route,
    ngx_rtmp_route_desc_t *desc, ngx_pool_t *pool,
    ngx_rtmp_route_listing_t *listing)
{
    ngx_int_t               rc;
    ngx_str_t               id, text, key;
    ngx_uint_t              i;
    ngx_rtmp_route_name_t   name;

    ngx_memzero(listing, sizeof(ngx_rtmp_route_listing_t));

    if (desc->streams == NULL || !route->reg->streams) {
        return NGX_OK;
    }

    id.data = desc->info.id;
    id.len = desc->info.id_len;

    ngx_rtmp_route_list_begin(&route->table, &id);

    for (i = 0; /* void */ ; i++) {

        rc = ngx_rtmp_route_desc_stream(desc, i, &text);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        rc = ngx_rtmp_route_name_text(pool, &text, route->key, &name);

        if (rc == NGX_OK) {
            rc = ngx_rtmp_route_stream_key(route, pool, &name,
                                           NGX_RTMP_ROUTE_NAMED, &key);
        }

        if (rc == NGX_ERROR) {
            ngx_rtmp_route_list_end(&route->table, &id);
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            listing->invalid++;
            continue;
        }

        switch (ngx_rtmp_route_stream_set(&route->table, &key, &id,
                                          NGX_RTMP_ROUTE_FROM_LIST))
        {

        case NGX_OK:
        case NGX_DONE:
            listing->listed++;
            break;

        case NGX_ABORT:
            listing->conflicts++;
            break;

        case NGX_BUSY:
            listing->full++;
            break;

        default: /* NGX_DECLINED: the server has gone meanwhile */
            break;
        }
    }

    ngx_rtmp_route_list_end(&route->table, &id);

    return NGX_OK;
}
