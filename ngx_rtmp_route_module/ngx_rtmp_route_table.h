
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The shared-memory table of a route: servers, streams, sessions.  It knows
 * nothing of requests, names or JSON, so that it is tested alone.
 *
 * The zone is one arena laid out at its creation: slot heads, an array of
 * server records, a hash of streams, and cells of 128 bytes that hold streams,
 * sessions, counted connections and their texts.  All links are indexes.
 * The slab mutex of the zone is the only lock.  A process may be killed
 * anywhere: each record has a valid mark that is set last and cleared first,
 * sh->dirty is set around each change, and who finds it set when taking the
 * lock rebuilds links, free lists and counters from the valid records.
 */


#ifndef _NGX_RTMP_ROUTE_TABLE_H_INCLUDED_
#define _NGX_RTMP_ROUTE_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_slot.h"


/* who says on which server a stream is: the higher one wins */

#define NGX_RTMP_ROUTE_FROM_NONE      0
#define NGX_RTMP_ROUTE_FROM_PICK      1
#define NGX_RTMP_ROUTE_FROM_FOUND     2
#define NGX_RTMP_ROUTE_FROM_CORE      3
#define NGX_RTMP_ROUTE_FROM_LIST      4
#define NGX_RTMP_ROUTE_FROM_PIN       5
#define NGX_RTMP_ROUTE_FROM_PUBLISH   6

/* where a server comes from */

#define NGX_RTMP_ROUTE_SRC_CONFIG     1
#define NGX_RTMP_ROUTE_SRC_API        2
#define NGX_RTMP_ROUTE_SRC_REGISTER   3
#define NGX_RTMP_ROUTE_SRC_CORE       4

/* state of a server as the API shows it */

#define NGX_RTMP_ROUTE_UP             0
#define NGX_RTMP_ROUTE_DOWN           1    /* by configuration or API */
#define NGX_RTMP_ROUTE_EXPIRED        2    /* no registration in time */
#define NGX_RTMP_ROUTE_UNAVAIL        3    /* max_fails */
#define NGX_RTMP_ROUTE_DRAINING       4
#define NGX_RTMP_ROUTE_UNRESOLVED     5    /* a name without an address yet */
#define NGX_RTMP_ROUTE_UNHEALTHY      6    /* health check failed */
#define NGX_RTMP_ROUTE_CHECKING       7    /* no result of a check yet */
#define NGX_RTMP_ROUTE_STALE          8    /* expired, but its check passes */
#define NGX_RTMP_ROUTE_GONE           9    /* its name is elsewhere: drains */

/* what the active health check of a server has found */

#define NGX_RTMP_ROUTE_HEALTH_NONE    0    /* it is not checked */
#define NGX_RTMP_ROUTE_HEALTH_CHECKING                                        \
                                      1    /* no result yet */
#define NGX_RTMP_ROUTE_HEALTH_UP      2
#define NGX_RTMP_ROUTE_HEALTH_DOWN    3    /* gets nothing new */

/* balancing methods */

#define NGX_RTMP_ROUTE_HASH           0
#define NGX_RTMP_ROUTE_LEAST_CONN     1
#define NGX_RTMP_ROUTE_ROUND_ROBIN    2
#define NGX_RTMP_ROUTE_RANDOM         3

/* what to do with a stream that nobody knows */

#define NGX_RTMP_ROUTE_UNKNOWN_PICK   0
#define NGX_RTMP_ROUTE_UNKNOWN_WAIT   1
#define NGX_RTMP_ROUTE_UNKNOWN_REFUSE 2

/* rules of the access list: what they do, and for whom */

#define NGX_RTMP_ROUTE_ALLOW          1
#define NGX_RTMP_ROUTE_DENY           2

#define NGX_RTMP_ROUTE_RULE_CIDR      0
#define NGX_RTMP_ROUTE_RULE_ALL       1
#define NGX_RTMP_ROUTE_RULE_UNIX      2    /* unix domain sockets */
#define NGX_RTMP_ROUTE_RULE_SERVERS   3    /* each server of the table */
#define NGX_RTMP_ROUTE_RULE_PROXIES   4    /* those this nginx registers with */

#define NGX_RTMP_ROUTE_MAX_RULES      1024

/* bans: of what, and how many there may be */

#define NGX_RTMP_ROUTE_BAN_PUBLISH    (1 << NGX_RTMP_ROUTE_PUBLISH)
#define NGX_RTMP_ROUTE_BAN_PLAY       (1 << NGX_RTMP_ROUTE_PLAY)

#define NGX_RTMP_ROUTE_MAX_BANS       1024

#define NGX_RTMP_ROUTE_MAX_CONFLICTS  4    /* shown with a stream */

#define NGX_RTMP_ROUTE_MAX_ENDPOINTS  4
#define NGX_RTMP_ROUTE_TEXT_LEN       64
#define NGX_RTMP_ROUTE_WHY_LEN      110  /* why a check has failed */


/* an address and port; family 0: none, port in host byte order */

typedef struct {
    uint16_t                    family;
    uint16_t                    port;
    u_char                      addr[16];
} ngx_rtmp_route_endpoint_t;


typedef struct {
    uint32_t                    id;             /* no two ever have the same */
    u_char                      action;         /* NGX_RTMP_ROUTE_ALLOW ... */
    u_char                      kind;           /* NGX_RTMP_ROUTE_RULE_* */
    u_char                      bits;           /* of addr, which is masked */
    u_char                      reserved;
    ngx_rtmp_route_endpoint_t   addr;
} ngx_rtmp_route_rule_t;


/*
 * Who may not do what with a stream, and for how long.  One that comes from
 * the table has its key in key_buf.
 */

typedef struct {
    uint32_t                    id;             /* no two ever have the same */
    ngx_uint_t                  ops;            /* NGX_RTMP_ROUTE_BAN_* */
    ngx_str_t                   key;            /* empty: any stream */
    ngx_rtmp_route_endpoint_t   addr;           /* family 0: anybody */
    ngx_uint_t                  bits;           /* of addr, which is masked */
    ngx_msec_t                  left;           /* ms */
    ngx_msec_t                  age;            /* ms since it was made */
    u_char                      key_buf[NGX_RTMP_ROUTE_KEY_LEN];
} ngx_rtmp_route_ban_t;


/* who and where a server is; replaced as a whole, in shared memory too */

typedef struct {
    u_char                      id_len;
    u_char                      host_len;
    u_char                      service_len;
    u_char                      pid_len;
    u_char                      device_len;
    u_char                      origin_len;
    u_char                      proxy_protocol;
    u_char                      source;         /* NGX_RTMP_ROUTE_SRC_* */
    u_char                      nendpoints[7];  /* by protocol */
    u_char                      forced;         /* see table->forced */
    u_char                      gone;           /* see server_leave() */
    u_char                      id[NGX_RTMP_ROUTE_ID_LEN];
    u_char                      host[NGX_RTMP_ROUTE_HOST_LEN + 1];
    u_char                      service[NGX_RTMP_ROUTE_TEXT_LEN];
    u_char                      pid[NGX_RTMP_ROUTE_TEXT_LEN];
    u_char                      device[NGX_RTMP_ROUTE_TEXT_LEN];
    u_char                      origin[NGX_RTMP_ROUTE_ID_LEN];
                                   /* the configured name this address is of */
    ngx_rtmp_route_endpoint_t   registrar;      /* who registered it */
    uint64_t                    token;          /* digest of its token or 0 */
    ngx_rtmp_route_endpoint_t   endpoints[NGX_RTMP_ROUTE_NPROTO]
                                         [NGX_RTMP_ROUTE_MAX_ENDPOINTS];
} ngx_rtmp_route_server_info_t;


/* what an operator may set, at run time too */

typedef struct {
    uint32_t                    weight;         /* 1 by default */
    uint32_t                    max_conns;      /* 0: no limit */
    uint32_t                    max_streams;
    uint32_t                    max_fails;      /* 1 by default, 0: off */
    uint32_t                    fail_timeout;   /* ms */
    uint32_t                    slow_start;     /* ms */
    uint32_t                    timeout;        /* of a registration, ms */
    unsigned                    down:1;
    unsigned                    drain:1;
    unsigned                    backup:1;
} ngx_rtmp_route_server_params_t;


/* what checks have found of a server, and since when it is out of use */

typedef struct {
    uint64_t                    checks;
    uint64_t                    fails;
    uint64_t                    unhealthy;      /* so often marked down */
    uint64_t                    downtime;       /* ms, while out of use */
    ngx_msec_t                  downstart;      /* ms ago, 0: is in use */
    ngx_msec_t                  last;           /* check, ms ago */
    ngx_uint_t                  last_passed;
    ngx_msec_t                  took;           /* the same, how long */
    ngx_str_t                   error;          /* why it failed last */
    u_char                      error_buf[NGX_RTMP_ROUTE_WHY_LEN];
} ngx_rtmp_route_health_stat_t;


/* a copy of all that the table knows of a server */

typedef struct {
    ngx_rtmp_route_ref_t             ref;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;
    ngx_uint_t                       state;     /* NGX_RTMP_ROUTE_UP ... */
    ngx_uint_t                       health;    /* NGX_RTMP_ROUTE_HEALTH_* */
    ngx_rtmp_route_health_stat_t     check;
    uint32_t                         streams;   /* live ones */
    uint32_t                         conns;
    uint32_t                         conflicts; /* listed, but elsewhere */
    ngx_uint_t                       drained;   /* it drains, all is gone */
    uint64_t                         selected;
    uint64_t                         fails;
    uint64_t                         unavail;
    uint64_t                         in;        /* bytes of RTMP sessions, */
    uint64_t                         out;       /* from clients, to them */
    ngx_msec_t                       last_seen; /* as ngx_current_msec */
    ngx_msec_t                       expires;   /* ms from now, 0: never */
} ngx_rtmp_route_server_stat_t;


typedef struct {
    ngx_str_t                        key;       /* points to key_buf */
    ngx_str_t                        server;    /* id, points to id_buf */
    ngx_uint_t                       source;    /* NGX_RTMP_ROUTE_FROM_* */
    uint32_t                         publishers;
    uint32_t                         players;
    ngx_msec_t                       age;       /* ms since it was created */
    ngx_uint_t                       nconflicts;
    ngx_str_t                        conflicts[NGX_RTMP_ROUTE_MAX_CONFLICTS];
                                                /* ids of who else lists it */
    u_char                           conflict_buf[NGX_RTMP_ROUTE_MAX_CONFLICTS]
                                                 [NGX_RTMP_ROUTE_ID_LEN];
    u_char                           id_buf[NGX_RTMP_ROUTE_ID_LEN];
    u_char                           key_buf[NGX_RTMP_ROUTE_KEY_LEN];
} ngx_rtmp_route_stream_stat_t;


typedef struct {
    uint32_t                         slot;
    uint32_t                         number;    /* id is "slot-number" */
    ngx_uint_t                       type;      /* PUBLISH or PLAY */
    ngx_uint_t                       state;     /* NGX_RTMP_ROUTE_S_* */
    ngx_pid_t                        pid;
    ngx_str_t                        key;
    ngx_str_t                        server;    /* id */
    ngx_str_t                        client;
    ngx_str_t                        upstream;  /* "10.0.0.11:1935" */
    ngx_str_t                        agent;
    ngx_rtmp_route_endpoint_t        addr;      /* of client; family 0: none */
    uint64_t                         in;
    uint64_t                         out;
    uint64_t                         rate;      /* bits/s of the media, in */
                                                /* the last 5 seconds */
    ngx_msec_t                       started;   /* ms ago */
    ngx_msec_t                       idle;      /* ms since the last byte */
    u_char                           id_buf[NGX_RTMP_ROUTE_ID_LEN];
    u_char                           key_buf[NGX_RTMP_ROUTE_KEY_LEN];
    u_char                           text_buf[256];
} ngx_rtmp_route_session_stat_t;


/* totals, exact at the moment of the call */

typedef struct {
    uint32_t                         servers;
    uint32_t                         streams;
    uint32_t                         sessions;
    uint32_t                         conns;     /* counted, not sessions */
    uint32_t                         queued;    /* wait for a server */
    uint32_t                         cells_total;
    uint32_t                         cells_used;
    uint64_t                         evicted;   /* streams, for room */
    uint64_t                         full;      /* refusals for lack of room */
    uint64_t                         rebuilt;
} ngx_rtmp_route_table_stat_t;


/* what a walk over all records has found */

typedef struct {
    const char                      *fault;     /* NULL: none */
    uint32_t                         where;     /* the record with the fault */
    uint32_t                         waiters;   /* of processes that live */
    ngx_uint_t                       held;      /* the lock, microseconds */
    ngx_rtmp_route_table_stat_t      stat;
} ngx_rtmp_route_table_audit_t;


typedef struct ngx_rtmp_route_shm_s    ngx_rtmp_route_shm_t;

/* one process' view of a table; the settings are the caller's */

struct ngx_rtmp_route_table_s {
    ngx_rtmp_route_shm_t            *sh;
    ngx_slab_pool_t                 *shpool;
    ngx_log_t                       *log;       /* used without the lock */
    ngx_uint_t                       method;    /* NGX_RTMP_ROUTE_HASH ... */
    ngx_uint_t                       unknown;   /* NGX_RTMP_ROUTE_UNKNOWN_* */
    ngx_msec_t                       inactive;  /* 0: forget nothing */
    ngx_uint_t                       forced;    /* HTTP to forced servers */
                                                /* only, known or not */
    ngx_uint_t                       checks;    /* all servers are checked, */
    ngx_uint_t                       mandatory; /* and not used before */
    uint32_t                         config;    /* of this process, or 0 */

    /* set while the lock is held, seen to once it is released */

    unsigned                         wake:1;
    unsigned                         adopt:1;
    unsigned                         log_full:1;
    unsigned                         log_rebuilt:1;
    unsigned                         log_fresh:1;
    uint32_t                         log_stale;
};


/* who is to be checked, and where: all in it is copied */

typedef struct {
    ngx_rtmp_route_ref_t             ref;
    ngx_str_t                        id;
    ngx_str_t                        host;      /* with a zero at its end */
    u_char                           proxy_protocol;
    u_char                           nendpoints[NGX_RTMP_ROUTE_NPROTO];
    ngx_rtmp_route_endpoint_t        endpoints[NGX_RTMP_ROUTE_NPROTO]
                                              [NGX_RTMP_ROUTE_MAX_ENDPOINTS];
    u_char                           id_buf[NGX_RTMP_ROUTE_ID_LEN];
    u_char                           host_buf[NGX_RTMP_ROUTE_HOST_LEN + 1];
} ngx_rtmp_route_target_t;


/* HTTP may have servers of its own */

#define ngx_rtmp_route_forced(table, query)                                   \
    ((table)->forced                                                          \
     && (query)->op == NGX_RTMP_ROUTE_FETCH                                   \
     && ((query)->protocol == NGX_RTMP_ROUTE_HTTP                             \
         || (query)->protocol == NGX_RTMP_ROUTE_HTTPS))


/*
 * Lays out a fresh zone, or takes over one that holds a table already (a
 * reload).  NGX_DECLINED: it holds something else or another layout.
 */
ngx_int_t ngx_rtmp_route_table_init(ngx_rtmp_route_table_t *table,
    ngx_slab_pool_t *shpool);

/*
 * Copies servers and streams of another table, as many as fit, for a zone
 * whose size has changed, its access list and bans.  Sessions are not copied:
 * their processes go on with the old zone.  NGX_DECLINED: the access list or
 * the bans do not fit, and a part of them would be worse than none.
 */
ngx_int_t ngx_rtmp_route_table_copy(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_table_t *old);

/*
 * Says that the configured servers are of a new configuration from now on:
 * processes of an earlier one can no longer set them.
 */
void ngx_rtmp_route_table_configure(ngx_rtmp_route_table_t *table);

/* whether there is no newer configuration than that of this process */
ngx_uint_t ngx_rtmp_route_table_current(ngx_rtmp_route_table_t *table);

/*
 * Bounded housekeeping, to be called each second by each worker: undoes the
 * records of slots whose process is gone, forgets streams that were unused
 * for table->inactive, and removes registrations long expired.
 */
void ngx_rtmp_route_table_sweep(ngx_rtmp_route_table_t *table);

void ngx_rtmp_route_table_stat(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_table_stat_t *stat);

/*
 * A walk over all records that compares links, free list and counters with
 * what they should be.  The lock is held all the time: some 25 ms for 100,000
 * records.  NGX_OK; NGX_ERROR and one log line: there is a fault;
 * NGX_ABORT: no memory.
 */
ngx_int_t ngx_rtmp_route_table_audit(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_table_audit_t *audit);

/* the same for tests; NGX_OK or NGX_ERROR */
ngx_int_t ngx_rtmp_route_table_check(ngx_rtmp_route_table_t *table);


/*
 * Adds or replaces the server with info->id.  NGX_OK: added; NGX_DONE: there
 * already and updated; NGX_BUSY: no room.  A registration (SRC_REGISTER) is a
 * heartbeat too; one that takes an rtmp address which another registered
 * server holds replaces that one, and the old one with the same id but another
 * service or pid is a restart: its streams are picked anew, its fails
 * forgotten.  NGX_DECLINED: the entry (or the address) belongs to somebody
 * else (other registrar address and other token, and not down), or the id is
 * that of a configured or API server.  One of a control plane (SRC_CORE) gives
 * way to any other with its id or an rtmp address of it, now and later on.
 * NGX_ABORT: a configured server or one of a control plane, and there is a
 * newer configuration.  With params NULL those of the server are kept;
 * otherwise what was set at run time (server_update) is kept where params say
 * the same as the last ones given here; with SRC_API params are taken as they
 * are.  ref may be NULL.
 */
ngx_int_t ngx_rtmp_route_server_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params, ngx_rtmp_route_ref_t *ref);

/*
 * The id of the server that stands for one which a control plane calls name,
 * in lower case: its own, if possible with an address, or another that has
 * that name or rtmp address.  id->data has room for NGX_RTMP_ROUTE_ID_LEN.
 * NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_server_named(ngx_rtmp_route_table_t *table,
    ngx_str_t *name, ngx_str_t *id);

/* adds only: NGX_OK; NGX_DONE: there is one with this id; NGX_BUSY: no room */
ngx_int_t ngx_rtmp_route_server_create(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params);

/*
 * Gives a configured server, or one of a control plane, another id; all that
 * is known of it stays.
 * NGX_OK; NGX_DECLINED: there is none, or one with the new id; NGX_ABORT:
 * there is a newer configuration.
 */
ngx_int_t ngx_rtmp_route_server_rename(ngx_rtmp_route_table_t *table,
    ngx_str_t *id, ngx_str_t *name);

/*
 * The name that such a server stands for has its address no longer.  It stays
 * as long as there are sessions and connections, and some seconds more, and
 * gets nothing new; it has "#" and the address in its id from now on.
 * server_set() takes it back.  If server_set() gives another address to a
 * server, its sessions are left with a server of this kind.
 * NGX_OK; NGX_DONE: it was so before; NGX_DECLINED: there is none; NGX_ABORT:
 * as above.
 */
ngx_int_t ngx_rtmp_route_server_leave(ngx_rtmp_route_table_t *table,
    ngx_str_t *id);

/*
 * The address of such a server is that of another one now, which gets its
 * sessions, counters, and what was set at run time.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_server_join(ngx_rtmp_route_table_t *table,
    ngx_str_t *id, ngx_str_t *into);

/* NGX_OK, or NGX_DECLINED: no such server */
ngx_int_t ngx_rtmp_route_server_get(ngx_rtmp_route_table_t *table,
    ngx_str_t *id, ngx_rtmp_route_server_stat_t *stat);
ngx_int_t ngx_rtmp_route_server_delete(ngx_rtmp_route_table_t *table,
    ngx_str_t *id);

/*
 * The time of a registration is over, whatever its health is.  NGX_OK, or
 * NGX_DECLINED: no such server, or one that need not register.
 */
ngx_int_t ngx_rtmp_route_server_expire(ngx_rtmp_route_table_t *table,
    ngx_str_t *id);

/*
 * Sets what params say otherwise than was, which is what the caller has read
 * before: two who change different things at once do not undo each other.
 * With was NULL all of params is set.
 */
ngx_int_t ngx_rtmp_route_server_update(ngx_rtmp_route_table_t *table,
    ngx_str_t *id, ngx_rtmp_route_server_params_t *was,
    ngx_rtmp_route_server_params_t *params);

/*
 * Health checks, made by one process at a time for all.  With table->checks
 * each server is checked; without it those that do not register any more, if
 * there would be no other server (the health of others is HEALTH_NONE, and of
 * these HEALTH_UP at best).
 */

/* to be called when the settings of table may have changed */
void ngx_rtmp_route_health_reset(ngx_rtmp_route_table_t *table);

/*
 * The next server whose time has come, and sets this to interval ms from now,
 * and at random up to jitter more.  *cursor is 0 at first.  NGX_OK: target is
 * filled; NGX_AGAIN: call again, a bounded number was looked at; NGX_DONE: no
 * more.
 */
ngx_int_t ngx_rtmp_route_health_next(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_msec_t interval, ngx_msec_t jitter,
    ngx_rtmp_route_target_t *target);

/*
 * The result of a check, with error NULL if it was passed.  So many fails or
 * passes in a row change the state.  NGX_OK: it has changed, from *was to
 * *health; NGX_DONE: it has not; NGX_DECLINED: that server is gone, or was
 * restarted.
 * After HEALTH_DOWN call ngx_rtmp_route_server_lost().
 */
ngx_int_t ngx_rtmp_route_health_result(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_str_t *error, ngx_uint_t fails,
    ngx_uint_t passes, ngx_uint_t *was, ngx_uint_t *health);

/*
 * Sets the health (NGX_RTMP_ROUTE_HEALTH_*) whatever it was.  NGX_OK: it is
 * another than before; NGX_DONE: the same; NGX_DECLINED: as above.
 */
ngx_int_t ngx_rtmp_route_health_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_uint_t health);

/* another number for a zone that was made anew: its records are elsewhere */
uint64_t ngx_rtmp_route_table_instance(ngx_rtmp_route_table_t *table);

/*
 * Walks: *cursor is 0 at first; NGX_OK: stat is filled, NGX_DONE: no more.
 * The lock is held for one record, so records may come and go meanwhile; one
 * that is there all the time is seen once.
 */
#define ngx_rtmp_route_server_walk(table, cursor, stat)                       \
    ngx_rtmp_route_server_walk_next(table, cursor, stat, 0)

/* the same for those of the configuration and of a control plane alone */
#define ngx_rtmp_route_server_walk_named(table, cursor, stat)                 \
    ngx_rtmp_route_server_walk_next(table, cursor, stat, 1)

ngx_int_t ngx_rtmp_route_server_walk_next(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_server_stat_t *stat, ngx_uint_t named);
ngx_int_t ngx_rtmp_route_stream_walk(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_stream_stat_t *stat);
ngx_int_t ngx_rtmp_route_session_walk(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_session_stat_t *stat);

/* the same, and NGX_AGAIN: there was none among so many cells, call again */
ngx_int_t ngx_rtmp_route_stream_look(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_stream_stat_t *stat);
ngx_int_t ngx_rtmp_route_session_look(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_session_stat_t *stat);


/* NGX_OK, or NGX_DECLINED: unknown */
ngx_int_t ngx_rtmp_route_stream_get(ngx_rtmp_route_table_t *table,
    ngx_str_t *key, ngx_rtmp_route_stream_stat_t *stat);

/*
 * Says that a stream is on a server.  from is one of FROM_PIN, FROM_LIST,
 * FROM_CORE, FROM_FOUND.  NGX_OK; NGX_DONE: known to be there already;
 * NGX_BUSY: no room; NGX_DECLINED: no such server; NGX_ABORT: a source that
 * comes before has it elsewhere (a live publisher, a pin, another live
 * origin's listing), nothing is changed, but a listing is shown as a conflict.
 * A pin is never refused: it is remembered beneath a live publisher.
 */
ngx_int_t ngx_rtmp_route_stream_set(ngx_rtmp_route_table_t *table,
    ngx_str_t *key, ngx_str_t *server, ngx_uint_t from);

/*
 * What a control plane says of streams (FROM_CORE).  A list of all that are
 * live: begin, which gives it a number (0: there is a newer configuration, and
 * the list is not wanted), set with that number for each, which is NGX_ABORT,
 * too, once another list has begun, then
 * end again and again with *cursor at 0 first, while it returns NGX_AGAIN:
 * each call takes a bounded step, and what the list has not named is
 * forgotten.  An answer about one stream: set with a ttl in ms, which leaves
 * alone what a search has found.  The server is given by its id; set returns
 * as stream_set does.
 */
uint32_t ngx_rtmp_route_core_begin(ngx_rtmp_route_table_t *table);
ngx_int_t ngx_rtmp_route_core_set(ngx_rtmp_route_table_t *table,
    ngx_str_t *key, ngx_str_t *server, uint32_t list, ngx_msec_t ttl);
ngx_int_t ngx_rtmp_route_core_end(ngx_rtmp_route_table_t *table,
    uint32_t list, uint32_t *cursor);

/* forgets all that a control plane has said; not in small steps */
void ngx_rtmp_route_core_clear(ngx_rtmp_route_table_t *table);

/* the control plane says that there is no such stream */
void ngx_rtmp_route_core_forget(ngx_rtmp_route_table_t *table,
    ngx_str_t *key);

/*
 * NGX_OK: the stream is known; NGX_AGAIN: from an answer whose time is over;
 * NGX_DECLINED: unknown.
 */
ngx_int_t ngx_rtmp_route_core_state(ngx_rtmp_route_table_t *table,
    ngx_str_t *key);

/* forgets a stream (its sessions go on); NGX_DECLINED: unknown */
ngx_int_t ngx_rtmp_route_stream_delete(ngx_rtmp_route_table_t *table,
    ngx_str_t *key);

/*
 * A registration's list of streams: call begin, stream_set(FROM_LIST) for
 * each, end.  What this server listed before and no longer lists is forgotten
 * by the end call, unless something else holds it.
 */
void ngx_rtmp_route_list_begin(ngx_rtmp_route_table_t *table, ngx_str_t *id);
void ngx_rtmp_route_list_end(ngx_rtmp_route_table_t *table, ngx_str_t *id);


/*
 * The access list, in the order in which its rules are tried.  A change is
 * seen by all processes at once: who has a copy compares the number of the
 * version, which needs no lock.
 */

/*
 * Adds a rule before another one, or at the end if before is 0; rule->id is
 * set.  NGX_OK; NGX_DONE: the same kind or network is there already, its id
 * is set; NGX_BUSY: the list is full; NGX_DECLINED: before is not there.
 */
ngx_int_t ngx_rtmp_route_rule_add(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rule, uint32_t before);

/* NGX_OK, or NGX_DECLINED: no such rule */
ngx_int_t ngx_rtmp_route_rule_get(ngx_rtmp_route_table_t *table, uint32_t id,
    ngx_rtmp_route_rule_t *rule);
ngx_int_t ngx_rtmp_route_rule_delete(ngx_rtmp_route_table_t *table,
    uint32_t id);

/* how many there are and may be, and copies of them all */
ngx_uint_t ngx_rtmp_route_rules(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rules);
ngx_uint_t ngx_rtmp_route_max_rules(ngx_rtmp_route_table_t *table);
uint32_t ngx_rtmp_route_rules_version(ngx_rtmp_route_table_t *table);

/*
 * Addresses of servers, some more with each call: *cursor is 0 at first, *n
 * is how many were found, room for at least 28 of them is needed.  NGX_OK;
 * NGX_DONE: no more.  The version changes whenever one comes or goes.
 */
ngx_int_t ngx_rtmp_route_server_hosts(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t room,
    ngx_uint_t *n);
uint32_t ngx_rtmp_route_hosts_version(ngx_rtmp_route_table_t *table);


/*
 * Bans.  banned: whether an address (family 0: none) may not do that with a
 * key: NGX_OK, for left more ms, or NGX_DECLINED; without the lock if there
 * are no bans.  add: NGX_OK, ban->id is set; NGX_DONE: there was one of the
 * same, which has that time now; NGX_BUSY: no room.  get, delete: NGX_OK or
 * NGX_DECLINED.  walk: in the order of ids, *cursor is the last one; NGX_OK or
 * NGX_DONE.  stat: how many there are and may be, and the last id.
 */
ngx_int_t ngx_rtmp_route_table_banned(ngx_rtmp_route_table_t *table,
    ngx_str_t *key, ngx_uint_t op, ngx_rtmp_route_endpoint_t *addr,
    ngx_msec_t *left);
ngx_int_t ngx_rtmp_route_ban_add(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t *ban);
ngx_int_t ngx_rtmp_route_ban_get(ngx_rtmp_route_table_t *table, uint32_t id,
    ngx_rtmp_route_ban_t *ban);
ngx_int_t ngx_rtmp_route_ban_delete(ngx_rtmp_route_table_t *table,
    uint32_t id);
void ngx_rtmp_route_bans_clear(ngx_rtmp_route_table_t *table);
ngx_int_t ngx_rtmp_route_ban_walk(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_ban_t *ban);
void ngx_rtmp_route_bans_stat(ngx_rtmp_route_table_t *table, ngx_uint_t *n,
    ngx_uint_t *max, uint32_t *last);


/* as the functions without _table_ in ngx_rtmp_route.h */
ngx_int_t ngx_rtmp_route_table_pick(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer);
void ngx_rtmp_route_table_report(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer,
    ngx_uint_t failed);
void ngx_rtmp_route_table_free(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_peer_t *peer);
ngx_int_t ngx_rtmp_route_table_open(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_session_info_t *info,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_peer_t *peer);
ngx_int_t ngx_rtmp_route_table_next(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer);
void ngx_rtmp_route_table_state(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session, ngx_uint_t state);
void ngx_rtmp_route_table_close(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session);

/*
 * What sessions are told, see ngx_rtmp_route_events.h.  tell: the session in
 * that slot, with that number (which are its id in the API), in whatever
 * process, is told NGX_RTMP_ROUTE_E_*; NGX_OK, or NGX_DECLINED: there is none.
 * It looks through all sessions, some with each hold of the lock.  told: which
 * of these (a bit for each) this process' session was told since it was asked
 * last.  lost: its server is down by its health check.  has_told, losses: what
 * says, without the lock, that there is something to look for.
 */
ngx_int_t ngx_rtmp_route_table_session_tell(ngx_rtmp_route_table_t *table,
    ngx_uint_t slot, uint32_t number, ngx_uint_t what);

/*
 * The operator ends a session, and with ban, whose left is set, refuses what
 * it does for that time: of a publisher by anybody, of a player from its
 * address.  Some records are looked at with each call, *cursor is 0 at first.
 * NGX_OK; NGX_AGAIN: call again; NGX_DECLINED: there is none.  Nothing has
 * changed after NGX_BUSY: no room for the ban, and NGX_ABORT: the address of
 * the player is not known.  kick_banned: ends all that the ban is about, adds
 * their number to *kicked; NGX_AGAIN or NGX_DONE.
 */
ngx_int_t ngx_rtmp_route_table_kick(ngx_rtmp_route_table_t *table,
    ngx_uint_t slot, uint32_t number, uint32_t *cursor,
    ngx_rtmp_route_ban_t *ban);
ngx_int_t ngx_rtmp_route_table_kick_banned(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t *ban, uint32_t *cursor, ngx_uint_t *kicked);

ngx_int_t ngx_rtmp_route_table_takeover(ngx_rtmp_route_table_t *table,
    ngx_str_t *key, ngx_msec_t idle);
ngx_uint_t ngx_rtmp_route_table_told(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session);
ngx_uint_t ngx_rtmp_route_table_lost(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t *session);
void ngx_rtmp_route_table_tell_lost(ngx_rtmp_route_table_t *table);
ngx_uint_t ngx_rtmp_route_table_has_told(ngx_rtmp_route_table_t *table);
uint32_t ngx_rtmp_route_table_losses(ngx_rtmp_route_table_t *table);

/*
 * Notes how many bytes so many sessions of this process have passed, which is
 * to be done about once a second.  The lock is held for all of them.
 */
void ngx_rtmp_route_table_rates(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t **sessions, ngx_uint_t n);

/*
 * Counts this process' waiters in the zone: while it is not 0 the slot is
 * woken by each change that may let a pick succeed.
 */
void ngx_rtmp_route_table_waiters(ngx_rtmp_route_table_t *table,
    ngx_int_t add);

/* counts this process' clients that wait for a server: shown, no more */
void ngx_rtmp_route_table_queued(ngx_rtmp_route_table_t *table,
    ngx_int_t add);

/* wakes those who wait, in all processes, although nothing has changed */
void ngx_rtmp_route_table_wake(ngx_rtmp_route_table_t *table);


#endif /* _NGX_RTMP_ROUTE_TABLE_H_INCLUDED_ */
