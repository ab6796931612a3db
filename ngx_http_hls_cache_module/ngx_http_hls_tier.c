
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_tier.h"


#define NGX_HTTP_HLS_TIER_REDIRECTS  3


static ngx_table_elt_t *ngx_http_hls_tier_header(ngx_list_t *headers,
    const char *name);
static ngx_uint_t ngx_http_hls_tier_same(ngx_http_request_t *sr,
    ngx_hls_ref_t *ref);
static ngx_uint_t ngx_http_hls_tier_host(ngx_http_upstream_t *u,
    ngx_hls_ref_t *ref, in_port_t port);
static ngx_uint_t ngx_http_hls_tier_is(ngx_str_t *name, ngx_str_t *host);


static ngx_str_t  ngx_http_hls_tier_name = ngx_string("X-HLS-Age");


ngx_int_t
ngx_http_hls_tier_redirect(ngx_http_hls_fill_t *fill, ngx_http_request_t *sr,
    ngx_uint_t key)
{
    ngx_int_t         rc;
    ngx_log_t        *log;
    ngx_hls_ref_t     ref;
    ngx_table_elt_t  *location;

    switch (sr->headers_out.status) {

    case NGX_HTTP_MOVED_PERMANENTLY:
    case NGX_HTTP_MOVED_TEMPORARILY:
    case NGX_HTTP_SEE_OTHER:
    case NGX_HTTP_TEMPORARY_REDIRECT:
    case NGX_HTTP_PERMANENT_REDIRECT:
        break;

    default:
        return NGX_DECLINED;
    }

    log = sr->connection->log;

    location = ngx_http_hls_tier_header(&sr->headers_out.headers, "location");

    if (location == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "redirect without \"Location\"");
        return NGX_DECLINED;
    }

    rc = ngx_hls_uri_resolve(sr->pool, &sr->uri, &location->value, &ref);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "invalid redirect");
        return NGX_DECLINED;
    }

    if (ref.absolute && !ngx_http_hls_tier_same(sr, &ref)) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "redirect to another server \"%V:%ui\"",
                      &ref.host, (ngx_uint_t) ref.port);
        return NGX_DECLINED;
    }

    /* nobody was asked whether the viewer may have a key, or what looks so */

    if (!key
        && ngx_strlcasestrn(ref.path.data, ref.path.data + ref.path.len,
                            (u_char *) ".key", 4 - 1)
           != NULL)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "redirect to a key");
        return NGX_DECLINED;
    }

    if (fill->redirects == NGX_HTTP_HLS_TIER_REDIRECTS) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "too many redirects");
        return NGX_DECLINED;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "hls fill redirect: \"%V\" \"%V\"", &ref.path, &ref.args);

    fill->redirects++;
    fill->next = ref.path;
    fill->next_args = ref.args;

    return NGX_OK;
}


/* the name is in lower case */

static ngx_table_elt_t *
ngx_http_hls_tier_header(ngx_list_t *headers, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    part = &headers->part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash != 0
            && h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            return &h[i];
        }
    }
}


/*
 * Whether that is the server which has answered: by its address, its name in
 * the route, or the name that it was called by.
 */

static ngx_uint_t
ngx_http_hls_tier_same(ngx_http_request_t *sr, ngx_hls_ref_t *ref)
{
    u_char                      buf[NGX_SOCKADDR_STRLEN];
    ngx_str_t                   addr;
    in_port_t                   port;
    ngx_uint_t                  https;
    ngx_http_upstream_t        *u;
    ngx_http_rtmp_route_ctx_t  *ctx;

    u = sr->upstream;

    if (u == NULL || u->peer.sockaddr == NULL) {
        return 0;
    }

#if (NGX_HTTP_SSL)
    https = u->ssl;
#else
    https = 0;
#endif

    if (https != ref->https) {
        return 0;
    }

    port = ngx_inet_get_port(u->peer.sockaddr);

    if (ref->port == port) {

        addr.data = buf;
        addr.len = ngx_sock_ntop(u->peer.sockaddr, u->peer.socklen, buf,
                                 NGX_SOCKADDR_STRLEN, 0);

        /* without the brackets of IPv6 */

        if (addr.len > 2 && buf[0] == '[') {
            addr.data++;
            addr.len -= 2;
        }

        if (ngx_http_hls_tier_is(&addr, &ref->host)) {
            return 1;
        }

        ctx = ngx_http_rtmp_route_answered_by(sr, NULL);

        if (ctx && ngx_http_hls_tier_is(&ctx->host, &ref->host)) {
            return 1;
        }
    }

    return ngx_http_hls_tier_host(u, ref, port);
}


/* the Host that was sent, whoever has set it */

static ngx_uint_t
ngx_http_hls_tier_host(ngx_http_upstream_t *u, ngx_hls_ref_t *ref,
    in_port_t port)
{
    u_char     *p, *last, *end, *colon;
    ngx_int_t   n;
    ngx_buf_t  *b;
    ngx_str_t   host;

    if (u->request_bufs == NULL) {
        return 0;
    }

    b = u->request_bufs->buf;

    if (!ngx_buf_in_memory(b)) {
        return 0;
    }

    end = b->last;

    p = ngx_strlcasestrn(b->start, end, (u_char *) "\r\nHost: ", 8 - 1);

    if (p == NULL) {
        return 0;
    }

    p += 8;

    last = ngx_strlchr(p, end, '\r');

    if (last == NULL) {
        return 0;
    }

    host.data = p;
    host.len = last - p;

    n = ref->https ? 443 : 80;

    for (colon = last; colon > p; colon--) {

        if (colon[-1] == ']' || colon[-1] == ':') {
            break;
        }
    }

    if (colon > p && colon[-1] == ':') {
        n = ngx_atoi(colon, last - colon);
        host.len = colon - 1 - p;
    }

    if (host.len > 2 && host.data[0] == '[') {
        host.data++;
        host.len -= 2;
    }

    return (ref->port == port || ref->port == n)
           && ngx_http_hls_tier_is(&host, &ref->host);
}


/* host is in lower case */

static ngx_uint_t
ngx_http_hls_tier_is(ngx_str_t *name, ngx_str_t *host)
{
    return name->len == host->len
           && ngx_strncasecmp(name->data, host->data, name->len) == 0;
}


ngx_int_t
ngx_http_hls_tier_ask(ngx_http_request_t *pr)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&pr->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = ngx_http_hls_tier_name;
    h->lowcase_key = (u_char *) "x-hls-age";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    ngx_str_set(&h->value, "ms");

    return NGX_OK;
}


/* believed if it comes from a server of the route */

void
ngx_http_hls_tier_age(ngx_http_hls_object_t *obj, ngx_http_request_t *sr)
{
    ngx_list_t               *headers;
    ngx_table_elt_t          *h;
    ngx_http_hls_loc_conf_t  *conf;

    conf = obj->conf;
    headers = &sr->headers_out.headers;

    obj->told = ngx_current_msec;

    ngx_memzero(&obj->age, sizeof(ngx_http_hls_policy_age_t));

    if (conf->route && ngx_http_rtmp_route_answered_by(sr, conf->route)) {

        h = ngx_http_hls_tier_header(headers, "x-hls-age");

        if (h) {
            ngx_http_hls_policy_age(&h->value, &obj->age);
        }
    }

    if (conf->honor_headers && !obj->age.has_fetched) {

        h = ngx_http_hls_tier_header(headers, "age");

        if (h) {
            ngx_http_hls_policy_seconds(&h->value, &obj->age);
        }
    }
}


void
ngx_http_hls_tier_list(ngx_http_hls_object_t *obj,
    ngx_http_hls_policy_list_t *in)
{
    if (!obj->age.has_fetched) {
        return;
    }

    in->aged = 1;
    in->good = obj->told - obj->age.fetched;

    if (obj->age.has_changed) {
        in->changed = obj->told - obj->age.changed;
    }
}


ngx_uint_t
ngx_http_hls_tier_client(ngx_http_request_t *r)
{
    return ngx_http_hls_tier_header(&r->headers_in.headers, "x-hls-age")
           != NULL;
}


ngx_int_t
ngx_http_hls_tier_tell(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_uint_t error)
{
    u_char                *p;
    ngx_str_t              value;
    ngx_msec_t             now;
    ngx_msec_int_t         changed, fetched;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t  *found;

    if (!ngx_http_hls_tier_client(r)) {
        return NGX_OK;
    }

    found = &ctx->found;
    data = (ngx_http_hls_data_t *) found->times.data;
    now = ngx_current_msec;

    changed = 0;
    fetched = 0;

    if (error) {

        if (data->started == 0) {
            return NGX_OK;
        }

        fetched = now - ngx_http_hls_policy_moment(now, data->started);

    } else if (found->body.state == NGX_HTTP_HLS_BODY_DONE) {
        changed = now - found->times.changed;
        fetched = now - ngx_http_hls_policy_moment(now, data->good);
    }

    if (data->flags & NGX_HTTP_HLS_AGED) {

        /* this one is late, and a third one has to be later */

        changed -= NGX_HTTP_HLS_TIER_LATE;
        fetched -= NGX_HTTP_HLS_TIER_LATE;
    }

    fetched = ngx_max(fetched, 0);
    changed = ngx_max(changed, fetched);

    value.data = ngx_pnalloc(r->pool, sizeof("changed=, fetched=")
                                      + 2 * NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value.data, "changed=%M, fetched=%M",
                    (ngx_msec_t) changed, (ngx_msec_t) fetched);

    value.len = p - value.data;

    return ngx_http_hls_send_add(r, (char *) ngx_http_hls_tier_name.data,
                                 ngx_http_hls_tier_name.len, value.data,
                                 value.len)
           ? NGX_OK : NGX_ERROR;
}
