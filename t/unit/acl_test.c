
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_acl.c ngx_rtmp_route_table_rules.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_table_conflict.c */
/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table_copy.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_zone.c ngx_rtmp_route_proxies.c */


/* The access list: how rules are written, their order, who is let in */


#include "table.h"
#include "ngx_rtmp_route_acl.h"


#define ALLOW     NGX_RTMP_ROUTE_ALLOW
#define DENY      NGX_RTMP_ROUTE_DENY
#define SERVERS   NGX_RTMP_ROUTE_ACL_SERVERS
#define PROXIES   NGX_RTMP_ROUTE_ACL_PROXIES

#define IS_CHECKED(table)  ok(ngx_rtmp_route_table_check(table) == NGX_OK,    \
                              "consistent")


static void test_text(void);
static void test_match(void);
static void test_order(void);
static void test_words(void);
static void test_servers(void);
static void test_many_servers(void);
static void test_full(void);
static void test_copy(void);
static void test_rebuild(void);
static void test_cost(void);
static uint32_t add(ngx_uint_t action, const char *text, uint32_t before);
static void clear(void);
static const char *list(void);
static ngx_int_t check(const char *addr, ngx_uint_t words);


static ngx_rtmp_route_table_t  table;
static ngx_rtmp_route_acl_t    acl;


int
main(void)
{
    unit_init();
    table_make(&table, 1024 * 1024);
    table_slot();

    acl.table = &table;

    test_text();
    test_match();
    test_order();
    test_words();
    test_servers();
    test_many_servers();
    test_full();
    test_copy();
    test_rebuild();
    test_cost();

    ngx_rtmp_route_acl_free(&acl);

    return done();
}


static void
test_text(void)
{
    u_char                  buf[NGX_RTMP_ROUTE_RULE_LEN];
    ngx_str_t               text;
    ngx_uint_t              i;
    ngx_rtmp_route_rule_t   rule;

    static const char  *good[][2] = {
        { "10.0.0.0/8", "10.0.0.0/8" },
        { "10.1.2.3/8", "10.0.0.0/8" },
        { "10.255.0.0/9", "10.128.0.0/9" },
        { "192.0.2.7", "192.0.2.7/32" },
        { "0.0.0.0/0", "0.0.0.0/0" },
        { "255.255.255.255/32", "255.255.255.255/32" },
        { "2001:db8::/32", "2001:db8::/32" },
        { "2001:db8:ffff::1/33", "2001:db8:8000::/33" },
        { "[2001:db8::1]", "2001:db8::1/128" },
        { "::/0", "::/0" },
        { "::1", "::1/128" },
        { "::ffff:10.1.2.3", "10.1.2.3/32" },
        { "::ffff:10.0.0.0/104", "10.0.0.0/8" },
        { "::ffff:0.0.0.0/96", "0.0.0.0/0" },
        { "servers", "servers" },
        { "proxies", "proxies" },
        { "all", "all" },
        { "unix:", "unix:" },
        { "1111:2222:3333:4444:5555:6666:7777:8888/128",
          "1111:2222:3333:4444:5555:6666:7777:8888/128" }
    };

    static const char  *bad[] = {
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/08", "10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.0/8/8",
        "10.0.0/8", "10.0.0.0.0", "10.0.0.0/255.0.0.0", "256.0.0.0/8",
        "2001:db8::/129", "2001:db8::/", "::ffff:10.0.0.0/95", "any", "ALL",
        "Servers", "unix", "unix:/tmp/x", "example.com", "10.0.0.0/99999999999",
        "10.0.0.0/+8", "10.0.0.1:80", "[10.0.0.1]", "fe80::1%lo"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        text = unit_str(good[i][0]);
        ok(ngx_rtmp_route_rule_parse(&text, &rule) == NGX_OK, "%s",
           good[i][0]);

        text.data = buf;
        text.len = ngx_rtmp_route_rule_text(buf, &rule) - buf;
        is_str(&text, good[i][1], "%s", good[i][1]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text = unit_str(bad[i]);
        ok(ngx_rtmp_route_rule_parse(&text, &rule) == NGX_DECLINED,
           "bad \"%s\"", bad[i]);
    }
}


static void
test_match(void)
{
    ok(check("10.0.0.1", 0) == NGX_DECLINED, "an empty list");
    ok(check("unix", 0) == NGX_DECLINED, "an empty list, unix");

    add(ALLOW, "10.0.0.0/8", 0);
    add(DENY, "192.0.2.128/25", 0);
    add(ALLOW, "2001:db8::/33", 0);

    ok(check("10.255.255.255", 0) == NGX_OK, "the last of a network");
    ok(check("11.0.0.0", 0) == NGX_DECLINED, "one behind it");
    ok(check("9.255.255.255", 0) == NGX_DECLINED, "one before it");
    ok(check("192.0.2.128", 0) == NGX_ABORT, "denied");
    ok(check("192.0.2.127", 0) == NGX_DECLINED, "half of a byte");
    ok(check("2001:db8:7fff::1", 0) == NGX_OK, "IPv6");
    ok(check("2001:db8:8000::1", 0) == NGX_DECLINED, "IPv6, a bit more");
    ok(check("::ffff:10.1.2.3", 0) == NGX_OK, "IPv4 in IPv6");
    ok(check("::ffff:192.0.2.200", 0) == NGX_ABORT, "IPv4 in IPv6, denied");
    ok(check("a00::", 0) == NGX_DECLINED, "IPv6 with the bytes of IPv4");
    ok(check("unix", 0) == NGX_DECLINED, "unix");

    add(DENY, "0.0.0.0/0", 0);

    ok(check("11.0.0.0", 0) == NGX_ABORT, "all of IPv4");
    ok(check("::1", 0) == NGX_DECLINED, "but not IPv6");

    add(ALLOW, "unix:", 0);

    ok(check("unix", 0) == NGX_OK, "unix is allowed");

    add(DENY, "all", 0);

    ok(check("unix", 0) == NGX_OK, "the first rule wins");
    ok(check("::1", 0) == NGX_ABORT, "all");

    clear();

    add(DENY, "all", 0);

    ok(check("unix", 0) == NGX_ABORT, "all are unix, too");

    clear();

    ok(check("10.0.0.1", 0) == NGX_DECLINED, "empty again");
}


static void
test_order(void)
{
    uint32_t               first, second, third;
    ngx_str_t              text;
    ngx_rtmp_route_rule_t  rule;

    first = add(DENY, "all", 0);
    second = add(ALLOW, "10.0.0.0/8", first);
    third = add(DENY, "10.0.0.0/24", second);

    ok(first && second > first && third > second, "ids grow");
    is_uint(strcmp(list(), "-10.0.0.0/24 +10.0.0.0/8 -all"), 0, "order");

    ok(check("10.0.0.1", 0) == NGX_ABORT, "before others");
    ok(check("10.0.1.1", 0) == NGX_OK, "in between");

    text = unit_str("10.0.0.9/8");
    rule.action = DENY;
    (void) ngx_rtmp_route_rule_parse(&text, &rule);

    ok(ngx_rtmp_route_rule_add(&table, &rule, 0) == NGX_DONE, "is there");
    is_uint(rule.id, second, "its id");

    text = unit_str("10.0.0.0/9");
    (void) ngx_rtmp_route_rule_parse(&text, &rule);

    ok(ngx_rtmp_route_rule_add(&table, &rule, 4711) == NGX_DECLINED,
       "before nothing");

    ok(ngx_rtmp_route_rule_get(&table, second, &rule) == NGX_OK
       && rule.id == second && rule.bits == 8, "one of them");
    ok(ngx_rtmp_route_rule_get(&table, 0, &rule) == NGX_DECLINED, "none");

    ok(ngx_rtmp_route_rule_delete(&table, second) == NGX_OK, "delete");
    ok(ngx_rtmp_route_rule_delete(&table, second) == NGX_DECLINED, "again");
    ok(ngx_rtmp_route_rule_get(&table, second, &rule) == NGX_DECLINED, "gone");
    is_uint(strcmp(list(), "-10.0.0.0/24 -all"), 0, "what is left");
    ok(check("10.0.1.1", 0) == NGX_ABORT, "seen at once");

    ok(add(ALLOW, "10.0.0.0/8", first) > third, "an id is never used again");

    IS_CHECKED(&table);
    clear();
}


static void
test_words(void)
{
    add(ALLOW, "proxies", 0);

    ok(check("127.0.0.1", 0) == NGX_DECLINED, "no proxies");
    ok(check("127.0.0.1", PROXIES) == NGX_DECLINED, "no proxies, by the word");
    ok(check("unix", PROXIES) == NGX_DECLINED, "nor unix");

    clear();
}


static void
test_servers(void)
{
    ngx_str_t                     id;
    ngx_rtmp_route_server_info_t  info;

    ok(check("10.0.0.1", SERVERS) == NGX_DECLINED, "no servers");

    server_add(&table, "s1", 1, NULL);

    ok(check("10.0.0.1", SERVERS) == NGX_OK, "a server");
    ok(check("10.0.0.2", SERVERS) == NGX_DECLINED, "not a server");
    ok(check("10.0.0.1", 0) == NGX_DECLINED, "without the word");
    ok(check("unix", SERVERS) == NGX_DECLINED, "unix is none");

    add(ALLOW, "servers", 0);

    ok(check("10.0.0.1", 0) == NGX_OK, "the word in the list");
    ok(check("::ffff:10.0.0.1", 0) == NGX_OK, "IPv4 in IPv6");
    ok(check("10.0.0.2", 0) == NGX_DECLINED, "not a server");
    ok(check("unix", 0) == NGX_DECLINED, "unix is none");

    server_info(&info, "s2", 2, NGX_RTMP_ROUTE_SRC_REGISTER);
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    ok(check("10.0.0.2", 0) == NGX_OK, "it has registered");

    /* another address, and one of another protocol */

    info.endpoints[NGX_RTMP_ROUTE_RTMP][0].addr[3] = 3;
    info.endpoints[NGX_RTMP_ROUTE_HTTP][0].addr[3] = 4;
    ngx_rtmp_route_server_set(&table, &info, NULL, NULL);

    ok(check("10.0.0.2", 0) == NGX_DECLINED, "it has moved");
    ok(check("10.0.0.3", 0) == NGX_OK, "its address");
    ok(check("10.0.0.4", 0) == NGX_OK, "its other address");

    id = unit_str("s2");
    ngx_rtmp_route_server_delete(&table, &id);

    ok(check("10.0.0.3", 0) == NGX_DECLINED, "it was removed");

    clear();
    add(DENY, "10.0.0.1", 0);

    ok(check("10.0.0.1", SERVERS) == NGX_ABORT, "the list comes first");

    clear();

    id = unit_str("s1");
    ngx_rtmp_route_server_delete(&table, &id);

    ok(check("10.0.0.1", SERVERS) == NGX_DECLINED, "no servers again");
}


static void
test_many_servers(void)
{
    char                    id[32], addr[32];
    ngx_uint_t              i, right;
    ngx_rtmp_route_acl_t    small;
    ngx_rtmp_route_table_t  big;

    table_make(&big, 32 * 1024 * 1024);

    for (i = 1; i <= 1500; i++) {
        snprintf(id, sizeof(id), "s%lu", (unsigned long) i);
        server_add(&big, id, 2 * i, NULL);
    }

    small = acl;
    ngx_memzero(&acl, sizeof(ngx_rtmp_route_acl_t));
    acl.table = &big;

    right = 0;

    for (i = 1; i <= 3000; i++) {
        snprintf(addr, sizeof(addr), "10.0.%lu.%lu", (unsigned long) i / 256,
                 (unsigned long) i % 256);
        right += (check(addr, SERVERS)
                  == ((i % 2) ? NGX_DECLINED : NGX_OK));
    }

    is_uint(right, 3000, "many servers");
    is_uint(acl.nhosts, 1500, "each is there once");

    ngx_rtmp_route_acl_free(&acl);

    acl = small;
    unit_zone_free(big.shpool);
}


static void
test_full(void)
{
    char                    text[32];
    ngx_str_t               str;
    ngx_uint_t              i, n;
    ngx_rtmp_route_rule_t   rule;

    n = ngx_rtmp_route_max_rules(&table);

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "10.1.%lu.%lu", (unsigned long) i / 256,
                 (unsigned long) i % 256);
        add(ALLOW, text, 0);
    }

    str = unit_str("10.2.0.0/16");
    rule.action = ALLOW;
    (void) ngx_rtmp_route_rule_parse(&str, &rule);

    ok(ngx_rtmp_route_rule_add(&table, &rule, 0) == NGX_BUSY,
       "no room for more than %lu", (unsigned long) n);

    snprintf(text, sizeof(text), "10.1.%lu.%lu", (unsigned long) (n - 1) / 256,
             (unsigned long) (n - 1) % 256);

    ok(check(text, 0) == NGX_OK, "the last one");

    IS_CHECKED(&table);

    clear();

    ok(check(text, 0) == NGX_DECLINED, "and none");
    ok(add(ALLOW, "10.2.0.0/16", 0) > n, "room again");

    clear();
}


static void
test_copy(void)
{
    char                    text[32];
    uint32_t                id;
    ngx_uint_t              i, n;
    ngx_rtmp_route_table_t  old, other;

    add(DENY, "all", 0);
    id = add(ALLOW, "10.0.0.0/8", 0);

    old = table;
    table_make(&table, 64 * 1024);

    n = ngx_rtmp_route_max_rules(&table);

    ok(ngx_rtmp_route_table_copy(&table, &old) == NGX_OK, "a smaller zone");
    is_uint(strcmp(list(), "-all +10.0.0.0/8"), 0, "the same list");
    ok(add(ALLOW, "10.0.0.0/9", 0) > id, "ids go on");

    other = table;
    table = old;

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "192.0.2.%lu", (unsigned long) i);
        add(ALLOW, text, 0);
    }

    unit_zone_free(other.shpool);
    table_make(&other, 64 * 1024);

    ok(ngx_rtmp_route_table_copy(&other, &table) == NGX_DECLINED,
       "a list that does not fit");

    unit_zone_free(other.shpool);
    clear();
}


static void
test_rebuild(void)
{
    add(DENY, "all", 0);

    ok(check("10.0.0.1", 0) == NGX_ABORT, "a list");

    /* as if somebody was killed before he could say what he has changed */

    table.sh->rules_len[table.sh->rules_used] = 0;
    table.sh->dirty = 1;

    IS_CHECKED(&table);

    ok(check("10.0.0.1", 0) == NGX_DECLINED, "seen after the rebuild");
}


static void
test_cost(void)
{
    char             text[32];
    uint64_t         ns;
    ngx_uint_t       i, n, denied;
    struct timespec  a, b;

    n = ngx_rtmp_route_max_rules(&table);

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "10.1.%lu.%lu", (unsigned long) i / 256,
                 (unsigned long) i % 256);
        add(DENY, text, 0);
    }

    denied = 0;

    clock_gettime(CLOCK_MONOTONIC, &a);

    for (i = 0; i < 10000; i++) {
        denied += (check("192.0.2.1", 0) == NGX_ABORT);
    }

    clock_gettime(CLOCK_MONOTONIC, &b);

    ns = (b.tv_sec - a.tv_sec) * 1000000000ULL + b.tv_nsec - a.tv_nsec;

    is_uint(denied, 0, "none matches");

    diag("%lu rules: %lu ns", (unsigned long) n, (unsigned long) ns / 10000);
}


/* 0: it was not added */

static uint32_t
add(ngx_uint_t action, const char *text, uint32_t before)
{
    ngx_str_t              str;
    ngx_rtmp_route_rule_t  rule;

    str = unit_str(text);

    ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));
    rule.action = (u_char) action;

    if (ngx_rtmp_route_rule_parse(&str, &rule) != NGX_OK) {
        abort();
    }

    return (ngx_rtmp_route_rule_add(&table, &rule, before) == NGX_OK)
           ? rule.id : 0;
}


static void
clear(void)
{
    ngx_uint_t             i, n;
    ngx_rtmp_route_rule_t  rules[NGX_RTMP_ROUTE_MAX_RULES];

    n = ngx_rtmp_route_rules(&table, rules);

    for (i = 0; i < n; i++) {
        (void) ngx_rtmp_route_rule_delete(&table, rules[i].id);
    }
}


static const char *
list(void)
{
    u_char                 *p;
    ngx_uint_t              i, n;
    ngx_rtmp_route_rule_t   rules[NGX_RTMP_ROUTE_MAX_RULES];

    static u_char  buf[4096];

    n = ngx_rtmp_route_rules(&table, rules);
    p = buf;

    for (i = 0; i < n && i < 64; i++) {

        if (i) {
            *p++ = ' ';
        }

        *p++ = (rules[i].action == ALLOW) ? '+' : '-';
        p = ngx_rtmp_route_rule_text(p, &rules[i]);
    }

    *p = '\0';

    return (char *) buf;
}


static ngx_int_t
check(const char *addr, ngx_uint_t words)
{
    uint32_t        id;
    ngx_sockaddr_t  sa;

    ngx_memzero(&sa, sizeof(ngx_sockaddr_t));

    if (strcmp(addr, "unix") == 0) {
        sa.sockaddr.sa_family = AF_UNIX;

    } else if (strchr(addr, ':')) {
        sa.sockaddr.sa_family = AF_INET6;
        (void) inet_pton(AF_INET6, addr, &sa.sockaddr_in6.sin6_addr);

    } else {
        sa.sockaddr.sa_family = AF_INET;
        (void) inet_pton(AF_INET, addr, &sa.sockaddr_in.sin_addr);
    }

    return ngx_rtmp_route_acl_check(&acl, &sa.sockaddr, words, &id);
}
