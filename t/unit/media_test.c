
/*
 * Copyright (C) The nginx-osp authors
 */


/* Tests for streams that go on with another receiver or sender. */

/* sources: ngx_osp_rtmp_media.c ngx_osp_rtmp_media_frame.c */
/* sources: ngx_osp_rtmp_media_store.c */
/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


#include "unit.h"

#include "ngx_osp_rtmp_media.h"


#define MAX_TRACE   16384
#define MAX_CSID    128

/* the kinds, in their order */

#define KINDS       "-FHCE5MDU"


typedef struct {
    uint32_t     timestamp;
    uint32_t     mlen;
    ngx_uint_t   type;
    ngx_uint_t   used;
} sent_t;


static u_char       wire[1024 * 1024];
static u_char      *in;
static size_t       chunk_size;
static sent_t       sent[MAX_CSID];
static ngx_uint_t   full_headers;
static uint32_t     sums[4096];
static size_t       nsums;
static size_t       split;
static char         trace[MAX_TRACE];
static ngx_pool_t  *pool;

/* how the stream goes on */

static ngx_uint_t   sender;
static uint32_t     start;
static uint32_t     to_msid;
static ngx_uint_t   waits;
static ngx_uint_t   full;
static uint32_t     last_time;


static size_t hex(const char *text, u_char *out);
static void frame_cuts(ngx_uint_t type, u_char *p, size_t len,
    const char *expected);
static void frame_is(ngx_uint_t type, const char *text, const char *expected);
static void tracks_are(ngx_uint_t type, const char *text,
    const char *expected);
static void frames(void);
static void begin(void);
static void put(uint32_t csid, uint32_t timestamp, ngx_uint_t type,
    const char *text, size_t fill);
static void add_sum(u_char *p, size_t len);
static ngx_uint_t is_sent(uint32_t sum);
static void put_chunk_size(size_t size);
static void cut(void);
static u_char *relay(size_t each, u_char *out, u_char *end, size_t *size);
static void read_out(u_char *p, u_char *last, size_t size, char *t);
static void goes_on(const char *expected, const char *name);
static void video(void);
static void enhanced(void);
static void tracks(void);
static void audio(void);
static void pieces(void);
static void times(void);
static void kept(void);
static void finish(void);


static size_t
hex(const char *text, u_char *out)
{
    u_char      c;
    size_t      n;
    ngx_uint_t  half, value;

    half = 0;
    value = 0;
    n = 0;

    for ( /* void */ ; *text; text++) {

        if (*text == ' ') {
            continue;
        }

        /* letters as they are */

        if (*text == '\'') {
            for (text++; *text != '\''; text++) {
                out[n++] = (u_char) *text;
            }

            continue;
        }

        c = *text | 0x20;
        value = value << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);

        if (half) {
            out[n++] = (u_char) value;
            value = 0;
        }

        half ^= 1;
    }

    return n;
}


/* expected is the kind, and what follows from: k key, x enhanced, m many ... */

static void
frame_cuts(ngx_uint_t type, u_char *p, size_t len, const char *expected)
{
    char                  *t, got[128];
    size_t                 n;
    u_char                *copy;
    ngx_int_t              rc;
    ngx_osp_rtmp_frame_t   f;

    got[0] = '\0';

    for (n = 0; n <= len; n++) {

        /* no byte behind what is there is looked at */

        copy = malloc(n + 1);
        memcpy(copy, p, n);
        copy = realloc(copy, n ? n : 1);

        rc = ngx_osp_rtmp_frame_parse(&f, type, copy, n, len);

        free(copy);

        if (rc == NGX_AGAIN && n < len && n < NGX_OSP_RTMP_MEDIA_PEEK
            && got[0] == '\0')
        {
            continue;
        }

        if (rc != NGX_OK) {
            ok(0, "%s, %lu of %lu bytes", expected, (unsigned long) n,
               (unsigned long) len);
            return;
        }

        t = got;
        *t++ = KINDS[f.kind];

        if (f.audio) {
            *t++ = 'a';
        }

        if (f.video) {
            *t++ = 'v';
        }

        if (f.enhanced) {
            *t++ = 'x';
        }

        if (f.key) {
            *t++ = 'k';
        }

        if (f.many) {
            *t++ = 'm';
        }

        if (f.codec > 255) {
            t += sprintf(t, " %c%c%c%c", (int) (f.codec >> 24),
                         (int) (f.codec >> 16 & 255),
                         (int) (f.codec >> 8 & 255), (int) (f.codec & 255));

        } else {
            t += sprintf(t, " %u", f.codec);
        }

        if (f.track) {
            t += sprintf(t, " #%lu", (unsigned long) f.track);
        }

        if (f.composition) {
            t += sprintf(t, " c%d", f.composition);
        }

        if (f.nano) {
            t += sprintf(t, " n%u", f.nano);
        }

        *t = '\0';

        if (strcmp(got, expected) != 0) {
            ok(0, "%s, %lu of %lu bytes: %s", expected, (unsigned long) n,
               (unsigned long) len, got);
            return;
        }
    }

    ok(1, "%s", expected);
}


static void
frame_is(ngx_uint_t type, const char *text, const char *expected)
{
    u_char  buf[4096];

    frame_cuts(type, buf, hex(text, buf), expected);
}


static void
tracks_are(ngx_uint_t type, const char *text, const char *expected)
{
    char       *t, got[1024];
    size_t      len;
    u_char      buf[4096], set[32], *p;
    ngx_int_t   rc;
    ngx_uint_t  i;

    len = hex(text, buf);

    p = malloc(len + 1);
    memcpy(p, buf, len);
    p = realloc(p, len);

    rc = ngx_osp_rtmp_frame_tracks(type, p, len, set);

    free(p);

    t = got;
    *t = '\0';

    for (i = 0; i < 256; i++) {
        if (set[i / 8] & (1 << i % 8)) {
            t += sprintf(t, "%lu ", (unsigned long) i);
        }
    }

    if (rc != NGX_OK) {
        sprintf(got, "-");
    }

    ok(strcmp(got, expected) == 0, "tracks %s, got %s", expected, got);
}


static void
frames(void)
{
    u_char  buf[4096];

    frame_is(9, "17 00 000000 01640028", "Hvk 7");
    frame_is(9, "17 01 000050 0000", "Fvk 7 c80");
    frame_is(9, "27 01 ffffd8 0000", "Fv 7 c-40");
    frame_is(9, "17 02 000000", "Evk 7");
    frame_is(9, "17 05 000000", "Uvk 7");
    frame_is(9, "17", "Uvk 7");
    frame_is(9, "17 01 0000", "Uvk 7");
    frame_is(9, "", "Uv 0");
    frame_is(9, "57 00", "5v 7");
    frame_is(9, "12 00", "Fvk 2");
    frame_is(9, "22", "Fv 2");
    frame_is(9, "1c 00 000000 01", "Hvk 12");
    frame_is(9, "2c 01 000021 01", "Fv 12 c33");

    frame_is(8, "af 00 1210", "Ha 10");
    frame_is(8, "af 01 21", "Fa 10");
    frame_is(8, "2f ff", "Fa 2");
    frame_is(8, "af", "Ua 10");
    frame_is(8, "", "Ua 0");

    frame_is(9, "90 'hvc1' 01", "Hvxk hvc1");
    frame_is(9, "91 'hvc1' 000028 00", "Fvxk hvc1 c40");
    frame_is(9, "a1 'hvc1' fffff0 00", "Fvx hvc1 c-16");
    frame_is(9, "a3 'hvc1' 00", "Fvx hvc1");
    frame_is(9, "91 'avc1' 000001", "Fvxk avc1 c1");
    frame_is(9, "91 'vvc1' 000002", "Fvxk vvc1 c2");
    frame_is(9, "91 'av01' 0a0b", "Fvxk av01");
    frame_is(9, "a1 'vp09'", "Fvx vp09");
    frame_is(9, "90 'vp09' 01", "Hvxk vp09");
    frame_is(9, "92 'av01'", "Evxk av01");
    frame_is(9, "94 'hvc1' 02 0009 'colorInfo'", "Cvxk hvc1");
    frame_is(9, "d4 'hvc1' 02 0009 'colorInfo'", "Cvx hvc1");
    frame_is(9, "95 'av01' 8a", "Hvxk av01");
    frame_is(9, "98 'av01' 8a", "Uvxk av01");
    frame_is(9, "d0 00", "5vx 0");
    frame_is(9, "91 'hvc1' 00", "Uvxk hvc1");
    frame_is(9, "91 'hv'", "Uvxk 0");

    /* a number of nanoseconds, and modifiers that nobody knows */

    frame_is(9, "97 02 0927c0 01 'hvc1' 000028", "Fvxk hvc1 c40 n600000");
    frame_is(9, "97 02 000001 07 02 000002 01 'av01'", "Fvxk av01 n3");
    frame_is(9, "97 00 ee 13 'av01'", "Fvxk av01");
    frame_is(9, "97 ff 0003 01020304 10 'av01'", "Hvxk av01");
    frame_is(9, "97 ff 0003 0102", "Uvxk 0");
    frame_is(9, "97 20 01", "Uvxk 0");

    frame_is(9, "96 00 'avc1' 03 01", "Hvxk avc1 #3");
    frame_is(9, "a6 01 'avc1' 02 000009", "Fvx avc1 #2 c9");
    frame_is(9, "a6 03 'avc1' 02 09", "Fvx avc1 #2");
    frame_is(9, "96 10 'hvc1' 01 000002 aabb 02 000001 cc",
             "Hvxkm hvc1 #1");
    frame_is(9, "96 21 'av01' 05 000002 aabb 'vp09' 06 000001 cc",
             "Fvxkm av01 #5");
    frame_is(9, "97 02 000007 06 01 'hvc1' 04 000010",
             "Fvxk hvc1 #4 c16 n7");
    frame_is(9, "96 06 'avc1' 03 01", "Uvxk 0");
    frame_is(9, "96 07 'avc1' 03 01", "Uvxk 0");
    frame_is(9, "96 31 'avc1' 03 01", "Uvxk 0");

    frame_is(8, "90 'Opus' 'OpusHead'", "Hax Opus");
    frame_is(8, "91 'fLaC' 00", "Fax fLaC");
    frame_is(8, "92 'ac-3'", "Eax ac-3");
    frame_is(8, "93 'ac-3'", "Uax ac-3");
    frame_is(8, "94 'ec-3' 0102", "Cax ec-3");
    frame_is(8, "95 01 'mp4a' 01 aa", "Fax mp4a #1");
    frame_is(8, "95 00 'mp4a' 02 aa", "Hax mp4a #2");
    frame_is(8, "95 10 'Opus' 01 000001 aa 03 000001 bb", "Haxm Opus #1");
    frame_is(8, "97 02 00000a 01 'Opus' 00", "Fax Opus n10");
    frame_is(8, "97 02 00000a 05 01 'Opus' 07", "Fax Opus #7 n10");
    frame_is(8, "95 05 'Opus' 07", "Uax 0");

    frame_is(18, "02 000d '@setDataFrame' 02 000a 'onMetaData' 08", "M 0");
    frame_is(18, "02 000a 'onMetaData' 08", "M 0");
    frame_is(15, "00 02 000a 'onMetaData' 08", "M 0");
    frame_is(15, "02 000a 'onMetaData' 08", "M 0");
    frame_is(18, "02 000d '@setDataFrame' 02 000b 'onTextData2' 08", "D 0");
    frame_is(18, "02 000a 'onTextData' 08", "D 0");
    frame_is(18, "02", "D 0");
    frame_is(18, "", "D 0");
    frame_is(15, "", "U 0");

    frame_is(22, "09 000007 000000 00 000000 17 01 000000 aabb 00000000",
             "Fvk 7");
    frame_is(22, "09 000001 000000 00 000000 17 01 000000 aabb 00000000",
             "Uvk 7");
    frame_is(22, "08 000003 000000 00 000000 af 01 21 0000000e", "Fa 10");
    frame_is(22, "12 000003 000000 00 000000 02 00 01", "D 0");
    frame_is(22, "09 000007", "U 0");

    frame_is(20, "02 0007 'publish'", "- 0");
    frame_is(4, "0006", "- 0");

    memset(buf, 0x11, sizeof(buf));
    memcpy(buf, "\x97\x40", 2);

    frame_cuts(9, buf, 200, "Uvxk 0");

    tracks_are(9, "17 00 000000 01", "0 ");
    tracks_are(9, "96 00 'avc1' ff 01", "255 ");
    tracks_are(9, "96 10 'hvc1' 01 000002 aabb 02 000001 cc", "1 2 ");
    tracks_are(9, "96 10 'hvc1' 01 000002 aabb 02 000000", "1 2 ");
    tracks_are(9, "96 10 'hvc1' 01 000002 aabb 02 000002 cc", "-");
    tracks_are(9, "96 10 'hvc1' 01 000002 aabb 02 0000", "-");
    tracks_are(9, "96 10 'hvc1' 01 000003 aabb", "-");
    tracks_are(8, "95 20 'Opus' 05 000001 aa 'fLaC' 09 000001 bb"
               "'mp4a' 00 000000", "0 5 9 ");
    tracks_are(9, "96 11 'hvc1' 01 000004 000001aa 02 000003 000001",
               "1 2 ");
}


/* what a sender sends */

static void
begin(void)
{
    in = wire;
    chunk_size = 128;
    nsums = 0;
    split = 0;
    sender = 0;
    start = 0;
    to_msid = 1;
    full_headers = 0;

    memset(sent, 0, sizeof(sent));
}


/* with the shortest header */

static void
put(uint32_t csid, uint32_t timestamp, ngx_uint_t type, const char *text,
    size_t fill)
{
    size_t      i, n, len;
    u_char      buf[65536], *p;
    uint32_t    delta;
    ngx_uint_t  fmt;
    sent_t     *s;

    len = hex(text, buf);

    for (i = 0; i < fill; i++) {
        buf[len++] = (u_char) (i % 251);
    }

    add_sum(buf, len);

    s = &sent[csid];
    p = buf;

    delta = timestamp - s->timestamp;
    fmt = (!s->used || delta > 0x7fffffff || full_headers) ? 0
          : (s->mlen != len || s->type != type) ? 1 : 2;

    if (fmt == 0) {
        in = ngx_osp_rtmp_write_header(in, csid, timestamp, (uint32_t) len,
                                       type, 1);
        delta = timestamp;

    } else {

        *in++ = (u_char) (fmt << 6 | csid);

        n = ngx_min(delta, 0xffffff);

        *in++ = (u_char) (n >> 16);
        *in++ = (u_char) (n >> 8);
        *in++ = (u_char) n;

        if (fmt == 1) {
            *in++ = (u_char) (len >> 16);
            *in++ = (u_char) (len >> 8);
            *in++ = (u_char) len;
            *in++ = (u_char) type;
        }

        if (n == 0xffffff) {
            *in++ = (u_char) (delta >> 24);
            *in++ = (u_char) (delta >> 16);
            *in++ = (u_char) (delta >> 8);
            *in++ = (u_char) delta;
        }
    }

    s->used = 1;
    s->timestamp = timestamp;
    s->mlen = (uint32_t) len;
    s->type = type;

    while (len) {
        n = ngx_min(len, chunk_size);

        in = ngx_cpymem(in, p, n);
        p += n;
        len -= n;

        if (len) {
            in = ngx_osp_rtmp_write_next_header(in, csid, delta);
        }
    }
}


static void
add_sum(u_char *p, size_t len)
{
    uint32_t  sum;

    sum = 0;

    while (len--) {
        sum = sum * 31 + *p++;
    }

    sums[nsums++] = sum;
}


static ngx_uint_t
is_sent(uint32_t sum)
{
    size_t  i;

    for (i = 0; i < nsums; i++) {
        if (sums[i] == sum) {
            return 1;
        }
    }

    return 0;
}


static void
put_chunk_size(size_t size)
{
    char  text[16];

    sprintf(text, "%08x", (unsigned) size);
    put(2, 0, 1, text, 0);

    chunk_size = size;
}


/* here it is moved */

static void
cut(void)
{
    split = in - wire;
}


/* the bytes for the receiver behind the cut; each: how many are read */

static u_char *
relay(size_t each, u_char *out, u_char *end, size_t *size)
{
    u_char                 *pos, *last, *stop;
    ngx_int_t               rc;
    ngx_osp_rtmp_out_t      o;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_media_t   *m;
    ngx_osp_rtmp_reader_t  *r;

    m = ngx_osp_rtmp_media_create(pool, 0);
    r = ngx_osp_rtmp_reader_create(pool);

    o.pos = out;
    o.end = end;
    o.track = ngx_osp_rtmp_track_create(pool);

    pos = wire;
    last = wire;
    stop = wire + split;

    while (pos < stop) {
        last = ((size_t) (stop - last) > each) ? last + each : stop;

        rc = ngx_osp_rtmp_media_pass(m, r, &pos, last,
                                     NGX_OSP_RTMP_COMMAND_TYPES);

        while (rc == NGX_DONE) {

            if (ngx_osp_rtmp_reader_read(r, &pos, last, &item) != NGX_OK) {
                return NULL;
            }

            rc = ngx_osp_rtmp_media_pass(m, r, &pos, last,
                                         NGX_OSP_RTMP_COMMAND_TYPES);
        }

        if (rc != NGX_AGAIN) {
            return NULL;
        }

        if (last == stop) {
            break;
        }
    }

    if (sender) {
        ngx_osp_rtmp_reader_reset(r);
        pos = stop;
    }

    ngx_osp_rtmp_media_move(m, sender);

    *size = ngx_osp_rtmp_reader_chunk_size(r);
    last = stop;

    while (pos < in) {

        if (start) {
            ngx_osp_rtmp_media_time(m, start);
        }

        rc = ngx_osp_rtmp_reader_read(r, &pos, last, &item);

        if (rc == NGX_AGAIN) {

            if (last == in) {
                return NULL;
            }

            last = ((size_t) (in - last) > each) ? last + each : in;
            continue;
        }

        if (rc != NGX_OK) {
            return NULL;
        }

        o.chunk_size = ngx_osp_rtmp_reader_chunk_size(r);

        o.end = o.pos + ngx_osp_rtmp_media_room(m, &item, &o);

        if (o.end > end
            || ngx_osp_rtmp_media_item(m, &item, to_msid, &o) != NGX_OK)
        {
            return NULL;
        }
    }

    waits = ngx_osp_rtmp_media_waiting(m);
    full = ngx_osp_rtmp_media_full(m);
    last_time = ngx_osp_rtmp_media_last(m);

    return o.pos;
}


/* each message: type@timestamp+length, and ! if it was not sent so */

static void
read_out(u_char *p, u_char *last, size_t size, char *t)
{
    uint32_t                sum[MAX_CSID];
    u_char                  seen[MAX_CSID];
    size_t                  i;
    u_char                  buf[64], *b;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);

    b = ngx_osp_rtmp_write_header(buf, 2, 0, 4, 1, 0);
    *b++ = (u_char) (size >> 24);
    *b++ = (u_char) (size >> 16);
    *b++ = (u_char) (size >> 8);
    *b++ = (u_char) size;

    i = b - buf;
    b = buf;

    (void) ngx_osp_rtmp_reader_read(r, &b, buf + i, &item);

    *t = '\0';
    memset(seen, 0, sizeof(seen));

    while (ngx_osp_rtmp_reader_read(r, &p, last, &item) == NGX_OK) {

        if (item.csid >= MAX_CSID) {
            break;
        }

        if (item.first) {
            sum[item.csid] = 0;

            if (!seen[item.csid] && item.fmt) {
                t += sprintf(t, "fmt %lu ", (unsigned long) item.fmt);
            }

            seen[item.csid] = 1;
        }

        for (i = 0; i < item.payload_len; i++) {
            sum[item.csid] = sum[item.csid] * 31 + item.payload[i];
        }

        if (item.last) {
            t += sprintf(t, "%lu@%u+%u%s%s ", (unsigned long) item.type,
                         item.timestamp, item.mlen,
                         is_sent(sum[item.csid]) ? "" : "!",
                         item.msid == to_msid || item.type < 7 ? ""
                         : " wrong id");
        }
    }

    if (p != last || !ngx_osp_rtmp_reader_idle(r)) {
        sprintf(t, "cut: %s", ngx_osp_rtmp_reader_error(r));
    }
}


/* however the input comes */

static void
goes_on(const char *expected, const char *name)
{
    size_t         i, size;
    char           first[MAX_TRACE];
    u_char        *last;

    static u_char  out[1024 * 1024];

    static size_t  each[] = { 1000000, 4096, 1460, 129, 64, 17, 13, 7, 3, 2,
                              1 };

    for (i = 0; i < sizeof(each) / sizeof(each[0]); i++) {

        last = relay(each[i], out, out + sizeof(out), &size);

        if (last == NULL) {
            ok(0, "%s, by %lu bytes", name, (unsigned long) each[i]);
            return;
        }

        read_out(out, last, size, trace);

        /* what is said of headers may depend on how it comes */

        if (i == 0) {
            strcpy(first, trace);
        }

        if (strcmp(trace, first) != 0 || strcmp(trace, expected) != 0) {
            ok(0, "%s, by %lu bytes", name, (unsigned long) each[i]);
            diag("got      \"%s\"", trace);
            diag("expected \"%s\"", expected);
            return;
        }
    }

    ok(1, "%s", name);
}


#define AVC_HEAD    "17 00 000000 0164"
#define AAC_HEAD    "af 00 1210"
#define METADATA    "02 000d '@setDataFrame' 02 000a 'onMetaData' 08"


static void
video(void)
{
    begin();

    put_chunk_size(4096);
    put(4, 0, 18, METADATA, 300);
    put(6, 0, 9, AVC_HEAD, 40);
    put(4, 0, 8, AAC_HEAD, 0);
    put(6, 0, 9, "17 01 000000", 9000);
    put(4, 23, 8, "af 01", 200);
    put(6, 40, 9, "27 01 000000", 900);
    cut();
    put(4, 46, 8, "af 01", 200);
    put(6, 80, 9, "27 01 000000", 900);
    put(3, 0, 20, "02 0004 'ping' 00 0000000000000000 05", 0);
    put(4, 92, 8, "af 01", 200);
    put(4, 100, 18, "02 000a 'onCuePoint'", 0);
    put(6, 120, 9, "17 01 000000", 9000);
    put(4, 115, 8, "af 01", 201);
    put(4, 138, 8, "af 01", 202);
    put(6, 160, 9, "27 01 000000", 900);
    put(4, 170, 18, "02 000a 'onCuePoint'", 0);

    goes_on("20@0+17 18@120+330 9@120+47 8@120+4 "
            "9@120+9005 8@138+204 9@160+905 18@170+13 ",
            "headers first, then from the key frame on");

    /* the message that is cut is dropped whole */

    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    put(6, 0, 9, "17 01 000000", 900);
    split = in - wire - 400;
    put(6, 40, 9, "27 01 000000", 900);
    put(6, 80, 9, "17 01 000000", 900);

    goes_on("9@80+47 9@80+905 ", "a key frame cut in half");

    /* which header is the latest is known even if it is cut */

    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    put(6, 0, 9, AVC_HEAD, 900);
    split = in - wire - 400;
    put(6, 40, 9, "27 01 000000", 900);
    put(6, 80, 9, "17 01 000000", 900);

    goes_on("9@80+907 9@80+905 ", "a header cut in half");

    /* one that comes while it waits */

    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    cut();
    put(6, 40, 9, AVC_HEAD, 50);
    put(6, 80, 9, "17 01 000000", 900);
    put(6, 120, 9, AVC_HEAD, 40);
    put(6, 120, 9, "17 01 000000", 900);

    goes_on("9@80+57 9@80+905 9@120+47 9@120+905 ",
            "new headers before and after it begins");

    /* I2 B0 B1 P3, then B with times before it */

    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    cut();
    put(6, 1000, 9, "17 01 000078", 20);
    put(6, 1040, 9, "27 01 000000", 21);
    put(6, 1080, 9, "27 01 000000", 22);
    put(6, 1120, 9, "27 01 000078", 23);
    put(6, 1160, 9, "27 01 000000", 24);
    put(6, 1161, 9, "27 01 ffff00", 24);

    goes_on("9@1000+47 9@1000+25 9@1120+28 9@1160+29 "
            "9@1161+29 ",
            "leading pictures");

    /* of one that has no composition times */

    begin();

    cut();
    put(6, 1000, 9, "12", 20);
    put(6, 1040, 9, "22", 20);
    put(6, 1080, 9, "52 00", 0);

    goes_on("9@1000+21 9@1040+21 9@1080+2 ",
            "a codec without headers");

    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    cut();
    put(6, 0, 9, "", 0);
    put(6, 0, 9, "57 00", 0);
    put(6, 40, 9, "17 02 000000", 0);
    put(6, 80, 9, "27 01 000000", 900);

    goes_on("", "nothing but a key frame will do");

    ok(waits, "it waits");
}


static void
enhanced(void)
{
    begin();

    put_chunk_size(1000);
    put(6, 0, 9, "90 'hvc1' 01", 60);
    put(6, 0, 9, "94 'hvc1' 02 0009 'colorInfo' 03", 80);
    put(4, 0, 8, "90 'Opus' 'OpusHead'", 11);
    put(4, 0, 8, "94 'Opus' 0102", 4);
    put(6, 0, 9, "94 'hvc1' 02 0009 'colorInfo' 03", 90);
    put(4, 0, 8, "91 'Opus'", 80);
    cut();
    put(6, 40, 9, "a1 'hvc1' 000028", 2000);
    put(6, 80, 9, "91 'hvc1' 000050", 5000);
    put(6, 120, 9, "a1 'hvc1' 000000", 300);
    put(6, 160, 9, "a3 'hvc1'", 301);
    put(4, 161, 8, "91 'Opus'", 80);

    goes_on("9@80+66 9@80+108 8@80+24 8@80+11 "
            "9@80+5008 9@160+306 8@161+85 ",
            "hevc, colorInfo, Opus, MultichannelConfig");

    begin();

    put(6, 0, 9, "90 'av01' 81", 16);
    put(6, 0, 9, "95 'av01' 80", 10);
    cut();
    put(6, 16, 9, "a7 02 0927c0 01 'av01'", 100);
    put(6, 33, 9, "97 02 0927c0 01 'av01'", 100);
    put(6, 50, 9, "a7 02 0927c0 01 'av01'", 100);

    goes_on("9@33+16 9@33+110 9@50+110 ",
            "modifiers, another kind of header");

    begin();

    put(6, 0, 9, "90 'vp09' 81", 16);
    cut();
    put(6, 16, 22, "08 000003 000010 00 000000 af0121 0000000e", 0);
    put(6, 20, 22, "09 000009 000014 00 000000 27 01 000000 00000000", 60);
    put(6, 24, 22, "09 000009 000018 00 000000 17 01 000000 00000000", 60);
    put(6, 28, 22, "08 000003 00001c 00 000000 af0121 0000000e", 0);

    goes_on("9@24+22 22@24+80 22@28+18 ",
            "aggregate messages");
}


static void
tracks(void)
{
    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    put(6, 0, 9, "96 00 'avc1' 01", 41);
    put(6, 0, 9, "96 00 'avc1' 02", 42);
    put(6, 0, 9, "17 01 000000", 100);
    put(6, 0, 9, "96 01 'avc1' 01 000000", 101);
    put(6, 0, 9, "96 01 'avc1' 02 000000", 102);
    cut();
    put(6, 40, 9, "96 01 'avc1' 01 000000", 101);
    put(6, 80, 9, "17 01 000000", 100);
    put(6, 81, 9, "a6 01 'avc1' 01 000000", 101);
    put(6, 82, 9, "96 01 'avc1' 02 000000", 102);
    put(6, 120, 9, "27 01 000000", 100);
    put(6, 121, 9, "96 01 'avc1' 01 000010", 101);
    put(6, 122, 9, "a6 01 'avc1' 02 000000", 102);
    put(6, 130, 9, "a6 01 'avc1' 01 000000", 101);
    put(6, 160, 9, "a6 01 'avc1' 01 000000", 101);

    goes_on("9@80+47 9@80+48 9@80+49 9@80+105 "
            "9@82+112 9@120+105 9@121+111 9@122+112 "
            "9@160+111 ",
            "each track waits for its key frame, the main one is first");

    /* the main track is there no more */

    begin();

    put(6, 0, 9, "96 01 'av01' 00", 100);
    put(6, 0, 9, "96 01 'av01' 05", 101);
    cut();
    put(6, 2999, 9, "96 01 'av01' 05", 101);
    put(6, 3000, 9, "96 01 'av01' 05", 101);

    goes_on("9@3000+108 ", "another track when the main one is gone");

    begin();

    put(6, 0, 9, "96 10 'hvc1' 00 000002 aabb 01 000001 cc", 0);
    put(6, 0, 9, "96 00 'hvc1' 01 dd", 0);
    put(6, 0, 9, "96 20 'av01' 02 000002 aabb 'vp09' 03 000001 cc", 0);
    put(6, 0, 9, "96 00 'vp09' 02 ee", 0);
    put(6, 0, 9, "96 00 'vp09' 03 ef", 0);
    put(6, 0, 9, "96 20 'vp09' 03 000002 aabb 'vp09' 02 000001 cd", 0);
    put(6, 0, 9, "96 10 'vp09' 03 000009 aabb 02 000001 cd", 0);
    cut();
    put(6, 10, 9, "96 11 'hvc1' 00 000003 000000 01 000003 000000", 0);

    goes_on("9@10+17 9@10+8 9@10+21 9@10+20 ",
            "headers of several tracks in one message");
}


static void
audio(void)
{
    begin();

    put(4, 0, 8, AAC_HEAD, 0);
    put(4, 0, 8, "af 01", 50);
    cut();
    put(4, 23, 8, "af 01", 51);
    put(4, 46, 8, "af 01", 52);

    goes_on("8@23+4 8@23+53 8@46+54 ", "audio only");

    begin();

    put(4, 0, 8, AAC_HEAD, 0);
    put(6, 0, 9, AVC_HEAD, 40);
    put(6, 0, 9, "17 01 000000", 100);
    put(4, 1, 8, "af 01", 50);
    cut();
    put(4, 3000, 8, "af 01", 51);
    put(4, 3001, 8, "af 01", 52);
    put(6, 3002, 9, "27 01 000000", 100);
    put(6, 3003, 9, "17 01 000000", 100);

    goes_on("9@3001+47 8@3001+4 8@3001+54 9@3003+105 ",
            "video that is there no more");

    /* older by little, and by so much that its clock is another */

    begin();

    put(6, 9000, 9, AVC_HEAD, 40);
    cut();
    put(6, 9000, 9, "17 01 000000", 100);
    put(4, 8990, 8, "af 01", 50);
    put(4, 9000, 8, "af 01", 51);
    put(4, 8999, 8, "af 01", 52);

    goes_on("9@9000+47 9@9000+105 8@9000+53 8@8999+54 ",
            "audio from before");

    begin();

    put(6, 9000, 9, AVC_HEAD, 40);
    cut();
    put(6, 9000, 9, "17 01 000000", 100);
    put(4, 7000, 8, "af 01", 50);

    goes_on("9@9000+47 9@9000+105 8@7000+52 ",
            "audio with a clock of its own");
}


/* what is known of a message before its first chunk has ended, and not */

static void
pieces(void)
{
    size_t      n, size;
    u_char      buf[200];
    ngx_uint_t  i;
    char        expected[64];

    static size_t  sizes[] = { 1, 2, 3, 5, 9, 16, 63, 64, 65 };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size = sizes[i];

        begin();

        put_chunk_size(size);
        put(6, 0, 9, "90 'hvc1' 01", 60);
        put(4, 0, 8, AAC_HEAD, 0);
        put(4, 0, 18, METADATA, 30);
        cut();
        put(6, 40, 9, "a7 02 0927c0 01 'hvc1' 000028", 100);
        put(6, 80, 9, "97 02 0927c0 07 02 0927c0 01 'hvc1' 000028", 100);
        put(4, 80, 8, "af 01", 10);
        put(6, 120, 9, "a1 'hvc1' 000028", 100);

        sprintf(expected, "chunks of %lu bytes", (unsigned long) size);

        goes_on("18@80+60 9@80+66 8@80+4 9@80+118 8@80+12 "
                "9@120+108 ", expected);
    }

    /* a change of their size is cut in half */

    for (n = 1; n < 16; n++) {
        begin();

        put(6, 0, 9, AVC_HEAD, 40);
        put_chunk_size(1000);
        split = in - wire - n;
        put(6, 80, 9, "17 01 000000", 2000);

        goes_on("1@0+4 9@80+47 9@80+2005 ", "a cut Set Chunk Size");
    }

    /* interleaved, and one that is given up */

    begin();

    put(6, 0, 9, AVC_HEAD, 40);
    cut();

    n = hex("17 01 000000", buf);
    memset(buf + n, 1, 200 - n);
    add_sum(buf, 200);

    in = ngx_osp_rtmp_write_header(in, 6, 40, 200, 9, 1);
    in = ngx_cpymem(in, buf, 128);

    in = ngx_osp_rtmp_write_header(in, 7, 41, 140, 9, 1);
    in += hex("27 01 000000", in);
    memset(in, 2, 123);
    in += 123;

    in = ngx_osp_rtmp_write_header(in, 2, 0, 4, 2, 0);
    add_sum(in, hex("00000007", in));
    in += 4;

    in = ngx_osp_rtmp_write_next_header(in, 6, 40);
    in = ngx_cpymem(in, buf + 128, 72);

    put(8, 50, 9, "27 01 000000", 10);

    goes_on("9@40+47 2@0+4 9@40+200 9@50+15 ",
            "interleaved messages, one is aborted");
}


static void
times(void)
{
    ngx_uint_t  i;
    char        text[256], name[64];

    /* the offset that makes them go on, behind the cut and at the wraps */

    static uint32_t  from[] = { 0, 5000, 0xfffff0, 0xffffff, 0x1000000,
                                0xffffffd0, 0xfffffff0 };
    static uint32_t  to[] = { 100, 0xffffd0, 0xffffff, 0x1000000, 0xffffffd0,
                              0xffffffff, 1, 0x7ffffff0 };

    for (i = 0; i < sizeof(from) / sizeof(from[0])
                    * sizeof(to) / sizeof(to[0]); i++)
    {
        begin();

        put(6, 777, 9, "90 'hvc1' 01", 60);
        put(6, 777, 9, "91 'hvc1' 000000", 200);
        cut();

        memset(sent, 0, sizeof(sent));
        chunk_size = 128;

        sender = 1;
        to_msid = i % 2 ? 5 : 1;
        start = to[i % 8];
        full_headers = i % 3 == 1;

        put(6, from[i / 8], 9, AVC_HEAD, 40);
        put(4, from[i / 8], 8, AAC_HEAD, 0);
        put(6, from[i / 8], 9, "27 01 000000", 200);
        put(6, from[i / 8] + 10, 9, "17 01 000000", 200);
        put(4, from[i / 8] + 20, 8, "af 01", 200);
        put(4, from[i / 8] + 40, 8, "af 01", 200);
        put(6, from[i / 8] + 50, 9, "27 01 000000", 200);
        put(6, from[i / 8] + 90, 9, "27 01 000000", 200);
        put(4, from[i / 8] + 0x1000010, 8, "af 01", 200);
        put(4, from[i / 8] + 0x2000020, 8, "af 01", 200);

        sprintf(text, "9@%u+47 8@%u+4 9@%u+205 8@%u+202 "
                "8@%u+202 9@%u+205 9@%u+205 8@%u+202 "
                "8@%u+202 ",
                start, start, start, start + 10, start + 30, start + 40,
                start + 80, start + 0x1000010 - 10, start + 0x2000020 - 10);

        sprintf(name, "another sender, from %08x to %08x", from[i / 8],
                start);

        goes_on(text, name);

        if (last_time != start + 0x2000020 - 10) {
            ok(0, "the last time: %08x", last_time);
        }
    }

    /* the same of one that goes on with its own times */

    begin();

    put(6, 0xffffe0, 9, AVC_HEAD, 40);
    put(6, 0xffffe0, 9, "17 01 000000", 200);
    cut();
    put(6, 0xfffff0, 9, "27 01 000000", 200);
    put(6, 0x1000010, 9, "17 01 000000", 200);
    put(6, 0x1000030, 9, "27 01 000000", 200);
    put(6, 0x2000040, 9, "27 01 000000", 200);
    put(6, 0xfffffff0, 9, "27 01 000000", 200);
    put(6, 0x10, 9, "27 01 000000", 200);

    goes_on("9@16777232+47 9@16777232+205 9@16777264+205 "
            "9@33554496+205 9@4294967280+205 9@16+205 ",
            "extended timestamps");
}


/* what is kept has limits */

static void
kept(void)
{
    size_t                  size, n;
    u_char                 *pos;
    ngx_uint_t              i;
    char                    text[64];
    ngx_osp_rtmp_out_t      o;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_media_t   *m;
    ngx_osp_rtmp_reader_t  *r;

    begin();

    put_chunk_size(65536);

    for (i = 0; i < 3000; i++) {
        sprintf(text, "96 00 'avc1' %02x", (unsigned) (i % 256));
        put(6, 0, 9, text, 1 + i % 100);
    }

    m = ngx_osp_rtmp_media_create(pool, 0);
    r = ngx_osp_rtmp_reader_create(pool);

    pos = wire;

    (void) ngx_osp_rtmp_media_pass(m, r, &pos, in, 0);

    ngx_memzero(&item, sizeof(ngx_osp_rtmp_item_t));
    ngx_memzero(&o, sizeof(ngx_osp_rtmp_out_t));

    o.chunk_size = 4096;
    item.type = 9;

    ngx_osp_rtmp_media_move(m, 0);

    size = ngx_osp_rtmp_media_room(m, &item, &o);

    ok(size > NGX_OSP_RTMP_MEDIA_ENTRIES * 20
       && size < NGX_OSP_RTMP_MEDIA_ENTRIES * 200,
       "room for so many headers: %lu", (unsigned long) size);
    ok(ngx_osp_rtmp_media_full(m), "and no more");

    begin();

    put_chunk_size(65536);
    put(6, 0, 9, AVC_HEAD, 40);
    put(6, 0, 9, AVC_HEAD, NGX_OSP_RTMP_MEDIA_ENTRY_MAX);
    cut();
    put(6, 80, 9, "17 01 000000", 10);

    goes_on("9@80+47 9@80+15 ", "a header too long");
    ok(full, "it is said");

    /* all the memory that it takes */

    begin();

    put_chunk_size(65536);

    for (i = 0; i < 40; i++) {
        sprintf(text, "96 00 'avc1' %02x", (unsigned) i);
        put(6, 0, 9, text, 3000);
    }

    m = ngx_osp_rtmp_media_create(pool, 20000);
    r = ngx_osp_rtmp_reader_create(pool);

    for (n = 0; n < 100; n++) {
        pos = wire;
        ngx_osp_rtmp_reader_reset(r);
        (void) ngx_osp_rtmp_media_pass(m, r, &pos, in, 0);
    }

    ngx_osp_rtmp_media_move(m, 0);

    size = ngx_osp_rtmp_media_room(m, &item, &o);

    ok(size > 3000 && size < 20000, "a limit of 20000: %lu",
       (unsigned long) size);
}


/* what is left of messages, for who has got a part */

static void
finish(void)
{
    size_t                  n, len, bad;
    u_char                 *pos, *end, *out;
    ngx_uint_t              i;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    for (i = 0; i < 3; i++) {
        begin();

        put_chunk_size(100);

        in = ngx_osp_rtmp_write_header(in, 6, i ? 0xffffff + i - 1 : 40, 250,
                                       9, 1);
        memset(in, 1, 100);
        in += 100;

        in = ngx_osp_rtmp_write_header(in, 400, 41, 340, 8, 1);
        memset(in, 2, 100);
        in += 100;

        in = ngx_osp_rtmp_write_next_header(in, 6,
                                            i ? 0xffffff + i - 1 : 40);
        memset(in, 1, 100);
        in += 100;

        in = ngx_osp_rtmp_write_header(in, 7, 41, 50, 8, 1);
        memset(in, 2, 50);
        in += 50;

        bad = 0;

        for (n = 0; n <= (size_t) (in - wire); n++) {
            r = ngx_osp_rtmp_reader_create(pool);

            pos = wire;

            while (ngx_osp_rtmp_reader_read(r, &pos, wire + n, &item)
                   == NGX_OK)
            {
                /* void */
            }

            len = ngx_osp_rtmp_reader_finish(r, NULL);
            out = malloc(len + 1);

            if (ngx_osp_rtmp_reader_finish(r, out) != len) {
                bad++;
            }

            pos = out;
            end = out + len;

            while (ngx_osp_rtmp_reader_read(r, &pos, end, &item) == NGX_OK) {

                if (item.first || item.no_ext) {
                    bad++;
                }
            }

            if (pos != end
                || !ngx_osp_rtmp_reader_idle(r)
                || ngx_osp_rtmp_reader_finish(r, NULL) != 0)
            {
                bad++;
            }

            free(out);
        }

        is_uint(bad, 0, "messages are ended, %lu", (unsigned long) i);
    }
}


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(65536, &unit_log);

    frames();
    video();
    enhanced();
    tracks();
    audio();
    pieces();
    times();
    kept();
    finish();

    ngx_destroy_pool(pool);

    return done();
}
