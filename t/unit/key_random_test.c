
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_key.c ngx_rtmp_route_text.c */


/*
 * Whatever is asked: a key has no empty part, no control character and no
 * arguments, and as a text it is its own key.
 */


#include "unit.h"
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"


#define FORMS           3
#define MAX_CANDIDATES  6
#define NAMES           20000
#define MAX_PIECES      24
#define MAX_DIAG        10


static void test_names(void);
static ngx_uint_t bad_key(ngx_rtmp_route_name_t *name);
static ngx_str_t random_text(void);


static ngx_pool_t  *pool;
static ngx_uint_t   reported;


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_names();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_names(void)
{
    ngx_str_t              a, b, c;
    ngx_uint_t             i, k, n, fallback, bad, named;
    ngx_rtmp_route_name_t  names[MAX_CANDIDATES];

    srandom(1);

    bad = 0;
    named = 0;

    for (i = 0; i < NAMES; i++) {

        if (i % 64 == 0) {
            ngx_reset_pool(pool);
        }

        a = random_text();
        b = random_text();
        c = random_text();

        if (ngx_rtmp_route_name_rtmp(pool, &a, &b, &c, names) == NGX_OK) {
            bad += bad_key(names);
            named++;
        }

        if (ngx_rtmp_route_name_http(pool, &a, &b, &c, NULL, names, &n,
                                     &fallback)
            == NGX_OK)
        {
            bad += (n == 0 || n > MAX_CANDIDATES || fallback >= n);

            for (k = 0; k < n; k++) {
                bad += bad_key(&names[k]);
            }

            named++;
        }

        if (ngx_rtmp_route_name_text(pool, &a, i % FORMS, names) == NGX_OK) {
            bad += bad_key(names);
            named++;
        }
    }

    is_uint(bad, 0, "keys of random names");
    ok(named > NAMES / 4, "%d random names", (int) named);
}


/* 1: what this name has for a key is none, or names another stream */

static ngx_uint_t
bad_key(ngx_rtmp_route_name_t *name)
{
    size_t                 i;
    ngx_int_t              rc;
    ngx_str_t              key, again;
    ngx_uint_t             form, secret;
    ngx_rtmp_route_name_t  text;

    for (form = 0; form < FORMS; form++) {

        if (name->bare && form != NGX_RTMP_ROUTE_KEY_STREAM) {
            continue;
        }

        for (secret = 0; secret < 2; secret++) {

            rc = ngx_rtmp_route_key(pool, name, form, secret, &key);
            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc != NGX_OK
                || key.len == 0
                || key.len > NGX_RTMP_ROUTE_KEY_LEN
                || key.data[0] == '/'
                || key.data[key.len - 1] == '/')
            {
                goto bad;
            }

            for (i = 0; i < key.len; i++) {
                if (key.data[i] < 0x20
                    || key.data[i] == 0x7f
                    || key.data[i] == '?'
                    || (i && key.data[i] == '/' && key.data[i - 1] == '/'))
                {
                    goto bad;
                }
            }

            if (ngx_rtmp_route_name_text(pool, &key, form, &text) != NGX_OK
                || ngx_rtmp_route_key(pool, &text, form, secret, &again)
                   != NGX_OK
                || again.len != key.len
                || memcmp(again.data, key.data, key.len) != 0)
            {
                goto bad;
            }
        }
    }

    return 0;

bad:

    if (reported++ < MAX_DIAG) {
        diag("form %d, secret %d: \"%.*s\"", (int) form, (int) secret,
             (int) key.len, (char *) key.data);
    }

    return 1;
}


/* of pieces that mean something, and of any bytes */

static ngx_str_t
random_text(void)
{
    ngx_str_t    text, piece;
    ngx_uint_t   n;

    static char  *pieces[] = {
        "/", "/", "/", ".", "..", "?", "&", "=", "%", "%2f", "%2e", "%3f",
        "://", "rtmp://", "rtmp://demo.com/", "_definst_", "/_definst_/",
        "__defaultApp__", "__defaultApp__/", "__defaultVhost__/", "live/",
        "...vhost...", "?vhost=", "&domain=", "app=", "&stream=", "demo.com",
        "[::1]:80/", "10.0.0.1/", "cam1", "_720", ".m3u8", "/index.m3u8",
        "#0123456789abcdef", "rtc/v1/whip/", "a", "b.c", ":", "@", "\xff"
    };

    text.len = 0;
    text.data = ngx_pnalloc(pool, MAX_PIECES * sizeof("__defaultVhost__/"));

    for (n = random() % MAX_PIECES; n; n--) {

        if (random() % 16 == 0) {
            text.data[text.len++] = (u_char) random();
            continue;
        }

        piece = unit_str(pieces[random() % (sizeof(pieces) / sizeof(char *))]);
        memcpy(&text.data[text.len], piece.data, piece.len);
        text.len += piece.len;
    }

    return text;
}
