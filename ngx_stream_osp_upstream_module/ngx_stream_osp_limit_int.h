
/*
 * Copyright (C) The nginx-osp authors
 */


/* What is in the zone of limits; for its own files, and tests. */


#ifndef _NGX_STREAM_OSP_LIMIT_INT_H_INCLUDED_
#define _NGX_STREAM_OSP_LIMIT_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_slot.h"
#include "ngx_stream_osp_limit_zone.h"


/* types of cells */

#define NGX_STREAM_OSP_LIMIT_FREE      0
#define NGX_STREAM_OSP_LIMIT_COUNTER   1
#define NGX_STREAM_OSP_LIMIT_PLACE     2


/*
 * Tests kill a process at each of these: they stand wherever a change is half
 * done.
 */

#if (NGX_STREAM_OSP_DEBUG_KILL)

extern ngx_uint_t  ngx_stream_osp_limit_kill_after;

#define ngx_stream_osp_limit_point()                                          \
    do {                                                                      \
        if (ngx_stream_osp_limit_kill_after                                   \
            && --ngx_stream_osp_limit_kill_after == 0)                        \
        {                                                                     \
            (void) kill(getpid(), SIGKILL);                                   \
        }                                                                     \
    } while (0)

#else

#define ngx_stream_osp_limit_point()

#endif


typedef struct {
    uint32_t                         type;
    uint32_t                         next;       /* derived: in the bucket */
    uint32_t                         count;      /* derived */
    uint32_t                         reserved;
    ngx_stream_osp_limit_key_t       key;
} ngx_stream_osp_limit_counter_t;


typedef struct {
    uint32_t                         type;
    uint32_t                         slot;
    uint32_t                         generation;
    uint32_t                         counter;
    uint32_t                         prev;       /* derived, a ring */
    uint32_t                         next;
    uint32_t                         stream_prev;    /* derived: of those */
    uint32_t                         stream_next;    /* in the same bucket */
    uint64_t                         stream;     /* 0: none */
} ngx_stream_osp_limit_placed_t;


typedef struct {
    uint32_t                         type;
    uint32_t                         next;       /* derived */
} ngx_stream_osp_limit_free_t;


typedef union {
    ngx_stream_osp_limit_counter_t   counter;
    ngx_stream_osp_limit_placed_t    place;
    ngx_stream_osp_limit_free_t      free;
} ngx_stream_osp_limit_cell_t;


struct ngx_stream_osp_limit_shm_s {
    uint64_t                         magic;
    uint32_t                         layout;
    uint32_t                         cell_size;
    ngx_atomic_t                     dirty;

    uint32_t                         nslots;
    uint32_t                         nbuckets;
    uint32_t                         ncells;
    size_t                           size;

    size_t                           heads;      /* offsets */
    size_t                           buckets;    /* of counters */
    size_t                           streams;    /* buckets of places */
    size_t                           cells;

    u_char                           secret[16];
    uint32_t                         top;        /* so many were ever used */
    ngx_msec_t                       logged;     /* that it is full */
    uint64_t                         full;
    uint64_t                         rebuilt;

    uint32_t                         free;       /* derived from here on */
    uint32_t                         nfree;
    uint32_t                         counters;
    uint32_t                         places;
};


#define ngx_stream_osp_limit_at(sh, offset, type)                             \
    ((type *) ((u_char *) (sh) + (sh)->offset))

/* the newest place of each slot */

#define ngx_stream_osp_limit_head(sh, i)                                      \
    (&ngx_stream_osp_limit_at(sh, heads, uint32_t)[i])

#define ngx_stream_osp_limit_bucket(sh, key)                                  \
    (&ngx_stream_osp_limit_at(sh, buckets, uint32_t)                          \
          [(key)->hash[0] % (sh)->nbuckets])

#define ngx_stream_osp_limit_streams(sh, stream, i)                           \
    (&ngx_stream_osp_limit_at(sh, streams, uint32_t)                          \
          [((stream) + (i)) % (sh)->nbuckets])

/* cells are counted from 1 */

#define ngx_stream_osp_limit_cell(sh, i)                                      \
    (&ngx_stream_osp_limit_at(sh, cells, ngx_stream_osp_limit_cell_t)         \
          [(size_t) (i) - 1])
#define ngx_stream_osp_limit_counter(sh, i)                                   \
    (&ngx_stream_osp_limit_cell(sh, i)->counter)
#define ngx_stream_osp_limit_place(sh, i)                                     \
    (&ngx_stream_osp_limit_cell(sh, i)->place)
#define ngx_stream_osp_limit_free(sh, i)                                      \
    (&ngx_stream_osp_limit_cell(sh, i)->free)


/* all functions below are called with the lock held */

/* to be called before the first change of what is derived */
void ngx_stream_osp_limit_touch(ngx_stream_osp_limit_shm_t *sh);

/* the counter of that key, or 0 */
uint32_t ngx_stream_osp_limit_find(ngx_stream_osp_limit_shm_t *sh,
    ngx_stream_osp_limit_key_t *key);

/* whether the stream has a place in the counter */
ngx_uint_t ngx_stream_osp_limit_has(ngx_stream_osp_limit_shm_t *sh,
    uint32_t counter, ngx_stream_osp_limit_key_t *stream);

/* a place in that counter, which may be a new one: needs two free cells */
uint32_t ngx_stream_osp_limit_add(ngx_stream_osp_limit_shm_t *sh,
    ngx_stream_osp_limit_key_t *key, ngx_stream_osp_limit_key_t *stream);

/* ends a place, and its counter with the last one */
void ngx_stream_osp_limit_drop(ngx_stream_osp_limit_shm_t *sh,
    uint32_t i);

/*
 * Makes all that is derived anew.  May be killed, too: sh->dirty stays set
 * until the lock is released.
 */
void ngx_stream_osp_limit_rebuild(ngx_stream_osp_limit_shm_t *sh);


#endif /* _NGX_STREAM_OSP_LIMIT_INT_H_INCLUDED_ */
