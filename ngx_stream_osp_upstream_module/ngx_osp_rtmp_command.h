
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * RTMP commands: parsing those of clients and servers, writing ours.  Pure:
 * allocates nothing, results point into the payload.  Sections cited are
 * those of RTMP 1.0; "enhanced RTMP" is "Enhanced RTMP (V2)" of veovera.org.
 */


#ifndef _NGX_OSP_RTMP_COMMAND_H_INCLUDED_
#define _NGX_OSP_RTMP_COMMAND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_chunk.h"
#include "ngx_osp_rtmp_amf.h"


#define NGX_OSP_RTMP_COMMAND_MAX       8192    /* payload that we write */

/* user control events, 7.1.7 */

#define NGX_OSP_RTMP_STREAM_BEGIN      0
#define NGX_OSP_RTMP_STREAM_EOF        1
#define NGX_OSP_RTMP_STREAM_DRY        2
#define NGX_OSP_RTMP_SET_BUFFER_LENGTH 3
#define NGX_OSP_RTMP_STREAM_RECORDED   4
#define NGX_OSP_RTMP_PING_REQUEST      6
#define NGX_OSP_RTMP_PING_RESPONSE     7

/* bits of capsEx, enhanced RTMP */

#define NGX_OSP_RTMP_CAPS_RECONNECT    0x01


typedef enum {
    NGX_OSP_RTMP_UNKNOWN = 0,

    /* of a client, 7.2 */
    NGX_OSP_RTMP_CONNECT,
    NGX_OSP_RTMP_CREATE_STREAM,
    NGX_OSP_RTMP_RELEASE_STREAM,
    NGX_OSP_RTMP_FC_PUBLISH,
    NGX_OSP_RTMP_FC_UNPUBLISH,
    NGX_OSP_RTMP_FC_SUBSCRIBE,
    NGX_OSP_RTMP_FC_UNSUBSCRIBE,
    NGX_OSP_RTMP_PUBLISH,
    NGX_OSP_RTMP_PLAY,
    NGX_OSP_RTMP_PLAY2,
    NGX_OSP_RTMP_PAUSE,
    NGX_OSP_RTMP_SEEK,
    NGX_OSP_RTMP_GET_STREAM_LENGTH,
    NGX_OSP_RTMP_DELETE_STREAM,
    NGX_OSP_RTMP_CLOSE_STREAM,
    NGX_OSP_RTMP_CHECK_BW,

    /* of a server */
    NGX_OSP_RTMP_RESULT,
    NGX_OSP_RTMP_ERROR,
    NGX_OSP_RTMP_ON_STATUS,
    NGX_OSP_RTMP_ON_BW_DONE,
    NGX_OSP_RTMP_ON_FC_PUBLISH,
    NGX_OSP_RTMP_ON_FC_UNPUBLISH,
    NGX_OSP_RTMP_ON_FC_SUBSCRIBE,
    NGX_OSP_RTMP_CLOSE
} ngx_osp_rtmp_name_e;


/* the command object of connect, 7.2.1.1; what is absent has length 0 */

typedef struct {
    ngx_str_t               app;
    ngx_str_t               tc_url;
    ngx_str_t               flash_ver;
    ngx_str_t               swf_url;
    ngx_str_t               page_url;
    ngx_str_t               type;        /* "nonprivate" */
    double                  object_encoding;

    /* enhanced RTMP; the first three are values of AMF0 as received */
    ngx_str_t               four_cc_list;
    ngx_str_t               video_four_cc_info_map;
    ngx_str_t               audio_four_cc_info_map;
    double                  caps_ex;
    unsigned                has_caps_ex:1;
} ngx_osp_rtmp_connect_t;


/* an info object: of onStatus, _result and _error, 7.2.2 */

typedef struct {
    ngx_str_t               level;
    ngx_str_t               code;
    ngx_str_t               description;
    double                  ex_code;     /* 302 */
    ngx_str_t               redirect;    /* tcUrl to go to */
    ngx_str_t               redirect2;   /* the same with the stream, SRS */
} ngx_osp_rtmp_info_t;


typedef struct {
    ngx_osp_rtmp_name_e     name;
    ngx_str_t               text;        /* the name as received */
    double                  tid;         /* 0 if there is none */
    ngx_str_t               args;        /* raw values after the tid */

    /*
     * publish, play, play2, releaseStream, FC*, getStreamLength; deleteStream
     * of some clients
     */
    ngx_str_t               stream;

    /* publish: "live", "record", "append" or empty */
    ngx_str_t               publish_type;

    /* play, 7.2.2.1: -2, -1, 1 if absent */
    double                  start;
    double                  duration;
    ngx_uint_t              reset;

    /* deleteStream: the message stream; _result: the number in it */
    double                  number;
    unsigned                has_number:1;

    ngx_osp_rtmp_connect_t  connect;
    ngx_osp_rtmp_info_t     info;
} ngx_osp_rtmp_command_t;


/*
 * Parses the payload of a message of type 20 or 17 (0 byte, then AMF0).
 * Reads as far as the command needs, so trailing arguments can't fail it.
 * NGX_OK, also for a command of unknown name; NGX_ERROR (*error tells).
 */
ngx_int_t ngx_osp_rtmp_command_parse(u_char *payload, size_t len,
    ngx_uint_t type, ngx_osp_rtmp_command_t *cmd, const char **error);

/*
 * Parses a user control message, 6.2: *value is the first 32 bit number of
 * it (message stream or time), 0 if there is none.  NGX_OK or NGX_DECLINED
 * (too short).
 */
ngx_int_t ngx_osp_rtmp_user_control_parse(u_char *payload, size_t len,
    ngx_uint_t *event, uint32_t *value);

/* 1 if the client understands that it is asked to connect anew */
ngx_uint_t ngx_osp_rtmp_connect_reconnects(ngx_osp_rtmp_connect_t *connect);

/* 1 if it says that the server refuses: its level or its code tells */
ngx_uint_t ngx_osp_rtmp_info_is_error(ngx_osp_rtmp_info_t *info);


/*
 * Writers of whole messages at timestamp 0; see ngx_osp_rtmp_out_t for room
 * and results.  Strings are copied.
 */

/* what follows in out is then cut at that size */
ngx_int_t ngx_osp_rtmp_write_set_chunk_size(ngx_osp_rtmp_out_t *out,
    uint32_t size);

ngx_int_t ngx_osp_rtmp_write_ack(ngx_osp_rtmp_out_t *out, uint32_t bytes);
ngx_int_t ngx_osp_rtmp_write_window_ack_size(ngx_osp_rtmp_out_t *out,
    uint32_t size);

/* limit type: 0 hard, 1 soft, 2 dynamic, 5.4.5 */
ngx_int_t ngx_osp_rtmp_write_set_peer_bw(ngx_osp_rtmp_out_t *out,
    uint32_t size, ngx_uint_t limit);

/* value: message stream, or for pings the timestamp */
ngx_int_t ngx_osp_rtmp_write_user_control(ngx_osp_rtmp_out_t *out,
    ngx_uint_t event, uint32_t value);

/*
 * _result of connect with NetConnection.Connect.Success, objectEncoding 0
 * and the client's enhanced RTMP properties, but never the reconnect bit.
 * They are in both objects, as "Enhancing NetConnection connect Command" does
 * not tell in which.
 */
ngx_int_t ngx_osp_rtmp_write_connect_result(ngx_osp_rtmp_out_t *out,
    double tid, ngx_osp_rtmp_connect_t *connect);

/* _error of connect with NetConnection.Connect.Rejected */
ngx_int_t ngx_osp_rtmp_write_connect_error(ngx_osp_rtmp_out_t *out,
    double tid, ngx_str_t *description);

/* _result of createStream: message stream 1 unless told otherwise */
ngx_int_t ngx_osp_rtmp_write_create_stream_result(ngx_osp_rtmp_out_t *out,
    double tid, double msid);

/* _result(tid, null, undefined) of other commands; none if tid is 0, 7.2.1 */
ngx_int_t ngx_osp_rtmp_write_result(ngx_osp_rtmp_out_t *out, double tid);

ngx_int_t ngx_osp_rtmp_write_on_bw_done(ngx_osp_rtmp_out_t *out);

/* onFCPublish with NetStream.Publish.Start */
ngx_int_t ngx_osp_rtmp_write_on_fc_publish(ngx_osp_rtmp_out_t *out,
    uint32_t msid, ngx_str_t *description);

/* level is "status", "warning" or "error", 7.2.2 */
ngx_int_t ngx_osp_rtmp_write_on_status(ngx_osp_rtmp_out_t *out,
    uint32_t msid, const char *level, const char *code,
    ngx_str_t *description);


/* the client's side, for health checks and tests */

ngx_int_t ngx_osp_rtmp_write_connect(ngx_osp_rtmp_out_t *out, double tid,
    ngx_str_t *app, ngx_str_t *tc_url);

/* a command without arguments: createStream and the like */
ngx_int_t ngx_osp_rtmp_write_command(ngx_osp_rtmp_out_t *out, uint32_t msid,
    const char *name, double tid);

/* a command with the stream's name, and a type unless NULL: publish, play */
ngx_int_t ngx_osp_rtmp_write_stream_command(ngx_osp_rtmp_out_t *out,
    uint32_t msid, const char *name, double tid, ngx_str_t *stream,
    const char *type);


#endif /* _NGX_OSP_RTMP_COMMAND_H_INCLUDED_ */
