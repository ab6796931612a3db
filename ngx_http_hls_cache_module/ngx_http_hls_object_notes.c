
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What a playlist lists is told to the store before viewers can ask for it:
 * whose it is, how long it lives, and what kind of thing it is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_object.h"


static ngx_int_t ngx_http_hls_notes_handler(void *data, ngx_hls_uri_t *uri);
static ngx_int_t ngx_http_hls_notes_add(ngx_http_hls_list_t *list,
    ngx_hls_uri_t *uri);
static void ngx_http_hls_notes_generation(ngx_http_hls_object_t *obj);
static ngx_int_t ngx_http_hls_notes_key(ngx_pool_t *pool,
    ngx_http_hls_loc_conf_t *conf, ngx_http_hls_target_t *target,
    ngx_str_t *dir, const char *what, ngx_http_hls_key_t *key);
static void ngx_http_hls_notes_up(ngx_str_t *dir);
static void ngx_http_hls_note(ngx_http_hls_object_t *obj, ngx_hls_uri_t *uri,
    ngx_http_hls_times_t *times);
static void ngx_http_hls_note_names(ngx_http_hls_object_t *obj,
    ngx_hls_ref_t *ref, ngx_http_hls_times_t *times);
static void ngx_http_hls_note_name(ngx_http_hls_object_t *obj,
    ngx_str_t *path, ngx_http_hls_times_t *times);
static ngx_uint_t ngx_http_hls_note_claimed(ngx_http_hls_object_t *obj,
    ngx_http_hls_key_t *key, ngx_http_hls_found_t *found);


/* the newest of those that were not listed before */

ngx_int_t
ngx_http_hls_notes_find(ngx_http_hls_object_t *obj)
{
    ngx_int_t             rc;
    ngx_str_t            *body;
    ngx_hls_playlist_t    playlist;
    ngx_http_hls_list_t  *list;

    list = obj->list;
    body = &list->body;

    if (obj->conf->key) {
        return NGX_OK;
    }

    list->cell = ngx_http_hls_store_stream(&obj->zone->store,
                                           &obj->target.stream);

    if (list->edit.playlist.master) {
        ngx_http_hls_session_note(obj, body);
        return NGX_OK;
    }

    if (list->state.generation) {
        ngx_http_hls_notes_generation(obj);
    }

    /* so many are looked at that there is room for all that is new */

    if (list->edit.playlist.segments > NGX_HTTP_HLS_NOTES) {
        list->first = list->edit.playlist.sequence
                      + list->edit.playlist.segments - NGX_HTTP_HLS_NOTES;
    }

    if (list->first < list->edit.fresh) {
        list->first = list->edit.fresh;
    }

    rc = ngx_hls_playlist_parse(body->data, body->data + body->len, &playlist,
                                ngx_http_hls_notes_handler, obj);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* what stands before the first of them is listed as long as they are */

    if ((list->map.uri.len
         && ngx_http_hls_notes_add(list, &list->map) != NGX_OK)
        || (list->key.uri.len
            && ngx_http_hls_notes_add(list, &list->key) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_notes_handler(void *data, ngx_hls_uri_t *uri)
{
    ngx_http_hls_object_t *obj = data;

    ngx_http_hls_list_t  *list;

    list = obj->list;

    switch (uri->type) {

    case NGX_HLS_URI_MAP:

        if (uri->sequence < list->first) {
            list->map = *uri;
            return NGX_OK;
        }

        break;

    case NGX_HLS_URI_KEY:

        if (uri->sequence < list->first) {
            list->key = *uri;
            return NGX_OK;
        }

        break;

    case NGX_HLS_URI_SEGMENT:
    case NGX_HLS_URI_PART:

        if (uri->sequence < list->first || uri->gap) {
            return NGX_OK;
        }

        break;

    case NGX_HLS_URI_HINT:
        break;

    default:
        return NGX_OK;
    }

    return ngx_http_hls_notes_add(list, uri);
}


static ngx_int_t
ngx_http_hls_notes_add(ngx_http_hls_list_t *list, ngx_hls_uri_t *uri)
{
    ngx_hls_uri_t  *u;

    /* byte ranges of one file */

    u = list->uris.elts;

    if (list->uris.nelts
        && u[list->uris.nelts - 1].uri.len == uri->uri.len
        && ngx_memcmp(u[list->uris.nelts - 1].uri.data, uri->uri.data,
                      uri->uri.len)
           == 0)
    {
        return NGX_OK;
    }

    u = ngx_array_push(&list->uris);
    if (u == NULL) {
        return NGX_ERROR;
    }

    *u = *uri;

    return NGX_OK;
}


/*
 * A manifest names its segments by templates, so that it is the directory
 * that is noted
 */

void
ngx_http_hls_notes_directory(ngx_http_hls_object_t *obj)
{
    ngx_str_t              dir;
    ngx_http_hls_key_t     key;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_times_t   times;

    list = obj->list;

    if (obj->conf->key || list->life == 0) {
        return;
    }

    dir = obj->target.path;
    ngx_http_hls_notes_up(&dir);

    if (ngx_http_hls_notes_key(obj->pool, obj->conf, &obj->target, &dir, "*",
                               &key)
        != NGX_OK)
    {
        return;
    }

    ngx_memzero(&times, sizeof(ngx_http_hls_times_t));

    times.fresh = ngx_current_msec + NGX_HTTP_HLS_LIFE;
    times.stale = times.fresh;

    data = ngx_http_hls_object_data(&times);

    data->target = (uint32_t) list->life;
    data->u.note.owner[0] = obj->target.key.hash[0];
    data->u.note.owner[1] = obj->target.key.hash[1];

    (void) ngx_http_hls_store_note(&obj->zone->store, &key,
                                   NGX_HTTP_HLS_OTHER, list->cell, &times);
}


ngx_int_t
ngx_http_hls_notes_parent(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times)
{
    ngx_str_t              dir;
    ngx_uint_t             n;
    ngx_http_hls_key_t     key;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    if (obj->conf->key) {
        return NGX_DECLINED;
    }

    store = &obj->zone->store;
    dir = obj->target.path;

    for (n = 0; n < NGX_HTTP_HLS_NOTES_UP && dir.len > 1; n++) {

        ngx_http_hls_notes_up(&dir);

        if (ngx_http_hls_notes_key(obj->pool, obj->conf, &obj->target, &dir,
                                   "*", &key)
            != NGX_OK
            || ngx_http_hls_store_lookup(store, &key, NGX_HTTP_HLS_OTHER, 0, 0,
                                         0, &found)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (found.entry == 0) {
            continue;
        }

        data = ngx_http_hls_object_data(&found.times);

        times->stale = ngx_current_msec + data->target;
        times->fresh = times->stale;

        /* it belongs to the stream of the manifest */

        return ngx_http_hls_store_note(store, &obj->target.key, obj->kind,
                                       found.stream, times);
    }

    return NGX_DECLINED;
}


/*
 * Of several playlists in a directory it is the lowest one, which is that of
 * none but a broadcast that is over if it is lower than that
 */

static void
ngx_http_hls_notes_generation(ngx_http_hls_object_t *obj)
{
    ngx_str_t              dir;
    ngx_http_hls_key_t     key;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;
    ngx_http_hls_times_t   times;

    list = obj->list;
    store = &obj->zone->store;

    dir = obj->target.path;
    ngx_http_hls_notes_up(&dir);

    if (ngx_http_hls_notes_key(obj->pool, obj->conf, &obj->target, &dir, "g",
                               &key)
        != NGX_OK
        || ngx_http_hls_store_lookup(store, &key, NGX_HTTP_HLS_OTHER, 0, 0, 0,
                                     &found)
           != NGX_OK)
    {
        return;
    }

    data = ngx_http_hls_object_data(&found.times);

    if (found.entry
        && data->u.note.generation < list->state.generation
        && (data->u.note.owner[0] != obj->target.key.hash[0]
            || data->u.note.owner[1] != obj->target.key.hash[1])
        && (ngx_msec_int_t) (found.times.stale - ngx_current_msec) > 0)
    {
        return;
    }

    ngx_memzero(&times, sizeof(ngx_http_hls_times_t));

    times.fresh = ngx_current_msec;
    times.stale = list->times.stale;

    data = ngx_http_hls_object_data(&times);

    data->u.note.owner[0] = obj->target.key.hash[0];
    data->u.note.owner[1] = obj->target.key.hash[1];
    data->u.note.generation = list->state.generation;

    (void) ngx_http_hls_store_note(store, &key, NGX_HTTP_HLS_OTHER,
                                   list->cell, &times);
}


ngx_uint_t
ngx_http_hls_object_outdated(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target)
{
    ngx_str_t              dir;
    ngx_uint_t             n;
    ngx_http_hls_key_t     key;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    if (conf->key) {
        return 0;
    }

    store = &conf->zone->store;
    dir = target->path;

    for (n = 0; n < NGX_HTTP_HLS_NOTES_UP && dir.len > 1; n++) {

        ngx_http_hls_notes_up(&dir);

        if (ngx_http_hls_notes_key(pool, conf, target, &dir, "g", &key)
            != NGX_OK
            || ngx_http_hls_store_lookup(store, &key, NGX_HTTP_HLS_OTHER, 0,
                                         0, 0, &found)
               != NGX_OK)
        {
            return 0;
        }

        if (found.entry) {
            data = ngx_http_hls_object_data(&found.times);
            return target->generation < data->u.note.generation;
        }
    }

    return 0;
}


/* no path has a blank in a key, so nobody asks for it */

static ngx_int_t
ngx_http_hls_notes_key(ngx_pool_t *pool, ngx_http_hls_loc_conf_t *conf,
    ngx_http_hls_target_t *target, ngx_str_t *dir, const char *what,
    ngx_http_hls_key_t *key)
{
    u_char  *p;
    size_t   len;

    len = target->id.len + sizeof("| *") - 1 + dir->len;

    if (len > NGX_HTTP_HLS_STORE_KEY_LEN) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->text.data = p;
    key->text.len = ngx_sprintf(p, "%V|%V %s", &target->id, dir, what) - p;

    ngx_http_hls_store_key(&conf->zone->store, key);

    return NGX_OK;
}


/* "/a/b/c" or "/a/b/" become "/a/b/" and "/a/" */

static void
ngx_http_hls_notes_up(ngx_str_t *dir)
{
    if (dir->len && dir->data[dir->len - 1] == '/') {
        dir->len--;
    }

    while (dir->len && dir->data[dir->len - 1] != '/') {
        dir->len--;
    }
}


ngx_int_t
ngx_http_hls_notes_step(ngx_http_hls_object_t *obj)
{
    ngx_uint_t             n;
    ngx_hls_uri_t         *uri;
    ngx_http_hls_list_t   *list;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_times_t   times;

    list = obj->list;

    ngx_memzero(&times, sizeof(ngx_http_hls_times_t));

    times.fresh = ngx_current_msec + list->life;
    times.stale = times.fresh;

    data = ngx_http_hls_object_data(&times);

    data->good = (uint32_t) ngx_current_msec;
    data->usable = (uint32_t) times.stale;
    data->target = (uint32_t) list->ttl.target;
    data->flags = NGX_HTTP_HLS_LISTED|NGX_HTTP_HLS_NOTED;
    data->u.note.owner[0] = obj->target.key.hash[0];
    data->u.note.owner[1] = obj->target.key.hash[1];

    uri = list->uris.elts;

    for (n = 0; n < NGX_HTTP_HLS_NOTES_STEP; n++) {

        if (list->noted == list->uris.nelts) {
            return NGX_OK;
        }

        ngx_http_hls_note(obj, &uri[list->noted++], &times);
    }

    return NGX_AGAIN;
}


static void
ngx_http_hls_note(ngx_http_hls_object_t *obj, ngx_hls_uri_t *uri,
    ngx_http_hls_times_t *times)
{
    ngx_str_t              rest;
    ngx_uint_t             kind;
    ngx_hls_ref_t          ref;
    ngx_http_hls_key_t     key;
    ngx_http_hls_data_t   *data, *old;
    ngx_http_hls_found_t   found;

    if (ngx_hls_uri_resolve(obj->pool, &obj->target.path, &uri->uri, &ref)
        != NGX_OK
        || ref.absolute
        || (!ref.own && uri->type != NGX_HLS_URI_KEY)
        || ngx_http_hls_target_key(obj->pool, obj->conf, &obj->target,
                                   &ref.path, &ref.args, &key, &kind)
           != NGX_OK)
    {
        return;
    }

    if (kind == NGX_HTTP_HLS_PLAYLIST || kind == NGX_HTTP_HLS_MANIFEST) {
        return;
    }

    /* whatever its name is */

    if (uri->type == NGX_HLS_URI_KEY) {
        kind = NGX_HTTP_HLS_KEY;
        ngx_http_hls_note_names(obj, &ref, times);

    } else if (kind == NGX_HTTP_HLS_OTHER) {
        kind = NGX_HTTP_HLS_SEGMENT;
    }

    data = ngx_http_hls_object_data(times);
    data->u.note.generation = ngx_hls_args_generation(&ref.args, &rest);

    if (data->u.note.generation > obj->list->state.generation) {

        /* not one of ours */

        data->u.note.generation = 0;
    }

    if (ngx_http_hls_note_claimed(obj, &key, &found)) {
        return;
    }

    if (uri->type == NGX_HLS_URI_KEY && !ref.own && found.entry
        && found.kind != NGX_HTTP_HLS_KEY)
    {
        return;
    }

    /* of what is there already only its life changes */

    if (found.entry) {
        old = ngx_http_hls_object_data(&found.times);
        data->started = old->started;
        data->took = old->took;
        data->tries = old->tries;

    } else {
        data->started = 0;
        data->took = 0;
        data->tries = 0;
    }

    (void) ngx_http_hls_store_note(&obj->zone->store, &key, kind,
                                   obj->list->cell, times);
}


/*
 * A key is one with other arguments, too, and by the name that a rule of the
 * route has for it, and through that by all others: nobody gets it without
 * being asked
 */

static void
ngx_http_hls_note_names(ngx_http_hls_object_t *obj, ngx_hls_ref_t *ref,
    ngx_http_hls_times_t *times)
{
    ngx_rtmp_route_mapped_t  mapped;

    if (ref->args.len) {
        ngx_http_hls_note_name(obj, &ref->path, times);
    }

    if (obj->conf->route
        && ngx_rtmp_route_map(obj->conf->route, obj->pool, &ref->path, &mapped)
           == NGX_OK
        && mapped.to.len)
    {
        ngx_http_hls_note_name(obj, &mapped.to, times);
    }
}


static void
ngx_http_hls_note_name(ngx_http_hls_object_t *obj, ngx_str_t *path,
    ngx_http_hls_times_t *times)
{
    ngx_str_t              args;
    ngx_uint_t             kind;
    ngx_http_hls_key_t     key;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t   found;

    ngx_str_null(&args);

    if (ngx_http_hls_target_key(obj->pool, obj->conf, &obj->target, path,
                                &args, &key, &kind)
        != NGX_OK
        || kind == NGX_HTTP_HLS_PLAYLIST || kind == NGX_HTTP_HLS_MANIFEST
        || ngx_http_hls_note_claimed(obj, &key, &found)
        || (found.entry && found.kind != NGX_HTTP_HLS_KEY))
    {
        return;
    }

    data = ngx_http_hls_object_data(times);

    data->u.note.generation = 0;
    data->started = 0;
    data->took = 0;
    data->tries = 0;

    if (found.entry) {
        data->started = ngx_http_hls_object_data(&found.times)->started;
        data->took = ngx_http_hls_object_data(&found.times)->took;
        data->tries = ngx_http_hls_object_data(&found.times)->tries;
    }

    (void) ngx_http_hls_store_note(&obj->zone->store, &key, NGX_HTTP_HLS_KEY,
                                   obj->list->cell, times);
}


/* what a live playlist lists is nobody else's */

static ngx_uint_t
ngx_http_hls_note_claimed(ngx_http_hls_object_t *obj, ngx_http_hls_key_t *key,
    ngx_http_hls_found_t *found)
{
    ngx_http_hls_data_t   *data;
    ngx_http_hls_store_t  *store;

    store = &obj->zone->store;

    if (ngx_http_hls_store_lookup(store, key, 0, 0, 0, 0, found) != NGX_OK) {
        return 1;
    }

    ngx_http_hls_store_release(store, &found->body);

    if (found->entry == 0) {
        return 0;
    }

    data = ngx_http_hls_object_data(&found->times);

    return (data->flags & NGX_HTTP_HLS_NOTED)
           && (ngx_msec_int_t) (found->times.stale - ngx_current_msec) > 0
           && (data->u.note.owner[0] != obj->target.key.hash[0]
               || data->u.note.owner[1] != obj->target.key.hash[1]);
}


ngx_uint_t
ngx_http_hls_notes_held(void *data, ngx_str_t *uri)
{
    ngx_http_hls_object_t *obj = data;

    ngx_uint_t             kind, held;
    ngx_hls_ref_t          ref;
    ngx_http_hls_key_t     key;
    ngx_http_hls_found_t   found;

    if (ngx_hls_uri_resolve(obj->pool, &obj->target.path, uri, &ref) != NGX_OK
        || ref.absolute
        || ngx_http_hls_target_key(obj->pool, obj->conf, &obj->target,
                                   &ref.path, &ref.args, &key, &kind)
           != NGX_OK
        || ngx_http_hls_store_lookup(&obj->zone->store, &key, kind, 0, 0, 0,
                                     &found)
           != NGX_OK)
    {
        return 0;
    }

    held = (found.body.body && found.body.state == NGX_HTTP_HLS_BODY_DONE);

    ngx_http_hls_store_release(&obj->zone->store, &found.body);

    return held;
}
