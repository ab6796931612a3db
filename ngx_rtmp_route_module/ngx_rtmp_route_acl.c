
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_acl.h"
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_proxies.h"


/* addresses that there is room for at first */
#define NGX_RTMP_ROUTE_ACL_HOSTS  128


static ngx_uint_t ngx_rtmp_route_acl_match(ngx_rtmp_route_acl_t *acl,
    ngx_rtmp_route_acl_rule_t *rule, ngx_uint_t family,
    ngx_rtmp_route_endpoint_t *addr, uint64_t *words);
static ngx_int_t ngx_rtmp_route_acl_rules(ngx_rtmp_route_acl_t *acl);
static void ngx_rtmp_route_acl_rule(ngx_rtmp_route_acl_rule_t *ar,
    ngx_rtmp_route_rule_t *rule);
static ngx_int_t ngx_rtmp_route_acl_hosts(ngx_rtmp_route_acl_t *acl);
static ngx_int_t ngx_rtmp_route_acl_grow(ngx_rtmp_route_acl_t *acl,
    ngx_uint_t n);
static ngx_uint_t ngx_rtmp_route_acl_server(ngx_rtmp_route_acl_t *acl,
    ngx_rtmp_route_endpoint_t *addr);
static int ngx_libc_cdecl ngx_rtmp_route_acl_compare(const void *one,
    const void *two);
static void ngx_rtmp_route_acl_mask(u_char *mask, ngx_uint_t bits);


/* by NGX_RTMP_ROUTE_RULE_* */

static ngx_str_t  ngx_rtmp_route_rule_words[] = {
    ngx_null_string,
    ngx_string("all"),
    ngx_string("unix:"),
    ngx_string("servers"),
    ngx_string("proxies")
};

#define NGX_RTMP_ROUTE_RULE_WORDS                                             \
    (sizeof(ngx_rtmp_route_rule_words) / sizeof(ngx_str_t))


ngx_int_t
ngx_rtmp_route_acl_check(ngx_rtmp_route_acl_t *acl, struct sockaddr *sockaddr,
    ngx_uint_t words, uint32_t *id)
{
    uint64_t                     part[2];
    ngx_uint_t                   i, family;
    ngx_rtmp_route_endpoint_t    addr;
    ngx_rtmp_route_acl_rule_t   *rule;

    *id = 0;

    if (acl->rules_version != ngx_rtmp_route_rules_version(acl->table)
        && ngx_rtmp_route_acl_rules(acl) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (acl->nrules == 0 && words == 0) {
        return NGX_DECLINED;
    }

    /* IPv6 with an IPv4 address in it is IPv4 */

    family = sockaddr->sa_family;

    if (ngx_rtmp_route_endpoint_from(sockaddr, &addr) == NGX_OK) {
        family = addr.family;
    }

    ngx_memcpy(part, addr.addr, sizeof(part));

    for (i = 0; i < acl->nrules; i++) {
        rule = &acl->rules[i];

        if (ngx_rtmp_route_acl_match(acl, rule, family, &addr, part)) {
            *id = rule->id;

            return (rule->action == NGX_RTMP_ROUTE_ALLOW) ? NGX_OK : NGX_ABORT;
        }
    }

    if ((words & NGX_RTMP_ROUTE_ACL_SERVERS)
        && ngx_rtmp_route_acl_server(acl, &addr))
    {
        return NGX_OK;
    }

    if ((words & NGX_RTMP_ROUTE_ACL_PROXIES)
        && ngx_rtmp_route_proxies_has(&addr))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


void
ngx_rtmp_route_acl_free(ngx_rtmp_route_acl_t *acl)
{
    ngx_rtmp_route_table_t  *table;

    table = acl->table;

    if (acl->rules) {
        ngx_free(acl->rules);
    }

    if (acl->hosts) {
        ngx_free(acl->hosts);
    }

    ngx_memzero(acl, sizeof(ngx_rtmp_route_acl_t));

    acl->table = table;
}


static ngx_uint_t
ngx_rtmp_route_acl_match(ngx_rtmp_route_acl_t *acl,
    ngx_rtmp_route_acl_rule_t *rule, ngx_uint_t family,
    ngx_rtmp_route_endpoint_t *addr, uint64_t *part)
{
    switch (rule->kind) {

    case NGX_RTMP_ROUTE_RULE_CIDR:
        return rule->family == family
               && ((part[0] ^ rule->net[0]) & rule->mask[0]) == 0
               && ((part[1] ^ rule->net[1]) & rule->mask[1]) == 0;

    case NGX_RTMP_ROUTE_RULE_ALL:
        return 1;

    case NGX_RTMP_ROUTE_RULE_UNIX:
        return family == AF_UNIX;

    case NGX_RTMP_ROUTE_RULE_SERVERS:
        return ngx_rtmp_route_acl_server(acl, addr);

    default: /* NGX_RTMP_ROUTE_RULE_PROXIES */
        return ngx_rtmp_route_proxies_has(addr);
    }
}


static ngx_int_t
ngx_rtmp_route_acl_rules(ngx_rtmp_route_acl_t *acl)
{
    uint32_t                    version;
    ngx_log_t                  *log;
    ngx_uint_t                  i, n;
    ngx_rtmp_route_rule_t      *rules;
    ngx_rtmp_route_acl_rule_t  *copy;

    log = acl->table->log;
    n = ngx_rtmp_route_max_rules(acl->table);

    rules = ngx_alloc(n * sizeof(ngx_rtmp_route_rule_t), log);
    if (rules == NULL) {
        return NGX_ERROR;
    }

    /* before the rules: a change in between is seen the next time */

    version = ngx_rtmp_route_rules_version(acl->table);

    n = ngx_rtmp_route_rules(acl->table, rules);

    copy = ngx_alloc(ngx_max(n, 1) * sizeof(ngx_rtmp_route_acl_rule_t), log);
    if (copy == NULL) {
        ngx_free(rules);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        ngx_rtmp_route_acl_rule(&copy[i], &rules[i]);
    }

    ngx_free(rules);

    if (acl->rules) {
        ngx_free(acl->rules);
    }

    acl->rules = copy;
    acl->nrules = n;
    acl->rules_version = version;

    return NGX_OK;
}


static void
ngx_rtmp_route_acl_rule(ngx_rtmp_route_acl_rule_t *ar,
    ngx_rtmp_route_rule_t *rule)
{
    u_char  mask[16];

    ngx_rtmp_route_acl_mask(mask, rule->bits);

    ngx_memcpy(ar->mask, mask, sizeof(ar->mask));
    ngx_memcpy(ar->net, rule->addr.addr, sizeof(ar->net));

    ar->id = rule->id;
    ar->family = rule->addr.family;
    ar->action = rule->action;
    ar->kind = rule->kind;
}


static ngx_int_t
ngx_rtmp_route_acl_hosts(ngx_rtmp_route_acl_t *acl)
{
    uint32_t    version, cursor;
    ngx_int_t   rc;
    ngx_uint_t  i, n;

    version = ngx_rtmp_route_hosts_version(acl->table);

    acl->nhosts = 0;
    cursor = 0;

    do {
        if (ngx_rtmp_route_acl_grow(acl, NGX_RTMP_ROUTE_ACL_HOSTS)
            != NGX_OK)
        {
            acl->nhosts = 0;
            acl->hosts_version = 0;
            return NGX_ERROR;
        }

        rc = ngx_rtmp_route_server_hosts(acl->table, &cursor,
                                         acl->hosts + acl->nhosts,
                                         acl->size - acl->nhosts, &n);
        acl->nhosts += n;

    } while (rc == NGX_OK);

    if (acl->nhosts) {
        ngx_qsort(acl->hosts, acl->nhosts, sizeof(ngx_rtmp_route_endpoint_t),
                  ngx_rtmp_route_acl_compare);
    }

    for (i = 0, n = 0; i < acl->nhosts; i++) {
        if (i == 0
            || ngx_rtmp_route_acl_compare(&acl->hosts[i], &acl->hosts[n - 1])
               != 0)
        {
            acl->hosts[n++] = acl->hosts[i];
        }
    }

    acl->nhosts = n;
    acl->hosts_version = version;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_acl_grow(ngx_rtmp_route_acl_t *acl, ngx_uint_t n)
{
    ngx_uint_t                  size;
    ngx_rtmp_route_endpoint_t  *hosts;

    if (acl->size - acl->nhosts >= n) {
        return NGX_OK;
    }

    size = ngx_max(2 * acl->size, 4 * n);

    hosts = ngx_alloc(size * sizeof(ngx_rtmp_route_endpoint_t),
                      acl->table->log);
    if (hosts == NULL) {
        return NGX_ERROR;
    }

    if (acl->hosts) {
        ngx_memcpy(hosts, acl->hosts,
                   acl->nhosts * sizeof(ngx_rtmp_route_endpoint_t));
        ngx_free(acl->hosts);
    }

    acl->hosts = hosts;
    acl->size = size;

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_acl_server(ngx_rtmp_route_acl_t *acl,
    ngx_rtmp_route_endpoint_t *addr)
{
    ngx_uint_t                 low, high, n;
    ngx_rtmp_route_endpoint_t  key;

    if (addr->family == 0) {
        return 0;
    }

    if (acl->hosts_version != ngx_rtmp_route_hosts_version(acl->table)
        && ngx_rtmp_route_acl_hosts(acl) != NGX_OK)
    {
        return 0;
    }

    key = *addr;
    key.port = 0;

    low = 0;
    high = acl->nhosts;

    while (low < high) {
        n = low + (high - low) / 2;

        if (ngx_rtmp_route_acl_compare(&acl->hosts[n], &key) < 0) {
            low = n + 1;

        } else {
            high = n;
        }
    }

    return low < acl->nhosts
           && ngx_rtmp_route_acl_compare(&acl->hosts[low], &key) == 0;
}


static int ngx_libc_cdecl
ngx_rtmp_route_acl_compare(const void *one, const void *two)
{
    return ngx_memcmp(one, two, sizeof(ngx_rtmp_route_endpoint_t));
}


static void
ngx_rtmp_route_acl_mask(u_char *mask, ngx_uint_t bits)
{
    ngx_memzero(mask, 16);
    ngx_memset(mask, 0xff, bits / 8);

    if (bits % 8) {
        mask[bits / 8] = (u_char) (0xff << (8 - bits % 8));
    }
}


ngx_int_t
ngx_rtmp_route_rule_parse(ngx_str_t *text, ngx_rtmp_route_rule_t *rule)
{
    u_char      *p, *last, *slash, mask[16];
    ngx_int_t    bits, max;
    ngx_str_t    addr;
    ngx_uint_t   i;

    rule->bits = 0;
    ngx_memzero(&rule->addr, sizeof(ngx_rtmp_route_endpoint_t));

    for (i = 1; i < NGX_RTMP_ROUTE_RULE_WORDS; i++) {
        if (text->len == ngx_rtmp_route_rule_words[i].len
            && ngx_memcmp(text->data, ngx_rtmp_route_rule_words[i].data,
                          text->len)
               == 0)
        {
            rule->kind = (u_char) i;
            return NGX_OK;
        }
    }

    rule->kind = NGX_RTMP_ROUTE_RULE_CIDR;

    last = text->data + text->len;
    slash = ngx_strlchr(text->data, last, '/');

    addr.data = text->data;
    addr.len = (slash ? slash : last) - text->data;

    if (ngx_rtmp_route_addr_parse(&addr, &rule->addr) != NGX_OK) {
        return NGX_DECLINED;
    }

    max = (rule->addr.family == AF_INET) ? 32 : 128;
    bits = max;

    if (slash) {
        p = slash + 1;

        if (last - p > 1 && *p == '0') {
            return NGX_DECLINED;
        }

        bits = ngx_atoi(p, last - p);

        if (bits == NGX_ERROR) {
            return NGX_DECLINED;
        }

        if (max == 32
            && ngx_strlchr(addr.data, addr.data + addr.len, ':') != NULL)
        {
            /* ::ffff:10.0.0.0/104 */

            bits -= 96;
        }
    }

    if (bits < 0 || bits > max) {
        return NGX_DECLINED;
    }

    rule->bits = (u_char) bits;

    ngx_rtmp_route_acl_mask(mask, bits);

    for (i = 0; i < 16; i++) {
        rule->addr.addr[i] &= mask[i];
    }

    return NGX_OK;
}


u_char *
ngx_rtmp_route_rule_text(u_char *p, ngx_rtmp_route_rule_t *rule)
{
    u_char  *last;

    if (rule->kind != NGX_RTMP_ROUTE_RULE_CIDR
        && rule->kind < NGX_RTMP_ROUTE_RULE_WORDS)
    {
        return ngx_cpymem(p, ngx_rtmp_route_rule_words[rule->kind].data,
                          ngx_rtmp_route_rule_words[rule->kind].len);
    }

    last = p + NGX_RTMP_ROUTE_RULE_LEN;

    p = ngx_rtmp_route_endpoint_text(p, last, &rule->addr, 1);

    return ngx_slprintf(p, last, "/%ui", (ngx_uint_t) rule->bits);
}
