
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_rtmp_media.h"
#include "ngx_osp_rtmp_media_store.h"


#define NGX_OSP_RTMP_ENTRY_MIN     256

/* chunk streams for what is kept, if its own is in use */

#define NGX_OSP_RTMP_CSID_OTHER    4
#define NGX_OSP_RTMP_CSID_LAST     63


static ngx_uint_t ngx_osp_rtmp_store_replaces(ngx_osp_rtmp_entry_t *entry,
    ngx_osp_rtmp_frame_t *frame, ngx_uint_t type, u_char *set);
static ngx_osp_rtmp_entry_t *ngx_osp_rtmp_store_entry(
    ngx_osp_rtmp_store_t *store, size_t len);
static ngx_uint_t ngx_osp_rtmp_store_rank(ngx_osp_rtmp_entry_t *entry);


void
ngx_osp_rtmp_store_init(ngx_osp_rtmp_store_t *store, ngx_pool_t *pool,
    size_t max)
{
    ngx_memzero(store, sizeof(ngx_osp_rtmp_store_t));

    store->pool = pool;
    store->max = max;
}


void
ngx_osp_rtmp_store_clear(ngx_osp_rtmp_store_t *store)
{
    ngx_uint_t  i;

    store->nentries = 0;

    for (i = 0; i < NGX_OSP_RTMP_MEDIA_ENTRIES; i++) {
        store->entries[i].len = 0;
    }
}


void
ngx_osp_rtmp_store_keep(ngx_osp_rtmp_store_t *store,
    ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_item_t *item, u_char *p,
    size_t len)
{
    u_char                 set[32];
    ngx_uint_t             i;
    ngx_osp_rtmp_entry_t  *entry;

    if (frame->kind != NGX_OSP_RTMP_MEDIA_METADATA
        && ngx_osp_rtmp_frame_tracks(item->type, p, len, set) != NGX_OK)
    {
        return;
    }

    for (i = 0; i < NGX_OSP_RTMP_MEDIA_ENTRIES; i++) {
        entry = &store->entries[i];

        if (entry->len
            && ngx_osp_rtmp_store_replaces(entry, frame, item->type, set))
        {
            entry->len = 0;
            store->nentries--;
        }
    }

    entry = ngx_osp_rtmp_store_entry(store, len);

    if (entry == NULL) {
        store->full = 1;
        return;
    }

    ngx_memcpy(entry->data, p, len);

    entry->len = (uint32_t) len;
    entry->seq = store->seq++;
    entry->csid = item->csid;
    entry->type = (u_char) item->type;
    entry->kind = (u_char) frame->kind;

    store->nentries++;
}


/* all that it says is said by the new one */

static ngx_uint_t
ngx_osp_rtmp_store_replaces(ngx_osp_rtmp_entry_t *entry,
    ngx_osp_rtmp_frame_t *frame, ngx_uint_t type, u_char *set)
{
    u_char      old[32];
    ngx_uint_t  i;

    if (entry->kind != (u_char) frame->kind) {
        return 0;
    }

    if (frame->kind == NGX_OSP_RTMP_MEDIA_METADATA) {
        return 1;
    }

    if (entry->type != (u_char) type) {
        return 0;
    }

    (void) ngx_osp_rtmp_frame_tracks(type, entry->data, entry->len, old);

    for (i = 0; i < 32; i++) {
        if (old[i] & ~set[i]) {
            return 0;
        }
    }

    return 1;
}


/* one whose memory does, or any other */

static ngx_osp_rtmp_entry_t *
ngx_osp_rtmp_store_entry(ngx_osp_rtmp_store_t *store, size_t len)
{
    size_t                 size;
    ngx_uint_t             i;
    ngx_osp_rtmp_entry_t  *entry, *best;

    best = NULL;

    for (i = 0; i < NGX_OSP_RTMP_MEDIA_ENTRIES; i++) {
        entry = &store->entries[i];

        if (entry->len) {
            continue;
        }

        if (best == NULL
            || (best->size < len ? entry->size > best->size
                                 : entry->size >= len
                                   && entry->size < best->size))
        {
            best = entry;
        }
    }

    if (best == NULL) {
        return NULL;
    }

    size = best->size;

    if (ngx_osp_rtmp_store_reserve(store, &best->data, &size, len) != NGX_OK) {
        return NULL;
    }

    best->size = (uint32_t) size;

    return best;
}


/* what a pool does not free counts, too */

ngx_int_t
ngx_osp_rtmp_store_reserve(ngx_osp_rtmp_store_t *store, u_char **data,
    size_t *size, size_t len)
{
    size_t   n;
    u_char  *p;

    if (*size >= len) {
        return NGX_OK;
    }

    for (n = NGX_OSP_RTMP_ENTRY_MIN; n < len; n *= 2) { /* void */ }

    if (n > store->max - store->size) {
        store->full = 1;
        return NGX_ERROR;
    }

    p = ngx_palloc(store->pool, n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    store->size += n;

    if (*data && ngx_pfree(store->pool, *data) == NGX_OK) {
        store->size -= *size;
    }

    *data = p;
    *size = n;

    return NGX_OK;
}


size_t
ngx_osp_rtmp_store_room(ngx_osp_rtmp_store_t *store, ngx_osp_rtmp_out_t *out)
{
    size_t                 size;
    ngx_uint_t             i;
    ngx_osp_rtmp_entry_t  *entry;

    size = 0;

    for (i = 0; i < NGX_OSP_RTMP_MEDIA_ENTRIES; i++) {
        entry = &store->entries[i];

        if (entry->len) {
            size += ngx_osp_rtmp_message_size(out, NGX_MAX_UINT32_VALUE,
                                              NGX_MAX_UINT32_VALUE,
                                              entry->len);
        }
    }

    return size;
}


/* by rank, and as it came */

ngx_int_t
ngx_osp_rtmp_store_write(ngx_osp_rtmp_store_t *store, uint32_t timestamp,
    uint32_t msid, ngx_osp_rtmp_out_t *out)
{
    uint32_t               csid;
    uint64_t               key, next, done;
    ngx_uint_t             i, n;
    ngx_osp_rtmp_entry_t  *entry;

    done = 0;

    for (n = 0; n < store->nentries; n++) {
        entry = NULL;
        next = 0;

        for (i = 0; i < NGX_OSP_RTMP_MEDIA_ENTRIES; i++) {

            if (store->entries[i].len == 0) {
                continue;
            }

            key = ((uint64_t) ngx_osp_rtmp_store_rank(&store->entries[i]) << 32
                   | store->entries[i].seq) + 1;

            if (key > done && (entry == NULL || key < next)) {
                entry = &store->entries[i];
                next = key;
            }
        }

        if (entry == NULL) {
            break;
        }

        done = next;
        csid = entry->csid;

        if (ngx_osp_rtmp_track_open(out->track, csid)) {

            for (csid = NGX_OSP_RTMP_CSID_OTHER;
                 csid < NGX_OSP_RTMP_CSID_LAST
                 && ngx_osp_rtmp_track_open(out->track, csid);
                 csid++)
            {
                /* void */
            }
        }

        if (ngx_osp_rtmp_write_message(out, csid, timestamp, entry->type,
                                       msid, entry->data, entry->len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_osp_rtmp_store_rank(ngx_osp_rtmp_entry_t *entry)
{
    if (entry->kind == NGX_OSP_RTMP_MEDIA_METADATA) {
        return 0;
    }

    return (entry->type == NGX_OSP_RTMP_VIDEO ? 1 : 3)
           + (entry->kind == NGX_OSP_RTMP_MEDIA_CONFIG);
}
