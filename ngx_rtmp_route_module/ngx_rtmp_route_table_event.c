
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is told to a session whose process may be another one: a mark in its
 * record, and a count of the marked ones for each slot.  That is all it needs:
 * who was killed before it could wake the slot has done enough, as each
 * process looks at its count now and then.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_int_t ngx_rtmp_route_session_seek(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t slot, uint32_t number, uint32_t *cursor,
    ngx_rtmp_route_session_cell_t **found);
static ngx_int_t ngx_rtmp_route_kick_locked(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_cell_t *s, ngx_rtmp_route_ban_t *ban);
static ngx_uint_t ngx_rtmp_route_kick_match(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_rtmp_route_ban_t *ban);
static void ngx_rtmp_route_session_key(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_str_t *key);
static ngx_int_t ngx_rtmp_route_takeover_locked(ngx_rtmp_route_shm_t *sh,
    ngx_str_t *key, ngx_msec_t idle, ngx_uint_t *slot, uint32_t *generation,
    ngx_uint_t *wake);


ngx_int_t
ngx_rtmp_route_table_session_tell(ngx_rtmp_route_table_t *table,
    ngx_uint_t slot, uint32_t number, ngx_uint_t what)
{
    uint32_t                        cursor;
    ngx_int_t                       rc;
    ngx_rtmp_route_session_cell_t  *s;

    cursor = 0;

    do {
        ngx_rtmp_route_table_lock(table);

        rc = ngx_rtmp_route_session_seek(table->sh, slot, number, &cursor, &s);

        if (rc == NGX_OK) {
            (void) ngx_rtmp_route_session_mark(table->sh, s, what);
        }

        ngx_rtmp_route_table_unlock(table);

    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        ngx_rtmp_route_slot_wake(slot);
    }

    return rc;
}


/* the ban and the mark are made with one hold of the lock: both, or none */

ngx_int_t
ngx_rtmp_route_table_kick(ngx_rtmp_route_table_t *table, ngx_uint_t slot,
    uint32_t number, uint32_t *cursor, ngx_rtmp_route_ban_t *ban)
{
    ngx_int_t                       rc;
    ngx_rtmp_route_session_cell_t  *s;

    ngx_rtmp_route_table_lock(table);

    rc = ngx_rtmp_route_session_seek(table->sh, slot, number, cursor, &s);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_kick_locked(table, s, ban);
    }

    ngx_rtmp_route_table_unlock(table);

    if (rc == NGX_OK) {
        ngx_rtmp_route_slot_wake(slot);
    }

    return rc;
}


/* NGX_AGAIN: not among so many, the next ones follow the cursor */

static ngx_int_t
ngx_rtmp_route_session_seek(ngx_rtmp_route_shm_t *sh, ngx_uint_t slot,
    uint32_t number, uint32_t *cursor, ngx_rtmp_route_session_cell_t **found)
{
    uint32_t                        i, last;
    ngx_int_t                       rc;
    ngx_rtmp_route_session_cell_t  *s;

    i = *cursor;
    rc = ngx_rtmp_route_cells_step(sh, i, NGX_RTMP_ROUTE_WALK, &last)
         ? NGX_AGAIN : NGX_DECLINED;

    while (i < last) {
        s = ngx_rtmp_route_session_cell(sh, ++i);

        if (s->type == NGX_RTMP_ROUTE_CELL_SESSION
            && s->slot == slot
            && s->number == number
            && s->generation == ngx_rtmp_route_slot_generation(slot))
        {
            *found = s;
            rc = NGX_OK;
            break;
        }
    }

    *cursor = i;

    return rc;
}


static ngx_int_t
ngx_rtmp_route_kick_locked(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_cell_t *s, ngx_rtmp_route_ban_t *ban)
{
    if (ban) {
        ban->ops = 1 << s->kind;
        ban->bits = 0;
        ban->age = 0;

        ban->key.data = ban->key_buf;
        ngx_rtmp_route_session_key(table->sh, s, &ban->key);

        /* others may go on to play it */

        ngx_rtmp_route_session_addr(s, s->data, &ban->addr);
        ban->addr.port = 0;

        if (s->kind == NGX_RTMP_ROUTE_PUBLISH) {
            ngx_memzero(&ban->addr, sizeof(ngx_rtmp_route_endpoint_t));

        } else if (ban->addr.family == 0) {
            return NGX_ABORT;

        } else {
            ban->bits = (ban->addr.family == AF_INET) ? 32 : 128;
        }

        if (ngx_rtmp_route_ban_set(table, ban, 0) == NGX_BUSY) {
            return NGX_BUSY;
        }
    }

    (void) ngx_rtmp_route_session_mark(table->sh, s, NGX_RTMP_ROUTE_E_KICKED);

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_table_kick_banned(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t *ban, uint32_t *cursor, ngx_uint_t *kicked)
{
    uint32_t                        i, last;
    ngx_int_t                       rc;
    ngx_uint_t                      n;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;
    u_char                          slots[NGX_RTMP_ROUTE_SLOTS_LIMIT];

    sh = table->sh;

    ngx_memzero(slots, sizeof(slots));

    ngx_rtmp_route_table_lock(table);

    i = *cursor;
    rc = ngx_rtmp_route_cells_step(sh, i, NGX_RTMP_ROUTE_BATCH, &last)
         ? NGX_AGAIN : NGX_DONE;

    while (i < last) {
        s = ngx_rtmp_route_session_cell(sh, ++i);

        if (s->type == NGX_RTMP_ROUTE_CELL_SESSION
            && s->slot < NGX_RTMP_ROUTE_SLOTS_LIMIT
            && s->generation == ngx_rtmp_route_slot_generation(s->slot)
            && ngx_rtmp_route_kick_match(sh, s, ban))
        {
            (void) ngx_rtmp_route_session_mark(sh, s, NGX_RTMP_ROUTE_E_KICKED);

            slots[s->slot] = 1;
            (*kicked)++;
        }
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    for (n = 0; n < sh->nslots; n++) {
        if (slots[n]) {
            ngx_rtmp_route_slot_wake(n);
        }
    }

    return rc;
}


static ngx_uint_t
ngx_rtmp_route_kick_match(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_rtmp_route_ban_t *ban)
{
    u_char                      buf[NGX_RTMP_ROUTE_KEY_LEN];
    ngx_str_t                   key;
    ngx_rtmp_route_endpoint_t   addr;

    if (!(ban->ops & (1 << s->kind))) {
        return 0;
    }

    if (ban->addr.family) {
        ngx_rtmp_route_session_addr(s, s->data, &addr);

        if (!ngx_rtmp_route_addr_within(&addr, &ban->addr, ban->bits)) {
            return 0;
        }
    }

    if (ban->key.len == 0) {
        return 1;
    }

    key.data = buf;
    ngx_rtmp_route_session_key(sh, s, &key);

    return key.len == ban->key.len
           && ngx_memcmp(key.data, ban->key.data, key.len) == 0;
}


/* key->data is room for NGX_RTMP_ROUTE_KEY_LEN */

static void
ngx_rtmp_route_session_key(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_str_t *key)
{
    size_t                         len;
    u_char                         text[2 * NGX_RTMP_ROUTE_CLIENT_LEN
                                        + NGX_RTMP_ROUTE_KEY_LEN];
    ngx_rtmp_route_stream_cell_t  *st;

    if (s->stream) {
        st = ngx_rtmp_route_stream(sh, s->stream);

        key->len = st->key_len;
        ngx_rtmp_route_text_get(sh, st->key, sizeof(st->key), st->text,
                                key->data, key->len);
        return;
    }

    len = s->client_len + s->agent_len;
    key->len = s->key_len;

    ngx_rtmp_route_text_get(sh, s->data, sizeof(s->data), s->text, text,
                            len + key->len);
    ngx_memcpy(key->data, text + len, key->len);
}


ngx_int_t
ngx_rtmp_route_table_takeover(ngx_rtmp_route_table_t *table, ngx_str_t *key,
    ngx_msec_t idle)
{
    uint32_t               generation;
    ngx_int_t              rc;
    ngx_uint_t             n, slot, wake;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    for (n = 0; /* void */ ; n++) {

        slot = NGX_RTMP_ROUTE_NO_SLOT;
        generation = 0;
        wake = 0;

        ngx_rtmp_route_table_lock(table);

        rc = ngx_rtmp_route_takeover_locked(sh, key, idle, &slot, &generation,
                                            &wake);

        ngx_rtmp_route_table_unlock(table);

        if (n && rc == NGX_DECLINED) {
            return NGX_DONE;
        }

        if (n
            || slot == NGX_RTMP_ROUTE_NO_SLOT
            || ngx_rtmp_route_slot_alive(slot, generation))
        {
            break;
        }

        /* of a process that is gone: it does not answer */

        (void) ngx_rtmp_route_session_sweep(table);
    }

    if (wake) {
        ngx_rtmp_route_slot_wake(slot);
    }

    return rc;
}


static ngx_int_t
ngx_rtmp_route_takeover_locked(ngx_rtmp_route_shm_t *sh, ngx_str_t *key,
    ngx_msec_t idle, ngx_uint_t *slot, uint32_t *generation, ngx_uint_t *wake)
{
    uint32_t                        i;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i == 0) {
        return NGX_DECLINED;
    }

    st = ngx_rtmp_route_stream(sh, i);

    if (st->live == 0) {
        return NGX_DECLINED;
    }

    s = ngx_rtmp_route_stream_publisher(sh, i);

    /* one of several, and the last one that came has ended */

    if (s == NULL) {
        return NGX_BUSY;
    }

    *slot = s->slot;
    *generation = s->generation;

    if (idle == NGX_RTMP_ROUTE_TAKEOVER_ASK) {
        return NGX_BUSY;
    }

    if (idle && ngx_rtmp_route_passed(s->active) < (ngx_msec_int_t) idle) {
        return NGX_BUSY;
    }

    s->wanted = 1;

    *wake = ngx_rtmp_route_session_mark(sh, s,
                                        idle ? NGX_RTMP_ROUTE_E_SILENT
                                             : NGX_RTMP_ROUTE_E_REPLACED);

    return NGX_AGAIN;
}


/* whether it was not marked so before */

ngx_uint_t
ngx_rtmp_route_session_mark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t what)
{
    u_char  told;

    told = (u_char) (s->told | (1 << what));

    if (what == NGX_RTMP_ROUTE_E_SILENT) {
        s->heard = (u_char) s->active;
    }

    if (told == s->told) {
        return 0;
    }

    ngx_rtmp_route_table_touch(sh);

    if (s->told == 0) {
        ngx_rtmp_route_head(sh, s->slot)->told++;
        ngx_rtmp_route_point();
    }

    s->told = told;
    ngx_rtmp_route_point();

    return 1;
}


ngx_uint_t
ngx_rtmp_route_table_told(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session)
{
    ngx_uint_t                      told;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    /* without the lock: the record is this session's until it ends it */

    if (session->cell == 0
        || ngx_rtmp_route_session_cell(sh, session->cell)->told == 0)
    {
        return 0;
    }

    told = 0;

    ngx_rtmp_route_table_lock(table);

    s = ngx_rtmp_route_session_own(sh, session);

    if (s) {
        told = s->told;
        ngx_rtmp_route_session_unmark(sh, s);

        /* not silent, but not read for some time: who waits may look again */

        if ((told & (1 << NGX_RTMP_ROUTE_E_SILENT))
            && s->heard != (u_char) s->active)
        {
            told &= ~(1 << NGX_RTMP_ROUTE_E_SILENT);
            table->wake = 1;
        }
    }

    ngx_rtmp_route_table_unlock(table);

    return told;
}


void
ngx_rtmp_route_session_unmark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s)
{
    if (s->told == 0) {
        return;
    }

    ngx_rtmp_route_table_touch(sh);

    s->told = 0;
    ngx_rtmp_route_point();
    ngx_rtmp_route_head(sh, s->slot)->told--;
    ngx_rtmp_route_point();
}


ngx_uint_t
ngx_rtmp_route_table_lost(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session)
{
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    if (session->cell == 0) {
        return 0;
    }

    s = ngx_rtmp_route_session_cell(sh, session->cell);

    return ngx_rtmp_route_server_born(sh, s->server, s->birth)
           && ngx_rtmp_route_hot(sh, s->server)->health
              == NGX_RTMP_ROUTE_HEALTH_DOWN;
}


void
ngx_rtmp_route_table_tell_lost(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t             i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    for (i = 0; i < sh->nslots; i++) {
        if (ngx_rtmp_route_head(sh, i)->first) {
            ngx_rtmp_route_slot_wake(i);
        }
    }
}


ngx_uint_t
ngx_rtmp_route_table_has_told(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t  slot;

    slot = ngx_rtmp_route_slot();

    return slot < table->sh->nslots
           && ngx_rtmp_route_head(table->sh, slot)->told != 0;
}


uint32_t
ngx_rtmp_route_table_losses(ngx_rtmp_route_table_t *table)
{
    return table->sh->lost;
}
