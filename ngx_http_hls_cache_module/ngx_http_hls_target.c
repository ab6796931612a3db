
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_hls_uri.h"
#include "ngx_http_hls_cache.h"


#define NGX_HTTP_HLS_NO_VHOST   "__defaultVhost__"

/* digits of a generation */
#define NGX_HTTP_HLS_GEN_LEN    9

/* of one URI: a cache in front of others */
#define NGX_HTTP_HLS_GENS       4
#define NGX_HTTP_HLS_GENS_LEN   (NGX_HTTP_HLS_GENS                            \
                                 * (sizeof("&g=") + NGX_HTTP_HLS_GEN_LEN))


static ngx_int_t ngx_http_hls_target_keys(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target,
    ngx_http_rtmp_route_keys_t *keys);
static ngx_uint_t ngx_http_hls_target_is_image(ngx_str_t *path);
static ngx_int_t ngx_http_hls_target_identity(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target);
static ngx_uint_t ngx_http_hls_target_is_address(ngx_str_t *host);
static void ngx_http_hls_target_session(ngx_http_hls_loc_conf_t *conf,
    ngx_str_t *args, ngx_str_t *name);
static ngx_int_t ngx_http_hls_target_parse(ngx_pool_t *pool,
    ngx_http_hls_target_t *target, ngx_str_t *args);
static ngx_uint_t ngx_http_hls_target_number(ngx_str_t *args, u_char *buf,
    ngx_str_t *all);
static ngx_int_t ngx_http_hls_target_text(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_str_t *id, ngx_str_t *path,
    ngx_str_t *args, ngx_str_t *last, ngx_http_hls_key_t *key);
static ngx_int_t ngx_http_hls_target_add(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target,
    ngx_str_t *add, ngx_http_hls_key_t *key);


ngx_int_t
ngx_http_hls_target(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target)
{
    u_char     buf[NGX_HTTP_HLS_GENS_LEN];
    ngx_str_t  value, all;

    /* most requests are for playlists */

    if (r->uri.len > 5
        && ngx_memcmp(r->uri.data + r->uri.len - 5, ".m3u8", 5) == 0)
    {
        target->kind = NGX_HTTP_HLS_PLAYLIST;

    } else {
        target->kind = ngx_hls_uri_kind(&r->uri);
    }

    if (target->kind == NGX_HLS_KIND_ENDLESS) {
        return NGX_DECLINED;
    }

    if (target->kind == NGX_HTTP_HLS_SEGMENT
        && ngx_http_hls_target_is_image(&r->uri))
    {
        target->kind = NGX_HTTP_HLS_OTHER;
    }

    target->path = r->uri;

    if (ngx_http_hls_target_identity(r, conf, target) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->args.len) {

        if (ngx_hls_args_filter(r->pool, &r->args, conf->args, &target->args)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (target->kind == NGX_HTTP_HLS_PLAYLIST) {

            ngx_http_hls_target_session(conf, &r->args, &target->session);

            if (ngx_http_hls_target_parse(r->pool, target, &r->args)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (target->kind != NGX_HTTP_HLS_MANIFEST
                   && conf->continuity)
        {
            target->generation = ngx_http_hls_target_number(&r->args, buf,
                                                            &all);

            if (target->generation) {

                target->generations.len = all.len;
                target->generations.data = ngx_pstrdup(r->pool, &all);

                if (target->generations.data == NULL) {
                    return NGX_ERROR;
                }
            }
        }
    }

    if (conf->key == NULL) {
        return ngx_http_hls_target_text(r->pool, conf, &target->id,
                                        &target->path, &target->args,
                                        &target->session, &target->key);
    }

    if (ngx_http_complex_value(r, conf->key, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_hls_target_text(r->pool, conf, &target->id, &value, NULL,
                                    NULL, &target->key);
}


ngx_int_t
ngx_http_hls_target_generation(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target, ngx_http_hls_key_t *key)
{
    return ngx_http_hls_target_add(pool, conf, target, &target->generations,
                                   key);
}


ngx_int_t
ngx_http_hls_target_directives(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target, ngx_http_hls_key_t *key)
{
    return ngx_http_hls_target_add(pool, conf, target, &target->directives,
                                   key);
}


ngx_int_t
ngx_http_hls_target_key(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target, ngx_str_t *path, ngx_str_t *args,
    ngx_http_hls_key_t *key, ngx_uint_t *kind)
{
    u_char     buf[NGX_HTTP_HLS_GENS_LEN];
    ngx_str_t  last, listed;

    *kind = ngx_hls_uri_kind(path);

    if (*kind == NGX_HLS_KIND_ENDLESS || conf->key) {
        return NGX_DECLINED;
    }

    ngx_str_null(&last);
    ngx_str_null(&listed);

    if (args->len) {

        if (ngx_hls_args_filter(pool, args, conf->args, &listed) != NGX_OK) {
            return NGX_ERROR;
        }

        if (*kind == NGX_HTTP_HLS_PLAYLIST) {
            ngx_http_hls_target_session(conf, args, &last);

        } else if (*kind != NGX_HTTP_HLS_MANIFEST && conf->continuity) {

            (void) ngx_http_hls_target_number(args, buf, &last);
        }
    }

    return ngx_http_hls_target_text(pool, conf, &target->id, path, &listed,
                                    &last, key);
}


ngx_int_t
ngx_http_hls_target_stream(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target)
{
    u_char                      *p, *last;
    ngx_int_t                    rc;
    ngx_str_t                   *name, path;
    ngx_uint_t                   i;
    ngx_rtmp_route_peer_t        peer;
    ngx_rtmp_route_query_t       query;
    ngx_http_rtmp_route_keys_t   keys;

    if (target->stream.len) {
        return NGX_OK;
    }

    if (conf->route) {

        rc = ngx_http_hls_target_keys(r, conf, target, &keys);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

            query.op = NGX_RTMP_ROUTE_FETCH;
            query.peek = 1;
            query.protocol = NGX_RTMP_ROUTE_HTTP;
            query.alternative = NGX_RTMP_ROUTE_HTTPS;

            (void) ngx_http_rtmp_route_known(conf->route, &keys, &query,
                                             &peer);

            target->stream = query.key;

            return NGX_OK;
        }
    }

    /* "/hls/cam1.m3u8" and "/hls/cam1/index.m3u8" are both "hls/cam1" */

    path = target->path;

    while (path.len && path.data[0] == '/') {
        path.data++;
        path.len--;
    }

    last = path.data + path.len;
    p = last;

    while (p > path.data && p[-1] != '/') {
        p--;
    }

    if (target->kind != NGX_HTTP_HLS_PLAYLIST
        || ngx_strncasecmp(p, (u_char *) "index", 5) == 0
        || ngx_strncasecmp(p, (u_char *) "playlist", 8) == 0
        || ngx_strncasecmp(p, (u_char *) "master", 6) == 0
        || ngx_strncasecmp(p, (u_char *) "chunklist", 9) == 0)
    {
        if (p > path.data) {
            path.len = p - 1 - path.data;
        }

    } else {
        for (p = last; p > path.data; p--) {

            if (p[-1] == '.') {
                path.len = p - 1 - path.data;
                break;
            }
        }
    }

    if (conf->variants) {

        name = conf->variants->elts;

        for (i = 0; i < conf->variants->nelts; i++) {

            if (path.len > name[i].len
                && ngx_memcmp(path.data + path.len - name[i].len,
                              name[i].data, name[i].len)
                   == 0)
            {
                path.len -= name[i].len;
                break;
            }
        }
    }

    target->stream.len = ngx_min(path.len, NGX_HTTP_HLS_STORE_NAME_LEN);
    target->stream.data = path.data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_hls_target_endless(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target)
{
    ngx_int_t                   rc;
    ngx_rtmp_route_peer_t       peer;
    ngx_rtmp_route_query_t      query;
    ngx_http_rtmp_route_keys_t  keys;

    if (conf->route == NULL
        || target->kind != NGX_HTTP_HLS_SEGMENT
        || ngx_http_hls_target_keys(r, conf, target, &keys) != NGX_OK
        || keys.n == 0 || keys.key[0].len == 0)
    {
        return 0;
    }

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.op = NGX_RTMP_ROUTE_FETCH;
    query.lookup = 1;
    query.peek = 1;
    query.protocol = NGX_RTMP_ROUTE_HTTP;
    query.alternative = NGX_RTMP_ROUTE_HTTPS;

    /* the path without its ending comes first */

    query.key = keys.key[0];

    rc = ngx_rtmp_route_pick(conf->route, &query, &peer);

    return rc == NGX_OK || rc == NGX_BUSY;
}


/* as a fill asks for them: other arguments are not heard */

static ngx_int_t
ngx_http_hls_target_keys(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target, ngx_http_rtmp_route_keys_t *keys)
{
    ngx_int_t  rc;
    ngx_str_t  args;

    args = r->args;
    r->args = target->args;

    rc = ngx_http_rtmp_route_keys(r, conf->route, keys);

    r->args = args;

    return rc;
}


/* a preview changes; a segment is one if a playlist says so */

static ngx_uint_t
ngx_http_hls_target_is_image(ngx_str_t *path)
{
    u_char  *p;

    if (path->len < 5) {
        return 0;
    }

    p = path->data + path->len - 4;

    return ngx_strncasecmp(p, (u_char *) ".jpg", 4) == 0
           || ngx_strncasecmp(p, (u_char *) ".png", 4) == 0
           || ngx_strncasecmp(p, (u_char *) "jpeg", 4) == 0
           || ngx_strncasecmp(p, (u_char *) "webp", 4) == 0;
}


static ngx_int_t
ngx_http_hls_target_identity(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target)
{
    u_char     *p;
    ngx_str_t  *name, host;

    if (conf->route) {

        name = ngx_rtmp_route_name(conf->route);

        if (ngx_rtmp_route_key_form(conf->route) != NGX_RTMP_ROUTE_KEY_VHOST) {
            target->id = *name;
            target->host = *name;
            return NGX_OK;
        }

        host = r->headers_in.server;

        if (ngx_strlchr(host.data, host.data + host.len, '.') == NULL
            || ngx_http_hls_target_is_address(&host))
        {
            ngx_str_set(&host, NGX_HTTP_HLS_NO_VHOST);
        }

        p = ngx_pnalloc(r->pool, name->len + 1 + host.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        target->id.data = p;

        p = ngx_cpymem(p, name->data, name->len);
        *p++ = '/';
        p = ngx_cpymem(p, host.data, host.len);

        target->id.len = p - target->id.data;
        target->host = host;

        return NGX_OK;
    }

    target->id = (conf->server->any && r->headers_in.server.len)
                 ? r->headers_in.server : conf->server->id;
    target->host = target->id;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_hls_target_is_address(ngx_str_t *host)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];
#endif

    if (host->len == 0 || host->data[0] == '[') {
        return 1;
    }

#if (NGX_HAVE_INET6)
    if (ngx_inet6_addr(host->data, host->len, addr) == NGX_OK) {
        return 1;
    }
#endif

    return ngx_inet_addr(host->data, host->len) != INADDR_NONE;
}


static void
ngx_http_hls_target_session(ngx_http_hls_loc_conf_t *conf, ngx_str_t *args,
    ngx_str_t *name)
{
    ngx_str_t   *arg, value;
    ngx_uint_t   i;

    arg = conf->session_args->elts;

    for (i = 0; i < conf->session_args->nelts; i++) {

        if (ngx_hls_args_find(args, &arg[i], &value) == NGX_OK) {
            *name = arg[i];
            return;
        }
    }
}


/*
 * Directives of Low-Latency HLS, in one form whatever their order was; that
 * for a part of a playlist is not heard
 */

static ngx_int_t
ngx_http_hls_target_parse(ngx_pool_t *pool, ngx_http_hls_target_t *target,
    ngx_str_t *args)
{
    u_char                *p;
    ngx_hls_directives_t   d;

    if (ngx_hls_args_directives(args, &d) != NGX_OK || !d.has_msn) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, sizeof("_HLS_msn=&_HLS_part=")
                          + NGX_INT64_LEN + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    target->directives.data = p;

    target->msn = d.msn;

    p = ngx_sprintf(p, "_HLS_msn=%uL", d.msn);

    if (d.has_part) {
        p = ngx_sprintf(p, "&_HLS_part=%ui", d.part);
    }

    target->directives.len = p - target->directives.data;

    return NGX_OK;
}


/*
 * g=N, as it is written by us; 0: none.  The last one is ours, or that of the
 * origin, if it is such a cache, and those before are the origin's.
 */

static ngx_uint_t
ngx_http_hls_target_number(ngx_str_t *args, u_char *buf, ngx_str_t *all)
{
    u_char     *p;
    ngx_int_t   n, last;
    ngx_str_t   rest, name, value, whole;
    ngx_uint_t  count;

    ngx_str_null(all);

    rest = *args;
    last = 0;
    count = 0;
    p = buf;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        if (name.len != 1 || name.data[0] != 'g'
            || value.len == 0
            || value.len > NGX_HTTP_HLS_GEN_LEN
            || value.data[0] == '0')
        {
            continue;
        }

        n = ngx_atoi(value.data, value.len);

        if (n == NGX_ERROR) {
            continue;
        }

        if (count++ == NGX_HTTP_HLS_GENS) {
            return 0;
        }

        if (p > buf) {
            *p++ = '&';
        }

        p = ngx_sprintf(p, "g=%i", n);
        last = n;
    }

    if (last) {
        all->data = buf;
        all->len = p - buf;
    }

    return last;
}


/* "live|/hls/cam1.m3u8?a=1&hls_ctx", where no path has a "?" of its own */

static ngx_int_t
ngx_http_hls_target_text(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_str_t *id, ngx_str_t *path, ngx_str_t *args, ngx_str_t *last,
    ngx_http_hls_key_t *key)
{
    u_char     *p;
    size_t      len;
    uintptr_t   escape;

    escape = args ? ngx_escape_uri(NULL, path->data, path->len, NGX_ESCAPE_URI)
                  : 0;

    len = id->len + 1 + path->len + 2 * escape;

    if (args) {
        len += 1 + args->len + 1 + last->len;
    }

    if (len > NGX_HTTP_HLS_STORE_KEY_LEN) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->text.data = p;

    p = ngx_cpymem(p, id->data, id->len);
    *p++ = '|';

    if (escape) {
        p = (u_char *) ngx_escape_uri(p, path->data, path->len,
                                      NGX_ESCAPE_URI);

    } else {
        p = ngx_cpymem(p, path->data, path->len);
    }

    if (args && args->len) {
        *p++ = '?';
        p = ngx_cpymem(p, args->data, args->len);
    }

    if (args && last->len) {
        *p++ = args->len ? '&' : '?';
        p = ngx_cpymem(p, last->data, last->len);
    }

    key->text.len = p - key->text.data;

    ngx_http_hls_store_key(&conf->zone->store, key);

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_target_add(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target, ngx_str_t *add, ngx_http_hls_key_t *key)
{
    u_char     *p;
    size_t      len;
    ngx_str_t  *text;

    text = &target->key.text;
    len = text->len + 1 + add->len;

    if (len > NGX_HTTP_HLS_STORE_KEY_LEN) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->text.data = p;

    p = ngx_cpymem(p, text->data, text->len);
    *p++ = (target->args.len + target->session.len) ? '&' : '?';
    p = ngx_cpymem(p, add->data, add->len);

    key->text.len = p - key->text.data;

    ngx_http_hls_store_key(&conf->zone->store, key);

    return NGX_OK;
}
