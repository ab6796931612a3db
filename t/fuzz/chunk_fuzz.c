
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


/*
 * The first two bytes choose where the input is cut and which messages a
 * relay leaves out.  Messages must not depend on the cut, and a receiver
 * behind the relay must see those that were passed as the reader saw them.
 * Who passes over some of them must find the others where the reader does.
 */


#include "unit.h"
#include "ngx_osp_rtmp_chunk.h"


#define MAX_OUTPUT  (1024 * 1024)
#define LIMIT       4096


typedef struct {
    uint32_t                csid;
    uint32_t                timestamp;
    uint32_t                mlen;
    uint32_t                msid;
    ngx_uint_t              type;
} fuzz_message_t;


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static uint32_t fuzz_read(u_char *p, size_t size, size_t each);
static uint32_t fuzz_begin(u_char *p, size_t size, uint32_t types);
static uint32_t fuzz_pass(u_char *p, size_t size, uint32_t types, size_t each);
static ngx_osp_rtmp_reader_t *fuzz_copy(ngx_osp_rtmp_reader_t *from);
static uint32_t fuzz_end(ngx_osp_rtmp_reader_t *r, uint32_t sum);
static uint32_t fuzz_sum(uint32_t sum, u_char *p, size_t len);
static void fuzz_relay(u_char *p, size_t size, ngx_uint_t drop);
static void fuzz_same(ngx_osp_rtmp_item_t *item, fuzz_message_t *m);


static ngx_pool_t  *pool;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char    *p;
    uint32_t   sum, types;

    if (pool == NULL) {
        unit_init();
    }

    if (size < 2) {
        return 0;
    }

    pool = ngx_create_pool(16384, &unit_log);

    p = malloc(size - 2 + (size == 2));
    memcpy(p, data + 2, size - 2);

    sum = fuzz_read(p, size - 2, size);

    if (sum != fuzz_read(p, size - 2, 1 + data[0])) {
        abort();
    }

    types = (uint32_t) data[1] << 8 | (uint32_t) data[1] << 16;

    sum = fuzz_begin(p, size - 2, types);

    if (sum != fuzz_pass(p, size - 2, types, size)
        || sum != fuzz_pass(p, size - 2, types, 1 + data[0]))
    {
        abort();
    }

    fuzz_relay(p, size - 2, data[1]);

    free(p);
    ngx_destroy_pool(pool);

    return 0;
}


/* a sum of what is read, whatever the size of the pieces */

static uint32_t
fuzz_read(u_char *p, size_t size, size_t each)
{
    u_char                  *pos, *last, *end, *before;
    uint32_t                 sum;
    ngx_int_t                rc, assembled;
    ngx_osp_rtmp_asm_t       a;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_reader_t   *r;
    ngx_osp_rtmp_message_t   msg;
    u_char                   part[LIMIT];

    r = ngx_osp_rtmp_reader_create(pool);
    ngx_osp_rtmp_asm_init(&a, part, part + LIMIT, NGX_OSP_RTMP_SETUP_TYPES);

    sum = 0;
    assembled = NGX_OK;
    pos = p;
    last = p;
    end = p + size;

    for ( ;; ) {
        before = pos;

        rc = ngx_osp_rtmp_reader_read(r, &pos, last, &item);

        if (rc == NGX_AGAIN) {

            if (pos != before || last - pos >= NGX_OSP_RTMP_HEADER_MAX) {
                abort();
            }

            if (last == end) {
                break;
            }

            last = ((size_t) (end - last) > each) ? last + each : end;
            continue;
        }

        if (rc == NGX_ERROR) {

            if (*ngx_osp_rtmp_reader_error(r) == '\0') {
                abort();
            }

            sum = fuzz_sum(sum, (u_char *) ngx_osp_rtmp_reader_error(r), 8);
            break;
        }

        if (item.payload + item.payload_len != pos || pos > last
            || (item.header_len
                && item.header + item.header_len != item.payload)
            || item.offset + item.payload_len > item.mlen
            || item.last != (item.offset + item.payload_len == item.mlen))
        {
            abort();
        }

        /* of a wrong control message only an early piece is returned */

        if (item.type <= NGX_OSP_RTMP_ABORT ? item.last : item.first) {
            sum = sum * 31 + item.csid + item.type + item.mlen + item.msid
                  + item.timestamp + item.ext + item.control
                  + (uint32_t) (pos - p - item.offset - item.payload_len);
        }

        if (assembled == NGX_ERROR) {
            continue;
        }

        assembled = ngx_osp_rtmp_asm_add(&a, &item, &msg);

        if (assembled == NGX_OK) {

            if (msg.len != item.mlen || !item.last) {
                abort();
            }

            sum = fuzz_sum(sum, msg.payload, msg.len);
        }
    }

    return sum * 31 + (uint32_t) (pos - p)
           + (uint32_t) ngx_osp_rtmp_reader_idle(r)
           + (uint32_t) ngx_osp_rtmp_reader_chunk_size(r);
}


/* where messages of these types begin */

static uint32_t
fuzz_begin(u_char *p, size_t size, uint32_t types)
{
    u_char                 *pos;
    uint32_t                sum;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);

    sum = 0;
    pos = p;

    while (ngx_osp_rtmp_reader_read(r, &pos, p + size, &item) == NGX_OK) {

        if (item.first && item.type < 32
            && (types & NGX_OSP_RTMP_TYPE(item.type)))
        {
            sum = sum * 31 + (uint32_t) (item.header - p);
        }
    }

    return fuzz_end(r, sum);
}


static uint32_t
fuzz_pass(u_char *p, size_t size, uint32_t types, size_t each)
{
    u_char                 *pos, *last, *end;
    uint32_t                sum;
    ngx_int_t               rc;
    ngx_uint_t              begins;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = fuzz_copy(ngx_osp_rtmp_reader_create(pool));

    sum = 0;
    begins = 0;
    pos = p;
    last = p;
    end = p + size;

    for ( ;; ) {

        rc = begins ? ngx_osp_rtmp_reader_read(r, &pos, last, &item)
                    : ngx_osp_rtmp_reader_pass(r, &pos, last, types);

        switch (rc) {

        case NGX_OK:
            begins = 0;
            continue;

        case NGX_DONE:
            sum = sum * 31 + (uint32_t) (pos - p);
            begins = 1;
            continue;

        case NGX_DECLINED:
            r = fuzz_copy(r);
            continue;

        case NGX_AGAIN:
            if (last == end) {
                return fuzz_end(r, sum);
            }

            last = ((size_t) (end - last) > each) ? last + each : end;
            continue;

        default:
            return fuzz_end(r, sum);
        }
    }
}


static ngx_osp_rtmp_reader_t *
fuzz_copy(ngx_osp_rtmp_reader_t *from)
{
    ngx_uint_t              max;
    ngx_osp_rtmp_reader_t  *r;

    max = ngx_osp_rtmp_reader_streams(from) + 1;

    r = ngx_palloc(pool, ngx_osp_rtmp_reader_size(max));

    ngx_osp_rtmp_reader_copy(r, max, from);

    return r;
}


static uint32_t
fuzz_end(ngx_osp_rtmp_reader_t *r, uint32_t sum)
{
    sum = sum * 31 + (uint32_t) ngx_osp_rtmp_reader_idle(r)
          + (uint32_t) ngx_osp_rtmp_reader_chunk_size(r);

    return fuzz_sum(sum, (u_char *) ngx_osp_rtmp_reader_error(r),
                    ngx_strlen(ngx_osp_rtmp_reader_error(r)));
}


static uint32_t
fuzz_sum(uint32_t sum, u_char *p, size_t len)
{
    while (len--) {
        sum = sum * 31 + *p++;
    }

    return sum;
}


static void
fuzz_relay(u_char *p, size_t size, ngx_uint_t drop)
{
    size_t                  len;
    u_char                 *o, *pos, *last, hdr[NGX_OSP_RTMP_HEADER_MAX];
    ngx_int_t               rc;
    ngx_uint_t              n, sent, got;
    fuzz_message_t         *m;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_track_t   *track;
    ngx_osp_rtmp_reader_t  *r;

    static u_char           output[MAX_OUTPUT];

    r = ngx_osp_rtmp_reader_create(pool);
    track = ngx_osp_rtmp_track_create(pool);

    m = malloc((size + 1) * sizeof(fuzz_message_t));

    n = 0;
    sent = 0;
    o = output;
    pos = p;
    last = p + size;

    while (ngx_osp_rtmp_reader_read(r, &pos, last, &item) == NGX_OK
           && o - output < (ptrdiff_t) (MAX_OUTPUT - size - 64))
    {
        /* control must pass */

        if (item.first && item.type > 2 && (drop >> (n++ % 8) & 1)) {
            ngx_osp_rtmp_reader_skip(r, &item);
        }

        if (item.skip) {
            continue;
        }

        rc = ngx_osp_rtmp_track_item(track, &item, item.msid, hdr, &len);

        if (rc == NGX_ERROR) {
            abort();
        }

        if (rc == NGX_OK) {

            if (len == 0 || len > NGX_OSP_RTMP_HEADER_MAX) {
                abort();
            }

            o = ngx_cpymem(o, hdr, len);

        } else if (item.header_len) {
            o = ngx_cpymem(o, item.header, item.header_len);
        }

        o = ngx_cpymem(o, item.payload, item.payload_len);

        if (item.first) {
            m[sent].csid = item.csid;
            m[sent].timestamp = item.timestamp;
            m[sent].mlen = item.mlen;
            m[sent].msid = item.msid;
            m[sent++].type = item.type;
        }
    }

    ngx_osp_rtmp_reader_reset(r);

    pos = output;
    got = 0;

    while (ngx_osp_rtmp_reader_read(r, &pos, o, &item) == NGX_OK) {

        if (item.first) {

            if (got == sent) {
                abort();
            }

            fuzz_same(&item, &m[got++]);
        }
    }

    if (got != sent && *ngx_osp_rtmp_reader_error(r) == '\0') {
        abort();
    }

    free(m);
}


static void
fuzz_same(ngx_osp_rtmp_item_t *item, fuzz_message_t *m)
{
    if (item->csid != m->csid
        || item->timestamp != m->timestamp
        || item->mlen != m->mlen
        || item->msid != m->msid
        || item->type != m->type)
    {
        abort();
    }
}
