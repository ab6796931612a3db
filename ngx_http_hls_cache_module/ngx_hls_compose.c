
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_edit_int.h"


#define NGX_HLS_COMPOSE_MAX    (64 * 1024 * 1024)

/*
 * With segments of an older run the list is walked twice: first what speaks
 * of the whole playlist, then the rest with the old segments in front.
 */

#define NGX_HLS_COMPOSE_ALL    0
#define NGX_HLS_COMPOSE_HEAD   1
#define NGX_HLS_COMPOSE_REST   2


typedef struct {
    ngx_hls_edit_ctx_t   *ctx;
    ngx_uint_t            pass;
    ngx_uint_t            index;       /* of the segment that a line is of */
    u_char               *start;
    u_char               *pos;
    u_char               *last;
    ngx_str_t             eol;
    ngx_hls_line_t        key;         /* that is said for each segment */
    ngx_hls_uri_t         key_uri;
    unsigned              has_key:1;
    unsigned              key_due:1;
    unsigned              rest:1;      /* the head of the list is over */
    unsigned              joined:1;    /* old segments are written */
} ngx_hls_compose_t;


static ngx_int_t ngx_hls_compose_line(void *data,
    ngx_hls_playlist_t *playlist, ngx_hls_line_t *line);
static ngx_int_t ngx_hls_compose_tag(ngx_hls_compose_t *c,
    ngx_hls_playlist_t *playlist, ngx_hls_line_t *line);
static ngx_int_t ngx_hls_compose_first(ngx_hls_compose_t *c,
    ngx_hls_playlist_t *playlist, ngx_hls_line_t *line);
static ngx_int_t ngx_hls_compose_number(ngx_hls_compose_t *c,
    ngx_hls_line_t *line, uint64_t number);
static ngx_int_t ngx_hls_compose_key(ngx_hls_compose_t *c,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_compose_iv(ngx_hls_compose_t *c);
static ngx_int_t ngx_hls_compose_uri(ngx_hls_compose_t *c,
    ngx_hls_line_t *line, ngx_hls_uri_t *uri, u_char *last);
static ngx_int_t ngx_hls_compose_generation(ngx_hls_compose_t *c,
    ngx_str_t *uri, ngx_uint_t generation);
static ngx_int_t ngx_hls_compose_joint(ngx_hls_compose_t *c);
static ngx_int_t ngx_hls_compose_old(ngx_hls_compose_t *c, ngx_uint_t i);
static ngx_int_t ngx_hls_compose_cover(ngx_hls_compose_t *c,
    ngx_hls_entry_t *entry, u_char *end);
static ngx_uint_t ngx_hls_compose_keys_end(ngx_hls_edit_ctx_t *ctx);
static ngx_int_t ngx_hls_compose_text(ngx_hls_compose_t *c, char *text);
static ngx_int_t ngx_hls_compose_eol(ngx_hls_compose_t *c);
static ngx_int_t ngx_hls_compose_whole(ngx_hls_compose_t *c,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_compose_bytes(ngx_hls_compose_t *c, u_char *data,
    size_t len);
static ngx_int_t ngx_hls_compose_reserve(ngx_hls_compose_t *c, size_t len);


ngx_int_t
ngx_hls_compose(ngx_hls_edit_ctx_t *ctx)
{
    u_char              *end;
    size_t               size;
    ngx_int_t            rc;
    ngx_hls_edit_t      *edit;
    ngx_hls_entry_t     *old;
    ngx_hls_compose_t    c;
    ngx_hls_playlist_t   playlist;

    edit = ctx->edit;

    ngx_memzero(&c, sizeof(ngx_hls_compose_t));

    c.ctx = ctx;
    c.eol.len = ctx->list.crlf ? 2 : 1;
    c.eol.data = (u_char *) "\r\n" + (2 - c.eol.len);

    /* usually enough */

    size = edit->origin.len + 16 * ctx->list.playlist.uris + 256;

    if (ctx->nkept) {
        old = ctx->old.entries.elts;
        size += ngx_hls_list_end(&ctx->old, ctx->kept + ctx->nkept - 1)
                - old[ctx->kept].start;
    }

    rc = ngx_hls_compose_reserve(&c, size);

    if (rc != NGX_OK) {
        return rc;
    }

    end = edit->origin.data + edit->origin.len;

    if (ctx->nkept || ctx->insert) {
        c.pass = NGX_HLS_COMPOSE_HEAD;

        rc = ngx_hls_playlist_walk(edit->origin.data, end, &playlist,
                                   ngx_hls_compose_line, &c);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }

        c.pass = NGX_HLS_COMPOSE_REST;
        c.rest = 0;
    }

    rc = ngx_hls_playlist_walk(edit->origin.data, end, &playlist,
                               ngx_hls_compose_line, &c);

    if (rc != NGX_OK) {
        return rc;
    }

    if (c.pass == NGX_HLS_COMPOSE_REST && !c.joined) {
        rc = ngx_hls_compose_joint(&c);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->append) {

        rc = ngx_hls_compose_eol(&c);

        if (rc == NGX_OK) {
            rc = ngx_hls_compose_text(&c, "#EXT-X-ENDLIST");
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    edit->body.data = c.start;
    edit->body.len = c.pos - c.start;

    return NGX_OK;
}


ngx_int_t
ngx_hls_compose_endlist(ngx_pool_t *pool, ngx_str_t *body)
{
    u_char     *p;
    ngx_uint_t  crlf;

    crlf = (body->len > 1 && body->data[body->len - 1] == '\n'
            && body->data[body->len - 2] == '\r');

    p = ngx_pnalloc(pool, body->len + sizeof("\n#EXT-X-ENDLIST\r\n") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = ngx_cpymem(p, body->data, body->len) - body->len;
    p += body->len;

    if (p[-1] != '\n') {
        *p++ = '\n';
    }

    p = ngx_cpymem(p, "#EXT-X-ENDLIST", sizeof("#EXT-X-ENDLIST") - 1);

    if (crlf) {
        *p++ = '\r';
    }

    *p++ = '\n';

    body->len = p - body->data;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_compose_line(void *data, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line)
{
    ngx_hls_compose_t *c = data;

    ngx_int_t   rc;
    ngx_uint_t  head;

    c->index = playlist->segments
               - (line->uri && line->uri->type == NGX_HLS_URI_SEGMENT);

    head = ngx_hls_list_is_head(line->tag)
           || (!c->rest && line->tag <= NGX_HLS_TAG_COMMENT);

    if (!head) {
        c->rest = 1;
    }

    if (c->pass == NGX_HLS_COMPOSE_HEAD) {

        if (line->tag == NGX_HLS_TAG_URI) {
            return NGX_DONE;
        }

        return head ? ngx_hls_compose_tag(c, playlist, line) : NGX_OK;
    }

    if (c->pass == NGX_HLS_COMPOSE_REST) {

        if (head && playlist->segments == 0) {
            return NGX_OK;
        }

        if (!c->joined) {
            rc = ngx_hls_compose_joint(c);

            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    if (c->key_due
        && line->tag >= NGX_HLS_TAG_SEGMENT
        && line->tag != NGX_HLS_TAG_KEY)
    {
        c->key_due = 0;

        rc = ngx_hls_compose_iv(c);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_hls_compose_tag(c, playlist, line);

    if (line->tag == NGX_HLS_TAG_URI) {
        c->key_due = c->has_key;
    }

    return rc;
}


static ngx_int_t
ngx_hls_compose_tag(ngx_hls_compose_t *c, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line)
{
    ngx_hls_edit_ctx_t  *ctx;

    ctx = c->ctx;

    if (!ctx->master) {

        switch (line->tag) {

        case NGX_HLS_TAG_M3U:
            return ngx_hls_compose_first(c, playlist, line);

        case NGX_HLS_TAG_VERSION:
            return ctx->version ? ngx_hls_compose_number(c, line, ctx->version)
                                : ngx_hls_compose_whole(c, line);

        case NGX_HLS_TAG_TARGET:
            return ctx->target ? ngx_hls_compose_number(c, line, ctx->target)
                               : ngx_hls_compose_whole(c, line);

        case NGX_HLS_TAG_SEQUENCE:
            return ngx_hls_compose_number(c, line, ctx->sequence);

        case NGX_HLS_TAG_DSEQUENCE:
            return ngx_hls_compose_number(c, line, ctx->dsequence);

        case NGX_HLS_TAG_TYPE:
            return ctx->untyped ? NGX_OK : ngx_hls_compose_whole(c, line);

        case NGX_HLS_TAG_REPORT:

            /* the numbers of another playlist have another offset */

            if (ctx->now.offset != 0) {
                return NGX_OK;
            }

            break;

        case NGX_HLS_TAG_HINT:

            if (ctx->append) {
                return NGX_OK;
            }

            break;

        case NGX_HLS_TAG_KEY:
            return ngx_hls_compose_key(c, line);

        default:
            break;
        }
    }

    if (line->uri) {
        return ngx_hls_compose_uri(c, line, line->uri, line->end);
    }

    return ngx_hls_compose_whole(c, line);
}


/* EXTM3U, and behind it the numbers that the origin does not write */

static ngx_int_t
ngx_hls_compose_first(ngx_hls_compose_t *c, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line)
{
    u_char               buf[sizeof("#EXT-X-DISCONTINUITY-SEQUENCE:")
                             + NGX_INT64_LEN];
    ngx_int_t            rc;
    ngx_hls_edit_ctx_t  *ctx;

    ctx = c->ctx;

    rc = ngx_hls_compose_whole(c, line);

    if (playlist->lines > 1) {
        return rc;
    }

    if (rc == NGX_OK) {
        rc = ngx_hls_compose_eol(c);
    }

    if (rc == NGX_OK && ctx->version && ctx->list.playlist.version == 0) {
        *ngx_sprintf(buf, "#EXT-X-VERSION:%ui", ctx->version) = '\0';
        rc = ngx_hls_compose_text(c, (char *) buf);
    }

    if (rc == NGX_OK && ctx->target && !ctx->list.has_target) {
        *ngx_sprintf(buf, "#EXT-X-TARGETDURATION:%ui", ctx->target) = '\0';
        rc = ngx_hls_compose_text(c, (char *) buf);
    }

    if (rc == NGX_OK && ctx->sequence && !ctx->list.has_sequence) {
        *ngx_sprintf(buf, "#EXT-X-MEDIA-SEQUENCE:%uL", ctx->sequence) = '\0';
        rc = ngx_hls_compose_text(c, (char *) buf);
    }

    if (rc == NGX_OK && ctx->dsequence && !ctx->list.has_dsequence) {
        *ngx_sprintf(buf, "#EXT-X-DISCONTINUITY-SEQUENCE:%uL",
                     ctx->dsequence) = '\0';
        rc = ngx_hls_compose_text(c, (char *) buf);
    }

    return rc;
}


/* the bytes of the origin, if they say the same */

static ngx_int_t
ngx_hls_compose_number(ngx_hls_compose_t *c, ngx_hls_line_t *line,
    uint64_t number)
{
    u_char     buf[NGX_INT64_LEN], *p;
    uint64_t   n;
    ngx_int_t  rc;

    if (ngx_hls_playlist_number(&line->value, (uint64_t) 1 << 62, &n)
        == NGX_OK
        && n == number)
    {
        return ngx_hls_compose_whole(c, line);
    }

    rc = ngx_hls_compose_bytes(c, line->start,
                               line->value.data - line->start);

    if (rc == NGX_OK) {
        p = ngx_sprintf(buf, "%uL", number);
        rc = ngx_hls_compose_bytes(c, buf, p - buf);
    }

    if (rc == NGX_OK) {
        rc = ngx_hls_compose_bytes(c, line->last, line->end - line->last);
    }

    return rc;
}


/*
 * A key without IV has the number of the segment for it, as the origin counts:
 * it must be said where viewers count in another way.
 */

static ngx_int_t
ngx_hls_compose_key(ngx_hls_compose_t *c, ngx_hls_line_t *line)
{
    ngx_str_t            format, method;
    ngx_hls_edit_ctx_t  *ctx;

    ctx = c->ctx;

    if (ctx->list.implicit && ctx->now.offset != 0) {

        if (line->uri && ngx_hls_list_implicit(&line->value)) {
            c->key = *line;
            c->key_uri = *line->uri;
            c->has_key = 1;
            c->key_due = 0;

            return ngx_hls_compose_iv(c);
        }

        ngx_hls_list_key_format(&line->value, &format);

        if (ngx_hls_playlist_attribute(&line->value, "METHOD", 6, &method)
            != NGX_OK
            || (method.len == 4
                && ngx_strncmp(method.data, "NONE", 4) == 0)
            || (format.len == 8
                && ngx_strncmp(format.data, "identity", 8) == 0))
        {
            c->has_key = 0;
            c->key_due = 0;
        }
    }

    if (line->uri) {
        return ngx_hls_compose_uri(c, line, line->uri, line->end);
    }

    return ngx_hls_compose_whole(c, line);
}


static ngx_int_t
ngx_hls_compose_iv(ngx_hls_compose_t *c)
{
    u_char               buf[sizeof(",IV=0x") + 32], *p;
    uint64_t             sequence;
    ngx_int_t            rc;
    ngx_hls_playlist_t  *pl;

    pl = &c->ctx->list.playlist;

    sequence = pl->sequence + c->index;

    rc = ngx_hls_compose_uri(c, &c->key, &c->key_uri, c->key.last);

    if (rc == NGX_OK) {
        p = ngx_sprintf(buf, ",IV=0x%016xL%016xL", (uint64_t) 0, sequence);
        rc = ngx_hls_compose_bytes(c, buf, p - buf);
    }

    if (rc == NGX_OK) {
        rc = ngx_hls_compose_bytes(c, c->eol.data, c->eol.len);
    }

    return rc;
}


/* a line up to last, with its URI as viewers see it */

static ngx_int_t
ngx_hls_compose_uri(ngx_hls_compose_t *c, ngx_hls_line_t *line,
    ngx_hls_uri_t *uri, u_char *last)
{
    u_char              *end;
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_uint_t           session, generation;
    ngx_hls_edit_t      *edit;
    ngx_hls_entry_t     *entry;
    ngx_hls_edit_ctx_t  *ctx;

    ctx = c->ctx;
    edit = ctx->edit;

    generation = 0;
    session = edit->session;

    switch (uri->type) {

    case NGX_HLS_URI_SEGMENT:
    case NGX_HLS_URI_MAP:
    case NGX_HLS_URI_PART:
    case NGX_HLS_URI_HINT:
        generation = 1;
        break;

    case NGX_HLS_URI_KEY:
        generation = !ctx->master;
        break;

    default:
        session = edit->master_session;
        break;
    }

    if (ctx->master) {
        session = edit->master_session;
    }

    end = uri->uri.data + uri->uri.len;
    text = uri->uri;
    rc = NGX_OK;

    if (ctx->mapped || ctx->list.strange) {
        rc = ngx_hls_compare_map(edit, &uri->uri, session, &text);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (generation) {
        generation = ctx->now.generation;

        if (c->index < ctx->list.entries.nelts) {
            entry = ctx->list.entries.elts;
            generation = entry[c->index].generation;
        }
    }

    if (rc == NGX_DECLINED) {
        generation = 0;
    }

    rc = ngx_hls_compose_bytes(c, line->start, uri->uri.data - line->start);

    if (rc == NGX_OK) {
        rc = ngx_hls_compose_generation(c, &text, generation);
    }

    if (rc == NGX_OK) {
        rc = ngx_hls_compose_bytes(c, end, last - end);
    }

    return rc;
}


static ngx_int_t
ngx_hls_compose_generation(ngx_hls_compose_t *c, ngx_str_t *uri,
    ngx_uint_t generation)
{
    u_char     buf[sizeof("&g=") + NGX_INT_T_LEN], *p, *q, *fragment;
    size_t     len;
    ngx_int_t  rc;

    if (generation == 0) {
        return ngx_hls_compose_bytes(c, uri->data, uri->len);
    }

    /* a variable may hold anything */

    for (p = uri->data, len = uri->len; len > 1; p++, len--) {
        if (p[0] == '{' && p[1] == '$') {
            return ngx_hls_compose_bytes(c, uri->data, uri->len);
        }
    }

    fragment = memchr(uri->data, '#', uri->len);
    len = fragment ? (size_t) (fragment - uri->data) : uri->len;

    rc = ngx_hls_compose_bytes(c, uri->data, len);

    if (rc != NGX_OK) {
        return rc;
    }

    p = buf;
    q = memchr(uri->data, '?', len);

    if (q == NULL) {
        *p++ = '?';

    } else if (uri->data[len - 1] != '?' && uri->data[len - 1] != '&') {
        *p++ = '&';
    }

    p = ngx_sprintf(p, "g=%ui", generation);

    rc = ngx_hls_compose_bytes(c, buf, p - buf);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_hls_compose_bytes(c, uri->data + len, uri->len - len);
}


/* old segments, and what is between them and the first new one */

static ngx_int_t
ngx_hls_compose_joint(ngx_hls_compose_t *c)
{
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_hls_edit_ctx_t  *ctx;

    ctx = c->ctx;

    c->joined = 1;

    rc = ngx_hls_compose_eol(c);

    if (rc != NGX_OK) {
        return rc;
    }

    for (i = ctx->kept; i < ctx->kept + ctx->nkept; i++) {

        rc = ngx_hls_compose_old(c, i);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->insert) {
        rc = ngx_hls_compose_text(c, "#EXT-X-DISCONTINUITY");

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_hls_compose_keys_end(ctx)) {
        return ngx_hls_compose_text(c, "#EXT-X-KEY:METHOD=NONE");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_hls_compose_old(ngx_hls_compose_t *c, ngx_uint_t i)
{
    u_char               buf[sizeof("#EXT-X-BYTERANGE:@") + 2 * NGX_INT64_LEN];
    u_char              *p, *end;
    ngx_int_t            rc;
    ngx_uint_t           rest;
    ngx_hls_line_t       line;
    ngx_hls_entry_t     *entry;
    ngx_hls_range_t     *range;
    ngx_hls_edit_ctx_t  *ctx;

    ctx = c->ctx;

    entry = ctx->old.entries.elts;
    entry += i;

    end = ngx_hls_list_end(&ctx->old, i);
    rest = (i > 0);

    if (i == ctx->kept) {
        rc = ngx_hls_compose_cover(c, entry, end);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (p = entry->start; p < end; p = line.end) {

        ngx_hls_playlist_line(p, end, &line);

        if (line.tag < NGX_HLS_TAG_SEGMENT
            && (line.tag > NGX_HLS_TAG_COMMENT || !rest))
        {
            continue;
        }

        rest = 1;

        if (line.tag == NGX_HLS_TAG_PART) {
            continue;
        }

        if (line.tag == NGX_HLS_TAG_BYTERANGE && i == ctx->kept) {

            /* it may go on where the one that has left ended */

            range = ngx_hls_list_range(&ctx->old, entry);

            *ngx_sprintf(buf, "#EXT-X-BYTERANGE:%uL@%uL", range->length,
                         range->offset) = '\0';

            rc = ngx_hls_compose_text(c, (char *) buf);

        } else {

            rc = NGX_OK;

            if (line.tag == NGX_HLS_TAG_URI && entry->lost && !entry->gap) {
                rc = ngx_hls_compose_text(c, "#EXT-X-GAP");
            }

            if (rc == NGX_OK) {
                rc = ngx_hls_compose_whole(c, &line);
            }
        }

        if (rc != NGX_OK) {
            return rc;
        }

    }

    /* nothing may have been behind it */

    return ngx_hls_compose_eol(c);
}


/* MAP and KEYs that were said in front of a segment that has left */

static ngx_int_t
ngx_hls_compose_cover(ngx_hls_compose_t *c, ngx_hls_entry_t *entry,
    u_char *end)
{
    ngx_int_t         rc;
    ngx_str_t        *text;
    ngx_uint_t        i;
    ngx_hls_cover_t  *cover;

    cover = c->ctx->old.covers.elts;
    cover += entry->cover;

    for (i = 0; i <= cover->nkeys; i++) {

        text = i ? &cover->keys[i - 1] : &cover->map;

        if (text->len == 0
            || (text->data >= entry->start && text->data < end))
        {
            continue;
        }

        rc = ngx_hls_compose_bytes(c, text->data, text->len);

        if (rc == NGX_OK) {
            rc = ngx_hls_compose_bytes(c, c->eol.data, c->eol.len);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* whether a key of the last old segment would hold on */

static ngx_uint_t
ngx_hls_compose_keys_end(ngx_hls_edit_ctx_t *ctx)
{
    ngx_str_t         value, format, other;
    ngx_uint_t        i, k;
    ngx_hls_cover_t  *old, *cover;
    ngx_hls_entry_t  *entry;

    if (ctx->nkept == 0) {
        return 0;
    }

    entry = ctx->old.entries.elts;
    old = ctx->old.covers.elts;
    old += entry[ctx->kept + ctx->nkept - 1].cover;

    cover = ctx->list.entries.nelts ? ctx->list.covers.elts
                                    : &ctx->list.cover;

    for (i = 0; i < old->nkeys; i++) {

        value = old->keys[i];
        value.data += sizeof("#EXT-X-KEY:") - 1;
        value.len -= sizeof("#EXT-X-KEY:") - 1;

        ngx_hls_list_key_format(&value, &format);

        for (k = 0; k < cover->nkeys; k++) {

            value = cover->keys[k];
            value.data += sizeof("#EXT-X-KEY:") - 1;
            value.len -= sizeof("#EXT-X-KEY:") - 1;

            ngx_hls_list_key_format(&value, &other);

            if (format.len == other.len
                && ngx_memcmp(format.data, other.data, format.len) == 0)
            {
                break;
            }
        }

        if (k == cover->nkeys) {
            return 1;
        }
    }

    return 0;
}


/* a line of ours */

static ngx_int_t
ngx_hls_compose_text(ngx_hls_compose_t *c, char *text)
{
    ngx_int_t  rc;

    rc = ngx_hls_compose_bytes(c, (u_char *) text, ngx_strlen(text));

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_hls_compose_bytes(c, c->eol.data, c->eol.len);
}


/* the last line of a playlist may have no end */

static ngx_int_t
ngx_hls_compose_eol(ngx_hls_compose_t *c)
{
    if (c->pos == c->start || c->pos[-1] == '\n') {
        return NGX_OK;
    }

    return ngx_hls_compose_bytes(c, c->eol.data, c->eol.len);
}


static ngx_int_t
ngx_hls_compose_whole(ngx_hls_compose_t *c, ngx_hls_line_t *line)
{
    return ngx_hls_compose_bytes(c, line->start, line->end - line->start);
}


static ngx_int_t
ngx_hls_compose_bytes(ngx_hls_compose_t *c, u_char *data, size_t len)
{
    ngx_int_t  rc;

    if ((size_t) (c->last - c->pos) < len) {

        rc = ngx_hls_compose_reserve(c, len);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    c->pos = ngx_cpymem(c->pos, data, len);

    return NGX_OK;
}


static ngx_int_t
ngx_hls_compose_reserve(ngx_hls_compose_t *c, size_t len)
{
    u_char  *p;
    size_t   used, size;

    used = c->pos - c->start;
    size = 2 * (size_t) (c->last - c->start);

    if (size < used + len) {
        size = used + len;
    }

    if (size > NGX_HLS_COMPOSE_MAX) {
        return NGX_DECLINED;
    }

    p = ngx_palloc(c->ctx->edit->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (c->start) {
        ngx_memcpy(p, c->start, used);
        (void) ngx_pfree(c->ctx->edit->pool, c->start);
    }

    c->start = p;
    c->pos = p + used;
    c->last = p + size;

    return NGX_OK;
}
