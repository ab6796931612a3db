
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_tier.h"


/* less is sent from memory, together with the header */
#define NGX_HTTP_HLS_SENDFILE_MIN  16384


/* of a body that is sent while it is filled */

struct ngx_http_hls_sender_s {
    ngx_http_request_t         *request;
    ngx_chain_t                *free;
    ngx_chain_t                *busy;
    ngx_file_t                  file;
    off_t                       sent;
};


static ngx_int_t ngx_http_hls_send_header(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_http_hls_head_t *head, ngx_uint_t gzip);
static ngx_int_t ngx_http_hls_send_times(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static u_char *ngx_http_hls_send_number(u_char *p, ngx_uint_t n);
static ngx_int_t ngx_http_hls_send_whole(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, off_t offset, off_t len);
static ngx_file_t *ngx_http_hls_send_file(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_file_t *file);
static ngx_int_t ngx_http_hls_send_stream(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_send_piece(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx, ngx_uint_t last);
static ngx_int_t ngx_http_hls_send_push(ngx_http_request_t *r);
static ngx_int_t ngx_http_hls_send_rest(ngx_http_request_t *r,
    ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_send_write_handler(ngx_http_request_t *r);
static void ngx_http_hls_send_wait_handler(ngx_http_hls_ctx_t *ctx);
static ngx_uint_t ngx_http_hls_send_gzip(ngx_http_request_t *r,
    ngx_http_hls_head_t *head);


ngx_int_t
ngx_http_hls_send(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    off_t                 offset, len;
    ngx_int_t             rc;
    ngx_uint_t            gzip, filling;
    ngx_http_hls_body_t  *body;
    ngx_http_hls_head_t   head;

    body = &ctx->found.body;

    if (ngx_http_hls_head_unpack(body->head, body->head_len, &head)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    filling = (body->state != NGX_HTTP_HLS_BODY_DONE);

    if (filling) {

        /*
         * without a length there are no ranges, and HTTP/1.0 and HEAD do not
         * tell the end; ranges are in one buffer if there are several
         */

        if (body->total == -1
            && (r->headers_in.range
                || r->http_version < NGX_HTTP_VERSION_11
                || r->method == NGX_HTTP_HEAD))
        {
            return NGX_AGAIN;
        }

        if (r->headers_in.range
            && ngx_strlchr(r->headers_in.range->value.data,
                           r->headers_in.range->value.data
                           + r->headers_in.range->value.len, ','))
        {
            return NGX_AGAIN;
        }
    }

    gzip = ngx_http_hls_send_gzip(r, &head);

    offset = gzip ? head.gzip : 0;

    if (filling) {
        len = body->total;

    } else if (head.gzip) {
        len = gzip ? head.gzip_len : head.len;

    } else {
        len = body->len;
    }

    r->headers_out.status = body->status ? body->status : NGX_HTTP_OK;
    r->headers_out.content_length_n = len;

    if (ngx_http_hls_send_header(r, ctx, &head, gzip) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->allow_ranges = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    if (filling) {
        return ngx_http_hls_send_stream(r, ctx);
    }

    rc = ngx_http_hls_send_whole(r, ctx, offset, len);

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_hls_send_header(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_http_hls_head_t *head, ngx_uint_t gzip)
{
    u_char           *p;
    ngx_str_t        *etag;
    ngx_table_elt_t  *h;

    if (head->type.len) {

        r->headers_out.content_type = head->type;

        p = ngx_strlchr(head->type.data, head->type.data + head->type.len,
                        ';');

        r->headers_out.content_type_len = p ? (size_t) (p - head->type.data)
                                            : head->type.len;
        r->headers_out.content_type_lowcase = NULL;

    } else if (ngx_http_set_content_type(r) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_out.last_modified_time = head->modified;

    if (head->date.len) {

        h = ngx_http_hls_send_add(r, "Last-Modified",
                                  sizeof("Last-Modified") - 1,
                                  head->date.data, head->date.len);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.last_modified = h;
    }

    if (ctx->target.kind == NGX_HTTP_HLS_PLAYLIST
        || ctx->target.kind == NGX_HTTP_HLS_MANIFEST)
    {
        /* one that has changed twice within a second has the same time */

        r->headers_in.if_modified_since = NULL;
    }

    etag = gzip ? &head->etag_gzip : &head->etag;

    if (etag->len) {

        h = ngx_http_hls_send_add(r, "ETag", 4, etag->data, etag->len);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.etag = h;
    }

    if (gzip) {

        h = ngx_http_hls_send_add(r, "Content-Encoding",
                                  sizeof("Content-Encoding") - 1,
                                  (u_char *) "gzip", 4);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.content_encoding = h;
    }

    if (head->gzip) {

#if (NGX_HTTP_GZIP)
        ngx_http_core_loc_conf_t  *clcf;

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (clcf->gzip_vary) {
            r->gzip_vary = 1;

        } else
#endif
        if (ngx_http_hls_send_add(r, "Vary", 4, (u_char *) "Accept-Encoding",
                                  sizeof("Accept-Encoding") - 1)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_hls_send_times(r, ctx);
}


static ngx_int_t
ngx_http_hls_send_times(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    u_char                *p;
    time_t                 age;
    ngx_str_t              control;
    ngx_msec_int_t         left;
    ngx_http_hls_data_t   *data;
    ngx_http_hls_found_t  *found;

    found = &ctx->found;

    /* of the content, for the variable; of the answer, for the header */

    ctx->age = (time_t) ((ngx_current_msec - found->times.changed) / 1000);

    age = ngx_time() - found->body.created;

    if (age < 0 || found->body.state != NGX_HTTP_HLS_BODY_DONE) {
        age = 0;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + sizeof("max-age=")
                             + NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    control.data = p;

    if (found->body.state == NGX_HTTP_HLS_BODY_FILLING) {
        ctx->age = 0;
        left = 0;

    } else {
        left = (ngx_msec_int_t) (found->times.fresh - ngx_current_msec);
        left = ngx_max(left, 0) / 1000;
    }

    if (ngx_http_hls_tier_tell(r, ctx, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (ctx->target.kind) {

    case NGX_HTTP_HLS_KEY:
        return ngx_http_hls_send_control(r, "no-store", 8);

    case NGX_HTTP_HLS_PLAYLIST:
    case NGX_HTTP_HLS_MANIFEST:

        if (left == 0 || ctx->status == NGX_HTTP_HLS_STALE) {

            if (ngx_http_hls_send_control(r, "no-cache", 8) != NGX_OK) {
                return NGX_ERROR;
            }

            goto age;
        }

        break;

    default:

        /* all its life, of which the age is gone */

        if (found->body.state == NGX_HTTP_HLS_BODY_FILLING) {
            data = (ngx_http_hls_data_t *) found->times.data;
            left = ngx_max(3 * (ngx_msec_int_t) data->target,
                           NGX_HTTP_HLS_LIFE_MIN) / 1000;
        }

        left += age;
        break;
    }

    p = ngx_cpymem(p, "max-age=", sizeof("max-age=") - 1);
    p = ngx_http_hls_send_number(p, left);
    control.len = p - control.data;

    if (ngx_http_hls_send_control(r, (char *) control.data, control.len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

age:

    control.data = p;
    control.len = ngx_http_hls_send_number(p, age) - p;

    if (ngx_http_hls_send_add(r, "Age", 3, control.data, control.len)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* ngx_sprintf() takes its time */

static u_char *
ngx_http_hls_send_number(u_char *p, ngx_uint_t n)
{
    u_char  *last, buf[NGX_INT_T_LEN];

    last = buf + NGX_INT_T_LEN;

    do {
        *--last = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return ngx_cpymem(p, last, buf + NGX_INT_T_LEN - last);
}


ngx_int_t
ngx_http_hls_send_control(ngx_http_request_t *r, const char *value, size_t len)
{
    ngx_table_elt_t  *h;

#if (nginx_version < 1023000)

    ngx_table_elt_t  **cc;

    if (r->headers_out.cache_control.elts == NULL
        && ngx_array_init(&r->headers_out.cache_control, r->pool, 1,
                          sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    cc = ngx_array_push(&r->headers_out.cache_control);
    if (cc == NULL) {
        return NGX_ERROR;
    }

#endif

    h = ngx_http_hls_send_add(r, "Cache-Control", sizeof("Cache-Control") - 1,
                              (u_char *) value, len);
    if (h == NULL) {
        return NGX_ERROR;
    }

#if (nginx_version < 1023000)
    *cc = h;
#else
    r->headers_out.cache_control = h;
#endif

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_hls_send_add(ngx_http_request_t *r, const char *key, size_t key_len,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.len = key_len;
    h->key.data = (u_char *) key;
    h->value.len = len;
    h->value.data = value;
    h->lowcase_key = NULL;

    return h;
}


static ngx_int_t
ngx_http_hls_send_whole(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    off_t offset, off_t len)
{
    ngx_buf_t            *b;
    ngx_chain_t           out;
    ngx_http_hls_body_t  *body;

    body = &ctx->found.body;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        b->memory = 1;
        b->pos = body->data + offset;
        b->last = b->pos + len;

        if (len >= NGX_HTTP_HLS_SENDFILE_MIN
            && ctx->target.kind == NGX_HTTP_HLS_SEGMENT
            && r->connection->sendfile)
        {
            /* what sends it chooses */

            b->file = ngx_http_hls_send_file(r, ctx, NULL);
            if (b->file == NULL) {
                return NGX_ERROR;
            }

            b->in_file = 1;
            b->file_pos = body->offset + offset;
            b->file_last = b->file_pos + len;
        }
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_file_t *
ngx_http_hls_send_file(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_file_t *file)
{
    if (file == NULL) {
        file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
        if (file == NULL) {
            return NULL;
        }
    }

    file->fd = ctx->zone->store.window->fd;
    file->log = r->connection->log;
    ngx_str_set(&file->name, "hls cache");

    return file;
}


static ngx_int_t
ngx_http_hls_send_stream(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_connection_t       *c;
    ngx_http_hls_sender_t  *s;

    c = r->connection;

    s = ngx_pcalloc(r->pool, sizeof(ngx_http_hls_sender_t));
    if (s == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    s->request = r;

    (void) ngx_http_hls_send_file(r, ctx, &s->file);

    ctx->sender = s;

    ngx_queue_insert_tail(&ctx->zone->senders, &ctx->queue);

    if (r == r->main) {

        if (c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);

        } else {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_ERROR);
                return NGX_DONE;
            }
        }

        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_hls_send_write_handler;

    ngx_http_hls_send_more(ctx);

    return NGX_DONE;
}


/* sends what there is, then waits for more of it or for the client */

void
ngx_http_hls_send_more(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 state, flushed;
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_hls_body_t       *body;
    ngx_http_hls_sender_t     *s;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    c = r->connection;
    wev = c->write;
    s = ctx->sender;
    body = &ctx->found.body;

    flushed = 0;

    for ( ;; ) {

        if (r->buffered || r->postponed || (r == r->main && c->buffered)) {

            /* the end of a chunk may lie in a buffer of TLS */

            if (wev->ready && !wev->delayed && !flushed) {

                if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
                    ngx_http_finalize_request(r, NGX_ERROR);
                    return;
                }

                flushed = 1;
                continue;
            }

            clcf = ngx_http_get_module_loc_conf(r->main,
                                                ngx_http_core_module);

            if (!wev->delayed) {
                ngx_add_timer(wev, clcf->send_timeout);
            }

            if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_ERROR);
            }

            return;
        }

        if (wev->timer_set && !wev->delayed) {
            ngx_del_timer(wev);
        }

        flushed = 0;

        ngx_http_hls_store_progress(&ctx->zone->store, body);

        state = body->state;

        if (body->len > s->sent || state == NGX_HTTP_HLS_BODY_DONE) {

            rc = ngx_http_hls_send_piece(r, ctx,
                                         state == NGX_HTTP_HLS_BODY_DONE);

            if (rc == NGX_ERROR || state == NGX_HTTP_HLS_BODY_DONE) {
                ngx_http_finalize_request(r, rc);
                return;
            }

            continue;
        }

        if (ngx_http_hls_send_push(r) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }

        if (state != NGX_HTTP_HLS_BODY_FILLING || ctx->private) {

            rc = ngx_http_hls_send_rest(r, ctx);

            if (rc == NGX_OK) {
                continue;
            }

            if (rc != NGX_AGAIN) {
                ngx_http_finalize_request(r, (rc == NGX_DONE) ? NGX_OK : rc);
            }

            return;
        }

        rc = ngx_http_hls_wait(ctx, ngx_http_hls_send_wait_handler,
                               ctx->conf->fill_timeout);

        if (rc == NGX_OK) {
            return;
        }

        if (rc != NGX_DECLINED) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }
    }
}


static ngx_int_t
ngx_http_hls_send_piece(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx,
    ngx_uint_t last)
{
    ngx_int_t               rc;
    ngx_buf_t              *b;
    ngx_chain_t            *out, *cl;
    ngx_http_hls_body_t    *body;
    ngx_http_hls_sender_t  *s;

    s = ctx->sender;
    body = &ctx->found.body;

    cl = ngx_chain_get_free_buf(r->pool, &s->free);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    b = cl->buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->tag = (ngx_buf_tag_t) &ngx_http_hls_cache_module;

    if (body->len > s->sent) {
        b->memory = 1;
        b->pos = body->data + s->sent;
        b->last = body->data + body->len;

        if (body->len - s->sent >= NGX_HTTP_HLS_SENDFILE_MIN
            && r->connection->sendfile)
        {
            b->in_file = 1;
            b->file = &s->file;
            b->file_pos = body->offset + s->sent;
            b->file_last = body->offset + body->len;
        }

        s->sent = body->len;
    }

    if (last) {
        b->last_buf = (r == r->main) ? 1 : 0;
        b->last_in_chain = 1;

    } else {
        b->flush = 1;
    }

    out = cl;

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &s->free, &s->busy, &out, b->tag);

    return rc;
}


/* what was sent is not to wait for what is not there yet */

static ngx_int_t
ngx_http_hls_send_push(ngx_http_request_t *r)
{
    ngx_connection_t          *c;
    ngx_http_core_loc_conf_t  *clcf;

    if (r->http_version >= NGX_HTTP_VERSION_20) {
        return NGX_OK;
    }

    c = r->connection;

    if (c->tcp_nopush == NGX_TCP_NOPUSH_SET) {

        if (ngx_tcp_push(c->fd) == -1) {
            ngx_connection_error(c, ngx_socket_errno, ngx_tcp_push_n " failed");
            return NGX_ERROR;
        }

        c->tcp_nopush = NGX_TCP_NOPUSH_UNSET;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay) {
        return ngx_tcp_nodelay(c);
    }

    return NGX_OK;
}


/* what was not stored after all; otherwise the client shall know of it */

static ngx_int_t
ngx_http_hls_send_rest(ngx_http_request_t *r, ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->private == NULL) {

        rc = ngx_http_hls_private_start(r, ctx, ctx->sender->sent);

        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "hls cache fill failed while sending to client");
            return NGX_ERROR;
        }

        return NGX_AGAIN;
    }

    rc = ngx_http_hls_private_send(r, ctx);

    if (rc == NGX_DONE) {
        return (ngx_http_send_special(r, NGX_HTTP_LAST) == NGX_ERROR)
               ? NGX_ERROR : NGX_DONE;
    }

    return rc;
}


static void
ngx_http_hls_send_write_handler(ngx_http_request_t *r)
{
    ngx_event_t         *wev;
    ngx_connection_t    *c;
    ngx_http_hls_ctx_t  *ctx;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hls_cache_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (wev->delayed || r->aio) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    if (r->buffered || r->postponed || (r == r->main && c->buffered)) {

        if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }
    }

    if (ctx->wait && ctx->wait->watch) {
        return;
    }

    ngx_http_hls_send_more(ctx);
}


static void
ngx_http_hls_send_wait_handler(ngx_http_hls_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ctx->timedout) {
        ngx_log_error(NGX_LOG_ERR, c->log, NGX_ETIMEDOUT,
                      "hls cache fill timed out while sending to client");

        ngx_http_finalize_request(r, NGX_ERROR);

    } else {
        ngx_http_hls_send_more(ctx);
    }

    ngx_http_run_posted_requests(c);
}


/* as gzip_static does, whatever "gzip" says */

static ngx_uint_t
ngx_http_hls_send_gzip(ngx_http_request_t *r, ngx_http_hls_head_t *head)
{
    if (head->gzip == 0) {
        return 0;
    }

#if (NGX_HTTP_GZIP)

    if (!r->gzip_tested) {
        return ngx_http_gzip_ok(r) == NGX_OK;
    }

    return r->gzip_ok;

#else

    return 0;

#endif
}
