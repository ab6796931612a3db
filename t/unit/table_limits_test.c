
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


/* Limits of servers: what is counted, and who is let in. */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")

#define PUBLISH  NGX_RTMP_ROUTE_PUBLISH
#define PLAY     NGX_RTMP_ROUTE_PLAY
#define FETCH    NGX_RTMP_ROUTE_FETCH

#define max_conns(id, n)                                                      \
    server_patch(&table, id,                                                  \
                 offsetof(ngx_rtmp_route_server_params_t, max_conns), n)
#define max_streams(id, n)                                                    \
    server_patch(&table, id,                                                  \
                 offsetof(ngx_rtmp_route_server_params_t, max_streams), n)
#define relay(session)                                                        \
    ngx_rtmp_route_table_state(&table, session, NGX_RTMP_ROUTE_S_RELAY)
#define end(session)  ngx_rtmp_route_table_close(&table, session)


static void test_dead(void);
static void test_dead_conns(void);
static void test_zombie(void);
static void test_remembered(void);
static void test_own_place(void);
static void test_given_back(void);
static void test_sources(void);
static void test_secret(void);
static void test_before(void);
static void test_full(void);
static void test_elsewhere(void);
static void test_backup(void);
static void test_lowered(void);
static void test_restart(void);
static void test_put_back(void);
static void test_put_back_killed(void);
static void test_drained(void);
static void fresh(ngx_uint_t n);
static void die(void (*work)(void));
static pid_t begin(void (*work)(void));
static void open_two(void);
static void count_two(void);
static ngx_int_t publish(const char *key, ngx_rtmp_route_session_t *session);


static ngx_rtmp_route_table_t   table;
static ngx_rtmp_route_peer_t    peer;
static ngx_rtmp_route_query_t   query;


int
main(void)
{
    unit_init();
    fresh(1);
    table_slot();

    test_dead();
    test_dead_conns();
    test_zombie();
    test_remembered();
    test_own_place();
    test_given_back();
    test_sources();
    test_secret();
    test_before();
    test_full();
    test_elsewhere();
    test_backup();
    test_lowered();
    test_restart();
    test_put_back();
    test_put_back_killed();
    test_drained();

    return done();
}


/* sessions of a process that is gone refuse nobody */

static void
test_dead(void)
{
    ngx_rtmp_route_session_t  a, b;

    fresh(1);
    max_conns("s0", 2);

    die(open_two);
    is_uint(server_stat(&table, "s0")->conns, 2, "left");
    is_uint(session_open(&table, "live/a", PLAY, &a, &peer), NGX_OK,
            "seen at once");
    is_uint(server_stat(&table, "s0")->conns, 1, "all are undone");
    end(&a);

    die(open_two);
    is_uint(pick(&table, "live/z", PUBLISH, &peer), NGX_OK, "so by a pick");
    is_uint(server_stat(&table, "s0")->conns, 0, "undone");

    fresh(1);
    max_streams("s0", 2);

    die(open_two);
    is_uint(server_stat(&table, "s0")->streams, 2, "left");
    is_uint(publish("live/a", &a), NGX_OK, "streams");
    is_uint(publish("live/b", &b), NGX_OK, "all of them");
    end(&b);
    end(&a);

    /* the next server of a session */

    fresh(2);
    max_conns("s0", 2);
    max_conns("s1", 2);
    server_flags(&table, "s1", 1, 0, 0);
    die(open_two);
    server_flags(&table, "s0", 1, 0, 0);
    server_flags(&table, "s1", 0, 0, 0);

    session_open(&table, "live/a", PLAY, &a, &peer);
    is_str(&peer.id, "s1", "one");
    server_flags(&table, "s0", 0, 0, 0);
    query_init(&query, "live/a", PLAY);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &a, &query, &peer), NGX_OK,
            "the next");
    is_str(&peer.id, "s0", "is not full");
    is_uint(server_stat(&table, "s0")->conns, 1, "this one");
    is_uint(server_stat(&table, "s1")->conns, 0, "moved");
    end(&a);

    /* nor is a stream of theirs live where nobody is */

    fresh(2);
    die(open_two);
    is_uint(session_open(&table, "live/x", PUBLISH, &a, &peer), NGX_OK,
            "where it was");
    query_init(&query, "live/x", PUBLISH);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &a, &query, &peer), NGX_OK,
            "elsewhere");
    relay(&a);
    is_uint(stream_stat(&table, "live/x")->publishers, 1, "one");
    is_str(&peer.id, query.tried[0].server.index ? "s0" : "s1", "there");
    end(&a);

    IS_CHECKED(&table);
}


static void
test_dead_conns(void)
{
    fresh(1);
    max_conns("s0", 2);

    die(count_two);
    is_uint(server_stat(&table, "s0")->conns, 2, "left");

    query_init(&query, "live/a", FETCH);
    query.count = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "requests, too");
    is_uint(server_stat(&table, "s0")->conns, 1, "this one");
    ngx_rtmp_route_table_free(&table, &peer);

    IS_CHECKED(&table);
}


/* killed, but its parent has something else to do */

static void
test_zombie(void)
{
    pid_t                     pid;
    siginfo_t                 info;
    ngx_rtmp_route_session_t  a;

    fresh(1);
    max_conns("s0", 2);

    pid = begin(open_two);

    /* waits, but leaves it as it is */

    (void) waitid(P_PID, pid, &info, WEXITED|WNOWAIT);
    is_uint(server_stat(&table, "s0")->conns, 2, "left");

    unit_tick(1001);
    is_uint(session_open(&table, "live/a", PLAY, &a, &peer), NGX_OK,
            "is as good as gone");
    is_uint(server_stat(&table, "s0")->conns, 1, "all are undone");
    end(&a);

    (void) waitpid(pid, NULL, 0);

    IS_CHECKED(&table);
}


/* a stream that was there has no place kept */

static void
test_remembered(void)
{
    ngx_rtmp_route_session_t  a, b, c;

    fresh(1);
    max_streams("s0", 1);

    is_uint(publish("live/a", &a), NGX_OK, "one");
    end(&a);
    is_uint(stream_stat(&table, "live/a")->source, NGX_RTMP_ROUTE_FROM_PICK,
            "remembered");
    is_uint(publish("live/b", &b), NGX_OK, "its place is free");
    is_uint(publish("live/a", &a), NGX_BUSY, "until it is back");
    is_uint(server_stat(&table, "s0")->streams, 1, "one");

    server_add(&table, "s1", 1, NULL);
    max_streams("s1", 1);
    is_uint(publish("live/a", &a), NGX_OK, "elsewhere");
    is_str(&peer.id, "s1", "where there is room");
    is_uint(session_open(&table, "live/a", PLAY, &c, &peer), NGX_OK, "played");
    is_str(&peer.id, "s1", "there");
    is_uint(publish("live/c", &c), NGX_BUSY, "no more");

    end(&a);
    end(&b);
    stream_set(&table, "live/d", "s0", NGX_RTMP_ROUTE_FROM_FOUND);
    publish("live/b", &b);
    is_str(&peer.id, "s0", "back");
    is_uint(publish("live/d", &a), NGX_OK, "what was found on a full one");
    is_str(&peer.id, "s1", "goes elsewhere");
    end(&a);
    end(&b);

    IS_CHECKED(&table);
}


/* but a stream does not stand in its own way */

static void
test_own_place(void)
{
    ngx_rtmp_route_session_t       a, b;
    ngx_rtmp_route_server_info_t   info;

    fresh(1);
    max_streams("s0", 1);

    is_uint(session_open(&table, "live/a", PUBLISH, &a, &peer), NGX_OK, "one");
    is_uint(session_open(&table, "live/a", PUBLISH, &b, &peer), NGX_OK,
            "a second one, while the first is set up");
    relay(&a);
    end(&b);
    is_uint(session_open(&table, "live/a", PUBLISH, &b, &peer), NGX_OK,
            "and while it is live");
    is_uint(server_stat(&table, "s0")->streams, 1, "is the same stream");
    end(&a);
    end(&b);

    /* another port of the same server */

    fresh(0);
    server_info(&info, "s0", 1, NGX_RTMP_ROUTE_SRC_CONFIG);
    info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 2;
    info.endpoints[NGX_RTMP_ROUTE_RTMP][1] =
                                        info.endpoints[NGX_RTMP_ROUTE_RTMP][0];
    info.endpoints[NGX_RTMP_ROUTE_RTMP][1].port = 1936;
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    max_streams("s0", 1);
    max_conns("s0", 1);

    session_open(&table, "live/a", PUBLISH, &a, &peer);
    query_init(&query, "live/a", PUBLISH);
    ngx_rtmp_route_table_report(&table, &query, &peer, 1);
    is_uint(ngx_rtmp_route_table_next(&table, &a, &query, &peer), NGX_OK,
            "next");
    is_uint(peer.endpoint, 1, "port");
    end(&a);

    IS_CHECKED(&table);
}


/* a publisher that the server has refused, at once */

static void
test_given_back(void)
{
    ngx_uint_t                i;
    ngx_rtmp_route_session_t  a, b;

    fresh(2);
    max_streams("s0", 1);
    max_streams("s1", 1);

    for (i = 0; i < 3; i++) {
        is_uint(session_open(&table, "live/a", PUBLISH, &a, &peer), NGX_OK,
                "one");
        is_uint(session_open(&table, "live/b", PUBLISH, &b, &peer), NGX_OK,
                "two");
        is_uint(pick(&table, "live/c", PUBLISH, &peer), NGX_BUSY, "full");

        ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_SETUP);
        end(&a);
        is_uint(pick(&table, "live/c", PUBLISH, &peer), NGX_OK, "refused");
        end(&b);
    }

    ok(stream_stat(&table, "live/a") == NULL, "nothing is left");
    is_uint(server_stat(&table, "s0")->conns, 0, "no connection");

    IS_CHECKED(&table);

    /* though its connection stays */

    fresh(1);
    max_streams("s0", 1);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_CLOSING);
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_CLOSING);
    is_uint(server_stat(&table, "s0")->conns, 1, "it is there");
    is_uint(publish("live/b", &b), NGX_OK, "its place is free");
    IS_CHECKED(&table);
    relay(&a);
    is_uint(server_stat(&table, "s0")->streams, 2, "if it is taken after all");
    IS_CHECKED(&table);
    ngx_rtmp_route_table_state(&table, &b, NGX_RTMP_ROUTE_S_CLOSING);
    is_uint(server_stat(&table, "s0")->streams, 1, "one has ended");
    is_uint(stream_stat(&table, "live/b")->source, NGX_RTMP_ROUTE_FROM_PICK,
            "it is remembered");
    is_uint(server_stat(&table, "s0")->conns, 2, "its connection is there");
    IS_CHECKED(&table);
    end(&b);
    is_uint(server_stat(&table, "s0")->streams, 1, "which makes no odds");
    end(&a);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_CLOSING);
    ngx_rtmp_route_table_rebuild(table.sh);
    table.sh->dirty = 0;
    IS_CHECKED(&table);
    end(&a);
    is_uint(server_stat(&table, "s0")->conns, 0, "no connection");

    IS_CHECKED(&table);
}


/* what a server lists, what the core says is there, what is pinned */

static void
test_sources(void)
{
    ngx_str_t                 key, id;
    ngx_rtmp_route_session_t  a, b;

    fresh(1);
    max_streams("s0", 2);
    id = unit_str("s0");

    stream_set(&table, "live/a", "s0", NGX_RTMP_ROUTE_FROM_LIST);
    stream_set(&table, "live/b", "s0", NGX_RTMP_ROUTE_FROM_PIN);
    is_uint(publish("live/c", &a), NGX_BUSY, "places are taken");
    is_uint(publish("live/a", &a), NGX_OK, "by the listed one");
    is_uint(publish("live/b", &b), NGX_OK, "by the pinned one");
    is_uint(server_stat(&table, "s0")->streams, 2, "each counts once");
    end(&b);
    is_uint(publish("live/c", &b), NGX_BUSY, "a pin keeps its place");
    stream_forget(&table, "live/b");
    is_uint(publish("live/c", &b), NGX_OK, "or not");
    end(&b);
    end(&a);
    stream_forget(&table, "live/c");

    key = unit_str("live/d");
    ngx_rtmp_route_core_set(&table, &key, &id,
                            ngx_rtmp_route_core_begin(&table), 0);
    is_uint(server_stat(&table, "s0")->streams, 2, "listed and of the core");
    is_uint(publish("live/c", &a), NGX_OK, "a channel needs no place");
    is_uint(publish("live/d", &b), NGX_BUSY, "its publisher does");
    end(&a);
    stream_forget(&table, "live/c");
    session_open(&table, "live/d", PUBLISH, &a, &peer);
    is_uint(pick(&table, "live/c", PUBLISH, &peer), NGX_BUSY,
            "before it is live, too");
    relay(&a);
    is_uint(server_stat(&table, "s0")->streams, 2, "it is one stream");
    end(&a);
    IS_CHECKED(&table);

    /* one that is found is only a trace */

    ngx_rtmp_route_core_forget(&table, &key);
    stream_set(&table, "live/e", "s0", NGX_RTMP_ROUTE_FROM_FOUND);
    is_uint(server_stat(&table, "s0")->streams, 1, "not what is found");
    is_uint(publish("live/c", &a), NGX_OK, "room");
    end(&a);

    IS_CHECKED(&table);
}


/* the core names the channel, the encoder a secret */

static void
test_secret(void)
{
    ngx_str_t                 key, id;
    ngx_rtmp_route_session_t  a, b;

    fresh(1);
    max_streams("s0", 2);
    id = unit_str("s0");

    is_uint(publish("stream/#0123456789abcdef", &a), NGX_OK, "published");
    is_uint(server_stat(&table, "s0")->streams, 1, "one");

    key = unit_str("live/channel");
    ngx_rtmp_route_core_set(&table, &key, &id,
                            ngx_rtmp_route_core_begin(&table), 0);
    is_uint(server_stat(&table, "s0")->streams, 2, "its channel is shown");
    is_uint(publish("stream/#fedcba9876543210", &b), NGX_OK,
            "but is the same, so there is room");
    end(&b);

    /* the list of the core is late, which keeps no encoder out */

    max_streams("s0", 1);
    end(&a);
    is_uint(publish("stream/#0123456789abcdef", &a), NGX_OK, "back");
    end(&a);

    server_flags(&table, "s0", 0, 1, 0);
    is_uint(server_stat(&table, "s0")->drained, 0, "a channel is there");
    ngx_rtmp_route_core_forget(&table, &key);
    is_uint(server_stat(&table, "s0")->drained, 1, "drained");

    IS_CHECKED(&table);
}


/* who plays before there is a publisher goes where that would go */

static void
test_before(void)
{
    char                      key[24];
    ngx_uint_t                i, n, waiting;
    ngx_rtmp_route_session_t  a, b, c;

    fresh(4);

    for (i = 0, n = 0; i < 3; i++) {
        snprintf(key, sizeof(key), "s%lu", (unsigned long) i);
        max_streams(key, 1);
    }

    max_streams("s3", 1);

    publish("live/a", &a);
    n = peer.server.index;

    for (i = 0, waiting = 0; i < 30; i++) {
        snprintf(key, sizeof(key), "live/early%lu", (unsigned long) i);

        session_open(&table, key, PLAY, &b, &peer);
        waiting += (peer.server.index == n);

        session_open(&table, key, PUBLISH, &c, &peer);
        waiting += (peer.server.index == n);
        end(&c);
        end(&b);

        pick(&table, key, FETCH, &peer);
        waiting += (peer.server.index == n);
    }

    is_uint(waiting, 0, "none where there is no room");
    end(&a);

    fresh(1);
    max_streams("s0", 1);
    publish("live/a", &a);
    is_uint(session_open(&table, "live/b", PLAY, &b, &peer), NGX_OK,
            "if there is any");
    end(&b);
    is_uint(pick(&table, "live/b", FETCH, &peer), NGX_OK, "fetched");

    /* with a limit lowered meanwhile the publisher goes on alone */

    fresh(2);
    session_open(&table, "live/b", PLAY, &b, &peer);
    n = peer.server.index;
    max_streams(n ? "s1" : "s0", 1);
    server_flags(&table, n ? "s0" : "s1", 1, 0, 0);
    publish("live/a", &a);
    server_flags(&table, n ? "s0" : "s1", 0, 0, 0);
    is_uint(publish("live/b", &c), NGX_OK, "publisher after its player");
    ok(peer.server.index != n, "not where it is full");
    end(&a);
    end(&b);
    end(&c);

    IS_CHECKED(&table);
}


/* why there is none */

static void
test_full(void)
{
    ngx_rtmp_route_session_t  a, b;

    fresh(2);
    max_streams("s0", 1);
    max_conns("s1", 1);
    server_flags(&table, "s1", 1, 0, 0);
    publish("live/a", &a);

    query_init(&query, "live/b", PUBLISH);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "no room");
    is_uint(query.full, 1, "is said");

    query_init(&query, "live/b", FETCH);
    server_flags(&table, "s0", 1, 0, 0);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "all are down");
    is_uint(query.full, 0, "is another thing");

    server_flags(&table, "s1", 0, 0, 0);
    session_open(&table, "live/c", PLAY, &b, &peer);
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "full for all");
    is_uint(query.full, 1, "is said");

    query_init(&query, "live/b", PUBLISH);
    query.protocol = NGX_RTMP_ROUTE_SRT;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
            "has not the port");
    is_uint(query.full, 0, "which is no matter of room");

    end(&a);
    end(&b);

    IS_CHECKED(&table);
}


/* who wants what is on a full server gets no other one, which has it not */

static void
test_elsewhere(void)
{
    ngx_uint_t                i;
    ngx_rtmp_route_session_t  a, b;

    static ngx_uint_t  from[] = { NGX_RTMP_ROUTE_FROM_FOUND,
                                  NGX_RTMP_ROUTE_FROM_CORE,
                                  NGX_RTMP_ROUTE_FROM_LIST,
                                  NGX_RTMP_ROUTE_FROM_PIN };

    for (i = 0; i < 4; i++) {
        fresh(2);
        stream_set(&table, "live/a", "s0", from[i]);
        max_conns("s0", 1);

        is_uint(session_open(&table, "live/a", PLAY, &a, &peer), NGX_OK,
                "from %lu", (unsigned long) from[i]);
        is_str(&peer.id, "s0", "there");

        query_init(&query, "live/a", FETCH);
        query.count = 1;
        is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_BUSY,
                "full");
        is_uint(query.full, 1, "is said");

        /* a publisher may go elsewhere, a search goes on */

        is_uint(session_open(&table, "live/a", PUBLISH, &b, &peer), NGX_OK,
                "published");
        is_str(&peer.id, "s1", "elsewhere");
        end(&b);
        end(&a);

        query_init(&query, "live/a", PLAY);
        ngx_rtmp_route_table_pick(&table, &query, &peer);
        query.tried[query.ntried].server = peer.server;
        query.tried[query.ntried].protocol = peer.protocol;
        query.tried[query.ntried++].endpoint = peer.endpoint;
        session_open(&table, "live/b", PLAY, &a, &peer);
        is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
                "searched");
        end(&a);

        IS_CHECKED(&table);
    }
}


/* the next in the order of the hash, backups when no other has room */

static void
test_backup(void)
{
    ngx_uint_t                i, order[3];
    ngx_rtmp_route_session_t  s[4];

    fresh(4);
    server_flags(&table, "s3", 0, 0, 1);

    query_init(&query, "live/a", PLAY);

    for (i = 0; i < 3; i++) {
        ngx_rtmp_route_table_pick(&table, &query, &peer);
        order[i] = peer.server.index;
        query.tried[query.ntried].server = peer.server;
        query.tried[query.ntried].protocol = peer.protocol;
        query.tried[query.ntried++].endpoint = peer.endpoint;
    }

    max_conns("s0", 1);
    max_conns("s1", 1);
    max_conns("s2", 1);
    max_conns("s3", 1);

    for (i = 0; i < 4; i++) {
        is_uint(session_open(&table, "live/a", PLAY, &s[i], &peer), NGX_OK,
                "let in");
        is_uint(peer.server.index, i < 3 ? order[i] : 3, "in order");
        stream_forget(&table, "live/a");
    }

    is_uint(pick(&table, "live/a", PLAY, &peer), NGX_BUSY, "all are full");

    for (i = 0; i < 4; i++) {
        end(&s[i]);
    }

    IS_CHECKED(&table);
}


/* below what is there, to none, and up again */

static void
test_lowered(void)
{
    ngx_rtmp_route_session_t  a, b, c;

    fresh(1);

    publish("live/a", &a);
    publish("live/b", &b);
    max_conns("s0", 1);
    max_streams("s0", 1);

    is_uint(server_stat(&table, "s0")->conns, 2, "they go on");
    is_uint(publish("live/c", &c), NGX_BUSY, "no other");
    end(&b);
    is_uint(publish("live/c", &c), NGX_BUSY, "it is full still");
    end(&a);
    is_uint(publish("live/c", &c), NGX_OK, "now there is room");
    is_uint(publish("live/d", &a), NGX_BUSY, "for one");

    max_conns("s0", 0);
    max_streams("s0", 0);
    is_uint(publish("live/d", &a), NGX_OK, "no limit");
    end(&a);
    end(&c);

    IS_CHECKED(&table);
}


/* a restarted server has all its places for streams, connections count on */

static void
test_restart(void)
{
    ngx_rtmp_route_session_t        a, b, c;
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    fresh(0);
    server_info(&info, "r", 1, NGX_RTMP_ROUTE_SRC_REGISTER);
    server_params(&params);
    params.max_streams = 1;
    params.max_conns = 2;
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);

    publish("live/a", &a);
    is_uint(publish("live/b", &b), NGX_BUSY, "one stream");

    info.pid[0] = '2';
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);

    is_uint(server_stat(&table, "r")->streams, 0, "none yet");
    is_uint(server_stat(&table, "r")->conns, 1, "it hangs");
    is_uint(publish("live/b", &b), NGX_OK, "there is room");
    is_uint(publish("live/a", &c), NGX_BUSY, "for one");
    is_uint(server_stat(&table, "r")->streams, 1, "the new one");
    is_uint(server_stat(&table, "r")->conns, 2, "two connections");
    is_uint(session_open(&table, "live/b", PLAY, &c, &peer), NGX_BUSY,
            "are all that may be");

    IS_CHECKED(&table);

    end(&a);
    is_uint(server_stat(&table, "r")->streams, 1, "the old one has ended");
    is_uint(session_open(&table, "live/b", PLAY, &c, &peer), NGX_OK, "room");
    end(&b);
    end(&c);
    is_uint(server_stat(&table, "r")->conns, 0, "none");

    IS_CHECKED(&table);
}


/* what goes on at a removed server counts again when that is back */

static void
test_put_back(void)
{
    uint32_t                       cursor;
    ngx_str_t                      id;
    ngx_uint_t                     n;
    ngx_rtmp_route_session_t       a, b, c, d;
    ngx_rtmp_route_session_stat_t  stat;

    fresh(1);
    max_streams("s0", 2);

    publish("live/a", &a);
    session_open(&table, "live/a", PLAY, &b, &peer);
    session_open(&table, "live/b", PUBLISH, &c, &peer);

    query_init(&query, "live/a", FETCH);
    query.count = 1;
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_uint(server_stat(&table, "s0")->conns, 4, "four");

    id = unit_str("s0");
    ngx_rtmp_route_server_delete(&table, &id);
    server_add(&table, "other", 1, NULL);
    is_uint(server_stat(&table, "other")->conns, 0, "not on another one");
    IS_CHECKED(&table);

    for (cursor = 0, n = 0;
         ngx_rtmp_route_session_walk(&table, &cursor, &stat) == NGX_OK;
         n++)
    {
        is_str(&stat.server, "", "no server");
        is_str(&stat.upstream, "10.0.0.0:1935", "but an address");
    }

    is_uint(n, 3, "they go on");

    server_add(&table, "s0", 0, NULL);
    is_uint(server_stat(&table, "s0")->conns, 4, "back");
    is_uint(server_stat(&table, "s0")->streams, 1, "and live");
    is_str(&stream_stat(&table, "live/a")->server, "s0", "there");
    is_uint(stream_stat(&table, "live/a")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "published");
    IS_CHECKED(&table);

    relay(&c);
    is_uint(server_stat(&table, "s0")->streams, 2, "the other one, too");
    ngx_rtmp_route_table_free(&table, &peer);
    end(&b);
    is_uint(server_stat(&table, "s0")->conns, 2, "two have ended");
    end(&c);

    /* it has gone elsewhere meanwhile */

    ngx_rtmp_route_server_delete(&table, &id);
    is_uint(publish("live/a", &d), NGX_OK, "published once more");
    is_str(&peer.id, "other", "elsewhere");
    server_add(&table, "s0", 0, NULL);
    is_uint(server_stat(&table, "s0")->conns, 1, "the old one");
    is_uint(server_stat(&table, "s0")->streams, 0, "is not the stream");
    is_str(&stream_stat(&table, "live/a")->server, "other", "which stays");
    end(&d);
    end(&a);
    is_uint(server_stat(&table, "s0")->conns, 0, "ended");
    IS_CHECKED(&table);

    /* by another name, but with its address */

    fresh(1);
    publish("live/c", &a);
    id = unit_str("s0");
    ngx_rtmp_route_server_delete(&table, &id);
    server_add(&table, "again", 0, NULL);
    is_uint(server_stat(&table, "again")->conns, 1, "the same server");
    end(&a);
    is_uint(server_stat(&table, "again")->conns, 0, "ended");
    IS_CHECKED(&table);
}


/* it takes several steps, and others go on if a process is killed in between */

static void
test_put_back_killed(void)
{
    ngx_str_t                     id;
    ngx_uint_t                    i, added;
    ngx_rtmp_route_session_t      session;
    ngx_rtmp_route_server_info_t  info;

    table_make(&table, 4 * 1024 * 1024);
    server_add(&table, "s0", 0, NULL);
    server_add(&table, "s1", 1, NULL);
    id = unit_str("s0");
    ngx_rtmp_route_server_delete(&table, &id);

    for (i = 0; i < 2 * NGX_RTMP_ROUTE_WALK; i++) {
        session_open(&table, "live/1", PLAY, &session, &peer);
    }

    id = unit_str("s1");
    ngx_rtmp_route_server_delete(&table, &id);
    server_info(&info, "s1", 1, NGX_RTMP_ROUTE_SRC_CONFIG);

    ngx_rtmp_route_table_lock(&table);
    added = ngx_rtmp_route_server_add(&table, &info, NULL);
    ngx_rtmp_route_table_unlock(&table);

    is_uint(ngx_rtmp_route_hot(table.sh, added)->conns, 0, "not yet");
    is_uint(table.sh->strays, 2 * NGX_RTMP_ROUTE_WALK, "nowhere");
    ngx_rtmp_route_table_sweep(&table);
    is_uint(ngx_rtmp_route_hot(table.sh, added)->conns,
            2 * NGX_RTMP_ROUTE_WALK, "all of them, later");
    is_uint(table.sh->strays, 0, "no more");

    ngx_rtmp_route_server_delete(&table, &id);
    server_add(&table, "s1", 1, NULL);
    is_uint(server_stat(&table, "s1")->conns, 2 * NGX_RTMP_ROUTE_WALK,
            "at once");
    IS_CHECKED(&table);
}


static void
test_drained(void)
{
    ngx_rtmp_route_session_t  a, b;

    fresh(2);
    server_flags(&table, "s1", 1, 0, 0);
    publish("live/a", &a);
    is_uint(server_stat(&table, "s0")->drained, 0, "not draining");
    server_flags(&table, "s1", 0, 0, 0);
    server_flags(&table, "s0", 0, 1, 0);
    is_uint(server_stat(&table, "s0")->drained, 0, "a session is there");
    session_open(&table, "live/a", PLAY, &b, &peer);
    is_str(&peer.id, "s0", "a player for it, too");
    end(&a);
    is_uint(server_stat(&table, "s0")->drained, 0, "that one is still there");
    end(&b);
    is_uint(server_stat(&table, "s0")->drained, 1, "drained");

    stream_set(&table, "live/b", "s0", NGX_RTMP_ROUTE_FROM_PIN);
    is_uint(server_stat(&table, "s0")->drained, 1, "a pin is only a wish");
    stream_set(&table, "live/c", "s0", NGX_RTMP_ROUTE_FROM_LIST);
    is_uint(server_stat(&table, "s0")->drained, 0, "a stream is there");
    stream_forget(&table, "live/c");

    query_init(&query, "live/a", FETCH);
    query.count = 1;
    query.only = 1;
    query.server = server_stat(&table, "s0")->ref;
    ngx_rtmp_route_table_pick(&table, &query, &peer);
    is_uint(server_stat(&table, "s0")->drained, 0, "a request");
    ngx_rtmp_route_table_free(&table, &peer);
    is_uint(server_stat(&table, "s0")->drained, 1, "drained");
    server_flags(&table, "s0", 0, 0, 0);
    is_uint(server_stat(&table, "s0")->drained, 0, "in use again");

    IS_CHECKED(&table);
}


/* a table with so many servers */

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


/* what a process does that is killed then */

static void
die(void (*work)(void))
{
    (void) waitpid(begin(work), NULL, 0);
}


static pid_t
begin(void (*work)(void))
{
    pid_t  pid;

    pid = fork();

    if (pid == -1) {
        abort();
    }

    if (pid == 0) {
        ngx_pid = getpid();
        ngx_rtmp_route_slot_release();
        table_slot();
        work();
        (void) kill(getpid(), SIGKILL);
    }

    return pid;
}


static void
open_two(void)
{
    ngx_rtmp_route_session_t  session;

    publish("live/x", &session);
    publish("live/y", &session);
}


static void
count_two(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        query_init(&query, "live/x", FETCH);
        query.count = 1;
        (void) ngx_rtmp_route_table_pick(&table, &query, &peer);
    }
}


static ngx_int_t
publish(const char *key, ngx_rtmp_route_session_t *session)
{
    ngx_int_t  rc;

    rc = session_open(&table, key, PUBLISH, session, &peer);

    if (rc == NGX_OK) {
        relay(session);
    }

    return rc;
}
