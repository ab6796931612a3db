
/*
 * Copyright (C) The nginx-osp authors
 */


/* Which servers may replace which others, by id and by address. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"
#include "ngx_rtmp_route_addr.h"


static ngx_uint_t ngx_rtmp_route_server_owner(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t i, ngx_rtmp_route_server_info_t *info);


static uint64_t  ngx_rtmp_route_common_seed[2];


/* whether who comes with info may replace the server with the same id */

ngx_int_t
ngx_rtmp_route_server_allow(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info)
{
    ngx_rtmp_route_hot_t  *hot;

    hot = ngx_rtmp_route_hot(sh, i);

    if (info->source == NGX_RTMP_ROUTE_SRC_REGISTER) {

        if (hot->source == NGX_RTMP_ROUTE_SRC_CORE
            || (hot->source == NGX_RTMP_ROUTE_SRC_REGISTER
                && ngx_rtmp_route_server_owner(sh, i, info)))
        {
            return NGX_OK;
        }

        return NGX_DECLINED;
    }

    if (info->source == NGX_RTMP_ROUTE_SRC_CORE
        && hot->source != NGX_RTMP_ROUTE_SRC_CORE
        && !ngx_rtmp_route_server_expired(hot))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_server_owner(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info)
{
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_server_info_t  *old;

    hot = ngx_rtmp_route_hot(sh, i);
    old = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

    if (info->token && info->token == old->token) {
        return 1;
    }

    if (ngx_rtmp_route_addr_equal(&info->registrar, &old->registrar)
        || (info->registrar.family == 0 && old->registrar.family == 0))
    {
        return 1;
    }

    return ngx_rtmp_route_server_expired(hot)
           || ngx_rtmp_route_server_unavail(hot);
}


/* an address has one server: another one that registered it has restarted */

ngx_int_t
ngx_rtmp_route_server_displace(ngx_rtmp_route_table_t *table, ngx_int_t self,
    ngx_rtmp_route_server_info_t *info)
{
    uint64_t                       addrs;
    ngx_int_t                      i, found;
    ngx_uint_t                     pass;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_server_info_t  *old;

    sh = table->sh;

    if (self != NGX_ERROR) {
        old = &ngx_rtmp_route_cold(sh, self)
                                ->info[ngx_rtmp_route_hot(sh, self)->active];

        if (old->nendpoints[NGX_RTMP_ROUTE_RTMP]
            == info->nendpoints[NGX_RTMP_ROUTE_RTMP]
            && ngx_memcmp(old->endpoints[NGX_RTMP_ROUTE_RTMP],
                          info->endpoints[NGX_RTMP_ROUTE_RTMP],
                          sizeof(info->endpoints[NGX_RTMP_ROUTE_RTMP]))
               == 0)
        {
            return NGX_OK;
        }
    }

    addrs = ngx_rtmp_route_server_addrs(info);

    for (pass = 0, found = 0; pass < 1 + (ngx_uint_t) found; pass++) {

        for (i = 0; i < (ngx_int_t) sh->server_top; i++) {
            hot = ngx_rtmp_route_hot(sh, i);
            cold = ngx_rtmp_route_cold(sh, i);

            if (i == self
                || !hot->valid
                || hot->source != NGX_RTMP_ROUTE_SRC_REGISTER
                || !(cold->addrs & addrs)
                || !ngx_rtmp_route_server_same_rtmp(&cold->info[hot->active],
                                                    info))
            {
                continue;
            }

            if (pass) {
                ngx_rtmp_route_server_drop(sh, i);
                continue;
            }

            if (!ngx_rtmp_route_server_owner(sh, i, info)) {
                return NGX_DECLINED;
            }

            found = 1;
        }
    }

    return NGX_OK;
}


/* one of a control plane gives way to any other that has its address */

ngx_int_t
ngx_rtmp_route_server_unique(ngx_rtmp_route_shm_t *sh, ngx_int_t self,
    ngx_rtmp_route_server_info_t *info)
{
    uint64_t                       addrs;
    ngx_int_t                      i;
    ngx_uint_t                     pass, found;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_server_info_t  *old;

    if (info->nendpoints[NGX_RTMP_ROUTE_RTMP] == 0
        || info->endpoints[NGX_RTMP_ROUTE_RTMP][0].family == 0)
    {
        return NGX_OK;
    }

    if (self != NGX_ERROR) {
        hot = ngx_rtmp_route_hot(sh, self);
        old = &ngx_rtmp_route_cold(sh, self)->info[hot->active];

        if (old->source == info->source
            && !old->gone
            && old->nendpoints[NGX_RTMP_ROUTE_RTMP]
               == info->nendpoints[NGX_RTMP_ROUTE_RTMP]
            && ngx_memcmp(old->endpoints[NGX_RTMP_ROUTE_RTMP],
                          info->endpoints[NGX_RTMP_ROUTE_RTMP],
                          sizeof(info->endpoints[NGX_RTMP_ROUTE_RTMP]))
               == 0)
        {
            return NGX_OK;
        }
    }

    addrs = ngx_rtmp_route_server_addrs(info);
    found = 0;

    for (pass = 0; pass < 1 + found; pass++) {

        for (i = 0; i < (ngx_int_t) sh->server_top; i++) {
            hot = ngx_rtmp_route_hot(sh, i);
            cold = ngx_rtmp_route_cold(sh, i);

            if (i == self
                || !hot->valid
                || (info->source != NGX_RTMP_ROUTE_SRC_CORE
                    && hot->source != NGX_RTMP_ROUTE_SRC_CORE)
                || !(cold->addrs & addrs)
                || !ngx_rtmp_route_server_same_rtmp(&cold->info[hot->active],
                                                    info))
            {
                continue;
            }

            if (info->source == NGX_RTMP_ROUTE_SRC_CORE
                && (hot->flags & NGX_RTMP_ROUTE_SERVER_GONE))
            {
                continue;
            }

            if (pass) {
                ngx_rtmp_route_server_drop(sh, i);
                continue;
            }

            if (info->source == NGX_RTMP_ROUTE_SRC_CORE
                && !ngx_rtmp_route_server_expired(hot))
            {
                return NGX_DECLINED;
            }

            found = 1;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_server_named(ngx_rtmp_route_table_t *table, ngx_str_t *name,
    ngx_str_t *id)
{
    ngx_int_t                      i, own, other;
    ngx_uint_t                     k;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_endpoint_t      addr;
    ngx_rtmp_route_server_info_t  *info;

    sh = table->sh;
    own = NGX_ERROR;
    other = NGX_ERROR;

    if (ngx_rtmp_route_addr_parse(name, &addr) != NGX_OK) {
        addr.family = 0;
    }

    ngx_rtmp_route_table_lock(table);

    /* most of them have one address */

    i = ngx_rtmp_route_server_find(sh, name->data, name->len);

    if (i != NGX_ERROR
        && ngx_rtmp_route_hot(sh, i)->resolved
        && !(ngx_rtmp_route_hot(sh, i)->flags & NGX_RTMP_ROUTE_SERVER_GONE))
    {
        own = i;
        goto found;
    }

again:

    for (i = 0; i < (ngx_int_t) sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid || (hot->flags & NGX_RTMP_ROUTE_SERVER_FORCED)) {
            continue;
        }

        info = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

        if (info->host_len == name->len
            && ngx_strncasecmp(info->host, name->data, name->len) == 0)
        {
            if (hot->source != NGX_RTMP_ROUTE_SRC_CORE) {
                other = i;

            } else if (hot->resolved
                       && !(hot->flags & NGX_RTMP_ROUTE_SERVER_GONE))
            {
                own = i;
                break;

            } else if (own == NGX_ERROR
                       || (hot->resolved
                           && !ngx_rtmp_route_hot(sh, own)->resolved))
            {
                own = i;
            }
        }

        if (other != NGX_ERROR || addr.family == 0) {
            continue;
        }

        for (k = 0; k < info->nendpoints[NGX_RTMP_ROUTE_RTMP]; k++) {

            if (ngx_rtmp_route_addr_equal(&addr,
                                  &info->endpoints[NGX_RTMP_ROUTE_RTMP][k]))
            {
                other = i;
            }
        }
    }

    /* a name whose address another one has */

    if (own != NGX_ERROR && other == NGX_ERROR && addr.family == 0
        && !ngx_rtmp_route_hot(sh, own)->resolved)
    {
        hot = ngx_rtmp_route_hot(sh, own);
        addr = ngx_rtmp_route_cold(sh, own)->info[hot->active].registrar;

        if (addr.family) {
            goto again;
        }
    }

    if (other != NGX_ERROR
        && (own == NGX_ERROR || !ngx_rtmp_route_hot(sh, own)->resolved))
    {
        own = other;
    }

found:

    if (own != NGX_ERROR) {
        hot = ngx_rtmp_route_hot(sh, own);
        info = &ngx_rtmp_route_cold(sh, own)->info[hot->active];

        id->len = info->id_len;
        ngx_memcpy(id->data, info->id, info->id_len);
    }

    ngx_rtmp_route_table_unlock(table);

    return (own == NGX_ERROR) ? NGX_DECLINED : NGX_OK;
}


ngx_uint_t
ngx_rtmp_route_server_same_rtmp(ngx_rtmp_route_server_info_t *a,
    ngx_rtmp_route_server_info_t *b)
{
    ngx_uint_t                  i, k;
    ngx_rtmp_route_endpoint_t  *e, *f;

    for (i = 0; i < a->nendpoints[NGX_RTMP_ROUTE_RTMP]; i++) {
        e = &a->endpoints[NGX_RTMP_ROUTE_RTMP][i];

        for (k = 0; k < b->nendpoints[NGX_RTMP_ROUTE_RTMP]; k++) {
            f = &b->endpoints[NGX_RTMP_ROUTE_RTMP][k];

            if (e->port == f->port && ngx_rtmp_route_addr_equal(e, f)) {
                return 1;
            }
        }
    }

    return 0;
}


/* a bit for each rtmp address, to pass by most servers without a look */

uint64_t
ngx_rtmp_route_server_addrs(ngx_rtmp_route_server_info_t *info)
{
    u_char                      buf[18];
    uint64_t                    addrs;
    ngx_uint_t                  i;
    ngx_rtmp_route_endpoint_t  *e;

    addrs = 0;

    for (i = 0; i < info->nendpoints[NGX_RTMP_ROUTE_RTMP]; i++) {
        e = &info->endpoints[NGX_RTMP_ROUTE_RTMP][i];

        ngx_memzero(buf, sizeof(buf));
        ngx_memcpy(buf, e->addr, (e->family == AF_INET) ? 4 : 16);
        buf[16] = (u_char) (e->port >> 8);
        buf[17] = (u_char) e->port;

        addrs |= (uint64_t) 1
                 << (ngx_rtmp_route_siphash(ngx_rtmp_route_common_seed, buf,
                                            sizeof(buf))
                     & 63);
    }

    return addrs;
}
