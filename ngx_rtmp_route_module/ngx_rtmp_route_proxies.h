
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The addresses of the proxies with which this nginx registers, and that
 * answered: in shared memory of the master, kept over reloads.  One process at
 * a time writes, the one that registers; all may look.
 */


#ifndef _NGX_RTMP_ROUTE_PROXIES_H_INCLUDED_
#define _NGX_RTMP_ROUTE_PROXIES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table.h"


#define NGX_RTMP_ROUTE_PROXIES_MAX  1024


/*
 * In the master, before the first fork; later calls do nothing.  NGX_ERROR
 * after one log line.
 */
ngx_int_t ngx_rtmp_route_proxies_create(ngx_log_t *log);

/* what tells a proxy from others: its URL */
uint64_t ngx_rtmp_route_proxies_key(ngx_str_t *url);

/*
 * In a process that begins to write: those of other proxies are gone, and what
 * its predecessor was about to write.
 */
void ngx_rtmp_route_proxies_only(uint64_t *keys, ngx_uint_t n);

/*
 * That proxy has answered at this address, whose port does not matter, and is
 * kept for so many ms.  NGX_OK, or NGX_DECLINED: there is no room, and who
 * would have been the first to go has gone.
 */
ngx_int_t ngx_rtmp_route_proxies_note(uint64_t key, struct sockaddr *sockaddr,
    ngx_msec_t time);

/* those that are there stay for so many ms at least */
void ngx_rtmp_route_proxies_keep(ngx_msec_t time);

/* whether that address is one of them; without a lock */
ngx_uint_t ngx_rtmp_route_proxies_has(ngx_rtmp_route_endpoint_t *addr);


#endif /* _NGX_RTMP_ROUTE_PROXIES_H_INCLUDED_ */
