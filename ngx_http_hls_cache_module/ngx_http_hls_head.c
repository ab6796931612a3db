
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_cache.h"


#define NGX_HTTP_HLS_TYPE_LEN  256
#define NGX_HTTP_HLS_DATE_LEN  32


/* as it lies in the store, the Content-Type follows */

typedef struct {
    int64_t    modified;
    int64_t    len;
    int64_t    gzip;
    int64_t    gzip_len;
    uint16_t   type_len;
    uint8_t    date_len;
    uint8_t    etag_len;
    uint8_t    etag_gzip_len;
    u_char     date[NGX_HTTP_HLS_DATE_LEN];
    u_char     etag[NGX_HTTP_HLS_ETAG_LEN];
    u_char     etag_gzip[NGX_HTTP_HLS_ETAG_LEN];
} ngx_http_hls_packed_t;


ngx_int_t
ngx_http_hls_head_pack(ngx_pool_t *pool, ngx_http_hls_head_t *head,
    ngx_str_t *packed)
{
    size_t                  len;
    ngx_http_hls_packed_t  *p;

    len = ngx_min(head->type.len, NGX_HTTP_HLS_TYPE_LEN);

    p = ngx_pcalloc(pool, sizeof(ngx_http_hls_packed_t) + len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p->modified = head->modified;
    p->len = head->len;
    p->gzip = head->gzip;
    p->gzip_len = head->gzip_len;
    p->type_len = (uint16_t) len;

    /* written once, not for each viewer */

    if (head->modified != -1) {
        p->date_len = (uint8_t) (ngx_http_time(p->date, head->modified)
                                 - p->date);
    }

    if (head->etag.len <= NGX_HTTP_HLS_ETAG_LEN) {
        p->etag_len = (uint8_t) head->etag.len;
        ngx_memcpy(p->etag, head->etag.data, head->etag.len);
    }

    if (head->etag_gzip.len <= NGX_HTTP_HLS_ETAG_LEN) {
        p->etag_gzip_len = (uint8_t) head->etag_gzip.len;
        ngx_memcpy(p->etag_gzip, head->etag_gzip.data, head->etag_gzip.len);
    }

    ngx_memcpy((u_char *) &p[1], head->type.data, len);

    packed->len = sizeof(ngx_http_hls_packed_t) + len;
    packed->data = (u_char *) p;

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_head_unpack(u_char *data, size_t len, ngx_http_hls_head_t *head)
{
    ngx_http_hls_packed_t  *p;

    p = (ngx_http_hls_packed_t *) data;

    if (len < sizeof(ngx_http_hls_packed_t)
        || len - sizeof(ngx_http_hls_packed_t) < p->type_len
        || p->date_len > NGX_HTTP_HLS_DATE_LEN
        || p->etag_len > NGX_HTTP_HLS_ETAG_LEN
        || p->etag_gzip_len > NGX_HTTP_HLS_ETAG_LEN)
    {
        return NGX_ERROR;
    }

    head->modified = (time_t) p->modified;
    head->len = (off_t) p->len;
    head->gzip = (off_t) p->gzip;
    head->gzip_len = (off_t) p->gzip_len;

    head->type.len = p->type_len;
    head->type.data = (u_char *) &p[1];

    head->date.len = p->date_len;
    head->date.data = p->date;

    head->etag.len = p->etag_len;
    head->etag.data = p->etag;

    head->etag_gzip.len = p->etag_gzip_len;
    head->etag_gzip.data = p->etag_gzip;

    return NGX_OK;
}


void
ngx_http_hls_head_etag(u_char *data, size_t len, ngx_str_t *etag)
{
    ngx_http_hls_packed_t  *p;

    p = (ngx_http_hls_packed_t *) data;

    if (len < sizeof(ngx_http_hls_packed_t)
        || etag->len > NGX_HTTP_HLS_ETAG_LEN)
    {
        return;
    }

    /* readers may look at it any time: the length goes last */

    ngx_memcpy(p->etag, etag->data, etag->len);

    ngx_memory_barrier();

    p->etag_len = (uint8_t) etag->len;
}
