
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * RTMP chunk stream: reader, assembly of small messages, headers and small
 * messages to be written.  Pure: knows no session, does no input or output,
 * allocates only in the two create functions.  Sections cited are those of
 * "Adobe's Real Time Messaging Protocol", 1.0, 2012.
 */


#ifndef _NGX_OSP_RTMP_CHUNK_H_INCLUDED_
#define _NGX_OSP_RTMP_CHUNK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* message types, 5.4, 6.2, 7.1 */

#define NGX_OSP_RTMP_SET_CHUNK_SIZE    1
#define NGX_OSP_RTMP_ABORT             2
#define NGX_OSP_RTMP_ACK               3
#define NGX_OSP_RTMP_USER_CONTROL      4
#define NGX_OSP_RTMP_WINDOW_ACK_SIZE   5
#define NGX_OSP_RTMP_SET_PEER_BW       6
#define NGX_OSP_RTMP_AUDIO             8
#define NGX_OSP_RTMP_VIDEO             9
#define NGX_OSP_RTMP_AMF3_DATA         15
#define NGX_OSP_RTMP_AMF3_SHARED       16
#define NGX_OSP_RTMP_AMF3_COMMAND      17
#define NGX_OSP_RTMP_AMF0_DATA         18
#define NGX_OSP_RTMP_AMF0_SHARED       19
#define NGX_OSP_RTMP_AMF0_COMMAND      20
#define NGX_OSP_RTMP_AGGREGATE         22

/* chunk streams for messages of our own: control, commands, onStatus */

#define NGX_OSP_RTMP_CSID_CONTROL      2
#define NGX_OSP_RTMP_CSID_COMMAND      3
#define NGX_OSP_RTMP_CSID_STATUS       5

#define NGX_OSP_RTMP_CHUNK_SIZE        128      /* before Set Chunk Size */
#define NGX_OSP_RTMP_HEADER_MAX        18       /* 3 basic, 11, 4 extended */
#define NGX_OSP_RTMP_MAX_STREAMS       64       /* chunk streams at a time */
#define NGX_OSP_RTMP_MAX_OPEN          4        /* messages in assembly */

/* what an assembly collects: sets of message types */

#define NGX_OSP_RTMP_TYPE(type)        ((uint32_t) 1 << (type))
#define NGX_OSP_RTMP_MARKED            NGX_OSP_RTMP_TYPE(0)

#define NGX_OSP_RTMP_CONTROL_TYPES     (NGX_OSP_RTMP_TYPE(1)                  \
                                        | NGX_OSP_RTMP_TYPE(2)                \
                                        | NGX_OSP_RTMP_TYPE(3)                \
                                        | NGX_OSP_RTMP_TYPE(4)                \
                                        | NGX_OSP_RTMP_TYPE(5)                \
                                        | NGX_OSP_RTMP_TYPE(6))
#define NGX_OSP_RTMP_COMMAND_TYPES     (NGX_OSP_RTMP_TYPE(17)                 \
                                        | NGX_OSP_RTMP_TYPE(20))
#define NGX_OSP_RTMP_DATA_TYPES        (NGX_OSP_RTMP_TYPE(15)                 \
                                        | NGX_OSP_RTMP_TYPE(18))
#define NGX_OSP_RTMP_SETUP_TYPES       (NGX_OSP_RTMP_CONTROL_TYPES            \
                                        | NGX_OSP_RTMP_COMMAND_TYPES          \
                                        | NGX_OSP_RTMP_DATA_TYPES)


typedef struct ngx_osp_rtmp_reader_s   ngx_osp_rtmp_reader_t;
typedef struct ngx_osp_rtmp_track_s    ngx_osp_rtmp_track_t;


/*
 * A chunk, or a piece of one if the buffer ends inside its payload.  Message
 * fields are effective values and the same in each item of a message.
 */

typedef struct {
    u_char                 *header;      /* in the buffer, as received */
    size_t                  header_len;  /* 0: the piece continues a chunk */
    u_char                 *payload;     /* in the buffer */
    size_t                  payload_len; /* may be 0 */

    ngx_uint_t              fmt;         /* of the chunk */
    uint32_t                csid;
    uint32_t                timestamp;   /* absolute, of the message */
    uint32_t                delta;       /* that a fmt 3 repeats */
    uint32_t                ext_value;   /* of the extended timestamp field */
    uint32_t                mlen;        /* length of the whole message */
    uint32_t                offset;      /* of the payload in the message */
    uint32_t                msid;        /* message stream */
    uint32_t                control;     /* of type 1 and 2, when last */
    ngx_uint_t              type;        /* message type */

    unsigned                ext:1;       /* extended timestamp in force */
    unsigned                no_ext:1;    /* but the fmt 3 header lacks it */
    unsigned                first:1;     /* begins a message */
    unsigned                last:1;      /* completes the message */
    unsigned                chunk_last:1;/* completes the chunk */
    unsigned                skip:1;      /* see ngx_osp_rtmp_reader_skip() */
    unsigned                moved:1;     /* timestamp is not the header's */
} ngx_osp_rtmp_item_t;


/* a whole message; payload is valid until the next call */

typedef struct {
    ngx_uint_t              type;
    uint32_t                csid;
    uint32_t                msid;
    uint32_t                timestamp;
    u_char                 *payload;
    size_t                  len;
} ngx_osp_rtmp_message_t;


typedef struct {
    uint32_t                csid;
    u_char                 *start;
    size_t                  mlen;
    size_t                  len;         /* collected */
} ngx_osp_rtmp_open_t;


/* assembly; the struct and its buffer belong to the caller */

typedef struct {
    u_char                 *start;
    u_char                 *end;
    uint32_t                types;       /* NGX_OSP_RTMP_*_TYPES */
    ngx_uint_t              nopen;
    ngx_osp_rtmp_open_t     open[NGX_OSP_RTMP_MAX_OPEN];
    const char             *error;
} ngx_osp_rtmp_asm_t;


/*
 * Where messages of our own are written; belongs to the caller.  Functions
 * that write return NGX_OK and move pos, or NGX_ERROR (no room left, or a
 * full track) and leave pos where it was.
 */

typedef struct {
    u_char                 *pos;
    u_char                 *end;
    size_t                  chunk_size;  /* the receiver's, 128 at first */
    ngx_osp_rtmp_track_t   *track;       /* told of what is sent, or NULL */
} ngx_osp_rtmp_out_t;


/*
 * The reader of one direction, about 2.5 KB from the pool.  NULL if there is
 * no memory.
 */
ngx_osp_rtmp_reader_t *ngx_osp_rtmp_reader_create(ngx_pool_t *pool);

/* forgets all, as for a new connection */
void ngx_osp_rtmp_reader_reset(ngx_osp_rtmp_reader_t *r);

/*
 * A copy in memory of the caller, of the size for max chunk streams, which
 * are at least those of the original.  The copy answers NGX_DECLINED at the
 * header of one for which it has no room, and goes on in a larger copy.
 */
size_t ngx_osp_rtmp_reader_size(ngx_uint_t max);
void ngx_osp_rtmp_reader_copy(ngx_osp_rtmp_reader_t *r, ngx_uint_t max,
    ngx_osp_rtmp_reader_t *from);

/* chunk streams seen so far */
ngx_uint_t ngx_osp_rtmp_reader_streams(ngx_osp_rtmp_reader_t *r);

/*
 * The last message of the i-th of them: the fields of an item that are the
 * same in all of the message, and last.  Returns whether it is marked.
 */
ngx_uint_t ngx_osp_rtmp_reader_stream(ngx_osp_rtmp_reader_t *r, ngx_uint_t i,
    ngx_osp_rtmp_item_t *item);

/*
 * Marks the i-th of them, or not: with NGX_OSP_RTMP_MARKED among its types
 * ngx_osp_rtmp_reader_pass() stops at each message of it.
 */
void ngx_osp_rtmp_reader_mark(ngx_osp_rtmp_reader_t *r, ngx_uint_t i,
    ngx_uint_t mark);

/*
 * Reads a chunk or a piece of it from [*pos, last), 5.3.1, moves *pos behind
 * it and fills the item, which points into the buffer.  A chunk header must
 * be whole in the buffer (up to 18 bytes); payload need not.
 *
 * Set Chunk Size and Abort (5.4.1, 5.4.2) are obeyed when complete; the item
 * is returned like any other.  After an Abort the next chunk of that chunk
 * stream is first again without a last before it.
 *
 * NGX_OK; NGX_AGAIN (more bytes needed: *pos is at the start of a header
 * that is not whole, or at last); NGX_ERROR (ngx_osp_rtmp_reader_error()
 * tells why, the connection can't be read on).
 */
ngx_int_t ngx_osp_rtmp_reader_read(ngx_osp_rtmp_reader_t *r, u_char **pos,
    u_char *last, ngx_osp_rtmp_item_t *item);

/*
 * Passes over all but the beginnings of messages of some types.  NGX_DONE:
 * *pos is at the header of such a message, which was not read yet.  Otherwise
 * as ngx_osp_rtmp_reader_read().
 */
ngx_int_t ngx_osp_rtmp_reader_pass(ngx_osp_rtmp_reader_t *r, u_char **pos,
    u_char *last, uint32_t types);

/* the same as ngx_osp_rtmp_reader_read(), and NGX_DONE in front of these */
ngx_int_t ngx_osp_rtmp_reader_read_until(ngx_osp_rtmp_reader_t *r,
    u_char **pos, u_char *last, uint32_t types, ngx_osp_rtmp_item_t *item);

const char *ngx_osp_rtmp_reader_error(ngx_osp_rtmp_reader_t *r);

/*
 * Who has got all bytes up to *pos, and gets no more of them, is at a message
 * boundary on all chunk streams when it gets these: zeros in place of what is
 * left of each message.  Returns their number; if buf is not NULL, they are
 * written there.  The reader is not changed.
 */
size_t ngx_osp_rtmp_reader_finish(ngx_osp_rtmp_reader_t *r, u_char *buf);

/* 1 if all chunk streams are at a message boundary and no chunk is open */
ngx_uint_t ngx_osp_rtmp_reader_idle(ngx_osp_rtmp_reader_t *r);

/* the chunk size in force for the next chunk */
size_t ngx_osp_rtmp_reader_chunk_size(ngx_osp_rtmp_reader_t *r);

/* sets item->skip in the item and in the rest of its message */
void ngx_osp_rtmp_reader_skip(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_item_t *item);


/*
 * Makes an assembly of the buffer [start, end), whose size is the limit for a
 * message; types as above.
 */
void ngx_osp_rtmp_asm_init(ngx_osp_rtmp_asm_t *a, u_char *start, u_char *end,
    uint32_t types);

/*
 * Takes each item that the reader returns.  NGX_OK: the message is complete
 * and msg is filled, with the payload in the assembly's buffer or, if it came
 * in one piece, in the input; valid until the next call.  NGX_AGAIN: taken,
 * the message is not complete.  NGX_DECLINED: not of a wanted type, or data
 * (not a command) longer than the limit, so it is for all pieces of such a
 * message.  NGX_ERROR: a command or control message is longer than the limit,
 * or too many are interleaved; a->error tells.
 */
ngx_int_t ngx_osp_rtmp_asm_add(ngx_osp_rtmp_asm_t *a,
    ngx_osp_rtmp_item_t *item, ngx_osp_rtmp_message_t *msg);


/* what follows is in ngx_osp_rtmp_track.c */

/*
 * Writes a chunk header of fmt 0, with the extended timestamp if it needs
 * one, 5.3.1.2.1; buf has NGX_OSP_RTMP_HEADER_MAX bytes.  Returns its end.
 */
u_char *ngx_osp_rtmp_write_header(u_char *buf, uint32_t csid,
    uint32_t timestamp, uint32_t mlen, ngx_uint_t type, uint32_t msid);

/* the same of fmt 1: the message stream is that of the message before */
u_char *ngx_osp_rtmp_write_delta_header(u_char *buf, uint32_t csid,
    uint32_t delta, uint32_t mlen, ngx_uint_t type);

/* the same of fmt 3, for the next chunks of a message with that timestamp */
u_char *ngx_osp_rtmp_write_next_header(u_char *buf, uint32_t csid,
    uint32_t timestamp);

/*
 * Puts another message stream id into a received header, in place.
 * NGX_DECLINED if the header is not of fmt 0 and so has none.
 */
ngx_int_t ngx_osp_rtmp_set_msid(ngx_osp_rtmp_item_t *item, uint32_t msid);

/*
 * Writes a whole message: fmt 0, then fmt 3 as the chunk size demands.  Also
 * NGX_ERROR if the track has an open message on that chunk stream.
 */
ngx_int_t ngx_osp_rtmp_write_message(ngx_osp_rtmp_out_t *out, uint32_t csid,
    uint32_t timestamp, ngx_uint_t type, uint32_t msid, u_char *payload,
    size_t len);

/* the room that such a message needs */
size_t ngx_osp_rtmp_message_size(ngx_osp_rtmp_out_t *out, uint32_t csid,
    uint32_t timestamp, size_t len);


/*
 * What the receiver of one direction has seen on each chunk stream, about
 * 2 KB from the pool.  Needed while messages are left out, inserted or
 * renumbered.  NULL if there is no memory.
 */
ngx_osp_rtmp_track_t *ngx_osp_rtmp_track_create(ngx_pool_t *pool);

/* forgets all: the receiver is a new one */
void ngx_osp_rtmp_track_reset(ngx_osp_rtmp_track_t *track);

/*
 * To be called for each item that will be sent, in order; msid is what the
 * receiver shall see (item->msid if ids are not mapped).  NGX_DECLINED: the
 * item's header does as it is (or it has none).  NGX_OK: buf, which has
 * NGX_OSP_RTMP_HEADER_MAX bytes, holds *len bytes to be sent in place of the
 * header: fmt 0 for the first chunk of a message, fmt 3 for others.
 * NGX_ERROR: too many chunk streams, or the rest of a message whose first
 * chunk was not sent.
 */
ngx_int_t ngx_osp_rtmp_track_item(ngx_osp_rtmp_track_t *track,
    ngx_osp_rtmp_item_t *item, uint32_t msid, u_char *buf, size_t *len);

/* 1 if the receiver has got the first chunk of a message, but not the last */
ngx_uint_t ngx_osp_rtmp_track_open(ngx_osp_rtmp_track_t *track,
    uint32_t csid);

/*
 * Whether the receiver has seen all of a chunk stream, as
 * ngx_osp_rtmp_reader_stream() tells of it, as it was sent, so that what
 * follows may pass without ngx_osp_rtmp_track_item(); and to be called for
 * each that has passed so, before that is called again.
 */
ngx_uint_t ngx_osp_rtmp_track_same_stream(ngx_osp_rtmp_track_t *track,
    ngx_osp_rtmp_item_t *item);
void ngx_osp_rtmp_track_passed(ngx_osp_rtmp_track_t *track,
    ngx_osp_rtmp_item_t *item);

/*
 * 1 if the receiver is at a message boundary on all chunk streams, so that
 * messages of our own may be written
 */
ngx_uint_t ngx_osp_rtmp_track_idle(ngx_osp_rtmp_track_t *track);


#endif /* _NGX_OSP_RTMP_CHUNK_H_INCLUDED_ */
