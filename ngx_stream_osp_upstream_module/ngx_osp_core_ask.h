
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What has been asked of a core and what it has answered, for all workers of
 * one nginx: a question is asked once whoever waits for it, so many of them
 * at a time, and none while the core is known not to answer.  No names are
 * kept, only keyed digests of them.
 *
 * All lies in the zone "osp_core:ROUTE", whose mutex is held for one short
 * step.  Each record is good or free by its state alone, which is written
 * last: a process that dies in the middle leaves nothing to be undone.
 */


#ifndef _NGX_OSP_CORE_ASK_H_INCLUDED_
#define _NGX_OSP_CORE_ASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core.h"


/* kinds of questions */

#define NGX_OSP_CORE_CHECK       0    /* a channel that nobody knows */
#define NGX_OSP_CORE_RECHECK     1    /* one whose answer is over */
#define NGX_OSP_CORE_AUTH        2    /* somebody who wants a key */
#define NGX_OSP_CORE_KINDS       3

/* answers */

#define NGX_OSP_CORE_YES         1
#define NGX_OSP_CORE_NO          2
#define NGX_OSP_CORE_FAILED      3    /* nobody can tell */
#define NGX_OSP_CORE_DOWN        4    /* ... whatever is asked */

/* how long answers are good, ms */

#define NGX_OSP_CORE_YES_TIME    30000
#define NGX_OSP_CORE_NO_TIME     2000
#define NGX_OSP_CORE_FAILED_TIME  1000

/* limit of a question, ms; then somebody else may ask the same */

#define NGX_OSP_CORE_ASK_TIME    3000
#define NGX_OSP_CORE_ASK_GRACE   2000

/* questions at a time: of all workers, of one, and for one address */

#define NGX_OSP_CORE_QUESTIONS   64
#define NGX_OSP_CORE_OWN         48
#define NGX_OSP_CORE_ADDRESS     12

/* so many failures in a row, and one question at a time tries again */

#define NGX_OSP_CORE_FAILURES    3

/* names that nobody knows: so many a second, and at once */

#define NGX_OSP_CORE_RATE        50
#define NGX_OSP_CORE_BURST       100

/*
 * How many in each process may wait until there is room for their question,
 * and of these, with one address, of as many as there are kinds of it
 */

#define NGX_OSP_CORE_LATE        256
#define NGX_OSP_CORE_LATE_OF     64
#define NGX_OSP_CORE_LATE_KINDS  64

/* all parts of a question together */

#define NGX_OSP_CORE_PARTS_LEN   2048


typedef struct {
    uint64_t                    half[2];
} ngx_osp_core_digest_t;


typedef struct ngx_osp_core_asks_sh_s  ngx_osp_core_asks_sh_t;


struct ngx_osp_core_asks_s {
    ngx_osp_core_asks_sh_t     *sh;
    ngx_slab_pool_t            *shpool;

    /* of this process, for ngx_osp_core_query.c */

    ngx_event_t                 event;
    ngx_connection_t            dumb;
    ngx_uint_t                  late;     /* who wait for their turn */
    u_char                      late_of[NGX_OSP_CORE_LATE_KINDS];
    time_t                      logged;
};


/* a question that this process asks; filled by ngx_osp_core_ask_begin() */

typedef struct {
    ngx_osp_core_digest_t       digest;
    ngx_uint_t                  kind;
    uint32_t                    index;
    uint32_t                    number;
    unsigned                    probe:1;  /* nobody is to wait for it */
} ngx_osp_core_ask_t;


typedef struct {
    ngx_uint_t                  questions;  /* in flight */
    ngx_uint_t                  yes;
    ngx_uint_t                  no;
    ngx_uint_t                  failed;
    ngx_uint_t                  size;       /* room for answers */
} ngx_osp_core_ask_stat_t;


/*
 * In the master: lays out a new zone or takes the one that is there.
 * NGX_ERROR: too small; NGX_DECLINED: it is none of this version.
 */
ngx_int_t ngx_osp_core_asks_init(ngx_osp_core_asks_t *asks,
    ngx_slab_pool_t *shpool);

/* NGX_DECLINED: the parts are too long; NGX_ERROR */
ngx_int_t ngx_osp_core_ask_digest(ngx_osp_core_asks_t *asks,
    ngx_uint_t kind, ngx_str_t *parts, ngx_uint_t n,
    ngx_osp_core_digest_t *digest);

/*
 * who stands for an address that is not to have all the room, 0: nobody.
 * NGX_OK, NGX_DECLINED: yes and no, as answered before; NGX_BUSY: it failed a
 * moment ago, or the core is down; NGX_AGAIN: somebody is asking it;
 * NGX_ABORT: too much is being asked; NGX_DONE: the caller is to ask, and to
 * call ngx_osp_core_ask_end().
 */
ngx_int_t ngx_osp_core_ask_begin(ngx_osp_core_asks_t *asks,
    ngx_uint_t kind, uint32_t who, ngx_osp_core_digest_t *digest,
    ngx_osp_core_ask_t *ask);

/*
 * With NGX_OSP_CORE_YES, ... NO, ... FAILED, ... DOWN, which is kept for ttl
 * ms; 0: it is not kept.  NGX_DONE: the core is down or up again by that;
 * otherwise NGX_OK.
 */
ngx_int_t ngx_osp_core_ask_end(ngx_osp_core_asks_t *asks,
    ngx_osp_core_ask_t *ask, ngx_uint_t answer, ngx_msec_t ttl);

/*
 * Forgets questions whose process has died.  NGX_OK: there were some;
 * NGX_AGAIN: there are questions in flight; NGX_DECLINED: there are none.
 */
ngx_int_t ngx_osp_core_ask_sweep(ngx_osp_core_asks_t *asks);

/* what poll and questions have in common */
ngx_osp_core_shared_t *ngx_osp_core_asks_shared(ngx_osp_core_asks_t *asks);

void ngx_osp_core_ask_stat(ngx_osp_core_asks_t *asks,
    ngx_osp_core_ask_stat_t *stat);


/*
 * ngx_osp_core_query.c: as ngx_osp_core_ask_begin(), but NGX_ABORT: that has
 * become NGX_AGAIN, for so many, and who gets NGX_AGAIN will be woken
 */
ngx_int_t ngx_osp_core_query_begin(ngx_osp_core_t *core, ngx_uint_t kind,
    uint32_t who, ngx_osp_core_digest_t *digest, ngx_osp_core_ask_t *ask);

/* wakes those who wait; reason is logged if the answer is a failure */
void ngx_osp_core_query_end(ngx_osp_core_t *core, ngx_osp_core_ask_t *ask,
    ngx_uint_t answer, ngx_msec_t ttl, ngx_str_t *reason);

/*
 * A request that is asked with: limits, no log.  NULL: the question has ended,
 * as failed.
 */
ngx_rtmp_route_request_t *ngx_osp_core_query_request(ngx_osp_core_t *core,
    ngx_osp_core_ask_t *ask);

/* the answer that a request which tells nothing stands for, and why */
ngx_uint_t ngx_osp_core_query_failure(ngx_rtmp_route_request_t *request,
    ngx_str_t *reason);


/* ngx_osp_core_check.c and ngx_osp_core_auth.c: what a route's control does */
ngx_int_t ngx_osp_core_resolve(ngx_rtmp_route_control_t *control,
    ngx_str_t *key, ngx_uint_t known);
ngx_int_t ngx_osp_core_authorize(ngx_rtmp_route_control_t *control,
    ngx_rtmp_route_viewer_t *viewer);


#endif /* _NGX_OSP_CORE_ASK_H_INCLUDED_ */
