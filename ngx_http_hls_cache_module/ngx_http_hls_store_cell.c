
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


#define NGX_HTTP_HLS_TEXT_ROOM                                                \
    (sizeof(ngx_http_hls_text_cell_t)                                         \
     - offsetof(ngx_http_hls_text_cell_t, data))

#define ngx_http_hls_rotl(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))


static void ngx_http_hls_store_sipround(uint64_t v[4]);
static void ngx_http_hls_store_cell_push(ngx_http_hls_shm_t *sh, uint32_t i);


/*
 * SipHash-1-3 of 128 bits: viewers choose the keys, and entries are told apart
 * by it alone
 */

void
ngx_http_hls_store_hash(uint64_t seed[2], u_char *data, size_t len,
    uint64_t hash[2])
{
    u_char      *last;
    uint64_t     m, v[4];
    ngx_uint_t   i;

    v[0] = seed[0] ^ 0x736f6d6570736575ULL;
    v[1] = seed[1] ^ 0x646f72616e646f6dULL ^ 0xee;
    v[2] = seed[0] ^ 0x6c7967656e657261ULL;
    v[3] = seed[1] ^ 0x7465646279746573ULL;

    last = data + (len & ~(size_t) 7);

    while (data < last) {
        ngx_memcpy(&m, data, 8);

        v[3] ^= m;
        ngx_http_hls_store_sipround(v);
        v[0] ^= m;

        data += 8;
    }

    m = (uint64_t) len << 56;

    for (i = 0; i < (len & 7); i++) {
        m |= (uint64_t) data[i] << (i * 8);
    }

    v[3] ^= m;
    ngx_http_hls_store_sipround(v);
    v[0] ^= m;

    v[2] ^= 0xee;

    ngx_http_hls_store_sipround(v);
    ngx_http_hls_store_sipround(v);
    ngx_http_hls_store_sipround(v);

    hash[0] = v[0] ^ v[1] ^ v[2] ^ v[3];

    v[1] ^= 0xdd;

    ngx_http_hls_store_sipround(v);
    ngx_http_hls_store_sipround(v);
    ngx_http_hls_store_sipround(v);

    hash[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}


static void
ngx_http_hls_store_sipround(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ngx_http_hls_rotl(v[1], 13) ^ v[0];
    v[0] = ngx_http_hls_rotl(v[0], 32);
    v[2] += v[3];
    v[3] = ngx_http_hls_rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ngx_http_hls_rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ngx_http_hls_rotl(v[1], 17) ^ v[2];
    v[2] = ngx_http_hls_rotl(v[2], 32);
}


/* cells were reserved; what is returned is still a free one to a rebuild */

uint32_t
ngx_http_hls_store_cell_alloc(ngx_http_hls_shm_t *sh)
{
    uint32_t                   i;
    ngx_http_hls_text_cell_t  *cell;

    ngx_http_hls_touch(sh);

    i = sh->cell_free;

    if (i) {
        sh->cell_free = ngx_http_hls_text(sh, i)->text;
        ngx_http_hls_point();
        sh->cell_nfree--;

    } else {

        if (sh->cell_top == sh->ncells) {
            return 0;
        }

        /* a cell that was never used is not written before */

        i = sh->cell_top + 1;

        cell = ngx_http_hls_text(sh, i);
        cell->type = NGX_HTTP_HLS_CELL_FREE;

        ngx_memory_barrier();
        ngx_http_hls_point();

        sh->cell_top = i;
    }

    ngx_http_hls_point();

    ngx_http_hls_text(sh, i)->text = 0;

    return i;
}


/* frees a record with the cells of its text */

void
ngx_http_hls_store_cell_free(ngx_http_hls_shm_t *sh, uint32_t i)
{
    uint32_t  next;

    ngx_http_hls_touch(sh);

    while (i) {
        next = ngx_http_hls_text(sh, i)->text;
        ngx_http_hls_store_cell_push(sh, i);
        i = next;
    }
}


static void
ngx_http_hls_store_cell_push(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_text_cell_t  *cell;

    cell = ngx_http_hls_text(sh, i);

    cell->type = NGX_HTTP_HLS_CELL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    cell->text = sh->cell_free;
    ngx_http_hls_point();
    sh->cell_free = i;
    ngx_http_hls_point();
    sh->cell_nfree++;
    ngx_http_hls_point();
}


uint32_t
ngx_http_hls_store_small_alloc(ngx_http_hls_shm_t *sh)
{
    uint32_t             i;
    ngx_http_hls_ref_t  *cell;

    ngx_http_hls_touch(sh);

    i = sh->small_free;

    if (i) {
        sh->small_free = ngx_http_hls_ref(sh, i)->next;
        ngx_http_hls_point();
        sh->small_nfree--;

    } else {

        if (sh->small_top == sh->nsmalls) {
            return 0;
        }

        i = sh->small_top + 1;

        cell = ngx_http_hls_ref(sh, i);
        cell->type = NGX_HTTP_HLS_SMALL_FREE;

        ngx_memory_barrier();
        ngx_http_hls_point();

        sh->small_top = i;
    }

    ngx_http_hls_point();

    return i;
}


void
ngx_http_hls_store_small_free(ngx_http_hls_shm_t *sh, uint32_t i)
{
    ngx_http_hls_ref_t  *cell;

    ngx_http_hls_touch(sh);

    cell = ngx_http_hls_ref(sh, i);

    cell->type = NGX_HTTP_HLS_SMALL_FREE;

    ngx_memory_barrier();
    ngx_http_hls_point();

    cell->next = sh->small_free;
    ngx_http_hls_point();
    sh->small_free = i;
    ngx_http_hls_point();
    sh->small_nfree++;
    ngx_http_hls_point();
}


ngx_uint_t
ngx_http_hls_store_text_cells(size_t len, size_t room)
{
    if (len <= room) {
        return 0;
    }

    return (len - room + NGX_HTTP_HLS_TEXT_ROOM - 1) / NGX_HTTP_HLS_TEXT_ROOM;
}


/* cells were reserved; returns the first one of text */

uint32_t
ngx_http_hls_store_text_put(ngx_http_hls_shm_t *sh, u_char *data, size_t room,
    u_char *src, size_t len)
{
    size_t                     n;
    uint32_t                   i, first, *link;
    ngx_http_hls_text_cell_t  *cell;

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

        i = ngx_http_hls_store_cell_alloc(sh);
        if (i == 0) {
            break;
        }

        cell = ngx_http_hls_text(sh, i);

        n = ngx_min(len, NGX_HTTP_HLS_TEXT_ROOM);
        ngx_memcpy(cell->data, src, n);

        ngx_http_hls_point();
        cell->type = NGX_HTTP_HLS_CELL_TEXT;
        ngx_http_hls_point();

        *link = i;
        link = &cell->text;
    }

    return first;
}


void
ngx_http_hls_store_text_get(ngx_http_hls_shm_t *sh, u_char *data, size_t room,
    uint32_t text, u_char *dst, size_t len)
{
    size_t                     n;
    ngx_http_hls_text_cell_t  *cell;

    for ( ;; ) {
        n = ngx_min(len, room);
        dst = ngx_cpymem(dst, data, n);
        len -= n;

        if (len == 0 || text == 0) {
            return;
        }

        cell = ngx_http_hls_text(sh, text);

        data = cell->data;
        room = NGX_HTTP_HLS_TEXT_ROOM;
        text = cell->text;
    }
}
