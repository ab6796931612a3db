
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


#define NGX_RTMP_ROUTE_TEXT_ROOM                                              \
    (sizeof(ngx_rtmp_route_text_cell_t)                                       \
     - offsetof(ngx_rtmp_route_text_cell_t, data))

#define ngx_rtmp_route_rotl(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))


static void ngx_rtmp_route_sipround(uint64_t v[4]);
static void ngx_rtmp_route_cell_push(ngx_rtmp_route_shm_t *sh, uint32_t i);


/*
 * SipHash-1-3: clients choose the names of streams, so buckets depend on a
 * secret; with a fixed seed it is what proxies agree on
 */

uint64_t
ngx_rtmp_route_siphash(uint64_t seed[2], u_char *data, size_t len)
{
    u_char      *last;
    uint64_t     m, v[4];
    ngx_uint_t   i;

    v[0] = seed[0] ^ 0x736f6d6570736575ULL;
    v[1] = seed[1] ^ 0x646f72616e646f6dULL;
    v[2] = seed[0] ^ 0x6c7967656e657261ULL;
    v[3] = seed[1] ^ 0x7465646279746573ULL;

    last = data + (len & ~(size_t) 7);

    while (data < last) {
        m = 0;

        for (i = 0; i < 8; i++) {
            m |= (uint64_t) data[i] << (i * 8);
        }

        v[3] ^= m;
        ngx_rtmp_route_sipround(v);
        v[0] ^= m;

        data += 8;
    }

    m = (uint64_t) len << 56;

    for (i = 0; i < (len & 7); i++) {
        m |= (uint64_t) data[i] << (i * 8);
    }

    v[3] ^= m;
    ngx_rtmp_route_sipround(v);
    v[0] ^= m;

    v[2] ^= 0xff;

    ngx_rtmp_route_sipround(v);
    ngx_rtmp_route_sipround(v);
    ngx_rtmp_route_sipround(v);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


static void
ngx_rtmp_route_sipround(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ngx_rtmp_route_rotl(v[1], 13) ^ v[0];
    v[0] = ngx_rtmp_route_rotl(v[0], 32);
    v[2] += v[3];
    v[3] = ngx_rtmp_route_rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ngx_rtmp_route_rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ngx_rtmp_route_rotl(v[1], 17) ^ v[2];
    v[2] = ngx_rtmp_route_rotl(v[2], 32);
}


ngx_int_t
ngx_rtmp_route_cells_reserve(ngx_rtmp_route_table_t *table, ngx_uint_t n)
{
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    while (sh->nfree + (sh->ncells - sh->top) < n) {

        if (sh->lru_last == 0) {
            sh->full++;

            if (sh->full_logged == 0
                || ngx_rtmp_route_passed(sh->full_logged) >= 60000)
            {
                sh->full_logged = ngx_current_msec ? ngx_current_msec : 1;
                table->log_full = 1;
            }

            return NGX_DECLINED;
        }

        ngx_rtmp_route_stream_drop(sh, sh->lru_last);

        sh->evicted++;
    }

    return NGX_OK;
}


/* what is returned is still a free cell to a rebuild */

uint32_t
ngx_rtmp_route_cell_alloc(ngx_rtmp_route_shm_t *sh)
{
    uint32_t                     i;
    ngx_rtmp_route_text_cell_t  *cell;

    ngx_rtmp_route_table_touch(sh);

    i = sh->free;

    if (i) {
        sh->free = ngx_rtmp_route_text(sh, i)->text;
        ngx_rtmp_route_point();
        sh->nfree--;

    } else {

        if (sh->top == sh->ncells) {
            return 0;
        }

        /* a cell that was never used is not written before */

        i = sh->top + 1;

        cell = ngx_rtmp_route_text(sh, i);
        cell->type = NGX_RTMP_ROUTE_CELL_FREE;

        ngx_memory_barrier();
        ngx_rtmp_route_point();

        sh->top = i;
    }

    ngx_rtmp_route_point();

    ngx_rtmp_route_text(sh, i)->text = 0;

    return i;
}


/* frees a record with the cells of its text */

void
ngx_rtmp_route_cell_free(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    uint32_t  next;

    ngx_rtmp_route_table_touch(sh);

    while (i) {
        next = ngx_rtmp_route_text(sh, i)->text;
        ngx_rtmp_route_cell_push(sh, i);
        i = next;
    }
}


ngx_uint_t
ngx_rtmp_route_cells_step(ngx_rtmp_route_shm_t *sh, uint32_t i, uint32_t n,
    uint32_t *last)
{
    *last = sh->top;

    if (*last > i && *last - i > n) {
        *last = i + n;
        return 1;
    }

    return 0;
}


static void
ngx_rtmp_route_cell_push(ngx_rtmp_route_shm_t *sh, uint32_t i)
{
    ngx_rtmp_route_text_cell_t  *cell;

    cell = ngx_rtmp_route_text(sh, i);

    cell->type = NGX_RTMP_ROUTE_CELL_FREE;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    cell->text = sh->free;
    ngx_rtmp_route_point();
    sh->free = i;
    ngx_rtmp_route_point();
    sh->nfree++;
    ngx_rtmp_route_point();
}


ngx_uint_t
ngx_rtmp_route_text_cells(size_t len, size_t room)
{
    if (len <= room) {
        return 0;
    }

    return (len - room + NGX_RTMP_ROUTE_TEXT_ROOM - 1)
           / NGX_RTMP_ROUTE_TEXT_ROOM;
}


/* cells were reserved; returns the first one of text */

uint32_t
ngx_rtmp_route_text_put(ngx_rtmp_route_shm_t *sh, u_char *data, size_t room,
    u_char *src, size_t len)
{
    size_t                       n;
    uint32_t                     i, first, *link;
    ngx_rtmp_route_text_cell_t  *cell;

    n = ngx_min(len, room);
    ngx_memcpy(data, src, n);

    first = 0;
    link = &first;

    for ( ;; ) {
        src += n;
        len -= n;

        if (len == 0) {
            break;
        }

        i = ngx_rtmp_route_cell_alloc(sh);
        if (i == 0) {
            break;
        }

        cell = ngx_rtmp_route_text(sh, i);

        n = ngx_min(len, NGX_RTMP_ROUTE_TEXT_ROOM);
        ngx_memcpy(cell->data, src, n);

        ngx_rtmp_route_point();
        cell->type = NGX_RTMP_ROUTE_CELL_TEXT;
        ngx_rtmp_route_point();

        *link = i;
        link = &cell->text;
    }

    return first;
}


void
ngx_rtmp_route_text_get(ngx_rtmp_route_shm_t *sh, u_char *data, size_t room,
    uint32_t text, u_char *dst, size_t len)
{
    size_t                       n;
    ngx_rtmp_route_text_cell_t  *cell;

    for ( ;; ) {
        n = ngx_min(len, room);
        dst = ngx_cpymem(dst, data, n);
        len -= n;

        if (len == 0 || text == 0) {
            return;
        }

        cell = ngx_rtmp_route_text(sh, text);

        data = cell->data;
        room = NGX_RTMP_ROUTE_TEXT_ROOM;
        text = cell->text;
    }
}


ngx_uint_t
ngx_rtmp_route_text_equal(ngx_rtmp_route_shm_t *sh, u_char *data, size_t room,
    uint32_t text, u_char *key, size_t len)
{
    size_t                       n;
    ngx_rtmp_route_text_cell_t  *cell;

    for ( ;; ) {
        n = ngx_min(len, room);

        if (ngx_memcmp(data, key, n) != 0) {
            return 0;
        }

        key += n;
        len -= n;

        if (len == 0) {
            return 1;
        }

        if (text == 0) {
            return 0;
        }

        cell = ngx_rtmp_route_text(sh, text);

        data = cell->data;
        room = NGX_RTMP_ROUTE_TEXT_ROOM;
        text = cell->text;
    }
}
