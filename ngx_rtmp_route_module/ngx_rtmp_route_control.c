
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"


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
ngx_rtmp_route_control_server_id(ngx_rtmp_route_t *route, ngx_str_t *name,
    ngx_str_t *id)
{
    uint32_t                       cursor;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_rtmp_route_server_stat_t   stat;

    rc = NGX_DECLINED;
    cursor = 0;

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        if (stat.info.source != NGX_RTMP_ROUTE_SRC_CORE
            || stat.info.origin_len != name->len
            || ngx_memcmp(stat.info.origin, name->data, name->len) != 0)
        {
            continue;
        }

        id->len = stat.info.id_len;
        ngx_memcpy(id->data, stat.info.id, stat.info.id_len);

        rc = NGX_OK;

        for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

            if (stat.info.nendpoints[i]
                && stat.info.endpoints[i][0].family)
            {
                return NGX_OK;
            }
        }
    }

    return rc;
}


uint32_t
ngx_rtmp_route_control_begin(ngx_rtmp_route_t *route)
{
    return ngx_rtmp_route_core_begin(&route->table);
}


ngx_int_t
ngx_rtmp_route_control_stream(ngx_rtmp_route_t *route, ngx_str_t *key,
    ngx_str_t *name, uint32_t list, ngx_msec_t ttl)
{
    u_char     buf[NGX_RTMP_ROUTE_ID_LEN];
    ngx_str_t  id;

    id.data = buf;

    if (ngx_rtmp_route_control_server_id(route, name, &id) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_core_set(&route->table, key, &id, list, ttl);
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
