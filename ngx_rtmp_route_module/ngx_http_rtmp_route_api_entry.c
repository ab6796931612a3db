
/*
 * Copyright (C) The nginx-osp authors
 */


/* Servers, streams and sessions as the API shows them. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <openssl/evp.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_key.h"


enum {
    server_id = 0,
    server_server,
    server_rtmp,
    server_http,
    server_api,
    server_srt,
    server_rtc,
    server_source,
    server_state,
    server_weight,
    server_max_conns,
    server_max_streams,
    server_streams,
    server_conns,
    server_selected,
    server_fails,
    server_unavail,
    server_drained,
    server_reason,
    server_last_seen,
    server_expires,
    server_rtmps,
    server_https,
    server_backup,
    server_max_fails,
    server_fail_timeout,
    server_slow_start,
    server_proxy_protocol,
    server_service,
    server_pid,
    server_device_id,
    server_conflicts,
    server_downtime,
    server_downstart,
    server_health_checks
};


enum {
    stream_server = 0,
    stream_source,
    stream_publishers,
    stream_players,
    stream_viewers,
    stream_age,
    stream_conflicts
};


enum {
    session_id = 0,
    session_type,
    session_stream,
    session_client,
    session_server,
    session_upstream,
    session_agent,
    session_state,
    session_started,
    session_in,
    session_out,
    session_rate,
    session_idle,
    session_pid
};


static void ngx_http_rtmp_route_api_server_value(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat, ngx_uint_t field);
static uint64_t ngx_http_rtmp_route_api_server_number(
    ngx_rtmp_route_server_stat_t *stat, ngx_uint_t field);
static void ngx_http_rtmp_route_api_health(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_health_stat_t *stat);
static void ngx_http_rtmp_route_api_endpoints(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_info_t *info, ngx_uint_t protocol);
static void ngx_http_rtmp_route_api_text(ngx_rtmp_route_json_t *json,
    u_char *data, size_t len);
static void ngx_http_rtmp_route_api_seen(ngx_rtmp_route_json_t *json,
    ngx_msec_t seen);


ngx_http_rtmp_route_api_field_t  ngx_http_rtmp_route_api_server_fields[] = {
    { ngx_string("id"), server_id },
    { ngx_string("server"), server_server },
    { ngx_string("rtmp"), server_rtmp },
    { ngx_string("http"), server_http },
    { ngx_string("api"), server_api },
    { ngx_string("srt"), server_srt },
    { ngx_string("rtc"), server_rtc },
    { ngx_string("source"), server_source },
    { ngx_string("state"), server_state },
    { ngx_string("weight"), server_weight },
    { ngx_string("max_conns"), server_max_conns },
    { ngx_string("max_streams"), server_max_streams },
    { ngx_string("streams"), server_streams },
    { ngx_string("conns"), server_conns },
    { ngx_string("selected"), server_selected },
    { ngx_string("fails"), server_fails },
    { ngx_string("unavail"), server_unavail },
    { ngx_string("drained"), server_drained },
    { ngx_string("last_seen"), server_last_seen },
    { ngx_string("expires"), server_expires },
    { ngx_string("reason"), server_reason },
    { ngx_string("rtmps"), server_rtmps },
    { ngx_string("https"), server_https },
    { ngx_string("backup"), server_backup },
    { ngx_string("max_fails"), server_max_fails },
    { ngx_string("fail_timeout"), server_fail_timeout },
    { ngx_string("slow_start"), server_slow_start },
    { ngx_string("proxy_protocol"), server_proxy_protocol },
    { ngx_string("service"), server_service },
    { ngx_string("pid"), server_pid },
    { ngx_string("device_id"), server_device_id },
    { ngx_string("conflicts"), server_conflicts },
    { ngx_string("downtime"), server_downtime },
    { ngx_string("downstart"), server_downstart },
    { ngx_string("health_checks"), server_health_checks },
    { ngx_null_string, 0 }
};


ngx_http_rtmp_route_api_field_t  ngx_http_rtmp_route_api_stream_fields[] = {
    { ngx_string("server"), stream_server },
    { ngx_string("source"), stream_source },
    { ngx_string("publishers"), stream_publishers },
    { ngx_string("players"), stream_players },
    { ngx_string("viewers"), stream_viewers },
    { ngx_string("age"), stream_age },
    { ngx_string("conflicts"), stream_conflicts },
    { ngx_null_string, 0 }
};


ngx_http_rtmp_route_api_field_t  ngx_http_rtmp_route_api_session_fields[] = {
    { ngx_string("id"), session_id },
    { ngx_string("type"), session_type },
    { ngx_string("stream"), session_stream },
    { ngx_string("client"), session_client },
    { ngx_string("server"), session_server },
    { ngx_string("upstream"), session_upstream },
    { ngx_string("agent"), session_agent },
    { ngx_string("state"), session_state },
    { ngx_string("started"), session_started },
    { ngx_string("in"), session_in },
    { ngx_string("out"), session_out },
    { ngx_string("rate"), session_rate },
    { ngx_string("idle"), session_idle },
    { ngx_string("pid"), session_pid },
    { ngx_null_string, 0 }
};


/* by the numbers of NGX_RTMP_ROUTE_SRC_*, FROM_*, UP ..., S_* and PP_* */

static ngx_str_t  ngx_http_rtmp_route_api_sources[] = {
    ngx_string(""),
    ngx_string("config"),
    ngx_string("api"),
    ngx_string("register"),
    ngx_string("core")
};


static ngx_str_t  ngx_http_rtmp_route_api_origins[] = {
    ngx_string(""),
    ngx_string("pick"),
    ngx_string("found"),
    ngx_string("core"),
    ngx_string("list"),
    ngx_string("pin"),
    ngx_string("publish")
};


static ngx_str_t  ngx_http_rtmp_route_api_server_states[] = {
    ngx_string("up"),
    ngx_string("down"),
    ngx_string("down"),
    ngx_string("unavail"),
    ngx_string("draining"),
    ngx_string("down"),
    ngx_string("down"),
    ngx_string("checking"),
    ngx_string("stale"),
    ngx_string("draining")
};


static ngx_str_t  ngx_http_rtmp_route_api_server_reasons[] = {
    ngx_string(""),
    ngx_string("disabled"),
    ngx_string("expired"),
    ngx_string("max_fails"),
    ngx_string("drain"),
    ngx_string("unresolved"),
    ngx_string("health_check"),
    ngx_string("health_check"),
    ngx_string("expired"),
    ngx_string("dns")
};


static ngx_str_t  ngx_http_rtmp_route_api_session_states[] = {
    ngx_string("connect"),
    ngx_string("setup"),
    ngx_string("relay"),
    ngx_string("closing")
};


static ngx_str_t  ngx_http_rtmp_route_api_preambles[] = {
    ngx_string(""),
    ngx_string("off"),
    ngx_string("v1"),
    ngx_string("v2"),
    ngx_string("srs")
};


static ngx_str_t  ngx_http_rtmp_route_api_publish = ngx_string("publish");
static ngx_str_t  ngx_http_rtmp_route_api_play = ngx_string("play");


/* numbers come from shared memory */

#define ngx_http_rtmp_route_api_word(words, i)                                \
    &words[((i) < sizeof(words) / sizeof(ngx_str_t)) ? (i) : 0]


void
ngx_http_rtmp_route_api_server_name(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat)
{
    ngx_http_rtmp_route_api_text(json, stat->info.id, stat->info.id_len);
}


void
ngx_http_rtmp_route_api_server(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat, uint64_t fields)
{
    ngx_http_rtmp_route_api_field_t  *field;

    ngx_rtmp_route_json_open(json, '{');

    field = ngx_http_rtmp_route_api_server_fields;

    for ( /* void */ ; field->name.len; field++) {

        if (field->number == server_downstart && stat->check.downstart == 0) {
            continue;
        }

        if (fields & ((uint64_t) 1 << field->number)) {
            ngx_rtmp_route_json_key(json, &field->name);
            ngx_http_rtmp_route_api_server_value(json, stat, field->number);
        }
    }

    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_rtmp_route_api_server_value(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat, ngx_uint_t field)
{
    ngx_rtmp_route_server_info_t    *info;
    ngx_rtmp_route_server_params_t  *params;

    info = &stat->info;
    params = &stat->params;

    switch (field) {

    case server_id:
        ngx_http_rtmp_route_api_server_name(json, stat);
        break;

    case server_server:
        ngx_http_rtmp_route_api_text(json, info->host, info->host_len);
        break;

    case server_rtmp:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_RTMP);
        break;

    case server_rtmps:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_RTMPS);
        break;

    case server_http:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_HTTP);
        break;

    case server_https:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_HTTPS);
        break;

    case server_api:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_API);
        break;

    case server_srt:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_SRT);
        break;

    case server_rtc:
        ngx_http_rtmp_route_api_endpoints(json, info, NGX_RTMP_ROUTE_RTC);
        break;

    case server_source:
        ngx_rtmp_route_json_string(json,
            ngx_http_rtmp_route_api_word(ngx_http_rtmp_route_api_sources,
                                         info->source));
        break;

    case server_state:
        ngx_rtmp_route_json_string(json,
            ngx_http_rtmp_route_api_word(ngx_http_rtmp_route_api_server_states,
                                         stat->state));
        break;

    case server_reason:
        ngx_rtmp_route_json_string(json,
            ngx_http_rtmp_route_api_word(ngx_http_rtmp_route_api_server_reasons,
                                         stat->state));
        break;

    case server_downstart:
        ngx_http_rtmp_route_api_ago(json, stat->check.downstart);
        break;

    case server_health_checks:
        ngx_http_rtmp_route_api_health(json, &stat->check);
        break;

    case server_drained:
        ngx_rtmp_route_json_bool(json, stat->drained);
        break;

    case server_last_seen:
        ngx_http_rtmp_route_api_seen(json, stat->last_seen);
        break;

    case server_backup:
        ngx_rtmp_route_json_bool(json, params->backup);
        break;

    case server_proxy_protocol:
        ngx_rtmp_route_json_string(json,
            ngx_http_rtmp_route_api_word(ngx_http_rtmp_route_api_preambles,
                                         info->proxy_protocol));
        break;

    case server_service:
        ngx_http_rtmp_route_api_text(json, info->service, info->service_len);
        break;

    case server_pid:
        ngx_http_rtmp_route_api_text(json, info->pid, info->pid_len);
        break;

    case server_device_id:
        ngx_http_rtmp_route_api_text(json, info->device, info->device_len);
        break;

    default:
        ngx_rtmp_route_json_number(json,
                            ngx_http_rtmp_route_api_server_number(stat, field));
        break;
    }
}


static uint64_t
ngx_http_rtmp_route_api_server_number(ngx_rtmp_route_server_stat_t *stat,
    ngx_uint_t field)
{
    switch (field) {

    case server_weight:
        return stat->params.weight;

    case server_max_conns:
        return stat->params.max_conns;

    case server_max_streams:
        return stat->params.max_streams;

    case server_streams:
        return stat->streams;

    case server_conns:
        return stat->conns;

    case server_selected:
        return stat->selected;

    case server_fails:
        return stat->fails;

    case server_unavail:
        return stat->unavail;

    case server_downtime:
        return stat->check.downtime;

    case server_expires:
        return (stat->expires + 999) / 1000;

    case server_max_fails:
        return stat->params.max_fails;

    case server_fail_timeout:
        return stat->params.fail_timeout;

    case server_slow_start:
        return stat->params.slow_start;

    case server_conflicts:
        return stat->conflicts;

    default:
        return 0;
    }
}


static void
ngx_http_rtmp_route_api_health(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_health_stat_t *stat)
{
    static ngx_str_t  checks = ngx_string("checks");
    static ngx_str_t  fails = ngx_string("fails");
    static ngx_str_t  unhealthy = ngx_string("unhealthy");
    static ngx_str_t  last_passed = ngx_string("last_passed");
    static ngx_str_t  error = ngx_string("error");

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_key(json, &checks);
    ngx_rtmp_route_json_number(json, stat->checks);

    ngx_rtmp_route_json_key(json, &fails);
    ngx_rtmp_route_json_number(json, stat->fails);

    ngx_rtmp_route_json_key(json, &unhealthy);
    ngx_rtmp_route_json_number(json, stat->unhealthy);

    if (stat->checks) {
        ngx_rtmp_route_json_key(json, &last_passed);
        ngx_rtmp_route_json_bool(json, stat->last_passed);
    }

    if (stat->error.len) {
        ngx_rtmp_route_json_key(json, &error);
        ngx_rtmp_route_json_string(json, &stat->error);
    }

    ngx_rtmp_route_json_close(json, '}');
}


void
ngx_http_rtmp_route_api_stream_source(ngx_rtmp_route_json_t *json,
    ngx_uint_t source)
{
    ngx_rtmp_route_json_string(json,
        ngx_http_rtmp_route_api_word(ngx_http_rtmp_route_api_origins, source));
}


void
ngx_http_rtmp_route_api_stream(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_stream_stat_t *stat, ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_uint_t                        i;
    ngx_http_rtmp_route_api_field_t  *field;

    ngx_rtmp_route_json_open(json, '{');

    field = ngx_http_rtmp_route_api_stream_fields;

    for ( /* void */ ; field->name.len; field++) {

        if (!(ctx->fields & ((uint64_t) 1 << field->number))
            || (field->number == stream_conflicts && stat->nconflicts == 0))
        {
            continue;
        }

        ngx_rtmp_route_json_key(json, &field->name);

        switch (field->number) {

        case stream_server:
            ngx_rtmp_route_json_string(json, &stat->server);
            break;

        case stream_source:
            ngx_http_rtmp_route_api_stream_source(json, stat->source);
            break;

        case stream_publishers:
            ngx_rtmp_route_json_number(json, stat->publishers);
            break;

        case stream_players:
            ngx_rtmp_route_json_number(json, stat->players);
            break;

        case stream_viewers:
            ngx_rtmp_route_json_number(json,
                       ngx_http_rtmp_route_api_viewers(ctx->request,
                                                       ctx->route,
                                                       &stat->key));
            break;

        case stream_age:
            ngx_rtmp_route_json_number(json, stat->age / 1000);
            break;

        case stream_conflicts:
            ngx_rtmp_route_json_open(json, '[');

            for (i = 0; i < stat->nconflicts; i++) {
                ngx_rtmp_route_json_string(json, &stat->conflicts[i]);
            }

            ngx_rtmp_route_json_close(json, ']');
            break;
        }
    }

    ngx_rtmp_route_json_close(json, '}');
}


void
ngx_http_rtmp_route_api_session_name(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_session_stat_t *stat)
{
    u_char  *p, id[NGX_INT_T_LEN * 2 + 1];

    p = ngx_sprintf(id, "%uD-%uD", stat->slot, stat->number);

    ngx_http_rtmp_route_api_text(json, id, p - id);
}


void
ngx_http_rtmp_route_api_session(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_session_stat_t *stat, uint64_t fields, ngx_uint_t hide)
{
    ngx_http_rtmp_route_api_field_t  *field;

    ngx_rtmp_route_json_open(json, '{');

    field = ngx_http_rtmp_route_api_session_fields;

    for ( /* void */ ; field->name.len; field++) {

        if (!(fields & ((uint64_t) 1 << field->number))) {
            continue;
        }

        ngx_rtmp_route_json_key(json, &field->name);

        switch (field->number) {

        case session_id:
            ngx_http_rtmp_route_api_session_name(json, stat);
            break;

        case session_type:
            ngx_rtmp_route_json_string(json,
                                       stat->type == NGX_RTMP_ROUTE_PUBLISH
                                           ? &ngx_http_rtmp_route_api_publish
                                           : &ngx_http_rtmp_route_api_play);
            break;

        case session_stream:
            ngx_http_rtmp_route_api_stream_name(json, &stat->key, hide, 1);
            break;

        case session_client:
            ngx_rtmp_route_json_string(json, &stat->client);
            break;

        case session_server:
            ngx_rtmp_route_json_string(json, &stat->server);
            break;

        case session_upstream:
            ngx_rtmp_route_json_string(json, &stat->upstream);
            break;

        case session_agent:
            ngx_rtmp_route_json_string(json, &stat->agent);
            break;

        case session_state:
            ngx_rtmp_route_json_string(json,
                ngx_http_rtmp_route_api_word(
                    ngx_http_rtmp_route_api_session_states, stat->state));
            break;

        case session_started:
            ngx_http_rtmp_route_api_ago(json, stat->started);
            break;

        case session_in:
            ngx_rtmp_route_json_number(json, stat->in);
            break;

        case session_out:
            ngx_rtmp_route_json_number(json, stat->out);
            break;

        case session_rate:
            ngx_rtmp_route_json_number(json, stat->rate);
            break;

        case session_idle:
            ngx_rtmp_route_json_seconds(json, stat->idle);
            break;

        case session_pid:
            ngx_rtmp_route_json_number(json, stat->pid);
            break;
        }
    }

    ngx_rtmp_route_json_close(json, '}');
}


void
ngx_http_rtmp_route_api_stream_name(ngx_rtmp_route_json_t *json,
    ngx_str_t *key, ngx_uint_t hide, ngx_uint_t value)
{
    u_char      *p, *name, *last, md[EVP_MAX_MD_SIZE];
    u_char       buf[NGX_RTMP_ROUTE_KEY_LEN + 17];
    ngx_str_t    text;
    ngx_uint_t   i;

    text = *key;

    if (hide) {
        name = key->data;
        last = key->data + key->len;

        for (i = 1; i < hide; i++) {
            p = ngx_strlchr(name, last, '/');

            if (p == NULL) {
                break;
            }

            name = p + 1;
        }

        p = ngx_cpymem(buf, key->data, name - key->data);

        if (EVP_Digest(name, last - name, md, NULL, EVP_sha256(), NULL) == 1) {
            *p++ = '#';
            p = ngx_hex_dump(p, md, 8);
        }

        text.data = buf;
        text.len = p - buf;
    }

    if (value) {
        ngx_rtmp_route_json_string(json, &text);

    } else {
        ngx_rtmp_route_json_key(json, &text);
    }
}


static void
ngx_http_rtmp_route_api_endpoints(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_info_t *info, ngx_uint_t protocol)
{
    u_char      *p, text[NGX_SOCKADDR_STRLEN];
    ngx_uint_t   i;

    ngx_rtmp_route_json_open(json, '[');

    for (i = 0; i < info->nendpoints[protocol]; i++) {

        /* of a name that is not resolved yet */

        if (info->endpoints[protocol][i].family == 0) {
            continue;
        }

        p = ngx_rtmp_route_endpoint_text(text, text + NGX_SOCKADDR_STRLEN,
                                         &info->endpoints[protocol][i], 0);

        ngx_http_rtmp_route_api_text(json, text, p - text);
    }

    ngx_rtmp_route_json_close(json, ']');
}


static void
ngx_http_rtmp_route_api_text(ngx_rtmp_route_json_t *json, u_char *data,
    size_t len)
{
    ngx_str_t  s;

    s.data = data;
    s.len = len;

    ngx_rtmp_route_json_string(json, &s);
}


static void
ngx_http_rtmp_route_api_seen(ngx_rtmp_route_json_t *json, ngx_msec_t seen)
{
    ngx_msec_int_t  ago;

    ago = (ngx_msec_int_t) (ngx_current_msec - seen);

    ngx_http_rtmp_route_api_ago(json, (ago > 0) ? (ngx_msec_t) ago : 0);
}


void
ngx_http_rtmp_route_api_ago(ngx_rtmp_route_json_t *json, ngx_msec_t ago)
{
    uint64_t     now;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    ngx_rtmp_route_json_time(json, (now > ago) ? now - ago : 0);
}


ngx_int_t
ngx_http_rtmp_route_api_session_state(ngx_str_t *word)
{
    ngx_int_t   i;
    ngx_str_t  *states;

    states = ngx_http_rtmp_route_api_session_states;

    for (i = 0; i <= NGX_RTMP_ROUTE_S_CLOSING; i++) {
        if (word->len == states[i].len
            && ngx_memcmp(word->data, states[i].data, word->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}
