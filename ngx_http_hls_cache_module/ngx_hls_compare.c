
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_edit_int.h"
#include "ngx_hls_uri.h"


#define NGX_HLS_COMPARE_OLDER  2   /* segments that an older copy lacks */
#define NGX_HLS_COMPARE_PROBE  32


static ngx_uint_t ngx_hls_compare_same(ngx_hls_entry_t *a,
    ngx_hls_entry_t *b);
static ngx_uint_t ngx_hls_compare_equal(ngx_hls_entry_t *a,
    ngx_hls_entry_t *b);
static ngx_uint_t ngx_hls_compare_search(ngx_hls_edit_ctx_t *ctx,
    ngx_hls_entry_t *old, ngx_uint_t nold, ngx_hls_entry_t *entry,
    ngx_uint_t n);
static ngx_uint_t ngx_hls_compare_came_back(ngx_hls_edit_ctx_t *ctx);
static size_t ngx_hls_compare_path_len(u_char *p, size_t len);
static ngx_int_t ngx_hls_compare_session(ngx_hls_edit_t *edit,
    ngx_uint_t session, ngx_str_t *args, ngx_str_t *result);


ngx_uint_t
ngx_hls_compare(ngx_hls_edit_ctx_t *ctx)
{
    int64_t              lo, hi;
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

    next = pl->sequence + pl->segments;

    back = pl->sequence < state->next - state->count || next < state->next;

    differs = ngx_hls_compare_overlap(ctx, &lo, &hi, &durations);

    if (differs) {
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
            && hi == ctx->base + (int64_t) pl->segments
            && hi - lo >= 2
            && (pl->sequence > 0 || hi - lo >= 4)
            && durations)
        {
            return NGX_HLS_EDIT_NOTHING;
        }

        restart = 1;

    } else if (lo >= hi) {
        restart = ctx->old.entries.nelts
                  ? ngx_hls_compare_returns(ctx, lo, hi)
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
ngx_hls_compare_overlap(ngx_hls_edit_ctx_t *ctx, int64_t *lo, int64_t *hi,
    ngx_uint_t *durations)
{
    int64_t           n;
    ngx_hls_entry_t  *old, *entry;

    *lo = ngx_max(ctx->base, ctx->run);
    *hi = ngx_min(ctx->base + (int64_t) ctx->list.entries.nelts,
                  ctx->old_base + (int64_t) ctx->old.entries.nelts);
    *durations = 1;

    for (n = *lo; n < *hi; n++) {
        old = (ngx_hls_entry_t *) ctx->old.entries.elts + (n - ctx->old_base);
        entry = (ngx_hls_entry_t *) ctx->list.entries.elts + (n - ctx->base);

        if (!ngx_hls_compare_same(old, entry)) {
            return 1;
        }

        if (old->duration != entry->duration) {
            *durations = 0;
        }
    }

    return 0;
}


/* arguments may differ each time: they may be signed */

static ngx_uint_t
ngx_hls_compare_same(ngx_hls_entry_t *a, ngx_hls_entry_t *b)
{
    size_t  len;

    if (a->offset != b->offset || a->length != b->length) {
        return 0;
    }

    if (a->same_len == b->same_len
        && ngx_memcmp(a->uri, b->uri, a->same_len) == 0)
    {
        return 1;
    }

    len = ngx_hls_compare_path_len(a->uri, a->same_len);

    return len == ngx_hls_compare_path_len(b->uri, b->same_len)
           && ngx_memcmp(a->uri, b->uri, len) == 0;
}


ngx_uint_t
ngx_hls_compare_returns(ngx_hls_edit_ctx_t *ctx, int64_t lo, int64_t hi)
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

    if (lo < hi) {
        nold = lo - ctx->run;
        entry += hi - ctx->base;
        n -= hi - ctx->base;
    }

    return ngx_hls_compare_search(ctx, old, nold, entry, n);
}


static ngx_uint_t
ngx_hls_compare_equal(ngx_hls_entry_t *a, ngx_hls_entry_t *b)
{
    return a->same_len == b->same_len
           && a->offset == b->offset
           && a->length == b->length
           && ngx_memcmp(a->uri, b->uri, a->same_len) == 0;
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

            if (ngx_hls_compare_equal(&old[i], &entry[table[k] - 1])) {
                return 1;
            }
        }
    }

    return 0;
}


/* all that is known of the old list is its last URI */

static ngx_uint_t
ngx_hls_compare_came_back(ngx_hls_edit_ctx_t *ctx)
{
    uint64_t          number;
    ngx_uint_t        i;
    ngx_hls_entry_t  *entry;

    entry = ctx->list.entries.elts;

    for (i = 0; i < ctx->list.entries.nelts; i++) {
        number = ctx->list.playlist.sequence + i;

        if (number + 1 != ctx->state->next
            && ngx_hls_compare_hash(entry[i].uri, entry[i].uri_len)
               == ctx->state->uri)
        {
            return 1;
        }
    }

    return 0;
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

    if (bare && !ref.absolute) {
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
