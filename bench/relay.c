
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The least that a relay can cost: no parsing, one buffer, a given number of
 * processes.  With -q the delayed acknowledgement is switched off after each
 * read from the origin.
 *
 *   relay -p PORT -o ORIGIN_PORT [-w PROCESSES] [-q]
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>


typedef struct side_s  side_t;

struct side_s {
    int      fd;
    int      origin;
    int      closed;
    int      blocked;
    char    *left;              /* what the other side could not take */
    int      nleft;
    side_t  *peer;
};


static void work(int listen_fd, int port, int quickack);
static void open_pair(int ep, int fd, int port);
static int relay(int ep, side_t *from, int quickack);
static void flush(int ep, side_t *to);
static void watch(int ep, int op, side_t *s, int events);


static char  buf[262144];


int
main(int argc, char **argv)
{
    int                  opt, on, fd, port, origin, workers, quickack;
    struct sockaddr_in   sin;

    port = origin = quickack = 0;
    workers = 1;

    while ((opt = getopt(argc, argv, "p:o:w:q")) != -1) {
        switch (opt) {

        case 'p':
            port = atoi(optarg);
            break;

        case 'o':
            origin = atoi(optarg);
            break;

        case 'w':
            workers = atoi(optarg);
            break;

        case 'q':
            quickack = 1;
            break;

        default:
            return 2;
        }
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    for (opt = 0; opt < workers; opt++) {

        /* the last one is this process, which takes the others with it */

        if (opt < workers - 1) {
            if (fork() != 0) {
                continue;
            }

            prctl(PR_SET_PDEATHSIG, SIGKILL);
        }

        on = 1;
        fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));

        if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
            || listen(fd, 4096) == -1)
        {
            perror("listen");
            return 1;
        }

        work(fd, origin, quickack);
    }

    return 0;
}


static void
work(int listen_fd, int port, int quickack)
{
    int                 ep, fd, i, n;
    side_t             *s, *peer, listener;
    struct epoll_event  events[256];

    ep = epoll_create1(0);

    memset(&listener, 0, sizeof(listener));
    listener.fd = listen_fd;
    watch(ep, EPOLL_CTL_ADD, &listener, EPOLLIN);

    for ( ;; ) {
        n = epoll_wait(ep, events, 256, -1);

        for (i = 0; i < n; i++) {
            s = events[i].data.ptr;

            if (s == &listener) {
                while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK))
                       != -1)
                {
                    open_pair(ep, fd, port);
                }

                continue;
            }

            if (s->closed) {
                continue;
            }

            if (events[i].events & EPOLLOUT) {
                flush(ep, s);
            }

            if ((events[i].events & ~EPOLLOUT)
                && relay(ep, s, quickack) == -1)
            {
                peer = s->peer;

                if (peer->nleft == 0) {
                    close(s->fd);
                    close(peer->fd);
                    s->closed = peer->closed = 1;

                    /* not freed: an event of this turn may name it */
                }
            }
        }
    }
}


static void
open_pair(int ep, int fd, int port)
{
    int                  on;
    side_t              *a, *b;
    struct sockaddr_in   sin;

    on = 1;
    a = calloc(1, sizeof(side_t));
    b = calloc(1, sizeof(side_t));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    a->fd = fd;
    a->peer = b;
    b->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
    b->origin = 1;
    b->peer = a;

    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (connect(b->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        && errno != EINPROGRESS)
    {
        perror("connect");
        exit(1);
    }

    watch(ep, EPOLL_CTL_ADD, a, EPOLLIN);
    watch(ep, EPOLL_CTL_ADD, b, EPOLLIN);
}


/* -1: this side is at its end */

static int
relay(int ep, side_t *from, int quickack)
{
    int      on;
    ssize_t  n, sent;
    side_t  *to;

    to = from->peer;

    if (to->nleft) {
        return 0;
    }

    n = recv(from->fd, buf, sizeof(buf), 0);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n <= 0) {
        return -1;
    }

    if (quickack && from->origin) {
        on = 1;
        setsockopt(from->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }

    sent = send(to->fd, buf, n, MSG_NOSIGNAL);

    if (sent == -1) {
        if (errno != EAGAIN) {
            return -1;
        }

        sent = 0;
    }

    if (sent < n) {
        to->nleft = n - sent;
        to->left = malloc(to->nleft);
        memcpy(to->left, buf + sent, to->nleft);

        watch(ep, EPOLL_CTL_MOD, to, to->blocked ? EPOLLOUT
                                                 : EPOLLIN|EPOLLOUT);
        from->blocked = 1;
        watch(ep, EPOLL_CTL_MOD, from, from->nleft ? EPOLLOUT : 0);
    }

    return 0;
}


static void
flush(int ep, side_t *to)
{
    ssize_t  n;

    n = send(to->fd, to->left, to->nleft, MSG_NOSIGNAL);

    if (n == -1) {
        return;
    }

    to->nleft -= n;

    if (to->nleft) {
        memmove(to->left, to->left + n, to->nleft);
        return;
    }

    free(to->left);
    to->left = NULL;

    watch(ep, EPOLL_CTL_MOD, to, to->blocked ? 0 : EPOLLIN);

    to->peer->blocked = 0;
    watch(ep, EPOLL_CTL_MOD, to->peer,
          to->peer->nleft ? EPOLLIN|EPOLLOUT : EPOLLIN);
}


static void
watch(int ep, int op, side_t *s, int events)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = s;

    epoll_ctl(ep, op, s->fd, &ev);
}
