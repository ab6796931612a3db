
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What of a stream a newcomer must get first: the latest metadata, and of
 * each track the latest header and configuration.  Used by
 * ngx_osp_rtmp_media.c.
 */


#ifndef _NGX_OSP_RTMP_MEDIA_STORE_H_INCLUDED_
#define _NGX_OSP_RTMP_MEDIA_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_rtmp_media.h"


/* a message that is kept; its memory stays for the next one */

typedef struct {
    u_char                     *data;
    uint32_t                    size;
    uint32_t                    len;       /* 0: free */
    uint32_t                    seq;
    uint32_t                    csid;
    u_char                      type;
    u_char                      kind;
} ngx_osp_rtmp_entry_t;


typedef struct {
    ngx_pool_t                 *pool;
    size_t                      max;
    size_t                      size;      /* in use, of max */
    uint32_t                    seq;
    ngx_uint_t                  nentries;
    ngx_uint_t                  full;      /* something was not kept */
    ngx_osp_rtmp_entry_t        entries[NGX_OSP_RTMP_MEDIA_ENTRIES];
} ngx_osp_rtmp_store_t;


void ngx_osp_rtmp_store_init(ngx_osp_rtmp_store_t *store, ngx_pool_t *pool,
    size_t max);

/* forgets all, but not the memory */
void ngx_osp_rtmp_store_clear(ngx_osp_rtmp_store_t *store);

/*
 * Copies a whole message, which is what frame tells; the item gives its type
 * and chunk stream.  It takes the place of all that say nothing else.
 */
void ngx_osp_rtmp_store_keep(ngx_osp_rtmp_store_t *store,
    ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_item_t *item, u_char *p,
    size_t len);

/*
 * Memory of at least len bytes in place of *data, which has *size; counts as
 * what is kept.  What was there is lost.  NGX_OK, NGX_ERROR.
 */
ngx_int_t ngx_osp_rtmp_store_reserve(ngx_osp_rtmp_store_t *store,
    u_char **data, size_t *size, size_t len);

/* the room that is needed to write all of it, and writing it */
size_t ngx_osp_rtmp_store_room(ngx_osp_rtmp_store_t *store,
    ngx_osp_rtmp_out_t *out);
ngx_int_t ngx_osp_rtmp_store_write(ngx_osp_rtmp_store_t *store,
    uint32_t timestamp, uint32_t msid, ngx_osp_rtmp_out_t *out);


#endif /* _NGX_OSP_RTMP_MEDIA_STORE_H_INCLUDED_ */
