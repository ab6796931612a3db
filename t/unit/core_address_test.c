
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_core_address.c */


/* Addresses of servers, as somebody has typed them into OSP core. */


#include "unit.h"

#include "ngx_osp_core.h"


typedef struct {
    const char  *text;
    const char  *name;      /* NULL: it is none */
} case_t;


static void check(const char *text, const char *name);
static void site(const char *text);


static ngx_osp_core_t           core;
static ngx_osp_core_shared_t    shared;
static ngx_rtmp_route_client_t  client;


static case_t  cases[] = {
    { "10.0.0.1", "10.0.0.1" },
    { "rtmp.example.com", "rtmp.example.com" },
    { "RTMP.Example.COM", "rtmp.example.com" },
    { "rtmp.example.com.", "rtmp.example.com" },
    { "node_1", "node_1" },
    { " \t10.0.0.1\r\n", "10.0.0.1" },
    { "10.0.0.1:1935", "10.0.0.1" },
    { "rtmp.example.com:5999", "rtmp.example.com" },
    { "http://rtmp.example.com", "rtmp.example.com" },
    { "https://rtmp.example.com:443/path", "rtmp.example.com" },
    { "rtmp.example.com/", "rtmp.example.com" },
    { "2001:db8::1", "2001:db8::1" },
    { "[2001:DB8::1]", "2001:db8::1" },
    { "[2001:db8::1]:1935", "2001:db8::1" },
    { "rtmp://[2001:db8::1]:1935/live", "2001:db8::1" },
    { "", NULL },
    { " ", NULL },
    { ":", NULL },
    { ":80", NULL },
    { "host:", NULL },
    { "host:port", NULL },
    { "host:80x", NULL },
    { "host:80:80", NULL },
    { "http://", NULL },
    { "/", NULL },
    { "[", NULL },
    { "[]", NULL },
    { "[::1", NULL },
    { "[::1]x", NULL },
    { "[host]", NULL },
    { "2001:db8::g", NULL },
    { "user@host", NULL },
    { "a b", NULL },
    { "a;b", NULL },
    { "a{b}", NULL },
    { "a\tb", NULL },
    { "a\"b", NULL },
    { "$host", NULL },
    { "..", NULL },
    { ".", NULL },
    { "-a", NULL },
    { "h\303\266st", NULL },
    { "a%2fb", NULL },
    { "a\\b", NULL },
    { NULL, NULL }
};


int
main(void)
{
    char     text[400];
    case_t  *c;

    unit_init();

    core.client = &client;
    core.shared = &shared;
    core.shpool = unit_zone(16 * ngx_pagesize);

    client.host = unit_str("core.example.com");

    for (c = cases; c->text; c++) {
        check(c->text, c->name);
    }

    /* as long as a name may be */

    ngx_memset(text, 'a', sizeof(text));

    text[253] = '\0';
    check(text, text);

    text[253] = 'a';
    text[254] = '\0';
    check(text, NULL);

    /* the core's own host */

    check("127.0.0.1", "?");
    check("localhost", "?");
    check("LOCALHOST:1935", "?");
    check("::1", "?");
    check("[::1]:1935", "?");

    site("osp.example.com");
    check("127.0.0.1", "osp.example.com");
    check("localhost", "osp.example.com");
    check("10.0.0.1", "10.0.0.1");

    site("https://OSP.example.org:8443/x");
    check("::1", "osp.example.org");

    site("bad host");
    check("127.0.0.1", "?");

    site("localhost");
    check("127.0.0.1", "?");

    /* who asks a core on this host */

    client.host = unit_str("localhost");
    check("127.0.0.1", "127.0.0.1");
    check("localhost", "127.0.0.1");

    site("10.0.0.9");
    check("localhost", "10.0.0.9");

    return done();
}


/* "?": the site is not known */

static void
check(const char *text, const char *name)
{
    u_char      buf[NGX_RTMP_ROUTE_HOST_LEN];
    ngx_int_t   rc;
    ngx_str_t   in, out;

    static int  n;

    in = unit_str(text);
    n++;

    rc = ngx_osp_core_address(&core, &in, buf, &out);

    if (name == NULL) {
        ok(rc == NGX_DECLINED, "%d is none", n);
        return;
    }

    if (strcmp(name, "?") == 0) {
        ok(rc == NGX_AGAIN, "%d is not known", n);
        return;
    }

    ok(rc == NGX_OK, "%d is one", n);

    if (rc == NGX_OK) {
        is_str(&out, name, "%d is the right one", n);
    }
}


static void
site(const char *text)
{
    ngx_str_t  in;

    in = unit_str(text);

    ngx_osp_core_address_site(&core, &in);
}
