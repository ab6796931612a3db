
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


/* Streams of the cache's store, their viewers, and lists */


#include "hls_store.h"


#define IS_CHECKED(what)  ok(ngx_http_hls_store_check(&store) == NGX_OK,      \
                             "%s: consistent", what)


static void test_counters(void);
static void test_moves(void);
static void test_names(void);
static void test_purge_stream(void);
static void test_entries(void);
static void test_estimate(void);
static void test_window(void);
static void test_idle(void);
static void test_many(void);
static uint32_t stream_of(const char *text);
static ngx_http_hls_stream_stat_t *stream_stat(const char *text);
static ngx_uint_t viewers_of(const char *text);
static uint64_t next_random(void);


static ngx_http_hls_store_t  store;
static uint64_t              seed = 1;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_EMERG;
    unit_tick(100000);

    store_make(&store, 1024 * 1024);
    store_slot();

    /* the same estimates each time */

    store.sh->seed[0] = 1;
    store.sh->seed[1] = 2;

    test_counters();
    test_moves();
    test_names();
    test_purge_stream();
    test_entries();
    test_estimate();
    test_window();
    test_idle();
    test_many();

    return done();
}


static void
test_counters(void)
{
    uint32_t                     a, b, cursor;
    ngx_uint_t                   i;
    ngx_http_hls_found_t         found;
    ngx_http_hls_stream_stat_t  *stat;

    static ngx_http_hls_stream_stat_t  walk;

    a = stream_of("live/a");
    b = stream_of("live/b");
    ok(a && b && a != b, "two streams");
    is_uint(stream_of("live/a"), a, "the same");
    ok(stream_stat("live/c") == NULL, "no third one");

    is_uint(put_in(&store, "a1", a, 1, 1000), NGX_OK, "put");
    is_uint(put_in(&store, "a2", a, 1, 2000), NGX_OK, "put");
    is_uint(put_in(&store, "b1", b, 1, 300), NGX_OK, "put");
    unit_tick(700);

    for (i = 0; i < 10; i++) {
        (void) look(&store, "a2", 0, &found);
        ngx_http_hls_store_release(&store, &found.body);
    }

    is_uint(found.stream, a, "stream of an object");

    stat = stream_stat("live/a");
    is_uint(stat->objects, 2, "objects");
    is_uint(stat->bytes, 3000, "bytes");
    is_uint(stat->hits, 10, "hits");
    is_uint(stat->misses, 4, "misses");
    is_uint(stat->age, 700, "age");
    is_uint(stat->viewers, 0, "viewers");

    (void) look(&store, "a1", REFRESH, &found);
    ngx_http_hls_store_release(&store, &found.body);
    ngx_http_hls_store_abandon(&store, &found, NULL);
    ngx_http_hls_store_purge(&store, key_of(&store, "a2"));

    stat = stream_stat("live/a");
    is_uint(stat->objects, 1, "objects");
    is_uint(stat->bytes, 1000, "bytes");
    is_uint(stat->hits, 10, "hits stay");

    cursor = 0;
    i = 0;

    while (ngx_http_hls_store_stream_walk(&store, &cursor, &walk) == NGX_OK) {
        i++;
    }

    is_uint(i, 2, "walk");
    is_uint(stat_of(&store)->streams, 2, "streams");
    IS_CHECKED("counters");
}


/* a segment is known before its stream is, or its stream has changed */

static void
test_moves(void)
{
    uint32_t  a, c;

    a = stream_of("live/a");
    c = stream_of("live/c");

    is_uint(put(&store, "x", 1, 500, 10000, 20000), NGX_OK, "put");
    is_uint(ngx_http_hls_store_note(&store, key_of(&store, "x"), 3, a,
                                    times_of(10000, 20000)), NGX_OK, "note");
    is_uint(state_of(&store, "x"), FRESH, "body stays");
    is_uint(stream_stat("live/a")->bytes, 1500, "is one of its bytes");

    is_uint(ngx_http_hls_store_note(&store, key_of(&store, "x"), 3, c,
                                    times_of(10000, 20000)), NGX_OK, "note");
    is_uint(stream_stat("live/a")->bytes, 1000, "is not any more");
    is_uint(stream_stat("live/c")->bytes, 500, "but of the other one");

    is_uint(put(&store, "x", 1, 700, 10000, 20000), FRESH, "no put");
    unit_tick(11000);
    is_uint(put(&store, "x", 1, 700, 10000, 20000), NGX_OK, "put");
    is_uint(stream_stat("live/c")->bytes, 700, "larger now");
    is_uint(stream_stat("live/c")->objects, 1, "still one");

    is_uint(ngx_http_hls_store_note(&store, key_of(&store, "x"), 3, 99999,
                                    times_of(10000, 20000)), NGX_OK,
            "no such stream");
    is_uint(stream_stat("live/c")->objects, 0, "of none");
    IS_CHECKED("moves");

    (void) ngx_http_hls_store_purge_all(&store);
    unit_tick(NGX_HTTP_HLS_IDLE);
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->streams, 0, "no streams");
}


static void
test_names(void)
{
    char        text[NGX_HTTP_HLS_STORE_NAME_LEN + 2];
    uint32_t    cells[6];
    ngx_uint_t  i;

    static size_t  lens[] = { 1, 139, 140, 141, 500, 1024 };

    for (i = 0; i < 6; i++) {
        memset(text, 'n', lens[i]);
        text[lens[i]] = '\0';
        cells[i] = stream_of(text);
        ok(cells[i] != 0, "name of %lu bytes", (unsigned long) lens[i]);
    }

    for (i = 0; i < 6; i++) {
        memset(text, 'n', lens[i]);
        text[lens[i]] = '\0';
        is_uint(stream_of(text), cells[i], "found");
        ok(stream_stat(text) != NULL, "listed");
    }

    memset(text, 'n', 1025);
    text[1025] = '\0';
    is_uint(stream_of(text), 0, "too long");
    is_uint(stream_of(""), 0, "too short");

    IS_CHECKED("names");
    unit_tick(NGX_HTTP_HLS_IDLE);
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->cells_used, 0, "all cells are free");
}


static void
test_purge_stream(void)
{
    char                  key[32];
    uint32_t              a, b;
    ngx_str_t             name;
    ngx_uint_t            i;
    ngx_http_hls_found_t  found;

    a = stream_of("live/a");
    b = stream_of("live/b");

    for (i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "seg-%lu", (unsigned long) i);
        (void) put_in(&store, key, (i % 5) ? a : b, 1, 100);
    }

    (void) ngx_http_hls_store_note(&store, key_of(&store, "note"), 3, a,
                                   times_of(0, 5000));
    (void) ngx_http_hls_store_lookup(&store, key_of(&store, "fill"), 3, a,
                                     CLAIM, 0, &found);

    name = unit_str("live/a");
    is_uint(ngx_http_hls_store_purge_stream(&store, &name), 82, "purge");
    is_uint(ngx_http_hls_store_purge_stream(&store, &name), 0, "once");
    is_uint(stream_stat("live/a")->objects, 0, "no objects");
    is_uint(stream_stat("live/b")->objects, 20, "others are there");
    is_uint(stat_of(&store)->fills, 0, "no fill");

    name = unit_str("live/x");
    is_uint(ngx_http_hls_store_purge_stream(&store, &name), 0, "no stream");
    IS_CHECKED("purge");

    (void) ngx_http_hls_store_purge_all(&store);
}


static void
test_entries(void)
{
    uint32_t              cursor;
    ngx_uint_t            n;
    ngx_http_hls_found_t  found;

    static ngx_http_hls_entry_stat_t  stat;

    (void) put_in(&store, "one", stream_of("live/a"), 1, 4321);
    unit_tick(300);
    (void) look(&store, "one", 0, &found);
    ngx_http_hls_store_release(&store, &found.body);

    (void) look(&store, "two", CLAIM, &found);
    ngx_http_hls_store_fail(&store, &found, NULL, 404,
                            times_of(10000, 10000));

    (void) look(&store, "three", CLAIM, &found);

    (void) ngx_http_hls_store_note(&store, key_of(&store, "four"), 3, 0,
                                   times_of(0, 5000));

    cursor = 0;
    n = 0;

    while (ngx_http_hls_store_entry_walk(&store, &cursor, &stat) == NGX_OK) {

        switch (stat.key.data[1]) {

        case 'n':
            is_str(&stat.key, "one", "key");
            is_str(&stat.stream, "live/a", "stream");
            is_uint(stat.kind, 3, "kind");
            is_uint(stat.status, 200, "status");
            is_uint(stat.len, 4321, "length");
            is_uint(stat.hits, 1, "hits");
            is_uint(stat.misses, 2, "misses");
            is_uint(stat.age, 300, "age");
            is_uint(stat.filling, 0, "not filling");
            break;

        case 'w':
            is_str(&stat.key, "two", "key");
            is_str(&stat.stream, "", "no stream");
            is_uint(stat.status, 404, "status");
            is_uint(stat.len, 0, "no length");
            break;

        case 'h':
            is_str(&stat.key, "three", "key");
            is_uint(stat.filling, 1, "filling");
            break;

        default:
            ok(0, "what was noted is not shown");
        }

        n++;
    }

    is_uint(n, 3, "entries");
    (void) ngx_http_hls_store_purge_all(&store);
}


/* within 5 per cent nineteen times in twenty, whatever the number */

static void
test_estimate(void)
{
    uint32_t    stream;
    uint64_t    viewer;
    ngx_uint_t  i, k, n, got, near, trials, exact;

    static ngx_uint_t  numbers[] = { 1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000,
                                     5000, 10000, 30000, 100000, 1000000 };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {

        n = numbers[i];
        trials = (n > 100000) ? 10 : (n > 10000) ? 60 : 200;
        near = 0;
        exact = 0;

        for (k = 0; k < trials; k++) {
            stream = stream_of("live/e");
            viewer = next_random();

            for (got = 0; got < n; got++) {

                /* hashes need not be good ones */

                ngx_http_hls_store_viewer(&store, stream, viewer + got, 6000);

                if (n <= 100) {
                    ngx_http_hls_store_viewer(&store, stream, viewer + got,
                                              6000);
                }
            }

            got = viewers_of("live/e");

            near += (got * 100 >= n * 95 && got * 100 <= n * 105);
            exact += (got == n);

            unit_tick(20000);
        }

        if (n <= 10) {
            ok(exact * 100 >= trials * 95, "%lu viewers: %lu of %lu exact",
               (unsigned long) n, (unsigned long) exact,
               (unsigned long) trials);
        }

        ok(near * 100 >= trials * (trials > 100 ? 95 : 90),
           "%lu viewers: %lu of %lu near",
           (unsigned long) n, (unsigned long) near, (unsigned long) trials);
    }

    IS_CHECKED("estimate");
}


static void
test_window(void)
{
    uint32_t    stream;
    ngx_uint_t  i;

    unit_tick(100000);
    stream = stream_of("live/w");

    is_uint(viewers_of("live/w"), 0, "nobody");

    for (i = 0; i < 10; i++) {
        ngx_http_hls_store_viewer(&store, stream, next_random(), 6000);
        unit_tick(100);
    }

    ok(viewers_of("live/w") >= 9 && viewers_of("live/w") <= 11, "ten viewers");
    unit_tick(5000);
    ok(viewers_of("live/w") >= 9, "all within the window");

    for (i = 0; i < 5; i++) {
        ngx_http_hls_store_viewer(&store, stream, next_random(), 6000);
    }

    ok(viewers_of("live/w") >= 14, "five more");
    unit_tick(3000);
    ok(viewers_of("live/w") >= 4 && viewers_of("live/w") <= 6,
       "the first ones are gone");
    unit_tick(1);
    ngx_http_hls_store_viewer(&store, stream, 7, 6000);
    ok(viewers_of("live/w") >= 5 && viewers_of("live/w") <= 7, "one more");
    unit_tick(8000);
    is_uint(viewers_of("live/w"), 0, "nobody");

    /* who stays is counted once */

    for (i = 0; i < 1000; i++) {
        ngx_http_hls_store_viewer(&store, stream, i % 4, 6000);
        unit_tick(50);

        if (i > 10
            && (viewers_of("live/w") < 4 || viewers_of("live/w") > 5))
        {
            break;
        }
    }

    is_uint(i, 1000, "who stays");

    /* another window, another clock */

    ngx_http_hls_store_viewer(&store, stream, 99, 600);
    ngx_http_hls_store_viewer(&store, stream, 98, 0);
    unit_tick((ngx_msec_t) -5000);
    ngx_http_hls_store_viewer(&store, stream, 97, 6000);
    unit_tick(5000);
    ok(viewers_of("live/w") >= 1, "still counts");
    unit_tick(1000000);
    is_uint(viewers_of("live/w"), 0, "nobody");

    ngx_http_hls_store_viewer(&store, 0, 97, 6000);
    ngx_http_hls_store_viewer(&store, 99999, 97, 6000);
    IS_CHECKED("window");
}


/* it goes when nobody asks for it, not before */

static void
test_idle(void)
{
    uint32_t    stream;
    ngx_uint_t  i;

    stream = stream_of("live/i");

    for (i = 0; i < 20; i++) {
        unit_tick(NGX_HTTP_HLS_IDLE / 2);
        ngx_http_hls_store_sweep(&store);

        if (i % 2) {
            is_uint(stream_of("live/i"), stream, "is asked for");

        } else {
            ngx_http_hls_store_viewer(&store, stream, i, 6000);
        }
    }

    (void) put_in(&store, "i", stream, 1, 100);
    ngx_http_hls_store_viewer(&store, stream, 1, 6000);
    unit_tick(NGX_HTTP_HLS_IDLE * 2);
    ngx_http_hls_store_sweep(&store);
    is_uint(stream_of("live/i"), stream, "has an object");

    unit_tick(60000);
    ngx_http_hls_store_sweep(&store);
    ok(stream_stat("live/i") != NULL, "has none from now on");
    unit_tick(NGX_HTTP_HLS_IDLE);
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->streams, 0, "gone");
    is_uint(stat_of(&store)->used, 0, "and its memory");
    is_uint(resident(&store), 0, "indeed");
    IS_CHECKED("idle");
}


/* more names than cells, and than pages for their viewers */

static void
test_many(void)
{
    char        text[32];
    ngx_uint_t  i, wrong;

    wrong = 0;

    for (i = 0; i < store.sh->ncells * 3; i++) {
        snprintf(text, sizeof(text), "live/%lu", (unsigned long) i);

        if (stream_of(text) == 0) {
            wrong++;
        }

        ngx_http_hls_store_viewer(&store, stream_of(text), i, 6000);
        unit_tick(10);
    }

    is_uint(wrong, 0, "a stream of each name");
    IS_CHECKED("many names");
    ok(stat_of(&store)->used <= store.size / 8, "registers take a part");
    is_uint(put(&store, "x", 1, 100000, 1000, 2000), NGX_OK, "put");

    for (i = 0; i < store.sh->ncells * 2; i++) {
        snprintf(text, sizeof(text), "all/%lu", (unsigned long) i);

        if (stream_of(text) == 0) {
            break;
        }
    }

    ok(i < store.sh->ncells, "not all at once");
    IS_CHECKED("all names");

    unit_tick(100000);

    for (i = 0; i < 20; i++) {
        ngx_http_hls_store_sweep(&store);
    }

    is_uint(stat_of(&store)->streams, 0, "none is left");
    is_uint(stat_of(&store)->cells_used, 0, "no cell");
    is_uint(resident(&store), 0, "no memory");
    IS_CHECKED("none");
}


static uint32_t
stream_of(const char *text)
{
    ngx_str_t  name;

    name = unit_str(text);

    return ngx_http_hls_store_stream(&store, &name);
}


static ngx_http_hls_stream_stat_t *
stream_stat(const char *text)
{
    uint32_t  cursor;

    static ngx_http_hls_stream_stat_t  stat;

    cursor = 0;

    while (ngx_http_hls_store_stream_walk(&store, &cursor, &stat) == NGX_OK) {

        if (stat.name.len == strlen(text)
            && memcmp(stat.name.data, text, stat.name.len) == 0)
        {
            return &stat;
        }
    }

    return NULL;
}


static ngx_uint_t
viewers_of(const char *text)
{
    ngx_http_hls_stream_stat_t  *stat;

    stat = stream_stat(text);

    return stat ? stat->viewers : 0;
}


static uint64_t
next_random(void)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;

    return seed ^ (seed >> 29);
}
