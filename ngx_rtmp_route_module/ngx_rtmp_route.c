
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_events.h"


static ngx_int_t ngx_rtmp_route_consult(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query);


ngx_str_t *
ngx_rtmp_route_name(ngx_rtmp_route_t *route)
{
    return &route->name;
}


ngx_uint_t
ngx_rtmp_route_key_form(ngx_rtmp_route_t *route)
{
    return route->key;
}


ngx_msec_t
ngx_rtmp_route_inactive(ngx_rtmp_route_t *route)
{
    return route->inactive;
}


ngx_int_t
ngx_rtmp_route_stream_key(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_rtmp_route_name_t *name, ngx_uint_t op, ngx_str_t *key)
{
    ngx_rtmp_route_control_t  *control;

    control = route->control;

    if (control && op != NGX_RTMP_ROUTE_PUBLISH) {
        return control->key(control, pool, name, op, key);
    }

    return ngx_rtmp_route_key(pool, name, route->key, route->secret, key);
}


ngx_int_t
ngx_rtmp_route_uri(ngx_rtmp_route_t *route, ngx_pool_t *pool, ngx_str_t *uri)
{
    ngx_rtmp_route_control_t  *control;

    control = route->control;

    if (control == NULL || control->uri == NULL) {
        return NGX_DECLINED;
    }

    return control->uri(control, pool, uri);
}


ngx_int_t
ngx_rtmp_route_authorize(ngx_rtmp_route_t *route,
    ngx_rtmp_route_viewer_t *viewer)
{
    ngx_rtmp_route_control_t  *control;

    control = route->control;

    return control ? control->authorize(control, viewer) : NGX_OK;
}


void
ngx_rtmp_route_need_control(ngx_rtmp_route_t *route, ngx_str_t *what)
{
    route->needed = *what;
}


ngx_uint_t
ngx_rtmp_route_asks_nobody(ngx_rtmp_route_t *route)
{
    return route->control == NULL;
}


ngx_int_t
ngx_rtmp_route_refresh(ngx_rtmp_route_t *route)
{
    if (route->control == NULL) {
        return NGX_DECLINED;
    }

    route->control->refresh(route->control);

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_pick(ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t  rc;

    rc = ngx_rtmp_route_consult(route, query);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_rtmp_route_table_pick(&route->table, query, peer);

    return (rc == NGX_AGAIN && query->late) ? NGX_DECLINED : rc;
}


/* NGX_OK: the table is to decide */

static ngx_int_t
ngx_rtmp_route_consult(ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query)
{
    ngx_int_t                  rc, known;
    ngx_rtmp_route_control_t  *control;

    control = route->control;
    query->unsure = 0;
    query->full = 0;

    if (control == NULL
        || query->op == NGX_RTMP_ROUTE_PUBLISH
        || query->key.len == 0
        || query->only
        || query->servers
        || ngx_rtmp_route_forced(&route->table, query))
    {
        return NGX_OK;
    }

    known = ngx_rtmp_route_core_state(&route->table, &query->key);

    if (known == NGX_OK || (known == NGX_DECLINED && query->lookup)) {
        return NGX_OK;
    }

    rc = control->resolve(control, &query->key, known == NGX_AGAIN);

    /* what was known goes on, and "unknown" may say to pick all the same */

    if (known == NGX_AGAIN
        || (rc == NGX_BUSY
            && route->unknown != NGX_RTMP_ROUTE_UNKNOWN_REFUSE))
    {
        return NGX_OK;
    }

    if (rc == NGX_AGAIN && query->late) {
        rc = NGX_BUSY;
    }

    query->unsure = (rc == NGX_BUSY);

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


ngx_int_t
ngx_rtmp_route_banned(ngx_rtmp_route_t *route, ngx_str_t *key, ngx_uint_t op,
    ngx_str_t *addr, time_t *left)
{
    ngx_msec_t                 ms;
    ngx_rtmp_route_endpoint_t  endpoint;

    /* or it is no address */

    (void) ngx_rtmp_route_addr_parse(addr, &endpoint);

    if (ngx_rtmp_route_table_banned(&route->table, key, op, &endpoint, &ms)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    *left = (time_t) ((ms + 999) / 1000);

    return NGX_OK;
}


void
ngx_rtmp_route_report(ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer, ngx_uint_t failed)
{
    ngx_rtmp_route_table_report(&route->table, query, peer, failed);
}


void
ngx_rtmp_route_found(ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_rtmp_route_peer_t *peer)
{
    if (query->key.len && !ngx_rtmp_route_forced(&route->table, query)) {
        (void) ngx_rtmp_route_stream_set(&route->table, &query->key, &peer->id,
                                         NGX_RTMP_ROUTE_FROM_FOUND);
    }
}


void
ngx_rtmp_route_free(ngx_rtmp_route_t *route, ngx_rtmp_route_peer_t *peer)
{
    ngx_rtmp_route_table_free(&route->table, peer);
}


ngx_uint_t
ngx_rtmp_route_is_server(ngx_rtmp_route_t *route, ngx_str_t *host,
    in_port_t port)
{
    uint32_t                       cursor;
    ngx_uint_t                     i, n, named, address;
    ngx_rtmp_route_endpoint_t      addr, *endpoint;
    ngx_rtmp_route_server_stat_t   stat;

    address = (ngx_rtmp_route_addr_parse(host, &addr) == NGX_OK);
    cursor = 0;

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        named = (stat.info.host_len == host->len
                 && ngx_strncasecmp(stat.info.host, host->data, host->len)
                    == 0);

        for (i = NGX_RTMP_ROUTE_HTTP; i <= NGX_RTMP_ROUTE_HTTPS; i++) {

            for (n = 0; n < stat.info.nendpoints[i]; n++) {

                endpoint = &stat.info.endpoints[i][n];

                if (endpoint->port == port
                    && (named
                        || (address
                            && ngx_rtmp_route_addr_equal(endpoint, &addr))))
                {
                    return 1;
                }
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_rtmp_route_session_open(ngx_rtmp_route_t *route,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_session_info_t *info,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_peer_t *peer)
{
    ngx_int_t  rc;

    rc = ngx_rtmp_route_consult(route, query);

    if (rc != NGX_OK) {
        return rc;
    }

    session->route = route;

    rc = ngx_rtmp_route_table_open(&route->table, query, info, session, peer);

    if (rc == NGX_OK) {
        session->counted = 1 + ((info->type == NGX_RTMP_ROUTE_PUBLISH)
                                ? NGX_RTMP_ROUTE_N_PUBLISHERS
                                : NGX_RTMP_ROUTE_N_PLAYERS);

        ngx_rtmp_route_slot_count(session->counted - 1, 1);
    }

    return (rc == NGX_AGAIN && query->late) ? NGX_DECLINED : rc;
}


ngx_int_t
ngx_rtmp_route_session_next(ngx_rtmp_route_session_t *session,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_peer_t *peer)
{
    return ngx_rtmp_route_table_next(&session->route->table, session, query,
                                     peer);
}


void
ngx_rtmp_route_session_state(ngx_rtmp_route_session_t *session,
    ngx_uint_t state)
{
    ngx_rtmp_route_table_state(&session->route->table, session, state);
}


void
ngx_rtmp_route_session_close(ngx_rtmp_route_session_t *session)
{
    if (session->route == NULL) {
        return;
    }

    ngx_rtmp_route_events_forget(session);
    ngx_rtmp_route_table_close(&session->route->table, session);

    if (session->counted) {
        ngx_rtmp_route_slot_count(session->counted - 1, -1);
        session->counted = 0;
    }

    session->route = NULL;
}


/*
 * While somebody waits here the zone counts this process, so that changes
 * wake it.  A change between the pick that found nothing and the counting
 * would be missed: whoever begins to count looks once more by itself.
 */

void
ngx_rtmp_route_wait(ngx_rtmp_route_wait_t *wait)
{
    ngx_rtmp_route_t  *route;

    route = wait->route;

    ngx_queue_insert_tail(&route->waits, &wait->queue);

    if (!route->waiting) {
        route->waiting = 1;
        ngx_rtmp_route_table_waiters(&route->table, 1);
        ngx_post_event(&route->wake, &ngx_posted_events);
    }
}


void
ngx_rtmp_route_wait_cancel(ngx_rtmp_route_wait_t *wait)
{
    ngx_rtmp_route_t  *route;

    route = wait->route;

    ngx_queue_remove(&wait->queue);

    /* during a run of the waiters the run itself looks at the end */

    if (ngx_queue_empty(&route->waits) && route->waiting == 1) {
        route->waiting = 0;
        ngx_rtmp_route_table_waiters(&route->table, -1);
    }
}


ngx_msec_t
ngx_rtmp_route_wait_time(ngx_rtmp_route_t *route)
{
    if (route->control) {
        return ngx_max(route->control->wait, route->unknown_wait);
    }

    return route->unknown_wait;
}


void
ngx_rtmp_route_queued(ngx_rtmp_route_t *route, ngx_int_t add)
{
    ngx_rtmp_route_table_queued(&route->table, add);
    ngx_rtmp_route_slot_count(NGX_RTMP_ROUTE_N_QUEUED, add);
}


ngx_uint_t
ngx_rtmp_route_draining(void)
{
    return ngx_rtmp_route_slots_draining() != 0;
}


void
ngx_rtmp_route_wake_handler(ngx_event_t *ev)
{
    ngx_queue_t             queue, *q;
    ngx_rtmp_route_t       *route;
    ngx_rtmp_route_wait_t  *wait;

    route = ev->data;

    if (ngx_queue_empty(&route->waits)) {
        return;
    }

    /* those who wait again are not called in the same run */

    ngx_queue_init(&queue);
    ngx_queue_add(&queue, &route->waits);
    ngx_queue_init(&route->waits);

    route->waiting = 2;

    while (!ngx_queue_empty(&queue)) {
        q = ngx_queue_head(&queue);
        ngx_queue_remove(q);

        wait = ngx_queue_data(q, ngx_rtmp_route_wait_t, queue);
        wait->handler(wait);
    }

    route->waiting = 1;

    if (ngx_queue_empty(&route->waits)) {
        route->waiting = 0;
        ngx_rtmp_route_table_waiters(&route->table, -1);
    }
}
