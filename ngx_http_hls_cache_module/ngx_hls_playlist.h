
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Playlists (RFC 8216bis) as bytes: reading one, and making the one that
 * viewers get.  Pure: no request, no time, no lock; memory is the caller's.
 */


#ifndef _NGX_HLS_PLAYLIST_H_INCLUDED_
#define _NGX_HLS_PLAYLIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* what a URI in a playlist is */

#define NGX_HLS_URI_SEGMENT       1
#define NGX_HLS_URI_VARIANT       2    /* a media playlist: STREAM-INF, MEDIA, */
                                       /* I-FRAME-STREAM-INF */
#define NGX_HLS_URI_MAP           3
#define NGX_HLS_URI_KEY           4    /* KEY, SESSION-KEY */
#define NGX_HLS_URI_PART          5
#define NGX_HLS_URI_HINT          6    /* PRELOAD-HINT */
#define NGX_HLS_URI_REPORT        7    /* RENDITION-REPORT */
#define NGX_HLS_URI_OTHER         8    /* SESSION-DATA, STEERING, DATERANGE */


typedef struct {
    ngx_uint_t           master;       /* 1: a master playlist */
    ngx_uint_t           endlist;
    ngx_uint_t           event;        /* PLAYLIST-TYPE: EVENT */
    ngx_uint_t           vod;
    ngx_uint_t           block_reload; /* SERVER-CONTROL CAN-BLOCK-RELOAD */
    ngx_uint_t           skip;         /* SERVER-CONTROL CAN-SKIP-UNTIL */
    ngx_uint_t           skipped;      /* EXT-X-SKIP: so many are not listed */
    ngx_msec_t           target;       /* EXT-X-TARGETDURATION, ms */
    ngx_msec_t           part_target;
    ngx_msec_t           last;         /* last EXTINF, ms */
    ngx_msec_t           window;       /* sum of all EXTINF, ms */
    uint64_t             sequence;     /* of the first segment */
    uint64_t             discontinuity;
    ngx_uint_t           segments;
    ngx_uint_t           parts;        /* after the last segment */
    ngx_uint_t           uris;
} ngx_hls_playlist_t;


typedef struct {
    ngx_uint_t           type;         /* NGX_HLS_URI_* */
    ngx_str_t            uri;          /* points into the playlist */
    uint64_t             sequence;     /* of its segment */
    ngx_msec_t           duration;     /* EXTINF, PART DURATION */
    ngx_uint_t           gap;
} ngx_hls_uri_t;


/* called for each URI in order; what is not NGX_OK ends the parsing */
typedef ngx_int_t (*ngx_hls_uri_pt)(void *data, ngx_hls_uri_t *uri);

/*
 * NGX_OK; NGX_DECLINED: not a playlist (no EXTM3U first, NUL bytes, a line
 * that is too long, numbers that overflow).  handler may be NULL.
 */
ngx_int_t ngx_hls_playlist_parse(u_char *p, u_char *end,
    ngx_hls_playlist_t *playlist, ngx_hls_uri_pt handler, void *data);

#endif /* _NGX_HLS_PLAYLIST_H_INCLUDED_ */
