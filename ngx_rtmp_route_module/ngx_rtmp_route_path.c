
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_path.h"
#include "ngx_rtmp_route_text.h"


#define NGX_RTMP_ROUTE_PATH_GROUPS    32


static ngx_int_t ngx_rtmp_route_path_regex(ngx_pool_t *pool,
    ngx_rtmp_route_path_t *rule, ngx_array_t *names, ngx_str_t *err);
static ngx_int_t ngx_rtmp_route_path_parts(ngx_pool_t *pool,
    ngx_rtmp_route_path_t *rule, ngx_str_t *text, ngx_array_t *names,
    ngx_array_t **parts, ngx_str_t *err);
static ngx_int_t ngx_rtmp_route_path_capture(ngx_rtmp_route_path_t *rule,
    u_char **p, u_char *last, ngx_array_t *names, ngx_uint_t *capture,
    ngx_str_t *name);
static ngx_int_t ngx_rtmp_route_path_match(ngx_rtmp_route_path_t *rule,
    ngx_str_t *path, int *captures);
static ngx_int_t ngx_rtmp_route_path_expand(ngx_pool_t *pool,
    ngx_array_t *parts, ngx_str_t *path, int *captures, ngx_str_t *value);
static ngx_int_t ngx_rtmp_route_path_stream(ngx_pool_t *pool,
    ngx_str_t *stream);
static ngx_int_t ngx_rtmp_route_path_to(ngx_str_t *to);
static void ngx_rtmp_route_path_err(ngx_str_t *err, const char *fmt, ...);


/* of a regex: a name and its number */

typedef struct {
    ngx_str_t        name;
    ngx_uint_t       capture;
} ngx_rtmp_route_path_name_t;


ngx_int_t
ngx_rtmp_route_path_compile(ngx_pool_t *pool, ngx_rtmp_route_path_t *rule,
    ngx_str_t *err)
{
    u_char       *p;
    ngx_int_t     rc;
    ngx_array_t   names;

    if (rule->pattern.len == 0) {
        ngx_rtmp_route_path_err(err, "empty pattern");
        return NGX_DECLINED;
    }

    if (ngx_array_init(&names, pool, 4, sizeof(ngx_rtmp_route_path_name_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rule->ncaptures = 0;

    if (rule->kind == NGX_RTMP_ROUTE_PATH_PREFIX) {

        if (rule->pattern.data[0] != '/') {
            ngx_rtmp_route_path_err(err, "prefix \"%V\" does not begin with "
                                    "\"/\"", &rule->pattern);
            return NGX_DECLINED;
        }

    } else {
        rc = ngx_rtmp_route_path_regex(pool, rule, &names, err);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (rule->to.len) {

        if (rule->to.data[0] != '/' && rule->to.data[0] != '$') {
            ngx_rtmp_route_path_err(err, "\"to=%V\" is not a path: it does "
                                    "not begin with \"/\"", &rule->to);
            return NGX_DECLINED;
        }

        for (p = rule->to.data; p < rule->to.data + rule->to.len; p++) {

            if (*p == '?' || *p < 0x20 || *p == 0x7f) {
                ngx_rtmp_route_path_err(err, "\"to=%V\" is not a path: it "
                                        "has %s", &rule->to,
                                        (*p == '?') ? "arguments"
                                                    : "control characters");
                return NGX_DECLINED;
            }
        }
    }

    rc = ngx_rtmp_route_path_parts(pool, rule, &rule->stream, &names,
                                   &rule->stream_parts, err);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_rtmp_route_path_parts(pool, rule, &rule->to, &names,
                                     &rule->to_parts, err);
}


#if (NGX_PCRE)

static ngx_int_t
ngx_rtmp_route_path_regex(ngx_pool_t *pool, ngx_rtmp_route_path_t *rule,
    ngx_array_t *names, ngx_str_t *err)
{
    int                          i;
    u_char                      *p, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_str_t                    limited;
    ngx_regex_compile_t          rc;
    ngx_rtmp_route_path_name_t  *name;

    static u_char  limit[] = "(*LIMIT_MATCH=" NGX_RTMP_ROUTE_PATH_TRIES ")";

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = rule->pattern;
    rc.pool = pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (rule->kind == NGX_RTMP_ROUTE_PATH_CASELESS) {
        rc.options = NGX_REGEX_CASELESS;
    }

    /* as it is written, so that this is what the message shows */

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_rtmp_route_path_err(err, "%V", &rc.err);
        return NGX_DECLINED;
    }

    limited.len = sizeof(limit) - 1 + rule->pattern.len;

    limited.data = ngx_pnalloc(pool, limited.len + 1);
    if (limited.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(limited.data, limit, sizeof(limit) - 1);
    p = ngx_cpymem(p, rule->pattern.data, rule->pattern.len);
    *p = '\0';

    rc.pattern = limited;
    rc.err.len = NGX_MAX_CONF_ERRSTR;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_rtmp_route_path_err(err, "%V", &rc.err);
        return NGX_DECLINED;
    }

    rule->regex = rc.regex;
    rule->ncaptures = rc.captures;

    if (rule->ncaptures > NGX_RTMP_ROUTE_PATH_GROUPS) {
        ngx_rtmp_route_path_err(err, "more than %d groups in \"%V\"",
                                NGX_RTMP_ROUTE_PATH_GROUPS, &rule->pattern);
        return NGX_DECLINED;
    }

    for (i = 0; i < rc.named_captures; i++) {

        p = rc.names + i * rc.name_size;

        name = ngx_array_push(names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->capture = (p[0] << 8) + p[1];
        name->name.data = p + 2;
        name->name.len = ngx_strlen(name->name.data);
    }

    return NGX_OK;
}

#else

static ngx_int_t
ngx_rtmp_route_path_regex(ngx_pool_t *pool, ngx_rtmp_route_path_t *rule,
    ngx_array_t *names, ngx_str_t *err)
{
    ngx_rtmp_route_path_err(err, "using regex \"%V\" requires PCRE library",
                            &rule->pattern);
    return NGX_DECLINED;
}

#endif


static ngx_int_t
ngx_rtmp_route_path_parts(ngx_pool_t *pool, ngx_rtmp_route_path_t *rule,
    ngx_str_t *text, ngx_array_t *names, ngx_array_t **parts, ngx_str_t *err)
{
    u_char                      *p, *last;
    ngx_str_t                    name;
    ngx_rtmp_route_path_part_t  *part;

    *parts = NULL;

    if (text->len == 0) {
        return NGX_OK;
    }

    *parts = ngx_array_create(pool, 4, sizeof(ngx_rtmp_route_path_part_t));
    if (*parts == NULL) {
        return NGX_ERROR;
    }

    p = text->data;
    last = text->data + text->len;

    while (p < last) {

        part = ngx_array_push(*parts);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->text.data = p;
        part->capture = NGX_RTMP_ROUTE_PATH_NONE;

        while (p < last && *p != '$') {
            p++;
        }

        part->text.len = p - part->text.data;

        if (p == last) {
            break;
        }

        if (rule->kind == NGX_RTMP_ROUTE_PATH_PREFIX) {
            ngx_rtmp_route_path_err(err, "\"%V\" has a \"$\", but a prefix "
                                    "has no captures: \"~\" makes it a regex",
                                    text);
            return NGX_DECLINED;
        }

        if (ngx_rtmp_route_path_capture(rule, &p, last, names,
                                        &part->capture, &name)
            != NGX_OK)
        {
            ngx_rtmp_route_path_err(err, "there is no capture \"%V\" for "
                                    "\"%V\" in \"%V\", which has %ui", &name,
                                    text, &rule->pattern, rule->ncaptures);
            return NGX_DECLINED;
        }
    }

    if (rule->kind != NGX_RTMP_ROUTE_PATH_PREFIX) {
        return NGX_OK;
    }

    /* what follows the prefix */

    part = ngx_array_push(*parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->text.data = last;
    part->text.len = 0;
    part->capture = 0;

    return NGX_OK;
}


/* $1 to $9, ${12}, $name, ${name}; *p is moved behind it */

static ngx_int_t
ngx_rtmp_route_path_capture(ngx_rtmp_route_path_t *rule, u_char **p,
    u_char *last, ngx_array_t *names, ngx_uint_t *capture, ngx_str_t *name)
{
    u_char                      *start, c;
    ngx_int_t                    n;
    ngx_str_t                    word;
    ngx_uint_t                   i, bracket;
    ngx_rtmp_route_path_name_t  *known;

    name->data = *p;
    name->len = last - *p;

    start = *p + 1;
    bracket = (start < last && *start == '{');

    if (bracket) {
        start++;
    }

    for (*p = start; *p < last; (*p)++) {
        c = **p;

        if (!bracket && *start >= '0' && *start <= '9' && *p > start) {
            break;
        }

        if ((c < '0' || c > '9') && (c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z') && c != '_')
        {
            break;
        }
    }

    word.data = start;
    word.len = *p - start;

    if (bracket) {
        if (*p == last || **p != '}') {
            return NGX_DECLINED;
        }

        (*p)++;
    }

    name->len = *p - name->data;

    if (word.len == 0) {
        return NGX_DECLINED;
    }

    n = ngx_atoi(word.data, word.len);

    if (n != NGX_ERROR) {
        *capture = n;

        return (n >= 1 && (ngx_uint_t) n <= rule->ncaptures)
               ? NGX_OK : NGX_DECLINED;
    }

    known = names->elts;

    for (i = 0; i < names->nelts; i++) {

        if (known[i].name.len == word.len
            && ngx_strncmp(known[i].name.data, word.data, word.len) == 0)
        {
            *capture = known[i].capture;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_rtmp_route_path_covers(ngx_rtmp_route_path_t *first,
    ngx_rtmp_route_path_t *second)
{
    size_t      len;
    u_char      c;
    ngx_str_t   text;

    text = second->pattern;

    if (first->kind != NGX_RTMP_ROUTE_PATH_PREFIX) {
        return first->kind == second->kind
               && first->pattern.len == text.len
               && ngx_strncmp(first->pattern.data, text.data, text.len) == 0;
    }

    /* every path begins with a slash */

    if (first->pattern.len == 1) {
        return 1;
    }

    if (second->kind == NGX_RTMP_ROUTE_PATH_CASELESS) {
        return 0;
    }

    /* the begin of a regex which stands for nothing but itself */

    if (second->kind == NGX_RTMP_ROUTE_PATH_REGEX) {

        if (text.data[0] != '^'
            || ngx_strlchr(text.data, text.data + text.len, '|') != NULL)
        {
            return 0;
        }

        text.data++;
        text.len--;

        for (len = 0; len < text.len; len++) {
            c = text.data[len];

            if ((c < '0' || c > '9') && (c < 'a' || c > 'z')
                && (c < 'A' || c > 'Z') && c != '_' && c != '-' && c != '/')
            {
                if (len && (c == '*' || c == '?' || c == '{')) {
                    len--;
                }

                break;
            }
        }

        text.len = len;
    }

    return text.len >= first->pattern.len
           && ngx_strncmp(text.data, first->pattern.data, first->pattern.len)
              == 0;
}


ngx_uint_t
ngx_rtmp_route_path_glued(ngx_rtmp_route_path_t *rule, ngx_str_t *text)
{
    return rule->kind == NGX_RTMP_ROUTE_PATH_PREFIX
           && text->len
           && rule->pattern.data[rule->pattern.len - 1] == '/'
           && text->data[text->len - 1] != '/';
}


ngx_int_t
ngx_rtmp_route_path_map(ngx_array_t *rules, ngx_pool_t *pool, ngx_str_t *path,
    ngx_rtmp_route_mapped_t *mapped, ngx_uint_t *index, ngx_int_t *tries)
{
    int                     captures[(1 + NGX_RTMP_ROUTE_PATH_GROUPS) * 3];
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_rtmp_route_path_t  *rule;

    ngx_memzero(mapped, sizeof(ngx_rtmp_route_mapped_t));
    mapped->args = 1;

    *index = 0;
    *tries = 0;

    if (rules == NULL) {
        return NGX_DECLINED;
    }

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {

        *index = i;

        rc = ngx_rtmp_route_path_match(&rule[i], path, captures);

        if (rc == NGX_DECLINED) {
            continue;
        }

        mapped->rule = i + 1;

        if (rc != NGX_OK) {
            *tries = rc;
            return NGX_ABORT;
        }

        mapped->servers = rule[i].servers;
        mapped->args = rule[i].args;

        if (rule[i].stream_parts) {
            rc = ngx_rtmp_route_path_expand(pool, rule[i].stream_parts, path,
                                            captures, &mapped->stream);

            if (rc == NGX_OK) {
                rc = ngx_rtmp_route_path_stream(pool, &mapped->stream);
            }

            if (rc != NGX_OK) {
                return rc;
            }
        }

        if (rule[i].to_parts) {
            rc = ngx_rtmp_route_path_expand(pool, rule[i].to_parts, path,
                                            captures, &mapped->to);

            if (rc == NGX_OK) {
                rc = ngx_rtmp_route_path_to(&mapped->to);
            }

            if (rc != NGX_OK) {
                return rc;
            }
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* NGX_OK, NGX_DECLINED, or why a regex gave up */

static ngx_int_t
ngx_rtmp_route_path_match(ngx_rtmp_route_path_t *rule, ngx_str_t *path,
    int *captures)
{
#if (NGX_PCRE)

    int  rc;

#endif

    if (rule->kind == NGX_RTMP_ROUTE_PATH_PREFIX) {

        if (path->len < rule->pattern.len
            || ngx_memcmp(path->data, rule->pattern.data, rule->pattern.len)
               != 0)
        {
            return NGX_DECLINED;
        }

        captures[0] = (int) rule->pattern.len;
        captures[1] = (int) path->len;

        return NGX_OK;
    }

#if (NGX_PCRE)

    rc = ngx_regex_exec(rule->regex, path, captures,
                        (1 + rule->ncaptures) * 3);

    if (rc >= 0) {
        return NGX_OK;
    }

    if (rc == NGX_REGEX_NO_MATCHED) {
        return NGX_DECLINED;
    }

    /* an error of PCRE may be a number that means something here */

    return rc - 1000;

#else

    return NGX_DECLINED;

#endif
}


static ngx_int_t
ngx_rtmp_route_path_expand(ngx_pool_t *pool, ngx_array_t *parts,
    ngx_str_t *path, int *captures, ngx_str_t *value)
{
    int                         *capture;
    size_t                       len;
    u_char                      *p;
    ngx_uint_t                   i;
    ngx_rtmp_route_path_part_t  *part;

    part = parts->elts;
    len = 0;

    for (i = 0; i < parts->nelts; i++) {
        len += part[i].text.len;

        if (part[i].capture != NGX_RTMP_ROUTE_PATH_NONE) {
            capture = &captures[part[i].capture * 2];

            /* a group that took no part in the match is empty */

            if (capture[0] >= 0 && capture[1] > capture[0]) {
                len += capture[1] - capture[0];
            }
        }
    }

    /* one more, for a slash at its begin */

    value->data = ngx_pnalloc(pool, len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = len;
    p = value->data;

    for (i = 0; i < parts->nelts; i++) {
        p = ngx_cpymem(p, part[i].text.data, part[i].text.len);

        if (part[i].capture != NGX_RTMP_ROUTE_PATH_NONE) {
            capture = &captures[part[i].capture * 2];

            if (capture[0] >= 0 && capture[1] > capture[0]) {
                p = ngx_cpymem(p, path->data + capture[0],
                               capture[1] - capture[0]);
            }
        }
    }

    return NGX_OK;
}


/* a name like any other */

static ngx_int_t
ngx_rtmp_route_path_stream(ngx_pool_t *pool, ngx_str_t *stream)
{
    ngx_int_t  rc;
    ngx_str_t  empty, path;

    ngx_str_null(&empty);

    rc = ngx_rtmp_route_text_path(pool, stream, &empty, &path);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK
        || ngx_strlchr(path.data, path.data + path.len, '?') != NULL)
    {
        return NGX_ABORT;
    }

    *stream = path;

    return NGX_OK;
}


/* the same rules, but a slash at its end stays */

static ngx_int_t
ngx_rtmp_route_path_to(ngx_str_t *to)
{
    u_char  *p, *dst, *part, *last;

    if (to->len && to->data[0] != '/') {
        ngx_memmove(to->data + 1, to->data, to->len);
        to->data[0] = '/';
        to->len++;
    }

    part = to->data;
    dst = to->data;
    last = to->data + to->len;

    for (p = to->data; p < last; p++) {

        if (*p < 0x20 || *p == 0x7f || *p == '?') {
            return NGX_ABORT;
        }

        if (*p != '/') {
            *dst++ = *p;
            continue;
        }

        /* a part of the path has ended */

        if ((dst - part == 1 && part[0] == '.')
            || (dst - part == 2 && part[0] == '.' && part[1] == '.'))
        {
            return NGX_ABORT;
        }

        if (dst == to->data || dst[-1] != '/') {
            *dst++ = '/';
        }

        part = dst;
    }

    if ((dst - part == 1 && part[0] == '.')
        || (dst - part == 2 && part[0] == '.' && part[1] == '.'))
    {
        return NGX_ABORT;
    }

    to->len = dst - to->data;

    return (to->len > 1 && to->len <= NGX_RTMP_ROUTE_KEY_LEN + 1)
           ? NGX_OK : NGX_ABORT;
}


static void
ngx_rtmp_route_path_err(ngx_str_t *err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    err->len = ngx_vslprintf(err->data, err->data + err->len, fmt, args)
               - err->data;
    va_end(args);
}
