
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/*
 * The counter that a stream is in, NULL if in none.  It depends on what is
 * written in the record and on whether that server is still the same one;
 * a server that is another now has begun its counters anew.
 */

uint32_t *
ngx_rtmp_route_stream_counter(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st)
{
    ngx_uint_t             i, seq, pending, named;
    ngx_rtmp_route_hot_t  *hot;

    if (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN) {
        return NULL;
    }

    i = st->server;
    seq = st->server_seq;
    pending = 0;
    named = 0;

    if (st->live == 0) {

        if (st->publishers && seq
            && !(st->pin_birth && st->pin == i)
            && !(st->pin_birth == 0 && st->list_seq && st->list == i))
        {
            pending = 1;

        } else if (st->pin_birth) {

            if (!ngx_rtmp_route_server_born(sh, st->pin, st->pin_birth)) {
                return NULL;
            }

            return &ngx_rtmp_route_hot(sh, st->pin)->pinned;

        } else if (st->list_seq) {
            i = st->list;
            seq = st->list_seq;

        } else if (ngx_rtmp_route_stream_from(st) != NGX_RTMP_ROUTE_FROM_CORE)
        {
            return NULL;

        } else {
            named = 1;
        }
    }

    if (!ngx_rtmp_route_server_is(sh, i, seq)) {
        return NULL;
    }

    hot = ngx_rtmp_route_hot(sh, i);

    if (named) {
        return &hot->named;
    }

    return pending ? &hot->pending : &hot->streams;
}


void
ngx_rtmp_route_stream_count(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st, ngx_int_t add)
{
    uint32_t  *counter;

    ngx_rtmp_route_table_touch(sh);

    counter = ngx_rtmp_route_stream_counter(sh, st);

    if (counter) {
        *counter += (uint32_t) add;
    }

    ngx_rtmp_route_point();
}


/* whether it belongs to the queue of those that may be forgotten */

ngx_uint_t
ngx_rtmp_route_stream_idle(ngx_rtmp_route_stream_cell_t *st)
{
    return st->publishers == 0 && st->players == 0
           && st->pin_birth == 0 && st->list_seq == 0
           && !(st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN);
}


/* whether there is nothing to remember of a stream without sessions */

ngx_uint_t
ngx_rtmp_route_stream_void(ngx_rtmp_route_stream_cell_t *st)
{
    if (st->publishers || st->players) {
        return 0;
    }

    return (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
           || !ngx_rtmp_route_stream_known(st);
}


void
ngx_rtmp_route_bucket_add(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    uint32_t                      *bucket;
    ngx_rtmp_route_stream_cell_t  *st;

    ngx_rtmp_route_table_touch(sh);

    st = ngx_rtmp_route_stream(sh, i);
    bucket = ngx_rtmp_route_bucket(sh, st->hash);

    st->next = *bucket;
    ngx_rtmp_route_point();
    *bucket = i;
    ngx_rtmp_route_point();

    sh->streams++;
}


void
ngx_rtmp_route_bucket_remove(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    uint32_t                      *link;
    ngx_rtmp_route_stream_cell_t  *st;

    ngx_rtmp_route_table_touch(sh);

    st = ngx_rtmp_route_stream(sh, i);
    link = ngx_rtmp_route_bucket(sh, st->hash);

    while (*link && *link != i) {
        link = &ngx_rtmp_route_stream(sh, *link)->next;
    }

    if (*link) {
        *link = st->next;
        ngx_rtmp_route_point();
        sh->streams--;
    }

    st->next = 0;
    ngx_rtmp_route_point();
}


void
ngx_rtmp_route_lru_add(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    if (st->flags & NGX_RTMP_ROUTE_STREAM_LRU) {
        return;
    }

    ngx_rtmp_route_table_touch(sh);

    st->lru_prev = 0;
    st->lru_next = sh->lru_first;
    ngx_rtmp_route_point();

    if (sh->lru_first) {
        ngx_rtmp_route_stream(sh, sh->lru_first)->lru_prev = i;

    } else {
        sh->lru_last = i;
    }

    ngx_rtmp_route_point();
    sh->lru_first = i;
    ngx_rtmp_route_point();
    st->flags |= NGX_RTMP_ROUTE_STREAM_LRU;
    ngx_rtmp_route_point();
}


void
ngx_rtmp_route_lru_remove(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    if (!(st->flags & NGX_RTMP_ROUTE_STREAM_LRU)) {
        return;
    }

    ngx_rtmp_route_table_touch(sh);

    if (st->lru_prev) {
        ngx_rtmp_route_stream(sh, st->lru_prev)->lru_next = st->lru_next;

    } else {
        sh->lru_first = st->lru_next;
    }

    ngx_rtmp_route_point();

    if (st->lru_next) {
        ngx_rtmp_route_stream(sh, st->lru_next)->lru_prev = st->lru_prev;

    } else {
        sh->lru_last = st->lru_prev;
    }

    ngx_rtmp_route_point();
    st->flags &= ~NGX_RTMP_ROUTE_STREAM_LRU;
    ngx_rtmp_route_point();
}


/* the streams that a server lists, those of its latest list first */

void
ngx_rtmp_route_list_add(ngx_rtmp_route_shm_t *sh, uint32_t i, ngx_uint_t tail)
{
    uint32_t                       first;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_stream_cell_t  *st, *head;

    ngx_rtmp_route_table_touch(sh);

    st = ngx_rtmp_route_stream(sh, i);
    cold = ngx_rtmp_route_cold(sh, st->list);
    first = cold->list;

    if (first == 0) {
        st->list_prev = i;
        st->list_next = i;
        ngx_rtmp_route_point();
        cold->list = i;
        ngx_rtmp_route_point();
        return;
    }

    head = ngx_rtmp_route_stream(sh, first);

    st->list_prev = head->list_prev;
    st->list_next = first;
    ngx_rtmp_route_point();
    ngx_rtmp_route_stream(sh, head->list_prev)->list_next = i;
    ngx_rtmp_route_point();
    head->list_prev = i;
    ngx_rtmp_route_point();

    if (!tail) {
        cold->list = i;
        ngx_rtmp_route_point();
    }
}


void
ngx_rtmp_route_list_remove(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    /* a server that is another now has begun its list anew */

    if (!ngx_rtmp_route_server_is(sh, st->list, st->list_seq)) {
        return;
    }

    ngx_rtmp_route_table_touch(sh);

    cold = ngx_rtmp_route_cold(sh, st->list);

    if (st->list_next == i) {
        cold->list = 0;
        ngx_rtmp_route_point();
        return;
    }

    ngx_rtmp_route_stream(sh, st->list_prev)->list_next = st->list_next;
    ngx_rtmp_route_point();
    ngx_rtmp_route_stream(sh, st->list_next)->list_prev = st->list_prev;
    ngx_rtmp_route_point();

    if (cold->list == i) {
        cold->list = st->list_next;
        ngx_rtmp_route_point();
    }
}


/*
 * Sessions and connections of a worker slot, newest first: what another
 * generation has left is at the end.
 */

void
ngx_rtmp_route_slot_add(ngx_rtmp_route_shm_t *sh, uint32_t i, ngx_uint_t tail)
{
    uint32_t                        first;
    ngx_rtmp_route_head_t          *head;
    ngx_rtmp_route_session_cell_t  *s, *next;

    ngx_rtmp_route_table_touch(sh);

    s = ngx_rtmp_route_session_cell(sh, i);
    head = ngx_rtmp_route_head(sh, s->slot);
    first = head->first;

    if (first == 0) {
        s->prev = i;
        s->next = i;
        ngx_rtmp_route_point();
        head->first = i;
        ngx_rtmp_route_point();
        return;
    }

    next = ngx_rtmp_route_session_cell(sh, first);

    s->prev = next->prev;
    s->next = first;
    ngx_rtmp_route_point();
    ngx_rtmp_route_session_cell(sh, next->prev)->next = i;
    ngx_rtmp_route_point();
    next->prev = i;
    ngx_rtmp_route_point();

    if (!tail) {
        head->first = i;
        ngx_rtmp_route_point();
    }
}


void
ngx_rtmp_route_slot_remove(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_head_t          *head;
    ngx_rtmp_route_session_cell_t  *s;

    ngx_rtmp_route_table_touch(sh);

    s = ngx_rtmp_route_session_cell(sh, i);
    head = ngx_rtmp_route_head(sh, s->slot);

    if (s->next == i) {
        head->first = 0;
        ngx_rtmp_route_point();
        return;
    }

    ngx_rtmp_route_session_cell(sh, s->prev)->next = s->next;
    ngx_rtmp_route_point();
    ngx_rtmp_route_session_cell(sh, s->next)->prev = s->prev;
    ngx_rtmp_route_point();

    if (head->first == i) {
        head->first = s->next;
        ngx_rtmp_route_point();
    }
}
