
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Counters in a zone: sessions of all workers take places in them.  A place is
 * a record on the queue of its worker's slot; what a process has left that is
 * gone is given back when somebody finds a counter, or the zone, full.  Knows
 * nothing of sessions and directives.
 */


#ifndef _NGX_STREAM_OSP_LIMIT_ZONE_H_INCLUDED_
#define _NGX_STREAM_OSP_LIMIT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_stream_osp_limit_shm_s  ngx_stream_osp_limit_shm_t;


/* of a process and its configuration */

typedef struct {
    ngx_slab_pool_t                 *shpool;
    ngx_stream_osp_limit_shm_t      *sh;
    ngx_log_t                       *log;
} ngx_stream_osp_limit_zone_t;


/* 128 bits that stand for a text, with a secret of the zone */

typedef struct {
    uint64_t                         hash[2];
} ngx_stream_osp_limit_key_t;


typedef struct {
    ngx_stream_osp_limit_key_t       key;
    uint32_t                         max;
    uint32_t                         cell;       /* 0: not taken */
} ngx_stream_osp_limit_place_t;


typedef struct {
    uint64_t                         rebuilt;    /* times */
    uint64_t                         full;
    uint32_t                         counters;
    uint32_t                         places;
    uint32_t                         cells;      /* there are so many */
    uint32_t                         used;
} ngx_stream_osp_limit_stat_t;


/*
 * Takes over what is in the zone, or makes it; there must be slots.  NGX_OK;
 * NGX_DECLINED: it is of another version; NGX_ERROR: it is too small.
 */
ngx_int_t ngx_stream_osp_limit_zone_init(ngx_stream_osp_limit_zone_t *zone,
    ngx_slab_pool_t *shpool);

/* n texts, one behind the other; no lock */
void ngx_stream_osp_limit_zone_key(ngx_stream_osp_limit_zone_t *zone,
    ngx_str_t *text, ngx_uint_t n, ngx_stream_osp_limit_key_t *key);

/*
 * Takes one place in each of n counters where it has none, or in none of them.
 * stream: who else has the same one may have to leave for this session; NULL:
 * nobody has.
 * NGX_OK; NGX_BUSY: which is the first counter that is full; NGX_AGAIN: the
 * same, but in each that is full the stream has a place already; NGX_DECLINED:
 * no room in the zone, which is logged once a minute, or no slot.
 * Takes and releases the zone's lock.
 */
ngx_int_t ngx_stream_osp_limit_zone_take(ngx_stream_osp_limit_zone_t *zone,
    ngx_stream_osp_limit_place_t *places, ngx_uint_t n,
    ngx_stream_osp_limit_key_t *stream, ngx_uint_t *which);

/* gives back those that were taken; takes and releases the zone's lock */
void ngx_stream_osp_limit_zone_give(ngx_stream_osp_limit_zone_t *zone,
    ngx_stream_osp_limit_place_t *places, ngx_uint_t n);

/* gives back what processes have left that are gone; returns how many */
ngx_uint_t ngx_stream_osp_limit_zone_sweep(
    ngx_stream_osp_limit_zone_t *zone);

void ngx_stream_osp_limit_zone_stat(ngx_stream_osp_limit_zone_t *zone,
    ngx_stream_osp_limit_stat_t *stat);


#endif /* _NGX_STREAM_OSP_LIMIT_ZONE_H_INCLUDED_ */
