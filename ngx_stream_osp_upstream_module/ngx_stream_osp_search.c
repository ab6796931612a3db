
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A stream to be played that is not where it was likely to be.  The next
 * servers are asked; who is refused while that goes on follows the result, and
 * that a stream is nowhere is known for a moment.  The result is shared only
 * between sessions which their own server has refused: nobody is kept from a
 * stream by what others were told.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_rtmp_route_table.h"


/* servers that are asked for a stream which the first one has not */
#define NGX_STREAM_OSP_SEARCH        2

/* how long, in ms, and of how many streams it is known that they are nowhere */
#define NGX_STREAM_OSP_NOWHERE_TIME  1000
#define NGX_STREAM_OSP_NOWHERE_MAX   256

#define NGX_STREAM_OSP_SEARCH_TEXT   256

#define NGX_STREAM_OSP_SEARCH_KEY    (sizeof(ngx_rtmp_route_t *)              \
                                      + sizeof(uint32_t)                      \
                                      + NGX_RTMP_ROUTE_KEY_LEN)


typedef enum {
    ngx_stream_osp_search_alone = 0,     /* by itself from now on */
    ngx_stream_osp_search_found,
    ngx_stream_osp_search_nowhere
} ngx_stream_osp_search_result_e;


struct ngx_stream_osp_search_s {
    ngx_str_node_t             sn;       /* route and key */
    ngx_queue_t                queue;    /* of those that are nowhere */
    ngx_queue_t                waiters;
    ngx_stream_osp_session_t  *leader;   /* NULL: it is nowhere */
    ngx_msec_t                 time;
};


static void ngx_stream_osp_search_save(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info);
static void ngx_stream_osp_search_tried(ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer);
static void ngx_stream_osp_search_wait(ngx_stream_osp_session_t *os,
    ngx_stream_osp_search_t *search);
static void ngx_stream_osp_search_wake(ngx_stream_osp_session_t *os,
    ngx_stream_osp_search_result_e result);
static void ngx_stream_osp_search_handler(ngx_event_t *ev);
static void ngx_stream_osp_search_go(ngx_stream_osp_session_t *os);
static ngx_stream_osp_search_t *ngx_stream_osp_search_find(
    ngx_stream_osp_session_t *os);
static void ngx_stream_osp_search_lead(ngx_stream_osp_session_t *os);
static void ngx_stream_osp_search_end(ngx_stream_osp_session_t *os,
    ngx_stream_osp_search_result_e result);
static void ngx_stream_osp_search_free(ngx_stream_osp_search_t *search);
static size_t ngx_stream_osp_search_key(ngx_stream_osp_session_t *os,
    u_char *buf);


/* of the worker */

static ngx_rbtree_t       ngx_stream_osp_searches;
static ngx_rbtree_node_t  ngx_stream_osp_search_sentinel;
static ngx_queue_t        ngx_stream_osp_nowhere;
static ngx_uint_t         ngx_stream_osp_nnowhere;


/*
 * The server has refused to play the stream, with info, or by a close.
 * NGX_OK: the session has moved on; NGX_DECLINED: it is the answer.
 */

ngx_int_t
ngx_stream_osp_search(ngx_stream_osp_session_t *os, ngx_osp_rtmp_info_t *info)
{
    ngx_uint_t                  missing, last;
    ngx_rtmp_route_query_t      query;
    ngx_stream_osp_setup_t     *setup;
    ngx_stream_osp_search_t    *search;
    ngx_stream_osp_srv_conf_t  *conf;

    setup = os->setup;
    conf = os->conf;

    if (os->moving
        || os->name.op != NGX_RTMP_ROUTE_PLAY
        || !setup->peer.guess
        || !conf->next_upstream
        || !ngx_osp_rtmp_track_idle(setup->track))
    {
        return NGX_DECLINED;
    }

    missing = ngx_stream_osp_search_missing(info);
    search = NULL;

    query = setup->query;
    query.search = 1;

    ngx_stream_osp_search_tried(&query, &setup->peer);

    last = setup->missing == NGX_STREAM_OSP_SEARCH
           || query.ntried == NGX_RTMP_ROUTE_MAX_TRIED
           || (conf->next_upstream_tries
               && setup->tries + 1 >= conf->next_upstream_tries);

    if (setup->missing == 0) {

        if (last) {
            return NGX_DECLINED;
        }

        search = ngx_stream_osp_search_find(os);

        if (search && search->leader == NULL) {
            return NGX_DECLINED;
        }
    }

    if (search == NULL
        && (last
            || ngx_rtmp_route_session_next(&os->rs, &query, &setup->peer)
               != NGX_OK))
    {
        if (setup->missing == 0) {
            return NGX_DECLINED;
        }

        setup->unclear |= !missing;

        ngx_stream_osp_search_failed(os);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, os->origin->log, 0,
                  "stream is not on this server, %s",
                  search ? "waiting for a search" : "asking another one");

    if (setup->missing == 0) {
        ngx_stream_osp_search_save(os, info);
    }

    setup->query = query;
    setup->unclear |= !missing;
    setup->missing++;
    setup->tries++;
    setup->step = 0;

    ngx_stream_osp_origin_close(os);

    if (search) {
        ngx_stream_osp_search_wait(os, search);
        return NGX_OK;
    }

    if (setup->missing == 1) {
        ngx_stream_osp_search_lead(os);
    }

    ngx_stream_osp_connect(os);

    return NGX_OK;
}


/* whether it says that there is no such stream, whoever asks */

ngx_uint_t
ngx_stream_osp_search_missing(ngx_osp_rtmp_info_t *info)
{
    static ngx_str_t  code = ngx_string("NetStream.Play.StreamNotFound");

    return info
           && info->code.len == code.len
           && ngx_strncmp(info->code.data, code.data, code.len) == 0;
}


/* what the first one has said is what the client hears if nobody has it */

static void
ngx_stream_osp_search_save(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info)
{
    u_char                  *p;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    ngx_str_set(&setup->refusal_code, "NetStream.Play.StreamNotFound");
    ngx_str_set(&setup->refusal, "stream not found");

    if (info == NULL
        || info->code.len == 0
        || info->code.len > NGX_STREAM_OSP_SEARCH_TEXT)
    {
        return;
    }

    p = ngx_pnalloc(os->pool, info->code.len + 1);
    if (p == NULL) {
        return;
    }

    setup->refusal_code.data = p;
    setup->refusal_code.len = info->code.len;

    p = ngx_cpymem(p, info->code.data, info->code.len);
    *p = '\0';

    if (info->description.len) {
        (void) ngx_stream_osp_name_copy(os->pool, &setup->refusal,
                                        &info->description,
                                        NGX_STREAM_OSP_SEARCH_TEXT);
    }
}


/* all its ports: the others would say the same */

static void
ngx_stream_osp_search_tried(ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_uint_t               i;
    ngx_rtmp_route_tried_t  *tried;

    for (i = 0; i < NGX_RTMP_ROUTE_MAX_ENDPOINTS; i++) {

        if (query->ntried == NGX_RTMP_ROUTE_MAX_TRIED) {
            return;
        }

        tried = &query->tried[query->ntried++];

        tried->server = peer->server;
        tried->protocol = peer->protocol;
        tried->endpoint = i;
    }
}


/* there is an end: a leader may have a client that is slow to read */

static void
ngx_stream_osp_search_wait(ngx_stream_osp_session_t *os,
    ngx_stream_osp_search_t *search)
{
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    setup->phase = ngx_stream_osp_searching;
    c->log->action = "waiting for a search";

    if (ngx_stream_osp_watch(os) != NGX_OK) {
        return;
    }

    setup->search = search;
    setup->search_event.handler = ngx_stream_osp_search_handler;
    setup->search_event.data = os;
    setup->search_event.log = c->log;

    ngx_queue_insert_tail(&search->waiters, &setup->search_queue);

    ngx_add_timer(c->read, os->conf->connect_timeout);
}


static void
ngx_stream_osp_search_wake(ngx_stream_osp_session_t *os,
    ngx_stream_osp_search_result_e result)
{
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    ngx_queue_remove(&setup->search_queue);
    setup->search = NULL;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    setup->nowhere = (result == ngx_stream_osp_search_nowhere);

    ngx_post_event(&setup->search_event, &ngx_posted_events);
}


static void
ngx_stream_osp_search_handler(ngx_event_t *ev)
{
    ngx_stream_osp_session_t  *os;

    os = ev->data;

    if (os->setup->nowhere) {
        ngx_stream_osp_search_failed(os);
        return;
    }

    ngx_stream_osp_search_go(os);
}


/* it has waited long enough */

void
ngx_stream_osp_search_timeout(ngx_stream_osp_session_t *os)
{
    ngx_queue_remove(&os->setup->search_queue);
    os->setup->search = NULL;

    ngx_stream_osp_search_go(os);
}


static void
ngx_stream_osp_search_go(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (ngx_rtmp_route_session_next(&os->rs, &setup->query, &setup->peer)
        != NGX_OK)
    {
        ngx_stream_osp_search_failed(os);
        return;
    }

    ngx_stream_osp_connect(os);
}


/* another server than the first one plays it */

void
ngx_stream_osp_search_done(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (!setup->begun) {
        ngx_stream_osp_search_end(os, ngx_stream_osp_search_alone);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                  "stream was found on server \"%V\" of route \"%V\"",
                  &setup->peer.id, ngx_rtmp_route_name(setup->route));

    ngx_rtmp_route_found(setup->route, &setup->query, &setup->peer);

    ngx_stream_osp_search_end(os, ngx_stream_osp_search_found);
}


/* nobody has it */

void
ngx_stream_osp_search_failed(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                  "client refused, the stream was not found");

    ngx_stream_osp_search_end(os, setup->unclear
                                  ? ngx_stream_osp_search_alone
                                  : ngx_stream_osp_search_nowhere);

    ngx_stream_osp_refuse(os, NGX_STREAM_FORBIDDEN, NGX_STREAM_OSP_REFUSED,
                          (char *) setup->refusal_code.data, &setup->refusal);
}


static ngx_stream_osp_search_t *
ngx_stream_osp_search_find(ngx_stream_osp_session_t *os)
{
    ngx_str_t                 key;
    ngx_stream_osp_search_t  *search;
    u_char                    buf[NGX_STREAM_OSP_SEARCH_KEY];

    if (ngx_stream_osp_searches.root == NULL) {
        return NULL;
    }

    key.data = buf;
    key.len = ngx_stream_osp_search_key(os, buf);

    search = (ngx_stream_osp_search_t *)
                 ngx_str_rbtree_lookup(&ngx_stream_osp_searches, &key,
                                       ngx_crc32_short(key.data, key.len));

    if (search
        && search->leader == NULL
        && ngx_current_msec - search->time > NGX_STREAM_OSP_NOWHERE_TIME)
    {
        ngx_stream_osp_search_free(search);
        return NULL;
    }

    return search;
}


/* without memory it searches for itself */

static void
ngx_stream_osp_search_lead(ngx_stream_osp_session_t *os)
{
    u_char                   *p;
    ngx_stream_osp_search_t  *search;

    if (ngx_stream_osp_searches.root == NULL) {
        ngx_rbtree_init(&ngx_stream_osp_searches,
                        &ngx_stream_osp_search_sentinel,
                        ngx_str_rbtree_insert_value);
        ngx_queue_init(&ngx_stream_osp_nowhere);
    }

    search = ngx_alloc(sizeof(ngx_stream_osp_search_t)
                       + NGX_STREAM_OSP_SEARCH_KEY,
                       os->session->connection->log);
    if (search == NULL) {
        return;
    }

    p = (u_char *) search + sizeof(ngx_stream_osp_search_t);

    search->sn.str.data = p;
    search->sn.str.len = ngx_stream_osp_search_key(os, p);
    search->sn.node.key = ngx_crc32_short(p, search->sn.str.len);
    search->leader = os;

    ngx_queue_init(&search->waiters);

    ngx_rbtree_insert(&ngx_stream_osp_searches, &search->sn.node);

    os->setup->search = search;
}


/* tells those who wait; harmless if this one is not the leader */

static void
ngx_stream_osp_search_end(ngx_stream_osp_session_t *os,
    ngx_stream_osp_search_result_e result)
{
    ngx_queue_t              *q;
    ngx_stream_osp_setup_t   *setup, *waiter;
    ngx_stream_osp_search_t  *search;

    setup = os->setup;
    search = setup->search;

    if (search == NULL || search->leader != os) {
        return;
    }

    setup->search = NULL;

    while (!ngx_queue_empty(&search->waiters)) {
        q = ngx_queue_head(&search->waiters);
        waiter = ngx_queue_data(q, ngx_stream_osp_setup_t, search_queue);

        ngx_stream_osp_search_wake(waiter->search_event.data, result);
    }

    if (result != ngx_stream_osp_search_nowhere) {
        ngx_stream_osp_search_free(search);
        return;
    }

    if (ngx_stream_osp_nnowhere == NGX_STREAM_OSP_NOWHERE_MAX) {
        q = ngx_queue_head(&ngx_stream_osp_nowhere);
        ngx_stream_osp_search_free(ngx_queue_data(q, ngx_stream_osp_search_t,
                                                  queue));
    }

    search->leader = NULL;
    search->time = ngx_current_msec;

    ngx_queue_insert_tail(&ngx_stream_osp_nowhere, &search->queue);
    ngx_stream_osp_nnowhere++;
}


/* the set-up has ended, somehow: if it was the leader, another one goes on */

void
ngx_stream_osp_search_leave(ngx_stream_osp_session_t *os)
{
    ngx_queue_t              *q;
    ngx_stream_osp_setup_t   *setup, *waiter;
    ngx_stream_osp_search_t  *search;

    setup = os->setup;
    search = setup->search;

    if (setup->search_event.posted) {
        ngx_delete_posted_event(&setup->search_event);
    }

    if (search == NULL) {
        return;
    }

    setup->search = NULL;

    if (search->leader != os) {
        ngx_queue_remove(&setup->search_queue);
        return;
    }

    if (ngx_queue_empty(&search->waiters)) {
        ngx_stream_osp_search_free(search);
        return;
    }

    q = ngx_queue_head(&search->waiters);
    waiter = ngx_queue_data(q, ngx_stream_osp_setup_t, search_queue);

    search->leader = waiter->search_event.data;

    ngx_stream_osp_search_wake(search->leader, ngx_stream_osp_search_alone);

    waiter->search = search;
}


static void
ngx_stream_osp_search_free(ngx_stream_osp_search_t *search)
{
    ngx_rbtree_delete(&ngx_stream_osp_searches, &search->sn.node);

    if (search->leader == NULL) {
        ngx_queue_remove(&search->queue);
        ngx_stream_osp_nnowhere--;
    }

    ngx_free(search);
}


static size_t
ngx_stream_osp_search_key(ngx_stream_osp_session_t *os, u_char *buf)
{
    u_char      *p;
    uint32_t     hash;
    ngx_str_t   *key;

    key = &os->setup->query.key;
    hash = ngx_stream_osp_path_hash(os);

    p = ngx_cpymem(buf, &os->setup->route, sizeof(ngx_rtmp_route_t *));
    p = ngx_cpymem(p, &hash, sizeof(uint32_t));
    p = ngx_cpymem(p, key->data, ngx_min(key->len, NGX_RTMP_ROUTE_KEY_LEN));

    return p - buf;
}


void
ngx_stream_osp_search_exit(ngx_cycle_t *cycle)
{
    ngx_queue_t  *q;

    while (ngx_stream_osp_nnowhere) {
        q = ngx_queue_head(&ngx_stream_osp_nowhere);
        ngx_stream_osp_search_free(ngx_queue_data(q, ngx_stream_osp_search_t,
                                                  queue));
    }
}
