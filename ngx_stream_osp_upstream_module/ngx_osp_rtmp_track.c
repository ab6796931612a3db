
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_chunk.h"


#define NGX_OSP_RTMP_EXT            0xffffff
#define NGX_OSP_RTMP_FULL_HEADER    11
#define NGX_OSP_RTMP_NO_LENGTH      0xffffffff


/* what the receiver has seen */

typedef struct {
    uint32_t                        csid;
    uint32_t                        timestamp;
    uint32_t                        delta;
    uint32_t                        ext_value;
    uint32_t                        mlen;
    uint32_t                        msid;
    u_char                          type;
    unsigned                        ext:1;
    unsigned                        raw:1;     /* the header was passed */
    unsigned                        open:1;
} ngx_osp_rtmp_seen_t;


struct ngx_osp_rtmp_track_s {
    ngx_uint_t                      n;
    ngx_uint_t                      nopen;
    ngx_osp_rtmp_seen_t             seen[NGX_OSP_RTMP_MAX_STREAMS];
};


static u_char *ngx_osp_rtmp_write_fields(u_char *p, uint32_t timestamp,
    uint32_t mlen, ngx_uint_t type);
static u_char *ngx_osp_rtmp_write_basic(u_char *p, ngx_uint_t fmt,
    uint32_t csid);
static u_char *ngx_osp_rtmp_write_ext(u_char *p, uint32_t value);
static ngx_osp_rtmp_seen_t *ngx_osp_rtmp_track_find(
    ngx_osp_rtmp_track_t *track, uint32_t csid);
static ngx_osp_rtmp_seen_t *ngx_osp_rtmp_track_get(
    ngx_osp_rtmp_track_t *track, uint32_t csid);
static ngx_int_t ngx_osp_rtmp_track_next(ngx_osp_rtmp_seen_t *seen,
    ngx_osp_rtmp_item_t *item, u_char *buf, size_t *len);
static ngx_uint_t ngx_osp_rtmp_track_same(ngx_osp_rtmp_seen_t *seen,
    ngx_osp_rtmp_item_t *item, uint32_t msid);


u_char *
ngx_osp_rtmp_write_header(u_char *buf, uint32_t csid, uint32_t timestamp,
    uint32_t mlen, ngx_uint_t type, uint32_t msid)
{
    u_char  *p;

    p = ngx_osp_rtmp_write_basic(buf, 0, csid);
    p = ngx_osp_rtmp_write_fields(p, timestamp, mlen, type);

    *p++ = (u_char) msid;
    *p++ = (u_char) (msid >> 8);
    *p++ = (u_char) (msid >> 16);
    *p++ = (u_char) (msid >> 24);

    if (timestamp >= NGX_OSP_RTMP_EXT) {
        p = ngx_osp_rtmp_write_ext(p, timestamp);
    }

    return p;
}


u_char *
ngx_osp_rtmp_write_delta_header(u_char *buf, uint32_t csid, uint32_t delta,
    uint32_t mlen, ngx_uint_t type)
{
    u_char  *p;

    p = ngx_osp_rtmp_write_basic(buf, 1, csid);
    p = ngx_osp_rtmp_write_fields(p, delta, mlen, type);

    if (delta >= NGX_OSP_RTMP_EXT) {
        p = ngx_osp_rtmp_write_ext(p, delta);
    }

    return p;
}


u_char *
ngx_osp_rtmp_write_next_header(u_char *buf, uint32_t csid,
    uint32_t timestamp)
{
    u_char  *p;

    p = ngx_osp_rtmp_write_basic(buf, 3, csid);

    if (timestamp >= NGX_OSP_RTMP_EXT) {
        p = ngx_osp_rtmp_write_ext(p, timestamp);
    }

    return p;
}


static u_char *
ngx_osp_rtmp_write_fields(u_char *p, uint32_t timestamp, uint32_t mlen,
    ngx_uint_t type)
{
    uint32_t  ts;

    ts = ngx_min(timestamp, NGX_OSP_RTMP_EXT);

    *p++ = (u_char) (ts >> 16);
    *p++ = (u_char) (ts >> 8);
    *p++ = (u_char) ts;

    *p++ = (u_char) (mlen >> 16);
    *p++ = (u_char) (mlen >> 8);
    *p++ = (u_char) mlen;

    *p++ = (u_char) type;

    return p;
}


static u_char *
ngx_osp_rtmp_write_basic(u_char *p, ngx_uint_t fmt, uint32_t csid)
{
    u_char  bits;

    bits = (u_char) (fmt << 6);

    if (csid < 64) {
        *p++ = bits | (u_char) csid;

    } else if (csid < 320) {
        *p++ = bits;
        *p++ = (u_char) (csid - 64);

    } else {
        *p++ = bits | 1;
        *p++ = (u_char) (csid - 64);
        *p++ = (u_char) ((csid - 64) >> 8);
    }

    return p;
}


static u_char *
ngx_osp_rtmp_write_ext(u_char *p, uint32_t value)
{
    *p++ = (u_char) (value >> 24);
    *p++ = (u_char) (value >> 16);
    *p++ = (u_char) (value >> 8);
    *p++ = (u_char) value;

    return p;
}


ngx_int_t
ngx_osp_rtmp_set_msid(ngx_osp_rtmp_item_t *item, uint32_t msid)
{
    u_char  *p;
    size_t   len;

    if (item->header_len == 0 || item->fmt != 0) {
        return NGX_DECLINED;
    }

    p = item->header;

    len = (*p & 0x3f) == 0 ? 2 : (*p & 0x3f) == 1 ? 3 : 1;

    p += len + 7;

    p[0] = (u_char) msid;
    p[1] = (u_char) (msid >> 8);
    p[2] = (u_char) (msid >> 16);
    p[3] = (u_char) (msid >> 24);

    item->msid = msid;

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_write_message(ngx_osp_rtmp_out_t *out, uint32_t csid,
    uint32_t timestamp, ngx_uint_t type, uint32_t msid, u_char *payload,
    size_t len)
{
    size_t                n;
    u_char               *p;
    ngx_osp_rtmp_seen_t  *seen;

    if (out->chunk_size == 0
        || len > 0xffffff
        || ngx_osp_rtmp_message_size(out, csid, timestamp, len)
           > (size_t) (out->end - out->pos))
    {
        return NGX_ERROR;
    }

    if (out->track) {
        seen = ngx_osp_rtmp_track_get(out->track, csid);

        if (seen == NULL || seen->open) {
            return NGX_ERROR;
        }

        seen->timestamp = timestamp;
        seen->delta = timestamp;
        seen->ext = (timestamp >= NGX_OSP_RTMP_EXT);
        seen->ext_value = seen->ext ? timestamp : 0;
        seen->mlen = (uint32_t) len;
        seen->msid = msid;
        seen->type = (u_char) type;
        seen->raw = 0;
    }

    p = ngx_osp_rtmp_write_header(out->pos, csid, timestamp, (uint32_t) len,
                                  type, msid);

    for ( ;; ) {
        n = ngx_min(len, out->chunk_size);

        if (n) {
            p = ngx_cpymem(p, payload, n);

            payload += n;
            len -= n;
        }

        if (len == 0) {
            break;
        }

        p = ngx_osp_rtmp_write_next_header(p, csid, timestamp);
    }

    out->pos = p;

    return NGX_OK;
}


size_t
ngx_osp_rtmp_message_size(ngx_osp_rtmp_out_t *out, uint32_t csid,
    uint32_t timestamp, size_t len)
{
    size_t  basic, chunks;

    basic = csid < 64 ? 1 : csid < 320 ? 2 : 3;

    if (timestamp >= NGX_OSP_RTMP_EXT) {
        basic += 4;
    }

    chunks = len ? (len - 1) / out->chunk_size + 1 : 1;

    return chunks * basic + NGX_OSP_RTMP_FULL_HEADER + len;
}


ngx_osp_rtmp_track_t *
ngx_osp_rtmp_track_create(ngx_pool_t *pool)
{
    ngx_osp_rtmp_track_t  *track;

    track = ngx_palloc(pool, sizeof(ngx_osp_rtmp_track_t));
    if (track == NULL) {
        return NULL;
    }

    ngx_osp_rtmp_track_reset(track);

    return track;
}


void
ngx_osp_rtmp_track_reset(ngx_osp_rtmp_track_t *track)
{
    track->n = 0;
    track->nopen = 0;
}


ngx_int_t
ngx_osp_rtmp_track_item(ngx_osp_rtmp_track_t *track,
    ngx_osp_rtmp_item_t *item, uint32_t msid, u_char *buf, size_t *len)
{
    ngx_int_t             rc;
    ngx_osp_rtmp_seen_t  *seen, *aborted;

    if (item->first) {
        seen = ngx_osp_rtmp_track_get(track, item->csid);
        if (seen == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_osp_rtmp_track_same(seen, item, msid) ? NGX_DECLINED : NGX_OK;

        seen->timestamp = item->timestamp;
        seen->mlen = item->mlen;
        seen->type = (u_char) item->type;
        seen->msid = msid;

        if (rc == NGX_OK) {
            *len = ngx_osp_rtmp_write_header(buf, item->csid, item->timestamp,
                                             item->mlen, item->type, msid)
                   - buf;

            seen->delta = item->timestamp;
            seen->ext = (item->timestamp >= NGX_OSP_RTMP_EXT);
            seen->ext_value = seen->ext ? item->timestamp : 0;
            seen->raw = 0;

        } else {
            seen->delta = item->delta;
            seen->ext = item->ext;
            seen->ext_value = item->ext_value;
            seen->raw = 1;
        }

        if (!seen->open) {
            seen->open = 1;
            track->nopen++;
        }

    } else {
        seen = ngx_osp_rtmp_track_find(track, item->csid);

        if (seen == NULL || !seen->open) {
            return NGX_ERROR;
        }

        rc = ngx_osp_rtmp_track_next(seen, item, buf, len);
    }

    if (item->last) {
        seen->open = 0;
        track->nopen--;

        if (item->type == NGX_OSP_RTMP_ABORT) {
            aborted = ngx_osp_rtmp_track_find(track, item->control);

            if (aborted && aborted->open) {
                aborted->open = 0;
                track->nopen--;
            }
        }
    }

    return rc;
}


ngx_uint_t
ngx_osp_rtmp_track_open(ngx_osp_rtmp_track_t *track, uint32_t csid)
{
    ngx_osp_rtmp_seen_t  *seen;

    seen = ngx_osp_rtmp_track_find(track, csid);

    return seen && seen->open;
}


ngx_uint_t
ngx_osp_rtmp_track_same_stream(ngx_osp_rtmp_track_t *track,
    ngx_osp_rtmp_item_t *item)
{
    ngx_osp_rtmp_seen_t  *seen;

    seen = ngx_osp_rtmp_track_find(track, item->csid);

    return seen
           && seen->raw
           && seen->timestamp == item->timestamp
           && seen->delta == item->delta
           && seen->ext == item->ext
           && seen->ext_value == item->ext_value
           && seen->mlen == item->mlen
           && seen->msid == item->msid
           && seen->type == item->type
           && seen->open == !item->last;
}


void
ngx_osp_rtmp_track_passed(ngx_osp_rtmp_track_t *track,
    ngx_osp_rtmp_item_t *item)
{
    ngx_osp_rtmp_seen_t  *seen;

    seen = ngx_osp_rtmp_track_get(track, item->csid);

    if (seen == NULL) {
        return;
    }

    seen->timestamp = item->timestamp;
    seen->delta = item->delta;
    seen->ext = item->ext;
    seen->ext_value = item->ext_value;
    seen->mlen = item->mlen;
    seen->msid = item->msid;
    seen->type = (u_char) item->type;
    seen->raw = 1;

    track->nopen -= seen->open;
    seen->open = !item->last;
    track->nopen += seen->open;
}


ngx_uint_t
ngx_osp_rtmp_track_idle(ngx_osp_rtmp_track_t *track)
{
    return track->nopen == 0;
}


static ngx_osp_rtmp_seen_t *
ngx_osp_rtmp_track_find(ngx_osp_rtmp_track_t *track, uint32_t csid)
{
    ngx_uint_t  i;

    for (i = 0; i < track->n; i++) {
        if (track->seen[i].csid == csid) {
            return &track->seen[i];
        }
    }

    return NULL;
}


static ngx_osp_rtmp_seen_t *
ngx_osp_rtmp_track_get(ngx_osp_rtmp_track_t *track, uint32_t csid)
{
    ngx_osp_rtmp_seen_t  *seen;

    seen = ngx_osp_rtmp_track_find(track, csid);
    if (seen) {
        return seen;
    }

    if (track->n == NGX_OSP_RTMP_MAX_STREAMS) {
        return NULL;
    }

    seen = &track->seen[track->n++];

    ngx_memzero(seen, sizeof(ngx_osp_rtmp_seen_t));

    seen->csid = csid;

    /* no header but fmt 0 is right: no message has this length */

    seen->mlen = NGX_OSP_RTMP_NO_LENGTH;

    return seen;
}


/* a chunk that is not the first of its message */

static ngx_int_t
ngx_osp_rtmp_track_next(ngx_osp_rtmp_seen_t *seen, ngx_osp_rtmp_item_t *item,
    u_char *buf, size_t *len)
{
    u_char  *p;

    if (item->header_len == 0
        || (item->fmt == 3
            && !item->no_ext
            && item->ext == seen->ext
            && item->ext_value == seen->ext_value))
    {
        return NGX_DECLINED;
    }

    p = ngx_osp_rtmp_write_basic(buf, 3, item->csid);

    if (seen->ext) {
        p = ngx_osp_rtmp_write_ext(p, seen->ext_value);
    }

    *len = p - buf;

    return NGX_OK;
}


/* does the receiver read from the item's header what the sender meant? */

static ngx_uint_t
ngx_osp_rtmp_track_same(ngx_osp_rtmp_seen_t *seen, ngx_osp_rtmp_item_t *item,
    uint32_t msid)
{
    if (item->fmt == 0) {
        return item->msid == msid && !item->moved;
    }

    if (seen->mlen == NGX_OSP_RTMP_NO_LENGTH
        || seen->msid != msid
        || seen->timestamp + item->delta != item->timestamp)
    {
        return 0;
    }

    if (item->fmt == 1) {
        return 1;
    }

    if (seen->mlen != item->mlen || seen->type != item->type) {
        return 0;
    }

    if (item->fmt == 2) {
        return 1;
    }

    /* receivers differ in the delta that they keep of fmt 0 */

    return seen->raw
           && !item->no_ext
           && seen->delta == item->delta
           && seen->ext == item->ext
           && seen->ext_value == item->ext_value;
}
