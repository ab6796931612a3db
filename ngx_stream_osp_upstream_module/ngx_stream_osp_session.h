
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * An RTMP session: set-up between client and origin, then relay.  What only
 * the set-up needs is in a pool of its own, which the relay does not have.
 */


#ifndef _NGX_STREAM_OSP_SESSION_H_INCLUDED_
#define _NGX_STREAM_OSP_SESSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_stream.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"
#include "ngx_osp_rtmp_chunk.h"
#include "ngx_osp_rtmp_command.h"
#include "ngx_osp_rtmp_handshake.h"
#include "ngx_stream_osp_limit_zone.h"


/* why a session ends: $rtmp_reason, see ngx_stream_osp_reason.c */

#define NGX_STREAM_OSP_NONE                   0
#define NGX_STREAM_OSP_OK                     1
#define NGX_STREAM_OSP_CLIENT_CLOSED          2
#define NGX_STREAM_OSP_ORIGIN_CLOSED          3
#define NGX_STREAM_OSP_REFUSED                4
#define NGX_STREAM_OSP_NO_SERVER              5
#define NGX_STREAM_OSP_CONNECT_FAILED         6
#define NGX_STREAM_OSP_HANDSHAKE_TIMEOUT      7
#define NGX_STREAM_OSP_PROTOCOL_ERROR         8
#define NGX_STREAM_OSP_LIMIT                  9
#define NGX_STREAM_OSP_KICKED                 10
#define NGX_STREAM_OSP_REPLACED               11
#define NGX_STREAM_OSP_SHUTDOWN               12
#define NGX_STREAM_OSP_TIMEOUT                13
#define NGX_STREAM_OSP_INTERNAL_ERROR         14
#define NGX_STREAM_OSP_CLIENT_TIMEOUT         15
#define NGX_STREAM_OSP_ORIGIN_TIMEOUT         16
#define NGX_STREAM_OSP_ORIGIN_PROTOCOL_ERROR  17
#define NGX_STREAM_OSP_REFUSED_NAME           18
#define NGX_STREAM_OSP_REFUSED_UNKNOWN        19
#define NGX_STREAM_OSP_REFUSED_STREAM         20
#define NGX_STREAM_OSP_NO_ANSWER              21
#define NGX_STREAM_OSP_NO_ROUTE               22
#define NGX_STREAM_OSP_MOVE_FAILED            23
#define NGX_STREAM_OSP_LIMIT_SETUP            24
#define NGX_STREAM_OSP_LIMIT_SERVER           25
#define NGX_STREAM_OSP_BANNED                 26
#define NGX_STREAM_OSP_DRAINING               27

/* flows */

#define NGX_STREAM_OSP_UP                 0       /* client to origin */
#define NGX_STREAM_OSP_DOWN               1

/* room in front of C0 for the longest preamble */

#define NGX_STREAM_OSP_PREAMBLE_MAX       128

/* to send what is left, and to wait for the end of the other side; ms */

#define NGX_STREAM_OSP_CLOSE_TIME         5000
#define NGX_STREAM_OSP_LINGER_TIME        2000

/* the same when this process has to end */

#define NGX_STREAM_OSP_EXIT_TIME          500

/*
 * What a client may send before publish or play; a session in set-up must
 * not need more than 64 kilobytes, whatever the two sides send.
 */

#define NGX_STREAM_OSP_RAW_INITIAL        16384
#define NGX_STREAM_OSP_RAW_MAX            20480
#define NGX_STREAM_OSP_MAX_COMMANDS       128
#define NGX_STREAM_OSP_MAX_COMMAND_LEN    8192

/* what the relay keeps of a client's bytes: a command that is not whole */

#define NGX_STREAM_OSP_HOLD_MAX           16384

/* a description in a status of ours */

#define NGX_STREAM_OSP_TELL_MAX           1024

/* servers that accept a player and send nothing, which is remembered */

#define NGX_STREAM_OSP_SILENT             3

/* our answers that a client has not read yet */

#define NGX_STREAM_OSP_OUT_MAX            8192


typedef struct ngx_stream_osp_session_s  ngx_stream_osp_session_t;
typedef struct ngx_stream_osp_setup_s    ngx_stream_osp_setup_t;
typedef struct ngx_stream_osp_filter_s   ngx_stream_osp_filter_t;
typedef struct ngx_stream_osp_scan_s     ngx_stream_osp_scan_t;
typedef struct ngx_stream_osp_search_s   ngx_stream_osp_search_t;
typedef struct ngx_stream_osp_quiet_s    ngx_stream_osp_quiet_t;
typedef struct ngx_stream_osp_limit_s    ngx_stream_osp_limit_t;
typedef struct ngx_stream_osp_rate_s     ngx_stream_osp_rate_t;
typedef struct ngx_stream_osp_move_s     ngx_stream_osp_move_t;
typedef struct ngx_stream_osp_resume_s   ngx_stream_osp_resume_t;
typedef struct ngx_stream_osp_no_input_s ngx_stream_osp_no_input_t;
typedef struct ngx_stream_osp_path_s     ngx_stream_osp_path_t;


typedef struct {
    ngx_addr_t                      *addr;
    ngx_stream_complex_value_t      *value;
#if (NGX_HAVE_TRANSPARENT_PROXY)
    ngx_uint_t                       transparent;
#endif
} ngx_stream_osp_local_t;


typedef struct {
    ngx_uint_t                       limits;     /* there are some */
    size_t                           limit_size;
    ngx_cycle_t                     *cycle;
    ngx_shm_zone_t                  *limit_shm;
    ngx_stream_osp_limit_zone_t      limit_zone;
} ngx_stream_osp_main_conf_t;


typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_stream_complex_value_t      *route_value;

    ngx_array_t                     *limits;     /* NULL: none */
    ngx_uint_t                       limit_log_level;
    ngx_flag_t                       limit_dry_run;
    ngx_stream_complex_value_t      *upload_rate;    /* NULL: no limit */
    ngx_stream_complex_value_t      *download_rate;

    ngx_msec_t                       connect_timeout;
    ngx_msec_t                       handshake_timeout;
    ngx_msec_t                       timeout;
    ngx_flag_t                       next_upstream;
    ngx_uint_t                       next_upstream_tries;
    ngx_uint_t                       proxy_protocol;
    ngx_flag_t                       takeover;
    ngx_msec_t                       takeover_idle;  /* 0: at once */
    ngx_flag_t                       resume;
    ngx_msec_t                       resume_timeout;
    size_t                           resume_buffer;
    ngx_msec_t                       no_input;   /* 0: off */
    ngx_msec_t                       queue;      /* 0: off */
    ngx_uint_t                       queue_max;
    ngx_uint_t                       queued;     /* now, of this process */
    size_t                           buffer_size;
    ngx_stream_osp_local_t          *local;
    ngx_flag_t                       socket_keepalive;

#if (NGX_SSL)
    ngx_flag_t                       ssl_enable;
    ngx_flag_t                       ssl_session_reuse;
    ngx_uint_t                       ssl_protocols;
    ngx_str_t                        ssl_ciphers;
    ngx_stream_complex_value_t      *ssl_name;
    ngx_flag_t                       ssl_server_name;
    ngx_flag_t                       ssl_verify;
    ngx_uint_t                       ssl_verify_depth;
    ngx_str_t                        ssl_trusted_certificate;
    ngx_str_t                        ssl_crl;
    ngx_str_t                        ssl_certificate;
    ngx_str_t                        ssl_certificate_key;
    ngx_array_t                     *ssl_conf_commands;

    ngx_ssl_t                       *ssl;
#endif
} ngx_stream_osp_srv_conf_t;


typedef struct {
    u_char                          *start;
    u_char                          *pos;
    u_char                          *last;
    u_char                          *end;
} ngx_stream_osp_buf_t;


/*
 * One direction of the relay.  The buffer exists only while the receiver is
 * blocked.
 */

typedef struct {
    ngx_stream_osp_buf_t             buf;
    ngx_stream_osp_filter_t         *filter;     /* NULL: plain bytes */
    ngx_atomic_t                    *count;      /* of the table, or dummy */
    ngx_stream_osp_rate_t           *rate;       /* NULL: no limit */
    unsigned                         eof:1;      /* the sender has ended */
    unsigned                         shut:1;     /* the receiver knows it */
    unsigned                         dead:1;     /* the receiver is gone */
    unsigned                         slow:1;     /* it was blocked */
} ngx_stream_osp_flow_t;


typedef struct {
    uint32_t                         csid;
    ngx_uint_t                       fmt;        /* of its last message */
} ngx_stream_osp_dirty_t;


struct ngx_stream_osp_filter_s {
    ngx_osp_rtmp_reader_t           *reader;
    ngx_osp_rtmp_track_t            *track;      /* NULL: nothing left out */

    /* message stream ids, if the two sides differ */
    uint32_t                         from;
    uint32_t                         to;

    /*
     * chunk streams on which the receiver's last header is not that of the
     * sender, so that its next header may have to be written anew
     */
    ngx_uint_t                       ndirty;
    ngx_stream_osp_dirty_t           dirty[NGX_OSP_RTMP_MAX_STREAMS];

    /* a header that was cut by the end of the buffer */
    size_t                           held;
    u_char                           hold[NGX_OSP_RTMP_HEADER_MAX];
};


/* what a client has said: the stream of the session in the table */

typedef struct {
    ngx_uint_t                       op;
    ngx_str_t                        app;
    ngx_str_t                        stream;
    ngx_str_t                        vhost;
    u_char                           hash[16];
    unsigned                         set:1;
    unsigned                         hashed:1;
} ngx_stream_osp_name_t;


/* why a client may not have what it has named */

typedef struct {
    ngx_uint_t                       status;
    ngx_uint_t                       reason;
    const char                      *code;
    ngx_str_t                        text;
    u_char                           buf[64];    /* for a text, if need be */
} ngx_stream_osp_bar_t;


/* what the rules of a route say of a name; texts are in a pool of the caller */

typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_str_t                        client;     /* canonical, the app that */
                                                 /* the client has said */
    ngx_str_t                        app;        /* the one for the server */
    ngx_str_t                        to;         /* with the stream, or empty */
    ngx_str_t                        stream;     /* as it is said to the */
                                                 /* server, data may be NULL */
    ngx_str_t                        path;       /* the client's, canonical */
    unsigned                         args:1;
} ngx_stream_osp_mapped_t;


/* while it is not known where another stream is; the client is not read */

typedef struct {
    ngx_rtmp_route_wait_t            wait;
    ngx_event_t                      timer;
    ngx_msec_t                       start;
    unsigned                         set:1;
} ngx_stream_osp_scan_wait_t;


/*
 * What a client says behind it.  Each relay has one, so it is small; app and
 * tcUrl follow.
 */

struct ngx_stream_osp_scan_s {
    ngx_osp_rtmp_reader_t           *reader;     /* at the start of hold */
    u_char                          *hold;       /* what may not pass yet */
    ngx_pool_cleanup_t              *names;      /* of another stream */
    ngx_stream_osp_scan_wait_t      *wait;       /* NULL: for nothing */
    uint32_t                         held;
    uint32_t                         msid;       /* of the stream */
    uint32_t                         chunk_size; /* the client expects */
    unsigned                         nstreams:30;
    unsigned                         played:1;   /* something was */
    unsigned                         beside:1;   /* there may be others */
    u_short                          app_len;
    u_short                          tc_url_len;
};


/*
 * What moves a running session to another server.  While it does, os->moving
 * is set, os->setup is that of the next server, and os->origin the connection
 * to it, or NULL.  The client's handlers are those of the relay, which reads
 * it and drops what it says (unless its session is one with resume), and sends
 * what is in flow[DOWN].buf.
 */

typedef struct {

    /* of the new server, has read all that is in front of pos */
    ngx_osp_rtmp_reader_t           *reader;
    u_char                          *pos;
    u_char                          *last;

    uint32_t                         msid;       /* its stream; ours is 1 */
} ngx_stream_osp_moved_t;

/*
 * The end of a move: os->origin is a server that has accepted what the client
 * publishes or plays, all that it said so far was left out, the session is
 * S_RELAY in the table.  The handler takes what it needs of moved, then calls
 * ngx_stream_osp_moved(), and after that, as the last thing,
 * ngx_stream_osp_relay_again(), or ends the session.
 */
typedef void (*ngx_stream_osp_move_pt)(ngx_stream_osp_session_t *os,
    ngx_stream_osp_moved_t *moved);


struct ngx_stream_osp_session_s {
    ngx_stream_session_t            *session;
    ngx_stream_osp_srv_conf_t       *conf;

    ngx_pool_t                      *pool;       /* of the set-up */
    ngx_stream_osp_setup_t          *setup;      /* NULL: relay */

    ngx_connection_t                *origin;
    ngx_stream_osp_flow_t            flow[2];
    ngx_rtmp_route_session_t         rs;

    ngx_msec_t                       activity;   /* last bytes, either way */
    ngx_msec_t                       start;      /* of this upstream */
    off_t                            received;   /* from it */
    ngx_stream_upstream_state_t     *state;
    ngx_str_t                       *upstream;   /* its address */

    ngx_stream_osp_scan_t           *scan;       /* NULL: no stream yet */
    ngx_stream_osp_move_t           *move;       /* NULL: it stays here */
    ngx_stream_osp_resume_t         *resume;
    ngx_stream_osp_no_input_t       *no_input;   /* NULL: off */
    ngx_stream_osp_quiet_t          *quiet;      /* to be told then */
    ngx_stream_osp_path_t           *path;       /* NULL: no rules */
    ngx_stream_osp_limit_t          *limit;      /* NULL: not counted */
    ngx_stream_osp_name_t            name;
    ngx_str_t                        agent;
    ngx_str_t                        server;

    unsigned                         reconnects:1;   /* if asked to */
    unsigned                         told:1;     /* that it has to end */
    unsigned                         exiting:1;  /* with this process */
    unsigned                         between:1;  /* two messages down */
    unsigned                         ended:1;    /* the client said so */
    unsigned                         counted:1;  /* its end */
    unsigned                         closing:1;
    unsigned                         moving:1;   /* to another server */
    unsigned                         paused:1;   /* the player wants it */
    unsigned                         kept:1;     /* keepalive is on */
    unsigned                         reason:6;
    unsigned                         status:10;
};


/* a command that was answered here: the origin's answer is dropped */

typedef struct {
    double                           tid;
    ngx_osp_rtmp_name_e              name;
    ngx_uint_t                       done;
} ngx_stream_osp_answer_t;


typedef enum {
    ngx_stream_osp_handshake = 0,
    ngx_stream_osp_commands,
    ngx_stream_osp_waiting,                      /* for a server */
    ngx_stream_osp_connecting,
    ngx_stream_osp_origin_handshake,
    ngx_stream_osp_replies,                      /* of the origin */
    ngx_stream_osp_searching,                    /* others do it */
    ngx_stream_osp_retrying                      /* the same server */
} ngx_stream_osp_phase_e;


/*
 * raw holds all that the client has sent, C0 to publish, behind room for a
 * preamble: it is what the origin gets, so it can be sent again to another
 * server.  What is behind raw.pos waits for the relay.  Offsets are from
 * raw.start.
 */

struct ngx_stream_osp_setup_s {
    ngx_stream_osp_phase_e           phase;
    ngx_stream_osp_buf_t             raw;

    /* client */
    ngx_osp_rtmp_handshake_t         hs;
    ngx_osp_rtmp_reader_t           *reader;
    ngx_osp_rtmp_asm_t               assembly;
    ngx_osp_rtmp_track_t            *track;
    size_t                           chunk_size; /* the client expects */
    size_t                           connect_end;
    size_t                           create_end;
    size_t                           stream_end; /* of publish or play */
    ngx_array_t                      answers;    /* ngx_stream_osp_answer_t */
    ngx_str_t                        app;
    ngx_str_t                        tc_url;
    double                           connect_tid;
    double                           stream_tid; /* of publish or play */

    /* route */
    ngx_rtmp_route_t                *route;
    ngx_rtmp_route_query_t           query;
    ngx_rtmp_route_peer_t            peer;
    ngx_rtmp_route_wait_t            wait;
    ngx_msec_t                       wait_start;

    /* origin */
    ngx_peer_connection_t            pc;
    ngx_osp_rtmp_handshake_t         ohs;
    ngx_osp_rtmp_asm_t               replies;
    ngx_uint_t                       nreplies;
    ngx_stream_osp_filter_t          filter;
    ngx_stream_osp_filter_t          up;         /* used if ids differ */
    ngx_str_t                        ssl_name;
    ngx_uint_t                       tries;
    size_t                           sent;
    size_t                           send_end;
    ngx_osp_rtmp_message_t           on_fc_publish;

    /* a search of a stream to be played */
    ngx_uint_t                       missing;    /* so many had it not */
    ngx_str_t                        refusal_code;   /* of the first one */
    ngx_str_t                        refusal;
    ngx_stream_osp_search_t         *search;     /* as leader, or waiting */
    ngx_queue_t                      search_queue;
    ngx_event_t                      search_event;

    /* a publisher whose place was not free */
    ngx_msec_t                       takeover_start; /* or its end */
    ngx_uint_t                       retries;

    unsigned                         taking:1;   /* who is there was told */
    unsigned                         taken:1;    /* it has gone */

    unsigned                         unclear:1;  /* another client may do */
    unsigned                         nowhere:1;  /* others have found out */
    unsigned                         begun:1;    /* StreamBegin, or media */

    unsigned                         connect:1;  /* the client has sent it */
    unsigned                         created:1;  /* our last on C3 says so */
    unsigned                         wait_set:1;
    unsigned                         queued:1;   /* counted as such */
    unsigned                         placed:1;   /* in the queue */
    unsigned                         alone:1;    /* there was no server */
    unsigned                         step:1;     /* one command at a time */
    unsigned                         accepted:1; /* connect was answered */
    unsigned                         done:1;     /* publish or play was */
};


/*
 * The commands from connect to publish or play, in whole messages of fmt 0 and
 * chunks of 128 bytes; data follows in memory of its own.
 */

struct ngx_stream_osp_move_s {
    u_char                          *raw;
    size_t                           len;
    size_t                           connect_end;
    size_t                           create_end;
    double                           stream_tid;
    ngx_uint_t                       nanswers;
    ngx_stream_osp_answer_t         *answers;

    ngx_rtmp_route_t                *route;
    ngx_str_t                        key;
    ngx_array_t                     *servers;    /* as that of a query */
    ngx_uint_t                       protocol;
    ngx_uint_t                       alternative;
    ngx_rtmp_route_tried_t           server;     /* where it is */
    ngx_rtmp_route_tried_t           left;       /* where it was */
    ngx_rtmp_route_tried_t           silent[NGX_STREAM_OSP_SILENT];
    ngx_uint_t                       nsilent;    /* not to be asked again */

    ngx_stream_osp_move_pt           handler;
    ngx_event_t                      event;      /* of the next round */
    ngx_msec_t                       deadline;
    ngx_uint_t                       round;

    ngx_msec_t                       first;      /* of the last moves */
    ngx_uint_t                       moves;

    ngx_str_t                        text;       /* of the last refusal */
    u_char                           text_buf[128];
};


/* what a worker remembers of a server */

typedef struct {
    ngx_stream_osp_srv_conf_t       *conf;
    time_t                           expires;
#if (NGX_SSL)
    ngx_ssl_session_t               *ssl_session;
#endif
    unsigned                         step:1;
    unsigned                         known:1;    /* which of the two it takes */
    u_char                           len;
    u_char                           name[NGX_SOCKADDR_STRLEN];
} ngx_stream_osp_peer_t;


/* ngx_stream_osp_session.c */

void ngx_stream_osp_handler(ngx_stream_session_t *s);
void ngx_stream_osp_open(ngx_stream_osp_session_t *os);
void ngx_stream_osp_refuse_full(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_open_session(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_session_t *rs, ngx_rtmp_route_peer_t *peer);
void ngx_stream_osp_refuse(ngx_stream_osp_session_t *os, ngx_uint_t status,
    ngx_uint_t reason, const char *code, ngx_str_t *description);
void ngx_stream_osp_refuse_text(ngx_stream_osp_session_t *os,
    ngx_uint_t status, ngx_uint_t reason, const char *code,
    const char *description);
void ngx_stream_osp_leave(ngx_stream_osp_session_t *os);
void ngx_stream_osp_setup_done(ngx_stream_osp_session_t *os);
void ngx_stream_osp_finalize(ngx_stream_osp_session_t *os, ngx_uint_t status,
    ngx_uint_t reason);

/* the sender of that direction makes no sense: ends it, NGX_DONE */
ngx_int_t ngx_stream_osp_invalid(ngx_stream_osp_session_t *os,
    ngx_uint_t dir);
ngx_int_t ngx_stream_osp_watch(ngx_stream_osp_session_t *os);

/* until the route has changed, ms at most; or the session has ended here */
void ngx_stream_osp_wait(ngx_stream_osp_session_t *os, ngx_msec_t time,
    void (*handler)(ngx_rtmp_route_wait_t *wait));

ngx_int_t ngx_stream_osp_socket(ngx_connection_t *c);
void ngx_stream_osp_keepalive(ngx_connection_t *c, ngx_uint_t keepalive);
ngx_int_t ngx_stream_osp_flush(ngx_stream_osp_session_t *os);

ngx_int_t ngx_stream_osp_buf_reserve(ngx_stream_osp_buf_t *b, size_t size,
    ngx_log_t *log);
void ngx_stream_osp_buf_free(ngx_stream_osp_buf_t *b);

/* ngx_stream_osp_client.c */

void ngx_stream_osp_client_start(ngx_stream_osp_session_t *os);
void ngx_stream_osp_client_read(ngx_event_t *rev);
void ngx_stream_osp_client_write(ngx_event_t *wev);
ngx_int_t ngx_stream_osp_client_out(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_out_t *out, size_t size);
void ngx_stream_osp_client_status(ngx_stream_osp_session_t *os,
    const char *code, ngx_str_t *description);

/* ngx_stream_osp_name.c */

ngx_int_t ngx_stream_osp_name_query(ngx_stream_osp_session_t *os,
    ngx_str_t *tc_url, ngx_str_t *app, ngx_osp_rtmp_command_t *cmd,
    ngx_pool_t *names, ngx_pool_t *pool, ngx_rtmp_route_t **route,
    ngx_rtmp_route_query_t *query, ngx_stream_osp_mapped_t *mapped);
ngx_int_t ngx_stream_osp_name_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src, size_t max);

/* ngx_stream_osp_path.c */

/*
 * Asks the rules about a name, whose text is the last part of it as received,
 * and sets what the query and the key of it need: name is that of the table
 * then.  NGX_OK; NGX_DECLINED: it is refused; NGX_ERROR.
 */
ngx_int_t ngx_stream_osp_path_map(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *text, ngx_rtmp_route_name_t *name,
    ngx_rtmp_route_query_t *query, ngx_stream_osp_mapped_t *mapped);

/*
 * The client has named its stream: what it has sent so far gets the names
 * that the server knows.  NGX_OK; NGX_DECLINED: that is too long; NGX_ABORT:
 * it is invalid; NGX_ERROR.
 */
ngx_int_t ngx_stream_osp_path_setup(ngx_stream_osp_session_t *os,
    ngx_stream_osp_mapped_t *mapped);

/* another stream: NGX_OK; NGX_ABORT: it has another app there; NGX_ERROR */
ngx_int_t ngx_stream_osp_path_stream(ngx_stream_osp_session_t *os,
    ngx_stream_osp_mapped_t *mapped);

/*
 * To be called in front of each command of the relay, as these cost more than
 * a client has to do for them.  1: it is to be looked at in the next turn,
 * with what is behind it; _rests(): that has not come yet.
 */
ngx_uint_t ngx_stream_osp_path_rest(ngx_stream_osp_session_t *os);
ngx_uint_t ngx_stream_osp_path_rests(ngx_stream_osp_session_t *os);

/*
 * A command of the relay, whose chunks are in [pos, last), behind what the
 * reader has read.  NGX_OK: it goes to the server as told by
 * ngx_stream_osp_path_instead(); NGX_DECLINED: as it is; NGX_ABORT: it would
 * be too long; NGX_ERROR.
 */
ngx_int_t ngx_stream_osp_path_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, ngx_osp_rtmp_reader_t *reader, u_char *pos,
    u_char *last);

/* what goes in place of [*pos, *last); to be freed by the caller, or NULL */
u_char *ngx_stream_osp_path_instead(ngx_stream_osp_session_t *os,
    u_char **pos, u_char **last);

/* of what servers are asked for: others may ask for the same key otherwise */
uint32_t ngx_stream_osp_path_hash(ngx_stream_osp_session_t *os);

void ngx_stream_osp_path_free(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_admit.c */

/*
 * Once the client has named its stream, and again whenever it has waited; no
 * other session was touched before.  NGX_OK, or NGX_ERROR: it was refused.
 */
ngx_int_t ngx_stream_osp_admit(ngx_stream_osp_session_t *os);

/*
 * What holds for another stream of a connection, too.  1: bar says how it is
 * to be refused, a log line has said why.
 */
ngx_uint_t ngx_stream_osp_barred(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_stream_osp_bar_t *bar);

/* ngx_stream_osp_queue.c */

/*
 * The table has answered NGX_AGAIN, NGX_BUSY for want of servers or room, or
 * NGX_DECLINED though nobody was asked about the name.  NGX_OK: the client
 * waits, and ngx_stream_osp_open() is called again, or it is gone;
 * NGX_DECLINED: it has to hear of it.
 */
ngx_int_t ngx_stream_osp_queue(ngx_stream_osp_session_t *os, ngx_int_t rc);

/* it has got a place, or has ended */
void ngx_stream_osp_queue_leave(ngx_stream_osp_session_t *os);

/*
 * For how many ms more one may wait who has for passed, with that answer, and
 * who was alone if there was no server at first; 0: no longer
 */
ngx_msec_t ngx_stream_osp_queue_left(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_int_t rc, ngx_uint_t alone,
    ngx_msec_t passed);

/* ngx_stream_osp_origin.c */

void ngx_stream_osp_connect(ngx_stream_osp_session_t *os);
void ngx_stream_osp_next(ngx_stream_osp_session_t *os);
void ngx_stream_osp_origin_ready(ngx_stream_osp_session_t *os);
void ngx_stream_osp_origin_close(ngx_stream_osp_session_t *os);
void ngx_stream_osp_origin_write(ngx_event_t *wev);
void ngx_stream_osp_origin_read(ngx_event_t *rev);
ngx_int_t ngx_stream_osp_origin_send(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_filter.c */

ngx_int_t ngx_stream_osp_filter_init(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_filter_replies(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last);
ngx_int_t ngx_stream_osp_filter_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_message_t *msg);
ngx_int_t ngx_stream_osp_filter_invalid(ngx_stream_osp_session_t *os,
    const char *text);
ngx_int_t ngx_stream_osp_filter_relay(ngx_stream_osp_filter_t *f,
    u_char **pos, u_char *last, ngx_stream_osp_buf_t *out, ngx_log_t *log);
ngx_int_t ngx_stream_osp_filter_map(ngx_stream_osp_filter_t *f, u_char *pos,
    u_char *last);
ngx_int_t ngx_stream_osp_filter_item(ngx_stream_osp_filter_t *f,
    ngx_osp_rtmp_item_t *item, ngx_stream_osp_buf_t *out, ngx_log_t *log);
void ngx_stream_osp_filter_hold(ngx_stream_osp_filter_t *f, u_char **pos,
    u_char *last);
size_t ngx_stream_osp_filter_unhold(ngx_stream_osp_filter_t *f, u_char *p);
ngx_uint_t ngx_stream_osp_filter_needed(ngx_stream_osp_filter_t *f);

/* ngx_stream_osp_scan.c */

ngx_int_t ngx_stream_osp_scan_init(ngx_stream_osp_session_t *os,
    uint32_t msid);
ngx_int_t ngx_stream_osp_scan_start(ngx_stream_osp_session_t *os);
size_t ngx_stream_osp_scan_unhold(ngx_stream_osp_session_t *os, u_char *p);
void ngx_stream_osp_scan_end(ngx_stream_osp_session_t *os);
void ngx_stream_osp_scan_leave(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_scan(ngx_stream_osp_session_t *os, u_char *pos,
    u_char **last);
void ngx_stream_osp_scan_free(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_scan_stream.c */

/* NGX_OK; NGX_AGAIN: once it is known where it is; NGX_DONE */
ngx_int_t ngx_stream_osp_scan_stream(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, uint32_t msid);
ngx_uint_t ngx_stream_osp_scan_waits(ngx_stream_osp_session_t *os);
void ngx_stream_osp_scan_wait_free(ngx_stream_osp_scan_t *scan);

/* ends it for want of memory: NGX_DONE */
ngx_int_t ngx_stream_osp_scan_failed(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_redirect.c */

ngx_int_t ngx_stream_osp_redirect(ngx_stream_osp_session_t *os,
    ngx_str_t *url);

/* ngx_stream_osp_limit.c */

char *ngx_stream_osp_limit_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_stream_osp_limit_init_conf(ngx_conf_t *cf,
    ngx_stream_osp_main_conf_t *omcf);

/*
 * Counts the session, once, as soon as it has named its stream.  NGX_OK, or
 * NGX_ERROR: it was refused.  A publisher whose old session may be in its way
 * is not counted before _settle(), after the takeover, which returns the same.
 */
ngx_int_t ngx_stream_osp_limit_conn(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_limit_settle(ngx_stream_osp_session_t *os);

/*
 * The client has named another stream, os->name, beside what it has or instead
 * of it.  NGX_OK; NGX_DONE: bar says how it is to be refused; NGX_ABORT: the
 * connection has too many; NGX_ERROR: no memory.
 */
ngx_int_t ngx_stream_osp_limit_stream(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_uint_t replace, ngx_stream_osp_bar_t *bar);

/* the end of the session is known: others may have its places */
void ngx_stream_osp_limit_free(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_takeover.c */

ngx_int_t ngx_stream_osp_takeover(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_takeover_retry(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info);

/* ngx_stream_osp_tell.c */

void ngx_stream_osp_event(ngx_rtmp_route_session_t *rs, ngx_uint_t what);
void ngx_stream_osp_shutdown(ngx_stream_osp_session_t *os);
void ngx_stream_osp_tell(ngx_stream_osp_session_t *os, uint32_t msid,
    const char *level, const char *code, ngx_str_t *description);
void ngx_stream_osp_quiet_free(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_search.c */

ngx_int_t ngx_stream_osp_search(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info);
ngx_uint_t ngx_stream_osp_search_missing(ngx_osp_rtmp_info_t *info);
void ngx_stream_osp_search_timeout(ngx_stream_osp_session_t *os);
void ngx_stream_osp_search_done(ngx_stream_osp_session_t *os);
void ngx_stream_osp_search_failed(ngx_stream_osp_session_t *os);
void ngx_stream_osp_search_leave(ngx_stream_osp_session_t *os);
void ngx_stream_osp_search_exit(ngx_cycle_t *cycle);

/* ngx_stream_osp_move.c */

/*
 * At the end of the set-up, while it is still there: keeps in os->move what
 * another server must be sent, about 1 KB.  NGX_OK; NGX_DECLINED: this session
 * can't be moved; NGX_ERROR: no memory.
 */
ngx_int_t ngx_stream_osp_move_save(ngx_stream_osp_session_t *os);

/*
 * Leaves the server: closes the connection to it, if it is still there, and
 * tries the others in turn, and then all in rounds, until one accepts, or until
 * osp_upstream_resume_timeout, when the client is told and the session ends.
 * Drops what waits for the old server, and both filters.  The handler is called
 * once, from an event, never from within this function, unless the session
 * ends before.  NGX_OK; NGX_DECLINED: the session can't be moved, or was moved
 * too often lately, nothing has changed; NGX_DONE: it has ended, for want of
 * memory.  Called from within the relay, that must return NGX_DONE.
 */
ngx_int_t ngx_stream_osp_move(ngx_stream_osp_session_t *os,
    ngx_stream_osp_move_pt handler);

/*
 * Tells a receiver that reads chunks of size from that they are of size to
 * from now on; track is that of the receiver.
 */
ngx_int_t ngx_stream_osp_move_chunk_size(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, size_t from, size_t to, ngx_osp_rtmp_track_t *track);

/* frees the set-up of the move; the session is moving no more */
void ngx_stream_osp_moved(ngx_stream_osp_session_t *os);

/* the session ends, or needs no other server any more: os->move is gone */
void ngx_stream_osp_move_free(ngx_stream_osp_session_t *os);

/* for the set-up of a moving session: this server does not take it */
void ngx_stream_osp_move_next(ngx_stream_osp_session_t *os, ngx_str_t *text);

/* as ngx_stream_osp_filter_replies(), of a moving session */
ngx_int_t ngx_stream_osp_move_replies(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last);

/* ngx_stream_osp_resume.c */

ngx_int_t ngx_stream_osp_resume_create(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_resume_start(ngx_stream_osp_session_t *os);
void ngx_stream_osp_resume_free(ngx_stream_osp_session_t *os);
void ngx_stream_osp_resume_next(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_resume_pass(ngx_stream_osp_session_t *os,
    u_char **pos, u_char *last);
ngx_uint_t ngx_stream_osp_resume_on(ngx_stream_osp_session_t *os);
uint32_t ngx_stream_osp_resume_msid(ngx_stream_osp_session_t *os);
ngx_uint_t ngx_stream_osp_resume_between(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_resume_lost(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_resume_up(ngx_stream_osp_session_t *os, u_char *pos,
    u_char *last);
ngx_int_t ngx_stream_osp_resume_down(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);

/* ngx_stream_osp_no_input.c */

ngx_int_t ngx_stream_osp_no_input_start(ngx_stream_osp_session_t *os);
void ngx_stream_osp_no_input_free(ngx_stream_osp_session_t *os);
size_t ngx_stream_osp_no_input_unhold(ngx_stream_osp_session_t *os,
    u_char *p);
ngx_int_t ngx_stream_osp_no_input_down(ngx_stream_osp_session_t *os,
    u_char **pos, u_char **last);
ngx_int_t ngx_stream_osp_no_input_lost(ngx_stream_osp_session_t *os);
ngx_uint_t ngx_stream_osp_no_input_on(ngx_stream_osp_session_t *os);
ngx_int_t ngx_stream_osp_no_input_up(ngx_stream_osp_session_t *os,
    u_char *pos, u_char *last);
uint32_t ngx_stream_osp_no_input_msid(ngx_stream_osp_session_t *os);
ngx_uint_t ngx_stream_osp_no_input_between(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_relay_io.c */

ngx_int_t ngx_stream_osp_relay_buffer(size_t size, ngx_log_t *log,
    u_char **buf);
void ngx_stream_osp_relay_exit(ngx_cycle_t *cycle);

/* ngx_stream_osp_relay.c */

/* goes on with what scan.c has held; the session may be gone then */
void ngx_stream_osp_relay_waited(ngx_stream_osp_session_t *os);

void ngx_stream_osp_relay_start(ngx_stream_osp_session_t *os);

/*
 * Goes on with a session that was moved: sends what is in both flow[].buf,
 * reads both sides.  Nothing of the session may be touched after that.
 */
void ngx_stream_osp_relay_again(ngx_stream_osp_session_t *os);

void ngx_stream_osp_relay_end(ngx_stream_osp_session_t *os);

/*
 * The server has gone.  NGX_OK: the session looks for another one;
 * NGX_DECLINED: it can't be moved, nothing was done; NGX_DONE: it has ended.
 */
ngx_int_t ngx_stream_osp_relay_lost(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_rate.c */

/* at the begin of the relay; NGX_OK, also without limits; NGX_ERROR */
ngx_int_t ngx_stream_osp_rate_start(ngx_stream_osp_session_t *os);

/*
 * For a flow with a rate: how much of size may be read now.  0: nothing, a
 * timer goes on with the relay; what was read is to be told by _used().
 */
size_t ngx_stream_osp_rate_room(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    size_t size);
void ngx_stream_osp_rate_used(ngx_stream_osp_flow_t *flow, size_t size);

/* whether the sender of that direction is not read, as it is too fast */
ngx_uint_t ngx_stream_osp_rate_delayed(ngx_stream_osp_session_t *os,
    ngx_uint_t dir);

void ngx_stream_osp_rate_free(ngx_stream_osp_session_t *os);

/* ngx_stream_osp_peers.c */

ngx_stream_osp_peer_t *ngx_stream_osp_peer_find(
    ngx_stream_osp_session_t *os);
void ngx_stream_osp_peer_set(ngx_stream_osp_session_t *os, ngx_uint_t step);
#if (NGX_SSL)
ngx_int_t ngx_stream_osp_peer_set_ssl_session(ngx_stream_osp_session_t *os);
void ngx_stream_osp_peer_save_ssl_session(ngx_connection_t *c);
#endif
ngx_int_t ngx_stream_osp_peer_attempt(ngx_stream_osp_session_t *os);
void ngx_stream_osp_peers_exit(ngx_cycle_t *cycle);

/* ngx_stream_osp_ssl.c */

#if (NGX_SSL)
ngx_int_t ngx_stream_osp_set_ssl(ngx_conf_t *cf,
    ngx_stream_osp_srv_conf_t *conf);
void ngx_stream_osp_ssl_connect(ngx_stream_osp_session_t *os);
#endif

/* ngx_stream_osp_reason.c */

ngx_str_t *ngx_stream_osp_reason_name(ngx_uint_t reason);

/* what ends are counted by, while the configuration is read; and counts */
void ngx_stream_osp_reasons_init(ngx_conf_t *cf);
void ngx_stream_osp_count_end(ngx_stream_osp_session_t *os);

/* what has happened to the connection that has just failed, never 0 */
ngx_err_t ngx_stream_osp_lost_error(void);

/* sets status and reason: the sender of dir has ended, by err if not 0 */
void ngx_stream_osp_lost(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_err_t err);

/* sets and logs that the server has refused the client */
void ngx_stream_osp_refused(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info);

/* one line, at info, for each session that has ended: its cause */
void ngx_stream_osp_log_end(ngx_stream_osp_session_t *os);
u_char *ngx_stream_osp_log_error(ngx_log_t *log, u_char *buf, size_t len);

/* ngx_stream_osp_variables.c */

ngx_int_t ngx_stream_osp_add_variables(ngx_conf_t *cf);


extern ngx_module_t  ngx_stream_osp_upstream_module;


#endif /* _NGX_STREAM_OSP_SESSION_H_INCLUDED_ */
