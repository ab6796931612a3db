
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What running sessions of this process are told from outside: by other
 * sessions, the API, the health check, in whatever process.  What a session
 * needs of it is in ngx_rtmp_route.h.
 */


#ifndef _NGX_RTMP_ROUTE_EVENTS_H_INCLUDED_
#define _NGX_RTMP_ROUTE_EVENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_conf.h"


/* in a worker's init_process */
void ngx_rtmp_route_events_init(ngx_rtmp_route_t *route, ngx_log_t *log);

/*
 * Looks whether there is something to be told, and begins with it; cheap if
 * there is nothing.  After each wake of this process, and now and then, for
 * those who were killed before they could wake it.
 */
void ngx_rtmp_route_events_check(ngx_rtmp_route_t *route);

/* each second: notes how much this process' sessions have passed */
void ngx_rtmp_route_events_sample(ngx_rtmp_route_t *route);

/* the session ends, its handler is not called any more */
void ngx_rtmp_route_events_forget(ngx_rtmp_route_session_t *session);

/*
 * A server was marked down by its health check: all processes look at once
 * which of their sessions are on servers that are down, to tell them
 * (NGX_RTMP_ROUTE_E_LOST).  Without this they do so soon.  Not with the lock
 * held.
 */
void ngx_rtmp_route_server_lost(ngx_rtmp_route_t *route);


#endif /* _NGX_RTMP_ROUTE_EVENTS_H_INCLUDED_ */
