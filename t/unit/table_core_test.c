
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


/* What a control plane says of servers and streams. */


#include "table.h"


static void test_lists(void);
static void test_answers(void);
static void test_sources(void);
static void test_many(void);
static void test_servers(void);
static void test_names(void);
static void test_generations(void);
static ngx_int_t set(const char *key, const char *id, uint32_t list,
    ngx_msec_t ttl);
static void end(uint32_t list);
static ngx_int_t state(const char *key);
static ngx_int_t core_server(const char *id, ngx_uint_t n);
static const char *place(const char *key);
static const char *named(const char *name);


static ngx_rtmp_route_table_t  table;


int
main(void)
{
    unit_init();
    table_make(&table, 1024 * 1024);
    table_slot();

    (void) server_add(&table, "a", 1, NULL);
    (void) server_add(&table, "b", 2, NULL);

    test_lists();
    test_answers();
    test_sources();
    test_many();
    test_servers();
    test_names();
    test_generations();

    ok(ngx_rtmp_route_table_check(&table) == NGX_OK, "consistent");

    return done();
}


static void
test_lists(void)
{
    uint32_t  list, next;

    list = ngx_rtmp_route_core_begin(&table);

    ok(set("live/1", "a", list, 0) == NGX_OK, "in the list");
    ok(set("live/2", "a", list, 0) == NGX_OK, "another");
    ok(set("live/2", "a", list, 0) == NGX_DONE, "twice");
    ok(set("live/3", "none", list, 0) == NGX_DECLINED, "no such server");
    end(list);

    ok(!strcmp(place("live/1"), "a"), "there");
    ok(state("live/1") == NGX_OK, "known");
    ok(state("live/3") == NGX_DECLINED, "unknown");

    list = ngx_rtmp_route_core_begin(&table);

    ok(set("live/1", "b", list, 0) == NGX_OK, "moved");
    ok(!strcmp(place("live/2"), "a"), "before the end");
    end(list);

    ok(!strcmp(place("live/1"), "b"), "moved there");
    ok(!strcmp(place("live/2"), ""), "no longer in the list");

    /* another process has begun */

    list = ngx_rtmp_route_core_begin(&table);
    next = ngx_rtmp_route_core_begin(&table);

    ok(set("live/1", "a", list, 0) == NGX_ABORT, "of an older list");
    ok(set("live/4", "a", next, 0) == NGX_OK, "of the newer one");
    end(list);
    ok(!strcmp(place("live/1"), "b"), "the end of an older list");
    end(next);
    ok(!strcmp(place("live/1"), ""), "the end of the newer one");
    ok(!strcmp(place("live/4"), "a"), "what it has");

    end(ngx_rtmp_route_core_begin(&table));
    ok(!strcmp(place("live/4"), ""), "an empty list");
    ok(ngx_rtmp_route_table_check(&table) == NGX_OK, "consistent lists");
}


static void
test_answers(void)
{
    ngx_str_t  key;

    ok(set("live/1", "a", 0, 1000) == NGX_OK, "an answer");
    ok(state("live/1") == NGX_OK, "an answer is known");

    end(ngx_rtmp_route_core_begin(&table));
    ok(!strcmp(place("live/1"), "a"), "no list undoes it");

    unit_tick(1001);
    ok(state("live/1") == NGX_AGAIN, "its time is over");
    ok(!strcmp(place("live/1"), "a"), "but it is used");

    ok(set("live/1", "b", 0, 1000) == NGX_OK, "another answer");
    ok(state("live/1") == NGX_OK, "known again");

    key = unit_str("live/1");
    ngx_rtmp_route_core_forget(&table, &key);
    ok(state("live/1") == NGX_DECLINED, "there is no such stream");

    (void) stream_set(&table, "live/1", "b", NGX_RTMP_ROUTE_FROM_FOUND);
    ok(set("live/1", "a", 0, 1000) == NGX_DONE, "a search knows better");
    ok(!strcmp(place("live/1"), "b"), "... and stays");

    (void) set("live/1", "a", ngx_rtmp_route_core_begin(&table), 0);
    ok(!strcmp(place("live/1"), "a"), "the list knows better than a search");

    (void) set("live/2", "a", 0, 1000);
    ngx_rtmp_route_core_clear(&table);
    ok(!strcmp(place("live/1"), "") && !strcmp(place("live/2"), ""),
       "all is forgotten");
}


static void
test_sources(void)
{
    uint32_t                  list;
    ngx_str_t                 key;
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_session_t  session;

    (void) stream_set(&table, "live/p", "a", NGX_RTMP_ROUTE_FROM_PIN);

    list = ngx_rtmp_route_core_begin(&table);
    (void) set("live/p", "b", list, 0);
    ok(!strcmp(place("live/p"), "a"), "a pin wins");
    end(list);

    end(ngx_rtmp_route_core_begin(&table));
    ok(!strcmp(place("live/p"), "a"), "a pin stays");

    key = unit_str("live/p");
    ngx_rtmp_route_core_forget(&table, &key);
    ok(!strcmp(place("live/p"), "a"), "a pin is not forgotten");
    (void) stream_forget(&table, "live/p");

    /* a live publisher */

    (void) session_open(&table, "live/s", NGX_RTMP_ROUTE_PUBLISH, &session,
                        &peer);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);

    list = ngx_rtmp_route_core_begin(&table);
    (void) set("live/s", !strcmp(place("live/s"), "a") ? "b" : "a", list, 0);
    ok(stream_stat(&table, "live/s")->source == NGX_RTMP_ROUTE_FROM_PUBLISH,
       "a publisher wins");
    end(list);
    end(ngx_rtmp_route_core_begin(&table));
    is_uint(stream_stat(&table, "live/s")->publishers, 1, "... and stays");

    ngx_rtmp_route_table_close(&table, &session);
    (void) stream_forget(&table, "live/s");
}


/* the end takes several steps */

static void
test_many(void)
{
    char                          key[32];
    uint32_t                      list, cursor;
    ngx_uint_t                    i, steps;
    ngx_rtmp_route_table_stat_t   stat;

    list = ngx_rtmp_route_core_begin(&table);

    for (i = 0; i < 5000; i++) {
        sprintf(key, "live/%lu", (unsigned long) i);
        (void) set(key, i % 2 ? "a" : "b", list, 0);
    }

    end(list);

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.streams, 5000, "many streams");

    list = ngx_rtmp_route_core_begin(&table);
    cursor = 0;
    steps = 1;

    while (ngx_rtmp_route_core_end(&table, list, &cursor) == NGX_AGAIN) {
        steps++;
    }

    ok(steps > 1, "in %lu steps", (unsigned long) steps);

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.streams, 0, "none of them");
    is_uint(stat.cells_used, 0, "no cell is lost");
}


/* none has an address that another one has */

static void
test_servers(void)
{
    ngx_str_t                       id;
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    server_params(&params);

    ok(core_server("c", 10) == NGX_OK, "a server");
    ok(core_server("c", 10) == NGX_DONE, "once more");
    ok(core_server("d", 10) == NGX_DECLINED, "another one has the address");
    ok(core_server("d", 1) == NGX_DECLINED, "a configured one has it");
    ok(core_server("a", 11) == NGX_DECLINED, "a configured one has the id");
    ok(core_server("c", 1) == NGX_DECLINED, "it comes to such an address");
    ok(server_stat(&table, "c") == NULL, "... and goes");

    (void) core_server("c", 10);
    ok(server_add(&table, "e", 10, NULL) == NGX_OK, "one is configured");
    ok(server_stat(&table, "c") == NULL, "that of the core gives way");

    (void) core_server("c", 12);
    server_info(&info, "r", 12, NGX_RTMP_ROUTE_SRC_REGISTER);
    ok(ngx_rtmp_route_server_set(&table, &info, &params, NULL) == NGX_OK,
       "one registers");
    ok(server_stat(&table, "c") == NULL, "that of the core gives way to it");
    ok(core_server("c", 12) == NGX_DECLINED, "... and stays away");

    unit_tick(31000);
    ok(core_server("c", 12) == NGX_OK, "until that has expired");
    ok(server_stat(&table, "r") == NULL, "... which goes");

    server_info(&info, "c", 13, NGX_RTMP_ROUTE_SRC_REGISTER);
    ok(ngx_rtmp_route_server_set(&table, &info, &params, NULL) == NGX_DONE,
       "one registers with that id");
    is_uint(server_stat(&table, "c")->info.source,
            NGX_RTMP_ROUTE_SRC_REGISTER, "... and has it");

    id = unit_str("c");
    (void) ngx_rtmp_route_server_delete(&table, &id);
    id = unit_str("e");
    (void) ngx_rtmp_route_server_delete(&table, &id);

    ok(ngx_rtmp_route_table_check(&table) == NGX_OK, "consistent servers");
}


static void
test_names(void)
{
    ngx_uint_t                      i;
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    server_params(&params);

    ok(!strcmp(named("x.example.com"), ""), "no such name");

    /* without an address yet, but one that another has */

    server_info(&info, "x.example.com", 2, NGX_RTMP_ROUTE_SRC_CORE);
    info.host_len = info.id_len;
    ngx_memcpy(info.host, info.id, info.id_len);

    info.registrar = info.endpoints[NGX_RTMP_ROUTE_RTMP][0];

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        info.endpoints[i][0].family = 0;
    }

    ok(ngx_rtmp_route_server_set(&table, &info, &params, NULL) == NGX_OK,
       "one whose address another has");
    ok(!strcmp(named("x.example.com"), "b"), "found by that address");

    info.registrar.family = 0;
    (void) ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(!strcmp(named("x.example.com"), "x.example.com"), "not resolved yet");

    /* of two addresses */

    server_info(&info, "x.example.com#10.0.0.20", 20,
                NGX_RTMP_ROUTE_SRC_CORE);
    info.host_len = sizeof("x.example.com") - 1;
    ngx_memcpy(info.host, info.id, info.host_len);
    (void) ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(!strcmp(named("x.example.com"), "x.example.com#10.0.0.20"),
       "one with an address");

    ok(!strcmp(named("10.0.0.1"), "a"), "an address that another has");
    ok(!strcmp(named("10.0.0.99"), ""), "an address that none has");
}


static void
test_generations(void)
{
    uint32_t                 list;
    ngx_rtmp_route_table_t   old;

    old = table;
    ngx_rtmp_route_table_configure(&table);

    ok(ngx_rtmp_route_table_current(&table), "the present configuration");
    ok(!ngx_rtmp_route_table_current(&old), "an older one");

    list = ngx_rtmp_route_core_begin(&table);
    is_uint(ngx_rtmp_route_core_begin(&old), 0, "no list of an older one");
    ok(set("live/1", "a", list, 0) == NGX_OK, "the newer list goes on");

    table.config = old.config;
    ok(core_server("z", 40) == NGX_ABORT, "no server of an older one");
}


static ngx_int_t
set(const char *key, const char *id, uint32_t list, ngx_msec_t ttl)
{
    ngx_str_t  name, server;

    name = unit_str(key);
    server = unit_str(id);

    return ngx_rtmp_route_core_set(&table, &name, &server, list, ttl);
}


static void
end(uint32_t list)
{
    uint32_t  cursor;

    cursor = 0;

    while (ngx_rtmp_route_core_end(&table, list, &cursor) == NGX_AGAIN) {
        /* void */
    }
}


static ngx_int_t
state(const char *key)
{
    ngx_str_t  name;

    name = unit_str(key);

    return ngx_rtmp_route_core_state(&table, &name);
}


static ngx_int_t
core_server(const char *id, ngx_uint_t n)
{
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    server_info(&info, id, n, NGX_RTMP_ROUTE_SRC_CORE);
    server_params(&params);

    return ngx_rtmp_route_server_set(&table, &info, &params, NULL);
}


static const char *
place(const char *key)
{
    ngx_rtmp_route_stream_stat_t  *stat;

    static char  id[NGX_RTMP_ROUTE_ID_LEN + 1];

    stat = stream_stat(&table, key);

    if (stat == NULL) {
        return "";
    }

    sprintf(id, "%.*s", (int) stat->server.len, stat->server.data);

    return id;
}


static const char *
named(const char *name)
{
    ngx_str_t  text, id;

    static u_char  buf[NGX_RTMP_ROUTE_ID_LEN + 1];

    text = unit_str(name);
    id.data = buf;

    if (ngx_rtmp_route_server_named(&table, &text, &id) != NGX_OK) {
        return "";
    }

    buf[id.len] = '\0';

    return (char *) buf;
}
