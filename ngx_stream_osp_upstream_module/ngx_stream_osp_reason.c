
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * How sessions end: the values of $rtmp_reason, and the line in the log at the
 * end of each.  README.md, "Messages", says what to do about them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


/* longest code of a status that is logged */

#define NGX_STREAM_OSP_CODE_LEN  64


typedef struct {
    ngx_str_t    name;
    const char  *text;
} ngx_stream_osp_reason_t;


static ngx_str_t *ngx_stream_osp_reason_counted(ngx_uint_t reason);
static ngx_uint_t ngx_stream_osp_is_code(ngx_str_t *text);


/* the order is that of NGX_STREAM_OSP_* */

static ngx_stream_osp_reason_t  ngx_stream_osp_reasons[] = {

    { ngx_null_string,
      "in the middle" },

    { ngx_string("ok"),
      "the client has ended it" },

    { ngx_string("client_closed"),
      "the client has closed the connection" },

    { ngx_string("origin_closed"),
      "the upstream server has closed the connection" },

    { ngx_string("refused"),
      "the upstream server has refused the client" },

    { ngx_string("no_server"),
      "no upstream server is up" },

    { ngx_string("connect_failed"),
      "no upstream server could be used" },

    { ngx_string("handshake_timeout"),
      "the client has not said in time what it wants" },

    { ngx_string("protocol_error"),
      "the client has sent invalid rtmp" },

    { ngx_string("limit"),
      "too many connections" },

    { ngx_string("kicked"),
      "the operator has ended it" },

    { ngx_string("replaced"),
      "another client publishes the stream" },

    { ngx_string("shutdown"),
      "the worker process has to exit" },

    { ngx_string("timeout"),
      "no byte was passed in time" },

    { ngx_string("internal_error"),
      "internal error" },

    { ngx_string("client_timeout"),
      "the client does not answer any more" },

    { ngx_string("origin_timeout"),
      "the upstream server does not answer" },

    { ngx_string("origin_protocol_error"),
      "the upstream server has sent invalid rtmp" },

    { ngx_string("refused_name"),
      "the stream name is invalid" },

    { ngx_string("refused_unknown"),
      "the stream is unknown" },

    { ngx_string("refused_stream"),
      "another stream needs a connection of its own" },

    { ngx_string("no_answer"),
      "nobody could tell where the stream is" },

    { ngx_string("no_route"),
      "there is no such route" },

    { ngx_string("move_failed"),
      "no upstream server takes over from the one that was lost" },

    { ngx_string("limit_setup"),
      "the client has sent too much before publish or play" },

    { ngx_string("limit_server"),
      "no upstream server has room" },

    { ngx_string("banned"),
      "the operator has banned it" },

    { ngx_string("draining"),
      "the proxy drains" }
};


ngx_str_t *
ngx_stream_osp_reason_name(ngx_uint_t reason)
{
    return &ngx_stream_osp_reasons[reason].name;
}


void
ngx_stream_osp_reasons_init(ngx_conf_t *cf)
{
    ngx_rtmp_route_reasons(cf, ngx_stream_osp_reason_counted,
                           sizeof(ngx_stream_osp_reasons)
                           / sizeof(ngx_stream_osp_reason_t));
}


static ngx_str_t *
ngx_stream_osp_reason_counted(ngx_uint_t reason)
{
    static ngx_str_t  died = ngx_string("worker_died");

    return (reason == NGX_STREAM_OSP_NONE)
           ? &died : ngx_stream_osp_reason_name(reason);
}


/* once, next to the end of its record in the table */

void
ngx_stream_osp_count_end(ngx_stream_osp_session_t *os)
{
    ngx_rtmp_route_t  *route;

    if (os->counted) {
        return;
    }

    os->counted = 1;

    route = os->conf->route;

    if (route == NULL) {
        route = os->setup ? os->setup->route : os->rs.route;
    }

    ngx_rtmp_route_count_end(route, os->reason);
}


ngx_err_t
ngx_stream_osp_lost_error(void)
{
    ngx_err_t  err;

    err = ngx_socket_errno;

    /* TLS has errors of its own */

    return err ? err : NGX_ECONNRESET;
}


void
ngx_stream_osp_lost(ngx_stream_osp_session_t *os, ngx_uint_t dir,
    ngx_err_t err)
{
    os->status = NGX_STREAM_OK;

    /*
     * the client has said so, and who closes first, and whether all was read
     * of what is said then, does not matter
     */

    if (os->ended) {
        os->reason = NGX_STREAM_OSP_OK;
        return;
    }

    if (dir == NGX_STREAM_OSP_DOWN) {
        os->reason = NGX_STREAM_OSP_ORIGIN_CLOSED;

        if (err) {
            os->status = NGX_STREAM_BAD_GATEWAY;
        }

        if (err == NGX_ETIMEDOUT) {
            os->reason = NGX_STREAM_OSP_ORIGIN_TIMEOUT;
        }

        return;
    }

    if (err == 0) {
        os->reason = NGX_STREAM_OSP_OK;

    } else if (err == NGX_ETIMEDOUT) {
        os->reason = NGX_STREAM_OSP_CLIENT_TIMEOUT;

    } else {
        os->reason = NGX_STREAM_OSP_CLIENT_CLOSED;
    }
}


void
ngx_stream_osp_refused(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_info_t *info)
{
    ngx_log_t  *log;

    log = os->origin->log;

    os->status = NGX_STREAM_FORBIDDEN;
    os->reason = NGX_STREAM_OSP_REFUSED;

    if (info->redirect.len) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "client refused by upstream, "
                      "which redirects to a server that can't be taken");

    } else if (ngx_stream_osp_is_code(&info->code)) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "client refused by upstream: %V", &info->code);

    } else {
        ngx_log_error(NGX_LOG_INFO, log, 0, "client refused by upstream");
    }
}


/* what goes with it may have the name of the stream in it */

static ngx_uint_t
ngx_stream_osp_is_code(ngx_str_t *text)
{
    u_char  *p;
    size_t   i;

    if (text->len <= 3
        || text->len > NGX_STREAM_OSP_CODE_LEN
        || ngx_strncmp(text->data, "Net", 3) != 0)
    {
        return 0;
    }

    for (i = 0, p = text->data; i < text->len; i++, p++) {
        if (*p != '.' && (*p < 'A' || *p > 'Z') && (*p < 'a' || *p > 'z')) {
            return 0;
        }
    }

    return 1;
}


void
ngx_stream_osp_log_end(ngx_stream_osp_session_t *os)
{
    char                     *what;
    ngx_msec_t                time;
    ngx_connection_t         *c;
    ngx_stream_osp_reason_t  *reason;

    c = os->session->connection;
    reason = &ngx_stream_osp_reasons[os->reason];

    what = !os->name.set ? ""
           : (os->name.op == NGX_RTMP_ROUTE_PUBLISH) ? "publish " : "play ";

    time = ngx_current_msec - c->start_time;

    if (os->server.len) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "%ssession ended, %V: %s, after %M.%03Ms, "
                      "upstream server \"%V\"",
                      what, &reason->name, reason->text, time / 1000,
                      time % 1000, &os->server);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "%ssession ended, %V: %s, after %M.%03Ms",
                  what, &reason->name, reason->text, time / 1000, time % 1000);
}


/* the context of each line: behind client and server of nginx */

u_char *
ngx_stream_osp_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    off_t                      sent;
    u_char                    *p;
    ngx_stream_session_t      *s;
    ngx_stream_osp_session_t  *os;

    s = log->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);

    p = buf;

    if (os->upstream) {
        p = ngx_snprintf(buf, len, ", upstream: \"%V\"", os->upstream);
        len -= p - buf;
    }

    sent = os->origin ? os->origin->sent
                      : os->state ? os->state->bytes_sent : 0;

    return ngx_snprintf(p, len,
                        ", bytes from/to client:%O/%O"
                        ", bytes from/to upstream:%O/%O",
                        s->received, s->connection->sent, os->received, sent);
}
