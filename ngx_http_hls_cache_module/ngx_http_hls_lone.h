
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A request without a client, for fills and ghosts: a parent on a connection
 * that has no socket, and one subrequest under it that does the work.
 */


#ifndef _NGX_HTTP_HLS_LONE_H_INCLUDED_
#define _NGX_HTTP_HLS_LONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_fill.h"


/* where a request is; the configuration is that of its cycle */

struct ngx_http_hls_place_s {
    void                    **srv_conf;
    void                    **loc_conf;
    ngx_int_t                 phase_handler;
    ngx_http_handler_pt       content_handler;
    ngx_array_t              *variables;
    int                      *captures;
    u_char                   *captures_data;
    ngx_uint_t                ncaptures;
    unsigned                  valid_location:1;
};


/* lives in the pool of its connection */

struct ngx_http_hls_lone_s {
    ngx_http_log_ctx_t        ctx;        /* first, nginx's data of the log */
    ngx_log_t                 log;
    ngx_http_connection_t     hc;
    struct sockaddr_un        sockaddr;
    ngx_connection_t         *connection;
    ngx_http_request_t       *parent;
    ngx_http_request_t       *request;    /* the subrequest, NULL: not yet */

    /* its owner's: NULL and not called any more after done() */
    void                     *data;
    void                    (*done)(ngx_http_hls_lone_t *lone);

    unsigned                  ghost:1;
    unsigned                  waiting:1;  /* to be run */
};


/* the parent as nginx makes it, in the server of ctx; NULL: no connections */
ngx_http_hls_lone_t *ngx_http_hls_lone_create(ngx_listening_t *ls,
    ngx_http_connection_t *hc, ngx_http_conf_ctx_t *ctx);

/*
 * Posts the subrequest and runs it, and so does the other with its end;
 * neither the lone nor its owner may be used when they return.
 */
void ngx_http_hls_lone_run(ngx_http_hls_lone_t *lone, ngx_uint_t flags);
void ngx_http_hls_lone_close(ngx_http_hls_lone_t *lone);

/* posts it only; there may be one after the other */
ngx_int_t ngx_http_hls_lone_post(ngx_http_hls_lone_t *lone, ngx_uint_t flags);

/* one that was never run; its owner hears nothing */
void ngx_http_hls_lone_free(ngx_http_hls_lone_t *lone);

/* of any request, NULL: it has a client */
ngx_http_hls_lone_t *ngx_http_hls_lone_of(ngx_http_request_t *r);

/* takes the owner's name off, without a call; the other: as the worker exits */
void ngx_http_hls_lone_forget(ngx_http_hls_lone_t *lone);
void ngx_http_hls_lone_leave(ngx_http_hls_lone_t *lone);


/*
 * ngx_http_hls_fill_request.c: what the parent asks for.  The uri is decoded;
 * passed are those of r's headers whose names, in lower case, are in pass.
 */
ngx_int_t ngx_http_hls_fill_request_line(ngx_http_request_t *pr,
    ngx_str_t *uri, ngx_str_t *args);
ngx_int_t ngx_http_hls_fill_headers(ngx_http_request_t *pr, ngx_str_t *host,
    ngx_array_t *passed);
ngx_array_t *ngx_http_hls_fill_passed(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_array_t *pass);

/* the place of r; and a parent that is to begin there */
ngx_int_t ngx_http_hls_fill_place(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_hls_place_t *place);
ngx_int_t ngx_http_hls_fill_set_place(ngx_http_request_t *pr,
    ngx_http_hls_place_t *place);

/*
 * Values that no handler computes, of "set" and of named captures; and those
 * of the connection, such as $scheme.  captures: not those of "set".
 */
ngx_array_t *ngx_http_hls_fill_variables(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_uint_t captures);
ngx_int_t ngx_http_hls_fill_set_variables(ngx_http_request_t *pr,
    ngx_array_t *variables);

/* finds the handlers that variables of these two kinds have */
ngx_int_t ngx_http_hls_fill_probe(ngx_conf_t *cf);


/* ngx_http_hls_fill.c, for the filter and the connection */

ngx_int_t ngx_http_hls_fill_header(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *r);
ngx_int_t ngx_http_hls_fill_body(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *r, ngx_chain_t *in);
/* whether the parent is to run another subrequest, which is made */
ngx_uint_t ngx_http_hls_fill_next(ngx_http_hls_lone_t *lone);
void ngx_http_hls_fill_status(ngx_http_hls_lone_t *lone, ngx_int_t rc);
ngx_uint_t ngx_http_hls_fill_is_paused(ngx_http_hls_lone_t *lone);

/* init_process, exit_process */

void ngx_http_hls_fill_init(void);
void ngx_http_hls_fill_exit(void);
void ngx_http_hls_ghost_init(void);
void ngx_http_hls_ghost_exit(void);


#endif /* _NGX_HTTP_HLS_LONE_H_INCLUDED_ */
