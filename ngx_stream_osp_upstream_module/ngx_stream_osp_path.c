
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Names that a rule of the route ("path") maps.  What the client has sent in
 * the set-up is written once more, with the names that servers know, so that
 * all that comes after it (the next server, a move) finds nothing unusual; in
 * the relay the same is done with each command.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_osp_rtmp_rename.h"


#define NGX_STREAM_OSP_PATH_RAW    (NGX_STREAM_OSP_PREAMBLE_MAX               \
                                    + NGX_OSP_RTMP_HS_C0C1C2)

/* what an assembly and a new payload need */

#define NGX_STREAM_OSP_PATH_WORK   (2 * NGX_OSP_RTMP_RENAME_LEN)

/* for the chunks of a command that has become longer */

#define NGX_STREAM_OSP_PATH_ROOM   (4 * NGX_OSP_RTMP_RENAME_LEN)

/* of a client in the relay, then others have their turn */

#define NGX_STREAM_OSP_PATH_TURN   16


struct ngx_stream_osp_path_s {
    ngx_rtmp_route_t                *route;
    ngx_str_t                        app;        /* canonical, at the server */
    uint32_t                         hash;
    unsigned                         renamed:1;  /* something was */

    u_char                          *instead;    /* of what was looked at */
    u_char                          *last;

    ngx_event_t                      event;      /* of the next turn */
    ngx_uint_t                       commands;   /* in this one */
};


/* for names in commands, while these are written */

typedef struct {
    ngx_rtmp_route_t                *route;
    ngx_pool_t                      *pool;
    ngx_str_t                        app;        /* of the client */
    ngx_str_t                        tc_url;
    ngx_str_t                       *to;         /* app for the server */
    unsigned                         changed:1;
    unsigned                         failed:1;   /* no memory */
} ngx_stream_osp_path_ctx_t;


static ngx_int_t ngx_stream_osp_path_canonical(ngx_rtmp_route_t *route,
    ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *path);
static ngx_int_t ngx_stream_osp_path_divide(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *to, ngx_stream_osp_mapped_t *mapped);
static ngx_int_t ngx_stream_osp_path_create(ngx_stream_osp_session_t *os,
    ngx_str_t *app);
static ngx_int_t ngx_stream_osp_path_connect(ngx_stream_osp_session_t *os,
    ngx_stream_osp_mapped_t *mapped, ngx_osp_rtmp_rename_t *rn);
static ngx_int_t ngx_stream_osp_path_raw(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_rename_t *rn);
static ngx_int_t ngx_stream_osp_path_commands(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_rename_t *rn, u_char **out, u_char *end);
static ngx_int_t ngx_stream_osp_path_name(void *data, ngx_str_t *text,
    ngx_str_t *to);
static ngx_uint_t ngx_stream_osp_path_same(ngx_str_t *a, ngx_str_t *b);
static void ngx_stream_osp_path_handler(ngx_event_t *ev);


ngx_int_t
ngx_stream_osp_path_map(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *text, ngx_rtmp_route_name_t *name,
    ngx_rtmp_route_query_t *query, ngx_stream_osp_mapped_t *mapped)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_str_t                 path, to;
    ngx_rtmp_route_mapped_t   rule;

    ngx_memzero(mapped, sizeof(ngx_stream_osp_mapped_t));

    mapped->route = route;
    mapped->args = 1;

    if (!ngx_rtmp_route_maps(route)) {
        return NGX_OK;
    }

    mapped->path = name->path;

    if (ngx_stream_osp_path_canonical(route, pool, &name->app,
                                      &mapped->client)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mapped->app = mapped->client;

    p = ngx_pnalloc(pool, name->path.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path.data = p;
    path.len = name->path.len + 1;

    *p++ = '/';
    ngx_memcpy(p, name->path.data, name->path.len);

    rc = ngx_rtmp_route_map(route, pool, &path, &rule);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_DECLINED;
    }

    mapped->args = rule.args;
    query->servers = rule.servers;

    if (rule.stream.len) {

        /* whatever it looks like, it is no digest */

        name->path = rule.stream;
        name->hashed = 0;
        name->bare = 0;
    }

    if (rule.to.len == 0) {
        return ngx_stream_osp_path_divide(pool, text, NULL, mapped);
    }

    if (ngx_stream_osp_path_canonical(route, pool, &rule.to, &to) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_stream_osp_path_divide(pool, text, &to, mapped);
}


/* an app, or what servers are asked for; it may be empty then */

static ngx_int_t
ngx_stream_osp_path_canonical(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *path)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_str_t               whole;
    ngx_rtmp_route_name_t   name;

    p = ngx_pnalloc(pool, text->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    whole.data = p;
    whole.len = text->len + 1;

    *p++ = '/';
    ngx_memcpy(p, text->data, text->len);

    rc = ngx_rtmp_route_name_text(pool, &whole, ngx_rtmp_route_key_form(route),
                                  &name);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        *path = name.path;

    } else {
        ngx_str_set(path, "");
    }

    return NGX_OK;
}


/* to may be NULL: the same; NGX_DECLINED: there is no app, or no stream */

static ngx_int_t
ngx_stream_osp_path_divide(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *to,
    ngx_stream_osp_mapped_t *mapped)
{
    ngx_int_t    rc;
    ngx_str_t    stream, client, *path;
    ngx_uint_t   parts;

    path = NULL;

    if (to) {
        parts = ngx_osp_rtmp_rename_parts(&mapped->path)
                - ngx_osp_rtmp_rename_parts(&mapped->client);

        if (ngx_osp_rtmp_rename_split(to, parts, &mapped->app, &stream)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_INFO, pool->log, 0,
                          "a path for servers has no app or no stream");
            return NGX_DECLINED;
        }

        mapped->to = *to;

        /* the app and a slash are in front of it */

        client = mapped->path;

        if (parts == 0) {
            client.len = 0;

        } else if (mapped->client.len) {
            client.data += mapped->client.len + 1;
            client.len -= mapped->client.len + 1;
        }

        if (!ngx_stream_osp_path_same(&stream, &client)) {
            path = &stream;
        }
    }

    rc = ngx_osp_rtmp_rename_text(pool, text, path, mapped->args,
                                  &mapped->stream);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_stream_osp_path_setup(ngx_stream_osp_session_t *os,
    ngx_stream_osp_mapped_t *mapped)
{
    ngx_int_t                   rc;
    ngx_array_t                *servers;
    ngx_stream_osp_setup_t     *setup;
    ngx_osp_rtmp_rename_t       rn;
    ngx_stream_osp_path_ctx_t   ctx;

    setup = os->setup;

    if (ngx_stream_osp_path_create(os, &mapped->app) != NGX_OK) {
        return NGX_ERROR;
    }

    os->path->route = mapped->route;

    servers = setup->query.servers;

    os->path->hash = ngx_crc32_long(mapped->to.data, mapped->to.len)
                     ^ ngx_crc32_short((u_char *) &servers, sizeof(servers));

    ngx_memzero(&rn, sizeof(ngx_osp_rtmp_rename_t));

    if (ngx_stream_osp_path_connect(os, mapped, &rn) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rn.app.data == NULL
        && rn.tc_url.data == NULL
        && mapped->stream.data == NULL)
    {
        return NGX_OK;
    }

    ngx_memzero(&ctx, sizeof(ngx_stream_osp_path_ctx_t));

    ctx.route = mapped->route;
    ctx.pool = os->pool;
    ctx.app = setup->app;
    ctx.tc_url = setup->tc_url;
    ctx.to = &os->path->app;

    rn.stream = ngx_stream_osp_path_name;
    rn.data = &ctx;

    rc = ngx_stream_osp_path_raw(os, &rn);

    if (rc == NGX_OK) {
        os->path->renamed = 1;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED && !ctx.failed) {

        ngx_log_error(NGX_LOG_INFO, os->session->connection->log, 0,
                      "client sent what can't be renamed: %s", rn.error);

        return rn.full ? NGX_DECLINED : NGX_ABORT;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_stream_osp_path_create(ngx_stream_osp_session_t *os, ngx_str_t *app)
{
    ngx_pool_t             *pool;
    ngx_stream_osp_path_t  *path;

    pool = os->session->connection->pool;

    path = ngx_pcalloc(pool, sizeof(ngx_stream_osp_path_t));
    if (path == NULL) {
        return NGX_ERROR;
    }

    if (ngx_stream_osp_name_copy(pool, &path->app, app, app->len) != NGX_OK) {
        return NGX_ERROR;
    }

    path->event.handler = ngx_stream_osp_path_handler;
    path->event.data = os;
    path->event.log = os->session->connection->log;

    os->path = path;

    return NGX_OK;
}


/*
 * What app and tcUrl are to be.  One that has no path gets none, unless both
 * are so; a tcUrl that names the stream, too, gets all of it.
 */

static ngx_int_t
ngx_stream_osp_path_connect(ngx_stream_osp_session_t *os,
    ngx_stream_osp_mapped_t *mapped, ngx_osp_rtmp_rename_t *rn)
{
    ngx_str_t                path, *app, *url, text;
    ngx_uint_t               in_app, in_url;
    ngx_stream_osp_setup_t  *setup;
    ngx_rtmp_route_name_t    name;

    setup = os->setup;

    app = NULL;
    url = NULL;

    if (mapped->to.len) {
        in_app = ngx_osp_rtmp_rename_has_path(&setup->app, 0);
        in_url = ngx_osp_rtmp_rename_has_path(&setup->tc_url, 1);

        if (!ngx_stream_osp_path_same(&mapped->app, &mapped->client)) {

            if (in_app || !in_url) {
                app = &mapped->app;
            }

            if (in_url || !in_app) {
                url = &mapped->app;
            }
        }

        text = setup->tc_url;

        for (text.len = 0; text.len < setup->tc_url.len; text.len++) {
            if (text.data[text.len] == '?') {
                break;
            }
        }

        if (in_url
            && ngx_rtmp_route_name_text(os->pool, &text,
                                        ngx_rtmp_route_key_form(mapped->route),
                                        &name)
               == NGX_OK
            && ngx_stream_osp_path_same(&name.path, &mapped->path)
            && !ngx_stream_osp_path_same(&name.path, &mapped->client))
        {
            path = mapped->to;
            url = &path;
        }
    }

    if (ngx_osp_rtmp_rename_text(os->pool, &setup->app, app, mapped->args,
                                 &rn->app)
        == NGX_ERROR
        || ngx_osp_rtmp_rename_url(os->pool, &setup->tc_url, url,
                                   mapped->args, &rn->tc_url)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Up to publish or play commands get new names, what follows is as it was.
 * Offsets are those of the new bytes then.  NGX_OK, NGX_DECLINED, NGX_ERROR.
 */

static ngx_int_t
ngx_stream_osp_path_raw(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_rename_t *rn)
{
    size_t                   len, rest;
    u_char                  *work, *out, *end, *p;
    ngx_int_t                rc;
    ngx_log_t               *log;
    ngx_stream_osp_buf_t    *b;
    ngx_stream_osp_setup_t  *setup;

    log = os->session->connection->log;
    setup = os->setup;
    b = &setup->raw;

    /* needed for ids that differ, too, and made new for that */

    if (setup->up.reader == NULL) {

        setup->up.reader = ngx_osp_rtmp_reader_create(os->pool);
        if (setup->up.reader == NULL) {
            return NGX_ERROR;
        }
    }

    work = ngx_alloc(NGX_STREAM_OSP_PATH_WORK + NGX_STREAM_OSP_RAW_MAX, log);
    if (work == NULL) {
        return NGX_ERROR;
    }

    out = work + NGX_STREAM_OSP_PATH_WORK;
    end = out + NGX_STREAM_OSP_RAW_MAX;

    ngx_osp_rtmp_reader_reset(setup->up.reader);
    ngx_osp_rtmp_rename_init(rn, setup->up.reader, work);

    out = ngx_cpymem(out, b->start, NGX_STREAM_OSP_PATH_RAW);

    rc = ngx_stream_osp_path_commands(os, rn, &out, end);

    if (rc != NGX_OK) {
        ngx_free(work);
        return rc;
    }

    len = out - (work + NGX_STREAM_OSP_PATH_WORK);
    rest = b->last - b->pos;

    p = ngx_alloc(len + rest, log);
    if (p == NULL) {
        ngx_free(work);
        return NGX_ERROR;
    }

    ngx_memcpy(p, work + NGX_STREAM_OSP_PATH_WORK, len);

    if (rest) {
        ngx_memcpy(p + len, b->pos, rest);
    }

    ngx_free(work);
    ngx_free(b->start);

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, log, 0,
                   "osp set-up has other names: %uz, then %uz", len, rest);

    b->start = p;
    b->pos = p + len;
    b->last = b->pos + rest;
    b->end = b->last;

    setup->stream_end = len;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_osp_path_commands(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_rename_t *rn, u_char **out, u_char *end)
{
    size_t                   offset;
    u_char                  *pos, *last, *start;
    ngx_int_t                rc;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    start = end - NGX_STREAM_OSP_RAW_MAX;
    pos = setup->raw.start + NGX_STREAM_OSP_PATH_RAW;
    last = setup->raw.start + setup->stream_end;

    for ( ;; ) {
        rc = ngx_osp_rtmp_rename(rn, &pos, last, out, end);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }

        offset = *out - start;

        if (rn->name == NGX_OSP_RTMP_CONNECT) {
            setup->connect_end = offset;

        } else if (rn->name == NGX_OSP_RTMP_CREATE_STREAM) {
            setup->create_end = offset;
        }
    }
}


/* a stream in a command; one that belongs to another app stays as it is */

static ngx_int_t
ngx_stream_osp_path_name(void *data, ngx_str_t *text, ngx_str_t *to)
{
    ngx_stream_osp_path_ctx_t *ctx = data;

    ngx_int_t                rc;
    ngx_rtmp_route_name_t    name;
    ngx_rtmp_route_query_t   query;
    ngx_stream_osp_mapped_t  mapped;

    rc = ngx_rtmp_route_name_rtmp(ctx->pool, &ctx->tc_url, &ctx->app, text,
                                  &name);

    if (rc == NGX_OK) {
        rc = ngx_stream_osp_path_map(ctx->route, ctx->pool, text, &name,
                                     &query, &mapped);
    }

    if (rc != NGX_OK) {
        ctx->failed = (rc == NGX_ERROR);
        return rc;
    }

    if (mapped.stream.data == NULL
        || !ngx_stream_osp_path_same(&mapped.app, ctx->to))
    {
        return NGX_DECLINED;
    }

    ctx->changed = 1;
    *to = mapped.stream;

    return NGX_OK;
}


static ngx_uint_t
ngx_stream_osp_path_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


ngx_int_t
ngx_stream_osp_path_stream(ngx_stream_osp_session_t *os,
    ngx_stream_osp_mapped_t *mapped)
{
    if (!ngx_rtmp_route_maps(mapped->route)) {

        if (os->path == NULL) {
            return NGX_OK;
        }

        /* of another route: servers are asked for what the client has said */

        if (os->path->renamed) {
            return NGX_ABORT;
        }

        os->path->route = mapped->route;

        return NGX_OK;
    }

    if (os->path == NULL
        && ngx_stream_osp_path_create(os, &mapped->client) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_stream_osp_path_same(&mapped->app, &os->path->app)) {
        return NGX_ABORT;
    }

    os->path->route = mapped->route;

    return NGX_OK;
}


ngx_uint_t
ngx_stream_osp_path_rest(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_path_t  *path;

    path = os->path;

    if (path == NULL || path->commands++ < NGX_STREAM_OSP_PATH_TURN) {
        return 0;
    }

    path->commands = 0;

    ngx_post_event(&path->event, &ngx_posted_next_events);

    return 1;
}


static void
ngx_stream_osp_path_handler(ngx_event_t *ev)
{
    ngx_stream_osp_relay_waited(ev->data);
}


ngx_uint_t
ngx_stream_osp_path_rests(ngx_stream_osp_session_t *os)
{
    return os->path && os->path->event.posted;
}


ngx_int_t
ngx_stream_osp_path_command(ngx_stream_osp_session_t *os,
    ngx_osp_rtmp_command_t *cmd, ngx_osp_rtmp_reader_t *reader, u_char *pos,
    u_char *last)
{
    size_t                       size, room;
    u_char                      *work, *buf, *p;
    ngx_int_t                    rc;
    ngx_log_t                   *log;
    ngx_stream_osp_scan_t       *scan;
    ngx_stream_osp_path_t       *path;
    ngx_osp_rtmp_reader_t       *copy;
    ngx_osp_rtmp_rename_t        rn;
    ngx_stream_osp_path_ctx_t    ctx;

    log = os->session->connection->log;
    scan = os->scan;
    path = os->path;

    /* once a command had another length, headers may not rely on it */

    if (!path->renamed
        && cmd->stream.len == 0
        && cmd->name != NGX_OSP_RTMP_PLAY2)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&rn, sizeof(ngx_osp_rtmp_rename_t));
    ngx_memzero(&ctx, sizeof(ngx_stream_osp_path_ctx_t));

    /* chunk streams may begin in between */

    size = ngx_osp_rtmp_reader_size(NGX_OSP_RTMP_MAX_STREAMS);
    room = last - pos + NGX_STREAM_OSP_PATH_ROOM;

    work = ngx_alloc(NGX_STREAM_OSP_PATH_WORK + size, log);
    if (work == NULL) {
        return NGX_ERROR;
    }

    buf = ngx_alloc(room, log);
    if (buf == NULL) {
        ngx_free(work);
        return NGX_ERROR;
    }

    ctx.pool = ngx_create_pool(1024, log);
    if (ctx.pool == NULL) {
        ngx_free(buf);
        ngx_free(work);
        return NGX_ERROR;
    }

    ctx.route = path->route;
    ctx.app.len = scan->app_len;
    ctx.app.data = (u_char *) scan + sizeof(ngx_stream_osp_scan_t);
    ctx.tc_url.len = scan->tc_url_len;
    ctx.tc_url.data = ctx.app.data + ctx.app.len;
    ctx.to = &path->app;

    rn.stream = ngx_stream_osp_path_name;
    rn.data = &ctx;

    copy = (ngx_osp_rtmp_reader_t *) work;
    ngx_osp_rtmp_reader_copy(copy, NGX_OSP_RTMP_MAX_STREAMS, reader);

    ngx_osp_rtmp_rename_init(&rn, copy, work + size);

    p = buf;

    rc = ngx_osp_rtmp_rename(&rn, &pos, last, &p, buf + room);

    ngx_destroy_pool(ctx.pool);
    ngx_free(work);

    if (rc == NGX_OK && (ctx.changed || path->renamed)) {
        path->renamed = 1;
        path->instead = buf;
        path->last = p;

        return NGX_OK;
    }

    ngx_free(buf);

    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    return ctx.failed ? NGX_ERROR : NGX_ABORT;
}


u_char *
ngx_stream_osp_path_instead(ngx_stream_osp_session_t *os, u_char **pos,
    u_char **last)
{
    u_char                 *buf;
    ngx_stream_osp_path_t  *path;

    path = os->path;

    if (path == NULL || path->instead == NULL) {
        return NULL;
    }

    buf = path->instead;
    path->instead = NULL;

    *pos = buf;
    *last = path->last;

    return buf;
}


uint32_t
ngx_stream_osp_path_hash(ngx_stream_osp_session_t *os)
{
    return os->path ? os->path->hash : 0;
}


void
ngx_stream_osp_path_free(ngx_stream_osp_session_t *os)
{
    if (ngx_stream_osp_path_rests(os)) {
        ngx_delete_posted_event(&os->path->event);
    }
}
