
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client_int.h"


#if (NGX_SSL)

static ngx_int_t ngx_rtmp_route_client_ssl_trusted(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client, ngx_ssl_t *ssl);
static ngx_int_t ngx_rtmp_route_client_ssl_system(ngx_conf_t *cf,
    ngx_ssl_t *ssl);
static void ngx_rtmp_route_client_ssl_forget(void *data);
static ngx_int_t ngx_rtmp_route_client_ssl_name(
    ngx_rtmp_route_request_t *request, ngx_connection_t *c);
static void ngx_rtmp_route_client_ssl_save(ngx_connection_t *c);
static void ngx_rtmp_route_client_ssl_handler(ngx_connection_t *c);
static ngx_int_t ngx_rtmp_route_client_ssl_verify(
    ngx_rtmp_route_request_t *request, ngx_connection_t *c);
static ngx_int_t ngx_rtmp_route_client_ssl_check(ngx_connection_t *c,
    ngx_str_t *name);


/* where systems keep the certificates that they trust */

static char  *ngx_rtmp_route_client_ssl_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    NULL
};


ngx_int_t
ngx_rtmp_route_client_ssl_init(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client)
{
    u_char                        *p;
    ngx_ssl_t                     *ssl;
    ngx_pool_cleanup_t            *cln;
    ngx_rtmp_route_client_conf_t  *conf;

    conf = &client->conf;

    if (conf->ssl_name.len == 0) {
        conf->ssl_name = client->host;
    }

    /* libssl wants a zero at the end */

    p = ngx_pnalloc(cf->pool, conf->ssl_name.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, conf->ssl_name.data, conf->ssl_name.len + 1);
    conf->ssl_name.data = p;

    if (conf->ssl_protocols == 0) {
        conf->ssl_protocols = NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3;
    }

    if (conf->ssl_ciphers.len == 0) {
        ngx_str_set(&conf->ssl_ciphers, "DEFAULT");
    }

    /* the client is found again by it when a session is to be saved */

    ssl = ngx_rtmp_route_client_ssl(cf, conf->ssl_protocols, client);
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    client->ssl = ssl;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_rtmp_route_client_ssl_forget;
    cln->data = client;

    if (ngx_ssl_ciphers(cf, ssl, &conf->ssl_ciphers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->ssl_certificate.len) {

        if (conf->ssl_certificate_key.len == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no certificate key for certificate \"%V\" of "
                          "\"%V\"", &conf->ssl_certificate, &client->url);
            return NGX_ERROR;
        }

        if (ngx_ssl_certificate(cf, ssl, &conf->ssl_certificate,
                                &conf->ssl_certificate_key,
                                conf->ssl_passwords)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->ssl_verify
        && ngx_rtmp_route_client_ssl_trusted(cf, client, ssl) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_ssl_client_session_cache(cf, ssl, conf->ssl_session_reuse)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ssl_conf_commands(cf, ssl, conf->ssl_conf_commands);
}


ngx_ssl_t *
ngx_rtmp_route_client_ssl(ngx_conf_t *cf, ngx_uint_t protocols, void *data)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NULL;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, protocols, data) != NGX_OK) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NULL;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    return ssl;
}


static ngx_int_t
ngx_rtmp_route_client_ssl_trusted(ngx_conf_t *cf,
    ngx_rtmp_route_client_t *client, ngx_ssl_t *ssl)
{
    ngx_rtmp_route_client_conf_t  *conf;

    conf = &client->conf;

    if (ngx_ssl_trusted_certificate(cf, ssl, &conf->ssl_trusted_certificate,
                                    conf->ssl_verify_depth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->ssl_trusted_certificate.len == 0
        && ngx_rtmp_route_client_ssl_system(cf, ssl) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ssl_crl(cf, ssl, &conf->ssl_crl);
}


static ngx_int_t
ngx_rtmp_route_client_ssl_system(ngx_conf_t *cf, ngx_ssl_t *ssl)
{
    char             **name;
    ngx_file_info_t    fi;

    for (name = ngx_rtmp_route_client_ssl_files; *name; name++) {

        if (ngx_file_info((u_char *) *name, &fi) != NGX_FILE_ERROR
            && SSL_CTX_load_verify_locations(ssl->ctx, *name, NULL))
        {
            ERR_clear_error();
            return NGX_OK;
        }
    }

    /* those that OpenSSL was built with, read when needed */

    ERR_clear_error();

    if (SSL_CTX_set_default_verify_paths(ssl->ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_rtmp_route_client_ssl_forget(void *data)
{
    ngx_rtmp_route_client_t *client = data;

    if (client->session) {
        ngx_ssl_free_session(client->session);
        client->session = NULL;
    }
}


void
ngx_rtmp_route_client_ssl_connect(ngx_rtmp_route_request_t *request)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_rtmp_route_client_t  *client;

    c = request->conn->connection;
    client = request->client;

    if (ngx_ssl_create_connection(client->ssl, c, NGX_SSL_CLIENT) != NGX_OK
        || ngx_rtmp_route_client_ssl_name(request, c) != NGX_OK
        || (client->session
            && ngx_ssl_set_session(c, client->session) != NGX_OK))
    {
        ngx_rtmp_route_request_note(request, 0, 0,
                                    "SSL connection was not created");
        ngx_rtmp_route_request_next(request);
        return;
    }

    if (client->conf.ssl_session_reuse) {
        c->ssl->save_session = ngx_rtmp_route_client_ssl_save;
    }

    request->log->action = "SSL handshaking to server";

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(c->write, client->conf.connect_timeout);

        c->ssl->handler = ngx_rtmp_route_client_ssl_handler;
        return;
    }

    ngx_rtmp_route_client_ssl_handler(c);
}


static ngx_int_t
ngx_rtmp_route_client_ssl_name(ngx_rtmp_route_request_t *request,
    ngx_connection_t *c)
{
#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME

    ngx_str_t                     *name;
    ngx_addr_t                     addr;
    ngx_rtmp_route_client_conf_t  *conf;

    conf = &request->client->conf;
    name = &conf->ssl_name;

    /* literal addresses are not permitted in SNI, RFC 6066 */

    if (!conf->ssl_server_name
        || ngx_parse_addr(request->pool, &addr, name->data, name->len)
           == NGX_OK)
    {
        return NGX_OK;
    }

    if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) name->data)
        == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name(\"%s\") failed", name->data);
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


/* with TLSv1.3 it comes after the handshake, or more than one */

static void
ngx_rtmp_route_client_ssl_save(ngx_connection_t *c)
{
    ngx_ssl_session_t        *session;
    ngx_rtmp_route_client_t  *client;

    client = ngx_ssl_get_server_conf(c->ssl->session_ctx);
    session = ngx_ssl_get_session(c);

    if (session == NULL) {
        return;
    }

    ngx_rtmp_route_client_ssl_forget(client);

    client->session = session;
}


static void
ngx_rtmp_route_client_ssl_handler(ngx_connection_t *c)
{
    ngx_rtmp_route_request_t  *request;

    request = c->data;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (!c->ssl->handshaked) {

        ngx_rtmp_route_client_ssl_forget(request->client);

        if (c->write->timedout) {
            request->timedout = 1;
            ngx_rtmp_route_request_note(request, NGX_LOG_ERR, NGX_ETIMEDOUT,
                                        "SSL handshake timed out");

        } else {
            ngx_rtmp_route_request_note(request, 0, 0,
                                        "SSL handshake failed");
        }

        ngx_rtmp_route_request_next(request);
        return;
    }

    if (request->client->conf.ssl_verify
        && ngx_rtmp_route_client_ssl_verify(request, c) != NGX_OK)
    {
        /* a session keeps the result for the next connection */

        ngx_rtmp_route_client_ssl_forget(request->client);

        ngx_rtmp_route_request_next(request);
        return;
    }

    ngx_rtmp_route_request_ready(request);
}


static ngx_int_t
ngx_rtmp_route_client_ssl_verify(ngx_rtmp_route_request_t *request,
    ngx_connection_t *c)
{
    long        rc;
    ngx_str_t  *name;

    name = &request->client->conf.ssl_name;

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "SSL certificate verify error: (%l:%s)",
                                    rc, X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    if (ngx_rtmp_route_client_ssl_check(c, name) != NGX_OK) {
        ngx_rtmp_route_request_note(request, NGX_LOG_ERR, 0,
                                    "SSL certificate does not match \"%V\"",
                                    name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* an address stands in a certificate as such, and not as a name */

static ngx_int_t
ngx_rtmp_route_client_ssl_check(ngx_connection_t *c, ngx_str_t *name)
{
    int          rc;
    X509        *cert;
    ngx_addr_t   addr;

    if (ngx_parse_addr(c->pool, &addr, name->data, name->len) != NGX_OK) {
        return ngx_ssl_check_host(c, name);
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) name->data, 0);

    X509_free(cert);

    return rc == 1 ? NGX_OK : NGX_ERROR;
}

#endif
