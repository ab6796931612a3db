
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_slot.c */


/* What workers of an nginx-rtmp have: as they write it and as one reads it */


#include "unit.h"

#include "ngx_rtmp_route_rtmp_streams.c"

#include <signal.h>
#include <sys/wait.h>


#define SLOTS     64
#define MOST      10000
#define ROUNDS    40


static void test_list(void);
static void test_ports(void);
static void test_where(void);
static void test_room(void);
static void test_kill(void);
static ngx_pid_t start_other(ngx_uint_t cycle, const char *link,
    ngx_uint_t publishers);
static ngx_uint_t is_bad(u_char *link);
static ngx_int_t where(ngx_uint_t published);
static void is_where(ngx_uint_t published, const char *expected,
    const char *what);
static void write_list(ngx_uint_t n, ngx_uint_t tag);
static void write_for_ever(void);
static ngx_int_t add(in_port_t port, const char *app, const char *name,
    ngx_uint_t publishers, ngx_uint_t players);
static ngx_int_t collect(void);
static void is_list(const char *expected, const char *what);


static in_port_t    port = 1935;
static ngx_pool_t  *pool;
static ngx_array_t  ports, streams;
static const char  *bad;
static ngx_uint_t   number;
static u_char       found[NGX_RTMP_ROUTE_RTMP_LINK];


int
main(void)
{
    unit_init();

    is_uint(ngx_rtmp_route_slots_create(SLOTS, &unit_log), NGX_OK, "slots");
    is_uint(ngx_rtmp_route_rtmp_streams_create(1, &unit_log), NGX_OK, "areas");
    is_uint(ngx_rtmp_route_slot_claim(&unit_cycle, NULL), NGX_OK, "claimed");

    ports.elts = &port;
    ports.nelts = 1;

    test_list();
    test_ports();
    test_where();
    test_room();
    test_kill();

    return done();
}


static void
test_list(void)
{
    uint64_t  sum;

    is_uint(ngx_rtmp_route_rtmp_streams_sum(), 0, "nobody has an area");
    is_list("", "so there are none");

    ngx_rtmp_route_rtmp_streams_begin();
    is_uint(add(1935, "live", "a", 1, 0), NGX_OK, "without an area");
    ngx_rtmp_route_rtmp_streams_end(0);
    is_list("", "nothing is written");

    ngx_rtmp_route_rtmp_streams_claim(1);
    is_list("", "nothing yet");

    ngx_rtmp_route_rtmp_streams_begin();
    add(1935, "live", "b", 1, 2);
    add(1935, "live", "a", 1, 0);
    is_list("", "not before the end");
    ngx_rtmp_route_rtmp_streams_end(0);
    is_list("live/a:1:0 live/b:1:2", "sorted");

    sum = ngx_rtmp_route_rtmp_streams_sum();
    ok(sum != 0, "a sum");

    ngx_rtmp_route_rtmp_streams_begin();
    add(1935, "live", "a", 1, 5);
    add(1935, "live", "b", 1, 0);
    add(1935, "live", "waited", 0, 3);
    ngx_rtmp_route_rtmp_streams_end(0);
    is_list("live/a:1:5 live/b:1:0", "who waits is not listed");
    ok(ngx_rtmp_route_rtmp_streams_sum() == sum, "players do not change it");

    ngx_rtmp_route_rtmp_streams_begin();
    add(1935, "live", "a", 1, 0);
    add(1935, "live", "ab", 0, 1);
    add(1935, "live", "a", 0, 3);
    ngx_rtmp_route_rtmp_streams_end(0);
    is_list("live/a:1:3", "of several processes");
    ok(ngx_rtmp_route_rtmp_streams_sum() != sum, "another sum");

    ngx_rtmp_route_rtmp_streams_begin();
    add(1935, "live", "a", 1, 0);
    ngx_rtmp_route_rtmp_streams_end(1);
    is_uint(collect(), NGX_DECLINED, "there are more");

    ngx_rtmp_route_rtmp_streams_claim(1);
    is_list("", "of the predecessor nothing is left");
    is_uint(ngx_rtmp_route_rtmp_streams_sum(), 0, "no sum");
}


static void
test_ports(void)
{
    in_port_t  both[] = { 1936, 1935 };

    ngx_rtmp_route_rtmp_streams_begin();
    add(1935, "live", "a", 1, 0);
    add(1936, "live", "b", 1, 0);
    ngx_rtmp_route_rtmp_streams_end(0);

    is_list("live/a:1:0", "one server");

    ports.elts = both;
    ports.nelts = 2;
    is_list("live/a:1:0 live/b:1:0", "both");

    ports.nelts = 0;
    is_list("", "none");

    ports.elts = &port;
    ports.nelts = 1;
}


/* which of several workers has a stream, or is to pull it */

static void
test_where(void)
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  i, n;

    ngx_rtmp_route_rtmp_streams_claim(7);

    is_where(0, "", "alone");
    is_uint(ngx_rtmp_route_rtmp_streams_link(1935, (u_char *) "own..."),
            NGX_OK, "link");
    is_where(0, "", "alone, with a link");

    pid = start_other(7, "other1", NGX_RTMP_ROUTE_RTMP_PULLED);
    is_where(0, "other1", "it is pulled there");
    is_where(1, "", "which is no publisher");

    bad = "other1";
    is_where(0, "", "it can't be reached");
    bad = NULL;

    kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
    unit_tick(2000);
    is_where(0, "", "it is gone");

    pid = start_other(6, "other2", NGX_RTMP_ROUTE_RTMP_PULLED);
    is_where(0, "", "pulled by a worker of before");
    kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
    unit_tick(2000);

    pid = start_other(6, "other3", 1);
    is_where(0, "other3", "published there");
    is_where(1, "other3", "by a publisher");
    kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
    unit_tick(2000);

    /* one of two for each stream, the same for all */

    pid = start_other(7, "other4", 0);

    for (i = 0, n = 0; i < 100; i++) {
        number = i;
        n += (where(0) == NGX_OK);
    }

    ok(n > 25 && n < 75, "half of the streams are the other one's: %u",
       (unsigned) n);
    is_where(1, "", "none of them published");

    kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
    unit_tick(2000);

    ngx_rtmp_route_rtmp_streams_begin();
    add(1935, "live", "wanted0", NGX_RTMP_ROUTE_RTMP_PULLED, 3);
    ngx_rtmp_route_rtmp_streams_end(0);
    is_list("", "pulled ones are not registered");
    is_uint(ngx_rtmp_route_rtmp_streams_sum(), 0, "nor in the sum");
}


/* as many as are registered, with names that fit into 1 MB of JSON */

static void
test_room(void)
{
    write_list(MOST, 0);
    is_uint(collect(), NGX_OK, "one process has room for all");
    is_uint(streams.nelts, MOST, "that are registered");
}


/* a process is killed at any moment: what it has shown is always whole */

static void
test_kill(void)
{
    int          status;
    ngx_pid_t    pid;
    ngx_str_t   *name, *first;
    ngx_uint_t   i, n, most, reads, torn, gone;

    reads = 0;
    torn = 0;
    gone = 0;

    ngx_rtmp_route_slot_release();

    for (n = 0; n < ROUNDS; n++) {

        pid = fork();

        if (pid == 0) {
            write_for_ever();
        }

        for (i = 0, most = 0; i < n % 8 + 1 && most < 10000; most++) {

            if (collect() != NGX_OK || streams.nelts == 0) {
                ngx_msleep(1);
                continue;
            }

            i++;
            reads++;

            first = &((ngx_rtmp_route_rtmp_stream_t *) streams.elts)->name;
            name = &((ngx_rtmp_route_rtmp_stream_t *) streams.elts)
                       [streams.nelts - 1].name;

            /* all of one list, and as many as belong to it */

            if (name->len != first->len
                || ngx_memcmp(name->data + name->len - 4,
                              first->data + first->len - 4, 4)
                   != 0
                || streams.nelts != (ngx_uint_t) ngx_atoi(first->data
                                                   + first->len - 4, 4))
            {
                torn++;
            }
        }

        kill(pid, SIGKILL);
        (void) waitpid(pid, &status, 0);

        unit_tick(2000);

        if (collect() == NGX_OK && streams.nelts == 0) {
            gone++;
        }
    }

    diag("%u lists", (unsigned) reads);

    ok(reads >= ROUNDS, "some were read");
    is_uint(torn, 0, "none of them torn");
    is_uint(gone, ROUNDS, "what the dead had is gone");
}


static ngx_pid_t
start_other(ngx_uint_t cycle, const char *link, ngx_uint_t publishers)
{
    int        fd[2];
    char       c;
    ngx_pid_t  pid;

    number = 0;

    if (pipe(fd) == -1) {
        return -1;
    }

    ngx_rtmp_route_slot_release();

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();

        ngx_rtmp_route_slot_claim(&unit_cycle, NULL);
        ngx_rtmp_route_rtmp_streams_claim(cycle);
        ngx_rtmp_route_rtmp_streams_link(1935, (u_char *) link);

        ngx_rtmp_route_rtmp_streams_begin();

        if (publishers) {
            add(1935, "live", "wanted0", publishers, 0);
        }

        ngx_rtmp_route_rtmp_streams_end(0);

        (void) !write(fd[1], "x", 1);

        for ( ;; ) {
            pause();
        }
    }

    (void) !read(fd[0], &c, 1);
    close(fd[0]);
    close(fd[1]);

    ngx_rtmp_route_slot_claim(&unit_cycle, NULL);
    ngx_rtmp_route_rtmp_streams_claim(7);
    ngx_rtmp_route_rtmp_streams_link(1935, (u_char *) "own...");

    return pid;
}


static ngx_uint_t
is_bad(u_char *link)
{
    return bad && ngx_memcmp(link, bad, NGX_RTMP_ROUTE_RTMP_LINK) == 0;
}


static ngx_int_t
where(ngx_uint_t published)
{
    u_char     *p, text[32];
    ngx_str_t   app, name;

    ngx_str_set(&app, "live");

    p = ngx_sprintf(text, "wanted%ui", number);
    name.data = text;
    name.len = p - text;

    return ngx_rtmp_route_rtmp_streams_where(1935, &app, &name, published,
                                             is_bad, found);
}


static void
is_where(ngx_uint_t published, const char *expected, const char *what)
{
    ngx_str_t  got;

    ngx_str_set(&got, "");

    if (where(published) == NGX_OK) {
        got.data = found;
        got.len = NGX_RTMP_ROUTE_RTMP_LINK;
    }

    is_str(&got, expected, "%s", what);
}


static void
write_list(ngx_uint_t n, ngx_uint_t tag)
{
    u_char     *p, text[64];
    ngx_str_t   app, name;
    ngx_uint_t  i;

    ngx_str_set(&app, "live");

    ngx_rtmp_route_rtmp_streams_begin();

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(text, "%046ui.%04ui", i, tag);
        name.data = text;
        name.len = p - text;

        if (ngx_rtmp_route_rtmp_streams_add(1935, &app, &name, 1, 0)
            != NGX_OK)
        {
            ngx_rtmp_route_rtmp_streams_end(1);
            return;
        }
    }

    ngx_rtmp_route_rtmp_streams_end(0);
}


static void
write_for_ever(void)
{
    ngx_uint_t  n;

    ngx_pid = getpid();

    ngx_rtmp_route_slot_claim(&unit_cycle, NULL);
    ngx_rtmp_route_rtmp_streams_claim(1);

    for (n = 1; /* void */ ; n = n % 200 + 1) {
        write_list(n * 10, n * 10);
    }
}


static ngx_int_t
add(in_port_t port, const char *app, const char *name, ngx_uint_t publishers,
    ngx_uint_t players)
{
    ngx_str_t  a, n;

    a = unit_str(app);
    n = unit_str(name);

    return ngx_rtmp_route_rtmp_streams_add(port, &a, &n, publishers, players);
}


static ngx_int_t
collect(void)
{
    if (pool) {
        ngx_destroy_pool(pool);
    }

    pool = ngx_create_pool(4096, &unit_log);

    if (ngx_array_init(&streams, pool, 4, sizeof(ngx_rtmp_route_rtmp_stream_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_route_rtmp_streams_collect(pool, &ports, &streams);
}


static void
is_list(const char *expected, const char *what)
{
    u_char                        *p, *last, text[1024];
    ngx_str_t                      got;
    ngx_uint_t                     i;
    ngx_rtmp_route_rtmp_stream_t  *stream;

    is_uint(collect(), NGX_OK, "%s", what);

    p = text;
    last = text + sizeof(text);
    stream = streams.elts;

    for (i = 0; i < streams.nelts; i++) {
        p = ngx_slprintf(p, last, "%s%V:%ui:%ui", i ? " " : "",
                         &stream[i].name, stream[i].publishers,
                         stream[i].players);
    }

    got.data = text;
    got.len = p - text;

    is_str(&got, expected, "%s", what);
}
