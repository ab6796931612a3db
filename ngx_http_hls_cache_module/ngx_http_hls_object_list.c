
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A playlist or manifest that has come as a whole: read, edited, compressed,
 * what it lists noted, and stored.  A large one is compressed and noted in
 * steps, between which the process does other things.
 *
 * The body of an entry is the text and, behind it, the same by gzip; what is
 * needed to edit the next one stands behind the packed head.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <zlib.h>
#include "ngx_http_hls_object.h"
#include "ngx_http_hls_tier.h"


static void ngx_http_hls_list_playlist(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_edit(ngx_http_hls_object_t *obj,
    ngx_http_hls_found_t *found);
static void ngx_http_hls_list_find(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_media(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *old);
static void ngx_http_hls_list_manifest(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_other(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_ttl(ngx_http_hls_object_t *obj,
    ngx_http_hls_policy_list_t *in);
static ngx_uint_t ngx_http_hls_list_own(void *data, ngx_str_t *host,
    in_port_t port);
static void ngx_http_hls_list_next(ngx_http_hls_object_t *obj,
    void (*step)(ngx_http_hls_object_t *obj));
static void ngx_http_hls_list_handler(ngx_event_t *ev);
static void ngx_http_hls_list_gzip(ngx_http_hls_object_t *obj);
static z_stream *ngx_http_hls_list_deflate(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_gzip_end(void *data);
static void *ngx_http_hls_list_alloc(void *data, u_int items, u_int size);
static void ngx_http_hls_list_nofree(void *data, void *address);
static void ngx_http_hls_list_notes(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_store(ngx_http_hls_object_t *obj);
static ngx_int_t ngx_http_hls_list_write(ngx_http_hls_object_t *obj);
static void ngx_http_hls_list_finish(ngx_http_hls_object_t *obj);


void
ngx_http_hls_list(ngx_http_hls_object_t *obj)
{
    ngx_http_hls_list_t  *list;

    list = ngx_pcalloc(obj->pool, sizeof(ngx_http_hls_list_t));
    if (list == NULL) {
        goto failed;
    }

    obj->list = list;

    if (ngx_array_init(&list->uris, obj->pool, 8, sizeof(ngx_hls_uri_t))
        != NGX_OK)
    {
        goto failed;
    }

    list->body.data = obj->data_buf;
    list->body.len = obj->len;

    ngx_http_hls_list_next(obj, (obj->kind == NGX_HTTP_HLS_MANIFEST)
                                ? ngx_http_hls_list_manifest
                                : ngx_http_hls_list_playlist);

    return;

failed:

    ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


static void
ngx_http_hls_list_playlist(ngx_http_hls_object_t *obj)
{
    ngx_int_t              rc;
    ngx_hls_edit_t        *edit;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    list = obj->list;
    edit = &list->edit;
    store = &obj->zone->store;

    rc = ngx_http_hls_list_previous(obj, &found, &edit->served, &list->state);

    if (rc == NGX_ERROR) {
        ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    edit->pool = obj->pool;
    edit->origin = list->body;
    edit->session_args = obj->conf->session_args;
    edit->held = ngx_http_hls_notes_held;
    edit->own = ngx_http_hls_list_own;
    edit->data = obj;
    edit->continuity = (obj->conf->continuity && obj->conf->key == NULL);

    if (obj->private_session) {
        edit->session = NGX_HLS_SESSION_REMOVE;
        edit->master_session = NGX_HLS_SESSION_REMOVE;

    } else if (ngx_http_hls_session_value(obj, &edit->session_value)
               == NGX_OK)
    {
        edit->session = NGX_HLS_SESSION_REPLACE;
        edit->master_session = NGX_HLS_SESSION_REPLACE;
    }

    ngx_http_hls_list_edit(obj, &found);

    ngx_http_hls_store_release(store, &found.body);
}


static void
ngx_http_hls_list_edit(ngx_http_hls_object_t *obj, ngx_http_hls_found_t *found)
{
    ngx_int_t              rc;
    ngx_hls_edit_t        *edit;
    ngx_hls_state_t        state;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_times_t   times;

    list = obj->list;
    edit = &list->edit;

    ngx_http_hls_object_times(obj, &times);

    if (obj->conf->endlist && obj->old
        && obj->start - times.changed >= obj->conf->endlist)
    {
        edit->endlist = 1;
    }

    ngx_http_hls_switch_begin(obj, found);

    state = list->state;

    rc = ngx_hls_edit(edit, &list->state);

    if (rc == NGX_OK && edit->endlist && edit->advanced) {

        /* it goes on */

        edit->endlist = 0;
        list->state = state;

        rc = ngx_hls_edit(edit, &list->state);
    }

    if (rc == NGX_DECLINED) {
        ngx_http_hls_list_other(obj);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "the origin's answer is a part of a playlist that was "
                      "not asked for");

        ngx_http_hls_object_failed(obj, NGX_HTTP_BAD_GATEWAY);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_hls_object_failed(obj, 0);
        return;
    }

    data = ngx_http_hls_object_data(&times);

    if (edit->playlist.master && obj->other) {
        ngx_http_hls_object_failed(obj, 0);
        return;
    }

    if (edit->playlist.master) {

        rc = ngx_http_hls_session_master(obj, data);

        if (rc == NGX_OK) {
            ngx_http_hls_object_again(obj, 0, data);
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_http_hls_object_failed(obj, NGX_HTTP_BAD_GATEWAY);
            return;
        }

    } else if (ngx_http_hls_switch_check(obj, &state, &times) != NGX_OK) {
        return;

    } else {
        ngx_http_hls_session_learn(obj, data);
    }

    list->ended = (list->state.flags & NGX_HLS_STATE_ENDED) ? 1 : 0;

    ngx_http_hls_list_media(obj, &times);

    if (obj->old && found->body.body && !edit->changed
        && obj->target.directives.len == 0
        && ngx_memcmp(&state, &list->state, sizeof(ngx_hls_state_t)) == 0)
    {
        /* what is served already is as good as new */

        ngx_http_hls_refresh(obj, &list->ttl, &list->times);
        ngx_http_hls_object_keep(obj, &list->times);

        return;
    }

    list->body = edit->body;

    if (found->body.body
        && list->body.data >= found->body.data
        && list->body.data < found->body.data + found->body.len)
    {
        /* the reference goes before the steps are done */

        list->body.data = ngx_pstrdup(obj->pool, &edit->body);
        if (list->body.data == NULL) {
            ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }
    }

    ngx_http_hls_list_next(obj, ngx_http_hls_list_find);
}


static void
ngx_http_hls_list_find(ngx_http_hls_object_t *obj)
{
    if (ngx_http_hls_notes_find(obj) != NGX_OK) {
        ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_hls_list_next(obj, ngx_http_hls_list_gzip);
}


/* how long it is good, and what is to be known of it */

static void
ngx_http_hls_list_media(ngx_http_hls_object_t *obj, ngx_http_hls_times_t *old)
{
    ngx_uint_t                   live;
    ngx_hls_playlist_t          *playlist;
    ngx_http_hls_list_t         *list;
    ngx_http_hls_data_t         *data;
    ngx_http_hls_policy_list_t   in;

    list = obj->list;
    playlist = &list->edit.playlist;

    ngx_memzero(&in, sizeof(ngx_http_hls_policy_list_t));

    in.changed = (obj->old && !list->edit.advanced) ? old->changed
                                                    : obj->start;
    in.target = playlist->target;
    in.period = playlist->last;
    in.master = playlist->master ? 1 : 0;
    in.vod = playlist->vod ? 1 : 0;

    if (playlist->part_target && playlist->block_reload) {
        in.period = playlist->part_target;
    }

    /* an end that the table contradicts is that of an earlier broadcast */

    live = (list->ended && ngx_http_hls_object_live(obj));

    in.endlist = (list->ended && !live) ? 1 : 0;

    list->times = *old;

    ngx_http_hls_list_ttl(obj, &in);

    data = ngx_http_hls_object_data(&list->times);

    if (!playlist->master) {
        data->flags |= NGX_HTTP_HLS_MEDIA;
    }

    if (playlist->endlist) {
        data->flags |= NGX_HTTP_HLS_LIST_END;
    }

    if (playlist->block_reload) {
        data->flags |= NGX_HTTP_HLS_BLOCK_RELOAD;
    }

    data->u.list.last = playlist->sequence + playlist->segments;

    if (data->u.list.last) {
        data->u.list.last--;
    }

    list->life = ngx_http_hls_policy_life(playlist->window
                                          + obj->conf->max_stale,
                                          list->ttl.target,
                                          list->ended || playlist->vod
                                          || playlist->event,
                            ngx_http_hls_valid_time(obj->conf,
                                                    NGX_HTTP_HLS_SEGMENT,
                                                    NGX_HTTP_OK));
}


static void
ngx_http_hls_list_manifest(ngx_http_hls_object_t *obj)
{
    uint64_t                     hash;
    ngx_str_t                    body;
    ngx_hls_mpd_t               *mpd;
    ngx_hls_state_t              state;
    ngx_http_hls_list_t         *list;
    ngx_http_hls_found_t         found;
    ngx_http_hls_times_t         times;
    ngx_http_hls_policy_list_t   in;

    list = obj->list;
    mpd = &list->mpd;

    if (ngx_hls_mpd_parse(list->body.data, list->body.data + list->body.len,
                          mpd)
        != NGX_OK)
    {
        ngx_http_hls_list_other(obj);
        return;
    }

    ngx_http_hls_object_times(obj, &times);

    (void) ngx_http_hls_list_previous(obj, &found, &body, &state);

    hash = ngx_hls_edit_hash(list->body.data, list->body.len);

    ngx_memzero(&in, sizeof(ngx_http_hls_policy_list_t));

    in.changed = (found.body.body && state.hash == hash) ? times.changed
                                                         : obj->start;
    list->state.hash = hash;

    if (mpd->dynamic) {
        in.update = mpd->has_update ? (ngx_msec_t) mpd->update
                                    : NGX_HTTP_HLS_TARGET;

        if (in.update == 0) {
            in.update = NGX_HTTP_HLS_TTL_MIN;
        }

        in.update = ngx_min(in.update, NGX_HTTP_HLS_ENDED);

        list->life = ngx_http_hls_policy_life(
                       (ngx_msec_t) ngx_min(ngx_max(mpd->depth, mpd->window),
                                            NGX_HTTP_HLS_ENDED),
                       (ngx_msec_t) ngx_min(ngx_max(mpd->max_segment,
                                                    mpd->segment),
                                            NGX_HTTP_HLS_ENDED),
                       0, 0);

    } else {
        in.endlist = 1;
        in.vod = 1;
        list->ended = 1;
    }

    list->times = times;

    ngx_http_hls_list_ttl(obj, &in);

    ngx_http_hls_store_release(&obj->zone->store, &found.body);

    if (list->ended) {
        ngx_http_hls_object_data(&list->times)->flags
            |= NGX_HTTP_HLS_LIST_END;
    }

    list->cell = ngx_http_hls_store_stream(&obj->zone->store,
                                           &obj->target.stream);

    ngx_http_hls_notes_directory(obj);

    ngx_http_hls_list_next(obj, ngx_http_hls_list_gzip);
}


/* it claims to be a playlist and is something else */

static void
ngx_http_hls_list_other(ngx_http_hls_object_t *obj)
{
    ngx_msec_t            valid;
    ngx_http_hls_list_t  *list;
    ngx_http_hls_data_t  *data;

    list = obj->list;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "the origin's answer is not a %s, %uz bytes",
                  obj->kind == NGX_HTTP_HLS_MANIFEST ? "manifest" : "playlist",
                  obj->len);

    if (obj->old) {

        /* there was one, and there will be again */

        ngx_http_hls_object_failed(obj, NGX_HTTP_BAD_GATEWAY);
        return;
    }

    valid = ngx_http_hls_valid_time(obj->conf, obj->kind, NGX_HTTP_NOT_FOUND);

    if (valid == 0) {
        valid = NGX_HTTP_HLS_ERROR;
    }

    ngx_http_hls_object_times(obj, &list->times);

    list->times.fresh = ngx_current_msec + valid;
    list->times.stale = list->times.fresh;
    list->times.changed = obj->start;

    data = ngx_http_hls_object_data(&list->times);

    data->flags = NGX_HTTP_HLS_FIXED;
    data->usable = (uint32_t) list->times.fresh;

    list->body.data = obj->data_buf;
    list->body.len = obj->len;

    ngx_http_hls_list_store(obj);
}


static void
ngx_http_hls_list_ttl(ngx_http_hls_object_t *obj,
    ngx_http_hls_policy_list_t *in)
{
    ngx_http_hls_list_t  *list;
    ngx_http_hls_data_t  *data;

    list = obj->list;

    in->now = ngx_current_msec;
    in->valid = obj->valid;
    in->stale = obj->conf->max_stale;

    ngx_http_hls_tier_list(obj, in);

    ngx_http_hls_policy_list(in, &list->ttl);

    list->times.fresh = list->ttl.next;
    list->times.stale = list->ttl.kept;
    list->times.changed = in->changed;

    data = ngx_http_hls_object_data(&list->times);

    data->good = (uint32_t) (in->aged ? in->good : in->now);
    data->usable = (uint32_t) list->ttl.usable;
    data->target = (uint32_t) list->ttl.target;
    data->flags &= NGX_HTTP_HLS_LISTED|NGX_HTTP_HLS_SESSION
                   |NGX_HTTP_HLS_VIEWER;

    if (in->valid) {
        data->flags |= NGX_HTTP_HLS_FIXED;
    }

    if (in->aged) {
        data->flags |= NGX_HTTP_HLS_AGED;
    }
}


/* what is served now; of a playlist with directives, the one without */

ngx_int_t
ngx_http_hls_list_previous(ngx_http_hls_object_t *obj,
    ngx_http_hls_found_t *found, ngx_str_t *body, ngx_hls_state_t *state)
{
    ngx_http_hls_key_t    key;
    ngx_http_hls_head_t   head;
    ngx_http_hls_store_t  *store;

    store = &obj->zone->store;

    ngx_memzero(found, sizeof(ngx_http_hls_found_t));
    ngx_memzero(state, sizeof(ngx_hls_state_t));
    ngx_str_null(body);

    key = obj->target.key;

    if (obj->target.directives.len) {
        key.text.len -= obj->target.directives.len + 1;
        ngx_http_hls_store_key(store, &key);
    }

    if (ngx_http_hls_store_lookup(store, &key, obj->kind, 0, 0, 0, found)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (found->body.body == 0) {
        return NGX_DECLINED;
    }

    if (found->body.state != NGX_HTTP_HLS_BODY_DONE
        || found->body.head_len < sizeof(ngx_hls_state_t)
        || ngx_http_hls_head_unpack(found->body.head,
                                    found->body.head_len
                                    - sizeof(ngx_hls_state_t), &head)
           != NGX_OK
        || head.len < 0 || head.len > found->body.len)
    {
        ngx_http_hls_store_release(store, &found->body);
        ngx_memzero(&found->body, sizeof(ngx_http_hls_body_t));

        return NGX_DECLINED;
    }

    body->data = found->body.data;
    body->len = (size_t) head.len;

    ngx_memcpy(state, found->body.head + found->body.head_len
                      - sizeof(ngx_hls_state_t), sizeof(ngx_hls_state_t));

    return NGX_OK;
}


/* a failed one gets an end, once it has not gone on for long enough */

ngx_int_t
ngx_http_hls_list_end(ngx_http_hls_object_t *obj, ngx_http_hls_times_t *times)
{
    ngx_str_t              body;
    ngx_hls_state_t        state;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_head_t    head;
    ngx_http_hls_found_t   found;

    data = ngx_http_hls_object_data(times);

    if (obj->conf->endlist == 0
        || obj->closing
        || obj->body.body
        || (data->flags & (NGX_HTTP_HLS_MEDIA|NGX_HTTP_HLS_LIST_END))
           != NGX_HTTP_HLS_MEDIA
        || ngx_current_msec - times->changed < obj->conf->endlist)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_hls_list_previous(obj, &found, &body, &state) != NGX_OK) {
        return NGX_DECLINED;
    }

    list = ngx_pcalloc(obj->pool, sizeof(ngx_http_hls_list_t));
    if (list == NULL) {
        goto failed;
    }

    list->body.data = ngx_pnalloc(obj->pool,
                                  body.len + sizeof("\n#EXT-X-ENDLIST\n") - 1);
    if (list->body.data == NULL) {
        goto failed;
    }

    list->body.len = ngx_cpymem(ngx_cpymem(list->body.data, body.data,
                                           body.len),
                                "\n#EXT-X-ENDLIST\n",
                                sizeof("\n#EXT-X-ENDLIST\n") - 1)
                     - list->body.data;

    if (ngx_http_hls_head_unpack(found.body.head, found.body.head_len, &head)
        != NGX_OK)
    {
        goto failed;
    }

    obj->head.modified = head.modified;
    obj->head.type.len = head.type.len;
    obj->head.type.data = ngx_pstrdup(obj->pool, &head.type);

    if (obj->head.type.data == NULL) {
        goto failed;
    }

    list->state = state;
    list->times = *times;
    list->ttl.next = times->fresh;
    list->ttl.target = data->target;
    list->ttl.predicted = 1;

    data = ngx_http_hls_object_data(&list->times);
    data->flags |= NGX_HTTP_HLS_LIST_END;

    obj->list = list;

    ngx_http_hls_store_release(&obj->zone->store, &found.body);

    if (ngx_array_init(&list->uris, obj->pool, 1, sizeof(ngx_hls_uri_t))
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    obj->closing = 1;

    ngx_http_hls_list_next(obj, ngx_http_hls_list_gzip);

    return NGX_OK;

failed:

    ngx_http_hls_store_release(&obj->zone->store, &found.body);

    return NGX_DECLINED;
}


/* addresses of the servers are no business of viewers */

static ngx_uint_t
ngx_http_hls_list_own(void *data, ngx_str_t *host, in_port_t port)
{
    ngx_http_hls_object_t *obj = data;

    ngx_http_hls_list_t  *list;

    if (obj->conf->route == NULL) {
        return 0;
    }

    list = obj->list;

    /* it is the same one again and again */

    if (list->port == port
        && list->host.len == host->len
        && ngx_memcmp(list->host.data, host->data, host->len) == 0)
    {
        return list->own;
    }

    list->host.data = ngx_pstrdup(obj->pool, host);
    if (list->host.data == NULL) {
        list->host.len = 0;
        return 0;
    }

    list->host.len = host->len;
    list->port = port;
    list->own = ngx_rtmp_route_is_server(obj->conf->route, host, port) ? 1 : 0;

    return list->own;
}


/* large ones are done in steps, small ones at once */

static void
ngx_http_hls_list_next(ngx_http_hls_object_t *obj,
    void (*step)(ngx_http_hls_object_t *obj))
{
    obj->list->step = step;

    if (obj->list->body.len <= NGX_HTTP_HLS_GZIP_STEP) {
        step(obj);
        return;
    }

    obj->event.handler = ngx_http_hls_list_handler;

    ngx_post_event(&obj->event, &ngx_posted_next_events);
}


static void
ngx_http_hls_list_handler(ngx_event_t *ev)
{
    ngx_http_hls_object_t *obj = ev->data;

    obj->list->step(obj);
}


static void
ngx_http_hls_list_gzip(ngx_http_hls_object_t *obj)
{
    int                   rc, flush;
    size_t                n;
    z_stream             *z;
    ngx_http_hls_list_t  *list;

    list = obj->list;
    z = list->stream;

    if (z == NULL) {

        if (list->body.len < NGX_HTTP_HLS_GZIP_MIN) {
            goto done;
        }

        z = ngx_http_hls_list_deflate(obj);
        if (z == NULL) {
            goto failed;
        }
    }

    n = ngx_min(list->body.len - list->done, NGX_HTTP_HLS_GZIP_STEP);

    z->next_in = list->body.data + list->done;
    z->avail_in = n;

    if (list->done == 0) {
        ngx_md5_init(&obj->md5);
    }

    ngx_md5_update(&obj->md5, list->body.data + list->done, n);

    list->done += n;

    flush = (list->done == list->body.len) ? Z_FINISH : Z_NO_FLUSH;

    rc = deflate(z, flush);

    if (flush == Z_NO_FLUSH && rc == Z_OK) {
        ngx_http_hls_list_next(obj, ngx_http_hls_list_gzip);
        return;
    }

    if (rc != Z_STREAM_END) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "deflate() failed: %d", rc);
        goto done;
    }

    if ((size_t) z->total_out < list->body.len) {
        list->gzip.len = (size_t) z->total_out;
    }

done:

    ngx_http_hls_list_next(obj, ngx_http_hls_list_notes);

    return;

failed:

    ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


/* with no more memory than what there is needs */

static z_stream *
ngx_http_hls_list_deflate(ngx_http_hls_object_t *obj)
{
    int                   level, wbits, memlevel;
    size_t                size;
    z_stream             *z;
    ngx_pool_cleanup_t   *cln;
    ngx_http_hls_list_t  *list;

    list = obj->list;

    cln = ngx_pool_cleanup_add(obj->pool, sizeof(z_stream));
    if (cln == NULL) {
        return NULL;
    }

    z = cln->data;
    ngx_memzero(z, sizeof(z_stream));

    z->zalloc = ngx_http_hls_list_alloc;
    z->zfree = ngx_http_hls_list_nofree;
    z->opaque = obj->pool;

    level = (list->body.len > NGX_HTTP_HLS_GZIP_STEP) ? 1 : 6;
    wbits = MAX_WBITS;
    memlevel = MAX_MEM_LEVEL - 1;

    while (wbits > 9 && list->body.len < ((size_t) 1 << (wbits - 1)) - 262) {
        wbits--;
        memlevel = ngx_max(memlevel - 1, 1);
    }

    if (deflateInit2(z, level, Z_DEFLATED, wbits + 16, memlevel,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return NULL;
    }

    cln->handler = ngx_http_hls_list_gzip_end;
    list->stream = z;

    size = deflateBound(z, list->body.len);

    list->gzip.data = ngx_pnalloc(obj->pool, size);
    if (list->gzip.data == NULL) {
        return NULL;
    }

    z->next_out = list->gzip.data;
    z->avail_out = size;

    return z;
}


static void
ngx_http_hls_list_gzip_end(void *data)
{
    z_stream *z = data;

    (void) deflateEnd(z);
}


static void *
ngx_http_hls_list_alloc(void *data, u_int items, u_int size)
{
    return ngx_palloc((ngx_pool_t *) data, items * size);
}


static void
ngx_http_hls_list_nofree(void *data, void *address)
{
    /* void */
}


/* viewers that have it find what it lists */

static void
ngx_http_hls_list_notes(ngx_http_hls_object_t *obj)
{
    if (ngx_http_hls_notes_step(obj) == NGX_AGAIN) {
        ngx_http_hls_list_next(obj, ngx_http_hls_list_notes);
        return;
    }

    ngx_http_hls_list_next(obj, ngx_http_hls_list_store);
}


static void
ngx_http_hls_list_store(ngx_http_hls_object_t *obj)
{
    ngx_int_t  rc;

    rc = ngx_http_hls_list_write(obj);

    switch (rc) {

    case NGX_OK:
        ngx_http_hls_list_finish(obj);
        break;

    case NGX_BUSY:
        ngx_http_hls_object_pass(obj, NGX_HTTP_HLS_ERROR);
        break;

    default: /* NGX_DECLINED, NGX_ERROR */
        ngx_http_hls_object_failed(obj, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


static ngx_int_t
ngx_http_hls_list_write(ngx_http_hls_object_t *obj)
{
    off_t                  total;
    u_char                *p, digest[16];
    u_char                 etag[NGX_HTTP_HLS_ETAG_LEN];
    u_char                 etag_gzip[NGX_HTTP_HLS_ETAG_LEN];
    ngx_int_t              rc;
    ngx_str_t              packed;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_store_t  *store;

    list = obj->list;
    store = &obj->zone->store;

    if (list->done == 0) {
        ngx_md5_init(&obj->md5);
    }

    ngx_md5_update(&obj->md5, list->body.data + list->done,
                   list->body.len - list->done);
    ngx_md5_final(digest, &obj->md5);

    ngx_http_hls_object_etag(digest, "", etag, &obj->head.etag);

    obj->head.len = list->body.len;

    if (list->gzip.len) {
        obj->head.gzip = list->body.len;
        obj->head.gzip_len = list->gzip.len;

        ngx_http_hls_object_etag(digest, "-gz", etag_gzip,
                                 &obj->head.etag_gzip);
    }

    if (ngx_http_hls_head_pack(obj->pool, &obj->head, &packed) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(obj->pool, packed.len + sizeof(ngx_hls_state_t));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, packed.data, packed.len);
    ngx_memcpy(p + packed.len, &list->state, sizeof(ngx_hls_state_t));

    packed.data = p;
    packed.len += sizeof(ngx_hls_state_t);

    total = list->body.len + list->gzip.len;

    rc = ngx_http_hls_store_begin(store, &obj->found, NGX_HTTP_OK, &packed,
                                  total, total, 0, &obj->body);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_hls_store_write(store, &obj->found, &obj->body,
                                  list->body.data, list->body.len);

    if (rc == NGX_OK && list->gzip.len) {
        rc = ngx_http_hls_store_write(store, &obj->found, &obj->body,
                                      list->gzip.data, list->gzip.len);
    }

    return rc;
}


static void
ngx_http_hls_list_finish(ngx_http_hls_object_t *obj)
{
    ngx_http_hls_data_t   *data, *now;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_times_t   times;

    list = obj->list;

    /* its session may have been told meanwhile */

    ngx_http_hls_object_times(obj, &times);

    data = ngx_http_hls_object_data(&list->times);
    now = ngx_http_hls_object_data(&times);

    ngx_http_hls_session_told(obj, data, now);

    data->flags |= now->flags & NGX_HTTP_HLS_LISTED;

    if (list->cell) {

        /* it is of that stream from now on */

        times.stale = list->times.stale;

        (void) ngx_http_hls_store_note(&obj->zone->store, &obj->target.key,
                                       obj->kind, list->cell, &times);
    }

    ngx_http_hls_refresh(obj, &list->ttl, &list->times);

    ngx_http_hls_object_done(obj, &list->times);
}
