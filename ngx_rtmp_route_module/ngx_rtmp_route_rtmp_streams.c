
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_rtmp.h"
#include "ngx_rtmp_route_slot.h"


#define NGX_RTMP_ROUTE_RTMP_MEMORY   (512 * 1024 * 1024)
#define NGX_RTMP_ROUTE_RTMP_AREA     (2 * 1024 * 1024)
#define NGX_RTMP_ROUTE_RTMP_HEADER   256
#define NGX_RTMP_ROUTE_RTMP_LINKS    8           /* servers of rtmp{} */
#define NGX_RTMP_ROUTE_RTMP_TRIES    8


/*
 * Each slot has an area with two halves.  Its process alone writes, into the
 * half that is not shown, and then shows it by one more in "turn": a process
 * that is killed meanwhile leaves nothing half written.  Pages are used only
 * where something was written.
 */

typedef struct {
    ngx_atomic_t     port;          /* of the server; 0: none */
    u_char           name[NGX_RTMP_ROUTE_RTMP_LINK];
} ngx_rtmp_route_rtmp_link_t;


typedef struct {
    ngx_atomic_t     generation;    /* of the slot; 0: nobody's */
    ngx_atomic_t     turn;
    ngx_atomic_t     cycle;
    ngx_rtmp_route_rtmp_link_t
                     links[NGX_RTMP_ROUTE_RTMP_LINKS];
} ngx_rtmp_route_rtmp_area_t;


typedef struct {
    uint64_t         sum;           /* of what is published */
    size_t           len;
    ngx_uint_t       full;
} ngx_rtmp_route_rtmp_half_t;


/* followed by the name */

typedef struct {
    uint32_t         publishers;
    uint32_t         players;
    uint16_t         port;
    uint16_t         len;
    uint32_t         pulled;        /* from another server, or ... */
    uint32_t         pushed;        /* ... to one: it is not registered */
} ngx_rtmp_route_rtmp_entry_t;


typedef struct {
    ngx_atomic_t     cycle;         /* whose workers may register */
    ngx_atomic_t     leader;        /* slot + 1 */
    ngx_atomic_t     reserved[6];
} ngx_rtmp_route_rtmp_head_t;


static ngx_rtmp_route_rtmp_area_t *ngx_rtmp_route_rtmp_area(ngx_uint_t slot);
static ngx_rtmp_route_rtmp_half_t *ngx_rtmp_route_rtmp_half(
    ngx_rtmp_route_rtmp_area_t *area, ngx_uint_t turn);
static uint64_t ngx_rtmp_route_rtmp_hash(in_port_t port, ngx_str_t *app,
    ngx_str_t *name);
static ngx_uint_t ngx_rtmp_route_rtmp_alive(ngx_uint_t slot);
static ngx_int_t ngx_rtmp_route_rtmp_snapshot(ngx_uint_t slot,
    ngx_pool_t *pool, ngx_rtmp_route_rtmp_half_t **half);
static ngx_int_t ngx_rtmp_route_rtmp_read(ngx_rtmp_route_rtmp_half_t *half,
    ngx_array_t *ports, ngx_array_t *all);
static ngx_rtmp_route_rtmp_link_t *ngx_rtmp_route_rtmp_link(
    ngx_rtmp_route_rtmp_area_t *area, in_port_t port);
static ngx_uint_t ngx_rtmp_route_rtmp_has(ngx_rtmp_route_rtmp_area_t *area,
    in_port_t port, ngx_str_t *app, ngx_str_t *name);
static int ngx_libc_cdecl ngx_rtmp_route_rtmp_cmp(const void *one,
    const void *two);


/* as long as the master lives */

static ngx_rtmp_route_rtmp_head_t  *ngx_rtmp_route_rtmp_head;
static u_char                      *ngx_rtmp_route_rtmp_areas;
static ngx_uint_t                   ngx_rtmp_route_rtmp_nareas;
static size_t                       ngx_rtmp_route_rtmp_area_size;

/* of this process */

static ngx_uint_t                   ngx_rtmp_route_rtmp_cycle;
static ngx_rtmp_route_rtmp_area_t  *ngx_rtmp_route_rtmp_own;
static ngx_rtmp_route_rtmp_half_t  *ngx_rtmp_route_rtmp_writing;


ngx_int_t
ngx_rtmp_route_rtmp_streams_create(ngx_uint_t cycle, ngx_log_t *log)
{
    size_t      size;
    ngx_shm_t   shm;
    ngx_uint_t  n;

    if (ngx_rtmp_route_rtmp_head == NULL) {

        n = ngx_rtmp_route_slots();

        if (n == 0) {
            return NGX_OK;
        }

        /* a half has room for all that is registered at once */

        size = ngx_min(NGX_RTMP_ROUTE_RTMP_MEMORY / n,
                       NGX_RTMP_ROUTE_RTMP_AREA);
        size = ngx_align(size, ngx_pagesize);

        ngx_memzero(&shm, sizeof(ngx_shm_t));

        shm.size = ngx_align(sizeof(ngx_rtmp_route_rtmp_head_t), ngx_pagesize)
                   + n * size;
        shm.log = log;
        ngx_str_set(&shm.name, "rtmp_route_register");

        if (ngx_shm_alloc(&shm) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_rtmp_route_rtmp_head = (ngx_rtmp_route_rtmp_head_t *) shm.addr;
        ngx_rtmp_route_rtmp_areas = shm.addr + (shm.size - n * size);
        ngx_rtmp_route_rtmp_nareas = n;
        ngx_rtmp_route_rtmp_area_size = size;
    }

    ngx_rtmp_route_rtmp_head->cycle = cycle;

    return NGX_OK;
}


static ngx_rtmp_route_rtmp_area_t *
ngx_rtmp_route_rtmp_area(ngx_uint_t slot)
{
    return (ngx_rtmp_route_rtmp_area_t *)
               (ngx_rtmp_route_rtmp_areas
                + slot * ngx_rtmp_route_rtmp_area_size);
}


static ngx_rtmp_route_rtmp_half_t *
ngx_rtmp_route_rtmp_half(ngx_rtmp_route_rtmp_area_t *area, ngx_uint_t turn)
{
    return (ngx_rtmp_route_rtmp_half_t *)
               ((u_char *) area + NGX_RTMP_ROUTE_RTMP_HEADER
                + (turn & 1) * (ngx_rtmp_route_rtmp_area_size / 2));
}


#define ngx_rtmp_route_rtmp_room                                              \
    (ngx_rtmp_route_rtmp_area_size / 2 - NGX_RTMP_ROUTE_RTMP_HEADER           \
     - sizeof(ngx_rtmp_route_rtmp_half_t))


void
ngx_rtmp_route_rtmp_streams_claim(ngx_uint_t cycle)
{
    ngx_uint_t                   slot;
    ngx_rtmp_route_rtmp_area_t  *area;

    slot = ngx_rtmp_route_slot();

    ngx_rtmp_route_rtmp_cycle = cycle;
    ngx_rtmp_route_rtmp_own = NULL;

    if (slot >= ngx_rtmp_route_rtmp_nareas) {
        return;
    }

    area = ngx_rtmp_route_rtmp_area(slot);

    area->generation = 0;
    ngx_memory_barrier();

    area->cycle = cycle;
    ngx_memzero(area->links, sizeof(area->links));

    ngx_memzero(ngx_rtmp_route_rtmp_half(area, area->turn),
                sizeof(ngx_rtmp_route_rtmp_half_t));

    ngx_memory_barrier();
    area->generation = ngx_rtmp_route_slot_generation(slot);

    ngx_rtmp_route_rtmp_own = area;
}


ngx_int_t
ngx_rtmp_route_rtmp_streams_link(in_port_t port, u_char *name)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_rtmp_area_t  *area;

    area = ngx_rtmp_route_rtmp_own;

    if (area == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_RTMP_ROUTE_RTMP_LINKS; i++) {

        if (area->links[i].port == 0) {
            ngx_memcpy(area->links[i].name, name, NGX_RTMP_ROUTE_RTMP_LINK);
            ngx_memory_barrier();
            area->links[i].port = port;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_rtmp_route_rtmp_streams_lead(void)
{
    ngx_rtmp_route_rtmp_head->leader = ngx_rtmp_route_slot() + 1;
}


ngx_uint_t
ngx_rtmp_route_rtmp_streams_leads(void)
{
    return ngx_rtmp_route_rtmp_head
           && ngx_rtmp_route_rtmp_head->cycle == ngx_rtmp_route_rtmp_cycle;
}


void
ngx_rtmp_route_rtmp_streams_begin(void)
{
    ngx_rtmp_route_rtmp_area_t  *area;

    area = ngx_rtmp_route_rtmp_own;

    if (area == NULL) {
        return;
    }

    ngx_rtmp_route_rtmp_writing = ngx_rtmp_route_rtmp_half(area,
                                                           area->turn + 1);

    ngx_memzero(ngx_rtmp_route_rtmp_writing,
                sizeof(ngx_rtmp_route_rtmp_half_t));
}


ngx_int_t
ngx_rtmp_route_rtmp_streams_add(in_port_t port, ngx_str_t *app,
    ngx_str_t *name, ngx_uint_t publishers, ngx_uint_t players)
{
    u_char                       *p;
    size_t                        len;
    ngx_rtmp_route_rtmp_half_t   *half;
    ngx_rtmp_route_rtmp_entry_t   entry;

    half = ngx_rtmp_route_rtmp_writing;

    if (half == NULL) {
        return NGX_OK;
    }

    len = app->len + 1 + name->len;

    if (len > 65535
        || half->len + sizeof(ngx_rtmp_route_rtmp_entry_t) + len
           > ngx_rtmp_route_rtmp_room)
    {
        return NGX_DECLINED;
    }

    entry.pulled = (publishers == NGX_RTMP_ROUTE_RTMP_PULLED);
    entry.pushed = (publishers == NGX_RTMP_ROUTE_RTMP_PUSHED);

    if (entry.pulled || entry.pushed) {
        publishers = 0;
    }

    entry.publishers = (uint32_t) publishers;
    entry.players = (uint32_t) players;
    entry.port = port;
    entry.len = (uint16_t) len;

    p = (u_char *) &half[1] + half->len;

    p = ngx_cpymem(p, &entry, sizeof(ngx_rtmp_route_rtmp_entry_t));
    p = ngx_cpymem(p, app->data, app->len);
    *p++ = '/';
    p = ngx_cpymem(p, name->data, name->len);

    half->len = p - (u_char *) &half[1];

    if (publishers) {
        half->sum += ngx_rtmp_route_rtmp_hash(port, app, name);
    }

    return NGX_OK;
}


/* the sum of these does not depend on an order */

static uint64_t
ngx_rtmp_route_rtmp_hash(in_port_t port, ngx_str_t *app, ngx_str_t *name)
{
    uint64_t  h;

    h = ngx_murmur_hash2(name->data, name->len);
    h = (h << 32) | ngx_crc32_long(name->data, name->len);
    h ^= (uint64_t) ngx_murmur_hash2(app->data, app->len) * 0x9e3779b97f4a7c15;
    h += port;

    h *= 0xff51afd7ed558ccd;
    h ^= h >> 32;

    return h ? h : 1;
}


void
ngx_rtmp_route_rtmp_streams_end(ngx_uint_t full)
{
    uint64_t                     sum;
    ngx_uint_t                   leader;
    ngx_rtmp_route_rtmp_area_t  *area;
    ngx_rtmp_route_rtmp_half_t  *half;

    area = ngx_rtmp_route_rtmp_own;
    half = ngx_rtmp_route_rtmp_writing;

    if (half == NULL) {
        return;
    }

    ngx_rtmp_route_rtmp_writing = NULL;

    half->full = full;
    sum = ngx_rtmp_route_rtmp_half(area, area->turn)->sum;

    ngx_memory_barrier();

    area->turn++;

    if (half->sum == sum) {
        return;
    }

    leader = ngx_rtmp_route_rtmp_head->leader;

    if (leader && leader <= ngx_rtmp_route_slots()) {
        ngx_rtmp_route_slot_wake(leader - 1);
    }
}


static ngx_uint_t
ngx_rtmp_route_rtmp_alive(ngx_uint_t slot)
{
    ngx_rtmp_route_rtmp_area_t  *area;

    area = ngx_rtmp_route_rtmp_area(slot);

    return area->generation
           && ngx_rtmp_route_slot_alive(slot, (uint32_t) area->generation);
}


uint64_t
ngx_rtmp_route_rtmp_streams_sum(void)
{
    uint64_t                     sum;
    ngx_uint_t                   i;
    ngx_rtmp_route_rtmp_area_t  *area;

    sum = 0;

    for (i = 0; i < ngx_rtmp_route_rtmp_nareas; i++) {

        if (ngx_rtmp_route_rtmp_alive(i)) {
            area = ngx_rtmp_route_rtmp_area(i);
            sum += ngx_rtmp_route_rtmp_half(area, area->turn)->sum;
        }
    }

    return sum;
}


ngx_int_t
ngx_rtmp_route_rtmp_streams_collect(ngx_pool_t *pool, ngx_array_t *ports,
    ngx_array_t *streams)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i, full;
    ngx_array_t                    all;
    ngx_rtmp_route_rtmp_half_t    *half;
    ngx_rtmp_route_rtmp_stream_t  *stream, *last;

    full = 0;

    if (ngx_array_init(&all, pool, 64, sizeof(ngx_rtmp_route_rtmp_stream_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < ngx_rtmp_route_rtmp_nareas; i++) {

        if (!ngx_rtmp_route_rtmp_alive(i)) {
            continue;
        }

        rc = ngx_rtmp_route_rtmp_snapshot(i, pool, &half);

        if (rc == NGX_OK) {
            full |= half->full;
            rc = ngx_rtmp_route_rtmp_read(half, ports, &all);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            full = 1;
        }
    }

    stream = all.elts;

    ngx_qsort(stream, all.nelts, sizeof(ngx_rtmp_route_rtmp_stream_t),
              ngx_rtmp_route_rtmp_cmp);

    last = NULL;

    for (i = 0; i < all.nelts; i++) {

        if (last
            && last->name.len == stream[i].name.len
            && ngx_memcmp(last->name.data, stream[i].name.data,
                          last->name.len)
               == 0)
        {
            last->publishers += stream[i].publishers;
            last->players += stream[i].players;
            continue;
        }

        if (last == NULL || last->publishers) {
            last = ngx_array_push(streams);
            if (last == NULL) {
                return NGX_ERROR;
            }
        }

        *last = stream[i];
    }

    /* those that players wait for */

    if (last && last->publishers == 0) {
        streams->nelts--;
    }

    return full ? NGX_DECLINED : NGX_OK;
}


/* a copy, as the process goes on */

static ngx_int_t
ngx_rtmp_route_rtmp_snapshot(ngx_uint_t slot, ngx_pool_t *pool,
    ngx_rtmp_route_rtmp_half_t **half)
{
    size_t                       len;
    ngx_uint_t                   n, turn;
    ngx_rtmp_route_rtmp_area_t  *area;
    ngx_rtmp_route_rtmp_half_t  *from;

    area = ngx_rtmp_route_rtmp_area(slot);

    for (n = 0; n < NGX_RTMP_ROUTE_RTMP_TRIES; n++) {

        turn = area->turn;
        ngx_memory_barrier();

        from = ngx_rtmp_route_rtmp_half(area, turn);
        len = ngx_min(from->len, ngx_rtmp_route_rtmp_room);

        *half = ngx_palloc(pool, sizeof(ngx_rtmp_route_rtmp_half_t) + len);
        if (*half == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(*half, from, sizeof(ngx_rtmp_route_rtmp_half_t) + len);
        (*half)->len = len;

        ngx_memory_barrier();

        if (area->turn == turn) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_rtmp_route_rtmp_read(ngx_rtmp_route_rtmp_half_t *half,
    ngx_array_t *ports, ngx_array_t *all)
{
    u_char                        *p, *last;
    in_port_t                     *port;
    ngx_uint_t                     i;
    ngx_rtmp_route_rtmp_entry_t    entry;
    ngx_rtmp_route_rtmp_stream_t  *stream;

    p = (u_char *) &half[1];
    last = p + half->len;
    port = ports->elts;

    while ((size_t) (last - p) > sizeof(ngx_rtmp_route_rtmp_entry_t)) {

        ngx_memcpy(&entry, p, sizeof(ngx_rtmp_route_rtmp_entry_t));
        p += sizeof(ngx_rtmp_route_rtmp_entry_t);

        if (last - p < entry.len) {
            break;
        }

        for (i = 0; i < ports->nelts; i++) {
            if (port[i] == entry.port) {
                break;
            }
        }

        if (i < ports->nelts) {
            stream = ngx_array_push(all);
            if (stream == NULL) {
                return NGX_ERROR;
            }

            stream->name.data = p;
            stream->name.len = entry.len;
            stream->port = entry.port;
            stream->publishers = entry.publishers;
            stream->players = entry.players;
        }

        p += entry.len;
    }

    return NGX_OK;
}


/*
 * Publishers come before pulls, which are of use only for those of the same
 * configuration; then it is the one that all of these agree on
 */

ngx_int_t
ngx_rtmp_route_rtmp_streams_where(in_port_t port, ngx_str_t *app,
    ngx_str_t *name, ngx_uint_t published, ngx_uint_t (*bad)(u_char *link),
    u_char *link)
{
    uint64_t                     hash, score, best;
    ngx_uint_t                   i, has, most;
    ngx_rtmp_route_rtmp_area_t  *area, *own, *to;
    ngx_rtmp_route_rtmp_link_t  *l;

    own = ngx_rtmp_route_rtmp_own;

    if (own == NULL) {
        return NGX_DECLINED;
    }

    hash = ngx_rtmp_route_rtmp_hash(port, app, name);
    most = 0;
    best = 0;
    to = NULL;

    for (i = 0; i < ngx_rtmp_route_rtmp_nareas; i++) {

        area = ngx_rtmp_route_rtmp_area(i);

        if (area != own && !ngx_rtmp_route_rtmp_alive(i)) {
            continue;
        }

        l = ngx_rtmp_route_rtmp_link(area, port);

        if (l == NULL || (area != own && bad(l->name))) {
            continue;
        }

        has = (area != own) ? ngx_rtmp_route_rtmp_has(area, port, app, name)
                            : 0;

        if ((published || area->cycle != own->cycle) && has != 2) {
            continue;
        }

        score = (hash ^ area->generation ^ ((uint64_t) i << 32))
                * 0x9e3779b97f4a7c15;
        score ^= score >> 29;
        score *= 0xbf58476d1ce4e5b9;
        score ^= score >> 32;

        if (to == NULL || has > most || (has == most && score > best)) {
            most = has;
            best = score;
            to = area;
        }
    }

    if (to == NULL || to == own) {
        return NGX_DECLINED;
    }

    l = ngx_rtmp_route_rtmp_link(to, port);

    if (l == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(link, l->name, NGX_RTMP_ROUTE_RTMP_LINK);

    return NGX_OK;
}


static ngx_rtmp_route_rtmp_link_t *
ngx_rtmp_route_rtmp_link(ngx_rtmp_route_rtmp_area_t *area, in_port_t port)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTMP_ROUTE_RTMP_LINKS; i++) {
        if (area->links[i].port == port) {
            return &area->links[i];
        }
    }

    return NULL;
}


/* 2: it is published there; 1: pulled; 0: neither, as far as it can be told */

static ngx_uint_t
ngx_rtmp_route_rtmp_has(ngx_rtmp_route_rtmp_area_t *area, in_port_t port,
    ngx_str_t *app, ngx_str_t *name)
{
    size_t                        len;
    u_char                       *p, *last;
    ngx_uint_t                    n, turn, has;
    ngx_rtmp_route_rtmp_half_t   *half;
    ngx_rtmp_route_rtmp_entry_t   entry;

    for (n = 0; n < NGX_RTMP_ROUTE_RTMP_TRIES; n++) {

        turn = area->turn;
        ngx_memory_barrier();

        half = ngx_rtmp_route_rtmp_half(area, turn);
        len = half->len;

        p = (u_char *) &half[1];
        last = p + ngx_min(len, ngx_rtmp_route_rtmp_room);
        has = 0;

        while ((size_t) (last - p) > sizeof(ngx_rtmp_route_rtmp_entry_t)) {

            ngx_memcpy(&entry, p, sizeof(ngx_rtmp_route_rtmp_entry_t));
            p += sizeof(ngx_rtmp_route_rtmp_entry_t);

            if (last - p < entry.len) {
                break;
            }

            if (entry.port == port
                && (entry.publishers || entry.pulled || entry.pushed)
                && entry.len == app->len + 1 + name->len
                && ngx_memcmp(p, app->data, app->len) == 0
                && p[app->len] == '/'
                && ngx_memcmp(p + app->len + 1, name->data, name->len) == 0)
            {
                has = entry.pulled ? 1 : 2;
                break;
            }

            p += entry.len;
        }

        ngx_memory_barrier();

        if (area->turn == turn) {
            return has;
        }
    }

    return 0;
}


static int ngx_libc_cdecl
ngx_rtmp_route_rtmp_cmp(const void *one, const void *two)
{
    const ngx_rtmp_route_rtmp_stream_t *a = one;
    const ngx_rtmp_route_rtmp_stream_t *b = two;

    int  rc;

    rc = ngx_memcmp(a->name.data, b->name.data,
                    ngx_min(a->name.len, b->name.len));

    return rc ? rc : (int) a->name.len - (int) b->name.len;
}
