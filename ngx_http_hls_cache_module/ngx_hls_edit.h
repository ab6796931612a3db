
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The playlist that viewers get, made of the origin's new one and of what was
 * served before.  Pure: no request, no time, no lock; memory is a pool's.
 *
 * Viewers see sequence numbers that never go back.  An origin that starts
 * again begins a new run: its numbers get another offset, the segments of the
 * old run that are still held are listed in front of a discontinuity, and the
 * URIs of the new run carry another generation, g=N, so that a name that is
 * used again is another URI.  Without any of that the origin's bytes pass.
 */


#ifndef _NGX_HLS_EDIT_H_INCLUDED_
#define _NGX_HLS_EDIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_playlist.h"


/* what becomes of session arguments in URIs */

#define NGX_HLS_SESSION_KEEP     0
#define NGX_HLS_SESSION_REMOVE   1
#define NGX_HLS_SESSION_REPLACE  2    /* their value, where there is one */

/* flags of a state */

#define NGX_HLS_STATE_SET        0x01 /* there was a playlist */
#define NGX_HLS_STATE_MASTER     0x02
#define NGX_HLS_STATE_ENDED      0x04 /* the origin's had ENDLIST */
#define NGX_HLS_STATE_JOINED     0x08 /* this run is not the first */
#define NGX_HLS_STATE_CUT        0x10 /* an EVENT playlist has lost some */
#define NGX_HLS_STATE_PARTS      0x20 /* uri is of a part */


/*
 * What is kept of a playlist beside the one that is served: plain data in
 * shared memory, all zero at first, at most 64 bytes.  It goes with the body
 * it was returned with.
 */

typedef struct {
    int64_t              offset;      /* served number - origin's number */
    int64_t              doffset;     /* the same of discontinuities */
    uint64_t             dlast;       /* served, of the last segment */
    uint64_t             hash;        /* of the origin's last body */
    uint64_t             next;        /* origin's number behind the last one */
    uint32_t             count;       /* so many segments were listed */
    uint32_t             run;         /* and are behind the joint */
    uint32_t             generation;
    uint32_t             uri;         /* hash of the last segment's or part's */
    uint32_t             window;      /* ms, at most, with old segments */
    uint16_t             target;      /* s, at least, behind a joint */
    uint16_t             flags;
} ngx_hls_state_t;


/* the caller sets what is above the line; zero means none or off */

typedef struct {
    ngx_pool_t          *pool;
    ngx_str_t            origin;      /* the body that has come */
    ngx_str_t            served;      /* the one served so far */

    ngx_array_t         *session_args;   /* of ngx_str_t */
    ngx_uint_t           session;     /* NGX_HLS_SESSION_*: in a media */
                                      /* playlist */
    ngx_uint_t           master_session; /* and in a master playlist */
    ngx_str_t            session_value;

    /* whether a URI that was served, as written there, is still held */
    ngx_uint_t         (*held)(void *data, ngx_str_t *uri);

    /*
     * Whether a host (lower case, no brackets) and port is one of the route's
     * own: absolute URIs of it become paths.
     */
    ngx_uint_t         (*own)(void *data, ngx_str_t *host, in_port_t port);

    void                *data;

    ngx_msec_t           recent;      /* with restart: what is older than */
                                      /* that is left out, 0: nothing is */

    unsigned             continuity:1;
    unsigned             moved:1;     /* it is of another server, which may */
                                      /* have the very same files */
    unsigned             restart:1;   /* and does not: a new run */
    unsigned             endlist:1;   /* have ENDLIST appended */

    /* ---- */

    ngx_str_t            body;        /* may be origin's or served's bytes */
    ngx_hls_playlist_t   playlist;    /* of body, in served numbers */
    uint64_t             fresh;       /* served number of the first segment */
                                      /* that was not listed before */
    unsigned             changed:1;   /* body differs from served */
    unsigned             advanced:1;  /* the origin has something new */
    unsigned             restarted:1; /* a new run begins */
} ngx_hls_edit_t;


/*
 * NGX_OK: body, the rest below the line and state are filled.  NGX_DECLINED:
 * origin is no playlist, NGX_AGAIN: it is a delta (EXT-X-SKIP), which is not
 * for all viewers: state is as before.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_hls_edit(ngx_hls_edit_t *edit, ngx_hls_state_t *state);

/*
 * The origin's number for a viewer's _HLS_msn; NGX_DECLINED: one of an older
 * run, or none that could come soon.
 */
ngx_int_t ngx_hls_edit_msn(ngx_hls_state_t *state, uint64_t msn,
    uint64_t *origin);

/* of a body: as in state->hash */
uint64_t ngx_hls_edit_hash(u_char *data, size_t len);


#endif /* _NGX_HLS_EDIT_H_INCLUDED_ */
