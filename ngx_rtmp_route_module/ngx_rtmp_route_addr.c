
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_addr.h"


static ngx_int_t ngx_rtmp_route_port_parse(u_char *p, u_char *last,
    uint16_t *port);
#if (NGX_HAVE_INET6)
static void ngx_rtmp_route_addr_unmap(ngx_rtmp_route_endpoint_t *addr);
#endif
static size_t ngx_rtmp_route_addr_len(ngx_rtmp_route_endpoint_t *addr);
static ngx_uint_t ngx_rtmp_route_addr_any(ngx_rtmp_route_endpoint_t *addr);
static ngx_uint_t ngx_rtmp_route_addr_loopback(
    ngx_rtmp_route_endpoint_t *addr);
static ngx_uint_t ngx_rtmp_route_addr_zero(u_char *p, size_t n);


ngx_int_t
ngx_rtmp_route_addr_parse(ngx_str_t *text, ngx_rtmp_route_endpoint_t *addr)
{
    size_t   len;
    u_char  *p, buf[NGX_INET6_ADDRSTRLEN + 1];

    ngx_memzero(addr, sizeof(ngx_rtmp_route_endpoint_t));

    p = text->data;
    len = text->len;

    if (len > 2 && p[0] == '[' && p[len - 1] == ']') {
        p++;
        len -= 2;

        if (ngx_strlchr(p, p + len, ':') == NULL) {
            return NGX_DECLINED;
        }
    }

    if (len == 0
        || len > NGX_INET6_ADDRSTRLEN
        || ngx_strlchr(p, p + len, '\0') != NULL)
    {
        return NGX_DECLINED;
    }

    ngx_cpystrn(buf, p, len + 1);

    /*
     * inet_pton() is strict where nginx's own parsers take "1..2.3" or a
     * single colon at either end
     */

    if (inet_pton(AF_INET, (char *) buf, addr->addr) == 1) {
        addr->family = AF_INET;
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)

    if (inet_pton(AF_INET6, (char *) buf, addr->addr) == 1) {
        addr->family = AF_INET6;
        ngx_rtmp_route_addr_unmap(addr);
        return NGX_OK;
    }

#endif

    ngx_memzero(addr, sizeof(ngx_rtmp_route_endpoint_t));

    return NGX_DECLINED;
}


ngx_int_t
ngx_rtmp_route_endpoint_parse(ngx_str_t *text,
    ngx_rtmp_route_endpoint_t *server, ngx_rtmp_route_endpoint_t *endpoint)
{
    u_char     *p, *last, *colon;
    uint16_t    port;
    ngx_str_t   addr;

    ngx_memzero(endpoint, sizeof(ngx_rtmp_route_endpoint_t));

    p = text->data;
    last = p + text->len;

    if (text->len > 6
        && (ngx_strncmp(p, "tcp://", 6) == 0
            || ngx_strncmp(p, "udp://", 6) == 0))
    {
        p += 6;
    }

    ngx_str_null(&addr);

    for (colon = last; colon > p; colon--) {
        if (colon[-1] == ':') {
            addr.data = p;
            addr.len = colon - 1 - p;
            p = colon;
            break;
        }
    }

    if (ngx_rtmp_route_port_parse(p, last, &port) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (addr.len) {

        /* without brackets nobody can tell where the address ends */

        if (addr.data[0] != '['
            && ngx_strlchr(addr.data, addr.data + addr.len, ':') != NULL)
        {
            return NGX_DECLINED;
        }

        if (ngx_rtmp_route_addr_parse(&addr, endpoint) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (ngx_rtmp_route_addr_any(endpoint)
        || (ngx_rtmp_route_addr_loopback(endpoint)
            && !ngx_rtmp_route_addr_loopback(server)))
    {
        if (server->family == 0) {
            ngx_memzero(endpoint, sizeof(ngx_rtmp_route_endpoint_t));
            return NGX_DECLINED;
        }

        *endpoint = *server;
    }

    endpoint->port = port;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_client_parse(ngx_str_t *text, ngx_rtmp_route_endpoint_t *client)
{
    u_char     *p, *last, *colon;
    uint16_t    port;
    ngx_str_t   addr;

    last = text->data + text->len;

    for (p = text->data, colon = NULL; p < last; p++) {
        if (*p == ':') {
            colon = p;
        }
    }

    if (ngx_rtmp_route_addr_parse(text, client) == NGX_OK) {
        return NGX_OK;
    }

    if (colon == NULL
        || ngx_rtmp_route_port_parse(colon + 1, last, &port) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    addr.data = text->data;
    addr.len = colon - text->data;

    if (ngx_rtmp_route_addr_parse(&addr, client) != NGX_OK) {
        return NGX_DECLINED;
    }

    client->port = port;

    return NGX_OK;
}


u_char *
ngx_rtmp_route_endpoint_text(u_char *p, u_char *last,
    ngx_rtmp_route_endpoint_t *endpoint, ngx_uint_t without_port)
{
    size_t          n;
    u_char          buf[NGX_SOCKADDR_STRLEN];
    socklen_t       socklen;
    ngx_sockaddr_t  sa;

    socklen = ngx_rtmp_route_endpoint_sockaddr(endpoint, &sa);
    if (socklen == 0) {
        return p;
    }

    n = ngx_sock_ntop(&sa.sockaddr, socklen, buf, NGX_SOCKADDR_STRLEN,
                      !without_port);

    return ngx_slprintf(p, last, "%*s", n, buf);
}


socklen_t
ngx_rtmp_route_endpoint_sockaddr(ngx_rtmp_route_endpoint_t *endpoint,
    ngx_sockaddr_t *sockaddr)
{
    ngx_memzero(sockaddr, sizeof(ngx_sockaddr_t));

    switch (endpoint->family) {

#if (NGX_HAVE_INET6)

    case AF_INET6:
        sockaddr->sockaddr_in6.sin6_family = AF_INET6;
        sockaddr->sockaddr_in6.sin6_port = htons(endpoint->port);
        ngx_memcpy(&sockaddr->sockaddr_in6.sin6_addr, endpoint->addr, 16);

        return sizeof(struct sockaddr_in6);

#endif

    case AF_INET:
        sockaddr->sockaddr_in.sin_family = AF_INET;
        sockaddr->sockaddr_in.sin_port = htons(endpoint->port);
        ngx_memcpy(&sockaddr->sockaddr_in.sin_addr, endpoint->addr, 4);

        return sizeof(struct sockaddr_in);

    default:
        return 0;
    }
}


ngx_int_t
ngx_rtmp_route_endpoint_from(struct sockaddr *sa,
    ngx_rtmp_route_endpoint_t *endpoint)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(endpoint, sizeof(ngx_rtmp_route_endpoint_t));

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        endpoint->family = AF_INET6;
        endpoint->port = ntohs(sin6->sin6_port);
        ngx_memcpy(endpoint->addr, &sin6->sin6_addr, 16);

        ngx_rtmp_route_addr_unmap(endpoint);

        return NGX_OK;

#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        endpoint->family = AF_INET;
        endpoint->port = ntohs(sin->sin_port);
        ngx_memcpy(endpoint->addr, &sin->sin_addr, 4);

        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


ngx_uint_t
ngx_rtmp_route_addr_equal(ngx_rtmp_route_endpoint_t *a,
    ngx_rtmp_route_endpoint_t *b)
{
    if (a->family == 0 || a->family != b->family) {
        return 0;
    }

    return ngx_memcmp(a->addr, b->addr, ngx_rtmp_route_addr_len(a)) == 0;
}


ngx_int_t
ngx_rtmp_route_addr_compare(ngx_rtmp_route_endpoint_t *a,
    ngx_rtmp_route_endpoint_t *b)
{
    if (a->family != b->family) {
        return (a->family == AF_INET || b->family == 0) ? -1 : 1;
    }

    return ngx_memcmp(a->addr, b->addr, ngx_rtmp_route_addr_len(a));
}


ngx_uint_t
ngx_rtmp_route_addr_within(ngx_rtmp_route_endpoint_t *addr,
    ngx_rtmp_route_endpoint_t *net, ngx_uint_t bits)
{
    ngx_uint_t  n;

    if (addr->family == 0 || addr->family != net->family
        || bits > 8 * ngx_rtmp_route_addr_len(net))
    {
        return 0;
    }

    n = bits / 8;

    if (ngx_memcmp(addr->addr, net->addr, n) != 0) {
        return 0;
    }

    return bits % 8 == 0
           || (addr->addr[n] ^ net->addr[n]) >> (8 - bits % 8) == 0;
}


ngx_uint_t
ngx_rtmp_route_addr_special(ngx_rtmp_route_endpoint_t *addr)
{
    u_char  *p;

    p = addr->addr;

    switch (addr->family) {

#if (NGX_HAVE_INET6)

    case AF_INET6:

        /* ::, ::1, and the IPv4 addresses that once were written so */

        if (ngx_rtmp_route_addr_zero(p, 12)) {
            return 1;
        }

        return p[0] == 0xff || (p[0] == 0xfe && (p[1] & 0xc0) == 0x80);

#endif

    case AF_INET:

        /* 224.0.0.0 and all above: multicast, reserved, broadcast */

        return p[0] == 0
               || p[0] == 127
               || (p[0] == 169 && p[1] == 254)
               || p[0] >= 224;

    default:
        return 1;
    }
}


ngx_uint_t
ngx_rtmp_route_addr_in(ngx_rtmp_route_endpoint_t *addr, ngx_array_t *cidrs)
{
    ngx_sockaddr_t  sa;

    if (cidrs == NULL || ngx_rtmp_route_endpoint_sockaddr(addr, &sa) == 0) {
        return 0;
    }

    return ngx_cidr_match(&sa.sockaddr, cidrs) == NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_port_parse(u_char *p, u_char *last, uint16_t *port)
{
    ngx_int_t  n;

    n = ngx_atoi(p, last - p);

    if (n < 1 || n > 65535 || *p == '0') {
        return NGX_DECLINED;
    }

    *port = (uint16_t) n;

    return NGX_OK;
}


#if (NGX_HAVE_INET6)

static void
ngx_rtmp_route_addr_unmap(ngx_rtmp_route_endpoint_t *addr)
{
    if (!ngx_rtmp_route_addr_zero(addr->addr, 10)
        || addr->addr[10] != 0xff
        || addr->addr[11] != 0xff)
    {
        return;
    }

    addr->family = AF_INET;
    ngx_memcpy(addr->addr, &addr->addr[12], 4);
    ngx_memzero(&addr->addr[4], 12);
}

#endif


static size_t
ngx_rtmp_route_addr_len(ngx_rtmp_route_endpoint_t *addr)
{
    return (addr->family == AF_INET) ? 4 : 16;
}


/* the server's own address is meant: none, 0.0.0.0 or :: */

static ngx_uint_t
ngx_rtmp_route_addr_any(ngx_rtmp_route_endpoint_t *addr)
{
    return addr->family == 0
           || ngx_rtmp_route_addr_zero(addr->addr,
                                       ngx_rtmp_route_addr_len(addr));
}


static ngx_uint_t
ngx_rtmp_route_addr_loopback(ngx_rtmp_route_endpoint_t *addr)
{
    switch (addr->family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        return ngx_rtmp_route_addr_zero(addr->addr, 15) && addr->addr[15] == 1;
#endif

    case AF_INET:
        return addr->addr[0] == 127;

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_rtmp_route_addr_zero(u_char *p, size_t n)
{
    while (n--) {
        if (*p++) {
            return 0;
        }
    }

    return 1;
}
