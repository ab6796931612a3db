
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
/* sources: ngx_rtmp_route_addr.c ngx_rtmp_route_table_rules.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_conflict.c ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_health.c ngx_rtmp_route_events.c */
/* sources: ngx_rtmp_route_zone.c */


/* What sessions are told from outside, and by whom they are replaced */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "table.h"

#include "ngx_rtmp_route_slot.c"
#include "ngx_rtmp_route_events.h"


#define IS_CHECKED()  ok(ngx_rtmp_route_table_check(table) == NGX_OK,         \
                         "consistent")

#define PUBLISH   NGX_RTMP_ROUTE_PUBLISH
#define PLAY      NGX_RTMP_ROUTE_PLAY
#define RELAY     NGX_RTMP_ROUTE_S_RELAY
#define ASK       NGX_RTMP_ROUTE_TAKEOVER_ASK

#define LOST      NGX_RTMP_ROUTE_E_LOST
#define SILENT    NGX_RTMP_ROUTE_E_SILENT
#define REPLACED  NGX_RTMP_ROUTE_E_REPLACED
#define KICKED    NGX_RTMP_ROUTE_E_KICKED

#define MANY      2500


static void test_takeover(void);
static void test_silent(void);
static void test_several(void);
static void test_move(void);
static void test_rebuild(void);
static void test_kick(void);
static void test_dead(void);
static void test_events(void);
static void test_lost(void);
static ngx_int_t take(const char *key, ngx_msec_t idle);
static void live(ngx_rtmp_route_session_t *session, const char *key);
static ngx_uint_t run_events(void);
static ngx_uint_t is_woken(void);
static void event(ngx_rtmp_route_session_t *session, ngx_uint_t what);
static void end(ngx_rtmp_route_session_t *session);
static ngx_pid_t child(const char *key);


static ngx_rtmp_route_t          route;
static ngx_rtmp_route_table_t   *table = &route.table;
static ngx_rtmp_route_peer_t     peer;

static ngx_rtmp_route_session_t  many[MANY];
static ngx_uint_t                told[MANY];
static ngx_uint_t                ntold;
static ngx_uint_t                end_all;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;

    table_make(table, 4 * 1024 * 1024);
    table_slot();

    ngx_queue_init(&route.sessions);
    ngx_queue_init(&ngx_posted_events);
    ngx_queue_init(&ngx_posted_next_events);
    ngx_rtmp_route_events_init(&route, &unit_log);

    server_add(table, "s1", 1, NULL);

    test_takeover();
    test_silent();
    test_several();
    test_move();
    test_rebuild();
    test_kick();
    test_dead();
    test_events();
    test_lost();

    return done();
}


static void
test_takeover(void)
{
    ngx_rtmp_route_session_t  one, player;

    is_uint(take("live/a", 0), NGX_DECLINED, "unknown");

    session_open(table, "live/a", PLAY, &player, &peer);
    ngx_rtmp_route_table_state(table, &player, RELAY);
    is_uint(take("live/a", 0), NGX_DECLINED, "a player only");

    session_open(table, "live/a", PUBLISH, &one, &peer);
    is_uint(take("live/a", 0), NGX_DECLINED, "not live yet");

    ngx_rtmp_route_table_state(table, &one, RELAY);
    is_uint(take("live/a", ASK), NGX_BUSY, "asked only");
    is_uint(ngx_rtmp_route_table_has_told(table), 0, "told nothing");
    ok(!is_woken(), "not woken");

    is_uint(take("live/a", 3000), NGX_BUSY, "not silent");
    is_uint(take("live/b", 3000), NGX_DECLINED, "another stream");
    is_uint(ngx_rtmp_route_table_told(table, &one), 0, "told nothing");

    is_uint(take("live/a", 0), NGX_AGAIN, "at once");
    is_uint(ngx_rtmp_route_table_has_told(table), 1, "there is something");
    ok(is_woken(), "woken");
    IS_CHECKED();

    is_uint(take("live/a", 0), NGX_AGAIN, "again");
    ok(!is_woken(), "not woken again");
    is_uint(ngx_rtmp_route_table_told(table, &player), 0, "not the player");
    is_uint(ngx_rtmp_route_table_told(table, &one), 1 << REPLACED, "told");
    is_uint(ngx_rtmp_route_table_told(table, &one), 0, "told once");
    is_uint(ngx_rtmp_route_table_has_told(table), 0, "no more");
    IS_CHECKED();

    is_uint(take("live/a", 0), NGX_AGAIN, "still there");
    ok(is_woken(), "woken anew");

    /* who waits for its end is woken by it */

    ngx_rtmp_route_table_waiters(table, 1);
    ngx_rtmp_route_table_close(table, &one);
    ok(is_woken(), "woken by its end");
    ngx_rtmp_route_table_waiters(table, -1);

    is_uint(ngx_rtmp_route_table_has_told(table), 0, "with its mark");
    is_uint(take("live/a", 0), NGX_DECLINED, "nobody");
    IS_CHECKED();

    ngx_rtmp_route_table_close(table, &player);
    IS_CHECKED();
}


static void
test_silent(void)
{
    ngx_rtmp_route_session_t  one;

    live(&one, "live/a");
    unit_tick(2999);
    is_uint(take("live/a", 3000), NGX_BUSY, "not long enough");
    unit_tick(1);
    is_uint(take("live/a", 3000), NGX_AGAIN, "long enough");
    is_uint(ngx_rtmp_route_table_told(table, &one), 1 << SILENT, "told");

    /* what was read meanwhile */

    is_uint(take("live/a", 3000), NGX_AGAIN, "once more");
    *one.active = ngx_current_msec;
    ngx_rtmp_route_table_waiters(table, 1);
    (void) is_woken();
    is_uint(ngx_rtmp_route_table_told(table, &one), 0, "not silent");
    ok(is_woken(), "who waits is told");
    ngx_rtmp_route_table_waiters(table, -1);
    is_uint(take("live/a", 3000), NGX_BUSY, "not silent");

    /* it stays, as its client says something */

    unit_tick(3000);
    is_uint(take("live/a", 3000), NGX_AGAIN, "silent again");
    one.route = &route;
    ngx_rtmp_route_session_stay(&one);
    is_uint(take("live/a", 3000), NGX_BUSY, "it stays");

    /* the time of another process may be ahead */

    *one.active = ngx_current_msec + 500;
    is_uint(take("live/a", 3000), NGX_BUSY, "in time to come");
    *one.active = ngx_current_msec;

    ngx_rtmp_route_table_state(table, &one, NGX_RTMP_ROUTE_S_CLOSING);
    is_uint(take("live/a", 0), NGX_DECLINED, "closing");

    ngx_rtmp_route_table_close(table, &one);
    (void) is_woken();
    IS_CHECKED();
}


/* some servers take several publishers */

static void
test_several(void)
{
    ngx_rtmp_route_session_t  one, two;

    live(&one, "live/a");
    live(&two, "live/a");
    IS_CHECKED();

    is_uint(take("live/a", 0), NGX_AGAIN, "the last one");
    is_uint(ngx_rtmp_route_table_told(table, &one), 0, "not the first one");
    ok(ngx_rtmp_route_table_told(table, &two), "told");

    ngx_rtmp_route_table_close(table, &two);
    is_uint(take("live/a", 0), NGX_BUSY, "the other is not known");
    IS_CHECKED();

    /* its record may be of somebody else now */

    live(&two, "live/b");
    is_uint(take("live/a", 0), NGX_BUSY, "nor taken for another one");
    is_uint(ngx_rtmp_route_table_told(table, &two), 0, "told nothing");
    ngx_rtmp_route_table_close(table, &two);

    ngx_rtmp_route_table_close(table, &one);
    is_uint(take("live/a", 0), NGX_DECLINED, "nobody");
    (void) is_woken();
    IS_CHECKED();
}


/* a stream that is forgotten, or moved, while it is published */

static void
test_move(void)
{
    ngx_rtmp_route_session_t  one, two;

    live(&one, "live/a");
    stream_forget(table, "live/a");
    is_uint(take("live/a", 0), NGX_DECLINED, "forgotten");

    live(&two, "live/a");
    ngx_rtmp_route_table_state(table, &one, RELAY);
    IS_CHECKED();
    is_uint(take("live/a", 0), NGX_AGAIN, "that which came last");
    ok(ngx_rtmp_route_table_told(table, &one), "told");

    ngx_rtmp_route_table_state(table, &one, NGX_RTMP_ROUTE_S_CONNECT);
    IS_CHECKED();

    ngx_rtmp_route_table_close(table, &two);
    ngx_rtmp_route_table_close(table, &one);
    (void) is_woken();
    IS_CHECKED();
}


static void
test_rebuild(void)
{
    ngx_rtmp_route_session_t  one;

    live(&one, "live/a");
    is_uint(take("live/a", 0), NGX_AGAIN, "told");

    ngx_rtmp_route_head(table->sh, 0)->told = 99;
    ngx_rtmp_route_stream(table->sh,
                          ngx_rtmp_route_session_cell(table->sh,
                                                      one.cell)->stream)
        ->lru_prev = 0;
    table->sh->dirty = 1;
    ngx_rtmp_route_table_sweep(table);

    IS_CHECKED();
    is_uint(ngx_rtmp_route_head(table->sh, 0)->told, 1, "counted anew");
    is_uint(take("live/a", 0), NGX_AGAIN, "publisher is known");
    ok(ngx_rtmp_route_table_told(table, &one), "told");

    ngx_rtmp_route_table_close(table, &one);
    (void) is_woken();
    IS_CHECKED();
}


static void
test_kick(void)
{
    ngx_rtmp_route_session_t  one, two;

    live(&one, "live/a");
    session_open(table, "live/a", PLAY, &two, &peer);

    is_uint(ngx_rtmp_route_table_session_tell(table, 0, two.number + 9,
                                              KICKED), NGX_DECLINED,
            "no such session");
    is_uint(ngx_rtmp_route_table_session_tell(table, 1, two.number, KICKED),
            NGX_DECLINED, "not in that slot");
    ok(!is_woken(), "not woken");

    is_uint(ngx_rtmp_route_table_session_tell(table, 0, two.number, KICKED),
            NGX_OK, "kicked");
    ok(is_woken(), "woken");
    is_uint(ngx_rtmp_route_table_told(table, &one), 0, "nobody else");
    is_uint(ngx_rtmp_route_table_told(table, &two), 1 << KICKED, "told");

    /* two things at once */

    is_uint(take("live/a", 0), NGX_AGAIN, "replaced");
    is_uint(ngx_rtmp_route_table_session_tell(table, 0, one.number, KICKED),
            NGX_OK, "and kicked");
    is_uint(ngx_rtmp_route_head(table->sh, 0)->told, 1, "counted once");
    is_uint(ngx_rtmp_route_table_told(table, &one),
            (1 << KICKED) | (1 << REPLACED), "both");
    IS_CHECKED();

    ngx_rtmp_route_table_close(table, &one);
    ngx_rtmp_route_table_close(table, &two);
    is_uint(ngx_rtmp_route_table_told(table, &two), 0, "closed");
    (void) is_woken();
    IS_CHECKED();
}


/* a session of a process that is gone does not answer */

static void
test_dead(void)
{
    int        status;
    ngx_pid_t  pid;

    pid = child("live/dead");
    is_uint(take("live/dead", 3600000), NGX_BUSY, "it lives");
    is_uint(take("live/dead", 0), NGX_AGAIN, "it is told");
    is_uint(take("live/dead", 0), NGX_AGAIN, "it has not ended yet");
    IS_CHECKED();

    kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
    (void) ngx_shmtx_force_unlock(&table->shpool->mutex, pid);

    is_uint(take("live/dead", 3600000), NGX_DONE, "it is gone");
    is_uint(take("live/dead", 3600000), NGX_DECLINED, "nobody");
    IS_CHECKED();
}


static void
test_events(void)
{
    ngx_uint_t  i;
    char        key[24];

    ok(ngx_rtmp_route_slot() == 0, "slot");

    /* after a rebuild it is looked for servers that are down */

    ngx_rtmp_route_events_check(&route);

    for (i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "live/%lu", (unsigned long) i);
        live(&many[i], key);
        many[i].route = &route;
        ngx_rtmp_route_session_watch(&many[i], event);
    }

    ngx_rtmp_route_events_check(&route);
    is_uint(run_events(), 0, "nothing to be told");

    take("live/0", 0);
    take("live/1234", 0);
    take("live/2499", 0);
    ngx_rtmp_route_table_session_tell(table, 0, many[1500].number, KICKED);
    ngx_rtmp_route_table_session_tell(table, 0, many[0].number, KICKED);

    ngx_rtmp_route_events_check(&route);
    ok(run_events() >= 3, "in steps");

    is_uint(ntold, 4, "told");
    is_uint(told[0], KICKED, "one thing only");
    is_uint(told[1234], REPLACED, "replaced");
    is_uint(told[1500], KICKED, "kicked");
    is_uint(told[2499], REPLACED, "the last one");

    ngx_rtmp_route_events_check(&route);
    is_uint(run_events(), 0, "nothing more");

    /* what is said while others are told */

    ntold = 0;
    take("live/2000", 0);
    ngx_rtmp_route_events_check(&route);
    take("live/1", 0);
    ngx_rtmp_route_events_check(&route);
    run_events();
    is_uint(ntold, 2, "both");

    /* a session that ends by it, and others by that */

    ntold = 0;
    end_all = 1;
    take("live/7", 0);
    take("live/8", 0);
    ngx_rtmp_route_events_check(&route);
    run_events();
    is_uint(ntold, 1, "the other one has ended");
    ok(ngx_queue_empty(&route.sessions), "all have ended");
    IS_CHECKED();

    end_all = 0;
    (void) is_woken();
}


static void
test_lost(void)
{
    ngx_uint_t                     i, n;
    ngx_rtmp_route_ref_t           ref;
    ngx_rtmp_route_server_stat_t  *stat;

    table->checks = 1;
    server_add(table, "s2", 2, NULL);

    for (i = 0; i < 8; i++) {
        session_open(table, i ? "live/x" : "live/y", PLAY, &many[i], &peer);
        many[i].route = &route;
        told[i] = 0;
        ngx_rtmp_route_session_watch(&many[i], event);
    }

    stat = server_stat(table, "s1");
    ref.index = 0;
    ref.seq = ngx_rtmp_route_hot(table->sh, 0)->seq;

    ok(stat != NULL, "server");
    is_uint(ngx_rtmp_route_health_set(table, &ref,
                                      NGX_RTMP_ROUTE_HEALTH_DOWN), NGX_OK,
            "marked down");

    /* who has marked it may be killed before it wakes others */

    ntold = 0;
    ngx_rtmp_route_events_check(&route);
    run_events();

    for (i = 0; i < 8; i++) {
        is_uint(told[i],
                ngx_rtmp_route_session_cell(table->sh, many[i].cell)->server
                ? 0 : LOST, "session %lu", (unsigned long) i);
    }

    is_uint(ntold, stat->conns, "those on that server");

    ngx_rtmp_route_events_check(&route);
    is_uint(run_events(), 0, "told once");

    (void) is_woken();
    ngx_rtmp_route_server_lost(&route);
    ok(is_woken(), "woken");
    ngx_rtmp_route_events_check(&route);
    is_uint(run_events(), 0, "not for that");

    for (i = 0; i < 8; i++) {
        end(&many[i]);
    }

    /* nobody is here who could be told */

    (void) ngx_rtmp_route_health_set(table, &ref, NGX_RTMP_ROUTE_HEALTH_UP);
    (void) ngx_rtmp_route_health_set(table, &ref, NGX_RTMP_ROUTE_HEALTH_DOWN);
    ngx_rtmp_route_events_check(&route);
    is_uint(run_events(), 0, "nobody");
    IS_CHECKED();

    /* killed between the mark and what says that there is one */

    n = ngx_rtmp_route_table_losses(table);
    table->sh->dirty = 1;
    ngx_rtmp_route_table_sweep(table);
    ok(ngx_rtmp_route_table_losses(table) != n, "looked for after a rebuild");
    IS_CHECKED();
}


static ngx_int_t
take(const char *key, ngx_msec_t idle)
{
    ngx_str_t  name;

    name = unit_str(key);

    return ngx_rtmp_route_table_takeover(table, &name, idle);
}


static void
live(ngx_rtmp_route_session_t *session, const char *key)
{
    session_open(table, key, PUBLISH, session, &peer);
    ngx_rtmp_route_table_state(table, session, RELAY);
}


/* returns how often something was posted */

static ngx_uint_t
run_events(void)
{
    ngx_uint_t    n;
    ngx_event_t  *ev;
    ngx_queue_t  *q, *from;

    for (n = 0; /* void */ ; n++) {

        if (!ngx_queue_empty(&ngx_posted_events)) {
            from = &ngx_posted_events;

        } else if (!ngx_queue_empty(&ngx_posted_next_events)) {
            from = &ngx_posted_next_events;

        } else {
            return n;
        }

        q = ngx_queue_head(from);
        ev = ngx_queue_data(q, ngx_event_t, queue);

        ngx_delete_posted_event(ev);

        ev->handler(ev);
    }
}


static ngx_uint_t
is_woken(void)
{
    uint64_t  value;

    return read(ngx_rtmp_route_slot_fds[ngx_rtmp_route_slot()], &value,
                sizeof(uint64_t))
           == sizeof(uint64_t);
}


static void
event(ngx_rtmp_route_session_t *session, ngx_uint_t what)
{
    ngx_uint_t  i;

    told[session - many] = what;
    ntold++;

    for (i = 0; end_all && i < MANY; i++) {
        end(&many[i]);
    }
}


static void
end(ngx_rtmp_route_session_t *session)
{
    ngx_rtmp_route_events_forget(session);
    ngx_rtmp_route_table_close(table, session);
}


/* a process that publishes, and waits */

static ngx_pid_t
child(const char *key)
{
    int                       fds[2];
    char                      c;
    ngx_pid_t                 pid;
    ngx_rtmp_route_session_t  session;

    if (pipe(fds) == -1) {
        abort();
    }

    pid = fork();

    if (pid == -1) {
        abort();
    }

    if (pid == 0) {
        ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;

        table_slot();
        live(&session, key);

        if (write(fds[1], "x", 1) != 1) {
            abort();
        }

        for ( ;; ) {
            pause();
        }
    }

    if (read(fds[0], &c, 1) != 1) {
        abort();
    }

    (void) close(fds[0]);
    (void) close(fds[1]);

    return pid;
}
