
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What this worker remembers of servers: whether one takes the whole set-up
 * in one write, and its TLS session.  A table with one place for each hash,
 * so it is small and needs no cleaning; to forget costs one round trip.  And
 * what a session remembers of those that it has tried.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


#define NGX_STREAM_OSP_PEERS       256
#define NGX_STREAM_OSP_PEER_VALID  300    /* seconds */

/* attempts that are kept */

#define NGX_STREAM_OSP_STATES      64


typedef struct {
    ngx_str_t  name;
    ngx_str_t  id;
} ngx_stream_osp_upstream_t;


static ngx_stream_osp_peer_t *ngx_stream_osp_peer_place(
    ngx_stream_osp_session_t *os, ngx_uint_t create);
static ngx_stream_osp_upstream_t *ngx_stream_osp_peer_upstream(
    ngx_stream_osp_session_t *os, ngx_array_t *states);


static ngx_stream_osp_peer_t  ngx_stream_osp_peers[NGX_STREAM_OSP_PEERS];


ngx_stream_osp_peer_t *
ngx_stream_osp_peer_find(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_peer_t  *peer;

    peer = ngx_stream_osp_peer_place(os, 0);

    if (peer == NULL || !peer->known || peer->expires < ngx_time()) {
        return NULL;
    }

    return peer;
}


void
ngx_stream_osp_peer_set(ngx_stream_osp_session_t *os, ngx_uint_t step)
{
    ngx_stream_osp_peer_t  *peer;

    peer = ngx_stream_osp_peer_place(os, 1);

    if (peer == NULL) {
        return;
    }

    peer->known = 1;
    peer->step = step ? 1 : 0;
    peer->expires = ngx_time() + NGX_STREAM_OSP_PEER_VALID;
}


#if (NGX_SSL)

ngx_int_t
ngx_stream_osp_peer_set_ssl_session(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_peer_t  *peer;

    peer = ngx_stream_osp_peer_place(os, 0);

    if (peer == NULL || peer->ssl_session == NULL) {
        return NGX_OK;
    }

    return ngx_ssl_set_session(os->origin, peer->ssl_session);
}


void
ngx_stream_osp_peer_save_ssl_session(ngx_connection_t *c)
{
    ngx_ssl_session_t         *session;
    ngx_stream_session_t      *s;
    ngx_stream_osp_peer_t     *peer;
    ngx_stream_osp_session_t  *os;

    s = c->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    session = ngx_ssl_get_session(c);

    if (session == NULL) {
        return;
    }

    peer = ngx_stream_osp_peer_place(os, 1);

    if (peer == NULL) {
        ngx_ssl_free_session(session);
        return;
    }

    if (peer->ssl_session) {
        ngx_ssl_free_session(peer->ssl_session);
    }

    peer->ssl_session = session;
}

#endif


static ngx_stream_osp_peer_t *
ngx_stream_osp_peer_place(ngx_stream_osp_session_t *os, ngx_uint_t create)
{
    uint32_t                hash;
    ngx_str_t              *name;
    ngx_stream_osp_peer_t  *peer;

    name = os->upstream;

    if (name == NULL || name->len > NGX_SOCKADDR_STRLEN) {
        return NULL;
    }

    hash = ngx_crc32_short(name->data, name->len);

    peer = &ngx_stream_osp_peers[hash % NGX_STREAM_OSP_PEERS];

    if (peer->conf == os->conf
        && peer->len == name->len
        && ngx_memcmp(peer->name, name->data, name->len) == 0)
    {
        return peer;
    }

    if (!create) {
        return NULL;
    }

#if (NGX_SSL)

    if (peer->ssl_session) {
        ngx_ssl_free_session(peer->ssl_session);
    }

#endif

    ngx_memzero(peer, sizeof(ngx_stream_osp_peer_t));

    peer->conf = os->conf;
    peer->len = (u_char) name->len;
    ngx_memcpy(peer->name, name->data, name->len);

    return peer;
}


/*
 * What variables show of this attempt.  A session may be moved for days: of
 * many attempts the first one is kept, and the last ones.
 */

ngx_int_t
ngx_stream_osp_peer_attempt(ngx_stream_osp_session_t *os)
{
    ngx_array_t                  *states;
    ngx_stream_osp_upstream_t    *upstream;
    ngx_stream_upstream_state_t  *state;

    states = os->session->upstream_states;

    upstream = ngx_stream_osp_peer_upstream(os, states);
    if (upstream == NULL) {
        return NGX_ERROR;
    }

    if (states->nelts == NGX_STREAM_OSP_STATES) {
        state = states->elts;

        ngx_memmove(&state[1], &state[2],
                    (states->nelts - 2) * sizeof(ngx_stream_upstream_state_t));
        states->nelts--;
    }

    state = ngx_array_push(states);
    if (state == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(state, sizeof(ngx_stream_upstream_state_t));

    state->peer = &upstream->name;
    state->connect_time = (ngx_msec_t) -1;
    state->first_byte_time = (ngx_msec_t) -1;
    state->response_time = (ngx_msec_t) -1;

    os->upstream = &upstream->name;
    os->server = upstream->id;
    os->state = state;
    os->start = ngx_current_msec;
    os->received = 0;

    return NGX_OK;
}


/* that of another attempt, if it was the same server */

static ngx_stream_osp_upstream_t *
ngx_stream_osp_peer_upstream(ngx_stream_osp_session_t *os,
    ngx_array_t *states)
{
    u_char                       *p;
    ngx_uint_t                    i;
    ngx_rtmp_route_peer_t        *peer;
    ngx_stream_osp_upstream_t    *upstream;
    ngx_stream_upstream_state_t  *state;

    peer = &os->setup->peer;
    state = states->elts;

    for (i = states->nelts; i; i--) {

        upstream = (ngx_stream_osp_upstream_t *) state[i - 1].peer;

        if (upstream->name.len == peer->name.len
            && ngx_memcmp(upstream->name.data, peer->name.data,
                          peer->name.len)
               == 0
            && upstream->id.len == peer->id.len
            && ngx_memcmp(upstream->id.data, peer->id.data, peer->id.len) == 0)
        {
            return upstream;
        }
    }

    upstream = ngx_palloc(os->session->connection->pool,
                          sizeof(ngx_stream_osp_upstream_t)
                          + peer->name.len + peer->id.len);
    if (upstream == NULL) {
        return NULL;
    }

    p = (u_char *) upstream + sizeof(ngx_stream_osp_upstream_t);

    upstream->name.len = peer->name.len;
    upstream->name.data = p;

    p = ngx_cpymem(p, peer->name.data, peer->name.len);

    upstream->id.len = peer->id.len;
    upstream->id.data = p;

    ngx_memcpy(p, peer->id.data, peer->id.len);

    return upstream;
}


void
ngx_stream_osp_peers_exit(ngx_cycle_t *cycle)
{
#if (NGX_SSL)

    ngx_uint_t  i;

    for (i = 0; i < NGX_STREAM_OSP_PEERS; i++) {

        if (ngx_stream_osp_peers[i].ssl_session) {
            ngx_ssl_free_session(ngx_stream_osp_peers[i].ssl_session);
            ngx_stream_osp_peers[i].ssl_session = NULL;
        }
    }

#endif
}
