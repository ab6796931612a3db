
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_addr.h"


/* of an id that leaves room for "#" and an address */
#define NGX_RTMP_ROUTE_NAMED_LEN                                              \
    (NGX_RTMP_ROUTE_ID_LEN - NGX_INET6_ADDRSTRLEN - 1)


/* a server of the control plane, in the first worker */

typedef struct {
    ngx_str_node_t              sn;         /* the name */
    ngx_rtmp_route_server_t     server;
    ngx_queue_t                 queue;
    ngx_rtmp_route_endpoint_t   addr;       /* if it is one */
    u_char                      name[NGX_RTMP_ROUTE_HOST_LEN];
    unsigned                    listed:1;
    unsigned                    started:1;
} ngx_rtmp_route_named_t;


static ngx_rtmp_route_named_t *ngx_rtmp_route_control_find(
    ngx_rtmp_route_t *route, ngx_str_t *name);
static ngx_rtmp_route_named_t *ngx_rtmp_route_control_new(
    ngx_rtmp_route_t *route, ngx_str_t *name);
static void ngx_rtmp_route_control_set(ngx_rtmp_route_named_t *named,
    ngx_rtmp_route_control_server_t *server);
static void ngx_rtmp_route_control_sync(ngx_rtmp_route_named_t *named);
static ngx_uint_t ngx_rtmp_route_control_held(ngx_rtmp_route_named_t *named,
    ngx_rtmp_route_endpoint_t *addrs);
static void ngx_rtmp_route_control_free(ngx_rtmp_route_named_t *named);
static void ngx_rtmp_route_control_clean(ngx_rtmp_route_t *route);
static void ngx_rtmp_route_control_stay(ngx_rtmp_route_t *route,
    ngx_str_t *key, ngx_str_t *name, ngx_str_t *id);


ngx_int_t
ngx_rtmp_route_set_control(ngx_rtmp_route_t *route,
    ngx_rtmp_route_control_t *control)
{
    if (route->control) {
        return NGX_DECLINED;
    }

    route->control = control;

    return NGX_OK;
}


void
ngx_rtmp_route_wake(ngx_rtmp_route_t *route)
{
    ngx_rtmp_route_table_wake(&route->table);
}


ngx_int_t
ngx_rtmp_route_control_servers(ngx_rtmp_route_t *route,
    ngx_rtmp_route_control_server_t *servers, ngx_uint_t n)
{
    ngx_uint_t                        i;
    ngx_queue_t                      *q, *next;
    ngx_rtmp_route_named_t           *named;
    ngx_rtmp_route_control_server_t  *server;

    /* after a reload it is the successor's */

    if (!ngx_rtmp_route_table_current(&route->table)) {
        return NGX_OK;
    }

    for (q = ngx_queue_head(&route->named);
         q != ngx_queue_sentinel(&route->named);
         q = ngx_queue_next(q))
    {
        named = ngx_queue_data(q, ngx_rtmp_route_named_t, queue);
        named->listed = 0;
    }

    for (i = 0; i < n; i++) {
        server = &servers[i];

        named = ngx_rtmp_route_control_find(route, &server->name);

        if (named == NULL) {
            named = ngx_rtmp_route_control_new(route, &server->name);
        }

        if (named == NULL) {
            goto failed;
        }

        /* the first of several with the same name */

        if (!named->listed) {
            named->listed = 1;
            ngx_rtmp_route_control_set(named, server);
        }
    }

    for (q = ngx_queue_head(&route->named);
         q != ngx_queue_sentinel(&route->named);
         q = next)
    {
        next = ngx_queue_next(q);
        named = ngx_queue_data(q, ngx_rtmp_route_named_t, queue);

        if (!named->listed) {
            ngx_rtmp_route_control_free(named);
        }
    }

    ngx_rtmp_route_control_clean(route);

    ngx_rtmp_route_owned_begin(route);

    for (q = ngx_queue_head(&route->named);
         q != ngx_queue_sentinel(&route->named);
         q = ngx_queue_next(q))
    {
        named = ngx_queue_data(q, ngx_rtmp_route_named_t, queue);

        ngx_rtmp_route_control_sync(named);
    }

    ngx_rtmp_route_owned_end(route);

    return NGX_OK;

failed:

    /* what was new is in nobody's way */

    for (q = ngx_queue_head(&route->named);
         q != ngx_queue_sentinel(&route->named);
         q = next)
    {
        next = ngx_queue_next(q);
        named = ngx_queue_data(q, ngx_rtmp_route_named_t, queue);

        if (!named->started) {
            ngx_rtmp_route_control_free(named);
        }
    }

    return NGX_ERROR;
}


static ngx_rtmp_route_named_t *
ngx_rtmp_route_control_find(ngx_rtmp_route_t *route, ngx_str_t *name)
{
    return (ngx_rtmp_route_named_t *)
               ngx_str_rbtree_lookup(&route->names, name,
                                     ngx_crc32_long(name->data, name->len));
}


static ngx_rtmp_route_named_t *
ngx_rtmp_route_control_new(ngx_rtmp_route_t *route, ngx_str_t *name)
{
    u_char                          *p;
    ngx_rtmp_route_named_t          *named;
    ngx_rtmp_route_server_t         *server;
    ngx_rtmp_route_server_info_t    *info;
    ngx_rtmp_route_server_params_t  *params;

    named = ngx_calloc(sizeof(ngx_rtmp_route_named_t), ngx_cycle->log);
    if (named == NULL) {
        return NULL;
    }

    server = &named->server;
    info = &server->info;
    params = &server->params;

    server->route = route;
    server->name.len = ngx_min(name->len, NGX_RTMP_ROUTE_HOST_LEN);
    server->name.data = named->name;
    ngx_memcpy(named->name, name->data, server->name.len);

    info->source = NGX_RTMP_ROUTE_SRC_CORE;
    info->host_len = (u_char) server->name.len;
    ngx_memcpy(info->host, named->name, server->name.len);

    /* leaves room for "#" and an address */

    p = ngx_cpymem(info->id, named->name,
                   ngx_min(server->name.len, NGX_RTMP_ROUTE_NAMED_LEN));

    if (server->name.len > NGX_RTMP_ROUTE_NAMED_LEN) {
        p = ngx_sprintf(p - 9, "~%08xD",
                        ngx_crc32_long(named->name, server->name.len));
    }

    info->id_len = (u_char) (p - info->id);
    info->origin_len = info->id_len;
    ngx_memcpy(info->origin, info->id, info->id_len);

    params->weight = 1;
    params->max_fails = 1;
    params->fail_timeout = 10000;

    if (ngx_rtmp_route_addr_parse(&server->name, &named->addr) == NGX_OK) {
        server->addrs = &named->addr;
        server->naddrs = 1;
        server->literal = 1;
    }

    named->sn.str = server->name;
    named->sn.node.key = ngx_crc32_long(named->name, server->name.len);

    ngx_rbtree_insert(&route->names, &named->sn.node);
    ngx_queue_insert_tail(&route->named, &named->queue);

    return named;
}


static void
ngx_rtmp_route_control_set(ngx_rtmp_route_named_t *named,
    ngx_rtmp_route_control_server_t *server)
{
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t  *info;

    info = &named->server.info;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        info->nendpoints[i] = (server->ports[i] != 0);
        info->endpoints[i][0].port = server->ports[i];
    }

    named->server.params.down = server->down;
}


static void
ngx_rtmp_route_control_sync(ngx_rtmp_route_named_t *named)
{
    ngx_uint_t                  n;
    ngx_rtmp_route_server_t    *server;
    ngx_rtmp_route_endpoint_t   addrs[NGX_RTMP_ROUTE_MAX_ADDRS];

    server = &named->server;

    if (server->literal) {
        ngx_rtmp_route_server_sync(server, server->addrs, 1);

    } else {

        /* those that were found before, perhaps by another process */

        n = ngx_rtmp_route_server_known(server, addrs);

        if (n == 0) {
            n = ngx_rtmp_route_control_held(named, addrs);
        }

        ngx_rtmp_route_server_sync(server, addrs, n);
    }

    if (!named->started) {
        named->started = 1;
        ngx_rtmp_route_server_start(server);
    }
}


/* an address that another server had, which may be gone by now */

static ngx_uint_t
ngx_rtmp_route_control_held(ngx_rtmp_route_named_t *named,
    ngx_rtmp_route_endpoint_t *addrs)
{
    ngx_str_t                      id;
    ngx_rtmp_route_server_stat_t   stat;

    id.len = named->server.info.id_len;
    id.data = named->server.info.id;

    if (ngx_rtmp_route_server_get(&named->server.route->table, &id, &stat)
        != NGX_OK
        || stat.info.source != NGX_RTMP_ROUTE_SRC_CORE
        || stat.info.registrar.family == 0)
    {
        return 0;
    }

    addrs[0] = stat.info.registrar;

    return 1;
}


static void
ngx_rtmp_route_control_free(ngx_rtmp_route_named_t *named)
{
    ngx_rtmp_route_server_stop(&named->server);

    ngx_queue_remove(&named->queue);
    ngx_rbtree_delete(&named->server.route->names, &named->sn.node);

    ngx_free(named);
}


/* they outlive configurations, and so are not of a pool */

void
ngx_rtmp_route_control_exit(ngx_rtmp_route_t *route)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&route->named)) {
        q = ngx_queue_head(&route->named);

        ngx_rtmp_route_control_free(ngx_queue_data(q, ngx_rtmp_route_named_t,
                                                   queue));
    }

    ngx_rtmp_route_owned_free(route);
}


/* servers of the control plane that it names no longer */

static void
ngx_rtmp_route_control_clean(ngx_rtmp_route_t *route)
{
    uint32_t                       cursor;
    ngx_str_t                      id, name;
    ngx_rtmp_route_server_stat_t   stat;

    cursor = 0;

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        name.len = stat.info.host_len;
        name.data = stat.info.host;

        if (stat.info.source != NGX_RTMP_ROUTE_SRC_CORE
            || ngx_rtmp_route_control_find(route, &name))
        {
            continue;
        }

        id.len = stat.info.id_len;
        id.data = stat.info.id;

        (void) ngx_rtmp_route_server_delete(&route->table, &id);
    }
}


ngx_int_t
ngx_rtmp_route_control_server_id(ngx_rtmp_route_t *route, ngx_str_t *name,
    ngx_str_t *id)
{
    return ngx_rtmp_route_server_named(&route->table, name, id);
}


ngx_uint_t
ngx_rtmp_route_control_count(ngx_rtmp_route_t *route)
{
    uint32_t                       cursor;
    ngx_uint_t                     n;
    ngx_rtmp_route_server_stat_t   stat;

    n = 0;
    cursor = 0;

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        n += (stat.info.source == NGX_RTMP_ROUTE_SRC_CORE);
    }

    return n;
}


ngx_resolver_t *
ngx_rtmp_route_control_resolver(ngx_rtmp_route_t *route, ngx_msec_t *timeout)
{
    *timeout = route->resolver_timeout;

    return route->resolver;
}


uint32_t
ngx_rtmp_route_control_begin(ngx_rtmp_route_t *route)
{
    return ngx_rtmp_route_core_begin(&route->table);
}


ngx_int_t
ngx_rtmp_route_control_stream(ngx_rtmp_route_t *route, ngx_str_t *key,
    ngx_rtmp_route_control_name_t *server, uint32_t list, ngx_msec_t ttl)
{
    u_char      buf[NGX_RTMP_ROUTE_ID_LEN];
    uint32_t    version;
    ngx_str_t   id, *name;

    name = &server->name;

    version = ngx_rtmp_route_hosts_version(&route->table);

    if (server->version != version) {
        server->version = version;

        id.data = server->id;

        server->id_len = (ngx_rtmp_route_control_server_id(route, name, &id)
                          == NGX_OK) ? id.len : 0;
    }

    if (server->id_len == 0) {
        return NGX_DECLINED;
    }

    id.len = server->id_len;
    id.data = buf;
    ngx_memcpy(buf, server->id, id.len);

    /* of several with that name it stays on the one that it is on */

    if (id.len != name->len || ngx_memcmp(id.data, name->data, id.len) != 0) {
        ngx_rtmp_route_control_stay(route, key, name, &id);
    }

    return ngx_rtmp_route_core_set(&route->table, key, &id, list, ttl);
}


static void
ngx_rtmp_route_control_stay(ngx_rtmp_route_t *route, ngx_str_t *key,
    ngx_str_t *name, ngx_str_t *id)
{
    ngx_rtmp_route_server_stat_t  server;
    ngx_rtmp_route_stream_stat_t  stream;

    if (ngx_rtmp_route_stream_get(&route->table, key, &stream) != NGX_OK
        || stream.server.len == 0
        || ngx_rtmp_route_server_get(&route->table, &stream.server, &server)
           != NGX_OK
        || server.info.source != NGX_RTMP_ROUTE_SRC_CORE
        || server.state == NGX_RTMP_ROUTE_UNRESOLVED
        || server.info.host_len != name->len
        || ngx_memcmp(server.info.host, name->data, name->len) != 0)
    {
        return;
    }

    id->len = stream.server.len;
    ngx_memcpy(id->data, stream.server.data, id->len);
}


ngx_int_t
ngx_rtmp_route_control_end(ngx_rtmp_route_t *route, uint32_t list,
    uint32_t *cursor)
{
    return ngx_rtmp_route_core_end(&route->table, list, cursor);
}


void
ngx_rtmp_route_control_forget(ngx_rtmp_route_t *route, ngx_str_t *key)
{
    ngx_rtmp_route_core_forget(&route->table, key);
}
