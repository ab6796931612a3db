
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Playlists (RFC 8216bis) as bytes: reading one.  Pure: no request, no time,
 * no lock, no memory.  Whatever is in a playlist is hostile: what cannot be
 * meant is NGX_DECLINED as a whole, so that nobody reads half of it.
 */


#ifndef _NGX_HLS_PLAYLIST_H_INCLUDED_
#define _NGX_HLS_PLAYLIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a playlist with more than that is none */

#define NGX_HLS_MAX_LINE          65536
#define NGX_HLS_MAX_LINES         500000

/* sequence numbers stay below, so that offsets can be added */

#define NGX_HLS_MAX_SEQUENCE      ((uint64_t) 1 << 60)

/* a duration, s */

#define NGX_HLS_MAX_DURATION      1000000


/* what a URI in a playlist is */

#define NGX_HLS_URI_SEGMENT       1
#define NGX_HLS_URI_VARIANT       2    /* a media playlist: STREAM-INF, */
                                       /* MEDIA, I-FRAME-STREAM-INF */
#define NGX_HLS_URI_MAP           3
#define NGX_HLS_URI_KEY           4    /* KEY, SESSION-KEY */
#define NGX_HLS_URI_PART          5
#define NGX_HLS_URI_HINT          6    /* PRELOAD-HINT */
#define NGX_HLS_URI_REPORT        7    /* RENDITION-REPORT */
#define NGX_HLS_URI_OTHER         8    /* SESSION-DATA, STEERING, DATERANGE */


/* what a line is; from NGX_HLS_TAG_SEGMENT on it belongs to a segment */

#define NGX_HLS_TAG_EMPTY         0
#define NGX_HLS_TAG_COMMENT       1    /* and tags that are not known */
#define NGX_HLS_TAG_M3U           2
#define NGX_HLS_TAG_VERSION       3
#define NGX_HLS_TAG_TARGET        4
#define NGX_HLS_TAG_SEQUENCE      5    /* MEDIA-SEQUENCE */
#define NGX_HLS_TAG_DSEQUENCE     6    /* DISCONTINUITY-SEQUENCE */
#define NGX_HLS_TAG_TYPE          7    /* PLAYLIST-TYPE */
#define NGX_HLS_TAG_ENDLIST       8
#define NGX_HLS_TAG_HEADER        9    /* others of the whole playlist */
#define NGX_HLS_TAG_DEFINE        10
#define NGX_HLS_TAG_PART_INF      11
#define NGX_HLS_TAG_CONTROL       12   /* SERVER-CONTROL */
#define NGX_HLS_TAG_SKIP          13
#define NGX_HLS_TAG_STREAM        14   /* STREAM-INF */
#define NGX_HLS_TAG_IFRAME        15   /* I-FRAME-STREAM-INF and alike */
#define NGX_HLS_TAG_MEDIA         16
#define NGX_HLS_TAG_SESSION_KEY   17
#define NGX_HLS_TAG_SESSION_DATA  18
#define NGX_HLS_TAG_STEERING      19   /* CONTENT-STEERING */
#define NGX_HLS_TAG_REPORT        20   /* RENDITION-REPORT */
#define NGX_HLS_TAG_HINT          21   /* PRELOAD-HINT */
#define NGX_HLS_TAG_SEGMENT       22   /* others of a segment */
#define NGX_HLS_TAG_INF           23   /* EXTINF */
#define NGX_HLS_TAG_BYTERANGE     24
#define NGX_HLS_TAG_DISCONTINUITY 25
#define NGX_HLS_TAG_KEY           26
#define NGX_HLS_TAG_MAP           27
#define NGX_HLS_TAG_DATERANGE     28
#define NGX_HLS_TAG_GAP           29
#define NGX_HLS_TAG_PART          30
#define NGX_HLS_TAG_URI           31   /* a segment or variant */


typedef struct {
    ngx_uint_t           master;       /* 1: a master playlist */
    ngx_uint_t           endlist;
    ngx_uint_t           event;        /* PLAYLIST-TYPE: EVENT */
    ngx_uint_t           vod;
    ngx_uint_t           block_reload; /* SERVER-CONTROL CAN-BLOCK-RELOAD */
    ngx_uint_t           skip;         /* SERVER-CONTROL CAN-SKIP-UNTIL */
    ngx_uint_t           skipped;      /* EXT-X-SKIP: so many are not listed */
    ngx_uint_t           define;       /* EXT-X-DEFINE: variables in URIs */
    ngx_uint_t           version;
    ngx_msec_t           target;       /* EXT-X-TARGETDURATION, ms */
    ngx_msec_t           part_target;
    ngx_msec_t           last;         /* last EXTINF, ms */
    ngx_msec_t           window;       /* sum of all EXTINF, ms */
    uint64_t             sequence;     /* of the first segment */
    uint64_t             discontinuity;
    ngx_uint_t           discontinuities;  /* tags in it */
    ngx_uint_t           segments;     /* that are listed */
    ngx_uint_t           parts;        /* after the last segment */
    ngx_uint_t           uris;
    ngx_uint_t           lines;
} ngx_hls_playlist_t;


typedef struct {
    ngx_uint_t           type;         /* NGX_HLS_URI_* */
    ngx_str_t            uri;          /* points into the playlist */
    uint64_t             sequence;     /* of its segment */
    ngx_msec_t           duration;     /* EXTINF, PART DURATION */
    ngx_uint_t           gap;
    uint64_t             offset;       /* BYTERANGE of a segment, resolved */
    uint64_t             length;       /* 0: all of it */
} ngx_hls_uri_t;


typedef struct {
    ngx_uint_t           tag;          /* NGX_HLS_TAG_* */
    u_char              *start;
    u_char              *last;         /* end of its text */
    u_char              *end;          /* where the next one starts */
    ngx_str_t            value;        /* behind the colon */
    ngx_hls_uri_t       *uri;          /* that it names, or NULL */
} ngx_hls_line_t;


/* called for each URI in order; what is not NGX_OK ends the parsing */
typedef ngx_int_t (*ngx_hls_uri_pt)(void *data, ngx_hls_uri_t *uri);

/* the same for each line; playlist is what has been read, with this line */
typedef ngx_int_t (*ngx_hls_line_pt)(void *data, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line);


/*
 * NGX_OK; NGX_DECLINED: not a playlist (no EXTM3U first, NUL bytes, a line
 * that is too long or one too many, numbers that are negative or overflow,
 * media and master tags in one); or what the handler has ended it with.
 * handler may be NULL.
 */
ngx_int_t ngx_hls_playlist_parse(u_char *p, u_char *end,
    ngx_hls_playlist_t *playlist, ngx_hls_uri_pt handler, void *data);

/* the same, line by line */
ngx_int_t ngx_hls_playlist_walk(u_char *p, u_char *end,
    ngx_hls_playlist_t *playlist, ngx_hls_line_pt handler, void *data);

/* splits off one line and tells its tag; checks nothing, line->uri is NULL */
void ngx_hls_playlist_line(u_char *p, u_char *end, ngx_hls_line_t *line);

/*
 * An attribute in the value of a line; quotes are taken off, and value points
 * into list.  NGX_OK; NGX_DECLINED: it has none; NGX_ERROR: not a list of
 * attributes up to there.
 */
ngx_int_t ngx_hls_playlist_attribute(ngx_str_t *list, char *name, size_t len,
    ngx_str_t *value);

/*
 * Numbers of a whole text.  NGX_OK; NGX_ERROR: not a number, negative, or more
 * than max; of a duration in seconds, the result is in ms.
 */
ngx_int_t ngx_hls_playlist_number(ngx_str_t *text, uint64_t max,
    uint64_t *number);
ngx_int_t ngx_hls_playlist_duration(ngx_str_t *text, ngx_msec_t *ms);


#endif /* _NGX_HLS_PLAYLIST_H_INCLUDED_ */
