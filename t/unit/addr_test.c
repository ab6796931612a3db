
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_addr.c */


#include "unit.h"
#include "ngx_rtmp_route_addr.h"


#define RANDOM_TEXTS  100000


/* what is NULL is refused */

typedef struct {
    char  *text;
    char  *result;
} test_text_t;


typedef struct {
    char  *text;
    char  *server;
    char  *result;
} test_endpoint_t;


static void test_addrs(void);
static void test_endpoints(void);
static void test_texts(void);
static void test_sockaddrs(void);
static void test_equal(void);
static void test_special(void);
static void test_ranges(void);
static void test_random(void);

static ngx_rtmp_route_endpoint_t addr(char *text);
static ngx_str_t print(ngx_rtmp_route_endpoint_t *endpoint,
    ngx_uint_t without_port);


static test_text_t  addrs[] = {
    { "10.0.0.1", "10.0.0.1" },
    { "255.255.255.255", "255.255.255.255" },
    { "0.0.0.0", "0.0.0.0" },
    { "2001:db8::1", "2001:db8::1" },
    { "[2001:DB8:0:0::1]", "2001:db8::1" },
    { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
    { "::", "::" },
    { "[::]", "::" },
    { "::1", "::1" },
    { "64:ff9b::10.0.0.1", "64:ff9b::a00:1" },
    { "::ffff:10.0.0.1", "10.0.0.1" },
    { "[::FFFF:a00:1]", "10.0.0.1" },
    { "0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255" },
    { "", NULL },
    { "1", NULL },
    { "1.2.3", NULL },
    { "1..2.3", NULL },
    { "1.2.3.", NULL },
    { ".1.2.3", NULL },
    { "1.2.3.4.5", NULL },
    { "1.2.3.256", NULL },
    { "1.2.3.010", NULL },
    { "0x7f.0.0.1", NULL },
    { " 1.2.3.4", NULL },
    { "1.2.3.4 ", NULL },
    { "1.2.3.4:80", NULL },
    { "[1.2.3.4]", NULL },
    { "[]", NULL },
    { "[", NULL },
    { "]", NULL },
    { "[::1", NULL },
    { "::1]", NULL },
    { "[[::1]]", NULL },
    { "[::1]:80", NULL },
    { ":", NULL },
    { ":::", NULL },
    { "1::2::3", NULL },
    { ":1:2:3:4:5:6:7:8", NULL },
    { "1:2:3:4:5:6:7:8:", NULL },
    { "1::2:", NULL },
    { "1:2:3:4:5:6:7", NULL },
    { "1:2:3:4:5:6:7:8:9", NULL },
    { "12345::", NULL },
    { "fe80::1%lo", NULL },
    { "::ffff:1.2.3", NULL },
    { "localhost", NULL },
    { "origin.example.com", NULL },
    { "1000000000000000000000000000000000000000000000000000000001::", NULL }
};


static test_endpoint_t  endpoints[] = {
    { "1935", "10.0.0.11", "10.0.0.11:1935" },
    { ":1935", "10.0.0.11", "10.0.0.11:1935" },
    { "1", "10.0.0.11", "10.0.0.11:1" },
    { "65535", "10.0.0.11", "10.0.0.11:65535" },
    { "1935", "2001:db8::1", "[2001:db8::1]:1935" },
    { "10.0.0.12:1935", "10.0.0.11", "10.0.0.12:1935" },
    { "[2001:db8::2]:1935", "10.0.0.11", "[2001:db8::2]:1935" },
    { "[::ffff:10.0.0.12]:1935", "10.0.0.11", "10.0.0.12:1935" },
    { "[::]:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "0.0.0.0:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "0.0.0.0:1935", "2001:db8::1", "[2001:db8::1]:1935" },
    { "[::ffff:0.0.0.0]:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "127.0.0.1:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "[::1]:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "[::ffff:127.0.0.1]:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "127.0.0.2:1935", "127.0.0.1", "127.0.0.2:1935" },
    { "[::1]:1935", "127.0.0.1", "[::1]:1935" },
    { "127.0.0.1:1935", "::1", "127.0.0.1:1935" },
    { "tcp://10.0.0.12:1935", "10.0.0.11", "10.0.0.12:1935" },
    { "tcp://:1935", "10.0.0.11", "10.0.0.11:1935" },
    { "tcp://0.0.0.0:8000", "10.0.0.11", "10.0.0.11:8000" },
    { "udp://0.0.0.0:8000", "10.0.0.11", "10.0.0.11:8000" },
    { "udp://[::]:8000", "10.0.0.11", "10.0.0.11:8000" },
    { "udp://8000", "10.0.0.11", "10.0.0.11:8000" },
    { "10.0.0.12:1935", NULL, "10.0.0.12:1935" },
    { "1935", NULL, NULL },
    { "127.0.0.1:1935", NULL, NULL },
    { "", "10.0.0.11", NULL },
    { "0", "10.0.0.11", NULL },
    { ":", "10.0.0.11", NULL },
    { ":0", "10.0.0.11", NULL },
    { "01935", "10.0.0.11", NULL },
    { "65536", "10.0.0.11", NULL },
    { "67471", "10.0.0.11", NULL },
    { "4294969231", "10.0.0.11", NULL },
    { "18446744073709553551", "10.0.0.11", NULL },
    { "99999999999999999999999999", "10.0.0.11", NULL },
    { "-1", "10.0.0.11", NULL },
    { "+1935", "10.0.0.11", NULL },
    { " 1935", "10.0.0.11", NULL },
    { "1935 ", "10.0.0.11", NULL },
    { "1935/tcp", "10.0.0.11", NULL },
    { "0x78f", "10.0.0.11", NULL },
    { "10.0.0.12", "10.0.0.11", NULL },
    { "10.0.0.12:", "10.0.0.11", NULL },
    { "10.0.0.256:1935", "10.0.0.11", NULL },
    { "::1:1935", "10.0.0.11", NULL },
    { ":::1935", "10.0.0.11", NULL },
    { "[::]", "10.0.0.11", NULL },
    { "[::]1935", "10.0.0.11", NULL },
    { "[]:1935", "10.0.0.11", NULL },
    { "[10.0.0.12]:1935", "10.0.0.11", NULL },
    { "localhost:1935", "10.0.0.11", NULL },
    { "*:1935", "10.0.0.11", NULL },
    { "tcp://", "10.0.0.11", NULL },
    { "udp://:", "10.0.0.11", NULL },
    { "rtmp://10.0.0.12:1935", "10.0.0.11", NULL },
    { "tcp://udp://1935", "10.0.0.11", NULL },
    { "tcp:1935", "10.0.0.11", NULL }
};


static char  *special[] = {
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.169.254",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "fe80::1", "febf::1",
    "ff02::1"
};


static char  *usual[] = {
    "1.0.0.1", "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.0.1",
    "169.255.0.1", "172.16.0.1", "192.168.0.1", "203.0.113.7",
    "223.255.255.255", "2001:db8::1", "fd00::1", "fe00::1", "fec0::1",
    "::ffff:10.0.0.1", "0:0:1::1"
};


int
main(void)
{
    unit_init();

    test_addrs();
    test_endpoints();
    test_texts();
    test_sockaddrs();
    test_equal();
    test_special();
    test_ranges();
    test_random();

    return done();
}


static void
test_addrs(void)
{
    ngx_int_t                  rc;
    ngx_str_t                  text, got;
    ngx_uint_t                 i;
    ngx_rtmp_route_endpoint_t  ep;

    for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
        text = unit_str(addrs[i].text);

        memset(&ep, 0xff, sizeof(ep));
        rc = ngx_rtmp_route_addr_parse(&text, &ep);

        if (addrs[i].result == NULL) {
            ok(rc == NGX_DECLINED && ep.family == 0 && ep.port == 0,
               "address \"%s\" is refused", addrs[i].text);
            continue;
        }

        got = print(&ep, 1);
        is_str(&got, addrs[i].result, "address \"%s\"", addrs[i].text);
        ok(rc == NGX_OK && ep.port == 0, "result of \"%s\"", addrs[i].text);
    }

    text.data = (u_char *) "10.0.0.1\0x";
    text.len = sizeof("10.0.0.1\0x") - 1;
    ok(ngx_rtmp_route_addr_parse(&text, &ep) == NGX_DECLINED,
       "address with a zero byte");

    text.len = sizeof("10.0.0.1") - 2;
    ok(ngx_rtmp_route_addr_parse(&text, &ep) == NGX_DECLINED,
       "address that goes on after its end");
}


static void
test_endpoints(void)
{
    ngx_int_t                  rc;
    ngx_str_t                  text, got;
    ngx_uint_t                 i;
    ngx_rtmp_route_endpoint_t  server, ep;

    for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        memset(&server, 0, sizeof(server));
        memset(&ep, 0xff, sizeof(ep));

        if (endpoints[i].server) {
            server = addr(endpoints[i].server);
        }

        text = unit_str(endpoints[i].text);
        rc = ngx_rtmp_route_endpoint_parse(&text, &server, &ep);

        if (endpoints[i].result == NULL) {
            ok(rc == NGX_DECLINED, "endpoint \"%s\" is refused",
               endpoints[i].text);
            continue;
        }

        got = print(&ep, 0);
        is_str(&got, endpoints[i].result, "endpoint \"%s\" of %s",
               endpoints[i].text,
               endpoints[i].server ? endpoints[i].server : "nobody");
    }

    server = addr("10.0.0.11");
    server.port = 8080;
    text = unit_str("1935");
    (void) ngx_rtmp_route_endpoint_parse(&text, &server, &ep);
    is_uint(ep.port, 1935, "port of the server does not count");
    is_uint(server.port, 8080, "server is left alone");
}


static void
test_texts(void)
{
    u_char                    *p, buf[64];
    ngx_str_t                  got;
    ngx_uint_t                 len;
    ngx_rtmp_route_endpoint_t  ep;

    ep = addr("10.0.0.11");
    ep.port = 1935;

    got = print(&ep, 1);
    is_str(&got, "10.0.0.11", "text without port");

    for (len = 0; len <= sizeof("10.0.0.11:1935") - 1; len++) {
        memset(buf, 'x', sizeof(buf));
        p = ngx_rtmp_route_endpoint_text(buf, buf + len, &ep, 0);

        if (p != buf + len
            || memcmp(buf, "10.0.0.11:1935", len) != 0
            || buf[len] != 'x')
        {
            break;
        }
    }

    is_uint(len, sizeof("10.0.0.11:1935"), "text in too little room");

    ep = addr("1111:2222:3333:4444:5555:6666:7777:8888");
    ep.port = 65535;
    got = print(&ep, 0);
    is_str(&got, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
           "longest text");

    memset(&ep, 0, sizeof(ep));
    got = print(&ep, 0);
    is_str(&got, "", "text of nothing");
}


static void
test_sockaddrs(void)
{
    ngx_str_t                  got;
    ngx_sockaddr_t             sa;
    struct sockaddr_in6       *sin6;
    ngx_rtmp_route_endpoint_t  ep, back;

    ep = addr("10.0.0.11");
    ep.port = 1935;

    is_uint(ngx_rtmp_route_endpoint_sockaddr(&ep, &sa),
            sizeof(struct sockaddr_in), "length of IPv4");
    is_uint(sa.sockaddr.sa_family, AF_INET, "family of IPv4");
    is_uint(ntohs(sa.sockaddr_in.sin_port), 1935, "port of IPv4");

    ok(ngx_rtmp_route_endpoint_from(&sa.sockaddr, &back) == NGX_OK
       && memcmp(&ep, &back, sizeof(ep)) == 0, "IPv4 there and back");

    ep = addr("2001:db8::1");
    ep.port = 1935;

    is_uint(ngx_rtmp_route_endpoint_sockaddr(&ep, &sa),
            sizeof(struct sockaddr_in6), "length of IPv6");
    is_uint(sa.sockaddr.sa_family, AF_INET6, "family of IPv6");

    ok(ngx_rtmp_route_endpoint_from(&sa.sockaddr, &back) == NGX_OK
       && memcmp(&ep, &back, sizeof(ep)) == 0, "IPv6 there and back");

    sin6 = &sa.sockaddr_in6;
    memcpy(&sin6->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16);

    ok(ngx_rtmp_route_endpoint_from(&sa.sockaddr, &back) == NGX_OK,
       "mapped address");
    got = print(&back, 0);
    is_str(&got, "10.0.0.1:1935", "mapped address is IPv4");

    sa.sockaddr.sa_family = AF_UNIX;
    ok(ngx_rtmp_route_endpoint_from(&sa.sockaddr, &back) == NGX_DECLINED
       && back.family == 0, "path of a socket");

    is_uint(ngx_rtmp_route_endpoint_sockaddr(&back, &sa), 0,
            "length of nothing");
}


static void
test_equal(void)
{
    ngx_rtmp_route_endpoint_t  a, b;

    a = addr("10.0.0.1");
    b = addr("::ffff:10.0.0.1");
    a.port = 1;
    b.port = 2;
    is_uint(ngx_rtmp_route_addr_equal(&a, &b), 1, "ports do not matter");

    b.addr[15] = 1;
    is_uint(ngx_rtmp_route_addr_equal(&a, &b), 1, "nor does padding");

    b = addr("10.0.0.2");
    is_uint(ngx_rtmp_route_addr_equal(&a, &b), 0, "other address");

    b = addr("a00:1::");
    is_uint(ngx_rtmp_route_addr_equal(&a, &b), 0, "other family");

    a = addr("a00:1::1");
    is_uint(ngx_rtmp_route_addr_equal(&a, &b), 0, "other IPv6 address");

    b = addr("a00:1::1");
    is_uint(ngx_rtmp_route_addr_equal(&a, &b), 1, "same IPv6 address");

    memset(&a, 0, sizeof(a));
    is_uint(ngx_rtmp_route_addr_equal(&a, &a), 0, "nobody is nobody's equal");
}


static void
test_special(void)
{
    ngx_uint_t                 i;
    ngx_rtmp_route_endpoint_t  ep;

    for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        ep = addr(special[i]);
        is_uint(ngx_rtmp_route_addr_special(&ep), 1, "%s is special",
                special[i]);
    }

    for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        ep = addr(usual[i]);
        is_uint(ngx_rtmp_route_addr_special(&ep), 0, "%s is not special",
                usual[i]);
    }

    memset(&ep, 0, sizeof(ep));
    is_uint(ngx_rtmp_route_addr_special(&ep), 1, "nothing is special");
}


static void
test_ranges(void)
{
    char                      **p;
    ngx_str_t                   text;
    ngx_uint_t                  want;
    ngx_cidr_t                 *cidr;
    ngx_pool_t                 *pool;
    ngx_array_t                *cidrs;
    ngx_rtmp_route_endpoint_t   ep;

    static char  *ranges[] = {
        "10.0.0.0/8", "192.168.1.7", "2001:db8::/33", "::1", NULL
    };

    static char  *tries[] = {
        "+10.0.0.1", "+10.255.255.255", "-11.0.0.1", "-9.255.255.255",
        "+192.168.1.7", "-192.168.1.8", "+::ffff:10.1.2.3",
        "+2001:db8:7fff::1", "-2001:db8:8000::1", "-2001:db9::1", "+::1",
        "-::2", "-a00:1::", NULL
    };

    pool = ngx_create_pool(1024, &unit_log);
    cidrs = ngx_array_create(pool, 4, sizeof(ngx_cidr_t));

    for (p = ranges; *p; p++) {
        text = unit_str(*p);
        cidr = ngx_array_push(cidrs);
        memset(cidr, 0, sizeof(ngx_cidr_t));

        ok(ngx_ptocidr(&text, cidr) == NGX_OK, "range %s", *p);
    }

    for (p = tries; *p; p++) {
        want = (**p == '+');
        ep = addr(*p + 1);
        ep.port = 1935;
        is_uint(ngx_rtmp_route_addr_in(&ep, cidrs), want, "%s is %s", *p + 1,
                want ? "within" : "outside");
    }

    is_uint(ngx_rtmp_route_addr_in(&ep, NULL), 0, "no ranges");

    memset(&ep, 0, sizeof(ep));
    is_uint(ngx_rtmp_route_addr_in(&ep, cidrs), 0, "no address");

    cidr = cidrs->elts;
    cidr[0].u.in.addr = 0;
    cidr[0].u.in.mask = 0;
    ep = addr("203.0.113.7");
    is_uint(ngx_rtmp_route_addr_in(&ep, cidrs), 1, "any address");

    cidrs->nelts = 0;
    is_uint(ngx_rtmp_route_addr_in(&ep, cidrs), 0, "empty ranges");

    ngx_destroy_pool(pool);
}


/* what is taken is printed so that it is taken again, and is the same */

static void
test_random(void)
{
    u_char                     buf[24];
    ngx_str_t                  text, got;
    ngx_uint_t                 i, bad, taken;
    ngx_rtmp_route_endpoint_t  server, ep, again;

    static u_char  letters[] = "0123456789:::...[]f/tcpud";

    srandom(1);

    bad = 0;
    taken = 0;
    server = addr("10.0.0.11");
    text.data = buf;

    for (i = 0; i < RANDOM_TEXTS; i++) {

        for (text.len = 0; text.len < (size_t) i % sizeof(buf); text.len++) {
            buf[text.len] = (i % 7 == 0)
                            ? (u_char) random()
                            : letters[random() % (sizeof(letters) - 1)];
        }

        (void) ngx_rtmp_route_addr_parse(&text, &ep);

        if (ngx_rtmp_route_endpoint_parse(&text, &server, &ep) != NGX_OK) {
            continue;
        }

        taken++;
        got = print(&ep, 0);

        if (ngx_rtmp_route_endpoint_parse(&got, &server, &again) != NGX_OK
            || memcmp(&ep, &again, sizeof(ep)) != 0)
        {
            bad++;
        }
    }

    is_uint(bad, 0, "random endpoints");
    ok(taken > 100, "%d random endpoints", (int) taken);
}


static ngx_rtmp_route_endpoint_t
addr(char *text)
{
    ngx_str_t                  str;
    ngx_rtmp_route_endpoint_t  ep;

    str = unit_str(text);

    if (ngx_rtmp_route_addr_parse(&str, &ep) != NGX_OK) {
        ok(0, "address \"%s\"", text);
    }

    return ep;
}


static ngx_str_t
print(ngx_rtmp_route_endpoint_t *endpoint, ngx_uint_t without_port)
{
    ngx_str_t      text;
    static u_char  buf[NGX_SOCKADDR_STRLEN];

    text.data = buf;
    text.len = ngx_rtmp_route_endpoint_text(buf, buf + sizeof(buf), endpoint,
                                            without_port)
               - buf;

    return text;
}
