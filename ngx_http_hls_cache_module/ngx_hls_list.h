
/*
 * Copyright (C) The nginx-osp authors
 */


/* A media playlist taken apart into its segments; for ngx_hls_edit.c only. */


#ifndef _NGX_HLS_LIST_H_INCLUDED_
#define _NGX_HLS_LIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_playlist.h"


#define NGX_HLS_LIST_KEYS  6     /* KEYFORMATs that hold at one time */


/* what holds for a segment, though it may be said long before: whole lines */

typedef struct {
    ngx_str_t            map;
    ngx_str_t            keys[NGX_HLS_LIST_KEYS];
    ngx_uint_t           nkeys;
} ngx_hls_cover_t;


typedef struct {
    uint64_t             offset;
    uint64_t             length;
} ngx_hls_range_t;


/* there are many: it is small, and ends where the next one starts */

typedef struct {
    u_char              *start;           /* of its first line */
    u_char              *uri;
    uint32_t             uri_len;
    uint32_t             same_len;        /* of the URI without generation */
    uint32_t             duration;        /* ms */
    uint32_t             generation;
    uint32_t             discontinuities; /* up to and with this one */
    uint32_t             cover;
    uint32_t             range;           /* 0: none, else counted from 1 */
    unsigned             gap:1;
    unsigned             foreign:1;       /* of another host, or no path */
    unsigned             lost:1;          /* not held any more */
} ngx_hls_entry_t;


typedef struct {
    ngx_pool_t          *pool;
    ngx_hls_playlist_t   playlist;
    ngx_array_t          entries;         /* of ngx_hls_entry_t */
    ngx_array_t          covers;          /* of ngx_hls_cover_t */
    ngx_array_t          ranges;          /* of ngx_hls_range_t */
    ngx_hls_cover_t      cover;           /* what holds from here on */
    ngx_uint_t           limit;           /* of entries, 0: none */
    u_char              *next;            /* start of the next entry */
    ngx_str_t            last;            /* URI of a segment or part */
    ngx_uint_t           discontinuities; /* up to the last segment */
    unsigned             covered:1;       /* cover has changed */
    unsigned             has_target:1;
    unsigned             has_sequence:1;
    unsigned             has_dsequence:1;
    unsigned             strange:1;       /* URIs that are no plain paths */
    unsigned             arguments:1;     /* URIs that have some */
    unsigned             implicit:1;      /* keys without IV */
    unsigned             crlf:1;
} ngx_hls_list_t;


/*
 * Reads the whole list, or no more than the first segments if there is a
 * limit.  NGX_OK, NGX_ERROR: no memory; NGX_DECLINED: not a playlist.
 */
ngx_int_t ngx_hls_list_read(ngx_hls_list_t *list, ngx_pool_t *pool,
    ngx_str_t *body, ngx_uint_t limit);

/* where an entry ends */
u_char *ngx_hls_list_end(ngx_hls_list_t *list, ngx_uint_t i);

/* of an entry; all zero: there is none */
ngx_hls_range_t *ngx_hls_list_range(ngx_hls_list_t *list,
    ngx_hls_entry_t *entry);

/* whether a KEY needs the number of its segment to decrypt */
ngx_uint_t ngx_hls_list_implicit(ngx_str_t *attributes);

/* KEYs of several formats hold at one time; the value of such a line */
void ngx_hls_list_key_format(ngx_str_t *attributes, ngx_str_t *format);

/* whether a line speaks of the whole playlist, and belongs to its head */
ngx_uint_t ngx_hls_list_is_head(ngx_uint_t tag);


#endif /* _NGX_HLS_LIST_H_INCLUDED_ */
