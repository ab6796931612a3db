
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_stray.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_addr.c ngx_rtmp_route_table_rules.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_conflict.c ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_health.c ngx_rtmp_route_events.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_zone.c */

/* What is shown of a session: how fast it was lately, and its client */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "table.h"

#include "ngx_rtmp_route_slot.c"
#include "ngx_rtmp_route_events.h"


#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY

#define MANY      2500


static void test_start(void);
static void test_steady(void);
static void test_change(void);
static void test_stop(void);
static void test_stall(void);
static void test_seldom(void);
static void test_large(void);
static void test_player(void);
static void test_many(void);
static void test_client(void);
static void test_totals(void);
static void begin(ngx_uint_t type);
static void end(void);
static void flow(ngx_uint_t ms, uint64_t bps);
static uint64_t rate(void);
static ngx_uint_t near(uint64_t got, uint64_t expected);
static void sample(void);
static void event(ngx_rtmp_route_session_t *session, ngx_uint_t what);


static ngx_rtmp_route_t           route;
static ngx_rtmp_route_table_t    *table = &route.table;
static ngx_rtmp_route_peer_t      peer;
static ngx_rtmp_route_session_t   one;
static ngx_msec_t                 phase;     /* when a sample is due */


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;

    table_make(table, 4 * 1024 * 1024);
    table_slot();

    ngx_queue_init(&route.sessions);
    ngx_queue_init(&ngx_posted_events);
    ngx_queue_init(&ngx_posted_next_events);
    ngx_rtmp_route_events_init(&route, &unit_log);

    server_add(table, "s1", 1, NULL);

    test_start();
    test_steady();
    test_change();
    test_stop();
    test_stall();
    test_seldom();
    test_large();
    test_player();
    test_many();
    test_client();
    test_totals();

    return done();
}


static void
test_start(void)
{
    begin(PUBLISH);

    is_uint(rate(), 0, "nothing yet");

    flow(100, 8000000);
    is_uint(rate(), 800000, "as if for a second at first");

    flow(900, 8000000);
    ok(near(rate(), 8000000), "after a second");

    flow(1300, 8000000);
    ok(near(rate(), 8000000), "after some");

    end();
}


static void
test_steady(void)
{
    ngx_uint_t  i, n;

    begin(PUBLISH);

    flow(1000, 3000000);
    n = 0;

    for (i = 0; i < 200; i++) {
        flow(100, 3000000);
        n += near(rate(), 3000000);
    }

    is_uint(n, 200, "the same whenever it is asked");

    end();
}


static void
test_change(void)
{
    begin(PUBLISH);

    flow(20000, 8000000);
    flow(2500, 2000000);
    ok(near(rate(), 5000000), "half of the window");

    flow(2500, 2000000);
    ok(rate() < 3300000, "most of it");

    flow(1000, 2000000);
    ok(near(rate(), 2000000), "nothing of before");

    flow(5900, 10000000);
    ok(near(rate(), 10000000), "faster");

    end();
}


static void
test_stop(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 5; i++) {
        begin(PUBLISH);

        flow(20000 + i * 200, 8000000);
        flow(6000, 0);
        is_uint(rate(), 0, "0 after 6 seconds");

        flow(600000, 0);
        is_uint(rate(), 0, "and later");

        flow(1000, 8000000);
        ok(rate() < 2000000, "of five seconds when it goes on");

        end();
    }
}


/* the process does nothing for some time */

static void
test_stall(void)
{
    begin(PUBLISH);

    flow(20000, 8000000);
    sample();

    unit_tick(4000);
    ok(near(rate(), 1600000), "nothing for 4 seconds");

    unit_tick(1000);
    is_uint(rate(), 0, "nothing for 5");

    *one.in += 10000000;
    ok(near(rate(), 16000000), "what has come since");

    unit_tick(5000);
    ok(near(rate(), 8000000), "in that time");

    phase = ngx_current_msec;

    flow(1000, 8000000);
    ok(near(rate(), 8000000), "sampled again");

    end();
}


static void
test_seldom(void)
{
    ngx_rtmp_route_session_stat_t  stat;
    uint32_t                       cursor;

    ngx_memzero(&one, sizeof(ngx_rtmp_route_session_t));
    session_open(table, "live/a", PUBLISH, &one, &peer);

    /* not watched, so never sampled */

    *one.in += 1000000;
    unit_tick(20000);

    cursor = 0;
    (void) ngx_rtmp_route_session_walk(table, &cursor, &stat);
    is_uint(stat.rate, 400000, "since the start");

    ngx_rtmp_route_table_close(table, &one);
}


/* what is noted has 32 bits */

static void
test_large(void)
{
    begin(PUBLISH);

    flow(20000, 6000000000ULL);
    ok(near(rate(), 6000000000ULL), "6 gigabits");

    *one.in = 0xffffff00;
    sample();
    *one.in += 5000;
    unit_tick(5000);
    is_uint(rate(), 8000, "32 bits have wrapped");

    end();
}


static void
test_player(void)
{
    begin(PLAY);

    flow(10000, 4000000);
    ok(near(rate(), 4000000), "what goes to a player");

    *one.in += 100000000;
    ok(near(rate(), 4000000), "not what comes from it");

    end();
}


/* more than are looked at in one go, some of which end meanwhile */

static void
test_many(void)
{
    uint32_t                        cursor;
    ngx_uint_t                      i, n;
    ngx_event_t                    *ev;
    ngx_queue_t                    *q;
    ngx_rtmp_route_session_stat_t   stat;

    static ngx_rtmp_route_session_t  sessions[MANY];

    for (i = 0; i < MANY; i++) {
        session_open(table, "live/a", PLAY, &sessions[i], &peer);
        sessions[i].route = &route;
        ngx_rtmp_route_session_watch(&sessions[i], event);
        *sessions[i].out += 1000;
    }

    unit_tick(1000);

    ngx_rtmp_route_events_sample(&route);

    for (n = 0; !ngx_queue_empty(&ngx_posted_events); n++) {
        q = ngx_queue_head(&ngx_posted_events);
        ev = ngx_queue_data(q, ngx_event_t, queue);

        ngx_delete_posted_event(ev);
        ev->handler(ev);

        if (n == 0) {
            ngx_rtmp_route_events_sample(&route);
        }

        for (i = n; i < MANY; i += 7) {
            if (sessions[i].event) {
                ngx_rtmp_route_events_forget(&sessions[i]);
                ngx_rtmp_route_table_close(table, &sessions[i]);
            }
        }

        ngx_queue_add(&ngx_posted_events, &ngx_posted_next_events);
        ngx_queue_init(&ngx_posted_next_events);
    }

    ok(n > 2 && n < 5, "%lu steps", (unsigned long) n);

    cursor = 0;
    n = 0;

    while (ngx_rtmp_route_session_walk(table, &cursor, &stat) == NGX_OK) {
        n += (stat.rate != 8000);
    }

    is_uint(n, 0, "each was sampled");

    for (i = 0; i < MANY; i++) {
        if (sessions[i].event) {
            ngx_rtmp_route_events_forget(&sessions[i]);
            ngx_rtmp_route_table_close(table, &sessions[i]);
        }
    }

    ok(ngx_queue_empty(&route.sessions), "nothing is left in the queue");
}


static void
test_client(void)
{
    uint32_t                        cursor;
    ngx_uint_t                      i;
    ngx_rtmp_route_query_t          query;
    ngx_rtmp_route_session_t        session;
    ngx_rtmp_route_session_info_t   info;
    ngx_rtmp_route_session_stat_t   stat;

    static struct {
        const char  *text;
        const char  *shown;     /* NULL: the same */
        ngx_uint_t   family;
    } clients[] = {
        { "203.0.113.7:51234", NULL, AF_INET },
        { "[2001:db8::1]:51234", NULL, AF_INET6 },
        { "[::ffff:10.0.0.1]:80", "10.0.0.1:80", AF_INET },
        { "10.0.0.1", NULL, AF_INET },
        { "::1", NULL, AF_INET6 },
        { "unix:", NULL, 0 },
        { "unix:/tmp/a:1", NULL, 0 },
        { "", NULL, 0 },
        { "10.0.0.1:", NULL, 0 },
        { "10.0.0.1:65536", NULL, 0 },
        { "10.0.0.1:1x", NULL, 0 },
        { "1:2:3", NULL, 0 }
    };

    for (i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        ngx_memzero(&session, sizeof(ngx_rtmp_route_session_t));
        query_init(&query, "live/c", PLAY);

        info.type = PLAY;
        info.client = unit_str(clients[i].text);
        info.agent = unit_str("LNX 9,0,124,2");

        (void) ngx_rtmp_route_table_open(table, &query, &info, &session,
                                         &peer);
        cursor = 0;
        (void) ngx_rtmp_route_session_walk(table, &cursor, &stat);

        is_str(&stat.client,
               clients[i].shown ? clients[i].shown : clients[i].text,
               "client \"%s\"", clients[i].text);
        is_str(&stat.agent, "LNX 9,0,124,2", "its agent");
        is_uint(stat.addr.family, clients[i].family, "its address");
        is_str(&stat.upstream, "10.0.0.1:1935", "its server");

        ngx_rtmp_route_table_close(table, &session);
    }

    ok(ngx_rtmp_route_table_check(table) == NGX_OK, "consistent");
}


/* bytes of sessions are their server's, too, all of them in the end */

static void
test_totals(void)
{
    uint64_t                       in, out, first_in, first_out;
    ngx_str_t                      id;
    ngx_rtmp_route_server_stat_t   stat;

    id = unit_str("s1");

    ngx_rtmp_route_table_bytes(table, &first_in, &first_out);

    begin(PLAY);

    *one.in += 100;
    *one.out += 3000000000;

    end();

    begin(PUBLISH);

    *one.in += 5000;
    *one.out += 5000;

    flow(2000, 8000);

    ngx_rtmp_route_table_bytes(table, &in, &out);
    ok(in - first_in > 5000, "carried over while it runs");

    end();

    ngx_rtmp_route_table_bytes(table, &in, &out);
    is_uint(in - first_in, 100 + 5000 + 2000, "from clients");
    is_uint(out - first_out, 3000000000 + 5000, "to clients");

    (void) ngx_rtmp_route_server_get(table, &id, &stat);
    is_uint(stat.in, in, "the same of the server");
    is_uint(stat.out, out, "in both directions");
}


static void
begin(ngx_uint_t type)
{
    ngx_memzero(&one, sizeof(ngx_rtmp_route_session_t));

    session_open(table, "live/a", type, &one, &peer);

    one.route = &route;
    ngx_rtmp_route_session_watch(&one, event);

    /* no session begins when samples are taken */

    phase = ngx_current_msec + 300;
}


static void
end(void)
{
    ngx_rtmp_route_events_forget(&one);
    ngx_rtmp_route_table_close(table, &one);
}


static void
flow(ngx_uint_t ms, uint64_t bps)
{
    ngx_uint_t     i;
    ngx_atomic_t  *bytes;
    ngx_rtmp_route_session_stat_t   stat;
    uint32_t  cursor;

    cursor = 0;
    (void) ngx_rtmp_route_session_walk(table, &cursor, &stat);
    bytes = (stat.type == PUBLISH) ? one.in : one.out;

    for (i = 0; i < ms; i += 50) {
        unit_tick(50);
        *bytes += bps * 50 / 8000;

        if ((ngx_msec_int_t) (ngx_current_msec - phase) >= 0) {
            phase += 1000;
            sample();
        }
    }
}


static uint64_t
rate(void)
{
    uint32_t                       cursor;
    ngx_rtmp_route_session_stat_t  stat;

    cursor = 0;
    (void) ngx_rtmp_route_session_walk(table, &cursor, &stat);

    return stat.rate;
}


/* within 4 per cent */

static ngx_uint_t
near(uint64_t got, uint64_t expected)
{
    if (got >= expected - expected / 25 && got <= expected + expected / 25) {
        return 1;
    }

    diag("got %lu, not %lu", (unsigned long) got, (unsigned long) expected);

    return 0;
}


static void
sample(void)
{
    ngx_event_t  *ev;
    ngx_queue_t  *q;

    ngx_rtmp_route_events_sample(&route);

    while (!ngx_queue_empty(&ngx_posted_events)) {
        q = ngx_queue_head(&ngx_posted_events);
        ev = ngx_queue_data(q, ngx_event_t, queue);

        ngx_delete_posted_event(ev);
        ev->handler(ev);
    }
}


static void
event(ngx_rtmp_route_session_t *session, ngx_uint_t what)
{
    /* void */
}
