
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_playlist.h"


#define NGX_HLS_MAX_SKIPPED  1000000


/* what is read of a segment before its URI, and what must be remembered */

typedef struct {
    ngx_hls_playlist_t   *playlist;
    ngx_hls_uri_t         uri;            /* of this line */
    ngx_msec_t            duration;
    uint64_t              offset;
    uint64_t              length;
    uint64_t              next;           /* behind the last byte range */
    uint64_t              part_next;
    unsigned              gap:1;
    unsigned              stream:1;       /* STREAM-INF, its URI follows */
    unsigned              media:1;
    unsigned              target:1;
    unsigned              sequence:1;
    unsigned              discontinuity:1;
} ngx_hls_walk_t;


typedef struct {
    ngx_str_t             name;
    ngx_uint_t            tag;
} ngx_hls_tag_t;


typedef struct {
    ngx_hls_uri_pt        handler;
    void                 *data;
} ngx_hls_uris_t;


static ngx_int_t ngx_hls_playlist_uris(void *data,
    ngx_hls_playlist_t *playlist, ngx_hls_line_t *line);
static ngx_uint_t ngx_hls_playlist_name(u_char *p, size_t len);
static ngx_int_t ngx_hls_playlist_tag(ngx_hls_walk_t *w,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_playlist_segment(ngx_hls_walk_t *w,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_playlist_part(ngx_hls_walk_t *w,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_playlist_control(ngx_hls_walk_t *w,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_playlist_skip(ngx_hls_walk_t *w,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_playlist_named(ngx_hls_walk_t *w,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_playlist_uri(ngx_hls_walk_t *w, ngx_hls_line_t *line,
    ngx_uint_t type, char *name, size_t len);
static ngx_int_t ngx_hls_playlist_range(ngx_str_t *text, uint64_t next,
    uint64_t *offset, uint64_t *length);
static ngx_int_t ngx_hls_playlist_once(ngx_hls_walk_t *w);
static ngx_inline void ngx_hls_playlist_trim(ngx_str_t *text);


/* those that come often are first */

static ngx_hls_tag_t  ngx_hls_tags[] = {
    { ngx_string("EXT-X-PROGRAM-DATE-TIME"), NGX_HLS_TAG_SEGMENT },
    { ngx_string("EXT-X-BYTERANGE"), NGX_HLS_TAG_BYTERANGE },
    { ngx_string("EXT-X-DISCONTINUITY"), NGX_HLS_TAG_DISCONTINUITY },
    { ngx_string("EXT-X-KEY"), NGX_HLS_TAG_KEY },
    { ngx_string("EXT-X-PART"), NGX_HLS_TAG_PART },
    { ngx_string("EXT-X-MAP"), NGX_HLS_TAG_MAP },
    { ngx_string("EXT-X-GAP"), NGX_HLS_TAG_GAP },
    { ngx_string("EXT-X-BITRATE"), NGX_HLS_TAG_SEGMENT },
    { ngx_string("EXT-X-DATERANGE"), NGX_HLS_TAG_DATERANGE },
    { ngx_string("EXT-X-STREAM-INF"), NGX_HLS_TAG_STREAM },
    { ngx_string("EXT-X-MEDIA"), NGX_HLS_TAG_MEDIA },
    { ngx_string("EXT-X-I-FRAME-STREAM-INF"), NGX_HLS_TAG_IFRAME },
    { ngx_string("EXT-X-IMAGE-STREAM-INF"), NGX_HLS_TAG_IFRAME },
    { ngx_string("EXT-X-SESSION-KEY"), NGX_HLS_TAG_SESSION_KEY },
    { ngx_string("EXT-X-SESSION-DATA"), NGX_HLS_TAG_SESSION_DATA },
    { ngx_string("EXT-X-CONTENT-STEERING"), NGX_HLS_TAG_STEERING },
    { ngx_string("EXT-X-RENDITION-REPORT"), NGX_HLS_TAG_REPORT },
    { ngx_string("EXT-X-PRELOAD-HINT"), NGX_HLS_TAG_HINT },
    { ngx_string("EXTM3U"), NGX_HLS_TAG_M3U },
    { ngx_string("EXT-X-VERSION"), NGX_HLS_TAG_VERSION },
    { ngx_string("EXT-X-TARGETDURATION"), NGX_HLS_TAG_TARGET },
    { ngx_string("EXT-X-MEDIA-SEQUENCE"), NGX_HLS_TAG_SEQUENCE },
    { ngx_string("EXT-X-DISCONTINUITY-SEQUENCE"), NGX_HLS_TAG_DSEQUENCE },
    { ngx_string("EXT-X-PLAYLIST-TYPE"), NGX_HLS_TAG_TYPE },
    { ngx_string("EXT-X-ENDLIST"), NGX_HLS_TAG_ENDLIST },
    { ngx_string("EXT-X-DEFINE"), NGX_HLS_TAG_DEFINE },
    { ngx_string("EXT-X-PART-INF"), NGX_HLS_TAG_PART_INF },
    { ngx_string("EXT-X-SERVER-CONTROL"), NGX_HLS_TAG_CONTROL },
    { ngx_string("EXT-X-SKIP"), NGX_HLS_TAG_SKIP },
    { ngx_string("EXT-X-I-FRAMES-ONLY"), NGX_HLS_TAG_HEADER },
    { ngx_string("EXT-X-INDEPENDENT-SEGMENTS"), NGX_HLS_TAG_HEADER },
    { ngx_string("EXT-X-START"), NGX_HLS_TAG_HEADER },
    { ngx_string("EXT-X-ALLOW-CACHE"), NGX_HLS_TAG_HEADER },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_hls_playlist_parse(u_char *p, u_char *end, ngx_hls_playlist_t *playlist,
    ngx_hls_uri_pt handler, void *data)
{
    ngx_hls_uris_t  uris;

    if (handler == NULL) {
        return ngx_hls_playlist_walk(p, end, playlist, NULL, NULL);
    }

    uris.handler = handler;
    uris.data = data;

    return ngx_hls_playlist_walk(p, end, playlist, ngx_hls_playlist_uris,
                                 &uris);
}


static ngx_int_t
ngx_hls_playlist_uris(void *data, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line)
{
    ngx_hls_uris_t *uris = data;

    if (line->uri == NULL) {
        return NGX_OK;
    }

    return uris->handler(uris->data, line->uri);
}


ngx_int_t
ngx_hls_playlist_walk(u_char *p, u_char *end, ngx_hls_playlist_t *playlist,
    ngx_hls_line_pt handler, void *data)
{
    ngx_int_t       rc;
    ngx_hls_line_t  line;
    ngx_hls_walk_t  w;

    ngx_memzero(playlist, sizeof(ngx_hls_playlist_t));
    ngx_memzero(&w, sizeof(ngx_hls_walk_t));

    w.playlist = playlist;

    if (p == end || memchr(p, '\0', end - p) != NULL) {
        return NGX_DECLINED;
    }

    while (p < end) {

        ngx_hls_playlist_line(p, end, &line);

        playlist->lines++;

        if (line.last - line.start > NGX_HLS_MAX_LINE
            || playlist->lines > NGX_HLS_MAX_LINES
            || (playlist->lines == 1 && line.tag != NGX_HLS_TAG_M3U))
        {
            return NGX_DECLINED;
        }

        rc = (line.tag == NGX_HLS_TAG_URI) ? ngx_hls_playlist_segment(&w, &line)
                                           : ngx_hls_playlist_tag(&w, &line);

        if (rc != NGX_OK || (w.media && playlist->master)) {
            return NGX_DECLINED;
        }

        if (line.uri) {
            playlist->uris++;
        }

        if (handler) {
            rc = handler(data, playlist, &line);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        p = line.end;
    }

    return NGX_OK;
}


void
ngx_hls_playlist_line(u_char *p, u_char *end, ngx_hls_line_t *line)
{
    size_t   len;
    u_char  *last, *colon;

    line->start = p;
    line->uri = NULL;

    last = memchr(p, '\n', end - p);

    if (last) {
        line->end = last + 1;

    } else {
        last = end;
        line->end = end;
    }

    if (last > p && last[-1] == '\r') {
        last--;
    }

    line->last = last;

    if (last - p >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) {
        /* a byte order mark, in front of EXTM3U only */
        p += 3;
    }

    line->value.data = p;
    line->value.len = last - p;

    if (p < last && *p == '#') {

        if (last - p < 7 || ngx_strncmp(p, "#EXT", 4) != 0) {
            line->tag = NGX_HLS_TAG_COMMENT;
            return;
        }

        if (last - p > 7 && ngx_strncmp(p, "#EXTINF:", 8) == 0) {
            line->tag = NGX_HLS_TAG_INF;
            line->value.data += 8;
            line->value.len -= 8;
            return;
        }

        colon = memchr(p, ':', last - p);
        len = colon ? colon - p : last - p;

        if (colon == NULL) {

            /* blanks behind a tag without a value */

            while (len && (p[len - 1] == ' ' || p[len - 1] == '\t')) {
                len--;
            }

            line->value.data = last;
            line->value.len = 0;

        } else {
            line->value.data = colon + 1;
            line->value.len = last - (colon + 1);
        }

        line->tag = ngx_hls_playlist_name(p + 1, len - 1);

        return;
    }

    ngx_hls_playlist_trim(&line->value);

    line->tag = line->value.len ? NGX_HLS_TAG_URI : NGX_HLS_TAG_EMPTY;
}


static ngx_uint_t
ngx_hls_playlist_name(u_char *p, size_t len)
{
    ngx_hls_tag_t  *tag;

    for (tag = ngx_hls_tags; tag->name.len; tag++) {

        if (tag->name.len == len && ngx_memcmp(tag->name.data, p, len) == 0) {
            return tag->tag;
        }
    }

    return NGX_HLS_TAG_COMMENT;
}


static ngx_int_t
ngx_hls_playlist_tag(ngx_hls_walk_t *w, ngx_hls_line_t *line)
{
    u_char              *comma;
    uint64_t             n;
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_hls_playlist_t  *pl;

    pl = w->playlist;
    value = line->value;

    switch (line->tag) {

    case NGX_HLS_TAG_INF:
        comma = memchr(value.data, ',', value.len);

        if (comma) {
            value.len = comma - value.data;
        }

        w->media = 1;
        rc = ngx_hls_playlist_duration(&value, &w->duration);
        break;

    case NGX_HLS_TAG_DISCONTINUITY:
        pl->discontinuities++;
        rc = NGX_OK;
        break;

    case NGX_HLS_TAG_GAP:
        w->gap = 1;
        rc = NGX_OK;
        break;

    case NGX_HLS_TAG_BYTERANGE:
        rc = ngx_hls_playlist_range(&value, w->next, &w->offset, &w->length);
        break;

    case NGX_HLS_TAG_VERSION:
        rc = ngx_hls_playlist_number(&value, 1000, &n);
        pl->version = (ngx_uint_t) n;
        break;

    case NGX_HLS_TAG_TARGET:
        if (w->target) {
            return NGX_ERROR;
        }

        w->target = 1;
        w->media = 1;
        rc = ngx_hls_playlist_duration(&value, &pl->target);
        break;

    case NGX_HLS_TAG_SEQUENCE:
        if (w->sequence || ngx_hls_playlist_once(w) != NGX_OK) {
            return NGX_ERROR;
        }

        w->sequence = 1;
        rc = ngx_hls_playlist_number(&value, NGX_HLS_MAX_SEQUENCE,
                                     &pl->sequence);
        break;

    case NGX_HLS_TAG_DSEQUENCE:
        if (w->discontinuity || ngx_hls_playlist_once(w) != NGX_OK) {
            return NGX_ERROR;
        }

        w->discontinuity = 1;
        rc = ngx_hls_playlist_number(&value, NGX_HLS_MAX_SEQUENCE,
                                     &pl->discontinuity);
        break;

    case NGX_HLS_TAG_TYPE:
        ngx_hls_playlist_trim(&value);

        pl->event = (value.len == 5
                     && ngx_strncmp(value.data, "EVENT", 5) == 0);
        pl->vod = (value.len == 3 && ngx_strncmp(value.data, "VOD", 3) == 0);
        rc = NGX_OK;
        break;

    case NGX_HLS_TAG_ENDLIST:
        pl->endlist = 1;
        rc = NGX_OK;
        break;

    case NGX_HLS_TAG_DEFINE:
        pl->define = 1;
        rc = NGX_OK;
        break;

    case NGX_HLS_TAG_STREAM:
        w->stream = 1;
        pl->master = 1;
        rc = NGX_OK;
        break;

    case NGX_HLS_TAG_PART:
        rc = ngx_hls_playlist_part(w, line);
        break;

    case NGX_HLS_TAG_PART_INF:
    case NGX_HLS_TAG_CONTROL:
        rc = ngx_hls_playlist_control(w, line);
        break;

    case NGX_HLS_TAG_SKIP:
        rc = ngx_hls_playlist_skip(w, line);
        break;

    default:
        rc = ngx_hls_playlist_named(w, line);
    }

    return rc;
}


/* a line that is no tag: a segment, or a variant behind its STREAM-INF */

static ngx_int_t
ngx_hls_playlist_segment(ngx_hls_walk_t *w, ngx_hls_line_t *line)
{
    ngx_hls_uri_t       *uri;
    ngx_hls_playlist_t  *pl;

    pl = w->playlist;
    uri = &w->uri;

    line->uri = uri;

    ngx_memzero(uri, sizeof(ngx_hls_uri_t));

    uri->uri = line->value;

    if (w->stream || pl->master) {
        w->stream = 0;
        uri->type = NGX_HLS_URI_VARIANT;
        return NGX_OK;
    }

    w->media = 1;

    uri->type = NGX_HLS_URI_SEGMENT;
    uri->sequence = pl->sequence + pl->skipped + pl->segments;
    uri->duration = w->duration;
    uri->gap = w->gap;
    uri->offset = w->offset;
    uri->length = w->length;

    pl->segments++;
    pl->parts = 0;
    pl->last = w->duration;

    if (pl->window <= NGX_MAX_INT_T_VALUE - w->duration) {
        pl->window += w->duration;
    }

    w->next = w->offset + w->length;
    w->duration = 0;
    w->gap = 0;
    w->offset = 0;
    w->length = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_playlist_part(ngx_hls_walk_t *w, ngx_hls_line_t *line)
{
    uint64_t             offset, length;
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_msec_t           duration;
    ngx_hls_playlist_t  *pl;

    pl = w->playlist;

    w->media = 1;

    duration = 0;
    offset = 0;
    length = 0;

    rc = ngx_hls_playlist_attribute(&line->value, "DURATION", 8, &value);

    if (rc == NGX_OK) {
        rc = ngx_hls_playlist_duration(&value, &duration);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_hls_playlist_attribute(&line->value, "BYTERANGE", 9, &value);

    if (rc == NGX_OK) {
        rc = ngx_hls_playlist_range(&value, w->part_next, &offset, &length);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    w->part_next = offset + length;

    rc = ngx_hls_playlist_uri(w, line, NGX_HLS_URI_PART, "URI", 3);

    if (rc != NGX_OK) {
        return rc;
    }

    w->uri.duration = duration;
    w->uri.offset = offset;
    w->uri.length = length;

    rc = ngx_hls_playlist_attribute(&line->value, "GAP", 3, &value);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    w->uri.gap = (rc == NGX_OK && value.len == 3
                  && ngx_strncmp(value.data, "YES", 3) == 0);

    pl->parts++;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_playlist_control(ngx_hls_walk_t *w, ngx_hls_line_t *line)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_msec_t           ms;
    ngx_hls_playlist_t  *pl;

    pl = w->playlist;

    if (line->tag == NGX_HLS_TAG_PART_INF) {
        rc = ngx_hls_playlist_attribute(&line->value, "PART-TARGET", 11,
                                        &value);

        return (rc == NGX_OK)
               ? ngx_hls_playlist_duration(&value, &pl->part_target) : rc;
    }

    rc = ngx_hls_playlist_attribute(&line->value, "CAN-BLOCK-RELOAD", 16,
                                    &value);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    pl->block_reload = (rc == NGX_OK && value.len == 3
                        && ngx_strncmp(value.data, "YES", 3) == 0);

    rc = ngx_hls_playlist_attribute(&line->value, "CAN-SKIP-UNTIL", 14,
                                    &value);

    if (rc == NGX_OK) {
        pl->skip = 1;
        return ngx_hls_playlist_duration(&value, &ms);
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_hls_playlist_skip(ngx_hls_walk_t *w, ngx_hls_line_t *line)
{
    uint64_t   n;
    ngx_int_t  rc;
    ngx_str_t  value;

    w->media = 1;

    rc = ngx_hls_playlist_attribute(&line->value, "SKIPPED-SEGMENTS", 16,
                                    &value);

    if (rc != NGX_OK
        || ngx_hls_playlist_once(w) != NGX_OK
        || ngx_hls_playlist_number(&value, NGX_HLS_MAX_SKIPPED, &n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->playlist->skipped = (ngx_uint_t) n;

    return NGX_OK;
}


/* tags that only name a URI */

static ngx_int_t
ngx_hls_playlist_named(ngx_hls_walk_t *w, ngx_hls_line_t *line)
{
    ngx_int_t  rc;

    switch (line->tag) {

    case NGX_HLS_TAG_KEY:
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_KEY, "URI", 3);

    case NGX_HLS_TAG_MAP:
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_MAP, "URI", 3);

    case NGX_HLS_TAG_HINT:
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_HINT, "URI", 3);

    case NGX_HLS_TAG_REPORT:
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_REPORT, "URI", 3);

    case NGX_HLS_TAG_DATERANGE:
        rc = ngx_hls_playlist_uri(w, line, NGX_HLS_URI_OTHER, "X-ASSET-URI",
                                  11);

        if (rc != NGX_OK || line->uri) {
            return rc;
        }

        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_OTHER,
                                    "X-ASSET-LIST", 12);

    case NGX_HLS_TAG_MEDIA:
    case NGX_HLS_TAG_IFRAME:
        w->playlist->master = 1;
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_VARIANT, "URI", 3);

    case NGX_HLS_TAG_SESSION_KEY:
        w->playlist->master = 1;
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_KEY, "URI", 3);

    case NGX_HLS_TAG_SESSION_DATA:
        w->playlist->master = 1;
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_OTHER, "URI", 3);

    case NGX_HLS_TAG_STEERING:
        w->playlist->master = 1;
        return ngx_hls_playlist_uri(w, line, NGX_HLS_URI_OTHER, "SERVER-URI",
                                    10);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_hls_playlist_uri(ngx_hls_walk_t *w, ngx_hls_line_t *line, ngx_uint_t type,
    char *name, size_t len)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_hls_playlist_t  *pl;

    rc = ngx_hls_playlist_attribute(&line->value, name, len, &value);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    ngx_hls_playlist_trim(&value);

    if (value.len == 0) {
        return NGX_OK;
    }

    pl = w->playlist;

    ngx_memzero(&w->uri, sizeof(ngx_hls_uri_t));

    w->uri.type = type;
    w->uri.uri = value;
    w->uri.sequence = pl->sequence + pl->skipped + pl->segments;

    line->uri = &w->uri;

    return NGX_OK;
}


/* "length[@offset]"; next: the offset if there is none */

static ngx_int_t
ngx_hls_playlist_range(ngx_str_t *text, uint64_t next, uint64_t *offset,
    uint64_t *length)
{
    u_char     *at;
    ngx_str_t   number;

    number = *text;

    at = memchr(text->data, '@', text->len);

    if (at) {
        number.data = at + 1;
        number.len = text->data + text->len - (at + 1);

        if (ngx_hls_playlist_number(&number, NGX_HLS_MAX_SEQUENCE, &next)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        number.data = text->data;
        number.len = at - text->data;
    }

    if (ngx_hls_playlist_number(&number, NGX_HLS_MAX_SEQUENCE, length)
        != NGX_OK
        || next > NGX_HLS_MAX_SEQUENCE - *length)
    {
        return NGX_ERROR;
    }

    *offset = next;

    return NGX_OK;
}


/* numbers of the whole playlist come before what they number */

static ngx_int_t
ngx_hls_playlist_once(ngx_hls_walk_t *w)
{
    ngx_hls_playlist_t  *pl;

    pl = w->playlist;

    if (pl->segments || pl->parts || pl->skipped) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_hls_playlist_attribute(ngx_str_t *list, char *name, size_t len,
    ngx_str_t *value)
{
    u_char     *p, *last, *start, *end;
    ngx_str_t   found;

    p = list->data;
    last = p + list->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        start = p;

        while (p < last && *p != '=' && *p != ',') {
            p++;
        }

        end = p;

        if (p == last || *p == ',') {
            continue;
        }

        p++;

        if (p < last && *p == '"') {
            found.data = ++p;

            p = memchr(p, '"', last - p);

            if (p == NULL) {
                return NGX_ERROR;
            }

            found.len = p++ - found.data;

        } else {
            found.data = p;

            while (p < last && *p != ',') {
                p++;
            }

            found.len = p - found.data;

            ngx_hls_playlist_trim(&found);
        }

        if ((size_t) (end - start) == len
            && ngx_memcmp(start, name, len) == 0)
        {
            *value = found;
            return NGX_OK;
        }

        /* what follows the quotes is of nobody */

        while (p < last && *p != ',') {
            p++;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_hls_playlist_number(ngx_str_t *text, uint64_t max, uint64_t *number)
{
    u_char     *p, *last;
    uint64_t    n;
    ngx_str_t   t;

    t = *text;
    *number = 0;

    ngx_hls_playlist_trim(&t);

    if (t.len == 0) {
        return NGX_ERROR;
    }

    n = 0;

    for (p = t.data, last = p + t.len; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        if (n > max / 10 || (uint64_t) (*p - '0') > max - n * 10) {
            return NGX_ERROR;
        }

        n = n * 10 + (*p - '0');
    }

    *number = n;

    return NGX_OK;
}


ngx_int_t
ngx_hls_playlist_duration(ngx_str_t *text, ngx_msec_t *ms)
{
    u_char      *p, *last;
    ngx_str_t    t;
    ngx_uint_t   n, digits, c;

    t = *text;
    *ms = 0;

    ngx_hls_playlist_trim(&t);

    if (t.len == 0 || (t.len == 1 && t.data[0] == '.')) {
        return NGX_ERROR;
    }

    n = 0;
    p = t.data;
    last = p + t.len;

    for ( /* void */ ; p < last && *p != '.'; p++) {
        c = (ngx_uint_t) *p - '0';

        if (c > 9) {
            return NGX_ERROR;
        }

        n = n * 10 + c;

        if (n > NGX_HLS_MAX_DURATION) {
            return NGX_ERROR;
        }
    }

    if (p < last) {
        p++;
    }

    for (digits = 0; p < last; p++) {
        c = (ngx_uint_t) *p - '0';

        if (c > 9) {
            return NGX_ERROR;
        }

        if (digits < 3) {
            n = n * 10 + c;

        } else if (digits == 3) {
            /* rounded by the fourth digit */
            n += (c >= 5);
        }

        digits++;
    }

    for ( /* void */ ; digits < 3; digits++) {
        n *= 10;
    }

    *ms = (ngx_msec_t) n;

    return NGX_OK;
}


static ngx_inline void
ngx_hls_playlist_trim(ngx_str_t *text)
{
    while (text->len
           && (text->data[0] == ' ' || text->data[0] == '\t'))
    {
        text->data++;
        text->len--;
    }

    while (text->len
           && (text->data[text->len - 1] == ' '
               || text->data[text->len - 1] == '\t'))
    {
        text->len--;
    }
}
