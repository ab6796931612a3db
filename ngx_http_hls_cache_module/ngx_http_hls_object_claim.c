
/*
 * Copyright (C) The nginx-osp authors
 */


/* How claims end, and what else objects are asked. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_object.h"


static ngx_uint_t ngx_http_hls_object_use_stale(ngx_http_hls_object_t *obj,
    ngx_uint_t status);
static void ngx_http_hls_object_timer(ngx_event_t *ev);


/* with a body that is whole */

void
ngx_http_hls_object_done(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times)
{
    ngx_http_hls_data_t  *data;

    data = ngx_http_hls_object_data(times);

    data->started = obj->data.started;
    data->took = (uint16_t) ngx_min(obj->took, 65535);
    data->error = 0;
    data->tries = 0;

    (void) ngx_http_hls_store_done(&obj->zone->store, &obj->found, &obj->body,
                                   times);

    ngx_http_hls_store_release(&obj->zone->store, &obj->body);

    obj->ended = 1;
    ngx_http_hls_object_free(obj);
}


/* with one that is there already */

void
ngx_http_hls_object_keep(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times)
{
    ngx_http_hls_data_t  *data;

    data = ngx_http_hls_object_data(times);

    data->started = obj->data.started;
    data->took = (uint16_t) ngx_min(obj->took, 65535);

    if (!(data->flags & NGX_HTTP_HLS_FAILING)) {
        data->error = 0;
        data->tries = 0;
    }

    (void) ngx_http_hls_store_touch(&obj->zone->store, &obj->target.key, times,
                                    0);

    ngx_http_hls_store_abandon(&obj->zone->store, &obj->found, NULL);

    obj->ended = 1;
    ngx_http_hls_object_free(obj);
}


/* with nothing: status is the origin's answer, 0: there was none */

void
ngx_http_hls_object_failed(ngx_http_hls_object_t *obj, ngx_uint_t status)
{
    ngx_msec_t                     now;
    ngx_http_hls_data_t           *data;
    ngx_http_hls_times_t           times;
    ngx_http_hls_policy_ttl_t      ttl;
    ngx_http_hls_policy_fail_t     in;
    ngx_http_hls_policy_failed_t   failed;

    now = ngx_current_msec;

    if (obj->other) {
        ngx_http_hls_switch_failed(obj);
        return;
    }

    ngx_http_hls_object_times(obj, &times);
    data = ngx_http_hls_object_data(&times);

    if (ngx_http_hls_session_failed(obj, status, data) == NGX_OK) {
        ngx_http_hls_object_again(obj, 0, data);
        return;
    }

    ngx_memzero(&in, sizeof(ngx_http_hls_policy_fail_t));

    in.status = status;
    in.now = now;
    in.target = data->target;
    in.valid = ngx_http_hls_valid_time(obj->conf, obj->kind, status);
    in.tries = data->tries;
    in.body = obj->old;
    in.usable = (obj->old
                 && (int32_t) (data->usable - (uint32_t) now) > 0
                 && ngx_http_hls_object_use_stale(obj, status));
    in.listed = (data->flags & NGX_HTTP_HLS_LISTED) ? 1 : 0;
    in.route = (obj->conf->route != NULL);
    in.live = (obj->old && !in.usable && ngx_http_hls_object_live(obj));

    ngx_http_hls_policy_fail(&in, &failed);

    if (failed.action == NGX_HTTP_HLS_FAILED_RETRY) {
        data->tries++;
        ngx_http_hls_object_again(obj, failed.ttl, data);
        return;
    }

    data->started = obj->data.started;
    data->flags |= NGX_HTTP_HLS_FAILING;
    data->tries = 0;

    if (failed.action == NGX_HTTP_HLS_FAILED_ERROR) {
        failed.ttl = ngx_http_hls_policy_rest(failed.ttl, &obj->age);
    }

    times.fresh = now + failed.ttl;

    if (failed.action == NGX_HTTP_HLS_FAILED_ERROR) {
        data->error = (uint16_t) failed.status;

        if (obj->old && (int32_t) (data->usable - (uint32_t) now) > 0) {
            data->usable = (uint32_t) now;
        }

    } else if (ngx_http_hls_list_end(obj, &times) == NGX_OK) {
        return;
    }

    if (!obj->old && !(data->flags & NGX_HTTP_HLS_NOTED)) {
        times.stale = times.fresh;
    }

    if ((ngx_msec_int_t) (times.stale - times.fresh) < 0) {
        times.stale = times.fresh;
    }

    ngx_http_hls_store_fail(&obj->zone->store, &obj->found,
                            obj->body.body ? &obj->body : NULL,
                            failed.status, &times);

    if (obj->old) {
        ngx_memzero(&ttl, sizeof(ngx_http_hls_policy_ttl_t));

        ttl.next = times.fresh;
        ttl.target = data->target;
        ttl.predicted = 1;

        ngx_http_hls_refresh(obj, &ttl, NULL);
    }

    obj->ended = 1;
    ngx_http_hls_object_free(obj);
}


/* hls_cache_use_stale in words of what has happened */

static ngx_uint_t
ngx_http_hls_object_use_stale(ngx_http_hls_object_t *obj, ngx_uint_t status)
{
    ngx_uint_t  bits;

    switch (status) {

    case 0:
        bits = NGX_HTTP_UPSTREAM_FT_ERROR;
        break;

    case NGX_HTTP_FORBIDDEN:
        bits = NGX_HTTP_UPSTREAM_FT_HTTP_403;
        break;

    case NGX_HTTP_NOT_FOUND:
    case 410:
        bits = NGX_HTTP_UPSTREAM_FT_HTTP_404;
        break;

    case NGX_HTTP_TOO_MANY_REQUESTS:
        bits = NGX_HTTP_UPSTREAM_FT_HTTP_429;
        break;

    case NGX_HTTP_INTERNAL_SERVER_ERROR:
        bits = NGX_HTTP_UPSTREAM_FT_HTTP_500;
        break;

    case NGX_HTTP_BAD_GATEWAY:
        bits = NGX_HTTP_UPSTREAM_FT_ERROR|NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
               |NGX_HTTP_UPSTREAM_FT_HTTP_502;
        break;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        bits = NGX_HTTP_UPSTREAM_FT_HTTP_503;
        break;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        bits = NGX_HTTP_UPSTREAM_FT_TIMEOUT|NGX_HTTP_UPSTREAM_FT_HTTP_504;
        break;

    default:
        bits = NGX_HTTP_UPSTREAM_FT_ERROR;
        break;
    }

    return (obj->conf->use_stale & bits) ? 1 : 0;
}


/* the cache is no help for some time */

void
ngx_http_hls_object_pass(ngx_http_hls_object_t *obj, ngx_msec_t ttl)
{
    ngx_http_hls_times_t   times;
    ngx_http_hls_store_t  *store;

    if (obj->other) {
        ngx_http_hls_switch_failed(obj);
        return;
    }

    store = &obj->zone->store;

    times = obj->found.times;
    times.fresh = ngx_current_msec + ttl;
    times.stale = times.fresh;

    if (obj->old || times.changed) {

        /*
         * who looks again makes it anew; a body that is over may be there
         * still, with which no status is kept
         */

        (void) ngx_http_hls_store_purge(store, &obj->target.key);
    }

    ngx_http_hls_store_fail(store, &obj->found,
                            obj->body.body ? &obj->body : NULL,
                            NGX_HTTP_HLS_PASS, &times);

    obj->ended = 1;
    ngx_http_hls_object_free(obj);
}


/*
 * Has it asked for again, after a delay, by one of those who wait: the fill
 * takes a request.  For a playlist a ghost has one, should nobody wait.
 */

void
ngx_http_hls_object_again(ngx_http_hls_object_t *obj, ngx_msec_t delay,
    ngx_http_hls_data_t *data)
{
    obj->data = *data;
    obj->data.started = (uint32_t) ngx_current_msec;
    obj->waiting = 1;

    obj->event.handler = ngx_http_hls_object_timer;

    ngx_add_timer(&obj->event, delay);
}


static void
ngx_http_hls_object_timer(ngx_event_t *ev)
{
    ngx_msec_t              now;
    ngx_http_hls_times_t    times;
    ngx_http_hls_object_t  *obj;

    obj = ev->data;
    now = ngx_current_msec;

    ngx_http_hls_object_times(obj, &times);

    ngx_memcpy(times.data, &obj->data, sizeof(ngx_http_hls_data_t));

    times.fresh = now;

    if ((ngx_msec_int_t) (times.stale - now) < NGX_HTTP_HLS_LIFE_MIN) {
        times.stale = now + NGX_HTTP_HLS_LIFE_MIN;
    }

    /* an entry with nothing in it is kept if it is a note */

    (void) ngx_http_hls_store_note(&obj->zone->store, &obj->target.key,
                                   obj->found.kind, obj->found.stream, &times);

    ngx_http_hls_store_fail(&obj->zone->store, &obj->found,
                            obj->body.body ? &obj->body : NULL, 0, &times);

    if (obj->kind == NGX_HTTP_HLS_PLAYLIST) {
        ngx_http_hls_refresh_again(obj);
    }

    obj->waiting = 0;
    obj->ended = 1;
    ngx_http_hls_object_free(obj);
}


/* once the claim and the fill have ended */

void
ngx_http_hls_object_free(ngx_http_hls_object_t *obj)
{
    if (obj->fill || !obj->ended) {
        return;
    }

    if (obj->ghost) {
        ngx_http_hls_ghost_free(obj->ghost);
    }

    if (obj->prefetch) {
        ngx_http_hls_ghost_free(obj->prefetch);
    }

    if (obj->event.timer_set) {
        ngx_del_timer(&obj->event);
    }

    if (obj->event.posted) {
        ngx_delete_posted_event(&obj->event);
    }

    obj->zone->nfills--;

    ngx_destroy_pool(obj->pool);
}


void
ngx_http_hls_object_times(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times)
{
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    store = &obj->zone->store;

    found = obj->found;
    ngx_memzero(&found.body, sizeof(ngx_http_hls_body_t));

    if (ngx_http_hls_store_again(store, &found) == NGX_OK) {
        ngx_http_hls_store_release(store, &found.body);
        *times = found.times;

    } else {
        *times = obj->found.times;
    }
}


ngx_uint_t
ngx_http_hls_object_live(ngx_http_hls_object_t *obj)
{
    ngx_int_t               rc;
    ngx_rtmp_route_peer_t   peer;
    ngx_rtmp_route_query_t  query;

    if (obj->conf->route == NULL || obj->target.stream.len == 0) {
        return 0;
    }

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.key = obj->target.stream;
    query.op = NGX_RTMP_ROUTE_FETCH;
    query.protocol = NGX_RTMP_ROUTE_HTTP;
    query.alternative = NGX_RTMP_ROUTE_HTTPS;
    query.lookup = 1;
    query.peek = 1;

    rc = ngx_rtmp_route_pick(obj->conf->route, &query, &peer);

    return rc == NGX_OK || rc == NGX_BUSY;
}


void
ngx_http_hls_object_etag(u_char digest[16], const char *coding, u_char *buf,
    ngx_str_t *etag)
{
    u_char  *p;

    p = buf;

    *p++ = '"';
    p = ngx_hex_dump(p, digest, 16);
    p = ngx_cpymem(p, coding, ngx_strlen(coding));
    *p++ = '"';

    etag->data = buf;
    etag->len = p - buf;
}


ngx_uint_t
ngx_http_hls_object_announced(ngx_http_hls_target_t *target,
    ngx_http_hls_found_t *found)
{
    ngx_http_hls_data_t  *data;

    data = ngx_http_hls_object_data(&found->times);

    return ngx_http_hls_policy_msn(data, target->msn, data->u.list.last,
                                   ngx_current_msec - found->times.changed);
}
