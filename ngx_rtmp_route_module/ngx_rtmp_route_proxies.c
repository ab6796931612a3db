
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_proxies.h"


/*
 * What was written while "turn" was odd, or has changed meanwhile, was not
 * seen.  A process that is killed leaves an odd one to its successor.
 */

typedef struct {
    ngx_atomic_t                turn;
    ngx_atomic_t                until;      /* ms of the monotonic clock */
    uint64_t                    key;
    ngx_rtmp_route_endpoint_t   addr;       /* family 0: free */
} ngx_rtmp_route_proxies_entry_t;


typedef struct {
    ngx_atomic_t                used;       /* entries that ever were */
    ngx_atomic_t                reserved[7];
} ngx_rtmp_route_proxies_head_t;


static ngx_rtmp_route_proxies_entry_t *ngx_rtmp_route_proxies_place(
    uint64_t key, ngx_rtmp_route_endpoint_t *addr);
static ngx_uint_t ngx_rtmp_route_proxies_over(
    ngx_rtmp_route_proxies_entry_t *entry);
static void ngx_rtmp_route_proxies_write(ngx_rtmp_route_proxies_entry_t *entry,
    uint64_t key, ngx_rtmp_route_endpoint_t *addr, ngx_msec_t until);


/* as long as the master lives */

static ngx_rtmp_route_proxies_head_t   *ngx_rtmp_route_proxies_head;
static ngx_rtmp_route_proxies_entry_t  *ngx_rtmp_route_proxies;


ngx_int_t
ngx_rtmp_route_proxies_create(ngx_log_t *log)
{
    ngx_shm_t  shm;

    if (ngx_rtmp_route_proxies_head) {
        return NGX_OK;
    }

    ngx_memzero(&shm, sizeof(ngx_shm_t));

    shm.size = ngx_align(sizeof(ngx_rtmp_route_proxies_head_t)
                         + NGX_RTMP_ROUTE_PROXIES_MAX
                           * sizeof(ngx_rtmp_route_proxies_entry_t),
                         ngx_pagesize);
    shm.log = log;
    ngx_str_set(&shm.name, "rtmp_route_proxies");

    if (ngx_shm_alloc(&shm) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rtmp_route_proxies_head = (ngx_rtmp_route_proxies_head_t *) shm.addr;
    ngx_rtmp_route_proxies = (ngx_rtmp_route_proxies_entry_t *)
                                 &ngx_rtmp_route_proxies_head[1];

    return NGX_OK;
}


uint64_t
ngx_rtmp_route_proxies_key(ngx_str_t *url)
{
    return ((uint64_t) ngx_murmur_hash2(url->data, url->len) << 32)
           | ngx_crc32_long(url->data, url->len);
}


void
ngx_rtmp_route_proxies_only(uint64_t *keys, ngx_uint_t n)
{
    ngx_uint_t                       i, k;
    ngx_rtmp_route_endpoint_t        none;
    ngx_rtmp_route_proxies_entry_t  *entry;

    if (ngx_rtmp_route_proxies_head == NULL) {
        return;
    }

    ngx_memzero(&none, sizeof(ngx_rtmp_route_endpoint_t));

    for (i = 0; i < ngx_rtmp_route_proxies_head->used; i++) {
        entry = &ngx_rtmp_route_proxies[i];

        for (k = 0; k < n; k++) {
            if (entry->key == keys[k]) {
                break;
            }
        }

        if (k == n || entry->turn & 1) {
            ngx_rtmp_route_proxies_write(entry, 0, &none, 0);
        }
    }
}


ngx_int_t
ngx_rtmp_route_proxies_note(uint64_t key, struct sockaddr *sockaddr,
    ngx_msec_t time)
{
    ngx_int_t                        rc;
    ngx_uint_t                       n;
    ngx_rtmp_route_endpoint_t        addr;
    ngx_rtmp_route_proxies_entry_t  *entry;

    if (ngx_rtmp_route_proxies_head == NULL
        || ngx_rtmp_route_endpoint_from(sockaddr, &addr) != NGX_OK)
    {
        return NGX_OK;
    }

    addr.port = 0;

    entry = ngx_rtmp_route_proxies_place(key, &addr);

    if (entry->key == key
        && ngx_memcmp(&entry->addr, &addr, sizeof(addr)) == 0)
    {
        entry->until = ngx_current_msec + time;
        return NGX_OK;
    }

    rc = ngx_rtmp_route_proxies_over(entry) ? NGX_OK : NGX_DECLINED;

    ngx_rtmp_route_proxies_write(entry, key, &addr, ngx_current_msec + time);

    n = entry - ngx_rtmp_route_proxies + 1;

    if (n > ngx_rtmp_route_proxies_head->used) {
        ngx_memory_barrier();
        ngx_rtmp_route_proxies_head->used = n;
    }

    return rc;
}


/* its own, one that is free or over, or that which is over next */

static ngx_rtmp_route_proxies_entry_t *
ngx_rtmp_route_proxies_place(uint64_t key, ngx_rtmp_route_endpoint_t *addr)
{
    ngx_uint_t                       i;
    ngx_rtmp_route_proxies_entry_t  *entry, *best;

    best = NULL;

    for (i = 0; i < ngx_rtmp_route_proxies_head->used; i++) {
        entry = &ngx_rtmp_route_proxies[i];

        if (entry->key == key
            && ngx_memcmp(&entry->addr, addr,
                          sizeof(ngx_rtmp_route_endpoint_t))
               == 0)
        {
            return entry;
        }

        if (best && ngx_rtmp_route_proxies_over(best)) {
            continue;
        }

        if (best == NULL
            || ngx_rtmp_route_proxies_over(entry)
            || (ngx_msec_int_t) (entry->until - best->until) < 0)
        {
            best = entry;
        }
    }

    if ((best == NULL || !ngx_rtmp_route_proxies_over(best))
        && i < NGX_RTMP_ROUTE_PROXIES_MAX)
    {
        return &ngx_rtmp_route_proxies[i];
    }

    return best;
}


static ngx_uint_t
ngx_rtmp_route_proxies_over(ngx_rtmp_route_proxies_entry_t *entry)
{
    return entry->addr.family == 0
           || (ngx_msec_int_t) (entry->until - ngx_current_msec) <= 0;
}


static void
ngx_rtmp_route_proxies_write(ngx_rtmp_route_proxies_entry_t *entry,
    uint64_t key, ngx_rtmp_route_endpoint_t *addr, ngx_msec_t until)
{
    entry->turn |= 1;

    ngx_memory_barrier();

    entry->key = key;
    entry->addr = *addr;
    entry->until = until;

    ngx_memory_barrier();

    entry->turn++;
}


void
ngx_rtmp_route_proxies_keep(ngx_msec_t time)
{
    ngx_uint_t                       i;
    ngx_msec_t                       until;
    ngx_rtmp_route_proxies_entry_t  *entry;

    if (ngx_rtmp_route_proxies_head == NULL) {
        return;
    }

    until = ngx_current_msec + time;

    for (i = 0; i < ngx_rtmp_route_proxies_head->used; i++) {
        entry = &ngx_rtmp_route_proxies[i];

        if (!ngx_rtmp_route_proxies_over(entry)
            && (ngx_msec_int_t) (until - entry->until) > 0)
        {
            entry->until = until;
        }
    }
}


ngx_uint_t
ngx_rtmp_route_proxies_has(ngx_rtmp_route_endpoint_t *addr)
{
    ngx_uint_t                       i, over, same;
    ngx_atomic_uint_t                turn;
    ngx_rtmp_route_endpoint_t        key;
    ngx_rtmp_route_proxies_entry_t  *entry;

    if (ngx_rtmp_route_proxies_head == NULL || addr->family == 0) {
        return 0;
    }

    key = *addr;
    key.port = 0;

    for (i = 0; i < ngx_rtmp_route_proxies_head->used; i++) {
        entry = &ngx_rtmp_route_proxies[i];

        if (ngx_memcmp(&entry->addr, &key, sizeof(key)) != 0) {
            continue;
        }

        turn = entry->turn;
        ngx_memory_barrier();

        same = ngx_memcmp(&entry->addr, &key, sizeof(key)) == 0;
        over = ngx_rtmp_route_proxies_over(entry);

        ngx_memory_barrier();

        if (same && !over && (turn & 1) == 0 && entry->turn == turn) {
            return 1;
        }
    }

    return 0;
}
