
/*
 * Copyright (C) The nginx-osp authors
 */


/* Where a stream of nginx-rtmp comes from, or goes to: the table is asked. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_rtmp_relay.h"


/* a server that has failed is asked again, if the table still names it */

#define NGX_RTMP_ROUTE_CHOOSE_AGAIN   5000

/* one that was silent for so long may be replaced */

#define NGX_RTMP_ROUTE_CHOOSE_SILENT  3000


static ngx_int_t ngx_rtmp_route_choose_name(ngx_rtmp_route_choice_t *choice);
static ngx_int_t ngx_rtmp_route_choose_map(ngx_rtmp_route_choice_t *choice,
    ngx_rtmp_route_name_t *name);
static ngx_int_t ngx_rtmp_route_choose_split(ngx_rtmp_route_choice_t *choice,
    ngx_str_t *to, ngx_uint_t parts);
static ngx_uint_t ngx_rtmp_route_choose_parts(ngx_str_t *path);
static ngx_int_t ngx_rtmp_route_choose_join(ngx_rtmp_route_choice_t *choice,
    ngx_str_t *name, ngx_uint_t args, ngx_str_t *path);
static ngx_uint_t ngx_rtmp_route_choose_banned(
    ngx_rtmp_route_choice_t *choice);
static void ngx_rtmp_route_choose_ask(ngx_rtmp_route_choice_t *choice);
static void ngx_rtmp_route_choose_done(ngx_rtmp_route_choice_t *choice,
    ngx_int_t rc);
static void ngx_rtmp_route_choose_wait_handler(ngx_rtmp_route_wait_t *wait);
static void ngx_rtmp_route_choose_handler(ngx_event_t *ev);
static void ngx_rtmp_route_choose_event(ngx_rtmp_route_session_t *session,
    ngx_uint_t what);
static void ngx_rtmp_route_choose_tried(ngx_rtmp_route_choice_t *choice);
static void ngx_rtmp_route_choose_stop(ngx_rtmp_route_choice_t *choice);


ngx_int_t
ngx_rtmp_route_choose(ngx_rtmp_route_choice_t *choice)
{
    ngx_int_t     rc;
    ngx_event_t  *ev;

    ngx_rtmp_route_choose_close(choice);

    ngx_memzero(&choice->query, sizeof(ngx_rtmp_route_query_t));

    choice->failed = 0;
    choice->missing = 0;
    choice->banned = 0;

    ev = &choice->timer;

    ev->handler = ngx_rtmp_route_choose_handler;
    ev->data = choice;
    ev->log = choice->log;
    ev->cancelable = 1;

    rc = ngx_rtmp_route_choose_name(choice);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK || ngx_rtmp_route_choose_banned(choice)) {
        ngx_rtmp_route_choose_done(choice, NGX_DECLINED);
        return NGX_OK;
    }

    choice->query.op = choice->op;
    choice->query.protocol = NGX_RTMP_ROUTE_RTMP;
    choice->query.alternative = NGX_RTMP_ROUTE_NONE;
    choice->query.yields = 1;

    ngx_rtmp_route_choose_ask(choice);

    return NGX_OK;
}


/* the key, and what servers are asked for; NGX_DECLINED: it is no stream */

static ngx_int_t
ngx_rtmp_route_choose_name(ngx_rtmp_route_choice_t *choice)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_str_t               url, stream;
    ngx_rtmp_route_name_t   name;

    ngx_str_null(&url);

    if (choice->host.len) {
        url.len = sizeof("rtmp:///") - 1 + choice->host.len + choice->app.len;

        url.data = ngx_pnalloc(choice->pool, url.len);
        if (url.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(url.data, "rtmp://", sizeof("rtmp://") - 1);
        p = ngx_cpymem(p, choice->host.data, choice->host.len);
        *p++ = '/';
        ngx_memcpy(p, choice->app.data, choice->app.len);
    }

    if (ngx_rtmp_route_choose_join(choice, &choice->name, 1, &stream)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    choice->to_app = choice->app;
    choice->to_path = stream;

    ngx_memzero(&name, sizeof(ngx_rtmp_route_name_t));

    rc = ngx_rtmp_route_name_rtmp(choice->pool, &url, &choice->app, &stream,
                                  &name);

    if (rc == NGX_OK && ngx_rtmp_route_maps(choice->route)) {
        rc = ngx_rtmp_route_choose_map(choice, &name);
    }

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_stream_key(choice->route, choice->pool, &name,
                                       choice->op, &choice->query.key);
    }

    return rc;
}


static ngx_int_t
ngx_rtmp_route_choose_map(ngx_rtmp_route_choice_t *choice,
    ngx_rtmp_route_name_t *name)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_str_t                 path;
    ngx_rtmp_route_name_t     to;
    ngx_rtmp_route_mapped_t  *mapped;

    mapped = &choice->mapped;

    path.len = name->path.len + 1;

    p = ngx_pnalloc(choice->pool, path.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path.data = p;
    *p++ = '/';
    ngx_memcpy(p, name->path.data, name->path.len);

    rc = ngx_rtmp_route_map(choice->route, choice->pool, &path, mapped);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_DECLINED;
    }

    choice->query.servers = mapped->servers;

    if (mapped->stream.len) {

        /* whatever it looks like, it is no digest */

        name->path = mapped->stream;
        name->hashed = 0;
        name->bare = 0;
    }

    if (mapped->to.len == 0) {
        return ngx_rtmp_route_choose_join(choice, &choice->name, mapped->args,
                                          &choice->to_path);
    }

    rc = ngx_rtmp_route_name_text(choice->pool, &mapped->to,
                                  ngx_rtmp_route_key_form(choice->route), &to);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_rtmp_route_choose_split(choice, &to.path,
                                    ngx_rtmp_route_choose_parts(&choice->name));
}


/* the name gets as many parts as it has here, the app what is left */

static ngx_int_t
ngx_rtmp_route_choose_split(ngx_rtmp_route_choice_t *choice, ngx_str_t *to,
    ngx_uint_t parts)
{
    size_t      n;
    ngx_str_t   name;
    ngx_uint_t  all;

    all = ngx_rtmp_route_choose_parts(to);

    if (all < 2) {
        ngx_log_error(NGX_LOG_INFO, choice->log, 0,
                      "a path for servers has no app or no stream");
        return NGX_DECLINED;
    }

    parts = ngx_min(parts, all - 1);

    for (n = to->len; n > 0; n--) {
        if (to->data[n - 1] == '/' && --parts == 0) {
            break;
        }
    }

    choice->to_app.data = to->data;
    choice->to_app.len = n - 1;

    name.data = to->data + n;
    name.len = to->len - n;

    return ngx_rtmp_route_choose_join(choice, &name, choice->mapped.args,
                                      &choice->to_path);
}


static ngx_uint_t
ngx_rtmp_route_choose_parts(ngx_str_t *path)
{
    size_t      i;
    ngx_uint_t  n;

    n = 0;

    for (i = 0; i < path->len; i++) {
        if (path->data[i] != '/' && (i == 0 || path->data[i - 1] == '/')) {
            n++;
        }
    }

    return n ? n : 1;
}


/* a name with the arguments */

static ngx_int_t
ngx_rtmp_route_choose_join(ngx_rtmp_route_choice_t *choice, ngx_str_t *name,
    ngx_uint_t args, ngx_str_t *path)
{
    u_char  *p;

    if (!args || choice->args.len == 0) {
        *path = *name;
        return NGX_OK;
    }

    path->len = name->len + 1 + choice->args.len;

    path->data = ngx_pnalloc(choice->pool, path->len);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(path->data, name->data, name->len);
    *p++ = '?';
    ngx_memcpy(p, choice->args.data, choice->args.len);

    return NGX_OK;
}


/* by its name, and the address without a port */

static ngx_uint_t
ngx_rtmp_route_choose_banned(ngx_rtmp_route_choice_t *choice)
{
    ngx_str_t  addr;

    addr = choice->client;

    while (addr.len && addr.data[--addr.len] != ':') { /* void */ }

    if (ngx_rtmp_route_banned(choice->route, &choice->query.key, choice->op,
                              &addr, &choice->banned)
        != NGX_OK)
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, choice->log, 0,
                  "a stream is not %s, banned for %T s",
                  choice->op == NGX_RTMP_ROUTE_PUBLISH ? "pushed" : "pulled",
                  choice->banned);

    return 1;
}


static void
ngx_rtmp_route_choose_ask(ngx_rtmp_route_choice_t *choice)
{
    ngx_int_t                      rc;
    ngx_rtmp_route_session_info_t  info;

    info.type = choice->op;
    info.client = choice->client;

    if (info.client.len == 0) {
        ngx_str_set(&info.client, "unix:");
    }

    if (choice->op == NGX_RTMP_ROUTE_PUBLISH) {
        ngx_str_set(&info.agent, "nginx-rtmp push");

    } else {
        ngx_str_set(&info.agent, "nginx-rtmp pull");
    }

    rc = ngx_rtmp_route_session_open(choice->route, &choice->query, &info,
                                     &choice->session, &choice->peer);

    ngx_log_debug1(NGX_LOG_DEBUG_RTMP, choice->log, 0,
                   "rtmp route choose: %i", rc);

    if (rc == NGX_AGAIN) {

        if (!choice->timer.timer_set) {
            ngx_add_timer(&choice->timer,
                          ngx_rtmp_route_wait_time(choice->route));
        }

        choice->wait.route = choice->route;
        choice->wait.data = choice;
        choice->wait.handler = ngx_rtmp_route_choose_wait_handler;
        choice->waiting = 1;

        ngx_rtmp_route_wait(&choice->wait);

        return;
    }

    if (rc == NGX_OK) {
        choice->opened = 1;

        ngx_rtmp_route_session_watch(&choice->session,
                                     ngx_rtmp_route_choose_event);
    }

    ngx_rtmp_route_choose_done(choice, rc);
}


/* the handler is called from the event loop */

static void
ngx_rtmp_route_choose_done(ngx_rtmp_route_choice_t *choice, ngx_int_t rc)
{
    choice->rc = rc;
    choice->answered = 1;

    if (choice->timer.timer_set) {
        ngx_del_timer(&choice->timer);
    }

    ngx_post_event(&choice->timer, &ngx_posted_events);
}


static void
ngx_rtmp_route_choose_wait_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_rtmp_route_choice_t  *choice;

    choice = wait->data;
    choice->waiting = 0;

    ngx_rtmp_route_choose_ask(choice);
}


static void
ngx_rtmp_route_choose_handler(ngx_event_t *ev)
{
    ngx_rtmp_route_choice_t  *choice;

    choice = ev->data;

    if (choice->answered) {
        choice->answered = 0;
        choice->handler(choice, choice->rc);
        return;
    }

    /* it has waited long enough */

    if (choice->waiting) {
        choice->waiting = 0;
        ngx_rtmp_route_wait_cancel(&choice->wait);
    }

    choice->query.late = 1;

    ngx_rtmp_route_choose_ask(choice);
}


/* somebody who wants to publish the same does not replace one that is alive */

static void
ngx_rtmp_route_choose_event(ngx_rtmp_route_session_t *session, ngx_uint_t what)
{
    ngx_msec_int_t            idle;
    ngx_rtmp_route_choice_t  *choice;

    choice = (ngx_rtmp_route_choice_t *)
                 ((u_char *) session
                  - offsetof(ngx_rtmp_route_choice_t, session));

    if (what == NGX_RTMP_ROUTE_E_SILENT) {

        idle = (ngx_msec_int_t) (ngx_current_msec - *session->active);

        if (idle < NGX_RTMP_ROUTE_CHOOSE_SILENT) {
            ngx_rtmp_route_session_stay(session);
            return;
        }
    }

    if (choice->event) {
        choice->event(choice, what);
    }
}


ngx_int_t
ngx_rtmp_route_choose_next(ngx_rtmp_route_choice_t *choice, ngx_uint_t failed)
{
    ngx_int_t  rc;

    if (!choice->opened) {
        return NGX_ERROR;
    }

    choice->failed = ngx_current_msec;
    choice->named = choice->peer.server;

    ngx_rtmp_route_session_state(&choice->session,
                                 NGX_RTMP_ROUTE_S_CONNECT);

    if (failed) {
        ngx_rtmp_route_report(choice->route, &choice->query, &choice->peer, 1);

    } else {
        choice->missing = 1;
        choice->query.search = 1;
        ngx_rtmp_route_choose_tried(choice);
    }

    rc = (choice->query.ntried < NGX_RTMP_ROUTE_MAX_TRIED)
         ? ngx_rtmp_route_session_next(&choice->session, &choice->query,
                                       &choice->peer)
         : NGX_BUSY;

    ngx_rtmp_route_choose_done(choice, rc);

    return NGX_OK;
}


/* all its ports: the others would say the same */

static void
ngx_rtmp_route_choose_tried(ngx_rtmp_route_choice_t *choice)
{
    ngx_uint_t               i;
    ngx_rtmp_route_query_t  *query;
    ngx_rtmp_route_tried_t  *tried;

    query = &choice->query;

    for (i = 0; i < NGX_RTMP_ROUTE_MAX_ENDPOINTS; i++) {

        if (query->ntried == NGX_RTMP_ROUTE_MAX_TRIED) {
            return;
        }

        tried = &query->tried[query->ntried++];

        tried->server = choice->peer.server;
        tried->protocol = choice->peer.protocol;
        tried->endpoint = i;
    }
}


void
ngx_rtmp_route_choose_works(ngx_rtmp_route_choice_t *choice)
{
    if (!choice->opened) {
        return;
    }

    ngx_rtmp_route_report(choice->route, &choice->query, &choice->peer, 0);
    ngx_rtmp_route_session_state(&choice->session, NGX_RTMP_ROUTE_S_RELAY);

    if (choice->missing && choice->op == NGX_RTMP_ROUTE_PLAY) {
        ngx_rtmp_route_found(choice->route, &choice->query, &choice->peer);
    }
}


/*
 * A pick is no word of anybody, and what was found by a search may be in two
 * places: what works is not left for these.  The session itself does not make
 * the stream a live one ("yields"), which would hide all else.
 */

ngx_uint_t
ngx_rtmp_route_choose_moved(ngx_rtmp_route_choice_t *choice)
{
    ngx_rtmp_route_ref_t    *named, *used;
    ngx_rtmp_route_peer_t    peer;
    ngx_rtmp_route_query_t   query;

    if (!choice->opened) {
        return 0;
    }

    ngx_memzero(&query, sizeof(ngx_rtmp_route_query_t));

    query.key = choice->query.key;
    query.op = choice->op;
    query.protocol = choice->query.protocol;
    query.alternative = choice->query.alternative;
    query.servers = choice->query.servers;
    query.peek = 1;

    if (ngx_rtmp_route_table_pick(&choice->route->table, &query, &peer)
        != NGX_OK
        || peer.source <= NGX_RTMP_ROUTE_FROM_FOUND)
    {
        return 0;
    }

    named = &peer.server;
    used = &choice->peer.server;

    if (named->index == used->index && named->seq == used->seq) {
        return 0;
    }

    return choice->failed == 0
           || named->index != choice->named.index
           || named->seq != choice->named.seq
           || (ngx_msec_int_t) (ngx_current_msec - choice->failed)
              >= NGX_RTMP_ROUTE_CHOOSE_AGAIN;
}


void
ngx_rtmp_route_choose_close(ngx_rtmp_route_choice_t *choice)
{
    ngx_rtmp_route_choose_stop(choice);

    if (choice->opened) {
        choice->opened = 0;
        ngx_rtmp_route_session_close(&choice->session);
    }
}


static void
ngx_rtmp_route_choose_stop(ngx_rtmp_route_choice_t *choice)
{
    if (choice->waiting) {
        choice->waiting = 0;
        ngx_rtmp_route_wait_cancel(&choice->wait);
    }

    if (choice->timer.timer_set) {
        ngx_del_timer(&choice->timer);
    }

    if (choice->timer.posted) {
        ngx_delete_posted_event(&choice->timer);
    }

    choice->answered = 0;
}
