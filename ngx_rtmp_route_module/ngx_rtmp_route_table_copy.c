
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


typedef struct {
    ngx_rtmp_route_table_t          *table;
    ngx_rtmp_route_shm_t            *osh;
    uint32_t                        *servers;     /* index in table + 1 */
} ngx_rtmp_route_copy_t;


static ngx_int_t ngx_rtmp_route_copy_all(ngx_rtmp_route_copy_t *ctx);
static void ngx_rtmp_route_copy_server(ngx_rtmp_route_copy_t *ctx,
    ngx_uint_t n);
static ngx_int_t ngx_rtmp_route_copy_stream(ngx_rtmp_route_copy_t *ctx,
    uint32_t n);


/*
 * Servers and remembered streams are copied; sessions and counted connections
 * are not: their processes go on with the old zone.
 */

ngx_int_t
ngx_rtmp_route_table_copy(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_table_t *old)
{
    size_t                  size;
    ngx_int_t               rc;
    ngx_uint_t              locked;
    ngx_rtmp_route_shm_t   *osh;
    ngx_rtmp_route_copy_t   ctx;

    osh = old->sh;

    ctx.table = table;

    ctx.servers = ngx_calloc(osh->nservers * sizeof(uint32_t), table->log);
    if (ctx.servers == NULL) {
        return NGX_ERROR;
    }

    ngx_rtmp_route_table_lock(old);

    /* from a snapshot, so that workers do not wait for all of it */

    size = osh->cells + osh->top * sizeof(ngx_rtmp_route_cell_t);

    ctx.osh = ngx_alloc(size, table->log);

    if (ctx.osh) {
        ngx_memcpy(ctx.osh, osh, size);
        ngx_rtmp_route_table_unlock(old);
        locked = 0;

    } else {
        ctx.osh = osh;
        locked = 1;
    }

    ngx_rtmp_route_table_lock(table);

    rc = ngx_rtmp_route_copy_all(&ctx);

    ngx_rtmp_route_table_unlock(table);

    if (locked) {
        ngx_rtmp_route_table_unlock(old);

    } else {
        ngx_free(ctx.osh);
    }

    ngx_free(ctx.servers);

    return rc;
}


static ngx_int_t
ngx_rtmp_route_copy_all(ngx_rtmp_route_copy_t *ctx)
{
    uint32_t                       i, last;
    ngx_uint_t                     n, room;
    ngx_rtmp_route_shm_t          *osh, *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    osh = ctx->osh;
    sh = ctx->table->sh;

    if (ngx_rtmp_route_rules_copy(sh, osh) != NGX_OK
        || ngx_rtmp_route_bans_copy(ctx->table, osh) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_rtmp_route_metrics_copy(sh, osh);

    for (i = 0; i < osh->server_top; i++) {
        if (ngx_rtmp_route_hot(osh, i)->valid) {
            ngx_rtmp_route_copy_server(ctx, i);
        }
    }

    /* in a smaller zone room is for what is held, then for what was used */

    for (i = 1; i <= osh->top; i++) {
        st = ngx_rtmp_route_stream(osh, i);

        if (st->type == NGX_RTMP_ROUTE_CELL_STREAM
            && !(st->flags & (NGX_RTMP_ROUTE_STREAM_ORPHAN
                              |NGX_RTMP_ROUTE_STREAM_LRU))
            && ngx_rtmp_route_copy_stream(ctx, i) != NGX_OK)
        {
            return NGX_OK;
        }
    }

    /* those that fit, the least recently used of them first */

    last = 0;
    room = sh->nfree + (sh->ncells - sh->top);

    for (i = osh->lru_first; i; i = st->lru_next) {
        st = ngx_rtmp_route_stream(osh, i);

        n = 1 + ngx_rtmp_route_text_cells(st->key_len, sizeof(st->key));

        if (n > room) {
            break;
        }

        room -= n;
        last = i;
    }

    for (i = last; i; i = ngx_rtmp_route_stream(osh, i)->lru_prev) {
        (void) ngx_rtmp_route_copy_stream(ctx, i);
    }

    return NGX_OK;
}


static void
ngx_rtmp_route_copy_server(ngx_rtmp_route_copy_t *ctx, ngx_uint_t n)
{
    ngx_int_t                        i;
    ngx_rtmp_route_hot_t            *hot, *ohot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold, *ocold;
    ngx_rtmp_route_server_info_t    *info;
    ngx_rtmp_route_server_params_t  *params;

    sh = ctx->table->sh;

    ohot = ngx_rtmp_route_hot(ctx->osh, n);
    ocold = ngx_rtmp_route_cold(ctx->osh, n);

    info = &ocold->info[ohot->active];
    params = &ocold->params[ohot->active];

    if (ngx_rtmp_route_server_find(sh, info->id, info->id_len) != NGX_ERROR) {
        return;
    }

    i = ngx_rtmp_route_server_add(ctx->table, info, params);
    if (i == NGX_ERROR) {
        return;
    }

    ctx->servers[n] = (uint32_t) i + 1;

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    ngx_rtmp_route_health_copy(sh, i, ctx->osh, n);

    hot->fails = ohot->fails;
    hot->checked = ohot->checked;
    hot->last_seen = ohot->last_seen;
    hot->current_weight = ohot->current_weight;
    hot->idle = ngx_current_msec;

    cold->given[hot->active] = ocold->given[ohot->active];
    cold->list_gen = ocold->list_gen;
    cold->selected = ocold->selected;
    cold->fails = ocold->fails;
    cold->unavail = ocold->unavail;
    cold->in = ocold->in;
    cold->out = ocold->out;
}


static ngx_int_t
ngx_rtmp_route_copy_stream(ngx_rtmp_route_copy_t *ctx, uint32_t n)
{
    u_char                         buf[NGX_RTMP_ROUTE_KEY_LEN];
    uint32_t                       i;
    ngx_str_t                      key;
    ngx_uint_t                     server;
    ngx_rtmp_route_shm_t          *sh, *osh;
    ngx_rtmp_route_stream_cell_t  *st, *ost;

    sh = ctx->table->sh;
    osh = ctx->osh;

    ost = ngx_rtmp_route_stream(osh, n);

    key.len = ost->key_len;
    key.data = buf;

    ngx_rtmp_route_text_get(osh, ost->key, sizeof(ost->key), ost->text, buf,
                            ost->key_len);

    if (ngx_rtmp_route_stream_find(sh, &key)) {
        return NGX_OK;
    }

    i = ngx_rtmp_route_stream_create(ctx->table, &key);
    if (i == 0) {
        return NGX_BUSY;
    }

    st = ngx_rtmp_route_stream(sh, i);

    st->used = ost->used;
    st->created = ost->created;
    st->flags = ost->flags & NGX_RTMP_ROUTE_STREAM_LIVED;

    if (ngx_rtmp_route_server_is(osh, ost->server, ost->server_seq)
        && ctx->servers[ost->server])
    {
        ngx_rtmp_route_stream_move(sh, i, ctx->servers[ost->server] - 1,
                                   ngx_rtmp_route_stream_from(ost));
    }

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (ngx_rtmp_route_server_born(osh, ost->pin, ost->pin_birth)
        && ctx->servers[ost->pin])
    {
        server = ctx->servers[ost->pin] - 1;

        st->pin = (uint16_t) server;
        st->pin_birth = ngx_rtmp_route_cold(sh, server)->birth;
    }

    if (ngx_rtmp_route_server_is(osh, ost->list, ost->list_seq)
        && ctx->servers[ost->list])
    {
        server = ctx->servers[ost->list] - 1;

        st->list = (uint16_t) server;
        st->list_gen = ost->list_gen;
        st->list_seq = ngx_rtmp_route_hot(sh, server)->seq;

        ngx_rtmp_route_list_add(sh, i,
                                st->list_gen
                                != ngx_rtmp_route_cold(sh, server)->list_gen);
    }

    ngx_rtmp_route_stream_count(sh, st, 1);

    (void) ngx_rtmp_route_stream_settle(sh, i);

    return NGX_OK;
}
