
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


/* How much fits into a zone, what happens when it is full, reload, copy */


#include "table.h"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define FETCH     NGX_RTMP_ROUTE_FETCH
#define CORE      NGX_RTMP_ROUTE_FROM_CORE
#define PIN       NGX_RTMP_ROUTE_FROM_PIN
#define LIST      NGX_RTMP_ROUTE_FROM_LIST


static void test_capacity(void);
static void test_rebuild(void);
static void test_least(void);
static void test_memory(void);
static void test_lru(void);
static void test_full(void);
static void test_full_session(void);
static void test_reload(void);
static void test_copy(void);
static void test_copy_smaller(void);
static ngx_uint_t fill(ngx_uint_t n, ngx_uint_t from);
static char *name(ngx_uint_t n);
static ngx_uint_t used(void);


static ngx_rtmp_route_table_t   table;
static ngx_rtmp_route_peer_t    peer;


int
main(void)
{
    unit_init();
    table_make(&table, 64 * 1024 * 1024);
    table_slot();

    test_capacity();
    test_rebuild();
    test_least();
    test_memory();
    test_lru();
    test_full();
    test_full_session();
    test_reload();
    test_copy();
    test_copy_smaller();

    return done();
}


static void
test_capacity(void)
{
    ngx_uint_t                   i, wrong;
    ngx_rtmp_route_table_stat_t  stat;

    server_add(&table, "s1", 1, NULL);

    is_uint(fill(200000, PIN), 0, "200000 streams in 64 MB");

    for (i = 0, wrong = 0; i < 200000; i += 7) {
        if (stream_stat(&table, name(i)) == NULL) {
            wrong++;
        }
    }

    is_uint(wrong, 0, "all are found");

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.streams, 200000, "streams");
    is_uint(stat.evicted, 0, "none evicted");

    diag("%u cells: %u streams in a megabyte", stat.cells_total,
         stat.cells_total / 64);

    IS_CHECKED(&table);
}


static void
test_rebuild(void)
{
    struct timeval  start, end;

    ngx_gettimeofday(&start);

    table.sh->dirty = 1;
    ngx_rtmp_route_table_lock(&table);
    table.log_rebuilt = 0;
    ngx_rtmp_route_table_unlock(&table);

    ngx_gettimeofday(&end);

    diag("rebuilt in %ld ms", (end.tv_sec - start.tv_sec) * 1000
                              + (end.tv_usec - start.tv_usec) / 1000);

    is_uint(table.sh->rebuilt, 1, "rebuilt");
    ok(stream_stat(&table, name(199999)) != NULL, "all is there");

    IS_CHECKED(&table);

    unit_zone_free(table.shpool);
}


static void
test_least(void)
{
    ngx_rtmp_route_session_t  session;

    table_make(&table, 8 * ngx_pagesize);

    diag("%u cells, %u servers in 8 pages", table.sh->ncells,
         table.sh->nservers);

    server_add(&table, "s1", 1, NULL);
    is_uint(session_open(&table, "live/a", PUBLISH, &session, &peer), NGX_OK,
            "the least zone");
    ok(session.cell != 0, "holds a session");
    ngx_rtmp_route_table_close(&table, &session);

    IS_CHECKED(&table);
    unit_zone_free(table.shpool);
}


/* a big zone costs nothing until it is used */

static void
test_memory(void)
{
    u_char      *vec;
    ngx_uint_t   i, n, pages;

    table_make(&table, 64 * 1024 * 1024);
    server_add(&table, "s1", 1, NULL);
    fill(1000, CORE);

    pages = 64 * 1024 * 1024 / ngx_pagesize;
    vec = malloc(pages);
    n = 0;

    if (mincore(table.shpool, 64 * 1024 * 1024, (void *) vec) == 0) {
        for (i = 0; i < pages; i++) {
            n += vec[i] & 1;
        }
    }

    free(vec);

    ok(n < 2 * 1024 * 1024 / ngx_pagesize, "%lu pages of %lu in use",
       (unsigned long) n, (unsigned long) pages);

    unit_zone_free(table.shpool);
}


/* the least recently used one goes first, what is held or used never */

static void
test_lru(void)
{
    ngx_uint_t                   i, n;
    ngx_rtmp_route_session_t     session;
    ngx_rtmp_route_table_stat_t  stat;

    table_make(&table, 16 * ngx_pagesize);
    server_add(&table, "s1", 1, NULL);

    stream_set(&table, "live/pin", "s1", PIN);
    stream_set(&table, "live/list", "s1", LIST);
    session_open(&table, "live/open", PUBLISH, &session, &peer);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);

    n = table.sh->ncells - used();

    for (i = 0; i < n; i++) {
        stream_set(&table, name(i), "s1", CORE);
        unit_tick(1);
    }

    is_uint(used(), table.sh->ncells, "full");

    pick(&table, name(0), FETCH, &peer);

    is_uint(stream_set(&table, "live/new", "s1", CORE), NGX_OK, "one more");
    ok(stream_stat(&table, name(0)) != NULL, "the used one stays");
    ok(stream_stat(&table, name(1)) == NULL, "the next one is gone");
    ok(stream_stat(&table, name(2)) != NULL, "and no other");

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.evicted, 1, "evicted");
    is_uint(stat.full, 0, "not full");

    /* more than one cell is needed */

    is_uint(stream_set(&table, "live/a-name-of-two-cells-at-least-123456789"
                       "0123456789012345678901234567890", "s1", CORE), NGX_OK,
            "a long one");
    ok(stream_stat(&table, name(2)) == NULL, "for two");
    ok(stream_stat(&table, name(3)) == NULL, "of them");

    /* the order is kept by and large when it is made anew */

    table.sh->dirty = 1;
    ngx_rtmp_route_table_lock(&table);
    table.log_rebuilt = 0;
    ngx_rtmp_route_table_unlock(&table);

    stream_set(&table, "live/new2", "s1", CORE);
    ok(stream_stat(&table, name(0)) != NULL, "the used one stays");
    ok(stream_stat(&table, name(4)) == NULL, "the oldest is gone");

    for (i = 0; i < 2 * n; i++) {
        stream_set(&table, name(1000 + i), "s1", CORE);
    }

    ok(stream_stat(&table, "live/pin") != NULL, "the pin stays");
    ok(stream_stat(&table, "live/list") != NULL, "so does the list");
    ok(stream_stat(&table, "live/open") != NULL, "and the live one");

    ngx_rtmp_route_table_close(&table, &session);

    IS_CHECKED(&table);
    unit_zone_free(table.shpool);
}


static void
test_full(void)
{
    ngx_uint_t                   n;
    ngx_rtmp_route_query_t       query;
    ngx_rtmp_route_session_t     session;
    ngx_rtmp_route_table_stat_t  stat;

    table_make(&table, 16 * ngx_pagesize);
    server_add(&table, "s1", 1, NULL);

    unit_log.log_level = NGX_LOG_CRIT;

    n = table.sh->ncells;
    is_uint(fill(n, PIN), 0, "full of pins");
    is_uint(stream_set(&table, "live/a", "s1", PIN), NGX_BUSY, "no room");
    is_uint(stream_set(&table, name(0), "s1", CORE), NGX_DONE,
            "known ones work");

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.full, 1, "told");

    is_uint(session_open(&table, "live/a", PUBLISH, &session, &peer), NGX_OK,
            "a session goes on");
    is_uint(session.cell, 0, "uncounted");
    ok(session.in && session.out, "but counts somewhere");
    (void) ngx_atomic_fetch_add(session.in, 1);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);

    query_init(&query, "live/a", PUBLISH);
    is_uint(ngx_rtmp_route_table_next(&table, &session, &query, &peer),
            NGX_OK, "moves");
    ngx_rtmp_route_table_close(&table, &session);

    query.count = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "a pick goes on");
    is_uint(peer.conn, 0, "uncounted");
    ngx_rtmp_route_table_free(&table, &peer);

    is_uint(server_stat(&table, "s1")->conns, 0, "nothing counted");

    unit_log.log_level = NGX_LOG_NOTICE;

    IS_CHECKED(&table);
    unit_zone_free(table.shpool);
}


/* room for the session, not for its stream */

static void
test_full_session(void)
{
    char                            key[201];
    uint32_t                        cursor;
    ngx_uint_t                      n;
    ngx_rtmp_route_session_t        session;
    ngx_rtmp_route_session_stat_t   stat;

    table_make(&table, 16 * ngx_pagesize);
    server_add(&table, "s1", 1, NULL);

    unit_log.log_level = NGX_LOG_CRIT;

    memset(key, 'k', 200);
    key[200] = '\0';

    /* 3 cells for the stream, 2 for the session, 3 for it with the key */

    for (n = 1; n < 8; n++) {
        fill(table.sh->ncells - n, PIN);

        is_uint(table.sh->ncells - used(), n, "%lu cells are left",
                (unsigned long) n);

        is_uint(session_open(&table, key, PUBLISH, &session, &peer), NGX_OK,
                "opened");

        cursor = 0;

        ok(!session.cell == (n < 3), "counted if there is room");
        ok(!stream_stat(&table, key) == (n < 5), "known if there is room");

        if (session.cell) {
            ngx_rtmp_route_session_walk(&table, &cursor, &stat);
            is_str(&stat.key, key, "the key is known all the same");
            is_uint(server_stat(&table, "s1")->conns, 1, "counted");

            ngx_rtmp_route_table_state(&table, &session,
                                       NGX_RTMP_ROUTE_S_RELAY);

        } else {
            is_uint(server_stat(&table, "s1")->conns, 0, "not counted");
        }

        IS_CHECKED(&table);

        ngx_rtmp_route_table_close(&table, &session);
        (void) stream_forget(&table, key);

        while (used() > table.sh->ncells - n - 1) {
            (void) stream_forget(&table, name(used() - 1));
        }

        IS_CHECKED(&table);
    }

    unit_log.log_level = NGX_LOG_NOTICE;
    unit_zone_free(table.shpool);
}


static void
test_reload(void)
{
    void                      *data;
    ngx_rtmp_route_table_t     again, other;
    ngx_rtmp_route_session_t   session;

    table_make(&table, 64 * ngx_pagesize);
    server_add(&table, "s1", 1, NULL);
    session_open(&table, "live/a", PUBLISH, &session, &peer);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);

    ngx_memzero(&again, sizeof(again));
    again.log = &unit_log;

    is_uint(ngx_rtmp_route_table_init(&again, table.shpool), NGX_OK, "reload");
    ok(again.sh == table.sh, "the same table");
    is_uint(stream_stat(&again, "live/a")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "live still");

    ngx_rtmp_route_table_close(&table, &session);
    is_uint(stream_stat(&again, "live/a")->publishers, 0, "seen by all");

    /* another layout, or something else */

    other = again;

    table.sh->layout++;
    is_uint(ngx_rtmp_route_table_init(&other, table.shpool), NGX_DECLINED,
            "another layout");
    table.sh->layout--;

    table.sh->magic++;
    is_uint(ngx_rtmp_route_table_init(&other, table.shpool), NGX_DECLINED,
            "something else");
    table.sh->magic--;

    data = table.shpool->data;
    table.shpool->data = &data;
    is_uint(ngx_rtmp_route_table_init(&other, table.shpool), NGX_DECLINED,
            "somewhere else");
    table.shpool->data = data;

    is_uint(ngx_rtmp_route_table_init(&other, table.shpool), NGX_OK,
            "as it was");

    unit_zone_free(table.shpool);
}


static void
test_copy(void)
{
    ngx_rtmp_route_table_t         old;
    ngx_rtmp_route_session_t       a, b;
    ngx_rtmp_route_server_info_t   info;
    ngx_rtmp_route_table_stat_t    stat;

    table_make(&table, 64 * ngx_pagesize);

    server_add(&table, "gone", 9, NULL);
    server_add(&table, "s1", 1, NULL);
    server_info(&info, "r", 2, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);
    server_patch(&table, "s1",
                 offsetof(ngx_rtmp_route_server_params_t, weight), 7);

    stream_set(&table, "live/core", "s1", CORE);
    stream_set(&table, "live/both", "r", LIST);
    stream_set(&table, "live/both", "s1", PIN);
    stream_set(&table, "live/lost", "gone", PIN);
    session_open(&table, "live/a", PUBLISH, &a, &peer);
    ngx_rtmp_route_table_state(&table, &a, NGX_RTMP_ROUTE_S_RELAY);
    session_open(&table, "live/b", PLAY, &b, &peer);

    {
        ngx_str_t  id;

        id = unit_str("gone");
        ngx_rtmp_route_server_delete(&table, &id);
    }

    old = table;
    table_make(&table, 128 * ngx_pagesize);
    server_add(&table, "first", 5, NULL);
    ngx_rtmp_route_table_copy(&table, &old);

    IS_CHECKED(&table);

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.servers, 3, "servers");
    is_uint(stat.sessions, 0, "sessions stay where they are");

    is_uint(server_stat(&table, "s1")->params.weight, 7, "as updated");
    is_uint(server_stat(&table, "r")->info.source,
            NGX_RTMP_ROUTE_SRC_REGISTER, "registered");
    is_uint(server_stat(&table, "s1")->conns, 0, "no connections");
    is_uint(server_stat(&table, "s1")->selected,
            server_stat(&old, "s1")->selected, "selected");

    is_uint(stream_stat(&table, "live/core")->source, CORE, "core");
    is_str(&stream_stat(&table, "live/core")->server, "s1", "on s1");
    is_uint(stream_stat(&table, "live/both")->source, PIN, "pin");
    stream_forget(&old, "live/both");
    is_uint(stream_stat(&table, "live/a")->source, NGX_RTMP_ROUTE_FROM_PICK,
            "a live one is remembered");
    is_str(&stream_stat(&table, "live/a")->server,
           (char *) ngx_rtmp_route_cold(old.sh,
                                        ngx_rtmp_route_session_cell(old.sh,
                                                           a.cell)->server)
                        ->info[1].id,
           "where it is");
    ok(stream_stat(&table, "live/b") == NULL, "one that was not is not");
    ok(stream_stat(&table, "live/lost") == NULL, "nor a lost one");

    /* the list is beneath the pin */

    {
        ngx_str_t  id;

        id = unit_str("s1");
        ngx_rtmp_route_server_delete(&table, &id);
    }

    is_uint(stream_stat(&table, "live/both")->source, LIST, "list");

    IS_CHECKED(&table);

    unit_zone_free(old.shpool);
    unit_zone_free(table.shpool);
}


static void
test_copy_smaller(void)
{
    ngx_uint_t              i, n, wrong;
    ngx_rtmp_route_table_t  old;

    table_make(&table, 64 * ngx_pagesize);
    server_add(&table, "s1", 1, NULL);

    for (i = 0; i < 1000; i++) {
        stream_set(&table, name(i), "s1", CORE);
        unit_tick(1);
    }

    stream_set(&table, "live/pin", "s1", PIN);

    old = table;
    table_make(&table, 16 * ngx_pagesize);
    ngx_rtmp_route_table_copy(&table, &old);

    n = table.sh->ncells;
    is_uint(used(), n, "full");
    ok(n < 1000, "of less");
    ok(stream_stat(&table, "live/pin") != NULL, "with the pin");

    for (i = 1000 - (n - 1), wrong = 0; i < 1000; i++) {
        if (stream_stat(&table, name(i)) == NULL) {
            wrong++;
        }
    }

    is_uint(wrong, 0, "and the most recently used");

    stream_set(&table, "live/new", "s1", CORE);
    ok(stream_stat(&table, name(1000 - (n - 1))) == NULL,
       "in the same order");

    IS_CHECKED(&table);

    unit_zone_free(old.shpool);
    unit_zone_free(table.shpool);
}


/* sets n streams on s1, returns how many could not be set */

static ngx_uint_t
fill(ngx_uint_t n, ngx_uint_t from)
{
    ngx_int_t   rc;
    ngx_uint_t  i, wrong;

    wrong = 0;

    for (i = 0; i < n; i++) {
        rc = stream_set(&table, name(i), "s1", from);

        if (rc != NGX_OK && rc != NGX_DONE) {
            wrong++;
        }
    }

    return wrong;
}


static char *
name(ngx_uint_t n)
{
    static char  buf[48];

    snprintf(buf, sizeof(buf), "live/camera-%06lu", (unsigned long) n);

    return buf;
}


static ngx_uint_t
used(void)
{
    ngx_rtmp_route_table_stat_t  stat;

    ngx_rtmp_route_table_stat(&table, &stat);

    return stat.cells_used;
}
