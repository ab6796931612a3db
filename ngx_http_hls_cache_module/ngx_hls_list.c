
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_playlist.h"
#include "ngx_hls_list.h"


static ngx_int_t ngx_hls_list_line(void *data, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line);
static ngx_int_t ngx_hls_list_segment(ngx_hls_list_t *list,
    ngx_hls_playlist_t *playlist, ngx_hls_line_t *line);
static ngx_int_t ngx_hls_list_add_range(ngx_hls_list_t *list,
    ngx_hls_uri_t *uri);
static void ngx_hls_list_key(ngx_hls_list_t *list, ngx_hls_line_t *line);
static ngx_uint_t ngx_hls_list_is_none(ngx_str_t *attributes);


static ngx_hls_range_t  ngx_hls_list_no_range;


ngx_int_t
ngx_hls_list_read(ngx_hls_list_t *list, ngx_pool_t *pool, ngx_str_t *body,
    ngx_uint_t limit)
{
    size_t     n;
    ngx_int_t  rc;

    ngx_memzero(list, sizeof(ngx_hls_list_t));

    list->pool = pool;
    list->limit = limit;
    list->next = body->data;
    list->covered = 1;

    /* as many as there are at most, usually */

    n = limit ? limit : ngx_min(body->len / 24 + 8, 65536);

    if (ngx_array_init(&list->entries, pool, n, sizeof(ngx_hls_entry_t))
        != NGX_OK
        || ngx_array_init(&list->covers, pool, 1, sizeof(ngx_hls_cover_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_hls_playlist_walk(body->data, body->data + body->len,
                               &list->playlist, ngx_hls_list_line, list);

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


u_char *
ngx_hls_list_end(ngx_hls_list_t *list, ngx_uint_t i)
{
    ngx_hls_entry_t  *entry;

    entry = list->entries.elts;

    return (i + 1 < list->entries.nelts) ? entry[i + 1].start : list->next;
}


ngx_hls_range_t *
ngx_hls_list_range(ngx_hls_list_t *list, ngx_hls_entry_t *entry)
{
    ngx_hls_range_t  *range;

    if (entry->range == 0) {
        return &ngx_hls_list_no_range;
    }

    range = list->ranges.elts;

    return &range[entry->range - 1];
}


static ngx_int_t
ngx_hls_list_line(void *data, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line)
{
    ngx_hls_list_t *list = data;

    ngx_str_t  *uri;

    if (line->uri) {
        uri = &line->uri->uri;

        if (memchr(uri->data, ':', uri->len) != NULL
            || (uri->len > 1 && uri->data[0] == '/' && uri->data[1] == '/'))
        {
            list->strange = 1;
        }

        if (memchr(uri->data, '?', uri->len) != NULL) {
            list->arguments = 1;
        }
    }

    switch (line->tag) {

    case NGX_HLS_TAG_URI:
        if (line->uri->type == NGX_HLS_URI_SEGMENT) {
            return ngx_hls_list_segment(list, playlist, line);
        }

        break;

    case NGX_HLS_TAG_M3U:
        if (line->end - line->last == 2) {
            list->crlf = 1;
        }

        break;

    case NGX_HLS_TAG_TARGET:
        list->has_target = 1;
        break;

    case NGX_HLS_TAG_SEQUENCE:
        list->has_sequence = 1;
        break;

    case NGX_HLS_TAG_DSEQUENCE:
        list->has_dsequence = 1;
        break;

    case NGX_HLS_TAG_KEY:
        ngx_hls_list_key(list, line);
        break;

    case NGX_HLS_TAG_MAP:
        list->cover.map.data = line->start;
        list->cover.map.len = line->last - line->start;
        list->covered = 1;
        break;

    case NGX_HLS_TAG_PART:
        if (line->uri) {
            list->last = line->uri->uri;
        }

        break;

    default:
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_hls_list_segment(ngx_hls_list_t *list, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line)
{
    ngx_hls_uri_t    *uri;
    ngx_hls_cover_t  *cover;
    ngx_hls_entry_t  *entry;

    if (list->covered) {
        list->covered = 0;

        cover = ngx_array_push(&list->covers);
        if (cover == NULL) {
            return NGX_ERROR;
        }

        *cover = list->cover;
    }

    entry = ngx_array_push(&list->entries);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    uri = line->uri;

    entry->start = list->next;
    entry->uri = uri->uri.data;
    entry->uri_len = (uint32_t) uri->uri.len;
    entry->same_len = entry->uri_len;
    entry->duration = (uint32_t) uri->duration;
    entry->generation = 0;
    entry->discontinuities = (uint32_t) playlist->discontinuities;
    entry->cover = list->covers.nelts - 1;
    entry->range = 0;
    entry->gap = uri->gap;
    entry->foreign = 0;
    entry->lost = 0;

    list->next = line->end;
    list->last = uri->uri;
    list->discontinuities = playlist->discontinuities;

    if (uri->length) {

        if (ngx_hls_list_add_range(list, uri) != NGX_OK) {
            return NGX_ERROR;
        }

        entry->range = (uint32_t) list->ranges.nelts;
    }

    return (list->entries.nelts == list->limit) ? NGX_DONE : NGX_OK;
}


static ngx_int_t
ngx_hls_list_add_range(ngx_hls_list_t *list, ngx_hls_uri_t *uri)
{
    ngx_hls_range_t  *range;

    if (list->ranges.elts == NULL
        && ngx_array_init(&list->ranges, list->pool, 64,
                          sizeof(ngx_hls_range_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    range = ngx_array_push(&list->ranges);
    if (range == NULL) {
        return NGX_ERROR;
    }

    range->offset = uri->offset;
    range->length = uri->length;

    return NGX_OK;
}


static void
ngx_hls_list_key(ngx_hls_list_t *list, ngx_hls_line_t *line)
{
    ngx_str_t         text, value, format, other;
    ngx_uint_t        i;
    ngx_hls_cover_t  *cover;

    cover = &list->cover;

    list->covered = 1;

    if (ngx_hls_list_is_none(&line->value)) {
        cover->nkeys = 0;
        return;
    }

    if (ngx_hls_list_implicit(&line->value)) {
        list->implicit = 1;
    }

    text.data = line->start;
    text.len = line->last - line->start;

    ngx_hls_list_key_format(&line->value, &format);

    for (i = 0; i < cover->nkeys; i++) {

        value = cover->keys[i];

        value.data += sizeof("#EXT-X-KEY:") - 1;
        value.len -= sizeof("#EXT-X-KEY:") - 1;

        ngx_hls_list_key_format(&value, &other);

        if (other.len == format.len
            && ngx_memcmp(other.data, format.data, format.len) == 0)
        {
            break;
        }
    }

    if (i == NGX_HLS_LIST_KEYS) {

        /* nobody has that many: the oldest one is forgotten */

        ngx_memmove(&cover->keys[0], &cover->keys[1],
                    (NGX_HLS_LIST_KEYS - 1) * sizeof(ngx_str_t));
        i--;
    }

    cover->keys[i] = text;

    if (i == cover->nkeys) {
        cover->nkeys++;
    }
}


ngx_uint_t
ngx_hls_list_implicit(ngx_str_t *attributes)
{
    ngx_str_t  value;

    if (ngx_hls_list_is_none(attributes)
        || ngx_hls_playlist_attribute(attributes, "IV", 2, &value) == NGX_OK)
    {
        return 0;
    }

    ngx_hls_list_key_format(attributes, &value);

    return value.len == 8 && ngx_strncmp(value.data, "identity", 8) == 0;
}


void
ngx_hls_list_key_format(ngx_str_t *attributes, ngx_str_t *format)
{
    if (ngx_hls_playlist_attribute(attributes, "KEYFORMAT", 9, format)
        != NGX_OK
        || format->len == 0)
    {
        ngx_str_set(format, "identity");
    }
}


static ngx_uint_t
ngx_hls_list_is_none(ngx_str_t *attributes)
{
    ngx_str_t  value;

    return ngx_hls_playlist_attribute(attributes, "METHOD", 6, &value)
           != NGX_OK
           || (value.len == 4 && ngx_strncmp(value.data, "NONE", 4) == 0);
}


ngx_uint_t
ngx_hls_list_is_head(ngx_uint_t tag)
{
    return tag >= NGX_HLS_TAG_M3U && tag <= NGX_HLS_TAG_SKIP
           && tag != NGX_HLS_TAG_ENDLIST;
}
