
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_stray.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_rules.c ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c */
/* flags: -DNGX_RTMP_ROUTE_DEBUG_KILL=1 */


/*
 * Processes that change the table at random and are killed at random places
 * of their changes.  TEST_KILLS says how many are killed, TEST_SEED repeats
 * a run.
 */


#include "table.h"


#define KILLS    3000
#define WORKERS  2
#define SESSIONS 24


static void test_bytes(ngx_rtmp_route_table_t *table);
static void pass_bytes(ngx_rtmp_route_table_t *table, ngx_uint_t point);
static void run(ngx_rtmp_route_table_t *table, const char *what, size_t size,
    ngx_uint_t nkeys, ngx_uint_t kills);
static void start(ngx_rtmp_route_table_t *table, ngx_uint_t check);
static void work(ngx_rtmp_route_table_t *table);
static void change_server(ngx_rtmp_route_table_t *table);
static void change_stream(ngx_rtmp_route_table_t *table);
static void change_core(ngx_rtmp_route_table_t *table);
static void change_session(ngx_rtmp_route_table_t *table);
static void change_mark(ngx_rtmp_route_table_t *table);
static void change_conn(ngx_rtmp_route_table_t *table);
static void change_rule(ngx_rtmp_route_table_t *table);
static void change_ban(ngx_rtmp_route_table_t *table);
static void change_health(ngx_rtmp_route_table_t *table);
static void look(ngx_rtmp_route_table_t *table);
static void finish(ngx_rtmp_route_table_t *table, const char *what);
static const char *some_key(void);
static const char *some_id(void);
static ngx_uint_t some(ngx_uint_t n);


ngx_uint_t  ngx_rtmp_route_kill_after;

static const char  *ids[] = { "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7" };

static ngx_uint_t                nkeys;
static ngx_uint_t                nconns;
static ngx_rtmp_route_session_t  sessions[SESSIONS];
static ngx_rtmp_route_query_t    queries[SESSIONS];
static ngx_rtmp_route_peer_t     conns[SESSIONS];


int
main(void)
{
    char                    *value;
    ngx_uint_t               kills, seed;
    ngx_rtmp_route_table_t   table;

    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;

    value = getenv("TEST_KILLS");
    kills = value ? strtoul(value, NULL, 10) : KILLS;

    value = getenv("TEST_SEED");
    seed = value ? strtoul(value, NULL, 10) : (ngx_uint_t) time(NULL);

    diag("seed %lu", (unsigned long) seed);
    srandom(seed);

    run(&table, "roomy zone", 1024 * 1024, 200, kills / 2);
    run(&table, "full zone", 12 * ngx_pagesize, 60, kills - kills / 2);

    test_bytes(&table);

    return done();
}


/* bytes are counted once, wherever who counts them is killed */

static void
test_bytes(ngx_rtmp_route_table_t *table)
{
    int                            status;
    uint64_t                       in, out;
    ngx_pid_t                      pid;
    ngx_str_t                      id;
    ngx_uint_t                     n, i, killed, wrong;
    ngx_rtmp_route_server_stat_t   stat;

    table_make(table, 1024 * 1024);
    server_add(table, "s0", 1, NULL);

    id = unit_str("s0");
    wrong = 0;
    killed = 1;

    for (n = 1; killed; n++) {
        pid = fork();

        if (pid == 0) {
            ngx_pid = getpid();
            pass_bytes(table, n);
            exit(0);
        }

        if (pid == -1 || waitpid(pid, &status, 0) != pid) {
            abort();
        }

        killed = WIFSIGNALED(status) != 0;

        (void) ngx_shmtx_force_unlock(&table->shpool->mutex, pid);

        for (i = 0; i < 5; i++) {
            ngx_rtmp_route_table_sweep(table);
        }

        ngx_rtmp_route_table_bytes(table, &in, &out);
        (void) ngx_rtmp_route_server_get(table, &id, &stat);

        wrong += (in != n * 101000 || out != n * 9000
                  || stat.in != in || stat.out != out);
    }

    is_uint(wrong, 0, "bytes, killed at %lu places", (unsigned long) n - 2);
    ok(n > 20, "there are so many");
    ok(ngx_rtmp_route_table_check(table) == NGX_OK, "bytes: consistent");

    unit_zone_free(table->shpool);
}


/* kills begin when all was passed */

static void
pass_bytes(ngx_rtmp_route_table_t *table, ngx_uint_t point)
{
    ngx_rtmp_route_peer_t      peer;
    ngx_rtmp_route_session_t   session, *one;

    ngx_time_update();
    table_slot();

    one = &session;
    ngx_memzero(one, sizeof(ngx_rtmp_route_session_t));

    if (session_open(table, "live/a", NGX_RTMP_ROUTE_PUBLISH, one, &peer)
        != NGX_OK)
    {
        exit(1);
    }

    *one->in += 1000;
    *one->out += 4999;

    ngx_rtmp_route_table_rates(table, &one, 1);

    *one->in += 100000;
    *one->out += 4001;

    ngx_rtmp_route_kill_after = point;

    ngx_rtmp_route_table_rates(table, &one, 1);
    ngx_rtmp_route_table_close(table, one);
}


static void
run(ngx_rtmp_route_table_t *table, const char *what, size_t size,
    ngx_uint_t keys, ngx_uint_t kills)
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  killed, exited, other, started, alive;

    nkeys = keys;

    table_make(table, size);

    killed = 0;
    exited = 0;
    other = 0;
    started = 0;
    alive = 0;

    while (alive < WORKERS) {
        start(table, 0);
        alive++;
    }

    while (alive) {
        pid = waitpid(-1, &status, 0);

        if (pid == -1) {
            break;
        }

        alive--;

        /* as the master does */

        (void) ngx_shmtx_force_unlock(&table->shpool->mutex, pid);

        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            killed++;

        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            exited++;

        } else {
            diag("status %x", status);
            other++;
        }

        if (killed < kills && other == 0) {

            /* not by this process: nobody frees its waiting for a dead one */

            start(table, ++started % 16 == 0);
            alive++;
        }
    }

    ok(killed >= kills, "%s: %lu killed, %lu not", what,
       (unsigned long) killed, (unsigned long) exited);
    is_uint(other, 0, "%s: consistent in between", what);
    ok(table->sh->rebuilt > kills / 10, "%s: %lu rebuilt", what,
       (unsigned long) table->sh->rebuilt);

    finish(table, what);

    unit_zone_free(table->shpool);
}


static void
start(ngx_rtmp_route_table_t *table, ngx_uint_t check)
{
    long        seed;
    ngx_pid_t   pid;

    seed = random();
    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();

        if (check) {
            exit(ngx_rtmp_route_table_check(table) == NGX_OK ? 0 : 1);
        }

        srandom(seed);
        work(table);
        exit(0);
    }

    if (pid == -1) {
        abort();
    }
}


static void
work(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t  i;

    ngx_time_update();
    table_slot();

    table->method = some(4);
    table->unknown = some(3);
    table->inactive = some(3) ? 60000 : 1;
    table->checks = some(2);
    table->mandatory = some(2);

    /* early ones, too; some are left to end by themselves */

    ngx_rtmp_route_kill_after = 1 + (some(2) ? some(3000) : some(100));

    for (i = 0; i < 3000; i++) {

        switch (some(20)) {

        case 0:
            change_server(table);
            break;

        case 1:
        case 2:
        case 3:
        case 4:
            change_stream(table);
            break;

        case 5:
            change_conn(table);
            break;

        case 6:
            look(table);
            break;

        case 7:
            change_rule(table);
            break;

        case 8:
            change_health(table);
            break;

        case 9:
            change_mark(table);
            break;

        case 10:
            change_ban(table);
            break;

        default:
            change_session(table);
            break;
        }
    }

    ngx_rtmp_route_slot_release();
}


static void
change_server(ngx_rtmp_route_table_t *table)
{
    ngx_str_t                        name, other;
    const char                      *id;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;

    id = some_id();
    name = unit_str(id);

    switch (some(10)) {

    case 0:
        (void) ngx_rtmp_route_server_delete(table, &name);
        break;

    case 5:
        (void) ngx_rtmp_route_server_leave(table, &name);
        break;

    case 6:
        other = unit_str(ids[some(8)]);
        (void) ngx_rtmp_route_server_join(table, &name, &other);
        break;

    case 4:
        server_info(&info, id, some(12), NGX_RTMP_ROUTE_SRC_CORE);
        server_params(&params);

        (void) ngx_rtmp_route_server_set(table, &info, &params, NULL);
        break;

    case 1:
        server_params(&params);
        params.weight = 1 + some(3);
        params.max_conns = some(2) ? some(20) : 0;
        params.max_streams = some(2) ? some(20) : 0;
        params.drain = some(2);
        params.down = some(8) == 0;

        (void) ngx_rtmp_route_server_update(table, &name, NULL, &params);
        break;

    case 2:
        server_info(&info, id, some(12), NGX_RTMP_ROUTE_SRC_REGISTER);
        info.pid[0] = (u_char) ('0' + some(3));

        server_params(&params);
        params.timeout = some(2) ? 30000 : 1;

        (void) ngx_rtmp_route_server_set(table, &info, &params, NULL);
        break;

    case 3:
        other = unit_str(ids[some(8)]);
        (void) ngx_rtmp_route_server_rename(table, &name, &other);
        break;

    default:

        /* a name, at another address each time */

        server_info(&info, id, some(12), NGX_RTMP_ROUTE_SRC_CONFIG);
        info.origin_len = info.id_len;
        ngx_memcpy(info.origin, info.id, info.id_len);

        (void) ngx_rtmp_route_server_set(table, &info, NULL, NULL);
        break;
    }
}


static void
change_stream(ngx_rtmp_route_table_t *table)
{
    ngx_str_t    name;
    ngx_uint_t   i;
    const char  *id;

    static ngx_uint_t  from[] = { NGX_RTMP_ROUTE_FROM_FOUND,
                                  NGX_RTMP_ROUTE_FROM_CORE,
                                  NGX_RTMP_ROUTE_FROM_LIST,
                                  NGX_RTMP_ROUTE_FROM_PIN };

    switch (some(9)) {

    case 0:
        (void) stream_forget(table, some_key());
        break;

    case 2:
        change_core(table);
        break;

    case 1:
        id = some_id();
        name = unit_str(id);

        ngx_rtmp_route_list_begin(table, &name);

        for (i = some(6); i; i--) {
            (void) stream_set(table, some_key(), id,
                              NGX_RTMP_ROUTE_FROM_LIST);
        }

        ngx_rtmp_route_list_end(table, &name);
        break;

    default:
        (void) stream_set(table, some_key(), some_id(), from[some(4)]);
        break;
    }
}


static void
change_core(ngx_rtmp_route_table_t *table)
{
    uint32_t    list, cursor;
    ngx_str_t   key, id;
    ngx_uint_t  i;

    key = unit_str(some_key());

    switch (some(3)) {

    case 0:
        ngx_rtmp_route_core_forget(table, &key);
        break;

    case 1:
        id = unit_str(some_id());
        (void) ngx_rtmp_route_core_set(table, &key, &id, 0, 1 + some(1000));
        (void) ngx_rtmp_route_core_state(table, &key);
        break;

    default:
        list = ngx_rtmp_route_core_begin(table);

        for (i = some(10); i; i--) {
            key = unit_str(some_key());
            id = unit_str(some_id());

            (void) ngx_rtmp_route_core_set(table, &key, &id, list, 0);
        }

        cursor = 0;

        while (ngx_rtmp_route_core_end(table, list, &cursor) == NGX_AGAIN) {
            /* void */
        }

        break;
    }
}


static void
change_session(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t                n, op;
    ngx_rtmp_route_peer_t     peer;
    ngx_rtmp_route_query_t   *query;
    ngx_rtmp_route_session_t *session;

    n = some(SESSIONS);
    session = &sessions[n];
    query = &queries[n];

    if (session->in == NULL || (session->cell == 0 && some(2))) {

        op = some(2) ? NGX_RTMP_ROUTE_PUBLISH : NGX_RTMP_ROUTE_PLAY;

        if (session_open(table, some_key(), op, session, &peer) == NGX_OK) {
            query_init(query, some_key(), op);
        }

        return;
    }

    switch (some(4)) {

    case 0:
        peer.server.index = some(4);
        peer.server.seq = 1 + some(100);
        peer.protocol = NGX_RTMP_ROUTE_RTMP;
        peer.endpoint = 0;
        peer.single = 0;

        ngx_rtmp_route_table_report(table, query, &peer, some(2));

        (void) ngx_rtmp_route_table_next(table, session, query, &peer);
        break;

    case 1:
        ngx_rtmp_route_table_state(table, session,
                                   some(4) ? NGX_RTMP_ROUTE_S_RELAY
                                           : NGX_RTMP_ROUTE_S_CLOSING);
        (void) ngx_atomic_fetch_add(session->in, 1000);
        break;

    default:
        ngx_rtmp_route_table_close(table, session);
        session->in = NULL;
        break;
    }
}


/* what a session is told, of this process or another one */

static void
change_mark(ngx_rtmp_route_table_t *table)
{
    ngx_str_t  key;

    static ngx_msec_t  idle[] = { 0, 1, 3000, NGX_RTMP_ROUTE_TAKEOVER_ASK };

    switch (some(4)) {

    case 0:
        (void) ngx_rtmp_route_table_session_tell(table, some(4), 1 + some(100),
                                                 NGX_RTMP_ROUTE_E_KICKED);
        break;

    case 1:
        (void) ngx_rtmp_route_table_told(table, &sessions[some(SESSIONS)]);
        ngx_rtmp_route_table_tell_lost(table);
        break;

    default:
        key = unit_str(some_key());
        (void) ngx_rtmp_route_table_takeover(table, &key, idle[some(4)]);
        break;
    }
}


static void
change_conn(ngx_rtmp_route_table_t *table)
{
    ngx_rtmp_route_query_t  query;

    if (nconns < SESSIONS && some(2)) {

        query_init(&query, some_key(), NGX_RTMP_ROUTE_FETCH);
        query.count = 1;

        if (ngx_rtmp_route_table_pick(table, &query, &conns[nconns])
            == NGX_OK)
        {
            nconns++;
        }

    } else if (nconns) {
        ngx_rtmp_route_table_free(table, &conns[--nconns]);
    }
}


static void
change_rule(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t             n;
    ngx_rtmp_route_rule_t  rule, rules[NGX_RTMP_ROUTE_MAX_RULES];

    n = ngx_rtmp_route_rules(table, rules);

    if (n && some(3) == 0) {
        (void) ngx_rtmp_route_rule_delete(table, rules[some(n)].id);
        return;
    }

    ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));

    rule.action = some(2) ? NGX_RTMP_ROUTE_ALLOW : NGX_RTMP_ROUTE_DENY;
    rule.kind = NGX_RTMP_ROUTE_RULE_CIDR;
    rule.bits = 32;
    rule.addr.family = AF_INET;
    rule.addr.addr[0] = (u_char) some(200);

    (void) ngx_rtmp_route_rule_add(table, &rule,
                                   (n && some(2)) ? rules[some(n)].id : 0);
}


static void
change_ban(ngx_rtmp_route_table_t *table)
{
    uint32_t               last, cursor;
    ngx_str_t              key;
    ngx_uint_t             n, max;
    ngx_msec_t             left;
    ngx_rtmp_route_ban_t   ban;

    static u_char  name[300];

    ngx_rtmp_route_bans_stat(table, &n, &max, &last);

    switch (some(6)) {

    case 0:
        (void) ngx_rtmp_route_ban_delete(table, last - some(max));
        break;

    case 2:
        ban.left = 10;
        cursor = 0;

        while (ngx_rtmp_route_table_kick(table, some(3), 1 + some(50),
                                         &cursor, &ban)
               == NGX_AGAIN)
        {
            /* void */
        }

        break;

    case 1:
        key = unit_str(some_key());
        ngx_memzero(&ban.addr, sizeof(ngx_rtmp_route_endpoint_t));

        (void) ngx_rtmp_route_table_banned(table, &key, some(2), &ban.addr,
                                           &left);
        break;

    default:
        ngx_memzero(&ban, offsetof(ngx_rtmp_route_ban_t, key_buf));

        ngx_memset(name, 'a' + some(10), sizeof(name));

        ban.key.data = name;
        ban.key.len = some(sizeof(name) + 1);
        ban.ops = 1 + some(3);
        ban.left = some(2) ? 10 : 60000;

        (void) ngx_rtmp_route_ban_add(table, &ban);
        break;
    }
}


static void
change_health(ngx_rtmp_route_table_t *table)
{
    uint32_t                  cursor;
    ngx_str_t                 error;
    ngx_uint_t                was, health;
    ngx_rtmp_route_ref_t      ref;
    ngx_rtmp_route_target_t   target;

    error = unit_str("connect() failed");

    if (some(10) == 0) {
        ngx_rtmp_route_health_reset(table);
    }

    for (cursor = 0; /* void */ ; /* void */ ) {

        if (ngx_rtmp_route_health_next(table, &cursor, some(3), some(3),
                                       &target)
            != NGX_OK)
        {
            return;
        }

        ref = target.ref;
        ref.seq += (some(8) == 0);

        (void) ngx_rtmp_route_health_result(table, &ref,
                                            some(2) ? &error : NULL,
                                            1 + some(2), 1 + some(2),
                                            &was, &health);
    }
}


static void
look(ngx_rtmp_route_table_t *table)
{
    uint32_t                        cursor;
    ngx_rtmp_route_server_stat_t    server;
    ngx_rtmp_route_stream_stat_t    stream;
    ngx_rtmp_route_session_stat_t   session;

    cursor = 0;

    switch (some(6)) {

    case 0:
        while (ngx_rtmp_route_server_walk(table, &cursor, &server) == NGX_OK) {
            /* void */
        }

        break;

    case 1:
        while (ngx_rtmp_route_stream_walk(table, &cursor, &stream) == NGX_OK) {
            /* void */
        }

        break;

    case 2:
        while (ngx_rtmp_route_session_walk(table, &cursor, &session)
               == NGX_OK)
        {
            /* void */
        }

        break;

    case 3:
        ngx_rtmp_route_table_waiters(table, some(2) ? 1 : -1);
        break;

    default:
        ngx_rtmp_route_table_sweep(table);
        break;
    }
}


/* all that the dead have left is undone, and nothing is lost */

static void
finish(ngx_rtmp_route_table_t *table, const char *what)
{
    char                          id[24];
    ngx_str_t                     name;
    ngx_uint_t                    i, conns_left, marks_left;
    ngx_rtmp_route_table_stat_t   stat;

    ngx_time_update();
    ngx_pid = getpid();

    table->inactive = 1;

    for (i = 0; i < 20; i++) {
        ngx_rtmp_route_table_sweep(table);
    }

    ok(ngx_rtmp_route_table_check(table) == NGX_OK, "%s: consistent", what);

    ngx_rtmp_route_table_stat(table, &stat);

    is_uint(stat.sessions, 0, "%s: sessions undone", what);
    is_uint(stat.conns, 0, "%s: connections undone", what);

    conns_left = 0;

    for (i = 0; i < table->sh->server_top; i++) {
        if (ngx_rtmp_route_hot(table->sh, i)->valid) {
            conns_left += ngx_rtmp_route_hot(table->sh, i)->conns;
        }
    }

    is_uint(conns_left, 0, "%s: counters of servers", what);

    marks_left = 0;

    for (i = 0; i < table->sh->nslots; i++) {
        marks_left += ngx_rtmp_route_head(table->sh, i)->told;
    }

    is_uint(marks_left, 0, "%s: marks of sessions", what);

    for (i = 0; i < 8; i++) {
        snprintf(id, sizeof(id), "s%lu", (unsigned long) i);
        name = unit_str(id);
        (void) ngx_rtmp_route_server_delete(table, &name);
    }

    unit_tick(100000);

    for (i = 0; i < 100; i++) {
        ngx_rtmp_route_table_sweep(table);
        unit_tick(10);
    }

    ok(ngx_rtmp_route_table_check(table) == NGX_OK, "%s: emptied", what);

    ngx_rtmp_route_table_stat(table, &stat);

    is_uint(stat.servers, 0, "%s: no servers", what);
    is_uint(stat.streams, 0, "%s: no streams", what);
    is_uint(stat.cells_used, 0, "%s: no cell is lost", what);
}


/* some of them do not fit into one cell */

static const char *
some_key(void)
{
    size_t      len;
    ngx_uint_t  n;

    static char  key[400];

    n = some(nkeys);

    len = snprintf(key, sizeof(key), "live/camera-%lu", (unsigned long) n);

    if (n % 7 == 0) {
        memset(key + len, 'x', 40 + n);
        key[len + 40 + n] = '\0';
    }

    return key;
}


static const char *
some_id(void)
{
    return ids[some(8)];
}


static ngx_uint_t
some(ngx_uint_t n)
{
    return (ngx_uint_t) random() % n;
}
