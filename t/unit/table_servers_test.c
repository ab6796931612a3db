
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_bans.c */
/* sources: ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_rules.c ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c */


/* Picks that are limited to some servers, in an order of their own. */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define FETCH     NGX_RTMP_ROUTE_FETCH

#define MAX_LIST  20


static void test_order(void);
static void test_methods(void);
static void test_unknown(void);
static void test_known(void);
static void test_live(void);
static void test_on_its_way(void);
static void address(const char *id, ngx_uint_t n);
static void test_addresses(void);
static void test_room(void);
static void test_tried(void);
static void test_others(void);
static void test_many(void);
static void fresh(ngx_uint_t n);
static void list(const char *ids);
static void ask(const char *key, ngx_uint_t op);
static const char *picked(const char *key, ngx_uint_t op);


static ngx_rtmp_route_table_t   table;
static ngx_rtmp_route_peer_t    peer;
static ngx_rtmp_route_query_t   query;
static ngx_array_t              servers;
static ngx_str_t                server[MAX_LIST];
static char                     names[1024];


#define IS_PICKED(key, op, id, ...)                                           \
    ok(strcmp(picked(key, op), id) == 0, __VA_ARGS__)


int
main(void)
{
    unit_init();
    fresh(1);
    table_slot();

    test_order();
    test_methods();
    test_unknown();
    test_known();
    test_live();
    test_on_its_way();
    test_addresses();
    test_room();
    test_tried();
    test_others();
    test_many();

    unit_zone_free(table.shpool);

    return done();
}


static void
test_order(void)
{
    fresh(4);
    list("s2,s0,s3");

    IS_PICKED("live/a", FETCH, "s2", "the first");
    IS_PICKED("live/b", PUBLISH, "s2", "for all");
    IS_PICKED("", FETCH, "s2", "without a name, too");

    server_flags(&table, "s2", 1, 0, 0);
    IS_PICKED("live/a", FETCH, "s0", "the next when it is down");
    server_flags(&table, "s0", 0, 1, 0);
    IS_PICKED("live/a", FETCH, "s3", "when that is draining");
    server_flags(&table, "s3", 1, 0, 0);
    IS_PICKED("live/a", FETCH, "busy", "no other one");
    server_flags(&table, "s0", 0, 0, 0);
    IS_PICKED("live/a", FETCH, "s0", "one comes back");
    server_flags(&table, "s2", 0, 0, 0);
    IS_PICKED("live/a", FETCH, "s2", "and the first");

    ngx_rtmp_route_hot(table.sh, 2)->health = NGX_RTMP_ROUTE_HEALTH_DOWN;
    IS_PICKED("live/a", FETCH, "s0", "not while its health check fails");
    ngx_rtmp_route_hot(table.sh, 2)->health = NGX_RTMP_ROUTE_HEALTH_NONE;
    IS_PICKED("live/a", FETCH, "s2", "it passes");

    /* the order is that of the list, whatever a server is otherwise */

    server_flags(&table, "s2", 0, 0, 1);
    IS_PICKED("live/a", FETCH, "s2", "a backup");
    server_patch(&table, "s0",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 100);
    IS_PICKED("live/a", FETCH, "s2", "weights");

    query_init(&query, "live/a", FETCH);
    query.servers = &servers;
    query.peek = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "peek");
    is_str(&peer.id, "s2", "the same");

    list("s9,s1");
    IS_PICKED("live/a", FETCH, "s1", "one that is not there yet");
    list("s9");
    IS_PICKED("live/a", FETCH, "busy", "nor any other");
    server_add(&table, "s9", 9, NULL);
    IS_PICKED("live/a", FETCH, "s9", "it has come");

    IS_CHECKED(&table);
}


static void
test_methods(void)
{
    ngx_uint_t  i, method;

    static ngx_uint_t  methods[] = {
        NGX_RTMP_ROUTE_HASH,
        NGX_RTMP_ROUTE_LEAST_CONN,
        NGX_RTMP_ROUTE_ROUND_ROBIN,
        NGX_RTMP_ROUTE_RANDOM
    };

    for (method = 0; method < 4; method++) {

        fresh(4);
        table.method = methods[method];
        list("s1,s3");

        for (i = 0; i < 20; i++) {
            if (strcmp(picked("live/a", FETCH), "s1") != 0) {
                break;
            }
        }

        is_uint(i, 20, "method %lu: the first each time",
                (unsigned long) method);
    }

    fresh(4);
}


/* the list says where it is, so it is not refused, and nobody is waited for */

static void
test_unknown(void)
{
    ngx_str_t                      key;
    ngx_rtmp_route_stream_stat_t   stream;

    fresh(3);
    list("s1");

    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;
    IS_PICKED("live/a", FETCH, "s1", "not refused");
    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_WAIT;
    IS_PICKED("live/a", PLAY, "s1", "no wait");

    query_init(&query, "live/a", FETCH);
    query.servers = &servers;
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_DECLINED,
            "a look-up finds what is known");

    key = unit_str("live/a");
    is_uint(ngx_rtmp_route_stream_get(&table, &key, &stream), NGX_DECLINED,
            "nothing is left");

    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_PICK;
}


static void
test_known(void)
{
    fresh(4);
    list("s1,s2");

    stream_set(&table, "live/pin", "s2", NGX_RTMP_ROUTE_FROM_PIN);
    IS_PICKED("live/pin", FETCH, "s2", "a pin within the list");
    stream_set(&table, "live/pin", "s3", NGX_RTMP_ROUTE_FROM_PIN);
    IS_PICKED("live/pin", FETCH, "s1", "a pin elsewhere");

    stream_set(&table, "live/list", "s2", NGX_RTMP_ROUTE_FROM_LIST);
    IS_PICKED("live/list", FETCH, "s2", "a listing within the list");
    stream_set(&table, "live/list2", "s0", NGX_RTMP_ROUTE_FROM_LIST);
    IS_PICKED("live/list2", FETCH, "s1", "a listing elsewhere");

    stream_set(&table, "live/found", "s2", NGX_RTMP_ROUTE_FROM_FOUND);
    IS_PICKED("live/found", FETCH, "s2", "found within the list");
    stream_set(&table, "live/found", "s0", NGX_RTMP_ROUTE_FROM_FOUND);
    IS_PICKED("live/found", FETCH, "s1", "found elsewhere");

    /* what was only picked is picked again */

    stream_set(&table, "live/pick", "s2", NGX_RTMP_ROUTE_FROM_PICK);
    IS_PICKED("live/pick", FETCH, "s1", "the first has come back");

    /* a look-up tells which name is known, wherever that is */

    stream_set(&table, "live/x", "s3", NGX_RTMP_ROUTE_FROM_LIST);
    query_init(&query, "live/x", FETCH);
    query.servers = &servers;
    query.lookup = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "known");
    is_str(&peer.id, "s1", "and taken within the list");

    IS_CHECKED(&table);
}


static void
test_live(void)
{
    ngx_rtmp_route_session_t       s;
    ngx_rtmp_route_session_info_t  info;

    fresh(4);
    list("s2");

    ngx_memzero(&s, sizeof(s));
    ngx_memzero(&info, sizeof(info));
    info.type = PUBLISH;
    info.client = unit_str("client");
    info.agent = unit_str("agent");
    query_init(&query, "live/a", PUBLISH);
    query.servers = &servers;

    ngx_rtmp_route_table_open(&table, &query, &info, &s, &peer);
    ngx_rtmp_route_table_state(&table, &s, NGX_RTMP_ROUTE_S_RELAY);
    is_str(&peer.id, "s2", "live there");

    list("s1,s2");
    IS_PICKED("live/a", PLAY, "s2", "a publisher within the list");
    server_flags(&table, "s2", 0, 1, 0);
    IS_PICKED("live/a", PLAY, "s2", "also where it is draining");

    list("s1,s3");
    IS_PICKED("live/a", PLAY, "s1", "one elsewhere does not count");
    is_str(&stream_stat(&table, "live/a")->server, "s2", "it stays there");
    is_uint(stream_stat(&table, "live/a")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "as it was");

    ngx_rtmp_route_table_close(&table, &s);
    IS_CHECKED(&table);
}


/* a publisher has not begun yet: its players go where it goes */

static void
test_on_its_way(void)
{
    ngx_rtmp_route_session_t       s;
    ngx_rtmp_route_session_info_t  info;

    fresh(3);
    list("s1,s2");

    query_init(&query, "live/a", PUBLISH);
    query.servers = &servers;
    ngx_memzero(&info, sizeof(info));
    info.type = PUBLISH;
    info.client = unit_str("client");
    info.agent = unit_str("agent");

    server_flags(&table, "s1", 1, 0, 0);
    ngx_memzero(&s, sizeof(s));
    is_uint(ngx_rtmp_route_table_open(&table, &query, &info, &s, &peer),
            NGX_OK, "a publisher");
    is_str(&peer.id, "s2", "goes to the second");

    server_flags(&table, "s1", 0, 0, 0);
    IS_PICKED("live/a", PLAY, "s2", "its player, too");

    /* its server fails: the next of the list, and none after that */

    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &s, &query, &peer), NGX_OK,
            "it is moved");
    is_str(&peer.id, "s1", "within the list");
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &s, &query, &peer), NGX_BUSY,
            "there are no more");

    ngx_rtmp_route_table_close(&table, &s);
    IS_CHECKED(&table);
}


/* "name#address" */

static void
address(const char *id, ngx_uint_t n)
{
    ngx_rtmp_route_server_info_t  info;

    server_info(&info, id, n, NGX_RTMP_ROUTE_SRC_CONFIG);

    info.origin_len = (u_char) (strchr(id, '#') - id);
    ngx_memcpy(info.origin, id, info.origin_len);

    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
}


/* a name that stands for several servers, and one address of it */

static void
test_addresses(void)
{
    char                          key[32];
    ngx_uint_t                    i, a, b, other;
    ngx_rtmp_route_server_info_t  info;

    fresh(2);
    address("pods#10.0.0.21", 21);
    address("pods#10.0.0.22", 22);
    server_add(&table, "podsx", 23, NULL);
    server_add(&table, "pod", 24, NULL);

    /* its id is its own choice */

    server_info(&info, "pods#10.0.0.25", 25, NGX_RTMP_ROUTE_SRC_REGISTER);
    ok(ngx_rtmp_route_server_set(&table, &info, NULL, NULL) == NGX_OK,
       "registered");

    list("pods,s1");
    a = 0;
    b = 0;
    other = 0;

    for (i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);

        if (strcmp(picked(key, FETCH), "pods#10.0.0.21") == 0) {
            a++;

        } else if (strcmp(picked(key, FETCH), "pods#10.0.0.22") == 0) {
            b++;

        } else {
            other++;
        }
    }

    ok(a > 50 && b > 50, "both addresses: %lu, %lu", (unsigned long) a,
       (unsigned long) b);
    is_uint(other, 0, "and no other server");

    server_flags(&table, "pods#10.0.0.21", 1, 0, 0);
    IS_PICKED("live/1", FETCH, "pods#10.0.0.22", "the other address");
    IS_PICKED("live/2", FETCH, "pods#10.0.0.22", "the other address");

    /* a backup among the addresses of a name */

    server_flags(&table, "pods#10.0.0.21", 0, 0, 1);
    IS_PICKED("live/1", FETCH, "pods#10.0.0.22", "not the backup");
    IS_PICKED("live/2", FETCH, "pods#10.0.0.22", "not the backup");
    server_flags(&table, "pods#10.0.0.22", 1, 0, 0);
    IS_PICKED("live/1", FETCH, "pods#10.0.0.21", "the backup before the next");
    server_flags(&table, "pods#10.0.0.21", 1, 0, 0);
    IS_PICKED("live/1", FETCH, "s1", "then the next");

    list("pods#10.0.0.22,s0");
    IS_PICKED("live/1", FETCH, "s0", "one address, down");
    server_flags(&table, "pods#10.0.0.22", 0, 0, 0);
    IS_PICKED("live/1", FETCH, "pods#10.0.0.22", "up");
    list("pods#10.0.0.2");
    IS_PICKED("live/1", FETCH, "busy", "not the begin of an address");
}


static void
test_room(void)
{
    ngx_rtmp_route_session_t       s[3];
    ngx_rtmp_route_session_info_t  info;

    fresh(3);
    list("s1,s2");

    server_patch(&table, "s1",
                 offsetof(ngx_rtmp_route_server_params_t, max_conns), 1);

    ngx_memzero(&info, sizeof(info));
    info.type = PLAY;
    info.client = unit_str("client");
    info.agent = unit_str("agent");

    query_init(&query, "live/a", PLAY);
    query.servers = &servers;
    ngx_memzero(s, sizeof(s));

    ngx_rtmp_route_table_open(&table, &query, &info, &s[0], &peer);
    is_str(&peer.id, "s1", "has room");
    ngx_rtmp_route_table_open(&table, &query, &info, &s[1], &peer);
    is_str(&peer.id, "s2", "the next has room");

    server_patch(&table, "s2",
                 offsetof(ngx_rtmp_route_server_params_t, max_conns), 1);
    is_uint(ngx_rtmp_route_table_open(&table, &query, &info, &s[2], &peer),
            NGX_BUSY, "nobody has");
    is_uint(query.full, 1, "it is told why");

    ngx_rtmp_route_table_close(&table, &s[0]);
    ngx_rtmp_route_table_open(&table, &query, &info, &s[2], &peer);
    is_str(&peer.id, "s1", "room again");

    ngx_rtmp_route_table_close(&table, &s[1]);
    ngx_rtmp_route_table_close(&table, &s[2]);

    /* streams: a publisher is not sent where there is no room for one */

    fresh(3);
    list("s1,s2");
    server_patch(&table, "s1",
                 offsetof(ngx_rtmp_route_server_params_t, max_streams), 1);

    ngx_memzero(s, sizeof(s));
    info.type = PUBLISH;
    query_init(&query, "live/a", PUBLISH);
    query.servers = &servers;
    ngx_rtmp_route_table_open(&table, &query, &info, &s[0], &peer);
    is_str(&peer.id, "s1", "room for a stream");

    IS_PICKED("live/b", PUBLISH, "s2", "for one");
    IS_PICKED("live/a", PLAY, "s1", "which has players");
    IS_PICKED("live/b", FETCH, "s2", "one is looked for where it would go");

    ngx_rtmp_route_table_close(&table, &s[0]);
    IS_CHECKED(&table);
}


/* a search after a 404, or a connection that has failed */

static void
test_tried(void)
{
    fresh(4);
    list("s3,s1,s0");

    query_init(&query, "live/a", FETCH);
    query.servers = &servers;

    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_str(&peer.id, "s3", "first");
    is_uint(peer.guess, 1, "it may be elsewhere");
    is_uint(peer.last, 0, "there are more");
    is_uint(peer.single, 0, "there are others");

    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_str(&peer.id, "s1", "second");
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_str(&peer.id, "s0", "third");
    is_uint(peer.last, 1, "the last of the list");
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "no more");

    list("s2");
    query_init(&query, "live/a", FETCH);
    query.servers = &servers;
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_uint(peer.single, 1, "one alone");
}


static void
test_others(void)
{
    ngx_rtmp_route_server_info_t  info;

    /* who is forced is not asked */

    fresh(2);
    list("s1");
    table.forced = 1;
    server_info(&info, "parent:80", 9, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.forced = 1;
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    IS_PICKED("live/a", FETCH, "parent:80", "forced");
    IS_PICKED("live/a", PUBLISH, "s1", "not for RTMP");
    table.forced = 0;

    /* a server that has answered is asked again */

    fresh(2);
    pick(&table, "live/a", FETCH, &peer);
    list("s0");
    query_init(&query, "live/a", FETCH);
    query.only = 1;
    query.servers = &servers;
    query.server.index = 1;
    query.server.seq = ngx_rtmp_route_hot(table.sh, 1)->seq;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "only");
    is_str(&peer.id, "s1", "this one");

    IS_CHECKED(&table);
}


static void
test_many(void)
{
    ngx_uint_t      i, ms;
    struct timeval  from, till;

    /* more names than anybody may configure do no harm */

    fresh(4);
    list("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,s1");
    IS_PICKED("live/a", FETCH, "busy", "16 are looked at");

    unit_zone_free(table.shpool);
    table.shpool = NULL;
    table_make(&table, 256 * 1024 * 1024);

    for (i = 0; i < 10000; i++) {
        char  id[24];

        snprintf(id, sizeof(id), "x%lu", (unsigned long) i);

        if (server_add(&table, id, i, NULL) == NGX_ERROR) {
            break;
        }
    }

    is_uint(i, 10000, "10000 servers");

    list("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p");
    gettimeofday(&from, NULL);

    for (i = 0; i < 100; i++) {
        ask("live/a", FETCH);
    }

    gettimeofday(&till, NULL);
    ms = (till.tv_sec - from.tv_sec) * 1000
         + (till.tv_usec - from.tv_usec) / 1000;

    diag("16 names that are not there, of 10000 servers: %lu us a pick",
         (unsigned long) ms * 10);

    list("a,x9999");
    IS_PICKED("live/a", FETCH, "x9999", "the last of 10000");
}


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


static void
list(const char *ids)
{
    char  *p;

    snprintf(names, sizeof(names), "%s", ids);

    ngx_memzero(&servers, sizeof(servers));
    servers.elts = server;

    for (p = strtok(names, ","); p; p = strtok(NULL, ",")) {
        server[servers.nelts++] = unit_str(p);
    }
}


static void
ask(const char *key, ngx_uint_t op)
{
    query_init(&query, key, op);
    query.servers = &servers;

    (void) ngx_rtmp_route_table_pick(&table, &query, &peer);
}


static const char *
picked(const char *key, ngx_uint_t op)
{
    ngx_int_t    rc;
    static char  id[NGX_RTMP_ROUTE_ID_LEN + 1];

    query_init(&query, key, op);
    query.servers = &servers;

    rc = ngx_rtmp_route_table_pick(&table, &query, &peer);

    if (rc == NGX_BUSY) {
        return "busy";
    }

    if (rc != NGX_OK) {
        return "none";
    }

    memcpy(id, peer.id.data, peer.id.len);
    id[peer.id.len] = '\0';

    return id;
}
