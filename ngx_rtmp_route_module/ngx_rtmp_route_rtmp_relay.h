
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Streams between this nginx-rtmp and others.  relay.c is one connection, as a
 * session of nginx-rtmp with commands of our own; choose.c asks the table
 * where to; link.c leads to other workers of this nginx; pull.c and push.c
 * decide when.  All of it is of one process.
 */


#ifndef _NGX_RTMP_ROUTE_RTMP_RELAY_H_INCLUDED_
#define _NGX_RTMP_ROUTE_RTMP_RELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_cmd_module.h>
#include <ngx_rtmp_live_module.h>
#include "ngx_rtmp_route.h"


/*
 * nginx-rtmp need not be there: these are NULL if it is not loaded, or not
 * yet.  Nothing of it is used but what its headers tell.
 */

#pragma weak ngx_rtmp_core_module
#pragma weak ngx_rtmp_live_module
#pragma weak ngx_rtmp_publish
#pragma weak ngx_rtmp_play
#pragma weak ngx_rtmp_close_stream
#pragma weak ngx_rtmp_init_session
#pragma weak ngx_rtmp_finalize_session
#pragma weak ngx_rtmp_client_handshake
#pragma weak ngx_rtmp_receive_amf
#pragma weak ngx_rtmp_send_amf
#pragma weak ngx_rtmp_send_ack_size
#pragma weak ngx_rtmp_send_chunk_size
#pragma weak ngx_rtmp_send_set_buflen
#pragma weak ngx_rtmp_send_status


#define NGX_RTMP_ROUTE_RELAY_PULL    0      /* plays there, publishes here */
#define NGX_RTMP_ROUTE_RELAY_PUSH    1      /* plays here, publishes there */

/* what a relay tells its owner, from the event loop */

#define NGX_RTMP_ROUTE_RELAY_READY   0      /* pull: the first audio or video */
                                            /* is there, and not passed yet: */
                                            /* it is published here next; */
                                            /* push: the server said yes */
#define NGX_RTMP_ROUTE_RELAY_REFUSED 1      /* the server's no; it closes */
#define NGX_RTMP_ROUTE_RELAY_LOOP    2      /* ... as it has been here */
#define NGX_RTMP_ROUTE_RELAY_CLOSED  3      /* the last call in any case but */
                                            /* after a close of one's own */


typedef struct ngx_rtmp_route_relay_s   ngx_rtmp_route_relay_t;
typedef struct ngx_rtmp_route_choice_s  ngx_rtmp_route_choice_t;


/* zeroed and filled by its owner, who keeps it until CLOSED or a close */

struct ngx_rtmp_route_relay_s {
    ngx_uint_t                 type;
    ngx_rtmp_conf_ctx_t        cctx;       /* of the application */
    ngx_str_t                  name;       /* of the stream here */

    struct sockaddr           *sockaddr;   /* of the server */
    socklen_t                  socklen;
    ngx_str_t                  addr;       /* as text, for logs and stat */
    ngx_str_t                  host;       /* for tcUrl */
    ngx_uint_t                 proxy_protocol;
    ngx_connection_t          *client;     /* whose addresses it tells then, */
                                           /* or NULL; while it is opened */
    ngx_str_t                  app;        /* as the server knows it */
    ngx_str_t                  path;       /* ... and the name, with */
                                           /* arguments */
    ngx_str_t                  via;        /* marks of who had it before; */
                                           /* ours is added */
    unsigned                   link:1;     /* of another worker of ours: it */
                                           /* adds no mark */
    unsigned                   quiet:1;    /* what fails is logged as "info" */

    ngx_atomic_t              *in;         /* counters of bytes, or NULL: */
    ngx_atomic_t              *out;        /* from the server, and to it */
    ngx_atomic_t              *active;

    void                      *data;
    void                     (*handler)(ngx_rtmp_route_relay_t *relay,
                                        ngx_uint_t what);

    ngx_rtmp_session_t        *session;    /* NULL: not open */
    unsigned                   ready:1;
    unsigned                   refused:1;  /* push: also by a mere close */
    ngx_str_t                  reason;     /* REFUSED: the code, bounded */
};


/*
 * Where a stream is, or goes: the table's part.  The server is counted in the
 * table from found on until closed.
 */

struct ngx_rtmp_route_choice_s {
    ngx_rtmp_route_t          *route;
    ngx_uint_t                 op;         /* NGX_RTMP_ROUTE_PLAY, PUBLISH */
    ngx_pool_t                *pool;       /* as long as the choice */
    ngx_log_t                 *log;
    ngx_str_t                  host;       /* of the client's URL */
    ngx_str_t                  app;
    ngx_str_t                  name;
    ngx_str_t                  args;
    ngx_str_t                  client;     /* for whom, "203.0.113.7:51234", */
                                           /* or empty: shown in the API */

    /* the answer */

    ngx_rtmp_route_query_t     query;
    ngx_rtmp_route_peer_t      peer;
    ngx_str_t                  to_app;     /* what to ask the server for, */
    ngx_str_t                  to_path;    /* after rules of the route */
    ngx_rtmp_route_session_t   session;

    void                      *data;
    void                     (*handler)(ngx_rtmp_route_choice_t *choice,
                                        ngx_int_t rc);

    /* or NULL; what the table tells: E_LOST, SILENT, REPLACED, KICKED */
    void                     (*event)(ngx_rtmp_route_choice_t *choice,
                                      ngx_uint_t what);

    /* of choose.c */

    ngx_rtmp_route_mapped_t    mapped;
    ngx_rtmp_route_wait_t      wait;
    ngx_event_t                timer;
    ngx_int_t                  rc;
    ngx_rtmp_route_ref_t       named;      /* that has failed, and when */
    ngx_msec_t                 failed;
    time_t                     banned;     /* s, for how long; 0: not */
    unsigned                   answered:1;
    unsigned                   waiting:1;
    unsigned                   opened:1;
    unsigned                   missing:1;  /* a server has it not */
};


/* what this module knows of a session of nginx-rtmp */

typedef struct {
    ngx_uint_t                 waits;      /* a publisher whom nginx-rtmp may */
                                           /* accept later */
    void                      *relay;      /* of relay.c */
    void                      *pull;       /* of pull.c */
    void                      *push;       /* of push.c */
    unsigned                   link:1;     /* of another worker */
} ngx_rtmp_route_rtmp_ctx_t;

/* made when it is asked for; NULL: no memory */
ngx_rtmp_route_rtmp_ctx_t *ngx_rtmp_route_rtmp_ctx(ngx_rtmp_session_t *s);

/* calls a handler of messages before those of nginx-rtmp */
ngx_int_t ngx_rtmp_route_rtmp_first(ngx_array_t *events,
    ngx_rtmp_handler_pt handler);


/* ngx_rtmp_route_rtmp_relay.c */

/*
 * Connects, with what the owner has filled in.  NGX_OK: the handler will be
 * called; NGX_DECLINED: it will not, as the server can't be reached; NGX_ERROR:
 * neither, for a reason of our own.
 */
ngx_int_t ngx_rtmp_route_relay_open(ngx_rtmp_route_relay_t *relay);

/* ends it, without a call of the handler; harmless if it is not open */
void ngx_rtmp_route_relay_close(ngx_rtmp_route_relay_t *relay);

/* the relay whose session this is, or NULL */
ngx_rtmp_route_relay_t *ngx_rtmp_route_relay_of(ngx_rtmp_session_t *s);

/*
 * The marks ("via") that a client's connect carries, a part of it; and whether
 * this nginx is among them, or there are too many
 */
void ngx_rtmp_route_relay_via(ngx_rtmp_session_t *s, ngx_str_t *via);
ngx_uint_t ngx_rtmp_route_relay_loop(ngx_str_t *via);

/* hooks of nginx-rtmp; init: in the master, once: the mark of this nginx */
ngx_int_t ngx_rtmp_route_relay_hooks(ngx_rtmp_core_main_conf_t *cmcf);
void ngx_rtmp_route_relay_init(void);


/* ngx_rtmp_route_rtmp_choose.c */

/*
 * Starts to ask, anew if it has asked before: what it had is closed; texts are
 * put into the pool each time.  The handler is called once for each start or
 * next, never from within: NGX_OK: peer, to_app, to_path are set and a session
 * is open in the table; NGX_DECLINED: there is no such stream, or it is banned;
 * NGX_BUSY: no server, or nobody can tell.
 */
ngx_int_t ngx_rtmp_route_choose(ngx_rtmp_route_choice_t *choice);

/*
 * That peer failed, or has not the stream (failed 0), but was no fault:
 * another one.  NGX_BUSY: all have been asked, choose anew later.  NGX_ERROR:
 * there is none.
 */
ngx_int_t ngx_rtmp_route_choose_next(ngx_rtmp_route_choice_t *choice,
    ngx_uint_t failed);

/* it is connected and has the stream */
void ngx_rtmp_route_choose_works(ngx_rtmp_route_choice_t *choice);

/*
 * Whether the table names another server by now: for a timer, each second.
 * Without a turn taken and without waiting.
 */
ngx_uint_t ngx_rtmp_route_choose_moved(ngx_rtmp_route_choice_t *choice);

/* ends the session in the table and all waiting */
void ngx_rtmp_route_choose_close(ngx_rtmp_route_choice_t *choice);


/* ngx_rtmp_route_rtmp_link.c: other workers of this nginx */

/*
 * In a worker that has claimed its slot: private sockets, for servers with
 * "rtmp_route ... pull", told to others through shared memory
 */
ngx_int_t ngx_rtmp_route_link_init(ngx_cycle_t *cycle,
    ngx_rtmp_core_main_conf_t *cmcf);

/*
 * The worker that has the stream (published or pulled there), or that has to
 * pull it for all; or with published only one that has a publisher of it.
 * NGX_OK: sockaddr is set; NGX_DECLINED: this one has to.
 */
ngx_int_t ngx_rtmp_route_link_find(in_port_t port, ngx_str_t *app,
    ngx_str_t *name, ngx_uint_t published, ngx_sockaddr_t *sockaddr,
    socklen_t *socklen);

/* that worker can't be reached: another one for some seconds */
void ngx_rtmp_route_link_failed(ngx_sockaddr_t *sockaddr);

/* whether a session is of another worker of this nginx */
ngx_uint_t ngx_rtmp_route_link_is(ngx_rtmp_session_t *s);


/* ngx_rtmp_route_rtmp_pull.c, ngx_rtmp_route_rtmp_push.c */

ngx_int_t ngx_rtmp_route_pull_hooks(ngx_rtmp_core_main_conf_t *cmcf);
ngx_int_t ngx_rtmp_route_push_hooks(ngx_rtmp_core_main_conf_t *cmcf);

/*
 * Whether the stream of a publisher is another server's, or will be: there
 * viewers are to find it, not here
 */
ngx_uint_t ngx_rtmp_route_push_away(ngx_rtmp_session_t *s);


/* ngx_rtmp_route_rtmp_module.c */

/* what a server is known by in all processes; 0: it has no port */
in_port_t ngx_rtmp_route_rtmp_port(void **srv_conf);

/* what is registered may have changed */
void ngx_rtmp_route_rtmp_soon(void);


/* ngx_rtmp_route_rtmp_app.c: "rtmp_route" of an application */

#define NGX_RTMP_ROUTE_RTMP_DEPTH   8       /* applications in others */

void *ngx_rtmp_route_rtmp_create_app_conf(ngx_conf_t *cf);
char *ngx_rtmp_route_rtmp_app_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_rtmp_route_rtmp_app_init(ngx_conf_t *cf,
    ngx_rtmp_core_main_conf_t *cmcf);

typedef struct {
    ngx_rtmp_route_t          *route;      /* NULL: none */
    ngx_msec_t                 inactive;   /* pull; default: the route's */
    unsigned                   pull:1;
    unsigned                   push:1;
    void                      *pulls;      /* of pull.c */
    void                      *pushes;     /* of push.c */
} ngx_rtmp_route_rtmp_app_conf_t;

extern ngx_module_t  ngx_rtmp_route_rtmp_module;


#endif /* _NGX_RTMP_ROUTE_RTMP_RELAY_H_INCLUDED_ */
