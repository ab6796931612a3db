
/*
 * Copyright (C) The nginx-osp authors
 */


/* Tests for RTMP commands. */

/* sources: ngx_osp_rtmp_command.c ngx_osp_rtmp_amf.c */
/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


#include "unit.h"

#include "ngx_osp_rtmp_command.h"


#define NUMBER(hi, lo)  "\x00" hi lo "\x00\x00\x00\x00\x00\x00"
#define ONE             NUMBER("\x3f", "\xf0")
#define TWO             NUMBER("\x40", "\x00")
#define ZERO            NUMBER("\x00", "\x00")
#define END             "\x00\x00\x09"


static u_char                  *heap;
static const char              *error;
static ngx_pool_t              *pool;
static ngx_osp_rtmp_command_t   cmd;


static ngx_int_t parse(const char *bytes, size_t len, ngx_uint_t type);
static void is(ngx_str_t *got, const char *expected, const char *name);
static void connects(void);
static void streams(void);
static void plays(void);
static void answers(void);
static void bad(void);
static void all_names(void);
static void controls(void);
static ngx_uint_t reread(ngx_osp_rtmp_out_t *out, u_char *start,
    ngx_osp_rtmp_message_t *msg, u_char *part, size_t size);
static void writers(void);
static void enhanced(void);
static void rooms(void);


#define PARSE(bytes, type)  parse(bytes, sizeof(bytes) - 1, type)


/* parses a copy of its own size */

static ngx_int_t
parse(const char *bytes, size_t len, ngx_uint_t type)
{
    free(heap);

    heap = malloc(len + (len == 0));
    memcpy(heap, bytes, len);

    error = NULL;

    return ngx_osp_rtmp_command_parse(heap, len, type, &cmd, &error);
}


static void
is(ngx_str_t *got, const char *expected, const char *name)
{
    ngx_str_t  str;

    str.len = got->len;
    str.data = got->len ? got->data : (u_char *) "";

    is_str(&str, expected, "%s", name);
}


static void
connects(void)
{
    static char  ffmpeg[] =
        "\x02\x00\x07" "connect" ONE
        "\x03"
        "\x00\x03" "app" "\x02\x00\x04" "live"
        "\x00\x04" "type" "\x02\x00\x0a" "nonprivate"
        "\x00\x08" "flashVer" "\x02\x00\x05" "FMLE/"
        "\x00\x05" "tcUrl" "\x02\x00\x10" "rtmp://host/live"
        END;

    static char  flash[] =
        "\x00"
        "\x02\x00\x07" "connect" TWO
        "\x08\x00\x00\x00\x07"
        "\x00\x03" "app" "\x0c\x00\x00\x00\x04" "live"
        "\x00\x08" "flashver" "\x02\x00\x03" "WIN"
        "\x00\x06" "swfUrl" "\x02\x00\x01" "s"
        "\x00\x07" "pageUrl" "\x02\x00\x01" "p"
        "\x00\x05" "tcUrl" "\x06"
        "\x00\x04" "type" ONE
        "\x00\x0e" "objectEncoding" NUMBER("\x40", "\x08")
        END
        "\x07\x00\x00";

    static char  ertmp[] =
        "\x02\x00\x07" "connect" ONE
        "\x03"
        "\x00\x0a" "fourCcList" "\x0a\x00\x00\x00\x02"
            "\x02\x00\x04" "hvc1" "\x02\x00\x04" "av01"
        "\x00\x12" "videoFourCcInfoMap" "\x03"
            "\x00\x01" "*" TWO END
        "\x00\x12" "audioFourCcInfoMap" "\x08\x00\x00\x00\x01"
            "\x00\x01" "*" ONE END
        "\x00\x06" "capsEx" NUMBER("\x40", "\x2e")
        "\x00\x03" "app" "\x02\x00\x01" "a"
        END;

    ok(PARSE(ffmpeg, 20) == NGX_OK && cmd.name == NGX_OSP_RTMP_CONNECT
       && cmd.tid == 1, "connect");
    is(&cmd.text, "connect", "name");
    is(&cmd.connect.app, "live", "app");
    is(&cmd.connect.type, "nonprivate", "type");
    is(&cmd.connect.flash_ver, "FMLE/", "flashVer");
    is(&cmd.connect.tc_url, "rtmp://host/live", "tcUrl");
    is(&cmd.connect.page_url, "", "no pageUrl");
    ok(cmd.connect.object_encoding == 0 && !cmd.connect.has_caps_ex
       && cmd.connect.four_cc_list.len == 0, "no more");

    ok(PARSE(flash, 17) == NGX_OK && cmd.name == NGX_OSP_RTMP_CONNECT
       && cmd.tid == 2, "connect in type 17, a reference behind it");
    is(&cmd.connect.app, "live", "app as a long string");
    is(&cmd.connect.flash_ver, "WIN", "flashver");
    is(&cmd.connect.swf_url, "s", "swfUrl");
    is(&cmd.connect.page_url, "p", "pageUrl");
    is(&cmd.connect.tc_url, "", "undefined tcUrl");
    is(&cmd.connect.type, "", "type that is a number");
    ok(cmd.connect.object_encoding == 3, "objectEncoding 3");

    ok(PARSE(ertmp, 20) == NGX_OK && cmd.connect.has_caps_ex
       && cmd.connect.caps_ex == 15, "enhanced RTMP, capsEx");
    is_uint(cmd.connect.four_cc_list.len, 5 + 7 + 7, "fourCcList");
    is_uint(cmd.connect.video_four_cc_info_map.len, 1 + 3 + 9 + 3,
            "videoFourCcInfoMap");
    is_uint(cmd.connect.audio_four_cc_info_map.len, 5 + 3 + 9 + 3,
            "audioFourCcInfoMap");
    is(&cmd.connect.app, "a", "app behind them");

    ok(PARSE("\x02\x00\x07" "connect" ONE "\x05", 20) == NGX_ERROR,
       "connect without an object");
    ok(error && strcmp(error, "connect without a command object") == 0,
       "and its error");
    ok(PARSE("\x02\x00\x07" "connect" ONE, 20) == NGX_ERROR,
       "connect without arguments");
    ok(PARSE("\x02\x00\x07" "connect" ONE "\x0a\x00\x00\x00\x00", 20)
       == NGX_ERROR, "connect with an array");
}


static void
streams(void)
{
    ok(PARSE("\x02\x00\x0d" "releaseStream" TWO "\x05" "\x02\x00\x02" "s1",
             20)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_RELEASE_STREAM && cmd.tid == 2,
       "releaseStream");
    is(&cmd.stream, "s1", "its stream");

    ok(PARSE("\x02\x00\x09" "FCPublish" ZERO "\x05" "\x02\x00\x02" "s1", 20)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_FC_PUBLISH && cmd.tid == 0,
       "FCPublish, transaction 0");
    is(&cmd.stream, "s1", "its stream");

    ok(PARSE("\x02\x00\x0c" "createStream" TWO "\x05", 20)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_CREATE_STREAM,
       "createStream");
    is_uint(cmd.args.len, 1, "its arguments");

    ok(PARSE("\x00\x02\x00\x0c" "createStream" TWO "\x11\x01", 17)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_CREATE_STREAM,
       "createStream with null of AMF3");

    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x05"
             "\x02\x00\x08" "s1?tok=1" "\x02\x00\x04" "live", 20)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_PUBLISH, "publish");
    is(&cmd.stream, "s1?tok=1", "its stream");
    is(&cmd.publish_type, "live", "its type");

    ok(PARSE("\x02\x00\x0c" "createStream" TWO "\x05", 17)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_CREATE_STREAM,
       "type 17 without the byte in front");

    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x05" "\x02\x00\x02" "s1"
             "\x02\x00\x04" "liv", 20)
       == NGX_ERROR, "publish, the type is cut");

    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x05" "\x02\x00\x02" "s1", 20)
       == NGX_OK, "publish without a type");
    is(&cmd.publish_type, "", "no type");

    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x05", 20) == NGX_OK
       && cmd.stream.len == 0, "publish without a name");
    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x05" "\x01\x00", 20) == NGX_OK
       && cmd.stream.len == 0, "publish with false, which stops it");
    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x05" "\x02\x00\x09" "s1", 20)
       == NGX_ERROR && error != NULL, "publish, the name is cut");
    ok(PARSE("\x02\x00\x07" "publish" ZERO "\x07\x00\x00", 20)
       == NGX_ERROR && error != NULL, "publish, a reference");

    ok(PARSE("\x02\x00\x0c" "deleteStream" ONE "\x05" ONE, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_DELETE_STREAM && cmd.has_number
       && cmd.number == 1, "deleteStream");
    ok(PARSE("\x02\x00\x0c" "deleteStream" ONE "\x05" "\x02\x00\x02" "s1", 20)
       == NGX_OK && !cmd.has_number, "deleteStream of GStreamer");
    is(&cmd.stream, "s1", "its stream");
}


static void
plays(void)
{
    ok(PARSE("\x02\x00\x04" "play" TWO "\x05" "\x02\x00\x02" "s1"
             "\x00\xc0\x9f\x40\x00\x00\x00\x00\x00", 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_PLAY && cmd.start == -2000
       && cmd.duration == -1 && cmd.reset == 1, "play");
    is(&cmd.stream, "s1", "its stream");

    ok(PARSE("\x02\x00\x04" "play" TWO "\x05" "\x02\x00\x02" "s1", 20)
       == NGX_OK && cmd.start == -2, "play without more");

    ok(PARSE("\x02\x00\x04" "play" TWO "\x05" "\x02\x00\x02" "s1" ONE TWO
             "\x01\x00", 20) == NGX_OK
       && cmd.start == 1 && cmd.duration == 2 && cmd.reset == 0,
       "play with all arguments");

    ok(PARSE("\x02\x00\x04" "play" TWO "\x05" "\x02\x00\x02" "s1" ONE TWO
             ONE, 20) == NGX_OK && cmd.reset == 1, "reset as a number");

    ok(PARSE("\x02\x00\x04" "play" TWO "\x05" "\x02\x00\x02" "s1" "\x05"
             "\x07", 20) == NGX_OK && cmd.start == -2 && cmd.duration == -1,
       "play with null and rubbish behind the name");
    is(&cmd.stream, "s1", "its stream");

    ok(PARSE("\x02\x00\x05" "play2" TWO "\x05" "\x03"
             "\x00\x0a" "streamName" "\x02\x00\x02" "s2"
             "\x00\x0d" "oldStreamName" "\x02\x00\x02" "s1"
             "\x00\x05" "start" ONE "\x00\x03" "len" TWO END, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_PLAY2 && cmd.start == 1
       && cmd.duration == 2, "play2");
    is(&cmd.stream, "s2", "its stream");

    ok(PARSE("\x02\x00\x05" "play2" TWO "\x05" "\x05", 20) == NGX_OK
       && cmd.stream.len == 0, "play2 without options");

    ok(PARSE("\x02\x00\x0f" "getStreamLength" TWO "\x05" "\x02\x00\x02" "s1",
             20)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_GET_STREAM_LENGTH,
       "getStreamLength");
    is(&cmd.stream, "s1", "its stream");

    ok(PARSE("\x02\x00\x0b" "FCSubscribe" TWO "\x05" "\x02\x00\x02" "s1", 20)
       == NGX_OK && cmd.name == NGX_OSP_RTMP_FC_SUBSCRIBE, "FCSubscribe");
    is(&cmd.stream, "s1", "its stream");

    ok(PARSE("\x02\x00\x04" "seek" TWO "\x05" TWO, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_SEEK && cmd.number == 2, "seek");
}


static void
answers(void)
{
    ok(PARSE("\x02\x00\x07" "_result" TWO "\x05" ONE, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_RESULT && cmd.tid == 2
       && cmd.has_number && cmd.number == 1, "_result of createStream");

    ok(PARSE("\x02\x00\x07" "_result" ONE
             "\x03\x00\x06" "fmsVer" "\x02\x00\x01" "F" END
             "\x03\x00\x05" "level" "\x02\x00\x06" "status"
             "\x00\x04" "code" "\x02\x00\x1d" "NetConnection.Connect.Success"
             "\x00\x04" "data" "\x08\x00\x00\x00\x01"
                 "\x00\x04" "code" "\x02\x00\x01" "x" END
             END, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_RESULT && !cmd.has_number,
       "_result of connect");
    is(&cmd.info.level, "status", "its level");
    is(&cmd.info.code, "NetConnection.Connect.Success", "its code");
    ok(!ngx_osp_rtmp_info_is_error(&cmd.info), "no error");

    ok(PARSE("\x02\x00\x07" "_result" TWO "\x05\x06", 20) == NGX_OK
       && !cmd.has_number && cmd.info.code.len == 0, "_result undefined");
    ok(PARSE("\x02\x00\x07" "_result" TWO, 20) == NGX_OK,
       "_result of nothing");
    ok(PARSE("\x02\x00\x07" "_result" TWO "\x05\x07\x00\x01", 20) == NGX_OK,
       "_result of a reference");

    ok(PARSE("\x02\x00\x06" "_error" ONE "\x05"
             "\x03\x00\x05" "level" "\x02\x00\x05" "error"
             "\x00\x04" "code" "\x02\x00\x1e" "NetConnection.Connect.Rejected"
             "\x00\x0b" "description" "\x02\x00\x02" "no"
             "\x00\x02" "ex" "\x03"
                 "\x00\x04" "code" "\x00\x40\x72\xe0\x00\x00\x00\x00\x00"
                 "\x00\x08" "redirect" "\x02\x00\x0e" "rtmp://b/live/"
                 "\x00\x09" "redirect2" "\x02\x00\x10" "rtmp://b/live/s1"
                 END
             END, 20) == NGX_OK && cmd.name == NGX_OSP_RTMP_ERROR, "_error");
    is(&cmd.info.description, "no", "its description");
    is(&cmd.info.redirect, "rtmp://b/live/", "its redirect");
    is(&cmd.info.redirect2, "rtmp://b/live/s1", "the same with the stream");
    ok(cmd.info.ex_code == 302, "its code");
    ok(ngx_osp_rtmp_info_is_error(&cmd.info), "an error");

    ngx_str_set(&cmd.info.code, "NetConnection.Unheard");
    ok(ngx_osp_rtmp_info_is_error(&cmd.info), "an error by its level");

    ok(PARSE("\x02\x00\x08" "onStatus" ZERO "\x05"
             "\x03\x00\x05" "level" "\x02\x00\x06" "status"
             "\x00\x04" "code" "\x02\x00\x19" "NetStream.Publish.BadName"
             END, 20) == NGX_OK && cmd.name == NGX_OSP_RTMP_ON_STATUS,
       "onStatus");
    ok(ngx_osp_rtmp_info_is_error(&cmd.info), "an error by its code");

    ok(PARSE("\x02\x00\x0b" "onFCPublish" ZERO "\x05"
             "\x03\x00\x04" "code" "\x02\x00\x17" "NetStream.Publish.Start"
             END, 20) == NGX_OK && cmd.name == NGX_OSP_RTMP_ON_FC_PUBLISH,
       "onFCPublish");
    is(&cmd.info.code, "NetStream.Publish.Start", "its code");

    ok(PARSE("\x02\x00\x08" "onBWDone" ZERO "\x05", 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_ON_BW_DONE, "onBWDone");
}


static void
bad(void)
{
    ok(PARSE("", 20) == NGX_ERROR && error != NULL, "empty command");
    ok(PARSE("", 17) == NGX_ERROR && error != NULL, "empty, type 17");
    ok(PARSE("\x00", 17) == NGX_ERROR && error != NULL, "a byte, type 17");
    ok(PARSE(ONE, 20) == NGX_ERROR && error != NULL, "no name");
    ok(PARSE("\x02\x00\x07" "connec", 20) == NGX_ERROR, "name is cut");
    ok(PARSE("\x02\x00\x07" "publish" "\x05", 20) == NGX_ERROR
       && strcmp(error, "command without a transaction id") == 0,
       "no transaction id");
    ok(PARSE("\x02\x00\x07" "publish" "\x00\x3f", 20) == NGX_ERROR,
       "transaction id is cut");
    ok(PARSE("\x02\x00\x07" "publish", 20) == NGX_OK && cmd.tid == 0,
       "name alone");
    ok(PARSE("\x02\x00\x07" "unheard" ONE "\x07", 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_UNKNOWN && cmd.tid == 1,
       "unknown command with what can't be read");
    is(&cmd.text, "unheard", "its name");
    is_uint(cmd.args.len, 1, "its arguments");
    ok(PARSE("\x02\x00\x08" "@setData" "\x02\x00\x01" "x", 20) == NGX_ERROR,
       "a string for the transaction id");
    ok(PARSE("\x02\x00\x00" ONE, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_UNKNOWN, "empty name");
    ok(PARSE("\x02\x00\x07" "CONNECT" ONE, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_UNKNOWN, "names have case");
}


static void
all_names(void)
{
    u_char      buf[64], *p, *last;
    ngx_str_t   str;
    ngx_uint_t  i, n;

    static const char  *names[] = {
        "connect", "createStream", "releaseStream", "FCPublish",
        "FCUnpublish", "FCSubscribe", "FCUnsubscribe", "publish", "play",
        "play2", "pause", "seek", "getStreamLength", "deleteStream",
        "closeStream", "_checkbw", "_result", "_error", "onStatus",
        "onBWDone", "onFCPublish", "onFCUnpublish", "onFCSubscribe", "close"
    };

    n = 0;
    last = buf + sizeof(buf);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        str = unit_str(names[i]);

        p = ngx_osp_rtmp_amf_put_string(buf, last, &str);
        p = ngx_osp_rtmp_amf_put_number(p, last, 5);
        p = ngx_osp_rtmp_amf_put_object(p, last);
        p = ngx_osp_rtmp_amf_put_end(p, last);

        if (parse((char *) buf, p - buf, 20) != NGX_OK
            || cmd.name != NGX_OSP_RTMP_CONNECT + i || cmd.tid != 5)
        {
            diag("%s", names[i]);
            n++;
        }
    }

    is_uint(n, 0, "all names are known");
}


static void
controls(void)
{
    uint32_t    value;
    ngx_uint_t  event;

    ok(ngx_osp_rtmp_user_control_parse((u_char *) "\x00\x06\x01\x02\x03\x04",
                                       6, &event, &value)
       == NGX_OK && event == NGX_OSP_RTMP_PING_REQUEST
       && value == 0x01020304, "ping");
    ok(ngx_osp_rtmp_user_control_parse((u_char *) "\x00\x1f\x01", 3, &event,
                                       &value)
       == NGX_OK && event == 31 && value == 0, "event without a value");
    ok(ngx_osp_rtmp_user_control_parse((u_char *) "\x00", 1, &event, &value)
       == NGX_DECLINED, "no event");
}


/* the messages that were written; msg is the last one */

static ngx_uint_t
reread(ngx_osp_rtmp_out_t *out, u_char *start, ngx_osp_rtmp_message_t *msg,
    u_char *part, size_t size)
{
    u_char                  *pos;
    ngx_uint_t               n;
    ngx_osp_rtmp_asm_t       a;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_reader_t   *r;

    r = ngx_osp_rtmp_reader_create(pool);
    ngx_osp_rtmp_asm_init(&a, part, part + size, NGX_OSP_RTMP_SETUP_TYPES);

    n = 0;
    pos = start;

    while (ngx_osp_rtmp_reader_read(r, &pos, out->pos, &item) == NGX_OK) {
        n += (ngx_osp_rtmp_asm_add(&a, &item, msg) == NGX_OK);
    }

    return pos == out->pos ? n : 0;
}


static void
writers(void)
{
    u_char                  buf[4096], part[4096], text[256];
    ngx_str_t               got, desc, name;
    ngx_osp_rtmp_out_t      out;
    ngx_osp_rtmp_message_t  msg;

    got.data = text;
    desc = unit_str("no server");
    name = unit_str("s1");

    ngx_memzero(&out, sizeof(out));
    out.end = buf + sizeof(buf);

#define RESTART()  out.pos = buf; out.chunk_size = 128

    RESTART();
    ok(ngx_osp_rtmp_write_window_ack_size(&out, 2500000) == NGX_OK
       && ngx_osp_rtmp_write_set_peer_bw(&out, 2500000, 2) == NGX_OK
       && ngx_osp_rtmp_write_user_control(&out, NGX_OSP_RTMP_STREAM_BEGIN, 1)
          == NGX_OK
       && ngx_osp_rtmp_write_ack(&out, 0x01020304) == NGX_OK
       && ngx_osp_rtmp_write_set_chunk_size(&out, 4096) == NGX_OK,
       "control messages");
    got.len = ngx_hex_dump(text, buf, out.pos - buf) - text;
    is_str(&got, "020000000000040500000000002625a0"
                 "020000000000050600000000002625a002"
                 "020000000000060400000000" "000000000001"
                 "020000000000040300000000" "01020304"
                 "020000000000040100000000" "00001000", "their bytes");
    is_uint(out.chunk_size, 4096, "chunk size is taken over");
    ok(ngx_osp_rtmp_write_set_chunk_size(&out, 0) == NGX_ERROR,
       "chunk size 0");

    RESTART();
    ok(ngx_osp_rtmp_write_user_control(&out, NGX_OSP_RTMP_PING_RESPONSE, 7)
       == NGX_OK, "ping response");
    got.len = ngx_hex_dump(text, buf, out.pos - buf) - text;
    is_str(&got, "020000000000060400000000" "000700000007", "its bytes");

    RESTART();
    ok(ngx_osp_rtmp_write_create_stream_result(&out, 4, 1) == NGX_OK,
       "_result of createStream");
    got.len = ngx_hex_dump(text, buf, out.pos - buf) - text;
    is_str(&got, "0300000000001d1400000000" "0200075f726573756c74"
                 "004010000000000000" "05" "003ff0000000000000", "its bytes");

    RESTART();
    ok(ngx_osp_rtmp_write_result(&out, 2) == NGX_OK, "_result");
    got.len = ngx_hex_dump(text, buf, out.pos - buf) - text;
    is_str(&got, "030000000000151400000000" "0200075f726573756c74"
                 "004000000000000000" "05" "06", "its bytes");

    RESTART();
    ok(ngx_osp_rtmp_write_result(&out, 0) == NGX_OK && out.pos == buf,
       "none to transaction 0");

    RESTART();
    ok(ngx_osp_rtmp_write_connect_error(&out, 1, &desc) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && msg.type == 20 && msg.msid == 0 && msg.csid == 3
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_ERROR && cmd.tid == 1, "_error");
    is(&cmd.info.level, "error", "level");
    is(&cmd.info.code, "NetConnection.Connect.Rejected", "code");
    is(&cmd.info.description, "no server", "description");

    RESTART();
    ok(ngx_osp_rtmp_write_on_status(&out, 1, "error",
                                    "NetStream.Publish.BadName", &desc)
       == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && msg.type == 20 && msg.msid == 1 && msg.csid == 5
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_ON_STATUS && cmd.tid == 0, "onStatus");
    is(&cmd.info.level, "error", "level");
    is(&cmd.info.code, "NetStream.Publish.BadName", "code");
    is(&cmd.info.description, "no server", "description");

    RESTART();
    ok(ngx_osp_rtmp_write_on_fc_publish(&out, 1, &desc) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_ON_FC_PUBLISH, "onFCPublish");
    is(&cmd.info.code, "NetStream.Publish.Start", "code");

    RESTART();
    ok(ngx_osp_rtmp_write_on_bw_done(&out) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_ON_BW_DONE && cmd.tid == 0, "onBWDone");

    /* a client's */

    RESTART();
    ok(ngx_osp_rtmp_write_connect(&out, 1, &name, &desc) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_CONNECT && cmd.tid == 1, "connect");
    is(&cmd.connect.app, "s1", "app");
    is(&cmd.connect.tc_url, "no server", "tcUrl");

    RESTART();
    ok(ngx_osp_rtmp_write_command(&out, 0, "createStream", 2) == NGX_OK
       && ngx_osp_rtmp_write_stream_command(&out, 1, "publish", 3, &name,
                                            "live")
          == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 2
       && msg.msid == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_PUBLISH && cmd.tid == 3, "publish");
    is(&cmd.stream, "s1", "stream");
    is(&cmd.publish_type, "live", "type");

    RESTART();
    ok(ngx_osp_rtmp_write_stream_command(&out, 1, "play", 3, &name, NULL)
       == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_PLAY, "play");
    is(&cmd.stream, "s1", "stream");
}


static void
enhanced(void)
{
    u_char                     buf[8192], part[8192], *big;
    ngx_str_t                  got, list;
    ngx_uint_t                 i;
    ngx_osp_rtmp_amf_t         amf;
    ngx_osp_rtmp_out_t         out;
    ngx_osp_rtmp_connect_t     connect;
    ngx_osp_rtmp_message_t     msg;
    ngx_osp_rtmp_amf_value_t   v, w;

    ngx_memzero(&out, sizeof(out));
    ngx_memzero(&connect, sizeof(connect));

    out.end = buf + sizeof(buf);

    RESTART();
    ok(ngx_osp_rtmp_write_connect_result(&out, 1, &connect) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK
       && cmd.name == NGX_OSP_RTMP_RESULT && cmd.tid == 1,
       "_result of connect");
    is(&cmd.info.level, "status", "level");
    is(&cmd.info.code, "NetConnection.Connect.Success", "code");

    for (i = 0; i < cmd.args.len - 6; i++) {
        if (memcmp(cmd.args.data + i, "fourCc", 6) == 0
            || memcmp(cmd.args.data + i, "capsEx", 6) == 0)
        {
            break;
        }
    }

    is_uint(i, cmd.args.len - 6, "nothing of enhanced RTMP");

    ngx_str_set(&list, "\x0a\x00\x00\x00\x01\x02\x00\x04" "hvc1");
    connect.four_cc_list = list;

    ngx_str_set(&connect.video_four_cc_info_map,
                "\x03\x00\x01" "*" ONE "\x00\x00\x09");
    connect.audio_four_cc_info_map = connect.video_four_cc_info_map;
    connect.caps_ex = 15;
    connect.has_caps_ex = 1;
    connect.object_encoding = 3;

    RESTART();
    ok(ngx_osp_rtmp_write_connect_result(&out, 1, &connect) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK,
       "_result of an enhanced connect");

    ngx_osp_rtmp_amf_init(&amf, cmd.args.data,
                          cmd.args.data + cmd.args.len);

    for (i = 0; i < 2; i++) {
        ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK
           && ngx_osp_rtmp_amf_find(&v, "fourCcList", 10, &w) == NGX_OK,
           "fourCcList in object %d", (int) i);

        got = w.raw;
        ok(got.len == list.len && memcmp(got.data, list.data, list.len) == 0,
           "as it came");

        ok(ngx_osp_rtmp_amf_find(&v, "videoFourCcInfoMap", 18, &w) == NGX_OK
           && w.raw.len == 16
           && ngx_osp_rtmp_amf_find(&v, "audioFourCcInfoMap", 18, &w)
              == NGX_OK
           && w.raw.len == 16, "maps");

        ok(ngx_osp_rtmp_amf_find(&v, "capsEx", 6, &w) == NGX_OK
           && w.number == 14, "capsEx without reconnect");
    }

    ok(ngx_osp_rtmp_amf_find(&v, "objectEncoding", 14, &w) == NGX_OK
       && w.number == 0, "objectEncoding is 0");

    big = malloc(8192);
    ngx_memset(big, 0, 8192);

    connect.four_cc_list.data = big;
    connect.four_cc_list.len = 8000;
    connect.video_four_cc_info_map = connect.four_cc_list;
    connect.audio_four_cc_info_map = connect.four_cc_list;
    connect.caps_ex = 1e300;

    RESTART();
    ok(ngx_osp_rtmp_write_connect_result(&out, 1, &connect) == NGX_OK
       && reread(&out, buf, &msg, part, sizeof(part)) == 1
       && parse((char *) msg.payload, msg.len, 20) == NGX_OK,
       "lists that are too long");

    ngx_osp_rtmp_amf_init(&amf, cmd.args.data,
                          cmd.args.data + cmd.args.len);

    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK
       && ngx_osp_rtmp_amf_find(&v, "fourCcList", 10, &w) == NGX_DECLINED
       && ngx_osp_rtmp_amf_find(&v, "capsEx", 6, &w) == NGX_DECLINED
       && ngx_osp_rtmp_amf_find(&v, "mode", 4, &w) == NGX_OK,
       "are not listed back");

    connect.four_cc_list.len = 1024;
    connect.video_four_cc_info_map = connect.four_cc_list;
    connect.audio_four_cc_info_map = connect.four_cc_list;
    connect.caps_ex = -1;

    RESTART();
    ok(ngx_osp_rtmp_write_connect_result(&out, 1, &connect) == NGX_OK,
       "the longest are");

    connect.caps_ex = connect.caps_ex / 0.0 * 0.0;

    RESTART();
    ok(ngx_osp_rtmp_write_connect_result(&out, 1, &connect) == NGX_OK,
       "capsEx that is no number");

    free(big);
}


/* a writer has enough room or writes nothing */

static void
rooms(void)
{
    size_t                  i;
    u_char                 *buf;
    ngx_int_t               rc;
    ngx_str_t               desc;
    ngx_uint_t              n, failed, wrong;
    ngx_osp_rtmp_out_t      out;
    ngx_osp_rtmp_connect_t  connect;

    desc = unit_str("description");
    ngx_memzero(&connect, sizeof(connect));
    ngx_memzero(&out, sizeof(out));

    wrong = 0;
    failed = 0;

    for (n = 0; n < 6; n++) {
        for (i = 0; i < 400; i++) {
            buf = malloc(i + (i == 0));

            out.pos = buf;
            out.end = buf + i;
            out.chunk_size = 128;

            switch (n) {
            case 0:
                rc = ngx_osp_rtmp_write_connect_result(&out, 1, &connect);
                break;
            case 1:
                rc = ngx_osp_rtmp_write_on_status(&out, 1, "status", "c",
                                                  &desc);
                break;
            case 2:
                rc = ngx_osp_rtmp_write_connect_error(&out, 1, &desc);
                break;
            case 3:
                rc = ngx_osp_rtmp_write_window_ack_size(&out, 1);
                break;
            case 4:
                rc = ngx_osp_rtmp_write_set_chunk_size(&out, 4096);
                break;
            default:
                rc = ngx_osp_rtmp_write_connect(&out, 1, &desc, &desc);
            }

            failed += (rc != NGX_OK);

            if ((rc == NGX_OK) != (out.pos != buf) || out.pos > out.end) {
                wrong++;
            }

            if (rc != NGX_OK && out.chunk_size != 128) {
                wrong++;
            }

            free(buf);
        }
    }

    is_uint(wrong, 0, "room is enough, or nothing is written");
    ok(failed > 200, "some had no room");

    buf = malloc(20000);
    ngx_memset(buf, 'x', 20000);

    desc.data = buf;
    desc.len = 9000;

    out.pos = buf;
    out.end = buf + 20000;

    ok(ngx_osp_rtmp_write_on_status(&out, 1, "status", "c", &desc)
       == NGX_ERROR, "too long a description");

    free(buf);
}


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(16384, &unit_log);

    connects();
    streams();
    plays();
    answers();
    bad();
    all_names();
    controls();
    writers();
    enhanced();
    rooms();

    free(heap);

    ngx_destroy_pool(pool);

    return done();
}
