
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Worker slots and wake-ups.  The master makes one shared mapping with an
 * entry and an eventfd for each slot before its first fork and keeps both
 * over reloads, so that old and new workers can wake each other.  A worker
 * claims a slot when it starts; the slot's generation changes with each claim,
 * so that what a dead process has left in a zone is told from what its
 * successor puts there.
 */


#ifndef _NGX_RTMP_ROUTE_SLOT_H_INCLUDED_
#define _NGX_RTMP_ROUTE_SLOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_RTMP_ROUTE_NO_SLOT      ((ngx_uint_t) -1)
#define NGX_RTMP_ROUTE_SLOTS_LIMIT  1024

#define NGX_RTMP_ROUTE_PROCESS_DEAD  1

/* what a process counts in its slot */

#define NGX_RTMP_ROUTE_N_PUBLISHERS  0    /* sessions, whatever the route */
#define NGX_RTMP_ROUTE_N_PLAYERS     1
#define NGX_RTMP_ROUTE_N_QUEUED      2    /* clients that wait for a server */
#define NGX_RTMP_ROUTE_N             3


typedef struct {
    ngx_pid_t   pid;
    ngx_uint_t  cycle;                      /* the configuration it runs */
    ngx_uint_t  n[NGX_RTMP_ROUTE_N];
} ngx_rtmp_route_slot_stat_t;


/*
 * In the master, before the first fork; later calls do nothing.  NGX_ERROR
 * after one log line.
 */
ngx_int_t ngx_rtmp_route_slots_create(ngx_uint_t n, ngx_log_t *log);

/* the number of slots, 0 before ngx_rtmp_route_slots_create() */
ngx_uint_t ngx_rtmp_route_slots(void);

/*
 * In a worker's init_process: claims a slot and lets events be read from its
 * eventfd.  Without a free slot the worker goes on uncounted.  handler is
 * called from the event loop after somebody has woken this slot.
 */
ngx_int_t ngx_rtmp_route_slot_claim(ngx_cycle_t *cycle,
    void (*handler)(void));

/*
 * What this process has is counted for all to see, in whatever zone it is or
 * was, until the process is gone.  cycle, which tells the configurations of a
 * master from each other, may be said before the claim.  stat: NGX_OK, or
 * NGX_DECLINED: no process has that slot.
 */
void ngx_rtmp_route_slot_cycle(ngx_uint_t cycle);
void ngx_rtmp_route_slot_count(ngx_uint_t what, ngx_int_t add);
ngx_int_t ngx_rtmp_route_slot_stat(ngx_uint_t slot,
    ngx_rtmp_route_slot_stat_t *stat);

/* in exit_process: what is left in the zones is undone by the others */
void ngx_rtmp_route_slot_release(void);

/* the slot of this process or NGX_RTMP_ROUTE_NO_SLOT, and its generation */
ngx_uint_t ngx_rtmp_route_slot(void);
uint32_t ngx_rtmp_route_slot_generation(ngx_uint_t slot);
ngx_pid_t ngx_rtmp_route_slot_pid(ngx_uint_t slot);

/*
 * Whether that generation of the slot is a living process.  A process that is
 * found gone frees the slot.  Reads /proc at most once in some seconds.
 */
ngx_uint_t ngx_rtmp_route_slot_alive(ngx_uint_t slot, uint32_t generation);

/*
 * When a process has started, in a unit of the system; 0: unknown, or gone;
 * NGX_RTMP_ROUTE_PROCESS_DEAD: it has ended, which its parent does not know
 */
ngx_uint_t ngx_rtmp_route_process_start(ngx_pid_t pid);

/* makes the handler of that slot run; any process, any number of times */
void ngx_rtmp_route_slot_wake(ngx_uint_t slot);

/*
 * The drain of the whole proxy is a word beside the slots: all processes of
 * this master see it at once, and it is kept over reloads.  Since when, in
 * seconds; 0: it does not drain.
 */
time_t ngx_rtmp_route_slots_draining(void);

/*
 * Begins or ends it, and wakes all slots.  NGX_OK; NGX_DONE: it was so before;
 * NGX_DECLINED: there are no slots.
 */
ngx_int_t ngx_rtmp_route_slots_drain(ngx_uint_t drain);


#endif /* _NGX_RTMP_ROUTE_SLOT_H_INCLUDED_ */
