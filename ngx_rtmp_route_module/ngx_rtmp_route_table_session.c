
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


#define NGX_RTMP_ROUTE_AGENT_LEN  64


static uint32_t ngx_rtmp_route_session_create(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_session_info_t *info,
    ngx_rtmp_route_choice_t *choice, ngx_rtmp_route_endpoint_t *endpoint);
static size_t ngx_rtmp_route_session_client(ngx_str_t *client, u_char *p,
    ngx_uint_t *addr);
static uint32_t ngx_rtmp_route_session_stream(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_uint_t kind,
    ngx_rtmp_route_choice_t *choice);
static void ngx_rtmp_route_session_attach(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, uint32_t stream);
static void ngx_rtmp_route_session_detach(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s);
static ngx_uint_t ngx_rtmp_route_session_move(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t server,
    ngx_rtmp_route_endpoint_t *endpoint);
static void ngx_rtmp_route_session_idle(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t idle);
static void ngx_rtmp_route_session_unlive(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_cell_t *s);
static void ngx_rtmp_route_session_fill(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_session_stat_t *stat,
    ngx_rtmp_route_endpoint_t *upstream);


/* where sessions count that have no record */

static ngx_atomic_t  ngx_rtmp_route_session_in;
static ngx_atomic_t  ngx_rtmp_route_session_out;
static ngx_atomic_t  ngx_rtmp_route_session_active;


ngx_int_t
ngx_rtmp_route_table_open(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_session_info_t *info,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_peer_t *peer)
{
    uint32_t                        i;
    ngx_int_t                       rc;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_choice_t         choice;
    ngx_rtmp_route_endpoint_t       endpoint;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    do {
        ngx_memzero(&choice, sizeof(ngx_rtmp_route_choice_t));
        choice.counted = 1;

        ngx_rtmp_route_table_lock(table);

        rc = ngx_rtmp_route_pick_locked(table, query, &choice);

        if (rc == NGX_OK) {
            session->cell = 0;
            session->number = 0;
            session->in = &ngx_rtmp_route_session_in;
            session->out = &ngx_rtmp_route_session_out;
            session->active = &ngx_rtmp_route_session_active;

            ngx_rtmp_route_pick_copy(sh, &choice, peer, &endpoint);

            i = ngx_rtmp_route_session_create(table, query, info, &choice,
                                              &endpoint);

            if (i) {
                s = ngx_rtmp_route_session_cell(sh, i);

                session->cell = i;
                session->number = s->number;
                session->in = &s->in;
                session->out = &s->out;
                session->active = &s->active;
            }
        }

        ngx_rtmp_route_table_unlock(table);

    } while (rc == NGX_BUSY && ngx_rtmp_route_pick_retry(table, &choice));

    if (rc == NGX_OK) {
        ngx_rtmp_route_pick_name(peer, &endpoint);
    }

    return rc;
}


/* 0: no room, or this process has no slot */

static uint32_t
ngx_rtmp_route_session_create(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_session_info_t *info,
    ngx_rtmp_route_choice_t *choice, ngx_rtmp_route_endpoint_t *endpoint)
{
    size_t                          len, client;
    u_char                         *p, text[NGX_RTMP_ROUTE_CLIENT_LEN
                                            + NGX_RTMP_ROUTE_AGENT_LEN
                                            + NGX_RTMP_ROUTE_KEY_LEN];
    uint32_t                        i, stream;
    ngx_uint_t                      n, slot, is_addr;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_endpoint_t       addr;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    slot = ngx_rtmp_route_slot();

    if (slot >= sh->nslots) {
        return 0;
    }

    stream = ngx_rtmp_route_session_stream(table, query, info->type, choice);

    client = ngx_rtmp_route_session_client(&info->client, text, &is_addr);

    len = ngx_min(info->agent.len, NGX_RTMP_ROUTE_AGENT_LEN);
    p = ngx_cpymem(text + client, info->agent.data, len);

    for ( ;; ) {
        len = p - text;

        if (stream == 0 && query->key.len <= NGX_RTMP_ROUTE_KEY_LEN) {
            ngx_memcpy(p, query->key.data, query->key.len);
            len += query->key.len;
        }

        n = 1 + ngx_rtmp_route_text_cells(len, sizeof(s->data));

        if (ngx_rtmp_route_cells_reserve(table, n) == NGX_OK) {
            break;
        }

        if (stream == 0) {
            return 0;
        }

        /* rather the session without its stream than none */

        stream = ngx_rtmp_route_stream_settle(sh, stream);

        if (stream) {
            return 0;
        }
    }

    i = ngx_rtmp_route_cell_alloc(sh);

    s = ngx_rtmp_route_session_cell(sh, i);

    ngx_memzero(s, offsetof(ngx_rtmp_route_session_cell_t, data));

    s->text = ngx_rtmp_route_text_put(sh, s->data, sizeof(s->data), text, len);

    s->kind = (u_char) info->type;
    s->state = NGX_RTMP_ROUTE_S_CONNECT;
    s->slot = (uint16_t) slot;
    s->generation = ngx_rtmp_route_slot_generation(slot);
    s->number = ++ngx_rtmp_route_head(sh, slot)->number;
    s->flags = (is_addr ? NGX_RTMP_ROUTE_SESSION_ADDR : 0)
               | (query->yields ? NGX_RTMP_ROUTE_SESSION_YIELDS : 0);
    s->client_len = (u_char) client;
    s->agent_len = (u_char) ngx_min(info->agent.len,
                                    NGX_RTMP_ROUTE_AGENT_LEN);
    s->key_len = (uint16_t) (len - s->client_len - s->agent_len);
    s->server = (uint16_t) choice->index;
    s->birth = ngx_rtmp_route_cold(sh, choice->index)->birth;
    s->stream = stream;
    s->upstream = *endpoint;
    s->started = ngx_current_msec;
    s->active = s->started;
    s->sampled = (uint32_t) s->started;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    s->type = NGX_RTMP_ROUTE_CELL_SESSION;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_slot_add(sh, i, 0);
    sh->sessions++;
    ngx_rtmp_route_point();

    (void) ngx_rtmp_route_server_conns(sh, choice->index, s->birth, 1);

    if (stream) {
        ngx_rtmp_route_session_attach(sh, s, stream);
    }

    /* who was banned since this was asked has not been found among sessions */

    ngx_rtmp_route_session_addr(s, text, &addr);

    if (ngx_rtmp_route_ban_time(sh, &query->key, info->type, &addr)) {
        (void) ngx_rtmp_route_session_mark(sh, s, NGX_RTMP_ROUTE_E_KICKED);
    }

    return i;
}


/* most often it is an address, which is short if it is kept as such */

static size_t
ngx_rtmp_route_session_client(ngx_str_t *client, u_char *p, ngx_uint_t *addr)
{
    size_t                     len;
    ngx_rtmp_route_endpoint_t  e;

    *addr = (ngx_rtmp_route_client_parse(client, &e) == NGX_OK);

    if (!*addr) {
        len = ngx_min(client->len, NGX_RTMP_ROUTE_CLIENT_LEN);
        ngx_memcpy(p, client->data, len);

        return len;
    }

    len = (e.family == AF_INET) ? 4 : 16;

    p = ngx_cpymem(p, &e.port, sizeof(uint16_t));
    ngx_memcpy(p, e.addr, len);

    return sizeof(uint16_t) + len;
}


/*
 * The record of the stream, with the server chosen for a publisher in it.  It
 * is kept out of the queue of those that may be forgotten to make room.
 */

static uint32_t
ngx_rtmp_route_session_stream(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_uint_t kind,
    ngx_rtmp_route_choice_t *choice)
{
    uint32_t                       i, seq;
    ngx_uint_t                     from;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;
    i = choice->stream;

    if (i == 0) {
        i = ngx_rtmp_route_stream_create(table, &query->key);

        if (i) {
            ngx_rtmp_route_stream_move(sh, i, choice->index,
                                       NGX_RTMP_ROUTE_FROM_PICK);
        }

        return i;
    }

    ngx_rtmp_route_lru_remove(sh, i);

    st = ngx_rtmp_route_stream(sh, i);
    seq = ngx_rtmp_route_hot(sh, choice->index)->seq;
    from = ngx_rtmp_route_stream_from(st);

    if (kind == NGX_RTMP_ROUTE_PUBLISH
        && st->live == 0
        && (st->server_seq != seq || from == NGX_RTMP_ROUTE_FROM_NONE))
    {
        ngx_rtmp_route_stream_move(sh, i, choice->index,
                                   NGX_RTMP_ROUTE_FROM_PICK);
    }

    return i;
}


static void
ngx_rtmp_route_session_attach(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, uint32_t stream)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, stream);

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (ngx_rtmp_route_session_publishes(s)) {
        st->publishers++;

    } else {
        st->players++;
    }

    ngx_rtmp_route_point();
    st->used = (uint32_t) ngx_current_msec;

    ngx_rtmp_route_stream_count(sh, st, 1);

    (void) ngx_rtmp_route_stream_settle(sh, stream);
}


static void
ngx_rtmp_route_session_detach(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, s->stream);

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (ngx_rtmp_route_session_publishes(s)) {
        st->publishers--;

    } else {
        st->players--;
    }

    ngx_rtmp_route_point();

    if ((s->flags & NGX_RTMP_ROUTE_SESSION_LIVE) && s->place == st->place) {
        st->live--;
        ngx_rtmp_route_point();
    }

    st->used = (uint32_t) ngx_current_msec;

    ngx_rtmp_route_stream_count(sh, st, 1);

    (void) ngx_rtmp_route_stream_settle(sh, s->stream);
}


ngx_int_t
ngx_rtmp_route_table_next(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t                       rc;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_choice_t         choice;
    ngx_rtmp_route_endpoint_t       endpoint;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    do {
        ngx_memzero(&choice, sizeof(ngx_rtmp_route_choice_t));
        choice.counted = 1;
        choice.admitted = 1;

        ngx_rtmp_route_table_lock(table);

        s = ngx_rtmp_route_session_own(sh, session);

        if (s) {

            /* its own connection does not stand in its way */

            (void) ngx_rtmp_route_server_conns(sh, s->server, s->birth, -1);
        }

        rc = ngx_rtmp_route_pick_locked(table, query, &choice);

        if (s) {
            (void) ngx_rtmp_route_server_conns(sh, s->server, s->birth, 1);
        }

        if (rc == NGX_OK) {
            ngx_rtmp_route_pick_copy(sh, &choice, peer, &endpoint);

            if (s) {
                ngx_rtmp_route_session_carry(sh, session->cell, 0);
            }

            if (s
                && ngx_rtmp_route_session_move(sh, s, choice.index,
                                               &endpoint))
            {
                table->wake = 1;
            }
        }

        ngx_rtmp_route_table_unlock(table);

    } while (rc == NGX_BUSY && ngx_rtmp_route_pick_retry(table, &choice));

    if (rc != NGX_OK) {
        return NGX_BUSY;
    }

    ngx_rtmp_route_pick_name(peer, &endpoint);

    return NGX_OK;
}


/* returns whether the old server was full */

static ngx_uint_t
ngx_rtmp_route_session_move(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t server,
    ngx_rtmp_route_endpoint_t *endpoint)
{
    ngx_uint_t                     full;
    ngx_rtmp_route_stream_cell_t  *st;

    full = ngx_rtmp_route_server_conns(sh, s->server, s->birth, -1);

    s->birth = 0;
    ngx_rtmp_route_point();
    s->server = (uint16_t) server;
    ngx_rtmp_route_point();
    s->birth = ngx_rtmp_route_cold(sh, server)->birth;
    ngx_rtmp_route_point();
    s->upstream = *endpoint;

    (void) ngx_rtmp_route_server_conns(sh, server, s->birth, 1);

    if (s->stream == 0 || !ngx_rtmp_route_session_publishes(s)) {
        return full;
    }

    st = ngx_rtmp_route_stream(sh, s->stream);

    if (st->live == 0
        && !(st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
        && st->server_seq != ngx_rtmp_route_hot(sh, server)->seq)
    {
        ngx_rtmp_route_stream_move(sh, s->stream, server,
                                   NGX_RTMP_ROUTE_FROM_PICK);
    }

    return full;
}


ngx_rtmp_route_session_cell_t *
ngx_rtmp_route_session_own(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_t *session)
{
    ngx_uint_t                      slot;
    ngx_rtmp_route_session_cell_t  *s;

    if (session->cell == 0 || session->cell > sh->top) {
        return NULL;
    }

    slot = ngx_rtmp_route_slot();

    s = ngx_rtmp_route_session_cell(sh, session->cell);

    if (s->type != NGX_RTMP_ROUTE_CELL_SESSION
        || s->number != session->number
        || s->slot != slot
        || s->generation != ngx_rtmp_route_slot_generation(slot))
    {
        return NULL;
    }

    return s;
}


void
ngx_rtmp_route_table_state(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session, ngx_uint_t state)
{
    ngx_rtmp_route_session_cell_t  *s;

    if (session->cell == 0) {
        return;
    }

    ngx_rtmp_route_table_lock(table);

    s = ngx_rtmp_route_session_own(table->sh, session);

    if (s) {
        if (s->kind == NGX_RTMP_ROUTE_PUBLISH && s->stream) {

            if (state == NGX_RTMP_ROUTE_S_RELAY) {
                ngx_rtmp_route_session_idle(table, s, 0);

                if (s->flags & NGX_RTMP_ROUTE_SESSION_YIELDS) {
                    ngx_rtmp_route_stream_lived(table, s->stream);

                } else {
                    ngx_rtmp_route_session_live(table, session->cell);
                }

            } else if (state == NGX_RTMP_ROUTE_S_CLOSING) {
                ngx_rtmp_route_session_unlive(table, s);
                ngx_rtmp_route_session_idle(table, s, 1);

            } else if (state == NGX_RTMP_ROUTE_S_CONNECT) {
                ngx_rtmp_route_session_unlive(table, s);
            }
        }

        s->state = (u_char) state;
    }

    ngx_rtmp_route_table_unlock(table);
}


/*
 * The connection of a publisher that was refused, or whose server has gone,
 * may stay for a while.  Its stream is not live, and needs no place: the
 * session counts as one that waits for it.
 */

static void
ngx_rtmp_route_session_idle(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t idle)
{
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    if (!(s->flags & NGX_RTMP_ROUTE_SESSION_IDLE) == !idle) {
        return;
    }

    sh = table->sh;
    st = ngx_rtmp_route_stream(sh, s->stream);

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (idle) {
        s->flags |= NGX_RTMP_ROUTE_SESSION_IDLE;
        ngx_rtmp_route_point();
        st->publishers--;
        st->players++;
        table->wake = 1;

    } else {
        s->flags &= ~NGX_RTMP_ROUTE_SESSION_IDLE;
        ngx_rtmp_route_point();
        st->players--;
        st->publishers++;
    }

    ngx_rtmp_route_point();

    ngx_rtmp_route_stream_count(sh, st, 1);
}


/* it has left its server, so the stream may have another place */

static void
ngx_rtmp_route_session_unlive(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_cell_t *s)
{
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    if (!(s->flags & NGX_RTMP_ROUTE_SESSION_LIVE)) {
        return;
    }

    sh = table->sh;
    st = ngx_rtmp_route_stream(sh, s->stream);

    ngx_rtmp_route_stream_count(sh, st, -1);

    s->flags &= ~NGX_RTMP_ROUTE_SESSION_LIVE;
    ngx_rtmp_route_point();

    if (s->place == st->place) {
        st->live--;
        ngx_rtmp_route_point();
    }

    ngx_rtmp_route_stream_count(sh, st, 1);
}


void
ngx_rtmp_route_session_live(ngx_rtmp_route_table_t *table, uint32_t cell)
{
    u_char                          key[NGX_RTMP_ROUTE_KEY_LEN];
    uint32_t                        i;
    ngx_str_t                       name;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    s = ngx_rtmp_route_session_cell(sh, cell);
    i = s->stream;
    st = ngx_rtmp_route_stream(sh, i);

    if (!ngx_rtmp_route_server_born(sh, s->server, s->birth)) {
        return;
    }

    if (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN) {

        name.len = st->key_len;
        name.data = key;

        ngx_rtmp_route_text_get(sh, st->key, sizeof(st->key), st->text, key,
                                st->key_len);

        i = ngx_rtmp_route_stream_find(sh, &name);

        if (i == 0) {
            i = s->stream;
            ngx_rtmp_route_stream_adopt(sh, i);

        } else {
            ngx_rtmp_route_session_detach(sh, s);
            s->flags &= ~NGX_RTMP_ROUTE_SESSION_LIVE;
            s->stream = i;
            ngx_rtmp_route_point();
            ngx_rtmp_route_session_attach(sh, s, i);
        }

        st = ngx_rtmp_route_stream(sh, i);
    }

    (void) ngx_rtmp_route_stream_refresh(sh, i);

    if (st->server_seq != ngx_rtmp_route_hot(sh, s->server)->seq) {

        if (st->live) {
            return;
        }

        ngx_rtmp_route_stream_move(sh, i, s->server, NGX_RTMP_ROUTE_FROM_PICK);
    }

    if ((s->flags & NGX_RTMP_ROUTE_SESSION_LIVE) && s->place == st->place) {
        return;
    }

    ngx_rtmp_route_stream_count(sh, st, -1);

    if (!(st->flags & NGX_RTMP_ROUTE_STREAM_LIVED)) {
        ngx_rtmp_route_table_changed(sh);
    }

    st->flags |= NGX_RTMP_ROUTE_STREAM_LIVED;
    ngx_rtmp_route_point();
    s->place = st->place;
    ngx_rtmp_route_point();
    s->flags |= NGX_RTMP_ROUTE_SESSION_LIVE;
    ngx_rtmp_route_point();
    st->live++;
    ngx_rtmp_route_point();

    /* it has sessions, so it is not in the queue */

    st->lru_prev = cell;

    ngx_rtmp_route_stream_count(sh, st, 1);

    table->wake = 1;
}


/* one that publishes the stream: the last one if there are several */

ngx_rtmp_route_session_cell_t *
ngx_rtmp_route_stream_publisher(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    st = ngx_rtmp_route_stream(sh, i);

    if (st->live == 0 || st->lru_prev == 0 || st->lru_prev > sh->top) {
        return NULL;
    }

    /* that one may have ended before the others */

    s = ngx_rtmp_route_session_cell(sh, st->lru_prev);

    if (s->type != NGX_RTMP_ROUTE_CELL_SESSION
        || s->kind != NGX_RTMP_ROUTE_PUBLISH
        || s->stream != i
        || !(s->flags & NGX_RTMP_ROUTE_SESSION_LIVE)
        || s->place != st->place)
    {
        return NULL;
    }

    return s;
}


void
ngx_rtmp_route_table_close(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session)
{
    if (session->cell) {
        ngx_rtmp_route_table_lock(table);

        if (ngx_rtmp_route_session_own(table->sh, session)) {
            ngx_rtmp_route_session_drop(table, session->cell);
        }

        ngx_rtmp_route_table_unlock(table);
    }

    session->cell = 0;
    session->in = &ngx_rtmp_route_session_in;
    session->out = &ngx_rtmp_route_session_out;
    session->active = &ngx_rtmp_route_session_active;
}


void
ngx_rtmp_route_table_free(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_uint_t                      slot;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    if (peer->conn == 0) {
        return;
    }

    slot = ngx_rtmp_route_slot();

    ngx_rtmp_route_table_lock(table);

    if (peer->conn <= sh->top) {
        s = ngx_rtmp_route_session_cell(sh, peer->conn);

        if (s->type == NGX_RTMP_ROUTE_CELL_CONN
            && s->slot == slot
            && s->generation == ngx_rtmp_route_slot_generation(slot))
        {
            ngx_rtmp_route_session_drop(table, peer->conn);
        }
    }

    ngx_rtmp_route_table_unlock(table);

    peer->conn = 0;
}


/* undoes a session or connection */

void
ngx_rtmp_route_session_drop(ngx_rtmp_route_table_t *table, uint32_t i)
{
    ngx_uint_t                      type;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;

    ngx_rtmp_route_table_touch(sh);

    s = ngx_rtmp_route_session_cell(sh, i);
    type = s->type;

    if (type == NGX_RTMP_ROUTE_CELL_SESSION) {
        ngx_rtmp_route_session_carry(sh, i, 1);
    }

    s->type = NGX_RTMP_ROUTE_CELL_FREE;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_slot_remove(sh, i);

    if (s->told) {
        ngx_rtmp_route_head(sh, s->slot)->told--;
        ngx_rtmp_route_point();
    }

    if (ngx_rtmp_route_server_conns(sh, s->server, s->birth, -1)
        || s->wanted)
    {
        table->wake = 1;
    }

    if (type == NGX_RTMP_ROUTE_CELL_CONN) {
        sh->conns--;

    } else {
        sh->sessions--;
        ngx_rtmp_route_point();

        if (s->stream) {
            ngx_rtmp_route_session_detach(sh, s);
        }
    }

    ngx_rtmp_route_cell_free(sh, i);
}


ngx_int_t
ngx_rtmp_route_session_walk(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_session_stat_t *stat)
{
    ngx_int_t  rc;

    do {
        rc = ngx_rtmp_route_session_look(table, cursor, stat);
    } while (rc == NGX_AGAIN);

    return rc;
}


ngx_int_t
ngx_rtmp_route_session_look(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_session_stat_t *stat)
{
    u_char                     *p;
    uint32_t                    i, last;
    ngx_int_t                   rc;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_endpoint_t   upstream;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = *cursor;
    rc = ngx_rtmp_route_cells_step(sh, i, NGX_RTMP_ROUTE_WALK, &last)
         ? NGX_AGAIN : NGX_DONE;

    while (i < last) {
        i++;

        if (ngx_rtmp_route_session_cell(sh, i)->type
            == NGX_RTMP_ROUTE_CELL_SESSION)
        {
            ngx_rtmp_route_session_fill(sh, i, stat, &upstream);
            rc = NGX_OK;
            break;
        }
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    if (rc == NGX_OK) {
        stat->pid = ngx_rtmp_route_slot_pid(stat->slot);

        p = stat->text_buf + stat->client.len + stat->agent.len;

        stat->upstream.data = p;
        stat->upstream.len = ngx_rtmp_route_endpoint_text(p,
                                stat->text_buf + sizeof(stat->text_buf),
                                &upstream, 0)
                             - p;
    }

    return rc;
}


static void
ngx_rtmp_route_session_fill(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_session_stat_t *stat, ngx_rtmp_route_endpoint_t *upstream)
{
    size_t                          len;
    u_char                         *p, text[NGX_RTMP_ROUTE_CLIENT_LEN
                                            + NGX_RTMP_ROUTE_AGENT_LEN
                                            + NGX_RTMP_ROUTE_KEY_LEN];
    ngx_rtmp_route_server_info_t   *server;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    s = ngx_rtmp_route_session_cell(sh, i);

    stat->slot = s->slot;
    stat->number = s->number;
    stat->type = s->kind;
    stat->state = s->state;
    stat->in = s->in;
    stat->out = s->out;
    stat->started = ngx_max(ngx_rtmp_route_passed(s->started), 0);
    stat->idle = ngx_max(ngx_rtmp_route_passed(s->active), 0);
    stat->rate = ngx_rtmp_route_session_rate(s);

    len = s->client_len + s->agent_len;

    ngx_rtmp_route_text_get(sh, s->data, sizeof(s->data), s->text, text,
                            len + s->key_len);

    p = stat->text_buf;

    ngx_rtmp_route_session_addr(s, text, &stat->addr);

    if (stat->addr.family) {
        p = ngx_rtmp_route_endpoint_text(p, p + NGX_RTMP_ROUTE_CLIENT_LEN,
                                         &stat->addr, stat->addr.port == 0);

    } else {
        p = ngx_cpymem(p, text, s->client_len);
    }

    stat->client.data = stat->text_buf;
    stat->client.len = p - stat->text_buf;
    stat->agent.data = p;
    stat->agent.len = s->agent_len;

    ngx_memcpy(p, text + s->client_len, s->agent_len);

    stat->key.data = stat->key_buf;

    if (s->stream) {
        st = ngx_rtmp_route_stream(sh, s->stream);

        stat->key.len = st->key_len;
        ngx_rtmp_route_text_get(sh, st->key, sizeof(st->key), st->text,
                                stat->key_buf, st->key_len);

    } else {
        stat->key.len = s->key_len;
        ngx_memcpy(stat->key_buf, text + len, s->key_len);
    }

    stat->server.data = stat->id_buf;
    stat->server.len = 0;

    if (ngx_rtmp_route_server_born(sh, s->server, s->birth)) {
        server = &ngx_rtmp_route_cold(sh, s->server)
                          ->info[ngx_rtmp_route_hot(sh, s->server)->active];

        stat->server.len = server->id_len;
        ngx_memcpy(stat->id_buf, server->id, server->id_len);
    }

    *upstream = s->upstream;
}


void
ngx_rtmp_route_session_addr(ngx_rtmp_route_session_cell_t *s, u_char *text,
    ngx_rtmp_route_endpoint_t *addr)
{
    size_t  len;

    ngx_memzero(addr, sizeof(ngx_rtmp_route_endpoint_t));

    if (!(s->flags & NGX_RTMP_ROUTE_SESSION_ADDR)
        || s->client_len < sizeof(uint16_t) + 4)
    {
        return;
    }

    len = s->client_len - sizeof(uint16_t);

    addr->family = (len == 4) ? AF_INET : AF_INET6;

    ngx_memcpy(&addr->port, text, sizeof(uint16_t));
    ngx_memcpy(addr->addr, text + sizeof(uint16_t), ngx_min(len, 16));
}
