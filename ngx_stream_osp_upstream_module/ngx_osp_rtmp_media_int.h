
/*
 * Copyright (C) The nginx-osp authors
 */


/* What ngx_osp_rtmp_media.c knows of a stream. */


#ifndef _NGX_OSP_RTMP_MEDIA_INT_H_INCLUDED_
#define _NGX_OSP_RTMP_MEDIA_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_rtmp_media.h"
#include "ngx_osp_rtmp_media_store.h"


/*
 * A message of which more is to be seen: to know what it is, or, if collect
 * is set, to keep it.
 */

typedef struct {
    ngx_osp_rtmp_item_t         first;
    ngx_osp_rtmp_frame_t        frame;
    size_t                      len;       /* seen so far */
    uint64_t                    chunks;    /* bytes at which one begins */
    u_char                     *data;
    size_t                      size;
    unsigned                    used:1;
    unsigned                    collect:1;
    u_char                      peek[NGX_OSP_RTMP_MEDIA_PEEK];
} ngx_osp_rtmp_part_t;


typedef struct {
    uint32_t                    key;       /* time of composition */
    uint32_t                    last;      /* its latest frame */
    u_char                      number;
    unsigned                    pass:1;
    unsigned                    leading:1;
} ngx_osp_rtmp_vtrack_t;


typedef enum {
    ngx_osp_rtmp_media_watching = 0,
    ngx_osp_rtmp_media_wait,
    ngx_osp_rtmp_media_going
} ngx_osp_rtmp_media_state_e;


struct ngx_osp_rtmp_media_s {
    ngx_pool_t                 *pool;
    ngx_osp_rtmp_media_state_e  state;
    ngx_uint_t                  frames;

    ngx_osp_rtmp_store_t        store;
    size_t                      chunk_size;     /* 0: not known */

    ngx_uint_t                  nparts;
    ngx_osp_rtmp_part_t        *parts[NGX_OSP_RTMP_MAX_OPEN];

    uint32_t                    audio_last;     /* for the receiver */
    uint32_t                    video_last;
    uint32_t                    offset;
    uint32_t                    time;           /* at which it is to begin */
    uint32_t                    begin;          /* at which it has begun */
    uint32_t                    silent;         /* no video since then */

    ngx_uint_t                  ntracks;
    ngx_osp_rtmp_vtrack_t       tracks[NGX_OSP_RTMP_MEDIA_TRACKS];

    unsigned                    video:1;        /* there is some */
    unsigned                    audio_sent:1;
    unsigned                    video_sent:1;
    unsigned                    fresh:1;        /* no frame since the move */
    unsigned                    no_video:1;     /* silent is set */
    unsigned                    timed:1;        /* time is set */
    unsigned                    late:1;         /* audio may be older */
};


#endif /* _NGX_OSP_RTMP_MEDIA_INT_H_INCLUDED_ */
