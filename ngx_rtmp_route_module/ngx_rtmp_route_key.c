
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/evp.h>
#include "ngx_rtmp_route.h"
#include "ngx_rtmp_route_key.h"
#include "ngx_rtmp_route_text.h"


#define NGX_RTMP_ROUTE_DIGEST_LEN  16    /* hex digits after the "#" */


static ngx_int_t ngx_rtmp_route_name_join(ngx_pool_t *pool, ngx_str_t *app,
    ngx_str_t *stream, ngx_rtmp_route_name_t *name);
static ngx_int_t ngx_rtmp_route_name_path(ngx_pool_t *pool, ngx_str_t *text,
    ngx_rtmp_route_name_t *name);
static ngx_int_t ngx_rtmp_route_name_uri(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_rtmp_route_name_t *name);
static ngx_int_t ngx_rtmp_route_name_whip(ngx_pool_t *pool, ngx_str_t *app,
    ngx_str_t *stream, ngx_rtmp_route_name_t *name);
static void ngx_rtmp_route_name_candidates(ngx_array_t *suffixes,
    ngx_rtmp_route_name_t *names, ngx_uint_t *n, ngx_uint_t *fallback);
static ngx_int_t ngx_rtmp_route_name_vhost(ngx_pool_t *pool, ngx_str_t *host,
    ngx_rtmp_route_name_t *name);
static void ngx_rtmp_route_name_set(ngx_rtmp_route_name_t *name,
    ngx_str_t *path);

static ngx_int_t ngx_rtmp_route_decode_arg(ngx_pool_t *pool, ngx_str_t *args,
    char *key, ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_digest(ngx_pool_t *pool, ngx_str_t *text);
static ngx_uint_t ngx_rtmp_route_is_index(ngx_str_t *base);
static ngx_uint_t ngx_rtmp_route_is_segment(ngx_str_t *extension);
static ngx_uint_t ngx_rtmp_route_is_number(ngx_str_t *dir, ngx_str_t *base);
static ngx_uint_t ngx_rtmp_route_is_digest(ngx_str_t *text);


static ngx_str_t  ngx_rtmp_route_empty = ngx_string("");
static ngx_str_t  ngx_rtmp_route_default_vhost =
                      ngx_string("__defaultVhost__");

/* what SRS takes when WHIP or WHEP come without arguments */

static ngx_str_t  ngx_rtmp_route_whip_app = ngx_string("live");
static ngx_str_t  ngx_rtmp_route_whip_stream = ngx_string("livestream");


ngx_int_t
ngx_rtmp_route_name_rtmp(ngx_pool_t *pool, ngx_str_t *tcurl, ngx_str_t *app,
    ngx_str_t *stream, ngx_rtmp_route_name_t *name)
{
    ngx_int_t  rc;
    ngx_str_t  url, host, rest, path, args;

    ngx_memzero(name, sizeof(ngx_rtmp_route_name_t));

    rc = ngx_rtmp_route_text_old_vhost(pool, tcurl, &url);
    if (rc != NGX_OK) {
        return rc;
    }

    /* a tcUrl that is no URL says nothing */

    (void) ngx_rtmp_route_text_url(&url, &host, &rest);

    rc = ngx_rtmp_route_name_join(pool, app->len ? app : &rest, stream, name);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_rtmp_route_text_cut_args(&rest, &path, &args);

    (void) ngx_rtmp_route_text_vhost(&args, &host);
    (void) ngx_rtmp_route_text_vhost(&name->args, &host);

    return ngx_rtmp_route_name_vhost(pool, &host, name);
}


ngx_int_t
ngx_rtmp_route_name_http(ngx_pool_t *pool, ngx_str_t *host, ngx_str_t *uri,
    ngx_str_t *args, ngx_array_t *suffixes, ngx_rtmp_route_name_t *names,
    ngx_uint_t *n, ngx_uint_t *fallback)
{
    ngx_int_t   rc;
    ngx_str_t   app, stream, vhost;
    ngx_uint_t  exact;

    *n = 0;
    *fallback = 0;

    ngx_memzero(names, sizeof(ngx_rtmp_route_name_t));

    rc = ngx_rtmp_route_decode_arg(pool, args, "app", &app);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_rtmp_route_decode_arg(pool, args, "stream", &stream);
    if (rc != NGX_OK) {
        return rc;
    }

    exact = 1;

    if (app.len && stream.len) {
        rc = ngx_rtmp_route_name_join(pool, &app, &stream, names);

    } else {
        rc = ngx_rtmp_route_name_uri(pool, uri, names);

        if (rc == NGX_OK) {
            rc = ngx_rtmp_route_name_whip(pool, &app, &stream, names);

            if (rc == NGX_DONE) {
                exact = 0;
                rc = NGX_OK;
            }
        }
    }

    if (rc != NGX_OK) {
        return rc;
    }

    vhost = *host;

    (void) ngx_rtmp_route_text_vhost(&names[0].args, &vhost);

    if (ngx_rtmp_route_text_vhost(args, &vhost)) {
        rc = ngx_rtmp_route_text_decode(pool, &vhost);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_rtmp_route_name_vhost(pool, &vhost, names);
    if (rc != NGX_OK) {
        return rc;
    }

    names[0].args = *args;

    if (exact) {
        *n = 1;
        return NGX_OK;
    }

    ngx_rtmp_route_name_candidates(suffixes, names, n, fallback);

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_name_mapped(ngx_pool_t *pool, ngx_str_t *host, ngx_str_t *path,
    ngx_str_t *args, ngx_str_t *stream, ngx_array_t *suffixes,
    ngx_rtmp_route_name_t *names, ngx_uint_t *n, ngx_uint_t *fallback)
{
    size_t      len;
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   vhost, dir, file, base, whole;

    ngx_memzero(names, sizeof(ngx_rtmp_route_name_t));

    *n = 1;
    *fallback = 0;

    vhost = *host;

    if (ngx_rtmp_route_text_vhost(args, &vhost)) {
        rc = ngx_rtmp_route_text_decode(pool, &vhost);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_rtmp_route_name_vhost(pool, &vhost, names);
    if (rc != NGX_OK) {
        return rc;
    }

    names[0].args = *args;
    ngx_rtmp_route_name_set(&names[0], stream);

    ngx_rtmp_route_text_cut_last(stream, &dir, &base);
    ngx_rtmp_route_text_cut_last(path, &dir, &file);

    if (file.len < base.len
        || ngx_memcmp(file.data, base.data, base.len) != 0)
    {
        goto exact;
    }

    whole = file;
    ngx_rtmp_route_text_trim_extension(&file);

    if (base.len != whole.len && base.len != file.len) {
        goto exact;
    }

    len = stream->len + whole.len - base.len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    names[0].path.data = p;
    names[0].path.len = len;

    p = ngx_cpymem(p, stream->data, stream->len);
    ngx_memcpy(p, whole.data + base.len, whole.len - base.len);

    ngx_rtmp_route_name_candidates(suffixes, names, n, fallback);

    return NGX_OK;

exact:

    whole = *stream;

    if (ngx_rtmp_route_text_trim_suffix(&whole, suffixes)) {
        names[1] = names[0];
        ngx_rtmp_route_name_set(&names[1], &whole);

        *n = 2;
        *fallback = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_name_text(ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t form,
    ngx_rtmp_route_name_t *name)
{
    ngx_int_t   rc;
    ngx_str_t   host, rest, first;
    ngx_uint_t  whole;

    ngx_memzero(name, sizeof(ngx_rtmp_route_name_t));

    /* a URL and a path with a leading slash are whole, whatever the form is */

    if (ngx_rtmp_route_text_url(text, &host, &rest)) {
        whole = 1;

    } else {
        rest = *text;
        whole = (rest.len && rest.data[0] == '/');
    }

    rc = ngx_rtmp_route_name_path(pool, &rest, name);
    if (rc != NGX_OK) {
        return rc;
    }

    if (form == NGX_RTMP_ROUTE_KEY_VHOST && !whole) {

        ngx_rtmp_route_text_cut_first(&name->path, &first, &rest);

        if (ngx_rtmp_route_text_is(&first, "__defaultVhost__")
            || ngx_strlchr(first.data, first.data + first.len, '.') != NULL
            || (first.len && first.data[0] == '['))
        {
            host = first;
            name->path = rest;
        }
    }

    if (form == NGX_RTMP_ROUTE_KEY_STREAM && !whole) {
        name->bare = 1;
        name->stream = name->path;
        ngx_str_null(&name->app);

    } else {
        ngx_rtmp_route_name_set(name, &name->path);
    }

    name->hashed = ngx_rtmp_route_is_digest(&name->stream);

    (void) ngx_rtmp_route_text_vhost(&name->args, &host);

    return ngx_rtmp_route_name_vhost(pool, &host, name);
}


ngx_int_t
ngx_rtmp_route_key(ngx_pool_t *pool, ngx_rtmp_route_name_t *name,
    ngx_uint_t form, ngx_uint_t secret, ngx_str_t *key)
{
    size_t      len;
    u_char     *p;
    ngx_str_t   vhost, app, stream;

    ngx_str_null(key);

    if (name->path.len == 0) {
        return NGX_DECLINED;
    }

    if (name->bare) {
        ngx_str_null(&app);
        stream = name->path;

    } else {
        ngx_rtmp_route_text_cut_first(&name->path, &app, &stream);
    }

    if (secret && !name->hashed
        && ngx_rtmp_route_digest(pool, &stream) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&vhost);

    if (form == NGX_RTMP_ROUTE_KEY_STREAM) {
        ngx_str_null(&app);

    } else if (form == NGX_RTMP_ROUTE_KEY_VHOST) {
        vhost = name->vhost.len ? name->vhost : ngx_rtmp_route_default_vhost;
    }

    len = (vhost.len ? vhost.len + 1 : 0) + (app.len ? app.len + 1 : 0)
          + stream.len;

    if (len > NGX_RTMP_ROUTE_KEY_LEN) {
        return NGX_DECLINED;
    }

    if (len == stream.len) {
        *key = stream;
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->len = len;
    key->data = p;

    if (vhost.len) {
        p = ngx_cpymem(p, vhost.data, vhost.len);
        *p++ = '/';
    }

    if (app.len) {
        p = ngx_cpymem(p, app.data, app.len);
        *p++ = '/';
    }

    ngx_memcpy(p, stream.data, stream.len);

    return NGX_OK;
}


/* app and stream as the client split them, each with arguments of its own */

static ngx_int_t
ngx_rtmp_route_name_join(ngx_pool_t *pool, ngx_str_t *app, ngx_str_t *stream,
    ngx_rtmp_route_name_t *name)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   text, args, first, rest;

    rc = ngx_rtmp_route_text_old_vhost(pool, app, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_rtmp_route_text_cut_args(&text, &name->app, &args);
    ngx_rtmp_route_text_trim_slashes(&name->app);

    rc = ngx_rtmp_route_text_old_vhost(pool, stream, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_rtmp_route_text_cut_args(&text, &name->stream, &name->args);
    ngx_rtmp_route_text_trim_slashes(&name->stream);

    if (args.len == 0) {
        /* void */

    } else if (name->args.len == 0) {
        name->args = args;

    } else {
        p = ngx_pnalloc(pool, args.len + 1 + name->args.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        text.data = p;

        p = ngx_cpymem(p, args.data, args.len);
        *p++ = '&';
        p = ngx_cpymem(p, name->args.data, name->args.len);

        name->args.data = text.data;
        name->args.len = p - text.data;
    }

    rc = ngx_rtmp_route_text_path(pool, &name->app, &name->stream,
                                  &name->path);
    if (rc != NGX_OK) {
        return rc;
    }

    /* the whole path may stand in the app, but an app alone is no stream */

    ngx_rtmp_route_text_cut_first(&name->path, &first, &rest);

    if (name->stream.len == 0 && first.len == 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * A path in one piece.  The arguments may stand in front of the last slash,
 * when somebody has put "/stream" after "app?vhost=name".
 */

static ngx_int_t
ngx_rtmp_route_name_path(ngx_pool_t *pool, ngx_str_t *text,
    ngx_rtmp_route_name_t *name)
{
    ngx_int_t  rc;
    ngx_str_t  path, dir, base;

    rc = ngx_rtmp_route_text_old_vhost(pool, text, &path);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_rtmp_route_text_cut_last(&path, &dir, &base);

    if (ngx_strlchr(dir.data, dir.data + dir.len, '?') != NULL) {
        return ngx_rtmp_route_name_join(pool, &dir, &base, name);
    }

    ngx_rtmp_route_text_cut_args(&path, &path, &name->args);

    return ngx_rtmp_route_text_path(pool, &path, &ngx_rtmp_route_empty,
                                    &name->path);
}


static ngx_int_t
ngx_rtmp_route_name_uri(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_rtmp_route_name_t *name)
{
    size_t     len;
    ngx_int_t  rc;
    ngx_str_t  path;

    path = *uri;

    for (len = 0; len < path.len; len++) {
        if (path.data[len] == '?' || path.data[len] == '#') {
            break;
        }
    }

    path.len = len;

    rc = ngx_rtmp_route_text_decode(pool, &path);
    if (rc != NGX_OK) {
        return rc;
    }

    /* no stream can be published under a name with an encoded "?" */

    if (ngx_strlchr(path.data, path.data + path.len, '?') != NULL) {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_name_path(pool, &path, name);
}


/* NGX_DONE: the path is not that of WHIP or WHEP */

static ngx_int_t
ngx_rtmp_route_name_whip(ngx_pool_t *pool, ngx_str_t *app, ngx_str_t *stream,
    ngx_rtmp_route_name_t *name)
{
    size_t     len;
    ngx_str_t  path;

    path = name->path;
    len = sizeof("rtc/v1/whip") - 1;

    if (path.len < len
        || (ngx_strncmp(path.data, "rtc/v1/whip", len) != 0
            && ngx_strncmp(path.data, "rtc/v1/whep", len) != 0)
        || (path.len > len && path.data[len] != '/'))
    {
        return NGX_DONE;
    }

    if (path.len > len && app->len == 0 && stream->len == 0) {
        path.data += len + 1;
        path.len -= len + 1;

        ngx_rtmp_route_name_set(name, &path);

        return NGX_OK;
    }

    return ngx_rtmp_route_name_join(pool,
                                app->len ? app : &ngx_rtmp_route_whip_app,
                                stream->len ? stream
                                            : &ngx_rtmp_route_whip_stream,
                                name);
}


static void
ngx_rtmp_route_name_candidates(ngx_array_t *suffixes,
    ngx_rtmp_route_name_t *names, ngx_uint_t *n, ngx_uint_t *fallback)
{
    ngx_str_t              path, dir, base, extension;
    ngx_uint_t             i, index, segment;
    ngx_rtmp_route_name_t  common;

    common = names[0];

    /*
     * a name is looked up as it is before it is taken for a variant, since a
     * stream of its own may be published as "cam_720"
     */

    path = common.path;
    ngx_rtmp_route_text_cut_last(&path, &dir, &base);

    i = 0;
    ngx_rtmp_route_text_trim_extension(&path);
    ngx_rtmp_route_name_set(&names[i++], &path);

    extension.data = path.data + path.len;
    extension.len = common.path.len - path.len;

    segment = ngx_rtmp_route_is_segment(&extension);

    if (ngx_rtmp_route_text_trim_suffix(&path, suffixes)) {
        names[i] = common;
        ngx_rtmp_route_name_set(&names[i++], &path);
    }

    if (segment && ngx_rtmp_route_text_trim_number(&path)) {
        names[i] = common;
        ngx_rtmp_route_name_set(&names[i++], &path);

        if (ngx_rtmp_route_text_trim_suffix(&path, suffixes)) {
            names[i] = common;
            ngx_rtmp_route_name_set(&names[i++], &path);
        }
    }

    *fallback = i - 1;

    if (dir.len) {
        ngx_rtmp_route_text_cut_last(&path, &dir, &base);
        index = ngx_rtmp_route_is_index(&base)
                || (segment && ngx_rtmp_route_is_number(&dir, &base));

        names[i] = common;
        ngx_rtmp_route_name_set(&names[i++], &dir);

        if (ngx_rtmp_route_text_trim_suffix(&dir, suffixes)) {
            names[i] = common;
            ngx_rtmp_route_name_set(&names[i++], &dir);
        }

        if (index) {
            *fallback = i - 1;
        }
    }

    *n = i;
}


static ngx_int_t
ngx_rtmp_route_name_vhost(ngx_pool_t *pool, ngx_str_t *host,
    ngx_rtmp_route_name_t *name)
{
    ngx_str_t  text;

    if (!ngx_rtmp_route_text_host(host, &text)) {
        name->vhost = ngx_rtmp_route_default_vhost;
        return NGX_OK;
    }

    name->vhost.data = ngx_pnalloc(pool, text.len);
    if (name->vhost.data == NULL) {
        return NGX_ERROR;
    }

    name->vhost.len = text.len;
    ngx_strlow(name->vhost.data, text.data, text.len);

    return NGX_OK;
}


static void
ngx_rtmp_route_name_set(ngx_rtmp_route_name_t *name, ngx_str_t *path)
{
    name->path = *path;

    ngx_rtmp_route_text_cut_first(&name->path, &name->app, &name->stream);
}


/* an argument that is missing is empty */

static ngx_int_t
ngx_rtmp_route_decode_arg(ngx_pool_t *pool, ngx_str_t *args, char *key,
    ngx_str_t *value)
{
    if (!ngx_rtmp_route_text_arg(args, key, value)) {
        return NGX_OK;
    }

    return ngx_rtmp_route_text_decode(pool, value);
}


static ngx_int_t
ngx_rtmp_route_digest(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char  *p, digest[EVP_MAX_MD_SIZE];

    p = ngx_pnalloc(pool, 1 + NGX_RTMP_ROUTE_DIGEST_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (EVP_Digest(text->data, text->len, digest, NULL, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    *p = '#';
    (void) ngx_hex_dump(p + 1, digest, NGX_RTMP_ROUTE_DIGEST_LEN / 2);

    text->data = p;
    text->len = 1 + NGX_RTMP_ROUTE_DIGEST_LEN;

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_is_index(ngx_str_t *base)
{
    size_t  len;

    len = sizeof("chunklist") - 1;

    return ngx_rtmp_route_text_is(base, "index")
           || ngx_rtmp_route_text_is(base, "playlist")
           || ngx_rtmp_route_text_is(base, "master")
           || (base->len >= len
               && ngx_strncmp(base->data, "chunklist", len) == 0);
}


/* it has to go where its playlist goes */

static ngx_uint_t
ngx_rtmp_route_is_segment(ngx_str_t *extension)
{
    return extension->len
           && !ngx_rtmp_route_text_is(extension, ".m3u8")
           && !ngx_rtmp_route_text_is(extension, ".mpd")
           && !ngx_rtmp_route_text_is(extension, ".flv");
}


/* two directories deep, since a number may be the name of a stream as well */

static ngx_uint_t
ngx_rtmp_route_is_number(ngx_str_t *dir, ngx_str_t *base)
{
    ngx_uint_t  i;

    for (i = 0; i < base->len; i++) {
        if (base->data[i] < '0' || base->data[i] > '9') {
            return 0;
        }
    }

    return ngx_strlchr(dir->data, dir->data + dir->len, '/') != NULL;
}


static ngx_uint_t
ngx_rtmp_route_is_digest(ngx_str_t *text)
{
    u_char      c;
    ngx_uint_t  i;

    if (text->len != 1 + NGX_RTMP_ROUTE_DIGEST_LEN || text->data[0] != '#') {
        return 0;
    }

    for (i = 1; i < text->len; i++) {
        c = text->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return 0;
        }
    }

    return 1;
}
