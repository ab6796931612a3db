
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A publisher survives the death of its origin.  What it sends is watched, so
 * that another origin can be told what the stream is; what the origin says is
 * passed in whole messages.  After a move bytes of the client are read chunk
 * by chunk, and go on at the next key frame.  Once the new origin has seen a
 * message of each chunk stream that is in use as the client has sent it, bytes
 * pass as they are again, but for what comes on other chunk streams.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_osp_rtmp_media.h"


/* headers of a stream that are kept */

#define NGX_STREAM_OSP_RESUME_MEDIA  16384

/* commands of an origin that are looked at; none that matters is longer */

#define NGX_STREAM_OSP_RESUME_REPLY  2048

/* what is kept for the next origin while there is none */

#define NGX_STREAM_OSP_RESUME_TYPES  (NGX_OSP_RTMP_MEDIA_TYPES                \
                                      | NGX_OSP_RTMP_TYPE(1)                  \
                                      | NGX_OSP_RTMP_TYPE(2))

/* a message to a publisher that is longer passes as it comes */

#define NGX_STREAM_OSP_RESUME_PART   65536


struct ngx_stream_osp_resume_s {
    ngx_pool_t                *pool;
    ngx_osp_rtmp_media_t      *media;

    /* to the client */
    ngx_stream_osp_filter_t    down;
    ngx_osp_rtmp_asm_t         replies;
    ngx_stream_osp_buf_t       part;         /* not whole yet */

    /* to the origin, after a move */
    ngx_osp_rtmp_reader_t     *reader;       /* NULL: bytes pass as they are */
    ngx_osp_rtmp_track_t      *track;
    uint32_t                   msid;
    uint32_t                   acked;        /* what the client knows */
    off_t                      skipped;      /* it has sent so much more */

    unsigned                   settled:1;    /* again as they are */
    unsigned                   special:1;    /* but what is read now */
    unsigned                   told:1;       /* the origin has ended it */
    unsigned                   torn:1;       /* a part has passed */
};


static ngx_int_t ngx_stream_osp_resume_begin(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_resume_write(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item);
static void ngx_stream_osp_resume_passed(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_resume_settle(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_resume_whole(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_resume_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg);
static void ngx_stream_osp_resume_ack(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item);
static void ngx_stream_osp_resume_handler(ngx_stream_osp_session_t *os,
    ngx_stream_osp_moved_t *moved);
static ngx_int_t ngx_stream_osp_resume_map(ngx_stream_osp_session_t *os,
    uint32_t msid);


/* the client has named its stream: from here on it is watched */

ngx_int_t
ngx_stream_osp_resume_create(ngx_stream_osp_session_t *os)
{
    ngx_pool_t               *pool;
    ngx_stream_osp_resume_t  *resume;

    pool = ngx_create_pool(1024, os->session->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    resume = ngx_pcalloc(pool, sizeof(ngx_stream_osp_resume_t));
    if (resume == NULL) {
        goto failed;
    }

    resume->pool = pool;

    resume->media = ngx_osp_rtmp_media_create(pool,
                                              NGX_STREAM_OSP_RESUME_MEDIA);
    if (resume->media == NULL) {
        goto failed;
    }

    os->resume = resume;

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


/* the origin has accepted it.  NGX_OK, or NGX_ERROR; it may be off then */

ngx_int_t
ngx_stream_osp_resume_start(ngx_stream_osp_session_t *os)
{
    u_char                   *p;
    ngx_pool_t               *pool;
    ngx_stream_osp_resume_t  *resume;
    ngx_stream_osp_filter_t  *down;

    resume = os->resume;
    pool = resume->pool;
    down = &resume->down;

    if (os->reason != NGX_STREAM_OSP_NONE
        || !ngx_osp_rtmp_track_idle(os->setup->track))
    {
        ngx_stream_osp_resume_free(os);
        return NGX_OK;
    }

    switch (ngx_stream_osp_move_save(os)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_stream_osp_resume_free(os);
        return NGX_OK;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, NGX_STREAM_OSP_RESUME_REPLY);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_osp_rtmp_asm_init(&resume->replies, p, p + NGX_STREAM_OSP_RESUME_REPLY,
                          NGX_OSP_RTMP_COMMAND_TYPES);

    down->reader = ngx_osp_rtmp_reader_create(pool);
    if (down->reader == NULL) {
        return NGX_ERROR;
    }

    down->track = ngx_osp_rtmp_track_create(pool);
    if (down->track == NULL) {
        return NGX_ERROR;
    }

    /* what is to pass next is as the set-up's filter would have it */

    ngx_osp_rtmp_reader_copy(down->reader, NGX_OSP_RTMP_MAX_STREAMS,
                             os->setup->filter.reader);

    down->from = os->setup->filter.from;
    down->to = os->setup->filter.to;

    os->flow[NGX_STREAM_OSP_DOWN].filter = down;

    /* its end is not an error yet */

    os->origin->log_error = NGX_ERROR_INFO;

    return NGX_OK;
}


void
ngx_stream_osp_resume_free(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    if (resume == NULL) {
        return;
    }

    os->resume = NULL;

    if (os->flow[NGX_STREAM_OSP_DOWN].filter == &resume->down) {
        os->flow[NGX_STREAM_OSP_DOWN].filter = NULL;
    }

    ngx_stream_osp_buf_free(&resume->part);

    ngx_destroy_pool(resume->pool);
}


/* more bytes of the client will be looked at, by the scan first */

void
ngx_stream_osp_resume_next(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    if (resume->settled) {
        resume->special = 0;

        ngx_osp_rtmp_reader_copy(resume->reader, NGX_OSP_RTMP_MAX_STREAMS,
                                 os->scan->reader);
    }
}


/* as ngx_osp_rtmp_reader_pass(): the scan sees to the client's commands */

ngx_int_t
ngx_stream_osp_resume_pass(ngx_stream_osp_session_t *os, u_char **pos,
    u_char *last)
{
    u_char                   *p;
    uint32_t                  types;
    ngx_int_t                 rc;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    if (resume->reader == NULL || (resume->settled && !resume->special)) {

        types = NGX_OSP_RTMP_COMMAND_TYPES;

        if (resume->settled) {
            types |= NGX_OSP_RTMP_MARKED;
        }

        p = *pos;

        rc = ngx_osp_rtmp_media_pass(resume->media, os->scan->reader, pos,
                                     last, types);

        if (rc != NGX_DONE || !resume->settled || *pos != p) {
            return rc;
        }

        /* what the origin can't read as it is begins here */

        resume->special = 1;
    }

    return ngx_osp_rtmp_reader_pass(os->scan->reader, pos, last,
                                    NGX_OSP_RTMP_COMMAND_TYPES);
}


/* whether the client's bytes are to be read chunk by chunk */

ngx_uint_t
ngx_stream_osp_resume_on(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    return resume->reader && (!resume->settled || resume->special);
}


/* the number of the client's stream 1, which is read chunk by chunk */

uint32_t
ngx_stream_osp_resume_msid(ngx_stream_osp_session_t *os)
{
    return os->resume->reader ? os->resume->msid : 1;
}


/* whether the client is between two messages */

ngx_uint_t
ngx_stream_osp_resume_between(ngx_stream_osp_session_t *os)
{
    return !os->resume->torn;
}


/* NGX_OK: another origin is looked for; NGX_DECLINED; NGX_DONE */

ngx_int_t
ngx_stream_osp_resume_lost(ngx_stream_osp_session_t *os)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_stream_osp_resume_t  *resume;

    c = os->session->connection;
    resume = os->resume;

    if (os->moving
        || os->ended
        || resume->told
        || resume->torn
        || os->scan->nstreams
        || resume->down.track == NULL)
    {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, c->log, 0,
                  "upstream server \"%V\" was lost", &os->server);

    if (resume->reader == NULL) {
        resume->track = ngx_osp_rtmp_track_create(resume->pool);
        if (resume->track == NULL) {
            return NGX_DECLINED;
        }

        resume->reader = ngx_osp_rtmp_reader_create(resume->pool);
        if (resume->reader == NULL) {
            return NGX_DECLINED;
        }

        resume->settled = 1;
    }

    rc = ngx_stream_osp_move(os, ngx_stream_osp_resume_handler);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0, "publisher was moved too often");

        ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_GATEWAY,
                                   NGX_STREAM_OSP_MOVE_FAILED,
                                   "NetStream.Publish.Denied",
                                   "servers close the connection");
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_stream_osp_buf_free(&resume->part);

    /* up to here the scan alone has read what the client says */

    if (resume->settled) {
        resume->settled = 0;

        ngx_osp_rtmp_reader_copy(resume->reader, NGX_OSP_RTMP_MAX_STREAMS,
                                 os->scan->reader);
    }

    resume->msid = 1;

    if (ngx_stream_osp_resume_begin(os) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    /* it may have more to say */

    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_OK;
}


/* a receiver that has got nothing yet */

static ngx_int_t
ngx_stream_osp_resume_begin(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    ngx_osp_rtmp_track_reset(resume->track);
    ngx_osp_rtmp_media_move(resume->media, 0);

    ngx_stream_osp_buf_free(&os->flow[NGX_STREAM_OSP_UP].buf);

    return ngx_stream_osp_move_chunk_size(os, NGX_STREAM_OSP_UP,
                              NGX_OSP_RTMP_CHUNK_SIZE,
                              ngx_osp_rtmp_reader_chunk_size(resume->reader),
                              resume->track);
}


/*
 * What the client says in [pos, last), for an origin that has not seen all of
 * it.  NGX_OK, or NGX_DONE: the session has ended.
 */

ngx_int_t
ngx_stream_osp_resume_up(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_int_t                 rc;
    ngx_osp_rtmp_item_t       item;
    ngx_stream_osp_buf_t     *b;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;
    b = &os->flow[NGX_STREAM_OSP_UP].buf;

    if (os->moving && os->ended) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_OK);
        return NGX_DONE;
    }

    if (resume->settled) {
        ngx_stream_osp_resume_passed(os);
    }

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(resume->reader, &pos, last, &item);

        if (rc == NGX_AGAIN) {
            ngx_stream_osp_resume_settle(os);
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_UP);
        }

        /*
         * acknowledgements are about what another origin has sent; nobody is
         * there for commands while there is none
         */

        if (item.type == NGX_OSP_RTMP_ACK
            || (os->moving
                && (item.type > 31
                    || !(NGX_STREAM_OSP_RESUME_TYPES
                         & NGX_OSP_RTMP_TYPE(item.type)))))
        {
            continue;
        }

        if (ngx_stream_osp_resume_write(os, &item) != NGX_OK) {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
            return NGX_DONE;
        }

        if (os->moving
            && (size_t) (b->last - b->pos) > os->conf->resume_buffer
            && ngx_stream_osp_resume_begin(os) != NGX_OK)
        {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
            return NGX_DONE;
        }
    }
}


static ngx_int_t
ngx_stream_osp_resume_write(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item)
{
    size_t                    room;
    uint32_t                  msid;
    ngx_osp_rtmp_out_t        out;
    ngx_stream_osp_buf_t     *b;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;
    b = &os->flow[NGX_STREAM_OSP_UP].buf;

    out.chunk_size = ngx_osp_rtmp_reader_chunk_size(resume->reader);
    out.track = resume->track;

    room = ngx_osp_rtmp_media_room(resume->media, item, &out);

    if (ngx_stream_osp_buf_reserve(b, room, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out.pos = b->last;
    out.end = b->end;

    /* the client was told that its stream is 1 */

    msid = (item->msid == 1) ? resume->msid : item->msid;

    if (ngx_osp_rtmp_media_item(resume->media, item, msid, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    b->last = out.pos;

    return NGX_OK;
}


/* the track knows what was written by ngx_stream_osp_resume_write() only */

static void
ngx_stream_osp_resume_passed(ngx_stream_osp_session_t *os)
{
    ngx_uint_t                i;
    ngx_osp_rtmp_item_t       item;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    for (i = 0; i < ngx_osp_rtmp_reader_streams(resume->reader); i++) {

        if (!ngx_osp_rtmp_reader_stream(resume->reader, i, &item)) {
            ngx_osp_rtmp_track_passed(resume->track, &item);
        }
    }
}


/* whether what the client sends next can pass as it is */

static void
ngx_stream_osp_resume_settle(ngx_stream_osp_session_t *os)
{
    ngx_uint_t                i, same;
    ngx_osp_rtmp_item_t       item;
    ngx_osp_rtmp_reader_t    *reader;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;
    reader = os->scan->reader;

    resume->settled = 0;

    if (os->moving
        || resume->msid != 1
        || !ngx_osp_rtmp_media_settle(resume->media))
    {
        return;
    }

    /* the scan has read as much, and its reader is the one that lasts */

    for (i = 0; i < ngx_osp_rtmp_reader_streams(reader); i++) {

        (void) ngx_osp_rtmp_reader_stream(reader, i, &item);

        same = ngx_osp_rtmp_track_same_stream(resume->track, &item);

        if (!same
            && (!item.last
                || item.type > 31
                || NGX_OSP_RTMP_TYPE(item.type) & NGX_OSP_RTMP_MEDIA_TYPES))
        {
            return;
        }

        ngx_osp_rtmp_reader_mark(reader, i, !same);
    }

    ngx_log_debug0(NGX_LOG_DEBUG_STREAM, os->session->connection->log, 0,
                   "osp publisher has settled");

    resume->settled = 1;
    resume->special = 0;
}


/*
 * What the origin says, for the client.  It may die at any byte, and what
 * follows then comes from another one, so only whole messages pass.
 */

ngx_int_t
ngx_stream_osp_resume_down(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_int_t                 rc;
    ngx_osp_rtmp_item_t       item;
    ngx_osp_rtmp_message_t    msg;
    ngx_stream_osp_resume_t  *resume;
    ngx_stream_osp_filter_t  *down;

    resume = os->resume;
    down = &resume->down;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(down->reader, &pos, last, &item);

        if (rc == NGX_AGAIN) {
            ngx_stream_osp_filter_hold(down, &pos, last);
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_DOWN);
        }

        if (ngx_osp_rtmp_asm_add(&resume->replies, &item, &msg) == NGX_OK) {
            ngx_stream_osp_resume_command(os, &msg);
        }

        ngx_stream_osp_resume_ack(os, &item);

        if (ngx_stream_osp_filter_item(down, &item, &resume->part,
                                       os->session->connection->log)
            != NGX_OK)
        {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_DOWN);
        }

        if (ngx_stream_osp_resume_whole(os) != NGX_OK) {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
            return NGX_DONE;
        }
    }
}


/* lets pass what is whole */

static ngx_int_t
ngx_stream_osp_resume_whole(ngx_stream_osp_session_t *os)
{
    size_t                    size;
    ngx_stream_osp_buf_t     *b, *part;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;
    part = &resume->part;
    size = part->last - part->pos;

    if (ngx_osp_rtmp_track_idle(resume->down.track)) {
        resume->torn = 0;

    } else if (resume->torn || size >= NGX_STREAM_OSP_RESUME_PART) {
        resume->torn = 1;

    } else {
        return NGX_OK;
    }

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (ngx_stream_osp_buf_reserve(b, size, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, part->pos, size);

    part->pos = part->start;
    part->last = part->start;

    os->scan->chunk_size = (uint32_t)
                         ngx_osp_rtmp_reader_chunk_size(resume->down.reader);

    return NGX_OK;
}


/* a server that ends the stream with a word does not want it any more */

static void
ngx_stream_osp_resume_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg)
{
    const char              *error;
    ngx_str_t               *code;
    ngx_osp_rtmp_command_t   cmd;

    static ngx_str_t         unpublish = ngx_string("NetStream.Unpublish.");

    if (ngx_osp_rtmp_command_parse(msg->payload, msg->len, msg->type, &cmd,
                                   &error)
        != NGX_OK)
    {
        return;
    }

    code = &cmd.info.code;

    if (cmd.name == NGX_OSP_RTMP_CLOSE
        || (cmd.name == NGX_OSP_RTMP_ON_STATUS
            && (ngx_osp_rtmp_info_is_error(&cmd.info)
                || (code->len > unpublish.len
                    && ngx_strncmp(code->data, unpublish.data, unpublish.len)
                       == 0))))
    {
        os->resume->told = 1;
    }
}


/*
 * A second origin counts from 0.  The client is told of no more bytes than
 * have come, and never of less than before.
 */

static void
ngx_stream_osp_resume_ack(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item)
{
    u_char                   *p;
    uint32_t                  value;
    ngx_stream_osp_resume_t  *resume;

    resume = os->resume;

    if (item->type != NGX_OSP_RTMP_ACK
        || item->offset != 0
        || item->payload_len < 4)
    {
        return;
    }

    p = item->payload;

    value = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
            | (uint32_t) p[2] << 8 | (uint32_t) p[3];

    value += (uint32_t) resume->skipped;

    if (resume->skipped) {
        if ((int32_t) (value - (uint32_t) os->session->received) > 0) {
            value = (uint32_t) os->session->received;
        }

        if ((int32_t) (value - resume->acked) < 0) {
            value = resume->acked;
        }
    }

    resume->acked = value;

    p[0] = (u_char) (value >> 24);
    p[1] = (u_char) (value >> 16);
    p[2] = (u_char) (value >> 8);
    p[3] = (u_char) value;
}


static void
ngx_stream_osp_resume_handler(ngx_stream_osp_session_t *os,
    ngx_stream_osp_moved_t *moved)
{
    size_t                    size;
    u_char                   *pos, *last;
    ngx_stream_osp_buf_t     *b;
    ngx_stream_osp_resume_t  *resume;
    ngx_stream_osp_filter_t  *down;

    resume = os->resume;
    down = &resume->down;

    ngx_osp_rtmp_reader_copy(down->reader, NGX_OSP_RTMP_MAX_STREAMS,
                             moved->reader);
    ngx_osp_rtmp_track_reset(down->track);

    ngx_osp_rtmp_asm_init(&resume->replies, resume->replies.start,
                          resume->replies.end, NGX_OSP_RTMP_COMMAND_TYPES);

    down->from = (moved->msid == 1) ? 0 : moved->msid;
    down->to = (moved->msid == 1) ? 0 : 1;
    down->ndirty = 0;
    down->held = 0;

    pos = moved->pos;
    last = moved->last;

    os->origin->log_error = NGX_ERROR_INFO;

    if (ngx_stream_osp_resume_map(os, moved->msid) != NGX_OK) {
        goto failed;
    }

    ngx_stream_osp_moved(os);

    b = &os->flow[NGX_STREAM_OSP_UP].buf;

    resume->skipped = os->session->received - os->origin->sent
                      - (b->last - b->pos);

    /* the client reads chunks as the last origin has cut them */

    size = ngx_osp_rtmp_reader_chunk_size(down->reader);

    if (size != os->scan->chunk_size
        && ngx_stream_osp_move_chunk_size(os, NGX_STREAM_OSP_DOWN,
                                          os->scan->chunk_size, size,
                                          down->track)
           != NGX_OK)
    {
        goto failed;
    }

    os->scan->chunk_size = (uint32_t) size;

    os->flow[NGX_STREAM_OSP_DOWN].filter = down;

    if (ngx_stream_osp_resume_down(os, pos, last) == NGX_OK) {
        ngx_stream_osp_relay_again(os);
    }

    return;

failed:

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
}


/* what waits for the server was written for stream 1 */

static ngx_int_t
ngx_stream_osp_resume_map(ngx_stream_osp_session_t *os, uint32_t msid)
{
    ngx_stream_osp_buf_t     *b;
    ngx_stream_osp_filter_t   f;

    if (msid == 1) {
        return NGX_OK;
    }

    os->resume->msid = msid;

    ngx_memzero(&f, sizeof(ngx_stream_osp_filter_t));

    f.from = 1;
    f.to = msid;

    f.reader = ngx_osp_rtmp_reader_create(os->pool);
    if (f.reader == NULL) {
        return NGX_ERROR;
    }

    b = &os->flow[NGX_STREAM_OSP_UP].buf;

    return ngx_stream_osp_filter_map(&f, b->pos, b->last);
}
