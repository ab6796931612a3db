
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_response.c */


/*
 * An answer read whole and in pieces, whose sizes are the first bytes: both
 * must tell the same, and no more than the limits allow.
 */


#include "unit.h"
#include "ngx_rtmp_route_response.h"


#define LIMIT  5000
#define SIZES  4


typedef struct {
    ngx_int_t                   rc;
    ngx_rtmp_route_response_t   res;
    uint32_t                    crc;        /* of the body */
    size_t                      left;
    ngx_uint_t                  headers;
    u_char                      lines[2048];
} fuzz_answer_t;


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_read(fuzz_answer_t *a, const u_char *sizes,
    const u_char *data, size_t size);
static void fuzz_find(fuzz_answer_t *a, char *text);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    static fuzz_answer_t  whole, split;

    if (size < SIZES) {
        return 0;
    }

    if (ngx_cycle == NULL) {
        unit_init();
    }

    fuzz_read(&whole, NULL, data + SIZES, size - SIZES);
    fuzz_read(&split, data, data + SIZES, size - SIZES);

    if (whole.rc != split.rc
        || whole.headers != split.headers
        || whole.res.status != split.res.status
        || whole.res.received != split.res.received
        || whole.res.keepalive != split.res.keepalive
        || whole.res.error != split.res.error
        || whole.crc != split.crc
        || whole.left != split.left)
    {
        abort();
    }

    if (whole.res.received > LIMIT
        || whole.headers > 1
        || (whole.rc == NGX_DONE && whole.headers == 0)
        || (whole.rc == NGX_ERROR && whole.res.error == NULL))
    {
        abort();
    }

    fuzz_find(&whole, "Content-Length");
    fuzz_find(&whole, "X_UpstreamHost");

    return 0;
}


static void
fuzz_read(fuzz_answer_t *a, const u_char *sizes, const u_char *data,
    size_t size)
{
    u_char     *p, *last, *buf;
    size_t      n, step;
    ngx_str_t   piece;

    ngx_rtmp_route_response_init(&a->res, a->lines,
                                 a->lines + sizeof(a->lines), LIMIT,
                                 size && data[0] == 'h');

    a->crc = 0;
    a->headers = 0;
    a->left = 0;
    a->rc = NGX_AGAIN;

    for (n = 0, step = 0; n < size && a->rc == NGX_AGAIN; n += step) {

        step = sizes ? (size_t) sizes[n % SIZES] + 1 : size;
        step = ngx_min(step, size - n);

        /* behind it nothing may be read */

        buf = malloc(step);
        memcpy(buf, data + n, step);

        p = buf;
        last = buf + step;

        for ( ;; ) {
            a->rc = ngx_rtmp_route_response_read(&a->res, &p, last, &piece);

            if (a->rc != NGX_OK) {
                break;
            }

            if (piece.len == 0) {
                a->headers++;
            }

            if (piece.data < buf || piece.data + piece.len > last) {
                abort();
            }

            ngx_crc32_update(&a->crc, piece.data, piece.len);
        }

        if (a->rc == NGX_AGAIN && p != last) {
            abort();
        }

        a->left = size - n - (p - buf);

        free(buf);
    }

    if (a->rc == NGX_AGAIN) {
        a->rc = ngx_rtmp_route_response_closed(&a->res);
    }

    if (a->rc != NGX_DONE) {

        /* how much of a broken answer was read is not told */

        a->left = 0;

        if (a->res.error != NULL) {
            a->res.received = 0;
            a->crc = 0;
        }
    }
}


static void
fuzz_find(fuzz_answer_t *a, char *text)
{
    ngx_str_t  name, value;

    name = unit_str(text);

    if (ngx_rtmp_route_response_find(&a->res, &name, &value) != NGX_OK) {
        return;
    }

    if (value.data < a->lines
        || value.data + value.len > a->lines + sizeof(a->lines)
        || ngx_strlchr(value.data, value.data + value.len, LF))
    {
        abort();
    }
}
