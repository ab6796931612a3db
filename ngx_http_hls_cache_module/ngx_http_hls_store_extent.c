
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Free pages of the window: blocks of 2^order pages at multiples of their
 * size, each in the bitmap of its order.  Over each bitmap lie others that
 * tell which words have a bit set, so that the first free block is found in a
 * few steps however large the window is.  All of it is derived.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store_int.h"


#define ngx_http_hls_words(sh)  ngx_http_hls_at(sh, words, uint64_t)


static ngx_uint_t ngx_http_hls_store_extent_order(ngx_http_hls_shm_t *sh,
    uint32_t page);
static void ngx_http_hls_store_extent_set(ngx_http_hls_shm_t *sh,
    ngx_uint_t order, uint32_t block);
static void ngx_http_hls_store_extent_clear(ngx_http_hls_shm_t *sh,
    ngx_uint_t order, uint32_t block);
static uint32_t ngx_http_hls_store_extent_first(ngx_http_hls_shm_t *sh,
    ngx_uint_t order);
static ngx_uint_t ngx_http_hls_store_log2(uint32_t n);
static ngx_uint_t ngx_http_hls_store_ctz(uint64_t word);


/* returns the size of all bitmaps; sh->npages is set */

size_t
ngx_http_hls_store_extent_layout(ngx_http_hls_shm_t *sh)
{
    uint32_t              bits, words;
    ngx_http_hls_order_t  *order;

    words = 0;

    for (sh->norders = 0;
         sh->norders < NGX_HTTP_HLS_ORDERS && sh->npages >> sh->norders;
         sh->norders++)
    {
        order = &sh->orders[sh->norders];
        bits = sh->npages >> sh->norders;

        order->nlevels = 0;

        do {
            bits = bits / 64 + (bits % 64 != 0);

            order->level[order->nlevels++] = words;
            words += bits;

        } while (bits > 1);
    }

    sh->nwords = words;

    return words * sizeof(uint64_t);
}


/* makes all pages free */

void
ngx_http_hls_store_extent_reset(ngx_http_hls_shm_t *sh)
{
    ngx_http_hls_touch(sh);

    ngx_memzero(ngx_http_hls_words(sh), sh->nwords * sizeof(uint64_t));

    ngx_http_hls_store_extent_free(sh, 0, sh->npages);
}


uint32_t
ngx_http_hls_store_extent_alloc(ngx_http_hls_shm_t *sh, uint32_t n)
{
    uint32_t    block, start;
    ngx_uint_t  order;

    if (n == 0 || n > sh->npages) {
        return NGX_HTTP_HLS_NO_PAGE;
    }

    order = ngx_http_hls_store_log2(n);

    if (((uint32_t) 1 << order) < n) {
        order++;
    }

    for ( /* void */ ; order < sh->norders; order++) {

        block = ngx_http_hls_store_extent_first(sh, order);

        if (block == NGX_HTTP_HLS_NO_PAGE) {
            continue;
        }

        ngx_http_hls_store_extent_clear(sh, order, block);

        start = block << order;

        ngx_http_hls_store_extent_free(sh, start + n,
                                       ((uint32_t) 1 << order) - n);
        return start;
    }

    return NGX_HTTP_HLS_NO_PAGE;
}


/* the number of pages that can be had in one piece for sure */

uint32_t
ngx_http_hls_store_extent_largest(ngx_http_hls_shm_t *sh)
{
    ngx_uint_t  order;

    for (order = sh->norders; order-- > 0; /* void */ ) {

        if (ngx_http_hls_store_extent_first(sh, order)
            != NGX_HTTP_HLS_NO_PAGE)
        {
            return (uint32_t) 1 << order;
        }
    }

    return 0;
}


void
ngx_http_hls_store_extent_free(ngx_http_hls_shm_t *sh, uint32_t start,
    uint32_t n)
{
    uint32_t    block;
    ngx_uint_t  order;

    ngx_http_hls_touch(sh);

    while (n) {
        order = ngx_http_hls_store_log2(n);

        if (start) {
            order = ngx_min(order, ngx_http_hls_store_ctz(start));
        }

        block = start >> order;

        start += (uint32_t) 1 << order;
        n -= (uint32_t) 1 << order;

        while (order + 1 < sh->norders
               && (block ^ 1) < sh->npages >> order
               && ngx_http_hls_store_extent_test(sh, order, block ^ 1))
        {
            ngx_http_hls_store_extent_clear(sh, order, block ^ 1);
            ngx_http_hls_point();

            block >>= 1;
            order++;
        }

        ngx_http_hls_store_extent_set(sh, order, block);
        ngx_http_hls_point();
    }
}


ngx_int_t
ngx_http_hls_store_extent_take(ngx_http_hls_shm_t *sh, uint32_t start,
    uint32_t n)
{
    uint32_t    page, first, last, end;
    ngx_uint_t  order;

    end = start + n;

    if (end > sh->npages || end < start) {
        return NGX_DECLINED;
    }

    for (page = start; page < end; page = last) {

        order = ngx_http_hls_store_extent_order(sh, page);

        if (order == sh->norders) {
            return NGX_DECLINED;
        }

        last = ((page >> order) + 1) << order;
    }

    ngx_http_hls_touch(sh);

    for (page = start; page < end; page = last) {

        order = ngx_http_hls_store_extent_order(sh, page);

        first = (page >> order) << order;
        last = first + ((uint32_t) 1 << order);

        ngx_http_hls_store_extent_clear(sh, order, page >> order);
        ngx_http_hls_point();

        if (first < start) {
            ngx_http_hls_store_extent_free(sh, first, start - first);
        }

        if (last > end) {
            ngx_http_hls_store_extent_free(sh, end, last - end);
        }
    }

    return NGX_OK;
}


/* the order of the free block that has that page, norders: none */

static ngx_uint_t
ngx_http_hls_store_extent_order(ngx_http_hls_shm_t *sh, uint32_t page)
{
    ngx_uint_t  order;

    for (order = 0; order < sh->norders; order++) {

        if (page >> order >= sh->npages >> order) {
            break;
        }

        if (ngx_http_hls_store_extent_test(sh, order, page >> order)) {
            return order;
        }
    }

    return sh->norders;
}


ngx_uint_t
ngx_http_hls_store_extent_test(ngx_http_hls_shm_t *sh, ngx_uint_t order,
    uint32_t block)
{
    uint64_t  *word;

    word = ngx_http_hls_words(sh) + sh->orders[order].level[0] + block / 64;

    return (*word >> (block % 64)) & 1;
}


static void
ngx_http_hls_store_extent_set(ngx_http_hls_shm_t *sh, ngx_uint_t order,
    uint32_t block)
{
    uint64_t    *word, old;
    ngx_uint_t   i;

    for (i = 0; i < sh->orders[order].nlevels; i++) {

        word = ngx_http_hls_words(sh) + sh->orders[order].level[i]
               + block / 64;
        old = *word;
        *word = old | (uint64_t) 1 << (block % 64);

        if (old) {
            return;
        }

        ngx_http_hls_point();

        block /= 64;
    }
}


static void
ngx_http_hls_store_extent_clear(ngx_http_hls_shm_t *sh, ngx_uint_t order,
    uint32_t block)
{
    uint64_t    *word;
    ngx_uint_t   i;

    ngx_http_hls_touch(sh);

    for (i = 0; i < sh->orders[order].nlevels; i++) {

        word = ngx_http_hls_words(sh) + sh->orders[order].level[i]
               + block / 64;
        *word &= ~((uint64_t) 1 << (block % 64));

        if (*word) {
            return;
        }

        ngx_http_hls_point();

        block /= 64;
    }
}


/* the free block of that order with the lowest address */

static uint32_t
ngx_http_hls_store_extent_first(ngx_http_hls_shm_t *sh, ngx_uint_t order)
{
    uint32_t    n;
    uint64_t    word;
    ngx_uint_t  i;

    n = 0;

    for (i = sh->orders[order].nlevels; i-- > 0; /* void */ ) {

        word = ngx_http_hls_words(sh)[sh->orders[order].level[i] + n];

        if (word == 0) {
            return NGX_HTTP_HLS_NO_PAGE;
        }

        n = n * 64 + (uint32_t) ngx_http_hls_store_ctz(word);
    }

    return n;
}


static ngx_uint_t
ngx_http_hls_store_log2(uint32_t n)
{
#if (__GNUC__)

    return 31 - __builtin_clz(n);

#else

    ngx_uint_t  i;

    for (i = 0; n >>= 1; i++) { /* void */ }

    return i;

#endif
}


static ngx_uint_t
ngx_http_hls_store_ctz(uint64_t word)
{
#if (__GNUC__)

    return __builtin_ctzll(word);

#else

    ngx_uint_t  i;

    for (i = 0; !(word & 1); i++) {
        word >>= 1;
    }

    return i;

#endif
}
