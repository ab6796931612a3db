
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_name.c ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_rules.c ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c */


/* Servers that are addresses of a name, which come and go. */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")


static void test_gone(void);
static void test_who(void);
static void test_moved(void);
static void test_half(void);
static void test_again(void);
static void test_room(void);
static void test_old(void);
static ngx_int_t set(const char *id, ngx_uint_t n);
static ngx_int_t leave(const char *id);
static ngx_uint_t state(const char *id);
static void publish(ngx_rtmp_route_session_t *session, const char *key,
    ngx_rtmp_route_peer_t *peer);


static ngx_rtmp_route_table_t  table;


int
main(void)
{
    unit_init();

    test_gone();
    test_who();
    test_moved();
    test_half();
    test_again();
    test_room();
    test_old();

    return done();
}


/* it is there as long as it is in use, and some seconds more */

static void
test_gone(void)
{
    ngx_uint_t                i;
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  session;

    table_make(&table, 1024 * 1024);
    table_slot();

    set("name#10.0.0.1", 1);
    publish(&session, "live/a", &peer);
    server_patch(&table, "name#10.0.0.1",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 4);

    is_uint(leave("name#10.0.0.1"), NGX_OK, "gone");
    is_uint(leave("name#10.0.0.1"), NGX_DONE, "once");
    is_uint(state("name#10.0.0.1"), NGX_RTMP_ROUTE_GONE, "shown");

    unit_tick(60000);
    ngx_rtmp_route_table_sweep(&table);
    is_uint(state("name#10.0.0.1"), NGX_RTMP_ROUTE_GONE, "in use");
    is_uint(server_stat(&table, "name#10.0.0.1")->drained, 0, "which it tells");

    is_uint(set("name#10.0.0.1", 1), NGX_DONE, "back");
    is_uint(state("name#10.0.0.1"), NGX_RTMP_ROUTE_UP, "up");
    is_uint(server_stat(&table, "name#10.0.0.1")->params.weight, 4,
            "with what was set");
    is_uint(server_stat(&table, "name#10.0.0.1")->conns, 1, "and its session");
    is_uint(server_stat(&table, "name#10.0.0.1")->selected, 1, "and counters");

    leave("name#10.0.0.1");
    ngx_rtmp_route_table_sweep(&table);
    ngx_rtmp_route_table_close(&table, &session);

    is_uint(server_stat(&table, "name#10.0.0.1")->drained, 1, "not in use");

    unit_tick(3000);
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "name#10.0.0.1") != NULL, "there for a while");

    unit_tick(4000);
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "name#10.0.0.1") == NULL, "removed");

    /* viewers come again when a segment is over, which may be of ten seconds */

    set("name#10.0.0.1", 1);
    set("name#10.0.0.2", 2);
    stream_set(&table, "live/pin", "name#10.0.0.1", NGX_RTMP_ROUTE_FROM_PIN);
    leave("name#10.0.0.1");

    for (i = 0; i < 3; i++) {
        pick(&table, "live/pin", NGX_RTMP_ROUTE_FETCH, &peer);
        is_uint(peer.sockaddr.sockaddr_in.sin_addr.s_addr,
                inet_addr("10.0.0.1"), "a viewer, %lu", (unsigned long) i);

        unit_tick(11000);
        ngx_rtmp_route_table_sweep(&table);
    }

    unit_tick(5000);
    ngx_rtmp_route_table_sweep(&table);
    ok(server_stat(&table, "name#10.0.0.1") == NULL, "who has gone");

    IS_CHECKED(&table);
}


/* who may still go there */

static void
test_who(void)
{
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_query_t    query;
    ngx_rtmp_route_session_t  session, player;

    table_make(&table, 1024 * 1024);
    table_slot();

    set("name#10.0.0.1", 1);
    publish(&session, "live/a", &peer);
    stream_set(&table, "live/pin", "name#10.0.0.1", NGX_RTMP_ROUTE_FROM_PIN);
    stream_set(&table, "live/core", "name#10.0.0.1",
               NGX_RTMP_ROUTE_FROM_CORE);
    session_open(&table, "live/seen", NGX_RTMP_ROUTE_PLAY, &player, &peer);

    leave("name#10.0.0.1");

    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &peer), NGX_OK,
            "who plays what is live");
    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_FETCH, &peer), NGX_OK,
            "by HTTP, too");
    is_uint(pick(&table, "live/new", NGX_RTMP_ROUTE_PUBLISH, &peer), NGX_BUSY,
            "nobody who publishes");
    is_uint(pick(&table, "live/new", NGX_RTMP_ROUTE_PLAY, &peer), NGX_BUSY,
            "nobody with another stream");

    set("name#10.0.0.2", 2);

    is_uint(pick(&table, "live/a", NGX_RTMP_ROUTE_PUBLISH, &peer), NGX_OK,
            "who publishes what is live");
    is_str(&peer.id, "name#10.0.0.1", "is for that server to refuse");
    pick(&table, "live/core", NGX_RTMP_ROUTE_PLAY, &peer);
    is_str(&peer.id, "name#10.0.0.1", "played where the core says");
    pick(&table, "live/core", NGX_RTMP_ROUTE_PUBLISH, &peer);
    is_str(&peer.id, "name#10.0.0.2", "published elsewhere");
    pick(&table, "live/pin", NGX_RTMP_ROUTE_PLAY, &peer);
    is_str(&peer.id, "name#10.0.0.1", "or a pin");
    pick(&table, "live/pin", NGX_RTMP_ROUTE_PUBLISH, &peer);
    is_str(&peer.id, "name#10.0.0.2", "also published elsewhere");
    pick(&table, "live/seen", NGX_RTMP_ROUTE_PLAY, &peer);
    is_str(&peer.id, "name#10.0.0.1", "another player of the same");

    /* a search begins elsewhere */

    query_init(&query, "live/search", NGX_RTMP_ROUTE_FETCH);
    query.search = 1;

    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "search");
    is_str(&peer.id, "name#10.0.0.2", "elsewhere first");
    query.tried[query.ntried].server = peer.server;
    query.tried[query.ntried].protocol = peer.protocol;
    query.tried[query.ntried++].endpoint = peer.endpoint;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK, "next");
    is_str(&peer.id, "name#10.0.0.1", "then there");

    /* what has ended there is not there any more */

    ngx_rtmp_route_table_close(&table, &session);
    pick(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &peer);
    is_str(&peer.id, "name#10.0.0.2", "an old pick");

    ngx_rtmp_route_table_close(&table, &player);
    IS_CHECKED(&table);
}


/* the name gets another address, or none */

static void
test_moved(void)
{
    uint32_t                  place;
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  session, other;

    table_make(&table, 1024 * 1024);
    table_slot();

    set("name", 1);
    stream_set(&table, "live/pin", "name", NGX_RTMP_ROUTE_FROM_PIN);
    publish(&session, "live/a", &peer);

    is_uint(set("name", 2), NGX_DONE, "another address");

    is_uint(server_stat(&table, "name")->conns, 0, "without sessions");
    is_uint(server_stat(&table, "name")->selected, 1, "counters");
    is_uint(state("name#10.0.0.1"), NGX_RTMP_ROUTE_GONE, "the old one");
    is_uint(server_stat(&table, "name#10.0.0.1")->conns, 1, "with them");
    is_str(&stream_stat(&table, "live/pin")->server, "name", "pin");
    is_str(&stream_stat(&table, "live/a")->server, "name#10.0.0.1", "live");
    is_uint(stream_stat(&table, "live/a")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "there");

    place = peer.place;
    pick(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &peer);
    is_uint(peer.place, place, "the same place, by another id");
    is_uint(peer.sockaddr.sockaddr_in.sin_addr.s_addr,
            inet_addr("10.0.0.1"), "played there");
    publish(&other, "live/b", &peer);
    ok(peer.place != place, "another place, by the same id");
    is_uint(peer.sockaddr.sockaddr_in.sin_addr.s_addr,
            inet_addr("10.0.0.2"), "new ones");
    IS_CHECKED(&table);

    is_uint(set("name", 0), NGX_DONE, "no address");
    is_uint(state("name"), NGX_RTMP_ROUTE_UNRESOLVED, "unresolved");
    is_uint(server_stat(&table, "name#10.0.0.2")->conns, 1, "its session");
    is_str(&stream_stat(&table, "live/pin")->server, "name", "pin");
    IS_CHECKED(&table);

    /* who has nothing to leave leaves nothing */

    ngx_rtmp_route_table_close(&table, &other);
    set("name", 3);
    unit_tick(6000);
    set("name", 4);
    ok(server_stat(&table, "name#10.0.0.3") == NULL, "nothing was there");

    /* a viewer, who comes again */

    pick(&table, "live/c", NGX_RTMP_ROUTE_FETCH, &peer);
    set("name", 5);
    is_uint(state("name#10.0.0.4"), NGX_RTMP_ROUTE_GONE, "in use a moment ago");

    ngx_rtmp_route_table_close(&table, &session);
    IS_CHECKED(&table);
}


/* a process is killed before it has changed the address */

static void
test_half(void)
{
    ngx_rtmp_route_peer_t         peer;
    ngx_rtmp_route_session_t      session;
    ngx_rtmp_route_server_info_t  info;

    table_make(&table, 1024 * 1024);
    table_slot();

    set("name", 1);
    publish(&session, "live/a", &peer);

    server_info(&info, "name#10.0.0.1", 1, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.origin_len = 4;
    ngx_memcpy(info.origin, "name", 4);
    info.gone = 1;

    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    is_uint(server_stat(&table, "name")->conns, 1, "not yet");

    set("name", 2);
    is_uint(server_stat(&table, "name")->conns, 0, "changed then");
    is_uint(server_stat(&table, "name#10.0.0.1")->conns, 1, "left there");
    is_str(&stream_stat(&table, "live/a")->server, "name#10.0.0.1", "live");

    ngx_rtmp_route_table_close(&table, &session);
    IS_CHECKED(&table);
}


/* an address is back that has become another server */

static void
test_again(void)
{
    ngx_str_t                 id, name;
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  session;

    table_make(&table, 1024 * 1024);
    table_slot();

    set("name", 1);
    publish(&session, "live/a", &peer);
    set("name", 2);
    server_patch(&table, "name#10.0.0.1",
                 offsetof(ngx_rtmp_route_server_params_t, max_conns), 7);
    server_flags(&table, "name#10.0.0.1", 0, 1, 0);
    pick(&table, "live/a", NGX_RTMP_ROUTE_PLAY, &peer);

    set("name", 1);

    id = unit_str("name#10.0.0.1");
    name = unit_str("name");

    is_uint(ngx_rtmp_route_server_join(&table, &id, &name), NGX_OK, "one");
    is_uint(ngx_rtmp_route_server_join(&table, &id, &name), NGX_DECLINED,
            "is no more");
    is_uint(ngx_rtmp_route_server_join(&table, &name, &name), NGX_DECLINED,
            "not with itself");

    ok(server_stat(&table, "name#10.0.0.1") == NULL, "the other");
    is_uint(state("name"), NGX_RTMP_ROUTE_DRAINING, "drained as that one");
    is_uint(server_stat(&table, "name")->params.max_conns, 7, "settings");
    is_uint(server_stat(&table, "name")->params.weight, 1, "no others");
    is_uint(server_stat(&table, "name")->conns, 1, "sessions");
    is_uint(server_stat(&table, "name")->selected, 2, "counters");
    is_str(&stream_stat(&table, "live/a")->server, "name", "live");
    is_uint(stream_stat(&table, "live/a")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "there");

    ngx_rtmp_route_table_close(&table, &session);
    IS_CHECKED(&table);
}


/* without room for another server, sessions are where they were */

static void
test_room(void)
{
    char                      id[16];
    ngx_uint_t                i;
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  session;

    table_make(&table, 8 * ngx_pagesize);
    table_slot();

    set("name", 1);
    publish(&session, "live/a", &peer);

    for (i = 1; i < table.sh->nservers; i++) {
        snprintf(id, sizeof(id), "s%lu", (unsigned long) i);
        server_add(&table, id, 100 + i, NULL);
    }

    is_uint(set("name", 2), NGX_DONE, "another address");
    is_uint(server_stat(&table, "name")->conns, 1, "its session");

    ngx_rtmp_route_table_close(&table, &session);
    is_uint(server_stat(&table, "name")->conns, 0, "which ends");

    IS_CHECKED(&table);
}


/* a process of an old configuration changes nothing */

static void
test_old(void)
{
    table_make(&table, 1024 * 1024);

    set("name", 1);
    table.config--;
    is_uint(leave("name"), NGX_ABORT, "by an old configuration");
    is_uint(set("name", 2), NGX_ABORT, "neither");
    table.config++;
    is_uint(state("name"), NGX_RTMP_ROUTE_UP, "up");

    /* the name is free for those that it has */

    is_uint(leave("name"), NGX_OK, "gone");
    ok(server_stat(&table, "name") == NULL, "not the name");
    is_uint(state("name#10.0.0.1"), NGX_RTMP_ROUTE_GONE, "but the address");
    is_uint(leave("other"), NGX_DECLINED, "none");

    set("name", 0);
    is_uint(leave("name"), NGX_OK, "without an address");
    ok(server_stat(&table, "name") == NULL, "there is nothing to wait for");

    IS_CHECKED(&table);
}


/* 10.0.0.n of the name in front of "#", or no address */

static ngx_int_t
set(const char *id, ngx_uint_t n)
{
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    server_info(&info, id, n, NGX_RTMP_ROUTE_SRC_CONFIG);
    server_params(&params);

    if (n == 0) {
        info.endpoints[NGX_RTMP_ROUTE_RTMP][0].family = 0;
        info.endpoints[NGX_RTMP_ROUTE_HTTP][0].family = 0;
    }

    info.origin_len = 4;
    ngx_memcpy(info.origin, "name", 4);

    return ngx_rtmp_route_server_set(&table, &info, &params, NULL);
}


static ngx_int_t
leave(const char *id)
{
    ngx_str_t  name;

    name = unit_str(id);

    return ngx_rtmp_route_server_leave(&table, &name);
}


static ngx_uint_t
state(const char *id)
{
    ngx_rtmp_route_server_stat_t  *stat;

    stat = server_stat(&table, id);

    return stat ? stat->state : 100;
}


static void
publish(ngx_rtmp_route_session_t *session, const char *key,
    ngx_rtmp_route_peer_t *peer)
{
    is_uint(session_open(&table, key, NGX_RTMP_ROUTE_PUBLISH, session, peer),
            NGX_OK, "publish");
    ngx_rtmp_route_table_state(&table, session, NGX_RTMP_ROUTE_S_RELAY);
}
