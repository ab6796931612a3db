
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_path.c ngx_rtmp_route_text.c */
/* sources: ngx_rtmp_route_key.c */


/* Rules for names: what matches, what becomes of it, what is refused. */


#include "unit.h"
#include "ngx_rtmp_route_path.h"


#define MAX_RULES  8
#define MAX_CASES  24


typedef struct {
    char  *pattern;         /* "~ regex", "~* regex" or a prefix */
    char  *stream;
    char  *to;
    char  *servers;         /* one, which tells the rule */
    int    no_args;
} test_rule_t;


typedef struct {
    char  *path;
    char  *stream;          /* "none": no rule; "refused" */
    char  *to;
    char  *servers;
} test_case_t;


typedef struct {
    char         *what;
    test_rule_t   rules[MAX_RULES];
    test_case_t   cases[MAX_CASES];
} test_map_t;


static void test_maps(void);
static void test_args(void);
static void test_refused(void);
static void test_length(void);
static void test_captures(void);
static void test_covers(void);
static void test_slow(void);
static void test_random(void);
static void test_names(void);
static ngx_array_t *rules_make(test_rule_t *rule);
static void rule_set(ngx_rtmp_route_path_t *rule, test_rule_t *test);
static ngx_int_t map(ngx_array_t *rules, const char *path, size_t len);
static ngx_uint_t same(ngx_str_t *text, const char *expected);
static char *keys(char *path, char *stream, char *fallback);


static ngx_pool_t               *pool;
static ngx_rtmp_route_mapped_t   mapped;
static ngx_uint_t                used;
static ngx_int_t                 tries;


static test_map_t  maps[] = {

    { "OvenMediaEngine, the origins of its documentation",
      { { "/app/stream", NULL, "/app/stream_720p", "origin.com", 0 },
        { "/app/", NULL, "/app/", "origin.com", 1 },
        { "/rtsp/stream", NULL, "/", "rtsp-server.com", 0 },
        { "/", NULL, "/", "origin2.com", 0 } },
      { { "/app/stream", "", "/app/stream_720p", "origin.com" },
        { "/app/stream/llhls.m3u8", "", "/app/stream_720p/llhls.m3u8",
          "origin.com" },
        { "/app/other", "", "/app/other", "origin.com" },
        { "/app/other/playlist.m3u8", "", "/app/other/playlist.m3u8",
          "origin.com" },
        { "/live/cam1", "", "/live/cam1", "origin2.com" },
        { "/app", "", "/app", "origin2.com" },
        { "/App/stream", "", "/App/stream", "origin2.com" } } },

    { "OvenMediaEngine, an app that is called otherwise",
      { { "/edge_app/", NULL, "/origin_app/", "a", 0 },
        { "~ ^/app/([^/]+)_hd$", NULL, "/app/$1_720p", "b", 0 } },
      { { "/edge_app/cam1", "", "/origin_app/cam1", "a" },
        { "/edge_app/a/b", "", "/origin_app/a/b", "a" },
        { "/edge_app", "none", NULL, NULL },
        { "/app/cam1_hd", "", "/app/cam1_720p", "b" },
        { "/app/cam1", "none", NULL, NULL } } },

    { "nginx-rtmp: /hls/name.m3u8 and directories",
      { { "~ ^/hls/([^/.]+)", "live/$1", NULL, NULL, 0 },
        { "/dash/", "live/", NULL, NULL, 0 } },
      { { "/hls/cam1.m3u8", "live/cam1", "", NULL },
        { "/hls/cam1/index.m3u8", "live/cam1", "", NULL },
        { "/hls/cam1/12.ts", "live/cam1", "", NULL },
        { "/hls/cam1-12.ts", "live/cam1-12", "", NULL },
        { "/hls/cam1_720.m3u8", "live/cam1_720", "", NULL },
        { "/hls/.m3u8", "none", NULL, NULL },
        { "/hls/", "none", NULL, NULL },
        { "/dash/cam1.mpd", "live/cam1.mpd", "", NULL },
        { "/dash/", "live", "", NULL },
        { "/live/cam1.m3u8", "none", NULL, NULL } } },

    { "Ant Media",
      { { "~ ^/([^/]+)/streams/"
          "(.+?)(?:_adaptive|_[0-9]+p[0-9]*(?:kbps)?)?"
          "(?:[.](?:m3u8|mpd)|(?:-?(?:[0-9]{9}|[0-9]{4}))?[.]ts)$",
          "$1/$2", NULL, "ant", 0 },
        { "~ ^/WebRTCAppEE/([^/]+)$", NULL, "/LiveApp/$1", "rtmp", 0 } },
      { { "/LiveApp/streams/cam1.m3u8", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam1_adaptive.m3u8", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam1_480p.m3u8", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam1_480p800kbps.m3u8", "LiveApp/cam1", "",
          "ant" },
        { "/LiveApp/streams/cam1_480p0012.ts", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam1-000000012.ts", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam10001.ts", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam1000000012.ts", "LiveApp/cam1", "", "ant" },
        { "/LiveApp/streams/cam2024.m3u8", "LiveApp/cam2024", "", "ant" },
        { "/WebRTCAppEE/streams/room/cam1_adaptive.m3u8",
          "WebRTCAppEE/room/cam1", "", "ant" },
        { "/WebRTCAppEE/cam1", "", "/LiveApp/cam1", "rtmp" },
        { "/LiveApp/cam1", "none", NULL, NULL } } },

    { "OSP: channels and previews, as its front end has them",
      { { "/live-adapt/", "live/", NULL, NULL, 0 },
        { "~ ^/stream-thumb/([^/.]+)", "live/$1", "/thumb/$1.png", NULL, 1 } },
      { { "/live-adapt/0aa11b22-cc33.m3u8", "live/0aa11b22-cc33.m3u8", "",
          NULL },
        { "/stream-thumb/0aa11b22-cc33.png", "live/0aa11b22-cc33",
          "/thumb/0aa11b22-cc33.png", NULL },
        { "/live/0aa11b22-cc33/index.m3u8", "none", NULL, NULL } } },

    { "SRS: a host in the path, and its usual files",
      { { "~ ^/__vhosts__/[^/]+/([^/]+)/([^/.]+)", "$1/$2", "/$1/$2", NULL,
          0 },
        { "/live", NULL, "/edge", NULL, 0 } },
      { { "/__vhosts__/a.example.com/live/cam1", "live/cam1", "/live/cam1",
          NULL },
        { "/live/livestream.flv", "", "/edge/livestream.flv", NULL },
        { "/live/livestream.m3u8", "", "/edge/livestream.m3u8", NULL },
        { "/live/livestream-12.ts", "", "/edge/livestream-12.ts", NULL },
        { "/livestream", "", "/edgestream", NULL } } },

    { "the first one, in one pass",
      { { "/a/", NULL, "/b/", NULL, 0 },
        { "/b/", NULL, "/a/", NULL, 0 },
        { "/self/", "self/", "/self/", NULL, 0 },
        { "~* ^/CASE/(.+)$", "x/$1", NULL, NULL, 0 },
        { "~ ^/case/", "never", NULL, NULL, 0 },
        { "/keep", NULL, NULL, NULL, 0 },
        { "/", "rest/", NULL, NULL, 0 } },
      { { "/a/1", "", "/b/1", NULL },
        { "/b/1", "", "/a/1", NULL },
        { "/self/1", "self/1", "/self/1", NULL },
        { "/case/1", "x/1", "", NULL },
        { "/CaSe/1", "x/1", "", NULL },
        { "/keep/1", "", "", NULL },
        { "/c/1", "rest/c/1", "", NULL } } },

    { "captures",
      { { "~ ^/n/(?<app>[a-z]+)/(?<name>[a-z]+)$", "$name/$app",
          "/${app}x/$2", NULL, 0 },
        { "~ ^/o/(x)?(y)?(z)?$", NULL, "/o/$1-$2-$3", NULL, 0 },
        { "~ ^/w/(.*)$", NULL, "$1", NULL, 0 },
        { "~ ^/t/(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)$", NULL, "/t/${10}$10$9",
          NULL, 0 },
        { "~ ^/m/(?=.*(abc))", NULL, "/m/$1", NULL, 0 } },
      { { "/n/live/cam", "cam/live", "/livex/cam", NULL },
        { "/o/", "", "/o/--", NULL },
        { "/o/z", "", "/o/--z", NULL },
        { "/o/xy", "", "/o/x-y-", NULL },
        { "/w/a/b", "", "/a/b", NULL },
        { "/w//a//b/", "", "/a/b/", NULL },
        { "/w/", "refused", NULL, NULL },
        { "/t/0123456789", "", "/t/9008", NULL },
        { "/m/xabcx", "", "/m/abc", NULL } } },

    { "names of any kind",
      { { "~ ^/u/(.+)$", "live/$1", "/edge/$1", NULL, 0 } },
      { { "/u/caf\xc3\xa9", "live/caf\xc3\xa9", "/edge/caf\xc3\xa9", NULL },
        { "/u/\xff\xfe", "live/\xff\xfe", "/edge/\xff\xfe", NULL },
        { "/u/with space", "live/with space", "/edge/with space", NULL },
        { "/u/100%", "live/100%", "/edge/100%", NULL },
        { "/u/%2e%2e/x", "live/%2e%2e/x", "/edge/%2e%2e/x", NULL },
        { "/u/$1", "live/$1", "/edge/$1", NULL },
        { "/u/${name}", "live/${name}", "/edge/${name}", NULL },
        { "/u/a#b", "live/a#b", "/edge/a#b", NULL },
        { "/u/a/", "live/a", "/edge/a/", NULL },
        { "/u/..a", "live/..a", "/edge/..a", NULL },
        { "/u/a..", "live/a..", "/edge/a..", NULL },
        { "/u/...", "live/...", "/edge/...", NULL },
        { "/u/../x", "refused", NULL, NULL },
        { "/u/x/..", "refused", NULL, NULL },
        { "/u/./x", "refused", NULL, NULL },
        { "/u/.", "refused", NULL, NULL },
        { "/u/a\x01", "refused", NULL, NULL },
        { "/u/a\x7f", "refused", NULL, NULL },
        { "/u/a\tb", "refused", NULL, NULL },
        { "/u/a?b", "refused", NULL, NULL } } },

    { "an end that makes another name",
      { { "~ ^/d/(.)/(.*)$", NULL, "/edge/$1$1/$2", NULL, 0 },
        { "/p", NULL, "/q/.", NULL, 0 },
        { "~ ^/s/(.*)/(.*)$", "$1/$2", NULL, NULL, 0 } },
      { { "/d/./x", "refused", NULL, NULL },
        { "/d/a/x", "", "/edge/aa/x", NULL },
        { "/p./x", "refused", NULL, NULL },
        { "/p", "refused", NULL, NULL },
        { "/px", "", "/q/.x", NULL },
        { "/s//", "refused", NULL, NULL },
        { "/s/a/b", "a/b", "", NULL } } },
};


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_maps();
    test_args();
    test_refused();
    test_length();
    test_captures();
    test_covers();
    test_slow();
    test_random();
    test_names();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_maps(void)
{
    ngx_int_t     rc;
    ngx_str_t    *server;
    ngx_uint_t    i, n;
    test_map_t   *m;
    ngx_array_t  *rules;
    test_case_t  *c;

    for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        m = &maps[i];

        diag("%s", m->what);
        rules = rules_make(m->rules);

        for (n = 0; n < MAX_CASES && m->cases[n].path; n++) {
            c = &m->cases[n];

            rc = map(rules, c->path, strlen(c->path));

            if (strcmp(c->stream, "none") == 0) {
                ok(rc == NGX_DECLINED, "%s: no rule", c->path);
                ok(mapped.stream.len == 0 && mapped.to.len == 0
                   && mapped.servers == NULL && mapped.args,
                   "%s: as it is", c->path);
                continue;
            }

            if (strcmp(c->stream, "refused") == 0) {
                ok(rc == NGX_ABORT && tries == 0, "%s: refused", c->path);
                continue;
            }

            ok(rc == NGX_OK, "%s: rule %lu", c->path, (unsigned long) used);
            ok(same(&mapped.stream, c->stream), "%s: stream %s", c->path,
               c->stream);
            ok(same(&mapped.to, c->to), "%s: to %s", c->path, c->to);

            server = mapped.servers ? mapped.servers->elts : NULL;

            if (c->servers) {
                ok(server != NULL, "%s: servers", c->path);
                is_str(server, c->servers, "%s: its server", c->path);

            } else {
                ok(server == NULL, "%s: any server", c->path);
            }
        }
    }
}


static void
test_args(void)
{
    ngx_array_t  *rules;

    rules = rules_make(maps[0].rules);

    map(rules, "/app/stream", 11);
    is_uint(mapped.args, 1, "arguments go on");
    map(rules, "/app/other", 10);
    is_uint(mapped.args, 0, "or not");
    map(NULL, "/app/other", 10);
    is_uint(mapped.args, 1, "without rules they do");
}


static void
test_refused(void)
{
    u_char                  buf[NGX_MAX_CONF_ERRSTR];
    ngx_str_t               err;
    ngx_uint_t              i;
    ngx_rtmp_route_path_t   rule;

    static test_rule_t  tests[] = {
        { "", NULL, NULL, NULL, 0 },
        { "live", NULL, NULL, NULL, 0 },
        { "~ ", NULL, NULL, NULL, 0 },
        { "~ (", NULL, NULL, NULL, 0 },
        { "~ [", NULL, NULL, NULL, 0 },
        { "~ *", NULL, NULL, NULL, 0 },
        { "~ a", "$1", NULL, NULL, 0 },
        { "~ (a)", "$2", NULL, NULL, 0 },
        { "~ (a)", "$0", NULL, NULL, 0 },
        { "~ (a)", "x$", NULL, NULL, 0 },
        { "~ (a)", "${}", NULL, NULL, 0 },
        { "~ (a)", "${1", NULL, NULL, 0 },
        { "~ (a)", "${99999999999999999999}", NULL, NULL, 0 },
        { "~ (?<a>a)", "$b", NULL, NULL, 0 },
        { "~ (?<a>a)", "$aa", NULL, NULL, 0 },
        { "/a", "$1", NULL, NULL, 0 },
        { "/a", NULL, "b", NULL, 0 },
        { "/a", NULL, "/b?c", NULL, 0 },
        { "/a", NULL, "/b\n", NULL, 0 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {

        rule_set(&rule, &tests[i]);
        err.data = buf;
        err.len = sizeof(buf);

        is_uint(ngx_rtmp_route_path_compile(pool, &rule, &err), NGX_DECLINED,
                "\"%s\" is refused", tests[i].pattern);
        ok(err.len > 4 && err.len < sizeof(buf), "%.*s", (int) err.len,
           err.data);
    }

    /* a message that is longer than there is room for it */

    rule_set(&rule, &tests[1]);
    err.data = buf;
    err.len = 10;
    ngx_rtmp_route_path_compile(pool, &rule, &err);
    is_uint(err.len, 10, "cut");
}


static void
test_length(void)
{
    char           path[2048];
    ngx_array_t   *rules;

    static test_rule_t  rule[MAX_RULES] = {
        { "~ ^/s/(.*)$", "$1", NULL, NULL, 0 },
        { "~ ^/t/(.*)$", NULL, "/$1", NULL, 0 },
        { "~ ^/d/(.*)$", NULL, "/$1$1$1$1$1$1$1$1", NULL, 0 },
    };

    rules = rules_make(rule);
    memset(path, 'a', sizeof(path));

    memcpy(path, "/s/", 3);
    is_uint(map(rules, path, 3 + 1024), NGX_OK, "the longest stream");
    is_uint(map(rules, path, 3 + 1025), NGX_ABORT, "too long");

    memcpy(path, "/t/", 3);
    is_uint(map(rules, path, 3 + 1024), NGX_OK, "the longest path");
    is_uint(map(rules, path, 3 + 1025), NGX_ABORT, "too long");

    memcpy(path, "/d/", 3);
    is_uint(map(rules, path, 3 + 128), NGX_OK, "repeated");
    is_uint(map(rules, path, 3 + 129), NGX_ABORT, "too long");
    is_uint(map(rules, path, 2048), NGX_ABORT, "much too long");
    is_uint(map(rules, "", 0), NGX_DECLINED, "empty");
    is_uint(map(rules, "/", 1), NGX_DECLINED, "a slash");
}


/* as many groups as there may be */

static void
test_captures(void)
{
    char                    pattern[256];
    u_char                  buf[NGX_MAX_CONF_ERRSTR];
    ngx_str_t               err;
    ngx_uint_t              i;
    test_rule_t             rule[MAX_RULES];
    ngx_rtmp_route_path_t   path;

    memset(rule, 0, sizeof(rule));
    strcpy(pattern, "~ ^/");

    for (i = 0; i < 32; i++) {
        strcat(pattern, "(.)");
    }

    rule[0].pattern = pattern;
    rule[0].to = "/${32}${1}";

    is_uint(map(rules_make(rule), "/abcdefghijklmnopqrstuvwxyz012345", 33),
            NGX_OK, "32 groups");
    is_str(&mapped.to, "/5a", "first and last");

    strcat(pattern, "(.)");
    rule_set(&path, rule);
    err.data = buf;
    err.len = sizeof(buf);
    is_uint(ngx_rtmp_route_path_compile(pool, &path, &err), NGX_DECLINED,
            "not 33");
}


static void
test_covers(void)
{
    u_char                  buf[NGX_MAX_CONF_ERRSTR];
    ngx_str_t               err;
    ngx_uint_t              i, n;
    test_rule_t             rule;
    ngx_rtmp_route_path_t   path[2];

    static struct {
        char        *first;
        char        *second;
        ngx_uint_t   covers;
    } tests[] = {
        { "/a", "/a", 1 },
        { "/a", "/ab", 1 },
        { "/a", "/a/b", 1 },
        { "/a/", "/a", 0 },
        { "/a", "/b", 0 },
        { "/", "/b", 1 },
        { "/", "~ b", 1 },
        { "/", "~* b", 1 },
        { "/a", "~ ^/a", 1 },
        { "/a", "~ ^/ab(.*)", 1 },
        { "/a/b", "~ ^/a/bb?", 1 },
        { "/a/b", "~ ^/a/b?", 0 },
        { "/a/b", "~ ^/a/b*", 0 },
        { "/a/b", "~ ^/a/b{0,1}", 0 },
        { "/a/b", "~ ^/a/b+", 1 },
        { "/a/b", "~ ^/a/.", 0 },
        { "/a", "~ ^/a|^/b", 0 },
        { "/a", "~ /a", 0 },
        { "/a", "~* ^/a", 0 },
        { "/a", "~ ^", 0 },
        { "~ a", "~ a", 1 },
        { "~ a", "~* a", 0 },
        { "~ a", "~ ab", 0 },
        { "~ a", "/a", 0 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {

        for (n = 0; n < 2; n++) {
            memset(&rule, 0, sizeof(rule));
            rule.pattern = n ? tests[i].second : tests[i].first;
            rule_set(&path[n], &rule);
            err.data = buf;
            err.len = sizeof(buf);
            ngx_rtmp_route_path_compile(pool, &path[n], &err);
        }

        is_uint(ngx_rtmp_route_path_covers(&path[0], &path[1]),
                tests[i].covers, "%s covers %s", tests[i].first,
                tests[i].second);
    }
}


/* regexes that try for ever: they give up, soon */

static void
test_slow(void)
{
    char            path[1025];
    long            us, worst;
    ngx_uint_t      i, n;
    ngx_array_t    *rules;
    test_rule_t     rule[MAX_RULES];
    struct timeval  from, till;

    static char  *slow[] = {
        "~ ^/(a+)+$",
        "~ ^/(a|aa)+$",
        "~ ^/(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x$",
        "~ ^/([a-z]+)*=",
        "~ (.+)+x$",
        "~* ^/((a+)(b*))+c$",
        "~ ^/(?:(?:a+)+)+$",
        "~ ^(/?a*)*$(*SKIP)(*FAIL)",
    };

    worst = 0;

    for (i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {

        memset(rule, 0, sizeof(rule));
        rule[0].pattern = slow[i];
        rule[0].to = "/x";
        rules = rules_make(rule);

        memset(path, 'a', sizeof(path));
        path[0] = '/';
        path[1023] = '!';

        gettimeofday(&from, NULL);

        for (n = 0; n < 10; n++) {
            map(rules, path, 1024);
        }

        gettimeofday(&till, NULL);

        us = ((till.tv_sec - from.tv_sec) * 1000000
              + till.tv_usec - from.tv_usec) / 10;
        worst = ngx_max(us, worst);

        diag("%s: %ld us, %ld", slow[i], us, (long) tries);

        is_uint(map(rules, "/aaaa!", 6), NGX_DECLINED, "%s: short ones do",
                slow[i]);
    }

    ok(worst < 20000, "no regex takes long: %ld us at most", worst);

    memset(rule, 0, sizeof(rule));
    rule[0].pattern = "~ ^/(a+)+$";
    rules = rules_make(rule);
    is_uint(map(rules, path, 1024), NGX_ABORT, "it is refused");
    ok(tries != 0, "and told why");

    /* what may be asked of names as long as they may be does not give up */

    memset(rule, 0, sizeof(rule));
    rule[0].pattern = "~ ^/([^/]+?)(?:_[0-9]+p)?(?:-[0-9]+)?[.](?:m3u8|ts)$";
    rule[0].stream = "live/$1";
    rules = rules_make(rule);
    memcpy(path + 1000, "_720p-1.ts", 10);
    is_uint(map(rules, path, 1010), NGX_OK, "a useful one");
    is_uint(mapped.stream.len, 5 + 999, "finds it");
    memcpy(path + 1000, "_720p-1.xx", 10);
    is_uint(map(rules, path, 1010), NGX_DECLINED, "or does not");

    /* UTF-8 that is none */

    memset(rule, 0, sizeof(rule));
    rule[0].pattern = "~ (*UTF8)^/(.)$";
    rules = rules_make(rule);
    is_uint(map(rules, "/\xc3\xa9", 3), NGX_OK, "one letter");
    is_uint(map(rules, "/\xc3", 2), NGX_ABORT, "half of one");
}


static void
test_random(void)
{
    u_char        path[64];
    ngx_int_t     rc;
    ngx_uint_t    i, n, m, len, bad;
    ngx_array_t  *rules[sizeof(maps) / sizeof(maps[0])];

    static char  alphabet[] = "/.a_-0?%$\x01\xc3\xa9 live hls cam1.m3u8";

    for (m = 0; m < sizeof(maps) / sizeof(maps[0]); m++) {
        rules[m] = rules_make(maps[m].rules);
    }

    srandom(1);
    bad = 0;

    for (i = 0; i < 20000; i++) {
        m = random() % (sizeof(maps) / sizeof(maps[0]));
        len = random() % sizeof(path);
        path[0] = '/';

        for (n = 1; n < len; n++) {
            path[n] = alphabet[random() % (sizeof(alphabet) - 1)];
        }

        if (i % 3 == 0) {
            strncpy((char *) path, maps[m].cases[i % 3].path, len / 2);
        }

        rc = map(rules[m], (char *) path, len);

        if (rc != NGX_OK) {
            bad += (rc != NGX_DECLINED && rc != NGX_ABORT);
            continue;
        }

        for (n = 0; n < mapped.to.len; n++) {
            bad += (mapped.to.data[n] < 0x20 || mapped.to.data[n] == '?');
        }

        bad += (mapped.to.len && mapped.to.data[0] != '/');
        bad += (mapped.to.len == 1 || mapped.to.len > 1025);
        bad += (ngx_strnstr(mapped.to.data, "/../", mapped.to.len) != NULL
                || ngx_strnstr(mapped.to.data, "/./", mapped.to.len) != NULL
                || ngx_strnstr(mapped.to.data, "//", mapped.to.len) != NULL);
        bad += (mapped.stream.len
                && (mapped.stream.data[0] == '/'
                    || mapped.stream.data[mapped.stream.len - 1] == '/'));

        if (i % 100 == 0) {
            ngx_reset_pool(pool);

            for (n = 0; n < sizeof(maps) / sizeof(maps[0]); n++) {
                rules[n] = rules_make(maps[n].rules);
            }
        }
    }

    is_uint(bad, 0, "20000 paths");
}


/* the candidates of an HTTP path whose stream was named by a rule */

static void
test_names(void)
{
    ngx_uint_t  i;

    static struct {
        char  *path;
        char  *stream;
        char  *keys;
        char  *fallback;
    } tests[] = {
        /* the end of the path has become that of the stream */
        { "/hls/cam1.m3u8", "live/cam1", "live/cam1 live", "live/cam1" },
        { "/hls/cam1.m3u8", "live/cam1.m3u8", "live/cam1 live", "live/cam1" },
        { "/hls/cam1-12.ts", "live/cam1-12", "live/cam1-12 live/cam1 live",
          "live/cam1" },
        { "/hls/cam1-12.ts", "live/cam1-12.ts", "live/cam1-12 live/cam1 live",
          "live/cam1" },
        { "/hls/cam1_720.m3u8", "live/cam1_720",
          "live/cam1_720 live/cam1 live", "live/cam1" },
        { "/hls/cam1_720-3.ts", "live/cam1_720-3",
          "live/cam1_720-3 live/cam1_720 live/cam1 live", "live/cam1" },
        { "/hls/cam1/index.m3u8", "live/cam1/index.m3u8",
          "live/cam1/index live/cam1", "live/cam1" },
        /* or it has not */
        { "/hls/cam1/index.m3u8", "live/cam1", "live/cam1", "live/cam1" },
        { "/hls/cam-7/12.ts", "live/cam-7", "live/cam-7", "live/cam-7" },
        { "/hls/cam1_720/12.ts", "live/cam1_720", "live/cam1_720 live/cam1",
          "live/cam1" },
        { "/hls/cam1.m3u8", "live/cam", "live/cam", "live/cam" },
        { "/hls/cam1.m3u8", "cam1", "cam1", "cam1" },
        { "/", "live/cam1", "live/cam1", "live/cam1" },
    };

    char  fallback[256];

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        ok(strcmp(keys(tests[i].path, tests[i].stream, fallback),
                  tests[i].keys)
           == 0, "%s, %s: %s", tests[i].path, tests[i].stream,
           keys(tests[i].path, tests[i].stream, fallback));
        ok(strcmp(fallback, tests[i].fallback) == 0, "or else %s", fallback);
    }
}


static ngx_array_t *
rules_make(test_rule_t *rule)
{
    u_char                  buf[NGX_MAX_CONF_ERRSTR];
    ngx_str_t               err;
    ngx_uint_t              i;
    ngx_array_t            *rules;
    ngx_rtmp_route_path_t  *path;

    rules = ngx_array_create(pool, MAX_RULES, sizeof(ngx_rtmp_route_path_t));

    for (i = 0; i < MAX_RULES && rule[i].pattern; i++) {
        path = ngx_array_push(rules);
        rule_set(path, &rule[i]);

        err.data = buf;
        err.len = sizeof(buf);

        if (ngx_rtmp_route_path_compile(pool, path, &err) != NGX_OK) {
            diag("%.*s", (int) err.len, err.data);
            abort();
        }
    }

    return rules;
}


static void
rule_set(ngx_rtmp_route_path_t *rule, test_rule_t *test)
{
    ngx_str_t  *server;

    memset(rule, 0, sizeof(ngx_rtmp_route_path_t));

    rule->pattern = unit_str(test->pattern);

    if (strncmp(test->pattern, "~ ", 2) == 0) {
        rule->kind = NGX_RTMP_ROUTE_PATH_REGEX;
        rule->pattern = unit_str(test->pattern + 2);

    } else if (strncmp(test->pattern, "~* ", 3) == 0) {
        rule->kind = NGX_RTMP_ROUTE_PATH_CASELESS;
        rule->pattern = unit_str(test->pattern + 3);
    }

    rule->stream = unit_str(test->stream ? test->stream : "");
    rule->to = unit_str(test->to ? test->to : "");
    rule->args = !test->no_args;

    if (test->servers) {
        rule->servers = ngx_array_create(pool, 1, sizeof(ngx_str_t));
        server = ngx_array_push(rule->servers);
        *server = unit_str(test->servers);
    }
}


/* the path is not zero terminated */

static ngx_int_t
map(ngx_array_t *rules, const char *path, size_t len)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   text;

    p = malloc(len ? len : 1);
    memcpy(p, path, len);

    text.data = p;
    text.len = len;

    rc = ngx_rtmp_route_path_map(rules, pool, &text, &mapped, &used, &tries);

    free(p);

    return rc;
}


static ngx_uint_t
same(ngx_str_t *text, const char *expected)
{
    return text->len == strlen(expected)
           && (text->len == 0 || memcmp(text->data, expected, text->len) == 0);
}


static char *
keys(char *path, char *stream, char *fallback)
{
    char                   *p;
    ngx_str_t               host, uri, args, key, *suffix;
    ngx_uint_t              i, n, last;
    ngx_array_t             suffixes;
    ngx_rtmp_route_name_t   names[6];

    static char       text[1024];
    static ngx_str_t  ending = ngx_string("_720");

    suffix = &ending;
    memset(&suffixes, 0, sizeof(suffixes));
    suffixes.elts = suffix;
    suffixes.nelts = 1;

    host = unit_str("localhost");
    uri = unit_str(path);
    args = unit_str("");
    key = unit_str(stream);

    if (ngx_rtmp_route_name_mapped(pool, &host, &uri, &args, &key, &suffixes,
                                   names, &n, &last)
        != NGX_OK)
    {
        return "none";
    }

    p = text;

    for (i = 0; i < n; i++) {
        ngx_rtmp_route_key(pool, &names[i], NGX_RTMP_ROUTE_KEY_APP_STREAM, 0,
                           &key);
        p += sprintf(p, "%s%.*s", i ? " " : "", (int) key.len, key.data);

        if (i == last) {
            sprintf(fallback, "%.*s", (int) key.len, key.data);
        }
    }

    return text;
}
