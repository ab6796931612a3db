
/*
 * Copyright (C) The nginx-osp authors
 */


/* Whether a viewer may have the keys of a channel: /apiv1/rtmp/playbackauth */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core_ask.h"
#include "ngx_rtmp_route_json.h"


#define NGX_OSP_CORE_TOKEN_LEN  512
#define NGX_OSP_CORE_ADDR_LEN   64


typedef struct {
    ngx_osp_core_t              *core;
    ngx_osp_core_ask_t           ask;
    ngx_uint_t                   local;    /* the viewer is on this host */
} ngx_osp_core_auth_t;


static ngx_int_t ngx_osp_core_auth_token(ngx_str_t *token,
    ngx_str_t *username, ngx_str_t *hash);
static ngx_int_t ngx_osp_core_auth_start(ngx_osp_core_t *core,
    ngx_osp_core_ask_t *ask, ngx_str_t *parts);
static ngx_int_t ngx_osp_core_auth_body(ngx_pool_t *pool, ngx_str_t *parts,
    ngx_str_t *body);
static void ngx_osp_core_auth_handler(ngx_rtmp_route_request_t *request);
static ngx_uint_t ngx_osp_core_auth_answer(ngx_osp_core_auth_t *auth,
    ngx_str_t *text);


/* as the core knows them, and in this order in what is asked */

static ngx_str_t  ngx_osp_core_auth_names[] = {
    ngx_string("name="),
    ngx_string("&addr="),
    ngx_string("&username="),
    ngx_string("&hash="),
    ngx_null_string
};


ngx_int_t
ngx_osp_core_authorize(ngx_rtmp_route_control_t *control,
    ngx_rtmp_route_viewer_t *viewer)
{
    uint32_t                who;
    ngx_int_t               rc;
    ngx_str_t               parts[4];
    ngx_osp_core_t         *core;
    ngx_osp_core_ask_t      ask;
    ngx_osp_core_digest_t   digest;

    core = control->data;

    if (ngx_osp_core_channel(core, &viewer->key, &parts[0]) != NGX_OK
        || viewer->addr.len > NGX_OSP_CORE_ADDR_LEN
        || ngx_osp_core_auth_token(&viewer->token, &parts[2], &parts[3])
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    parts[1] = viewer->addr;

    rc = ngx_osp_core_ask_digest(core->asks, NGX_OSP_CORE_AUTH, parts, 4,
                                 &digest);
    if (rc != NGX_OK) {
        return NGX_BUSY;
    }

    who = ngx_crc32_short(viewer->addr.data, viewer->addr.len);

    rc = ngx_osp_core_query_begin(core, NGX_OSP_CORE_AUTH, who, &digest, &ask);

    if (rc != NGX_DONE) {
        return rc;
    }

    if (ngx_osp_core_auth_start(core, &ask, parts) != NGX_OK || ask.probe) {
        return NGX_BUSY;
    }

    return NGX_AGAIN;
}


/*
 * A name may have "_" in it, a hash has not.  Whoever has no token, or none
 * that can be one, may still see what is open to all: he is asked for as
 * nobody.
 */

static ngx_int_t
ngx_osp_core_auth_token(ngx_str_t *token, ngx_str_t *username,
    ngx_str_t *hash)
{
    u_char  *p, *last, *split;

    ngx_str_set(username, "");
    ngx_str_set(hash, "");

    if (token->len > NGX_OSP_CORE_TOKEN_LEN) {
        return NGX_DECLINED;
    }

    split = NULL;
    last = token->data + token->len;

    for (p = token->data; p < last; p++) {

        if (*p < 0x20 || *p == 0x7f) {
            return NGX_DECLINED;
        }

        if (*p == '_') {
            split = p;
        }
    }

    if (split == NULL) {
        return NGX_OK;
    }

    username->data = token->data;
    username->len = split - token->data;

    hash->data = split + 1;
    hash->len = last - split - 1;

    return NGX_OK;
}


/* NGX_ERROR: the question has ended, as failed */

static ngx_int_t
ngx_osp_core_auth_start(ngx_osp_core_t *core, ngx_osp_core_ask_t *ask,
    ngx_str_t *parts)
{
    ngx_str_t                 *addr;
    ngx_osp_core_auth_t       *auth;
    ngx_rtmp_route_request_t  *request;

    static ngx_str_t  reason = ngx_string("no memory");

    request = ngx_osp_core_query_request(core, ask);
    if (request == NULL) {
        return NGX_ERROR;
    }

    auth = ngx_palloc(request->pool, sizeof(ngx_osp_core_auth_t));

    if (auth == NULL
        || ngx_osp_core_auth_body(request->pool, parts, &request->body)
           != NGX_OK)
    {
        ngx_rtmp_route_request_cancel(request);
        goto failed;
    }

    addr = &parts[1];

    auth->core = core;
    auth->ask = *ask;
    auth->local = (addr->len == sizeof("127.0.0.1") - 1
                   && ngx_memcmp(addr->data, "127.0.0.1", addr->len) == 0);

    ngx_str_set(&request->method, "POST");
    ngx_str_set(&request->uri, "/apiv1/rtmp/playbackauth");
    ngx_str_set(&request->content_type, "application/x-www-form-urlencoded");

    request->handler = ngx_osp_core_auth_handler;
    request->data = auth;
    request->idempotent = 1;

    if (ngx_rtmp_route_request_start(request) == NGX_OK) {
        return NGX_OK;
    }

failed:

    ngx_osp_core_query_end(core, ask, NGX_OSP_CORE_FAILED,
                           NGX_OSP_CORE_FAILED_TIME, &reason);

    return NGX_ERROR;
}


static ngx_int_t
ngx_osp_core_auth_body(ngx_pool_t *pool, ngx_str_t *parts, ngx_str_t *body)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    len = 0;

    for (i = 0; ngx_osp_core_auth_names[i].len; i++) {
        len += ngx_osp_core_auth_names[i].len + 3 * parts[i].len;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for (i = 0; ngx_osp_core_auth_names[i].len; i++) {
        p = ngx_cpymem(p, ngx_osp_core_auth_names[i].data,
                       ngx_osp_core_auth_names[i].len);
        p = (u_char *) ngx_escape_uri(p, parts[i].data, parts[i].len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    body->len = p - body->data;

    return NGX_OK;
}


static void
ngx_osp_core_auth_handler(ngx_rtmp_route_request_t *request)
{
    ngx_str_t             reason;
    ngx_uint_t            answer;
    ngx_msec_t            ttl;
    ngx_osp_core_auth_t  *auth;

    auth = request->data;

    switch (request->status) {

    case 200:
        answer = ngx_osp_core_auth_answer(auth, &request->answer);
        break;

    case 400:
        answer = NGX_OSP_CORE_NO;
        break;

    default:
        answer = NGX_OSP_CORE_FAILED;
    }

    switch (answer) {

    case NGX_OSP_CORE_YES:
        ttl = NGX_OSP_CORE_YES_TIME;
        break;

    case NGX_OSP_CORE_NO:
        ttl = NGX_OSP_CORE_NO_TIME;
        break;

    default:
        answer = ngx_osp_core_query_failure(request, &reason);
        ttl = NGX_OSP_CORE_FAILED_TIME;
    }

    ngx_osp_core_query_end(auth->core, &auth->ask, answer, ttl, &reason);
}


/* {"results":true}, {"results":false}; "OK" in place of it for 127.0.0.1 */

static ngx_uint_t
ngx_osp_core_auth_answer(ngx_osp_core_auth_t *auth, ngx_str_t *text)
{
    json_t                  *root, *results;
    u_char                  *p, *last;
    ngx_uint_t               answer;
    ngx_rtmp_route_error_t   err;

    p = text->data;
    last = p + text->len;

    while (p < last && (*p == ' ' || *p == CR || *p == LF || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == CR || last[-1] == LF
                        || last[-1] == '\t'))
    {
        last--;
    }

    if (last - p == sizeof("\"OK\"") - 1 && ngx_memcmp(p, "\"OK\"", 4) == 0) {
        return auth->local ? NGX_OSP_CORE_YES : NGX_OSP_CORE_FAILED;
    }

    root = ngx_rtmp_route_json_parse(text, &err);
    if (root == NULL) {
        return NGX_OSP_CORE_FAILED;
    }

    results = json_object_get(root, "results");

    if (json_is_true(results)) {
        answer = NGX_OSP_CORE_YES;

    } else if (json_is_false(results)) {
        answer = NGX_OSP_CORE_NO;

    } else {
        answer = NGX_OSP_CORE_FAILED;
    }

    json_decref(root);

    return answer;
}
