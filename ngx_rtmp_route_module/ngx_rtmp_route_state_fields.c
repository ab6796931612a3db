
/*
 * Copyright (C) The nginx-osp authors
 */


/* Fields of the records of a state file, and the words that they may hold. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_state.h"


static ngx_int_t ngx_rtmp_route_state_endpoints(json_t *value,
    ngx_rtmp_route_server_info_t *info, ngx_uint_t protocol);
static ngx_int_t ngx_rtmp_route_state_endpoint(ngx_str_t *text,
    ngx_rtmp_route_endpoint_t *endpoint);


ngx_str_t  ngx_rtmp_route_state_protocols[] = {
    ngx_string("rtmp"),
    ngx_string("rtmps"),
    ngx_string("http"),
    ngx_string("https"),
    ngx_string("api"),
    ngx_string("srt"),
    ngx_string("rtc"),
    ngx_null_string
};


ngx_str_t  ngx_rtmp_route_state_sources[] = {
    ngx_string("unknown"),
    ngx_string("config"),
    ngx_string("api"),
    ngx_string("register"),
    ngx_string("core"),
    ngx_null_string
};


ngx_str_t  ngx_rtmp_route_state_proxy[] = {
    ngx_string(""),
    ngx_string("off"),
    ngx_string("v1"),
    ngx_string("v2"),
    ngx_string("srs"),
    ngx_null_string
};


ngx_str_t  ngx_rtmp_route_state_keys[] = {
    ngx_string("app/stream"),
    ngx_string("stream"),
    ngx_string("vhost/app/stream"),
    ngx_null_string
};


ngx_str_t  ngx_rtmp_route_state_from[] = {
    ngx_string(""),
    ngx_string("pick"),
    ngx_string("found"),
    ngx_string("core"),
    ngx_null_string
};


/* the index is NGX_RTMP_ROUTE_BAN_*, one or both of them */

ngx_str_t  ngx_rtmp_route_state_ops[] = {
    ngx_string(""),
    ngx_string("publish"),
    ngx_string("play"),
    ngx_string("any"),
    ngx_null_string
};


/* numbers of a server, with what they may be */

static struct {
    const char  *name;
    size_t       offset;
    uint64_t     max;
} ngx_rtmp_route_state_numbers[] = {

    { "weight", offsetof(ngx_rtmp_route_server_params_t, weight),
      65535 },
    { "max_conns", offsetof(ngx_rtmp_route_server_params_t, max_conns),
      0xffffffff },
    { "max_streams", offsetof(ngx_rtmp_route_server_params_t, max_streams),
      0xffffffff },
    { "max_fails", offsetof(ngx_rtmp_route_server_params_t, max_fails),
      0xffffffff },
    { "fail_timeout", offsetof(ngx_rtmp_route_server_params_t, fail_timeout),
      NGX_MAX_INT32_VALUE },
    { "slow_start", offsetof(ngx_rtmp_route_server_params_t, slow_start),
      NGX_MAX_INT32_VALUE },
    { "timeout", offsetof(ngx_rtmp_route_server_params_t, timeout),
      NGX_MAX_INT32_VALUE },
    { NULL, 0, 0 }
};


ngx_int_t
ngx_rtmp_route_state_info(json_t *record, ngx_rtmp_route_server_info_t *info)
{
    size_t       len;
    uint64_t     port;
    ngx_str_t    text;
    ngx_uint_t   i, n;
    json_t      *value;
    ngx_int_t    token;

    static struct {
        const char  *name;
        size_t       data;
        size_t       len;
        size_t       max;
    } texts[] = {

#define ngx_rtmp_route_state_field(name, field, max)                          \
        { name, offsetof(ngx_rtmp_route_server_info_t, field),                \
          offsetof(ngx_rtmp_route_server_info_t, field##_len), max }

        ngx_rtmp_route_state_field("id", id, NGX_RTMP_ROUTE_ID_LEN),
        ngx_rtmp_route_state_field("host", host, NGX_RTMP_ROUTE_HOST_LEN),
        ngx_rtmp_route_state_field("service", service,
                                   NGX_RTMP_ROUTE_TEXT_LEN),
        ngx_rtmp_route_state_field("pid", pid, NGX_RTMP_ROUTE_TEXT_LEN),
        ngx_rtmp_route_state_field("device_id", device,
                                   NGX_RTMP_ROUTE_TEXT_LEN),
        ngx_rtmp_route_state_field("origin", origin, NGX_RTMP_ROUTE_ID_LEN),

#undef ngx_rtmp_route_state_field

        { NULL, 0, 0, 0 }
    };

    for (i = 0; texts[i].name; i++) {

        if (ngx_rtmp_route_state_text(
                                json_object_get(record,
                                                         texts[i].name),
                                (u_char *) info + texts[i].data, texts[i].max,
                                &len)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        *((u_char *) info + texts[i].len) = (u_char) len;
    }

    if (info->id_len == 0
        || ngx_rtmp_route_state_word(json_object_get(record,
                                                              "source"),
                                     ngx_rtmp_route_state_sources, &n)
           != NGX_OK
        || n == 0)
    {
        return NGX_DECLINED;
    }

    info->source = (u_char) n;

    value = json_object_get(record, "proxy_protocol");

    if (value) {
        if (ngx_rtmp_route_state_word(value, ngx_rtmp_route_state_proxy, &n)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        info->proxy_protocol = (u_char) n;
    }

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

        value = json_object_get(record,
                        (char *) ngx_rtmp_route_state_protocols[i].data);

        if (value
            && ngx_rtmp_route_state_endpoints(value, info, i) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    value = json_object_get(record, "registrar");

    if (value) {
        text.data = (u_char *) json_string_value(value);
        text.len = json_string_length(value);

        if (text.data == NULL
            || ngx_rtmp_route_addr_parse(&text, &info->registrar) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    value = json_object_get(record, "registrar_port");

    if (value) {
        if (ngx_rtmp_route_state_number(value, 65535, &port) != NGX_OK) {
            return NGX_DECLINED;
        }

        info->registrar.port = (uint16_t) port;
    }

    /* in parts, as all of it may be more than a number can hold */

    value = json_object_get(record, "token");

    if (value) {
        text.data = (u_char *) json_string_value(value);

        if (text.data == NULL || json_string_length(value) != 16) {
            return NGX_DECLINED;
        }

        for (i = 0; i < 16; i += 4) {
            token = ngx_hextoi(text.data + i, 4);

            if (token == NGX_ERROR) {
                return NGX_DECLINED;
            }

            info->token = info->token << 16 | (uint64_t) token;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_state_endpoints(json_t *value,
    ngx_rtmp_route_server_info_t *info, ngx_uint_t protocol)
{
    json_t      *item;
    ngx_str_t    text;
    ngx_uint_t   i, n;

    n = json_array_size(value);

    if (!json_is_array(value) || n > NGX_RTMP_ROUTE_MAX_ENDPOINTS) {
        return NGX_DECLINED;
    }

    for (i = 0; i < n; i++) {
        item = json_array_get(value, i);

        text.data = (u_char *) json_string_value(item);
        text.len = json_string_length(item);

        if (text.data == NULL
            || ngx_rtmp_route_state_endpoint(&text,
                                             &info->endpoints[protocol][i])
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    info->nendpoints[protocol] = (u_char) n;

    return NGX_OK;
}


/* "10.0.0.11:1935"; without an address, a name was not resolved yet */

static ngx_int_t
ngx_rtmp_route_state_endpoint(ngx_str_t *text,
    ngx_rtmp_route_endpoint_t *endpoint)
{
    u_char                     *p;
    ngx_int_t                   port;
    ngx_str_t                   addr;

    for (p = text->data + text->len; p > text->data; p--) {
        if (p[-1] == ':') {
            break;
        }
    }

    port = ngx_atoi(p, text->data + text->len - p);

    if (port < 1 || port > 65535) {
        return NGX_DECLINED;
    }

    if (p > text->data) {
        addr.data = text->data;
        addr.len = p - 1 - text->data;

        if (ngx_rtmp_route_addr_parse(&addr, endpoint) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    endpoint->port = (uint16_t) port;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_state_params(json_t *record,
    ngx_rtmp_route_server_params_t *params)
{
    json_t      *value;
    uint64_t     number;
    ngx_uint_t   i;

    if (!json_is_object(record)) {
        return NGX_DECLINED;
    }

    for (i = 0; ngx_rtmp_route_state_numbers[i].name; i++) {

        value = json_object_get(record,
                                       ngx_rtmp_route_state_numbers[i].name);
        if (value == NULL) {
            continue;
        }

        if (ngx_rtmp_route_state_number(value,
                                        ngx_rtmp_route_state_numbers[i].max,
                                        &number)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        *(uint32_t *) ((u_char *) params
                       + ngx_rtmp_route_state_numbers[i].offset)
            = (uint32_t) number;
    }

    if (params->weight == 0) {
        return NGX_DECLINED;
    }

    value = json_object_get(record, "down");

    if (value) {
        params->down = json_is_true(value) ? 1 : 0;
    }

    value = json_object_get(record, "drain");

    if (value) {
        params->drain = json_is_true(value) ? 1 : 0;
    }

    value = json_object_get(record, "backup");

    if (value) {
        params->backup = json_is_true(value) ? 1 : 0;
    }

    return NGX_OK;
}


/* bytes that are no UTF-8 have no place in JSON, so there is another form */

ngx_int_t
ngx_rtmp_route_state_key(json_t *record, ngx_rtmp_route_saved_stream_t *saved)
{
    size_t       i, len;
    json_t      *value;
    ngx_int_t    byte;
    const char  *hex;

    saved->key.data = saved->key_buf;

    value = json_object_get(record, "hex");

    if (value) {
        hex = json_string_value(value);
        len = json_string_length(value);

        if (hex == NULL || len % 2 || len / 2 > NGX_RTMP_ROUTE_KEY_LEN) {
            return NGX_DECLINED;
        }

        for (i = 0; i < len; i += 2) {
            byte = ngx_hextoi((u_char *) hex + i, 2);

            if (byte == NGX_ERROR) {
                return NGX_DECLINED;
            }

            saved->key_buf[i / 2] = (u_char) byte;
        }

        saved->key.len = len / 2;

    } else if (ngx_rtmp_route_state_text(
                                 json_object_get(record, "stream"),
                                 saved->key_buf, NGX_RTMP_ROUTE_KEY_LEN,
                                 &saved->key.len)
               != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < saved->key.len; i++) {
        if (saved->key_buf[i] < 0x20 || saved->key_buf[i] == 0x7f) {
            return NGX_DECLINED;
        }
    }

    return saved->key.len ? NGX_OK : NGX_DECLINED;
}


/* nothing is an empty text */

ngx_int_t
ngx_rtmp_route_state_text(json_t *value, u_char *data, size_t max,
    size_t *len)
{
    *len = 0;

    if (value == NULL) {
        return NGX_OK;
    }

    if (!json_is_string(value) || json_string_length(value) > max) {
        return NGX_DECLINED;
    }

    *len = json_string_length(value);
    ngx_memcpy(data, json_string_value(value), *len);

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_state_word(json_t *value, ngx_str_t *words, ngx_uint_t *n)
{
    ngx_uint_t   i;
    const char  *text;

    text = json_string_value(value);

    if (text == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; words[i].data; i++) {
        if (ngx_strcmp(text, words[i].data) == 0) {
            *n = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_rtmp_route_state_number(json_t *value, uint64_t max, uint64_t *number)
{
    if (!json_is_integer(value)
        || json_integer_value(value) < 0
        || (uint64_t) json_integer_value(value) > max)
    {
        return NGX_DECLINED;
    }

    *number = (uint64_t) json_integer_value(value);

    return NGX_OK;
}
