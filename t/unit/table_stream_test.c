
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


/* Streams in the table: who says where they are, and when they are forgotten */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define FETCH     NGX_RTMP_ROUTE_FETCH
#define RELAY     NGX_RTMP_ROUTE_S_RELAY


static void test_publish(void);
static void test_refused(void);
static void test_play(void);
static void test_priority(void);
static void test_beneath(void);
static void test_conflicts(void);
static void test_conflicts_shown(void);
static void test_conflicts_many(void);
static void test_core(void);
static void test_lists(void);
static void test_forget(void);
static void test_inactive(void);
static void test_gone(void);
static void test_counters(void);
static void test_keys(void);
static void test_walks(void);
static ngx_uint_t source(const char *key);
static ngx_uint_t is_on(const char *key, const char *id);
static ngx_uint_t is_at(const char *key, ngx_str_t *id);
static void list(const char *id, const char **keys);


static ngx_rtmp_route_table_t    table;
static ngx_rtmp_route_peer_t     peer;
static ngx_rtmp_route_session_t  a, b, c;


int
main(void)
{
    unit_init();
    table_make(&table, 256 * 1024);
    table_slot();

    test_publish();
    test_refused();
    test_play();
    test_priority();
    test_beneath();
    test_conflicts();
    test_conflicts_shown();
    test_conflicts_many();
    test_core();
    test_lists();
    test_forget();
    test_inactive();
    test_gone();
    test_counters();
    test_keys();
    test_walks();

    return done();
}


static void
test_publish(void)
{
    ngx_rtmp_route_stream_stat_t  *st;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);

    is_uint(session_open(&table, "live/a", PUBLISH, &a, &peer), NGX_OK,
            "publish");
    is_uint(peer.known, 0, "was unknown");
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_NONE, "a new pick");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "picked");

    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_SETUP);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "set up");

    ngx_rtmp_route_table_state(&table, &a, RELAY);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH, "live");

    unit_tick(5000);

    st = stream_stat(&table, "live/a");
    is_uint(st->publishers, 1, "publishers");
    is_uint(st->players, 0, "players");
    ok(st->age >= 4000 && st->age <= 6000, "age");
    is_str(&st->key, "live/a", "key");
    is_str(&st->server, "s1", "server");

    is_uint(session_open(&table, "live/a", PLAY, &b, &peer), NGX_OK, "play");
    is_uint(peer.known, 1, "known");
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_PUBLISH, "live");
    is_uint(stream_stat(&table, "live/a")->players, 1, "players");

    ngx_rtmp_route_table_close(&table, &a);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "remembered");
    ngx_rtmp_route_table_close(&table, &b);
    ok(stream_stat(&table, "live/a") != NULL, "without a session, too");

    ngx_rtmp_route_table_close(&table, &b);
    is_uint(b.cell, 0, "closed twice");
    ok(b.in != NULL && b.out != NULL, "counts nowhere");

    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "fetch");
    is_uint(peer.known, 1, "known");

    IS_CHECKED(&table);
}


/* a publisher that does not get through leaves nothing */

static void
test_refused(void)
{
    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);

    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_SETUP);
    ngx_rtmp_route_table_close(&table, &a);

    ok(stream_stat(&table, "live/a") == NULL, "nothing left");

    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    ngx_rtmp_route_table_close(&table, &a);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_close(&table, &a);

    ok(stream_stat(&table, "live/a") != NULL, "left if it was live before");

    IS_CHECKED(&table);
}


static void
test_play(void)
{
    ngx_rtmp_route_table_stat_t  stat;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);
    table.method = NGX_RTMP_ROUTE_ROUND_ROBIN;

    is_uint(pick(&table, "live/a", FETCH, &peer), NGX_OK, "fetch");
    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_OK, "pick to play");
    ok(stream_stat(&table, "live/a") == NULL, "leave nothing behind");

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.cells_used, 0, "nothing at all");

    session_open(&table, "live/a", PLAY, &a, &peer);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "play");
    ok(is_at("live/a", &peer.id),
       "is where it was picked");

    session_open(&table, "live/a", PLAY, &b, &peer);
    ok(is_at("live/a", &peer.id),
       "where the other goes, too");

    session_open(&table, "live/a", PUBLISH, &c, &peer);
    ok(is_at("live/a", &peer.id),
       "and a publisher");
    ngx_rtmp_route_table_close(&table, &c);

    ngx_rtmp_route_table_close(&table, &a);
    ok(stream_stat(&table, "live/a") != NULL, "lives with the sessions");
    ngx_rtmp_route_table_close(&table, &b);
    ok(stream_stat(&table, "live/a") == NULL, "and no longer");

    /* players make nothing known where unknown names are refused */

    session_open(&table, "live/a", PLAY, &a, &peer);
    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_REFUSE;
    is_uint(session_open(&table, "live/a", PLAY, &b, &peer), NGX_DECLINED,
            "refused");
    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_WAIT;
    is_uint(session_open(&table, "live/a", PLAY, &b, &peer), NGX_AGAIN,
            "has to wait");
    ngx_rtmp_route_table_close(&table, &a);

    table.unknown = NGX_RTMP_ROUTE_UNKNOWN_PICK;
    table.method = NGX_RTMP_ROUTE_HASH;

    IS_CHECKED(&table);
}


/* each of them is set over the one before, and falls back to it */

static void
test_priority(void)
{
    ngx_str_t  key, id;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);
    server_add(&table, "s3", 3, NULL);
    server_add(&table, "s4", 4, NULL);

    is_uint(stream_set(&table, "live/a", "x", NGX_RTMP_ROUTE_FROM_PIN),
            NGX_DECLINED, "no such server");
    ok(stream_stat(&table, "live/a") == NULL, "nothing made");

    is_uint(stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND),
            NGX_OK, "found");
    ok(is_on("live/a", "s1"), "on s1");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_FOUND, "found");
    is_uint(stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND),
            NGX_DONE, "again");

    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_CORE),
            NGX_OK, "core");
    ok(is_on("live/a", "s2"), "on s2");
    is_uint(stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND),
            NGX_ABORT, "not found elsewhere");
    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_FOUND),
            NGX_DONE, "but there");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_CORE, "core still");

    is_uint(stream_set(&table, "live/a", "s3", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_OK, "list");
    ok(is_on("live/a", "s3"), "on s3");
    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_CORE),
            NGX_ABORT, "the core no more");

    is_uint(stream_set(&table, "live/a", "s4", NGX_RTMP_ROUTE_FROM_PIN),
            NGX_OK, "pin");
    ok(is_on("live/a", "s4"), "on s4");
    is_uint(stream_set(&table, "live/a", "s3", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_ABORT, "list is elsewhere");
    is_uint(stream_set(&table, "live/a", "s4", NGX_RTMP_ROUTE_FROM_PIN),
            NGX_DONE, "pinned again");

    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s4", "picked by pin");
    is_uint(peer.source, NGX_RTMP_ROUTE_FROM_PIN, "source");

    IS_CHECKED(&table);

    /* a server that is of no use is passed by */

    server_flags(&table, "s4", 1, 0, 0);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s3", "the list is next");
    server_flags(&table, "s3", 1, 0, 0);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s2", "then the core");
    server_flags(&table, "s2", 1, 0, 0);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s1", "then what is left");
    ok(is_on("live/a", "s4"), "it is a detour only");

    server_flags(&table, "s4", 0, 0, 0);
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s4", "back");

    /* what does not match is as good as none */

    id = unit_str("s4");
    ngx_rtmp_route_server_delete(&table, &id);
    ok(is_on("live/a", "s3"), "the pin went with its server");
    id = unit_str("s3");
    ngx_rtmp_route_server_delete(&table, &id);
    ok(is_on("live/a", "s2"), "so did the list");
    id = unit_str("s2");
    ngx_rtmp_route_server_delete(&table, &id);
    ok(stream_stat(&table, "live/a") == NULL, "nothing is left");

    key = unit_str("live/a");
    is_uint(ngx_rtmp_route_stream_delete(&table, &key), NGX_DECLINED,
            "not even to be deleted");

    IS_CHECKED(&table);
}


/* pin and list beneath a live publisher */

static void
test_beneath(void)
{
    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_LIST);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    is_str(&peer.id, "s1", "a publisher goes where the list says");
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH, "live");

    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_ABORT, "another's list");
    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_CORE),
            NGX_ABORT, "the core");
    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_FOUND),
            NGX_ABORT, "found elsewhere");
    is_uint(stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_DONE, "its own list");
    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_PIN),
            NGX_OK, "a pin is remembered");
    ok(is_on("live/a", "s1"), "but it is live on s1");
    pick(&table, "live/a", PLAY, &peer);
    is_str(&peer.id, "s1", "where players go");

    ngx_rtmp_route_table_close(&table, &a);
    ok(is_on("live/a", "s2"), "pinned then");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PIN, "pin");

    IS_CHECKED(&table);
}


/* two publishers of one name */

static void
test_conflicts(void)
{
    ngx_rtmp_route_query_t  query;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, RELAY);

    /* its server is as good as alive as long as the session is */

    server_flags(&table, "s1", 1, 0, 0);
    is_uint(session_open(&table, "live/a", PUBLISH, &b, &peer), NGX_OK,
            "a second publisher");
    is_str(&peer.id, "s1", "goes where the first one is");
    ngx_rtmp_route_table_state(&table, &b, RELAY);
    is_uint(stream_stat(&table, "live/a")->publishers, 2, "two publishers");

    ngx_rtmp_route_table_close(&table, &a);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH, "one is left");

    query_init(&query, "live/a", PLAY);
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "live there, so nowhere else");

    ngx_rtmp_route_table_close(&table, &b);

    /* no more live: a publisher is moved, a player makes a detour */

    is_uint(session_open(&table, "live/a", PUBLISH, &a, &peer), NGX_OK,
            "published again");
    is_str(&peer.id, "s2", "on a server that is up");
    ok(is_on("live/a", "s2"), "the record has moved");
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    ngx_rtmp_route_table_close(&table, &a);

    /* two that have gone different ways: the first that is live */

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    server_flags(&table, "s1", 1, 0, 0);
    session_open(&table, "live/a", PUBLISH, &b, &peer);
    is_str(&peer.id, "s2", "elsewhere");
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    ok(is_on("live/a", "s1"), "moved to where it is live");
    ngx_rtmp_route_table_state(&table, &b, RELAY);
    ok(is_on("live/a", "s1"), "not moved by another");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH, "live");

    IS_CHECKED(&table);

    ngx_rtmp_route_table_close(&table, &a);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "remembered");
    ngx_rtmp_route_table_state(&table, &b, RELAY);
    ok(is_on("live/a", "s2"), "live elsewhere then");
    ngx_rtmp_route_table_close(&table, &b);

    IS_CHECKED(&table);
}


static void
test_conflicts_shown(void)
{
    ngx_str_t                      id;
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t   info;
    ngx_rtmp_route_stream_stat_t  *st;

    static const char  *both[] = { "live/a", "live/b", NULL };
    static const char  *twice[] = { "live/a", "live/a", "live/c", NULL };
    static const char  *one[] = { "live/a", NULL };
    static const char  *none[] = { NULL };

    static const char  *ids[] = { "s1", "s2", "s3", "s4", "s5", "s6" };

    table_make(&table, 256 * 1024);

    for (i = 0; i < 6; i++) {
        server_add(&table, ids[i], i + 1, NULL);
    }

    list("s1", both);
    is_uint(server_stat(&table, "s1")->conflicts, 0, "the first has none");
    is_uint(stream_stat(&table, "live/a")->nconflicts, 0, "nor the stream");

    list("s2", twice);

    is_uint(server_stat(&table, "s2")->conflicts, 1, "one is elsewhere");
    st = stream_stat(&table, "live/a");
    is_uint(st->nconflicts, 1, "shown with the stream");
    is_str(&st->conflicts[0], "s2", "who it is");
    is_uint(stream_stat(&table, "live/b")->nconflicts, 0, "not another one");
    is_uint(stream_stat(&table, "live/c")->nconflicts, 0, "nor what it has");

    list("s2", twice);

    is_uint(server_stat(&table, "s2")->conflicts, 1, "again");
    is_uint(stream_stat(&table, "live/a")->nconflicts, 1, "and shown once");

    for (i = 2; i < 6; i++) {
        list(ids[i], one);
    }

    is_uint(stream_stat(&table, "live/a")->nconflicts,
            NGX_RTMP_ROUTE_MAX_CONFLICTS, "so many are shown");

    for (i = 2; i < 6; i++) {
        list(ids[i], none);
    }

    is_uint(stream_stat(&table, "live/a")->nconflicts, 1, "no longer listed");
    is_uint(server_stat(&table, "s3")->conflicts, 0, "nor counted");

    /* the other one gives it up: the next listing takes it */

    list("s1", none);
    list("s2", twice);

    is_uint(server_stat(&table, "s2")->conflicts, 0, "taken");
    is_uint(stream_stat(&table, "live/a")->nconflicts, 0, "no conflict");

    /* who has a stream is in no conflict about it */

    list("s3", one);
    is_uint(stream_set(&table, "live/a", "s3", NGX_RTMP_ROUTE_FROM_PIN),
            NGX_OK, "pinned to the other");
    is_uint(stream_stat(&table, "live/a")->nconflicts, 0, "it has it now");

    /* a server that goes, or is another one */

    list("s4", one);
    is_uint(stream_stat(&table, "live/a")->nconflicts, 1, "before it goes");

    id = unit_str("s4");
    ngx_rtmp_route_server_delete(&table, &id);
    server_add(&table, "s7", 7, NULL);

    is_uint(stream_stat(&table, "live/a")->nconflicts, 0, "gone");

    /* a cell that is used again */

    list("s5", one);
    stream_forget(&table, "live/a");
    is_uint(stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_PIN),
            NGX_OK, "the same name anew");
    is_uint(stream_stat(&table, "live/a")->nconflicts, 0, "no conflict yet");

    list("s3", none);
    list("s5", none);

    /* a registration that has ended */

    server_info(&info, "r1", 9, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    list("r1", one);
    is_uint(server_stat(&table, "r1")->conflicts, 1, "of a registration");

    info.pid[0]++;
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    is_uint(server_stat(&table, "r1")->conflicts, 0, "it has restarted");
    is_uint(stream_stat(&table, "live/a")->nconflicts, 0, "not shown");

    IS_CHECKED(&table);
}


/* more than are kept: the number is right all the same */

static void
test_conflicts_many(void)
{
    char         keys[1000][32];
    ngx_uint_t   i, shown;
    const char  *all[1001];

    table_make(&table, 1024 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    for (i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "live/%lu", (unsigned long) i);
        all[i] = keys[i];
    }

    all[1000] = NULL;

    list("s1", all);
    list("s2", all);

    is_uint(server_stat(&table, "s2")->conflicts, 1000, "all are counted");

    for (i = 0, shown = 0; i < 1000; i++) {
        shown += stream_stat(&table, keys[i])->nconflicts;
    }

    ok(shown > 100 && shown < 1000, "some are shown: %lu",
       (unsigned long) shown);

    IS_CHECKED(&table);
}


static void
test_core(void)
{
    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_CORE);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    is_str(&peer.id, "s1", "where the core says");
    ngx_rtmp_route_table_close(&table, &a);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_CORE,
            "it goes on saying so");

    is_uint(stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_CORE),
            NGX_OK, "or changes its mind");
    ok(is_on("live/a", "s2"), "moved");

    server_flags(&table, "s2", 1, 0, 0);
    is_uint(stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND),
            NGX_OK, "found where the core's server is down");

    IS_CHECKED(&table);
}


static void
test_lists(void)
{
    ngx_str_t                        id;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    static const char  *abc[] = { "live/a", "live/b", "live/c", NULL };
    static const char  *bd[] = { "live/b", "live/d", NULL };
    static const char  *none[] = { NULL };

    table_make(&table, 256 * 1024);
    server_params(&params);
    server_info(&info, "r1", 1, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    server_info(&info, "r2", 2, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);

    list("r1", abc);
    ok(is_on("live/a", "r1") && is_on("live/b", "r1") && is_on("live/c", "r1"),
       "listed");
    is_uint(server_stat(&table, "r1")->streams, 3, "streams");

    stream_set(&table, "live/c", "r2", NGX_RTMP_ROUTE_FROM_PIN);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, RELAY);

    list("r1", bd);
    ok(is_on("live/b", "r1") && is_on("live/d", "r1"), "listed still");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH, "live still");
    ok(is_on("live/c", "r2"), "pinned still");
    is_uint(server_stat(&table, "r1")->streams, 3, "streams");

    IS_CHECKED(&table);

    is_uint(stream_set(&table, "live/b", "r2", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_ABORT, "another has it");

    list("r1", none);
    ok(stream_stat(&table, "live/b") == NULL, "forgotten");
    ok(stream_stat(&table, "live/d") == NULL, "forgotten");
    ok(stream_stat(&table, "live/a") != NULL, "not the live one");

    ngx_rtmp_route_table_close(&table, &a);

    is_uint(stream_set(&table, "live/b", "r2", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_OK, "free for others");

    /* two heartbeats at once: the later one tells */

    id = unit_str("r1");
    list("r1", abc);
    ngx_rtmp_route_list_begin(&table, &id);
    ngx_pid++;
    ngx_rtmp_route_list_begin(&table, &id);
    ngx_pid--;
    ngx_rtmp_route_list_end(&table, &id);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_LIST,
            "not the earlier one");
    ngx_pid++;
    ngx_rtmp_route_list_end(&table, &id);
    ngx_pid--;
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "only remembered");

    /* who no longer registers has no list */

    unit_tick(30001);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    list("r2", abc);
    unit_tick(20000);
    server_info(&info, "r1", 1, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    is_uint(stream_set(&table, "live/a", "r1", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_ABORT, "r2 has it");
    unit_tick(10001);
    is_uint(stream_set(&table, "live/a", "r1", NGX_RTMP_ROUTE_FROM_LIST),
            NGX_OK, "no longer");
    ok(is_on("live/a", "r1"), "on r1");

    IS_CHECKED(&table);
}


static void
test_forget(void)
{
    ngx_rtmp_route_table_stat_t  stat;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    is_uint(stream_forget(&table, "live/a"), NGX_DECLINED, "unknown");

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_PIN);
    is_uint(stream_forget(&table, "live/a"), NGX_OK, "forgotten");
    ok(stream_stat(&table, "live/a") == NULL, "pin and all");

    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    session_open(&table, "live/a", PLAY, &b, &peer);

    is_uint(stream_forget(&table, "live/a"), NGX_OK, "with sessions");
    ok(stream_stat(&table, "live/a") == NULL, "not known");
    is_uint(stream_forget(&table, "live/a"), NGX_DECLINED, "not twice");

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.streams, 0, "no streams");
    is_uint(stat.sessions, 2, "sessions go on");

    session_open(&table, "live/a", PLAY, &c, &peer);
    is_uint(peer.known, 0, "unknown again");
    is_uint(stream_stat(&table, "live/a")->players, 1, "players of the new");
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PICK, "not live");

    IS_CHECKED(&table);

    ngx_rtmp_route_table_close(&table, &c);
    ngx_rtmp_route_table_close(&table, &b);
    ngx_rtmp_route_table_close(&table, &a);

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.cells_used, 0, "nothing left");

    /* forgotten while it is published */

    session_open(&table, "live/a", PUBLISH, &a, &peer);
    stream_forget(&table, "live/a");
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH, "live all the same");

    IS_CHECKED(&table);

    session_open(&table, "live/a", PUBLISH, &b, &peer);
    stream_forget(&table, "live/a");
    session_open(&table, "live/a", PLAY, &c, &peer);
    ngx_rtmp_route_table_state(&table, &b, RELAY);
    is_uint(source("live/a"), NGX_RTMP_ROUTE_FROM_PUBLISH,
            "joins what was made meanwhile");
    is_uint(stream_stat(&table, "live/a")->players, 1, "with its player");

    IS_CHECKED(&table);

    ngx_rtmp_route_table_close(&table, &c);
    ngx_rtmp_route_table_close(&table, &b);
    ngx_rtmp_route_table_close(&table, &a);

    IS_CHECKED(&table);
}


static void
test_inactive(void)
{
    ngx_str_t  id;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);

    stream_set(&table, "live/core", "s1", NGX_RTMP_ROUTE_FROM_CORE);
    stream_set(&table, "live/found", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    stream_set(&table, "live/pin", "s1", NGX_RTMP_ROUTE_FROM_PIN);
    stream_set(&table, "live/list", "s1", NGX_RTMP_ROUTE_FROM_LIST);
    session_open(&table, "live/open", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    session_open(&table, "live/shut", PUBLISH, &b, &peer);
    ngx_rtmp_route_table_state(&table, &b, RELAY);
    ngx_rtmp_route_table_close(&table, &b);

    unit_tick(60000);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/found") != NULL, "not yet");

    pick(&table, "live/shut", FETCH, &peer);
    unit_tick(1);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/found") == NULL, "forgotten");
    ok(stream_stat(&table, "live/shut") != NULL, "not what is used");

    unit_tick(60000);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/shut") == NULL, "forgotten, too");

    unit_tick(6000000);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/pin") != NULL, "never a pin");
    ok(stream_stat(&table, "live/list") != NULL, "nor a list");
    ok(stream_stat(&table, "live/core") != NULL, "nor that of the core");
    ok(stream_stat(&table, "live/open") != NULL, "nor with sessions");

    ngx_rtmp_route_table_close(&table, &a);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/open") != NULL, "used until now");

    IS_CHECKED(&table);

    /* the time of the last use has 32 bits: half of them is 25 days */

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);
    stream_set(&table, "live/old", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    stream_set(&table, "live/old", "s2", NGX_RTMP_ROUTE_FROM_PIN);

    unit_tick((ngx_msec_t) 30 * 86400 * 1000);
    stream_set(&table, "live/new", "s1", NGX_RTMP_ROUTE_FROM_FOUND);

    id = unit_str("s2");
    ngx_rtmp_route_server_delete(&table, &id);
    ngx_rtmp_route_table_sweep(&table);
    stream_set(&table, "live/last", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    unit_tick(60001);
    ngx_rtmp_route_table_sweep(&table);
    ok(stream_stat(&table, "live/new") == NULL, "forgotten");
    ok(stream_stat(&table, "live/old") == NULL, "after a month, too");
    ok(stream_stat(&table, "live/last") == NULL, "and what came last");

    IS_CHECKED(&table);
}


/* what is held by a server that is gone is found by the sweep */

static void
test_gone(void)
{
    ngx_str_t                    id;
    ngx_rtmp_route_table_stat_t  stat;

    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    stream_set(&table, "live/pin", "s1", NGX_RTMP_ROUTE_FROM_PIN);
    stream_set(&table, "live/list", "s1", NGX_RTMP_ROUTE_FROM_LIST);
    server_flags(&table, "s2", 1, 0, 0);
    session_open(&table, "live/open", PUBLISH, &a, &peer);
    is_str(&peer.id, "s1", "on s1");
    ngx_rtmp_route_table_state(&table, &a, RELAY);

    id = unit_str("s1");
    ngx_rtmp_route_server_delete(&table, &id);
    server_flags(&table, "s2", 0, 0, 0);

    IS_CHECKED(&table);

    ngx_rtmp_route_table_sweep(&table);
    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.streams, 1, "forgotten");
    is_uint(source("live/open"), NGX_RTMP_ROUTE_FROM_NONE, "a session goes on");

    is_uint(session_open(&table, "live/open", PLAY, &b, &peer), NGX_OK,
            "picked anew");
    is_str(&peer.id, "s2", "on another server");
    ok(is_on("live/open", "s2"), "moved");
    is_uint(source("live/open"), NGX_RTMP_ROUTE_FROM_PICK, "not live there");

    ngx_rtmp_route_table_close(&table, &a);
    ngx_rtmp_route_table_close(&table, &b);

    IS_CHECKED(&table);
}


static void
test_counters(void)
{
    table_make(&table, 256 * 1024);
    server_add(&table, "s1", 1, NULL);
    server_add(&table, "s2", 2, NULL);

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_FOUND);
    is_uint(server_stat(&table, "s1")->streams, 0, "found is not counted");
    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_CORE);
    is_uint(server_stat(&table, "s1")->streams, 1, "the core is");
    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_LIST);
    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_PIN);
    is_uint(server_stat(&table, "s1")->streams, 1, "once");

    session_open(&table, "live/a", PUBLISH, &a, &peer);
    is_uint(server_stat(&table, "s1")->streams, 1, "once");
    is_uint(server_stat(&table, "s1")->conns, 1, "conns");
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    is_uint(server_stat(&table, "s1")->streams, 1, "once");

    stream_set(&table, "live/a", "s2", NGX_RTMP_ROUTE_FROM_PIN);
    is_uint(server_stat(&table, "s1")->streams, 1, "live here");
    is_uint(server_stat(&table, "s2")->streams, 0, "not there");
    ngx_rtmp_route_table_close(&table, &a);
    is_uint(server_stat(&table, "s1")->streams, 0, "pinned there");
    is_uint(server_stat(&table, "s2")->streams, 1, "counted there");
    is_uint(server_stat(&table, "s1")->conns, 0, "conns");

    IS_CHECKED(&table);
}


static void
test_keys(void)
{
    u_char                         buf[NGX_RTMP_ROUTE_KEY_LEN + 1];
    ngx_str_t                      key, id;
    ngx_uint_t                     n, wrong;
    ngx_rtmp_route_stream_stat_t   stat;

    table_make(&table, 4 * 1024 * 1024);
    server_add(&table, "s1", 1, NULL);

    id = unit_str("s1");
    key.data = buf;
    memset(buf, 'k', sizeof(buf));

    wrong = 0;

    for (n = 1; n <= NGX_RTMP_ROUTE_KEY_LEN; n++) {
        key.len = n;

        if (ngx_rtmp_route_stream_set(&table, &key, &id,
                                      NGX_RTMP_ROUTE_FROM_PIN)
            != NGX_OK)
        {
            wrong++;
        }
    }

    for (n = 1; n <= NGX_RTMP_ROUTE_KEY_LEN; n++) {
        key.len = n;

        if (ngx_rtmp_route_stream_get(&table, &key, &stat) != NGX_OK
            || stat.key.len != n
            || ngx_memcmp(stat.key.data, buf, n) != 0)
        {
            wrong++;
        }
    }

    is_uint(wrong, 0, "keys of all lengths");

    key.len = NGX_RTMP_ROUTE_KEY_LEN + 1;
    is_uint(ngx_rtmp_route_stream_set(&table, &key, &id,
                                      NGX_RTMP_ROUTE_FROM_PIN),
            NGX_BUSY, "too long a key");
    is_uint(ngx_rtmp_route_stream_get(&table, &key, &stat), NGX_DECLINED,
            "not found");
    key.len = 0;
    is_uint(ngx_rtmp_route_stream_get(&table, &key, &stat), NGX_DECLINED,
            "an empty key");

    IS_CHECKED(&table);
}


static void
test_walks(void)
{
    char                            key[32];
    uint32_t                        cursor;
    ngx_uint_t                      i, n;
    ngx_rtmp_route_stream_stat_t    stream;
    ngx_rtmp_route_session_stat_t   session;

    table_make(&table, 2 * 1024 * 1024);
    server_add(&table, "s1", 1, NULL);

    for (i = 0; i < 6000; i++) {
        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);
        stream_set(&table, key, "s1", NGX_RTMP_ROUTE_FROM_PIN);
    }

    for (i = 0; i < 5999; i++) {
        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);
        stream_forget(&table, key);
    }

    session_open(&table, "live/5999", PUBLISH, &a, &peer);
    (void) ngx_atomic_fetch_add(a.in, 1000);
    (void) ngx_atomic_fetch_add(a.out, 10);
    ngx_rtmp_route_table_state(&table, &a, RELAY);
    unit_tick(1234);

    n = 0;
    cursor = 0;

    while (ngx_rtmp_route_stream_walk(&table, &cursor, &stream) == NGX_OK) {
        n++;
    }

    is_uint(n, 1, "streams");
    is_str(&stream.key, "live/5999", "key");

    n = 0;
    cursor = 0;

    while (ngx_rtmp_route_session_walk(&table, &cursor, &session) == NGX_OK) {
        n++;
    }

    is_uint(n, 1, "sessions");
    is_uint(session.slot, ngx_rtmp_route_slot(), "slot");
    is_uint(session.number, a.number, "number");
    is_uint(session.type, PUBLISH, "type");
    is_uint(session.state, RELAY, "state");
    is_uint(session.pid, getpid(), "pid");
    is_str(&session.key, "live/5999", "stream");
    is_str(&session.server, "s1", "server");
    is_str(&session.client, "203.0.113.7:51234", "client");
    is_str(&session.agent, "FMLE/3.0 (compatible; FMSc/1.0)", "agent");
    is_str(&session.upstream, "10.0.0.1:1935", "upstream");
    is_uint(session.in, 1000, "in");
    is_uint(session.out, 10, "out");
    is_uint(session.started, 1234, "started");

    ngx_rtmp_route_table_close(&table, &a);
    IS_CHECKED(&table);
}


static ngx_uint_t
source(const char *key)
{
    ngx_rtmp_route_stream_stat_t  *stat;

    stat = stream_stat(&table, key);

    return stat ? stat->source : (ngx_uint_t) -1;
}


static ngx_uint_t
is_on(const char *key, const char *id)
{
    ngx_str_t  name;

    name = unit_str(id);

    return is_at(key, &name);
}


static ngx_uint_t
is_at(const char *key, ngx_str_t *id)
{
    ngx_rtmp_route_stream_stat_t  *stat;

    stat = stream_stat(&table, key);

    return stat && stat->server.len == id->len
           && memcmp(stat->server.data, id->data, id->len) == 0;
}


static void
list(const char *id, const char **keys)
{
    ngx_str_t  name;

    name = unit_str(id);

    ngx_rtmp_route_list_begin(&table, &name);

    while (*keys) {
        (void) stream_set(&table, *keys++, id, NGX_RTMP_ROUTE_FROM_LIST);
    }

    ngx_rtmp_route_list_end(&table, &name);
}
