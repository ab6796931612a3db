
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


/* The cache's store in one process: each function of it */


#include "hls_store.h"

#include <sys/resource.h>


#define IS_CHECKED(what)  ok(ngx_http_hls_store_check(&store) == NGX_OK,      \
                             "%s: consistent", what)


static void test_init(void);
static void test_states(void);
static void test_known(void);
static void test_unknown(void);
static void test_hidden(void);
static void test_fail(void);
static void test_keys(void);
static void test_touch(void);
static void test_note(void);
static void test_refs(void);
static void test_purge(void);
static void test_late(void);
static void test_slotless(void);
static void test_punching(void);
static void test_file(void);
static void test_hold(void);


static ngx_http_hls_store_t  store;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;
    unit_tick(100000);

    test_init();
    test_states();
    test_known();
    test_unknown();
    test_hidden();
    test_fail();
    test_keys();
    test_touch();
    test_note();
    test_refs();
    test_purge();
    test_late();
    test_slotless();
    test_punching();
    test_file();
    test_hold();

    return done();
}


static void
test_init(void)
{
    ngx_http_hls_store_t   again;
    ngx_http_hls_window_t  *window;

    store_make(&store, 1024 * 1024);
    store_slot();

    IS_CHECKED("empty");
    is_uint(stat_of(&store)->used, 0, "nothing used");
    is_uint(stat_of(&store)->size, store.size, "size");
    ok(stat_of(&store)->cells_total > 100, "cells: %u",
       stat_of(&store)->cells_total);
    is_uint(resident(&store), 0, "window takes no memory");
    ok(fcntl(store.window->fd, F_GETFD) & FD_CLOEXEC, "close-on-exec");

    is_uint(put(&store, "live|/a.ts", 1, 5000, 10000, 20000), NGX_OK, "put");

    again = store;
    again.sh = NULL;
    is_uint(ngx_http_hls_store_init(&again, store.shpool), NGX_OK,
            "taken over");
    ok(again.sh == store.sh, "the same");
    is_uint(state_of(&again, "live|/a.ts"), FRESH, "with all in it");

    again.size -= ngx_pagesize;
    is_uint(ngx_http_hls_store_init(&again, store.shpool), NGX_OK,
            "taken over");
    is_uint(again.size, store.size, "with the size that it has");

    window = ngx_http_hls_window_create(store.size, &unit_log);
    again.window = window;
    is_uint(ngx_http_hls_store_init(&again, store.shpool), NGX_DECLINED,
            "not with another window");
    ngx_http_hls_window_free(window);
}


static void
test_states(void)
{
    ngx_http_hls_found_t  found, other;

    is_uint(state_of(&store, "k"), NONE, "unknown");
    is_uint(stat_of(&store)->entries, 1, "leaves nothing behind");

    is_uint(look(&store, "k", CLAIM, &found), CLAIMED, "claimed");
    ok(found.fill != 0, "number of the fill");
    is_uint(found.used, 0, "never used");
    is_uint(look(&store, "k", CLAIM, &other), FILLING, "is being filled");
    is_uint(other.fill, found.fill, "by that fill");
    is_uint(other.body.body, 0, "nothing yet");
    ngx_http_hls_store_abandon(&store, &found, NULL);
    is_uint(state_of(&store, "k"), NONE, "abandoned");
    is_uint(stat_of(&store)->entries, 1, "leaves nothing behind");

    is_uint(put(&store, "k", 3, 100, 10000, 20000), NGX_OK, "put");
    is_uint(look(&store, "k", CLAIM, &found), FRESH, "fresh");
    ok(good(&found.body, 3, 100), "body");
    is_uint(found.body.total, 100, "total");
    is_uint(found.body.status, 200, "status");
    is_uint(found.body.state, NGX_HTTP_HLS_BODY_DONE, "done");
    is_uint(found.fill, 0, "no fill");
    ngx_http_hls_store_release(&store, &found.body);
    is_uint(found.body.body, 0, "released");

    is_uint(look(&store, "k", REFRESH, &found), CLAIMED, "refreshed");
    ok(good(&found.body, 3, 100), "old body");
    is_uint(look(&store, "k", REFRESH, &other), FRESH, "still fresh");
    is_uint(other.fill, found.fill, "is being filled");
    ngx_http_hls_store_release(&store, &other.body);
    ngx_http_hls_store_release(&store, &found.body);
    ngx_http_hls_store_abandon(&store, &found, NULL);
    is_uint(state_of(&store, "k"), FRESH, "nothing changed");

    unit_tick(11000);
    is_uint(look(&store, "k", 0, &found), STALE, "stale");
    is_uint(found.used, ngx_current_msec - 11000, "last use");
    ok(good(&found.body, 3, 100), "body");
    ngx_http_hls_store_release(&store, &found.body);

    is_uint(look(&store, "k", CLAIM, &found), CLAIMED, "claimed");
    ok(good(&found.body, 3, 100), "stale body");
    is_uint(look(&store, "k", CLAIM, &other), UPDATING, "updating");
    ok(good(&other.body, 3, 100), "stale body");
    ngx_http_hls_store_release(&store, &other.body);
    ngx_http_hls_store_release(&store, &found.body);

    unit_tick(10000);
    is_uint(state_of(&store, "k"), FILLING, "over, but filled");
    ngx_http_hls_store_abandon(&store, &found, NULL);
    is_uint(look(&store, "k", 0, &found), NONE, "over");
    is_uint(found.body.body, 0, "no body");

    unit_tick(1000);
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->entries, 0, "dropped");
    is_uint(resident(&store), 0, "and its memory");
    IS_CHECKED("states");
}


static void
test_known(void)
{
    ngx_http_hls_body_t        fill;
    ngx_http_hls_found_t       found, other;
    ngx_http_hls_store_stat_t  stat;

    (void) woken();

    is_uint(look(&store, "s", CLAIM, &found), CLAIMED, "claimed");
    is_uint(look(&store, "s", CLAIM, &other), FILLING, "is being filled");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_OK, "wait");
    is_uint(woken(), 0, "for something");

    is_uint(begin(&store, &found, 100000, 0, 1, &fill), NGX_OK, "begin");
    is_uint(woken(), 1, "woken at the head");
    ok((size_t) (fill.data - store.window->base) == (size_t) fill.offset,
       "offset of data");
    is_uint(stat_of(&store)->used, 25 * 4096, "reserved");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_DECLINED,
            "there is something");

    is_uint(ngx_http_hls_store_again(&store, &other), NGX_OK, "again");
    is_uint(other.state, FILLING, "filling");
    ok(good(&other.body, 0, 0), "head");
    is_uint(other.body.total, 100000, "announced");
    is_uint(other.body.state, NGX_HTTP_HLS_BODY_FILLING, "filling");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_OK, "wait");

    is_uint(add(&store, &found, &fill, 9, 40000), NGX_OK, "write");
    is_uint(woken(), 1, "woken");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_DECLINED,
            "there are more");
    is_uint(other.body.len, 0, "as it was");
    ngx_http_hls_store_progress(&store, &other.body);
    ok(good(&other.body, 9, 40000), "progress");
    is_uint(ngx_http_hls_store_wait(&store, &other, 40000), NGX_OK, "wait");
    is_uint(ngx_http_hls_store_wait(&store, &other, 40000), NGX_OK, "twice");

    is_uint(add(&store, &found, &fill, 9, 60001), NGX_DECLINED,
            "more than announced");
    is_uint(woken(), 0, "is not taken");
    is_uint(add(&store, &found, &fill, 9, 60000), NGX_OK, "write");
    is_uint(woken(), 1, "woken");
    is_uint(ngx_http_hls_store_wait(&store, &other, 100000), NGX_OK, "wait");

    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_OK, "done");
    is_uint(woken(), 1, "woken");
    is_uint(ngx_http_hls_store_wait(&store, &other, 100000), NGX_DECLINED,
            "over");
    ngx_http_hls_store_progress(&store, &other.body);
    is_uint(other.body.state, NGX_HTTP_HLS_BODY_DONE, "done");
    ok(good(&other.body, 9, 100000), "body");
    ok(good(&fill, 9, 100000), "body of the filler");

    ngx_http_hls_store_stat(&store, &stat);
    is_uint(stat.refs, 2, "references");
    is_uint(stat.bodies, 1, "one body");
    is_uint(stat.fills, 0, "no fills");

    ngx_http_hls_store_release(&store, &other.body);
    ngx_http_hls_store_release(&store, &fill);
    is_uint(stat_of(&store)->refs, 0, "no references");

    /* cut off */

    is_uint(look(&store, "cut", CLAIM, &found), CLAIMED, "claimed");
    is_uint(begin(&store, &found, 5000, 0, 1, &fill), NGX_OK, "begin");
    is_uint(look(&store, "cut", CLAIM, &other), FILLING, "filling");
    is_uint(add(&store, &found, &fill, 9, 4999), NGX_OK, "write");
    is_uint(ngx_http_hls_store_wait(&store, &other, 4999), NGX_OK, "wait");
    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_DECLINED,
            "less than announced");
    is_uint(woken(), 1, "woken");
    ngx_http_hls_store_progress(&store, &other.body);
    is_uint(other.body.state, NGX_HTTP_HLS_BODY_FAILED, "failed");
    is_uint(state_of(&store, "cut"), NONE, "not stored");
    ngx_http_hls_store_release(&store, &fill);
    is_uint(stat_of(&store)->bodies, 2, "somebody reads it");
    ngx_http_hls_store_release(&store, &other.body);
    is_uint(stat_of(&store)->bodies, 1, "nobody does");
    is_uint(stat_of(&store)->used, 25 * 4096, "memory");

    /* nothing at all in it */

    is_uint(put(&store, "zero", 1, 0, 1000, 2000), NGX_OK, "empty body");
    is_uint(look(&store, "zero", 0, &found), FRESH, "stored");
    ok(good(&found.body, 1, 0), "empty");
    ngx_http_hls_store_release(&store, &found.body);

    is_uint(ngx_http_hls_store_purge_all(&store), 2, "purge");
    is_uint(resident(&store), 0, "nothing is left");
    IS_CHECKED("known length");
}


static void
test_unknown(void)
{
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  found, other;

    is_uint(look(&store, "u", CLAIM, &found), CLAIMED, "claimed");
    is_uint(begin(&store, &found, -1, 500000, 1, &fill), NGX_OK, "begin");
    is_uint(fill.total, -1, "unknown");
    is_uint(stat_of(&store)->used, 4096, "only the head counts");

    is_uint(add(&store, &found, &fill, 5, 100000), NGX_OK, "write");
    is_uint(stat_of(&store)->used, 25 * 4096, "as much as is written");
    is_uint(look(&store, "u", CLAIM, &other), FILLING, "filling");
    ok(good(&other.body, 5, 100000), "so far");
    is_uint(other.body.total, -1, "unknown");

    is_uint(add(&store, &found, &fill, 5, 50000), NGX_OK, "write");
    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_OK, "done");
    ngx_http_hls_store_progress(&store, &other.body);
    is_uint(other.body.total, 150000, "known at the end");
    ok(good(&other.body, 5, 150000), "body");
    is_uint(ngx_http_hls_body(store.sh, fill.body)->npages, 37, "trimmed");
    ngx_http_hls_store_release(&store, &other.body);
    ngx_http_hls_store_release(&store, &fill);

    is_uint(look(&store, "v", CLAIM, &found), CLAIMED, "claimed");
    is_uint(begin(&store, &found, -1, 500000, 1, &fill), NGX_OK, "begin");
    is_uint(add(&store, &found, &fill, 5, 500000), NGX_OK, "write");
    is_uint(add(&store, &found, &fill, 5, 5000), NGX_BUSY,
            "more than the most");
    ngx_http_hls_store_fail(&store, &found, &fill, 0, NULL);
    is_uint(state_of(&store, "v"), NONE, "failed");
    is_uint(stat_of(&store)->used, 37 * 4096, "memory");

    /* nothing comes */

    is_uint(look(&store, "v", CLAIM, &found), CLAIMED, "claimed");
    is_uint(begin(&store, &found, -1, 500000, 1, &fill), NGX_OK, "begin");
    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_OK, "done");
    ok(good(&fill, 5, 0), "empty");
    ngx_http_hls_store_release(&store, &fill);

    /* as much as there is */

    is_uint(look(&store, "w", CLAIM, &found), CLAIMED, "claimed");
    is_uint(begin(&store, &found, -1, 1 << 30, 1, &fill), NGX_OK, "begin");
    is_uint(add(&store, &found, &fill, 5, store.size - 4096), NGX_OK,
            "write");
    is_uint(add(&store, &found, &fill, 5, 8192), NGX_BUSY, "too much");
    is_uint(state_of(&store, "u"), NONE, "others were evicted");
    ngx_http_hls_store_abandon(&store, &found, &fill);

    is_uint(stat_of(&store)->used, 0, "memory");
    is_uint(resident(&store), 0, "nothing is left");
    IS_CHECKED("unknown length");
}


static void
test_hidden(void)
{
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  found, other;

    (void) woken();

    is_uint(look(&store, "p", CLAIM, &found), CLAIMED, "claimed");
    is_uint(look(&store, "p", 0, &other), FILLING, "filling");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_OK, "wait");
    is_uint(begin(&store, &found, 300, 0, 0, &fill), NGX_OK, "begin");
    is_uint(add(&store, &found, &fill, 5, 300), NGX_OK, "write");
    is_uint(woken(), 0, "others do not see it");
    is_uint(ngx_http_hls_store_again(&store, &other), NGX_OK, "again");
    is_uint(other.body.body, 0, "indeed");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_OK, "wait");
    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_OK, "done");
    is_uint(woken(), 1, "before it is done");
    is_uint(ngx_http_hls_store_again(&store, &other), NGX_OK, "again");
    is_uint(other.state, FRESH, "fresh");
    ok(good(&other.body, 5, 300), "body");

    ngx_http_hls_store_release(&store, &other.body);
    ngx_http_hls_store_release(&store, &fill);
}


static void
test_fail(void)
{
    ngx_http_hls_body_t    fill;
    ngx_http_hls_found_t   found, other;
    ngx_http_hls_times_t  *times;

    (void) woken();

    is_uint(look(&store, "f", CLAIM, &found), CLAIMED, "claimed");
    is_uint(look(&store, "f", 0, &other), FILLING, "filling");
    is_uint(ngx_http_hls_store_wait(&store, &other, 0), NGX_OK, "wait");
    ngx_http_hls_store_fail(&store, &found, NULL, 404, times_of(1000, 1000));
    is_uint(woken(), 1, "woken");
    is_uint(ngx_http_hls_store_again(&store, &other), NGX_OK, "again");
    is_uint(other.state, FRESH, "remembered");
    is_uint(other.status, 404, "status");
    is_uint(other.body.body, 0, "no body");
    unit_tick(1000);
    is_uint(state_of(&store, "f"), NONE, "no longer");
    ngx_http_hls_store_sweep(&store);
    is_uint(ngx_http_hls_store_again(&store, &other), NGX_DECLINED, "gone");

    /* what there is stays */

    is_uint(put(&store, "f", 1, 100, 1000, 5000), NGX_OK, "put");
    unit_tick(2000);
    is_uint(look(&store, "f", CLAIM, &found), CLAIMED, "claimed");
    ngx_http_hls_store_release(&store, &found.body);
    is_uint(begin(&store, &found, 300, 0, 1, &fill), NGX_OK, "begin");
    times = times_of(1000, 5000);
    times->data[63] = 77;
    times->changed = 0;
    ngx_http_hls_store_fail(&store, &found, &fill, 502, times);
    is_uint(fill.body, 0, "released");
    is_uint(look(&store, "f", 0, &found), FRESH, "with new times");
    is_uint(found.times.data[63], 77, "data");
    is_uint(found.times.changed, ngx_current_msec - 2000, "unchanged");
    ok(good(&found.body, 1, 100), "old body");
    ngx_http_hls_store_release(&store, &found.body);

    is_uint(ngx_http_hls_store_purge_all(&store), 2, "purge");
    is_uint(stat_of(&store)->entries, 0, "nothing is left");
    IS_CHECKED("fail");
}


static void
test_keys(void)
{
    char                  text[NGX_HTTP_HLS_STORE_KEY_LEN + 2];
    size_t                len;
    ngx_http_hls_found_t  found;

    static size_t  lens[] = { 1, 44, 45, 46, 292, 293, 294, 295, 4096 };
    ngx_uint_t     i;

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(text, 'a' + (int) i, lens[i]);
        text[lens[i]] = '\0';
        is_uint(put(&store, text, (u_char) i, 10, 1000, 2000), NGX_OK,
                "key of %lu bytes", (unsigned long) lens[i]);
    }

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(text, 'a' + (int) i, lens[i]);
        text[lens[i]] = '\0';
        is_uint(look(&store, text, 0, &found), FRESH, "found");
        ok(good(&found.body, (u_char) i, 10), "body");
        ngx_http_hls_store_release(&store, &found.body);

        text[lens[i] - 1] ^= 1;
        is_uint(state_of(&store, text), NONE, "another one");
    }

    len = NGX_HTTP_HLS_STORE_KEY_LEN + 1;
    memset(text, 'x', len);
    text[len] = '\0';
    is_uint(look(&store, text, CLAIM, &found), (ngx_uint_t) -1, "too long");

    is_uint(ngx_http_hls_store_purge_all(&store), 9, "purge");
    IS_CHECKED("keys");
    is_uint(stat_of(&store)->cells_used, 0, "all cells are free");
}


static void
test_touch(void)
{
    ngx_http_hls_found_t   found;
    ngx_http_hls_times_t  *times;

    is_uint(put(&store, "t", 1, 100, 1000, 1000), NGX_OK, "put");

    times = times_of(5000, 6000);
    times->data[0] = 8;
    times->changed = 0;

    is_uint(ngx_http_hls_store_touch(&store, key_of(&store, "z"), times, 1),
            NGX_DECLINED, "nothing to touch");

    is_uint(ngx_http_hls_store_touch(&store, key_of(&store, "t"), times, 1),
            NGX_OK, "touch");
    unit_tick(3000);
    is_uint(look(&store, "t", 0, &found), FRESH, "lives on");
    is_uint(found.times.data[0], 1, "data stays");
    is_uint(found.times.changed, ngx_current_msec - 3000, "change stays");
    ngx_http_hls_store_release(&store, &found.body);

    is_uint(ngx_http_hls_store_touch(&store, key_of(&store, "t"), times, 0),
            NGX_OK, "touch");
    is_uint(look(&store, "t", 0, &found), FRESH, "lives on");
    is_uint(found.times.data[0], 8, "data");
    ngx_http_hls_store_release(&store, &found.body);

    /* of an error it is not known how long it lasts */

    is_uint(look(&store, "e", CLAIM, &found), CLAIMED, "claimed");
    ngx_http_hls_store_fail(&store, &found, NULL, 404, times_of(500, 500));
    is_uint(ngx_http_hls_store_touch(&store, key_of(&store, "e"),
                                     times_of(5000, 5000), 1),
            NGX_OK, "touch");
    unit_tick(500);
    is_uint(state_of(&store, "e"), NONE, "is over");

    is_uint(ngx_http_hls_store_purge_all(&store), 2, "purge");
    IS_CHECKED("touch");
}


static void
test_note(void)
{
    ngx_str_t              name;
    uint32_t               stream;
    ngx_http_hls_found_t   found;
    ngx_http_hls_times_t  *times;

    name = unit_str("live/cam1");
    stream = ngx_http_hls_store_stream(&store, &name);
    ok(stream != 0, "stream");

    times = times_of(0, 5000);
    times->data[1] = 9;

    is_uint(ngx_http_hls_store_note(&store, key_of(&store, "n"), 3, stream,
                                    times), NGX_OK, "note");
    is_uint(look(&store, "n", 0, &found), NONE, "no object");
    is_uint(found.stream, stream, "stream");
    is_uint(found.times.data[1], 9, "data");
    is_uint(found.kind, 3, "kind");
    ok(found.entry != 0, "entry");

    is_uint(look(&store, "n", CLAIM, &found), CLAIMED, "claimed");
    is_uint(found.stream, stream, "stream");
    ngx_http_hls_store_fail(&store, &found, NULL, 404, times_of(1000, 5000));
    is_uint(state_of(&store, "n"), FRESH, "404");
    is_uint(ngx_http_hls_store_note(&store, key_of(&store, "n"), 3, stream,
                                    times_of(0, 5000)), NGX_OK, "note");
    is_uint(state_of(&store, "n"), NONE, "is listed, so try again");

    unit_tick(5000);
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->entries, 0, "over");
    is_uint(stat_of(&store)->streams, 1, "the stream is still there");
    unit_tick(NGX_HTTP_HLS_IDLE);
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->streams, 0, "is gone");
    IS_CHECKED("note");
}


static void
test_refs(void)
{
    ngx_uint_t            i;
    ngx_http_hls_found_t  found[10], other;

    is_uint(put(&store, "r", 1, 9000, 1000, 2000), NGX_OK, "put");

    for (i = 0; i < 10; i++) {
        (void) look(&store, "r", 0, &found[i]);
    }

    is_uint(stat_of(&store)->refs, 10, "references");
    is_uint(ngx_http_hls_store_purge(&store, key_of(&store, "r")), NGX_OK,
            "purge");
    is_uint(ngx_http_hls_store_purge(&store, key_of(&store, "r")),
            NGX_DECLINED, "once");
    is_uint(put(&store, "r", 2, 9000, 1000, 2000), NGX_OK, "put another");
    is_uint(stat_of(&store)->bodies, 2, "both are there");
    IS_CHECKED("doomed");

    for (i = 0; i < 10; i++) {
        ok(good(&found[i].body, 1, 9000), "doomed body");
        ngx_http_hls_store_release(&store, &found[i].body);
        ngx_http_hls_store_release(&store, &found[i].body);
    }

    is_uint(stat_of(&store)->refs, 0, "no references");
    is_uint(stat_of(&store)->bodies, 1, "gone");
    is_uint(resident(&store), 3 * 4096, "and its memory");

    (void) look(&store, "r", 0, &other);
    ok(good(&other.body, 2, 9000), "new body");
    ngx_http_hls_store_release(&store, &other.body);

    is_uint(ngx_http_hls_store_purge_all(&store), 1, "purge");
    IS_CHECKED("references");
}


static void
test_purge(void)
{
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  found, other, third;

    (void) woken();

    is_uint(look(&store, "g", CLAIM, &found), CLAIMED, "claimed");
    is_uint(begin(&store, &found, 9000, 0, 1, &fill), NGX_OK, "begin");
    is_uint(add(&store, &found, &fill, 4, 5000), NGX_OK, "write");
    is_uint(look(&store, "g", 0, &other), FILLING, "filling");
    is_uint(ngx_http_hls_store_wait(&store, &other, 5000), NGX_OK, "wait");
    is_uint(ngx_http_hls_store_purge(&store, key_of(&store, "g")), NGX_OK,
            "purge");
    is_uint(woken(), 1, "woken");
    is_uint(ngx_http_hls_store_again(&store, &other), NGX_DECLINED, "gone");
    is_uint(ngx_http_hls_store_wait(&store, &other, 5000), NGX_DECLINED,
            "nothing to wait for");
    is_uint(state_of(&store, "g"), NONE, "is not there");
    is_uint(look(&store, "g", CLAIM, &third), CLAIMED, "claimed anew");

    is_uint(add(&store, &found, &fill, 4, 4000), NGX_DECLINED, "purged");
    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_DECLINED,
            "purged");
    is_uint(state_of(&store, "g"), FILLING, "the other one is filled");
    ok(good(&fill, 4, 5000), "still reads");
    ok(good(&other.body, 4, 5000), "others, too");
    ngx_http_hls_store_release(&store, &fill);
    ngx_http_hls_store_release(&store, &other.body);
    is_uint(stat_of(&store)->used, 0, "memory");
    IS_CHECKED("purged fill");

    ngx_http_hls_store_fail(&store, &found, &fill, 404, times_of(1, 1));
    is_uint(state_of(&store, "g"), FILLING, "nobody else is hurt");
    is_uint(begin(&store, &found, 9000, 0, 1, &fill), NGX_DECLINED, "purged");
    ngx_http_hls_store_abandon(&store, &third, NULL);

    is_uint(stat_of(&store)->entries, 0, "nothing is left");
    IS_CHECKED("purge");
}


/* whose fill was given up, and is another's now */

static void
test_late(void)
{
    ngx_http_hls_body_t   a, b;
    ngx_http_hls_found_t  first, second;

    is_uint(put(&store, "o", 1, 100, 10, 20000), NGX_OK, "put");
    unit_tick(20);

    is_uint(look(&store, "o", CLAIM, &first), CLAIMED, "claimed");
    ngx_http_hls_store_release(&store, &first.body);
    is_uint(begin(&store, &first, 300, 0, 1, &a), NGX_OK, "begin");
    is_uint(begin(&store, &first, 300, 0, 1, &b), NGX_DECLINED, "once");
    ngx_http_hls_store_abandon(&store, &first, NULL);

    is_uint(look(&store, "o", CLAIM, &second), CLAIMED, "claimed");
    ngx_http_hls_store_release(&store, &second.body);
    ok(first.seq == second.seq && first.fill != second.fill, "another fill");
    is_uint(begin(&store, &first, 300, 0, 1, &b), NGX_DECLINED, "too late");
    is_uint(begin(&store, &second, 300, 0, 1, &b), NGX_OK, "begin");

    is_uint(add(&store, &first, &a, 2, 300), NGX_DECLINED, "too late");
    is_uint(ngx_http_hls_store_done(&store, &first, &a, times_of(100, 200)),
            NGX_DECLINED, "too late");
    ngx_http_hls_store_fail(&store, &first, &a, 404, times_of(100, 200));

    is_uint(add(&store, &second, &b, 3, 300), NGX_OK, "write");
    is_uint(ngx_http_hls_store_done(&store, &second, &b,
                                    times_of(100, 200)), NGX_OK, "done");
    ok(good(&b, 3, 300), "body");
    ngx_http_hls_store_release(&store, &b);

    is_uint(ngx_http_hls_store_purge_all(&store), 1, "purge");
    is_uint(stat_of(&store)->used, 0, "nothing is left");
    IS_CHECKED("late");
}


/* it can neither claim nor refer to anything, but must not harm */

static void
test_slotless(void)
{
    ngx_http_hls_found_t  found;

    is_uint(put(&store, "x", 1, 100, 1000, 2000), NGX_OK, "put");

    ngx_rtmp_route_slot_release();

    is_uint(look(&store, "x", 0, &found), (ngx_uint_t) -1, "no slot");
    is_uint(look(&store, "y", CLAIM, &found), (ngx_uint_t) -1, "no slot");
    is_uint(stat_of(&store)->entries, 1, "leaves nothing behind");
    is_uint(ngx_http_hls_store_purge(&store, key_of(&store, "x")), NGX_OK,
            "purge");
    IS_CHECKED("without a slot");
    is_uint(stat_of(&store)->used, 4096, "left to others");

    store_slot();
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->used, 0, "which see to it");
    is_uint(resident(&store), 0, "indeed");
    IS_CHECKED("with a slot");
}


/* what this process is about to punch out is left to it */

static void
test_punching(void)
{
    ngx_http_hls_punch_t  punch;

    is_uint(put(&store, "x", 1, 100, 1000, 2000), NGX_OK, "put");

    ngx_http_hls_store_lock(&store);
    ngx_http_hls_store_entry_drop(&store,
                     ngx_http_hls_store_find(store.sh,
                                             key_of(&store, "x")->hash,
                                             NGX_HTTP_HLS_CELL_ENTRY));
    is_uint(ngx_http_hls_store_punch_get(&store, &punch, 1), 1, "to punch");
    ngx_http_hls_store_unlock(&store);

    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->used, 4096, "not yet free");
    is_uint(resident(&store), 4096, "nor punched");
    IS_CHECKED("punching");

    ngx_http_hls_store_punch(&store, &punch, 1);
    is_uint(resident(&store), 0, "punched");

    ngx_http_hls_store_lock(&store);
    ngx_http_hls_store_punch_end(&store, &punch, 1);
    ngx_http_hls_store_unlock(&store);
    is_uint(stat_of(&store)->used, 0, "free");
    IS_CHECKED("punched");
}


/* the file cannot be written to */

static void
test_file(void)
{
    ngx_fd_t              fd;
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  found;

    fd = store.window->fd;
    unit_log.log_level = 0;

    is_uint(look(&store, "x", CLAIM, &found), CLAIMED, "claimed");

    store.window->fd = -1;
    is_uint(begin(&store, &found, 100, 0, 1, &fill), NGX_BUSY,
            "head is not written");
    store.window->fd = fd;

    is_uint(fill.body, 0, "no body");
    is_uint(state_of(&store, "x"), FILLING, "goes on without");

    store.window->fd = -1;
    is_uint(begin(&store, &found, 100, 0, 1, &fill), NGX_BUSY, "again");
    store.window->fd = fd;

    is_uint(begin(&store, &found, 100, 0, 1, &fill), NGX_OK, "better now");

    store.window->fd = -1;
    is_uint(add(&store, &found, &fill, 1, 100), NGX_BUSY,
            "data are not written");
    store.window->fd = fd;

    is_uint(fill.len, 0, "nothing added");
    ngx_http_hls_store_fail(&store, &found, &fill, 0, NULL);

    unit_log.log_level = NGX_LOG_CRIT;

    is_uint(stat_of(&store)->entries, 0, "nothing is left");
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->used, 0, "no pages");
    IS_CHECKED("file");
}


static void
test_hold(void)
{
    rlim_t         cur;
    ngx_fd_t       fd;
    struct stat    st;
    struct rlimit  rlmt;

    fd = store.window->fd;

    ngx_http_hls_window_hold(store.window);
    ngx_http_hls_window_free(store.window);
    is_uint(fstat(fd, &st), 0, "held");
    store_free(&store);
    is_uint(fstat(fd, &st), -1, "closed");

    unit_log.log_level = 0;
    ok(ngx_http_hls_window_create((size_t) 1 << 62, &unit_log) == NULL,
       "too large");

    (void) getrlimit(RLIMIT_FSIZE, &rlmt);
    cur = rlmt.rlim_cur;
    rlmt.rlim_cur = 1024 * 1024;
    (void) setrlimit(RLIMIT_FSIZE, &rlmt);
    ok(ngx_http_hls_window_create(1024 * 1024, &unit_log) == NULL,
       "larger than a file may be");
    rlmt.rlim_cur = cur;
    (void) setrlimit(RLIMIT_FSIZE, &rlmt);
    unit_log.log_level = NGX_LOG_CRIT;
}
