
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What a health check says to a server, and how it understands the answer:
 * the RTMP handshake up to S2, and the status line of HTTP.  Pure: no input or
 * output, the buffers are the caller's.
 */


#ifndef _NGX_RTMP_ROUTE_PROBE_PROTO_H_INCLUDED_
#define _NGX_RTMP_ROUTE_PROBE_PROTO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_RTMP_ROUTE_PROBE_C0C1    1537
#define NGX_RTMP_ROUTE_PROBE_S0S1    1537
#define NGX_RTMP_ROUTE_PROBE_S0S1S2  3073

/* so much of an answer is read before a connection is closed with the rest */
#define NGX_RTMP_ROUTE_PROBE_BODY    65536


typedef struct {
    size_t                   got;         /* bytes eaten */
    ngx_uint_t               status;      /* of HTTP, 0: not known yet */
    const char              *error;
} ngx_rtmp_route_probe_answer_t;


/* writes C0 and C1, of NGX_RTMP_ROUTE_PROBE_C0C1 bytes; returns the end */
u_char *ngx_rtmp_route_probe_c0c1(u_char *buf);

/*
 * Eat the bytes [pos, last) of an answer, cut anywhere; answer is zeroed at
 * first.  NGX_AGAIN: more is needed to tell; NGX_OK: this is the protocol (with
 * HTTP answer->status is set), there may be more; NGX_DONE: the same, and more
 * is not wanted; NGX_ERROR: it is not, answer->error tells.
 */
ngx_int_t ngx_rtmp_route_probe_rtmp_read(
    ngx_rtmp_route_probe_answer_t *answer, u_char *pos, u_char *last);
ngx_int_t ngx_rtmp_route_probe_http_read(
    ngx_rtmp_route_probe_answer_t *answer, u_char *pos, u_char *last);


#endif /* _NGX_RTMP_ROUTE_PROBE_PROTO_H_INCLUDED_ */
