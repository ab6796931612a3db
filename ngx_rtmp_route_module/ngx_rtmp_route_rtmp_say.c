
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What a relay says to a server, and hears: commands in AMF0, until there is
 * media.  Answers are of the server: their texts, in which names of streams
 * may be, are logged for debugging only.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_rtmp_say.h"


#define NGX_RTMP_ROUTE_SAY_CSID        3
#define NGX_RTMP_ROUTE_SAY_CSID_MEDIA  5

#define NGX_RTMP_ROUTE_SAY_CONNECT     1        /* transactions */
#define NGX_RTMP_ROUTE_SAY_RELEASE     2
#define NGX_RTMP_ROUTE_SAY_FCPUBLISH   3
#define NGX_RTMP_ROUTE_SAY_CREATE      4

#define NGX_RTMP_ROUTE_SAY_BUFFER      1000     /* ms */


typedef struct {
    double                 trans;
    u_char                 level[32];
    u_char                 code[128];
    u_char                 text[256];
} ngx_rtmp_route_say_status_t;


static ngx_int_t ngx_rtmp_route_say_client(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_route_say_shaken(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_route_say_connect(ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_say_url(ngx_rtmp_route_relay_ctx_t *ctx,
    ngx_str_t *url);
static ngx_int_t ngx_rtmp_route_say_command(ngx_rtmp_session_t *s,
    char *command, ngx_uint_t trans, ngx_str_t *name);
static ngx_int_t ngx_rtmp_route_say_create(ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_say_publish(ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_say_play(ngx_rtmp_route_relay_ctx_t *ctx);
static ngx_int_t ngx_rtmp_route_say_result(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_route_say_error(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_route_say_status(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_route_say_read(ngx_rtmp_session_t *s,
    ngx_chain_t *in, ngx_rtmp_route_say_status_t *status);
static ngx_uint_t ngx_rtmp_route_say_refusal(
    ngx_rtmp_route_say_status_t *status);
static ngx_int_t ngx_rtmp_route_say_refused(ngx_rtmp_route_relay_ctx_t *ctx,
    ngx_rtmp_route_say_status_t *status);


static ngx_rtmp_amf_handler_t  ngx_rtmp_route_say_handlers[] = {
    { ngx_string("_result"), ngx_rtmp_route_say_result },
    { ngx_string("_error"), ngx_rtmp_route_say_error },
    { ngx_string("onStatus"), ngx_rtmp_route_say_status }
};


/* commands of clients: nginx-rtmp would do what they say */

static ngx_rtmp_amf_handler_t  ngx_rtmp_route_say_clients[] = {
    { ngx_string("connect"), ngx_rtmp_route_say_client },
    { ngx_string("createStream"), ngx_rtmp_route_say_client },
    { ngx_string("closeStream"), ngx_rtmp_route_say_client },
    { ngx_string("deleteStream"), ngx_rtmp_route_say_client },
    { ngx_string("publish"), ngx_rtmp_route_say_client },
    { ngx_string("play"), ngx_rtmp_route_say_client },
    { ngx_string("play2"), ngx_rtmp_route_say_client },
    { ngx_string("seek"), ngx_rtmp_route_say_client },
    { ngx_string("pause"), ngx_rtmp_route_say_client },
    { ngx_string("pauseraw"), ngx_rtmp_route_say_client }
};


ngx_int_t
ngx_rtmp_route_relay_say_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    ngx_uint_t               i;
    ngx_rtmp_handler_pt     *h;
    ngx_rtmp_amf_handler_t  *ah;

    h = ngx_array_push(&cmcf->events[NGX_RTMP_HANDSHAKE_DONE]);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_rtmp_route_say_shaken;

    for (i = 0;
         i < sizeof(ngx_rtmp_route_say_handlers)
             / sizeof(ngx_rtmp_amf_handler_t);
         i++)
    {
        ah = ngx_array_push(&cmcf->amf);
        if (ah == NULL) {
            return NGX_ERROR;
        }

        *ah = ngx_rtmp_route_say_handlers[i];
    }

    /* before those of nginx-rtmp */

    if (ngx_array_push_n(&cmcf->amf,
                         sizeof(ngx_rtmp_route_say_clients)
                         / sizeof(ngx_rtmp_amf_handler_t))
        == NULL)
    {
        return NGX_ERROR;
    }

    ah = cmcf->amf.elts;

    ngx_memmove((u_char *) ah + sizeof(ngx_rtmp_route_say_clients), ah,
                cmcf->amf.nelts * sizeof(ngx_rtmp_amf_handler_t)
                - sizeof(ngx_rtmp_route_say_clients));

    ngx_memcpy(ah, ngx_rtmp_route_say_clients,
               sizeof(ngx_rtmp_route_say_clients));

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_say_client(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_rtmp_ctx_t  *rctx;

    rctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_route_rtmp_module);

    return (rctx && rctx->relay) ? NGX_DONE : NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_say_shaken(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_relay_ctx_t  *ctx;

    ctx = ngx_rtmp_route_relay_ctx(s);

    if (ctx == NULL) {
        return NGX_OK;
    }

    ctx->state = NGX_RTMP_ROUTE_RELAY_S_CONNECT;

    return ngx_rtmp_route_say_connect(ctx);
}


static ngx_int_t
ngx_rtmp_route_say_connect(ngx_rtmp_route_relay_ctx_t *ctx)
{
    u_char                    *p;
    ngx_str_t                  url;
    ngx_rtmp_header_t          h;
    ngx_rtmp_session_t        *s;
    ngx_rtmp_route_relay_t    *relay;
    ngx_rtmp_core_srv_conf_t  *cscf;
    u_char                     page[NGX_RTMP_ROUTE_RELAY_PAGE];

    static double  trans = NGX_RTMP_ROUTE_SAY_CONNECT;
    static double  acodecs = 3575;
    static double  vcodecs = 252;

    static ngx_rtmp_amf_elt_t  cmd[] = {
        { NGX_RTMP_AMF_STRING, ngx_string("app"), NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_string("tcUrl"), NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_string("pageUrl"), NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_string("flashVer"),
          "FMLE/3.0 (rtmp_route)", 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_string("audioCodecs"), &acodecs, 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_string("videoCodecs"), &vcodecs, 0 }
    };

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, "connect", 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &trans, 0 },
        { NGX_RTMP_AMF_OBJECT, ngx_null_string, cmd, sizeof(cmd) }
    };

    s = ctx->session;
    relay = ctx->relay;

    if (ngx_rtmp_route_say_url(ctx, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_rtmp_route_relay_page(relay, page);

    cmd[0].data = relay->app.data;
    cmd[0].len = relay->app.len;
    cmd[1].data = url.data;
    cmd[1].len = url.len;
    cmd[2].data = (p == page) ? NULL : page;
    cmd[2].len = p - page;

    ngx_memzero(&h, sizeof(ngx_rtmp_header_t));

    h.csid = NGX_RTMP_ROUTE_SAY_CSID;
    h.type = NGX_RTMP_MSG_AMF_CMD;

    cscf = ngx_rtmp_get_module_srv_conf(s, ngx_rtmp_core_module);

    if (ngx_rtmp_send_chunk_size(s, (uint32_t) cscf->chunk_size) != NGX_OK
        || ngx_rtmp_send_ack_size(s, (uint32_t) cscf->ack_window) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_send_amf(s, &h, elts,
                             sizeof(elts) / sizeof(ngx_rtmp_amf_elt_t));
}


static ngx_int_t
ngx_rtmp_route_say_url(ngx_rtmp_route_relay_ctx_t *ctx, ngx_str_t *url)
{
    u_char                  *p;
    size_t                   len;
    ngx_str_t                host;
    in_port_t                port;
    ngx_uint_t               brackets;
    ngx_rtmp_route_relay_t  *relay;

    relay = ctx->relay;
    host = relay->host;

    if (host.len == 0) {
        ngx_str_set(&host, "localhost");
    }

    port = (ctx->peer.sockaddr->sa_family == AF_UNIX)
           ? 1935 : ngx_inet_get_port(ctx->peer.sockaddr);

    brackets = (host.data[0] != '['
                && ngx_strlchr(host.data, host.data + host.len, ':') != NULL);

    len = sizeof("rtmp://[]:65535/") - 1 + host.len + relay->app.len;

    p = ngx_pnalloc(ctx->session->connection->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    p = ngx_sprintf(p, brackets ? "rtmp://[%V]" : "rtmp://%V", &host);

    if (port != 1935) {
        p = ngx_sprintf(p, ":%ui", (ngx_uint_t) port);
    }

    p = ngx_sprintf(p, "/%V", &relay->app);

    url->len = p - url->data;

    return NGX_OK;
}


/* a command with null, and a name if there is one */

static ngx_int_t
ngx_rtmp_route_say_command(ngx_rtmp_session_t *s, char *command,
    ngx_uint_t trans, ngx_str_t *name)
{
    double             number;
    ngx_rtmp_header_t  h;

    ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NULL, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 }
    };

    number = (double) trans;

    elts[0].data = command;
    elts[1].data = &number;

    if (name) {
        elts[3].data = name->data;
        elts[3].len = name->len;
    }

    ngx_memzero(&h, sizeof(ngx_rtmp_header_t));

    h.csid = NGX_RTMP_ROUTE_SAY_CSID;
    h.type = NGX_RTMP_MSG_AMF_CMD;

    return ngx_rtmp_send_amf(s, &h, elts, name ? 4 : 3);
}


static ngx_int_t
ngx_rtmp_route_say_create(ngx_rtmp_route_relay_ctx_t *ctx)
{
    ngx_str_t           *path;
    ngx_rtmp_session_t  *s;

    s = ctx->session;
    path = &ctx->relay->path;

    ctx->state = NGX_RTMP_ROUTE_RELAY_S_CREATE;

    if (ctx->relay->type == NGX_RTMP_ROUTE_RELAY_PUSH
        && (ngx_rtmp_route_say_command(s, "releaseStream",
                                       NGX_RTMP_ROUTE_SAY_RELEASE, path)
            != NGX_OK
            || ngx_rtmp_route_say_command(s, "FCPublish",
                                          NGX_RTMP_ROUTE_SAY_FCPUBLISH, path)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_route_say_command(s, "createStream",
                                      NGX_RTMP_ROUTE_SAY_CREATE, NULL);
}


static ngx_int_t
ngx_rtmp_route_say_publish(ngx_rtmp_route_relay_ctx_t *ctx)
{
    ngx_rtmp_header_t  h;

    static double  trans = 0;

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, "publish", 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &trans, 0 },
        { NGX_RTMP_AMF_NULL, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_null_string, "live", 0 }
    };

    elts[3].data = ctx->relay->path.data;
    elts[3].len = ctx->relay->path.len;

    ngx_memzero(&h, sizeof(ngx_rtmp_header_t));

    h.csid = NGX_RTMP_ROUTE_SAY_CSID_MEDIA;
    h.msid = NGX_RTMP_MSID;
    h.type = NGX_RTMP_MSG_AMF_CMD;

    return ngx_rtmp_send_amf(ctx->session, &h, elts,
                             sizeof(elts) / sizeof(ngx_rtmp_amf_elt_t));
}


static ngx_int_t
ngx_rtmp_route_say_play(ngx_rtmp_route_relay_ctx_t *ctx)
{
    ngx_rtmp_header_t  h;

    static double  trans = 0;
    static double  start = -2000;

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, "play", 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &trans, 0 },
        { NGX_RTMP_AMF_NULL, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &start, 0 }
    };

    elts[3].data = ctx->relay->path.data;
    elts[3].len = ctx->relay->path.len;

    ngx_memzero(&h, sizeof(ngx_rtmp_header_t));

    h.csid = NGX_RTMP_ROUTE_SAY_CSID_MEDIA;
    h.msid = NGX_RTMP_MSID;
    h.type = NGX_RTMP_MSG_AMF_CMD;

    if (ngx_rtmp_send_amf(ctx->session, &h, elts,
                          sizeof(elts) / sizeof(ngx_rtmp_amf_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_send_set_buflen(ctx->session, NGX_RTMP_MSID,
                                    NGX_RTMP_ROUTE_SAY_BUFFER);
}


/* relays of nginx-rtmp have handlers of the same names for theirs */

static ngx_int_t
ngx_rtmp_route_say_result(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_relay_ctx_t  *ctx;

    static double  trans;
    static double  stream;

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &trans, 0 },
        { NGX_RTMP_AMF_NULL, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_OPTIONAL|NGX_RTMP_AMF_NUMBER, ngx_null_string,
          &stream, 0 }
    };

    ctx = ngx_rtmp_route_relay_ctx(s);

    if (ctx == NULL) {
        return NGX_OK;
    }

    trans = 0;
    stream = 0;

    if (ngx_rtmp_receive_amf(s, in, elts,
                             sizeof(elts) / sizeof(ngx_rtmp_amf_elt_t))
        != NGX_OK)
    {
        ngx_rtmp_route_relay_fail(ctx, 0, "an answer that can't be read");
        return NGX_ERROR;
    }

    if (trans == NGX_RTMP_ROUTE_SAY_CONNECT
        && ctx->state == NGX_RTMP_ROUTE_RELAY_S_CONNECT)
    {
        return ngx_rtmp_route_say_create(ctx);
    }

    if (trans != NGX_RTMP_ROUTE_SAY_CREATE
        || ctx->state != NGX_RTMP_ROUTE_RELAY_S_CREATE)
    {
        return NGX_OK;
    }

    /* nginx-rtmp sends media on this one, whatever the server says */

    if (stream != NGX_RTMP_MSID) {
        ngx_rtmp_route_relay_fail(ctx, 0, "an unusual number of createStream");
        return NGX_ERROR;
    }

    ctx->state = NGX_RTMP_ROUTE_RELAY_S_START;

    return ctx->relay->type == NGX_RTMP_ROUTE_RELAY_PUSH
           ? ngx_rtmp_route_say_publish(ctx)
           : ngx_rtmp_route_say_play(ctx);
}


static ngx_int_t
ngx_rtmp_route_say_error(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_route_relay_ctx_t   *ctx;
    ngx_rtmp_route_say_status_t   status;

    ctx = ngx_rtmp_route_relay_ctx(s);

    if (ctx == NULL) {
        return NGX_OK;
    }

    (void) ngx_rtmp_route_say_read(s, in, &status);

    /* of commands that servers need not know */

    if (status.trans != NGX_RTMP_ROUTE_SAY_CONNECT
        && status.trans != NGX_RTMP_ROUTE_SAY_CREATE
        && ctx->state != NGX_RTMP_ROUTE_RELAY_S_START)
    {
        return NGX_OK;
    }

    return ngx_rtmp_route_say_refused(ctx, &status);
}


static ngx_int_t
ngx_rtmp_route_say_status(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    char                         *start;
    ngx_rtmp_route_relay_ctx_t   *ctx;
    ngx_rtmp_route_say_status_t   status;

    ctx = ngx_rtmp_route_relay_ctx(s);

    /* in front of media there may be one that is data */

    if (ctx == NULL
        || (h->type != NGX_RTMP_MSG_AMF_CMD
            && h->type != NGX_RTMP_MSG_AMF3_CMD))
    {
        return NGX_OK;
    }

    if (ngx_rtmp_route_say_read(s, in, &status) != NGX_OK) {
        ngx_rtmp_route_relay_fail(ctx, 0, "an answer that can't be read");
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, s->connection->log, 0,
                   "rtmp route relay status \"%s\" \"%s\"",
                   status.code, status.text);

    if (ngx_rtmp_route_say_refusal(&status)) {
        return ngx_rtmp_route_say_refused(ctx, &status);
    }

    if (ctx->state != NGX_RTMP_ROUTE_RELAY_S_START) {
        return NGX_OK;
    }

    start = ctx->relay->type == NGX_RTMP_ROUTE_RELAY_PUSH
            ? "NetStream.Publish.Start" : "NetStream.Play.Start";

    if (ngx_strcmp(status.code, start) != 0) {
        return NGX_OK;
    }

    return ngx_rtmp_route_relay_ready(ctx);
}


static ngx_int_t
ngx_rtmp_route_say_read(ngx_rtmp_session_t *s, ngx_chain_t *in,
    ngx_rtmp_route_say_status_t *status)
{
    ngx_int_t  rc;

    static ngx_rtmp_route_say_status_t  v;

    static ngx_rtmp_amf_elt_t  info[] = {
        { NGX_RTMP_AMF_STRING, ngx_string("level"), v.level,
          sizeof(v.level) },
        { NGX_RTMP_AMF_STRING, ngx_string("code"), v.code, sizeof(v.code) },
        { NGX_RTMP_AMF_STRING, ngx_string("description"), v.text,
          sizeof(v.text) }
    };

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &v.trans, 0 },
        { NGX_RTMP_AMF_NULL, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_OBJECT, ngx_null_string, info, sizeof(info) }
    };

    ngx_memzero(&v, sizeof(ngx_rtmp_route_say_status_t));

    rc = ngx_rtmp_receive_amf(s, in, elts,
                              sizeof(elts) / sizeof(ngx_rtmp_amf_elt_t));

    *status = v;

    return rc;
}


static ngx_uint_t
ngx_rtmp_route_say_refusal(ngx_rtmp_route_say_status_t *status)
{
    ngx_uint_t  i;

    static char  *codes[] = {
        "NetStream.Publish.BadName",
        "NetStream.Publish.Denied",
        "NetStream.Play.StreamNotFound",
        "NetStream.Play.Failed",
        "NetStream.Failed",
        "NetConnection.Connect.Rejected"
    };

    if (ngx_strcmp(status->level, "error") == 0) {
        return 1;
    }

    for (i = 0; i < sizeof(codes) / sizeof(char *); i++) {
        if (ngx_strcmp(status->code, codes[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_rtmp_route_say_refused(ngx_rtmp_route_relay_ctx_t *ctx,
    ngx_rtmp_route_say_status_t *status)
{
    u_char                   ch;
    ngx_uint_t               i, loop;
    ngx_rtmp_route_relay_t  *relay;

    relay = ctx->relay;

    /* a code, not a text: that could be anything */

    for (i = 0; i < sizeof(ctx->code); i++) {

        ch = status->code[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z') && ch != '.') {
            break;
        }

        ctx->code[i] = ch;
    }

    relay->refused = 1;
    relay->reason.data = ctx->code;
    relay->reason.len = i;

    loop = (ngx_strncmp(status->text, "loop:", 5) == 0);

    if (!ctx->told) {
        ctx->told = 1;

        ngx_log_error(ngx_rtmp_route_relay_level(relay),
                      ngx_cycle->log, 0,
                      "server %V refuses a stream that is %s: \"%V\"%s",
                      &ctx->addr,
                      relay->type == NGX_RTMP_ROUTE_RELAY_PUSH
                      ? "pushed to it" : "pulled from it",
                      &relay->reason,
                      loop ? ", as it has been there before" : "");
    }

    relay->handler(relay, loop ? NGX_RTMP_ROUTE_RELAY_LOOP
                               : NGX_RTMP_ROUTE_RELAY_REFUSED);

    return NGX_ERROR;
}
