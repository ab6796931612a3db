
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * DASH manifests as bytes: the few times in one that say how long it and its
 * segments live.  No XML library: a bounded scan of tags and attributes.
 */


#ifndef _NGX_HLS_MPD_H_INCLUDED_
#define _NGX_HLS_MPD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HLS_MPD_MAX_TAGS      1000000
#define NGX_HLS_MPD_MAX_DEPTH     64
#define NGX_HLS_MPD_MAX_DURATION  ((uint64_t) 100 * 366 * 86400 * 1000)


/* times are in ms, 0: not there */

typedef struct {
    uint64_t             update;      /* minimumUpdatePeriod */
    uint64_t             depth;       /* timeShiftBufferDepth */
    uint64_t             duration;    /* mediaPresentationDuration */
    uint64_t             max_segment; /* maxSegmentDuration */
    uint64_t             segment;     /* longest SegmentTemplate@duration */
    uint64_t             window;      /* longest SegmentTimeline, sum */
    uint64_t             last;        /* longest last S@d of a timeline */
    uint64_t             end;         /* where that longest timeline ends */
    ngx_uint_t           timelines;
    ngx_uint_t           periods;
    ngx_uint_t           representations;
    unsigned             dynamic:1;   /* type="dynamic" */
    unsigned             has_update:1;   /* PT0S differs from absent */
    unsigned             has_start:1; /* availabilityStartTime */
    unsigned             open:1;      /* a timeline with a negative r */
} ngx_hls_mpd_t;


/*
 * NGX_OK; NGX_DECLINED: not a manifest (no MPD element first, tags or quotes
 * that do not end, a document type, NUL bytes, numbers that overflow).
 */
ngx_int_t ngx_hls_mpd_parse(u_char *p, u_char *end, ngx_hls_mpd_t *mpd);


#endif /* _NGX_HLS_MPD_H_INCLUDED_ */
