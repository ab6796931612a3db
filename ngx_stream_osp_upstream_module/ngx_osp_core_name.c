
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_core.h"


static ngx_uint_t ngx_osp_core_is_channel(ngx_str_t *channel);
static ngx_uint_t ngx_osp_core_is_app(ngx_str_t *app);


/* under which the same channel is asked for */

static ngx_str_t  ngx_osp_core_apps[] = {
    ngx_string("live"),
    ngx_string("live-adapt"),
    ngx_string("keys"),
    ngx_string("keys-adapt"),
    ngx_string("edge"),
    ngx_string("edge-adapt"),
    ngx_null_string
};


ngx_int_t
ngx_osp_core_key(ngx_rtmp_route_control_t *control, ngx_pool_t *pool,
    ngx_rtmp_route_name_t *name, ngx_uint_t op, ngx_str_t *key)
{
    u_char          *p;
    ngx_str_t        app, channel;
    ngx_uint_t       form;
    ngx_osp_core_t  *core;

    core = control->data;
    form = ngx_rtmp_route_key_form(core->route);

    if (name->hashed) {
        return ngx_rtmp_route_key(pool, name, form, 1, key);
    }

    ngx_str_null(&app);
    channel = name->path;

    if (!name->bare) {
        p = ngx_strlchr(channel.data, channel.data + channel.len, '/');

        if (p == NULL) {
            return NGX_DECLINED;
        }

        app.data = channel.data;
        app.len = p - channel.data;

        p++;
        channel.len -= p - channel.data;
        channel.data = p;

        /* what is published there says nothing of channels */

        if (app.len == core->publish_app.len
            && ngx_memcmp(app.data, core->publish_app.data, app.len) == 0)
        {
            return (op == NGX_RTMP_ROUTE_NAMED)
                   ? ngx_rtmp_route_key(pool, name, form, 1, key)
                   : NGX_DECLINED;
        }

        if (!ngx_osp_core_is_app(&app)) {
            return ngx_rtmp_route_key(pool, name, form, 0, key);
        }
    }

    p = ngx_pnalloc(pool, NGX_OSP_CORE_CHANNEL_LEN + 8);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_osp_core_channel_key(core, &channel, p, key);
}


ngx_int_t
ngx_osp_core_edge_uri(ngx_rtmp_route_control_t *control, ngx_pool_t *pool,
    ngx_str_t *uri)
{
    u_char  *p;
    size_t   len;

    /* "/live/..." and "/live-adapt/..." */

    len = sizeof("/live") - 1;

    if (uri->len <= len || ngx_memcmp(uri->data, "/live", len) != 0
        || (uri->data[len] != '/'
            && (uri->len <= len + 6
                || ngx_memcmp(uri->data + len, "-adapt/", 7) != 0)))
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, uri->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* of the same length */

    ngx_memcpy(p, "/edge", len);
    ngx_memcpy(p + len, uri->data + len, uri->len - len);

    uri->data = p;

    return NGX_OK;
}


ngx_int_t
ngx_osp_core_channel_key(ngx_osp_core_t *core, ngx_str_t *channel,
    u_char *buf, ngx_str_t *key)
{
    u_char  *p;

    if (!ngx_osp_core_is_channel(channel)) {
        return NGX_DECLINED;
    }

    p = buf;

    if (ngx_rtmp_route_key_form(core->route) != NGX_RTMP_ROUTE_KEY_STREAM) {
        p = ngx_cpymem(p, "live/", sizeof("live/") - 1);
    }

    p = ngx_cpymem(p, channel->data, channel->len);

    key->data = buf;
    key->len = p - buf;

    return NGX_OK;
}


ngx_int_t
ngx_osp_core_channel(ngx_osp_core_t *core, ngx_str_t *key, ngx_str_t *channel)
{
    size_t  len;

    *channel = *key;

    if (ngx_rtmp_route_key_form(core->route) != NGX_RTMP_ROUTE_KEY_STREAM) {

        len = sizeof("live/") - 1;

        if (key->len <= len || ngx_memcmp(key->data, "live/", len) != 0) {
            return NGX_DECLINED;
        }

        channel->data += len;
        channel->len -= len;
    }

    return ngx_osp_core_is_channel(channel) ? NGX_OK : NGX_DECLINED;
}


/* the core makes them of letters, digits and "-"; sent as a header's value */

static ngx_uint_t
ngx_osp_core_is_channel(ngx_str_t *channel)
{
    u_char      c;
    ngx_uint_t  i;

    if (channel->len == 0 || channel->len > NGX_OSP_CORE_CHANNEL_LEN
        || channel->data[0] == '#')
    {
        return 0;
    }

    for (i = 0; i < channel->len; i++) {
        c = channel->data[i];

        if (c <= 0x20 || c >= 0x7f || c == '/') {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_osp_core_is_app(ngx_str_t *app)
{
    ngx_str_t  *a;

    for (a = ngx_osp_core_apps; a->len; a++) {

        if (a->len == app->len && ngx_memcmp(a->data, app->data, a->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
