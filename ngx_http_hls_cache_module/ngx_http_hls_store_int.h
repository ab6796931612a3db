
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is in the zone; for the files of the store only.
 *
 * Each record holds fields that say how things are, and fields that follow
 * from those ("derived": links, counters, the roles of bodies).  What is
 * derived may be wrong while sh->dirty is set and is made anew from the former
 * by ngx_http_hls_store_rebuild().  A record counts if its type is set: it is
 * set after, and cleared before, anything else.  What must change at once but
 * is more than one word is written to sh->redo before.
 *
 * There are two arrays: cells of 256 bytes for entries, streams and the rest
 * of their names, and small ones of 64 for bodies and for what processes have
 * (references and claims).  Both are counted from 1.
 */


#ifndef _NGX_HTTP_HLS_STORE_INT_H_INCLUDED_
#define _NGX_HTTP_HLS_STORE_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_slot.h"
#include "ngx_http_hls_store.h"


#define NGX_HTTP_HLS_MAGIC            0x65726f7473736c68ULL
#define NGX_HTTP_HLS_LAYOUT           3

/* records that are handled within one hold of the lock */
#define NGX_HTTP_HLS_BATCH            256

/* entries that are evicted, or found in use, within one hold of the lock */
#define NGX_HTTP_HLS_EVICT            64

/* bodies that are punched out at a time */
#define NGX_HTTP_HLS_PUNCH            32

/* how often an entry or a stream moves in its queue at most, ms */
#define NGX_HTTP_HLS_MOVE             1000

/* a stream without entries is kept so long, ms */
#define NGX_HTTP_HLS_IDLE             10000

#define NGX_HTTP_HLS_ORDERS           32
#define NGX_HTTP_HLS_LEVELS           6
#define NGX_HTTP_HLS_NO_PAGE          ((uint32_t) -1)

/* viewers: 2048 registers of 4 bits for each of 4 steps of time, in a page */

#define NGX_HTTP_HLS_VIEWER_BITS      11
#define NGX_HTTP_HLS_VIEWER_REGS      (1 << NGX_HTTP_HLS_VIEWER_BITS)
#define NGX_HTTP_HLS_VIEWER_SIZE      (NGX_HTTP_HLS_VIEWER_REGS / 2)
#define NGX_HTTP_HLS_VIEWER_STEPS     4

/* the part of all pages that may be used for it */
#define NGX_HTTP_HLS_VIEWER_SHARE     8

/* types of cells */

#define NGX_HTTP_HLS_CELL_FREE        0
#define NGX_HTTP_HLS_CELL_ENTRY       1
#define NGX_HTTP_HLS_CELL_STREAM      2
#define NGX_HTTP_HLS_CELL_TEXT        3

/* types of small cells; from BODY on it is the role of a body, derived */

#define NGX_HTTP_HLS_SMALL_FREE       0
#define NGX_HTTP_HLS_SMALL_REF        1
#define NGX_HTTP_HLS_SMALL_CLAIM      2
#define NGX_HTTP_HLS_SMALL_BODY       3
#define NGX_HTTP_HLS_BODY_FILL        3    /* of a claim */
#define NGX_HTTP_HLS_BODY_CURRENT     4    /* of an entry */
#define NGX_HTTP_HLS_BODY_VIEWERS     5    /* registers of a stream */
#define NGX_HTTP_HLS_BODY_DOOMED      6    /* of those that refer to it */
#define NGX_HTTP_HLS_BODY_PUNCH       7    /* to be punched out */
#define NGX_HTTP_HLS_BODY_PUNCHING    8    /* a process does, no role */

/* state of a body, besides NGX_HTTP_HLS_BODY_* */

#define NGX_HTTP_HLS_BODY_STATE       0x0f
#define NGX_HTTP_HLS_BODY_SHARED      0x10  /* readable while it is filled */
#define NGX_HTTP_HLS_BODY_READY       0x20  /* the head is written */

/* flags of an entry */

#define NGX_HTTP_HLS_ENTRY_NOTE       0x01  /* kept without anything in it */

/* queues of what may go, by last use */

#define NGX_HTTP_HLS_LRU_BODY         0     /* entries with a body */
#define NGX_HTTP_HLS_LRU_BARE         1     /* entries without one */
#define NGX_HTTP_HLS_LRU_STREAM       2     /* streams without entries */
#define NGX_HTTP_HLS_LRU_N            3

/*
 * Tests kill a process at each of these: they stand wherever a change is half
 * done.
 */

#if (NGX_HTTP_HLS_DEBUG_KILL)

extern ngx_uint_t  ngx_http_hls_kill_after;

#define ngx_http_hls_point()                                                  \
    do {                                                                      \
        if (ngx_http_hls_kill_after && --ngx_http_hls_kill_after == 0) {      \
            (void) kill(getpid(), SIGKILL);                                   \
        }                                                                     \
    } while (0)

#else

#define ngx_http_hls_point()

#endif


/* what a worker slot has in this zone */

typedef struct {
    uint64_t                    wake;       /* slots it is about to wake */
    uint32_t                    first;      /* derived: newest record */
    uint32_t                    generation; /* whose references are counted */
    uint32_t                    refs;
    uint32_t                    reserved;
} ngx_http_hls_head_t;


/* entries and streams begin alike */

typedef struct {
    u_char                      type;
    u_char                      flags;      /* NGX_HTTP_HLS_ENTRY_* */
    uint16_t                    key_len;
    uint32_t                    text;       /* more of the key */
    uint64_t                    hash[2];
    uint32_t                    next;       /* derived: in the bucket */
    uint32_t                    seq;
    uint32_t                    lru_prev;   /* derived */
    uint32_t                    lru_next;   /* derived */
    uint32_t                    moved;      /* ms, when it was put in front */
} ngx_http_hls_named_t;


typedef struct {
    ngx_http_hls_named_t        named;

    uint32_t                    body;       /* current one, or 0 */
    uint32_t                    claim;      /* derived */
    uint32_t                    stream;
    uint32_t                    stream_prev;  /* derived, a ring */
    uint32_t                    stream_next;
    uint64_t                    waiters;    /* slots modulo 64 */
    ngx_http_hls_times_t        times;
    ngx_msec_t                  used;       /* by a viewer, 0: never */
    uint64_t                    hits;
    uint64_t                    misses;
    uint16_t                    status;     /* without a body: 404 ... */
    u_char                      kind;
    u_char                      key[45];
} ngx_http_hls_entry_cell_t;


typedef struct {
    ngx_http_hls_named_t        named;

    uint32_t                    body;       /* registers, or 0 */
    uint32_t                    first;      /* derived: ring of entries */
    uint32_t                    nentries;   /* derived */
    uint32_t                    objects;    /* derived: those with a body */
    uint64_t                    bytes;      /* derived */
    uint64_t                    hits;
    uint64_t                    misses;
    ngx_msec_t                  changed;
    ngx_msec_t                  step_start;
    ngx_msec_t                  step;       /* ms, 0: no viewer yet */
    uint32_t                    newest;     /* index of the step */
    u_char                      key[140];
} ngx_http_hls_stream_cell_t;


typedef struct {
    u_char                      type;
    u_char                      mark;
    u_char                      reserved[2];
    uint32_t                    text;
    u_char                      data[248];
} ngx_http_hls_text_cell_t;


typedef union {
    ngx_http_hls_named_t        named;
    ngx_http_hls_entry_cell_t   entry;
    ngx_http_hls_stream_cell_t  stream;
    ngx_http_hls_text_cell_t    text;       /* free cells too */
    u_char                      bytes[256];
} ngx_http_hls_cell_t;


/* what a process has is in the ring of its slot, the newest first */

typedef struct {
    u_char                      type;
    u_char                      reserved;
    uint16_t                    slot;
    uint32_t                    prev;       /* derived */
    uint32_t                    next;
    uint32_t                    generation;
    uint32_t                    body;
    uint32_t                    seq;        /* of the body */
    uint32_t                    chain;      /* derived: of the body */
    uint32_t                    count;      /* may be 0: kept for the next */
} ngx_http_hls_ref_t;


typedef struct {
    u_char                      type;
    u_char                      reserved;
    uint16_t                    slot;
    uint32_t                    prev;       /* derived */
    uint32_t                    next;
    uint32_t                    generation;
    uint32_t                    entry;
    uint32_t                    seq;        /* of the entry */
    uint32_t                    number;
    uint32_t                    body;       /* 0: the head is not known */
} ngx_http_hls_claim_t;


typedef struct {
    u_char                      type;       /* derived if not 0 */
    u_char                      state;
    uint16_t                    slot;       /* who punches it */
    uint32_t                    prev;       /* derived: in the slot's ring */
    uint32_t                    next;       /* derived: there, or next PUNCH */
    uint32_t                    generation;
    uint32_t                    seq;
    uint32_t                    refs;       /* derived: chain */
    uint32_t                    page;       /* first one of the extent */
    uint32_t                    npages;     /* of the extent */
    uint32_t                    used;       /* pages that may be written */
    uint16_t                    status;
    uint16_t                    head_len;
    off_t                       total;
    ngx_atomic_t                len;
    uint32_t                    created;    /* wall clock, s */
    uint32_t                    limit;      /* pages, while it is filled */
} ngx_http_hls_body_cell_t;


typedef union {
    ngx_http_hls_ref_t          ref;        /* free cells too */
    ngx_http_hls_claim_t        claim;
    ngx_http_hls_body_cell_t    body;
    u_char                      bytes[64];
} ngx_http_hls_small_t;


/* a bit for each free block of that order, and bits for words not empty */

typedef struct {
    uint32_t                    nlevels;
    uint32_t                    level[NGX_HTTP_HLS_LEVELS];  /* words */
} ngx_http_hls_order_t;


typedef struct {
    uint32_t                    first;
    uint32_t                    last;
    uint32_t                    n;
} ngx_http_hls_lru_t;


/* a change of an entry that is done either as a whole or not at all */

typedef struct {
    ngx_atomic_t                valid;
    uint32_t                    entry;
    uint32_t                    claim;      /* ends, 0: none */
    uint32_t                    body;       /* current one */
    uint16_t                    status;
    u_char                      flags;
    ngx_http_hls_times_t        times;
} ngx_http_hls_redo_t;


struct ngx_http_hls_shm_s {
    uint64_t                    magic;
    uint32_t                    layout;
    uint32_t                    sizes;
    ngx_atomic_t                dirty;

    uint32_t                    nslots;
    uint32_t                    nbuckets;
    uint32_t                    ncells;
    uint32_t                    nsmalls;
    uint32_t                    npages;     /* of the window */
    uint32_t                    budget;     /* pages that may be used */
    uint32_t                    norders;
    uint32_t                    nwords;
    size_t                      size;
    uint64_t                    file;       /* tells another window */

    size_t                      heads;      /* offsets */
    size_t                      buckets;
    size_t                      words;
    size_t                      cells;
    size_t                      smalls;

    uint64_t                    seed[2];
    uint32_t                    seq;        /* the last one given */
    uint32_t                    cell_top;   /* so many were ever used */
    uint32_t                    small_top;
    uint32_t                    scrub;
    ngx_msec_t                  full_logged;

    uint64_t                    hits;
    uint64_t                    misses;
    uint64_t                    stale;
    uint64_t                    passed;
    uint64_t                    evicted;
    uint64_t                    filled;
    uint64_t                    failed;
    uint64_t                    rebuilt;

    ngx_atomic_t                answers[NGX_HTTP_HLS_STORE_ANSWERS];
    ngx_atomic_t                sent;

    ngx_http_hls_order_t        orders[NGX_HTTP_HLS_ORDERS];

    ngx_http_hls_redo_t         redo;

    uint32_t                    cell_free;  /* derived from here on */
    uint32_t                    cell_nfree;
    uint32_t                    small_free;
    uint32_t                    small_nfree;
    uint32_t                    punch;      /* bodies to be punched out */
    uint32_t                    entries;
    uint32_t                    streams;
    uint32_t                    bodies;     /* current, filled, doomed */
    uint32_t                    claims;
    uint32_t                    viewers;    /* bodies that are registers */
    uint32_t                    used;       /* pages */
    ngx_http_hls_lru_t          lru[NGX_HTTP_HLS_LRU_N];
};


/* a body that this process punches out */

typedef struct {
    uint32_t                    body;
    uint32_t                    seq;
    off_t                       offset;
    off_t                       len;
} ngx_http_hls_punch_t;


#define ngx_http_hls_at(sh, offset, type)                                     \
    ((type *) ((u_char *) (sh) + (sh)->offset))

#define ngx_http_hls_head(sh, i)                                              \
    (&ngx_http_hls_at(sh, heads, ngx_http_hls_head_t)[i])
#define ngx_http_hls_bucket(sh, hash)                                         \
    (&ngx_http_hls_at(sh, buckets, uint32_t)                                  \
          [((uint64_t) (uint32_t) (hash) * (sh)->nbuckets) >> 32])

#define ngx_http_hls_cell(sh, i)                                              \
    (&ngx_http_hls_at(sh, cells, ngx_http_hls_cell_t)[(size_t) (i) - 1])
#define ngx_http_hls_named(sh, i)                                             \
    (&ngx_http_hls_cell(sh, i)->named)
#define ngx_http_hls_entry(sh, i)                                             \
    (&ngx_http_hls_cell(sh, i)->entry)
#define ngx_http_hls_stream(sh, i)                                            \
    (&ngx_http_hls_cell(sh, i)->stream)
#define ngx_http_hls_text(sh, i)                                              \
    (&ngx_http_hls_cell(sh, i)->text)

#define ngx_http_hls_small(sh, i)                                             \
    (&ngx_http_hls_at(sh, smalls, ngx_http_hls_small_t)[(size_t) (i) - 1])
#define ngx_http_hls_ref(sh, i)                                               \
    (&ngx_http_hls_small(sh, i)->ref)
#define ngx_http_hls_claim(sh, i)                                             \
    (&ngx_http_hls_small(sh, i)->claim)
#define ngx_http_hls_body(sh, i)                                              \
    (&ngx_http_hls_small(sh, i)->body)

#define ngx_http_hls_is_body(b)                                               \
    ((b)->type >= NGX_HTTP_HLS_SMALL_BODY)

#define ngx_http_hls_is_counted(type)                                         \
    ((type) == NGX_HTTP_HLS_BODY_FILL || (type) == NGX_HTTP_HLS_BODY_CURRENT  \
     || (type) == NGX_HTTP_HLS_BODY_DOOMED)

/* small cells that can be had at once */

#define ngx_http_hls_smalls(sh)                                               \
    ((sh)->small_nfree + ((sh)->nsmalls - (sh)->small_top))

/* where the data begins within the extent */

#define ngx_http_hls_body_start(len)    ngx_align((size_t) (len), 64)

#define ngx_http_hls_pages(size)                                              \
    (((uint64_t) (size) + ngx_pagesize - 1) >> ngx_pagesize_shift)

#define ngx_http_hls_page_at(store, page)                                     \
    ((store)->window->base + ((size_t) (page) << ngx_pagesize_shift))

/* the cached time of another process may be ahead of ours */

#define ngx_http_hls_passed(since)                                            \
    ((ngx_msec_int_t) (ngx_current_msec - (since)))

#define ngx_http_hls_is_before(now, time)                                     \
    ((ngx_msec_int_t) ((time) - (now)) > 0)


/* to be called before the first change of what is derived */

static ngx_inline void
ngx_http_hls_touch(ngx_http_hls_shm_t *sh)
{
    if (!sh->dirty) {
        sh->dirty = 1;
        ngx_memory_barrier();
        ngx_http_hls_point();
    }
}


/*
 * All functions below are called with the lock held, unless said otherwise.
 */

/* ngx_http_hls_store.c; unlock also wakes, punches and writes the log */

void ngx_http_hls_store_lock(ngx_http_hls_store_t *store);
void ngx_http_hls_store_unlock(ngx_http_hls_store_t *store);
void ngx_http_hls_store_wake(ngx_http_hls_store_t *store,
    ngx_http_hls_entry_cell_t *e);
ngx_http_hls_head_t *ngx_http_hls_store_own(ngx_http_hls_store_t *store);
void ngx_http_hls_store_full(ngx_http_hls_store_t *store);
uint32_t ngx_http_hls_store_seq(ngx_http_hls_shm_t *sh);


/* ngx_http_hls_store_cell.c */

/* no lock */
void ngx_http_hls_store_hash(uint64_t seed[2], u_char *data, size_t len,
    uint64_t hash[2]);

uint32_t ngx_http_hls_store_cell_alloc(ngx_http_hls_shm_t *sh);
void ngx_http_hls_store_cell_free(ngx_http_hls_shm_t *sh, uint32_t i);
uint32_t ngx_http_hls_store_small_alloc(ngx_http_hls_shm_t *sh);
void ngx_http_hls_store_small_free(ngx_http_hls_shm_t *sh, uint32_t i);

/* text: the first bytes are in the record, more of it in other cells */
ngx_uint_t ngx_http_hls_store_text_cells(size_t len, size_t room);
uint32_t ngx_http_hls_store_text_put(ngx_http_hls_shm_t *sh, u_char *data,
    size_t room, u_char *src, size_t len);
void ngx_http_hls_store_text_get(ngx_http_hls_shm_t *sh, u_char *data,
    size_t room, uint32_t text, u_char *dst, size_t len);


/* ngx_http_hls_store_links.c */

void ngx_http_hls_store_bucket_add(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_bucket_remove(ngx_http_hls_shm_t *sh, uint32_t i);
ngx_uint_t ngx_http_hls_store_lru_of(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_lru_add(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_lru_remove(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_lru_move(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_slot_add(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_uint_t tail);
void ngx_http_hls_store_slot_remove(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_chain_add(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_chain_remove(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_member_add(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_member_remove(ngx_http_hls_shm_t *sh, uint32_t i);

/*
 * A change of anything that decides where an entry is counted or queued
 * stands between a call of out and one of in
 */
void ngx_http_hls_store_entry_out(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_entry_in(ngx_http_hls_shm_t *sh, uint32_t i);


/* ngx_http_hls_store_extent.c; the first page or NGX_HTTP_HLS_NO_PAGE */

size_t ngx_http_hls_store_extent_layout(ngx_http_hls_shm_t *sh);
void ngx_http_hls_store_extent_reset(ngx_http_hls_shm_t *sh);
uint32_t ngx_http_hls_store_extent_alloc(ngx_http_hls_shm_t *sh, uint32_t n);
uint32_t ngx_http_hls_store_extent_largest(ngx_http_hls_shm_t *sh);
void ngx_http_hls_store_extent_free(ngx_http_hls_shm_t *sh, uint32_t start,
    uint32_t n);
/* NGX_DECLINED: not all of these pages are free */
ngx_int_t ngx_http_hls_store_extent_take(ngx_http_hls_shm_t *sh,
    uint32_t start, uint32_t n);
ngx_uint_t ngx_http_hls_store_extent_test(ngx_http_hls_shm_t *sh,
    ngx_uint_t order, uint32_t block);


/* ngx_http_hls_store_body.c */

/* a cell or 0; small cells were reserved */
uint32_t ngx_http_hls_store_body_create(ngx_http_hls_store_t *store,
    uint32_t npages, uint32_t used);
void ngx_http_hls_store_body_role(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_uint_t role);
/* its owner leaves it to those that refer to it */
void ngx_http_hls_store_body_leave(ngx_http_hls_store_t *store, uint32_t i);
ngx_uint_t ngx_http_hls_store_body_busy(ngx_http_hls_shm_t *sh, uint32_t i);
/* one of those does not any more */
void ngx_http_hls_store_body_unref(ngx_http_hls_store_t *store, uint32_t i);

/* gives bodies to be punched out to this process; how many */
ngx_uint_t ngx_http_hls_store_punch_get(ngx_http_hls_store_t *store,
    ngx_http_hls_punch_t *punch, ngx_uint_t n);
/* without the lock */
void ngx_http_hls_store_punch(ngx_http_hls_store_t *store,
    ngx_http_hls_punch_t *punch, ngx_uint_t n);
void ngx_http_hls_store_punch_end(ngx_http_hls_store_t *store,
    ngx_http_hls_punch_t *punch, ngx_uint_t n);
void ngx_http_hls_store_punch_again(ngx_http_hls_store_t *store, uint32_t i);

/*
 * Room for pages, and cells, by eviction.  NGX_AGAIN: call it anew after the
 * lock was released, NGX_BUSY: nothing can be evicted.  busy is 0 at first.
 */
ngx_int_t ngx_http_hls_store_room(ngx_http_hls_store_t *store, uint32_t pages,
    ngx_uint_t *busy);
/* a few entries; how many there are less */
ngx_uint_t ngx_http_hls_store_evict_some(ngx_http_hls_store_t *store);
ngx_int_t ngx_http_hls_store_cells_reserve(ngx_http_hls_store_t *store,
    ngx_uint_t n, ngx_uint_t bare);
ngx_int_t ngx_http_hls_store_smalls_reserve(ngx_http_hls_store_t *store,
    ngx_uint_t n);


/* ngx_http_hls_store_entry.c; a cell or 0 */

uint32_t ngx_http_hls_store_find(ngx_http_hls_shm_t *sh, uint64_t hash[2],
    ngx_uint_t type);
void ngx_http_hls_store_entry_drop(ngx_http_hls_store_t *store, uint32_t i);
void ngx_http_hls_store_entry_set(ngx_http_hls_store_t *store, uint32_t i,
    ngx_http_hls_redo_t *redo);
void ngx_http_hls_store_entry_settle(ngx_http_hls_store_t *store, uint32_t i);
ngx_uint_t ngx_http_hls_store_entry_over(ngx_http_hls_entry_cell_t *e);
void ngx_http_hls_store_redo_init(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_http_hls_redo_t *redo);
void ngx_http_hls_store_times(ngx_http_hls_redo_t *redo,
    ngx_http_hls_times_t *times, ngx_uint_t keep_data);
void ngx_http_hls_store_claim_drop(ngx_http_hls_store_t *store, uint32_t i);


/* ngx_http_hls_store_ref.c */

/* NGX_BUSY: no slot or no room */
ngx_int_t ngx_http_hls_store_ref_take(ngx_http_hls_store_t *store,
    uint32_t body);
void ngx_http_hls_store_ref_drop(ngx_http_hls_store_t *store, uint32_t i);
void ngx_http_hls_store_ref_give(ngx_http_hls_store_t *store, uint32_t body,
    uint32_t seq);
void ngx_http_hls_store_ref_body(ngx_http_hls_store_t *store, uint32_t i,
    ngx_http_hls_body_t *body);


/* ngx_http_hls_store_stream.c */

uint32_t ngx_http_hls_store_stream_valid(ngx_http_hls_shm_t *sh, uint32_t i);
void ngx_http_hls_store_stream_drop(ngx_http_hls_store_t *store, uint32_t i);
/* the union of the steps that count: to be estimated without the lock */
ngx_uint_t ngx_http_hls_store_stream_regs(ngx_http_hls_store_t *store,
    uint32_t i, u_char *regs);
ngx_uint_t ngx_http_hls_store_estimate(u_char *regs);


/* ngx_http_hls_store_rebuild.c */

void ngx_http_hls_store_redo(ngx_http_hls_shm_t *sh);
void ngx_http_hls_store_rebuild(ngx_http_hls_store_t *store);


#endif /* _NGX_HTTP_HLS_STORE_INT_H_INCLUDED_ */
