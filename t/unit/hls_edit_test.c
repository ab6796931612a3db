
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_edit.c ngx_hls_trim.c ngx_hls_compare.c ngx_hls_compose.c */
/* sources: ngx_hls_list.c ngx_hls_playlist.c ngx_hls_uri.c */


/* One playlist after the other, as an origin has them and as viewers get. */


#include "unit.h"
#include "ngx_hls_edit.h"


#define HEAD(sequence)                                                        \
    "#EXTM3U\n"                                                               \
    "#EXT-X-VERSION:3\n"                                                      \
    "#EXT-X-MEDIA-SEQUENCE:" sequence "\n"                                    \
    "#EXT-X-TARGETDURATION:2\n"

#define HEAD_D(sequence, discontinuity)                                       \
    "#EXTM3U\n"                                                               \
    "#EXT-X-DISCONTINUITY-SEQUENCE:" discontinuity "\n"                       \
    "#EXT-X-VERSION:3\n"                                                      \
    "#EXT-X-MEDIA-SEQUENCE:" sequence "\n"                                    \
    "#EXT-X-TARGETDURATION:2\n"

#define SEG(uri)       "#EXTINF:2.000,\n" uri "\n"
#define LOST(uri)      "#EXTINF:2.000,\n#EXT-X-GAP\n" uri "\n"
#define BREAK          "#EXT-X-DISCONTINUITY\n"
#define END            "#EXT-X-ENDLIST\n"


/* what a step should be, besides the playlist */

#define SAME           0x01    /* byte by byte the origin's */
#define ADVANCED       0x02
#define RESTARTED      0x04
#define UNCHANGED      0x08    /* as it was served before */


static void test_steady(void);
static void test_restart(void);
static void test_restart_twice(void);
static void test_restart_window(void);
static void test_restart_names(void);
static void test_restart_trim(void);
static void test_restart_moved(void);
static void test_restart_number(void);
static void test_held(void);
static void test_lost_body(void);
static void test_target(void);
static void test_map(void);
static void test_define(void);
static void test_keys(void);
static void test_implicit_iv(void);
static void test_byterange(void);
static void test_discontinuities(void);
static void test_wrap(void);
static void test_older(void);
static void test_nothing(void);
static void test_event(void);
static void test_ended(void);
static void test_endlist(void);
static void test_ll_hls(void);
static void test_delta(void);
static void test_urls(void);
static void test_session(void);
static void test_master(void);
static void test_crlf(void);
static void test_hostile(void);
static void test_off(void);
static void test_msn(void);
static void test_large(void);

static void begin(const char *name);
static ngx_int_t step(char *origin, char *expected, ngx_uint_t flags,
    char *what);
static ngx_int_t edit_body(u_char *data, size_t len);
static ngx_uint_t held(void *data, ngx_str_t *uri);
static ngx_uint_t own(void *data, ngx_str_t *host, in_port_t port);


static ngx_pool_t       *pool;
static ngx_hls_edit_t    edit;
static ngx_hls_state_t   state;
static const char       *test_name;
static char             *lost;       /* URIs with blanks around each */


int
main(void)
{
    unit_init();

    ok(sizeof(ngx_hls_state_t) <= 64, "a state is small");

    test_steady();
    test_restart();
    test_restart_twice();
    test_restart_window();
    test_restart_names();
    test_restart_trim();
    test_restart_moved();
    test_restart_number();
    test_held();
    test_lost_body();
    test_target();
    test_map();
    test_define();
    test_keys();
    test_implicit_iv();
    test_byterange();
    test_discontinuities();
    test_wrap();
    test_older();
    test_nothing();
    test_event();
    test_ended();
    test_endlist();
    test_ll_hls();
    test_delta();
    test_urls();
    test_session();
    test_master();
    test_crlf();
    test_hostile();
    test_off();
    test_msn();
    test_large();

    ngx_destroy_pool(pool);

    return done();
}


static void
test_steady(void)
{
    begin("steady");

    step(HEAD("7") SEG("a-7.ts") SEG("a-8.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts"), SAME|ADVANCED, "the first");
    is_uint(edit.fresh, 7, "all are new");
    is_uint(edit.playlist.window, 4000, "window");

    step(HEAD("7") SEG("a-7.ts") SEG("a-8.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts"), SAME|UNCHANGED, "no news");
    is_uint(edit.fresh, 9, "none is new");

    step(HEAD("8") SEG("a-8.ts") SEG("a-9.ts"),
         HEAD("8") SEG("a-8.ts") SEG("a-9.ts"), SAME|ADVANCED, "one more");
    is_uint(edit.fresh, 9, "it is new");

    step(HEAD("8") SEG("a-8.ts") SEG("a-9.ts") SEG("a-10.ts"),
         HEAD("8") SEG("a-8.ts") SEG("a-9.ts") SEG("a-10.ts"),
         SAME|ADVANCED, "none has left");

    /* other words for the same are no news */

    step("#EXTM3U\n# x\n#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-TARGETDURATION:2\n"
         SEG("a-8.ts") SEG("a-9.ts") SEG("a-10.ts"),
         "#EXTM3U\n# x\n#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-TARGETDURATION:2\n"
         SEG("a-8.ts") SEG("a-9.ts") SEG("a-10.ts"), SAME, "other words");

    step(HEAD("100") SEG("a-100.ts"), HEAD("100") SEG("a-100.ts"),
         SAME|ADVANCED, "much later");
    is_uint(edit.fresh, 100, "it is new");

    step(HEAD("100") SEG("a-100.ts") END, HEAD("100") SEG("a-100.ts") END,
         SAME|ADVANCED, "the end");

    ok(state.offset == 0 && state.generation == 0, "nothing is shifted");
}


static void
test_restart(void)
{
    begin("restart");

    step(HEAD("7") SEG("a-7.ts") SEG("a-8.ts") SEG("a-9.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts") SEG("a-9.ts"),
         SAME|ADVANCED, "before");

    step(HEAD("0") SEG("b-0.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts") SEG("a-9.ts") BREAK
         SEG("b-0.ts?g=1"), ADVANCED|RESTARTED, "the first of the new run");
    is_uint(edit.fresh, 10, "it is new");
    is_uint(edit.playlist.sequence, 7, "sequence");
    is_uint(edit.playlist.segments, 4, "segments");
    is_uint(edit.playlist.window, 8000, "window");

    step(HEAD("0") SEG("b-0.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts") SEG("a-9.ts") BREAK
         SEG("b-0.ts?g=1"), UNCHANGED, "no news");

    step(HEAD("0") SEG("b-0.ts") SEG("b-1.ts"),
         HEAD("8") SEG("a-8.ts") SEG("a-9.ts") BREAK
         SEG("b-0.ts?g=1") SEG("b-1.ts?g=1"), ADVANCED, "the second");
    is_uint(edit.fresh, 11, "it is new");

    step(HEAD("0") SEG("b-0.ts") SEG("b-1.ts") SEG("b-2.ts"),
         HEAD("9") SEG("a-9.ts") BREAK
         SEG("b-0.ts?g=1") SEG("b-1.ts?g=1") SEG("b-2.ts?g=1"),
         ADVANCED, "the third");

    step(HEAD("1") SEG("b-1.ts") SEG("b-2.ts") SEG("b-3.ts"),
         HEAD_D("11", "1") SEG("b-1.ts?g=1") SEG("b-2.ts?g=1")
         SEG("b-3.ts?g=1"), ADVANCED, "the old ones have left");
    is_uint(edit.playlist.discontinuity, 1, "with their discontinuity");

    step(HEAD("2") SEG("b-2.ts") SEG("b-3.ts") SEG("b-4.ts"),
         HEAD_D("12", "1") SEG("b-2.ts?g=1") SEG("b-3.ts?g=1")
         SEG("b-4.ts?g=1"), ADVANCED, "and so on");

    is_uint(state.offset, 10, "offset");
    is_uint(state.generation, 1, "generation");

    /* a list that is as long at once */

    begin("restart, all at once");

    step(HEAD("100") SEG("a-100.ts") SEG("a-101.ts"),
         HEAD("100") SEG("a-100.ts") SEG("a-101.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("0") SEG("b-0.ts") SEG("b-1.ts"),
         HEAD("100") SEG("a-100.ts") SEG("a-101.ts") BREAK
         SEG("b-0.ts?g=1") SEG("b-1.ts?g=1"), ADVANCED|RESTARTED, "two");

    step(HEAD("2") SEG("b-2.ts") SEG("b-3.ts"),
         HEAD_D("104", "1") SEG("b-2.ts?g=1") SEG("b-3.ts?g=1"),
         ADVANCED, "two more");

    /* the origin tells of the discontinuity itself */

    begin("restart, told by the origin");

    step(HEAD("5") SEG("a-5.ts"), HEAD("5") SEG("a-5.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("0") BREAK SEG("b-0.ts"),
         HEAD("5") SEG("a-5.ts") BREAK SEG("b-0.ts?g=1"),
         ADVANCED|RESTARTED, "one discontinuity, not two");

    step(HEAD("1") SEG("b-1.ts"), HEAD_D("7", "1") SEG("b-1.ts?g=1"),
         ADVANCED, "it has left");
}


static void
test_restart_twice(void)
{
    begin("restart twice");

    step(HEAD("3") SEG("a-3.ts") SEG("a-4.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts"), SAME|ADVANCED, "before");

    step(HEAD("0") SEG("a-0.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts") BREAK SEG("a-0.ts?g=1"),
         ADVANCED|RESTARTED, "the first time");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("4") SEG("a-4.ts") BREAK SEG("a-0.ts?g=1") SEG("a-1.ts?g=1"),
         ADVANCED, "it goes on");

    step(HEAD("0") SEG("a-0.ts"),
         HEAD("4") SEG("a-4.ts") BREAK SEG("a-0.ts?g=1") SEG("a-1.ts?g=1")
         BREAK SEG("a-0.ts?g=2"), ADVANCED|RESTARTED,
         "the second time, the window is partly old");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("5") BREAK SEG("a-0.ts?g=1") SEG("a-1.ts?g=1")
         BREAK SEG("a-0.ts?g=2") SEG("a-1.ts?g=2"), ADVANCED,
         "the first run has left");

    step(HEAD("1") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD_D("8", "2") SEG("a-1.ts?g=2") SEG("a-2.ts?g=2"), ADVANCED,
         "both have left");
}


/* the first discontinuity has left the window before the second restart */

static void
test_restart_window(void)
{
    begin("restart, a shorter list");

    step(HEAD("10") SEG("a-10.ts") SEG("a-11.ts") SEG("a-12.ts")
         SEG("a-13.ts"),
         HEAD("10") SEG("a-10.ts") SEG("a-11.ts") SEG("a-12.ts")
         SEG("a-13.ts"), SAME|ADVANCED, "four");

    step(HEAD("0") SEG("b-0.ts"),
         HEAD("10") SEG("a-10.ts") SEG("a-11.ts") SEG("a-12.ts")
         SEG("a-13.ts") BREAK SEG("b-0.ts?g=1"), ADVANCED|RESTARTED, "one");

    step(HEAD("0") SEG("b-0.ts") SEG("b-1.ts"),
         HEAD("11") SEG("a-11.ts") SEG("a-12.ts") SEG("a-13.ts") BREAK
         SEG("b-0.ts?g=1") SEG("b-1.ts?g=1"), ADVANCED, "two");

    step(HEAD("1") SEG("b-1.ts") SEG("b-2.ts"),
         HEAD_D("15", "1") SEG("b-1.ts?g=1") SEG("b-2.ts?g=1"), ADVANCED,
         "the origin lists no more than two");
}


static void
test_restart_names(void)
{
    begin("restart, the same names");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("0") SEG("a-0.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts") BREAK
         SEG("a-0.ts?g=1"), ADVANCED|RESTARTED, "again");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("1") SEG("a-1.ts") SEG("a-2.ts") BREAK
         SEG("a-0.ts?g=1") SEG("a-1.ts?g=1"), ADVANCED, "and on");

    /* no number goes back, but another name has it */

    begin("restart, other names");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts"), SAME|ADVANCED, "before");

    step(HEAD("0") SEG("b-0.ts") SEG("b-1.ts") SEG("b-2.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") BREAK SEG("b-0.ts?g=1")
         SEG("b-1.ts?g=1") SEG("b-2.ts?g=1"), ADVANCED|RESTARTED, "others");

    begin("restart, other names from the second on");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts"), SAME|ADVANCED, "before");

    step(HEAD("0") SEG("a-0.ts") SEG("b-1.ts") SEG("b-2.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") BREAK SEG("a-0.ts?g=1")
         SEG("b-1.ts?g=1") SEG("b-2.ts?g=1"), ADVANCED|RESTARTED, "others");

    /* arguments are not looked at: they may be signed anew each time */

    begin("other arguments");

    step(HEAD("0") SEG("a-0.ts?s=1") SEG("a-1.ts?s=1"),
         HEAD("0") SEG("a-0.ts?s=1") SEG("a-1.ts?s=1"), SAME|ADVANCED,
         "before");

    step(HEAD("0") SEG("a-0.ts?s=2") SEG("a-1.ts?s=2") SEG("a-2.ts?s=2"),
         HEAD("0") SEG("a-0.ts?s=2") SEG("a-1.ts?s=2") SEG("a-2.ts?s=2"),
         SAME|ADVANCED, "signed anew");
}


/* a URI returns at another number */

/* of what another server has listed for long, viewers get the end */

static void
test_restart_trim(void)
{
    begin("restart, moved to a longer list");

    step(HEAD("3") SEG("a-3.ts") SEG("a-4.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts"), SAME|ADVANCED, "before");

    edit.restart = 1;
    edit.recent = 3000;

    step(HEAD_D("40", "2") SEG("b-0.ts") BREAK SEG("b-1.ts") SEG("b-2.ts")
         SEG("b-3.ts"),
         HEAD_D("3", "0") SEG("a-3.ts") SEG("a-4.ts") BREAK SEG("b-2.ts?g=1")
         SEG("b-3.ts?g=1"), ADVANCED|RESTARTED, "two of four");
    is_uint(edit.playlist.segments, 4, "segments");

    edit.restart = 0;

    step(HEAD_D("40", "2") SEG("b-0.ts") BREAK SEG("b-1.ts") SEG("b-2.ts")
         SEG("b-3.ts"),
         HEAD_D("3", "0") SEG("a-3.ts") SEG("a-4.ts") BREAK SEG("b-2.ts?g=1")
         SEG("b-3.ts?g=1"), UNCHANGED, "no news");

    step(HEAD_D("41", "2") BREAK SEG("b-1.ts") SEG("b-2.ts") SEG("b-3.ts")
         SEG("b-4.ts"),
         HEAD_D("4", "0") SEG("a-4.ts") BREAK SEG("b-2.ts?g=1")
         SEG("b-3.ts?g=1") SEG("b-4.ts?g=1"), ADVANCED, "the next one");

    step(HEAD_D("42", "3") SEG("b-2.ts") SEG("b-3.ts") SEG("b-4.ts")
         SEG("b-5.ts"),
         HEAD_D("5", "0") BREAK SEG("b-2.ts?g=1") SEG("b-3.ts?g=1")
         SEG("b-4.ts?g=1") SEG("b-5.ts?g=1"), ADVANCED, "and the next one");

    step(HEAD_D("43", "3") SEG("b-3.ts") SEG("b-4.ts") SEG("b-5.ts")
         SEG("b-6.ts"),
         HEAD_D("6", "1") SEG("b-3.ts?g=1") SEG("b-4.ts?g=1")
         SEG("b-5.ts?g=1") SEG("b-6.ts?g=1"), ADVANCED, "all are listed");

    /* a broadcast that begins again has lower numbers, too */

    step(HEAD("0") SEG("b-0.ts"),
         HEAD_D("6", "1") SEG("b-3.ts?g=1") SEG("b-4.ts?g=1")
         SEG("b-5.ts?g=1") SEG("b-6.ts?g=1") BREAK SEG("b-0.ts?g=2"),
         ADVANCED|RESTARTED, "begins again");

    begin("restart, moved to what began anew");

    step(HEAD("3") SEG("a-3.ts") SEG("a-4.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts"), SAME|ADVANCED, "before");

    edit.restart = 1;
    edit.recent = 9000;

    step(HEAD("7") SEG("b-7.ts") SEG("b-8.ts") BREAK SEG("b-9.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts") BREAK SEG("b-9.ts?g=1"),
         ADVANCED|RESTARTED, "what was left there is not shown");

    begin("restart, moved, with keys");

    step(HEAD("3") SEG("a-3.ts"), HEAD("3") SEG("a-3.ts"), SAME|ADVANCED,
         "before");

    edit.restart = 1;
    edit.recent = 1000;

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n"
         "#EXT-X-KEY:METHOD=AES-128,URI=\"1.key\",IV=0x1\n"
         SEG("b-0.m4s") SEG("b-1.m4s"),
         HEAD("3") SEG("a-3.ts") BREAK "#EXT-X-MAP:URI=\"i.mp4?g=1\"\n"
         "#EXT-X-KEY:METHOD=AES-128,URI=\"1.key?g=1\",IV=0x1\n"
         SEG("b-1.m4s?g=1"), ADVANCED|RESTARTED, "they hold on");

    begin("restart, moved, begins many times");

    step(HEAD("3") SEG("a-3.ts"), HEAD("3") SEG("a-3.ts"), SAME|ADVANCED,
         "before");

    edit.restart = 1;
    edit.recent = 1000;

#define M3U8  "#EXTM3U\n#EXTM3U\n#EXTM3U\n#EXTM3U\n" \
              "#EXTM3U\n#EXTM3U\n#EXTM3U\n#EXTM3U\n"

    step("#EXTM3U\n" M3U8 M3U8 "#EXT-X-TARGETDURATION:2\n"
         SEG("b-0.ts") SEG("b-1.ts"),
         "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:3\n" M3U8 M3U8
         "#EXT-X-TARGETDURATION:2\n"
         SEG("a-3.ts") BREAK SEG("b-1.ts?g=1"), ADVANCED|RESTARTED,
         "one number");
}


/* what is of another server is another run, whatever it looks like */

static void
test_restart_moved(void)
{
    begin("restart, moved");

    step(HEAD("3") SEG("a-3.ts") SEG("a-4.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts"), SAME|ADVANCED, "before");

    edit.restart = 1;

    step(HEAD("4") SEG("a-4.ts") SEG("a-5.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts") BREAK SEG("a-4.ts?g=1")
         SEG("a-5.ts?g=1"), ADVANCED|RESTARTED, "elsewhere");

    edit.restart = 0;

    step(HEAD("5") SEG("a-5.ts") SEG("a-6.ts"),
         HEAD_D("6", "1") SEG("a-5.ts?g=1") SEG("a-6.ts?g=1"), ADVANCED,
         "and on");

    /* servers with the same files, or just with the same names */

    begin("moved, the same files");
    edit.moved = 1;

    step(HEAD("3") SEG("a-3.ts") SEG("a-4.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts"), SAME|ADVANCED, "before");

    step(HEAD("4") SEG("a-4.ts") SEG("a-5.ts"),
         HEAD("4") SEG("a-4.ts") SEG("a-5.ts"), SAME|ADVANCED, "goes on");

    step(HEAD("5") "#EXTINF:1.900,\na-5.ts\n" SEG("a-6.ts"),
         HEAD("4") SEG("a-4.ts") SEG("a-5.ts") BREAK
         "#EXTINF:1.900,\na-5.ts?g=1\n" SEG("a-6.ts?g=1"),
         ADVANCED|RESTARTED, "other durations");

    begin("moved, later names");
    edit.moved = 1;

    step(HEAD("3") SEG("a-3.ts") SEG("a-4.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts"), SAME|ADVANCED, "before");

    step(HEAD("9") SEG("a-9.ts"),
         HEAD("3") SEG("a-3.ts") SEG("a-4.ts") BREAK SEG("a-9.ts?g=1"),
         ADVANCED|RESTARTED, "nothing is in both");
}


static void
test_restart_number(void)
{
    begin("restart, numbers jump");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("100") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts") BREAK
         SEG("a-0.ts?g=1") SEG("a-1.ts?g=1"), ADVANCED|RESTARTED, "forward");

    ok(state.offset == -97, "offset is negative");

    step(HEAD("101") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD_D("4", "1") SEG("a-1.ts?g=1") SEG("a-2.ts?g=1"), ADVANCED,
         "and on");

    begin("restart, numbers overlap");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("1") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts") BREAK
         SEG("a-0.ts?g=1") SEG("a-1.ts?g=1") SEG("a-2.ts?g=1"),
         ADVANCED|RESTARTED, "shifted by one");
}


static void
test_held(void)
{
    begin("held");

    lost = " a-7.ts a-9.ts ";

    step(HEAD("7") SEG("a-7.ts") SEG("a-8.ts") SEG("a-9.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts") SEG("a-9.ts"),
         SAME|ADVANCED, "before");

    step(HEAD("0") SEG("b-0.ts"),
         HEAD("8") SEG("a-8.ts") LOST("a-9.ts") BREAK SEG("b-0.ts?g=1"),
         ADVANCED|RESTARTED, "the first is left out, the last is a gap");

    step(HEAD("0") SEG("b-0.ts"),
         HEAD("8") SEG("a-8.ts") LOST("a-9.ts") BREAK SEG("b-0.ts?g=1"),
         UNCHANGED, "it stays one");

    lost = " a-7.ts a-8.ts a-9.ts ";

    step(HEAD("0") SEG("b-0.ts"), HEAD("10") BREAK SEG("b-0.ts?g=1"), 0,
         "none is held any more");

    step(HEAD("0") SEG("b-0.ts") SEG("b-1.ts"),
         HEAD("10") BREAK SEG("b-0.ts?g=1") SEG("b-1.ts?g=1"), ADVANCED,
         "the discontinuity stays");

    step(HEAD("1") SEG("b-1.ts"), HEAD_D("11", "1") SEG("b-1.ts?g=1"),
         0, "and leaves");

    begin("held, none");

    lost = " a-7.ts a-8.ts ";

    step(HEAD("7") SEG("a-7.ts") SEG("a-8.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts"), SAME|ADVANCED, "before");

    step(HEAD("0") SEG("a-0.ts"), HEAD("9") BREAK SEG("a-0.ts?g=1"),
         ADVANCED|RESTARTED, "nothing to list");

    begin("held, a hole");

    lost = " a-1.ts a-2.ts a-3.ts ";

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts") SEG("a-3.ts")
         SEG("a-4.ts"),
         HEAD("0") SEG("a-0.ts") SEG("a-1.ts") SEG("a-2.ts") SEG("a-3.ts")
         SEG("a-4.ts"), SAME|ADVANCED, "before");

    step(HEAD("0") SEG("b-0.ts"),
         HEAD("4") SEG("a-4.ts") BREAK SEG("b-0.ts?g=1"),
         ADVANCED|RESTARTED, "a hole that is too large ends it");

    lost = "";
}


/* the state is there, the body is not */

static void
test_lost_body(void)
{
    begin("parts alone");

    step(HEAD_D("7", "4") "#EXT-X-PART:DURATION=1,URI=\"7.0.ts\"\n",
         HEAD_D("7", "4") "#EXT-X-PART:DURATION=1,URI=\"7.0.ts\"\n",
         SAME|ADVANCED, "before");

    step("#EXTM3U\n#EXT-X-PART:DURATION=1,URI=\"0.0.ts\"",
         "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n"
         "#EXT-X-DISCONTINUITY-SEQUENCE:4\n" BREAK
         "#EXT-X-PART:DURATION=1,URI=\"0.0.ts?g=1\"",
         ADVANCED|RESTARTED, "again");

    begin("no body");

    step(HEAD("7") BREAK SEG("a-7.ts") SEG("a-8.ts"),
         HEAD("7") BREAK SEG("a-7.ts") SEG("a-8.ts"), SAME|ADVANCED,
         "before");

    ngx_str_null(&edit.served);

    step(HEAD("0") SEG("a-0.ts"), HEAD_D("9", "1") BREAK SEG("a-0.ts?g=1"),
         ADVANCED|RESTARTED, "numbers go on");

    ngx_str_null(&edit.served);

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD_D("9", "1") BREAK SEG("a-0.ts?g=1") SEG("a-1.ts?g=1"),
         ADVANCED, "and on");

    ngx_str_null(&edit.served);

    step(HEAD("20") SEG("a-1.ts") SEG("a-2.ts"),
         HEAD_D("11", "2") BREAK SEG("a-1.ts?g=2") SEG("a-2.ts?g=2"),
         ADVANCED|RESTARTED, "the last name is known");

    begin("no body, names alike");

    step("#EXTM3U\n" SEG("s?n=0") SEG("s?n=1"),
         "#EXTM3U\n" SEG("s?n=0") SEG("s?n=1"), SAME|ADVANCED, "before");

    ngx_str_null(&edit.served);

    step("#EXTM3U\n" SEG("s?n=0") SEG("s?n=1") SEG("s?n=2"),
         "#EXTM3U\n" SEG("s?n=0") SEG("s?n=1") SEG("s?n=2"), SAME|ADVANCED,
         "they tell nothing");

    begin("another body");

    step(HEAD("7") SEG("a-7.ts"), HEAD("7") SEG("a-7.ts"), SAME|ADVANCED,
         "before");

    edit.served = unit_str("#EXTM3U\n" SEG("x.ts") SEG("y.ts"));

    step(HEAD("0") SEG("a-0.ts"), HEAD("8") BREAK SEG("a-0.ts?g=1"),
         ADVANCED|RESTARTED, "what does not belong to the state is nothing");

    edit.served = unit_str("nonsense");

    step(HEAD("0") SEG("a-0.ts") SEG("a-1.ts"),
         HEAD("8") BREAK SEG("a-0.ts?g=1") SEG("a-1.ts?g=1"), ADVANCED,
         "nor is what is no playlist");
}


static void
test_target(void)
{
    begin("target duration");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXTINF:6,\na.ts\n",
         "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXTINF:6,\na.ts\n", SAME|ADVANCED, "six");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXTINF:2,\nb.ts\n",
         "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXTINF:6,\na.ts\n" BREAK "#EXTINF:2,\nb.ts?g=1\n",
         ADVANCED|RESTARTED, "two");
    is_uint(edit.playlist.target, 6000, "it does not shrink");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n"
         "#EXTINF:2,\nc.ts\n",
         "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"
         "#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n"
         "#EXTINF:2,\nc.ts?g=1\n", ADVANCED, "nor later");

    step("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2,\nc.ts\n#EXTM3U",
         "#EXTM3U\n#EXT-X-TARGETDURATION:6\n"
         "#EXT-X-DISCONTINUITY-SEQUENCE:1\n"
         "#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\nc.ts?g=1\n#EXTM3U", 0,
         "it is written once where there is none");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXTINF:8,\nd.ts\n",
         "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"
         "#EXT-X-TARGETDURATION:8\n#EXT-X-MEDIA-SEQUENCE:7\n"
         "#EXTINF:2,\nc.ts?g=1\n" BREAK "#EXTINF:8,\nd.ts?g=2\n",
         ADVANCED|RESTARTED, "it may grow");

    ngx_str_null(&edit.served);

    step("#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
         "#EXTINF:1,\ne.ts\n#EXTINF:1,\nf.ts\n",
         "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:9\n"
         "#EXT-X-DISCONTINUITY-SEQUENCE:2\n"
         "#EXT-X-TARGETDURATION:8\n" BREAK
         "#EXTINF:1,\ne.ts?g=3\n#EXTINF:1,\nf.ts?g=3\n",
         ADVANCED|RESTARTED,
         "what was served is not needed for that");
}


static void
test_map(void)
{
    begin("MAP");

    step("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-MAP:URI=\"init.mp4\"\n"
         SEG("5.m4s") SEG("6.m4s"),
         "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-MAP:URI=\"init.mp4\"\n"
         SEG("5.m4s") SEG("6.m4s"), SAME|ADVANCED, "before");

    step("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"700@0\"\n"
         SEG("0.m4s"),
         "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-MAP:URI=\"init.mp4\"\n"
         SEG("5.m4s") SEG("6.m4s") BREAK
         "#EXT-X-MAP:URI=\"init.mp4?g=1\",BYTERANGE=\"700@0\"\n"
         SEG("0.m4s?g=1"), ADVANCED|RESTARTED, "each run has its own");
    is_uint(edit.playlist.version, 7, "the larger version is told");

    step("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"700@0\"\n"
         SEG("0.m4s") SEG("1.m4s"),
         "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MEDIA-SEQUENCE:6\n#EXT-X-MAP:URI=\"init.mp4\"\n"
         SEG("6.m4s") BREAK
         "#EXT-X-MAP:URI=\"init.mp4?g=1\",BYTERANGE=\"700@0\"\n"
         SEG("0.m4s?g=1") SEG("1.m4s?g=1"), ADVANCED,
         "it is said again when its line has left");

    begin("MAP and none");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"init.mp4\"\n" SEG("5.m4s"),
         "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"init.mp4\"\n" SEG("5.m4s"),
         SAME|ADVANCED, "before");

    step(HEAD("0") SEG("0.ts"), HEAD("6") BREAK SEG("0.ts?g=1"),
         ADVANCED|RESTARTED, "nothing could end a MAP");

    step("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-MAP:URI=\"init.mp4\"\n" SEG("x.m4s"),
         "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:6\n#EXT-X-VERSION:7\n"
         "#EXT-X-TARGETDURATION:2\n"
         BREAK SEG("0.ts?g=1") BREAK
         "#EXT-X-MAP:URI=\"init.mp4?g=2\"\n" SEG("x.m4s?g=2"),
         ADVANCED|RESTARTED, "the other way it is well");
}


static void
test_define(void)
{
    begin("DEFINE");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n" SEG("{$a}/5.ts"),
         "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n" SEG("{$a}/5.ts"),
         SAME|ADVANCED, "before");

    step(HEAD("0") SEG("0.ts"), HEAD("6") BREAK SEG("0.ts?g=1"),
         ADVANCED|RESTARTED, "nobody would know what it was");

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n" SEG("{$a}/x.ts"),
         "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:6\n"
         "#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n"
         BREAK SEG("0.ts?g=1") BREAK SEG("{$a}/x.ts"),
         ADVANCED|RESTARTED, "the other way it is well");
}


static void
test_keys(void)
{
    begin("encrypted to clear");

    step(HEAD("5")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"5.key\",IV=0x05\n" SEG("5.ts")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"6.key\",IV=0x06\n" SEG("6.ts")
         SEG("7.ts"),
         HEAD("5")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"5.key\",IV=0x05\n" SEG("5.ts")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"6.key\",IV=0x06\n" SEG("6.ts")
         SEG("7.ts"), SAME|ADVANCED, "before");

    lost = " 5.ts 6.ts ";

    step(HEAD("0") SEG("0.ts"),
         HEAD("7")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"6.key\",IV=0x06\n" SEG("7.ts")
         BREAK "#EXT-X-KEY:METHOD=NONE\n" SEG("0.ts?g=1"),
         ADVANCED|RESTARTED, "the key is said again, and ended");

    step(HEAD("0") SEG("0.ts") SEG("1.ts"),
         HEAD("7")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"6.key\",IV=0x06\n" SEG("7.ts")
         BREAK "#EXT-X-KEY:METHOD=NONE\n" SEG("0.ts?g=1") SEG("1.ts?g=1"),
         ADVANCED, "and on");

    step(HEAD("0") "#EXT-X-KEY:METHOD=AES-128,URI=\"0.key?a\",IV=0x00\n"
         SEG("0.ts"),
         HEAD("7")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"6.key\",IV=0x06\n" SEG("7.ts")
         BREAK "#EXT-X-KEY:METHOD=NONE\n" SEG("0.ts?g=1") SEG("1.ts?g=1")
         BREAK "#EXT-X-KEY:METHOD=AES-128,URI=\"0.key?a&g=2\",IV=0x00\n"
         SEG("0.ts?g=2"),
         ADVANCED|RESTARTED, "clear to encrypted");

    lost = "";

    begin("several keys");

    step(HEAD("5")
         "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\","
         "KEYFORMAT=\"com.apple\"\n"
         "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:x\","
         "KEYFORMAT=\"urn:w\"\n"
         SEG("5.ts") SEG("6.ts"),
         HEAD("5")
         "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\","
         "KEYFORMAT=\"com.apple\"\n"
         "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:x\","
         "KEYFORMAT=\"urn:w\"\n"
         SEG("5.ts") SEG("6.ts"), SAME|ADVANCED, "before");

    lost = " 5.ts ";

    step(HEAD("0")
         "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://b\","
         "KEYFORMAT=\"com.apple\"\n"
         SEG("0.ts"),
         HEAD("6")
         "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\","
         "KEYFORMAT=\"com.apple\"\n"
         "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:x\","
         "KEYFORMAT=\"urn:w\"\n"
         SEG("6.ts") BREAK "#EXT-X-KEY:METHOD=NONE\n"
         "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://b\","
         "KEYFORMAT=\"com.apple\"\n"
         SEG("0.ts?g=1"), ADVANCED|RESTARTED,
         "both are said again, one would hold on; no key of others changes");

    lost = "";
}


/* the IV of such a key is the origin's sequence number */

static void
test_implicit_iv(void)
{
    begin("IV");

    step(HEAD("5") "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n" SEG("5.ts"),
         HEAD("5") "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n" SEG("5.ts"),
         SAME|ADVANCED, "before");

    step(HEAD("30") "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n"
         SEG("5.ts") SEG("6.ts") "#EXT-X-KEY:METHOD=NONE\n" SEG("7.ts"),
         HEAD("5") "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n" SEG("5.ts")
         BREAK
         "#EXT-X-KEY:METHOD=AES-128,URI=\"k?g=1\","
         "IV=0x0000000000000000000000000000001e\n" SEG("5.ts?g=1")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"k?g=1\","
         "IV=0x0000000000000000000000000000001f\n" SEG("6.ts?g=1")
         "#EXT-X-KEY:METHOD=NONE\n" SEG("7.ts?g=1"),
         ADVANCED|RESTARTED, "it is said for each segment");

    step(HEAD("31") "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n"
         SEG("6.ts") "#EXT-X-KEY:METHOD=NONE\n" SEG("7.ts") SEG("8.ts"),
         HEAD_D("7", "1")
         "#EXT-X-KEY:METHOD=AES-128,URI=\"k?g=1\","
         "IV=0x0000000000000000000000000000001f\n" SEG("6.ts?g=1")
         "#EXT-X-KEY:METHOD=NONE\n" SEG("7.ts?g=1") SEG("8.ts?g=1"),
         ADVANCED, "and stays");
}


static void
test_byterange(void)
{
    begin("BYTERANGE");

    step(HEAD("5")
         "#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\na.mp4\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:50\na.mp4\n",
         HEAD("5")
         "#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\na.mp4\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:50\na.mp4\n", SAME|ADVANCED,
         "one file is many segments");

    step(HEAD("6")
         "#EXTINF:2,\n#EXT-X-BYTERANGE:50@100\na.mp4\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:60\na.mp4\n",
         HEAD("6")
         "#EXTINF:2,\n#EXT-X-BYTERANGE:50@100\na.mp4\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:60\na.mp4\n", SAME|ADVANCED,
         "and goes on");

    step(HEAD("0") "#EXTINF:2,\n#EXT-X-BYTERANGE:70@0\na.mp4\n",
         HEAD("6")
         "#EXTINF:2,\n#EXT-X-BYTERANGE:50@100\na.mp4\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:60\na.mp4\n"
         BREAK "#EXTINF:2,\n#EXT-X-BYTERANGE:70@0\na.mp4?g=1\n",
         ADVANCED|RESTARTED, "restart");

    step(HEAD("0") "#EXTINF:2,\n#EXT-X-BYTERANGE:70@0\na.mp4\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:80\na.mp4\n",
         HEAD("7")
         "#EXTINF:2,\n#EXT-X-BYTERANGE:60@150\na.mp4\n"
         BREAK "#EXTINF:2,\n#EXT-X-BYTERANGE:70@0\na.mp4?g=1\n"
         "#EXTINF:2,\n#EXT-X-BYTERANGE:80\na.mp4?g=1\n",
         ADVANCED, "the first one says where it begins");

    begin("BYTERANGE, another number");

    step(HEAD("5") "#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\na.mp4\n",
         HEAD("5") "#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\na.mp4\n",
         SAME|ADVANCED, "before");

    step(HEAD("5") "#EXTINF:2,\n#EXT-X-BYTERANGE:100@1\na.mp4\n",
         HEAD("5") "#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\na.mp4\n"
         BREAK "#EXTINF:2,\n#EXT-X-BYTERANGE:100@1\na.mp4?g=1\n",
         ADVANCED|RESTARTED, "another range is another segment");
}


/* an origin that has discontinuities and does not count them, or does */

static void
test_discontinuities(void)
{
    begin("discontinuities that are not counted");

    step(HEAD("0") SEG("a.ts") BREAK SEG("b.ts") SEG("c.ts"),
         HEAD("0") SEG("a.ts") BREAK SEG("b.ts") SEG("c.ts"),
         SAME|ADVANCED, "one");

    step(HEAD("1") BREAK SEG("b.ts") SEG("c.ts") BREAK SEG("d.ts"),
         HEAD("1") BREAK SEG("b.ts") SEG("c.ts") BREAK SEG("d.ts"),
         SAME|ADVANCED, "nothing is dropped");

    step(HEAD("2") SEG("c.ts") BREAK SEG("d.ts") SEG("e.ts"),
         HEAD_D("2", "1") SEG("c.ts") BREAK SEG("d.ts") SEG("e.ts"),
         ADVANCED, "the first has left");

    step(HEAD("4") SEG("e.ts") SEG("f.ts"),
         HEAD_D("4", "2") SEG("e.ts") SEG("f.ts"), ADVANCED,
         "the second has left");

    step(HEAD("10") SEG("k.ts"), HEAD_D("10", "2") SEG("k.ts"), ADVANCED,
         "it never goes back");

    begin("discontinuities that are counted");

    step(HEAD_D("0", "7") SEG("a.ts") BREAK SEG("b.ts"),
         HEAD_D("0", "7") SEG("a.ts") BREAK SEG("b.ts"), SAME|ADVANCED,
         "one");

    step(HEAD_D("1", "7") BREAK SEG("b.ts") SEG("c.ts"),
         HEAD_D("1", "7") BREAK SEG("b.ts") SEG("c.ts"), SAME|ADVANCED,
         "it is the first");

    step(HEAD_D("2", "8") SEG("c.ts") SEG("d.ts"),
         HEAD_D("2", "8") SEG("c.ts") SEG("d.ts"), SAME|ADVANCED,
         "it has left");

    step(HEAD_D("9", "12") SEG("j.ts"), HEAD_D("9", "12") SEG("j.ts"),
         SAME|ADVANCED, "others came and went unseen");

    step(HEAD_D("0", "0") SEG("x.ts"),
         HEAD_D("9", "12") SEG("j.ts") BREAK SEG("x.ts?g=1"),
         ADVANCED|RESTARTED, "restart");

    step(HEAD_D("1", "0") SEG("y.ts"), HEAD_D("11", "13") SEG("y.ts?g=1"),
         ADVANCED, "they go on");

    step(HEAD_D("5", "2") SEG("z.ts"), HEAD_D("15", "15") SEG("z.ts?g=1"),
         ADVANCED, "the origin's are added");

    begin("a discontinuity that is counted too early");

    step(HEAD_D("0", "0") SEG("a.ts") BREAK SEG("b.ts"),
         HEAD_D("0", "0") SEG("a.ts") BREAK SEG("b.ts"), SAME|ADVANCED,
         "one");

    step(HEAD_D("1", "1") BREAK SEG("b.ts") SEG("c.ts"),
         HEAD_D("1", "0") BREAK SEG("b.ts") SEG("c.ts"), ADVANCED,
         "a segment keeps its number");
}


/* names that come around again */

static void
test_wrap(void)
{
    begin("a ring of names");

    step(HEAD("0") SEG("0.ts") SEG("1.ts") SEG("2.ts"),
         HEAD("0") SEG("0.ts") SEG("1.ts") SEG("2.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("1") SEG("1.ts") SEG("2.ts") SEG("0.ts"),
         HEAD("1") SEG("1.ts") SEG("2.ts") SEG("0.ts?g=1"), ADVANCED,
         "the first again");

    step(HEAD("2") SEG("2.ts") SEG("0.ts") SEG("1.ts"),
         HEAD("2") SEG("2.ts") SEG("0.ts?g=1") SEG("1.ts?g=1"), ADVANCED,
         "the second again");

    step(HEAD("3") SEG("0.ts") SEG("1.ts") SEG("2.ts"),
         HEAD("3") SEG("0.ts?g=1") SEG("1.ts?g=1") SEG("2.ts?g=1"),
         ADVANCED, "the third again");

    step(HEAD("4") SEG("1.ts") SEG("2.ts") SEG("0.ts"),
         HEAD("4") SEG("1.ts?g=1") SEG("2.ts?g=1") SEG("0.ts?g=2"),
         ADVANCED, "around for the second time");

    /* the same slate several times in one list is one thing */

    begin("a slate");

    step(HEAD("0") SEG("a.ts") SEG("slate.ts") SEG("slate.ts"),
         HEAD("0") SEG("a.ts") SEG("slate.ts") SEG("slate.ts"),
         SAME|ADVANCED, "twice");

    step(HEAD("1") SEG("slate.ts") SEG("slate.ts") SEG("slate.ts"),
         HEAD("1") SEG("slate.ts") SEG("slate.ts") SEG("slate.ts"),
         SAME|ADVANCED, "three times");
}


static void
test_older(void)
{
    begin("an older copy");

    step(HEAD("10") SEG("10.ts") SEG("11.ts") SEG("12.ts"),
         HEAD("10") SEG("10.ts") SEG("11.ts") SEG("12.ts"), SAME|ADVANCED,
         "before");

    step(HEAD("9") SEG("9.ts") SEG("10.ts") SEG("11.ts"),
         HEAD("10") SEG("10.ts") SEG("11.ts") SEG("12.ts"), UNCHANGED,
         "one of several caches is late");

    step(HEAD("11") SEG("11.ts") SEG("12.ts") SEG("13.ts"),
         HEAD("11") SEG("11.ts") SEG("12.ts") SEG("13.ts"), SAME|ADVANCED,
         "it goes on");

    step(HEAD("10") SEG("10.ts") "#EXTINF:1,\n11.ts\n" SEG("12.ts"),
         HEAD("11") SEG("11.ts") SEG("12.ts") SEG("13.ts") BREAK
         SEG("10.ts?g=1") "#EXTINF:1,\n11.ts?g=1\n" SEG("12.ts?g=1"),
         ADVANCED|RESTARTED, "the same names are something else");
}


static void
test_nothing(void)
{
    begin("nothing");

    step(HEAD("0"), HEAD("0"), SAME|ADVANCED, "nothing yet");
    step(HEAD("0"), HEAD("0"), SAME|UNCHANGED, "nothing still");
    step(HEAD("0") SEG("0.ts"), HEAD("0") SEG("0.ts"), SAME|ADVANCED,
         "the first");
    step(HEAD("0"), HEAD("0") SEG("0.ts"), UNCHANGED, "nothing again");
    step("#EXTM3U\n", HEAD("0") SEG("0.ts"), UNCHANGED, "not even a head");

    edit.endlist = 1;
    step(HEAD("0"), HEAD("0") SEG("0.ts") END, 0, "it ends");
    edit.endlist = 0;

    step(HEAD("1") SEG("1.ts"), HEAD("1") SEG("1.ts"), SAME|ADVANCED,
         "the next");
}


static void
test_event(void)
{
    begin("EVENT");

    step("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("0.ts") SEG("1.ts") SEG("2.ts"),
         "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("0.ts") SEG("1.ts") SEG("2.ts"), SAME|ADVANCED, "before");

    step("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("x0.ts"),
         "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("0.ts") SEG("1.ts") SEG("2.ts") BREAK SEG("x0.ts?g=1"),
         ADVANCED|RESTARTED, "nothing leaves");

    step("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("x0.ts") SEG("x1.ts") SEG("x2.ts") SEG("x3.ts"),
         "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("0.ts") SEG("1.ts") SEG("2.ts") BREAK SEG("x0.ts?g=1")
         SEG("x1.ts?g=1") SEG("x2.ts?g=1") SEG("x3.ts?g=1"),
         ADVANCED, "it only grows");

    lost = " 0.ts ";

    step("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("x0.ts") SEG("x1.ts") SEG("x2.ts") SEG("x3.ts"),
         "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-TARGETDURATION:2\n"
         SEG("1.ts") SEG("2.ts") BREAK SEG("x0.ts?g=1")
         SEG("x1.ts?g=1") SEG("x2.ts?g=1") SEG("x3.ts?g=1"),
         0, "it is no EVENT once something has left");

    lost = "";

    step("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:2\n"
         SEG("x0.ts") SEG("x1.ts") SEG("x2.ts") SEG("x3.ts"),
         "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-TARGETDURATION:2\n"
         SEG("1.ts") SEG("2.ts") BREAK SEG("x0.ts?g=1")
         SEG("x1.ts?g=1") SEG("x2.ts?g=1") SEG("x3.ts?g=1"),
         UNCHANGED, "nor later");
}


static void
test_ended(void)
{
    begin("ended");

    step(HEAD("5") SEG("5.ts") END, HEAD("5") SEG("5.ts") END,
         SAME|ADVANCED, "the end");

    step(HEAD("0") SEG("0.ts"),
         HEAD("5") SEG("5.ts") BREAK SEG("0.ts?g=1"), ADVANCED|RESTARTED,
         "and a new beginning");

    begin("replaced");

    step(HEAD("0") SEG("a0.ts") SEG("a1.ts") END,
         HEAD("0") SEG("a0.ts") SEG("a1.ts") END, SAME|ADVANCED, "a film");

    step(HEAD("0") SEG("b0.ts") END, HEAD("0") SEG("b0.ts?g=1") END,
         ADVANCED|RESTARTED, "another film is not its sequel");
}


static void
test_endlist(void)
{
    begin("ENDLIST");

    step(HEAD("5") SEG("5.ts"), HEAD("5") SEG("5.ts"), SAME|ADVANCED, "on");

    edit.endlist = 1;

    step(HEAD("5") SEG("5.ts"), HEAD("5") SEG("5.ts") END, 0, "it ends");
    ok(edit.playlist.endlist, "told");

    step(HEAD("5") SEG("5.ts"), HEAD("5") SEG("5.ts") END, UNCHANGED,
         "once");

    step(HEAD("5") SEG("5.ts") END, HEAD("5") SEG("5.ts") END,
         SAME|ADVANCED|UNCHANGED, "the origin says so, too");

    edit.endlist = 0;

    begin("ENDLIST, no newline");

    edit.endlist = 1;

    step("#EXTM3U\n#EXTINF:2,\na.ts", "#EXTM3U\n#EXTINF:2,\na.ts\n" END,
         ADVANCED, "one is put in");

    edit.endlist = 0;

    step("#EXTM3U\n#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n",
         "#EXTM3U\n#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n", SAME|ADVANCED,
         "it goes on");
}


static void
test_ll_hls(void)
{
    begin("LL-HLS");

    step("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"5.0.m4s\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"5.1.m4s\"\n"
         SEG("5.m4s")
         "#EXT-X-PART:DURATION=1,URI=\"6.0.m4s\"\n"
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"6.1.m4s\"\n"
         "#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=6,LAST-PART=0\n",
         "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"5.0.m4s\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"5.1.m4s\"\n"
         SEG("5.m4s")
         "#EXT-X-PART:DURATION=1,URI=\"6.0.m4s\"\n"
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"6.1.m4s\"\n"
         "#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=6,LAST-PART=0\n",
         SAME|ADVANCED, "before");

    step("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n" SEG("5.m4s")
         "#EXT-X-PART:DURATION=1,URI=\"6.0.m4s\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"6.1.m4s\"\n"
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"6.2.m4s\"\n",
         "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n" SEG("5.m4s")
         "#EXT-X-PART:DURATION=1,URI=\"6.0.m4s\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"6.1.m4s\"\n"
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"6.2.m4s\"\n",
         SAME|ADVANCED, "a part is news");

    step("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"0.0.m4s\"\n"
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"0.1.m4s\"\n"
         "#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=0,LAST-PART=0\n",
         "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n" SEG("5.m4s") BREAK
         "#EXT-X-MAP:URI=\"i.mp4?g=1\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"0.0.m4s?g=1\"\n"
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"0.1.m4s?g=1\"\n",
         ADVANCED|RESTARTED, "a part is the first of the new run");

    step("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"0.0.m4s\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"0.1.m4s\"\n"
         SEG("0.m4s")
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"1.0.m4s\"\n"
         "#EXT-X-RENDITION-REPORT:URI=\"b.m3u8\",LAST-MSN=0,LAST-PART=1\n",
         "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:6\n"
         BREAK
         "#EXT-X-MAP:URI=\"i.mp4?g=1\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"0.0.m4s?g=1\"\n"
         "#EXT-X-PART:DURATION=1,URI=\"0.1.m4s?g=1\"\n"
         SEG("0.m4s?g=1")
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"1.0.m4s?g=1\"\n",
         ADVANCED, "and then a segment");

    edit.endlist = 1;

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXT-X-MAP:URI=\"i.mp4\"\n"
         SEG("0.m4s")
         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"1.0.m4s\"\n",
         "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:6\n"
         BREAK "#EXT-X-MAP:URI=\"i.mp4?g=1\"\n" SEG("0.m4s?g=1") END, 0,
         "nothing is to come");

    edit.endlist = 0;
}


static void
test_delta(void)
{
    begin("delta");

    is_uint(step(HEAD("6") "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n" SEG("7.ts"),
                 NULL, 0, "nothing before"),
            (ngx_uint_t) NGX_AGAIN, "refused");
    is_uint(state.flags, 0, "no state");

    step(HEAD("5") SEG("5.ts") SEG("6.ts") SEG("7.ts"),
         HEAD("5") SEG("5.ts") SEG("6.ts") SEG("7.ts"), SAME|ADVANCED,
         "whole");

    is_uint(step(HEAD("6") "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n"
                 SEG("7.ts") SEG("8.ts"), NULL, 0, "it goes on"),
            (ngx_uint_t) NGX_AGAIN, "refused");
    is_uint(state.next, 8, "the state stays");

    step(HEAD("6") SEG("6.ts") SEG("7.ts") SEG("8.ts"),
         HEAD("6") SEG("6.ts") SEG("7.ts") SEG("8.ts"), SAME|ADVANCED,
         "whole again");
}


static void
test_urls(void)
{
    begin("URLs");

    edit.own = own;

    step("#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-KEY:METHOD=AES-128,URI=\"https://origin/k.key?a=1\",IV=1\n"
         "#EXT-X-MAP:URI=\"http://elsewhere/i.mp4\"\n"
         "#EXTINF:2,\nhttp://origin:80/live/0.ts?x=1#f\n"
         "#EXTINF:2,\nhttp://origin:8080//evil.example/0.ts\n"
         "#EXTINF:2,\n//origin:8080?y\n"
         "#EXTINF:2,\nhttp://Origin:8080\n"
         "#EXTINF:2,\nhttp://elsewhere/0.ts\n"
         "#EXTINF:2,\nhttp://origin:81/0.ts\n"
         "#EXTINF:2,\nhttp://user@origin:8080/0.ts\n"
         "#EXTINF:2,\nftp://origin:8080/0.ts\n"
         "#EXTINF:2,\n{$x}.ts\n"
         "#EXTINF:2,\n/live/1.ts\n",
         "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
         "#EXT-X-KEY:METHOD=AES-128,URI=\"/k.key?a=1\",IV=1\n"
         "#EXT-X-MAP:URI=\"http://elsewhere/i.mp4\"\n"
         "#EXTINF:2,\n/live/0.ts?x=1#f\n"
         "#EXTINF:2,\n/evil.example/0.ts\n"
         "#EXTINF:2,\n/?y\n"
         "#EXTINF:2,\n/\n"
         "#EXTINF:2,\nhttp://elsewhere/0.ts\n"
         "#EXTINF:2,\nhttp://origin:81/0.ts\n"
         "#EXTINF:2,\nhttp://user@origin:8080/0.ts\n"
         "#EXTINF:2,\nftp://origin:8080/0.ts\n"
         "#EXTINF:2,\n{$x}.ts\n"
         "#EXTINF:2,\n/live/1.ts\n",
         ADVANCED, "only those of servers of ours become paths");

    begin("URLs of servers that take turns");

    edit.own = own;

    step(HEAD("0") SEG("http://origin/a/0.ts") SEG("http://origin/a/1.ts"),
         HEAD("0") SEG("/a/0.ts") SEG("/a/1.ts"), ADVANCED, "one");

    step(HEAD("1") SEG("https://origin/a/1.ts") SEG("https://origin/a/2.ts"),
         HEAD("1") SEG("/a/1.ts") SEG("/a/2.ts"), ADVANCED, "another");

    begin("generations in URLs");

    step(HEAD("5") SEG("5.ts"), HEAD("5") SEG("5.ts"), SAME|ADVANCED,
         "before");

    step("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
         "#EXTINF:2,\n0.ts?a=1\n"
         "#EXTINF:2,\n0.ts?\n"
         "#EXTINF:2,\n0.ts?a&\n"
         "#EXTINF:2,\n0.ts?a#f?\n"
         "#EXTINF:2,\n0.ts#f\n"
         "#EXTINF:2,\n0.ts?g=7\n"
         "#EXTINF:2,\n/a?b/0.ts\n"
         "#EXTINF:2,\nhttp://elsewhere/0.ts\n"
         "#EXTINF:2,\n{$x}.ts\n",
         "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-VERSION:3\n"
         "#EXT-X-TARGETDURATION:2\n" SEG("5.ts") BREAK
         "#EXTINF:2,\n0.ts?a=1&g=1\n"
         "#EXTINF:2,\n0.ts?g=1\n"
         "#EXTINF:2,\n0.ts?a&g=1\n"
         "#EXTINF:2,\n0.ts?a&g=1#f?\n"
         "#EXTINF:2,\n0.ts?g=1#f\n"
         "#EXTINF:2,\n0.ts?g=7&g=1\n"
         "#EXTINF:2,\n/a?b/0.ts&g=1\n"
         "#EXTINF:2,\nhttp://elsewhere/0.ts\n"
         "#EXTINF:2,\n{$x}.ts\n", ADVANCED|RESTARTED,
         "at the end of the arguments");
}


/* hls_ctx of SRS and session of OME */

static void
test_session(void)
{
    begin("session arguments removed");

    edit.session = NGX_HLS_SESSION_REMOVE;

    step(HEAD("7") SEG("a-7.ts?hls_ctx=47z6532j")
         SEG("a-8.ts?x=1&hls_ctx=47z6532j&y"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts?x=1&y"), ADVANCED, "before");

    step(HEAD("8") SEG("a-8.ts?x=1&hls_ctx=other&y")
         SEG("a-9.ts?hls_ctx=other#f"),
         HEAD("8") SEG("a-8.ts?x=1&y") SEG("a-9.ts#f"), ADVANCED,
         "another session is no restart");

    step(HEAD("0") SEG("a-0.ts?hls_ctx=third"),
         HEAD("8") SEG("a-8.ts?x=1&y") SEG("a-9.ts#f") BREAK
         SEG("a-0.ts?g=1"), ADVANCED|RESTARTED, "a restart is");

    step(HEAD("1") SEG("a-1.ts?hls_ctx=third"),
         HEAD_D("11", "1") SEG("a-1.ts?g=1"), ADVANCED, "and on");

    begin("session arguments and nothing else");

    edit.session = NGX_HLS_SESSION_REMOVE;

    step("#EXTM3U\n" SEG("?session=1") SEG("?session=1#f") SEG("?a&session"),
         "#EXTM3U\n" SEG("?session=1") SEG("?session=1#f") SEG("?a"),
         ADVANCED, "a line is not emptied");

    begin("session arguments replaced");

    edit.session = NGX_HLS_SESSION_REPLACE;
    edit.session_value = unit_str("1");

    step("#EXTM3U\n#EXT-X-MAP:URI=\"i.m4s?session=9_x\"\n"
         SEG("a.m4s?session=9_x&session=8&a=b") SEG("b.m4s?sessions=1"),
         "#EXTM3U\n#EXT-X-MAP:URI=\"i.m4s?session=1\"\n"
         SEG("a.m4s?session=1&session=1&a=b") SEG("b.m4s?sessions=1"),
         ADVANCED, "by one value");

    begin("session arguments kept");

    step(HEAD("7") SEG("a-7.ts?hls_ctx=47z6532j"),
         HEAD("7") SEG("a-7.ts?hls_ctx=47z6532j"), SAME|ADVANCED, "as is");
}


static void
test_master(void)
{
    char  *master;

    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1\n"
             "/live/livestream.m3u8?hls_ctx=47z6532j\n";

    begin("master");

    edit.session = NGX_HLS_SESSION_REMOVE;
    edit.endlist = 1;

    step(master, master, SAME|ADVANCED, "as it is");
    ok(edit.playlist.master, "told");
    step(master, master, SAME|UNCHANGED, "again");

    edit.endlist = 0;
    edit.master_session = NGX_HLS_SESSION_REPLACE;
    edit.session_value = unit_str("a");

    step(master,
         "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1\n"
         "/live/livestream.m3u8?hls_ctx=a\n", 0, "with one value for all");

    edit.master_session = NGX_HLS_SESSION_REMOVE;
    edit.own = own;

    step("#EXTM3U\r\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"http://origin/a.m3u8"
         "?session=1\",NAME=\"x\"\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\n"
         "http://elsewhere/b.m3u8?session=1\r\n"
         "#EXT-X-STREAM-INF:BANDWIDTH=1\r\nb.m3u8?session=1",
         "#EXTM3U\r\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"/a.m3u8"
         "\",NAME=\"x\"\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\n"
         "http://elsewhere/b.m3u8?session=1\r\n"
         "#EXT-X-STREAM-INF:BANDWIDTH=1\r\nb.m3u8", ADVANCED,
         "without, and other hosts as they are");

    /* a master that names itself is a master */

    step("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmaster.m3u8\n",
         "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmaster.m3u8\n",
         SAME|ADVANCED, "itself");

    step(HEAD("0") SEG("0.ts"), HEAD("0") SEG("0.ts"), SAME|ADVANCED,
         "then a media playlist");
}


static void
test_crlf(void)
{
    begin("CRLF");

    step("\xef\xbb\xbf#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n"
         "#EXT-X-MEDIA-SEQUENCE:3\r\n#EXTINF:2,\r\na\r\n",
         "\xef\xbb\xbf#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n"
         "#EXT-X-MEDIA-SEQUENCE:3\r\n#EXTINF:2,\r\na\r\n", SAME|ADVANCED,
         "before");

    edit.endlist = 1;

    step("\xef\xbb\xbf#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n"
         "#EXTINF:2,\r\nb\r\n#EXTINF:2,\r\nc",
         "\xef\xbb\xbf#EXTM3U\r\n#EXT-X-MEDIA-SEQUENCE:3\r\n"
         "#EXT-X-TARGETDURATION:2\r\n"
         "#EXTINF:2,\r\na\r\n#EXT-X-DISCONTINUITY\r\n"
         "#EXTINF:2,\r\nb?g=1\r\n#EXTINF:2,\r\nc?g=1\r\n#EXT-X-ENDLIST\r\n",
         ADVANCED|RESTARTED, "lines of ours end as theirs");

    edit.endlist = 0;

    begin("tags in any order");

    step("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-MEDIA-SEQUENCE:3\n"
         "#EXTINF:2,\na\n#EXT-X-TARGETDURATION:2",
         "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-MEDIA-SEQUENCE:3\n"
         "#EXTINF:2,\na\n#EXT-X-TARGETDURATION:2", SAME|ADVANCED, "before");

    step("#EXTM3U\n#c\n#EXT-X-MAP:URI=\"i\"\n#d\n#EXT-X-MEDIA-SEQUENCE:1\n"
         "#EXTINF:2,\nb\n#EXT-X-TARGETDURATION:2\n",
         "#EXTM3U\n#c\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-MAP:URI=\"i\"\n"
         "#EXTINF:2,\na\n#EXT-X-DISCONTINUITY\n"
         "#EXT-X-MAP:URI=\"i?g=1\"\n#d\n"
         "#EXTINF:2,\nb?g=1\n#EXT-X-TARGETDURATION:2\n",
         ADVANCED|RESTARTED, "what is of the whole is first");

    step("#EXTM3U\n#c\n#EXT-X-MAP:URI=\"i\"\n#d\n#EXT-X-MEDIA-SEQUENCE:0\n"
         "#EXTINF:2,\nz\n#EXT-X-TARGETDURATION:2\n",
         "#EXTM3U\n#c\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-MAP:URI=\"i\"\n"
         "#EXTINF:2,\na\n#EXT-X-DISCONTINUITY\n"
         "#EXT-X-MAP:URI=\"i?g=1\"\n#d\n"
         "#EXTINF:2,\nb?g=1\n#EXT-X-DISCONTINUITY\n"
         "#EXT-X-MAP:URI=\"i?g=2\"\n#d\n"
         "#EXTINF:2,\nz?g=2\n#EXT-X-TARGETDURATION:2\n",
         ADVANCED|RESTARTED, "and once");
}


static void
test_hostile(void)
{
    ngx_uint_t  i;

    begin("hostile");

    step(HEAD("5") SEG("5.ts"), HEAD("5") SEG("5.ts"), SAME|ADVANCED,
         "before");

    is_uint(step("<html>", NULL, 0, "no playlist"),
            (ngx_uint_t) NGX_DECLINED, "refused");
    is_uint(step("", NULL, 0, "no bytes"), (ngx_uint_t) NGX_DECLINED,
            "refused");
    is_uint(step(HEAD("-1") SEG("0.ts"), NULL, 0, "a negative number"),
            (ngx_uint_t) NGX_DECLINED, "refused");

    is_uint(state.next, 6, "the state stays");

    step(HEAD("1152921504606846976") SEG("x.ts"),
         HEAD("1152921504606846976") SEG("x.ts"), SAME|ADVANCED,
         "as far as one can go");

    step(HEAD("0") SEG("y.ts"), HEAD("0") SEG("y.ts?g=1"),
         ADVANCED|RESTARTED, "and then anew");

    step(HEAD("1152921504606846970") SEG("x.ts"),
         HEAD("1152921504606846970") SEG("x.ts?g=1"), ADVANCED, "far again");

    step(HEAD("0") SEG("z.ts"),
         HEAD("1152921504606846970") SEG("x.ts?g=1") BREAK
         SEG("z.ts?g=2"), ADVANCED|RESTARTED, "restart");

    step(HEAD("1152921504606846970") SEG("v.ts"),
         HEAD("1152921504606846970") SEG("v.ts?g=3"), ADVANCED|RESTARTED,
         "the sum is too much");

    /* discontinuity numbers do not overflow either */

    begin("hostile discontinuities");

    for (i = 0; i < 20; i++) {
        step("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n"
             "#EXT-X-DISCONTINUITY-SEQUENCE:1152921504606846976\n"
             BREAK SEG("a"), NULL, 0, "most");
        step("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n"
             "#EXT-X-DISCONTINUITY-SEQUENCE:0\n" SEG("b"), NULL, 0, "least");
    }

    ok(state.dlast <= 2 * NGX_HLS_MAX_SEQUENCE, "bounded");

    /* states that nobody has written */

    begin("any state");

    for (i = 0; i < 5000; i++) {
        u_char      *p;
        ngx_uint_t   k;

        p = (u_char *) &state;

        for (k = 0; k < sizeof(state); k++) {
            p[k] = (ngx_random() & 3) ? 0 : (u_char) ngx_random();
        }

        state.flags |= NGX_HLS_STATE_SET;
        edit.served = unit_str(HEAD("5") SEG("5.ts") BREAK SEG("6.ts"));

        if (edit_body((u_char *) HEAD("0") SEG("0.ts"),
                      strlen(HEAD("0") SEG("0.ts")))
            != NGX_OK)
        {
            break;
        }
    }

    is_uint(i, 5000, "whatever the state is");
}


static void
test_off(void)
{
    begin("off");

    edit.continuity = 0;

    step(HEAD("7") SEG("a-7.ts"), HEAD("7") SEG("a-7.ts"), SAME|ADVANCED,
         "before");
    step(HEAD("7") SEG("a-7.ts"), HEAD("7") SEG("a-7.ts"), SAME|UNCHANGED,
         "no news");
    step(HEAD("0") SEG("a-0.ts"), HEAD("0") SEG("a-0.ts"), SAME|ADVANCED,
         "the origin's, whatever it is");
}


static void
test_msn(void)
{
    uint64_t  n;

    begin("msn");

    step(HEAD("7") SEG("a-7.ts") SEG("a-8.ts"),
         HEAD("7") SEG("a-7.ts") SEG("a-8.ts"), SAME|ADVANCED, "before");

    ok(ngx_hls_edit_msn(&state, 9, &n) == NGX_OK && n == 9, "the next one");
    ok(ngx_hls_edit_msn(&state, 10, &n) == NGX_OK && n == 10,
       "the one behind it");
    ok(ngx_hls_edit_msn(&state, 11, &n) == NGX_DECLINED, "too far");

    step(HEAD("0") SEG("a-0.ts"), NULL, 0, "restart");

    ok(ngx_hls_edit_msn(&state, 10, &n) == NGX_OK && n == 1, "the next one");
    ok(ngx_hls_edit_msn(&state, 9, &n) == NGX_OK && n == 0, "the first one");
    ok(ngx_hls_edit_msn(&state, 8, &n) == NGX_DECLINED, "of the old run");
    ok(ngx_hls_edit_msn(&state, (uint64_t) -1, &n) == NGX_DECLINED,
       "anything");
}


/* two lists of hostile size that share nothing, and every name in both */

static void
test_large(void)
{
    u_char      *p, *a, *b;
    size_t       len_a, len_b;
    ngx_uint_t   i, n;

    begin("large");

    n = 100000;
    a = malloc(n * 64);
    b = malloc(n * 64);

    p = ngx_sprintf(a, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n");

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "#EXTINF:2,\nsegment-%ui.ts\n", i);
    }

    len_a = p - a;

    p = ngx_sprintf(b, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1000000\n");

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "#EXTINF:2,\nother-%ui.ts\n", i);
    }

    len_b = p - b;

    ok(edit_body(a, len_a) == NGX_OK && edit.body.data == a,
       "many segments");

    edit.served = edit.body;

    ok(edit_body(b, len_b) == NGX_OK && edit.body.data == b
       && !edit.restarted, "as many others");

    edit.served = edit.body;

    ok(edit_body(a, len_a) == NGX_OK && edit.restarted, "and back");
    is_uint(edit.playlist.segments, n + 1000, "no more than that are kept");

    free(a);
    free(b);
}


static void
begin(const char *name)
{
    ngx_str_t    *arg;

    test_name = name;

    if (pool) {
        ngx_destroy_pool(pool);
    }

    pool = ngx_create_pool(4096, &unit_log);

    ngx_memzero(&edit, sizeof(edit));
    ngx_memzero(&state, sizeof(state));

    edit.pool = pool;
    edit.continuity = 1;
    edit.held = held;
    edit.session_args = ngx_array_create(pool, 2, sizeof(ngx_str_t));

    arg = ngx_array_push(edit.session_args);
    ngx_str_set(arg, "hls_ctx");
    arg = ngx_array_push(edit.session_args);
    ngx_str_set(arg, "session");

    lost = "";
}


/* one answer of the origin, and what it should be for viewers */

static ngx_int_t
step(char *origin, char *expected, ngx_uint_t flags, char *what)
{
    u_char           *p;
    size_t            len;
    ngx_int_t         rc;
    ngx_str_t         body;
    ngx_uint_t        good;
    ngx_hls_state_t   before;

    len = strlen(origin);

    /* the pool's memory is malloc()ed, so that overruns are seen */

    p = ngx_palloc(pool, len + !len);
    memcpy(p, origin, len);

    before = state;

    rc = edit_body(p, len);

    if (rc != NGX_OK) {
        ok(memcmp(&before, &state, sizeof(state)) == 0,
           "%s, %s: the state is as it was", test_name, what);
        return rc;
    }

    body = edit.body;

    if (expected) {
        is_str(&body, expected, "%s, %s", test_name, what);

        good = edit.advanced == ((flags & ADVANCED) != 0)
               && edit.restarted == ((flags & RESTARTED) != 0)
               && (body.data == p) == ((flags & SAME) != 0)
               && edit.changed == !(flags & UNCHANGED);

        if (!ok(good, "%s, %s: as it should be", test_name, what)) {
            diag("advanced %d restarted %d changed %d same %d",
                 edit.advanced, edit.restarted, edit.changed,
                 body.data == p);
        }
    }

    edit.served = body;

    return rc;
}


static ngx_int_t
edit_body(u_char *data, size_t len)
{
    edit.origin.data = data;
    edit.origin.len = len;

    return ngx_hls_edit(&edit, &state);
}


static ngx_uint_t
held(void *data, ngx_str_t *uri)
{
    char  name[256];

    if (uri->len > sizeof(name) - 3) {
        return 1;
    }

    sprintf(name, " %.*s ", (int) uri->len, (char *) uri->data);

    return strstr(lost, name) == NULL;
}


static ngx_uint_t
own(void *data, ngx_str_t *host, in_port_t port)
{
    return host->len == 6 && memcmp(host->data, "origin", 6) == 0
           && port != 81;
}
