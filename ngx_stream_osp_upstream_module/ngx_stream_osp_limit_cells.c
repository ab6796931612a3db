
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A cell is a counter or a place, and counts if its type is set, which is the
 * last thing when it is made and the first when it goes.  A counter has its
 * key, a place its counter, its slot and the stream.  All else (sums, queues,
 * chains) follows from that: while it is changed sh->dirty is set, and whoever
 * finds that set with the lock in his hand makes it anew.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_stream_osp_limit_int.h"


static void ngx_stream_osp_limit_link(ngx_stream_osp_limit_shm_t *sh,
    uint32_t i, ngx_uint_t tail);
static void ngx_stream_osp_limit_unlink(ngx_stream_osp_limit_shm_t *sh,
    uint32_t i);
static uint32_t ngx_stream_osp_limit_alloc(ngx_stream_osp_limit_shm_t *sh);
static void ngx_stream_osp_limit_push(ngx_stream_osp_limit_shm_t *sh,
    uint32_t i);
static void ngx_stream_osp_limit_rebuild_place(
    ngx_stream_osp_limit_shm_t *sh, uint32_t i);


void
ngx_stream_osp_limit_touch(ngx_stream_osp_limit_shm_t *sh)
{
    if (!sh->dirty) {
        sh->dirty = 1;
        ngx_memory_barrier();
        ngx_stream_osp_limit_point();
    }
}


uint32_t
ngx_stream_osp_limit_find(ngx_stream_osp_limit_shm_t *sh,
    ngx_stream_osp_limit_key_t *key)
{
    uint32_t                         i;
    ngx_stream_osp_limit_counter_t  *counter;

    for (i = *ngx_stream_osp_limit_bucket(sh, key); i; i = counter->next) {

        counter = ngx_stream_osp_limit_counter(sh, i);

        if (counter->key.hash[0] == key->hash[0]
            && counter->key.hash[1] == key->hash[1])
        {
            break;
        }
    }

    return i;
}


ngx_uint_t
ngx_stream_osp_limit_has(ngx_stream_osp_limit_shm_t *sh, uint32_t counter,
    ngx_stream_osp_limit_key_t *stream)
{
    uint32_t                        i;
    ngx_stream_osp_limit_placed_t  *place;

    i = *ngx_stream_osp_limit_streams(sh, stream->hash[0], counter);

    while (i) {
        place = ngx_stream_osp_limit_place(sh, i);

        if (place->counter == counter && place->stream == stream->hash[0]) {
            return 1;
        }

        i = place->stream_next;
    }

    return 0;
}


uint32_t
ngx_stream_osp_limit_add(ngx_stream_osp_limit_shm_t *sh,
    ngx_stream_osp_limit_key_t *key, ngx_stream_osp_limit_key_t *stream)
{
    uint32_t                         i, c, *bucket;
    ngx_stream_osp_limit_placed_t   *place;
    ngx_stream_osp_limit_counter_t  *counter;

    ngx_stream_osp_limit_touch(sh);

    c = ngx_stream_osp_limit_find(sh, key);

    if (c == 0) {
        c = ngx_stream_osp_limit_alloc(sh);

        counter = ngx_stream_osp_limit_counter(sh, c);
        bucket = ngx_stream_osp_limit_bucket(sh, key);

        counter->key = *key;
        counter->count = 0;
        counter->next = *bucket;

        ngx_memory_barrier();
        ngx_stream_osp_limit_point();

        counter->type = NGX_STREAM_OSP_LIMIT_COUNTER;

        ngx_stream_osp_limit_point();

        *bucket = c;
        sh->counters++;

        ngx_stream_osp_limit_point();
    }

    i = ngx_stream_osp_limit_alloc(sh);

    place = ngx_stream_osp_limit_place(sh, i);

    place->slot = (uint32_t) ngx_rtmp_route_slot();
    place->generation = ngx_rtmp_route_slot_generation(place->slot);
    place->counter = c;
    place->stream = stream ? stream->hash[0] : 0;

    ngx_memory_barrier();
    ngx_stream_osp_limit_point();

    place->type = NGX_STREAM_OSP_LIMIT_PLACE;

    ngx_memory_barrier();
    ngx_stream_osp_limit_point();

    ngx_stream_osp_limit_link(sh, i, 0);

    return i;
}


void
ngx_stream_osp_limit_drop(ngx_stream_osp_limit_shm_t *sh, uint32_t i)
{
    uint32_t                         c, *link;
    ngx_stream_osp_limit_placed_t   *place;
    ngx_stream_osp_limit_counter_t  *counter;

    ngx_stream_osp_limit_touch(sh);

    place = ngx_stream_osp_limit_place(sh, i);
    c = place->counter;

    place->type = NGX_STREAM_OSP_LIMIT_FREE;

    ngx_memory_barrier();
    ngx_stream_osp_limit_point();

    ngx_stream_osp_limit_unlink(sh, i);
    ngx_stream_osp_limit_push(sh, i);

    counter = ngx_stream_osp_limit_counter(sh, c);

    if (counter->count) {
        return;
    }

    counter->type = NGX_STREAM_OSP_LIMIT_FREE;

    ngx_memory_barrier();
    ngx_stream_osp_limit_point();

    link = ngx_stream_osp_limit_bucket(sh, &counter->key);

    while (*link != c) {
        link = &ngx_stream_osp_limit_counter(sh, *link)->next;
    }

    *link = counter->next;
    sh->counters--;

    ngx_stream_osp_limit_point();

    ngx_stream_osp_limit_push(sh, c);
}


/* into all that it is in; tail: behind the others of its slot */

static void
ngx_stream_osp_limit_link(ngx_stream_osp_limit_shm_t *sh, uint32_t i,
    ngx_uint_t tail)
{
    uint32_t                       *head, *bucket;
    ngx_stream_osp_limit_placed_t  *place, *first;

    place = ngx_stream_osp_limit_place(sh, i);
    head = ngx_stream_osp_limit_head(sh, place->slot);

    if (*head == 0) {
        place->prev = i;
        place->next = i;
        *head = i;

    } else {
        first = ngx_stream_osp_limit_place(sh, *head);

        place->next = *head;
        place->prev = first->prev;

        ngx_stream_osp_limit_place(sh, first->prev)->next = i;
        ngx_stream_osp_limit_point();
        first->prev = i;

        if (!tail) {
            *head = i;
        }
    }

    ngx_stream_osp_limit_point();

    sh->places++;
    ngx_stream_osp_limit_counter(sh, place->counter)->count++;

    ngx_stream_osp_limit_point();

    if (place->stream == 0) {
        return;
    }

    bucket = ngx_stream_osp_limit_streams(sh, place->stream, place->counter);

    place->stream_prev = 0;
    place->stream_next = *bucket;

    if (*bucket) {
        ngx_stream_osp_limit_place(sh, *bucket)->stream_prev = i;
        ngx_stream_osp_limit_point();
    }

    *bucket = i;

    ngx_stream_osp_limit_point();
}


static void
ngx_stream_osp_limit_unlink(ngx_stream_osp_limit_shm_t *sh, uint32_t i)
{
    uint32_t                       *head;
    ngx_stream_osp_limit_placed_t  *place;

    place = ngx_stream_osp_limit_place(sh, i);
    head = ngx_stream_osp_limit_head(sh, place->slot);

    if (place->next == i) {
        *head = 0;

    } else {
        ngx_stream_osp_limit_place(sh, place->prev)->next = place->next;
        ngx_stream_osp_limit_point();
        ngx_stream_osp_limit_place(sh, place->next)->prev = place->prev;

        if (*head == i) {
            *head = place->next;
        }
    }

    ngx_stream_osp_limit_point();

    sh->places--;
    ngx_stream_osp_limit_counter(sh, place->counter)->count--;

    ngx_stream_osp_limit_point();

    if (place->stream == 0) {
        return;
    }

    if (place->stream_prev) {
        ngx_stream_osp_limit_place(sh, place->stream_prev)->stream_next
                                                        = place->stream_next;

    } else {
        *ngx_stream_osp_limit_streams(sh, place->stream, place->counter)
                                                        = place->stream_next;
    }

    ngx_stream_osp_limit_point();

    if (place->stream_next) {
        ngx_stream_osp_limit_place(sh, place->stream_next)->stream_prev
                                                        = place->stream_prev;
        ngx_stream_osp_limit_point();
    }
}


static uint32_t
ngx_stream_osp_limit_alloc(ngx_stream_osp_limit_shm_t *sh)
{
    uint32_t  i;

    i = sh->free;

    if (i) {
        sh->free = ngx_stream_osp_limit_free(sh, i)->next;
        ngx_stream_osp_limit_point();
        sh->nfree--;

    } else {

        /* a cell that was never used may hold anything */

        i = sh->top + 1;

        ngx_stream_osp_limit_free(sh, i)->type = NGX_STREAM_OSP_LIMIT_FREE;

        ngx_memory_barrier();
        ngx_stream_osp_limit_point();

        sh->top = i;
    }

    ngx_stream_osp_limit_point();

    return i;
}


static void
ngx_stream_osp_limit_push(ngx_stream_osp_limit_shm_t *sh, uint32_t i)
{
    ngx_stream_osp_limit_free(sh, i)->next = sh->free;
    ngx_stream_osp_limit_point();
    sh->free = i;
    ngx_stream_osp_limit_point();
    sh->nfree++;
    ngx_stream_osp_limit_point();
}


void
ngx_stream_osp_limit_rebuild(ngx_stream_osp_limit_shm_t *sh)
{
    uint32_t                         i, *bucket;
    ngx_stream_osp_limit_counter_t  *counter;

    sh->free = 0;
    sh->nfree = 0;
    sh->counters = 0;
    sh->places = 0;

    ngx_memzero((u_char *) sh + sh->heads, sh->cells - sh->heads);

    for (i = 1; i <= sh->top; i++) {

        counter = ngx_stream_osp_limit_counter(sh, i);

        if (counter->type == NGX_STREAM_OSP_LIMIT_COUNTER) {
            counter->count = 0;
        }
    }

    for (i = 1; i <= sh->top; i++) {
        ngx_stream_osp_limit_point();
        ngx_stream_osp_limit_rebuild_place(sh, i);
    }

    for (i = sh->top; i; i--) {

        counter = ngx_stream_osp_limit_counter(sh, i);

        if (counter->type == NGX_STREAM_OSP_LIMIT_COUNTER) {

            if (counter->count) {
                bucket = ngx_stream_osp_limit_bucket(sh, &counter->key);

                counter->next = *bucket;
                *bucket = i;
                sh->counters++;

                continue;
            }

            counter->type = NGX_STREAM_OSP_LIMIT_FREE;
        }

        if (counter->type == NGX_STREAM_OSP_LIMIT_FREE) {
            ngx_stream_osp_limit_push(sh, i);
        }
    }

    sh->rebuilt++;
}


static void
ngx_stream_osp_limit_rebuild_place(ngx_stream_osp_limit_shm_t *sh, uint32_t i)
{
    ngx_stream_osp_limit_placed_t  *place;

    place = ngx_stream_osp_limit_place(sh, i);

    if (place->type != NGX_STREAM_OSP_LIMIT_PLACE) {
        return;
    }

    if (place->slot >= sh->nslots
        || place->counter == 0
        || place->counter > sh->top
        || ngx_stream_osp_limit_counter(sh, place->counter)->type
           != NGX_STREAM_OSP_LIMIT_COUNTER)
    {
        place->type = NGX_STREAM_OSP_LIMIT_FREE;
        return;
    }

    /* what is not of the living generation is undone from the end */

    ngx_stream_osp_limit_link(sh, i,
                              place->generation
                              != ngx_rtmp_route_slot_generation(place->slot));
}
