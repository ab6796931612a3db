
/*
 * Copyright (C) The nginx-osp authors
 */


/* Tests for the RTMP chunk stream. */

/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


#include "unit.h"

#include <malloc.h>
#include <time.h>

#include "ngx_osp_rtmp_chunk.h"


#define MAX_TRACE   16384


static u_char       input[65536];
static u_char      *in;
static char         trace[MAX_TRACE];
static ngx_pool_t  *pool;


static void begin(void);
static void hex(const char *text);
static void fill(size_t n);
static void item_trace(ngx_osp_rtmp_item_t *item, uint32_t *sum, char **t);
static void read_cut(size_t cut, size_t each, char *out);
static void all_cuts(const char *expected, const char *name);
static void basic_headers(void);
static void message_headers(void);
static void extended(void);
static void chunk_size(void);
static void aborted(void);
static void interrupted(void);
static void limits(void);
static void items(void);
static void recorded(void);
static void finishing(void);
static ngx_int_t collect(ngx_osp_rtmp_reader_t *r, ngx_osp_rtmp_asm_t *a,
    size_t each, char *out);
static void assembly(void);
static void writer(void);
static void tracking(void);
static uint32_t rnd(uint32_t n);
static void relay(ngx_uint_t seed);
static void passing(u_char *wire, u_char *end);
static void settling(u_char *wire, u_char *end);
static ngx_uint_t settled(ngx_osp_rtmp_reader_t *r,
    ngx_osp_rtmp_track_t *track);
static void settling_sum(ngx_osp_rtmp_reader_t *r, u_char *pos, u_char *end,
    u_char *start, uint32_t *sum);
static ngx_uint_t small(void);


static void
begin(void)
{
    in = input;
}


/* hex digits, blanks are ignored */

static void
hex(const char *text)
{
    u_char      c;
    ngx_uint_t  half, value;

    half = 0;
    value = 0;

    for ( /* void */ ; *text; text++) {

        if (*text == ' ') {
            continue;
        }

        c = *text | 0x20;
        value = value << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);

        if (half) {
            *in++ = (u_char) value;
        }

        half ^= 1;
    }
}


static void
fill(size_t n)
{
    while (n--) {
        *in++ = (u_char) (0x40 + n % 13);
    }
}


/* a line for each message: csid type timestamp msid length headers sum */

static void
item_trace(ngx_osp_rtmp_item_t *item, uint32_t *sum, char **t)
{
    size_t  i;

    /* sums are kept by csid, which tests choose below 100 or so */

    sum += (item->csid % 128) * 2;

    if (item->first) {
        sum[0] = 0;
        sum[1] = 0;
    }

    if (item->header_len) {
        sum[1]++;
    }

    if (item->no_ext) {
        sum[1] |= 0x1000;
    }

    for (i = 0; i < item->header_len; i++) {
        sum[0] = sum[0] * 17 + item->header[i];
    }

    for (i = 0; i < item->payload_len; i++) {
        sum[0] = sum[0] * 31 + item->payload[i];
    }

    if (item->last) {
        *t += sprintf(*t, "%u/%u@%u#%u+%u%s ", item->csid,
                      (unsigned) item->type, item->timestamp, item->msid,
                      item->mlen, sum[1] & 0x1000 ? "n" : item->ext ? "x" : "");
    }
}


/* reads the input, first cut bytes, then each bytes at a time */

static void
read_cut(size_t cut, size_t each, char *out)
{
    char                   *t;
    size_t                  n, done;
    u_char                 *buf, *pos;
    uint32_t                sum[256], all;
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);

    memset(sum, 0, sizeof(sum));

    t = out;
    *t = '\0';
    n = cut;
    done = 0;
    buf = NULL;

    for ( ;; ) {
        n = ngx_min(n, (size_t) (in - input));

        /* a buffer of its own, so that reading over its end is noticed */

        free(buf);
        buf = malloc(n - done + 1);
        memcpy(buf, input + done, n - done);

        pos = buf;

        do {
            rc = ngx_osp_rtmp_reader_read(r, &pos, buf + (n - done), &item);

            if (rc == NGX_OK) {
                item_trace(&item, sum, &t);
            }

        } while (rc == NGX_OK);

        done += pos - buf;

        if (rc == NGX_ERROR) {
            sprintf(t, "! %s", ngx_osp_rtmp_reader_error(r));
            free(buf);
            return;
        }

        if (n == (size_t) (in - input)) {
            break;
        }

        n += each;
    }

    free(buf);

    all = 0;

    for (i = 0; i < 256; i++) {
        all = all * 31 + sum[i];
    }

    sprintf(t, "%s%u;%08x", ngx_osp_rtmp_reader_idle(r) ? "idle " : "",
            (unsigned) (in - input - done), all);
}


/* the trace is as expected, and the same wherever the input is cut */

static void
all_cuts(const char *expected, const char *name)
{
    char        other[MAX_TRACE], *sum;
    size_t      i;
    ngx_str_t   got;
    ngx_uint_t  same;

    read_cut(in - input, 1, trace);

    same = 1;

    for (i = 0; i <= (size_t) (in - input); i++) {
        read_cut(i, in - input, other);

        if (strcmp(trace, other) != 0) {
            diag("cut at %d: %s", (int) i, other);
            same = 0;
        }
    }

    for (i = 1; i < 8; i++) {
        read_cut(0, i, other);

        if (strcmp(trace, other) != 0) {
            diag("cut to %d: %s", (int) i, other);
            same = 0;
        }
    }

    ok(same, "%s, cut anywhere", name);

    sum = strchr(trace, ';');
    if (sum) {
        *sum = '\0';
    }

    got = unit_str(trace);

    is_str(&got, expected, "%s", name);
}


static void
basic_headers(void)
{
    begin();
    hex("03 000010 000003 14 00000000 616263");
    all_cuts("3/20@16#0+3 idle 0", "one byte basic header");

    begin();
    hex("3f 000010 000003 14 01000000 616263");
    all_cuts("63/20@16#1+3 idle 0", "chunk stream 63");

    begin();
    hex("00 00 000010 000003 09 01000000 616263");
    all_cuts("64/9@16#1+3 idle 0", "chunk stream 64");

    begin();
    hex("00 06 000010 000003 09 01020304 616263");
    hex("40 06 000010 000001 08 78");
    all_cuts("70/9@16#67305985+3 70/8@32#67305985+1 idle 0",
             "chunk stream 70, little endian stream id");

    begin();
    hex("00 ff 000010 000001 09 01000000 61");
    all_cuts("319/9@16#1+1 idle 0", "chunk stream 319");

    begin();
    hex("01 50 01 000010 000001 09 01000000 61");
    hex("c1 50 01 62");
    all_cuts("400/9@16#1+1 400/9@32#1+1 idle 0", "chunk stream 400");

    begin();
    hex("01 ff ff 000010 000001 09 01000000 61");
    all_cuts("65599/9@16#1+1 idle 0", "chunk stream 65599");

    begin();
    hex("00 00 000001 000001 09 01000000 61");
    hex("c1 00 00 62");
    all_cuts("64/9@1#1+1 64/9@2#1+1 idle 0",
             "two and three byte forms of the same chunk stream");

    begin();
    hex("01 50");
    all_cuts("idle 2", "part of a basic header is left");
}


static void
message_headers(void)
{
    begin();
    hex("04 0000ff 000002 08 01000000 6162");
    hex("44 000014 000003 08 616263");
    hex("84 000015 646566");
    hex("c4 676869");
    all_cuts("4/8@255#1+2 4/8@275#1+3 4/8@296#1+3 4/8@317#1+3 idle 0",
             "headers of fmt 0 to 3");

    begin();
    hex("04 0000ff 000002 08 01000000 6162 c4 6162 c4 6162");
    all_cuts("4/8@255#1+2 4/8@510#1+2 4/8@765#1+2 idle 0",
             "fmt 3 after fmt 0: the delta is the timestamp");

    begin();
    hex("04 000000 00012c 09 01000000"); fill(128);
    hex("c4"); fill(128);
    hex("c4"); fill(44);
    all_cuts("4/9@0#1+300 idle 0", "a message of three chunks");

    begin();
    hex("04 000005 000090 09 01000000"); fill(128);
    hex("06 000006 000090 08 01000000"); fill(128);
    hex("c4"); fill(16);
    hex("02 000000 000004 03 00000000 00001000");
    hex("c6"); fill(16);
    hex("c4"); fill(128);
    all_cuts("4/9@5#1+144 2/3@0#0+4 6/8@6#1+144 0",
             "interleaved chunk streams, the last message open");

    begin();
    hex("04 000005 000000 09 01000000 c4 c4");
    hex("44 000001 000001 08 61");
    all_cuts("4/9@5#1+0 4/9@10#1+0 4/9@15#1+0 4/8@16#1+1 idle 0",
             "messages without payload");

    begin();
    hex("04 ffffff 000001 09 01000000 fffffff0 61");
    hex("44 000020 000001 09 61");
    all_cuts("4/9@4294967280#1+1x 4/9@16#1+1 idle 0",
             "the timestamp wraps around");

    begin();
    hex("04 fffffe 000001 09 01000000 61");
    hex("84 000002 62");
    all_cuts("4/9@16777214#1+1 4/9@16777216#1+1 idle 0",
             "deltas go on above 24 bits");
}


static void
extended(void)
{
    begin();
    hex("04 ffffff 000090 09 01000000 01020304"); fill(128);
    hex("c4 01020304"); fill(16);
    hex("04 000001 000001 09 01000000 61");
    all_cuts("4/9@16909060#1+144x 4/9@1#1+1 idle 0",
             "fmt 3 repeats the extended timestamp");

    begin();
    hex("04 ffffff 000090 09 01000000 01020304"); fill(128);
    hex("c4"); fill(16);
    hex("04 000001 000001 09 01000000 61");
    all_cuts("4/9@16909060#1+144n 4/9@1#1+1 idle 0",
             "fmt 3 leaves the extended timestamp out");

    begin();
    hex("04 ffffff 000082 09 01000000 01020304"); fill(128);
    hex("c4 5152");
    hex("06 000001 000001 09 01000000 61");
    all_cuts("4/9@16909060#1+130n 6/9@1#1+1 idle 0",
             "two bytes of payload are enough to tell that it is left out");

    begin();
    hex("04 ffffff 000002 09 01000000 00ffffff 6162");
    hex("44 ffffff 000090 09 01000000"); fill(128);
    hex("c4 01000000"); fill(16);
    all_cuts("4/9@16777215#1+2x 4/9@33554431#1+144x idle 0",
             "extended delta, repeated");

    begin();
    hex("04 ffffff 000002 09 01000000 00ffffff 6162");
    hex("44 ffffff 000090 09 01000000"); fill(128);
    hex("c4 01ffffff"); fill(16);
    all_cuts("4/9@16777215#1+2x 4/9@33554431#1+144x idle 0",
             "extended delta, then the absolute time");

    begin();
    hex("04 000001 000002 09 01000000 6162");
    hex("84 ffffff 01000000 6162");
    hex("c4 01000000 6162");
    hex("84 000001 6162");
    hex("c4 6162");
    all_cuts("4/9@1#1+2 4/9@16777217#1+2x 4/9@33554433#1+2x 4/9@33554434#1+2 "
             "4/9@33554435#1+2 idle 0",
             "fmt 3 begins a message with an extended delta");

    begin();
    hex("04 ffffff 000002 09 01000000 00000005 6162");
    all_cuts("4/9@5#1+2x idle 0", "extended timestamp without need");
}


static void
chunk_size(void)
{
    begin();
    hex("02 000000 000004 01 00000000 00001000");
    hex("04 000001 00012c 09 01000000"); fill(300);
    all_cuts("2/1@0#0+4 4/9@1#1+300 idle 0", "larger chunks");

    begin();
    hex("04 000001 00012c 09 01000000"); fill(128);
    hex("02 000000 000004 01 00000000 00000040");
    hex("c4"); fill(64);
    hex("c4"); fill(64);
    hex("02 000000 000004 01 00000000 00001000");
    hex("c4"); fill(44);
    all_cuts("2/1@0#0+4 2/1@0#0+4 4/9@1#1+300 idle 0",
             "set chunk size inside of another message");

    begin();
    hex("02 000000 000004 01 00000000 00000001");
    hex("04 000001 000003 09 01000000 61 c4 62 c4 63");
    hex("02 000000 000004 01 00000000 00 c2 00 c2 00 c2 80");
    hex("04 000001 000081 09 01000000"); fill(128); hex("c4 61");
    all_cuts("2/1@0#0+4 4/9@1#1+3 2/1@0#0+4 4/9@1#1+129 idle 0",
             "chunks of one byte, set chunk size cut into them");

    begin();
    hex("02 000000 000004 01 00000000 01000000");
    hex("04 000001 001000 09 01000000"); fill(1000);
    all_cuts("2/1@0#0+4 0", "chunks of 16 MB");

    begin();
    hex("02 000000 000004 01 00000000 7fffffff");
    hex("04 000001 000100 09 01000000"); fill(256);
    all_cuts("2/1@0#0+4 4/9@1#1+256 idle 0", "the largest chunk size");

    begin();
    hex("02 000000 000006 01 00000000 00000002 ffff");
    hex("04 000001 000004 09 01000000 6162 c4 6364");
    all_cuts("2/1@0#0+6 4/9@1#1+4 idle 0", "long set chunk size");

    begin();
    hex("02 000000 000004 01 00000000 00000000");
    all_cuts("! invalid chunk size", "chunk size 0");

    begin();
    hex("02 000000 000004 01 00000000 80000000");
    all_cuts("! invalid chunk size", "chunk size with its first bit set");

    begin();
    hex("02 000000 000003 01 00000000 000010");
    all_cuts("! control message is too short", "short set chunk size");

    begin();
    hex("02 000000 000000 01 00000000");
    all_cuts("! control message is too short", "empty set chunk size");
}


static void
aborted(void)
{
    begin();
    hex("04 000001 00012c 09 01000000"); fill(128);
    hex("02 000000 000004 02 00000000 00000004");
    hex("44 000001 000002 09 6162");
    all_cuts("2/2@0#0+4 4/9@2#1+2 idle 0", "a message is aborted");

    begin();
    hex("04 000001 00012c 09 01000000"); fill(128);
    hex("02 000000 000004 02 00000000 00000005");
    hex("c4"); fill(128);
    hex("c4"); fill(44);
    all_cuts("2/2@0#0+4 4/9@1#1+300 idle 0",
             "abort of a chunk stream that is not open");

    begin();
    hex("02 000000 000004 02 00000000 00000002");
    hex("02 000000 000004 02 00000000 ffffffff");
    all_cuts("2/2@0#0+4 2/2@0#0+4 idle 0", "abort of itself, of none");
}


static void
interrupted(void)
{
    begin();
    hex("04 000001 000090 09 01000000"); fill(128);
    hex("04 000001 000090 09 01000000"); fill(16);
    all_cuts("4/9@1#1+144 idle 0", "the rest of a message with fmt 0");

    begin();
    hex("04 000001 000110 09 01000000"); fill(128);
    hex("44 000000 000110 09"); fill(128);
    hex("84 000000"); fill(16);
    hex("c4"); fill(128);
    all_cuts("4/9@1#1+272 0", "the rest of a message with fmt 1 and 2");

    begin();
    hex("04 000001 000090 09 01000000"); fill(128);
    hex("04 000001 000091 09 01000000"); fill(16);
    all_cuts("! message is interrupted by another on its chunk stream",
             "a message of another length in a message");

    begin();
    hex("04 000001 000090 09 01000000"); fill(128);
    hex("44 000001 000090 08"); fill(16);
    all_cuts("! message is interrupted by another on its chunk stream",
             "a message of another type in a message");

    begin();
    hex("04 000001 000090 09 01000000"); fill(128);
    hex("04 000001 000090 09 02000000"); fill(16);
    all_cuts("! message is interrupted by another on its chunk stream",
             "a message of another stream in a message");
}


static void
limits(void)
{
    ngx_uint_t  i;

    begin();
    hex("44 000001 000002 08 6162");
    all_cuts("! chunk stream does not begin with a full header",
             "unknown chunk stream, fmt 1");

    begin();
    hex("84 000001 6162");
    all_cuts("! chunk stream does not begin with a full header",
             "unknown chunk stream, fmt 2");

    begin();
    hex("c4 6162");
    all_cuts("! chunk stream does not begin with a full header",
             "unknown chunk stream, fmt 3");

    begin();
    hex("c2 6162");
    all_cuts("! chunk stream does not begin with a full header",
             "unknown chunk stream 2, fmt 3");

    begin();
    hex("42 000001 000006 04 0003 00000001");
    all_cuts("2/4@1#0+6 idle 0", "unknown chunk stream 2, fmt 1: librtmp");

    begin();

    for (i = 0; i < NGX_OSP_RTMP_MAX_STREAMS; i++) {
        hex("00");
        *in++ = (u_char) i;
        hex("000001 000001 09 01000000 61");
    }

    read_cut(in - input, 1, trace);
    ok(strstr(trace, "127/9@1#1+1 idle 0") != NULL, "64 chunk streams");

    hex("03 000001 000001 09 01000000 61");

    read_cut(in - input, 1, trace);
    ok(strstr(trace, "! too many chunk streams") != NULL,
       "65 chunk streams");
}


/* what an item tells of a chunk */

static void
items(void)
{
    u_char                 *pos, *last;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);

    begin();
    hex("04 000001 000090 09 01000000"); fill(128);
    hex("c4"); fill(16);
    hex("84 000002"); fill(128);

    pos = input;
    last = input + 11;

    ok(ngx_osp_rtmp_reader_read(r, &pos, last, &item) == NGX_AGAIN
       && pos == input, "part of a header is not eaten");

    last = input + 12;

    ok(ngx_osp_rtmp_reader_read(r, &pos, last, &item) == NGX_OK
       && pos == last && item.header == input && item.header_len == 12
       && item.payload_len == 0 && item.first && !item.last
       && !item.chunk_last && item.fmt == 0 && item.offset == 0
       && item.delta == 1,
       "header without payload");
    ok(!ngx_osp_rtmp_reader_idle(r), "not idle");

    last = input + 12 + 100;

    ok(ngx_osp_rtmp_reader_read(r, &pos, last, &item) == NGX_OK
       && pos == last && item.header_len == 0 && item.payload == input + 12
       && item.payload_len == 100 && !item.first && !item.last
       && !item.chunk_last && item.offset == 0 && !item.skip,
       "piece of a chunk");

    ok(ngx_osp_rtmp_reader_read(r, &pos, last, &item) == NGX_AGAIN,
       "no more bytes");

    ngx_osp_rtmp_reader_skip(r, &item);

    ok(ngx_osp_rtmp_reader_read(r, &pos, in, &item) == NGX_OK
       && item.payload_len == 28 && item.chunk_last && !item.last
       && item.offset == 100 && item.skip, "rest of a chunk, skipped");

    ok(ngx_osp_rtmp_reader_read(r, &pos, in, &item) == NGX_OK
       && item.header_len == 1 && item.fmt == 3 && item.payload_len == 16
       && item.chunk_last && item.last && !item.first && item.offset == 128
       && item.timestamp == 1 && item.skip, "rest of a message, skipped");
    ok(ngx_osp_rtmp_reader_idle(r), "idle");

    ok(ngx_osp_rtmp_reader_read(r, &pos, in, &item) == NGX_OK
       && item.fmt == 2 && item.first && item.delta == 2
       && item.timestamp == 3 && !item.skip, "next message, not skipped");

    ngx_osp_rtmp_reader_reset(r);

    begin();
    hex("02 000000 000004 01 00000000 00010000");

    pos = input;

    ok(ngx_osp_rtmp_reader_read(r, &pos, in, &item) == NGX_OK
       && item.control == 65536
       && ngx_osp_rtmp_reader_chunk_size(r) == 65536, "chunk size is told");

    begin();
    hex("c4");

    pos = input;

    ok(ngx_osp_rtmp_reader_read(r, &pos, in, &item) == NGX_ERROR,
       "after a reset chunk streams are unknown");
    ok(ngx_osp_rtmp_reader_read(r, &pos, pos, &item) == NGX_ERROR,
       "an error remains");
}


/* shapes seen on the wire; payload is made up */

static void
recorded(void)
{
    begin();
    hex("03 000000 00008c 14 00000000"); fill(128);
    hex("c3"); fill(12);
    hex("02 000000 000004 01 00000000 0000ea60");
    hex("43 000000 000024 14"); fill(36);
    hex("43 000000 000020 14"); fill(32);
    hex("43 000000 000019 14"); fill(25);
    hex("43 000000 000016 14"); fill(22);
    hex("08 000000 00002a 14 01000000"); fill(42);
    hex("04 000000 000170 12 01000000"); fill(368);
    hex("06 000000 000034 09 01000000"); fill(52);
    hex("43 000000 000024 14"); fill(36);
    all_cuts("3/20@0#0+140 2/1@0#0+4 3/20@0#0+36 3/20@0#0+32 3/20@0#0+25 "
             "3/20@0#0+22 8/20@0#1+42 4/18@0#1+368 6/9@0#1+52 3/20@0#0+36 "
             "idle 0", "ffmpeg publishes");

    begin();
    hex("03 000000 0000c6 14 00000000"); fill(128);
    hex("c3"); fill(70);
    hex("02 000000 000004 05 00000000 004c4b40");
    hex("42 000000 00000a 04"); fill(10);
    hex("43 000000 000019 14"); fill(25);
    hex("43 000000 000020 14"); fill(32);
    hex("08 000000 000025 14 01000000"); fill(37);
    hex("c2"); fill(10);
    hex("42 0003e8 000004 03"); fill(4);
    hex("c2"); fill(4);
    all_cuts("3/20@0#0+198 2/5@0#0+4 2/4@0#0+10 3/20@0#0+25 3/20@0#0+32 "
             "8/20@0#1+37 2/4@0#0+10 2/3@1000#0+4 2/3@2000#0+4 idle 0",
             "librtmp plays");

    begin();
    hex("03 000000 000019 11 00000000"); fill(25);
    hex("03 000000 000010 0f 01000000"); fill(16);
    all_cuts("3/17@0#0+25 3/15@0#1+16 idle 0", "AMF3 messages");
}


/* what the rest of large messages would take is known at once */

static void
finishing(void)
{
    u_char                 *p;
    size_t                  size;
    clock_t                 start;
    ngx_uint_t              i;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);

    begin();
    hex("02 000000 000004 01 00000000 00000001");
    hex("04 ffffff ffffff 09 01000000 01000000 61");

    for (i = 0; i < 60; i++) {
        hex("00"); *in++ = (u_char) i;
        hex("000000 ffffff 08 01000000 61");
    }

    p = input;

    while (ngx_osp_rtmp_reader_read(r, &p, in, &item) == NGX_OK) {
        /* void */
    }

    start = clock();

    size = ngx_osp_rtmp_reader_finish(r, NULL);

    is_uint(size, (size_t) 0xfffffe * (6 + 60 * 3), "rest in chunks of a byte");
    ok(clock() - start < CLOCKS_PER_SEC / 10, "it takes no time");
}


static ngx_int_t
collect(ngx_osp_rtmp_reader_t *r, ngx_osp_rtmp_asm_t *a, size_t each,
    char *out)
{
    size_t                   i, n, done;
    u_char                  *pos;
    uint32_t                 sum;
    ngx_int_t                rc;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_message_t   msg;

    ngx_osp_rtmp_reader_reset(r);

    *out = '\0';
    done = 0;
    n = 0;

    do {
        n = ngx_min(n + each, (size_t) (in - input));
        pos = input + done;

        for ( ;; ) {

            rc = ngx_osp_rtmp_reader_read(r, &pos, input + n, &item);

            if (rc == NGX_AGAIN) {
                break;
            }

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            rc = ngx_osp_rtmp_asm_add(a, &item, &msg);

            if (rc == NGX_ERROR) {
                out += sprintf(out, "! %s", a->error);
                return NGX_ERROR;
            }

            if (rc == NGX_DECLINED && item.last) {
                out += sprintf(out, "- ");
            }

            if (rc == NGX_OK) {

                for (sum = 0, i = 0; i < msg.len; i++) {
                    sum = sum * 31 + msg.payload[i];
                }

                out += sprintf(out, "%u/%u#%u+%u ", msg.csid,
                               (unsigned) msg.type, msg.msid,
                               (unsigned) msg.len);
                out += sprintf(out, "%x ", sum & 0xff);
            }
        }

        done = pos - input;

    } while (n < (size_t) (in - input));

    return NGX_OK;
}


static void
assembly(void)
{
    char                    one[MAX_TRACE], other[MAX_TRACE];
    size_t                  each;
    u_char                 *buf;
    ngx_str_t               got;
    ngx_uint_t              same;
    ngx_osp_rtmp_asm_t      a;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);
    buf = malloc(512);

    /* a command in chunks, control and media between them, then data */

    begin();
    hex("03 000000 00012c 14 00000000"); fill(128);
    hex("02 000000 000004 05 00000000 004c4b40");
    hex("04 000000 000190 09 01000000"); fill(128);
    hex("c3"); fill(128);
    hex("05 000000 000090 11 01000000"); fill(128);
    hex("c4"); fill(128);
    hex("c3"); fill(44);
    hex("c5"); fill(16);
    hex("c4"); fill(128);
    hex("c4"); fill(16);
    hex("43 000000 000004 12"); fill(4);
    hex("43 000000 000004 16"); fill(4);
    hex("43 000000 000004 ff"); fill(4);
    hex("43 000000 000000 14");

    ngx_osp_rtmp_asm_init(&a, buf, buf + 512, NGX_OSP_RTMP_SETUP_TYPES);
    (void) collect(r, &a, in - input, one);

    same = 1;

    for (each = 1; each < (size_t) (in - input); each++) {
        (void) collect(r, &a, each, other);

        if (strcmp(one, other) != 0) {
            diag("%d: %s", (int) each, other);
            same = 0;
        }
    }

    ok(same, "messages are the same in any pieces");

    got = unit_str(one);
    is_str(&got, "2/5#0+4 a1 3/20#0+300 6 5/17#1+144 86 - 3/18#0+4 be - - "
           "3/20#0+0 0 ", "whole messages of the wanted types");

    ngx_osp_rtmp_asm_init(&a, buf, buf + 512, NGX_OSP_RTMP_COMMAND_TYPES);
    (void) collect(r, &a, 7, one);

    got = unit_str(one);
    is_str(&got, "- 3/20#0+300 6 5/17#1+144 86 - - - - 3/20#0+0 0 ",
           "commands only");

    ngx_osp_rtmp_asm_init(&a, buf, buf + 256, NGX_OSP_RTMP_SETUP_TYPES);

    ok(collect(r, &a, 7, one) == NGX_ERROR, "too long a command");

    got = unit_str(one);
    is_str(&got, "! too long message", "and its error");

    /* also where control messages are not wanted */

    begin();
    hex("03 000000 00012c 14 00000000"); fill(128);
    hex("02 000000 000004 02 00000000 00000003");

    ngx_osp_rtmp_asm_init(&a, buf, buf + 512, NGX_OSP_RTMP_COMMAND_TYPES);
    (void) collect(r, &a, 7, one);

    is_uint(a.nopen, 0, "an aborted command is not open");

    begin();
    hex("03 000000 00012c 12 00000000"); fill(128);
    hex("c3"); fill(128);
    hex("c3"); fill(44);
    hex("43 000000 000002 14"); fill(2);

    ngx_osp_rtmp_asm_init(&a, buf, buf + 256, NGX_OSP_RTMP_SETUP_TYPES);

    ok(collect(r, &a, 7, one) == NGX_OK && strncmp(one, "- 3/20#0+2 ", 11) == 0,
       "too long data is left out");

    begin();
    hex("03 000000 000081 14 00000000"); fill(128);
    hex("04 000000 000081 14 00000000"); fill(128);
    hex("05 000000 000081 14 00000000"); fill(128);
    hex("06 000000 000081 14 00000000"); fill(128);
    hex("07 000000 000081 14 00000000"); fill(128);

    ngx_osp_rtmp_asm_init(&a, buf, buf + 512, NGX_OSP_RTMP_SETUP_TYPES);

    ok(collect(r, &a, 7, one) == NGX_ERROR
       && strcmp(one, "! too many interleaved messages") == 0,
       "too many messages for the buffer");

    begin();
    hex("03 000000 000081 14 00000000"); fill(128);
    hex("04 000000 000082 14 00000000 00"); fill(127);
    hex("c3"); fill(1);
    hex("05 000000 000083 14 00000000 01"); fill(127);
    hex("c4"); fill(2);
    hex("43 000000 000084 14"); fill(128);
    hex("c5"); fill(3);
    hex("c3"); fill(4);

    ngx_osp_rtmp_asm_init(&a, buf, buf + 264, NGX_OSP_RTMP_SETUP_TYPES);

    ok(collect(r, &a, 7, one) == NGX_OK, "interleaved messages");

    got = unit_str(one);
    is_str(&got, "3/20#0+129 1f 4/20#0+130 2a 5/20#0+131 f7 "
           "3/20#0+132 7f ", "room is used again");

    begin();
    hex("03 000000 000081 14 00000000"); fill(128);
    hex("02 000000 000004 02 00000000 00000003");
    hex("43 000000 000082 14"); fill(128);
    hex("c3"); fill(2);

    ngx_osp_rtmp_asm_init(&a, buf, buf + 256, NGX_OSP_RTMP_SETUP_TYPES);

    ok(collect(r, &a, 7, one) == NGX_OK, "aborted command");

    got = unit_str(one);
    is_str(&got, "2/2#0+4 3 3/20#0+130 20 ", "the next is whole");

    ngx_osp_rtmp_asm_init(&a, buf, buf + 256, NGX_OSP_RTMP_COMMAND_TYPES);

    ok(collect(r, &a, 7, one) == NGX_OK, "aborted command, abort not wanted");

    got = unit_str(one);
    is_str(&got, "- 3/20#0+130 20 ", "the next is whole");

    begin();
    hex("03 000000 000081 14 00000000"); fill(128);
    hex("04 000000 000081 14 00000000"); fill(128);
    hex("02 000000 000004 02 00000000 00000003");
    hex("05 000000 000081 14 00000000"); fill(128);
    hex("c5"); fill(1);

    ngx_osp_rtmp_asm_init(&a, buf, buf + 262, NGX_OSP_RTMP_SETUP_TYPES);

    ok(collect(r, &a, 7, one) == NGX_OK, "the room of an aborted command");

    free(buf);
}


static void
writer(void)
{
    size_t                   i, j, k, l, n, size;
    u_char                   buf[2048], payload[1024], part[1024], *p, *pos;
    ngx_uint_t               bad;
    ngx_osp_rtmp_asm_t       a;
    ngx_osp_rtmp_out_t       out;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_reader_t   *r;
    ngx_osp_rtmp_message_t   msg;

    static uint32_t   csids[] = { 2, 3, 63, 64, 70, 319, 320, 400, 65599 };
    static uint32_t   times[] = { 0, 1, 0xfffffe, 0xffffff, 0x1000000,
                                  0xffffffff };
    static size_t     sizes[] = { 0, 1, 127, 128, 129, 256, 257, 1000 };
    static size_t     chunks[] = { 1, 128, 4096 };
    static ngx_int_t  rc;

    r = ngx_osp_rtmp_reader_create(pool);

    for (i = 0; i < 1024; i++) {
        payload[i] = (u_char) (i * 7);
    }

    bad = 0;

    for (i = 0; i < 9; i++) {
        for (j = 0; j < 6; j++) {
            for (k = 0; k < 8; k++) {
                for (l = 0; l < 3; l++) {

                    if (chunks[l] == 1 && sizes[k] > 200) {
                        continue;
                    }

                    out.pos = buf;
                    out.end = buf + sizeof(buf);
                    out.chunk_size = 128;
                    out.track = NULL;

                    p = ngx_osp_rtmp_write_header(buf, 2, 0, 4, 1, 0);
                    *p++ = 0;
                    *p++ = 0;
                    *p++ = (u_char) (chunks[l] >> 8);
                    *p++ = (u_char) chunks[l];

                    out.pos = p;
                    out.chunk_size = chunks[l];

                    size = ngx_osp_rtmp_message_size(&out, csids[i], times[j],
                                                     sizes[k]);

                    out.end = p + size - 1;

                    rc = ngx_osp_rtmp_write_message(&out, csids[i], times[j],
                                                    20, 0x01020304, payload,
                                                    sizes[k]);

                    if (rc != NGX_ERROR || out.pos != p) {
                        bad++;
                    }

                    out.end = p + size;

                    rc = ngx_osp_rtmp_write_message(&out, csids[i], times[j],
                                                    20, 0x01020304, payload,
                                                    sizes[k]);

                    if (rc != NGX_OK || out.pos != p + size) {
                        bad++;
                    }

                    ngx_osp_rtmp_reader_reset(r);
                    ngx_osp_rtmp_asm_init(&a, part, part + sizeof(part),
                                          NGX_OSP_RTMP_COMMAND_TYPES);

                    pos = buf;
                    n = 0;

                    while (ngx_osp_rtmp_reader_read(r, &pos, out.pos, &item)
                           == NGX_OK)
                    {
                        if (ngx_osp_rtmp_asm_add(&a, &item, &msg) != NGX_OK) {
                            continue;
                        }

                        n++;

                        if (msg.len != sizes[k]
                            || memcmp(msg.payload, payload, msg.len) != 0
                            || msg.csid != csids[i]
                            || msg.timestamp != times[j]
                            || msg.msid != 0x01020304)
                        {
                            bad++;
                        }
                    }

                    if (n != 1 || pos != out.pos) {
                        bad++;
                    }
                }
            }
        }
    }

    is_uint(bad, 0, "what is written is read");

    begin();
    hex("04 000001 000001 09 01000000 61");
    hex("00 06 000001 000001 09 01000000 61");
    hex("01 00 01 ffffff 000001 09 01000000 01000000 61");
    hex("44 000001 000001 09 61");

    ngx_osp_rtmp_reader_reset(r);

    pos = input;
    rc = 0;

    while (ngx_osp_rtmp_reader_read(r, &pos, in, &item) == NGX_OK) {
        rc += ngx_osp_rtmp_set_msid(&item, 0x0a0b0c0d);
    }

    is_uint(rc, NGX_DECLINED, "stream ids are replaced in headers of fmt 0");

    read_cut(in - input, 1, trace);

    ok(strncmp(trace, "4/9@1#168496141+1 70/9@1#168496141+1 "
               "320/9@16777216#168496141+1x 4/9@2#168496141+1 idle",
               strlen("4/9@1#168496141+1 70/9@1#168496141+1 "
                      "320/9@16777216#168496141+1x 4/9@2#168496141+1 idle"))
       == 0, "and read so");
}


/* single steps of the track; relay() below tries it at random */

static void
tracking(void)
{
    size_t                  len;
    u_char                  buf[NGX_OSP_RTMP_HEADER_MAX], text[64], *pos;
    ngx_str_t               got;
    ngx_uint_t              i;
    ngx_osp_rtmp_out_t      out;
    ngx_osp_rtmp_item_t     item, items[16];
    ngx_osp_rtmp_track_t   *track;
    ngx_osp_rtmp_reader_t  *r;

    r = ngx_osp_rtmp_reader_create(pool);
    track = ngx_osp_rtmp_track_create(pool);

    begin();
    hex("03 000010 000002 14 00000000 6162");       /* 0 */
    hex("43 000005 000082 14"); fill(128);          /* 1 */
    hex("c3"); fill(2);                             /* 2 */
    hex("83 000005"); fill(128);                    /* 3 */
    hex("c3"); fill(2);                             /* 4 */
    hex("c3"); fill(128);                           /* 5 */
    hex("c3"); fill(2);                             /* 6 */
    hex("43 ffffff 000082 14 01000000"); fill(128); /* 7 */
    hex("c3 01000000"); fill(2);                    /* 8 */

    pos = input;

    for (i = 0; i < 9; i++) {
        if (ngx_osp_rtmp_reader_read(r, &pos, in, &items[i]) != NGX_OK) {
            break;
        }
    }

    is_uint(i, 9, "items of the track");

    for (i = 0; i < 9; i++) {
        if (ngx_osp_rtmp_track_item(track, &items[i], items[i].msid, buf,
                                    &len)
            != NGX_DECLINED)
        {
            break;
        }
    }

    is_uint(i, 9, "nothing is rebuilt if nothing was left out");
    ok(ngx_osp_rtmp_track_idle(track), "the receiver is idle");

    ngx_osp_rtmp_track_reset(track);

    ok(ngx_osp_rtmp_track_item(track, &items[1], 0, buf, &len) == NGX_OK
       && len == 12, "fmt 1 after a message that was left out");

    got.data = text;
    got.len = ngx_hex_dump(text, buf, len) - text;
    is_str(&got, "030000150000821400000000", "rebuilt with fmt 0");

    ok(!ngx_osp_rtmp_track_idle(track), "the receiver is not idle");

    ok(ngx_osp_rtmp_track_item(track, &items[2], 0, buf, &len)
       == NGX_DECLINED, "the rest of it is not rebuilt");
    ok(ngx_osp_rtmp_track_item(track, &items[3], 0, buf, &len)
       == NGX_DECLINED, "nor is fmt 2 after it");
    ok(ngx_osp_rtmp_track_item(track, &items[4], 0, buf, &len)
       == NGX_DECLINED, "the rest of it");
    ok(ngx_osp_rtmp_track_item(track, &items[5], 0, buf, &len)
       == NGX_DECLINED, "fmt 3 after it");
    ok(ngx_osp_rtmp_track_item(track, &items[6], 0, buf, &len)
       == NGX_DECLINED, "the rest of it");

    ngx_osp_rtmp_track_reset(track);

    ok(ngx_osp_rtmp_track_item(track, &items[3], 0, buf, &len) == NGX_OK,
       "fmt 2 is rebuilt");
    (void) ngx_osp_rtmp_track_item(track, &items[4], 0, buf, &len);

    ok(ngx_osp_rtmp_track_item(track, &items[5], 0, buf, &len) == NGX_OK,
       "and fmt 3 after it, as nobody knows the delta of fmt 0");

    begin();
    hex("04 000000 000002 08 01000000 6162");
    hex("44 000005 000002 08 6162");
    hex("c4 6162");

    ngx_osp_rtmp_track_reset(track);

    pos = input;

    for (i = 0; i < 3; i++) {
        (void) ngx_osp_rtmp_reader_read(r, &pos, in, &item);

        if (i && ngx_osp_rtmp_track_item(track, &item, 1, buf, &len) != NGX_OK)
        {
            break;
        }
    }

    is_uint(i, 3, "even if it seems to be the same");

    ngx_osp_rtmp_track_reset(track);

    ok(ngx_osp_rtmp_track_item(track, &items[7], 0, buf, &len) == NGX_OK
       && len == 16, "extended timestamp is rebuilt");

    got.len = ngx_hex_dump(text, buf, len) - text;
    is_str(&got, "03ffffff000082140000000001" "00001f", "as absolute time");

    ok(ngx_osp_rtmp_track_item(track, &items[8], 0, buf, &len) == NGX_OK,
       "and the rest of it");

    got.len = ngx_hex_dump(text, buf, len) - text;
    is_str(&got, "c30100001f", "with the same");

    ngx_osp_rtmp_track_reset(track);

    items[8].no_ext = 1;

    for (i = 0; i < 9; i++) {
        if (ngx_osp_rtmp_track_item(track, &items[i], 0, buf, &len)
            != NGX_DECLINED)
        {
            break;
        }
    }

    is_uint(i, 8, "an extended timestamp that was left out is put in");

    got.len = ngx_hex_dump(text, buf, len) - text;
    is_str(&got, "c301000000", "as it was in the header before");

    ngx_osp_rtmp_track_reset(track);

    ok(ngx_osp_rtmp_track_item(track, &items[0], 7, buf, &len) == NGX_OK,
       "another stream id");

    got.len = ngx_hex_dump(text, buf, len) - text;
    is_str(&got, "030000100000021407000000", "in fmt 0");

    ok(ngx_osp_rtmp_track_item(track, &items[1], 7, buf, &len)
       == NGX_DECLINED, "which fmt 1 keeps");

    (void) ngx_osp_rtmp_track_item(track, &items[2], 7, buf, &len);

    ok(ngx_osp_rtmp_track_item(track, &items[3], 8, buf, &len) == NGX_OK,
       "or not");

    ngx_osp_rtmp_track_reset(track);

    ok(ngx_osp_rtmp_track_item(track, &items[2], 7, buf, &len) == NGX_ERROR,
       "the rest of a message that was left out");

    /* messages of our own */

    ngx_osp_rtmp_track_reset(track);

    (void) ngx_osp_rtmp_track_item(track, &items[0], 0, buf, &len);

    out.pos = text;
    out.end = text + sizeof(text);
    out.chunk_size = 128;
    out.track = track;

    ok(ngx_osp_rtmp_write_message(&out, 3, 0, 20, 1, input, 1) == NGX_OK,
       "a message of our own");
    ok(ngx_osp_rtmp_track_item(track, &items[1], 0, buf, &len) == NGX_OK,
       "fmt 1 after it is rebuilt");
    ok(ngx_osp_rtmp_write_message(&out, 3, 0, 20, 1, input, 1) == NGX_ERROR,
       "none into an open message");
    ok(ngx_osp_rtmp_write_message(&out, 5, 0, 20, 1, input, 1) == NGX_OK,
       "but on another chunk stream");

    begin();
    hex("02 000000 000004 02 00000000 00000003");
    pos = input;

    (void) ngx_osp_rtmp_reader_read(r, &pos, in, &item);

    ok(ngx_osp_rtmp_track_item(track, &item, 0, buf, &len) == NGX_DECLINED
       && ngx_osp_rtmp_track_idle(track), "abort closes a message");
}


static uint32_t
rnd(uint32_t n)
{
    static uint32_t  state = 12345;

    if (n == 0) {
        state = 12345;
        return 0;
    }

    state = state * 1664525 + 1013904223;

    return (state >> 8) % n;
}


/*
 * A sender of random messages, a relay that leaves some out and renumbers,
 * a receiver that must see the others as they were sent
 */

static void
relay(ngx_uint_t seed)
{
    size_t                   len, n, chunk;
    u_char                  *p, *o, *pos, *end, hdr[NGX_OSP_RTMP_HEADER_MAX];
    uint32_t                 ts, delta, i, c;
    ngx_int_t                rc;
    ngx_uint_t               fmt, sent, kept, got, bad, rebuilt;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_track_t    *track;
    ngx_osp_rtmp_reader_t   *r, *r2;

    static u_char            wire[262144], output[393216];
    static u_char            basics[4][3] = { { 0x03, 0, 0 }, { 0x04, 0, 0 },
                                              { 0x00, 0x06, 0 },
                                              { 0x01, 0x50, 0x01 } };
    static size_t            basic_len[4] = { 1, 1, 2, 3 };

    struct {
        uint32_t  csid, ts, delta, mlen, type, msid, field, rest;
        ngx_uint_t  ext, known, drop;
    } s[4];

    struct {
        uint32_t  csid, ts, mlen, type, msid, drop, sum;
    } m[600], x;

    uint32_t                 sum[4];

    memset(s, 0, sizeof(s));

    p = wire;
    chunk = 128;
    sent = 0;

    s[0].csid = 3;
    s[1].csid = 4;
    s[2].csid = 70;
    s[3].csid = 400;

    while (p - wire < 200000 && sent < 500) {
        i = rnd(4);
        fmt = 3;

        if (rnd(40) == 0) {
            /* set chunk size, which itself is to be in one chunk */
            chunk = 4 + rnd(300);
            p = ngx_osp_rtmp_write_header(p, 2, 0, 4, 1, 0);
            *p++ = 0;
            *p++ = 0;
            *p++ = (u_char) (chunk >> 8);
            *p++ = (u_char) chunk;
            continue;
        }

        if (s[i].rest == 0) {
            fmt = s[i].known ? rnd(4) : 0;

            switch (rnd(6)) {
            case 0:
                delta = 0xfffff0 + rnd(32);
                break;
            case 1:
            case 2:
                delta = rnd(3);
                break;
            default:
                delta = s[i].delta;
            }

            if (fmt == 0) {
                ts = rnd(2) ? rnd(5000) : 0xfffff0 + rnd(32);
                delta = ts;
                s[i].msid = rnd(3);
                s[i].ts = ts;

            } else if (fmt == 3) {
                delta = s[i].delta;
                s[i].ts += delta;

            } else {
                s[i].ts += delta;
            }

            s[i].delta = delta;

            if (fmt < 2) {
                s[i].mlen = 1 + (rnd(3) ? rnd(30) : rnd(700));
                s[i].type = 8 + rnd(2);
            }

            if (fmt < 3) {
                s[i].ext = (delta >= 0xffffff);
                s[i].field = delta;
            }

            s[i].known = 1;
            s[i].rest = s[i].mlen;

            m[sent].csid = s[i].csid;
            m[sent].ts = s[i].ts;
            m[sent].mlen = s[i].mlen;
            m[sent].type = s[i].type;
            m[sent].msid = s[i].msid;
            m[sent].drop = (rnd(3) == 0);
            m[sent].sum = 0;
            s[i].drop = sent++;
        }

        *p++ = basics[i][0] | (u_char) (fmt << 6);

        for (c = 1; c < basic_len[i]; c++) {
            *p++ = basics[i][c];
        }

        if (fmt < 3) {
            ts = s[i].ext ? 0xffffff : s[i].field;
            *p++ = (u_char) (ts >> 16);
            *p++ = (u_char) (ts >> 8);
            *p++ = (u_char) ts;
        }

        if (fmt < 2) {
            *p++ = (u_char) (s[i].mlen >> 16);
            *p++ = (u_char) (s[i].mlen >> 8);
            *p++ = (u_char) s[i].mlen;
            *p++ = (u_char) s[i].type;
        }

        if (fmt == 0) {
            *p++ = (u_char) s[i].msid;
            *p++ = 0;
            *p++ = 0;
            *p++ = 0;
        }

        if (s[i].ext) {
            *p++ = (u_char) (s[i].field >> 24);
            *p++ = (u_char) (s[i].field >> 16);
            *p++ = (u_char) (s[i].field >> 8);
            *p++ = (u_char) s[i].field;
        }

        n = ngx_min(chunk, s[i].rest);
        s[i].rest -= n;

        while (n--) {
            *p = (u_char) rnd(256);
            m[s[i].drop].sum = m[s[i].drop].sum * 31 + *p;
            p++;
        }
    }

    end = p;

    passing(wire, end);
    settling(wire, end);

    /* the relay, which gets its input in pieces */

    r = ngx_osp_rtmp_reader_create(pool);
    track = ngx_osp_rtmp_track_create(pool);

    o = output;
    pos = wire;
    p = wire;
    sent = 0;
    bad = 0;
    rebuilt = 0;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(r, &pos, p, &item);

        if (rc == NGX_AGAIN) {

            if (p == end) {
                break;
            }

            p += 1 + rnd(500);
            p = ngx_min(p, end);
            continue;
        }

        if (rc != NGX_OK) {
            diag("relay: %s", ngx_osp_rtmp_reader_error(r));
            bad++;
            break;
        }

        if (item.type == NGX_OSP_RTMP_SET_CHUNK_SIZE) {
            c = 0;

        } else {

            if (item.first) {

                if (item.csid != m[sent].csid || item.timestamp != m[sent].ts
                    || item.mlen != m[sent].mlen || item.type != m[sent].type
                    || item.msid != m[sent].msid)
                {
                    diag("relay: message %d", (int) sent);
                    bad++;
                }

                if (m[sent++].drop) {
                    ngx_osp_rtmp_reader_skip(r, &item);
                }
            }

            if (item.skip) {
                continue;
            }

            /* stream 2 is 9 at the other side */

            c = item.msid == 2 ? 9 : item.msid;
        }

        rc = ngx_osp_rtmp_track_item(track, &item, c, hdr, &len);

        if (rc == NGX_ERROR) {
            bad++;
            break;
        }

        if (rc == NGX_OK) {
            rebuilt++;
            o = ngx_cpymem(o, hdr, len);

        } else if (item.header_len) {
            o = ngx_cpymem(o, item.header, item.header_len);
        }

        o = ngx_cpymem(o, item.payload, item.payload_len);
    }

    /* the receiver */

    r2 = ngx_osp_rtmp_reader_create(pool);

    pos = output;
    kept = 0;
    got = 0;

    memset(sum, 0, sizeof(sum));

    while (pos < o) {

        if (ngx_osp_rtmp_reader_read(r2, &pos, o, &item) != NGX_OK) {
            diag("receiver: %s", ngx_osp_rtmp_reader_error(r2));
            bad++;
            break;
        }

        if (item.type == NGX_OSP_RTMP_SET_CHUNK_SIZE) {
            continue;
        }

        i = item.csid == 3 ? 0 : item.csid == 4 ? 1 : item.csid == 70 ? 2 : 3;

        if (item.first) {

            while (m[kept].drop) {
                kept++;
            }

            x = m[kept++];

            sum[i] = 0;
            s[i].drop = kept - 1;

            if (item.csid != x.csid || item.timestamp != x.ts
                || item.mlen != x.mlen || item.type != x.type
                || item.msid != (x.msid == 2 ? 9 : x.msid))
            {
                diag("receiver: message %d", (int) kept - 1);
                bad++;
                break;
            }
        }

        for (n = 0; n < item.payload_len; n++) {
            sum[i] = sum[i] * 31 + item.payload[n];
        }

        if (item.last) {
            got++;

            if (sum[i] != m[s[i].drop].sum) {
                diag("receiver: payload %d", (int) s[i].drop);
                bad++;
                break;
            }
        }
    }

    is_uint(bad, 0, "relay %u: %u messages, %u received, %u headers rebuilt",
            (unsigned) seed, (unsigned) sent, (unsigned) got,
            (unsigned) rebuilt);
}


/*
 * Who passes over all but some messages finds them where the reader does,
 * with a copy that has room for only one chunk stream more than it has seen
 */

static void
passing(u_char *wire, u_char *end)
{
    u_char                 *pos, *p, *want[600];
    ngx_int_t               rc;
    ngx_uint_t              n, found, max, bad, begins;
    ngx_osp_rtmp_item_t     item;
    ngx_osp_rtmp_reader_t  *r, *copy, *old;

    r = ngx_osp_rtmp_reader_create(pool);

    copy = malloc(ngx_osp_rtmp_reader_size(0));
    ngx_osp_rtmp_reader_copy(copy, 0, r);

    n = 0;
    pos = wire;

    while (ngx_osp_rtmp_reader_read(r, &pos, end, &item) == NGX_OK) {
        if (item.first && item.type == NGX_OSP_RTMP_VIDEO) {
            want[n++] = item.header;
        }
    }

    found = 0;
    max = 0;
    bad = 0;
    begins = 0;
    pos = wire;
    p = wire;

    for ( ;; ) {

        rc = begins ? ngx_osp_rtmp_reader_read(copy, &pos, p, &item)
                    : ngx_osp_rtmp_reader_pass(copy, &pos, p,
                                      NGX_OSP_RTMP_TYPE(NGX_OSP_RTMP_VIDEO));

        if (rc == NGX_OK) {
            bad += (item.type != NGX_OSP_RTMP_VIDEO || !item.first);
            begins = 0;
            continue;
        }

        if (rc == NGX_DONE) {
            bad += (found == n || pos != want[found++]);
            begins = 1;
            continue;
        }

        if (rc == NGX_DECLINED) {
            old = copy;
            copy = malloc(ngx_osp_rtmp_reader_size(++max));
            ngx_osp_rtmp_reader_copy(copy, max, old);
            free(old);
            continue;
        }

        if (rc == NGX_ERROR || p == end) {
            break;
        }

        p += 1 + rnd(500);
        p = ngx_min(p, end);
    }

    is_uint(bad, 0, "passing over all but %u of them", (unsigned) n);
    ok(found == n && pos == end && max == 5
       && ngx_osp_rtmp_reader_idle(copy) == ngx_osp_rtmp_reader_idle(r)
       && ngx_osp_rtmp_reader_chunk_size(copy)
          == ngx_osp_rtmp_reader_chunk_size(r),
       "passing over them: end");

    free(copy);
}


/*
 * A receiver that comes in the middle: headers are written anew for it, until
 * what it has seen is what was sent.  Then bytes pass as they are, but for
 * chunk streams that were not in use meanwhile.
 */

static void
settling(u_char *wire, u_char *end)
{
    u_char                 *pos, *p, *o, *from, *start, *output;
    size_t                  len;
    uint32_t                sum[4], got[4];
    ngx_int_t               rc;
    ngx_uint_t              i, raw, passed, stops;
    u_char                  hdr[NGX_OSP_RTMP_HEADER_MAX];
    ngx_osp_rtmp_out_t      out;
    ngx_osp_rtmp_item_t     item, last;
    ngx_osp_rtmp_track_t   *track;
    ngx_osp_rtmp_reader_t  *r, *r2;

    r = ngx_osp_rtmp_reader_create(pool);
    r2 = ngx_osp_rtmp_reader_create(pool);
    track = ngx_osp_rtmp_track_create(pool);

    output = malloc(2 * (end - wire) + 100);
    start = wire + (end - wire) / 3;

    pos = wire;

    while (pos < start) {
        (void) ngx_osp_rtmp_reader_read(r, &pos, end, &item);
    }

    start = pos;

    out.pos = output;
    out.end = output + 100;
    out.chunk_size = NGX_OSP_RTMP_CHUNK_SIZE;
    out.track = track;

    len = ngx_osp_rtmp_reader_chunk_size(r);

    hdr[0] = (u_char) (len >> 24);
    hdr[1] = (u_char) (len >> 16);
    hdr[2] = (u_char) (len >> 8);
    hdr[3] = (u_char) len;

    (void) ngx_osp_rtmp_write_message(&out, NGX_OSP_RTMP_CSID_CONTROL, 0,
                                      NGX_OSP_RTMP_SET_CHUNK_SIZE, 0, hdr, 4);

    o = out.pos;
    p = pos;
    raw = 0;
    passed = 0;
    stops = 0;
    rc = NGX_AGAIN;

    for (i = 0; i < ngx_osp_rtmp_reader_streams(r); i++) {
        (void) ngx_osp_rtmp_reader_stream(r, i, &item);

        if (!item.last) {
            ngx_osp_rtmp_reader_skip(r, &item);
        }
    }

    while (p < end || pos < p) {

        if (rc == NGX_AGAIN) {
            p += 1 + rnd(500);
            p = ngx_min(p, end);

            if (!raw && settled(r, track)) {
                raw = 1;
            }
        }

        if (raw) {
            from = pos;

            rc = ngx_osp_rtmp_reader_pass(r, &pos, p, NGX_OSP_RTMP_MARKED);

            o = ngx_cpymem(o, from, pos - from);
            passed += pos - from;

            if (rc == NGX_AGAIN && p == end) {
                break;
            }

            if (rc != NGX_DONE) {
                continue;
            }

            /* to the end of what is there it is read item by item */

            stops++;
            raw = 0;

            for (i = 0; i < ngx_osp_rtmp_reader_streams(r); i++) {
                if (!ngx_osp_rtmp_reader_stream(r, i, &last)) {
                    ngx_osp_rtmp_track_passed(track, &last);
                }
            }
        }

        rc = ngx_osp_rtmp_reader_read(r, &pos, p, &item);

        if (rc == NGX_AGAIN && p == end) {
            break;
        }

        if (rc != NGX_OK || item.skip) {
            continue;
        }

        if (ngx_osp_rtmp_track_item(track, &item, item.msid, hdr, &len)
            == NGX_OK)
        {
            o = ngx_cpymem(o, hdr, len);

        } else if (item.header_len) {
            o = ngx_cpymem(o, item.header, item.header_len);
        }

        o = ngx_cpymem(o, item.payload, item.payload_len);
    }

    ngx_osp_rtmp_reader_reset(r);

    settling_sum(r, wire, end, start, sum);
    settling_sum(r2, output, o, output, got);

    ok(memcmp(sum, got, sizeof(sum)) == 0, "settling, %u stops, %u of %u bytes "
       "as they are", (unsigned) stops, (unsigned) passed,
       (unsigned) (end - start));

    free(output);
}


/* as the relay does it; type 20 may wait, all others have to be the same */

static ngx_uint_t
settled(ngx_osp_rtmp_reader_t *r, ngx_osp_rtmp_track_t *track)
{
    ngx_uint_t           i, same;
    ngx_osp_rtmp_item_t  item;

    for (i = 0; i < ngx_osp_rtmp_reader_streams(r); i++) {
        (void) ngx_osp_rtmp_reader_stream(r, i, &item);

        same = ngx_osp_rtmp_track_same_stream(track, &item);

        if (!same
            && (!item.last || (item.csid != 70 && item.csid != 3)))
        {
            return 0;
        }

        ngx_osp_rtmp_reader_mark(r, i, !same);
    }

    return 1;
}


/* of messages that begin behind start: what they are, for each chunk stream */

static void
settling_sum(ngx_osp_rtmp_reader_t *r, u_char *pos, u_char *end,
    u_char *start, uint32_t *sum)
{
    size_t               n;
    u_char              *p;
    ngx_uint_t           i, open[4];
    ngx_osp_rtmp_item_t  item;

    memset(sum, 0, 4 * sizeof(uint32_t));
    memset(open, 0, sizeof(open));

    for ( ;; ) {
        p = pos;

        if (ngx_osp_rtmp_reader_read(r, &pos, end, &item) != NGX_OK) {
            break;
        }

        if (item.type == NGX_OSP_RTMP_SET_CHUNK_SIZE) {
            continue;
        }

        i = item.csid == 3 ? 0 : item.csid == 4 ? 1 : item.csid == 70 ? 2 : 3;

        if (item.first) {
            open[i] = (p >= start);
        }

        if (!open[i]) {
            continue;
        }

        if (item.first) {
            sum[i] = sum[i] * 31 + item.timestamp;
            sum[i] = sum[i] * 31 + item.mlen;
            sum[i] = sum[i] * 31 + item.msid;
            sum[i] = sum[i] * 31 + (uint32_t) item.type;
        }

        for (n = 0; n < item.payload_len; n++) {
            sum[i] = sum[i] * 31 + item.payload[n];
        }
    }
}


/* with NGX_DEBUG_PALLOC all is large */

static ngx_uint_t
small(void)
{
    return pool->d.next == NULL
           && (pool->large == NULL
               || malloc_usable_size(pool->large->alloc) < 3072);
}


int
main(void)
{
    ngx_uint_t  i;

    unit_init();

    pool = ngx_create_pool(3072, &unit_log);

    ok(ngx_osp_rtmp_reader_create(pool) != NULL && small(),
       "a reader needs less than 3 KB");

    ngx_destroy_pool(pool);
    pool = ngx_create_pool(3072, &unit_log);

    ok(ngx_osp_rtmp_track_create(pool) != NULL && small(),
       "a track needs less than 3 KB");

    ngx_destroy_pool(pool);
    pool = ngx_create_pool(16384, &unit_log);

    basic_headers();
    message_headers();
    extended();
    chunk_size();
    aborted();
    interrupted();
    limits();
    items();
    recorded();
    finishing();
    assembly();
    writer();
    tracking();

    for (i = 0; i < 20; i++) {
        relay(i);
    }

    ngx_destroy_pool(pool);

    return done();
}
