
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_text.h"


static ngx_int_t ngx_rtmp_route_text_part(u_char *part, size_t len);


ngx_uint_t
ngx_rtmp_route_text_url(ngx_str_t *text, ngx_str_t *host, ngx_str_t *rest)
{
    u_char  *p, *last, c;

    ngx_str_null(host);
    ngx_str_null(rest);

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        c = (u_char) (*p | 0x20);

        if ((c < 'a' || c > 'z') && (p == text->data || *p < '0' || *p > '9'))
        {
            break;
        }
    }

    if (p == text->data
        || last - p < 3
        || ngx_strncmp(p, "://", 3) != 0)
    {
        return 0;
    }

    host->data = p + 3;

    for (p = host->data; p < last && *p != '/' && *p != '?'; p++) {

        /* user and password may be in front */

        if (*p == '@') {
            host->data = p + 1;
        }
    }

    host->len = p - host->data;

    rest->data = p;
    rest->len = last - p;

    return 1;
}


ngx_uint_t
ngx_rtmp_route_text_host(ngx_str_t *text, ngx_str_t *host)
{
    u_char      *p, *last, c;
    ngx_uint_t   dot, name;

    last = ngx_strlchr(text->data, text->data + text->len, ':');
    if (last == NULL) {
        last = text->data + text->len;
    }

    if (last > text->data && last[-1] == '.') {
        last--;
    }

    host->data = text->data;
    host->len = last - text->data;

    if (host->len == 0 || host->len > NGX_RTMP_ROUTE_HOST_LEN) {
        return 0;
    }

    dot = 0;
    name = 0;

    for (p = host->data; p < last; p++) {

        if (*p == '.') {
            if (p == host->data || p + 1 == last || p[1] == '.') {
                return 0;
            }

            dot = 1;
            continue;
        }

        if (*p >= '0' && *p <= '9') {
            continue;
        }

        c = (u_char) (*p | 0x20);

        if ((c < 'a' || c > 'z') && *p != '-' && *p != '_' && *p < 0x80) {
            return 0;
        }

        name = 1;
    }

    /* only digits and dots: an address */

    return dot && name;
}


ngx_uint_t
ngx_rtmp_route_text_vhost(ngx_str_t *args, ngx_str_t *host)
{
    ngx_str_t  value;

    if (!ngx_rtmp_route_text_arg(args, "vhost", &value)
        && !ngx_rtmp_route_text_arg(args, "domain", &value))
    {
        return 0;
    }

    /* SRS edges say so always, and mean the host */

    if (ngx_rtmp_route_text_is(&value, "__defaultVhost__")) {
        return 0;
    }

    *host = value;

    return 1;
}


ngx_uint_t
ngx_rtmp_route_text_arg(ngx_str_t *args, char *key, ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *last, *end;

    ngx_str_null(value);

    len = ngx_strlen(key);
    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        for (end = p; end < last && *end != '&' && *end != '?'; end++) {
            /* void */
        }

        if ((size_t) (end - p) > len + 1
            && p[len] == '='
            && ngx_strncmp(p, key, len) == 0)
        {
            value->data = p + len + 1;
            value->len = end - value->data;
        }
    }

    return value->len != 0;
}


void
ngx_rtmp_route_text_cut_args(ngx_str_t *text, ngx_str_t *path, ngx_str_t *args)
{
    u_char  *p, *last;

    last = text->data + text->len;

    p = ngx_strlchr(text->data, last, '?');

    *path = *text;
    ngx_str_null(args);

    if (p) {
        path->len = p - path->data;
        args->data = p + 1;
        args->len = last - args->data;
    }
}


void
ngx_rtmp_route_text_cut_first(ngx_str_t *path, ngx_str_t *first,
    ngx_str_t *rest)
{
    u_char  *p, *last;

    last = path->data + path->len;

    p = ngx_strlchr(path->data, last, '/');

    ngx_str_null(first);
    *rest = *path;

    if (p) {
        first->data = path->data;
        first->len = p - path->data;
        rest->data = p + 1;
        rest->len = last - rest->data;
    }
}


void
ngx_rtmp_route_text_cut_last(ngx_str_t *path, ngx_str_t *dir, ngx_str_t *base)
{
    u_char  *p, *last;

    last = path->data + path->len;

    for (p = last; p > path->data; p--) {
        if (p[-1] == '/') {
            break;
        }
    }

    ngx_str_null(dir);

    if (p > path->data) {
        dir->data = path->data;
        dir->len = p - 1 - path->data;
    }

    base->data = p;
    base->len = last - p;
}


ngx_int_t
ngx_rtmp_route_text_path(ngx_pool_t *pool, ngx_str_t *first, ngx_str_t *second,
    ngx_str_t *path)
{
    u_char     *src, *dst, *last, *part;
    ngx_int_t   rc;

    dst = ngx_pnalloc(pool, first->len + 1 + second->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    src = dst;
    path->data = dst;

    last = dst;

    if (first->len) {
        last = ngx_cpymem(last, first->data, first->len);
    }

    *last++ = '/';

    if (second->len) {
        last = ngx_cpymem(last, second->data, second->len);
    }

    while (src < last) {

        for (part = src; src < last && *src != '/'; src++) {
            if (*src < 0x20 || *src == 0x7f) {
                return NGX_DECLINED;
            }
        }

        rc = ngx_rtmp_route_text_part(part, src++ - part);

        if (rc == NGX_DECLINED) {
            return NGX_DECLINED;
        }

        if (rc == NGX_DONE) {
            continue;
        }

        if (dst != path->data) {
            *dst++ = '/';
        }

        dst = ngx_movemem(dst, part, src - 1 - part);
    }

    path->len = dst - path->data;

    if (path->len == 0 || path->len > NGX_RTMP_ROUTE_KEY_LEN) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * NGX_DONE: a part that counts for nothing.  __defaultApp__ is what SRS calls
 * an empty app.
 */

static ngx_int_t
ngx_rtmp_route_text_part(u_char *part, size_t len)
{
    ngx_str_t  text;

    text.data = part;
    text.len = len;

    if (len == 0
        || ngx_rtmp_route_text_is(&text, "_definst_")
        || ngx_rtmp_route_text_is(&text, "__defaultApp__"))
    {
        return NGX_DONE;
    }

    if (ngx_rtmp_route_text_is(&text, ".")
        || ngx_rtmp_route_text_is(&text, ".."))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_text_old_vhost(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *out)
{
    u_char  *p, *last, *dst, *found;

    *out = *text;

    p = text->data;
    last = p + text->len;

    found = ngx_strnstr(p, "...vhost...", text->len);
    if (found == NULL) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(pool, text->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    out->data = dst;

    while (found) {
        dst = ngx_cpymem(dst, p, found - p);
        dst = ngx_cpymem(dst, "?vhost=", sizeof("?vhost=") - 1);

        p = found + sizeof("...vhost...") - 1;
        found = ngx_strnstr(p, "...vhost...", last - p);
    }

    dst = ngx_cpymem(dst, p, last - p);
    out->len = dst - out->data;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_text_decode(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char     *p, *last, *dst;
    ngx_int_t   n;

    p = text->data;
    last = p + text->len;

    if (ngx_strlchr(p, last, '%') == NULL) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(pool, text->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    text->data = dst;

    while (p < last) {

        if (*p != '%') {
            *dst++ = *p++;
            continue;
        }

        if (last - p < 3) {
            return NGX_DECLINED;
        }

        n = ngx_hextoi(p + 1, 2);
        if (n == NGX_ERROR) {
            return NGX_DECLINED;
        }

        *dst++ = (u_char) n;
        p += 3;
    }

    text->len = dst - text->data;

    return NGX_OK;
}


void
ngx_rtmp_route_text_trim_slashes(ngx_str_t *text)
{
    while (text->len && text->data[0] == '/') {
        text->data++;
        text->len--;
    }

    while (text->len && text->data[text->len - 1] == '/') {
        text->len--;
    }
}


void
ngx_rtmp_route_text_trim_extension(ngx_str_t *path)
{
    u_char     *p;
    ngx_str_t   dir, base;

    ngx_rtmp_route_text_cut_last(path, &dir, &base);

    for (p = base.data + base.len; p > base.data; p--) {
        if (p[-1] == '.') {
            break;
        }
    }

    if (p > base.data
        && ngx_rtmp_route_text_part(base.data, p - 1 - base.data) == NGX_OK)
    {
        path->len = p - 1 - path->data;
    }
}


ngx_uint_t
ngx_rtmp_route_text_trim_suffix(ngx_str_t *path, ngx_array_t *suffixes)
{
    size_t       len;
    u_char      *last;
    ngx_str_t    dir, base, *suffix;
    ngx_uint_t   i;

    if (suffixes == NULL) {
        return 0;
    }

    ngx_rtmp_route_text_cut_last(path, &dir, &base);

    len = 0;
    last = base.data + base.len;
    suffix = suffixes->elts;

    for (i = 0; i < suffixes->nelts; i++) {

        if (suffix[i].len > len
            && suffix[i].len < base.len
            && ngx_memcmp(last - suffix[i].len, suffix[i].data, suffix[i].len)
               == 0
            && ngx_rtmp_route_text_part(base.data, base.len - suffix[i].len)
               == NGX_OK)
        {
            len = suffix[i].len;
        }
    }

    path->len -= len;

    return len != 0;
}


ngx_uint_t
ngx_rtmp_route_text_trim_number(ngx_str_t *path)
{
    u_char     *p, *last;
    ngx_str_t   dir, base;

    ngx_rtmp_route_text_cut_last(path, &dir, &base);

    last = base.data + base.len;

    for (p = last; p > base.data; p--) {
        if (p[-1] < '0' || p[-1] > '9') {
            break;
        }
    }

    if (p == last
        || p == base.data
        || p[-1] != '-'
        || ngx_rtmp_route_text_part(base.data, p - 1 - base.data) != NGX_OK)
    {
        return 0;
    }

    path->len = p - 1 - path->data;

    return 1;
}


ngx_uint_t
ngx_rtmp_route_text_is(ngx_str_t *text, char *word)
{
    size_t  len;

    len = ngx_strlen(word);

    return text->len == len && ngx_strncmp(text->data, word, len) == 0;
}
