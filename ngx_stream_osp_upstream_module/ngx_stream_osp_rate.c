
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The speed at which the relay reads a side.  There is credit for a second at
 * most, so that key frames pass as they come; who has used it up is not read
 * until there is some again, and then TCP slows the sender down.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_stream_osp_relay.h"


/* it is not read for less than what is allowed in that time, ms */

#define NGX_STREAM_OSP_RATE_STEP  50

/* credit that is saved, ms */

#define NGX_STREAM_OSP_RATE_SAVE  1000


struct ngx_stream_osp_rate_s {
    ngx_event_t                    event;
    uint64_t                       rate;         /* bytes a second */
    uint64_t                       credit;       /* bytes / 1000 */
    ngx_msec_t                     last;
};


static ngx_int_t ngx_stream_osp_rate_create(ngx_stream_osp_session_t *os,
    ngx_uint_t dir, ngx_stream_complex_value_t *value);
static void ngx_stream_osp_rate_handler(ngx_event_t *ev);


ngx_int_t
ngx_stream_osp_rate_start(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_srv_conf_t  *conf;

    conf = os->conf;

    if (conf->upload_rate
        && ngx_stream_osp_rate_create(os, NGX_STREAM_OSP_UP,
                                      conf->upload_rate)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->download_rate
        && ngx_stream_osp_rate_create(os, NGX_STREAM_OSP_DOWN,
                                      conf->download_rate)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_rate_create(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_stream_complex_value_t *value)
{
    size_t                  size;
    ngx_connection_t       *c;
    ngx_stream_osp_rate_t  *rate;

    c = os->session->connection;

    size = ngx_stream_complex_value_size(os->session, value, 0);

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, c->log, 0,
                   "osp rate %ui: %uz", dir, size);

    if (size == 0) {
        return NGX_OK;
    }

    rate = ngx_pcalloc(c->pool, sizeof(ngx_stream_osp_rate_t));
    if (rate == NULL) {
        return NGX_ERROR;
    }

    /* whatever is more is no limit */

    rate->rate = ngx_min((uint64_t) size, 1000000000000);
    rate->credit = rate->rate * NGX_STREAM_OSP_RATE_SAVE;
    rate->last = ngx_current_msec;

    rate->event.handler = ngx_stream_osp_rate_handler;
    rate->event.data = os;
    rate->event.log = c->log;
    rate->event.cancelable = 1;

    os->flow[dir].rate = rate;

    return NGX_OK;
}


size_t
ngx_stream_osp_rate_room(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    size_t size)
{
    uint64_t                room, step;
    ngx_msec_t              passed;
    ngx_connection_t       *c;
    ngx_stream_osp_rate_t  *rate;

    c = os->session->connection;
    rate = os->flow[dir].rate;

    /*
     * what a client has left that has gone: its end is waited for, and there
     * is nobody to be slowed down
     */

    if (dir == NGX_STREAM_OSP_UP && c->read->pending_eof) {
        return size;
    }

    if (rate->event.timer_set) {
        return 0;
    }

    passed = ngx_current_msec - rate->last;
    rate->last = ngx_current_msec;

    rate->credit += rate->rate * ngx_min(passed, NGX_STREAM_OSP_RATE_SAVE);
    rate->credit = ngx_min(rate->credit,
                           rate->rate * NGX_STREAM_OSP_RATE_SAVE);

    room = rate->credit / 1000;
    step = rate->rate * NGX_STREAM_OSP_RATE_STEP / 1000;
    step = ngx_max(step, 1);

    if (room < step) {
        ngx_add_timer(&rate->event,
                      (ngx_msec_t) ((step * 1000 - rate->credit + rate->rate
                                     - 1) / rate->rate));
        return 0;
    }

    return (size_t) ngx_min((uint64_t) size, room);
}


void
ngx_stream_osp_rate_used(ngx_stream_osp_flow_t *flow, size_t size)
{
    uint64_t  used;

    used = (uint64_t) size * 1000;

    flow->rate->credit -= ngx_min(used, flow->rate->credit);
}


static void
ngx_stream_osp_rate_handler(ngx_event_t *ev)
{
    ngx_uint_t                 dir;
    ngx_stream_osp_session_t  *os;

    os = ev->data;

    ev->timedout = 0;

    dir = (os->flow[NGX_STREAM_OSP_UP].rate
           && ev == &os->flow[NGX_STREAM_OSP_UP].rate->event)
          ? NGX_STREAM_OSP_UP : NGX_STREAM_OSP_DOWN;

    ngx_stream_osp_relay(os, dir);
}


ngx_uint_t
ngx_stream_osp_rate_delayed(ngx_stream_osp_session_t *os, ngx_uint_t dir)
{
    ngx_stream_osp_rate_t  *rate;

    rate = os->flow[dir].rate;

    return rate && rate->event.timer_set;
}


void
ngx_stream_osp_rate_free(ngx_stream_osp_session_t *os)
{
    ngx_uint_t              dir;
    ngx_stream_osp_rate_t  *rate;

    for (dir = 0; dir < 2; dir++) {
        rate = os->flow[dir].rate;

        if (rate == NULL) {
            continue;
        }

        if (rate->event.timer_set) {
            ngx_del_timer(&rate->event);
        }

        os->flow[dir].rate = NULL;
    }
}
