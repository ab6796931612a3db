
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_core_list.c */


/* Each text is read at once, a byte at a time, and in random pieces. */


#include "unit.h"
#include "ngx_osp_core_list.h"


typedef struct {
    const char  *text;
    const char  *error;     /* NULL: none */
    ngx_uint_t   good;
    ngx_uint_t   bad;
} test_list_t;


static void test_texts(void);
static void test_limits(void);
static void test_handler(void);
static ngx_int_t feed(const char *text, size_t len, ngx_uint_t how);
static void check(const char *what, const char *text, size_t len,
    const char *error, ngx_uint_t good, ngx_uint_t bad);
static ngx_int_t element(void *data, json_t *json);


static test_list_t  texts[] = {
    { "{\"results\":[]}", NULL, 0, 0 },
    { " {\r\n\t\"results\" : [ ] } \n", NULL, 0, 0 },
    { "{\"results\":{}}", NULL, 1, 0 },
    { "{\"results\":{\"a\":[1,{\"b\":\"}\"}]}}", NULL, 1, 0 },
    { "{\"results\":[{},{\"a\":1} , {\"b\":[{}]}]}", NULL, 3, 0 },
    { "{\"results\":[{\"a\":\"]}\\\"{[\\\\\"},{}]}", NULL, 2, 0 },
    { "{\"results\":[{\"a\":\"\\u0000\\ud83d\\ude00\"}]}", NULL, 1, 0 },
    { "{\"a\":1,\"results\":[{}]}", NULL, 1, 0 },
    { "{\"a\":[{\"results\":[{}]}],\"results\":[{}],\"b\":\"results\"}", NULL,
      1, 0 },
    { "{\"a\":null,\"b\":-1.5e3,\"c\":\"x\\\"}\",\"d\":{},\"e\":[[]],"
      "\"results\":[{}]}", NULL, 1, 0 },
    { "{\"result\":[{}],\"resultsx\":[{}],\"results\":[]}", NULL, 0, 0 },

    /* elements that are no objects, or no JSON inside */

    { "{\"results\":[null,1,\"x\",[],true,{}]}", NULL, 1, 5 },
    { "{\"results\":[{\"a\":\"\\ud83d\"},{}]}", NULL, 1, 1 },
    { "{\"results\":[{\"a\":\"\xff\"},{}]}", NULL, 1, 1 },
    { "{\"results\":[{a:1},{\"b\":},{\"c\" 1},{}]}", NULL, 1, 3 },
    { "{\"results\":[nul,01,--1,{}]}", NULL, 1, 3 },
    { "{\"results\":[{\"a\":1,}]}", NULL, 0, 1 },

    /* what is wrong around them */

    { "", "JSON is cut", 0, 0 },
    { " ", "JSON is cut", 0, 0 },
    { "{", "JSON is cut", 0, 0 },
    { "{\"results\"", "JSON is cut", 0, 0 },
    { "{\"results\":", "JSON is cut", 0, 0 },
    { "{\"results\":[", "JSON is cut", 0, 0 },
    { "{\"results\":[{}", "JSON is cut", 1, 0 },
    { "{\"results\":[{},", "JSON is cut", 1, 0 },
    { "{\"results\":[{}]", "JSON is cut", 1, 0 },
    { "{\"results\":[{\"a", "JSON is cut", 0, 0 },
    { "{\"results\":[1", "JSON is cut", 0, 0 },
    { "{}", "no results", 0, 0 },
    { "{\"a\":1}", "no results", 0, 0 },
    { "[]", "no object", 0, 0 },
    { "\"OK\"", "no object", 0, 0 },
    { "<html>", "no object", 0, 0 },
    { "\xef\xbb\xbf{\"results\":[]}", "no object", 0, 0 },
    { "{\"results\":null}", "results are neither a list nor an object", 0, 0 },
    { "{\"results\":1}", "results are neither a list nor an object", 0, 0 },
    { "{\"results\":\"x\"}", "results are neither a list nor an object", 0, 0 },
    { "{\"results\":[],\"results\":[]}", "results are there twice", 0, 0 },
    { "{\"results\":[{}],}", "invalid JSON", 1, 0 },
    { "{\"results\":[{},]}", "invalid JSON", 1, 0 },
    { "{\"results\":[,{}]}", "invalid JSON", 0, 0 },
    { "{\"results\":[{}{}]}", "invalid JSON", 1, 0 },
    { "{\"results\":[{}]]}", "invalid JSON", 1, 0 },
    { "{\"results\":[{}}}", "invalid JSON", 1, 0 },
    { "{\"results\":[{]]}", "invalid JSON", 0, 0 },
    { "{\"results\":{]}", "invalid JSON", 0, 0 },
    { "{\"results\":[]} x", "invalid JSON", 0, 0 },
    { "{\"results\":[]}{}", "invalid JSON", 0, 0 },
    { "{\"results\" []}", "invalid JSON", 0, 0 },
    { "{results:[]}", "invalid JSON", 0, 0 },
    { "{,\"results\":[]}", "invalid JSON", 0, 0 },
    { "{\"a\":1 \"results\":[]}", "invalid JSON", 0, 0 },
    { "{\"a\":tr\"ue,\"results\":[]}", "invalid JSON", 0, 0 },
    { "{\"a\":?,\"results\":[]}", "invalid JSON", 0, 0 },
    { "{\"a\nb\":1,\"results\":[]}", "invalid JSON", 0, 0 },
    { "{\"results\":[{\"a\":\"x\ny\"}]}", "invalid JSON", 0, 0 },
    { NULL, NULL, 0, 0 }
};

static ngx_osp_core_list_t  list;
static ngx_uint_t           seen;
static ngx_int_t            result;


int
main(void)
{
    unit_init();
    srandom(1);

    test_texts();
    test_limits();
    test_handler();

    return done();
}


static void
test_texts(void)
{
    test_list_t  *t;

    for (t = texts; t->text; t++) {
        check(t->text, t->text, strlen(t->text), t->error, t->good, t->bad);
    }

    check("a zero", "{\"results\":[]\0}", 15, "invalid JSON", 0, 0);
    check("a zero inside", "{\"results\":[{\"a\":\"\0\"}]}", 23, "invalid JSON",
          0, 0);
}


static void
test_limits(void)
{
    size_t   len;
    char    *p;
    size_t   i, n;

    static char  text[3 * NGX_OSP_CORE_LIST_ELEMENT];

    /* an element of the largest size, and a larger one; an object */

    for (i = 0; i < 2; i++) {
        p = text + sprintf(text, "{\"results\":[{\"a\":\"");
        n = NGX_OSP_CORE_LIST_ELEMENT - 8 + i;

        memset(p, 'x', n);
        p += n;
        p += sprintf(p, "\"},{}]}");

        check(i ? "too large" : "largest", text, p - text, NULL, i ? 1 : 2, i);

        p = text + sprintf(text, "{\"results\":{\"a\":\"");
        memset(p, 'x', n);
        p += n;
        p += sprintf(p, "\"}}");

        check(i ? "too large an object" : "largest object", text, p - text,
              i ? "it is too large" : NULL, !i, 0);
    }

    /* the next one is read */

    p = text + sprintf(text, "{\"results\":[\"");
    n = 2 * NGX_OSP_CORE_LIST_ELEMENT;
    memset(p, 'x', n);
    p += n;
    p += sprintf(p, "]\\\",[\",{\"a\":[]},\"\",{}]}");

    check("large, and others", text, p - text, NULL, 2, 2);

    /* one that is not kept may be larger */

    p = text + sprintf(text, "{\"a\":\"");
    n = 2 * NGX_OSP_CORE_LIST_ELEMENT;
    memset(p, 'x', n);
    p += n;
    p += sprintf(p, "\",\"results\":[{}]}");

    check("large, but not kept", text, p - text, NULL, 1, 0);

    /* depth, the list itself not counted */

    for (i = 0; i < 2; i++) {
        n = NGX_OSP_CORE_LIST_DEPTH - 1 + i;

        len = sprintf(text, "{\"results\":[{\"a\":");
        memset(text + len, '[', n);
        memset(text + len + n, ']', n);
        len += 2 * n;
        len += sprintf(text + len, "}]}");

        check(i ? "too deep" : "deepest", text, len, i ? "too deep" : NULL,
              i ? 0 : 1, 0);

        text[11] = ' ';
        len = sprintf(text, "{\"results\":[],\"a\":");
        memset(text + len, '[', n + 1);
        memset(text + len + n + 1, ']', n + 1);
        len += 2 * (n + 1);
        len += sprintf(text + len, "}");

        check(i ? "too deep, not kept" : "deepest, not kept", text, len,
              i ? "too deep" : NULL, 0, 0);
    }
}


static void
test_handler(void)
{
    const char  *text = "{\"results\":[{},{},{}]}";

    result = NGX_ERROR;
    ok(feed(text, strlen(text), 0) == NGX_ERROR, "the handler ends it");
    is_uint(seen, 1, "not called again");
    ok(ngx_osp_core_list_read(&list, (u_char *) "", (u_char *) "")
       == NGX_ERROR, "nothing more");
    ok(ngx_osp_core_list_end(&list) == NGX_ERROR, "no end");

    result = NGX_DECLINED;
    ok(feed(text, strlen(text), 0) == NGX_OK, "bad ones");
    is_uint(list.bad, 3, "counted");

    result = NGX_OK;
}


static ngx_int_t
feed(const char *text, size_t len, ngx_uint_t how)
{
    u_char  *p, *last, *copy;
    size_t   n;

    seen = 0;

    ngx_osp_core_list_init(&list, element, &seen);

    p = (u_char *) text;
    last = p + len;

    while (p < last) {
        n = (how == 0) ? (size_t) (last - p)
                       : (how == 1) ? 1 : 1 + (size_t) random() % 13;
        n = ngx_min(n, (size_t) (last - p));

        /* in memory of its own, so that no byte behind it is looked at */

        copy = malloc(n);
        memcpy(copy, p, n);

        if (ngx_osp_core_list_read(&list, copy, copy + n) != NGX_OK) {
            free(copy);
            return NGX_ERROR;
        }

        free(copy);
        p += n;
    }

    return ngx_osp_core_list_end(&list);
}


static void
check(const char *what, const char *text, size_t len, const char *error,
    ngx_uint_t good, ngx_uint_t bad)
{
    char        name[51];
    ngx_int_t   rc;
    ngx_uint_t  i, how;

    for (i = 0; i < sizeof(name) - 1 && what[i]; i++) {
        name[i] = (what[i] < ' ') ? ' ' : what[i];
    }

    name[i] = '\0';

    for (how = 0; how < 3; how++) {
        rc = feed(text, len, how);

        if (!ok(rc == (error ? NGX_ERROR : NGX_OK)
                && (error == NULL || strcmp(list.error, error) == 0)
                && list.good == good && list.bad == bad,
                "%s, %lu", name, (unsigned long) how))
        {
            diag("%ld %s, %lu good, %lu bad", (long) rc,
                 list.error ? list.error : "", (unsigned long) list.good,
                 (unsigned long) list.bad);
        }
    }
}


static ngx_int_t
element(void *data, json_t *json)
{
    ngx_uint_t  *n = data;

    (*n)++;

    if (result != NGX_OK) {
        return result;
    }

    return json_is_object(json) ? NGX_OK : NGX_DECLINED;
}
