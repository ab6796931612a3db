
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The core of Open Streaming Platform as the control plane of a route: it is
 * polled for servers and live channels, and asked about single channels and
 * about those who want keys.
 */


#ifndef _NGX_OSP_CORE_H_INCLUDED_
#define _NGX_OSP_CORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client.h"
#include "ngx_rtmp_route_control.h"


/* types of osp_force */

#define NGX_OSP_CORE_FORCE_NONE   0
#define NGX_OSP_CORE_FORCE_EDGE   1
#define NGX_OSP_CORE_FORCE_PROXY  2

#define NGX_OSP_CORE_CHANNEL_LEN  255


typedef struct ngx_osp_core_s       ngx_osp_core_t;
typedef struct ngx_osp_core_poll_s  ngx_osp_core_poll_t;
typedef struct ngx_osp_core_asks_s  ngx_osp_core_asks_t;


/*
 * What processes have in common, in the zone of ngx_osp_core_ask.c.  To be
 * changed with the mutex of core->shpool held, a text before its length, and
 * so that a process may die anywhere.
 */

typedef struct {
    ngx_atomic_t                     refreshes;     /* asked for */

    /* of the first worker, who needs no lock for these */
    ngx_atomic_t                     poll_good;     /* as ngx_current_msec */
    uint32_t                         poll_once;     /* poll_good is set */
    uint32_t                         poll_done;     /* at least one */
    uint32_t                         poll_failed;   /* a bit each, the last */
    uint32_t                         poll_servers;
    uint32_t                         poll_streams;
    uint32_t                         poll_slot;     /* of who polls, and 1 */
    uint32_t                         site_https;
    time_t                           poll_time;     /* of poll_good, s */
    ngx_atomic_t                     polls[2];      /* good ones, others */

    /* to how many questions the answer was NGX_OSP_CORE_YES ... */
    ngx_atomic_t                     answers[3];

    uint32_t                         site_len;      /* 0: unknown */
    u_char                           site[NGX_RTMP_ROUTE_HOST_LEN + 1];
} ngx_osp_core_shared_t;


struct ngx_osp_core_s {
    ngx_rtmp_route_t                *route;
    ngx_rtmp_route_control_t         control;
    ngx_rtmp_route_client_t         *client;
    ngx_rtmp_route_client_conf_t    *conf;     /* that of its block */
    ngx_rtmp_route_client_conf_t     own;      /* of rtmp_route { } */

    ngx_str_t                        url;
    ngx_msec_t                       interval;
    in_port_t                        rtmp;
    in_port_t                        http;     /* both 0: 5999, by the site */
    in_port_t                        https;
    ngx_str_t                        publish_app;

    ngx_uint_t                       force;    /* NGX_OSP_CORE_FORCE_* */
    in_port_t                        force_port;
    ngx_uint_t                       force_https;

    ngx_shm_zone_t                  *shm_zone; /* "osp_core:ROUTE" */
    ssize_t                          size;     /* of it */
    ngx_slab_pool_t                 *shpool;
    ngx_osp_core_shared_t           *shared;

    ngx_osp_core_poll_t             *poll;     /* ngx_osp_core_poll.c */
    ngx_osp_core_asks_t             *asks;     /* ngx_osp_core_ask.c */
};


/*
 * ngx_osp_core_module.c.  While the configuration is read: the core of a
 * route, made if it is not there; NULL after an error was logged.
 */
ngx_osp_core_t *ngx_osp_core_get(ngx_conf_t *cf, ngx_rtmp_route_t *route);

/* the parameters of osp_core and osp_force, in either context */
char *ngx_osp_core_set(ngx_conf_t *cf, ngx_rtmp_route_t *route,
    ngx_rtmp_route_client_conf_t *conf);
char *ngx_osp_core_set_force(ngx_conf_t *cf, ngx_rtmp_route_t *route);

/* osp_core_* for which cmd->offset is the number of the setting */
char *ngx_osp_core_set_client(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_rtmp_route_client_conf_t *conf);


/*
 * ngx_osp_core_name.c.  Channels have one key, whatever URL they are asked
 * for by: "live/LOC", or "LOC" with "key stream".
 */

/* ngx_rtmp_route_control_t's key */
ngx_int_t ngx_osp_core_key(ngx_rtmp_route_control_t *control,
    ngx_pool_t *pool, ngx_rtmp_route_name_t *name, ngx_uint_t op,
    ngx_str_t *key);

/* ngx_rtmp_route_control_t's uri: live is called edge at an edge */
ngx_int_t ngx_osp_core_edge_uri(ngx_rtmp_route_control_t *control,
    ngx_pool_t *pool, ngx_str_t *uri);

/*
 * The key of a channel; buf has room for NGX_OSP_CORE_CHANNEL_LEN + 8.
 * NGX_DECLINED: this can't be the name of one.
 */
ngx_int_t ngx_osp_core_channel_key(ngx_osp_core_t *core, ngx_str_t *channel,
    u_char *buf, ngx_str_t *key);

/* the channel of a key, which it points to; NGX_DECLINED: it is of none */
ngx_int_t ngx_osp_core_channel(ngx_osp_core_t *core, ngx_str_t *key,
    ngx_str_t *channel);


/*
 * ngx_osp_core_address.c, in any process: the name that a server has in the
 * table of which the core says that its address is text: lower case, without
 * port and brackets; 127.0.0.1 and the like are core->shared's site, which
 * ngx_osp_core_address_site() sets.  buf has room for NGX_RTMP_ROUTE_HOST_LEN.
 * NGX_DECLINED: it is no address; NGX_AGAIN: the site is not known.
 */
ngx_int_t ngx_osp_core_address(ngx_osp_core_t *core, ngx_str_t *text,
    u_char *buf, ngx_str_t *name);
void ngx_osp_core_address_site(ngx_osp_core_t *core, ngx_str_t *text);


/*
 * ngx_osp_core_query.c.  While the configuration is read: the zone of a core,
 * its size is core->size or the default; sets control.resolve and authorize.
 */
char *ngx_osp_core_query_init(ngx_conf_t *cf, ngx_osp_core_t *core);


/*
 * ngx_osp_core_poll.c.  While the configuration is read: sets control.refresh
 * and show; then in the first worker.
 */
char *ngx_osp_core_poll_init(ngx_conf_t *cf, ngx_osp_core_t *core);
void ngx_osp_core_poll_start(ngx_osp_core_t *core);


extern ngx_module_t  ngx_osp_core_module;


#endif /* _NGX_OSP_CORE_H_INCLUDED_ */
