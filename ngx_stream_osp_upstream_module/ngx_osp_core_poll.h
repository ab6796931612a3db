
/*
 * Copyright (C) The nginx-osp authors
 */


/* The first worker asks the core now and again for all that it knows. */


#ifndef _NGX_OSP_CORE_POLL_H_INCLUDED_
#define _NGX_OSP_CORE_POLL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core.h"
#include "ngx_osp_core_list.h"


/* what is asked, in this order as far as nothing fails */

#define NGX_OSP_CORE_SITE      0
#define NGX_OSP_CORE_SERVERS   1
#define NGX_OSP_CORE_STREAMS   2
#define NGX_OSP_CORE_NANSWERS  3


typedef struct {
    ngx_uint_t                  failures;    /* in a row */
    ngx_uint_t                  skip;        /* polls before the next try */
    const char                 *reason;      /* of the failure, or NULL: */
    u_char                      text[128];   /* it is this */
} ngx_osp_core_poll_answer_t;


/* in the process that polls; the pool is of the answer that is read */

struct ngx_osp_core_poll_s {
    ngx_osp_core_t             *core;

    ngx_event_t                 timer;
    ngx_event_t                 step;
    ngx_connection_t            dumb;

    ngx_rtmp_route_request_t   *request;
    ngx_uint_t                  order[NGX_OSP_CORE_NANSWERS];
    ngx_uint_t                  norder;
    ngx_uint_t                  pos;         /* in order, of the next */
    ngx_uint_t                  what;        /* NGX_OSP_CORE_SITE ... */
    ngx_osp_core_poll_answer_t  answers[NGX_OSP_CORE_NANSWERS];
    ngx_uint_t                  failed;      /* a bit each, as was logged */
    ngx_msec_t                  begun;
    ngx_uint_t                  refreshes;   /* seen to */

    ngx_pool_t                 *pool;
    ngx_osp_core_list_t        *list;

    /* ngx_osp_core_apply.c */

    ngx_str_t                   site;
    ngx_uint_t                  https;
    ngx_list_t                  servers;     /* those of the list */
    ngx_uint_t                  nservers;
    ngx_list_t                  streams;
    ngx_uint_t                  nstreams;
    ngx_rbtree_t                names;       /* of servers of streams */
    ngx_rbtree_node_t           sentinel;

    ngx_list_part_t            *part;        /* where a step begins */
    ngx_uint_t                  elt;
    uint32_t                    number;      /* of the list */
    uint32_t                    cursor;
    ngx_uint_t                  taken;
    ngx_uint_t                  lost;        /* their server is not known */
    ngx_uint_t                  full;        /* there is no room */

    uint32_t                    skipped;     /* a hash of what was logged */
    unsigned                    running:1;
    unsigned                    ending:1;    /* streams are set, all of them */
    unsigned                    kept:1;      /* the list was empty: logged */
    unsigned                    lost_logged:1;
    unsigned                    full_logged:1;
};


/* ngx_osp_core_poll.c: that was all of the present answer */
void ngx_osp_core_poll_answered(ngx_osp_core_poll_t *poll,
    const char *reason);

/* ngx_osp_core_apply.c: before an answer is read; NGX_OK or NGX_ERROR */
ngx_int_t ngx_osp_core_apply_init(ngx_osp_core_poll_t *poll);

/* all of it was good */
void ngx_osp_core_apply(ngx_osp_core_poll_t *poll);

/* some more streams */
void ngx_osp_core_apply_step(ngx_osp_core_poll_t *poll);


#endif /* _NGX_OSP_CORE_POLL_H_INCLUDED_ */
