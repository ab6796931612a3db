
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_proxies.c ngx_rtmp_route_addr.c */


/* Proxies that answered: who is one, for how long, and what a kill leaves */


#include "unit.h"
#include <ngx_event.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_proxies.h"

#include <sys/wait.h>


static void test_none(void);
static void test_note(void);
static void test_time(void);
static void test_only(void);
static void test_full(void);
static void test_share(void);
static ngx_int_t note(uint64_t key, const char *addr, ngx_msec_t time);
static ngx_uint_t has(const char *addr);
static void sockaddr_of(const char *addr, ngx_sockaddr_t *sa);


int
main(void)
{
    unit_init();

    test_none();

    ok(ngx_rtmp_route_proxies_create(&unit_log) == NGX_OK, "create");
    ok(ngx_rtmp_route_proxies_create(&unit_log) == NGX_OK, "again");

    test_note();
    test_time();
    test_only();
    test_share();
    test_full();

    return done();
}


static void
test_none(void)
{
    uint64_t  key;

    key = 1;

    is_uint(has("10.0.0.1"), 0, "not there");
    ok(note(1, "10.0.0.1", 1000) == NGX_OK, "not noted");
    ngx_rtmp_route_proxies_keep(1000);
    ngx_rtmp_route_proxies_only(&key, 1);
    is_uint(has("10.0.0.1"), 0, "still not there");
}


static void
test_note(void)
{
    ngx_str_t                  a, b;
    ngx_sockaddr_t             sa;
    ngx_rtmp_route_endpoint_t  addr;

    ok(note(1, "10.0.0.1", 1000) == NGX_OK, "noted");
    is_uint(has("10.0.0.1"), 1, "at whatever port");
    is_uint(has("::ffff:10.0.0.1"), 1, "IPv4 in IPv6");
    is_uint(has("10.0.0.2"), 0, "another");
    is_uint(has("0.0.0.0"), 0, "zeroes");

    ok(note(1, "::ffff:10.0.0.3", 1000) == NGX_OK, "IPv4 in IPv6 noted");
    is_uint(has("10.0.0.3"), 1, "is IPv4");

    ok(note(2, "2001:db8::1", 1000) == NGX_OK, "IPv6");
    is_uint(has("2001:db8::1"), 1, "IPv6 is there");
    is_uint(has("2001:db8::2"), 0, "another IPv6");

    ngx_memzero(&sa, sizeof(ngx_sockaddr_t));
    sa.sockaddr.sa_family = AF_UNIX;
    ok(ngx_rtmp_route_proxies_note(1, &sa.sockaddr, 1000) == NGX_OK, "unix");

    ngx_memzero(&addr, sizeof(ngx_rtmp_route_endpoint_t));
    is_uint(ngx_rtmp_route_proxies_has(&addr), 0, "no address");

    a = unit_str("http://a/");
    b = unit_str("http://b/");
    ok(ngx_rtmp_route_proxies_key(&a) != ngx_rtmp_route_proxies_key(&b),
       "keys");
}


static void
test_time(void)
{
    unit_tick(600);
    ok(note(1, "10.0.0.1", 1000) == NGX_OK, "answered again");
    unit_tick(399);
    is_uint(has("10.0.0.3"), 1, "up to its time");
    unit_tick(1);
    is_uint(has("10.0.0.3"), 0, "its time is over");
    is_uint(has("10.0.0.1"), 1, "longer for who answered");

    ngx_rtmp_route_proxies_keep(5000);
    unit_tick(4999);
    is_uint(has("10.0.0.1"), 1, "kept");
    is_uint(has("10.0.0.3"), 0, "who is gone is not kept");

    ngx_rtmp_route_proxies_keep(5000);
    ngx_rtmp_route_proxies_keep(10);
    unit_tick(100);
    is_uint(has("10.0.0.1"), 1, "a shorter time changes nothing");

    unit_tick(10000);
    is_uint(has("10.0.0.1"), 0, "gone");
    ok(note(1, "10.0.0.1", 1000) == NGX_OK, "back");
    is_uint(has("10.0.0.1"), 1, "back again");
    unit_tick(1000);
}


static void
test_only(void)
{
    uint64_t  keys[] = { 2, 4 };

    ok(note(1, "10.0.0.1", 1000) == NGX_OK, "one");
    ok(note(2, "10.0.0.1", 1000) == NGX_OK, "two, the same");
    ok(note(3, "10.0.0.3", 1000) == NGX_OK, "three");
    ok(note(4, "10.0.0.4", 1000) == NGX_OK, "four");

    ngx_rtmp_route_proxies_only(keys, 2);

    is_uint(has("10.0.0.1"), 1, "of another one as well");
    is_uint(has("10.0.0.3"), 0, "of nobody");
    is_uint(has("10.0.0.4"), 1, "stays");

    ngx_rtmp_route_proxies_only(&keys[1], 1);
    is_uint(has("10.0.0.1"), 0, "of nobody any more");
    is_uint(has("10.0.0.4"), 1, "last one");

    ngx_rtmp_route_proxies_only(NULL, 0);
    is_uint(has("10.0.0.4"), 0, "none");
}


static void
test_full(void)
{
    char        addr[32];
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < NGX_RTMP_ROUTE_PROXIES_MAX; i++) {
        (void) snprintf(addr, sizeof(addr), "10.1.%u.%u", (unsigned) i / 256,
                        (unsigned) i % 256);
        n += (note(1, addr, 2000 + i) == NGX_OK);
    }

    is_uint(n, NGX_RTMP_ROUTE_PROXIES_MAX, "full");
    is_uint(has("10.1.0.0") && has("10.1.3.255"), 1, "first and last");

    ok(note(1, "10.1.0.7", 2000) == NGX_OK, "one that is there");
    ok(note(1, "10.2.0.0", 5000) == NGX_DECLINED, "no room");
    is_uint(has("10.2.0.0"), 1, "is there");
    is_uint(has("10.1.0.0"), 0, "who had the shortest time is not");
    is_uint(has("10.1.0.1"), 1, "the next one is");

    unit_tick(2500);
    ok(note(1, "10.2.0.1", 5000) == NGX_OK, "room again");

    ngx_rtmp_route_proxies_only(NULL, 0);
    is_uint(has("10.2.0.1"), 0, "empty");
}


/* another process sees it, and one that is killed is in nobody's way */

static void
test_share(void)
{
    int         status;
    pid_t       pid;
    uint64_t    key;
    ngx_uint_t  i, seen;

    key = 1;

    for (i = 0, seen = 0; i < 200; i++) {

        pid = fork();

        if (pid == 0) {
            for ( ;; ) {
                (void) note(1, "10.3.0.1", 60000);
                ngx_rtmp_route_proxies_only(NULL, 0);
            }
        }

        (void) usleep(3000 + i);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, &status, 0);

        seen += has("10.3.0.1");

        ngx_rtmp_route_proxies_only(&key, 1);

        if (note(1, "10.3.0.1", 60000) != NGX_OK || !has("10.3.0.1")
            || note(1, "10.3.0.2", 60000) != NGX_OK || !has("10.3.0.2"))
        {
            break;
        }

        ngx_rtmp_route_proxies_only(NULL, 0);

        if (has("10.3.0.1") || has("10.3.0.2")) {
            break;
        }
    }

    is_uint(i, 200, "killed %u times, seen %u times", (unsigned) i,
            (unsigned) seen);
}


static ngx_int_t
note(uint64_t key, const char *addr, ngx_msec_t time)
{
    ngx_sockaddr_t  sa;

    sockaddr_of(addr, &sa);

    return ngx_rtmp_route_proxies_note(key, &sa.sockaddr, time);
}


static ngx_uint_t
has(const char *addr)
{
    ngx_sockaddr_t             sa;
    ngx_rtmp_route_endpoint_t  endpoint;

    sockaddr_of(addr, &sa);

    (void) ngx_rtmp_route_endpoint_from(&sa.sockaddr, &endpoint);

    return ngx_rtmp_route_proxies_has(&endpoint);
}


/* the port is another one each time */

static void
sockaddr_of(const char *addr, ngx_sockaddr_t *sa)
{
    static in_port_t  port = 1024;

    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

    if (inet_pton(AF_INET, addr, &sa->sockaddr_in.sin_addr) == 1) {
        sa->sockaddr.sa_family = AF_INET;

    } else if (inet_pton(AF_INET6, addr, &sa->sockaddr_in6.sin6_addr) == 1) {
        sa->sockaddr.sa_family = AF_INET6;
    }

    ngx_inet_set_port(&sa->sockaddr, port++);
}
