
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * RTMP load on loopback: a sink that takes every publisher, and publishers
 * that measure.  It looks for the strings of the answers instead of parsing
 * chunks, so that it costs next to nothing.  Frames are pictures of AVC.
 *
 *   rtmp sink -p PORT
 *   rtmp publish -p PORT -n CONNS -b BYTES           flat out, bytes for each
 *   rtmp publish -p PORT -n CONNS -r BITS -t SECS    paced, 30 frames a second
 *   rtmp setup -p PORT -n SESSIONS -c PARALLEL       until Publish.Start
 *   rtmp idle -p PORT -n CONNS                       until stdin ends
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define CHUNK   4096
#define WINDOW  8192
#define FRAME   20833


enum {
    st_handshake = 0,
    st_connect,
    st_create,
    st_publish,
    st_live,
    st_finish
};


typedef struct {
    int        fd;
    int        id;
    int        state;
    int        skip;            /* handshake bytes that are to come */
    int        len;             /* of what has come since */
    int        off;             /* in the frame that is being sent */
    int        waiting;         /* for the socket to take more */
    double     start;
    double     next;            /* frame, when paced */
    uint64_t   sent;
    char      *buf;
} conn_t;


static void sink(void);
static void sink_accept(int listen_fd);
static void sink_read(conn_t *c);
static void client(const char *mode);
static void client_open(int id);
static void client_read(conn_t *c);
static void client_step(conn_t *c);
static void client_live(conn_t *c);
static void client_frames(conn_t *c);
static void client_close(conn_t *c, int failed);
static void client_print(const char *mode, double elapsed);
static int read_some(conn_t *c);
static void put(char **p, const void *data, size_t n);
static void put_string(char **p, const char *s, int name);
static void put_number(char **p, double n);
static char *put_message(char *p, int csid, int type, int msid,
    const char *body, int n, int chunk);
static int put_command(char *p, const char *name, double tid,
    const char *arg);
static int put_status(char *p, const char *name, double tid,
    const char *code);
static double read_number(const char *p);
static void watch(int op, conn_t *c, int events);
static void send_all(conn_t *c, const char *p, size_t n);
static double now(void);
static int compare(const void *a, const void *b);
static void die(const char *what);


static int        ep, port, total = 1, parallel = 1, opened, closed, failures;
static int        live, nlatency, idle, measure;
static double     rate, seconds, first, last;
static double    *latency;
static char       frame[FRAME + FRAME / CHUNK + 32];
static int        frame_len;
static conn_t   **conns;
static char       scratch[65536];
static uint64_t   limit, bytes;


int
main(int argc, char **argv)
{
    int            opt;
    struct rlimit  rl;

    if (argc < 2) {
        fprintf(stderr, "usage: rtmp sink|publish|setup|idle -p port ...\n");
        return 2;
    }

    optind = 2;

    while ((opt = getopt(argc, argv, "p:n:b:r:t:c:")) != -1) {
        switch (opt) {

        case 'p':
            port = atoi(optarg);
            break;

        case 'n':
            total = atoi(optarg);
            break;

        case 'b':
            limit = strtoull(optarg, NULL, 10);
            break;

        case 'r':
            rate = atof(optarg);
            break;

        case 't':
            seconds = atof(optarg);
            break;

        case 'c':
            parallel = atoi(optarg);
            break;

        default:
            return 2;
        }
    }

    rl.rlim_cur = rl.rlim_max = 65536;
    setrlimit(RLIMIT_NOFILE, &rl);

    ep = epoll_create1(0);

    if (strcmp(argv[1], "sink") == 0) {
        sink();

    } else {
        client(argv[1]);
    }

    return 0;
}


static void
sink(void)
{
    int                  fd, i, n, on;
    conn_t               listener;
    struct sockaddr_in   sin;
    struct epoll_event   events[256];

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 4096) == -1)
    {
        die("listen");
    }

    memset(&listener, 0, sizeof(listener));
    listener.fd = fd;
    watch(EPOLL_CTL_ADD, &listener, EPOLLIN);

    for ( ;; ) {
        n = epoll_wait(ep, events, 256, -1);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == &listener) {
                sink_accept(fd);

            } else {
                sink_read(events[i].data.ptr);
            }
        }
    }
}


static void
sink_accept(int listen_fd)
{
    int      fd, on;
    conn_t  *c;

    on = 1;

    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

        c = calloc(1, sizeof(conn_t));
        c->fd = fd;
        c->skip = 1537;
        c->buf = malloc(WINDOW);
        watch(EPOLL_CTL_ADD, c, EPOLLIN);
    }
}


/* answers each command once its name is seen; names are not cut by chunks */

static void
sink_read(conn_t *c)
{
    int          n;
    char        *p, body[512], out[2048];
    const char  *seen;

    if (c->state == st_live) {
        n = recv(c->fd, scratch, sizeof(scratch), 0);

        if (n > 0 || (n == -1 && errno == EAGAIN)) {
            return;
        }

    } else {
        n = read_some(c);

        if (n >= 0) {
            if (c->state == st_handshake && c->skip <= 0) {
                memset(scratch, 0, 3073);
                scratch[0] = 3;
                send_all(c, scratch, 3073);

                c->skip += 1536;
                c->state = st_connect;

                n = c->len - 1537;
                memmove(c->buf, c->buf + 1537, n > 0 ? n : 0);
                c->len = n > 0 ? n : 0;
                c->skip = 1536 - c->len;
            }

            if (c->skip > 0) {
                return;
            }

            p = out;

            if (c->state == st_connect
                && memmem(c->buf, c->len, "\2\0\7connect", 10))
            {
                p = put_message(p, 2, 5, 0, "\0\x4c\x4b\x40", 4, 128);
                p = put_message(p, 2, 6, 0, "\0\x4c\x4b\x40\2", 5, 128);
                p = put_message(p, 2, 1, 0, "\0\0\x10\0", 4, 128);
                n = put_status(body, "_result", 1,
                               "NetConnection.Connect.Success");
                p = put_message(p, 3, 20, 0, body, n, 4096);
                c->state = st_create;
            }

            if (c->state == st_create
                && (seen = memmem(c->buf, c->len, "\2\0\14createStream", 15))
                && seen + 24 <= c->buf + c->len)
            {
                n = put_command(body, "_result", read_number(seen + 16), NULL);
                put_number(&(char *) { body + n }, 1);
                p = put_message(p, 3, 20, 0, body, n + 9, 4096);
                c->state = st_publish;
            }

            if (c->state == st_publish
                && memmem(c->buf, c->len, "\2\0\7publish", 10))
            {
                n = put_status(body, "onStatus", 0, "NetStream.Publish.Start");
                p = put_message(p, 5, 20, 1, body, n, 4096);
                c->state = st_live;
                free(c->buf);
                c->buf = NULL;
            }

            send_all(c, out, p - out);
            return;
        }
    }

    close(c->fd);
    free(c->buf);
    free(c);
}


static void
client(const char *mode)
{
    int                  i, n, timeout;
    char                *p, one;
    double               start, wait;
    struct epoll_event   events[256];

    idle = strcmp(mode, "idle") == 0;
    measure = strcmp(mode, "setup") == 0;

    p = malloc(FRAME);
    memset(p, 0x27, FRAME);
    p[1] = 1;
    frame_len = put_message(frame, 4, 9, 1, p, FRAME, CHUNK) - frame;
    free(p);

    conns = calloc(total, sizeof(conn_t *));
    latency = calloc(total, sizeof(double));

    if (!measure) {
        parallel = idle ? 50 : total;
    }

    start = now();

    while (closed < total) {

        while (opened < total
               && opened - closed - (idle ? live : 0) < parallel)
        {
            client_open(opened++);
        }

        timeout = 1000;

        if (rate > 0) {
            for (i = 0; i < opened; i++) {
                if (conns[i] && conns[i]->state == st_live) {
                    client_frames(conns[i]);
                }

                if (conns[i] && conns[i]->state == st_live) {
                    wait = conns[i]->next - now();
                    timeout = wait < 0 ? 0
                              : wait + 1 < timeout ? wait + 1 : timeout;
                }
            }
        }

        if (idle && live + closed == total) {
            client_print(mode, now() - start);
            n = read(0, &one, 1);
            exit(n == -1);
        }

        n = epoll_wait(ep, events, 256, timeout);

        for (i = 0; i < n; i++) {
            if (events[i].events & EPOLLOUT) {
                client_live(events[i].data.ptr);

            } else {
                client_read(events[i].data.ptr);
            }
        }

        if (now() - start > 120000) {
            fprintf(stderr, "gave up after 120 seconds\n");
            exit(1);
        }
    }

    client_print(mode, now() - start);
}


static void
client_open(int id)
{
    int                  on;
    conn_t              *c;
    struct sockaddr_in   sin;

    c = calloc(1, sizeof(conn_t));
    c->id = id;
    c->buf = malloc(WINDOW);
    c->skip = 3073;
    c->start = now();
    conns[id] = c;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    /* connecting on loopback is immediate, so it may block */

    on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        die("connect");
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    memset(scratch, 0, 1537);
    scratch[0] = 3;

    watch(EPOLL_CTL_ADD, c, EPOLLIN);
    send_all(c, scratch, 1537);
}


static void
client_read(conn_t *c)
{
    int  n;

    if (c->state < st_live) {

        if (read_some(c) == -1) {
            client_close(c, 1);
            return;
        }

        client_step(c);
        return;
    }

    n = recv(c->fd, scratch, sizeof(scratch), MSG_DONTWAIT);

    if (n == 0 || (n == -1 && errno != EAGAIN)) {
        client_close(c, c->state != st_finish);
    }
}


/* as ffmpeg does it */

static void
client_step(conn_t *c)
{
    int         n;
    char       *p, body[512], out[4096], name[32];

    /* at the beginning of a message, where no chunk ends */

    static const char  connected[] = "\2\0\7_result\0\x3f\xf0\0\0\0\0\0";
    static const char  created[] = "\2\0\7_result\0\x40\x10\0\0\0\0\0";

    p = out;

    if (c->state == st_handshake && c->skip <= 0) {
        c->len = 0;
        memset(p, 0, 1536);
        p += 1536;

        n = put_command(body, "connect", 1, NULL) - 1;
        body[n++] = 3;
        p = put_message(p, 2, 1, 0, "\0\0\x10\0", 4, 128);
        put_string(&(char *) { body + n }, "app", 1);
        n += 5;
        put_string(&(char *) { body + n }, "live", 0);
        n += 7;
        put_string(&(char *) { body + n }, "tcUrl", 1);
        n += 7;
        put_string(&(char *) { body + n }, "rtmp://127.0.0.1/live", 0);
        n += 24;
        memcpy(body + n, "\0\0\11", 3);
        n += 3;

        p = put_message(p, 3, 20, 0, body, n, CHUNK);
        c->state = st_connect;

    } else if (c->state == st_connect
               && memmem(c->buf, c->len, connected, sizeof(connected) - 1))
    {
        sprintf(name, "s%d", c->id);

        n = put_command(body, "releaseStream", 2, name);
        p = put_message(p, 3, 20, 0, body, n, CHUNK);
        n = put_command(body, "FCPublish", 3, name);
        p = put_message(p, 3, 20, 0, body, n, CHUNK);
        n = put_command(body, "createStream", 4, NULL);
        p = put_message(p, 3, 20, 0, body, n, CHUNK);
        c->state = st_create;

    } else if (c->state == st_create
               && memmem(c->buf, c->len, created, sizeof(created) - 1))
    {
        sprintf(name, "s%d", c->id);

        n = put_command(body, "publish", 5, name);
        put_string(&(char *) { body + n }, "live", 0);
        p = put_message(p, 8, 20, 1, body, n + 7, CHUNK);
        c->state = st_publish;

    } else if (c->state == st_publish
               && memmem(c->buf, c->len, "NetStream.Publish.Start", 23))
    {
        c->state = st_live;
        client_live(c);
        return;
    }

    if (p != out) {
        send_all(c, out, p - out);
    }
}


static void
client_live(conn_t *c)
{
    if (c->sent == 0 && c->next == 0) {
        latency[nlatency++] = now() - c->start;
        live++;

        free(c->buf);
        c->buf = NULL;

        if (first == 0) {
            first = now();
        }

        c->next = now() + (c->id % 32);

        if (measure) {
            client_close(c, 0);
            return;
        }

        if (idle) {
            send_all(c, frame, frame_len);
            send_all(c, frame, frame_len);
            return;
        }
    }

    client_frames(c);
}


static void
client_frames(conn_t *c)
{
    ssize_t  n;

    for ( ;; ) {

        if (c->off == 0 && rate > 0) {
            if (now() < c->next) {
                return;
            }

            c->next += FRAME * 8 / rate * 1000;
        }

        if (c->off == 0
            && ((limit && c->sent >= limit)
                || (rate > 0 && now() - first > seconds * 1000)))
        {
            c->state = st_finish;
            watch(EPOLL_CTL_MOD, c, EPOLLIN);
            shutdown(c->fd, SHUT_WR);
            return;
        }

        n = send(c->fd, frame + c->off, frame_len - c->off,
                 MSG_NOSIGNAL|MSG_DONTWAIT);

        if (n == -1) {
            if (errno != EAGAIN) {
                client_close(c, 1);

            } else if (!c->waiting) {
                c->waiting = 1;
                watch(EPOLL_CTL_MOD, c, EPOLLIN|EPOLLOUT);
            }

            return;
        }

        if (c->waiting) {
            c->waiting = 0;
            watch(EPOLL_CTL_MOD, c, EPOLLIN);
        }

        c->sent += n;
        bytes += n;
        c->off = (c->off + n) % frame_len;

        if (c->off && !c->waiting) {
            c->waiting = 1;
            watch(EPOLL_CTL_MOD, c, EPOLLIN|EPOLLOUT);
            return;
        }
    }
}


static void
client_close(conn_t *c, int failed)
{
    failures += failed;
    closed++;
    last = now();

    conns[c->id] = NULL;

    close(c->fd);
    free(c->buf);
    free(c);
}


static void
client_print(const char *mode, double elapsed)
{
    double  p50, p99, max;

    p50 = p99 = max = 0;

    if (nlatency) {
        qsort(latency, nlatency, sizeof(double), compare);
        p50 = latency[nlatency / 2];
        p99 = latency[nlatency * 99 / 100];
        max = latency[nlatency - 1];
    }

    printf("mode=%s sessions=%d failed=%d elapsed=%.1f rate=%.0f p50=%.3f "
           "p99=%.3f max=%.3f bytes=%llu transfer=%.1f\n",
           mode, nlatency, failures, elapsed, nlatency * 1000 / elapsed, p50,
           p99, max, (unsigned long long) bytes, last - first);
    fflush(stdout);
}


/* more of what the peer says in set-up, counted off against the handshake */

static int
read_some(conn_t *c)
{
    int  n;

    if (c->len == WINDOW) {
        c->len = 0;
    }

    n = recv(c->fd, c->buf + c->len, WINDOW - c->len, MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n <= 0) {
        return -1;
    }

    c->len += n;
    c->skip -= n;

    return n;
}


static void
put(char **p, const void *data, size_t n)
{
    memcpy(*p, data, n);
    *p += n;
}


static void
put_string(char **p, const char *s, int name)
{
    int   n;
    char  head[3];

    n = strlen(s);
    head[0] = 2;
    head[1] = n >> 8;
    head[2] = n;

    put(p, head + name, 3 - name);
    put(p, s, n);
}


static void
put_number(char **p, double n)
{
    int       i;
    char      out[9];
    uint64_t  u;

    memcpy(&u, &n, 8);
    out[0] = 0;

    for (i = 0; i < 8; i++) {
        out[i + 1] = u >> (56 - 8 * i);
    }

    put(p, out, 9);
}


static char *
put_message(char *p, int csid, int type, int msid, const char *body, int n,
    int chunk)
{
    int  i, len;

    *p++ = csid;
    *p++ = 0;
    *p++ = 0;
    *p++ = 0;
    *p++ = n >> 16;
    *p++ = n >> 8;
    *p++ = n;
    *p++ = type;
    *p++ = msid;
    *p++ = 0;
    *p++ = 0;
    *p++ = 0;

    for (i = 0; i < n; i += len) {
        if (i) {
            *p++ = 0xc0 | csid;
        }

        len = n - i < chunk ? n - i : chunk;
        put(&p, body + i, len);
    }

    return p;
}


static int
put_command(char *p, const char *name, double tid, const char *arg)
{
    char  *start;

    start = p;

    put_string(&p, name, 0);
    put_number(&p, tid);
    put(&p, "\5", 1);

    if (arg) {
        put_string(&p, arg, 0);
    }

    return p - start;
}


static int
put_status(char *p, const char *name, double tid, const char *code)
{
    char  *start;

    start = p;
    p += put_command(p, name, tid, NULL);

    put(&p, "\3", 1);
    put_string(&p, "level", 1);
    put_string(&p, "status", 0);
    put_string(&p, "code", 1);
    put_string(&p, code, 0);
    put(&p, "\0\0\11", 3);

    return p - start;
}


static double
read_number(const char *p)
{
    int       i;
    double    n;
    uint64_t  u;

    u = 0;

    for (i = 0; i < 8; i++) {
        u = u << 8 | (unsigned char) p[i];
    }

    memcpy(&n, &u, 8);

    return n;
}


static void
watch(int op, conn_t *c, int events)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = c;

    if (epoll_ctl(ep, op, c->fd, &ev) == -1) {
        die("epoll_ctl");
    }
}


/* what is sent in set-up always fits into the socket's buffer */

static void
send_all(conn_t *c, const char *p, size_t n)
{
    ssize_t  sent;

    while (n) {
        sent = send(c->fd, p, n, MSG_NOSIGNAL);

        if (sent == -1) {
            return;
        }

        p += sent;
        n -= sent;
    }
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return x < y ? -1 : x > y;
}


static void
die(const char *what)
{
    perror(what);
    exit(1);
}
