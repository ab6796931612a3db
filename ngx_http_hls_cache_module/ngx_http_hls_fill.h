
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Requests that belong to no client.  A fill runs the content handler of a
 * viewer's location and hands what it answers to its owner; a ghost asks like
 * a viewer would and throws the answer away: that is how objects are refreshed
 * and prefetched.
 */


#ifndef _NGX_HTTP_HLS_FILL_H_INCLUDED_
#define _NGX_HTTP_HLS_FILL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct ngx_http_hls_fill_s   ngx_http_hls_fill_t;
typedef struct ngx_http_hls_ghost_s  ngx_http_hls_ghost_t;
typedef struct ngx_http_hls_lone_s   ngx_http_hls_lone_t;
typedef struct ngx_http_hls_place_s  ngx_http_hls_place_t;


/*
 * Made by ngx_http_hls_fill_create(), its memory is its own pool.  The owner
 * sets what is above the line.  Callbacks come from the event loop, never
 * from within start(), and never after end().
 */

struct ngx_http_hls_fill_s {
    void                     *data;

    /*
     * The answer's header, once: sr->headers_out is the origin's or that of
     * nginx's own error page.  What is not NGX_OK ends the fill (the upstream
     * connection is closed) and end() follows.
     */
    ngx_int_t               (*header)(ngx_http_hls_fill_t *fill,
                                      ngx_http_request_t *sr);

    /* bytes of the body, to be copied; not NGX_OK ends the fill */
    ngx_int_t               (*body)(ngx_http_hls_fill_t *fill, u_char *data,
                                    size_t len);

    /*
     * The last call, once, whatever happens, also when the worker leaves; the
     * fill is gone when it returns.  complete: the whole body was seen and has
     * the announced length.
     */
    void                    (*end)(ngx_http_hls_fill_t *fill,
                                   ngx_uint_t complete);

    /* adds headers of the owner's to the request, or NULL */
    ngx_int_t               (*ask)(ngx_http_request_t *pr);

    /* has the same server asked next, or NULL; NGX_ERROR ends the fill */
    ngx_int_t               (*again)(ngx_http_request_t *sr,
                                     ngx_http_request_t *answered);

    ngx_msec_t                timeout;    /* of the whole fill, 0: none */
    ngx_str_t                 args;       /* to ask with */
    ngx_str_t                 host;       /* Host to ask with */
    ngx_array_t              *pass;       /* of ngx_str_t: lower-case names */
                                          /* of viewer headers to go on */
    ngx_str_t                 next;       /* set by header(): the path to */
                                          /* ask the same server for next, */
                                          /* in place of what has come; */
                                          /* header() follows once more */
    ngx_str_t                 next_args;

    /* ---- */

    ngx_pool_t               *pool;       /* lives until end() has returned */
    ngx_connection_t         *connection;
    ngx_http_request_t       *parent;     /* NULL: nothing comes any more */
    ngx_uint_t                status;     /* of the answer that came, or of */
                                          /* the first error, 0: neither */
    off_t                     length;     /* of the body, -1: not announced */
    off_t                     received;
    ngx_uint_t                redirects;

    ngx_http_request_t       *viewer;     /* until it is started */
    ngx_http_hls_lone_t      *lone;
    ngx_chain_t              *out;        /* what came while it was paused */
    ngx_queue_t               queue;
    ngx_event_t               event;
    ngx_event_t               timer;
    unsigned                  ready:1;
    unsigned                  started:1;
    unsigned                  header_seen:1;
    unsigned                  last_seen:1;
    unsigned                  failed:1;
    unsigned                  paused:1;
    unsigned                  complete:1;
    unsigned                  timedout:1;
};


/*
 * A fill for r, which is, or waits, in our precontent handler: its location,
 * uri, captures and variables are taken over.  It must be started or stopped
 * before r can end; after that r may end before the fill does anything.
 * NULL: no memory or no connections, the caller passes r through.
 */
ngx_http_hls_fill_t *ngx_http_hls_fill_create(ngx_http_request_t *r);

/* posts the start; on failure end() is called from the event loop */
void ngx_http_hls_fill_start(ngx_http_hls_fill_t *fill);

/* ends it early, from anywhere; end(complete 0) follows from the event loop */
void ngx_http_hls_fill_stop(ngx_http_hls_fill_t *fill);

/*
 * Stops and goes on reading from the origin, for a body that one reader has.
 * body() is not called while it is paused.  How long that may be is up to the
 * caller, send_timeout does not end it.
 */
void ngx_http_hls_fill_pause(ngx_http_hls_fill_t *fill, ngx_uint_t pause);

/*
 * Whether r is (a subrequest of) a fill or a ghost; r->ctx does not matter.
 * The first is true (but not to be used as a fill) until the last of its
 * subrequests has gone, that is, after end() as well.
 */
ngx_http_hls_fill_t *ngx_http_hls_fill_of(ngx_http_request_t *r);
ngx_http_hls_ghost_t *ngx_http_hls_ghost_of(ngx_http_request_t *r);


/*
 * What is to be asked for, and as whom; copied from a viewer's request, owns
 * its memory, may be used for any number of ghosts one after the other.
 */

struct ngx_http_hls_ghost_s {
    void                     *data;       /* the owner's */
    void                    (*end)(ngx_http_hls_ghost_t *ghost);
                                          /* after each run; may free it */
    /* ---- */
    ngx_pool_t               *pool;
    ngx_str_t                 uri;        /* unparsed, with arguments */
    ngx_str_t                 host;
    ngx_listening_t          *listening;
    ngx_http_connection_t     hc;
    ngx_array_t              *variables;  /* captures of server_name */
    ngx_array_t              *passed;     /* headers, or NULL */
    ngx_http_hls_place_t     *place;      /* to begin at, or NULL */
    ngx_str_t                 path;       /* there: decoded */
    ngx_str_t                 args;
    ngx_http_hls_lone_t      *lone;
    ngx_queue_t               queue;
    ngx_event_t               event;
    ngx_connection_t         *connection;
    ngx_msec_t                fresh;     /* with again: as it was known */
    unsigned                  running:1;
    unsigned                  again:1;   /* unless somebody else has */
    unsigned                  freed:1;
};

/*
 * For another uri than that of r, which begins like a request of a client; or
 * (NULL) for the same, which begins where r is: what was rewritten stays so,
 * and who was let in is not asked again.  pass: as of a fill.
 */
ngx_http_hls_ghost_t *ngx_http_hls_ghost_create(ngx_http_request_t *r,
    ngx_str_t *uri, ngx_array_t *pass);

/* NGX_ERROR: no memory or connections; then end() is not called */
ngx_int_t ngx_http_hls_ghost_run(ngx_http_hls_ghost_t *ghost);

/* frees it, at once or when its run ends; end() is not called any more */
void ngx_http_hls_ghost_free(ngx_http_hls_ghost_t *ghost);


extern ngx_module_t  ngx_http_hls_fill_module;


#endif /* _NGX_HTTP_HLS_FILL_H_INCLUDED_ */
