
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_probe_proto.h"


u_char *
ngx_rtmp_route_probe_c0c1(u_char *buf)
{
    u_char      *p;
    uint32_t     x;
    ngx_uint_t   i;

    p = buf;
    *p++ = 3;

    /* time, and zeros instead of a version: no digest is wanted */

    ngx_memzero(p, 8);
    p += 8;

    /* any bytes will do, but they should not look like something else */

    x = 0x9e3779b9;

    for (i = 8; i < NGX_RTMP_ROUTE_PROBE_C0C1 - 1; i++) {
        x = x * 1664525 + 1013904223;
        *p++ = (u_char) (x >> 24);
    }

    return p;
}


ngx_int_t
ngx_rtmp_route_probe_rtmp_read(ngx_rtmp_route_probe_answer_t *answer,
    u_char *pos, u_char *last)
{
    if (pos == last) {
        return NGX_AGAIN;
    }

    if (answer->got == 0 && *pos != 3) {
        answer->error = "answer is not RTMP";
        return NGX_ERROR;
    }

    answer->got += last - pos;

    if (answer->got >= NGX_RTMP_ROUTE_PROBE_S0S1S2) {
        return NGX_DONE;
    }

    return (answer->got >= NGX_RTMP_ROUTE_PROBE_S0S1) ? NGX_OK : NGX_AGAIN;
}


/* "HTTP/1.1 200", then a space or the end of the line */

ngx_int_t
ngx_rtmp_route_probe_http_read(ngx_rtmp_route_probe_answer_t *answer,
    u_char *pos, u_char *last)
{
    u_char      *p;
    ngx_uint_t   ok;

    static u_char  form[] = "HTTP/1.d ddd.";

    for (p = pos; p < last && answer->got < sizeof(form) - 1; p++) {

        switch (form[answer->got]) {

        case 'd':
            ok = (*p >= '0' && *p <= '9');

            if (ok && answer->got > sizeof("HTTP/1.") - 1) {
                answer->status = answer->status * 10 + (*p - '0');
            }

            break;

        case '.':

            /* the first one stands for itself */

            ok = (answer->got < sizeof(form) - 2) ? (*p == '.')
                                : (*p == ' ' || *p == CR || *p == LF);
            break;

        default:
            ok = (*p == form[answer->got]);
            break;
        }

        if (!ok) {
            answer->error = "answer is not HTTP";
            return NGX_ERROR;
        }

        answer->got++;
    }

    answer->got += last - p;

    if (answer->got < sizeof(form) - 1) {
        return NGX_AGAIN;
    }

    return (answer->got > NGX_RTMP_ROUTE_PROBE_BODY) ? NGX_DONE : NGX_OK;
}
