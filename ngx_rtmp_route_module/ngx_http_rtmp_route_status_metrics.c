
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Metrics in Prometheus' text format 0.0.4.  The lines of one metric follow
 * each other, so servers are walked through once for each that they have.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_http_rtmp_route_status_int.h"


/* what it costs to look at a server, in bytes of an answer */
#define NGX_HTTP_RTMP_ROUTE_METRIC_LOOK  128


enum {
    route_servers = 0,
    route_streams,
    route_published,
    route_sessions,
    route_conns,
    route_queued,
    route_bans,
    route_in,
    route_out,
    route_registered,
    route_refused,
    route_evicted,
    route_full,
    route_rebuilt,
    route_size,
    route_cells,
    route_core_up,
    route_core_last,
    route_core_servers,
    route_core_streams,
    route_core_polls,
    route_core_questions,
    route_ended,
    route_setup
};


enum {
    server_up = 0,
    server_state,
    server_sessions,
    server_streams,
    server_max_conns,
    server_max_streams,
    server_in,
    server_out,
    server_selected,
    server_fails,
    server_unavail,
    server_downtime,
    server_checks,
    server_check_fails,
    server_check_time
};


/* what a line is written with */

typedef struct {
    ngx_rtmp_route_json_t         *json;
    ngx_http_rtmp_route_metric_t  *metric;
    const char                    *names[NGX_HTTP_RTMP_ROUTE_STATUS_LABELS];
    ngx_str_t                     *values[NGX_HTTP_RTMP_ROUTE_STATUS_LABELS];
} ngx_http_rtmp_route_metric_ctx_t;


static void ngx_http_rtmp_route_metrics_proxy(ngx_rtmp_route_json_t *json);
static void ngx_http_rtmp_route_metrics_routes(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_ctx_t *st, ngx_uint_t family);
static void ngx_http_rtmp_route_metrics_route(
    ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr, ngx_uint_t family);
static uint64_t ngx_http_rtmp_route_metrics_number(
    ngx_http_rtmp_route_status_route_t *sr, ngx_uint_t family);
static void ngx_http_rtmp_route_metrics_sessions(
    ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr);
static void ngx_http_rtmp_route_metrics_ended(
    ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr);
static void ngx_http_rtmp_route_metrics_setup(
    ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr);
static void ngx_http_rtmp_route_metrics_words(
    ngx_http_rtmp_route_metric_ctx_t *m, const char *name, ngx_str_t *words,
    uint64_t *numbers, ngx_uint_t n);
static ngx_int_t ngx_http_rtmp_route_metrics_server(
    ngx_rtmp_route_json_t *json, ngx_http_rtmp_route_status_ctx_t *st);
static uint64_t ngx_http_rtmp_route_metrics_server_number(
    ngx_rtmp_route_t *route, ngx_rtmp_route_server_stat_t *stat,
    ngx_uint_t family);
static void ngx_http_rtmp_route_metric_write(ngx_rtmp_route_json_t *json,
    const char *text);
static void ngx_http_rtmp_route_metric_head(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric, const char *suffix,
    const char **names, ngx_str_t **values);
static void ngx_http_rtmp_route_metric_one(
    ngx_http_rtmp_route_metric_ctx_t *m, uint64_t value);


static ngx_http_rtmp_route_metric_t  ngx_http_rtmp_route_metrics_of_routes[] =
{
    { "nginx_rtmp_route_servers", "gauge",
      "Servers by state." },
    { "nginx_rtmp_route_streams", "gauge",
      "Streams in the table." },
    { "nginx_rtmp_route_published_streams", "gauge",
      "Streams with a publisher through this proxy." },
    { "nginx_rtmp_route_sessions", "gauge",
      "RTMP sessions." },
    { "nginx_rtmp_route_connections", "gauge",
      "Other connections that count for servers." },
    { "nginx_rtmp_route_queued", "gauge",
      "Clients that wait for a server." },
    { "nginx_rtmp_route_bans", "gauge",
      "Bans." },
    { "nginx_rtmp_route_in_bytes_total", "counter",
      "Bytes from clients of RTMP sessions." },
    { "nginx_rtmp_route_out_bytes_total", "counter",
      "Bytes to clients of RTMP sessions." },
    { "nginx_rtmp_route_registrations_total", "counter",
      "Registrations that were accepted." },
    { "nginx_rtmp_route_registrations_refused_total", "counter",
      "Registrations that were refused." },
    { "nginx_rtmp_route_evicted_streams_total", "counter",
      "Idle streams that were forgotten for lack of room." },
    { "nginx_rtmp_route_zone_full_total", "counter",
      "Streams and sessions that found no room." },
    { "nginx_rtmp_route_zone_rebuilds_total", "counter",
      "Rebuilds after a process had died within a change." },
    { "nginx_rtmp_route_zone_size_bytes", "gauge",
      "Size of the zone." },
    { "nginx_rtmp_route_zone_cells", "gauge",
      "Records of the zone." },
    { "nginx_rtmp_route_core_up", "gauge",
      "Whether the last poll of the core was answered." },
    { "nginx_rtmp_route_core_last_success_timestamp_seconds", "gauge",
      "When the core has answered last, 0: never." },
    { "nginx_rtmp_route_core_servers", "gauge",
      "Servers that the core has named." },
    { "nginx_rtmp_route_core_streams", "gauge",
      "Streams that the core has named." },
    { "nginx_rtmp_route_core_polls_total", "counter",
      "Polls of the core." },
    { "nginx_rtmp_route_core_questions_total", "counter",
      "Questions to the core about streams and viewers." },
    { "nginx_stream_osp_sessions_ended_total", "counter",
      "RTMP connections that have ended, by reason." },
    { "nginx_stream_osp_setup_seconds", "histogram",
      "Time from the accepted connection to media." }
};


static ngx_http_rtmp_route_metric_t  ngx_http_rtmp_route_metrics_of_servers[] =
{
    { "nginx_rtmp_route_server_up", "gauge",
      "Whether new streams may be sent there." },
    { "nginx_rtmp_route_server_state", "gauge",
      "1 for the state that the server has." },
    { "nginx_rtmp_route_server_sessions", "gauge",
      "RTMP sessions and other connections there." },
    { "nginx_rtmp_route_server_streams", "gauge",
      "Live streams there." },
    { "nginx_rtmp_route_server_max_conns", "gauge",
      "Limit of sessions and connections, 0: none." },
    { "nginx_rtmp_route_server_max_streams", "gauge",
      "Limit of streams, 0: none." },
    { "nginx_rtmp_route_server_in_bytes_total", "counter",
      "Bytes from clients of RTMP sessions to the server." },
    { "nginx_rtmp_route_server_out_bytes_total", "counter",
      "Bytes from the server to clients of RTMP sessions." },
    { "nginx_rtmp_route_server_selected_total", "counter",
      "How often the server was picked." },
    { "nginx_rtmp_route_server_fails_total", "counter",
      "Failed connects, handshakes and replies." },
    { "nginx_rtmp_route_server_unavail_total", "counter",
      "How often the server became unavail." },
    { "nginx_rtmp_route_server_downtime_seconds_total", "counter",
      "How long the server was out of use." },
    { "nginx_rtmp_route_server_health_checks_total", "counter",
      "Health checks." },
    { "nginx_rtmp_route_server_health_check_fails_total", "counter",
      "Health checks that have failed." },
    { "nginx_rtmp_route_server_health_check_seconds", "gauge",
      "How long the last health check took." }
};


#define NGX_HTTP_RTMP_ROUTE_METRICS_ROUTE                                     \
    (sizeof(ngx_http_rtmp_route_metrics_of_routes)                            \
     / sizeof(ngx_http_rtmp_route_metric_t))
#define NGX_HTTP_RTMP_ROUTE_METRICS_SERVER                                    \
    (sizeof(ngx_http_rtmp_route_metrics_of_servers)                           \
     / sizeof(ngx_http_rtmp_route_metric_t))


ngx_int_t
ngx_http_rtmp_route_status_metrics_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made)
{
    size_t                                length;
    ngx_uint_t                            i;
    ngx_http_rtmp_route_status_ctx_t     *st;
    ngx_http_rtmp_route_api_main_conf_t  *amcf;

    st = ctx->data;
    length = ctx->json.length;

    if (st->phase == 0) {
        st->phase = 1;

        ngx_http_rtmp_route_metrics_proxy(&ctx->json);
    }

    while (*made + (ctx->json.length - length) < NGX_HTTP_RTMP_ROUTE_API_STEP) {

        if (st->family < NGX_HTTP_RTMP_ROUTE_METRICS_ROUTE) {
            ngx_http_rtmp_route_metrics_routes(&ctx->json, st, st->family++);
            continue;
        }

        if (st->family < NGX_HTTP_RTMP_ROUTE_METRICS_ROUTE
                         + NGX_HTTP_RTMP_ROUTE_METRICS_SERVER)
        {
            *made += NGX_HTTP_RTMP_ROUTE_METRIC_LOOK;

            if (ngx_http_rtmp_route_metrics_server(&ctx->json, st)
                == NGX_DONE)
            {
                st->family++;
                st->pass = 0;
                st->i = 0;
            }

            continue;
        }

        amcf = ngx_http_get_module_main_conf(r,
                                             ngx_http_rtmp_route_api_module);

        for (i = 0; i < amcf->nparts; i++) {
            amcf->parts[i]->metrics(&ctx->json, st->parts[i]);
        }

        /* the last step has to write something; and this was all of it */

        ngx_http_rtmp_route_metric_write(&ctx->json, "# EOF\n");

        return NGX_DONE;
    }

    return NGX_AGAIN;
}


static void
ngx_http_rtmp_route_metrics_proxy(ngx_rtmp_route_json_t *json)
{
    ngx_uint_t                         i, workers;
    ngx_rtmp_route_slot_stat_t         stat;
    ngx_http_rtmp_route_metric_ctx_t   m;

    static ngx_str_t  version = ngx_string(NGX_RTMP_ROUTE_VERSION);
    static ngx_str_t  nginx = ngx_string(NGINX_VERSION);

    static ngx_http_rtmp_route_metric_t  metrics[] = {
        { "nginx_rtmp_route_build_info", "gauge",
          "The version, always 1." },
        { "nginx_rtmp_route_draining", "gauge",
          "Whether the proxy drains." },
        { "nginx_rtmp_route_workers", "gauge",
          "Worker processes, those shutting down included." },
        { "nginx_rtmp_route_config_load_timestamp_seconds", "gauge",
          "When the configuration was read." }
    };

    workers = 0;

    for (i = 0; i < ngx_rtmp_route_slots(); i++) {
        workers += (ngx_rtmp_route_slot_stat(i, &stat) == NGX_OK);
    }

    m.json = json;
    m.names[0] = "version";
    m.values[0] = &version;
    m.names[1] = "nginx";
    m.values[1] = &nginx;
    m.names[2] = NULL;

    m.metric = &metrics[0];
    ngx_http_rtmp_route_metric(json, m.metric);
    ngx_http_rtmp_route_metric_one(&m, 1);

    m.names[0] = NULL;

    m.metric = &metrics[1];
    ngx_http_rtmp_route_metric(json, m.metric);
    ngx_http_rtmp_route_metric_one(&m, ngx_rtmp_route_slots_draining() != 0);

    m.metric = &metrics[2];
    ngx_http_rtmp_route_metric(json, m.metric);
    ngx_http_rtmp_route_metric_one(&m, workers);

    m.metric = &metrics[3];
    ngx_http_rtmp_route_metric(json, m.metric);
    ngx_http_rtmp_route_metric_time(json, m.metric, m.names, m.values,
                                  ngx_rtmp_route_main_conf(ngx_cycle)->loaded);
}


static void
ngx_http_rtmp_route_metrics_routes(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_ctx_t *st, ngx_uint_t family)
{
    ngx_uint_t                           i, some;
    ngx_rtmp_route_control_t            *control;
    ngx_http_rtmp_route_metric_ctx_t     m;
    ngx_http_rtmp_route_status_route_t  *sr;

    m.json = json;
    m.metric = &ngx_http_rtmp_route_metrics_of_routes[family];
    m.names[0] = "route";

    some = 0;

    for (i = 0; i < st->nroutes; i++) {
        sr = &st->routes[i];
        control = sr->route->control;

        if (family >= route_core_up
            && family <= route_core_questions
            && (control == NULL || control->stat == NULL))
        {
            continue;
        }

        /* a metric without a line is none */

        if (!some++) {
            ngx_http_rtmp_route_metric(json, m.metric);
        }

        m.values[0] = &sr->route->name;
        m.names[1] = NULL;
        m.names[2] = NULL;

        ngx_http_rtmp_route_metrics_route(&m, sr, family);
    }

    if (family == route_ended && some) {
        static ngx_str_t  none = ngx_string("");

        m.values[0] = &none;
        ngx_http_rtmp_route_metrics_ended(&m, &st->none);
    }
}


static void
ngx_http_rtmp_route_metrics_route(ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr, ngx_uint_t family)
{
    uint64_t    n[NGX_RTMP_ROUTE_STATES];
    ngx_uint_t  i;

    static ngx_str_t  cells[] = { ngx_string("used"), ngx_string("free") };
    static ngx_str_t  polls[] = { ngx_string("ok"), ngx_string("failed") };
    static ngx_str_t  answers[] = {
        ngx_string("yes"), ngx_string("no"), ngx_string("failed")
    };

    switch (family) {

    case route_servers:

        for (i = 0; i < NGX_RTMP_ROUTE_STATES; i++) {
            n[i] = sr->summary.servers[i];
        }

        ngx_http_rtmp_route_metrics_words(m, "state",
                                          ngx_http_rtmp_route_status_state(0),
                                          n, NGX_RTMP_ROUTE_STATES);
        return;

    case route_sessions:
        ngx_http_rtmp_route_metrics_sessions(m, sr);
        return;

    case route_refused:

        for (i = 0; i < NGX_RTMP_ROUTE_REFUSED_N; i++) {
            n[i] = sr->counters.refused[i];
        }

        ngx_http_rtmp_route_metrics_words(m, "reason",
                                          ngx_http_rtmp_route_status_refused,
                                          n, NGX_RTMP_ROUTE_REFUSED_N);
        return;

    case route_size:
        m->names[1] = "zone";
        m->values[1] = &sr->route->zone;
        break;

    case route_cells:
        n[0] = sr->stat.cells_used;
        n[1] = sr->stat.cells_total - sr->stat.cells_used;

        m->names[2] = "zone";
        m->values[2] = &sr->route->zone;
        ngx_http_rtmp_route_metrics_words(m, "state", cells, n, 2);
        return;

    case route_core_polls:
        n[0] = sr->control.polls;
        n[1] = sr->control.polls_failed;

        ngx_http_rtmp_route_metrics_words(m, "result", polls, n, 2);
        return;

    case route_core_questions:
        n[0] = sr->control.yes;
        n[1] = sr->control.no;
        n[2] = sr->control.failed;

        ngx_http_rtmp_route_metrics_words(m, "result", answers, n, 3);
        return;

    case route_ended:
        ngx_http_rtmp_route_metrics_ended(m, sr);
        return;

    case route_setup:
        ngx_http_rtmp_route_metrics_setup(m, sr);
        return;
    }

    ngx_http_rtmp_route_metric_one(m,
                               ngx_http_rtmp_route_metrics_number(sr, family));
}


static uint64_t
ngx_http_rtmp_route_metrics_number(ngx_http_rtmp_route_status_route_t *sr,
    ngx_uint_t family)
{
    switch (family) {

    case route_streams:
        return sr->stat.streams;

    case route_published:
        return sr->summary.published;

    case route_conns:
        return sr->stat.conns;

    case route_queued:
        return sr->stat.queued;

    case route_bans:
        return sr->bans;

    case route_in:
        return sr->in;

    case route_out:
        return sr->out;

    case route_registered:
        return sr->counters.registered;

    case route_evicted:
        return sr->stat.evicted;

    case route_full:
        return sr->stat.full;

    case route_rebuilt:
        return sr->stat.rebuilt;

    case route_size:
        return sr->route->size;

    case route_core_up:
        return sr->control.up;

    case route_core_last:
        return sr->control.last;

    case route_core_servers:
        return sr->control.servers;

    default: /* route_core_streams */
        return sr->control.streams;
    }
}


static void
ngx_http_rtmp_route_metrics_sessions(ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr)
{
    ngx_uint_t  i, j;

    m->names[1] = "type";
    m->names[2] = "state";

    for (i = 0; i < NGX_RTMP_ROUTE_SESSION_TYPES; i++) {
        for (j = 0; j < NGX_RTMP_ROUTE_SESSION_STATES; j++) {
            m->values[1] = &ngx_http_rtmp_route_status_types[i];
            m->values[2] = &ngx_http_rtmp_route_status_steps[j];

            ngx_http_rtmp_route_metric_one(m, sr->summary.sessions[i][j]);
        }
    }
}


static void
ngx_http_rtmp_route_metrics_ended(ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);

    m->names[1] = "reason";
    m->names[2] = NULL;

    for (i = 0; i < rmcf->nreasons; i++) {
        m->values[1] = rmcf->reason(i);

        if (sr->route || sr->counters.ended[i]) {
            ngx_http_rtmp_route_metric_one(m, sr->counters.ended[i]);
        }
    }
}


static void
ngx_http_rtmp_route_metrics_setup(ngx_http_rtmp_route_metric_ctx_t *m,
    ngx_http_rtmp_route_status_route_t *sr)
{
    u_char     *p, buf[NGX_INT64_LEN * 2];
    uint64_t    count;
    ngx_str_t   le;
    ngx_uint_t  i, limit;

    m->names[1] = "le";
    m->values[1] = &le;

    count = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_SETUP_BUCKETS; i++) {

        count += sr->counters.setup[i];
        limit = ngx_rtmp_route_setup_limit(i);

        le.data = buf;
        p = limit ? ngx_sprintf(buf, "%ui.%03ui", limit / 1000, limit % 1000)
                  : ngx_sprintf(buf, "+Inf");
        le.len = p - buf;

        ngx_http_rtmp_route_metric_head(m->json, m->metric, "_bucket",
                                        m->names, m->values);

        p = ngx_sprintf(buf, "%uL\n", count);
        ngx_rtmp_route_json_raw(m->json, buf, p - buf);
    }

    m->names[1] = NULL;

    ngx_http_rtmp_route_metric_head(m->json, m->metric, "_sum", m->names,
                                    m->values);

    p = ngx_sprintf(buf, "%uA.%03uA\n", sr->counters.setup_time / 1000,
                    sr->counters.setup_time % 1000);
    ngx_rtmp_route_json_raw(m->json, buf, p - buf);

    ngx_http_rtmp_route_metric_head(m->json, m->metric, "_count", m->names,
                                    m->values);

    p = ngx_sprintf(buf, "%uL\n", count);
    ngx_rtmp_route_json_raw(m->json, buf, p - buf);
}


static void
ngx_http_rtmp_route_metrics_words(ngx_http_rtmp_route_metric_ctx_t *m,
    const char *name, ngx_str_t *words, uint64_t *numbers, ngx_uint_t n)
{
    ngx_uint_t  i;

    m->names[1] = name;

    for (i = 0; i < n; i++) {
        m->values[1] = &words[i];
        ngx_http_rtmp_route_metric_one(m, numbers[i]);
    }
}


/* one more of a metric; NGX_DONE: there are no more */

static ngx_int_t
ngx_http_rtmp_route_metrics_server(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_status_ctx_t *st)
{
    uint64_t                           value;
    ngx_str_t                          id;
    ngx_uint_t                         family;
    ngx_rtmp_route_t                  *route;
    ngx_rtmp_route_server_stat_t       stat;
    ngx_http_rtmp_route_metric_ctx_t   m;

    family = st->family - NGX_HTTP_RTMP_ROUTE_METRICS_ROUTE;

    if (st->i == st->nroutes) {
        return NGX_DONE;
    }

    route = st->routes[st->i].route;

    if (ngx_rtmp_route_server_walk(&route->table, &st->cursor, &stat)
        != NGX_OK)
    {
        st->i++;
        st->cursor = 0;
        return NGX_OK;
    }

    if (family == server_check_time && stat.check.checks == 0) {
        return NGX_OK;
    }

    m.json = json;
    m.metric = &ngx_http_rtmp_route_metrics_of_servers[family];

    if (!st->pass) {
        st->pass = 1;
        ngx_http_rtmp_route_metric(json, m.metric);
    }

    id.data = stat.info.id;
    id.len = stat.info.id_len;

    m.names[0] = "route";
    m.values[0] = &route->name;
    m.names[1] = "server";
    m.values[1] = &id;
    m.names[2] = NULL;

    if (family == server_state) {
        m.names[2] = "state";
        m.values[2] = ngx_http_rtmp_route_status_state(stat.state);
    }

    value = ngx_http_rtmp_route_metrics_server_number(route, &stat, family);

    if (family == server_downtime || family == server_check_time) {
        ngx_http_rtmp_route_metric_time(json, m.metric, m.names, m.values,
                                        value);
        return NGX_OK;
    }

    ngx_http_rtmp_route_metric_one(&m, value);

    return NGX_OK;
}


static uint64_t
ngx_http_rtmp_route_metrics_server_number(ngx_rtmp_route_t *route,
    ngx_rtmp_route_server_stat_t *stat, ngx_uint_t family)
{
    switch (family) {

    case server_up:
        return ngx_http_rtmp_route_status_up(route, stat->state);

    case server_state:
        return 1;

    case server_sessions:
        return stat->conns;

    case server_streams:
        return stat->streams;

    case server_max_conns:
        return stat->params.max_conns;

    case server_max_streams:
        return stat->params.max_streams;

    case server_in:
        return stat->in;

    case server_out:
        return stat->out;

    case server_selected:
        return stat->selected;

    case server_fails:
        return stat->fails;

    case server_unavail:
        return stat->unavail;

    case server_downtime:
        return stat->check.downtime;

    case server_checks:
        return stat->check.checks;

    case server_check_fails:
        return stat->check.fails;

    default: /* server_check_time */
        return stat->check.took;
    }
}


void
ngx_http_rtmp_route_metric(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric)
{
    ngx_http_rtmp_route_metric_write(json, "# HELP ");
    ngx_http_rtmp_route_metric_write(json, metric->name);
    ngx_http_rtmp_route_metric_write(json, " ");
    ngx_http_rtmp_route_metric_write(json, metric->help);
    ngx_http_rtmp_route_metric_write(json, "\n# TYPE ");
    ngx_http_rtmp_route_metric_write(json, metric->name);
    ngx_http_rtmp_route_metric_write(json, " ");
    ngx_http_rtmp_route_metric_write(json, metric->type);
    ngx_http_rtmp_route_metric_write(json, "\n");
}


void
ngx_http_rtmp_route_metric_line(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric, const char **names,
    ngx_str_t **values, uint64_t value)
{
    u_char  *p, buf[NGX_INT64_LEN + 1];

    ngx_http_rtmp_route_metric_head(json, metric, "", names, values);

    p = ngx_sprintf(buf, "%uL\n", value);
    ngx_rtmp_route_json_raw(json, buf, p - buf);
}


void
ngx_http_rtmp_route_metric_time(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric, const char **names,
    ngx_str_t **values, uint64_t msec)
{
    u_char  *p, buf[NGX_INT64_LEN + 5];

    ngx_http_rtmp_route_metric_head(json, metric, "", names, values);

    p = ngx_sprintf(buf, "%uL.%03uL\n", msec / 1000, msec % 1000);
    ngx_rtmp_route_json_raw(json, buf, p - buf);
}


static void
ngx_http_rtmp_route_metric_write(ngx_rtmp_route_json_t *json,
    const char *text)
{
    ngx_rtmp_route_json_raw(json, (u_char *) text, ngx_strlen(text));
}


static void
ngx_http_rtmp_route_metric_head(ngx_rtmp_route_json_t *json,
    ngx_http_rtmp_route_metric_t *metric, const char *suffix,
    const char **names, ngx_str_t **values)
{
    ngx_uint_t  i;

    ngx_http_rtmp_route_metric_write(json, metric->name);
    ngx_http_rtmp_route_metric_write(json, suffix);

    for (i = 0; i < NGX_HTTP_RTMP_ROUTE_STATUS_LABELS && names[i]; i++) {
        ngx_http_rtmp_route_metric_write(json, i ? "," : "{");
        ngx_http_rtmp_route_metric_write(json, names[i]);
        ngx_http_rtmp_route_metric_write(json, "=");
        ngx_rtmp_route_json_label(json, values[i]);
    }

    ngx_http_rtmp_route_metric_write(json, i ? "} " : " ");
}


static void
ngx_http_rtmp_route_metric_one(ngx_http_rtmp_route_metric_ctx_t *m,
    uint64_t value)
{
    ngx_http_rtmp_route_metric_line(m->json, m->metric, m->names, m->values,
                                    value);
}
