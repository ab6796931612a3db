
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_events.h"


/* sessions that are looked at in one go, then it is the turn of others */

#define NGX_RTMP_ROUTE_EVENTS_STEP  1000

/* so many of them with one hold of the lock */

#define NGX_RTMP_ROUTE_EVENTS_HOLD  50


static void ngx_rtmp_route_events_start(ngx_rtmp_route_t *route);
static void ngx_rtmp_route_events_handler(ngx_event_t *ev);
static void ngx_rtmp_route_events_session(ngx_rtmp_route_t *route,
    ngx_rtmp_route_session_t *session);
static void ngx_rtmp_route_events_sample_handler(ngx_event_t *ev);
static ngx_uint_t ngx_rtmp_route_events_some(ngx_rtmp_route_t *route,
    ngx_rtmp_route_session_t **sessions);


void
ngx_rtmp_route_events_init(ngx_rtmp_route_t *route, ngx_log_t *log)
{
    route->tell.handler = ngx_rtmp_route_events_handler;
    route->tell.data = route;
    route->tell.log = log;

    route->sample.handler = ngx_rtmp_route_events_sample_handler;
    route->sample.data = route;
    route->sample.log = log;

    route->losses = ngx_rtmp_route_table_losses(&route->table);
}


void
ngx_rtmp_route_session_watch(ngx_rtmp_route_session_t *session,
    void (*event)(ngx_rtmp_route_session_t *session, ngx_uint_t what))
{
    ngx_uint_t  i;

    if (session->cell == 0 || session->event) {
        return;
    }

    session->event = event;
    session->sampled = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_SAMPLES; i++) {
        session->samples[i].time = (uint32_t) ngx_current_msec;
        session->samples[i].bytes = 0;
    }

    ngx_queue_insert_tail(&session->route->sessions, &session->queue);
}


void
ngx_rtmp_route_events_forget(ngx_rtmp_route_session_t *session)
{
    if (session->event) {
        session->event = NULL;
        ngx_queue_remove(&session->queue);
    }
}


void
ngx_rtmp_route_session_stay(ngx_rtmp_route_session_t *session)
{
    *session->active = ngx_current_msec;

    ngx_rtmp_route_table_wake(&session->route->table);
}


ngx_int_t
ngx_rtmp_route_takeover(ngx_rtmp_route_t *route, ngx_str_t *key,
    ngx_msec_t idle)
{
    return ngx_rtmp_route_table_takeover(&route->table, key, idle);
}


void
ngx_rtmp_route_server_lost(ngx_rtmp_route_t *route)
{
    ngx_rtmp_route_table_tell_lost(&route->table);
}


void
ngx_rtmp_route_events_check(ngx_rtmp_route_t *route)
{
    if (ngx_queue_empty(&route->sessions)) {
        route->losses = ngx_rtmp_route_table_losses(&route->table);
        return;
    }

    if (route->losses == ngx_rtmp_route_table_losses(&route->table)
        && !ngx_rtmp_route_table_has_told(&route->table))
    {
        return;
    }

    if (route->telling) {
        route->tell_again = 1;
        return;
    }

    ngx_rtmp_route_events_start(route);
}


/*
 * The place in the queue is one of its members: whatever sessions do when they
 * are told, it stays valid.
 */

static void
ngx_rtmp_route_events_start(ngx_rtmp_route_t *route)
{
    uint32_t  losses;

    losses = ngx_rtmp_route_table_losses(&route->table);

    route->losing = (route->losses != losses);
    route->losses = losses;

    route->telling = 1;
    route->tell_again = 0;

    ngx_queue_insert_head(&route->sessions, &route->teller);

    ngx_post_event(&route->tell, &ngx_posted_events);
}


static void
ngx_rtmp_route_events_handler(ngx_event_t *ev)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q;
    ngx_rtmp_route_t          *route;

    route = ev->data;

    for (n = 0; n < NGX_RTMP_ROUTE_EVENTS_STEP; n++) {

        q = ngx_queue_next(&route->teller);
        ngx_queue_remove(&route->teller);

        if (q == ngx_queue_sentinel(&route->sessions)) {

            route->telling = 0;

            if (route->tell_again) {
                ngx_rtmp_route_events_start(route);
            }

            return;
        }

        ngx_queue_insert_after(q, &route->teller);

        if (q == &route->sampler) {
            continue;
        }

        ngx_rtmp_route_events_session(route,
                           ngx_queue_data(q, ngx_rtmp_route_session_t, queue));
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}


/* one thing only: it may end the session */

static void
ngx_rtmp_route_events_session(ngx_rtmp_route_t *route,
    ngx_rtmp_route_session_t *session)
{
    ngx_uint_t  told, what;

    told = ngx_rtmp_route_table_told(&route->table, session);

    if (told) {

        for (what = NGX_RTMP_ROUTE_E_KICKED; what; what--) {
            if (told & (1 << what)) {
                session->event(session, what);
                return;
            }
        }
    }

    if (route->losing
        && ngx_rtmp_route_table_lost(&route->table, session))
    {
        session->event(session, NGX_RTMP_ROUTE_E_LOST);
    }
}


/* in the same way, in steps */

void
ngx_rtmp_route_events_sample(ngx_rtmp_route_t *route)
{
    if (route->sampling || ngx_queue_empty(&route->sessions)) {
        return;
    }

    route->sampling = 1;

    ngx_queue_insert_head(&route->sessions, &route->sampler);

    ngx_post_event(&route->sample, &ngx_posted_events);
}


static void
ngx_rtmp_route_events_sample_handler(ngx_event_t *ev)
{
    ngx_uint_t                 i, n;
    ngx_rtmp_route_t          *route;
    ngx_rtmp_route_session_t  *sessions[NGX_RTMP_ROUTE_EVENTS_HOLD];

    route = ev->data;

    for (i = 0; i < NGX_RTMP_ROUTE_EVENTS_STEP; i += n) {

        n = ngx_rtmp_route_events_some(route, sessions);

        if (n == 0) {
            return;
        }

        ngx_rtmp_route_table_rates(&route->table, sessions, n);
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}


/* 0: there are no more */

static ngx_uint_t
ngx_rtmp_route_events_some(ngx_rtmp_route_t *route,
    ngx_rtmp_route_session_t **sessions)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    n = 0;

    while (n < NGX_RTMP_ROUTE_EVENTS_HOLD) {

        q = ngx_queue_next(&route->sampler);

        if (q == ngx_queue_sentinel(&route->sessions)) {

            if (n == 0) {
                route->sampling = 0;
                ngx_queue_remove(&route->sampler);
            }

            break;
        }

        ngx_queue_remove(&route->sampler);
        ngx_queue_insert_after(q, &route->sampler);

        if (q != &route->teller) {
            sessions[n++] = ngx_queue_data(q, ngx_rtmp_route_session_t, queue);
        }
    }

    return n;
}
