
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_edit_int.h"
#include "ngx_hls_uri.h"


static ngx_int_t ngx_hls_edit_session(ngx_hls_edit_t *edit,
    ngx_uint_t session, ngx_str_t *args, ngx_str_t *result);


ngx_int_t
ngx_hls_edit_map(ngx_hls_edit_t *edit, ngx_str_t *uri, ngx_uint_t session,
    ngx_str_t *mapped)
{
    u_char         *p;
    size_t          prefix;
    ngx_int_t       rc;
    ngx_str_t       rest, args;
    ngx_uint_t      bare;
    ngx_hls_ref_t   ref;

    *mapped = *uri;

    rc = ngx_hls_uri_split(edit->pool, uri, &ref, &prefix, &rest);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ref.absolute) {

        if (edit->own == NULL || !edit->own(edit->data, &ref.host, ref.port)) {
            return NGX_DECLINED;
        }

        /* two slashes would name a host */

        while (ref.path.len > 1 && ref.path.data[1] == '/') {
            ref.path.data++;
            ref.path.len--;
        }
    }

    if (ngx_hls_edit_session(edit, session, &ref.args, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    bare = (args.data == ref.args.data && args.len == ref.args.len);

    if (bare && !ref.absolute) {
        return NGX_OK;
    }

    p = ngx_pnalloc(edit->pool, 1 + ref.path.len + 1 + args.len + rest.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    mapped->data = p;

    if (ref.absolute && ref.path.len == 0) {
        *p++ = '/';
    }

    p = ngx_cpymem(p, ref.path.data, ref.path.len);

    if (!bare) {

        if (args.len) {
            *p++ = '?';
            p = ngx_cpymem(p, args.data, args.len);
        }

        rest.len -= 1 + ref.args.len;
        rest.data += 1 + ref.args.len;
    }

    p = ngx_cpymem(p, rest.data, rest.len);

    mapped->len = p - mapped->data;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_edit_session(ngx_hls_edit_t *edit, ngx_uint_t session,
    ngx_str_t *args, ngx_str_t *result)
{
    u_char      *p;
    ngx_str_t    rest, name, value, whole, *names;
    ngx_uint_t   i, n, found;

    *result = *args;

    if (session == NGX_HLS_SESSION_KEEP
        || edit->session_args == NULL
        || args->len == 0)
    {
        return NGX_OK;
    }

    if (session == NGX_HLS_SESSION_REMOVE) {
        return ngx_hls_args_remove(edit->pool, args, edit->session_args,
                                   result);
    }

    names = edit->session_args->elts;
    rest = *args;
    n = 0;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {
        n++;
    }

    p = ngx_pnalloc(edit->pool,
                    args->len + n * (edit->session_value.len + 2));
    if (p == NULL) {
        return NGX_ERROR;
    }

    result->data = p;
    rest = *args;
    found = 0;

    while (ngx_hls_args_next(&rest, &name, &value, &whole) == NGX_OK) {

        if (p > result->data) {
            *p++ = '&';
        }

        for (i = 0; i < edit->session_args->nelts; i++) {

            if (names[i].len == name.len
                && ngx_memcmp(names[i].data, name.data, name.len) == 0)
            {
                break;
            }
        }

        if (i == edit->session_args->nelts) {
            p = ngx_cpymem(p, whole.data, whole.len);
            continue;
        }

        found = 1;

        p = ngx_cpymem(p, name.data, name.len);
        *p++ = '=';
        p = ngx_cpymem(p, edit->session_value.data, edit->session_value.len);
    }

    result->len = p - result->data;

    if (!found) {
        *result = *args;
    }

    return NGX_OK;
}
