
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Answers of HTTP/1.x servers.  Pure: does no input or output and allocates
 * nothing.  Sections cited are those of RFC 9112.
 */


#ifndef _NGX_RTMP_ROUTE_RESPONSE_H_INCLUDED_
#define _NGX_RTMP_ROUTE_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* all header lines of an answer, those of 1xx included; and its trailers */

#define NGX_RTMP_ROUTE_RESPONSE_HEADER  16384


/*
 * The struct and its buffer belong to the caller, who reads what stands
 * above the line
 */

typedef struct {
    ngx_uint_t                       status;      /* 0: not known yet */
    off_t                            length;      /* -1: not told */
    off_t                            received;    /* of the body */
    const char                      *error;       /* after NGX_ERROR */
    unsigned                         header:1;    /* has been read */
    unsigned                         keepalive:1; /* the connection is kept */
    unsigned                         chunked:1;
    unsigned                         too_large:1; /* the error is the limit */

    /* of the parser */

    u_char                          *start;       /* collected lines */
    u_char                          *last;
    u_char                          *end;
    u_char                          *line;        /* that is not whole yet */
    size_t                           total;       /* of all lines */
    off_t                            limit;
    off_t                            rest;        /* of the chunk or body */
    ngx_uint_t                       state;
    unsigned                         head:1;
    unsigned                         connection_close:1;
    unsigned                         connection_keepalive:1;
    unsigned                         minor:4;
} ngx_rtmp_route_response_t;


/*
 * Lines are collected in [start, end), whose size is their limit; limit is
 * that of the body; head: the request was one without a body in the answer.
 */
void ngx_rtmp_route_response_init(ngx_rtmp_route_response_t *res,
    u_char *start, u_char *end, off_t limit, ngx_uint_t head);

/*
 * Reads from [*pos, last) and moves *pos behind what was read.
 *
 * NGX_OK: either the header is complete, and the piece is empty, or the piece
 * is a part of the body, in the buffer that was read; there may be more.
 * NGX_AGAIN: all has been read, more bytes are needed.  NGX_DONE: the answer
 * is complete, *pos stands behind it.  NGX_ERROR: res->error tells why.
 */
ngx_int_t ngx_rtmp_route_response_read(ngx_rtmp_route_response_t *res,
    u_char **pos, u_char *last, ngx_str_t *piece);

/*
 * The connection has been closed.  NGX_DONE: that is the end of the answer;
 * NGX_ERROR: it was cut.
 */
ngx_int_t ngx_rtmp_route_response_closed(ngx_rtmp_route_response_t *res);

/* 1 if no byte of an answer has come */
ngx_uint_t ngx_rtmp_route_response_none(ngx_rtmp_route_response_t *res);

/*
 * The value of the first header of this name, in any case of letters, once
 * the header has been read; it points into the caller's buffer.  NGX_OK or
 * NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_response_find(ngx_rtmp_route_response_t *res,
    ngx_str_t *name, ngx_str_t *value);


#endif /* _NGX_RTMP_ROUTE_RESPONSE_H_INCLUDED_ */
