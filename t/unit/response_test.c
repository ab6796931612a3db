
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_response.c */


#include "unit.h"
#include "ngx_rtmp_route_response.h"


#define LIMIT  1000


/* an answer, and what becomes of it when the connection closes behind it */

typedef struct {
    char        *text;
    size_t       len;       /* 0: up to the zero */
    ngx_uint_t   status;    /* 0: an error */
    char        *body;      /* or the beginning of the error */
    ngx_uint_t   keepalive;
    size_t       more;      /* bytes that are left */
} test_answer_t;


static void test_answers(void);
static void test_split(test_answer_t *t);
static ngx_uint_t test_run(test_answer_t *t, char *text, size_t len,
    size_t first, size_t second);
static ngx_int_t read_all(ngx_rtmp_route_response_t *res, char *text,
    size_t len);
static void test_head(void);
static void test_find(void);
static void test_limits(void);
static void test_closed(void);


static test_answer_t  answers[] = {

    /* where the body ends */

    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0,
      200, "hello", 1, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 200, "", 1, 0 },
    { "HTTP/1.1 404 Not Found\r\ncontent-length:3\r\nA: b\r\n\r\nnothello", 0,
      404, "not", 1, 5 },
    { "HTTP/1.1 200 OK\r\n\r\nto the end", 0, 200, "to the end", 0, 0 },
    { "HTTP/1.1 200 OK\r\n\r\n", 0, 200, "", 0, 0 },
    { "HTTP/1.1 204 No Content\r\n\r\n", 0, 204, "", 1, 0 },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 0,
      204, "", 1, 0 },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 0,
      304, "", 1, 0 },
    { "HTTP/1.1 204 No Content\r\n\r\nmore", 0, 204, "", 1, 4 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", 0,
      200, "he", 1, 3 },

    /* lines */

    { "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 0, 200, "x", 1, 0 },
    { "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 0, 200, "x", 1, 0 },
    { "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 0, 200, "x", 1, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length:\t 1 \t\r\n\r\nx", 0,
      200, "x", 1, 0 },
    { "HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\td\r\nContent-Length: 1\r\n\r\nx", 0,
      200, "x", 1, 0 },
    { "HTTP/1.1 200 OK\nA: b\n c\nContent-Length:\n 1\n\nx", 0,
      200, "x", 1, 0 },
    { "HTTP/1.1 200 OK\r\nX_UpstreamHost: \xff\xfe\r\nA:\r\n"
      "Content-Length: 1\r\n\r\nx", 0, 200, "x", 1, 0 },

    /* interim answers */

    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n"
      "Content-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
      0, 200, "x", 1, 0 },

    /* connections */

    { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 0,
      200, "x", 0, 0 },
    { "HTTP/1.1 200 OK\r\nConnection: a, ,Close\r\nContent-Length: 1\r\n\r\nx",
      0, 200, "x", 0, 0 },
    { "HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 1\r\n\r\nx",
      0, 200, "x", 1, 0 },
    { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 0, 200, "x", 0, 0 },
    { "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n"
      "x", 0, 200, "x", 1, 0 },
    { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n"
      "Content-Length: 1\r\n\r\nx", 0, 200, "x", 0, 0 },
    { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx", 0,
      200, "x", 0, 0 },
    { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
      "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 0,
      200, "x", 0, 0 },

    /* chunks */

    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 0,
      200, "hello world", 1, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "00b;a=\"b\"\r\nhello world\r\n000;x\r\nA: b\r\nC: d\r\n\r\nHTTP", 0,
      200, "hello world", 1, 4 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5  \nhello\n0\nA: b\n\n", 0, 200, "hello", 1, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
      200, "", 1, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "A\r\n0123456789\r\n0\r\n\rx\r\n\r\n", 0, 200, "0123456789", 1, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "\r\n", 0, 0, "invalid chunk", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "-1\r\n", 0, 0, "invalid chunk", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      ";\r\n", 0, 0, "invalid chunk", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0x1\r\n", 0, 0, "invalid chunk", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\nxy\r\n0\r\n\r\n", 0, 0, "invalid chunk", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\nx\r\r\n0\r\n\r\n", 0, 0, "invalid chunk", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3e9\r\n", 0, 0, "too large body", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\nx\r\n3e8\r\n", 0, 0, "too large body", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "fffffffffffffffff\r\n", 0, 0, "too large body", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n", 0, 0, "connection closed within", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\n", 0, 0, "connection closed within", 0, 0 },

    /* what is refused */

    { "", 0, 0, "connection closed before", 0, 0 },
    { "HTTP/1.1 200 OK\r\n", 0, 0, "connection closed within", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 0,
      0, "connection closed within", 0, 0 },
    { "HTTP/1.1 100 Continue\r\n\r\n", 0, 0, "connection closed within",
      0, 0 },
    { "HTTP/1.1 101 Switching\r\n\r\n", 0, 0, "unexpected status 101", 0, 0 },
    { "<html></html>", 0, 0, "answer is not HTTP", 0, 0 },
    { "\x15\x03\x03\0\x02", 5, 0, "answer is not HTTP", 0, 0 },
    { "\r\nHTTP/1.1 200 OK\r\n\r\n", 0, 0, "answer is not HTTP", 0, 0 },
    { "http/1.1 200 OK\r\n\r\n", 0, 0, "answer is not HTTP", 0, 0 },
    { "HTTP/2 200\r\n\r\n", 0, 0, "answer is not HTTP", 0, 0 },
    { "HTTP/1.\n\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1 20\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1 2000\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1 099 x\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1 600 x\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.12 200 x\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1  200 x\r\n\r\n", 0, 0, "invalid status line", 0, 0 },
    { "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", 0, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\nA\r\n\r\n", 0, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\n: b\r\n\r\n", 0, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", 0, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\nA\xe9: b\r\n\r\n", 0, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", 0, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 27, 0, "invalid header", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 0,
      0, "duplicate \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 0,
      0, "duplicate \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx", 0,
      0, "invalid \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", 0,
      0, "invalid \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", 0,
      0, "invalid \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx", 0,
      0, "invalid \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx", 0,
      0, "invalid \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0,
      0, "too large body", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", 0,
      0, "too large body", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1"
      "\r\n\r\nx", 0, 0, "both \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
      "\r\n\r\nx", 0, 0, "both \"Content-Length\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx", 0,
      0, "unknown \"Transfer-Encoding\"", 0, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
      "Transfer-Encoding: chunked\r\n\r\nx", 0,
      0, "unknown \"Transfer-Encoding\"", 0, 0 },

    { NULL, 0, 0, NULL, 0, 0 }
};


static u_char      lines[NGX_RTMP_ROUTE_RESPONSE_HEADER];
static u_char      body[2 * LIMIT];
static size_t      body_len;
static size_t      left;
static ngx_uint_t  headers;


int
main(void)
{
    unit_init();

    test_answers();
    test_head();
    test_find();
    test_limits();
    test_closed();

    return done();
}


static void
test_answers(void)
{
    test_answer_t  *t;

    for (t = answers; t->text; t++) {

        if (t->len == 0) {
            t->len = strlen(t->text);
        }

        test_split(t);
    }
}


/* each split in two, and in three of which the second is a byte */

static void
test_split(test_answer_t *t)
{
    char        *text;
    size_t       i;
    ngx_uint_t   wrong;

    wrong = 0;

    for (i = 0; i <= t->len; i++) {
        wrong += !test_run(t, t->text, t->len, i, i);
        wrong += !test_run(t, t->text, t->len, i, ngx_min(i + 1, t->len));
    }

    /* what is behind the end is not looked at */

    text = malloc(t->len ? t->len : 1);
    memcpy(text, t->text, t->len);

    wrong += !test_run(t, text, t->len, t->len, t->len);

    free(text);

    is_uint(wrong, 0, "answer %ld: %lu \"%s\"", (long) (t - answers),
            (unsigned long) t->status, t->body);
}


static ngx_uint_t
test_run(test_answer_t *t, char *text, size_t len, size_t first,
    size_t second)
{
    size_t                      at[4];
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_rtmp_route_response_t   res;

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    at[0] = 0;
    at[1] = first;
    at[2] = second;
    at[3] = len;

    body_len = 0;
    headers = 0;
    left = 0;
    rc = NGX_AGAIN;

    for (i = 0; i < 3; i++) {
        rc = read_all(&res, text + at[i], at[i + 1] - at[i]);

        if (rc != NGX_AGAIN) {
            left += len - at[i + 1];
            break;
        }
    }

    if (rc == NGX_AGAIN) {
        rc = ngx_rtmp_route_response_closed(&res);
    }

    if (t->status == 0) {
        return rc == NGX_ERROR && res.error
               && strncmp(res.error, t->body, strlen(t->body)) == 0
               && read_all(&res, text, len) == NGX_ERROR;
    }

    return rc == NGX_DONE && res.status == t->status && headers == 1
           && body_len == strlen(t->body)
           && memcmp(body, t->body, body_len) == 0
           && res.received == (off_t) body_len
           && res.keepalive == t->keepalive && left == t->more
           && ngx_rtmp_route_response_closed(&res) == NGX_DONE;
}


static ngx_int_t
read_all(ngx_rtmp_route_response_t *res, char *text, size_t len)
{
    u_char     *p, *last;
    ngx_int_t   rc;
    ngx_str_t   piece;

    p = (u_char *) text;
    last = p + len;

    for ( ;; ) {

        rc = ngx_rtmp_route_response_read(res, &p, last, &piece);

        if (rc != NGX_OK) {

            if (rc == NGX_AGAIN && p != last) {
                return NGX_ABORT;
            }

            left = last - p;
            return rc;
        }

        if (piece.len == 0) {
            headers++;
        }

        if (body_len + piece.len > sizeof(body)) {
            return NGX_ABORT;
        }

        memcpy(body + body_len, piece.data, piece.len);
        body_len += piece.len;
    }
}


static void
test_head(void)
{
    char                       *text;
    ngx_rtmp_route_response_t   res;

    text = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 1);

    ok(read_all(&res, text, strlen(text)) == NGX_DONE, "head");
    is_uint(res.length, 5000, "length of head");
    ok(res.keepalive, "kept");

    text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 1);

    ok(read_all(&res, text, strlen(text)) == NGX_DONE, "head, chunked");
    ok(res.keepalive, "chunked, kept");
}


static void
test_find(void)
{
    char                       *text;
    ngx_str_t                   name, value;
    ngx_rtmp_route_response_t   res;

    text = "HTTP/1.1 200 A: b\r\nX_UpstreamHost: 127.0.0.1 \r\nTwo: 1\r\n"
           "two: 2\r\nEmpty:\r\nFold: a\r\n\t b\r\nLast:x\r\n"
           "Transfer-Encoding: chunked\r\n\r\n"
           "1\r\nx\r\n0\r\nTrailer: y\r\nX_UpstreamHost: z\r\n\r\n";

    body_len = 0;

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    name = unit_str("Two");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_DECLINED,
       "nothing read yet");

    ok(read_all(&res, text, strlen(text)) == NGX_DONE, "headers read");

    name = unit_str("x_upstreamHOST");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_OK, "found");
    is_str(&value, "127.0.0.1", "value");

    name = unit_str("TWO");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_OK, "first");
    is_str(&value, "1", "value of first");

    name = unit_str("Empty");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_OK, "empty");
    is_str(&value, "", "value of empty");

    name = unit_str("fold");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_OK, "folded");
    is_str(&value, "a  \t b", "value of folded");

    name = unit_str("last");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_OK, "last");
    is_str(&value, "x", "value of last");

    name = unit_str("trailer");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_DECLINED,
       "trailers are not headers");

    name = unit_str("x-upstreamhost");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_DECLINED,
       "another name");

    name = unit_str("HTTP/1.1 200 A");
    ok(ngx_rtmp_route_response_find(&res, &name, &value) == NGX_DECLINED,
       "the status line is none");
}


static void
test_limits(void)
{
    char                       *text, *p;
    ngx_uint_t                  i;
    ngx_rtmp_route_response_t   res;

    text = malloc(100000);

    /* the header fits to the byte, or does not */

    p = text + sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ");
    memset(p, 'a', 20000);

    i = NGX_RTMP_ROUTE_RESPONSE_HEADER - (p - text) - 4;
    memcpy(p + i, "\r\n\r\n", 4);

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    ok(read_all(&res, text, NGX_RTMP_ROUTE_RESPONSE_HEADER) == NGX_DONE,
       "largest header");

    memset(p, 'a', 20000);
    memcpy(p + i + 1, "\r\n\r\n", 4);

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    ok(read_all(&res, text, 20000) == NGX_ERROR
       && strcmp(res.error, "too large header in answer") == 0,
       "header of a byte more");

    /* interim answers have no end */

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    for (i = 0; i < 2000; i++) {
        if (read_all(&res, "HTTP/1.1 100 x\r\n\r\n", 18) != NGX_AGAIN) {
            break;
        }
    }

    is_uint(i, sizeof(lines) / 18, "endless interim answers");

    /* nor have trailers */

    text = strcpy(text, "HTTP/1.1 200 x\nTransfer-Encoding: chunked\n\n0\n");

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    ok(read_all(&res, text, strlen(text)) == NGX_AGAIN, "trailers begin");

    for (i = 0; i < 10000; i++) {
        if (read_all(&res, "A: b\r\n", 6) != NGX_AGAIN) {
            break;
        }
    }

    is_uint(i, sizeof(lines) / 6, "endless trailers");

    /* nor has a line of a chunk */

    text = strcpy(text, "HTTP/1.1 200 x\nTransfer-Encoding: chunked\n\n1;");

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    ok(read_all(&res, text, strlen(text)) == NGX_AGAIN, "chunk begins");

    for (i = 0; i < 10000; i++) {
        if (read_all(&res, "a", 1) != NGX_AGAIN) {
            break;
        }
    }

    ok(i < 2000, "endless extension");

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    ok(read_all(&res, text, strlen(text) - 2) == NGX_AGAIN, "zeros begin");

    for (i = 0; i < 10000; i++) {
        if (read_all(&res, "0", 1) != NGX_AGAIN) {
            break;
        }
    }

    ok(i < 2000, "endless zeros");

    /* a body up to the end */

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), 10, 0);

    body_len = 0;

    ok(read_all(&res, "HTTP/1.1 200 x\n\n0123456789", 26) == NGX_AGAIN,
       "limit is reached");
    ok(read_all(&res, "0", 1) == NGX_ERROR && res.too_large,
       "limit is passed");

    free(text);
}


static void
test_closed(void)
{
    ngx_rtmp_route_response_t  res;

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    ok(ngx_rtmp_route_response_none(&res), "nothing has come");

    ok(read_all(&res, "H", 1) == NGX_AGAIN, "a byte");
    ok(!ngx_rtmp_route_response_none(&res), "something has come");

    ngx_rtmp_route_response_init(&res, lines, lines + sizeof(lines), LIMIT, 0);

    (void) read_all(&res, "HTTP/1.1 100 x\n\n", 16);

    ok(!ngx_rtmp_route_response_none(&res), "an interim answer is something");
}
