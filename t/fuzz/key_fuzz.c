
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_key.c ngx_rtmp_route_text.c ngx_rtmp_route_addr.c */


/*
 * Lines: tcUrl or host, app or URI, stream or arguments, variants.  A key must
 * have no empty part, no control character and no arguments, and as a text it
 * must be its own key.  Addresses that are taken must be printed so that they
 * are taken again.
 */


#include "unit.h"
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"
#include "ngx_rtmp_route_addr.h"


#define FORMS           3
#define MAX_CANDIDATES  6


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_name(ngx_pool_t *pool, ngx_rtmp_route_name_t *name);
static void fuzz_key(ngx_pool_t *pool, ngx_rtmp_route_name_t *name,
    ngx_uint_t form, ngx_uint_t secret);
static void fuzz_addr(ngx_str_t *text);
static ngx_str_t line(ngx_pool_t *pool, const u_char **p, const u_char *last);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    const u_char           *p;
    ngx_str_t               first, second, third, *suffix;
    ngx_uint_t              form, i, n, fallback;
    ngx_pool_t             *pool;
    ngx_array_t            *suffixes;
    ngx_rtmp_route_name_t   names[MAX_CANDIDATES];

    static ngx_uint_t       ready;

    if (!ready) {
        unit_init();
        ready = 1;
    }

    pool = ngx_create_pool(1024, &unit_log);
    suffixes = ngx_array_create(pool, 4, sizeof(ngx_str_t));

    p = data;

    first = line(pool, &p, data + size);
    second = line(pool, &p, data + size);
    third = line(pool, &p, data + size);

    while (p < data + size && suffixes->nelts < 4) {
        suffix = ngx_array_push(suffixes);
        *suffix = line(pool, &p, data + size);
    }

    if (ngx_rtmp_route_name_rtmp(pool, &first, &second, &third, names)
        == NGX_OK)
    {
        fuzz_name(pool, names);
    }

    if (ngx_rtmp_route_name_http(pool, &first, &second, &third, suffixes,
                                 names, &n, &fallback)
        == NGX_OK)
    {
        if (n == 0 || n > MAX_CANDIDATES || fallback >= n) {
            abort();
        }

        for (i = 0; i < n; i++) {
            fuzz_name(pool, &names[i]);
        }
    }

    for (form = 0; form < FORMS; form++) {
        if (ngx_rtmp_route_name_text(pool, &first, form, names) == NGX_OK) {
            fuzz_name(pool, names);
        }
    }

    fuzz_addr(&first);

    ngx_destroy_pool(pool);

    return 0;
}


static void
fuzz_name(ngx_pool_t *pool, ngx_rtmp_route_name_t *name)
{
    ngx_uint_t  form;

    for (form = 0; form < FORMS; form++) {

        if (name->bare && form != NGX_RTMP_ROUTE_KEY_STREAM) {
            continue;
        }

        fuzz_key(pool, name, form, 0);
        fuzz_key(pool, name, form, 1);
    }
}


static void
fuzz_key(ngx_pool_t *pool, ngx_rtmp_route_name_t *name, ngx_uint_t form,
    ngx_uint_t secret)
{
    u_char                 prev;
    size_t                 i;
    ngx_int_t              rc;
    ngx_str_t              key, again;
    ngx_rtmp_route_name_t  text;

    rc = ngx_rtmp_route_key(pool, name, form, secret, &key);

    if (rc == NGX_DECLINED) {
        return;
    }

    if (rc != NGX_OK || key.len == 0 || key.len > NGX_RTMP_ROUTE_KEY_LEN) {
        abort();
    }

    prev = '/';

    for (i = 0; i < key.len; i++) {
        if (key.data[i] < 0x20
            || key.data[i] == 0x7f
            || key.data[i] == '?'
            || (key.data[i] == '/' && prev == '/'))
        {
            abort();
        }

        prev = key.data[i];
    }

    if (prev == '/') {
        abort();
    }

    if (ngx_rtmp_route_name_text(pool, &key, form, &text) != NGX_OK
        || ngx_rtmp_route_key(pool, &text, form, secret, &again) != NGX_OK
        || again.len != key.len
        || memcmp(again.data, key.data, key.len) != 0)
    {
        abort();
    }
}


static void
fuzz_addr(ngx_str_t *text)
{
    u_char                     buf[NGX_SOCKADDR_STRLEN];
    ngx_str_t                  printed;
    ngx_rtmp_route_endpoint_t  server, ep, again;

    memset(&server, 0, sizeof(server));

    server.family = AF_INET;
    server.addr[0] = 10;

    printed.data = buf;

    if (ngx_rtmp_route_addr_parse(text, &ep) == NGX_OK) {

        printed.len = ngx_rtmp_route_endpoint_text(buf, buf + sizeof(buf), &ep,
                                                   1)
                      - buf;

        if (ngx_rtmp_route_addr_parse(&printed, &again) != NGX_OK
            || memcmp(&ep, &again, sizeof(ep)) != 0)
        {
            abort();
        }

        (void) ngx_rtmp_route_addr_special(&ep);
    }

    if (ngx_rtmp_route_endpoint_parse(text, &server, &ep) == NGX_OK) {

        printed.len = ngx_rtmp_route_endpoint_text(buf, buf + sizeof(buf), &ep,
                                                   0)
                      - buf;

        if (ngx_rtmp_route_endpoint_parse(&printed, &server, &again) != NGX_OK
            || memcmp(&ep, &again, sizeof(ep)) != 0)
        {
            abort();
        }
    }
}


/* a copy of its own, so that overruns are seen */

static ngx_str_t
line(ngx_pool_t *pool, const u_char **p, const u_char *last)
{
    ngx_str_t      text;
    const u_char  *start;

    for (start = *p; *p < last && **p != '\n'; (*p)++) {
        /* void */
    }

    text.len = *p - start;
    text.data = ngx_pnalloc(pool, text.len ? text.len : 1);

    if (text.len) {
        memcpy(text.data, start, text.len);
    }

    if (*p < last) {
        (*p)++;
    }

    return text;
}
