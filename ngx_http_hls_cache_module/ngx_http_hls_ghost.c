
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_lone.h"


static ngx_int_t ngx_http_hls_ghost_place(ngx_http_hls_ghost_t *ghost,
    ngx_http_request_t *r);
static ngx_int_t ngx_http_hls_ghost_build(ngx_http_hls_ghost_t *ghost,
    ngx_http_request_t *pr);
static ngx_int_t ngx_http_hls_ghost_uri(ngx_http_request_t *pr,
    ngx_str_t *unparsed, ngx_str_t *uri, ngx_str_t *args);
static void ngx_http_hls_ghost_event_handler(ngx_event_t *ev);
static void ngx_http_hls_ghost_done(ngx_http_hls_lone_t *lone);
static void ngx_http_hls_ghost_end(ngx_http_hls_ghost_t *ghost);


/* that run in this process */

static ngx_queue_t           ngx_http_hls_ghosts;

/* for requests of a ghost that has ended */

static ngx_http_hls_ghost_t  ngx_http_hls_ghost_gone;


ngx_http_hls_ghost_t *
ngx_http_hls_ghost_create(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_array_t *pass)
{
    ngx_pool_t                *pool;
    ngx_http_hls_ghost_t      *ghost;
    ngx_http_core_srv_conf_t  *cscf;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 16, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ghost = ngx_pcalloc(pool, sizeof(ngx_http_hls_ghost_t));
    if (ghost == NULL) {
        goto failed;
    }

    ghost->pool = pool;

    if (uri == NULL) {

        if (ngx_http_hls_ghost_place(ghost, r) != NGX_OK) {
            goto failed;
        }

        uri = &r->unparsed_uri;
    }

    ghost->uri.len = uri->len;
    ghost->uri.data = ngx_pstrdup(pool, uri);
    if (ghost->uri.data == NULL) {
        goto failed;
    }

    ghost->host.len = r->headers_in.server.len;
    ghost->host.data = ngx_pstrdup(pool, &r->headers_in.server);
    if (ghost->host.data == NULL) {
        goto failed;
    }

    /* what the choice of the server has captured, it is not chosen again */

    ghost->variables = ngx_http_hls_fill_variables(r, pool, 1);
    if (ghost->variables == NULL) {
        goto failed;
    }

    if (pass) {
        ghost->passed = ngx_http_hls_fill_passed(r, pool, pass);

        if (ghost->passed == NULL) {
            goto failed;
        }
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ghost->listening = r->connection->listening;
    ghost->hc.addr_conf = r->main->http_connection->addr_conf;
    ghost->hc.conf_ctx = cscf->ctx;

    ghost->event.handler = ngx_http_hls_ghost_event_handler;
    ghost->event.data = ghost;
    ghost->event.log = ngx_cycle->log;

    return ghost;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_int_t
ngx_http_hls_ghost_place(ngx_http_hls_ghost_t *ghost, ngx_http_request_t *r)
{
    ghost->place = ngx_palloc(ghost->pool, sizeof(ngx_http_hls_place_t));
    if (ghost->place == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_hls_fill_place(r, ghost->pool, ghost->place) != NGX_OK) {
        return NGX_ERROR;
    }

    ghost->path.len = r->uri.len;
    ghost->path.data = ngx_pstrdup(ghost->pool, &r->uri);

    if (ghost->path.data == NULL) {
        return NGX_ERROR;
    }

    if (r->args.len == 0) {
        return NGX_OK;
    }

    ghost->args.len = r->args.len;
    ghost->args.data = ngx_pstrdup(ghost->pool, &r->args);

    return ghost->args.data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_hls_ghost_run(ngx_http_hls_ghost_t *ghost)
{
    ngx_http_hls_lone_t  *lone;

    if (ghost->running) {
        return NGX_ERROR;
    }

    lone = ngx_http_hls_lone_create(ghost->listening, &ghost->hc,
                                    ghost->hc.conf_ctx);
    if (lone == NULL) {
        return NGX_ERROR;
    }

    lone->ghost = 1;

    if (ngx_http_hls_ghost_build(ghost, lone->parent) != NGX_OK) {
        ngx_http_hls_lone_free(lone);
        return NGX_ERROR;
    }

    lone->data = ghost;
    lone->done = ngx_http_hls_ghost_done;

    ghost->lone = lone;
    ghost->connection = lone->connection;
    ghost->running = 1;

    ngx_queue_insert_tail(&ngx_http_hls_ghosts, &ghost->queue);

    ngx_post_event(&ghost->event, &ngx_posted_events);

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_ghost_build(ngx_http_hls_ghost_t *ghost, ngx_http_request_t *pr)
{
    ngx_str_t  uri, args;

    if (ghost->place) {
        uri = ghost->path;
        args = ghost->args;

    } else if (ngx_http_hls_ghost_uri(pr, &ghost->uri, &uri, &args)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_hls_fill_request_line(pr, &uri, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_hls_fill_headers(pr, &ghost->host, ghost->passed) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ghost->place) {
        return ngx_http_hls_fill_set_place(pr, ghost->place);
    }

    return ngx_http_hls_fill_set_variables(pr, ghost->variables);
}


static ngx_int_t
ngx_http_hls_ghost_uri(ngx_http_request_t *pr, ngx_str_t *unparsed,
    ngx_str_t *uri, ngx_str_t *args)
{
    u_char                    *p;
    ngx_http_core_srv_conf_t  *cscf;

    ngx_str_null(args);

    if (unparsed->len == 0 || unparsed->data[0] != '/') {
        return NGX_ERROR;
    }

    /* it is expected to be followed by something */

    p = ngx_pnalloc(pr->pool, 2 * (unparsed->len + 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    pr->uri.data = p + unparsed->len + 1;

    pr->uri_start = p;
    p = ngx_cpymem(p, unparsed->data, unparsed->len);
    pr->uri_end = p;
    *p = ' ';

    cscf = ngx_http_get_module_srv_conf(pr, ngx_http_core_module);

    if (ngx_http_parse_complex_uri(pr, cscf->merge_slashes) != NGX_OK) {
        return NGX_ERROR;
    }

    *uri = pr->uri;

    if (pr->args_start) {
        args->data = pr->args_start;
        args->len = pr->uri_end - pr->args_start;

    } else {
        *args = pr->args;
    }

    return NGX_OK;
}


void
ngx_http_hls_ghost_free(ngx_http_hls_ghost_t *ghost)
{
    if (ghost->running) {
        ghost->freed = 1;
        return;
    }

    ngx_destroy_pool(ghost->pool);
}


ngx_http_hls_ghost_t *
ngx_http_hls_ghost_of(ngx_http_request_t *r)
{
    ngx_http_hls_lone_t  *lone;

    lone = ngx_http_hls_lone_of(r);

    if (lone == NULL || !lone->ghost) {
        return NULL;
    }

    return lone->data ? lone->data : &ngx_http_hls_ghost_gone;
}


static void
ngx_http_hls_ghost_event_handler(ngx_event_t *ev)
{
    ngx_http_hls_ghost_t *ghost = ev->data;

    if (ghost->lone == NULL) {
        ngx_http_hls_ghost_end(ghost);
        return;
    }

    if (ghost->freed) {
        ngx_http_hls_lone_close(ghost->lone);
        return;
    }

    ngx_http_hls_lone_run(ghost->lone, NGX_HTTP_SUBREQUEST_WAITED
                                       |(ghost->place
                                         ? NGX_HTTP_SUBREQUEST_CLONE : 0));
}


static void
ngx_http_hls_ghost_done(ngx_http_hls_lone_t *lone)
{
    ngx_http_hls_ghost_t  *ghost;

    ghost = lone->data;

    ghost->lone = NULL;
    ghost->connection = NULL;

    ngx_post_event(&ghost->event, &ngx_posted_events);
}


static void
ngx_http_hls_ghost_end(ngx_http_hls_ghost_t *ghost)
{
    ngx_queue_remove(&ghost->queue);

    if (ghost->event.posted) {
        ngx_delete_posted_event(&ghost->event);
    }

    ghost->running = 0;

    if (ghost->freed) {
        ngx_destroy_pool(ghost->pool);
        return;
    }

    if (ghost->end) {
        ghost->end(ghost);
    }
}


void
ngx_http_hls_ghost_init(void)
{
    ngx_queue_init(&ngx_http_hls_ghosts);
}


void
ngx_http_hls_ghost_exit(void)
{
    ngx_queue_t           *q;
    ngx_http_hls_ghost_t  *ghost;

    while (!ngx_queue_empty(&ngx_http_hls_ghosts)) {

        q = ngx_queue_head(&ngx_http_hls_ghosts);
        ghost = ngx_queue_data(q, ngx_http_hls_ghost_t, queue);

        if (ghost->lone) {
            ngx_http_hls_lone_leave(ghost->lone);
            ghost->lone = NULL;
        }

        ngx_http_hls_ghost_end(ghost);
    }
}
