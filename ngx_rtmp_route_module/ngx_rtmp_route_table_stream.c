
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_int_t ngx_rtmp_route_stream_allow(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st, ngx_uint_t server, ngx_uint_t from);
static ngx_int_t ngx_rtmp_route_stream_hold(ngx_rtmp_route_shm_t *sh,
    uint32_t i, ngx_uint_t server, ngx_uint_t from);
static void ngx_rtmp_route_stream_orphan(ngx_rtmp_route_shm_t *sh,
    uint32_t i);
static void ngx_rtmp_route_stream_unlist(ngx_rtmp_route_shm_t *sh,
    uint32_t i);
static void ngx_rtmp_route_stream_fill(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_stream_stat_t *stat);


uint32_t
ngx_rtmp_route_stream_hash(ngx_rtmp_route_shm_t *sh, ngx_str_t *key)
{
    return (uint32_t) ngx_rtmp_route_siphash(sh->seed, key->data, key->len);
}


uint32_t
ngx_rtmp_route_stream_find(ngx_rtmp_route_shm_t *sh, ngx_str_t *key)
{
    uint32_t                       i, hash;
    ngx_rtmp_route_stream_cell_t  *st;

    if (key->len == 0 || key->len > NGX_RTMP_ROUTE_KEY_LEN) {
        return 0;
    }

    hash = ngx_rtmp_route_stream_hash(sh, key);

    for (i = *ngx_rtmp_route_bucket(sh, hash); i; i = st->next) {

        st = ngx_rtmp_route_stream(sh, i);

        if (st->hash == hash
            && st->key_len == key->len
            && ngx_rtmp_route_text_equal(sh, st->key, sizeof(st->key),
                                         st->text, key->data, key->len))
        {
            return i;
        }
    }

    return 0;
}


/*
 * A new record knows of no server and is held by nothing yet: who creates it
 * holds it and then settles it
 */

uint32_t
ngx_rtmp_route_stream_create(ngx_rtmp_route_table_t *table, ngx_str_t *key)
{
    uint32_t                       i;
    ngx_uint_t                     n;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    if (key->len == 0 || key->len > NGX_RTMP_ROUTE_KEY_LEN) {
        return 0;
    }

    n = 1 + ngx_rtmp_route_text_cells(key->len, sizeof(st->key));

    if (ngx_rtmp_route_cells_reserve(table, n) != NGX_OK) {
        return 0;
    }

    i = ngx_rtmp_route_cell_alloc(sh);
    if (i == 0) {
        return 0;
    }

    st = ngx_rtmp_route_stream(sh, i);

    ngx_memzero(st, offsetof(ngx_rtmp_route_stream_cell_t, key));

    st->text = ngx_rtmp_route_text_put(sh, st->key, sizeof(st->key),
                                       key->data, key->len);
    st->key_len = (uint16_t) key->len;
    st->hash = ngx_rtmp_route_stream_hash(sh, key);
    st->created = (uint32_t) (ngx_current_msec / 1000);
    st->used = (uint32_t) ngx_current_msec;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    st->type = NGX_RTMP_ROUTE_CELL_STREAM;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_bucket_add(sh, i);

    return i;
}


/* there are no sessions */

void
ngx_rtmp_route_stream_drop(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    ngx_rtmp_route_table_touch(sh);

    st = ngx_rtmp_route_stream(sh, i);

    if (ngx_rtmp_route_stream_known(st)) {
        ngx_rtmp_route_table_changed(sh);
    }

    st->type = NGX_RTMP_ROUTE_CELL_FREE;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    if (!(st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)) {
        ngx_rtmp_route_stream_count(sh, st, -1);
        ngx_rtmp_route_lru_remove(sh, i);
        ngx_rtmp_route_list_remove(sh, i);
        ngx_rtmp_route_bucket_remove(sh, i);
    }

    ngx_rtmp_route_cell_free(sh, i);
}


/*
 * To be called when the number of sessions or what holds a stream has
 * changed.  Returns 0 if nothing was left to be remembered.
 */

uint32_t
ngx_rtmp_route_stream_settle(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    if (ngx_rtmp_route_stream_void(st)) {
        ngx_rtmp_route_stream_drop(sh, i);
        return 0;
    }

    if (ngx_rtmp_route_stream_idle(st)) {
        ngx_rtmp_route_lru_add(sh, i);

    } else {
        ngx_rtmp_route_lru_remove(sh, i);
    }

    return i;
}


/*
 * Forgets references to servers that are gone, and the lists of servers that
 * no longer register.  Returns 0 if the stream is forgotten by that.
 */

uint32_t
ngx_rtmp_route_stream_refresh(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_uint_t                     server, pin, list;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    if (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN) {
        return i;
    }

    server = (st->server_seq
              && !ngx_rtmp_route_server_is(sh, st->server, st->server_seq));

    pin = (st->pin_birth
           && !ngx_rtmp_route_server_born(sh, st->pin, st->pin_birth));

    list = (st->list_seq
            && (!ngx_rtmp_route_server_is(sh, st->list, st->list_seq)
                || ngx_rtmp_route_server_lapsed(
                                        ngx_rtmp_route_hot(sh, st->list))));

    if (!server && !pin && !list) {
        return i;
    }

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (server) {

        /* its sessions are live on a server that is gone */

        st->place++;
        ngx_rtmp_route_point();
        st->live = 0;
        ngx_rtmp_route_point();
        st->server_seq = 0;
        ngx_rtmp_route_point();
        st->flags &= ~NGX_RTMP_ROUTE_STREAM_FROM;
        ngx_rtmp_route_point();
    }

    if (pin) {
        st->pin_birth = 0;
        ngx_rtmp_route_point();
    }

    if (list) {
        ngx_rtmp_route_stream_unlist(sh, i);
    }

    ngx_rtmp_route_stream_count(sh, st, 1);

    return ngx_rtmp_route_stream_settle(sh, i);
}


void
ngx_rtmp_route_stream_used(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    st->used = (uint32_t) ngx_current_msec;

    if ((st->flags & NGX_RTMP_ROUTE_STREAM_LRU) && sh->lru_first != i) {
        ngx_rtmp_route_lru_remove(sh, i);
        ngx_rtmp_route_lru_add(sh, i);
    }
}


/*
 * Changes the server that is remembered beneath pin and list; no publisher is
 * live on another one
 */

void
ngx_rtmp_route_stream_move(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t server, ngx_uint_t from)
{
    uint32_t                       seq;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);
    seq = ngx_rtmp_route_hot(sh, server)->seq;

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (ngx_rtmp_route_stream_from(st) != from) {
        ngx_rtmp_route_table_changed(sh);
    }

    if (st->server_seq != seq || st->server != server) {
        ngx_rtmp_route_table_changed(sh);
        st->server_seq = 0;
        ngx_rtmp_route_point();
        st->server = (uint16_t) server;
        ngx_rtmp_route_point();
        st->server_seq = seq;
        ngx_rtmp_route_point();
    }

    st->flags = (u_char) ((st->flags & ~(NGX_RTMP_ROUTE_STREAM_FROM
                                         |NGX_RTMP_ROUTE_STREAM_CHECKED))
                          | from);

    ngx_rtmp_route_point();

    ngx_rtmp_route_stream_count(sh, st, 1);
}


/* who asks for it finds it, and who knows better moves it */

void
ngx_rtmp_route_stream_lived(ngx_rtmp_route_table_t *table, uint32_t i)
{
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;
    st = ngx_rtmp_route_stream(sh, i);

    if (st->flags & (NGX_RTMP_ROUTE_STREAM_LIVED|NGX_RTMP_ROUTE_STREAM_ORPHAN))
    {
        return;
    }

    ngx_rtmp_route_stream_count(sh, st, -1);
    ngx_rtmp_route_table_changed(sh);

    st->flags |= NGX_RTMP_ROUTE_STREAM_LIVED;
    ngx_rtmp_route_point();

    ngx_rtmp_route_stream_count(sh, st, 1);

    table->wake = 1;
}


/* whether there is more to it than sessions that have not got through yet */

ngx_uint_t
ngx_rtmp_route_stream_known(ngx_rtmp_route_stream_cell_t *st)
{
    return (st->flags & NGX_RTMP_ROUTE_STREAM_LIVED)
           || st->pin_birth
           || st->list_seq
           || ngx_rtmp_route_stream_from(st) > NGX_RTMP_ROUTE_FROM_PICK;
}


/* what a refreshed stream is known from, and on which server; or FROM_NONE */

ngx_uint_t
ngx_rtmp_route_stream_source(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st, ngx_uint_t *server)
{
    if (st->live) {
        *server = st->server;
        return NGX_RTMP_ROUTE_FROM_PUBLISH;
    }

    if (st->pin_birth) {
        *server = st->pin;
        return NGX_RTMP_ROUTE_FROM_PIN;
    }

    if (st->list_seq) {
        *server = st->list;
        return NGX_RTMP_ROUTE_FROM_LIST;
    }

    if (st->server_seq) {
        *server = st->server;
        return ngx_rtmp_route_stream_from(st);
    }

    *server = 0;

    return NGX_RTMP_ROUTE_FROM_NONE;
}


/* a stream that was forgotten during its publish is live all the same */

void
ngx_rtmp_route_stream_adopt(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    ngx_rtmp_route_table_touch(sh);

    st = ngx_rtmp_route_stream(sh, i);

    st->place++;
    ngx_rtmp_route_point();
    st->live = 0;
    st->server_seq = 0;
    st->pin_birth = 0;
    st->list_seq = 0;
    ngx_rtmp_route_point();
    st->flags = 0;
    ngx_rtmp_route_point();

    ngx_rtmp_route_bucket_add(sh, i);
    ngx_rtmp_route_stream_count(sh, st, 1);
}


ngx_int_t
ngx_rtmp_route_stream_get(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_rtmp_route_stream_stat_t *stat)
{
    uint32_t               i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    if (i) {
        ngx_rtmp_route_stream_fill(sh, i, stat);
    }

    ngx_rtmp_route_table_unlock(table);

    return i ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_rtmp_route_stream_set(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_str_t *server, ngx_uint_t from)
{
    ngx_int_t  rc;

    ngx_rtmp_route_table_lock(table);

    rc = ngx_rtmp_route_stream_set_locked(table, key, server, from);

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_stream_set_locked(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_str_t *server, ngx_uint_t from)
{
    uint32_t               i;
    ngx_int_t              rc, n;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    n = ngx_rtmp_route_server_find(sh, server->data, server->len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    if (i) {
        rc = ngx_rtmp_route_stream_allow(sh, ngx_rtmp_route_stream(sh, i), n,
                                         from);
        if (rc != NGX_OK) {

            if (from == NGX_RTMP_ROUTE_FROM_LIST) {
                ngx_rtmp_route_conflict_add(sh, i, n);
            }

            return rc;
        }

    } else {
        i = ngx_rtmp_route_stream_create(table, key);

        if (i == 0) {
            return NGX_BUSY;
        }
    }

    rc = ngx_rtmp_route_stream_hold(sh, i, n, from);

    ngx_rtmp_route_stream_used(sh, i);

    (void) ngx_rtmp_route_stream_settle(sh, i);

    if (rc == NGX_OK) {
        table->wake = 1;
    }

    return rc;
}


/* NGX_OK, or NGX_ABORT if somebody who comes before has it elsewhere */

static ngx_int_t
ngx_rtmp_route_stream_allow(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st, ngx_uint_t server, ngx_uint_t from)
{
    ngx_rtmp_route_hot_t  *hot;

    if (from == NGX_RTMP_ROUTE_FROM_PIN) {
        return NGX_OK;
    }

    if (st->live && st->server != server) {
        return NGX_ABORT;
    }

    if (st->pin_birth && st->pin != server) {
        return NGX_ABORT;
    }

    if (st->list_seq && st->list != server) {
        return NGX_ABORT;
    }

    if (from == NGX_RTMP_ROUTE_FROM_FOUND
        && ngx_rtmp_route_stream_from(st) == NGX_RTMP_ROUTE_FROM_CORE
        && !(st->flags & NGX_RTMP_ROUTE_STREAM_CHECKED)
        && st->server_seq && st->server != server)
    {
        /*
         * The list of the core is right, unless the server is out of use; its
         * answer about one stream may be that of an earlier broadcast
         */

        hot = ngx_rtmp_route_hot(sh, st->server);

        if (!(hot->flags & (NGX_RTMP_ROUTE_SERVER_DOWN
                            |NGX_RTMP_ROUTE_SERVER_GONE))
            && hot->health != NGX_RTMP_ROUTE_HEALTH_DOWN
            && !ngx_rtmp_route_server_lapsed(hot)
            && !ngx_rtmp_route_server_unavail(hot))
        {
            return NGX_ABORT;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_stream_hold(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t server, ngx_uint_t from)
{
    ngx_int_t                      rc;
    ngx_uint_t                     where;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    switch (from) {

    case NGX_RTMP_ROUTE_FROM_PIN:

        if (st->pin_birth && st->pin == server) {
            return NGX_DONE;
        }

        ngx_rtmp_route_stream_count(sh, st, -1);
        ngx_rtmp_route_table_changed(sh);

        st->pin_birth = 0;
        ngx_rtmp_route_point();
        st->pin = (uint16_t) server;
        ngx_rtmp_route_point();
        st->pin_birth = ngx_rtmp_route_cold(sh, server)->birth;
        ngx_rtmp_route_point();

        ngx_rtmp_route_stream_count(sh, st, 1);

        return NGX_OK;

    case NGX_RTMP_ROUTE_FROM_LIST:

        ngx_rtmp_route_stream_count(sh, st, -1);

        rc = NGX_OK;

        if (st->list_seq) {
            ngx_rtmp_route_list_remove(sh, i);
            rc = NGX_DONE;

        } else {
            ngx_rtmp_route_table_changed(sh);
        }

        st->list = (uint16_t) server;
        ngx_rtmp_route_point();
        st->list_gen = ngx_rtmp_route_cold(sh, server)->list_gen;
        ngx_rtmp_route_point();
        st->list_seq = ngx_rtmp_route_hot(sh, server)->seq;
        ngx_rtmp_route_point();

        ngx_rtmp_route_list_add(sh, i, 0);

        ngx_rtmp_route_stream_count(sh, st, 1);

        return rc;

    default: /* NGX_RTMP_ROUTE_FROM_CORE, NGX_RTMP_ROUTE_FROM_FOUND */

        rc = NGX_OK;

        if (ngx_rtmp_route_stream_source(sh, st, &where)
                != NGX_RTMP_ROUTE_FROM_NONE
            && where == server)
        {
            rc = NGX_DONE;
        }

        /* it is known to be there from a better source */

        if (st->server_seq && st->server == server
            && from < ngx_rtmp_route_stream_from(st))
        {
            return rc;
        }

        ngx_rtmp_route_stream_move(sh, i, server, from);

        return rc;
    }
}


ngx_int_t
ngx_rtmp_route_stream_delete(ngx_rtmp_route_table_t *table, ngx_str_t *key)
{
    uint32_t                       i;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i) {
        st = ngx_rtmp_route_stream(sh, i);

        if (st->publishers || st->players) {
            ngx_rtmp_route_stream_orphan(sh, i);

        } else {
            ngx_rtmp_route_stream_drop(sh, i);
        }
    }

    ngx_rtmp_route_table_unlock(table);

    return i ? NGX_OK : NGX_DECLINED;
}


/* the record goes on for its sessions, which have their key in it */

static void
ngx_rtmp_route_stream_orphan(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    ngx_rtmp_route_stream_count(sh, st, -1);
    ngx_rtmp_route_table_changed(sh);

    st->flags |= NGX_RTMP_ROUTE_STREAM_ORPHAN;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_lru_remove(sh, i);
    ngx_rtmp_route_list_remove(sh, i);
    ngx_rtmp_route_bucket_remove(sh, i);
}


/* a counted stream is taken out of its counter before */

static void
ngx_rtmp_route_stream_unlist(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_list_remove(sh, i);
    ngx_rtmp_route_table_changed(sh);

    ngx_rtmp_route_stream(sh, i)->list_seq = 0;

    ngx_rtmp_route_point();
}


void
ngx_rtmp_route_list_begin(ngx_rtmp_route_table_t *table, ngx_str_t *id)
{
    ngx_int_t               n;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_cold_t  *cold;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    n = ngx_rtmp_route_server_find(sh, id->data, id->len);

    if (n != NGX_ERROR) {
        cold = ngx_rtmp_route_cold(sh, n);
        cold->list_gen++;
        cold->list_owner = ngx_pid;
        cold->listed = 0;
    }

    ngx_rtmp_route_table_unlock(table);
}


void
ngx_rtmp_route_list_end(ngx_rtmp_route_table_t *table, ngx_str_t *id)
{
    ngx_int_t               n, server;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_cold_t  *cold;

    sh = table->sh;

    do {
        ngx_rtmp_route_table_lock(table);

        n = ngx_rtmp_route_server_find(sh, id->data, id->len);

        if (n != NGX_ERROR) {
            cold = ngx_rtmp_route_cold(sh, n);

            /* two at once: the one that began last tells what is left out */

            if (cold->list_owner == ngx_pid) {
                server = n;
                n = ngx_rtmp_route_list_trim(sh, server, cold->list_gen);

                if (n == NGX_OK) {
                    ngx_rtmp_route_conflict_trim(sh, server);
                }

            } else {
                n = NGX_ERROR;
            }
        }

        ngx_rtmp_route_table_unlock(table);

    } while (n == NGX_AGAIN);
}


/*
 * Ends the listing of streams at the end of a server's list that are not of
 * that generation.  NGX_AGAIN: there may be more.
 */

ngx_int_t
ngx_rtmp_route_list_trim(ngx_rtmp_route_shm_t *sh, ngx_uint_t server,
    ngx_int_t generation)
{
    uint32_t                       i;
    ngx_uint_t                     n;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_stream_cell_t  *st;

    cold = ngx_rtmp_route_cold(sh, server);

    for (n = 0; n < NGX_RTMP_ROUTE_BATCH; n++) {

        if (cold->list == 0) {
            return NGX_OK;
        }

        i = ngx_rtmp_route_stream(sh, cold->list)->list_prev;
        st = ngx_rtmp_route_stream(sh, i);

        if (st->list_gen == generation) {
            return NGX_OK;
        }

        ngx_rtmp_route_stream_count(sh, st, -1);
        ngx_rtmp_route_stream_unlist(sh, i);
        ngx_rtmp_route_stream_count(sh, st, 1);

        (void) ngx_rtmp_route_stream_settle(sh, i);
    }

    return NGX_AGAIN;
}


ngx_int_t
ngx_rtmp_route_stream_walk(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_stream_stat_t *stat)
{
    ngx_int_t  rc;

    do {
        rc = ngx_rtmp_route_stream_look(table, cursor, stat);
    } while (rc == NGX_AGAIN);

    return rc;
}


ngx_int_t
ngx_rtmp_route_stream_look(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_stream_stat_t *stat)
{
    uint32_t                       i, last;
    ngx_int_t                      rc;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = *cursor;
    rc = ngx_rtmp_route_cells_step(sh, i, NGX_RTMP_ROUTE_WALK, &last)
         ? NGX_AGAIN : NGX_DONE;

    while (i < last) {
        st = ngx_rtmp_route_stream(sh, ++i);

        if (st->type == NGX_RTMP_ROUTE_CELL_STREAM
            && !(st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
            && ngx_rtmp_route_stream_refresh(sh, i))
        {
            ngx_rtmp_route_stream_fill(sh, i, stat);
            rc = NGX_OK;
            break;
        }
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


static void
ngx_rtmp_route_stream_fill(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_stream_stat_t *stat)
{
    ngx_uint_t                     server;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_server_info_t  *info;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    stat->source = ngx_rtmp_route_stream_source(sh, st, &server);
    stat->publishers = st->publishers;
    stat->players = st->players;
    stat->age = 1000 * (ngx_msec_t) (uint32_t) (ngx_current_msec / 1000
                                                - st->created);

    stat->key.len = st->key_len;
    stat->key.data = stat->key_buf;

    ngx_rtmp_route_text_get(sh, st->key, sizeof(st->key), st->text,
                            stat->key_buf, st->key_len);

    stat->server.len = 0;
    stat->server.data = stat->id_buf;

    if (stat->source != NGX_RTMP_ROUTE_FROM_NONE) {
        cold = ngx_rtmp_route_cold(sh, server);
        info = &cold->info[ngx_rtmp_route_hot(sh, server)->active];

        stat->server.len = info->id_len;
        ngx_memcpy(stat->id_buf, info->id, info->id_len);
    }

    ngx_rtmp_route_conflict_fill(sh, i, stat);
}
