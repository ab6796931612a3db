
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_command.h"


/* an enhanced RTMP property that is longer is not listed back */

#define NGX_OSP_RTMP_ECHO_MAX          1024


typedef struct {
    ngx_str_t                 text;
    ngx_osp_rtmp_name_e       name;
} ngx_osp_rtmp_command_name_t;


typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                offset;
} ngx_osp_rtmp_property_t;


static ngx_osp_rtmp_name_e ngx_osp_rtmp_command_name(ngx_str_t *text);
static ngx_int_t ngx_osp_rtmp_parse_args(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_osp_rtmp_parse_connect(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_connect_t *connect);
static void ngx_osp_rtmp_parse_enhanced(ngx_str_t *name,
    ngx_osp_rtmp_amf_value_t *value, ngx_osp_rtmp_connect_t *connect);
static ngx_int_t ngx_osp_rtmp_parse_play(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_command_t *cmd);
static ngx_int_t ngx_osp_rtmp_parse_play2(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_command_t *cmd);
static void ngx_osp_rtmp_parse_answer(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_command_t *cmd);
static void ngx_osp_rtmp_parse_info(ngx_osp_rtmp_amf_value_t *value,
    ngx_osp_rtmp_info_t *info);
static void ngx_osp_rtmp_parse_strings(ngx_osp_rtmp_amf_value_t *object,
    ngx_osp_rtmp_property_t *properties, void *data);
static ngx_uint_t ngx_osp_rtmp_is(ngx_str_t *text, const char *name);
static ngx_int_t ngx_osp_rtmp_write_numbers(ngx_osp_rtmp_out_t *out,
    ngx_uint_t type, uint32_t number, ngx_int_t limit);
static ngx_int_t ngx_osp_rtmp_write_payload(ngx_osp_rtmp_out_t *out,
    uint32_t csid, uint32_t msid, u_char *start, u_char *p);
static u_char *ngx_osp_rtmp_put_command(u_char *p, u_char *last,
    const char *name, double tid);
static u_char *ngx_osp_rtmp_put_info(u_char *p, u_char *last,
    const char *level, const char *code, ngx_str_t *description);
static u_char *ngx_osp_rtmp_put_enhanced(u_char *p, u_char *last,
    ngx_osp_rtmp_connect_t *connect);
static u_char *ngx_osp_rtmp_put_text(u_char *p, u_char *last,
    const char *text);
static u_char *ngx_osp_rtmp_put_name(u_char *p, u_char *last,
    const char *text);


static ngx_osp_rtmp_command_name_t  ngx_osp_rtmp_command_names[] = {

    { ngx_string("connect"), NGX_OSP_RTMP_CONNECT },
    { ngx_string("createStream"), NGX_OSP_RTMP_CREATE_STREAM },
    { ngx_string("releaseStream"), NGX_OSP_RTMP_RELEASE_STREAM },
    { ngx_string("FCPublish"), NGX_OSP_RTMP_FC_PUBLISH },
    { ngx_string("FCUnpublish"), NGX_OSP_RTMP_FC_UNPUBLISH },
    { ngx_string("FCSubscribe"), NGX_OSP_RTMP_FC_SUBSCRIBE },
    { ngx_string("FCUnsubscribe"), NGX_OSP_RTMP_FC_UNSUBSCRIBE },
    { ngx_string("publish"), NGX_OSP_RTMP_PUBLISH },
    { ngx_string("play"), NGX_OSP_RTMP_PLAY },
    { ngx_string("play2"), NGX_OSP_RTMP_PLAY2 },
    { ngx_string("pause"), NGX_OSP_RTMP_PAUSE },
    { ngx_string("seek"), NGX_OSP_RTMP_SEEK },
    { ngx_string("getStreamLength"), NGX_OSP_RTMP_GET_STREAM_LENGTH },
    { ngx_string("deleteStream"), NGX_OSP_RTMP_DELETE_STREAM },
    { ngx_string("closeStream"), NGX_OSP_RTMP_CLOSE_STREAM },
    { ngx_string("_checkbw"), NGX_OSP_RTMP_CHECK_BW },

    { ngx_string("_result"), NGX_OSP_RTMP_RESULT },
    { ngx_string("_error"), NGX_OSP_RTMP_ERROR },
    { ngx_string("onStatus"), NGX_OSP_RTMP_ON_STATUS },
    { ngx_string("onBWDone"), NGX_OSP_RTMP_ON_BW_DONE },
    { ngx_string("onFCPublish"), NGX_OSP_RTMP_ON_FC_PUBLISH },
    { ngx_string("onFCUnpublish"), NGX_OSP_RTMP_ON_FC_UNPUBLISH },
    { ngx_string("onFCSubscribe"), NGX_OSP_RTMP_ON_FC_SUBSCRIBE },
    { ngx_string("close"), NGX_OSP_RTMP_CLOSE },

    { ngx_null_string, NGX_OSP_RTMP_UNKNOWN }
};


static ngx_osp_rtmp_property_t  ngx_osp_rtmp_connect_properties[] = {

    { ngx_string("app"), offsetof(ngx_osp_rtmp_connect_t, app) },
    { ngx_string("tcUrl"), offsetof(ngx_osp_rtmp_connect_t, tc_url) },
    { ngx_string("flashVer"), offsetof(ngx_osp_rtmp_connect_t, flash_ver) },
    { ngx_string("flashver"), offsetof(ngx_osp_rtmp_connect_t, flash_ver) },
    { ngx_string("swfUrl"), offsetof(ngx_osp_rtmp_connect_t, swf_url) },
    { ngx_string("pageUrl"), offsetof(ngx_osp_rtmp_connect_t, page_url) },
    { ngx_string("type"), offsetof(ngx_osp_rtmp_connect_t, type) },

    { ngx_null_string, 0 }
};


static ngx_osp_rtmp_property_t  ngx_osp_rtmp_info_properties[] = {

    { ngx_string("level"), offsetof(ngx_osp_rtmp_info_t, level) },
    { ngx_string("code"), offsetof(ngx_osp_rtmp_info_t, code) },
    { ngx_string("description"), offsetof(ngx_osp_rtmp_info_t, description) },

    { ngx_null_string, 0 }
};


static ngx_osp_rtmp_property_t  ngx_osp_rtmp_ex_properties[] = {

    { ngx_string("redirect"), offsetof(ngx_osp_rtmp_info_t, redirect) },
    { ngx_string("redirect2"), offsetof(ngx_osp_rtmp_info_t, redirect2) },

    { ngx_null_string, 0 }
};


/* codes that come with the level "status" at some servers */

static ngx_str_t  ngx_osp_rtmp_error_codes[] = {

    ngx_string("NetConnection.Connect.Rejected"),
    ngx_string("NetConnection.Connect.Failed"),
    ngx_string("NetConnection.Connect.InvalidApp"),
    ngx_string("NetConnection.Connect.AppShutdown"),
    ngx_string("NetConnection.Connect.Closed"),
    ngx_string("NetConnection.Call.Failed"),
    ngx_string("NetStream.Publish.BadName"),
    ngx_string("NetStream.Publish.Denied"),
    ngx_string("NetStream.Publish.Rejected"),
    ngx_string("NetStream.Publish.Failed"),
    ngx_string("NetStream.Play.StreamNotFound"),
    ngx_string("NetStream.Play.Failed"),
    ngx_string("NetStream.Play.Denied"),
    ngx_string("NetStream.Failed"),

    ngx_null_string
};


ngx_int_t
ngx_osp_rtmp_command_parse(u_char *payload, size_t len, ngx_uint_t type,
    ngx_osp_rtmp_command_t *cmd, const char **error)
{
    ngx_int_t           rc;
    ngx_osp_rtmp_amf_t  amf;

    ngx_memzero(cmd, sizeof(ngx_osp_rtmp_command_t));

    ngx_osp_rtmp_amf_init(&amf, payload, payload + len);

    /* type 17 chooses the encoding by its first byte; 0 is AMF0 */

    if (type == NGX_OSP_RTMP_AMF3_COMMAND && len && payload[0] == 0) {
        amf.pos++;
    }

    rc = ngx_osp_rtmp_amf_read_string(&amf, &cmd->text);

    if (rc != NGX_OK) {
        *error = amf.error ? amf.error : "command without a name";
        return NGX_ERROR;
    }

    cmd->name = ngx_osp_rtmp_command_name(&cmd->text);

    rc = ngx_osp_rtmp_amf_read_number(&amf, &cmd->tid);

    if (rc == NGX_ERROR || rc == NGX_DECLINED) {
        *error = amf.error ? amf.error : "command without a transaction id";
        return NGX_ERROR;
    }

    cmd->args.data = amf.pos;
    cmd->args.len = amf.last - amf.pos;

    if (ngx_osp_rtmp_parse_args(&amf, cmd) != NGX_OK) {
        *error = amf.error ? amf.error : "connect without a command object";
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_osp_rtmp_name_e
ngx_osp_rtmp_command_name(ngx_str_t *text)
{
    ngx_osp_rtmp_command_name_t  *name;

    for (name = ngx_osp_rtmp_command_names; name->text.len; name++) {

        if (name->text.len == text->len
            && ngx_memcmp(name->text.data, text->data, text->len) == 0)
        {
            break;
        }
    }

    return name->name;
}


/* 7.2.1, 7.2.2: first the command object, which but for connect is null */

static ngx_int_t
ngx_osp_rtmp_parse_args(ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_command_t *cmd)
{
    ngx_int_t                 rc;
    ngx_osp_rtmp_amf_value_t  value;

    switch (cmd->name) {

    case NGX_OSP_RTMP_CONNECT:
        return ngx_osp_rtmp_parse_connect(amf, &cmd->connect);

    case NGX_OSP_RTMP_PLAY:
    case NGX_OSP_RTMP_PLAY2:
    case NGX_OSP_RTMP_PUBLISH:
    case NGX_OSP_RTMP_RELEASE_STREAM:
    case NGX_OSP_RTMP_FC_PUBLISH:
    case NGX_OSP_RTMP_FC_UNPUBLISH:
    case NGX_OSP_RTMP_FC_SUBSCRIBE:
    case NGX_OSP_RTMP_FC_UNSUBSCRIBE:
    case NGX_OSP_RTMP_GET_STREAM_LENGTH:
    case NGX_OSP_RTMP_DELETE_STREAM:
    case NGX_OSP_RTMP_SEEK:
        break;

    case NGX_OSP_RTMP_RESULT:
    case NGX_OSP_RTMP_ERROR:
    case NGX_OSP_RTMP_ON_STATUS:
    case NGX_OSP_RTMP_ON_FC_PUBLISH:
    case NGX_OSP_RTMP_ON_FC_UNPUBLISH:
    case NGX_OSP_RTMP_ON_FC_SUBSCRIBE:
        ngx_osp_rtmp_parse_answer(amf, cmd);
        return NGX_OK;

    default:
        return NGX_OK;
    }

    rc = ngx_osp_rtmp_amf_read(amf, &value);
    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
    }

    if (cmd->name == NGX_OSP_RTMP_PLAY2) {
        return ngx_osp_rtmp_parse_play2(amf, cmd);
    }

    rc = ngx_osp_rtmp_amf_read(amf, &value);
    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
    }

    if (value.type == NGX_OSP_RTMP_AMF_STRING) {
        cmd->stream = value.string;

    } else if (value.type == NGX_OSP_RTMP_AMF_NUMBER) {
        cmd->number = value.number;
        cmd->has_number = 1;
    }

    if (cmd->name == NGX_OSP_RTMP_PLAY) {
        return ngx_osp_rtmp_parse_play(amf, cmd);
    }

    if (cmd->name == NGX_OSP_RTMP_PUBLISH) {

        rc = ngx_osp_rtmp_amf_read_string(amf, &cmd->publish_type);

        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_osp_rtmp_parse_connect(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_connect_t *connect)
{
    ngx_str_t                 name;
    ngx_osp_rtmp_amf_t        object;
    ngx_osp_rtmp_amf_value_t  value, property;

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK
        || value.type == NGX_OSP_RTMP_AMF_STRICT_ARRAY
        || ngx_osp_rtmp_amf_enter(&value, &object) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_osp_rtmp_parse_strings(&value, ngx_osp_rtmp_connect_properties,
                               connect);

    while (ngx_osp_rtmp_amf_property(&object, &name, &property) == NGX_OK) {
        ngx_osp_rtmp_parse_enhanced(&name, &property, connect);
    }

    return NGX_OK;
}


static void
ngx_osp_rtmp_parse_enhanced(ngx_str_t *name, ngx_osp_rtmp_amf_value_t *value,
    ngx_osp_rtmp_connect_t *connect)
{
    switch (value->type) {

    case NGX_OSP_RTMP_AMF_NUMBER:

        if (ngx_osp_rtmp_is(name, "objectEncoding")) {
            connect->object_encoding = value->number;

        } else if (ngx_osp_rtmp_is(name, "capsEx")) {
            connect->caps_ex = value->number;
            connect->has_caps_ex = 1;
        }

        break;

    case NGX_OSP_RTMP_AMF_STRICT_ARRAY:

        if (ngx_osp_rtmp_is(name, "fourCcList")) {
            connect->four_cc_list = value->raw;
        }

        break;

    case NGX_OSP_RTMP_AMF_OBJECT:
    case NGX_OSP_RTMP_AMF_ECMA_ARRAY:

        if (ngx_osp_rtmp_is(name, "fourCcList")) {
            connect->four_cc_list = value->raw;

        } else if (ngx_osp_rtmp_is(name, "videoFourCcInfoMap")) {
            connect->video_four_cc_info_map = value->raw;

        } else if (ngx_osp_rtmp_is(name, "audioFourCcInfoMap")) {
            connect->audio_four_cc_info_map = value->raw;
        }

        break;

    default:
        break;
    }
}


/* 7.2.2.1; what follows the name is optional and of little weight */

static ngx_int_t
ngx_osp_rtmp_parse_play(ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_command_t *cmd)
{
    ngx_osp_rtmp_amf_value_t  value;

    cmd->start = -2;
    cmd->duration = -1;
    cmd->reset = 1;

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK) {
        return NGX_OK;
    }

    if (value.type == NGX_OSP_RTMP_AMF_NUMBER) {
        cmd->start = value.number;
    }

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK) {
        return NGX_OK;
    }

    if (value.type == NGX_OSP_RTMP_AMF_NUMBER) {
        cmd->duration = value.number;
    }

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK) {
        return NGX_OK;
    }

    if (value.type == NGX_OSP_RTMP_AMF_NUMBER
        || value.type == NGX_OSP_RTMP_AMF_BOOLEAN)
    {
        cmd->reset = (value.number != 0);
    }

    return NGX_OK;
}


/* 7.2.2.2, the properties are those of NetStreamPlayOptions */

static ngx_int_t
ngx_osp_rtmp_parse_play2(ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_command_t *cmd)
{
    ngx_int_t                 rc;
    ngx_osp_rtmp_amf_value_t  object, value;

    cmd->start = -2;
    cmd->duration = -1;
    cmd->reset = 1;

    rc = ngx_osp_rtmp_amf_read(amf, &object);
    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_osp_rtmp_amf_find(&object, "streamName", 10, &value) == NGX_OK
        && value.type == NGX_OSP_RTMP_AMF_STRING)
    {
        cmd->stream = value.string;
    }

    if (ngx_osp_rtmp_amf_find(&object, "start", 5, &value) == NGX_OK
        && value.type == NGX_OSP_RTMP_AMF_NUMBER)
    {
        cmd->start = value.number;
    }

    if (ngx_osp_rtmp_amf_find(&object, "len", 3, &value) == NGX_OK
        && value.type == NGX_OSP_RTMP_AMF_NUMBER)
    {
        cmd->duration = value.number;
    }

    return NGX_OK;
}


/*
 * The name and the transaction id of an answer are what matters, so values
 * that can't be read end the arguments and fail nothing
 */

static void
ngx_osp_rtmp_parse_answer(ngx_osp_rtmp_amf_t *amf, ngx_osp_rtmp_command_t *cmd)
{
    ngx_osp_rtmp_amf_value_t  value;

    if (ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK
        || ngx_osp_rtmp_amf_read(amf, &value) != NGX_OK)
    {
        return;
    }

    if (value.type == NGX_OSP_RTMP_AMF_NUMBER) {
        cmd->number = value.number;
        cmd->has_number = 1;
        return;
    }

    ngx_osp_rtmp_parse_info(&value, &cmd->info);
}


static void
ngx_osp_rtmp_parse_info(ngx_osp_rtmp_amf_value_t *value,
    ngx_osp_rtmp_info_t *info)
{
    ngx_osp_rtmp_amf_value_t  ex, code;

    ngx_osp_rtmp_parse_strings(value, ngx_osp_rtmp_info_properties, info);

    if (ngx_osp_rtmp_amf_find(value, "ex", 2, &ex) != NGX_OK) {
        return;
    }

    ngx_osp_rtmp_parse_strings(&ex, ngx_osp_rtmp_ex_properties, info);

    if (ngx_osp_rtmp_amf_find(&ex, "code", 4, &code) == NGX_OK
        && code.type == NGX_OSP_RTMP_AMF_NUMBER)
    {
        info->ex_code = code.number;
    }
}


static void
ngx_osp_rtmp_parse_strings(ngx_osp_rtmp_amf_value_t *object,
    ngx_osp_rtmp_property_t *properties, void *data)
{
    char                      *base = data;

    ngx_str_t                  name;
    ngx_osp_rtmp_amf_t         amf;
    ngx_osp_rtmp_property_t   *property;
    ngx_osp_rtmp_amf_value_t   value;

    if (object->type == NGX_OSP_RTMP_AMF_STRICT_ARRAY
        || ngx_osp_rtmp_amf_enter(object, &amf) != NGX_OK)
    {
        return;
    }

    while (ngx_osp_rtmp_amf_property(&amf, &name, &value) == NGX_OK) {

        if (value.type != NGX_OSP_RTMP_AMF_STRING) {
            continue;
        }

        for (property = properties; property->name.len; property++) {

            if (property->name.len == name.len
                && ngx_memcmp(property->name.data, name.data, name.len) == 0)
            {
                *(ngx_str_t *) (base + property->offset) = value.string;
                break;
            }
        }
    }
}


static ngx_uint_t
ngx_osp_rtmp_is(ngx_str_t *text, const char *name)
{
    return text->len == ngx_strlen(name)
           && ngx_memcmp(text->data, name, text->len) == 0;
}


ngx_int_t
ngx_osp_rtmp_user_control_parse(u_char *payload, size_t len,
    ngx_uint_t *event, uint32_t *value)
{
    if (len < 2) {
        return NGX_DECLINED;
    }

    *event = (ngx_uint_t) payload[0] << 8 | payload[1];
    *value = 0;

    if (len >= 6) {
        *value = (uint32_t) payload[2] << 24 | (uint32_t) payload[3] << 16
                 | (uint32_t) payload[4] << 8 | (uint32_t) payload[5];
    }

    return NGX_OK;
}


ngx_uint_t
ngx_osp_rtmp_connect_reconnects(ngx_osp_rtmp_connect_t *connect)
{
    return connect->has_caps_ex
           && connect->caps_ex >= 0 && connect->caps_ex <= 0xffffffff
           && ((uint32_t) connect->caps_ex & NGX_OSP_RTMP_CAPS_RECONNECT);
}


ngx_uint_t
ngx_osp_rtmp_info_is_error(ngx_osp_rtmp_info_t *info)
{
    ngx_str_t  *code;

    if (ngx_osp_rtmp_is(&info->level, "error")) {
        return 1;
    }

    for (code = ngx_osp_rtmp_error_codes; code->len; code++) {

        if (code->len == info->code.len
            && ngx_memcmp(code->data, info->code.data, code->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_osp_rtmp_write_set_chunk_size(ngx_osp_rtmp_out_t *out, uint32_t size)
{
    if (size == 0 || size > 0x7fffffff) {
        return NGX_ERROR;
    }

    if (ngx_osp_rtmp_write_numbers(out, NGX_OSP_RTMP_SET_CHUNK_SIZE, size, -1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out->chunk_size = size;

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_write_ack(ngx_osp_rtmp_out_t *out, uint32_t bytes)
{
    return ngx_osp_rtmp_write_numbers(out, NGX_OSP_RTMP_ACK, bytes, -1);
}


ngx_int_t
ngx_osp_rtmp_write_window_ack_size(ngx_osp_rtmp_out_t *out, uint32_t size)
{
    return ngx_osp_rtmp_write_numbers(out, NGX_OSP_RTMP_WINDOW_ACK_SIZE, size,
                                      -1);
}


ngx_int_t
ngx_osp_rtmp_write_set_peer_bw(ngx_osp_rtmp_out_t *out, uint32_t size,
    ngx_uint_t limit)
{
    return ngx_osp_rtmp_write_numbers(out, NGX_OSP_RTMP_SET_PEER_BW, size,
                                      (ngx_int_t) limit);
}


static ngx_int_t
ngx_osp_rtmp_write_numbers(ngx_osp_rtmp_out_t *out, ngx_uint_t type,
    uint32_t number, ngx_int_t limit)
{
    u_char  *p, buf[5];

    p = buf;

    *p++ = (u_char) (number >> 24);
    *p++ = (u_char) (number >> 16);
    *p++ = (u_char) (number >> 8);
    *p++ = (u_char) number;

    if (limit >= 0) {
        *p++ = (u_char) limit;
    }

    return ngx_osp_rtmp_write_message(out, NGX_OSP_RTMP_CSID_CONTROL, 0, type,
                                      0, buf, p - buf);
}


ngx_int_t
ngx_osp_rtmp_write_user_control(ngx_osp_rtmp_out_t *out, ngx_uint_t event,
    uint32_t value)
{
    u_char  buf[6];

    buf[0] = (u_char) (event >> 8);
    buf[1] = (u_char) event;
    buf[2] = (u_char) (value >> 24);
    buf[3] = (u_char) (value >> 16);
    buf[4] = (u_char) (value >> 8);
    buf[5] = (u_char) value;

    return ngx_osp_rtmp_write_message(out, NGX_OSP_RTMP_CSID_CONTROL, 0,
                                      NGX_OSP_RTMP_USER_CONTROL, 0, buf, 6);
}


ngx_int_t
ngx_osp_rtmp_write_connect_result(ngx_osp_rtmp_out_t *out, double tid,
    ngx_osp_rtmp_connect_t *connect)
{
    u_char  *p, *last, buf[NGX_OSP_RTMP_COMMAND_MAX];

    last = buf + NGX_OSP_RTMP_COMMAND_MAX;

    p = ngx_osp_rtmp_put_command(buf, last, "_result", tid);

    p = ngx_osp_rtmp_amf_put_object(p, last);
    p = ngx_osp_rtmp_put_name(p, last, "fmsVer");
    p = ngx_osp_rtmp_put_text(p, last, "FMS/3,5,3,888");
    p = ngx_osp_rtmp_put_name(p, last, "capabilities");
    p = ngx_osp_rtmp_amf_put_number(p, last, 127);
    p = ngx_osp_rtmp_put_name(p, last, "mode");
    p = ngx_osp_rtmp_amf_put_number(p, last, 1);
    p = ngx_osp_rtmp_put_enhanced(p, last, connect);
    p = ngx_osp_rtmp_amf_put_end(p, last);

    p = ngx_osp_rtmp_amf_put_object(p, last);
    p = ngx_osp_rtmp_put_name(p, last, "level");
    p = ngx_osp_rtmp_put_text(p, last, "status");
    p = ngx_osp_rtmp_put_name(p, last, "code");
    p = ngx_osp_rtmp_put_text(p, last, "NetConnection.Connect.Success");
    p = ngx_osp_rtmp_put_name(p, last, "description");
    p = ngx_osp_rtmp_put_text(p, last, "Connection succeeded.");
    p = ngx_osp_rtmp_put_name(p, last, "objectEncoding");
    p = ngx_osp_rtmp_amf_put_number(p, last, 0);
    p = ngx_osp_rtmp_put_enhanced(p, last, connect);
    p = ngx_osp_rtmp_amf_put_end(p, last);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, 0, buf,
                                      p);
}


ngx_int_t
ngx_osp_rtmp_write_connect_error(ngx_osp_rtmp_out_t *out, double tid,
    ngx_str_t *description)
{
    u_char  *p, *last, buf[NGX_OSP_RTMP_COMMAND_MAX];

    last = buf + NGX_OSP_RTMP_COMMAND_MAX;

    p = ngx_osp_rtmp_put_command(buf, last, "_error", tid);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_put_info(p, last, "error",
                              "NetConnection.Connect.Rejected", description);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, 0, buf,
                                      p);
}


ngx_int_t
ngx_osp_rtmp_write_create_stream_result(ngx_osp_rtmp_out_t *out, double tid,
    double msid)
{
    u_char  *p, *last, buf[64];

    last = buf + 64;

    p = ngx_osp_rtmp_put_command(buf, last, "_result", tid);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_amf_put_number(p, last, msid);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, 0, buf,
                                      p);
}


ngx_int_t
ngx_osp_rtmp_write_result(ngx_osp_rtmp_out_t *out, double tid)
{
    u_char  *p, *last, buf[64];

    if (tid == 0) {
        return NGX_OK;
    }

    last = buf + 64;

    p = ngx_osp_rtmp_put_command(buf, last, "_result", tid);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_amf_put_undefined(p, last);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, 0, buf,
                                      p);
}


ngx_int_t
ngx_osp_rtmp_write_on_bw_done(ngx_osp_rtmp_out_t *out)
{
    return ngx_osp_rtmp_write_command(out, 0, "onBWDone", 0);
}


ngx_int_t
ngx_osp_rtmp_write_on_fc_publish(ngx_osp_rtmp_out_t *out, uint32_t msid,
    ngx_str_t *description)
{
    u_char  *p, *last, buf[NGX_OSP_RTMP_COMMAND_MAX];

    last = buf + NGX_OSP_RTMP_COMMAND_MAX;

    p = ngx_osp_rtmp_put_command(buf, last, "onFCPublish", 0);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_put_info(p, last, "status", "NetStream.Publish.Start",
                              description);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_STATUS, msid,
                                      buf, p);
}


ngx_int_t
ngx_osp_rtmp_write_on_status(ngx_osp_rtmp_out_t *out, uint32_t msid,
    const char *level, const char *code, ngx_str_t *description)
{
    u_char  *p, *last, buf[NGX_OSP_RTMP_COMMAND_MAX];

    last = buf + NGX_OSP_RTMP_COMMAND_MAX;

    p = ngx_osp_rtmp_put_command(buf, last, "onStatus", 0);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_put_info(p, last, level, code, description);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_STATUS, msid,
                                      buf, p);
}


ngx_int_t
ngx_osp_rtmp_write_connect(ngx_osp_rtmp_out_t *out, double tid,
    ngx_str_t *app, ngx_str_t *tc_url)
{
    u_char  *p, *last, buf[NGX_OSP_RTMP_COMMAND_MAX];

    last = buf + NGX_OSP_RTMP_COMMAND_MAX;

    p = ngx_osp_rtmp_put_command(buf, last, "connect", tid);

    p = ngx_osp_rtmp_amf_put_object(p, last);
    p = ngx_osp_rtmp_put_name(p, last, "app");
    p = ngx_osp_rtmp_amf_put_string(p, last, app);
    p = ngx_osp_rtmp_put_name(p, last, "type");
    p = ngx_osp_rtmp_put_text(p, last, "nonprivate");
    p = ngx_osp_rtmp_put_name(p, last, "flashVer");
    p = ngx_osp_rtmp_put_text(p, last, "FMLE/3.0 (compatible; nginx-osp)");
    p = ngx_osp_rtmp_put_name(p, last, "tcUrl");
    p = ngx_osp_rtmp_amf_put_string(p, last, tc_url);
    p = ngx_osp_rtmp_amf_put_end(p, last);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, 0, buf,
                                      p);
}


ngx_int_t
ngx_osp_rtmp_write_command(ngx_osp_rtmp_out_t *out, uint32_t msid,
    const char *name, double tid)
{
    u_char  *p, *last, buf[128];

    last = buf + 128;

    p = ngx_osp_rtmp_put_command(buf, last, name, tid);
    p = ngx_osp_rtmp_amf_put_null(p, last);

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, msid,
                                      buf, p);
}


ngx_int_t
ngx_osp_rtmp_write_stream_command(ngx_osp_rtmp_out_t *out, uint32_t msid,
    const char *name, double tid, ngx_str_t *stream, const char *type)
{
    u_char  *p, *last, buf[NGX_OSP_RTMP_COMMAND_MAX];

    last = buf + NGX_OSP_RTMP_COMMAND_MAX;

    p = ngx_osp_rtmp_put_command(buf, last, name, tid);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_amf_put_string(p, last, stream);

    if (type) {
        p = ngx_osp_rtmp_put_text(p, last, type);
    }

    return ngx_osp_rtmp_write_payload(out, NGX_OSP_RTMP_CSID_COMMAND, msid,
                                      buf, p);
}


static ngx_int_t
ngx_osp_rtmp_write_payload(ngx_osp_rtmp_out_t *out, uint32_t csid,
    uint32_t msid, u_char *start, u_char *p)
{
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_osp_rtmp_write_message(out, csid, 0, NGX_OSP_RTMP_AMF0_COMMAND,
                                      msid, start, p - start);
}


static u_char *
ngx_osp_rtmp_put_command(u_char *p, u_char *last, const char *name,
    double tid)
{
    p = ngx_osp_rtmp_put_text(p, last, name);

    return ngx_osp_rtmp_amf_put_number(p, last, tid);
}


static u_char *
ngx_osp_rtmp_put_info(u_char *p, u_char *last, const char *level,
    const char *code, ngx_str_t *description)
{
    p = ngx_osp_rtmp_amf_put_object(p, last);
    p = ngx_osp_rtmp_put_name(p, last, "level");
    p = ngx_osp_rtmp_put_text(p, last, level);
    p = ngx_osp_rtmp_put_name(p, last, "code");
    p = ngx_osp_rtmp_put_text(p, last, code);
    p = ngx_osp_rtmp_put_name(p, last, "description");
    p = ngx_osp_rtmp_amf_put_string(p, last, description);

    return ngx_osp_rtmp_amf_put_end(p, last);
}


static u_char *
ngx_osp_rtmp_put_enhanced(u_char *p, u_char *last,
    ngx_osp_rtmp_connect_t *connect)
{
    uint32_t   caps;
    ngx_str_t  *raw;

    raw = &connect->four_cc_list;

    if (raw->len && raw->len <= NGX_OSP_RTMP_ECHO_MAX) {
        p = ngx_osp_rtmp_put_name(p, last, "fourCcList");
        p = ngx_osp_rtmp_amf_put_raw(p, last, raw);
    }

    raw = &connect->video_four_cc_info_map;

    if (raw->len && raw->len <= NGX_OSP_RTMP_ECHO_MAX) {
        p = ngx_osp_rtmp_put_name(p, last, "videoFourCcInfoMap");
        p = ngx_osp_rtmp_amf_put_raw(p, last, raw);
    }

    raw = &connect->audio_four_cc_info_map;

    if (raw->len && raw->len <= NGX_OSP_RTMP_ECHO_MAX) {
        p = ngx_osp_rtmp_put_name(p, last, "audioFourCcInfoMap");
        p = ngx_osp_rtmp_amf_put_raw(p, last, raw);
    }

    if (connect->has_caps_ex
        && connect->caps_ex >= 0 && connect->caps_ex <= 0xffffffff)
    {
        caps = (uint32_t) connect->caps_ex;
        caps &= ~(uint32_t) NGX_OSP_RTMP_CAPS_RECONNECT;

        p = ngx_osp_rtmp_put_name(p, last, "capsEx");
        p = ngx_osp_rtmp_amf_put_number(p, last, caps);
    }

    return p;
}


static u_char *
ngx_osp_rtmp_put_text(u_char *p, u_char *last, const char *text)
{
    ngx_str_t  str;

    str.data = (u_char *) text;
    str.len = ngx_strlen(text);

    return ngx_osp_rtmp_amf_put_string(p, last, &str);
}


static u_char *
ngx_osp_rtmp_put_name(u_char *p, u_char *last, const char *text)
{
    ngx_str_t  str;

    str.data = (u_char *) text;
    str.len = ngx_strlen(text);

    return ngx_osp_rtmp_amf_put_name(p, last, &str);
}
