
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


static uint32_t ngx_http_hls_store_entry_create(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key, ngx_uint_t kind, uint32_t stream,
    ngx_uint_t bare);
static ngx_int_t ngx_http_hls_store_claim(ngx_http_hls_store_t *store,
    uint32_t i);
static ngx_int_t ngx_http_hls_store_look(ngx_http_hls_store_t *store,
    uint32_t i, ngx_uint_t claim, ngx_http_hls_found_t *found);
static void ngx_http_hls_store_count(ngx_http_hls_store_t *store, uint32_t i,
    ngx_uint_t state);


uint32_t
ngx_http_hls_store_find(ngx_http_hls_shm_t *sh, uint64_t hash[2],
    ngx_uint_t type)
{
    uint32_t               i;
    ngx_http_hls_named_t  *named;

    for (i = *ngx_http_hls_bucket(sh, hash[0]); i; i = named->next) {

        named = ngx_http_hls_named(sh, i);

        if (named->hash[0] == hash[0]
            && named->hash[1] == hash[1]
            && named->type == type)
        {
            return i;
        }
    }

    return 0;
}


static uint32_t
ngx_http_hls_store_entry_create(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key, ngx_uint_t kind, uint32_t stream,
    ngx_uint_t bare)
{
    uint32_t                    i;
    ngx_uint_t                  n;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;

    if (key->text.len > NGX_HTTP_HLS_STORE_KEY_LEN) {
        return 0;
    }

    n = 1 + ngx_http_hls_store_text_cells(key->text.len, sizeof(e->key));

    if (ngx_http_hls_store_cells_reserve(store, n, bare) != NGX_OK) {
        return 0;
    }

    i = ngx_http_hls_store_cell_alloc(sh);

    if (i == 0) {
        return 0;
    }

    e = ngx_http_hls_entry(sh, i);

    e->named.flags = 0;
    e->named.key_len = (uint16_t) key->text.len;
    e->named.hash[0] = key->hash[0];
    e->named.hash[1] = key->hash[1];
    e->named.next = 0;
    e->named.seq = ngx_http_hls_store_seq(sh);
    e->named.moved = (uint32_t) ngx_current_msec;

    e->body = 0;
    e->claim = 0;
    e->stream = ngx_http_hls_store_stream_valid(sh, stream);
    e->waiters = 0;
    e->used = 0;
    e->hits = 0;
    e->misses = 0;
    e->status = 0;
    e->kind = (u_char) kind;

    ngx_memzero(&e->times, sizeof(ngx_http_hls_times_t));

    e->named.text = ngx_http_hls_store_text_put(sh, e->key, sizeof(e->key),
                                                key->text.data,
                                                key->text.len);
    ngx_memory_barrier();
    ngx_http_hls_point();

    e->named.type = NGX_HTTP_HLS_CELL_ENTRY;

    ngx_http_hls_point();

    ngx_http_hls_store_bucket_add(sh, i);
    ngx_http_hls_store_entry_in(sh, i);

    return i;
}


void
ngx_http_hls_store_entry_drop(ngx_http_hls_store_t *store, uint32_t i)
{
    uint32_t                    body;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    e = ngx_http_hls_entry(sh, i);
    body = e->body;

    if (e->claim) {
        ngx_http_hls_store_claim_drop(store, i);
    }

    ngx_http_hls_store_wake(store, e);

    ngx_http_hls_store_entry_out(sh, i);
    ngx_http_hls_store_bucket_remove(sh, i);

    e->named.type = NGX_HTTP_HLS_CELL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    if (body) {
        ngx_http_hls_store_body_leave(store, body);
    }

    ngx_http_hls_store_cell_free(sh, i);
}


/* whether there is nothing to be kept any longer */

ngx_uint_t
ngx_http_hls_store_entry_over(ngx_http_hls_entry_cell_t *e)
{
    if (e->claim) {
        return 0;
    }

    if ((e->body || e->status)
        && ngx_http_hls_is_before(ngx_current_msec, e->times.fresh))
    {
        return 0;
    }

    if ((e->body || (e->named.flags & NGX_HTTP_HLS_ENTRY_NOTE))
        && ngx_http_hls_is_before(ngx_current_msec, e->times.stale))
    {
        return 0;
    }

    return 1;
}


/* without a fill, a body, a status or a note there is no entry */

void
ngx_http_hls_store_entry_settle(ngx_http_hls_store_t *store, uint32_t i)
{
    ngx_http_hls_entry_cell_t  *e;

    e = ngx_http_hls_entry(store->sh, i);

    if (e->body == 0 && ngx_http_hls_store_entry_over(e)) {
        ngx_http_hls_store_entry_drop(store, i);
    }
}


/* changes an entry as a whole, however little of it */

void
ngx_http_hls_store_entry_set(ngx_http_hls_store_t *store, uint32_t i,
    ngx_http_hls_redo_t *redo)
{
    uint32_t                    old, body, claim;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    e = ngx_http_hls_entry(sh, i);

    old = e->body;
    body = redo->body;
    claim = redo->claim;

    ngx_http_hls_touch(sh);

    if (old != body) {
        ngx_http_hls_store_entry_out(sh, i);
    }

    redo->valid = 0;
    sh->redo = *redo;

    ngx_memory_barrier();
    ngx_http_hls_point();

    sh->redo.valid = 1;

    ngx_memory_barrier();
    ngx_http_hls_point();

    ngx_http_hls_store_redo(sh);

    if (claim) {
        e->claim = 0;
        sh->claims--;

        ngx_http_hls_store_slot_remove(sh, claim);
        ngx_http_hls_store_small_free(sh, claim);
    }

    if (old == body) {
        return;
    }

    ngx_http_hls_store_body_role(sh, body, NGX_HTTP_HLS_BODY_CURRENT);

    if (old) {
        ngx_http_hls_store_body_leave(store, old);
    }

    e->named.moved = (uint32_t) ngx_current_msec;

    ngx_http_hls_store_entry_in(sh, i);
}


/* of things as they are */

void
ngx_http_hls_store_redo_init(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_http_hls_redo_t *redo)
{
    ngx_http_hls_entry_cell_t  *e;

    e = ngx_http_hls_entry(sh, i);

    redo->valid = 0;
    redo->entry = i;
    redo->claim = 0;
    redo->body = e->body;
    redo->status = e->status;
    redo->flags = e->named.flags;
    redo->times = e->times;
}


/* small cells were reserved */

static ngx_int_t
ngx_http_hls_store_claim(ngx_http_hls_store_t *store, uint32_t i)
{
    uint32_t                    n;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_head_t        *head;
    ngx_http_hls_claim_t       *claim;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    head = ngx_http_hls_store_own(store);

    if (head == NULL) {
        return NGX_BUSY;
    }

    n = ngx_http_hls_store_small_alloc(sh);

    if (n == 0) {
        return NGX_BUSY;
    }

    e = ngx_http_hls_entry(sh, i);
    claim = ngx_http_hls_claim(sh, n);

    claim->slot = (uint16_t) ngx_rtmp_route_slot();
    claim->generation = head->generation;
    claim->entry = i;
    claim->seq = e->named.seq;
    claim->number = ngx_http_hls_store_seq(sh);
    claim->body = 0;

    ngx_memory_barrier();
    ngx_http_hls_point();

    claim->type = NGX_HTTP_HLS_SMALL_CLAIM;

    ngx_http_hls_point();

    e->claim = n;
    sh->claims++;

    ngx_http_hls_store_slot_add(sh, n, 0);

    return NGX_OK;
}


/* the claim of an entry ends without a result */

void
ngx_http_hls_store_claim_drop(ngx_http_hls_store_t *store, uint32_t i)
{
    uint32_t                    n, body;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_claim_t       *claim;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    e = ngx_http_hls_entry(sh, i);

    n = e->claim;
    claim = ngx_http_hls_claim(sh, n);
    body = claim->body;

    ngx_http_hls_touch(sh);

    claim->type = NGX_HTTP_HLS_SMALL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    e->claim = 0;
    sh->claims--;

    ngx_http_hls_store_slot_remove(sh, n);
    ngx_http_hls_store_small_free(sh, n);

    if (body) {
        ngx_http_hls_body(sh, body)->state = NGX_HTTP_HLS_BODY_FAILED;
        ngx_http_hls_point();
        ngx_http_hls_store_body_leave(store, body);
    }
}


ngx_int_t
ngx_http_hls_store_lookup(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key, ngx_uint_t kind, uint32_t stream,
    ngx_uint_t claim, ngx_uint_t count, ngx_http_hls_found_t *found)
{
    uint32_t             i;
    ngx_int_t            rc;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    ngx_memzero(found, sizeof(ngx_http_hls_found_t));

    ngx_http_hls_store_lock(store);

    /* before the look-up: an entry may be evicted for them */

    if (ngx_http_hls_smalls(sh) < 2) {
        (void) ngx_http_hls_store_smalls_reserve(store, 2);
    }

    i = ngx_http_hls_store_find(sh, key->hash, NGX_HTTP_HLS_CELL_ENTRY);

    if (i == 0) {

        if (!claim) {
            sh->misses += count ? 1 : 0;
            ngx_http_hls_store_unlock(store);

            found->state = NGX_HTTP_HLS_STORE_NONE;
            return NGX_OK;
        }

        i = ngx_http_hls_store_entry_create(store, key, kind, stream, 0);
    }

    if (i) {
        rc = ngx_http_hls_store_look(store, i, claim, found);

    } else {
        rc = NGX_BUSY;
    }

    if (rc == NGX_BUSY) {
        ngx_http_hls_store_full(store);

        if (i) {
            ngx_http_hls_store_entry_settle(store, i);
        }

    } else if (count) {
        ngx_http_hls_store_count(store, i, found->state);
    }

    ngx_http_hls_store_unlock(store);

    return rc;
}


static ngx_int_t
ngx_http_hls_store_look(ngx_http_hls_store_t *store, uint32_t i,
    ngx_uint_t claim, ngx_http_hls_found_t *found)
{
    uint32_t                    body;
    ngx_uint_t                  fresh;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_claim_t       *c;
    ngx_http_hls_body_cell_t   *b;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    e = ngx_http_hls_entry(sh, i);

    fresh = ngx_http_hls_is_before(ngx_current_msec, e->times.fresh);
    body = e->body;

    if (!fresh
        && !ngx_http_hls_is_before(ngx_current_msec, e->times.stale))
    {
        body = 0;
    }

    fresh = fresh && (body || e->status);

    if (claim && e->claim == 0
        && (!fresh || claim == NGX_HTTP_HLS_STORE_REFRESH))
    {
        if (ngx_http_hls_store_claim(store, i) != NGX_OK) {
            return NGX_BUSY;
        }

        found->state = NGX_HTTP_HLS_STORE_CLAIMED;

    } else if (fresh) {
        found->state = NGX_HTTP_HLS_STORE_FRESH;
        found->status = body ? 0 : e->status;

    } else if (e->claim) {
        found->state = body ? NGX_HTTP_HLS_STORE_UPDATING
                            : NGX_HTTP_HLS_STORE_FILLING;

    } else {
        found->state = body ? NGX_HTTP_HLS_STORE_STALE
                            : NGX_HTTP_HLS_STORE_NONE;
    }

    found->entry = i;
    found->seq = e->named.seq;
    found->fill = 0;
    found->stream = e->stream;
    found->kind = e->kind;
    found->times = e->times;
    found->used = e->used;
    found->body.body = 0;

    if (e->claim) {
        c = ngx_http_hls_claim(sh, e->claim);

        found->fill = c->number;

        if (found->state == NGX_HTTP_HLS_STORE_FILLING && c->body) {
            b = ngx_http_hls_body(sh, c->body);

            if ((b->state & NGX_HTTP_HLS_BODY_READY)
                && (b->state & NGX_HTTP_HLS_BODY_SHARED))
            {
                body = c->body;
            }
        }
    }

    if (body == 0) {
        return NGX_OK;
    }

    if (ngx_http_hls_store_ref_take(store, body) == NGX_OK) {
        ngx_http_hls_store_ref_body(store, body, &found->body);
        return NGX_OK;
    }

    return (found->state == NGX_HTTP_HLS_STORE_CLAIMED) ? NGX_OK : NGX_BUSY;
}


static void
ngx_http_hls_store_count(ngx_http_hls_store_t *store, uint32_t i,
    ngx_uint_t state)
{
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_entry_cell_t   *e;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    e = ngx_http_hls_entry(sh, i);
    st = e->stream ? ngx_http_hls_stream(sh, e->stream) : NULL;

    if (state == NGX_HTTP_HLS_STORE_NONE
        || state == NGX_HTTP_HLS_STORE_CLAIMED)
    {
        sh->misses++;
        e->misses++;

        if (st) {
            st->misses++;
        }

    } else {
        sh->hits++;
        e->hits++;

        if (st) {
            st->hits++;
        }
    }

    if (state == NGX_HTTP_HLS_STORE_STALE
        || state == NGX_HTTP_HLS_STORE_UPDATING)
    {
        sh->stale++;
    }

    e->used = ngx_current_msec;

    ngx_http_hls_store_lru_move(sh, i);
}


ngx_int_t
ngx_http_hls_store_again(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found)
{
    ngx_int_t                   rc;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;

    if (found->entry == 0 || found->entry > sh->cell_top) {
        return NGX_DECLINED;
    }

    ngx_http_hls_store_lock(store);

    if (ngx_http_hls_smalls(sh) == 0) {
        (void) ngx_http_hls_store_smalls_reserve(store, 1);
    }

    e = ngx_http_hls_entry(sh, found->entry);

    rc = NGX_DECLINED;

    if (e->named.type == NGX_HTTP_HLS_CELL_ENTRY
        && e->named.seq == found->seq)
    {
        found->status = 0;

        rc = ngx_http_hls_store_look(store, found->entry, 0, found);

        if (rc == NGX_BUSY) {
            ngx_http_hls_store_full(store);
            rc = NGX_DECLINED;
        }
    }

    ngx_http_hls_store_unlock(store);

    return rc;
}


ngx_int_t
ngx_http_hls_store_touch(ngx_http_hls_store_t *store, ngx_http_hls_key_t *key,
    ngx_http_hls_times_t *times, ngx_uint_t keep_data)
{
    uint32_t                    i;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_redo_t         redo;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;

    ngx_http_hls_store_lock(store);

    i = ngx_http_hls_store_find(sh, key->hash, NGX_HTTP_HLS_CELL_ENTRY);

    if (i) {
        e = ngx_http_hls_entry(sh, i);

        ngx_http_hls_store_redo_init(sh, i, &redo);
        ngx_http_hls_store_times(&redo, times, keep_data);

        /* nothing is known of how long it is not there */

        if (e->body == 0) {
            redo.times.fresh = e->times.fresh;
        }

        ngx_http_hls_store_entry_set(store, i, &redo);
    }

    ngx_http_hls_store_unlock(store);

    return i ? NGX_OK : NGX_DECLINED;
}


/* changed 0: it did not */

void
ngx_http_hls_store_times(ngx_http_hls_redo_t *redo,
    ngx_http_hls_times_t *times, ngx_uint_t keep_data)
{
    redo->times.fresh = times->fresh;
    redo->times.stale = times->stale;

    if (times->changed) {
        redo->times.changed = times->changed;
    }

    if (!keep_data) {
        ngx_memcpy(redo->times.data, times->data, NGX_HTTP_HLS_STORE_DATA);
    }
}


ngx_int_t
ngx_http_hls_store_note(ngx_http_hls_store_t *store, ngx_http_hls_key_t *key,
    ngx_uint_t kind, uint32_t stream, ngx_http_hls_times_t *times)
{
    uint32_t                    i;
    ngx_int_t                   rc;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_redo_t         redo;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    rc = NGX_BUSY;

    ngx_http_hls_store_lock(store);

    i = ngx_http_hls_store_find(sh, key->hash, NGX_HTTP_HLS_CELL_ENTRY);

    if (i == 0) {
        i = ngx_http_hls_store_entry_create(store, key, kind, stream, 1);
    }

    if (i) {
        e = ngx_http_hls_entry(sh, i);

        stream = ngx_http_hls_store_stream_valid(sh, stream);

        if (e->stream != stream) {
            ngx_http_hls_store_entry_out(sh, i);
            e->stream = stream;
            ngx_http_hls_point();
            ngx_http_hls_store_entry_in(sh, i);
        }

        ngx_http_hls_store_redo_init(sh, i, &redo);
        ngx_http_hls_store_times(&redo, times, 0);

        redo.flags |= NGX_HTTP_HLS_ENTRY_NOTE;

        /* what is listed is there, whatever was said before */

        redo.status = 0;

        ngx_http_hls_store_entry_set(store, i, &redo);
        ngx_http_hls_store_lru_move(sh, i);

        rc = NGX_OK;
    }

    ngx_http_hls_store_unlock(store);

    return rc;
}
