
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_playlist.c ngx_hls_uri.c */


/*
 * A playlist.  All lines together are its bytes, what a line says lies in it,
 * and numbers are bounded; a URI that is resolved is a path without dots, and
 * is the playlist's own only if it is in its folder.
 */


#include "unit.h"
#include "ngx_hls_playlist.h"
#include "ngx_hls_uri.h"


typedef struct {
    u_char       *pos;
    u_char       *last;
    ngx_uint_t    uris;
    ngx_uint_t    segments;
    ngx_pool_t   *pool;
} fuzz_ctx_t;


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static ngx_int_t fuzz_line(void *data, ngx_hls_playlist_t *pl,
    ngx_hls_line_t *line);
static void fuzz_uri(fuzz_ctx_t *ctx, ngx_hls_uri_t *uri);
static void fuzz_path(ngx_str_t *base, ngx_hls_ref_t *ref);
static void fuzz_args(ngx_pool_t *pool, ngx_str_t *args);
static void fuzz_inside(u_char *p, u_char *last, ngx_str_t *str);
static ngx_int_t fuzz_count(void *data, ngx_hls_uri_t *uri);


static ngx_str_t  base = ngx_string("/live/cam1/index.m3u8");


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char              *p;
    ngx_int_t            rc;
    ngx_uint_t           n;
    fuzz_ctx_t           ctx;
    ngx_hls_playlist_t   pl, again;

    static ngx_uint_t    ready;

    if (!ready) {
        unit_init();
        ready = 1;
    }

    p = malloc(size + (size == 0));
    memcpy(p, data, size);

    memset(&ctx, 0, sizeof(ctx));

    ctx.pos = p;
    ctx.last = p + size;
    ctx.pool = ngx_create_pool(1024, &unit_log);

    rc = ngx_hls_playlist_walk(p, p + size, &pl, fuzz_line, &ctx);

    n = 0;

    if (ngx_hls_playlist_parse(p, p + size, &again, fuzz_count, &n) != rc) {
        abort();
    }

    if (rc == NGX_OK) {

        if (ctx.pos != ctx.last || ctx.uris != pl.uris || n != pl.uris
            || ctx.segments != pl.segments
            || memcmp(&pl, &again, sizeof(pl)) != 0
            || pl.sequence > NGX_HLS_MAX_SEQUENCE
            || pl.discontinuity > NGX_HLS_MAX_SEQUENCE
            || pl.target > (ngx_msec_t) NGX_HLS_MAX_DURATION * 1000 + 1000
            || pl.window > (ngx_msec_t) size * NGX_HLS_MAX_DURATION * 1000
            || (pl.master && pl.segments))
        {
            abort();
        }

    } else if (rc != NGX_DECLINED) {
        abort();
    }

    ngx_destroy_pool(ctx.pool);
    free(p);

    return 0;
}


static ngx_int_t
fuzz_line(void *data, ngx_hls_playlist_t *pl, ngx_hls_line_t *line)
{
    fuzz_ctx_t *ctx = data;

    if (line->start != ctx->pos
        || line->last < line->start
        || line->end < line->last
        || line->end > ctx->last
        || line->end - line->last > 2
        || line->end == line->start)
    {
        abort();
    }

    fuzz_inside(line->start, line->last, &line->value);

    ctx->pos = line->end;

    if (line->uri) {
        fuzz_inside(line->start, line->last, &line->uri->uri);
        fuzz_uri(ctx, line->uri);
    }

    return NGX_OK;
}


static void
fuzz_uri(fuzz_ctx_t *ctx, ngx_hls_uri_t *uri)
{
    size_t         prefix;
    ngx_str_t      rest;
    ngx_hls_ref_t  ref;

    ctx->uris++;

    if (uri->uri.len == 0) {
        abort();
    }

    if (uri->type == NGX_HLS_URI_SEGMENT) {
        ctx->segments++;
    }

    if (ngx_hls_uri_resolve(ctx->pool, &base, &uri->uri, &ref) == NGX_OK) {

        fuzz_path(&base, &ref);
        fuzz_args(ctx->pool, &ref.args);

        if (ngx_hls_uri_split(ctx->pool, &uri->uri, &ref, &prefix, &rest)
            != NGX_OK
            || prefix + ref.path.len + rest.len != uri->uri.len)
        {
            abort();
        }
    }
}


static void
fuzz_path(ngx_str_t *from, ngx_hls_ref_t *ref)
{
    u_char  *p, *last;

    p = ref->path.data;
    last = p + ref->path.len;

    if (p == last || *p != '/') {
        abort();
    }

    for ( /* void */ ; p < last; p++) {

        if (*p < 0x20 || *p == 0x7f || *p == '\\') {
            abort();
        }

        if (*p != '/') {
            continue;
        }

        if ((last - p >= 2 && p[1] == '/')
            || (last - p == 2 && p[1] == '.')
            || (last - p >= 3 && p[1] == '.' && p[2] == '/')
            || (last - p == 3 && p[1] == '.' && p[2] == '.')
            || (last - p >= 4 && p[1] == '.' && p[2] == '.' && p[3] == '/'))
        {
            abort();
        }
    }

    if (ref->own
        && (ref->absolute || ref->path.len <= 11
            || memcmp(ref->path.data, from->data, 11) != 0))
    {
        abort();
    }

    if (ref->absolute != (ref->host.len != 0)
        || ref->absolute != (ref->port != 0))
    {
        abort();
    }

    (void) ngx_hls_uri_kind(&ref->path);
}


static void
fuzz_args(ngx_pool_t *pool, ngx_str_t *args)
{
    ngx_str_t              rest, name, value, whole, result, found, *n;
    ngx_array_t           *names;
    ngx_hls_directives_t   d;

    names = ngx_array_create(pool, 2, sizeof(ngx_str_t));
    rest = *args;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        fuzz_inside(args->data, args->data + args->len, &whole);
        fuzz_inside(whole.data, whole.data + whole.len, &name);
        fuzz_inside(whole.data, whole.data + whole.len, &value);

        if (names->nelts < 2) {
            n = ngx_array_push(names);
            *n = name;
        }

        if (ngx_hls_args_find(args, &name, &found) != NGX_OK) {
            abort();
        }
    }

    if (ngx_hls_args_filter(pool, args, names, &result) != NGX_OK
        || ngx_hls_args_remove(pool, args, names, &result) != NGX_OK
        || result.len > args->len)
    {
        abort();
    }

    for (n = names->elts; n < (ngx_str_t *) names->elts + names->nelts; n++) {
        if (ngx_hls_args_find(&result, n, &found) == NGX_OK) {
            abort();
        }
    }

    if (ngx_hls_args_directives(args, &d) == NGX_OK
        && d.msn > NGX_HLS_MAX_SEQUENCE)
    {
        abort();
    }

    if (ngx_hls_args_generation(args, &rest) == 0) {

        if (rest.len != args->len) {
            abort();
        }

    } else if (rest.len + 3 > args->len) {
        abort();
    }
}


static void
fuzz_inside(u_char *p, u_char *last, ngx_str_t *str)
{
    if (str->data < p || str->data > last
        || str->len > (size_t) (last - str->data))
    {
        abort();
    }
}


static ngx_int_t
fuzz_count(void *data, ngx_hls_uri_t *uri)
{
    ngx_uint_t *n = data;

    (*n)++;

    return NGX_OK;
}
