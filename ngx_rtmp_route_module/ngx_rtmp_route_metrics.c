
/*
 * Copyright (C) The nginx-osp authors
 */


/* Counting, for this module and others. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_metrics.h"


static ngx_rtmp_route_counters_t *ngx_rtmp_route_counters(
    ngx_rtmp_route_t *route);


void
ngx_rtmp_route_count_end(ngx_rtmp_route_t *route, ngx_uint_t reason)
{
    ngx_rtmp_route_counters_t  *counters;

    counters = ngx_rtmp_route_counters(route);

    if (counters && reason < NGX_RTMP_ROUTE_MAX_REASONS) {
        (void) ngx_atomic_fetch_add(&counters->ended[reason], 1);
    }
}


void
ngx_rtmp_route_count_setup(ngx_rtmp_route_t *route, ngx_msec_t time)
{
    ngx_uint_t                  i;
    ngx_rtmp_route_counters_t  *counters;

    counters = ngx_rtmp_route_counters(route);

    if (counters == NULL) {
        return;
    }

    for (i = 0; i < NGX_RTMP_ROUTE_SETUP_BUCKETS - 1; i++) {
        if (time <= ngx_rtmp_route_setup_limit(i)) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&counters->setup_time, time);
    (void) ngx_atomic_fetch_add(&counters->setup[i], 1);
}


void
ngx_rtmp_route_reasons(ngx_conf_t *cf, ngx_str_t *(*name)(ngx_uint_t n),
    ngx_uint_t n)
{
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(cf->cycle);

    rmcf->reason = name;
    rmcf->nreasons = ngx_min(n, NGX_RTMP_ROUTE_MAX_REASONS);
}


void
ngx_rtmp_route_count_registration(ngx_rtmp_route_t *route,
    ngx_uint_t status)
{
    ngx_uint_t                  n;
    ngx_rtmp_route_counters_t  *counters;

    counters = ngx_rtmp_route_counters(route);

    if (counters == NULL) {
        return;
    }

    switch (status) {

    case 200:
        (void) ngx_atomic_fetch_add(&counters->registered, 1);
        return;

    case 400:
        n = NGX_RTMP_ROUTE_REFUSED_INVALID;
        break;

    case 401:
        n = NGX_RTMP_ROUTE_REFUSED_TOKEN;
        break;

    case 403:
        n = NGX_RTMP_ROUTE_REFUSED_DENIED;
        break;

    case 413:
        n = NGX_RTMP_ROUTE_REFUSED_LARGE;
        break;

    case 507:
        n = NGX_RTMP_ROUTE_REFUSED_FULL;
        break;

    default:
        n = NGX_RTMP_ROUTE_REFUSED_OTHER;
        break;
    }

    (void) ngx_atomic_fetch_add(&counters->refused[n], 1);
}


static ngx_rtmp_route_counters_t *
ngx_rtmp_route_counters(ngx_rtmp_route_t *route)
{
    return route ? ngx_rtmp_route_table_counters(&route->table)
                 : ngx_rtmp_route_slots_counters();
}
