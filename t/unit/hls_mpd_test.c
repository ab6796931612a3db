
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_mpd.c */


#include "unit.h"
#include "ngx_hls_mpd.h"


typedef struct {
    char    *name;
    char    *text;
    char    *summary;   /* NULL: refused */
} test_mpd_t;


static void test_manifests(void);
static void test_durations(void);
static void test_refused(void);
static void test_large(void);

static char *parse(char *text);
static char *summary(ngx_hls_mpd_t *mpd);


static test_mpd_t  manifests[] = {

    { "nginx-rtmp",
      "<?xml version=\"1.0\"?>\n"
      "<MPD\n"
      "    type=\"dynamic\"\n"
      "    xmlns=\"urn:mpeg:dash:schema:mpd:2011\"\n"
      "    availabilityStartTime=\"2026-11-20T10:00:00Z\"\n"
      "    availabilityEndTime=\"2026-11-20T10:01:00Z\"\n"
      "    minimumUpdatePeriod=\"PT5S\"\n"
      "    minBufferTime=\"PT5S\"\n"
      "    timeShiftBufferDepth=\"PT0H0M0.00S\"\n"
      "    profiles=\"urn:hbbtv:dash:profile:isoff-live:2012\">\n"
      "  <Period start=\"PT0S\" id=\"dash\">\n"
      "    <AdaptationSet id=\"1\" segmentAlignment=\"true\">\n"
      "      <Representation id=\"cam1_H264\" mimeType=\"video/mp4\">\n"
      "        <SegmentTemplate presentationTimeOffset=\"0\"\n"
      "            timescale=\"1000\" media=\"cam1-$Time$.m4v\"\n"
      "            initialization=\"cam1-init.m4v\">\n"
      "          <SegmentTimeline>\n"
      "             <S t=\"10000\" d=\"5000\"/>\n"
      "             <S t=\"15000\" d=\"5040\"/>\n"
      "          </SegmentTimeline>\n"
      "        </SegmentTemplate>\n"
      "      </Representation>\n"
      "    </AdaptationSet>\n"
      "  </Period>\n"
      "</MPD>\n",
      "dynamic start u5000 w10040 l5040 e20040 t1 p1 r1" },

    { "repeated segments, a timescale that is inherited",
      "<MPD type='dynamic' minimumUpdatePeriod='PT0S'"
      " timeShiftBufferDepth='PT1M' maxSegmentDuration = 'PT4.004S'>"
      "<Period><AdaptationSet><SegmentTemplate timescale='90000'/>"
      "<Representation><SegmentTemplate media='a'><SegmentTimeline>"
      "<S t='900000' d='180000' r='9'/><S d='90000' r='-1'></S>"
      "</SegmentTimeline></SegmentTemplate></Representation>"
      "<Representation><SegmentTemplate timescale='1'><SegmentTimeline>"
      "<S d='2' r='3'/></SegmentTimeline></SegmentTemplate></Representation>"
      "</AdaptationSet><AdaptationSet><SegmentTemplate duration='7'/>"
      "</AdaptationSet></Period></MPD>",
      "dynamic u0 d60000 m4004 s7000 w21000 l2000 e31000 t2 p1 r2 open" },

    { "a film",
      "\xef\xbb\xbf<MPD xmlns=\"x\" type=\"static\""
      " mediaPresentationDuration=\"PT1H2M3.5S\"><Period>"
      "<AdaptationSet><SegmentTemplate timescale=\"48000\""
      " duration=\"96000\" startNumber=\"1\"/></AdaptationSet>"
      "</Period></MPD>",
      "D3723500 s2000 t0 p1 r0" },

    { "a prefix, comments and CDATA",
      "<!-- <MPD type=\"dynamic\"> --> \r\n\t<?x ?>"
      "<dash:MPD a='>' b=\"/>\" type=\"dynamic\">"
      "<!-- </dash:MPD> -- > --->"
      "<dash:Period><![CDATA[</dash:MPD><x ]] ]]]></dash:Period>"
      "<dash:Event>text &lt; more</dash:Event>"
      "</dash:MPD><!-- end -->\n",
      "dynamic t0 p1 r0" },

    { "nothing in it", "<MPD/>", "t0 p0 r0" },
    { "names that only look like the ones that are meant",
      "<MPD xtype='dynamic' type2='dynamic' note=\" type='dynamic' \">"
      "<SX d='1'/></MPD>", "t0 p0 r0" },
    { "segments outside of a timeline",
      "<MPD><S d='1'/><SegmentTimeline/><S/></MPD>", "t1 p0 r0" },
    { NULL, NULL, NULL }
};


static test_mpd_t  durations[] = {
    { "PT0S", "", "u0" },
    { "PT2S", "", "u2000" },
    { "PT0.5S", "", "u500" },
    { "PT.5S", "", "u500" },
    { "PT1,5S", "", "u1500" },
    { "PT1.23456789S", "", "u1234" },
    { "P1D", "", "u86400000" },
    { "P1DT1H", "", "u90000000" },
    { "P1Y2M3W4DT5H6M7.008S", "", "u38898367008" },
    { "PT0.5H", "", "u1800000" },
    { "PT000000000000001S", "", "u1000" },
    { "P100Y", "", "u3153600000000" },
    { "", "", NULL },
    { "P", "", NULL },
    { "PT", "", NULL },
    { "T1S", "", NULL },
    { "1", "", NULL },
    { "PT1", "", NULL },
    { "PT-1S", "", NULL },
    { "-PT1S", "", NULL },
    { "P1S", "", NULL },
    { "PT1D", "", NULL },
    { "PTT1S", "", NULL },
    { "PT1S ", "", NULL },
    { "pt1s", "", NULL },
    { "PT.S", "", NULL },
    { "PT1e3S", "", NULL },
    { "P101Y", "", NULL },
    { "PT9999999999999999999999999S", "", NULL },
    { "PT999999999999999S", "", NULL },
    { "P99Y99Y", "", NULL },
    { NULL, NULL, NULL }
};


static char  *refused[] = {
    "",
    " ",
    "MPD",
    "<html></html>",
    "{}",
    "#EXTM3U\n",
    "x<MPD/>",
    "<MPD/>x",
    "<MPD/><MPD/>",
    "<MPD>",
    "<MPD",
    "<MPD type=\"dynamic\"",
    "<MPD type=\"dynamic></MPD>",
    "<MPD type=dynamic></MPD>",
    "<MPD minimumUpdatePeriod></MPD>",
    "<MPD minimumUpdatePeriod=\"x\"></MPD>",
    "</MPD>",
    "<MPD></MPD></MPD>",
    "<MPD><!-- </MPD>",
    "<MPD><![CDATA[ </MPD>",
    "<![CDATA[<MPD/>]]>",
    "<?xml <MPD/>",
    "<!DOCTYPE MPD [<!ENTITY a \"b\">]><MPD>&a;</MPD>",
    "<MPD><!ENTITY a \"b\"></MPD>",
    "<MPD><></></MPD>",
    "<MPD>< a/></MPD>",
    "<MPD><a<b/></MPD>",
    "<MPD><SegmentTemplate timescale='0'/></MPD>",
    "<MPD><SegmentTemplate timescale='-1'/></MPD>",
    "<MPD><SegmentTemplate timescale='4294967296'/></MPD>",
    "<MPD><SegmentTemplate duration='9999999999999999999'/></MPD>",
    "<MPD><SegmentTimeline><S/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d=''/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='x'/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='-1'/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='1' r='-2'/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='1' r='x'/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='1' t='-1'/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='999999999999999999' r='9'/>"
        "</SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='999999999999999999'"
        " r='999999999999999999'/></SegmentTimeline></MPD>",
    "<MPD><SegmentTimeline><S d='999999999999999999' r='2'/>"
        "<S d='999999999999999999' r='2'/></SegmentTimeline></MPD>",
    NULL
};


int
main(void)
{
    unit_init();

    test_manifests();
    test_durations();
    test_refused();
    test_large();

    return done();
}


static void
test_manifests(void)
{
    ngx_str_t    s;
    test_mpd_t  *t;

    for (t = manifests; t->name; t++) {
        s = unit_str(parse(t->text));
        is_str(&s, t->summary, "%s", t->name);
    }
}


static void
test_durations(void)
{
    char         text[256];
    ngx_str_t    s;
    test_mpd_t  *t;

    for (t = durations; t->name; t++) {

        snprintf(text, sizeof(text),
                 "<MPD minimumUpdatePeriod=\"%s\"></MPD>", t->name);

        s = unit_str(parse(text));

        if (t->summary == NULL) {
            is_str(&s, "refused", "\"%s\"", t->name);
            continue;
        }

        ok(s.len > strlen(t->summary)
           && memcmp(s.data, t->summary, strlen(t->summary)) == 0
           && s.data[strlen(t->summary)] == ' ', "\"%s\" is %s", t->name,
           t->summary);
    }
}


static void
test_refused(void)
{
    char           **text;
    size_t           i, len;
    u_char          *p;
    ngx_str_t        s;
    ngx_hls_mpd_t    mpd;

    for (text = refused; *text; text++) {
        s = unit_str(parse(*text));
        is_str(&s, "refused", "%s", *text);
    }

    ok(ngx_hls_mpd_parse((u_char *) "<MPD>\0</MPD>",
                         (u_char *) "<MPD>\0</MPD>" + 12, &mpd)
       == NGX_DECLINED, "a zero byte");

    /* whatever is cut off, nothing is read behind the end */

    len = strlen(manifests[0].text);

    for (i = 0; i < len - 1; i++) {
        p = malloc(i + !i);
        memcpy(p, manifests[0].text, i);

        if (ngx_hls_mpd_parse(p, p + i, &mpd) != NGX_DECLINED) {
            break;
        }

        free(p);
    }

    is_uint(i, len - 1, "cut off anywhere");
}


static void
test_large(void)
{
    u_char         *p, *last;
    ngx_uint_t      i;
    ngx_hls_mpd_t   mpd;

    p = malloc(16 * 1024 * 1024);

    last = ngx_cpymem(p, "<MPD>", 5);

    for (i = 1; i < NGX_HLS_MPD_MAX_DEPTH; i++) {
        last = ngx_cpymem(last, "<a>", 3);
    }

    for (i = 1; i < NGX_HLS_MPD_MAX_DEPTH; i++) {
        last = ngx_cpymem(last, "</a>", 4);
    }

    last = ngx_cpymem(last, "</MPD>", 6);

    ok(ngx_hls_mpd_parse(p, last, &mpd) == NGX_OK, "as deep as it may be");

    last = ngx_cpymem(p, "<MPD>", 5);

    for (i = 0; i < NGX_HLS_MPD_MAX_DEPTH; i++) {
        last = ngx_cpymem(last, "<a>", 3);
    }

    for (i = 0; i < NGX_HLS_MPD_MAX_DEPTH; i++) {
        last = ngx_cpymem(last, "</a>", 4);
    }

    last = ngx_cpymem(last, "</MPD>", 6);

    ok(ngx_hls_mpd_parse(p, last, &mpd) == NGX_DECLINED, "deeper");

    last = ngx_cpymem(p, "<MPD>", 5);

    for (i = 0; i < NGX_HLS_MPD_MAX_TAGS; i++) {
        last = ngx_cpymem(last, "<a/>", 4);
    }

    last = ngx_cpymem(last, "</MPD>", 6);

    ok(ngx_hls_mpd_parse(p, last, &mpd) == NGX_DECLINED, "a million tags");

    last = ngx_cpymem(p, "<MPD><!--", 9);
    ngx_memset(last, '-', 10 * 1024 * 1024);
    last += 10 * 1024 * 1024;
    last = ngx_cpymem(last, "></MPD>", 7);

    ok(ngx_hls_mpd_parse(p, last, &mpd) == NGX_OK,
       "a comment of ten megabytes");

    /* a year of segments is no more work than one */

    last = ngx_sprintf(p, "<MPD><SegmentTimeline><S d=\"2\" r=\"15767999\"/>"
                       "</SegmentTimeline></MPD>");

    ok(ngx_hls_mpd_parse(p, last, &mpd) == NGX_OK, "many of them");
    is_uint(mpd.window, 365ULL * 86400 * 1000, "a year");

    free(p);
}


static char *
parse(char *text)
{
    size_t          len;
    u_char         *p;
    ngx_int_t       rc;
    ngx_hls_mpd_t   mpd;

    /* a copy, so that overruns are seen */

    len = strlen(text);
    p = malloc(len + !len);
    memcpy(p, text, len);

    rc = ngx_hls_mpd_parse(p, p + len, &mpd);

    free(p);

    return (rc == NGX_OK) ? summary(&mpd)
                          : (rc == NGX_DECLINED) ? "refused" : "error";
}


static char *
summary(ngx_hls_mpd_t *mpd)
{
    char         *p;

    static char   buf[512];

    p = buf;

    if (mpd->dynamic) {
        p += sprintf(p, "dynamic ");
    }

    if (mpd->has_start) {
        p += sprintf(p, "start ");
    }

    if (mpd->has_update) {
        p += sprintf(p, "u%llu ", (unsigned long long) mpd->update);
    }

    if (mpd->depth) {
        p += sprintf(p, "d%llu ", (unsigned long long) mpd->depth);
    }

    if (mpd->duration) {
        p += sprintf(p, "D%llu ", (unsigned long long) mpd->duration);
    }

    if (mpd->max_segment) {
        p += sprintf(p, "m%llu ", (unsigned long long) mpd->max_segment);
    }

    if (mpd->segment) {
        p += sprintf(p, "s%llu ", (unsigned long long) mpd->segment);
    }

    if (mpd->window) {
        p += sprintf(p, "w%llu l%llu e%llu ",
                     (unsigned long long) mpd->window,
                     (unsigned long long) mpd->last,
                     (unsigned long long) mpd->end);
    }

    p += sprintf(p, "t%lu p%lu r%lu", (unsigned long) mpd->timelines,
                 (unsigned long) mpd->periods,
                 (unsigned long) mpd->representations);

    sprintf(p, "%s", mpd->open ? " open" : "");

    return buf;
}
