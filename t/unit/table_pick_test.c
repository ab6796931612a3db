
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
/* sources: ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c */


/* Picking a server: methods, limits, fails, endpoints. */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define FETCH     NGX_RTMP_ROUTE_FETCH

#define KEYS      20000


static void test_answer(void);
static void test_unknown(void);
static void test_guess(void);
static void test_yields(void);
static void test_hash(void);
static void test_hash_weights(void);
static void test_hash_order(void);
static void test_round_robin(void);
static void test_random(void);
static void test_least_conn(void);
static void test_no_key(void);
static void test_eligible(void);
static void test_forced(void);
static void test_only(void);
static void test_limits(void);
static void test_limits_many(void);
static void test_endpoints(void);
static void test_fails(void);
static void test_single(void);
static void test_next(void);
static void test_count(void);
static void fresh(ngx_uint_t n);
static ngx_uint_t pick_index(ngx_uint_t key, ngx_uint_t op);
static void distribution(ngx_uint_t n, ngx_uint_t picks, ngx_uint_t *count);
static ngx_uint_t near(ngx_uint_t got, ngx_uint_t expected,
    ngx_uint_t percent);


static ngx_rtmp_route_table_t   table;
static ngx_rtmp_route_peer_t    peer;
static ngx_rtmp_route_query_t   query;


int
main(void)
{
    unit_init();
    fresh(1);
    table_slot();

    test_answer();
    test_unknown();
    test_guess();
    test_yields();
    test_hash();
    test_hash_weights();
    test_hash_order();
    test_round_robin();
    test_random();
    test_least_conn();
    test_no_key();
    test_eligible();
    test_forced();
    test_only();
    test_limits();
    test_limits_many();
    test_endpoints();
    test_fails();
    test_single();
    test_next();
    test_count();

    return done();
}


static void
test_answer(void)
{
    ngx_str_t                     text;
    u_char                        buf[NGX_SOCKADDR_STRLEN];
    ngx_rtmp_route_server_info_t  info;

    fresh(0);

    is_uint(pick(&table, "live/a", PUBLISH, &peer), NGX_BUSY, "no server");

    server_info(&info, "origin-1", 258, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.proxy_protocol = NGX_RTMP_ROUTE_PP_V2;
    info.host_len = 7;
    ngx_memcpy(info.host, "example", 7);
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "picked");
    is_str(&peer.id, "origin-1", "id");
    is_str(&peer.host, "example", "host");
    is_str(&peer.name, "10.0.1.2:5999", "name");
    is_uint(peer.protocol, NGX_RTMP_ROUTE_HTTP, "protocol");
    is_uint(peer.endpoint, 0, "endpoint");
    is_uint(peer.proxy_protocol, NGX_RTMP_ROUTE_PP_V2, "proxy_protocol");
    is_uint(peer.conn, 0, "not counted");
    is_uint(peer.known, 0, "unknown");

    text.data = buf;
    text.len = ngx_sock_ntop(&peer.sockaddr.sockaddr, peer.socklen, buf,
                             sizeof(buf), 1);
    is_str(&text, "10.0.1.2:5999", "address");
}


static void
test_unknown(void)
{
    uint64_t  selected;

    fresh(2);

    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;
    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_DECLINED, "play refused");
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_DECLINED,
            "fetch refused");
    is_uint(pick(&table, "live/a", PUBLISH, &peer), NGX_OK, "not publish");
    is_uint(pick(&table, "", FETCH, &peer), NGX_OK, "not without a stream");

    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_WAIT;
    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_AGAIN, "play waits");
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_AGAIN, "fetch waits");
    is_uint(pick(&table, "live/a", PUBLISH, &peer), NGX_OK, "not publish");

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_OK, "known");
    is_uint(peer.known, 1, "known");
    is_str(&peer.id, "s1", "where it is");

    selected = server_stat(&table, "s1")->selected;

    query_init(&query, "live/a", FETCH);
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "look-up");
    is_uint(server_stat(&table, "s1")->selected, selected, "is no choice");

    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_PICK;
    query_init(&query, "live/b", FETCH);
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_DECLINED,
            "of an unknown");
    query.op = PUBLISH;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_DECLINED,
            "of an unknown one to publish");
}


/* what says where a stream is, and what is only likely */

static void
test_guess(void)
{
    u_char                    id[NGX_RTMP_ROUTE_ID_LEN];
    ngx_str_t                 key, first;
    ngx_rtmp_route_session_t  session;

    fresh(3);

    key = unit_str("live/a");

    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.guess, 1, "a new pick");

    session_open(&table, "live/a", PUBLISH, &session, &peer);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);
    ngx_rtmp_route_table_close(&table, &session);

    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_PICK, "remembered");
    is_uint(peer.guess, 1, "a guess as well");

    first.len = peer.id.len;
    first.data = id;
    ngx_memcpy(id, peer.id.data, peer.id.len);

    query_init(&query, "live/a", PLAY);
    query.search = 1;
    query.tried[query.ntried].server = peer.server;
    query.tried[query.ntried].protocol = peer.protocol;
    query.tried[query.ntried++].endpoint = peer.endpoint;
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    ok(peer.server.index != query.tried[0].server.index, "another one");
    is_uint(peer.guess, 1, "no better");

    pick(&table, "live/a", PLAY, &peer);
    ok(peer.id.len == first.len
       && ngx_memcmp(peer.id.data, id, first.len) == 0, "not remembered");

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.guess, 1, "found");

    ngx_rtmp_route_stream_delete(&table, &key);
    first = unit_str("s1");

    ngx_rtmp_route_core_set(&table, &key, &first, 0, 1000);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_CORE, "the core was asked");
    is_uint(peer.guess, 1, "is a guess");

    ngx_rtmp_route_core_set(&table, &key, &first,
                            ngx_rtmp_route_core_begin(&table), 0);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.guess, 0, "listed by the core");

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_LIST);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.guess, 0, "registered");

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_PIN);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.guess, 0, "pinned");

    session_open(&table, "live/b", PUBLISH, &session, &peer);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);
    pick(&table, "live/b", PLAY, &peer);
    is_uint(peer.guess, 0, "published");
    ngx_rtmp_route_table_close(&table, &session);

    IS_CHECKED(&table);
}


/* a publisher that goes where others say: known, and hides nothing */

static void
test_yields(void)
{
    ngx_str_t                       key;
    ngx_rtmp_route_session_t        session;
    ngx_rtmp_route_session_info_t   info;

    fresh(3);

    key = unit_str("live/a");

    ngx_memzero(&session, sizeof(ngx_rtmp_route_session_t));
    ngx_memzero(&info, sizeof(ngx_rtmp_route_session_info_t));
    info.type = PUBLISH;
    info.client = unit_str("unix:");
    info.agent = unit_str("test");

    stream_set(&table, "live/a", "s0", NGX_RTMP_ROUTE_FROM_PIN);
    query_init(&query, "live/a", PUBLISH);
    query.yields = 1;
    is_uint(ngx_rtmp_route_table_open(&table, &query, &info, &session, &peer),
            NGX_OK, "opened");
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);
    ngx_rtmp_route_stream_delete(&table, &key);
    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_LIST);
    pick(&table, "live/a", PUBLISH, &peer);
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_LIST, "a listing is heard");
    is_str(&peer.id, "s1", "of another server");

    stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_PIN);
    pick(&table, "live/a", PUBLISH, &peer);
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_PIN, "a pin");
    ngx_rtmp_route_table_close(&table, &session);

    query_init(&query, "live/b", PUBLISH);
    query.yields = 1;
    ngx_memzero(&session, sizeof(ngx_rtmp_route_session_t));
    ngx_rtmp_route_table_open(&table, &query, &info, &session, &peer);

    query_init(&query, "live/b", PLAY);
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_DECLINED,
            "not known yet");

    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "known");
    ngx_rtmp_route_table_close(&table, &session);

    IS_CHECKED(&table);
}


/* whoever comes or goes moves only its own streams */

static void
test_hash(void)
{
    ngx_str_t    id;
    ngx_uint_t   i, n, moved, wrong, back, count[10];

    static u_char  before[KEYS];

    fresh(10);
    ngx_memzero(count, sizeof(count));

    for (i = 0; i < KEYS; i++) {
        n = pick_index(i, FETCH);
        before[i] = (u_char) n;
        count[n]++;
    }

    for (n = 0, wrong = 0; n < 10; n++) {
        if (!near(count[n], KEYS / 10, 10)) {
            wrong++;
        }
    }

    is_uint(wrong, 0, "evenly distributed");

    id = unit_str("s4");
    ngx_rtmp_route_server_delete(&table, &id);

    for (i = 0, moved = 0, wrong = 0; i < KEYS; i++) {
        n = pick_index(i, FETCH);

        if (n != before[i]) {
            moved++;

            if (before[i] != 4) {
                wrong++;
            }
        }
    }

    is_uint(moved, count[4], "its streams have moved");
    is_uint(wrong, 0, "and no others");

    server_add(&table, "s4", 4, NULL);

    for (i = 0, back = 0; i < KEYS; i++) {
        back += (pick_index(i, FETCH) == before[i]);
    }

    is_uint(back, KEYS, "all are back");

    /* another table with the same servers, in another order */

    fresh(0);

    for (n = 10; n > 0; n--) {
        char  name[24];

        snprintf(name, sizeof(name), "s%lu", (unsigned long) n - 1);
        server_add(&table, name, n + 100, NULL);
    }

    for (i = 0, back = 0; i < KEYS; i++) {
        back += (pick_index(i, FETCH) == before[i]);
    }

    is_uint(back, KEYS, "proxies agree");
}


static void
test_hash_weights(void)
{
    ngx_uint_t   i, n, wrong, gained, lost, count[4];

    static u_char  before[KEYS];

    static uint32_t  weights[] = { 1, 2, 3, 10 };

    fresh(4);
    ngx_memzero(count, sizeof(count));

    for (n = 0; n < 4; n++) {
        char  name[24];

        snprintf(name, sizeof(name), "s%lu", (unsigned long) n);
        server_patch(&table, name,
                     offsetof(ngx_rtmp_route_server_params_t, weight),
                     weights[n]);
    }

    for (i = 0; i < KEYS; i++) {
        n = pick_index(i, FETCH);
        before[i] = (u_char) n;
        count[n]++;
    }

    for (n = 0, wrong = 0; n < 4; n++) {
        if (!near(count[n], KEYS * weights[n] / 16, 8)) {
            diag("weight %u: %lu", weights[n], (unsigned long) count[n]);
            wrong++;
        }
    }

    is_uint(wrong, 0, "distributed by weight");

    /* more weight takes streams, and moves none between others */

    server_patch(&table, "s1",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 4);

    gained = 0;
    lost = 0;
    wrong = 0;

    for (i = 0; i < KEYS; i++) {
        n = pick_index(i, FETCH);

        if (n == before[i]) {
            continue;
        }

        if (n == 1) {
            gained++;

        } else if (before[i] == 1) {
            lost++;

        } else {
            wrong++;
        }
    }

    ok(gained > 0, "gained");
    is_uint(lost, 0, "none lost");
    is_uint(wrong, 0, "none moved between others");

    /* equal weights are the same as none */

    for (n = 0; n < 4; n++) {
        char  name[24];

        snprintf(name, sizeof(name), "s%lu", (unsigned long) n);
        server_patch(&table, name,
                     offsetof(ngx_rtmp_route_server_params_t, weight), 1);
    }

    for (i = 0; i < KEYS; i++) {
        before[i] = (u_char) pick_index(i, FETCH);
    }

    for (n = 0; n < 4; n++) {
        char  name[24];

        snprintf(name, sizeof(name), "s%lu", (unsigned long) n);
        server_patch(&table, name,
                     offsetof(ngx_rtmp_route_server_params_t, weight),
                     0xffffffff);
    }

    for (i = 0, wrong = 0; i < KEYS; i++) {
        wrong += (pick_index(i, FETCH) != before[i]);
    }

    is_uint(wrong, 0, "even the largest");
}


/* the next server in turn does not depend on what was tried before it */

static void
test_hash_order(void)
{
    ngx_uint_t              i, n, wrong;
    ngx_rtmp_route_peer_t   first, second;
    ngx_str_t               id;

    fresh(5);
    wrong = 0;

    for (i = 0; i < 5; i++) {
        char  key[48];

        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);
        query_init(&query, key, FETCH);

        ngx_rtmp_route_table_pick(&table, &query, &first);
        query.tried[0].server = first.server;
        query.tried[0].protocol = first.protocol;
        query.tried[0].endpoint = first.endpoint;
        query.ntried = 1;
        ngx_rtmp_route_table_pick(&table, &query, &second);

        n = first.id.data[1] - '0';

        id = first.id;
        ngx_rtmp_route_server_delete(&table, &id);

        pick(&table, key, FETCH, &peer);

        if (peer.server.index != second.server.index) {
            wrong++;
        }

        id.data[id.len] = '\0';
        server_add(&table, (char *) id.data, n, NULL);
    }

    is_uint(wrong, 0, "second in order is first without the first");

    query.ntried = NGX_RTMP_ROUTE_MAX_TRIED + 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "more tried than there can be");
}


static void
test_round_robin(void)
{
    char        order[13];
    ngx_uint_t  i, count[4];

    fresh(3);
    table.method = NGX_RTMP_ROUTE_ROUND_ROBIN;

    distribution(3, 300, count);
    ok(count[0] == 100 && count[1] == 100 && count[2] == 100, "in turn");

    server_patch(&table, "s0",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 4);

    for (i = 0; i < 12; i++) {
        order[i] = (char) ('0' + pick_index(i, FETCH));
    }

    order[12] = '\0';

    ok(strcmp(order, "001020001020") == 0 || strcmp(order, "001200001200") == 0
       || strcmp(order, "010200010200") == 0,
       "smooth weights: %s", order);

    server_flags(&table, "s0", 0, 1, 0);
    distribution(3, 100, count);
    ok(count[0] == 0 && count[1] == 50 && count[2] == 50, "draining");
}


static void
test_random(void)
{
    ngx_uint_t  count[4];

    fresh(3);
    table.method = NGX_RTMP_ROUTE_RANDOM;
    srandom(1);

    server_patch(&table, "s1",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 2);
    distribution(3, 20000, count);
    ok(near(count[0], 5000, 5) && near(count[1], 10000, 5)
       && near(count[2], 5000, 5), "by weight");
}


static void
test_least_conn(void)
{
    ngx_uint_t                i, count[4];
    ngx_rtmp_route_session_t  sessions[40];

    fresh(3);
    table.method = NGX_RTMP_ROUTE_LEAST_CONN;

    server_patch(&table, "s2",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 2);

    for (i = 0; i < 40; i++) {
        char  key[48];

        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);
        session_open(&table, key, PLAY, &sessions[i], &peer);
    }

    is_uint(server_stat(&table, "s0")->conns, 10, "conns");
    is_uint(server_stat(&table, "s1")->conns, 10, "conns");
    is_uint(server_stat(&table, "s2")->conns, 20, "conns by weight");

    for (i = 0; i < 40; i++) {
        ngx_rtmp_route_table_close(&table, &sessions[i]);
    }

    /* uncounted ones go round in turn */

    distribution(3, 400, count);
    ok(count[0] == 100 && count[1] == 100 && count[2] == 200,
       "those as busy as others in turn");

    IS_CHECKED(&table);
}


static void
test_no_key(void)
{
    ngx_uint_t             i;
    ngx_rtmp_route_peer_t  peers[30];

    fresh(3);

    for (i = 0; i < 30; i++) {
        query_init(&query, "", FETCH);
        query.count = 1;
        ngx_rtmp_route_table_pick(&table, &query, &peers[i]);
    }

    is_uint(server_stat(&table, "s0")->conns, 10, "least connections");
    is_uint(server_stat(&table, "s1")->conns, 10, "least connections");

    for (i = 0; i < 30; i++) {
        ngx_rtmp_route_table_free(&table, &peers[i]);
    }

    is_uint(server_stat(&table, "s0")->conns, 0, "freed");
    ngx_rtmp_route_table_free(&table, &peers[0]);
    is_uint(server_stat(&table, "s0")->conns, 0, "once");

    IS_CHECKED(&table);
}


static void
test_eligible(void)
{
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    fresh(2);
    server_flags(&table, "s0", 1, 0, 0);
    server_flags(&table, "s1", 0, 1, 0);
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_BUSY, "down, draining");

    /* what is there stays on a draining server, not on one that is down */

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    is_uint(pick(&table, "live/a", PUBLISH, &peer), NGX_OK, "known there");
    stream_set(&table, "live/b", "s0", NGX_RTMP_ROUTE_FROM_FOUND);
    is_uint(pick(&table, "live/b", PUBLISH, &peer), NGX_BUSY, "down");
    server_flags(&table, "s1", 0, 0, 0);
    is_uint(pick(&table, "live/b", FETCH, &peer), NGX_OK, "picked anew");
    is_str(&peer.id, "s1", "elsewhere");

    /* backup */

    fresh(3);
    server_flags(&table, "s0", 0, 0, 1);
    server_flags(&table, "s1", 0, 0, 1);
    is_uint(pick_index(1, FETCH), 2, "not the backups");
    is_uint(pick_index(2, FETCH), 2, "not the backups");
    is_uint(pick_index(3, FETCH), 2, "not the backups");
    server_flags(&table, "s2", 1, 0, 0);
    ok(pick_index(1, FETCH) < 2, "but if there is no other");

    /* a registration in time */

    fresh(0);
    server_info(&info, "r", 1, NGX_RTMP_ROUTE_SRC_REGISTER);
    server_params(&params);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "registered");
    unit_tick(30001);
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_BUSY, "expired");

    /* the protocol */

    fresh(1);
    server_info(&info, "https", 1, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.nendpoints[NGX_RTMP_ROUTE_HTTP] = 0;
    info.nendpoints[NGX_RTMP_ROUTE_HTTPS] = 1;
    info.endpoints[NGX_RTMP_ROUTE_HTTPS][0] =
                                        info.endpoints[NGX_RTMP_ROUTE_HTTP][0];
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    server_flags(&table, "s0", 1, 0, 0);
    query_init(&query, "live/a", FETCH);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "lacks the protocol");
    query.alternative = NGX_RTMP_ROUTE_HTTPS;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "has the other one");
    is_uint(peer.protocol, NGX_RTMP_ROUTE_HTTPS, "which is told");

    stream_set(&table, "live/a", "https", NGX_RTMP_ROUTE_FROM_FOUND);
    server_flags(&table, "s0", 0, 0, 0);
    query_init(&query, "live/a", FETCH);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "picked anew for the protocol");
    is_str(&peer.id, "s0", "elsewhere");
}


/* HTTP has a server of its own, for streams known and unknown */

static void
test_forced(void)
{
    ngx_str_t                      key;
    ngx_rtmp_route_server_info_t   info;
    ngx_rtmp_route_stream_stat_t   stream;

    fresh(2);
    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;
    table.forced = 1;

    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_BUSY, "not there yet");

    server_info(&info, "parent:80", 9, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.forced = 1;
    info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 0;
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_PIN);

    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "known");
    is_str(&peer.id, "parent:80", "there");
    is_uint(peer.single, 1, "and nowhere else");
    is_uint(pick(&table, "live/b", FETCH, &peer), NGX_OK, "unknown");
    is_str(&peer.id, "parent:80", "there, too");
    is_uint(pick(&table, "", FETCH, &peer), NGX_OK, "no name");
    is_str(&peer.id, "parent:80", "there");

    query_init(&query, "live/b", FETCH);
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_DECLINED,
            "a look-up finds what is known");
    query_init(&query, "live/a", FETCH);
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "known");
    is_str(&peer.id, "parent:80", "there");

    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_OK, "RTMP");
    is_str(&peer.id, "s1", "is where it is");
    is_uint(pick(&table, "live/b", PLAY, &peer), NGX_DECLINED, "or is not");

    query_init(&query, "live/a", FETCH);
    query.protocol = NGX_RTMP_ROUTE_RTMP;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "another protocol");
    is_str(&peer.id, "s1", "is where it is");

    /* it leaves nothing behind, and is used as long as it is the only one */

    query_init(&query, "live/b", FETCH);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "found");
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "no other one is tried");
    is_uint(pick(&table, "live/b", FETCH, &peer), NGX_OK, "nor given up");
    key = unit_str("live/b");
    is_uint(ngx_rtmp_route_stream_get(&table, &key, &stream),
            NGX_DECLINED, "nothing is left");

    IS_CHECKED(&table);

    table.forced = 0;
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "not forced");
    is_str(&peer.id, "s1", "where it is");
}


/* what a server has said leads to the same one */

static void
test_only(void)
{
    ngx_str_t             key;
    ngx_rtmp_route_ref_t  ref;

    fresh(4);
    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_PIN);
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "there");
    ref = peer.server;

    stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_PIN);
    server_flags(&table, "s1", 0, 1, 0);

    query_init(&query, "live/b", FETCH);
    query.only = 1;
    query.server = ref;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "the same, whatever the stream");
    is_str(&peer.id, "s1", "although it is draining");
    is_uint(peer.single, 1, "and no other");

    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "once");

    query_init(&query, "live/a", FETCH);
    query.only = 1;
    query.server = ref;
    server_flags(&table, "s1", 1, 0, 0);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "not when it is down");

    server_flags(&table, "s1", 0, 0, 0);
    key = unit_str("s1");
    ngx_rtmp_route_server_delete(&table, &key);
    server_add(&table, "s1", 1, NULL);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "nor another one in its place");

    IS_CHECKED(&table);
}


static void
test_limits(void)
{
    ngx_rtmp_route_session_t  a, b, c;

    fresh(1);
    server_patch(&table, "s0",
                 offsetof(ngx_rtmp_route_server_params_t, max_conns), 2);

    is_uint(session_open(&table, "live/a", PUBLISH, &a, &peer), NGX_OK, "one");
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_RELAY);
    is_uint(session_open(&table, "live/a", PLAY, &b, &peer), NGX_OK, "two");
    is_uint(session_open(&table, "live/a", PLAY, &c, &peer), NGX_BUSY,
            "not three");
    is_uint(session_open(&table, "live/b", PLAY, &c, &peer), NGX_BUSY,
            "nor of another stream");
    is_uint(pick(&table, "live/b", FETCH, &peer), NGX_BUSY, "nor a pick");
    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK,
            "only one that is not counted and has no choice");

    ngx_rtmp_route_table_close(&table, &b);
    is_uint(session_open(&table, "live/b", PLAY, &b, &peer), NGX_OK,
            "when there is room again");
    ngx_rtmp_route_table_close(&table, &a);
    ngx_rtmp_route_table_close(&table, &b);

    fresh(1);
    server_patch(&table, "s0",
                 offsetof(ngx_rtmp_route_server_params_t, max_streams), 2);

    is_uint(session_open(&table, "live/a", PUBLISH, &a, &peer), NGX_OK, "one");
    is_uint(session_open(&table, "live/b", PUBLISH, &b, &peer), NGX_OK, "two");
    is_uint(session_open(&table, "live/c", PUBLISH, &c, &peer), NGX_BUSY,
            "not three, though none is live yet");
    is_uint(server_stat(&table, "s0")->streams, 0, "as it says");
    is_uint(session_open(&table, "live/c", PLAY, &c, &peer), NGX_OK,
            "players don't matter");
    ngx_rtmp_route_table_close(&table, &c);
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_RELAY);
    ngx_rtmp_route_table_state(&table, &b, NGX_RTMP_ROUTE_S_RELAY);
    is_uint(server_stat(&table, "s0")->streams, 2, "live");
    is_uint(session_open(&table, "live/c", PUBLISH, &c, &peer), NGX_BUSY,
            "no room");
    is_uint(session_open(&table, "live/b", PUBLISH, &c, &peer), NGX_OK,
            "known ones are let in");
    ngx_rtmp_route_table_close(&table, &c);
    ngx_rtmp_route_table_close(&table, &b);
    is_uint(session_open(&table, "live/c", PUBLISH, &c, &peer), NGX_OK,
            "room");

    IS_CHECKED(&table);
}


/* processes at once never exceed a limit, and reach it */

static void
test_limits_many(void)
{
    int                             status;
    ngx_uint_t                      i, k, over, n;
    ngx_rtmp_route_hot_t           *hot;
    ngx_rtmp_route_session_t        sessions[50];
    ngx_rtmp_route_server_params_t  params;

    fresh(0);
    server_params(&params);
    params.max_conns = 100;
    params.max_streams = 30;
    server_add(&table, "s0", 0, &params);

    for (i = 0; i < 4; i++) {

        if (fork() == 0) {
            srandom(i);
            ngx_rtmp_route_slot_release();
            table_slot();
            ngx_memzero(sessions, sizeof(sessions));
            hot = ngx_rtmp_route_hot(table.sh, 0);
            over = 0;

            for (n = 0; n < 20000; n++) {
                char  key[48];

                k = random() % 50;

                if (sessions[k].cell) {
                    if (random() % 2) {
                        ngx_rtmp_route_table_state(&table, &sessions[k],
                                                   NGX_RTMP_ROUTE_S_RELAY);

                    } else {
                        ngx_rtmp_route_table_close(&table, &sessions[k]);
                    }

                } else {
                    snprintf(key, sizeof(key), "live/%lu-%lu",
                             (unsigned long) i, (unsigned long) n);
                    (void) session_open(&table, key,
                                        (k % 2) ? PUBLISH : PLAY,
                                        &sessions[k], &peer);
                }

                if (hot->conns > 100 || hot->streams > 30) {
                    over++;
                }
            }

            for (k = 0; k < 50; k++) {
                ngx_rtmp_route_table_close(&table, &sessions[k]);
            }

            ngx_rtmp_route_slot_release();
            exit(over ? 1 : 0);
        }
    }

    for (i = 0, n = 0; i < 4; i++) {
        if (wait(&status) == -1 || status != 0) {
            n++;
        }
    }

    is_uint(n, 0, "limits kept");
    is_uint(server_stat(&table, "s0")->conns, 0, "all closed");
    is_uint(server_stat(&table, "s0")->streams, 0, "none live");
    ok(server_stat(&table, "s0")->selected > 1000, "many were opened");

    IS_CHECKED(&table);
}


/* all endpoints of a server, then another server */

static void
test_endpoints(void)
{
    ngx_uint_t                    i, method;
    ngx_rtmp_route_server_info_t  info;

    for (method = NGX_RTMP_ROUTE_HASH; method <= NGX_RTMP_ROUTE_RANDOM;
         method++)
    {
        fresh(0);
        table.method = method;

        for (i = 1; i < 3; i++) {
            server_info(&info, i == 1 ? "s1" : "s2", i,
                        NGX_RTMP_ROUTE_SRC_CONFIG);
            info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 2;
            info.endpoints[NGX_RTMP_ROUTE_RTMP][1] =
                                        info.endpoints[NGX_RTMP_ROUTE_RTMP][0];
            info.endpoints[NGX_RTMP_ROUTE_RTMP][1].port = 1936;
            ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
        }

        query_init(&query, "live/a", PUBLISH);

        ngx_rtmp_route_table_pick(&table, &query, &peer);
        i = peer.server.index;
        is_uint(peer.endpoint, 0, "method %lu: first", (unsigned long) method);
        ngx_rtmp_route_table_report(&table, &query, &peer, 1);
        is_uint(ngx_rtmp_route_hot(table.sh, i)->fails, 0, "no fail yet");

        ngx_rtmp_route_table_pick(&table, &query, &peer);
        is_uint(peer.server.index, i, "the same server");
        is_uint(peer.endpoint, 1, "the next endpoint");
        ngx_rtmp_route_table_report(&table, &query, &peer, 1);
        is_uint(ngx_rtmp_route_hot(table.sh, i)->fails, 1, "a fail");

        ngx_rtmp_route_table_pick(&table, &query, &peer);
        ok(peer.server.index != i, "another server");
        is_uint(peer.endpoint, 0, "first");
        ngx_rtmp_route_table_report(&table, &query, &peer, 1);
        ngx_rtmp_route_table_pick(&table, &query, &peer);
        is_uint(peer.endpoint, 1, "second");
        ngx_rtmp_route_table_report(&table, &query, &peer, 1);

        is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
                "no more");
        is_uint(query.ntried, 4, "tried");
    }
}


static void
test_fails(void)
{
    fresh(2);
    server_patch(&table, "s0",
                 offsetof(ngx_rtmp_route_server_params_t, max_fails), 2);

    stream_set(&table, "live/a", "s0", NGX_RTMP_ROUTE_FROM_PIN);

#define FAIL(failed)                                                          \
    query_init(&query, "live/a", PLAY);                                       \
    ngx_rtmp_route_table_pick(&table, &query, &peer);                         \
    is_str(&peer.id, "s0", "tried");                                          \
    ngx_rtmp_route_table_report(&table, &query, &peer, failed)

    FAIL(1);
    is_uint(query.ntried, 1, "noted");
    is_uint(server_stat(&table, "s0")->state, NGX_RTMP_ROUTE_UP, "one fail");

    FAIL(0);
    is_uint(query.ntried, 0, "not noted");
    FAIL(1);
    is_uint(server_stat(&table, "s0")->state, NGX_RTMP_ROUTE_UP,
            "the first one was forgiven");

    unit_tick(10001);
    FAIL(1);
    is_uint(server_stat(&table, "s0")->state, NGX_RTMP_ROUTE_UP,
            "the second one is long ago");

    FAIL(1);
    is_uint(server_stat(&table, "s0")->state, NGX_RTMP_ROUTE_UNAVAIL,
            "two in time");
    is_uint(server_stat(&table, "s0")->fails, 4, "fails");
    is_uint(server_stat(&table, "s0")->unavail, 1, "unavail");

    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s1", "another is taken");

    unit_tick(10000);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s1", "still");

    unit_tick(1);
    query_init(&query, "live/a", PLAY);
    query.lookup = 1;
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_str(&peer.id, "s0", "might be tried");

    FAIL(1);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s1", "failed once more");
    is_uint(server_stat(&table, "s0")->unavail, 1, "has not been back");

    unit_tick(10001);
    query_init(&query, "live/a", PLAY);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_str(&peer.id, "s0", "one tries it");

    {
        ngx_rtmp_route_peer_t  other;

        pick(&table, "live/a", PLAY, &other);
        is_str(&other.id, "s1", "and no other meanwhile");
    }

    ngx_rtmp_route_table_report(&table, &query, &peer, 0);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s0", "it is back");

    server_patch(&table, "s0",
                 offsetof(ngx_rtmp_route_server_params_t, max_fails), 0);
    FAIL(1);
    FAIL(1);
    FAIL(1);
    is_uint(server_stat(&table, "s0")->state, NGX_RTMP_ROUTE_UP, "off");
}


static void
test_single(void)
{
    fresh(1);

    query_init(&query, "live/a", PLAY);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_uint(peer.single, 1, "single");
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(server_stat(&table, "s0")->state, NGX_RTMP_ROUTE_UP, "stays up");
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "but is not tried again");
    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_OK, "in another request");

    server_add(&table, "s1", 1, NULL);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.single, 0, "not single");
    server_flags(&table, "s0", 0, 0, 0);
    server_flags(&table, "s1", 1, 0, 0);
    pick(&table, "live/a", PLAY, &peer);
    is_uint(peer.single, 1, "the other is down");
}


static void
test_next(void)
{
    ngx_uint_t                      i;
    ngx_rtmp_route_session_t        a, b;
    ngx_rtmp_route_session_info_t   info;
    ngx_rtmp_route_session_stat_t   stat;
    uint32_t                        cursor;

    fresh(3);

    for (i = 0; i < 3; i++) {
        char  id[24];

        snprintf(id, sizeof(id), "s%lu", (unsigned long) i);
        server_patch(&table, id,
                     offsetof(ngx_rtmp_route_server_params_t, max_conns), 1);
    }

    query_init(&query, "live/a", PUBLISH);
    info.type = PUBLISH;
    info.client = unit_str("client");
    info.agent = unit_str("");

    ngx_memzero(&a, sizeof(a));
    ngx_rtmp_route_table_open(&table, &query, &info, &a, &peer);

    for (i = 0; i < 2; i++) {
        ngx_rtmp_route_table_report(&table, &query, &peer, 1);
        is_uint(ngx_rtmp_route_table_next(&table, &a, &query, &peer), NGX_OK,
                "next");

        cursor = 0;
        ngx_rtmp_route_session_walk(&table, &cursor, &stat);
        ok(stat.server.len == peer.id.len
           && memcmp(stat.server.data, peer.id.data, peer.id.len) == 0,
           "the session has moved");
        ok(stat.upstream.len == peer.name.len
           && memcmp(stat.upstream.data, peer.name.data, peer.name.len) == 0,
           "its upstream, too");
        ok(memcmp(stream_stat(&table, "live/a")->server.data, peer.id.data,
                  peer.id.len) == 0, "so has the stream");

        IS_CHECKED(&table);
    }

    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &a, &query, &peer), NGX_BUSY,
            "no more");
    is_uint(ngx_rtmp_route_hot(table.sh, 0)->conns
            + ngx_rtmp_route_hot(table.sh, 1)->conns
            + ngx_rtmp_route_hot(table.sh, 2)->conns, 1, "one connection");

    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_RELAY);
    is_uint(stream_stat(&table, "live/a")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "live where it is");

    /* what a player was let in for does not change on its way */

    ngx_rtmp_route_table_close(&table, &a);
    fresh(2);
    session_open(&table, "live/b", PLAY, &b, &peer);
    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;
    query_init(&query, "live/b", PLAY);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &b, &query, &peer), NGX_OK,
            "next of an unknown");
    ngx_rtmp_route_table_close(&table, &b);

    IS_CHECKED(&table);
}


static void
test_count(void)
{
    ngx_rtmp_route_peer_t        one, two;
    ngx_rtmp_route_table_stat_t  stat;

    fresh(1);

    query_init(&query, "live/a", FETCH);
    query.count = 1;

    ngx_rtmp_route_table_pick(&table, &query, &one);
    ngx_rtmp_route_table_pick(&table, &query, &two);
    ok(one.conn && two.conn && one.conn != two.conn, "counted");

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.conns, 2, "conns");
    is_uint(stat.sessions, 0, "not sessions");
    is_uint(stat.streams, 0, "nor streams");
    is_uint(server_stat(&table, "s0")->conns, 2, "of the server");
    is_uint(server_stat(&table, "s0")->selected, 2, "selected");

    ngx_rtmp_route_table_free(&table, &one);
    ngx_rtmp_route_table_free(&table, &two);

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.conns, 0, "freed");
    is_uint(stat.cells_used, 0, "nothing left");

    IS_CHECKED(&table);
}


/* a table with n servers s0, s1 ... */

static void
fresh(ngx_uint_t n)
{
    char        id[24];
    ngx_uint_t  i;

    if (table.shpool) {
        unit_zone_free(table.shpool);
    }

    table_make(&table, 1024 * 1024);

    for (i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "s%lu", (unsigned long) i);
        server_add(&table, id, i, NULL);
    }
}


/* the number in the id of the server that is picked */

static ngx_uint_t
pick_index(ngx_uint_t key, ngx_uint_t op)
{
    char  name[40];

    snprintf(name, sizeof(name), "live/camera-%lu", (unsigned long) key);

    if (pick(&table, name, op, &peer) != NGX_OK) {
        return 9;
    }

    return peer.id.data[1] - '0';
}


static void
distribution(ngx_uint_t n, ngx_uint_t picks, ngx_uint_t *count)
{
    ngx_uint_t  i;

    ngx_memzero(count, n * sizeof(ngx_uint_t));

    for (i = 0; i < picks; i++) {
        count[pick_index(i, FETCH)]++;
    }
}


static ngx_uint_t
near(ngx_uint_t got, ngx_uint_t expected, ngx_uint_t percent)
{
    return got * 100 >= expected * (100 - percent)
           && got * 100 <= expected * (100 + percent);
}
