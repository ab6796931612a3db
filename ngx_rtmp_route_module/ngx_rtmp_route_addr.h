
/*
 * Copyright (C) The nginx-osp authors
 */


/* Addresses, endpoints and address ranges as registrations write them. */


#ifndef _NGX_RTMP_ROUTE_ADDR_H_INCLUDED_
#define _NGX_RTMP_ROUTE_ADDR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table.h"


/*
 * A literal IPv4 or IPv6 address, brackets allowed, IPv4-mapped IPv6 becomes
 * IPv4; port becomes 0.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_addr_parse(ngx_str_t *text,
    ngx_rtmp_route_endpoint_t *addr);

/*
 * An endpoint in any form of SRS: "1935", ":1935", "ip:1935", "[::]:1935",
 * "tcp://ip:1935", "udp://0.0.0.0:8000", "udp://8000".  An address that is
 * missing, unspecified, or loopback where the server's own is not, becomes
 * that of the server.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_endpoint_parse(ngx_str_t *text,
    ngx_rtmp_route_endpoint_t *server, ngx_rtmp_route_endpoint_t *endpoint);

/*
 * "203.0.113.7:51234", "[::1]:51234", or without a port, which is 0 then: a
 * client as nginx writes it.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_client_parse(ngx_str_t *text,
    ngx_rtmp_route_endpoint_t *client);

/* "10.0.0.11:1935", "[::1]:1935"; without_port leaves ":1935" (and []) out */
u_char *ngx_rtmp_route_endpoint_text(u_char *p, u_char *last,
    ngx_rtmp_route_endpoint_t *endpoint, ngx_uint_t without_port);

/* conversions; the port of a sockaddr is kept */
socklen_t ngx_rtmp_route_endpoint_sockaddr(
    ngx_rtmp_route_endpoint_t *endpoint, ngx_sockaddr_t *sockaddr);
ngx_int_t ngx_rtmp_route_endpoint_from(struct sockaddr *sa,
    ngx_rtmp_route_endpoint_t *endpoint);

/* addresses only, ports do not matter */
ngx_uint_t ngx_rtmp_route_addr_equal(ngx_rtmp_route_endpoint_t *a,
    ngx_rtmp_route_endpoint_t *b);

/* whether the first bits of both are the same; family 0 is in no network */
ngx_uint_t ngx_rtmp_route_addr_within(ngx_rtmp_route_endpoint_t *addr,
    ngx_rtmp_route_endpoint_t *net, ngx_uint_t bits);

/* below, at or above 0: IPv4 comes first */
ngx_int_t ngx_rtmp_route_addr_compare(ngx_rtmp_route_endpoint_t *a,
    ngx_rtmp_route_endpoint_t *b);

/* loopback, link-local, multicast, broadcast or unspecified */
ngx_uint_t ngx_rtmp_route_addr_special(ngx_rtmp_route_endpoint_t *addr);

/* ranges: an array of ngx_cidr_t, as ngx_ptocidr() makes them */
ngx_uint_t ngx_rtmp_route_addr_in(ngx_rtmp_route_endpoint_t *addr,
    ngx_array_t *cidrs);


#endif /* _NGX_RTMP_ROUTE_ADDR_H_INCLUDED_ */
