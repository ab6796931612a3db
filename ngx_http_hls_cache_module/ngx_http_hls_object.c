
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_object.h"
#include "ngx_http_hls_tier.h"


/* an error page that is read to its end, so that the connection is kept */
#define NGX_HTTP_HLS_DRAIN  65536

/* a new attempt that was not made within that time, ms, is none */
#define NGX_HTTP_HLS_AGAIN  500


static ngx_http_hls_object_t *ngx_http_hls_object_create(
    ngx_http_request_t *r, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_object_target(ngx_http_hls_object_t *obj,
    ngx_http_hls_target_t *target);
static ngx_int_t ngx_http_hls_object_refused(ngx_http_request_t *r,
    ngx_http_hls_object_t *obj);
static void ngx_http_hls_object_started(ngx_http_hls_object_t *obj,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_object_header(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *sr);
static void ngx_http_hls_object_headers(ngx_http_hls_object_t *obj,
    ngx_http_request_t *sr, ngx_http_hls_policy_headers_t *headers);
static ngx_int_t ngx_http_hls_object_type(ngx_http_hls_object_t *obj,
    ngx_http_request_t *sr);
static ngx_int_t ngx_http_hls_object_drain(ngx_http_request_t *sr);
static ngx_int_t ngx_http_hls_object_begin(ngx_http_hls_object_t *obj,
    off_t len);
static void ngx_http_hls_object_endless(ngx_http_hls_object_t *obj);
static void ngx_http_hls_object_endless_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_hls_object_private(ngx_http_hls_object_t *obj,
    u_char *data, size_t len);
static ngx_int_t ngx_http_hls_object_body(ngx_http_hls_fill_t *fill,
    u_char *data, size_t len);
static ngx_int_t ngx_http_hls_object_collect(ngx_http_hls_object_t *obj,
    u_char *data, size_t len);
static void ngx_http_hls_object_end(ngx_http_hls_fill_t *fill,
    ngx_uint_t complete);
static void ngx_http_hls_object_segment(ngx_http_hls_object_t *obj);


ngx_int_t
ngx_http_hls_object_fill(ngx_http_request_t *r, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_hls_fill_t    *fill;
    ngx_http_hls_object_t  *obj;

    obj = ngx_http_hls_object_create(r, conf, ctx);

    if (obj == NULL) {
        ngx_http_hls_store_abandon(&ctx->zone->store, &ctx->found, NULL);
        return NGX_DECLINED;
    }

    rc = ngx_http_hls_object_refused(r, obj);

    if (rc != NGX_AGAIN) {
        obj->ended = 1;
        ngx_http_hls_object_free(obj);
        return rc;
    }

    fill = ngx_http_hls_fill_create(r);

    if (fill == NULL) {
        goto failed;
    }

    fill->data = obj;
    fill->header = ngx_http_hls_object_header;
    fill->body = ngx_http_hls_object_body;
    fill->end = ngx_http_hls_object_end;
    fill->timeout = conf->fill_timeout;
    fill->host = obj->target.host;
    fill->pass = conf->pass_header;
    fill->ask = conf->route ? ngx_http_hls_switch_ask : NULL;
    fill->again = ngx_http_rtmp_route_again;

    obj->fill = fill;

    if (ngx_http_hls_session_args(obj, r, &fill->args) != NGX_OK) {

        /* end() is called yet */

        ngx_http_hls_store_abandon(&obj->zone->store, &obj->found, NULL);
        obj->ended = 1;

        ngx_http_hls_fill_stop(fill);

        return NGX_DECLINED;
    }

    ngx_http_hls_switch_prepare(obj,
                                ngx_http_hls_object_data(&ctx->found.times));

    ngx_http_hls_object_started(obj, ctx);

    ngx_http_hls_refresh_prepare(obj, r);

    ngx_http_hls_fill_start(fill);

    return NGX_OK;

failed:

    ngx_http_hls_store_abandon(&obj->zone->store, &obj->found, NULL);

    obj->ended = 1;
    ngx_http_hls_object_free(obj);

    return NGX_DECLINED;
}


static ngx_http_hls_object_t *
ngx_http_hls_object_create(ngx_http_request_t *r,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_ctx_t *ctx)
{
    ngx_pool_t             *pool;
    ngx_http_hls_object_t  *obj;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    obj = ngx_pcalloc(pool, sizeof(ngx_http_hls_object_t));
    if (obj == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    obj->pool = pool;
    obj->conf = conf;
    obj->zone = ctx->zone;
    obj->found = ctx->found;
    obj->start = ngx_current_msec;
    obj->ghostly = (ngx_http_hls_ghost_of(r) != NULL);
    obj->tier = ngx_http_hls_tier_client(r) ? 1 : 0;

    /* the reference is the viewer's */

    obj->old = (ctx->found.body.body != 0
                && ctx->found.body.state == NGX_HTTP_HLS_BODY_DONE);

    ngx_memzero(&obj->found.body, sizeof(ngx_http_hls_body_t));

    ngx_memcpy(&obj->data, ctx->found.times.data, sizeof(ngx_http_hls_data_t));

    if (obj->start - ngx_http_hls_policy_moment(obj->start, obj->data.started)
        > NGX_HTTP_HLS_AGAIN)
    {
        /* what was to be tried next was not */

        obj->data.flags &= ~(NGX_HTTP_HLS_ASK_NONE|NGX_HTTP_HLS_ASK_VIEWER);
    }

    /* what a playlist lists is of its stream */

    if ((ctx->target.kind == NGX_HTTP_HLS_PLAYLIST
         || ctx->target.kind == NGX_HTTP_HLS_MANIFEST)
        && ngx_http_hls_target_stream(r, conf, &ctx->target) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    if (ngx_http_hls_object_target(obj, &ctx->target) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    obj->kind = obj->target.kind;

    if ((obj->data.flags & NGX_HTTP_HLS_NOTED)
        && obj->kind == NGX_HTTP_HLS_OTHER)
    {
        obj->kind = ctx->found.kind;
    }

    ngx_str_set(&obj->head.type, "");
    ngx_str_set(&obj->head.etag, "");
    ngx_str_set(&obj->head.etag_gzip, "");

    obj->event.data = obj;
    obj->event.log = ngx_cycle->log;

    obj->zone->nfills++;

    return obj;
}


/* the viewer may be gone before the fill ends */

static ngx_int_t
ngx_http_hls_object_target(ngx_http_hls_object_t *obj,
    ngx_http_hls_target_t *target)
{
    ngx_uint_t  i;
    ngx_str_t  *from[9], *to[9];

    obj->target = *target;

    from[0] = &target->key.text;
    to[0] = &obj->target.key.text;
    from[1] = &target->id;
    to[1] = &obj->target.id;
    from[2] = &target->host;
    to[2] = &obj->target.host;
    from[3] = &target->path;
    to[3] = &obj->target.path;
    from[4] = &target->args;
    to[4] = &obj->target.args;
    from[5] = &target->stream;
    to[5] = &obj->target.stream;
    from[6] = &target->session;
    to[6] = &obj->target.session;
    from[7] = &target->directives;
    to[7] = &obj->target.directives;
    from[8] = &target->generations;
    to[8] = &obj->target.generations;

    for (i = 0; i < 9; i++) {

        if (from[i]->len == 0) {
            ngx_str_null(to[i]);
            continue;
        }

        to[i]->data = ngx_pstrdup(obj->pool, from[i]);
        if (to[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* NGX_AGAIN: it is to be filled; otherwise the claim has ended */

static ngx_int_t
ngx_http_hls_object_refused(ngx_http_request_t *r, ngx_http_hls_object_t *obj)
{
    ngx_uint_t             generation, current;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_times_t   times;
    ngx_http_hls_store_t  *store;

    store = &obj->zone->store;

    times = obj->found.times;

    if (obj->kind == NGX_HTTP_HLS_SEGMENT
        && ngx_http_hls_target_endless(r, obj->conf, &obj->target))
    {
        times.fresh = ngx_current_msec + NGX_HTTP_HLS_TARGET;
        times.stale = times.fresh;

        if (times.changed) {

            /* as in object_pass(): a body that is over may be there still */

            (void) ngx_http_hls_store_purge(store, &obj->target.key);
        }

        ngx_http_hls_store_fail(store, &obj->found, NULL, NGX_HTTP_HLS_PASS,
                                &times);
        return NGX_DECLINED;
    }

    if (obj->kind == NGX_HTTP_HLS_PLAYLIST
        || obj->kind == NGX_HTTP_HLS_MANIFEST)
    {
        return NGX_AGAIN;
    }

    /* what an earlier broadcast had under that name is nowhere but here */

    generation = obj->target.generation;

    if (generation && (obj->data.flags & NGX_HTTP_HLS_NOTED)
        && obj->data.u.note.generation == 0)
    {
        /* an argument of the origin's */

        return NGX_AGAIN;
    }

    if (ngx_http_hls_session_owner(obj, NULL, &current) != NGX_OK) {

        if (generation == 0) {
            return NGX_AGAIN;
        }

    } else if (generation == current) {
        return NGX_AGAIN;
    }

    times.fresh = ngx_current_msec + NGX_HTTP_HLS_ERROR;

    if ((ngx_msec_int_t) (times.stale - times.fresh) < 0) {
        times.stale = times.fresh;
    }

    /* with a body, which is over, no status is kept */

    data = ngx_http_hls_object_data(&times);
    data->error = NGX_HTTP_NOT_FOUND;
    data->usable = (uint32_t) ngx_current_msec;

    ngx_http_hls_store_fail(store, &obj->found, NULL, NGX_HTTP_NOT_FOUND,
                            &times);

    return NGX_OK;
}


/* others that find the old body know how long they may have to wait */

static void
ngx_http_hls_object_started(ngx_http_hls_object_t *obj,
    ngx_http_hls_ctx_t *ctx)
{
    ngx_http_hls_data_t   *data;
    ngx_http_hls_times_t   times;

    data = ngx_http_hls_object_data(&ctx->found.times);
    data->started = (uint32_t) obj->start;

    obj->data.started = (uint32_t) obj->start;

    if (!obj->old) {
        return;
    }

    times = ctx->found.times;

    (void) ngx_http_hls_store_touch(&obj->zone->store, &obj->target.key,
                                    &times, 0);
}


static ngx_int_t
ngx_http_hls_object_header(ngx_http_hls_fill_t *fill, ngx_http_request_t *sr)
{
    off_t                           len;
    ngx_int_t                       rc;
    ngx_msec_t                      valid;
    ngx_uint_t                      media;
    ngx_http_hls_object_t          *obj;
    ngx_http_hls_loc_conf_t        *conf;
    ngx_http_hls_policy_headers_t   headers;

    obj = fill->data;
    conf = obj->conf;

    if (obj->ended) {
        return NGX_DECLINED;
    }

    obj->status = sr->headers_out.status;

    ngx_http_hls_tier_age(obj, sr);

    rc = ngx_http_hls_switch_answer(obj, sr);

    if (rc == NGX_ERROR) {
        ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DECLINED;
    }

    if (rc == NGX_DECLINED && obj->status == NGX_HTTP_OK) {
        ngx_http_hls_object_failed(obj, NGX_HTTP_NOT_FOUND);
        return NGX_DECLINED;
    }

    if (obj->status != NGX_HTTP_OK) {

        if (ngx_http_hls_tier_redirect(fill, sr,
                                       obj->kind == NGX_HTTP_HLS_KEY)
            == NGX_OK)
        {
            return NGX_OK;
        }

        if (obj->status < NGX_HTTP_BAD_REQUEST && obj->conf->route) {

            /* viewers do not go to servers of a route */

            ngx_http_hls_object_failed(obj, NGX_HTTP_BAD_GATEWAY);

        } else if (obj->status < NGX_HTTP_BAD_REQUEST) {
            ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_REDIRECT);

        } else {
            ngx_http_hls_object_failed(obj, obj->status);
        }

        return ngx_http_hls_object_drain(sr);
    }

    media = (obj->kind != NGX_HTTP_HLS_OTHER);

    ngx_http_hls_object_headers(obj, sr, &headers);

    rc = ngx_http_hls_policy_cacheable(&headers, media, conf->honor_headers,
                                       &valid);

    if (valid == 0) {
        valid = ngx_http_hls_valid_time(conf, obj->kind, NGX_HTTP_OK);
    }

    if (rc != NGX_OK || (valid == 0 && !media)) {
        ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_UNCACHEABLE);
        return ngx_http_hls_object_drain(sr);
    }

    obj->valid = valid;

    len = sr->headers_out.content_length_n;

    if (len > conf->max_size) {
        ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_TOO_LARGE);
        return NGX_DECLINED;
    }

    obj->head.modified = sr->headers_out.last_modified_time;

    if (ngx_http_hls_object_type(obj, sr) != NGX_OK) {
        ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DECLINED;
    }

    ngx_md5_init(&obj->md5);

    if (obj->kind == NGX_HTTP_HLS_PLAYLIST
        || obj->kind == NGX_HTTP_HLS_MANIFEST)
    {
        if (len > NGX_HTTP_HLS_LIST_MAX) {
            ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_TOO_LARGE);
            return NGX_DECLINED;
        }

        obj->collect = 1;
        obj->size = (len >= 0) ? (size_t) len : 0;

        return NGX_OK;
    }

    return ngx_http_hls_object_begin(obj, len);
}


static void
ngx_http_hls_object_headers(ngx_http_hls_object_t *obj,
    ngx_http_request_t *sr, ngx_http_hls_policy_headers_t *headers)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(headers, sizeof(ngx_http_hls_policy_headers_t));

    headers->max_age = -1;
    headers->expires = -1;

    part = &sr->headers_out.headers.part;
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

        if (h[i].hash == 0) {
            continue;
        }

        ngx_http_hls_policy_header(headers, &h[i].key, &h[i].value,
                                   ngx_time());
    }
}


/* that of the origin, unless it says nothing */

static ngx_int_t
ngx_http_hls_object_type(ngx_http_hls_object_t *obj, ngx_http_request_t *sr)
{
    size_t      len;
    ngx_str_t  *type, known;

    type = &sr->headers_out.content_type;

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    if (len == 0
        || (len == sizeof("text/plain") - 1
            && ngx_strncasecmp(type->data, (u_char *) "text/plain", len) == 0)
        || (len == sizeof("application/octet-stream") - 1
            && ngx_strncasecmp(type->data,
                               (u_char *) "application/octet-stream", len)
               == 0)
        || (len == sizeof("binary/octet-stream") - 1
            && ngx_strncasecmp(type->data, (u_char *) "binary/octet-stream",
                               len)
               == 0))
    {
        ngx_http_hls_type(&obj->target.path, &known);

        if (known.len) {
            type = &known;
        }
    }

    obj->head.type.len = type->len;
    obj->head.type.data = ngx_pstrdup(obj->pool, type);

    return (obj->head.type.data == NULL && type->len) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_hls_object_drain(ngx_http_request_t *sr)
{
    off_t  len;

    len = sr->headers_out.content_length_n;

    return (len >= 0 && len <= NGX_HTTP_HLS_DRAIN) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_hls_object_begin(ngx_http_hls_object_t *obj, off_t len)
{
    ngx_int_t  rc;
    ngx_str_t  packed;

    obj->head.len = len;

    if (ngx_http_hls_head_pack(obj->pool, &obj->head, &packed) != NGX_OK) {
        ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DECLINED;
    }

    rc = ngx_http_hls_store_begin(&obj->zone->store, &obj->found, NGX_HTTP_OK,
                                  &packed, len, obj->conf->max_size, 1,
                                  &obj->body);

    if (rc == NGX_OK) {

        if (len == -1) {
            ngx_http_hls_object_endless(obj);
        }

        return NGX_OK;
    }

    ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_ERROR);

    return NGX_DECLINED;
}


/* without a length it may have no end either */

static void
ngx_http_hls_object_endless(ngx_http_hls_object_t *obj)
{
    ngx_event_t  *ev;
    ngx_msec_t    passed;

    ev = &obj->fill->timer;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    passed = ngx_current_msec - obj->start;

    obj->event.handler = ngx_http_hls_object_endless_handler;

    ngx_add_timer(&obj->event, obj->conf->fill_timeout
                               - ngx_min(passed, obj->conf->fill_timeout));
}


static void
ngx_http_hls_object_endless_handler(ngx_event_t *ev)
{
    ngx_http_hls_object_t *obj = ev->data;

    if (obj->ended || obj->fill == NULL) {
        return;
    }

    if (ngx_http_hls_object_private(obj, NULL, 0) != NGX_OK) {
        ngx_http_hls_fill_stop(obj->fill);
    }

    ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_TOO_LARGE);
}


/* one viewer gets what comes, others look again and pass */

static ngx_int_t
ngx_http_hls_object_private(ngx_http_hls_object_t *obj, u_char *data,
    size_t len)
{
    if (ngx_http_hls_private_take(obj->zone, &obj->found, obj->fill, data,
                                  len)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    obj->fill = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_object_body(ngx_http_hls_fill_t *fill, u_char *data, size_t len)
{
    ngx_int_t               rc;
    ngx_http_hls_object_t  *obj;

    obj = fill->data;

    if (obj->ended || obj->waiting || obj->closing) {

        /* of an error page */

        return NGX_OK;
    }

    if (obj->collect) {
        return ngx_http_hls_object_collect(obj, data, len);
    }

    rc = ngx_http_hls_store_write(&obj->zone->store, &obj->found, &obj->body,
                                  data, len);

    if (rc == NGX_OK) {
        ngx_md5_update(&obj->md5, data, len);
        return NGX_OK;
    }

    if (rc == NGX_BUSY) {

        rc = ngx_http_hls_object_private(obj, data, len);

        ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_TOO_LARGE);

        return rc;
    }

    ngx_http_hls_object_failed(obj, 0);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_hls_object_collect(ngx_http_hls_object_t *obj, u_char *data,
    size_t len)
{
    u_char  *p;
    size_t   size, max;

    max = (size_t) ngx_min(obj->conf->max_size, NGX_HTTP_HLS_LIST_MAX);

    if (len > max - obj->len) {
        ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_TOO_LARGE);
        return NGX_DECLINED;
    }

    if (obj->data_buf == NULL || len > obj->size - obj->len) {

        size = ngx_max(obj->size, 8192);

        while (size < obj->len + len) {
            size *= 2;
        }

        p = ngx_pnalloc(obj->pool, size);
        if (p == NULL) {
            ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return NGX_DECLINED;
        }

        if (obj->len) {
            ngx_memcpy(p, obj->data_buf, obj->len);
            (void) ngx_pfree(obj->pool, obj->data_buf);
        }

        obj->data_buf = p;
        obj->size = size;
    }

    ngx_memcpy(obj->data_buf + obj->len, data, len);
    obj->len += len;

    return NGX_OK;
}


static void
ngx_http_hls_object_end(ngx_http_hls_fill_t *fill, ngx_uint_t complete)
{
    ngx_http_hls_object_t  *obj;

    obj = fill->data;

    obj->fill = NULL;
    obj->took = ngx_current_msec - obj->start;

    if (obj->ended || obj->waiting || obj->closing) {
        ngx_http_hls_object_free(obj);
        return;
    }

    if (!complete) {

        if (ngx_exiting || ngx_terminate || ngx_quit) {

            /* others go on */

            ngx_http_hls_store_abandon(&obj->zone->store, &obj->found,
                                       obj->body.body ? &obj->body : NULL);
            obj->ended = 1;
            ngx_http_hls_object_free(obj);

            return;
        }

        ngx_http_hls_object_failed(obj, fill->header_seen ? 0 : fill->status);
        return;
    }

    if (obj->status == 0) {
        ngx_http_hls_object_failed(obj, fill->status);
        return;
    }

    if (obj->collect) {
        ngx_http_hls_list(obj);
        return;
    }

    ngx_http_hls_object_segment(obj);
}


static void
ngx_http_hls_object_segment(ngx_http_hls_object_t *obj)
{
    u_char                 digest[16], buf[NGX_HTTP_HLS_ETAG_LEN];
    ngx_str_t              etag;
    ngx_msec_t             now, life;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_times_t   times;

    ngx_md5_final(digest, &obj->md5);

    ngx_http_hls_object_etag(digest, "", buf, &etag);
    ngx_http_hls_head_etag(obj->body.head, obj->body.head_len, &etag);

    /* the playlist that lists it may have come meanwhile */

    ngx_http_hls_object_times(obj, &times);

    data = ngx_http_hls_object_data(&times);
    now = ngx_current_msec;

    if (obj->valid) {
        life = ngx_http_hls_policy_rest(obj->valid, &obj->age);

    } else if (data->flags & NGX_HTTP_HLS_NOTED) {
        life = times.stale - now;

        if ((ngx_msec_int_t) life < NGX_HTTP_HLS_LIFE_MIN) {
            life = NGX_HTTP_HLS_LIFE_MIN;
        }

    } else if (ngx_http_hls_notes_parent(obj, &times) == NGX_OK) {
        life = times.stale - now;

    } else {
        life = ngx_http_hls_policy_rest(NGX_HTTP_HLS_LIFE, &obj->age);
    }

    times.fresh = now + life;
    times.stale = times.fresh;
    times.changed = now - obj->age.changed;

    data->good = (uint32_t) (now - obj->age.fetched);
    data->usable = (uint32_t) times.stale;
    data->flags &= ~NGX_HTTP_HLS_FAILING;

    ngx_http_hls_object_done(obj, &times);
}
