
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_probe_proto.c */


/* What health checks say and understand. */


#include "unit.h"

#include "ngx_rtmp_route_probe_proto.h"


#define AGAIN  "again"
#define OK     "ok"
#define DONE   "done"
#define ERROR  "error"


static void test_c0c1(void);
static void test_rtmp(void);
static void test_http(void);
static void http(const char *text, const char *expected, ngx_uint_t status);
static const char *name(ngx_int_t rc);


int
main(void)
{
    unit_init();

    test_c0c1();
    test_rtmp();
    test_http();

    return done();
}


static void
test_c0c1(void)
{
    u_char  *last, buf[NGX_RTMP_ROUTE_PROBE_C0C1];

    last = ngx_rtmp_route_probe_c0c1(buf);

    is_uint(last - buf, 1537, "length");
    is_uint(buf[0], 3, "version");
    ok(ngx_memcmp(buf + 1, "\0\0\0\0\0\0\0\0", 8) == 0, "no digest");
    ok(ngx_memcmp(buf + 9, buf + 10, 1527) != 0, "bytes");
}


static void
test_rtmp(void)
{
    u_char                         *last, buf[4000];
    ngx_int_t                       rc;
    ngx_uint_t                      i, n;
    ngx_rtmp_route_probe_answer_t   answer;

    ngx_memzero(buf, sizeof(buf));
    buf[0] = 3;

    ngx_memzero(&answer, sizeof(answer));
    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf), NGX_AGAIN,
            "nothing");

    /* in one piece, and byte by byte */

    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf + 3073),
            NGX_DONE, "S0, S1, S2");

    ngx_memzero(&answer, sizeof(answer));
    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf + 1537), NGX_OK,
            "S0, S1");
    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf + 1535), NGX_OK,
            "not all of S2");
    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf + 1), NGX_DONE,
            "S2");

    for (n = 1; n < 1600; n = n * 3 + 1) {

        ngx_memzero(&answer, sizeof(answer));

        for (i = 0, rc = NGX_AGAIN; i < 1537 && rc == NGX_AGAIN; i += n) {
            last = buf + ngx_min(i + n, 1537);
            rc = ngx_rtmp_route_probe_rtmp_read(&answer, buf + i, last);
        }

        ok(rc == NGX_OK && i >= 1537, "S0, S1 in pieces of %lu",
           (unsigned long) n);
    }

    ngx_memzero(&answer, sizeof(answer));
    buf[0] = 6;
    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf + 1), NGX_ERROR,
            "another version");
    ok(answer.error != NULL, "error");

    /* the zeros of a later piece are no version */

    ngx_memzero(&answer, sizeof(answer));
    buf[0] = 3;
    (void) ngx_rtmp_route_probe_rtmp_read(&answer, buf, buf + 1);
    is_uint(ngx_rtmp_route_probe_rtmp_read(&answer, buf + 1, buf + 2),
            NGX_AGAIN, "second byte");
}


static void
test_http(void)
{
    u_char                         *p, text[] = "HTTP/1.1 200 OK\r\n";
    ngx_rtmp_route_probe_answer_t   answer;

    static u_char  body[70000];

    http("HTTP/1.1 200 OK\r\n", OK, 200);
    http("HTTP/1.0 404\r\n", OK, 404);
    http("HTTP/1.1 503\n", OK, 503);
    http("HTTP/1.1 204 ", OK, 204);
    http("HTTP/1.1 20", AGAIN, 20);
    http("HTTP/1.1 200", AGAIN, 200);
    http("H", AGAIN, 0);
    http("", AGAIN, 0);
    http("HTTP/1.1 2000 OK\r\n", ERROR, 200);
    http("HTTP/1.1 2x0 OK\r\n", ERROR, 2);
    http("HTTP/2 200\r\n", ERROR, 0);
    http("HTTP/1x1 200\r\n", ERROR, 0);
    http("ICY 200 OK\r\n", ERROR, 0);
    http("\x03", ERROR, 0);

    /* byte by byte */

    ngx_memzero(&answer, sizeof(answer));

    for (p = text; p < text + 12; p++) {
        is_uint(ngx_rtmp_route_probe_http_read(&answer, p, p + 1), NGX_AGAIN,
                "byte %d", (int) (p - text));
    }

    is_uint(ngx_rtmp_route_probe_http_read(&answer, p, p + 1), NGX_OK, "ok");
    is_uint(answer.status, 200, "status");

    /* a body is read for some time */

    is_uint(ngx_rtmp_route_probe_http_read(&answer, body, body + 60000),
            NGX_OK, "body");
    is_uint(ngx_rtmp_route_probe_http_read(&answer, body, body + 10000),
            NGX_DONE, "too much of it");
    is_uint(answer.status, 200, "status is kept");
}


static void
http(const char *text, const char *expected, ngx_uint_t status)
{
    u_char                         *p;
    ngx_int_t                       rc;
    ngx_rtmp_route_probe_answer_t   answer;

    ngx_memzero(&answer, sizeof(answer));

    p = (u_char *) text;
    rc = ngx_rtmp_route_probe_http_read(&answer, p, p + strlen(text));

    ok(strcmp(name(rc), expected) == 0, "%.12s: %s", text, name(rc));
    is_uint(answer.status, status, "status");
    ok((answer.error != NULL) == (rc == NGX_ERROR), "error");
}


static const char *
name(ngx_int_t rc)
{
    switch (rc) {

    case NGX_AGAIN:
        return AGAIN;

    case NGX_OK:
        return OK;

    case NGX_DONE:
        return DONE;

    default:
        return ERROR;
    }
}
