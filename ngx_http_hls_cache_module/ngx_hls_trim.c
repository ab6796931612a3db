
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Another server that has the stream, too, has been listing segments for
 * longer than viewers were without one: its first ones they have seen already,
 * from where they were before.  They are cut off when the run begins, and as
 * long as it lists them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_edit_int.h"


static ngx_uint_t ngx_hls_trim_count(ngx_hls_edit_ctx_t *ctx);
static ngx_uint_t ngx_hls_trim_recent(ngx_hls_edit_ctx_t *ctx);
static ngx_uint_t ngx_hls_trim_run(ngx_hls_edit_ctx_t *ctx);
static u_char *ngx_hls_trim_head(ngx_hls_list_t *list, ngx_uint_t n,
    u_char *data, u_char *dst);
static u_char *ngx_hls_trim_cover(ngx_hls_list_t *list, ngx_uint_t n,
    u_char *dst);
static u_char *ngx_hls_trim_eol(ngx_hls_list_t *list, u_char *dst);


ngx_int_t
ngx_hls_trim(ngx_hls_edit_ctx_t *ctx)
{
    u_char           *p, *end;
    size_t            size;
    ngx_str_t         body;
    ngx_uint_t        i, n;
    ngx_hls_edit_t   *edit;
    ngx_hls_list_t   *list;
    ngx_hls_cover_t  *cover;
    ngx_hls_entry_t  *entry;

    edit = ctx->edit;
    list = &ctx->list;

    n = ngx_hls_trim_count(ctx);

    if (n == 0) {
        return NGX_OK;
    }

    entry = list->entries.elts;
    cover = list->covers.elts;
    cover += entry[n].cover;

    size = edit->origin.len + cover->map.len + 2
           + sizeof("#EXT-X-MEDIA-SEQUENCE:\r\n") + 2 * NGX_INT64_LEN;

    for (i = 0; i < cover->nkeys; i++) {
        size += cover->keys[i].len + 2;
    }

    p = ngx_pnalloc(edit->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body.data = p;
    end = edit->origin.data + edit->origin.len;

    p = ngx_hls_trim_head(list, n, edit->origin.data, p);
    p = ngx_hls_trim_cover(list, n, p);
    p = ngx_cpymem(p, entry[n].start, end - entry[n].start);

    body.len = p - body.data;

    edit->origin = body;

    return ngx_hls_list_read(list, edit->pool, &edit->origin, 0);
}


static ngx_uint_t
ngx_hls_trim_count(ngx_hls_edit_ctx_t *ctx)
{
    ngx_uint_t           n;
    ngx_hls_entry_t     *entry;
    ngx_hls_playlist_t  *pl;

    pl = &ctx->list.playlist;

    if (!ctx->edit->continuity
        || (ctx->state->flags & (NGX_HLS_STATE_SET|NGX_HLS_STATE_MASTER))
           != NGX_HLS_STATE_SET
        || ctx->list.entries.nelts < 2
        || pl->event || pl->vod || pl->endlist || pl->define)
    {
        return 0;
    }

    n = ctx->edit->restart ? ngx_hls_trim_recent(ctx) : ngx_hls_trim_run(ctx);

    if (n == 0) {
        return 0;
    }

    /* a range may begin where the one before ends */

    entry = ctx->list.entries.elts;

    return entry[n].range ? 0 : n;
}


/* up to where viewers are, but the last one, and not beyond a discontinuity */

static ngx_uint_t
ngx_hls_trim_recent(ngx_hls_edit_ctx_t *ctx)
{
    ngx_msec_t        sum;
    ngx_uint_t        n;
    ngx_hls_entry_t  *entry;

    if (ctx->edit->recent == 0) {
        return 0;
    }

    entry = ctx->list.entries.elts;
    sum = 0;

    for (n = ctx->list.entries.nelts - 1; n > 0; n--) {
        sum += entry[n].duration;

        if (sum >= ctx->edit->recent
            || entry[n].discontinuities != entry[n - 1].discontinuities)
        {
            break;
        }
    }

    return n;
}


/* what was cut off when the run began */

static ngx_uint_t
ngx_hls_trim_run(ngx_hls_edit_ctx_t *ctx)
{
    uint64_t             first, last;
    ngx_hls_entry_t     *entry;
    ngx_hls_state_t     *state;
    ngx_hls_playlist_t  *pl;

    state = ctx->state;
    pl = &ctx->list.playlist;

    if (!(state->flags & NGX_HLS_STATE_JOINED)
        || state->run == 0
        || state->run >= state->next)
    {
        return 0;
    }

    first = state->next - state->run;
    last = state->next - 1;

    if (pl->sequence >= first
        || pl->sequence + ctx->list.entries.nelts <= last)
    {
        return 0;
    }

    entry = ctx->list.entries.elts;
    entry += last - pl->sequence;

    if (!(state->flags & NGX_HLS_STATE_PARTS)
        && ngx_hls_compare_hash(entry->uri, entry->uri_len) != state->uri)
    {
        /* numbers begin again */

        return 0;
    }

    return first - pl->sequence;
}


/* what speaks of the whole playlist, with the numbers of entry n */

static u_char *
ngx_hls_trim_head(ngx_hls_list_t *list, ngx_uint_t n, u_char *data,
    u_char *dst)
{
    u_char           *p;
    uint64_t          number;
    ngx_uint_t        rest;
    ngx_hls_line_t    line;
    ngx_hls_entry_t  *entry;

    entry = list->entries.elts;
    rest = 0;

    for (p = data; p < entry[n].start; p = line.end) {

        ngx_hls_playlist_line(p, entry[n].start, &line);

        if (!ngx_hls_list_is_head(line.tag)
            && (rest || line.tag > NGX_HLS_TAG_COMMENT))
        {
            rest = 1;
            continue;
        }

        switch (line.tag) {

        case NGX_HLS_TAG_SEQUENCE:
            number = list->playlist.sequence + n;
            break;

        case NGX_HLS_TAG_DSEQUENCE:
            number = list->playlist.discontinuity
                     + entry[n - 1].discontinuities;
            break;

        default:
            dst = ngx_cpymem(dst, line.start, line.end - line.start);

            /* the first line: there is room for one */

            if (p == data && !list->has_sequence) {
                dst = ngx_sprintf(dst, "#EXT-X-MEDIA-SEQUENCE:%ui", n);
                dst = ngx_hls_trim_eol(list, dst);
            }

            continue;
        }

        dst = ngx_cpymem(dst, line.start, line.value.data - line.start);
        dst = ngx_sprintf(dst, "%uL", number);
        dst = ngx_hls_trim_eol(list, dst);
    }

    return dst;
}


/* what holds for entry n and was said before */

static u_char *
ngx_hls_trim_cover(ngx_hls_list_t *list, ngx_uint_t n, u_char *dst)
{
    ngx_str_t        *text;
    ngx_uint_t        i;
    ngx_hls_cover_t  *cover;
    ngx_hls_entry_t  *entry;

    entry = list->entries.elts;
    entry += n;

    cover = list->covers.elts;
    cover += entry->cover;

    for (i = 0; i <= cover->nkeys; i++) {

        text = i ? &cover->keys[i - 1] : &cover->map;

        if (text->len == 0 || text->data >= entry->start) {
            continue;
        }

        dst = ngx_cpymem(dst, text->data, text->len);
        dst = ngx_hls_trim_eol(list, dst);
    }

    return dst;
}


static u_char *
ngx_hls_trim_eol(ngx_hls_list_t *list, u_char *dst)
{
    if (list->crlf) {
        *dst++ = '\r';
    }

    *dst++ = '\n';

    return dst;
}
