
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is counted and noted for operators.  Bytes are counted by each session
 * in its record; now and then, and at its end, what is new there is carried
 * over to its server and to the route.  All of that is written down first, so
 * that it is done once, whoever is killed in the middle of it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* what may be carried over at once of the direction without media */

#define NGX_RTMP_ROUTE_CARRY_SHIFT  12
#define NGX_RTMP_ROUTE_CARRY_MASK   0x0fffffff


static void ngx_rtmp_route_history_add(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_uint_t state);


/* limits of buckets, ms */

static ngx_uint_t  ngx_rtmp_route_setup_limits[NGX_RTMP_ROUTE_SETUP_BUCKETS] =
{
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 0
};


/*
 * What was carried over of the media is the sample of its rate, which is taken
 * at the same time.  Of the other direction, where there is little, whole
 * units are, as there is no room for more in the record; it is done each
 * second, so that neither number has come round meanwhile.
 */

void
ngx_rtmp_route_session_carry(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t end)
{
    uint32_t                        in, out, media, other, units;
    ngx_rtmp_route_carry_t         *c;
    ngx_rtmp_route_cold_t          *cold;
    ngx_rtmp_route_session_cell_t  *s;

    s = ngx_rtmp_route_session_cell(sh, i);
    c = &sh->carry;

    if (s->flags & NGX_RTMP_ROUTE_SESSION_ENDED) {
        return;
    }

    if (s->kind == NGX_RTMP_ROUTE_PUBLISH) {
        c->sample = (uint32_t) s->in;
        units = (uint32_t) s->out;

    } else {
        c->sample = (uint32_t) s->out;
        units = (uint32_t) s->in;
    }

    media = c->sample - s->sample;

    other = (units - ((uint32_t) s->carried << NGX_RTMP_ROUTE_CARRY_SHIFT))
            & NGX_RTMP_ROUTE_CARRY_MASK;

    if (!end) {
        other &= ~((1 << NGX_RTMP_ROUTE_CARRY_SHIFT) - 1);
    }

    if (media == 0 && other == 0) {
        return;
    }

    c->carried = (uint16_t) (s->carried
                             + (other >> NGX_RTMP_ROUTE_CARRY_SHIFT));

    in = (s->kind == NGX_RTMP_ROUTE_PUBLISH) ? media : other;
    out = (s->kind == NGX_RTMP_ROUTE_PUBLISH) ? other : media;

    c->cell = i;
    c->end = (uint16_t) end;
    c->in = sh->in + in;
    c->out = sh->out + out;

    c->known = ngx_rtmp_route_server_born(sh, s->server, s->birth) != 0;

    if (c->known) {
        cold = ngx_rtmp_route_cold(sh, s->server);

        c->server = s->server;
        c->server_in = cold->in + in;
        c->server_out = cold->out + out;
    }

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    c->valid = 1;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_session_carried(sh);
}


/* may be done again, and comes before anything else that is done then */

void
ngx_rtmp_route_session_carried(ngx_rtmp_route_shm_t *sh)
{
    ngx_rtmp_route_carry_t         *c;
    ngx_rtmp_route_cold_t          *cold;
    ngx_rtmp_route_session_cell_t  *s;

    c = &sh->carry;
    s = ngx_rtmp_route_session_cell(sh, c->cell);

    s->sample = c->sample;
    ngx_rtmp_route_point();
    s->carried = (uint16_t) c->carried;
    ngx_rtmp_route_point();

    if (c->end) {
        s->flags |= NGX_RTMP_ROUTE_SESSION_ENDED;
        ngx_rtmp_route_point();
    }

    sh->in = c->in;
    ngx_rtmp_route_point();
    sh->out = c->out;
    ngx_rtmp_route_point();

    if (c->known) {
        cold = ngx_rtmp_route_cold(sh, c->server);

        cold->in = c->server_in;
        ngx_rtmp_route_point();
        cold->out = c->server_out;
        ngx_rtmp_route_point();
    }

    ngx_memory_barrier();

    c->valid = 0;

    ngx_rtmp_route_point();
}


/* what the states of servers are now is compared with what was noted last */

void
ngx_rtmp_route_server_note(ngx_rtmp_route_shm_t *sh, ngx_uint_t i)
{
    ngx_uint_t             state;
    ngx_rtmp_route_hot_t  *hot;

    hot = ngx_rtmp_route_hot(sh, i);

    state = hot->valid ? ngx_rtmp_route_server_state(hot) + 1 : 0;

    if (state == hot->noted) {
        return;
    }

    ngx_rtmp_route_history_add(sh, i, state);

    hot->noted = (u_char) state;
}


static void
ngx_rtmp_route_history_add(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_uint_t state)
{
    size_t                         len;
    ngx_time_t                    *tp;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_history_t      *note;
    ngx_rtmp_route_server_info_t  *info;

    hot = ngx_rtmp_route_hot(sh, i);
    info = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

    note = &sh->history[sh->nhistory % NGX_RTMP_ROUTE_HISTORY];

    tp = ngx_timeofday();

    len = ngx_min(info->id_len, NGX_RTMP_ROUTE_HISTORY_LEN);

    note->time = (uint64_t) tp->sec * 1000 + tp->msec;
    note->was = (u_char) (hot->noted - 1);
    note->state = (u_char) (state - 1);
    note->len = (u_char) len;
    ngx_memcpy(note->id, info->id, len);

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    sh->nhistory++;

    ngx_rtmp_route_point();
}


ngx_uint_t
ngx_rtmp_route_table_history(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_history_t *history)
{
    ngx_uint_t             i, n;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    n = ngx_min(sh->nhistory, NGX_RTMP_ROUTE_HISTORY);

    for (i = 0; i < n; i++) {
        history[i] = sh->history[(sh->nhistory - 1 - i)
                                 % NGX_RTMP_ROUTE_HISTORY];
    }

    ngx_rtmp_route_table_unlock(table);

    return n;
}


ngx_int_t
ngx_rtmp_route_summary_step(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_summary_t *summary)
{
    uint32_t                        last;
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_cell_t          *cell;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (summary->cursor == 0) {

        for (i = 0; i < sh->server_top; i++) {
            if (ngx_rtmp_route_hot(sh, i)->valid) {
                summary->servers[ngx_rtmp_route_server_state(
                                               ngx_rtmp_route_hot(sh, i))]++;
            }
        }
    }

    rc = ngx_rtmp_route_cells_step(sh, summary->cursor, NGX_RTMP_ROUTE_WALK,
                                   &last)
         ? NGX_AGAIN : NGX_DONE;

    for (i = summary->cursor + 1; i <= last; i++) {
        cell = ngx_rtmp_route_cell(sh, i);

        if (cell->text.type == NGX_RTMP_ROUTE_CELL_STREAM) {
            summary->published += (cell->stream.publishers != 0);

        } else if (cell->text.type == NGX_RTMP_ROUTE_CELL_SESSION) {
            s = &cell->session;
            summary->sessions[s->kind == NGX_RTMP_ROUTE_PLAY][s->state & 3]++;
        }
    }

    summary->cursor = last;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


void
ngx_rtmp_route_table_bytes(ngx_rtmp_route_table_t *table, uint64_t *in,
    uint64_t *out)
{
    ngx_rtmp_route_table_lock(table);

    *in = table->sh->in;
    *out = table->sh->out;

    ngx_rtmp_route_table_unlock(table);
}


void
ngx_rtmp_route_health_took(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_msec_t time)
{
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (ref->index < sh->server_top
        && ngx_rtmp_route_server_is(sh, ref->index, ref->seq))
    {
        ngx_rtmp_route_cold(sh, ref->index)->health.took = (uint32_t) time;
    }

    ngx_rtmp_route_table_unlock(table);
}


ngx_rtmp_route_counters_t *
ngx_rtmp_route_table_counters(ngx_rtmp_route_table_t *table)
{
    return &table->sh->counters;
}


ngx_uint_t
ngx_rtmp_route_setup_limit(ngx_uint_t bucket)
{
    return ngx_rtmp_route_setup_limits[bucket];
}


/* for a zone whose size has changed */

void
ngx_rtmp_route_metrics_copy(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_shm_t *osh)
{
    sh->in = osh->in;
    sh->out = osh->out;
    sh->evicted = osh->evicted;
    sh->full = osh->full;
    sh->rebuilt = osh->rebuilt;
    sh->counters = osh->counters;

    ngx_memcpy(sh->history, osh->history, sizeof(sh->history));
    sh->nhistory = osh->nhistory;
}
