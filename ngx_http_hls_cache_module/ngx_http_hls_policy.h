
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * How long an object is good, what is answered when it is not, and what is
 * asked again.  Pure: numbers in, numbers out.  All times are in ms, moments
 * are ngx_current_msec.
 */


#ifndef _NGX_HTTP_HLS_POLICY_H_INCLUDED_
#define _NGX_HTTP_HLS_POLICY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_HLS_SESSION_LEN   32

#define NGX_HTTP_HLS_TARGET        2000      /* a playlist that names none */
#define NGX_HTTP_HLS_MASTER        5000
#define NGX_HTTP_HLS_TTL_MIN       200
#define NGX_HTTP_HLS_TTL_MAX       30000
#define NGX_HTTP_HLS_POLL_MIN      100
#define NGX_HTTP_HLS_TIER_MIN      25        /* at a proxy */
#define NGX_HTTP_HLS_TIER_LATE     10        /* later than it asks itself */
#define NGX_HTTP_HLS_AGE_MAX       86400000
#define NGX_HTTP_HLS_ENDED         3600000   /* with ENDLIST */
#define NGX_HTTP_HLS_ENDED_LIVE    10000     /* may begin again any time */
#define NGX_HTTP_HLS_KEPT          600000    /* not served, for continuity */
#define NGX_HTTP_HLS_LIFE          60000     /* of a segment nobody lists */
#define NGX_HTTP_HLS_LIFE_MIN      10000
#define NGX_HTTP_HLS_ERROR         1000
#define NGX_HTTP_HLS_FAILED        250
#define NGX_HTTP_HLS_UNCACHEABLE   60000
#define NGX_HTTP_HLS_TOO_LARGE     600000
#define NGX_HTTP_HLS_REDIRECT      1000
#define NGX_HTTP_HLS_TRIES         2         /* more, of what is listed, 404 */
#define NGX_HTTP_HLS_AHEAD         2         /* _HLS_msn after the next one */
#define NGX_HTTP_HLS_HANG_MIN      1000      /* a server, with a playlist */
#define NGX_HTTP_HLS_HANG_SEGMENT  3000      /* ... with what that lists */
#define NGX_HTTP_HLS_LOOK_PLACES   2         /* other servers that are asked */
#define NGX_HTTP_HLS_LOOK_TARGETS  6         /* between two searches */

/* ngx_http_hls_data_t.flags */

#define NGX_HTTP_HLS_LISTED        0x0001    /* by the newest playlist */
#define NGX_HTTP_HLS_FAILING       0x0002    /* the last fill has failed */
#define NGX_HTTP_HLS_LIST_END      0x0004    /* has ENDLIST */
#define NGX_HTTP_HLS_MEDIA         0x0008    /* a media playlist or MPD */
#define NGX_HTTP_HLS_BLOCK_RELOAD  0x0010    /* announced by SERVER-CONTROL */
#define NGX_HTTP_HLS_FIXED         0x0040    /* hls_cache_valid decides */
#define NGX_HTTP_HLS_NOTED         0x0080    /* u.note is set */
#define NGX_HTTP_HLS_SESSION       0x0100    /* u.list.session is set */
#define NGX_HTTP_HLS_VIEWER        0x0200    /* by a viewer: is not shown */
#define NGX_HTTP_HLS_ASK_NONE      0x0400    /* the next fill: without it */
#define NGX_HTTP_HLS_ASK_VIEWER    0x0800    /* with that of its viewer */
#define NGX_HTTP_HLS_AGED          0x1000    /* the origin is a proxy */

/* ngx_http_hls_data_t.look */

#define NGX_HTTP_HLS_LOOK_TURN     0x01      /* another server was asked */
#define NGX_HTTP_HLS_LOOK_PAUSE    0x02      /* since, nobody is to be asked */

/* what to do with what was found */

#define NGX_HTTP_HLS_ANSWER_BODY   1         /* send the body */
#define NGX_HTTP_HLS_ANSWER_WAIT   2         /* for the fill */
#define NGX_HTTP_HLS_ANSWER_ERROR  3         /* answer->status */
#define NGX_HTTP_HLS_ANSWER_PASS   4         /* the cache is no help */

/* what to do after a fill that brought nothing */

#define NGX_HTTP_HLS_FAILED_STALE  1         /* the old one is served */
#define NGX_HTTP_HLS_FAILED_RETRY  2         /* ask again after a delay */
#define NGX_HTTP_HLS_FAILED_ERROR  3         /* failed->status is the answer */


/*
 * What an entry keeps in ngx_http_hls_times_t.data.  Moments are the low 32
 * bits of ngx_current_msec.
 */

typedef struct {
    uint32_t       good;         /* the last good answer */
    uint32_t       usable;       /* the body may be served until then */
    uint32_t       started;      /* the last fill was started */
    uint32_t       target;       /* of the playlist, or of the segment's */
    uint16_t       took;         /* the last fill */
    uint16_t       error;        /* the answer once it is not usable */
    uint16_t       flags;
    uint8_t        tries;
    uint8_t        session_arg;  /* its name: in hls_cache_session_args, */
                                 /* the first is 1 */
    union {
        struct {
            uint64_t   last;     /* the newest segment, as viewers see it */
            u_char     session[NGX_HTTP_HLS_SESSION_LEN];
                                 /* value of the session argument, and 0 */
        } list;                  /* of a playlist */

        struct {
            uint64_t   owner[2]; /* hash of the key of the playlist */
            uint32_t   generation;
        } note;                  /* of what a playlist lists */
    } u;

    uint32_t       server;       /* hash of the name of that it is of, or 0 */
    uint32_t       seen;         /* of what another one had last, or 0 */
    uint32_t       since;        /* it had that first, or this is over */
    uint16_t       other;        /* hash of the name of that one */
    uint8_t        place;        /* in the order in which they are asked */
    uint8_t        look;         /* NGX_HTTP_HLS_LOOK_* */
} ngx_http_hls_data_t;


/* what a proxy says of its answer, in ms */

typedef struct {
    ngx_msec_t     changed;      /* since the content has changed */
    ngx_msec_t     fetched;      /* since it was the origin's */
    unsigned       has_changed:1;
    unsigned       has_fetched:1;
} ngx_http_hls_policy_age_t;


/* a playlist or manifest that came */

typedef struct {
    ngx_msec_t     now;          /* the fill has ended */
    ngx_msec_t     good;         /* with aged: it was the origin's */
    ngx_msec_t     changed;      /* what there is has begun to be seen */
    ngx_msec_t     target;       /* 0: not known */
    ngx_msec_t     period;       /* between changes: EXTINF, PART-TARGET */
    ngx_msec_t     update;       /* minimumUpdatePeriod, 0: not an MPD */
    ngx_msec_t     valid;        /* hls_cache_valid, 0: not set */
    ngx_msec_t     stale;        /* hls_cache_max_stale, 0: not set */
    unsigned       master:1;
    unsigned       endlist:1;
    unsigned       vod:1;
    unsigned       aged:1;       /* a proxy has had it before */
} ngx_http_hls_policy_list_t;


typedef struct {
    ngx_msec_t     next;         /* when to ask again */
    ngx_msec_t     usable;
    ngx_msec_t     kept;
    ngx_msec_t     target;       /* what stands for it */
    unsigned       predicted:1;  /* next is when it will have changed */
} ngx_http_hls_policy_ttl_t;


/* a fill that brought no body */

typedef struct {
    ngx_uint_t     status;       /* 0: none came, or the body was cut */
    ngx_msec_t     now;
    ngx_msec_t     target;
    ngx_msec_t     valid;        /* hls_cache_valid of errors, 0: not set */
    ngx_uint_t     tries;
    unsigned       usable:1;     /* there is an old body that may be served */
    unsigned       body:1;       /* there is an old body */
    unsigned       listed:1;
    unsigned       route:1;      /* there is a table to ask */
    unsigned       live:1;       /* it has the stream */
} ngx_http_hls_policy_fail_t;


typedef struct {
    ngx_uint_t     action;       /* NGX_HTTP_HLS_FAILED_* */
    ngx_uint_t     status;
    ngx_msec_t     ttl;          /* until the next fill may start */
} ngx_http_hls_policy_failed_t;


/* what was found: by NGX_HTTP_HLS_STORE_* */

typedef struct {
    ngx_uint_t     state;
    ngx_uint_t     status;       /* of an entry without a body */
    ngx_msec_t     now;
    ngx_msec_t     changed;
    unsigned       body:1;       /* an old or current body, all of it */
} ngx_http_hls_policy_found_t;


typedef struct {
    ngx_uint_t     action;       /* NGX_HTTP_HLS_ANSWER_* */
    ngx_uint_t     status;       /* of an error */
    ngx_msec_t     wait;         /* at most so long, (ngx_msec_t) -1: no end */
    unsigned       stale:1;      /* failed, or it has not advanced for long */
} ngx_http_hls_policy_answer_t;


/* the answer's own opinion: Cache-Control, Expires ... */

typedef struct {
    time_t         max_age;      /* -1: not said */
    time_t         expires;      /* from now, -1: not said */
    unsigned       private:1;
    unsigned       no_store:1;   /* no-store, no-cache, Pragma */
    unsigned       set_cookie:1;
    unsigned       vary:1;       /* on anything */
    unsigned       vary_all:1;   /* Vary: * */
    unsigned       encoded:1;    /* Content-Encoding */
} ngx_http_hls_policy_headers_t;


/*
 * "changed=1350, fetched=120"; what makes no sense is left out, values are
 * bounded by NGX_HTTP_HLS_AGE_MAX.
 */
void ngx_http_hls_policy_age(ngx_str_t *value, ngx_http_hls_policy_age_t *age);

/* the same in seconds, from a cache of another kind: "12" */
void ngx_http_hls_policy_seconds(ngx_str_t *value,
    ngx_http_hls_policy_age_t *age);

/* a ttl without what of it has passed already */
ngx_msec_t ngx_http_hls_policy_rest(ngx_msec_t ttl,
    ngx_http_hls_policy_age_t *age);

/* when to ask for a playlist again */
void ngx_http_hls_policy_list(ngx_http_hls_policy_list_t *in,
    ngx_http_hls_policy_ttl_t *ttl);

/* how long a segment is kept that such a playlist lists */
ngx_msec_t ngx_http_hls_policy_life(ngx_msec_t window, ngx_msec_t target,
    ngx_uint_t ended, ngx_msec_t valid);

void ngx_http_hls_policy_fail(ngx_http_hls_policy_fail_t *in,
    ngx_http_hls_policy_failed_t *failed);

/* before the n'th new attempt, in ms */
ngx_msec_t ngx_http_hls_policy_delay(ngx_uint_t tries);

void ngx_http_hls_policy_answer(ngx_http_hls_policy_found_t *in,
    ngx_http_hls_data_t *data, ngx_http_hls_policy_answer_t *answer);

/*
 * How long a server may keep those waiting who have a playlist, or know that
 * there is a segment, before it hangs
 */
ngx_msec_t ngx_http_hls_policy_hang(ngx_http_hls_data_t *data,
    ngx_uint_t segment);

/* whether to look for a playlist elsewhere that has not changed since */
ngx_uint_t ngx_http_hls_policy_look(ngx_http_hls_data_t *data, ngx_msec_t now,
    ngx_msec_t changed);

/*
 * What another server has: NGX_OK: it goes on there; NGX_AGAIN: it may yet;
 * NGX_DECLINED: it does not, and the next one is to be asked.  seen is a hash
 * of its newest segment, 0: it has no such playlist.
 */
ngx_int_t ngx_http_hls_policy_looked(ngx_http_hls_data_t *data, ngx_msec_t now,
    uint32_t server, uint32_t seen);

/* a header of the origin's answer; the name is in lower case */
void ngx_http_hls_policy_header(ngx_http_hls_policy_headers_t *headers,
    ngx_str_t *name, ngx_str_t *value, time_t now);

/*
 * NGX_OK: to be cached, for *valid ms if it is not 0; NGX_DECLINED: not.
 * media: a playlist, segment or key; honor: hls_cache_honor_headers.
 */
ngx_int_t ngx_http_hls_policy_cacheable(ngx_http_hls_policy_headers_t *headers,
    ngx_uint_t media, ngx_uint_t honor, ngx_msec_t *valid);

/*
 * Whether _HLS_msn (and _HLS_part, -1: none) of a playlist may be asked for:
 * it is announced, not there yet, and not far ahead.  msn and last are of the
 * same numbering.
 */
ngx_uint_t ngx_http_hls_policy_msn(ngx_http_hls_data_t *data, uint64_t msn,
    uint64_t last, ngx_msec_t since);


/* a moment that was kept as 32 bits */
#define ngx_http_hls_policy_moment(now, moment)                               \
    ((now) - (ngx_msec_t) (ngx_msec_int_t)                                    \
             (int32_t) ((uint32_t) (now) - (uint32_t) (moment)))


#endif /* _NGX_HTTP_HLS_POLICY_H_INCLUDED_ */
