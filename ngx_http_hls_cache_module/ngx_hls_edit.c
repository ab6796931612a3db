
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_edit_int.h"
#include "ngx_hls_uri.h"


#define NGX_HLS_EDIT_KEEP   1000   /* old segments, at most */
#define NGX_HLS_EDIT_HOLE   2      /* of which so many in a row may be lost */


static ngx_uint_t ngx_hls_edit_is_state(ngx_hls_state_t *state);
static ngx_int_t ngx_hls_edit_master(ngx_hls_edit_ctx_t *ctx);
static ngx_int_t ngx_hls_edit_media(ngx_hls_edit_ctx_t *ctx);
static ngx_int_t ngx_hls_edit_nothing(ngx_hls_edit_ctx_t *ctx);
static ngx_int_t ngx_hls_edit_map_list(ngx_hls_edit_ctx_t *ctx);
static void ngx_hls_edit_begin(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how);
static void ngx_hls_edit_keep(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how);
static ngx_uint_t ngx_hls_edit_compatible(ngx_hls_edit_ctx_t *ctx,
    ngx_uint_t n);
static ngx_uint_t ngx_hls_edit_is_held(ngx_hls_edit_ctx_t *ctx,
    ngx_hls_entry_t *entry);
static void ngx_hls_edit_discontinuities(ngx_hls_edit_ctx_t *ctx,
    ngx_uint_t how);
static void ngx_hls_edit_generations(ngx_hls_edit_ctx_t *ctx,
    ngx_uint_t how);
static void ngx_hls_edit_finish(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how);
static ngx_int_t ngx_hls_edit_result(ngx_hls_edit_ctx_t *ctx);


ngx_int_t
ngx_hls_edit(ngx_hls_edit_t *edit, ngx_hls_state_t *state)
{
    ngx_int_t            rc;
    ngx_uint_t           session;
    ngx_hls_edit_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ngx_hls_edit_ctx_t));

    if (!ngx_hls_edit_is_state(state)) {
        ngx_memzero(state, sizeof(ngx_hls_state_t));
    }

    ctx.edit = edit;
    ctx.state = state;

    ngx_str_null(&edit->body);
    edit->fresh = 0;
    edit->changed = 0;
    edit->advanced = 0;
    edit->restarted = 0;

    rc = ngx_hls_list_read(&ctx.list, edit->pool, &edit->origin, 0);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx.list.playlist.skipped) {

        /* what it leaves out is not what each viewer has */

        return NGX_AGAIN;
    }

    if (!ctx.list.playlist.master) {
        rc = ngx_hls_trim(&ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    edit->playlist = ctx.list.playlist;

    session = edit->playlist.master ? edit->master_session : edit->session;

    ctx.mapped = (ctx.list.strange && edit->own != NULL)
                 || (ctx.list.arguments && session != NGX_HLS_SESSION_KEEP);
    ctx.append = edit->endlist && !edit->playlist.endlist;

    if (edit->playlist.master) {
        return ngx_hls_edit_master(&ctx);
    }

    ctx.base = (int64_t) edit->playlist.sequence + state->offset;

    rc = ngx_hls_compare_read(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_hls_edit_map_list(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_hls_edit_media(&ctx);
}


ngx_int_t
ngx_hls_edit_msn(ngx_hls_state_t *state, uint64_t msn, uint64_t *origin)
{
    int64_t  n, next;

    if (msn > 2 * NGX_HLS_MAX_SEQUENCE || !ngx_hls_edit_is_state(state)) {
        return NGX_DECLINED;
    }

    n = (int64_t) msn;
    next = (int64_t) state->next + state->offset;

    if (n > next + 1) {
        return NGX_DECLINED;
    }

    if ((state->flags & NGX_HLS_STATE_JOINED) && n < next - state->run) {
        return NGX_DECLINED;
    }

    n -= state->offset;

    if (n < 0) {
        return NGX_DECLINED;
    }

    *origin = (uint64_t) n;

    return NGX_OK;
}


uint64_t
ngx_hls_edit_hash(u_char *data, size_t len)
{
    uint64_t  h, k;

    h = len * 0x9e3779b97f4a7c15ULL;

    while (len >= 8) {
        ngx_memcpy(&k, data, 8);

        h = (h ^ k) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;

        data += 8;
        len -= 8;
    }

    if (len) {
        k = 0;
        ngx_memcpy(&k, data, len);

        h = (h ^ k) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
    }

    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 29;

    return h;
}


/* nothing that could overflow, whoever wrote it */

static ngx_uint_t
ngx_hls_edit_is_state(ngx_hls_state_t *state)
{
    int64_t  max;

    max = 2 * NGX_HLS_MAX_SEQUENCE;

    return state->offset >= -max && state->offset <= max
           && state->doffset >= -max && state->doffset <= max
           && state->dlast <= (uint64_t) max
           && state->next <= (uint64_t) max
           && state->count <= state->next;
}


static ngx_int_t
ngx_hls_edit_master(ngx_hls_edit_ctx_t *ctx)
{
    ngx_hls_edit_t   *edit;
    ngx_hls_state_t  *now;

    edit = ctx->edit;
    now = &ctx->now;

    ctx->master = 1;
    ctx->append = 0;

    now->flags = NGX_HLS_STATE_SET|NGX_HLS_STATE_MASTER;
    now->generation = ctx->state->generation;
    now->hash = ngx_hls_edit_hash(edit->origin.data, edit->origin.len);

    edit->advanced = !(ctx->state->flags & NGX_HLS_STATE_MASTER)
                     || now->hash != ctx->state->hash;

    return ngx_hls_edit_result(ctx);
}


static ngx_int_t
ngx_hls_edit_media(ngx_hls_edit_ctx_t *ctx)
{
    ngx_uint_t  how;

    how = ngx_hls_compare(ctx);

    if (how == NGX_HLS_EDIT_NOTHING) {
        return ngx_hls_edit_nothing(ctx);
    }

    for ( ;; ) {
        ngx_hls_edit_begin(ctx, how);
        ngx_hls_edit_keep(ctx, how);
        ngx_hls_edit_discontinuities(ctx, how);

        if (how == NGX_HLS_EDIT_FRESH
            || how == NGX_HLS_EDIT_REPLACE
            || (ctx->base >= 0
                && ctx->base <= (int64_t) NGX_HLS_MAX_SEQUENCE
                && ctx->now.dlast <= NGX_HLS_MAX_SEQUENCE))
        {
            break;
        }

        /* numbers that nobody has: begin anew */

        how = NGX_HLS_EDIT_REPLACE;
    }

    ngx_hls_edit_generations(ctx, how);
    ngx_hls_edit_finish(ctx, how);

    return ngx_hls_edit_result(ctx);
}


/* what was served stays */

static ngx_int_t
ngx_hls_edit_nothing(ngx_hls_edit_ctx_t *ctx)
{
    ngx_hls_edit_t  *edit;

    edit = ctx->edit;

    edit->body = edit->served;
    edit->playlist = ctx->old.playlist;
    edit->fresh = ctx->old_base + ctx->old.entries.nelts;

    if (edit->endlist && !edit->playlist.endlist) {
        edit->changed = 1;
        edit->playlist.endlist = 1;

        return ngx_hls_compose_endlist(edit->pool, &edit->body);
    }

    return NGX_OK;
}


/* segments are compared as viewers see them */

static ngx_int_t
ngx_hls_edit_map_list(ngx_hls_edit_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_str_t         uri, mapped;
    ngx_uint_t        i;
    ngx_hls_edit_t   *edit;
    ngx_hls_entry_t  *entry;

    edit = ctx->edit;

    if (!ctx->mapped && !ctx->list.strange) {
        return NGX_OK;
    }

    entry = ctx->list.entries.elts;

    for (i = 0; i < ctx->list.entries.nelts; i++) {

        uri.data = entry[i].uri;
        uri.len = entry[i].uri_len;

        rc = ngx_hls_compare_map(edit, &uri, edit->session, &mapped);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        entry[i].foreign = (rc == NGX_DECLINED);
        entry[i].uri = mapped.data;
        entry[i].uri_len = (uint32_t) mapped.len;
        entry[i].same_len = (uint32_t) mapped.len;
    }

    return NGX_OK;
}


/* the state of the run that the list belongs to */

static void
ngx_hls_edit_begin(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how)
{
    int64_t              next;
    uint64_t             window, target;
    ngx_hls_state_t     *state, *now;
    ngx_hls_playlist_t  *pl;

    state = ctx->state;
    now = &ctx->now;
    pl = &ctx->list.playlist;

    next = (int64_t) state->next + state->offset;

    ngx_memzero(now, sizeof(ngx_hls_state_t));

    switch (how) {

    case NGX_HLS_EDIT_RESTART:
        now->offset = next - (int64_t) pl->sequence;
        now->generation = state->generation + 1;
        now->run = (uint32_t) pl->segments;
        now->flags = NGX_HLS_STATE_JOINED;

        /* what may be listed: the old list and what is there of the new */

        window = ctx->old.playlist.window;

        if ((state->flags & NGX_HLS_STATE_JOINED) && state->window < window) {
            window = state->window;
        }

        window += pl->window;
        now->window = (uint32_t) ngx_min(window, 0xffffffff);

        target = ngx_max(ctx->old.playlist.target, pl->target);
        target = (target + 999) / 1000;
        target = ngx_max(target, state->target);
        now->target = (uint16_t) ngx_min(target, 65535);

        break;

    case NGX_HLS_EDIT_GOES_ON:
        *now = *state;

        if (now->flags & NGX_HLS_STATE_JOINED) {

            target = ngx_max((pl->target + 999) / 1000, state->target);
            now->target = (uint16_t) ngx_min(target, 65535);

            next = (int64_t) (pl->sequence + pl->segments) + state->offset
                   - next;

            now->run = (uint32_t) ngx_min(state->run + next, 0xffffffff);
        }

        /* a name that comes around again is another segment */

        if (ctx->lo < ctx->hi && ngx_hls_compare_returns(ctx)) {
            now->generation++;
        }

        break;

    case NGX_HLS_EDIT_REPLACE:
        now->generation = state->generation + 1;
        break;

    default: /* NGX_HLS_EDIT_FRESH */

        if (ctx->edit->continuity) {
            now->generation = state->generation;
        }

        break;
    }

    ctx->base = (int64_t) pl->sequence + now->offset;

    now->flags |= NGX_HLS_STATE_SET;
}


/*
 * While the first segment of the run is listed, old ones may be in front of
 * it: those that are held, and a few that are not, as gaps between them, for
 * numbers cannot be left out.
 */

static void
ngx_hls_edit_keep(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how)
{
    int64_t              joint, n, before;
    uint64_t             sum, limit;
    ngx_uint_t           hole;
    ngx_hls_entry_t     *old, *entry;
    ngx_hls_state_t     *now;
    ngx_hls_playlist_t  *pl;

    now = &ctx->now;
    pl = &ctx->list.playlist;

    ctx->kept = 0;
    ctx->nkept = 0;
    ctx->insert = 0;

    if (!(now->flags & NGX_HLS_STATE_JOINED)) {
        return;
    }

    n = 0;
    joint = ctx->base + (int64_t) pl->segments - now->run;

    if (ctx->base == joint && now->run != 0xffffffff) {

        entry = ctx->list.entries.elts;

        ctx->insert = (pl->segments && entry->discontinuities == 0)
                      || (!pl->segments && pl->parts
                          && pl->discontinuities == 0);

        n = joint - ctx->old_base;
        n = ngx_min(n, (int64_t) ctx->old.entries.nelts);

        if (n > 0 && !ngx_hls_edit_compatible(ctx, n)) {
            n = 0;
        }
    }

    limit = (now->window > pl->window) ? now->window - pl->window : 0;
    old = ctx->old.entries.elts;
    hole = 0;
    sum = 0;

    for (before = n; before > 0 && n - before < NGX_HLS_EDIT_KEEP; before--) {

        entry = &old[before - 1];
        sum += entry->duration;

        if (sum > limit && !pl->event) {
            break;
        }

        if (ngx_hls_edit_is_held(ctx, entry)) {
            hole = 0;
            ctx->kept = before - 1;
            ctx->nkept = n - ctx->kept;
            continue;
        }

        entry->lost = 1;

        if (++hole > NGX_HLS_EDIT_HOLE) {
            break;
        }
    }

    /* nothing may leave an EVENT playlist */

    before = ngx_min(ctx->base - ctx->old_base,
                     (int64_t) ctx->old.entries.nelts);

    if (before > (int64_t) ctx->nkept
        || (how == NGX_HLS_EDIT_RESTART && !ctx->old.playlist.event))
    {
        now->flags |= NGX_HLS_STATE_CUT;
    }
}


/*
 * Once there was a MAP, nothing says that there is none; and variables are
 * those of the list that defines them.
 */

static ngx_uint_t
ngx_hls_edit_compatible(ngx_hls_edit_ctx_t *ctx, ngx_uint_t n)
{
    ngx_hls_cover_t  *cover;
    ngx_hls_entry_t  *entry;

    if (ctx->old.playlist.define) {
        return 0;
    }

    cover = ctx->old.covers.elts;
    entry = ctx->old.entries.elts;

    if (cover[entry[n - 1].cover].map.len == 0) {
        return 1;
    }

    if (ctx->list.entries.nelts == 0) {
        return ctx->list.cover.map.len != 0;
    }

    cover = ctx->list.covers.elts;

    return cover->map.len != 0;
}


static ngx_uint_t
ngx_hls_edit_is_held(ngx_hls_edit_ctx_t *ctx, ngx_hls_entry_t *entry)
{
    ngx_str_t        uri;
    ngx_hls_edit_t  *edit;

    if (entry->gap) {
        return 0;
    }

    edit = ctx->edit;

    if (edit->held == NULL) {
        return 1;
    }

    uri.data = entry->uri;
    uri.len = entry->uri_len;

    return edit->held(edit->data, &uri);
}


/*
 * A segment keeps the discontinuity number that it was served with, whatever
 * the origin says of it later: some never write DISCONTINUITY-SEQUENCE.
 */

static void
ngx_hls_edit_discontinuities(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how)
{
    int64_t              first, tags, listed;
    ngx_uint_t           i;
    ngx_hls_entry_t     *old, *entry;
    ngx_hls_state_t     *now;
    ngx_hls_playlist_t  *pl;

    now = &ctx->now;
    pl = &ctx->list.playlist;
    old = ctx->old.entries.elts;
    entry = ctx->list.entries.elts;

    /* tags in front of the first segment, as they will be written */

    tags = pl->segments ? entry->discontinuities : 0;
    listed = pl->discontinuity + tags;
    tags += ctx->insert && pl->segments;

    if (ctx->nkept) {
        first = ctx->old.playlist.discontinuity
                + old[ctx->kept + ctx->nkept - 1].discontinuities + tags;

        ctx->dsequence = ctx->old.playlist.discontinuity;

        if (ctx->kept) {
            ctx->dsequence += old[ctx->kept - 1].discontinuities;
        }

    } else {

        if (how == NGX_HLS_EDIT_RESTART) {
            first = ctx->state->dlast + tags;

        } else if (how != NGX_HLS_EDIT_GOES_ON) {
            first = listed;

        } else if (ctx->lo < ctx->hi) {
            first = ctx->old.playlist.discontinuity
                    + old[ctx->lo - ctx->old_base].discontinuities;
            first -= entry[ctx->lo - ctx->base].discontinuities + ctx->insert;
            first = ngx_max(first, (int64_t) ctx->old.playlist.discontinuity);
            first += tags;

        } else if (ctx->state->count
                   && ctx->state->next > pl->sequence
                   && ctx->state->next <= pl->sequence + pl->segments)
        {
            /* the one that was the last is listed, without its body */

            i = ctx->state->next - 1 - pl->sequence;

            first = (int64_t) ctx->state->dlast
                    - entry[i].discontinuities - ctx->insert + tags;

        } else {
            first = ngx_max(listed + ctx->state->doffset,
                            (int64_t) ctx->state->dlast + tags);
        }

        ctx->dsequence = ngx_max(first - tags, 0);
        first = ctx->dsequence + tags;
    }

    now->doffset = first - listed;

    if (pl->segments) {
        now->dlast = first - tags + ctx->list.discontinuities + ctx->insert;

    } else if (how == NGX_HLS_EDIT_FRESH || how == NGX_HLS_EDIT_REPLACE) {
        now->dlast = first;

    } else {
        now->dlast = ngx_max(ctx->state->dlast, ctx->dsequence);
    }
}


static void
ngx_hls_edit_generations(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how)
{
    int64_t           n;
    ngx_uint_t        i;
    ngx_hls_entry_t  *entry, *old;

    if (ctx->now.generation == 0) {
        return;
    }

    entry = ctx->list.entries.elts;
    old = ctx->old.entries.elts;

    for (i = 0; i < ctx->list.entries.nelts; i++) {
        n = ctx->base + (int64_t) i;

        if (how != NGX_HLS_EDIT_GOES_ON || n < ctx->lo || n >= ctx->hi) {
            entry[i].generation = ctx->now.generation;

        } else if (!ctx->partial) {
            entry[i].generation = old[n - ctx->old_base].generation;
        }
    }
}


static void
ngx_hls_edit_finish(ngx_hls_edit_ctx_t *ctx, ngx_uint_t how)
{
    ngx_hls_edit_t      *edit;
    ngx_hls_list_t      *list;
    ngx_hls_state_t     *state, *now;
    ngx_hls_playlist_t  *pl;

    edit = ctx->edit;
    state = ctx->state;
    now = &ctx->now;
    list = &ctx->list;
    pl = &list->playlist;

    now->hash = ngx_hls_edit_hash(edit->origin.data, edit->origin.len);
    now->next = pl->sequence + pl->segments;
    now->count = (uint32_t) pl->segments;
    now->uri = ngx_hls_compare_hash(list->last.data, list->last.len);

    now->flags &= ~(NGX_HLS_STATE_ENDED|NGX_HLS_STATE_PARTS);

    if (pl->endlist) {
        now->flags |= NGX_HLS_STATE_ENDED;
    }

    if (pl->parts) {
        now->flags |= NGX_HLS_STATE_PARTS;
    }

    edit->fresh = ctx->base;
    edit->restarted = (how == NGX_HLS_EDIT_RESTART
                       || how == NGX_HLS_EDIT_REPLACE);

    if (how == NGX_HLS_EDIT_GOES_ON) {
        edit->fresh = ngx_max(ctx->base, (int64_t) state->next
                                         + state->offset);
    }

    edit->advanced = edit->restarted
                     || !(state->flags & NGX_HLS_STATE_SET)
                     || (state->flags & NGX_HLS_STATE_MASTER)
                     || now->next != state->next
                     || now->uri != state->uri
                     || (pl->endlist && !(state->flags & NGX_HLS_STATE_ENDED));

    ctx->sequence = ctx->base - ctx->nkept;

    if (now->flags & NGX_HLS_STATE_JOINED) {

        if ((ngx_msec_t) now->target * 1000 > pl->target) {
            ctx->target = now->target;
        }

        ctx->untyped = (pl->event && (now->flags & NGX_HLS_STATE_CUT))
                       || pl->vod;
    }

    if (ctx->nkept && ctx->old.playlist.version > pl->version) {
        ctx->version = ctx->old.playlist.version;
    }
}


static ngx_int_t
ngx_hls_edit_result(ngx_hls_edit_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_hls_edit_t      *edit;
    ngx_hls_entry_t     *old;
    ngx_hls_playlist_t  *pl;

    edit = ctx->edit;
    pl = &edit->playlist;

    if (ctx->mapped
        || ctx->append
        || (!ctx->master
            && (ctx->now.offset != 0
                || ctx->now.generation != 0
                || ctx->sequence != pl->sequence
                || ctx->dsequence != pl->discontinuity
                || ctx->nkept
                || ctx->insert
                || ctx->target
                || ctx->version
                || ctx->untyped)))
    {
        rc = ngx_hls_compose(ctx);

        if (rc != NGX_OK) {
            return rc;
        }

    } else {
        edit->body = edit->origin;
    }

    edit->changed = (edit->body.len != edit->served.len
                     || ngx_memcmp(edit->body.data, edit->served.data,
                                   edit->body.len)
                        != 0);

    *ctx->state = ctx->now;

    if (ctx->master) {
        return NGX_OK;
    }

    pl->sequence = ctx->sequence;
    pl->discontinuity = ctx->dsequence;
    pl->discontinuities += ctx->insert;
    pl->segments += ctx->nkept;
    pl->uris += ctx->nkept;
    pl->endlist |= ctx->append;

    if (ctx->target) {
        pl->target = (ngx_msec_t) ctx->target * 1000;
    }

    if (ctx->version) {
        pl->version = ctx->version;
    }

    if (ctx->untyped) {
        pl->event = 0;
        pl->vod = 0;
    }

    old = ctx->old.entries.elts;

    for (i = ctx->kept; i < ctx->kept + ctx->nkept; i++) {
        pl->window += old[i].duration;
    }

    if (ctx->nkept) {
        pl->discontinuities += old[i - 1].discontinuities
                               - (ctx->dsequence
                                  - ctx->old.playlist.discontinuity);
    }

    return NGX_OK;
}
