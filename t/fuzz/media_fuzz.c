
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_rtmp_media.c ngx_osp_rtmp_media_frame.c */
/* sources: ngx_osp_rtmp_media_store.c */
/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


/*
 * A stream is watched and then goes on with another receiver or sender: the
 * first four bytes say how much is read at a time, where it is moved, and to
 * what.  Whoever reads what comes out must be able to, there must be room for
 * it as was said, and messages must have timestamps as they should.
 */


#include "unit.h"
#include "ngx_osp_rtmp_media.h"


#define MAX_OUTPUT  (4 * 1024 * 1024)


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_frames(u_char *p, size_t size);
static u_char *fuzz_watch(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_reader_t *r,
    u_char *p, u_char *end, size_t each);
static void fuzz_finish(ngx_osp_rtmp_reader_t *r);
static void fuzz_relay(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_reader_t *r,
    u_char *pos, u_char *last, u_char *end, size_t each);
static void fuzz_read(size_t size, u_char *p, u_char *end);


static ngx_pool_t  *pool;
static u_char       output[MAX_OUTPUT];


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    size_t                  split;
    u_char                 *p, *pos;
    ngx_osp_rtmp_media_t   *m;
    ngx_osp_rtmp_reader_t  *r;

    if (pool == NULL) {
        unit_init();
    }

    if (size < 4) {
        return 0;
    }

    pool = ngx_create_pool(16384, &unit_log);

    size -= 4;
    p = malloc(size + 1);
    memcpy(p, data + 4, size);
    p = realloc(p, size ? size : 1);

    fuzz_frames(p, size);

    m = ngx_osp_rtmp_media_create(pool, data[2] & 2 ? 1000 : 0);
    r = ngx_osp_rtmp_reader_create(pool);

    split = size * data[1] / 256;

    pos = fuzz_watch(m, r, p, p + split, 1 + data[0]);

    if (pos) {
        fuzz_finish(r);

        if (data[2] & 1) {
            ngx_osp_rtmp_reader_reset(r);
            pos = p + split;
        }

        ngx_osp_rtmp_media_move(m, data[2] & 1);

        if (data[2] & 4) {
            ngx_osp_rtmp_media_time(m, (uint32_t) data[3] << 24 | data[3]);
        }

        fuzz_relay(m, r, pos, p + split, p + size, 1 + data[0]);
    }

    free(p);
    ngx_destroy_pool(pool);

    return 0;
}


/* what a message is does not depend on how much of it there is */

static void
fuzz_frames(u_char *p, size_t size)
{
    size_t                n;
    u_char                set[32], *copy;
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_osp_rtmp_frame_t  f, all;

    static ngx_uint_t     types[] = { 8, 9, 15, 18, 22 };

    for (i = 0; i < 5; i++) {

        if (ngx_osp_rtmp_frame_parse(&all, types[i], p, size, size) != NGX_OK)
        {
            abort();
        }

        for (n = 0; n < size && n <= NGX_OSP_RTMP_MEDIA_PEEK; n++) {
            copy = malloc(n + 1);
            memcpy(copy, p, n);
            copy = realloc(copy, n ? n : 1);

            rc = ngx_osp_rtmp_frame_parse(&f, types[i], copy, n, size);

            free(copy);

            if (rc == NGX_OK) {
                if (memcmp(&f, &all, sizeof(ngx_osp_rtmp_frame_t)) != 0) {
                    abort();
                }

            } else if (rc != NGX_AGAIN || n == NGX_OSP_RTMP_MEDIA_PEEK) {
                abort();
            }
        }

        (void) ngx_osp_rtmp_frame_tracks(types[i], p, size, set);
    }
}


static u_char *
fuzz_watch(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_reader_t *r, u_char *p,
    u_char *end, size_t each)
{
    u_char               *pos, *last;
    ngx_int_t             rc;
    ngx_osp_rtmp_item_t   item;

    pos = p;
    last = p;

    for ( ;; ) {
        rc = ngx_osp_rtmp_media_pass(m, r, &pos, last,
                                     NGX_OSP_RTMP_COMMAND_TYPES);

        if (rc == NGX_DONE) {
            rc = ngx_osp_rtmp_reader_read(r, &pos, last, &item);

            if (rc == NGX_OK) {
                continue;
            }
        }

        if (rc != NGX_AGAIN) {
            return NULL;
        }

        if (last == end) {
            return pos;
        }

        last = ((size_t) (end - last) > each) ? last + each : end;
    }
}


static void
fuzz_finish(ngx_osp_rtmp_reader_t *from)
{
    size_t                  len;
    u_char                 *p, *pos;
    ngx_int_t               rc;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    len = ngx_osp_rtmp_reader_finish(from, NULL);

    if (len > MAX_OUTPUT) {
        return;
    }

    p = malloc(len + 1);

    if (ngx_osp_rtmp_reader_finish(from, p) != len) {
        abort();
    }

    r = ngx_palloc(pool, ngx_osp_rtmp_reader_size(64));
    ngx_osp_rtmp_reader_copy(r, 64, from);

    pos = p;

    do {
        rc = ngx_osp_rtmp_reader_read(r, &pos, p + len, &item);

        /* an open Set Chunk Size ends as one of zero */

        if (rc == NGX_ERROR || (rc == NGX_OK && item.type <= 2)) {
            free(p);
            return;
        }

        if (rc == NGX_OK && item.first) {
            abort();
        }

    } while (rc == NGX_OK);

    if (pos != p + len || !ngx_osp_rtmp_reader_idle(r)) {
        abort();
    }

    free(p);
}


static void
fuzz_relay(ngx_osp_rtmp_media_t *m, ngx_osp_rtmp_reader_t *r, u_char *pos,
    u_char *last, u_char *end, size_t each)
{
    size_t                size, room;
    u_char               *p, *o;
    ngx_int_t             rc;
    ngx_osp_rtmp_out_t    out;
    ngx_osp_rtmp_item_t   item;

    size = ngx_osp_rtmp_reader_chunk_size(r);

    /* a change that is cut is told in one chunk */

    if (size < 4) {
        return;
    }

    out.pos = output;
    out.track = ngx_osp_rtmp_track_create(pool);

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(r, &pos, last, &item);

        if (rc == NGX_AGAIN) {

            if (last == end) {
                break;
            }

            last = ((size_t) (end - last) > each) ? last + each : end;
            continue;
        }

        if (rc != NGX_OK) {
            break;
        }

        out.chunk_size = ngx_osp_rtmp_reader_chunk_size(r);

        room = ngx_osp_rtmp_media_room(m, &item, &out);

        if (room > (size_t) (output + MAX_OUTPUT - out.pos)) {
            break;
        }

        /* what is written is within that */

        p = malloc(room);
        out.end = p + room;

        o = out.pos;
        out.pos = p;

        rc = ngx_osp_rtmp_media_item(m, &item, item.msid, &out);

        if (out.pos > out.end) {
            abort();
        }

        out.pos = ngx_cpymem(o, p, out.pos - p);

        free(p);

        if (rc != NGX_OK) {

            /* too many chunk streams, some of them for what was kept */

            if (ngx_osp_rtmp_reader_streams(r) < 16) {
                abort();
            }

            return;
        }
    }

    fuzz_read(size, output, out.pos);
}


static void
fuzz_read(size_t size, u_char *p, u_char *end)
{
    u_char                  buf[64], *pos, *last;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);

    last = ngx_osp_rtmp_write_header(buf, 2, 0, 4, 1, 0);
    *last++ = (u_char) (size >> 24);
    *last++ = (u_char) (size >> 16);
    *last++ = (u_char) (size >> 8);
    *last++ = (u_char) size;

    pos = buf;

    if (ngx_osp_rtmp_reader_read(r, &pos, last, &item) != NGX_OK) {
        abort();
    }

    while (ngx_osp_rtmp_reader_read(r, &p, end, &item) == NGX_OK) {
        /* void */
    }

    if (p != end) {
        abort();
    }
}
