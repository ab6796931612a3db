
/*
 * Copyright (C) The nginx-osp authors
 */


/* The look-up of a server and the balancer of stream{}. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"


#define NGX_STREAM_RTMP_ROUTE_NOT_FOUND  404


/* rtmp_route in upstream{} or in a server */

typedef struct {
    ngx_rtmp_route_t                   *route;
    ngx_uint_t                          protocol;
    ngx_stream_complex_value_t         *key;
    ngx_stream_content_handler_pt       handler;  /* of the server */
} ngx_stream_rtmp_route_srv_conf_t;


typedef struct {
    ngx_stream_session_t               *session;
    ngx_rtmp_route_t                   *route;
    ngx_str_t                           key;
    ngx_rtmp_route_wait_t               wait;
    ngx_event_t                         timer;
    unsigned                            found:1;
    unsigned                            waiting:1;
    unsigned                            waited:1;
    unsigned                            timedout:1;
} ngx_stream_rtmp_route_ctx_t;


typedef struct {
    ngx_rtmp_route_t                   *route;
    ngx_stream_session_t               *session;
    ngx_str_t                          *group;
    ngx_rtmp_route_query_t              query;
    ngx_rtmp_route_peer_t               peer;
    unsigned                            counted:1;
} ngx_stream_rtmp_route_peer_data_t;


static void ngx_stream_rtmp_route_handler(ngx_stream_session_t *s);
static ngx_int_t ngx_stream_rtmp_route_lookup(ngx_stream_session_t *s,
    ngx_stream_rtmp_route_srv_conf_t *rscf);
static ngx_int_t ngx_stream_rtmp_route_suspend(ngx_stream_session_t *s,
    ngx_stream_rtmp_route_ctx_t *ctx);
static void ngx_stream_rtmp_route_read_handler(ngx_event_t *rev);
static void ngx_stream_rtmp_route_write_handler(ngx_event_t *wev);
static void ngx_stream_rtmp_route_wait_handler(ngx_rtmp_route_wait_t *wait);
static void ngx_stream_rtmp_route_timer_handler(ngx_event_t *ev);
static void ngx_stream_rtmp_route_cleanup(void *data);
static ngx_int_t ngx_stream_rtmp_route_key(ngx_stream_session_t *s,
    ngx_rtmp_route_t *route, ngx_stream_complex_value_t *cv, ngx_str_t *key);
static ngx_int_t ngx_stream_rtmp_route_init_upstream(ngx_conf_t *cf,
    ngx_stream_upstream_srv_conf_t *us);
static ngx_int_t ngx_stream_rtmp_route_init_peer(ngx_stream_session_t *s,
    ngx_stream_upstream_srv_conf_t *us);
static ngx_int_t ngx_stream_rtmp_route_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_stream_rtmp_route_free_peer(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static void ngx_stream_rtmp_route_notify_peer(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t type);
static void ngx_stream_rtmp_route_peer_cleanup(void *data);

#if (NGX_STREAM_SSL)
static ngx_int_t ngx_stream_rtmp_route_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_stream_rtmp_route_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif

static void *ngx_stream_rtmp_route_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_rtmp_route_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_rtmp_route_upstream(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_rtmp_route_parameters(ngx_conf_t *cf,
    ngx_stream_rtmp_route_srv_conf_t *rscf);
static ngx_int_t ngx_stream_rtmp_route_init(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_stream_rtmp_route_protocols[] = {
    { ngx_string("http"), NGX_RTMP_ROUTE_HTTP },
    { ngx_string("https"), NGX_RTMP_ROUTE_HTTPS },
    { ngx_string("rtmp"), NGX_RTMP_ROUTE_RTMP },
    { ngx_string("rtmps"), NGX_RTMP_ROUTE_RTMPS },
    { ngx_string("api"), NGX_RTMP_ROUTE_API },
    { ngx_string("srt"), NGX_RTMP_ROUTE_SRT },
    { ngx_string("rtc"), NGX_RTMP_ROUTE_RTC },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_stream_rtmp_route_commands[] = {

    { ngx_string("rtmp_route"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE23,
      ngx_stream_rtmp_route_server,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rtmp_route"),
      NGX_STREAM_UPS_CONF|NGX_CONF_TAKE23,
      ngx_stream_rtmp_route_upstream,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_rtmp_route_module_ctx = {
    NULL,                                    /* preconfiguration */
    ngx_stream_rtmp_route_init,              /* postconfiguration */

    NULL,                                    /* create main configuration */
    NULL,                                    /* init main configuration */

    ngx_stream_rtmp_route_create_srv_conf,   /* create server configuration */
    NULL                                     /* merge server configuration */
};


ngx_module_t  ngx_stream_rtmp_route_module = {
    NGX_MODULE_V1,
    &ngx_stream_rtmp_route_module_ctx,       /* module context */
    ngx_stream_rtmp_route_commands,          /* module directives */
    NGX_STREAM_MODULE,                       /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    NULL,                                    /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    NULL,                                    /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


/* stands in front of the content handler of the server */

static void
ngx_stream_rtmp_route_handler(ngx_stream_session_t *s)
{
    ngx_int_t                          rc;
    ngx_stream_rtmp_route_srv_conf_t  *rscf;

    rscf = ngx_stream_get_module_srv_conf(s, ngx_stream_rtmp_route_module);

    rc = ngx_stream_rtmp_route_lookup(s, rscf);

    if (rc == NGX_OK) {
        rscf->handler(s);
        return;
    }

    if (rc == NGX_DONE) {
        return;
    }

    if (rc == NGX_ERROR) {
        rc = NGX_STREAM_INTERNAL_SERVER_ERROR;
    }

    ngx_stream_finalize_session(s, rc);
}


static ngx_int_t
ngx_stream_rtmp_route_lookup(ngx_stream_session_t *s,
    ngx_stream_rtmp_route_srv_conf_t *rscf)
{
    ngx_int_t                     rc;
    ngx_pool_cleanup_t           *cln;
    ngx_rtmp_route_peer_t         peer;
    ngx_rtmp_route_query_t        query;
    ngx_stream_rtmp_route_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_rtmp_route_module);

    if (ctx == NULL) {

        cln = ngx_pool_cleanup_add(s->connection->pool,
                                   sizeof(ngx_stream_rtmp_route_ctx_t));
        if (cln == NULL) {
            return NGX_ERROR;
        }

        ctx = cln->data;

        ngx_memzero(ctx, sizeof(ngx_stream_rtmp_route_ctx_t));

        ctx->session = s;
        ctx->route = rscf->route;

        cln->handler = ngx_stream_rtmp_route_cleanup;

        ngx_stream_set_ctx(s, ctx, ngx_stream_rtmp_route_module);

        rc = ngx_stream_rtmp_route_key(s, rscf->route, rscf->key, &ctx->key);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (ctx->key.len == 0) {
            return NGX_STREAM_RTMP_ROUTE_NOT_FOUND;
        }
    }

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.key = ctx->key;
    query.op = NGX_RTMP_ROUTE_FETCH;
    query.peek = 1;
    query.late = ctx->timedout;
    query.protocol = rscf->protocol;
    query.alternative = (rscf->protocol == NGX_RTMP_ROUTE_RTMP)
                        ? NGX_RTMP_ROUTE_RTMPS : NGX_RTMP_ROUTE_NONE;

    rc = ngx_rtmp_route_pick(rscf->route, &query, &peer);

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                   "rtmp route look-up: %i, key \"%V\"", rc, &ctx->key);

    switch (rc) {

    case NGX_OK:
        ctx->found = 1;
        ngx_stream_rtmp_route_cleanup(ctx);
        return NGX_OK;

    case NGX_AGAIN:
        return ngx_stream_rtmp_route_suspend(s, ctx);

    case NGX_DECLINED:
        return NGX_STREAM_RTMP_ROUTE_NOT_FOUND;

    case NGX_BUSY:

        if (query.unsure) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "nobody can tell where the stream is in route "
                          "\"%V\"", ngx_rtmp_route_name(rscf->route));

        } else {
            ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                          query.full ? "no server has room in route \"%V\""
                                     : "no live servers in route \"%V\"",
                          ngx_rtmp_route_name(rscf->route));
        }

        return NGX_STREAM_SERVICE_UNAVAILABLE;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_stream_rtmp_route_suspend(ngx_stream_session_t *s,
    ngx_stream_rtmp_route_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = s->connection;

    c->log->action = "waiting for a stream";

    if (!ctx->waited) {
        ctx->wait.route = ctx->route;
        ctx->wait.handler = ngx_stream_rtmp_route_wait_handler;
        ctx->wait.data = ctx;

        ctx->timer.handler = ngx_stream_rtmp_route_timer_handler;
        ctx->timer.data = ctx;
        ctx->timer.log = c->log;

        ngx_add_timer(&ctx->timer, ngx_rtmp_route_wait_time(ctx->route));

        ctx->waited = 1;
    }

    c->read->handler = ngx_stream_rtmp_route_read_handler;
    c->write->handler = ngx_stream_rtmp_route_write_handler;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->waiting = 1;
    ngx_rtmp_route_wait(&ctx->wait);

    return NGX_DONE;
}


/* reads nothing: what the client has sent is for the server */

static void
ngx_stream_rtmp_route_read_handler(ngx_event_t *rev)
{
    int                    n;
    char                   buf[1];
    ngx_err_t              err;
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;

    c = rev->data;
    s = c->data;

    if (c->close) {
        ngx_stream_finalize_session(s, NGX_STREAM_OK);
        return;
    }

    if (c->type == SOCK_DGRAM) {
        return;
    }

    err = 0;

#if (NGX_HAVE_EPOLLRDHUP)

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && ngx_use_epoll_rdhup) {

        if (!rev->pending_eof) {
            return;
        }

        goto closed;
    }

#endif

    n = recv(c->fd, buf, 1, MSG_PEEK);

    if (n == -1) {
        err = ngx_socket_errno;
    }

    if (n > 0 || err == NGX_EAGAIN) {

        if ((ngx_event_flags & NGX_USE_LEVEL_EVENT)
            && rev->active
            && ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK)
        {
            ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        }

        return;
    }

#if (NGX_HAVE_EPOLLRDHUP)
closed:
#endif

    ngx_log_error(NGX_LOG_INFO, c->log, err,
                  "client prematurely closed connection");

    ngx_stream_finalize_session(s, NGX_STREAM_OK);
}


static void
ngx_stream_rtmp_route_write_handler(ngx_event_t *wev)
{
    return;
}


static void
ngx_stream_rtmp_route_wait_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_stream_rtmp_route_ctx_t *ctx = wait->data;

    ctx->waiting = 0;

    ngx_stream_rtmp_route_handler(ctx->session);
}


static void
ngx_stream_rtmp_route_timer_handler(ngx_event_t *ev)
{
    ngx_stream_rtmp_route_ctx_t *ctx = ev->data;

    ngx_log_debug0(NGX_LOG_DEBUG_STREAM, ev->log, 0,
                   "rtmp route look-up timed out");

    ngx_stream_rtmp_route_cleanup(ctx);

    ctx->timedout = 1;

    ngx_stream_rtmp_route_handler(ctx->session);
}


static void
ngx_stream_rtmp_route_cleanup(void *data)
{
    ngx_stream_rtmp_route_ctx_t *ctx = data;

    if (ctx->waiting) {
        ctx->waiting = 0;
        ngx_rtmp_route_wait_cancel(&ctx->wait);
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


/* the key is left empty if the value names no stream */

static ngx_int_t
ngx_stream_rtmp_route_key(ngx_stream_session_t *s, ngx_rtmp_route_t *route,
    ngx_stream_complex_value_t *cv, ngx_str_t *key)
{
    ngx_int_t              rc;
    ngx_str_t              value;
    ngx_uint_t             form;
    ngx_pool_t            *pool;
    ngx_rtmp_route_name_t  name;

    ngx_str_null(key);

    if (ngx_stream_complex_value(s, cv, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    pool = s->connection->pool;
    form = ngx_rtmp_route_key_form(route);

    rc = ngx_rtmp_route_name_text(pool, &value, form, &name);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_stream_key(route, pool, &name,
                                       NGX_RTMP_ROUTE_FETCH, key);
    }

    if (rc == NGX_DECLINED) {
        ngx_log_debug1(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                       "rtmp route: \"%V\" names no stream", &value);

        ngx_str_null(key);
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_stream_rtmp_route_init_upstream(ngx_conf_t *cf,
    ngx_stream_upstream_srv_conf_t *us)
{
    char  *name;

    name = NULL;

    if (us->servers->nelts > 1) {
        name = "server";
    }

#if (NGX_STREAM_UPSTREAM_ZONE)
    if (us->shm_zone) {
        name = "zone";
    }
#endif

    if (name) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" is not allowed beside \"rtmp_route\" "
                      "in upstream \"%V\" in %s:%ui",
                      name, &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }

    us->peer.init = ngx_stream_rtmp_route_init_peer;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_route_init_peer(ngx_stream_session_t *s,
    ngx_stream_upstream_srv_conf_t *us)
{
    ngx_pool_cleanup_t                 *cln;
    ngx_stream_upstream_t              *u;
    ngx_stream_rtmp_route_ctx_t        *ctx;
    ngx_stream_rtmp_route_srv_conf_t   *rscf;
    ngx_stream_rtmp_route_peer_data_t  *rp;

    rscf = ngx_stream_conf_upstream_srv_conf(us, ngx_stream_rtmp_route_module);

    /* usually finalizing has freed the peer by the time the pool goes */

    cln = ngx_pool_cleanup_add(s->connection->pool,
                               sizeof(ngx_stream_rtmp_route_peer_data_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    rp = cln->data;

    ngx_memzero(rp, sizeof(ngx_stream_rtmp_route_peer_data_t));

    cln->handler = ngx_stream_rtmp_route_peer_cleanup;

    rp->route = rscf->route;
    rp->session = s;
    rp->group = &us->host;

    rp->query.op = NGX_RTMP_ROUTE_FETCH;
    rp->query.protocol = rscf->protocol;
    rp->query.alternative = NGX_RTMP_ROUTE_NONE;
    rp->query.count = 1;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_rtmp_route_module);

    if (rscf->key) {

        if (ngx_stream_rtmp_route_key(s, rp->route, rscf->key, &rp->query.key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (ctx && ctx->found && ctx->route == rp->route) {
        rp->query.key = ctx->key;
    }

    u = s->upstream;

    u->peer.data = rp;
    u->peer.get = ngx_stream_rtmp_route_get_peer;
    u->peer.free = ngx_stream_rtmp_route_free_peer;
    u->peer.notify = ngx_stream_rtmp_route_notify_peer;
    u->peer.tries = NGX_RTMP_ROUTE_MAX_TRIED;
#if (NGX_STREAM_SSL)
    u->peer.set_session = ngx_stream_rtmp_route_set_session;
    u->peer.save_session = ngx_stream_rtmp_route_save_session;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_route_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_stream_rtmp_route_peer_data_t *rp = data;

    ngx_int_t   rc;
    ngx_str_t  *name;

    pc->connection = NULL;

    rc = ngx_rtmp_route_pick(rp->route, &rp->query, &rp->peer);

    ngx_log_debug3(NGX_LOG_DEBUG_STREAM, pc->log, 0,
                   "get rtmp route peer: %i, key \"%V\", tries: %ui",
                   rc, &rp->query.key, pc->tries);

    if (rc == NGX_OK) {
        rp->counted = 1;

        /* the states of all tries are logged in the end */

        name = ngx_palloc(rp->session->connection->pool,
                          sizeof(ngx_str_t) + rp->peer.name.len);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->len = rp->peer.name.len;
        name->data = (u_char *) (name + 1);
        ngx_memcpy(name->data, rp->peer.name.data, name->len);

        pc->sockaddr = &rp->peer.sockaddr.sockaddr;
        pc->socklen = rp->peer.socklen;
        pc->name = name;

        if (rp->peer.last && pc->tries > 1) {
            pc->tries = 1;
        }

        return NGX_OK;
    }

    pc->name = rp->group;

    if (rc == NGX_DECLINED || rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_INFO, pc->log, 0,
                      "stream is unknown in route \"%V\"",
                      ngx_rtmp_route_name(rp->route));

        pc->tries = 0;

        return NGX_DECLINED;
    }

    return rc;
}


static void
ngx_stream_rtmp_route_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_stream_rtmp_route_peer_data_t *rp = data;

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, pc->log, 0,
                   "free rtmp route peer: %ui, tries: %ui", state, pc->tries);

    if (!rp->counted) {
        return;
    }

    if (state & NGX_PEER_FAILED) {
        ngx_rtmp_route_report(rp->route, &rp->query, &rp->peer, 1);
    }

    ngx_stream_rtmp_route_peer_cleanup(rp);

    if (pc->tries) {
        pc->tries--;
    }
}


static void
ngx_stream_rtmp_route_notify_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_stream_rtmp_route_peer_data_t *rp = data;

    if (type == NGX_STREAM_UPSTREAM_NOTIFY_CONNECT && rp->counted) {
        ngx_rtmp_route_report(rp->route, &rp->query, &rp->peer, 0);
    }
}


static void
ngx_stream_rtmp_route_peer_cleanup(void *data)
{
    ngx_stream_rtmp_route_peer_data_t *rp = data;

    if (rp->counted) {
        rp->counted = 0;
        ngx_rtmp_route_free(rp->route, &rp->peer);
    }
}


#if (NGX_STREAM_SSL)

static ngx_int_t
ngx_stream_rtmp_route_set_session(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


static void
ngx_stream_rtmp_route_save_session(ngx_peer_connection_t *pc, void *data)
{
    return;
}

#endif


static void *
ngx_stream_rtmp_route_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_rtmp_route_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_rtmp_route_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->route = NULL;
     *     conf->key = NULL;
     *     conf->handler = NULL;
     */

    conf->protocol = NGX_RTMP_ROUTE_NONE;

    return conf;
}


static char *
ngx_stream_rtmp_route_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_rtmp_route_srv_conf_t *rscf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (rscf->route) {
        return "is duplicate";
    }

    rv = ngx_stream_rtmp_route_parameters(cf, rscf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (rscf->key == NULL) {
        value = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"key\" parameter for route \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (rscf->protocol == NGX_RTMP_ROUTE_NONE) {
        rscf->protocol = NGX_RTMP_ROUTE_RTMP;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_rtmp_route_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_rtmp_route_srv_conf_t *rscf = conf;

    char                            *rv;
    ngx_str_t                       *value;
    ngx_stream_upstream_server_t    *us;
    ngx_stream_upstream_srv_conf_t  *uscf;

    if (rscf->route) {
        return "is duplicate";
    }

    rv = ngx_stream_rtmp_route_parameters(cf, rscf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (rscf->protocol == NGX_RTMP_ROUTE_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no protocol for route \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    uscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_upstream_module);

    if (uscf->peer.init_upstream) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "load balancing method redefined");
    }

    uscf->peer.init_upstream = ngx_stream_rtmp_route_init_upstream;

    uscf->flags = NGX_STREAM_UPSTREAM_CREATE;

    /* nginx refuses an upstream without servers; this one has no address */

    us = ngx_array_push(uscf->servers);
    if (us == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(us, sizeof(ngx_stream_upstream_server_t));

    us->name = value[1];

    return NGX_CONF_OK;
}


/* NAME [PROTOCOL] [key=VALUE] */

static char *
ngx_stream_rtmp_route_parameters(ngx_conf_t *cf,
    ngx_stream_rtmp_route_srv_conf_t *rscf)
{
    ngx_str_t                           *value, s;
    ngx_uint_t                           i;
    ngx_conf_enum_t                     *e;
    ngx_stream_compile_complex_value_t   ccv;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "key=", 4) == 0
            && value[i].len > 4
            && rscf->key == NULL)
        {
            s.len = value[i].len - 4;
            s.data = value[i].data + 4;

            rscf->key = ngx_palloc(cf->pool,
                                   sizeof(ngx_stream_complex_value_t));
            if (rscf->key == NULL) {
                return NGX_CONF_ERROR;
            }

            ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

            ccv.cf = cf;
            ccv.value = &s;
            ccv.complex_value = rscf->key;

            if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        for (e = ngx_stream_rtmp_route_protocols; e->name.len; e++) {

            if (i == 2
                && e->name.len == value[i].len
                && ngx_strncmp(e->name.data, value[i].data, e->name.len) == 0)
            {
                break;
            }
        }

        if (e->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        rscf->protocol = e->value;
    }

    rscf->route = ngx_rtmp_route_add(cf, &value[1]);
    if (rscf->route == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_rtmp_route_init(ngx_conf_t *cf)
{
    ngx_uint_t                          i;
    ngx_stream_core_srv_conf_t        **cscfp;
    ngx_stream_core_main_conf_t        *cmcf;
    ngx_stream_rtmp_route_srv_conf_t   *rscf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        rscf = cscfp[i]->ctx->srv_conf[ngx_stream_rtmp_route_module.ctx_index];

        if (rscf->route) {

            /* no phase will do: a preread handler may end the preread phase */

            rscf->handler = cscfp[i]->handler;
            cscfp[i]->handler = ngx_stream_rtmp_route_handler;
        }
    }

    return NGX_OK;
}
