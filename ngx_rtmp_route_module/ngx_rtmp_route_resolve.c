
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Static servers in the table, and those of a control plane.  A literal
 * address is one server; a name is as many as it has addresses: with one its
 * id is the name, with several each is "name#address".  A name without an
 * address has an entry that is never picked, so that the API shows it.  What
 * an address becomes that the name has no longer is in table_name.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_addr.h"


#define NGX_RTMP_ROUTE_RETRY      5000


static void ngx_rtmp_route_server_refused(ngx_rtmp_route_server_t *server,
    ngx_int_t rc);
static void ngx_rtmp_route_server_keep(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n);
static void ngx_rtmp_route_server_part(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n);
static ngx_uint_t ngx_rtmp_route_server_at(ngx_rtmp_route_endpoint_t *addrs,
    ngx_uint_t n, ngx_rtmp_route_server_info_t *info);
static ngx_uint_t ngx_rtmp_route_server_wanted(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n,
    ngx_rtmp_route_server_info_t *info);
static void ngx_rtmp_route_server_info(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addr, ngx_uint_t single,
    ngx_rtmp_route_server_info_t *info);
static ngx_uint_t ngx_rtmp_route_server_configured(ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_info_t *info);


void
ngx_rtmp_route_servers_apply(ngx_rtmp_route_t *route)
{
    uint32_t                       cursor;
    ngx_str_t                      id;
    ngx_uint_t                     i, n;
    ngx_rtmp_route_server_t       *servers;
    ngx_rtmp_route_endpoint_t      addrs[NGX_RTMP_ROUTE_MAX_ADDRS];
    ngx_rtmp_route_server_stat_t   stat;

    servers = route->servers.elts;

    ngx_rtmp_route_table_configure(&route->table);

    ngx_rtmp_route_owned_begin(route);

    for (i = 0; i < route->servers.nelts; i++) {

        if (servers[i].naddrs) {
            ngx_rtmp_route_server_sync(&servers[i], servers[i].addrs,
                                       servers[i].naddrs);
            continue;
        }

        /* the addresses that the previous configuration has found */

        n = ngx_rtmp_route_server_known(&servers[i], addrs);

        ngx_rtmp_route_server_sync(&servers[i], addrs, n);
    }

    /* it is of the master process, whose configuration goes */

    ngx_rtmp_route_owned_end(route);
    ngx_rtmp_route_owned_free(route);

    cursor = 0;

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        if (stat.info.source == NGX_RTMP_ROUTE_SRC_CORE) {

            if (route->control) {
                continue;
            }

        } else if (stat.info.source != NGX_RTMP_ROUTE_SRC_CONFIG
                   || ngx_rtmp_route_server_configured(route, &stat.info))
        {
            continue;
        }

        id.len = stat.info.id_len;
        id.data = stat.info.id;

        (void) ngx_rtmp_route_server_delete(&route->table, &id);
    }

    if (route->control == NULL) {
        ngx_rtmp_route_core_clear(&route->table);
    }
}


/* makes the table hold exactly these addresses for a server */

void
ngx_rtmp_route_server_sync(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n)
{
    ngx_int_t                      rc, refused;
    ngx_uint_t                     i, taken;
    ngx_rtmp_route_t              *route;
    ngx_rtmp_route_server_info_t   info;

    route = server->route;
    refused = NGX_OK;
    taken = 0;

    ngx_rtmp_route_owned_begin(route);

    ngx_rtmp_route_server_keep(server, addrs, n);

    for (i = 0; i < ngx_max(n, 1); i++) {

        ngx_rtmp_route_server_info(server, n ? &addrs[i] : NULL, n <= 1,
                                   &info);

        rc = ngx_rtmp_route_server_set(&route->table, &info, &server->params,
                                       NULL);

        if (rc == NGX_ABORT) {

            /* after a reload, which this process is about to be told of */

            goto done;
        }

        if (rc == NGX_BUSY) {
            refused = rc;

        } else if (rc == NGX_DECLINED) {
            taken++;
        }
    }

    if (server->info.source != NGX_RTMP_ROUTE_SRC_CORE) {

        if (taken && refused == NGX_OK) {
            refused = NGX_DECLINED;
        }

    } else if (taken && taken == n && !server->literal) {

        /* others have its addresses; by the name they are still found */

        ngx_rtmp_route_server_info(server, NULL, 1, &info);
        info.registrar = addrs[0];

        (void) ngx_rtmp_route_server_set(&route->table, &info, &server->params,
                                         NULL);
        n = 0;
    }

    ngx_rtmp_route_server_refused(server, refused);

    ngx_rtmp_route_server_part(server, addrs, n);

done:

    ngx_rtmp_route_owned_end(route);
}


/* names are looked up again and again, that is said once */

static void
ngx_rtmp_route_server_refused(ngx_rtmp_route_server_t *server, ngx_int_t rc)
{
    if (rc != NGX_OK && !server->refused) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      rc == NGX_BUSY
                          ? "cannot add server \"%V\" to route \"%V\", "
                            "zone is full"
                          : "cannot add server \"%V\" to route \"%V\", "
                            "its id is taken",
                      &server->name, &server->route->name);
    }

    server->refused = (rc != NGX_OK);
}


/*
 * An address that had the name alone has become one of several, or the other
 * way round: the server gets the other id and keeps its streams
 */

static void
ngx_rtmp_route_server_keep(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n)
{
    uint32_t                       cursor;
    ngx_str_t                      id, name;
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t   info;
    ngx_rtmp_route_server_stat_t   stat;

    cursor = 0;

    while (ngx_rtmp_route_owned_next(server, &cursor, &stat) == NGX_OK) {

        if (ngx_rtmp_route_server_wanted(server, addrs, n, &stat.info)) {
            continue;
        }

        i = ngx_rtmp_route_server_at(addrs, n, &stat.info);

        if (i == n) {
            continue;
        }

        ngx_rtmp_route_server_info(server, &addrs[i], n == 1, &info);

        id.len = stat.info.id_len;
        id.data = stat.info.id;
        name.len = info.id_len;
        name.data = info.id;

        (void) ngx_rtmp_route_server_rename(&server->route->table, &id, &name);
    }
}


/*
 * Those that the server has no longer.  An address that has come back while
 * the name had another one alone has two servers now, which become one.
 */

static void
ngx_rtmp_route_server_part(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n)
{
    uint32_t                       cursor;
    ngx_str_t                      id, name;
    ngx_uint_t                     i;
    ngx_rtmp_route_table_t        *table;
    ngx_rtmp_route_server_info_t   info;
    ngx_rtmp_route_server_stat_t   stat;

    table = &server->route->table;
    cursor = 0;

    while (ngx_rtmp_route_owned_next(server, &cursor, &stat) == NGX_OK) {

        if (ngx_rtmp_route_server_wanted(server, addrs, n, &stat.info)) {
            continue;
        }

        id.len = stat.info.id_len;
        id.data = stat.info.id;

        i = ngx_rtmp_route_server_at(addrs, n, &stat.info);

        if (i == n) {
            (void) ngx_rtmp_route_server_leave(table, &id);
            continue;
        }

        ngx_rtmp_route_server_info(server, &addrs[i], n == 1, &info);

        name.len = info.id_len;
        name.data = info.id;

        (void) ngx_rtmp_route_server_join(table, &id, &name);
    }
}


/* which of the addresses the server has; n: none of them */

static ngx_uint_t
ngx_rtmp_route_server_at(ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n,
    ngx_rtmp_route_server_info_t *info)
{
    ngx_uint_t  i, k;

    for (k = 0; k < NGX_RTMP_ROUTE_NPROTO; k++) {
        if (info->nendpoints[k]) {
            break;
        }
    }

    if (k == NGX_RTMP_ROUTE_NPROTO) {
        return n;
    }

    for (i = 0; i < n; i++) {
        if (ngx_rtmp_route_addr_equal(&info->endpoints[k][0], &addrs[i])) {
            break;
        }
    }

    return i;
}


/* whether the server with these addresses has one with that id */

static ngx_uint_t
ngx_rtmp_route_server_wanted(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n,
    ngx_rtmp_route_server_info_t *info)
{
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t   own;

    for (i = 0; i < ngx_max(n, 1); i++) {

        ngx_rtmp_route_server_info(server, n ? &addrs[i] : NULL, n <= 1, &own);

        if (own.id_len == info->id_len
            && ngx_memcmp(own.id, info->id, own.id_len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_rtmp_route_server_info(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addr, ngx_uint_t single,
    ngx_rtmp_route_server_info_t *info)
{
    u_char      *p;
    in_port_t    port;
    ngx_uint_t   i, k;

    *info = server->info;

    if (addr == NULL) {
        return;
    }

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        for (k = 0; k < info->nendpoints[i]; k++) {
            port = info->endpoints[i][k].port;
            info->endpoints[i][k] = *addr;
            info->endpoints[i][k].port = port;
        }
    }

    if (single) {
        return;
    }

    p = info->id + info->id_len;
    *p++ = '#';
    p = ngx_rtmp_route_endpoint_text(p, info->id + NGX_RTMP_ROUTE_ID_LEN,
                                     addr, 1);
    info->id_len = (u_char) (p - info->id);
}


/* the addresses that the table has of it, room for MAX_ADDRS is needed */

ngx_uint_t
ngx_rtmp_route_server_known(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs)
{
    uint32_t                       cursor;
    ngx_uint_t                     i, n;
    ngx_rtmp_route_server_stat_t   stat;

    n = 0;
    cursor = 0;

    ngx_rtmp_route_owned_begin(server->route);

    while (ngx_rtmp_route_owned_next(server, &cursor, &stat) == NGX_OK) {

        if (stat.info.gone) {
            continue;
        }

        for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
            if (stat.info.nendpoints[i] && stat.info.endpoints[i][0].family) {
                (void) ngx_rtmp_route_addrs_add(addrs, &n,
                                                &stat.info.endpoints[i][0]);
                break;
            }
        }
    }

    ngx_rtmp_route_owned_end(server->route);

    return n;
}


static ngx_uint_t
ngx_rtmp_route_server_configured(ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_info_t *info)
{
    ngx_uint_t                i;
    ngx_rtmp_route_server_t  *servers;

    servers = route->servers.elts;

    for (i = 0; i < route->servers.nelts; i++) {

        if (servers[i].info.origin_len == info->origin_len
            && ngx_memcmp(servers[i].info.origin, info->origin,
                          info->origin_len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * The addresses are kept in order, and of too many the first ones: whatever
 * the order of an answer is, all proxies have the same servers
 */

ngx_uint_t
ngx_rtmp_route_addrs_add(ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t *n,
    ngx_rtmp_route_endpoint_t *addr)
{
    ngx_int_t   rc;
    ngx_uint_t  i, last;

    for (i = *n; i > 0; i--) {
        rc = ngx_rtmp_route_addr_compare(addr, &addrs[i - 1]);

        if (rc == 0) {
            return 1;
        }

        if (rc > 0) {
            break;
        }
    }

    if (i == NGX_RTMP_ROUTE_MAX_ADDRS) {
        return 0;
    }

    last = (*n < NGX_RTMP_ROUTE_MAX_ADDRS);
    *n += last;

    ngx_memmove(&addrs[i + 1], &addrs[i],
                (*n - i - 1) * sizeof(ngx_rtmp_route_endpoint_t));

    addrs[i] = *addr;
    addrs[i].port = 0;

    return last;
}
