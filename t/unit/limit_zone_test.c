
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_stream_osp_limit_zone.c ngx_stream_osp_limit_cells.c */
/* sources: ngx_rtmp_route_slot.c */
/* sources: ngx_rtmp_route_zone.c */
/* flags: -DNGX_STREAM_OSP_DEBUG_KILL=1 */


/*
 * Counters of connections, and processes that change them at random and are
 * killed at random places of their changes.  TEST_KILLS says how many are
 * killed, TEST_SEED repeats a run.
 */


#include "unit.h"

#include <sys/wait.h>

#include "ngx_stream_osp_limit_int.h"


#define KILLS     2000
#define WORKERS   2
#define SESSIONS  24
#define LIMITS    3


typedef struct {
    ngx_stream_osp_limit_place_t  places[LIMITS];
    ngx_uint_t                    n;
} session_t;


static void make(ngx_stream_osp_limit_zone_t *zone, size_t size);
static ngx_int_t take(ngx_stream_osp_limit_zone_t *zone, session_t *session,
    const char *stream, const char *key, ngx_uint_t max, const char *key2,
    ngx_uint_t max2);
static void give(ngx_stream_osp_limit_zone_t *zone, session_t *session);
static ngx_uint_t count(ngx_stream_osp_limit_zone_t *zone, const char *key);
static void test_counts(void);
static void test_streams(void);
static void test_full(void);
static void test_dead(void);
static void test_successor(void);
static ngx_pid_t child(ngx_stream_osp_limit_zone_t *zone, ngx_uint_t n,
    ngx_uint_t dies);
static void test_reuse(void);
static void test_kills(const char *what, size_t size, ngx_uint_t keys,
    ngx_uint_t kills);
static void start(ngx_stream_osp_limit_zone_t *zone, ngx_uint_t keys,
    ngx_uint_t looks);
static void work(ngx_stream_osp_limit_zone_t *zone, ngx_uint_t keys);
static const char *check(ngx_stream_osp_limit_zone_t *zone);
static const char *check_cells(ngx_stream_osp_limit_shm_t *sh);
static const char *check_place(ngx_stream_osp_limit_shm_t *sh, uint32_t i);
static ngx_uint_t some(ngx_uint_t n);


ngx_uint_t  ngx_stream_osp_limit_kill_after;

static ngx_uint_t  which;
static session_t   sessions[SESSIONS];


int
main(void)
{
    char        *value;
    ngx_uint_t   kills, seed;

    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;

    value = getenv("TEST_KILLS");
    kills = value ? strtoul(value, NULL, 10) : KILLS;

    value = getenv("TEST_SEED");
    seed = value ? strtoul(value, NULL, 10) : (ngx_uint_t) time(NULL);

    diag("seed %lu", (unsigned long) seed);
    srandom(seed);

    if (ngx_rtmp_route_slots_create(16, &unit_log) != NGX_OK) {
        abort();
    }

    /* before this process has a slot: the children have theirs */

    test_kills("roomy zone", 256 * 1024, 20, kills / 2);
    test_kills("full zone", 4 * ngx_pagesize, 60, kills - kills / 2);

    if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
        abort();
    }

    test_counts();
    test_streams();
    test_full();
    test_dead();
    test_successor();
    test_reuse();

    return done();
}


static void
make(ngx_stream_osp_limit_zone_t *zone, size_t size)
{
    ngx_slab_pool_t  *shpool;

    shpool = unit_zone(size);

    if (shpool == NULL) {
        abort();
    }

    zone->log = &unit_log;

    if (ngx_stream_osp_limit_zone_init(zone, shpool) != NGX_OK) {
        abort();
    }
}


/* one or two limits */

static ngx_int_t
take(ngx_stream_osp_limit_zone_t *zone, session_t *session,
    const char *stream, const char *key, ngx_uint_t max, const char *key2,
    ngx_uint_t max2)
{
    ngx_str_t                   text;
    ngx_stream_osp_limit_key_t  skey;

    ngx_memzero(session, sizeof(session_t));

    text = unit_str(key);
    ngx_stream_osp_limit_zone_key(zone, &text, 1, &session->places[0].key);
    session->places[0].max = max;
    session->n = 1;

    if (key2) {
        text = unit_str(key2);
        ngx_stream_osp_limit_zone_key(zone, &text, 1,
                                      &session->places[1].key);
        session->places[1].max = max2;
        session->n = 2;
    }

    if (stream) {
        text = unit_str(stream);
        ngx_stream_osp_limit_zone_key(zone, &text, 1, &skey);
    }

    which = 99;

    return ngx_stream_osp_limit_zone_take(zone, session->places, session->n,
                                          stream ? &skey : NULL, &which);
}


static void
give(ngx_stream_osp_limit_zone_t *zone, session_t *session)
{
    ngx_stream_osp_limit_zone_give(zone, session->places, session->n);
}


static ngx_uint_t
count(ngx_stream_osp_limit_zone_t *zone, const char *key)
{
    uint32_t                    i;
    ngx_str_t                   text;
    ngx_stream_osp_limit_key_t  ckey;

    text = unit_str(key);
    ngx_stream_osp_limit_zone_key(zone, &text, 1, &ckey);

    i = ngx_stream_osp_limit_find(zone->sh, &ckey);

    return i ? ngx_stream_osp_limit_counter(zone->sh, i)->count : 0;
}


static void
test_counts(void)
{
    session_t                     a, b, c;
    ngx_str_t                     text[2];
    ngx_stream_osp_limit_key_t    one, two;
    ngx_stream_osp_limit_stat_t   stat;
    ngx_stream_osp_limit_zone_t   zone;

    make(&zone, 64 * 1024);

    ok(take(&zone, &a, NULL, "a", 2, NULL, 0) == NGX_OK, "first");
    ok(take(&zone, &b, NULL, "a", 2, NULL, 0) == NGX_OK, "second");
    ok(take(&zone, &c, NULL, "a", 2, NULL, 0) == NGX_BUSY, "no third");
    is_uint(which, 0, "which is full");
    is_uint(count(&zone, "a"), 2, "counted");

    ok(take(&zone, &c, NULL, "b", 1, "a", 2) == NGX_BUSY, "second is full");
    is_uint(which, 1, "that it is the second");
    is_uint(count(&zone, "b"), 0, "nothing of what was refused is counted");
    is_uint(c.places[0].cell, 0, "and nothing is taken");

    give(&zone, &a);
    is_uint(count(&zone, "a"), 1, "given back");
    give(&zone, &a);
    is_uint(count(&zone, "a"), 1, "but once");

    ok(take(&zone, &c, NULL, "b", 1, "a", 2) == NGX_OK, "both");
    is_uint(count(&zone, "a"), 2, "one of them");
    is_uint(count(&zone, "b"), 1, "and the other");

    ok(take(&zone, &a, NULL, "a", 3, NULL, 0) == NGX_OK,
       "each has a limit of its own");

    ok(check(&zone) == NULL, "consistent");

    give(&zone, &a);
    give(&zone, &b);
    give(&zone, &c);

    ngx_stream_osp_limit_zone_stat(&zone, &stat);

    is_uint(stat.places, 0, "no places");
    is_uint(stat.counters, 0, "no counters");
    is_uint(stat.used, 0, "no cell is lost");

    text[0] = unit_str("ab");
    text[1] = unit_str("c");
    ngx_stream_osp_limit_zone_key(&zone, text, 2, &one);

    text[0] = unit_str("a");
    text[1] = unit_str("bc");
    ngx_stream_osp_limit_zone_key(&zone, text, 2, &two);

    ok(one.hash[0] != two.hash[0] && one.hash[1] != two.hash[1],
       "texts are told apart");

    unit_zone_free(zone.shpool);
}


/* somebody who comes back for the same stream */

static void
test_streams(void)
{
    session_t                    a, b, c, d;
    ngx_stream_osp_limit_zone_t  zone;

    make(&zone, 64 * 1024);

    ok(take(&zone, &a, "cam1", "a", 1, NULL, 0) == NGX_OK, "stream");
    ok(take(&zone, &b, "cam2", "a", 1, NULL, 0) == NGX_BUSY, "another one");
    ok(take(&zone, &b, NULL, "a", 1, NULL, 0) == NGX_BUSY, "none");
    ok(take(&zone, &b, "cam1", "a", 1, NULL, 0) == NGX_AGAIN, "the same");
    is_uint(count(&zone, "a"), 1, "is not counted");

    ok(take(&zone, &b, "cam1", "b", 1, NULL, 0) == NGX_OK,
       "the same from elsewhere");
    ok(take(&zone, &c, "cam1", "a", 1, "b", 1) == NGX_AGAIN, "both are full");

    ok(take(&zone, &d, "cam3", "c", 1, NULL, 0) == NGX_OK, "a third");
    ok(take(&zone, &c, "cam1", "a", 1, "c", 1) == NGX_BUSY,
       "one has nothing of it");
    is_uint(which, 1, "that one");

    give(&zone, &a);
    ok(take(&zone, &c, "cam1", "a", 1, NULL, 0) == NGX_OK, "it has left");
    ok(check(&zone) == NULL, "consistent");

    unit_zone_free(zone.shpool);
}


static void
test_full(void)
{
    char                          key[24];
    ngx_int_t                     rc;
    ngx_uint_t                    i, n;
    session_t                     a;
    static session_t              all[1000];
    ngx_stream_osp_limit_stat_t   stat;
    ngx_stream_osp_limit_zone_t   zone;

    make(&zone, 4 * ngx_pagesize);

    rc = NGX_OK;

    for (n = 0; n < 1000; n++) {
        snprintf(key, sizeof(key), "key%lu", (unsigned long) n);

        rc = take(&zone, &all[n], "cam1", key, 1, NULL, 0);

        if (rc != NGX_OK) {
            break;
        }
    }

    ok(rc == NGX_DECLINED && n > 50, "full after %lu", (unsigned long) n);

    ngx_stream_osp_limit_zone_stat(&zone, &stat);
    is_uint(stat.full, 1, "is noted");
    ok(stat.cells - stat.used < 2, "to the last cell");

    ok(take(&zone, &a, NULL, "key0", 1, NULL, 0) == NGX_BUSY,
       "limits hold that are there");

    ok(check(&zone) == NULL, "consistent");

    for (i = 0; i < n; i += 2) {
        give(&zone, &all[i]);
    }

    ok(check(&zone) == NULL, "consistent with holes");
    ok(take(&zone, &a, NULL, "new", 1, "other", 1) == NGX_OK, "room again");

    unit_zone_free(zone.shpool);
}


/* processes that have gone without a word */

static void
test_dead(void)
{
    session_t                    a;
    ngx_stream_osp_limit_zone_t  zone;

    make(&zone, 64 * 1024);

    (void) child(&zone, 2, 1);

    is_uint(count(&zone, "a"), 2, "places of a dead process are there");

    ok(take(&zone, &a, NULL, "a", 2, NULL, 0) == NGX_OK,
       "are given back when they are needed");
    is_uint(count(&zone, "a"), 1, "all of them");
    ok(check(&zone) == NULL, "consistent");

    unit_zone_free(zone.shpool);
}


/* the next one has the same slot, and cells in front of the old ones */

static void
test_successor(void)
{
    ngx_pid_t                    pid;
    session_t                    a, b;
    ngx_stream_osp_limit_stat_t  stat;
    ngx_stream_osp_limit_zone_t  zone;

    make(&zone, 64 * 1024);

    (void) take(&zone, &a, NULL, "x", 2, NULL, 0);
    (void) take(&zone, &b, NULL, "x", 2, NULL, 0);

    (void) child(&zone, 2, 1);

    give(&zone, &a);
    give(&zone, &b);

    pid = child(&zone, 2, 0);

    is_uint(count(&zone, "a"), 4, "places of both");

    zone.sh->dirty = 1;
    ngx_stream_osp_limit_zone_stat(&zone, &stat);

    is_uint(stat.rebuilt, 1, "made anew");
    is_uint(count(&zone, "a"), 4, "as they were");

    is_uint(ngx_stream_osp_limit_zone_sweep(&zone), 2, "of the dead one");
    is_uint(count(&zone, "a"), 2, "those of the other one are left");
    ok(check(&zone) == NULL, "consistent");

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);

    is_uint(ngx_stream_osp_limit_zone_sweep(&zone), 2, "of this one, too");
    is_uint(count(&zone, "a"), 0, "none is left");

    unit_zone_free(zone.shpool);
}


/* takes so many places, then dies, or waits; returns once it has them */

static ngx_pid_t
child(ngx_stream_osp_limit_zone_t *zone, ngx_uint_t n, ngx_uint_t dies)
{
    int        fds[2];
    char       c;
    ngx_pid_t  pid;
    session_t  session;

    if (pipe(fds) == -1) {
        abort();
    }

    pid = fork();

    if (pid == -1) {
        abort();
    }

    if (pid == 0) {
        ngx_pid = getpid();

        /* the slot of the parent is not this one's */

        ngx_rtmp_route_slot_release();

        if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
            _exit(1);
        }

        while (n--) {
            if (take(zone, &session, NULL, "a", 100, NULL, 0) != NGX_OK) {
                _exit(1);
            }
        }

        if (dies) {
            (void) kill(ngx_pid, SIGKILL);
        }

        (void) close(fds[0]);

        if (write(fds[1], "", 1) != 1) {
            _exit(1);
        }

        for ( ;; ) {
            (void) pause();
        }
    }

    (void) close(fds[1]);

    /* or its end */

    if (read(fds[0], &c, 1) == -1) {
        abort();
    }

    (void) close(fds[0]);

    if (dies) {
        (void) waitpid(pid, NULL, 0);
    }

    return pid;
}


/* another configuration, or another module, has the same zone */

static void
test_reuse(void)
{
    session_t                    a, b;
    ngx_stream_osp_limit_zone_t  zone, next;

    make(&zone, 64 * 1024);

    ok(take(&zone, &a, NULL, "a", 1, NULL, 0) == NGX_OK, "taken");

    next.log = &unit_log;

    ok(ngx_stream_osp_limit_zone_init(&next, zone.shpool) == NGX_OK,
       "taken over");
    ok(take(&next, &b, NULL, "a", 1, NULL, 0) == NGX_BUSY, "counts there");

    give(&zone, &a);

    ok(take(&next, &b, NULL, "a", 1, NULL, 0) == NGX_OK, "and its end");

    zone.sh->layout++;
    ok(ngx_stream_osp_limit_zone_init(&next, zone.shpool) == NGX_DECLINED,
       "not of another version");

    unit_zone_free(zone.shpool);
}


static void
test_kills(const char *what, size_t size, ngx_uint_t keys, ngx_uint_t kills)
{
    int                          status;
    ngx_pid_t                    pid;
    ngx_uint_t                   killed, exited, other, started, alive;
    ngx_stream_osp_limit_stat_t  stat;
    ngx_stream_osp_limit_zone_t  zone;

    make(&zone, size);

    killed = 0;
    exited = 0;
    other = 0;
    started = 0;
    alive = 0;

    while (alive < WORKERS) {
        start(&zone, keys, 0);
        alive++;
    }

    while (alive) {
        pid = waitpid(-1, &status, 0);

        if (pid == -1) {
            break;
        }

        alive--;

        /* as the master does */

        (void) ngx_shmtx_force_unlock(&zone.shpool->mutex, pid);

        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            killed++;

        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            exited++;

        } else {
            diag("status %x", status);
            other++;
        }

        if (killed < kills && other == 0) {
            start(&zone, keys, ++started % 16 == 0);
            alive++;
        }
    }

    ok(killed >= kills, "%s: %lu killed, %lu not", what,
       (unsigned long) killed, (unsigned long) exited);
    is_uint(other, 0, "%s: consistent in between", what);

    ngx_time_update();

    ok(check(&zone) == NULL, "%s: consistent", what);

    ngx_stream_osp_limit_zone_stat(&zone, &stat);
    ok(stat.rebuilt > kills / 10, "%s: %lu rebuilt", what,
       (unsigned long) stat.rebuilt);

    (void) ngx_stream_osp_limit_zone_sweep(&zone);

    ngx_stream_osp_limit_zone_stat(&zone, &stat);

    is_uint(stat.places, 0, "%s: no places are left", what);
    is_uint(stat.counters, 0, "%s: no counters", what);
    is_uint(stat.used, 0, "%s: no cell is lost", what);

    unit_zone_free(zone.shpool);
}


static void
start(ngx_stream_osp_limit_zone_t *zone, ngx_uint_t keys, ngx_uint_t looks)
{
    long         seed;
    ngx_pid_t    pid;
    const char  *fault;

    seed = random();
    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();

        if (looks) {
            fault = check(zone);

            if (fault) {
                diag("%s", fault);
            }

            _exit(fault ? 1 : 0);
        }

        srandom(seed);
        work(zone, keys);
        _exit(0);
    }

    if (pid == -1) {
        abort();
    }
}


static void
work(ngx_stream_osp_limit_zone_t *zone, ngx_uint_t keys)
{
    char        key[32], key2[32], stream[32];
    ngx_int_t   rc;
    ngx_uint_t  i, n, max;

    ngx_time_update();

    if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
        _exit(2);
    }

    ngx_stream_osp_limit_kill_after = 1 + (some(2) ? some(2000) : some(100));

    for (i = 0; i < 2000; i++) {
        n = some(SESSIONS);

        if (sessions[n].places[0].cell) {
            give(zone, &sessions[n]);
            continue;
        }

        if (some(50) == 0) {
            (void) ngx_stream_osp_limit_zone_sweep(zone);
        }

        max = 1 + some(10);

        snprintf(key, sizeof(key), "key%lu", (unsigned long) some(keys));
        snprintf(key2, sizeof(key2), "other%lu", (unsigned long) some(keys));
        snprintf(stream, sizeof(stream), "cam%lu", (unsigned long) some(5));

        rc = take(zone, &sessions[n], some(2) ? stream : NULL, key, max,
                  some(2) ? key2 : NULL, 1 + some(10));

        if (rc != NGX_OK && sessions[n].places[0].cell) {
            _exit(3);
        }
    }

    ngx_rtmp_route_slot_release();
}


/* NULL, or what is wrong */

static const char *
check(ngx_stream_osp_limit_zone_t *zone)
{
    const char                   *fault;
    ngx_stream_osp_limit_stat_t   stat;

    /* what the last one has left is made anew by whoever takes the lock */

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->dirty) {
        ngx_shmtx_unlock(&zone->shpool->mutex);
        ngx_stream_osp_limit_zone_stat(zone, &stat);
        ngx_shmtx_lock(&zone->shpool->mutex);
    }

    fault = zone->sh->dirty ? NULL : check_cells(zone->sh);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return fault;
}


static const char *
check_cells(ngx_stream_osp_limit_shm_t *sh)
{
    uint32_t                         i, k, n, counters, places, sum;
    const char                      *fault;
    ngx_stream_osp_limit_counter_t  *counter;

    counters = 0;
    places = 0;
    sum = 0;

    for (i = 1; i <= sh->top; i++) {

        counter = ngx_stream_osp_limit_counter(sh, i);

        switch (counter->type) {

        case NGX_STREAM_OSP_LIMIT_COUNTER:
            counters++;
            sum += counter->count;

            if (counter->count == 0
                || ngx_stream_osp_limit_find(sh, &counter->key) != i)
            {
                return "counter";
            }

            for (k = 1, n = 0; k <= sh->top; k++) {
                n += (ngx_stream_osp_limit_place(sh, k)->type
                      == NGX_STREAM_OSP_LIMIT_PLACE
                      && ngx_stream_osp_limit_place(sh, k)->counter == i);
            }

            if (n != counter->count) {
                return "sum of a counter";
            }

            break;

        case NGX_STREAM_OSP_LIMIT_PLACE:
            places++;
            fault = check_place(sh, i);

            if (fault) {
                return fault;
            }

            break;
        }
    }

    for (i = sh->free, n = 0; i; i = ngx_stream_osp_limit_free(sh, i)->next) {

        if (i > sh->top || n++ > sh->nfree
            || ngx_stream_osp_limit_free(sh, i)->type
               != NGX_STREAM_OSP_LIMIT_FREE)
        {
            return "free cell";
        }
    }

    if (counters != sh->counters || places != sh->places || sum != places
        || n != sh->nfree || counters + places + n != sh->top)
    {
        return "sums";
    }

    return NULL;
}


static const char *
check_place(ngx_stream_osp_limit_shm_t *sh, uint32_t i)
{
    uint32_t                        k, first;
    ngx_stream_osp_limit_key_t      key;
    ngx_stream_osp_limit_placed_t  *place;

    place = ngx_stream_osp_limit_place(sh, i);

    if (place->counter == 0 || place->counter > sh->top
        || ngx_stream_osp_limit_counter(sh, place->counter)->type
           != NGX_STREAM_OSP_LIMIT_COUNTER)
    {
        return "counter of a place";
    }

    first = *ngx_stream_osp_limit_head(sh, place->slot);

    for (k = first; k && k != i; /* void */ ) {
        k = ngx_stream_osp_limit_place(sh, k)->next;

        if (k == first) {
            return "queue of a slot";
        }
    }

    if (k == 0
        || ngx_stream_osp_limit_place(sh, place->prev)->next != i
        || ngx_stream_osp_limit_place(sh, place->next)->prev != i)
    {
        return "link of a place";
    }

    if (place->stream) {
        key.hash[0] = place->stream;

        if (!ngx_stream_osp_limit_has(sh, place->counter, &key)) {
            return "stream of a place";
        }
    }

    return NULL;
}


static ngx_uint_t
some(ngx_uint_t n)
{
    return (ngx_uint_t) random() % n;
}
