
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>
#include "ngx_stream_osp_limit_int.h"
#include "ngx_rtmp_route_zone.h"


#define NGX_STREAM_OSP_LIMIT_MAGIC     0x6c696d697470736fULL
#define NGX_STREAM_OSP_LIMIT_LAYOUT    1

#define NGX_STREAM_OSP_LIMIT_MIN       16

/* places that are given back within one hold of the lock */

#define NGX_STREAM_OSP_LIMIT_BATCH     256

/* a full zone is logged once in that time, ms */

#define NGX_STREAM_OSP_LIMIT_LOG       60000


static size_t ngx_stream_osp_limit_fit(void *arena, size_t ncells);
static ngx_uint_t ngx_stream_osp_limit_lock(
    ngx_stream_osp_limit_zone_t *zone);
static void ngx_stream_osp_limit_unlock(ngx_stream_osp_limit_zone_t *zone,
    ngx_uint_t rebuilt);
static ngx_int_t ngx_stream_osp_limit_take_locked(
    ngx_stream_osp_limit_shm_t *sh, ngx_stream_osp_limit_place_t *places,
    ngx_uint_t n, ngx_stream_osp_limit_key_t *stream, ngx_uint_t *which);
static ngx_uint_t ngx_stream_osp_limit_undo(ngx_stream_osp_limit_shm_t *sh,
    ngx_uint_t slot, uint32_t generation, ngx_uint_t alive,
    ngx_uint_t *undone);
static ngx_uint_t ngx_stream_osp_limit_logs(ngx_stream_osp_limit_shm_t *sh);


ngx_int_t
ngx_stream_osp_limit_zone_init(ngx_stream_osp_limit_zone_t *zone,
    ngx_slab_pool_t *shpool)
{
    size_t                       size, n;
    ngx_stream_osp_limit_shm_t  *sh;

    zone->shpool = shpool;

    if (shpool->data) {
        sh = ngx_rtmp_route_zone_reuse(shpool,
                                       sizeof(ngx_stream_osp_limit_shm_t),
                                       &size);

        if (sh == NULL
            || sh->magic != NGX_STREAM_OSP_LIMIT_MAGIC
            || sh->layout != NGX_STREAM_OSP_LIMIT_LAYOUT
            || sh->cell_size != sizeof(ngx_stream_osp_limit_cell_t)
            || sh->nslots != ngx_rtmp_route_slots())
        {
            return NGX_DECLINED;
        }

        zone->sh = sh;

        return NGX_OK;
    }

    sh = ngx_rtmp_route_zone_arena(shpool, sizeof(ngx_stream_osp_limit_shm_t),
                                   &size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    sh->size = size;
    sh->nslots = (uint32_t) ngx_rtmp_route_slots();

    n = ngx_min(size / sizeof(ngx_stream_osp_limit_cell_t), 0x7fffffff);

    if (ngx_rtmp_route_zone_layout(sh, size, NGX_STREAM_OSP_LIMIT_MIN, n,
                                   ngx_stream_osp_limit_fit)
        != NGX_OK)
    {
        ngx_slab_free(shpool, sh);
        return NGX_ERROR;
    }

    /* cells are written when they are used first */

    ngx_memzero((u_char *) sh + sh->heads, sh->cells - sh->heads);

    ngx_rtmp_route_zone_seed(sh->secret, sizeof(sh->secret));

    sh->layout = NGX_STREAM_OSP_LIMIT_LAYOUT;
    sh->cell_size = sizeof(ngx_stream_osp_limit_cell_t);
    sh->magic = NGX_STREAM_OSP_LIMIT_MAGIC;

    zone->sh = sh;
    shpool->data = sh;

    return NGX_OK;
}


/* returns the size of all with that many cells */

static size_t
ngx_stream_osp_limit_fit(void *arena, size_t ncells)
{
    ngx_stream_osp_limit_shm_t *sh = arena;

    size_t  p;

    sh->ncells = (uint32_t) ncells;
    sh->nbuckets = (uint32_t) (ncells / 2 + 1);

    p = ngx_align(sizeof(ngx_stream_osp_limit_shm_t), 64);

    sh->heads = p;
    p = ngx_align(p + sh->nslots * sizeof(uint32_t), 64);

    sh->buckets = p;
    p = ngx_align(p + sh->nbuckets * sizeof(uint32_t), 64);

    sh->streams = p;
    p = ngx_align(p + sh->nbuckets * sizeof(uint32_t), 64);

    sh->cells = p;

    return p + ncells * sizeof(ngx_stream_osp_limit_cell_t);
}


void
ngx_stream_osp_limit_zone_key(ngx_stream_osp_limit_zone_t *zone,
    ngx_str_t *text, ngx_uint_t n, ngx_stream_osp_limit_key_t *key)
{
    ngx_md5_t   md5;
    ngx_uint_t  i;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, zone->sh->secret, sizeof(zone->sh->secret));

    for (i = 0; i < n; i++) {

        /* the lengths tell "ab", "c" from "a", "bc" */

        ngx_md5_update(&md5, &text[i].len, sizeof(text[i].len));
        ngx_md5_update(&md5, text[i].data, text[i].len);
    }

    ngx_md5_final((u_char *) key->hash, &md5);

    /* 0 is none */

    if (key->hash[0] == 0) {
        key->hash[0] = 1;
    }
}


/* returns whether all was made anew, which is logged after the lock */

static ngx_uint_t
ngx_stream_osp_limit_lock(ngx_stream_osp_limit_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (!zone->sh->dirty) {
        return 0;
    }

    ngx_stream_osp_limit_rebuild(zone->sh);

    return 1;
}


static void
ngx_stream_osp_limit_unlock(ngx_stream_osp_limit_zone_t *zone,
    ngx_uint_t rebuilt)
{
    if (zone->sh->dirty) {
        ngx_memory_barrier();
        ngx_stream_osp_limit_point();
        zone->sh->dirty = 0;
    }

    ngx_stream_osp_limit_point();

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rebuilt) {
        ngx_log_error(NGX_LOG_WARN, zone->log, 0,
                      "counters were rebuilt after a process died while "
                      "changing them%s", zone->shpool->log_ctx);
    }
}


ngx_int_t
ngx_stream_osp_limit_zone_take(ngx_stream_osp_limit_zone_t *zone,
    ngx_stream_osp_limit_place_t *places, ngx_uint_t n,
    ngx_stream_osp_limit_key_t *stream, ngx_uint_t *which)
{
    ngx_int_t                    rc;
    ngx_uint_t                   rebuilt, logs, again;
    ngx_stream_osp_limit_shm_t  *sh;

    sh = zone->sh;

    if (ngx_rtmp_route_slot() >= sh->nslots) {
        return NGX_DECLINED;
    }

    for (again = 0; /* void */ ; again = 1) {

        rebuilt = ngx_stream_osp_limit_lock(zone);

        rc = ngx_stream_osp_limit_take_locked(sh, places, n, stream, which);

        logs = (rc == NGX_DECLINED && again) ? ngx_stream_osp_limit_logs(sh)
                                             : 0;

        ngx_stream_osp_limit_unlock(zone, rebuilt);

        if (rc == NGX_OK || again) {
            break;
        }

        /* some may be of processes that are gone */

        (void) ngx_stream_osp_limit_zone_sweep(zone);
    }

    if (logs) {
        ngx_log_error(NGX_LOG_ERR, zone->log, 0,
                      "no room to count connections, they are not limited%s",
                      zone->shpool->log_ctx);
    }

    return rc;
}


static ngx_int_t
ngx_stream_osp_limit_take_locked(ngx_stream_osp_limit_shm_t *sh,
    ngx_stream_osp_limit_place_t *places, ngx_uint_t n,
    ngx_stream_osp_limit_key_t *stream, ngx_uint_t *which)
{
    uint32_t    i;
    ngx_int_t   rc;
    ngx_uint_t  k, wanted;

    rc = NGX_OK;
    wanted = 0;

    for (k = 0; k < n; k++) {

        if (places[k].cell) {
            continue;
        }

        i = ngx_stream_osp_limit_find(sh, &places[k].key);

        wanted += i ? 1 : 2;

        if (i == 0
            || ngx_stream_osp_limit_counter(sh, i)->count < places[k].max)
        {
            continue;
        }

        if (rc == NGX_OK) {
            *which = k;
            rc = NGX_AGAIN;
        }

        if (stream == NULL || !ngx_stream_osp_limit_has(sh, i, stream)) {
            *which = k;
            return NGX_BUSY;
        }
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (sh->nfree + (sh->ncells - sh->top) < wanted) {
        return NGX_DECLINED;
    }

    for (k = 0; k < n; k++) {
        if (places[k].cell == 0) {
            places[k].cell = ngx_stream_osp_limit_add(sh, &places[k].key,
                                                      stream);
        }
    }

    return NGX_OK;
}


void
ngx_stream_osp_limit_zone_give(ngx_stream_osp_limit_zone_t *zone,
    ngx_stream_osp_limit_place_t *places, ngx_uint_t n)
{
    uint32_t                        i;
    ngx_uint_t                      k, slot, rebuilt;
    ngx_stream_osp_limit_shm_t     *sh;
    ngx_stream_osp_limit_placed_t  *place;

    sh = zone->sh;
    slot = ngx_rtmp_route_slot();

    rebuilt = ngx_stream_osp_limit_lock(zone);

    for (k = 0; k < n; k++) {

        i = places[k].cell;
        places[k].cell = 0;

        if (i == 0 || i > sh->top) {
            continue;
        }

        place = ngx_stream_osp_limit_place(sh, i);

        if (place->type == NGX_STREAM_OSP_LIMIT_PLACE
            && place->slot == slot
            && place->generation == ngx_rtmp_route_slot_generation(slot))
        {
            ngx_stream_osp_limit_drop(sh, i);
        }
    }

    ngx_stream_osp_limit_unlock(zone, rebuilt);
}


ngx_uint_t
ngx_stream_osp_limit_zone_sweep(ngx_stream_osp_limit_zone_t *zone)
{
    uint32_t                     generation;
    ngx_uint_t                   slot, alive, more, undone, rebuilt;
    ngx_stream_osp_limit_shm_t  *sh;

    sh = zone->sh;
    undone = 0;

    for (slot = 0; slot < sh->nslots; slot++) {

        if (*ngx_stream_osp_limit_head(sh, slot) == 0) {
            continue;
        }

        /* not under the lock: files are read */

        generation = ngx_rtmp_route_slot_generation(slot);
        alive = ngx_rtmp_route_slot_alive(slot, generation);

        do {
            rebuilt = ngx_stream_osp_limit_lock(zone);

            more = ngx_stream_osp_limit_undo(sh, slot, generation, alive,
                                             &undone);

            ngx_stream_osp_limit_unlock(zone, rebuilt);

        } while (more);
    }

    return undone;
}


static ngx_uint_t
ngx_stream_osp_limit_undo(ngx_stream_osp_limit_shm_t *sh, ngx_uint_t slot,
    uint32_t generation, ngx_uint_t alive, ngx_uint_t *undone)
{
    int32_t                         age;
    uint32_t                        i, *head;
    ngx_uint_t                      n;
    ngx_stream_osp_limit_placed_t  *place;

    head = ngx_stream_osp_limit_head(sh, slot);

    for (n = 0; n < NGX_STREAM_OSP_LIMIT_BATCH; n++) {

        if (*head == 0) {
            return 0;
        }

        i = ngx_stream_osp_limit_place(sh, *head)->prev;
        place = ngx_stream_osp_limit_place(sh, i);

        /* the slot may have been claimed since its generation was read */

        age = (int32_t) (generation - place->generation);

        if (age < 0 || (age == 0 && alive)) {
            return 0;
        }

        ngx_stream_osp_limit_drop(sh, i);

        (*undone)++;
    }

    return 1;
}


/* whether it is time to say that there is no room */

static ngx_uint_t
ngx_stream_osp_limit_logs(ngx_stream_osp_limit_shm_t *sh)
{
    sh->full++;

    if (sh->logged
        && (ngx_msec_int_t) (ngx_current_msec - sh->logged)
           < NGX_STREAM_OSP_LIMIT_LOG)
    {
        return 0;
    }

    sh->logged = ngx_current_msec ? ngx_current_msec : 1;

    return 1;
}


void
ngx_stream_osp_limit_zone_stat(ngx_stream_osp_limit_zone_t *zone,
    ngx_stream_osp_limit_stat_t *stat)
{
    ngx_uint_t                   rebuilt;
    ngx_stream_osp_limit_shm_t  *sh;

    sh = zone->sh;

    rebuilt = ngx_stream_osp_limit_lock(zone);

    stat->rebuilt = sh->rebuilt;
    stat->full = sh->full;
    stat->counters = sh->counters;
    stat->places = sh->places;
    stat->cells = sh->ncells;
    stat->used = sh->top - sh->nfree;

    ngx_stream_osp_limit_unlock(zone, rebuilt);
}
