
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_rtmp_media.h"


/* FLV, E.4.2.1, E.4.3.1; 12 and 13 are what CDNs use for HEVC and AV1 */

#define NGX_OSP_RTMP_CODEC_AAC     10
#define NGX_OSP_RTMP_CODEC_AVC     7
#define NGX_OSP_RTMP_CODEC_HEVC    12
#define NGX_OSP_RTMP_CODEC_AV1     13

#define NGX_OSP_RTMP_FRAME_KEY     1
#define NGX_OSP_RTMP_FRAME_COMMAND 5

#define NGX_OSP_RTMP_AUDIO_EX      9

/* packet types of Enhanced RTMP */

#define NGX_OSP_RTMP_EX_START      0
#define NGX_OSP_RTMP_EX_CODED      1
#define NGX_OSP_RTMP_EX_END        2
#define NGX_OSP_RTMP_EX_CODED_X    3      /* video, no composition time */
#define NGX_OSP_RTMP_EX_CONFIG     4
#define NGX_OSP_RTMP_EX_MPEG2TS    5      /* video */
#define NGX_OSP_RTMP_EX_AUDIO_MANY 5
#define NGX_OSP_RTMP_EX_VIDEO_MANY 6
#define NGX_OSP_RTMP_EX_MOD        7

#define NGX_OSP_RTMP_MANY_CODECS   2
#define NGX_OSP_RTMP_MOD_NANO      0

/* type, size, time, stream id of a message in an aggregate */

#define NGX_OSP_RTMP_TAG_HEADER    11

#define ngx_osp_rtmp_fourcc(a, b, c, d)                                       \
    ((uint32_t) (a) << 24 | (uint32_t) (b) << 16                              \
     | (uint32_t) (c) << 8 | (uint32_t) (d))

#define ngx_osp_rtmp_u24(p)                                                   \
    ((uint32_t) (p)[0] << 16 | (uint32_t) (p)[1] << 8 | (uint32_t) (p)[2])


/* a message that is read from its start */

typedef struct {
    u_char                 *pos;
    u_char                 *last;        /* of what is there */
    size_t                  left;        /* of the message, from pos on */
    ngx_uint_t              cut;         /* no more than that is looked at */

    ngx_uint_t              packet;      /* type */
    ngx_uint_t              many;        /* type of multitrack */
} ngx_osp_rtmp_tag_t;


static ngx_int_t ngx_osp_rtmp_frame_type(ngx_osp_rtmp_frame_t *frame,
    ngx_uint_t type, ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_video(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_audio(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_ex(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag, ngx_uint_t command);
static ngx_int_t ngx_osp_rtmp_frame_mod(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_track(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_composition(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_data(ngx_osp_rtmp_frame_t *frame,
    ngx_uint_t type, ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_frame_aggregate(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag);
static ngx_int_t ngx_osp_rtmp_tag_need(ngx_osp_rtmp_tag_t *tag, size_t n);
static void ngx_osp_rtmp_tag_skip(ngx_osp_rtmp_tag_t *tag, size_t n);


ngx_int_t
ngx_osp_rtmp_frame_parse(ngx_osp_rtmp_frame_t *frame, ngx_uint_t type,
    u_char *p, size_t len, size_t mlen)
{
    ngx_osp_rtmp_tag_t  tag;

    ngx_memzero(&tag, sizeof(ngx_osp_rtmp_tag_t));

    len = ngx_min(len, mlen);

    /* what is behind that is not looked at, so that it makes no difference */

    tag.cut = (len >= NGX_OSP_RTMP_MEDIA_PEEK);
    len = ngx_min(len, NGX_OSP_RTMP_MEDIA_PEEK);

    tag.pos = p;
    tag.last = p + len;
    tag.left = mlen;

    return ngx_osp_rtmp_frame_type(frame, type, &tag);
}


/* NGX_OK, NGX_AGAIN */

static ngx_int_t
ngx_osp_rtmp_frame_type(ngx_osp_rtmp_frame_t *frame, ngx_uint_t type,
    ngx_osp_rtmp_tag_t *tag)
{
    ngx_int_t  rc;

    ngx_memzero(frame, sizeof(ngx_osp_rtmp_frame_t));

    switch (type) {

    case NGX_OSP_RTMP_AUDIO:
        rc = ngx_osp_rtmp_frame_audio(frame, tag);
        break;

    case NGX_OSP_RTMP_VIDEO:
        rc = ngx_osp_rtmp_frame_video(frame, tag);
        break;

    case NGX_OSP_RTMP_AMF0_DATA:
    case NGX_OSP_RTMP_AMF3_DATA:
        rc = ngx_osp_rtmp_frame_data(frame, type, tag);
        break;

    case NGX_OSP_RTMP_AGGREGATE:
        rc = ngx_osp_rtmp_frame_aggregate(frame, tag);
        break;

    default:
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        frame->kind = NGX_OSP_RTMP_MEDIA_UNKNOWN;
        return NGX_OK;
    }

    return rc;
}


/* NGX_OK, NGX_AGAIN, NGX_DECLINED: makes no sense; as those that follow */

static ngx_int_t
ngx_osp_rtmp_frame_video(ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_tag_t *tag)
{
    ngx_int_t   rc;
    ngx_uint_t  type;

    frame->video = 1;

    rc = ngx_osp_rtmp_tag_need(tag, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    type = (tag->pos[0] >> 4) & 7;
    frame->key = (type == NGX_OSP_RTMP_FRAME_KEY);

    if (tag->pos[0] & 0x80) {
        return ngx_osp_rtmp_frame_ex(frame, tag,
                                     type == NGX_OSP_RTMP_FRAME_COMMAND);
    }

    frame->codec = tag->pos[0] & 0x0f;

    if (type == NGX_OSP_RTMP_FRAME_COMMAND) {
        frame->kind = NGX_OSP_RTMP_MEDIA_COMMAND;
        return NGX_OK;
    }

    if (frame->codec != NGX_OSP_RTMP_CODEC_AVC
        && frame->codec != NGX_OSP_RTMP_CODEC_HEVC
        && frame->codec != NGX_OSP_RTMP_CODEC_AV1)
    {
        frame->kind = NGX_OSP_RTMP_MEDIA_FRAME;
        return NGX_OK;
    }

    rc = ngx_osp_rtmp_tag_need(tag, 2);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (tag->pos[1]) {

    case NGX_OSP_RTMP_EX_START:
        frame->kind = NGX_OSP_RTMP_MEDIA_HEADER;
        return NGX_OK;

    case NGX_OSP_RTMP_EX_CODED:
        ngx_osp_rtmp_tag_skip(tag, 2);
        return ngx_osp_rtmp_frame_composition(frame, tag);

    case NGX_OSP_RTMP_EX_END:
        frame->kind = NGX_OSP_RTMP_MEDIA_END;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_osp_rtmp_frame_audio(ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_tag_t *tag)
{
    ngx_int_t  rc;

    frame->audio = 1;

    rc = ngx_osp_rtmp_tag_need(tag, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    frame->codec = tag->pos[0] >> 4;

    if (frame->codec == NGX_OSP_RTMP_AUDIO_EX) {
        return ngx_osp_rtmp_frame_ex(frame, tag, 0);
    }

    frame->kind = NGX_OSP_RTMP_MEDIA_FRAME;

    if (frame->codec != NGX_OSP_RTMP_CODEC_AAC) {
        return NGX_OK;
    }

    rc = ngx_osp_rtmp_tag_need(tag, 2);
    if (rc != NGX_OK) {
        return rc;
    }

    if (tag->pos[1] == NGX_OSP_RTMP_EX_START) {
        frame->kind = NGX_OSP_RTMP_MEDIA_HEADER;
    }

    return NGX_OK;
}


/* ExVideoTagHeader, ExAudioTagHeader; command: of a video message */

static ngx_int_t
ngx_osp_rtmp_frame_ex(ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_tag_t *tag,
    ngx_uint_t command)
{
    ngx_int_t  rc;

    frame->enhanced = 1;
    frame->codec = 0;

    tag->packet = tag->pos[0] & 0x0f;
    ngx_osp_rtmp_tag_skip(tag, 1);

    while (tag->packet == NGX_OSP_RTMP_EX_MOD) {
        rc = ngx_osp_rtmp_frame_mod(frame, tag);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (command && tag->packet != NGX_OSP_RTMP_EX_CONFIG) {
        frame->kind = NGX_OSP_RTMP_MEDIA_COMMAND;
        return NGX_OK;
    }

    rc = ngx_osp_rtmp_frame_track(frame, tag);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (tag->packet) {

    case NGX_OSP_RTMP_EX_START:
        frame->kind = NGX_OSP_RTMP_MEDIA_HEADER;
        return NGX_OK;

    case NGX_OSP_RTMP_EX_CODED:

        if (frame->codec == ngx_osp_rtmp_fourcc('a', 'v', 'c', '1')
            || frame->codec == ngx_osp_rtmp_fourcc('h', 'v', 'c', '1')
            || frame->codec == ngx_osp_rtmp_fourcc('v', 'v', 'c', '1'))
        {
            return ngx_osp_rtmp_frame_composition(frame, tag);
        }

        frame->kind = NGX_OSP_RTMP_MEDIA_FRAME;
        return NGX_OK;

    case NGX_OSP_RTMP_EX_END:
        frame->kind = NGX_OSP_RTMP_MEDIA_END;
        return NGX_OK;

    case NGX_OSP_RTMP_EX_CONFIG:
        frame->kind = NGX_OSP_RTMP_MEDIA_CONFIG;
        return NGX_OK;

    case NGX_OSP_RTMP_EX_CODED_X:

        if (frame->video) {
            frame->kind = NGX_OSP_RTMP_MEDIA_FRAME;
            return NGX_OK;
        }

        break;

    case NGX_OSP_RTMP_EX_MPEG2TS:

        if (frame->video) {
            frame->kind = NGX_OSP_RTMP_MEDIA_HEADER;
            return NGX_OK;
        }

        break;
    }

    return NGX_DECLINED;
}


/* a modifier, behind which is another packet type */

static ngx_int_t
ngx_osp_rtmp_frame_mod(ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_tag_t *tag)
{
    size_t     size;
    u_char    *p;
    ngx_int_t  rc;

    rc = ngx_osp_rtmp_tag_need(tag, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    size = (size_t) tag->pos[0] + 1;
    ngx_osp_rtmp_tag_skip(tag, 1);

    if (size == 256) {
        rc = ngx_osp_rtmp_tag_need(tag, 2);
        if (rc != NGX_OK) {
            return rc;
        }

        size = ((size_t) tag->pos[0] << 8 | tag->pos[1]) + 1;
        ngx_osp_rtmp_tag_skip(tag, 2);
    }

    rc = ngx_osp_rtmp_tag_need(tag, size + 1);
    if (rc != NGX_OK) {
        return rc;
    }

    p = tag->pos;

    if (p[size] >> 4 == NGX_OSP_RTMP_MOD_NANO && size >= 3) {
        frame->nano += ngx_osp_rtmp_u24(p);
    }

    tag->packet = p[size] & 0x0f;
    ngx_osp_rtmp_tag_skip(tag, size + 1);

    return NGX_OK;
}


/* the codec, and the number of the first track */

static ngx_int_t
ngx_osp_rtmp_frame_track(ngx_osp_rtmp_frame_t *frame, ngx_osp_rtmp_tag_t *tag)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   rc;
    ngx_uint_t  many;

    many = (tag->packet == (frame->video ? NGX_OSP_RTMP_EX_VIDEO_MANY
                                         : NGX_OSP_RTMP_EX_AUDIO_MANY));

    if (!many) {
        rc = ngx_osp_rtmp_tag_need(tag, 4);

        if (rc == NGX_OK) {
            p = tag->pos;
            frame->codec = ngx_osp_rtmp_fourcc(p[0], p[1], p[2], p[3]);
            ngx_osp_rtmp_tag_skip(tag, 4);
        }

        return rc;
    }

    rc = ngx_osp_rtmp_tag_need(tag, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    tag->many = tag->pos[0] >> 4;
    tag->packet = tag->pos[0] & 0x0f;
    ngx_osp_rtmp_tag_skip(tag, 1);

    if (tag->many > NGX_OSP_RTMP_MANY_CODECS
        || tag->packet == NGX_OSP_RTMP_EX_MOD
        || tag->packet == (frame->video ? NGX_OSP_RTMP_EX_VIDEO_MANY
                                        : NGX_OSP_RTMP_EX_AUDIO_MANY))
    {
        return NGX_DECLINED;
    }

    frame->many = (tag->many != 0);

    len = 4 + 1 + (frame->many ? 3 : 0);

    rc = ngx_osp_rtmp_tag_need(tag, len);
    if (rc != NGX_OK) {
        return rc;
    }

    p = tag->pos;
    frame->codec = ngx_osp_rtmp_fourcc(p[0], p[1], p[2], p[3]);
    frame->track = p[4];

    ngx_osp_rtmp_tag_skip(tag, len);

    return NGX_OK;
}


/* a signed number of 24 bits */

static ngx_int_t
ngx_osp_rtmp_frame_composition(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag)
{
    ngx_int_t  rc;
    uint32_t   value;

    rc = ngx_osp_rtmp_tag_need(tag, 3);
    if (rc != NGX_OK) {
        return rc;
    }

    value = ngx_osp_rtmp_u24(tag->pos);

    if (value & 0x800000) {
        value |= 0xff000000;
    }

    frame->composition = (int32_t) value;
    frame->kind = NGX_OSP_RTMP_MEDIA_FRAME;

    return NGX_OK;
}


/* AMF0; in front of it is a zero if the type is that of AMF3 */

static ngx_int_t
ngx_osp_rtmp_frame_data(ngx_osp_rtmp_frame_t *frame, ngx_uint_t type,
    ngx_osp_rtmp_tag_t *tag)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("\x02\x00\x0d@setDataFrame"),
        ngx_string("\x02\x00\x0aonMetaData")
    };

    frame->kind = NGX_OSP_RTMP_MEDIA_DATA;

    if (type == NGX_OSP_RTMP_AMF3_DATA) {
        rc = ngx_osp_rtmp_tag_need(tag, 1);

        if (rc != NGX_OK) {
            return rc;
        }

        if (tag->pos[0] == 0) {
            ngx_osp_rtmp_tag_skip(tag, 1);
        }
    }

    for (i = 0; i < 2; i++) {

        if (tag->left < names[i].len) {
            continue;
        }

        rc = ngx_osp_rtmp_tag_need(tag, names[i].len);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_memcmp(tag->pos, names[i].data, names[i].len) != 0) {
            continue;
        }

        if (i == 1) {
            frame->kind = NGX_OSP_RTMP_MEDIA_METADATA;
            return NGX_OK;
        }

        ngx_osp_rtmp_tag_skip(tag, names[i].len);
    }

    return NGX_OK;
}


/* it counts as its first message, which is a frame if not data */

static ngx_int_t
ngx_osp_rtmp_frame_aggregate(ngx_osp_rtmp_frame_t *frame,
    ngx_osp_rtmp_tag_t *tag)
{
    size_t      size;
    ngx_int_t   rc;
    ngx_uint_t  type;

    rc = ngx_osp_rtmp_tag_need(tag, NGX_OSP_RTMP_TAG_HEADER);
    if (rc != NGX_OK) {
        return rc;
    }

    type = tag->pos[0];
    size = ngx_osp_rtmp_u24(tag->pos + 1);

    ngx_osp_rtmp_tag_skip(tag, NGX_OSP_RTMP_TAG_HEADER);

    tag->left = ngx_min(tag->left, size);

    if ((size_t) (tag->last - tag->pos) > tag->left) {
        tag->last = tag->pos + tag->left;
    }

    if (type == NGX_OSP_RTMP_AUDIO) {
        rc = ngx_osp_rtmp_frame_audio(frame, tag);

    } else if (type == NGX_OSP_RTMP_VIDEO) {
        rc = ngx_osp_rtmp_frame_video(frame, tag);

    } else {
        frame->kind = NGX_OSP_RTMP_MEDIA_DATA;
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        frame->kind = NGX_OSP_RTMP_MEDIA_FRAME;
    }

    return rc;
}


static ngx_int_t
ngx_osp_rtmp_tag_need(ngx_osp_rtmp_tag_t *tag, size_t n)
{
    if ((size_t) (tag->last - tag->pos) >= n) {
        return NGX_OK;
    }

    return (tag->left < n || tag->cut) ? NGX_DECLINED : NGX_AGAIN;
}


static void
ngx_osp_rtmp_tag_skip(ngx_osp_rtmp_tag_t *tag, size_t n)
{
    tag->pos += n;
    tag->left -= n;
}


ngx_int_t
ngx_osp_rtmp_frame_tracks(ngx_uint_t type, u_char *p, size_t len, u_char *set)
{
    size_t                size;
    ngx_uint_t            codec;
    ngx_osp_rtmp_tag_t    tag;
    ngx_osp_rtmp_frame_t  frame;

    ngx_memzero(set, 32);
    ngx_memzero(&tag, sizeof(ngx_osp_rtmp_tag_t));

    tag.pos = p;
    tag.last = p + len;
    tag.left = len;

    (void) ngx_osp_rtmp_frame_type(&frame, type, &tag);

    if (frame.kind == NGX_OSP_RTMP_MEDIA_UNKNOWN) {
        return NGX_DECLINED;
    }

    set[frame.track / 8] |= (u_char) (1 << frame.track % 8);

    if (!frame.many) {
        return NGX_OK;
    }

    /* the first one has a codec in front, others only if these differ */

    codec = (tag.many == NGX_OSP_RTMP_MANY_CODECS) ? 4 : 0;

    for ( ;; ) {
        size = ngx_osp_rtmp_u24(tag.pos - 3);

        if (size >= tag.left) {
            return (size == tag.left) ? NGX_OK : NGX_DECLINED;
        }

        ngx_osp_rtmp_tag_skip(&tag, size);

        if (ngx_osp_rtmp_tag_need(&tag, codec + 4) != NGX_OK) {
            return NGX_DECLINED;
        }

        set[tag.pos[codec] / 8] |= (u_char) (1 << tag.pos[codec] % 8);

        ngx_osp_rtmp_tag_skip(&tag, codec + 4);
    }
}
