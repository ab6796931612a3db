
/*
 * Copyright (C) The nginx-osp authors
 */


/* What the tests of the cache's store have in common. */


#ifndef _UNIT_HLS_STORE_H_INCLUDED_
#define _UNIT_HLS_STORE_H_INCLUDED_


#include "unit.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "ngx_http_hls_store_int.h"

/* its eventfds are looked at */

#include "ngx_rtmp_route_slot.c"


#define CLAIM    NGX_HTTP_HLS_STORE_CLAIM
#define REFRESH  NGX_HTTP_HLS_STORE_REFRESH
#define CLAIMED  NGX_HTTP_HLS_STORE_CLAIMED
#define FILLING  NGX_HTTP_HLS_STORE_FILLING
#define FRESH    NGX_HTTP_HLS_STORE_FRESH
#define NONE     NGX_HTTP_HLS_STORE_NONE
#define STALE    NGX_HTTP_HLS_STORE_STALE
#define UPDATING NGX_HTTP_HLS_STORE_UPDATING


static void store_make(ngx_http_hls_store_t *store, size_t size)
    __attribute__ ((unused));
static void store_free(ngx_http_hls_store_t *store) __attribute__ ((unused));
static void store_slot(void) __attribute__ ((unused));
static ngx_http_hls_key_t *key_of(ngx_http_hls_store_t *store,
    const char *text) __attribute__ ((unused));
static ngx_uint_t look(ngx_http_hls_store_t *store, const char *text,
    ngx_uint_t claim, ngx_http_hls_found_t *found) __attribute__ ((unused));
static ngx_uint_t state_of(ngx_http_hls_store_t *store, const char *text)
    __attribute__ ((unused));
static ngx_http_hls_times_t *times_of(ngx_msec_t fresh, ngx_msec_t stale)
    __attribute__ ((unused));
static ngx_int_t put(ngx_http_hls_store_t *store, const char *text,
    u_char seed, size_t len, ngx_msec_t fresh, ngx_msec_t stale)
    __attribute__ ((unused));
static ngx_int_t put_in(ngx_http_hls_store_t *store, const char *text,
    uint32_t stream, u_char seed, size_t len) __attribute__ ((unused));
static ngx_int_t begin(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, off_t total, off_t max, ngx_uint_t shared,
    ngx_http_hls_body_t *fill) __attribute__ ((unused));
static ngx_int_t add(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill, u_char seed,
    size_t len) __attribute__ ((unused));
static u_char byte_at(u_char seed, size_t pos) __attribute__ ((unused));
static ngx_uint_t good(ngx_http_hls_body_t *body, u_char seed, size_t len)
    __attribute__ ((unused));
static ngx_http_hls_store_stat_t *stat_of(ngx_http_hls_store_t *store)
    __attribute__ ((unused));
static size_t resident(ngx_http_hls_store_t *store) __attribute__ ((unused));
static ngx_uint_t woken(void) __attribute__ ((unused));


static u_char  store_log_ctx[] = " in cache \"test\"";
static u_char  store_data[1 << 20];


/* a new zone and window, and slots if there are none yet */

static void
store_make(ngx_http_hls_store_t *store, size_t size)
{
    size_t            zone;
    ngx_slab_pool_t  *shpool;

    if (ngx_rtmp_route_slots_create(16, &unit_log) != NGX_OK) {
        abort();
    }

    zone = ngx_http_hls_store_zone_size(size);
    shpool = unit_zone(zone);

    if (shpool == NULL) {
        abort();
    }

    shpool->log_ctx = store_log_ctx;

    ngx_memzero(store, sizeof(ngx_http_hls_store_t));

    store->log = &unit_log;
    store->size = size - zone;
    store->window = ngx_http_hls_window_create(store->size, &unit_log);

    if (store->window == NULL
        || ngx_http_hls_store_init(store, shpool) != NGX_OK)
    {
        abort();
    }
}


static void
store_free(ngx_http_hls_store_t *store)
{
    ngx_http_hls_window_free(store->window);
    unit_zone_free(store->shpool);
}


/* claims a slot for this process, which may be a child */

static void
store_slot(void)
{
    ngx_pid = getpid();

    if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
        abort();
    }
}


static ngx_http_hls_key_t *
key_of(ngx_http_hls_store_t *store, const char *text)
{
    static ngx_http_hls_key_t  key;

    key.text = unit_str(text);
    ngx_http_hls_store_key(store, &key);

    return &key;
}


/* a viewer's look-up; -1: no room */

static ngx_uint_t
look(ngx_http_hls_store_t *store, const char *text, ngx_uint_t claim,
    ngx_http_hls_found_t *found)
{
    if (ngx_http_hls_store_lookup(store, key_of(store, text), 1, 0, claim, 1,
                                  found)
        != NGX_OK)
    {
        return (ngx_uint_t) -1;
    }

    return found->state;
}


/* leaves nothing behind */

static ngx_uint_t
state_of(ngx_http_hls_store_t *store, const char *text)
{
    ngx_http_hls_found_t  found;

    if (ngx_http_hls_store_lookup(store, key_of(store, text), 1, 0, 0, 0,
                                  &found)
        != NGX_OK)
    {
        return (ngx_uint_t) -1;
    }

    ngx_http_hls_store_release(store, &found.body);

    return found.state;
}


/* from now on */

static ngx_http_hls_times_t *
times_of(ngx_msec_t fresh, ngx_msec_t stale)
{
    static ngx_http_hls_times_t  times;

    ngx_memzero(&times, sizeof(ngx_http_hls_times_t));

    times.fresh = ngx_current_msec + fresh;
    times.stale = ngx_current_msec + stale;
    times.changed = ngx_current_msec;

    return &times;
}


/*
 * Fills an object as a whole, its data are the seed; the state that was found
 * if not CLAIMED
 */

static ngx_int_t
put(ngx_http_hls_store_t *store, const char *text, u_char seed, size_t len,
    ngx_msec_t fresh, ngx_msec_t stale)
{
    ngx_int_t              rc;
    ngx_uint_t             state;
    ngx_http_hls_body_t    fill;
    ngx_http_hls_found_t   found;
    ngx_http_hls_times_t  *times;

    state = look(store, text, CLAIM, &found);

    if (state != CLAIMED) {
        ngx_http_hls_store_release(store, &found.body);
        return (ngx_int_t) state;
    }

    ngx_http_hls_store_release(store, &found.body);

    rc = begin(store, &found, len, 0, 1, &fill);

    if (rc == NGX_OK) {
        rc = add(store, &found, &fill, seed, len);
    }

    if (rc != NGX_OK) {
        ngx_http_hls_store_fail(store, &found, &fill, 0, NULL);
        return rc;
    }

    times = times_of(fresh, stale);
    memset(times->data, seed, NGX_HTTP_HLS_STORE_DATA);

    rc = ngx_http_hls_store_done(store, &found, &fill, times);

    ngx_http_hls_store_release(store, &fill);

    return rc;
}


static ngx_int_t
put_in(ngx_http_hls_store_t *store, const char *text, uint32_t stream,
    u_char seed, size_t len)
{
    ngx_http_hls_found_t  found;

    if (ngx_http_hls_store_note(store, key_of(store, text), 3, stream,
                                times_of(0, 60000))
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    if (look(store, text, 0, &found) != NONE) {
        ngx_http_hls_store_release(store, &found.body);
        return NGX_DECLINED;
    }

    return put(store, text, seed, len, 10000, 60000);
}


static ngx_int_t
begin(ngx_http_hls_store_t *store, ngx_http_hls_found_t *found, off_t total,
    off_t max, ngx_uint_t shared, ngx_http_hls_body_t *fill)
{
    ngx_str_t  head;

    head = unit_str("Content-Type: video/mp2t");

    return ngx_http_hls_store_begin(store, found, 200, &head, total, max,
                                    shared, fill);
}


/* the next len bytes of an object of that seed */

static ngx_int_t
add(ngx_http_hls_store_t *store, ngx_http_hls_found_t *found,
    ngx_http_hls_body_t *fill, u_char seed, size_t len)
{
    size_t     i, n, pos;
    ngx_int_t  rc;

    pos = fill->len;

    do {
        n = ngx_min(len, sizeof(store_data));

        for (i = 0; i < n; i++) {
            store_data[i] = byte_at(seed, pos + i);
        }

        rc = ngx_http_hls_store_write(store, found, fill, store_data, n);

        pos += n;
        len -= n;

    } while (len && rc == NGX_OK);

    return rc;
}


static u_char
byte_at(u_char seed, size_t pos)
{
    return (u_char) (seed + pos * 7 + pos / 4096);
}


/* whether the referenced body is what add() has written */

static ngx_uint_t
good(ngx_http_hls_body_t *body, u_char seed, size_t len)
{
    size_t  i;

    if (body->body == 0 || body->len != (off_t) len) {
        diag("body %u of %ld bytes", body->body, (long) body->len);
        return 0;
    }

    if (body->head_len != 24
        || memcmp(body->head, "Content-Type: video/mp2t", 24) != 0)
    {
        diag("another head");
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (body->data[i] != byte_at(seed, i)) {
            diag("byte %lu: got %u, expected %u", (unsigned long) i,
                 body->data[i], byte_at(seed, i));
            return 0;
        }
    }

    return 1;
}


static ngx_http_hls_store_stat_t *
stat_of(ngx_http_hls_store_t *store)
{
    static ngx_http_hls_store_stat_t  stat;

    ngx_http_hls_store_stat(store, &stat);

    return &stat;
}


/* bytes that the window takes of the memory */

static size_t
resident(ngx_http_hls_store_t *store)
{
    struct stat  st;

    if (fstat(store->window->fd, &st) == -1) {
        abort();
    }

    return (size_t) st.st_blocks * 512;
}


/* whether this process' slot was woken since the last call */

static ngx_uint_t
woken(void)
{
    uint64_t  value;

    return read(ngx_rtmp_route_slot_fds[ngx_rtmp_route_slot_own], &value,
                sizeof(uint64_t)) > 0;
}


#endif /* _UNIT_HLS_STORE_H_INCLUDED_ */
