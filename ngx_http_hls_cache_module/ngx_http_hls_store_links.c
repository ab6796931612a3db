
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


void
ngx_http_hls_store_bucket_add(ngx_http_hls_shm_t *sh, uint32_t i)
{
    uint32_t              *bucket;
    ngx_http_hls_named_t  *named;

    ngx_http_hls_touch(sh);

    named = ngx_http_hls_named(sh, i);
    bucket = ngx_http_hls_bucket(sh, named->hash[0]);

    named->next = *bucket;
    ngx_http_hls_point();
    *bucket = i;
    ngx_http_hls_point();

    if (named->type == NGX_HTTP_HLS_CELL_ENTRY) {
        sh->entries++;

    } else {
        sh->streams++;
    }
}


void
ngx_http_hls_store_bucket_remove(ngx_http_hls_shm_t *sh, uint32_t i)
{
    uint32_t              *link;
    ngx_http_hls_named_t  *named;

    ngx_http_hls_touch(sh);

    named = ngx_http_hls_named(sh, i);

    for (link = ngx_http_hls_bucket(sh, named->hash[0]);
         *link;
         link = &ngx_http_hls_named(sh, *link)->next)
    {
        if (*link == i) {
            *link = named->next;
            ngx_http_hls_point();

            if (named->type == NGX_HTTP_HLS_CELL_ENTRY) {
                sh->entries--;

            } else {
                sh->streams--;
            }

            return;
        }
    }
}


/* the queue that a record belongs to, NGX_HTTP_HLS_LRU_N: none */

ngx_uint_t
ngx_http_hls_store_lru_of(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_cell_t  *cell;

    cell = ngx_http_hls_cell(sh, i);

    if (cell->named.type == NGX_HTTP_HLS_CELL_ENTRY) {
        return cell->entry.body ? NGX_HTTP_HLS_LRU_BODY
                                : NGX_HTTP_HLS_LRU_BARE;
    }

    return cell->stream.nentries ? NGX_HTTP_HLS_LRU_N
                                 : NGX_HTTP_HLS_LRU_STREAM;
}


void
ngx_http_hls_store_lru_add(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_uint_t             n;
    ngx_http_hls_lru_t    *lru;
    ngx_http_hls_named_t  *named;

    n = ngx_http_hls_store_lru_of(sh, i);

    if (n == NGX_HTTP_HLS_LRU_N) {
        return;
    }

    ngx_http_hls_touch(sh);

    lru = &sh->lru[n];
    named = ngx_http_hls_named(sh, i);

    named->lru_prev = 0;
    named->lru_next = lru->first;

    ngx_http_hls_point();

    if (lru->first) {
        ngx_http_hls_named(sh, lru->first)->lru_prev = i;

    } else {
        lru->last = i;
    }

    ngx_http_hls_point();

    lru->first = i;
    lru->n++;
}


void
ngx_http_hls_store_lru_remove(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_uint_t             n;
    ngx_http_hls_lru_t    *lru;
    ngx_http_hls_named_t  *named;

    n = ngx_http_hls_store_lru_of(sh, i);

    if (n == NGX_HTTP_HLS_LRU_N) {
        return;
    }

    ngx_http_hls_touch(sh);

    lru = &sh->lru[n];
    named = ngx_http_hls_named(sh, i);

    if (named->lru_prev) {
        ngx_http_hls_named(sh, named->lru_prev)->lru_next = named->lru_next;

    } else {
        lru->first = named->lru_next;
    }

    ngx_http_hls_point();

    if (named->lru_next) {
        ngx_http_hls_named(sh, named->lru_next)->lru_prev = named->lru_prev;

    } else {
        lru->last = named->lru_prev;
    }

    lru->n--;
}


/* puts it in front of its queue, if it is not and was not a moment ago */

void
ngx_http_hls_store_lru_move(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_uint_t             n;
    ngx_http_hls_named_t  *named;

    named = ngx_http_hls_named(sh, i);

    if ((uint32_t) ngx_current_msec - named->moved < NGX_HTTP_HLS_MOVE) {
        return;
    }

    named->moved = (uint32_t) ngx_current_msec;

    n = ngx_http_hls_store_lru_of(sh, i);

    if (n == NGX_HTTP_HLS_LRU_N || sh->lru[n].first == i) {
        return;
    }

    ngx_http_hls_store_lru_remove(sh, i);
    ngx_http_hls_store_lru_add(sh, i);
}


/* what a slot has is undone from the end of its ring */

void
ngx_http_hls_store_slot_add(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_uint_t tail)
{
    uint32_t             *first;
    ngx_http_hls_ref_t   *s, *next;

    ngx_http_hls_touch(sh);

    s = ngx_http_hls_ref(sh, i);
    first = &ngx_http_hls_head(sh, s->slot)->first;

    if (*first == 0) {
        s->prev = i;
        s->next = i;
        *first = i;
        return;
    }

    next = ngx_http_hls_ref(sh, *first);

    s->prev = next->prev;
    s->next = *first;

    ngx_http_hls_point();

    ngx_http_hls_ref(sh, s->prev)->next = i;
    ngx_http_hls_point();
    next->prev = i;

    if (!tail) {
        *first = i;
    }

    ngx_http_hls_point();
}


void
ngx_http_hls_store_slot_remove(ngx_http_hls_shm_t *sh, uint32_t i)
{
    uint32_t            *first;
    ngx_http_hls_ref_t  *s;

    ngx_http_hls_touch(sh);

    s = ngx_http_hls_ref(sh, i);
    first = &ngx_http_hls_head(sh, s->slot)->first;

    if (s->next == i) {
        *first = 0;
        return;
    }

    ngx_http_hls_ref(sh, s->prev)->next = s->next;
    ngx_http_hls_point();
    ngx_http_hls_ref(sh, s->next)->prev = s->prev;
    ngx_http_hls_point();

    if (*first == i) {
        *first = s->next;
    }
}


/* references to a body */

void
ngx_http_hls_store_chain_add(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_ref_t        *ref;
    ngx_http_hls_body_cell_t  *b;

    ngx_http_hls_touch(sh);

    ref = ngx_http_hls_ref(sh, i);
    b = ngx_http_hls_body(sh, ref->body);

    ref->chain = b->refs;
    ngx_http_hls_point();
    b->refs = i;
    ngx_http_hls_point();
}


void
ngx_http_hls_store_chain_remove(ngx_http_hls_shm_t *sh, uint32_t i)
{
    uint32_t            *link;
    ngx_http_hls_ref_t  *ref;

    ngx_http_hls_touch(sh);

    ref = ngx_http_hls_ref(sh, i);

    for (link = &ngx_http_hls_body(sh, ref->body)->refs;
         *link;
         link = &ngx_http_hls_ref(sh, *link)->chain)
    {
        if (*link == i) {
            *link = ref->chain;
            ngx_http_hls_point();
            return;
        }
    }
}


/* entries of a stream */

void
ngx_http_hls_store_member_add(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_entry_cell_t   *e, *next;
    ngx_http_hls_stream_cell_t  *st;

    e = ngx_http_hls_entry(sh, i);

    if (e->stream == 0) {
        return;
    }

    ngx_http_hls_touch(sh);

    st = ngx_http_hls_stream(sh, e->stream);

    if (st->nentries == 0) {
        ngx_http_hls_store_lru_remove(sh, e->stream);
        ngx_http_hls_point();
    }

    st->nentries++;

    if (st->first == 0) {
        e->stream_prev = i;
        e->stream_next = i;
        st->first = i;
        return;
    }

    next = ngx_http_hls_entry(sh, st->first);

    e->stream_prev = next->stream_prev;
    e->stream_next = st->first;

    ngx_http_hls_point();

    ngx_http_hls_entry(sh, e->stream_prev)->stream_next = i;
    ngx_http_hls_point();
    next->stream_prev = i;
    st->first = i;
    ngx_http_hls_point();
}


void
ngx_http_hls_store_member_remove(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_entry_cell_t   *e;
    ngx_http_hls_stream_cell_t  *st;

    e = ngx_http_hls_entry(sh, i);

    if (e->stream == 0) {
        return;
    }

    ngx_http_hls_touch(sh);

    st = ngx_http_hls_stream(sh, e->stream);

    if (e->stream_next == i) {
        st->first = 0;

    } else {
        ngx_http_hls_entry(sh, e->stream_prev)->stream_next = e->stream_next;
        ngx_http_hls_point();
        ngx_http_hls_entry(sh, e->stream_next)->stream_prev = e->stream_prev;
        ngx_http_hls_point();

        if (st->first == i) {
            st->first = e->stream_next;
        }
    }

    st->nentries--;

    ngx_http_hls_point();

    /* it is idle from now on */

    if (st->nentries == 0) {
        st->named.moved = (uint32_t) ngx_current_msec;
        ngx_http_hls_store_lru_add(sh, e->stream);
    }
}


void
ngx_http_hls_store_entry_out(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_entry_cell_t   *e;
    ngx_http_hls_stream_cell_t  *st;

    e = ngx_http_hls_entry(sh, i);

    ngx_http_hls_store_lru_remove(sh, i);

    if (e->stream == 0) {
        return;
    }

    st = ngx_http_hls_stream(sh, e->stream);

    if (e->body) {
        st->objects--;
        ngx_http_hls_point();
        st->bytes -= ngx_http_hls_body(sh, e->body)->len;
    }

    ngx_http_hls_store_member_remove(sh, i);
}


void
ngx_http_hls_store_entry_in(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_entry_cell_t   *e;
    ngx_http_hls_stream_cell_t  *st;

    e = ngx_http_hls_entry(sh, i);

    ngx_http_hls_store_lru_add(sh, i);

    if (e->stream == 0) {
        return;
    }

    st = ngx_http_hls_stream(sh, e->stream);

    if (e->body) {
        st->objects++;
        ngx_http_hls_point();
        st->bytes += ngx_http_hls_body(sh, e->body)->len;
    }

    ngx_http_hls_store_member_add(sh, i);
}
