
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_metrics.h"
#include "ngx_rtmp_route_slot.h"

#include <sys/eventfd.h>


/* how often /proc is read to tell a process from another with its pid, ms */
#define NGX_RTMP_ROUTE_SLOT_PROC  1000


typedef struct {
    ngx_atomic_t              pid;          /* 0: free */
    ngx_atomic_t              start;        /* its start time, 0: unknown */
    ngx_atomic_t              generation;
    ngx_atomic_t              cycle;
    ngx_atomic_t              n[NGX_RTMP_ROUTE_N];
    ngx_atomic_t              reserved[1];
} ngx_rtmp_route_slot_t;


/* in front of the slots */

typedef struct {
    ngx_atomic_t              drain;        /* since then; 0: it does not */
    ngx_atomic_t              reserved[7];
    ngx_rtmp_route_counters_t
                              counters;     /* of what has no route */
} ngx_rtmp_route_slots_head_t;


static ngx_uint_t ngx_rtmp_route_slot_take(ngx_uint_t slot);
static void ngx_rtmp_route_slot_free(ngx_uint_t slot, ngx_pid_t pid);
static ngx_uint_t ngx_rtmp_route_slot_gone(ngx_uint_t slot, ngx_pid_t pid);
static void ngx_rtmp_route_slot_read(ngx_event_t *ev);


/*
 * These live as long as the master: made before its first fork and inherited
 * by all workers, whatever configuration they run.
 */

static ngx_uint_t                    ngx_rtmp_route_nslots;
static ngx_rtmp_route_slots_head_t  *ngx_rtmp_route_slots_head;
static ngx_rtmp_route_slot_t        *ngx_rtmp_route_slot_map;
static ngx_fd_t                     *ngx_rtmp_route_slot_fds;

/* of this process */

static ngx_uint_t              ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;
static ngx_uint_t              ngx_rtmp_route_slot_own_cycle;
static ngx_msec_t             *ngx_rtmp_route_slot_checked;
static ngx_connection_t       *ngx_rtmp_route_slot_connection;
static void                  (*ngx_rtmp_route_slot_handler)(void);


ngx_int_t
ngx_rtmp_route_slots_create(ngx_uint_t n, ngx_log_t *log)
{
    size_t       size;
    ngx_shm_t    shm;
    ngx_uint_t   i;
    ngx_fd_t    *fds;
    ngx_msec_t  *checked;

    if (ngx_rtmp_route_nslots) {
        return NGX_OK;
    }

    n = ngx_min(n, NGX_RTMP_ROUTE_SLOTS_LIMIT);

    ngx_memzero(&shm, sizeof(ngx_shm_t));

    size = sizeof(ngx_rtmp_route_slots_head_t)
           + n * sizeof(ngx_rtmp_route_slot_t);

    shm.size = ngx_align(size, ngx_pagesize);
    shm.log = log;
    ngx_str_set(&shm.name, "rtmp_route_slots");

    if (ngx_shm_alloc(&shm) != NGX_OK) {
        return NGX_ERROR;
    }

    size = n * (sizeof(ngx_msec_t) + sizeof(ngx_fd_t));

    checked = ngx_calloc(size, log);
    if (checked == NULL) {
        ngx_shm_free(&shm);
        return NGX_ERROR;
    }

    fds = (ngx_fd_t *) &checked[n];

    for (i = 0; i < n; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);

        if (fds[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "eventfd() failed");

            while (i--) {
                (void) close(fds[i]);
            }

            ngx_free(checked);
            ngx_shm_free(&shm);

            return NGX_ERROR;
        }
    }

    ngx_rtmp_route_slots_head = (ngx_rtmp_route_slots_head_t *) shm.addr;
    ngx_rtmp_route_slot_map = (ngx_rtmp_route_slot_t *)
                                  &ngx_rtmp_route_slots_head[1];
    ngx_rtmp_route_slot_checked = checked;
    ngx_rtmp_route_slot_fds = fds;
    ngx_rtmp_route_nslots = n;

    return NGX_OK;
}


ngx_uint_t
ngx_rtmp_route_slots(void)
{
    return ngx_rtmp_route_nslots;
}


ngx_int_t
ngx_rtmp_route_slot_claim(ngx_cycle_t *cycle, void (*handler)(void))
{
    uint64_t           value;
    ngx_fd_t           fd;
    ngx_uint_t         i;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    if (ngx_rtmp_route_slot_own != NGX_RTMP_ROUTE_NO_SLOT) {
        return NGX_OK;
    }

    for (i = 0; i < ngx_rtmp_route_nslots; i++) {
        if (ngx_rtmp_route_slot_take(i)) {
            break;
        }
    }

    if (i == ngx_rtmp_route_nslots) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "no free slot for this worker process, "
                      "its sessions are not counted");
        return NGX_OK;
    }

    ngx_rtmp_route_slot_own = i;
    ngx_rtmp_route_slot_handler = handler;

    if (handler == NULL) {
        return NGX_OK;
    }

    fd = ngx_rtmp_route_slot_fds[i];

    /* what was meant for the predecessor */

    if (read(fd, &value, sizeof(uint64_t)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "read() eventfd failed");
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        ngx_rtmp_route_slot_release();
        return NGX_ERROR;
    }

    c->pool = cycle->pool;

    rev = c->read;
    rev->log = cycle->log;
    rev->handler = ngx_rtmp_route_slot_read;

    /* as the channel to the master, it is no connection left open at exit */

    rev->channel = 1;
    c->write->channel = 1;

    if (ngx_add_event(rev, NGX_READ_EVENT, 0) == NGX_ERROR) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        ngx_rtmp_route_slot_release();
        return NGX_ERROR;
    }

    ngx_rtmp_route_slot_connection = c;

    return NGX_OK;
}


void
ngx_rtmp_route_slot_release(void)
{
    ngx_uint_t         slot;
    ngx_connection_t  *c;

    slot = ngx_rtmp_route_slot_own;

    if (slot == NGX_RTMP_ROUTE_NO_SLOT) {
        return;
    }

    c = ngx_rtmp_route_slot_connection;

    if (c) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);

        /* the descriptor itself is the master's */

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        ngx_rtmp_route_slot_connection = NULL;
    }

    ngx_rtmp_route_slot_own = NGX_RTMP_ROUTE_NO_SLOT;

    ngx_rtmp_route_slot_free(slot, ngx_pid);
}


void
ngx_rtmp_route_slot_cycle(ngx_uint_t cycle)
{
    ngx_rtmp_route_slot_own_cycle = cycle;

    if (ngx_rtmp_route_slot_own != NGX_RTMP_ROUTE_NO_SLOT) {
        ngx_rtmp_route_slot_map[ngx_rtmp_route_slot_own].cycle = cycle;
    }
}


void
ngx_rtmp_route_slot_count(ngx_uint_t what, ngx_int_t add)
{
    if (ngx_rtmp_route_slot_own != NGX_RTMP_ROUTE_NO_SLOT) {
        ngx_rtmp_route_slot_map[ngx_rtmp_route_slot_own].n[what] += add;
    }
}


ngx_int_t
ngx_rtmp_route_slot_stat(ngx_uint_t slot, ngx_rtmp_route_slot_stat_t *stat)
{
    ngx_uint_t              i;
    ngx_rtmp_route_slot_t  *s;

    if (!ngx_rtmp_route_slot_alive(slot,
                                   ngx_rtmp_route_slot_generation(slot)))
    {
        return NGX_DECLINED;
    }

    s = &ngx_rtmp_route_slot_map[slot];

    stat->pid = (ngx_pid_t) s->pid;
    stat->cycle = s->cycle;

    for (i = 0; i < NGX_RTMP_ROUTE_N; i++) {
        stat->n[i] = s->n[i];
    }

    return NGX_OK;
}


ngx_uint_t
ngx_rtmp_route_slot(void)
{
    return ngx_rtmp_route_slot_own;
}


uint32_t
ngx_rtmp_route_slot_generation(ngx_uint_t slot)
{
    if (slot >= ngx_rtmp_route_nslots) {
        return 0;
    }

    return (uint32_t) ngx_rtmp_route_slot_map[slot].generation;
}


ngx_pid_t
ngx_rtmp_route_slot_pid(ngx_uint_t slot)
{
    if (slot >= ngx_rtmp_route_nslots) {
        return 0;
    }

    return (ngx_pid_t) ngx_rtmp_route_slot_map[slot].pid;
}


ngx_uint_t
ngx_rtmp_route_slot_alive(ngx_uint_t slot, uint32_t generation)
{
    ngx_pid_t               pid;
    ngx_rtmp_route_slot_t  *s;

    if (slot >= ngx_rtmp_route_nslots) {
        return 0;
    }

    s = &ngx_rtmp_route_slot_map[slot];

    pid = (ngx_pid_t) s->pid;

    if ((uint32_t) s->generation != generation || pid == 0) {
        return 0;
    }

    /* a new owner has the slot before its generation: for a moment it counts */

    if (!ngx_rtmp_route_slot_gone(slot, pid)) {
        return 1;
    }

    /* what it has left in the zones is known by the generation */

    ngx_rtmp_route_slot_free(slot, pid);

    return 0;
}


/*
 * Fields 3 and 22 of /proc/PID/stat; the name before may hold any character.
 * No worker has started at 1, which is when the system did.
 */

ngx_uint_t
ngx_rtmp_route_process_start(ngx_pid_t pid)
{
    u_char      *p, *last, name[sizeof("/proc//stat") + NGX_INT64_LEN];
    u_char       buf[1024];
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_uint_t   field, start;

    ngx_sprintf(name, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    last = buf + n;
    p = last;

    do {
        if (p == buf) {
            return 0;
        }

        p--;

    } while (*p != ')');

    /* its parent has not asked yet how it ended */

    if (last - p > 2 && (p[2] == 'Z' || p[2] == 'X')) {
        return NGX_RTMP_ROUTE_PROCESS_DEAD;
    }

    for (field = 2; field < 22; field++) {

        while (p < last && *p != ' ') {
            p++;
        }

        if (p == last) {
            return 0;
        }

        p++;
    }

    start = 0;

    while (p < last && *p >= '0' && *p <= '9') {
        start = start * 10 + (*p++ - '0');
    }

    return start;
}


void
ngx_rtmp_route_slot_wake(ngx_uint_t slot)
{
    uint64_t  value;

    if (slot >= ngx_rtmp_route_nslots) {
        return;
    }

    value = 1;

    /* EAGAIN is a counter that is full: there is something to be read */

    if (write(ngx_rtmp_route_slot_fds[slot], &value, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "write() eventfd failed");
    }
}


time_t
ngx_rtmp_route_slots_draining(void)
{
    return ngx_rtmp_route_nslots ? (time_t) ngx_rtmp_route_slots_head->drain
                                 : 0;
}


ngx_rtmp_route_counters_t *
ngx_rtmp_route_slots_counters(void)
{
    return ngx_rtmp_route_nslots ? &ngx_rtmp_route_slots_head->counters
                                 : NULL;
}


/* of several that ask for the same only one has done it */

ngx_int_t
ngx_rtmp_route_slots_drain(ngx_uint_t drain)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  old;

    if (ngx_rtmp_route_nslots == 0) {
        return NGX_DECLINED;
    }

    old = ngx_rtmp_route_slots_head->drain;

    if ((old != 0) == (drain != 0)
        || !ngx_atomic_cmp_set(&ngx_rtmp_route_slots_head->drain, old,
                               drain ? (ngx_atomic_uint_t) ngx_time() : 0))
    {
        return NGX_DONE;
    }

    for (i = 0; i < ngx_rtmp_route_nslots; i++) {
        if (ngx_rtmp_route_slot_map[i].pid) {
            ngx_rtmp_route_slot_wake(i);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_route_slot_take(ngx_uint_t slot)
{
    ngx_pid_t               pid;
    ngx_uint_t              i;
    ngx_rtmp_route_slot_t  *s;

    s = &ngx_rtmp_route_slot_map[slot];

    pid = (ngx_pid_t) s->pid;

    if (pid) {

        if (!ngx_rtmp_route_slot_gone(slot, pid)) {
            return 0;
        }

        ngx_rtmp_route_slot_free(slot, pid);
    }

    if (!ngx_atomic_cmp_set(&s->pid, 0, (ngx_atomic_uint_t) ngx_pid)) {
        return 0;
    }

    /* the slot is this process' now, its start is unknown until the end */

    s->cycle = ngx_rtmp_route_slot_own_cycle;

    for (i = 0; i < NGX_RTMP_ROUTE_N; i++) {
        s->n[i] = 0;
    }

    s->generation = (uint32_t) (s->generation + 1);

    if (s->generation == 0) {
        s->generation = 1;
    }

    s->start = ngx_rtmp_route_process_start(ngx_pid);

    return 1;
}


/*
 * The start goes first, so that whoever takes the slot next is never seen with
 * the start of another process
 */

static void
ngx_rtmp_route_slot_free(ngx_uint_t slot, ngx_pid_t pid)
{
    ngx_rtmp_route_slot_t  *s;

    s = &ngx_rtmp_route_slot_map[slot];

    s->start = 0;

    ngx_memory_barrier();

    (void) ngx_atomic_cmp_set(&s->pid, (ngx_atomic_uint_t) pid, 0);
}


/* kill() alone does not tell a process from a later one with its pid */

static ngx_uint_t
ngx_rtmp_route_slot_gone(ngx_uint_t slot, ngx_pid_t pid)
{
    ngx_uint_t              start, now;
    ngx_msec_t             *checked;
    ngx_rtmp_route_slot_t  *s;

    if (pid == ngx_pid) {
        return slot != ngx_rtmp_route_slot_own;
    }

    if (kill(pid, 0) == -1 && ngx_errno == ESRCH) {
        return 1;
    }

    s = &ngx_rtmp_route_slot_map[slot];
    checked = &ngx_rtmp_route_slot_checked[slot];

    if (*checked && ngx_current_msec - *checked < NGX_RTMP_ROUTE_SLOT_PROC) {
        return 0;
    }

    *checked = ngx_current_msec ? ngx_current_msec : 1;

    start = s->start;

    now = ngx_rtmp_route_process_start(pid);

    if (now == 0
        || (start == 0 && now != NGX_RTMP_ROUTE_PROCESS_DEAD))
    {
        return 0;
    }

    /* the slot may have changed hands meanwhile */

    return now != start && (ngx_pid_t) s->pid == pid && s->start == start;
}


static void
ngx_rtmp_route_slot_read(ngx_event_t *ev)
{
    ssize_t            n;
    uint64_t           value;
    ngx_connection_t  *c;

    c = ev->data;

    n = read(c->fd, &value, sizeof(uint64_t));

    if (n == -1 && ngx_errno != NGX_EAGAIN && ngx_errno != NGX_EINTR) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "read() eventfd failed");
    }

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, ev->log, 0,
                   "rtmp route slot %ui woken", ngx_rtmp_route_slot_own);

    ngx_rtmp_route_slot_handler();
}
