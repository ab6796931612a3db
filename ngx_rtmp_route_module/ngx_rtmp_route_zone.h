
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Zones that are one arena: records of a size known beforehand, which is laid
 * out once, with links that are indexes.  What the tables of routes, the store
 * of the cache and the counters of limits have in common.
 */


#ifndef _NGX_RTMP_ROUTE_ZONE_H_INCLUDED_
#define _NGX_RTMP_ROUTE_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* lays out that many cells; returns the size of all with them */
typedef size_t (*ngx_rtmp_route_zone_place_pt)(void *arena, size_t ncells);


/*
 * In the init of a zone.  pool: its slab pool, whose log_ctx names the zone if
 * it is a new one; NULL: no memory.  ready: NGX_OK; NGX_ERROR after a log line
 * that says why the arena can't be used: with NGX_DECLINED it is one of
 * another version, and other is what to give instead ("the zone another
 * name"); otherwise it is too small.
 */
ngx_slab_pool_t *ngx_rtmp_route_zone_pool(ngx_shm_zone_t *shm_zone);
ngx_int_t ngx_rtmp_route_zone_ready(ngx_shm_zone_t *shm_zone, ngx_int_t rc,
    const char *other);

/*
 * All that is left of a pool, whose allocator is not used again, with header
 * bytes of zeroes; NULL: it is too small
 */
void *ngx_rtmp_route_zone_arena(ngx_slab_pool_t *shpool, size_t header,
    size_t *size);

/*
 * The arena that a pool has already, and how much follows it; NULL: there can
 * be none with such a header
 */
void *ngx_rtmp_route_zone_reuse(ngx_slab_pool_t *shpool, size_t header,
    size_t *size);

/*
 * Lays out as many cells as fit, from least to most.  NGX_ERROR: fewer than
 * least would.
 */
ngx_int_t ngx_rtmp_route_zone_layout(void *arena, size_t size, size_t least,
    size_t most, ngx_rtmp_route_zone_place_pt place);

/* a secret */
void ngx_rtmp_route_zone_seed(void *seed, size_t len);


#endif /* _NGX_RTMP_ROUTE_ZONE_H_INCLUDED_ */
