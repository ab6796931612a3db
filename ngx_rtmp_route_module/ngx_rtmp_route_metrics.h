
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is counted and noted for operators.  Counters are in shared memory and
 * are added to by atomic operations, without a lock, where something happens.
 */


#ifndef _NGX_RTMP_ROUTE_METRICS_H_INCLUDED_
#define _NGX_RTMP_ROUTE_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"


/* reasons for which sessions end; the first one is that a worker has died */

#define NGX_RTMP_ROUTE_MAX_REASONS       40

/* how long they took to set up; the last bucket has no limit */

#define NGX_RTMP_ROUTE_SETUP_BUCKETS     12

/* why registrations are refused */

#define NGX_RTMP_ROUTE_REFUSED_INVALID   0
#define NGX_RTMP_ROUTE_REFUSED_TOKEN     1
#define NGX_RTMP_ROUTE_REFUSED_DENIED    2
#define NGX_RTMP_ROUTE_REFUSED_LARGE     3
#define NGX_RTMP_ROUTE_REFUSED_FULL      4
#define NGX_RTMP_ROUTE_REFUSED_OTHER     5
#define NGX_RTMP_ROUTE_REFUSED_N         6

/* states of servers, sessions, and what may be done in them */

#define NGX_RTMP_ROUTE_STATES            10
#define NGX_RTMP_ROUTE_SESSION_TYPES     2
#define NGX_RTMP_ROUTE_SESSION_STATES    4

/* changes of servers that are remembered, and how much of an id */

#define NGX_RTMP_ROUTE_HISTORY         24
#define NGX_RTMP_ROUTE_HISTORY_LEN          62

/* state of a change: there is no server */

#define NGX_RTMP_ROUTE_HISTORY_NONE         255


typedef struct {
    ngx_atomic_t            ended[NGX_RTMP_ROUTE_MAX_REASONS];
    ngx_atomic_t            setup[NGX_RTMP_ROUTE_SETUP_BUCKETS];
    ngx_atomic_t            setup_time;              /* ms, of all */
    ngx_atomic_t            registered;
    ngx_atomic_t            refused[NGX_RTMP_ROUTE_REFUSED_N];
} ngx_rtmp_route_counters_t;


/* a server has come, changed its state, or gone */

typedef struct {
    uint64_t                time;                    /* ms since the epoch */
    u_char                  was;                     /* NGX_RTMP_ROUTE_UP ... */
    u_char                  state;                   /* or .._NOTE_NONE */
    u_char                  len;
    u_char                  id[NGX_RTMP_ROUTE_HISTORY_LEN + 1];
} ngx_rtmp_route_history_t;


/* what a walk has counted so far; zeroed by the caller */

typedef struct {
    uint32_t                cursor;
    ngx_uint_t              published;               /* streams */
    ngx_uint_t              servers[NGX_RTMP_ROUTE_STATES];
    ngx_uint_t              sessions[NGX_RTMP_ROUTE_SESSION_TYPES]
                                    [NGX_RTMP_ROUTE_SESSION_STATES];
} ngx_rtmp_route_summary_t;


/*
 * ngx_rtmp_route_metrics.c: a registration was answered so by HTTP; what is
 * for other modules, too, is in ngx_rtmp_route.h
 */
void ngx_rtmp_route_count_registration(ngx_rtmp_route_t *route,
    ngx_uint_t status);


/*
 * ngx_rtmp_route_table_metrics.c
 */

/*
 * Counts servers, then some more records with each hold of the lock.
 * NGX_AGAIN: call again; NGX_DONE.
 */
ngx_int_t ngx_rtmp_route_summary_step(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_summary_t *summary);

/* how many bytes sessions have passed, from clients and to them */
void ngx_rtmp_route_table_bytes(ngx_rtmp_route_table_t *table, uint64_t *in,
    uint64_t *out);

/* the latest changes, the newest first; returns how many */
ngx_uint_t ngx_rtmp_route_table_history(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_history_t *history);

/* the last check of a server has taken so many ms */
void ngx_rtmp_route_health_took(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_msec_t time);

/* without the lock; never NULL */
ngx_rtmp_route_counters_t *ngx_rtmp_route_table_counters(
    ngx_rtmp_route_table_t *table);

/* the limit of a bucket, ms; 0: there is none */
ngx_uint_t ngx_rtmp_route_setup_limit(ngx_uint_t bucket);


/*
 * ngx_rtmp_route_slot.c: what was counted without a route, kept over reloads,
 * or NULL
 */
ngx_rtmp_route_counters_t *ngx_rtmp_route_slots_counters(void);


#endif /* _NGX_RTMP_ROUTE_METRICS_H_INCLUDED_ */
