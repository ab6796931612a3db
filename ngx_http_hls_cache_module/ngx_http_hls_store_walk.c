
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


static uint32_t ngx_http_hls_store_next(ngx_http_hls_store_t *store,
    uint32_t *cursor, ngx_uint_t type);
static void ngx_http_hls_store_entry_stat(ngx_http_hls_store_t *store,
    uint32_t i, ngx_http_hls_entry_stat_t *stat);


/* found a record, the lock is held, otherwise it is not */

static uint32_t
ngx_http_hls_store_next(ngx_http_hls_store_t *store, uint32_t *cursor,
    ngx_uint_t type)
{
    uint32_t             i;
    ngx_uint_t           n;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;
    i = *cursor;

    for ( ;; ) {
        ngx_http_hls_store_lock(store);

        for (n = 0; n < NGX_HTTP_HLS_BATCH; n++) {

            if (i >= sh->cell_top) {
                ngx_http_hls_store_unlock(store);
                return 0;
            }

            i++;

            if (ngx_http_hls_named(sh, i)->type == type) {
                *cursor = i;
                return i;
            }
        }

        ngx_http_hls_store_unlock(store);
    }
}


ngx_int_t
ngx_http_hls_store_entry_walk(ngx_http_hls_store_t *store, uint32_t *cursor,
    ngx_http_hls_entry_stat_t *stat)
{
    uint32_t                    i;
    ngx_http_hls_entry_cell_t  *e;

    for ( ;; ) {
        i = ngx_http_hls_store_next(store, cursor, NGX_HTTP_HLS_CELL_ENTRY);

        if (i == 0) {
            return NGX_DONE;
        }

        e = ngx_http_hls_entry(store->sh, i);

        /* what was only noted is no object */

        if (e->body || e->status || e->claim) {
            ngx_http_hls_store_entry_stat(store, i, stat);
            ngx_http_hls_store_unlock(store);

            return NGX_OK;
        }

        ngx_http_hls_store_unlock(store);
    }
}


static void
ngx_http_hls_store_entry_stat(ngx_http_hls_store_t *store, uint32_t i,
    ngx_http_hls_entry_stat_t *stat)
{
    ngx_msec_int_t               age;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_entry_cell_t   *e;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    e = ngx_http_hls_entry(sh, i);

    stat->key.data = stat->key_buf;
    stat->key.len = e->named.key_len;

    ngx_http_hls_store_text_get(sh, e->key, sizeof(e->key), e->named.text,
                                stat->key_buf, e->named.key_len);

    stat->stream.data = stat->stream_buf;
    stat->stream.len = 0;

    if (e->stream) {
        st = ngx_http_hls_stream(sh, e->stream);

        stat->stream.len = st->named.key_len;

        ngx_http_hls_store_text_get(sh, st->key, sizeof(st->key),
                                    st->named.text, stat->stream_buf,
                                    st->named.key_len);
    }

    age = ngx_http_hls_passed(e->times.changed);

    stat->kind = e->kind;
    stat->status = e->status;
    stat->len = 0;
    stat->hits = e->hits;
    stat->misses = e->misses;
    stat->age = (e->times.changed && age > 0) ? (ngx_msec_t) age : 0;
    stat->filling = e->claim ? 1 : 0;

    if (e->body) {
        stat->status = ngx_http_hls_body(sh, e->body)->status;
        stat->len = (off_t) ngx_http_hls_body(sh, e->body)->len;
    }
}


ngx_int_t
ngx_http_hls_store_stream_walk(ngx_http_hls_store_t *store, uint32_t *cursor,
    ngx_http_hls_stream_stat_t *stat)
{
    u_char                       regs[NGX_HTTP_HLS_VIEWER_SIZE];
    uint32_t                     i;
    ngx_uint_t                   viewers;
    ngx_msec_int_t               age;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_stream_cell_t  *st;

    i = ngx_http_hls_store_next(store, cursor, NGX_HTTP_HLS_CELL_STREAM);

    if (i == 0) {
        return NGX_DONE;
    }

    sh = store->sh;
    st = ngx_http_hls_stream(sh, i);

    stat->name.data = stat->name_buf;
    stat->name.len = st->named.key_len;

    ngx_http_hls_store_text_get(sh, st->key, sizeof(st->key), st->named.text,
                                stat->name_buf, st->named.key_len);

    age = ngx_http_hls_passed(st->changed);

    stat->objects = st->objects;
    stat->bytes = (off_t) st->bytes;
    stat->hits = st->hits;
    stat->misses = st->misses;
    stat->age = (age > 0) ? (ngx_msec_t) age : 0;

    viewers = ngx_http_hls_store_stream_regs(store, i, regs);

    ngx_http_hls_store_unlock(store);

    stat->viewers = viewers ? ngx_http_hls_store_estimate(regs) : 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_store_purge(ngx_http_hls_store_t *store, ngx_http_hls_key_t *key)
{
    uint32_t  i;

    ngx_http_hls_store_lock(store);

    i = ngx_http_hls_store_find(store->sh, key->hash,
                                NGX_HTTP_HLS_CELL_ENTRY);
    if (i) {
        ngx_http_hls_store_entry_drop(store, i);
    }

    ngx_http_hls_store_unlock(store);

    return i ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_http_hls_store_purge_stream(ngx_http_hls_store_t *store, ngx_str_t *name)
{
    uint32_t                     i;
    uint64_t                     hash[2];
    ngx_uint_t                   n, k, total;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_stream_cell_t  *st;

    sh = store->sh;
    n = 0;
    total = 0;

    ngx_http_hls_store_hash(sh->seed, name->data, name->len, hash);

    do {
        ngx_http_hls_store_lock(store);

        i = ngx_http_hls_store_find(sh, hash, NGX_HTTP_HLS_CELL_STREAM);

        if (i) {
            st = ngx_http_hls_stream(sh, i);

            /* those that are made meanwhile are new */

            if (n == 0) {
                total = st->nentries;
            }

            for (k = 0; k < NGX_HTTP_HLS_EVICT && n < total; k++) {

                if (st->first == 0) {
                    total = n;
                    break;
                }

                ngx_http_hls_store_entry_drop(store, st->first);
                n++;
            }
        }

        ngx_http_hls_store_unlock(store);

    } while (i && n < total);

    return n;
}


ngx_uint_t
ngx_http_hls_store_purge_all(ngx_http_hls_store_t *store)
{
    uint32_t             i, top;
    ngx_uint_t           n, k, dropped;
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;
    n = 0;
    i = 0;
    top = 0;

    do {
        ngx_http_hls_store_lock(store);

        if (i == 0) {
            top = sh->cell_top;
        }

        dropped = 0;

        for (k = 0; k < NGX_HTTP_HLS_BATCH && i < top; k++) {

            i++;

            if (ngx_http_hls_named(sh, i)->type == NGX_HTTP_HLS_CELL_ENTRY) {
                ngx_http_hls_store_entry_drop(store, i);
                n++;

                if (++dropped == NGX_HTTP_HLS_EVICT) {
                    break;
                }
            }
        }

        ngx_http_hls_store_unlock(store);

    } while (i < top);

    return n;
}
