
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The access list of a route as a process looks at it: a copy in its own
 * memory, made anew when the table says that it has changed.
 */


#ifndef _NGX_RTMP_ROUTE_ACL_H_INCLUDED_
#define _NGX_RTMP_ROUTE_ACL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table.h"


/* allowed, if the list says nothing about them */

#define NGX_RTMP_ROUTE_ACL_SERVERS   0x01
#define NGX_RTMP_ROUTE_ACL_PROXIES   0x02

/* "servers" or an address with the longest prefix */
#define NGX_RTMP_ROUTE_RULE_LEN      (NGX_INET6_ADDRSTRLEN + 4)


typedef struct {
    uint64_t                     net[2];
    uint64_t                     mask[2];
    uint32_t                     id;
    uint16_t                     family;
    u_char                       action;
    u_char                       kind;
} ngx_rtmp_route_acl_rule_t;


/* zeroed by the caller, who sets table */

typedef struct {
    ngx_rtmp_route_table_t      *table;
    uint32_t                     rules_version;
    uint32_t                     hosts_version;
    ngx_uint_t                   nrules;
    ngx_uint_t                   nhosts;
    ngx_uint_t                   size;        /* of hosts */
    ngx_rtmp_route_acl_rule_t   *rules;
    ngx_rtmp_route_endpoint_t   *hosts;       /* of servers, sorted */
} ngx_rtmp_route_acl_t;


/*
 * NGX_OK: allowed; NGX_ABORT: denied; NGX_DECLINED: nothing is said of it;
 * NGX_ERROR: no memory.  *id is the rule, or 0 if it was one of the words.
 */
ngx_int_t ngx_rtmp_route_acl_check(ngx_rtmp_route_acl_t *acl,
    struct sockaddr *sockaddr, ngx_uint_t words, uint32_t *id);

/* gives back the copy, at the end of the process */
void ngx_rtmp_route_acl_free(ngx_rtmp_route_acl_t *acl);

/*
 * "10.0.0.0/8", "2001:db8::/32", an address, "all", "unix:", "servers" or
 * "proxies"; bits of the address that do not count are cleared.  NGX_OK or
 * NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_rule_parse(ngx_str_t *text,
    ngx_rtmp_route_rule_t *rule);

/* the same back, NGX_RTMP_ROUTE_RULE_LEN bytes at most */
u_char *ngx_rtmp_route_rule_text(u_char *p, ngx_rtmp_route_rule_t *rule);


#endif /* _NGX_RTMP_ROUTE_ACL_H_INCLUDED_ */
