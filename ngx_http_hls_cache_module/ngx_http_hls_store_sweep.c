
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


/* all cells are looked at within so many calls, if not a few more at a time */
#define NGX_HTTP_HLS_SCRUB  32


/* which generation of each slot is there, as seen without the lock */

typedef struct {
    ngx_http_hls_store_t       *store;
    ngx_uint_t                  count;      /* within this hold of the lock */
    uint32_t                    generation[NGX_RTMP_ROUTE_SLOTS_LIMIT];
    u_char                      alive[NGX_RTMP_ROUTE_SLOTS_LIMIT];
} ngx_http_hls_sweep_t;


static ngx_uint_t ngx_http_hls_store_sweep_gone(ngx_http_hls_sweep_t *sweep,
    ngx_uint_t slot, uint32_t generation);
static void ngx_http_hls_store_sweep_slot(ngx_http_hls_sweep_t *sweep,
    ngx_uint_t slot);
static void ngx_http_hls_store_sweep_record(ngx_http_hls_store_t *store,
    uint32_t i);
static void ngx_http_hls_store_sweep_scrub(ngx_http_hls_sweep_t *sweep);
static void ngx_http_hls_store_sweep_streams(ngx_http_hls_store_t *store);
static void ngx_http_hls_store_sweep_pause(ngx_http_hls_sweep_t *sweep,
    ngx_uint_t max);


void
ngx_http_hls_store_sweep(ngx_http_hls_store_t *store)
{
    ngx_uint_t             i;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_sweep_t   sweep;

    sh = store->sh;

    sweep.store = store;
    sweep.count = 0;

    for (i = 0; i < sh->nslots; i++) {
        sweep.generation[i] = ngx_rtmp_route_slot_generation(i);
        sweep.alive[i] = (u_char) ngx_rtmp_route_slot_alive(i,
                                                         sweep.generation[i]);
    }

    ngx_http_hls_store_lock(store);

    for (i = 0; i < sh->nslots; i++) {
        ngx_http_hls_store_sweep_slot(&sweep, i);
    }

    ngx_http_hls_store_sweep_scrub(&sweep);
    ngx_http_hls_store_sweep_streams(store);

    if (sh->punch) {
        store->punch = 1;
    }

    ngx_http_hls_store_unlock(store);
}


/* the slot may have a new owner since it was looked at */

static ngx_uint_t
ngx_http_hls_store_sweep_gone(ngx_http_hls_sweep_t *sweep, ngx_uint_t slot,
    uint32_t generation)
{
    if (generation == sweep->generation[slot]) {
        return !sweep->alive[slot];
    }

    return (int32_t) (generation - sweep->generation[slot]) < 0;
}


static void
ngx_http_hls_store_sweep_slot(ngx_http_hls_sweep_t *sweep, ngx_uint_t slot)
{
    uint32_t               i;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_ref_t    *ref;
    ngx_http_hls_head_t   *head;
    ngx_http_hls_store_t  *store;

    store = sweep->store;
    sh = store->sh;

    for ( ;; ) {
        head = ngx_http_hls_head(sh, slot);

        /* whom it was about to wake */

        if (head->wake
            && slot != ngx_rtmp_route_slot()
            && ngx_http_hls_store_sweep_gone(sweep, slot, head->generation))
        {
            store->wake |= head->wake;

            if (ngx_http_hls_store_own(store)) {
                ngx_http_hls_store_own(store)->wake |= head->wake;
                ngx_memory_barrier();
                ngx_http_hls_point();
            }

            head->wake = 0;
            ngx_http_hls_point();
        }

        /* the oldest record */

        i = head->first;

        if (i == 0) {
            return;
        }

        i = ngx_http_hls_ref(sh, i)->prev;
        ref = ngx_http_hls_ref(sh, i);

        if (!ngx_http_hls_store_sweep_gone(sweep, slot, ref->generation)) {
            return;
        }

        ngx_http_hls_store_sweep_record(store, i);
        ngx_http_hls_store_sweep_pause(sweep, NGX_HTTP_HLS_EVICT);
    }
}


static void
ngx_http_hls_store_sweep_record(ngx_http_hls_store_t *store, uint32_t i)
{
    uint32_t                    entry;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_small_t       *small;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    small = ngx_http_hls_small(sh, i);

    switch (small->ref.type) {

    case NGX_HTTP_HLS_SMALL_REF:
        ngx_http_hls_store_ref_drop(store, i);
        break;

    case NGX_HTTP_HLS_SMALL_CLAIM:
        entry = small->claim.entry;
        e = ngx_http_hls_entry(sh, entry);

        ngx_http_hls_store_claim_drop(store, entry);
        ngx_http_hls_store_wake(store, e);
        ngx_http_hls_store_entry_settle(store, entry);

        sh->failed++;
        break;

    default: /* NGX_HTTP_HLS_BODY_PUNCHING */
        ngx_http_hls_store_punch_again(store, i);
        break;
    }
}


/* drops entries that are kept no longer, a part of all cells at a time */

static void
ngx_http_hls_store_sweep_scrub(ngx_http_hls_sweep_t *sweep)
{
    uint32_t                    i, n;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = sweep->store->sh;

    n = ngx_max(sh->cell_top / NGX_HTTP_HLS_SCRUB, NGX_HTTP_HLS_BATCH);
    n = ngx_min(n, sh->cell_top);

    for ( /* void */ ; n; n--) {

        i = sh->scrub % sh->cell_top + 1;
        sh->scrub = i;

        e = ngx_http_hls_entry(sh, i);

        if (e->named.type == NGX_HTTP_HLS_CELL_ENTRY
            && ngx_http_hls_store_entry_over(e))
        {
            ngx_http_hls_store_entry_drop(sweep->store, i);
            sweep->count += NGX_HTTP_HLS_BATCH / NGX_HTTP_HLS_EVICT;
        }

        ngx_http_hls_store_sweep_pause(sweep, NGX_HTTP_HLS_BATCH);
    }
}


static void
ngx_http_hls_store_sweep_streams(ngx_http_hls_store_t *store)
{
    int32_t              idle;
    uint32_t             i;
    ngx_uint_t           n;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    for (n = 0; n < NGX_HTTP_HLS_EVICT; n++) {

        i = sh->lru[NGX_HTTP_HLS_LRU_STREAM].last;

        if (i == 0) {
            return;
        }

        idle = (int32_t) ((uint32_t) ngx_current_msec
                          - ngx_http_hls_named(sh, i)->moved);

        if (idle < NGX_HTTP_HLS_IDLE) {
            return;
        }

        ngx_http_hls_store_stream_drop(store, i);
    }
}


/* others have their turn */

static void
ngx_http_hls_store_sweep_pause(ngx_http_hls_sweep_t *sweep, ngx_uint_t max)
{
    if (++sweep->count < max) {
        return;
    }

    sweep->count = 0;

    ngx_http_hls_store_unlock(sweep->store);
    ngx_http_hls_store_lock(sweep->store);
}
