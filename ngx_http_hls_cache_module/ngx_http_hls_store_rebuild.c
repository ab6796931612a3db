
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


/* steps of time by which records are put in order of their last use */
#define NGX_HTTP_HLS_AGES  256


static void ngx_http_hls_store_rebuild_clear(ngx_http_hls_shm_t *sh);
static void ngx_http_hls_store_rebuild_bodies(ngx_http_hls_shm_t *sh);
static void ngx_http_hls_store_rebuild_texts(ngx_http_hls_shm_t *sh);
static ngx_uint_t ngx_http_hls_store_rebuild_text(ngx_http_hls_shm_t *sh,
    size_t len, size_t room, uint32_t text);
static void ngx_http_hls_store_rebuild_streams(ngx_http_hls_shm_t *sh);
static void ngx_http_hls_store_rebuild_entries(ngx_http_hls_store_t *store);
static uint32_t ngx_http_hls_store_rebuild_body(ngx_http_hls_shm_t *sh,
    uint32_t i, ngx_uint_t role);
static void ngx_http_hls_store_rebuild_claims(ngx_http_hls_shm_t *sh);
static void ngx_http_hls_store_rebuild_refs(ngx_http_hls_shm_t *sh);
static void ngx_http_hls_store_rebuild_slot(ngx_http_hls_shm_t *sh,
    uint32_t i);
static void ngx_http_hls_store_rebuild_free(ngx_http_hls_shm_t *sh);
static void ngx_http_hls_store_rebuild_doomed(ngx_http_hls_store_t *store);
static void ngx_http_hls_store_rebuild_lru(ngx_http_hls_shm_t *sh);


/* finishes a change that was begun; may be done any number of times */

void
ngx_http_hls_store_redo(ngx_http_hls_shm_t *sh)
{
    ngx_http_hls_redo_t        *redo;
    ngx_http_hls_entry_cell_t  *e;

    redo = &sh->redo;
    e = ngx_http_hls_entry(sh, redo->entry);

    if (redo->claim) {
        ngx_http_hls_claim(sh, redo->claim)->type = NGX_HTTP_HLS_SMALL_FREE;
        ngx_http_hls_point();
    }

    e->body = redo->body;
    ngx_http_hls_point();
    e->status = redo->status;
    e->named.flags = redo->flags;
    ngx_http_hls_point();
    e->times = redo->times;

    ngx_memory_barrier();
    ngx_http_hls_point();

    redo->valid = 0;

    ngx_memory_barrier();
    ngx_http_hls_point();
}


/*
 * Makes all that is derived anew from the valid records, and takes back what
 * a process has left that was killed within a change.  May be killed, too:
 * sh->dirty stays set until the end.
 */

void
ngx_http_hls_store_rebuild(ngx_http_hls_store_t *store)
{
    ngx_http_hls_shm_t  *sh;

    sh = store->sh;

    ngx_http_hls_touch(sh);

    if (sh->redo.valid) {
        ngx_http_hls_store_redo(sh);
    }

    ngx_http_hls_store_rebuild_clear(sh);
    ngx_http_hls_store_rebuild_bodies(sh);
    ngx_http_hls_store_rebuild_texts(sh);
    ngx_http_hls_store_rebuild_streams(sh);
    ngx_http_hls_store_rebuild_entries(store);
    ngx_http_hls_store_rebuild_claims(sh);
    ngx_http_hls_store_rebuild_refs(sh);
    ngx_http_hls_store_rebuild_free(sh);
    ngx_http_hls_store_rebuild_doomed(store);
    ngx_http_hls_store_rebuild_lru(sh);

    sh->rebuilt++;
}


static void
ngx_http_hls_store_rebuild_clear(ngx_http_hls_shm_t *sh)
{
    ngx_uint_t            i;
    ngx_http_hls_head_t  *head;

    sh->cell_free = 0;
    sh->cell_nfree = 0;
    sh->small_free = 0;
    sh->small_nfree = 0;
    sh->punch = 0;
    sh->entries = 0;
    sh->streams = 0;
    sh->bodies = 0;
    sh->claims = 0;
    sh->viewers = 0;
    sh->used = 0;

    ngx_memzero(sh->lru, sizeof(sh->lru));

    for (i = 0; i < sh->nslots; i++) {
        head = ngx_http_hls_head(sh, i);

        head->first = 0;
        head->refs = 0;
    }

    ngx_memzero(ngx_http_hls_at(sh, buckets, uint32_t),
                sh->nbuckets * sizeof(uint32_t));

    ngx_http_hls_store_extent_reset(sh);
}


/* nobody's, until owners are found */

static void
ngx_http_hls_store_rebuild_bodies(ngx_http_hls_shm_t *sh)
{
    uint32_t                   i;
    ngx_http_hls_body_cell_t  *b;

    for (i = 1; i <= sh->small_top; i++) {

        b = ngx_http_hls_body(sh, i);

        if (!ngx_http_hls_is_body(b)) {
            continue;
        }

        b->refs = 0;

        if (ngx_http_hls_store_extent_take(sh, b->page, b->npages) != NGX_OK)
        {
            b->type = NGX_HTTP_HLS_SMALL_FREE;
            continue;
        }

        sh->used += b->used;

        if (b->type != NGX_HTTP_HLS_BODY_PUNCHING) {
            b->type = NGX_HTTP_HLS_BODY_DOOMED;
            sh->bodies++;
        }
    }
}


static void
ngx_http_hls_store_rebuild_texts(ngx_http_hls_shm_t *sh)
{
    uint32_t              i;
    ngx_http_hls_cell_t  *cell;

    for (i = 1; i <= sh->cell_top; i++) {

        cell = ngx_http_hls_cell(sh, i);

        if (cell->text.type == NGX_HTTP_HLS_CELL_TEXT) {
            cell->text.mark = 0;
        }
    }

    for (i = 1; i <= sh->cell_top; i++) {

        cell = ngx_http_hls_cell(sh, i);

        switch (cell->named.type) {

        case NGX_HTTP_HLS_CELL_ENTRY:
            if (!ngx_http_hls_store_rebuild_text(sh, cell->named.key_len,
                                                 sizeof(cell->entry.key),
                                                 cell->named.text))
            {
                cell->named.type = NGX_HTTP_HLS_CELL_FREE;
            }

            break;

        case NGX_HTTP_HLS_CELL_STREAM:
            if (!ngx_http_hls_store_rebuild_text(sh, cell->named.key_len,
                                                 sizeof(cell->stream.key),
                                                 cell->named.text))
            {
                cell->named.type = NGX_HTTP_HLS_CELL_FREE;
            }

            break;
        }
    }
}


/* marks the cells of a text; 0 if there are fewer than there should be */

static ngx_uint_t
ngx_http_hls_store_rebuild_text(ngx_http_hls_shm_t *sh, size_t len,
    size_t room, uint32_t text)
{
    ngx_uint_t                 n;
    ngx_http_hls_text_cell_t  *cell;

    for (n = ngx_http_hls_store_text_cells(len, room); n; n--) {

        if (text == 0 || text > sh->cell_top) {
            return 0;
        }

        cell = ngx_http_hls_text(sh, text);

        if (cell->type != NGX_HTTP_HLS_CELL_TEXT || cell->mark) {
            return 0;
        }

        cell->mark = 1;
        text = cell->text;
    }

    return text == 0;
}


static void
ngx_http_hls_store_rebuild_streams(ngx_http_hls_shm_t *sh)
{
    uint32_t                     i;
    ngx_http_hls_stream_cell_t  *st;

    for (i = 1; i <= sh->cell_top; i++) {

        st = ngx_http_hls_stream(sh, i);

        if (st->named.type != NGX_HTTP_HLS_CELL_STREAM) {
            continue;
        }

        st->first = 0;
        st->nentries = 0;
        st->objects = 0;
        st->bytes = 0;

        st->body = ngx_http_hls_store_rebuild_body(sh, st->body,
                                                NGX_HTTP_HLS_BODY_VIEWERS);

        ngx_http_hls_store_bucket_add(sh, i);
        ngx_http_hls_store_lru_add(sh, i);
    }
}


/* who waits may have been forgotten, so they all look again */

static void
ngx_http_hls_store_rebuild_entries(ngx_http_hls_store_t *store)
{
    uint32_t                    i;
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_entry_cell_t  *e;

    sh = store->sh;

    for (i = 1; i <= sh->cell_top; i++) {

        e = ngx_http_hls_entry(sh, i);

        if (e->named.type != NGX_HTTP_HLS_CELL_ENTRY) {
            continue;
        }

        e->claim = 0;

        e->body = ngx_http_hls_store_rebuild_body(sh, e->body,
                                                NGX_HTTP_HLS_BODY_CURRENT);
        e->stream = ngx_http_hls_store_stream_valid(sh, e->stream);

        ngx_http_hls_store_bucket_add(sh, i);
        ngx_http_hls_store_entry_in(sh, i);

        ngx_http_hls_store_wake(store, e);
    }
}


/* the body, if it is there and has no owner yet */

static uint32_t
ngx_http_hls_store_rebuild_body(ngx_http_hls_shm_t *sh, uint32_t i,
    ngx_uint_t role)
{
    if (i == 0 || i > sh->small_top
        || ngx_http_hls_body(sh, i)->type != NGX_HTTP_HLS_BODY_DOOMED)
    {
        return 0;
    }

    ngx_http_hls_store_body_role(sh, i, role);

    return i;
}


static void
ngx_http_hls_store_rebuild_claims(ngx_http_hls_shm_t *sh)
{
    uint32_t                    i;
    ngx_http_hls_claim_t       *claim;
    ngx_http_hls_entry_cell_t  *e;

    for (i = 1; i <= sh->small_top; i++) {

        claim = ngx_http_hls_claim(sh, i);

        if (claim->type != NGX_HTTP_HLS_SMALL_CLAIM) {
            continue;
        }

        e = ngx_http_hls_entry(sh, claim->entry);

        if (claim->slot >= sh->nslots
            || claim->entry == 0
            || claim->entry > sh->cell_top
            || e->named.type != NGX_HTTP_HLS_CELL_ENTRY
            || e->named.seq != claim->seq
            || e->claim)
        {
            claim->type = NGX_HTTP_HLS_SMALL_FREE;
            continue;
        }

        e->claim = i;
        sh->claims++;

        claim->body = ngx_http_hls_store_rebuild_body(sh, claim->body,
                                                    NGX_HTTP_HLS_BODY_FILL);

        ngx_http_hls_store_rebuild_slot(sh, i);
    }
}


static void
ngx_http_hls_store_rebuild_refs(ngx_http_hls_shm_t *sh)
{
    uint32_t                   i;
    ngx_http_hls_head_t       *head;
    ngx_http_hls_small_t      *small;
    ngx_http_hls_body_cell_t  *b;

    for (i = 1; i <= sh->small_top; i++) {

        small = ngx_http_hls_small(sh, i);

        if (small->body.type == NGX_HTTP_HLS_BODY_PUNCHING) {

            if (small->body.slot < sh->nslots) {
                ngx_http_hls_store_rebuild_slot(sh, i);
            }

            continue;
        }

        if (small->ref.type != NGX_HTTP_HLS_SMALL_REF) {
            continue;
        }

        b = ngx_http_hls_body(sh, small->ref.body);

        if (small->ref.slot >= sh->nslots
            || small->ref.body == 0
            || small->ref.body > sh->small_top
            || !ngx_http_hls_is_body(b)
            || b->type == NGX_HTTP_HLS_BODY_PUNCHING
            || b->seq != small->ref.seq)
        {
            small->ref.type = NGX_HTTP_HLS_SMALL_FREE;
            continue;
        }

        ngx_http_hls_store_chain_add(sh, i);
        ngx_http_hls_store_rebuild_slot(sh, i);

        head = ngx_http_hls_head(sh, small->ref.slot);

        if (head->generation == small->ref.generation) {
            head->refs += small->ref.count;
        }
    }
}


/* what is not of the living generation is undone from the end */

static void
ngx_http_hls_store_rebuild_slot(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_ref_t  *ref;

    ref = ngx_http_hls_ref(sh, i);

    ngx_http_hls_store_slot_add(sh, i,
                                ref->generation
                                  != ngx_rtmp_route_slot_generation(ref->slot));
}


static void
ngx_http_hls_store_rebuild_free(ngx_http_hls_shm_t *sh)
{
    uint32_t                   i;
    ngx_http_hls_ref_t        *ref;
    ngx_http_hls_text_cell_t  *cell;

    for (i = sh->cell_top; i; i--) {

        cell = ngx_http_hls_text(sh, i);

        if (cell->type == NGX_HTTP_HLS_CELL_TEXT && cell->mark == 0) {
            cell->type = NGX_HTTP_HLS_CELL_FREE;
        }

        if (cell->type == NGX_HTTP_HLS_CELL_FREE) {
            cell->text = sh->cell_free;
            sh->cell_free = i;
            sh->cell_nfree++;
        }
    }

    for (i = sh->small_top; i; i--) {

        ref = ngx_http_hls_ref(sh, i);

        if (ref->type == NGX_HTTP_HLS_SMALL_FREE) {
            ref->next = sh->small_free;
            sh->small_free = i;
            sh->small_nfree++;
        }
    }
}


/* bodies without an owner: what nobody reads either is punched out */

static void
ngx_http_hls_store_rebuild_doomed(ngx_http_hls_store_t *store)
{
    uint32_t                   i;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = store->sh;

    for (i = 1; i <= sh->small_top; i++) {

        b = ngx_http_hls_body(sh, i);

        if (b->type != NGX_HTTP_HLS_BODY_DOOMED) {
            continue;
        }

        if ((b->state & NGX_HTTP_HLS_BODY_STATE)
            == NGX_HTTP_HLS_BODY_FILLING)
        {
            b->state = NGX_HTTP_HLS_BODY_FAILED;
        }

        ngx_http_hls_store_body_unref(store, i);
    }
}


/*
 * Records of an equal age to some extent are put into a queue, then one queue
 * behind the other
 */

static void
ngx_http_hls_store_rebuild_lru(ngx_http_hls_shm_t *sh)
{
    int32_t                idle;
    uint32_t               now, longest, i, age;
    uint32_t               first[NGX_HTTP_HLS_AGES];
    ngx_uint_t             pass;
    ngx_http_hls_named_t  *named;

    now = (uint32_t) ngx_current_msec;
    longest = 0;

    ngx_memzero(first, sizeof(first));
    ngx_memzero(sh->lru, sizeof(sh->lru));

    for (pass = 0; pass < 2; pass++) {

        for (i = 1; i <= sh->cell_top; i++) {

            named = ngx_http_hls_named(sh, i);

            if (named->type != NGX_HTTP_HLS_CELL_ENTRY
                && named->type != NGX_HTTP_HLS_CELL_STREAM)
            {
                continue;
            }

            idle = (int32_t) (now - named->moved);
            age = (idle < 0) ? 0 : (uint32_t) idle;

            if (pass == 0) {
                longest = ngx_max(longest, age);
                continue;
            }

            age = (uint32_t) ((uint64_t) age * (NGX_HTTP_HLS_AGES - 1)
                              / ngx_max(longest, 1));

            named->lru_next = first[age];
            first[age] = i;
        }
    }

    /* the oldest first, as each is put in front of the others */

    for (age = NGX_HTTP_HLS_AGES; age-- > 0; /* void */ ) {

        while (first[age]) {
            i = first[age];
            first[age] = ngx_http_hls_named(sh, i)->lru_next;

            ngx_http_hls_store_lru_add(sh, i);
        }
    }
}
