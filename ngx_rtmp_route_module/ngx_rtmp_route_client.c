
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client_int.h"


#define NGX_RTMP_ROUTE_CLIENT_HOSTS     "/etc/hosts"
#define NGX_RTMP_ROUTE_CLIENT_HOSTS_MAX  (256 * 1024)
#define NGX_RTMP_ROUTE_CLIENT_REQUESTS   1000


static ngx_int_t ngx_rtmp_route_client_url(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client, ngx_str_t *url);
static ngx_int_t ngx_rtmp_route_client_authority(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client, u_char *p, u_char *last);
static void ngx_rtmp_route_client_defaults(
    ngx_rtmp_route_client_conf_t *conf);
static ngx_int_t ngx_rtmp_route_client_lookup(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client);
static ngx_uint_t ngx_rtmp_route_client_in_hosts(ngx_conf_t *cf,
    ngx_str_t *host);
static ngx_uint_t ngx_rtmp_route_client_in_text(u_char *p, u_char *last,
    ngx_str_t *host);
static void ngx_rtmp_route_client_cleanup(void *data);
static void ngx_rtmp_route_client_idle_handler(ngx_event_t *rev);
static void ngx_rtmp_route_client_dummy_handler(ngx_event_t *wev);
static void ngx_rtmp_route_client_set_log(ngx_connection_t *c,
    ngx_log_t *log);


void
ngx_rtmp_route_client_conf_init(ngx_rtmp_route_client_conf_t *conf)
{
    ngx_memzero(conf, sizeof(ngx_rtmp_route_client_conf_t));

    conf->resolver_timeout = NGX_CONF_UNSET_MSEC;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->read_timeout = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->max_body = NGX_CONF_UNSET_SIZE;
    conf->keepalive = NGX_CONF_UNSET;
    conf->keepalive_timeout = NGX_CONF_UNSET_MSEC;
    conf->ssl_verify = NGX_CONF_UNSET;
    conf->ssl_verify_depth = NGX_CONF_UNSET;
    conf->ssl_server_name = NGX_CONF_UNSET;
    conf->ssl_session_reuse = NGX_CONF_UNSET;
    conf->ssl_passwords = NGX_CONF_UNSET_PTR;
    conf->ssl_conf_commands = NGX_CONF_UNSET_PTR;
}


ngx_rtmp_route_client_t *
ngx_rtmp_route_client_create(ngx_conf_t *cf, ngx_str_t *url)
{
    ngx_pool_cleanup_t       *cln;
    ngx_rtmp_route_client_t  *client;

    client = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_client_t));
    if (client == NULL) {
        return NULL;
    }

    ngx_queue_init(&client->idle);

    if (ngx_rtmp_route_client_url(cf, client, url) != NGX_OK) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_rtmp_route_client_cleanup;
    cln->data = client;

    return client;
}


static ngx_int_t
ngx_rtmp_route_client_url(ngx_conf_t *cf, ngx_rtmp_route_client_t *client,
    ngx_str_t *url)
{
    u_char  *p, *last, *host;

    p = url->data;
    last = p + url->len;

    /* what may be a password is not shown */

    if (ngx_strlchr(p, last, '@')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "user or password in a URL are not supported");
        return NGX_ERROR;
    }

    if (url->len > 7 && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0) {
        client->port = 80;
        p += 7;

    } else if (url->len > 8
               && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0)
    {

#if (NGX_SSL)

        client->port = 443;
        client->https = 1;
        p += 8;

#else

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "URL \"%V\" needs nginx with SSL support", url);
        return NGX_ERROR;

#endif

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "URL \"%V\" must begin with \"http://\" "
                           "or \"https://\" and name a host", url);
        return NGX_ERROR;
    }

    for (host = p; p < last && *p != '/'; p++) { /* void */ }

    if (ngx_rtmp_route_client_authority(cf, client, host, p) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid host or port in URL \"%V\"", url);
        return NGX_ERROR;
    }

    while (last > p && last[-1] == '/') {
        last--;
    }

    client->path.data = p;
    client->path.len = last - p;
    client->url.data = url->data;
    client->url.len = last - url->data;

    for ( /* void */ ; p < last; p++) {

        if (*p <= ' ' || *p >= 0x7f || *p == '?' || *p == '#' || *p == '"') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid path in URL \"%V\"", url);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a name or an address, and perhaps a port */

static ngx_int_t
ngx_rtmp_route_client_authority(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client, u_char *p, u_char *last)
{
    u_char      *colon;
    ngx_int_t    port;
    ngx_uint_t   standard;
    ngx_addr_t   addr;

    standard = client->port;
    client->authority.data = p;

    if (p < last && *p == '[') {
        colon = ngx_strlchr(p, last, ']');

        if (colon == NULL) {
            return NGX_ERROR;
        }

        client->host.data = p + 1;
        client->host.len = colon - p - 1;
        colon++;

    } else {
        for (colon = p; colon < last && *colon != ':'; colon++) { /* void */ }

        client->host.data = p;
        client->host.len = colon - p;
    }

    client->authority.len = colon - p;

    if (colon < last) {
        port = *colon == ':' ? ngx_atoi(colon + 1, last - colon - 1) : -1;

        if (port < 1 || port > 65535) {
            return NGX_ERROR;
        }

        client->port = (in_port_t) port;

        if ((ngx_uint_t) port != standard) {
            client->authority.len = last - p;
        }
    }

    if (client->host.len == 0 || client->host.len > 253) {
        return NGX_ERROR;
    }

    if (ngx_parse_addr(cf->pool, &addr, client->host.data, client->host.len)
        == NGX_OK)
    {
        client->literal = 1;
        return NGX_OK;
    }

    if (*p == '[') {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < client->host.data + client->host.len; p++) {

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9')
              || *p == '-' || *p == '.' || *p == '_'))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_client_init(ngx_conf_t *cf, ngx_rtmp_route_client_t *client,
    ngx_rtmp_route_client_conf_t *conf)
{
    client->conf = *conf;

    ngx_rtmp_route_client_defaults(&client->conf);

    if (ngx_rtmp_route_client_lookup(cf, client) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_SSL)

    if (client->https) {
        return ngx_rtmp_route_client_ssl_init(cf, client);
    }

#endif

    return NGX_OK;
}


static void
ngx_rtmp_route_client_defaults(ngx_rtmp_route_client_conf_t *conf)
{
    ngx_conf_init_msec_value(conf->resolver_timeout, 5000);
    ngx_conf_init_msec_value(conf->connect_timeout, 3000);
    ngx_conf_init_msec_value(conf->send_timeout, 5000);
    ngx_conf_init_msec_value(conf->read_timeout, 5000);
    ngx_conf_init_msec_value(conf->timeout, 10000);
    ngx_conf_init_size_value(conf->max_body, 4 * 1024 * 1024);
    ngx_conf_init_value(conf->keepalive, 4);
    ngx_conf_init_msec_value(conf->keepalive_timeout, 60000);
    ngx_conf_init_value(conf->ssl_verify, 1);
    ngx_conf_init_value(conf->ssl_verify_depth, 3);
    ngx_conf_init_value(conf->ssl_server_name, 1);
    ngx_conf_init_value(conf->ssl_session_reuse, 1);
    ngx_conf_init_ptr_value(conf->ssl_passwords, NULL);
    ngx_conf_init_ptr_value(conf->ssl_conf_commands, NULL);
}


/*
 * A name that the system's file has, or without a resolver any, is looked up
 * once, as nginx does with servers
 */

static ngx_int_t
ngx_rtmp_route_client_lookup(ngx_conf_t *cf, ngx_rtmp_route_client_t *client)
{
    u_char     *p;
    ngx_url_t   u;

    if (!client->literal
        && client->conf.resolver
        && !ngx_rtmp_route_client_in_hosts(cf, &client->host))
    {
        return NGX_OK;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    p = ngx_pnalloc(cf->pool, client->host.len + sizeof("[]:65535"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    u.url.data = p;

    if (ngx_strlchr(client->host.data, client->host.data + client->host.len,
                    ':'))
    {
        p = ngx_sprintf(p, "[%V]:%ui", &client->host,
                        (ngx_uint_t) client->port);

    } else {
        p = ngx_sprintf(p, "%V:%ui", &client->host,
                        (ngx_uint_t) client->port);
    }

    u.url.len = p - u.url.data;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "host not found in URL \"%V\", requests fail until "
                           "a reload finds it; with \"resolver\" it is looked "
                           "up again and again", &client->url);
        return NGX_OK;
    }

    client->addrs = u.addrs;
    client->naddrs = u.naddrs;

    return NGX_OK;
}


/* whether a look-up will not ask a server of names, who may be slow */

static ngx_uint_t
ngx_rtmp_route_client_in_hosts(ngx_conf_t *cf, ngx_str_t *host)
{
    u_char      *buf;
    ssize_t      n;
    ngx_file_t   file;
    ngx_uint_t   found;

    if (host->len == 9
        && ngx_strncasecmp(host->data, (u_char *) "localhost", 9) == 0)
    {
        return 1;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.log = cf->log;
    ngx_str_set(&file.name, NGX_RTMP_ROUTE_CLIENT_HOSTS);

    file.fd = ngx_open_file(file.name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        return 0;
    }

    found = 0;
    buf = ngx_alloc(NGX_RTMP_ROUTE_CLIENT_HOSTS_MAX, cf->log);

    if (buf) {
        n = ngx_read_file(&file, buf, NGX_RTMP_ROUTE_CLIENT_HOSTS_MAX, 0);

        if (n > 0) {
            found = ngx_rtmp_route_client_in_text(buf, buf + n, host);
        }

        ngx_free(buf);
    }

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &file.name);
    }

    return found;
}


static ngx_uint_t
ngx_rtmp_route_client_in_text(u_char *p, u_char *last, ngx_str_t *host)
{
    u_char  *word;

    while (p < last) {

        if (*p == '#') {
            while (p < last && *p != LF) {
                p++;
            }

            continue;
        }

        if (*p <= ' ') {
            p++;
            continue;
        }

        for (word = p; p < last && *p > ' ' && *p != '#'; p++) { /* void */ }

        if ((size_t) (p - word) == host->len
            && ngx_strncasecmp(word, host->data, host->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_rtmp_route_client_cleanup(void *data)
{
    ngx_rtmp_route_client_t *client = data;

    ngx_queue_t                   *q;
    ngx_rtmp_route_client_conn_t  *conn;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    /* one process alone, after a reload */

    ngx_rtmp_route_request_free_all(client);

    while (!ngx_queue_empty(&client->idle)) {
        q = ngx_queue_head(&client->idle);
        conn = ngx_queue_data(q, ngx_rtmp_route_client_conn_t, queue);

        ngx_queue_remove(q);
        ngx_rtmp_route_client_close(conn);
    }
}


void
ngx_rtmp_route_client_exit(void)
{
    /* idle connections are closed by nginx before */

    ngx_rtmp_route_request_free_all(NULL);
}


ngx_rtmp_route_client_conn_t *
ngx_rtmp_route_client_get(ngx_rtmp_route_client_t *client)
{
    ngx_queue_t                   *q;
    ngx_connection_t              *c;
    ngx_rtmp_route_client_conn_t  *conn;

    if (ngx_queue_empty(&client->idle)) {
        return NULL;
    }

    q = ngx_queue_head(&client->idle);
    conn = ngx_queue_data(q, ngx_rtmp_route_client_conn_t, queue);

    ngx_queue_remove(q);
    client->nidle--;

    c = conn->connection;
    c->idle = 0;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    return conn;
}


void
ngx_rtmp_route_client_put(ngx_rtmp_route_client_conn_t *conn)
{
    ngx_queue_t                   *q;
    ngx_connection_t              *c;
    ngx_rtmp_route_client_t       *client;
    ngx_rtmp_route_client_conn_t  *old;

    c = conn->connection;
    client = conn->client;

#if (NGX_SSL)

    if (c->ssl && SSL_pending(c->ssl->connection)) {
        ngx_rtmp_route_client_close(conn);
        return;
    }

#endif

    if (client->conf.keepalive <= 0
        || ++c->requests >= NGX_RTMP_ROUTE_CLIENT_REQUESTS
        || c->read->eof
        || c->read->error
        || c->write->error
        || c->close
        || ngx_exiting
        || ngx_terminate
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_rtmp_route_client_close(conn);
        return;
    }

    if (client->nidle >= client->conf.keepalive) {
        q = ngx_queue_last(&client->idle);
        old = ngx_queue_data(q, ngx_rtmp_route_client_conn_t, queue);

        ngx_queue_remove(q);
        client->nidle--;

        ngx_rtmp_route_client_close(old);
    }

    ngx_queue_insert_head(&client->idle, &conn->queue);
    client->nidle++;

    ngx_rtmp_route_client_set_log(c, ngx_cycle->log);

    c->data = conn;
    c->idle = 1;
    c->read->handler = ngx_rtmp_route_client_idle_handler;
    c->read->cancelable = 1;
    c->write->handler = ngx_rtmp_route_client_dummy_handler;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    ngx_add_timer(c->read, client->conf.keepalive_timeout);

    if (c->read->ready) {
        ngx_rtmp_route_client_idle_handler(c->read);
    }
}


/* a server has nothing to say here: it closes, or misbehaves */

static void
ngx_rtmp_route_client_idle_handler(ngx_event_t *rev)
{
    int                            n;
    char                           buf[1];
    ngx_connection_t              *c;
    ngx_rtmp_route_client_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (!c->close && !rev->timedout) {

        n = recv(c->fd, buf, 1, MSG_PEEK);

        if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
            rev->ready = 0;

            if (ngx_handle_read_event(rev, 0) == NGX_OK) {
                return;
            }
        }
    }

    ngx_queue_remove(&conn->queue);
    conn->client->nidle--;

    ngx_rtmp_route_client_close(conn);
}


static void
ngx_rtmp_route_client_dummy_handler(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, wev->log, 0,
                   "route client dummy handler");
}


void
ngx_rtmp_route_client_close(ngx_rtmp_route_client_conn_t *conn)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = conn->connection;

    ngx_rtmp_route_client_set_log(c, ngx_cycle->log);

#if (NGX_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
    }

#endif

    /* the pool holds the struct */

    pool = c->pool;

    ngx_close_connection(c);
    ngx_destroy_pool(pool);
}


static void
ngx_rtmp_route_client_set_log(ngx_connection_t *c, ngx_log_t *log)
{
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->pool->log = log;
}
