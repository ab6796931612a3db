
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


/* What the calls of the cache's store cost, in ns; no test */


#include "hls_store.h"


#define OBJECTS  5000
#define LOOPS    1000000


static void bench(ngx_uint_t others);
static void viewer(char **keys, ngx_uint_t n, ngx_uint_t count);
static void fill(const char *text, size_t len, size_t piece);
static void other(int *fds);
static void report(const char *what, ngx_uint_t loops);
static uint64_t now(void);


static ngx_http_hls_store_t  store;
static uint64_t              started;
static char                 *keys[OBJECTS];


int
main(void)
{
    ngx_uint_t  i;

    unit_init();
    unit_tick(100000);

    for (i = 0; i < OBJECTS; i++) {
        keys[i] = malloc(64);
        sprintf(keys[i], "live.example.com|/hls/camera-%04lu/index.m3u8",
                (unsigned long) i);
    }

    bench(0);
    bench(15);

    return 0;
}


static void
bench(ngx_uint_t others)
{
    int                     fds[2];
    char                    byte;
    ngx_uint_t              i;
    ngx_http_hls_key_t      key;
    ngx_http_hls_found_t    found;
    ngx_http_hls_body_t     fills;

    printf("with %lu other processes that have used each object\n",
           (unsigned long) others);

    store_make(&store, 512 * 1024 * 1024);

    for (i = 0; i < OBJECTS; i++) {
        store_slot();
        (void) put(&store, keys[i], 1, 1500, 100000000, 100000000);
    }

    for (i = 0; i < others; i++) {
        if (pipe(fds) == -1) {
            abort();
        }

        other(fds);

        if (read(fds[0], &byte, 1) != 1) {
            abort();
        }
    }

    started = now();

    for (i = 0; i < LOOPS; i++) {
        key.text.data = (u_char *) keys[i % 100];
        key.text.len = strlen(keys[i % 100]);
        ngx_http_hls_store_key(&store, &key);
    }

    report("key", LOOPS);

    started = now();

    for (i = 0; i < LOOPS; i++) {
        ngx_http_hls_store_lock(&store);
        ngx_http_hls_store_unlock(&store);
    }

    report("lock and unlock", LOOPS);

    viewer(keys, 1, 0);
    report("one object: key, look-up, release", LOOPS);

    viewer(keys, 1, 1);
    report("the same, counted", LOOPS);

    viewer(keys, 100, 1);
    report("100 objects", LOOPS);

    viewer(keys, OBJECTS, 1);
    report("5000 objects", LOOPS);

    started = now();

    for (i = 0; i < LOOPS / 10; i++) {
        (void) state_of(&store, "nothing");
    }

    report("look-up of nothing", LOOPS / 10);

    started = now();

    for (i = 0; i < LOOPS / 100; i++) {
        fill(keys[i % OBJECTS], 1500, 1500);
    }

    report("fill of 1500 bytes", LOOPS / 100);

    started = now();

    for (i = 0; i < 200; i++) {
        fill("segment", 1 << 20, 32768);
    }

    report("fill of 1 MB in pieces of 32 KB", 200);

    (void) look(&store, "waited", CLAIM, &found);
    (void) begin(&store, &found, -1, 64 << 20, 1, &fills);

    started = now();

    for (i = 0; i < 1000; i++) {
        (void) ngx_http_hls_store_write(&store, &found, &fills, store_data,
                                        16384);
    }

    report("write of 16 KB, unknown length", 1000);

    ngx_http_hls_store_abandon(&store, &found, &fills);

    started = now();

    for (i = 0; i < LOOPS / 10; i++) {
        (void) ngx_http_hls_store_touch(&store,
                                        key_of(&store, keys[i % OBJECTS]),
                                        times_of(100000000, 100000000), 1);
    }

    report("touch", LOOPS / 10);

    started = now();

    for (i = 0; i < LOOPS / 10; i++) {
        (void) ngx_http_hls_store_note(&store,
                                       key_of(&store, keys[i % OBJECTS] + 1),
                                       3, 0, times_of(0, 100000000));
    }

    report("note", LOOPS / 10);

    started = now();

    for (i = 0; i < 100; i++) {
        ngx_http_hls_store_sweep(&store);
    }

    report("sweep", 100);

    store.sh->dirty = 1;
    started = now();

    ngx_http_hls_store_lock(&store);
    ngx_http_hls_store_unlock(&store);

    report("rebuild", 1);

    started = now();

    i = ngx_http_hls_store_purge_all(&store);

    report("purge of all, each", i);

    ngx_rtmp_route_slot_release();
    store_free(&store);
}


static void
viewer(char **names, ngx_uint_t n, ngx_uint_t count)
{
    ngx_uint_t            i;
    ngx_http_hls_key_t    key;
    ngx_http_hls_found_t  found;

    started = now();

    for (i = 0; i < LOOPS; i++) {
        key.text.data = (u_char *) names[i * 7919 % n];
        key.text.len = 45;

        ngx_http_hls_store_key(&store, &key);

        (void) ngx_http_hls_store_lookup(&store, &key, 1, 0, CLAIM, count,
                                         &found);
        ngx_http_hls_store_release(&store, &found.body);
    }
}


static void
fill(const char *text, size_t len, size_t piece)
{
    size_t                n;
    ngx_http_hls_body_t   body;
    ngx_http_hls_found_t  found;

    (void) look(&store, text, REFRESH, &found);
    ngx_http_hls_store_release(&store, &found.body);

    (void) begin(&store, &found, (off_t) len, 0, 1, &body);

    for (n = 0; n < len; n += piece) {
        (void) ngx_http_hls_store_write(&store, &found, &body, store_data,
                                        ngx_min(piece, len - n));
    }

    (void) ngx_http_hls_store_done(&store, &found, &body,
                                   times_of(100000000, 100000000));
    ngx_http_hls_store_release(&store, &body);
}


static void
other(int *fds)
{
    ngx_uint_t            i;
    ngx_http_hls_found_t  found;

    if (fork()) {
        return;
    }

    ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;
    store_slot();

    for (i = 0; i < OBJECTS; i++) {
        (void) look(&store, keys[i], 0, &found);
        ngx_http_hls_store_release(&store, &found.body);
    }

    if (write(fds[1], "x", 1) != 1) {
        abort();
    }

    (void) sleep(60);
    exit(0);
}


static void
report(const char *what, ngx_uint_t loops)
{
    printf("  %-40s %8lu ns\n", what,
           (unsigned long) ((now() - started) / ngx_max(loops, 1)));

    fflush(stdout);
}


static uint64_t
now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
