
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Where a pull gets its stream from: another worker, or a server that the
 * table names; one after another, until one has it; and again when it is
 * elsewhere.  A new one is there before the old one is left.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_rtmp_pull.h"


#define NGX_RTMP_ROUTE_PULL_FIRST   100      /* ms, between two looks */
#define NGX_RTMP_ROUTE_PULL_LAST    3000
#define NGX_RTMP_ROUTE_PULL_EMPTY   3000     /* without media, then another */
#define NGX_RTMP_ROUTE_PULL_HAVE    10000    /* ... it stays where it was */
#define NGX_RTMP_ROUTE_PULL_MOVE    5000     /* after a move that failed */
#define NGX_RTMP_ROUTE_PULL_WORKS   5000     /* after that it is a new start */
#define NGX_RTMP_ROUTE_PULL_EOF     2000     /* after an end without a begin */
#define NGX_RTMP_ROUTE_PULL_SILENT  10000    /* ... or without a word */


static ngx_uint_t ngx_rtmp_route_pull_ended(ngx_rtmp_route_pull_t *pull);
static ngx_uint_t ngx_rtmp_route_pull_elsewhere(
    ngx_rtmp_route_pull_try_t *try);
static ngx_rtmp_route_pull_try_t *ngx_rtmp_route_pull_try(
    ngx_rtmp_route_pull_t *pull);
static void ngx_rtmp_route_pull_drop(ngx_rtmp_route_pull_try_t *try);
static void ngx_rtmp_route_pull_free(ngx_rtmp_route_pull_try_t *try);
static ngx_int_t ngx_rtmp_route_pull_link(ngx_rtmp_route_pull_try_t *try);
static ngx_int_t ngx_rtmp_route_pull_choose(ngx_rtmp_route_pull_try_t *try);
static void ngx_rtmp_route_pull_chosen(ngx_rtmp_route_choice_t *choice,
    ngx_int_t rc);
static void ngx_rtmp_route_pull_told(ngx_rtmp_route_choice_t *choice,
    ngx_uint_t what);
static ngx_int_t ngx_rtmp_route_pull_open(ngx_rtmp_route_pull_try_t *try);
static void ngx_rtmp_route_pull_relay(ngx_rtmp_route_relay_t *relay,
    ngx_uint_t what);
static void ngx_rtmp_route_pull_ready(ngx_rtmp_route_pull_try_t *try);
static void ngx_rtmp_route_pull_closed(ngx_rtmp_route_pull_try_t *try);
static void ngx_rtmp_route_pull_failed(ngx_rtmp_route_pull_try_t *try,
    ngx_uint_t failed);
static void ngx_rtmp_route_pull_empty(ngx_event_t *ev);
static void ngx_rtmp_route_pull_again(ngx_rtmp_route_pull_t *pull);


void
ngx_rtmp_route_pull_look(ngx_rtmp_route_pull_t *pull)
{
    ngx_rtmp_route_pull_try_t  *try;

    if (pull->cur || pull->next || pull->retry.timer_set) {
        return;
    }

    try = ngx_rtmp_route_pull_try(pull);

    if (try == NULL) {
        ngx_rtmp_route_pull_again(pull);
        return;
    }

    pull->next = try;
    pull->moves = 0;

    if (ngx_rtmp_route_pull_link(try) == NGX_OK) {
        return;
    }

    if (ngx_rtmp_route_pull_choose(try) != NGX_OK) {
        ngx_rtmp_route_pull_drop(try);
        ngx_rtmp_route_pull_again(pull);
    }
}


void
ngx_rtmp_route_pull_follow(ngx_rtmp_route_pull_t *pull)
{
    ngx_rtmp_route_pull_try_t  *cur, *try;

    cur = pull->cur;

    if (cur == NULL) {

        if (pull->next && ngx_rtmp_route_pull_elsewhere(pull->next)) {
            ngx_rtmp_route_pull_drop(pull->next);
        }

        ngx_rtmp_route_pull_look(pull);
        return;
    }

    if (!cur->link && ngx_rtmp_route_pull_ended(pull)) {

        /* its publisher may be elsewhere by now, or come back */

        pull->moves = 0;

        if (pull->next) {
            ngx_rtmp_route_pull_drop(pull->next);
        }

        pull->cur = NULL;
        pull->next = cur;

        ngx_rtmp_route_pull_failed(cur, 0);
        return;
    }

    if (cur->link
        || pull->next
        || (ngx_msec_int_t) (ngx_current_msec - pull->move) < 0
        || !ngx_rtmp_route_choose_moved(&cur->choice))
    {
        return;
    }

    pull->move = ngx_current_msec + NGX_RTMP_ROUTE_PULL_MOVE;

    try = ngx_rtmp_route_pull_try(pull);

    if (try == NULL) {
        return;
    }

    pull->next = try;
    pull->moves = 1;

    if (ngx_rtmp_route_pull_choose(try) != NGX_OK) {
        ngx_rtmp_route_pull_drop(try);
    }
}


/* there are servers that keep players of what is published no longer */

static ngx_uint_t
ngx_rtmp_route_pull_ended(ngx_rtmp_route_pull_t *pull)
{
    ngx_msec_int_t       ms;
    ngx_rtmp_session_t  *s;

    s = pull->cur->relay.session;

    if (s == NULL) {
        return 0;
    }

    if (s->in_bytes != pull->bytes && !pull->eof) {
        pull->bytes = s->in_bytes;
        pull->last = ngx_current_msec;
        return 0;
    }

    ms = (ngx_msec_int_t) (ngx_current_msec - pull->last);

    return ms >= (pull->eof ? NGX_RTMP_ROUTE_PULL_EOF
                            : NGX_RTMP_ROUTE_PULL_SILENT);
}


/* what it waits for is, or may come, at another place by now */

static ngx_uint_t
ngx_rtmp_route_pull_elsewhere(ngx_rtmp_route_pull_try_t *try)
{
    ngx_int_t               rc;
    socklen_t               socklen;
    ngx_sockaddr_t          sockaddr;
    ngx_rtmp_route_pull_t  *pull;

    pull = try->pull;

    rc = ngx_rtmp_route_link_find(pull->port, &pull->app, &pull->node.str,
                                  !try->link
                                  || ngx_rtmp_route_pull_linked(pull),
                                  &sockaddr, &socklen);

    if (try->link) {
        return rc != NGX_OK
               || socklen != try->relay.socklen
               || ngx_memcmp(&sockaddr, &try->sockaddr, socklen) != 0;
    }

    return rc == NGX_OK || ngx_rtmp_route_choose_moved(&try->choice);
}


/*
 * Neither nginx-rtmp nor players are told of an end: the next publisher begins
 * in the middle of what they play
 */

void
ngx_rtmp_route_pull_hand_over(ngx_rtmp_route_pull_t *pull)
{
    ngx_flag_t                  idle_streams;
    ngx_rtmp_live_ctx_t        *lctx;
    ngx_rtmp_route_pull_try_t  *cur;

    cur = pull->cur;

    if (cur == NULL) {
        return;
    }

    lctx = NULL;

    if (cur->relay.session) {
        lctx = ngx_rtmp_get_module_ctx(cur->relay.session,
                                       ngx_rtmp_live_module);
    }

    if (lctx && lctx->stream && lctx->publishing) {
        lctx->active = 0;

        if (lctx->idle_evt.timer_set) {
            ngx_del_timer(&lctx->idle_evt);
        }
    }

    /* without a publisher players would be dropped */

    idle_streams = pull->lacf->idle_streams;
    pull->lacf->idle_streams = 1;

    ngx_rtmp_route_pull_drop(cur);

    pull->lacf->idle_streams = idle_streams;
}


void
ngx_rtmp_route_pull_stop(ngx_rtmp_route_pull_t *pull)
{
    if (pull->retry.timer_set) {
        ngx_del_timer(&pull->retry);
    }

    if (pull->next) {
        ngx_rtmp_route_pull_drop(pull->next);
    }

    if (pull->cur) {
        ngx_rtmp_route_pull_drop(pull->cur);
    }
}


static ngx_rtmp_route_pull_try_t *
ngx_rtmp_route_pull_try(ngx_rtmp_route_pull_t *pull)
{
    ngx_pool_t                 *pool;
    ngx_event_t                *ev;
    ngx_rtmp_route_relay_t     *relay;
    ngx_rtmp_route_choice_t    *choice;
    ngx_rtmp_route_pull_try_t  *try;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    try = ngx_pcalloc(pool, sizeof(ngx_rtmp_route_pull_try_t));
    if (try == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    try->pull = pull;
    try->pool = pool;

    ev = &try->timer;

    ev->handler = ngx_rtmp_route_pull_empty;
    ev->data = try;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    choice = &try->choice;

    choice->route = pull->racf->route;
    choice->op = NGX_RTMP_ROUTE_PLAY;
    choice->pool = pool;
    choice->log = ngx_cycle->log;
    choice->host = pull->host;
    choice->app = pull->app;
    choice->name = pull->node.str;
    choice->args = pull->args;
    choice->data = try;
    choice->handler = ngx_rtmp_route_pull_chosen;
    choice->event = ngx_rtmp_route_pull_told;

    relay = &try->relay;

    relay->type = NGX_RTMP_ROUTE_RELAY_PULL;
    relay->cctx = pull->cctx;
    relay->name = pull->node.str;
    relay->via = pull->via;
    relay->quiet = pull->failing;
    relay->data = try;
    relay->handler = ngx_rtmp_route_pull_relay;

    return try;
}


/* the relay first: it counts in what the choice has */

static void
ngx_rtmp_route_pull_drop(ngx_rtmp_route_pull_try_t *try)
{
    ngx_rtmp_route_relay_close(&try->relay);

    ngx_rtmp_route_pull_free(try);
}


static void
ngx_rtmp_route_pull_free(ngx_rtmp_route_pull_try_t *try)
{
    ngx_rtmp_route_pull_t  *pull;

    pull = try->pull;

    ngx_rtmp_route_choose_close(&try->choice);

    if (try->timer.timer_set) {
        ngx_del_timer(&try->timer);
    }

    if (pull->cur == try) {
        pull->cur = NULL;
    }

    if (pull->next == try) {
        pull->next = NULL;
    }

    ngx_destroy_pool(try->pool);
}


/*
 * Another worker that has it, or gets it for all; but what others play from
 * here has to come from a server, or a publisher
 */

static ngx_int_t
ngx_rtmp_route_pull_link(ngx_rtmp_route_pull_try_t *try)
{
    u_char                  *p;
    ngx_str_t               *path;
    ngx_rtmp_route_pull_t   *pull;
    ngx_rtmp_route_relay_t  *relay;

    pull = try->pull;
    relay = &try->relay;

    if (ngx_rtmp_route_link_find(pull->port, &pull->app, &pull->node.str,
                                 ngx_rtmp_route_pull_linked(pull),
                                 &try->sockaddr, &relay->socklen)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    relay->host = pull->host;
    relay->app = pull->app;
    relay->path = pull->node.str;

    if (pull->args.len) {
        path = &relay->path;
        path->len = pull->node.str.len + 1 + pull->args.len;

        p = ngx_pnalloc(try->pool, path->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        path->data = p;
        p = ngx_cpymem(p, pull->node.str.data, pull->node.str.len);
        *p++ = '?';
        ngx_memcpy(p, pull->args.data, pull->args.len);
    }

    relay->sockaddr = &try->sockaddr.sockaddr;
    ngx_str_set(&relay->addr, "worker");
    relay->quiet = 1;
    relay->link = 1;

    try->link = 1;

    if (ngx_rtmp_route_relay_open(relay) == NGX_OK) {
        return NGX_OK;
    }

    ngx_rtmp_route_link_failed(&try->sockaddr);

    relay->quiet = pull->failing;
    relay->link = 0;
    try->link = 0;

    return NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_pull_choose(ngx_rtmp_route_pull_try_t *try)
{
    return ngx_rtmp_route_choose(&try->choice);
}


static void
ngx_rtmp_route_pull_chosen(ngx_rtmp_route_choice_t *choice, ngx_int_t rc)
{
    ngx_uint_t                  tried, level;
    ngx_rtmp_route_ref_t       *one, *two;
    ngx_rtmp_route_pull_t      *pull;
    ngx_rtmp_route_pull_try_t  *try;

    try = choice->data;
    pull = try->pull;

    if (rc == NGX_OK && pull->cur && !pull->cur->link) {
        one = &choice->peer.server;
        two = &pull->cur->choice.peer.server;

        if (one->index == two->index && one->seq == two->seq) {
            rc = NGX_BUSY;
        }
    }

    if (rc == NGX_OK) {

        if (ngx_rtmp_route_pull_open(try) != NGX_OK) {
            ngx_rtmp_route_pull_failed(try, 1);
        }

        return;
    }

    tried = choice->query.ntried;

    ngx_rtmp_route_pull_drop(try);

    if (pull->cur) {
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_rtmp_route_pull_missing(pull);
        return;
    }

    if (!pull->failing) {
        pull->failing = 1;

        level = tried ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, ngx_cycle->log, 0,
                      tried ? "no server of rtmp_route \"%V\" has a stream "
                              "that is played"
                            : "no live server of rtmp_route \"%V\" for a "
                              "stream that is played",
                      ngx_rtmp_route_name(pull->racf->route));
    }

    ngx_rtmp_route_pull_again(pull);
}


/* its server is down: what comes goes on until there is another one */

static void
ngx_rtmp_route_pull_told(ngx_rtmp_route_choice_t *choice, ngx_uint_t what)
{
    ngx_rtmp_route_pull_t      *pull;
    ngx_rtmp_route_pull_try_t  *try;

    try = choice->data;
    pull = try->pull;

    if (what == NGX_RTMP_ROUTE_E_LOST) {

        if (pull->next == try) {
            ngx_rtmp_route_pull_failed(try, 1);

        } else if (pull->next == NULL) {

            pull->next = ngx_rtmp_route_pull_try(pull);
            pull->moves = 1;

            if (pull->next
                && ngx_rtmp_route_pull_choose(pull->next) != NGX_OK)
            {
                ngx_rtmp_route_pull_drop(pull->next);
            }
        }

        return;
    }

    /* the operator has ended it; players who are still there want it again */

    ngx_rtmp_route_pull_drop(try);

    if (pull->cur == NULL) {
        pull->backoff = NGX_RTMP_ROUTE_PULL_LAST;
        ngx_rtmp_route_pull_again(pull);
    }
}


static ngx_int_t
ngx_rtmp_route_pull_open(ngx_rtmp_route_pull_try_t *try)
{
    ngx_rtmp_route_peer_t    *peer;
    ngx_rtmp_route_relay_t   *relay;
    ngx_rtmp_route_choice_t  *choice;

    relay = &try->relay;
    choice = &try->choice;
    peer = &choice->peer;

    relay->sockaddr = &peer->sockaddr.sockaddr;
    relay->socklen = peer->socklen;
    relay->addr = peer->name;
    relay->host = peer->host;
    relay->proxy_protocol = peer->proxy_protocol;
    relay->app = choice->to_app;
    relay->path = choice->to_path;
    relay->in = choice->session.in;
    relay->out = choice->session.out;
    relay->active = choice->session.active;

    try->refused = 0;
    try->missing = 0;

    if (ngx_rtmp_route_relay_open(relay) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a server of streams that are not there yet says nothing of it */

    if (try->pull->moves) {
        ngx_add_timer(&try->timer, NGX_RTMP_ROUTE_PULL_HAVE);

    } else if (peer->guess && !peer->single) {
        ngx_add_timer(&try->timer, NGX_RTMP_ROUTE_PULL_EMPTY);
    }

    return NGX_OK;
}


static void
ngx_rtmp_route_pull_relay(ngx_rtmp_route_relay_t *relay, ngx_uint_t what)
{
    ngx_rtmp_route_pull_try_t  *try;

    static ngx_str_t  code = ngx_string("NetStream.Play.StreamNotFound");

    try = relay->data;

    switch (what) {

    case NGX_RTMP_ROUTE_RELAY_READY:
        ngx_rtmp_route_pull_ready(try);
        break;

    case NGX_RTMP_ROUTE_RELAY_REFUSED:
        try->refused = 1;
        try->missing = (relay->reason.len == code.len
                        && ngx_strncmp(relay->reason.data, code.data, code.len)
                           == 0);
        break;

    case NGX_RTMP_ROUTE_RELAY_LOOP:
        try->refused = 1;
        break;

    default: /* NGX_RTMP_ROUTE_RELAY_CLOSED */
        ngx_rtmp_route_pull_closed(try);
    }
}


/* after this it is published here */

static void
ngx_rtmp_route_pull_ready(ngx_rtmp_route_pull_try_t *try)
{
    ngx_rtmp_route_pull_t  *pull;

    pull = try->pull;

    if (try->timer.timer_set) {
        ngx_del_timer(&try->timer);
    }

    if (pull->cur == NULL && pull->stream && pull->stream->publishing) {

        /* nginx-rtmp would refuse it, and somebody is better than a copy */

        ngx_rtmp_route_pull_drop(try);
        ngx_rtmp_route_pull_done(pull);
        return;
    }

    ngx_rtmp_route_pull_hand_over(pull);

    pull->cur = try;
    pull->next = NULL;
    pull->move = ngx_current_msec;
    pull->last = ngx_current_msec;
    pull->eof = 0;
    pull->failing = 0;

    /* there are servers that close soon after some media */

    if (pull->since == 0
        || ngx_current_msec - pull->since >= NGX_RTMP_ROUTE_PULL_WORKS)
    {
        pull->backoff = 0;
    }

    pull->since = ngx_current_msec;

    if (!try->link) {
        ngx_rtmp_route_choose_works(&try->choice);
    }

    ngx_rtmp_route_pull_go(pull);
}


static void
ngx_rtmp_route_pull_closed(ngx_rtmp_route_pull_try_t *try)
{
    ngx_rtmp_route_pull_t  *pull;

    pull = try->pull;

    if (try == pull->cur) {
        pull->failing = 1;

        ngx_rtmp_route_pull_free(try);

        /* one that is on its way there is as good */

        if (pull->next == NULL) {
            ngx_rtmp_route_pull_again(pull);
        }

        return;
    }

    if (!try->link) {
        ngx_rtmp_route_pull_failed(try, !try->refused);
        return;
    }

    if (!try->refused) {
        ngx_rtmp_route_link_failed(&try->sockaddr);
    }

    if (try->missing) {
        ngx_rtmp_route_pull_free(try);
        ngx_rtmp_route_pull_missing(pull);
        return;
    }

    ngx_rtmp_route_pull_free(try);
    ngx_rtmp_route_pull_again(pull);
}


/* that server is out of the question: another one; but a move has ended */

static void
ngx_rtmp_route_pull_failed(ngx_rtmp_route_pull_try_t *try, ngx_uint_t failed)
{
    ngx_rtmp_route_pull_t  *pull;

    pull = try->pull;

    ngx_rtmp_route_relay_close(&try->relay);

    if (try->timer.timer_set) {
        ngx_del_timer(&try->timer);
    }

    if (!pull->moves
        && ngx_rtmp_route_choose_next(&try->choice, failed) == NGX_OK)
    {
        return;
    }

    ngx_rtmp_route_pull_free(try);

    if (pull->cur == NULL) {
        ngx_rtmp_route_pull_again(pull);
    }
}


static void
ngx_rtmp_route_pull_empty(ngx_event_t *ev)
{
    ngx_rtmp_route_pull_try_t  *try;

    try = ev->data;

    ngx_rtmp_route_pull_failed(try, 0);
}


static void
ngx_rtmp_route_pull_again(ngx_rtmp_route_pull_t *pull)
{
    ngx_msec_t  ms;

    if (pull->retry.timer_set) {
        return;
    }

    ms = pull->backoff ? pull->backoff : NGX_RTMP_ROUTE_PULL_FIRST;

    pull->backoff = ngx_min(ms * 2, NGX_RTMP_ROUTE_PULL_LAST);

    ngx_add_timer(&pull->retry, ms + (ngx_msec_t) ngx_random() % (ms / 4 + 1));
}
