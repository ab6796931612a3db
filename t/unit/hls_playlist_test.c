
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_playlist.c */


#include "unit.h"
#include "ngx_hls_playlist.h"


/* all that is read of a playlist, as a line of text, and its URIs */

typedef struct {
    char    *name;
    char    *text;
    char    *summary;   /* NULL: refused */
    char    *uris;
} test_list_t;


static void test_lists(void);
static void test_refused(void);
static void test_numbers(void);
static void test_attributes(void);
static void test_lines(void);
static void test_large(void);
static void test_handler(void);

static ngx_int_t collect(void *data, ngx_hls_uri_t *uri);
static ngx_int_t stop(void *data, ngx_hls_uri_t *uri);
static ngx_int_t rebuild(void *data, ngx_hls_playlist_t *playlist,
    ngx_hls_line_t *line);
static char *summary(ngx_hls_playlist_t *pl);
static ngx_int_t parse(char *text, size_t len, ngx_hls_playlist_t *pl);
static u_char *repeat(u_char *p, char *text, ngx_uint_t n);


static test_list_t  lists[] = {

    { "nginx-rtmp",
      "#EXTM3U\n"
      "#EXT-X-VERSION:3\n"
      "#EXT-X-MEDIA-SEQUENCE:12\n"
      "#EXT-X-TARGETDURATION:5\n"
      "#EXT-X-DISCONTINUITY\n"
      "#EXTINF:5.005,\n"
      "cam1-12.ts\n"
      "#EXTINF:4.990,\n"
      "cam1-13.ts\n",
      "v3 t5000 s12 d0+1 n2 p0 w9995 l4990 u2",
      "1 12 5005 cam1-12.ts|1 13 4990 cam1-13.ts|" },

    { "nginx-rtmp, keys and nested folders",
      "#EXTM3U\n"
      "#EXT-X-VERSION:3\n"
      "#EXT-X-MEDIA-SEQUENCE:0\n"
      "#EXT-X-TARGETDURATION:5\n"
      "#EXT-X-KEY:METHOD=AES-128,URI=\"keys/cam1/0.key\","
      "IV=0x00000000000000000000000000000000\n"
      "#EXTINF:5.000,\n"
      "0.ts\n"
      "#EXT-X-KEY:METHOD=AES-128,URI=\"keys/cam1/1.key\","
      "IV=0x00000000000000000000000000000001\n"
      "#EXTINF:5.000,\n"
      "1.ts\n",
      "v3 t5000 s0 d0+0 n2 p0 w10000 l5000 u4",
      "4 0 0 keys/cam1/0.key|1 0 5000 0.ts|"
      "4 1 0 keys/cam1/1.key|1 1 5000 1.ts|" },

    { "nginx-rtmp, variants",
      "#EXTM3U\n"
      "#EXT-X-VERSION:3\n"
      "#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=288000\n"
      "cam1_low.m3u8\n"
      "#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=2000000\n"
      "cam1_src.m3u8\n",
      "v3 t0 s0 d0+0 n0 p0 w0 l0 u2 master",
      "2 0 0 cam1_low.m3u8|2 0 0 cam1_src.m3u8|" },

    { "SRS, the master of a session",
      "#EXTM3U\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1\n"
      "/live/livestream.m3u8?hls_ctx=47z6532j\n",
      "v0 t0 s0 d0+0 n0 p0 w0 l0 u1 master",
      "2 0 0 /live/livestream.m3u8?hls_ctx=47z6532j|" },

    { "SRS",
      "#EXTM3U\n"
      "#EXT-X-VERSION:3\n"
      "#EXT-X-MEDIA-SEQUENCE:7\n"
      "#EXT-X-TARGETDURATION:11\n"
      "#EXTINF:10.000, no desc\n"
      "livestream-7.ts?hls_ctx=47z6532j\n"
      "#EXT-X-DISCONTINUITY\n"
      "#EXTINF:10.010, no desc\n"
      "livestream-8.ts?hls_ctx=47z6532j\n",
      "v3 t11000 s7 d0+1 n2 p0 w20010 l10010 u2",
      "1 7 10000 livestream-7.ts?hls_ctx=47z6532j|"
      "1 8 10010 livestream-8.ts?hls_ctx=47z6532j|" },

    { "OME, the master",
      "#EXTM3U\n"
      "#EXT-X-VERSION:7\n"
      "#EXT-X-INDEPENDENT-SEGMENTS\n"
      "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"en, left\","
      "DEFAULT=YES,URI=\"chunklist_1_audio_llhls.m3u8?session=1_abc\"\n"
      "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"cc\","
      "INSTREAM-ID=\"CC1\"\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=2500000,CODECS=\"avc1.42c01f,mp4a.40.2\","
      "AUDIO=\"aac\"\n"
      "chunklist_0_video_llhls.m3u8?session=1_abc\n"
      "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"iframes.m3u8\"\n"
      "#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\","
      "KEYFORMAT=\"com.apple.streamingkeydelivery\"\n"
      "#EXT-X-SESSION-DATA:DATA-ID=\"com.example.x\",VALUE=\"URI=no\"\n"
      "#EXT-X-SESSION-DATA:DATA-ID=\"com.example.y\",URI=\"y.json\"\n"
      "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steering?a=1,2\","
      "PATHWAY-ID=\"a\"\n",
      "v7 t0 s0 d0+0 n0 p0 w0 l0 u6 master",
      "2 0 0 chunklist_1_audio_llhls.m3u8?session=1_abc|"
      "2 0 0 chunklist_0_video_llhls.m3u8?session=1_abc|"
      "2 0 0 iframes.m3u8|4 0 0 skd://x|8 0 0 y.json|"
      "8 0 0 /steering?a=1,2|" },

    { "OME, LL-HLS",
      "#EXTM3U\n"
      "#EXT-X-VERSION:10\n"
      "#EXT-X-TARGETDURATION:4\n"
      "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,"
      "CAN-SKIP-UNTIL=24\n"
      "#EXT-X-PART-INF:PART-TARGET=0.500000\n"
      "#EXT-X-MEDIA-SEQUENCE:4\n"
      "#EXT-X-MAP:URI=\"init_0.m4s?session=1_abc\"\n"
      "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:00:00.000+00:00\n"
      "#EXT-X-PART:DURATION=0.5,URI=\"part_0_4_0.m4s\",INDEPENDENT=YES\n"
      "#EXT-X-PART:DURATION=0.25,URI=\"part_0_4_1.m4s\",GAP=YES\n"
      "#EXTINF:0.750000,\n"
      "seg_0_4.m4s?session=1_abc\n"
      "#EXT-X-PART:DURATION=0.500000,URI=\"part_0_5_0.m4s\"\n"
      "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part_0_5_1.m4s\"\n"
      "#EXT-X-RENDITION-REPORT:URI=\"chunklist_1.m3u8\",LAST-MSN=5,"
      "LAST-PART=0\n",
      "v10 t4000 s4 d0+0 n1 p1 w750 l750 u7 block skip part500",
      "3 4 0 init_0.m4s?session=1_abc|5 4 500 part_0_4_0.m4s|"
      "5 4 250 part_0_4_1.m4s gap|1 4 750 seg_0_4.m4s?session=1_abc|"
      "5 5 500 part_0_5_0.m4s|6 5 0 part_0_5_1.m4s|"
      "7 5 0 chunklist_1.m3u8|" },

    { "a delta",
      "#EXTM3U\n"
      "#EXT-X-TARGETDURATION:4\n"
      "#EXT-X-MEDIA-SEQUENCE:100\n"
      "#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n"
      "#EXTINF:4,\n"
      "107.ts\n",
      "v0 t4000 s100 d0+0 n1 p0 w4000 l4000 u1 skipped7",
      "1 107 4000 107.ts|" },

    { "Ant Media",
      "#EXTM3U\r\n"
      "#EXT-X-VERSION:3\r\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360\r\n"
      "stream1_360p800kbps.m3u8\r\n",
      "v3 t0 s0 d0+0 n0 p0 w0 l0 u1 master",
      "2 0 0 stream1_360p800kbps.m3u8|" },

    { "CRLF, a byte order mark, no newline at the end",
      "\xef\xbb\xbf#EXTM3U \r\n"
      "#EXT-X-TARGETDURATION:2\r\n"
      "\r\n"
      "#EXTINF:2.0,a title, with commas\r\n"
      "  a b.ts\t\r\n"
      "#EXTINF:2\r\n"
      "b.ts\r\n"
      "#EXT-X-ENDLIST",
      "v0 t2000 s0 d0+0 n2 p0 w4000 l2000 u2 end",
      "1 0 2000 a b.ts|1 1 2000 b.ts|" },

    { "fMP4 in one file, byte ranges",
      "#EXTM3U\n"
      "#EXT-X-VERSION:7\n"
      "#EXT-X-TARGETDURATION:4\n"
      "#EXT-X-PLAYLIST-TYPE:VOD\n"
      "#EXT-X-MAP:URI=\"main.mp4\",BYTERANGE=\"719@0\"\n"
      "#EXTINF:4.0,\n"
      "#EXT-X-BYTERANGE:1000@719\n"
      "main.mp4\n"
      "#EXT-X-BYTERANGE:500\n"
      "#EXTINF:4.0,\n"
      "main.mp4\n"
      "#EXTINF:1.5,\n"
      "tail.mp4\n"
      "#EXT-X-ENDLIST\n",
      "v7 t4000 s0 d0+0 n3 p0 w9500 l1500 u4 end vod",
      "3 0 0 main.mp4|1 0 4000 main.mp4 719+1000|"
      "1 1 4000 main.mp4 1719+500|1 2 1500 tail.mp4|" },

    { "subtitles of an event, with gaps",
      "#EXTM3U\n"
      "#EXT-X-TARGETDURATION:6\n"
      "#EXT-X-PLAYLIST-TYPE:EVENT\n"
      "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
      "#EXTINF:6,\n"
      "sub/0.vtt\n"
      "#EXT-X-GAP\n"
      "#EXTINF:6,\n"
      "sub/1.webvtt\n"
      "#EXTINF:6,\n"
      "sub/2.vtt\n",
      "v0 t6000 s0 d3+0 n3 p0 w18000 l6000 u3 event",
      "1 0 6000 sub/0.vtt|1 1 6000 sub/1.webvtt gap|1 2 6000 sub/2.vtt|" },

    { "tags that are not known, comments, variables, a date range",
      "#EXTM3U\n"
      "# a comment\n"
      "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n"
      "#EXT-X-CUE-OUT:30\n"
      "#EXT-X-DATERANGE:ID=\"ad\",X-ASSET-LIST=\"ads.json\"\n"
      "#EXT-X-DATERANGE:ID=\"ad\",SCTE35-OUT=0xFC\n"
      "#EXTINF:1,\n"
      "#not the URI\n"
      "{$a}.ts\n"
      "#EXT-X-KEY:METHOD=NONE\n",
      "v0 t0 s0 d0+0 n1 p0 w1000 l1000 u2 define",
      "8 0 0 ads.json|1 0 1000 {$a}.ts|" },

    { "attributes that only look like the ones that are meant",
      "#EXTM3U\n"
      "#EXT-X-MAP:X-URI=\"no\",NOTE=\"URI=\",  URI = \"no\", URI=\"yes, "
      "here\"junk\n"
      "#EXTINF:1,\n"
      "a.ts\n",
      "v0 t0 s0 d0+0 n1 p0 w1000 l1000 u2",
      "3 0 0 yes, here|1 0 1000 a.ts|" },

    { "numbers with blanks, and as large as they may be",
      "#EXTM3U\n"
      "#EXT-X-VERSION: 3 \n"
      "#EXT-X-TARGETDURATION:10.4999\n"
      "#EXT-X-MEDIA-SEQUENCE:1152921504606846976\n"
      "#EXTINF: 1000000.0000 ,\n"
      "a.ts\n"
      "#EXTINF:.0005,\n"
      "b.ts\n",
      "v3 t10500 s1152921504606846976 d0+0 n2 p0 w1000000001 l1 u2",
      "1 1152921504606846976 1000000000 a.ts|"
      "1 1152921504606846977 1 b.ts|" },

    { "nothing but the first line", "#EXTM3U",
      "v0 t0 s0 d0+0 n0 p0 w0 l0 u0", "" },

    { NULL, NULL, NULL, NULL }
};


static char  *refused[] = {
    "",
    "\n",
    "\n#EXTM3U\n",
    "#EXTM3UX\n",
    "#EXTM3\n",
    "#extm3u\n",
    "EXTM3U\n",
    "<html>\n<body>404</body></html>\n",
    "{\"error\": \"#EXTM3U\"}",
    "G@\x11\x10\n#EXTM3U\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0x10\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1e3\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1.5\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1 2\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1152921504606846977\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551616\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999999999999999\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MEDIA-SEQUENCE:2\n",
    "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-MEDIA-SEQUENCE:1\n",
    "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:-1\n",
    "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:-2\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:1000001\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:4294967297\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:nan\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-TARGETDURATION:1\n",
    "#EXTM3U\n#EXT-X-VERSION:-3\n",
    "#EXTM3U\n#EXTINF:-1,\na.ts\n",
    "#EXTM3U\n#EXTINF:,\na.ts\n",
    "#EXTM3U\n#EXTINF:.,\na.ts\n",
    "#EXTM3U\n#EXTINF:1.5.5,\na.ts\n",
    "#EXTM3U\n#EXTINF:1e9,\na.ts\n",
    "#EXTM3U\n#EXTINF:inf,\na.ts\n",
    "#EXTM3U\n#EXTINF:99999999999999999999999999999999.9,\na.ts\n",
    "#EXTM3U\n#EXT-X-BYTERANGE:-1\n",
    "#EXTM3U\n#EXT-X-BYTERANGE:1@\n",
    "#EXTM3U\n#EXT-X-BYTERANGE:1@-1\n",
    "#EXTM3U\n#EXT-X-BYTERANGE:1@1@1\n",
    "#EXTM3U\n#EXT-X-BYTERANGE:1152921504606846976@1\n",
    "#EXTM3U\n#EXT-X-BYTERANGE:1152921504606846976@0\na.ts\n"
        "#EXT-X-BYTERANGE:1\nb.ts\n",
    "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=-1\n",
    "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1000001\n",
    "#EXTM3U\n#EXT-X-SKIP:\n",
    "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n"
        "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n",
    "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXT-X-MEDIA-SEQUENCE:1\n",
    "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n",
    "#EXTM3U\n#EXT-X-PART-INF:PART-TARGET=-1\n",
    "#EXTM3U\n#EXT-X-PART:DURATION=-1,URI=\"a\"\n",
    "#EXTM3U\n#EXT-X-PART:DURATION=1,URI=\"a\",BYTERANGE=\"1@x\"\n",
    "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=-1\n",
    "#EXTM3U\n#EXT-X-MAP:URI=\"a.mp4\n",
    "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
    "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a\"\n",
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXTINF:1,\na\n",
    NULL
};


static ngx_pool_t  *pool;
static u_char       text_buf[65536];


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_lists();
    test_refused();
    test_numbers();
    test_attributes();
    test_lines();
    test_large();
    test_handler();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_lists(void)
{
    u_char              *p;
    size_t               len;
    ngx_str_t            s;
    test_list_t         *t;
    ngx_hls_playlist_t   pl;

    for (t = lists; t->name; t++) {

        /* a copy without a zero behind it, so that overruns are seen */

        len = strlen(t->text);
        p = malloc(len);
        memcpy(p, t->text, len);

        s.data = text_buf;
        s.len = 0;

        ok(ngx_hls_playlist_parse(p, p + len, &pl, collect, &s) == NGX_OK,
           "%s", t->name);
        is_str(&s, t->uris, "its URIs");

        s = unit_str(summary(&pl));
        is_str(&s, t->summary, "its numbers");

        ok(ngx_hls_playlist_parse(p, p + len, &pl, NULL, NULL) == NGX_OK,
           "without a handler");

        s = unit_str(summary(&pl));
        is_str(&s, t->summary, "the same numbers");

        /* all lines together are the playlist */

        s.data = text_buf;
        s.len = 0;

        ok(ngx_hls_playlist_walk(p, p + len, &pl, rebuild, &s) == NGX_OK,
           "line by line");
        is_str(&s, t->text, "the same bytes");

        free(p);
    }
}


static void
test_refused(void)
{
    size_t               len;
    char               **text;
    u_char              *p;
    ngx_uint_t           i;
    ngx_hls_playlist_t   pl;

    static char          zero[] = "#EXTM3U\n#EXTINF:1,\na\0b.ts\n";

    for (text = refused; *text; text++) {
        len = strlen(*text);
        p = malloc(len + !len);
        memcpy(p, *text, len);

        if (!ok(ngx_hls_playlist_parse(p, p + len, &pl, NULL, NULL)
                == NGX_DECLINED, "refused: %lu",
                (unsigned long) (text - refused)))
        {
            diag("%s", *text);
        }

        free(p);
    }

    is_uint(parse(zero, sizeof(zero) - 1, &pl), (ngx_uint_t) NGX_DECLINED,
            "a zero byte");
    is_uint(parse("#EXTM3U\n#\0", 10, &pl), (ngx_uint_t) NGX_DECLINED,
            "a zero byte at the end");

    /* whatever is cut off, nothing is read behind the end */

    for (i = 0; i < strlen(lists[6].text); i++) {
        p = malloc(i + !i);
        memcpy(p, lists[6].text, i);
        (void) ngx_hls_playlist_parse(p, p + i, &pl, NULL, NULL);
        free(p);
    }
}


static void
test_numbers(void)
{
    uint64_t    n;
    ngx_str_t   s;
    ngx_msec_t  ms;

    s = unit_str("18446744073709551615");
    ok(ngx_hls_playlist_number(&s, (uint64_t) -1, &n) == NGX_OK
       && n == (uint64_t) -1, "the largest number");

    s = unit_str("18446744073709551616");
    ok(ngx_hls_playlist_number(&s, (uint64_t) -1, &n) == NGX_ERROR,
       "one more");

    s = unit_str("7");
    ok(ngx_hls_playlist_number(&s, 7, &n) == NGX_OK && n == 7, "the most");
    ok(ngx_hls_playlist_number(&s, 6, &n) == NGX_ERROR, "more");

    s = unit_str("000000000000000000000000000000000000000012");
    ok(ngx_hls_playlist_number(&s, 12, &n) == NGX_OK && n == 12, "zeros");

    s = unit_str("1.9999");
    ok(ngx_hls_playlist_duration(&s, &ms) == NGX_OK && ms == 2000, "rounded");

    s = unit_str("1.00049999999");
    ok(ngx_hls_playlist_duration(&s, &ms) == NGX_OK && ms == 1000,
       "rounded down");

    s = unit_str("7.");
    ok(ngx_hls_playlist_duration(&s, &ms) == NGX_OK && ms == 7000,
       "a point and no more");

    s = unit_str("");
    ok(ngx_hls_playlist_duration(&s, &ms) == NGX_ERROR, "an empty one");
}


static void
test_attributes(void)
{
    ngx_str_t  list, value;

    list = unit_str("A=1,B=\"2,3\",C=,D=\"\",E=5 , A=6");

    ok(ngx_hls_playlist_attribute(&list, "A", 1, &value) == NGX_OK, "first");
    is_str(&value, "1", "first one of two");
    ok(ngx_hls_playlist_attribute(&list, "B", 1, &value) == NGX_OK, "quoted");
    is_str(&value, "2,3", "without quotes");
    ok(ngx_hls_playlist_attribute(&list, "C", 1, &value) == NGX_OK, "empty");
    is_str(&value, "", "nothing");
    ok(ngx_hls_playlist_attribute(&list, "D", 1, &value) == NGX_OK, "quotes");
    is_str(&value, "", "nothing in quotes");
    ok(ngx_hls_playlist_attribute(&list, "E", 1, &value) == NGX_OK, "last");
    is_str(&value, "5", "without blanks");
    ok(ngx_hls_playlist_attribute(&list, "F", 1, &value) == NGX_DECLINED,
       "none");

    list = unit_str("A=1,B=\"2");

    ok(ngx_hls_playlist_attribute(&list, "A", 1, &value) == NGX_OK,
       "before the open quote");
    ok(ngx_hls_playlist_attribute(&list, "C", 1, &value) == NGX_ERROR,
       "behind the open quote");

    list = unit_str("");
    ok(ngx_hls_playlist_attribute(&list, "A", 1, &value) == NGX_DECLINED,
       "an empty list");

    list = unit_str("A");
    ok(ngx_hls_playlist_attribute(&list, "A", 1, &value) == NGX_DECLINED,
       "a name alone");
}


static void
test_lines(void)
{
    u_char              *p, *last;
    ngx_hls_playlist_t   pl;

    p = malloc(NGX_HLS_MAX_LINE + 100);

    last = ngx_cpymem(p, "#EXTM3U\n#", 9);
    ngx_memset(last, 'a', NGX_HLS_MAX_LINE - 1);
    last += NGX_HLS_MAX_LINE - 1;

    ok(ngx_hls_playlist_parse(p, last, &pl, NULL, NULL) == NGX_OK,
       "a line as long as it may be");

    *last++ = 'a';

    ok(ngx_hls_playlist_parse(p, last, &pl, NULL, NULL) == NGX_DECLINED,
       "a longer one");

    free(p);
}


static void
test_large(void)
{
    u_char              *p, *last;
    size_t               size;
    ngx_hls_playlist_t   pl;

    size = 12 * 1024 * 1024;
    p = malloc(size);

    last = ngx_cpymem(p, "#EXTM3U\n", 8);
    last = repeat(last, "#\n", 1000000);

    ok(ngx_hls_playlist_parse(p, last, &pl, NULL, NULL) == NGX_DECLINED,
       "a million lines");
    is_uint(pl.lines, NGX_HLS_MAX_LINES + 1, "no more than that were read");

    last = ngx_cpymem(p, "#EXTM3U\n", 8);
    last = repeat(last, "#\n", NGX_HLS_MAX_LINES - 1);

    ok(ngx_hls_playlist_parse(p, last, &pl, NULL, NULL) == NGX_OK,
       "as many as there may be");

    last = ngx_cpymem(p, "#EXTM3U\n", 8);
    last = repeat(last, "a", 10 * 1024 * 1024);

    ok(ngx_hls_playlist_parse(p, last, &pl, NULL, NULL) == NGX_DECLINED,
       "a line of ten megabytes");

    last = ngx_cpymem(p, "#EXTM3U\n", 8);
    last = repeat(last, "#EXTINF:1000000,\na\n", NGX_HLS_MAX_LINES / 2 - 1);

    ok(ngx_hls_playlist_parse(p, last, &pl, NULL, NULL) == NGX_OK,
       "very long for very long");
    is_uint(pl.window, (NGX_HLS_MAX_LINES / 2 - 1) * 1000000000ULL,
            "all of it");

    free(p);
}


static void
test_handler(void)
{
    char                *text;
    ngx_uint_t           n;
    ngx_hls_playlist_t   pl;

    text = "#EXTM3U\n#EXTINF:1,\na\n#EXTINF:1,\nb\n#EXTINF:1,\nc\n";
    n = 2;

    is_uint(ngx_hls_playlist_parse((u_char *) text,
                                   (u_char *) text + strlen(text), &pl, stop,
                                   &n),
            (ngx_uint_t) NGX_DONE, "the handler ends it");
    is_uint(n, 0, "at once");
    is_uint(pl.segments, 2, "what was read so far");
}


static ngx_int_t
collect(void *data, ngx_hls_uri_t *uri)
{
    ngx_str_t *s = data;

    char  *p;

    p = (char *) s->data + s->len;

    p += sprintf(p, "%lu %llu %lu %.*s", (unsigned long) uri->type,
                 (unsigned long long) uri->sequence,
                 (unsigned long) uri->duration, (int) uri->uri.len,
                 (char *) uri->uri.data);

    if (uri->length) {
        p += sprintf(p, " %llu+%llu", (unsigned long long) uri->offset,
                     (unsigned long long) uri->length);
    }

    p += sprintf(p, "%s|", uri->gap ? " gap" : "");

    s->len = (u_char *) p - s->data;

    return NGX_OK;
}


static ngx_int_t
stop(void *data, ngx_hls_uri_t *uri)
{
    ngx_uint_t *n = data;

    return --*n ? NGX_OK : NGX_DONE;
}


static ngx_int_t
rebuild(void *data, ngx_hls_playlist_t *playlist, ngx_hls_line_t *line)
{
    ngx_str_t *s = data;

    if (line->last < line->start || line->end < line->last
        || line->value.data < line->start
        || line->value.data + line->value.len > line->last)
    {
        return NGX_ERROR;
    }

    memcpy(s->data + s->len, line->start, line->end - line->start);
    s->len += line->end - line->start;

    return NGX_OK;
}


static char *
summary(ngx_hls_playlist_t *pl)
{
    char         *p;

    static char   buf[1024];

    p = buf;

    p += sprintf(p, "v%lu t%lu s%llu d%llu+%lu n%lu p%lu w%lu l%lu u%lu",
                 (unsigned long) pl->version, (unsigned long) pl->target,
                 (unsigned long long) pl->sequence,
                 (unsigned long long) pl->discontinuity,
                 (unsigned long) pl->discontinuities,
                 (unsigned long) pl->segments, (unsigned long) pl->parts,
                 (unsigned long) pl->window, (unsigned long) pl->last,
                 (unsigned long) pl->uris);

    p += sprintf(p, "%s%s%s%s", pl->master ? " master" : "",
                 pl->endlist ? " end" : "", pl->event ? " event" : "",
                 pl->vod ? " vod" : "");
    p += sprintf(p, "%s%s%s", pl->block_reload ? " block" : "",
                 pl->skip ? " skip" : "", pl->define ? " define" : "");

    if (pl->part_target) {
        p += sprintf(p, " part%lu", (unsigned long) pl->part_target);
    }

    if (pl->skipped) {
        p += sprintf(p, " skipped%lu", (unsigned long) pl->skipped);
    }

    return buf;
}


static ngx_int_t
parse(char *text, size_t len, ngx_hls_playlist_t *pl)
{
    return ngx_hls_playlist_parse((u_char *) text, (u_char *) text + len, pl,
                                  NULL, NULL);
}


static u_char *
repeat(u_char *p, char *text, ngx_uint_t n)
{
    size_t  len;

    for (len = strlen(text); n; n--) {
        p = ngx_cpymem(p, text, len);
    }

    return p;
}
