
/*
 * Copyright (C) The nginx-osp authors
 */


/* "path" in rtmp_route NAME { }, and its use by a route. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_path.h"


#define NGX_RTMP_ROUTE_PATH_LOG_EACH  60    /* s, between lines in the log */


static ngx_uint_t ngx_rtmp_route_path_pattern(ngx_str_t *value,
    ngx_uint_t n, ngx_rtmp_route_path_t *rule);
static char *ngx_rtmp_route_path_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_rtmp_route_path_t *rule, ngx_uint_t *args);
static char *ngx_rtmp_route_path_servers(ngx_conf_t *cf, ngx_str_t *list,
    ngx_rtmp_route_path_t *rule);
static char *ngx_rtmp_route_path_others(ngx_conf_t *cf,
    ngx_rtmp_route_t *route, ngx_rtmp_route_path_t *rule);
static ngx_int_t ngx_rtmp_route_path_slashes(ngx_pool_t *pool,
    ngx_str_t *path, ngx_str_t *single);
static void ngx_rtmp_route_path_log(ngx_rtmp_route_t *route, ngx_log_t *log,
    ngx_uint_t index, ngx_int_t tries);


char *
ngx_rtmp_route_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    u_char                  buf[NGX_MAX_CONF_ERRSTR];
    ngx_int_t               rc;
    ngx_str_t              *value, err;
    ngx_uint_t              i, args;
    ngx_rtmp_route_path_t   rule, *new;

    value = cf->args->elts;

    ngx_memzero(&rule, sizeof(ngx_rtmp_route_path_t));
    rule.args = 1;

    args = 0;
    i = ngx_rtmp_route_path_pattern(value, cf->args->nelts, &rule);

    for ( /* void */ ; i < cf->args->nelts; i++) {

        if (ngx_rtmp_route_path_parameter(cf, &value[i], &rule, &args)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    err.data = buf;
    err.len = NGX_MAX_CONF_ERRSTR;

    rc = ngx_rtmp_route_path_compile(cf->pool, &rule, &err);

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &err);
        return NGX_CONF_ERROR;
    }

    if (rc != NGX_OK
        || ngx_rtmp_route_path_others(cf, route, &rule) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (route->paths == NULL) {
        route->paths = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_rtmp_route_path_t));
        if (route->paths == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    new = ngx_array_push(route->paths);
    if (new == NULL) {
        return NGX_CONF_ERROR;
    }

    *new = rule;

    return NGX_CONF_OK;
}


/* as of a location: the index of what follows */

static ngx_uint_t
ngx_rtmp_route_path_pattern(ngx_str_t *value, ngx_uint_t n,
    ngx_rtmp_route_path_t *rule)
{
    rule->kind = NGX_RTMP_ROUTE_PATH_PREFIX;
    rule->pattern = value[1];

    if (value[1].len == 0 || value[1].data[0] != '~') {
        return 2;
    }

    rule->kind = NGX_RTMP_ROUTE_PATH_REGEX;
    rule->pattern.data++;
    rule->pattern.len--;

    if (rule->pattern.len && rule->pattern.data[0] == '*') {
        rule->kind = NGX_RTMP_ROUTE_PATH_CASELESS;
        rule->pattern.data++;
        rule->pattern.len--;
    }

    if (rule->pattern.len || n == 2) {
        return 2;
    }

    rule->pattern = value[2];

    return 3;
}


static char *
ngx_rtmp_route_path_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_rtmp_route_path_t *rule, ngx_uint_t *args)
{
    ngx_str_t   text, *field;
    ngx_uint_t  n;

    static ngx_str_t  names[] = {
        ngx_string("stream="),
        ngx_string("to="),
        ngx_string("servers="),
        ngx_string("args="),
        ngx_null_string
    };

    for (n = 0; names[n].len; n++) {

        if (value->len >= names[n].len
            && ngx_strncmp(value->data, names[n].data, names[n].len) == 0)
        {
            break;
        }
    }

    if (names[n].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    text.data = value->data + names[n].len;
    text.len = value->len - names[n].len;

    if ((n == 0 && rule->stream.len) || (n == 1 && rule->to.len)
        || (n == 2 && rule->servers) || (n == 3 && *args))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    if (text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty parameter \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    if (n == 2) {
        return ngx_rtmp_route_path_servers(cf, &text, rule);
    }

    if (n == 3) {

        if (ngx_strcmp(text.data, "on") != 0
            && ngx_strcmp(text.data, "off") != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"args=on\" or \"args=off\"", value);
            return NGX_CONF_ERROR;
        }

        *args = 1;
        rule->args = (text.len == 2);

        return NGX_CONF_OK;
    }

    field = n ? &rule->to : &rule->stream;
    *field = text;

    return NGX_CONF_OK;
}


static char *
ngx_rtmp_route_path_servers(ngx_conf_t *cf, ngx_str_t *list,
    ngx_rtmp_route_path_t *rule)
{
    u_char      *p, *last;
    ngx_str_t   *id, *other;
    ngx_uint_t   i;

    rule->servers = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (rule->servers == NULL) {
        return NGX_CONF_ERROR;
    }

    p = list->data;
    last = list->data + list->len;

    for ( ;; ) {
        id = ngx_array_push(rule->servers);
        if (id == NULL) {
            return NGX_CONF_ERROR;
        }

        id->data = p;

        while (p < last && *p != ',') {
            p++;
        }

        id->len = p - id->data;

        if (id->len == 0 || id->len > NGX_RTMP_ROUTE_ID_LEN) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid server \"%V\" in \"servers=%V\"",
                               id, list);
            return NGX_CONF_ERROR;
        }

        other = rule->servers->elts;

        for (i = 0; i < rule->servers->nelts - 1; i++) {

            if (other[i].len == id->len
                && ngx_strncmp(other[i].data, id->data, id->len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate server \"%V\" in "
                                   "\"servers=%V\"", id, list);
                return NGX_CONF_ERROR;
            }
        }

        if (rule->servers->nelts > NGX_RTMP_ROUTE_MAX_TRIED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "more than %d servers in \"servers=%V\"",
                               NGX_RTMP_ROUTE_MAX_TRIED, list);
            return NGX_CONF_ERROR;
        }

        if (p == last) {
            return NGX_CONF_OK;
        }

        p++;
    }
}


static char *
ngx_rtmp_route_path_others(ngx_conf_t *cf, ngx_rtmp_route_t *route,
    ngx_rtmp_route_path_t *rule)
{
    ngx_uint_t              i;
    ngx_rtmp_route_path_t  *other;

    other = route->paths ? route->paths->elts : NULL;

    for (i = 0; route->paths && i < route->paths->nelts; i++) {

        if (other[i].kind == rule->kind
            && other[i].pattern.len == rule->pattern.len
            && ngx_strncmp(other[i].pattern.data, rule->pattern.data,
                           rule->pattern.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate path \"%V\"",
                               &rule->pattern);
            return NGX_CONF_ERROR;
        }

        if (ngx_rtmp_route_path_covers(&other[i], rule)) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "path \"%V\" is never used, \"%V\" before it "
                               "matches the same", &rule->pattern,
                               &other[i].pattern);
            break;
        }
    }

    if (ngx_rtmp_route_path_glued(rule, &rule->to)
        || ngx_rtmp_route_path_glued(rule, &rule->stream))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "path \"%V\" ends with \"/\", and what stands for "
                           "it does not", &rule->pattern);
    }

    return NGX_CONF_OK;
}


void
ngx_rtmp_route_paths_check(ngx_rtmp_route_t *route)
{
    u_char                        *there;
    uint32_t                       cursor;
    ngx_str_t                     *id;
    ngx_uint_t                     i, n, k, total;
    ngx_rtmp_route_path_t         *rule;
    ngx_rtmp_route_server_stat_t   stat;

    total = 0;
    rule = route->paths ? route->paths->elts : NULL;

    for (i = 0; rule && i < route->paths->nelts; i++) {
        total += rule[i].servers ? rule[i].servers->nelts : 0;
    }

    if (total == 0) {
        return;
    }

    there = ngx_calloc(total, route->cycle->log);
    if (there == NULL) {
        return;
    }

    cursor = 0;

    while (ngx_rtmp_route_server_walk(&route->table, &cursor, &stat)
           == NGX_OK)
    {
        for (i = 0, k = 0; i < route->paths->nelts; i++) {

            if (rule[i].servers == NULL) {
                continue;
            }

            id = rule[i].servers->elts;

            for (n = 0; n < rule[i].servers->nelts; n++, k++) {

                if (stat.info.id_len >= id[n].len
                    && ngx_strncmp(stat.info.id, id[n].data, id[n].len) == 0
                    && (stat.info.id_len == id[n].len
                        || stat.info.id[id[n].len] == '#'))
                {
                    there[k] = 1;
                }
            }
        }
    }

    for (i = 0, k = 0; i < route->paths->nelts; i++) {

        if (rule[i].servers == NULL) {
            continue;
        }

        id = rule[i].servers->elts;

        for (n = 0; n < rule[i].servers->nelts; n++, k++) {

            if (!there[k]) {
                ngx_log_error(NGX_LOG_WARN, route->cycle->log, 0,
                              "server \"%V\" of path \"%V\" is not known "
                              "yet in rtmp_route \"%V\"", &id[n],
                              &rule[i].pattern, &route->name);
            }
        }
    }

    ngx_free(there);
}


ngx_int_t
ngx_rtmp_route_map(ngx_rtmp_route_t *route, ngx_pool_t *pool,
    ngx_str_t *path, ngx_rtmp_route_mapped_t *mapped)
{
    ngx_int_t   rc, tries;
    ngx_str_t   single;
    ngx_uint_t  index;

    single = *path;

    if (route->paths
        && ngx_rtmp_route_path_slashes(pool, path, &single) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_rtmp_route_path_map(route->paths, pool, &single, mapped, &index,
                                 &tries);

    if (rc == NGX_ABORT && tries) {
        ngx_rtmp_route_path_log(route, pool->log, index, tries);
    }

    return rc;
}


/* keys have them so, and nginx, too, unless "merge_slashes" is off */

static ngx_int_t
ngx_rtmp_route_path_slashes(ngx_pool_t *pool, ngx_str_t *path,
    ngx_str_t *single)
{
    u_char  *p, *dst, *last;

    p = path->data;
    last = path->data + path->len;

    while (p < last && (p[0] != '/' || p + 1 == last || p[1] != '/')) {
        p++;
    }

    if (p == last) {
        return NGX_OK;
    }

    single->data = ngx_pnalloc(pool, path->len);
    if (single->data == NULL) {
        return NGX_ERROR;
    }

    dst = single->data;

    for (p = path->data; p < last; p++) {
        if (*p != '/' || p == path->data || p[-1] != '/') {
            *dst++ = *p;
        }
    }

    single->len = dst - single->data;

    return NGX_OK;
}


ngx_uint_t
ngx_rtmp_route_maps(ngx_rtmp_route_t *route)
{
    return route->paths != NULL;
}


/* without the name, which may be a secret; names may be made to do this */

static void
ngx_rtmp_route_path_log(ngx_rtmp_route_t *route, ngx_log_t *log,
    ngx_uint_t index, ngx_int_t tries)
{
    ngx_rtmp_route_path_t  *rule;

    static time_t  logged;

    if (logged && ngx_time() - logged < NGX_RTMP_ROUTE_PATH_LOG_EACH) {
        return;
    }

    logged = ngx_time();
    rule = route->paths->elts;

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "regex \"%V\" of rtmp_route \"%V\" takes too long or can't "
                  "be used for a name, which is refused (%i)",
                  &rule[index].pattern, &route->name, tries + 1000);
}
