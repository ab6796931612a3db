
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_rtmp_listen.h"


static void ngx_rtmp_route_rtmp_listen_init(
    ngx_rtmp_route_rtmp_listen_t *listen, void *sockaddr, socklen_t socklen,
    ngx_uint_t wildcard, ngx_uint_t ipv6only, ngx_uint_t proxy_protocol);


#if (NGX_RTMP_ROUTE_HTTP_FLV)


/* servers with different names may have the same */

ngx_int_t
ngx_rtmp_route_rtmp_listens(ngx_rtmp_core_main_conf_t *cmcf,
    ngx_rtmp_route_rtmp_listen_pt handler)
{
    ngx_int_t                       rc;
    ngx_uint_t                      p, a, s;
    ngx_rtmp_conf_port_t           *port;
    ngx_rtmp_conf_addr_t           *addr;
    ngx_rtmp_core_srv_conf_t      **cscf;
    ngx_rtmp_route_rtmp_listen_t    listen;

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            ngx_rtmp_route_rtmp_listen_init(&listen, &addr[a].opt.sockaddr,
                                            addr[a].opt.socklen,
                                            addr[a].opt.wildcard,
                                            addr[a].opt.ipv6only,
                                            addr[a].opt.proxy_protocol);

            cscf = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {

                rc = handler(cscf[s]->ctx, &listen);

                if (rc != NGX_OK) {
                    return rc;
                }
            }
        }
    }

    return NGX_OK;
}


#else


ngx_int_t
ngx_rtmp_route_rtmp_listens(ngx_rtmp_core_main_conf_t *cmcf,
    ngx_rtmp_route_rtmp_listen_pt handler)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i, ipv6only;
    ngx_rtmp_listen_t             *ls;
    ngx_rtmp_route_rtmp_listen_t   listen;

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {

#if (NGX_HAVE_INET6 && defined IPV6_V6ONLY)
        ipv6only = ls[i].ipv6only;
#else
        ipv6only = 1;
#endif

        ngx_rtmp_route_rtmp_listen_init(&listen, ls[i].sockaddr,
                                        ls[i].socklen, ls[i].wildcard,
                                        ipv6only, ls[i].proxy_protocol);

        rc = handler(ls[i].ctx, &listen);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


#endif


static void
ngx_rtmp_route_rtmp_listen_init(ngx_rtmp_route_rtmp_listen_t *listen,
    void *sockaddr, socklen_t socklen, ngx_uint_t wildcard,
    ngx_uint_t ipv6only, ngx_uint_t proxy_protocol)
{
    ngx_memzero(listen, sizeof(ngx_rtmp_route_rtmp_listen_t));

    ngx_memcpy(&listen->sockaddr, sockaddr,
               ngx_min(socklen, sizeof(ngx_sockaddr_t)));

    listen->wildcard = wildcard;
    listen->dual = (listen->sockaddr.sockaddr.sa_family == AF_INET6
                    && ipv6only == 0);
    listen->proxy_protocol = proxy_protocol;
}
