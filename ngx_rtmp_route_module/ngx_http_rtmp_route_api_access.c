
/*
 * Copyright (C) The nginx-osp authors
 */


/* The access list of a route.  It is short, so a list is made at once. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"


enum {
    rule_id = 0,
    rule_action,
    rule_cidr
};


static uint32_t ngx_http_rtmp_route_api_rule_id(ngx_str_t *text);
static ngx_int_t ngx_http_rtmp_route_api_rule_body(ngx_str_t *text,
    ngx_rtmp_route_rule_t *rule, uint32_t *before,
    ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_rule_fields(json_t *body,
    ngx_rtmp_route_rule_t *rule, uint32_t *before,
    ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_rule_text(json_t *value,
    const char *name, ngx_str_t *text, ngx_rtmp_route_error_t *err);
static void ngx_http_rtmp_route_api_rule(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_rule_t *rule, uint64_t fields);
static ngx_int_t ngx_http_rtmp_route_api_rule_not_found(
    ngx_http_request_t *r);


static ngx_http_rtmp_route_api_field_t
    ngx_http_rtmp_route_api_rule_fields_of[] =
{
    { ngx_string("id"), rule_id },
    { ngx_string("action"), rule_action },
    { ngx_string("cidr"), rule_cidr },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_rtmp_route_api_get_access(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, n, last;
    ngx_rtmp_route_json_t            json;
    ngx_rtmp_route_rule_t           *rules;
    ngx_rtmp_route_table_t          *table;
    ngx_http_rtmp_route_api_page_t   page;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                       ngx_http_rtmp_route_api_rule_fields_of);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_rtmp_route_api_page(r, &page);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    table = &ctx->route->table;

    rules = ngx_palloc(r->pool, ngx_rtmp_route_max_rules(table)
                                * sizeof(ngx_rtmp_route_rule_t));
    if (rules == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = ngx_rtmp_route_rules(table, rules);

    /* a page goes on behind the last rule of the one before */

    i = 0;

    if (page.after) {

        while (i < n && rules[i].id != page.after) {
            i++;
        }

        if (i++ == n) {
            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                                 "ArgumentInvalid",
                                                 "invalid \"after\": that "
                                                 "rule is gone");
        }
    }

    last = page.limit ? ngx_min(i + page.limit, n) : n;

    if (last < n
        && ngx_http_rtmp_route_api_next(r, rules[last - 1].id) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_rtmp_route_json_init(&json, r->pool, 4096);

    ngx_rtmp_route_json_open(&json, '[');

    for ( /* void */ ; i < last; i++) {

        if (ctx->fields == 0) {
            ngx_rtmp_route_json_number(&json, rules[i].id);
            continue;
        }

        ngx_http_rtmp_route_api_rule(&json, &rules[i], ctx->fields);
    }

    ngx_rtmp_route_json_close(&json, ']');

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_get_rule(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_rtmp_route_json_t  json;
    ngx_rtmp_route_rule_t  rule;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                       ngx_http_rtmp_route_api_rule_fields_of);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_rtmp_route_rule_get(&ctx->route->table,
                                ngx_http_rtmp_route_api_rule_id(&ctx->item),
                                &rule)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_rule_not_found(r);
    }

    ngx_rtmp_route_json_init(&json, r->pool, 256);

    ngx_http_rtmp_route_api_rule(&json, &rule, ctx->fields);

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_rule_create(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    u_char                   buf[NGX_INT32_LEN];
    uint32_t                 before;
    ngx_str_t                id;
    ngx_rtmp_route_json_t    json;
    ngx_rtmp_route_rule_t    rule;
    ngx_rtmp_route_error_t   err;

    if (ngx_http_rtmp_route_api_rule_body(&ctx->body, &rule, &before, &err)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    switch (ngx_rtmp_route_rule_add(&ctx->route->table, &rule, before)) {

    case NGX_OK:
        break;

    case NGX_DONE:

        (void) ngx_rtmp_route_error(&err, NGX_HTTP_CONFLICT, "EntryExists",
                                    "rule %uD is about the same addresses",
                                    rule.id);

        return ngx_http_rtmp_route_api_refuse(r, &err);

    case NGX_BUSY:
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                             "ZoneFull",
                                             "no room in the access list");

    default: /* NGX_DECLINED */
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                             "FieldInvalid",
                                             "\"before\" is not the id of a "
                                             "rule");
    }

    id.data = buf;
    id.len = ngx_sprintf(buf, "%uD", rule.id) - buf;

    if (ngx_http_rtmp_route_api_location(r, &id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_rtmp_route_json_init(&json, r->pool, 256);

    ngx_http_rtmp_route_api_rule(&json, &rule, (uint64_t) -1);

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_CREATED, &json);
}


/* the answer is those that remain */

ngx_int_t
ngx_http_rtmp_route_api_rule_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    if (ngx_rtmp_route_rule_delete(&ctx->route->table,
                                   ngx_http_rtmp_route_api_rule_id(&ctx->item))
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_rule_not_found(r);
    }

    ctx->resource = NGX_HTTP_RTMP_ROUTE_API_ACCESS;

    return ngx_http_rtmp_route_api_get_access(r, ctx);
}


/* 0 is the id of none */

static uint32_t
ngx_http_rtmp_route_api_rule_id(ngx_str_t *text)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    return (n < 1 || n > (ngx_int_t) NGX_MAX_UINT32_VALUE) ? 0 : (uint32_t) n;
}


/* {"action":"allow","cidr":"10.0.0.0/8","before":3} */

static ngx_int_t
ngx_http_rtmp_route_api_rule_body(ngx_str_t *text, ngx_rtmp_route_rule_t *rule,
    uint32_t *before, ngx_rtmp_route_error_t *err)
{
    json_t     *body;
    ngx_int_t   rc;

    ngx_memzero(rule, sizeof(ngx_rtmp_route_rule_t));
    *before = 0;

    body = ngx_rtmp_route_json_parse(text, err);

    if (body == NULL) {
        return NGX_DECLINED;
    }

    if (json_is_object(body)) {
        rc = ngx_http_rtmp_route_api_rule_fields(body, rule, before, err);

    } else {
        rc = ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "JsonError",
                                  "the body must be a JSON object");
    }

    json_decref(body);

    return rc;
}


static ngx_int_t
ngx_http_rtmp_route_api_rule_fields(json_t *body, ngx_rtmp_route_rule_t *rule,
    uint32_t *before, ngx_rtmp_route_error_t *err)
{
    json_t      *value;
    ngx_str_t    text;
    const char  *key;

    json_object_foreach(body, key, value) {
        if (ngx_strcmp(key, "action") != 0
            && ngx_strcmp(key, "cidr") != 0
            && ngx_strcmp(key, "before") != 0)
        {
            return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST,
                                        "FieldInvalid", "unknown field");
        }
    }

    if (ngx_http_rtmp_route_api_rule_text(json_object_get(body, "action"),
                                          "action", &text, err)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(text.data, "allow") == 0) {
        rule->action = NGX_RTMP_ROUTE_ALLOW;

    } else if (ngx_strcmp(text.data, "deny") == 0) {
        rule->action = NGX_RTMP_ROUTE_DENY;

    } else {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                    "\"action\" must be \"allow\" or "
                                    "\"deny\"");
    }

    if (ngx_http_rtmp_route_api_rule_text(json_object_get(body, "cidr"),
                                          "cidr", &text, err)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_rtmp_route_rule_parse(&text, rule) != NGX_OK) {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                    "\"cidr\" must be a network, an address, "
                                    "\"servers\", \"proxies\", \"unix:\" or "
                                    "\"all\"");
    }

    value = json_object_get(body, "before");

    if (value == NULL || json_is_null(value)) {
        return NGX_OK;
    }

    if (!json_is_integer(value)
        || json_integer_value(value) < 1
        || json_integer_value(value) > (json_int_t) NGX_MAX_UINT32_VALUE)
    {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                    "\"before\" is not the id of a rule");
    }

    *before = (uint32_t) json_integer_value(value);

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_rule_text(json_t *value, const char *name,
    ngx_str_t *text, ngx_rtmp_route_error_t *err)
{
    if (value == NULL || json_is_null(value)
        || (json_is_string(value) && json_string_length(value) == 0))
    {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldMissing",
                                    "empty %s", name);
    }

    if (!json_is_string(value)) {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                    "\"%s\" must be a string", name);
    }

    text->data = (u_char *) json_string_value(value);
    text->len = json_string_length(value);

    return NGX_OK;
}


static void
ngx_http_rtmp_route_api_rule(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_rule_t *rule, uint64_t fields)
{
    u_char     buf[NGX_RTMP_ROUTE_RULE_LEN];
    ngx_str_t  text;

    ngx_rtmp_route_json_open(json, '{');

    if (fields & ((uint64_t) 1 << rule_id)) {
        ngx_rtmp_route_json_name(json, "id");
        ngx_rtmp_route_json_number(json, rule->id);
    }

    if (fields & ((uint64_t) 1 << rule_action)) {

        if (rule->action == NGX_RTMP_ROUTE_ALLOW) {
            ngx_str_set(&text, "allow");

        } else {
            ngx_str_set(&text, "deny");
        }

        ngx_rtmp_route_json_name(json, "action");
        ngx_rtmp_route_json_string(json, &text);
    }

    if (fields & ((uint64_t) 1 << rule_cidr)) {
        text.data = buf;
        text.len = ngx_rtmp_route_rule_text(buf, rule) - buf;

        ngx_rtmp_route_json_name(json, "cidr");
        ngx_rtmp_route_json_string(json, &text);
    }

    ngx_rtmp_route_json_close(json, '}');
}


static ngx_int_t
ngx_http_rtmp_route_api_rule_not_found(ngx_http_request_t *r)
{
    return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND, "RuleNotFound",
                                         "rule not found");
}
