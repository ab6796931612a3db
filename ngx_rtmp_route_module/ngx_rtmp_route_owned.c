
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Which servers of the table stand for which of the configuration or of a
 * control plane.  The ids are collected in one walk and found by their origin;
 * what is said of a server comes from the table each time.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"


typedef struct ngx_rtmp_route_owned_s  ngx_rtmp_route_owned_t;

struct ngx_rtmp_route_owned_s {
    ngx_rtmp_route_owned_t  *next;
    ngx_str_t                id;
};


typedef struct {
    ngx_str_node_t           sn;         /* the origin */
    ngx_rtmp_route_owned_t  *first;
} ngx_rtmp_route_origin_t;


static void ngx_rtmp_route_owned_make(ngx_rtmp_route_t *route);
static ngx_int_t ngx_rtmp_route_owned_add(ngx_rtmp_route_owners_t *owners,
    ngx_rtmp_route_server_info_t *info);
static ngx_uint_t ngx_rtmp_route_owned_match(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_server_info_t *info);


void
ngx_rtmp_route_owned_begin(ngx_rtmp_route_t *route)
{
    if (route->owners.runs++ == 0) {
        ngx_rtmp_route_owned_make(route);
    }
}


static void
ngx_rtmp_route_owned_make(ngx_rtmp_route_t *route)
{
    uint32_t                       cursor, version;
    ngx_rtmp_route_owners_t       *owners;
    ngx_rtmp_route_server_stat_t   stat;

    owners = &route->owners;

    /* before the walk: what changes meanwhile is seen next time */

    version = ngx_rtmp_route_hosts_version(&route->table);

    if (owners->pool && owners->version == version) {
        return;
    }

    ngx_rtmp_route_owned_free(route);

    owners->pool = ngx_create_pool(4096, ngx_cycle->log);
    if (owners->pool == NULL) {
        return;
    }

    ngx_rbtree_init(&owners->tree, &owners->sentinel,
                    ngx_str_rbtree_insert_value);

    owners->version = version;
    cursor = 0;

    while (ngx_rtmp_route_server_walk_named(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        if (ngx_rtmp_route_owned_add(owners, &stat.info) != NGX_OK) {
            ngx_rtmp_route_owned_free(route);
            return;
        }
    }
}


static ngx_int_t
ngx_rtmp_route_owned_add(ngx_rtmp_route_owners_t *owners,
    ngx_rtmp_route_server_info_t *info)
{
    uint32_t                  hash;
    ngx_str_t                 name;
    ngx_rtmp_route_owned_t   *owned;
    ngx_rtmp_route_origin_t  *origin;

    name.len = info->origin_len;
    name.data = info->origin;

    hash = ngx_crc32_long(name.data, name.len);

    origin = (ngx_rtmp_route_origin_t *)
                         ngx_str_rbtree_lookup(&owners->tree, &name, hash);

    if (origin == NULL) {
        origin = ngx_pcalloc(owners->pool, sizeof(ngx_rtmp_route_origin_t));
        if (origin == NULL) {
            return NGX_ERROR;
        }

        origin->sn.node.key = hash;
        origin->sn.str.len = name.len;
        origin->sn.str.data = ngx_pstrdup(owners->pool, &name);

        if (origin->sn.str.data == NULL) {
            return NGX_ERROR;
        }

        ngx_rbtree_insert(&owners->tree, &origin->sn.node);
    }

    owned = ngx_palloc(owners->pool, sizeof(ngx_rtmp_route_owned_t));
    if (owned == NULL) {
        return NGX_ERROR;
    }

    name.len = info->id_len;
    name.data = info->id;

    owned->id.len = name.len;
    owned->id.data = ngx_pstrdup(owners->pool, &name);

    if (owned->id.data == NULL) {
        return NGX_ERROR;
    }

    owned->next = origin->first;
    origin->first = owned;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_owned_next(ngx_rtmp_route_server_t *server, uint32_t *cursor,
    ngx_rtmp_route_server_stat_t *stat)
{
    uint32_t                  n;
    ngx_str_t                 name;
    ngx_rtmp_route_t         *route;
    ngx_rtmp_route_owned_t   *owned;
    ngx_rtmp_route_origin_t  *origin;

    route = server->route;

    if (route->owners.pool == NULL) {

        /* there was no memory for it */

        while (ngx_rtmp_route_server_walk_named(&route->table, cursor, stat)
               == NGX_OK)
        {
            if (ngx_rtmp_route_owned_match(server, &stat->info)) {
                return NGX_OK;
            }
        }

        return NGX_DONE;
    }

    name.len = server->info.origin_len;
    name.data = server->info.origin;

    origin = (ngx_rtmp_route_origin_t *)
                 ngx_str_rbtree_lookup(&route->owners.tree, &name,
                                       ngx_crc32_long(name.data, name.len));

    owned = origin ? origin->first : NULL;

    for (n = 0; owned; owned = owned->next) {

        if (n++ < *cursor) {
            continue;
        }

        *cursor = n;

        /* it may have gone, and its id to another one */

        if (ngx_rtmp_route_server_get(&route->table, &owned->id, stat)
            == NGX_OK
            && ngx_rtmp_route_owned_match(server, &stat->info))
        {
            return NGX_OK;
        }
    }

    return NGX_DONE;
}


static ngx_uint_t
ngx_rtmp_route_owned_match(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_server_info_t *info)
{
    return info->source == server->info.source
           && info->origin_len == server->info.origin_len
           && ngx_memcmp(info->origin, server->info.origin, info->origin_len)
              == 0;
}


void
ngx_rtmp_route_owned_end(ngx_rtmp_route_t *route)
{
    route->owners.runs--;
}


void
ngx_rtmp_route_owned_free(ngx_rtmp_route_t *route)
{
    if (route->owners.pool) {
        ngx_destroy_pool(route->owners.pool);
        route->owners.pool = NULL;
    }
}
