
/*
 * Copyright (C) The nginx-osp authors
 */


/* what is between the connection of a stream and the commands it sends */


#ifndef _NGX_RTMP_ROUTE_RTMP_SAY_H_INCLUDED_
#define _NGX_RTMP_ROUTE_RTMP_SAY_H_INCLUDED_


#include "ngx_rtmp_route_rtmp_relay.h"


/* states; the handshake is before S_CONNECT */

#define NGX_RTMP_ROUTE_RELAY_S_SHAKE    0
#define NGX_RTMP_ROUTE_RELAY_S_CONNECT  1
#define NGX_RTMP_ROUTE_RELAY_S_CREATE   2
#define NGX_RTMP_ROUTE_RELAY_S_START    3
#define NGX_RTMP_ROUTE_RELAY_S_RUN      4

#define NGX_RTMP_ROUTE_RELAY_CODE       64
#define NGX_RTMP_ROUTE_RELAY_PAGE       192     /* nginx-rtmp takes 255 */

#define NGX_RTMP_ROUTE_RELAY_VIA        "rtmp-route:"
#define NGX_RTMP_ROUTE_RELAY_LOOPS      "loop: the stream has been here"


/* a fault of a server is told once */

#define ngx_rtmp_route_relay_level(relay)                                     \
    ((relay)->quiet ? NGX_LOG_INFO : NGX_LOG_ERR)


typedef struct {
    ngx_rtmp_route_relay_t     *relay;      /* NULL: its owner has left it */
    ngx_rtmp_session_t         *session;
    ngx_rtmp_conf_ctx_t         cctx;
    ngx_event_t                 event;
    ngx_uint_t                  state;
    uint32_t                    in;         /* bytes that were counted */
    uint32_t                    out;
    unsigned                    told:1;     /* the log knows why it ends */
    ngx_str_t                   addr;
    ngx_log_t                   log;
    ngx_peer_connection_t       peer;
    size_t                      first;      /* bytes in front of RTMP */
    u_char                      preamble[NGX_RTMP_ROUTE_PREAMBLE];
    u_char                      code[NGX_RTMP_ROUTE_RELAY_CODE];
} ngx_rtmp_route_relay_ctx_t;


/* ngx_rtmp_route_rtmp_relay.c */

ngx_rtmp_route_relay_ctx_t *ngx_rtmp_route_relay_ctx(ngx_rtmp_session_t *s);
void ngx_rtmp_route_relay_fail(ngx_rtmp_route_relay_ctx_t *ctx, ngx_err_t err,
    char *text);

/* NGX_ERROR: the session is to end */
ngx_int_t ngx_rtmp_route_relay_ready(ngx_rtmp_route_relay_ctx_t *ctx);

u_char *ngx_rtmp_route_relay_page(ngx_rtmp_route_relay_t *relay, u_char *p);


/* ngx_rtmp_route_rtmp_say.c */

ngx_int_t ngx_rtmp_route_relay_say_hooks(ngx_rtmp_core_main_conf_t *cmcf);


#endif /* _NGX_RTMP_ROUTE_RTMP_SAY_H_INCLUDED_ */
