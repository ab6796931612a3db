
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"

#include <fcntl.h>


#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE   0x01
#endif

#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_PUNCH_HOLE  0x02
#endif


static void ngx_http_hls_store_body_discard(ngx_http_hls_store_t *store,
    uint32_t i);
static void ngx_http_hls_store_body_free(ngx_http_hls_store_t *store,
    uint32_t i);
static ngx_uint_t ngx_http_hls_store_evict(ngx_http_hls_store_t *store,
    ngx_uint_t lru, uint32_t *pages);
static ngx_uint_t ngx_http_hls_store_evict_stream(
    ngx_http_hls_store_t *store);


/* what is returned belongs to nobody yet: a rebuild takes it back */

uint32_t
ngx_http_hls_store_body_create(ngx_http_hls_store_t *store, uint32_t npages,
    uint32_t used)
{
    uint32_t                   i, page;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;

    page = ngx_http_hls_store_extent_alloc(sh, npages);

    if (page == NGX_HTTP_HLS_NO_PAGE) {
        return 0;
    }

    i = ngx_http_hls_store_small_alloc(sh);

    if (i == 0) {
        ngx_http_hls_store_extent_free(sh, page, npages);
        return 0;
    }

    b = ngx_http_hls_body(sh, i);

    b->state = NGX_HTTP_HLS_BODY_FILLING;
    b->slot = 0;
    b->generation = 0;
    b->prev = 0;
    b->next = 0;
    b->seq = ngx_http_hls_store_seq(sh);
    b->refs = 0;
    b->page = page;
    b->npages = npages;
    b->used = used;
    b->status = 0;
    b->head_len = 0;
    b->total = -1;
    b->len = 0;
    b->created = (uint32_t) ngx_time();

    ngx_memory_barrier();
    ngx_http_hls_point();

    b->type = NGX_HTTP_HLS_BODY_DOOMED;

    ngx_http_hls_point();

    sh->bodies++;
    sh->used += used;

    ngx_http_hls_point();

    return i;
}


void
ngx_http_hls_store_body_role(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_uint_t role)
{
    ngx_http_hls_body_cell_t  *b;

    ngx_http_hls_touch(sh);

    b = ngx_http_hls_body(sh, i);

    sh->bodies -= ngx_http_hls_is_counted(b->type);
    sh->viewers -= (b->type == NGX_HTTP_HLS_BODY_VIEWERS);
    ngx_http_hls_point();
    b->type = (u_char) role;
    ngx_http_hls_point();
    sh->bodies += ngx_http_hls_is_counted(role);
    sh->viewers += (role == NGX_HTTP_HLS_BODY_VIEWERS);
}


void
ngx_http_hls_store_body_leave(ngx_http_hls_store_t *store, uint32_t i)
{
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    if (ngx_http_hls_store_body_busy(sh, i)) {
        ngx_http_hls_store_body_role(sh, i, NGX_HTTP_HLS_BODY_DOOMED);
        return;
    }

    ngx_http_hls_store_body_discard(store, i);
}


/* whether anything of it may be read at the moment */

ngx_uint_t
ngx_http_hls_store_body_busy(ngx_http_hls_shm_t *sh, uint32_t i)
{
    uint32_t             r;
    ngx_http_hls_ref_t  *ref;

    for (r = ngx_http_hls_body(sh, i)->refs; r; r = ref->chain) {

        ref = ngx_http_hls_ref(sh, r);

        if (ref->count) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_hls_store_body_unref(ngx_http_hls_store_t *store, uint32_t i)
{
    if (ngx_http_hls_body(store->sh, i)->type == NGX_HTTP_HLS_BODY_DOOMED
        && !ngx_http_hls_store_body_busy(store->sh, i))
    {
        ngx_http_hls_store_body_discard(store, i);
    }
}


static void
ngx_http_hls_store_body_discard(ngx_http_hls_store_t *store, uint32_t i)
{
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;
    b = ngx_http_hls_body(sh, i);

    ngx_http_hls_store_body_role(sh, i, NGX_HTTP_HLS_BODY_PUNCH);

    /* these are not counting any more */

    while (b->refs) {
        ngx_http_hls_store_ref_drop(store, b->refs);
    }

    if (b->used == 0) {
        ngx_http_hls_store_body_free(store, i);
        return;
    }

    b->next = sh->punch;
    ngx_http_hls_point();
    sh->punch = i;
    ngx_http_hls_point();

    store->punch = 1;
}


static void
ngx_http_hls_store_body_free(ngx_http_hls_store_t *store, uint32_t i)
{
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;
    b = ngx_http_hls_body(sh, i);

    ngx_http_hls_touch(sh);

    b->type = NGX_HTTP_HLS_SMALL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    sh->used -= b->used;

    ngx_http_hls_store_extent_free(sh, b->page, b->npages);
    ngx_http_hls_store_small_free(sh, i);
}


ngx_uint_t
ngx_http_hls_store_punch_get(ngx_http_hls_store_t *store,
    ngx_http_hls_punch_t *punch, ngx_uint_t n)
{
    uint32_t                   i;
    ngx_uint_t                 done;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_head_t       *head;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;
    head = ngx_http_hls_store_own(store);

    /* without a slot it is left to others */

    if (head == NULL) {
        store->punch = 0;
        return 0;
    }

    for (done = 0; done < n && sh->punch; done++) {

        ngx_http_hls_touch(sh);

        i = sh->punch;
        b = ngx_http_hls_body(sh, i);

        sh->punch = b->next;

        b->slot = (uint16_t) ngx_rtmp_route_slot();
        b->generation = head->generation;

        ngx_memory_barrier();
        ngx_http_hls_point();

        b->type = NGX_HTTP_HLS_BODY_PUNCHING;

        ngx_http_hls_point();

        ngx_http_hls_store_slot_add(sh, i, 0);

        punch[done].body = i;
        punch[done].seq = b->seq;
        punch[done].offset = (off_t) b->page << ngx_pagesize_shift;
        punch[done].len = (off_t) b->used << ngx_pagesize_shift;
    }

    if (sh->punch == 0) {
        store->punch = 0;
    }

    return done;
}


/* what is on its way in the kernel keeps the pages that it had */

void
ngx_http_hls_store_punch(ngx_http_hls_store_t *store,
    ngx_http_hls_punch_t *punch, ngx_uint_t n)
{
    ngx_uint_t  i;

    ngx_http_hls_point();

    for (i = 0; i < n; i++) {

        if (fallocate(store->window->fd,
                      FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE,
                      punch[i].offset, punch[i].len)
            == -1)
        {
            ngx_log_error(NGX_LOG_ALERT, store->log, ngx_errno,
                          "fallocate() of a cache failed");
        }

        ngx_http_hls_point();
    }
}


void
ngx_http_hls_store_punch_end(ngx_http_hls_store_t *store,
    ngx_http_hls_punch_t *punch, ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;

    for (i = 0; i < n; i++) {
        b = ngx_http_hls_body(sh, punch[i].body);

        if (b->type == NGX_HTTP_HLS_BODY_PUNCHING
            && b->seq == punch[i].seq
            && b->slot == ngx_rtmp_route_slot())
        {
            ngx_http_hls_store_slot_remove(sh, punch[i].body);
            ngx_http_hls_store_body_free(store, punch[i].body);
        }
    }
}


/* the process that was to do it is gone */

void
ngx_http_hls_store_punch_again(ngx_http_hls_store_t *store, uint32_t i)
{
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;
    b = ngx_http_hls_body(sh, i);

    ngx_http_hls_store_slot_remove(sh, i);

    b->type = NGX_HTTP_HLS_BODY_PUNCH;
    ngx_http_hls_point();
    b->next = sh->punch;
    ngx_http_hls_point();
    sh->punch = i;

    store->punch = 1;
}


/*
 * Pages are free for use only after they were punched out, which is when the
 * lock is released: the caller then tries again
 */

ngx_int_t
ngx_http_hls_store_room(ngx_http_hls_store_t *store, uint32_t pages,
    ngx_uint_t *busy)
{
    uint32_t             freed, goal, n;
    ngx_uint_t           i;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    if (pages > sh->budget) {
        return NGX_BUSY;
    }

    if (sh->used <= sh->budget - pages) {
        return NGX_OK;
    }

    goal = sh->used - (sh->budget - pages);
    freed = 0;

    for (i = 0; i < NGX_HTTP_HLS_EVICT && freed < goal; i++) {

        if (*busy >= sh->lru[NGX_HTTP_HLS_LRU_BODY].n) {
            break;
        }

        if (ngx_http_hls_store_evict(store, NGX_HTTP_HLS_LRU_BODY, &n)) {
            freed += n;
            continue;
        }

        (*busy)++;
    }

    if (freed || sh->punch || i == NGX_HTTP_HLS_EVICT) {
        store->punch = (sh->punch != 0);
        return NGX_AGAIN;
    }

    return NGX_BUSY;
}


/*
 * Drops the last one of a queue; one that is in use goes to the front.  What
 * is returned is whether there is one less.
 */

static ngx_uint_t
ngx_http_hls_store_evict(ngx_http_hls_store_t *store, ngx_uint_t lru,
    uint32_t *pages)
{
    uint32_t                    i;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;
    i = sh->lru[lru].last;

    if (i == 0) {
        return 0;
    }

    e = ngx_http_hls_entry(sh, i);

    if (e->claim
        || (e->body && ngx_http_hls_store_body_busy(sh, e->body)))
    {
        ngx_http_hls_store_lru_remove(sh, i);
        ngx_http_hls_store_lru_add(sh, i);

        e->named.moved = (uint32_t) ngx_current_msec;

        return 0;
    }

    *pages = e->body ? ngx_http_hls_body(sh, e->body)->used : 0;

    ngx_http_hls_store_entry_drop(store, i);

    sh->evicted++;

    return 1;
}


ngx_uint_t
ngx_http_hls_store_evict_some(ngx_http_hls_store_t *store)
{
    uint32_t    pages;
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_HTTP_HLS_EVICT / 4; i++) {
        n += ngx_http_hls_store_evict(store, NGX_HTTP_HLS_LRU_BODY, &pages);
    }

    return n;
}


/* a stream that somebody was told of a moment ago stays */

static ngx_uint_t
ngx_http_hls_store_evict_stream(ngx_http_hls_store_t *store)
{
    uint32_t             i;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;
    i = sh->lru[NGX_HTTP_HLS_LRU_STREAM].last;

    if (i == 0
        || (int32_t) ((uint32_t) ngx_current_msec
                      - ngx_http_hls_named(sh, i)->moved)
           < NGX_HTTP_HLS_MOVE)
    {
        return 0;
    }

    ngx_http_hls_store_stream_drop(store, i);

    return 1;
}


/* bare: not at the cost of an entry with a body */

ngx_int_t
ngx_http_hls_store_cells_reserve(ngx_http_hls_store_t *store, ngx_uint_t n,
    ngx_uint_t bare)
{
    uint32_t             pages;
    ngx_uint_t           busy, lru;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;
    lru = NGX_HTTP_HLS_LRU_BARE;
    busy = 0;

    while (sh->cell_nfree + (sh->ncells - sh->cell_top) < n) {

        if (ngx_http_hls_store_evict_stream(store)
            || ngx_http_hls_store_evict(store, lru, &pages))
        {
            continue;
        }

        if (++busy < ngx_min(sh->lru[lru].n, NGX_HTTP_HLS_EVICT / 2)) {
            continue;
        }

        if (bare || lru == NGX_HTTP_HLS_LRU_BODY) {
            return NGX_BUSY;
        }

        lru = NGX_HTTP_HLS_LRU_BODY;
        busy = 0;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_store_smalls_reserve(ngx_http_hls_store_t *store, ngx_uint_t n)
{
    uint32_t              i, prev, pages;
    ngx_uint_t            k, evicted;
    ngx_http_hls_ref_t   *ref;
    ngx_http_hls_shm_t   *sh;
    ngx_http_hls_head_t  *head;

    sh = store->sh;

    if (ngx_http_hls_smalls(sh) >= n) {
        return NGX_OK;
    }

    /* references that are kept for the next time */

    head = ngx_http_hls_store_own(store);
    i = head ? head->first : 0;

    if (i) {
        i = ngx_http_hls_ref(sh, i)->prev;
    }

    for (k = 0; k < NGX_HTTP_HLS_BATCH && i; k++) {

        ref = ngx_http_hls_ref(sh, i);
        prev = (i == head->first) ? 0 : ref->prev;

        if (ref->type == NGX_HTTP_HLS_SMALL_REF && ref->count == 0) {
            ngx_http_hls_store_ref_drop(store, i);
        }

        i = prev;
    }

    /* bodies that are not yet punched out have theirs still */

    evicted = 0;

    for (k = 0; k < NGX_HTTP_HLS_EVICT && evicted < 2 * n; k++) {

        if (ngx_http_hls_smalls(sh) >= n) {
            return NGX_OK;
        }

        evicted += ngx_http_hls_store_evict(store, NGX_HTTP_HLS_LRU_BODY,
                                            &pages);
    }

    return (ngx_http_hls_smalls(sh) >= n) ? NGX_OK : NGX_BUSY;
}
