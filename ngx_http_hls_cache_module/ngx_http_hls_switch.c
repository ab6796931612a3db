
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A playlist that goes on at another server.  Whose it is is kept with it: if
 * the table says that the stream is elsewhere now, what comes from there
 * begins a new run.  If it was but a guess where the stream is, another server
 * may have a playlist that was left behind long ago: there it has to change
 * once before viewers see it.
 *
 * Where it is a guess and the playlist stands still, each second fill asks
 * another server instead, so that there is one search for all viewers and
 * processes: a fill is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_object.h"
#include "ngx_http_hls_tier.h"


/* ports of one server by one protocol */
#define NGX_HTTP_HLS_SWITCH_PORTS  4

/* stands for a list with nothing in it */
#define NGX_HTTP_HLS_SWITCH_EMPTY  1


static void ngx_http_hls_switch_other(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data);
static ngx_int_t ngx_http_hls_switch_pick(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data, ngx_rtmp_route_peer_t *peer);
static void ngx_http_hls_switch_empty(ngx_http_hls_data_t *data,
    uint32_t hash);
static ngx_int_t ngx_http_hls_switch_look(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data, uint32_t hash);
static void ngx_http_hls_switch_keep(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times);
static void ngx_http_hls_switch_found(ngx_http_hls_object_t *obj);


void
ngx_http_hls_switch_prepare(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data)
{
    ngx_uint_t           generation;
    ngx_http_hls_data_t  owner;

    if (obj->kind == NGX_HTTP_HLS_PLAYLIST
        || obj->kind == NGX_HTTP_HLS_MANIFEST)
    {
        if (!obj->old || obj->target.directives.len) {
            return;
        }

        obj->hang = ngx_http_hls_policy_hang(data, 0);

        if (obj->conf->route == NULL) {
            obj->fill->timeout = ngx_min(obj->fill->timeout, obj->hang);
            return;
        }

        ngx_http_hls_switch_other(obj, data);

        return;
    }

    /* a part may be listed before it is there, and what is over not made yet */

    if ((data->flags & (NGX_HTTP_HLS_NOTED|NGX_HTTP_HLS_LISTED))
        == (NGX_HTTP_HLS_NOTED|NGX_HTTP_HLS_LISTED)
        && ngx_http_hls_session_owner(obj, &owner, &generation) == NGX_OK
        && !(owner.flags & (NGX_HTTP_HLS_BLOCK_RELOAD|NGX_HTTP_HLS_LIST_END)))
    {
        obj->hang = ngx_http_hls_policy_hang(&owner, 1);
    }
}


static void
ngx_http_hls_switch_other(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data)
{
    ngx_rtmp_route_peer_t  *peer;

    if (obj->conf->continuity
        && obj->conf->key == NULL
        && obj->kind == NGX_HTTP_HLS_PLAYLIST
        && obj->target.stream.len
        && ngx_http_hls_policy_look(data, obj->start,
                                    obj->found.times.changed))
    {
        peer = ngx_palloc(obj->pool, sizeof(ngx_rtmp_route_peer_t));

        if (peer && ngx_http_hls_switch_pick(obj, data, peer) == NGX_OK) {
            obj->other = peer;
            data->look |= NGX_HTTP_HLS_LOOK_TURN;

            return;
        }
    }

    data->look &= ~NGX_HTTP_HLS_LOOK_TURN;
}


/* the next server in the order of the table; it counts as no choice */

static ngx_int_t
ngx_http_hls_switch_pick(ngx_http_hls_object_t *obj, ngx_http_hls_data_t *data,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_uint_t               i, n;
    ngx_rtmp_route_tried_t  *tried;
    ngx_rtmp_route_query_t   query;

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.key = obj->target.stream;
    query.op = NGX_RTMP_ROUTE_FETCH;
    query.protocol = NGX_RTMP_ROUTE_HTTP;
    query.alternative = NGX_RTMP_ROUTE_HTTPS;
    query.peek = 1;
    query.search = 1;
    query.late = 1;

    query.servers = ngx_http_rtmp_route_servers(obj->conf->route, obj->pool,
                                                &obj->target.path);

    if (ngx_rtmp_route_pick(obj->conf->route, &query, peer) != NGX_OK
        || !peer->guess
        || peer->single
        || peer->place != data->server)
    {
        return NGX_DECLINED;
    }

    for (n = 0; n <= data->place; n++) {

        for (i = 0; i < NGX_HTTP_HLS_SWITCH_PORTS; i++) {

            if (query.ntried == NGX_RTMP_ROUTE_MAX_TRIED) {
                return NGX_DECLINED;
            }

            tried = &query.tried[query.ntried++];

            tried->server = peer->server;
            tried->protocol = peer->protocol;
            tried->endpoint = i;
        }

        if (ngx_rtmp_route_pick(obj->conf->route, &query, peer) != NGX_OK) {

            /* that were all; a pause follows */

            if (n) {
                data->place = NGX_HTTP_HLS_LOOK_PLACES;
                (void) ngx_http_hls_policy_looked(data, obj->start, 0, 0);
            }

            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_switch_ask(ngx_http_request_t *pr)
{
    ngx_uint_t              quiet;
    ngx_http_hls_fill_t    *fill;
    ngx_http_hls_object_t  *obj;

    fill = ngx_http_hls_fill_of(pr);
    obj = fill->data;

    if (ngx_http_hls_tier_ask(pr) != NGX_OK) {
        return NGX_ERROR;
    }

    quiet = (obj->kind == NGX_HTTP_HLS_PLAYLIST
             && (obj->old || obj->target.directives.len));

    if (obj->hang == 0 && !quiet) {
        return NGX_OK;
    }

    return ngx_http_rtmp_route_ask(pr, obj->conf->route, obj->hang, quiet,
                                   &obj->target.stream, obj->other);
}


ngx_int_t
ngx_http_hls_switch_answer(ngx_http_hls_object_t *obj, ngx_http_request_t *sr)
{
    ngx_uint_t                  generation;
    ngx_http_hls_data_t         owner;
    ngx_http_rtmp_route_ctx_t  *ctx;

    if (obj->conf->route == NULL) {
        return NGX_OK;
    }

    ctx = ngx_http_rtmp_route_answered_by(sr, obj->conf->route);

    if (ctx == NULL || !ctx->chosen) {
        return NGX_OK;
    }

    if (obj->kind != NGX_HTTP_HLS_PLAYLIST) {

        /* what has that name elsewhere is not what is listed */

        return (ctx->told
                && ngx_http_hls_session_owner(obj, &owner, &generation)
                   == NGX_OK
                && owner.server
                && owner.server != ctx->place)
               ? NGX_DECLINED : NGX_OK;
    }

    obj->known = ctx->told;
    obj->searched = ctx->quiet && ctx->searched;
    obj->place = ctx->place;
    obj->server.len = ctx->server.len;
    obj->server.data = ngx_pstrdup(obj->pool, &ctx->server);

    return obj->server.data ? NGX_OK : NGX_ERROR;
}


void
ngx_http_hls_switch_begin(ngx_http_hls_object_t *obj,
    ngx_http_hls_found_t *found)
{
    uint32_t               hash;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_list_t   *list;

    list = obj->list;

    if (obj->server.len == 0 || found->body.body == 0
        || !list->edit.continuity)
    {
        return;
    }

    data = ngx_http_hls_object_data(&found->times);
    hash = obj->place;

    if (data->server == 0 || data->server == hash) {
        return;
    }

    list->moved = 1;

    list->edit.moved = 1;
    list->edit.restart = obj->known || obj->other != NULL;
    list->edit.recent = ngx_current_msec - found->times.changed;
}


ngx_int_t
ngx_http_hls_switch_check(ngx_http_hls_object_t *obj, ngx_hls_state_t *state,
    ngx_http_hls_times_t *times)
{
    uint32_t              hash;
    ngx_http_hls_data_t  *data;
    ngx_http_hls_list_t  *list;

    list = obj->list;
    data = ngx_http_hls_object_data(times);

    if (obj->server.len == 0) {
        return NGX_OK;
    }

    hash = obj->place;

    if (!list->moved) {

        if (list->edit.advanced) {
            data->other = 0;
            data->place = 0;
        }

        data->server = hash;

        if (obj->searched) {
            ngx_http_hls_switch_found(obj);
        }

        return NGX_OK;
    }

    if (list->edit.body.data == list->edit.served.data) {

        /* there is nothing yet */

        if (obj->other == NULL) {
            return NGX_OK;
        }

        ngx_http_hls_switch_empty(data, hash);
        ngx_http_hls_switch_keep(obj, times);

        return NGX_DECLINED;
    }

    if (list->edit.restarted && !obj->known && obj->target.directives.len) {

        /* it is the playlist without them that goes on elsewhere */

        ngx_http_hls_object_failed(obj, NGX_HTTP_BAD_GATEWAY);
        return NGX_DECLINED;
    }

    if (list->edit.restarted
        && !obj->known
        && (obj->other
            || (int32_t) (data->usable - (uint32_t) ngx_current_msec) > 0))
    {
        /* what there is is better than what may be over */

        if (ngx_http_hls_switch_look(obj, data, hash) != NGX_OK) {
            ngx_http_hls_switch_keep(obj, times);
            return NGX_DECLINED;
        }

        obj->searched = 1;
    }

    if (obj->searched && obj->target.directives.len == 0) {
        ngx_http_hls_switch_found(obj);
    }

    if (list->edit.restarted && !list->edit.restart) {

        /* as if it had been known before that it is a new run */

        list->edit.restart = 1;
        list->state = *state;

        if (ngx_hls_edit(&list->edit, &list->state) != NGX_OK) {
            ngx_http_hls_object_failed(obj, 0);
            return NGX_DECLINED;
        }
    }

    data->server = hash;
    data->other = 0;
    data->place = 0;
    data->look = NGX_HTTP_HLS_LOOK_PAUSE;
    data->since = (uint32_t) ngx_current_msec;

    return NGX_OK;
}


/* what follows an empty list is a change, and an empty list is none */

static void
ngx_http_hls_switch_empty(ngx_http_hls_data_t *data, uint32_t hash)
{
    uint32_t  seen;

    seen = (data->other == 0 || data->seen == NGX_HTTP_HLS_SWITCH_EMPTY)
           ? NGX_HTTP_HLS_SWITCH_EMPTY : 0;

    (void) ngx_http_hls_policy_looked(data, ngx_current_msec, hash, seen);
}


/* whether it goes on there: NGX_OK */

static ngx_int_t
ngx_http_hls_switch_look(ngx_http_hls_object_t *obj, ngx_http_hls_data_t *data,
    uint32_t hash)
{
    uint32_t              seen;
    ngx_http_hls_list_t  *list;

    list = obj->list;
    seen = 0;

    if (!list->edit.playlist.endlist) {
        seen = (uint32_t) list->state.next * 0x9e3779b1 ^ list->state.uri;
        seen = seen ? seen : 1;
    }

    return ngx_http_hls_policy_looked(data, ngx_current_msec, hash, seen);
}


void
ngx_http_hls_switch_failed(ngx_http_hls_object_t *obj)
{
    ngx_http_hls_times_t  times;

    ngx_http_hls_object_times(obj, &times);

    (void) ngx_http_hls_policy_looked(ngx_http_hls_object_data(&times),
                                      ngx_current_msec, 0, 0);

    ngx_http_hls_switch_keep(obj, &times);
}


/* what is served is not touched by what another server says */

static void
ngx_http_hls_switch_keep(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times)
{
    ngx_http_hls_data_t        *data;
    ngx_http_hls_policy_ttl_t   ttl;

    data = ngx_http_hls_object_data(times);

    if (obj->other == NULL) {

        /* its own server is away */

        (void) ngx_http_hls_store_touch(&obj->zone->store, &obj->target.key,
                                        times, 0);

        ngx_http_hls_object_failed(obj, NGX_HTTP_BAD_GATEWAY);
        return;
    }

    ngx_memzero(&ttl, sizeof(ngx_http_hls_policy_ttl_t));

    ttl.next = ngx_current_msec
               + ngx_min(ngx_max(data->target / 8, NGX_HTTP_HLS_POLL_MIN),
                         NGX_HTTP_HLS_ERROR);
    ttl.target = data->target;
    ttl.predicted = 1;

    times->fresh = ttl.next;
    obj->took = data->took;

    ngx_http_hls_refresh(obj, &ttl, times);
    ngx_http_hls_object_keep(obj, times);
}


/* other playlists of the stream, and other processes, follow */

static void
ngx_http_hls_switch_found(ngx_http_hls_object_t *obj)
{
    ngx_rtmp_route_peer_t   peer;
    ngx_rtmp_route_query_t  query;

    if (obj->list->moved) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "stream goes on at server \"%V\" of route \"%V\"",
                      &obj->server, ngx_rtmp_route_name(obj->conf->route));
    }

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));
    ngx_memzero(&peer, sizeof(ngx_rtmp_route_peer_t));

    query.key = obj->target.stream;
    query.op = NGX_RTMP_ROUTE_FETCH;
    peer.id = obj->server;

    ngx_rtmp_route_found(obj->conf->route, &query, &peer);
}
