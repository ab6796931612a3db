
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_http_hls_store.c ngx_http_hls_store_body.c */
/* sources: ngx_http_hls_store_cell.c ngx_http_hls_store_check.c */
/* sources: ngx_http_hls_store_entry.c ngx_http_hls_store_extent.c */
/* sources: ngx_http_hls_store_fill.c ngx_http_hls_store_links.c */
/* sources: ngx_http_hls_store_rebuild.c ngx_http_hls_store_ref.c */
/* sources: ngx_http_hls_store_stream.c ngx_http_hls_store_sweep.c */
/* sources: ngx_http_hls_store_walk.c ngx_http_hls_window.c */
/* sources: ngx_rtmp_route_zone.c */


/* The cache's store in several processes, and what they have sent */


#include "hls_store.h"

#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>


#define IS_CHECKED(what)  ok(ngx_http_hls_store_check(&store) == NGX_OK,      \
                             "%s: consistent", what)

#define SLOTS             100


typedef struct {
    ngx_pid_t      pid;
    ngx_uint_t     slot;
    int            fd;         /* a byte for each step, answered by one */
} child_t;


static void test_refs(void);
static void test_dead_reader(void);
static void test_leaver(void);
static void test_wake(void);
static void test_dead_filler(void);
static void test_many_slots(void);
static void test_purged_abroad(void);
static void test_in_flight(ngx_uint_t size);
static child_t child(void (*work)(int fd));
static void step(child_t *c);
static void step_wait(int fd);
static void child_end(child_t *c);
static void child_kill(child_t *c);
static ngx_uint_t slot_woken(ngx_uint_t slot);
static void reader(int fd);
static void leaver(int fd);
static void waiter(int fd);
static void filler(int fd);
static void holder(int fd);
static ngx_uint_t sockets(int *fds);


static ngx_http_hls_store_t  store;


int
main(void)
{
    unit_init();
    unit_log.log_level = NGX_LOG_CRIT;
    unit_tick(100000);

    if (ngx_rtmp_route_slots_create(SLOTS, &unit_log) != NGX_OK) {
        abort();
    }

    store_make(&store, 4 * 1024 * 1024);
    store_slot();

    test_refs();
    test_dead_reader();
    test_leaver();
    test_wake();
    test_dead_filler();
    test_many_slots();
    test_purged_abroad();
    test_in_flight(400000);
    test_in_flight(1500);

    ngx_http_hls_store_sweep(&store);
    (void) ngx_http_hls_store_purge_all(&store);
    is_uint(stat_of(&store)->used, 0, "nothing is left");
    is_uint(resident(&store), 0, "no memory");

    return done();
}


static void
test_refs(void)
{
    child_t               a, b;
    ngx_http_hls_found_t  found;

    (void) put(&store, "r", 1, 50000, 10000, 20000);

    a = child(reader);
    b = child(reader);
    step(&a);
    step(&b);

    (void) look(&store, "r", 0, &found);
    is_uint(stat_of(&store)->refs, 5, "two of each, and one");

    is_uint(put(&store, "q", 1, 10, 10000, 20000), NGX_OK, "put");
    ngx_http_hls_store_purge(&store, key_of(&store, "r"));
    is_uint(stat_of(&store)->bodies, 2, "is read");
    ngx_http_hls_store_release(&store, &found.body);

    step(&a);
    is_uint(stat_of(&store)->refs, 3, "one is released");
    step(&a);
    step(&b);
    is_uint(stat_of(&store)->bodies, 2, "still read");
    step(&b);
    is_uint(stat_of(&store)->bodies, 1, "not any more");
    is_uint(stat_of(&store)->used, 4096, "nor in memory");
    is_uint(resident(&store), 4096, "indeed");
    IS_CHECKED("references");

    child_end(&a);
    child_end(&b);
}


static void
test_dead_reader(void)
{
    child_t  a;

    (void) put(&store, "r", 1, 50000, 10000, 20000);

    a = child(reader);
    step(&a);
    ngx_http_hls_store_purge(&store, key_of(&store, "r"));
    is_uint(stat_of(&store)->bodies, 2, "is read");

    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->bodies, 2, "by one that is alive");

    child_kill(&a);
    is_uint(stat_of(&store)->bodies, 2, "was read");
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->bodies, 1, "by one that is gone");
    is_uint(stat_of(&store)->refs, 0, "no references");
    is_uint(resident(&store), 4096, "no memory");
    IS_CHECKED("dead reader");
}


/* it leaves in good order but not all is released */

static void
test_leaver(void)
{
    child_t  a, b;

    (void) put(&store, "r", 1, 50000, 10000, 20000);

    a = child(leaver);
    step(&a);
    child_end(&a);

    /* another one has its slot */

    b = child(reader);
    is_uint(b.slot, a.slot, "the same slot");
    step(&b);
    is_uint(stat_of(&store)->refs, 2, "only those of the new one count");
    ngx_http_hls_store_sweep(&store);
    is_uint(stat_of(&store)->refs, 2, "references");
    IS_CHECKED("left");

    step(&b);
    step(&b);
    child_end(&b);
    ngx_http_hls_store_purge(&store, key_of(&store, "r"));
    is_uint(stat_of(&store)->bodies, 1, "nobody reads it");
}


static void
test_wake(void)
{
    child_t               a, b;
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  found;

    is_uint(look(&store, "w", CLAIM, &found), CLAIMED, "claimed");

    a = child(waiter);
    b = child(waiter);
    step(&a);

    is_uint(begin(&store, &found, 30000, 0, 1, &fill), NGX_OK, "begin");
    is_uint(slot_woken(a.slot), 1, "woken");
    is_uint(slot_woken(b.slot), 0, "does not wait");
    is_uint(add(&store, &found, &fill, 1, 10000), NGX_OK, "write");
    is_uint(slot_woken(a.slot), 0, "woken once");

    step(&a);
    step(&b);
    is_uint(add(&store, &found, &fill, 1, 10000), NGX_OK, "write");
    is_uint(slot_woken(a.slot), 1, "woken");
    is_uint(slot_woken(b.slot), 1, "and the other one");

    step(&a);
    step(&b);
    is_uint(add(&store, &found, &fill, 1, 10000), NGX_OK, "write");
    (void) slot_woken(a.slot);
    (void) slot_woken(b.slot);
    step(&a);
    is_uint(ngx_http_hls_store_done(&store, &found, &fill,
                                    times_of(1000, 2000)), NGX_OK, "done");
    is_uint(slot_woken(a.slot), 1, "woken");
    ngx_http_hls_store_release(&store, &fill);

    child_end(&a);
    child_end(&b);
    IS_CHECKED("wake");
}


static void
test_dead_filler(void)
{
    child_t               a;
    ngx_http_hls_found_t  found, other;

    (void) woken();
    (void) put(&store, "f", 1, 50000, 1000, 100000);
    unit_tick(2000);

    a = child(filler);
    step(&a);

    is_uint(look(&store, "f", CLAIM, &found), UPDATING, "is being filled");
    ok(good(&found.body, 1, 50000), "old body");
    is_uint(ngx_http_hls_store_wait(&store, &found, 50000), NGX_OK, "wait");
    is_uint(look(&store, "g", CLAIM, &other), FILLING, "is being filled");
    is_uint(other.body.len, 5000, "so far");
    is_uint(ngx_http_hls_store_wait(&store, &other, 5000), NGX_OK, "wait");

    ngx_http_hls_store_sweep(&store);
    is_uint(woken(), 0, "by one that is alive");

    child_kill(&a);
    is_uint(woken(), 0, "nobody has noticed");
    ngx_http_hls_store_sweep(&store);
    is_uint(woken(), 1, "woken");
    is_uint(stat_of(&store)->fills, 0, "no fills");
    is_uint(stat_of(&store)->failed, 2, "two have failed");

    ngx_http_hls_store_progress(&store, &other.body);
    is_uint(other.body.state, NGX_HTTP_HLS_BODY_FAILED, "failed");
    ngx_http_hls_store_release(&store, &other.body);

    ngx_http_hls_store_release(&store, &found.body);
    is_uint(ngx_http_hls_store_again(&store, &found), NGX_OK, "again");
    is_uint(found.state, STALE, "nobody fills it");
    ok(good(&found.body, 1, 50000), "old body");
    ngx_http_hls_store_release(&store, &found.body);
    is_uint(ngx_http_hls_store_again(&store, &other), NGX_DECLINED, "gone");

    is_uint(look(&store, "f", CLAIM, &found), CLAIMED, "claimed anew");
    ngx_http_hls_store_release(&store, &found.body);
    ngx_http_hls_store_abandon(&store, &found, NULL);
    IS_CHECKED("dead filler");
}


/* more slots than bits */

static void
test_many_slots(void)
{
    child_t               a;
    ngx_uint_t            i;
    ngx_http_hls_found_t  found;

    for (i = 1; i < 70; i++) {
        ngx_rtmp_route_slot_map[i].pid = getppid();
    }

    is_uint(look(&store, "m", CLAIM, &found), CLAIMED, "claimed");

    a = child(waiter);
    is_uint(a.slot, 70, "slot");
    store_slot();
    step(&a);

    for (i = 0; i < SLOTS; i++) {
        (void) slot_woken(i);
    }

    ngx_http_hls_store_abandon(&store, &found, NULL);

    for (i = 0; i < SLOTS; i++) {
        if (slot_woken(i) != (i == 6 || i == 70)) {
            break;
        }
    }

    is_uint(i, SLOTS, "it is woken, and one other");

    for (i = 1; i < 70; i++) {
        ngx_rtmp_route_slot_map[i].pid = 0;
    }

    child_end(&a);
}


/* what another process fills */

static void
test_purged_abroad(void)
{
    child_t               a;
    ngx_http_hls_found_t  found;

    a = child(holder);
    step(&a);

    is_uint(look(&store, "h", CLAIM, &found), FILLING, "is being filled");
    ngx_http_hls_store_release(&store, &found.body);
    is_uint(ngx_http_hls_store_purge(&store, key_of(&store, "h")), NGX_OK,
            "purge");
    is_uint(put(&store, "h", 2, 100, 1000, 2000), NGX_OK, "put");
    step(&a);
    is_uint(look(&store, "h", CLAIM, &found), FRESH, "not hurt");
    ok(good(&found.body, 2, 100), "body");
    ngx_http_hls_store_release(&store, &found.body);
    child_end(&a);
    ngx_http_hls_store_purge(&store, key_of(&store, "h"));
    IS_CHECKED("purged abroad");
}


/* what is on its way stays as it was, whatever the pages are used for then */

static void
test_in_flight(ngx_uint_t size)
{
    int                    fds[2];
    off_t                  offset, sent;
    u_char                 buf[4096];
    size_t                 i;
    ssize_t                n;
    ngx_uint_t             wrong, round;
    ngx_http_hls_found_t   found;

    if (!sockets(fds)) {
        ok(0, "sockets");
        return;
    }

    is_uint(put(&store, "old", 1, size, 10000, 20000), NGX_OK, "put");
    (void) look(&store, "old", 0, &found);

    sent = 0;

    do {
        offset = found.body.offset + sent;
        n = sendfile(fds[0], store.window->fd, &offset, size - sent);

        if (n > 0) {
            sent += n;
        }

    } while (n > 0 && sent < (off_t) size);

    diag("%ld bytes in flight", (long) sent);
    ok(sent > 1000, "sent");

    offset = found.body.offset;
    ngx_http_hls_store_release(&store, &found.body);

    /* evicted by others, which are in its place */

    wrong = 1;

    for (round = 0; round < 100; round++) {
        snprintf((char *) buf, 32, "new-%lu", (unsigned long) round);
        (void) put(&store, (char *) buf, 99, size, 10000, 20000);

        if (round == 0) {
            ngx_http_hls_store_purge(&store, key_of(&store, "old"));
        }

        (void) look(&store, (char *) buf, 0, &found);

        if (found.body.offset == offset) {
            wrong = !good(&found.body, 99, size);
        }

        ngx_http_hls_store_release(&store, &found.body);
    }

    is_uint(wrong, 0, "others are in its place");

    wrong = 0;
    offset = 0;

    while (offset < sent) {
        n = recv(fds[1], buf, sizeof(buf), 0);

        if (n <= 0) {
            break;
        }

        for (i = 0; i < (size_t) n; i++) {
            wrong += buf[i] != byte_at(1, (size_t) offset + i);
        }

        offset += n;
    }

    is_uint(offset, sent, "received");
    is_uint(wrong, 0, "as it was");

    (void) close(fds[0]);
    (void) close(fds[1]);

    (void) ngx_http_hls_store_purge_all(&store);
    IS_CHECKED("in flight");
}


static child_t
child(void (*work)(int fd))
{
    int      fds[2];
    child_t  c;
    u_char   slot;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1) {
        abort();
    }

    c.fd = fds[0];
    c.pid = fork();

    if (c.pid == 0) {
        (void) close(fds[0]);
        (void) alarm(60);

        ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;
        store_slot();

        slot = (u_char) ngx_rtmp_route_slot();
        (void) !write(fds[1], &slot, 1);

        work(fds[1]);

        ngx_rtmp_route_slot_release();
        _exit(0);
    }

    (void) close(fds[1]);

    if (read(c.fd, &slot, 1) != 1) {
        abort();
    }

    c.slot = slot;

    return c;
}


static void
step(child_t *c)
{
    u_char  byte;

    byte = 1;

    if (write(c->fd, &byte, 1) != 1 || read(c->fd, &byte, 1) != 1) {
        ok(0, "child goes on");
    }
}


/* in the child: before each step, which ends the one before */

static void
step_wait(int fd)
{
    u_char  byte;

    static ngx_uint_t  steps;

    if (steps++) {
        (void) !write(fd, "", 1);
    }

    if (read(fd, &byte, 1) != 1) {
        ngx_rtmp_route_slot_release();
        _exit(0);
    }
}


static void
child_end(child_t *c)
{
    (void) shutdown(c->fd, SHUT_RDWR);
    (void) close(c->fd);
    (void) waitpid(c->pid, NULL, 0);
}


static void
child_kill(child_t *c)
{
    (void) kill(c->pid, SIGKILL);
    child_end(c);
}


static ngx_uint_t
slot_woken(ngx_uint_t slot)
{
    uint64_t  value;

    return read(ngx_rtmp_route_slot_fds[slot], &value, sizeof(uint64_t)) > 0;
}


static void
reader(int fd)
{
    ngx_http_hls_found_t  a, b;

    step_wait(fd);

    (void) look(&store, "r", 0, &a);
    (void) look(&store, "r", 0, &b);

    step_wait(fd);

    if (!good(&a.body, 1, 50000)) {
        _exit(1);
    }

    ngx_http_hls_store_release(&store, &a.body);

    step_wait(fd);

    if (!good(&b.body, 1, 50000)) {
        _exit(1);
    }

    ngx_http_hls_store_release(&store, &b.body);

    step_wait(fd);
}


static void
leaver(int fd)
{
    ngx_http_hls_found_t  a;

    step_wait(fd);

    (void) look(&store, "r", 0, &a);

    step_wait(fd);
}


static void
waiter(int fd)
{
    const char            *key;
    ngx_http_hls_found_t   found;

    for ( ;; ) {
        step_wait(fd);

        key = (state_of(&store, "w") == NONE) ? "m" : "w";

        if (look(&store, key, 0, &found) != FILLING
            || ngx_http_hls_store_wait(&store, &found, found.body.len)
               != NGX_OK)
        {
            _exit(1);
        }

        ngx_http_hls_store_release(&store, &found.body);
    }
}


static void
filler(int fd)
{
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  f, g;

    step_wait(fd);

    (void) look(&store, "f", CLAIM, &f);
    ngx_http_hls_store_release(&store, &f.body);

    (void) look(&store, "g", CLAIM, &g);
    (void) begin(&store, &g, 10000, 0, 1, &fill);
    (void) add(&store, &g, &fill, 3, 5000);

    step_wait(fd);
}


static void
holder(int fd)
{
    ngx_http_hls_body_t   fill;
    ngx_http_hls_found_t  h;

    step_wait(fd);

    (void) look(&store, "h", CLAIM, &h);
    (void) begin(&store, &h, 10000, 0, 1, &fill);
    (void) add(&store, &h, &fill, 3, 5000);

    step_wait(fd);

    if (add(&store, &h, &fill, 3, 5000) != NGX_DECLINED
        || ngx_http_hls_store_done(&store, &h, &fill, times_of(1, 1))
           != NGX_DECLINED)
    {
        _exit(1);
    }

    ngx_http_hls_store_fail(&store, &h, &fill, 404, times_of(1000, 1000));

    step_wait(fd);
}


/* a TCP connection over loopback that holds much */

static ngx_uint_t
sockets(int *fds)
{
    int                  fd, size;
    socklen_t            len;
    struct sockaddr_in   sin;

    ngx_memzero(&sin, sizeof(struct sockaddr_in));

    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    len = sizeof(struct sockaddr_in);
    size = 4 * 1024 * 1024;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);

    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(int));
    (void) setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));

    if (bind(fd, (struct sockaddr *) &sin, len) == -1
        || listen(fd, 1) == -1
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1
        || connect(fds[0], (struct sockaddr *) &sin, len) == -1)
    {
        return 0;
    }

    fds[1] = accept(fd, NULL, NULL);

    (void) close(fd);
    (void) ngx_nonblocking(fds[0]);

    return fds[1] != -1;
}
