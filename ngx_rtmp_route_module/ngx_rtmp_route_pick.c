
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_int_t ngx_rtmp_route_pick_known(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_int_t ngx_rtmp_route_pick_only(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_int_t ngx_rtmp_route_pick_new(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_int_t ngx_rtmp_route_pick_listed(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_uint_t ngx_rtmp_route_pick_present(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_choice_t *choice);
static void ngx_rtmp_route_pick_list(ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_choice_t *choice);
static ngx_uint_t ngx_rtmp_route_pick_is_listed(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t i);
static void ngx_rtmp_route_pick_done(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_uint_t ngx_rtmp_route_pick_single(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_uint_t ngx_rtmp_route_pick_last(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static ngx_uint_t ngx_rtmp_route_pick_full(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t i, ngx_uint_t purpose);
static ngx_uint_t ngx_rtmp_route_endpoint(ngx_rtmp_route_hot_t *hot,
    ngx_rtmp_route_query_t *query, ngx_uint_t i,
    ngx_rtmp_route_choice_t *choice);
static ngx_int_t ngx_rtmp_route_pick_again(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice);
static uint32_t ngx_rtmp_route_pick_count(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_choice_t *choice, ngx_rtmp_route_endpoint_t *endpoint);


ngx_int_t
ngx_rtmp_route_table_pick(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t                   rc;
    ngx_rtmp_route_choice_t     choice;
    ngx_rtmp_route_endpoint_t   endpoint;

    do {
        ngx_memzero(&choice, sizeof(ngx_rtmp_route_choice_t));
        choice.counted = query->count && !ngx_rtmp_route_asks(query);

        ngx_rtmp_route_table_lock(table);

        rc = ngx_rtmp_route_pick_locked(table, query, &choice);

        if (rc == NGX_OK) {
            ngx_rtmp_route_pick_copy(table->sh, &choice, peer, &endpoint);

            if (choice.counted) {
                peer->conn = ngx_rtmp_route_pick_count(table, &choice,
                                                       &endpoint);
            }
        }

        ngx_rtmp_route_table_unlock(table);

    } while (rc == NGX_BUSY && ngx_rtmp_route_pick_retry(table, &choice));

    if (rc == NGX_OK) {
        ngx_rtmp_route_pick_name(peer, &endpoint);
    }

    return rc;
}


/*
 * Whether those who are gone had the room, or a stream that seems to be live;
 * without the lock
 */

ngx_uint_t
ngx_rtmp_route_pick_retry(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_choice_t *choice)
{
    return (choice->full || choice->source == NGX_RTMP_ROUTE_FROM_PUBLISH)
           && ngx_rtmp_route_session_sweep(table);
}


ngx_int_t
ngx_rtmp_route_pick_locked(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    uint32_t                       i;
    ngx_int_t                      rc;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;
    st = NULL;
    query->full = 0;

    if (query->ntried > NGX_RTMP_ROUTE_MAX_TRIED) {
        return NGX_BUSY;
    }

    i = ngx_rtmp_route_stream_find(sh, &query->key);

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    choice->stream = i;

    if (i) {
        st = ngx_rtmp_route_stream(sh, i);
        choice->known = ngx_rtmp_route_stream_known(st);
    }

    if (!choice->known && query->lookup && !choice->admitted) {
        return NGX_DECLINED;
    }

    choice->forced = ngx_rtmp_route_forced(table, query);
    choice->mandatory = (table->mandatory != 0);

    if (query->servers && !choice->forced && !query->only) {
        ngx_rtmp_route_pick_list(query, choice);
    }

    if (!choice->known && !choice->admitted && !choice->forced
        && !choice->nlisted && !query->only)
    {
        /* a balancer without a stream asks for any server */

        if (query->op != NGX_RTMP_ROUTE_PUBLISH && query->key.len) {

            if (table->unknown == NGX_RTMP_ROUTE_UNKNOWN_REFUSE) {
                return NGX_DECLINED;
            }

            if (table->unknown == NGX_RTMP_ROUTE_UNKNOWN_WAIT) {
                return NGX_AGAIN;
            }
        }
    }

    rc = NGX_DECLINED;

    if (i) {
        ngx_rtmp_route_stream_used(sh, i);
    }

    if (query->only) {
        rc = ngx_rtmp_route_pick_only(sh, query, choice);

    } else if (i && !choice->forced) {
        rc = ngx_rtmp_route_pick_known(sh, query, choice);
    }

    if (rc == NGX_DECLINED) {

        rc = ngx_rtmp_route_pick_new(table, query, choice);

        /* the last one may have expired since the survey of this second */

        if (rc == NGX_BUSY
            && ngx_rtmp_route_health_survey(table) == NGX_OK)
        {
            rc = (i && !choice->forced)
                 ? ngx_rtmp_route_pick_known(sh, query, choice)
                 : NGX_DECLINED;

            if (rc == NGX_DECLINED) {
                rc = ngx_rtmp_route_pick_new(table, query, choice);
            }
        }

        /*
         * It is remembered if nothing else says where the stream is: what does
         * may be right again later.  A publisher moves it when it opens its
         * session.
         */

        if (rc == NGX_OK && i && !choice->forced
            && !ngx_rtmp_route_asks(query)
            && !query->search
            && (choice->nlisted == 0 || st->publishers == 0)
            && st->pin_birth == 0
            && st->list_seq == 0
            && ngx_rtmp_route_stream_from(st) <= NGX_RTMP_ROUTE_FROM_PICK)
        {
            ngx_rtmp_route_stream_move(sh, i, choice->index,
                                       NGX_RTMP_ROUTE_FROM_PICK);
        }
    }

    if (rc == NGX_OK) {
        ngx_rtmp_route_pick_done(sh, query, choice);

    } else if (rc == NGX_BUSY) {
        query->full = choice->full;
    }

    return rc;
}


/*
 * The best place where the stream is said to be.  NGX_DECLINED: none is of
 * use; NGX_BUSY: it is live on a server that can't be reached for this query.
 */

static ngx_int_t
ngx_rtmp_route_pick_known(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, choice->stream);

    if (st->live
        && (choice->nlisted == 0
            || ngx_rtmp_route_pick_is_listed(sh, query, choice, st->server)))
    {
        choice->source = NGX_RTMP_ROUTE_FROM_PUBLISH;

        return ngx_rtmp_route_eligible(sh, query, choice, st->server,
                                       NGX_RTMP_ROUTE_FOR_LIVE)
               ? NGX_OK : NGX_BUSY;
    }

    if (st->pin_birth
        && ngx_rtmp_route_eligible(sh, query, choice, st->pin,
                                   NGX_RTMP_ROUTE_FOR_KNOWN))
    {
        choice->source = NGX_RTMP_ROUTE_FROM_PIN;
        return NGX_OK;
    }

    if (st->list_seq
        && ngx_rtmp_route_eligible(sh, query, choice, st->list,
                                   NGX_RTMP_ROUTE_FOR_KNOWN))
    {
        choice->source = NGX_RTMP_ROUTE_FROM_LIST;
        return NGX_OK;
    }

    /*
     * A list has an order: what was picked by it is picked again, unless a
     * publisher is on its way there.  One that was picked before its name has
     * left it is for those who go on there.
     */

    hot = ngx_rtmp_route_hot(sh, st->server);

    if (st->server_seq
        && !st->live
        && (choice->nlisted == 0
            || st->publishers
            || ngx_rtmp_route_stream_from(st) != NGX_RTMP_ROUTE_FROM_PICK)
        && (!(hot->flags & NGX_RTMP_ROUTE_SERVER_GONE)
            || st->players
            || ngx_rtmp_route_stream_from(st) != NGX_RTMP_ROUTE_FROM_PICK)
        && ngx_rtmp_route_eligible(sh, query, choice, st->server,
                                   NGX_RTMP_ROUTE_FOR_KNOWN))
    {
        choice->source = ngx_rtmp_route_stream_from(st);
        choice->guess = choice->source <= NGX_RTMP_ROUTE_FROM_FOUND
                        || (st->flags & NGX_RTMP_ROUTE_STREAM_CHECKED);
        return NGX_OK;
    }

    /* those who have room have not the stream */

    if (choice->full && choice->known
        && query->op != NGX_RTMP_ROUTE_PUBLISH)
    {
        return NGX_BUSY;
    }

    return NGX_DECLINED;
}


/* NGX_BUSY: it has gone, or is no longer up */

static ngx_int_t
ngx_rtmp_route_pick_only(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    choice->source = NGX_RTMP_ROUTE_FROM_NONE;

    return query->server.index < sh->server_top
           && ngx_rtmp_route_eligible(sh, query, choice, query->server.index,
                                      NGX_RTMP_ROUTE_FOR_KNOWN)
           ? NGX_OK : NGX_BUSY;
}


static ngx_int_t
ngx_rtmp_route_pick_new(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_int_t              i;
    ngx_uint_t             n;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    choice->source = NGX_RTMP_ROUTE_FROM_NONE;
    choice->guess = 1;

    /*
     * A stream that is not published yet is likely to be where a publisher
     * would be sent: servers that have no room for one come last
     */

    choice->room = 1;

    i = ngx_rtmp_route_pick_again(sh, query, choice);

    for (n = 0; n < 4 && i == NGX_ERROR; n++) {

        if (n == 2) {
            if (!choice->full || query->op == NGX_RTMP_ROUTE_PUBLISH) {
                break;
            }

            choice->room = 0;
        }

        if (choice->nlisted) {
            i = ngx_rtmp_route_pick_listed(table, query, choice);
            n++;

        } else {
            i = ngx_rtmp_route_pick_method(table, query, choice, n % 2);
        }
    }

    if (i == NGX_ERROR) {
        return NGX_BUSY;
    }

    return ngx_rtmp_route_eligible(sh, query, choice, i,
                                   NGX_RTMP_ROUTE_FOR_NEW)
           ? NGX_OK : NGX_BUSY;
}


/* the first of the list, of its addresses that of the method; or NGX_ERROR */

static ngx_int_t
ngx_rtmp_route_pick_listed(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_int_t   i;
    ngx_uint_t  turn, mask;

    mask = ngx_rtmp_route_pick_present(table->sh, choice);
    i = NGX_ERROR;

    for (turn = 1; turn <= choice->nlisted && i == NGX_ERROR; turn++) {

        if (!(mask & ((ngx_uint_t) 1 << turn))) {
            continue;
        }

        choice->turn = turn;

        /* a backup is one among addresses, the list's order is its own */

        i = ngx_rtmp_route_pick_method(table, query, choice, 0);

        if (i == NGX_ERROR) {
            i = ngx_rtmp_route_pick_method(table, query, choice, 1);
        }
    }

    choice->turn = 0;

    return i;
}


/* a bit for each turn that there may be a server for */

static ngx_uint_t
ngx_rtmp_route_pick_present(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_choice_t *choice)
{
    ngx_uint_t             i, n, mask;
    ngx_rtmp_route_hot_t  *hot;

    mask = 0;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        for (n = 0; n < choice->nlisted; n++) {

            if (choice->listed[n] == hot->group
                || choice->listed[n] == hot->key)
            {
                mask |= (ngx_uint_t) 2 << n;
            }
        }
    }

    return mask;
}


static void
ngx_rtmp_route_pick_list(ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_choice_t *choice)
{
    ngx_str_t   *id;
    ngx_uint_t   n;

    id = query->servers->elts;

    choice->nlisted = ngx_min(query->servers->nelts,
                              NGX_RTMP_ROUTE_MAX_TRIED);

    for (n = 0; n < choice->nlisted; n++) {
        choice->listed[n] = ngx_rtmp_route_method_key(id[n].data, id[n].len);
    }
}


/*
 * A name stands for all of its addresses; it is not trusted to a hash.  Who
 * registers may have any id, which makes it no address of a name.
 */

static ngx_uint_t
ngx_rtmp_route_pick_is_listed(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t i)
{
    ngx_str_t                     *id;
    ngx_uint_t                     n, last;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_server_info_t  *info;

    hot = ngx_rtmp_route_hot(sh, i);

    n = choice->turn ? choice->turn - 1 : 0;
    last = choice->turn ? choice->turn : choice->nlisted;

    for ( /* void */ ; n < last; n++) {

        if (choice->listed[n] != hot->group && choice->listed[n] != hot->key) {
            continue;
        }

        id = (ngx_str_t *) query->servers->elts + n;
        info = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

        if (info->id_len >= id->len
            && ngx_memcmp(info->id, id->data, id->len) == 0
            && (info->id_len == id->len
                || (info->id[id->len] == '#' && info->origin_len == id->len)))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_rtmp_route_pick_done(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_rtmp_route_hot_t  *hot;

    choice->single = ngx_rtmp_route_pick_single(sh, query, choice);

    if (ngx_rtmp_route_asks(query)) {
        return;
    }

    choice->last = ngx_rtmp_route_pick_last(sh, query, choice);

    hot = ngx_rtmp_route_hot(sh, choice->index);

    ngx_rtmp_route_server_in_use(hot, query->op);

    /* one try at a time of a server that has failed */

    if (hot->max_fails
        && hot->fails >= hot->max_fails
        && ngx_rtmp_route_passed(hot->checked)
           > (ngx_msec_int_t) hot->fail_timeout)
    {
        hot->checked = ngx_current_msec;
    }

    ngx_rtmp_route_cold(sh, choice->index)->selected++;
}


/* whether no other server could serve this, tried ones included */

static ngx_uint_t
ngx_rtmp_route_pick_single(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_uint_t               i, ntried;
    ngx_rtmp_route_choice_t  other;

    other = *choice;
    other.room = 0;
    ntried = query->ntried;
    query->ntried = 0;

    for (i = 0; i < sh->server_top; i++) {

        if (i != choice->index
            && ngx_rtmp_route_eligible(sh, query, &other, i,
                                       NGX_RTMP_ROUTE_FOR_NEW))
        {
            break;
        }
    }

    query->ntried = ntried;

    return i == sh->server_top;
}


/* whether the next pick would find nothing if this one fails */

static ngx_uint_t
ngx_rtmp_route_pick_last(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_uint_t                i, last;
    ngx_rtmp_route_tried_t   *tried;
    ngx_rtmp_route_choice_t   other;

    if (query->ntried >= NGX_RTMP_ROUTE_MAX_TRIED) {
        return 1;
    }

    other = *choice;
    other.room = 0;
    tried = &query->tried[query->ntried++];

    tried->server.index = (uint32_t) choice->index;
    tried->server.seq = ngx_rtmp_route_hot(sh, choice->index)->seq;
    tried->protocol = choice->protocol;
    tried->endpoint = choice->endpoint;

    if (choice->source == NGX_RTMP_ROUTE_FROM_PUBLISH) {

        last = !ngx_rtmp_route_eligible(sh, query, &other, choice->index,
                                        NGX_RTMP_ROUTE_FOR_LIVE);
        goto done;
    }

    last = 1;

    for (i = 0; i < sh->server_top; i++) {

        if (ngx_rtmp_route_eligible(sh, query, &other, i,
                                    NGX_RTMP_ROUTE_FOR_NEW))
        {
            last = 0;
            break;
        }
    }

done:

    query->ntried--;

    return last;
}


/* whether a server may be taken; if so it is put into choice */

ngx_uint_t
ngx_rtmp_route_eligible(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t i, ngx_uint_t purpose)
{
    ngx_rtmp_route_hot_t     *hot;
    ngx_rtmp_route_choice_t   other;

    hot = ngx_rtmp_route_hot(sh, i);

    if (!hot->valid) {
        return 0;
    }

    if (choice->forced && !(hot->flags & NGX_RTMP_ROUTE_SERVER_FORCED)) {
        return 0;
    }

    if (choice->nlisted
        && !ngx_rtmp_route_pick_is_listed(sh, query, choice, i))
    {
        return 0;
    }

    if (query->only
        && (query->server.index != i || query->server.seq != hot->seq))
    {
        return 0;
    }

    if ((hot->flags & NGX_RTMP_ROUTE_SERVER_GONE)
        && !ngx_rtmp_route_server_gone_for(query, purpose))
    {
        return 0;
    }

    if (purpose == NGX_RTMP_ROUTE_FOR_NEW) {

        if (hot->flags & (NGX_RTMP_ROUTE_SERVER_DOWN
                          |NGX_RTMP_ROUTE_SERVER_DRAIN))
        {
            return 0;
        }

        /* one that no longer registers keeps what it has */

        if (ngx_rtmp_route_server_expired(hot) && !hot->stale) {
            return 0;
        }
    }

    if (purpose != NGX_RTMP_ROUTE_FOR_LIVE
        && ((hot->flags & NGX_RTMP_ROUTE_SERVER_DOWN)
            || hot->health == NGX_RTMP_ROUTE_HEALTH_DOWN
            || (hot->health == NGX_RTMP_ROUTE_HEALTH_CHECKING
                && choice->mandatory)
            || ngx_rtmp_route_server_lapsed(hot)
            || ngx_rtmp_route_server_unavail(hot)))
    {
        return 0;
    }

    if (ngx_rtmp_route_pick_full(sh, query, choice, i, purpose)) {

        other = *choice;

        if (ngx_rtmp_route_endpoint(hot, query, i, &other)) {
            choice->full = 1;
        }

        return 0;
    }

    return ngx_rtmp_route_endpoint(hot, query, i, choice);
}


/* a stream that has its place on the server needs no other one */

static ngx_uint_t
ngx_rtmp_route_pick_full(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t i, ngx_uint_t purpose)
{
    uint32_t              *counter;
    ngx_rtmp_route_hot_t  *hot;

    hot = ngx_rtmp_route_hot(sh, i);

    if (hot->max_conns
        && hot->conns >= hot->max_conns
        && (choice->counted || purpose == NGX_RTMP_ROUTE_FOR_NEW))
    {
        return 1;
    }

    if (hot->max_streams == 0
        || (uint64_t) hot->streams + hot->pinned + hot->pending
           < hot->max_streams
        || purpose == NGX_RTMP_ROUTE_FOR_LIVE
        || (query->op != NGX_RTMP_ROUTE_PUBLISH
            && (!choice->room || purpose != NGX_RTMP_ROUTE_FOR_NEW)))
    {
        return 0;
    }

    if (choice->stream == 0) {
        return 1;
    }

    counter = ngx_rtmp_route_stream_counter(sh,
                                   ngx_rtmp_route_stream(sh, choice->stream));

    return counter != &hot->streams
           && counter != &hot->pinned
           && counter != &hot->pending;
}


/* the first endpoint of the protocol, or its alternative, not tried yet */

static ngx_uint_t
ngx_rtmp_route_endpoint(ngx_rtmp_route_hot_t *hot,
    ngx_rtmp_route_query_t *query, ngx_uint_t i,
    ngx_rtmp_route_choice_t *choice)
{
    ngx_uint_t               protocol, tried, mask, n;
    ngx_rtmp_route_tried_t  *t;

    protocol = query->protocol;

    if (protocol >= NGX_RTMP_ROUTE_NPROTO || hot->nendpoints[protocol] == 0) {

        protocol = query->alternative;

        if (protocol >= NGX_RTMP_ROUTE_NPROTO) {
            return 0;
        }
    }

    mask = 0;

    for (tried = 0; tried < query->ntried; tried++) {
        t = &query->tried[tried];

        if (t->server.index == i
            && t->server.seq == hot->seq
            && t->protocol == protocol
            && t->endpoint < NGX_RTMP_ROUTE_MAX_ENDPOINTS)
        {
            mask |= (ngx_uint_t) 1 << t->endpoint;
        }
    }

    for (n = 0; n < hot->nendpoints[protocol]; n++) {

        if (!(mask & ((ngx_uint_t) 1 << n))) {
            choice->index = i;
            choice->protocol = protocol;
            choice->endpoint = n;
            return 1;
        }
    }

    return 0;
}


/* another endpoint of the server that was tried last */

static ngx_int_t
ngx_rtmp_route_pick_again(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice)
{
    ngx_rtmp_route_ref_t  *ref;

    if (query->ntried == 0) {
        return NGX_ERROR;
    }

    ref = &query->tried[query->ntried - 1].server;

    if (ref->index >= sh->server_top
        || ngx_rtmp_route_hot(sh, ref->index)->seq != ref->seq
        || !ngx_rtmp_route_eligible(sh, query, choice, ref->index,
                                    NGX_RTMP_ROUTE_FOR_NEW))
    {
        return NGX_ERROR;
    }

    return ref->index;
}


void
ngx_rtmp_route_pick_copy(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_choice_t *choice, ngx_rtmp_route_peer_t *peer,
    ngx_rtmp_route_endpoint_t *endpoint)
{
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_server_info_t  *info;

    hot = ngx_rtmp_route_hot(sh, choice->index);
    info = &ngx_rtmp_route_cold(sh, choice->index)->info[hot->active];

    *endpoint = info->endpoints[choice->protocol][choice->endpoint];

    peer->server.index = (uint32_t) choice->index;
    peer->server.seq = hot->seq;
    peer->protocol = choice->protocol;
    peer->endpoint = choice->endpoint;
    peer->proxy_protocol = info->proxy_protocol;
    peer->source = choice->source;
    peer->conn = 0;
    peer->place = ngx_rtmp_route_server_where(info, endpoint);
    peer->known = choice->known;
    peer->guess = choice->guess;
    peer->single = choice->single;
    peer->last = choice->last;

    peer->id.len = info->id_len;
    peer->id.data = peer->id_buf;
    ngx_memcpy(peer->id_buf, info->id, info->id_len);

    peer->host.len = info->host_len;
    peer->host.data = peer->host_buf;
    ngx_memcpy(peer->host_buf, info->host, info->host_len);
}


void
ngx_rtmp_route_pick_name(ngx_rtmp_route_peer_t *peer,
    ngx_rtmp_route_endpoint_t *endpoint)
{
    peer->socklen = ngx_rtmp_route_endpoint_sockaddr(endpoint,
                                                     &peer->sockaddr);

    peer->name.data = peer->name_buf;
    peer->name.len = ngx_rtmp_route_endpoint_text(peer->name_buf,
                                peer->name_buf + sizeof(peer->name_buf),
                                endpoint, 0)
                     - peer->name_buf;
}


/* 0: no room, or this process has no slot */

static uint32_t
ngx_rtmp_route_pick_count(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_choice_t *choice, ngx_rtmp_route_endpoint_t *endpoint)
{
    uint32_t                        i;
    ngx_uint_t                      slot;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_session_cell_t  *s;

    sh = table->sh;
    slot = ngx_rtmp_route_slot();

    if (slot >= sh->nslots
        || ngx_rtmp_route_cells_reserve(table, 1) != NGX_OK)
    {
        return 0;
    }

    i = ngx_rtmp_route_cell_alloc(sh);
    if (i == 0) {
        return 0;
    }

    s = ngx_rtmp_route_session_cell(sh, i);

    ngx_memzero(s, offsetof(ngx_rtmp_route_session_cell_t, data));

    s->slot = (uint16_t) slot;
    s->generation = ngx_rtmp_route_slot_generation(slot);
    s->server = (uint16_t) choice->index;
    s->birth = ngx_rtmp_route_cold(sh, choice->index)->birth;
    s->upstream = *endpoint;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    s->type = NGX_RTMP_ROUTE_CELL_CONN;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_slot_add(sh, i, 0);
    sh->conns++;
    ngx_rtmp_route_point();

    (void) ngx_rtmp_route_server_conns(sh, choice->index, s->birth, 1);

    return i;
}


void
ngx_rtmp_route_table_report(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer,
    ngx_uint_t failed)
{
    ngx_uint_t                up, down;
    ngx_rtmp_route_hot_t     *hot;
    ngx_rtmp_route_shm_t     *sh;
    ngx_rtmp_route_tried_t   *tried;
    ngx_rtmp_route_choice_t   choice;

    sh = table->sh;
    up = 0;
    down = 0;

    if (failed && query->ntried < NGX_RTMP_ROUTE_MAX_TRIED) {
        tried = &query->tried[query->ntried++];

        tried->server = peer->server;
        tried->protocol = peer->protocol;
        tried->endpoint = peer->endpoint;
    }

    if (peer->server.index >= sh->nservers) {
        return;
    }

    ngx_rtmp_route_table_lock(table);

    hot = ngx_rtmp_route_hot(sh, peer->server.index);

    if (peer->server.index >= sh->server_top
        || !ngx_rtmp_route_server_is(sh, peer->server.index,
                                     peer->server.seq))
    {
        goto done;
    }

    if (!failed) {

        if (hot->max_fails && hot->fails >= hot->max_fails) {
            ngx_rtmp_route_health_recover(hot);
            table->wake = 1;
            up = 1;
        }

        hot->fails = 0;
        goto done;
    }

    ngx_rtmp_route_cold(sh, peer->server.index)->fails++;

    /* it has not failed before all of its endpoints have */

    if (hot->max_fails == 0
        || peer->single
        || ngx_rtmp_route_endpoint(hot, query, peer->server.index, &choice))
    {
        goto done;
    }

    if (hot->fails < hot->max_fails
        && ngx_rtmp_route_passed(hot->checked)
           > (ngx_msec_int_t) hot->fail_timeout)
    {
        hot->fails = 0;
    }

    hot->checked = ngx_current_msec;
    hot->fails++;

    if (hot->fails == hot->max_fails) {
        ngx_rtmp_route_cold(sh, peer->server.index)->unavail++;
        down = 1;
    }

done:

    if (up || down) {
        ngx_rtmp_route_health_note(table, peer->server.index);
    }

    ngx_rtmp_route_table_unlock(table);

    if (down) {
        ngx_log_error(NGX_LOG_WARN, table->log, 0,
                      "upstream server \"%V\" is unavailable for a while "
                      "after failed attempts%s", &peer->id,
                      table->shpool->log_ctx);
    }

    if (up) {
        ngx_log_error(NGX_LOG_NOTICE, table->log, 0,
                      "upstream server \"%V\" is available again%s",
                      &peer->id, table->shpool->log_ctx);
    }
}
