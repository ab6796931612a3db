
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_playlist.h"
#include "ngx_hls_uri.h"


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   kind;
} ngx_hls_extension_t;


static ngx_int_t ngx_hls_uri_check(ngx_str_t *uri);
static ngx_int_t ngx_hls_uri_scheme(ngx_str_t *uri, ngx_hls_ref_t *ref,
    size_t *len);
static ngx_int_t ngx_hls_uri_host(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_hls_ref_t *ref, size_t *len);
static ngx_int_t ngx_hls_uri_host_name(ngx_pool_t *pool, u_char *p,
    size_t len, ngx_uint_t literal, ngx_str_t *host);
static ngx_int_t ngx_hls_uri_decode(u_char **dst, ngx_str_t *path);
static ngx_int_t ngx_hls_uri_normalize(ngx_str_t *path);
static ngx_int_t ngx_hls_uri_hex(u_char ch);
static ngx_uint_t ngx_hls_args_listed(ngx_str_t *name, ngx_array_t *names);
static ngx_uint_t ngx_hls_args_is(ngx_str_t *text, char *name, size_t len);


static ngx_hls_extension_t  ngx_hls_extensions[] = {
    { ngx_string("ts"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m4s"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m3u8"), NGX_HLS_KIND_PLAYLIST },
    { ngx_string("m3u"), NGX_HLS_KIND_PLAYLIST },
    { ngx_string("mpd"), NGX_HLS_KIND_MANIFEST },
    { ngx_string("mp4"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m4a"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m4v"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m4f"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m4i"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("fmp4"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("cmfv"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("cmfa"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("cmft"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("cmfm"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("init"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("dash"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("aac"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("ac3"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("ec3"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("ac4"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("mp3"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("mp2"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("opus"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("webm"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("weba"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("m2ts"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("mts"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("vtt"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("webvtt"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("ttml"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("ttml2"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("dfxp"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("srt"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("id3"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("jpg"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("jpeg"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("png"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("webp"), NGX_HLS_KIND_SEGMENT },
    { ngx_string("flv"), NGX_HLS_KIND_ENDLESS },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_hls_uri_resolve(ngx_pool_t *pool, ngx_str_t *base, ngx_str_t *uri,
    ngx_hls_ref_t *ref)
{
    u_char     *p;
    size_t      prefix, dir;
    ngx_int_t   rc;
    ngx_str_t   path, rest;

    rc = ngx_hls_uri_split(pool, uri, ref, &prefix, &rest);

    if (rc != NGX_OK) {
        return rc;
    }

    path = ref->path;
    dir = 0;

    if (!ref->absolute) {

        if (base->len == 0 || base->data[0] != '/') {
            return NGX_DECLINED;
        }

        if (path.len == 0) {

            /* another answer of the playlist's own path */

            dir = base->len;

        } else if (path.data[0] != '/') {

            for (dir = base->len; base->data[dir - 1] != '/'; dir--) {
                /* void */
            }
        }
    }

    p = ngx_pnalloc(pool, dir + path.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ref->path.data = p;

    p = ngx_cpymem(p, base->data, dir);

    if (ngx_hls_uri_decode(&p, &path) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (p == ref->path.data) {
        *p++ = '/';
    }

    ref->path.len = p - ref->path.data;

    if (ngx_hls_uri_normalize(&ref->path) != NGX_OK) {
        return NGX_DECLINED;
    }

    ref->own = !ref->absolute && ngx_hls_uri_own(base, &ref->path);

    return NGX_OK;
}


ngx_int_t
ngx_hls_uri_split(ngx_pool_t *pool, ngx_str_t *uri, ngx_hls_ref_t *ref,
    size_t *prefix, ngx_str_t *rest)
{
    u_char     *p, *last, *args;
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   s;

    ngx_memzero(ref, sizeof(ngx_hls_ref_t));

    if (ngx_hls_uri_check(uri) != NGX_OK) {
        return NGX_DECLINED;
    }

    s = *uri;

    rc = ngx_hls_uri_scheme(&s, ref, &len);

    if (rc != NGX_OK) {
        return rc;
    }

    s.data += len;
    s.len -= len;

    *prefix = len;

    if (s.len >= 2 && s.data[0] == '/' && s.data[1] == '/') {

        rc = ngx_hls_uri_host(pool, &s, ref, &len);

        if (rc != NGX_OK) {
            return rc;
        }

        s.data += len;
        s.len -= len;

        *prefix += len;

    } else if (ref->absolute) {
        return NGX_DECLINED;
    }

    last = s.data + s.len;

    for (p = s.data; p < last && *p != '?' && *p != '#'; p++) {
        /* void */
    }

    ref->path.data = s.data;
    ref->path.len = p - s.data;

    rest->data = p;
    rest->len = last - p;

    if (p < last && *p == '?') {
        args = ++p;

        while (p < last && *p != '#') {
            p++;
        }

        ref->args.data = args;
        ref->args.len = p - args;
    }

    return NGX_OK;
}


/*
 * Bytes that browsers drop or read as others are in no URI of ours; nor are
 * variables, whose values may be anything.
 */

static ngx_int_t
ngx_hls_uri_check(ngx_str_t *uri)
{
    u_char  *p, *last;

    if (uri->len == 0 || uri->len > NGX_HLS_MAX_URI) {
        return NGX_DECLINED;
    }

    for (p = uri->data, last = p + uri->len; p < last; p++) {

        if (*p < 0x20 || *p == 0x7f || *p == '\\') {
            return NGX_DECLINED;
        }

        if (*p == '{' && p + 1 < last && p[1] == '$') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_hls_uri_scheme(ngx_str_t *uri, ngx_hls_ref_t *ref, size_t *len)
{
    u_char  *p, *last, c;

    *len = 0;

    for (p = uri->data, last = p + uri->len; p < last; p++) {

        c = (u_char) (*p | 0x20);

        if (c >= 'a' && c <= 'z') {
            continue;
        }

        if (p > uri->data
            && ((*p >= '0' && *p <= '9')
                || *p == '+' || *p == '-' || *p == '.'))
        {
            continue;
        }

        break;
    }

    if (p == last || *p != ':' || p == uri->data) {
        return NGX_OK;
    }

    if (p - uri->data == 5
        && ngx_strncasecmp(uri->data, (u_char *) "https", 5) == 0)
    {
        ref->https = 1;

    } else if (p - uri->data != 4
               || ngx_strncasecmp(uri->data, (u_char *) "http", 4) != 0)
    {
        return NGX_DECLINED;
    }

    ref->absolute = 1;

    *len = p + 1 - uri->data;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_uri_host(ngx_pool_t *pool, ngx_str_t *uri, ngx_hls_ref_t *ref,
    size_t *len)
{
    u_char      *p, *last, *host, *end;
    ngx_int_t    n;
    ngx_uint_t   literal;

    host = uri->data + 2;
    last = uri->data + uri->len;

    for (p = host; p < last && *p != '/' && *p != '?' && *p != '#'; p++) {
        /* void */
    }

    *len = p - uri->data;

    last = p;
    literal = 0;

    if (host < last && *host == '[') {
        literal = 1;
        host++;

        end = ngx_strlchr(host, last, ']');

        if (end == NULL) {
            return NGX_DECLINED;
        }

        p = end + 1;

    } else {
        end = ngx_strlchr(host, last, ':');

        if (end == NULL) {
            end = last;
        }

        p = end;
    }

    ref->absolute = 1;
    ref->port = ref->https ? 443 : 80;

    if (p < last) {

        if (*p++ != ':') {
            return NGX_DECLINED;
        }

        if (p < last) {
            n = ngx_atoi(p, last - p);

            if (n < 1 || n > 65535) {
                return NGX_DECLINED;
            }

            ref->port = (in_port_t) n;
        }
    }

    return ngx_hls_uri_host_name(pool, host, end - host, literal, &ref->host);
}


static ngx_int_t
ngx_hls_uri_host_name(ngx_pool_t *pool, u_char *p, size_t len,
    ngx_uint_t literal, ngx_str_t *host)
{
    size_t  i;
    u_char  c;

    if (len == 0 || len > 255) {
        return NGX_DECLINED;
    }

    host->len = len;
    host->data = ngx_pnalloc(pool, len);
    if (host->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        c = ngx_tolower(p[i]);

        if ((c >= 'a' && c <= 'z')
            || (c >= '0' && c <= '9')
            || c == '.'
            || (literal ? c == ':' : (c == '-' || c == '_')))
        {
            host->data[i] = c;
            continue;
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* as nginx does it with a request: once, and before dots are looked at */

static ngx_int_t
ngx_hls_uri_decode(u_char **dst, ngx_str_t *path)
{
    u_char     *p, *last, *d, ch;
    ngx_int_t   hi, lo;

    d = *dst;

    for (p = path->data, last = p + path->len; p < last; p++) {
        ch = *p;

        if (ch == '%') {

            if (last - p < 3) {
                return NGX_DECLINED;
            }

            hi = ngx_hls_uri_hex(p[1]);
            lo = ngx_hls_uri_hex(p[2]);

            if (hi < 0 || lo < 0) {
                return NGX_DECLINED;
            }

            ch = (u_char) (hi * 16 + lo);
            p += 2;

            if (ch < 0x20 || ch == 0x7f || ch == '\\') {
                return NGX_DECLINED;
            }
        }

        *d++ = ch;
    }

    *dst = d;

    return NGX_OK;
}


/* dot segments and double slashes; in place, for it never gets longer */

static ngx_int_t
ngx_hls_uri_normalize(ngx_str_t *path)
{
    u_char  *p, *last, *d, *start;
    size_t   len;

    start = path->data;
    last = start + path->len;
    d = start;

    /* d is behind a slash whenever a segment begins */

    *d++ = '/';

    for (p = start + 1; p < last; p++) {

        for (len = 0; p + len < last && p[len] != '/'; len++) {
            /* void */
        }

        if (len == 2 && p[0] == '.' && p[1] == '.') {

            if (d - start == 1) {
                return NGX_DECLINED;
            }

            for (d--; d[-1] != '/'; d--) {
                /* void */
            }

        } else if (len && !(len == 1 && p[0] == '.')) {

            d = ngx_movemem(d, p, len);

            if (p + len < last) {
                *d++ = '/';
            }
        }

        p += len;
    }

    path->len = d - start;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_uri_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return -1;
}


ngx_uint_t
ngx_hls_uri_own(ngx_str_t *base, ngx_str_t *path)
{
    size_t  dir;

    for (dir = base->len; dir && base->data[dir - 1] != '/'; dir--) {
        /* void */
    }

    return dir && path->len > dir
           && ngx_memcmp(path->data, base->data, dir) == 0;
}


ngx_uint_t
ngx_hls_uri_kind(ngx_str_t *path)
{
    u_char               *p, *start, *last, *semicolon;
    ngx_hls_extension_t  *ext;

    start = path->data;
    last = start + path->len;

    /*
     * What an origin may drop from a name does not make a key anything else:
     * slashes, dots and blanks at the end, and parameters of a path segment
     */

    while (last > start
           && (last[-1] == '/' || last[-1] == '.' || last[-1] == ' '))
    {
        last--;
    }

    for (p = last; p > start && p[-1] != '/'; p--) {
        /* void */
    }

    semicolon = ngx_strlchr(p, last, ';');

    if (semicolon) {

        if (semicolon - p >= 4
            && ngx_strncasecmp(semicolon - 4, (u_char *) ".key", 4) == 0)
        {
            return NGX_HLS_KIND_KEY;
        }
    }

    if (last - p >= 4
        && ngx_strncasecmp(last - 4, (u_char *) ".key", 4) == 0)
    {
        return NGX_HLS_KIND_KEY;
    }

    last = path->data + path->len;

    for (start = p, p = last; p > start && p[-1] != '.'; p--) {
        /* void */
    }

    if (p == start) {
        return NGX_HLS_KIND_OTHER;
    }

    for (ext = ngx_hls_extensions; ext->name.len; ext++) {

        if (ext->name.len == (size_t) (last - p)
            && ngx_strncasecmp(ext->name.data, p, ext->name.len) == 0)
        {
            return ext->kind;
        }
    }

    return NGX_HLS_KIND_OTHER;
}


ngx_int_t
ngx_hls_args_next(ngx_str_t *args, ngx_str_t *name, ngx_str_t *value,
    ngx_str_t *whole)
{
    u_char  *p, *last, *end;

    p = args->data;
    last = p + args->len;

    while (p < last && *p == '&') {
        p++;
    }

    if (p == last) {
        args->data = last;
        args->len = 0;
        return NGX_DONE;
    }

    end = ngx_strlchr(p, last, '&');

    if (end == NULL) {
        end = last;
    }

    args->data = end;
    args->len = last - end;

    whole->data = p;
    whole->len = end - p;

    last = ngx_strlchr(p, end, '=');

    if (last == NULL) {
        last = end;
    }

    name->data = p;
    name->len = last - p;

    if (last < end) {
        last++;
    }

    value->data = last;
    value->len = end - last;

    return NGX_OK;
}


ngx_int_t
ngx_hls_args_find(ngx_str_t *args, ngx_str_t *name, ngx_str_t *value)
{
    ngx_str_t  rest, n, v, whole;

    rest = *args;

    while (ngx_hls_args_next(&rest, &n, &v, &whole) == NGX_OK) {

        if (n.len == name->len
            && ngx_memcmp(n.data, name->data, n.len) == 0)
        {
            *value = v;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_hls_args_filter(ngx_pool_t *pool, ngx_str_t *args, ngx_array_t *names,
    ngx_str_t *result)
{
    u_char      *p;
    ngx_str_t   *name, value;
    ngx_uint_t   i;

    ngx_str_null(result);

    if (args->len == 0 || names == NULL || names->nelts == 0) {
        return NGX_OK;
    }

    /* a name that is listed twice may make it longer */

    p = ngx_pnalloc(pool, names->nelts * (args->len + 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    result->data = p;
    name = names->elts;

    for (i = 0; i < names->nelts; i++) {

        if (ngx_hls_args_find(args, &name[i], &value) != NGX_OK) {
            continue;
        }

        if (p > result->data) {
            *p++ = '&';
        }

        p = ngx_cpymem(p, name[i].data, name[i].len);

        if (value.data > args->data && value.data[-1] == '=') {
            *p++ = '=';
            p = ngx_cpymem(p, value.data, value.len);
        }
    }

    result->len = p - result->data;

    return NGX_OK;
}


ngx_int_t
ngx_hls_args_remove(ngx_pool_t *pool, ngx_str_t *args, ngx_array_t *names,
    ngx_str_t *result)
{
    u_char      *p;
    ngx_str_t    rest, name, value, whole;
    ngx_uint_t   found;

    *result = *args;

    if (args->len == 0 || names == NULL || names->nelts == 0) {
        return NGX_OK;
    }

    rest = *args;
    found = 0;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        if (ngx_hls_args_listed(&name, names)) {
            found = 1;
            break;
        }
    }

    if (!found) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, args->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    result->data = p;
    rest = *args;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        if (ngx_hls_args_listed(&name, names)) {
            continue;
        }

        if (p > result->data) {
            *p++ = '&';
        }

        p = ngx_cpymem(p, whole.data, whole.len);
    }

    result->len = p - result->data;

    return NGX_OK;
}


ngx_int_t
ngx_hls_args_add(ngx_pool_t *pool, ngx_str_t *args, ngx_str_t *name,
    ngx_str_t *value, ngx_str_t *result)
{
    u_char  *p, *data;

    /* args and result may be the same */

    p = ngx_pnalloc(pool, args->len + 1 + name->len + 1 + value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    data = p;

    if (args->len) {
        p = ngx_cpymem(p, args->data, args->len);
        *p++ = '&';
    }

    p = ngx_cpymem(p, name->data, name->len);
    *p++ = '=';
    p = ngx_cpymem(p, value->data, value->len);

    result->data = data;
    result->len = p - data;

    return NGX_OK;
}


ngx_int_t
ngx_hls_args_directives(ngx_str_t *args, ngx_hls_directives_t *d)
{
    uint64_t    n;
    ngx_str_t   rest, name, value, whole;

    ngx_memzero(d, sizeof(ngx_hls_directives_t));

    rest = *args;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        if (ngx_hls_args_is(&name, "_HLS_msn", 8)) {

            if (d->has_msn
                || ngx_hls_playlist_number(&value, NGX_HLS_MAX_SEQUENCE, &n)
                   != NGX_OK)
            {
                return NGX_DECLINED;
            }

            d->msn = n;
            d->has_msn = 1;

        } else if (ngx_hls_args_is(&name, "_HLS_part", 9)) {

            if (d->has_part
                || ngx_hls_playlist_number(&value, NGX_HLS_MAX_PART, &n)
                   != NGX_OK)
            {
                return NGX_DECLINED;
            }

            d->part = (ngx_uint_t) n;
            d->has_part = 1;

        } else if (ngx_hls_args_is(&name, "_HLS_skip", 9)) {

            if (d->skip) {
                return NGX_DECLINED;
            }

            if (ngx_hls_args_is(&value, "v2", 2)) {
                d->skip_v2 = 1;

            } else if (!ngx_hls_args_is(&value, "YES", 3)) {
                return NGX_DECLINED;
            }

            d->skip = 1;

        } else {
            continue;
        }

        d->any = 1;
    }

    return (d->has_part && !d->has_msn) ? NGX_DECLINED : NGX_OK;
}


ngx_uint_t
ngx_hls_args_generation(ngx_str_t *args, ngx_str_t *rest)
{
    u_char    *p, *last;
    uint64_t   n;
    ngx_str_t  number;

    *rest = *args;

    last = args->data + args->len;

    for (p = last; p > args->data && p[-1] >= '0' && p[-1] <= '9'; p--) {
        /* void */
    }

    number.data = p;
    number.len = last - p;

    if (p - args->data < 2
        || p[-1] != '='
        || p[-2] != 'g'
        || number.len == 0
        || *p == '0'
        || (p - args->data > 2 && p[-3] != '&')
        || ngx_hls_playlist_number(&number, 0xffffffff, &n) != NGX_OK)
    {
        return 0;
    }

    rest->len = p - args->data - 2;

    if (rest->len) {
        /* the ampersand */
        rest->len--;
    }

    return (ngx_uint_t) n;
}


static ngx_uint_t
ngx_hls_args_listed(ngx_str_t *name, ngx_array_t *names)
{
    ngx_str_t   *n;
    ngx_uint_t   i;

    n = names->elts;

    for (i = 0; i < names->nelts; i++) {

        if (n[i].len == name->len
            && ngx_memcmp(n[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_hls_args_is(ngx_str_t *text, char *name, size_t len)
{
    return text->len == len && ngx_memcmp(text->data, name, len) == 0;
}
