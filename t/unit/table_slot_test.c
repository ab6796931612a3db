
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
/* sources: ngx_rtmp_route_addr.c ngx_rtmp_route_table_rules.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c */


/* Slots of worker processes, what the dead leave behind, wake-ups */


#include "table.h"

#include "ngx_rtmp_route_slot.c"


#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define FETCH     NGX_RTMP_ROUTE_FETCH


typedef struct {
    ngx_pid_t      pid;
    ngx_uint_t     slot;
    uint32_t       generation;
} child_t;


static void test_claim(void);
static void test_none_left(void);
static void test_alive(void);
static void test_undo(void);
static void test_successor(void);
static void test_event(void);
static void test_wake(void);
static void test_drain(void);
static void drain(void);
static void test_count(void);
static void count(void);
static void test_queued(void);
static void queue(void);
static uint32_t queued(void);
static child_t child(void (*work)(void));
static void child_kill(child_t *c);
static void open_many(void);
static ngx_uint_t is_woken(void);
static ngx_int_t add_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static ngx_int_t del_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static void woken(void);


static ngx_rtmp_route_table_t  table;
static ngx_rtmp_route_peer_t   peer;
static ngx_uint_t              nevents;
static ngx_uint_t              nwoken;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;
    is_uint(ngx_rtmp_route_slots(), 0, "no slots at first");
    is_uint(ngx_rtmp_route_slots_draining(), 0, "so nothing drains");
    is_uint(ngx_rtmp_route_slots_drain(1), NGX_DECLINED, "nor can it");
    table_make(&table, 4 * 1024 * 1024);

    test_claim();
    test_none_left();
    test_alive();
    test_undo();
    test_successor();
    test_event();
    test_wake();
    test_drain();
    test_count();
    test_queued();

    return done();
}


static void
test_claim(void)
{
    uint32_t  generation;

    is_uint(ngx_rtmp_route_slots(), 16, "slots");
    is_uint(ngx_rtmp_route_slots_create(99, &unit_log), NGX_OK, "made once");
    is_uint(ngx_rtmp_route_slots(), 16, "only");

    is_uint(ngx_rtmp_route_slot(), NGX_RTMP_ROUTE_NO_SLOT, "none claimed");
    table_slot();
    is_uint(ngx_rtmp_route_slot(), 0, "the first one");
    table_slot();
    is_uint(ngx_rtmp_route_slot(), 0, "claimed once");

    generation = ngx_rtmp_route_slot_generation(0);
    is_uint(ngx_rtmp_route_slot_pid(0), getpid(), "pid");
    is_uint(ngx_rtmp_route_slot_alive(0, generation), 1, "alive");
    is_uint(ngx_rtmp_route_slot_alive(0, generation + 1), 0, "no other");
    is_uint(ngx_rtmp_route_slot_alive(1, 0), 0, "a free one");
    is_uint(ngx_rtmp_route_slot_alive(99, 0), 0, "no slot at all");

    ngx_rtmp_route_slot_release();
    is_uint(ngx_rtmp_route_slot(), NGX_RTMP_ROUTE_NO_SLOT, "released");
    is_uint(ngx_rtmp_route_slot_alive(0, generation), 0, "not alive");
    is_uint(ngx_rtmp_route_slot_map[0].start, 0, "nothing is left of it");

    table_slot();
    is_uint(ngx_rtmp_route_slot(), 0, "claimed again");
    ok(ngx_rtmp_route_slot_generation(0) != generation, "another generation");
    ngx_rtmp_route_slot_release();
}


static void
test_none_left(void)
{
    child_t                   c[16];
    ngx_uint_t                i;
    ngx_rtmp_route_query_t    query;
    ngx_rtmp_route_session_t  session;

    for (i = 0; i < 16; i++) {
        c[i] = child(NULL);
    }

    is_uint(c[15].slot, 15, "all are taken");

    table_slot();
    is_uint(ngx_rtmp_route_slot(), NGX_RTMP_ROUTE_NO_SLOT, "none is left");

    server_add(&table, "s1", 1, NULL);
    is_uint(session_open(&table, "live/a", PUBLISH, &session, &peer), NGX_OK,
            "a session goes on");
    is_uint(session.cell, 0, "uncounted");
    ok(session.in && session.out, "but counts somewhere");
    ngx_rtmp_route_table_close(&table, &session);

    query_init(&query, "live/a", FETCH);
    query.count = 1;
    is_uint(ngx_rtmp_route_table_pick(&table, &query, &peer), NGX_OK,
            "a pick goes on");
    is_uint(peer.conn, 0, "uncounted");
    ngx_rtmp_route_table_waiters(&table, 1);

    child_kill(&c[7]);
    table_slot();
    is_uint(ngx_rtmp_route_slot(), 7, "that of a dead one");
    ngx_rtmp_route_slot_release();

    for (i = 0; i < 16; i++) {
        if (i != 7) {
            child_kill(&c[i]);
        }
    }
}


static void
test_alive(void)
{
    child_t  c, d;

    c = child(NULL);
    is_uint(ngx_rtmp_route_slot_alive(c.slot, c.generation), 1, "alive");
    child_kill(&c);
    is_uint(ngx_rtmp_route_slot_alive(c.slot, c.generation), 0, "gone");
    is_uint(ngx_rtmp_route_slot_map[c.slot].start, 0, "nothing is left of it");
    is_uint(ngx_rtmp_route_slot_pid(c.slot), 0, "its slot is free");

    d = child(NULL);
    is_uint(d.slot, c.slot, "taken by another");
    is_uint(ngx_rtmp_route_slot_alive(c.slot, c.generation), 0, "still gone");
    is_uint(ngx_rtmp_route_slot_alive(d.slot, d.generation), 1, "alive");

    /* another process has its pid */

    ok(ngx_rtmp_route_slot_map[d.slot].start != 0, "start time is known");
    ngx_rtmp_route_slot_map[d.slot].start++;
    is_uint(ngx_rtmp_route_slot_alive(d.slot, d.generation), 1,
            "not looked at too often");
    unit_tick(NGX_RTMP_ROUTE_SLOT_PROC);
    is_uint(ngx_rtmp_route_slot_alive(d.slot, d.generation), 0,
            "started at another time");
    child_kill(&d);

    /* it may be this process */

    ngx_rtmp_route_slot_map[3].pid = getpid();
    table_slot();
    is_uint(ngx_rtmp_route_slot_alive(3,
                                      ngx_rtmp_route_slot_generation(3)), 0,
            "our pid, but not our slot");
    is_uint(ngx_rtmp_route_slot_pid(3), 0, "free");
    ngx_rtmp_route_slot_release();
}


static void
test_undo(void)
{
    child_t                      c;
    ngx_uint_t                   n;
    ngx_rtmp_route_table_stat_t  stat;

    c = child(open_many);

    table_slot();
    ngx_rtmp_route_table_sweep(&table);
    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.sessions, 1000, "open");
    is_uint(stat.conns, 100, "counted");
    is_uint(server_stat(&table, "s1")->conns, 1100, "of the server");
    is_uint(stream_stat(&table, "live/1")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "live");

    child_kill(&c);
    (void) ngx_shmtx_force_unlock(&table.shpool->mutex, c.pid);

    for (n = 0; n < 5; n++) {
        ngx_rtmp_route_table_sweep(&table);
    }

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.sessions, 0, "undone");
    is_uint(stat.conns, 0, "undone");
    is_uint(server_stat(&table, "s1")->conns, 0, "of the server");
    is_uint(stream_stat(&table, "live/1")->source, NGX_RTMP_ROUTE_FROM_PICK,
            "remembered");
    ok(stream_stat(&table, "live/0") == NULL, "that of players is not");

    IS_CHECKED(&table);
    ngx_rtmp_route_slot_release();
}


/* who takes over a slot has sessions in front of what the dead have left */

static void
test_successor(void)
{
    child_t                      c;
    ngx_rtmp_route_session_t     session;
    ngx_rtmp_route_table_stat_t  stat;

    c = child(open_many);
    child_kill(&c);

    table_slot();
    is_uint(ngx_rtmp_route_slot(), c.slot, "in the same slot");
    session_open(&table, "live/mine", PUBLISH, &session, &peer);
    ngx_rtmp_route_table_state(&table, &session, NGX_RTMP_ROUTE_S_RELAY);

    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.sessions, 1001, "all");
    IS_CHECKED(&table);

    ngx_rtmp_route_table_sweep(&table);
    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.sessions, 1, "only its own");
    is_uint(stream_stat(&table, "live/mine")->source,
            NGX_RTMP_ROUTE_FROM_PUBLISH, "live");

    /* nor what was opened since the sweep has looked at the slot */

    ngx_rtmp_route_slot_map[c.slot].pid = 0;
    ngx_rtmp_route_slot_map[c.slot].generation--;
    ngx_rtmp_route_table_sweep(&table);
    ngx_rtmp_route_slot_map[c.slot].generation++;
    ngx_rtmp_route_slot_map[c.slot].pid = getpid();
    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.sessions, 1, "still there");

    /* after a rebuild, too */

    ngx_rtmp_route_slot_release();
    c = child(open_many);
    child_kill(&c);
    table_slot();
    session_open(&table, "live/mine", PUBLISH, &session, &peer);
    table.sh->dirty = 1;
    ngx_rtmp_route_table_sweep(&table);
    ngx_rtmp_route_table_stat(&table, &stat);
    is_uint(stat.sessions, 1, "only its own");

    ngx_rtmp_route_table_close(&table, &session);
    IS_CHECKED(&table);
    ngx_rtmp_route_slot_release();
}


static void
test_event(void)
{
    ngx_event_t       read[4], write[4];
    ngx_connection_t  connections[4];

    ngx_memzero(connections, sizeof(connections));
    ngx_memzero(read, sizeof(read));
    ngx_memzero(write, sizeof(write));

    connections[0].read = read;
    connections[0].write = write;

    unit_cycle.connections = connections;
    unit_cycle.connection_n = 1;
    unit_cycle.free_connections = connections;
    unit_cycle.free_connection_n = 1;

    ngx_event_actions.add = add_event;
    ngx_event_actions.del = del_event;

    /* what was left in the descriptor is not for us */

    ngx_rtmp_route_slot_wake(0);

    ngx_pid = getpid();
    is_uint(ngx_rtmp_route_slot_claim(&unit_cycle, woken), NGX_OK, "claimed");
    is_uint(ngx_rtmp_route_slot(), 0, "slot");
    is_uint(nevents, 1, "event added");
    is_uint(unit_cycle.free_connection_n, 0, "with a connection");
    is_uint(connections[0].read->channel, 1, "no matter at exit");
    ok(!is_woken(), "not woken before");

    ngx_rtmp_route_slot_wake(0);
    ngx_rtmp_route_slot_wake(0);
    ok(is_woken(), "woken");
    ngx_rtmp_route_slot_wake(0);
    read[0].handler(&read[0]);
    is_uint(nwoken, 1, "handler called");
    ok(!is_woken(), "once for all");

    ngx_rtmp_route_slot_wake(99);

    ngx_rtmp_route_slot_release();
    is_uint(nevents, 0, "event deleted");
    is_uint(unit_cycle.free_connection_n, 1, "connection freed");
    is_uint(connections[0].fd, (ngx_socket_t) -1, "nothing left open");
}


static void
test_wake(void)
{
    ngx_rtmp_route_session_t        a, b;
    ngx_rtmp_route_server_info_t    info;
    ngx_rtmp_route_server_params_t  params;

    table_make(&table, 1024 * 1024);
    table_slot();
    ok(!is_woken(), "quiet");

    server_add(&table, "s1", 1, NULL);
    ok(!is_woken(), "nobody waits");

    ngx_rtmp_route_table_waiters(&table, 1);
    ngx_rtmp_route_table_waiters(&table, 1);
    ok(!is_woken(), "no change");

    server_add(&table, "s2", 2, NULL);
    ok(is_woken(), "a server");
    server_add(&table, "s2", 2, NULL);
    ok(!is_woken(), "known already");

    server_flags(&table, "s2", 0, 1, 0);
    ok(is_woken(), "changed");

    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_CORE);
    ok(is_woken(), "a stream");
    stream_set(&table, "live/a", "s1", NGX_RTMP_ROUTE_FROM_CORE);
    ok(!is_woken(), "known already");

    session_open(&table, "live/b", PLAY, &a, &peer);
    session_open(&table, "live/b", PUBLISH, &b, &peer);
    ok(!is_woken(), "sessions");
    ngx_rtmp_route_table_state(&table, &b, NGX_RTMP_ROUTE_S_SETUP);
    ok(!is_woken(), "set up");
    ngx_rtmp_route_table_state(&table, &b, NGX_RTMP_ROUTE_S_RELAY);
    ok(is_woken(), "live");
    ngx_rtmp_route_table_state(&table, &b, NGX_RTMP_ROUTE_S_RELAY);
    ok(!is_woken(), "live already");

    server_patch(&table, "s1",
                 offsetof(ngx_rtmp_route_server_params_t, max_conns), 2);
    (void) is_woken();
    ngx_rtmp_route_table_close(&table, &a);
    ok(is_woken(), "room on a full server");
    ngx_rtmp_route_table_close(&table, &b);
    ok(!is_woken(), "room where there was some");

    server_info(&info, "r", 3, NGX_RTMP_ROUTE_SRC_REGISTER);
    server_params(&params);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(is_woken(), "registered");
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(!is_woken(), "refreshed");
    unit_tick(30001);
    ngx_rtmp_route_server_set(&table, &info, &params, NULL);
    ok(is_woken(), "back");

    ngx_rtmp_route_table_waiters(&table, -1);
    server_add(&table, "s3", 4, NULL);
    ok(is_woken(), "one waits still");

    ngx_rtmp_route_table_waiters(&table, -1);
    server_add(&table, "s4", 5, NULL);
    ok(!is_woken(), "nobody waits");

    ngx_rtmp_route_table_waiters(&table, -1);
    ngx_rtmp_route_table_waiters(&table, 1);
    server_add(&table, "s5", 6, NULL);
    ok(is_woken(), "never less than none");

    /* the waiters of a predecessor are not ours */

    ngx_rtmp_route_slot_release();
    table_slot();
    server_add(&table, "s6", 7, NULL);
    ok(!is_woken(), "another generation");
    ngx_rtmp_route_slot_release();
}


static void
test_drain(void)
{
    child_t  c;
    time_t   since;

    table_slot();
    is_uint(ngx_rtmp_route_slots_draining(), 0, "it does not drain");
    is_uint(ngx_rtmp_route_slots_drain(0), NGX_DONE, "nor is that to end");
    ok(!is_woken(), "nothing has changed");

    is_uint(ngx_rtmp_route_slots_drain(1), NGX_OK, "drain");
    since = ngx_time();
    is_uint(ngx_rtmp_route_slots_draining(), since, "since now");
    ok(is_woken(), "all are woken");

    is_uint(ngx_rtmp_route_slots_drain(1), NGX_DONE, "it does");
    is_uint(ngx_rtmp_route_slots_draining(), since, "since then");
    ok(!is_woken(), "nothing has changed, again");

    is_uint(ngx_rtmp_route_slots_create(16, &unit_log), NGX_OK, "a reload");
    is_uint(ngx_rtmp_route_slots_draining(), since, "it is kept");

    is_uint(ngx_rtmp_route_slots_drain(0), NGX_OK, "the end of it");
    is_uint(ngx_rtmp_route_slots_draining(), 0, "it drains no more");
    ok(is_woken(), "all are woken, again");

    /* by another process, which is gone then */

    c = child(drain);
    child_kill(&c);
    ok(ngx_rtmp_route_slots_draining() != 0, "by another process");
    ok(is_woken(), "which has woken this one");
    is_uint(ngx_rtmp_route_slots_drain(0), NGX_OK, "any may end it");

    ngx_rtmp_route_slot_release();
}


static void
drain(void)
{
    (void) ngx_rtmp_route_slots_drain(1);
}


static void
test_count(void)
{
    child_t                     c;
    ngx_uint_t                  slot;
    ngx_rtmp_route_slot_stat_t  stat;

    is_uint(ngx_rtmp_route_slot_stat(0, &stat), NGX_DECLINED, "nobody's");
    is_uint(ngx_rtmp_route_slot_stat(99, &stat), NGX_DECLINED, "no slot");

    ngx_rtmp_route_slot_count(NGX_RTMP_ROUTE_N_QUEUED, 1);
    ngx_rtmp_route_slot_cycle(1);

    /* it would have the slot of this process */

    c = child(count);

    table_slot();
    slot = ngx_rtmp_route_slot();

    is_uint(ngx_rtmp_route_slot_stat(slot, &stat), NGX_OK, "this process");
    is_uint(stat.pid, getpid(), "its pid");
    is_uint(stat.cycle, 1, "its configuration, said before");
    is_uint(stat.n[0] + stat.n[1] + stat.n[2], 0,
            "nothing counted without a slot");

    ngx_rtmp_route_slot_cycle(7);
    ngx_rtmp_route_slot_count(NGX_RTMP_ROUTE_N_PUBLISHERS, 2);
    ngx_rtmp_route_slot_count(NGX_RTMP_ROUTE_N_PUBLISHERS, -1);

    is_uint(ngx_rtmp_route_slot_stat(slot, &stat), NGX_OK, "this one");
    is_uint(stat.cycle, 7, "its configuration");
    is_uint(stat.n[NGX_RTMP_ROUTE_N_PUBLISHERS], 1, "its publishers");
    is_uint(stat.n[NGX_RTMP_ROUTE_N_PLAYERS], 0, "its players");

    is_uint(ngx_rtmp_route_slot_stat(c.slot, &stat), NGX_OK, "another one");
    is_uint(stat.pid, c.pid, "its pid");
    is_uint(stat.n[NGX_RTMP_ROUTE_N_PUBLISHERS], 0, "its publishers");
    is_uint(stat.n[NGX_RTMP_ROUTE_N_PLAYERS], 3, "its players");

    child_kill(&c);
    is_uint(ngx_rtmp_route_slot_stat(c.slot, &stat), NGX_DECLINED,
            "nothing of who is gone");

    ngx_rtmp_route_slot_release();
    c = child(NULL);
    is_uint(ngx_rtmp_route_slot_stat(c.slot, &stat), NGX_OK, "a successor");
    is_uint(stat.pid, c.pid, "in the same slot");
    is_uint(stat.n[NGX_RTMP_ROUTE_N_PLAYERS], 0, "begins anew");
    child_kill(&c);
}


static void
count(void)
{
    ngx_rtmp_route_slot_count(NGX_RTMP_ROUTE_N_PLAYERS, 3);
}


static void
test_queued(void)
{
    child_t  c;

    table_make(&table, 1024 * 1024);

    /* without a slot */

    ngx_rtmp_route_table_queued(&table, 1);
    is_uint(queued(), 0, "nobody waits");

    c = child(queue);
    is_uint(queued(), 2, "two of another process");

    table_slot();
    ngx_rtmp_route_table_queued(&table, 1);
    is_uint(queued(), 3, "and one of this");

    child_kill(&c);
    is_uint(queued(), 1, "those who are gone do not");

    ngx_rtmp_route_table_waiters(&table, 1);
    ngx_rtmp_route_table_waiters(&table, -1);
    is_uint(queued(), 1, "waiters are another matter");

    ngx_rtmp_route_table_queued(&table, -1);
    is_uint(queued(), 0, "nobody does");

    ngx_rtmp_route_table_queued(&table, 1);
    ngx_rtmp_route_slot_release();
    is_uint(queued(), 0, "nor when this process leaves");

    table_slot();
    ngx_rtmp_route_table_waiters(&table, 1);
    is_uint(queued(), 0, "what a predecessor has left");
    ngx_rtmp_route_table_queued(&table, 1);
    is_uint(queued(), 1, "begins anew");

    IS_CHECKED(&table);
    ngx_rtmp_route_slot_release();
}


static void
queue(void)
{
    ngx_rtmp_route_table_queued(&table, 1);
    ngx_rtmp_route_table_queued(&table, 1);
}


static uint32_t
queued(void)
{
    ngx_rtmp_route_table_stat_t  stat;

    ngx_rtmp_route_table_stat(&table, &stat);

    return stat.queued;
}


/* a process with a slot, that is there until it is killed */

static child_t
child(void (*work)(void))
{
    int      fd[2];
    child_t  c;

    if (pipe(fd) == -1) {
        abort();
    }

    c.pid = fork();

    if (c.pid == -1) {
        abort();
    }

    if (c.pid == 0) {
        table_slot();

        c.pid = getpid();
        c.slot = ngx_rtmp_route_slot();
        c.generation = ngx_rtmp_route_slot_generation(c.slot);

        if (work) {
            work();
        }

        if (write(fd[1], &c, sizeof(child_t)) != sizeof(child_t)) {
            exit(1);
        }

        for ( ;; ) {
            pause();
        }
    }

    if (read(fd[0], &c, sizeof(child_t)) != sizeof(child_t)) {
        abort();
    }

    close(fd[0]);
    close(fd[1]);

    return c;
}


static void
child_kill(child_t *c)
{
    (void) kill(c->pid, SIGKILL);
    (void) waitpid(c->pid, NULL, 0);
}


static void
open_many(void)
{
    char                      key[32];
    ngx_uint_t                i;
    ngx_rtmp_route_query_t    query;
    ngx_rtmp_route_session_t  session;

    for (i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);

        (void) session_open(&table, key, (i % 2) ? PUBLISH : PLAY, &session,
                            &peer);

        if (i % 2) {
            ngx_rtmp_route_table_state(&table, &session,
                                       NGX_RTMP_ROUTE_S_RELAY);
        }
    }

    for (i = 0; i < 100; i++) {
        query_init(&query, "live/x", FETCH);
        query.count = 1;
        (void) ngx_rtmp_route_table_pick(&table, &query, &peer);
    }
}


/* whether somebody has woken this process since the last call */

static ngx_uint_t
is_woken(void)
{
    uint64_t  value;

    return read(ngx_rtmp_route_slot_fds[ngx_rtmp_route_slot()], &value,
                sizeof(uint64_t))
           == sizeof(uint64_t);
}


static ngx_int_t
add_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    nevents++;
    return NGX_OK;
}


static ngx_int_t
del_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    nevents--;
    return NGX_OK;
}


static void
woken(void)
{
    nwoken++;
}
