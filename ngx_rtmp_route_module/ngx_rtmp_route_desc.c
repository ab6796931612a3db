
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_desc.h"


#define NGX_RTMP_ROUTE_DESC_ALL                                               \
    (NGX_RTMP_ROUTE_DESC_REGISTER                                             \
     |NGX_RTMP_ROUTE_DESC_CREATE                                              \
     |NGX_RTMP_ROUTE_DESC_UPDATE)

#define NGX_RTMP_ROUTE_DESC_ADD                                               \
    (NGX_RTMP_ROUTE_DESC_REGISTER|NGX_RTMP_ROUTE_DESC_CREATE)

/* in the order of the fields below */

#define NGX_RTMP_ROUTE_FIELD_IP         0
#define NGX_RTMP_ROUTE_FIELD_SERVER     1
#define NGX_RTMP_ROUTE_FIELD_SERVICE    2
#define NGX_RTMP_ROUTE_FIELD_PID        3
#define NGX_RTMP_ROUTE_FIELD_RTMP       4
#define NGX_RTMP_ROUTE_FIELD_MANDATORY  5    /* so many, if it registers */
#define NGX_RTMP_ROUTE_FIELD_ID         11
#define NGX_RTMP_ROUTE_FIELD_DEVICE     12

#define NGX_RTMP_ROUTE_NFIELDS                                                \
    (sizeof(ngx_rtmp_route_fields) / sizeof(ngx_rtmp_route_field_t))


typedef struct ngx_rtmp_route_field_s  ngx_rtmp_route_field_t;

typedef ngx_int_t (*ngx_rtmp_route_field_pt)(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);

struct ngx_rtmp_route_field_s {
    ngx_str_t                 name;
    ngx_uint_t                forms;
    ngx_rtmp_route_field_pt   handler;
    ngx_uint_t                number;    /* protocol or parameter */
    size_t                    offset;    /* of the parameter */
};


static ngx_int_t ngx_rtmp_route_desc_collect(json_t *body, ngx_uint_t form,
    json_t **values, ngx_rtmp_route_error_t *err);
static ngx_rtmp_route_field_t *ngx_rtmp_route_desc_field(const char *key,
    ngx_uint_t form);
static ngx_int_t ngx_rtmp_route_desc_type(ngx_rtmp_route_field_t *field,
    json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_mandatory(json_t **values,
    ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_identity(ngx_rtmp_route_desc_t *desc,
    json_t **values, ngx_uint_t form, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_address(ngx_rtmp_route_desc_t *desc,
    json_t *value, const char *name, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_address_port(ngx_rtmp_route_desc_t *desc,
    json_t **values, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_text(json_t *value, const char *name,
    u_char *data, u_char *len, size_t max, ngx_rtmp_route_error_t *err);

static ngx_int_t ngx_rtmp_route_desc_string(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_endpoints(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_number(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_time(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_flag(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_proxy_protocol(
    ngx_rtmp_route_desc_t *desc, ngx_rtmp_route_field_t *field, json_t *value,
    ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_streams(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err);
static ngx_int_t ngx_rtmp_route_desc_count(json_t *value, const char *name,
    ngx_rtmp_route_error_t *err);


static ngx_rtmp_route_field_t  ngx_rtmp_route_fields[] = {

    /* the mandatory ones, in the order in which SRS checks them */

    { ngx_string("ip"), NGX_RTMP_ROUTE_DESC_REGISTER,
      ngx_rtmp_route_desc_string, 0, 0 },

    { ngx_string("server"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_string, 0, 0 },

    { ngx_string("service"), NGX_RTMP_ROUTE_DESC_REGISTER,
      ngx_rtmp_route_desc_string, 0, 0 },

    { ngx_string("pid"), NGX_RTMP_ROUTE_DESC_REGISTER,
      ngx_rtmp_route_desc_string, 0, 0 },

    { ngx_string("rtmp"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_RTMP, 0 },

    { ngx_string("rtmps"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_RTMPS, 0 },

    { ngx_string("http"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_HTTP, 0 },

    { ngx_string("https"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_HTTPS, 0 },

    { ngx_string("api"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_API, 0 },

    { ngx_string("srt"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_SRT, 0 },

    { ngx_string("rtc"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_endpoints, NGX_RTMP_ROUTE_RTC, 0 },

    { ngx_string("id"), NGX_RTMP_ROUTE_DESC_CREATE,
      ngx_rtmp_route_desc_string, 0, 0 },

    { ngx_string("device_id"), NGX_RTMP_ROUTE_DESC_REGISTER,
      ngx_rtmp_route_desc_string, 0, 0 },

    { ngx_string("weight"), NGX_RTMP_ROUTE_DESC_ALL,
      ngx_rtmp_route_desc_number, NGX_RTMP_ROUTE_DESC_WEIGHT,
      offsetof(ngx_rtmp_route_server_params_t, weight) },

    { ngx_string("max_conns"), NGX_RTMP_ROUTE_DESC_ALL,
      ngx_rtmp_route_desc_number, NGX_RTMP_ROUTE_DESC_MAX_CONNS,
      offsetof(ngx_rtmp_route_server_params_t, max_conns) },

    { ngx_string("max_streams"), NGX_RTMP_ROUTE_DESC_ALL,
      ngx_rtmp_route_desc_number, NGX_RTMP_ROUTE_DESC_MAX_STREAMS,
      offsetof(ngx_rtmp_route_server_params_t, max_streams) },

    { ngx_string("max_fails"), NGX_RTMP_ROUTE_DESC_CREATE,
      ngx_rtmp_route_desc_number, NGX_RTMP_ROUTE_DESC_MAX_FAILS,
      offsetof(ngx_rtmp_route_server_params_t, max_fails) },

    { ngx_string("fail_timeout"), NGX_RTMP_ROUTE_DESC_CREATE,
      ngx_rtmp_route_desc_time, NGX_RTMP_ROUTE_DESC_FAIL_TIMEOUT,
      offsetof(ngx_rtmp_route_server_params_t, fail_timeout) },

    { ngx_string("slow_start"), NGX_RTMP_ROUTE_DESC_CREATE,
      ngx_rtmp_route_desc_time, NGX_RTMP_ROUTE_DESC_SLOW_START,
      offsetof(ngx_rtmp_route_server_params_t, slow_start) },

    { ngx_string("down"),
      NGX_RTMP_ROUTE_DESC_CREATE|NGX_RTMP_ROUTE_DESC_UPDATE,
      ngx_rtmp_route_desc_flag, NGX_RTMP_ROUTE_DESC_DOWN, 0 },

    { ngx_string("drain"),
      NGX_RTMP_ROUTE_DESC_CREATE|NGX_RTMP_ROUTE_DESC_UPDATE,
      ngx_rtmp_route_desc_flag, NGX_RTMP_ROUTE_DESC_DRAIN, 0 },

    { ngx_string("backup"), NGX_RTMP_ROUTE_DESC_CREATE,
      ngx_rtmp_route_desc_flag, NGX_RTMP_ROUTE_DESC_BACKUP, 0 },

    { ngx_string("proxy_protocol"), NGX_RTMP_ROUTE_DESC_ADD,
      ngx_rtmp_route_desc_proxy_protocol, 0, 0 },

    { ngx_string("streams"), NGX_RTMP_ROUTE_DESC_REGISTER,
      ngx_rtmp_route_desc_streams, 0, 0 },

    { ngx_string("unregister"), NGX_RTMP_ROUTE_DESC_REGISTER,
      ngx_rtmp_route_desc_flag, NGX_RTMP_ROUTE_DESC_UNREGISTER, 0 },

    { ngx_null_string, 0, NULL, 0, 0 }
};


ngx_int_t
ngx_rtmp_route_desc_parse(ngx_rtmp_route_desc_t *desc, json_t *body,
    ngx_uint_t form, ngx_rtmp_route_error_t *err)
{
    json_t                  *values[NGX_RTMP_ROUTE_NFIELDS];
    ngx_uint_t               i;
    ngx_rtmp_route_field_t  *field;

    ngx_memzero(desc, sizeof(ngx_rtmp_route_desc_t));
    ngx_memzero(values, sizeof(values));

    if (ngx_rtmp_route_desc_collect(body, form, values, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (form == NGX_RTMP_ROUTE_DESC_REGISTER
        && ngx_rtmp_route_desc_mandatory(values, err) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_rtmp_route_desc_identity(desc, values, form, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; ngx_rtmp_route_fields[i].name.len; i++) {

        field = &ngx_rtmp_route_fields[i];

        if (values[i]
            && field->handler != ngx_rtmp_route_desc_string
            && field->handler(desc, field, values[i], err) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (form == NGX_RTMP_ROUTE_DESC_CREATE) {
        return ngx_rtmp_route_desc_address_port(desc, values, err);
    }

    return NGX_OK;
}


void
ngx_rtmp_route_desc_defaults(ngx_rtmp_route_server_params_t *params)
{
    ngx_memzero(params, sizeof(ngx_rtmp_route_server_params_t));

    params->weight = 1;
    params->max_fails = 1;
    params->fail_timeout = 10000;
}


void
ngx_rtmp_route_desc_params(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_server_params_t *params)
{
    uint32_t                *from, *to;
    ngx_uint_t               i;
    ngx_rtmp_route_field_t  *field;

    for (i = 0; ngx_rtmp_route_fields[i].name.len; i++) {

        field = &ngx_rtmp_route_fields[i];

        if ((field->handler == ngx_rtmp_route_desc_number
             || field->handler == ngx_rtmp_route_desc_time)
            && (desc->given & field->number))
        {
            from = (uint32_t *) ((u_char *) &desc->params + field->offset);
            to = (uint32_t *) ((u_char *) params + field->offset);

            *to = *from;
        }
    }

    if (desc->given & NGX_RTMP_ROUTE_DESC_DOWN) {
        params->down = desc->params.down;
    }

    if (desc->given & NGX_RTMP_ROUTE_DESC_DRAIN) {
        params->drain = desc->params.drain;
    }

    if (desc->given & NGX_RTMP_ROUTE_DESC_BACKUP) {
        params->backup = desc->params.backup;
    }
}


ngx_int_t
ngx_rtmp_route_desc_stream(ngx_rtmp_route_desc_t *desc, ngx_uint_t i,
    ngx_str_t *name)
{
    json_t  *value, *publishers;

    value = json_array_get(desc->streams, i);

    if (value == NULL) {
        return NGX_DONE;
    }

    if (json_is_object(value)) {

        /* those who only play wait for the stream themselves */

        publishers = json_object_get(value, "publishers");

        if (json_is_integer(publishers)
            && json_integer_value(publishers) == 0)
        {
            return NGX_DECLINED;
        }

        value = json_object_get(value, "name");
    }

    name->data = (u_char *) json_string_value(value);
    name->len = json_string_length(value);

    return NGX_OK;
}


/* the values by field; wrong types are told before anything else, as Go does */

static ngx_int_t
ngx_rtmp_route_desc_collect(json_t *body, ngx_uint_t form, json_t **values,
    ngx_rtmp_route_error_t *err)
{
    json_t                  *value;
    const char              *key;
    ngx_uint_t               i;
    ngx_rtmp_route_field_t  *field;

    if (!json_is_object(body)) {
        return ngx_rtmp_route_error(err, 400, "JsonError",
                                    "the body must be a JSON object");
    }

    json_object_foreach(body, key, value) {

        field = ngx_rtmp_route_desc_field(key, form);

        if (field == NULL) {

            if (form == NGX_RTMP_ROUTE_DESC_REGISTER) {
                continue;
            }

            return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                        "unknown field \"%s\"", key);
        }

        /* null is as if it were not there */

        if (json_is_null(value)) {
            continue;
        }

        i = field - ngx_rtmp_route_fields;

        if (values[i]) {
            return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                        "duplicate field \"%V\"",
                                        &field->name);
        }

        if (ngx_rtmp_route_desc_type(field, value, err) != NGX_OK) {
            return NGX_DECLINED;
        }

        values[i] = value;
    }

    return NGX_OK;
}


static ngx_rtmp_route_field_t *
ngx_rtmp_route_desc_field(const char *key, ngx_uint_t form)
{
    ngx_rtmp_route_field_t  *field;

    for (field = ngx_rtmp_route_fields; field->name.len; field++) {

        if ((field->forms & form)
            && ngx_strcasecmp(field->name.data, (u_char *) key) == 0)
        {
            return field;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_rtmp_route_desc_type(ngx_rtmp_route_field_t *field, json_t *value,
    ngx_rtmp_route_error_t *err)
{
    json_t      *item;
    size_t       i;
    const char  *type;

    if (field->handler == ngx_rtmp_route_desc_number) {

        if (json_is_integer(value)) {
            return NGX_OK;
        }

        type = "an integer";

    } else if (field->handler == ngx_rtmp_route_desc_flag) {

        if (json_is_boolean(value)) {
            return NGX_OK;
        }

        type = "true or false";

    } else if (field->handler == ngx_rtmp_route_desc_endpoints) {

        type = "an array of strings";

        if (!json_is_array(value)) {
            goto wrong;
        }

        json_array_foreach(value, i, item) {
            if (!json_is_string(item)) {
                goto wrong;
            }
        }

        return NGX_OK;

    } else if (field->handler == ngx_rtmp_route_desc_streams) {

        if (json_is_array(value)) {
            return NGX_OK;
        }

        type = "an array";

    } else {

        if (json_is_string(value)) {
            return NGX_OK;
        }

        type = "a string";
    }

wrong:

    return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                "\"%V\" must be %s", &field->name, type);
}


static ngx_int_t
ngx_rtmp_route_desc_mandatory(json_t **values, ngx_rtmp_route_error_t *err)
{
    size_t                   n;
    ngx_uint_t               i;
    ngx_rtmp_route_field_t  *field;

    for (i = 0; i < NGX_RTMP_ROUTE_FIELD_MANDATORY; i++) {

        field = &ngx_rtmp_route_fields[i];

        n = (i == NGX_RTMP_ROUTE_FIELD_RTMP) ? json_array_size(values[i])
                                             : json_string_length(values[i]);

        if (n == 0) {
            return ngx_rtmp_route_error(err, 400, "FieldMissing",
                                        "empty %V", &field->name);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_identity(ngx_rtmp_route_desc_t *desc, json_t **values,
    ngx_uint_t form, ngx_rtmp_route_error_t *err)
{
    json_t                        *id;
    ngx_rtmp_route_server_info_t  *info;

    info = &desc->info;

    switch (form) {

    case NGX_RTMP_ROUTE_DESC_REGISTER:

        info->source = NGX_RTMP_ROUTE_SRC_REGISTER;

        if (ngx_rtmp_route_desc_address(desc, values[NGX_RTMP_ROUTE_FIELD_IP],
                                        "ip", err)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (ngx_rtmp_route_desc_text(values[NGX_RTMP_ROUTE_FIELD_SERVICE],
                                     "service", info->service,
                                     &info->service_len,
                                     NGX_RTMP_ROUTE_TEXT_LEN, err)
            != NGX_OK
            || ngx_rtmp_route_desc_text(values[NGX_RTMP_ROUTE_FIELD_PID],
                                        "pid", info->pid, &info->pid_len,
                                        NGX_RTMP_ROUTE_TEXT_LEN, err)
               != NGX_OK
            || ngx_rtmp_route_desc_text(values[NGX_RTMP_ROUTE_FIELD_DEVICE],
                                        "device_id", info->device,
                                        &info->device_len,
                                        NGX_RTMP_ROUTE_TEXT_LEN, err)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }

        return ngx_rtmp_route_desc_text(values[NGX_RTMP_ROUTE_FIELD_SERVER],
                                        "server", info->id, &info->id_len,
                                        NGX_RTMP_ROUTE_ID_LEN, err);

    case NGX_RTMP_ROUTE_DESC_CREATE:

        info->source = NGX_RTMP_ROUTE_SRC_API;

        if (json_string_length(values[NGX_RTMP_ROUTE_FIELD_SERVER]) == 0) {
            return ngx_rtmp_route_error(err, 400, "FieldMissing",
                                        "empty server");
        }

        if (ngx_rtmp_route_desc_address(desc,
                                        values[NGX_RTMP_ROUTE_FIELD_SERVER],
                                        "server", err)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        id = values[NGX_RTMP_ROUTE_FIELD_ID];

        if (json_string_length(id) == 0) {
            id = values[NGX_RTMP_ROUTE_FIELD_SERVER];
        }

        return ngx_rtmp_route_desc_text(id, "id", info->id, &info->id_len,
                                        NGX_RTMP_ROUTE_ID_LEN, err);

    default: /* NGX_RTMP_ROUTE_DESC_UPDATE */
        return NGX_OK;
    }
}


/* the API's "server" may have a port, a registration's "ip" may not */

static ngx_int_t
ngx_rtmp_route_desc_address(ngx_rtmp_route_desc_t *desc, json_t *value,
    const char *name, ngx_rtmp_route_error_t *err)
{
    u_char     *p;
    ngx_int_t   port;
    ngx_str_t   text;

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    port = 0;

    if (desc->info.source == NGX_RTMP_ROUTE_SRC_API
        && ngx_rtmp_route_addr_parse(&text, &desc->addr) != NGX_OK)
    {
        for (p = text.data + text.len - 1; p > text.data; p--) {
            if (*p == ':') {
                break;
            }
        }

        port = ngx_atoi(p + 1, text.data + text.len - p - 1);
        port = (port == 0) ? NGX_ERROR : port;

        text.len = p - text.data;
    }

    if (port < 0
        || port > 65535
        || ngx_rtmp_route_addr_parse(&text, &desc->addr) != NGX_OK)
    {
        return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                    "\"%s\" must be a literal IPv4 or IPv6 "
                                    "address, not a name", name);
    }

    desc->addr.port = (uint16_t) port;

    p = ngx_rtmp_route_endpoint_text(desc->info.host,
                                     desc->info.host + NGX_RTMP_ROUTE_HOST_LEN,
                                     &desc->addr, 1);

    desc->info.host_len = (u_char) (p - desc->info.host);

    return NGX_OK;
}


/* the port of "server", or 1935 if there is no endpoint at all */

static ngx_int_t
ngx_rtmp_route_desc_address_port(ngx_rtmp_route_desc_t *desc, json_t **values,
    ngx_rtmp_route_error_t *err)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_endpoint_t  *endpoint;

    if (desc->addr.port && values[NGX_RTMP_ROUTE_FIELD_RTMP]) {
        return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                    "a port in \"server\" and \"rtmp\" are "
                                    "mutually exclusive");
    }

    n = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        n += desc->info.nendpoints[i];
    }

    if (desc->addr.port || n == 0) {
        endpoint = &desc->info.endpoints[NGX_RTMP_ROUTE_RTMP][0];

        *endpoint = desc->addr;

        if (endpoint->port == 0) {
            endpoint->port = 1935;
        }

        desc->info.nendpoints[NGX_RTMP_ROUTE_RTMP] = 1;
    }

    return NGX_OK;
}


/* shown and logged, so nothing that could break a line */

static ngx_int_t
ngx_rtmp_route_desc_text(json_t *value, const char *name, u_char *data,
    u_char *len, size_t max, ngx_rtmp_route_error_t *err)
{
    size_t       i, n;
    const char  *p;

    p = json_string_value(value);
    n = json_string_length(value);

    if (n > max) {
        return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                    "\"%s\" is longer than %uz bytes", name,
                                    max);
    }

    for (i = 0; i < n; i++) {
        if ((u_char) p[i] < 0x20 || p[i] == 0x7f) {
            return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                        "\"%s\" has control characters", name);
        }
    }

    if (n) {
        ngx_memcpy(data, p, n);
    }

    *len = (u_char) n;

    return NGX_OK;
}


/* marks a field that is part of the identity, which is read first */

static ngx_int_t
ngx_rtmp_route_desc_string(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_endpoints(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    json_t                     *item;
    size_t                      i;
    ngx_str_t                   text;
    ngx_uint_t                  n;
    ngx_rtmp_route_endpoint_t   endpoint;

    n = 0;

    json_array_foreach(value, i, item) {

        text.data = (u_char *) json_string_value(item);
        text.len = json_string_length(item);

        if (ngx_rtmp_route_endpoint_parse(&text, &desc->addr, &endpoint)
            != NGX_OK)
        {
            return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                        "invalid port or address in \"%V\"",
                                        &field->name);
        }

        /* the first ones count */

        if (n < NGX_RTMP_ROUTE_MAX_ENDPOINTS) {
            desc->info.endpoints[field->number][n++] = endpoint;
        }
    }

    desc->info.nendpoints[field->number] = (u_char) n;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_number(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    uint32_t    *p;
    json_int_t   n, min, max;

    n = json_integer_value(value);

    if (field->number == NGX_RTMP_ROUTE_DESC_WEIGHT) {
        min = 1;
        max = 65535;

    } else {
        min = 0;
        max = NGX_MAX_INT32_VALUE;
    }

    if (n < min || n > max) {
        return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                    "\"%V\" must be between %L and %L",
                                    &field->name, (int64_t) min,
                                    (int64_t) max);
    }

    p = (uint32_t *) ((u_char *) &desc->params + field->offset);
    *p = (uint32_t) n;

    desc->given |= field->number;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_time(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    uint32_t   *p;
    ngx_int_t   n;
    ngx_str_t   text;

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    n = ngx_parse_time(&text, 0);

    if (n == NGX_ERROR || n > NGX_MAX_INT32_VALUE) {
        return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                    "\"%V\" must be a time, such as \"10s\"",
                                    &field->name);
    }

    p = (uint32_t *) ((u_char *) &desc->params + field->offset);
    *p = (uint32_t) n;

    desc->given |= field->number;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_flag(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    switch (field->number) {

    case NGX_RTMP_ROUTE_DESC_DOWN:
        desc->params.down = json_is_true(value) ? 1 : 0;
        break;

    case NGX_RTMP_ROUTE_DESC_DRAIN:
        desc->params.drain = json_is_true(value) ? 1 : 0;
        break;

    case NGX_RTMP_ROUTE_DESC_UNREGISTER:
        desc->leaves = json_is_true(value) ? 1 : 0;
        break;

    default: /* NGX_RTMP_ROUTE_DESC_BACKUP */
        desc->params.backup = json_is_true(value) ? 1 : 0;
        break;
    }

    desc->given |= field->number;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_proxy_protocol(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    const char  *text;

    text = json_string_value(value);

    if (ngx_strcmp(text, "off") == 0) {
        desc->info.proxy_protocol = NGX_RTMP_ROUTE_PP_OFF;

    } else if (ngx_strcmp(text, "v1") == 0) {
        desc->info.proxy_protocol = NGX_RTMP_ROUTE_PP_V1;

    } else if (ngx_strcmp(text, "v2") == 0) {
        desc->info.proxy_protocol = NGX_RTMP_ROUTE_PP_V2;

    } else if (ngx_strcmp(text, "srs") == 0) {
        desc->info.proxy_protocol = NGX_RTMP_ROUTE_PP_SRS;

    } else {
        return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                    "\"%V\" must be \"off\", \"v1\", \"v2\" "
                                    "or \"srs\"", &field->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_streams(ngx_rtmp_route_desc_t *desc,
    ngx_rtmp_route_field_t *field, json_t *value, ngx_rtmp_route_error_t *err)
{
    size_t   i;
    json_t  *item;

    if (json_array_size(value) > NGX_RTMP_ROUTE_DESC_MAX_STREAM_LIST) {
        desc->too_many = 1;
        return NGX_OK;
    }

    json_array_foreach(value, i, item) {

        if (json_is_string(item)) {
            continue;
        }

        if (!json_is_object(item)
            || !json_is_string(json_object_get(item, "name")))
        {
            return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                        "\"streams\" must hold names, or "
                                        "objects that have a \"name\"");
        }

        if (ngx_rtmp_route_desc_count(item, "publishers", err) != NGX_OK
            || ngx_rtmp_route_desc_count(item, "players", err) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    desc->streams = value;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_desc_count(json_t *value, const char *name,
    ngx_rtmp_route_error_t *err)
{
    json_t  *count;

    count = json_object_get(value, name);

    if (count == NULL || json_is_null(count)
        || (json_is_integer(count) && json_integer_value(count) >= 0))
    {
        return NGX_OK;
    }

    return ngx_rtmp_route_error(err, 400, "FieldInvalid",
                                "\"%s\" of a stream must be a number", name);
}
