
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route.h"
#include "ngx_http_hls_cache.h"


/* moments are compared in 32 bits, ms */
#define NGX_HTTP_HLS_VALID_MAX  1728000000


static ngx_int_t ngx_http_hls_check_location(ngx_conf_t *cf, void **loc_conf);
static ngx_int_t ngx_http_hls_check_route(ngx_http_hls_loc_conf_t *hlcf);
static void *ngx_http_hls_check_option(ngx_conf_t *cf, void **loc_conf,
    const char *module, const char *directive);


static ngx_str_t  ngx_http_hls_session_names[] = {
    ngx_string("hls_ctx"),
    ngx_string("session")
};


ngx_array_t  ngx_http_hls_default_session = {
    ngx_http_hls_session_names, 2, sizeof(ngx_str_t), 2, NULL
};


static ngx_str_t  ngx_http_hls_no_names[] = {
    ngx_null_string
};


static ngx_array_t  ngx_http_hls_no_args = {
    ngx_http_hls_no_names, 0, sizeof(ngx_str_t), 1, NULL
};


char *
ngx_http_hls_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t *hlcf = conf;

    ngx_str_t  *value;

    if (hlcf->zone != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        hlcf->zone = NULL;
        return NGX_CONF_OK;
    }

    hlcf->zone = ngx_http_hls_zone_get(cf, &value[1]);
    if (hlcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    hlcf->own = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_hls_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t *hlcf = conf;

    ngx_int_t              valid, status;
    ngx_str_t             *value;
    ngx_uint_t             i, n;
    ngx_http_hls_valid_t  *v;

    if (hlcf->valid == NGX_CONF_UNSET_PTR) {
        hlcf->valid = ngx_array_create(cf->pool, 2,
                                       sizeof(ngx_http_hls_valid_t));
        if (hlcf->valid == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    valid = ngx_parse_time(&value[n], 0);

    if (valid == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time value \"%V\"", &value[n]);
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < n || n == 1; i++) {

        if (n == 1) {
            status = NGX_HTTP_OK;

        } else if (ngx_strcmp(value[i].data, "any") == 0) {
            status = NGX_HTTP_HLS_VALID_ANY;

        } else if (ngx_strcmp(value[i].data, "playlist") == 0) {
            status = NGX_HTTP_HLS_VALID_PLAYLIST;

        } else if (ngx_strcmp(value[i].data, "segment") == 0) {
            status = NGX_HTTP_HLS_VALID_SEGMENT;

        } else if (ngx_strcmp(value[i].data, "key") == 0) {
            status = NGX_HTTP_HLS_VALID_KEY;

        } else {
            status = ngx_atoi(value[i].data, value[i].len);

            if (status < 100 || status > 599) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid status \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        v = ngx_array_push(hlcf->valid);
        if (v == NULL) {
            return NGX_CONF_ERROR;
        }

        v->status = status;
        v->valid = ngx_min(valid, NGX_HTTP_HLS_VALID_MAX);

        if (n == 1) {
            break;
        }
    }

    return NGX_CONF_OK;
}


/* a list of names, or "off" alone */

char *
ngx_http_hls_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t     *value, *name;
    ngx_uint_t     i;
    ngx_array_t  **a;

    a = (ngx_array_t **) (p + cmd->offset);

    if (*a != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        *a = &ngx_http_hls_no_args;
        return NGX_CONF_OK;
    }

    *a = ngx_array_create(cf->pool, cf->args->nelts - 1, sizeof(ngx_str_t));
    if (*a == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0
            || ngx_strcmp(value[i].data, "off") == 0
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '=')
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '&'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid name \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_strncmp(value[i].data, "_HLS_", 5) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is of Low-Latency HLS, it cannot be "
                               "in \"%V\"", &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(*a);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_hls_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t *hlcf = conf;

    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (hlcf->pass_header == NGX_CONF_UNSET_PTR) {
        hlcf->pass_header = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
        if (hlcf->pass_header == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        name = ngx_array_push(hlcf->pass_header);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];

        ngx_strlow(name->data, name->data, name->len);

        if (ngx_strcmp(name->data, "cookie") == 0) {
            hlcf->pass_cookie = 1;

        } else if (ngx_strcmp(name->data, "authorization") == 0) {
            hlcf->pass_authorization = 1;

        } else if (name->len == 0
                   || ngx_strcmp(name->data, "range") == 0
                   || ngx_strncmp(name->data, "if-", 3) == 0
                   || ngx_strcmp(name->data, "accept-encoding") == 0
                   || ngx_strcmp(name->data, "host") == 0
                   || ngx_strcmp(name->data, "connection") == 0
                   || ngx_strcmp(name->data, "transfer-encoding") == 0
                   || ngx_strcmp(name->data, "content-length") == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "header \"%V\" cannot be passed", name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_hls_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t *hlcf = conf;

    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (hlcf->cors != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        hlcf->cors = NULL;
        return NGX_CONF_OK;
    }

    hlcf->cors = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(ngx_str_t));
    if (hlcf->cors == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 1 && value[i].data[0] == '*') {
            hlcf->cors_any = 1;
            continue;
        }

        /* as the header Origin has it: nothing behind the port */

        origin = &value[i];

        if (ngx_strcmp(origin->data, "null") != 0
            && (ngx_strstr(origin->data, "://") == NULL
                || ngx_strlchr((u_char *) ngx_strstr(origin->data, "://") + 3,
                               origin->data + origin->len, '/')))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\", it should be like "
                               "\"https://example.com\"", origin);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(hlcf->cors);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_hls_endlist(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t *hlcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (hlcf->endlist != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        hlcf->endlist = 0;
        return NGX_CONF_OK;
    }

    hlcf->endlist = ngx_parse_time(&value[1], 0);

    if (hlcf->endlist == (ngx_msec_t) NGX_ERROR || hlcf->endlist == 0) {
        return "invalid value";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_hls_prefetch(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t *hlcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (hlcf->prefetch != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        n = 0;

    } else if (ngx_strcmp(value[1].data, "on") == 0) {
        n = 1;

    } else {
        n = ngx_atoi(value[1].data, value[1].len);
    }

    if (n == NGX_ERROR || n > 16) {
        return "invalid value, it should be \"on\", \"off\", or a number "
               "up to 16";
    }

    hlcf->prefetch = n;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_hls_check(ngx_conf_t *cf)
{
    void                      ***loc_conf;
    ngx_uint_t                   i;
    ngx_http_hls_main_conf_t    *hmcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hls_cache_module);

    loc_conf = hmcf->checks.elts;

    for (i = 0; i < hmcf->checks.nelts; i++) {

        if (ngx_http_hls_check_location(cf, loc_conf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check_location(ngx_conf_t *cf, void **loc_conf)
{
    size_t                          *slice;
    void                           **try_files;
    ngx_http_hls_loc_conf_t         *hlcf;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_rtmp_route_loc_conf_t  *rlcf;

    hlcf = loc_conf[ngx_http_hls_cache_module.ctx_index];
    clcf = loc_conf[ngx_http_core_module.ctx_index];
    rlcf = loc_conf[ngx_http_rtmp_route_module.ctx_index];

    hlcf->route = rlcf->route;
    rlcf->suffixes = hlcf->variants;

    if (ngx_http_hls_auth_check(cf, loc_conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (hlcf->zone == NULL) {
        return NGX_OK;
    }

    /* parts of an object under its own key would be taken for all of it */

    slice = ngx_http_hls_check_option(cf, loc_conf,
                                      "ngx_http_slice_filter_module", "slice");

    if (slice && *slice != 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"hls_cache\" cannot be used together with \"slice\" "
                      "in location \"%V\"", &clcf->name);
        return NGX_ERROR;
    }

    if (hlcf->route && ngx_http_hls_check_route(hlcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* whatever is cached has to come from somewhere */

    if (!hlcf->own || rlcf->route == NULL || clcf->handler
        || clcf->name.len == 0)
    {
        return NGX_OK;
    }

    try_files = ngx_http_hls_check_option(cf, loc_conf,
                                          "ngx_http_try_files_module",
                                          "try_files");

    if ((try_files && *try_files) || clcf->alias
        || clcf->locations || clcf->static_locations
#if (NGX_PCRE)
        || clcf->regex_locations
#endif
        )
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"hls_cache\" and \"rtmp_route\" have no \"proxy_pass\" "
                  "beside them in location \"%V\"", &clcf->name);

    return NGX_ERROR;
}


/* viewers of its streams are counted in that zone */

static ngx_int_t
ngx_http_hls_check_route(ngx_http_hls_loc_conf_t *hlcf)
{
    ngx_uint_t          i;
    ngx_array_t        *routes;
    ngx_rtmp_route_t  **route;

    routes = &hlcf->zone->routes;
    route = routes->elts;

    for (i = 0; i < routes->nelts; i++) {

        if (route[i] == hlcf->route) {
            return NGX_OK;
        }
    }

    route = ngx_array_push(routes);
    if (route == NULL) {
        return NGX_ERROR;
    }

    *route = hlcf->route;

    return NGX_OK;
}


/* where the value of another module's directive is, NULL: no such module */

static void *
ngx_http_hls_check_option(ngx_conf_t *cf, void **loc_conf, const char *module,
    const char *directive)
{
    char           *conf;
    ngx_uint_t      i;
    ngx_module_t   *m;
    ngx_command_t  *cmd;

    for (i = 0; cf->cycle->modules[i]; i++) {

        m = cf->cycle->modules[i];

        if (m->type != NGX_HTTP_MODULE
            || ngx_strcmp(m->name, module) != 0
            || m->commands == NULL)
        {
            continue;
        }

        conf = loc_conf[m->ctx_index];

        if (conf == NULL) {
            return NULL;
        }

        for (cmd = m->commands; cmd->name.len; cmd++) {

            if (ngx_strcmp(cmd->name.data, directive) == 0
                && cmd->conf == NGX_HTTP_LOC_CONF_OFFSET)
            {
                return conf + cmd->offset;
            }
        }
    }

    return NULL;
}


ngx_msec_t
ngx_http_hls_valid_time(ngx_http_hls_loc_conf_t *conf, ngx_uint_t kind,
    ngx_uint_t status)
{
    ngx_msec_t             any, ok;
    ngx_uint_t             i, word;
    ngx_http_hls_valid_t  *v;

    if (conf->valid == NULL) {
        return 0;
    }

    switch (kind) {

    case NGX_HTTP_HLS_PLAYLIST:
    case NGX_HTTP_HLS_MANIFEST:
        word = NGX_HTTP_HLS_VALID_PLAYLIST;
        break;

    case NGX_HTTP_HLS_KEY:
        word = NGX_HTTP_HLS_VALID_KEY;
        break;

    default:
        word = NGX_HTTP_HLS_VALID_SEGMENT;
        break;
    }

    any = 0;
    ok = 0;

    v = conf->valid->elts;

    for (i = 0; i < conf->valid->nelts; i++) {

        if (v[i].status == word && status == NGX_HTTP_OK) {
            return v[i].valid;
        }

        if (v[i].status == NGX_HTTP_HLS_VALID_ANY) {
            any = v[i].valid;

        } else if (v[i].status == status) {
            ok = v[i].valid;
        }
    }

    return ok ? ok : any;
}
