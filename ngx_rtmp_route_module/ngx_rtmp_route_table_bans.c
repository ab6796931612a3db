
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Bans: who may not publish or play what, and until when.  They are few, so
 * they are looked through; if there are none the lock is not taken.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_saved.h"
#include "ngx_rtmp_route_table_int.h"


/* ms: times that were written and read again may differ so much */
#define NGX_RTMP_ROUTE_BAN_CLOSE  5000


static void ngx_rtmp_route_bans_sweep(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t all);
static ngx_uint_t ngx_rtmp_route_ban_equal(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_ban_cell_t *b, ngx_rtmp_route_ban_t *ban);
static ngx_rtmp_route_ban_cell_t *ngx_rtmp_route_ban_next(
    ngx_rtmp_route_shm_t *sh, ngx_uint_t *at, ngx_uint_t *left);
static ngx_rtmp_route_ban_cell_t *ngx_rtmp_route_ban_find(
    ngx_rtmp_route_shm_t *sh, uint32_t id);
static ngx_rtmp_route_ban_cell_t *ngx_rtmp_route_ban_same(
    ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_ban_t *ban, uint32_t hash);
static ngx_uint_t ngx_rtmp_route_ban_key(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_ban_cell_t *b, ngx_str_t *key, uint32_t hash);
static ngx_uint_t ngx_rtmp_route_ban_addr(ngx_rtmp_route_ban_cell_t *b,
    ngx_rtmp_route_endpoint_t *addr);
static ngx_msec_t ngx_rtmp_route_ban_left(ngx_rtmp_route_ban_cell_t *b);
static void ngx_rtmp_route_ban_set_time(ngx_rtmp_route_ban_cell_t *b,
    ngx_rtmp_route_ban_t *ban);
static void ngx_rtmp_route_ban_drop(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_ban_cell_t *b);
static void ngx_rtmp_route_ban_fill(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_ban_cell_t *b, ngx_rtmp_route_ban_t *ban);


ngx_int_t
ngx_rtmp_route_table_banned(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_uint_t op, ngx_rtmp_route_endpoint_t *addr, ngx_msec_t *left)
{
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    /* somebody who was killed may have left that number as it was */

    if (sh->bans == 0 && !sh->dirty) {
        return NGX_DECLINED;
    }

    ngx_rtmp_route_table_lock(table);

    *left = ngx_rtmp_route_ban_time(sh, key, op, addr);

    ngx_rtmp_route_table_unlock(table);

    return *left ? NGX_OK : NGX_DECLINED;
}


ngx_msec_t
ngx_rtmp_route_ban_time(ngx_rtmp_route_shm_t *sh, ngx_str_t *key,
    ngx_uint_t op, ngx_rtmp_route_endpoint_t *addr)
{
    uint32_t                    hash;
    ngx_uint_t                  i, n;
    ngx_msec_t                  time, longest;
    ngx_rtmp_route_ban_cell_t  *b;

    longest = 0;

    if (sh->bans == 0) {
        return 0;
    }

    hash = ngx_rtmp_route_stream_hash(sh, key);

    i = 0;
    n = sh->bans;

    for ( ;; ) {
        b = ngx_rtmp_route_ban_next(sh, &i, &n);

        if (b == NULL) {
            return longest;
        }

        time = ngx_rtmp_route_ban_left(b);

        if (time > longest
            && (b->ops & (1 << op))
            && (b->key_len == 0 || ngx_rtmp_route_ban_key(sh, b, key, hash))
            && ngx_rtmp_route_ban_addr(b, addr))
        {
            longest = time;
        }
    }
}


ngx_int_t
ngx_rtmp_route_ban_add(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t *ban)
{
    ngx_int_t  rc;

    ngx_rtmp_route_table_lock(table);

    rc = ngx_rtmp_route_ban_set(table, ban, 0);

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


/* with id: one that is as old as ban says, and has that id if it is new */

ngx_int_t
ngx_rtmp_route_ban_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t *ban, uint32_t id)
{
    uint32_t                    hash;
    ngx_uint_t                  i, n;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_cell_t  *b;

    sh = table->sh;
    hash = ngx_rtmp_route_stream_hash(sh, &ban->key);

    b = ngx_rtmp_route_ban_same(sh, ban, hash);

    if (b && ngx_rtmp_route_ban_left(b) == 0) {
        ngx_rtmp_route_ban_drop(sh, b);
        b = NULL;
    }

    if (b) {
        ngx_rtmp_route_table_changed(sh);
        ngx_rtmp_route_ban_set_time(b, ban);

        ban->id = b->id;

        return NGX_DONE;
    }

    if (sh->bans == sh->nbans) {
        ngx_rtmp_route_bans_expire(sh);
    }

    n = ngx_rtmp_route_text_cells(ban->key.len, sizeof(b->key));

    if (sh->bans == sh->nbans
        || ngx_rtmp_route_cells_reserve(table, n) != NGX_OK)
    {
        return NGX_BUSY;
    }

    for (i = 0; i < sh->nbans; i++) {
        b = ngx_rtmp_route_ban(sh, i);

        if (!b->valid) {
            break;
        }
    }

    ngx_rtmp_route_table_touch(sh);
    ngx_rtmp_route_table_changed(sh);

    if (id == 0) {
        sh->ban++;
        id = sh->ban;
        ngx_rtmp_route_point();
    }

    b->text = 0;

    if (ban->key.len) {
        b->text = ngx_rtmp_route_text_put(sh, b->key, sizeof(b->key),
                                          ban->key.data, ban->key.len);
    }

    b->id = id;
    b->hash = hash;
    b->key_len = (uint16_t) ban->key.len;
    b->ops = (u_char) ban->ops;
    b->bits = (u_char) ban->bits;
    b->addr = ban->addr;

    ngx_rtmp_route_ban_set_time(b, ban);

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    b->valid = 1;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    sh->bans++;

    ngx_rtmp_route_point();

    ban->id = id;

    /* who waits is to look whether it is about him */

    table->wake = 1;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_ban_get(ngx_rtmp_route_table_t *table, uint32_t id,
    ngx_rtmp_route_ban_t *ban)
{
    ngx_int_t                   rc;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_cell_t  *b;

    sh = table->sh;
    rc = NGX_DECLINED;

    ngx_rtmp_route_table_lock(table);

    b = ngx_rtmp_route_ban_find(sh, id);

    if (b) {
        ngx_rtmp_route_ban_fill(sh, b, ban);
        rc = NGX_OK;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_ban_delete(ngx_rtmp_route_table_t *table, uint32_t id)
{
    ngx_int_t                   rc;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_cell_t  *b;

    sh = table->sh;
    rc = NGX_DECLINED;

    ngx_rtmp_route_table_lock(table);

    b = ngx_rtmp_route_ban_find(sh, id);

    if (b) {
        ngx_rtmp_route_table_changed(sh);
        ngx_rtmp_route_ban_drop(sh, b);
        rc = NGX_OK;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


void
ngx_rtmp_route_bans_clear(ngx_rtmp_route_table_t *table)
{
    ngx_rtmp_route_table_lock(table);

    ngx_rtmp_route_bans_drop(table->sh);

    ngx_rtmp_route_table_unlock(table);
}


void
ngx_rtmp_route_bans_drop(ngx_rtmp_route_shm_t *sh)
{
    if (sh->bans) {
        ngx_rtmp_route_table_changed(sh);
    }

    ngx_rtmp_route_bans_sweep(sh, 1);
}


void
ngx_rtmp_route_bans_expire(ngx_rtmp_route_shm_t *sh)
{
    ngx_rtmp_route_bans_sweep(sh, 0);
}


/* all of them, or those that are over */

static void
ngx_rtmp_route_bans_sweep(ngx_rtmp_route_shm_t *sh, ngx_uint_t all)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_ban_cell_t  *b;

    i = 0;
    n = sh->bans;

    for ( ;; ) {
        b = ngx_rtmp_route_ban_next(sh, &i, &n);

        if (b == NULL) {
            return;
        }

        if (all || ngx_rtmp_route_ban_left(b) == 0) {
            ngx_rtmp_route_ban_drop(sh, b);
        }
    }
}


ngx_int_t
ngx_rtmp_route_ban_walk(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_ban_t *ban)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_cell_t  *b, *found;

    sh = table->sh;
    rc = NGX_DONE;
    found = NULL;

    ngx_rtmp_route_table_lock(table);

    i = 0;
    n = sh->bans;

    for ( ;; ) {
        b = ngx_rtmp_route_ban_next(sh, &i, &n);

        if (b == NULL) {
            break;
        }

        if (b->id > *cursor
            && (found == NULL || b->id < found->id)
            && ngx_rtmp_route_ban_left(b))
        {
            found = b;
        }
    }

    if (found) {
        ngx_rtmp_route_ban_fill(sh, found, ban);
        *cursor = found->id;
        rc = NGX_OK;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


void
ngx_rtmp_route_bans_stat(ngx_rtmp_route_table_t *table, ngx_uint_t *n,
    ngx_uint_t *max, uint32_t *last)
{
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    *n = sh->bans;
    *max = sh->nbans;
    *last = sh->ban;

    ngx_rtmp_route_table_unlock(table);
}


/* NGX_OK, or NGX_DECLINED: they do not fit */

ngx_int_t
ngx_rtmp_route_bans_copy(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_shm_t *osh)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_t        ban;
    ngx_rtmp_route_ban_cell_t  *b;

    sh = table->sh;
    sh->ban = osh->ban;

    i = 0;
    n = osh->bans;

    for ( ;; ) {
        b = ngx_rtmp_route_ban_next(osh, &i, &n);

        if (b == NULL) {
            return NGX_OK;
        }

        ngx_rtmp_route_ban_fill(osh, b, &ban);

        if (ban.left
            && ngx_rtmp_route_ban_set(table, &ban, ban.id) == NGX_BUSY)
        {
            return NGX_DECLINED;
        }
    }
}


ngx_uint_t
ngx_rtmp_route_load_bans(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t **bans, ngx_uint_t n, uint32_t last)
{
    ngx_uint_t                  i, k, left, full;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_cell_t  *b;

    sh = table->sh;
    full = 0;

    ngx_rtmp_route_table_lock(table);

    sh->ban = ngx_max(sh->ban, last);

    k = 0;
    left = sh->bans;

    for ( ;; ) {
        b = ngx_rtmp_route_ban_next(sh, &k, &left);

        if (b == NULL) {
            break;
        }

        for (i = 0; i < n; i++) {
            if (ngx_rtmp_route_ban_equal(sh, b, bans[i])) {
                break;
            }
        }

        if (i == n) {
            ngx_rtmp_route_table_changed(sh);
            ngx_rtmp_route_ban_drop(sh, b);

        } else {

            /* it need not be set */

            bans[i] = bans[--n];
        }
    }

    for (i = 0; i < n; i++) {
        full += (ngx_rtmp_route_ban_set(table, bans[i], bans[i]->id)
                 == NGX_BUSY);
    }

    ngx_rtmp_route_table_unlock(table);

    return full;
}


/* the same with the same id, until about the same time */

static ngx_uint_t
ngx_rtmp_route_ban_equal(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_ban_cell_t *b, ngx_rtmp_route_ban_t *ban)
{
    return b->id == ban->id
           && b == ngx_rtmp_route_ban_same(sh, ban,
                                   ngx_rtmp_route_stream_hash(sh, &ban->key))
           && ngx_abs((ngx_msec_int_t) (ngx_rtmp_route_ban_left(b)
                                        - ban->left))
              < NGX_RTMP_ROUTE_BAN_CLOSE;
}


/* goes through the valid ones: at is 0 and left their number at first */

static ngx_rtmp_route_ban_cell_t *
ngx_rtmp_route_ban_next(ngx_rtmp_route_shm_t *sh, ngx_uint_t *at,
    ngx_uint_t *left)
{
    ngx_rtmp_route_ban_cell_t  *b;

    while (*left && *at < sh->nbans) {
        b = ngx_rtmp_route_ban(sh, *at);
        (*at)++;

        if (b->valid) {
            (*left)--;
            return b;
        }
    }

    return NULL;
}


static ngx_rtmp_route_ban_cell_t *
ngx_rtmp_route_ban_find(ngx_rtmp_route_shm_t *sh, uint32_t id)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_ban_cell_t  *b;

    i = 0;
    n = sh->bans;

    do {
        b = ngx_rtmp_route_ban_next(sh, &i, &n);
    } while (b && b->id != id);

    return (b && ngx_rtmp_route_ban_left(b)) ? b : NULL;
}


static ngx_rtmp_route_ban_cell_t *
ngx_rtmp_route_ban_same(ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_ban_t *ban,
    uint32_t hash)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_ban_cell_t  *b;

    i = 0;
    n = sh->bans;

    do {
        b = ngx_rtmp_route_ban_next(sh, &i, &n);

    } while (b
             && (b->ops != ban->ops
                 || b->key_len != ban->key.len
                 || b->bits != ban->bits
                 || b->addr.family != ban->addr.family
                 || (b->addr.family
                     && !ngx_rtmp_route_addr_equal(&b->addr, &ban->addr))
                 || !ngx_rtmp_route_ban_key(sh, b, &ban->key, hash)));

    return b;
}


static ngx_uint_t
ngx_rtmp_route_ban_key(ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_ban_cell_t *b,
    ngx_str_t *key, uint32_t hash)
{
    return b->hash == hash
           && b->key_len == key->len
           && ngx_rtmp_route_text_equal(sh, b->key, sizeof(b->key), b->text,
                                        key->data, key->len);
}


/* an address that is not known is in no network */

static ngx_uint_t
ngx_rtmp_route_ban_addr(ngx_rtmp_route_ban_cell_t *b,
    ngx_rtmp_route_endpoint_t *addr)
{
    return b->addr.family == 0
           || ngx_rtmp_route_addr_within(addr, &b->addr, b->bits);
}


/* ms; 0: it is over */

static ngx_msec_t
ngx_rtmp_route_ban_left(ngx_rtmp_route_ban_cell_t *b)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (b->expires - ngx_current_msec);

    return (left > 0) ? (ngx_msec_t) left : 0;
}


static void
ngx_rtmp_route_ban_set_time(ngx_rtmp_route_ban_cell_t *b,
    ngx_rtmp_route_ban_t *ban)
{
    b->created = ngx_current_msec - ban->age;
    b->expires = ngx_current_msec + ban->left;
}


static void
ngx_rtmp_route_ban_drop(ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_ban_cell_t *b)
{
    ngx_rtmp_route_table_touch(sh);

    b->valid = 0;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    sh->bans--;

    ngx_rtmp_route_point();

    ngx_rtmp_route_cell_free(sh, b->text);
}


static void
ngx_rtmp_route_ban_fill(ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_ban_cell_t *b,
    ngx_rtmp_route_ban_t *ban)
{
    ban->id = b->id;
    ban->ops = b->ops;
    ban->addr = b->addr;
    ban->bits = b->bits;
    ban->age = ngx_max(ngx_rtmp_route_passed(b->created), 0);
    ban->left = ngx_rtmp_route_ban_left(b);

    ban->key.data = ban->key_buf;
    ban->key.len = b->key_len;

    ngx_rtmp_route_text_get(sh, b->key, sizeof(b->key), b->text, ban->key_buf,
                            b->key_len);
}
