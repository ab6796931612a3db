
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * HTTP load on loopback for caches of HLS: an origin, and viewers that
 * measure.  wrk does the rest.
 *
 *   hls origin -p PORT [-d MS]             answers after so many milliseconds
 *   hls herd -p PORT -n CONNS -r HERDS -u PREFIX    PREFIX1.ts at once, 2 ...
 *   hls poll -p PORT -n CONNS -t SECS -u URI        each once a second
 *   hls get -p PORT -u URI                          prints the answer
 *
 * The origin has a playlist of 1,024 bytes at each path that ends in .m3u8,
 * which moves on each second and has the time of its making in it, and 512 KB
 * at all others; /_count tells how many of both there were since the last.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define SEGMENT   524288
#define PLAYLIST  1024
#define BUFFER    4096


typedef struct conn_s  conn_t;

struct conn_s {
    int        fd;
    int        id;
    int        len;             /* of what is in buf */
    int        busy;            /* a request is under way */
    int        connected;
    int64_t    rest;            /* of the body; -1: of the header */
    int        head_len;        /* origin: of the answer's header */
    int        body_len;
    int        sent;
    double     start;
    double     next;            /* poll: time of the next request */
    conn_t    *later;           /* origin: who waits behind this one */
    char       buf[BUFFER + 1];
    char       out[BUFFER];
};


static void origin(void);
static void origin_accept(int listen_fd);
static void origin_read(conn_t *c);
static void origin_answer(conn_t *c);
static void origin_write(conn_t *c);
static void origin_close(conn_t *c);
static int make_playlist(char *p);
static void herd(void);
static void poll_playlist(void);
static void get(void);
static void open_conns(void);
static conn_t *open_conn(int id);
static void ask(conn_t *c, const char *uri);
static int answer(conn_t *c);
static void add(double **values, size_t *n, double value);
static void print_values(const char *name, double *values, size_t n);
static int compare(const void *one, const void *two);
static double now(int clock);
static void die(const char *what);


static int        port, nconns = 200, secs = 10, herds = 10, delay;
static char      *uri = "/";
static int        ep;
static conn_t   **conns;
static conn_t    *first, *last;
static char       segment[SEGMENT];
static uint64_t   nplaylists, nsegments;
static double    *times, *ages;
static size_t     ntimes, nages, nfailed;


int
main(int argc, char **argv)
{
    int            opt;
    struct rlimit  limit;

    while ((opt = getopt(argc, argv, "p:n:t:r:u:d:")) != -1) {
        switch (opt) {

        case 'p':
            port = atoi(optarg);
            break;

        case 'n':
            nconns = atoi(optarg);
            break;

        case 't':
            secs = atoi(optarg);
            break;

        case 'r':
            herds = atoi(optarg);
            break;

        case 'u':
            uri = optarg;
            break;

        case 'd':
            delay = atoi(optarg);
            break;

        default:
            return 2;
        }
    }

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    signal(SIGPIPE, SIG_IGN);

    ep = epoll_create1(0);
    memset(segment, 'x', SEGMENT);

    if (optind >= argc || port == 0) {
        die("nothing to do");
    }

    if (strcmp(argv[optind], "origin") == 0) {
        origin();

    } else if (strcmp(argv[optind], "herd") == 0) {
        herd();

    } else if (strcmp(argv[optind], "poll") == 0) {
        poll_playlist();

    } else {
        get();
    }

    return 0;
}


static void
origin(void)
{
    int                  fd, i, n, on, timeout;
    conn_t              *c;
    double               wait;
    struct epoll_event   events[256], ev;
    struct sockaddr_in   sin;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 4096) == -1)
    {
        die("bind");
    }

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);

    for ( ;; ) {
        timeout = -1;

        /* all wait for the same time, so they are in order */

        while (first != NULL) {
            wait = first->start + delay / 1e3 - now(CLOCK_MONOTONIC);

            if (wait > 0) {
                timeout = (int) (wait * 1e3) + 1;
                break;
            }

            c = first;
            first = c->later;

            if (c->fd == -1) {
                free(c);

            } else {
                c->busy = 2;
                origin_answer(c);
            }
        }

        n = epoll_wait(ep, events, 256, timeout);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                origin_accept(fd);

            } else if (c->busy == 2) {
                origin_write(c);

            } else {
                origin_read(c);
            }
        }
    }
}


static void
origin_accept(int listen_fd)
{
    int                  fd, on;
    conn_t              *c;
    struct epoll_event   ev;

    for ( ;; ) {
        fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
        if (fd == -1) {
            return;
        }

        on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

        c = calloc(1, sizeof(conn_t));
        c->fd = fd;

        ev.events = EPOLLIN;
        ev.data.ptr = c;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}


static void
origin_read(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->buf + c->len, BUFFER - c->len, 0);

    if (n <= 0) {
        origin_close(c);
        return;
    }

    c->len += n;
    c->buf[c->len] = '\0';

    if (c->busy || strstr(c->buf, "\r\n\r\n") == NULL) {
        return;
    }

    c->busy = 1;
    c->start = now(CLOCK_MONOTONIC);
    c->later = NULL;

    if (delay == 0 || strncmp(c->buf, "GET /_", 6) == 0) {
        c->busy = 2;
        origin_answer(c);

    } else if (first == NULL) {
        first = c;
        last = c;

    } else {
        last->later = c;
        last = c;
    }
}


static void
origin_answer(conn_t *c)
{
    int    playlist, close;
    char  *end, *type, body[PLAYLIST + 1];

    end = strpbrk(c->buf + 4, " ?\r");
    playlist = end - c->buf > 5 && strncmp(end - 5, ".m3u8", 5) == 0;
    close = strstr(c->buf, "HTTP/1.0\r\n") != NULL
            || strcasestr(c->buf, "\r\nConnection: close") != NULL;

    c->len = 0;
    c->sent = 0;

    if (strncmp(c->buf, "GET /_", 6) == 0) {
        c->body_len = snprintf(body, sizeof(body),
                               "playlists=%llu segments=%llu\n",
                               (unsigned long long) nplaylists,
                               (unsigned long long) nsegments);
        type = "text/plain";
        nplaylists = 0;
        nsegments = 0;

    } else if (playlist) {
        c->body_len = make_playlist(body);
        type = "application/vnd.apple.mpegurl";
        nplaylists++;

    } else {
        c->body_len = SEGMENT;
        type = "video/mp2t";
        nsegments++;
    }

    c->head_len = snprintf(c->out, BUFFER,
                           "HTTP/1.1 200 OK\r\n"
                           "Content-Type: %s\r\n"
                           "Content-Length: %d\r\n"
                           "Connection: %s\r\n\r\n",
                           type, c->body_len,
                           close ? "close" : "keep-alive");

    if (c->body_len != SEGMENT) {
        memcpy(c->out + c->head_len, body, c->body_len);
        c->head_len += c->body_len;
        c->body_len = 0;
    }

    c->rest = close;

    origin_write(c);
}


static void
origin_write(conn_t *c)
{
    ssize_t              n;
    struct epoll_event   ev;

    while (c->sent < c->head_len + c->body_len) {

        if (c->sent < c->head_len) {
            n = send(c->fd, c->out + c->sent, c->head_len - c->sent,
                     c->body_len ? MSG_MORE : 0);

        } else {
            n = send(c->fd, segment + c->sent - c->head_len,
                     c->head_len + c->body_len - c->sent, 0);
        }

        if (n == -1 && errno == EAGAIN) {
            ev.events = EPOLLOUT;
            ev.data.ptr = c;
            epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
            return;
        }

        if (n <= 0) {
            c->busy = 0;
            origin_close(c);
            return;
        }

        c->sent += n;
    }

    c->busy = 0;

    if (c->rest) {
        origin_close(c);
        return;
    }

    ev.events = EPOLLIN;
    ev.data.ptr = c;
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}


static void
origin_close(conn_t *c)
{
    close(c->fd);
    c->fd = -1;

    /* one that waits is freed when its time has come */

    if (c->busy != 1) {
        free(c);
    }
}


/* comments fill it up to its length */

static int
make_playlist(char *p)
{
    int     i, n;
    time_t  sequence;

    sequence = (time_t) now(CLOCK_REALTIME);

    n = sprintf(p,
                "#EXTM3U\n"
                "#EXT-X-VERSION:3\n"
                "#EXT-X-MEDIA-SEQUENCE:%lld\n"
                "#EXT-X-TARGETDURATION:1\n"
                "#STAMP:%.6f\n",
                (long long) sequence, now(CLOCK_REALTIME));

    for (i = 0; i < 30; i++) {
        n += sprintf(p + n, "#EXTINF:1.000,\n%lld.ts\n",
                     (long long) sequence + i);
    }

    p[n++] = '#';
    memset(p + n, '-', PLAYLIST - 1 - n);
    p[PLAYLIST - 1] = '\n';

    return PLAYLIST;
}


/* all ask for the same object that nobody has asked for yet */

static void
herd(void)
{
    int                  i, k, n, left;
    char                 path[256];
    conn_t              *c;
    struct epoll_event   events[256];

    open_conns();

    for (k = 1; k <= herds; k++) {
        snprintf(path, sizeof(path), "%s%d.ts", uri, k);

        for (i = 0; i < nconns; i++) {
            ask(conns[i], path);
        }

        left = nconns;

        while (left > 0) {
            n = epoll_wait(ep, events, 256, 10000);

            if (n == 0) {
                die("no answer in 10 seconds");
            }

            for (i = 0; i < n; i++) {
                c = events[i].data.ptr;

                if (!c->busy || !answer(c)) {
                    continue;
                }

                add(&times, &ntimes,
                    (now(CLOCK_MONOTONIC) - c->start) * 1e3);
                left--;
            }
        }
    }

    print_values("", times, ntimes);
    printf("failed=%zu requests=%zu\n", nfailed, ntimes);
}


static void
poll_playlist(void)
{
    int                  i, n;
    char                *stamp;
    conn_t              *c;
    double               began, t, next;
    struct timespec      ts;
    struct epoll_event   events[256];

    open_conns();

    began = now(CLOCK_MONOTONIC);

    for (i = 0; i < nconns; i++) {
        conns[i]->next = began + (double) i / nconns;
    }

    for ( ;; ) {
        t = now(CLOCK_MONOTONIC);
        next = t + 1;

        for (i = 0; i < nconns; i++) {
            c = conns[i];

            if (!c->busy && c->next <= t && c->next < began + secs) {
                c->next += 1;
                ask(c, uri);
            }

            if (!c->busy && c->next < next) {
                next = c->next;
            }
        }

        if (t > began + secs + 1) {
            break;
        }

        ts.tv_sec = 0;
        ts.tv_nsec = next > t ? (long) ((next - t) * 1e9) : 0;
        ts.tv_nsec = ts.tv_nsec > 999999999 ? 999999999 : ts.tv_nsec;

        n = epoll_pwait2(ep, events, 256, &ts, NULL);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (!c->busy || !answer(c)) {
                continue;
            }

            /* those of the first second have nothing to be measured */

            if (c->start < began + 1) {
                continue;
            }

            add(&times, &ntimes, (now(CLOCK_MONOTONIC) - c->start) * 1e3);

            stamp = strstr(c->buf, "#STAMP:");

            if (stamp) {
                add(&ages, &nages,
                    (now(CLOCK_REALTIME) - atof(stamp + 7)) * 1e3);
            }
        }
    }

    print_values("", times, ntimes);
    print_values("age_", ages, nages);
    printf("failed=%zu requests=%zu\n", nfailed, ntimes);
}


static void
get(void)
{
    ssize_t  n;
    char     buf[65536];
    conn_t  *c;

    c = open_conn(0);
    n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.0\r\nHost: bench\r\n\r\n",
                 uri);

    if (write(c->fd, buf, n) != n) {
        die("write");
    }

    while ((n = read(c->fd, buf, sizeof(buf))) > 0) {
        fwrite(buf, n, 1, stdout);
    }
}


static void
open_conns(void)
{
    int                  i, flags;
    struct epoll_event   ev;

    conns = calloc(nconns, sizeof(conn_t *));

    for (i = 0; i < nconns; i++) {
        conns[i] = open_conn(i);

        flags = 1;
        setsockopt(conns[i]->fd, IPPROTO_TCP, TCP_NODELAY, &flags,
                   sizeof(int));

        ev.events = EPOLLIN;
        ev.data.ptr = conns[i];
        epoll_ctl(ep, EPOLL_CTL_ADD, conns[i]->fd, &ev);
    }

    /* all of them are accepted */

    usleep(200000);
}


static conn_t *
open_conn(int id)
{
    conn_t              *c;
    struct sockaddr_in   sin;

    c = calloc(1, sizeof(conn_t));
    c->id = id;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        die("connect");
    }

    return c;
}


static void
ask(conn_t *c, const char *path)
{
    int   n;
    char  buf[512];

    n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n",
                 path);

    c->busy = 1;
    c->len = 0;
    c->rest = -1;
    c->start = now(CLOCK_MONOTONIC);

    if (send(c->fd, buf, n, 0) != n) {
        die("send");
    }
}


/* true once all of the answer has come; the end of it stays in buf */

static int
answer(conn_t *c)
{
    char     *p, *length;
    ssize_t   n;

    for ( ;; ) {

        if (c->rest > BUFFER) {

            /* large bodies are not copied */

            n = recv(c->fd, NULL, c->rest, MSG_TRUNC | MSG_DONTWAIT);

        } else {
            if (c->len == BUFFER) {
                c->len = 0;
            }

            n = recv(c->fd, c->buf + c->len, BUFFER - c->len, MSG_DONTWAIT);
        }

        if (n == -1 && errno == EAGAIN) {
            return 0;
        }

        if (n <= 0) {
            die("closed by the server");
        }

        if (c->rest <= BUFFER) {
            c->len += n;
            c->buf[c->len] = '\0';
        }

        if (c->rest >= 0) {
            c->rest -= n;

        } else {
            p = strstr(c->buf, "\r\n\r\n");

            if (p == NULL) {
                continue;
            }

            length = strcasestr(c->buf, "\r\nContent-Length:");

            if (length == NULL || length > p) {
                die("no Content-Length");
            }

            if (strncmp(c->buf + 8, " 200", 4) != 0) {
                nfailed++;
            }

            c->rest = atoll(length + 17) - (c->len - (p + 4 - c->buf));
        }

        if (c->rest == 0) {
            c->busy = 0;
            return 1;
        }
    }
}


static void
add(double **values, size_t *n, double value)
{
    if ((*n & (*n - 1)) == 0) {
        *values = realloc(*values, (*n ? *n * 2 : 1) * sizeof(double));
    }

    (*values)[(*n)++] = value;
}


static void
print_values(const char *name, double *values, size_t n)
{
    if (n == 0) {
        return;
    }

    qsort(values, n, sizeof(double), compare);

    printf("%sp50=%.3f %sp99=%.3f %smax=%.3f ", name, values[n / 2],
           name, values[n * 99 / 100], name, values[n - 1]);
}


static int
compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return a < b ? -1 : a > b;
}


static double
now(int clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
die(const char *what)
{
    fprintf(stderr, "hls: %s: %s\n", what, strerror(errno));
    exit(1);
}
