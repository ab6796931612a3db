
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_rtmp_rename.c ngx_osp_rtmp_command.c ngx_osp_rtmp_amf.c */
/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


/*
 * The first byte tells what is renamed, the next two how long names become,
 * then come a client's chunks.  Nothing is written behind the end, the reader
 * of the output has the same state as that of the input but for the lengths of
 * commands, it reads as many messages, and what is no command is the same.
 */


#include "unit.h"
#include "ngx_osp_rtmp_rename.h"


#define ROOM  65536


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static ngx_int_t fuzz_stream(void *data, ngx_str_t *text, ngx_str_t *to);
static void fuzz_same(ngx_osp_rtmp_reader_t *a, ngx_osp_rtmp_reader_t *b);
static uint32_t fuzz_sum(u_char *p, u_char *last, ngx_osp_rtmp_reader_t *r,
    ngx_uint_t *n);


static ngx_pool_t  *pool;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    size_t                  room, len;
    u_char                 *p, *start, *last, *out, *buf, *pos;
    uint32_t                sum[2];
    ngx_int_t               rc;
    ngx_str_t               text, to, path;
    ngx_uint_t              n[2];
    ngx_osp_rtmp_reader_t  *reader, *receiver;
    ngx_osp_rtmp_rename_t   rn;

    if (pool == NULL) {
        unit_init();
    }

    if (size < 4 || size > ROOM) {
        return 0;
    }

    pool = ngx_create_pool(16384, &unit_log);

    ngx_memzero(&rn, sizeof(ngx_osp_rtmp_rename_t));

    to.data = ngx_pnalloc(pool, 256 * 33);
    to.len = data[1] * (data[0] & 4 ? 33 : 1);
    memset(to.data, 'x', to.len);

    if (data[0] & 1) {
        rn.app = to;
    }

    if (data[0] & 2) {
        rn.tc_url = to;
    }

    rn.stream = fuzz_stream;
    rn.data = &to;

    len = size - 3;
    start = malloc(len);
    memcpy(start, data + 3, len);

    room = (data[0] & 8) ? len + data[2] : len + ROOM * 4;
    out = malloc(room);

    buf = malloc(2 * NGX_OSP_RTMP_RENAME_LEN);

    reader = ngx_osp_rtmp_reader_create(pool);
    ngx_osp_rtmp_rename_init(&rn, reader, buf);

    p = start;
    last = start + len;
    pos = out;

    do {
        rc = ngx_osp_rtmp_rename(&rn, &p, last, &pos, out + room);
    } while (rc == NGX_OK);

    if (rc == NGX_ERROR && rn.error == NULL) {
        abort();
    }

    if (rc == NGX_DONE) {

        if (p != last || pos > out + room) {
            abort();
        }

        receiver = ngx_osp_rtmp_reader_create(pool);

        sum[0] = fuzz_sum(out, pos, receiver, &n[0]);

        fuzz_same(reader, receiver);

        ngx_osp_rtmp_reader_reset(receiver);

        sum[1] = fuzz_sum(start, last, receiver, &n[1]);

        if (n[0] != n[1] || sum[0] != sum[1]) {
            abort();
        }
    }

    /* the input is a text as well */

    text.data = start;
    text.len = len;

    path.data = start;
    path.len = ngx_min(len, data[2]);

    (void) ngx_osp_rtmp_rename_text(pool, &text, data[0] & 16 ? &path : NULL,
                                    data[0] & 32, &to);
    (void) ngx_osp_rtmp_rename_url(pool, &text, data[0] & 16 ? &path : NULL,
                                   data[0] & 32, &to);
    (void) ngx_osp_rtmp_rename_has_path(&text, data[0] & 64);
    (void) ngx_osp_rtmp_rename_split(&path, data[1], &text, &to);

    free(buf);
    free(out);
    free(start);
    ngx_destroy_pool(pool);

    return 0;
}


static ngx_int_t
fuzz_stream(void *data, ngx_str_t *text, ngx_str_t *to)
{
    ngx_str_t  *name = data;

    if (text->len && (text->data[0] & 7) == 7) {
        return (text->data[0] & 8) ? NGX_ERROR : NGX_DECLINED;
    }

    *to = *name;

    return NGX_OK;
}


static void
fuzz_same(ngx_osp_rtmp_reader_t *a, ngx_osp_rtmp_reader_t *b)
{
    ngx_uint_t           i, k;
    ngx_osp_rtmp_item_t  x, y;

    if (ngx_osp_rtmp_reader_streams(a) != ngx_osp_rtmp_reader_streams(b)
        || ngx_osp_rtmp_reader_chunk_size(a)
           != ngx_osp_rtmp_reader_chunk_size(b)
        || ngx_osp_rtmp_reader_idle(a) != ngx_osp_rtmp_reader_idle(b))
    {
        abort();
    }

    for (i = 0; i < ngx_osp_rtmp_reader_streams(a); i++) {
        (void) ngx_osp_rtmp_reader_stream(a, i, &x);

        for (k = 0; k < ngx_osp_rtmp_reader_streams(b); k++) {
            (void) ngx_osp_rtmp_reader_stream(b, k, &y);

            if (x.csid == y.csid) {
                break;
            }
        }

        if (x.csid != y.csid
            || x.timestamp != y.timestamp
            || x.msid != y.msid
            || x.type != y.type
            || x.last != y.last
            || (x.mlen != y.mlen && x.type != 17 && x.type != 20))
        {
            abort();
        }
    }
}


/* messages, and the bytes of those that are no commands */

static uint32_t
fuzz_sum(u_char *p, u_char *last, ngx_osp_rtmp_reader_t *r, ngx_uint_t *n)
{
    size_t               i;
    uint32_t             sum;
    ngx_osp_rtmp_item_t  item;

    *n = 0;
    sum = 0;

    while (ngx_osp_rtmp_reader_read(r, &p, last, &item) == NGX_OK) {

        *n += item.last;

        if (item.type == 17 || item.type == 20) {
            continue;
        }

        for (i = 0; i < item.payload_len; i++) {
            sum += item.payload[i] * 31 + item.csid + item.timestamp;
        }
    }

    if (p != last) {
        abort();
    }

    return sum;
}
