
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_rtmp_route_table.h"


/* servers that are asked for a stream which the first one has not */
#define NGX_HTTP_RTMP_ROUTE_SEARCH  2


typedef struct {
    ngx_rtmp_route_t           *route;
    ngx_http_request_t         *request;
    ngx_http_upstream_t        *upstream;
    ngx_str_t                  *group;
    ngx_http_rtmp_route_ctx_t  *ctx;
    ngx_rtmp_route_query_t      query;
    ngx_rtmp_route_peer_t       peer;
    ngx_uint_t                  missing;   /* so many had it not */
    unsigned                    counted:1;
} ngx_http_rtmp_route_peer_data_t;


static ngx_int_t ngx_http_rtmp_route_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_rtmp_route_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_rtmp_route_peer_key(
    ngx_http_rtmp_route_peer_data_t *rp, ngx_http_rtmp_route_srv_conf_t *rscf);
static ngx_int_t ngx_http_rtmp_route_value_key(
    ngx_http_rtmp_route_peer_data_t *rp, ngx_http_complex_value_t *cv);
static ngx_int_t ngx_http_rtmp_route_limit(
    ngx_http_rtmp_route_peer_data_t *rp);
static ngx_int_t ngx_http_rtmp_route_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_rtmp_route_free_peer(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static void ngx_http_rtmp_route_answered(
    ngx_http_rtmp_route_peer_data_t *rp);
static ngx_uint_t ngx_http_rtmp_route_stale(
    ngx_http_rtmp_route_peer_data_t *rp, ngx_peer_connection_t *pc);
static void ngx_http_rtmp_route_peer_cleanup(void *data);

#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_rtmp_route_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_rtmp_route_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif


static ngx_int_t
ngx_http_rtmp_route_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    char  *name;

    name = NULL;

    if (us->servers->nelts > 1) {
        name = "server";
    }

#if (NGX_HTTP_UPSTREAM_ZONE)
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

    us->peer.init = ngx_http_rtmp_route_init_peer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_pool_cleanup_t               *cln;
    ngx_http_upstream_t              *u;
    ngx_http_rtmp_route_srv_conf_t   *rscf;
    ngx_http_rtmp_route_peer_data_t  *rp;

    rscf = ngx_http_conf_upstream_srv_conf(us, ngx_http_rtmp_route_module);

    /* usually finalizing has freed the peer by the time the pool goes */

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_rtmp_route_peer_data_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    rp = cln->data;

    ngx_memzero(rp, sizeof(ngx_http_rtmp_route_peer_data_t));

    cln->handler = ngx_http_rtmp_route_peer_cleanup;

    u = r->upstream;

    rp->route = rscf->route;
    rp->request = r;
    rp->upstream = u;
    rp->group = &us->host;
    rp->ctx = ngx_http_rtmp_route_get_ctx(r);

    rp->query.op = NGX_RTMP_ROUTE_FETCH;
    rp->query.protocol = rscf->protocol;
    rp->query.alternative = NGX_RTMP_ROUTE_NONE;

#if (NGX_HTTP_SSL)
    if (u->ssl && rscf->protocol == NGX_RTMP_ROUTE_HTTP) {
        rp->query.protocol = NGX_RTMP_ROUTE_HTTPS;
    }
#endif

    if (rp->ctx && rp->ctx->only && rp->ctx->route == rp->route) {
        rp->query.only = 1;
        rp->query.server = rp->ctx->ref;
    }

    if (ngx_http_rtmp_route_peer_key(rp, rscf) != NGX_OK) {
        return NGX_ERROR;
    }

    rp->query.count = 1;

    if (rp->ctx == NULL
        || rp->ctx->request != r
        || rp->ctx->route != rp->route)
    {
        rp->ctx = ngx_http_rtmp_route_create_ctx(r, rp->route);
        if (rp->ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (rp->ctx->timeout && ngx_http_rtmp_route_limit(rp) != NGX_OK) {
        return NGX_ERROR;
    }

    u->peer.data = rp;
    u->peer.get = ngx_http_rtmp_route_get_peer;
    u->peer.free = ngx_http_rtmp_route_free_peer;
    u->peer.tries = NGX_RTMP_ROUTE_MAX_TRIED;
#if (NGX_HTTP_SSL)
    u->peer.set_session = ngx_http_rtmp_route_set_session;
    u->peer.save_session = ngx_http_rtmp_route_save_session;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_peer_key(ngx_http_rtmp_route_peer_data_t *rp,
    ngx_http_rtmp_route_srv_conf_t *rscf)
{
    ngx_int_t                   rc;
    ngx_http_rtmp_route_keys_t  keys;

    if (rp->ctx && (rp->ctx->found || rp->query.only)
        && rp->ctx->route == rp->route)
    {
        rp->query.key = rp->ctx->key;
        rp->query.servers = rp->ctx->keys.mapped.servers;

        return rscf->key ? ngx_http_rtmp_route_value_key(rp, rscf->key)
                         : NGX_OK;
    }

    if (rscf->key) {
        rp->query.servers = ngx_http_rtmp_route_servers(rp->route,
                                                  rp->request->pool,
                                                  &rp->request->uri);

        return ngx_http_rtmp_route_value_key(rp, rscf->key);
    }

    rc = ngx_http_rtmp_route_keys(rp->request, rp->route, &keys);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* a rule says which servers there are, for what names no stream, too */

    rp->query.servers = keys.mapped.servers;

    if (rc == NGX_OK) {
        (void) ngx_http_rtmp_route_known(rp->route, &keys, &rp->query,
                                         &rp->peer);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_value_key(ngx_http_rtmp_route_peer_data_t *rp,
    ngx_http_complex_value_t *cv)
{
    ngx_int_t              rc;
    ngx_str_t              value;
    ngx_uint_t             form;
    ngx_pool_t            *pool;
    ngx_rtmp_route_name_t  name;

    if (ngx_http_complex_value(rp->request, cv, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_null(&rp->query.key);

    if (value.len == 0) {
        return NGX_OK;
    }

    pool = rp->request->pool;
    form = ngx_rtmp_route_key_form(rp->route);

    rc = ngx_rtmp_route_name_text(pool, &value, form, &name);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_stream_key(rp->route, pool, &name,
                                       NGX_RTMP_ROUTE_FETCH, &rp->query.key);
    }

    if (rc == NGX_DECLINED) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, rp->request->connection->log, 0,
                       "rtmp route: \"%V\" names no stream", &value);

        ngx_str_null(&rp->query.key);
        return NGX_OK;
    }

    return rc;
}


/* the configuration is for all requests of the location */

static ngx_int_t
ngx_http_rtmp_route_limit(ngx_http_rtmp_route_peer_data_t *rp)
{
    ngx_msec_t                 timeout;
    ngx_http_upstream_conf_t  *conf;

    conf = ngx_palloc(rp->request->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *rp->upstream->conf;
    timeout = rp->ctx->timeout;

    conf->connect_timeout = ngx_min(conf->connect_timeout, timeout);
    conf->send_timeout = ngx_min(conf->send_timeout, timeout);
    conf->read_timeout = ngx_min(conf->read_timeout, timeout);

    rp->upstream->conf = conf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_rtmp_route_peer_data_t *rp = data;

    ngx_int_t   rc;
    ngx_str_t  *name;

    pc->cached = 0;
    pc->connection = NULL;

    rc = ngx_rtmp_route_pick(rp->route, &rp->query, &rp->peer);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "get rtmp route peer: %i, key \"%V\", tries: %ui",
                   rc, &rp->query.key, pc->tries);

    if (rc == NGX_OK) {
        rp->counted = 1;

        /* the states of all tries are logged in the end */

        name = ngx_palloc(rp->request->pool,
                          sizeof(ngx_str_t) + rp->peer.name.len);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->len = rp->peer.name.len;
        name->data = (u_char *) (name + 1);
        ngx_memcpy(name->data, rp->peer.name.data, name->len);

        if (ngx_http_rtmp_route_choose(rp->request, rp->ctx, &rp->peer)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rp->ctx->upstream = rp->upstream;

        pc->sockaddr = &rp->peer.sockaddr.sockaddr;
        pc->socklen = rp->peer.socklen;
        pc->name = name;

        /* an answer of the last server is passed as it is */

        if ((rp->peer.last || rp->missing == NGX_HTTP_RTMP_ROUTE_SEARCH)
            && pc->tries > 1)
        {
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
ngx_http_rtmp_route_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_rtmp_route_peer_data_t *rp = data;

    ngx_uint_t               i;
    ngx_rtmp_route_query_t  *query;
    ngx_rtmp_route_tried_t  *tried;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "free rtmp route peer: %ui, tries: %ui", state, pc->tries);

    if (!rp->counted) {
        return;
    }

    query = &rp->query;

    if (state & NGX_PEER_FAILED) {

        if (!ngx_http_rtmp_route_stale(rp, pc)) {
            ngx_rtmp_route_report(rp->route, query, &rp->peer, 1);
        }

    } else if (state & NGX_PEER_NEXT) {

        rp->missing++;
        rp->ctx->searched = 1;
        query->search = 1;

        /* its other ports would say the same */

        for (i = 0; i < NGX_RTMP_ROUTE_MAX_ENDPOINTS; i++) {

            if (query->ntried == NGX_RTMP_ROUTE_MAX_TRIED) {
                break;
            }

            tried = &query->tried[query->ntried++];

            tried->server = rp->peer.server;
            tried->protocol = rp->peer.protocol;
            tried->endpoint = i;
        }

    } else if (rp->upstream->headers_in.status_n) {

        /* a client that left before the answer says nothing of the server */

        ngx_rtmp_route_report(rp->route, query, &rp->peer, 0);
        ngx_http_rtmp_route_answered(rp);
    }

    ngx_http_rtmp_route_peer_cleanup(rp);

    if (pc->tries) {
        pc->tries--;
    }
}


/*
 * A stream that was not where it was looked for first is remembered where it
 * is.  Other files prove nothing: a segment may be left from long ago.
 */

static void
ngx_http_rtmp_route_answered(ngx_http_rtmp_route_peer_data_t *rp)
{
    ngx_str_t           *uri;
    ngx_uint_t           i;
    ngx_http_request_t  *r;

    static ngx_str_t  live[] = {
        ngx_string(".m3u8"),
        ngx_string(".m3u"),
        ngx_string(".mpd"),
        ngx_string(".flv"),
        ngx_null_string
    };

    r = rp->request;
    uri = &r->uri;

    if (rp->missing == 0
        || rp->ctx->quiet
        || rp->upstream->headers_in.status_n != NGX_HTTP_OK
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return;
    }

    for (i = 0; live[i].len; i++) {

        if (uri->len > live[i].len
            && ngx_strncasecmp(uri->data + uri->len - live[i].len,
                               live[i].data, live[i].len)
               == 0)
        {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "stream was found on server \"%V\" of route "
                          "\"%V\"", &rp->peer.id,
                          ngx_rtmp_route_name(rp->route));

            ngx_rtmp_route_found(rp->route, &rp->query, &rp->peer);
            return;
        }
    }
}


/*
 * A cached connection that the server has closed meanwhile: nginx tries once
 * more, and only this server has the stream.
 */

static ngx_uint_t
ngx_http_rtmp_route_stale(ngx_http_rtmp_route_peer_data_t *rp,
    ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c;

    c = pc->connection;

    return pc->cached
           && c
           && !c->read->timedout
           && !c->write->timedout
           && rp->upstream->state->bytes_received == 0;
}


static void
ngx_http_rtmp_route_peer_cleanup(void *data)
{
    ngx_http_rtmp_route_peer_data_t *rp = data;

    if (rp->counted) {
        rp->counted = 0;
        ngx_rtmp_route_free(rp->route, &rp->peer);
    }
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_rtmp_route_set_session(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


static void
ngx_http_rtmp_route_save_session(ngx_peer_connection_t *pc, void *data)
{
    return;
}

#endif


char *
ngx_http_rtmp_route_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rtmp_route_srv_conf_t *rscf = conf;

    ngx_str_t                         *value, s;
    ngx_http_upstream_server_t        *us;
    ngx_http_upstream_srv_conf_t      *uscf;
    ngx_http_compile_complex_value_t   ccv;

    if (rscf->route) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rscf->protocol = ngx_http_rtmp_route_protocol(&value[2]);

    if (rscf->protocol == NGX_RTMP_ROUTE_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid protocol \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 4) {

        if (ngx_strncmp(value[3].data, "key=", 4) != 0 || value[3].len == 4) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[3]);
            return NGX_CONF_ERROR;
        }

        s.len = value[3].len - 4;
        s.data = value[3].data + 4;

        rscf->key = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (rscf->key == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &s;
        ccv.complex_value = rscf->key;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    rscf->route = ngx_rtmp_route_add(cf, &value[1]);
    if (rscf->route == NULL) {
        return NGX_CONF_ERROR;
    }

    uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);

    if (uscf->peer.init_upstream) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "load balancing method redefined");
    }

    uscf->peer.init_upstream = ngx_http_rtmp_route_init_upstream;

    uscf->flags = NGX_HTTP_UPSTREAM_CREATE;

    /* nginx refuses an upstream without servers; this one has no address */

    us = ngx_array_push(uscf->servers);
    if (us == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(us, sizeof(ngx_http_upstream_server_t));

    us->name = value[1];

    return NGX_CONF_OK;
}
