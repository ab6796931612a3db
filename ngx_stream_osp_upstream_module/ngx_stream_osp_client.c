
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The client's side of the set-up: handshake, and answers to its commands
 * until publish or play names the stream.  Its bytes are kept, for the origin.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* longest of our messages: connect's _result repeats what the client said */

#define NGX_STREAM_OSP_CONNECT_ROOM  (NGX_OSP_RTMP_COMMAND_MAX + 2048)
#define NGX_STREAM_OSP_ANSWER_ROOM   512
#define NGX_STREAM_OSP_WINDOW        2500000
#define NGX_STREAM_OSP_AGENT_LEN     64


static ngx_int_t ngx_stream_osp_client_init(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_client_timeout(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_client_room(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_client_process(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_client_handshake(
    ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_client_commands(ngx_stream_osp_session_t *os);
static ngx_int_t ngx_stream_osp_client_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg);
static ngx_int_t ngx_stream_osp_client_connect(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_osp_client_answer(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_osp_client_result(ngx_osp_rtmp_out_t *out,
    double tid);
static ngx_int_t ngx_stream_osp_client_stream(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, uint32_t msid);
static ngx_int_t ngx_stream_osp_client_fault(ngx_stream_osp_session_t *os,
    const char *text);


void
ngx_stream_osp_client_start(ngx_stream_osp_session_t *os)
{
    ngx_msec_t               passed, timeout;
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    c->read->handler = ngx_stream_osp_client_read;
    c->write->handler = ngx_stream_osp_client_write;

    c->log->action = "reading RTMP handshake from client";

    if (ngx_stream_osp_client_init(os) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return;
    }

    /* one deadline, from accept on */

    passed = ngx_current_msec - c->start_time;
    timeout = os->conf->handshake_timeout;

    ngx_add_timer(c->read, passed < timeout ? timeout - passed : 1);

    if (setup->raw.last > setup->raw.pos) {

        if (ngx_stream_osp_client_process(os) == NGX_ERROR) {
            return;
        }
    }

    if (setup->phase <= ngx_stream_osp_commands) {
        ngx_stream_osp_client_read(c->read);
    }
}


static ngx_int_t
ngx_stream_osp_client_init(ngx_stream_osp_session_t *os)
{
    size_t                   size, room;
    u_char                  *p;
    ngx_buf_t               *preread;
    ngx_connection_t        *c;
    ngx_stream_osp_buf_t    *b;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    preread = c->buffer;
    size = preread ? (size_t) (preread->last - preread->pos) : 0;

    room = NGX_STREAM_OSP_PREAMBLE_MAX
           + ngx_max(NGX_STREAM_OSP_RAW_INITIAL, size);

    b = &setup->raw;

    b->start = ngx_alloc(room, c->log);
    if (b->start == NULL) {
        return NGX_ERROR;
    }

    b->pos = b->start + NGX_STREAM_OSP_PREAMBLE_MAX;
    b->last = b->pos;
    b->end = b->start + room;

    if (size) {
        b->last = ngx_cpymem(b->last, preread->pos, size);
        os->session->received += size;
    }

    if (preread) {
        (void) ngx_pfree(c->pool, preread->start);
        c->buffer = NULL;
    }

    /* S0, S1 and S2 are made where they are sent from */

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (ngx_stream_osp_buf_reserve(b, 4096, c->log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_osp_rtmp_handshake_server_init(&setup->hs, b->start);

    setup->reader = ngx_osp_rtmp_reader_create(os->pool);
    if (setup->reader == NULL) {
        return NGX_ERROR;
    }

    setup->track = ngx_osp_rtmp_track_create(os->pool);
    if (setup->track == NULL) {
        return NGX_ERROR;
    }

    setup->chunk_size = NGX_OSP_RTMP_CHUNK_SIZE;

    p = ngx_palloc(os->pool, NGX_STREAM_OSP_MAX_COMMAND_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_osp_rtmp_asm_init(&setup->assembly, p,
                          p + NGX_STREAM_OSP_MAX_COMMAND_LEN,
                          NGX_OSP_RTMP_COMMAND_TYPES);

    return ngx_array_init(&setup->answers, os->pool, 8,
                          sizeof(ngx_stream_osp_answer_t));
}


void
ngx_stream_osp_client_read(ngx_event_t *rev)
{
    ssize_t                    n;
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_stream_osp_buf_t      *b;
    ngx_stream_session_t      *s;
    ngx_stream_osp_setup_t    *setup;
    ngx_stream_osp_session_t  *os;

    c = rev->data;
    s = c->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);
    setup = os->setup;

    if (c->close && !os->exiting) {
        ngx_stream_osp_shutdown(os);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_stream_osp_client_timeout(os);
        return;
    }

    if (setup->phase > ngx_stream_osp_commands) {
        (void) ngx_stream_osp_watch(os);
        return;
    }

    b = &setup->raw;

    for ( ;; ) {

        rc = ngx_stream_osp_flush(os);

        if (rc == NGX_ERROR) {
            break;
        }

        if (rc == NGX_AGAIN) {

            /* a client that does not read is not read either */

            if (os->flow[NGX_STREAM_OSP_DOWN].buf.last
                - os->flow[NGX_STREAM_OSP_DOWN].buf.pos
                >= NGX_STREAM_OSP_OUT_MAX)
            {
                goto done;
            }
        }

        if (b->last == b->end && ngx_stream_osp_client_room(os) != NGX_OK) {
            return;
        }

        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            goto done;
        }

        if (n == 0 || n == NGX_ERROR) {
            break;
        }

        b->last += n;
        s->received += n;

        if (ngx_stream_osp_client_process(os) == NGX_ERROR) {
            return;
        }

        if (setup->phase > ngx_stream_osp_commands) {
            return;
        }
    }

    ngx_stream_osp_finalize(os, NGX_STREAM_OK, NGX_STREAM_OSP_CLIENT_CLOSED);
    return;

done:

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
    }
}


void
ngx_stream_osp_client_write(ngx_event_t *wev)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_stream_session_t      *s;
    ngx_stream_osp_session_t  *os;

    c = wev->data;
    s = c->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    if (os->flow[NGX_STREAM_OSP_DOWN].buf.pos
        == os->flow[NGX_STREAM_OSP_DOWN].buf.last)
    {
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
        }

        return;
    }

    rc = ngx_stream_osp_flush(os);

    if (rc == NGX_ERROR) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK,
                                NGX_STREAM_OSP_CLIENT_CLOSED);
        return;
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    /* who had to wait goes on */

    if (os->setup->phase <= ngx_stream_osp_commands) {
        ngx_stream_osp_client_read(c->read);

    } else if (os->setup->phase == ngx_stream_osp_replies) {
        ngx_stream_osp_origin_read(os->origin->read);
    }
}


static void
ngx_stream_osp_client_timeout(ngx_stream_osp_session_t *os)
{
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    if (setup->phase == ngx_stream_osp_searching) {
        ngx_stream_osp_search_timeout(os);
        return;
    }

    if (setup->phase == ngx_stream_osp_retrying) {
        ngx_stream_osp_connect(os);
        return;
    }

    if (setup->phase == ngx_stream_osp_waiting) {

        if (setup->wait_set) {
            ngx_rtmp_route_wait_cancel(&setup->wait);
            setup->wait_set = 0;
        }

        /* the last try finds that the time is up */

        ngx_stream_osp_open(os);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");

    ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_REQUEST,
                               NGX_STREAM_OSP_HANDSHAKE_TIMEOUT,
                               "NetConnection.Connect.Rejected",
                               "timed out");
}


/* enlarges raw: what a client may send before publish or play is limited */

static ngx_int_t
ngx_stream_osp_client_room(ngx_stream_osp_session_t *os)
{
    u_char                *p;
    size_t                 size;
    ngx_connection_t      *c;
    ngx_stream_osp_buf_t  *b;

    c = os->session->connection;
    b = &os->setup->raw;

    size = b->end - b->start;

    if (size >= NGX_STREAM_OSP_RAW_MAX) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client sent too much before publish or play");

        ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_REQUEST,
                                   NGX_STREAM_OSP_LIMIT_SETUP,
                                   "NetConnection.Connect.Rejected",
                                   "too much data before publish or play");
        return NGX_ERROR;
    }

    size = ngx_min(2 * size, NGX_STREAM_OSP_RAW_MAX);

    p = ngx_alloc(size, c->log);
    if (p == NULL) {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_ERROR;
    }

    ngx_memcpy(p, b->start, b->last - b->start);

    b->pos = p + (b->pos - b->start);
    b->last = p + (b->last - b->start);

    ngx_free(b->start);

    b->start = p;
    b->end = p + size;

    return NGX_OK;
}


/* NGX_OK, or NGX_ERROR: the session may be gone */

static ngx_int_t
ngx_stream_osp_client_process(ngx_stream_osp_session_t *os)
{
    if (os->setup->phase == ngx_stream_osp_handshake) {

        if (ngx_stream_osp_client_handshake(os) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (os->setup->phase == ngx_stream_osp_commands) {
        return ngx_stream_osp_client_commands(os);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_client_handshake(ngx_stream_osp_session_t *os)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    for ( ;; ) {
        rc = ngx_osp_rtmp_handshake_server(&setup->hs, &setup->raw.pos,
                                           setup->raw.last);

        switch (rc) {

        case NGX_OK:
            os->flow[NGX_STREAM_OSP_DOWN].buf.last += NGX_OSP_RTMP_HS_S0S1S2;
            continue;

        case NGX_DONE:
            setup->phase = ngx_stream_osp_commands;
            c->log->action = "reading RTMP commands from client";
            return NGX_OK;

        case NGX_AGAIN:
            return NGX_OK;

        default: /* NGX_ERROR */
            ngx_log_error(NGX_LOG_INFO, c->log, 0, "%s", setup->hs.error);
            ngx_stream_osp_finalize(os, NGX_STREAM_BAD_REQUEST,
                                    NGX_STREAM_OSP_PROTOCOL_ERROR);
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_stream_osp_client_commands(ngx_stream_osp_session_t *os)
{
    ngx_int_t                rc;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_message_t   msg;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(setup->reader, &setup->raw.pos,
                                      setup->raw.last, &item);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_client_fault(os,
                                   ngx_osp_rtmp_reader_error(setup->reader));
        }

        rc = ngx_osp_rtmp_asm_add(&setup->assembly, &item, &msg);

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_client_fault(os, setup->assembly.error);
        }

        if (rc != NGX_OK) {
            continue;
        }

        rc = ngx_stream_osp_client_command(os, &msg);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {
            break;
        }
    }

    /* publish or play: the rest is for the origin only */

    if (ngx_stream_osp_flush(os) == NGX_ERROR) {
        ngx_stream_osp_finalize(os, NGX_STREAM_OK,
                                NGX_STREAM_OSP_CLIENT_CLOSED);
        return NGX_ERROR;
    }

    if (os->session->connection->read->timer_set) {
        ngx_del_timer(os->session->connection->read);
    }

    ngx_stream_osp_open(os);

    return NGX_ERROR;
}


/* NGX_OK, NGX_DONE: this is publish or play, NGX_ERROR */

static ngx_int_t
ngx_stream_osp_client_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg)
{
    const char              *error;
    ngx_osp_rtmp_command_t   cmd;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (ngx_osp_rtmp_command_parse(msg->payload, msg->len, msg->type, &cmd,
                                   &error)
        != NGX_OK)
    {
        return ngx_stream_osp_client_fault(os, error);
    }

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, os->session->connection->log, 0,
                   "osp client command: \"%V\"", &cmd.text);

    if ((cmd.name == NGX_OSP_RTMP_CONNECT) == setup->connect) {
        return ngx_stream_osp_client_fault(os, setup->connect
                                      ? "client sent connect twice"
                                      : "client sent no connect at first");
    }

    switch (cmd.name) {

    case NGX_OSP_RTMP_CONNECT:
        return ngx_stream_osp_client_connect(os, &cmd);

    case NGX_OSP_RTMP_PUBLISH:
    case NGX_OSP_RTMP_PLAY:
    case NGX_OSP_RTMP_PLAY2:
        return ngx_stream_osp_client_stream(os, &cmd, msg->msid);

    case NGX_OSP_RTMP_DELETE_STREAM:
    case NGX_OSP_RTMP_CLOSE_STREAM:
    case NGX_OSP_RTMP_PAUSE:
    case NGX_OSP_RTMP_SEEK:
    case NGX_OSP_RTMP_RESULT:
    case NGX_OSP_RTMP_ERROR:
    case NGX_OSP_RTMP_ON_STATUS:
        return NGX_OK;

    case NGX_OSP_RTMP_GET_STREAM_LENGTH:

        /* only the origin knows it, and its answer passes */

        return NGX_OK;

    default:
        return ngx_stream_osp_client_answer(os, &cmd);
    }
}


static ngx_int_t
ngx_stream_osp_client_connect(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd)
{
    ngx_connection_t         *c;
    ngx_osp_rtmp_out_t        out;
    ngx_osp_rtmp_connect_t   *connect;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_answer_t  *answer;

    c = os->session->connection;
    setup = os->setup;
    connect = &cmd->connect;

    answer = ngx_array_push(&setup->answers);

    if (answer == NULL
        || ngx_stream_osp_name_copy(os->pool, &setup->app, &connect->app,
                                    connect->app.len)
           != NGX_OK
        || ngx_stream_osp_name_copy(os->pool, &setup->tc_url,
                                    &connect->tc_url, connect->tc_url.len)
           != NGX_OK
        || ngx_stream_osp_name_copy(c->pool, &os->agent, &connect->flash_ver,
                                    NGX_STREAM_OSP_AGENT_LEN)
           != NGX_OK
        || ngx_stream_osp_client_out(os, &out, NGX_STREAM_OSP_CONNECT_ROOM)
           != NGX_OK)
    {
        goto failed;
    }

    answer->tid = cmd->tid;
    answer->name = cmd->name;
    answer->done = 0;

    setup->connect_tid = cmd->tid;
    setup->connect_end = setup->raw.pos - setup->raw.start;

    if (ngx_osp_rtmp_write_window_ack_size(&out, NGX_STREAM_OSP_WINDOW)
        != NGX_OK
        || ngx_osp_rtmp_write_set_peer_bw(&out, NGX_STREAM_OSP_WINDOW, 2)
           != NGX_OK)
    {
        goto failed;
    }

    if (ngx_osp_rtmp_write_connect_result(&out, cmd->tid, connect)
        != NGX_OK)
    {
        return ngx_stream_osp_client_fault(os, "client sent a connect "
                                           "that is too long");
    }

    setup->connect = 1;
    os->flow[NGX_STREAM_OSP_DOWN].buf.last = out.pos;

    os->reconnects = ngx_osp_rtmp_connect_reconnects(connect);

    return NGX_OK;

failed:

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
    return NGX_ERROR;
}


static ngx_int_t
ngx_stream_osp_client_answer(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd)
{
    ngx_int_t                 rc;
    ngx_osp_rtmp_out_t        out;
    ngx_stream_osp_buf_t     *b;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_answer_t  *answer;

    setup = os->setup;

    if (setup->answers.nelts >= NGX_STREAM_OSP_MAX_COMMANDS) {
        ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                      "client sent too many commands");

        ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_REQUEST,
                                   NGX_STREAM_OSP_LIMIT_SETUP,
                                   "NetConnection.Connect.Rejected",
                                   "too many commands");
        return NGX_ERROR;
    }

    answer = ngx_array_push(&setup->answers);

    if (answer == NULL
        || ngx_stream_osp_client_out(os, &out, NGX_STREAM_OSP_ANSWER_ROOM)
           != NGX_OK)
    {
        goto failed;
    }

    answer->tid = cmd->tid;
    answer->name = cmd->name;
    answer->done = 0;

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (cmd->name == NGX_OSP_RTMP_CREATE_STREAM) {

        setup->create_end = setup->raw.pos - setup->raw.start;
        setup->created = 1;

        rc = ngx_osp_rtmp_write_create_stream_result(&out, cmd->tid, 1);

    } else if (cmd->tid != 0) {
        rc = ngx_stream_osp_client_result(&out, cmd->tid);

    } else {

        /* no answer is asked for */

        return NGX_OK;
    }

    if (rc == NGX_OK) {
        b->last = out.pos;
        return NGX_OK;
    }

failed:

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
    return NGX_ERROR;
}


/*
 * Not on the chunk stream of connect and createStream: there the last message
 * stays the same as that of an origin, on whose headers later ones rely.
 */

static ngx_int_t
ngx_stream_osp_client_result(ngx_osp_rtmp_out_t *out, double tid)
{
    u_char     *p, *last;
    ngx_str_t   name = ngx_string("_result");
    u_char      payload[32];

    last = payload + sizeof(payload);

    p = ngx_osp_rtmp_amf_put_string(payload, last, &name);
    p = ngx_osp_rtmp_amf_put_number(p, last, tid);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_amf_put_undefined(p, last);

    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_osp_rtmp_write_message(out, NGX_OSP_RTMP_CSID_STATUS, 0,
                                      NGX_OSP_RTMP_AMF0_COMMAND, 0, payload,
                                      p - payload);
}


static ngx_int_t
ngx_stream_osp_client_stream(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, uint32_t msid)
{
    ngx_int_t                 rc;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_mapped_t   mapped;

    setup = os->setup;

    setup->stream_tid = cmd->tid;

    rc = ngx_stream_osp_name_query(os, &setup->tc_url, &setup->app, cmd,
                                   os->session->connection->pool, os->pool,
                                   &setup->route, &setup->query, &mapped);

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_stream_osp_refuse_text(os, NGX_STREAM_FORBIDDEN,
                                   NGX_STREAM_OSP_REFUSED_NAME,
                                   os->name.op == NGX_RTMP_ROUTE_PUBLISH
                                   ? "NetStream.Publish.BadName"
                                   : "NetStream.Play.StreamNotFound",
                                   "invalid stream name");
        return NGX_ERROR;

    case NGX_BUSY:
        ngx_stream_osp_refuse_text(os, NGX_STREAM_SERVICE_UNAVAILABLE,
                                   NGX_STREAM_OSP_NO_ROUTE,
                                   "NetConnection.Connect.Rejected",
                                   "no such route");
        return NGX_ERROR;

    default: /* NGX_ERROR */
        goto failed;
    }

    setup->stream_end = setup->raw.pos - setup->raw.start;

    rc = ngx_rtmp_route_maps(setup->route)
         ? ngx_stream_osp_path_setup(os, &mapped) : NGX_OK;

    if (rc == NGX_DECLINED) {
        ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_REQUEST,
                                   NGX_STREAM_OSP_LIMIT_SETUP,
                                   "NetConnection.Connect.Rejected",
                                   "too much data before publish or play");
        return NGX_ERROR;
    }

    if (rc == NGX_ABORT) {
        return ngx_stream_osp_client_fault(os, "client sent invalid rtmp");
    }

    if (rc != NGX_OK) {
        goto failed;
    }

    if (os->conf->resume
        && os->name.op == NGX_RTMP_ROUTE_PUBLISH
        && ngx_stream_osp_resume_create(os) != NGX_OK)
    {
        goto failed;
    }

    rc = ngx_stream_osp_scan_init(os, msid);

    if (rc == NGX_DECLINED) {
        return ngx_stream_osp_client_fault(os, "client sent invalid rtmp");
    }

    if (rc != NGX_OK) {
        goto failed;
    }

    return NGX_DONE;

failed:

    ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                            NGX_STREAM_OSP_INTERNAL_ERROR);
    return NGX_ERROR;
}


static ngx_int_t
ngx_stream_osp_client_fault(ngx_stream_osp_session_t *os, const char *text)
{
    ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0, "%s", text);

    ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_REQUEST,
                               NGX_STREAM_OSP_PROTOCOL_ERROR,
                               "NetConnection.Connect.Rejected",
                               "invalid request");

    return NGX_ERROR;
}


/* writes an error to the client, as far as the protocol has come with it */

void
ngx_stream_osp_client_status(ngx_stream_osp_session_t *os, const char *code,
    ngx_str_t *description)
{
    ngx_str_t                text;
    ngx_int_t                rc;
    ngx_osp_rtmp_out_t       out;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    /* nothing can be put into the middle of a message */

    if (!ngx_osp_rtmp_track_idle(setup->track)) {
        return;
    }

    text = *description;
    text.len = ngx_min(text.len, 1024);

    if (ngx_stream_osp_client_out(os, &out, text.len * 2 + 1024) != NGX_OK) {
        return;
    }

    if (setup->connect) {
        rc = ngx_osp_rtmp_write_on_status(&out, 1, "error", code, &text);

    } else {
        rc = ngx_osp_rtmp_write_connect_error(&out, setup->connect_tid
                                                    ? setup->connect_tid : 1,
                                              &text);
    }

    if (rc == NGX_OK) {
        os->flow[NGX_STREAM_OSP_DOWN].buf.last = out.pos;
    }
}


ngx_int_t
ngx_stream_osp_client_out(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_out_t *out, size_t size)
{
    ngx_stream_osp_buf_t  *b;

    b = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    if (ngx_stream_osp_buf_reserve(b, size, os->session->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out->pos = b->last;
    out->end = b->end;
    out->chunk_size = os->setup->chunk_size;
    out->track = os->setup->track;

    return NGX_OK;
}
