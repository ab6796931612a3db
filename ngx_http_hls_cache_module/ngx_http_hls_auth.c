
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Keys are for those of whom the control plane of the route says so, whatever
 * is cached and by whatever way they would be answered.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_cache.h"


/* of a request for a key; found again through its pool cleanup */

typedef struct {
    ngx_http_request_t          *request;
    ngx_http_hls_loc_conf_t     *conf;
    ngx_str_t                    uri;      /* that was asked about */
    ngx_rtmp_route_viewer_t      viewer;
    ngx_rtmp_route_wait_t        wait;
    ngx_event_t                  timer;

    unsigned                     ok:1;
    unsigned                     waiting:1;
    unsigned                     waited:1;
    unsigned                     timedout:1;
} ngx_http_hls_auth_t;


static ngx_int_t ngx_http_hls_auth_is_key(ngx_http_request_t *r,
    ngx_str_t *path);
static ngx_uint_t ngx_http_hls_auth_has_key(u_char *p, u_char *last);
static ngx_int_t ngx_http_hls_auth_renamed(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf, ngx_str_t *path);
static ngx_int_t ngx_http_hls_auth_known(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf, ngx_http_hls_target_t *target,
    ngx_str_t *path);
static ngx_http_hls_auth_t *ngx_http_hls_auth_get(ngx_http_request_t *r);
static ngx_http_hls_auth_t *ngx_http_hls_auth_create(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *hlcf);
static ngx_int_t ngx_http_hls_auth_channel(ngx_http_request_t *r,
    ngx_http_hls_auth_t *a);
static ngx_int_t ngx_http_hls_auth_refuse(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_hls_auth_suspend(ngx_http_request_t *r,
    ngx_http_hls_auth_t *a);
static void ngx_http_hls_auth_wait_handler(ngx_rtmp_route_wait_t *wait);
static void ngx_http_hls_auth_timer_handler(ngx_event_t *ev);
static void ngx_http_hls_auth_cancel(void *data);
static void ngx_http_hls_auth_cleanup(void *data);
static ngx_int_t ngx_http_hls_auth_header_filter(ngx_http_request_t *r);


static ngx_str_t  ngx_http_hls_auth_token = ngx_string("X-Token-Session");

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/* in front of the cache: also for what is none of its business */

ngx_int_t
ngx_http_hls_auth_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 path;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hls_cache_module);

    if (hlcf->auth == NGX_HTTP_HLS_AUTH_OFF
        || (hlcf->zone == NULL && hlcf->route == NULL))
    {
        return NGX_DECLINED;
    }

    rc = ngx_http_hls_auth_is_key(r, &r->uri);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_hls_auth_renamed(r, hlcf, &path);

        if (rc == NGX_OK) {
            rc = ngx_http_hls_auth_is_key(r, &path);
        }
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_DECLINED
                                    : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_hls_auth(r, hlcf);

    return (rc == NGX_OK) ? NGX_DECLINED : rc;
}


/* "%" that is left may be decoded by a server that is given it as it is */

static ngx_int_t
ngx_http_hls_auth_is_key(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char      *p, *last, *src, *dst;
    ngx_uint_t   n;

    p = path->data;
    last = p + path->len;

    for (n = 0; /* void */ ; n++) {

        if (ngx_http_hls_auth_has_key(p, last)) {
            return NGX_OK;
        }

        if (n == 3 || ngx_strlchr(p, last, '%') == NULL) {
            return NGX_DECLINED;
        }

        src = p;

        p = ngx_pnalloc(r->pool, last - src);
        if (p == NULL) {
            return NGX_ERROR;
        }

        dst = p;
        ngx_unescape_uri(&dst, &src, last - src, 0);
        last = dst;
    }
}


/*
 * A server may take "1.key/", "1.key;a", "1.key." and the like for "1.key": a
 * part of the path that begins as the name of a key is enough.
 */

static ngx_uint_t
ngx_http_hls_auth_has_key(u_char *p, u_char *last)
{
    for ( /* void */ ; last - p >= 4; p++) {

        if (*p != '.' || ngx_strncasecmp(p, (u_char *) ".key", 4) != 0) {
            continue;
        }

        if (last - p == 4) {
            return 1;
        }

        if ((p[4] < 'a' || p[4] > 'z') && (p[4] < 'A' || p[4] > 'Z')
            && (p[4] < '0' || p[4] > '9') && p[4] != '-' && p[4] != '_')
        {
            return 1;
        }
    }

    return 0;
}


/* what a rule has the server asked for; NGX_DECLINED: the path as it is */

static ngx_int_t
ngx_http_hls_auth_renamed(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf,
    ngx_str_t *path)
{
    ngx_int_t                rc;
    ngx_rtmp_route_mapped_t  mapped;

    if (hlcf->route == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_rtmp_route_map(hlcf->route, r->pool, &r->uri, &mapped);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK || mapped.to.len == 0) {
        return NGX_DECLINED;
    }

    *path = mapped.to;

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_auth(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf)
{
    ngx_int_t             rc;
    ngx_http_hls_auth_t  *a;

    /* what they bring nobody gets without being asked himself */

    if (hlcf->auth == NGX_HTTP_HLS_AUTH_OFF
        || ngx_http_hls_fill_of(r) || ngx_http_hls_ghost_of(r))
    {
        return NGX_OK;
    }

    a = ngx_http_hls_auth_get(r);

    if (a == NULL || a->conf != hlcf
        || a->uri.len != r->uri.len
        || ngx_memcmp(a->uri.data, r->uri.data, r->uri.len) != 0)
    {
        a = ngx_http_hls_auth_create(r, hlcf);
        if (a == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (a->ok) {
        return NGX_OK;
    }

    rc = NGX_BUSY;

    if (hlcf->route) {
        rc = a->viewer.key.len ? ngx_rtmp_route_authorize(hlcf->route,
                                                          &a->viewer)
                               : NGX_DECLINED;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "hls cache auth: %i, stream \"%V\"", rc, &a->viewer.key);

    if (rc == NGX_AGAIN) {

        if (!a->timedout) {
            return ngx_http_hls_auth_suspend(r, a);
        }

        rc = NGX_BUSY;
    }

    if (rc == NGX_BUSY && hlcf->auth_fail == NGX_HTTP_HLS_AUTH_ALLOW) {
        rc = NGX_OK;
    }

    ngx_http_hls_auth_cancel(a);

    switch (rc) {

    case NGX_OK:
        a->ok = 1;
        return NGX_OK;

    case NGX_BUSY:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "nobody can tell whether the client may have the key");

        return ngx_http_hls_auth_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE);

    default: /* NGX_DECLINED */
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client may not have the key");

        return ngx_http_hls_auth_refuse(r, NGX_HTTP_FORBIDDEN);
    }
}


/* what passes by the cache may be known as a key from a playlist in it */

ngx_int_t
ngx_http_hls_auth_pass(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf)
{
    ngx_int_t               rc;
    ngx_str_t               path;
    ngx_http_hls_target_t   target;

    if (hlcf->auth == NGX_HTTP_HLS_AUTH_OFF) {
        return NGX_OK;
    }

    ngx_memzero(&target, sizeof(ngx_http_hls_target_t));

    rc = ngx_http_hls_target(r, hlcf, &target);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_hls_auth_known(r, hlcf, &target, &target.path);

    if (rc == NGX_DECLINED) {

        /* or by the name that the server has for it */

        rc = ngx_http_hls_auth_renamed(r, hlcf, &path);

        if (rc == NGX_OK) {
            rc = ngx_http_hls_auth_known(r, hlcf, &target, &path);
        }
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return (rc == NGX_OK) ? ngx_http_hls_auth(r, hlcf) : NGX_OK;
}


/* NGX_DECLINED: no playlist in the cache says that it is a key */

static ngx_int_t
ngx_http_hls_auth_known(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf,
    ngx_http_hls_target_t *target, ngx_str_t *path)
{
    ngx_int_t              rc;
    ngx_str_t              args;
    ngx_uint_t             kind;
    ngx_http_hls_key_t     key;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    ngx_str_null(&args);

    rc = ngx_http_hls_target_key(r->pool, hlcf, target, path, &args, &key,
                                 &kind);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        key = target->key;
        kind = target->kind;
    }

    store = &hlcf->zone->store;

    ngx_memzero(&found, sizeof(ngx_http_hls_found_t));

    if (ngx_http_hls_store_lookup(store, &key, kind, 0, 0, 0, &found)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_hls_store_release(store, &found.body);

    return (found.entry && found.kind == NGX_HTTP_HLS_KEY) ? NGX_OK
                                                           : NGX_DECLINED;
}


static ngx_http_hls_auth_t *
ngx_http_hls_auth_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_hls_auth_t  *a;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_hls_auth_cleanup) {
            continue;
        }

        a = cln->data;

        if (a->request == r) {
            return a;
        }
    }

    return NULL;
}


static ngx_http_hls_auth_t *
ngx_http_hls_auth_create(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *hlcf)
{
    ngx_pool_cleanup_t   *cln;
    ngx_table_elt_t      *h;
    ngx_http_hls_auth_t  *a;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_hls_auth_t));
    if (cln == NULL) {
        return NULL;
    }

    a = cln->data;

    ngx_memzero(a, sizeof(ngx_http_hls_auth_t));

    cln->handler = ngx_http_hls_auth_cleanup;

    a->request = r;
    a->conf = hlcf;
    a->uri = r->uri;
    a->viewer.addr = r->connection->addr_text;

    h = ngx_http_hls_header(r, &ngx_http_hls_auth_token);

    if (h) {
        a->viewer.token = h->value;
    }

    if (hlcf->route && ngx_http_hls_auth_channel(r, a) != NGX_OK) {
        return NULL;
    }

    return a;
}


/* by the path alone: an argument is the word of a stranger */

static ngx_int_t
ngx_http_hls_auth_channel(ngx_http_request_t *r, ngx_http_hls_auth_t *a)
{
    ngx_int_t                   rc;
    ngx_str_t                   args;
    ngx_rtmp_route_peer_t       peer;
    ngx_rtmp_route_query_t      query;
    ngx_http_rtmp_route_keys_t  keys;

    args = r->args;
    ngx_str_null(&r->args);

    rc = ngx_http_rtmp_route_keys(r, a->conf->route, &keys);

    r->args = args;

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.op = NGX_RTMP_ROUTE_FETCH;
    query.peek = 1;
    query.protocol = NGX_RTMP_ROUTE_HTTP;
    query.alternative = NGX_RTMP_ROUTE_HTTPS;

    (void) ngx_http_rtmp_route_known(a->conf->route, &keys, &query, &peer);

    a->viewer.key = query.key;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_auth_refuse(ngx_http_request_t *r, ngx_uint_t status)
{
    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_hls_send_add(r, "Retry-After", sizeof("Retry-After") - 1,
                                 (u_char *) "1", 1)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return status;
}


static ngx_int_t
ngx_http_hls_auth_suspend(ngx_http_request_t *r, ngx_http_hls_auth_t *a)
{
    ngx_http_cleanup_t  *cln;

    if (!a->waited) {

        /* this one runs as soon as the client is gone, the pool's at the end */

        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cln->handler = ngx_http_hls_auth_cancel;
        cln->data = a;

        a->wait.route = a->conf->route;
        a->wait.handler = ngx_http_hls_auth_wait_handler;
        a->wait.data = a;

        a->timer.handler = ngx_http_hls_auth_timer_handler;
        a->timer.data = a;
        a->timer.log = r->connection->log;

        ngx_add_timer(&a->timer, ngx_rtmp_route_wait_time(a->conf->route));

        a->waited = 1;
    }

    if (ngx_http_rtmp_route_hold(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->waiting = 1;
    ngx_rtmp_route_wait(&a->wait);

    return NGX_AGAIN;
}


static void
ngx_http_hls_auth_wait_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_http_hls_auth_t *a = wait->data;

    a->waiting = 0;

    ngx_http_rtmp_route_go_on(a->request);
}


static void
ngx_http_hls_auth_timer_handler(ngx_event_t *ev)
{
    ngx_http_hls_auth_t *a = ev->data;

    ngx_http_hls_auth_cancel(a);

    a->timedout = 1;

    ngx_http_rtmp_route_go_on(a->request);
}


static void
ngx_http_hls_auth_cancel(void *data)
{
    ngx_http_hls_auth_t *a = data;

    if (a->waiting) {
        a->waiting = 0;
        ngx_rtmp_route_wait_cancel(&a->wait);
    }

    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }
}


static void
ngx_http_hls_auth_cleanup(void *data)
{
    ngx_http_hls_auth_cancel(data);
}


void
ngx_http_hls_auth_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_hls_auth_header_filter;
}


/* nobody keeps an answer that is for one viewer, wherever it comes from */

static ngx_int_t
ngx_http_hls_auth_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t                i;
    ngx_list_part_t          *part;
    ngx_table_elt_t          *h;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hls_cache_module);

    if (hlcf->auth == NGX_HTTP_HLS_AUTH_OFF
        || r != r->main
        || ngx_http_hls_auth_get(r) == NULL)
    {
        return ngx_http_next_header_filter(r);
    }

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if ((h[i].key.len == sizeof("Cache-Control") - 1
             && ngx_strncasecmp(h[i].key.data, (u_char *) "Cache-Control",
                                h[i].key.len)
                == 0)
            || (h[i].key.len == sizeof("Expires") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Expires",
                                   h[i].key.len)
                   == 0))
        {
            h[i].hash = 0;
        }
    }

    if (ngx_http_hls_send_control(r, "no-store", 8) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_hls_auth_check(ngx_conf_t *cf, void **loc_conf)
{
    u_char                          *p;
    ngx_str_t                        what;
    ngx_http_hls_loc_conf_t         *hlcf;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_rtmp_route_loc_conf_t  *rlcf;

    hlcf = loc_conf[ngx_http_hls_cache_module.ctx_index];
    clcf = loc_conf[ngx_http_core_module.ctx_index];
    rlcf = loc_conf[ngx_http_rtmp_route_module.ctx_index];

    /* what is of no location refuses keys when it is asked for them */

    if (hlcf->auth == NGX_HTTP_HLS_AUTH_OFF || clcf->name.len == 0
        || (hlcf->zone == NULL && rlcf->route == NULL && !hlcf->own_auth))
    {
        return NGX_OK;
    }

    if (rlcf->route == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"hls_cache_auth osp\" needs \"rtmp_route\" "
                      "in location \"%V\"", &clcf->name);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, sizeof("\"hls_cache_auth osp\" in location \"\"")
                              + clcf->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    what.data = p;
    what.len = ngx_sprintf(p, "\"hls_cache_auth osp\" in location \"%V\"",
                           &clcf->name)
               - p;

    ngx_rtmp_route_need_control(rlcf->route, &what);

    return NGX_OK;
}
