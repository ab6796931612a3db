
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_rename.h"


#define NGX_OSP_RTMP_AMF3_STRING  0x06


/* where names are put in: in front of pos all is done */

typedef struct {
    u_char                  *from;       /* not copied yet */
    u_char                  *p;          /* NULL: there was no room */
    u_char                  *end;
    ngx_uint_t               n;
} ngx_osp_rtmp_rename_edit_t;


static ngx_int_t ngx_osp_rtmp_rename_item(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_item_t *item, u_char **out, u_char *end);
static ngx_int_t ngx_osp_rtmp_rename_aborted(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_open_t *open, u_char **out, u_char *end);
static ngx_int_t ngx_osp_rtmp_rename_command(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_item_t *item, u_char **out, u_char *end);
static ngx_uint_t ngx_osp_rtmp_rename_fmt(ngx_osp_rtmp_rename_t *rn,
    uint32_t csid, ngx_uint_t fmt);
static ngx_int_t ngx_osp_rtmp_rename_write(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_item_t *item, ngx_uint_t fmt, u_char *payload, size_t len,
    size_t mlen, u_char **out, u_char *end);
static ngx_int_t ngx_osp_rtmp_rename_full(ngx_osp_rtmp_rename_t *rn,
    const char *error);
static ngx_int_t ngx_osp_rtmp_rename_connect(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_rename_edit_t *edit);
static ngx_int_t ngx_osp_rtmp_rename_stream(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_rename_edit_t *edit);
static ngx_int_t ngx_osp_rtmp_rename_play2(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_rename_edit_t *edit);
static ngx_int_t ngx_osp_rtmp_rename_name(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_amf_value_t *value, ngx_osp_rtmp_rename_edit_t *edit);
static void ngx_osp_rtmp_rename_put(ngx_osp_rtmp_rename_edit_t *edit,
    ngx_osp_rtmp_amf_value_t *value, ngx_str_t *to);
static u_char *ngx_osp_rtmp_rename_put_amf3(u_char *p, u_char *last,
    ngx_str_t *to);
static void ngx_osp_rtmp_rename_copy(ngx_osp_rtmp_rename_edit_t *edit,
    u_char *last);
static ngx_uint_t ngx_osp_rtmp_rename_is(ngx_str_t *name, const char *text);
static ngx_int_t ngx_osp_rtmp_rename_join(ngx_pool_t *pool, ngx_str_t *text,
    size_t start, ngx_str_t *path, ngx_uint_t args, ngx_str_t *to);
static size_t ngx_osp_rtmp_rename_args(ngx_str_t *text, size_t start);
static size_t ngx_osp_rtmp_rename_host(ngx_str_t *url);


void
ngx_osp_rtmp_rename_init(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_reader_t *reader, u_char *buf)
{
    rn->reader = reader;
    rn->payload = buf + NGX_OSP_RTMP_RENAME_LEN;
    rn->name = NGX_OSP_RTMP_UNKNOWN;
    rn->full = 0;
    rn->error = NULL;

    ngx_memzero(rn->open, sizeof(rn->open));

    ngx_osp_rtmp_asm_init(&rn->assembly, buf, buf + NGX_OSP_RTMP_RENAME_LEN,
                          NGX_OSP_RTMP_COMMAND_TYPES);
}


ngx_int_t
ngx_osp_rtmp_rename(ngx_osp_rtmp_rename_t *rn, u_char **pos, u_char *last,
    u_char **out, u_char *end)
{
    ngx_int_t            rc;
    ngx_osp_rtmp_item_t  item;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(rn->reader, pos, last, &item);

        if (rc == NGX_AGAIN) {

            if (*pos != last || rn->assembly.nopen) {
                rn->error = "command is cut";
                return NGX_ERROR;
            }

            return NGX_DONE;
        }

        if (rc != NGX_OK) {
            rn->error = ngx_osp_rtmp_reader_error(rn->reader);
            return NGX_ERROR;
        }

        if (item.type < 32
            && (NGX_OSP_RTMP_TYPE(item.type) & NGX_OSP_RTMP_COMMAND_TYPES))
        {
            rc = ngx_osp_rtmp_rename_command(rn, &item, out, end);

        } else {
            rc = ngx_osp_rtmp_rename_item(rn, &item, out, end);
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


/* NGX_AGAIN, or NGX_ERROR */

static ngx_int_t
ngx_osp_rtmp_rename_item(ngx_osp_rtmp_rename_t *rn, ngx_osp_rtmp_item_t *item,
    u_char **out, u_char *end)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_osp_rtmp_message_t   msg;

    if (item->type == NGX_OSP_RTMP_ABORT && item->last) {

        for (i = 0; i < rn->assembly.nopen; i++) {

            if (rn->assembly.open[i].csid == item->control
                && ngx_osp_rtmp_rename_aborted(rn, &rn->assembly.open[i], out,
                                               end)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        (void) ngx_osp_rtmp_asm_add(&rn->assembly, item, &msg);
    }

    p = *out;

    if (item->header_len + item->payload_len > (size_t) (end - p)) {
        return ngx_osp_rtmp_rename_full(rn, "too much data");
    }

    if (item->header_len) {
        p = ngx_cpymem(p, item->header, item->header_len);
    }

    if (item->payload_len) {
        p = ngx_cpymem(p, item->payload, item->payload_len);
    }

    *out = p;

    return NGX_AGAIN;
}


/* a command whose end will not come: as far as it was there, as it was */

static ngx_int_t
ngx_osp_rtmp_rename_aborted(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_open_t *open, u_char **out, u_char *end)
{
    ngx_uint_t           i, fmt;
    ngx_osp_rtmp_item_t  item;

    fmt = ngx_osp_rtmp_rename_fmt(rn, open->csid, 0) - 1;

    ngx_memzero(&item, sizeof(ngx_osp_rtmp_item_t));

    for (i = 0; i < ngx_osp_rtmp_reader_streams(rn->reader); i++) {
        (void) ngx_osp_rtmp_reader_stream(rn->reader, i, &item);

        if (item.csid == open->csid) {
            break;
        }
    }

    /* chunks can't be cut anew if their size has changed since */

    if (open->len % ngx_osp_rtmp_reader_chunk_size(rn->reader)) {
        rn->error = "command is aborted";
        return NGX_ERROR;
    }

    return ngx_osp_rtmp_rename_write(rn, &item, fmt, open->start, open->len,
                                     item.mlen, out, end);
}


/* NGX_OK: it was written; NGX_AGAIN: it is not whole; NGX_ERROR */

static ngx_int_t
ngx_osp_rtmp_rename_command(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_item_t *item, u_char **out, u_char *end)
{
    size_t                   len;
    u_char                  *payload;
    ngx_int_t                rc;
    ngx_uint_t               fmt;
    const char              *error;
    ngx_osp_rtmp_message_t   msg;
    ngx_osp_rtmp_command_t   cmd;

    rc = ngx_osp_rtmp_asm_add(&rn->assembly, item, &msg);

    if (rc == NGX_AGAIN) {

        if (item->first) {
            (void) ngx_osp_rtmp_rename_fmt(rn, item->csid, item->fmt + 1);
        }

        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_osp_rtmp_rename_full(rn, rn->assembly.error
                                            ? rn->assembly.error
                                            : "command without a beginning");
    }

    fmt = item->first ? item->fmt
                      : ngx_osp_rtmp_rename_fmt(rn, item->csid, 0) - 1;

    payload = msg.payload;
    len = msg.len;

    /* what can't be read can't name a stream */

    if (ngx_osp_rtmp_command_parse(msg.payload, msg.len, msg.type, &cmd,
                                   &error)
        == NGX_OK)
    {
        rc = ngx_osp_rtmp_rename_payload(rn, &msg, &cmd, rn->payload,
                                         rn->payload + NGX_OSP_RTMP_RENAME_LEN,
                                         &len);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            payload = rn->payload;
        }
    }

    rn->name = cmd.name;

    return ngx_osp_rtmp_rename_write(rn, item, fmt, payload, len, len, out,
                                     end);
}


/* remembers a fmt that is not 0, or gives back what was, and forgets it */

static ngx_uint_t
ngx_osp_rtmp_rename_fmt(ngx_osp_rtmp_rename_t *rn, uint32_t csid,
    ngx_uint_t fmt)
{
    ngx_uint_t                   i;
    ngx_osp_rtmp_rename_open_t  *open;

    /* as many as are in assembly, no chunk stream is 0 */

    for (i = 0; i < NGX_OSP_RTMP_MAX_OPEN; i++) {
        open = &rn->open[i];

        if (open->csid != (fmt ? 0 : csid)) {
            continue;
        }

        if (fmt) {
            open->csid = csid;
            open->fmt = fmt;

        } else {
            open->csid = 0;
        }

        return open->fmt;
    }

    return 1;
}


static ngx_int_t
ngx_osp_rtmp_rename_write(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_item_t *item, ngx_uint_t fmt, u_char *payload, size_t len,
    size_t mlen, u_char **out, u_char *end)
{
    size_t               n;
    u_char              *p;
    uint32_t             time;
    ngx_osp_rtmp_out_t   room;

    time = (fmt == 0) ? item->timestamp : item->delta;

    ngx_memzero(&room, sizeof(ngx_osp_rtmp_out_t));
    room.chunk_size = ngx_osp_rtmp_reader_chunk_size(rn->reader);

    if (ngx_osp_rtmp_message_size(&room, item->csid, time, len)
        > (size_t) (end - *out))
    {
        return ngx_osp_rtmp_rename_full(rn, "too much data");
    }

    if (fmt == 0) {
        p = ngx_osp_rtmp_write_header(*out, item->csid, time, (uint32_t) mlen,
                                      item->type, item->msid);

    } else {
        p = ngx_osp_rtmp_write_delta_header(*out, item->csid, time,
                                            (uint32_t) mlen, item->type);
    }

    for ( ;; ) {
        n = ngx_min(len, room.chunk_size);

        if (n) {
            p = ngx_cpymem(p, payload, n);

            payload += n;
            len -= n;
        }

        if (len == 0) {
            break;
        }

        p = ngx_osp_rtmp_write_next_header(p, item->csid, time);
    }

    *out = p;

    return NGX_OK;
}


static ngx_int_t
ngx_osp_rtmp_rename_full(ngx_osp_rtmp_rename_t *rn, const char *error)
{
    rn->full = 1;
    rn->error = error;

    return NGX_ERROR;
}


ngx_int_t
ngx_osp_rtmp_rename_payload(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd, u_char *buf,
    u_char *end, size_t *len)
{
    ngx_int_t                    rc;
    ngx_osp_rtmp_amf_t           amf;
    ngx_osp_rtmp_rename_edit_t   edit;

    /* what follows name and transaction id */

    ngx_osp_rtmp_amf_init(&amf, cmd->args.data, cmd->args.data
                                                + cmd->args.len);

    edit.from = msg->payload;
    edit.p = buf;
    edit.end = end;
    edit.n = 0;

    switch (cmd->name) {

    case NGX_OSP_RTMP_CONNECT:
        rc = ngx_osp_rtmp_rename_connect(rn, &amf, &edit);
        break;

    case NGX_OSP_RTMP_PLAY2:
        rc = ngx_osp_rtmp_rename_play2(rn, &amf, &edit);
        break;

    case NGX_OSP_RTMP_PUBLISH:
    case NGX_OSP_RTMP_PLAY:
    case NGX_OSP_RTMP_RELEASE_STREAM:
    case NGX_OSP_RTMP_FC_PUBLISH:
    case NGX_OSP_RTMP_FC_UNPUBLISH:
    case NGX_OSP_RTMP_FC_SUBSCRIBE:
    case NGX_OSP_RTMP_FC_UNSUBSCRIBE:
    case NGX_OSP_RTMP_GET_STREAM_LENGTH:
    case NGX_OSP_RTMP_DELETE_STREAM:
        rc = ngx_osp_rtmp_rename_stream(rn, &amf, &edit);
        break;

    default:
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (edit.n == 0) {
        return NGX_DECLINED;
    }

    ngx_osp_rtmp_rename_copy(&edit, msg->payload + msg->len);

    if (edit.p == NULL) {
        return ngx_osp_rtmp_rename_full(rn, "too long command");
    }

    *len = edit.p - buf;

    return NGX_OK;
}


static ngx_int_t
ngx_osp_rtmp_rename_connect(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_rename_edit_t *edit)
{
    ngx_str_t                 name, *to;
    ngx_osp_rtmp_amf_t        object;
    ngx_osp_rtmp_amf_value_t  value, property;

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK
        || value.type == NGX_OSP_RTMP_AMF_STRICT_ARRAY
        || ngx_osp_rtmp_amf_enter(&value, &object) != NGX_OK)
    {
        return NGX_OK;
    }

    /* if it is said twice, readers differ in which one counts */

    while (ngx_osp_rtmp_amf_property(&object, &name, &property) == NGX_OK) {

        if (property.type != NGX_OSP_RTMP_AMF_STRING) {
            continue;
        }

        if (ngx_osp_rtmp_rename_is(&name, "app")) {
            to = &rn->app;

        } else if (ngx_osp_rtmp_rename_is(&name, "tcUrl")) {
            to = &rn->tc_url;

        } else {
            continue;
        }

        if (to->data) {
            ngx_osp_rtmp_rename_put(edit, &property, to);
        }
    }

    return NGX_OK;
}


/* the command object, then the name; deleteStream has a number there */

static ngx_int_t
ngx_osp_rtmp_rename_stream(ngx_osp_rtmp_rename_t *rn, ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_rename_edit_t *edit)
{
    ngx_osp_rtmp_amf_value_t  value;

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK
        || ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_osp_rtmp_rename_name(rn, &value, edit);
}


/* the stream that is wanted, and the one that it is to replace */

static ngx_int_t
ngx_osp_rtmp_rename_play2(ngx_osp_rtmp_rename_t *rn, ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_rename_edit_t *edit)
{
    ngx_int_t                 rc;
    ngx_str_t                 name;
    ngx_osp_rtmp_amf_t        object;
    ngx_osp_rtmp_amf_value_t  value, property;

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK
        || ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK
        || value.type == NGX_OSP_RTMP_AMF_STRICT_ARRAY
        || ngx_osp_rtmp_amf_enter(&value, &object) != NGX_OK)
    {
        return NGX_OK;
    }

    while (ngx_osp_rtmp_amf_property(&object, &name, &property) == NGX_OK) {

        if (!ngx_osp_rtmp_rename_is(&name, "streamName")
            && !ngx_osp_rtmp_rename_is(&name, "oldStreamName"))
        {
            continue;
        }

        rc = ngx_osp_rtmp_rename_name(rn, &property, edit);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_osp_rtmp_rename_name(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_amf_value_t *value, ngx_osp_rtmp_rename_edit_t *edit)
{
    ngx_str_t  to;

    if (value->type != NGX_OSP_RTMP_AMF_STRING || rn->stream == NULL) {
        return NGX_OK;
    }

    switch (rn->stream(rn->data, &value->string, &to)) {

    case NGX_OK:
        ngx_osp_rtmp_rename_put(edit, value, &to);
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_OK;

    default: /* NGX_ERROR */
        rn->error = "name is not known";
        return NGX_ERROR;
    }
}


/* in place of the value, encoded as that is */

static void
ngx_osp_rtmp_rename_put(ngx_osp_rtmp_rename_edit_t *edit,
    ngx_osp_rtmp_amf_value_t *value, ngx_str_t *to)
{
    if (to->len == value->string.len
        && ngx_memcmp(to->data, value->string.data, to->len) == 0)
    {
        return;
    }

    ngx_osp_rtmp_rename_copy(edit, value->raw.data);

    if (*value->raw.data == NGX_OSP_RTMP_AMF_AMF3) {
        edit->p = ngx_osp_rtmp_rename_put_amf3(edit->p, edit->end, to);

    } else {
        edit->p = ngx_osp_rtmp_amf_put_string(edit->p, edit->end, to);
    }

    edit->from = value->raw.data + value->raw.len;
    edit->n++;
}


/* AMF3, 1.3.1 and 3.8: the length, in 7 bits each, and a bit for "inline" */

static u_char *
ngx_osp_rtmp_rename_put_amf3(u_char *p, u_char *last, ngx_str_t *to)
{
    size_t  size;

    size = to->len << 1 | 1;

    if (p == NULL || size > 0x1fffff || (size_t) (last - p) < to->len + 5) {
        return NULL;
    }

    *p++ = NGX_OSP_RTMP_AMF_AMF3;
    *p++ = NGX_OSP_RTMP_AMF3_STRING;

    if (size > 0x3fff) {
        *p++ = (u_char) (0x80 | size >> 14);
    }

    if (size > 0x7f) {
        *p++ = (u_char) (0x80 | (size >> 7 & 0x7f));
    }

    *p++ = (u_char) (size & 0x7f);

    return ngx_cpymem(p, to->data, to->len);
}


static void
ngx_osp_rtmp_rename_copy(ngx_osp_rtmp_rename_edit_t *edit, u_char *last)
{
    size_t  len;

    len = last - edit->from;

    if (edit->p == NULL || len > (size_t) (edit->end - edit->p)) {
        edit->p = NULL;
        return;
    }

    if (len) {
        edit->p = ngx_cpymem(edit->p, edit->from, len);
    }

    edit->from = last;
}


static ngx_uint_t
ngx_osp_rtmp_rename_is(ngx_str_t *name, const char *text)
{
    return name->len == ngx_strlen(text)
           && ngx_memcmp(name->data, text, name->len) == 0;
}


ngx_int_t
ngx_osp_rtmp_rename_split(ngx_str_t *to, ngx_uint_t parts, ngx_str_t *app,
    ngx_str_t *stream)
{
    size_t      i;
    ngx_uint_t  n;

    n = ngx_osp_rtmp_rename_parts(to);

    if (n == 0 || (n == 1 && parts)) {
        return NGX_DECLINED;
    }

    parts = ngx_min(parts, n - 1);

    *app = *to;

    stream->data = to->data + to->len;
    stream->len = 0;

    if (parts == 0) {
        return NGX_OK;
    }

    for (i = to->len; /* void */ ; i--) {
        if (to->data[i - 1] == '/' && --parts == 0) {
            break;
        }
    }

    app->len = i - 1;

    stream->data = to->data + i;
    stream->len = to->len - i;

    return NGX_OK;
}


ngx_uint_t
ngx_osp_rtmp_rename_parts(ngx_str_t *path)
{
    size_t      i;
    ngx_uint_t  n;

    if (path->len == 0) {
        return 0;
    }

    n = 1;

    for (i = 0; i < path->len; i++) {
        n += (path->data[i] == '/');
    }

    return n;
}


ngx_int_t
ngx_osp_rtmp_rename_text(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *path,
    ngx_uint_t args, ngx_str_t *to)
{
    return ngx_osp_rtmp_rename_join(pool, text, 0, path, args, to);
}


ngx_int_t
ngx_osp_rtmp_rename_url(ngx_pool_t *pool, ngx_str_t *url, ngx_str_t *path,
    ngx_uint_t args, ngx_str_t *to)
{
    size_t  start;

    start = ngx_osp_rtmp_rename_host(url);

    if (start == 0) {
        return NGX_DECLINED;
    }

    return ngx_osp_rtmp_rename_join(pool, url, start, path, args, to);
}


/* with start, the path begins there, and with a slash */

static ngx_int_t
ngx_osp_rtmp_rename_join(ngx_pool_t *pool, ngx_str_t *text, size_t start,
    ngx_str_t *path, ngx_uint_t args, ngx_str_t *to)
{
    size_t   stop, slashes;
    u_char  *p;

    stop = ngx_osp_rtmp_rename_args(text, start);

    if (path == NULL && (args || stop == text->len)) {
        return NGX_DECLINED;
    }

    slashes = 0;

    while (stop - slashes > start && text->data[stop - slashes - 1] == '/') {
        slashes++;
    }

    p = ngx_pnalloc(pool, text->len + 1 + (path ? path->len : 0));
    if (p == NULL) {
        return NGX_ERROR;
    }

    to->data = p;

    if (path == NULL) {
        p = ngx_cpymem(p, text->data, stop);

    } else if (start == 0) {
        p = ngx_cpymem(p, path->data, path->len);

    } else {
        p = ngx_cpymem(p, text->data, start);
        *p++ = '/';
        p = ngx_cpymem(p, path->data, path->len);

        /* those that stood behind a path stay */

        if (stop - slashes > start) {
            p = ngx_cpymem(p, text->data + stop - slashes, slashes);
        }
    }

    if (args) {
        p = ngx_cpymem(p, text->data + stop, text->len - stop);
    }

    to->len = p - to->data;

    return NGX_OK;
}


/* where arguments begin */

static size_t
ngx_osp_rtmp_rename_args(ngx_str_t *text, size_t start)
{
    size_t            i;

    static ngx_str_t  vhost = ngx_string("...vhost...");

    for (i = start; i < text->len; i++) {

        if (text->data[i] == '?'
            || (text->data[i] == '.'
                && text->len - i >= vhost.len
                && ngx_memcmp(text->data + i, vhost.data, vhost.len) == 0))
        {
            break;
        }
    }

    return i;
}


/* where it ends; 0: this is no URL */

static size_t
ngx_osp_rtmp_rename_host(ngx_str_t *url)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < url->len; i++) {
        c = (u_char) (url->data[i] | 0x20);

        if ((c < 'a' || c > 'z')
            && (i == 0 || url->data[i] < '0' || url->data[i] > '9'))
        {
            break;
        }
    }

    if (i == 0 || url->len - i < 3 || ngx_memcmp(url->data + i, "://", 3) != 0)
    {
        return 0;
    }

    for (i += 3; i < url->len; i++) {
        if (url->data[i] == '/' || url->data[i] == '?') {
            break;
        }
    }

    return i;
}


ngx_uint_t
ngx_osp_rtmp_rename_has_path(ngx_str_t *text, ngx_uint_t url)
{
    size_t  i, stop;

    i = url ? ngx_osp_rtmp_rename_host(text) : 0;

    if (url && i == 0) {
        return 0;
    }

    for (stop = ngx_osp_rtmp_rename_args(text, i); i < stop; i++) {
        if (text->data[i] != '/') {
            return 1;
        }
    }

    return 0;
}
