
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A small HTTP(S) client.  A client stands for a base URL and keeps idle
 * connections to its host; each request runs on its own.  Nothing blocks, and
 * neither arguments, bodies nor headers are ever logged.
 */


#ifndef _NGX_RTMP_ROUTE_CLIENT_H_INCLUDED_
#define _NGX_RTMP_ROUTE_CLIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include "ngx_rtmp_route_response.h"


#define NGX_RTMP_ROUTE_CLIENT_AGENT  "nginx-osp/0.1.0"


typedef struct ngx_rtmp_route_client_s   ngx_rtmp_route_client_t;
typedef struct ngx_rtmp_route_request_s  ngx_rtmp_route_request_t;


/*
 * What directives may set; in the form of nginx's ready setters, and usable
 * without SSL, too.  Defaults are those of ngx_rtmp_route_client_init().
 */

typedef struct {
    ngx_resolver_t                  *resolver;         /* or NULL */
    ngx_msec_t                       resolver_timeout; /* 5s */

    ngx_msec_t                       connect_timeout;  /* 3s, and of TLS */
    ngx_msec_t                       send_timeout;     /* 5s between writes */
    ngx_msec_t                       read_timeout;     /* 5s between reads */
    ngx_msec_t                       timeout;          /* 10s in all */

    size_t                           max_body;         /* 4m, of answers */

    ngx_int_t                        keepalive;        /* 4 idle, 0: none */
    ngx_msec_t                       keepalive_timeout; /* 60s */

    ngx_flag_t                       ssl_verify;       /* on */
    ngx_int_t                        ssl_verify_depth; /* 3 */
    ngx_flag_t                       ssl_server_name;  /* on: SNI */
    ngx_flag_t                       ssl_session_reuse; /* on */
    ngx_uint_t                       ssl_protocols;    /* TLSv1.2 TLSv1.3 */
    ngx_str_t                        ssl_name;         /* the URL's host */
    ngx_str_t                        ssl_ciphers;      /* DEFAULT */
    ngx_str_t                        ssl_certificate;
    ngx_str_t                        ssl_certificate_key;
    ngx_array_t                     *ssl_passwords;    /* of the key */
    ngx_str_t                        ssl_trusted_certificate; /* system's */
    ngx_str_t                        ssl_crl;
    ngx_array_t                     *ssl_conf_commands;
} ngx_rtmp_route_client_conf_t;


struct ngx_rtmp_route_client_s {
    ngx_str_t                        url;         /* without a last slash */
    ngx_str_t                        host;        /* without brackets */
    ngx_str_t                        authority;   /* of the Host header */
    ngx_str_t                        path;        /* may be empty */
    in_port_t                        port;

    /* of the client itself */

    ngx_rtmp_route_client_conf_t     conf;
    void                            *ssl;         /* ngx_ssl_t */
    void                            *session;     /* ngx_ssl_session_t */
    ngx_addr_t                      *addrs;       /* known from the start */
    ngx_uint_t                       naddrs;

    ngx_queue_t                      idle;        /* connections */
    ngx_int_t                        nidle;
    ngx_sockaddr_t                   last;        /* address that did */
    socklen_t                        last_len;
    unsigned                         https:1;
    unsigned                         literal:1;
};


/*
 * Called once when the request has ended, never from within
 * ngx_rtmp_route_request_start(); the request is freed when it returns.
 */
typedef void (*ngx_rtmp_route_request_handler_pt)(
    ngx_rtmp_route_request_t *request);

/*
 * A piece of the body, whatever the status is (which is known by then); any
 * code but NGX_OK ends the request as failed.
 */
typedef ngx_int_t (*ngx_rtmp_route_request_body_pt)(
    ngx_rtmp_route_request_t *request, ngx_str_t *piece);

/*
 * There is a connection, a new or an old one, and nothing was sent over it
 * yet: the body may be set.  NGX_DECLINED: not over this one, with the error
 * why; another address of the server is tried.  Any other code but NGX_OK ends
 * the request as failed, with the error if one is set.
 */
typedef ngx_int_t (*ngx_rtmp_route_request_connected_pt)(
    ngx_rtmp_route_request_t *request, ngx_connection_t *c);


struct ngx_rtmp_route_request_s {
    ngx_rtmp_route_client_t         *client;
    ngx_pool_t                      *pool;        /* of this request */
    ngx_log_t                       *log;

    /* set by the caller between create and start, copied by start */

    ngx_str_t                        method;      /* GET */
    ngx_str_t                        uri;         /* follows the base URL */
    ngx_str_t                        body;
    ngx_str_t                        content_type; /* of the body */
    ngx_msec_t                       timeout;     /* that of the client */
    size_t                           max_body;    /* that of the client */
    ngx_rtmp_route_request_handler_pt  handler;
    ngx_rtmp_route_request_body_pt   body_handler; /* NULL: collected */
    ngx_rtmp_route_request_connected_pt  connected;
    void                            *data;
    unsigned                         idempotent:1; /* although it is POST */
    unsigned                         quiet:1;     /* failures are not logged */
    unsigned                         waited:1;    /* a leaving worker waits */

    /* the result */

    ngx_uint_t                       status;      /* 0: failed */
    ngx_str_t                        error;       /* why */
    ngx_str_t                        answer;      /* body that was collected */
    unsigned                         timedout:1;  /* why it failed: time, */
    unsigned                         too_large:1; /* or size of the answer */

    /* of the client itself */

    ngx_queue_t                      queue;
    ngx_array_t                      headers;     /* of ngx_keyval_t */
    ngx_rtmp_route_response_t        response;
    ngx_buf_t                       *buf;         /* what is sent */
    ngx_str_t                        line;        /* method and path of it */
    u_char                          *input;
    size_t                           answer_size;
    ngx_resolver_ctx_t              *resolving;
    ngx_addr_t                      *addrs;
    ngx_uint_t                       naddrs;
    ngx_uint_t                       naddr;
    struct ngx_rtmp_route_client_conn_s  *conn;
    ngx_event_t                      event;       /* begins */
    ngx_event_t                      deadline;
    ngx_connection_t                 dumb;
    unsigned                         head:1;
    unsigned                         invalid:1;
    unsigned                         reused:1;    /* the connection */
    unsigned                         fresh:1;     /* must not be reused */
    unsigned                         sent:1;
    unsigned                         busy:1;      /* a callback runs */
    unsigned                         cancelled:1; /* by that callback */
};


/* to be called before directives set something */
void ngx_rtmp_route_client_conf_init(ngx_rtmp_route_client_conf_t *conf);

/*
 * A client for http://host[:port][/path] or https://...; errors are logged
 * for the configuration.  NULL on an error.
 */
ngx_rtmp_route_client_t *ngx_rtmp_route_client_create(ngx_conf_t *cf,
    ngx_str_t *url);

/*
 * Once all is known: takes a copy of conf, with defaults for what is unset,
 * and loads certificates.  A host that can't be found is no error.
 */
ngx_int_t ngx_rtmp_route_client_init(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client, ngx_rtmp_route_client_conf_t *conf);

/* from exit_process: no handler is called any more */
void ngx_rtmp_route_client_exit(void);


/* NULL if there is no memory */
ngx_rtmp_route_request_t *ngx_rtmp_route_request_create(
    ngx_rtmp_route_client_t *client);

/*
 * Adds a header; name and value are copied by start.  The client's own (Host,
 * Connection, User-Agent, and those of the body) can't be given.  NGX_ERROR
 * makes start fail, too, and so need not be looked at.
 */
ngx_int_t ngx_rtmp_route_request_header(ngx_rtmp_route_request_t *request,
    ngx_str_t *name, ngx_str_t *value);

/*
 * NGX_ERROR: it is invalid, or there is no memory: it has been freed, and its
 * handler will not be called
 */
ngx_int_t ngx_rtmp_route_request_start(ngx_rtmp_route_request_t *request);

/*
 * At any time after create, also from callbacks: the handler will not be
 * called
 */
void ngx_rtmp_route_request_cancel(ngx_rtmp_route_request_t *request);

/*
 * From callbacks: the first header of that name, valid as long as the
 * request.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_rtmp_route_request_find(ngx_rtmp_route_request_t *request,
    ngx_str_t *name, ngx_str_t *value);


/*
 * For others who connect by themselves.  connected: 0 once there is a
 * connection, or why there is none, when its write event has come.  ssl: a
 * context of libssl with these protocols, which ends with the configuration;
 * data is what ngx_ssl_create() takes; NULL on an error.
 */
ngx_err_t ngx_rtmp_route_client_connected(ngx_connection_t *c);
#if (NGX_SSL)
ngx_ssl_t *ngx_rtmp_route_client_ssl(ngx_conf_t *cf, ngx_uint_t protocols,
    void *data);
#endif


#endif /* _NGX_RTMP_ROUTE_CLIENT_H_INCLUDED_ */
