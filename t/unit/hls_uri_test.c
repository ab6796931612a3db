
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_uri.c ngx_hls_playlist.c */


#include "unit.h"
#include "ngx_hls_uri.h"


typedef struct {
    char        *base;
    char        *uri;
    char        *result;    /* path ["?" args] [" @" host ":" port] [" own"] */
} test_resolve_t;


typedef struct {
    char        *path;
    ngx_uint_t   kind;
} test_kind_t;


static void test_resolve(void);
static void test_split(void);
static void test_own(void);
static void test_kind(void);
static void test_args(void);
static void test_directives(void);
static void test_generation(void);

static char *resolve(char *base, ngx_str_t *uri);
static ngx_array_t *names(char *text);


static test_resolve_t  resolves[] = {
    { "/live/cam1.m3u8", "cam1-12.ts", "/live/cam1-12.ts own" },
    { "/live/cam1.m3u8", "cam1/12.ts", "/live/cam1/12.ts own" },
    { "/live/cam1.m3u8", "./cam1/12.ts", "/live/cam1/12.ts own" },
    { "/live/cam1.m3u8", "cam1//12.ts", "/live/cam1/12.ts own" },
    { "/live/cam1.m3u8", "a.ts?x=1&y=2", "/live/a.ts?x=1&y=2 own" },
    { "/live/cam1.m3u8", "a.ts?x=%2e%2e/b", "/live/a.ts?x=%2e%2e/b own" },
    { "/live/cam1.m3u8", "a.ts#f", "/live/a.ts own" },
    { "/live/cam1.m3u8", "a.ts?x#f?y", "/live/a.ts?x own" },
    { "/live/cam1.m3u8", "a.ts?", "/live/a.ts own" },
    { "/live/cam1.m3u8", "?x=1", "/live/cam1.m3u8?x=1 own" },
    { "/live/cam1.m3u8", "#x", "/live/cam1.m3u8 own" },
    { "/live/cam1.m3u8", "/live/a.ts", "/live/a.ts own" },
    { "/live/cam1.m3u8", "/other/a.ts", "/other/a.ts" },
    { "/live/cam1.m3u8", "/live2/a.ts", "/live2/a.ts" },
    { "/live/cam1.m3u8", "/", "/" },
    { "/live/cam1.m3u8", ".", "/live/" },
    { "/live/cam1.m3u8", "a b.ts", "/live/a b.ts own" },
    { "/live/cam1.m3u8", "a%20b%2Bc%3fd%23e.ts", "/live/a b+c?d#e.ts own" },
    { "/live/cam1.m3u8", "%E2%82%AC.ts", "/live/\xe2\x82\xac.ts own" },
    { "/live/cam1.m3u8", "%252e%252e/a.ts", "/live/%2e%2e/a.ts own" },

    { "/live/cam1.m3u8", "../a.ts", "/a.ts" },
    { "/live/cam1.m3u8", "%2e%2e/a.ts", "/a.ts" },
    { "/live/cam1.m3u8", "%2E./a.ts", "/a.ts" },
    { "/live/cam1.m3u8", "..%2fa.ts", "/a.ts" },
    { "/live/cam1.m3u8", "x/../../a.ts", "/a.ts" },
    { "/live/cam1.m3u8", "x/../a.ts", "/live/a.ts own" },
    { "/live/cam1.m3u8", "../live/a.ts", "/live/a.ts own" },
    { "/live/cam1.m3u8", "/live/../secret/a.key", "/secret/a.key" },
    { "/live/cam1.m3u8", "/live/%2e%2e%2fsecret/a.key", "/secret/a.key" },
    { "/live/cam1.m3u8", "../../a.ts", NULL },
    { "/live/cam1.m3u8", "../%2e%2e/a.ts", NULL },
    { "/live/cam1.m3u8", "/..", NULL },
    { "/live/cam1.m3u8", "/live/../../etc/passwd", NULL },
    { "/live/cam1.m3u8", "...", "/live/... own" },
    { "/live/cam1.m3u8", "..a/b.ts", "/live/..a/b.ts own" },
    { "/cam1.m3u8", "a.ts", "/a.ts own" },
    { "/cam1.m3u8", "../a.ts", NULL },
    { "/a/b/c.m3u8", "../d/e.ts", "/a/d/e.ts" },
    { "/a/b/c.m3u8", "d/..", "/a/b/" },
    { "/a/b/c.m3u8", "..", "/a/" },
    { "/a/b/", "c.ts", "/a/b/c.ts own" },
    { "", "c.ts", NULL },
    { "c.m3u8", "c.ts", NULL },

    { "/live/cam1.m3u8", "http://a.example/x/a.ts?b=1",
      "/x/a.ts?b=1 @a.example:80" },
    { "/live/cam1.m3u8", "HTTPS://A.Example:8443/x", "/x @a.example:8443" },
    { "/live/cam1.m3u8", "https://a.example", "/ @a.example:443" },
    { "/live/cam1.m3u8", "http://a.example?x=1", "/?x=1 @a.example:80" },
    { "/live/cam1.m3u8", "http://a.example/../x", NULL },
    { "/live/cam1.m3u8", "//a.example/x", "/x @a.example:80" },
    { "/live/cam1.m3u8", "//a.example:1/x", "/x @a.example:1" },
    { "/live/cam1.m3u8", "http://[2001:DB8::1]:8080/x",
      "/x @2001:db8::1:8080" },
    { "/live/cam1.m3u8", "http://10.0.0.1:/x", "/x @10.0.0.1:80" },
    { "/live/cam1.m3u8", "http://", NULL },
    { "/live/cam1.m3u8", "http:///x", NULL },
    { "/live/cam1.m3u8", "///x", NULL },
    { "/live/cam1.m3u8", "http:x", NULL },
    { "/live/cam1.m3u8", "http:/x", NULL },
    { "/live/cam1.m3u8", "http://u:p@a.example/x", NULL },
    { "/live/cam1.m3u8", "http://a.example:0/x", NULL },
    { "/live/cam1.m3u8", "http://a.example:65536/x", NULL },
    { "/live/cam1.m3u8", "http://a.example:99999999999999999999/x", NULL },
    { "/live/cam1.m3u8", "http://a.example:8o/x", NULL },
    { "/live/cam1.m3u8", "http://[::1/x", NULL },
    { "/live/cam1.m3u8", "http://[::1]x/x", NULL },
    { "/live/cam1.m3u8", "http://a b/x", NULL },
    { "/live/cam1.m3u8", "http://a%2eb/x", NULL },

    { "/live/cam1.m3u8", "skd://key", NULL },
    { "/live/cam1.m3u8", "data:text/plain,x", NULL },
    { "/live/cam1.m3u8", "urn:x", NULL },
    { "/live/cam1.m3u8", "javascript:x", NULL },
    { "/live/cam1.m3u8", "file:///etc/passwd", NULL },
    { "/live/cam1.m3u8", "12:30.ts", "/live/12:30.ts own" },
    { "/live/cam1.m3u8", "cam_1:2.ts", "/live/cam_1:2.ts own" },
    { "/live/cam1.m3u8", ":a", "/live/:a own" },

    { "/live/cam1.m3u8", "", NULL },
    { "/live/cam1.m3u8", "{$base}/a.ts", NULL },
    { "/live/cam1.m3u8", "a{b}.ts", "/live/a{b}.ts own" },
    { "/live/cam1.m3u8", "..\\a.ts", NULL },
    { "/live/cam1.m3u8", "a%5cb.ts", NULL },
    { "/live/cam1.m3u8", "a\tb.ts", NULL },
    { "/live/cam1.m3u8", "a\rb.ts", NULL },
    { "/live/cam1.m3u8", "a\x7f" "b.ts", NULL },
    { "/live/cam1.m3u8", "a%00b.ts", NULL },
    { "/live/cam1.m3u8", "a%0ab.ts", NULL },
    { "/live/cam1.m3u8", "a%7f.ts", NULL },
    { "/live/cam1.m3u8", "a%.ts", NULL },
    { "/live/cam1.m3u8", "a%2", NULL },
    { "/live/cam1.m3u8", "a%2g.ts", NULL },
    { "/live/cam1.m3u8", "a%", NULL },
    { NULL, NULL, NULL }
};


static test_kind_t  kinds[] = {
    { "/live/cam1.m3u8", NGX_HLS_KIND_PLAYLIST },
    { "/live/cam1.M3U8", NGX_HLS_KIND_PLAYLIST },
    { "/live/cam1.m3u", NGX_HLS_KIND_PLAYLIST },
    { "/dash/cam1.mpd", NGX_HLS_KIND_MANIFEST },
    { "/live/cam1-1.ts", NGX_HLS_KIND_SEGMENT },
    { "/live/1.m4s", NGX_HLS_KIND_SEGMENT },
    { "/live/init.mp4", NGX_HLS_KIND_SEGMENT },
    { "/live/1.m4a", NGX_HLS_KIND_SEGMENT },
    { "/live/1.m4v", NGX_HLS_KIND_SEGMENT },
    { "/live/1.m4f", NGX_HLS_KIND_SEGMENT },
    { "/live/1.cmfv", NGX_HLS_KIND_SEGMENT },
    { "/live/1.cmfa", NGX_HLS_KIND_SEGMENT },
    { "/live/1.aac", NGX_HLS_KIND_SEGMENT },
    { "/live/1.ac3", NGX_HLS_KIND_SEGMENT },
    { "/live/1.ec3", NGX_HLS_KIND_SEGMENT },
    { "/live/1.mp3", NGX_HLS_KIND_SEGMENT },
    { "/live/1.vtt", NGX_HLS_KIND_SEGMENT },
    { "/live/1.webvtt", NGX_HLS_KIND_SEGMENT },
    { "/live/1.ttml", NGX_HLS_KIND_SEGMENT },
    { "/live/1.dfxp", NGX_HLS_KIND_SEGMENT },
    { "/live/1.jpg", NGX_HLS_KIND_SEGMENT },
    { "/live/1.key", NGX_HLS_KIND_KEY },
    { "/live/1.KEY", NGX_HLS_KIND_KEY },
    { "/live/1.kEy", NGX_HLS_KIND_KEY },
    { "/live/.key", NGX_HLS_KIND_KEY },
    { "/live/1.key/", NGX_HLS_KIND_KEY },
    { "/live/1.key.", NGX_HLS_KIND_KEY },
    { "/live/1.key ", NGX_HLS_KIND_KEY },
    { "/live/1.key;x=1", NGX_HLS_KIND_KEY },
    { "/live/1.Key;.ts", NGX_HLS_KIND_KEY },
    { "/live/1.key.ts", NGX_HLS_KIND_SEGMENT },
    { "/live/1.key/1.ts", NGX_HLS_KIND_SEGMENT },
    { "/live/monkey", NGX_HLS_KIND_OTHER },
    { "/live/cam1.flv", NGX_HLS_KIND_ENDLESS },
    { "/live/cam1.FLV", NGX_HLS_KIND_ENDLESS },
    { "/live/ts", NGX_HLS_KIND_OTHER },
    { "/live.ts/x", NGX_HLS_KIND_OTHER },
    { "/live/x.", NGX_HLS_KIND_OTHER },
    { "/live/x.tsx", NGX_HLS_KIND_OTHER },
    { "/live/x.ts/", NGX_HLS_KIND_OTHER },
    { "/live/x.html", NGX_HLS_KIND_OTHER },
    { "/", NGX_HLS_KIND_OTHER },
    { "", NGX_HLS_KIND_OTHER },
    { "ts", NGX_HLS_KIND_OTHER },
    { ".ts", NGX_HLS_KIND_SEGMENT },
    { NULL, 0 }
};


static ngx_pool_t  *pool;


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_resolve();
    test_split();
    test_own();
    test_kind();
    test_args();
    test_directives();
    test_generation();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_resolve(void)
{
    u_char          *p;
    ngx_str_t        uri, got;
    test_resolve_t  *t;

    for (t = resolves; t->base; t++) {

        /* a copy, so that overruns are seen */

        uri.len = strlen(t->uri);
        uri.data = malloc(uri.len + !uri.len);
        memcpy(uri.data, t->uri, uri.len);

        got = unit_str(resolve(t->base, &uri));
        is_str(&got, t->result ? t->result : "refused", "%s in %s", t->uri,
               t->base);

        free(uri.data);
    }

    p = malloc(NGX_HLS_MAX_URI + 1);
    ngx_memset(p, 'a', NGX_HLS_MAX_URI + 1);

    uri.data = p;
    uri.len = NGX_HLS_MAX_URI;
    ok(strlen(resolve("/b.m3u8", &uri)) > NGX_HLS_MAX_URI, "a long URI");

    uri.len++;
    got = unit_str(resolve("/b.m3u8", &uri));
    is_str(&got, "refused", "a longer one");

    /* only slashes and dots */

    for (uri.len = 1; uri.len < NGX_HLS_MAX_URI; uri.len += 997) {
        ngx_memset(p, '/', uri.len);
        p[0] = 'a';
        got = unit_str(resolve("/b.m3u8", &uri));
        ok(got.len < 10, "slashes");
    }

    uri.data = (u_char *) "a\0b";
    uri.len = 3;
    got = unit_str(resolve("/b.m3u8", &uri));
    is_str(&got, "refused", "a zero byte");

    free(p);
}


static void
test_split(void)
{
    size_t         prefix;
    ngx_str_t      uri, rest;
    ngx_hls_ref_t  ref;

    uri = unit_str("http://H:81/a/../%62?c#d");
    ok(ngx_hls_uri_split(pool, &uri, &ref, &prefix, &rest) == NGX_OK,
       "a whole URI");
    is_uint(prefix, 11, "scheme and host");
    is_str(&ref.host, "h", "host");
    is_uint(ref.port, 81, "port");
    is_str(&ref.path, "/a/../%62", "path as it is");
    is_str(&ref.args, "c", "arguments");
    is_str(&rest, "?c#d", "rest");
    ok(ref.absolute && !ref.https, "absolute");

    uri = unit_str("a/b");
    ok(ngx_hls_uri_split(pool, &uri, &ref, &prefix, &rest) == NGX_OK,
       "a path");
    is_uint(prefix, 0, "no host");
    is_str(&ref.path, "a/b", "the path");
    is_uint(rest.len, 0, "nothing behind it");
    ok(!ref.absolute, "relative");
}


static void
test_own(void)
{
    ngx_str_t  base, path;

    base = unit_str("/live/cam1.m3u8");

    path = unit_str("/live/a.ts");
    ok(ngx_hls_uri_own(&base, &path), "beside it");
    path = unit_str("/live/a/b/c.ts");
    ok(ngx_hls_uri_own(&base, &path), "below it");
    path = unit_str("/live/");
    ok(!ngx_hls_uri_own(&base, &path), "the folder");
    path = unit_str("/liv");
    ok(!ngx_hls_uri_own(&base, &path), "shorter");
    path = unit_str("/lives/a.ts");
    ok(!ngx_hls_uri_own(&base, &path), "another folder");

    base = unit_str("");
    ok(!ngx_hls_uri_own(&base, &path), "no base");
}


static void
test_kind(void)
{
    ngx_str_t     path;
    test_kind_t  *t;

    for (t = kinds; t->path; t++) {
        path.len = strlen(t->path);
        path.data = malloc(path.len + !path.len);
        memcpy(path.data, t->path, path.len);

        is_uint(ngx_hls_uri_kind(&path), t->kind, "\"%s\"", t->path);

        free(path.data);
    }
}


static void
test_args(void)
{
    ngx_str_t     args, name, value, whole, result;
    ngx_array_t  *list;

    args = unit_str("&&a=1&b&c=&=d&&a=2=3&");

    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_OK, "first");
    is_str(&name, "a", "name");
    is_str(&value, "1", "value");
    is_str(&whole, "a=1", "both");
    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_OK, "second");
    is_str(&name, "b", "name alone");
    is_str(&value, "", "no value");
    is_str(&whole, "b", "nothing more");
    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_OK, "third");
    is_str(&whole, "c=", "an empty value");
    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_OK, "fourth");
    is_str(&name, "", "no name");
    is_str(&value, "d", "a value");
    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_OK, "fifth");
    is_str(&value, "2=3", "a value with another sign");
    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_DONE, "end");
    ok(ngx_hls_args_next(&args, &name, &value, &whole) == NGX_DONE, "stays");

    args = unit_str("ab=0&a=1&b=2&a=3&c");

    name = unit_str("a");
    ok(ngx_hls_args_find(&args, &name, &value) == NGX_OK, "found");
    is_str(&value, "1", "the first one");
    name = unit_str("A");
    ok(ngx_hls_args_find(&args, &name, &value) == NGX_DECLINED,
       "in another case");
    name = unit_str("");
    ok(ngx_hls_args_find(&args, &name, &value) == NGX_DECLINED, "no name");

    list = names("c a x");

    ok(ngx_hls_args_filter(pool, &args, list, &result) == NGX_OK, "filter");
    is_str(&result, "c&a=1", "in the order of the list");

    ok(ngx_hls_args_filter(pool, &args, NULL, &result) == NGX_OK, "no list");
    is_uint(result.len, 0, "nothing");

    list = names("a a a a a a");
    ok(ngx_hls_args_filter(pool, &args, list, &result) == NGX_OK, "repeated");
    is_str(&result, "a=1&a=1&a=1&a=1&a=1&a=1", "as often as listed");

    list = names("a c");

    ok(ngx_hls_args_remove(pool, &args, list, &result) == NGX_OK, "remove");
    is_str(&result, "ab=0&b=2", "all of them");
    is_str(&args, "ab=0&a=1&b=2&a=3&c", "args are as before");

    list = names("ab a b c");
    ok(ngx_hls_args_remove(pool, &args, list, &result) == NGX_OK, "all");
    is_uint(result.len, 0, "nothing is left");

    list = names("x");
    ok(ngx_hls_args_remove(pool, &args, list, &result) == NGX_OK, "none");
    ok(result.data == args.data && result.len == args.len, "the same bytes");

    name = unit_str("n");
    value = unit_str("v");

    ok(ngx_hls_args_add(pool, &args, &name, &value, &result) == NGX_OK,
       "add");
    is_str(&result, "ab=0&a=1&b=2&a=3&c&n=v", "at the end");

    ngx_str_null(&args);
    ok(ngx_hls_args_add(pool, &args, &name, &value, &result) == NGX_OK,
       "add to nothing");
    is_str(&result, "n=v", "alone");
}


static void
test_directives(void)
{
    char                  **text;
    ngx_str_t               args;
    ngx_hls_directives_t    d;

    static char            *bad[] = {
        "_HLS_msn=", "_HLS_msn", "_HLS_msn=-1", "_HLS_msn=x", "_HLS_msn=1x",
        "_HLS_msn=1152921504606846977", "_HLS_msn=99999999999999999999999",
        "_HLS_msn=1&_HLS_msn=1", "_HLS_part=1", "_HLS_msn=1&_HLS_part=10001",
        "_HLS_msn=1&_HLS_part=-1", "_HLS_msn=1&_HLS_part=",
        "_HLS_msn=1&_HLS_part=1&_HLS_part=1", "_HLS_skip=NO",
        "_HLS_skip=", "_HLS_skip=yes", "_HLS_skip=YES&_HLS_skip=YES",
        "_HLS_msn=1.5", "_HLS_msn=%31", NULL
    };

    args = unit_str("a=1&_HLS_msn=12&b&_HLS_part=3&_HLS_skip=YES");
    ok(ngx_hls_args_directives(&args, &d) == NGX_OK, "all of them");
    ok(d.any && d.has_msn && d.has_part && d.skip && !d.skip_v2, "are there");
    is_uint(d.msn, 12, "msn");
    is_uint(d.part, 3, "part");

    args = unit_str("_HLS_skip=v2");
    ok(ngx_hls_args_directives(&args, &d) == NGX_OK && d.skip && d.skip_v2
       && d.any && !d.has_msn, "skip alone");

    args = unit_str("a=1&_hls_msn=2&x_HLS_msn=3");
    ok(ngx_hls_args_directives(&args, &d) == NGX_OK && !d.any, "none");

    ngx_str_null(&args);
    ok(ngx_hls_args_directives(&args, &d) == NGX_OK && !d.any, "no args");

    for (text = bad; *text; text++) {
        args = unit_str(*text);
        ok(ngx_hls_args_directives(&args, &d) == NGX_DECLINED, "%s", *text);
    }
}


static void
test_generation(void)
{
    char      **text;
    ngx_str_t   args, rest;

    static char  *none[] = {
        "", "g", "g=", "g=0", "g=01", "g=x", "g=1x", "g=-1", "xg=1", "g=1&",
        "g=1&a=2", "g=4294967296", "g=99999999999999999999999", "1", "=1",
        "a=1", NULL
    };

    args = unit_str("g=1");
    is_uint(ngx_hls_args_generation(&args, &rest), 1, "alone");
    is_uint(rest.len, 0, "nothing is left");

    args = unit_str("a=1&g=4294967295");
    is_uint(ngx_hls_args_generation(&args, &rest), 4294967295U, "the last");
    is_str(&rest, "a=1", "the rest");

    args = unit_str("g=5&g=6");
    is_uint(ngx_hls_args_generation(&args, &rest), 6, "behind another one");
    is_str(&rest, "g=5", "which is not ours");

    for (text = none; *text; text++) {
        args = unit_str(*text);
        is_uint(ngx_hls_args_generation(&args, &rest), 0, "\"%s\"", *text);
        is_str(&rest, *text, "all of it is left");
    }
}


static char *
resolve(char *base, ngx_str_t *uri)
{
    char          *p;
    ngx_int_t      rc;
    ngx_str_t      s;
    ngx_hls_ref_t  ref;

    static char    buf[3 * NGX_HLS_MAX_URI];

    s = unit_str(base);

    rc = ngx_hls_uri_resolve(pool, &s, uri, &ref);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? "refused" : "error";
    }

    p = buf;

    p += sprintf(p, "%.*s", (int) ref.path.len, (char *) ref.path.data);

    if (ref.args.len) {
        p += sprintf(p, "?%.*s", (int) ref.args.len, (char *) ref.args.data);
    }

    if (ref.absolute) {
        p += sprintf(p, " @%.*s:%d", (int) ref.host.len,
                     (char *) ref.host.data, ref.port);
    }

    sprintf(p, "%s", ref.own ? " own" : "");

    return buf;
}


static ngx_array_t *
names(char *text)
{
    char         *p;
    ngx_str_t    *name;
    ngx_array_t  *list;

    list = ngx_array_create(pool, 4, sizeof(ngx_str_t));

    for ( ;; ) {
        p = strchr(text, ' ');

        name = ngx_array_push(list);
        name->data = (u_char *) text;
        name->len = p ? (size_t) (p - text) : strlen(text);

        if (p == NULL) {
            return list;
        }

        text = p + 1;
    }
}
