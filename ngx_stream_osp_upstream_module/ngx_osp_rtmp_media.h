
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What the audio, video and data messages of a stream are, and how it goes on
 * when its receiver, or its sender, is another one.  Pure: knows no session,
 * does no input or output, allocates from the pool that it is given.
 *
 * Sections cited are those of "Video File Format Specification", 10.1 (FLV),
 * and of "Enhanced RTMP", v2.
 *
 *
 * How it is used.  One ngx_osp_rtmp_media_t per direction that matters, next
 * to the reader of that direction:
 *
 * 1. While nothing is wrong, bytes pass as they are, and are watched:
 *    ngx_osp_rtmp_media_pass() in place of ngx_osp_rtmp_reader_pass().  It
 *    keeps the latest headers, and the time of the last message.
 *
 * 2. The receiver is another one (a publisher is moved): the same reader goes
 *    on.  ngx_osp_rtmp_track_reset(); ngx_osp_rtmp_media_move(media, 0); the
 *    receiver is told the sender's chunk size, once: that which is in force,
 *    ngx_osp_rtmp_reader_chunk_size().  Then each item of the reader
 *    goes to ngx_osp_rtmp_media_item(), which writes what the receiver is to
 *    get, if anything.
 *
 * 3. The sender is another one (a player is moved): what the receiver has got
 *    half is ended, ngx_osp_rtmp_reader_finish(); the reader is reset;
 *    ngx_osp_rtmp_track_reset(); ngx_osp_rtmp_media_move(media, 1); and, until
 *    media passes, ngx_osp_rtmp_media_time() says when it is.  The receiver is
 *    told the chunk size of the new sender where that differs.  Items go to
 *    ngx_osp_rtmp_media_item() from then on.
 *
 * How it goes on, after ngx_osp_rtmp_media_move():
 *
 * - The rest of a message that had begun before is dropped.
 * - Control and command messages pass.  All other messages are dropped until
 *   it begins; headers and metadata are kept.
 * - It begins at a key frame of the main track: the lowest number that was
 *   seen, and which is 0 for what is not multitrack.  If no video was ever
 *   seen, or none for NGX_OSP_RTMP_MEDIA_NO_VIDEO of media time, it begins at
 *   an audio frame.
 * - Then, in front of that frame and with its time, all that is kept is
 *   written: onMetaData, headers, colorInfo and MultichannelConfig.
 * - Each other video track waits for a key frame of its own.  A message with
 *   several tracks counts as its first one.
 * - Leading pictures are dropped: those behind the key frame whose time of
 *   composition is before that of the key frame, until the first one which
 *   is not.  Audio older than the frame at which it began is dropped, too,
 *   unless it is older by NGX_OSP_RTMP_MEDIA_LATE: then its clock is another.
 * - The first message on each chunk stream has fmt 0; composition times and
 *   payloads are never changed, timestamps by one offset if at all.
 *
 * An aggregate message counts as its first one; headers in it are not kept.
 * Messages of all message streams are taken for those of one.
 */


#ifndef _NGX_OSP_RTMP_MEDIA_H_INCLUDED_
#define _NGX_OSP_RTMP_MEDIA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_rtmp_chunk.h"


/*
 * So many bytes at the start of a message say what it is, unless a modifier
 * (ModEx) is longer than any that is known.
 */

#define NGX_OSP_RTMP_MEDIA_PEEK        64

/* what is kept: messages, and bytes in one of them and (a default) in all */

#define NGX_OSP_RTMP_MEDIA_ENTRIES     48
#define NGX_OSP_RTMP_MEDIA_ENTRY_MAX   16384
#define NGX_OSP_RTMP_MEDIA_MAX         65536

/* video tracks that are told apart; more of them pass once it has begun */

#define NGX_OSP_RTMP_MEDIA_TRACKS      16

/* of the time in timestamps, ms */

#define NGX_OSP_RTMP_MEDIA_NO_VIDEO    3000
#define NGX_OSP_RTMP_MEDIA_LATE        2000

#define NGX_OSP_RTMP_MEDIA_TYPES       (NGX_OSP_RTMP_TYPE(8)                  \
                                        | NGX_OSP_RTMP_TYPE(9)                \
                                        | NGX_OSP_RTMP_TYPE(22)               \
                                        | NGX_OSP_RTMP_DATA_TYPES)


typedef enum {
    NGX_OSP_RTMP_MEDIA_NONE = 0,     /* control, command, shared object ... */
    NGX_OSP_RTMP_MEDIA_FRAME,        /* coded picture or sound */
    NGX_OSP_RTMP_MEDIA_HEADER,       /* sequence start */
    NGX_OSP_RTMP_MEDIA_CONFIG,       /* colorInfo, MultichannelConfig */
    NGX_OSP_RTMP_MEDIA_END,          /* sequence end */
    NGX_OSP_RTMP_MEDIA_COMMAND,      /* frame type 5: seek began, ended */
    NGX_OSP_RTMP_MEDIA_METADATA,     /* onMetaData, @setDataFrame or not */
    NGX_OSP_RTMP_MEDIA_DATA,         /* other data */
    NGX_OSP_RTMP_MEDIA_UNKNOWN       /* empty, cut, of an unknown kind */
} ngx_osp_rtmp_media_e;


/* what the first bytes of a message say */

typedef struct {
    ngx_osp_rtmp_media_e    kind;
    uint32_t                codec;       /* FourCC, or a number of FLV */
    int32_t                 composition; /* ms, 0 where there is none */
    uint32_t                nano;        /* ns, from a modifier */
    ngx_uint_t              track;       /* of the first one; 0: default */

    unsigned                audio:1;
    unsigned                video:1;
    unsigned                enhanced:1;
    unsigned                key:1;       /* frame type 1, whatever the kind */
    unsigned                many:1;      /* several tracks in one message */
} ngx_osp_rtmp_frame_t;


typedef struct ngx_osp_rtmp_media_s    ngx_osp_rtmp_media_t;


/*
 * Tells what a message of that type is by its first len bytes; mlen is the
 * length of the whole.  NGX_OK; NGX_AGAIN: more bytes are needed (never if len
 * is NGX_OSP_RTMP_MEDIA_PEEK or more, or mlen).  A message that makes no sense
 * is NGX_OSP_RTMP_MEDIA_UNKNOWN, not an error.
 */
ngx_int_t ngx_osp_rtmp_frame_parse(ngx_osp_rtmp_frame_t *frame,
    ngx_uint_t type, u_char *p, size_t len, size_t mlen);

/*
 * The tracks of a whole message as a set of 256 bits.  NGX_OK, or
 * NGX_DECLINED if its parts don't make sense.
 */
ngx_int_t ngx_osp_rtmp_frame_tracks(ngx_uint_t type, u_char *p, size_t len,
    u_char *set);


/*
 * About 2 KB from the pool, and what is kept: at most max bytes (0: the
 * default), messages that come in pieces included.  NULL if there is no
 * memory.
 */
ngx_osp_rtmp_media_t *ngx_osp_rtmp_media_create(ngx_pool_t *pool, size_t max);

/*
 * Watches [*pos, last): reads on and stops where ngx_osp_rtmp_reader_pass()
 * does for these types, which must be none of NGX_OSP_RTMP_MEDIA_TYPES, with
 * the same results.  Messages may be read by others in between.
 */
ngx_int_t ngx_osp_rtmp_media_pass(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_reader_t *r, u_char **pos, u_char *last, uint32_t types);

/* the same for an item that was read */
void ngx_osp_rtmp_media_watch(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item);

/*
 * The receiver is another one, or, if sender is set, the sender is, whose
 * headers are not those that are kept.
 */
void ngx_osp_rtmp_media_move(ngx_osp_rtmp_media_t *m, ngx_uint_t sender);

/*
 * The first message that passes is to have this timestamp; from then on that
 * offset is added to those of audio, video and data.  May be called again
 * until it has begun.
 */
void ngx_osp_rtmp_media_time(ngx_osp_rtmp_media_t *m, uint32_t timestamp);

/*
 * To be called for each item after a move, in order, with the message stream
 * id that the receiver shall see.  Writes to out what the receiver is to get:
 * nothing, or a header and the payload, and in front of them what was kept.
 * out->track is that of the receiver, out->chunk_size the one in force for
 * it, which is the sender's.
 *
 * NGX_OK; NGX_ERROR: no room, which is not so if there was
 * ngx_osp_rtmp_media_room(), or too many chunk streams.
 *
 * Commands whose payload is to be changed, and control messages that are not
 * to pass, are not given to it.
 */
ngx_int_t ngx_osp_rtmp_media_item(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, uint32_t msid, ngx_osp_rtmp_out_t *out);

/* the room in out that it may need at most */
size_t ngx_osp_rtmp_media_room(ngx_osp_rtmp_media_t *m,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_out_t *out);

/* 1 after a move, until something has passed */
ngx_uint_t ngx_osp_rtmp_media_waiting(ngx_osp_rtmp_media_t *m);

/*
 * 1 if nothing is left out any more, and nothing held: messages may be watched
 * again until the next move
 */
ngx_uint_t ngx_osp_rtmp_media_settle(ngx_osp_rtmp_media_t *m);

/* frames of audio and video seen in all; headers are none */
ngx_uint_t ngx_osp_rtmp_media_frames(ngx_osp_rtmp_media_t *m);

/*
 * The latest timestamp of audio and video that has passed, as the receiver
 * has seen it; 0 if nothing has.
 */
uint32_t ngx_osp_rtmp_media_last(ngx_osp_rtmp_media_t *m);

/* 1 if something was not kept because it was too large, or too much */
ngx_uint_t ngx_osp_rtmp_media_full(ngx_osp_rtmp_media_t *m);


#endif /* _NGX_OSP_RTMP_MEDIA_H_INCLUDED_ */
