
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


/* Room in the cache's store: sizes, extents, eviction, what is full */


#include "hls_store.h"


#define IS_CHECKED(what)  ok(ngx_http_hls_store_check(&store) == NGX_OK,      \
                             "%s: consistent", what)

#define PAGE              4096


static void test_sizes(void);
static void test_extents(void);
static void test_budget(void);
static void test_lru(void);
static void test_in_use(void);
static void test_full(void);
static void test_cells(void);
static void test_long_keys(void);
static void test_notes(void);
static void test_smalls(void);
static void test_pieces(void);
static void test_known_pieces(void);
static char *name(const char *prefix, ngx_uint_t n);
static ngx_uint_t present(const char *prefix, ngx_uint_t first,
    ngx_uint_t last);


static ngx_http_hls_store_t  store;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_EMERG;
    unit_tick(100000);

    test_sizes();

    store_make(&store, 1024 * 1024);
    store_slot();

    test_extents();
    test_budget();
    test_lru();
    test_in_use();
    test_full();
    test_cells();
    test_long_keys();
    test_notes();
    test_smalls();

    store_free(&store);

    test_pieces();
    test_known_pieces();

    return done();
}


/* what is not used takes no memory */

static void
test_sizes(void)
{
    ngx_uint_t  i;

    static uint64_t  sizes[] = { 256 * 1024, 1024 * 1024, 3 * 1000 * 1000,
                                 16 << 20, 100 << 20, 256 << 20,
                                 (uint64_t) 5 << 30, (uint64_t) 48 << 30 };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        store_make(&store, (size_t) sizes[i]);
        store_slot();

        diag("%lu bytes: %u cells, zone of %lu", (unsigned long) sizes[i],
             store.sh->ncells,
             (unsigned long) ngx_http_hls_store_zone_size(sizes[i]));

        ok(store.sh->ncells >= store.size / (64 * 1024), "cells");
        ok(store.window->size
           >= (uint64_t) store.sh->budget * PAGE * NGX_HTTP_HLS_STORE_WINDOW,
           "window");
        is_uint(put(&store, "a", 1, 10000, 1000, 2000), NGX_OK, "put");

        if (i < 3) {
            is_uint(put(&store, "b", 1, store.size - PAGE * 8, 1000, 2000),
                    NGX_OK, "put as much as there is");
            IS_CHECKED("size");
        }

        store_free(&store);
    }
}


/* against a map of pages */

static void
test_extents(void)
{
    u_char               *map;
    uint32_t              i, k, n, start, len[200], page[200];
    ngx_uint_t            wrong, none;
    ngx_http_hls_shm_t   *sh;

    sh = store.sh;
    map = calloc(sh->npages, 1);
    wrong = 0;
    none = 0;

    ngx_memzero(len, sizeof(len));
    srandom(1);

    ngx_http_hls_store_lock(&store);

    is_uint(ngx_http_hls_store_extent_alloc(sh, 0), NGX_HTTP_HLS_NO_PAGE,
            "no pages");
    is_uint(ngx_http_hls_store_extent_alloc(sh, sh->npages + 1),
            NGX_HTTP_HLS_NO_PAGE, "too many pages");

    for (i = 0; i < 100000; i++) {
        n = random() % 200;

        if (len[n]) {

            if (random() % 2) {

                /* the tail only */

                k = 1 + random() % len[n];
                start = page[n] + len[n] - k;

            } else {
                k = len[n];
                start = page[n];
            }

            ngx_http_hls_store_extent_free(sh, start, k);
            ngx_memzero(map + start, k);
            len[n] -= k;

            continue;
        }

        k = 1 + random() % ((random() % 4) ? 20 : 200);

        if (random() % 4 == 0) {
            start = random() % sh->npages;

            if (start + k > sh->npages) {
                continue;
            }

            wrong += (ngx_http_hls_store_extent_take(sh, start, k) == NGX_OK)
                     != (memchr(map + start, 1, k) == NULL);

            if (memchr(map + start, 1, k)) {
                continue;
            }

        } else {
            start = ngx_http_hls_store_extent_alloc(sh, k);

            if (start == NGX_HTTP_HLS_NO_PAGE) {
                wrong += (ngx_http_hls_store_extent_largest(sh) >= k * 2);
                none++;
                continue;
            }
        }

        wrong += (start + k > sh->npages || memchr(map + start, 1, k));

        memset(map + start, 1, k);
        page[n] = start;
        len[n] = k;
    }

    is_uint(wrong, 0, "extents");
    ok(none > 0, "%lu times there was none", (unsigned long) none);

    for (n = 0; n < 200; n++) {
        ngx_http_hls_store_extent_free(sh, page[n], len[n]);
    }

    is_uint(ngx_http_hls_store_extent_alloc(sh, 1024), 0, "all in one piece");
    ngx_http_hls_store_extent_free(sh, 0, 1024);

    ngx_http_hls_store_unlock(&store);
    IS_CHECKED("extents");
    free(map);
}


/* what is used is never more than what may be, to the page */

static void
test_budget(void)
{
    size_t       len;
    ngx_uint_t   i, wrong;

    wrong = 0;

    for (i = 0; i < 300; i++) {
        len = 1 + (i * 7919) % 60000;

        if (put(&store, name("b", i), (u_char) i, len, 10000, 20000)
            != NGX_OK)
        {
            wrong++;
        }

        wrong += stat_of(&store)->used > store.size;
        wrong += resident(&store) > stat_of(&store)->used;
    }

    is_uint(wrong, 0, "never too much");
    ok(stat_of(&store)->used > store.size - 16 * PAGE, "but all of it");
    ok(stat_of(&store)->evicted > 200, "evicted");

    /* all there is, exactly, and not a byte more */

    len = store.size / PAGE * PAGE - 64;
    is_uint(put(&store, "all", 1, len, 10000, 20000), NGX_OK, "all of it");
    is_uint(stat_of(&store)->used, store.size / PAGE * PAGE, "every page");
    is_uint(stat_of(&store)->entries, 1, "nothing else");
    is_uint(state_of(&store, "all"), FRESH, "is there");
    is_uint(put(&store, "more", 1, len + 1, 10000, 20000), NGX_BUSY,
            "not a byte more");
    is_uint(state_of(&store, "all"), FRESH, "nothing was evicted for that");
    ok(stat_of(&store)->passed > 0, "counted");

    (void) ngx_http_hls_store_purge_all(&store);
    IS_CHECKED("budget");
}


static void
test_lru(void)
{
    ngx_uint_t            i;
    ngx_http_hls_found_t  found;

    /* ten of 80 KB fit */

    for (i = 0; i < 10; i++) {
        is_uint(put(&store, name("l", i), 1, 80000, 100000, 200000), NGX_OK,
                "put");
        unit_tick(1000);
    }

    is_uint(present("l", 0, 9), 10, "all are there");

    /* used again: by viewers, and not by others */

    for (i = 0; i < 3; i++) {
        (void) look(&store, name("l", i), 0, &found);
        ngx_http_hls_store_release(&store, &found.body);
    }

    for (i = 10; i < 15; i++) {
        is_uint(put(&store, name("l", i), 1, 80000, 100000, 200000), NGX_OK,
                "put");
    }

    is_uint(present("l", 0, 2), 3, "what was used is there");
    is_uint(present("l", 3, 6), 0, "what was not is gone");
    is_uint(present("l", 8, 14), 7, "others are there");

    (void) ngx_http_hls_store_purge_all(&store);
    IS_CHECKED("least recently used");
}


static void
test_in_use(void)
{
    ngx_uint_t            i;
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  found[10], claimed, other;

    for (i = 0; i < 10; i++) {
        (void) put(&store, name("u", i), (u_char) i, 80000, 100000, 200000);
    }

    for (i = 0; i < 10; i++) {
        (void) look(&store, name("u", i), 0, &found[i]);
    }

    is_uint(put(&store, "x", 1, 200000, 1000, 2000), NGX_BUSY,
            "all are in use");
    is_uint(present("u", 0, 9), 10, "all are there");

    ngx_http_hls_store_release(&store, &found[4].body);
    is_uint(put(&store, "x", 1, 200000, 1000, 2000), NGX_BUSY,
            "one is not, but that is not enough");

    ngx_http_hls_store_release(&store, &found[5].body);
    is_uint(put(&store, "x", 1, 200000, 1000, 2000), NGX_OK, "enough");
    is_uint(present("u", 4, 5), 0, "these made room");
    is_uint(present("u", 0, 3), 4, "the others are there");
    is_uint(present("u", 6, 9), 4, "the others are there");

    /* one that is purged still takes its pages */

    ngx_http_hls_store_purge(&store, key_of(&store, name("u", 0)));
    ngx_http_hls_store_purge(&store, key_of(&store, "x"));
    is_uint(put(&store, "x", 1, 340000, 1000, 2000), NGX_BUSY, "no room");
    ok(good(&found[0].body, 0, 80000), "doomed, but readable");
    ngx_http_hls_store_release(&store, &found[0].body);
    is_uint(put(&store, "x", 1, 340000, 1000, 2000), NGX_OK, "room");

    for (i = 1; i < 10; i++) {
        ngx_http_hls_store_release(&store, &found[i].body);
    }

    (void) ngx_http_hls_store_purge_all(&store);

    /* what is filled is in use, too, the old body as well */

    (void) put(&store, "f", 1, 300000, 10, 100000);
    unit_tick(20);
    (void) look(&store, "f", CLAIM, &claimed);
    ngx_http_hls_store_release(&store, &claimed.body);
    is_uint(begin(&store, &claimed, 300000, 0, 1, &fill), NGX_OK, "begin");
    is_uint(put(&store, "x", 1, 340000, 1000, 2000), NGX_BUSY, "no room");
    is_uint(look(&store, "f", CLAIM, &other), UPDATING, "old body is there");
    ngx_http_hls_store_release(&store, &other.body);
    is_uint(add(&store, &claimed, &fill, 2, 300000), NGX_OK, "write");
    is_uint(ngx_http_hls_store_done(&store, &claimed, &fill,
                                    times_of(1000, 2000)), NGX_OK, "done");
    ngx_http_hls_store_release(&store, &fill);
    is_uint(stat_of(&store)->used, 74 * PAGE, "the old one is gone");
    is_uint(put(&store, "x", 1, 340000, 1000, 2000), NGX_OK, "room");

    (void) ngx_http_hls_store_purge_all(&store);
    is_uint(stat_of(&store)->used, 0, "nothing is left");
    IS_CHECKED("in use");
}


/* many small ones make room for a large one */

static void
test_full(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 220; i++) {
        (void) put(&store, name("s", i), 1, 100, 100000, 200000);
    }

    is_uint(present("s", 0, 219), 220, "all are there");
    is_uint(put(&store, "large", 1, 210 * PAGE, 1000, 2000), NGX_OK,
            "in the place of many");
    is_uint(stat_of(&store)->used, 211 * PAGE + 13 * PAGE, "as many as need");

    (void) ngx_http_hls_store_purge_all(&store);
    IS_CHECKED("full");
}


/* more entries than there are cells */

static void
test_cells(void)
{
    ngx_uint_t            i, wrong, n;
    ngx_http_hls_found_t  found;

    n = store.sh->ncells;
    wrong = 0;

    for (i = 0; i < n * 2; i++) {
        if (look(&store, name("c", i), CLAIM, &found) != CLAIMED) {
            wrong++;
            continue;
        }

        ngx_http_hls_store_fail(&store, &found, NULL, 404,
                                times_of(100000, 100000));
    }

    is_uint(wrong, 0, "more than there are cells");
    is_uint(stat_of(&store)->entries, n, "all cells");
    is_uint(state_of(&store, name("c", n * 2 - 1)), FRESH, "the last one");
    is_uint(state_of(&store, name("c", 0)), NONE, "not the first one");

    is_uint(put(&store, "body", 1, 100, 100000, 200000), NGX_OK, "a body");

    for (i = 0; i < n * 2; i++) {
        (void) look(&store, name("d", i), CLAIM, &found);
        ngx_http_hls_store_fail(&store, &found, NULL, 404,
                                times_of(100000, 100000));
    }

    is_uint(state_of(&store, "body"), FRESH, "stays when these go");
    IS_CHECKED("cells");

    /* all are being filled */

    for (i = 0; look(&store, name("e", i), CLAIM, &found) == CLAIMED; i++) {
        /* void */
    }

    is_uint(i, n, "as many fills as cells");
    is_uint(state_of(&store, "body"), NONE, "even for that of a body");
    IS_CHECKED("all filled");

    (void) ngx_http_hls_store_purge_all(&store);
    is_uint(stat_of(&store)->cells_used, 0, "all are free");
    IS_CHECKED("cells");
}


static void
test_long_keys(void)
{
    char                  text[4097];
    ngx_uint_t            i, wrong;
    ngx_http_hls_found_t  found;

    wrong = 0;

    for (i = 0; i < 100; i++) {
        memset(text, 'k', 4096);
        text[4096] = '\0';
        text[0] = (char) ('!' + i);

        wrong += look(&store, text, CLAIM, &found) != CLAIMED;
        ngx_http_hls_store_fail(&store, &found, NULL, 404,
                                times_of(100000, 100000));
    }

    is_uint(wrong, 0, "long keys");
    IS_CHECKED("long keys");

    (void) ngx_http_hls_store_purge_all(&store);
}


/* they have no body, and take nobody's place */

static void
test_notes(void)
{
    ngx_uint_t  i, bodies;

    bodies = store.sh->ncells / 2;

    for (i = 0; i < bodies; i++) {
        is_uint(put(&store, name("b", i), 1, 1, 100000, 200000), NGX_OK,
                "put");
    }

    bodies = present("b", 0, bodies - 1);

    for (i = 0; i < store.sh->ncells * 2; i++) {
        (void) ngx_http_hls_store_note(&store, key_of(&store, name("n", i)),
                                       3, 0, times_of(0, 100000));
    }

    is_uint(stat_of(&store)->bodies, bodies, "all bodies are there");
    is_uint(stat_of(&store)->entries, store.sh->ncells, "all cells");

    for (i = 0; i < 100; i++) {
        is_uint(put(&store, name("p", i), 1, 1, 100000, 200000), NGX_OK,
                "notes go first");
    }

    unit_tick(100000);

    for (i = 0; i < 100; i++) {
        ngx_http_hls_store_sweep(&store);
    }

    is_uint(stat_of(&store)->entries, stat_of(&store)->bodies,
            "their time is over");

    (void) ngx_http_hls_store_purge_all(&store);
    IS_CHECKED("notes");

    /* all cells have bodies */

    store_free(&store);
    store_make(&store, 4 * 1024 * 1024);

    for (i = 0; i < store.sh->ncells + 10; i++) {
        (void) put(&store, name("b", i), 1, 1, 100000, 200000);
    }

    is_uint(stat_of(&store)->bodies, store.sh->ncells, "bodies everywhere");
    is_uint(ngx_http_hls_store_note(&store, key_of(&store, "n"), 3, 0,
                                    times_of(0, 100000)), NGX_BUSY,
            "no room for a note");
    is_uint(put(&store, "another", 1, 1, 100000, 200000), NGX_OK,
            "but for another body");

    (void) ngx_http_hls_store_purge_all(&store);
    IS_CHECKED("bodies");

    store_free(&store);
    store_make(&store, 1024 * 1024);
}


/* small cells run out: references that are not needed go */

static void
test_smalls(void)
{
    uint32_t              last;
    ngx_uint_t            i, k, wrong;
    ngx_http_hls_found_t  found[4];

    /* as if others had taken most of them */

    ngx_http_hls_store_lock(&store);
    last = store.sh->nsmalls;
    store.sh->nsmalls = store.sh->small_top + 40;
    ngx_http_hls_store_unlock(&store);

    wrong = 0;

    for (i = 0; i < 200; i++) {
        wrong += put(&store, name("m", i), (u_char) i, 10, 1000, 2000)
                 != NGX_OK;

        for (k = 0; k < 4; k++) {
            (void) look(&store, name("m", i - k), 0, &found[k]);
        }

        for (k = 0; k < 4; k++) {
            ngx_http_hls_store_release(&store, &found[k].body);
        }
    }

    is_uint(wrong, 0, "with few small cells");
    IS_CHECKED("few small cells");

    for (i = 0; i < 50; i++) {
        if (look(&store, name("q", i), CLAIM, &found[0]) != CLAIMED) {
            break;
        }
    }

    ok(i >= 38 && i < 50, "%lu claims take them all", (unsigned long) i);
    is_uint(look(&store, "r", CLAIM, &found[0]), (ngx_uint_t) -1, "no room");
    IS_CHECKED("no small cells");

    (void) ngx_http_hls_store_purge_all(&store);

    store.sh->nsmalls = last;
    IS_CHECKED("many again");
}


/*
 * Of unknown length, each could be as large as a quarter of the store but is
 * not: there is room in one piece all the same
 */

static void
test_pieces(void)
{
    ngx_int_t              rc;
    ngx_uint_t             i, k, wrong;
    ngx_http_hls_body_t    fill[8];
    ngx_http_hls_found_t   found[8];

    store_make(&store, 4 * 1024 * 1024);

    wrong = 0;
    srandom(1);

    for (i = 0; i < 300; i++) {

        for (k = 0; k < 8; k++) {
            (void) look(&store, name("i", i * 8 + k), CLAIM, &found[k]);
            rc = begin(&store, &found[k], -1, 1024 * 1024, 1, &fill[k]);
            wrong += (rc != NGX_OK);
        }

        for (k = 0; k < 8; k++) {
            rc = add(&store, &found[k], &fill[k], 1,
                     10000 + random() % 60000);
            wrong += (rc != NGX_OK);
            (void) ngx_http_hls_store_done(&store, &found[k], &fill[k],
                                           times_of(100000, 100000));
            ngx_http_hls_store_release(&store, &fill[k]);
        }

        /* others in between */

        for (k = 0; k < 8; k++) {
            wrong += put(&store, name("j", i * 8 + k), 1, 300, 100000, 100000)
                     != NGX_OK;
        }
    }

    is_uint(wrong, 0, "unknown lengths");
    IS_CHECKED("pieces");
    store_free(&store);
}


/* of lengths that are known, small and large */

static void
test_known_pieces(void)
{
    ngx_uint_t  i, wrong;

    store_make(&store, 4 * 1024 * 1024);

    wrong = 0;

    for (i = 0; i < 5000; i++) {
        wrong += put(&store, name("i", i), 1,
                     random() % ((i % 10) ? 5000 : 400000), 100000, 100000)
                 != NGX_OK;
    }

    is_uint(wrong, 0, "known lengths");
    is_uint(stat_of(&store)->passed, 0, "nothing passed");
    IS_CHECKED("known pieces");
    store_free(&store);
}


static char *
name(const char *prefix, ngx_uint_t n)
{
    static char  text[64];

    snprintf(text, sizeof(text), "live|/hls/%s-%lu.ts", prefix,
             (unsigned long) n);

    return text;
}


static ngx_uint_t
present(const char *prefix, ngx_uint_t first, ngx_uint_t last)
{
    ngx_uint_t  n;

    n = 0;

    for ( /* void */ ; first <= last; first++) {
        n += state_of(&store, name(prefix, first)) == FRESH;
    }

    return n;
}
