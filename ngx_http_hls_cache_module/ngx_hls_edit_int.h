
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Between ngx_hls_edit.c, which decides what a playlist becomes,
 * ngx_hls_trim.c, which tells what is not of it,
 * ngx_hls_compare.c, which tells whether it goes on, and ngx_hls_compose.c,
 * which writes it.
 */


#ifndef _NGX_HLS_EDIT_INT_H_INCLUDED_
#define _NGX_HLS_EDIT_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_playlist.h"
#include "ngx_hls_edit.h"
#include "ngx_hls_list.h"


/* what a list is to the one before */

#define NGX_HLS_EDIT_FRESH    0    /* there is none */
#define NGX_HLS_EDIT_GOES_ON  1
#define NGX_HLS_EDIT_RESTART  2
#define NGX_HLS_EDIT_REPLACE  3    /* neither of them grows */
#define NGX_HLS_EDIT_NOTHING  4    /* empty, or an older copy */


typedef struct {
    ngx_hls_edit_t      *edit;
    ngx_hls_state_t     *state;       /* as it was */
    ngx_hls_state_t      now;         /* and as it will be */
    ngx_hls_list_t       old;         /* what was served */
    ngx_hls_list_t       list;        /* what has come */

    int64_t              base;        /* served numbers of the first segments */
    int64_t              old_base;
    int64_t              run;         /* of what is listed of this run */
    int64_t              lo;          /* numbers that are in both lists, up */
    int64_t              hi;          /* to this one */

    ngx_uint_t           kept;        /* first segment of the old run that is */
    ngx_uint_t           nkept;       /* listed, and how many */

    /* as they are to be written */

    uint64_t             sequence;
    uint64_t             dsequence;
    ngx_uint_t           target;      /* s, 0: the origin's */
    ngx_uint_t           version;     /* 0: the origin's */
    unsigned             mapped:1;    /* URIs may change */
    unsigned             insert:1;    /* DISCONTINUITY at the joint */
    unsigned             append:1;    /* ENDLIST */
    unsigned             untyped:1;   /* without PLAYLIST-TYPE */
    unsigned             master:1;
    unsigned             partial:1;   /* old is read as far as it differs */
} ngx_hls_edit_ctx_t;


/* ngx_hls_compare.c */

/* what was served, if it belongs to the state */
ngx_int_t ngx_hls_compare_read(ngx_hls_edit_ctx_t *ctx);

/* NGX_HLS_EDIT_FRESH ... */
ngx_uint_t ngx_hls_compare(ngx_hls_edit_ctx_t *ctx);

/* whether two entries, of the old list and of the new one, are the same */
ngx_uint_t ngx_hls_compare_same(ngx_hls_edit_ctx_t *ctx,
    ngx_hls_entry_t *old, ngx_hls_entry_t *entry);

/* whether segments differ that are in both lists; sets ctx->lo and ctx->hi */
ngx_uint_t ngx_hls_compare_overlap(ngx_hls_edit_ctx_t *ctx,
    ngx_uint_t *durations);

/*
 * Whether a segment that is not in the range of both lists is in the old one
 * under another number, with the same generation.
 */
ngx_uint_t ngx_hls_compare_returns(ngx_hls_edit_ctx_t *ctx);

/* of the name alone, which is the same however the URI is written */
uint32_t ngx_hls_compare_hash(u_char *p, size_t len);

/*
 * A URI as viewers see it, but for the generation.  NGX_OK: a path of ours;
 * NGX_DECLINED: it stays as it is; NGX_ERROR.
 */
ngx_int_t ngx_hls_compare_map(ngx_hls_edit_t *edit, ngx_str_t *uri,
    ngx_uint_t session, ngx_str_t *mapped);


/* ngx_hls_trim.c */

/* cuts off of the list what is older than its run; as ngx_hls_list_read() */
ngx_int_t ngx_hls_trim(ngx_hls_edit_ctx_t *ctx);


/* ngx_hls_compose.c */

/* fills edit->body; NGX_DECLINED: it would be too large */
ngx_int_t ngx_hls_compose(ngx_hls_edit_ctx_t *ctx);

/* a copy of body with ENDLIST at its end */
ngx_int_t ngx_hls_compose_endlist(ngx_pool_t *pool, ngx_str_t *body);

#endif /* _NGX_HLS_EDIT_INT_H_INCLUDED_ */
