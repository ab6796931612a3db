
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* steps of time by which idle streams are put in order */
#define NGX_RTMP_ROUTE_AGES  256


static void ngx_rtmp_route_rebuild_servers(ngx_rtmp_route_shm_t *sh);
static void ngx_rtmp_route_rebuild_clear(ngx_rtmp_route_shm_t *sh);
static ngx_uint_t ngx_rtmp_route_rebuild_text(ngx_rtmp_route_shm_t *sh,
    size_t len, size_t room, uint32_t text);
static void ngx_rtmp_route_rebuild_records(ngx_rtmp_route_shm_t *sh);
static void ngx_rtmp_route_rebuild_session(ngx_rtmp_route_shm_t *sh,
    uint32_t i);
static void ngx_rtmp_route_rebuild_bans(ngx_rtmp_route_shm_t *sh);
static void ngx_rtmp_route_rebuild_streams(ngx_rtmp_route_shm_t *sh);
static uint32_t ngx_rtmp_route_rebuild_unmark(ngx_rtmp_route_shm_t *sh,
    uint32_t text);
static void ngx_rtmp_route_rebuild_lru(ngx_rtmp_route_shm_t *sh);
static void ngx_rtmp_route_rebuild_free(ngx_rtmp_route_shm_t *sh);


/*
 * Makes all that is derived anew from the valid records, and takes back what
 * a process has left that was killed within a change.  May be killed, too:
 * sh->dirty stays set until the end.
 */

void
ngx_rtmp_route_table_rebuild(ngx_rtmp_route_shm_t *sh)
{
    ngx_uint_t  i;

    ngx_rtmp_route_table_touch(sh);

    sh->free = 0;
    sh->nfree = 0;
    sh->lru_first = 0;
    sh->lru_last = 0;
    sh->servers = 0;
    sh->streams = 0;
    sh->sessions = 0;
    sh->conns = 0;
    sh->strays = 0;

    for (i = 0; i < sh->nslots; i++) {
        ngx_rtmp_route_head(sh, i)->first = 0;
        ngx_rtmp_route_head(sh, i)->told = 0;
    }

    ngx_memzero(ngx_rtmp_route_at(sh, ids, uint32_t),
                sh->nservers * sizeof(uint32_t));
    ngx_memzero(ngx_rtmp_route_at(sh, buckets, uint32_t),
                sh->nbuckets * sizeof(uint32_t));

    ngx_rtmp_route_rebuild_servers(sh);
    ngx_rtmp_route_rebuild_clear(sh);
    ngx_rtmp_route_rebuild_records(sh);
    ngx_rtmp_route_rebuild_bans(sh);
    ngx_rtmp_route_rebuild_streams(sh);
    ngx_rtmp_route_rebuild_lru(sh);
    ngx_rtmp_route_rebuild_free(sh);

    /* whoever was killed may not have come to say that it had changed them */

    sh->rules_version++;
    sh->hosts_version++;
    sh->changes++;
    sh->lost++;

    sh->rebuilt++;
}


static void
ngx_rtmp_route_rebuild_servers(ngx_rtmp_route_shm_t *sh)
{
    ngx_uint_t             i;
    ngx_rtmp_route_hot_t  *hot;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        hot->conns = 0;
        hot->streams = 0;
        hot->pinned = 0;
        hot->pending = 0;
        hot->named = 0;

        ngx_rtmp_route_cold(sh, i)->list = 0;

        if (hot->valid) {
            ngx_rtmp_route_server_derive(sh, i);
            ngx_rtmp_route_server_link(sh, i);
        }
    }
}


static void
ngx_rtmp_route_rebuild_clear(ngx_rtmp_route_shm_t *sh)
{
    uint32_t                       i;
    ngx_rtmp_route_cell_t         *cell;
    ngx_rtmp_route_stream_cell_t  *st;

    for (i = 1; i <= sh->top; i++) {

        cell = ngx_rtmp_route_cell(sh, i);

        switch (cell->text.type) {

        case NGX_RTMP_ROUTE_CELL_TEXT:
            cell->text.mark = 0;
            break;

        case NGX_RTMP_ROUTE_CELL_STREAM:
            st = &cell->stream;
            st->flags &= ~NGX_RTMP_ROUTE_STREAM_LRU;
            st->publishers = 0;
            st->players = 0;
            st->live = 0;
            break;
        }
    }
}


/* marks the cells of a text; 0 if there are fewer than there should be */

static ngx_uint_t
ngx_rtmp_route_rebuild_text(ngx_rtmp_route_shm_t *sh, size_t len, size_t room,
    uint32_t text)
{
    ngx_uint_t                   n;
    ngx_rtmp_route_text_cell_t  *cell;

    for (n = ngx_rtmp_route_text_cells(len, room); n; n--) {

        if (text == 0 || text > sh->top) {
            return 0;
        }

        cell = ngx_rtmp_route_text(sh, text);

        if (cell->type != NGX_RTMP_ROUTE_CELL_TEXT || cell->mark) {
            return 0;
        }

        cell->mark = 1;
        text = cell->text;
    }

    return text == 0;
}


static void
ngx_rtmp_route_rebuild_records(ngx_rtmp_route_shm_t *sh)
{
    size_t                          len;
    uint32_t                        i;
    ngx_rtmp_route_cell_t          *cell;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    for (i = 1; i <= sh->top; i++) {

        cell = ngx_rtmp_route_cell(sh, i);

        switch (cell->text.type) {

        case NGX_RTMP_ROUTE_CELL_STREAM:
            st = &cell->stream;

            if (!ngx_rtmp_route_rebuild_text(sh, st->key_len, sizeof(st->key),
                                             st->text))
            {
                st->type = NGX_RTMP_ROUTE_CELL_FREE;
            }

            break;

        case NGX_RTMP_ROUTE_CELL_SESSION:
        case NGX_RTMP_ROUTE_CELL_CONN:
            s = &cell->session;

            len = s->client_len + s->agent_len + s->key_len;

            if (s->slot >= sh->nslots
                || !ngx_rtmp_route_rebuild_text(sh, len, sizeof(s->data),
                                                s->text))
            {
                s->type = NGX_RTMP_ROUTE_CELL_FREE;
                break;
            }

            ngx_rtmp_route_rebuild_session(sh, i);
            break;
        }
    }
}


static void
ngx_rtmp_route_rebuild_session(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    s = ngx_rtmp_route_session_cell(sh, i);

    /* what is not of the living generation is undone from the end */

    ngx_rtmp_route_slot_add(sh, i,
                            s->generation
                                != ngx_rtmp_route_slot_generation(s->slot));

    if (s->told) {
        ngx_rtmp_route_head(sh, s->slot)->told++;
    }

    (void) ngx_rtmp_route_server_conns(sh, s->server, s->birth, 1);

    if (s->type == NGX_RTMP_ROUTE_CELL_CONN) {
        sh->conns++;
        return;
    }

    sh->sessions++;

    if (s->stream == 0) {
        return;
    }

    if (s->stream > sh->top
        || ngx_rtmp_route_stream(sh, s->stream)->type
           != NGX_RTMP_ROUTE_CELL_STREAM)
    {
        s->stream = 0;
        return;
    }

    st = ngx_rtmp_route_stream(sh, s->stream);

    if (ngx_rtmp_route_session_publishes(s)) {
        st->publishers++;

    } else {
        st->players++;
    }

    if ((s->flags & NGX_RTMP_ROUTE_SESSION_LIVE) && s->place == st->place) {
        st->live++;
        st->lru_prev = i;
    }
}


/* their number is read without the lock, and must not be 0 meanwhile */

static void
ngx_rtmp_route_rebuild_bans(ngx_rtmp_route_shm_t *sh)
{
    uint32_t                    i, n;
    ngx_rtmp_route_ban_cell_t  *b;

    n = 0;

    for (i = 0; i < sh->nbans; i++) {
        b = ngx_rtmp_route_ban(sh, i);

        if (!b->valid) {
            continue;
        }

        if (ngx_rtmp_route_rebuild_text(sh, b->key_len, sizeof(b->key),
                                        b->text))
        {
            n++;

        } else {
            b->valid = 0;
        }
    }

    sh->bans = n;
}


static void
ngx_rtmp_route_rebuild_streams(ngx_rtmp_route_shm_t *sh)
{
    uint32_t                       i;
    ngx_rtmp_route_stream_cell_t  *st;

    for (i = 1; i <= sh->top; i++) {

        st = ngx_rtmp_route_stream(sh, i);

        if (st->type != NGX_RTMP_ROUTE_CELL_STREAM) {
            continue;
        }

        if (ngx_rtmp_route_stream_void(st)) {

            /* its text is found not to belong to anything */

            st->type = NGX_RTMP_ROUTE_CELL_FREE;

            while (st->text) {
                st->text = ngx_rtmp_route_rebuild_unmark(sh, st->text);
            }

            continue;
        }

        if (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN) {
            continue;
        }

        ngx_rtmp_route_bucket_add(sh, i);
        ngx_rtmp_route_stream_count(sh, st, 1);

        if (ngx_rtmp_route_server_is(sh, st->list, st->list_seq)) {
            ngx_rtmp_route_list_add(sh, i,
                                    st->list_gen
                                    != ngx_rtmp_route_cold(sh, st->list)
                                                                  ->list_gen);
        }
    }
}


static uint32_t
ngx_rtmp_route_rebuild_unmark(ngx_rtmp_route_shm_t *sh, uint32_t text)
{
    ngx_rtmp_route_text_cell_t  *cell;

    cell = ngx_rtmp_route_text(sh, text);

    cell->mark = 0;

    return cell->text;
}


/*
 * Streams of an equal age to some extent are put into a queue, then one queue
 * behind the other
 */

static void
ngx_rtmp_route_rebuild_lru(ngx_rtmp_route_shm_t *sh)
{
    int32_t                        idle;
    uint32_t                       now, longest, i, age;
    uint32_t                       first[NGX_RTMP_ROUTE_AGES];
    ngx_uint_t                     pass;
    ngx_rtmp_route_stream_cell_t  *st;

    now = (uint32_t) ngx_current_msec;
    longest = 0;

    ngx_memzero(first, sizeof(first));

    for (pass = 0; pass < 2; pass++) {

        for (i = 1; i <= sh->top; i++) {

            st = ngx_rtmp_route_stream(sh, i);

            if (st->type != NGX_RTMP_ROUTE_CELL_STREAM
                || !ngx_rtmp_route_stream_idle(st))
            {
                continue;
            }

            idle = (int32_t) (now - st->used);
            age = (idle < 0) ? 0 : (uint32_t) idle;

            if (pass == 0) {
                longest = ngx_max(longest, age);
                continue;
            }

            age = (uint32_t) ((uint64_t) age * (NGX_RTMP_ROUTE_AGES - 1)
                              / ngx_max(longest, 1));

            st->lru_next = first[age];
            first[age] = i;
        }
    }

    /* the oldest first, as each is put in front of the others */

    for (age = NGX_RTMP_ROUTE_AGES; age-- > 0; /* void */ ) {

        while (first[age]) {
            i = first[age];
            first[age] = ngx_rtmp_route_stream(sh, i)->lru_next;

            ngx_rtmp_route_lru_add(sh, i);
        }
    }
}


static void
ngx_rtmp_route_rebuild_free(ngx_rtmp_route_shm_t *sh)
{
    uint32_t                     i;
    ngx_rtmp_route_text_cell_t  *cell;

    for (i = sh->top; i; i--) {

        cell = ngx_rtmp_route_text(sh, i);

        if (cell->type == NGX_RTMP_ROUTE_CELL_TEXT && cell->mark == 0) {
            cell->type = NGX_RTMP_ROUTE_CELL_FREE;
        }

        if (cell->type == NGX_RTMP_ROUTE_CELL_FREE) {
            cell->text = sh->free;
            sh->free = i;
            sh->nfree++;
        }
    }
}
