
/*
 * Copyright (C) The nginx-osp authors
 */


/* Sessions and connections whose server, or whose process, has gone. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* batches of records of dead processes that one sweep undoes at most */
#define NGX_RTMP_ROUTE_UNDO  64


static ngx_int_t ngx_rtmp_route_session_adopt_some(
    ngx_rtmp_route_table_t *table, ngx_uint_t server);
static ngx_uint_t ngx_rtmp_route_session_at(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t server);
static void ngx_rtmp_route_session_settle(ngx_rtmp_route_table_t *table,
    uint32_t i, ngx_uint_t server);
static ngx_uint_t ngx_rtmp_route_session_undo(ngx_rtmp_route_table_t *table,
    ngx_uint_t slot, uint32_t generation, ngx_uint_t alive,
    ngx_uint_t *undone);


/*
 * Servers that have gone come seldom, so all sessions are looked at, some with
 * each hold of the lock, and only as long as there are some without a server,
 * or if the server has the address that another one had before.
 * The server says how far this has come: another process goes on if this one
 * is killed.
 */

void
ngx_rtmp_route_session_adopt(ngx_rtmp_route_table_t *table, ngx_uint_t server)
{
    ngx_int_t              rc;
    ngx_rtmp_route_hot_t  *hot;

    hot = ngx_rtmp_route_hot(table->sh, server);

    while (hot->adopt) {

        ngx_rtmp_route_table_lock(table);

        rc = (hot->valid && hot->adopt)
             ? ngx_rtmp_route_session_adopt_some(table, server) : NGX_OK;

        ngx_rtmp_route_table_unlock(table);

        if (rc == NGX_OK) {
            return;
        }
    }
}


static ngx_int_t
ngx_rtmp_route_session_adopt_some(ngx_rtmp_route_table_t *table,
    ngx_uint_t server)
{
    uint32_t                        i, last;
    ngx_uint_t                      gone;
    ngx_rtmp_route_hot_t           *hot;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    hot = ngx_rtmp_route_hot(sh, server);
    gone = hot->flags & NGX_RTMP_ROUTE_SERVER_GONE;

    i = hot->adopt - 1;
    last = ngx_min(sh->top, i + NGX_RTMP_ROUTE_WALK);

    while (i < last && (sh->strays || gone)) {
        s = ngx_rtmp_route_session_cell(sh, ++i);

        if ((s->type == NGX_RTMP_ROUTE_CELL_SESSION
             || s->type == NGX_RTMP_ROUTE_CELL_CONN)
            && (!ngx_rtmp_route_server_born(sh, s->server, s->birth)
                || (gone && !ngx_rtmp_route_session_at(sh, s, s->server)))
            && ngx_rtmp_route_session_at(sh, s, server))
        {
            ngx_rtmp_route_session_settle(table, i, server);
        }
    }

    if (i >= sh->top || (sh->strays == 0 && !gone)) {
        hot->adopt = 0;
        return NGX_OK;
    }

    hot->adopt = i + 1;

    return NGX_AGAIN;
}


void
ngx_rtmp_route_session_adopt_all(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t             i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    for (i = 0; i < sh->server_top; i++) {
        if (ngx_rtmp_route_hot(sh, i)->adopt) {
            ngx_rtmp_route_session_adopt(table, i);
        }
    }
}


static ngx_uint_t
ngx_rtmp_route_session_at(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t server)
{
    ngx_uint_t                     k, n;
    ngx_rtmp_route_endpoint_t     *e;
    ngx_rtmp_route_server_info_t  *info;

    info = &ngx_rtmp_route_cold(sh, server)
                         ->info[ngx_rtmp_route_hot(sh, server)->active];

    for (k = 0; k < NGX_RTMP_ROUTE_NPROTO; k++) {

        for (n = 0; n < info->nendpoints[k]; n++) {
            e = &info->endpoints[k][n];

            if (e->family
                && e->port == s->upstream.port
                && ngx_rtmp_route_addr_equal(e, &s->upstream))
            {
                return 1;
            }
        }
    }

    return 0;
}


static void
ngx_rtmp_route_session_settle(ngx_rtmp_route_table_t *table, uint32_t i,
    ngx_uint_t server)
{
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    s = ngx_rtmp_route_session_cell(sh, i);

    if (s->type == NGX_RTMP_ROUTE_CELL_SESSION) {
        ngx_rtmp_route_session_carry(sh, i, 0);
    }

    (void) ngx_rtmp_route_server_conns(sh, s->server, s->birth, -1);

    s->birth = 0;
    ngx_rtmp_route_point();
    s->server = (uint16_t) server;
    ngx_rtmp_route_point();
    s->birth = ngx_rtmp_route_cold(sh, server)->birth;
    ngx_rtmp_route_point();

    (void) ngx_rtmp_route_server_conns(sh, server, s->birth, 1);

    if (s->type == NGX_RTMP_ROUTE_CELL_SESSION
        && s->state == NGX_RTMP_ROUTE_S_RELAY
        && s->kind == NGX_RTMP_ROUTE_PUBLISH
        && s->stream)
    {
        ngx_rtmp_route_session_live(table, i);
    }
}


/*
 * What processes that are gone have left; the lock is taken here.  Returns how
 * many records were undone.
 */

ngx_uint_t
ngx_rtmp_route_session_sweep(ngx_rtmp_route_table_t *table)
{
    uint32_t               generation;
    ngx_uint_t             slot, alive, batches, more, undone;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    batches = 0;
    undone = 0;

    for (slot = 0; slot < sh->nslots; slot++) {

        if (ngx_rtmp_route_head(sh, slot)->first == 0) {
            continue;
        }

        /* not under the lock: files are read */

        generation = ngx_rtmp_route_slot_generation(slot);
        alive = ngx_rtmp_route_slot_alive(slot, generation);

        do {
            if (++batches > NGX_RTMP_ROUTE_UNDO) {
                return undone;
            }

            ngx_rtmp_route_table_lock(table);

            more = ngx_rtmp_route_session_undo(table, slot, generation, alive,
                                               &undone);

            ngx_rtmp_route_table_unlock(table);

        } while (more);
    }

    return undone;
}


static ngx_uint_t
ngx_rtmp_route_session_undo(ngx_rtmp_route_table_t *table, ngx_uint_t slot,
    uint32_t generation, ngx_uint_t alive, ngx_uint_t *undone)
{
    int32_t                         age;
    uint32_t                        i;
    ngx_uint_t                      n;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_head_t          *head;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    head = ngx_rtmp_route_head(sh, slot);

    for (n = 0; n < NGX_RTMP_ROUTE_BATCH; n++) {

        if (head->first == 0) {
            return 0;
        }

        i = ngx_rtmp_route_session_cell(sh, head->first)->prev;
        s = ngx_rtmp_route_session_cell(sh, i);

        /* the slot may have been claimed since its generation was read */

        age = (int32_t) (generation - s->generation);

        if (age < 0 || (age == 0 && alive)) {
            return 0;
        }

        if (s->type == NGX_RTMP_ROUTE_CELL_SESSION) {
            sh->counters.ended[0]++;
        }

        ngx_rtmp_route_session_drop(table, i);

        (*undone)++;
    }

    return 1;
}
