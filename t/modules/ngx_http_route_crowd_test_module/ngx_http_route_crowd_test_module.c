
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The directive "crowd_test ROUTE SESSIONS GONE SERVERS" opens so many sessions
 * in the table of a route, by all worker processes, each of a stream of its
 * own, then adds servers, and then ends and opens GONE sessions a second.  Nine
 * of ten sessions stay all the time, their streams are "kept/...".
 *
 * Measured is how long a turn of the event loop takes: by the clock, and as
 * time of the processor, which does not depend on what else the machine does.
 * A request is answered with {"ready":1,"kept":90000,...}, and sets maxima to
 * zero with "?reset".  Times are microseconds.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_conf.h"


#define NGX_HTTP_ROUTE_CROWD_WORKERS  64
#define NGX_HTTP_ROUTE_CROWD_TICK     10     /* ms */
#define NGX_HTTP_ROUTE_CROWD_SLICE    2000   /* us of a tick while it fills */


typedef struct {
    ngx_uint_t                 ready;
    ngx_uint_t                 kept;
    ngx_uint_t                 opened;
    ngx_uint_t                 failed;
    uint64_t                   turns;
    uint64_t                   wall;      /* the longest turn */
    uint64_t                   cpu;
    uint64_t                   lock;      /* the longest wait for it */
    uint64_t                   slow;      /* turns above 20 ms, by the clock */
} ngx_http_route_crowd_stat_t;


typedef struct {
    ngx_rtmp_route_t          *route;
    ngx_uint_t                 sessions;
    ngx_uint_t                 gone;
    ngx_uint_t                 servers;
} ngx_http_route_crowd_conf_t;


static ngx_int_t ngx_http_route_crowd_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_route_crowd_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_route_crowd_init_process(ngx_cycle_t *cycle);
static void ngx_http_route_crowd_tick(ngx_event_t *ev);
static void ngx_http_route_crowd_fill(uint64_t end);
static void ngx_http_route_crowd_churn(void);
static void ngx_http_route_crowd_open(ngx_uint_t n, const char *app);
static ngx_int_t ngx_http_route_crowd_server(ngx_uint_t n);
static void ngx_http_route_crowd_lock(void);
static ngx_int_t ngx_http_route_crowd_process(ngx_cycle_t *cycle,
    ngx_msec_t timer, ngx_uint_t flags);
static uint64_t ngx_http_route_crowd_clock(clockid_t id);
static void *ngx_http_route_crowd_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_route_crowd(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_route_crowd_commands[] = {

    { ngx_string("crowd_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE4,
      ngx_http_route_crowd,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_route_crowd_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_route_crowd_create_loc_conf,  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_route_crowd_test_module = {
    NGX_MODULE_V1,
    &ngx_http_route_crowd_test_module_ctx, /* module context */
    ngx_http_route_crowd_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_route_crowd_init_module,      /* init module */
    ngx_http_route_crowd_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_route_crowd_conf_t  *crowd;
static ngx_http_route_crowd_stat_t  *stats, *own;
static ngx_rtmp_route_session_t     *sessions;
static ngx_uint_t                    nsessions, nkept, nservers, next, name;
static ngx_event_t                   tick;
static ngx_connection_t              dummy;

static ngx_int_t                   (*process_events)(ngx_cycle_t *cycle,
                                         ngx_msec_t timer, ngx_uint_t flags);
static uint64_t                      wall, cpu;


static ngx_int_t
ngx_http_route_crowd_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_buf_t                    *b;
    ngx_uint_t                    i;
    ngx_chain_t                   out;
    ngx_http_route_crowd_stat_t   sum;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&sum, sizeof(ngx_http_route_crowd_stat_t));
    sum.ready = 1;

    for (i = 0; i < NGX_HTTP_ROUTE_CROWD_WORKERS; i++) {

        if (stats[i].turns == 0) {
            continue;
        }

        sum.ready &= stats[i].ready;
        sum.kept += stats[i].kept;
        sum.opened += stats[i].opened;
        sum.failed += stats[i].failed;
        sum.slow += stats[i].slow;
        sum.turns += stats[i].turns;
        sum.wall = ngx_max(sum.wall, stats[i].wall);
        sum.cpu = ngx_max(sum.cpu, stats[i].cpu);
        sum.lock = ngx_max(sum.lock, stats[i].lock);

        if (r->args.len) {
            stats[i].wall = 0;
            stats[i].cpu = 0;
            stats[i].lock = 0;
            stats[i].slow = 0;
        }
    }

    b = ngx_create_temp_buf(r->pool, 512);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "{\"ready\":%ui,\"kept\":%ui,"
                          "\"opened\":%ui,\"failed\":%ui,\"turns\":%uL,"
                          "\"wall\":%uL,\"cpu\":%uL,\"lock\":%uL,"
                          "\"slow\":%uL}\n",
                          sum.ready, sum.kept, sum.opened, sum.failed,
                          sum.turns, sum.wall, sum.cpu, sum.lock, sum.slow);
    b->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_route_crowd_init_module(ngx_cycle_t *cycle)
{
    ngx_shm_t  shm;

    if (stats) {
        return NGX_OK;
    }

    ngx_memzero(&shm, sizeof(ngx_shm_t));

    shm.size = NGX_HTTP_ROUTE_CROWD_WORKERS
               * sizeof(ngx_http_route_crowd_stat_t);
    ngx_str_set(&shm.name, "crowd_test");
    shm.log = cycle->log;

    if (ngx_shm_alloc(&shm) != NGX_OK) {
        return NGX_ERROR;
    }

    stats = (ngx_http_route_crowd_stat_t *) shm.addr;

    return NGX_OK;
}


static ngx_int_t
ngx_http_route_crowd_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t        workers;
    ngx_core_conf_t  *ccf;

    if (crowd == NULL
        || ngx_process != NGX_PROCESS_WORKER
        || ngx_worker >= NGX_HTTP_ROUTE_CROWD_WORKERS)
    {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    workers = ngx_max(ccf->worker_processes, 1);

    own = &stats[ngx_worker];
    nsessions = crowd->sessions / workers;
    nkept = nsessions / 10 * 9;

    sessions = ngx_pcalloc(cycle->pool,
                           nsessions * sizeof(ngx_rtmp_route_session_t));
    if (sessions == NULL) {
        return NGX_ERROR;
    }

    process_events = ngx_event_actions.process_events;
    ngx_event_actions.process_events = ngx_http_route_crowd_process;

    dummy.fd = (ngx_socket_t) -1;

    tick.handler = ngx_http_route_crowd_tick;
    tick.log = cycle->log;
    tick.data = &dummy;
    tick.cancelable = 1;

    ngx_add_timer(&tick, NGX_HTTP_ROUTE_CROWD_TICK);

    return NGX_OK;
}


static void
ngx_http_route_crowd_tick(ngx_event_t *ev)
{
    if (own->ready) {
        ngx_http_route_crowd_churn();

    } else {
        ngx_http_route_crowd_fill(ngx_http_route_crowd_clock(CLOCK_MONOTONIC)
                                  + NGX_HTTP_ROUTE_CROWD_SLICE);
    }

    ngx_http_route_crowd_lock();

    ngx_add_timer(ev, own->ready ? NGX_HTTP_ROUTE_CROWD_TICK : 1);
}


static void
ngx_http_route_crowd_fill(uint64_t end)
{
    while (ngx_http_route_crowd_clock(CLOCK_MONOTONIC) < end) {

        if (next < nsessions) {
            ngx_http_route_crowd_open(next, (next < nkept) ? "kept" : "gone");
            next++;
            continue;
        }

        /* picks take long with many servers, so these come later */

        if (ngx_worker == 0 && nservers < crowd->servers) {

            if (ngx_http_route_crowd_server(nservers++) != NGX_OK) {
                own->failed++;
            }

            continue;
        }

        next = nkept;
        own->kept = nkept;
        own->ready = 1;

        return;
    }
}


static void
ngx_http_route_crowd_churn(void)
{
    ngx_uint_t  n;

    static ngx_uint_t  rest;

    if (nkept == nsessions) {
        return;
    }

    /* of all workers, in a tick */

    rest += crowd->gone * nsessions * NGX_HTTP_ROUTE_CROWD_TICK;
    n = rest / (crowd->sessions * 1000);
    rest -= n * crowd->sessions * 1000;

    while (n--) {
        ngx_rtmp_route_table_close(&crowd->route->table, &sessions[next]);
        ngx_http_route_crowd_open(next, "gone");

        if (++next == nsessions) {
            next = nkept;
        }
    }
}


static void
ngx_http_route_crowd_open(ngx_uint_t n, const char *app)
{
    u_char                          key[64], client[64];
    ngx_rtmp_route_peer_t           peer;
    ngx_rtmp_route_query_t          query;
    ngx_rtmp_route_session_info_t   info;

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));
    ngx_memzero(&info, sizeof(ngx_rtmp_route_session_info_t));
    ngx_memzero(&sessions[n], sizeof(ngx_rtmp_route_session_t));

    query.key.data = key;
    query.key.len = ngx_sprintf(key, "%s/camera-%ui-%07ui", app, ngx_worker,
                                name++)
                    - key;
    query.op = NGX_RTMP_ROUTE_PUBLISH;
    query.protocol = NGX_RTMP_ROUTE_RTMP;
    query.alternative = NGX_RTMP_ROUTE_RTMP;
    query.count = 1;

    info.type = NGX_RTMP_ROUTE_PUBLISH;
    info.client.data = client;
    info.client.len = ngx_sprintf(client, "203.0.113.%ui:%ui", n % 256,
                                  1024 + n % 60000)
                      - client;
    ngx_str_set(&info.agent, "FMLE/3.0 (compatible; FMSc/1.0)");

    if (ngx_rtmp_route_table_open(&crowd->route->table, &query, &info,
                                  &sessions[n], &peer)
        != NGX_OK
        || sessions[n].cell == 0)
    {
        own->failed++;
        return;
    }

    ngx_rtmp_route_table_state(&crowd->route->table, &sessions[n],
                               NGX_RTMP_ROUTE_S_RELAY);
    own->opened++;
}


static ngx_int_t
ngx_http_route_crowd_server(ngx_uint_t n)
{
    struct sockaddr_in               sin;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    ngx_memzero(&sin, sizeof(struct sockaddr_in));
    ngx_memzero(&info, sizeof(ngx_rtmp_route_server_info_t));
    ngx_memzero(&params, sizeof(ngx_rtmp_route_server_params_t));

    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(0x0a800000 + (uint32_t) n);
    sin.sin_port = htons(1935);

    info.id_len = (u_char) (ngx_sprintf(info.id, "server-%ui", n) - info.id);
    info.host_len = (u_char) (ngx_sprintf(info.host, "10.128.%ui.%ui",
                                          n / 256, n % 256)
                              - info.host);
    info.source = NGX_RTMP_ROUTE_SRC_API;
    info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 1;

    (void) ngx_rtmp_route_endpoint_from((struct sockaddr *) &sin,
                                  &info.endpoints[NGX_RTMP_ROUTE_RTMP][0]);

    params.weight = 1;
    params.max_fails = 1;
    params.fail_timeout = 10000;

    return ngx_rtmp_route_server_create(&crowd->route->table, &info, &params);
}


/* how long somebody else has held it, at most */

static void
ngx_http_route_crowd_lock(void)
{
    uint64_t          start;
    ngx_slab_pool_t  *shpool;

    shpool = crowd->route->table.shpool;
    start = ngx_http_route_crowd_clock(CLOCK_MONOTONIC);

    ngx_shmtx_lock(&shpool->mutex);
    ngx_shmtx_unlock(&shpool->mutex);

    start = ngx_http_route_crowd_clock(CLOCK_MONOTONIC) - start;

    if (own->lock < start) {
        own->lock = start;
    }
}


/* events are posted, so that they are handled after the end of this */

static ngx_int_t
ngx_http_route_crowd_process(ngx_cycle_t *cycle, ngx_msec_t timer,
    ngx_uint_t flags)
{
    uint64_t   now;
    ngx_int_t  rc;

    if (own->ready && wall) {
        now = ngx_http_route_crowd_clock(CLOCK_MONOTONIC) - wall;

        if (own->wall < now) {
            own->wall = now;
        }

        if (now > 20000) {
            own->slow++;
        }

        now = ngx_http_route_crowd_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;

        if (own->cpu < now) {
            own->cpu = now;
        }
    }

    own->turns++;

    rc = process_events(cycle, timer, flags | NGX_POST_EVENTS);

    wall = ngx_http_route_crowd_clock(CLOCK_MONOTONIC);
    cpu = ngx_http_route_crowd_clock(CLOCK_THREAD_CPUTIME_ID);

    return rc;
}


static uint64_t
ngx_http_route_crowd_clock(clockid_t id)
{
    struct timespec  ts;

    (void) clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void *
ngx_http_route_crowd_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_route_crowd_conf_t));
}


static char *
ngx_http_route_crowd(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_route_crowd_conf_t *ccf = conf;

    ngx_int_t                  n[3];
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    ccf->route = ngx_rtmp_route_add(cf, &value[1]);
    if (ccf->route == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < 3; i++) {
        n[i] = ngx_atoi(value[i + 2].data, value[i + 2].len);

        if (n[i] == NGX_ERROR) {
            return "has an invalid number";
        }
    }

    ccf->sessions = n[0];
    ccf->gone = n[1];
    ccf->servers = n[2];

    crowd = ccf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_route_crowd_handler;

    return NGX_CONF_OK;
}
