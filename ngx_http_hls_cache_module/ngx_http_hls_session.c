
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Session arguments: SRS and OvenMediaEngine give each viewer one.  The cache
 * asks with one value of its own for each media playlist and for what that
 * playlist lists: one that a master playlist has told, or that came with the
 * media playlist when it was asked for without any.  If it is refused, and
 * without one as well, the viewer's is tried; if that is refused, too, it is
 * not a matter of values, and the one that was known is known still.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_object.h"


/* values that are tried for one playlist in a row */
#define NGX_HTTP_HLS_SESSION_TRIES  2

/* URIs of a media playlist that may have one */
#define NGX_HTTP_HLS_SESSION_URIS   16


typedef struct {
    ngx_http_hls_object_t  *obj;
    ngx_str_t               uri;
    ngx_str_t               value;
    ngx_uint_t              arg;
    ngx_uint_t              own;     /* it names the object itself */
    ngx_uint_t              note;
    ngx_uint_t              n;       /* URIs that were looked at */
} ngx_http_hls_session_walk_t;


static ngx_int_t ngx_http_hls_session_directives(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data, ngx_str_t *args);
static ngx_int_t ngx_http_hls_session_generations(ngx_http_hls_object_t *obj,
    ngx_str_t *args);
static ngx_int_t ngx_http_hls_session_media(void *data, ngx_hls_uri_t *uri);
static ngx_int_t ngx_http_hls_session_handler(void *data, ngx_hls_uri_t *uri);
static ngx_uint_t ngx_http_hls_session_name(ngx_http_hls_object_t *obj);
static ngx_uint_t ngx_http_hls_session_arg(ngx_http_hls_object_t *obj,
    ngx_str_t *args, ngx_str_t *value);
static ngx_uint_t ngx_http_hls_session_sane(ngx_str_t *value);
static void ngx_http_hls_session_set(ngx_http_hls_data_t *data,
    ngx_uint_t arg, ngx_str_t *value);
static void ngx_http_hls_session_tell(ngx_http_hls_object_t *obj,
    ngx_http_hls_key_t *key, ngx_http_hls_session_walk_t *walk);


ngx_int_t
ngx_http_hls_session_owner(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *owner, ngx_uint_t *generation)
{
    ngx_hls_state_t        state;
    ngx_http_hls_key_t     key;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;

    if (!(obj->data.flags & NGX_HTTP_HLS_NOTED)) {
        return NGX_DECLINED;
    }

    store = &obj->zone->store;

    ngx_str_null(&key.text);
    key.hash[0] = obj->data.u.note.owner[0];
    key.hash[1] = obj->data.u.note.owner[1];

    if (ngx_http_hls_store_lookup(store, &key, NGX_HTTP_HLS_PLAYLIST, 0, 0, 0,
                                  &found)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (found.body.body == 0) {
        return NGX_DECLINED;
    }

    if (owner) {
        ngx_memcpy(owner, found.times.data, sizeof(ngx_http_hls_data_t));
    }

    ngx_memzero(&state, sizeof(ngx_hls_state_t));

    if (found.body.head_len >= sizeof(ngx_hls_state_t)) {
        ngx_memcpy(&state, found.body.head + found.body.head_len
                           - sizeof(ngx_hls_state_t),
                   sizeof(ngx_hls_state_t));
    }

    *generation = state.generation;

    ngx_http_hls_store_release(store, &found.body);

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_session_args(ngx_http_hls_object_t *obj, ngx_http_request_t *r,
    ngx_str_t *args)
{
    size_t                len;
    ngx_str_t            *names, value;
    ngx_uint_t            generation, arg;
    ngx_http_hls_data_t   owner, *data;

    *args = obj->target.args;
    obj->private_session = 0;

    data = &obj->data;

    if (obj->target.directives.len) {

        if (ngx_http_hls_session_directives(obj, &owner, args) != NGX_OK) {
            return NGX_ERROR;
        }

        data = &owner;
    }

    if (obj->kind == NGX_HTTP_HLS_PLAYLIST) {

        if (obj->target.session.len == 0) {
            return NGX_OK;
        }

        /* in case that the cache has none, and the origin gives none */

        if (ngx_http_hls_session_arg(obj, &r->args, &value)
            && ngx_http_hls_session_sane(&value))
        {
            obj->viewer_session.len = value.len;
            obj->viewer_session.data = ngx_pstrdup(obj->pool, &value);
            if (obj->viewer_session.data == NULL) {
                return NGX_ERROR;
            }
        }

        if (obj->data.flags & NGX_HTTP_HLS_ASK_NONE) {
            return NGX_OK;
        }

        if (obj->data.flags & NGX_HTTP_HLS_ASK_VIEWER) {
            obj->session = obj->viewer_session;
            obj->private_session = 1;

            if (obj->session.len == 0) {
                return NGX_OK;
            }

            return ngx_hls_args_add(obj->pool, args, &obj->target.session,
                                    &obj->session, args);
        }

    } else {

        if (ngx_http_hls_session_generations(obj, args) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_hls_session_owner(obj, &owner, &generation) != NGX_OK) {
            return NGX_OK;
        }

        data = &owner;
    }

    if (!(data->flags & NGX_HTTP_HLS_SESSION)) {
        return NGX_OK;
    }

    arg = data->session_arg;

    if (arg == 0 || arg > obj->conf->session_args->nelts) {
        return NGX_OK;
    }

    names = obj->conf->session_args->elts;

    for (len = 0; len < NGX_HTTP_HLS_SESSION_LEN; len++) {
        if (data->u.list.session[len] == '\0') {
            break;
        }
    }

    value.data = data->u.list.session;
    value.len = len;

    obj->private_session = (data->flags & NGX_HTTP_HLS_VIEWER) ? 1 : 0;

    obj->session.len = len;
    obj->session.data = ngx_pstrdup(obj->pool, &value);
    if (obj->session.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_hls_args_add(obj->pool, args, &names[arg - 1], &obj->session,
                            args);
}


/*
 * Viewers' numbers become those of the origin; deltas are not asked for.  data
 * is that of the playlist without directives.
 */

static ngx_int_t
ngx_http_hls_session_directives(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data, ngx_str_t *args)
{
    u_char                *p;
    uint64_t               msn;
    ngx_str_t              value, body, name;
    ngx_hls_state_t        state;
    ngx_hls_directives_t   d;
    ngx_http_hls_found_t   found;

    ngx_memzero(data, sizeof(ngx_http_hls_data_t));

    if (ngx_http_hls_list_previous(obj, &found, &body, &state) != NGX_OK) {
        return NGX_OK;
    }

    ngx_memcpy(data, found.times.data, sizeof(ngx_http_hls_data_t));

    ngx_http_hls_store_release(&obj->zone->store, &found.body);

    if (ngx_hls_args_directives(&obj->target.directives, &d) != NGX_OK
        || !d.has_msn)
    {
        return NGX_OK;
    }

    if (ngx_hls_edit_msn(&state, d.msn, &msn) != NGX_OK) {
        return NGX_OK;
    }

    p = ngx_pnalloc(obj->pool, 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "_HLS_msn");
    value.data = p;
    value.len = ngx_sprintf(p, "%uL", msn) - p;

    if (ngx_hls_args_add(obj->pool, args, &name, &value, args) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!d.has_part) {
        return NGX_OK;
    }

    p += NGX_INT64_LEN;

    ngx_str_set(&name, "_HLS_part");
    value.data = p;
    value.len = ngx_sprintf(p, "%ui", d.part) - p;

    return ngx_hls_args_add(obj->pool, args, &name, &value, args);
}


/* those that the origin has written itself */

static ngx_int_t
ngx_http_hls_session_generations(ngx_http_hls_object_t *obj, ngx_str_t *args)
{
    u_char            *p;
    ngx_str_t          all, value;
    static ngx_str_t   name = ngx_string("g");

    all = obj->target.generations;

    if (all.len == 0
        || !(obj->data.flags & NGX_HTTP_HLS_NOTED)
        || ngx_hls_args_find(args, &name, &value) == NGX_OK)
    {
        return NGX_OK;
    }

    if (obj->data.u.note.generation) {

        /* the last one is ours */

        while (all.len && all.data[all.len - 1] != '&') {
            all.len--;
        }

        if (all.len == 0) {
            return NGX_OK;
        }

        all.len--;
    }

    p = ngx_pnalloc(obj->pool, args->len + 1 + all.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    if (args->len) {
        p = ngx_cpymem(p, args->data, args->len);
        *p++ = '&';
    }

    p = ngx_cpymem(p, all.data, all.len);

    value.len = p - value.data;

    *args = value;

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_session_failed(ngx_http_hls_object_t *obj, ngx_uint_t status,
    ngx_http_hls_data_t *data)
{
    ngx_str_t   *value;
    ngx_uint_t   asked;

    asked = obj->data.flags;

    data->flags &= ~(NGX_HTTP_HLS_ASK_NONE|NGX_HTTP_HLS_ASK_VIEWER);

    if (obj->kind != NGX_HTTP_HLS_PLAYLIST
        || obj->target.session.len == 0
        || obj->target.directives.len
        || status < NGX_HTTP_BAD_REQUEST
        || status >= NGX_HTTP_INTERNAL_SERVER_ERROR
        || data->tries >= NGX_HTTP_HLS_SESSION_TRIES
        || (asked & NGX_HTTP_HLS_ASK_VIEWER))
    {
        return NGX_DECLINED;
    }

    if (obj->session.len) {

        /* it may be over; first without any */

        data->flags |= NGX_HTTP_HLS_ASK_NONE;
        data->tries++;

        return NGX_OK;
    }

    value = &obj->viewer_session;

    if (value->len == 0
        || ((data->flags & NGX_HTTP_HLS_SESSION)
            && ngx_strncmp(value->data, data->u.list.session, value->len) == 0
            && data->u.list.session[value->len] == '\0'))
    {
        return NGX_DECLINED;
    }

    data->flags |= NGX_HTTP_HLS_ASK_VIEWER;
    data->tries++;

    return NGX_OK;
}


void
ngx_http_hls_session_learn(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data)
{
    ngx_str_t                    *body;
    ngx_hls_playlist_t            playlist;
    ngx_http_hls_session_walk_t   walk;

    if (obj->target.session.len == 0 || obj->target.directives.len) {
        return;
    }

    if (obj->session.len) {

        if (obj->data.flags & NGX_HTTP_HLS_ASK_VIEWER) {
            ngx_http_hls_session_set(data, ngx_http_hls_session_name(obj),
                                     &obj->session);

            /* others are not to see it */

            data->flags |= NGX_HTTP_HLS_VIEWER;
        }

        return;
    }

    if ((data->flags & NGX_HTTP_HLS_SESSION)
        && !(obj->data.flags & NGX_HTTP_HLS_SESSION))
    {
        /* a master playlist has told it meanwhile */

        return;
    }

    /* what was known is refused, or nothing was */

    data->flags &= ~(NGX_HTTP_HLS_SESSION|NGX_HTTP_HLS_VIEWER);

    body = &obj->list->edit.origin;

    ngx_memzero(&walk, sizeof(ngx_http_hls_session_walk_t));
    walk.obj = obj;

    (void) ngx_hls_playlist_parse(body->data, body->data + body->len,
                                  &playlist, ngx_http_hls_session_media,
                                  &walk);

    if (walk.arg) {
        ngx_http_hls_session_set(data, walk.arg, &walk.value);
    }
}


void
ngx_http_hls_session_told(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data, ngx_http_hls_data_t *now)
{
    ngx_uint_t            bits;
    ngx_http_hls_data_t  *then;

    then = &obj->data;
    bits = NGX_HTTP_HLS_SESSION|NGX_HTTP_HLS_VIEWER;

    if (!(now->flags & NGX_HTTP_HLS_SESSION)
        || ((now->flags & bits) == (then->flags & bits)
            && ngx_memcmp(now->u.list.session, then->u.list.session,
                          NGX_HTTP_HLS_SESSION_LEN)
               == 0))
    {
        return;
    }

    data->flags &= ~bits;
    data->flags |= now->flags & bits;
    data->session_arg = now->session_arg;

    ngx_memcpy(data->u.list.session, now->u.list.session,
               NGX_HTTP_HLS_SESSION_LEN);
}


/* NGX_OK: ask again, NGX_DECLINED: it is what was asked for, NGX_ERROR */

ngx_int_t
ngx_http_hls_session_master(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data)
{
    ngx_str_t                    *body;
    ngx_hls_playlist_t            playlist;
    ngx_http_hls_session_walk_t   walk;

    if (obj->target.session.len == 0) {
        return NGX_DECLINED;
    }

    body = &obj->list->edit.origin;

    ngx_memzero(&walk, sizeof(ngx_http_hls_session_walk_t));
    walk.obj = obj;

    (void) ngx_hls_playlist_parse(body->data, body->data + body->len,
                                  &playlist, ngx_http_hls_session_handler,
                                  &walk);

    if (!walk.own) {

        /* a master playlist that has a session argument itself */

        return NGX_DECLINED;
    }

    if (data->tries >= NGX_HTTP_HLS_SESSION_TRIES) {
        return NGX_ERROR;
    }

    ngx_http_hls_session_set(data, walk.arg, &walk.value);

    data->tries++;

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_session_value(ngx_http_hls_object_t *obj, ngx_str_t *value)
{
    size_t                        len;
    ngx_hls_ref_t                 ref;
    ngx_uint_t                    kind;
    ngx_str_t                    *body;
    ngx_hls_playlist_t            playlist;
    ngx_http_hls_key_t            key;
    ngx_http_hls_data_t          *data;
    ngx_http_hls_found_t          found;
    ngx_http_hls_session_walk_t   walk;

    if (obj->session.len) {
        *value = obj->session;
        return NGX_OK;
    }

    if (obj->data.flags & NGX_HTTP_HLS_MEDIA) {

        /* most likely it is media again, and it may be large */

        return NGX_DECLINED;
    }

    body = &obj->list->edit.origin;

    ngx_memzero(&walk, sizeof(ngx_http_hls_session_walk_t));
    walk.obj = obj;

    if (ngx_hls_playlist_parse(body->data, body->data + body->len, &playlist,
                               ngx_http_hls_session_handler, &walk)
        == NGX_DECLINED
        || !playlist.master
        || walk.value.len == 0)
    {
        return NGX_DECLINED;
    }

    /* the one that the media playlist has, as long as it is good */

    if (ngx_hls_uri_resolve(obj->pool, &obj->target.path, &walk.uri, &ref)
        != NGX_OK
        || ref.absolute
        || ngx_http_hls_target_key(obj->pool, obj->conf, &obj->target,
                                   &ref.path, &ref.args, &key, &kind)
           != NGX_OK
        || ngx_http_hls_store_lookup(&obj->zone->store, &key, kind, 0, 0, 0,
                                     &found)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_hls_store_release(&obj->zone->store, &found.body);

    data = ngx_http_hls_object_data(&found.times);

    if (found.entry == 0
        || !(data->flags & NGX_HTTP_HLS_SESSION)
        || (data->flags & (NGX_HTTP_HLS_VIEWER|NGX_HTTP_HLS_FAILING)))
    {
        return NGX_DECLINED;
    }

    for (len = 0; len < NGX_HTTP_HLS_SESSION_LEN; len++) {
        if (data->u.list.session[len] == '\0') {
            break;
        }
    }

    value->len = len;
    value->data = ngx_pnalloc(obj->pool, len);
    if (value->data == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(value->data, data->u.list.session, len);

    return NGX_OK;
}


void
ngx_http_hls_session_note(ngx_http_hls_object_t *obj, ngx_str_t *body)
{
    ngx_hls_playlist_t            playlist;
    ngx_http_hls_session_walk_t   walk;

    ngx_memzero(&walk, sizeof(ngx_http_hls_session_walk_t));

    walk.obj = obj;
    walk.note = 1;

    (void) ngx_hls_playlist_parse(body->data, body->data + body->len,
                                  &playlist, ngx_http_hls_session_handler,
                                  &walk);
}


/* the first URI that has one */

static ngx_int_t
ngx_http_hls_session_media(void *data, ngx_hls_uri_t *uri)
{
    ngx_http_hls_session_walk_t *walk = data;

    ngx_str_t               value;
    ngx_uint_t              arg;
    ngx_hls_ref_t           ref;
    ngx_http_hls_object_t  *obj;

    obj = walk->obj;

    if (++walk->n > NGX_HTTP_HLS_SESSION_URIS) {
        return NGX_DONE;
    }

    if (ngx_hls_uri_resolve(obj->pool, &obj->target.path, &uri->uri, &ref)
        != NGX_OK
        || ref.absolute)
    {
        return NGX_OK;
    }

    arg = ngx_http_hls_session_arg(obj, &ref.args, &value);

    if (arg == 0 || !ngx_http_hls_session_sane(&value)) {
        return NGX_OK;
    }

    walk->arg = arg;
    walk->value = value;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_hls_session_handler(void *data, ngx_hls_uri_t *uri)
{
    ngx_http_hls_session_walk_t *walk = data;

    ngx_str_t               value;
    ngx_uint_t              arg, kind;
    ngx_hls_ref_t           ref;
    ngx_http_hls_key_t      key;
    ngx_http_hls_object_t  *obj;

    obj = walk->obj;

    if (uri->type != NGX_HLS_URI_VARIANT
        || ngx_hls_uri_resolve(obj->pool, &obj->target.path, &uri->uri, &ref)
           != NGX_OK
        || ref.absolute)
    {
        return NGX_OK;
    }

    arg = ngx_http_hls_session_arg(obj, &ref.args, &value);

    if (arg && !ngx_http_hls_session_sane(&value)) {
        arg = 0;
    }

    if (walk->note) {

        if (!ref.own
            || ngx_http_hls_target_key(obj->pool, obj->conf, &obj->target,
                                       &ref.path, &ref.args, &key, &kind)
               != NGX_OK)
        {
            return NGX_OK;
        }

        walk->arg = arg;
        walk->value = value;

        ngx_http_hls_session_tell(obj, &key, walk);

        return NGX_OK;
    }

    if (arg == 0) {
        return NGX_OK;
    }

    if (walk->value.len == 0) {
        walk->uri = uri->uri;
        walk->arg = arg;
        walk->value = value;
    }

    if (ref.path.len == obj->target.path.len
        && ngx_memcmp(ref.path.data, obj->target.path.data, ref.path.len) == 0)
    {
        walk->uri = uri->uri;
        walk->arg = arg;
        walk->value = value;
        walk->own = 1;

        return NGX_DONE;
    }

    return NGX_OK;
}


/* the number of the argument that the viewer has */

static ngx_uint_t
ngx_http_hls_session_name(ngx_http_hls_object_t *obj)
{
    ngx_str_t   *names;
    ngx_uint_t   arg;

    names = obj->conf->session_args->elts;

    for (arg = 0; arg < obj->conf->session_args->nelts; arg++) {
        if (names[arg].len == obj->target.session.len
            && ngx_memcmp(names[arg].data, obj->target.session.data,
                          names[arg].len)
               == 0)
        {
            break;
        }
    }

    return arg + 1;
}


/* the number of the argument in the list, 0: there is none */

static ngx_uint_t
ngx_http_hls_session_arg(ngx_http_hls_object_t *obj, ngx_str_t *args,
    ngx_str_t *value)
{
    ngx_str_t   *names;
    ngx_uint_t   i;

    names = obj->conf->session_args->elts;

    for (i = 0; i < obj->conf->session_args->nelts; i++) {
        if (ngx_hls_args_find(args, &names[i], value) == NGX_OK) {
            return i + 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_hls_session_sane(ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    if (value->len == 0 || value->len >= NGX_HTTP_HLS_SESSION_LEN) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
              || (ch >= 'a' && ch <= 'z') || ch == '-' || ch == '_'
              || ch == '.' || ch == '~'))
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_http_hls_session_set(ngx_http_hls_data_t *data, ngx_uint_t arg,
    ngx_str_t *value)
{
    data->flags &= ~(NGX_HTTP_HLS_VIEWER
                     |NGX_HTTP_HLS_ASK_NONE|NGX_HTTP_HLS_ASK_VIEWER);
    data->flags |= NGX_HTTP_HLS_SESSION;
    data->session_arg = (uint8_t) arg;

    ngx_memzero(data->u.list.session, NGX_HTTP_HLS_SESSION_LEN);
    ngx_memcpy(data->u.list.session, value->data, value->len);
}


/* a media playlist is told its value, and that it is listed */

static void
ngx_http_hls_session_tell(ngx_http_hls_object_t *obj, ngx_http_hls_key_t *key,
    ngx_http_hls_session_walk_t *walk)
{
    uint32_t               body;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t   found;
    ngx_http_hls_store_t  *store;
    ngx_http_hls_times_t   times;

    store = &obj->zone->store;

    if (ngx_http_hls_store_lookup(store, key, 0, 0, 0, 0, &found) != NGX_OK) {
        return;
    }

    body = found.body.body;
    ngx_http_hls_store_release(store, &found.body);

    times = found.times;
    data = ngx_http_hls_object_data(&times);

    if (found.entry == 0) {
        ngx_memzero(&times, sizeof(ngx_http_hls_times_t));

    } else if ((data->flags & (NGX_HTTP_HLS_SESSION
                               |NGX_HTTP_HLS_VIEWER
                               |NGX_HTTP_HLS_FAILING))
               == NGX_HTTP_HLS_SESSION)
    {
        return;
    }

    if ((ngx_msec_int_t) (times.stale - ngx_current_msec)
        < NGX_HTTP_HLS_LIFE)
    {
        times.stale = ngx_current_msec + NGX_HTTP_HLS_LIFE;
    }

    if (walk->arg) {
        ngx_http_hls_session_set(data, walk->arg, &walk->value);

    } else if (found.entry) {
        return;
    }

    data->flags |= NGX_HTTP_HLS_LISTED;

    if (body == 0) {
        (void) ngx_http_hls_store_note(store, key, NGX_HTTP_HLS_PLAYLIST,
                                       obj->list->cell, &times);

    } else {
        (void) ngx_http_hls_store_touch(store, key, &times, 0);
    }
}
