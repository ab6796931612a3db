
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_http_hls_policy.c */


#include "unit.h"
#include <ngx_http.h>
#include "ngx_http_hls_store.h"
#include "ngx_http_hls_policy.h"


#define NOW  1000000


typedef struct {
    ngx_msec_t       target;
    ngx_msec_t       period;
    ngx_msec_t       update;
    ngx_msec_t       valid;
    ngx_uint_t       flags;         /* 1: master, 2: ENDLIST, 4: VOD */
    ngx_msec_t       since;         /* the change */
    ngx_msec_t       next;          /* after now */
    ngx_uint_t       predicted;
} test_list_t;


typedef struct {
    ngx_uint_t       status;
    ngx_uint_t       flags;
    ngx_uint_t       tries;
    ngx_uint_t       action;
    ngx_uint_t       answer;
    ngx_msec_t       ttl;
} test_fail_t;


typedef struct {
    char            *headers;       /* "name: value\n..." */
    ngx_uint_t       media;
    ngx_uint_t       honor;
    ngx_int_t        rc;
    ngx_msec_t       valid;
} test_headers_t;


#define USABLE  1
#define BODY    2
#define LISTED  4
#define ROUTE   8
#define LIVE    16


static void test_list(void);
static void test_cadence(void);
static void test_aged(void);
static void test_age(void);
static void test_life(void);
static void test_fail(void);
static void test_answer(void);
static void test_headers(void);
static void parse(char *text, ngx_http_hls_policy_headers_t *headers);
static void test_msn(void);
static void test_hang(void);
static void test_look(void);
static void test_looked(void);
static void test_moment(void);


static test_list_t  lists[] = {

    /* half the target duration, clamped */

    { 4000, 0, 0, 0, 0, 0, 2000, 0 },
    { 1000, 0, 0, 0, 0, 0, 500, 0 },
    { 300, 0, 0, 0, 0, 0, 200, 0 },
    { 1, 0, 0, 0, 0, 0, 200, 0 },
    { 200000, 0, 0, 0, 0, 0, 30000, 0 },
    { 0, 0, 0, 0, 0, 0, 1000, 0 },

    /* the next change if it comes first, or soon after */

    { 4000, 4000, 0, 0, 0, 100, 2000, 0 },
    { 4000, 4000, 0, 0, 0, 2100, 1900, 1 },
    { 4000, 4000, 0, 0, 0, 1600, 2400, 1 },
    { 4000, 4000, 0, 0, 0, 1499, 2000, 0 },
    { 4000, 4000, 0, 0, 0, 3999, 1, 1 },
    { 4000, 1000, 0, 0, 0, 0, 1000, 1 },

    /* overdue: polls, until it is frozen */

    { 4000, 4000, 0, 0, 0, 4000, 500, 1 },
    { 4000, 4000, 0, 0, 0, 5000, 500, 1 },
    { 1000, 1000, 0, 0, 0, 1100, 125, 1 },
    { 400, 400, 0, 0, 0, 500, 100, 1 },
    { 4000, 4000, 0, 0, 0, 12000, 500, 1 },
    { 4000, 4000, 0, 0, 0, 12001, 2000, 0 },
    { 900000, 900000, 0, 0, 0, 1000000, 30000, 1 },

    /* the others */

    { 4000, 4000, 0, 0, 1, 5000, 5000, 0 },
    { 4000, 4000, 0, 0, 2, 5000, 10000, 0 },
    { 4000, 4000, 0, 0, 6, 5000, 3600000, 0 },
    { 0, 0, 2000, 0, 0, 5000, 2000, 0 },
    { 0, 0, 10, 0, 0, 5000, 200, 0 },
    { 0, 0, 90000, 0, 0, 5000, 30000, 0 },
    { 0, 0, 2000, 0, 6, 5000, 3600000, 0 },

    /* hls_cache_valid */

    { 4000, 4000, 0, 700, 0, 5000, 700, 0 },
    { 4000, 4000, 0, 700, 1, 5000, 700, 0 },
    { 4000, 4000, 0, 700, 2, 5000, 700, 0 },
    { 1000, 1000, 0, 900000, 0, 5000, 900000, 0 },
};


static test_fail_t  fails[] = {

    /* an old one that is good yet */

    { 0, USABLE|BODY, 0, NGX_HTTP_HLS_FAILED_STALE, 0, 250 },
    { 502, USABLE|BODY|ROUTE, 0, NGX_HTTP_HLS_FAILED_STALE, 0, 250 },
    { 404, USABLE|BODY|LISTED, 0, NGX_HTTP_HLS_FAILED_STALE, 0, 250 },
    { 403, USABLE|BODY, 9, NGX_HTTP_HLS_FAILED_STALE, 0, 250 },

    /* none that is */

    { 404, BODY, 0, NGX_HTTP_HLS_FAILED_ERROR, 404, 250 },
    { 410, BODY, 0, NGX_HTTP_HLS_FAILED_ERROR, 410, 250 },
    { 502, BODY, 0, NGX_HTTP_HLS_FAILED_ERROR, 503, 250 },
    { 404, BODY|ROUTE, 0, NGX_HTTP_HLS_FAILED_ERROR, 404, 250 },
    { 502, BODY|ROUTE, 0, NGX_HTTP_HLS_FAILED_ERROR, 404, 250 },
    { 404, BODY|ROUTE|LIVE, 0, NGX_HTTP_HLS_FAILED_ERROR, 503, 250 },
    { 0, BODY|ROUTE|LIVE, 0, NGX_HTTP_HLS_FAILED_ERROR, 503, 250 },

    /* never been there */

    { 404, ROUTE|LIVE, 0, NGX_HTTP_HLS_FAILED_ERROR, 404, 1000 },
    { 401, 0, 0, NGX_HTTP_HLS_FAILED_ERROR, 401, 1000 },
    { 502, 0, 0, NGX_HTTP_HLS_FAILED_ERROR, 502, 250 },
    { 0, 0, 0, NGX_HTTP_HLS_FAILED_ERROR, 502, 250 },
    { 504, LISTED, 0, NGX_HTTP_HLS_FAILED_ERROR, 504, 250 },

    /* listed by the playlist */

    { 404, LISTED, 0, NGX_HTTP_HLS_FAILED_RETRY, 0, 100 },
    { 403, LISTED, 1, NGX_HTTP_HLS_FAILED_RETRY, 0, 400 },
    { 410, LISTED, 2, NGX_HTTP_HLS_FAILED_ERROR, 503, 250 },
};


static test_headers_t  headers[] = {

    { "", 1, 0, NGX_OK, 0 },
    { "", 0, 0, NGX_OK, 0 },

    /* what does not decide for media */

    { "cache-control: no-store, no-cache, max-age=0\nexpires: 0\n"
      "pragma: no-cache\nset-cookie: a=b\nvary: Origin\n",
      1, 0, NGX_OK, 0 },
    { "cache-control: max-age=77\n", 1, 0, NGX_OK, 0 },

    /* what does always */

    { "cache-control: max-age=5, Private\n", 1, 0, NGX_DECLINED, 0 },
    { "vary: accept, *\n", 1, 0, NGX_DECLINED, 0 },
    { "content-encoding: gzip\n", 1, 0, NGX_DECLINED, 0 },
    { "content-encoding: identity\n", 1, 0, NGX_OK, 0 },
    { "cache-control: private=\"set-cookie\"\n", 0, 0, NGX_DECLINED, 0 },

    /* what does when it is to be honoured */

    { "cache-control: no-store\n", 1, 1, NGX_DECLINED, 0 },
    { "cache-control: no-cache\n", 1, 1, NGX_DECLINED, 0 },
    { "pragma: No-Cache\n", 1, 1, NGX_DECLINED, 0 },
    { "set-cookie: a=b\n", 1, 1, NGX_DECLINED, 0 },
    { "vary: origin\n", 1, 1, NGX_OK, 0 },
    { "cache-control: max-age=0\n", 1, 1, NGX_DECLINED, 0 },
    { "cache-control: max-age=3\n", 1, 1, NGX_OK, 3000 },
    { "cache-control: max-age=3, s-maxage=7\n", 1, 1, NGX_OK, 7000 },
    { "cache-control: s-maxage=7,max-age=3\n", 1, 1, NGX_OK, 7000 },
    { "cache-control: max-age=99999999999999\n", 1, 1, NGX_OK, 86400000 },
    { "cache-control: max-age=, ,=\n", 1, 1, NGX_OK, 0 },
    { "cache-control: max-age=\"9\"\n", 1, 1, NGX_OK, 9000 },
    { "expires: Thu, 01 Jan 1970 00:01:00 GMT\n", 1, 1, NGX_OK, 50000 },
    { "expires: Thu, 01 Jan 1970 00:00:01 GMT\n", 1, 1, NGX_DECLINED, 0 },
    { "expires: never\n", 1, 1, NGX_DECLINED, 0 },

    /* and for all that is not media */

    { "cache-control: max-age=3\n", 0, 0, NGX_OK, 3000 },
    { "cache-control: no-cache\n", 0, 0, NGX_DECLINED, 0 },
    { "vary: accept-language\n", 0, 0, NGX_DECLINED, 0 },
    { "set-cookie: a=b\n", 0, 0, NGX_DECLINED, 0 },
};


int
main(void)
{
    unit_init();

    test_list();
    test_cadence();
    test_aged();
    test_age();
    test_life();
    test_fail();
    test_answer();
    test_headers();
    test_msn();
    test_hang();
    test_look();
    test_looked();
    test_moment();

    return done();
}


static void
test_list(void)
{
    ngx_uint_t                   i;
    test_list_t                 *list;
    ngx_http_hls_policy_ttl_t    ttl;
    ngx_http_hls_policy_list_t   in;

    for (i = 0; i < sizeof(lists) / sizeof(test_list_t); i++) {

        list = &lists[i];

        ngx_memzero(&in, sizeof(ngx_http_hls_policy_list_t));

        in.now = NOW;
        in.changed = NOW - list->since;
        in.target = list->target;
        in.period = list->period;
        in.update = list->update;
        in.valid = list->valid;
        in.master = (list->flags & 1) ? 1 : 0;
        in.endlist = (list->flags & 2) ? 1 : 0;
        in.vod = (list->flags & 4) ? 1 : 0;

        ngx_http_hls_policy_list(&in, &ttl);

        is_uint(ttl.next - NOW, list->next, "list %lu: next", i);
        is_uint(ttl.predicted, list->predicted, "list %lu: predicted", i);
        ok(ttl.usable >= ttl.next && ttl.kept > ttl.usable,
           "list %lu: usable and kept", i);
    }

    ngx_memzero(&in, sizeof(ngx_http_hls_policy_list_t));

    in.now = NOW;
    in.changed = NOW;
    in.target = 4000;

    ngx_http_hls_policy_list(&in, &ttl);

    is_uint(ttl.usable - NOW, 12000, "stale for three target durations");
}


/* a steady stream of an origin that takes 100 ms, as it is refreshed ahead */

static void
test_cadence(void)
{
    ngx_uint_t                   n, worst;
    ngx_msec_t                   now, start, sampled, changed, version;
    ngx_http_hls_policy_ttl_t    ttl;
    ngx_http_hls_policy_list_t   in;

    ngx_memzero(&in, sizeof(ngx_http_hls_policy_list_t));

    in.target = 1000;
    in.period = 1000;

    worst = 0;
    start = 370;
    sampled = start;
    changed = start;
    version = 0;

    for (n = 0; start < 60000; n++) {

        now = start + 100;

        if (start / 1000 != version) {
            version = start / 1000;
            changed = start;
        }

        if (n && now - sampled > worst) {
            worst = now - sampled;
        }

        sampled = start;

        in.now = now;
        in.changed = changed;

        ngx_http_hls_policy_list(&in, &ttl);

        start = ttl.predicted ? ttl.next : ttl.next - 110;
    }

    ok(n >= 60 && n <= 130, "%lu fills in 60 s", n);
    ok(worst < 700, "never older than %lu ms", worst);
}


/* what comes from a proxy is as old as it was there */

static void
test_aged(void)
{
    ngx_uint_t                   i;
    ngx_msec_t                   good;
    ngx_http_hls_policy_ttl_t    ttl, proxy;
    ngx_http_hls_policy_list_t   in, its;

    static struct {
        ngx_msec_t  fetched;
        ngx_msec_t  changed;
        ngx_msec_t  valid;
        ngx_msec_t  next;         /* after now */
        ngx_msec_t  usable;
    } aged[] = {

        /* half the target duration, of which a part is over */

        { 0, 0, 0, 510, 3000 },
        { 200, 200, 0, 310, 2800 },
        { 400, 400, 0, 110, 2600 },

        /* the next change, as the proxy expects it */

        { 300, 900, 0, 110, 2700 },

        /* overdue: each eighth, when the proxy has asked again */

        { 50, 1100, 0, 85, 2950 },
        { 120, 1200, 0, 140, 2880 },
        { 500, 1500, 0, 135, 2500 },

        /* not good there any more: asked for, but no new life */

        { 2900, 3500, 0, 135, 135 },
        { 90000, 90000, 0, 135, 135 },

        /* hls_cache_valid */

        { 1500, 1500, 3000, 1510, 1510 }
    };

    for (i = 0; i < sizeof(aged) / sizeof(aged[0]); i++) {

        ngx_memzero(&in, sizeof(ngx_http_hls_policy_list_t));

        in.now = NOW;
        in.aged = 1;
        in.good = NOW - aged[i].fetched;
        in.changed = NOW - aged[i].changed;
        in.target = 1000;
        in.period = 1000;
        in.valid = aged[i].valid;

        ngx_http_hls_policy_list(&in, &ttl);

        is_uint(ttl.next, NOW + aged[i].next, "aged %lu: next",
                (unsigned long) i);
        is_uint(ttl.usable, NOW + aged[i].usable, "aged %lu: usable",
                (unsigned long) i);
        is_uint(ttl.predicted, 1, "aged %lu: not ahead", (unsigned long) i);
    }

    /* whenever it is asked for, soon after the proxy asks, never before */

    ngx_memzero(&its, sizeof(ngx_http_hls_policy_list_t));

    good = NOW;

    for (i = 0; i < 50; i++) {

        its.now = good;
        its.changed = NOW - 300;
        its.target = 1000;
        its.period = 1000;

        ngx_http_hls_policy_list(&its, &proxy);

        in = its;
        in.now = good + (proxy.next - good) * i / 100;
        in.aged = 1;
        in.good = good;

        ngx_http_hls_policy_list(&in, &ttl);

        is_uint(ttl.next, proxy.next + NGX_HTTP_HLS_TIER_LATE,
                "after the proxy: %lu", (unsigned long) i);

        if (good > NOW + 3000) {
            break;
        }

        good = proxy.next;
    }
}


static void
test_age(void)
{
    ngx_uint_t                  i;
    ngx_str_t                   value;
    ngx_http_hls_policy_age_t   age;

    static struct {
        char        *value;
        ngx_uint_t   known;       /* 1: fetched, 2: changed */
        ngx_msec_t   fetched;
        ngx_msec_t   changed;
    } ages[] = {
        { "changed=1350, fetched=120", 3, 120, 1350 },
        { "fetched=120,changed=1350", 3, 120, 1350 },
        { "Fetched=0", 1, 0, 0 },
        { "changed=5", 0, 0, 5 },
        { "changed=5, fetched=7", 3, 7, 7 },
        { "changed=99999999999, fetched=86400001", 3, 86400000, 86400000 },
        { "changed=99999999999999999999999, fetched=1", 1, 1, 0 },
        { "changed=-1, fetched=-1", 0, 0, 0 },
        { "fetched=1.5", 0, 0, 0 },
        { "fetched=", 0, 0, 0 },
        { "fetched", 0, 0, 0 },
        { "fetched=12 ", 0, 0, 0 },
        { "=,,=, =5", 0, 0, 0 },
        { "other=5, fetched=3", 1, 3, 0 },
        { "", 0, 0, 0 }
    };

    for (i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {

        value = unit_str(ages[i].value);

        ngx_http_hls_policy_age(&value, &age);

        is_uint(age.has_fetched | age.has_changed << 1, ages[i].known,
                "known: %s", ages[i].value);
        is_uint(age.fetched, ages[i].fetched, "fetched: %s", ages[i].value);
        is_uint(age.changed, ages[i].changed, "changed: %s", ages[i].value);
    }

    value = unit_str("12");
    ngx_http_hls_policy_seconds(&value, &age);
    is_uint(age.fetched, 12000, "seconds");
    is_uint(ngx_http_hls_policy_rest(60000, &age), 48000, "rest");
    is_uint(ngx_http_hls_policy_rest(12000, &age), NGX_HTTP_HLS_POLL_MIN,
            "nothing is left");
    is_uint(ngx_http_hls_policy_rest(50, &age), 50, "of next to nothing");

    value = unit_str("-3");
    ngx_http_hls_policy_seconds(&value, &age);
    is_uint(age.has_fetched, 0, "no seconds");
    is_uint(ngx_http_hls_policy_rest(1000, &age), 1000, "all is left");
}


static void
test_life(void)
{
    is_uint(ngx_http_hls_policy_life(30000, 1000, 0, 0), 33000, "life");
    is_uint(ngx_http_hls_policy_life(3000, 1000, 0, 0), 10000, "least life");
    is_uint(ngx_http_hls_policy_life(30000, 1000, 1, 0), 3600000, "ended");
    is_uint(ngx_http_hls_policy_life(30000, 1000, 1, 5000), 5000, "valid");
    is_uint(ngx_http_hls_policy_life((ngx_msec_t) -1, (ngx_msec_t) -1, 0, 0),
            3600000, "huge");
}


static void
test_fail(void)
{
    ngx_uint_t                     i;
    test_fail_t                   *fail;
    ngx_http_hls_policy_fail_t     in;
    ngx_http_hls_policy_failed_t   out;

    for (i = 0; i < sizeof(fails) / sizeof(test_fail_t); i++) {

        fail = &fails[i];

        ngx_memzero(&in, sizeof(ngx_http_hls_policy_fail_t));

        in.status = fail->status;
        in.now = NOW;
        in.target = 2000;
        in.tries = fail->tries;
        in.usable = (fail->flags & USABLE) ? 1 : 0;
        in.body = (fail->flags & BODY) ? 1 : 0;
        in.listed = (fail->flags & LISTED) ? 1 : 0;
        in.route = (fail->flags & ROUTE) ? 1 : 0;
        in.live = (fail->flags & LIVE) ? 1 : 0;

        ngx_http_hls_policy_fail(&in, &out);

        is_uint(out.action, fail->action, "fail %lu: action", i);
        is_uint(out.status, fail->answer, "fail %lu: status", i);
        is_uint(out.ttl, fail->ttl, "fail %lu: ttl", i);
    }

    in.status = 404;
    in.valid = 60000;
    in.usable = in.body = in.listed = 0;

    ngx_http_hls_policy_fail(&in, &out);

    is_uint(out.ttl, 60000, "hls_cache_valid of 404");

    in.status = 502;

    ngx_http_hls_policy_fail(&in, &out);

    is_uint(out.ttl, 60000, "hls_cache_valid of 502");
}


static void
test_answer(void)
{
    ngx_http_hls_data_t            data;
    ngx_http_hls_policy_found_t    in;
    ngx_http_hls_policy_answer_t   out;

    ngx_memzero(&in, sizeof(ngx_http_hls_policy_found_t));
    ngx_memzero(&data, sizeof(ngx_http_hls_data_t));

    in.now = NOW;
    in.changed = NOW - 1000;

    /* nothing is there */

    in.state = NGX_HTTP_HLS_STORE_FRESH;
    in.status = 404;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_ERROR, "an error is remembered");
    is_uint(out.status, 404, "that error");

    in.status = 200;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_PASS, "not to be cached");

    in.state = NGX_HTTP_HLS_STORE_FILLING;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_WAIT, "waits");
    is_uint(out.wait, (ngx_msec_t) -1, "without an end");

    /* a body that is good */

    in.state = NGX_HTTP_HLS_STORE_FRESH;
    in.body = 1;
    data.usable = NOW + 1000;
    data.target = 1000;
    data.took = 40;
    data.flags = NGX_HTTP_HLS_MEDIA;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_BODY, "a hit");
    is_uint(out.stale, 0, "not stale");

    in.changed = NOW - 3001;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_BODY, "frozen");
    is_uint(out.stale, 1, "is stale");

    data.flags = NGX_HTTP_HLS_MEDIA|NGX_HTTP_HLS_LIST_END;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.stale, 0, "ended is not stale");

    data.flags = 0;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.stale, 0, "a segment is not stale");

    data.flags = NGX_HTTP_HLS_FAILING;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.stale, 1, "the last fill has failed");

    /* a fill runs */

    in.changed = NOW - 1000;
    data.flags = NGX_HTTP_HLS_MEDIA;
    data.started = NOW;
    in.state = NGX_HTTP_HLS_STORE_CLAIMED;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_WAIT, "waits for a fill");
    is_uint(out.wait, 120, "for a while");

    data.started = NOW - 100;
    in.state = NGX_HTTP_HLS_STORE_UPDATING;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_WAIT, "waits");
    is_uint(out.wait, 20, "for the rest of it");

    data.started = NOW - 120;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_BODY, "a fill that hangs");

    data.started = NOW;
    data.flags = NGX_HTTP_HLS_FAILING;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_BODY, "a fill after a failed one");
    is_uint(out.stale, 1, "is stale");

    data.flags = 0;
    data.took = 60000;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.wait, 500, "never for long");

    /* a body that is not */

    data.usable = NOW;
    in.state = NGX_HTTP_HLS_STORE_FRESH;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_ERROR, "too old");
    is_uint(out.status, 503, "503");

    data.error = 404;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.status, 404, "what the last fill has said");

    in.state = NGX_HTTP_HLS_STORE_UPDATING;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_WAIT, "waits for a fill");
    is_uint(out.wait, 3000, "for three target durations");

    data.started = NOW - 3000;
    ngx_http_hls_policy_answer(&in, &data, &out);
    is_uint(out.action, NGX_HTTP_HLS_ANSWER_ERROR, "and no longer");
}


static void
test_headers(void)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_msec_t                      valid;
    test_headers_t                 *test;
    ngx_http_hls_policy_headers_t   parsed;

    for (i = 0; i < sizeof(headers) / sizeof(test_headers_t); i++) {

        test = &headers[i];

        parse(test->headers, &parsed);

        rc = ngx_http_hls_policy_cacheable(&parsed, test->media, test->honor,
                                           &valid);

        ok(rc == test->rc && valid == test->valid, "headers %lu: %ld, %lu", i,
           (long) rc, valid);
    }
}


static void
parse(char *text, ngx_http_hls_policy_headers_t *headers)
{
    char       *p, *colon, *end;
    ngx_str_t   name, value;

    ngx_memzero(headers, sizeof(ngx_http_hls_policy_headers_t));

    headers->max_age = -1;
    headers->expires = -1;

    for (p = text; *p; p = end + 1) {

        end = strchr(p, '\n');
        colon = strchr(p, ':');

        name.data = (u_char *) p;
        name.len = colon - p;

        value.data = (u_char *) colon + 2;
        value.len = end - colon - 2;

        ngx_http_hls_policy_header(headers, &name, &value, 10);
    }
}


static void
test_msn(void)
{
    ngx_http_hls_data_t  data;

    ngx_memzero(&data, sizeof(ngx_http_hls_data_t));

    data.target = 1000;

    ok(!ngx_http_hls_policy_msn(&data, 11, 10, 0), "not announced");

    data.flags = NGX_HTTP_HLS_BLOCK_RELOAD;

    ok(ngx_http_hls_policy_msn(&data, 11, 10, 0), "the next one");
    ok(!ngx_http_hls_policy_msn(&data, 10, 10, 0), "there already");
    ok(ngx_http_hls_policy_msn(&data, 12, 10, 0), "the one after");
    ok(!ngx_http_hls_policy_msn(&data, 13, 10, 0), "too far");
    ok(ngx_http_hls_policy_msn(&data, 17, 10, 5000), "five later");
    ok(!ngx_http_hls_policy_msn(&data, 18, 10, 5000), "too far then");

    data.target = 0;

    ok(!ngx_http_hls_policy_msn(&data, 11, 10, 0), "no target duration");
}


static void
test_hang(void)
{
    ngx_http_hls_data_t  data;

    ngx_memzero(&data, sizeof(ngx_http_hls_data_t));

    data.target = 6000;
    data.took = 20;

    is_uint(ngx_http_hls_policy_hang(&data, 0), 6000, "a target duration");
    is_uint(ngx_http_hls_policy_hang(&data, 1), 6000, "of a segment, too");

    data.took = 2000;
    is_uint(ngx_http_hls_policy_hang(&data, 0), 8000, "always slow");

    data.target = 300;
    data.took = 2;
    is_uint(ngx_http_hls_policy_hang(&data, 0), 1000, "a second at least");
    is_uint(ngx_http_hls_policy_hang(&data, 1), 3000, "three of a segment");

    data.flags = NGX_HTTP_HLS_AGED;
    is_uint(ngx_http_hls_policy_hang(&data, 0), 3000, "longer than a proxy");
    is_uint(ngx_http_hls_policy_hang(&data, 1), 7000, "of a segment, too");
}


static void
test_look(void)
{
    ngx_http_hls_data_t  data;

    ngx_memzero(&data, sizeof(ngx_http_hls_data_t));

    data.target = 2000;
    data.flags = NGX_HTTP_HLS_MEDIA;
    data.server = 1;

    data.started = (uint32_t) (NOW - 3000);

    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 3000), "goes on");
    ok(ngx_http_hls_policy_look(&data, NOW, NOW - 3001), "stands still");
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW + 10), "in the future");

    data.started = (uint32_t) (NOW - 3001);
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "nobody has asked");

    data.flags |= NGX_HTTP_HLS_FAILING;
    ok(ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "it has failed");

    data.flags = NGX_HTTP_HLS_MEDIA;
    data.started = (uint32_t) (NOW - 3000);

    data.look = NGX_HTTP_HLS_LOOK_TURN;
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "its own turn");

    data.look = NGX_HTTP_HLS_LOOK_PAUSE;
    data.since = (uint32_t) (NOW - 11999);
    data.place = 1;
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "a pause");

    data.since = (uint32_t) (NOW - 12000);
    ok(ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "it is over");
    is_uint(data.place, 0, "begins with the first");

    data.flags |= NGX_HTTP_HLS_LIST_END;
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "has an end");

    data.flags = 0;
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "a master playlist");

    data.flags = NGX_HTTP_HLS_MEDIA;
    data.server = 0;
    ok(!ngx_http_hls_policy_look(&data, NOW, NOW - 9000), "nobody's");
}


static void
test_looked(void)
{
    ngx_http_hls_data_t  data;

    ngx_memzero(&data, sizeof(ngx_http_hls_data_t));

    data.target = 2000;
    data.server = 1;

    ok(ngx_http_hls_policy_looked(&data, NOW, 2, 70) == NGX_AGAIN, "new");
    ok(ngx_http_hls_policy_looked(&data, NOW + 3000, 2, 70) == NGX_AGAIN,
       "the same yet");
    ok(ngx_http_hls_policy_looked(&data, NOW + 3000, 2, 71) == NGX_OK,
       "goes on there");
    is_uint(data.server, 2, "it is that one's");
    is_uint(data.look, NGX_HTTP_HLS_LOOK_PAUSE, "no more for now");

    /* it stands still, too, and the next one has nothing */

    data.look = 0;

    ok(ngx_http_hls_policy_looked(&data, NOW, 3, 70) == NGX_AGAIN, "third");
    ok(ngx_http_hls_policy_looked(&data, NOW + 3001, 3, 70) == NGX_DECLINED,
       "for too long");
    is_uint(data.place, 1, "the next one");
    is_uint(data.look, 0, "goes on");

    /* another one than before is not what has changed */

    ok(ngx_http_hls_policy_looked(&data, NOW, 4, 70) == NGX_AGAIN, "fourth");
    ok(ngx_http_hls_policy_looked(&data, NOW, 5, 71) == NGX_AGAIN, "fifth");
    ok(ngx_http_hls_policy_looked(&data, NOW, 5, 0) == NGX_DECLINED,
       "has none");
    is_uint(data.server, 2, "it stays with the second");
    is_uint(data.look, NGX_HTTP_HLS_LOOK_PAUSE, "that were all");
    is_uint(data.place, 0, "begins anew after that");

    /* half of a hash may be 0 */

    ok(ngx_http_hls_policy_looked(&data, NOW, 0x50005, 1) == NGX_AGAIN, "0");
    ok(ngx_http_hls_policy_looked(&data, NOW, 0x50005, 2) == NGX_OK, "on");
}


static void
test_moment(void)
{
    uint64_t    now;
    ngx_msec_t  moment;

    now = 0x500000010ull;

    moment = ngx_http_hls_policy_moment((ngx_msec_t) now, (uint32_t) 0x8);
    is_uint(now - moment, 8, "a moment");

    moment = ngx_http_hls_policy_moment((ngx_msec_t) now,
                                        (uint32_t) 0xfffffff0);
    is_uint(now - moment, 32, "before the bits went round");

    moment = ngx_http_hls_policy_moment((ngx_msec_t) now, (uint32_t) 0x20);
    is_uint(moment - now, 16, "in the future");
}
