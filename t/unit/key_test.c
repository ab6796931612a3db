
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_key.c ngx_rtmp_route_text.c */


#include "unit.h"
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"


#define FORMS           3
#define MAX_CANDIDATES  6


/* one stream, as everybody calls it; what is NULL can't be said that way */

typedef struct {
    char  *what;
    char  *key;         /* vhost/app/stream */
    char  *tcurl;
    char  *app;
    char  *stream;
    char  *host;
    char  *uri;
    char  *args;
    char  *text;        /* what a registration lists, vhost/app/stream */
} test_stream_t;


typedef struct {
    char  *uri;
    char  *keys;        /* candidates, by their order */
    int    fallback;    /* -1: refused */
} test_uri_t;


typedef struct {
    char  *text;
    char  *keys[FORMS];
} test_text_t;


static void test_streams(void);
static void test_splits(void);
static void test_hosts(void);
static void test_uris(void);
static void test_texts(void);
static void test_fields(void);
static void test_refused(void);
static void test_secret(void);
static void test_length(void);

static char *rtmp_key(char *tcurl, char *app, char *stream, ngx_uint_t form);
static char *http_key(char *host, char *uri, char *args, ngx_uint_t form);
static char *text_key(char *text, ngx_uint_t form);
static char *name_key(ngx_rtmp_route_name_t *name, ngx_uint_t form,
    ngx_uint_t secret);
static char *copy(ngx_str_t *text);


static ngx_pool_t   *pool;
static ngx_array_t  *suffixes;

static char          refused[] = "(refused)";


/*
 * What SRS origins do with these, not what the SRS proxy does: it makes two
 * streams of one, or one of many, in more than half of them.
 */

static test_stream_t  streams[] = {

    { "token in the stream", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1:1935/live", "live", "s1?token=1",
      "127.0.0.1:8080", "/live/s1.flv", "token=1",
      "live/s1?token=1" },

    { "name of a host", "demo.example.com/live/s4",
      "rtmp://demo.example.com/live", "live", "s4",
      "demo.example.com", "/live/s4.flv", "",
      "demo.example.com/live/s4" },

    { "name of a host with port", "demo.example.com/live/s4",
      "rtmp://demo.example.com:1935/live", "live", "s4",
      "demo.example.com:8080", "/live/s4.flv", "",
      "demo.example.com:1935/live/s4" },

    { "upper case in host and name", "demo.example.com/Live/S4",
      "rtmp://Demo.Example.COM/Live", "Live", "S4",
      "DEMO.example.com", "/Live/S4.flv", "",
      "DEMO.Example.com/Live/S4" },

    { "vhost in the stream", "demo.com/live/s3",
      "rtmp://127.0.0.1/live", "live", "s3?vhost=demo.com",
      "127.0.0.1", "/live/s3.flv", "vhost=demo.com",
      "live/s3?vhost=demo.com" },

    { "vhost after other arguments", "demo.com/live/s3",
      "rtmp://example.org/live", "live", "s3?token=1&vhost=demo.com&a=b",
      "example.org", "/live/s3.flv", "token=1&vhost=demo.com&a=b",
      "live/s3?token=1&vhost=demo.com&a=b" },

    { "vhost in the app", "demo.com/live/s2",
      "rtmp://127.0.0.1/live?vhost=demo.com", "live?vhost=demo.com", "s2",
      "127.0.0.1", "/live/s2.flv", "vhost=demo.com",
      "live?vhost=demo.com/s2" },

    { "vhost in the tcUrl only", "demo.com/live/s2",
      "rtmp://127.0.0.1/live?vhost=demo.com", "live", "s2",
      NULL, NULL, NULL, "rtmp://127.0.0.1/live?vhost=demo.com/s2" },

    { "arguments of app and stream", "demo.com/live/s2",
      "rtmp://127.0.0.1/live", "live?token=2", "s2?vhost=demo.com",
      NULL, NULL, NULL, NULL },

    { "vhost of the stream before that of the app", "b.com/live/s2",
      "rtmp://127.0.0.1/live", "live?vhost=a.com", "s2?vhost=b.com",
      NULL, NULL, NULL, NULL },

    { "vhost of the app before that of the tcUrl", "b.com/live/s2",
      "rtmp://127.0.0.1/live?vhost=a.com", "live?vhost=b.com", "s2",
      NULL, NULL, NULL, NULL },

    { "domain", "demo.com/live/s3",
      "rtmp://127.0.0.1/live", "live", "s3?domain=demo.com",
      "127.0.0.1", "/live/s3.flv", "domain=demo.com",
      "live/s3?domain=demo.com" },

    { "vhost before domain", "a.com/live/s3",
      "rtmp://127.0.0.1/live", "live", "s3?vhost=a.com&domain=b.com",
      "127.0.0.1", "/live/s3.flv", "vhost=a.com&domain=b.com",
      "live/s3?domain=b.com&vhost=a.com" },

    { "the default vhost means the host", "demo.com/live/s3",
      "rtmp://demo.com/live", "live", "s3?vhost=__defaultVhost__",
      "demo.com", "/live/s3.flv", "vhost=__defaultVhost__",
      "demo.com/live/s3?vhost=__defaultVhost__" },

    { "old form of vhost in the app", "demo.com/live/s2",
      "rtmp://127.0.0.1/live...vhost...demo.com", "live...vhost...demo.com",
      "s2", "127.0.0.1", "/live...vhost...demo.com/s2.flv", "",
      "live...vhost...demo.com/s2" },

    { "old form of vhost in the stream", "demo.com/live/s2",
      "rtmp://127.0.0.1/live", "live", "s2...vhost...demo.com",
      "127.0.0.1", "/live/s2...vhost...demo.com", "",
      "live/s2...vhost...demo.com" },

    { "old form of vhost in the tcUrl only", "demo.com/live/s2",
      "rtmp://127.0.0.1/live...vhost...demo.com", "", "s2",
      NULL, NULL, NULL, "rtmp://127.0.0.1/live...vhost...demo.com/s2" },

    { "slash after the app", "__defaultVhost__/live/s8",
      "rtmp://127.0.0.1/live/", "live/", "s8",
      "localhost", "/live//s8.flv", "",
      "live//s8" },

    { "slashes all over", "__defaultVhost__/live/s8",
      "rtmp://127.0.0.1//live//", "//live//", "//s8//",
      "localhost", "//live///s8.flv", "",
      "//live//s8//" },

    { "IPv6 address", "__defaultVhost__/live/s6",
      "rtmp://[2001:db8::1]/live", "live", "s6",
      "[2001:db8::1]:8080", "/live/s6.flv", "",
      "[2001:db8::1]:1935/live/s6" },

    { "IPv4 address mapped to IPv6", "__defaultVhost__/live/s6",
      "rtmp://[::ffff:10.0.0.1]:1935/live", "live", "s6",
      "[::ffff:10.0.0.1]", "/live/s6.flv", "",
      "[::ffff:10.0.0.1]/live/s6" },

    { "host without a dot", "__defaultVhost__/live/s6",
      "rtmp://encoder-7:1935/live", "live", "s6",
      "edge", "/live/s6.flv", "",
      "rtmp://edge/live/s6" },

    { "app and stream in arguments", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1/live", "live", "s1",
      "127.0.0.1", "/x.flv", "app=live&stream=s1",
      "live/s1" },

    { "WHEP with a vhost", "demo.com/live/s1",
      "rtmp://127.0.0.1/live?vhost=demo.com", "live?vhost=demo.com", "s1",
      "127.0.0.1:1985", "/rtc/v1/whep/", "app=live&stream=s1&vhost=demo.com",
      "demo.com/live/s1" },

    { "WHIP without a slash", "demo.com/live/s1",
      "rtmp://demo.com/live", "live", "s1",
      "demo.com", "/rtc/v1/whip", "app=live&stream=s1",
      "demo.com/live/s1" },

    { "WHIP with the name in the path", "__defaultVhost__/live/s1.a",
      "rtmp://127.0.0.1/live", "live", "s1.a",
      "127.0.0.1", "/rtc/v1/whip/live/s1.a", "",
      "live/s1.a" },

    { "WHIP without a name", "__defaultVhost__/live/livestream",
      "rtmp://127.0.0.1/live", "live", "livestream",
      "127.0.0.1", "/rtc/v1/whip/", "eip=192.0.2.1",
      "live/livestream" },

    { "WHIP without an app", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1/live", "live", "s1",
      "127.0.0.1", "/rtc/v1/whip/", "stream=s1",
      "live/s1" },

    { "_definst_ after the app", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1/live/_definst_", "live/_definst_", "s1",
      "127.0.0.1", "/live/_definst_/s1.m3u8", "",
      "live/_definst_/s1" },

    { "_definst_ in the stream", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1/live", "live", "_definst_/s1",
      "127.0.0.1", "/live/_definst_/s1.m3u8", "",
      "live/_definst_/s1" },

    { "_definst_ as the start of a name", "__defaultVhost__/live/_definst_1",
      "rtmp://127.0.0.1/live", "live", "_definst_1",
      "127.0.0.1", "/live/_definst_1.m3u8", "",
      "live/_definst_1" },

    { "no app", "__defaultVhost__/s1",
      "rtmp://127.0.0.1/", "", "s1",
      "127.0.0.1", "/s1.flv", "",
      "s1" },

    { "what SRS calls no app", "__defaultVhost__/s1",
      "rtmp://127.0.0.1/__defaultApp__", "__defaultApp__", "s1",
      "127.0.0.1", "/__defaultApp__/s1.flv", "",
      "__defaultApp__/s1" },

    { "app of the tcUrl", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1/live?token=1", "", "s1",
      "127.0.0.1", "/live/s1.flv", "token=1",
      "rtmp://127.0.0.1/live/s1?token=1" },

    { "no tcUrl", "__defaultVhost__/live/s1",
      "", "live", "s1",
      "", "/live/s1.flv", "",
      "/live/s1" },

    { "no tcUrl but a vhost", "demo.com/live/s1",
      "", "live", "s1?vhost=demo.com",
      "", "/live/s1.flv", "vhost=demo.com",
      "/live/s1?vhost=demo.com" },

    { "a tcUrl that is none", "__defaultVhost__/live/s1",
      "demo.example.com/live", "live", "s1",
      NULL, NULL, NULL, NULL },

    { "more parts", "demo.com/live/2024/cam1",
      "rtmp://demo.com/live", "live", "2024/cam1",
      "demo.com", "/live/2024/cam1.m3u8", "",
      "demo.com/live/2024/cam1" },

    { "slash in arguments", "__defaultVhost__/live/s1",
      "rtmp://127.0.0.1/live", "live", "s1?token=a/b",
      "127.0.0.1", "/live/s1.flv", "token=a/b",
      NULL },

    { "two question marks", "demo.com/live/s1",
      "rtmp://127.0.0.1/live", "live", "s1?token=1?vhost=demo.com",
      "127.0.0.1", "/live/s1.flv", "token=1?vhost=demo.com",
      "live/s1?token=1?vhost=demo.com" },

    { "encoded name", "__defaultVhost__/live/a b/\xc3\xa9#%41",
      "rtmp://127.0.0.1/live", "live", "a b/\xc3\xa9#%41",
      "127.0.0.1", "/l%69ve/a%20b%2F%C3%A9%23%2541.flv", "",
      "live/a b/\xc3\xa9#%41" },

    { "encoded arguments", "demo.com/live/2024/c&m1",
      "rtmp://demo.com/live", "live", "2024/c&m1",
      "127.0.0.1", "/", "app=live%2f2024&stream=c%26m1&vhost=demo%2ecom",
      "demo.com/live/2024/c&m1" },

    { "user and password", "demo.com/live/s1",
      "rtmp://user:pa@ss@demo.com:1935/live", "live", "s1",
      NULL, NULL, NULL, "rtmp://user@demo.com/live/s1" }
};


static char  *hosts[][2] = {
    { "demo.com", "demo.com" },
    { "DEMO.com.:80", "demo.com" },
    { "a-b_c.demo.com", "a-b_c.demo.com" },
    { "\xc3\xa9.com", "\xc3\xa9.com" },
    { "1.demo", "1.demo" },
    { "10.0.0.1", "__defaultVhost__" },
    { "10.0.0.1:1935", "__defaultVhost__" },
    { "1.2.3", "__defaultVhost__" },
    { "2001:db8::1", "__defaultVhost__" },
    { "::ffff:1.2.3.4", "__defaultVhost__" },
    { "[::1]", "__defaultVhost__" },
    { "[", "__defaultVhost__" },
    { "localhost", "__defaultVhost__" },
    { "localhost.", "__defaultVhost__" },
    { ".", "__defaultVhost__" },
    { "..", "__defaultVhost__" },
    { ".com", "__defaultVhost__" },
    { "demo..com", "__defaultVhost__" },
    { "demo.com..", "__defaultVhost__" },
    { "de mo.com", "__defaultVhost__" },
    { "demo.com/x", "__defaultVhost__" },
    { "demo\x01.com", "__defaultVhost__" },
    { ":", "__defaultVhost__" },
    { "", "__defaultVhost__" }
};


/* with variants _480, _720, _src and p_720 */

static test_uri_t  uris[] = {
    { "/live/cam1.m3u8", "live/cam1 live", 0 },
    { "/live/cam1", "live/cam1 live", 0 },
    { "/live/cam1/", "live/cam1 live", 0 },
    { "/live/cam1.ts", "live/cam1 live", 0 },
    { "/live/cam1.m4s", "live/cam1 live", 0 },
    { "/live/cam1.mpd", "live/cam1 live", 0 },
    { "/live/john.doe.aac", "live/john.doe live", 0 },
    { "/live/.flv", "live/.flv live", 0 },
    { "/live/...flv", "live/...flv live", 0 },
    { "/live/_definst_.flv", "live/_definst_.flv live", 0 },
    { "/cam1.m3u8", "cam1", 0 },
    { "/index.m3u8", "index", 0 },
    { "/hls/cam1/index.m3u8", "hls/cam1/index hls/cam1", 1 },
    { "/hls/cam1/playlist.m3u8", "hls/cam1/playlist hls/cam1", 1 },
    { "/hls/cam1/master.m3u8", "hls/cam1/master hls/cam1", 1 },
    { "/hls/cam1/chunklist.m3u8", "hls/cam1/chunklist hls/cam1", 1 },
    { "/hls/cam1/chunklist_b150.m3u8", "hls/cam1/chunklist_b150 hls/cam1", 1 },
    { "/hls/cam1/index_720.m3u8",
      "hls/cam1/index_720 hls/cam1/index hls/cam1", 2 },
    { "/hls/cam1/Index.m3u8", "hls/cam1/Index hls/cam1", 0 },
    { "/hls/cam1/indexes.m3u8", "hls/cam1/indexes hls/cam1", 0 },
    { "/hls/cam.1/12.ts", "hls/cam.1/12 hls/cam.1", 1 },
    { "/hls/cam.1/12a.ts", "hls/cam.1/12a hls/cam.1", 0 },
    { "/12.ts", "12", 0 },
    { "/hls/cam1-12.ts", "hls/cam1-12 hls/cam1 hls", 1 },
    { "/hls/cam-1-12.m4s", "hls/cam-1-12 hls/cam-1 hls", 1 },
    { "/hls/cam1-12.key", "hls/cam1-12 hls/cam1 hls", 1 },
    { "/hls/cam1_720-12.ts", "hls/cam1_720-12 hls/cam1_720 hls/cam1 hls", 2 },
    { "/live-adapt/chan_480/cam_720-12_720.ts",
      "live-adapt/chan_480/cam_720-12_720 live-adapt/chan_480/cam_720-12 "
      "live-adapt/chan_480/cam_720 live-adapt/chan_480/cam "
      "live-adapt/chan_480 live-adapt/chan", 3 },
    { "/hls/cam1/index-12.ts",
      "hls/cam1/index-12 hls/cam1/index hls/cam1", 2 },
    { "/cam1-12.ts", "cam1-12 cam1", 1 },
    { "/hls/cam1-12.m3u8", "hls/cam1-12 hls", 0 },
    { "/hls/cam1-12.flv", "hls/cam1-12 hls", 0 },
    { "/hls/cam1-12", "hls/cam1-12 hls", 0 },
    { "/hls/cam1-.ts", "hls/cam1- hls", 0 },
    { "/hls/cam1-a12.ts", "hls/cam1-a12 hls", 0 },
    { "/hls/-12.ts", "hls/-12 hls", 0 },
    { "/hls/..-12.ts", "hls/..-12 hls", 0 },
    { "/live-adapt/chan.m3u8", "live-adapt/chan live-adapt", 0 },
    { "/live-adapt/chan_720.m3u8",
      "live-adapt/chan_720 live-adapt/chan live-adapt", 1 },
    { "/live-adapt/chan_720/index.m3u8",
      "live-adapt/chan_720/index live-adapt/chan_720 live-adapt/chan", 2 },
    { "/live-adapt/chan_src/7.ts",
      "live-adapt/chan_src/7 live-adapt/chan_src live-adapt/chan", 2 },
    { "/keys-adapt/chan_480/7.key",
      "keys-adapt/chan_480/7 keys-adapt/chan_480 keys-adapt/chan", 2 },
    { "/live/7.ts", "live/7 live", 0 },
    { "/live/2024/7.flv", "live/2024/7 live/2024", 0 },
    { "/live/2024/7", "live/2024/7 live/2024", 0 },
    { "/live/chan_720/index_480.m3u8",
      "live/chan_720/index_480 live/chan_720/index live/chan_720 live/chan",
      3 },
    { "/live/cam-p_720.m3u8", "live/cam-p_720 live/cam- live", 1 },
    { "/live/_720.m3u8", "live/_720 live", 0 },
    { "/live/.._720.m3u8", "live/.._720 live", 0 },
    { "/live/_720/index.m3u8", "live/_720/index live/_720", 1 },
    { "/live/cam1_1080.m3u8", "live/cam1_1080 live", 0 },
    { "/live/cam1_720x.m3u8", "live/cam1_720x live", 0 },
    { "/__defaultApp__/cam1/index.m3u8", "cam1/index cam1", 1 },
    { "/live/cam1.m3u8?x=1", "live/cam1 live", 0 },
    { "/live/cam1.m3u8#t=1", "live/cam1 live", 0 },
    { "/rtc/v1/whipped/live/s1", "rtc/v1/whipped/live/s1 "
                                 "rtc/v1/whipped/live", 0 },
    { "/rtc/v1/whep/live/index.x", "live/index.x", 0 },
    { "/live/%", "", -1 },
    { "/live/%2", "", -1 },
    { "/live/%zz", "", -1 },
    { "/live/%-1", "", -1 },
    { "/live/cam1%00.m3u8", "", -1 },
    { "/live/cam1%0a.m3u8", "", -1 },
    { "/live/cam1%7f.m3u8", "", -1 },
    { "/live/cam1%3Fa=b", "", -1 },
    { "/live/../cam1.m3u8", "", -1 },
    { "/live/%2e%2e/cam1.m3u8", "", -1 },
    { "/live/..%2fcam1.m3u8", "", -1 },
    { "/live/./cam1.m3u8", "", -1 },
    { "/live/cam1/..", "", -1 },
    { "/_definst_/", "", -1 },
    { "//", "", -1 },
    { "/", "", -1 },
    { "", "", -1 }
};


/* app/stream, stream, vhost/app/stream */

static test_text_t  texts[] = {
    { "live/cam1",
      { "live/cam1", "live/cam1", "__defaultVhost__/live/cam1" } },
    { "/live/cam1",
      { "live/cam1", "cam1", "__defaultVhost__/live/cam1" } },
    { "rtmp://demo.com/live/cam1",
      { "live/cam1", "cam1", "demo.com/live/cam1" } },
    { "rtmp://h/live/cam1",
      { "live/cam1", "cam1", "__defaultVhost__/live/cam1" } },
    { "cam1", { "cam1", "cam1", "__defaultVhost__/cam1" } },
    { "/cam1", { "cam1", "cam1", "__defaultVhost__/cam1" } },
    { "demo.com", { "demo.com", "demo.com", "__defaultVhost__/demo.com" } },
    { "demo.com/live/cam1",
      { "demo.com/live/cam1", "demo.com/live/cam1", "demo.com/live/cam1" } },
    { "/demo.com/live/cam1",
      { "demo.com/live/cam1", "live/cam1",
        "__defaultVhost__/demo.com/live/cam1" } },
    { "__defaultVhost__/live/cam1",
      { "__defaultVhost__/live/cam1", "__defaultVhost__/live/cam1",
        "__defaultVhost__/live/cam1" } },
    { "live?a=b/2024/cam1?c=d",
      { "live/cam1", "live/cam1", "__defaultVhost__/live/cam1" } },
    { "live/a%20b",
      { "live/a%20b", "live/a%20b", "__defaultVhost__/live/a%20b" } },
    { "://live/a",
      { ":/live/a", ":/live/a", "__defaultVhost__/:/live/a" } },
    { "", { refused, refused, refused } },
    { "/", { refused, refused, refused } },
    { "?a=b", { refused, refused, refused } },
    { "rtmp://demo.com", { refused, refused, refused } },
    { "live/../cam1", { refused, refused, refused } },
    { "live/cam1\n", { refused, refused, refused } }
};


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_streams();
    test_splits();
    test_hosts();
    test_uris();
    test_texts();
    test_fields();
    test_refused();
    test_secret();
    test_length();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_streams(void)
{
    char           *key[FORMS], *path, *rest;
    ngx_str_t       str;
    ngx_uint_t      i, form;
    test_stream_t  *st;

    for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        st = &streams[i];

        path = strchr(st->key, '/') + 1;
        rest = strchr(path, '/');

        key[NGX_RTMP_ROUTE_KEY_APP_STREAM] = path;
        key[NGX_RTMP_ROUTE_KEY_STREAM] = rest ? rest + 1 : path;
        key[NGX_RTMP_ROUTE_KEY_VHOST] = st->key;

        for (form = 0; form < FORMS; form++) {

            str = unit_str(rtmp_key(st->tcurl, st->app, st->stream, form));
            is_str(&str, key[form], "%s: rtmp, form %d", st->what, (int) form);

            if (st->uri) {
                str = unit_str(http_key(st->host, st->uri, st->args, form));
                is_str(&str, key[form], "%s: http, form %d", st->what,
                       (int) form);
            }
        }

        if (st->text) {
            form = NGX_RTMP_ROUTE_KEY_VHOST;
            str = unit_str(text_key(st->text, form));
            is_str(&str, st->key, "%s: text", st->what);
        }
    }
}


static void
test_splits(void)
{
    char        *app, *stream, whole[] = "live/2024/05/cam1";
    ngx_str_t    str;
    ngx_uint_t   i;

    for (i = 0; i <= sizeof(whole) - 1; i++) {

        if (i && i < sizeof(whole) - 1 && whole[i] != '/') {
            continue;
        }

        app = strndup(whole, i);
        stream = strdup(&whole[i]);

        str = unit_str(rtmp_key("rtmp://h/", app, stream, 0));
        is_str(&str, whole, "app \"%s\", stream \"%s\"", app, stream);

        str = unit_str(rtmp_key("rtmp://h/ignored", app[0] ? app : "/",
                                stream, 0));
        is_str(&str, whole, "app \"%s\", stream \"%s\", other tcUrl", app,
               stream);

        free(app);
        free(stream);
    }

    str = unit_str(rtmp_key("rtmp://h/live/2024/05/cam1", "", "", 0));
    is_str(&str, whole, "all in the tcUrl");

    str = unit_str(rtmp_key("rtmp://h/live/2024/05/cam1", "", "?a=b", 0));
    is_str(&str, whole, "all in the tcUrl, arguments in the stream");
}


static void
test_hosts(void)
{
    ngx_str_t              host, uri, args;
    ngx_uint_t             i, n, fallback;
    ngx_rtmp_route_name_t  names[MAX_CANDIDATES];

    uri = unit_str("/live/s1.flv");
    args = unit_str("");

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        host = unit_str(hosts[i][0]);

        if (ngx_rtmp_route_name_http(pool, &host, &uri, &args, NULL, names,
                                     &n, &fallback)
            != NGX_OK)
        {
            ok(0, "host \"%s\"", hosts[i][0]);
            continue;
        }

        is_str(&names[0].vhost, hosts[i][1], "host \"%s\"", hosts[i][0]);
    }
}


static void
test_uris(void)
{
    u_char                 buf[1024], *p;
    ngx_int_t              rc;
    ngx_str_t              host, uri, args, got, *suffix;
    ngx_uint_t             i, k, n, fallback;
    ngx_rtmp_route_name_t  names[MAX_CANDIDATES];

    suffixes = ngx_array_create(pool, 4, sizeof(ngx_str_t));
    suffix = ngx_array_push_n(suffixes, 4);

    suffix[0] = unit_str("_480");
    suffix[1] = unit_str("_720");
    suffix[2] = unit_str("p_720");
    suffix[3] = unit_str("_src");

    host = unit_str("h");
    args = unit_str("stream=&hls_ctx=abc");

    for (i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        uri = unit_str(uris[i].uri);

        rc = ngx_rtmp_route_name_http(pool, &host, &uri, &args, suffixes,
                                      names, &n, &fallback);

        if (uris[i].fallback == -1) {
            ok(rc == NGX_DECLINED, "\"%s\" is refused", uris[i].uri);
            continue;
        }

        if (rc != NGX_OK) {
            ok(0, "\"%s\"", uris[i].uri);
            continue;
        }

        p = buf;

        for (k = 0; k < n; k++) {
            p = ngx_slprintf(p, buf + sizeof(buf), "%s%V", k ? " " : "",
                             &names[k].path);
        }

        got.data = buf;
        got.len = p - buf;

        is_str(&got, uris[i].keys, "candidates of \"%s\"", uris[i].uri);
        is_uint(fallback, uris[i].fallback, "fallback of \"%s\"", uris[i].uri);
    }

    suffixes = NULL;
}


static void
test_texts(void)
{
    ngx_str_t   str;
    ngx_uint_t  i, form;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (form = 0; form < FORMS; form++) {
            str = unit_str(text_key(texts[i].text, form));
            is_str(&str, texts[i].keys[form], "text %d, form %d", (int) i,
                   (int) form);
        }
    }
}


static void
test_fields(void)
{
    ngx_str_t              tcurl, app, stream, host, uri, args;
    ngx_uint_t             n, fallback;
    ngx_rtmp_route_name_t  name, names[MAX_CANDIDATES];

    tcurl = unit_str("rtmp://Demo.com:1935/live/_definst_?a=b");
    app = unit_str("/live/_definst_?a=b");
    stream = unit_str("cam1?c=d");

    ok(ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name) == NGX_OK,
       "rtmp name");

    is_str(&name.vhost, "demo.com", "rtmp vhost");
    is_str(&name.path, "live/cam1", "rtmp path");
    is_str(&name.app, "live/_definst_", "rtmp app");
    is_str(&name.stream, "cam1", "rtmp stream");
    is_str(&name.args, "a=b&c=d", "rtmp arguments");

    app = unit_str("live?a=b");
    stream = unit_str("cam1");
    (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);
    is_str(&name.args, "a=b", "rtmp arguments of the app");

    app = unit_str("live");
    stream = unit_str("cam1?c=d");
    (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);
    is_str(&name.args, "c=d", "rtmp arguments of the stream");

    app = unit_str("");
    (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);
    is_str(&name.app, "live/_definst_", "rtmp app of the tcUrl");
    is_str(&name.args, "a=b&c=d", "rtmp arguments of the tcUrl");

    host = unit_str("Demo.com:8080");
    uri = unit_str("/live/2024/cam1.m3u8");
    args = unit_str("a=b&c=%64");
    ok(ngx_rtmp_route_name_http(pool, &host, &uri, &args, NULL, names, &n,
                                &fallback)
       == NGX_OK, "http name");

    is_uint(n, 2, "http candidates");
    is_str(&names[0].app, "live", "http app");
    is_str(&names[0].stream, "2024/cam1", "http stream");
    is_str(&names[1].app, "live", "http app of the directory");
    is_str(&names[1].stream, "2024", "http stream of the directory");
    is_str(&names[1].vhost, "demo.com", "http vhost of the directory");
    is_str(&names[1].args, "a=b&c=%64", "http arguments are raw");
}


static void
test_refused(void)
{
    ngx_str_t  str;

    str = unit_str(rtmp_key("rtmp://h/live", "live", "", 0));
    is_str(&str, refused, "app without stream");

    str = unit_str(rtmp_key("rtmp://h/live", "live", "?vhost=demo.com", 0));
    is_str(&str, refused, "app with arguments only");

    str = unit_str(rtmp_key("rtmp://h/live", "live", "//", 0));
    is_str(&str, refused, "stream of slashes");

    str = unit_str(rtmp_key("", "", "", 0));
    is_str(&str, refused, "nothing");

    str = unit_str(rtmp_key("", "live", "..", 0));
    is_str(&str, refused, "parent directory");

    str = unit_str(rtmp_key("", "live/.", "s1", 0));
    is_str(&str, refused, "this directory");

    str = unit_str(rtmp_key("", "live/..", "s1", 0));
    is_str(&str, refused, "parent directory in the app");

    str = unit_str(rtmp_key("", "live", "s1\r", 0));
    is_str(&str, refused, "control character");

    str = unit_str(rtmp_key("", "live", "s\x7f", 0));
    is_str(&str, refused, "delete character");

    str = unit_str(rtmp_key("", "live", "..s1..", 0));
    is_str(&str, "live/..s1..", "dots in a name");

    str = unit_str(http_key("h", "/x.flv", "app=live&stream=s%0a", 0));
    is_str(&str, refused, "control character in an argument");

    str = unit_str(http_key("h", "/x.flv", "app=live&stream=s%", 0));
    is_str(&str, refused, "bad encoding in an argument");

    str = unit_str(http_key("h", "/x.flv", "app=live&stream=", 0));
    is_str(&str, "x", "empty argument");

    str = unit_str(http_key("h", "/x.flv", "app=..&stream=s1", 0));
    is_str(&str, refused, "parent directory in an argument");
}


static void
test_secret(void)
{
    char                  *key;
    ngx_str_t              str, tcurl, app, stream;
    ngx_uint_t             form;
    ngx_rtmp_route_name_t  name;

    /* SHA-256 of "abc", and of "a/b" */

    static char  *keys[FORMS] = {
        "live/#ba7816bf8f01cfea",
        "#ba7816bf8f01cfea",
        "demo.com/live/#ba7816bf8f01cfea"
    };

    tcurl = unit_str("rtmp://demo.com/live");
    app = unit_str("live");
    stream = unit_str("abc?token=1");

    for (form = 0; form < FORMS; form++) {
        (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);

        key = name_key(&name, form, 1);
        str = unit_str(key);
        is_str(&str, keys[form], "secret, form %d", (int) form);

        str = unit_str(key);
        (void) ngx_rtmp_route_name_text(pool, &str, form, &name);
        str = unit_str(name_key(&name, form, 1));
        is_str(&str, keys[form], "digest of the API, form %d", (int) form);

        str = unit_str(name_key(&name, form, 0));
        is_str(&str, keys[form], "digest without secret, form %d", (int) form);
    }

    str = unit_str("/live/abc");
    (void) ngx_rtmp_route_name_text(pool, &str, 0, &name);
    str = unit_str(name_key(&name, 0, 1));
    is_str(&str, keys[0], "secret of a text");

    app = unit_str("");
    tcurl = unit_str("");
    (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);
    str = unit_str(name_key(&name, 0, 1));
    is_str(&str, keys[1], "secret without an app");

    stream = unit_str("live/a/b");
    (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);
    str = unit_str(name_key(&name, 0, 1));
    is_str(&str, "live/#c14cddc033f64b9d", "secret of two parts");

    /* who has seen a digest can't publish as its stream */

    stream = unit_str("live/#ba7816bf8f01cfea");
    (void) ngx_rtmp_route_name_rtmp(pool, &tcurl, &app, &stream, &name);
    ok(strcmp(name_key(&name, 0, 1), keys[0]) != 0, "published digest");

    str = unit_str("live/#BA7816BF8F01CFEA");
    (void) ngx_rtmp_route_name_text(pool, &str, 0, &name);
    is_uint(name.hashed, 0, "upper case is no digest");

    str = unit_str("live/#ba7816bf8f01cfe");
    (void) ngx_rtmp_route_name_text(pool, &str, 0, &name);
    is_uint(name.hashed, 0, "short is no digest");
}


static void
test_length(void)
{
    char       *key, text[3 * NGX_RTMP_ROUTE_KEY_LEN + 64], *p;
    ngx_str_t   str;

    memset(text, 'x', sizeof(text));
    memcpy(text, "/live/", 6);

    text[1 + NGX_RTMP_ROUTE_KEY_LEN] = '\0';
    is_uint(strlen(text_key(text, 0)), NGX_RTMP_ROUTE_KEY_LEN, "longest key");

    str = unit_str(text_key(text, NGX_RTMP_ROUTE_KEY_VHOST));
    is_str(&str, refused, "too long with its vhost");

    key = rtmp_key("rtmp://h/", &text[1], "", 0);
    is_uint(strlen(key), NGX_RTMP_ROUTE_KEY_LEN, "longest key of rtmp");

    text[1 + NGX_RTMP_ROUTE_KEY_LEN] = 'x';
    text[2 + NGX_RTMP_ROUTE_KEY_LEN] = '\0';

    str = unit_str(text_key(text, 0));
    is_str(&str, refused, "too long");

    str = unit_str(http_key("h", text, "", 0));
    is_str(&str, refused, "too long for http");

    for (p = &text[6]; p < &text[6 + 3 * (NGX_RTMP_ROUTE_KEY_LEN - 5)];
         p += 3)
    {
        memcpy(p, "%78", 3);
    }

    *p = '\0';

    is_uint(strlen(http_key("h", text, "", 0)), NGX_RTMP_ROUTE_KEY_LEN,
            "longest key, encoded");

    memset(text, 'x', sizeof(text));
    memcpy(&text[255 - 4], ".com", 5);

    str = unit_str(http_key(text, "/live/s1", "", NGX_RTMP_ROUTE_KEY_VHOST));
    is_uint(str.len, 255 + sizeof("/live/s1") - 1, "longest host");

    memcpy(&text[256 - 4], ".com", 5);

    str = unit_str(http_key(text, "/live/s1", "", NGX_RTMP_ROUTE_KEY_VHOST));
    is_str(&str, "__defaultVhost__/live/s1", "too long a host");
}


static char *
rtmp_key(char *tcurl, char *app, char *stream, ngx_uint_t form)
{
    ngx_str_t              t, a, s;
    ngx_rtmp_route_name_t  name;

    t = unit_str(tcurl);
    a = unit_str(app);
    s = unit_str(stream);

    if (ngx_rtmp_route_name_rtmp(pool, &t, &a, &s, &name) != NGX_OK) {
        return refused;
    }

    return name_key(&name, form, 0);
}


static char *
http_key(char *host, char *uri, char *args, ngx_uint_t form)
{
    ngx_str_t              h, u, a;
    ngx_uint_t             n, fallback;
    ngx_rtmp_route_name_t  names[MAX_CANDIDATES];

    h = unit_str(host);
    u = unit_str(uri);
    a = unit_str(args);

    if (ngx_rtmp_route_name_http(pool, &h, &u, &a, suffixes, names, &n,
                                 &fallback)
        != NGX_OK)
    {
        return refused;
    }

    return name_key(&names[fallback], form, 0);
}


static char *
text_key(char *text, ngx_uint_t form)
{
    ngx_str_t              t;
    ngx_rtmp_route_name_t  name;

    t = unit_str(text);

    if (ngx_rtmp_route_name_text(pool, &t, form, &name) != NGX_OK) {
        return refused;
    }

    return name_key(&name, form, 0);
}


static char *
name_key(ngx_rtmp_route_name_t *name, ngx_uint_t form, ngx_uint_t secret)
{
    ngx_str_t  key;

    if (ngx_rtmp_route_key(pool, name, form, secret, &key) != NGX_OK) {
        return refused;
    }

    return copy(&key);
}


static char *
copy(ngx_str_t *text)
{
    u_char  *p;

    p = ngx_pnalloc(pool, text->len + 1);
    ngx_memcpy(p, text->data, text->len);
    p[text->len] = '\0';

    return (char *) p;
}
