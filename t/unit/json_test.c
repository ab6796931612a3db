
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_json.c */
/* libs: -ljansson */


#include "unit.h"
#include "ngx_rtmp_route_json.h"


typedef struct {
    char    *text;
    size_t   len;       /* 0: up to the zero */
    char    *error;     /* its beginning, NULL: none */
} test_parse_t;


static void test_parse(void);
static void test_limits(void);
static void test_values(void);
static void test_strings(void);
static void test_buffers(void);
static void test_reset(void);
static void test_error(void);

static ngx_str_t collect(ngx_rtmp_route_json_t *json);
static ngx_str_t string(char *text, size_t len, size_t size);


static test_parse_t  parses[] = {
    { "{}", 0, NULL },
    { "[]", 0, NULL },
    { " {\"a\": [1, 2.5, -3, true, false, null, \"x\"]} ", 0, NULL },
    { "{\"a\":\"\\u00e9\\ud83d\\ude00\"}", 0, NULL },
    { "{\"a\":\"]]]}}}\\\"[[[{{{\"}", 0, NULL },
    { "{\"a\":1,\"A\":2}", 0, NULL },
    { "{\"a\":1,\"a\":2}", 0, "invalid JSON: duplicate object key, line 1" },
    { "{\"a\":\"\\u0000\"}", 0, "invalid JSON: " },
    { "{\"a\\u0000b\":1}", 0, "invalid JSON: " },
    { "{\"a\":\"x\0y\"}", 11, "invalid JSON: " },
    { "{\"a\":1}\0", 8, "invalid JSON: " },
    { "{\"a\":\"\xff\"}", 0, "invalid JSON: unable to decode byte 0xff" },
    { "{\"a\":\"\xc0\xaf\"}", 0, "invalid JSON: " },
    { "{\"a\":\"\xed\xa0\x80\"}", 0, "invalid JSON: " },
    { "{\"a\":\"\\ud83d\"}", 0, "invalid JSON: " },
    { "{\"a\":\"x\ny\"}", 0, "invalid JSON: " },
    { "{", 0, "invalid JSON: " },
    { "{\"a\"", 0, "invalid JSON: " },
    { "{\"a\":1", 0, "invalid JSON: " },
    { "{\"a\":1,}", 0, "invalid JSON: " },
    { "{'a':1}", 0, "invalid JSON: " },
    { "{\"a\":01}", 0, "invalid JSON: " },
    { "{\"a\":99999999999999999999}", 0, "invalid JSON: too big integer" },
    { "{\"a\":1e999}", 0, "invalid JSON: " },
    { "{\"a\":NaN}", 0, "invalid JSON: " },
    { "{} {}", 0, "invalid JSON: " },
    { "1", 0, "invalid JSON: " },
    { "\"", 0, "invalid JSON: " },
    { "\"\\", 0, "invalid JSON: " },
    { "\xef\xbb\xbf{}", 0, "invalid JSON: " },
    { " ", 0, "invalid JSON: " },
    { NULL, 0, NULL }
};


static ngx_pool_t  *pool;


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_parse();
    test_limits();
    test_values();
    test_strings();
    test_buffers();
    test_reset();
    test_error();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_parse(void)
{
    json_t                  *json;
    ngx_str_t                text;
    ngx_uint_t               same;
    test_parse_t            *t;
    ngx_rtmp_route_error_t   err;

    for (t = parses; t->text; t++) {

        text.data = (u_char *) t->text;
        text.len = t->len ? t->len : strlen(t->text);

        err.text.len = 0;
        json = ngx_rtmp_route_json_parse(&text, &err);

        if (t->error == NULL) {
            ok(json != NULL, "parsed: %s", t->text);
            json_decref(json);
            continue;
        }

        same = (err.text.len >= strlen(t->error)
                && memcmp(err.text.data, t->error, strlen(t->error)) == 0);

        ok(json == NULL && err.status == 400 && same,
           "refused: %lu", (unsigned long) (t - parses));

        if (!same) {
            diag("%.*s", (int) err.text.len, err.text.data);
        }

        ok(memmem(err.text.data, err.text.len, "near '", 6) == NULL,
           "nothing of the text is repeated");
    }

    ngx_str_null(&text);

    json = ngx_rtmp_route_json_parse(&text, &err);
    ok(json_is_object(json) && json_object_size(json) == 0,
       "an empty text is an empty object");
    json_decref(json);
}


static void
test_limits(void)
{
    u_char                  *p;
    size_t                   n;
    json_t                  *json;
    ngx_str_t                text;
    ngx_uint_t               i;
    ngx_rtmp_route_error_t   err;

    n = 3 * NGX_RTMP_ROUTE_JSON_VALUES;
    p = ngx_palloc(pool, n);

    for (i = NGX_RTMP_ROUTE_JSON_DEPTH; i <= NGX_RTMP_ROUTE_JSON_DEPTH + 1;
         i++)
    {
        ngx_memset(p, '[', i);
        ngx_memset(p + i, ']', i);

        text.data = p;
        text.len = 2 * i;

        json = ngx_rtmp_route_json_parse(&text, &err);

        if (i == NGX_RTMP_ROUTE_JSON_DEPTH) {
            ok(json != NULL, "as deep as is allowed");
            json_decref(json);

        } else {
            ok(json == NULL, "deeper");
            is_str(&err.text, "JSON is nested too deep", "is told");
        }
    }

    ngx_memset(p, '{', n);
    text.len = n;

    json = ngx_rtmp_route_json_parse(&text, &err);
    ok(json == NULL, "deep and long");

    for (i = 1; i < n; i++) {
        p[i] = (i & 1) ? '1' : ',';
    }

    p[0] = '[';
    p[n - 1] = ']';

    json = ngx_rtmp_route_json_parse(&text, &err);
    ok(json == NULL, "too many values");
    is_str(&err.text, "JSON has too many values", "is told");

    n = 2 * NGX_RTMP_ROUTE_JSON_VALUES;
    p[n] = ']';
    text.len = n + 1;

    json = ngx_rtmp_route_json_parse(&text, &err);
    is_uint(json_array_size(json), NGX_RTMP_ROUTE_JSON_VALUES,
            "as many as are allowed");
    json_decref(json);
}


static void
test_values(void)
{
    ngx_str_t               text;
    ngx_rtmp_route_json_t   json;

    ngx_rtmp_route_json_init(&json, pool, 4096);

    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_name(&json, "list");
    ngx_rtmp_route_json_open(&json, '[');
    ngx_rtmp_route_json_number(&json, 0);
    ngx_rtmp_route_json_number(&json, (uint64_t) -1);
    ngx_rtmp_route_json_open(&json, '[');
    ngx_rtmp_route_json_close(&json, ']');
    ngx_rtmp_route_json_bool(&json, 1);
    ngx_rtmp_route_json_close(&json, ']');
    ngx_rtmp_route_json_name(&json, "empty");
    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_close(&json, '}');
    ngx_rtmp_route_json_name(&json, "no");
    ngx_rtmp_route_json_bool(&json, 0);
    ngx_rtmp_route_json_name(&json, "time");
    ngx_rtmp_route_json_time(&json, 1767225600007);
    ngx_rtmp_route_json_name(&json, "epoch");
    ngx_rtmp_route_json_time(&json, 0);
    ngx_rtmp_route_json_close(&json, '}');

    text = collect(&json);

    is_str(&text, "{\"list\":[0,18446744073709551615,[],true],\"empty\":{},"
           "\"no\":false,\"time\":\"2026-01-01T00:00:00.007Z\","
           "\"epoch\":\"1970-01-01T00:00:00.000Z\"}", "all kinds of values");
    is_uint(json.length, text.len, "length");

    ngx_rtmp_route_json_init(&json, pool, 4096);
    ngx_rtmp_route_json_time(&json, (uint64_t) -1);
    text = collect(&json);
    ok(text.len > 20, "a time far off");
}


static void
test_strings(void)
{
    u_char      *p, all[256];
    json_t      *json;
    ngx_str_t    text;
    ngx_uint_t   i;

    text = string("a\"b\\c\n\x01\x7f/<", 0, 64);
    is_str(&text, "\"a\\\"b\\\\c\\u000a\\u0001\x7f/<\"", "escapes");

    text = string("x\0y", 3, 64);
    is_str(&text, "\"x\\u0000y\"", "zero");

    text = string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 0, 64);
    is_str(&text, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "UTF-8");

    text = string("\xc3", 0, 64);
    is_str(&text, "\"\\ufffd\"", "cut");

    text = string("\xf0\x9f\x98", 0, 64);
    is_str(&text, "\"\\ufffd\\ufffd\\ufffd\"", "cut later");

    text = string("\xc0\x80", 0, 64);
    is_str(&text, "\"\\ufffd\\ufffd\"", "overlong");

    text = string("\xe0\x80\xaf", 0, 64);
    is_str(&text, "\"\\ufffd\\ufffd\\ufffd\"", "overlong, three bytes");

    text = string("\xed\xa0\x80", 0, 64);
    is_str(&text, "\"\\ufffd\\ufffd\\ufffd\"", "surrogate");

    text = string("\xf4\x90\x80\x80", 0, 64);
    is_str(&text, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "above Unicode");

    text = string("\xf8\x88\x80\x80\x80", 0, 64);
    is_str(&text, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"", "five bytes");

    text = string("\xc3\xc3\xa9", 0, 64);
    is_str(&text, "\"\\ufffd\xc3\xa9\"", "goes on after the bad one");

    for (i = 0; i < 256; i++) {
        all[i] = (u_char) i;
    }

    text = string((char *) all, 256, 64);
    json = json_loadb((char *) text.data, text.len,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
    ok(json_is_string(json), "all bytes make valid JSON");
    json_decref(json);

    /* whatever is in a string, jansson reads it */

    for (i = 0; i < 20000; i++) {

        for (p = all; p < all + 8; p++) {
            *p = (u_char) ((ngx_random() & 1) ? ngx_random()
                                              : 0x80 + ngx_random() % 0x78);
        }

        text = string((char *) all, 8, 64);
        json = json_loadb((char *) text.data, text.len,
                          JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

        if (json == NULL) {
            break;
        }

        json_decref(json);

        if (i % 1000 == 0) {
            ngx_reset_pool(pool);
        }
    }

    is_uint(i, 20000, "random bytes make valid JSON");
}


/* the same bytes, however small the buffers are */

static void
test_buffers(void)
{
    size_t      size;
    ngx_str_t   text;

    for (size = 1; size < 40; size++) {
        text = string("abc\"\xe2\x82\xac\xff\ndefghijklmnopqrstuvwxyz", 0,
                      size);

        if (!is_str(&text, "\"abc\\\"\xe2\x82\xac\\ufffd\\u000a"
                    "defghijklmnopqrstuvwxyz\"", "buffers of %lu",
                    (unsigned long) size))
        {
            break;
        }
    }
}


static void
test_reset(void)
{
    ngx_str_t               text;
    ngx_uint_t              i;
    ngx_chain_t            *first;
    ngx_rtmp_route_json_t   json;

    ngx_rtmp_route_json_init(&json, pool, 4);

    ngx_rtmp_route_json_open(&json, '[');
    ngx_rtmp_route_json_number(&json, 1234567);
    first = json.out;

    for (i = 0; i < 3; i++) {
        ngx_rtmp_route_json_reset(&json);

        is_uint(json.length, 0, "nothing is left");
        ok(json.out == NULL && json.buf == NULL, "no buffers");

        ngx_rtmp_route_json_number(&json, 42);
        ngx_rtmp_route_json_number(&json, 43);

        text = collect(&json);
        is_str(&text, ",42,43", "commas go on");

        ok(json.out->buf->start != NULL, "a buffer");
    }

    for (i = 0; json.free; json.free = json.free->next) {
        i++;
    }

    ok(i <= 1, "buffers are used again");
    ok(json.out == first || json.out->next == first
       || json.out->next == NULL, "the same ones");
}


static void
test_error(void)
{
    u_char                  long_text[1000];
    ngx_str_t               s;
    ngx_rtmp_route_error_t  err;

    ok(ngx_rtmp_route_error(&err, 403, "SomeCode", "port %d", 12)
       == NGX_DECLINED, "the result is a refusal");
    is_uint(err.status, 403, "status");
    is_str(&err.code, "SomeCode", "code");
    is_str(&err.text, "port 12", "text");

    ngx_memset(long_text, 'a', sizeof(long_text));
    s.data = long_text;
    s.len = sizeof(long_text);

    (void) ngx_rtmp_route_error(&err, 400, "X", "%V", &s);
    is_uint(err.text.len, NGX_RTMP_ROUTE_ERROR_LEN, "a long text is cut");
}


static ngx_str_t
collect(ngx_rtmp_route_json_t *json)
{
    u_char       *p;
    ngx_str_t     text;
    ngx_chain_t  *cl;

    text.data = ngx_pnalloc(pool, json->length + 1);
    p = text.data;

    for (cl = json->out; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    text.len = p - text.data;

    return text;
}


static ngx_str_t
string(char *text, size_t len, size_t size)
{
    ngx_str_t              s;
    ngx_rtmp_route_json_t  json;

    s.data = (u_char *) text;
    s.len = len ? len : strlen(text);

    ngx_rtmp_route_json_init(&json, pool, size);
    ngx_rtmp_route_json_string(&json, &s);

    return collect(&json);
}
