
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_json.h"
#include "ngx_rtmp_route_proxies.h"
#include "ngx_rtmp_route_rtmp.h"

#include <sys/eventfd.h>


#define NGX_RTMP_ROUTE_RTMP_OK        200
#define NGX_RTMP_ROUTE_RTMP_COALESCE  10        /* ms */
#define NGX_RTMP_ROUTE_RTMP_BACKOFF   1000
#define NGX_RTMP_ROUTE_RTMP_LEAVE     3000      /* to say goodbye */
#define NGX_RTMP_ROUTE_RTMP_BODY      1000000   /* proxies take 1m */
#define NGX_RTMP_ROUTE_RTMP_LIST      10000     /* and so many streams */
#define NGX_RTMP_ROUTE_RTMP_KEEP      60000     /* who answers no more */

/* for so long a proxy that has answered is one, ms */

#define ngx_rtmp_route_rtmp_time(proxy)                                       \
    ngx_max(3 * (proxy)->interval, NGX_RTMP_ROUTE_RTMP_KEEP)


static void ngx_rtmp_route_rtmp_event_handler(ngx_event_t *ev);
static void ngx_rtmp_route_rtmp_send(ngx_rtmp_route_rtmp_proxy_t *proxy);
static ngx_int_t ngx_rtmp_route_rtmp_connected(
    ngx_rtmp_route_request_t *request, ngx_connection_t *c);
static ngx_int_t ngx_rtmp_route_rtmp_body(ngx_rtmp_route_request_t *request,
    ngx_connection_t *c, ngx_array_t *streams);
static ngx_int_t ngx_rtmp_route_rtmp_endpoints(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_connection_t *c);
static ngx_uint_t ngx_rtmp_route_rtmp_reachable(
    ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_rtmp_route_rtmp_listen_t *listen,
    ngx_connection_t *c);
static ngx_uint_t ngx_rtmp_route_rtmp_loopback(struct sockaddr *sa);
static void ngx_rtmp_route_rtmp_json_text(ngx_rtmp_route_json_t *json,
    const char *fmt, ...);
static void ngx_rtmp_route_rtmp_answered(ngx_rtmp_route_request_t *request);
static ngx_uint_t ngx_rtmp_route_rtmp_success(ngx_str_t *answer);
static void ngx_rtmp_route_rtmp_failed(ngx_rtmp_route_rtmp_proxy_t *proxy,
    ngx_str_t *why);
static ngx_msec_t ngx_rtmp_route_rtmp_next(
    ngx_rtmp_route_rtmp_proxy_t *proxy);
static ngx_uint_t ngx_rtmp_route_rtmp_upgraded(void);
static void ngx_rtmp_route_rtmp_quit_handler(ngx_event_t *rev);


/* of the master: service, as SRS calls what changes with each start */

static u_char             ngx_rtmp_route_rtmp_service[32];

/* of the worker that registers */

static ngx_array_t       *ngx_rtmp_route_rtmp_proxies;
static uint64_t           ngx_rtmp_route_rtmp_sum;
static ngx_connection_t  *ngx_rtmp_route_rtmp_quit;


ngx_int_t
ngx_rtmp_route_rtmp_register_init(ngx_log_t *log)
{
    if (ngx_rtmp_route_rtmp_service[0] == '\0') {
        ngx_sprintf(ngx_rtmp_route_rtmp_service, "%08xD%08xD%Z",
                    (uint32_t) ngx_time(),
                    (uint32_t) (ngx_random() ^ ((uint32_t) ngx_pid << 16)));
    }

    return ngx_rtmp_route_proxies_create(log);
}


ngx_int_t
ngx_rtmp_route_rtmp_register_start(ngx_cycle_t *cycle, ngx_array_t *proxies)
{
    uint64_t                      *keys;
    ngx_fd_t                       fd;
    ngx_uint_t                     i;
    ngx_connection_t              *c;
    ngx_rtmp_route_rtmp_proxy_t   *proxy, **proxyp;

    keys = ngx_palloc(cycle->pool, proxies->nelts * sizeof(uint64_t));
    if (keys == NULL) {
        return NGX_ERROR;
    }

    ngx_rtmp_route_rtmp_streams_lead();

    /* of an idle connection nginx tells when it begins to exit */

    fd = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "eventfd() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->idle = 1;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_rtmp_route_rtmp_quit_handler;

    ngx_rtmp_route_rtmp_quit = c;
    ngx_rtmp_route_rtmp_proxies = proxies;
    ngx_rtmp_route_rtmp_sum = ngx_rtmp_route_rtmp_streams_sum();

    proxyp = proxies->elts;

    for (i = 0; i < proxies->nelts; i++) {
        proxy = proxyp[i];

        proxy->dumb.fd = (ngx_socket_t) -1;
        proxy->dumb.data = proxy;

        proxy->event.handler = ngx_rtmp_route_rtmp_event_handler;
        proxy->event.data = &proxy->dumb;
        proxy->event.log = cycle->log;
        proxy->event.cancelable = 1;

        ngx_add_timer(&proxy->event, NGX_RTMP_ROUTE_RTMP_COALESCE);

        keys[i] = proxy->key;
    }

    ngx_rtmp_route_proxies_only(keys, proxies->nelts);

    return NGX_OK;
}


void
ngx_rtmp_route_rtmp_register_check(void)
{
    uint64_t                       sum;
    ngx_uint_t                     i;
    ngx_event_t                   *ev;
    ngx_rtmp_route_rtmp_proxy_t   *proxy, **proxyp;

    if (ngx_rtmp_route_rtmp_proxies == NULL
        || ngx_exiting
        || !ngx_rtmp_route_rtmp_streams_leads())
    {
        return;
    }

    sum = ngx_rtmp_route_rtmp_streams_sum();

    if (sum == ngx_rtmp_route_rtmp_sum) {
        return;
    }

    ngx_rtmp_route_rtmp_sum = sum;

    proxyp = ngx_rtmp_route_rtmp_proxies->elts;

    for (i = 0; i < ngx_rtmp_route_rtmp_proxies->nelts; i++) {
        proxy = proxyp[i];

        if (proxy->request) {
            proxy->pending = 1;
            continue;
        }

        /* one that does not answer is not asked more often for that */

        if (proxy->failing) {
            continue;
        }

        ev = &proxy->event;

        /* of several changes the first counts */

        if (ev->timer_set) {

            if ((ngx_msec_int_t) (ev->timer.key - ngx_current_msec)
                <= NGX_RTMP_ROUTE_RTMP_COALESCE)
            {
                continue;
            }

            /* nginx would leave it alone if it is due in less than 300 ms */

            ngx_del_timer(ev);
        }

        ngx_add_timer(ev, NGX_RTMP_ROUTE_RTMP_COALESCE);
    }
}


static void
ngx_rtmp_route_rtmp_event_handler(ngx_event_t *ev)
{
    ngx_connection_t             *dumb;
    ngx_rtmp_route_rtmp_proxy_t  *proxy;

    dumb = ev->data;
    proxy = dumb->data;

    /* workers of a newer configuration register, or nobody does */

    if (ngx_exiting || !ngx_rtmp_route_rtmp_streams_leads()) {
        return;
    }

    if (ngx_rtmp_route_rtmp_upgraded()) {

        /* what proxies answer is heard there */

        ngx_rtmp_route_proxies_keep(ngx_rtmp_route_rtmp_time(proxy));
        ngx_add_timer(ev, ngx_rtmp_route_rtmp_next(proxy));
        return;
    }

    ngx_rtmp_route_rtmp_send(proxy);
}


static void
ngx_rtmp_route_rtmp_send(ngx_rtmp_route_rtmp_proxy_t *proxy)
{
    ngx_str_t                  why;
    ngx_rtmp_route_request_t  *request;

    static ngx_str_t  authorization = ngx_string("Authorization");

    proxy->pending = 0;

    request = ngx_rtmp_route_request_create(proxy->client);

    if (request == NULL) {
        goto failed;
    }

    ngx_str_set(&request->method, "POST");
    ngx_str_set(&request->content_type, "application/json");

    request->handler = ngx_rtmp_route_rtmp_answered;
    request->connected = ngx_rtmp_route_rtmp_connected;
    request->data = proxy;
    request->idempotent = 1;
    request->quiet = 1;

    /* with a name, its address is looked up again at each interval */

    if (!proxy->client->literal
        && ngx_current_msec - proxy->connected >= proxy->interval / 2)
    {
        proxy->connected = ngx_current_msec;
        request->fresh = 1;
    }

    if (proxy->leaving) {
        request->waited = 1;
        request->timeout = NGX_RTMP_ROUTE_RTMP_LEAVE;
    }

    if (proxy->bearer.len) {
        (void) ngx_rtmp_route_request_header(request, &authorization,
                                             &proxy->bearer);
    }

    if (ngx_rtmp_route_request_start(request) != NGX_OK) {
        goto failed;
    }

    proxy->request = request;

    return;

failed:

    ngx_str_set(&why, "no memory");
    ngx_rtmp_route_rtmp_failed(proxy, &why);
}


/* the body is made when our address is known */

static ngx_int_t
ngx_rtmp_route_rtmp_connected(ngx_rtmp_route_request_t *request,
    ngx_connection_t *c)
{
    ngx_int_t                     rc;
    socklen_t                     len;
    ngx_array_t                   streams;
    ngx_rtmp_route_rtmp_proxy_t  *proxy;

    proxy = request->data;
    len = sizeof(ngx_sockaddr_t);

    if (getpeername(c->fd, &proxy->peer.sockaddr, &len) == -1) {
        ngx_str_set(&request->error, "connection was lost");
        return NGX_ERROR;
    }

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK
        || ngx_array_init(&streams, request->pool, 64,
                          sizeof(ngx_rtmp_route_rtmp_stream_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (proxy->leaving) {
        return ngx_rtmp_route_rtmp_body(request, c, NULL);
    }

    rc = ngx_rtmp_route_rtmp_streams_collect(request->pool, &proxy->ports,
                                             &streams);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && streams.nelts <= NGX_RTMP_ROUTE_RTMP_LIST) {

        rc = ngx_rtmp_route_rtmp_body(request, c, &streams);
        if (rc != NGX_OK) {
            return rc;
        }

        if (request->body.len <= NGX_RTMP_ROUTE_RTMP_BODY) {
            proxy->cut = 0;
            return NGX_OK;
        }
    }

    /* a list that lacks some would say that these are gone */

    if (!proxy->cut) {
        proxy->cut = 1;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "too many streams to be listed to \"%V\"", &proxy->url);
    }

    return ngx_rtmp_route_rtmp_body(request, c, NULL);
}


static ngx_int_t
ngx_rtmp_route_rtmp_body(ngx_rtmp_route_request_t *request,
    ngx_connection_t *c, ngx_array_t *streams)
{
    u_char                        *p;
    ngx_str_t                      text;
    ngx_uint_t                     i;
    ngx_chain_t                   *cl;
    ngx_rtmp_route_json_t          json;
    ngx_rtmp_route_rtmp_proxy_t   *proxy;
    ngx_rtmp_route_rtmp_stream_t  *stream;

    proxy = request->data;

    ngx_rtmp_route_json_init(&json, request->pool,
                             NGX_RTMP_ROUTE_JSON_BUFFER);

    ngx_rtmp_route_json_open(&json, '{');

    ngx_rtmp_route_json_name(&json, "server");
    ngx_rtmp_route_json_string(&json, &proxy->id);

    text.data = ngx_rtmp_route_rtmp_service;
    text.len = ngx_strlen(text.data);

    ngx_rtmp_route_json_name(&json, "service");
    ngx_rtmp_route_json_string(&json, &text);

    ngx_rtmp_route_json_name(&json, "pid");
    ngx_rtmp_route_rtmp_json_text(&json, "%P",
                                  (ngx_process == NGX_PROCESS_SINGLE)
                                  ? ngx_pid : ngx_parent);

    if (ngx_rtmp_route_rtmp_endpoints(&json, proxy, c) != NGX_OK) {
        ngx_str_set(&request->error, "no address of a \"listen\" that it could "
                                     "reach, \"ip=\" may be needed");
        return NGX_DECLINED;
    }

    if (proxy->http) {
        ngx_rtmp_route_json_name(&json, "http");
        ngx_rtmp_route_json_open(&json, '[');
        ngx_rtmp_route_rtmp_json_text(&json, "%ui", proxy->http);
        ngx_rtmp_route_json_close(&json, ']');
    }

    if (proxy->weight) {
        ngx_rtmp_route_json_name(&json, "weight");
        ngx_rtmp_route_json_number(&json, proxy->weight);
    }

    if (proxy->max_streams) {
        ngx_rtmp_route_json_name(&json, "max_streams");
        ngx_rtmp_route_json_number(&json, proxy->max_streams);
    }

    if (proxy->leaving) {
        ngx_rtmp_route_json_name(&json, "unregister");
        ngx_rtmp_route_json_bool(&json, 1);
    }

    if (streams) {
        stream = streams->elts;

        ngx_rtmp_route_json_name(&json, "streams");
        ngx_rtmp_route_json_open(&json, '[');

        for (i = 0; i < streams->nelts; i++) {

            /* a path with a slash is one whatever form keys have there */

            text.len = stream[i].name.len + 1;
            text.data = ngx_pnalloc(request->pool, text.len);
            if (text.data == NULL) {
                return NGX_ERROR;
            }

            text.data[0] = '/';
            ngx_memcpy(&text.data[1], stream[i].name.data,
                       stream[i].name.len);

            ngx_rtmp_route_json_open(&json, '{');
            ngx_rtmp_route_json_name(&json, "name");
            ngx_rtmp_route_json_string(&json, &text);
            ngx_rtmp_route_json_name(&json, "publishers");
            ngx_rtmp_route_json_number(&json, stream[i].publishers);
            ngx_rtmp_route_json_name(&json, "players");
            ngx_rtmp_route_json_number(&json, stream[i].players);
            ngx_rtmp_route_json_close(&json, '}');
        }

        ngx_rtmp_route_json_close(&json, ']');
    }

    ngx_rtmp_route_json_close(&json, '}');

    if (json.failed) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(request->pool, json.length);
    if (p == NULL) {
        return NGX_ERROR;
    }

    request->body.data = p;

    for (cl = json.out; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    request->body.len = p - request->body.data;

    return NGX_OK;
}


/* NGX_DECLINED: there is none that the proxy could reach */

static ngx_int_t
ngx_rtmp_route_rtmp_endpoints(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_connection_t *c)
{
    u_char                         text[NGX_SOCKADDR_STRLEN];
    ngx_str_t                      ip;
    ngx_uint_t                     i, plain;
    struct sockaddr               *sa, *own;
    ngx_rtmp_route_rtmp_listen_t  *listen;

    listen = proxy->listens.elts;
    own = NULL;
    plain = 0;

    /* proxies send a PROXY header to all addresses of a server, or to none */

    for (i = 0; i < proxy->listens.nelts; i++) {
        plain |= !listen[i].proxy_protocol
                 && ngx_rtmp_route_rtmp_reachable(proxy, &listen[i], c);
    }

    /* the address of the connection, or that of a "listen" if all have one */

    for (i = 0; i < proxy->listens.nelts; i++) {

        if ((plain && listen[i].proxy_protocol)
            || !ngx_rtmp_route_rtmp_reachable(proxy, &listen[i], c))
        {
            continue;
        }

        if (listen[i].wildcard) {
            own = c->local_sockaddr;
            break;
        }

        if (own == NULL) {
            own = &listen[i].sockaddr.sockaddr;
        }
    }

    if (own == NULL) {
        return NGX_DECLINED;
    }

    ip = proxy->ip;

    if (ip.len == 0) {
        ip.data = text;
        ip.len = ngx_sock_ntop(own, sizeof(ngx_sockaddr_t), text,
                               NGX_SOCKADDR_STRLEN, 0);
    }

    ngx_rtmp_route_json_name(json, "ip");
    ngx_rtmp_route_json_string(json, &ip);

    ngx_rtmp_route_json_name(json, "rtmp");
    ngx_rtmp_route_json_open(json, '[');

    for (i = 0; i < proxy->listens.nelts; i++) {

        if ((plain && listen[i].proxy_protocol)
            || !ngx_rtmp_route_rtmp_reachable(proxy, &listen[i], c))
        {
            continue;
        }

        sa = &listen[i].sockaddr.sockaddr;

        if (listen[i].wildcard) {
            ngx_rtmp_route_rtmp_json_text(json, "%ui",
                                          (ngx_uint_t) ngx_inet_get_port(sa));
            continue;
        }

        ip.data = text;
        ip.len = ngx_sock_ntop(sa, sizeof(ngx_sockaddr_t), text,
                               NGX_SOCKADDR_STRLEN, 1);

        ngx_rtmp_route_json_string(json, &ip);
    }

    ngx_rtmp_route_json_close(json, ']');

    if (!plain) {
        /* the only version that it knows */

        ngx_str_set(&ip, "v1");

        ngx_rtmp_route_json_name(json, "proxy_protocol");
        ngx_rtmp_route_json_string(json, &ip);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_rtmp_reachable(ngx_rtmp_route_rtmp_proxy_t *proxy,
    ngx_rtmp_route_rtmp_listen_t *listen, ngx_connection_t *c)
{
    struct sockaddr  *sa;

    sa = &listen->sockaddr.sockaddr;

    if (listen->wildcard) {
        return proxy->ip.len
               || sa->sa_family == c->local_sockaddr->sa_family
               || listen->dual;
    }

    /* seen from another machine it would be that machine itself */

    return !ngx_rtmp_route_rtmp_loopback(sa)
           || (proxy->ip.len == 0
               && ngx_rtmp_route_rtmp_loopback(c->local_sockaddr));
}


static ngx_uint_t
ngx_rtmp_route_rtmp_loopback(struct sockaddr *sa)
{
#if (NGX_HAVE_INET6)
    if (sa->sa_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *) sa)->sin6_addr);
    }
#endif

    if (sa->sa_family == AF_INET) {
        return (ntohl(((struct sockaddr_in *) sa)->sin_addr.s_addr) >> 24)
               == 127;
    }

    return 0;
}


static void
ngx_rtmp_route_rtmp_json_text(ngx_rtmp_route_json_t *json, const char *fmt,
    ...)
{
    u_char     buf[NGX_INT64_LEN + 1];
    va_list    args;
    ngx_str_t  text;

    va_start(args, fmt);
    text.data = buf;
    text.len = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args) - buf;
    va_end(args);

    ngx_rtmp_route_json_string(json, &text);
}


static void
ngx_rtmp_route_rtmp_answered(ngx_rtmp_route_request_t *request)
{
    u_char                        buf[NGX_INT_T_LEN + sizeof("status ")];
    ngx_str_t                     why;
    ngx_rtmp_route_rtmp_proxy_t  *proxy;

    proxy = request->data;
    proxy->request = NULL;

    if (request->status == 0) {
        ngx_rtmp_route_rtmp_failed(proxy, &request->error);
        return;
    }

    if (request->status != NGX_RTMP_ROUTE_RTMP_OK) {
        why.data = buf;
        why.len = ngx_sprintf(buf, "status %ui", request->status) - buf;

        ngx_rtmp_route_rtmp_failed(proxy, &why);
        return;
    }

    if (!ngx_rtmp_route_rtmp_success(&request->answer)) {
        ngx_str_set(&why, "its answer has no \"code\":0");
        ngx_rtmp_route_rtmp_failed(proxy, &why);
        return;
    }

    if (proxy->leaving) {
        return;
    }

    if (ngx_rtmp_route_rtmp_streams_leads()
        && ngx_rtmp_route_proxies_note(proxy->key, &proxy->peer.sockaddr,
                                       ngx_rtmp_route_rtmp_time(proxy))
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "too many proxies to be let in by \"rtmp_route_acl\"");
    }

    if (proxy->failing || !proxy->known) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "registered with \"%V\" as \"%V\"",
                      &proxy->url, &proxy->id);
    }

    proxy->known = 1;
    proxy->failing = 0;
    proxy->fails = 0;

    ngx_add_timer(&proxy->event, proxy->pending
                                 ? NGX_RTMP_ROUTE_RTMP_COALESCE
                                 : ngx_rtmp_route_rtmp_next(proxy));
}


/* as SRS says that all is well */

static ngx_uint_t
ngx_rtmp_route_rtmp_success(ngx_str_t *answer)
{
    json_t                  *json, *code;
    ngx_uint_t               rc;
    ngx_rtmp_route_error_t   err;

    json = ngx_rtmp_route_json_parse(answer, &err);
    if (json == NULL) {
        return 0;
    }

    code = json_object_get(json, "code");
    rc = json_is_integer(code) && json_integer_value(code) == 0;

    json_decref(json);

    return rc;
}


static void
ngx_rtmp_route_rtmp_failed(ngx_rtmp_route_rtmp_proxy_t *proxy, ngx_str_t *why)
{
    if (proxy->leaving) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "leaving \"%V\" failed: %V", &proxy->url, why);
        return;
    }

    if (!proxy->failing) {
        proxy->failing = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "registration with \"%V\" failed: %V",
                      &proxy->url, why);
    }

    proxy->fails++;

    ngx_add_timer(&proxy->event, ngx_rtmp_route_rtmp_next(proxy));
}


/* up to a tenth earlier, so that many who started at once do not stay so */

static ngx_msec_t
ngx_rtmp_route_rtmp_next(ngx_rtmp_route_rtmp_proxy_t *proxy)
{
    ngx_msec_t  next;

    next = proxy->interval;

    if (proxy->fails && proxy->fails < 8) {
        next = ngx_min(next, (ngx_msec_t) NGX_RTMP_ROUTE_RTMP_BACKOFF
                             << (proxy->fails - 1));
    }

    return next - (ngx_msec_t) ngx_random() % (next / 10 + 1);
}


/* the new binary registers as long as it runs */

static ngx_uint_t
ngx_rtmp_route_rtmp_upgraded(void)
{
    u_char            buf[NGX_INT64_LEN + 2];
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ngx_process == NGX_PROCESS_SINGLE || ccf->oldpid.len == 0) {
        return 0;
    }

    fd = ngx_open_file(ccf->oldpid.data, NGX_FILE_RDONLY|O_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    while (n > 0 && buf[n - 1] <= ' ') {
        n--;
    }

    return n > 0 && ngx_atoi(buf, n) == (ngx_int_t) ngx_parent;
}


/* this worker exits, and no other one registers from now on */

static void
ngx_rtmp_route_rtmp_quit_handler(ngx_event_t *rev)
{
    ngx_uint_t                     i;
    ngx_connection_t              *c;
    ngx_rtmp_route_rtmp_proxy_t   *proxy, **proxyp;

    c = rev->data;

    if (!c->close) {
        return;
    }

    ngx_rtmp_route_rtmp_quit = NULL;
    ngx_close_connection(c);

    proxyp = ngx_rtmp_route_rtmp_proxies->elts;

    for (i = 0; i < ngx_rtmp_route_rtmp_proxies->nelts; i++) {
        proxy = proxyp[i];

        if (proxy->event.timer_set) {
            ngx_del_timer(&proxy->event);
        }

        if (proxy->request) {
            ngx_rtmp_route_request_cancel(proxy->request);
            proxy->request = NULL;
        }

        if (!proxy->known
            || proxy->failing
            || !ngx_rtmp_route_rtmp_streams_leads()
            || ngx_rtmp_route_rtmp_upgraded())
        {
            continue;
        }

        proxy->leaving = 1;
        ngx_rtmp_route_rtmp_send(proxy);
    }
}
