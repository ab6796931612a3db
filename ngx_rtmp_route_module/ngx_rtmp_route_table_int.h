
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What is in the zone; for the files of the table only.
 *
 * Each record holds fields that say how things are, and fields that follow
 * from those ("derived": links, counters, copies).  What is derived may be
 * wrong while sh->dirty is set and is made anew from the former by
 * ngx_rtmp_route_table_rebuild().  A record counts if its type (valid for a
 * server) is set: it is set after, and cleared before, anything else.
 */


#ifndef _NGX_RTMP_ROUTE_TABLE_INT_H_INCLUDED_
#define _NGX_RTMP_ROUTE_TABLE_INT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_metrics.h"
#include "ngx_rtmp_route_table.h"


#define NGX_RTMP_ROUTE_MAGIC          0x65746f726f70736fULL
#define NGX_RTMP_ROUTE_LAYOUT         14

#define NGX_RTMP_ROUTE_MAX_SERVERS    65535
#define NGX_RTMP_ROUTE_CLIENT_LEN     64

/* records that are handled within one hold of the lock, or looked at */
#define NGX_RTMP_ROUTE_BATCH          256
#define NGX_RTMP_ROUTE_WALK           4096

/* types of cells */

#define NGX_RTMP_ROUTE_CELL_FREE      0
#define NGX_RTMP_ROUTE_CELL_STREAM    1
#define NGX_RTMP_ROUTE_CELL_SESSION   2
#define NGX_RTMP_ROUTE_CELL_CONN      3    /* a session without a stream */
#define NGX_RTMP_ROUTE_CELL_TEXT      4

/* flags of a stream; the lowest bits say where its server is known from */

#define NGX_RTMP_ROUTE_STREAM_FROM    0x07
#define NGX_RTMP_ROUTE_STREAM_CHECKED 0x08  /* core is a time */
#define NGX_RTMP_ROUTE_STREAM_LIVED   0x10  /* was live once: remembered */
#define NGX_RTMP_ROUTE_STREAM_ORPHAN  0x20  /* forgotten, sessions go on */
#define NGX_RTMP_ROUTE_STREAM_LRU     0x40  /* derived: is in that queue */
#define NGX_RTMP_ROUTE_STREAM_CONFLICT                                        \
                                      0x80  /* there may be records of some */

/* flags of a session */

#define NGX_RTMP_ROUTE_SESSION_LIVE   0x01  /* counted in stream->live */
#define NGX_RTMP_ROUTE_SESSION_IDLE   0x02  /* publishes nothing any more */
#define NGX_RTMP_ROUTE_SESSION_ADDR   0x04  /* client is an address and port */
#define NGX_RTMP_ROUTE_SESSION_YIELDS 0x08  /* publishes, but is never live */
#define NGX_RTMP_ROUTE_SESSION_ENDED  0x10  /* all its bytes are counted */

#define ngx_rtmp_route_session_publishes(s)                                   \
    ((s)->kind == NGX_RTMP_ROUTE_PUBLISH                                      \
     && !((s)->flags & NGX_RTMP_ROUTE_SESSION_IDLE))

/* flags of a server */

#define NGX_RTMP_ROUTE_SERVER_DOWN    0x01
#define NGX_RTMP_ROUTE_SERVER_DRAIN   0x02
#define NGX_RTMP_ROUTE_SERVER_BACKUP  0x04
#define NGX_RTMP_ROUTE_SERVER_FORCED  0x08
#define NGX_RTMP_ROUTE_SERVER_GONE    0x10  /* its name is elsewhere */

/* why a server is out of use, as it was noted last */

#define NGX_RTMP_ROUTE_OUT_EXPIRED    1
#define NGX_RTMP_ROUTE_OUT_HEALTH     2
#define NGX_RTMP_ROUTE_OUT_CHECKING   3
#define NGX_RTMP_ROUTE_OUT_UNAVAIL    4

/* weights are so much finer while they grow */
#define NGX_RTMP_ROUTE_WEIGHT_BITS    10

/*
 * Tests kill a process at each of these: they stand wherever a change is half
 * done.
 */

#if (NGX_RTMP_ROUTE_DEBUG_KILL)

extern ngx_uint_t  ngx_rtmp_route_kill_after;

#define ngx_rtmp_route_point()                                                \
    do {                                                                      \
        if (ngx_rtmp_route_kill_after && --ngx_rtmp_route_kill_after == 0) {  \
            (void) kill(getpid(), SIGKILL);                                   \
        }                                                                     \
    } while (0)

#else

#define ngx_rtmp_route_point()

#endif


/* what a worker slot has in this zone */

typedef struct {
    uint32_t                         first;       /* derived: newest record */
    uint32_t                         number;      /* of the last session */
    uint32_t                         generation;  /* whose waiters they are */
    uint32_t                         nwaiters;
    uint32_t                         queued;      /* clients, of the same */
    uint32_t                         told;        /* derived: marked ones */
} ngx_rtmp_route_head_t;


/* the part of a server that is read for all servers by each new pick */

typedef struct {
    u_char                           valid;
    u_char                           active;      /* of info, params, given */
    u_char                           source;      /* derived from these ... */
    u_char                           flags;
    u_char                           nendpoints[NGX_RTMP_ROUTE_NPROTO];
    u_char                           resolved;
    uint32_t                         weight;
    uint32_t                         max_conns;
    uint32_t                         max_streams;
    uint32_t                         max_fails;
    uint32_t                         fail_timeout;
    uint32_t                         timeout;
    uint32_t                         slow_start;
    uint64_t                         key;
    uint64_t                         group;       /* ... up to here */

    u_char                           health;      /* NGX_RTMP_ROUTE_HEALTH_ */
    u_char                           stale;       /* used though expired */
    u_char                           wanted;      /* to be checked */
    u_char                           slow;        /* its weight grows */
    u_char                           out;         /* NGX_RTMP_ROUTE_OUT_* */
    u_char                           noted;       /* its state then, and 1 */
    uint32_t                         seq;         /* of this incarnation */
    uint32_t                         adopt;       /* next cell to be seen */
    uint32_t                         fails;
    ngx_msec_t                       checked;
    ngx_msec_t                       last_seen;
    ngx_msec_t                       check;       /* when it is due */
    ngx_msec_t                       staled;      /* when it was needed */
    ngx_msec_t                       started;     /* its weight to grow */
    ngx_msec_t                       idle;        /* in use last, or until */
    int64_t                          current_weight;

    uint32_t                         conns;       /* derived */
    uint32_t                         streams;     /* derived, without pins */
    uint32_t                         pinned;      /* derived */
    uint32_t                         pending;     /* derived: not yet live */
    uint32_t                         named;       /* derived: by the core */
} ngx_rtmp_route_hot_t;


typedef struct {
    uint64_t                         checks;
    uint64_t                         fails;
    uint64_t                         unhealthy;
    uint64_t                         downtime;    /* before downstart */
    ngx_msec_t                       downstart;   /* if hot->out */
    ngx_msec_t                       last;
    uint32_t                         count;       /* results like the last */
    uint32_t                         took;        /* ms */
    u_char                           passed;
    u_char                           error_len;
    u_char                           error[NGX_RTMP_ROUTE_WHY_LEN];
} ngx_rtmp_route_health_t;


typedef struct {
    ngx_rtmp_route_server_info_t     info[2];
    ngx_rtmp_route_server_params_t   params[2];
    ngx_rtmp_route_server_params_t   given[2];    /* without updates */

    uint32_t                         birth;       /* seq at its addition */
    uint32_t                         hash;        /* derived, of the id */
    uint32_t                         next;        /* derived: in the bucket */
    uint32_t                         list;        /* derived: first listed */
    u_char                           list_gen;
    uint32_t                         listed;      /* in vain, so far */
    uint32_t                         conflicts;   /* of the last list */
    ngx_pid_t                        list_owner;
    uint64_t                         addrs;       /* derived: bloom of rtmp */

    ngx_rtmp_route_health_t          health;

    uint64_t                         selected;
    uint64_t                         fails;
    uint64_t                         unavail;
    uint64_t                         in;          /* bytes of sessions, from */
    uint64_t                         out;         /* clients and to them */
} ngx_rtmp_route_cold_t;


/*
 * A server is meant by its index and a number that no two servers share:
 * seq, which a restart of the server changes, or birth, which it does not.
 * A reference that does not match is as good as none, so a server goes
 * without a visit to all that refers to it.
 */

typedef struct {
    u_char                           type;
    u_char                           flags;       /* NGX_RTMP_ROUTE_STREAM_ */
    u_char                           list_gen;    /* of the listing */
    u_char                           place;       /* tells old publishers */
    uint32_t                         text;        /* more of the key */
    uint32_t                         hash;
    uint32_t                         next;        /* derived: in the bucket */
    uint32_t                         lru_prev;    /* derived; not in the */
    uint32_t                         lru_next;    /* queue: a publisher */
    uint32_t                         list_prev;   /* derived, a ring */
    uint32_t                         list_next;
    uint32_t                         server_seq;  /* 0: no server */
    uint32_t                         pin_birth;
    uint32_t                         list_seq;
    uint16_t                         server;
    uint16_t                         pin;
    uint16_t                         list;
    uint16_t                         key_len;
    uint32_t                         publishers;  /* derived: sessions */
    uint32_t                         players;     /* derived */
    uint32_t                         live;        /* derived */
    uint32_t                         used;        /* ms */
    uint32_t                         created;     /* s */
    uint32_t                         core;        /* the list, or ms */
    u_char                           key[52];
} ngx_rtmp_route_stream_cell_t;


typedef struct {
    u_char                           type;
    u_char                           kind;        /* PUBLISH or PLAY */
    u_char                           state;
    u_char                           flags;       /* NGX_RTMP_ROUTE_SESSION_ */
    uint32_t                         text;
    uint32_t                         prev;        /* derived, a ring */
    uint32_t                         next;
    uint32_t                         generation;
    uint16_t                         slot;
    uint16_t                         server;
    uint32_t                         birth;       /* of the server */
    uint32_t                         stream;      /* 0: key is in the text */
    uint32_t                         number;
    uint16_t                         key_len;
    u_char                           place;       /* where it is live */
    u_char                           client_len;
    u_char                           agent_len;
    u_char                           told;        /* bits of ROUTE_E_ */
    u_char                           wanted;      /* its end is waited for */
    u_char                           heard;       /* active, when told so */
    ngx_rtmp_route_endpoint_t        upstream;
    ngx_msec_t                       started;
    ngx_atomic_t                     in;
    ngx_atomic_t                     out;
    ngx_atomic_t                     active;
    uint32_t                         rate;        /* bytes/s, when sampled */
    uint32_t                         sampled;     /* ms */
    uint32_t                         sample;      /* bytes then, and wraps */
    uint16_t                         carried;     /* see session_carry() */
    u_char                           data[18];    /* client, agent, key */
} ngx_rtmp_route_session_cell_t;


/* what session_carry() is about to write; a change that is done as a whole */

typedef struct {
    ngx_atomic_t                     valid;
    uint32_t                         cell;
    uint32_t                         sample;
    uint32_t                         carried;
    uint32_t                         server;
    uint16_t                         known;       /* the server is */
    uint16_t                         end;
    uint64_t                         server_in;
    uint64_t                         server_out;
    uint64_t                         in;
    uint64_t                         out;
} ngx_rtmp_route_carry_t;


/* a server lists a stream that is elsewhere */

typedef struct {
    u_char                           valid;
    u_char                           list_gen;    /* of the listing */
    uint16_t                         server;
    uint32_t                         seq;         /* of the server */
    uint32_t                         stream;      /* its cell */
    uint32_t                         hash;        /* of its name */
} ngx_rtmp_route_conflict_t;


/* a ban; what is behind its place in the list never moves */

typedef struct {
    u_char                           valid;
    u_char                           ops;         /* a bit for each */
    u_char                           bits;        /* of addr */
    u_char                           reserved;
    uint32_t                         id;
    uint32_t                         hash;        /* of the key */
    uint32_t                         text;
    uint16_t                         key_len;     /* 0: of any stream */
    uint16_t                         reserved2;
    ngx_rtmp_route_endpoint_t        addr;        /* family 0: of anybody */
    ngx_msec_t                       created;
    ngx_msec_t                       expires;
    u_char                           key[72];
} ngx_rtmp_route_ban_cell_t;


typedef struct {
    u_char                           type;
    u_char                           mark;
    u_char                           reserved[2];
    uint32_t                         text;
    u_char                           data[120];
} ngx_rtmp_route_text_cell_t;


typedef union {
    ngx_rtmp_route_stream_cell_t     stream;
    ngx_rtmp_route_session_cell_t    session;
    ngx_rtmp_route_text_cell_t       text;        /* free cells too */
    u_char                           bytes[128];
} ngx_rtmp_route_cell_t;


struct ngx_rtmp_route_shm_s {
    uint64_t                         magic;
    uint32_t                         layout;
    uint32_t                         sizes;
    ngx_atomic_t                     dirty;

    uint32_t                         nslots;
    uint32_t                         nservers;
    uint32_t                         nbuckets;
    uint32_t                         ncells;
    uint32_t                         nrules;
    uint32_t                         nconflicts;
    uint32_t                         nbans;
    size_t                           size;

    size_t                           heads;       /* offsets */
    size_t                           rules;
    size_t                           conflicts;
    size_t                           bans_at;
    size_t                           hot;
    size_t                           cold;
    size_t                           ids;
    size_t                           buckets;
    size_t                           cells;

    uint64_t                         seed[2];
    uint32_t                         seq;         /* the last one given */
    uint32_t                         server_top;  /* so many were ever used */
    uint32_t                         top;
    uint32_t                         scrub;
    uint32_t                         config;      /* the newest */
    uint32_t                         core;        /* the last list */
    uint32_t                         conflict;    /* where the next one goes */
    uint32_t                         lost;        /* servers went down */
    uint32_t                         rule;        /* the last id given */
    uint32_t                         ban;         /* the same */
    uint32_t                         rules_used;  /* 0 or 1 */
    uint32_t                         rules_len[2];
    uint32_t                         stale;       /* servers that are */
    ngx_atomic_t                     rules_version;
    ngx_atomic_t                     hosts_version;
    ngx_atomic_t                     changes;     /* of what is saved */
    ngx_atomic_t                     beats;       /* of registrations */
    ngx_msec_t                       full_logged;

    uint64_t                         born;        /* ms since the epoch */
    uint64_t                         saved_changes;
    uint64_t                         saved_beats;
    uint64_t                         saved_file[3];
    ngx_msec_t                       saved_turn;

    uint64_t                         evicted;
    uint64_t                         full;
    uint64_t                         rebuilt;

    uint64_t                         in;          /* bytes of sessions */
    uint64_t                         out;
    ngx_rtmp_route_carry_t           carry;
    ngx_rtmp_route_counters_t        counters;
    uint32_t                         nhistory;    /* so many were made */
    ngx_rtmp_route_history_t         history[NGX_RTMP_ROUTE_HISTORY];

    uint32_t                         free;        /* derived from here on */
    uint32_t                         nfree;
    uint32_t                         lru_first;
    uint32_t                         lru_last;
    uint32_t                         servers;
    uint32_t                         streams;
    uint32_t                         sessions;
    uint32_t                         conns;
    uint32_t                         strays;      /* of both, on no server */
    uint32_t                         bans;
};


typedef struct {
    ngx_uint_t                       index;       /* of the server */
    ngx_uint_t                       protocol;
    ngx_uint_t                       endpoint;
    ngx_uint_t                       source;
    uint32_t                         stream;      /* its cell or 0 */
    unsigned                         known:1;
    unsigned                         guess:1;
    unsigned                         single:1;
    unsigned                         last:1;
    unsigned                         counted:1;   /* adds a connection */
    unsigned                         admitted:1;  /* known or not */
    unsigned                         mandatory:1; /* checks come first */
    unsigned                         forced:1;    /* to forced servers */
    unsigned                         room:1;      /* for a stream is wanted */
    unsigned                         full:1;      /* one had no room */
    ngx_uint_t                       nlisted;     /* none but these servers */
    ngx_uint_t                       turn;        /* of which one from 1 on */
    uint64_t                         listed[NGX_RTMP_ROUTE_MAX_TRIED];
} ngx_rtmp_route_choice_t;


#define ngx_rtmp_route_at(sh, offset, type)                                   \
    ((type *) ((u_char *) (sh) + (sh)->offset))

#define ngx_rtmp_route_head(sh, i)                                            \
    (&ngx_rtmp_route_at(sh, heads, ngx_rtmp_route_head_t)[i])
#define ngx_rtmp_route_rule_list(sh, n)                                       \
    (&ngx_rtmp_route_at(sh, rules, ngx_rtmp_route_rule_t)                     \
          [(size_t) (n) * (sh)->nrules])
#define ngx_rtmp_route_conflict(sh, i)                                        \
    (&ngx_rtmp_route_at(sh, conflicts, ngx_rtmp_route_conflict_t)[i])
#define ngx_rtmp_route_ban(sh, i)                                             \
    (&ngx_rtmp_route_at(sh, bans_at, ngx_rtmp_route_ban_cell_t)[i])
#define ngx_rtmp_route_hot(sh, i)                                             \
    (&ngx_rtmp_route_at(sh, hot, ngx_rtmp_route_hot_t)[i])
#define ngx_rtmp_route_cold(sh, i)                                            \
    (&ngx_rtmp_route_at(sh, cold, ngx_rtmp_route_cold_t)[i])
#define ngx_rtmp_route_id_bucket(sh, hash)                                    \
    (&ngx_rtmp_route_at(sh, ids, uint32_t)                                    \
          [((uint64_t) (hash) * (sh)->nservers) >> 32])
#define ngx_rtmp_route_bucket(sh, hash)                                       \
    (&ngx_rtmp_route_at(sh, buckets, uint32_t)                                \
          [((uint64_t) (hash) * (sh)->nbuckets) >> 32])

/* cells are counted from 1, servers from 0 */

#define ngx_rtmp_route_cell(sh, i)                                            \
    (&ngx_rtmp_route_at(sh, cells, ngx_rtmp_route_cell_t)[(size_t) (i) - 1])
#define ngx_rtmp_route_stream(sh, i)                                          \
    (&ngx_rtmp_route_cell(sh, i)->stream)
#define ngx_rtmp_route_session_cell(sh, i)                                    \
    (&ngx_rtmp_route_cell(sh, i)->session)
#define ngx_rtmp_route_text(sh, i)                                            \
    (&ngx_rtmp_route_cell(sh, i)->text)

#define ngx_rtmp_route_stream_from(st)                                        \
    ((st)->flags & NGX_RTMP_ROUTE_STREAM_FROM)


/* to be called before the first change of what is derived */

static ngx_inline void
ngx_rtmp_route_table_touch(ngx_rtmp_route_shm_t *sh)
{
    if (!sh->dirty) {
        sh->dirty = 1;
        ngx_memory_barrier();
        ngx_rtmp_route_point();
    }
}


/* what outlives a restart has changed: the state file has to be written */

#define ngx_rtmp_route_table_changed(sh)  (sh)->changes++


/*
 * All functions below are called with the lock held, unless said otherwise.
 */

/* ngx_rtmp_route_table.c; unlock also wakes waiters and writes the log */

void ngx_rtmp_route_table_lock(ngx_rtmp_route_table_t *table);
void ngx_rtmp_route_table_unlock(ngx_rtmp_route_table_t *table);


/* ngx_rtmp_route_table_cell.c */

uint64_t ngx_rtmp_route_siphash(uint64_t seed[2], u_char *data, size_t len);

/* makes sure of n free cells, if need be by forgetting idle streams */
ngx_int_t ngx_rtmp_route_cells_reserve(ngx_rtmp_route_table_t *table,
    ngx_uint_t n);
uint32_t ngx_rtmp_route_cell_alloc(ngx_rtmp_route_shm_t *sh);
void ngx_rtmp_route_cell_free(ngx_rtmp_route_shm_t *sh, uint32_t i);

/* the last one of a step of n cells behind i; returns whether more follow */
ngx_uint_t ngx_rtmp_route_cells_step(ngx_rtmp_route_shm_t *sh, uint32_t i,
    uint32_t n, uint32_t *last);

/* text: the first bytes are in the record, more of it in other cells */
ngx_uint_t ngx_rtmp_route_text_cells(size_t len, size_t room);
uint32_t ngx_rtmp_route_text_put(ngx_rtmp_route_shm_t *sh, u_char *data,
    size_t room, u_char *src, size_t len);
void ngx_rtmp_route_text_get(ngx_rtmp_route_shm_t *sh, u_char *data,
    size_t room, uint32_t text, u_char *dst, size_t len);
ngx_uint_t ngx_rtmp_route_text_equal(ngx_rtmp_route_shm_t *sh, u_char *data,
    size_t room, uint32_t text, u_char *key, size_t len);


/* ngx_rtmp_route_table_server.c; an index or NGX_ERROR */

ngx_int_t ngx_rtmp_route_server_find(ngx_rtmp_route_shm_t *sh, u_char *id,
    size_t len);
ngx_int_t ngx_rtmp_route_server_add(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params);
void ngx_rtmp_route_server_derive(ngx_rtmp_route_shm_t *sh, ngx_uint_t i);
void ngx_rtmp_route_server_link(ngx_rtmp_route_shm_t *sh, ngx_uint_t i);
void ngx_rtmp_route_server_unlink(ngx_rtmp_route_shm_t *sh, ngx_uint_t i);
void ngx_rtmp_route_server_drop(ngx_rtmp_route_shm_t *sh, ngx_uint_t i);
ngx_uint_t ngx_rtmp_route_server_conns(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t i, uint32_t birth, ngx_int_t add);
void ngx_rtmp_route_server_sweep(ngx_rtmp_route_table_t *table);
ngx_uint_t ngx_rtmp_route_server_state(ngx_rtmp_route_hot_t *hot);

/* params get what new says otherwise than given, which gets it, too */
ngx_uint_t ngx_rtmp_route_server_merge(
    ngx_rtmp_route_server_params_t *params,
    ngx_rtmp_route_server_params_t *given,
    ngx_rtmp_route_server_params_t *new);
void ngx_rtmp_route_server_write(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params,
    ngx_rtmp_route_server_params_t *given);


/* ngx_rtmp_route_table_name.c */

ngx_uint_t ngx_rtmp_route_server_moved(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t i, ngx_rtmp_route_server_info_t *info);
void ngx_rtmp_route_server_split(ngx_rtmp_route_table_t *table,
    ngx_uint_t i);

/* the same as long as the address is, whatever the id is */
uint32_t ngx_rtmp_route_server_where(ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_endpoint_t *endpoint);

/* whether one that is gone may be taken */
ngx_uint_t ngx_rtmp_route_server_gone_for(ngx_rtmp_route_query_t *query,
    ngx_uint_t purpose);

/* with the lock: somebody is there, or was sent there */
void ngx_rtmp_route_server_in_use(ngx_rtmp_route_hot_t *hot, ngx_uint_t op);

/* without the lock: removes those that are gone and not in use any more */
void ngx_rtmp_route_server_reap(ngx_rtmp_route_table_t *table);


/*
 * ngx_rtmp_route_table_rights.c; NGX_OK or NGX_DECLINED: displace also removes
 * registered servers that have an rtmp address of info
 */

ngx_int_t ngx_rtmp_route_server_allow(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info);
ngx_int_t ngx_rtmp_route_server_displace(ngx_rtmp_route_table_t *table,
    ngx_int_t self, ngx_rtmp_route_server_info_t *info);
ngx_int_t ngx_rtmp_route_server_unique(ngx_rtmp_route_shm_t *sh,
    ngx_int_t self, ngx_rtmp_route_server_info_t *info);
ngx_uint_t ngx_rtmp_route_server_same_rtmp(ngx_rtmp_route_server_info_t *a,
    ngx_rtmp_route_server_info_t *b);
uint64_t ngx_rtmp_route_server_addrs(ngx_rtmp_route_server_info_t *info);


/* whether a reference still means that server */

#define ngx_rtmp_route_server_is(sh, i, n)                                    \
    ((n) && ngx_rtmp_route_hot(sh, i)->valid                                  \
     && ngx_rtmp_route_hot(sh, i)->seq == (n))
#define ngx_rtmp_route_server_born(sh, i, n)                                  \
    ((n) && ngx_rtmp_route_hot(sh, i)->valid                                  \
     && ngx_rtmp_route_cold(sh, i)->birth == (n))

/* the cached time of another process may be ahead of ours */

#define ngx_rtmp_route_passed(since)                                          \
    ((ngx_msec_int_t) (ngx_current_msec - (since)))

#define ngx_rtmp_route_server_expired(hot)                                    \
    ((hot)->source == NGX_RTMP_ROUTE_SRC_REGISTER && (hot)->timeout           \
     && ngx_rtmp_route_passed((hot)->last_seen)                               \
        > (ngx_msec_int_t) (hot)->timeout)
#define ngx_rtmp_route_server_late(hot)                                       \
    ((hot)->source == NGX_RTMP_ROUTE_SRC_REGISTER && (hot)->timeout           \
     && ngx_rtmp_route_passed((hot)->last_seen)                               \
        > (ngx_msec_int_t) ((hot)->timeout / 2))
#define ngx_rtmp_route_server_unavail(hot)                                    \
    ((hot)->max_fails && (hot)->fails >= (hot)->max_fails                     \
     && ngx_rtmp_route_passed((hot)->checked)                                 \
        <= (ngx_msec_int_t) (hot)->fail_timeout)


/*
 * For a while, or if there is no other, a server is used that does not
 * register any more but passes its checks
 */

#define ngx_rtmp_route_server_kept(hot)                                       \
    ((hot)->health == NGX_RTMP_ROUTE_HEALTH_UP                                \
     && ((hot)->stale                                                         \
         || ngx_rtmp_route_passed((hot)->last_seen) / 2                       \
            <= (ngx_msec_int_t) (hot)->timeout))
#define ngx_rtmp_route_server_lapsed(hot)                                     \
    (ngx_rtmp_route_server_expired(hot) && !ngx_rtmp_route_server_kept(hot))


/* ngx_rtmp_route_table_health.c */

/*
 * Looks which servers are used though they have expired, and which are to be
 * checked for that.  NGX_OK: there are more of the former than before.
 */
ngx_int_t ngx_rtmp_route_health_survey(ngx_rtmp_route_table_t *table);

/* notes since when a server is out of use, or that it is in use again */
void ngx_rtmp_route_health_note(ngx_rtmp_route_table_t *table, ngx_uint_t i);

/* the server was out of use: its weight grows from now on, if it shall */
void ngx_rtmp_route_health_recover(ngx_rtmp_route_hot_t *hot);

/* one that has come, or come back as another one */
void ngx_rtmp_route_health_born(ngx_rtmp_route_table_t *table, ngx_uint_t i);

void ngx_rtmp_route_health_copy(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_shm_t *osh, ngx_uint_t n);
void ngx_rtmp_route_health_fill(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_health_stat_t *stat);
uint32_t ngx_rtmp_route_health_weight(ngx_rtmp_route_hot_t *hot);

/* takes the lock; writes to the log what has changed with time alone */
void ngx_rtmp_route_health_sweep(ngx_rtmp_route_table_t *table);

#define ngx_rtmp_route_weight(hot)                                            \
    ((hot)->slow ? ngx_rtmp_route_health_weight(hot)                          \
                 : (hot)->weight << NGX_RTMP_ROUTE_WEIGHT_BITS)


/* ngx_rtmp_route_table_rules.c; NGX_OK, or NGX_DECLINED: they do not fit */

ngx_int_t ngx_rtmp_route_rules_copy(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_shm_t *osh);
ngx_uint_t ngx_rtmp_route_rule_same(ngx_rtmp_route_rule_t *a,
    ngx_rtmp_route_rule_t *b);


/* ngx_rtmp_route_table_bans.c */

/* how long that is banned, ms; 0: it is not */
ngx_msec_t ngx_rtmp_route_ban_time(ngx_rtmp_route_shm_t *sh, ngx_str_t *key,
    ngx_uint_t op, ngx_rtmp_route_endpoint_t *addr);

/* as ban_add(), with an id of its own if that is not 0 */
ngx_int_t ngx_rtmp_route_ban_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t *ban, uint32_t id);
void ngx_rtmp_route_bans_drop(ngx_rtmp_route_shm_t *sh);
void ngx_rtmp_route_bans_expire(ngx_rtmp_route_shm_t *sh);

/* NGX_OK, or NGX_DECLINED: they do not fit */
ngx_int_t ngx_rtmp_route_bans_copy(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_shm_t *osh);


/* ngx_rtmp_route_table_conflict.c */

void ngx_rtmp_route_conflict_add(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t server);
void ngx_rtmp_route_conflict_trim(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t server);
void ngx_rtmp_route_conflict_fill(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_stream_stat_t *stat);


/* ngx_rtmp_route_table_stream.c; a cell or 0 */

uint32_t ngx_rtmp_route_stream_hash(ngx_rtmp_route_shm_t *sh,
    ngx_str_t *key);
uint32_t ngx_rtmp_route_stream_find(ngx_rtmp_route_shm_t *sh, ngx_str_t *key);
uint32_t ngx_rtmp_route_stream_create(ngx_rtmp_route_table_t *table,
    ngx_str_t *key);
void ngx_rtmp_route_stream_drop(ngx_rtmp_route_shm_t *sh, uint32_t i);
uint32_t ngx_rtmp_route_stream_settle(ngx_rtmp_route_shm_t *sh, uint32_t i);
uint32_t ngx_rtmp_route_stream_refresh(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_stream_used(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_stream_move(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t server, ngx_uint_t from);
void ngx_rtmp_route_stream_lived(ngx_rtmp_route_table_t *table, uint32_t i);
ngx_uint_t ngx_rtmp_route_stream_known(ngx_rtmp_route_stream_cell_t *st);
ngx_uint_t ngx_rtmp_route_stream_source(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st, ngx_uint_t *server);
void ngx_rtmp_route_stream_adopt(ngx_rtmp_route_shm_t *sh, uint32_t i);
ngx_int_t ngx_rtmp_route_stream_set_locked(ngx_rtmp_route_table_t *table,
    ngx_str_t *key, ngx_str_t *server, ngx_uint_t from);
ngx_int_t ngx_rtmp_route_list_trim(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t server, ngx_int_t generation);


/*
 * ngx_rtmp_route_table_links.c: what is derived of a stream.  A change of
 * anything that decides where a stream is counted stands between two calls
 * of count, with -1 and with 1.
 */

void ngx_rtmp_route_stream_count(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st, ngx_int_t add);
uint32_t *ngx_rtmp_route_stream_counter(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_stream_cell_t *st);
ngx_uint_t ngx_rtmp_route_stream_idle(ngx_rtmp_route_stream_cell_t *st);
ngx_uint_t ngx_rtmp_route_stream_void(ngx_rtmp_route_stream_cell_t *st);
void ngx_rtmp_route_bucket_add(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_bucket_remove(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_lru_add(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_lru_remove(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_list_add(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t tail);
void ngx_rtmp_route_list_remove(ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_slot_add(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t tail);
void ngx_rtmp_route_slot_remove(ngx_rtmp_route_shm_t *sh, uint32_t i);


/* ngx_rtmp_route_table_session.c; NULL: there is none */

ngx_rtmp_route_session_cell_t *ngx_rtmp_route_session_own(
    ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_session_t *session);
void ngx_rtmp_route_session_live(ngx_rtmp_route_table_t *table,
    uint32_t cell);
ngx_rtmp_route_session_cell_t *ngx_rtmp_route_stream_publisher(
    ngx_rtmp_route_shm_t *sh, uint32_t i);
void ngx_rtmp_route_session_drop(ngx_rtmp_route_table_t *table, uint32_t i);


/* the address of its client, in text, which is that of its record */
void ngx_rtmp_route_session_addr(ngx_rtmp_route_session_cell_t *s,
    u_char *text, ngx_rtmp_route_endpoint_t *addr);


/* ngx_rtmp_route_table_rate.c: bits/s of the last seconds */

uint64_t ngx_rtmp_route_session_rate(ngx_rtmp_route_session_cell_t *s);


/* ngx_rtmp_route_table_metrics.c */

/* bytes of a session that are new are its server's, too; end: all of them */
void ngx_rtmp_route_session_carry(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t end);

/* does what a process has not finished */
void ngx_rtmp_route_session_carried(ngx_rtmp_route_shm_t *sh);

/* if its state is another one than before */
void ngx_rtmp_route_server_note(ngx_rtmp_route_shm_t *sh, ngx_uint_t i);

void ngx_rtmp_route_metrics_copy(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_shm_t *osh);


/* ngx_rtmp_route_table_stray.c */

/*
 * Without the lock.  A server has come, with hot->adopt set: what has gone on
 * at its address since it went is its.  all: of those not finished with.
 */
void ngx_rtmp_route_session_adopt(ngx_rtmp_route_table_t *table,
    ngx_uint_t server);
void ngx_rtmp_route_session_adopt_all(ngx_rtmp_route_table_t *table);

/* without the lock */
ngx_uint_t ngx_rtmp_route_session_sweep(ngx_rtmp_route_table_t *table);


/* ngx_rtmp_route_table_event.c */

ngx_uint_t ngx_rtmp_route_session_mark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s, ngx_uint_t what);
void ngx_rtmp_route_session_unmark(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_session_cell_t *s);


/*
 * ngx_rtmp_route_pick.c; a server is looked at for a new stream, for one that
 * is known to be there, or for one that is live there
 */

#define NGX_RTMP_ROUTE_FOR_NEW        0
#define NGX_RTMP_ROUTE_FOR_KNOWN      1
#define NGX_RTMP_ROUTE_FOR_LIVE       2

/* a question leaves nothing behind */

#define ngx_rtmp_route_asks(query)                                            \
    ((query)->lookup || (query)->peek)

ngx_int_t ngx_rtmp_route_pick_locked(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
ngx_uint_t ngx_rtmp_route_eligible(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t i, ngx_uint_t purpose);
void ngx_rtmp_route_pick_copy(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_choice_t *choice, ngx_rtmp_route_peer_t *peer,
    ngx_rtmp_route_endpoint_t *endpoint);

/* without the lock */
ngx_uint_t ngx_rtmp_route_pick_retry(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_choice_t *choice);
void ngx_rtmp_route_pick_name(ngx_rtmp_route_peer_t *peer,
    ngx_rtmp_route_endpoint_t *endpoint);


/* ngx_rtmp_route_method.c */

/* what servers are known by to picks, of all proxies alike */
void ngx_rtmp_route_method_keys(ngx_rtmp_route_hot_t *hot, u_char *id,
    size_t len);
uint64_t ngx_rtmp_route_method_key(u_char *text, size_t len);

ngx_int_t ngx_rtmp_route_pick_method(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup);


/* ngx_rtmp_route_table_rebuild.c */

void ngx_rtmp_route_table_rebuild(ngx_rtmp_route_shm_t *sh);


#endif /* _NGX_RTMP_ROUTE_TABLE_INT_H_INCLUDED_ */
