
/*
 * Copyright (C) The nginx-osp authors
 */


/* Sessions that the operator ends, and bans. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api.h"
#include "ngx_rtmp_route_acl.h"
#include "ngx_rtmp_route_key.h"


/* seconds */
#define NGX_HTTP_RTMP_ROUTE_API_BAN_MAX  (30 * 24 * 60 * 60)


enum {
    ban_id = 0,
    ban_type,
    ban_stream,
    ban_client,
    ban_created,
    ban_expires
};


/* what is done in steps */

typedef struct {
    ngx_uint_t               slot;
    uint32_t                 number;      /* of the session */
    uint32_t                 cursor;
    ngx_uint_t               banned;      /* for some time, too */
    ngx_uint_t               kicked;
    ngx_uint_t               status;
    ngx_rtmp_route_ban_t     ban;
} ngx_http_rtmp_route_api_kick_t;


/* the body of a POST; texts point into it */

typedef struct {
    ngx_str_t                type;
    ngx_str_t                stream;
    ngx_str_t                client;
    ngx_str_t                time;
    json_int_t               seconds;
    ngx_uint_t               kick;
} ngx_http_rtmp_route_api_ban_body_t;


static ngx_int_t ngx_http_rtmp_route_api_kick_start(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_kick_t *kick,
    ngx_http_rtmp_route_api_step_pt step);
static ngx_int_t ngx_http_rtmp_route_api_kick_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);
static ngx_int_t ngx_http_rtmp_route_api_session_id(ngx_str_t *text,
    ngx_http_rtmp_route_api_kick_t *kick);
static ngx_int_t ngx_http_rtmp_route_api_ban_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);
static ngx_int_t ngx_http_rtmp_route_api_ban_send(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_kick_t *kick,
    ngx_uint_t all);
static void ngx_http_rtmp_route_api_ban_members(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_ban_t *ban, uint64_t fields, ngx_uint_t hide);
static ngx_int_t ngx_http_rtmp_route_api_ban_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_kick_t *kick,
    ngx_uint_t *all, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_ban_parse(json_t *body,
    ngx_http_rtmp_route_api_ban_body_t *b, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_ban_set(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_http_rtmp_route_api_ban_body_t *b, ngx_rtmp_route_ban_t *ban,
    ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_ban_key(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *stream,
    ngx_rtmp_route_ban_t *ban, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_http_rtmp_route_api_ban_time(ngx_str_t *text,
    ngx_msec_t *ms);
static uint32_t ngx_http_rtmp_route_api_ban_id(ngx_str_t *text);
static ngx_int_t ngx_http_rtmp_route_api_ban_not_found(ngx_http_request_t *r);


ngx_http_rtmp_route_api_field_t  ngx_http_rtmp_route_api_ban_fields[] = {
    { ngx_string("id"), ban_id },
    { ngx_string("type"), ban_type },
    { ngx_string("stream"), ban_stream },
    { ngx_string("client"), ban_client },
    { ngx_string("created"), ban_created },
    { ngx_string("expires"), ban_expires },
    { ngx_null_string, 0 }
};


/* of a publisher, a player, both */

static ngx_str_t  ngx_http_rtmp_route_api_ban_types[] = {
    ngx_null_string,
    ngx_string("publish"),
    ngx_string("play"),
    ngx_string("any")
};


ngx_int_t
ngx_http_rtmp_route_api_session_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_str_t                        arg;
    ngx_http_rtmp_route_api_kick_t  *kick;

    kick = ngx_pcalloc(r->pool, sizeof(ngx_http_rtmp_route_api_kick_t));
    if (kick == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_rtmp_route_api_arg(r, "ban", &arg);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        kick->banned = 1;

        if (ngx_http_rtmp_route_api_ban_time(&arg, &kick->ban.left) != NGX_OK)
        {
            return ngx_http_rtmp_route_api_error(r, NGX_HTTP_BAD_REQUEST,
                                                 "ArgumentInvalid",
                                                 "invalid \"ban\": a time "
                                                 "from 1s to 30d");
        }
    }

    if (ngx_http_rtmp_route_api_session_id(&ctx->item, kick) != NGX_OK) {
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                             "SessionNotFound",
                                             "session not found");
    }

    return ngx_http_rtmp_route_api_kick_start(r, ctx, kick,
                                           ngx_http_rtmp_route_api_kick_step);
}


static ngx_int_t
ngx_http_rtmp_route_api_kick_start(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_kick_t *kick,
    ngx_http_rtmp_route_api_step_pt step)
{
    ctx->data = kick;
    ctx->whole = 1;

    ngx_rtmp_route_json_init(&ctx->json, r->pool, 256);

    return ngx_http_rtmp_route_api_steps(r, ctx, step);
}


static ngx_int_t
ngx_http_rtmp_route_api_kick_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made)
{
    ngx_int_t                        rc;
    ngx_http_rtmp_route_api_kick_t  *kick;

    kick = ctx->data;

    do {
        rc = ngx_rtmp_route_table_kick(&ctx->route->table, kick->slot,
                                       kick->number, &kick->cursor,
                                       kick->banned ? &kick->ban : NULL);

        *made += NGX_HTTP_RTMP_ROUTE_API_VAIN;

    } while (rc == NGX_AGAIN && *made < NGX_HTTP_RTMP_ROUTE_API_STEP);

    switch (rc) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      kick->banned ? "session is closed by the operator, "
                                     "with a ban"
                                   : "session is closed by the operator");

        rc = ngx_http_rtmp_route_api_no_content(r);
        break;

    case NGX_BUSY:
        rc = ngx_http_rtmp_route_api_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                           "ZoneFull",
                                           "no room for the ban, the session "
                                           "goes on");
        break;

    case NGX_ABORT:
        rc = ngx_http_rtmp_route_api_error(r, NGX_HTTP_CONFLICT,
                                           "ClientUnknown",
                                           "a player without an address "
                                           "can't be banned, the session "
                                           "goes on");
        break;

    default: /* NGX_DECLINED */
        rc = ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND,
                                           "SessionNotFound",
                                           "session not found");
    }

    return (rc == NGX_AGAIN) ? NGX_OK : rc;
}


/* as it is written in lists, and in no other form */

static ngx_int_t
ngx_http_rtmp_route_api_session_id(ngx_str_t *text,
    ngx_http_rtmp_route_api_kick_t *kick)
{
    u_char     *p, *last, *dash, id[NGX_INT_T_LEN * 2 + 1];
    ngx_int_t   slot, number;

    last = text->data + text->len;
    dash = ngx_strlchr(text->data, last, '-');

    if (dash == NULL) {
        return NGX_DECLINED;
    }

    slot = ngx_atoi(text->data, dash - text->data);
    number = ngx_atoi(dash + 1, last - dash - 1);

    if (slot == NGX_ERROR || number == NGX_ERROR
        || slot > (ngx_int_t) NGX_MAX_UINT32_VALUE
        || number > (ngx_int_t) NGX_MAX_UINT32_VALUE)
    {
        return NGX_DECLINED;
    }

    kick->slot = slot;
    kick->number = (uint32_t) number;

    p = ngx_sprintf(id, "%uD-%uD", (uint32_t) slot, kick->number);

    return (text->len == (size_t) (p - id)
            && ngx_memcmp(text->data, id, text->len) == 0)
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_rtmp_route_api_get_ban(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_rtmp_route_ban_t   ban;
    ngx_rtmp_route_json_t  json;

    rc = ngx_http_rtmp_route_api_fields(r, ctx,
                                        ngx_http_rtmp_route_api_ban_fields);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_rtmp_route_ban_get(&ctx->route->table,
                               ngx_http_rtmp_route_api_ban_id(&ctx->item),
                               &ban)
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_ban_not_found(r);
    }

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_http_rtmp_route_api_ban(&json, &ban, ctx->fields, ctx->hide);

    return ngx_http_rtmp_route_api_send(r, NGX_HTTP_OK, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_ban_create(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_uint_t                       all;
    ngx_rtmp_route_error_t           err;
    ngx_http_rtmp_route_api_kick_t  *kick;

    kick = ngx_pcalloc(r->pool, sizeof(ngx_http_rtmp_route_api_kick_t));
    if (kick == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_rtmp_route_api_ban_body(r, ctx, kick, &all, &err) != NGX_OK) {
        return ngx_http_rtmp_route_api_refuse(r, &err);
    }

    switch (ngx_rtmp_route_ban_add(&ctx->route->table, &kick->ban)) {

    case NGX_OK:
        kick->status = NGX_HTTP_CREATED;
        break;

    case NGX_DONE:
        kick->status = NGX_HTTP_OK;
        break;

    default: /* NGX_BUSY */
        return ngx_http_rtmp_route_api_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                             "ZoneFull",
                                             "no room for the ban");
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "ban %uD is in force", kick->ban.id);

    if (!all) {
        return ngx_http_rtmp_route_api_ban_send(r, ctx, kick, 0);
    }

    /* whoever has begun before that moment is found now */

    return ngx_http_rtmp_route_api_kick_start(r, ctx, kick,
                                            ngx_http_rtmp_route_api_ban_step);
}


static ngx_int_t
ngx_http_rtmp_route_api_ban_step(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made)
{
    ngx_int_t                        rc;
    ngx_http_rtmp_route_api_kick_t  *kick;

    kick = ctx->data;

    do {
        rc = ngx_rtmp_route_table_kick_banned(&ctx->route->table, &kick->ban,
                                              &kick->cursor, &kick->kicked);

        *made += NGX_HTTP_RTMP_ROUTE_API_VAIN / 16;

    } while (rc == NGX_AGAIN && *made < NGX_HTTP_RTMP_ROUTE_API_STEP);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    rc = ngx_http_rtmp_route_api_ban_send(r, ctx, kick, 1);

    return (rc == NGX_AGAIN) ? NGX_OK : rc;
}


static ngx_int_t
ngx_http_rtmp_route_api_ban_send(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_kick_t *kick,
    ngx_uint_t all)
{
    u_char                 buf[NGX_INT32_LEN];
    ngx_str_t              id;
    ngx_rtmp_route_json_t  json;

    if (kick->status == NGX_HTTP_CREATED) {
        id.data = buf;
        id.len = ngx_sprintf(buf, "%uD", kick->ban.id) - buf;

        if (ngx_http_rtmp_route_api_location(r, &id) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_rtmp_route_json_init(&json, r->pool, 512);

    ngx_rtmp_route_json_open(&json, '{');

    ngx_http_rtmp_route_api_ban_members(&json, &kick->ban, (uint64_t) -1,
                                        ctx->hide);
    if (all) {
        ngx_rtmp_route_json_name(&json, "kicked");
        ngx_rtmp_route_json_number(&json, kick->kicked);
    }

    ngx_rtmp_route_json_close(&json, '}');

    return ngx_http_rtmp_route_api_send(r, kick->status, &json);
}


ngx_int_t
ngx_http_rtmp_route_api_ban_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    if (ngx_rtmp_route_ban_delete(&ctx->route->table,
                                  ngx_http_rtmp_route_api_ban_id(&ctx->item))
        != NGX_OK)
    {
        return ngx_http_rtmp_route_api_ban_not_found(r);
    }

    return ngx_http_rtmp_route_api_no_content(r);
}


ngx_int_t
ngx_http_rtmp_route_api_bans_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx)
{
    ngx_rtmp_route_bans_clear(&ctx->route->table);

    return ngx_http_rtmp_route_api_no_content(r);
}


void
ngx_http_rtmp_route_api_ban(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_ban_t *ban, uint64_t fields, ngx_uint_t hide)
{
    ngx_rtmp_route_json_open(json, '{');
    ngx_http_rtmp_route_api_ban_members(json, ban, fields, hide);
    ngx_rtmp_route_json_close(json, '}');
}


static void
ngx_http_rtmp_route_api_ban_members(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_ban_t *ban, uint64_t fields, ngx_uint_t hide)
{
    u_char                            buf[NGX_RTMP_ROUTE_RULE_LEN];
    ngx_str_t                         text;
    ngx_rtmp_route_rule_t             rule;
    ngx_http_rtmp_route_api_field_t  *field;

    for (field = ngx_http_rtmp_route_api_ban_fields; field->name.len; field++)
    {
        if (!(fields & ((uint64_t) 1 << field->number))) {
            continue;
        }

        ngx_rtmp_route_json_key(json, &field->name);

        ngx_str_null(&text);

        switch (field->number) {

        case ban_id:
            ngx_rtmp_route_json_number(json, ban->id);
            break;

        case ban_type:
            ngx_rtmp_route_json_string(json,
                            &ngx_http_rtmp_route_api_ban_types[ban->ops & 3]);
            break;

        case ban_stream:

            if (ban->key.len) {
                ngx_http_rtmp_route_api_stream_name(json, &ban->key, hide, 1);

            } else {
                ngx_rtmp_route_json_string(json, &text);
            }

            break;

        case ban_client:

            if (ban->addr.family) {
                ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));

                rule.addr = ban->addr;
                rule.bits = (u_char) ban->bits;

                text.data = buf;
                text.len = ngx_rtmp_route_rule_text(buf, &rule) - buf;
            }

            ngx_rtmp_route_json_string(json, &text);
            break;

        case ban_created:
            ngx_http_rtmp_route_api_ago(json, ban->age);
            break;

        case ban_expires:
            ngx_rtmp_route_json_number(json, (ban->left + 999) / 1000);
            break;
        }
    }
}


/* {"stream":"live/cam1","type":"publish","client":"10.0.0.0/8","time":"5m"} */

static ngx_int_t
ngx_http_rtmp_route_api_ban_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_kick_t *kick,
    ngx_uint_t *all, ngx_rtmp_route_error_t *err)
{
    json_t                              *body;
    ngx_int_t                            rc;
    ngx_http_rtmp_route_api_ban_body_t   b;

    ngx_memzero(&b, sizeof(ngx_http_rtmp_route_api_ban_body_t));

    body = ngx_rtmp_route_json_parse(&ctx->body, err);

    if (body == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_rtmp_route_api_ban_parse(body, &b, err);

    if (rc == NGX_OK) {
        rc = ngx_http_rtmp_route_api_ban_set(r, ctx, &b, &kick->ban, err);
    }

    *all = b.kick;

    json_decref(body);

    return rc;
}


static ngx_int_t
ngx_http_rtmp_route_api_ban_parse(json_t *body,
    ngx_http_rtmp_route_api_ban_body_t *b, ngx_rtmp_route_error_t *err)
{
    json_t      *value;
    ngx_str_t   *text;
    const char  *key;

    if (!json_is_object(body)) {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "JsonError",
                                    "the body must be a JSON object");
    }

    json_object_foreach(body, key, value) {

        if (ngx_strcmp(key, "kick") == 0) {

            if (!json_is_boolean(value)) {
                return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST,
                                            "FieldInvalid",
                                            "\"kick\" must be true or false");
            }

            b->kick = json_is_true(value);
            continue;
        }

        if (ngx_strcmp(key, "time") == 0 && json_is_integer(value)) {
            b->seconds = json_integer_value(value);

            if (b->seconds < 1) {
                b->seconds = -1;
            }

            continue;
        }

        if (ngx_strcmp(key, "type") == 0) {
            text = &b->type;

        } else if (ngx_strcmp(key, "stream") == 0) {
            text = &b->stream;

        } else if (ngx_strcmp(key, "client") == 0) {
            text = &b->client;

        } else if (ngx_strcmp(key, "time") == 0) {
            text = &b->time;

        } else {
            return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST,
                                        "FieldInvalid", "unknown field");
        }

        if (json_is_null(value)) {
            continue;
        }

        if (!json_is_string(value)) {
            return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST,
                                        "FieldInvalid",
                                        "\"%s\" must be a string", key);
        }

        text->data = (u_char *) json_string_value(value);
        text->len = json_string_length(value);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rtmp_route_api_ban_set(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_http_rtmp_route_api_ban_body_t *b, ngx_rtmp_route_ban_t *ban,
    ngx_rtmp_route_error_t *err)
{
    ngx_uint_t             i;
    ngx_rtmp_route_rule_t  rule;

    ban->ops = NGX_RTMP_ROUTE_BAN_PUBLISH|NGX_RTMP_ROUTE_BAN_PLAY;

    if (b->type.len) {

        for (i = 1; i < 4; i++) {
            if (b->type.len == ngx_http_rtmp_route_api_ban_types[i].len
                && ngx_memcmp(b->type.data,
                              ngx_http_rtmp_route_api_ban_types[i].data,
                              b->type.len)
                   == 0)
            {
                break;
            }
        }

        if (i == 4) {
            return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST,
                                        "FieldInvalid",
                                        "\"type\" must be \"publish\", "
                                        "\"play\" or \"any\"");
        }

        ban->ops = i;
    }

    if (b->time.len == 0 && b->seconds == 0) {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldMissing",
                                    "empty time");
    }

    if (b->time.len) {

        if (ngx_http_rtmp_route_api_ban_time(&b->time, &ban->left) != NGX_OK) {
            goto time;
        }

    } else {

        if (b->seconds < 1 || b->seconds > NGX_HTTP_RTMP_ROUTE_API_BAN_MAX) {
            goto time;
        }

        ban->left = (ngx_msec_t) b->seconds * 1000;
    }

    if (b->client.len) {

        ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));

        if (ngx_rtmp_route_rule_parse(&b->client, &rule) != NGX_OK
            || rule.kind != NGX_RTMP_ROUTE_RULE_CIDR)
        {
            return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST,
                                        "FieldInvalid",
                                        "\"client\" must be a network or an "
                                        "address");
        }

        ban->addr = rule.addr;
        ban->bits = rule.bits;

    } else if (b->stream.len == 0) {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldMissing",
                                    "empty stream and client");
    }

    return b->stream.len ? ngx_http_rtmp_route_api_ban_key(r, ctx, &b->stream,
                                                           ban, err)
                         : NGX_OK;

time:

    return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                "\"time\" must be from 1s to 30d");
}


/* with a control plane who publishes may have another name than who plays */

static ngx_int_t
ngx_http_rtmp_route_api_ban_key(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *stream,
    ngx_rtmp_route_ban_t *ban, ngx_rtmp_route_error_t *err)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_str_t               text, key[2];
    ngx_uint_t              op;
    ngx_rtmp_route_name_t   name;

    /* the name may be a part of what it is made of */

    text.len = stream->len;
    text.data = ngx_pstrdup(r->pool, stream);

    if (text.data == NULL) {
        goto failed;
    }

    rc = ngx_rtmp_route_name_text(r->pool, &text, ctx->route->key, &name);

    for (op = NGX_RTMP_ROUTE_PUBLISH; op <= NGX_RTMP_ROUTE_PLAY; op++) {

        if (rc == NGX_OK && (ban->ops & (1 << op))) {
            rc = ngx_rtmp_route_stream_key(ctx->route, r->pool, &name, op,
                                           &key[op]);
            ban->key = key[op];
        }
    }

    if (rc == NGX_ERROR) {
        goto failed;
    }

    if (rc != NGX_OK || ban->key.len > NGX_RTMP_ROUTE_KEY_LEN) {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldInvalid",
                                    "invalid stream");
    }

    if ((ban->ops & NGX_RTMP_ROUTE_BAN_PUBLISH)
        && (ban->ops & NGX_RTMP_ROUTE_BAN_PLAY)
        && (key[0].len != key[1].len
            || ngx_memcmp(key[0].data, key[1].data, key[0].len) != 0))
    {
        return ngx_rtmp_route_error(err, NGX_HTTP_BAD_REQUEST, "FieldMissing",
                                    "empty type: here a stream is published "
                                    "under another name than it is played");
    }

    p = ngx_cpymem(ban->key_buf, ban->key.data, ban->key.len);
    ban->key.data = ban->key_buf;
    ban->key.len = p - ban->key_buf;

    return NGX_OK;

failed:

    return ngx_rtmp_route_error(err, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                "InternalError", "no memory");
}


/* as in nginx.conf, "90", "5m" or "1h 30m" */

static ngx_int_t
ngx_http_rtmp_route_api_ban_time(ngx_str_t *text, ngx_msec_t *ms)
{
    ngx_int_t  n;

    if (text->len == 0) {
        return NGX_DECLINED;
    }

    n = ngx_parse_time(text, 1);

    if (n < 1 || n > NGX_HTTP_RTMP_ROUTE_API_BAN_MAX) {
        return NGX_DECLINED;
    }

    *ms = (ngx_msec_t) n * 1000;

    return NGX_OK;
}


/* 0 is the id of none */

static uint32_t
ngx_http_rtmp_route_api_ban_id(ngx_str_t *text)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    return (n < 1 || n > (ngx_int_t) NGX_MAX_UINT32_VALUE) ? 0 : (uint32_t) n;
}


static ngx_int_t
ngx_http_rtmp_route_api_ban_not_found(ngx_http_request_t *r)
{
    return ngx_http_rtmp_route_api_error(r, NGX_HTTP_NOT_FOUND, "BanNotFound",
                                         "ban not found");
}
