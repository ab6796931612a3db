
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"


#if (NGX_SSL)

static ngx_int_t ngx_stream_osp_ssl_name(ngx_stream_osp_session_t *os,
    ngx_str_t *name);
static void ngx_stream_osp_ssl_handshake(ngx_connection_t *pc);


ngx_int_t
ngx_stream_osp_set_ssl(ngx_conf_t *cf, ngx_stream_osp_srv_conf_t *conf)
{
    ngx_pool_cleanup_t  *cln;

    conf->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (conf->ssl == NULL) {
        return NGX_ERROR;
    }

    conf->ssl->log = cf->log;

    if (ngx_ssl_create(conf->ssl, conf->ssl_protocols, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(conf->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = conf->ssl;

    if (ngx_ssl_ciphers(cf, conf->ssl, &conf->ssl_ciphers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->ssl_certificate.len) {

        if (conf->ssl_certificate_key.len == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"osp_upstream_ssl_certificate_key\" is defined "
                          "for certificate \"%V\"", &conf->ssl_certificate);
            return NGX_ERROR;
        }

        if (ngx_ssl_certificate(cf, conf->ssl, &conf->ssl_certificate,
                                &conf->ssl_certificate_key, NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->ssl_verify) {

        if (conf->ssl_trusted_certificate.len == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no osp_upstream_ssl_trusted_certificate "
                          "for osp_upstream_ssl_verify");
            return NGX_ERROR;
        }

        if (ngx_ssl_trusted_certificate(cf, conf->ssl,
                                        &conf->ssl_trusted_certificate,
                                        conf->ssl_verify_depth)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_ssl_crl(cf, conf->ssl, &conf->ssl_crl) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_ssl_client_session_cache(cf, conf->ssl, conf->ssl_session_reuse)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ssl_conf_commands(cf, conf->ssl, conf->ssl_conf_commands);
}


void
ngx_stream_osp_ssl_connect(ngx_stream_osp_session_t *os)
{
    ngx_int_t                   rc;
    ngx_connection_t           *pc;
    ngx_stream_osp_srv_conf_t  *conf;

    pc = os->origin;
    conf = os->conf;

    if (ngx_ssl_create_connection(conf->ssl, pc, NGX_SSL_CLIENT) != NGX_OK) {
        ngx_stream_osp_next(os);
        return;
    }

    if (conf->ssl_server_name || conf->ssl_verify) {

        if (ngx_stream_osp_ssl_name(os, &os->setup->ssl_name) != NGX_OK) {
            ngx_stream_osp_next(os);
            return;
        }
    }

    if (conf->ssl_session_reuse) {
        pc->ssl->save_session = ngx_stream_osp_peer_save_ssl_session;

        if (ngx_stream_osp_peer_set_ssl_session(os) != NGX_OK) {
            ngx_stream_osp_next(os);
            return;
        }
    }

    os->session->connection->log->action = "SSL handshaking to upstream";

    rc = ngx_ssl_handshake(pc);

    if (rc == NGX_AGAIN) {

        if (!pc->write->timer_set) {
            ngx_add_timer(pc->write, conf->connect_timeout);
        }

        pc->ssl->handler = ngx_stream_osp_ssl_handshake;
        return;
    }

    ngx_stream_osp_ssl_handshake(pc);
}


static ngx_int_t
ngx_stream_osp_ssl_name(ngx_stream_osp_session_t *os, ngx_str_t *name)
{
    u_char                     *p, *last;
    ngx_addr_t                  addr;
    ngx_stream_session_t       *s;
    ngx_stream_osp_srv_conf_t  *conf;

    s = os->session;
    conf = os->conf;

    if (conf->ssl_name) {
        if (ngx_stream_complex_value(s, conf->ssl_name, name) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        *name = os->setup->peer.host;
    }

    if (name->len == 0) {
        return NGX_OK;
    }

    p = name->data;
    last = p + name->len;

    if (*p == '[') {
        p = ngx_strlchr(p, last, ']');

        if (p == NULL) {
            p = name->data;
        }
    }

    p = ngx_strlchr(p, last, ':');

    if (p != NULL) {
        name->len = p - name->data;
    }

    if (!conf->ssl_server_name) {
        return NGX_OK;
    }

#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME

    /* literal addresses are not permitted in SNI, RFC 6066 */

    if (name->len == 0
        || *name->data == '['
        || ngx_parse_addr(os->pool, &addr, name->data, name->len) == NGX_OK)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(os->pool, name->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, name->data, name->len + 1);

    name->data = p;

    if (SSL_set_tlsext_host_name(os->origin->ssl->connection, (char *) p)
        == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, s->connection->log, 0,
                      "SSL_set_tlsext_host_name(\"%s\") failed", p);
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


static void
ngx_stream_osp_ssl_handshake(ngx_connection_t *pc)
{
    long                        rc;
    ngx_stream_session_t       *s;
    ngx_stream_osp_session_t   *os;
    ngx_stream_osp_srv_conf_t  *conf;

    s = pc->data;
    os = ngx_stream_get_module_ctx(s, ngx_stream_osp_upstream_module);
    conf = os->conf;

    if (!pc->ssl->handshaked) {

        if (pc->write->timedout) {
            ngx_log_error(NGX_LOG_ERR, pc->log, NGX_ETIMEDOUT,
                          "upstream timed out");
        }

        ngx_stream_osp_next(os);
        return;
    }

    if (conf->ssl_verify) {
        rc = SSL_get_verify_result(pc->ssl->connection);

        if (rc != X509_V_OK) {
            ngx_log_error(NGX_LOG_ERR, pc->log, 0,
                          "upstream SSL certificate verify error: (%l:%s)",
                          rc, X509_verify_cert_error_string(rc));
            ngx_stream_osp_next(os);
            return;
        }

        if (ngx_ssl_check_host(pc, &os->setup->ssl_name) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, pc->log, 0,
                          "upstream SSL certificate does not match \"%V\"",
                          &os->setup->ssl_name);
            ngx_stream_osp_next(os);
            return;
        }
    }

    if (pc->write->timer_set) {
        ngx_del_timer(pc->write);
    }

    ngx_stream_osp_origin_ready(os);
}

#endif
