
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_rules.c ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c */


/* What the calls of the table cost, in ns; no test */


#include "table.h"


#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define FETCH     NGX_RTMP_ROUTE_FETCH

#define STREAMS   50000
#define LOOPS     200000


static void bench(ngx_uint_t servers);
static void report(const char *what, ngx_uint_t servers, ngx_uint_t loops);
static uint64_t now(void);
static char *name(ngx_uint_t n);


static ngx_rtmp_route_table_t  table;
static uint64_t                started;


int
main(void)
{
    unit_init();

    bench(10);
    bench(1000);

    return 0;
}


static void
bench(ngx_uint_t servers)
{
    char                             id[32];
    ngx_uint_t                       i, n, method;
    ngx_rtmp_route_peer_t            peer;
    ngx_rtmp_route_session_t         session;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    static const char  *methods[] = { "hash", "least_conn", "round_robin",
                                      "random" };

    table_make(&table, 64 * 1024 * 1024);
    table_slot();
    server_params(&params);
    params.timeout = 100000000;

    for (i = 0; i < servers; i++) {
        snprintf(id, sizeof(id), "vid-%lu", (unsigned long) i);
        server_info(&info, id, i, NGX_RTMP_ROUTE_SRC_REGISTER);
        (void) ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    }

    for (i = 0; i < STREAMS; i++) {
        snprintf(id, sizeof(id), "vid-%lu", (unsigned long) (i % servers));
        (void) stream_set(&table, name(i), id, NGX_RTMP_ROUTE_FROM_CORE);
    }

    started = now();

    for (i = 0; i < LOOPS; i++) {
        (void) pick(&table, name(i * 7919 % STREAMS), FETCH, &peer);
    }

    report("pick, known", servers, LOOPS);

    for (method = 0; method < 4; method++) {
        table.method = method;
        n = (servers > 100) ? LOOPS / 20 : LOOPS;
        started = now();

        for (i = 0; i < n; i++) {
            (void) pick(&table, name(STREAMS + i), FETCH, &peer);
        }

        snprintf(id, sizeof(id), "pick, unknown, %s", methods[method]);
        report(id, servers, n);
    }

    table.method = NGX_RTMP_ROUTE_HASH;

    for (i = 0; i < servers; i += 2) {
        snprintf(id, sizeof(id), "vid-%lu", (unsigned long) i);
        (void) server_patch(&table, id,
                            offsetof(ngx_rtmp_route_server_params_t, weight),
                            2);
    }

    n = LOOPS / 10;
    started = now();

    for (i = 0; i < n; i++) {
        (void) pick(&table, name(STREAMS + i), FETCH, &peer);
    }

    report("pick, unknown, hash, weights", servers, n);

    started = now();

    for (i = 0; i < LOOPS; i++) {
        (void) session_open(&table, name(i * 7919 % STREAMS), PLAY, &session,
                            &peer);
        ngx_rtmp_route_table_close(&table, &session);
    }

    report("session open and close, known", servers, LOOPS);

    started = now();

    for (i = 0; i < LOOPS; i++) {
        snprintf(id, sizeof(id), "vid-%lu", (unsigned long) (i % servers));
        (void) stream_set(&table, name(i * 7919 % STREAMS), id,
                          NGX_RTMP_ROUTE_FROM_CORE);
    }

    report("stream set", servers, LOOPS);

    /* what the caller needs for its answer is not counted */

    server_info(&info, "vid-7", 7, NGX_RTMP_ROUTE_SRC_REGISTER);
    started = now();

    for (i = 0; i < LOOPS; i++) {
        info.registrar.port = (uint16_t) i;
        (void) ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    }

    report("registration, refreshed", servers, LOOPS);

    started = now();

    for (i = 0; i < LOOPS; i++) {
        info.device_len = (u_char) (1 + i % 2);
        (void) ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    }

    report("registration, changed", servers, LOOPS);

    started = now();

    for (i = 0; i < 1000; i++) {
        ngx_rtmp_route_table_sweep(&table);
    }

    report("sweep", servers, 1000);

    ngx_rtmp_route_slot_release();
    unit_zone_free(table.shpool);
}


static void
report(const char *what, ngx_uint_t servers, ngx_uint_t loops)
{
    printf("%5lu servers  %-32s %8lu ns\n", (unsigned long) servers, what,
           (unsigned long) ((now() - started) / loops));

    fflush(stdout);
}


static uint64_t
now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static char *
name(ngx_uint_t n)
{
    static char  buf[48];

    snprintf(buf, sizeof(buf), "live/camera-%06lu", (unsigned long) n);

    return buf;
}
