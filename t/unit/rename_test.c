
/*
 * Copyright (C) The nginx-osp authors
 */


/* Tests for other names in a client's bytes. */

/* sources: ngx_osp_rtmp_rename.c ngx_osp_rtmp_command.c ngx_osp_rtmp_amf.c */
/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


#include "unit.h"

#include "ngx_osp_rtmp_rename.h"


#define BYTES      262144
#define MESSAGES   64
#define STREAMS    6


/* a message as the sender means it, and as the receiver has to read it */

typedef struct {
    uint32_t     csid;
    uint32_t     timestamp;
    uint32_t     msid;
    ngx_uint_t   type;
    size_t       len;
    u_char       payload[2048];
    size_t       sent;
    ngx_uint_t   fmt;
    ngx_uint_t   done;
} message_t;


/* what the sender said last on a chunk stream */

typedef struct {
    uint32_t     csid;
    uint32_t     timestamp;
    uint32_t     delta;
    uint32_t     msid;
    ngx_uint_t   type;
    size_t       len;
    ngx_uint_t   used;
    message_t   *message;
} sender_t;


static u_char                  input[BYTES];
static u_char                  output[2 * BYTES];
static u_char                 *in;
static u_char                 *out;
static u_char                  work[2 * NGX_OSP_RTMP_RENAME_LEN];
static ngx_pool_t             *pool;
static ngx_osp_rtmp_reader_t  *reader;
static ngx_osp_rtmp_rename_t   rn;
static uint32_t                seed;
static ngx_str_t               renamed;


static ngx_int_t stream(void *data, ngx_str_t *text, ngx_str_t *to);
static void begin(void);
static u_char *put_text(u_char *p, const char *text);
static u_char *put_name(u_char *p, const char *text);
static size_t command(u_char *buf, const char *name, const char *text);
static size_t connects(u_char *buf, const char *app, const char *tc_url);
static void message(uint32_t csid, uint32_t timestamp, ngx_uint_t type,
    uint32_t msid, u_char *payload, size_t len, size_t chunk);
static void hex(u_char **p, const char *text);
static ngx_int_t run(void);
static ngx_int_t payload(const char *bytes, size_t len, ngx_uint_t type,
    size_t *result);
static void payloads(void);
static void encodings(void);
static void limits(void);
static void headers(void);
static void chunks(void);
static void bad(void);
static void splits(void);
static void text(const char *text, const char *path, ngx_uint_t args,
    const char *expected);
static void url(const char *text, const char *path, ngx_uint_t args,
    const char *expected);
static void texts(void);
static uint32_t rnd(uint32_t n);
static void make(message_t *m, sender_t *s);
static void send_chunk(message_t *m, sender_t *s, size_t size);
static void expect(message_t *m);
static void random_messages(uint32_t n);


#define PAYLOAD(bytes, type, len)  payload(bytes, sizeof(bytes) - 1, type, len)


/* "cam1" and what follows it is "camera-one", "bad" is an error */

static ngx_int_t
stream(void *data, ngx_str_t *text, ngx_str_t *to)
{
    if (text->len >= 3 && memcmp(text->data, "bad", 3) == 0) {
        return NGX_ERROR;
    }

    if (text->len < 4 || memcmp(text->data, "cam", 3) != 0) {
        return NGX_DECLINED;
    }

    /* the name of a number is as long, shorter or longer */

    renamed.data = ngx_pnalloc(pool, text->len + 64);
    renamed.len = ngx_sprintf(renamed.data, "%*s%V",
                              (size_t) (text->data[3] - '0') * 7 % 60,
                              "camera-with-a-long-name-of-which-a-part-is-"
                              "taken-here-----------", text)
                  - renamed.data;

    if (text->data[3] == '9') {
        renamed.len = 2;
    }

    *to = renamed;

    return NGX_OK;
}


static void
begin(void)
{
    in = input;
    out = output;

    ngx_osp_rtmp_reader_reset(reader);
    ngx_memzero(&rn, sizeof(ngx_osp_rtmp_rename_t));

    rn.app = unit_str("edge");
    rn.tc_url = unit_str("rtmp://127.0.0.1/edge");
    rn.stream = stream;

    ngx_osp_rtmp_rename_init(&rn, reader, work);
}


static u_char *
put_text(u_char *p, const char *text)
{
    ngx_str_t  str = unit_str(text);

    return ngx_osp_rtmp_amf_put_string(p, p + 2048, &str);
}


static u_char *
put_name(u_char *p, const char *text)
{
    ngx_str_t  str = unit_str(text);

    return ngx_osp_rtmp_amf_put_name(p, p + 2048, &str);
}


static size_t
command(u_char *buf, const char *name, const char *text)
{
    u_char  *p;

    p = put_text(buf, name);
    p = ngx_osp_rtmp_amf_put_number(p, p + 9, 7);
    p = ngx_osp_rtmp_amf_put_null(p, p + 1);

    if (text) {
        p = put_text(p, text);
        p = put_text(p, "live");
    }

    return p - buf;
}


static size_t
connects(u_char *buf, const char *app, const char *tc_url)
{
    u_char  *p;

    p = put_text(buf, "connect");
    p = ngx_osp_rtmp_amf_put_number(p, p + 9, 1);
    p = ngx_osp_rtmp_amf_put_object(p, p + 1);
    p = put_name(p, "app");
    p = put_text(p, app);
    p = put_name(p, "type");
    p = put_text(p, "nonprivate");
    p = put_name(p, "tcUrl");
    p = put_text(p, tc_url);
    p = put_name(p, "pageUrl");
    p = put_text(p, tc_url);
    p = ngx_osp_rtmp_amf_put_end(p, p + 3);
    p = put_text(p, app);

    return p - buf;
}


static void
message(uint32_t csid, uint32_t timestamp, ngx_uint_t type, uint32_t msid,
    u_char *payload, size_t len, size_t chunk)
{
    ngx_osp_rtmp_out_t  o;

    o.pos = in;
    o.end = input + BYTES;
    o.chunk_size = chunk;
    o.track = NULL;

    (void) ngx_osp_rtmp_write_message(&o, csid, timestamp, type, msid,
                                      payload, len);
    in = o.pos;
}


/* hex digits, blanks are ignored */

static void
hex(u_char **p, const char *text)
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
            *(*p)++ = (u_char) value;
        }

        half ^= 1;
    }
}


static ngx_int_t
run(void)
{
    u_char     *p;
    ngx_int_t   rc;

    p = input;

    do {
        rc = ngx_osp_rtmp_rename(&rn, &p, in, &out, output + sizeof(output));
    } while (rc == NGX_OK);

    return rc;
}


static ngx_int_t
payload(const char *bytes, size_t len, ngx_uint_t type, size_t *result)
{
    u_char                  *heap;
    ngx_int_t                rc;
    const char              *error;
    ngx_osp_rtmp_message_t   msg;
    ngx_osp_rtmp_command_t   cmd;

    heap = ngx_palloc(pool, len + 1);
    memcpy(heap, bytes, len);

    ngx_memzero(&msg, sizeof(msg));
    msg.payload = heap;
    msg.len = len;
    msg.type = type;

    if (ngx_osp_rtmp_command_parse(heap, len, type, &cmd, &error) != NGX_OK) {
        return NGX_ABORT;
    }

    *result = 0;
    rn.error = NULL;
    rn.full = 0;

    rc = ngx_osp_rtmp_rename_payload(&rn, &msg, &cmd, output,
                                     output + NGX_OSP_RTMP_RENAME_LEN, result);

    ok(memcmp(heap, bytes, len) == 0, "the input stays");

    return rc;
}


static void
payloads(void)
{
    size_t        len, n, i;
    u_char        buf[4096], expected[4096], *p;

    const char   *names[] = {
        "releaseStream", "FCPublish", "FCUnpublish", "FCSubscribe",
        "FCUnsubscribe", "publish", "play", "getStreamLength", "deleteStream"
    };

    begin();

    n = connects(buf, "live", "rtmp://127.0.0.1/live");

    is_uint(payload((char *) buf, n, 20, &len), NGX_OK, "connect");

    /* pageUrl and the argument behind the object are not ours */

    p = put_text(expected, "connect");
    p = ngx_osp_rtmp_amf_put_number(p, p + 9, 1);
    p = ngx_osp_rtmp_amf_put_object(p, p + 1);
    p = put_name(p, "app");
    p = put_text(p, "edge");
    p = put_name(p, "type");
    p = put_text(p, "nonprivate");
    p = put_name(p, "tcUrl");
    p = put_text(p, "rtmp://127.0.0.1/edge");
    p = put_name(p, "pageUrl");
    p = put_text(p, "rtmp://127.0.0.1/live");
    p = ngx_osp_rtmp_amf_put_end(p, p + 3);
    p = put_text(p, "live");

    is_uint(len, p - expected, "connect's length");
    ok(memcmp(output, expected, len) == 0, "app and tcUrl and nothing else");

    rn.tc_url.data = NULL;

    is_uint(payload((char *) buf, n, 20, &len), NGX_OK, "no tcUrl");
    ok(memcmp(output, buf, 32) != 0 && memcmp(output + len - 40, buf + n - 40,
                                              40) == 0,
       "app alone");

    rn.app.data = NULL;

    is_uint(payload((char *) buf, n, 20, &len), NGX_DECLINED,
            "connect as it is");

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        n = command(buf, names[i], "cam1?key=x");
        is_uint(payload((char *) buf, n, 20, &len), NGX_OK, "%s", names[i]);

        n = command(expected, names[i], "camera-cam1?key=x");
        ok(len == n && memcmp(output, expected, n) == 0, "%s: new name",
           names[i]);

        n = command(buf, names[i], "other");
        is_uint(payload((char *) buf, n, 20, &len), NGX_DECLINED,
                "%s: another name", names[i]);

        n = command(buf, names[i], NULL);
        is_uint(payload((char *) buf, n, 20, &len), NGX_DECLINED,
                "%s: no name", names[i]);
    }

    n = command(buf, "pause", "cam1");
    is_uint(payload((char *) buf, n, 20, &len), NGX_DECLINED, "pause");

    n = command(buf, "createStream", "cam1");
    is_uint(payload((char *) buf, n, 20, &len), NGX_DECLINED, "createStream");

    n = command(buf, "unheard-of", "cam1");
    is_uint(payload((char *) buf, n, 20, &len), NGX_DECLINED, "unknown");

    n = command(buf, "publish", "bad");
    is_uint(payload((char *) buf, n, 20, &len), NGX_ERROR, "error");
    ok(!rn.full && rn.error != NULL, "error is told");
}


#define TID    "\x00\x40\x1c\x00\x00\x00\x00\x00\x00"
#define PLAY2  "\x02\x00\x05play2" TID "\x05\x03"


static void
encodings(void)
{
    size_t  len;

    begin();

    is_uint(PAYLOAD(PLAY2 "\x00\x05start\x00\x40\x1c\x00\x00\x00\x00\x00\x00"
                    "\x00\x0astreamName\x02\x00\x04" "cam2"
                    "\x00\x0doldStreamName\x02\x00\x04" "cam1\x00\x00\x09",
                    20, &len),
            NGX_OK, "play2");
    is_uint(len, sizeof(PLAY2 "\x00\x05start\x00\x40\x1c\x00\x00\x00\x00\x00"
                    "\x00\x00\x0astreamName\x02\x00\x04" "cam2"
                    "\x00\x0doldStreamName\x02\x00\x04" "cam1\x00\x00\x09")
            - 1 + 14 + 7, "both names");
    ok(memmem(output, len, "\x02\x00\x12" "camera-with-a-cam2\x00\x0dold", 26)
       != NULL
       && memmem(output, len, "\x02\x00\x0b" "camera-cam1\x00\x00\x09", 17)
          != NULL,
       "play2: names");

    is_uint(PAYLOAD("\x02\x00\x05play2" TID "\x05\x02\x00\x04" "cam1", 20,
                    &len),
            NGX_DECLINED, "play2 without an object");

    /* AMF3 in AMF0, and in a message of type 17 */

    is_uint(PAYLOAD("\x00\x02\x00\x04play" TID "\x05\x11\x06\x09" "cam1"
                    "\x11\x04\x01",
                    17, &len),
            NGX_OK, "AMF3");
    ok(len == 35 && memcmp(output, "\x00\x02\x00\x04play" TID
                           "\x05\x11\x06\x17" "camera-cam1\x11\x04\x01", len)
                    == 0,
       "AMF3: name");

    is_uint(PAYLOAD("\x02\x00\x07publish" TID "\x05\x0c\x00\x00\x00\x04"
                    "cam1",
                    20, &len),
            NGX_OK, "long string");
    ok(len == 34 && memcmp(output + 20, "\x02\x00\x0b" "camera-cam1", 14) == 0,
       "long string is one that is not");

    /* a name twice in the object, null in place of one */

    is_uint(PAYLOAD("\x02\x00\x07" "connect" TID "\x03\x00\x03" "app\x02\x00"
                    "\x01" "a\x00\x03" "app\x02\x00\x01" "b\x00\x05tcUrl\x05"
                    "\x00\x03" "App\x02\x00\x01" "a\x00\x00\x09",
                    20, &len),
            NGX_OK, "app twice");
    ok(memcmp(output + 19, "\x03\x00\x03" "app\x02\x00\x04" "edge\x00\x03"
              "app\x02\x00\x04" "edge\x00\x05tcUrl\x05\x00\x03" "App\x02\x00"
              "\x01" "a\x00\x00\x09", len - 19)
       == 0,
       "app twice: both");

    is_uint(PAYLOAD("\x02\x00\x07publish" TID "\x05\x00\x40\x1c\x00\x00\x00"
                    "\x00\x00\x00",
                    20, &len),
            NGX_DECLINED, "a number in place of a name");
}


static void
limits(void)
{
    size_t   len, n;
    u_char  *p, buf[NGX_OSP_RTMP_RENAME_LEN + 64];

    begin();

    /* 7 more bytes are needed */

    n = command(buf, "publish", "cam1");
    p = buf + n;

    memset(p, 5, sizeof(buf) - n);

    is_uint(payload((char *) buf, NGX_OSP_RTMP_RENAME_LEN - 7, 20, &len),
            NGX_OK, "longest command");
    is_uint(len, NGX_OSP_RTMP_RENAME_LEN, "longest command: length");

    is_uint(payload((char *) buf, NGX_OSP_RTMP_RENAME_LEN - 6, 20, &len),
            NGX_ERROR, "too long command");
    ok(rn.full, "too long command: said so");

    begin();
    message(3, 0, 20, 1, buf, NGX_OSP_RTMP_RENAME_LEN - 7, 128);
    p = input;
    ok(ngx_osp_rtmp_rename(&rn, &p, in, &out, output + 8192) == NGX_ERROR
       && rn.full, "no room for chunks");

    begin();
    message(3, 0, 18, 1, buf, 100, 128);
    p = input;
    ok(ngx_osp_rtmp_rename(&rn, &p, in, &out, output + 111) == NGX_ERROR
       && rn.full, "no room for other messages");
}


/* of the first chunk, and what follows with headers that rely on it */

static void
headers(void)
{
    size_t  n;
    u_char  buf[256], expected[512], *p;

    begin();

    /* chunk stream 3, fmt 0 to 3 */

    n = command(buf, "FCPublish", "cam1");

    is_uint(n, 0x24, "as written below");

    hex(&in, "03 000010 000024 14 00000000");
    in = ngx_cpymem(in, buf, n);
    hex(&in, "43 000005 000024 14");
    in = ngx_cpymem(in, buf, n);
    hex(&in, "83 000006");
    in = ngx_cpymem(in, buf, n);
    hex(&in, "c3");
    in = ngx_cpymem(in, buf, n);

    is_uint(run(), NGX_DONE, "headers");

    n = command(buf, "FCPublish", "camera-cam1");

    p = expected;
    hex(&p, "03 000010 00002b 14 00000000");
    p = ngx_cpymem(p, buf, n);
    hex(&p, "43 000005 00002b 14");
    p = ngx_cpymem(p, buf, n);
    hex(&p, "43 000006 00002b 14");
    p = ngx_cpymem(p, buf, n);
    hex(&p, "43 000006 00002b 14");
    p = ngx_cpymem(p, buf, n);

    ok(out - output == p - expected
       && memcmp(output, expected, p - expected) == 0,
       "a length stands in each header");

    /* chunk streams of 2 and 3 bytes, extended timestamps, chunks */

    begin();

    n = command(buf, "FCPublish", "cam1");

    message(70, 0x1000000, 20, 5, buf, n, 128);
    message(1000, 0xffffff, 17, 5, buf, n, 128);

    hex(&in, "40 06 ffffff 000024 14 01000000");
    in = ngx_cpymem(in, buf, n);

    hex(&in, "02 000000 000004 01 00000000 00000010");

    hex(&in, "c0 06 01000000");
    in = ngx_cpymem(in, buf, 16);
    hex(&in, "c0 06 01000000");
    in = ngx_cpymem(in, buf + 16, 16);
    hex(&in, "c0 06 01000000");
    in = ngx_cpymem(in, buf + 32, n - 32);

    is_uint(run(), NGX_DONE, "extended");

    n = command(buf, "FCPublish", "camera-cam1");

    p = expected;

    hex(&p, "00 06 ffffff 00002b 14 05000000 01000000");
    p = ngx_cpymem(p, buf, n);
    hex(&p, "01 a803 ffffff 00002b 11 05000000 00ffffff");
    p = ngx_cpymem(p, buf, n);
    hex(&p, "40 06 ffffff 00002b 14 01000000");
    p = ngx_cpymem(p, buf, n);
    hex(&p, "02 000000 000004 01 00000000 00000010");
    hex(&p, "40 06 ffffff 00002b 14 01000000");
    p = ngx_cpymem(p, buf, 16);
    hex(&p, "c0 06 01000000");
    p = ngx_cpymem(p, buf + 16, 16);
    hex(&p, "c0 06 01000000");
    p = ngx_cpymem(p, buf + 32, n - 32);

    ok(out - output == p - expected
       && memcmp(output, expected, p - expected) == 0, "extended timestamps");
}


/* a message is written where it ends */

static void
chunks(void)
{
    size_t      n;
    u_char      a[256], b[256], *p, *first, expected[1024];
    ngx_int_t   rc;

    begin();

    n = command(a, "publish", "cam1?a-long-argument-that-needs-chunks="
                "0123456789012345678901234567890123456789012345678901234567"
                "89012345678901234567890123456789");

    hex(&in, "04 000000 000000 14 01000000");
    input[6] = (u_char) n;
    in = ngx_cpymem(in, a, 128);

    /* media and a size of chunks come in between */

    hex(&in, "06 000000 000003 09 01000000 112233");
    hex(&in, "02 000000 000004 01 00000000 00000100");

    hex(&in, "c4");
    in = ngx_cpymem(in, a + 128, n - 128);

    hex(&in, "46 000000 000003 09 112244");

    first = input;
    p = output;
    out = p;

    rc = ngx_osp_rtmp_rename(&rn, &first, in, &out, output + sizeof(output));

    ok(rc == NGX_OK && in - first == 11, "stops behind the command");
    is_uint(rn.name, NGX_OSP_RTMP_PUBLISH, "tells which it was");

    rc = ngx_osp_rtmp_rename(&rn, &first, in, &out, output + sizeof(output));

    ok(rc == NGX_DONE && first == in, "then the rest");

    n = command(b, "publish", "camera-cam1?a-long-argument-that-needs-chunks="
                "0123456789012345678901234567890123456789012345678901234567"
                "89012345678901234567890123456789");

    p = expected;
    hex(&p, "06 000000 000003 09 01000000 112233");
    hex(&p, "02 000000 000004 01 00000000 00000100");
    hex(&p, "04 000000 000000 14 01000000");
    p[-6] = 0;
    p[-5] = 20;
    p[-6] = (u_char) n;
    p = ngx_cpymem(p, b, n);
    hex(&p, "46 000000 000003 09 112244");

    ok(out - output == p - expected
       && memcmp(output, expected, p - expected) == 0,
       "chunks of the size that is in force");
}


static void
bad(void)
{
    size_t  n;
    u_char  buf[256];

    n = command(buf, "publish", "cam1?a-long-argument-that-needs-chunks="
                "0123456789012345678901234567890123456789012345678901234567"
                "89012345678901234567890123456789");

    begin();
    message(4, 0, 20, 1, buf, n, 128);
    in -= 1;
    ok(run() == NGX_ERROR && rn.error, "cut command");

    begin();
    message(4, 0, 20, 1, buf, n, 128);
    in = input + 5;
    ok(run() == NGX_ERROR && rn.error, "cut header");

    begin();
    message(4, 0, 20, 1, buf, n, 128);
    in = input + 12 + 128;
    hex(&in, "02 000000 000004 02 00000000 00000004");
    hex(&in, "44 000007 000003 09 112233");
    ok(run() == NGX_DONE && out - output == in - input
       && memcmp(output, input, in - input) == 0, "aborted command");

    begin();
    message(4, 0, 20, 1, buf, n, 128);
    in = input + 12 + 128;
    hex(&in, "02 000000 000004 01 00000000 00000050");
    hex(&in, "02 000000 000004 02 00000000 00000004");
    ok(run() == NGX_ERROR && rn.error, "aborted command, other chunks");

    begin();
    hex(&in, "02 000000 000004 02 00000000 00000004");
    ok(run() == NGX_DONE && out - output == 16, "nothing is aborted");

    begin();
    hex(&in, "c4");
    ok(run() == NGX_ERROR && rn.error, "no header");

    begin();
    hex(&in, "04 000000 000000 14 01000000 04 000000 000002 14 01000000 0909");
    ok(run() == NGX_DONE && out - output == in - input
       && memcmp(output, input, in - input) == 0,
       "what can't be read passes");
}


static void
splits(void)
{
    ngx_str_t   app, stream, to;
    ngx_uint_t  i;

    struct {
        const char  *to;
        ngx_uint_t   parts;
        const char  *app;
        const char  *stream;
    } cases[] = {
        { "edge/cam1", 1, "edge", "cam1" },
        { "edge/2024/cam1", 1, "edge/2024", "cam1" },
        { "edge/2024/cam1", 2, "edge", "2024/cam1" },
        { "edge/2024/cam1", 3, "edge", "2024/cam1" },
        { "edge/cam1", 0, "edge/cam1", "" },
        { "edge", 0, "edge", "" },
        { "edge", 1, NULL, NULL },
        { "", 0, NULL, NULL },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        to = unit_str(cases[i].to);

        if (cases[i].app == NULL) {
            is_uint(ngx_osp_rtmp_rename_split(&to, cases[i].parts, &app,
                                              &stream),
                    NGX_DECLINED, "\"%s\" is too short", cases[i].to);
            continue;
        }

        is_uint(ngx_osp_rtmp_rename_split(&to, cases[i].parts, &app, &stream),
                NGX_OK, "\"%s\"", cases[i].to);
        is_str(&app, cases[i].app, "\"%s\": app", cases[i].to);
        is_str(&stream, cases[i].stream, "\"%s\": stream", cases[i].to);
    }
}


static void
text(const char *text, const char *path, ngx_uint_t args,
    const char *expected)
{
    ngx_int_t  rc;
    ngx_str_t  str = unit_str(text);
    ngx_str_t  p = unit_str(path ? path : "");
    ngx_str_t  to = ngx_null_string;

    rc = ngx_osp_rtmp_rename_text(pool, &str, path ? &p : NULL, args, &to);

    if (expected == NULL) {
        is_uint(rc, NGX_DECLINED, "\"%s\" stays", text);

    } else if (ok(rc == NGX_OK, "\"%s\"", text)) {
        is_str(&to, expected, "\"%s\": text", text);
    }
}


static void
url(const char *text, const char *path, ngx_uint_t args, const char *expected)
{
    ngx_int_t  rc;
    ngx_str_t  str = unit_str(text);
    ngx_str_t  p = unit_str(path ? path : "");
    ngx_str_t  to = ngx_null_string;

    rc = ngx_osp_rtmp_rename_url(pool, &str, path ? &p : NULL, args, &to);

    if (expected == NULL) {
        is_uint(rc, NGX_DECLINED, "\"%s\" stays", text);

    } else if (ok(rc == NGX_OK, "\"%s\"", text)) {
        is_str(&to, expected, "\"%s\": url", text);
    }
}


static void
texts(void)
{
    ngx_str_t  str;

    text("live", "edge", 1, "edge");
    text("live?a=b", "edge", 1, "edge?a=b");
    text("live?a=b", "edge", 0, "edge");
    text("live/?a=b", "edge", 1, "edge?a=b");
    text("live...vhost...a.example", "edge", 1, "edge...vhost...a.example");
    text("live...vhost...a.example", "edge", 0, "edge");
    text("li...ve", "edge", 0, "edge");
    text("", "edge", 1, "edge");
    text("?a=b", "edge", 1, "edge?a=b");
    text("live?a=b", NULL, 0, "live");
    text("live?a=b", NULL, 1, NULL);
    text("live", NULL, 0, NULL);
    text("cam1?a=b?c=d/e", "a/b", 1, "a/b?a=b?c=d/e");

    url("rtmp://h/live", "edge", 1, "rtmp://h/edge");
    url("rtmp://h:1935/live", "edge/2", 1, "rtmp://h:1935/edge/2");
    url("RTMPS://[::1]:443/live?a=b", "edge", 1, "RTMPS://[::1]:443/edge?a=b");
    url("rtmp://h/live?a=b", "edge", 0, "rtmp://h/edge");
    url("rtmp://h/live/", "edge", 1, "rtmp://h/edge/");
    url("rtmp://h//live//?a=/", "edge", 1, "rtmp://h/edge//?a=/");
    url("rtmp://h/", "edge", 1, "rtmp://h/edge");
    url("rtmp://h", "edge", 1, "rtmp://h/edge");
    url("rtmp://h?a=b", "edge", 1, "rtmp://h/edge?a=b");
    url("rtmp://h/live?a=b", NULL, 0, "rtmp://h/live");
    url("rtmp://h/live", NULL, 0, NULL);
    url("rtmp://u:p@h/live", "edge", 1, "rtmp://u:p@h/edge");
    url("live", "edge", 1, NULL);
    url("/live", "edge", 1, NULL);
    url("://live", "edge", 1, NULL);
    url("", "edge", 1, NULL);
    url("rtmp:/", "edge", 1, NULL);

    str = unit_str("/?a/b");
    ok(!ngx_osp_rtmp_rename_has_path(&str, 0), "no path");
    str = unit_str("a?b");
    ok(ngx_osp_rtmp_rename_has_path(&str, 0), "a path");
    str = unit_str("rtmp://h/?b");
    ok(!ngx_osp_rtmp_rename_has_path(&str, 1), "url without a path");
    str = unit_str("rtmp://h/a?b");
    ok(ngx_osp_rtmp_rename_has_path(&str, 1), "url with a path");
    str = unit_str("a");
    ok(!ngx_osp_rtmp_rename_has_path(&str, 1), "no url");
}


static uint32_t
rnd(uint32_t n)
{
    seed = seed * 1103515245 + 12345;

    return (seed >> 8) % n;
}


static void
make(message_t *m, sender_t *s)
{
    size_t            i;
    char              name[64];

    static uint32_t   times[] = { 0, 1, 40, 0xfffffe, 0xffffff, 0x1000000,
                                  0x7fffffff };
    static char      *commands[] = { "publish", "play", "FCPublish", "pause" };

    ngx_memzero(m, sizeof(message_t));

    m->csid = s->csid;
    m->timestamp = (rnd(2) && s->used) ? s->timestamp + times[rnd(7)]
                                       : times[rnd(7)];
    m->msid = (s->used && rnd(3)) ? s->msid : rnd(3);
    m->type = rnd(2) ? (rnd(4) ? 20 : 17) : rnd(2) ? 9 : 18;

    if (s->used && rnd(2)) {
        m->type = s->type;
    }

    if (m->type == 20 || m->type == 17) {
        (void) sprintf(name, "cam%u%.*s", rnd(10), (int) (rnd(3) * 10),
                       "?argument=01234567890");
        m->len = command(m->payload, commands[rnd(4)], rnd(8) ? name : NULL);

        if (rnd(4) == 0) {
            memset(m->payload + m->len, 5, 600);
            m->len += rnd(600);
        }

    } else {
        m->len = rnd(4) ? rnd(300) : rnd(2048);

        for (i = 0; i < m->len; i++) {
            m->payload[i] = (u_char) rnd(256);
        }
    }

    /* the shortest header that says it, or a longer one */

    m->fmt = 0;

    if (s->used && s->msid == m->msid && rnd(4)) {
        m->fmt = 1;

        if (s->len == m->len && s->type == m->type && rnd(4)) {
            m->fmt = 2;

            if (m->timestamp - s->timestamp == s->delta && rnd(4)) {
                m->fmt = 3;
            }
        }
    }
}


static void
send_chunk(message_t *m, sender_t *s, size_t size)
{
    size_t    n;
    u_char   *p;
    uint32_t  time;

    if (m->sent == 0) {
        time = m->fmt ? m->timestamp - s->timestamp : m->timestamp;

        if (m->fmt == 0) {
            in = ngx_osp_rtmp_write_header(in, m->csid, time, m->len, m->type,
                                           m->msid);

        } else if (m->fmt == 1) {
            in = ngx_osp_rtmp_write_delta_header(in, m->csid, time, m->len,
                                                 m->type);

        } else if (m->fmt == 2) {
            p = in;
            in = ngx_osp_rtmp_write_next_header(in, m->csid, 0);
            *p = (u_char) ((*p & 0x3f) | 0x80);

            *in++ = (u_char) (ngx_min(time, 0xffffff) >> 16);
            *in++ = (u_char) (ngx_min(time, 0xffffff) >> 8);
            *in++ = (u_char) (ngx_min(time, 0xffffff));

            if (time >= 0xffffff) {
                *in++ = (u_char) (time >> 24);
                *in++ = (u_char) (time >> 16);
                *in++ = (u_char) (time >> 8);
                *in++ = (u_char) time;
            }

        } else {
            in = ngx_osp_rtmp_write_next_header(in, m->csid, s->delta);
        }

        s->timestamp = m->timestamp;
        s->delta = time;
        s->msid = m->msid;
        s->type = m->type;
        s->len = m->len;
        s->used = 1;

    } else {
        in = ngx_osp_rtmp_write_next_header(in, m->csid, s->delta);
    }

    n = ngx_min(m->len - m->sent, size);

    in = ngx_cpymem(in, m->payload + m->sent, n);

    m->sent += n;
    m->done = (m->sent == m->len);
}


/* what the receiver has to read */

static void
expect(message_t *m)
{
    const char              *error;
    ngx_osp_rtmp_message_t   msg;
    ngx_osp_rtmp_command_t   cmd;
    static u_char            buf[NGX_OSP_RTMP_RENAME_LEN];

    if (m->type != 20 && m->type != 17) {
        return;
    }

    ngx_memzero(&msg, sizeof(msg));
    msg.payload = m->payload;
    msg.len = m->len;

    (void) ngx_osp_rtmp_command_parse(m->payload, m->len, m->type, &cmd,
                                      &error);

    if (ngx_osp_rtmp_rename_payload(&rn, &msg, &cmd, buf, buf + sizeof(buf),
                                    &m->len)
        == NGX_OK)
    {
        memcpy(m->payload, buf, m->len);
    }
}


/*
 * Any messages, in any chunks, with any headers: in one go, or each command
 * by a copy of the reader, as the relay has it, and what is between passes.
 */

static void
random_messages(uint32_t n)
{
    size_t                   size;
    u_char                  *p;
    uint32_t                 i, k, wrong;
    ngx_int_t                rc;
    ngx_uint_t               n_sent, n_done, relay;
    ngx_osp_rtmp_asm_t       a;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_reader_t   *scan;
    ngx_osp_rtmp_message_t   msg;
    static sender_t          senders[STREAMS];
    static message_t         messages[MESSAGES];
    static message_t        *order[MESSAGES];
    static u_char            part[65536], number[4];
    static uint32_t          csids[STREAMS] = { 3, 4, 8, 70, 319, 1000 };

    seed = n * 7919;

    begin();

    pool = ngx_create_pool(4096, &unit_log);

    scan = ngx_osp_rtmp_reader_create(pool);

    ngx_memzero(senders, sizeof(senders));

    for (i = 0; i < STREAMS; i++) {
        senders[i].csid = csids[i];
    }

    relay = n & 1;
    size = 128;
    n_sent = 0;
    n_done = 0;

    while (n_done < MESSAGES) {
        i = rnd(STREAMS);

        if (senders[i].message == NULL) {

            if (n_sent == MESSAGES) {
                continue;
            }

            /* commands of a relay do not interrupt each other */

            senders[i].message = &messages[n_sent];
            make(&messages[n_sent], &senders[i]);

            for (k = 0; relay && k < STREAMS; k++) {
                if (k != i && senders[k].message
                    && (senders[k].type == 20 || senders[k].type == 17)
                    && (messages[n_sent].type == 20
                        || messages[n_sent].type == 17))
                {
                    senders[i].message = NULL;
                    break;
                }
            }

            for (rc = 0, k = 0; k < STREAMS; k++) {
                rc += (senders[k].message != NULL);
            }

            if (rc == NGX_OSP_RTMP_MAX_OPEN) {
                senders[i].message = NULL;
            }

            if (senders[i].message == NULL) {
                continue;
            }

            n_sent++;
        }

        send_chunk(senders[i].message, &senders[i], size);

        if (senders[i].message->done) {
            order[n_done++] = senders[i].message;
            senders[i].message = NULL;
        }

        if (rnd(20) == 0) {
            k = (uint32_t) size;
            size = rnd(4) ? 1 + rnd(400) : 1 + rnd(8);

            number[2] = (u_char) (size >> 8);
            number[3] = (u_char) size;
            message(2, 0, 1, 0, number, 4, k);
        }
    }

    /* what the origin gets */

    if (!relay) {
        rc = run();

    } else {
        p = input;
        rc = NGX_OK;

        while (rc == NGX_OK) {
            u_char  *start = p;

            rc = ngx_osp_rtmp_reader_pass(scan, &p, in,
                                          NGX_OSP_RTMP_COMMAND_TYPES);
            out = ngx_cpymem(out, start, p - start);

            if (rc == NGX_AGAIN) {
                rc = (p == in) ? NGX_DONE : NGX_ERROR;
                break;
            }

            ngx_osp_rtmp_reader_copy(reader, NGX_OSP_RTMP_MAX_STREAMS, scan);
            ngx_osp_rtmp_rename_init(&rn, reader, work);

            rc = ngx_osp_rtmp_rename(&rn, &p, in, &out,
                                     output + sizeof(output));

            ngx_osp_rtmp_reader_copy(scan, NGX_OSP_RTMP_MAX_STREAMS, reader);
        }
    }

    if (rc != NGX_DONE) {
        ok(0, "random messages %u: %s", n, rn.error);
        ngx_destroy_pool(pool);
        return;
    }

    /* and how it reads that */

    ngx_osp_rtmp_reader_reset(scan);
    ngx_osp_rtmp_asm_init(&a, part, part + sizeof(part),
                          NGX_OSP_RTMP_SETUP_TYPES | NGX_OSP_RTMP_TYPE(9));

    wrong = 0;
    k = 0;
    p = output;

    for ( ;; ) {
        rc = ngx_osp_rtmp_reader_read(scan, &p, out, &item);

        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_osp_rtmp_asm_add(&a, &item, &msg);

        if (rc == NGX_ERROR) {
            break;
        }

        if (rc != NGX_OK || msg.type == 1) {
            continue;
        }

        if (k < MESSAGES) {
            expect(order[k]);
        }

        if (k == MESSAGES
            || msg.csid != order[k]->csid
            || msg.timestamp != order[k]->timestamp
            || msg.msid != order[k]->msid
            || msg.type != order[k]->type
            || msg.len != order[k]->len
            || memcmp(msg.payload, order[k]->payload, msg.len) != 0)
        {
            wrong++;
            break;
        }

        k++;
    }

    if (rc != NGX_AGAIN || p != out || wrong || k != MESSAGES) {
        ok(0, "random messages %u: %u of them, left %d, error %s", n, k,
           (int) (out - p), a.error ? a.error
                            : rc == NGX_ERROR
                              ? ngx_osp_rtmp_reader_error(scan) : "none");
    }

    ngx_destroy_pool(pool);
}


int
main(void)
{
    uint32_t     i;
    ngx_uint_t   failed;
    ngx_pool_t  *p;

    unit_init();

    p = ngx_create_pool(16384, &unit_log);
    pool = p;
    reader = ngx_osp_rtmp_reader_create(pool);

    payloads();
    encodings();
    limits();
    headers();
    chunks();
    bad();
    splits();
    texts();

    failed = unit_failed;

    for (i = 0; i < 5000; i++) {
        random_messages(i);

        if (unit_failed > failed + 5) {
            break;
        }
    }

    ok(unit_failed == failed, "random messages");

    ngx_destroy_pool(p);

    return done();
}
