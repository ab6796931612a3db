
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_chunk.h"


#define NGX_OSP_RTMP_EXT            0xffffff
#define NGX_OSP_RTMP_CHUNK_SIZE_MAX 0x7fffffff


typedef struct {
    uint32_t                        csid;
    uint32_t                        timestamp;
    uint32_t                        delta;
    uint32_t                        ext_value;
    uint32_t                        msid;
    uint32_t                        control;   /* number of type 1 and 2 */
    unsigned                        mlen:24;
    unsigned                        ext:1;
    unsigned                        skip:1;
    unsigned                        mark:1;
    unsigned                        rest:24;   /* of the message */
    unsigned                        type:8;
} ngx_osp_rtmp_stream_t;


struct ngx_osp_rtmp_reader_s {
    uint32_t                        chunk_size;
    uint32_t                        rest;      /* of the chunk */
    uint32_t                        stop;      /* types, in front of them */
    ngx_uint_t                      nstreams;
    ngx_uint_t                      nopen;     /* messages begun */
    ngx_uint_t                      current;
    const char                     *error;
    ngx_uint_t                      max;       /* in streams[] */
    ngx_osp_rtmp_stream_t           streams[1];
};


/* a chunk header, not yet applied to its chunk stream */

typedef struct {
    ngx_uint_t                      fmt;
    uint32_t                        csid;
    uint32_t                        timestamp;  /* or delta */
    uint32_t                        mlen;
    uint32_t                        msid;
    ngx_uint_t                      type;
    unsigned                        ext:1;
} ngx_osp_rtmp_header_t;


static u_char *ngx_osp_rtmp_reader_run(ngx_osp_rtmp_reader_t *r, u_char *p,
    u_char *last);
static ngx_int_t ngx_osp_rtmp_reader_header(ngx_osp_rtmp_reader_t *r,
    u_char **pos, u_char *last, ngx_osp_rtmp_item_t *item);
static ngx_int_t ngx_osp_rtmp_parse_basic(u_char **pos, u_char *last,
    ngx_osp_rtmp_header_t *h);
static ngx_int_t ngx_osp_rtmp_parse_header(u_char **pos, u_char *last,
    ngx_osp_rtmp_header_t *h);
static ngx_int_t ngx_osp_rtmp_parse_next_ext(ngx_osp_rtmp_stream_t *st,
    u_char **pos, u_char *last);
static ngx_int_t ngx_osp_rtmp_reader_apply(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_stream_t *st, ngx_osp_rtmp_header_t *h);
static ngx_int_t ngx_osp_rtmp_reader_control(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_stream_t *st, ngx_osp_rtmp_item_t *item);
static ngx_osp_rtmp_stream_t *ngx_osp_rtmp_reader_find(
    ngx_osp_rtmp_reader_t *r, uint32_t csid);
static size_t ngx_osp_rtmp_reader_zeros(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_stream_t *st, size_t n, u_char *buf);
static ngx_osp_rtmp_open_t *ngx_osp_rtmp_asm_find(ngx_osp_rtmp_asm_t *a,
    uint32_t csid);
static u_char *ngx_osp_rtmp_asm_reserve(ngx_osp_rtmp_asm_t *a, size_t mlen);
static void ngx_osp_rtmp_asm_drop(ngx_osp_rtmp_asm_t *a,
    ngx_osp_rtmp_open_t *open);


static u_char  ngx_osp_rtmp_header_len[] = { 11, 7, 3, 0 };


#define ngx_osp_rtmp_get_24(p)                                                \
    ((uint32_t) (p)[0] << 16 | (uint32_t) (p)[1] << 8 | (uint32_t) (p)[2])

#define ngx_osp_rtmp_get_32(p)                                                \
    ((uint32_t) (p)[0] << 24 | ngx_osp_rtmp_get_24((p) + 1))

#define ngx_osp_rtmp_get_le32(p)                                              \
    ((uint32_t) (p)[3] << 24 | (uint32_t) (p)[2] << 16                        \
     | (uint32_t) (p)[1] << 8 | (uint32_t) (p)[0])


ngx_osp_rtmp_reader_t *
ngx_osp_rtmp_reader_create(ngx_pool_t *pool)
{
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_palloc(pool, ngx_osp_rtmp_reader_size(NGX_OSP_RTMP_MAX_STREAMS));
    if (r == NULL) {
        return NULL;
    }

    r->max = NGX_OSP_RTMP_MAX_STREAMS;

    ngx_osp_rtmp_reader_reset(r);

    return r;
}


void
ngx_osp_rtmp_reader_reset(ngx_osp_rtmp_reader_t *r)
{
    /* streams[] is set when used */

    ngx_memzero(r, offsetof(ngx_osp_rtmp_reader_t, max));

    r->chunk_size = NGX_OSP_RTMP_CHUNK_SIZE;
}


size_t
ngx_osp_rtmp_reader_size(ngx_uint_t max)
{
    return offsetof(ngx_osp_rtmp_reader_t, streams)
           + max * sizeof(ngx_osp_rtmp_stream_t);
}


void
ngx_osp_rtmp_reader_copy(ngx_osp_rtmp_reader_t *r, ngx_uint_t max,
    ngx_osp_rtmp_reader_t *from)
{
    ngx_memcpy(r, from, ngx_osp_rtmp_reader_size(from->nstreams));

    r->max = max;
}


ngx_uint_t
ngx_osp_rtmp_reader_streams(ngx_osp_rtmp_reader_t *r)
{
    return r->nstreams;
}


ngx_uint_t
ngx_osp_rtmp_reader_stream(ngx_osp_rtmp_reader_t *r, ngx_uint_t i,
    ngx_osp_rtmp_item_t *item)
{
    ngx_osp_rtmp_stream_t  *st;

    st = &r->streams[i];

    ngx_memzero(item, sizeof(ngx_osp_rtmp_item_t));

    item->csid = st->csid;
    item->timestamp = st->timestamp;
    item->delta = st->delta;
    item->ext = st->ext;
    item->ext_value = st->ext_value;
    item->mlen = st->mlen;
    item->msid = st->msid;
    item->type = st->type;
    item->last = (st->rest == 0);

    return st->mark;
}


void
ngx_osp_rtmp_reader_mark(ngx_osp_rtmp_reader_t *r, ngx_uint_t i,
    ngx_uint_t mark)
{
    r->streams[i].mark = mark;
}


ngx_int_t
ngx_osp_rtmp_reader_read(ngx_osp_rtmp_reader_t *r, u_char **pos, u_char *last,
    ngx_osp_rtmp_item_t *item)
{
    size_t                  n;
    u_char                 *p;
    ngx_int_t               rc;
    ngx_osp_rtmp_stream_t  *st;

    if (r->error) {
        return NGX_ERROR;
    }

    if (*pos == last) {
        return NGX_AGAIN;
    }

    if (r->rest == 0) {
        rc = ngx_osp_rtmp_reader_header(r, pos, last, item);
        if (rc != NGX_OK) {
            return rc;
        }

        st = &r->streams[r->current];

    } else {
        st = &r->streams[r->current];

        item->header = NULL;
        item->header_len = 0;
        item->fmt = 3;
        item->first = 0;
        item->no_ext = 0;
    }

    p = *pos;
    n = ngx_min((size_t) (last - p), (size_t) r->rest);

    item->payload = p;
    item->payload_len = n;
    item->csid = st->csid;
    item->timestamp = st->timestamp;
    item->delta = st->delta;
    item->ext = st->ext;
    item->ext_value = st->ext_value;
    item->mlen = st->mlen;
    item->offset = st->mlen - st->rest;
    item->msid = st->msid;
    item->type = st->type;
    item->control = 0;

    *pos = p + n;

    r->rest -= (uint32_t) n;
    st->rest -= (uint32_t) n;

    item->chunk_last = (r->rest == 0);
    item->last = (st->rest == 0);
    item->skip = st->skip;
    item->moved = 0;

    if (item->last && st->mlen) {
        r->nopen--;
    }

    if (st->type == NGX_OSP_RTMP_SET_CHUNK_SIZE
        || st->type == NGX_OSP_RTMP_ABORT)
    {
        return ngx_osp_rtmp_reader_control(r, st, item);
    }

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_reader_pass(ngx_osp_rtmp_reader_t *r, u_char **pos, u_char *last,
    uint32_t types)
{
    ngx_int_t            rc;
    ngx_osp_rtmp_item_t  item;

    r->stop = types;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(r, pos, last, &item);

        if (rc != NGX_OK) {
            break;
        }

        *pos = ngx_osp_rtmp_reader_run(r, *pos, last);
    }

    r->stop = 0;

    return rc;
}


ngx_int_t
ngx_osp_rtmp_reader_read_until(ngx_osp_rtmp_reader_t *r, u_char **pos,
    u_char *last, uint32_t types, ngx_osp_rtmp_item_t *item)
{
    ngx_int_t  rc;

    r->stop = types;
    rc = ngx_osp_rtmp_reader_read(r, pos, last, item);
    r->stop = 0;

    return rc;
}


/* whole chunks with the shortest header that go on with the last message */

static u_char *
ngx_osp_rtmp_reader_run(ngx_osp_rtmp_reader_t *r, u_char *p, u_char *last)
{
    size_t                  n;
    u_char                  header;
    ngx_osp_rtmp_stream_t  *st;

    st = &r->streams[r->current];

    if (r->rest
        || st->rest == 0
        || st->ext
        || st->csid >= 64
        || st->type == NGX_OSP_RTMP_SET_CHUNK_SIZE
        || st->type == NGX_OSP_RTMP_ABORT)
    {
        return p;
    }

    header = (u_char) (0xc0 | st->csid);

    do {
        n = ngx_min(st->rest, r->chunk_size);

        if ((size_t) (last - p) <= n || *p != header) {
            return p;
        }

        p += 1 + n;
        st->rest -= (uint32_t) n;

    } while (st->rest);

    r->nopen--;

    return p;
}


/*
 * RTMP 1.0, 5.3.1.  Nothing is changed until the header is whole, so it is
 * read again from its start when more bytes have come.
 */

static ngx_int_t
ngx_osp_rtmp_reader_header(ngx_osp_rtmp_reader_t *r, u_char **pos,
    u_char *last, ngx_osp_rtmp_item_t *item)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_uint_t              type;
    ngx_osp_rtmp_header_t   h;
    ngx_osp_rtmp_stream_t  *st;

    ngx_memzero(&h, sizeof(ngx_osp_rtmp_header_t));

    p = *pos;

    rc = ngx_osp_rtmp_parse_basic(&p, last, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    st = ngx_osp_rtmp_reader_find(r, h.csid);

    if (st == NULL) {

        /* librtmp begins its pings on chunk stream 2 with fmt 1 */

        if (h.fmt > 1 || (h.fmt == 1 && h.csid != NGX_OSP_RTMP_CSID_CONTROL)) {
            r->error = "chunk stream does not begin with a full header";
            return NGX_ERROR;
        }

        if (r->nstreams == NGX_OSP_RTMP_MAX_STREAMS) {
            r->error = "too many chunk streams";
            return NGX_ERROR;
        }

        if (r->nstreams == r->max) {
            return NGX_DECLINED;
        }
    }

    rc = ngx_osp_rtmp_parse_header(&p, last, &h);
    if (rc != NGX_OK) {
        return rc;
    }

    item->no_ext = 0;

    if (h.fmt == 3 && st->ext) {
        rc = ngx_osp_rtmp_parse_next_ext(st, &p, last);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        item->no_ext = (rc == NGX_DECLINED);
    }

    if (r->stop && (st == NULL || st->rest == 0)) {
        type = (st == NULL || h.fmt < 2) ? h.type : st->type;

        if (type < 32 && (r->stop & NGX_OSP_RTMP_TYPE(type))) {
            return NGX_DONE;
        }

        if ((r->stop & NGX_OSP_RTMP_MARKED) && st && st->mark) {
            return NGX_DONE;
        }
    }

    if (st == NULL) {
        st = &r->streams[r->nstreams++];

        ngx_memzero(st, sizeof(ngx_osp_rtmp_stream_t));
        st->csid = h.csid;
    }

    item->header = *pos;
    item->header_len = p - *pos;
    item->fmt = h.fmt;
    item->first = (st->rest == 0);

    if (ngx_osp_rtmp_reader_apply(r, st, &h) != NGX_OK) {
        return NGX_ERROR;
    }

    r->current = st - r->streams;
    r->rest = ngx_min(st->rest, r->chunk_size);

    *pos = p;

    return NGX_OK;
}


/* basic header, 5.3.1.1 */

static ngx_int_t
ngx_osp_rtmp_parse_basic(u_char **pos, u_char *last, ngx_osp_rtmp_header_t *h)
{
    u_char  *p;

    p = *pos;

    h->fmt = *p >> 6;
    h->csid = *p++ & 0x3f;

    if (h->csid == 0) {

        if (last - p < 1) {
            return NGX_AGAIN;
        }

        h->csid = 64 + (uint32_t) p[0];
        p++;

    } else if (h->csid == 1) {

        if (last - p < 2) {
            return NGX_AGAIN;
        }

        h->csid = 64 + (uint32_t) p[0] + ((uint32_t) p[1] << 8);
        p += 2;
    }

    *pos = p;

    return NGX_OK;
}


/* message header, 5.3.1.2, and extended timestamp, 5.3.1.3, of fmt 0-2 */

static ngx_int_t
ngx_osp_rtmp_parse_header(u_char **pos, u_char *last,
    ngx_osp_rtmp_header_t *h)
{
    u_char  *p;
    size_t   len;

    p = *pos;
    len = ngx_osp_rtmp_header_len[h->fmt];

    if (len == 0) {
        return NGX_OK;
    }

    if ((size_t) (last - p) < len) {
        return NGX_AGAIN;
    }

    h->timestamp = ngx_osp_rtmp_get_24(p);

    if (h->fmt < 2) {
        h->mlen = ngx_osp_rtmp_get_24(p + 3);
        h->type = p[6];
    }

    if (h->fmt == 0) {
        h->msid = ngx_osp_rtmp_get_le32(p + 7);
    }

    p += len;

    if (h->timestamp == NGX_OSP_RTMP_EXT) {

        if (last - p < 4) {
            return NGX_AGAIN;
        }

        h->ext = 1;
        h->timestamp = ngx_osp_rtmp_get_32(p);
        p += 4;
    }

    *pos = p;

    return NGX_OK;
}


/*
 * By 5.3.1.3 fmt 3 repeats the extended timestamp, but some senders leave it
 * out and some put the absolute time there.  So it is taken for one if it
 * names the field's value or the time of this or the next message.
 */

static ngx_int_t
ngx_osp_rtmp_parse_next_ext(ngx_osp_rtmp_stream_t *st, u_char **pos,
    u_char *last)
{
    size_t      n;
    u_char     *p;
    uint32_t    mask, value, v[3];
    ngx_uint_t  i;

    p = *pos;
    n = ngx_min((size_t) (last - p), 4);

    value = 0;
    mask = 0;

    for (i = 0; i < n; i++) {
        value |= (uint32_t) p[i] << (24 - 8 * i);
        mask |= (uint32_t) 0xff << (24 - 8 * i);
    }

    v[0] = st->ext_value;
    v[1] = st->timestamp;
    v[2] = st->timestamp + st->delta;

    for (i = 0; i < 3; i++) {

        if ((v[i] & mask) != value) {
            continue;
        }

        if (n < 4) {
            return NGX_AGAIN;
        }

        *pos = p + 4;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_osp_rtmp_reader_apply(ngx_osp_rtmp_reader_t *r, ngx_osp_rtmp_stream_t *st,
    ngx_osp_rtmp_header_t *h)
{
    if (st->rest) {

        /*
         * 5.3.1.2.4: the rest of a message should be sent with fmt 3, so it
         * need not; a header that tells of another message is an error
         */

        if ((h->fmt < 2 && (h->mlen != st->mlen || h->type != st->type))
            || (h->fmt == 0 && h->msid != st->msid))
        {
            r->error = "message is interrupted by another on its chunk stream";
            return NGX_ERROR;
        }

        if (h->fmt != 3) {
            st->ext = h->ext;
            st->ext_value = h->ext ? h->timestamp : 0;
        }

        return NGX_OK;
    }

    if (h->fmt == 0) {
        st->msid = h->msid;
        st->timestamp = 0;
    }

    if (h->fmt < 2) {
        st->mlen = h->mlen;
        st->type = (u_char) h->type;
    }

    if (h->fmt != 3) {
        st->ext = h->ext;
        st->ext_value = h->ext ? h->timestamp : 0;

        /* 5.3.1.2.4: after fmt 0 the delta is its timestamp */

        st->delta = h->timestamp;
    }

    st->timestamp += st->delta;
    st->rest = st->mlen;
    st->control = 0;
    st->skip = 0;

    if (st->mlen) {
        r->nopen++;
    }

    return NGX_OK;
}


/* 5.4.1, 5.4.2 */

static ngx_int_t
ngx_osp_rtmp_reader_control(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_stream_t *st, ngx_osp_rtmp_item_t *item)
{
    size_t  i;

    for (i = 0; i < item->payload_len && item->offset + i < 4; i++) {
        st->control = st->control << 8 | item->payload[i];
    }

    if (!item->last) {
        return NGX_OK;
    }

    if (st->mlen < 4) {
        r->error = "control message is too short";
        return NGX_ERROR;
    }

    item->control = st->control;

    if (st->type == NGX_OSP_RTMP_SET_CHUNK_SIZE) {

        if (st->control == 0 || st->control > NGX_OSP_RTMP_CHUNK_SIZE_MAX) {
            r->error = "invalid chunk size";
            return NGX_ERROR;
        }

        r->chunk_size = st->control;

        return NGX_OK;
    }

    st = ngx_osp_rtmp_reader_find(r, st->control);

    if (st && st->rest) {
        st->rest = 0;
        r->nopen--;
    }

    return NGX_OK;
}


static ngx_osp_rtmp_stream_t *
ngx_osp_rtmp_reader_find(ngx_osp_rtmp_reader_t *r, uint32_t csid)
{
    ngx_uint_t              i;
    ngx_osp_rtmp_stream_t  *st;

    st = r->streams;

    for (i = 0; i < r->nstreams; i++) {
        if (st[i].csid == csid) {
            return &st[i];
        }
    }

    return NULL;
}


const char *
ngx_osp_rtmp_reader_error(ngx_osp_rtmp_reader_t *r)
{
    return r->error ? r->error : "";
}


size_t
ngx_osp_rtmp_reader_finish(ngx_osp_rtmp_reader_t *r, u_char *buf)
{
    size_t                  size;
    ngx_uint_t              i;
    ngx_osp_rtmp_stream_t  *st;

    size = 0;
    st = NULL;

    /* the chunk that is open goes first */

    if (r->rest) {
        st = &r->streams[r->current];
        size = ngx_osp_rtmp_reader_zeros(r, st, r->rest, buf);
    }

    for (i = 0; i < r->nstreams; i++) {
        if (&r->streams[i] != st) {
            size += ngx_osp_rtmp_reader_zeros(r, &r->streams[i], 0,
                                              buf ? buf + size : NULL);
        }
    }

    return size;
}


/* the rest of a message, n bytes of which need no header */

static size_t
ngx_osp_rtmp_reader_zeros(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_stream_t *st, size_t n, u_char *buf)
{
    size_t   size, len, rest, chunks;
    u_char  *p, header[NGX_OSP_RTMP_HEADER_MAX];

    if (st->rest == 0) {
        return 0;
    }

    p = ngx_osp_rtmp_write_next_header(header, st->csid, 0);

    if (st->ext) {
        *p++ = (u_char) (st->ext_value >> 24);
        *p++ = (u_char) (st->ext_value >> 16);
        *p++ = (u_char) (st->ext_value >> 8);
        *p++ = (u_char) st->ext_value;
    }

    len = p - header;

    if (buf == NULL) {
        rest = st->rest - n;
        chunks = rest / r->chunk_size + (rest % r->chunk_size != 0);

        return st->rest + chunks * len;
    }

    size = 0;

    for (rest = st->rest; rest; rest -= n) {

        if (n == 0 || size) {
            n = ngx_min(rest, r->chunk_size);

            ngx_memcpy(buf + size, header, len);
            size += len;
        }

        ngx_memzero(buf + size, n);
        size += n;
    }

    return size;
}


ngx_uint_t
ngx_osp_rtmp_reader_idle(ngx_osp_rtmp_reader_t *r)
{
    return r->nopen == 0;
}


size_t
ngx_osp_rtmp_reader_chunk_size(ngx_osp_rtmp_reader_t *r)
{
    return r->chunk_size;
}


void
ngx_osp_rtmp_reader_skip(ngx_osp_rtmp_reader_t *r, ngx_osp_rtmp_item_t *item)
{
    ngx_osp_rtmp_stream_t  *st;

    item->skip = 1;

    st = ngx_osp_rtmp_reader_find(r, item->csid);

    if (st && st->rest) {
        st->skip = 1;
    }
}


void
ngx_osp_rtmp_asm_init(ngx_osp_rtmp_asm_t *a, u_char *start, u_char *end,
    uint32_t types)
{
    a->start = start;
    a->end = end;
    a->types = types;
    a->nopen = 0;
    a->error = NULL;
}


ngx_int_t
ngx_osp_rtmp_asm_add(ngx_osp_rtmp_asm_t *a, ngx_osp_rtmp_item_t *item,
    ngx_osp_rtmp_message_t *msg)
{
    u_char               *p;
    ngx_osp_rtmp_open_t  *open;

    /* whether it is to be collected or not */

    if (item->type == NGX_OSP_RTMP_ABORT && item->last) {
        open = ngx_osp_rtmp_asm_find(a, item->control);

        if (open) {
            ngx_osp_rtmp_asm_drop(a, open);
        }
    }

    open = ngx_osp_rtmp_asm_find(a, item->csid);

    if (item->first) {

        if (open) {
            ngx_osp_rtmp_asm_drop(a, open);
            open = NULL;
        }

        if (item->type > 31 || !(a->types & NGX_OSP_RTMP_TYPE(item->type))) {
            return NGX_DECLINED;
        }

        if (item->mlen > (size_t) (a->end - a->start)) {
            a->error = "too long message";
            goto failed;
        }

    } else if (open == NULL) {
        return NGX_DECLINED;
    }

    msg->type = item->type;
    msg->csid = item->csid;
    msg->msid = item->msid;
    msg->timestamp = item->timestamp;
    msg->len = item->mlen;

    if (item->first) {
        p = ngx_osp_rtmp_asm_reserve(a, item->mlen);

        if (p == NULL) {
            a->error = "too many interleaved messages";
            goto failed;
        }

        if (item->last) {
            msg->payload = item->payload;
            return NGX_OK;
        }

        open = &a->open[a->nopen++];

        open->csid = item->csid;
        open->start = p;
        open->mlen = item->mlen;
        open->len = 0;
    }

    if (item->payload_len > open->mlen - open->len) {
        a->error = "inconsistent message length";
        return NGX_ERROR;
    }

    ngx_memcpy(open->start + open->len, item->payload, item->payload_len);
    open->len += item->payload_len;

    if (!item->last) {
        return NGX_AGAIN;
    }

    msg->payload = open->start;

    ngx_osp_rtmp_asm_drop(a, open);

    return NGX_OK;

failed:

    if (NGX_OSP_RTMP_TYPE(item->type) & NGX_OSP_RTMP_DATA_TYPES) {
        return NGX_DECLINED;
    }

    return NGX_ERROR;
}


static ngx_osp_rtmp_open_t *
ngx_osp_rtmp_asm_find(ngx_osp_rtmp_asm_t *a, uint32_t csid)
{
    ngx_uint_t  i;

    for (i = 0; i < a->nopen; i++) {
        if (a->open[i].csid == csid) {
            return &a->open[i];
        }
    }

    return NULL;
}


/*
 * The room for a message, open messages are moved together.  It is asked for
 * by messages that come in one piece too, so that the limit does not depend
 * on how the input is cut.
 */

static u_char *
ngx_osp_rtmp_asm_reserve(ngx_osp_rtmp_asm_t *a, size_t mlen)
{
    u_char               *p;
    ngx_uint_t            i;
    ngx_osp_rtmp_open_t  *open;

    p = a->start;

    for (i = 0; i < a->nopen; i++) {
        open = &a->open[i];

        if (open->start != p) {
            ngx_memmove(p, open->start, open->len);
            open->start = p;
        }

        p += open->mlen;
    }

    if (a->nopen == NGX_OSP_RTMP_MAX_OPEN || mlen > (size_t) (a->end - p)) {
        return NULL;
    }

    return p;
}


static void
ngx_osp_rtmp_asm_drop(ngx_osp_rtmp_asm_t *a, ngx_osp_rtmp_open_t *open)
{
    a->nopen--;

    for ( /* void */ ; open < &a->open[a->nopen]; open++) {
        open[0] = open[1];
    }
}
