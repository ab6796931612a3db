
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


static uint32_t ngx_http_hls_store_ref_find(ngx_http_hls_store_t *store,
    uint32_t body, ngx_uint_t slot, uint32_t generation);


/* small cells were reserved, but for what is within the free ones */

ngx_int_t
ngx_http_hls_store_ref_take(ngx_http_hls_store_t *store, uint32_t body)
{
    uint32_t              i;
    ngx_uint_t            slot;
    ngx_http_hls_ref_t   *ref;
    ngx_http_hls_shm_t   *sh;
    ngx_http_hls_head_t  *head;

    sh = store->sh;
    head = ngx_http_hls_store_own(store);

    if (head == NULL) {
        return NGX_BUSY;
    }

    slot = ngx_rtmp_route_slot();

    i = ngx_http_hls_store_ref_find(store, body, slot, head->generation);

    if (i) {
        ngx_http_hls_ref(sh, i)->count++;
        head->refs++;
        return NGX_OK;
    }

    i = ngx_http_hls_store_small_alloc(sh);

    if (i == 0) {
        return NGX_BUSY;
    }

    ref = ngx_http_hls_ref(sh, i);

    ref->slot = (uint16_t) slot;
    ref->generation = head->generation;
    ref->body = body;
    ref->seq = ngx_http_hls_body(sh, body)->seq;
    ref->count = 1;

    ngx_memory_barrier();
    ngx_http_hls_point();

    ref->type = NGX_HTTP_HLS_SMALL_REF;

    ngx_http_hls_point();

    ngx_http_hls_store_slot_add(sh, i, 0);
    ngx_http_hls_store_chain_add(sh, i);

    head->refs++;

    return NGX_OK;
}


/* with many processes the chain is long */

static uint32_t
ngx_http_hls_store_ref_find(ngx_http_hls_store_t *store, uint32_t body,
    ngx_uint_t slot, uint32_t generation)
{
    uint32_t             i, *hint;
    ngx_http_hls_ref_t  *ref;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;
    hint = &store->hints[body % NGX_HTTP_HLS_STORE_HINTS];
    i = *hint;

    if (i && i <= sh->small_top) {
        ref = ngx_http_hls_ref(sh, i);

        if (ref->type == NGX_HTTP_HLS_SMALL_REF && ref->body == body
            && ref->slot == slot && ref->generation == generation)
        {
            return i;
        }
    }

    for (i = ngx_http_hls_body(sh, body)->refs; i; i = ref->chain) {

        ref = ngx_http_hls_ref(sh, i);

        if (ref->slot == slot && ref->generation == generation) {
            *hint = i;
            return i;
        }
    }

    return 0;
}


/* a reference and all that it counts */

void
ngx_http_hls_store_ref_drop(ngx_http_hls_store_t *store, uint32_t i)
{
    uint32_t              body;
    ngx_http_hls_ref_t   *ref;
    ngx_http_hls_shm_t   *sh;
    ngx_http_hls_head_t  *head;

    sh = store->sh;

    ngx_http_hls_touch(sh);

    ref = ngx_http_hls_ref(sh, i);
    body = ref->body;

    head = ngx_http_hls_head(sh, ref->slot);

    if (head->generation == ref->generation) {
        head->refs -= ref->count;
    }

    ref->type = NGX_HTTP_HLS_SMALL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    ngx_http_hls_store_slot_remove(sh, i);
    ngx_http_hls_store_chain_remove(sh, i);
    ngx_http_hls_store_small_free(sh, i);

    ngx_http_hls_store_body_unref(store, body);
}


/* a cell is kept for the next time as long as there are enough of them */

void
ngx_http_hls_store_ref_give(ngx_http_hls_store_t *store, uint32_t body,
    uint32_t seq)
{
    uint32_t                   i;
    ngx_http_hls_ref_t        *ref;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_head_t       *head;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;
    head = ngx_http_hls_store_own(store);

    if (head == NULL || body > sh->small_top) {
        return;
    }

    b = ngx_http_hls_body(sh, body);

    if (!ngx_http_hls_is_body(b) || b->seq != seq) {
        return;
    }

    i = ngx_http_hls_store_ref_find(store, body, ngx_rtmp_route_slot(),
                                    head->generation);
    if (i == 0) {
        return;
    }

    ref = ngx_http_hls_ref(sh, i);

    if (ref->count) {
        ref->count--;
        head->refs--;
    }

    if (ref->count) {
        return;
    }

    if (b->type == NGX_HTTP_HLS_BODY_DOOMED
        || ngx_http_hls_smalls(sh) < sh->nsmalls / 4)
    {
        ngx_http_hls_store_ref_drop(store, i);
    }
}


void
ngx_http_hls_store_ref_body(ngx_http_hls_store_t *store, uint32_t i,
    ngx_http_hls_body_t *body)
{
    size_t                     start;
    ngx_http_hls_body_cell_t  *b;

    b = ngx_http_hls_body(store->sh, i);
    start = ngx_http_hls_body_start(b->head_len);

    body->body = i;
    body->seq = b->seq;
    body->head = ngx_http_hls_page_at(store, b->page);
    body->head_len = b->head_len;
    body->data = body->head + start;
    body->offset = ((off_t) b->page << ngx_pagesize_shift) + (off_t) start;
    body->len = (off_t) b->len;
    body->total = b->total;
    body->state = b->state & NGX_HTTP_HLS_BODY_STATE;
    body->status = b->status;
    body->created = (time_t) b->created;
}


/* the filler writes these in the reverse order */

void
ngx_http_hls_store_progress(ngx_http_hls_store_t *store,
    ngx_http_hls_body_t *body)
{
    ngx_http_hls_body_cell_t  *b;

    if (body->body == 0) {
        return;
    }

    b = ngx_http_hls_body(store->sh, body->body);

    body->state = *(volatile u_char *) &b->state
                  & NGX_HTTP_HLS_BODY_STATE;

    ngx_memory_barrier();

    body->total = b->total;
    body->len = (off_t) b->len;
}


void
ngx_http_hls_store_release(ngx_http_hls_store_t *store,
    ngx_http_hls_body_t *body)
{
    if (body->body == 0) {
        return;
    }

    ngx_http_hls_store_lock(store);

    ngx_http_hls_store_ref_give(store, body->body, body->seq);

    ngx_http_hls_store_unlock(store);

    body->body = 0;
}


ngx_int_t
ngx_http_hls_store_wait(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, off_t have)
{
    ngx_int_t                   rc;
    ngx_uint_t                  slot;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_claim_t       *claim;
    ngx_http_hls_body_cell_t   *b;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    slot = ngx_rtmp_route_slot();
    rc = NGX_DECLINED;

    if (found->entry == 0 || slot >= sh->nslots) {
        return NGX_DECLINED;
    }

    ngx_http_hls_store_lock(store);

    e = ngx_http_hls_entry(sh, found->entry);

    if (found->entry > sh->cell_top
        || e->named.type != NGX_HTTP_HLS_CELL_ENTRY
        || e->named.seq != found->seq
        || e->claim == 0)
    {
        goto done;
    }

    claim = ngx_http_hls_claim(sh, e->claim);

    if (claim->number != found->fill) {
        goto done;
    }

    if (claim->body) {
        b = ngx_http_hls_body(sh, claim->body);

        if (found->body.body == claim->body) {

            if ((off_t) b->len > have
                || (b->state & NGX_HTTP_HLS_BODY_STATE)
                   != NGX_HTTP_HLS_BODY_FILLING)
            {
                goto done;
            }

        } else if (found->body.body == 0
                   && (b->state & NGX_HTTP_HLS_BODY_READY)
                   && (b->state & NGX_HTTP_HLS_BODY_SHARED))
        {
            goto done;
        }
    }

    e->waiters |= (uint64_t) 1 << (slot % 64);

    rc = NGX_OK;

done:

    ngx_http_hls_store_unlock(store);

    return rc;
}
