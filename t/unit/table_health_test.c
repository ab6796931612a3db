
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_rules.c ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_core.c ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_zone.c */


/* Health of servers in the table: checks, slow start, stale registrations. */


#include "table.h"


#define RING  1000

#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")
#define IS_PICK(id, expected, name)                                           \
    ok(strcmp(id, expected) == 0, name)


static void test_states(void);
static void test_mandatory(void);
static void test_reset(void);
static void test_schedule(void);
static void test_downtime(void);
static void test_live(void);
static void test_slow(ngx_uint_t method, const char *name);
static void test_slow_known(void);
static void test_slow_causes(void);
static void test_stale(void);
static void test_stale_late(void);
static void test_stale_protocols(void);
static void test_stale_unasked(void);
static void test_stale_log(void);
static void test_copy(void);
static ngx_int_t heartbeat(const char *id, ngx_uint_t n, int pid);
static ngx_uint_t result(const char *id, const char *error);
static ngx_rtmp_route_ref_t ref(const char *id);
static ngx_uint_t state(const char *id);
static const char *picked(const char *key, ngx_uint_t op);
static ngx_uint_t share(const char *id);
static void write_log(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len);


static u_char                  logged[4096];
static ngx_rtmp_route_table_t  table;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;

    test_states();
    test_mandatory();
    test_reset();
    test_schedule();
    test_downtime();
    test_live();
    test_slow(NGX_RTMP_ROUTE_HASH, "hash");
    test_slow(NGX_RTMP_ROUTE_LEAST_CONN, "least_conn");
    test_slow(NGX_RTMP_ROUTE_ROUND_ROBIN, "round_robin");
    test_slow(NGX_RTMP_ROUTE_RANDOM, "random");
    test_slow_known();
    test_slow_causes();
    test_stale();
    test_stale_late();
    test_stale_protocols();
    test_stale_unasked();
    test_stale_log();
    test_copy();

    return done();
}


static void
test_states(void)
{
    ngx_rtmp_route_ref_t           old;
    ngx_rtmp_route_server_stat_t  *stat;

    table_make(&table, 1024 * 1024);
    table.checks = 1;

    server_add(&table, "a", 1, NULL);

    is_uint(state("a"), NGX_RTMP_ROUTE_CHECKING, "checking at first");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "but used");

    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_UP, "passed");
    is_uint(state("a"), NGX_RTMP_ROUTE_UP, "up");

    is_uint(result("a", "one"), NGX_RTMP_ROUTE_HEALTH_UP, "one fail");
    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_UP, "then a pass");
    is_uint(result("a", "two"), NGX_RTMP_ROUTE_HEALTH_UP, "and a fail");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "used");
    is_uint(result("a", "three"), NGX_RTMP_ROUTE_HEALTH_DOWN, "two in a row");

    stat = server_stat(&table, "a");

    is_uint(stat->state, NGX_RTMP_ROUTE_UNHEALTHY, "down");
    is_uint(stat->check.checks, 5, "checks");
    is_uint(stat->check.fails, 3, "fails");
    is_uint(stat->check.unhealthy, 1, "unhealthy");
    is_uint(stat->check.last_passed, 0, "last not passed");
    ok(stat->check.error.len == 5
       && ngx_memcmp(stat->check.error.data, "three", 5) == 0, "error");

    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "", "not used");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_FETCH), "", "for nothing");

    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_DOWN, "one pass");
    is_uint(result("a", "four"), NGX_RTMP_ROUTE_HEALTH_DOWN, "none");
    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_DOWN, "one");
    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_DOWN, "two");
    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_UP, "three");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "used again");
    is_uint(server_stat(&table, "a")->check.error.len, 0, "no error");

    /* it does not matter for what is down anyway */

    result("a", "x");
    result("a", "x");
    server_flags(&table, "a", 1, 0, 0);
    is_uint(state("a"), NGX_RTMP_ROUTE_DOWN, "disabled comes first");

    /* another one in its place, and a restart */

    heartbeat("r", 2, '1');
    result("r", "x");
    result("r", "x");
    is_uint(state("r"), NGX_RTMP_ROUTE_UNHEALTHY, "registered, down");
    heartbeat("r", 2, '1');
    is_uint(state("r"), NGX_RTMP_ROUTE_UNHEALTHY, "a heartbeat is no check");

    old = ref("r");
    heartbeat("r", 2, '2');
    is_uint(state("r"), NGX_RTMP_ROUTE_CHECKING, "a restart begins anew");
    is_uint(ngx_rtmp_route_health_set(&table, &old,
                                      NGX_RTMP_ROUTE_HEALTH_DOWN),
            NGX_DECLINED, "an old result");
    is_uint(state("r"), NGX_RTMP_ROUTE_CHECKING, "says nothing");

    old = ref("r");
    is_uint(ngx_rtmp_route_health_set(&table, &old,
                                      NGX_RTMP_ROUTE_HEALTH_DOWN),
            NGX_OK, "set");
    is_uint(ngx_rtmp_route_health_set(&table, &old,
                                      NGX_RTMP_ROUTE_HEALTH_DOWN),
            NGX_DONE, "set twice");

    IS_CHECKED(&table);

    table.sh->dirty = 1;
    is_uint(state("r"), NGX_RTMP_ROUTE_UNHEALTHY, "after a rebuild");
}


static void
test_mandatory(void)
{
    table_make(&table, 1024 * 1024);
    table.checks = 1;
    table.mandatory = 1;

    server_add(&table, "a", 1, NULL);

    is_uint(state("a"), NGX_RTMP_ROUTE_CHECKING, "mandatory: checking");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "", "not used");
    stream_set(&table, "live/x", "a", NGX_RTMP_ROUTE_FROM_PIN);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "", "not for a pin");

    result("a", NULL);
    result("a", NULL);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "", "passes in a row");
    result("a", NULL);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "used");

    IS_CHECKED(&table);
}


static void
test_reset(void)
{
    table_make(&table, 1024 * 1024);

    server_add(&table, "a", 1, NULL);
    is_uint(state("a"), NGX_RTMP_ROUTE_UP, "no checks: up");

    table.checks = 1;
    ngx_rtmp_route_health_reset(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_CHECKING, "checks after a reload");

    result("a", "x");
    result("a", "x");
    ngx_rtmp_route_health_reset(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_UNHEALTHY, "a reload forgets nothing");

    table.checks = 0;
    ngx_rtmp_route_health_reset(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_UP, "no checks any more");

    table.checks = 1;
    table.mandatory = 1;
    ngx_rtmp_route_health_reset(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_UP, "what was used is used on");
}


static void
test_schedule(void)
{
    uint32_t                  cursor;
    ngx_uint_t                n;
    ngx_rtmp_route_target_t   target;

    table_make(&table, 1024 * 1024);
    table.checks = 1;

    server_add(&table, "a", 1, NULL);
    server_add(&table, "b", 2, NULL);
    server_add(&table, "c", 3, NULL);
    server_flags(&table, "b", 1, 0, 0);

    cursor = 0;
    n = 0;

    while (ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target)
           == NGX_OK)
    {
        n++;
        is_uint(target.nendpoints[NGX_RTMP_ROUTE_RTMP], 1, "endpoint");
        is_uint(target.endpoints[NGX_RTMP_ROUTE_RTMP][0].port, 1935, "port");
    }

    is_uint(n, 2, "all but the one that is disabled");

    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_DONE, "once");

    unit_tick(4999);
    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_DONE, "not yet");

    unit_tick(1);
    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_OK, "again");
    ok(target.id.len == 1 && target.id.data[0] == 'a', "the first");

    /* a shorter interval after a reload */

    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 1000, 500, &target),
            NGX_OK, "more often");
    ok(target.id.len == 1 && target.id.data[0] == 'a', "the first");

    /* a restart is looked at soon */

    heartbeat("r", 4, '1');
    cursor = 2;
    while (ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target)
           == NGX_OK) { /* void */ }
    heartbeat("r", 4, '2');
    cursor = 2;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_OK, "after a restart");
    ok(target.id.len == 1 && target.id.data[0] == 'r', "who has restarted");
}


static void
test_downtime(void)
{
    ngx_rtmp_route_peer_t    peer;
    ngx_rtmp_route_query_t   query;

    table_make(&table, 1024 * 1024);
    table.checks = 1;

    server_add(&table, "a", 1, NULL);
    server_add(&table, "b", 2, NULL);
    result("a", NULL);
    unit_tick(5000);

    is_uint(server_stat(&table, "a")->check.downtime, 0, "no downtime");
    is_uint(server_stat(&table, "a")->check.downstart, 0, "not down");

    result("a", "x");
    result("a", "x");
    unit_tick(7000);
    is_uint(server_stat(&table, "a")->check.downtime, 7000, "downtime");
    is_uint(server_stat(&table, "a")->check.downstart, 7000, "since then");

    result("a", NULL);
    result("a", NULL);
    result("a", NULL);
    unit_tick(1000);
    is_uint(server_stat(&table, "a")->check.downtime, 7000, "up");
    is_uint(server_stat(&table, "a")->check.downstart, 0, "not down");

    /* failed attempts */

    query_init(&query, "live/x", NGX_RTMP_ROUTE_PUBLISH);
    stream_set(&table, "live/x", "a", NGX_RTMP_ROUTE_FROM_PIN);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(state("a"), NGX_RTMP_ROUTE_UNAVAIL, "unavailable");
    unit_tick(3000);
    is_uint(server_stat(&table, "a")->check.downtime, 10000, "counts");

    query.ntried = 0;
    ngx_rtmp_route_table_report(&table, &query, &peer, 0);
    unit_tick(3000);
    is_uint(server_stat(&table, "a")->check.downtime, 10000, "until then");

    /* no registration in time */

    heartbeat("r", 3, '1');
    unit_tick(30001);
    ngx_rtmp_route_table_sweep(&table);
    unit_tick(4000);
    is_uint(server_stat(&table, "r")->check.downtime, 4000, "expired");
    heartbeat("r", 3, '1');
    ngx_rtmp_route_table_sweep(&table);
    unit_tick(4000);
    is_uint(server_stat(&table, "r")->check.downtime, 4000, "registered");
    is_uint(server_stat(&table, "r")->check.downstart, 0, "up");
}


/* a live stream is where it is */

static void
test_live(void)
{
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  publish, play;

    table_make(&table, 1024 * 1024);
    table_slot();
    table.checks = 1;

    server_add(&table, "a", 1, NULL);
    session_open(&table, "live/x", NGX_RTMP_ROUTE_PUBLISH, &publish, &peer);
    ngx_rtmp_route_table_state(&table, &publish, NGX_RTMP_ROUTE_S_RELAY);
    server_add(&table, "b", 2, NULL);

    result("a", "x");
    result("a", "x");

    is_uint(session_open(&table, "live/x", NGX_RTMP_ROUTE_PLAY, &play, &peer),
            NGX_OK, "a player");
    ok(peer.id.len == 1 && peer.id.data[0] == 'a', "follows its publisher");
    ngx_rtmp_route_table_close(&table, &play);

    ngx_rtmp_route_table_close(&table, &publish);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "b",
           "the next publisher does not");

    IS_CHECKED(&table);
    ngx_rtmp_route_slot_release();
}


static void
test_slow(ngx_uint_t method, const char *name)
{
    ngx_uint_t                       full, some, n;
    ngx_rtmp_route_ref_t             r;
    ngx_rtmp_route_server_params_t   params;

    table_make(&table, 1024 * 1024);
    table.checks = 1;
    table.method = method;

    server_params(&params);
    params.timeout = 0;
    params.weight = 3;
    params.slow_start = 100000;

    server_add(&table, "a", 1, &params);
    server_add(&table, "b", 2, &params);
    server_add(&table, "c", 3, &params);

    full = share("a");
    ok(full > RING / 4 && full < RING / 2, "%s: share of a third: %lu", name,
       (unsigned long) full);

    r = ref("a");
    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_DOWN);
    is_uint(share("a"), 0, "%s: down", name);

    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_UP);
    n = share("a");
    ok(n <= RING / 100, "%s: hardly any at first: %lu", name,
       (unsigned long) n);

    unit_tick(50000);
    some = share("a");
    ok(some > full * 4 / 10 && some < full * 8 / 10,
       "%s: some half way: %lu", name, (unsigned long) some);

    unit_tick(51000);
    n = share("a");
    ok(n + RING / 10 > full && n < full + RING / 10, "%s: all: %lu", name,
       (unsigned long) n);

    ngx_rtmp_route_table_sweep(&table);
    n = share("a");
    ok(n + RING / 10 > full && n < full + RING / 10, "%s: and then: %lu",
       name, (unsigned long) n);

    /* alone there is no choice */

    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_DOWN);
    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_UP);
    server_flags(&table, "b", 1, 0, 0);
    server_flags(&table, "c", 1, 0, 0);
    is_uint(share("a"), RING, "%s: the only one", name);

    IS_CHECKED(&table);
}


/* what was remembered stays, and only the server's share moves */

static void
test_slow_known(void)
{
    char                             key[32];
    ngx_uint_t                       i, moved, other;
    const char                      *id;
    ngx_rtmp_route_ref_t             r;
    ngx_rtmp_route_server_params_t   params;

    static char  was[RING];

    table_make(&table, 4 * 1024 * 1024);
    table.checks = 1;

    server_params(&params);
    params.timeout = 0;
    params.slow_start = 100000;

    server_add(&table, "a", 1, &params);
    server_add(&table, "b", 2, &params);
    server_add(&table, "c", 3, &params);

    for (i = 0; i < RING; i++) {
        sprintf(key, "live/s%u", (unsigned) i);
        was[i] = *picked(key, NGX_RTMP_ROUTE_PUBLISH);

        if (i % 2) {
            stream_set(&table, key, i % 4 == 1 ? "a" : "b",
                       NGX_RTMP_ROUTE_FROM_FOUND);
        }
    }

    r = ref("a");
    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_DOWN);
    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_UP);
    unit_tick(10000);

    moved = 0;
    other = 0;

    for (i = 0; i < RING; i++) {
        sprintf(key, "live/s%u", (unsigned) i);
        id = picked(key, NGX_RTMP_ROUTE_PUBLISH);

        if (i % 2) {
            moved += (*id != (i % 4 == 1 ? 'a' : 'b'));

        } else if (*id != was[i]) {
            other += (was[i] != 'a');
        }
    }

    is_uint(moved, 0, "known streams stay");
    is_uint(other, 0, "of the others only those of that server move");

    /* none since, with the time of another process ahead */

    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_DOWN);
    ngx_rtmp_route_health_set(&table, &r, NGX_RTMP_ROUTE_HEALTH_UP);
    server_patch(&table, "a",
                 offsetof(ngx_rtmp_route_server_params_t, slow_start), 0);
    ngx_current_msec -= 10;
    ok(share("a") > RING / 4, "none any more");
    ngx_current_msec += 10;
}


static void
test_slow_causes(void)
{
    ngx_rtmp_route_peer_t            peer;
    ngx_rtmp_route_query_t           query;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    table_make(&table, 1024 * 1024);

    server_params(&params);
    params.timeout = 0;
    params.slow_start = 100000;

    server_add(&table, "a", 1, &params);
    server_add(&table, "b", 2, &params);
    ok(share("a") > RING / 4, "not a new one");

    query_init(&query, "live/x", NGX_RTMP_ROUTE_PUBLISH);
    stream_set(&table, "live/x", "a", NGX_RTMP_ROUTE_FROM_PIN);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(share("a"), 0, "unavailable");
    query.ntried = 0;
    ngx_rtmp_route_table_report(&table, &query, &peer, 0);
    ok(share("a") < RING / 20, "available again");

    unit_tick(200000);
    ok(share("a") > RING / 4, "for long");

    /* registrations */

    server_info(&info, "r", 3, NGX_RTMP_ROUTE_SRC_REGISTER);
    params.timeout = 30000;
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(share("r") > RING / 5, "not a new one");
    unit_tick(30001);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(share("r") < RING / 20, "one that had expired");
    unit_tick(20000);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(share("r") > RING / 30, "heartbeats do not matter");
    unit_tick(29000);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    unit_tick(29000);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    unit_tick(29000);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    info.pid[0] = '2';
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(share("r") < RING / 20, "one that has restarted");
}


/* all registrations time out at once */

static void
test_stale(void)
{
    table_make(&table, 1024 * 1024);
    table.checks = 1;

    heartbeat("a", 1, '1');
    heartbeat("b", 2, '1');
    heartbeat("c", 3, '1');
    result("a", NULL);
    result("b", NULL);
    result("c", "x");
    result("c", "x");

    stream_set(&table, "live/a", "a", NGX_RTMP_ROUTE_FROM_LIST);
    stream_set(&table, "live/b", "b", NGX_RTMP_ROUTE_FROM_FOUND);

    unit_tick(30001);

    /* before anybody has swept */

    ok(*picked("live/x", NGX_RTMP_ROUTE_PUBLISH) != '\0', "a new stream");
    ok(*picked("live/x", NGX_RTMP_ROUTE_PUBLISH) != 'c', "not where down");
    IS_PICK(picked("live/a", NGX_RTMP_ROUTE_FETCH), "a", "a listed one");
    IS_PICK(picked("live/b", NGX_RTMP_ROUTE_FETCH), "b", "a found one");

    ngx_rtmp_route_table_sweep(&table);

    is_uint(state("a"), NGX_RTMP_ROUTE_STALE, "stale");
    is_uint(state("b"), NGX_RTMP_ROUTE_STALE, "too");
    is_uint(state("c"), NGX_RTMP_ROUTE_EXPIRED, "but not who is down");
    is_uint(table.sh->stale, 2, "two");

    /* for hours */

    unit_tick(10000000);
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_STALE, "not removed");
    ok(server_stat(&table, "c") == NULL, "but who is down");
    IS_PICK(picked("live/a", NGX_RTMP_ROUTE_FETCH), "a", "the list, too");

    /* one comes back: others may need some time more */

    heartbeat("a", 1, '1');
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_UP, "registered");
    is_uint(state("b"), NGX_RTMP_ROUTE_STALE, "still stale");

    unit_tick(20000);
    heartbeat("a", 1, '1');
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("b"), NGX_RTMP_ROUTE_STALE, "and still");

    unit_tick(10001);
    heartbeat("a", 1, '1');
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "b") == NULL
       || state("b") == NGX_RTMP_ROUTE_EXPIRED, "until it had time enough");
    is_uint(table.sh->stale, 0, "none");

    /* a check that fails ends it */

    heartbeat("b", 2, '1');
    result("b", NULL);
    result("b", NULL);
    result("b", NULL);
    unit_tick(30001);
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("b"), NGX_RTMP_ROUTE_STALE, "stale again");
    result("b", "x");
    result("b", "x");
    is_uint(state("b"), NGX_RTMP_ROUTE_EXPIRED, "its check failed");

    /* and so does an operator */

    is_uint(state("a"), NGX_RTMP_ROUTE_STALE, "the other one");
    server_flags(&table, "a", 1, 0, 0);
    ngx_rtmp_route_table_sweep(&table);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "", "taken down");

    IS_CHECKED(&table);
}


/* heartbeats do not end all at the same moment */

static void
test_stale_late(void)
{
    table_make(&table, 1024 * 1024);
    table.checks = 1;

    heartbeat("a", 1, '1');
    unit_tick(9000);
    heartbeat("b", 2, '1');
    result("a", NULL);
    result("b", NULL);

    stream_set(&table, "live/a", "a", NGX_RTMP_ROUTE_FROM_LIST);

    unit_tick(21001);
    ngx_rtmp_route_table_sweep(&table);

    is_uint(state("a"), NGX_RTMP_ROUTE_STALE, "one has expired");
    IS_PICK(picked("live/a", NGX_RTMP_ROUTE_FETCH), "a", "keeps its streams");
    is_uint(share("a"), 0, "gets no others");

    unit_tick(30001);
    heartbeat("b", 2, '1');
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_EXPIRED, "after twice its time");
    IS_PICK(picked("live/a", NGX_RTMP_ROUTE_FETCH), "b", "is away");
}


/* a server that has another protocol is no substitute */

static void
test_stale_protocols(void)
{
    ngx_rtmp_route_server_info_t  info;

    table_make(&table, 1024 * 1024);
    table.checks = 1;

    server_info(&info, "web", 9, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 0;
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    heartbeat("a", 1, '1');
    result("a", NULL);
    unit_tick(30001);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "RTMP goes on");

    server_add(&table, "b", 2, NULL);
    unit_tick(30001);
    ngx_rtmp_route_table_sweep(&table);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "b", "one is there");
}


/* without checks in the configuration */

static void
test_stale_unasked(void)
{
    uint32_t                 cursor;
    ngx_rtmp_route_target_t  target;

    table_make(&table, 1024 * 1024);

    heartbeat("a", 1, '1');
    unit_tick(5000);
    heartbeat("b", 2, '1');

    unit_tick(14000);
    ngx_rtmp_route_table_sweep(&table);
    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_DONE, "one is late: no check");

    unit_tick(7000);
    ngx_rtmp_route_table_sweep(&table);
    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_OK, "both are: checked");
    is_uint(result("a", NULL), NGX_RTMP_ROUTE_HEALTH_UP, "passed");
    is_uint(result("b", "x"), NGX_RTMP_ROUTE_HEALTH_NONE, "not passed");
    is_uint(result("b", "x"), NGX_RTMP_ROUTE_HEALTH_NONE, "but not down");
    is_uint(state("b"), NGX_RTMP_ROUTE_UP, "before its time");

    unit_tick(9001);
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_STALE, "stale");
    is_uint(state("b"), NGX_RTMP_ROUTE_EXPIRED, "expired");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "used");

    result("a", "x");
    is_uint(state("a"), NGX_RTMP_ROUTE_EXPIRED, "failed once");
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "", "not used");
    result("a", NULL);
    IS_PICK(picked("live/x", NGX_RTMP_ROUTE_PUBLISH), "a", "used again");

    heartbeat("b", 2, '1');
    ngx_rtmp_route_table_sweep(&table);
    is_uint(server_stat(&table, "b")->health, NGX_RTMP_ROUTE_HEALTH_NONE,
            "nothing is left of it");

    heartbeat("a", 1, '1');
    ngx_rtmp_route_table_sweep(&table);
    unit_tick(15001);
    cursor = 0;
    (void) ngx_rtmp_route_health_next(&table, &cursor, 100000, 0, &target);
    ngx_rtmp_route_table_sweep(&table);
    cursor = 0;
    is_uint(ngx_rtmp_route_health_next(&table, &cursor, 5000, 0, &target),
            NGX_OK, "checked as soon as it is late");
    is_uint(state("b"), NGX_RTMP_ROUTE_UP, "up");
}


/* one that is used though it does not register has not registered */

static void
test_stale_log(void)
{
    table_make(&table, 1024 * 1024);
    table.checks = 1;

    heartbeat("a", 1, '1');
    server_add(&table, "b", 2, NULL);
    result("a", NULL);
    result("b", NULL);
    unit_tick(60002);

    unit_log.log_level = NGX_LOG_NOTICE;
    unit_log.writer = write_log;

    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_EXPIRED, "expired");
    ok(strstr((char *) logged, "\"a\" is down") != NULL, "said");

    logged[0] = '\0';
    server_flags(&table, "b", 1, 0, 0);
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("a"), NGX_RTMP_ROUTE_STALE, "needed");
    ok(strstr((char *) logged, "has registered in time, 1") != NULL, "said");
    ok(strstr((char *) logged, "registered again") == NULL, "and no more");

    logged[0] = '\0';
    server_flags(&table, "b", 0, 0, 0);
    unit_tick(30001);
    ngx_rtmp_route_table_sweep(&table);
    ok(strstr((char *) logged, "\"a\" is down") != NULL, "no more needed");
    logged[0] = '\0';
    heartbeat("a", 1, '1');
    ngx_rtmp_route_table_sweep(&table);
    ok(strstr((char *) logged, "registered again") != NULL, "registered");

    unit_log.log_level = NGX_LOG_CRIT;
    unit_log.writer = NULL;
}


static void
test_copy(void)
{
    ngx_rtmp_route_table_t  old;

    table_make(&table, 1024 * 1024);
    table.checks = 1;

    server_add(&table, "a", 1, NULL);
    result("a", "why");
    result("a", "why");
    unit_tick(1000);

    old = table;
    table_make(&table, 2 * 1024 * 1024);
    table.checks = 1;
    ngx_rtmp_route_table_copy(&table, &old);

    is_uint(state("a"), NGX_RTMP_ROUTE_UNHEALTHY, "in another zone");
    is_uint(server_stat(&table, "a")->check.checks, 2, "checks");
    is_uint(server_stat(&table, "a")->check.downtime, 1000, "downtime");
}


static ngx_int_t
heartbeat(const char *id, ngx_uint_t n, int pid)
{
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    server_info(&info, id, n, NGX_RTMP_ROUTE_SRC_REGISTER);
    info.pid[0] = (u_char) pid;
    server_params(&params);

    return ngx_rtmp_route_server_set(&table, &info, &params, NULL);
}


/* two fails, three passes */

static ngx_uint_t
result(const char *id, const char *error)
{
    ngx_str_t             text;
    ngx_uint_t            was, health;
    ngx_rtmp_route_ref_t  r;

    r = ref(id);
    health = 99;

    if (error) {
        text = unit_str(error);
    }

    (void) ngx_rtmp_route_health_result(&table, &r, error ? &text : NULL, 2,
                                  state(id) == NGX_RTMP_ROUTE_CHECKING
                                  && !table.mandatory ? 1 : 3, &was, &health);

    return health;
}


static ngx_rtmp_route_ref_t
ref(const char *id)
{
    return server_stat(&table, id)->ref;
}


static ngx_uint_t
state(const char *id)
{
    return server_stat(&table, id)->state;
}


static const char *
picked(const char *key, ngx_uint_t op)
{
    ngx_rtmp_route_peer_t  peer;

    static char  id[NGX_RTMP_ROUTE_ID_LEN + 1];

    id[0] = '\0';

    if (pick(&table, key, op, &peer) == NGX_OK) {
        ngx_memcpy(id, peer.id.data, peer.id.len);
        id[peer.id.len] = '\0';
    }

    return id;
}


/* how many of some new streams a server gets */

static ngx_uint_t
share(const char *id)
{
    char        key[32];
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < RING; i++) {
        sprintf(key, "share/s%u", (unsigned) i);

        if (strcmp(picked(key, NGX_RTMP_ROUTE_PUBLISH), id) == 0) {
            n++;
        }
    }

    return n;
}


static void
write_log(ngx_log_t *log, ngx_uint_t level, u_char *buf, size_t len)
{
    size_t  n;

    n = strlen((char *) logged);
    len = ngx_min(len, sizeof(logged) - n - 1);

    ngx_memcpy(logged + n, buf, len);
    logged[n + len] = '\0';
}
