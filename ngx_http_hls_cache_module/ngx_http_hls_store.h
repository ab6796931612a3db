
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The store: objects in memory that all workers share.  It knows nothing of
 * requests or playlists, so that it is tested alone.
 *
 * Bodies lie in a window, a sparse memfd mapped by all processes and several
 * times larger than what may be used of it: one body is one contiguous
 * extent.  Records are cells in one arena of nginx's zone; links are indexes.
 * The zone's slab mutex is the only lock.  A process may be killed anywhere:
 * each record has a valid mark, set last and cleared first, sh->dirty is set
 * around each change, and who finds it set when taking the lock rebuilds
 * what is derived (links, free lists, free extents, counters) from the valid
 * records.  Pages of a freed extent are punched out, without the lock, before
 * they are used again: the kernel may still be sending the old ones.
 *
 * An entry stands for a key.  It has at most one current body and at most one
 * fill, which becomes a body when its head is known.
 */


#ifndef _NGX_HTTP_HLS_STORE_H_INCLUDED_
#define _NGX_HTTP_HLS_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* how many times larger the window is than what may be used of it */
#define NGX_HTTP_HLS_STORE_WINDOW    8

#define NGX_HTTP_HLS_STORE_KEY_LEN   4096
#define NGX_HTTP_HLS_STORE_NAME_LEN  1024   /* of a stream */
#define NGX_HTTP_HLS_STORE_HEAD_LEN  8192
#define NGX_HTTP_HLS_STORE_DATA      80     /* bytes that are the caller's */
#define NGX_HTTP_HLS_STORE_HINTS     256
#define NGX_HTTP_HLS_STORE_ANSWERS   6      /* what the caller counts */

/* what a look-up has found */

#define NGX_HTTP_HLS_STORE_NONE      0   /* nothing, and nobody fills it */
#define NGX_HTTP_HLS_STORE_FRESH     1   /* current, body or status */
#define NGX_HTTP_HLS_STORE_STALE     2   /* too old, and nobody fills it */
#define NGX_HTTP_HLS_STORE_UPDATING  3   /* too old, somebody fills it */
#define NGX_HTTP_HLS_STORE_FILLING   4   /* nothing yet, somebody fills it */
#define NGX_HTTP_HLS_STORE_CLAIMED   5   /* the caller is to fill it now */

/* what to do if it is not there, or too old */

#define NGX_HTTP_HLS_STORE_CLAIM     1   /* claim it, unless it is FRESH */
#define NGX_HTTP_HLS_STORE_REFRESH   2   /* claim it even so */

/* state of a body */

#define NGX_HTTP_HLS_BODY_FILLING    1
#define NGX_HTTP_HLS_BODY_DONE       2
#define NGX_HTTP_HLS_BODY_FAILED     3


/* the counted object of the master: file and mapping, kept over reloads */

typedef struct {
    ngx_fd_t                     fd;
    u_char                      *base;
    size_t                       size;       /* of the mapping */
    ngx_uint_t                   count;
} ngx_http_hls_window_t;


typedef struct ngx_http_hls_shm_s  ngx_http_hls_shm_t;

/* one process' view of a store */

typedef struct {
    ngx_http_hls_shm_t          *sh;
    ngx_slab_pool_t             *shpool;
    ngx_http_hls_window_t       *window;
    ngx_log_t                   *log;        /* used without the lock */
    size_t                       size;       /* bytes of bodies, at most */

    /* set while the lock is held, seen to once it is released */

    uint64_t                     wake;       /* slots modulo 64 */
    unsigned                     punch:1;
    unsigned                     log_full:1;
    unsigned                     log_rebuilt:1;

    /* where references of this process were found, a mere hint */

    uint32_t                     hints[NGX_HTTP_HLS_STORE_HINTS];
} ngx_http_hls_store_t;


/* identity of a key: a keyed hash of it, the text is kept for lists */

typedef struct {
    ngx_str_t                    text;
    uint64_t                     hash[2];
} ngx_http_hls_key_t;


/* when an entry is good, as ngx_current_msec; written as a whole */

typedef struct {
    ngx_msec_t                   fresh;      /* until then FRESH */
    ngx_msec_t                   stale;      /* until then kept at all */
    ngx_msec_t                   changed;    /* content last changed */
    u_char                       data[NGX_HTTP_HLS_STORE_DATA];
                                             /* aligned to 8, the caller's */
} ngx_http_hls_times_t;


/*
 * A reference to a body, or to nothing (body 0).  base and head point into
 * the window and are good until the release.
 */

typedef struct {
    uint32_t                     body;       /* cell, 0: none */
    uint32_t                     seq;
    u_char                      *head;       /* as given to begin() */
    size_t                       head_len;
    u_char                      *data;
    off_t                        offset;     /* of data, in the window's fd */
    off_t                        len;        /* so much of it is there */
    off_t                        total;      /* announced, -1: unknown */
    ngx_uint_t                   state;      /* NGX_HTTP_HLS_BODY_* */
    ngx_uint_t                   status;     /* of the answer: 200 ... */
    time_t                       created;    /* wall clock, s */
} ngx_http_hls_body_t;


typedef struct {
    ngx_uint_t                   state;      /* NGX_HTTP_HLS_STORE_* */
    uint32_t                     entry;      /* cell, and what tells a */
    uint32_t                     seq;        /* reused cell from this one */
    uint32_t                     fill;       /* number of the fill, 0: none */
    uint32_t                     stream;     /* cell of its stream, 0: none */
    ngx_uint_t                   kind;       /* the caller's, at creation */
    ngx_uint_t                   status;     /* FRESH without a body: 404 */
    ngx_http_hls_times_t         times;
    ngx_msec_t                   used;       /* before this look-up */
    ngx_http_hls_body_t          body;       /* referenced: current one, or */
                                             /* that of the fill if there is */
                                             /* no current one that is good */
} ngx_http_hls_found_t;


/* what the API shows of an entry; key points to key_buf */

typedef struct {
    ngx_str_t                    key;
    ngx_str_t                    stream;
    ngx_uint_t                   kind;
    ngx_uint_t                   status;
    off_t                        len;
    uint64_t                     hits;
    uint64_t                     misses;
    ngx_msec_t                   age;        /* since changed */
    unsigned                     filling:1;
    u_char                       key_buf[NGX_HTTP_HLS_STORE_KEY_LEN];
    u_char                       stream_buf[NGX_HTTP_HLS_STORE_NAME_LEN];
} ngx_http_hls_entry_stat_t;


typedef struct {
    ngx_str_t                    name;
    uint32_t                     objects;
    off_t                        bytes;
    uint64_t                     hits;
    uint64_t                     misses;
    ngx_msec_t                   age;        /* since the last change in it */
    ngx_uint_t                   viewers;    /* estimate */
    u_char                       name_buf[NGX_HTTP_HLS_STORE_NAME_LEN];
} ngx_http_hls_stream_stat_t;


typedef struct {
    size_t                       size;       /* bytes that may be used */
    size_t                       used;       /* pages that are */
    uint32_t                     entries;
    uint32_t                     bodies;
    uint32_t                     streams;
    uint32_t                     fills;      /* that run */
    uint32_t                     refs;
    uint32_t                     cells_total;
    uint32_t                     cells_used;
    uint64_t                     hits;
    uint64_t                     misses;
    uint64_t                     stale;
    uint64_t                     passed;     /* for lack of room */
    uint64_t                     evicted;
    uint64_t                     filled;     /* fills that ended well */
    uint64_t                     failed;
    uint64_t                     rebuilt;
    uint64_t                     answers[NGX_HTTP_HLS_STORE_ANSWERS];
    uint64_t                     sent;       /* bytes of them */
} ngx_http_hls_store_stat_t;


/* what a walk over all records has found */

typedef struct {
    const char                  *fault;      /* NULL: none */
    uint32_t                     where;      /* the record with the fault */
    uint32_t                     claims;     /* fills that run */
    uint32_t                     refs;       /* of processes that live */
    uint32_t                     doomed;     /* bodies kept by those alone */
    ngx_uint_t                   held;       /* the lock, microseconds */
} ngx_http_hls_store_audit_t;


/*
 * The window of a store of that size; count is 1.  hold and free count the
 * cycles that use it; the last free unmaps and closes.  Master only.
 */
ngx_http_hls_window_t *ngx_http_hls_window_create(size_t size,
    ngx_log_t *log);
void ngx_http_hls_window_hold(ngx_http_hls_window_t *window);
void ngx_http_hls_window_free(ngx_http_hls_window_t *window);

/*
 * So much of SIZE is nginx's zone, the rest is for bodies.  Sizes that differ
 * by more than 64 KB have zones of different sizes.
 */
size_t ngx_http_hls_store_zone_size(size_t size);

/*
 * Lays out a fresh zone, or takes over one that holds a store (a reload, with
 * the same window), with the size that it has.  NGX_DECLINED: it holds
 * something else.
 */
ngx_int_t ngx_http_hls_store_init(ngx_http_hls_store_t *store,
    ngx_slab_pool_t *shpool);

/*
 * Bounded housekeeping, each second in each worker: undoes what processes
 * that are gone have left (their fills fail, waiters wake), punches what they
 * did not, drops what is no longer kept.
 */
void ngx_http_hls_store_sweep(ngx_http_hls_store_t *store);

void ngx_http_hls_store_stat(ngx_http_hls_store_t *store,
    ngx_http_hls_store_stat_t *stat);

/* counts an answer of that kind, and its bytes; without the lock */
void ngx_http_hls_store_answered(ngx_http_hls_store_t *store, ngx_uint_t kind,
    off_t bytes);

/*
 * Compares all records with what is derived from them.  The lock is held all
 * the time: some 10 ms for a cache of 1 GB.  NGX_OK; NGX_ERROR and one
 * log line: there is a fault; NGX_ABORT: no memory.
 */
ngx_int_t ngx_http_hls_store_audit(ngx_http_hls_store_t *store,
    ngx_http_hls_store_audit_t *audit);

/* the same for tests; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_hls_store_check(ngx_http_hls_store_t *store);

/* fills key->hash from key->text; no lock */
void ngx_http_hls_store_key(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key);

/*
 * Looks a key up.  With claim (NGX_HTTP_HLS_STORE_CLAIM), an entry that is not
 * FRESH and is not being filled is made, if need be, and CLAIMED for this
 * process: the caller must end the fill by done(), fail() or abandon().  With
 * NGX_HTTP_HLS_STORE_REFRESH that goes for a FRESH one, too.  The old body, if
 * there is one that is still kept, is then referenced in found->body.  count:
 * a viewer's look-up, which sets the time of last use and counts a hit or a
 * miss.  NGX_OK; NGX_BUSY: no room (counted as passed), or a process without
 * a slot.
 * kind is kept with a new entry.  stream: the cell of the stream that a new
 * entry belongs to, or 0.
 */
ngx_int_t ngx_http_hls_store_lookup(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key, ngx_uint_t kind, uint32_t stream,
    ngx_uint_t claim, ngx_uint_t count, ngx_http_hls_found_t *found);

/*
 * What has become of an entry that was found: fills found anew, referencing
 * as lookup() does (release the old reference first).  NGX_DECLINED: it is
 * gone, look it up again.
 */
ngx_int_t ngx_http_hls_store_again(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found);

/* how far a referenced body is: updates len, total and state; no lock */
void ngx_http_hls_store_progress(ngx_http_hls_store_t *store,
    ngx_http_hls_body_t *body);

/* releases the reference, if there is one */
void ngx_http_hls_store_release(ngx_http_hls_store_t *store,
    ngx_http_hls_body_t *body);

/*
 * Has this process woken, once, when the fill of that entry begins, has more
 * bytes than have, or ends.  NGX_DECLINED: it has already, look again.
 */
ngx_int_t ngx_http_hls_store_wait(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, off_t have);


/*
 * The filler's side; found is what was CLAIMED.
 */

/*
 * The head is known: room for total bytes, or for max of unknown length (-1).
 * head is copied (at most HEAD_LEN).  shared 0: others cannot read it before
 * it is done (a playlist).  NGX_OK: fill is filled and referenced, fill->data
 * is where bytes go; NGX_BUSY: no room, the fill goes on without the store or
 * is ended by fail(); NGX_DECLINED: the entry was purged.
 */
ngx_int_t ngx_http_hls_store_begin(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_uint_t status, ngx_str_t *head,
    off_t total, off_t max, ngx_uint_t shared, ngx_http_hls_body_t *fill);

/*
 * Adds bytes and wakes who waits for them.  NGX_OK; NGX_BUSY: no room for
 * them; NGX_DECLINED: the entry was purged or more than announced.
 */
ngx_int_t ngx_http_hls_store_write(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill, u_char *data,
    size_t len);

/*
 * The fill has ended well: its body becomes the current one, what was reserved
 * too much is given back, the reference to it is kept.  NGX_DECLINED: purged
 * meanwhile; the caller's reference still reads.
 */
ngx_int_t ngx_http_hls_store_done(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill,
    ngx_http_hls_times_t *times);

/*
 * The fill has ended without a new body: the current one, if any, stays with
 * new times; without one the status is remembered until times->fresh (status
 * 0: nothing is).  Releases fill if there is one.
 */
void ngx_http_hls_store_fail(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill,
    ngx_uint_t status, ngx_http_hls_times_t *times);

/* as fail() with nothing to remember and nothing changed */
void ngx_http_hls_store_abandon(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill);

/*
 * Sets the times of the entry of that key, if there is one: a playlist says
 * how long its segments live.  changed 0 and keep_data: these are not taken.
 * NGX_DECLINED: there is none.
 */
ngx_int_t ngx_http_hls_store_touch(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key, ngx_http_hls_times_t *times,
    ngx_uint_t keep_data);

/*
 * Makes an entry without a body and without a status, so that lookup() tells
 * its stream and data; or updates times (changed unless 0) and stream of the
 * one there is, and forgets its status.  NGX_BUSY: no room.
 */
ngx_int_t ngx_http_hls_store_note(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key, ngx_uint_t kind, uint32_t stream,
    ngx_http_hls_times_t *times);


/*
 * Streams.
 */

/* the cell of the stream of that name, made if need be; 0: no room */
uint32_t ngx_http_hls_store_stream(ngx_http_hls_store_t *store,
    ngx_str_t *name);

/*
 * Counts a viewer by a hash of what identifies him, in a window of that many
 * ms.  An estimate: within 5 per cent nineteen times in twenty.
 */
void ngx_http_hls_store_viewer(ngx_http_hls_store_t *store, uint32_t stream,
    uint64_t viewer, ngx_msec_t window);

/* those of the stream of that name */
ngx_uint_t ngx_http_hls_store_viewers(ngx_http_hls_store_t *store,
    ngx_str_t *name);


/* another number for a zone that was made anew: its records are elsewhere */
uint64_t ngx_http_hls_store_instance(ngx_http_hls_store_t *store);

/*
 * Walks: *cursor is 0 at first; NGX_OK: stat is filled, NGX_DONE: no more.
 * The lock is held for one record.
 */
ngx_int_t ngx_http_hls_store_entry_walk(ngx_http_hls_store_t *store,
    uint32_t *cursor, ngx_http_hls_entry_stat_t *stat);
ngx_int_t ngx_http_hls_store_stream_walk(ngx_http_hls_store_t *store,
    uint32_t *cursor, ngx_http_hls_stream_stat_t *stat);

/*
 * Removes one entry (NGX_DECLINED: there is none), those of a stream, or all;
 * running fills of what is removed end unseen, waiters are woken and look
 * again.  Returned is how many there were; bounded holds of the lock.
 */
ngx_int_t ngx_http_hls_store_purge(ngx_http_hls_store_t *store,
    ngx_http_hls_key_t *key);
ngx_uint_t ngx_http_hls_store_purge_stream(ngx_http_hls_store_t *store,
    ngx_str_t *name);
ngx_uint_t ngx_http_hls_store_purge_all(ngx_http_hls_store_t *store);


#endif /* _NGX_HTTP_HLS_STORE_H_INCLUDED_ */
