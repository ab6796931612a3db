
/*
 * Copyright (C) The nginx-osp authors
 */


/* What ngx_stream_osp_no_input.c and ngx_stream_osp_no_input_move.c share. */


#ifndef _NGX_STREAM_OSP_NO_INPUT_H_INCLUDED_
#define _NGX_STREAM_OSP_NO_INPUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_osp_rtmp_media.h"


/* commands of an origin that are looked at; none that matters is longer */

#define NGX_STREAM_OSP_NO_INPUT_REPLY  2048

#define NGX_STREAM_OSP_NO_INPUT_TYPES  (NGX_OSP_RTMP_COMMAND_TYPES            \
                                        | NGX_OSP_RTMP_TYPE(4))


struct ngx_stream_osp_no_input_s {
    ngx_pool_t                *pool;
    ngx_osp_rtmp_media_t      *media;
    ngx_osp_rtmp_reader_t     *reader;           /* of the origin */
    ngx_osp_rtmp_track_t      *track;            /* NULL: as it is */
    ngx_osp_rtmp_reader_t     *copy;
    ngx_osp_rtmp_asm_t         words;
    uint32_t                   msid;             /* the origin's, 0: ours */

    u_char                    *hold;             /* what may not pass yet */
    size_t                     held;

    ngx_stream_osp_filter_t   *up;               /* NULL: as it is */

    ngx_event_t                event;
    ngx_uint_t                 frames;
    ngx_uint_t                 tries;            /* since there was media */
    ngx_uint_t                 rounds;           /* all have none */
    ngx_msec_t                 last;             /* frame came */
    ngx_msec_t                 moved;            /* to this server */
    ngx_msec_t                 stop;             /* frame passed, and its */
    uint32_t                   stop_time;        /* timestamp */

    unsigned                   media_seen:1;     /* of this server */
    unsigned                   began:1;          /* of any */
    unsigned                   moves:1;          /* there was one */
    unsigned                   end:1;            /* the origin said so */
    unsigned                   eof:1;            /* not told yet */
    unsigned                   unpublish:1;
    unsigned                   told:1;
};


/* ngx_stream_osp_no_input.c */

/* what the origin says in whole chunks; NGX_OK, NGX_DONE: it has ended */
ngx_int_t ngx_stream_osp_no_input_items(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);

/* NGX_OK; NGX_DECLINED: invalid; NGX_ERROR: no memory */
ngx_int_t ngx_stream_osp_no_input_media(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_item_t *item);

/* ngx_stream_osp_no_input_move.c */

void ngx_stream_osp_no_input_handler(ngx_event_t *ev);
void ngx_stream_osp_no_input_timer(ngx_stream_osp_session_t *os,
    ngx_msec_t time);

/* another server has the stream: who comes next is sent there at once */
void ngx_stream_osp_no_input_found(ngx_stream_osp_session_t *os);

/* the client is told what was left out: nobody else has the stream */
ngx_int_t ngx_stream_osp_no_input_tell(ngx_stream_osp_session_t *os);


#endif /* _NGX_STREAM_OSP_NO_INPUT_H_INCLUDED_ */
