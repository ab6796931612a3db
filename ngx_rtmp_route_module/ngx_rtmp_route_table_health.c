
/*
 * Copyright (C) The nginx-osp authors
 */


/* What health checks have found of servers. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


ngx_int_t
ngx_rtmp_route_health_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_uint_t health)
{
    ngx_int_t              rc;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (ref->index >= sh->server_top
        || !ngx_rtmp_route_server_is(sh, ref->index, ref->seq))
    {
        rc = NGX_DECLINED;

    } else {
        hot = ngx_rtmp_route_hot(sh, ref->index);

        if (hot->health == health) {
            rc = NGX_DONE;

        } else {
            rc = NGX_OK;

            if (hot->health == NGX_RTMP_ROUTE_HEALTH_DOWN) {
                table->wake = 1;
            }

            hot->health = (u_char) health;
        }
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}
