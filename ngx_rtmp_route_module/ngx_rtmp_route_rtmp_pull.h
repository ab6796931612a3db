
/*
 * Copyright (C) The nginx-osp authors
 */


/* what is between a pull, its players, and its tries to get the stream */


#ifndef _NGX_RTMP_ROUTE_RTMP_PULL_H_INCLUDED_
#define _NGX_RTMP_ROUTE_RTMP_PULL_H_INCLUDED_


#include "ngx_rtmp_route_rtmp_relay.h"


#define NGX_RTMP_ROUTE_PULL_TICK     1000     /* ms */


typedef struct ngx_rtmp_route_pull_s  ngx_rtmp_route_pull_t;


/* pulls of an application, in this process */

typedef struct {
    ngx_rbtree_t                     tree;
    ngx_rbtree_node_t                sentinel;
} ngx_rtmp_route_pulls_t;


/* a play that is held, or that nginx-rtmp has not accepted yet */

typedef struct {
    ngx_queue_t                      queue;
    ngx_rtmp_session_t              *session;
    ngx_msec_t                       time;
    ngx_rtmp_play_t                  v;
} ngx_rtmp_route_pull_play_t;


/* one server, or worker, that is asked for the stream, or gives it */

typedef struct {
    ngx_rtmp_route_pull_t           *pull;
    ngx_pool_t                      *pool;
    ngx_rtmp_route_choice_t          choice;
    ngx_rtmp_route_relay_t           relay;
    ngx_sockaddr_t                   sockaddr;  /* of a worker */
    ngx_event_t                      timer;     /* it has no media */
    unsigned                         link:1;
    unsigned                         refused:1;
    unsigned                         missing:1; /* there is no such stream */
} ngx_rtmp_route_pull_try_t;


/* a stream of an application that is played here, and comes from elsewhere */

struct ngx_rtmp_route_pull_s {
    ngx_str_node_t                   node;      /* its name */
    ngx_pool_t                      *pool;
    ngx_rtmp_route_rtmp_app_conf_t  *racf;
    ngx_rtmp_live_app_conf_t        *lacf;
    ngx_rtmp_conf_ctx_t              cctx;
    ngx_rtmp_live_stream_t          *stream;    /* where players wait */
    ngx_str_t                        app;
    ngx_str_t                        host;
    ngx_str_t                        args;
    ngx_str_t                        via;
    in_port_t                        port;
    ngx_queue_t                      held;      /* plays */

    ngx_rtmp_route_pull_try_t       *cur;       /* publishes here */
    ngx_rtmp_route_pull_try_t       *next;      /* is to do so */

    ngx_event_t                      tick;
    ngx_event_t                      retry;
    ngx_event_t                      event;     /* posted: goes on, ends */
    ngx_msec_t                       backoff;
    ngx_msec_t                       since;     /* cur has given media */
    ngx_msec_t                       left;      /* when the last one went */
    ngx_msec_t                       move;      /* no move before that */
    ngx_msec_t                       last;      /* that something came */
    uint32_t                         bytes;     /* ... until then */
    unsigned                         idle:1;    /* there are no players */
    unsigned                         failing:1; /* logged */
    unsigned                         moves:1;   /* next is, cur is there */
    unsigned                         eof:1;     /* cur has said so */
    unsigned                         goes:1;    /* who is held goes on */
    unsigned                         over:1;
};


/* ngx_rtmp_route_rtmp_pull.c */

/* that name of an application, or NULL */
ngx_rtmp_live_stream_t *ngx_rtmp_route_pull_stream(
    ngx_rtmp_live_app_conf_t *lacf, u_char *name);
ngx_rtmp_route_pull_t *ngx_rtmp_route_pull_find(
    ngx_rtmp_route_rtmp_app_conf_t *racf, ngx_str_t *name);

/* the same; created if it is not there, for a player.  NULL: no memory */
ngx_rtmp_route_pull_t *ngx_rtmp_route_pull_get(ngx_rtmp_session_t *s,
    ngx_str_t *name, u_char *args);

/* whether there are players, held ones included; of another worker */
ngx_uint_t ngx_rtmp_route_pull_players(ngx_rtmp_route_pull_t *pull);
ngx_uint_t ngx_rtmp_route_pull_linked(ngx_rtmp_route_pull_t *pull);

/* the stream is published here, by cur: those who are held may go on */
void ngx_rtmp_route_pull_go(ngx_rtmp_route_pull_t *pull);

/* it ends soon: somebody else publishes it here, or nobody anywhere */
void ngx_rtmp_route_pull_done(ngx_rtmp_route_pull_t *pull);


/* ngx_rtmp_route_rtmp_pull_play.c */

/* NULL: there are no pulls in the session's application */
ngx_rtmp_route_rtmp_app_conf_t *ngx_rtmp_route_pull_conf(ngx_rtmp_session_t *s);
ngx_uint_t ngx_rtmp_route_pull_is_player(ngx_rtmp_live_ctx_t *ctx);

/* those who are held go on; are told that there is no such stream, as others */
void ngx_rtmp_route_pull_release(ngx_rtmp_route_pull_t *pull);
void ngx_rtmp_route_pull_missing(ngx_rtmp_route_pull_t *pull);
void ngx_rtmp_route_pull_refuse(ngx_rtmp_session_t *s);


/* ngx_rtmp_route_rtmp_pull_try.c */

/* begins to look for the stream, if it is not at it */
void ngx_rtmp_route_pull_look(ngx_rtmp_route_pull_t *pull);

/* each second: whether it has moved */
void ngx_rtmp_route_pull_follow(ngx_rtmp_route_pull_t *pull);

/* players notice no end of what cur publishes: it goes on at once */
void ngx_rtmp_route_pull_hand_over(ngx_rtmp_route_pull_t *pull);

void ngx_rtmp_route_pull_stop(ngx_rtmp_route_pull_t *pull);


#endif /* _NGX_RTMP_ROUTE_RTMP_PULL_H_INCLUDED_ */
