
/*
 * Copyright (C) The nginx-osp authors
 */


/* Requests that wait in a phase, here and in the cache. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"


ngx_int_t
ngx_http_rtmp_route_hold(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (r == r->main) {

        if (c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);

        } else {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_OK;
}


void
ngx_http_rtmp_route_go_on(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (r == r->main) {

        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            goto done;
        }

        r->read_event_handler = ngx_http_block_reading;
    }

    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

done:

    ngx_http_run_posted_requests(c);
}
