
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


#define NGX_HTTP_HLS_PAGE_NONE   0
#define NGX_HTTP_HLS_PAGE_OWNED  1
#define NGX_HTTP_HLS_PAGE_FREE   2


/* how often each cell was found where it should be */

typedef struct {
    uint32_t                         nentries;
    uint32_t                         objects;
    uint64_t                         bytes;
    u_char                           text;
    u_char                           bucket;
    u_char                           lru;
    u_char                           member;
} ngx_http_hls_check_cell_t;


typedef struct {
    u_char                           owners;
    u_char                           chain;
    u_char                           slot;
    u_char                           punch;
} ngx_http_hls_check_small_t;


typedef struct {
    ngx_http_hls_shm_t              *sh;
    ngx_http_hls_check_cell_t       *cells;
    ngx_http_hls_check_small_t      *smalls;
    u_char                          *pages;
    uint32_t                         entries;
    uint32_t                         streams;
    uint32_t                         bodies;
    uint32_t                         claims;
    uint32_t                         viewers;
    uint32_t                         used;
    uint32_t                         refs;
    uint32_t                         doomed;
    const char                      *what;
    uint32_t                         where;
} ngx_http_hls_check_t;


static ngx_int_t ngx_http_hls_check_failed(ngx_http_hls_check_t *ctx,
    const char *what, ngx_uint_t where);
static ngx_int_t ngx_http_hls_check_records(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_text(ngx_http_hls_check_t *ctx,
    size_t len, size_t room, uint32_t text);
static ngx_int_t ngx_http_hls_check_entry(ngx_http_hls_check_t *ctx,
    uint32_t i);
static ngx_int_t ngx_http_hls_check_body(ngx_http_hls_check_t *ctx,
    uint32_t i, ngx_uint_t role);
static ngx_int_t ngx_http_hls_check_smalls(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_chains(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_slots(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_roles(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_buckets(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_lru(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_members(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_free(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_extents(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_bitmaps(ngx_http_hls_check_t *ctx);
static ngx_int_t ngx_http_hls_check_counters(ngx_http_hls_check_t *ctx);


typedef ngx_int_t (*ngx_http_hls_check_pt)(ngx_http_hls_check_t *ctx);

static ngx_http_hls_check_pt  ngx_http_hls_checks[] = {
    ngx_http_hls_check_records,
    ngx_http_hls_check_smalls,
    ngx_http_hls_check_chains,
    ngx_http_hls_check_slots,
    ngx_http_hls_check_roles,
    ngx_http_hls_check_buckets,
    ngx_http_hls_check_lru,
    ngx_http_hls_check_members,
    ngx_http_hls_check_free,
    ngx_http_hls_check_extents,
    ngx_http_hls_check_bitmaps,
    ngx_http_hls_check_counters,
    NULL
};


ngx_int_t
ngx_http_hls_store_audit(ngx_http_hls_store_t *store,
    ngx_http_hls_store_audit_t *audit)
{
    u_char                *p;
    size_t                 cells, smalls;
    ngx_int_t              rc;
    ngx_uint_t             i;
    struct timeval         start, end;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_check_t   ctx;

    sh = store->sh;

    ngx_memzero(audit, sizeof(ngx_http_hls_store_audit_t));

    cells = (sh->ncells + 1) * sizeof(ngx_http_hls_check_cell_t);
    smalls = (sh->nsmalls + 1) * sizeof(ngx_http_hls_check_small_t);

    p = ngx_calloc(cells + smalls + sh->npages, store->log);
    if (p == NULL) {
        return NGX_ABORT;
    }

    ngx_memzero(&ctx, sizeof(ngx_http_hls_check_t));

    ctx.sh = sh;
    ctx.cells = (ngx_http_hls_check_cell_t *) p;
    ctx.smalls = (ngx_http_hls_check_small_t *) (p + cells);
    ctx.pages = p + cells + smalls;

    rc = NGX_OK;

    ngx_http_hls_store_lock(store);

    ngx_gettimeofday(&start);

    for (i = 0; ngx_http_hls_checks[i]; i++) {
        rc = ngx_http_hls_checks[i](&ctx);

        if (rc != NGX_OK) {
            break;
        }
    }

    audit->claims = sh->claims;

    ngx_gettimeofday(&end);

    ngx_http_hls_store_unlock(store);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, store->log, 0,
                      "cache is inconsistent%s: %s of %uD",
                      store->shpool->log_ctx, ctx.what, ctx.where);
    }

    audit->fault = ctx.what;
    audit->where = ctx.where;
    audit->refs = ctx.refs;
    audit->doomed = ctx.doomed;
    audit->held = (ngx_uint_t) ((end.tv_sec - start.tv_sec) * 1000000
                                + (end.tv_usec - start.tv_usec));

    ngx_free(p);

    return rc;
}


ngx_int_t
ngx_http_hls_store_check(ngx_http_hls_store_t *store)
{
    ngx_http_hls_store_audit_t  audit;

    return ngx_http_hls_store_audit(store, &audit) == NGX_OK ? NGX_OK
                                                             : NGX_ERROR;
}


static ngx_int_t
ngx_http_hls_check_failed(ngx_http_hls_check_t *ctx, const char *what,
    ngx_uint_t where)
{
    ctx->what = what;
    ctx->where = (uint32_t) where;

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_hls_check_records(ngx_http_hls_check_t *ctx)
{
    uint32_t              i;
    ngx_http_hls_shm_t   *sh;
    ngx_http_hls_cell_t  *cell;

    sh = ctx->sh;

    if (sh->redo.valid) {
        return ngx_http_hls_check_failed(ctx, "change", sh->redo.entry);
    }

    for (i = 1; i <= sh->cell_top; i++) {

        cell = ngx_http_hls_cell(sh, i);

        switch (cell->named.type) {

        case NGX_HTTP_HLS_CELL_FREE:
        case NGX_HTTP_HLS_CELL_TEXT:
            break;

        case NGX_HTTP_HLS_CELL_ENTRY:

            if (ngx_http_hls_check_text(ctx, cell->named.key_len,
                                        sizeof(cell->entry.key),
                                        cell->named.text)
                != NGX_OK)
            {
                return ngx_http_hls_check_failed(ctx, "key of entry", i);
            }

            if (ngx_http_hls_check_entry(ctx, i) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case NGX_HTTP_HLS_CELL_STREAM:

            if (ngx_http_hls_check_text(ctx, cell->named.key_len,
                                        sizeof(cell->stream.key),
                                        cell->named.text)
                != NGX_OK)
            {
                return ngx_http_hls_check_failed(ctx, "name of stream", i);
            }

            if (cell->stream.body
                && ngx_http_hls_check_body(ctx, cell->stream.body,
                                           NGX_HTTP_HLS_BODY_VIEWERS)
                   != NGX_OK)
            {
                return ngx_http_hls_check_failed(ctx, "viewers of stream", i);
            }

            ctx->viewers += (cell->stream.body != 0);
            ctx->streams++;

            break;

        default:
            return ngx_http_hls_check_failed(ctx, "type of cell", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_text(ngx_http_hls_check_t *ctx, size_t len, size_t room,
    uint32_t text)
{
    ngx_uint_t  n;

    for (n = ngx_http_hls_store_text_cells(len, room); n; n--) {

        if (text == 0 || text > ctx->sh->cell_top
            || ngx_http_hls_text(ctx->sh, text)->type
               != NGX_HTTP_HLS_CELL_TEXT
            || ctx->cells[text].text++)
        {
            return NGX_ERROR;
        }

        text = ngx_http_hls_text(ctx->sh, text)->text;
    }

    return text ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_entry(ngx_http_hls_check_t *ctx, uint32_t i)
{
    ngx_http_hls_shm_t         *sh;
    ngx_http_hls_claim_t       *claim;
    ngx_http_hls_entry_cell_t  *e;

    sh = ctx->sh;
    e = ngx_http_hls_entry(sh, i);

    ctx->entries++;

    if (e->body
        && ngx_http_hls_check_body(ctx, e->body, NGX_HTTP_HLS_BODY_CURRENT)
           != NGX_OK)
    {
        return ngx_http_hls_check_failed(ctx, "body of entry", i);
    }

    if (e->claim) {
        claim = ngx_http_hls_claim(sh, e->claim);

        if (e->claim > sh->small_top
            || claim->type != NGX_HTTP_HLS_SMALL_CLAIM
            || claim->entry != i
            || claim->seq != e->named.seq)
        {
            return ngx_http_hls_check_failed(ctx, "claim of entry", i);
        }

        ctx->smalls[e->claim].owners++;

        if (claim->body
            && ngx_http_hls_check_body(ctx, claim->body,
                                       NGX_HTTP_HLS_BODY_FILL)
               != NGX_OK)
        {
            return ngx_http_hls_check_failed(ctx, "fill of entry", i);
        }
    }

    if (e->stream) {

        if (e->stream > sh->cell_top
            || ngx_http_hls_named(sh, e->stream)->type
               != NGX_HTTP_HLS_CELL_STREAM)
        {
            return ngx_http_hls_check_failed(ctx, "stream of entry", i);
        }

        ctx->cells[e->stream].nentries++;

        if (e->body) {
            ctx->cells[e->stream].objects++;
            ctx->cells[e->stream].bytes += ngx_http_hls_body(sh, e->body)->len;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_body(ngx_http_hls_check_t *ctx, uint32_t i,
    ngx_uint_t role)
{
    if (i > ctx->sh->small_top
        || ngx_http_hls_body(ctx->sh, i)->type != role
        || ctx->smalls[i].owners++)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_smalls(ngx_http_hls_check_t *ctx)
{
    uint32_t               i;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_small_t  *small;

    sh = ctx->sh;

    for (i = 1; i <= sh->small_top; i++) {

        small = ngx_http_hls_small(sh, i);

        switch (small->ref.type) {

        case NGX_HTTP_HLS_SMALL_FREE:
            break;

        case NGX_HTTP_HLS_SMALL_REF:

            if (small->ref.body == 0 || small->ref.body > sh->small_top
                || !ngx_http_hls_is_body(ngx_http_hls_body(sh,
                                                           small->ref.body))
                || ngx_http_hls_body(sh, small->ref.body)->seq
                   != small->ref.seq)
            {
                return ngx_http_hls_check_failed(ctx, "body of reference", i);
            }

            break;

        case NGX_HTTP_HLS_SMALL_CLAIM:

            if (ctx->smalls[i].owners != 1) {
                return ngx_http_hls_check_failed(ctx, "entry of claim", i);
            }

            ctx->claims++;

            break;

        default:

            if (small->ref.type > NGX_HTTP_HLS_BODY_PUNCHING) {
                return ngx_http_hls_check_failed(ctx, "type of small", i);
            }

            if (ngx_http_hls_is_counted(small->ref.type)) {
                ctx->bodies++;
            }

            if (small->body.used > small->body.npages
                || small->body.len
                   > (ngx_atomic_uint_t) small->body.used << ngx_pagesize_shift)
            {
                return ngx_http_hls_check_failed(ctx, "size of body", i);
            }

            ctx->used += small->body.used;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_chains(ngx_http_hls_check_t *ctx)
{
    uint32_t             i, r;
    ngx_http_hls_ref_t  *ref;
    ngx_http_hls_shm_t  *sh;

    sh = ctx->sh;

    for (i = 1; i <= sh->small_top; i++) {

        if (!ngx_http_hls_is_body(ngx_http_hls_body(sh, i))) {
            continue;
        }

        for (r = ngx_http_hls_body(sh, i)->refs; r; r = ref->chain) {

            ref = ngx_http_hls_ref(sh, r);

            if (r > sh->small_top || ref->type != NGX_HTTP_HLS_SMALL_REF
                || ref->body != i || ctx->smalls[r].chain++)
            {
                return ngx_http_hls_check_failed(ctx, "chain of body", i);
            }
        }
    }

    for (i = 1; i <= sh->small_top; i++) {

        if (ngx_http_hls_ref(sh, i)->type == NGX_HTTP_HLS_SMALL_REF
            && ctx->smalls[i].chain == 0)
        {
            return ngx_http_hls_check_failed(ctx, "chain of reference", i);
        }
    }

    return NGX_OK;
}


/* of a process that is gone the counter may be wrong, it is not used */

static ngx_int_t
ngx_http_hls_check_slots(ngx_http_hls_check_t *ctx)
{
    uint32_t              i, next, refs;
    ngx_uint_t            n;
    ngx_http_hls_ref_t   *ref;
    ngx_http_hls_shm_t   *sh;
    ngx_http_hls_head_t  *head;

    sh = ctx->sh;

    for (n = 0; n < sh->nslots; n++) {

        head = ngx_http_hls_head(sh, n);
        refs = 0;

        for (i = head->first; i; i = (next == head->first) ? 0 : next) {

            ref = ngx_http_hls_ref(sh, i);
            next = ref->next;

            if (i > sh->small_top || ref->slot != n
                || next == 0 || next > sh->small_top
                || ngx_http_hls_ref(sh, next)->prev != i
                || ctx->smalls[i].slot++)
            {
                return ngx_http_hls_check_failed(ctx, "ring of slot", n);
            }

            if (ref->type == NGX_HTTP_HLS_SMALL_REF
                && ref->generation == head->generation)
            {
                refs += ref->count;
            }
        }

        if (head->generation != ngx_rtmp_route_slot_generation(n)
            || !ngx_rtmp_route_slot_alive(n, head->generation))
        {
            continue;
        }

        if (refs != head->refs) {
            return ngx_http_hls_check_failed(ctx, "references of slot", n);
        }

        ctx->refs += refs;
    }

    for (i = 1; i <= sh->small_top; i++) {

        ref = ngx_http_hls_ref(sh, i);

        if ((ref->type == NGX_HTTP_HLS_SMALL_REF
             || ref->type == NGX_HTTP_HLS_SMALL_CLAIM
             || ref->type == NGX_HTTP_HLS_BODY_PUNCHING)
            != (ctx->smalls[i].slot != 0))
        {
            return ngx_http_hls_check_failed(ctx, "slot of small", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_roles(ngx_http_hls_check_t *ctx)
{
    uint32_t                   i;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = ctx->sh;

    for (i = sh->punch; i; i = ngx_http_hls_body(sh, i)->next) {

        if (i > sh->small_top || ctx->smalls[i].punch++
            || ngx_http_hls_body(sh, i)->type != NGX_HTTP_HLS_BODY_PUNCH)
        {
            return ngx_http_hls_check_failed(ctx, "list of punches", i);
        }
    }

    for (i = 1; i <= sh->small_top; i++) {

        b = ngx_http_hls_body(sh, i);

        switch (b->type) {

        case NGX_HTTP_HLS_BODY_FILL:
        case NGX_HTTP_HLS_BODY_CURRENT:
        case NGX_HTTP_HLS_BODY_VIEWERS:

            if (ctx->smalls[i].owners != 1) {
                return ngx_http_hls_check_failed(ctx, "owner of body", i);
            }

            break;

        case NGX_HTTP_HLS_BODY_DOOMED:

            /* the last reference may be one of a process that is gone */

            if (ctx->smalls[i].owners || b->refs == 0) {
                return ngx_http_hls_check_failed(ctx, "doom of body", i);
            }

            ctx->doomed++;

            break;

        case NGX_HTTP_HLS_BODY_PUNCH:

            if (ctx->smalls[i].punch != 1 || b->refs) {
                return ngx_http_hls_check_failed(ctx, "punch of body", i);
            }

            break;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_buckets(ngx_http_hls_check_t *ctx)
{
    uint32_t              i, chained;
    ngx_uint_t            n;
    ngx_http_hls_shm_t   *sh;
    ngx_http_hls_named_t *named;

    sh = ctx->sh;
    chained = 0;

    for (n = 0; n < sh->nbuckets; n++) {

        for (i = ngx_http_hls_at(sh, buckets, uint32_t)[n];
             i;
             i = named->next)
        {
            named = ngx_http_hls_named(sh, i);

            if (i > sh->cell_top || ctx->cells[i].bucket++
                || (named->type != NGX_HTTP_HLS_CELL_ENTRY
                    && named->type != NGX_HTTP_HLS_CELL_STREAM)
                || ngx_http_hls_store_find(sh, named->hash, named->type) != i)
            {
                return ngx_http_hls_check_failed(ctx, "chain of bucket", n);
            }

            chained++;
        }
    }

    if (chained != ctx->entries + ctx->streams) {
        return ngx_http_hls_check_failed(ctx, "number of records", chained);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_lru(ngx_http_hls_check_t *ctx)
{
    uint32_t               i, prev, queued;
    ngx_uint_t             n;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_named_t  *named;

    sh = ctx->sh;

    for (n = 0; n < NGX_HTTP_HLS_LRU_N; n++) {

        prev = 0;
        queued = 0;

        for (i = sh->lru[n].first; i; i = named->lru_next) {

            named = ngx_http_hls_named(sh, i);

            if (i > sh->cell_top || ctx->cells[i].lru++
                || (named->type != NGX_HTTP_HLS_CELL_ENTRY
                    && named->type != NGX_HTTP_HLS_CELL_STREAM)
                || named->lru_prev != prev
                || ngx_http_hls_store_lru_of(sh, i) != n)
            {
                return ngx_http_hls_check_failed(ctx, "queue", n);
            }

            prev = i;
            queued++;
        }

        if (sh->lru[n].last != prev || sh->lru[n].n != queued) {
            return ngx_http_hls_check_failed(ctx, "end of queue", n);
        }
    }

    for (i = 1; i <= sh->cell_top; i++) {

        named = ngx_http_hls_named(sh, i);

        if ((named->type == NGX_HTTP_HLS_CELL_ENTRY
             || named->type == NGX_HTTP_HLS_CELL_STREAM)
            && (ngx_http_hls_store_lru_of(sh, i) != NGX_HTTP_HLS_LRU_N)
               != ctx->cells[i].lru)
        {
            return ngx_http_hls_check_failed(ctx, "queue of cell", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_members(ngx_http_hls_check_t *ctx)
{
    uint32_t                     i, k, n;
    ngx_http_hls_shm_t          *sh;
    ngx_http_hls_entry_cell_t   *e;
    ngx_http_hls_stream_cell_t  *st;

    sh = ctx->sh;

    for (i = 1; i <= sh->cell_top; i++) {

        st = ngx_http_hls_stream(sh, i);

        if (st->named.type != NGX_HTTP_HLS_CELL_STREAM) {
            continue;
        }

        if (st->nentries != ctx->cells[i].nentries
            || st->objects != ctx->cells[i].objects
            || st->bytes != ctx->cells[i].bytes)
        {
            return ngx_http_hls_check_failed(ctx, "counters of stream", i);
        }

        n = 0;
        k = st->first;

        while (k) {
            e = ngx_http_hls_entry(sh, k);

            if (k > sh->cell_top
                || e->named.type != NGX_HTTP_HLS_CELL_ENTRY
                || e->stream != i
                || ctx->cells[k].member++
                || ngx_http_hls_entry(sh, e->stream_next)->stream_prev != k)
            {
                return ngx_http_hls_check_failed(ctx, "ring of stream", i);
            }

            n++;
            k = (e->stream_next == st->first) ? 0 : e->stream_next;
        }

        if (n != st->nentries) {
            return ngx_http_hls_check_failed(ctx, "entries of stream", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_free(ngx_http_hls_check_t *ctx)
{
    uint32_t                   i, n;
    ngx_http_hls_ref_t        *ref;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_text_cell_t  *cell;

    sh = ctx->sh;
    n = 0;

    for (i = sh->cell_free; i; i = cell->text) {

        cell = ngx_http_hls_text(sh, i);

        if (i > sh->cell_top || cell->type != NGX_HTTP_HLS_CELL_FREE
            || ++n > sh->cell_top)
        {
            return ngx_http_hls_check_failed(ctx, "list of free cells", i);
        }
    }

    if (n != sh->cell_nfree) {
        return ngx_http_hls_check_failed(ctx, "number of free cells", n);
    }

    for (i = 1; i <= sh->cell_top; i++) {

        cell = ngx_http_hls_text(sh, i);

        if (cell->type == NGX_HTTP_HLS_CELL_FREE) {
            n--;
        }

        if (cell->type == NGX_HTTP_HLS_CELL_TEXT && !ctx->cells[i].text) {
            return ngx_http_hls_check_failed(ctx, "owner of text", i);
        }
    }

    if (n) {
        return ngx_http_hls_check_failed(ctx, "number of lost cells", n);
    }

    for (i = sh->small_free; i; i = ref->next) {

        ref = ngx_http_hls_ref(sh, i);

        if (i > sh->small_top || ref->type != NGX_HTTP_HLS_SMALL_FREE
            || ++n > sh->small_top)
        {
            return ngx_http_hls_check_failed(ctx, "list of free smalls", i);
        }
    }

    if (n != sh->small_nfree) {
        return ngx_http_hls_check_failed(ctx, "number of free smalls", n);
    }

    for (i = 1; i <= sh->small_top; i++) {

        if (ngx_http_hls_ref(sh, i)->type == NGX_HTTP_HLS_SMALL_FREE) {
            n--;
        }
    }

    if (n) {
        return ngx_http_hls_check_failed(ctx, "number of lost smalls", n);
    }

    return NGX_OK;
}


/* each page belongs to one body or to one free block */

static ngx_int_t
ngx_http_hls_check_extents(ngx_http_hls_check_t *ctx)
{
    uint32_t                   i, k;
    ngx_uint_t                 order;
    ngx_http_hls_shm_t        *sh;
    ngx_http_hls_body_cell_t  *b;

    sh = ctx->sh;

    for (i = 1; i <= sh->small_top; i++) {

        b = ngx_http_hls_body(sh, i);

        if (!ngx_http_hls_is_body(b)) {
            continue;
        }

        for (k = b->page; k < b->page + b->npages; k++) {

            if (k >= sh->npages || ctx->pages[k]) {
                return ngx_http_hls_check_failed(ctx, "extent of body", i);
            }

            ctx->pages[k] = NGX_HTTP_HLS_PAGE_OWNED;
        }
    }

    for (order = 0; order < sh->norders; order++) {

        for (i = 0; i < sh->npages >> order; i++) {

            if (!ngx_http_hls_store_extent_test(sh, order, i)) {
                continue;
            }

            if (order + 1 < sh->norders && (i ^ 1) < sh->npages >> order
                && ngx_http_hls_store_extent_test(sh, order, i ^ 1))
            {
                return ngx_http_hls_check_failed(ctx, "halves of block", i);
            }

            for (k = i << order; k < (i + 1) << order; k++) {

                if (ctx->pages[k]) {
                    return ngx_http_hls_check_failed(ctx, "free page", k);
                }

                ctx->pages[k] = NGX_HTTP_HLS_PAGE_FREE;
            }
        }
    }

    for (k = 0; k < sh->npages; k++) {

        if (ctx->pages[k] == NGX_HTTP_HLS_PAGE_NONE) {
            return ngx_http_hls_check_failed(ctx, "lost page", k);
        }
    }

    return NGX_OK;
}


/* a bit over the others tells whether a word below is empty */

static ngx_int_t
ngx_http_hls_check_bitmaps(ngx_http_hls_check_t *ctx)
{
    uint32_t               i, n;
    uint64_t              *word, *above;
    ngx_uint_t             k, level;
    ngx_http_hls_shm_t    *sh;
    ngx_http_hls_order_t  *order;

    sh = ctx->sh;

    for (k = 0; k < sh->norders; k++) {

        order = &sh->orders[k];

        for (level = 0; level + 1 < order->nlevels; level++) {

            n = order->level[level + 1] - order->level[level];
            word = ngx_http_hls_at(sh, words, uint64_t) + order->level[level];
            above = word + n;

            for (i = 0; i < n; i++) {

                if ((word[i] != 0) != ((above[i / 64] >> (i % 64)) & 1)) {
                    return ngx_http_hls_check_failed(ctx, "bitmap", k);
                }
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_counters(ngx_http_hls_check_t *ctx)
{
    ngx_http_hls_shm_t  *sh;

    sh = ctx->sh;

    if (sh->entries != ctx->entries || sh->streams != ctx->streams) {
        return ngx_http_hls_check_failed(ctx, "counter of entries",
                                         sh->entries);
    }

    if (sh->bodies != ctx->bodies || sh->claims != ctx->claims) {
        return ngx_http_hls_check_failed(ctx, "counter of bodies",
                                         sh->bodies);
    }

    if (sh->viewers != ctx->viewers) {
        return ngx_http_hls_check_failed(ctx, "counter of registers",
                                         sh->viewers);
    }

    if (sh->used != ctx->used) {
        return ngx_http_hls_check_failed(ctx, "counter of pages", sh->used);
    }

    return NGX_OK;
}
