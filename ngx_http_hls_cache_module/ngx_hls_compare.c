
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_edit_int.h"
#include "ngx_hls_uri.h"


#define NGX_HLS_COMPARE_OLDER  2   /* segments that an older copy lacks */
#define NGX_HLS_COMPARE_PROBE  32


static ngx_int_t ngx_hls_compare_read_part(ngx_hls_edit_ctx_t *ctx);
static ngx_uint_t ngx_hls_compare_ranges(ngx_hls_edit_ctx_t *ctx,
    ngx_hls_entry_t *old, ngx_hls_entry_t *entry);
static ngx_uint_t ngx_hls_compare_equal(ngx_hls_edit_ctx_t *ctx,
    ngx_hls_entry_t *old, ngx_hls_entry_t *entry);
static ngx_uint_t ngx_hls_compare_search(ngx_hls_edit_ctx_t *ctx,
    ngx_hls_entry_t *old, ngx_uint_t nold, ngx_hls_entry_t *entry,
    ngx_uint_t n);
static ngx_uint_t ngx_hls_compare_came_back(ngx_hls_edit_ctx_t *ctx);
static size_t ngx_hls_compare_path_len(u_char *p, size_t len);
static ngx_int_t ngx_hls_compare_session(ngx_hls_edit_t *edit,
    ngx_uint_t session, ngx_str_t *args, ngx_str_t *result);


ngx_int_t
ngx_hls_compare_read(ngx_hls_edit_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_str_t         args, rest;
    ngx_uint_t        i, generation;
    ngx_hls_edit_t   *edit;
    ngx_hls_entry_t  *entry;
    ngx_hls_state_t  *state;

    edit = ctx->edit;
    state = ctx->state;

    ctx->old_base = (int64_t) state->next + state->offset;
    ctx->run = ctx->old_base;

    if (!edit->continuity
        || (state->flags & (NGX_HLS_STATE_SET|NGX_HLS_STATE_MASTER))
           != NGX_HLS_STATE_SET
        || edit->served.len == 0)
    {
        return NGX_OK;
    }

    rc = ngx_hls_compare_read_part(ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_hls_list_read(&ctx->old, edit->pool, &edit->served, 0);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK
        || ctx->old.playlist.master
        || ctx->old.playlist.skipped
        || (int64_t) (ctx->old.playlist.sequence + ctx->old.entries.nelts)
           != ctx->old_base)
    {
        /* not what the state belongs to */

        ngx_memzero(&ctx->old, sizeof(ngx_hls_list_t));
        return NGX_OK;
    }

    ctx->old_base = (int64_t) ctx->old.playlist.sequence;

    ctx->run = ctx->old_base;

    if (state->flags & NGX_HLS_STATE_JOINED) {
        ctx->run = ngx_max(ctx->run, (int64_t) state->next + state->offset
                                     - state->run);
    }

    if (state->generation == 0) {
        return NGX_OK;
    }

    entry = ctx->old.entries.elts;

    for (i = 0; i < ctx->old.entries.nelts; i++) {

        args.data = memchr(entry[i].uri, '?', entry[i].uri_len);

        if (args.data == NULL) {
            continue;
        }

        args.data++;
        args.len = entry[i].uri + entry[i].uri_len - args.data;

        rest.data = memchr(args.data, '#', args.len);

        if (rest.data) {
            args.len = rest.data - args.data;
        }

        generation = ngx_hls_args_generation(&args, &rest);

        if (generation == 0 || generation > state->generation) {
            continue;
        }

        entry[i].generation = (uint32_t) generation;
        entry[i].same_len = (uint32_t) (rest.data + rest.len - entry[i].uri);

        if (rest.len == 0) {
            /* the question mark */
            entry[i].same_len--;
        }
    }

    return NGX_OK;
}


/*
 * Most lists differ from the one before in that segments have left and come:
 * if the bytes between are the same, so are the segments, and the old list
 * need not be read.  NGX_DECLINED: they are not.
 */

static ngx_int_t
ngx_hls_compare_read_part(ngx_hls_edit_ctx_t *ctx)
{
    u_char           *p, *end;
    size_t            len;
    uint64_t          left, both;
    ngx_int_t         rc;
    ngx_hls_edit_t   *edit;
    ngx_hls_list_t   *list, *old;
    ngx_hls_entry_t  *entry;
    ngx_hls_state_t  *state;

    edit = ctx->edit;
    list = &ctx->list;
    old = &ctx->old;
    state = ctx->state;

    if (state->offset != 0
        || state->generation != 0
        || edit->restart
        || edit->moved
        || list->strange
        || ctx->mapped
        || list->playlist.sequence < state->next - state->count
        || list->playlist.sequence >= state->next
        || list->playlist.sequence + list->entries.nelts < state->next)
    {
        return NGX_DECLINED;
    }

    left = list->playlist.sequence - (state->next - state->count);
    both = state->next - list->playlist.sequence;

    rc = ngx_hls_list_read(old, edit->pool, &edit->served, left + 1);

    if (rc != NGX_OK) {
        return rc;
    }

    if (old->playlist.master
        || old->playlist.skipped
        || old->playlist.sequence != state->next - state->count
        || old->entries.nelts != left + 1)
    {
        return NGX_DECLINED;
    }

    /* from behind the first one that is in both to the end of the last one */

    p = ngx_hls_list_end(list, 0);
    end = ngx_hls_list_end(list, both - 1);
    len = end - p;

    entry = old->entries.elts;

    if (!ngx_hls_compare_same(ctx, &entry[left], list->entries.elts)
        || (size_t) (edit->served.data + edit->served.len - old->next) < len
        || ngx_memcmp(old->next, p, len) != 0)
    {
        return NGX_DECLINED;
    }

    ctx->old_base = (int64_t) old->playlist.sequence;
    ctx->run = ctx->old_base;
    ctx->partial = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_hls_compare(ngx_hls_edit_ctx_t *ctx)
{
    uint64_t             next;
    ngx_uint_t           back, differs, durations, restart;
    ngx_hls_state_t     *state;
    ngx_hls_playlist_t  *pl;

    state = ctx->state;
    pl = &ctx->list.playlist;

    if (!ctx->edit->continuity
        || (state->flags & (NGX_HLS_STATE_SET|NGX_HLS_STATE_MASTER))
           != NGX_HLS_STATE_SET)
    {
        return NGX_HLS_EDIT_FRESH;
    }

    if (pl->segments == 0 && pl->parts == 0 && ctx->old.entries.nelts) {
        return NGX_HLS_EDIT_NOTHING;
    }

    if (ctx->partial) {

        /* all that is in both lists is the same, byte by byte */

        ctx->lo = ctx->base;
        ctx->hi = (int64_t) state->next + state->offset;

        return NGX_HLS_EDIT_GOES_ON;
    }

    next = pl->sequence + pl->segments;

    back = pl->sequence < state->next - state->count || next < state->next;

    differs = ngx_hls_compare_overlap(ctx, &durations);

    if (differs
        || ctx->edit->restart
        || (ctx->edit->moved && (ctx->lo >= ctx->hi || !durations)))
    {
        restart = 1;

    } else if (back) {

        /*
         * One of several caches between may have an older copy: the same
         * segments without the newest.  A stream that begins again has but a
         * few.
         */

        if (next < state->next
            && state->next - next <= NGX_HLS_COMPARE_OLDER
            && ctx->base <= ctx->run
            && ctx->hi == ctx->base + (int64_t) pl->segments
            && ctx->hi - ctx->lo >= (pl->sequence ? 2 : 4)
            && durations)
        {
            return NGX_HLS_EDIT_NOTHING;
        }

        restart = 1;

    } else if (ctx->lo >= ctx->hi) {
        restart = ctx->old.entries.nelts
                  ? ngx_hls_compare_returns(ctx)
                  : ngx_hls_compare_came_back(ctx);

    } else {
        restart = 0;
    }

    if (!restart) {
        return NGX_HLS_EDIT_GOES_ON;
    }

    return ((state->flags & NGX_HLS_STATE_ENDED) && pl->endlist)
           ? NGX_HLS_EDIT_REPLACE : NGX_HLS_EDIT_RESTART;
}


ngx_uint_t
ngx_hls_compare_overlap(ngx_hls_edit_ctx_t *ctx, ngx_uint_t *durations)
{
    int64_t           n;
    ngx_hls_entry_t  *old, *entry;

    ctx->lo = ngx_max(ctx->base, ctx->run);
    ctx->hi = ngx_min(ctx->base + (int64_t) ctx->list.entries.nelts,
                      ctx->old_base + (int64_t) ctx->old.entries.nelts);
    *durations = 1;

    for (n = ctx->lo; n < ctx->hi; n++) {
        old = (ngx_hls_entry_t *) ctx->old.entries.elts + (n - ctx->old_base);
        entry = (ngx_hls_entry_t *) ctx->list.entries.elts + (n - ctx->base);

        if (!ngx_hls_compare_same(ctx, old, entry)) {
            return 1;
        }

        if (old->duration != entry->duration) {
            *durations = 0;
        }
    }

    return 0;
}


/* arguments may differ each time: they may be signed */

ngx_uint_t
ngx_hls_compare_same(ngx_hls_edit_ctx_t *ctx, ngx_hls_entry_t *old,
    ngx_hls_entry_t *entry)
{
    size_t  len;

    if (!ngx_hls_compare_ranges(ctx, old, entry)) {
        return 0;
    }

    if (old->same_len == entry->same_len
        && ngx_memcmp(old->uri, entry->uri, old->same_len) == 0)
    {
        return 1;
    }

    len = ngx_hls_compare_path_len(old->uri, old->same_len);

    return len == ngx_hls_compare_path_len(entry->uri, entry->same_len)
           && ngx_memcmp(old->uri, entry->uri, len) == 0;
}


static ngx_uint_t
ngx_hls_compare_ranges(ngx_hls_edit_ctx_t *ctx, ngx_hls_entry_t *old,
    ngx_hls_entry_t *entry)
{
    ngx_hls_range_t  *a, *b;

    if (old->range == 0 && entry->range == 0) {
        return 1;
    }

    a = ngx_hls_list_range(&ctx->old, old);
    b = ngx_hls_list_range(&ctx->list, entry);

    return a->offset == b->offset && a->length == b->length;
}


ngx_uint_t
ngx_hls_compare_returns(ngx_hls_edit_ctx_t *ctx)
{
    ngx_uint_t        n, nold;
    ngx_hls_entry_t  *old, *entry;

    /* those that have left, and those that are new */

    old = ctx->old.entries.elts;
    nold = ctx->old.entries.nelts;
    entry = ctx->list.entries.elts;
    n = ctx->list.entries.nelts;

    if (nold == 0 || n == 0) {
        return 0;
    }

    old += ctx->run - ctx->old_base;
    nold -= ctx->run - ctx->old_base;

    if (ctx->lo < ctx->hi) {
        nold = ctx->lo - ctx->run;
        entry += ctx->hi - ctx->base;
        n -= ctx->hi - ctx->base;
    }

    return ngx_hls_compare_search(ctx, old, nold, entry, n);
}


static ngx_uint_t
ngx_hls_compare_equal(ngx_hls_edit_ctx_t *ctx, ngx_hls_entry_t *old,
    ngx_hls_entry_t *entry)
{
    return old->same_len == entry->same_len
           && ngx_memcmp(old->uri, entry->uri, old->same_len) == 0
           && ngx_hls_compare_ranges(ctx, old, entry);
}


static ngx_uint_t
ngx_hls_compare_search(ngx_hls_edit_ctx_t *ctx, ngx_hls_entry_t *old,
    ngx_uint_t nold, ngx_hls_entry_t *entry, ngx_uint_t n)
{
    uint32_t    *table, hash;
    ngx_uint_t   i, k, size, probe;

    if (nold == 0 || n == 0) {
        return 0;
    }

    for (size = 16; size < 2 * n; size *= 2) { /* void */ }

    table = ngx_pcalloc(ctx->edit->pool, size * sizeof(uint32_t));
    if (table == NULL) {
        return 0;
    }

    /* names may have been chosen to collide: probing is bounded */

    for (i = 0; i < n; i++) {
        hash = ngx_murmur_hash2(entry[i].uri, entry[i].same_len);

        for (probe = 0; probe < NGX_HLS_COMPARE_PROBE; probe++) {
            k = (hash + probe) & (size - 1);

            if (table[k] == 0) {
                table[k] = i + 1;
                break;
            }
        }
    }

    for (i = 0; i < nold; i++) {

        if (old[i].generation != ctx->state->generation) {
            continue;
        }

        hash = ngx_murmur_hash2(old[i].uri, old[i].same_len);

        for (probe = 0; probe < NGX_HLS_COMPARE_PROBE; probe++) {
            k = (hash + probe) & (size - 1);

            if (table[k] == 0) {
                break;
            }

            if (ngx_hls_compare_equal(ctx, &old[i], &entry[table[k] - 1])) {
                return 1;
            }
        }
    }

    return 0;
}


/* all that is known of the old list is its last name */

static ngx_uint_t
ngx_hls_compare_came_back(ngx_hls_edit_ctx_t *ctx)
{
    uint32_t          hash, last;
    uint64_t          number;
    ngx_uint_t        i, same, found;
    ngx_hls_entry_t  *entry;
    ngx_hls_state_t  *state;

    state = ctx->state;
    entry = ctx->list.entries.elts;
    last = 0;
    found = 0;

    for (i = 0; i < ctx->list.entries.nelts; i++) {
        number = ctx->list.playlist.sequence + i;

        hash = ngx_hls_compare_hash(entry[i].uri, entry[i].uri_len);

        if (entry[i].range || (i && hash == last)) {
            /* a name is not that of one segment */
            return 0;
        }

        last = hash;
        same = (hash == state->uri);

        if (number + 1 != state->next) {
            found |= same;

        } else if (state->count && !(state->flags & NGX_HLS_STATE_PARTS)) {
            found |= !same;
        }
    }

    return found;
}


uint32_t
ngx_hls_compare_hash(u_char *p, size_t len)
{
    u_char  *last, *name;

    last = p + ngx_hls_compare_path_len(p, len);

    for (name = last; name > p && name[-1] != '/'; name--) {
        /* void */
    }

    return ngx_murmur_hash2(name, last - name);
}


static size_t
ngx_hls_compare_path_len(u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (p[i] == '?' || p[i] == '#') {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_hls_compare_map(ngx_hls_edit_t *edit, ngx_str_t *uri, ngx_uint_t session,
    ngx_str_t *mapped)
{
    u_char         *p;
    size_t          prefix;
    ngx_int_t       rc;
    ngx_str_t       rest, args;
    ngx_uint_t      bare;
    ngx_hls_ref_t   ref;

    *mapped = *uri;

    rc = ngx_hls_uri_split(edit->pool, uri, &ref, &prefix, &rest);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ref.absolute) {

        if (edit->own == NULL || !edit->own(edit->data, &ref.host, ref.port)) {
            return NGX_DECLINED;
        }

        /* two slashes would name a host */

        while (ref.path.len > 1 && ref.path.data[1] == '/') {
            ref.path.data++;
            ref.path.len--;
        }
    }

    if (ngx_hls_compare_session(edit, session, &ref.args, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    bare = (args.data == ref.args.data && args.len == ref.args.len);

    if (!ref.absolute && (bare || (ref.path.len == 0 && args.len == 0))) {

        /* nothing changes, or nothing would be left */

        return NGX_OK;
    }

    p = ngx_pnalloc(edit->pool, 1 + ref.path.len + 1 + args.len + rest.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    mapped->data = p;

    if (ref.absolute && ref.path.len == 0) {
        *p++ = '/';
    }

    p = ngx_cpymem(p, ref.path.data, ref.path.len);

    if (!bare) {

        if (args.len) {
            *p++ = '?';
            p = ngx_cpymem(p, args.data, args.len);
        }

        rest.len -= 1 + ref.args.len;
        rest.data += 1 + ref.args.len;
    }

    p = ngx_cpymem(p, rest.data, rest.len);

    mapped->len = p - mapped->data;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_compare_session(ngx_hls_edit_t *edit, ngx_uint_t session,
    ngx_str_t *args, ngx_str_t *result)
{
    u_char      *p;
    ngx_str_t    rest, name, value, whole, *names;
    ngx_uint_t   i, n, found;

    *result = *args;

    if (session == NGX_HLS_SESSION_KEEP
        || edit->session_args == NULL
        || args->len == 0)
    {
        return NGX_OK;
    }

    if (session == NGX_HLS_SESSION_REMOVE) {
        return ngx_hls_args_remove(edit->pool, args, edit->session_args,
                                   result);
    }

    names = edit->session_args->elts;
    rest = *args;
    n = 0;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {
        n++;
    }

    p = ngx_pnalloc(edit->pool,
                    args->len + n * (edit->session_value.len + 2));
    if (p == NULL) {
        return NGX_ERROR;
    }

    result->data = p;
    rest = *args;
    found = 0;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        if (p > result->data) {
            *p++ = '&';
        }

        for (i = 0; i < edit->session_args->nelts; i++) {

            if (names[i].len == name.len
                && ngx_memcmp(names[i].data, name.data, name.len) == 0)
            {
                break;
            }
        }

        if (i == edit->session_args->nelts) {
            p = ngx_cpymem(p, whole.data, whole.len);
            continue;
        }

        found = 1;

        p = ngx_cpymem(p, name.data, name.len);
        *p++ = '=';
        p = ngx_cpymem(p, edit->session_value.data, edit->session_value.len);
    }

    result->len = p - result->data;

    if (!found) {
        *result = *args;
    }

    return NGX_OK;
}
