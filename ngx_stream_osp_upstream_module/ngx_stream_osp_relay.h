
/*
 * Copyright (C) The nginx-osp authors
 */


/* What the files of the relay have of each other. */


#ifndef _NGX_STREAM_OSP_RELAY_H_INCLUDED_
#define _NGX_STREAM_OSP_RELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* ngx_stream_osp_relay.c */

/*
 * Passes on what there is in that direction.  The session may be gone then,
 * as after any function here that returns NGX_DONE.
 */
void ngx_stream_osp_relay(ngx_stream_osp_session_t *os, ngx_uint_t dir);

/* who sends in that direction; there is no origin while the session moves */
ngx_connection_t *ngx_stream_osp_relay_side(ngx_stream_osp_session_t *os,
    ngx_uint_t dir);

/* the sender of that direction has ended; err: 0, or what recv() has said */
void ngx_stream_osp_relay_eof(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_err_t err);

/* its receiver has; NGX_OK: also if another one is looked for; NGX_DONE */
ngx_int_t ngx_stream_osp_relay_dead(ngx_stream_osp_session_t *os,
    ngx_uint_t dir);


/* ngx_stream_osp_relay_io.c */

/* what the client has sent in the set-up, and waits; NGX_OK or NGX_DONE */
ngx_int_t ngx_stream_osp_relay_held(ngx_stream_osp_session_t *os);

/* NGX_OK; NGX_AGAIN: there is nothing to be read now; NGX_DONE */
ngx_int_t ngx_stream_osp_relay_recv(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, ngx_connection_t *src);

/* NGX_OK: the buffer is empty, and gone; NGX_AGAIN: still blocked; NGX_DONE */
ngx_int_t ngx_stream_osp_relay_drain(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, ngx_connection_t *dst);


#endif /* _NGX_STREAM_OSP_RELAY_H_INCLUDED_ */
