
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


/* the greatest value of a register */
#define NGX_HTTP_HLS_VIEWER_RANK    15

/* 1 / (2 * ln 2) */
#define NGX_HTTP_HLS_VIEWER_ALPHA   0.721347520444481703680

/* holds of the lock in which room is made for the registers */
#define NGX_HTTP_HLS_VIEWER_ROUNDS  4


static uint32_t ngx_http_hls_store_stream_create(ngx_http_hls_store_t *store,
    ngx_str_t *name, uint64_t hash[2]);
static ngx_int_t ngx_http_hls_store_viewer_locked(ngx_http_hls_store_t *store,
    uint32_t i, ngx_msec_t step, uint64_t hash);
static ngx_int_t ngx_http_hls_store_viewer_page(ngx_http_hls_store_t *store,
    uint32_t i, ngx_msec_t step);
static void ngx_http_hls_store_viewer_step(ngx_http_hls_stream_cell_t *st,
    u_char *regs, ngx_msec_t step);
static ngx_uint_t ngx_http_hls_store_viewer_passed(
    ngx_http_hls_stream_cell_t *st);
static double ngx_http_hls_store_sigma(double x);
static double ngx_http_hls_store_tau(double x);
static double ngx_http_hls_store_sqrt(double x);


uint32_t
ngx_http_hls_store_stream(ngx_http_hls_store_t *store, ngx_str_t *name)
{
    uint32_t             i;
    uint64_t             hash[2];
    ngx_http_hls_shm_t  *sh;

    if (name->len == 0 || name->len > NGX_HTTP_HLS_STORE_NAME_LEN) {
        return 0;
    }

    sh = store->sh;

    ngx_http_hls_store_hash(sh->seed, name->data, name->len, hash);

    ngx_http_hls_store_lock(store);

    i = ngx_http_hls_store_find(sh, hash, NGX_HTTP_HLS_CELL_STREAM);

    if (i) {
        ngx_http_hls_store_lru_move(sh, i);

    } else {
        i = ngx_http_hls_store_stream_create(store, name, hash);

        if (i == 0) {
            ngx_http_hls_store_full(store);
        }
    }

    ngx_http_hls_store_unlock(store);

    return i;
}


static uint32_t
ngx_http_hls_store_stream_create(ngx_http_hls_store_t *store, ngx_str_t *name,
    uint64_t hash[2])
{
    uint32_t                     i;
    ngx_uint_t                   n;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;

    n = 1 + ngx_http_hls_store_text_cells(name->len, sizeof(st->key));

    if (ngx_http_hls_store_cells_reserve(store, n, 0) != NGX_OK) {
        return 0;
    }

    i = ngx_http_hls_store_cell_alloc(sh);

    if (i == 0) {
        return 0;
    }

    st = ngx_http_hls_stream(sh, i);

    st->named.flags = 0;
    st->named.key_len = (uint16_t) name->len;
    st->named.hash[0] = hash[0];
    st->named.hash[1] = hash[1];
    st->named.next = 0;
    st->named.seq = ngx_http_hls_store_seq(sh);
    st->named.moved = (uint32_t) ngx_current_msec;

    st->body = 0;
    st->first = 0;
    st->nentries = 0;
    st->objects = 0;
    st->bytes = 0;
    st->hits = 0;
    st->misses = 0;
    st->changed = ngx_current_msec;
    st->step_start = 0;
    st->step = 0;
    st->newest = 0;

    st->named.text = ngx_http_hls_store_text_put(sh, st->key, sizeof(st->key),
                                                 name->data, name->len);
    ngx_memory_barrier();
    ngx_http_hls_point();

    st->named.type = NGX_HTTP_HLS_CELL_STREAM;

    ngx_http_hls_point();

    ngx_http_hls_store_bucket_add(sh, i);
    ngx_http_hls_store_lru_add(sh, i);

    return i;
}


uint32_t
ngx_http_hls_store_stream_valid(ngx_http_hls_shm_t *sh, uint32_t i)
{
    if (i == 0 || i > sh->cell_top
        || ngx_http_hls_named(sh, i)->type != NGX_HTTP_HLS_CELL_STREAM)
    {
        return 0;
    }

    return i;
}


/* it has no entries */

void
ngx_http_hls_store_stream_drop(ngx_http_hls_store_t *store, uint32_t i)
{
    uint32_t                     body;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    st = ngx_http_hls_stream(sh, i);
    body = st->body;

    ngx_http_hls_store_lru_remove(sh, i);
    ngx_http_hls_store_bucket_remove(sh, i);

    st->named.type = NGX_HTTP_HLS_CELL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    if (body) {
        ngx_http_hls_store_body_leave(store, body);
    }

    ngx_http_hls_store_cell_free(sh, i);
}


/*
 * Viewers are counted as HyperLogLog does, in registers of four bits.  There
 * are four sets of them, of a third of the window each but for the newest one,
 * which is not yet over: together they are the window and up to a third more.
 */

void
ngx_http_hls_store_viewer(ngx_http_hls_store_t *store, uint32_t stream,
    uint64_t viewer, ngx_msec_t window)
{
    uint64_t             hash;
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_msec_t           step;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    step = ngx_max(window / (NGX_HTTP_HLS_VIEWER_STEPS - 1), 1);

    hash = viewer ^ sh->seed[0];
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
    hash ^= hash >> 31;

    for (i = 0; i < NGX_HTTP_HLS_VIEWER_ROUNDS; i++) {

        ngx_http_hls_store_lock(store);

        rc = NGX_DECLINED;

        if (ngx_http_hls_store_stream_valid(sh, stream)) {
            rc = ngx_http_hls_store_viewer_locked(store, stream, step, hash);
        }

        ngx_http_hls_store_unlock(store);

        if (rc != NGX_AGAIN) {
            return;
        }
    }
}


ngx_uint_t
ngx_http_hls_store_viewers(ngx_http_hls_store_t *store, ngx_str_t *name)
{
    u_char               regs[NGX_HTTP_HLS_VIEWER_SIZE];
    uint32_t             i;
    uint64_t             hash[2];
    ngx_uint_t           viewers;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    ngx_http_hls_store_hash(sh->seed, name->data, name->len, hash);

    ngx_http_hls_store_lock(store);

    i = ngx_http_hls_store_find(sh, hash, NGX_HTTP_HLS_CELL_STREAM);

    viewers = i ? ngx_http_hls_store_stream_regs(store, i, regs) : 0;

    ngx_http_hls_store_unlock(store);

    return viewers ? ngx_http_hls_store_estimate(regs) : 0;
}


static ngx_int_t
ngx_http_hls_store_viewer_locked(ngx_http_hls_store_t *store, uint32_t i,
    ngx_msec_t step, uint64_t hash)
{
    u_char                      *regs, *p;
    ngx_int_t                    rc;
    ngx_uint_t                   n, rank, shift;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    st = ngx_http_hls_stream(sh, i);

    if (st->body == 0) {
        rc = ngx_http_hls_store_viewer_page(store, i, step);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    regs = ngx_http_hls_page_at(store, ngx_http_hls_body(sh, st->body)->page);

    ngx_http_hls_store_viewer_step(st, regs, step);
    ngx_http_hls_store_lru_move(sh, i);

    n = hash & (NGX_HTTP_HLS_VIEWER_REGS - 1);
    hash >>= NGX_HTTP_HLS_VIEWER_BITS;

    for (rank = 1; rank < NGX_HTTP_HLS_VIEWER_RANK && !(hash & 1); rank++) {
        hash >>= 1;
    }

    p = regs + st->newest * NGX_HTTP_HLS_VIEWER_SIZE + n / 2;
    shift = (n & 1) * 4;

    if (((*p >> shift) & 15u) < rank) {
        *p = (u_char) ((*p & ~(15u << shift)) | (rank << shift));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_store_viewer_page(ngx_http_hls_store_t *store, uint32_t i,
    ngx_msec_t step)
{
    uint32_t                     body;
    ngx_int_t                    rc;
    ngx_uint_t                   busy;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_body_cell_t    *b;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    st = ngx_http_hls_stream(sh, i);
    busy = 0;

    if (sh->viewers >= ngx_max(sh->budget / NGX_HTTP_HLS_VIEWER_SHARE, 1)) {
        return NGX_BUSY;
    }

    /* what is evicted may be the last entry of this stream: it stays */

    if (ngx_http_hls_store_smalls_reserve(store, 1) != NGX_OK) {
        return NGX_BUSY;
    }

    rc = ngx_http_hls_store_room(store, 1, &busy);

    if (rc != NGX_OK) {
        return rc;
    }

    body = ngx_http_hls_store_body_create(store, 1, 1);

    if (body == 0) {
        return NGX_BUSY;
    }

    b = ngx_http_hls_body(sh, body);

    b->state = NGX_HTTP_HLS_BODY_DONE;

    ngx_memzero(ngx_http_hls_page_at(store, b->page),
                NGX_HTTP_HLS_VIEWER_SIZE * NGX_HTTP_HLS_VIEWER_STEPS);

    st->newest = 0;
    st->step = step;
    st->step_start = ngx_current_msec;

    ngx_memory_barrier();
    ngx_http_hls_point();

    st->body = body;

    ngx_http_hls_point();

    ngx_http_hls_store_body_role(sh, body, NGX_HTTP_HLS_BODY_VIEWERS);

    return NGX_OK;
}


static void
ngx_http_hls_store_viewer_step(ngx_http_hls_stream_cell_t *st, u_char *regs,
    ngx_msec_t step)
{
    ngx_uint_t  i, n;

    n = ngx_http_hls_store_viewer_passed(st);

    if (n == 0) {
        st->step = step;
        return;
    }

    for (i = 1; i <= ngx_min(n, NGX_HTTP_HLS_VIEWER_STEPS); i++) {
        ngx_memzero(regs + (st->newest + i) % NGX_HTTP_HLS_VIEWER_STEPS
                           * NGX_HTTP_HLS_VIEWER_SIZE,
                    NGX_HTTP_HLS_VIEWER_SIZE);
    }

    ngx_http_hls_point();

    st->newest = (uint32_t) ((st->newest + n) % NGX_HTTP_HLS_VIEWER_STEPS);
    st->step_start += n * st->step;
    st->step = step;
}


/* whole steps since the newest one began */

static ngx_uint_t
ngx_http_hls_store_viewer_passed(ngx_http_hls_stream_cell_t *st)
{
    ngx_msec_int_t  passed;

    passed = ngx_http_hls_passed(st->step_start);

    if (passed <= 0 || st->step == 0) {
        return 0;
    }

    return (ngx_msec_t) passed / st->step;
}


ngx_uint_t
ngx_http_hls_store_stream_regs(ngx_http_hls_store_t *store, uint32_t i,
    u_char *regs)
{
    u_char                      *p, *set, high, low;
    ngx_uint_t                   k, n, age;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    st = ngx_http_hls_stream(sh, i);

    if (st->body == 0) {
        return 0;
    }

    n = ngx_http_hls_store_viewer_passed(st);

    if (n >= NGX_HTTP_HLS_VIEWER_STEPS) {
        return 0;
    }

    p = ngx_http_hls_page_at(store, ngx_http_hls_body(sh, st->body)->page);

    ngx_memzero(regs, NGX_HTTP_HLS_VIEWER_SIZE);

    for (age = 0; age + n < NGX_HTTP_HLS_VIEWER_STEPS; age++) {

        set = p + (st->newest + NGX_HTTP_HLS_VIEWER_STEPS - age)
                  % NGX_HTTP_HLS_VIEWER_STEPS * NGX_HTTP_HLS_VIEWER_SIZE;

        for (k = 0; k < NGX_HTTP_HLS_VIEWER_SIZE; k++) {
            high = ngx_max((regs[k] & 0xf0), (set[k] & 0xf0));
            low = ngx_max((regs[k] & 0x0f), (set[k] & 0x0f));
            regs[k] = high | low;
        }
    }

    return 1;
}


/*
 * The estimator of Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches", which is good for few viewers as for many
 */

ngx_uint_t
ngx_http_hls_store_estimate(u_char *regs)
{
    double      z, m;
    ngx_uint_t  i, n[NGX_HTTP_HLS_VIEWER_RANK + 1];

    ngx_memzero(n, sizeof(n));

    for (i = 0; i < NGX_HTTP_HLS_VIEWER_SIZE; i++) {
        n[regs[i] & 15]++;
        n[regs[i] >> 4]++;
    }

    m = NGX_HTTP_HLS_VIEWER_REGS;

    if (n[0] == NGX_HTTP_HLS_VIEWER_REGS) {
        return 0;
    }

    z = m * ngx_http_hls_store_tau(1 - (double) n[NGX_HTTP_HLS_VIEWER_RANK]
                                       / m);

    for (i = NGX_HTTP_HLS_VIEWER_RANK - 1; i; i--) {
        z = 0.5 * (z + (double) n[i]);
    }

    z += m * ngx_http_hls_store_sigma((double) n[0] / m);

    return (ngx_uint_t) (NGX_HTTP_HLS_VIEWER_ALPHA * m * m / z + 0.5);
}


static double
ngx_http_hls_store_sigma(double x)
{
    double  y, z, old;

    y = 1;
    z = x;

    do {
        x *= x;
        old = z;
        z += x * y;
        y += y;
    } while (z > old);

    return z;
}


static double
ngx_http_hls_store_tau(double x)
{
    double  y, z, old;

    if (x <= 0 || x >= 1) {
        return 0;
    }

    y = 1;
    z = 1 - x;

    do {
        x = ngx_http_hls_store_sqrt(x);
        old = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z < old);

    return z / 3;
}


/* of a number from 0 to 1; libm is not linked with */

static double
ngx_http_hls_store_sqrt(double x)
{
    double  y, old;

    y = 1;

    do {
        old = y;
        y = 0.5 * (y + x / y);
    } while (y < old);

    return old;
}
