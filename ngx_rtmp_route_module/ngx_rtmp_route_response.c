
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_response.h"


#define NGX_RTMP_ROUTE_RESPONSE_CHUNK_LINE  1024


typedef enum {
    ngx_rtmp_route_response_lines = 0,
    ngx_rtmp_route_response_body,
    ngx_rtmp_route_response_close,
    ngx_rtmp_route_response_chunk,
    ngx_rtmp_route_response_digits,
    ngx_rtmp_route_response_ext,
    ngx_rtmp_route_response_data,
    ngx_rtmp_route_response_data_end,
    ngx_rtmp_route_response_trailer,
    ngx_rtmp_route_response_done
} ngx_rtmp_route_response_state_e;


static ngx_int_t ngx_rtmp_route_response_line(ngx_rtmp_route_response_t *res,
    u_char **pos, u_char *last);
static ngx_int_t ngx_rtmp_route_response_parse(ngx_rtmp_route_response_t *res);
static ngx_int_t ngx_rtmp_route_response_status(
    ngx_rtmp_route_response_t *res, u_char *p, u_char *last);
static void ngx_rtmp_route_response_unfold(ngx_rtmp_route_response_t *res);
static u_char *ngx_rtmp_route_response_next(u_char *p, u_char *last,
    ngx_str_t *line);
static ngx_int_t ngx_rtmp_route_response_split(ngx_str_t *line,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_response_field(ngx_rtmp_route_response_t *res,
    ngx_str_t *name, ngx_str_t *value);
static void ngx_rtmp_route_response_connection(ngx_rtmp_route_response_t *res,
    ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_response_framing(
    ngx_rtmp_route_response_t *res);
static ngx_int_t ngx_rtmp_route_response_chunked(
    ngx_rtmp_route_response_t *res, u_char **pos, u_char *last);
static ngx_int_t ngx_rtmp_route_response_trailers(
    ngx_rtmp_route_response_t *res, u_char **pos, u_char *last);
static ngx_int_t ngx_rtmp_route_response_take(ngx_rtmp_route_response_t *res,
    u_char **pos, u_char *last, ngx_str_t *piece);
static ngx_int_t ngx_rtmp_route_response_fail(ngx_rtmp_route_response_t *res,
    const char *error);
static ngx_int_t ngx_rtmp_route_response_large(ngx_rtmp_route_response_t *res);


void
ngx_rtmp_route_response_init(ngx_rtmp_route_response_t *res, u_char *start,
    u_char *end, off_t limit, ngx_uint_t head)
{
    ngx_memzero(res, sizeof(ngx_rtmp_route_response_t));

    res->length = -1;
    res->start = start;
    res->last = start;
    res->end = end;
    res->line = start;
    res->limit = limit;
    res->head = head ? 1 : 0;
}


ngx_int_t
ngx_rtmp_route_response_read(ngx_rtmp_route_response_t *res, u_char **pos,
    u_char *last, ngx_str_t *piece)
{
    ngx_int_t  rc;

    piece->len = 0;
    piece->data = *pos;

    if (res->error) {
        return NGX_ERROR;
    }

    for ( ;; ) {

        switch (res->state) {

        case ngx_rtmp_route_response_lines:

            rc = ngx_rtmp_route_response_line(res, pos, last);

            if (rc == NGX_OK) {
                rc = ngx_rtmp_route_response_parse(res);

                if (rc == NGX_DECLINED) {
                    continue;
                }
            }

            return rc;

        case ngx_rtmp_route_response_body:

            if (res->rest == 0) {
                res->state = ngx_rtmp_route_response_done;
                return NGX_DONE;
            }

            /* fall through */

        case ngx_rtmp_route_response_close:
        case ngx_rtmp_route_response_data:
            return ngx_rtmp_route_response_take(res, pos, last, piece);

        case ngx_rtmp_route_response_trailer:

            return ngx_rtmp_route_response_trailers(res, pos, last);

        case ngx_rtmp_route_response_done:
            return NGX_DONE;

        default:

            rc = ngx_rtmp_route_response_chunked(res, pos, last);

            if (rc != NGX_OK) {
                return rc;
            }
        }
    }
}


/* collects lines up to the empty one; a line may end with a single LF, 2.2 */

static ngx_int_t
ngx_rtmp_route_response_line(ngx_rtmp_route_response_t *res, u_char **pos,
    u_char *last)
{
    u_char    *p, ch;
    size_t     len, max;

    static const u_char  http[] = "HTTP/1.";

    max = res->end - res->start;

    for (p = *pos; p < last; /* void */ ) {

        if (res->total == max) {
            *pos = p;
            return ngx_rtmp_route_response_fail(res,
                                                "too large header in answer");
        }

        ch = *p++;
        res->total++;

        *res->last++ = ch;
        len = res->last - res->start;

        if (len < sizeof(http) && ch != http[len - 1]) {
            *pos = p;
            return ngx_rtmp_route_response_fail(res, "answer is not HTTP/1.x");
        }

        if (ch != LF) {
            continue;
        }

        len = res->last - res->line;

        if (len == 1 || (len == 2 && *res->line == CR)) {
            *pos = p;
            return NGX_OK;
        }

        res->line = res->last;
    }

    *pos = p;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_rtmp_route_response_parse(ngx_rtmp_route_response_t *res)
{
    u_char     *p;
    ngx_str_t   line, name, value;

    p = ngx_rtmp_route_response_next(res->start, res->last, &line);

    if (ngx_rtmp_route_response_status(res, line.data, line.data + line.len)
        != NGX_OK)
    {
        res->status = 0;
        return ngx_rtmp_route_response_fail(res, "invalid status line");
    }

    if (res->status < 200) {

        if (res->status == 101) {
            return ngx_rtmp_route_response_fail(res, "unexpected status 101");
        }

        /* an interim answer, the real one follows; total goes on */

        res->status = 0;
        res->last = res->start;
        res->line = res->start;

        return NGX_DECLINED;
    }

    /* the line folded onto that of the status would become a part of it */

    if (*p == ' ' || *p == '\t') {
        return ngx_rtmp_route_response_fail(res, "invalid header in answer");
    }

    ngx_rtmp_route_response_unfold(res);

    for ( ;; ) {

        p = ngx_rtmp_route_response_next(p, res->last, &line);

        if (line.len == 0) {
            break;
        }

        if (ngx_rtmp_route_response_split(&line, &name, &value) != NGX_OK) {
            return ngx_rtmp_route_response_fail(res,
                                                "invalid header in answer");
        }

        if (ngx_rtmp_route_response_field(res, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    res->header = 1;
    res->line = res->last;

    return ngx_rtmp_route_response_framing(res);
}


/* HTTP/1.1 200 OK, 4 */

static ngx_int_t
ngx_rtmp_route_response_status(ngx_rtmp_route_response_t *res, u_char *p,
    u_char *last)
{
    ngx_uint_t  i;

    p += sizeof("HTTP/1.") - 1;

    if (last - p < 5 || *p < '0' || *p > '9' || p[1] != ' ') {
        return NGX_ERROR;
    }

    res->minor = *p - '0';
    p += 2;

    for (i = 0; i < 3; i++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        res->status = res->status * 10 + (*p++ - '0');
    }

    if (res->status < 100 || res->status > 599) {
        return NGX_ERROR;
    }

    if (p < last && *p != ' ') {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* lines that continue others become a part of them, 5.2 */

static void
ngx_rtmp_route_response_unfold(ngx_rtmp_route_response_t *res)
{
    u_char  *p;

    for (p = res->start; p + 1 < res->last; p++) {

        if (*p == LF && (p[1] == ' ' || p[1] == '\t')) {
            *p = ' ';

            if (p[-1] == CR) {
                p[-1] = ' ';
            }
        }
    }
}


/* lines stand in the buffer whole, the last one is empty */

static u_char *
ngx_rtmp_route_response_next(u_char *p, u_char *last, ngx_str_t *line)
{
    line->data = p;

    p = ngx_strlchr(p, last, LF);

    if (p == NULL) {
        line->len = 0;
        return last;
    }

    line->len = p - line->data;

    if (line->len && p[-1] == CR) {
        line->len--;
    }

    return p + 1;
}


/* name: value, 5.1 */

static ngx_int_t
ngx_rtmp_route_response_split(ngx_str_t *line, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char  *p, *last;

    /* token of RFC 9110, 5.6.2 */

    static const uint32_t  token[] = {
        0x00000000, /* 0000 0000 0000 0000  0000 0000 0000 0000 */

                    /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
        0x03ff6cfa, /* 0000 0011 1111 1111  0110 1100 1111 1010 */

                    /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
        0xc7fffffe, /* 1100 0111 1111 1111  1111 1111 1111 1110 */

                    /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
        0x57ffffff, /* 0101 0111 1111 1111  1111 1111 1111 1111 */

        0, 0, 0, 0
    };

    p = line->data;
    last = p + line->len;

    name->data = p;

    while (p < last && (token[*p >> 5] & (1U << (*p & 0x1f)))) {
        p++;
    }

    name->len = p - name->data;

    if (name->len == 0 || p == last || *p != ':') {
        return NGX_ERROR;
    }

    p++;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < last && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    value->data = p;
    value->len = last - p;

    for ( /* void */ ; p < last; p++) {

        if ((*p < ' ' && *p != '\t') || *p == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* what says where the answer ends must be said once, 6.3 */

static ngx_int_t
ngx_rtmp_route_response_field(ngx_rtmp_route_response_t *res, ngx_str_t *name,
    ngx_str_t *value)
{
    off_t  length;

    if (name->len == sizeof("Content-Length") - 1
        && ngx_strncasecmp(name->data, (u_char *) "Content-Length", name->len)
           == 0)
    {
        if (res->length != -1) {
            return ngx_rtmp_route_response_fail(res,
                                                "duplicate \"Content-Length\" "
                                                "in answer");
        }

        length = ngx_atoof(value->data, value->len);

        if (length == NGX_ERROR) {
            return ngx_rtmp_route_response_fail(res,
                                                "invalid \"Content-Length\" "
                                                "in answer");
        }

        res->length = length;

    } else if (name->len == sizeof("Transfer-Encoding") - 1
               && ngx_strncasecmp(name->data, (u_char *) "Transfer-Encoding",
                                  name->len)
                  == 0)
    {
        if (res->chunked
            || value->len != sizeof("chunked") - 1
            || ngx_strncasecmp(value->data, (u_char *) "chunked", value->len)
               != 0)
        {
            return ngx_rtmp_route_response_fail(res,
                                                "unknown "
                                                "\"Transfer-Encoding\" "
                                                "in answer");
        }

        res->chunked = 1;

    } else if (name->len == sizeof("Connection") - 1
               && ngx_strncasecmp(name->data, (u_char *) "Connection",
                                  name->len)
                  == 0)
    {
        ngx_rtmp_route_response_connection(res, value);
    }

    return NGX_OK;
}


static void
ngx_rtmp_route_response_connection(ngx_rtmp_route_response_t *res,
    ngx_str_t *value)
{
    u_char  *p, *last, *end;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        for (end = p; end < last; end++) {
            if (*end == ' ' || *end == '\t' || *end == ',') {
                break;
            }
        }

        if (end - p == 5 && ngx_strncasecmp(p, (u_char *) "close", 5) == 0) {
            res->connection_close = 1;

        } else if (end - p == 10
                   && ngx_strncasecmp(p, (u_char *) "keep-alive", 10) == 0)
        {
            res->connection_keepalive = 1;
        }

        p = end;
    }
}


/* how long the body is, and what becomes of the connection, 6.3, 9.3 */

static ngx_int_t
ngx_rtmp_route_response_framing(ngx_rtmp_route_response_t *res)
{
    if (res->chunked && res->length != -1) {
        return ngx_rtmp_route_response_fail(res,
                                            "both \"Content-Length\" and "
                                            "\"Transfer-Encoding\" in answer");
    }

    res->keepalive = !res->connection_close
                     && (res->minor >= 1
                         || (res->connection_keepalive && !res->chunked));

    if (res->head || res->status == 204 || res->status == 304) {
        res->rest = 0;
        res->state = ngx_rtmp_route_response_body;

        return NGX_OK;
    }

    if (res->chunked) {
        res->state = ngx_rtmp_route_response_chunk;
        return NGX_OK;
    }

    if (res->length == -1) {
        res->keepalive = 0;
        res->state = ngx_rtmp_route_response_close;

        return NGX_OK;
    }

    if (res->length > res->limit) {
        return ngx_rtmp_route_response_large(res);
    }

    res->rest = res->length;
    res->state = ngx_rtmp_route_response_body;

    return NGX_OK;
}


/* what stands between the data of chunks, 7.1 */

static ngx_int_t
ngx_rtmp_route_response_chunked(ngx_rtmp_route_response_t *res, u_char **pos,
    u_char *last)
{
    u_char  *p, ch, c;

    for (p = *pos; p < last; /* void */ ) {

        ch = *p++;
        c = (u_char) (ch | 0x20);

        switch (res->state) {

        case ngx_rtmp_route_response_chunk:

            res->rest = 0;
            res->total = 0;
            res->state = ngx_rtmp_route_response_digits;

            if (!((ch >= '0' && ch <= '9') || (c >= 'a' && c <= 'f'))) {
                goto invalid;
            }

            /* fall through */

        case ngx_rtmp_route_response_digits:

            if (ch >= '0' && ch <= '9') {
                res->rest = res->rest * 16 + (ch - '0');

            } else if (c >= 'a' && c <= 'f') {
                res->rest = res->rest * 16 + (c - 'a' + 10);

            } else if (ch == CR || ch == LF || ch == ';' || ch == ' '
                       || ch == '\t')
            {
                /* the character is looked at again */

                p--;
                res->state = ngx_rtmp_route_response_ext;
                break;

            } else {
                goto invalid;
            }

            if (res->rest > res->limit - res->received
                || res->rest > NGX_MAX_OFF_T_VALUE / 32)
            {
                *pos = p;
                return ngx_rtmp_route_response_large(res);
            }

            if (++res->total > NGX_RTMP_ROUTE_RESPONSE_CHUNK_LINE) {
                goto invalid;
            }

            break;

        case ngx_rtmp_route_response_ext:

            if (++res->total > NGX_RTMP_ROUTE_RESPONSE_CHUNK_LINE) {
                goto invalid;
            }

            if (ch != LF) {
                break;
            }

            *pos = p;
            res->total = 0;

            if (res->rest) {
                res->state = ngx_rtmp_route_response_data;
                return NGX_OK;
            }

            res->state = ngx_rtmp_route_response_trailer;

            return NGX_OK;

        case ngx_rtmp_route_response_data_end:

            if (ch == LF) {
                res->state = ngx_rtmp_route_response_chunk;
                break;
            }

            if (ch != CR || res->total++) {
                goto invalid;
            }

            break;

        default:
            goto invalid;
        }
    }

    *pos = p;

    return NGX_AGAIN;

invalid:

    *pos = p;

    return ngx_rtmp_route_response_fail(res, "invalid chunk in answer");
}


/* these are passed over; rest: bytes in the line, -1: it is a CR so far */

static ngx_int_t
ngx_rtmp_route_response_trailers(ngx_rtmp_route_response_t *res, u_char **pos,
    u_char *last)
{
    u_char  *p, ch;

    for (p = *pos; p < last; /* void */ ) {

        ch = *p++;

        if (++res->total > (size_t) (res->end - res->start)) {
            *pos = p;
            return ngx_rtmp_route_response_fail(res,
                                                "too large header in answer");
        }

        if (ch != LF) {
            res->rest = (ch == CR && res->rest == 0) ? -1 : 1;
            continue;
        }

        if (res->rest <= 0) {
            *pos = p;
            res->state = ngx_rtmp_route_response_done;

            return NGX_DONE;
        }

        res->rest = 0;
    }

    *pos = p;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_rtmp_route_response_take(ngx_rtmp_route_response_t *res, u_char **pos,
    u_char *last, ngx_str_t *piece)
{
    size_t  len;

    len = last - *pos;

    if (len == 0) {
        return NGX_AGAIN;
    }

    if (res->state == ngx_rtmp_route_response_close) {

        if ((off_t) len > res->limit - res->received) {
            return ngx_rtmp_route_response_large(res);
        }

    } else {
        len = (size_t) ngx_min((off_t) len, res->rest);
        res->rest -= len;

        if (res->rest == 0 && res->state == ngx_rtmp_route_response_data) {
            res->total = 0;
            res->state = ngx_rtmp_route_response_data_end;
        }
    }

    piece->data = *pos;
    piece->len = len;

    *pos += len;
    res->received += len;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_response_fail(ngx_rtmp_route_response_t *res,
    const char *error)
{
    res->error = error;
    res->keepalive = 0;

    return NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_response_large(ngx_rtmp_route_response_t *res)
{
    res->too_large = 1;

    return ngx_rtmp_route_response_fail(res, "too large body in answer");
}


ngx_int_t
ngx_rtmp_route_response_closed(ngx_rtmp_route_response_t *res)
{
    if (res->error) {
        return NGX_ERROR;
    }

    if (res->state == ngx_rtmp_route_response_done
        || res->state == ngx_rtmp_route_response_close
        || (res->state == ngx_rtmp_route_response_body && res->rest == 0))
    {
        res->keepalive = 0;
        res->state = ngx_rtmp_route_response_done;

        return NGX_DONE;
    }

    return ngx_rtmp_route_response_fail(res,
                                        ngx_rtmp_route_response_none(res)
                                            ? "connection closed before an "
                                              "answer"
                                            : "connection closed within the "
                                              "answer");
}


ngx_uint_t
ngx_rtmp_route_response_none(ngx_rtmp_route_response_t *res)
{
    return !res->header && res->total == 0;
}


ngx_int_t
ngx_rtmp_route_response_find(ngx_rtmp_route_response_t *res, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   line, key;

    if (!res->header) {
        return NGX_DECLINED;
    }

    p = ngx_rtmp_route_response_next(res->start, res->last, &line);

    for ( ;; ) {

        p = ngx_rtmp_route_response_next(p, res->last, &line);

        if (line.len == 0) {
            return NGX_DECLINED;
        }

        if (ngx_rtmp_route_response_split(&line, &key, value) == NGX_OK
            && key.len == name->len
            && ngx_strncasecmp(key.data, name->data, key.len) == 0)
        {
            return NGX_OK;
        }
    }
}
