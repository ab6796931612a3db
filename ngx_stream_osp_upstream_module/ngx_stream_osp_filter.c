
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What the client sees of the origin's answers.  Those to commands that were
 * answered already are left out, all else passes chunk by chunk; a header
 * that relies on one the client has not seen is written anew.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* a _result of createStream in AMF0, whoever writes it */

#define NGX_STREAM_OSP_CREATED_LEN  29

#define NGX_STREAM_OSP_REPLY_LEN    16384


/* a client may choose any number, and one that is none equals nothing */

#define ngx_stream_osp_same_tid(a, b)                                         \
    ((a) == (b) || ((a) != (a) && (b) != (b)))


static ngx_uint_t ngx_stream_osp_filter_begin(ngx_osp_rtmp_item_t *item);
static ngx_int_t ngx_stream_osp_filter_result(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_osp_filter_created(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd);
static void ngx_stream_osp_filter_map_raw(ngx_stream_osp_setup_t *setup,
    uint32_t from, uint32_t to);
static ngx_int_t ngx_stream_osp_filter_status(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_osp_filter_refused(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_osp_filter_write(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg);
static void ngx_stream_osp_filter_map_control(ngx_stream_osp_filter_t *f,
    ngx_osp_rtmp_item_t *item);
static void ngx_stream_osp_filter_dirty(ngx_stream_osp_filter_t *f,
    uint32_t csid, ngx_uint_t fmt);
static void ngx_stream_osp_filter_clean(ngx_stream_osp_filter_t *f,
    uint32_t csid, ngx_uint_t same);


/*
 * For each connection to an origin.  NGX_OK; NGX_ERROR; NGX_DECLINED: the
 * client has got a part of a message from the one before.
 */

ngx_int_t
ngx_stream_osp_filter_init(ngx_stream_osp_session_t *os)
{
    u_char                   *p;
    ngx_uint_t                i;
    ngx_osp_rtmp_out_t        out;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_answer_t  *answer;
    ngx_stream_osp_filter_t  *f;

    setup = os->setup;
    f = &setup->filter;

    if (f->reader == NULL) {

        f->reader = ngx_osp_rtmp_reader_create(os->pool);
        if (f->reader == NULL) {
            return NGX_ERROR;
        }

        p = ngx_palloc(os->pool, NGX_STREAM_OSP_REPLY_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_osp_rtmp_asm_init(&setup->replies, p,
                              p + NGX_STREAM_OSP_REPLY_LEN,
                              NGX_OSP_RTMP_COMMAND_TYPES);

        f->track = setup->track;

        return NGX_OK;
    }

    /* another connection: the client knows of none before */

    if (!os->moving && !ngx_osp_rtmp_track_idle(setup->track)) {
        return NGX_DECLINED;
    }

    ngx_osp_rtmp_reader_reset(f->reader);
    ngx_osp_rtmp_asm_init(&setup->replies, setup->replies.start,
                          setup->replies.end, NGX_OSP_RTMP_COMMAND_TYPES);

    f->from = 0;
    f->to = 0;
    f->ndirty = 0;
    f->held = 0;

    setup->begun = 0;
    setup->accepted = 0;
    setup->nreplies = 0;
    setup->on_fc_publish.len = 0;
    setup->on_fc_publish.payload = NULL;

    answer = setup->answers.elts;

    for (i = 0; i < setup->answers.nelts; i++) {
        answer[i].done = 0;
    }

    /* the ids of the last server mean nothing to this one */

    if (setup->up.to) {
        ngx_stream_osp_filter_map_raw(setup, setup->up.to, 1);

        setup->up.to = 0;
    }

    if (setup->chunk_size == NGX_OSP_RTMP_CHUNK_SIZE) {
        return NGX_OK;
    }

    if (ngx_stream_osp_client_out(os, &out, 64) != NGX_OK
        || ngx_osp_rtmp_write_set_chunk_size(&out, NGX_OSP_RTMP_CHUNK_SIZE)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    os->flow[NGX_STREAM_OSP_DOWN].buf.last = out.pos;
    setup->chunk_size = NGX_OSP_RTMP_CHUNK_SIZE;

    return NGX_OK;
}


/*
 * NGX_OK: all taken, the set-up goes on; NGX_DONE: it has ended, what is left
 * may pass; NGX_ERROR: the session has moved on or ended.
 */

ngx_int_t
ngx_stream_osp_filter_replies(ngx_stream_osp_session_t *os, u_char **pos,
    u_char *last)
{
    ngx_int_t                 rc;
    ngx_osp_rtmp_item_t       item;
    ngx_osp_rtmp_message_t    msg;
    ngx_stream_osp_buf_t     *out;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_filter_t  *f;

    setup = os->setup;
    f = &setup->filter;
    out = &os->flow[NGX_STREAM_OSP_DOWN].buf;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(f->reader, pos, last, &item);

        if (rc == NGX_AGAIN) {
            ngx_stream_osp_filter_hold(f, pos, last);
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_stream_osp_filter_invalid(os,
                                       ngx_osp_rtmp_reader_error(f->reader));
        }

        rc = ngx_osp_rtmp_asm_add(&setup->replies, &item, &msg);

        switch (rc) {

        case NGX_OK:
        case NGX_AGAIN:

            if (item.first) {
                ngx_stream_osp_filter_dirty(f, item.csid, item.fmt);
            }

            if (rc == NGX_OK
                && ngx_stream_osp_filter_command(os, &msg) != NGX_OK)
            {
                return NGX_ERROR;
            }

            break;

        case NGX_DECLINED:

            if (ngx_stream_osp_filter_item(f, &item, out, os->origin->log)
                != NGX_OK)
            {
                return ngx_stream_osp_filter_invalid(os,
                                              "upstream sent invalid chunks");
            }

            if (item.csid == NGX_OSP_RTMP_CSID_COMMAND) {
                setup->created = 0;
            }

            if (item.type == NGX_OSP_RTMP_SET_CHUNK_SIZE && item.last) {
                setup->chunk_size = ngx_osp_rtmp_reader_chunk_size(f->reader);
            }

            /* media says that play was accepted, if nothing else does */

            if (ngx_stream_osp_filter_begin(&item)) {
                setup->begun = 1;
            }

            if (setup->accepted
                && os->name.op == NGX_RTMP_ROUTE_PLAY
                && (item.type == NGX_OSP_RTMP_AUDIO
                    || item.type == NGX_OSP_RTMP_VIDEO
                    || item.type == NGX_OSP_RTMP_AGGREGATE))
            {
                setup->begun = 1;
                setup->done = 1;
            }

            break;

        default: /* NGX_ERROR */
            return ngx_stream_osp_filter_invalid(os, setup->replies.error);
        }

        if (setup->done && setup->replies.nopen == 0) {
            return NGX_DONE;
        }
    }
}


/* some servers tell of stream 0 after connect */

static ngx_uint_t
ngx_stream_osp_filter_begin(ngx_osp_rtmp_item_t *item)
{
    uint32_t    value;
    ngx_uint_t  event;

    return item->type == NGX_OSP_RTMP_USER_CONTROL
           && item->offset == 0
           && ngx_osp_rtmp_user_control_parse(item->payload,
                                              item->payload_len, &event,
                                              &value)
              == NGX_OK
           && event == NGX_OSP_RTMP_STREAM_BEGIN
           && value != 0;
}


/* NGX_OK, or NGX_ERROR: the session has moved on or ended */

ngx_int_t
ngx_stream_osp_filter_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg)
{
    const char              *error;
    ngx_osp_rtmp_command_t   cmd;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (setup->nreplies++ == NGX_STREAM_OSP_MAX_COMMANDS) {
        return ngx_stream_osp_filter_invalid(os, "too many commands");
    }

    if (ngx_osp_rtmp_command_parse(msg->payload, msg->len, msg->type, &cmd,
                                   &error)
        != NGX_OK)
    {
        return ngx_stream_osp_filter_invalid(os, error);
    }

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, os->origin->log, 0,
                   "osp origin command: \"%V\"", &cmd.text);

    switch (cmd.name) {

    case NGX_OSP_RTMP_RESULT:
    case NGX_OSP_RTMP_ERROR:
        return ngx_stream_osp_filter_result(os, msg, &cmd);

    case NGX_OSP_RTMP_ON_BW_DONE:
        return NGX_OK;

    case NGX_OSP_RTMP_ON_FC_PUBLISH:

        /* may come before a refusal: waits for the onStatus */

        if (setup->on_fc_publish.payload) {
            return NGX_OK;
        }

        setup->on_fc_publish = *msg;
        setup->on_fc_publish.payload = ngx_pnalloc(os->pool, msg->len);

        if (setup->on_fc_publish.payload == NULL) {
            setup->on_fc_publish.len = 0;

        } else {
            ngx_memcpy(setup->on_fc_publish.payload, msg->payload, msg->len);
        }

        return NGX_OK;

    case NGX_OSP_RTMP_ON_STATUS:
        return ngx_stream_osp_filter_status(os, msg, &cmd);

    case NGX_OSP_RTMP_CLOSE:

        if (os->moving) {
            ngx_stream_osp_move_next(os, &cmd.info.description);
            return NGX_ERROR;
        }

        setup->done = 1;

        /* fall through */

    default:
        return ngx_stream_osp_filter_write(os, msg);
    }
}


/* answers come in order: that to createStream says that none before is due */

static ngx_int_t
ngx_stream_osp_filter_result(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd)
{
    ngx_uint_t                i, n;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_answer_t  *answer;

    setup = os->setup;

    answer = setup->answers.elts;
    n = 0;

    /* the first is that to connect; SRS has 1 there, whatever the client has */

    if (setup->accepted) {

        while (n < setup->answers.nelts
               && (answer[n].done
                   || !ngx_stream_osp_same_tid(answer[n].tid, cmd->tid)))
        {
            n++;
        }
    }

    if (n == setup->answers.nelts) {

        /* publish and play have an onStatus, but may fail in this way */

        if (cmd->name == NGX_OSP_RTMP_ERROR
            && ngx_stream_osp_same_tid(cmd->tid, setup->stream_tid))
        {
            if (setup->accepted
                && (ngx_stream_osp_search(os, &cmd->info) == NGX_OK
                    || ngx_stream_osp_takeover_retry(os, &cmd->info)
                       == NGX_OK))
            {
                return NGX_ERROR;
            }

            if (os->moving) {
                ngx_stream_osp_move_next(os, &cmd->info.description);
                return NGX_ERROR;
            }

            setup->done = 1;

            ngx_stream_osp_refused(os, &cmd->info);
        }

        return ngx_stream_osp_filter_write(os, msg);
    }

    answer[n].done = 1;

    /* the client's last message there looks the same, headers may rely on it */

    if (msg->csid == NGX_OSP_RTMP_CSID_COMMAND
        && msg->len == NGX_STREAM_OSP_CREATED_LEN
        && msg->type == NGX_OSP_RTMP_AMF0_COMMAND
        && msg->msid == 0 && msg->timestamp == 0
        && setup->created)
    {
        ngx_stream_osp_filter_clean(&setup->filter, msg->csid, 0);
    }

    if (answer[n].name != NGX_OSP_RTMP_CONNECT
        && answer[n].name != NGX_OSP_RTMP_CREATE_STREAM)
    {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        answer[i].done = 1;
    }

    if (cmd->name == NGX_OSP_RTMP_ERROR) {
        return ngx_stream_osp_filter_refused(os, cmd);
    }

    if (answer[n].name == NGX_OSP_RTMP_CREATE_STREAM) {

        if (!setup->accepted) {
            return ngx_stream_osp_filter_invalid(os, "no answer to connect");
        }

        return ngx_stream_osp_filter_created(os, cmd);
    }

    setup->accepted = 1;

    ngx_stream_osp_peer_set(os, setup->step);
    ngx_rtmp_route_report(setup->route, &setup->query, &setup->peer, 0);

    /* while a session is moved others may have to be asked, too */

    ngx_add_timer(os->origin->read, os->moving ? os->conf->connect_timeout
                                               : os->conf->handshake_timeout);

    if (setup->step) {
        setup->send_end = setup->create_end ? setup->create_end
                                   : (size_t) (setup->raw.pos
                                               - setup->raw.start);

        (void) ngx_stream_osp_origin_send(os);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_filter_created(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd)
{
    uint32_t                  msid;
    ngx_uint_t                i;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_answer_t  *answer;
    ngx_stream_osp_filter_t  *up;

    setup = os->setup;

    msid = (cmd->has_number && cmd->number >= 1 && cmd->number < 4294967295.0)
           ? (uint32_t) cmd->number : 1;

    if (msid != 1 && !setup->step) {

        /* what was sent has gone to another message stream */

        ngx_stream_osp_origin_close(os);

        setup->step = 1;
        ngx_stream_osp_connect(os);

        return NGX_ERROR;
    }

    if (!setup->step) {
        return NGX_OK;
    }

    /* the client may have asked for several, it uses the last */

    answer = setup->answers.elts;

    for (i = 0; i < setup->answers.nelts; i++) {
        if (!answer[i].done && answer[i].name == NGX_OSP_RTMP_CREATE_STREAM) {
            return NGX_OK;
        }
    }

    if (msid != 1) {
        setup->filter.from = msid;
        setup->filter.to = 1;

        up = &setup->up;

        if (up->reader == NULL) {
            up->reader = ngx_osp_rtmp_reader_create(os->pool);
            if (up->reader == NULL) {
                ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                        NGX_STREAM_OSP_INTERNAL_ERROR);
                return NGX_ERROR;
            }
        }

        ngx_stream_osp_filter_map_raw(setup, 1, msid);
    }

    setup->send_end = setup->raw.pos - setup->raw.start;

    (void) ngx_stream_osp_origin_send(os);

    return NGX_OK;
}


/* what the client has sent, as far as the origin gets it now */

static void
ngx_stream_osp_filter_map_raw(ngx_stream_osp_setup_t *setup, uint32_t from,
    uint32_t to)
{
    u_char                   *p;
    ngx_stream_osp_filter_t  *up;

    up = &setup->up;

    ngx_osp_rtmp_reader_reset(up->reader);

    up->from = from;
    up->to = to;

    p = setup->raw.start + NGX_STREAM_OSP_PREAMBLE_MAX
        + NGX_OSP_RTMP_HS_C0C1C2;

    (void) ngx_stream_osp_filter_map(up, p, setup->raw.pos);
}


static ngx_int_t
ngx_stream_osp_filter_status(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd)
{
    ngx_uint_t               error;
    ngx_stream_osp_setup_t  *setup;

    static ngx_str_t         reset = ngx_string("NetStream.Play.Reset");

    setup = os->setup;

    if (cmd->info.code.len == reset.len
        && ngx_strncmp(cmd->info.code.data, reset.data, reset.len) == 0)
    {
        return ngx_stream_osp_filter_write(os, msg);
    }

    if (!setup->accepted) {
        return ngx_stream_osp_filter_invalid(os, "no answer to connect");
    }

    error = ngx_osp_rtmp_info_is_error(&cmd->info);

    if (error
        && cmd->info.redirect.len
        && ngx_stream_osp_redirect(os, &cmd->info.redirect) == NGX_OK)
    {
        return NGX_ERROR;
    }

    if (error
        && ngx_stream_osp_search_missing(&cmd->info)
        && ngx_stream_osp_search(os, &cmd->info) == NGX_OK)
    {
        return NGX_ERROR;
    }

    if (error && ngx_stream_osp_takeover_retry(os, &cmd->info) == NGX_OK) {
        return NGX_ERROR;
    }

    if (error && os->moving) {
        ngx_stream_osp_move_next(os, &cmd->info.description);
        return NGX_ERROR;
    }

    if (error) {
        ngx_stream_osp_refused(os, &cmd->info);

    } else if (setup->on_fc_publish.len) {

        if (ngx_stream_osp_filter_write(os, &setup->on_fc_publish) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    setup->done = 1;

    return ngx_stream_osp_filter_write(os, msg);
}


/* an _error to connect or createStream: the client had a _result already */

static ngx_int_t
ngx_stream_osp_filter_refused(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd)
{
    u_char     *last;
    ngx_str_t   description;
    u_char      code[128];

    if (cmd->info.redirect.len
        && ngx_stream_osp_redirect(os, &cmd->info.redirect) == NGX_OK)
    {
        return NGX_ERROR;
    }

    description = cmd->info.description;

    if (description.len == 0) {
        ngx_str_set(&description, "refused by the server");
    }

    if (os->moving) {
        ngx_stream_osp_move_next(os, &description);
        return NGX_ERROR;
    }

    if (cmd->info.code.len && cmd->info.code.len < sizeof(code)) {
        last = ngx_cpymem(code, cmd->info.code.data, cmd->info.code.len);
        *last = '\0';

    } else {
        ngx_memcpy(code, "NetConnection.Connect.Rejected",
                   sizeof("NetConnection.Connect.Rejected"));
    }

    ngx_stream_osp_refused(os, &cmd->info);

    ngx_stream_osp_refuse(os, NGX_STREAM_FORBIDDEN, NGX_STREAM_OSP_REFUSED,
                          (char *) code, &description);

    return NGX_ERROR;
}


ngx_int_t
ngx_stream_osp_filter_invalid(ngx_stream_osp_session_t *os, const char *text)
{
    ngx_log_error(NGX_LOG_ERR, os->origin->log, 0,
                  "upstream sent invalid rtmp: %s", text);

    if (!os->setup->accepted || os->moving) {
        ngx_stream_osp_next(os);
        return NGX_ERROR;
    }

    ngx_stream_osp_refuse_text(os, NGX_STREAM_BAD_GATEWAY,
                               NGX_STREAM_OSP_ORIGIN_PROTOCOL_ERROR,
                               "NetConnection.Connect.Rejected",
                               "invalid answer of the server");
    return NGX_ERROR;
}


static ngx_int_t
ngx_stream_osp_filter_write(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg)
{
    size_t                    size;
    uint32_t                  msid;
    ngx_osp_rtmp_out_t        out;
    ngx_stream_osp_setup_t   *setup;
    ngx_stream_osp_filter_t  *f;

    /* a client that is moved has had these answers */

    if (os->moving) {
        return NGX_OK;
    }

    setup = os->setup;
    f = &setup->filter;

    ngx_memzero(&out, sizeof(ngx_osp_rtmp_out_t));
    out.chunk_size = setup->chunk_size;

    size = ngx_osp_rtmp_message_size(&out, msg->csid, msg->timestamp,
                                     msg->len);

    msid = (f->to && msg->msid == f->from) ? f->to : msg->msid;

    if (ngx_stream_osp_client_out(os, &out, size) != NGX_OK
        || ngx_osp_rtmp_write_message(&out, msg->csid, msg->timestamp,
                                      msg->type, msid, msg->payload, msg->len)
           != NGX_OK)
    {
        ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                NGX_STREAM_OSP_INTERNAL_ERROR);
        return NGX_ERROR;
    }

    os->flow[NGX_STREAM_OSP_DOWN].buf.last = out.pos;

    ngx_stream_osp_filter_clean(f, msg->csid, 0);

    if (msg->csid == NGX_OSP_RTMP_CSID_COMMAND) {
        setup->created = 0;
    }

    return NGX_OK;
}


/* the same for the relay, which leaves nothing out any more */

ngx_int_t
ngx_stream_osp_filter_relay(ngx_stream_osp_filter_t *f, u_char **pos,
    u_char *last, ngx_stream_osp_buf_t *out, ngx_log_t *log)
{
    ngx_int_t            rc;
    ngx_osp_rtmp_item_t  item;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(f->reader, pos, last, &item);

        if (rc == NGX_AGAIN) {
            ngx_stream_osp_filter_hold(f, pos, last);
            return NGX_OK;
        }

        if (rc == NGX_ERROR
            || ngx_stream_osp_filter_item(f, &item, out, log) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


ngx_int_t
ngx_stream_osp_filter_item(ngx_stream_osp_filter_t *f,
    ngx_osp_rtmp_item_t *item, ngx_stream_osp_buf_t *out, ngx_log_t *log)
{
    size_t     len;
    uint32_t   msid;
    ngx_int_t  rc;
    u_char     header[NGX_OSP_RTMP_HEADER_MAX];

    if (ngx_stream_osp_buf_reserve(out, NGX_OSP_RTMP_HEADER_MAX
                                        + item->payload_len, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    msid = item->msid;

    if (f->to) {
        if (msid == f->from) {
            msid = f->to;
        }

        ngx_stream_osp_filter_map_control(f, item);
    }

    rc = ngx_osp_rtmp_track_item(f->track, item, msid, header, &len);

    switch (rc) {

    case NGX_DECLINED:

        /* a piece that continues a chunk has none */

        if (item->header_len == 0) {
            break;
        }

        out->last = ngx_cpymem(out->last, item->header, item->header_len);

        if (item->first) {
            ngx_stream_osp_filter_clean(f, item->csid, 1);
        }

        break;

    case NGX_OK:

        out->last = ngx_cpymem(out->last, header, len);

        if (item->first) {

            ngx_stream_osp_filter_dirty(f, item->csid, item->fmt);
            ngx_stream_osp_filter_clean(f, item->csid, 0);
        }

        break;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    out->last = ngx_cpymem(out->last, item->payload, item->payload_len);

    return NGX_OK;
}


/* changes message stream ids in place, no header is cut */

ngx_int_t
ngx_stream_osp_filter_map(ngx_stream_osp_filter_t *f, u_char *pos,
    u_char *last)
{
    ngx_int_t            rc;
    ngx_osp_rtmp_item_t  item;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(f->reader, &pos, last, &item);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (item.msid == f->from && item.header_len) {
            (void) ngx_osp_rtmp_set_msid(&item, f->to);
        }

        ngx_stream_osp_filter_map_control(f, &item);
    }
}


void
ngx_stream_osp_filter_hold(ngx_stream_osp_filter_t *f, u_char **pos,
    u_char *last)
{
    f->held = ngx_min((size_t) (last - *pos), sizeof(f->hold));

    ngx_memcpy(f->hold, *pos, f->held);

    *pos = last;
}


/* puts a header that was cut in front of what will be read next */

size_t
ngx_stream_osp_filter_unhold(ngx_stream_osp_filter_t *f, u_char *p)
{
    ngx_memcpy(p, f->hold, f->held);

    return f->held;
}


/* user control events name a message stream in their payload */

static void
ngx_stream_osp_filter_map_control(ngx_stream_osp_filter_t *f,
    ngx_osp_rtmp_item_t *item)
{
    u_char      *p;
    uint32_t     value;
    ngx_uint_t   event;

    if (item->type != NGX_OSP_RTMP_USER_CONTROL
        || item->offset != 0
        || item->payload_len < 6
        || ngx_osp_rtmp_user_control_parse(item->payload, item->payload_len,
                                           &event, &value)
           != NGX_OK
        || event > NGX_OSP_RTMP_STREAM_RECORDED
        || value != f->from)
    {
        return;
    }

    p = item->payload + 2;

    p[0] = (u_char) (f->to >> 24);
    p[1] = (u_char) (f->to >> 16);
    p[2] = (u_char) (f->to >> 8);
    p[3] = (u_char) f->to;
}


ngx_uint_t
ngx_stream_osp_filter_needed(ngx_stream_osp_filter_t *f)
{
    return f->ndirty || f->to;
}


static void
ngx_stream_osp_filter_dirty(ngx_stream_osp_filter_t *f, uint32_t csid,
    ngx_uint_t fmt)
{
    ngx_uint_t  i;

    for (i = 0; i < f->ndirty; i++) {
        if (f->dirty[i].csid == csid) {
            break;
        }
    }

    if (i == NGX_OSP_RTMP_MAX_STREAMS) {
        return;
    }

    f->dirty[i].csid = csid;
    f->dirty[i].fmt = fmt;

    if (i == f->ndirty) {
        f->ndirty++;
    }
}


/*
 * The receiver has got a message of that chunk stream: with the header as it
 * was sent, or with one of fmt 0, which is the same only if it was sent so.
 */

static void
ngx_stream_osp_filter_clean(ngx_stream_osp_filter_t *f, uint32_t csid,
    ngx_uint_t same)
{
    ngx_uint_t  i;

    for (i = 0; i < f->ndirty; i++) {

        if (f->dirty[i].csid != csid) {
            continue;
        }

        if (!same && f->dirty[i].fmt != 0) {
            return;
        }

        f->dirty[i] = f->dirty[--f->ndirty];
        return;
    }
}
