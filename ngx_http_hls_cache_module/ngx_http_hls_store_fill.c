
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


/* holds of the lock in which room is made for one call */
#define NGX_HTTP_HLS_FILL_ROUNDS    1024

/* of these, when it is a matter of pages in one piece */
#define NGX_HTTP_HLS_EXTENT_ROUNDS  16

/* the part of an unknown length that is room enough to begin with */
#define NGX_HTTP_HLS_EXTENT_PART    8

/* nor more than so much of the largest extent, if that is not too little */
#define NGX_HTTP_HLS_EXTENT_SHARE   16
#define NGX_HTTP_HLS_EXTENT_LEAST   (1024 * 1024)


static ngx_int_t ngx_http_hls_store_begin_locked(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, uint32_t npages, uint32_t used,
    ngx_uint_t *busy, ngx_uint_t *rounds, uint32_t *body);
static void ngx_http_hls_store_detach(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill);
static ngx_int_t ngx_http_hls_store_extend(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill, uint64_t pages);
static ngx_int_t ngx_http_hls_store_put(ngx_http_hls_store_t *store,
    u_char *data, size_t len, off_t offset);
static uint32_t ngx_http_hls_store_mine(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill);
static void ngx_http_hls_store_end(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill,
    ngx_uint_t status, ngx_http_hls_times_t *times);


ngx_int_t
ngx_http_hls_store_begin(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_uint_t status, ngx_str_t *head,
    off_t total, off_t max, ngx_uint_t shared, ngx_http_hls_body_t *fill)
{
    off_t                      size;
    size_t                     start;
    uint32_t                   i, npages, used;
    uint64_t                   pages;
    ngx_int_t                  rc;
    ngx_uint_t                 n, busy, rounds;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;

    ngx_memzero(fill, sizeof(ngx_http_hls_body_t));

    size = (total >= 0) ? total : max;

    if (head->len > NGX_HTTP_HLS_STORE_HEAD_LEN
        || size < 0
        || (total >= 0 && total > (off_t) NGX_MAX_SIZE_T_VALUE / 2))
    {
        return NGX_BUSY;
    }

    start = ngx_http_hls_body_start(head->len);
    size = ngx_min(size, (off_t) store->window->size);
    pages = ngx_max(ngx_http_hls_pages((off_t) start + size), 1);

    /* an unknown length is written until there is no more room */

    if (total < 0) {
        pages = ngx_min(pages, sh->budget);
        used = (uint32_t) ngx_http_hls_pages(head->len);

    } else {
        used = (uint32_t) pages;
    }

    npages = (uint32_t) pages;
    rc = NGX_BUSY;
    i = 0;
    busy = 0;
    rounds = 0;

    for (n = 0; n < NGX_HTTP_HLS_FILL_ROUNDS; n++) {

        ngx_http_hls_store_lock(store);

        rc = (pages > sh->budget) ? NGX_BUSY
             : ngx_http_hls_store_begin_locked(store, found, npages, used,
                                               &busy, &rounds, &i);
        if (rc != NGX_AGAIN) {
            break;
        }

        ngx_http_hls_store_unlock(store);
    }

    if (n == NGX_HTTP_HLS_FILL_ROUNDS) {
        ngx_http_hls_store_lock(store);
        rc = NGX_BUSY;
    }

    if (rc == NGX_BUSY) {
        ngx_http_hls_store_full(store);
    }

    if (rc == NGX_OK) {
        b = ngx_http_hls_body(sh, i);

        b->status = (uint16_t) status;
        b->head_len = (uint16_t) head->len;
        b->total = (total >= 0) ? total : -1;
        b->limit = npages;

        if (shared) {
            b->state |= NGX_HTTP_HLS_BODY_SHARED;
        }

        ngx_http_hls_store_ref_body(store, i, fill);
    }

    ngx_http_hls_store_unlock(store);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_hls_store_put(store, head->data, head->len,
                                fill->offset - (off_t) start);

    ngx_http_hls_store_lock(store);

    if (rc == NGX_OK) {
        i = ngx_http_hls_store_mine(store, found, fill);

        if (i) {
            ngx_http_hls_body(sh, fill->body)->state
                                                  |= NGX_HTTP_HLS_BODY_READY;

            if (shared) {
                ngx_http_hls_store_wake(store,
                             ngx_http_hls_entry(sh, found->entry));
            }

        } else {
            rc = NGX_DECLINED;
        }
    }

    if (rc != NGX_OK) {
        ngx_http_hls_store_detach(store, found, fill);
    }

    ngx_http_hls_store_unlock(store);

    return rc;
}


static ngx_int_t
ngx_http_hls_store_begin_locked(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, uint32_t npages, uint32_t used,
    ngx_uint_t *busy, ngx_uint_t *rounds, uint32_t *body)
{
    uint32_t               n, i, size;
    ngx_int_t              rc;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_claim_t  *claim;

    sh = store->sh;

    n = ngx_http_hls_store_mine(store, found, NULL);

    if (n == 0) {
        return NGX_DECLINED;
    }

    claim = ngx_http_hls_claim(sh, n);

    if (claim->body) {
        return NGX_DECLINED;
    }

    if (ngx_http_hls_smalls(sh) < 2
        && ngx_http_hls_store_smalls_reserve(store, 2) != NGX_OK)
    {
        return (++*rounds < NGX_HTTP_HLS_EXTENT_ROUNDS) ? NGX_AGAIN
                                                        : NGX_BUSY;
    }

    rc = ngx_http_hls_store_room(store, used, busy);

    if (rc != NGX_OK) {
        return rc;
    }

    /* of an unknown length, less than was asked for does at first */

    size = npages;

    if (used < npages) {
        i = ngx_http_hls_store_extent_largest(sh);

        /* others are to have some, too */

        n = ngx_max(i / NGX_HTTP_HLS_EXTENT_SHARE,
                    NGX_HTTP_HLS_EXTENT_LEAST / ngx_pagesize);
        size = ngx_min(size, ngx_max(n, used));

        if (i < size
            && (i >= npages / NGX_HTTP_HLS_EXTENT_PART
                || *rounds >= NGX_HTTP_HLS_EXTENT_ROUNDS))
        {
            size = ngx_max(i, used);
        }
    }

    i = ngx_http_hls_store_body_create(store, size, used);

    if (i == 0) {

        if (*rounds > NGX_HTTP_HLS_EXTENT_ROUNDS) {
            return NGX_BUSY;
        }

        (*rounds)++;

        if (ngx_http_hls_store_evict_some(store) || store->punch) {
            return NGX_AGAIN;
        }

        *rounds = ngx_max(*rounds, NGX_HTTP_HLS_EXTENT_ROUNDS);

        return NGX_AGAIN;
    }

    claim->body = i;
    ngx_http_hls_point();

    ngx_http_hls_store_body_role(sh, i, NGX_HTTP_HLS_BODY_FILL);

    if (ngx_http_hls_store_ref_take(store, i) != NGX_OK) {
        claim->body = 0;
        ngx_http_hls_store_body_leave(store, i);
        return NGX_BUSY;
    }

    *body = i;

    return NGX_OK;
}


/* a body that nobody can read is of no use */

static void
ngx_http_hls_store_detach(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill)
{
    uint32_t             n, body;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;
    body = fill->body;

    n = ngx_http_hls_store_mine(store, found, fill);

    if (n) {
        ngx_http_hls_touch(sh);

        ngx_http_hls_claim(sh, n)->body = 0;
        ngx_http_hls_point();

        ngx_http_hls_body(sh, body)->state = NGX_HTTP_HLS_BODY_FAILED;
        ngx_http_hls_store_body_leave(store, body);
    }

    ngx_http_hls_store_ref_give(store, body, fill->seq);

    fill->body = 0;
}


ngx_int_t
ngx_http_hls_store_write(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill, u_char *data,
    size_t len)
{
    off_t                      have;
    uint64_t                   pages;
    ngx_int_t                  rc;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;

    if (fill->body == 0) {
        return NGX_DECLINED;
    }

    /* it is referenced, and nobody else writes to it */

    b = ngx_http_hls_body(sh, fill->body);
    have = (off_t) b->len;

    if (b->total >= 0 && (off_t) len > b->total - have) {
        return NGX_DECLINED;
    }

    pages = ngx_http_hls_pages((uint64_t) have + len
                               + ngx_http_hls_body_start(b->head_len));

    if (pages > b->used) {
        rc = ngx_http_hls_store_extend(store, found, fill, pages);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_hls_store_put(store, data, len, fill->offset + have)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    rc = NGX_DECLINED;

    ngx_http_hls_store_lock(store);

    if (ngx_http_hls_store_mine(store, found, fill)) {

        ngx_memory_barrier();

        b->len = (ngx_atomic_uint_t) (have + (off_t) len);

        if (b->state & NGX_HTTP_HLS_BODY_SHARED) {
            ngx_http_hls_store_wake(store,
                                    ngx_http_hls_entry(sh, found->entry));
        }

        fill->len = (off_t) b->len;

        rc = NGX_OK;
    }

    ngx_http_hls_store_unlock(store);

    return rc;
}


/* of an unknown length: pages are counted as they are written */

static ngx_int_t
ngx_http_hls_store_extend(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill, uint64_t pages)
{
    uint32_t                   n, end;
    ngx_int_t                  rc;
    ngx_uint_t                 i, busy;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;
    b = ngx_http_hls_body(sh, fill->body);
    rc = NGX_AGAIN;
    busy = 0;

    for (i = 0; rc == NGX_AGAIN; i++) {

        ngx_http_hls_store_lock(store);

        if (!ngx_http_hls_store_mine(store, found, fill)) {
            rc = NGX_DECLINED;

        } else if (pages > b->limit || i == NGX_HTTP_HLS_FILL_ROUNDS) {
            rc = NGX_BUSY;

        } else {
            n = (uint32_t) pages - b->used;
            rc = ngx_http_hls_store_room(store, n, &busy);

            if (rc == NGX_OK && pages > b->npages) {
                end = b->page + b->npages;

                if (ngx_http_hls_store_extent_take(sh, end,
                                               (uint32_t) pages - b->npages)
                    == NGX_OK)
                {
                    b->npages = (uint32_t) pages;
                    ngx_http_hls_point();

                } else {
                    rc = NGX_BUSY;
                }
            }

            if (rc == NGX_OK) {
                ngx_http_hls_touch(sh);

                b->used = (uint32_t) pages;
                ngx_http_hls_point();
                sh->used += n;
            }
        }

        if (rc == NGX_BUSY) {
            ngx_http_hls_store_full(store);
        }

        ngx_http_hls_store_unlock(store);
    }

    return rc;
}


/* a write to the file fails where one to the memory would be a signal */

static ngx_int_t
ngx_http_hls_store_put(ngx_http_hls_store_t *store, u_char *data, size_t len,
    off_t offset)
{
    ssize_t  n;

    while (len) {
        ngx_http_hls_point();

        n = pwrite(store->window->fd, data, len, offset);

        if (n <= 0) {

            if (n == -1 && ngx_errno == NGX_EINTR) {
                continue;
            }

            ngx_log_error(NGX_LOG_CRIT, store->log, ngx_errno,
                          "pwrite() to a cache failed");
            return NGX_BUSY;
        }

        data += n;
        offset += n;
        len -= n;
    }

    return NGX_OK;
}


/* the claim of what was found, if it still is; with the body fill if given */

static uint32_t
ngx_http_hls_store_mine(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill)
{
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_claim_t       *claim;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;

    if (found->entry == 0 || found->entry > sh->cell_top) {
        return 0;
    }

    e = ngx_http_hls_entry(sh, found->entry);

    if (e->named.type != NGX_HTTP_HLS_CELL_ENTRY
        || e->named.seq != found->seq
        || e->claim == 0)
    {
        return 0;
    }

    claim = ngx_http_hls_claim(sh, e->claim);

    if (claim->number != found->fill) {
        return 0;
    }

    if (fill && claim->body != fill->body) {
        return 0;
    }

    return e->claim;
}


ngx_int_t
ngx_http_hls_store_done(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill,
    ngx_http_hls_times_t *times)
{
    uint32_t                     n, keep, rest;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_redo_t          redo;
    ngx_http_hls_body_cell_t    *b;
    ngx_http_hls_entry_cell_t   *e;

    sh = store->sh;

    if (fill->body == 0) {
        return NGX_DECLINED;
    }

    b = ngx_http_hls_body(sh, fill->body);

    ngx_http_hls_store_lock(store);

    n = ngx_http_hls_store_mine(store, found, fill);

    if (n == 0 || (b->total >= 0 && (off_t) b->len != b->total)) {

        /* less than announced is not the object */

        if (n) {
            sh->failed++;
            ngx_http_hls_store_end(store, found, fill, 0, NULL);

        } else {
            b->total = (off_t) b->len;
            ngx_memory_barrier();
            b->state = NGX_HTTP_HLS_BODY_DONE;
        }

        ngx_http_hls_store_unlock(store);

        ngx_http_hls_store_progress(store, fill);

        return NGX_DECLINED;
    }

    e = ngx_http_hls_entry(sh, found->entry);

    ngx_http_hls_touch(sh);

    if (b->total < 0) {
        keep = (uint32_t) ngx_max(b->used, 1);
        rest = b->npages - keep;

        if (rest) {
            b->npages = keep;
            ngx_http_hls_point();
            ngx_http_hls_store_extent_free(sh, b->page + keep, rest);
        }

        b->total = (off_t) b->len;
    }

    ngx_memory_barrier();

    b->state = (u_char) ((b->state & ~NGX_HTTP_HLS_BODY_STATE)
                         | NGX_HTTP_HLS_BODY_DONE);
    ngx_http_hls_point();

    ngx_http_hls_store_redo_init(sh, found->entry, &redo);
    ngx_http_hls_store_times(&redo, times, 0);

    redo.claim = n;
    redo.body = fill->body;
    redo.status = 0;

    ngx_http_hls_store_entry_set(store, found->entry, &redo);

    if (e->stream && times->changed) {
        ngx_http_hls_stream(sh, e->stream)->changed = times->changed;
    }

    sh->filled++;

    ngx_http_hls_store_wake(store, e);

    ngx_http_hls_store_unlock(store);

    ngx_http_hls_store_progress(store, fill);

    return NGX_OK;
}


void
ngx_http_hls_store_fail(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill,
    ngx_uint_t status, ngx_http_hls_times_t *times)
{
    ngx_http_hls_store_lock(store);

    store->sh->failed++;

    ngx_http_hls_store_end(store, found, fill, status, times);

    ngx_http_hls_store_unlock(store);

    if (fill) {
        ngx_http_hls_store_release(store, fill);
    }
}


void
ngx_http_hls_store_abandon(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill)
{
    ngx_http_hls_store_lock(store);

    ngx_http_hls_store_end(store, found, fill, 0, NULL);

    ngx_http_hls_store_unlock(store);

    if (fill) {
        ngx_http_hls_store_release(store, fill);
    }
}


static void
ngx_http_hls_store_end(ngx_http_hls_store_t *store,
    ngx_http_hls_found_t *found, ngx_http_hls_body_t *fill,
    ngx_uint_t status, ngx_http_hls_times_t *times)
{
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_redo_t         redo;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;

    if (!ngx_http_hls_store_mine(store, found, NULL)) {
        return;
    }

    e = ngx_http_hls_entry(sh, found->entry);

    ngx_http_hls_store_claim_drop(store, found->entry);

    if (times) {
        ngx_http_hls_store_redo_init(sh, found->entry, &redo);
        ngx_http_hls_store_times(&redo, times, 0);

        if (e->body == 0) {
            redo.status = (uint16_t) status;
        }

        ngx_http_hls_store_entry_set(store, found->entry, &redo);
    }

    ngx_http_hls_store_wake(store, e);

    ngx_http_hls_store_entry_settle(store, found->entry);
}
