
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The addresses of names, which the first worker asks for again and again.  A
 * name server that fails says nothing of the name, so its addresses stay.  One
 * that says that there is no such name, or no address of it, is right: so it
 * is where servers are stopped, and their sessions go on until they end.
 *
 * Of very many names, some are asked for at a time and the others wait for
 * their turn.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_addr.h"


/* ms: after a failure, and however long an answer is good */
#define NGX_RTMP_ROUTE_RETRY      5000
#define NGX_RTMP_ROUTE_MAX_VALID  86400000

/* names that are asked for at a time */
#define NGX_RTMP_ROUTE_TURNS      32

/* addresses in one line of the log */
#define NGX_RTMP_ROUTE_LOGGED     8


typedef struct {
    u_char                      *p;
    u_char                      *last;
} ngx_rtmp_route_names_text_t;


static void ngx_rtmp_route_resolve_handler(ngx_event_t *ev);
static ngx_uint_t ngx_rtmp_route_turn_take(ngx_rtmp_route_server_t *server);
static void ngx_rtmp_route_turn_give(ngx_rtmp_route_server_t *server);
static void ngx_rtmp_route_resolved_handler(ngx_resolver_ctx_t *ctx);
static void ngx_rtmp_route_resolve_failed(ngx_rtmp_route_server_t *server,
    ngx_resolver_ctx_t *ctx);
static void ngx_rtmp_route_resolve_done(ngx_rtmp_route_server_t *server,
    ngx_resolver_ctx_t *ctx);
static void ngx_rtmp_route_resolve_sync(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n);
static void ngx_rtmp_route_resolve_other(ngx_rtmp_route_names_text_t *text,
    const char *what, ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n,
    ngx_rtmp_route_endpoint_t *others, ngx_uint_t nothers);


/* of this process */

static ngx_uint_t   ngx_rtmp_route_turns;
static ngx_queue_t  ngx_rtmp_route_turn_queue;


void
ngx_rtmp_route_servers_resolve(ngx_rtmp_route_t *route)
{
    ngx_uint_t                i;
    ngx_rtmp_route_server_t  *servers;

    servers = route->servers.elts;

    for (i = 0; i < route->servers.nelts; i++) {
        ngx_rtmp_route_server_start(&servers[i]);
    }
}


void
ngx_rtmp_route_server_start(ngx_rtmp_route_server_t *server)
{
    ngx_event_t  *ev;

    if (server->route->resolver == NULL || server->literal) {
        return;
    }

    if (ngx_rtmp_route_turn_queue.next == NULL) {
        ngx_queue_init(&ngx_rtmp_route_turn_queue);
    }

    ev = &server->event;

    ev->handler = ngx_rtmp_route_resolve_handler;
    ev->data = &server->dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    server->dumb.fd = (ngx_socket_t) -1;
    server->dumb.data = server;

    ngx_add_timer(ev, 1);
}


void
ngx_rtmp_route_server_stop(ngx_rtmp_route_server_t *server)
{
    if (server->event.timer_set) {
        ngx_del_timer(&server->event);
    }

    if (server->waiting) {
        server->waiting = 0;
        ngx_queue_remove(&server->queue);
    }

    if (server->resolving) {
        ngx_resolve_name_done(server->resolving);
        server->resolving = NULL;
    }

    if (server->turn) {
        ngx_rtmp_route_turn_give(server);
    }
}


static void
ngx_rtmp_route_resolve_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_resolver_ctx_t       *ctx;
    ngx_rtmp_route_server_t  *server;

    /* the table is the successor's */

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    c = ev->data;
    server = c->data;

    if (!ngx_rtmp_route_turn_take(server)) {
        return;
    }

    ctx = ngx_resolve_start(server->route->resolver, NULL);

    if (ctx == NGX_NO_RESOLVER) {
        ngx_rtmp_route_turn_give(server);
        return;
    }

    if (ctx) {
        ctx->name = server->name;
        ctx->handler = ngx_rtmp_route_resolved_handler;
        ctx->data = server;
        ctx->timeout = server->route->resolver_timeout;
        ctx->cancelable = 1;

        server->resolving = ctx;

        if (ngx_resolve_name(ctx) == NGX_OK) {
            return;
        }

        server->resolving = NULL;
    }

    ngx_rtmp_route_turn_give(server);
    ngx_add_timer(ev, NGX_RTMP_ROUTE_RETRY);
}


/* 0: it is called again when its turn has come */

static ngx_uint_t
ngx_rtmp_route_turn_take(ngx_rtmp_route_server_t *server)
{
    if (server->turn) {
        return 1;
    }

    if (ngx_rtmp_route_turns < NGX_RTMP_ROUTE_TURNS) {
        ngx_rtmp_route_turns++;
        server->turn = 1;
        return 1;
    }

    server->waiting = 1;
    ngx_queue_insert_tail(&ngx_rtmp_route_turn_queue, &server->queue);

    return 0;
}


/* not at once: the resolver may be about to tell others of the answer */

static void
ngx_rtmp_route_turn_give(ngx_rtmp_route_server_t *server)
{
    ngx_queue_t              *q;
    ngx_rtmp_route_server_t  *next;

    server->turn = 0;

    if (ngx_queue_empty(&ngx_rtmp_route_turn_queue)) {
        ngx_rtmp_route_turns--;
        return;
    }

    q = ngx_queue_head(&ngx_rtmp_route_turn_queue);
    ngx_queue_remove(q);

    next = ngx_queue_data(q, ngx_rtmp_route_server_t, queue);

    next->waiting = 0;
    next->turn = 1;

    ngx_add_timer(&next->event, 1);
}


static void
ngx_rtmp_route_resolved_handler(ngx_resolver_ctx_t *ctx)
{
    time_t                    now;
    ngx_msec_t                timer;
    ngx_rtmp_route_server_t  *server;

    server = ctx->data;

    now = ngx_time();
    timer = NGX_RTMP_ROUTE_RETRY;

    if (ctx->valid > now) {
        timer = ngx_min((ngx_msec_t) (ctx->valid - now + 1),
                        NGX_RTMP_ROUTE_MAX_VALID / 1000) * 1000;
    }

    if (ctx->state) {
        timer = ngx_min(timer, NGX_RTMP_ROUTE_RETRY);

        if (!ngx_exiting) {
            ngx_rtmp_route_resolve_failed(server, ctx);
        }

    } else {

        if (ctx->valid <= now) {
            timer = 1000;
        }

        if (!ngx_exiting) {
            ngx_rtmp_route_resolve_done(server, ctx);
        }

        /* however long the answer is good, there may be room soon */

        if (server->refused) {
            timer = ngx_min(timer, NGX_RTMP_ROUTE_RETRY);
        }
    }

    server->resolving = NULL;
    ngx_resolve_name_done(ctx);

    ngx_rtmp_route_turn_give(server);

    if (!ngx_exiting) {
        ngx_add_timer(&server->event, timer);
    }
}


/* once for each kind of failure, as it comes again and again */

static void
ngx_rtmp_route_resolve_failed(ngx_rtmp_route_server_t *server,
    ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                  missing;
    ngx_rtmp_route_endpoint_t   addrs[1];

    missing = (ctx->state == NGX_RESOLVE_NXDOMAIN);

    if (!server->failed || server->missing != missing) {
        server->failed = 1;
        server->missing = missing;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "server \"%V\" of route \"%V\" could not be resolved "
                      "(%i: %s)", &server->name, &server->route->name,
                      ctx->state, ngx_resolver_strerror(ctx->state));
    }

    if (missing) {
        ngx_rtmp_route_resolve_sync(server, addrs, 0);
    }
}


static void
ngx_rtmp_route_resolve_done(ngx_rtmp_route_server_t *server,
    ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                  i, n, excess;
    ngx_rtmp_route_endpoint_t   addr, addrs[NGX_RTMP_ROUTE_MAX_ADDRS];

    n = 0;
    excess = 0;

    for (i = 0; i < ctx->naddrs; i++) {

        if (ngx_rtmp_route_endpoint_from(ctx->addrs[i].sockaddr, &addr)
            == NGX_OK
            && !ngx_rtmp_route_addrs_add(addrs, &n, &addr))
        {
            excess++;
        }
    }

    if (server->failed) {
        server->failed = 0;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "server \"%V\" of route \"%V\" is resolved again",
                      &server->name, &server->route->name);
    }

    if (excess && !server->excess) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "server \"%V\" of route \"%V\" has %ui addresses more "
                      "than the first %d, which are used", &server->name,
                      &server->route->name, excess, NGX_RTMP_ROUTE_MAX_ADDRS);
    }

    server->excess = (excess != 0);

    if (n) {
        ngx_rtmp_route_resolve_sync(server, addrs, n);
    }
}


/* of a change there is one line */

static void
ngx_rtmp_route_resolve_sync(ngx_rtmp_route_server_t *server,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n)
{
    u_char                       buf[NGX_MAX_ERROR_STR / 2];
    ngx_str_t                    changes;
    ngx_uint_t                   nold, nnow;
    ngx_rtmp_route_endpoint_t    old[NGX_RTMP_ROUTE_MAX_ADDRS];
    ngx_rtmp_route_endpoint_t    now[NGX_RTMP_ROUTE_MAX_ADDRS];
    ngx_rtmp_route_names_text_t  text;

    nold = ngx_rtmp_route_server_known(server, old);

    ngx_rtmp_route_server_sync(server, addrs, n);

    /* what there was no room for has not come */

    nnow = ngx_rtmp_route_server_known(server, now);

    text.p = buf;
    text.last = buf + sizeof(buf);

    ngx_rtmp_route_resolve_other(&text, "new", now, nnow, old, nold);
    ngx_rtmp_route_resolve_other(&text, "gone", old, nold, now, nnow);

    if (text.p == buf) {
        return;
    }

    changes.len = text.p - buf;
    changes.data = buf;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "server \"%V\" of route \"%V\" has %ui address%s%V",
                  &server->name, &server->route->name, nnow,
                  (nnow == 1) ? "" : "es", &changes);
}


/* the addresses that are not among the others; both are in order */

static void
ngx_rtmp_route_resolve_other(ngx_rtmp_route_names_text_t *text,
    const char *what, ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t n,
    ngx_rtmp_route_endpoint_t *others, ngx_uint_t nothers)
{
    ngx_uint_t  i, k, logged;

    k = 0;
    logged = 0;

    for (i = 0; i < n; i++) {

        while (k < nothers
               && ngx_rtmp_route_addr_compare(&others[k], &addrs[i]) < 0)
        {
            k++;
        }

        if (k < nothers && ngx_rtmp_route_addr_equal(&others[k], &addrs[i])) {
            continue;
        }

        if (logged++ == 0) {
            text->p = ngx_slprintf(text->p, text->last, ", %s: ", what);

        } else if (logged > NGX_RTMP_ROUTE_LOGGED) {
            text->p = ngx_slprintf(text->p, text->last, " ...");
            return;

        } else {
            text->p = ngx_slprintf(text->p, text->last, " ");
        }

        text->p = ngx_rtmp_route_endpoint_text(text->p, text->last, &addrs[i],
                                               1);
    }
}
