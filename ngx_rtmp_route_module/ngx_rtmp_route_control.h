
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The seam for a control plane: something that knows which servers there are,
 * where streams are that the table does not know, and who may have their
 * keys.  OSP's core is one.
 */


#ifndef _NGX_RTMP_ROUTE_CONTROL_H_INCLUDED_
#define _NGX_RTMP_ROUTE_CONTROL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_json.h"


/*
 * A control plane: knows where streams are that the table does not know, and
 * who may have their keys.  Its functions are called in the event loop of any
 * worker, without a lock, and must not block.  NGX_AGAIN means that somebody
 * is asked: the caller waits by ngx_rtmp_route_wait() and calls again.
 */

typedef struct ngx_rtmp_route_control_s  ngx_rtmp_route_control_t;


/* what it counts, for all processes together */

typedef struct {
    ngx_uint_t               up;           /* the last poll was good */
    time_t                   last;         /* a good one, s; 0: never */
    ngx_uint_t               servers;
    ngx_uint_t               streams;
    uint64_t                 polls;        /* good ones */
    uint64_t                 polls_failed;
    uint64_t                 yes;          /* answers to questions */
    uint64_t                 no;
    uint64_t                 failed;
} ngx_rtmp_route_control_stat_t;


struct ngx_rtmp_route_control_s {
    ngx_str_t                name;         /* of its directive */
    void                    *data;
    ngx_msec_t               wait;         /* so long may an answer take */

    /* as ngx_rtmp_route_stream_key(), never called for PUBLISH */
    ngx_int_t              (*key)(ngx_rtmp_route_control_t *control,
                                  ngx_pool_t *pool,
                                  ngx_rtmp_route_name_t *name, ngx_uint_t op,
                                  ngx_str_t *key);

    /*
     * The stream is not known, or (known) from an answer whose time is over:
     * it is in use until there is another.  NGX_OK: the table has it;
     * NGX_AGAIN; NGX_DECLINED: there is none; NGX_BUSY: nobody can tell.
     */
    ngx_int_t              (*resolve)(ngx_rtmp_route_control_t *control,
                                      ngx_str_t *key, ngx_uint_t known);

    /* NGX_OK: yes; NGX_DECLINED: no; NGX_AGAIN; NGX_BUSY: nobody can tell */
    ngx_int_t              (*authorize)(ngx_rtmp_route_control_t *control,
                                        ngx_rtmp_route_viewer_t *viewer);

    /* as ngx_rtmp_route_uri(); or NULL */
    ngx_int_t              (*uri)(ngx_rtmp_route_control_t *control,
                                  ngx_pool_t *pool, ngx_str_t *uri);

    /* reads all anew, soon */
    void                   (*refresh)(ngx_rtmp_route_control_t *control);

    /* for metrics and the status page; or NULL */
    void                   (*stat)(ngx_rtmp_route_control_t *control,
                                   ngx_rtmp_route_control_stat_t *stat);

    /* writes an object for the API, without secrets; or NULL */
    void                   (*show)(ngx_rtmp_route_control_t *control,
                                   ngx_rtmp_route_json_t *json);
};


/*
 * A server as the control plane names it: an address, or a name that is
 * resolved now and again by the resolver of the route and stands for as many
 * servers as it has addresses.
 */

typedef struct {
    ngx_str_t                name;         /* lower case, without a port */
    in_port_t                ports[NGX_RTMP_ROUTE_NPROTO];   /* 0: none */
    unsigned                 down:1;
} ngx_rtmp_route_control_server_t;


/* the name of a server, and its id as long as the table has the same servers */

typedef struct {
    ngx_str_t                name;
    uint32_t                 version;      /* 0 at first */
    size_t                   id_len;
    u_char                   id[NGX_RTMP_ROUTE_ID_LEN];
} ngx_rtmp_route_control_name_t;


/*
 * Gives a route its control plane, which lives as long as the configuration.
 * While the configuration is read.  NGX_DECLINED: it has one.
 */
ngx_int_t ngx_rtmp_route_set_control(ngx_rtmp_route_t *route,
    ngx_rtmp_route_control_t *control);

/*
 * Sends all that is wanted over HTTP or HTTPS to that host, whatever the
 * stream, and nothing else: it becomes a server of the route, with the one
 * port.  While the configuration is read.  NGX_ERROR after a log line.
 */
ngx_int_t ngx_rtmp_route_control_force(ngx_conf_t *cf,
    ngx_rtmp_route_t *route, ngx_str_t *host, ngx_uint_t protocol,
    in_port_t port);

/* wakes all who wait, in all workers: for answers that change no table */
void ngx_rtmp_route_wake(ngx_rtmp_route_t *route);

/*
 * Makes the table hold these servers and no others of a control plane
 * (source "core").  What was known of one that stays is kept.  To be called
 * by one process at a time: the first worker.  Names without an address yet
 * are shown, but never picked.  NGX_ERROR: no memory, nothing is changed.
 */
ngx_int_t ngx_rtmp_route_control_servers(ngx_rtmp_route_t *route,
    ngx_rtmp_route_control_server_t *servers, ngx_uint_t n);

/*
 * The id of a server that was named so, one with an address if there is one;
 * in any process.  id->data has room for NGX_RTMP_ROUTE_ID_LEN.  NGX_OK or
 * NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_control_server_id(ngx_rtmp_route_t *route,
    ngx_str_t *name, ngx_str_t *id);

/* how many there are in the table, all addresses of a name counted */
ngx_uint_t ngx_rtmp_route_control_count(ngx_rtmp_route_t *route);

/* once the configuration was read: the resolver of the route, or NULL */
ngx_resolver_t *ngx_rtmp_route_control_resolver(ngx_rtmp_route_t *route,
    ngx_msec_t *timeout);

/*
 * Streams, as the functions without _control_ in ngx_rtmp_route_table.h.  The
 * server is given by its name; NGX_DECLINED: there is no such server.
 */
uint32_t ngx_rtmp_route_control_begin(ngx_rtmp_route_t *route);
ngx_int_t ngx_rtmp_route_control_stream(ngx_rtmp_route_t *route,
    ngx_str_t *key, ngx_rtmp_route_control_name_t *server, uint32_t list,
    ngx_msec_t ttl);
ngx_int_t ngx_rtmp_route_control_end(ngx_rtmp_route_t *route, uint32_t list,
    uint32_t *cursor);
void ngx_rtmp_route_control_forget(ngx_rtmp_route_t *route, ngx_str_t *key);


#endif /* _NGX_RTMP_ROUTE_CONTROL_H_INCLUDED_ */
