
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What tells a server the address of the client, in front of RTMP: the PROXY
 * protocol, versions 1 and 2, or the preamble that SRS understands: 0xf3, a
 * 16 bit length, the IPv4 address of the client.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"


typedef struct {
    ngx_uint_t     family;    /* AF_INET, AF_INET6 or AF_UNSPEC */
    size_t         len;
    u_char         src[16];
    u_char         dst[16];
    in_port_t      src_port;
    in_port_t      dst_port;
} ngx_rtmp_route_pp_addrs_t;


static void ngx_rtmp_route_preamble_addrs(struct sockaddr *client,
    struct sockaddr *local, ngx_rtmp_route_pp_addrs_t *addrs);
static ngx_uint_t ngx_rtmp_route_preamble_addr(struct sockaddr *sa,
    u_char *addr, in_port_t *port);
static void ngx_rtmp_route_preamble_map(u_char *addr);
static u_char *ngx_rtmp_route_preamble_v1(ngx_rtmp_route_pp_addrs_t *addrs,
    u_char *p, u_char *last);
static u_char *ngx_rtmp_route_preamble_v2(ngx_rtmp_route_pp_addrs_t *addrs,
    u_char *p);


static u_char  ngx_rtmp_route_pp_signature[] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};

static u_char  ngx_rtmp_route_pp_mapped[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};


u_char *
ngx_rtmp_route_preamble(struct sockaddr *client, struct sockaddr *local,
    ngx_uint_t type, u_char *buf, u_char *last)
{
    u_char                     *p;
    ngx_rtmp_route_pp_addrs_t   addrs;

    if (type <= NGX_RTMP_ROUTE_PP_OFF) {
        return buf;
    }

    if (last - buf < NGX_RTMP_ROUTE_PREAMBLE) {
        return NULL;
    }

    ngx_rtmp_route_preamble_addrs(client, local, &addrs);

    switch (type) {

    case NGX_RTMP_ROUTE_PP_V1:
        return ngx_rtmp_route_preamble_v1(&addrs, buf, last);

    case NGX_RTMP_ROUTE_PP_V2:
        return ngx_rtmp_route_preamble_v2(&addrs, buf);

    default: /* NGX_RTMP_ROUTE_PP_SRS */

        /* knows IPv4 only */

        if (addrs.family != AF_INET) {
            return buf;
        }

        p = buf;
        *p++ = 0xf3;
        *p++ = 0;
        *p++ = 4;

        return ngx_cpymem(p, addrs.src, 4);
    }
}


static void
ngx_rtmp_route_preamble_addrs(struct sockaddr *client, struct sockaddr *local,
    ngx_rtmp_route_pp_addrs_t *addrs)
{
    ngx_uint_t  src, dst;

    ngx_memzero(addrs, sizeof(ngx_rtmp_route_pp_addrs_t));

    src = ngx_rtmp_route_preamble_addr(client, addrs->src, &addrs->src_port);
    dst = ngx_rtmp_route_preamble_addr(local, addrs->dst, &addrs->dst_port);

    if (src == AF_UNSPEC || dst == AF_UNSPEC) {
        addrs->family = AF_UNSPEC;
        return;
    }

    addrs->family = AF_INET;
    addrs->len = 4;

#if (NGX_HAVE_INET6)

    /* both must be of one family: realip may have changed only the source */

    if (src == AF_INET6 || dst == AF_INET6) {

        if (src == AF_INET) {
            ngx_rtmp_route_preamble_map(addrs->src);
        }

        if (dst == AF_INET) {
            ngx_rtmp_route_preamble_map(addrs->dst);
        }

        addrs->family = AF_INET6;
        addrs->len = 16;
    }

#endif
}


static ngx_uint_t
ngx_rtmp_route_preamble_addr(struct sockaddr *sa, u_char *addr,
    in_port_t *port)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    u_char               *p;
    struct sockaddr_in6  *sin6;
#endif

    if (sa == NULL) {
        return AF_UNSPEC;
    }

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        p = sin6->sin6_addr.s6_addr;
        *port = ntohs(sin6->sin6_port);

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memcpy(addr, p + 12, 4);
            return AF_INET;
        }

        ngx_memcpy(addr, p, 16);

        return AF_INET6;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        *port = ntohs(sin->sin_port);
        ngx_memcpy(addr, &sin->sin_addr, 4);

        return AF_INET;

    default:
        return AF_UNSPEC;
    }
}


static void
ngx_rtmp_route_preamble_map(u_char *addr)
{
    ngx_memmove(addr + 12, addr, 4);
    ngx_memcpy(addr, ngx_rtmp_route_pp_mapped, 12);
}


static u_char *
ngx_rtmp_route_preamble_v1(ngx_rtmp_route_pp_addrs_t *addrs, u_char *p,
    u_char *last)
{
    if (addrs->family == AF_UNSPEC) {
        return ngx_cpymem(p, "PROXY UNKNOWN" CRLF,
                          sizeof("PROXY UNKNOWN" CRLF) - 1);
    }

    p = ngx_cpymem(p, "PROXY TCP", sizeof("PROXY TCP") - 1);
    *p++ = (addrs->family == AF_INET) ? '4' : '6';
    *p++ = ' ';

    p += ngx_inet_ntop(addrs->family, addrs->src, p, last - p);
    *p++ = ' ';
    p += ngx_inet_ntop(addrs->family, addrs->dst, p, last - p);

    return ngx_slprintf(p, last, " %ui %ui" CRLF,
                        (ngx_uint_t) addrs->src_port,
                        (ngx_uint_t) addrs->dst_port);
}


static u_char *
ngx_rtmp_route_preamble_v2(ngx_rtmp_route_pp_addrs_t *addrs, u_char *p)
{
    size_t  len;

    p = ngx_cpymem(p, ngx_rtmp_route_pp_signature,
                   sizeof(ngx_rtmp_route_pp_signature));

    *p++ = 0x21;    /* version 2, PROXY */

    if (addrs->family == AF_UNSPEC) {
        *p++ = 0;
        *p++ = 0;
        *p++ = 0;
        return p;
    }

    *p++ = (addrs->family == AF_INET) ? 0x11 : 0x21;    /* over TCP */

    len = 2 * addrs->len + 4;

    *p++ = (u_char) (len >> 8);
    *p++ = (u_char) len;

    p = ngx_cpymem(p, addrs->src, addrs->len);
    p = ngx_cpymem(p, addrs->dst, addrs->len);

    *p++ = (u_char) (addrs->src_port >> 8);
    *p++ = (u_char) addrs->src_port;
    *p++ = (u_char) (addrs->dst_port >> 8);
    *p++ = (u_char) addrs->dst_port;

    return p;
}
