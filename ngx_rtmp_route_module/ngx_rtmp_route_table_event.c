
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is told to a session whose process may be another one: a mark in its
 * record, and a count of the marked ones for each slot.  That is all it needs:
 * who was killed before it could wake the slot has done enough, as each
 * process looks at its count now and then.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_int_t ngx_rtmp_route_takeover_locked(ngx_rtmp_route_shm_t *sh,
    ngx_str_t *key, ngx_msec_t idle, ngx_uint_t *slot, uint32_t *generation,
    ngx_uint_t *wake);
static ngx_uint_t ngx_rtmp_route_session_mark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t what);


ngx_int_t
ngx_rtmp_route_table_session_tell(ngx_rtmp_route_table_t *table,
    ngx_uint_t slot, uint32_t number, ngx_uint_t what)
{
    uint32_t                        i, last;
    ngx_int_t                       rc;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    i = 0;

    do {
        ngx_rtmp_route_table_lock(table);

        rc = NGX_DECLINED;
        last = sh->top;

        if (last > i && last - i > NGX_RTMP_ROUTE_WALK) {
            last = i + NGX_RTMP_ROUTE_WALK;
            rc = NGX_AGAIN;
        }

        while (i < last) {
            s = ngx_rtmp_route_session_cell(sh, ++i);

            if (s->type == NGX_RTMP_ROUTE_CELL_SESSION
                && s->slot == slot
                && s->number == number
                && s->generation == ngx_rtmp_route_slot_generation(slot))
            {
                (void) ngx_rtmp_route_session_mark(sh, s, what);
                rc = NGX_OK;
                break;
            }
        }

        ngx_rtmp_route_table_unlock(table);

    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        ngx_rtmp_route_slot_wake(slot);
    }

    return rc;
}


ngx_int_t
ngx_rtmp_route_table_takeover(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_msec_t idle)
{
    uint32_t               generation;
    ngx_int_t              rc;
    ngx_uint_t             n, slot, wake;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    for (n = 0; /* void */ ; n++) {

        slot = NGX_RTMP_ROUTE_NO_SLOT;
        generation = 0;
        wake = 0;

        ngx_rtmp_route_table_lock(table);

        rc = ngx_rtmp_route_takeover_locked(sh, key, idle, &slot, &generation,
                                            &wake);

        ngx_rtmp_route_table_unlock(table);

        if (n && rc == NGX_DECLINED) {
            return NGX_DONE;
        }

        if (n
            || slot == NGX_RTMP_ROUTE_NO_SLOT
            || ngx_rtmp_route_slot_alive(slot, generation))
        {
            break;
        }

        /* of a process that is gone: it does not answer */

        (void) ngx_rtmp_route_session_sweep(table);
    }

    if (wake) {
        ngx_rtmp_route_slot_wake(slot);
    }

    return rc;
}


static ngx_int_t
ngx_rtmp_route_takeover_locked(ngx_rtmp_route_shm_t *sh, ngx_str_t *key,
    ngx_msec_t idle, ngx_uint_t *slot, uint32_t *generation, ngx_uint_t *wake)
{
    uint32_t                        i;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i == 0) {
        return NGX_DECLINED;
    }

    st = ngx_rtmp_route_stream(sh, i);

    if (st->live == 0) {
        return NGX_DECLINED;
    }

    s = ngx_rtmp_route_stream_publisher(sh, i);

    /* one of several, and the last one that came has ended */

    if (s == NULL) {
        return NGX_BUSY;
    }

    *slot = s->slot;
    *generation = s->generation;

    if (idle == NGX_RTMP_ROUTE_TAKEOVER_ASK) {
        return NGX_BUSY;
    }

    if (idle && ngx_rtmp_route_passed(s->active) < (ngx_msec_int_t) idle) {
        return NGX_BUSY;
    }

    s->wanted = 1;

    *wake = ngx_rtmp_route_session_mark(sh, s,
                                        idle ? NGX_RTMP_ROUTE_E_SILENT
                                             : NGX_RTMP_ROUTE_E_REPLACED);

    return NGX_AGAIN;
}


/* whether it was not marked so before */

static ngx_uint_t
ngx_rtmp_route_session_mark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t what)
{
    u_char  told;

    told = (u_char) (s->told | (1 << what));

    if (what == NGX_RTMP_ROUTE_E_SILENT) {
        s->heard = (u_char) s->active;
    }

    if (told == s->told) {
        return 0;
    }

    ngx_rtmp_route_table_touch(sh);

    if (s->told == 0) {
        ngx_rtmp_route_head(sh, s->slot)->told++;
        ngx_rtmp_route_point();
    }

    s->told = told;
    ngx_rtmp_route_point();

    return 1;
}


ngx_uint_t
ngx_rtmp_route_table_told(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session)
{
    ngx_uint_t                      told;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    /* without the lock: the record is this session's until it ends it */

    if (session->cell == 0
        || ngx_rtmp_route_session_cell(sh, session->cell)->told == 0)
    {
        return 0;
    }

    told = 0;

    ngx_rtmp_route_table_lock(table);

    s = ngx_rtmp_route_session_own(sh, session);

    if (s) {
        told = s->told;
        ngx_rtmp_route_session_unmark(sh, s);

        /* not silent, but not read for some time: who waits may look again */

        if ((told & (1 << NGX_RTMP_ROUTE_E_SILENT))
            && s->heard != (u_char) s->active)
        {
            told &= ~(1 << NGX_RTMP_ROUTE_E_SILENT);
            table->wake = 1;
        }
    }

    ngx_rtmp_route_table_unlock(table);

    return told;
}


void
ngx_rtmp_route_session_unmark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s)
{
    if (s->told == 0) {
        return;
    }

    ngx_rtmp_route_table_touch(sh);

    s->told = 0;
    ngx_rtmp_route_point();
    ngx_rtmp_route_head(sh, s->slot)->told--;
    ngx_rtmp_route_point();
}


ngx_uint_t
ngx_rtmp_route_table_lost(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session)
{
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    if (session->cell == 0) {
        return 0;
    }

    s = ngx_rtmp_route_session_cell(sh, session->cell);

    return ngx_rtmp_route_server_born(sh, s->server, s->birth)
           && ngx_rtmp_route_hot(sh, s->server)->health
              == NGX_RTMP_ROUTE_HEALTH_DOWN;
}


void
ngx_rtmp_route_table_tell_lost(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t             i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    for (i = 0; i < sh->nslots; i++) {
        if (ngx_rtmp_route_head(sh, i)->first) {
            ngx_rtmp_route_slot_wake(i);
        }
    }
}


ngx_uint_t
ngx_rtmp_route_table_has_told(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t  slot;

    slot = ngx_rtmp_route_slot();

    return slot < table->sh->nslots
           && ngx_rtmp_route_head(table->sh, slot)->told != 0;
}


uint32_t
ngx_rtmp_route_table_losses(ngx_rtmp_route_table_t *table)
{
    return table->sh->lost;
}
