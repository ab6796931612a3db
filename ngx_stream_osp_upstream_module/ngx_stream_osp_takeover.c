
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * An encoder that lost its network comes back while its old session hangs:
 * that one is told to end, in whatever process it is, and once it is gone the
 * new one goes on.  The origin may need a moment to see the end of the old
 * one, so what it refuses for that reason is tried again for some time.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* ms: to look again whether the old session has gone, and how long */

#define NGX_STREAM_OSP_TAKEOVER_POLL   250
#define NGX_STREAM_OSP_TAKEOVER_WAIT   5000

/* ms: how long the origin is tried again */

#define NGX_STREAM_OSP_TAKEOVER_RETRY  5000


static void ngx_stream_osp_takeover_wait_handler(ngx_rtmp_route_wait_t *wait);
static ngx_uint_t ngx_stream_osp_takeover_busy(ngx_osp_rtmp_info_t *info);


/* in between, ms; the last one again and again */

static ngx_msec_t  ngx_stream_osp_takeover_delays[] = { 5, 20, 80, 250 };


/*
 * NGX_OK: nobody stands in the way, or who does is not to go, which is for the
 * origin to say; NGX_AGAIN: it was told, and this session waits, or has ended
 */

ngx_int_t
ngx_stream_osp_takeover(ngx_stream_osp_session_t *os)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_stream_osp_setup_t     *setup;
    ngx_stream_osp_srv_conf_t  *conf;

    c = os->session->connection;
    setup = os->setup;
    conf = os->conf;

    if (!conf->takeover || os->name.op != NGX_RTMP_ROUTE_PUBLISH) {
        return NGX_OK;
    }

    rc = ngx_rtmp_route_takeover(setup->route, &setup->query.key,
                                 conf->takeover_idle);

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, c->log, 0, "osp takeover: %i", rc);

    switch (rc) {

    case NGX_AGAIN:
        break;

    case NGX_DONE:
        setup->taken = 1;
        setup->takeover_start = ngx_current_msec;
        return NGX_OK;

    case NGX_DECLINED:

        if (setup->taking) {
            setup->taking = 0;
            setup->taken = 1;
            setup->takeover_start = ngx_current_msec;
        }

        return NGX_OK;

    default: /* NGX_BUSY */
        setup->taking = 0;
        return NGX_OK;
    }

    if (!setup->taking) {
        setup->taking = 1;
        setup->takeover_start = ngx_current_msec;

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client takes over from a session that %s",
                      conf->takeover_idle ? "is silent" : "publishes");
    }

    if (ngx_current_msec - setup->takeover_start
        >= NGX_STREAM_OSP_TAKEOVER_WAIT)
    {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "a session that is to be taken over does not end");
        setup->taking = 0;
        return NGX_OK;
    }

    setup->phase = ngx_stream_osp_waiting;
    c->log->action = "waiting for the end of another session";

    ngx_stream_osp_wait(os, NGX_STREAM_OSP_TAKEOVER_POLL,
                        ngx_stream_osp_takeover_wait_handler);

    return NGX_AGAIN;
}


static void
ngx_stream_osp_takeover_wait_handler(ngx_rtmp_route_wait_t *wait)
{
    ngx_connection_t          *c;
    ngx_stream_osp_session_t  *os;

    os = wait->data;
    os->setup->wait_set = 0;

    c = os->session->connection;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_stream_osp_open(os);
}


/*
 * The origin has refused the client, with info or by a close.  NGX_OK: it is
 * tried again; NGX_DECLINED: it is the answer.
 */

ngx_int_t
ngx_stream_osp_takeover_retry(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info)
{
    ngx_uint_t               n;
    ngx_msec_t               passed;
    ngx_connection_t        *c;
    ngx_stream_osp_setup_t  *setup;

    c = os->session->connection;
    setup = os->setup;

    passed = ngx_current_msec - setup->takeover_start;

    if (!setup->taken
        || os->moving
        || passed >= NGX_STREAM_OSP_TAKEOVER_RETRY
        || (info && !ngx_stream_osp_takeover_busy(info))
        || !ngx_osp_rtmp_track_idle(setup->track))
    {
        return NGX_DECLINED;
    }

    /* another one was faster, then that is the reason */

    if (ngx_rtmp_route_takeover(setup->route, &setup->query.key,
                                NGX_RTMP_ROUTE_TAKEOVER_ASK)
        != NGX_DECLINED)
    {
        return NGX_DECLINED;
    }

    n = sizeof(ngx_stream_osp_takeover_delays) / sizeof(ngx_msec_t) - 1;
    n = ngx_min(n, setup->retries);

    setup->retries++;

    ngx_log_error(NGX_LOG_INFO, os->origin->log, 0,
                  "upstream still has the stream, trying again in %M ms",
                  ngx_stream_osp_takeover_delays[n]);

    ngx_stream_osp_origin_close(os);

    setup->phase = ngx_stream_osp_retrying;
    c->log->action = "waiting to try an upstream server again";

    if (ngx_stream_osp_watch(os) != NGX_OK) {
        return NGX_OK;
    }

    ngx_add_timer(c->read, ngx_stream_osp_takeover_delays[n]);

    return NGX_OK;
}


/* whether it says that somebody else publishes the stream */

static ngx_uint_t
ngx_stream_osp_takeover_busy(ngx_osp_rtmp_info_t *info)
{
    ngx_uint_t   i, n;
    ngx_str_t   *text;

    static ngx_str_t  words[] = {
        ngx_string("BadName"),
        ngx_string("StreamBusy")
    };

    for (i = 0; i < 2; i++) {
        text = i ? &info->description : &info->code;

        for (n = 0; n < sizeof(words) / sizeof(ngx_str_t); n++) {

            if (text->len >= words[n].len
                && ngx_strlcasestrn(text->data, text->data + text->len,
                                    words[n].data, words[n].len - 1)
                   != NULL)
            {
                return 1;
            }
        }
    }

    return 0;
}
