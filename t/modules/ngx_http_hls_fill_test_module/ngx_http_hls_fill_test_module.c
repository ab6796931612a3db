
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The directive "fill_test" starts a fill for each request, and answers with
 * what it has brought when it ends:
 *
 *     fill_test  [args=VALUE] [host=VALUE] [pass=NAME]... [timeout=TIME]
 *                [stop=create|start|header|body|TIME] [pause=TIME]
 *                [many=NUMBER] [ghost=URI];
 *
 * stop: where the fill is stopped; pause: after each piece; many: so many of
 * them, the last one is answered with; ghost: runs one, and answers when it
 * has ended.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_fill.h"


#define NGX_HTTP_HLS_FILL_TEST_CREATE  1
#define NGX_HTTP_HLS_FILL_TEST_START   2
#define NGX_HTTP_HLS_FILL_TEST_HEADER  3
#define NGX_HTTP_HLS_FILL_TEST_BODY    4
#define NGX_HTTP_HLS_FILL_TEST_TIMER   5


typedef struct {
    ngx_flag_t                 enable;
    ngx_http_complex_value_t  *args;
    ngx_http_complex_value_t  *host;
    ngx_array_t               *pass;
    ngx_str_t                  ghost;
    ngx_msec_t                 timeout;
    ngx_msec_t                 after;
    ngx_msec_t                 pause;
    ngx_uint_t                 stop;
    ngx_uint_t                 many;
} ngx_http_hls_fill_test_loc_conf_t;


typedef struct {
    ngx_http_request_t        *request;   /* NULL: the viewer has gone */
    ngx_http_hls_fill_t       *fill;
    ngx_chain_t               *body;
    ngx_chain_t              **last;
    off_t                      size;
    ngx_uint_t                 stop;
    ngx_msec_t                 pause;
    ngx_msec_t                 start;
    ngx_str_t                  uri;
    ngx_str_t                  type;
    ngx_str_t                  length;
    u_char                     times[1024];
    u_char                    *times_last;
    ngx_uint_t                 pieces;
    ngx_uint_t                 headers;
    ngx_uint_t                 paused;
    ngx_event_t                timer;
} ngx_http_hls_fill_test_t;


typedef struct {
    ngx_http_request_t        *request;
    ngx_http_hls_ghost_t      *ghost;
} ngx_http_hls_fill_test_ghost_t;


static ngx_int_t ngx_http_hls_fill_test_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_hls_fill_test_start(ngx_http_request_t *r,
    ngx_http_hls_fill_test_loc_conf_t *conf, ngx_uint_t viewer);
static ngx_int_t ngx_http_hls_fill_test_suspend(ngx_http_request_t *r,
    ngx_http_cleanup_pt handler, void *data);
static void ngx_http_hls_fill_test_viewer_cleanup(void *data);
static ngx_int_t ngx_http_hls_fill_test_header(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *sr);
static ngx_int_t ngx_http_hls_fill_test_body(ngx_http_hls_fill_t *fill,
    u_char *data, size_t len);
static void ngx_http_hls_fill_test_timer_handler(ngx_event_t *ev);
static void ngx_http_hls_fill_test_end(ngx_http_hls_fill_t *fill,
    ngx_uint_t complete);
static void ngx_http_hls_fill_test_answer(ngx_http_request_t *r,
    ngx_http_hls_fill_test_t *test, ngx_uint_t complete);
static ngx_int_t ngx_http_hls_fill_test_output(ngx_http_request_t *r,
    ngx_http_hls_fill_test_t *test);
static ngx_int_t ngx_http_hls_fill_test_add_header(ngx_http_request_t *r,
    char *name, const char *fmt, ...);
static ngx_int_t ngx_http_hls_fill_test_ghost(ngx_http_request_t *r,
    ngx_http_hls_fill_test_loc_conf_t *conf);
static void ngx_http_hls_fill_test_ghost_cleanup(void *data);
static void ngx_http_hls_fill_test_ghost_end(ngx_http_hls_ghost_t *ghost);
static void *ngx_http_hls_fill_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_hls_fill_test_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_hls_fill_test(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_hls_fill_test_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv);
static ngx_int_t ngx_http_hls_fill_test_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_hls_fill_test_commands[] = {

    { ngx_string("fill_test"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_ANY,
      ngx_http_hls_fill_test,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_hls_fill_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_hls_fill_test_init,           /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_hls_fill_test_create_loc_conf, /* create location configuration */
    ngx_http_hls_fill_test_merge_loc_conf  /* merge location configuration */
};


ngx_module_t  ngx_http_hls_fill_test_module = {
    NGX_MODULE_V1,
    &ngx_http_hls_fill_test_module_ctx,    /* module context */
    ngx_http_hls_fill_test_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_hls_fill_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                           rc;
    ngx_uint_t                          i;
    ngx_http_hls_fill_test_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_hls_fill_test_module);

    if (!conf->enable || ngx_http_hls_fill_of(r)) {
        return NGX_DECLINED;
    }

    if (conf->ghost.len) {
        return ngx_http_hls_fill_test_ghost(r, conf);
    }

    rc = NGX_DECLINED;

    for (i = 1; i <= conf->many; i++) {
        rc = ngx_http_hls_fill_test_start(r, conf, i == conf->many);
    }

    return rc;
}


static ngx_int_t
ngx_http_hls_fill_test_start(ngx_http_request_t *r,
    ngx_http_hls_fill_test_loc_conf_t *conf, ngx_uint_t viewer)
{
    ngx_http_hls_fill_t       *fill;
    ngx_http_hls_fill_test_t  *test;

    fill = ngx_http_hls_fill_create(r);

    if (fill == NULL) {

        if (ngx_http_hls_fill_test_add_header(r, "X-Fill-Declined", "yes")
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_DECLINED;
    }

    test = ngx_pcalloc(fill->pool, sizeof(ngx_http_hls_fill_test_t));
    if (test == NULL) {
        ngx_http_hls_fill_stop(fill);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    test->fill = fill;
    test->last = &test->body;
    test->stop = conf->stop;
    test->pause = conf->pause;
    test->start = ngx_current_msec;
    test->times_last = test->times;

    test->timer.handler = ngx_http_hls_fill_test_timer_handler;
    test->timer.data = test;
    test->timer.log = ngx_cycle->log;

    fill->data = test;
    fill->header = ngx_http_hls_fill_test_header;
    fill->body = ngx_http_hls_fill_test_body;
    fill->end = ngx_http_hls_fill_test_end;
    fill->timeout = conf->timeout;
    fill->pass = conf->pass;

    test->uri.len = r->uri.len;
    test->uri.data = ngx_pstrdup(fill->pool, &r->uri);

    if (conf->args
        && ngx_http_complex_value(r, conf->args, &fill->args) != NGX_OK)
    {
        ngx_http_hls_fill_stop(fill);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&fill->host, "origin.example");

    if (conf->host
        && ngx_http_complex_value(r, conf->host, &fill->host) != NGX_OK)
    {
        ngx_http_hls_fill_stop(fill);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (viewer) {

        if (ngx_http_hls_fill_test_suspend(r,
                               ngx_http_hls_fill_test_viewer_cleanup, test)
            != NGX_OK)
        {
            ngx_http_hls_fill_stop(fill);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        test->request = r;
    }

    if (conf->stop == NGX_HTTP_HLS_FILL_TEST_CREATE) {
        ngx_http_hls_fill_stop(fill);
        return NGX_DONE;
    }

    ngx_http_hls_fill_start(fill);

    if (conf->stop == NGX_HTTP_HLS_FILL_TEST_START) {
        ngx_http_hls_fill_stop(fill);

    } else if (conf->stop == NGX_HTTP_HLS_FILL_TEST_TIMER) {
        ngx_add_timer(&test->timer, conf->after);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_hls_fill_test_suspend(ngx_http_request_t *r,
    ngx_http_cleanup_pt handler, void *data)
{
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = handler;
    cln->data = data;

    c = r->connection;

    if (r == r->main) {

        if (c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);

        } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_OK;
}


static void
ngx_http_hls_fill_test_viewer_cleanup(void *data)
{
    ngx_http_hls_fill_test_t *test = data;

    /* the fill goes on */

    test->request = NULL;
}


static ngx_int_t
ngx_http_hls_fill_test_header(ngx_http_hls_fill_t *fill,
    ngx_http_request_t *sr)
{
    ngx_http_hls_fill_test_t *test = fill->data;

    test->headers++;

    test->type.len = sr->headers_out.content_type.len;
    test->type.data = ngx_pstrdup(fill->pool, &sr->headers_out.content_type);
    if (test->type.data == NULL) {
        return NGX_ERROR;
    }

    return (test->stop == NGX_HTTP_HLS_FILL_TEST_HEADER) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_test_body(ngx_http_hls_fill_t *fill, u_char *data,
    size_t len)
{
    ngx_http_hls_fill_test_t *test = fill->data;

    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_create_temp_buf(fill->pool, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, data, len);

    cl = ngx_alloc_chain_link(fill->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    *test->last = cl;
    test->last = &cl->next;
    test->size += len;

    if (test->paused) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "body while paused");
    }

    test->pieces++;
    test->times_last = ngx_slprintf(test->times_last,
                                    test->times + sizeof(test->times), "%M,",
                                    ngx_current_msec - test->start);

    if (test->pause) {
        test->paused = 1;
        ngx_http_hls_fill_pause(fill, 1);
        ngx_add_timer(&test->timer, test->pause);
    }

    return (test->stop == NGX_HTTP_HLS_FILL_TEST_BODY) ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_hls_fill_test_timer_handler(ngx_event_t *ev)
{
    ngx_http_hls_fill_test_t *test = ev->data;

    if (test->paused) {
        test->paused = 0;
        ngx_http_hls_fill_pause(test->fill, 0);
        return;
    }

    ngx_http_hls_fill_stop(test->fill);
}


static void
ngx_http_hls_fill_test_end(ngx_http_hls_fill_t *fill, ngx_uint_t complete)
{
    ngx_http_hls_fill_test_t *test = fill->data;

    ngx_http_request_t  *r;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "fill test: uri:%V status:%ui complete:%ui size:%O "
                  "viewer:%s headers:%ui timedout:%ui",
                  &test->uri, fill->status, complete, test->size,
                  test->request ? "waits" : "gone", test->headers,
                  (ngx_uint_t) fill->timedout);

    if (test->timer.timer_set) {
        ngx_del_timer(&test->timer);
    }

    r = test->request;

    if (r && !ngx_terminate) {
        ngx_http_hls_fill_test_answer(r, test, complete);
    }
}


static void
ngx_http_hls_fill_test_answer(ngx_http_request_t *r,
    ngx_http_hls_fill_test_t *test, ngx_uint_t complete)
{
    ngx_connection_t     *c;
    ngx_http_cleanup_t   *cln;
    ngx_http_hls_fill_t  *fill;

    fill = test->fill;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    for (cln = r->main->cleanup; cln; cln = cln->next) {
        if (cln->data == test) {
            cln->handler = NULL;
        }
    }

    r->headers_out.status = fill->status ? fill->status : 599;
    r->headers_out.content_length_n = test->size;

    r->headers_out.content_type.len = test->type.len;
    r->headers_out.content_type.data = ngx_pstrdup(r->pool, &test->type);
    r->headers_out.content_type_len = test->type.len;

    if (ngx_http_hls_fill_test_add_header(r, "X-Fill-Complete", "%ui",
                                          complete)
        != NGX_OK
        || ngx_http_hls_fill_test_add_header(r, "X-Fill-Headers", "%ui",
                                             test->headers)
           != NGX_OK
        || ngx_http_hls_fill_test_add_header(r, "X-Fill-Length", "%O",
                                             fill->length)
           != NGX_OK
        || ngx_http_hls_fill_test_add_header(r, "X-Fill-Pieces", "%ui",
                                             test->pieces)
           != NGX_OK
        || ngx_http_hls_fill_test_add_header(r, "X-Fill-Times", "%*s",
                                             (size_t) (test->times_last
                                                       - test->times),
                                             test->times)
           != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        ngx_http_finalize_request(r, ngx_http_hls_fill_test_output(r, test));
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_hls_fill_test_output(ngx_http_request_t *r,
    ngx_http_hls_fill_test_t *test)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out, *cl;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, (size_t) test->size + 1);
    if (b == NULL) {
        return NGX_ERROR;
    }

    for (cl = test->body; cl; cl = cl->next) {
        b->last = ngx_cpymem(b->last, cl->buf->pos,
                             cl->buf->last - cl->buf->pos);
    }

    b->memory = test->size ? 1 : 0;
    b->temporary = 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_hls_fill_test_add_header(ngx_http_request_t *r, char *name,
    const char *fmt, ...)
{
    u_char           *p, *last;
    va_list           args;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, 2048);
    if (p == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    last = ngx_vslprintf(p, p + 2048, fmt, args);
    va_end(args);

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = last - p;
    h->value.data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_test_ghost(ngx_http_request_t *r,
    ngx_http_hls_fill_test_loc_conf_t *conf)
{
    ngx_http_hls_ghost_t            *ghost;
    ngx_http_hls_fill_test_ghost_t  *test;

    ghost = ngx_http_hls_ghost_create(r, &conf->ghost, NULL);
    if (ghost == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    test = ngx_pcalloc(ghost->pool, sizeof(ngx_http_hls_fill_test_ghost_t));
    if (test == NULL) {
        ngx_http_hls_ghost_free(ghost);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    test->ghost = ghost;

    ghost->data = test;
    ghost->end = ngx_http_hls_fill_test_ghost_end;

    if (ngx_http_hls_ghost_run(ghost) != NGX_OK) {
        ngx_http_hls_ghost_free(ghost);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_hls_fill_test_suspend(r, ngx_http_hls_fill_test_ghost_cleanup,
                                       test)
        != NGX_OK)
    {
        ngx_http_hls_ghost_free(ghost);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    test->request = r;

    return NGX_DONE;
}


static void
ngx_http_hls_fill_test_ghost_cleanup(void *data)
{
    ngx_http_hls_fill_test_ghost_t *test = data;

    if (test->request) {
        test->request = NULL;
        ngx_http_hls_ghost_free(test->ghost);
    }
}


static void
ngx_http_hls_fill_test_ghost_end(ngx_http_hls_ghost_t *ghost)
{
    ngx_http_hls_fill_test_ghost_t *test = ghost->data;

    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;
    ngx_http_request_t  *r;

    r = test->request;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "fill test: ghost %V ended", &ghost->uri);

    if (!ngx_terminate) {

        for (cln = r->main->cleanup; cln; cln = cln->next) {
            if (cln->data == test) {
                cln->handler = NULL;
            }
        }

        c = r->connection;

        ngx_http_set_log_request(c->log, r);
        ngx_http_finalize_request(r, NGX_HTTP_NO_CONTENT);
        ngx_http_run_posted_requests(c);
    }

    ngx_http_hls_ghost_free(ghost);
}


static void *
ngx_http_hls_fill_test_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_hls_fill_test_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_hls_fill_test_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_hls_fill_test_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_hls_fill_test_loc_conf_t *prev = parent;
    ngx_http_hls_fill_test_loc_conf_t *conf = child;

    if (conf->enable == NGX_CONF_UNSET) {

        if (prev->enable == NGX_CONF_UNSET) {
            prev->enable = 0;
        }

        *conf = *prev;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_hls_fill_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_fill_test_loc_conf_t *tlcf = conf;

    char        *rv;
    ngx_str_t   *value, *name, s;
    ngx_uint_t   i;

    if (tlcf->enable != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    tlcf->enable = 1;
    tlcf->many = 1;

    value = cf->args->elts;
    rv = NGX_CONF_OK;

    for (i = 1; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {

        s.data = (u_char *) ngx_strchr(value[i].data, '=');

        if (s.data == NULL) {
            tlcf->enable = 0;
            continue;
        }

        s.data++;
        s.len = value[i].data + value[i].len - s.data;

        if (ngx_strncmp(value[i].data, "args=", 5) == 0) {
            rv = ngx_http_hls_fill_test_value(cf, &s, &tlcf->args);

        } else if (ngx_strncmp(value[i].data, "host=", 5) == 0) {
            rv = ngx_http_hls_fill_test_value(cf, &s, &tlcf->host);

        } else if (ngx_strncmp(value[i].data, "pass=", 5) == 0) {

            if (tlcf->pass == NULL) {
                tlcf->pass = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
                if (tlcf->pass == NULL) {
                    return NGX_CONF_ERROR;
                }
            }

            name = ngx_array_push(tlcf->pass);
            if (name == NULL) {
                return NGX_CONF_ERROR;
            }

            *name = s;

        } else if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {
            tlcf->timeout = ngx_parse_time(&s, 0);

        } else if (ngx_strncmp(value[i].data, "pause=", 6) == 0) {
            tlcf->pause = ngx_parse_time(&s, 0);

        } else if (ngx_strncmp(value[i].data, "many=", 5) == 0) {
            tlcf->many = ngx_atoi(s.data, s.len);

        } else if (ngx_strncmp(value[i].data, "ghost=", 6) == 0) {
            tlcf->ghost = s;

        } else if (ngx_strcmp(value[i].data, "stop=create") == 0) {
            tlcf->stop = NGX_HTTP_HLS_FILL_TEST_CREATE;

        } else if (ngx_strcmp(value[i].data, "stop=start") == 0) {
            tlcf->stop = NGX_HTTP_HLS_FILL_TEST_START;

        } else if (ngx_strcmp(value[i].data, "stop=header") == 0) {
            tlcf->stop = NGX_HTTP_HLS_FILL_TEST_HEADER;

        } else if (ngx_strcmp(value[i].data, "stop=body") == 0) {
            tlcf->stop = NGX_HTTP_HLS_FILL_TEST_BODY;

        } else if (ngx_strncmp(value[i].data, "stop=", 5) == 0) {
            tlcf->stop = NGX_HTTP_HLS_FILL_TEST_TIMER;
            tlcf->after = ngx_parse_time(&s, 0);

        } else {
            return "has an invalid parameter";
        }
    }

    return rv;
}


static char *
ngx_http_hls_fill_test_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_hls_fill_test_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hls_fill_test_handler;

    return NGX_OK;
}
