
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_json.h"


static ngx_int_t ngx_rtmp_route_json_scan(ngx_str_t *text,
    ngx_rtmp_route_error_t *err);
static void ngx_rtmp_route_json_separate(ngx_rtmp_route_json_t *json);
static void ngx_rtmp_route_json_text(ngx_rtmp_route_json_t *json,
    ngx_str_t *text);
static size_t ngx_rtmp_route_json_plain(u_char *p, u_char *last);
static u_char *ngx_rtmp_route_json_utf8(u_char *p, u_char *last);
static void ngx_rtmp_route_json_write(ngx_rtmp_route_json_t *json, u_char *p,
    size_t len);
static ngx_int_t ngx_rtmp_route_json_buffer(ngx_rtmp_route_json_t *json);


ngx_int_t
ngx_rtmp_route_error(ngx_rtmp_route_error_t *err, ngx_uint_t status,
    const char *code, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(err->buf, err->buf + NGX_RTMP_ROUTE_ERROR_LEN, fmt,
                      args);
    va_end(args);

    err->status = status;
    err->code.len = ngx_strlen(code);
    err->code.data = (u_char *) code;
    err->text.len = p - err->buf;
    err->text.data = err->buf;

    return NGX_DECLINED;
}


json_t *
ngx_rtmp_route_json_parse(ngx_str_t *text, ngx_rtmp_route_error_t *err)
{
    u_char        *p, *near;
    json_t        *json;
    json_error_t   error;

    if (text->len == 0) {
        json = json_object();

        if (json == NULL) {
            (void) ngx_rtmp_route_error(err, 500, "InternalError",
                                        "not enough memory");
        }

        return json;
    }

    if (ngx_rtmp_route_json_scan(text, err) != NGX_OK) {
        return NULL;
    }

    json = json_loadb((char *) text->data, text->len, JSON_REJECT_DUPLICATES,
                      &error);

    if (json == NULL) {

        /* what follows is a piece of the text */

        p = (u_char *) error.text;
        near = (u_char *) ngx_strstr(p, " near '");

        if (near) {
            *near = '\0';
        }

        (void) ngx_rtmp_route_error(err, 400, "JsonError",
                                    "invalid JSON: %s, line %d, column %d",
                                    p, error.line, error.column);
    }

    return json;
}


/* jansson allocates while it parses, so this comes before */

static ngx_int_t
ngx_rtmp_route_json_scan(ngx_str_t *text, ngx_rtmp_route_error_t *err)
{
    u_char      *p, *last;
    ngx_uint_t   depth, values, quoted;

    depth = 0;
    values = 0;
    quoted = 0;

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (quoted) {

            if (*p == '\\') {
                p++;

            } else if (*p == '"') {
                quoted = 0;
            }

            continue;
        }

        switch (*p) {

        case '"':
            quoted = 1;
            break;

        case '{':
        case '[':

            if (++depth > NGX_RTMP_ROUTE_JSON_DEPTH) {
                return ngx_rtmp_route_error(err, 400, "JsonError",
                                            "JSON is nested too deep");
            }

            /* fall through */

        case ',':

            if (++values > NGX_RTMP_ROUTE_JSON_VALUES) {
                return ngx_rtmp_route_error(err, 400, "JsonError",
                                            "JSON has too many values");
            }

            break;

        case '}':
        case ']':

            if (depth) {
                depth--;
            }

            break;
        }
    }

    return NGX_OK;
}


void
ngx_rtmp_route_json_init(ngx_rtmp_route_json_t *json, ngx_pool_t *pool,
    size_t size)
{
    ngx_memzero(json, sizeof(ngx_rtmp_route_json_t));

    json->pool = pool;
    json->size = size;
    json->last = &json->out;
}


void
ngx_rtmp_route_json_reset(ngx_rtmp_route_json_t *json)
{
    *json->last = json->free;
    json->free = json->out;

    json->out = NULL;
    json->last = &json->out;
    json->buf = NULL;
    json->length = 0;
}


void
ngx_rtmp_route_json_open(ngx_rtmp_route_json_t *json, u_char bracket)
{
    ngx_rtmp_route_json_separate(json);
    ngx_rtmp_route_json_write(json, &bracket, 1);

    json->comma = 0;
}


void
ngx_rtmp_route_json_close(ngx_rtmp_route_json_t *json, u_char bracket)
{
    ngx_rtmp_route_json_write(json, &bracket, 1);

    json->comma = 1;
}


void
ngx_rtmp_route_json_key(ngx_rtmp_route_json_t *json, ngx_str_t *name)
{
    ngx_rtmp_route_json_separate(json);
    ngx_rtmp_route_json_text(json, name);
    ngx_rtmp_route_json_write(json, (u_char *) ":", 1);

    json->comma = 0;
}


void
ngx_rtmp_route_json_string(ngx_rtmp_route_json_t *json, ngx_str_t *text)
{
    ngx_rtmp_route_json_separate(json);
    ngx_rtmp_route_json_text(json, text);
}


void
ngx_rtmp_route_json_number(ngx_rtmp_route_json_t *json, uint64_t number)
{
    u_char  *p, buf[NGX_INT64_LEN];

    p = ngx_sprintf(buf, "%uL", number);

    ngx_rtmp_route_json_separate(json);
    ngx_rtmp_route_json_write(json, buf, p - buf);
}


void
ngx_rtmp_route_json_bool(ngx_rtmp_route_json_t *json, ngx_uint_t value)
{
    ngx_rtmp_route_json_separate(json);

    if (value) {
        ngx_rtmp_route_json_write(json, (u_char *) "true", 4);

    } else {
        ngx_rtmp_route_json_write(json, (u_char *) "false", 5);
    }
}


void
ngx_rtmp_route_json_seconds(ngx_rtmp_route_json_t *json, uint64_t msec)
{
    u_char  *p, buf[NGX_INT64_LEN + 2];

    p = ngx_sprintf(buf, "%uL.%uL", msec / 1000, msec % 1000 / 100);

    ngx_rtmp_route_json_separate(json);
    ngx_rtmp_route_json_write(json, buf, p - buf);
}


void
ngx_rtmp_route_json_time(ngx_rtmp_route_json_t *json, uint64_t msec)
{
    u_char    *p, buf[sizeof("\"2026-01-01T00:00:00.000Z\"") + 16];
    ngx_tm_t   tm;

    ngx_gmtime((time_t) (msec / 1000), &tm);

    p = ngx_sprintf(buf, "\"%4d-%02d-%02dT%02d:%02d:%02d.%03uiZ\"",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                    (ngx_uint_t) (msec % 1000));

    ngx_rtmp_route_json_separate(json);
    ngx_rtmp_route_json_write(json, buf, p - buf);
}


void
ngx_rtmp_route_json_raw(ngx_rtmp_route_json_t *json, u_char *p, size_t len)
{
    ngx_rtmp_route_json_write(json, p, len);
}


/* as Prometheus has it: only these three are escaped */

void
ngx_rtmp_route_json_label(ngx_rtmp_route_json_t *json, ngx_str_t *text)
{
    u_char  *p, *last, *next, esc[2];

    ngx_rtmp_route_json_write(json, (u_char *) "\"", 1);

    p = text->data;
    last = text->data + text->len;
    esc[0] = '\\';

    while (p < last) {

        next = p + 1;

        if (*p >= 0x80) {
            next = ngx_rtmp_route_json_utf8(p, last);
        }

        if (next == NULL || *p == '\0') {
            ngx_rtmp_route_json_write(json, (u_char *) "\xef\xbf\xbd", 3);
            next = p + 1;

        } else if (*p == '"' || *p == '\\' || *p == LF) {
            esc[1] = (*p == LF) ? 'n' : *p;
            ngx_rtmp_route_json_write(json, esc, 2);

        } else {
            ngx_rtmp_route_json_write(json, p, next - p);
        }

        p = next;
    }

    ngx_rtmp_route_json_write(json, (u_char *) "\"", 1);
}


static void
ngx_rtmp_route_json_separate(ngx_rtmp_route_json_t *json)
{
    if (json->comma) {
        ngx_rtmp_route_json_write(json, (u_char *) ",", 1);
    }

    json->comma = 1;
}


static void
ngx_rtmp_route_json_text(ngx_rtmp_route_json_t *json, ngx_str_t *text)
{
    size_t   len;
    u_char  *p, *last, *next, esc[sizeof("\\u0000")];

    ngx_rtmp_route_json_write(json, (u_char *) "\"", 1);

    p = text->data;
    last = text->data + text->len;

    while (p < last) {

        len = ngx_rtmp_route_json_plain(p, last);

        if (len) {
            ngx_rtmp_route_json_write(json, p, len);
            p += len;
            continue;
        }

        if (*p >= 0x80) {
            next = ngx_rtmp_route_json_utf8(p, last);

            if (next) {
                ngx_rtmp_route_json_write(json, p, next - p);
                p = next;

            } else {
                ngx_rtmp_route_json_write(json, (u_char *) "\\ufffd", 6);
                p++;
            }

            continue;
        }

        if (*p == '"' || *p == '\\') {
            esc[0] = '\\';
            esc[1] = *p;
            len = 2;

        } else {
            len = ngx_sprintf(esc, "\\u%04xd", (int) *p) - esc;
        }

        ngx_rtmp_route_json_write(json, esc, len);
        p++;
    }

    ngx_rtmp_route_json_write(json, (u_char *) "\"", 1);
}


static size_t
ngx_rtmp_route_json_plain(u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    while (p < last
           && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
    {
        p++;
    }

    return p - start;
}


/*
 * The end of the character at p, or NULL if there is none.  ngx_utf8_decode()
 * is too lenient: what it takes may still be refused by a reader of JSON.
 */

static u_char *
ngx_rtmp_route_json_utf8(u_char *p, u_char *last)
{
    u_char      ch, low, high;
    ngx_uint_t  i, n;

    ch = *p;

    if (ch < 0xc2 || ch > 0xf4) {
        return NULL;
    }

    n = (ch >= 0xf0) ? 3 : (ch >= 0xe0) ? 2 : 1;

    if ((size_t) (last - p) <= n) {
        return NULL;
    }

    /* overlong forms, surrogates and what is above U+10FFFF */

    low = (ch == 0xe0) ? 0xa0 : (ch == 0xf0) ? 0x90 : 0x80;
    high = (ch == 0xed) ? 0x9f : (ch == 0xf4) ? 0x8f : 0xbf;

    if (p[1] < low || p[1] > high) {
        return NULL;
    }

    for (i = 2; i <= n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return NULL;
        }
    }

    return p + n + 1;
}


static void
ngx_rtmp_route_json_write(ngx_rtmp_route_json_t *json, u_char *p, size_t len)
{
    size_t  n;

    while (len) {

        if ((json->buf == NULL || json->buf->last == json->buf->end)
            && ngx_rtmp_route_json_buffer(json) != NGX_OK)
        {
            return;
        }

        n = ngx_min(len, (size_t) (json->buf->end - json->buf->last));

        json->buf->last = ngx_cpymem(json->buf->last, p, n);
        json->length += n;

        p += n;
        len -= n;
    }
}


static ngx_int_t
ngx_rtmp_route_json_buffer(ngx_rtmp_route_json_t *json)
{
    u_char       *start;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (json->failed) {
        return NGX_ERROR;
    }

    cl = json->free;

    if (cl) {
        json->free = cl->next;

        b = cl->buf;
        start = b->start;

        ngx_memzero(b, sizeof(ngx_buf_t));

        b->start = start;
        b->end = start + json->size;

    } else {
        cl = ngx_alloc_chain_link(json->pool);
        if (cl == NULL) {
            goto failed;
        }

        b = ngx_create_temp_buf(json->pool, json->size);
        if (b == NULL) {
            goto failed;
        }

        cl->buf = b;
    }

    b->pos = b->start;
    b->last = b->start;
    b->temporary = 1;

    cl->next = NULL;

    *json->last = cl;
    json->last = &cl->next;
    json->buf = b;

    return NGX_OK;

failed:

    json->failed = 1;
    json->buf = NULL;

    return NGX_ERROR;
}
