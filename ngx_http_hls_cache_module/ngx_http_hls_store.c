
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"
#include "ngx_rtmp_route_zone.h"


/* the part of a store that is for cells, and what they need besides */
#define NGX_HTTP_HLS_SHARE      16
#define NGX_HTTP_HLS_MIN_ZONE   (64 * 1024)
#define NGX_HTTP_HLS_MIN_CELLS  32

/* small cells for each other one: a body and references */
#define NGX_HTTP_HLS_SMALLS     3

/* holds of the lock in which freed extents are seen to, one after the other */
#define NGX_HTTP_HLS_ROUNDS     8

#define ngx_http_hls_sizes()                                                  \
    ((uint32_t) (sizeof(ngx_http_hls_cell_t)                                  \
                 + 31 * sizeof(ngx_http_hls_small_t)                          \
                 + 961 * sizeof(ngx_http_hls_shm_t)                           \
                 + 29791 * ngx_pagesize))


static ngx_int_t ngx_http_hls_store_reuse(ngx_http_hls_store_t *store,
    ngx_slab_pool_t *shpool);
static ngx_int_t ngx_http_hls_store_layout(ngx_http_hls_shm_t *sh,
    size_t size);
static size_t ngx_http_hls_store_place(void *arena, size_t ncells);
static uint64_t ngx_http_hls_store_file(ngx_http_hls_store_t *store);
static void ngx_http_hls_store_wake_slots(ngx_http_hls_store_t *store,
    uint64_t wake);
static void ngx_http_hls_store_log(ngx_http_hls_store_t *store);


size_t
ngx_http_hls_store_zone_size(size_t size)
{
    size_t  n;

    n = NGX_HTTP_HLS_MIN_ZONE + size / NGX_HTTP_HLS_SHARE;

    return ngx_align(n, ngx_pagesize);
}


ngx_int_t
ngx_http_hls_store_init(ngx_http_hls_store_t *store, ngx_slab_pool_t *shpool)
{
    size_t               size;
    ngx_http_hls_shm_t  *sh;

    store->shpool = shpool;
    store->wake = 0;
    store->punch = 0;
    store->log_full = 0;
    store->log_rebuilt = 0;

    if (store->size == 0) {
        store->size = store->window->size / NGX_HTTP_HLS_STORE_WINDOW;
    }

    if (shpool->data) {
        return ngx_http_hls_store_reuse(store, shpool);
    }

    sh = ngx_rtmp_route_zone_arena(shpool, sizeof(ngx_http_hls_shm_t), &size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    sh->npages = (uint32_t) (store->window->size >> ngx_pagesize_shift);
    sh->budget = (uint32_t) (store->size >> ngx_pagesize_shift);
    sh->budget = ngx_min(sh->budget, sh->npages);
    sh->file = ngx_http_hls_store_file(store);

    if (sh->budget == 0 || ngx_http_hls_store_layout(sh, size) != NGX_OK) {
        ngx_slab_free(shpool, sh);
        return NGX_ERROR;
    }

    /* cells are written when they are used first */

    ngx_memzero(ngx_http_hls_head(sh, 0),
                sh->nslots * sizeof(ngx_http_hls_head_t));
    ngx_memzero(ngx_http_hls_at(sh, buckets, uint32_t),
                sh->nbuckets * sizeof(uint32_t));

    ngx_http_hls_store_extent_reset(sh);
    sh->dirty = 0;

    ngx_rtmp_route_zone_seed(sh->seed, sizeof(sh->seed));

    sh->layout = NGX_HTTP_HLS_LAYOUT;
    sh->sizes = ngx_http_hls_sizes();
    sh->magic = NGX_HTTP_HLS_MAGIC;

    store->sh = sh;
    store->size = (size_t) sh->budget << ngx_pagesize_shift;
    shpool->data = sh;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_store_reuse(ngx_http_hls_store_t *store, ngx_slab_pool_t *shpool)
{
    size_t               size;
    ngx_http_hls_shm_t  *sh;

    sh = ngx_rtmp_route_zone_reuse(shpool, sizeof(ngx_http_hls_shm_t), &size);

    if (sh == NULL
        || sh->magic != NGX_HTTP_HLS_MAGIC
        || sh->layout != NGX_HTTP_HLS_LAYOUT
        || sh->sizes != ngx_http_hls_sizes()
        || sh->nslots != ngx_rtmp_route_slots()
        || sh->size > size
        || sh->npages != store->window->size >> ngx_pagesize_shift
        || sh->file != ngx_http_hls_store_file(store))
    {
        return NGX_DECLINED;
    }

    store->sh = sh;
    store->size = (size_t) sh->budget << ngx_pagesize_shift;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_store_layout(ngx_http_hls_shm_t *sh, size_t size)
{
    size_t  n;

    sh->size = size;
    sh->nslots = (uint32_t) ngx_rtmp_route_slots();

    n = ngx_min(size / sizeof(ngx_http_hls_cell_t), 0x1fffffff);

    return ngx_rtmp_route_zone_layout(sh, size, NGX_HTTP_HLS_MIN_CELLS, n,
                                      ngx_http_hls_store_place);
}


/* returns the size of all with that many cells */

static size_t
ngx_http_hls_store_place(void *arena, size_t ncells)
{
    ngx_http_hls_shm_t *sh = arena;

    size_t  p;

    sh->ncells = (uint32_t) ncells;
    sh->nsmalls = (uint32_t) (ncells * NGX_HTTP_HLS_SMALLS);
    sh->nbuckets = (uint32_t) ncells;

    p = ngx_align(sizeof(ngx_http_hls_shm_t), 64);

    sh->heads = p;
    p = ngx_align(p + sh->nslots * sizeof(ngx_http_hls_head_t), 64);

    sh->buckets = p;
    p = ngx_align(p + sh->nbuckets * sizeof(uint32_t), 64);

    sh->words = p;
    p = ngx_align(p + ngx_http_hls_store_extent_layout(sh), 64);

    sh->smalls = p;
    p = ngx_align(p + sh->nsmalls * sizeof(ngx_http_hls_small_t), 64);

    sh->cells = p;

    return p + ncells * sizeof(ngx_http_hls_cell_t);
}


uint64_t
ngx_http_hls_store_instance(ngx_http_hls_store_t *store)
{
    uint64_t  hash[2];

    ngx_http_hls_store_hash(store->sh->seed, (u_char *) "instance", 8, hash);

    return hash[0];
}


/* the zone and the window that it speaks of belong together */

static uint64_t
ngx_http_hls_store_file(ngx_http_hls_store_t *store)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(store->window->fd, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    return (uint64_t) ngx_file_uniq(&fi);
}


void
ngx_http_hls_store_lock(ngx_http_hls_store_t *store)
{
    ngx_shmtx_lock(&store->shpool->mutex);

    if (store->sh->dirty) {
        ngx_http_hls_store_rebuild(store);
        store->log_rebuilt = 1;
    }
}


/*
 * What is freed is punched out without the lock, and only then may be used
 * again
 */

void
ngx_http_hls_store_unlock(ngx_http_hls_store_t *store)
{
    uint64_t               wake;
    ngx_uint_t             n, round;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_punch_t   punch[NGX_HTTP_HLS_PUNCH];

    sh = store->sh;

    for (round = 1; /* void */ ; round++) {

        n = 0;

        if (store->punch && round <= NGX_HTTP_HLS_ROUNDS) {
            n = ngx_http_hls_store_punch_get(store, punch,
                                             NGX_HTTP_HLS_PUNCH);
        }

        wake = store->wake;
        store->wake = 0;

        if (sh->dirty) {
            ngx_memory_barrier();
            ngx_http_hls_point();
            sh->dirty = 0;
        }

        ngx_http_hls_point();

        ngx_shmtx_unlock(&store->shpool->mutex);

        if (wake) {
            ngx_http_hls_store_wake_slots(store, wake);
        }

        if (n == 0) {
            break;
        }

        ngx_http_hls_store_punch(store, punch, n);

        ngx_http_hls_store_lock(store);

        ngx_http_hls_store_punch_end(store, punch, n);
    }

    if (store->log_full || store->log_rebuilt) {
        ngx_http_hls_store_log(store);
    }
}


/* a slot that is not meant looks once in vain */

static void
ngx_http_hls_store_wake_slots(ngx_http_hls_store_t *store, uint64_t wake)
{
    ngx_uint_t           i;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    ngx_http_hls_point();

    for (i = 0; i < sh->nslots; i++) {

        if ((wake & ((uint64_t) 1 << (i % 64)))
            && ngx_rtmp_route_slot_pid(i))
        {
            ngx_rtmp_route_slot_wake(i);
        }
    }

    ngx_http_hls_point();

    i = ngx_rtmp_route_slot();

    if (i < sh->nslots) {
        ngx_http_hls_head(sh, i)->wake = 0;
    }
}


static void
ngx_http_hls_store_log(ngx_http_hls_store_t *store)
{
    if (store->log_full) {
        store->log_full = 0;
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "no room for objects%s", store->shpool->log_ctx);
    }

    if (store->log_rebuilt) {
        store->log_rebuilt = 0;
        ngx_log_error(NGX_LOG_WARN, store->log, 0,
                      "cache was rebuilt after a process died while changing "
                      "it%s", store->shpool->log_ctx);
    }
}


/*
 * Those who wait for an entry look at it again.  Whom this process is to wake
 * is also in the zone, in case that it dies before it does.
 */

void
ngx_http_hls_store_wake(ngx_http_hls_store_t *store,
    ngx_http_hls_entry_cell_t *e)
{
    ngx_http_hls_head_t  *head;

    if (e->waiters == 0) {
        return;
    }

    store->wake |= e->waiters;

    head = ngx_http_hls_store_own(store);

    if (head) {
        head->wake |= e->waiters;
        ngx_memory_barrier();
        ngx_http_hls_point();
    }

    e->waiters = 0;
    ngx_http_hls_point();
}


/* the head of this process' slot or NULL */

ngx_http_hls_head_t *
ngx_http_hls_store_own(ngx_http_hls_store_t *store)
{
    uint32_t              generation;
    ngx_uint_t            slot;
    ngx_http_hls_head_t  *head;

    slot = ngx_rtmp_route_slot();

    if (slot >= store->sh->nslots) {
        return NULL;
    }

    head = ngx_http_hls_head(store->sh, slot);
    generation = ngx_rtmp_route_slot_generation(slot);

    if (head->generation != generation) {
        head->refs = 0;
        head->generation = generation;

        /* whom the predecessor did not wake */

        store->wake |= head->wake;
    }

    return head;
}


/* counts what has to pass for lack of room; one log line a minute */

void
ngx_http_hls_store_full(ngx_http_hls_store_t *store)
{
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    sh->passed++;

    if (sh->full_logged == 0 || ngx_http_hls_passed(sh->full_logged) >= 60000)
    {
        sh->full_logged = ngx_current_msec ? ngx_current_msec : 1;
        store->log_full = 1;
    }
}


uint32_t
ngx_http_hls_store_seq(ngx_http_hls_shm_t *sh)
{
    if (++sh->seq == 0) {
        sh->seq = 1;
    }

    return sh->seq;
}


void
ngx_http_hls_store_stat(ngx_http_hls_store_t *store,
    ngx_http_hls_store_stat_t *stat)
{
    ngx_uint_t           i;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    ngx_memzero(stat, sizeof(ngx_http_hls_store_stat_t));

    ngx_http_hls_store_lock(store);

    stat->size = (size_t) sh->budget << ngx_pagesize_shift;
    stat->used = (size_t) sh->used << ngx_pagesize_shift;
    stat->entries = sh->entries;
    stat->bodies = sh->bodies;
    stat->streams = sh->streams;
    stat->fills = sh->claims;
    stat->cells_total = sh->ncells;
    stat->cells_used = sh->cell_top - sh->cell_nfree;
    stat->hits = sh->hits;
    stat->misses = sh->misses;
    stat->stale = sh->stale;
    stat->passed = sh->passed;
    stat->evicted = sh->evicted;
    stat->filled = sh->filled;
    stat->failed = sh->failed;
    stat->rebuilt = sh->rebuilt;

    for (i = 0; i < NGX_HTTP_HLS_STORE_ANSWERS; i++) {
        stat->answers[i] = sh->answers[i];
    }

    stat->sent = sh->sent;

    for (i = 0; i < sh->nslots; i++) {
        stat->refs += ngx_http_hls_head(sh, i)->refs;
    }

    ngx_http_hls_store_unlock(store);
}


void
ngx_http_hls_store_answered(ngx_http_hls_store_t *store, ngx_uint_t kind,
    off_t bytes)
{
    (void) ngx_atomic_fetch_add(&store->sh->answers[kind], 1);
    (void) ngx_atomic_fetch_add(&store->sh->sent, bytes);
}


void
ngx_http_hls_store_key(ngx_http_hls_store_t *store, ngx_http_hls_key_t *key)
{
    ngx_http_hls_store_hash(store->sh->seed, key->text.data, key->text.len,
                            key->hash);
}
