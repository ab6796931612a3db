
/*
 * Copyright (C) The nginx-osp authors
 */


/* Where a channel is that the core's list does not name: /rtmpCheck. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core_ask.h"


/* a server that the table does not have yet is looked for again, ms */

#define NGX_OSP_CORE_CHECK_RETRY  200
#define NGX_OSP_CORE_CHECK_TRIES  8


typedef struct {
    ngx_osp_core_t              *core;
    ngx_osp_core_ask_t           ask;
    ngx_str_t                    key;
    ngx_str_t                    address;
    ngx_uint_t                   tries;
    ngx_event_t                  event;
    ngx_connection_t             dumb;
    u_char                       key_buf[NGX_RTMP_ROUTE_KEY_LEN];
    u_char                       address_buf[NGX_RTMP_ROUTE_HOST_LEN];
} ngx_osp_core_check_t;


static ngx_int_t ngx_osp_core_check_start(ngx_osp_core_t *core,
    ngx_osp_core_ask_t *ask, ngx_str_t *key, ngx_str_t *channel);
static ngx_int_t ngx_osp_core_check_body(ngx_rtmp_route_request_t *request,
    ngx_str_t *piece);
static void ngx_osp_core_check_handler(ngx_rtmp_route_request_t *request);
static void ngx_osp_core_check_retry(ngx_event_t *ev);
static void ngx_osp_core_check_found(ngx_osp_core_check_t *check);
static void ngx_osp_core_check_end(ngx_osp_core_check_t *check,
    ngx_uint_t answer, ngx_msec_t ttl, ngx_str_t *reason);


ngx_int_t
ngx_osp_core_resolve(ngx_rtmp_route_control_t *control, ngx_str_t *key,
    ngx_uint_t known)
{
    ngx_int_t               rc;
    ngx_str_t               channel;
    ngx_uint_t              kind;
    ngx_osp_core_t         *core;
    ngx_osp_core_ask_t      ask;
    ngx_osp_core_digest_t   digest;

    core = control->data;

    if (ngx_osp_core_channel(core, key, &channel) != NGX_OK) {
        return NGX_DECLINED;
    }

    kind = known ? NGX_OSP_CORE_RECHECK : NGX_OSP_CORE_CHECK;

    if (ngx_osp_core_ask_digest(core->asks, kind, &channel, 1, &digest)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    rc = ngx_osp_core_query_begin(core, kind, 0, &digest, &ask);

    if (rc != NGX_DONE) {
        return rc;
    }

    if (ngx_osp_core_check_start(core, &ask, key, &channel) != NGX_OK
        || ask.probe)
    {
        return NGX_BUSY;
    }

    return NGX_AGAIN;
}


/* NGX_ERROR: the question has ended, as failed */

static ngx_int_t
ngx_osp_core_check_start(ngx_osp_core_t *core, ngx_osp_core_ask_t *ask,
    ngx_str_t *key, ngx_str_t *channel)
{
    ngx_osp_core_check_t      *check;
    ngx_rtmp_route_request_t  *request;

    static ngx_str_t  name = ngx_string("X-Channel-ID");
    static ngx_str_t  reason = ngx_string("no memory");

    request = ngx_osp_core_query_request(core, ask);
    if (request == NULL) {
        return NGX_ERROR;
    }

    check = ngx_alloc(sizeof(ngx_osp_core_check_t), ngx_cycle->log);
    if (check == NULL) {
        ngx_rtmp_route_request_cancel(request);
        ngx_osp_core_query_end(core, ask, NGX_OSP_CORE_FAILED,
                               NGX_OSP_CORE_FAILED_TIME, &reason);
        return NGX_ERROR;
    }

    ngx_memzero(check, offsetof(ngx_osp_core_check_t, key_buf));

    check->core = core;
    check->ask = *ask;
    check->key.data = check->key_buf;
    check->key.len = key->len;
    ngx_memcpy(check->key_buf, key->data, key->len);

    ngx_str_set(&request->uri, "/rtmpCheck");

    request->handler = ngx_osp_core_check_handler;
    request->body_handler = ngx_osp_core_check_body;
    request->data = check;

    (void) ngx_rtmp_route_request_header(request, &name, channel);

    if (ngx_rtmp_route_request_start(request) != NGX_OK) {
        ngx_osp_core_check_end(check, NGX_OSP_CORE_FAILED,
                               NGX_OSP_CORE_FAILED_TIME, &reason);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* all is in the header */

static ngx_int_t
ngx_osp_core_check_body(ngx_rtmp_route_request_t *request, ngx_str_t *piece)
{
    return NGX_OK;
}


static void
ngx_osp_core_check_handler(ngx_rtmp_route_request_t *request)
{
    ngx_str_t              value, reason;
    ngx_uint_t             answer;
    ngx_osp_core_check_t  *check;

    static ngx_str_t  name = ngx_string("X_UpstreamHost");

    check = request->data;

    if (request->status == 404) {
        ngx_rtmp_route_control_forget(check->core->route, &check->key);

        ngx_osp_core_check_end(check, NGX_OSP_CORE_NO, NGX_OSP_CORE_NO_TIME,
                               NULL);
        return;
    }

    if (request->status != 200
        || ngx_rtmp_route_request_find(request, &name, &value) != NGX_OK
        || value.len == 0
        || value.len > NGX_RTMP_ROUTE_HOST_LEN)
    {
        answer = ngx_osp_core_query_failure(request, &reason);

        ngx_osp_core_check_end(check, answer, NGX_OSP_CORE_FAILED_TIME,
                               &reason);
        return;
    }

    check->address.data = check->address_buf;
    check->address.len = value.len;
    ngx_memcpy(check->address_buf, value.data, value.len);

    check->dumb.fd = (ngx_socket_t) -1;
    check->dumb.data = check;

    check->event.handler = ngx_osp_core_check_retry;
    check->event.data = &check->dumb;
    check->event.log = ngx_cycle->log;
    check->event.cancelable = 1;

    ngx_osp_core_check_found(check);
}


static void
ngx_osp_core_check_retry(ngx_event_t *ev)
{
    ngx_connection_t *c = ev->data;

    ngx_osp_core_check_found(c->data);
}


static void
ngx_osp_core_check_found(ngx_osp_core_check_t *check)
{
    u_char                          buf[NGX_RTMP_ROUTE_HOST_LEN];
    ngx_int_t                       rc;
    ngx_osp_core_t                 *core;
    ngx_rtmp_route_control_t       *control;
    ngx_rtmp_route_control_name_t   server;

    static ngx_str_t  reason = ngx_string("it has named an unknown server");
    static ngx_str_t  full = ngx_string("no room for streams");

    core = check->core;

    rc = ngx_osp_core_address(core, &check->address, buf, &server.name);

    if (rc == NGX_OK) {
        server.version = 0;

        rc = ngx_rtmp_route_control_stream(core->route, &check->key, &server,
                                           0, NGX_OSP_CORE_YES_TIME);
    }

    switch (rc) {

    case NGX_AGAIN:
    case NGX_DECLINED:
        break;

    case NGX_BUSY:
        ngx_osp_core_check_end(check, NGX_OSP_CORE_FAILED,
                               NGX_OSP_CORE_FAILED_TIME, &full);
        return;

    default: /* NGX_ABORT: somebody knows better */
        ngx_osp_core_check_end(check, NGX_OSP_CORE_YES, 0, NULL);
        return;
    }

    if (check->tries == NGX_OSP_CORE_CHECK_TRIES) {
        ngx_osp_core_check_end(check, NGX_OSP_CORE_FAILED,
                               NGX_OSP_CORE_FAILED_TIME, &reason);
        return;
    }

    control = &core->control;

    if (check->tries++ == 0 && control->refresh) {
        control->refresh(control);
    }

    ngx_add_timer(&check->event, NGX_OSP_CORE_CHECK_RETRY);
}


static void
ngx_osp_core_check_end(ngx_osp_core_check_t *check, ngx_uint_t answer,
    ngx_msec_t ttl, ngx_str_t *reason)
{
    ngx_osp_core_query_end(check->core, &check->ask, answer, ttl, reason);

    ngx_free(check);
}
