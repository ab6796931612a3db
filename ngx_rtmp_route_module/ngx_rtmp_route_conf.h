
/*
 * Copyright (C) The nginx-osp authors
 */


/* What rtmp_route NAME { } says; inside the module only. */


#ifndef _NGX_RTMP_ROUTE_CONF_H_INCLUDED_
#define _NGX_RTMP_ROUTE_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_acl.h"
#include "ngx_rtmp_route_control.h"
#include "ngx_rtmp_route_table.h"


typedef struct ngx_rtmp_route_state_s  ngx_rtmp_route_state_t;
typedef struct ngx_rtmp_route_check_s  ngx_rtmp_route_check_t;


/* register [timeout=] [token=]... [from=]... [allow=]... [ports=] ... */

typedef struct {
    ngx_msec_t                       timeout;
    ngx_array_t                     *tokens;    /* of ngx_str_t, or NULL */
    ngx_array_t                     *from;      /* of ngx_cidr_t, or NULL */
    ngx_array_t                     *allow;     /* of ngx_cidr_t, or NULL */
    ngx_array_t                     *ports;     /* of port ranges, or NULL */
    uint32_t                         max_fails; /* of who registers, and */
    uint32_t                         fail_timeout;
    uint32_t                         slow_start;
    unsigned                         streams:1;
    unsigned                         open:1;
} ngx_rtmp_route_register_t;


typedef struct {
    in_port_t                        first;
    in_port_t                        last;
} ngx_rtmp_route_ports_t;


/* server ADDR ...: a name stands for as many servers as it has addresses */

typedef struct {
    ngx_str_t                        name;      /* as written */
    ngx_rtmp_route_server_info_t     info;      /* endpoints: ports only */
    ngx_rtmp_route_server_params_t   params;
    ngx_uint_t                       naddrs;
    ngx_rtmp_route_endpoint_t       *addrs;     /* literal or resolved */
    unsigned                         literal:1;
    unsigned                         refused:1; /* by the table */
    unsigned                         failed:1;  /* could not be resolved */
    unsigned                         missing:1; /* there is no such name */
    unsigned                         excess:1;  /* it has too many addresses */
    unsigned                         turn:1;    /* may ask a name server */
    unsigned                         waiting:1; /* for its turn, in queue */
    ngx_queue_t                      queue;
    ngx_event_t                      event;     /* resolves, worker 0 */
    ngx_connection_t                 dumb;
    ngx_resolver_ctx_t              *resolving;
    ngx_rtmp_route_t                *route;
} ngx_rtmp_route_server_t;


/* of ngx_rtmp_route_owned.c, in this process */

typedef struct {
    ngx_pool_t                      *pool;      /* NULL: not made */
    ngx_rbtree_t                     tree;
    ngx_rbtree_node_t                sentinel;
    uint32_t                         version;   /* of the table's hosts */
    ngx_uint_t                       runs;
} ngx_rtmp_route_owners_t;


struct ngx_rtmp_route_s {
    ngx_str_t                        name;
    ngx_rtmp_route_table_t           table;

    ngx_shm_zone_t                  *shm_zone;
    ngx_str_t                        zone;
    ssize_t                          size;

    ngx_uint_t                       key;       /* NGX_RTMP_ROUTE_KEY_* */
    ngx_flag_t                       secret;
    ngx_uint_t                       method;
    ngx_uint_t                       unknown;
    ngx_msec_t                       unknown_wait;
    ngx_msec_t                       inactive;

    ngx_rtmp_route_register_t       *reg;       /* NULL: none may register */
    ngx_rtmp_route_check_t          *check;     /* NULL: none is asked for */
    ngx_rtmp_route_control_t        *control;   /* NULL: the table decides */
    ngx_str_t                        needed;    /* by whom, or empty */
    ngx_array_t                     *paths;     /* of rules, or NULL: */
                                                /* ngx_rtmp_route_path.h */

    ngx_resolver_t                  *resolver;
    ngx_msec_t                       resolver_timeout;
    ngx_array_t                      servers;   /* ngx_rtmp_route_server_t */
    ngx_queue_t                      named;     /* by control, worker 0 */
    ngx_rbtree_t                     names;     /* of them */
    ngx_rbtree_node_t                names_sentinel;
    ngx_rtmp_route_owners_t          owners;

    ngx_rtmp_route_state_t          *state;     /* NULL: no state file */

    ngx_rtmp_route_acl_t             acl;       /* this process' copy */

    ngx_queue_t                      waits;     /* this process' waiters */
    ngx_event_t                      wake;      /* posted: runs the waiters */
    ngx_uint_t                       waiting;   /* counted in the zone */

    ngx_queue_t                      sessions;  /* this process' watched */
    ngx_queue_t                      teller;    /* a place among them */
    ngx_event_t                      tell;      /* posted: goes on there */
    ngx_queue_t                      sampler;   /* another place there */
    ngx_event_t                      sample;    /* posted: the same */
    uint32_t                         losses;    /* seen of the table */
    unsigned                         telling:1;
    unsigned                         tell_again:1;
    unsigned                         losing:1;  /* looks at servers, too */
    unsigned                         sampling:1;

    ngx_cycle_t                     *cycle;
    u_char                          *file;      /* where it is mentioned */
    ngx_uint_t                       line;
    unsigned                         defined:1;
};


/* a place in the configuration; file NULL: none */

typedef struct {
    u_char                          *file;
    ngx_uint_t                       line;
} ngx_rtmp_route_place_t;


typedef struct {
    ngx_array_t                      routes;    /* ngx_rtmp_route_t * */
    ngx_rtmp_route_t                *current;   /* whose block is read */

    ngx_cycle_t                     *cycle;
    ngx_uint_t                       number;    /* of those of this master */
    uint64_t                         loaded;    /* ms since the epoch */
    ngx_str_t                     *(*reason)(ngx_uint_t n);
    ngx_uint_t                       nreasons;  /* why sessions end */
    ngx_uint_t                       nwakes;    /* of other modules */
    void                           (*wakes[NGX_RTMP_ROUTE_MAX_WAKES])(void);
    ngx_rtmp_route_place_t           proxies;   /* "proxies" with a route */
    ngx_rtmp_route_place_t           proxies_alone;
    unsigned                         initialized:1;
    unsigned                         drains:1;  /* that may be asked for */
    unsigned                         registers:1; /* with proxies */
} ngx_rtmp_route_main_conf_t;


#define ngx_rtmp_route_main_conf(cycle)                                       \
    ((ngx_rtmp_route_main_conf_t *)                                           \
         ngx_get_conf((cycle)->conf_ctx, ngx_rtmp_route_module))


/* ngx_rtmp_route_directives.c: what the block may say */

char *ngx_rtmp_route_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rtmp_route_key_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_rtmp_route_method(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rtmp_route_unknown(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rtmp_route_resolver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rtmp_route_state(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* what it leaves unset, and checks that need the whole block */
char *ngx_rtmp_route_defaults(ngx_conf_t *cf, ngx_rtmp_route_t *route);

/* ... and what depends on other blocks, too, once all have been read */
void ngx_rtmp_route_defaults_last(ngx_rtmp_route_t *route, ngx_log_t *log);


/* ngx_rtmp_route_servers.c: server and register */

ngx_int_t ngx_rtmp_route_server_lookup(ngx_conf_t *cf,
    ngx_rtmp_route_t *route);
char *ngx_rtmp_route_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_rtmp_route_register(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* adds a token, or those of "file:PATH"; NGX_ERROR after a log line */
ngx_int_t ngx_rtmp_route_register_token(ngx_conf_t *cf,
    ngx_rtmp_route_register_t *reg, ngx_str_t *text);


/* ngx_rtmp_route_path_conf.c */

char *ngx_rtmp_route_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* warns of servers that are named by a rule and not there, in init_module */
void ngx_rtmp_route_paths_check(ngx_rtmp_route_t *route);


/* ngx_rtmp_route.c: calls those who wait in this process */

void ngx_rtmp_route_wake_handler(ngx_event_t *ev);


/* ngx_rtmp_route_control.c: a worker leaves, the table stays as it is */

void ngx_rtmp_route_control_exit(ngx_rtmp_route_t *route);


/* ngx_rtmp_route_names.c: the addresses of names, asked for again and again */

/* in the first worker: resolves names now and again, on cancelable timers */
void ngx_rtmp_route_servers_resolve(ngx_rtmp_route_t *route);

/* the same for one server, and the end of it */
void ngx_rtmp_route_server_start(ngx_rtmp_route_server_t *server);
void ngx_rtmp_route_server_stop(ngx_rtmp_route_server_t *server);


/* ngx_rtmp_route_resolve.c: keeps the table's copy of servers true */

#define NGX_RTMP_ROUTE_MAX_ADDRS  64            /* of a name */

/* applies the configured servers in init_module: nothing can fail after it */
void ngx_rtmp_route_servers_apply(ngx_rtmp_route_t *route);

/*
 * Makes the table hold exactly these addresses for a server, but for those
 * that are still in use
 */
void ngx_rtmp_route_server_sync(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n);

/*
 * The addresses that the table has of it, those left out that the name has no
 * longer; room for MAX_ADDRS is needed
 */
ngx_uint_t ngx_rtmp_route_server_known(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs);

/* adds to these; 0: there was no room, or another one has none any more */
ngx_uint_t ngx_rtmp_route_addrs_add(ngx_rtmp_route_endpoint_t *addrs,
    ngx_uint_t *n, ngx_rtmp_route_endpoint_t *addr);


/* ngx_rtmp_route_owned.c: the servers of the table that stand for one */

/*
 * Between these two it is not seen that servers are added.  They may be
 * nested; the first begin makes a walk if the table has changed.
 */
void ngx_rtmp_route_owned_begin(ngx_rtmp_route_t *route);
void ngx_rtmp_route_owned_end(ngx_rtmp_route_t *route);

/* as ngx_rtmp_route_server_walk(), between begin and end only */
ngx_int_t ngx_rtmp_route_owned_next(ngx_rtmp_route_server_t *server,
    uint32_t *cursor, ngx_rtmp_route_server_stat_t *stat);

/* frees what begin has made */
void ngx_rtmp_route_owned_free(ngx_rtmp_route_t *route);


#endif /* _NGX_RTMP_ROUTE_CONF_H_INCLUDED_ */
