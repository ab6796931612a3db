
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_core_ask.c ngx_rtmp_route_slot.c */
/* flags: -DNGX_RTMP_ROUTE_DEBUG_KILL=1 */


/*
 * Questions and answers of OSP core: limits, times, and processes that are
 * killed anywhere in between.  TEST_KILLS says how many are killed, TEST_SEED
 * repeats a run.
 */


#include "unit.h"

#include <sys/wait.h>

#include "ngx_osp_core_ask.h"
#include "ngx_rtmp_route_slot.h"


#define KILLS    1000
#define WORKERS  2


static void make(size_t size);
static void answers(void);
static void limits(void);
static void rate(void);
static void health(void);
static void full(void);
static void reuse(void);
static void killed(ngx_uint_t kills);
static void start(void);
static void work(void);
static void digest_of(const char *text, ngx_uint_t n, ngx_uint_t kind,
    ngx_osp_core_digest_t *digest);
static ngx_int_t begin(const char *text, ngx_uint_t n, ngx_uint_t kind,
    ngx_osp_core_ask_t *ask);
static ngx_uint_t some(ngx_uint_t n);


ngx_uint_t  ngx_rtmp_route_kill_after;

static uint32_t              who;
static ngx_slab_pool_t      *shpool;
static ngx_osp_core_asks_t   asks;


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

    answers();
    limits();
    rate();
    health();
    full();
    reuse();
    killed(kills);

    return done();
}


static void
make(size_t size)
{
    ngx_memzero(&asks, sizeof(ngx_osp_core_asks_t));

    shpool = unit_zone(size);

    if (shpool == NULL || ngx_osp_core_asks_init(&asks, shpool) != NGX_OK) {
        abort();
    }

    ngx_pid = getpid();

    if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
        abort();
    }
}


static void
answers(void)
{
    ngx_str_t                parts[2];
    ngx_osp_core_ask_t       ask, other;
    ngx_osp_core_digest_t    one, two;
    ngx_osp_core_ask_stat_t  stat;

    make(1024 * 1024);

    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "first asks");
    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &other) == NGX_AGAIN, "others wait");
    ok(begin("b", 0, NGX_OSP_CORE_AUTH, &other) == NGX_DONE, "another one");

    ngx_osp_core_ask_stat(&asks, &stat);
    is_uint(stat.questions, 2, "two questions");
    ok(stat.size > 20000, "room for %lu answers", (unsigned long) stat.size);

    ok(ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_YES, 30000) == NGX_OK,
       "yes");
    ok(ngx_osp_core_ask_end(&asks, &other, NGX_OSP_CORE_NO, 2000) == NGX_OK,
       "no");

    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_OK, "yes again");
    ok(begin("b", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DECLINED, "no again");
    ok(begin("a", 0, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE,
       "another kind is another question");
    ok(begin("a", 0, NGX_OSP_CORE_RECHECK, &other) == NGX_AGAIN,
       "a check is a check");
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_YES, 0);

    ok(begin("a", 0, NGX_OSP_CORE_RECHECK, &ask) == NGX_DONE,
       "what is not kept");
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_FAILED, 1000);
    ok(begin("a", 0, NGX_OSP_CORE_CHECK, &ask) == NGX_BUSY, "a failure");

    unit_tick(1001);
    ok(begin("a", 0, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE, "is over");
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000);

    unit_tick(1001);
    ok(begin("b", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "so is a no");
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000);

    unit_tick(30000);
    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "and a yes");
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000);
    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DECLINED,
       "which has become a no");

    /* long after its time, when 32 bits have come round */

    ok(begin("c", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "ask");
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_YES, 30000);
    unit_tick((ngx_msec_t) 1 << 32);
    ok(begin("c", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "ages ago");
    unit_tick(NGX_OSP_CORE_ASK_TIME + NGX_OSP_CORE_ASK_GRACE);
    ok(begin("c", 0, NGX_OSP_CORE_AUTH, &other) == NGX_DONE,
       "somebody else asks");

    /* the one that was too late */

    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_FAILED, 0);
    ok(begin("c", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_AGAIN,
       "his question stays");
    (void) ngx_osp_core_ask_end(&asks, &other, NGX_OSP_CORE_YES, 30000);
    ok(begin("c", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_OK, "answered");

    /* a process whose clock is a little behind */

    ok(begin("d", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "ask");
    unit_tick(-5);
    ok(begin("d", 0, NGX_OSP_CORE_AUTH, &other) == NGX_AGAIN, "others wait");
    unit_tick(5);
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_YES, 30000);
    unit_tick(-5);
    ok(begin("d", 0, NGX_OSP_CORE_AUTH, &other) == NGX_OK, "yes");
    unit_tick(5);

    /* parts do not run into each other */

    parts[0] = unit_str("ab");
    parts[1] = unit_str("c");
    (void) ngx_osp_core_ask_digest(&asks, 0, parts, 2, &one);

    parts[0] = unit_str("a");
    parts[1] = unit_str("bc");
    (void) ngx_osp_core_ask_digest(&asks, 0, parts, 2, &two);

    ok(ngx_memcmp(&one, &two, sizeof(one)) != 0, "parts");

    parts[0].len = NGX_OSP_CORE_PARTS_LEN;
    ok(ngx_osp_core_ask_digest(&asks, 0, parts, 1, &one) == NGX_DECLINED,
       "too long");

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
limits(void)
{
    ngx_uint_t           i, n[NGX_OSP_CORE_KINDS];
    ngx_osp_core_ask_t   ask;

    make(1024 * 1024);

    n[NGX_OSP_CORE_CHECK] = 0;
    n[NGX_OSP_CORE_RECHECK] = 0;
    n[NGX_OSP_CORE_AUTH] = 0;

    for (i = 0; i < 100; i++) {
        n[NGX_OSP_CORE_CHECK] += (begin("c", i, NGX_OSP_CORE_CHECK, &ask)
                                  == NGX_DONE);
    }

    for (i = 0; i < 100; i++) {
        n[NGX_OSP_CORE_AUTH] += (begin("a", i, NGX_OSP_CORE_AUTH, &ask)
                                 == NGX_DONE);
    }

    ok(begin("r", 0, NGX_OSP_CORE_RECHECK, &ask) == NGX_ABORT,
       "a process has so many");

    ngx_rtmp_route_slot_release();

    /* of another process */

    (void) ngx_rtmp_route_slot_claim(&unit_cycle, NULL);

    ok(begin("c", 99, NGX_OSP_CORE_CHECK, &ask) == NGX_ABORT,
       "unknown names have no more");

    is_uint(n[NGX_OSP_CORE_CHECK], 24, "unknown names at a time");
    is_uint(n[NGX_OSP_CORE_AUTH], 24, "viewers, as far as one process may");

    ok(ngx_osp_core_ask_sweep(&asks) == NGX_OK, "those of the dead go");
    ok(ngx_osp_core_ask_sweep(&asks) == NGX_DECLINED, "none is left");

    for (i = 0; i < 100; i++) {
        n[NGX_OSP_CORE_RECHECK] += (begin("k", i, NGX_OSP_CORE_RECHECK, &ask)
                                    == NGX_DONE);
    }

    is_uint(n[NGX_OSP_CORE_RECHECK], NGX_OSP_CORE_OWN,
            "known names have more room");
    ok(ngx_osp_core_ask_sweep(&asks) == NGX_AGAIN, "they are in flight");

    unit_tick(NGX_OSP_CORE_ASK_TIME + NGX_OSP_CORE_ASK_GRACE);

    n[NGX_OSP_CORE_AUTH] = 0;
    who = 7;

    for (i = 0; i < 100; i++) {
        n[NGX_OSP_CORE_AUTH] += (begin("w", i, NGX_OSP_CORE_AUTH, &ask)
                                 == NGX_DONE);
    }

    is_uint(n[NGX_OSP_CORE_AUTH], NGX_OSP_CORE_ADDRESS, "for one address");
    who = 8;
    ok(begin("x", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "for another one");
    who = 0;

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
rate(void)
{
    ngx_uint_t           i, n;
    ngx_osp_core_ask_t   ask;

    make(1024 * 1024);

    n = 0;

    for (i = 0; i < 1000; i++) {

        if (begin("n", i, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE) {
            (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000);
            n++;
        }
    }

    is_uint(n, NGX_OSP_CORE_BURST, "unknown names at once");

    unit_tick(100);

    n = 0;

    for (i = 0; i < 1000; i++) {

        if (begin("m", i, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE) {
            (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000);
            n++;
        }
    }

    is_uint(n, NGX_OSP_CORE_RATE / 10, "after a tenth of a second");

    ok(begin("k", 0, NGX_OSP_CORE_RECHECK, &ask) == NGX_DONE, "known names");
    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "and viewers");

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
health(void)
{
    ngx_uint_t           i;
    ngx_osp_core_ask_t   ask, other;

    make(1024 * 1024);

    for (i = 0; i < 5; i++) {
        (void) begin("f", i, NGX_OSP_CORE_CHECK, &ask);
        ok(ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_FAILED, 1000)
           == NGX_OK, "a failure of one is none of others");
    }

    for (i = 0; i < NGX_OSP_CORE_FAILURES; i++) {
        ok(begin("d", i, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE, "asks");
        ok(ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_DOWN, 1000)
           == (i + 1 == NGX_OSP_CORE_FAILURES ? NGX_DONE : NGX_OK), "fails");
    }

    ok(begin("e", 0, NGX_OSP_CORE_CHECK, &ask) == NGX_BUSY, "it is down");
    ok(begin("e", 0, NGX_OSP_CORE_RECHECK, &ask) == NGX_BUSY,
       "for known names, too");
    ok(begin("e", 0, NGX_OSP_CORE_AUTH, &other) == NGX_DONE,
       "not for viewers");
    (void) ngx_osp_core_ask_end(&asks, &other, NGX_OSP_CORE_YES, 30000);

    unit_tick(1001);

    ok(begin("e", 1, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE, "one tries");
    ok(ask.probe, "nobody waits for it");
    ok(begin("e", 1, NGX_OSP_CORE_CHECK, &other) == NGX_BUSY, "not the same");
    ok(begin("e", 2, NGX_OSP_CORE_CHECK, &other) == NGX_BUSY, "no other");

    ok(ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_DOWN, 1000) == NGX_OK,
       "it is down yet");
    ok(begin("e", 2, NGX_OSP_CORE_CHECK, &ask) == NGX_BUSY, "for a time");

    unit_tick(1001);

    ok(begin("e", 2, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE, "one tries again");
    ok(ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000) == NGX_DONE,
       "it is back");
    ok(begin("e", 3, NGX_OSP_CORE_CHECK, &ask) == NGX_DONE, "all ask");
    ok(!ask.probe, "and wait");

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
full(void)
{
    ngx_uint_t               i, yes;
    ngx_osp_core_ask_t       ask;
    ngx_osp_core_ask_stat_t  stat;

    make(8 * ngx_pagesize);

    ngx_osp_core_ask_stat(&asks, &stat);
    diag("%lu answers", (unsigned long) stat.size);

    for (i = 0; i < 4 * stat.size; i++) {
        (void) begin("y", i, NGX_OSP_CORE_AUTH, &ask);
        (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_YES, 30000);
    }

    ngx_osp_core_ask_stat(&asks, &stat);
    ok(stat.yes > stat.size * 9 / 10, "%lu are good",
       (unsigned long) stat.yes);

    ok(begin("y", i - 1, NGX_OSP_CORE_AUTH, &ask) == NGX_OK, "the last one");

    yes = stat.yes;

    for (i = 0; i < 4 * stat.size; i++) {

        if (begin("n", i, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE) {
            (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_NO, 2000);
        }
    }

    ngx_osp_core_ask_stat(&asks, &stat);
    is_uint(stat.yes, yes, "no \"yes\" makes room for a \"no\"");

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
reuse(void)
{
    ngx_osp_core_ask_t   ask;
    ngx_osp_core_asks_t  again;

    make(1024 * 1024);

    (void) begin("a", 0, NGX_OSP_CORE_AUTH, &ask);
    (void) ngx_osp_core_ask_end(&asks, &ask, NGX_OSP_CORE_YES, 30000);

    ngx_memzero(&again, sizeof(ngx_osp_core_asks_t));

    ok(ngx_osp_core_asks_init(&again, shpool) == NGX_OK, "the same zone");

    asks = again;
    ok(begin("a", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_OK, "answers are there");

    *(uint32_t *) again.sh = 1;
    ok(ngx_osp_core_asks_init(&again, shpool) == NGX_DECLINED, "of others");

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
killed(ngx_uint_t kills)
{
    int                      status;
    ngx_pid_t                pid;
    ngx_uint_t               nkilled, other, alive;
    ngx_osp_core_ask_t       ask;
    ngx_osp_core_ask_stat_t  stat;

    make(64 * 1024);
    ngx_rtmp_route_slot_release();

    nkilled = 0;
    other = 0;

    for (alive = 0; alive < WORKERS; alive++) {
        start();
    }

    while (alive) {
        pid = waitpid(-1, &status, 0);

        if (pid == -1) {
            break;
        }

        alive--;

        /* as the master does */

        (void) ngx_shmtx_force_unlock(&shpool->mutex, pid);

        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            nkilled++;

        } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            diag("status %x", status);
            other++;
        }

        if (nkilled < kills && other == 0) {
            start();
            alive++;
        }
    }

    ok(nkilled >= kills, "%lu killed", (unsigned long) nkilled);
    is_uint(other, 0, "no wrong answer in between");

    ngx_pid = getpid();

    (void) ngx_rtmp_route_slot_claim(&unit_cycle, NULL);
    (void) ngx_osp_core_ask_sweep(&asks);

    ngx_osp_core_ask_stat(&asks, &stat);
    is_uint(stat.questions, 0, "no question is left");

    ok(begin("new", 0, NGX_OSP_CORE_AUTH, &ask) == NGX_DONE, "all goes on");

    ngx_rtmp_route_slot_release();
    unit_zone_free(shpool);
}


static void
start(void)
{
    long        seed;
    ngx_pid_t   pid;

    seed = random();
    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        srandom(seed);
        work();
        exit(0);
    }

    if (pid == -1) {
        abort();
    }
}


/* the answer to a name is always the same: by its number */

static void
work(void)
{
    ngx_int_t           rc;
    ngx_uint_t          i, n;
    ngx_osp_core_ask_t  ask;

    ngx_time_update();

    if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
        exit(2);
    }

    ngx_rtmp_route_kill_after = 1 + (some(2) ? some(1000) : some(50));

    for (i = 0; i < 2000; i++) {

        n = some(400);

        switch (some(20)) {

        case 0:
            (void) ngx_osp_core_ask_sweep(&asks);
            continue;

        case 1:
            ngx_time_update();
            continue;
        }

        rc = begin("w", n, NGX_OSP_CORE_AUTH, &ask);

        switch (rc) {

        case NGX_DONE:
            (void) ngx_osp_core_ask_end(&asks, &ask,
                                        (n % 2) ? NGX_OSP_CORE_YES
                                                : NGX_OSP_CORE_NO, 2000);
            break;

        case NGX_OK:

            if (n % 2 == 0) {
                exit(3);
            }

            break;

        case NGX_DECLINED:

            if (n % 2 == 1) {
                exit(4);
            }

            break;

        case NGX_AGAIN:
        case NGX_ABORT:
            break;

        default:
            exit(5);
        }
    }

    ngx_rtmp_route_slot_release();
}


static void
digest_of(const char *text, ngx_uint_t n, ngx_uint_t kind,
    ngx_osp_core_digest_t *digest)
{
    char       buf[64];
    ngx_str_t  part;

    snprintf(buf, sizeof(buf), "%s%lu", text, (unsigned long) n);
    part = unit_str(buf);

    if (ngx_osp_core_ask_digest(&asks, kind, &part, 1, digest) != NGX_OK) {
        abort();
    }
}


static ngx_int_t
begin(const char *text, ngx_uint_t n, ngx_uint_t kind,
    ngx_osp_core_ask_t *ask)
{
    ngx_osp_core_digest_t  digest;

    digest_of(text, n, kind, &digest);

    return ngx_osp_core_ask_begin(&asks, kind, who, &digest, ask);
}


static ngx_uint_t
some(ngx_uint_t n)
{
    return (ngx_uint_t) random() % n;
}
