
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The only header of this module that other modules include: routes, picking
 * a server, sessions, waiting.  No function here blocks, and none holds a
 * lock after it has returned.
 */


#ifndef _NGX_RTMP_ROUTE_H_INCLUDED_
#define _NGX_RTMP_ROUTE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_key.h"


/* protocols: a server has a list of endpoints for each */

#define NGX_RTMP_ROUTE_RTMP          0
#define NGX_RTMP_ROUTE_RTMPS         1
#define NGX_RTMP_ROUTE_HTTP          2
#define NGX_RTMP_ROUTE_HTTPS         3
#define NGX_RTMP_ROUTE_API           4
#define NGX_RTMP_ROUTE_SRT           5
#define NGX_RTMP_ROUTE_RTC           6
#define NGX_RTMP_ROUTE_NPROTO        7
#define NGX_RTMP_ROUTE_NONE          NGX_RTMP_ROUTE_NPROTO

/* what a server is wanted for */

#define NGX_RTMP_ROUTE_PUBLISH       0
#define NGX_RTMP_ROUTE_PLAY          1
#define NGX_RTMP_ROUTE_FETCH         2

/* ... or a name stands for itself: in the API, in a registration */

#define NGX_RTMP_ROUTE_NAMED         3

/* preamble that a server expects in front of RTMP, 0 is "not set" */

#define NGX_RTMP_ROUTE_PP_OFF        1
#define NGX_RTMP_ROUTE_PP_V1         2
#define NGX_RTMP_ROUTE_PP_V2         3
#define NGX_RTMP_ROUTE_PP_SRS        4

#define NGX_RTMP_ROUTE_PREAMBLE      107   /* room for the longest one */

/* session states, in the order in which they are passed */

#define NGX_RTMP_ROUTE_S_CONNECT     0
#define NGX_RTMP_ROUTE_S_SETUP       1
#define NGX_RTMP_ROUTE_S_RELAY       2
#define NGX_RTMP_ROUTE_S_CLOSING     3

/* what a running session is told; the highest one first */

#define NGX_RTMP_ROUTE_E_LOST        1     /* its server is down, as the */
                                           /* health check has found */
#define NGX_RTMP_ROUTE_E_SILENT      2     /* to end, if it is silent: */
                                           /* somebody wants its stream */
#define NGX_RTMP_ROUTE_E_REPLACED    3     /* to end: the same, at once */
#define NGX_RTMP_ROUTE_E_KICKED      4     /* to end: the operator says so */

/* idle of ngx_rtmp_route_takeover() that only asks */

#define NGX_RTMP_ROUTE_TAKEOVER_ASK  ((ngx_msec_t) -1)

#define NGX_RTMP_ROUTE_ID_LEN        128   /* of a server */
#define NGX_RTMP_ROUTE_HOST_LEN      255
#define NGX_RTMP_ROUTE_KEY_LEN       1024  /* of a stream */
#define NGX_RTMP_ROUTE_MAX_TRIED     16
#define NGX_RTMP_ROUTE_MAX_WAKES     8     /* handlers of other modules */

/* context of directives inside rtmp_route NAME { }, for core modules */

#define NGX_RTMP_ROUTE_CONF          0x02000000


typedef struct ngx_rtmp_route_s        ngx_rtmp_route_t;
typedef struct ngx_rtmp_route_table_s  ngx_rtmp_route_table_t;


/* a server in the table; seq tells a reused index from the one meant */

typedef struct {
    uint32_t                 index;
    uint32_t                 seq;
} ngx_rtmp_route_ref_t;


typedef struct {
    ngx_rtmp_route_ref_t     server;
    ngx_uint_t               protocol;
    ngx_uint_t               endpoint;
} ngx_rtmp_route_tried_t;


/* a question to the table; zeroed and filled by the caller, who owns it */

typedef struct {
    ngx_str_t                key;          /* canonical, see route_key.h */
    ngx_uint_t               op;           /* NGX_RTMP_ROUTE_PUBLISH ... */
    ngx_uint_t               protocol;     /* wanted endpoint */
    ngx_uint_t               alternative;  /* taken if a server lacks it */
    unsigned                 count:1;      /* count it in the server's conns */
    unsigned                 lookup:1;     /* known streams only, no pick */
    unsigned                 peek:1;       /* asks, but takes no turn */
    unsigned                 late:1;       /* waits no longer */
    unsigned                 unsure:1;     /* set with NGX_BUSY: nobody can */
                                           /* tell where the stream is */
    unsigned                 full:1;       /* set with NGX_BUSY: for lack of */
                                           /* room, not of servers */
    unsigned                 search:1;     /* a try: it is not remembered */
    unsigned                 yields:1;     /* a publisher that goes where */
                                           /* others say: known, not live */
    unsigned                 only:1;       /* no other server than that: */
    ngx_rtmp_route_ref_t     server;
    ngx_array_t             *servers;      /* of ngx_str_t: none but these, */
                                           /* in this order; NULL: any */
    ngx_uint_t               ntried;
    ngx_rtmp_route_tried_t   tried[NGX_RTMP_ROUTE_MAX_TRIED];
} ngx_rtmp_route_query_t;


/* the answer: all in it is copied, nothing points to shared memory */

typedef struct {
    ngx_rtmp_route_ref_t     server;
    ngx_uint_t               protocol;
    ngx_uint_t               endpoint;
    ngx_uint_t               proxy_protocol;
    ngx_uint_t               source;       /* NGX_RTMP_ROUTE_FROM_* */
    uint32_t                 conn;         /* record that counts it, or 0 */
    uint32_t                 place;        /* not 0: tells it from others, */
                                           /* whatever id its name gives it */
    unsigned                 known:1;      /* the stream is in the table */
    unsigned                 guess:1;      /* it may as well be elsewhere */
    unsigned                 single:1;     /* no other server to try */
    unsigned                 last:1;       /* nothing left but this */
    ngx_sockaddr_t           sockaddr;
    socklen_t                socklen;
    ngx_str_t                name;         /* "10.0.0.11:1935" */
    ngx_str_t                id;
    ngx_str_t                host;         /* as configured, without port */
    u_char                   name_buf[NGX_SOCKADDR_STRLEN];
    u_char                   id_buf[NGX_RTMP_ROUTE_ID_LEN];
    u_char                   host_buf[NGX_RTMP_ROUTE_HOST_LEN];
} ngx_rtmp_route_peer_t;


/* what a session tells of itself; copied by ngx_rtmp_route_session_open() */

typedef struct {
    ngx_uint_t               type;         /* PUBLISH or PLAY */
    ngx_str_t                client;       /* "203.0.113.7:51234" */
    ngx_str_t                agent;        /* flashVer, at most 64 bytes kept */
} ngx_rtmp_route_session_info_t;


/* how many bytes there were at a time, ms; both wrap */

#define NGX_RTMP_ROUTE_SAMPLES       5

typedef struct {
    uint32_t                 time;
    uint32_t                 bytes;
} ngx_rtmp_route_sample_t;


/*
 * An open session; owned by the caller, zeroed before the first use.  While it
 * is watched (event is set) it must not be copied or moved.
 */

typedef struct ngx_rtmp_route_session_s  ngx_rtmp_route_session_t;

struct ngx_rtmp_route_session_s {
    ngx_rtmp_route_t        *route;
    uint32_t                 cell;         /* 0: not in the table */
    uint32_t                 number;
    ngx_atomic_t            *in;           /* bytes, added to without a lock; */
    ngx_atomic_t            *out;          /* never NULL once opened */
    ngx_atomic_t            *active;       /* ngx_current_msec at the last */
    ngx_uint_t               counted;      /* in the slot, and as what */
    ngx_queue_t              queue;
    ngx_rtmp_route_sample_t  samples[NGX_RTMP_ROUTE_SAMPLES];
    ngx_uint_t               sampled;      /* where the next one goes */
    void                   (*event)(ngx_rtmp_route_session_t *session,
                                    ngx_uint_t what);
};


/*
 * Somebody who waits for a stream or a server; owned by the caller until
 * the handler was called or the wait cancelled.  The handler is called from
 * the event loop, never from within ngx_rtmp_route_wait().
 */

typedef struct ngx_rtmp_route_wait_s  ngx_rtmp_route_wait_t;

struct ngx_rtmp_route_wait_s {
    ngx_queue_t              queue;
    ngx_rtmp_route_t        *route;
    void                    *data;
    void                   (*handler)(ngx_rtmp_route_wait_t *wait);
};


/* what a rule ("path") says of a name; empty: the name itself */

typedef struct {
    ngx_str_t                stream;       /* stands for it in the table, */
                                           /* "app/stream" */
    ngx_str_t                to;           /* what servers are asked for, */
                                           /* "/edge/cam1", decoded */
    ngx_array_t             *servers;      /* as that of a query */
    ngx_uint_t               rule;         /* its number from 1 on; 0: none */
    unsigned                 args:1;       /* arguments go on to the server */
} ngx_rtmp_route_mapped_t;


/* who asks for a key; texts are as they came and may be hostile */

typedef struct {
    ngx_str_t                key;          /* of the stream */
    ngx_str_t                token;        /* or empty */
    ngx_str_t                addr;         /* "203.0.113.7" */
} ngx_rtmp_route_viewer_t;


/*
 * The route of that name; created if it is not there yet, so that blocks may
 * stand in any order: a route which is never defined is refused after the
 * configuration was read.  Configuration time only.  NULL: out of memory.
 */
ngx_rtmp_route_t *ngx_rtmp_route_add(ngx_conf_t *cf, ngx_str_t *name);

/* the defined route of that name at run time, or NULL */
ngx_rtmp_route_t *ngx_rtmp_route_find(ngx_str_t *name);

/* the route whose block is being read: for directives of other modules */
ngx_rtmp_route_t *ngx_rtmp_route_current(ngx_conf_t *cf);

/* the name of a route, and the form of its keys */
ngx_str_t *ngx_rtmp_route_name(ngx_rtmp_route_t *route);
ngx_uint_t ngx_rtmp_route_key_form(ngx_rtmp_route_t *route);

/* after what time, in ms, it forgets a stream that is not used */
ngx_msec_t ngx_rtmp_route_inactive(ngx_rtmp_route_t *route);

/*
 * The key of a stream as it is looked up for that purpose.  NGX_OK; or
 * NGX_DECLINED: this is no stream, NGX_ERROR.  The key may be in the pool.
 */
ngx_int_t ngx_rtmp_route_stream_key(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_rtmp_route_name_t *name, ngx_uint_t op, ngx_str_t *key);

/*
 * What the first rule that matches says of "/app/stream", decoded, without
 * arguments.  NGX_OK; NGX_DECLINED: none does, mapped is as if a rule had said
 * nothing; NGX_ABORT: the name is to be refused like one that is invalid, after
 * a log line if need be; NGX_ERROR: no memory.  Texts are in the pool or the
 * configuration, servers are in the configuration.
 */
ngx_int_t ngx_rtmp_route_map(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *path, ngx_rtmp_route_mapped_t *mapped);

/* whether there are such rules at all */
ngx_uint_t ngx_rtmp_route_maps(ngx_rtmp_route_t *route);

/*
 * The path, decoded, by which servers know what is asked for by uri, which is
 * changed then, in memory of the pool.  NGX_OK; NGX_DECLINED: by the same;
 * NGX_ERROR.
 */
ngx_int_t ngx_rtmp_route_uri(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *uri);

/*
 * Whether the viewer may have a key of the stream: NGX_OK, also without a
 * control plane; NGX_DECLINED; NGX_AGAIN: ngx_rtmp_route_wait(), then ask
 * again; NGX_BUSY: nobody can tell.
 */
ngx_int_t ngx_rtmp_route_authorize(ngx_rtmp_route_t *route,
    ngx_rtmp_route_viewer_t *viewer);

/*
 * For a directive that makes no sense without a control plane: a route that
 * has none is refused when all has been read, and what is named as the reason
 */
void ngx_rtmp_route_need_control(ngx_rtmp_route_t *route, ngx_str_t *what);

/* whether there is no control plane, so that the table knows all there is */
ngx_uint_t ngx_rtmp_route_asks_nobody(ngx_rtmp_route_t *route);

/* lets the control plane read all anew; NGX_DECLINED: there is none */
ngx_int_t ngx_rtmp_route_refresh(ngx_rtmp_route_t *route);

/*
 * Whether somebody with that address (as text; empty, or no address: none)
 * may not publish or play the key.  NGX_OK: banned, for left more seconds;
 * NGX_DECLINED: not.  Without a lock if there are no bans.
 */
ngx_int_t ngx_rtmp_route_banned(ngx_rtmp_route_t *route, ngx_str_t *key,
    ngx_uint_t op, ngx_str_t *addr, time_t *left);

/*
 * Finds the server for a query.  NGX_OK: peer is filled and, with
 * query->count, counted until ngx_rtmp_route_free().  NGX_DECLINED: the
 * stream is unknown and refused (404).  NGX_BUSY: no live server (503), or
 * nobody can tell where the stream is.  NGX_AGAIN: unknown, and the route says
 * to wait, or somebody is asked (ngx_rtmp_route_wait()); with query->late it
 * is NGX_DECLINED or NGX_BUSY instead.
 * Takes and releases the zone's lock.
 */
ngx_int_t ngx_rtmp_route_pick(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer);

/*
 * Says how a connection to the peer of ngx_rtmp_route_pick() went: failed
 * counts towards max_fails, otherwise fails are forgiven.  Adds the peer to
 * query->tried if it failed, so that the next pick takes another one.
 */
void ngx_rtmp_route_report(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer,
    ngx_uint_t failed);

/*
 * Says that the peer has the stream, after servers that were asked before had
 * it not: it is remembered (source "found") unless somebody knows better.
 */
void ngx_rtmp_route_found(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer);

/* ends the counting of a peer that was picked with query->count */
void ngx_rtmp_route_free(ngx_rtmp_route_t *route, ngx_rtmp_route_peer_t *peer);

/*
 * Whether a server of the route is called so, by its name or address (lower
 * case, no brackets), and has that port for HTTP or HTTPS.  Looks at each.
 */
ngx_uint_t ngx_rtmp_route_is_server(ngx_rtmp_route_t *route, ngx_str_t *host,
    in_port_t port);

/*
 * Picks a server and opens a session on it, in one step.  Returns as
 * ngx_rtmp_route_pick() does; the session exists after NGX_OK only.  When
 * the zone is full the session goes on uncounted (session->cell is 0).
 */
ngx_int_t ngx_rtmp_route_session_open(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_session_info_t *info,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_peer_t *peer);

/*
 * Moves an open session to another server than those in query->tried.
 * NGX_OK, or NGX_BUSY if there is none: the session then stays where it is.
 */
ngx_int_t ngx_rtmp_route_session_next(ngx_rtmp_route_session_t *session,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer);

/*
 * NGX_RTMP_ROUTE_S_*; S_RELAY makes a published stream a live one, S_CLOSING
 * ends that, and gives back its place, as does S_CONNECT: it has left its
 * server, and may be moved to another one
 */
void ngx_rtmp_route_session_state(ngx_rtmp_route_session_t *session,
    ngx_uint_t state);

/*
 * From now on an open session is told what happens to it, until it ends: event
 * is called from the event loop of this process, whichever process said it,
 * and may close the session.  E_LOST can come again for the same server.
 * Harmless for a session that is not in the table: it is told nothing.
 */
void ngx_rtmp_route_session_watch(ngx_rtmp_route_session_t *session,
    void (*event)(ngx_rtmp_route_session_t *session, ngx_uint_t what));

/*
 * The answer to E_SILENT of a session that is not silent, but was not read for
 * some time: it stays, and those who wait for its end look again.
 */
void ngx_rtmp_route_session_stay(ngx_rtmp_route_session_t *session);

/*
 * Makes room for a publisher: whoever publishes the stream is told to end, at
 * once with idle 0, otherwise if it was silent for that time, in ms.
 * NGX_DECLINED: nobody publishes it; NGX_DONE: the same, but somebody did whose
 * process is gone; NGX_BUSY: somebody does, and stays (with idle TAKEOVER_ASK
 * nobody is told anything); NGX_AGAIN: it was told, so ngx_rtmp_route_wait(),
 * with a timer of one's own, and ask again.
 * Takes and releases the zone's lock.
 */
ngx_int_t ngx_rtmp_route_takeover(ngx_rtmp_route_t *route, ngx_str_t *key,
    ngx_msec_t idle);

/*
 * What a server expects in front of RTMP, written to a buffer: where a client
 * comes from, and where it came to, or NULL.  Returns its end; NULL: no room.
 */
u_char *ngx_rtmp_route_preamble(struct sockaddr *client,
    struct sockaddr *local, ngx_uint_t type, u_char *buf, u_char *last);

/* ends a session; harmless if it was never opened or is closed already */
void ngx_rtmp_route_session_close(ngx_rtmp_route_session_t *session);

/*
 * Calls wait->handler, in this worker, after the next change that may let a
 * pick succeed (a stream or a server appears in the route, in whatever
 * worker), or after a second, in the order of these calls.  The caller sets
 * route, handler and data, keeps a timer of its own, picks again and if need
 * be waits again.  The time limit that the route's configuration names is
 * ngx_rtmp_route_wait_time(), in ms.
 */
void ngx_rtmp_route_wait(ngx_rtmp_route_wait_t *wait);
void ngx_rtmp_route_wait_cancel(ngx_rtmp_route_wait_t *wait);
ngx_msec_t ngx_rtmp_route_wait_time(ngx_rtmp_route_t *route);

/* one client more, or less (add -1), of those who wait for a server */
void ngx_rtmp_route_queued(ngx_rtmp_route_t *route, ngx_int_t add);

/*
 * Whether the operator has told the whole nginx to take no new publishers, in
 * whatever worker; who waits is woken when that changes.  Needs no lock.
 */
ngx_uint_t ngx_rtmp_route_draining(void);

/*
 * For modules that wait for other workers in zones of their own.  The handler
 * is called from the event loop of each worker whenever its slot was woken,
 * for whatever reason (ngx_rtmp_route_slot.h); wakes may come in one.  To be
 * called for each configuration anew, while it is read or from init_module;
 * twice for the same handler is as good as once.  There are slots then even
 * if no route is defined.  NGX_ERROR after one log line.
 */
ngx_int_t ngx_rtmp_route_on_wake(void (*handler)(void));

/*
 * Makes the slots if they are not there yet: for a zone's init, whose layout
 * depends on ngx_rtmp_route_slots().  In the master, before the first fork.
 */
ngx_int_t ngx_rtmp_route_slots_init(ngx_cycle_t *cycle);


extern ngx_module_t  ngx_rtmp_route_module;


/*
 * What is counted for operators, see ngx_rtmp_route_metrics.h; in any process,
 * without a lock.  route may be NULL: it is not known.
 */

/* a session has ended; reason is a number of the following names */
void ngx_rtmp_route_count_end(ngx_rtmp_route_t *route, ngx_uint_t reason);

/* ... or passes media from now on, so many ms after it was accepted */
void ngx_rtmp_route_count_setup(ngx_rtmp_route_t *route, ngx_msec_t time);

/*
 * While the configuration is read: names of n reasons, which live as long as
 * it does; the first one, 0, is for a process that has died.
 */
void ngx_rtmp_route_reasons(ngx_conf_t *cf, ngx_str_t *(*name)(ngx_uint_t n),
    ngx_uint_t n);


#endif /* _NGX_RTMP_ROUTE_H_INCLUDED_ */
