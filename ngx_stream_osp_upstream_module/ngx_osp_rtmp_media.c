
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_rtmp_media.h"
#include "ngx_osp_rtmp_media_int.h"


/* what was held in chunks of one byte, each with a header */

#define NGX_OSP_RTMP_HELD_ROOM     (NGX_OSP_RTMP_MEDIA_PEEK * 8)


static ngx_int_t ngx_osp_rtmp_media_chunk_size(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_out_t *out);
static ngx_int_t ngx_osp_rtmp_media_look(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_part_t **held);
static ngx_int_t ngx_osp_rtmp_media_first(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_frame_t *frame);
static ngx_int_t ngx_osp_rtmp_media_peek(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_part_t *part, ngx_osp_rtmp_item_t *item,
    ngx_osp_rtmp_frame_t *frame);
static void ngx_osp_rtmp_media_collect(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_part_t *part, ngx_osp_rtmp_item_t *item, size_t n);
static ngx_osp_rtmp_part_t *ngx_osp_rtmp_media_part(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item);
static ngx_osp_rtmp_part_t *ngx_osp_rtmp_media_find_part(
    ngx_osp_rtmp_media_t *m, uint32_t csid);
static void ngx_osp_rtmp_media_drop_part(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_part_t *part);
static ngx_uint_t ngx_osp_rtmp_media_keeps(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_item_t *item);
static void ngx_osp_rtmp_media_see(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp);
static ngx_osp_rtmp_vtrack_t *ngx_osp_rtmp_media_track(
    ngx_osp_rtmp_media_t *m, ngx_uint_t number);
static ngx_uint_t ngx_osp_rtmp_media_passes(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp);
static ngx_uint_t ngx_osp_rtmp_media_begins(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp);
static ngx_uint_t ngx_osp_rtmp_media_picture(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp);
static void ngx_osp_rtmp_media_sent(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp);
static ngx_int_t ngx_osp_rtmp_media_held(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_part_t *part, ngx_osp_rtmp_item_t *item, uint32_t msid,
    ngx_osp_rtmp_out_t *out);
static ngx_int_t ngx_osp_rtmp_media_write(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, uint32_t msid, ngx_osp_rtmp_out_t *out);


#define ngx_osp_rtmp_media_is(type)                                           \
    ((type) < 32 && (NGX_OSP_RTMP_MEDIA_TYPES & NGX_OSP_RTMP_TYPE(type)))

/* times go round */

#define ngx_osp_rtmp_media_before(a, b)  ((int32_t) ((a) - (b)) < 0)


ngx_osp_rtmp_media_t *
ngx_osp_rtmp_media_create(ngx_pool_t *pool, size_t max)
{
    ngx_osp_rtmp_media_t  *m;

    m = ngx_pcalloc(pool, sizeof(ngx_osp_rtmp_media_t));
    if (m == NULL) {
        return NULL;
    }

    m->pool = pool;

    ngx_osp_rtmp_store_init(&m->store, pool,
                            max ? max : NGX_OSP_RTMP_MEDIA_MAX);

    return m;
}


ngx_int_t
ngx_osp_rtmp_media_pass(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_reader_t *r,
    u_char **pos, u_char *last, uint32_t types)
{
    ngx_int_t            rc;
    ngx_osp_rtmp_item_t  item;

    for ( ;; ) {

        if (m->nparts == 0) {
            rc = ngx_osp_rtmp_reader_pass(r, pos, last,
                                          types | NGX_OSP_RTMP_MEDIA_TYPES);
            if (rc != NGX_DONE) {
                return rc;
            }
        }

        rc = ngx_osp_rtmp_reader_read_until(r, pos, last, types, &item);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_osp_rtmp_media_watch(m, &item);
    }
}


void
ngx_osp_rtmp_media_watch(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item)
{
    ngx_osp_rtmp_part_t   *held;
    ngx_osp_rtmp_frame_t   frame;

    if (ngx_osp_rtmp_media_look(m, item, &frame, &held) == NGX_OK) {
        ngx_osp_rtmp_media_sent(m, &frame, item->timestamp);
    }
}


void
ngx_osp_rtmp_media_move(ngx_osp_rtmp_media_t *m, ngx_uint_t sender)
{
    ngx_uint_t  i;

    m->state = ngx_osp_rtmp_media_wait;
    m->chunk_size = 0;

    for (i = 0; i < m->ntracks; i++) {
        m->tracks[i].pass = 0;
        m->tracks[i].leading = 0;
    }

    if (!sender) {
        return;
    }

    /* of the last sender only that it had video, and in which tracks */

    m->fresh = 1;
    m->no_video = 0;

    ngx_osp_rtmp_store_clear(&m->store);

    for (i = 0; i < NGX_OSP_RTMP_MAX_OPEN; i++) {
        if (m->parts[i] && m->parts[i]->used) {
            ngx_osp_rtmp_media_drop_part(m, m->parts[i]);
        }
    }
}


void
ngx_osp_rtmp_media_time(ngx_osp_rtmp_media_t *m, uint32_t timestamp)
{
    if (m->state == ngx_osp_rtmp_media_wait) {
        m->time = timestamp;
        m->timed = 1;
    }
}


ngx_int_t
ngx_osp_rtmp_media_item(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item,
    uint32_t msid, ngx_osp_rtmp_out_t *out)
{
    ngx_int_t              rc;
    ngx_uint_t             waited;
    ngx_osp_rtmp_part_t   *held;
    ngx_osp_rtmp_frame_t   frame;

    held = NULL;

    rc = ngx_osp_rtmp_media_look(m, item, &frame, &held);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        waited = (m->state == ngx_osp_rtmp_media_wait);

        if (!ngx_osp_rtmp_media_passes(m, &frame, item->timestamp)) {
            return NGX_OK;
        }

        ngx_osp_rtmp_media_sent(m, &frame, item->timestamp + m->offset);

        if (waited
            && ngx_osp_rtmp_store_write(&m->store,
                                        item->timestamp + m->offset, msid,
                                        out)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (held
            && ngx_osp_rtmp_media_held(m, held, item, msid, out) != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (!item->first
               && !ngx_osp_rtmp_track_open(out->track, item->csid))
    {
        /* what it says of chunks is in force all the same */

        if (item->type == NGX_OSP_RTMP_SET_CHUNK_SIZE && item->last) {
            return ngx_osp_rtmp_media_chunk_size(m, item, out);
        }

        return NGX_OK;
    }

    m->chunk_size = out->chunk_size;

    return ngx_osp_rtmp_media_write(m, item, msid, out);
}


/* a message of which the receiver has not got the beginning, made anew */

static ngx_int_t
ngx_osp_rtmp_media_chunk_size(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_out_t *out)
{
    u_char     payload[4];
    size_t     size;
    ngx_int_t  rc;

    size = out->chunk_size;

    payload[0] = (u_char) (item->control >> 24);
    payload[1] = (u_char) (item->control >> 16);
    payload[2] = (u_char) (item->control >> 8);
    payload[3] = (u_char) item->control;

    /* it is in chunks as they were before */

    out->chunk_size = m->chunk_size ? m->chunk_size : NGX_OSP_RTMP_CHUNK_SIZE;

    rc = ngx_osp_rtmp_write_message(out, item->csid, 0, item->type, 0,
                                    payload, 4);

    out->chunk_size = size;
    m->chunk_size = size;

    return rc;
}


size_t
ngx_osp_rtmp_media_room(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item,
    ngx_osp_rtmp_out_t *out)
{
    size_t  size;

    size = 2 * NGX_OSP_RTMP_HEADER_MAX + item->payload_len;

    if (m->nparts) {
        size += NGX_OSP_RTMP_HEADER_MAX + NGX_OSP_RTMP_HELD_ROOM;
    }

    if (m->state == ngx_osp_rtmp_media_wait
        && ngx_osp_rtmp_media_is(item->type))
    {
        size += ngx_osp_rtmp_store_room(&m->store, out);
    }

    return size;
}


ngx_uint_t
ngx_osp_rtmp_media_waiting(ngx_osp_rtmp_media_t *m)
{
    return m->state == ngx_osp_rtmp_media_wait;
}


ngx_uint_t
ngx_osp_rtmp_media_settle(ngx_osp_rtmp_media_t *m)
{
    ngx_uint_t  i;

    if (m->state == ngx_osp_rtmp_media_watching) {
        return 1;
    }

    if (m->state == ngx_osp_rtmp_media_wait
        || m->nparts
        || m->offset
        || (m->late && m->audio_sent))
    {
        return 0;
    }

    for (i = 0; i < m->ntracks; i++) {
        if (!m->tracks[i].pass || m->tracks[i].leading) {
            return 0;
        }
    }

    m->state = ngx_osp_rtmp_media_watching;

    return 1;
}


ngx_uint_t
ngx_osp_rtmp_media_frames(ngx_osp_rtmp_media_t *m)
{
    return m->frames;
}


uint32_t
ngx_osp_rtmp_media_last(ngx_osp_rtmp_media_t *m)
{
    if (!m->audio_sent) {
        return m->video_sent ? m->video_last : 0;
    }

    if (!m->video_sent) {
        return m->audio_last;
    }

    return ngx_osp_rtmp_media_before(m->audio_last, m->video_last)
           ? m->video_last : m->audio_last;
}


ngx_uint_t
ngx_osp_rtmp_media_full(ngx_osp_rtmp_media_t *m)
{
    return m->store.full;
}


/*
 * NGX_OK: frame tells what the message is, which is said once for each, and
 * if held is set, what came before this item is in there; NGX_AGAIN: more is
 * needed to tell; NGX_DECLINED: it was told before, or is none of media.
 */

static ngx_int_t
ngx_osp_rtmp_media_look(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item,
    ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_part_t **held)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_osp_rtmp_part_t  *part;

    if (item->first && ngx_osp_rtmp_media_is(item->type)) {
        rc = ngx_osp_rtmp_media_first(m, item, frame);
        goto done;
    }

    if (m->nparts == 0) {
        return NGX_DECLINED;
    }

    /* a chunk that is held can't follow a change of their size */

    if (item->type == NGX_OSP_RTMP_SET_CHUNK_SIZE) {

        for (i = 0; i < NGX_OSP_RTMP_MAX_OPEN; i++) {
            part = m->parts[i];

            if (part && part->used && !part->collect) {
                ngx_osp_rtmp_media_drop_part(m, part);
            }
        }

        return NGX_DECLINED;
    }

    if (item->type == NGX_OSP_RTMP_ABORT && item->last) {
        part = ngx_osp_rtmp_media_find_part(m, item->control);

        if (part) {
            ngx_osp_rtmp_media_drop_part(m, part);
        }
    }

    part = ngx_osp_rtmp_media_find_part(m, item->csid);

    if (part == NULL) {
        return NGX_DECLINED;
    }

    if (item->first || item->offset != part->len) {
        ngx_osp_rtmp_media_drop_part(m, part);
        return NGX_DECLINED;
    }

    if (part->collect) {
        ngx_osp_rtmp_media_collect(m, part, item, 0);
        return NGX_DECLINED;
    }

    rc = ngx_osp_rtmp_media_peek(m, part, item, frame);

    *held = part;

done:

    if (rc == NGX_OK) {
        ngx_osp_rtmp_media_see(m, frame, item->timestamp);
    }

    return rc;
}


static ngx_int_t
ngx_osp_rtmp_media_first(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item,
    ngx_osp_rtmp_frame_t *frame)
{
    ngx_int_t             rc;
    ngx_osp_rtmp_part_t  *part;

    if (m->nparts) {
        part = ngx_osp_rtmp_media_find_part(m, item->csid);

        if (part) {
            ngx_osp_rtmp_media_drop_part(m, part);
        }
    }

    rc = ngx_osp_rtmp_frame_parse(frame, item->type, item->payload,
                                  item->payload_len, item->mlen);

    if (rc == NGX_AGAIN) {
        part = ngx_osp_rtmp_media_part(m, item);

        if (part) {
            ngx_memcpy(part->peek, item->payload, item->payload_len);
            return NGX_AGAIN;
        }

        frame->kind = NGX_OSP_RTMP_MEDIA_UNKNOWN;

        return NGX_OK;
    }

    if (!ngx_osp_rtmp_media_keeps(m, frame, item)) {
        return NGX_OK;
    }

    if (item->last) {
        ngx_osp_rtmp_store_keep(&m->store, frame, item, item->payload,
                                item->mlen);
        return NGX_OK;
    }

    part = ngx_osp_rtmp_media_part(m, item);

    if (part) {
        part->frame = *frame;
        part->len = 0;
        ngx_osp_rtmp_media_collect(m, part, item, 0);
    }

    return NGX_OK;
}


/* what was held stays there until the next call */

static ngx_int_t
ngx_osp_rtmp_media_peek(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_part_t *part,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_frame_t *frame)
{
    size_t  n;

    if (item->header_len) {
        part->chunks |= (uint64_t) 1 << part->len;
    }

    n = ngx_min(item->payload_len, NGX_OSP_RTMP_MEDIA_PEEK - part->len);
    ngx_memcpy(part->peek + part->len, item->payload, n);

    if (ngx_osp_rtmp_frame_parse(frame, item->type, part->peek, part->len + n,
                                 item->mlen)
        == NGX_AGAIN)
    {
        part->len += n;
        return NGX_AGAIN;
    }

    if (ngx_osp_rtmp_media_keeps(m, frame, &part->first)) {
        part->frame = *frame;
        ngx_osp_rtmp_media_collect(m, part, item, part->len);

    } else {
        ngx_osp_rtmp_media_drop_part(m, part);
    }

    return NGX_OK;
}


/* n bytes of the message are in peek */

static void
ngx_osp_rtmp_media_collect(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_part_t *part,
    ngx_osp_rtmp_item_t *item, size_t n)
{
    if (!part->collect) {

        if (ngx_osp_rtmp_store_reserve(&m->store, &part->data, &part->size,
                                       item->mlen)
            != NGX_OK)
        {
            ngx_osp_rtmp_media_drop_part(m, part);
            return;
        }

        ngx_memcpy(part->data, part->peek, n);
        part->collect = 1;
    }

    ngx_memcpy(part->data + part->len, item->payload, item->payload_len);
    part->len += item->payload_len;

    if (item->last) {
        ngx_osp_rtmp_store_keep(&m->store, &part->frame, item, part->data,
                                part->len);
        ngx_osp_rtmp_media_drop_part(m, part);
    }
}


static ngx_osp_rtmp_part_t *
ngx_osp_rtmp_media_part(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item)
{
    ngx_uint_t            i;
    ngx_osp_rtmp_part_t  *part;

    for (i = 0; i < NGX_OSP_RTMP_MAX_OPEN; i++) {

        if (m->parts[i] == NULL) {
            m->parts[i] = ngx_pcalloc(m->pool, sizeof(ngx_osp_rtmp_part_t));
        }

        part = m->parts[i];

        if (part == NULL) {
            return NULL;
        }

        if (!part->used) {
            part->used = 1;
            part->collect = 0;
            part->first = *item;
            part->len = item->payload_len;
            part->chunks = 0;
            m->nparts++;

            return part;
        }
    }

    return NULL;
}


static ngx_osp_rtmp_part_t *
ngx_osp_rtmp_media_find_part(ngx_osp_rtmp_media_t *m, uint32_t csid)
{
    ngx_uint_t            i;
    ngx_osp_rtmp_part_t  *part;

    for (i = 0; i < NGX_OSP_RTMP_MAX_OPEN; i++) {
        part = m->parts[i];

        if (part && part->used && part->first.csid == csid) {
            return part;
        }
    }

    return NULL;
}


static void
ngx_osp_rtmp_media_drop_part(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_part_t *part)
{
    part->used = 0;
    m->nparts--;
}


static ngx_uint_t
ngx_osp_rtmp_media_keeps(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_item_t *item)
{
    if (item->type == NGX_OSP_RTMP_AGGREGATE
        || (frame->kind != NGX_OSP_RTMP_MEDIA_HEADER
            && frame->kind != NGX_OSP_RTMP_MEDIA_CONFIG
            && frame->kind != NGX_OSP_RTMP_MEDIA_METADATA))
    {
        return 0;
    }

    if (item->mlen > NGX_OSP_RTMP_MEDIA_ENTRY_MAX) {
        m->store.full = 1;
        return 0;
    }

    return 1;
}


static void
ngx_osp_rtmp_media_see(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_frame_t *frame,
    uint32_t timestamp)
{
    ngx_uint_t              i;
    ngx_osp_rtmp_vtrack_t  *track;

    if (frame->kind == NGX_OSP_RTMP_MEDIA_HEADER && frame->video) {
        m->video = 1;
    }

    if (frame->kind != NGX_OSP_RTMP_MEDIA_FRAME) {
        return;
    }

    m->frames++;

    if (m->fresh) {
        m->fresh = 0;

        for (i = 0; i < m->ntracks; i++) {
            m->tracks[i].last = timestamp;
        }
    }

    if (frame->audio) {

        if (!m->no_video
            || ngx_osp_rtmp_media_before(timestamp, m->silent))
        {
            m->no_video = 1;
            m->silent = timestamp;
        }

        return;
    }

    m->video = 1;
    m->no_video = 0;

    track = ngx_osp_rtmp_media_track(m, frame->track);

    if (track) {
        track->last = timestamp;
    }
}


static ngx_osp_rtmp_vtrack_t *
ngx_osp_rtmp_media_track(ngx_osp_rtmp_media_t *m, ngx_uint_t number)
{
    ngx_uint_t              i;
    ngx_osp_rtmp_vtrack_t  *track;

    for (i = 0; i < m->ntracks; i++) {
        if (m->tracks[i].number == number) {
            return &m->tracks[i];
        }
    }

    if (m->ntracks == NGX_OSP_RTMP_MEDIA_TRACKS) {
        return NULL;
    }

    track = &m->tracks[m->ntracks++];

    ngx_memzero(track, sizeof(ngx_osp_rtmp_vtrack_t));
    track->number = (u_char) number;

    return track;
}


/* a message that was seen just now */

static ngx_uint_t
ngx_osp_rtmp_media_passes(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp)
{
    if (m->state == ngx_osp_rtmp_media_wait) {
        return ngx_osp_rtmp_media_begins(m, frame, timestamp);
    }

    if (m->state == ngx_osp_rtmp_media_watching) {
        return 1;
    }

    if (frame->kind != NGX_OSP_RTMP_MEDIA_FRAME) {
        return 1;
    }

    if (frame->video) {
        return ngx_osp_rtmp_media_picture(m, frame, timestamp);
    }

    if (!m->late) {
        return 1;
    }

    if (ngx_osp_rtmp_media_before(timestamp, m->begin)
        && m->begin - timestamp < NGX_OSP_RTMP_MEDIA_LATE)
    {
        return 0;
    }

    m->late = 0;

    return 1;
}


static ngx_uint_t
ngx_osp_rtmp_media_begins(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp)
{
    ngx_uint_t              i;
    ngx_osp_rtmp_vtrack_t  *track;

    if (frame->kind != NGX_OSP_RTMP_MEDIA_FRAME) {
        return 0;
    }

    if (frame->audio) {

        if (m->video
            && timestamp - m->silent < NGX_OSP_RTMP_MEDIA_NO_VIDEO)
        {
            return 0;
        }

        m->video = 0;

    } else {

        if (!frame->key) {
            return 0;
        }

        track = NULL;

        for (i = 0; i < m->ntracks; i++) {

            if (m->tracks[i].number == frame->track) {
                track = &m->tracks[i];

            } else if (m->tracks[i].number < frame->track
                       && timestamp - m->tracks[i].last
                          + NGX_OSP_RTMP_MEDIA_NO_VIDEO
                          < 2 * NGX_OSP_RTMP_MEDIA_NO_VIDEO)
            {
                return 0;
            }
        }

        if (track) {
            track->pass = 1;
            track->leading = 1;
            track->key = timestamp + frame->composition;
        }
    }

    if (m->timed) {
        m->timed = 0;
        m->offset = m->time - timestamp;
    }

    m->state = ngx_osp_rtmp_media_going;
    m->begin = timestamp;
    m->late = 1;

    return 1;
}


static ngx_uint_t
ngx_osp_rtmp_media_picture(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_frame_t *frame, uint32_t timestamp)
{
    ngx_osp_rtmp_vtrack_t  *track;

    track = ngx_osp_rtmp_media_track(m, frame->track);

    if (track == NULL) {
        return 1;
    }

    if (!track->pass) {

        if (!frame->key) {
            return 0;
        }

        track->pass = 1;
        track->leading = 1;
        track->key = timestamp + frame->composition;

        return 1;
    }

    if (!track->leading) {
        return 1;
    }

    if (!frame->key
        && ngx_osp_rtmp_media_before(timestamp + frame->composition,
                                     track->key))
    {
        return 0;
    }

    track->leading = 0;

    return 1;
}


static void
ngx_osp_rtmp_media_sent(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_frame_t *frame,
    uint32_t timestamp)
{
    if (frame->kind != NGX_OSP_RTMP_MEDIA_FRAME) {
        return;
    }

    if (frame->video) {
        m->video_sent = 1;
        m->video_last = timestamp;

    } else {
        m->audio_sent = 1;
        m->audio_last = timestamp;
    }
}


/* the first bytes of a message, in chunks as they came; the item is next */

static ngx_int_t
ngx_osp_rtmp_media_held(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_part_t *part,
    ngx_osp_rtmp_item_t *item, uint32_t msid, ngx_osp_rtmp_out_t *out)
{
    size_t               n, next, len;
    ngx_osp_rtmp_item_t  piece;

    len = item->offset;

    if (item->header_len) {
        part->chunks &= ~((uint64_t) 1 << len);
    }

    piece = part->first;
    piece.moved = 1;
    piece.fmt = 0;

    n = 0;

    for ( ;; ) {
        next = n;

        do {
            next++;
        } while (next <= len && !(part->chunks & (uint64_t) 1 << next));

        next = ngx_min(next, len);

        piece.payload = part->peek + n;
        piece.payload_len = next - n;

        if (ngx_osp_rtmp_media_write(m, &piece, msid, out) != NGX_OK) {
            return NGX_ERROR;
        }

        if (next == n || !(part->chunks & (uint64_t) 1 << next)) {
            return NGX_OK;
        }

        /* its header is not there any more */

        piece.first = 0;
        piece.fmt = 3;
        piece.no_ext = 1;

        n = next;
    }
}


static ngx_int_t
ngx_osp_rtmp_media_write(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_item_t *item,
    uint32_t msid, ngx_osp_rtmp_out_t *out)
{
    size_t                len;
    u_char               *p, *start, header[NGX_OSP_RTMP_HEADER_MAX];
    ngx_osp_rtmp_item_t   moved;

    if ((size_t) (out->end - out->pos)
        < NGX_OSP_RTMP_HEADER_MAX + item->payload_len)
    {
        return NGX_ERROR;
    }

    moved = *item;

    if (m->offset && ngx_osp_rtmp_media_is(item->type)) {
        moved.timestamp += m->offset;
        moved.moved = 1;
    }

    start = header;

    switch (ngx_osp_rtmp_track_item(out->track, &moved, msid, header, &len)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        start = item->header;
        len = item->header_len;
        break;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    p = out->pos;

    if (len) {
        p = ngx_cpymem(p, start, len);
    }

    if (item->payload_len) {
        p = ngx_cpymem(p, item->payload, item->payload_len);
    }

    out->pos = p;

    return NGX_OK;
}
