
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What a client says behind its first publish or play.  The headers of its
 * messages are read and all of them pass as they are, a command once it is
 * whole.  If it names another stream, the table is asked as it was about the
 * first one, and the client not read until that has an answer.  The other
 * direction is not looked at.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* room for chunk streams that come up in the relay */

#define NGX_STREAM_OSP_SCAN_SPARE  2


static ngx_int_t ngx_stream_osp_scan_reader(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_reader_t *from, ngx_osp_rtmp_reader_t **reader);
static ngx_int_t ngx_stream_osp_scan_pass(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last);
static ngx_int_t ngx_stream_osp_scan_hold(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);
static ngx_int_t ngx_stream_osp_scan_command(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last);
static ngx_int_t ngx_stream_osp_scan_read(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_reader_t **reader, u_char **pos, u_char *last,
    ngx_osp_rtmp_message_t *msg);
static ngx_int_t ngx_stream_osp_scan_handle(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_osp_scan_rename(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, ngx_osp_rtmp_reader_t *reader, u_char *pos,
    u_char *last);
static void ngx_stream_osp_scan_paused(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd);
static void ngx_stream_osp_scan_map(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, u_char *pos, u_char *last);
static ngx_int_t ngx_stream_osp_scan_invalid(ngx_stream_osp_session_t *os,
    const char *text);


/* of the worker: nothing stays in it between two events */

static u_char  ngx_stream_osp_scan_payload[NGX_STREAM_OSP_MAX_COMMAND_LEN];


/*
 * The client has named its stream.  setup->raw.pos moves behind what of its
 * bytes may go to the origin in the set-up, which is up to the next command.
 * NGX_OK, NGX_DECLINED (invalid), or NGX_ERROR (no memory).
 */

ngx_int_t
ngx_stream_osp_scan_init(ngx_stream_osp_session_t *os, uint32_t msid)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_stream_osp_scan_t   *scan;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (setup->assembly.nopen) {
        return NGX_DECLINED;
    }

    scan = ngx_alloc(sizeof(ngx_stream_osp_scan_t) + setup->app.len
                     + setup->tc_url.len, os->session->connection->log);
    if (scan == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(scan, sizeof(ngx_stream_osp_scan_t));

    scan->msid = msid;
    scan->played = (os->name.op == NGX_RTMP_ROUTE_PLAY);

    /* both were in a command, which is not longer than that */

    scan->app_len = (u_short) setup->app.len;
    scan->tc_url_len = (u_short) setup->tc_url.len;

    p = ngx_cpymem((u_char *) scan + sizeof(ngx_stream_osp_scan_t),
                   setup->app.data, setup->app.len);
    ngx_memcpy(p, setup->tc_url.data, setup->tc_url.len);

    os->scan = scan;

    if (ngx_stream_osp_scan_reader(os, setup->reader, &scan->reader)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_stream_osp_scan_pass(os, &setup->raw.pos, setup->raw.last);

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


/* a copy with room for some more chunk streams */

static ngx_int_t
ngx_stream_osp_scan_reader(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_reader_t *from, ngx_osp_rtmp_reader_t **reader)
{
    ngx_uint_t              max;
    ngx_osp_rtmp_reader_t  *r;

    max = ngx_osp_rtmp_reader_streams(from) + NGX_STREAM_OSP_SCAN_SPARE;

    r = ngx_alloc(ngx_osp_rtmp_reader_size(max), os->session->connection->log);
    if (r == NULL) {
        return NGX_ERROR;
    }

    ngx_osp_rtmp_reader_copy(r, max, from);

    if (*reader) {
        ngx_free(*reader);
    }

    *reader = r;

    return NGX_OK;
}


/* the set-up has ended: what it has not sent goes through the relay */

ngx_int_t
ngx_stream_osp_scan_start(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    return ngx_stream_osp_scan_hold(os, setup->raw.pos, setup->raw.last);
}


/* puts what was held in front of what will be read next */

size_t
ngx_stream_osp_scan_unhold(ngx_stream_osp_session_t *os, u_char *p)
{
    if (os->scan->held) {
        ngx_memcpy(p, os->scan->hold, os->scan->held);
    }

    return os->scan->held;
}


/* there is no more: the rest can't make a command */

void
ngx_stream_osp_scan_end(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_buf_t   *b;
    ngx_stream_osp_scan_t  *scan;

    b = &os->flow[NGX_STREAM_OSP_UP].buf;
    scan = os->scan;

    if (scan == NULL
        || scan->held == 0
        || os->flow[NGX_STREAM_OSP_UP].dead
        || ngx_stream_osp_buf_reserve(b, scan->held,
                                      os->session->connection->log)
           != NGX_OK)
    {
        return;
    }

    b->last = ngx_cpymem(b->last, scan->hold, scan->held);
}


/* the client has gone: what it has said last is of no use */

void
ngx_stream_osp_scan_leave(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_scan_wait_free(os->scan);

    (void) ngx_stream_osp_scan_hold(os, NULL, NULL);
}


/*
 * Of the bytes in [pos, *last) those may pass that are in front of *last when
 * it returns NGX_OK, or NGX_AGAIN: then the rest is to be looked at once they
 * have passed.  NGX_DONE: the session has ended.
 */

ngx_int_t
ngx_stream_osp_scan(ngx_stream_osp_session_t *os, u_char *pos, u_char **last)
{
    u_char     *p;
    ngx_int_t   rc;

    p = pos;

    for ( ;; ) {
        rc = ngx_stream_osp_scan_pass(os, &p, *last);

        if (rc == NGX_OK) {
            break;
        }

        if (rc == NGX_DECLINED) {
            return ngx_stream_osp_scan_invalid(os,
                                  ngx_osp_rtmp_reader_error(os->scan->reader));
        }

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_scan_failed(os);
        }

        /* NGX_DONE: what is in front of a command does not depend on it */

        if (p != pos) {
            *last = p;
            return NGX_AGAIN;
        }

        rc = ngx_stream_osp_scan_command(os, &p, *last);

        if (rc == NGX_AGAIN) {
            break;
        }

        if (rc == NGX_DECLINED) {
            *last = p;
            return NGX_AGAIN;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (*last - p > NGX_STREAM_OSP_HOLD_MAX
        && !ngx_stream_osp_scan_waits(os))
    {
        return ngx_stream_osp_scan_invalid(os, "too long command");
    }

    if (ngx_stream_osp_scan_hold(os, p, *last) != NGX_OK) {
        return ngx_stream_osp_scan_failed(os);
    }

    *last = p;

    return NGX_OK;
}


/*
 * NGX_OK: all that is left is a header that was cut, if anything; NGX_DONE:
 * *pos is at a command; NGX_DECLINED: invalid; NGX_ERROR: no memory.
 */

static ngx_int_t
ngx_stream_osp_scan_pass(ngx_stream_osp_session_t *os, u_char **pos,
    u_char *last)
{
    ngx_int_t               rc;
    ngx_stream_osp_scan_t  *scan;

    scan = os->scan;

    for ( ;; ) {
        rc = os->resume ? ngx_stream_osp_resume_pass(os, pos, last)
                        : ngx_osp_rtmp_reader_pass(scan->reader, pos, last,
                                                   NGX_OSP_RTMP_COMMAND_TYPES);

        switch (rc) {

        case NGX_AGAIN:
            return NGX_OK;

        case NGX_DONE:
            return NGX_DONE;

        case NGX_ERROR:
            return NGX_DECLINED;

        default: /* NGX_DECLINED: a chunk stream too many */
            if (ngx_stream_osp_scan_reader(os, scan->reader, &scan->reader)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }
}


static ngx_int_t
ngx_stream_osp_scan_hold(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last)
{
    ngx_stream_osp_scan_t  *scan;

    scan = os->scan;

    if (scan->hold) {
        ngx_free(scan->hold);
        scan->hold = NULL;
        scan->held = 0;
    }

    if (pos == last) {
        return NGX_OK;
    }

    scan->hold = ngx_alloc(last - pos, os->session->connection->log);
    if (scan->hold == NULL) {
        return NGX_ERROR;
    }

    scan->held = (uint32_t) (last - pos);
    ngx_memcpy(scan->hold, pos, last - pos);

    return NGX_OK;
}


/*
 * NGX_OK: *pos is behind it; NGX_DECLINED: the same, and other bytes go in
 * place of it; NGX_AGAIN: not whole, or to wait; NGX_DONE
 */

static ngx_int_t
ngx_stream_osp_scan_command(ngx_stream_osp_session_t *os, u_char **pos,
    u_char *last)
{
    u_char                  *p;
    ngx_int_t                rc;
    const char              *error;
    ngx_stream_osp_scan_t   *scan;
    ngx_osp_rtmp_reader_t   *reader, *old;
    ngx_osp_rtmp_message_t   msg;
    ngx_osp_rtmp_command_t   cmd;

    scan = os->scan;

    if (ngx_stream_osp_path_rest(os)) {
        return NGX_AGAIN;
    }

    /* by a copy: the command is read from its start until it is whole */

    reader = NULL;

    if (ngx_stream_osp_scan_reader(os, scan->reader, &reader) != NGX_OK) {
        return ngx_stream_osp_scan_failed(os);
    }

    p = *pos;

    rc = ngx_stream_osp_scan_read(os, &reader, &p, last, &msg);

    if (rc == NGX_DECLINED) {
        ngx_free(scan->reader);
        scan->reader = reader;

        *pos = p;

        return NGX_OK;
    }

    if (rc != NGX_OK) {
        ngx_free(reader);
        return rc;
    }

    rc = ngx_osp_rtmp_command_parse(msg.payload, msg.len, msg.type, &cmd,
                                    &error);

    if (rc == NGX_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_STREAM, os->session->connection->log, 0,
                       "osp client command: \"%V\"", &cmd.text);

        if (cmd.name == NGX_OSP_RTMP_DELETE_STREAM) {
            ngx_stream_osp_scan_map(os, &msg, *pos, p);
        }
    }

    old = scan->reader;
    scan->reader = reader;

    if (rc == NGX_OK) {
        rc = ngx_stream_osp_scan_handle(os, &msg, &cmd);

    } else if (cmd.name == NGX_OSP_RTMP_PUBLISH
               || cmd.name == NGX_OSP_RTMP_PLAY
               || cmd.name == NGX_OSP_RTMP_PLAY2)
    {
        rc = ngx_stream_osp_scan_invalid(os, error);

    } else {

        /* what can't be read can't name a stream */

        rc = NGX_OK;
    }

    if (rc == NGX_AGAIN) {
        ngx_free(reader);
        scan->reader = old;

        return NGX_AGAIN;
    }

    if (rc == NGX_OK && os->path) {
        rc = ngx_stream_osp_scan_rename(os, &cmd, old, *pos, p);
    }

    /* with NGX_DONE the session may be gone */

    ngx_free(old);

    *pos = p;

    return rc;
}


/*
 * Collects the message, whose first chunk is at *pos.  NGX_OK; NGX_DECLINED:
 * it was aborted; NGX_AGAIN: it is not whole; NGX_DONE.
 */

static ngx_int_t
ngx_stream_osp_scan_read(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_reader_t **reader, u_char **pos, u_char *last,
    ngx_osp_rtmp_message_t *msg)
{
    ngx_int_t            rc;
    ngx_osp_rtmp_item_t  item;

    ngx_memzero(msg, sizeof(ngx_osp_rtmp_message_t));

    msg->payload = ngx_stream_osp_scan_payload;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(*reader, pos, last, &item);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_scan_invalid(os,
                                          ngx_osp_rtmp_reader_error(*reader));
        }

        if (rc == NGX_DECLINED) {

            if (ngx_stream_osp_scan_reader(os, *reader, reader) != NGX_OK) {
                return ngx_stream_osp_scan_failed(os);
            }

            continue;
        }

        if (msg->type == 0) {

            if (item.mlen > NGX_STREAM_OSP_MAX_COMMAND_LEN) {
                return ngx_stream_osp_scan_invalid(os, "too long command");
            }

            msg->type = item.type;
            msg->csid = item.csid;
            msg->msid = item.msid;
            msg->len = item.mlen;

        } else if (item.first
                   && (item.csid == msg->csid
                       || item.type == NGX_OSP_RTMP_AMF0_COMMAND
                       || item.type == NGX_OSP_RTMP_AMF3_COMMAND))
        {
            return ngx_stream_osp_scan_invalid(os, "command is interrupted");
        }

        if (item.type == NGX_OSP_RTMP_ABORT
            && item.last
            && item.control == msg->csid)
        {
            return NGX_DECLINED;
        }

        if (item.csid != msg->csid) {
            continue;
        }

        ngx_memcpy(msg->payload + item.offset, item.payload,
                   item.payload_len);

        if (item.last) {
            return NGX_OK;
        }
    }
}


static ngx_int_t
ngx_stream_osp_scan_handle(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd)
{
    switch (cmd->name) {

    case NGX_OSP_RTMP_PUBLISH:
    case NGX_OSP_RTMP_PLAY:
    case NGX_OSP_RTMP_PLAY2:
        return ngx_stream_osp_scan_stream(os, cmd, msg->msid);

    case NGX_OSP_RTMP_CONNECT:
        return ngx_stream_osp_scan_invalid(os, "client sent connect twice");

    case NGX_OSP_RTMP_DELETE_STREAM:

        if (!cmd->has_number || cmd->number == (double) os->scan->msid) {
            os->ended = 1;
        }

        return NGX_OK;

    case NGX_OSP_RTMP_CLOSE_STREAM:

        if (msg->msid == os->scan->msid) {
            os->ended = 1;
        }

        return NGX_OK;

    case NGX_OSP_RTMP_FC_UNPUBLISH:
    case NGX_OSP_RTMP_FC_UNSUBSCRIBE:

        /* these have no id */

        if (!os->scan->beside) {
            os->ended = 1;
        }

        return NGX_OK;

    case NGX_OSP_RTMP_PAUSE:
        ngx_stream_osp_scan_paused(os, cmd);
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


/* NGX_OK: it passes as it is; NGX_DECLINED: it does not; NGX_DONE */

static ngx_int_t
ngx_stream_osp_scan_rename(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, ngx_osp_rtmp_reader_t *reader, u_char *pos,
    u_char *last)
{
    switch (ngx_stream_osp_path_command(os, cmd, reader, pos, last)) {

    case NGX_OK:
        return NGX_DECLINED;

    case NGX_DECLINED:
        return NGX_OK;

    case NGX_ABORT:
        return ngx_stream_osp_scan_invalid(os, "too long command");

    default: /* NGX_ERROR */
        return ngx_stream_osp_scan_failed(os);
    }
}


/* null, a boolean, and where in the stream that is */

static void
ngx_stream_osp_scan_paused(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd)
{
    ngx_osp_rtmp_amf_t        amf;
    ngx_osp_rtmp_amf_value_t  value;

    ngx_osp_rtmp_amf_init(&amf, cmd->args.data,
                          cmd->args.data + cmd->args.len);

    if (ngx_osp_rtmp_amf_read(&amf, &value) == NGX_OK
        && ngx_osp_rtmp_amf_read(&amf, &value) == NGX_OK
        && value.type == NGX_OSP_RTMP_AMF_BOOLEAN)
    {
        os->paused = (value.number != 0);
    }
}


/* the number in deleteStream, whose chunks are in [pos, last), is an id too */

static void
ngx_stream_osp_scan_map(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, u_char *pos, u_char *last)
{
    u_char                   *p, *end, number[9];
    size_t                    i, n;
    uint32_t                  from, to;
    ngx_osp_rtmp_item_t       item;
    ngx_osp_rtmp_reader_t    *reader;
    ngx_stream_osp_filter_t  *f;

    f = os->flow[NGX_STREAM_OSP_UP].filter;

    from = f ? f->from : 1;
    to = f ? f->to : os->resume ? ngx_stream_osp_resume_msid(os)
                   : os->no_input ? ngx_stream_osp_no_input_msid(os) : 1;

    if (from == to) {
        return;
    }

    (void) ngx_osp_rtmp_amf_put_number(number, number + sizeof(number),
                                       (double) from);

    /* the last argument, usually the only one */

    p = msg->payload;
    end = p + msg->len;

    if (msg->len < sizeof(number)
        || ngx_memcmp(end - sizeof(number), number, sizeof(number)) != 0)
    {
        return;
    }

    (void) ngx_osp_rtmp_amf_put_number(number, number + sizeof(number),
                                       (double) to);
    n = msg->len - sizeof(number);

    reader = NULL;

    if (ngx_stream_osp_scan_reader(os, os->scan->reader, &reader) != NGX_OK) {
        return;
    }

    while (ngx_osp_rtmp_reader_read(reader, &pos, last, &item) == NGX_OK) {

        if (item.csid != msg->csid) {
            continue;
        }

        for (i = 0; i < item.payload_len; i++) {
            if (item.offset + i >= n) {
                item.payload[i] = number[item.offset + i - n];
            }
        }
    }

    ngx_free(reader);
}


static ngx_int_t
ngx_stream_osp_scan_invalid(ngx_stream_osp_session_t *os, const char *text)
{
    ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                  "client sent invalid rtmp: %s", text);

    ngx_stream_osp_finalize(os, NGX_STREAM_BAD_REQUEST,
                            NGX_STREAM_OSP_PROTOCOL_ERROR);
    return NGX_DONE;
}


void
ngx_stream_osp_scan_free(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_scan_t  *scan;

    scan = os->scan;

    if (scan == NULL) {
        return;
    }

    ngx_stream_osp_scan_wait_free(scan);

    if (scan->reader) {
        ngx_free(scan->reader);
    }

    if (scan->hold) {
        ngx_free(scan->hold);
    }

    ngx_free(scan);
    os->scan = NULL;
}
