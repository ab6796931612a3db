
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Servers that are addresses of a name.  An address that the name has no
 * longer is gone: what is there goes on, nothing new comes, and the server is
 * removed some time after its last session or connection.  The server whose
 * id is the name alone stays, with its pins and settings, when the name gets
 * another address: what is at the old one becomes another server then.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* ms after a session or connection */
#define NGX_RTMP_ROUTE_GONE_IDLE  6000

/*
 * Viewers of HTTP come again and again, and in between there is no connection:
 * ms after a request, which is more than a segment of most servers
 */
#define NGX_RTMP_ROUTE_GONE_FETCH 15000


static ngx_int_t ngx_rtmp_route_server_own(ngx_rtmp_route_table_t *table,
    ngx_str_t *id);
static ngx_uint_t ngx_rtmp_route_server_full_name(
    ngx_rtmp_route_server_info_t *info);
static ngx_rtmp_route_endpoint_t *ngx_rtmp_route_server_addr(
    ngx_rtmp_route_server_info_t *info);


ngx_int_t
ngx_rtmp_route_server_rename(ngx_rtmp_route_table_t *table, ngx_str_t *id,
    ngx_str_t *name)
{
    ngx_int_t                        i, rc;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params, given;

    sh = table->sh;

    if (name->len == 0 || name->len > NGX_RTMP_ROUTE_ID_LEN) {
        return NGX_DECLINED;
    }

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_own(table, id);

    if (i < 0) {
        rc = i;

    } else if (ngx_rtmp_route_server_find(sh, name->data, name->len)
               != NGX_ERROR)
    {
        rc = NGX_DECLINED;

    } else {
        rc = NGX_OK;

        hot = ngx_rtmp_route_hot(sh, i);
        cold = ngx_rtmp_route_cold(sh, i);

        info = cold->info[hot->active];
        params = cold->params[hot->active];
        given = cold->given[hot->active];

        info.id_len = (u_char) name->len;
        ngx_memcpy(info.id, name->data, name->len);

        ngx_rtmp_route_table_touch(sh);

        ngx_rtmp_route_server_unlink(sh, i);
        ngx_rtmp_route_server_write(sh, i, &info, &params, &given);
        ngx_rtmp_route_server_link(sh, i);

        sh->hosts_version++;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_server_leave(ngx_rtmp_route_table_t *table, ngx_str_t *id)
{
    ngx_int_t                        i, rc;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params, given;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_own(table, id);

    if (i < 0) {
        rc = i;
        goto done;
    }

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    info = cold->info[hot->active];
    params = cold->params[hot->active];
    given = cold->given[hot->active];

    if (info.gone) {
        rc = NGX_DONE;
        goto done;
    }

    rc = NGX_OK;

    if (ngx_rtmp_route_server_addr(&info) == NULL) {
        ngx_rtmp_route_server_drop(sh, i);
        goto done;
    }

    info.gone = 1;

    /* the name is for those that it has */

    (void) ngx_rtmp_route_server_full_name(&info);

    if (ngx_rtmp_route_server_find(sh, info.id, info.id_len) != NGX_ERROR) {
        info.id_len = (u_char) id->len;
        ngx_memcpy(info.id, id->data, id->len);
    }

    ngx_rtmp_route_table_touch(sh);

    ngx_rtmp_route_server_in_use(hot, NGX_RTMP_ROUTE_PLAY);

    ngx_rtmp_route_server_unlink(sh, i);
    ngx_rtmp_route_server_write(sh, i, &info, &params, &given);
    ngx_rtmp_route_server_link(sh, i);

    sh->hosts_version++;

done:

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_server_join(ngx_rtmp_route_table_t *table, ngx_str_t *id,
    ngx_str_t *into)
{
    ngx_int_t                        i, n, rc;
    ngx_rtmp_route_hot_t            *hot, *ohot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold, *ocold;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params, given, seen;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_own(table, into);
    n = ngx_rtmp_route_server_own(table, id);

    if (i < 0 || n < 0 || i == n) {
        rc = NGX_DECLINED;
        goto done;
    }

    rc = NGX_OK;

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    ohot = ngx_rtmp_route_hot(sh, n);
    ocold = ngx_rtmp_route_cold(sh, n);

    info = cold->info[hot->active];
    params = cold->params[hot->active];
    given = cold->given[hot->active];
    seen = ocold->given[ohot->active];

    ngx_rtmp_route_table_touch(sh);

    if (ngx_rtmp_route_server_merge(&params, &seen,
                                    &ocold->params[ohot->active]))
    {
        ngx_rtmp_route_server_write(sh, i, &info, &params, &given);
    }

    cold->selected += ocold->selected;
    cold->fails += ocold->fails;
    cold->unavail += ocold->unavail;
    cold->in += ocold->in;
    cold->out += ocold->out;

    /* first: who is killed leaves it to others */

    hot->adopt = 1;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_server_drop(sh, n);

    table->adopt = 1;
    table->wake = 1;

done:

    ngx_rtmp_route_table_unlock(table);

    if (table->adopt) {
        table->adopt = 0;
        ngx_rtmp_route_session_adopt_all(table);
    }

    return rc;
}


/* an index, or NGX_DECLINED: none that is ours; NGX_ABORT: as rename */

static ngx_int_t
ngx_rtmp_route_server_own(ngx_rtmp_route_table_t *table, ngx_str_t *id)
{
    ngx_int_t              i;
    ngx_rtmp_route_hot_t  *hot;

    if (table->config != table->sh->config) {
        return NGX_ABORT;
    }

    i = ngx_rtmp_route_server_find(table->sh, id->data, id->len);

    if (i == NGX_ERROR) {
        return NGX_DECLINED;
    }

    hot = ngx_rtmp_route_hot(table->sh, i);

    return (hot->source == NGX_RTMP_ROUTE_SRC_CONFIG
            || hot->source == NGX_RTMP_ROUTE_SRC_CORE) ? i : NGX_DECLINED;
}


/* whether the name of a server has another address now, or none */

ngx_uint_t
ngx_rtmp_route_server_moved(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info)
{
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_endpoint_t     *old, *new;
    ngx_rtmp_route_server_info_t  *own;

    hot = ngx_rtmp_route_hot(sh, i);
    own = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

    if (own->source != info->source
        || (info->source != NGX_RTMP_ROUTE_SRC_CONFIG
            && info->source != NGX_RTMP_ROUTE_SRC_CORE))
    {
        return 0;
    }

    old = ngx_rtmp_route_server_addr(own);
    new = ngx_rtmp_route_server_addr(info);

    return old && (new == NULL || !ngx_rtmp_route_addr_equal(old, new));
}


/*
 * The server is about to get another address.  Sessions that are at this one
 * are found by it, once the lock is free.
 */

void
ngx_rtmp_route_server_split(ngx_rtmp_route_table_t *table, ngx_uint_t i)
{
    ngx_int_t                        n;
    ngx_msec_t                       idle;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params, given;

    sh = table->sh;

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    idle = hot->idle;
    info = cold->info[hot->active];
    params = cold->params[hot->active];
    given = cold->given[hot->active];

    if ((hot->conns == 0
         && ngx_rtmp_route_passed(hot->idle) >= NGX_RTMP_ROUTE_GONE_IDLE)
        || !ngx_rtmp_route_server_full_name(&info))
    {
        return;
    }

    n = ngx_rtmp_route_server_find(sh, info.id, info.id_len);

    if (n != NGX_ERROR) {
        hot = ngx_rtmp_route_hot(sh, n);

        /* by a process that was killed before it changed the address */

        if (hot->flags & NGX_RTMP_ROUTE_SERVER_GONE) {
            hot->adopt = 1;
            table->adopt = 1;
        }

        return;
    }

    info.gone = 1;

    n = ngx_rtmp_route_server_add(table, &info, &params);
    if (n == NGX_ERROR) {
        return;
    }

    cold = ngx_rtmp_route_cold(sh, n);
    hot = ngx_rtmp_route_hot(sh, n);

    cold->given[hot->active] = given;

    hot->idle = idle;
    ngx_rtmp_route_server_in_use(hot, NGX_RTMP_ROUTE_PLAY);

    table->adopt = 1;
}


/* whether "#" and the address were added to the id, which is the name */

static ngx_uint_t
ngx_rtmp_route_server_full_name(ngx_rtmp_route_server_info_t *info)
{
    u_char                     *p, *last;
    ngx_rtmp_route_endpoint_t  *addr;

    addr = ngx_rtmp_route_server_addr(info);

    if (addr == NULL
        || info->id_len != info->origin_len
        || info->id_len > NGX_RTMP_ROUTE_ID_LEN - NGX_INET6_ADDRSTRLEN - 1
        || ngx_memcmp(info->id, info->origin, info->id_len) != 0)
    {
        return 0;
    }

    p = info->id + info->id_len;
    last = info->id + NGX_RTMP_ROUTE_ID_LEN;

    *p++ = '#';
    p = ngx_rtmp_route_endpoint_text(p, last, addr, 1);

    info->id_len = (u_char) (p - info->id);

    return 1;
}


/* all that a name stands for has the same; NULL: none yet */

static ngx_rtmp_route_endpoint_t *
ngx_rtmp_route_server_addr(ngx_rtmp_route_server_info_t *info)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

        if (info->nendpoints[i]) {
            return info->endpoints[i][0].family ? &info->endpoints[i][0]
                                                : NULL;
        }
    }

    return NULL;
}


uint32_t
ngx_rtmp_route_server_where(ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_endpoint_t *endpoint)
{
    uint32_t  place;

    if (info->origin_len) {
        place = ngx_murmur_hash2(info->origin, info->origin_len) * 0x9e3779b1
                ^ ngx_murmur_hash2(endpoint->addr, sizeof(endpoint->addr));

    } else {
        place = ngx_murmur_hash2(info->id, info->id_len);
    }

    return place ? place : 1;
}


/*
 * Whether a server may be taken that is no address of its name any more: for
 * what is there.  A stream that is live elsewhere, by another proxy, may be
 * there as well, so it is among those where it is searched for.
 */

ngx_uint_t
ngx_rtmp_route_server_gone_for(ngx_rtmp_route_query_t *query,
    ngx_uint_t purpose)
{
    if (purpose == NGX_RTMP_ROUTE_FOR_LIVE) {
        return 1;
    }

    if (query->op == NGX_RTMP_ROUTE_PUBLISH) {
        return 0;
    }

    return purpose == NGX_RTMP_ROUTE_FOR_KNOWN
           || (query->search && query->ntried);
}


void
ngx_rtmp_route_server_in_use(ngx_rtmp_route_hot_t *hot, ngx_uint_t op)
{
    ngx_msec_t  idle;

    idle = ngx_current_msec;

    if (op == NGX_RTMP_ROUTE_FETCH) {
        idle += NGX_RTMP_ROUTE_GONE_FETCH - NGX_RTMP_ROUTE_GONE_IDLE;
    }

    if ((ngx_msec_int_t) (idle - hot->idle) > 0) {
        hot->idle = idle;
    }
}


void
ngx_rtmp_route_server_reap(ngx_rtmp_route_table_t *table)
{
    u_char                         buf[NGX_RTMP_ROUTE_ID_LEN];
    ngx_str_t                      id;
    ngx_uint_t                     i;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_server_info_t  *info;

    sh = table->sh;
    i = 0;
    id.data = buf;

    do {
        id.len = 0;

        ngx_rtmp_route_table_lock(table);

        for ( /* void */ ; i < sh->server_top; i++) {
            hot = ngx_rtmp_route_hot(sh, i);

            if (!hot->valid || !(hot->flags & NGX_RTMP_ROUTE_SERVER_GONE)) {
                continue;
            }

            if (hot->conns || hot->adopt) {
                ngx_rtmp_route_server_in_use(hot, NGX_RTMP_ROUTE_PLAY);
                continue;
            }

            if (ngx_rtmp_route_passed(hot->idle) < NGX_RTMP_ROUTE_GONE_IDLE) {
                continue;
            }

            info = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

            id.len = info->id_len;
            ngx_memcpy(buf, info->id, info->id_len);

            ngx_rtmp_route_server_drop(sh, i);
            break;
        }

        ngx_rtmp_route_table_unlock(table);

        if (id.len) {
            ngx_log_error(NGX_LOG_NOTICE, table->log, 0,
                          "upstream server \"%V\" is removed: its name has "
                          "the address no longer, and nothing is there any "
                          "more%s", &id, table->shpool->log_ctx);
        }

    } while (id.len);
}
