
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


/* Servers in the table: rights, restarts, expiry, what operators set. */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")


static void test_basics(void);
static void test_params(void);
static void test_config(void);
static void test_rights(void);
static void test_restart(void);
static void test_address(void);
static void test_expiry(void);
static void test_create(void);
static void test_rename(void);
static void test_room(void);
static void test_names(void);
static ngx_int_t heartbeat(ngx_rtmp_route_table_t *table, const char *id,
    ngx_uint_t n, ngx_uint_t from, char pid, uint64_t token);
static ngx_int_t server_delete(ngx_rtmp_route_table_t *table,
    const char *id);


static ngx_rtmp_route_table_t  table;


int
main(void)
{
    unit_init();

    test_basics();
    test_params();
    test_config();
    test_rights();
    test_restart();
    test_address();
    test_expiry();
    test_create();
    test_rename();
    test_room();
    test_names();

    return done();
}


static void
test_basics(void)
{
    uint32_t                       cursor;
    ngx_str_t                      id;
    ngx_uint_t                     n;
    ngx_rtmp_route_ref_t           ref, again;
    ngx_rtmp_route_server_info_t   info;
    ngx_rtmp_route_server_stat_t   stat;

    table_make(&table, 1024 * 1024);

    server_info(&info, "a", 1, NGX_RTMP_ROUTE_SRC_API);

    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, &ref), NGX_OK,
            "added");
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, &again), NGX_DONE,
            "there already");
    is_uint(again.seq, ref.seq, "the same server");

    is_uint(server_add(&table, "b", 2, NULL), NGX_OK, "another");
    is_uint(server_add(&table, "c", 3, NULL), NGX_OK, "a third");

    ok(server_stat(&table, "a") != NULL, "found");
    ok(server_stat(&table, "x") == NULL, "not found");

    id = unit_str("a");
    is_uint(ngx_rtmp_route_server_get(&table, &id, &stat), NGX_OK, "get");

    id.len = stat.info.id_len;
    id.data = stat.info.id;
    is_str(&id, "a", "id");
    is_uint(stat.params.weight, 1, "weight by default");
    is_uint(stat.params.max_fails, 1, "max_fails by default");
    is_uint(stat.params.fail_timeout, 10000, "fail_timeout by default");
    is_uint(stat.state, NGX_RTMP_ROUTE_UP, "up");
    is_uint(stat.expires, 0, "never expires");

    server_flags(&table, "a", 0, 1, 0);
    is_uint(server_stat(&table, "a")->state, NGX_RTMP_ROUTE_DRAINING,
            "draining");
    server_flags(&table, "a", 1, 1, 0);
    is_uint(server_stat(&table, "a")->state, NGX_RTMP_ROUTE_DOWN, "down");

    is_uint(server_delete(&table, "b"), NGX_OK, "deleted");
    is_uint(server_delete(&table, "b"), NGX_DECLINED, "no more there");

    cursor = 0;
    n = 0;

    while (ngx_rtmp_route_server_walk(&table, &cursor, &stat) == NGX_OK) {
        n++;
    }

    is_uint(n, 2, "walk");

    /* the place is used again, the reference does not match */

    is_uint(server_delete(&table, "a"), NGX_OK, "deleted");
    server_info(&info, "d", 4, NGX_RTMP_ROUTE_SRC_API);
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, &again), NGX_OK,
            "a new one");
    is_uint(again.index, ref.index, "in the same place");
    ok(again.seq != ref.seq, "with another number");

    /* what is too long or too much is not taken */

    info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 5;
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, NULL),
            NGX_DECLINED, "too many endpoints");
    info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 1;
    info.id_len = NGX_RTMP_ROUTE_ID_LEN + 1;
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, NULL),
            NGX_DECLINED, "too long an id");
    info.id_len = 0;
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, NULL),
            NGX_DECLINED, "no id");

    IS_CHECKED(&table);
}


/* what was set at run time is kept until something new is given */

static void
test_params(void)
{
    ngx_str_t                       name;
    ngx_rtmp_route_server_params_t  was, params;

    table_make(&table, 1024 * 1024);

    server_params(&params);
    params.weight = 2;

    server_add(&table, "a", 1, &params);
    is_uint(server_stat(&table, "a")->params.weight, 2, "weight given");

    server_patch(&table, "a",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 7);
    is_uint(server_stat(&table, "a")->params.weight, 7, "weight updated");

    server_add(&table, "a", 1, NULL);
    is_uint(server_stat(&table, "a")->params.weight, 7,
            "kept without params");

    server_flags(&table, "a", 0, 1, 0);
    server_add(&table, "a", 1, &params);
    is_uint(server_stat(&table, "a")->params.weight, 7,
            "kept with the same params");
    is_uint(server_stat(&table, "a")->params.drain, 1, "drain, too");

    params.weight = 3;
    server_add(&table, "a", 1, &params);
    is_uint(server_stat(&table, "a")->params.weight, 3,
            "not kept with new ones");
    is_uint(server_stat(&table, "a")->params.drain, 1, "but drain is");

    /* two have read the same, and change different things */

    name = unit_str("a");
    was = server_stat(&table, "a")->params;

    params = was;
    params.weight = 4;
    ngx_rtmp_route_server_update(&table, &name, &was, &params);

    params = was;
    params.drain = 0;
    ngx_rtmp_route_server_update(&table, &name, &was, &params);

    is_uint(server_stat(&table, "a")->params.weight, 4, "first update");
    is_uint(server_stat(&table, "a")->params.drain, 0, "second update");

    IS_CHECKED(&table);
}


/* old and new processes of a reload */

static void
test_config(void)
{
    ngx_rtmp_route_table_t  old;

    table_make(&table, 1024 * 1024);

    ngx_rtmp_route_table_configure(&table);
    server_add(&table, "a", 1, NULL);

    old = table;

    ngx_rtmp_route_table_configure(&table);
    server_add(&table, "b", 2, NULL);

    ok(server_add(&old, "c", 3, NULL) == NGX_ABORT,
       "configured server of an old configuration");
    ok(server_stat(&table, "c") == NULL, "is not added");
    ok(server_add(&table, "a", 1, NULL) == NGX_DONE,
       "one of the new configuration is");

    IS_CHECKED(&table);
}


static void
test_rights(void)
{
    ngx_rtmp_route_server_info_t  info;

    table_make(&table, 1024 * 1024);

    server_add(&table, "conf", 1, NULL);
    server_info(&info, "api", 2, NGX_RTMP_ROUTE_SRC_API);
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    is_uint(heartbeat(&table, "conf", 1, 1, '1', 0), NGX_DECLINED,
            "id of a configured server");
    is_uint(heartbeat(&table, "api", 2, 2, '1', 0), NGX_DECLINED,
            "id of an API server");

    is_uint(heartbeat(&table, "r", 3, 3, '1', 0), NGX_OK, "registered");
    is_uint(heartbeat(&table, "r", 3, 3, '1', 0), NGX_DONE, "refreshed");
    is_uint(heartbeat(&table, "r", 4, 4, '1', 0), NGX_DECLINED,
            "from another address");
    is_uint(heartbeat(&table, "r", 4, 3, '1', 0), NGX_DONE,
            "from the same one, with another rtmp");

    is_uint(heartbeat(&table, "t", 5, 5, '1', 77), NGX_OK, "with a token");
    is_uint(heartbeat(&table, "t", 6, 6, '1', 77), NGX_DONE, "same token");
    is_uint(heartbeat(&table, "t", 6, 7, '1', 78), NGX_DECLINED,
            "another address and token");
    is_uint(heartbeat(&table, "t", 6, 7, '1', 0), NGX_DECLINED, "none");

    unit_tick(30001);
    is_uint(server_stat(&table, "t")->state, NGX_RTMP_ROUTE_EXPIRED,
            "expired");
    is_uint(heartbeat(&table, "t", 6, 7, '1', 78), NGX_DONE,
            "taken over when down");

    server_info(&info, "t", 9, NGX_RTMP_ROUTE_SRC_CORE);
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, NULL),
            NGX_DECLINED, "the core comes after a registration");
    server_info(&info, "conf", 9, NGX_RTMP_ROUTE_SRC_CORE);
    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, NULL),
            NGX_DECLINED, "and after the configuration");

    is_uint(server_add(&table, "t", 8, NULL), NGX_DONE,
            "the configuration comes first");
    is_uint(server_stat(&table, "t")->info.source, NGX_RTMP_ROUTE_SRC_CONFIG,
            "and is the source then");

    IS_CHECKED(&table);
}


static void
test_restart(void)
{
    uint32_t                   seq, full;
    ngx_rtmp_route_peer_t      peer;
    ngx_rtmp_route_query_t     query;
    ngx_rtmp_route_session_t   publish, play;

    table_make(&table, 1024 * 1024);
    table_slot();

    heartbeat(&table, "r", 1, 1, '1', 0);
    seq = server_stat(&table, "r")->ref.seq;

    session_open(&table, "live/a", NGX_RTMP_ROUTE_PUBLISH, &publish, &peer);
    ngx_rtmp_route_table_state(&table, &publish, NGX_RTMP_ROUTE_S_RELAY);
    session_open(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &play, &peer);
    stream_set(&table, "live/pin", "r", NGX_RTMP_ROUTE_FROM_PIN);
    stream_set(&table, "live/list", "r", NGX_RTMP_ROUTE_FROM_LIST);

    is_uint(server_stat(&table, "r")->streams, 3, "streams");

    heartbeat(&table, "s", 2, 2, '1', 0);

    query_init(&query, "live/a", NGX_RTMP_ROUTE_PLAY);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);

    is_uint(server_stat(&table, "r")->state, NGX_RTMP_ROUTE_UNAVAIL,
            "unavailable");

    full = server_stat(&table, "r")->conns;

    is_uint(heartbeat(&table, "r", 1, 1, '2', 0), NGX_DONE, "restarted");
    ok(server_stat(&table, "r")->ref.seq != seq, "is another server");
    is_uint(server_stat(&table, "r")->state, NGX_RTMP_ROUTE_UP,
            "fails are forgotten");
    is_uint(server_stat(&table, "r")->conns, full, "sessions are counted on");
    is_uint(server_stat(&table, "r")->streams, 1, "streams are not, but pins");

    is_uint(stream_stat(&table, "live/a")->source, NGX_RTMP_ROUTE_FROM_NONE,
            "the publisher was that of the old one");
    is_uint(stream_stat(&table, "live/pin")->source, NGX_RTMP_ROUTE_FROM_PIN,
            "the pin stays");
    ok(stream_stat(&table, "live/list") == NULL, "the list does not");

    /* an old report does not count */

    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(server_stat(&table, "r")->state, NGX_RTMP_ROUTE_UP, "up still");

    IS_CHECKED(&table);

    ngx_rtmp_route_table_close(&table, &publish);
    ngx_rtmp_route_table_close(&table, &play);

    is_uint(server_stat(&table, "r")->conns, 0, "and down to none");

    IS_CHECKED(&table);
}


static void
test_address(void)
{
    table_make(&table, 1024 * 1024);

    heartbeat(&table, "old", 1, 1, '1', 5);
    stream_set(&table, "live/a", "old", NGX_RTMP_ROUTE_FROM_LIST);

    is_uint(heartbeat(&table, "thief", 1, 9, '1', 6), NGX_DECLINED,
            "address of another");
    ok(server_stat(&table, "old") != NULL, "who stays");

    is_uint(heartbeat(&table, "new", 1, 9, '1', 5), NGX_OK,
            "same address, same token");
    ok(server_stat(&table, "old") == NULL, "replaced");
    ok(stream_stat(&table, "live/a") == NULL, "with its streams");

    is_uint(heartbeat(&table, "other", 2, 1, '1', 0), NGX_OK, "another one");
    is_uint(heartbeat(&table, "other", 1, 1, '1', 0), NGX_DECLINED,
            "that moves to an address which is taken");
    unit_tick(30001);
    is_uint(heartbeat(&table, "other", 1, 1, '1', 0), NGX_DONE,
            "or no more");
    ok(server_stat(&table, "new") == NULL, "replaced");

    /* a configured server has its address for others, too */

    server_add(&table, "conf", 3, NULL);
    is_uint(heartbeat(&table, "reg", 3, 3, '1', 0), NGX_OK,
            "address of a configured server");
    ok(server_stat(&table, "conf") != NULL, "both are there");

    IS_CHECKED(&table);
}


static void
test_expiry(void)
{
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  session;

    table_make(&table, 1024 * 1024);

    heartbeat(&table, "r", 1, 1, '1', 0);
    stream_set(&table, "live/a", "r", NGX_RTMP_ROUTE_FROM_LIST);

    is_uint(server_stat(&table, "r")->expires, 30000, "expires");
    unit_tick(10000);
    is_uint(server_stat(&table, "r")->expires, 20000, "sooner");
    unit_tick(20000);
    is_uint(server_stat(&table, "r")->expires, 1, "not yet");
    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &peer), NGX_OK,
            "picked");
    session_open(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &session, &peer);

    unit_tick(1);
    is_uint(server_stat(&table, "r")->state, NGX_RTMP_ROUTE_EXPIRED,
            "expired");
    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &peer), NGX_BUSY,
            "not picked");

    /* another clock may be a bit behind */

    heartbeat(&table, "r", 1, 1, '1', 0);
    ngx_current_msec -= 50;
    is_uint(server_stat(&table, "r")->state, NGX_RTMP_ROUTE_UP,
            "seen in what we think is the future");
    ngx_current_msec += 50;

    unit_tick(30001);
    stream_set(&table, "live/b", "r", NGX_RTMP_ROUTE_FROM_LIST);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/b") == NULL, "its list is forgotten");

    unit_tick(300000);
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "r") != NULL, "not removed while it has sessions");

    ngx_rtmp_route_table_close(&table, &session);
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "r") == NULL, "removed");

    heartbeat(&table, "r", 1, 1, '1', 0);
    unit_tick(299000);
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "r") != NULL, "not too early");

    IS_CHECKED(&table);
}


static void
test_create(void)
{
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    table_make(&table, 1024 * 1024);

    server_info(&info, "a", 1, NGX_RTMP_ROUTE_SRC_API);
    server_params(&params);

    is_uint(ngx_rtmp_route_server_create(&table, &info, &params), NGX_OK,
            "created");

    params.weight = 7;

    is_uint(ngx_rtmp_route_server_create(&table, &info, &params), NGX_DONE,
            "there already");
    is_uint(server_stat(&table, "a")->params.weight, 1, "nothing is changed");

    IS_CHECKED(&table);
}


static void
test_rename(void)
{
    ngx_str_t                       a, b, c;
    ngx_rtmp_route_peer_t           peer;
    ngx_rtmp_route_session_t        session;
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    table_make(&table, 1024 * 1024);
    table_slot();

    a = unit_str("a");
    b = unit_str("b");
    c = unit_str("c");

    server_params(&params);
    params.weight = 5;

    server_add(&table, "a", 1, &params);
    stream_set(&table, "live/pin", "a", NGX_RTMP_ROUTE_FROM_PIN);
    stream_set(&table, "live/list", "a", NGX_RTMP_ROUTE_FROM_LIST);
    stream_set(&table, "live/core", "a", NGX_RTMP_ROUTE_FROM_CORE);

    is_uint(session_open(&table, "live/pub", NGX_RTMP_ROUTE_PUBLISH, &session,
                         &peer),
            NGX_OK, "publish");
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);

    is_uint(ngx_rtmp_route_server_rename(&table, &a, &b), NGX_OK, "renamed");

    ok(server_stat(&table, "a") == NULL, "not the old id");
    ok(server_stat(&table, "b") != NULL, "but the new one");
    is_uint(server_stat(&table, "b")->params.weight, 5, "parameters");
    is_uint(server_stat(&table, "b")->streams, 4, "streams");
    is_uint(server_stat(&table, "b")->conns, 1, "connections");
    is_str(&stream_stat(&table, "live/pin")->server, "b", "pin");
    is_str(&stream_stat(&table, "live/list")->server, "b", "listing");
    is_str(&stream_stat(&table, "live/core")->server, "b", "core");
    is_str(&stream_stat(&table, "live/pub")->server, "b", "publisher");

    server_add(&table, "a", 2, NULL);

    is_uint(ngx_rtmp_route_server_rename(&table, &a, &b), NGX_DECLINED,
            "is taken");
    is_uint(ngx_rtmp_route_server_rename(&table, &c, &a), NGX_DECLINED,
            "is not there");

    server_info(&info, "c", 3, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    b = unit_str("d");
    is_uint(ngx_rtmp_route_server_rename(&table, &c, &b), NGX_DECLINED,
            "is not of the configuration");

    table.config--;
    is_uint(ngx_rtmp_route_server_rename(&table, &a, &b), NGX_ABORT,
            "by an old configuration");
    table.config++;

    ngx_rtmp_route_table_close(&table, &session);

    /* found after a rebuild, too */

    table.sh->dirty = 1;
    b = unit_str("b");
    is_uint(ngx_rtmp_route_server_delete(&table, &b), NGX_OK, "found");

    IS_CHECKED(&table);
}


static void
test_room(void)
{
    char        id[32];
    ngx_uint_t  i;

    table_make(&table, 8 * ngx_pagesize);

    heartbeat(&table, "r", 100, 100, '1', 0);
    unit_tick(30001);

    for (i = 1; i < table.sh->nservers; i++) {
        snprintf(id, sizeof(id), "s%lu", (unsigned long) i);
        server_add(&table, id, i, NULL);
    }

    is_uint(server_add(&table, "one", 101, NULL), NGX_OK,
            "room of an expired one");
    ok(server_stat(&table, "r") == NULL, "which is gone");
    is_uint(server_add(&table, "two", 102, NULL), NGX_BUSY, "no room");
    is_uint(server_add(&table, "one", 101, NULL), NGX_DONE, "an old one");

    IS_CHECKED(&table);
}


/* a name without an address is a server that can't be picked yet */

static void
test_names(void)
{
    ngx_rtmp_route_peer_t         peer;
    ngx_rtmp_route_server_info_t  info;

    table_make(&table, 1024 * 1024);

    server_info(&info, "name", 1, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.endpoints[NGX_RTMP_ROUTE_RTMP][0].family = 0;
    info.endpoints[NGX_RTMP_ROUTE_HTTP][0].family = 0;

    is_uint(ngx_rtmp_route_server_set(&table, &info, NULL, NULL), NGX_OK,
            "added");
    is_uint(server_stat(&table, "name")->state, NGX_RTMP_ROUTE_UNRESOLVED,
            "unresolved");
    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_PUBLISH, &peer), NGX_BUSY,
            "not picked");

    server_add(&table, "name", 1, NULL);
    is_uint(server_stat(&table, "name")->state, NGX_RTMP_ROUTE_UP, "up");
    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_PUBLISH, &peer), NGX_OK,
            "picked");

    IS_CHECKED(&table);
}


static ngx_int_t
heartbeat(ngx_rtmp_route_table_t *table, const char *id, ngx_uint_t n,
    ngx_uint_t from, char pid, uint64_t token)
{
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    static uint16_t  port = 40000;

    server_info(&info, id, n, NGX_RTMP_ROUTE_SRC_REGISTER);
    info.registrar.addr[3] = (u_char) from;
    info.registrar.port = ++port;
    info.pid[0] = (u_char) pid;
    info.token = token;

    server_params(&params);

    return ngx_rtmp_route_server_set(table, &info, &params, NULL);
}


static ngx_int_t
server_delete(ngx_rtmp_route_table_t *table, const char *id)
{
    ngx_str_t  name;

    name = unit_str(id);

    return ngx_rtmp_route_server_delete(table, &name);
}
