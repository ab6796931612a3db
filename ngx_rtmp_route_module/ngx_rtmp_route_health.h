
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Health checks.  The first worker process checks the servers of a route for
 * all of them, and writes what it finds to the table.  If it is killed its
 * successor goes on; when it is told to leave it stops.
 */


#ifndef _NGX_RTMP_ROUTE_HEALTH_H_INCLUDED_
#define _NGX_RTMP_ROUTE_HEALTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_probe_proto.h"


#define NGX_RTMP_ROUTE_CHECK_TCP   0
#define NGX_RTMP_ROUTE_CHECK_RTMP  1
#define NGX_RTMP_ROUTE_CHECK_HTTP  2

#define NGX_RTMP_ROUTE_CHECK_RANGES  16


typedef struct {
    ngx_uint_t                       first;
    ngx_uint_t                       last;
} ngx_rtmp_route_check_range_t;


/* health_check ...; shared by all servers of a route */

struct ngx_rtmp_route_check_s {
    ngx_msec_t                       interval;
    ngx_msec_t                       jitter;
    ngx_msec_t                       timeout;   /* of each endpoint */
    ngx_uint_t                       fails;
    ngx_uint_t                       passes;
    ngx_uint_t                       type;      /* NGX_RTMP_ROUTE_CHECK_* */
    in_port_t                        port;      /* 0: that of the server */
    ngx_str_t                        uri;
    ngx_uint_t                       nstatus;
    ngx_rtmp_route_check_range_t     status[NGX_RTMP_ROUTE_CHECK_RANGES];
    void                            *ssl;       /* ngx_ssl_t */
    unsigned                         mandatory:1;
};


typedef struct ngx_rtmp_route_probe_s  ngx_rtmp_route_probe_t;

/* one check of one server; owned by itself once it was started */

struct ngx_rtmp_route_probe_s {

    /* set by the caller */

    ngx_rtmp_route_check_t          *check;
    ngx_rtmp_route_target_t          target;
    void                            *data;

    /*
     * The result, once, never from within start: error is NULL if it was
     * passed.  The probe is still there then, for the rest of the answer.
     */

    void                           (*handler)(ngx_rtmp_route_probe_t *probe,
                                              ngx_str_t *error);
    /* the end, after which there is no probe */

    void                           (*closed)(ngx_rtmp_route_probe_t *probe);

    ngx_queue_t                      queue;     /* of the caller */

    /* of the probe itself */

    ngx_pool_t                      *pool;
    ngx_connection_t                *connection;
    ngx_log_t                        log;
    ngx_event_t                      event;     /* begins, and is the timer */
    ngx_connection_t                 dumb;
    ngx_uint_t                       type;
    ngx_uint_t                       protocol;
    ngx_uint_t                       endpoint;
    const char                      *action;
    ngx_msec_t                       begun;
    ngx_buf_t                        out;
    ngx_rtmp_route_probe_answer_t    answer;
    ngx_str_t                        error;
    u_char                           error_buf[NGX_RTMP_ROUTE_WHY_LEN];
    u_char                           name[NGX_SOCKADDR_STRLEN];
    ngx_str_t                        addr;
    unsigned                         told:1;    /* the result */
};


/* ngx_rtmp_route_health_conf.c */

char *ngx_rtmp_route_health_check(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* what is used for a route without the directive */
ngx_rtmp_route_check_t *ngx_rtmp_route_health_default(void);


/* ngx_rtmp_route_health.c: in a worker's init_process and exit_process */

void ngx_rtmp_route_health_init(ngx_rtmp_route_t *route, ngx_cycle_t *cycle);
void ngx_rtmp_route_health_exit(void);


/* ngx_rtmp_route_probe.c */

/*
 * A probe with all zero, or NULL; its pool is freed by its end.  start returns
 * NGX_DECLINED, and has freed it, if nothing of that server can be checked.
 */
ngx_rtmp_route_probe_t *ngx_rtmp_route_probe_create(ngx_log_t *log);
ngx_int_t ngx_rtmp_route_probe_start(ngx_rtmp_route_probe_t *probe);

/* at any time: ends without a result, closed is called */
void ngx_rtmp_route_probe_cancel(ngx_rtmp_route_probe_t *probe);


#endif /* _NGX_RTMP_ROUTE_HEALTH_H_INCLUDED_ */
