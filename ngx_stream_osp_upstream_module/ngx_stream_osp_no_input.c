
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A player whose origin sends nothing any more, or has gone, is moved to
 * another server.  Until then what the origin says passes as it is, and is
 * watched; after a move it is read chunk by chunk, and times go on where they
 * were.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_stream_osp_no_input.h"


/* headers that are kept until a key frame comes */

#define NGX_STREAM_OSP_NO_INPUT_MEDIA  32768

/* a command that is not whole, and may have to be left out */

#define NGX_STREAM_OSP_NO_INPUT_HOLD   4096


typedef enum {
    ngx_stream_osp_word_pass = 0,
    ngx_stream_osp_word_drop,
    ngx_stream_osp_word_end,                     /* nothing more is to come */
    ngx_stream_osp_word_eof,                     /* the publisher has gone */
    ngx_stream_osp_word_unpublish
} ngx_stream_osp_word_e;


static ngx_int_t ngx_stream_osp_no_input_create(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_no_input_raw(ngx_stream_osp_session_t *os,
    u_char **pos, u_char **last);
static ngx_int_t ngx_stream_osp_no_input_look(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last);
static ngx_int_t ngx_stream_osp_no_input_item(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item);
static ngx_int_t ngx_stream_osp_no_input_message(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg);
static ngx_stream_osp_word_e ngx_stream_osp_no_input_word(
    ngx_stream_osp_session_t *os, ngx_osp_rtmp_message_t *msg);
static ngx_stream_osp_word_e ngx_stream_osp_no_input_status(
    ngx_stream_osp_no_input_t *ni, ngx_osp_rtmp_info_t *info);
static ngx_uint_t ngx_stream_osp_no_input_keep_word(
    ngx_stream_osp_session_t *os, ngx_stream_osp_word_e word);
static void ngx_stream_osp_no_input_seen(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_no_input_hold(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);


/* the origin plays.  NGX_OK, though it may be off; NGX_ERROR */

ngx_int_t
ngx_stream_osp_no_input_start(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t     *setup;
    ngx_stream_osp_no_input_t  *ni;

    setup = os->setup;

    if (os->conf->no_input == 0
        || os->name.op != NGX_RTMP_ROUTE_PLAY
        || os->reason != NGX_STREAM_OSP_NONE)
    {
        return NGX_OK;
    }

    /* with other headers or ids it can't pass as it is */

    if (ngx_stream_osp_filter_needed(&setup->filter)
        && !ngx_osp_rtmp_track_idle(setup->track))
    {
        return NGX_OK;
    }

    switch (ngx_stream_osp_move_save(os)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return NGX_OK;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    if (ngx_stream_osp_no_input_create(os) != NGX_OK) {
        return NGX_ERROR;
    }

    ni = os->no_input;

    ngx_osp_rtmp_reader_copy(ni->reader, NGX_OSP_RTMP_MAX_STREAMS,
                             setup->filter.reader);

    ni->msid = setup->filter.to ? setup->filter.from : 0;

    if (ngx_stream_osp_filter_needed(&setup->filter)) {

        ni->track = ngx_osp_rtmp_track_create(ni->pool);
        if (ni->track == NULL) {
            return NGX_ERROR;
        }
    }

    /* its end is not an error yet */

    os->origin->log_error = NGX_ERROR_INFO;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_no_input_create(ngx_stream_osp_session_t *os)
{
    u_char                     *p;
    ngx_pool_t                 *pool;
    ngx_stream_osp_no_input_t  *ni;

    pool = ngx_create_pool(1024, os->session->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ni = ngx_pcalloc(pool, sizeof(ngx_stream_osp_no_input_t));
    if (ni == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ni->pool = pool;
    os->no_input = ni;

    ni->media = ngx_osp_rtmp_media_create(pool, NGX_STREAM_OSP_NO_INPUT_MEDIA);
    if (ni->media == NULL) {
        return NGX_ERROR;
    }

    ni->reader = ngx_osp_rtmp_reader_create(pool);
    if (ni->reader == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, NGX_STREAM_OSP_NO_INPUT_REPLY);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_osp_rtmp_asm_init(&ni->words, p, p + NGX_STREAM_OSP_NO_INPUT_REPLY,
                          NGX_STREAM_OSP_NO_INPUT_TYPES);

    ni->event.handler = ngx_stream_osp_no_input_handler;
    ni->event.data = os;
    ni->event.log = os->session->connection->log;
    ni->event.cancelable = 1;

    return NGX_OK;
}


void
ngx_stream_osp_no_input_free(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (ni == NULL) {
        return;
    }

    os->no_input = NULL;

    if (ni->event.timer_set) {
        ngx_del_timer(&ni->event);
    }

    if (ni->hold) {
        ngx_free(ni->hold);
    }

    ngx_destroy_pool(ni->pool);
}


/* puts what was held in front of what will be read next, if anything is */

size_t
ngx_stream_osp_no_input_unhold(ngx_stream_osp_session_t *os, u_char *p)
{
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (ni->held) {
        ngx_memcpy(p, ni->hold, ni->held);
    }

    return ni->held;
}


/*
 * What the origin says in [*pos, *last).  NGX_OK: what is left there passes as
 * it is; NGX_DONE: the session has ended.
 */

ngx_int_t
ngx_stream_osp_no_input_down(ngx_stream_osp_session_t *os, u_char **pos,
    u_char **last)
{
    ngx_int_t                   rc;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (ni->track == NULL) {
        rc = ngx_stream_osp_no_input_raw(os, pos, last);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    rc = ngx_stream_osp_no_input_items(os, *pos, *last);

    *pos = *last;

    return rc;
}


/* also NGX_AGAIN: what is left does not pass as it is */

static ngx_int_t
ngx_stream_osp_no_input_raw(ngx_stream_osp_session_t *os, u_char **pos,
    u_char **last)
{
    u_char                     *p, *word;
    size_t                      size;
    ngx_int_t                   rc;
    ngx_osp_rtmp_item_t         item;
    ngx_stream_osp_buf_t       *b;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    p = *pos;

    for ( ;; ) {
        rc = ngx_osp_rtmp_media_pass(ni->media, ni->reader, &p, *last,
                                     NGX_STREAM_OSP_NO_INPUT_TYPES);

        ngx_stream_osp_no_input_seen(os);

        if (rc == NGX_DONE) {
            word = p;

            rc = ngx_stream_osp_no_input_look(os, &p, *last);

            if (rc == NGX_OK) {
                continue;
            }

            if (rc == NGX_DECLINED) {
                goto words;
            }

            if (rc == NGX_AGAIN
                && *last - p > NGX_STREAM_OSP_NO_INPUT_HOLD)
            {
                (void) ngx_osp_rtmp_reader_read(ni->reader, &p, *last, &item);
                continue;
            }
        }

        if (rc == NGX_AGAIN) {

            if (ngx_stream_osp_no_input_hold(os, p, *last) != NGX_OK) {
                goto failed;
            }

            *last = p;

            return NGX_OK;
        }

        if (rc == NGX_ABORT) {
            goto failed;
        }

        /* whatever it is that the client gets, it is nothing for others */

        ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                      "upstream can't be watched: %s",
                      ngx_osp_rtmp_reader_error(ni->reader));

        ngx_stream_osp_no_input_free(os);

        return NGX_OK;
    }

words:

    ni->track = ngx_osp_rtmp_track_create(ni->pool);
    if (ni->track == NULL) {
        goto failed;
    }

    os->scan->chunk_size = (uint32_t)
                                   ngx_osp_rtmp_reader_chunk_size(ni->reader);

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;
    size = word - *pos;

    if (size) {
        if (ngx_stream_osp_buf_reserve(b, size, os->session->connection->log)
            != NGX_OK)
        {
            goto failed;
        }

        b->last = ngx_cpymem(b->last, *pos, size);
    }

    *pos = p;

    return NGX_AGAIN;

failed:

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
    return NGX_DONE;
}


/*
 * A command or user control message is at *pos.  NGX_OK: it passes, and was
 * read; NGX_DECLINED: it was read, and is left out; NGX_AGAIN: it is not whole;
 * NGX_ERROR: invalid; NGX_ABORT: no memory.
 */

static ngx_int_t
ngx_stream_osp_no_input_look(ngx_stream_osp_session_t *os, u_char **pos,
    u_char *last)
{
    u_char                     *p;
    uint32_t                    csid;
    ngx_int_t                   rc;
    ngx_uint_t                  left_out;
    ngx_osp_rtmp_item_t         item;
    ngx_osp_rtmp_reader_t      *reader;
    ngx_osp_rtmp_message_t      msg;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    /* by a copy: it is read again when there is more */

    if (ni->copy == NULL) {

        ni->copy = ngx_osp_rtmp_reader_create(ni->pool);
        if (ni->copy == NULL) {
            return NGX_ABORT;
        }
    }

    reader = ni->copy;
    ngx_osp_rtmp_reader_copy(reader, NGX_OSP_RTMP_MAX_STREAMS, ni->reader);

    csid = 0;
    p = *pos;

    do {
        rc = ngx_osp_rtmp_reader_read(reader, &p, last, &item);

        if (rc != NGX_OK) {
            return rc;
        }

        if (csid == 0) {
            csid = item.csid;
        }

        rc = ngx_osp_rtmp_asm_add(&ni->words, &item, &msg);

        /* none that matters is so long, or interleaved */

        if (item.csid != csid || rc == NGX_ERROR || rc == NGX_DECLINED) {
            ngx_osp_rtmp_asm_init(&ni->words, ni->words.start, ni->words.end,
                                  NGX_STREAM_OSP_NO_INPUT_TYPES);

            return ngx_osp_rtmp_reader_read(ni->reader, pos, last, &item);
        }

    } while (rc != NGX_OK);

    left_out = 0;

    if (ngx_osp_rtmp_reader_idle(reader)) {
        left_out = ngx_stream_osp_no_input_keep_word(os,
                                      ngx_stream_osp_no_input_word(os, &msg));
    }

    ngx_osp_rtmp_reader_copy(ni->reader, NGX_OSP_RTMP_MAX_STREAMS, reader);
    *pos = p;

    return left_out ? NGX_DECLINED : NGX_OK;
}


/* NGX_OK, NGX_DONE */

ngx_int_t
ngx_stream_osp_no_input_items(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_int_t                   rc;
    ngx_osp_rtmp_item_t         item;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(ni->reader, &pos, last, &item);

        if (rc == NGX_AGAIN) {

            if (ngx_stream_osp_no_input_hold(os, pos, last) != NGX_OK) {
                break;
            }

            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_DOWN);
        }

        rc = ngx_stream_osp_no_input_item(os, &item);

        if (rc == NGX_DECLINED) {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_DOWN);
        }

        if (rc != NGX_OK) {
            break;
        }
    }

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
    return NGX_DONE;
}


/* NGX_OK; NGX_DECLINED: invalid; NGX_ERROR: no memory */

static ngx_int_t
ngx_stream_osp_no_input_item(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item)
{
    ngx_int_t                   rc;
    ngx_osp_rtmp_message_t      msg;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    /* longer ones are none that matters */

    if (item->mlen <= NGX_STREAM_OSP_NO_INPUT_REPLY
        || item->type == NGX_OSP_RTMP_ABORT)
    {
        rc = ngx_osp_rtmp_asm_add(&ni->words, item, &msg);

        if (rc == NGX_OK) {
            return ngx_stream_osp_no_input_message(os, &msg);
        }

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return NGX_DECLINED;
        }
    }

    rc = ngx_stream_osp_no_input_media(os, item);

    ngx_stream_osp_no_input_seen(os);

    return rc;
}


ngx_int_t
ngx_stream_osp_no_input_media(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item)
{
    size_t                      room;
    uint32_t                    msid, passed;
    ngx_osp_rtmp_out_t          out;
    ngx_stream_osp_buf_t       *b;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;
    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (ni->began && ngx_osp_rtmp_media_waiting(ni->media)) {

        /* as much time as has passed, so that it is live again */

        passed = (uint32_t) (ngx_current_msec - ni->stop);

        ngx_osp_rtmp_media_time(ni->media,
                                ni->stop_time + ngx_max(passed, 1));
    }

    out.chunk_size = ngx_osp_rtmp_reader_chunk_size(ni->reader);
    out.track = ni->track;

    room = ngx_osp_rtmp_media_room(ni->media, item, &out);

    if (ngx_stream_osp_buf_reserve(b, room, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out.pos = b->last;
    out.end = b->end;

    msid = (ni->msid && item->msid == ni->msid) ? 1 : item->msid;

    if (ngx_osp_rtmp_media_item(ni->media, item, msid, &out) != NGX_OK) {
        return NGX_DECLINED;
    }

    b->last = out.pos;

    if (item->type == NGX_OSP_RTMP_SET_CHUNK_SIZE && item->last) {
        os->scan->chunk_size = (uint32_t) out.chunk_size;
    }

    return NGX_OK;
}


/* a command or user control message that is whole */

static ngx_int_t
ngx_stream_osp_no_input_message(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg)
{
    size_t                      size;
    uint32_t                    msid, value;
    ngx_uint_t                  event;
    ngx_osp_rtmp_out_t          out;
    ngx_stream_osp_buf_t       *b;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;
    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (ngx_stream_osp_no_input_keep_word(os,
                                       ngx_stream_osp_no_input_word(os, msg)))
    {
        return NGX_OK;
    }

    msid = msg->msid;

    if (ni->msid && msid == ni->msid) {
        msid = 1;
    }

    if (ni->msid
        && msg->type == NGX_OSP_RTMP_USER_CONTROL
        && ngx_osp_rtmp_user_control_parse(msg->payload, msg->len, &event,
                                           &value)
           == NGX_OK
        && event <= NGX_OSP_RTMP_STREAM_RECORDED
        && value == ni->msid)
    {
        ngx_memcpy(msg->payload + 2, "\0\0\0\1", 4);
    }

    out.chunk_size = ngx_osp_rtmp_reader_chunk_size(ni->reader);
    out.track = ni->track;

    size = ngx_osp_rtmp_message_size(&out, msg->csid, msg->timestamp,
                                     msg->len);

    if (ngx_stream_osp_buf_reserve(b, size, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out.pos = b->last;
    out.end = b->end;

    if (ngx_osp_rtmp_write_message(&out, msg->csid, msg->timestamp, msg->type,
                                   msid, msg->payload, msg->len)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    b->last = out.pos;

    return NGX_OK;
}


/* what it means here */

static ngx_stream_osp_word_e
ngx_stream_osp_no_input_word(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg)
{
    uint32_t                    value;
    ngx_uint_t                  event;
    const char                 *error;
    ngx_osp_rtmp_command_t      cmd;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (msg->type == NGX_OSP_RTMP_USER_CONTROL) {

        if (ngx_osp_rtmp_user_control_parse(msg->payload, msg->len, &event,
                                            &value)
            != NGX_OK
            || value != (ni->msid ? ni->msid : 1))
        {
            return ngx_stream_osp_word_pass;
        }

        if (event == NGX_OSP_RTMP_STREAM_EOF) {
            return ngx_stream_osp_word_eof;
        }

        /* a client that was not told of an end is not told of a beginning */

        return (event == NGX_OSP_RTMP_STREAM_BEGIN && ni->moves && !ni->told)
               ? ngx_stream_osp_word_drop : ngx_stream_osp_word_pass;
    }

    if (ngx_osp_rtmp_command_parse(msg->payload, msg->len, msg->type, &cmd,
                                   &error)
        != NGX_OK)
    {
        return ngx_stream_osp_word_pass;
    }

    switch (cmd.name) {

    case NGX_OSP_RTMP_ON_STATUS:
        return ngx_stream_osp_no_input_status(ni, &cmd.info);

    case NGX_OSP_RTMP_CLOSE:
        return ngx_stream_osp_word_end;

    case NGX_OSP_RTMP_ON_BW_DONE:
        return ni->moves ? ngx_stream_osp_word_drop : ngx_stream_osp_word_pass;

    default:
        return ngx_stream_osp_word_pass;
    }
}


static ngx_stream_osp_word_e
ngx_stream_osp_no_input_status(ngx_stream_osp_no_input_t *ni,
    ngx_osp_rtmp_info_t *info)
{
    ngx_uint_t  i;

    static struct {
        ngx_str_t              code;
        ngx_stream_osp_word_e  word;

    } codes[] = {
        { ngx_string("NetStream.Play.UnpublishNotify"),
          ngx_stream_osp_word_unpublish },
        { ngx_string("NetStream.Play.Stop"), ngx_stream_osp_word_end },
        { ngx_string("NetStream.Play.Complete"), ngx_stream_osp_word_end },
        { ngx_string("NetStream.Play.Start"), ngx_stream_osp_word_drop },
        { ngx_string("NetStream.Play.Reset"), ngx_stream_osp_word_drop },
        { ngx_string("NetStream.Play.PublishNotify"),
          ngx_stream_osp_word_drop }
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {

        if (info->code.len != codes[i].code.len
            || ngx_memcmp(info->code.data, codes[i].code.data, info->code.len)
               != 0)
        {
            continue;
        }

        if (codes[i].word == ngx_stream_osp_word_drop
            && (!ni->moves || ni->told))
        {
            return ngx_stream_osp_word_pass;
        }

        return codes[i].word;
    }

    return ngx_osp_rtmp_info_is_error(info) ? ngx_stream_osp_word_end
                                            : ngx_stream_osp_word_pass;
}


/*
 * The end of the publisher may be the end of this server only, so the client
 * is told once no other has the stream.  1: the message is left out.
 */

static ngx_uint_t
ngx_stream_osp_no_input_keep_word(ngx_stream_osp_session_t *os,
    ngx_stream_osp_word_e word)
{
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    switch (word) {

    case ngx_stream_osp_word_drop:
        return 1;

    case ngx_stream_osp_word_eof:
    case ngx_stream_osp_word_unpublish:

        if (!ni->began || ni->end) {
            return 0;
        }

        /* it may have been told so by the server before */

        if (!ni->told) {
            ni->eof |= (word == ngx_stream_osp_word_eof);
            ni->unpublish |= (word == ngx_stream_osp_word_unpublish);
        }

        return 1;

    case ngx_stream_osp_word_end:
        ni->end = 1;
        (void) ngx_stream_osp_no_input_tell(os);

        /* fall through */

    default:
        return 0;
    }
}


/* has there been media since the last look? */

static void
ngx_stream_osp_no_input_seen(ngx_stream_osp_session_t *os)
{
    ngx_uint_t                  frames;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    frames = ngx_osp_rtmp_media_frames(ni->media);

    if (frames == ni->frames) {
        return;
    }

    ni->frames = frames;
    ni->last = ngx_current_msec;
    ni->media_seen = 1;

    if (ngx_osp_rtmp_media_waiting(ni->media)) {
        return;
    }

    if (ni->tries) {
        ngx_stream_osp_no_input_found(os);
    }

    ni->began = 1;
    ni->tries = 0;
    ni->rounds = 0;
    ni->end = 0;
    ni->eof = 0;
    ni->unpublish = 0;
    ni->told = 0;

    if (os->move) {
        os->move->nsilent = 0;
    }

    if (!ni->event.timer_set) {
        ngx_stream_osp_no_input_timer(os, os->conf->no_input);
    }
}


static ngx_int_t
ngx_stream_osp_no_input_hold(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (ni->hold) {
        ngx_free(ni->hold);
        ni->hold = NULL;
        ni->held = 0;
    }

    if (pos == last) {
        return NGX_OK;
    }

    ni->hold = ngx_alloc(last - pos, os->session->connection->log);
    if (ni->hold == NULL) {
        return NGX_ERROR;
    }

    ni->held = last - pos;
    ngx_memcpy(ni->hold, pos, ni->held);

    return NGX_OK;
}
