
/*
 * Copyright (C) The nginx-osp authors
 */


/* What questions to a core have in common: their zone, limits, and who waits */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core_ask.h"


#define NGX_OSP_CORE_ZONE_SIZE  (1024 * 1024)

/* looks for room, and for questions of processes that have died, ms */
#define NGX_OSP_CORE_LATE_TIME  100
#define NGX_OSP_CORE_LOOK_TIME  500

/* a failure that is not the end is logged so often, s */
#define NGX_OSP_CORE_LOG_TIME   60

/* nobody reads more of an answer */
#define NGX_OSP_CORE_MAX_ANSWER  65536


static ngx_int_t ngx_osp_core_query_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_osp_core_query_timer(ngx_osp_core_t *core, ngx_msec_t time);
static void ngx_osp_core_query_handler(ngx_event_t *ev);
static void ngx_osp_core_query_woken(void);


char *
ngx_osp_core_query_init(ngx_conf_t *cf, ngx_osp_core_t *core)
{
    u_char     *p;
    ngx_str_t  *route, name;

    route = ngx_rtmp_route_name(core->route);

    p = ngx_pnalloc(cf->pool, sizeof("osp_core:") - 1 + route->len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    name.data = p;
    name.len = ngx_sprintf(p, "osp_core:%V", route) - p;

    if (core->size == 0) {
        core->size = NGX_OSP_CORE_ZONE_SIZE;
    }

    core->asks = ngx_pcalloc(cf->pool, sizeof(ngx_osp_core_asks_t));
    if (core->asks == NULL) {
        return NGX_CONF_ERROR;
    }

    core->shm_zone = ngx_shared_memory_add(cf, &name, core->size,
                                           &ngx_osp_core_module);
    if (core->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    core->shm_zone->init = ngx_osp_core_query_init_zone;
    core->shm_zone->data = core;

    core->control.wait = NGX_OSP_CORE_ASK_TIME + 500;
    core->control.resolve = ngx_osp_core_resolve;
    core->control.authorize = ngx_osp_core_authorize;

    if (ngx_rtmp_route_on_wake(ngx_osp_core_query_woken) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_osp_core_query_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_int_t         rc;
    ngx_osp_core_t   *core;
    ngx_slab_pool_t  *shpool;

    core = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    rc = ngx_osp_core_asks_init(core->asks, shpool);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" was made by another version of this module, "
                      "restart nginx", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" is too small", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    core->shpool = shpool;
    core->shared = ngx_osp_core_asks_shared(core->asks);

    return NGX_OK;
}


ngx_int_t
ngx_osp_core_query_begin(ngx_osp_core_t *core, ngx_uint_t kind,
    uint32_t who, ngx_osp_core_digest_t *digest, ngx_osp_core_ask_t *ask)
{
    u_char               *late;
    ngx_int_t             rc;
    ngx_osp_core_asks_t  *asks;

    asks = core->asks;

    rc = ngx_osp_core_ask_begin(asks, kind, who, digest, ask);

    if (rc == NGX_ABORT) {

        late = &asks->late_of[who % NGX_OSP_CORE_LATE_KINDS];

        if (kind == NGX_OSP_CORE_RECHECK
            || asks->late >= NGX_OSP_CORE_LATE
            || (who && *late >= NGX_OSP_CORE_LATE_OF))
        {
            return NGX_BUSY;
        }

        asks->late++;
        *late += (who != 0);

        ngx_osp_core_query_timer(core, NGX_OSP_CORE_LATE_TIME);

        return NGX_AGAIN;
    }

    /* who asks may die */

    if (rc == NGX_AGAIN) {
        ngx_osp_core_query_timer(core, NGX_OSP_CORE_LOOK_TIME);
    }

    return rc;
}


static void
ngx_osp_core_query_timer(ngx_osp_core_t *core, ngx_msec_t time)
{
    ngx_event_t          *ev;
    ngx_osp_core_asks_t  *asks;

    asks = core->asks;
    ev = &asks->event;

    if (ev->handler == NULL) {
        asks->dumb.fd = (ngx_socket_t) -1;
        asks->dumb.data = core;

        ev->handler = ngx_osp_core_query_handler;
        ev->data = &asks->dumb;
        ev->log = ngx_cycle->log;
        ev->cancelable = 1;
    }

    if (ev->timer_set
        && (ngx_msec_int_t) (ev->timer.key - ngx_current_msec)
           <= (ngx_msec_int_t) time)
    {
        return;
    }

    ngx_add_timer(ev, time);
}


static void
ngx_osp_core_query_handler(ngx_event_t *ev)
{
    ngx_int_t             rc;
    ngx_uint_t            late;
    ngx_osp_core_t       *core;
    ngx_connection_t     *c;
    ngx_osp_core_asks_t  *asks;

    c = ev->data;
    core = c->data;
    asks = core->asks;

    late = asks->late;

    asks->late = 0;
    ngx_memzero(asks->late_of, NGX_OSP_CORE_LATE_KINDS);

    rc = ngx_osp_core_ask_sweep(asks);

    if (rc == NGX_OK || late) {
        ngx_rtmp_route_wake(core->route);
    }

    if (rc != NGX_DECLINED) {
        ngx_add_timer(ev, NGX_OSP_CORE_LOOK_TIME);
    }
}


/* all who wait look again, those who were late, too */

static void
ngx_osp_core_query_woken(void)
{
    ngx_uint_t        i;
    ngx_array_t      *list;
    ngx_osp_core_t  **cores;

    list = (ngx_array_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                        ngx_osp_core_module);
    cores = list->elts;

    for (i = 0; i < list->nelts; i++) {
        cores[i]->asks->late = 0;
        ngx_memzero(cores[i]->asks->late_of, NGX_OSP_CORE_LATE_KINDS);
    }
}


void
ngx_osp_core_query_end(ngx_osp_core_t *core, ngx_osp_core_ask_t *ask,
    ngx_uint_t answer, ngx_msec_t ttl, ngx_str_t *reason)
{
    char       *what;
    ngx_int_t   rc;

    rc = ngx_osp_core_ask_end(core->asks, ask, answer, ttl);

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "osp core answer: %ui to %ui", answer, ask->kind);

    what = (ask->kind == NGX_OSP_CORE_AUTH) ? "viewers" : "channels";

    if (rc == NGX_DONE && answer == NGX_OSP_CORE_DOWN) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "osp core \"%V\" does not answer questions about %s: %V",
                      &core->client->url, what, reason);

    } else if (rc == NGX_DONE) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "osp core \"%V\" answers questions about %s again",
                      &core->client->url, what);

    } else if ((answer == NGX_OSP_CORE_FAILED || answer == NGX_OSP_CORE_DOWN)
               && !ask->probe
               && (core->asks->logged == 0
                   || ngx_time() - core->asks->logged
                      >= NGX_OSP_CORE_LOG_TIME))
    {
        core->asks->logged = ngx_time();

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "osp core \"%V\" has not answered a question about %s: "
                      "%V", &core->client->url, what, reason);
    }

    ngx_rtmp_route_wake(core->route);
}


ngx_rtmp_route_request_t *
ngx_osp_core_query_request(ngx_osp_core_t *core, ngx_osp_core_ask_t *ask)
{
    ngx_rtmp_route_request_t  *request;

    static ngx_str_t  reason = ngx_string("no memory");

    request = ngx_rtmp_route_request_create(core->client);

    if (request == NULL) {
        ngx_osp_core_query_end(core, ask, NGX_OSP_CORE_FAILED,
                               NGX_OSP_CORE_FAILED_TIME, &reason);
        return NULL;
    }

    request->timeout = ngx_min(request->timeout, NGX_OSP_CORE_ASK_TIME);
    request->max_body = NGX_OSP_CORE_MAX_ANSWER;
    request->quiet = 1;

    return request;
}


/* a status that is none of the core's own comes from what is before it */

ngx_uint_t
ngx_osp_core_query_failure(ngx_rtmp_route_request_t *request,
    ngx_str_t *reason)
{
    u_char  *p;

    if (request->status == 0) {
        *reason = request->error;
        return NGX_OSP_CORE_DOWN;
    }

    ngx_str_set(reason, "unexpected answer");

    p = ngx_pnalloc(request->pool, sizeof("unexpected answer with status ")
                                   + NGX_INT_T_LEN);
    if (p) {
        reason->data = p;
        reason->len = ngx_sprintf(p, "unexpected answer with status %ui",
                                  request->status)
                      - p;
    }

    switch (request->status) {

    case 502:
    case 503:
    case 504:
        return NGX_OSP_CORE_DOWN;

    default:
        return NGX_OSP_CORE_FAILED;
    }
}
