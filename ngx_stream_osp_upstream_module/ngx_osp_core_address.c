
/*
 * Copyright (C) The nginx-osp authors
 */


/* Addresses as somebody has typed them into the core. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_core.h"


#define NGX_OSP_CORE_NAME_LEN  253


static ngx_int_t ngx_osp_core_address_parse(ngx_str_t *text, u_char *buf,
    ngx_str_t *name);
static ngx_uint_t ngx_osp_core_address_local(ngx_str_t *name);


ngx_int_t
ngx_osp_core_address(ngx_osp_core_t *core, ngx_str_t *text, u_char *buf,
    ngx_str_t *name)
{
    ngx_osp_core_shared_t  *shared;

    if (ngx_osp_core_address_parse(text, buf, name) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!ngx_osp_core_address_local(name)) {
        return NGX_OK;
    }

    shared = core->shared;

    ngx_shmtx_lock(&core->shpool->mutex);

    name->len = ngx_min(shared->site_len, NGX_OSP_CORE_NAME_LEN);
    ngx_memcpy(buf, shared->site, name->len);

    ngx_shmtx_unlock(&core->shpool->mutex);

    if (name->len) {
        return NGX_OK;
    }

    /* who asks a core on this host has servers there, too */

    if (!ngx_osp_core_address_local(&core->client->host)) {
        return NGX_AGAIN;
    }

    name->len = ngx_cpymem(buf, "127.0.0.1", sizeof("127.0.0.1") - 1) - buf;

    return NGX_OK;
}


void
ngx_osp_core_address_site(ngx_osp_core_t *core, ngx_str_t *text)
{
    u_char                  buf[NGX_RTMP_ROUTE_HOST_LEN];
    ngx_str_t               name;
    ngx_osp_core_shared_t  *shared;

    if (ngx_osp_core_address_parse(text, buf, &name) != NGX_OK
        || ngx_osp_core_address_local(&name))
    {
        name.len = 0;
    }

    shared = core->shared;

    ngx_shmtx_lock(&core->shpool->mutex);

    if (shared->site_len != name.len
        || ngx_memcmp(shared->site, buf, name.len) != 0)
    {
        shared->site_len = 0;

        ngx_memory_barrier();

        ngx_memcpy(shared->site, buf, name.len);

        ngx_memory_barrier();

        shared->site_len = (uint32_t) name.len;
    }

    ngx_shmtx_unlock(&core->shpool->mutex);
}


/* a name or an address, perhaps with scheme, port and path */

static ngx_int_t
ngx_osp_core_address_parse(ngx_str_t *text, u_char *buf, ngx_str_t *name)
{
    u_char      *p, *last, *end;
    ngx_uint_t   i, colons;
#if (NGX_HAVE_INET6)
    u_char       inet6[16];
#endif

    p = text->data;
    last = p + text->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == CR || *p == LF)) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t'
                        || last[-1] == CR || last[-1] == LF))
    {
        last--;
    }

    for (end = p; end + 3 <= last; end++) {
        if (ngx_strncmp(end, "://", 3) == 0) {
            p = end + 3;
            break;
        }
    }

    colons = 0;

    for (end = p; end < last && *end != '/'; end++) {
        colons += (*end == ':');
    }

    last = end;

    if (p < last && *p == '[') {
        end = ngx_strlchr(p, last, ']');

        if (end == NULL || (end + 1 < last && end[1] != ':')) {
            return NGX_DECLINED;
        }

        p++;
        colons = 2;

    } else if (colons == 1) {
        end = ngx_strlchr(p, last, ':');

    } else {
        end = last;
    }

    if (end < last && colons == 1
        && (end + 1 == last || ngx_atoi(end + 1, last - end - 1) == NGX_ERROR))
    {
        return NGX_DECLINED;
    }

    if (p == end || end - p > NGX_OSP_CORE_NAME_LEN) {
        return NGX_DECLINED;
    }

    name->data = buf;
    name->len = end - p;

    ngx_strlow(buf, p, name->len);

    if (colons > 1) {

#if (NGX_HAVE_INET6)
        if (ngx_inet6_addr(buf, name->len, inet6) == NGX_OK) {
            return NGX_OK;
        }
#endif

        return NGX_DECLINED;
    }

    for (i = 0; i < name->len; i++) {

        if ((buf[i] < 'a' || buf[i] > 'z')
            && (buf[i] < '0' || buf[i] > '9')
            && buf[i] != '-' && buf[i] != '.' && buf[i] != '_')
        {
            return NGX_DECLINED;
        }
    }

    if (buf[0] == '.' || buf[0] == '-') {
        return NGX_DECLINED;
    }

    /* the dot of the root says nothing */

    if (buf[name->len - 1] == '.') {
        name->len--;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_osp_core_address_local(ngx_str_t *name)
{
    ngx_str_t  *local;

    static ngx_str_t  names[] = {
        ngx_string("localhost"),
        ngx_string("127.0.0.1"),
        ngx_string("::1"),
        ngx_null_string
    };

    for (local = names; local->len; local++) {

        if (local->len == name->len
            && ngx_strncasecmp(local->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
