
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_state_read.c ngx_rtmp_route_state_load.c */
/* sources: ngx_rtmp_route_state_fields.c ngx_rtmp_route_state_write.c */
/* sources: ngx_rtmp_route_state_file.c ngx_rtmp_route_table_saved.c */
/* sources: ngx_rtmp_route.c ngx_rtmp_route_register.c ngx_rtmp_route_desc.c */
/* sources: ngx_rtmp_route_json.c ngx_rtmp_route_addr.c ngx_rtmp_route_acl.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_key.c ngx_rtmp_route_text.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table.c */
/* sources: ngx_rtmp_route_table_cell.c ngx_rtmp_route_table_links.c */
/* sources: ngx_rtmp_route_table_rebuild.c ngx_rtmp_route_table_rights.c */
/* sources: ngx_rtmp_route_table_server.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_method.c */
/* sources: ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_table_conflict.c ngx_rtmp_route_table_rules.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_core.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_events.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_zone.c ngx_rtmp_route_proxies.c */


/*
 * The state file: what is written is read back the same, in pieces of any
 * size; what is damaged harms nothing; what two processes tell each other.
 * With a number as its argument: how long a step takes with so many streams.
 */


#include "table.h"

#include <ngx_event.h>
#include <time.h>

#include "ngx_rtmp_route_state.h"


#define PATH  "/tmp/state_test.%d/live.json"

#define IS_CHECKED()  ok(ngx_rtmp_route_table_check(&route.table) == NGX_OK,  \
                         "consistent")


static void test_round(void);
static void test_pieces(void);
static void test_damage(void);
static void test_life(void);
static void test_room(void);
static void test_owner(void);
static void test_peer(void);
static void test_mark(void);
static void test_bans(void);
static void measure(ngx_uint_t n);
static void fill(void);
static void add_ban(const char *key, ngx_uint_t ops, ngx_uint_t bits,
    ngx_msec_t left);
static ngx_uint_t nbans(void);
static void make(size_t size);
static ngx_int_t write_all(ngx_uint_t old);
static ngx_str_t text_of(ngx_str_t *name);
static ngx_int_t load(ngx_str_t *text, ngx_uint_t how, size_t piece);
static ngx_int_t load_text(const char *text, ngx_uint_t how);
static void tick(ngx_uint_t ms);
static double seconds(void);


static ngx_rtmp_route_t             route;
static ngx_rtmp_route_state_t       state;
static ngx_rtmp_route_register_t    reg;
static ngx_rtmp_route_control_t     control;
static ngx_rtmp_route_state_load_t  last;
static ngx_pool_t                  *pool;
static double                       longest;       /* s */
static double                       ends[2];       /* fsync(), rename() */
static ngx_uint_t                   steps;


int
main(int argc, char **argv)
{
    u_char           *p;

    static u_char           name[5][64];
    static void            *ctx[1];
    static ngx_core_conf_t  ccf;

    unit_init();

    pool = ngx_create_pool(16384, &unit_log);

    ccf.user = (ngx_uid_t) NGX_CONF_UNSET_UINT;
    ngx_core_module.index = 0;
    ctx[0] = &ccf;
    unit_cycle.conf_ctx = (void ****) ctx;

    reg.timeout = 30000;
    reg.streams = 1;

    ngx_str_set(&route.name, "live");
    route.zone = route.name;
    route.reg = &reg;
    route.control = &control;
    route.cycle = &unit_cycle;
    route.state = &state;

    state.route = &route;

    /* one configured server, for which there has to be room */

    if (ngx_array_init(&route.servers, pool, 1,
                       sizeof(ngx_rtmp_route_server_t)) != NGX_OK
        || ngx_array_push(&route.servers) == NULL)
    {
        abort();
    }

    ngx_memzero(route.servers.elts, sizeof(ngx_rtmp_route_server_t));
    ((ngx_rtmp_route_server_t *) route.servers.elts)->info.origin_len = 1;

#define NAME(n, str, suffix)                                                  \
    p = ngx_sprintf(name[n], PATH suffix "%Z", (int) ngx_pid) - 1;            \
    str.data = name[n];                                                       \
    str.len = p - name[n];

    NAME(0, state.name, "");
    NAME(1, state.temp, ".tmp");
    NAME(2, state.old, ".old");
    NAME(3, state.old_temp, ".old.tmp");

    p = ngx_sprintf(name[4], PATH "%Z", (int) ngx_pid) - sizeof("/live.json");
    *p = '\0';

    state.dir.data = name[4];
    state.dir.len = p - name[4];

    ok(ngx_rtmp_route_state_make_dir(&state, &unit_log) == NGX_OK,
       "directory");

    if (argc > 1) {
        measure(atoi(argv[1]));

    } else {
        test_round();
        test_pieces();
        test_damage();
        test_life();
        test_room();
        test_owner();
        test_peer();
        test_mark();
        test_bans();
    }

    (void) ngx_delete_file(state.name.data);
    (void) ngx_delete_file(state.old.data);
    ok(ngx_delete_dir(state.dir.data) != NGX_FILE_ERROR, "nothing is left");

    return done();
}


static void
test_round(void)
{
    u_char                         *p;
    ngx_str_t                       first, second;
    ngx_rtmp_route_stream_stat_t   *st;
    ngx_rtmp_route_server_stat_t   *stat;

    make(1024 * 1024);
    fill();

    ok(write_all(0) == NGX_OK, "written");
    first = text_of(&state.name);

    make(1024 * 1024);

    ok(load(&first, NGX_RTMP_ROUTE_LOAD_FRESH, 4096) == NGX_DONE, "read");
    is_uint(last.invalid + last.refused + last.full, 0, "all of it");
    IS_CHECKED();

    ok(write_all(0) == NGX_OK, "written again");
    second = text_of(&state.name);

    /* but for the head */

    p = (u_char *) ngx_strchr(first.data, '\n');
    first.len -= p - first.data;
    first.data = p;

    p = (u_char *) ngx_strchr(second.data, '\n');
    second.len -= p - second.data;
    second.data = p;

    ok(first.len == second.len
       && ngx_memcmp(first.data, second.data, first.len) == 0, "the same");

    stat = server_stat(&route.table, "core");
    is_uint(stat->info.source, NGX_RTMP_ROUTE_SRC_CORE, "server of the core");
    is_uint(stat->info.nendpoints[NGX_RTMP_ROUTE_HTTP], 1, "its ports");

    st = stream_stat(&route.table, "live/core");
    is_uint(st->source, NGX_RTMP_ROUTE_FROM_CORE, "stream of the core");
    is_str(&st->server, "core", "its server");

    st = stream_stat(&route.table, "live/found");
    is_uint(st->source, NGX_RTMP_ROUTE_FROM_FOUND, "found stream");

    st = stream_stat(&route.table, "live/list");
    is_uint(st->source, NGX_RTMP_ROUTE_FROM_LIST, "listed stream");

    st = stream_stat(&route.table, "live/pin");
    is_uint(st->source, NGX_RTMP_ROUTE_FROM_PIN, "pin");

    /* the list of the core comes again, and has nothing in it */

    {
        uint32_t  cursor, list;

        cursor = 0;
        list = ngx_rtmp_route_core_begin(&route.table);

        while (ngx_rtmp_route_core_end(&route.table, list, &cursor)
               == NGX_AGAIN)
        {
            /* void */
        }
    }

    ok(stream_stat(&route.table, "live/core") == NULL, "no longer live");
    ok(stream_stat(&route.table, "live/asked") != NULL, "an answer stays");
    ok(stream_stat(&route.table, "live/found") != NULL, "found one stays");

    IS_CHECKED();
}


static void
test_pieces(void)
{
    size_t      i;
    ngx_str_t   text;
    ngx_uint_t  same;

    make(1024 * 1024);
    fill();
    (void) write_all(0);
    text = text_of(&state.name);

    same = 1;

    for (i = 1; i < 70; i++) {
        make(1024 * 1024);

        if (load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, i) != NGX_DONE
            || last.servers != 4 || last.streams != 9 || last.invalid
            || last.reader.invalid || !last.all_rules)
        {
            diag("pieces of %d", (int) i);
            same = 0;
        }
    }

    ok(same, "in pieces of any size");

    /* cut at each byte: more bytes are never less */

    same = 1;

    for (i = 0; i < text.len - 1; i += 7) {
        ngx_str_t  part;

        part.data = text.data;
        part.len = i;

        make(64 * 1024);

        if (load(&part, NGX_RTMP_ROUTE_LOAD_FRESH, 100) != NGX_AGAIN
            || ngx_rtmp_route_table_check(&route.table) != NGX_OK)
        {
            diag("cut at %d", (int) i);
            same = 0;
        }
    }

    ok(same, "truncated anywhere");
}


static void
test_damage(void)
{
    size_t      i, n;
    ngx_str_t   text, bad;
    ngx_uint_t  sane;

    make(1024 * 1024);
    fill();
    (void) write_all(0);
    text = text_of(&state.name);

    bad.data = ngx_pnalloc(pool, text.len);
    bad.len = text.len;

    srandom(4711);
    sane = 1;

    for (n = 0; n < 2000; n++) {

        ngx_memcpy(bad.data, text.data, text.len);

        for (i = 0; i <= n % 5; i++) {
            bad.data[random() % text.len] = (n & 1)
                                            ? (u_char) random()
                                            : (u_char) "{}[]\",:\\ 0"
                                                             [random() % 10];
        }

        make(64 * 1024);

        (void) load(&bad, NGX_RTMP_ROUTE_LOAD_FRESH, 1000);

        if (ngx_rtmp_route_table_check(&route.table) != NGX_OK
            || last.servers > 4 || last.streams > 9)
        {
            sane = 0;
        }
    }

    ok(sane, "damaged anywhere");

    make(64 * 1024);

    ok(load_text("{\"format\":\"nginx-osp route\",\"servers\":[{},[],1,"
                 "\"x\",null,{\"id\":1},{\"id\":\"\",\"source\":\"api\"},"
                 "{\"id\":\"x\"},{\"id\":\"x\",\"source\":\"no\"},"
                 "{\"id\":\"x\",\"source\":\"unknown\"},"
                 "{\"id\":\"x\",\"source\":\"api\",\"rtmp\":\"1\"},"
                 "{\"id\":\"x\",\"source\":\"api\",\"rtmp\":[\"0\"]},"
                 "{\"id\":\"x\",\"source\":\"api\",\"rtmp\":"
                 "[\"1\",\"1\",\"1\",\"1\",\"1\"]},"
                 "{\"id\":\"x\",\"source\":\"api\",\"weight\":0},"
                 "{\"id\":\"x\",\"source\":\"api\",\"weight\":-1},"
                 "{\"id\":\"x\",\"source\":\"api\",\"weight\":1e3},"
                 "{\"id\":\"x\",\"source\":\"api\",\"given\":[]},"
                 "{\"id\":\"x\",\"source\":\"api\",\"token\":\"xyz\"}]}",
                 NGX_RTMP_ROUTE_LOAD_FRESH) == NGX_DONE,
       "servers that are none");
    is_uint(last.servers, 0, "none taken");
    is_uint(last.invalid, 18, "all counted");

    /* what the configuration does not allow is no damage */

    ok(load_text("{\"format\":\"nginx-osp route\",\"servers\":["
                 "{\"id\":\"x\",\"source\":\"register\","
                 "\"rtmp\":[\"127.0.0.1:1935\"]},"
                 "{\"id\":\"y\",\"source\":\"config\",\"origin\":\"y\"}]}",
                 NGX_RTMP_ROUTE_LOAD_FRESH) == NGX_DONE,
       "servers that are not allowed");
    is_uint(last.servers, 0, "none taken");
    is_uint(last.refused, 2, "not allowed");
    is_uint(last.invalid, 0, "but not wrong");
}


static void
test_life(void)
{
    ngx_str_t                        text;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    make(1024 * 1024);

    server_params(&params);
    server_info(&info, "a", 1, NGX_RTMP_ROUTE_SRC_REGISTER);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);

    tick(10000);
    (void) write_all(0);
    text = text_of(&state.name);

    make(1024 * 1024);
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 4096);

    is_uint(server_stat(&route.table, "a")->expires / 1000, 20,
            "remaining life");

    tick(21000);
    ngx_rtmp_route_table_sweep(&route.table);

    is_uint(server_stat(&route.table, "a")->state, NGX_RTMP_ROUTE_EXPIRED,
            "expired");

    /* a long time later it is there still, and then is not */

    tick(100 * 30000);
    (void) write_all(0);
    text = text_of(&state.name);

    make(1024 * 1024);
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 4096);
    ngx_rtmp_route_table_sweep(&route.table);

    ok(server_stat(&route.table, "a") != NULL, "not dropped at once");
    is_uint(server_stat(&route.table, "a")->state, NGX_RTMP_ROUTE_EXPIRED,
            "but expired");

    tick(10 * 30000);
    ngx_rtmp_route_table_sweep(&route.table);

    ok(server_stat(&route.table, "a") == NULL, "removed in the end");
}


static void
test_room(void)
{
    u_char                         buf[32];
    ngx_str_t                      text, key, id;
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t   info;

    make(4 * 1024 * 1024);

    id = unit_str("s");
    (void) server_add(&route.table, "s", 1, NULL);

    for (i = 0; i < 5000; i++) {
        key.data = buf;
        key.len = ngx_sprintf(buf, "live/%ui", i) - buf;
        (void) ngx_rtmp_route_stream_set(&route.table, &key, &id,
                                         NGX_RTMP_ROUTE_FROM_PIN);
    }

    for (i = 0; i < 200; i++) {
        (void) ngx_sprintf(buf, "api%ui%Z", i);
        server_info(&info, (char *) buf, i, NGX_RTMP_ROUTE_SRC_API);
        (void) ngx_rtmp_route_server_set(&route.table, &info, NULL, NULL);
    }

    server_info(&info, "core", 1, NGX_RTMP_ROUTE_SRC_CORE);
    (void) ngx_rtmp_route_server_set(&route.table, &info, NULL, NULL);
    (void) stream_set(&route.table, "live/0", "core",
                      NGX_RTMP_ROUTE_FROM_PIN);

    (void) write_all(0);
    text = text_of(&state.name);

    make(64 * 1024);

    ok(load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 4096) == NGX_DONE,
       "into a small zone");
    ok(last.full > 100, "not all of it");
    IS_CHECKED();

    /* with room for those of the configuration */

    ok(server_add(&route.table, "configured", 1, NULL) == NGX_OK,
       "configured server");
}


static void
test_owner(void)
{
    ngx_str_t                      text;
    ngx_rtmp_route_rule_t          rule;
    ngx_rtmp_route_saved_mark_t    before, after;
    ngx_rtmp_route_server_info_t   info;

    make(1024 * 1024);
    fill();

    (void) write_all(0);
    text = text_of(&state.name);

    /* meanwhile here */

    server_info(&info, "api2", 77, NGX_RTMP_ROUTE_SRC_API);
    (void) ngx_rtmp_route_server_set(&route.table, &info, NULL, NULL);
    (void) stream_set(&route.table, "live/here", "api",
                      NGX_RTMP_ROUTE_FROM_PIN);
    (void) server_flags(&route.table, "api", 0, 1, 0);
    (void) server_flags(&route.table, "reg", 1, 0, 0);

    ngx_memzero(&rule, sizeof(rule));
    rule.action = NGX_RTMP_ROUTE_ALLOW;
    rule.kind = NGX_RTMP_ROUTE_RULE_SERVERS;
    (void) ngx_rtmp_route_rule_add(&route.table, &rule, 0);

    ok(load(&text, NGX_RTMP_ROUTE_LOAD_OWNER, 4096) == NGX_DONE, "read");

    ok(server_stat(&route.table, "api2") == NULL, "deleted server");
    ok(stream_stat(&route.table, "live/here") == NULL, "no pin");
    is_uint(server_stat(&route.table, "api")->params.drain, 0, "no drain");
    is_uint(server_stat(&route.table, "reg")->params.down, 0, "not down");
    ok(ngx_rtmp_route_rule_get(&route.table, rule.id, &rule)
       == NGX_DECLINED, "no rule");
    IS_CHECKED();

    /* the same once more changes nothing, so nobody writes for it */

    ngx_rtmp_route_saved_mark(&route.table, &before);
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_OWNER, 4096);
    ngx_rtmp_route_saved_mark(&route.table, &after);

    is_uint(after.changes, before.changes, "no change");
    is_uint(after.beats, before.beats, "no heartbeat");

    /* a part of it deletes nothing */

    text.len = (u_char *) ngx_strstr(text.data, "\"id\":\"api\"")
               - text.data;
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_OWNER, 4096);

    ok(server_stat(&route.table, "api") != NULL, "truncated");
}


static void
test_peer(void)
{
    ngx_str_t                        text;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;
    ngx_rtmp_route_stream_stat_t    *st;

    make(1024 * 1024);
    fill();
    server_params(&params);

    server_info(&info, "later", 50, NGX_RTMP_ROUTE_SRC_REGISTER);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);
    (void) stream_set(&route.table, "live/later", "later",
                      NGX_RTMP_ROUTE_FROM_LIST);
    (void) stream_set(&route.table, "live/pin2", "api",
                      NGX_RTMP_ROUTE_FROM_PIN);

    tick(5000);
    (void) write_all(1);
    text = text_of(&state.old);

    make(1024 * 1024);

    server_info(&info, "reg", 3, NGX_RTMP_ROUTE_SRC_REGISTER);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);

    tick(8000);

    (void) load(&text, NGX_RTMP_ROUTE_LOAD_PEER, 4096);
    IS_CHECKED();

    ok(server_stat(&route.table, "later") != NULL, "registered elsewhere");
    is_uint(server_stat(&route.table, "later")->expires / 1000, 17,
            "its life");
    is_uint(server_stat(&route.table, "reg")->expires / 1000, 22,
            "the later heartbeat counts");
    st = stream_stat(&route.table, "live/later");
    ok(st && st->source == NGX_RTMP_ROUTE_FROM_LIST, "listed stream");
    ok(server_stat(&route.table, "api") == NULL, "not of an operator");
    ok(stream_stat(&route.table, "live/pin2") == NULL, "no pin");

    /* another server that came later has the address */

    make(1024 * 1024);

    server_info(&info, "restarted", 50, NGX_RTMP_ROUTE_SRC_REGISTER);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);

    (void) load(&text, NGX_RTMP_ROUTE_LOAD_PEER, 4096);

    ok(server_stat(&route.table, "restarted") != NULL, "stays");
    ok(server_stat(&route.table, "later") == NULL, "has gone");
    IS_CHECKED();

    /* one that came before is the one that goes */

    tick(20000);
    make(1024 * 1024);
    server_info(&info, "before", 50, NGX_RTMP_ROUTE_SRC_REGISTER);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);
    tick(25000);

    (void) load(&text, NGX_RTMP_ROUTE_LOAD_PEER, 4096);

    ok(server_stat(&route.table, "later") == NULL, "expired elsewhere");
    ok(server_stat(&route.table, "before") != NULL, "stays");
}


static void
test_mark(void)
{
    uint64_t                     file[3] = { 1, 2, 3 };
    ngx_rtmp_route_saved_mark_t  mark, now;

    make(1024 * 1024);
    fill();

    ngx_rtmp_route_saved_last(&route.table, &mark);
    is_uint(mark.changes, 0, "never saved");

    (void) write_all(0);

    ngx_rtmp_route_saved_last(&route.table, &mark);
    ngx_rtmp_route_saved_mark(&route.table, &now);
    is_uint(mark.changes, now.changes, "saved");

    (void) pick(&route.table, "live/found", NGX_RTMP_ROUTE_PLAY,
                &(ngx_rtmp_route_peer_t) { 0 });
    ngx_rtmp_route_saved_mark(&route.table, &now);
    is_uint(mark.changes, now.changes, "use is no change");

    (void) server_flags(&route.table, "api", 1, 0, 0);
    ngx_rtmp_route_saved_mark(&route.table, &now);
    ok(mark.changes != now.changes, "a change");

    ok(ngx_rtmp_route_saved_file(&route.table, file), "another file");
    ok(!ngx_rtmp_route_saved_file(&route.table, file), "the same file");

    tick(10000);
    ok(ngx_rtmp_route_saved_turn(&route.table, 1000), "first");
    ok(!ngx_rtmp_route_saved_turn(&route.table, 1000), "not twice");
}


static void
test_bans(void)
{
    ngx_str_t                     text, key;
    ngx_msec_t                    left;
    ngx_rtmp_route_ban_t          ban;
    ngx_rtmp_route_endpoint_t     addr;
    ngx_rtmp_route_saved_mark_t   before, after;

#define HEAD  "{\"format\":\"nginx-osp route\",\"version\":1,"              \
              "\"key\":\"app/stream\",\"secret\":false,\"bans\":["

    make(1024 * 1024);
    fill();
    (void) write_all(0);
    text = text_of(&state.name);

    /* some of them are over when nginx comes back */

    make(1024 * 1024);
    tick(650000);

    ok(load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 4096) == NGX_DONE, "read");
    is_uint(nbans(), 3, "those that are not over");

    ngx_memzero(&addr, sizeof(ngx_rtmp_route_endpoint_t));
    addr.family = AF_INET;
    addr.addr[0] = 10;

    key = unit_str("live/\xff");
    is_uint(ngx_rtmp_route_table_banned(&route.table, &key,
                                        NGX_RTMP_ROUTE_PLAY, &addr, &left),
            NGX_OK, "any network, for longest");
    is_uint(left, 150000, "so much of the time is left");

    is_uint(ngx_rtmp_route_ban_get(&route.table, 2, &ban), NGX_OK, "its id");
    is_uint(ban.left, 50000, "its time");
    is_uint(ban.age, 650000, "its age");
    is_uint(ban.bits, 24, "its network");
    is_str(&ban.key, "live/\xff", "its name");

    add_ban("live/new", 3, 0, 1000);
    is_uint(ngx_rtmp_route_ban_get(&route.table, 5, &ban), NGX_OK,
            "ids go on");
    IS_CHECKED();

    /* who has the say says which ones there are, and until when */

    (void) ngx_rtmp_route_ban_delete(&route.table, 2);
    add_ban("", 3, 8, 20000);

    (void) load(&text, NGX_RTMP_ROUTE_LOAD_PEER, 4096);
    is_uint(ngx_rtmp_route_ban_get(&route.table, 2, &ban), NGX_DECLINED,
            "nobody else brings one back");
    is_uint(ngx_rtmp_route_ban_get(&route.table, 5, &ban), NGX_OK,
            "or takes one away");

    (void) load(&text, NGX_RTMP_ROUTE_LOAD_OWNER, 4096);
    is_uint(nbans(), 3, "as it says");
    is_uint(ngx_rtmp_route_ban_get(&route.table, 5, &ban), NGX_DECLINED,
            "not the new one");
    is_uint(ngx_rtmp_route_ban_get(&route.table, 3, &ban), NGX_OK, "another");
    is_uint(ban.left, 150000, "has its time");
    IS_CHECKED();

    ngx_rtmp_route_saved_mark(&route.table, &before);
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_OWNER, 4096);
    ngx_rtmp_route_saved_mark(&route.table, &after);
    is_uint(after.changes, before.changes, "no change");

    /* names are made otherwise now: they would be of other streams */

    make(1024 * 1024);
    route.secret = 1;
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 4096);
    is_uint(nbans(), 1, "but for addresses");
    route.secret = 0;

    /* no bans, each for a reason of its own */

    make(1024 * 1024);
    (void) load_text(HEAD
        "{},{\"id\":0,\"type\":\"any\",\"stream\":\"a/b\","
        "\"until\":99999999999999},"
        "{\"id\":1,\"type\":\"all\",\"stream\":\"a/b\","
        "\"until\":99999999999999},"
        "{\"id\":2,\"type\":\"any\",\"until\":99999999999999},"
        "{\"id\":3,\"type\":\"any\",\"stream\":\"a/b\"},"
        "{\"id\":4,\"type\":\"any\",\"stream\":\"a\\nb\","
        "\"until\":99999999999999},"
        "{\"id\":5,\"type\":\"any\",\"client\":\"servers\","
        "\"until\":99999999999999},"
        "{\"id\":6,\"type\":\"any\",\"client\":5,"
        "\"until\":99999999999999},"
        "7,{\"id\":8,\"type\":\"any\",\"stream\":\"a/c\","
        "\"until\":99999999999999}]}", NGX_RTMP_ROUTE_LOAD_FRESH);

    is_uint(last.invalid, 9, "those are none");
    is_uint(nbans(), 1, "and one is");
    IS_CHECKED();

    /* more than there is room for */

    make(1024 * 1024);
    fill();

    {
        char        name[32];
        ngx_uint_t  i;

        for (i = 0; i < 60; i++) {
            sprintf(name, "live/%lu", (unsigned long) i);
            add_ban(name, 3, 0, 900000);
        }
    }

    (void) write_all(0);
    text = text_of(&state.name);

    make(64 * 1024);
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 4096);
    ok(last.full > 0, "no room for %lu", (unsigned long) last.full);
    is_uint(nbans(), route.table.sh->nbans, "as many as fit");
    IS_CHECKED();
}


static void
measure(ngx_uint_t n)
{
    u_char                         buf[64];
    double                         start;
    ngx_str_t                      key, id, text;
    ngx_uint_t                     i;
    ngx_rtmp_route_server_info_t   info;

    make((size_t) n * 192 + 8 * 1024 * 1024);

    for (i = 0; i < 100; i++) {
        (void) ngx_sprintf(buf, "server%ui%Z", i);
        server_info(&info, (char *) buf, i, NGX_RTMP_ROUTE_SRC_API);
        (void) ngx_rtmp_route_server_set(&route.table, &info, NULL, NULL);
    }

    for (i = 0; i < n; i++) {
        key.data = buf;
        key.len = ngx_sprintf(buf, "live/some-channel-%ui", i) - buf;
        id.data = key.data + 40;
        id.len = ngx_sprintf(id.data, "server%ui", i % 100) - id.data;

        (void) ngx_rtmp_route_stream_set(&route.table, &key, &id,
                                         NGX_RTMP_ROUTE_FROM_FOUND);
    }

    for (i = 0; i < 3; i++) {
        start = seconds();
        (void) write_all(0);
        diag("write: %.3f s in %lu steps, the longest %.2f ms; fsync %.2f ms, "
             "rename %.2f ms", seconds() - start, (unsigned long) steps,
             longest * 1000, ends[0] * 1000, ends[1] * 1000);
    }

    text = text_of(&state.name);
    make((size_t) n * 192 + 8 * 1024 * 1024);

    start = seconds();
    (void) load(&text, NGX_RTMP_ROUTE_LOAD_FRESH, 65536);

    diag("read: %.3f s, %lu streams, %lu bytes", seconds() - start,
         (unsigned long) last.streams, (unsigned long) text.len);
}


/* a table with some of everything */

static void
fill(void)
{
    ngx_str_t                        key, id;
    ngx_rtmp_route_rule_t            rule;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    server_params(&params);

    server_info(&info, "core", 1, NGX_RTMP_ROUTE_SRC_CORE);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);

    server_info(&info, "api", 2, NGX_RTMP_ROUTE_SRC_API);
    info.proxy_protocol = NGX_RTMP_ROUTE_PP_SRS;
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);

    server_info(&info, "reg", 3, NGX_RTMP_ROUTE_SRC_REGISTER);
    info.token = 0xfedcba9876543210ULL;
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);
    (void) server_patch(&route.table, "reg",
                        offsetof(ngx_rtmp_route_server_params_t, max_conns),
                        7);

    /* a name without an address yet */

    server_info(&info, "\xc3\xa9 \"name\"", 4, NGX_RTMP_ROUTE_SRC_CORE);
    info.endpoints[NGX_RTMP_ROUTE_RTMP][0].family = 0;
    ngx_memzero(info.endpoints[NGX_RTMP_ROUTE_RTMP][0].addr, 16);
    (void) ngx_rtmp_route_server_set(&route.table, &info, &params, NULL);

    (void) stream_set(&route.table, "live/pin", "api",
                      NGX_RTMP_ROUTE_FROM_PIN);
    (void) stream_set(&route.table, "live/\xff", "api",
                      NGX_RTMP_ROUTE_FROM_PIN);
    (void) stream_set(&route.table, "live/\xe2\x82\xac\\\"", "reg",
                      NGX_RTMP_ROUTE_FROM_PIN);
    (void) stream_set(&route.table, "live/list", "reg",
                      NGX_RTMP_ROUTE_FROM_LIST);
    (void) stream_set(&route.table, "live/found", "api",
                      NGX_RTMP_ROUTE_FROM_FOUND);
    (void) stream_set(&route.table, "live/core", "core",
                      NGX_RTMP_ROUTE_FROM_CORE);
    (void) stream_set(&route.table, "live/both", "reg",
                      NGX_RTMP_ROUTE_FROM_LIST);
    (void) stream_set(&route.table, "live/both", "reg",
                      NGX_RTMP_ROUTE_FROM_PIN);
    (void) stream_set(&route.table, "live/long/0123456789012345678901234567"
                      "890123456789012345678901234567890123456789012345678901",
                      "core", NGX_RTMP_ROUTE_FROM_FOUND);

    key = unit_str("live/asked");
    id = unit_str("core");
    (void) ngx_rtmp_route_core_set(&route.table, &key, &id, 0, 30000);

    ngx_memzero(&rule, sizeof(rule));
    rule.action = NGX_RTMP_ROUTE_DENY;
    rule.kind = NGX_RTMP_ROUTE_RULE_ALL;
    (void) ngx_rtmp_route_rule_add(&route.table, &rule, 0);

    add_ban("live/cam1", 1, 0, 600000);
    add_ban("live/\xff", 2, 24, 700000);
    add_ban("", 3, 8, 800000);
    add_ban("live/\xe2\x82\xac\\\"", 3, 0, 900000);
}


static void
add_ban(const char *key, ngx_uint_t ops, ngx_uint_t bits, ngx_msec_t left)
{
    ngx_rtmp_route_ban_t  ban;

    ngx_memzero(&ban, sizeof(ngx_rtmp_route_ban_t));

    ban.key = unit_str(key);
    ban.ops = ops;
    ban.left = left;

    if (bits) {
        ban.bits = bits;
        ban.addr.family = AF_INET;
        ban.addr.addr[0] = 10;
    }

    (void) ngx_rtmp_route_ban_add(&route.table, &ban);
}


static ngx_uint_t
nbans(void)
{
    uint32_t    last;
    ngx_uint_t  n, max;

    ngx_rtmp_route_bans_stat(&route.table, &n, &max, &last);

    return n;
}


static void
make(size_t size)
{
    if (route.table.shpool) {
        unit_zone_free(route.table.shpool);
    }

    table_make(&route.table, size);
}


static ngx_int_t
write_all(ngx_uint_t old)
{
    double                         start, time;
    ngx_int_t                      rc;
    ngx_pool_t                    *p;
    ngx_uint_t                     phase;
    ngx_rtmp_route_state_write_t  *w;

    p = ngx_create_pool(16384, &unit_log);
    w = ngx_rtmp_route_state_write_start(&state, p, old);

    longest = 0;
    steps = 0;

    do {
        phase = w->phase;
        start = seconds();

        rc = ngx_rtmp_route_state_write_step(w, NULL);

        time = seconds() - start;
        steps++;

        if (phase < w->phase || rc != NGX_AGAIN) {
            ends[0] = ends[1];
            ends[1] = time;

        } else {
            longest = ngx_max(longest, time);
        }

    } while (rc == NGX_AGAIN);

    ngx_rtmp_route_state_write_end(w);
    ngx_destroy_pool(p);

    return rc;
}


static ngx_str_t
text_of(ngx_str_t *name)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t         text;
    ngx_file_info_t   fi;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        abort();
    }

    text.len = ngx_file_size(&fi);
    text.data = ngx_pcalloc(pool, text.len + 1);

    n = ngx_read_fd(fd, text.data, text.len);

    if (n != (ssize_t) text.len) {
        abort();
    }

    (void) ngx_close_file(fd);

    return text;
}


static ngx_int_t
load(ngx_str_t *text, ngx_uint_t how, size_t piece)
{
    u_char      *p, *end;
    size_t       n;
    ngx_int_t    rc;
    ngx_pool_t  *temp;

    temp = ngx_create_pool(16384, &unit_log);

    if (ngx_rtmp_route_state_load_init(&last, &route, temp, how) != NGX_OK) {
        abort();
    }

    rc = NGX_AGAIN;
    end = text->data + text->len;

    for (p = text->data; p < end && rc != NGX_ERROR; p += n) {
        n = ngx_min(piece, (size_t) (end - p));
        rc = ngx_rtmp_route_state_feed(&last.reader, p, n);
    }

    while (ngx_rtmp_route_state_load_end(&last) == NGX_AGAIN) {
        /* void */
    }

    ngx_destroy_pool(temp);

    return rc;
}


static ngx_int_t
load_text(const char *text, ngx_uint_t how)
{
    ngx_str_t  s;

    s = unit_str(text);

    return load(&s, how, s.len);
}


/* the time of day goes on, too, by whole seconds */

static void
tick(ngx_uint_t ms)
{
    unit_tick(ms);

    ((ngx_time_t *) ngx_cached_time)->sec += ms / 1000;
}


static double
seconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}
