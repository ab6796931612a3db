
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"
#include "ngx_rtmp_route_zone.h"


/* one server for so many bytes of the zone */
#define NGX_RTMP_ROUTE_SERVER_SHARE   16384

#define NGX_RTMP_ROUTE_MIN_CELLS      16

/* one rule of the access list for so many bytes, and one ban */
#define NGX_RTMP_ROUTE_RULE_SHARE     4096
#define NGX_RTMP_ROUTE_MIN_RULES      16

/* as many conflicts, but no more than can be looked through at once */
#define NGX_RTMP_ROUTE_ALL_CONFLICTS  256

/* the time of another process may be ahead of ours by less than this, ms */
#define NGX_RTMP_ROUTE_AHEAD          86400000

#define ngx_rtmp_route_sizes()                                                \
    ((uint32_t) (sizeof(ngx_rtmp_route_cell_t)                                \
                 + 31 * sizeof(ngx_rtmp_route_hot_t)                          \
                 + 961 * sizeof(ngx_rtmp_route_cold_t)))


static ngx_int_t ngx_rtmp_route_table_reuse(ngx_rtmp_route_table_t *table,
    ngx_slab_pool_t *shpool);
static ngx_int_t ngx_rtmp_route_table_layout(ngx_rtmp_route_shm_t *sh,
    size_t size);
static size_t ngx_rtmp_route_table_place(void *arena, size_t ncells);
static ngx_uint_t ngx_rtmp_route_table_waiting(ngx_rtmp_route_shm_t *sh,
    uint32_t *slots);
static ngx_rtmp_route_head_t *ngx_rtmp_route_table_head(
    ngx_rtmp_route_shm_t *sh, ngx_uint_t slot);
static void ngx_rtmp_route_table_expire(ngx_rtmp_route_table_t *table);
static void ngx_rtmp_route_table_scrub(ngx_rtmp_route_shm_t *sh);


ngx_int_t
ngx_rtmp_route_table_init(ngx_rtmp_route_table_t *table,
    ngx_slab_pool_t *shpool)
{
    size_t                 size;
    ngx_time_t            *tp;
    ngx_rtmp_route_shm_t  *sh;

    table->shpool = shpool;
    table->wake = 0;
    table->adopt = 0;
    table->log_full = 0;
    table->log_rebuilt = 0;
    table->log_fresh = 0;
    table->log_stale = 0;

    if (shpool->data) {
        return ngx_rtmp_route_table_reuse(table, shpool);
    }

    sh = ngx_rtmp_route_zone_arena(shpool, sizeof(ngx_rtmp_route_shm_t),
                                   &size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rtmp_route_table_layout(sh, size) != NGX_OK) {
        ngx_slab_free(shpool, sh);
        return NGX_ERROR;
    }

    /* servers and cells are written when they are used first */

    ngx_memzero(ngx_rtmp_route_head(sh, 0),
                sh->nslots * sizeof(ngx_rtmp_route_head_t));
    ngx_memzero(ngx_rtmp_route_conflict(sh, 0),
                sh->nconflicts * sizeof(ngx_rtmp_route_conflict_t));
    ngx_memzero(ngx_rtmp_route_ban(sh, 0),
                sh->nbans * sizeof(ngx_rtmp_route_ban_cell_t));
    ngx_memzero(ngx_rtmp_route_at(sh, ids, uint32_t),
                sh->nservers * sizeof(uint32_t));
    ngx_memzero(ngx_rtmp_route_at(sh, buckets, uint32_t),
                sh->nbuckets * sizeof(uint32_t));

    ngx_rtmp_route_zone_seed(sh->seed, sizeof(sh->seed));

    sh->rules_version = 1;
    sh->hosts_version = 1;

    tp = ngx_timeofday();

    sh->born = (uint64_t) tp->sec * 1000 + tp->msec;
    sh->changes = 1;

    sh->layout = NGX_RTMP_ROUTE_LAYOUT;
    sh->sizes = ngx_rtmp_route_sizes();
    sh->magic = NGX_RTMP_ROUTE_MAGIC;

    table->sh = sh;
    shpool->data = sh;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_table_reuse(ngx_rtmp_route_table_t *table,
    ngx_slab_pool_t *shpool)
{
    size_t                 size;
    ngx_rtmp_route_shm_t  *sh;

    sh = ngx_rtmp_route_zone_reuse(shpool, sizeof(ngx_rtmp_route_shm_t),
                                   &size);

    if (sh == NULL
        || sh->magic != NGX_RTMP_ROUTE_MAGIC
        || sh->layout != NGX_RTMP_ROUTE_LAYOUT
        || sh->sizes != ngx_rtmp_route_sizes()
        || sh->nslots != ngx_rtmp_route_slots()
        || sh->size > size)
    {
        return NGX_DECLINED;
    }

    table->sh = sh;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_table_layout(ngx_rtmp_route_shm_t *sh, size_t size)
{
    size_t  n;

    sh->size = size;
    sh->nslots = (uint32_t) ngx_rtmp_route_slots();

    n = ngx_max(size / NGX_RTMP_ROUTE_SERVER_SHARE, 8);
    sh->nservers = (uint32_t) ngx_min(n, NGX_RTMP_ROUTE_MAX_SERVERS);

    n = ngx_max(size / NGX_RTMP_ROUTE_RULE_SHARE, NGX_RTMP_ROUTE_MIN_RULES);
    sh->nrules = (uint32_t) ngx_min(n, NGX_RTMP_ROUTE_MAX_RULES);
    sh->nconflicts = (uint32_t) ngx_min(n, NGX_RTMP_ROUTE_ALL_CONFLICTS);
    sh->nbans = (uint32_t) ngx_min(n, NGX_RTMP_ROUTE_MAX_BANS);

    /* in the least zone, with many slots, there are fewer servers */

    while (ngx_rtmp_route_table_place(sh, NGX_RTMP_ROUTE_MIN_CELLS) > size) {

        if (--sh->nservers == 0) {
            return NGX_ERROR;
        }
    }

    n = ngx_min(size / sizeof(ngx_rtmp_route_cell_t), 0x7fffffff);

    return ngx_rtmp_route_zone_layout(sh, size, NGX_RTMP_ROUTE_MIN_CELLS, n,
                                      ngx_rtmp_route_table_place);
}


/* returns the size of all with that many cells */

static size_t
ngx_rtmp_route_table_place(void *arena, size_t ncells)
{
    ngx_rtmp_route_shm_t *sh = arena;

    size_t  p;

    sh->ncells = (uint32_t) ncells;
    sh->nbuckets = (uint32_t) (ncells / 2 + 1);

    p = ngx_align(sizeof(ngx_rtmp_route_shm_t), 64);

    sh->heads = p;
    p = ngx_align(p + sh->nslots * sizeof(ngx_rtmp_route_head_t), 64);

    /* two of them: one is in use, the other is where a change is made */

    sh->rules = p;
    p = ngx_align(p + 2 * sh->nrules * sizeof(ngx_rtmp_route_rule_t), 64);

    sh->conflicts = p;
    p = ngx_align(p + sh->nconflicts * sizeof(ngx_rtmp_route_conflict_t), 64);

    sh->bans_at = p;
    p = ngx_align(p + sh->nbans * sizeof(ngx_rtmp_route_ban_cell_t), 64);

    sh->hot = p;
    p = ngx_align(p + sh->nservers * sizeof(ngx_rtmp_route_hot_t), 64);

    sh->cold = p;
    p = ngx_align(p + sh->nservers * sizeof(ngx_rtmp_route_cold_t), 64);

    sh->ids = p;
    p = ngx_align(p + sh->nservers * sizeof(uint32_t), 64);

    sh->buckets = p;
    p = ngx_align(p + sh->nbuckets * sizeof(uint32_t), 128);

    sh->cells = p;

    return p + ncells * sizeof(ngx_rtmp_route_cell_t);
}


uint64_t
ngx_rtmp_route_table_instance(ngx_rtmp_route_table_t *table)
{
    return ngx_rtmp_route_siphash(table->sh->seed, (u_char *) "instance", 8);
}


void
ngx_rtmp_route_table_lock(ngx_rtmp_route_table_t *table)
{
    ngx_shmtx_lock(&table->shpool->mutex);

    if (table->sh->carry.valid) {
        ngx_rtmp_route_session_carried(table->sh);
    }

    if (table->sh->dirty) {
        ngx_rtmp_route_table_rebuild(table->sh);
        table->log_rebuilt = 1;
    }
}


void
ngx_rtmp_route_table_unlock(ngx_rtmp_route_table_t *table)
{
    uint32_t               slots[NGX_RTMP_ROUTE_SLOTS_LIMIT / 32];
    ngx_uint_t             i, n;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    n = 0;

    if (table->wake) {
        n = ngx_rtmp_route_table_waiting(sh, slots);
        table->wake = 0;
    }

    if (sh->dirty) {
        ngx_memory_barrier();
        ngx_rtmp_route_point();
        sh->dirty = 0;
    }

    ngx_rtmp_route_point();

    ngx_shmtx_unlock(&table->shpool->mutex);

    for (i = 0; i < n; i++) {
        if (slots[i / 32] & ((uint32_t) 1 << (i % 32))) {
            ngx_rtmp_route_slot_wake(i);
        }
    }

    if (table->log_full) {
        table->log_full = 0;
        ngx_log_error(NGX_LOG_ERR, table->log, 0,
                      "no room for streams and sessions%s",
                      table->shpool->log_ctx);
    }

    if (table->log_rebuilt) {
        table->log_rebuilt = 0;
        ngx_log_error(NGX_LOG_WARN, table->log, 0,
                      "table was rebuilt after a process died while changing "
                      "it%s", table->shpool->log_ctx);
    }

    if (table->log_stale) {
        n = table->log_stale;
        table->log_stale = 0;
        ngx_log_error(NGX_LOG_WARN, table->log, 0,
                      "no upstream server has registered in time, %ui of "
                      "them stay in use as their health checks pass%s",
                      n, table->shpool->log_ctx);
    }

    if (table->log_fresh) {
        table->log_fresh = 0;
        ngx_log_error(NGX_LOG_NOTICE, table->log, 0,
                      "no upstream server is in use any more that has not "
                      "registered in time%s", table->shpool->log_ctx);
    }
}


/* 0 if nobody waits, otherwise the number of slots to be looked at */

static ngx_uint_t
ngx_rtmp_route_table_waiting(ngx_rtmp_route_shm_t *sh, uint32_t *slots)
{
    ngx_uint_t              i, n;
    ngx_rtmp_route_head_t  *head;

    n = 0;
    head = ngx_rtmp_route_head(sh, 0);

    for (i = 0; i < sh->nslots; i++) {

        if (head[i].nwaiters == 0
            || head[i].generation != ngx_rtmp_route_slot_generation(i))
        {
            continue;
        }

        if (n == 0) {
            ngx_memzero(slots, NGX_RTMP_ROUTE_SLOTS_LIMIT / 8);
        }

        slots[i / 32] |= (uint32_t) 1 << (i % 32);
        n = i + 1;
    }

    return n;
}


void
ngx_rtmp_route_table_waiters(ngx_rtmp_route_table_t *table, ngx_int_t add)
{
    ngx_uint_t              slot;
    ngx_rtmp_route_head_t  *head;

    slot = ngx_rtmp_route_slot();

    if (slot == NGX_RTMP_ROUTE_NO_SLOT) {
        return;
    }

    ngx_rtmp_route_table_lock(table);

    head = ngx_rtmp_route_table_head(table->sh, slot);

    if (add < 0 && head->nwaiters < (ngx_uint_t) -add) {
        head->nwaiters = 0;

    } else {
        head->nwaiters += (uint32_t) add;
    }

    ngx_rtmp_route_table_unlock(table);
}


void
ngx_rtmp_route_table_queued(ngx_rtmp_route_table_t *table, ngx_int_t add)
{
    ngx_uint_t  slot;

    slot = ngx_rtmp_route_slot();

    if (slot == NGX_RTMP_ROUTE_NO_SLOT) {
        return;
    }

    ngx_rtmp_route_table_lock(table);

    ngx_rtmp_route_table_head(table->sh, slot)->queued += (uint32_t) add;

    ngx_rtmp_route_table_unlock(table);
}


/* what this process says of itself; that of a predecessor is forgotten */

static ngx_rtmp_route_head_t *
ngx_rtmp_route_table_head(ngx_rtmp_route_shm_t *sh, ngx_uint_t slot)
{
    uint32_t                generation;
    ngx_rtmp_route_head_t  *head;

    generation = ngx_rtmp_route_slot_generation(slot);

    head = ngx_rtmp_route_head(sh, slot);

    if (head->generation != generation) {
        head->nwaiters = 0;
        head->queued = 0;
        head->generation = generation;
    }

    return head;
}


void
ngx_rtmp_route_table_stat(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_table_stat_t *stat)
{
    ngx_uint_t              i;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_head_t  *head;

    sh = table->sh;
    head = ngx_rtmp_route_head(sh, 0);

    stat->queued = 0;

    for (i = 0; i < sh->nslots; i++) {
        if (head[i].queued
            && ngx_rtmp_route_slot_alive(i, head[i].generation))
        {
            stat->queued += head[i].queued;
        }
    }

    ngx_rtmp_route_table_lock(table);

    stat->servers = sh->servers;
    stat->streams = sh->streams;
    stat->sessions = sh->sessions;
    stat->conns = sh->conns;
    stat->cells_total = sh->ncells;
    stat->cells_used = sh->top - sh->nfree;
    stat->evicted = sh->evicted;
    stat->full = sh->full;
    stat->rebuilt = sh->rebuilt;

    ngx_rtmp_route_table_unlock(table);
}


void
ngx_rtmp_route_table_configure(ngx_rtmp_route_table_t *table)
{
    ngx_rtmp_route_table_lock(table);

    table->config = ++table->sh->config;

    ngx_rtmp_route_table_unlock(table);
}


ngx_uint_t
ngx_rtmp_route_table_current(ngx_rtmp_route_table_t *table)
{
    return table->config == table->sh->config;
}


void
ngx_rtmp_route_table_sweep(ngx_rtmp_route_table_t *table)
{
    ngx_rtmp_route_session_sweep(table);
    ngx_rtmp_route_session_adopt_all(table);
    ngx_rtmp_route_health_sweep(table);
    ngx_rtmp_route_server_reap(table);

    ngx_rtmp_route_table_lock(table);

    ngx_rtmp_route_table_expire(table);
    ngx_rtmp_route_bans_expire(table->sh);
    ngx_rtmp_route_server_sweep(table);
    ngx_rtmp_route_table_scrub(table->sh);

    ngx_rtmp_route_table_unlock(table);
}


static void
ngx_rtmp_route_table_expire(ngx_rtmp_route_table_t *table)
{
    uint32_t                       i;
    int32_t                        idle;
    ngx_uint_t                     n;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    if (table->inactive == 0) {
        return;
    }

    for (n = 0; n < NGX_RTMP_ROUTE_BATCH; n++) {

        i = sh->lru_last;

        if (i == 0) {
            return;
        }

        st = ngx_rtmp_route_stream(sh, i);

        idle = (int32_t) ((uint32_t) ngx_current_msec - st->used);

        /* a clock that is ahead, or so long ago that it has wrapped */

        if (idle > -NGX_RTMP_ROUTE_AHEAD
            && (idle < 0 || (ngx_msec_t) idle <= table->inactive))
        {
            return;
        }

        /* the core's list is good until there is another one */

        if (ngx_rtmp_route_stream_from(st) == NGX_RTMP_ROUTE_FROM_CORE
            && !(st->flags & NGX_RTMP_ROUTE_STREAM_CHECKED))
        {
            ngx_rtmp_route_stream_used(sh, i);
            continue;
        }

        ngx_rtmp_route_stream_drop(sh, i);
    }
}


/* finds what is held only by servers that are gone, a few cells at a time */

static void
ngx_rtmp_route_table_scrub(ngx_rtmp_route_shm_t *sh)
{
    uint32_t    i;
    ngx_uint_t  n;

    for (n = 0; n < NGX_RTMP_ROUTE_BATCH && n < sh->top; n++) {

        i = sh->scrub % sh->top + 1;
        sh->scrub = i;

        if (ngx_rtmp_route_stream(sh, i)->type == NGX_RTMP_ROUTE_CELL_STREAM) {
            (void) ngx_rtmp_route_stream_refresh(sh, i);
        }
    }
}
