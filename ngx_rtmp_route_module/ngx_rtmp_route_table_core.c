
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What a control plane says of streams.  Its list of all that are live comes
 * again and again: each has a number, and what the last list has not named is
 * forgotten.  Its answers about one stream are good for a time.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_int_t ngx_rtmp_route_core_step(ngx_rtmp_route_table_t *table,
    uint32_t list, uint32_t *cursor, ngx_uint_t checked);
static void ngx_rtmp_route_core_drop(ngx_rtmp_route_shm_t *sh, uint32_t i);


uint32_t
ngx_rtmp_route_core_begin(ngx_rtmp_route_table_t *table)
{
    uint32_t               list;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (table->config == sh->config) {
        list = sh->core + 1;
        list = list ? list : 1;
        sh->core = list;

    } else {
        list = 0;
    }

    ngx_rtmp_route_table_unlock(table);

    return list;
}


ngx_int_t
ngx_rtmp_route_core_set(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_str_t *server, uint32_t list, ngx_msec_t ttl)
{
    uint32_t                       i;
    ngx_int_t                      rc;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (ttl == 0 && sh->core != list) {
        rc = NGX_ABORT;
        goto done;
    }

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    if (i && ttl) {

        /* a search has found where it really is */

        st = ngx_rtmp_route_stream(sh, i);

        if (st->server_seq
            && ngx_rtmp_route_stream_from(st) == NGX_RTMP_ROUTE_FROM_FOUND)
        {
            rc = NGX_DONE;
            goto done;
        }
    }

    rc = ngx_rtmp_route_stream_set_locked(table, key, server,
                                          NGX_RTMP_ROUTE_FROM_CORE);

    if (rc != NGX_OK && rc != NGX_DONE) {
        goto done;
    }

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i == 0) {
        goto done;
    }

    st = ngx_rtmp_route_stream(sh, i);

    if (ngx_rtmp_route_stream_from(st) != NGX_RTMP_ROUTE_FROM_CORE) {
        goto done;
    }

    /* the mark is none of the derived fields: any mix of the two will pass */

    if (ttl) {
        st->core = (uint32_t) (ngx_current_msec + ttl);
        ngx_memory_barrier();
        st->flags |= NGX_RTMP_ROUTE_STREAM_CHECKED;

    } else {
        st->core = list;
        ngx_memory_barrier();
        st->flags &= ~NGX_RTMP_ROUTE_STREAM_CHECKED;
    }

done:

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


void
ngx_rtmp_route_core_forget(ngx_rtmp_route_table_t *table, ngx_str_t *key)
{
    uint32_t               i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    if (i
        && ngx_rtmp_route_stream_from(ngx_rtmp_route_stream(sh, i))
           == NGX_RTMP_ROUTE_FROM_CORE)
    {
        ngx_rtmp_route_core_drop(sh, i);
    }

    ngx_rtmp_route_table_unlock(table);
}


ngx_int_t
ngx_rtmp_route_core_end(ngx_rtmp_route_table_t *table, uint32_t list,
    uint32_t *cursor)
{
    return ngx_rtmp_route_core_step(table, list, cursor, 0);
}


void
ngx_rtmp_route_core_clear(ngx_rtmp_route_table_t *table)
{
    uint32_t  list, cursor;

    list = ngx_rtmp_route_core_begin(table);
    cursor = 0;

    while (ngx_rtmp_route_core_step(table, list, &cursor, 1) == NGX_AGAIN) {
        /* void */
    }
}


static ngx_int_t
ngx_rtmp_route_core_step(ngx_rtmp_route_table_t *table, uint32_t list,
    uint32_t *cursor, ngx_uint_t checked)
{
    uint32_t                       i, last;
    ngx_int_t                      rc;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = *cursor;
    rc = ngx_rtmp_route_cells_step(sh, i, NGX_RTMP_ROUTE_WALK, &last)
         ? NGX_AGAIN : NGX_OK;

    /* a newer list has begun in a successor of this process */

    if (sh->core != list) {
        rc = NGX_OK;
        last = i;
    }

    while (i < last) {
        st = ngx_rtmp_route_stream(sh, ++i);

        if (st->type == NGX_RTMP_ROUTE_CELL_STREAM
            && !(st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
            && ngx_rtmp_route_stream_from(st) == NGX_RTMP_ROUTE_FROM_CORE
            && ((st->flags & NGX_RTMP_ROUTE_STREAM_CHECKED)
                ? checked : (st->core != list)))
        {
            ngx_rtmp_route_core_drop(sh, i);
        }
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


static void
ngx_rtmp_route_core_drop(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    ngx_rtmp_route_table_touch(sh);
    ngx_rtmp_route_table_changed(sh);

    ngx_rtmp_route_stream_count(sh, st, -1);

    st->server_seq = 0;
    ngx_rtmp_route_point();
    st->flags &= ~(NGX_RTMP_ROUTE_STREAM_FROM|NGX_RTMP_ROUTE_STREAM_CHECKED);
    ngx_rtmp_route_point();

    ngx_rtmp_route_stream_count(sh, st, 1);

    (void) ngx_rtmp_route_stream_settle(sh, i);
}


ngx_int_t
ngx_rtmp_route_core_state(ngx_rtmp_route_table_t *table, ngx_str_t *key)
{
    uint32_t                       i;
    ngx_int_t                      rc;
    ngx_uint_t                     server;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;
    rc = NGX_DECLINED;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    if (i) {
        st = ngx_rtmp_route_stream(sh, i);

        if (ngx_rtmp_route_stream_known(st)) {
            rc = NGX_OK;

            if ((st->flags & NGX_RTMP_ROUTE_STREAM_CHECKED)
                && ngx_rtmp_route_stream_source(sh, st, &server)
                   == NGX_RTMP_ROUTE_FROM_CORE
                && (int32_t) ((uint32_t) ngx_current_msec - st->core) >= 0)
            {
                rc = NGX_AGAIN;
            }
        }
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


void
ngx_rtmp_route_table_wake(ngx_rtmp_route_table_t *table)
{
    ngx_rtmp_route_table_lock(table);

    table->wake = 1;

    ngx_rtmp_route_table_unlock(table);
}
