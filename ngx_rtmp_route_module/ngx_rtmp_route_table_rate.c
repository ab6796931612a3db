
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * How fast a session is, in the last seconds.  The process whose it is keeps
 * some samples, and notes in the record how fast it was when the last one was
 * taken, and how much it had passed by then.  Who asks adds what has passed
 * since: however late the next sample comes, what is older than the window
 * does not count any more.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


#define NGX_RTMP_ROUTE_RATE_WINDOW  5000    /* ms */
#define NGX_RTMP_ROUTE_RATE_LATE    500     /* a sample may be so much older */
#define NGX_RTMP_ROUTE_RATE_LEAST   1000    /* at the start: that long */


/* the media comes from a publisher, and goes to a player */

#define ngx_rtmp_route_session_bytes(s)                                       \
    (((s)->kind == NGX_RTMP_ROUTE_PUBLISH) ? (s)->in : (s)->out)


static void ngx_rtmp_route_session_sample(ngx_rtmp_route_session_cell_t *s,
    ngx_rtmp_route_session_t *session);


void
ngx_rtmp_route_table_rates(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_session_t **sessions, ngx_uint_t n)
{
    ngx_uint_t                      i;
    ngx_rtmp_route_session_cell_t  *s;

    ngx_rtmp_route_table_lock(table);

    for (i = 0; i < n; i++) {
        s = ngx_rtmp_route_session_own(table->sh, sessions[i]);

        if (s) {
            ngx_rtmp_route_session_carry(table->sh, sessions[i]->cell, 0);
            ngx_rtmp_route_session_sample(s, sessions[i]);
        }
    }

    ngx_rtmp_route_table_unlock(table);
}


/* since the oldest sample that is not too old, or the newest one of all */

static void
ngx_rtmp_route_session_sample(ngx_rtmp_route_session_cell_t *s,
    ngx_rtmp_route_session_t *session)
{
    uint32_t                  now, bytes, passed;
    uint64_t                  rate;
    ngx_uint_t                i, k;
    ngx_rtmp_route_sample_t  *sample;

    now = (uint32_t) ngx_current_msec;
    bytes = (uint32_t) ngx_rtmp_route_session_bytes(s);

    k = session->sampled;

    for (i = 0; i < NGX_RTMP_ROUTE_SAMPLES; i++) {
        sample = &session->samples[(k + i) % NGX_RTMP_ROUTE_SAMPLES];
        passed = now - sample->time;

        if (passed <= NGX_RTMP_ROUTE_RATE_WINDOW + NGX_RTMP_ROUTE_RATE_LATE) {
            break;
        }
    }

    sample = &session->samples[(k + ngx_min(i, NGX_RTMP_ROUTE_SAMPLES - 1))
                               % NGX_RTMP_ROUTE_SAMPLES];
    passed = now - sample->time;

    rate = (uint64_t) (bytes - sample->bytes) * 1000
           / ngx_max(passed, 1);

    s->rate = (uint32_t) ngx_min(rate, NGX_MAX_UINT32_VALUE);
    s->sampled = now;
    s->sample = bytes;

    session->samples[k].time = now;
    session->samples[k].bytes = bytes;
    session->sampled = (k + 1) % NGX_RTMP_ROUTE_SAMPLES;
}


uint64_t
ngx_rtmp_route_session_rate(ngx_rtmp_route_session_cell_t *s)
{
    double    bytes;
    int32_t   since, before;
    uint32_t  now;

    now = (uint32_t) ngx_current_msec;

    since = ngx_max((int32_t) (now - s->sampled), 0);
    before = 0;

    bytes = (uint32_t) ngx_rtmp_route_session_bytes(s) - s->sample;

    if (since < NGX_RTMP_ROUTE_RATE_WINDOW) {

        /* that much of the time that the noted rate is about */

        before = ngx_max((int32_t) (s->sampled - (uint32_t) s->started), 0);
        before = ngx_min(before, NGX_RTMP_ROUTE_RATE_WINDOW - since);

        bytes += (double) s->rate * before / 1000;
    }

    return (uint64_t) (bytes * 8000 / ngx_max(since + before,
                                              NGX_RTMP_ROUTE_RATE_LEAST));
}
