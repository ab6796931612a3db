
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Moves a running session to another server.  The client stays connected: the
 * new server is sent what the client had sent first, with a handshake of our
 * own, and what it answers is left out.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_rtmp_route_table.h"


#define NGX_STREAM_OSP_MOVE_RAW    (NGX_STREAM_OSP_PREAMBLE_MAX               \
                                    + NGX_OSP_RTMP_HS_C0C1C2)

/* what the new server is told, but for commands: of its own connection */

#define NGX_STREAM_OSP_MOVE_TYPES  (NGX_OSP_RTMP_COMMAND_TYPES                \
                                    | NGX_OSP_RTMP_TYPE(4)                    \
                                    | NGX_OSP_RTMP_TYPE(5)                    \
                                    | NGX_OSP_RTMP_TYPE(6))

/* messages that need less than a header may take more when they are whole */

#define NGX_STREAM_OSP_MOVE_LEN    32768

/* when all were asked it begins anew: after a time that doubles twice, ms */

#define NGX_STREAM_OSP_MOVE_DELAY  250

/* a server that accepts and then closes must not make a loop: so many, ms */

#define NGX_STREAM_OSP_MOVE_MAX    5
#define NGX_STREAM_OSP_MOVE_TIME   60000


static ngx_int_t ngx_stream_osp_move_copy(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_reader_t *reader, ngx_stream_osp_buf_t *b,
    ngx_stream_osp_move_t *move);
static ngx_int_t ngx_stream_osp_move_message(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_stream_osp_buf_t *b,
    ngx_stream_osp_move_t *move);
static ngx_int_t ngx_stream_osp_move_setup(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_move_handler(ngx_event_t *ev);
static void ngx_stream_osp_move_tried(ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_tried_t *server);
static void ngx_stream_osp_move_wait(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_move_failed(ngx_stream_osp_session_t *os);
static ngx_uint_t ngx_stream_osp_move_media(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item);
static ngx_int_t ngx_stream_osp_move_done(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);


ngx_int_t
ngx_stream_osp_move_save(ngx_stream_osp_session_t *os)
{
    size_t                    key, answers;
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_log_t                *log;
    ngx_stream_osp_buf_t      b;
    ngx_stream_osp_move_t    *move;
    ngx_stream_osp_setup_t   *setup;
    ngx_osp_rtmp_reader_t    *reader;

    log = os->session->connection->log;
    setup = os->setup;

    reader = ngx_osp_rtmp_reader_create(os->pool);
    if (reader == NULL) {
        return NGX_ERROR;
    }

    answers = setup->answers.nelts * sizeof(ngx_stream_osp_answer_t);
    key = setup->query.key.len;

    move = ngx_alloc(sizeof(ngx_stream_osp_move_t) + answers + key, log);
    if (move == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(move, sizeof(ngx_stream_osp_move_t));

    p = (u_char *) move + sizeof(ngx_stream_osp_move_t);

    move->answers = (ngx_stream_osp_answer_t *) p;
    move->nanswers = setup->answers.nelts;

    p = ngx_cpymem(p, setup->answers.elts, answers);

    move->key.data = p;
    move->key.len = key;

    ngx_memcpy(p, setup->query.key.data, key);

    move->route = setup->route;
    move->servers = setup->query.servers;
    move->protocol = setup->query.protocol;
    move->alternative = setup->query.alternative;
    move->stream_tid = setup->stream_tid;

    move->server.server = setup->peer.server;
    move->server.protocol = setup->peer.protocol;
    move->server.endpoint = setup->peer.endpoint;

    move->event.handler = ngx_stream_osp_move_handler;
    move->event.data = os;
    move->event.log = log;
    move->event.cancelable = 1;

    ngx_memzero(&b, sizeof(ngx_stream_osp_buf_t));

    rc = ngx_stream_osp_move_copy(os, reader, &b, move);

    if (rc != NGX_OK) {
        ngx_stream_osp_buf_free(&b);
        ngx_free(move);
        return rc;
    }

    move->raw = b.start;
    move->len = b.last - b.start;

    os->move = move;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_move_copy(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_reader_t *reader, ngx_stream_osp_buf_t *b,
    ngx_stream_osp_move_t *move)
{
    u_char                  *pos, *last;
    ngx_int_t                rc;
    ngx_osp_rtmp_asm_t       assembly;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_message_t   msg;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    pos = setup->raw.start + NGX_STREAM_OSP_MOVE_RAW;
    last = setup->raw.start + setup->stream_end;

    /* all of the client's commands fit, and are not needed any more */

    ngx_osp_rtmp_asm_init(&assembly, setup->assembly.start,
                          setup->assembly.end, NGX_STREAM_OSP_MOVE_TYPES);

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(reader, &pos, last, &item);

        if (rc == NGX_AGAIN) {
            break;
        }

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }

        rc = ngx_osp_rtmp_asm_add(&assembly, &item, &msg);

        if (rc == NGX_ERROR) {
            return NGX_DECLINED;
        }

        if (rc == NGX_OK
            && ngx_stream_osp_move_message(os, &msg, b, move) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (b->last - b->start > NGX_STREAM_OSP_MOVE_LEN) {
            return NGX_DECLINED;
        }
    }

    return (move->connect_end && pos == last) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_stream_osp_move_message(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_stream_osp_buf_t *b,
    ngx_stream_osp_move_t *move)
{
    size_t                    end;
    uint32_t                  msid, value;
    ngx_uint_t                event;
    const char               *error;
    ngx_osp_rtmp_out_t        out;
    ngx_osp_rtmp_command_t    cmd;
    ngx_stream_osp_filter_t  *up;

    if (msg->type == NGX_OSP_RTMP_USER_CONTROL
        && (ngx_osp_rtmp_user_control_parse(msg->payload, msg->len, &event,
                                            &value)
            != NGX_OK
            || event > NGX_OSP_RTMP_STREAM_RECORDED))
    {
        return NGX_OK;
    }

    /* the server where it is may have its own number for our stream 1 */

    up = &os->setup->up;
    msid = (up->to && msg->msid == up->to) ? 1 : msg->msid;

    ngx_memzero(&out, sizeof(ngx_osp_rtmp_out_t));
    out.chunk_size = NGX_OSP_RTMP_CHUNK_SIZE;

    if (ngx_stream_osp_buf_reserve(b,
                                   ngx_osp_rtmp_message_size(&out, msg->csid,
                                                             msg->timestamp,
                                                             msg->len),
                                   os->session->connection->log)
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
        return NGX_ERROR;
    }

    b->last = out.pos;

    if (!(NGX_OSP_RTMP_TYPE(msg->type) & NGX_OSP_RTMP_COMMAND_TYPES)
        || ngx_osp_rtmp_command_parse(msg->payload, msg->len, msg->type, &cmd,
                                      &error)
           != NGX_OK)
    {
        return NGX_OK;
    }

    end = NGX_STREAM_OSP_MOVE_RAW + (b->last - b->start);

    if (cmd.name == NGX_OSP_RTMP_CONNECT) {
        move->connect_end = end;

    } else if (cmd.name == NGX_OSP_RTMP_CREATE_STREAM) {
        move->create_end = end;
    }

    return NGX_OK;
}


ngx_int_t
ngx_stream_osp_move(ngx_stream_osp_session_t *os,
    ngx_stream_osp_move_pt handler)
{
    ngx_connection_t       *c;
    ngx_stream_osp_move_t  *move;

    c = os->session->connection;
    move = os->move;

    /* another stream of the client may wait for a place, with none by then */

    if (move == NULL || os->moving || os->closing || os->setup
        || os->rs.route == NULL)
    {
        return NGX_DECLINED;
    }

    if (move->moves == 0
        || ngx_current_msec - move->first > NGX_STREAM_OSP_MOVE_TIME)
    {
        move->first = ngx_current_msec;
        move->moves = 0;
    }

    if (move->moves == NGX_STREAM_OSP_MOVE_MAX) {
        return NGX_DECLINED;
    }

    move->moves++;
    move->round = 0;
    move->left = move->server;
    move->deadline = ngx_current_msec + os->conf->resume_timeout;
    move->handler = handler;
    ngx_str_set(&move->text, "no server available");

    ngx_stream_osp_origin_close(os);

    ngx_stream_osp_buf_free(&os->flow[NGX_STREAM_OSP_UP].buf);

    os->flow[NGX_STREAM_OSP_UP].filter = NULL;
    os->flow[NGX_STREAM_OSP_UP].dead = 0;
    os->flow[NGX_STREAM_OSP_UP].slow = 0;
    os->flow[NGX_STREAM_OSP_DOWN].filter = NULL;
    os->flow[NGX_STREAM_OSP_DOWN].eof = 0;

    if (os->pool) {
        ngx_destroy_pool(os->pool);
        os->pool = NULL;
    }

    if (ngx_stream_osp_move_setup(os) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_DONE;
    }

    /* the stream is not live there any more, so it may have another place */

    ngx_rtmp_route_session_state(&os->rs, NGX_RTMP_ROUTE_S_CONNECT);

    os->moving = 1;
    c->log->action = "moving to another upstream";

    ngx_post_event(&move->event, &ngx_posted_events);

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_move_setup(ngx_stream_osp_session_t *os)
{
    size_t                    size;
    u_char                   *p;
    ngx_uint_t                i;
    ngx_connection_t         *c;
    ngx_stream_osp_move_t    *move;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_answer_t  *answer;

    c = os->session->connection;
    move = os->move;

    os->pool = ngx_create_pool(4096, c->log);
    if (os->pool == NULL) {
        return NGX_ERROR;
    }

    setup = ngx_pcalloc(os->pool, sizeof(ngx_stream_osp_setup_t));
    if (setup == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&setup->answers, os->pool, move->nanswers,
                       sizeof(ngx_stream_osp_answer_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < move->nanswers; i++) {
        answer = ngx_array_push(&setup->answers);
        *answer = move->answers[i];
        answer->done = 0;
    }

    size = NGX_STREAM_OSP_MOVE_RAW + move->len;

    p = ngx_alloc(size, c->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(p, NGX_STREAM_OSP_MOVE_RAW);

    setup->raw.start = p;
    setup->raw.pos = ngx_cpymem(p + NGX_STREAM_OSP_MOVE_RAW, move->raw,
                                move->len);
    setup->raw.last = setup->raw.pos;
    setup->raw.end = setup->raw.pos;

    setup->phase = ngx_stream_osp_waiting;
    setup->connect = 1;
    setup->chunk_size = NGX_OSP_RTMP_CHUNK_SIZE;
    setup->connect_end = move->connect_end;
    setup->create_end = move->create_end;
    setup->stream_end = size;
    setup->stream_tid = move->stream_tid;

    setup->route = move->route;
    setup->query.key = move->key;
    setup->query.servers = move->servers;
    setup->query.op = os->name.op;
    setup->query.protocol = move->protocol;
    setup->query.alternative = move->alternative;

    os->setup = setup;

    return NGX_OK;
}


/* a round begins, or the time is up */

static void
ngx_stream_osp_move_handler(ngx_event_t *ev)
{
    ngx_uint_t                 i;
    ngx_stream_osp_move_t     *move;
    ngx_rtmp_route_query_t    *query;
    ngx_stream_osp_session_t  *os;

    os = ev->data;
    move = os->move;

    ev->timedout = 0;

    if ((ngx_msec_int_t) (ngx_current_msec - move->deadline) >= 0) {
        ngx_stream_osp_move_failed(os);
        return;
    }

    query = &os->setup->query;
    query->ntried = 0;

    /* the one that was left is asked if no other takes it */

    if (move->round == 0 || move->nsilent) {
        ngx_stream_osp_move_tried(query, &move->left);
    }

    for (i = 0; i < move->nsilent && move->round == 0; i++) {
        ngx_stream_osp_move_tried(query, &move->silent[i]);
    }

    if (move->round++) {
        move->nsilent = 0;
    }

    ngx_add_timer(ev, move->deadline - ngx_current_msec);

    if (ngx_rtmp_route_session_next(&os->rs, query, &os->setup->peer)
        != NGX_OK)
    {
        ngx_stream_osp_move_wait(os);
        return;
    }

    ngx_stream_osp_connect(os);
}


/* all its ports: it is the server that has gone, or refuses */

static void
ngx_stream_osp_move_tried(ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_tried_t *server)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTMP_ROUTE_MAX_ENDPOINTS; i++) {

        if (query->ntried == NGX_RTMP_ROUTE_MAX_TRIED) {
            return;
        }

        query->tried[query->ntried] = *server;
        query->tried[query->ntried++].endpoint = i;
    }
}


void
ngx_stream_osp_move_next(ngx_stream_osp_session_t *os, ngx_str_t *text)
{
    ngx_stream_osp_move_t   *move;
    ngx_rtmp_route_tried_t   server;
    ngx_stream_osp_setup_t  *setup;

    move = os->move;
    setup = os->setup;

    ngx_stream_osp_origin_close(os);

    if (text && text->len == 0) {
        ngx_str_set(text, "refused by the server");
    }

    if (text) {
        move->text.data = move->text_buf;
        move->text.len = ngx_min(text->len, sizeof(move->text_buf));

        ngx_memcpy(move->text_buf, text->data, move->text.len);

        server.server = setup->peer.server;
        server.protocol = setup->peer.protocol;

        ngx_stream_osp_move_tried(&setup->query, &server);
    }

    setup->step = 0;

    if (setup->query.ntried < NGX_RTMP_ROUTE_MAX_TRIED
        && ngx_rtmp_route_session_next(&os->rs, &setup->query, &setup->peer)
           == NGX_OK)
    {
        ngx_stream_osp_connect(os);
        return;
    }

    ngx_stream_osp_move_wait(os);
}


/* nobody else can be asked now */

static void
ngx_stream_osp_move_wait(ngx_stream_osp_session_t *os)
{
    ngx_msec_int_t          delay, left;
    ngx_stream_osp_move_t  *move;

    move = os->move;

    os->setup->phase = ngx_stream_osp_waiting;

    delay = NGX_STREAM_OSP_MOVE_DELAY << ngx_min(move->round - 1, 2);

    left = (ngx_msec_int_t) (move->deadline - ngx_current_msec);
    left = ngx_max(left, 1);

    if (move->event.timer_set) {
        ngx_del_timer(&move->event);
    }

    ngx_add_timer(&move->event, ngx_min(delay, left));
}


static void
ngx_stream_osp_move_failed(ngx_stream_osp_session_t *os)
{
    const char  *who, *code;

    ngx_stream_osp_origin_close(os);
    ngx_stream_osp_moved(os);

    who = "publisher";
    code = "NetStream.Publish.Denied";

    if (os->no_input) {
        who = "player";
        code = "NetStream.Play.StreamNotFound";
    }

    ngx_log_error(NGX_LOG_ERR, os->session->connection->log, 0,
                  "no server takes the %s", who);

    ngx_stream_osp_refuse(os, NGX_STREAM_BAD_GATEWAY,
                          NGX_STREAM_OSP_MOVE_FAILED, code,
                          &os->move->text);
}


ngx_int_t
ngx_stream_osp_move_replies(ngx_stream_osp_session_t *os, u_char **pos,
    u_char *last)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_osp_rtmp_item_t      item;
    ngx_stream_osp_setup_t  *setup;
    ngx_osp_rtmp_reader_t   *reader;
    ngx_osp_rtmp_message_t   msg;

    setup = os->setup;

    /* media is not for us, so what was read of it is to be read again */

    reader = setup->up.reader;

    if (reader == NULL) {

        reader = ngx_osp_rtmp_reader_create(os->pool);
        if (reader == NULL) {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
            return NGX_ERROR;
        }

        setup->up.reader = reader;
    }

    for ( ;; ) {
        p = *pos;

        ngx_osp_rtmp_reader_copy(reader, NGX_OSP_RTMP_MAX_STREAMS,
                                 setup->filter.reader);

        rc = ngx_osp_rtmp_reader_read(setup->filter.reader, pos, last, &item);

        if (rc == NGX_AGAIN) {
            ngx_stream_osp_filter_hold(&setup->filter, pos, last);
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_filter_invalid(os,
                           ngx_osp_rtmp_reader_error(setup->filter.reader));
        }

        if (ngx_stream_osp_move_media(os, &item)) {
            ngx_osp_rtmp_reader_copy(setup->filter.reader,
                                     NGX_OSP_RTMP_MAX_STREAMS, reader);

            return ngx_stream_osp_move_done(os, p, last);
        }

        rc = ngx_osp_rtmp_asm_add(&setup->replies, &item, &msg);

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_filter_invalid(os, setup->replies.error);
        }

        if (rc == NGX_OK
            && ngx_stream_osp_filter_command(os, &msg) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (setup->done
            && setup->replies.nopen == 0
            && ngx_osp_rtmp_reader_idle(setup->filter.reader))
        {
            return ngx_stream_osp_move_done(os, *pos, last);
        }
    }
}


/* media, and data in front of it, say that play was accepted, too */

static ngx_uint_t
ngx_stream_osp_move_media(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item)
{
    return os->setup->accepted
           && os->name.op == NGX_RTMP_ROUTE_PLAY
           && item->first
           && (item->type == NGX_OSP_RTMP_AUDIO
               || item->type == NGX_OSP_RTMP_VIDEO
               || item->type == NGX_OSP_RTMP_AMF0_DATA
               || item->type == NGX_OSP_RTMP_AMF3_DATA
               || item->type == NGX_OSP_RTMP_AGGREGATE);
}


static ngx_int_t
ngx_stream_osp_move_done(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_connection_t        *pc;
    ngx_stream_osp_move_t   *move;
    ngx_stream_osp_setup_t  *setup;
    ngx_stream_osp_moved_t   moved;

    pc = os->origin;
    move = os->move;
    setup = os->setup;

    if (setup->sent != (size_t) (setup->raw.pos - setup->raw.start)) {
        return ngx_stream_osp_filter_invalid(os, "answer before a command");
    }

    move->server.server = setup->peer.server;
    move->server.protocol = setup->peer.protocol;
    move->server.endpoint = setup->peer.endpoint;

    ngx_log_error(NGX_LOG_NOTICE, pc->log, 0,
                  "session was moved to server \"%V\" of route \"%V\"",
                  &setup->peer.id, ngx_rtmp_route_name(setup->route));

    ngx_rtmp_route_session_state(&os->rs, NGX_RTMP_ROUTE_S_RELAY);

    if (pc->read->timer_set) {
        ngx_del_timer(pc->read);
    }

    ngx_stream_osp_keepalive(pc, os->conf->socket_keepalive);

    moved.reader = setup->filter.reader;
    moved.msid = setup->up.to ? setup->up.to : 1;
    moved.pos = pos;
    moved.last = last;

    move->handler(os, &moved);

    return NGX_DONE;
}


ngx_int_t
ngx_stream_osp_move_chunk_size(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    size_t from, size_t to, ngx_osp_rtmp_track_t *track)
{
    ngx_osp_rtmp_out_t     out;
    ngx_stream_osp_buf_t  *b;

    b = &os->flow[dir].buf;

    if (ngx_stream_osp_buf_reserve(b, 64, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out.pos = b->last;
    out.end = b->end;
    out.chunk_size = from;
    out.track = track;

    if (ngx_osp_rtmp_write_set_chunk_size(&out, (uint32_t) to) != NGX_OK) {
        return NGX_ERROR;
    }

    b->last = out.pos;

    return NGX_OK;
}


void
ngx_stream_osp_moved(ngx_stream_osp_session_t *os)
{
    ngx_event_t  *ev;

    if (!os->moving) {
        return;
    }

    os->moving = 0;

    ev = &os->move->event;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    ngx_stream_osp_setup_done(os);
}


void
ngx_stream_osp_move_free(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_move_t  *move;

    move = os->move;

    if (move == NULL) {
        return;
    }

    ngx_stream_osp_moved(os);

    ngx_free(move->raw);
    ngx_free(move);

    os->move = NULL;
}
