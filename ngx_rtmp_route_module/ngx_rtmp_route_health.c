
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_events.h"
#include "ngx_rtmp_route_health.h"
#include "ngx_rtmp_route_metrics.h"


/* how often it is looked for servers whose time has come, in ms */
#define NGX_RTMP_ROUTE_CHECK_TICK  100
#define NGX_RTMP_ROUTE_CHECK_FAST  10
#define NGX_RTMP_ROUTE_CHECK_IDLE  500

/* checks that are begun in one step, as a rule; and that run at a time */
#define NGX_RTMP_ROUTE_CHECK_LEAST 8
#define NGX_RTMP_ROUTE_CHECK_STEP  64
#define NGX_RTMP_ROUTE_CHECK_MAX   1024


typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_rtmp_route_check_t          *check;
    ngx_event_t                      event;
    ngx_connection_t                 dumb;
    ngx_queue_t                      probes;
    ngx_uint_t                       nprobes;
    uint32_t                         cursor;
    ngx_uint_t                       room;      /* for checks in a step */
    ngx_msec_t                       tick;      /* from step to step */
} ngx_rtmp_route_checker_t;


static void ngx_rtmp_route_checker_handler(ngx_event_t *ev);
static void ngx_rtmp_route_checker_step(ngx_rtmp_route_checker_t *checker);
static ngx_uint_t ngx_rtmp_route_checker_busy(
    ngx_rtmp_route_checker_t *checker, ngx_rtmp_route_ref_t *ref);
static void ngx_rtmp_route_checker_pace(ngx_rtmp_route_checker_t *checker);
static void ngx_rtmp_route_checker_result(ngx_rtmp_route_probe_t *probe,
    ngx_str_t *error);
static void ngx_rtmp_route_checker_closed(ngx_rtmp_route_probe_t *probe);
static void ngx_rtmp_route_checker_stop(ngx_rtmp_route_checker_t *checker);


/* of this process, if it is the one that checks */
static ngx_array_t  *ngx_rtmp_route_checkers;


void
ngx_rtmp_route_health_init(ngx_rtmp_route_t *route, ngx_cycle_t *cycle)
{
    ngx_event_t                *ev;
    ngx_rtmp_route_check_t     *check;
    ngx_rtmp_route_checker_t   *checker, **checkerp;

    check = route->check;

    ngx_rtmp_route_health_reset(&route->table);

    if (check == NULL) {

        /* only registrations can be late */

        if (route->reg == NULL) {
            return;
        }

        check = ngx_rtmp_route_health_default();
    }

    if (ngx_rtmp_route_checkers == NULL) {
        ngx_rtmp_route_checkers = ngx_array_create(cycle->pool, 4,
                                          sizeof(ngx_rtmp_route_checker_t *));
        if (ngx_rtmp_route_checkers == NULL) {
            return;
        }
    }

    checker = ngx_pcalloc(cycle->pool, sizeof(ngx_rtmp_route_checker_t));
    if (checker == NULL) {
        return;
    }

    checkerp = ngx_array_push(ngx_rtmp_route_checkers);
    if (checkerp == NULL) {
        return;
    }

    *checkerp = checker;

    checker->route = route;
    checker->check = check;
    checker->dumb.fd = (ngx_socket_t) -1;
    checker->dumb.data = checker;

    ngx_queue_init(&checker->probes);

    ev = &checker->event;

    ev->handler = ngx_rtmp_route_checker_handler;
    ev->data = &checker->dumb;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);
}


void
ngx_rtmp_route_health_exit(void)
{
    ngx_uint_t                  i;
    ngx_rtmp_route_checker_t  **checkers;

    if (ngx_rtmp_route_checkers == NULL) {
        return;
    }

    checkers = ngx_rtmp_route_checkers->elts;

    for (i = 0; i < ngx_rtmp_route_checkers->nelts; i++) {
        ngx_rtmp_route_checker_stop(checkers[i]);
    }

    ngx_rtmp_route_checkers = NULL;
}


static void
ngx_rtmp_route_checker_handler(ngx_event_t *ev)
{
    ngx_connection_t          *dumb;
    ngx_rtmp_route_checker_t  *checker;

    dumb = ev->data;
    checker = dumb->data;

    /* another process has begun, or will do so */

    if (ngx_exiting
        || !ngx_rtmp_route_table_current(&checker->route->table))
    {
        ngx_rtmp_route_checker_stop(checker);
        return;
    }

    ngx_rtmp_route_checker_step(checker);

    ngx_add_timer(ev, checker->tick);
}


static void
ngx_rtmp_route_checker_step(ngx_rtmp_route_checker_t *checker)
{
    uint32_t                 begin;
    ngx_int_t                rc;
    ngx_uint_t               n;
    ngx_rtmp_route_probe_t  *probe;
    ngx_rtmp_route_check_t  *check;
    ngx_rtmp_route_table_t  *table;
    ngx_rtmp_route_target_t  target;

    check = checker->check;
    table = &checker->route->table;

    ngx_rtmp_route_checker_pace(checker);

    begin = checker->cursor;

    for (n = 0; n < checker->room; /* void */ ) {

        rc = ngx_rtmp_route_health_next(table, &checker->cursor,
                                        check->interval, check->jitter,
                                        &target);

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc == NGX_DONE) {
            checker->cursor = 0;

            if (begin == 0) {
                break;
            }

            begin = 0;
            continue;
        }

        if (ngx_rtmp_route_checker_busy(checker, &target.ref)) {
            continue;
        }

        n++;

        probe = ngx_rtmp_route_probe_create(ngx_cycle->log);
        if (probe == NULL) {
            return;
        }

        probe->check = check;
        probe->data = checker;
        probe->handler = ngx_rtmp_route_checker_result;
        probe->closed = ngx_rtmp_route_checker_closed;

        probe->target = target;
        probe->target.id.data = probe->target.id_buf;
        probe->target.host.data = probe->target.host_buf;

        if (ngx_rtmp_route_probe_start(probe) != NGX_OK) {

            /* has nothing that a check could talk to */

            if (table->checks) {
                (void) ngx_rtmp_route_health_set(table, &target.ref,
                                                 NGX_RTMP_ROUTE_HEALTH_NONE);
            }

            continue;
        }

        ngx_queue_insert_tail(&checker->probes, &probe->queue);
        checker->nprobes++;
    }
}


/* a server that hangs may need more time than an interval */

static ngx_uint_t
ngx_rtmp_route_checker_busy(ngx_rtmp_route_checker_t *checker,
    ngx_rtmp_route_ref_t *ref)
{
    ngx_queue_t             *q;
    ngx_rtmp_route_probe_t  *probe;

    for (q = ngx_queue_head(&checker->probes);
         q != ngx_queue_sentinel(&checker->probes);
         q = ngx_queue_next(q))
    {
        probe = ngx_queue_data(q, ngx_rtmp_route_probe_t, queue);

        if (!probe->told
            && probe->target.ref.index == ref->index
            && probe->target.ref.seq == ref->seq)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * After a start all servers wait for their first check: the number in a step
 * spreads them over half of the interval
 */

static void
ngx_rtmp_route_checker_pace(ngx_rtmp_route_checker_t *checker)
{
    uint64_t                      n;
    ngx_uint_t                    max;
    ngx_msec_t                    tick, interval;
    ngx_rtmp_route_table_stat_t   stat;

    ngx_rtmp_route_table_stat(&checker->route->table, &stat);

    interval = checker->check->interval;
    n = ngx_max((uint64_t) stat.servers * 2, 1);

    if (checker->route->table.checks) {
        tick = ngx_min(interval / 10, NGX_RTMP_ROUTE_CHECK_TICK);

        /* many small steps rather than a few large ones */

        tick = ngx_min(tick, NGX_RTMP_ROUTE_CHECK_STEP * interval / n);
        tick = ngx_max(tick, NGX_RTMP_ROUTE_CHECK_FAST);

    } else {
        tick = NGX_RTMP_ROUTE_CHECK_IDLE;
    }

    n = n * tick / interval;
    n = ngx_max(n, NGX_RTMP_ROUTE_CHECK_LEAST);

    /* most of the connections of the process are for others */

    max = ngx_min(ngx_cycle->connection_n / 4, NGX_RTMP_ROUTE_CHECK_MAX);
    max = ngx_max(max, NGX_RTMP_ROUTE_CHECK_LEAST);
    max = (max > checker->nprobes) ? max - checker->nprobes : 0;

    /* without any there would be an alert for each check */

    max = ngx_min(max, ngx_cycle->free_connection_n
                       + ngx_cycle->reusable_connections_n);

    checker->tick = tick;
    checker->room = ngx_min((ngx_uint_t) n, max);
}


static void
ngx_rtmp_route_checker_result(ngx_rtmp_route_probe_t *probe,
    ngx_str_t *error)
{
    ngx_uint_t                 was, health, level;
    ngx_rtmp_route_t          *route;
    ngx_rtmp_route_check_t    *check;
    ngx_rtmp_route_table_t    *table;
    ngx_rtmp_route_checker_t  *checker;

    checker = probe->data;
    check = checker->check;
    route = checker->route;
    table = &route->table;

    if (ngx_exiting || !ngx_rtmp_route_table_current(table)) {
        return;
    }

    ngx_rtmp_route_health_took(table, &probe->target.ref,
                               ngx_current_msec - probe->begun);

    if (ngx_rtmp_route_health_result(table, &probe->target.ref, error,
                                     check->fails, check->passes, &was, &health)
        != NGX_OK
        || !table->checks)
    {
        return;
    }

    switch (health) {

    case NGX_RTMP_ROUTE_HEALTH_DOWN:
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "upstream server \"%V\" is down: %V%s",
                      &probe->target.id, error, table->shpool->log_ctx);

        ngx_rtmp_route_server_lost(route);
        break;

    case NGX_RTMP_ROUTE_HEALTH_UP:
        level = (was == NGX_RTMP_ROUTE_HEALTH_DOWN) ? NGX_LOG_NOTICE
                                                    : NGX_LOG_INFO;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "upstream server \"%V\" is up: health check passed%s",
                      &probe->target.id, table->shpool->log_ctx);
        break;
    }
}


static void
ngx_rtmp_route_checker_closed(ngx_rtmp_route_probe_t *probe)
{
    ngx_rtmp_route_checker_t  *checker;

    checker = probe->data;

    ngx_queue_remove(&probe->queue);
    checker->nprobes--;
}


static void
ngx_rtmp_route_checker_stop(ngx_rtmp_route_checker_t *checker)
{
    ngx_queue_t  *q;

    if (checker->event.timer_set) {
        ngx_del_timer(&checker->event);
    }

    while (!ngx_queue_empty(&checker->probes)) {
        q = ngx_queue_head(&checker->probes);

        ngx_rtmp_route_probe_cancel(ngx_queue_data(q, ngx_rtmp_route_probe_t,
                                                   queue));
    }
}
