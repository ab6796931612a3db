
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * How a player is moved to another server: when, what of its messages was cut,
 * and what both sides are told.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_stream_osp_no_input.h"


/* the rest of a message that the origin has not sent */

#define NGX_STREAM_OSP_NO_INPUT_REST   1048576

/* from one move to the next, and to the first key frame, ms */

#define NGX_STREAM_OSP_NO_INPUT_PAUSE  10000
#define NGX_STREAM_OSP_NO_INPUT_MAX    60000
#define NGX_STREAM_OSP_NO_INPUT_KEY    30000


static ngx_int_t ngx_stream_osp_no_input_move(ngx_stream_osp_session_t *os,
    const char *text);
static ngx_int_t ngx_stream_osp_no_input_finish(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_no_input_moved(ngx_stream_osp_session_t *os,
    ngx_stream_osp_moved_t *moved);


void
ngx_stream_osp_no_input_handler(ngx_event_t *ev)
{
    ngx_msec_t                  now, idle, pause, passed;
    ngx_stream_osp_flow_t      *down;
    ngx_stream_osp_session_t   *os;
    ngx_stream_osp_no_input_t  *ni;

    os = ev->data;
    ni = os->no_input;

    ev->timedout = 0;

    /* it is to end */

    if (os->moving || os->closing || os->reason != NGX_STREAM_OSP_NONE) {
        return;
    }

    now = ngx_current_msec;
    down = &os->flow[NGX_STREAM_OSP_DOWN];

    /* a client that does not read, or does not want to, is no silence */

    if (os->paused || ni->end || down->buf.pos != down->buf.last) {
        ni->last = now;
    }

    /* nor is a server that is read slowly: its frames take longer */

    if (ngx_stream_osp_rate_delayed(os, NGX_STREAM_OSP_DOWN)) {
        ni->last = now;
        ngx_stream_osp_no_input_timer(os, os->conf->no_input);
        return;
    }

    idle = now - ni->last;
    passed = now - ni->moved;

    if (idle < os->conf->no_input
        && (!ngx_osp_rtmp_media_waiting(ni->media)
            || passed < ngx_max(NGX_STREAM_OSP_NO_INPUT_KEY,
                                os->conf->no_input)))
    {
        ngx_stream_osp_no_input_timer(os, os->conf->no_input - idle);
        return;
    }

    /* nobody has it: not so often any more */

    pause = 0;

    if (ni->moves && (ni->media_seen || ni->rounds)) {
        pause = NGX_STREAM_OSP_NO_INPUT_PAUSE;
        pause <<= ni->rounds ? ngx_min(ni->rounds - 1, 3) : 0;
        pause = ngx_min(pause, NGX_STREAM_OSP_NO_INPUT_MAX);
    }

    if (passed < pause) {
        ngx_stream_osp_no_input_timer(os, pause - passed);
        return;
    }

    if (ngx_stream_osp_no_input_move(os, "sends no media") == NGX_DECLINED) {
        ngx_stream_osp_no_input_timer(os, NGX_STREAM_OSP_NO_INPUT_PAUSE);
    }
}


void
ngx_stream_osp_no_input_timer(ngx_stream_osp_session_t *os, ngx_msec_t time)
{
    ngx_add_timer(&os->no_input->event, ngx_max(time, 1));
}


/* NGX_OK: another server is looked for; NGX_DECLINED; NGX_DONE */

ngx_int_t
ngx_stream_osp_no_input_lost(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (!ni->began || ni->end || os->paused) {
        return NGX_DECLINED;
    }

    return ngx_stream_osp_no_input_move(os, "was lost");
}


static ngx_int_t
ngx_stream_osp_no_input_move(ngx_stream_osp_session_t *os, const char *text)
{
    size_t                      rest;
    ngx_int_t                   rc;
    ngx_uint_t                  level;
    ngx_connection_t           *c;
    ngx_stream_osp_move_t      *move;
    ngx_rtmp_route_tried_t      left;
    ngx_stream_osp_no_input_t  *ni;

    static time_t               said;

    c = os->session->connection;
    ni = os->no_input;

    if (os->ended || os->scan->nstreams) {
        return NGX_DECLINED;
    }

    rest = ngx_osp_rtmp_reader_finish(ni->reader, NULL);

    if (rest > NGX_STREAM_OSP_NO_INPUT_REST) {
        return NGX_DECLINED;
    }

    move = os->move;
    left = move->left;

    rc = ngx_stream_osp_move(os, ngx_stream_osp_no_input_moved);
    if (rc != NGX_OK) {
        return rc;
    }

    /* many players have the same server */

    level = (said == ngx_time()) ? NGX_LOG_INFO : NGX_LOG_ERR;
    said = ngx_time();

    ngx_log_error(level, c->log, 0, "upstream server \"%V\" %s",
                  &os->server, text);

    if (ni->event.timer_set) {
        ngx_del_timer(&ni->event);
    }

    if (ngx_stream_osp_no_input_finish(os) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    /* others are asked before those which were silent, too */

    if (ni->tries) {

        if (move->nsilent == NGX_STREAM_OSP_SILENT) {
            move->nsilent = 0;
        }

        move->silent[move->nsilent++] = left;
    }

    ni->moves = 1;
    ni->tries++;
    ni->media_seen = 0;

    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_OK;
}


/* the client is at the end of a message, and knows of nothing to come */

static ngx_int_t
ngx_stream_osp_no_input_finish(ngx_stream_osp_session_t *os)
{
    u_char                     *p, *pos;
    size_t                      len;
    ngx_int_t                   rc;
    ngx_osp_rtmp_item_t         item;
    ngx_stream_osp_buf_t       *b;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;
    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    /* what the time was when something passed the last time */

    if (!ngx_osp_rtmp_media_waiting(ni->media)) {
        ni->stop = ni->last;
        ni->stop_time = ngx_osp_rtmp_media_last(ni->media);
    }

    if (ni->hold) {
        ngx_free(ni->hold);
        ni->hold = NULL;
        ni->held = 0;
    }

    ngx_osp_rtmp_asm_init(&ni->words, ni->words.start, ni->words.end,
                          NGX_STREAM_OSP_NO_INPUT_TYPES);

    ngx_osp_rtmp_media_move(ni->media, 1);

    len = ngx_osp_rtmp_reader_finish(ni->reader, NULL);
    rc = NGX_OK;

    if (len) {

        p = ngx_alloc(len, os->session->connection->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_osp_rtmp_reader_finish(ni->reader, p);

        if (ni->track == NULL) {
            rc = ngx_stream_osp_buf_reserve(b, len,
                                            os->session->connection->log);
            if (rc == NGX_OK) {
                b->last = ngx_cpymem(b->last, p, len);
            }
        }

        pos = p;

        while (rc == NGX_OK
               && ni->track
               && ngx_osp_rtmp_reader_read(ni->reader, &pos, p + len, &item)
                  == NGX_OK)
        {
            rc = ngx_stream_osp_no_input_media(os, &item);
        }

        ngx_free(p);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ni->track == NULL) {

        os->scan->chunk_size = (uint32_t)
                                   ngx_osp_rtmp_reader_chunk_size(ni->reader);

        ni->track = ngx_osp_rtmp_track_create(ni->pool);
        if (ni->track == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_osp_rtmp_track_reset(ni->track);

    /* what the client says goes to somebody who does not know the half */

    if (ni->up == NULL) {

        ni->up = ngx_pcalloc(ni->pool, sizeof(ngx_stream_osp_filter_t));
        if (ni->up == NULL) {
            return NGX_ERROR;
        }

        ni->up->reader = ngx_osp_rtmp_reader_create(ni->pool);
        ni->up->track = ngx_osp_rtmp_track_create(ni->pool);

        if (ni->up->reader == NULL || ni->up->track == NULL) {
            return NGX_ERROR;
        }

        ngx_osp_rtmp_reader_copy(ni->up->reader, NGX_OSP_RTMP_MAX_STREAMS,
                                 os->scan->reader);
    }

    ngx_osp_rtmp_track_reset(ni->up->track);

    return NGX_OK;
}


ngx_uint_t
ngx_stream_osp_no_input_on(ngx_stream_osp_session_t *os)
{
    return os->no_input->up != NULL;
}


/*
 * What the client says in [pos, last), for a server that has not seen all of
 * it.  NGX_OK, or NGX_DONE: the session has ended.
 */

ngx_int_t
ngx_stream_osp_no_input_up(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    size_t                    size, next;
    ngx_int_t                 rc;
    ngx_osp_rtmp_item_t       item;
    ngx_stream_osp_filter_t  *up;

    up = os->no_input->up;

    if (os->moving && os->ended) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_OK);
        return NGX_DONE;
    }

    for ( ;; ) {
        size = ngx_osp_rtmp_reader_chunk_size(up->reader);

        rc = ngx_osp_rtmp_reader_read(up->reader, &pos, last, &item);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_UP);
        }

        /* acknowledgements are about what another server has sent */

        if (os->moving || item.type == NGX_OSP_RTMP_ACK) {
            continue;
        }

        if (!item.first && !ngx_osp_rtmp_track_open(up->track, item.csid)) {

            /* what it says of chunks is in force all the same */

            next = ngx_osp_rtmp_reader_chunk_size(up->reader);

            if (next != size
                && ngx_stream_osp_move_chunk_size(os, NGX_STREAM_OSP_UP, size,
                                                  next, up->track)
                   != NGX_OK)
            {
                return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_UP);
            }

            continue;
        }

        if (ngx_stream_osp_filter_item(up, &item,
                                       &os->flow[NGX_STREAM_OSP_UP].buf,
                                       os->session->connection->log)
            != NGX_OK)
        {
            return ngx_stream_osp_invalid(os, NGX_STREAM_OSP_UP);
        }
    }
}


static void
ngx_stream_osp_no_input_moved(ngx_stream_osp_session_t *os,
    ngx_stream_osp_moved_t *moved)
{
    size_t                      size;
    u_char                     *pos, *last;
    ngx_stream_osp_move_t      *move;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    ngx_osp_rtmp_reader_copy(ni->reader, NGX_OSP_RTMP_MAX_STREAMS,
                             moved->reader);

    ni->msid = (moved->msid == 1) ? 0 : moved->msid;
    ni->up->from = ni->msid ? 1 : 0;
    ni->up->to = ni->msid;

    pos = moved->pos;
    last = moved->last;

    os->origin->log_error = NGX_ERROR_INFO;

    ngx_stream_osp_moved(os);

    size = ngx_osp_rtmp_reader_chunk_size(ni->reader);

    if (size != os->scan->chunk_size
        && ngx_stream_osp_move_chunk_size(os, NGX_STREAM_OSP_DOWN,
                                          os->scan->chunk_size, size,
                                          ni->track)
           != NGX_OK)
    {
        goto failed;
    }

    os->scan->chunk_size = (uint32_t) size;

    size = ngx_osp_rtmp_reader_chunk_size(ni->up->reader);

    if (size != NGX_OSP_RTMP_CHUNK_SIZE
        && ngx_stream_osp_move_chunk_size(os, NGX_STREAM_OSP_UP,
                                          NGX_OSP_RTMP_CHUNK_SIZE, size,
                                          ni->up->track)
           != NGX_OK)
    {
        goto failed;
    }

    /* all were asked: the end of the stream is what it seems to be */

    move = os->move;

    if (ngx_memcmp(&move->server.server, &move->left.server,
                   sizeof(ngx_rtmp_route_ref_t))
        == 0
        || (ni->tries > 1 && move->nsilent == 0))
    {
        ni->rounds++;

        if (ngx_stream_osp_no_input_tell(os) != NGX_OK) {
            goto failed;
        }
    }

    ni->moved = ngx_current_msec;
    ni->last = ngx_current_msec;

    ngx_stream_osp_no_input_timer(os, os->conf->no_input);

    if (ngx_stream_osp_no_input_items(os, pos, last) == NGX_OK) {
        ngx_stream_osp_relay_again(os);
    }

    return;

failed:

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
}


/* the number of the client's stream 1, which is read chunk by chunk */

uint32_t
ngx_stream_osp_no_input_msid(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_filter_t  *up;

    up = os->no_input->up;

    return (up && up->to) ? up->to : 1;
}


/* whether the client is between two messages */

ngx_uint_t
ngx_stream_osp_no_input_between(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;

    if (ni->track) {
        return ngx_osp_rtmp_track_idle(ni->track);
    }

    os->scan->chunk_size = (uint32_t)
                                   ngx_osp_rtmp_reader_chunk_size(ni->reader);

    return ngx_osp_rtmp_reader_idle(ni->reader);
}


void
ngx_stream_osp_no_input_found(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_move_t   *move;
    ngx_rtmp_route_peer_t    peer;
    ngx_rtmp_route_query_t   query;

    move = os->move;

    ngx_memzero(&peer, sizeof(ngx_rtmp_route_peer_t));
    peer.id = os->server;

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));
    query.key = move->key;
    query.op = NGX_RTMP_ROUTE_PLAY;
    query.protocol = move->protocol;
    query.alternative = move->alternative;

    ngx_rtmp_route_found(move->route, &query, &peer);
}


/* what was left out, now that nobody else has the stream */

ngx_int_t
ngx_stream_osp_no_input_tell(ngx_stream_osp_session_t *os)
{
    ngx_str_t                   text;
    ngx_osp_rtmp_out_t          out;
    ngx_stream_osp_buf_t       *b;
    ngx_stream_osp_no_input_t  *ni;

    ni = os->no_input;
    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (!ni->eof && !ni->unpublish) {
        return NGX_OK;
    }

    if (!ngx_osp_rtmp_track_idle(ni->track)) {
        return NGX_OK;
    }

    if (ngx_stream_osp_buf_reserve(b, 1024, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out.pos = b->last;
    out.end = b->end;
    out.chunk_size = os->scan->chunk_size;
    out.track = ni->track;

    ngx_str_set(&text, "stream is not published any more");

    if ((ni->eof
         && ngx_osp_rtmp_write_user_control(&out, NGX_OSP_RTMP_STREAM_EOF, 1)
            != NGX_OK)
        || (ni->unpublish
            && ngx_osp_rtmp_write_on_status(&out, 1, "status",
                                            "NetStream.Play.UnpublishNotify",
                                            &text)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    b->last = out.pos;

    ni->eof = 0;
    ni->unpublish = 0;
    ni->told = 1;

    return NGX_OK;
}
