
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_http_hls_store.c ngx_http_hls_store_body.c */
/* sources: ngx_http_hls_store_cell.c ngx_http_hls_store_check.c */
/* sources: ngx_http_hls_store_entry.c ngx_http_hls_store_extent.c */
/* sources: ngx_http_hls_store_fill.c ngx_http_hls_store_links.c */
/* sources: ngx_http_hls_store_rebuild.c ngx_http_hls_store_ref.c */
/* sources: ngx_http_hls_store_stream.c ngx_http_hls_store_sweep.c */
/* sources: ngx_http_hls_store_walk.c ngx_http_hls_window.c */
/* sources: ngx_rtmp_route_zone.c */
/* flags: -DNGX_HTTP_HLS_DEBUG_KILL=1 */
/* libs: -lrt */


/*
 * Processes that use the cache's store at random and are killed at random
 * places of their changes, and each call killed at each of its places.
 * TEST_KILLS says how many are killed at random, TEST_SEED repeats a run.
 */


#include "hls_store.h"


#define KILLS    600
#define WORKERS  2
#define FILLS    4
#define HELD     24
#define SEEDS    200   /* what is above is not of a fill */

/* no call takes so long, s */
#define HANG     60


typedef struct {
    ngx_http_hls_found_t   found;
    ngx_http_hls_body_t    fill;
    off_t                  total;
    u_char                 seed;
    ngx_uint_t             busy;
} fill_t;


static void each(const char *what, void (*prepare)(void), void (*call)(void));
static ngx_uint_t halved(const char *what);
static void prepare_nothing(void);
static void prepare_entry(void);
static void prepare_stale(void);
static void prepare_held(void);
static void prepare_claimed(void);
static void prepare_written(void);
static void prepare_unbegun(void);
static void prepare_many(void);
static void prepare_dead(void);
static void prepare_broken(void);
static void call_fill(void);
static void call_unknown(void);
static void call_begin(void);
static void call_write(void);
static void call_done(void);
static void call_abandon(void);
static void call_fail(void);
static void call_look(void);
static void call_touch(void);
static void call_note(void);
static void call_viewer(void);
static void call_purge(void);
static void call_purge_stream(void);
static void call_big(void);
static void call_sweep(void);
static void call_rebuild(void);
static void run(const char *what, size_t size, ngx_uint_t keys,
    ngx_uint_t kills, ngx_uint_t anywhere);
static void start(ngx_uint_t check, ngx_uint_t anywhere);
static void work(void);
static void kill_later(void);
static void fill_step(void);
static void fill_end(fill_t *f);
static void hold(void);
static void verify(ngx_http_hls_found_t *found);
static void change(void);
static void watch(void);
static void finish(const char *what);
static char *some_key(void);
static ngx_str_t *some_stream(void);
static ngx_http_hls_times_t *some_times(u_char data);
static ngx_uint_t some(ngx_uint_t n);


ngx_uint_t  ngx_http_hls_kill_after;

static ngx_http_hls_store_t   store;
static ngx_http_hls_found_t   waits;
static ngx_uint_t             waiting;
static off_t                  have;
static ngx_uint_t             nkeys;
static ngx_uint_t             nheld;
static ngx_http_hls_found_t   held[HELD];
static fill_t                 fills[FILLS];


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

    each("first fill", prepare_nothing, call_fill);
    each("update", prepare_stale, call_fill);
    each("update of what is read", prepare_held, call_fill);
    each("unknown length", prepare_stale, call_unknown);
    each("failure", prepare_nothing, call_fail);
    each("failure of an update", prepare_stale, call_fail);
    each("begin that is waited for", prepare_unbegun, call_begin);
    each("write that is waited for", prepare_claimed, call_write);
    each("end that is waited for", prepare_written, call_done);
    each("failure that is waited for", prepare_claimed, call_abandon);
    each("look-up", prepare_entry, call_look);
    each("touch", prepare_entry, call_touch);
    each("note", prepare_entry, call_note);
    each("viewer", prepare_entry, call_viewer);
    each("purge", prepare_held, call_purge);
    each("purge of a fill", prepare_claimed, call_purge);
    each("purge of a stream", prepare_many, call_purge_stream);
    each("eviction", prepare_many, call_big);
    each("sweep", prepare_dead, call_sweep);
    each("rebuild", prepare_broken, call_rebuild);

    run("roomy store", 4 * 1024 * 1024, 100, kills / 4, 0);
    run("full store", 1024 * 1024, 400, kills / 2, 0);
    run("at any instruction", 1024 * 1024, 300, kills / 4, 1);

    return done();
}


/* after each kill nothing is lost and whoever waits is woken */

static void
each(const char *what, void (*prepare)(void), void (*call)(void))
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  n, wrong;

    wrong = 0;

    for (n = 1; !wrong; n++) {

        store_make(&store, 1024 * 1024);
        store_slot();

        waiting = 0;

        prepare();
        (void) woken();

        pid = fork();

        if (pid == 0) {
            alarm(HANG);
            ngx_pid = getpid();
            ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;
            store_slot();

            ngx_http_hls_kill_after = n;
            call();
            ngx_http_hls_kill_after = 0;

            ngx_rtmp_route_slot_release();
            exit(0);
        }

        (void) waitpid(pid, &status, 0);
        (void) ngx_shmtx_force_unlock(&store.shpool->mutex, pid);

        ngx_http_hls_store_sweep(&store);

        wrong += (ngx_http_hls_store_check(&store) != NGX_OK);

        if (waiting && !woken()
            && ngx_http_hls_store_wait(&store, &waits, have) != NGX_OK)
        {
            diag("%s: not woken at %lu", what, (unsigned long) n);
            wrong++;
        }

        wrong += halved(what);

        for (nheld = HELD; nheld; nheld--) {
            ngx_http_hls_store_release(&store, &held[nheld - 1].body);
        }

        unit_tick(100000);
        (void) ngx_http_hls_store_purge_all(&store);
        unit_tick(NGX_HTTP_HLS_IDLE);
        ngx_http_hls_store_sweep(&store);
        ngx_http_hls_store_sweep(&store);

        wrong += (ngx_http_hls_store_check(&store) != NGX_OK);

        if (store.sh->used || resident(&store)
            || store.sh->cell_nfree != store.sh->cell_top
            || store.sh->small_nfree != store.sh->small_top)
        {
            diag("%s: something is left at %lu: %u pages, %lu bytes, "
                 "%u cells, %u small ones", what, (unsigned long) n,
                 store.sh->used, (unsigned long) resident(&store),
                 store.sh->cell_top - store.sh->cell_nfree,
                 store.sh->small_top - store.sh->small_nfree);
            wrong++;
        }

        ngx_rtmp_route_slot_release();
        store_free(&store);

        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            break;
        }

        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
            diag("%s: status %x at %lu", what, status, (unsigned long) n);
            wrong++;
        }
    }

    ok(!wrong && n > 1, "%s: killed at %lu places", what,
       (unsigned long) n - 1);
}


/* what has changed has done so as a whole */

static ngx_uint_t
halved(const char *what)
{
    ngx_uint_t            wrong;
    ngx_http_hls_found_t  found;

    wrong = 0;

    (void) look(&store, "key", 0, &found);

    if (found.state != FILLING && found.body.body
        && found.body.data[0] != found.times.data[0])
    {
        diag("%s: body %u has times of %u", what, found.body.data[0],
             found.times.data[0]);
        wrong = 1;
    }

    ngx_http_hls_store_release(&store, &found.body);

    if (!waiting || waits.body.body == 0) {
        return wrong;
    }

    found = waits;

    if (ngx_http_hls_store_again(&store, &found) == NGX_OK) {
        ngx_http_hls_store_release(&store, &found.body);

        if (found.fill == waits.fill) {
            return wrong;
        }
    }

    ngx_http_hls_store_progress(&store, &waits.body);

    if (waits.body.state == NGX_HTTP_HLS_BODY_FILLING) {
        diag("%s: not filled any more", what);
        wrong = 1;
    }

    return wrong;
}


static void
prepare_nothing(void)
{
    /* void */
}


static void
prepare_entry(void)
{
    ngx_http_hls_found_t  found;

    (void) put(&store, "key", 1, 10000, 10000, 20000);

    (void) ngx_http_hls_store_lookup(&store, key_of(&store, "n"), 1,
                             ngx_http_hls_store_stream(&store, some_stream()),
                             CLAIM, 0, &found);
    ngx_http_hls_store_abandon(&store, &found, NULL);
}


static void
prepare_stale(void)
{
    (void) put(&store, "key", 1, 10000, 10, 20000);
    unit_tick(20);
}


static void
prepare_held(void)
{
    prepare_stale();
    (void) look(&store, "key", 0, &held[0]);
}


/* somebody waits for what this process fills, which is purged */

static void
prepare_claimed(void)
{
    (void) look(&store, "key", CLAIM, &held[0]);
    (void) begin(&store, &held[0], 20000, 0, 1, &held[0].body);
    (void) add(&store, &held[0], &held[0].body, 3, 5000);

    (void) look(&store, "key", 0, &waits);
    have = 5000;
    waiting = (ngx_http_hls_store_wait(&store, &waits, have) == NGX_OK);
    held[1] = waits;
}


static void
prepare_written(void)
{
    prepare_claimed();

    (void) add(&store, &held[0], &held[0].body, 3, 15000);

    have = 20000;
    waiting = (ngx_http_hls_store_wait(&store, &waits, have) == NGX_OK);
}


static void
prepare_unbegun(void)
{
    (void) look(&store, "key", CLAIM, &held[0]);
    (void) look(&store, "key", 0, &waits);

    have = 0;
    waiting = (ngx_http_hls_store_wait(&store, &waits, have) == NGX_OK);
}


static void
prepare_many(void)
{
    char        key[400];
    uint32_t    stream;
    ngx_uint_t  i;

    stream = ngx_http_hls_store_stream(&store, some_stream());

    for (i = 0; i < 6; i++) {
        snprintf(key, sizeof(key), "key-%lu", (unsigned long) i);
        memset(key + strlen(key), 'x', 300);
        key[305] = '\0';
        (void) put_in(&store, key, stream, 1, 130000);
    }

    (void) look(&store, key, 0, &held[0]);
}


/* a process that is gone has left one of each */

static void
prepare_dead(void)
{
    ngx_pid_t               pid;
    ngx_http_hls_body_t     fill;
    ngx_http_hls_found_t    found;
    ngx_http_hls_punch_t    punch;

    (void) put(&store, "key", 1, 10000, 10000, 20000);
    (void) put(&store, "gone", 1, 10000, 10000, 20000);

    pid = fork();

    if (pid == 0) {
        ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;
        store_slot();

        (void) look(&store, "fill", CLAIM, &found);
        (void) begin(&store, &found, 20000, 0, 1, &fill);
        (void) look(&store, "key", 0, &found);

        ngx_http_hls_store_lock(&store);
        ngx_http_hls_store_entry_drop(&store,
                    ngx_http_hls_store_find(store.sh,
                                            key_of(&store, "gone")->hash,
                                            NGX_HTTP_HLS_CELL_ENTRY));
        (void) ngx_http_hls_store_punch_get(&store, &punch, 1);
        ngx_http_hls_store_unlock(&store);

        (void) kill(getpid(), SIGKILL);
    }

    (void) waitpid(pid, NULL, 0);

    (void) look(&store, "fill", 0, &waits);

    have = 0;
    waiting = (ngx_http_hls_store_wait(&store, &waits, have) == NGX_OK);
    held[0] = waits;
}


static void
prepare_broken(void)
{
    prepare_dead();
    prepare_stale();
    call_note();
    call_viewer();

    (void) look(&store, "key", 0, &held[1]);
    (void) put(&store, "doomed", 1, 10000, 10000, 20000);
    (void) look(&store, "doomed", 0, &held[2]);
    (void) ngx_http_hls_store_purge(&store, key_of(&store, "doomed"));

    store.sh->dirty = 1;
}


static void
call_fill(void)
{
    (void) put(&store, "key", 2, 20000, 10000, 20000);
}


static void
call_unknown(void)
{
    ngx_http_hls_body_t    fill;
    ngx_http_hls_found_t   found;
    ngx_http_hls_times_t  *times;

    (void) look(&store, "key", CLAIM, &found);
    ngx_http_hls_store_release(&store, &found.body);
    (void) begin(&store, &found, -1, 100000, 1, &fill);
    (void) add(&store, &found, &fill, 3, 5000);
    (void) add(&store, &found, &fill, 3, 5000);

    times = times_of(1000, 2000);
    times->data[0] = 3;

    (void) ngx_http_hls_store_done(&store, &found, &fill, times);
    ngx_http_hls_store_release(&store, &fill);
}


/* for the process that has claimed it */

static void
call_begin(void)
{
    (void) begin(&store, &held[0], 20000, 0, 1, &held[0].body);
}


static void
call_write(void)
{
    (void) add(&store, &held[0], &held[0].body, 3, 15000);
}


static void
call_done(void)
{
    ngx_http_hls_times_t  *times;

    times = times_of(1000, 2000);
    times->data[0] = 3;

    (void) ngx_http_hls_store_done(&store, &held[0], &held[0].body, times);
}


static void
call_abandon(void)
{
    ngx_http_hls_store_abandon(&store, &held[0], NULL);
}


static void
call_fail(void)
{
    ngx_http_hls_body_t    fill;
    ngx_http_hls_found_t   found;
    ngx_http_hls_times_t  *times;

    (void) look(&store, "key", CLAIM, &found);
    (void) begin(&store, &found, 10000, 0, 1, &fill);
    (void) add(&store, &found, &fill, 3, 5000);

    times = times_of(100, 2000);
    times->data[0] = 1;

    ngx_http_hls_store_fail(&store, &found, &fill, 502, times);
    ngx_http_hls_store_release(&store, &found.body);
}


static void
call_look(void)
{
    ngx_http_hls_found_t  found;

    unit_tick(2000);
    (void) look(&store, "key", CLAIM, &found);
    ngx_http_hls_store_release(&store, &found.body);
}


static void
call_touch(void)
{
    (void) ngx_http_hls_store_touch(&store, key_of(&store, "key"),
                                    times_of(10000, 20000), 1);
}


static void
call_note(void)
{
    uint32_t               stream;
    ngx_http_hls_times_t  *times;

    stream = ngx_http_hls_store_stream(&store, some_stream());
    (void) ngx_http_hls_store_note(&store, key_of(&store, "note"), 3, stream,
                                   times_of(0, 20000));

    times = times_of(0, 20000);
    times->data[0] = 1;

    (void) ngx_http_hls_store_note(&store, key_of(&store, "key"), 3, stream,
                                   times);
}


static void
call_viewer(void)
{
    uint32_t  stream;

    stream = ngx_http_hls_store_stream(&store, some_stream());
    ngx_http_hls_store_viewer(&store, stream, 12345, 3000);
    unit_tick(2000);
    ngx_http_hls_store_viewer(&store, stream, 54321, 3000);
}


static void
call_purge(void)
{
    (void) ngx_http_hls_store_purge(&store, key_of(&store, "key"));
}


static void
call_purge_stream(void)
{
    (void) ngx_http_hls_store_purge_stream(&store, some_stream());
}


static void
call_big(void)
{
    (void) put(&store, "big", 2, 600000, 10000, 20000);
}


static void
call_sweep(void)
{
    unit_tick(30000);
    ngx_http_hls_store_sweep(&store);
}


static void
call_rebuild(void)
{
    ngx_http_hls_store_lock(&store);
    ngx_http_hls_store_unlock(&store);
}


static void
run(const char *what, size_t size, ngx_uint_t keys, ngx_uint_t kills,
    ngx_uint_t anywhere)
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  killed, exited, other, started, alive;

    nkeys = keys;

    ngx_time_update();
    store_make(&store, size);

    killed = 0;
    exited = 0;
    other = 0;
    started = 0;
    alive = 0;

    while (alive < WORKERS) {
        start(0, anywhere);
        alive++;
    }

    while (alive) {
        pid = waitpid(-1, &status, 0);

        if (pid == -1) {
            break;
        }

        alive--;

        /* as the master does */

        (void) ngx_shmtx_force_unlock(&store.shpool->mutex, pid);

        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            killed++;

        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            exited++;

        } else {
            diag("status %x", status);
            other++;
        }

        /* not by this process: nobody frees its waiting for a dead one */

        if (killed < kills && other == 0) {
            start(++started % 2, anywhere);
            alive++;
        }
    }

    ok(killed >= kills, "%s: %lu killed, %lu not", what,
       (unsigned long) killed, (unsigned long) exited);
    is_uint(other, 0, "%s: consistent in between", what);
    ok(anywhere || store.sh->rebuilt > kills / 10, "%s: %lu rebuilt", what,
       (unsigned long) store.sh->rebuilt);

    diag("%lu filled, %lu failed, %lu evicted, %lu passed",
         (unsigned long) store.sh->filled, (unsigned long) store.sh->failed,
         (unsigned long) store.sh->evicted, (unsigned long) store.sh->passed);

    finish(what);

    store_free(&store);
}


static void
start(ngx_uint_t check, ngx_uint_t anywhere)
{
    long        seed;
    ngx_pid_t   pid;

    seed = random();
    pid = fork();

    if (pid == 0) {
        alarm(HANG);
        ngx_pid = getpid();

        if (check) {
            exit(ngx_http_hls_store_check(&store) == NGX_OK ? 0 : 1);
        }

        srandom(seed);

        /* early ones, too; some are left to end by themselves */

        if (anywhere) {
            kill_later();

        } else {
            ngx_http_hls_kill_after = 1 + (some(2) ? some(4000) : some(200));
        }

        work();
        exit(0);
    }

    if (pid == -1) {
        abort();
    }
}


static void
work(void)
{
    ngx_uint_t  i;

    ngx_time_update();
    store_slot();

    for (i = 0; i < 2000; i++) {

        ngx_time_update();

        switch (some(16)) {

        case 0:
        case 1:
        case 2:
            change();
            break;

        case 3:
            watch();
            break;

        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
            hold();
            break;

        default:
            fill_step();
            break;
        }
    }

    ngx_rtmp_route_slot_release();
}


/* in the midst of whatever it is */

static void
kill_later(void)
{
    timer_t            timer;
    struct sigevent    event;
    struct itimerspec  time;

    ngx_memzero(&event, sizeof(struct sigevent));
    ngx_memzero(&time, sizeof(struct itimerspec));

    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;

    time.it_value.tv_nsec = 200000 + some(8000000);

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == -1
        || timer_settime(timer, 0, &time, NULL) == -1)
    {
        abort();
    }
}


/* several fills go on at a time */

static void
fill_step(void)
{
    char         text[32];
    size_t       i, n;
    fill_t      *f;
    ngx_int_t    rc;
    ngx_str_t    head;
    ngx_uint_t   state;

    f = &fills[some(FILLS)];

    if (!f->busy) {
        state = look(&store, some_key(), some(8) ? CLAIM : REFRESH,
                     &f->found);

        verify(&f->found);

        if (state == FILLING || state == UPDATING) {
            (void) ngx_http_hls_store_wait(&store, &f->found, some(10000));
        }

        ngx_http_hls_store_release(&store, &f->found.body);

        if (state != CLAIMED) {
            return;
        }

        f->busy = 1;
        f->fill.body = 0;

        return;
    }

    if (f->fill.body == 0) {

        if (some(8) == 0) {
            fill_end(f);
            return;
        }

        f->seed = (u_char) some(SEEDS);
        f->total = some(4) ? (off_t) some(20000) : (off_t) some(300000);

        n = snprintf(text, sizeof(text), "seed=%03u", f->seed);
        head.data = (u_char *) text;
        head.len = n;

        rc = ngx_http_hls_store_begin(&store, &f->found, 200, &head,
                                      some(2) ? f->total : -1, f->total,
                                      some(2), &f->fill);
        if (rc != NGX_OK) {
            fill_end(f);
        }

        return;
    }

    n = (size_t) (f->total - f->fill.len);

    if (n && some(16)) {
        n = ngx_min(n, 1 + some(50000));

        for (i = 0; i < n; i++) {
            store_data[i] = byte_at(f->seed, (size_t) f->fill.len + i);
        }

        rc = ngx_http_hls_store_write(&store, &f->found, &f->fill, store_data,
                                      n);
        if (rc != NGX_OK) {
            fill_end(f);
        }

        return;
    }

    fill_end(f);
}


static void
fill_end(fill_t *f)
{
    switch (some(6)) {

    case 0:
        ngx_http_hls_store_abandon(&store, &f->found, &f->fill);
        break;

    case 1:
        ngx_http_hls_store_fail(&store, &f->found, &f->fill,
                                some(2) ? 404 : 0, some_times(0xee));
        break;

    default:

        if (ngx_http_hls_store_done(&store, &f->found, &f->fill,
                                    some_times(f->seed))
            != NGX_OK
            && some(2))
        {
            ngx_http_hls_store_abandon(&store, &f->found, &f->fill);
        }

        ngx_http_hls_store_release(&store, &f->fill);
        ngx_http_hls_store_abandon(&store, &f->found, NULL);
        break;
    }

    f->busy = 0;
}


static void
hold(void)
{
    ngx_uint_t             n;
    ngx_http_hls_found_t  *found;

    if (nheld < HELD && some(2)) {
        found = &held[nheld];

        (void) look(&store, some_key(), 0, found);
        verify(found);

        if (found->body.body) {
            nheld++;
        }

        return;
    }

    if (nheld == 0) {
        return;
    }

    n = some(nheld);
    found = &held[n];

    ngx_http_hls_store_progress(&store, &found->body);
    verify(found);

    if (some(4) == 0) {
        (void) ngx_http_hls_store_wait(&store, found, found->body.len);
        return;
    }

    ngx_http_hls_store_release(&store, &found->body);

    if (some(4) == 0
        && ngx_http_hls_store_again(&store, found) == NGX_OK
        && found->body.body)
    {
        verify(found);
        return;
    }

    *found = held[--nheld];
}


/* what can be read is what was written, times are not halved */

static void
verify(ngx_http_hls_found_t *found)
{
    off_t        i;
    u_char       seed;
    ngx_uint_t   n;

    for (n = 1; n < NGX_HTTP_HLS_STORE_DATA; n++) {
        if (found->times.data[n] != found->times.data[0]) {
            diag("times are halved");
            exit(2);
        }
    }

    if (found->body.body == 0) {
        return;
    }

    if (found->body.head_len != 8
        || memcmp(found->body.head, "seed=", 5) != 0)
    {
        diag("another head");
        exit(3);
    }

    seed = (u_char) atoi((char *) found->body.head + 5);

    if (found->state != FILLING && found->times.data[0] < SEEDS
        && found->times.data[0] != seed)
    {
        diag("times of another body");
        exit(6);
    }

    for (i = 0; i < found->body.len;
         i += (found->body.len > 20000) ? 1 + (off_t) some(4000) : 1)
    {
        if (found->body.data[i] != byte_at(seed, (size_t) i)) {
            diag("byte %ld of %ld", (long) i, (long) found->body.len);
            exit(4);
        }
    }

    if (found->body.state == NGX_HTTP_HLS_BODY_DONE
        && found->body.len != found->body.total)
    {
        diag("length");
        exit(5);
    }
}


static void
change(void)
{
    uint32_t  stream;

    switch (some(32)) {

    case 0:
        (void) ngx_http_hls_store_purge_stream(&store, some_stream());
        break;

    case 1:
        if (some(8) == 0) {
            (void) ngx_http_hls_store_purge_all(&store);
        }

        break;

    case 2:
    case 3:
    case 4:
        (void) ngx_http_hls_store_purge(&store, key_of(&store, some_key()));
        break;

    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        stream = ngx_http_hls_store_stream(&store, some_stream());
        ngx_http_hls_store_viewer(&store, stream, random(), 30);
        break;

    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
    case 16:
        stream = some(4) ? ngx_http_hls_store_stream(&store, some_stream())
                         : 0;
        (void) ngx_http_hls_store_note(&store, key_of(&store, some_key()), 3,
                                       stream, some_times(0xdd));
        break;

    default:
        (void) ngx_http_hls_store_touch(&store, key_of(&store, some_key()),
                                        some_times(0xcc), some(2));
        break;
    }
}


static void
watch(void)
{
    uint32_t                      cursor;
    ngx_http_hls_entry_stat_t     entry;
    ngx_http_hls_stream_stat_t    stream;

    cursor = 0;

    switch (some(8)) {

    case 0:
        while (ngx_http_hls_store_entry_walk(&store, &cursor, &entry)
               == NGX_OK)
        {
            /* void */
        }

        break;

    case 1:
        while (ngx_http_hls_store_stream_walk(&store, &cursor, &stream)
               == NGX_OK)
        {
            /* void */
        }

        break;

    case 2:
        (void) stat_of(&store);
        break;

    default:
        ngx_http_hls_store_sweep(&store);
        break;
    }
}


/* all that the dead have left is undone, and nothing is lost */

static void
finish(const char *what)
{
    ngx_uint_t                  i;
    ngx_http_hls_store_stat_t   stat;

    ngx_time_update();

    ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;
    store_slot();

    ngx_http_hls_store_sweep(&store);
    ok(ngx_http_hls_store_check(&store) == NGX_OK, "%s: consistent", what);

    ngx_http_hls_store_stat(&store, &stat);

    is_uint(stat.fills, 0, "%s: fills undone", what);
    is_uint(stat.refs, 0, "%s: references undone", what);
    ok(stat.used <= stat.size, "%s: within its size", what);
    ok(resident(&store) <= stat.used, "%s: memory", what);

    (void) ngx_http_hls_store_purge_all(&store);
    unit_tick(100000);

    for (i = 0; i < 20; i++) {
        ngx_http_hls_store_sweep(&store);
    }

    ok(ngx_http_hls_store_check(&store) == NGX_OK, "%s: emptied", what);

    ngx_http_hls_store_stat(&store, &stat);

    is_uint(stat.entries, 0, "%s: no entries", what);
    is_uint(stat.streams, 0, "%s: no streams", what);
    is_uint(stat.bodies, 0, "%s: no bodies", what);
    is_uint(stat.used, 0, "%s: no page is lost", what);
    is_uint(resident(&store), 0, "%s: nor its memory", what);
    is_uint(stat.cells_used, 0, "%s: no cell is lost", what);
    is_uint(store.sh->small_nfree, store.sh->small_top,
            "%s: no small one", what);

    ngx_rtmp_route_slot_release();
}


/* some of them do not fit into one cell */

static char *
some_key(void)
{
    size_t      len;
    ngx_uint_t  n;

    static char  key[400];

    n = some(nkeys);

    len = snprintf(key, sizeof(key), "live|/hls/camera-%lu.ts",
                   (unsigned long) n);

    if (n % 7 == 0) {
        memset(key + len, 'x', n % 300);
        key[len + n % 300] = '\0';
    }

    return key;
}


static ngx_str_t *
some_stream(void)
{
    static char       name[300];
    static ngx_str_t  str;

    str.data = (u_char *) name;
    str.len = snprintf(name, sizeof(name), "live/camera-%lu",
                       (unsigned long) some(nkeys / 10 + 1));

    if (str.len % 2) {
        memset(name + str.len, 'y', 200);
        str.len += 200;
    }

    return &str;
}


static ngx_http_hls_times_t *
some_times(u_char data)
{
    static ngx_http_hls_times_t  times;

    times.fresh = ngx_current_msec + some(20);
    times.stale = times.fresh + some(100);
    times.changed = ngx_current_msec;
    memset(times.data, data, NGX_HTTP_HLS_STORE_DATA);

    return &times;
}


static ngx_uint_t
some(ngx_uint_t n)
{
    return (ngx_uint_t) random() % n;
}
