
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Playlists that are asked for are filled anew before they are too old, and
 * what they list anew is fetched before it is asked for.  A process does that
 * for what it has filled last; it stops when nobody has asked for some time,
 * and when another process has filled it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_object.h"


#define NGX_HTTP_HLS_REFRESH_BUCKETS  256

/* a fill that has begun is waited for no longer, ms */
#define NGX_HTTP_HLS_REFRESH_LOST     60000


typedef struct {
    ngx_queue_t             queue;
    ngx_http_hls_zone_t    *zone;
    ngx_http_hls_key_t      key;        /* its hash only */
    ngx_http_hls_ghost_t   *ghost;
    ngx_http_hls_ghost_t   *prefetch;   /* or NULL */
    ngx_event_t             timer;
    ngx_msec_t              filled;     /* the last fill has ended */
    ngx_msec_t              fresh;      /* as it was left then */
    ngx_msec_t              target;

    ngx_pool_t             *pool;       /* of uris */
    ngx_array_t            *uris;       /* of ngx_str_t, to be prefetched */
    ngx_uint_t              next;

    unsigned                popular:1;
    unsigned                running:1;  /* the timer is the end of it */
    unsigned                filling:1;  /* by this process */
} ngx_http_hls_refresh_t;


typedef struct {
    ngx_uint_t              n;
    ngx_queue_t             buckets[NGX_HTTP_HLS_REFRESH_BUCKETS];
} ngx_http_hls_refreshes_t;


static ngx_http_hls_refreshes_t *ngx_http_hls_refresh_init(void);
static void ngx_http_hls_refresh_cleanup(void *data);
static ngx_http_hls_refresh_t *ngx_http_hls_refresh_find(
    ngx_http_hls_object_t *obj);
static ngx_http_hls_refresh_t *ngx_http_hls_refresh_create(
    ngx_http_hls_object_t *obj);
static void ngx_http_hls_refresh_free(ngx_http_hls_refresh_t *rf);
static void ngx_http_hls_refresh_handler(ngx_event_t *ev);
static void ngx_http_hls_refresh_end(ngx_http_hls_ghost_t *ghost);
static void ngx_http_hls_prefetch_start(ngx_http_hls_object_t *obj,
    ngx_http_hls_refresh_t *rf);
static ngx_int_t ngx_http_hls_prefetch_uri(ngx_pool_t *pool, ngx_str_t *base,
    ngx_str_t *uri, ngx_str_t *dst);
static void ngx_http_hls_prefetch_next(ngx_http_hls_refresh_t *rf);
static void ngx_http_hls_prefetch_end(ngx_http_hls_ghost_t *ghost);


/* of this process, in the pool of its cycle */

static ngx_http_hls_refreshes_t  *ngx_http_hls_refreshes;


void
ngx_http_hls_refresh_prepare(ngx_http_hls_object_t *obj, ngx_http_request_t *r)
{
    ngx_http_hls_refresh_t  *rf;

    if ((obj->kind != NGX_HTTP_HLS_PLAYLIST
         && obj->kind != NGX_HTTP_HLS_MANIFEST)
        || obj->target.directives.len)
    {
        return;
    }

    rf = ngx_http_hls_refresh_find(obj);

    if (rf) {
        rf->filling = 1;
        return;
    }

    if (ngx_http_hls_refreshes
        && ngx_http_hls_refreshes->n >= NGX_HTTP_HLS_REFRESHES)
    {
        return;
    }

    obj->ghost = ngx_http_hls_ghost_create(r, NULL, obj->conf->pass_header);

    if (obj->ghost && obj->conf->prefetch
        && obj->kind == NGX_HTTP_HLS_PLAYLIST)
    {
        obj->prefetch = ngx_http_hls_ghost_create(r, &r->unparsed_uri,
                                                  obj->conf->pass_header);
    }
}


void
ngx_http_hls_refresh(ngx_http_hls_object_t *obj,
    ngx_http_hls_policy_ttl_t *ttl, ngx_http_hls_times_t *times)
{
    ngx_msec_t               now, start, lead, left;
    ngx_http_hls_refresh_t  *rf;

    now = ngx_current_msec;

    rf = ngx_http_hls_refresh_find(obj);

    if (rf == NULL) {

        rf = ngx_http_hls_refresh_create(obj);

        if (rf == NULL) {
            return;
        }
    }

    if (obj->tier) {

        /* it asks once for all of its viewers, and soon after us */

        rf->popular = 1;
    }

    left = ttl->next - now;

    if ((ngx_msec_int_t) left < 1) {
        left = 1;
    }

    /* so early that it is there when the time is over */

    lead = ttl->predicted ? 0 : ngx_min(obj->took + 10, left / 2);
    start = now + left - lead;

    rf->running = 0;
    rf->filling = 0;
    rf->filled = now;
    rf->target = ttl->target;

    if (times) {

        if (rf->popular) {
            times->fresh = start + 2 * ngx_min(obj->took, ttl->target) + 50;
        }

        rf->fresh = times->fresh;

        ngx_http_hls_prefetch_start(obj, rf);

    } else {
        rf->fresh = ttl->next;
    }

    ngx_add_timer(&rf->timer, ngx_max(start - now, 1));
}


void
ngx_http_hls_refresh_again(ngx_http_hls_object_t *obj)
{
    ngx_http_hls_refresh_t  *rf;

    if (obj->target.directives.len) {
        return;
    }

    rf = ngx_http_hls_refresh_find(obj);

    if (rf == NULL) {

        rf = ngx_http_hls_refresh_create(obj);

        if (rf == NULL) {
            return;
        }
    }

    rf->filling = 0;
    rf->running = 1;

    rf->ghost->again = 1;
    rf->ghost->fresh = rf->fresh;

    (void) ngx_http_hls_ghost_run(rf->ghost);

    ngx_add_timer(&rf->timer, NGX_HTTP_HLS_REFRESH_LOST);
}


static ngx_http_hls_refreshes_t *
ngx_http_hls_refresh_init(void)
{
    ngx_uint_t                 i;
    ngx_pool_cleanup_t        *cln;
    ngx_http_hls_refreshes_t  *rfs;

    if (ngx_http_hls_refreshes) {
        return ngx_http_hls_refreshes;
    }

    cln = ngx_pool_cleanup_add(ngx_cycle->pool,
                               sizeof(ngx_http_hls_refreshes_t));
    if (cln == NULL) {
        return NULL;
    }

    rfs = cln->data;
    rfs->n = 0;

    for (i = 0; i < NGX_HTTP_HLS_REFRESH_BUCKETS; i++) {
        ngx_queue_init(&rfs->buckets[i]);
    }

    cln->handler = ngx_http_hls_refresh_cleanup;

    ngx_http_hls_refreshes = rfs;

    return rfs;
}


/* a process without a master goes on with another cycle */

static void
ngx_http_hls_refresh_cleanup(void *data)
{
    ngx_http_hls_refreshes_t *rfs = data;

    ngx_uint_t    i;
    ngx_queue_t  *q;

    for (i = 0; i < NGX_HTTP_HLS_REFRESH_BUCKETS; i++) {

        while (!ngx_queue_empty(&rfs->buckets[i])) {
            q = ngx_queue_head(&rfs->buckets[i]);

            ngx_http_hls_refresh_free(ngx_queue_data(q, ngx_http_hls_refresh_t,
                                                     queue));
        }
    }

    ngx_http_hls_refreshes = NULL;
}


static ngx_http_hls_refresh_t *
ngx_http_hls_refresh_find(ngx_http_hls_object_t *obj)
{
    uint64_t                 *hash;
    ngx_queue_t              *q, *bucket;
    ngx_http_hls_refresh_t   *rf;

    if (ngx_http_hls_refreshes == NULL) {
        return NULL;
    }

    hash = obj->target.key.hash;
    bucket = &ngx_http_hls_refreshes->buckets[hash[0]
                                             % NGX_HTTP_HLS_REFRESH_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        rf = ngx_queue_data(q, ngx_http_hls_refresh_t, queue);

        if (rf->key.hash[0] == hash[0]
            && rf->key.hash[1] == hash[1]
            && rf->zone == obj->zone)
        {
            return rf;
        }
    }

    return NULL;
}


static ngx_http_hls_refresh_t *
ngx_http_hls_refresh_create(ngx_http_hls_object_t *obj)
{
    uint64_t                   hash;
    ngx_http_hls_refresh_t    *rf;
    ngx_http_hls_refreshes_t  *rfs;

    if (obj->ghost == NULL) {
        return NULL;
    }

    rfs = ngx_http_hls_refresh_init();

    if (rfs == NULL || rfs->n >= NGX_HTTP_HLS_REFRESHES) {
        return NULL;
    }

    rf = ngx_pcalloc(obj->ghost->pool, sizeof(ngx_http_hls_refresh_t));
    if (rf == NULL) {
        return NULL;
    }

    rf->zone = obj->zone;
    rf->key = obj->target.key;
    ngx_str_null(&rf->key.text);

    rf->ghost = obj->ghost;
    rf->ghost->data = rf;
    rf->ghost->end = ngx_http_hls_refresh_end;
    obj->ghost = NULL;

    rf->prefetch = obj->prefetch;
    obj->prefetch = NULL;

    if (rf->prefetch) {
        rf->prefetch->data = rf;
        rf->prefetch->end = ngx_http_hls_prefetch_end;
    }

    rf->timer.handler = ngx_http_hls_refresh_handler;
    rf->timer.data = rf;
    rf->timer.log = ngx_cycle->log;
    rf->timer.cancelable = 1;

    hash = rf->key.hash[0];

    ngx_queue_insert_head(&rfs->buckets[hash % NGX_HTTP_HLS_REFRESH_BUCKETS],
                          &rf->queue);
    rfs->n++;

    return rf;
}


static void
ngx_http_hls_refresh_free(ngx_http_hls_refresh_t *rf)
{
    ngx_queue_remove(&rf->queue);

    ngx_http_hls_refreshes->n--;

    if (rf->timer.timer_set) {
        ngx_del_timer(&rf->timer);
    }

    if (rf->pool) {
        ngx_destroy_pool(rf->pool);
    }

    if (rf->prefetch) {
        ngx_http_hls_ghost_free(rf->prefetch);
    }

    /* rf lies in the ghost's pool */

    ngx_http_hls_ghost_free(rf->ghost);
}


static void
ngx_http_hls_refresh_handler(ngx_event_t *ev)
{
    ngx_int_t                idle, since;
    ngx_http_hls_found_t     found;
    ngx_http_hls_store_t    *store;
    ngx_http_hls_refresh_t  *rf;

    rf = ev->data;
    store = &rf->zone->store;

    if (rf->running || ngx_exiting) {
        goto done;
    }

    if (rf->filling) {

        /* for a viewer, its end will tell when */

        goto wait;
    }

    if (ngx_http_hls_store_lookup(store, &rf->key, NGX_HTTP_HLS_PLAYLIST, 0, 0,
                                  0, &found)
        != NGX_OK)
    {
        goto done;
    }

    ngx_http_hls_store_release(store, &found.body);

    if (found.entry == 0
        || found.fill
        || found.used == 0
        || found.times.fresh != rf->fresh)
    {
        /* gone, or another process has it */

        goto done;
    }

    since = (ngx_msec_int_t) (found.used - rf->filled);
    idle = (ngx_msec_int_t) (ngx_current_msec - found.used);

    if (since > 0) {
        rf->popular = 1;
    }

    if (!rf->popular || idle > (ngx_msec_int_t) (3 * rf->target)) {
        goto done;
    }

    rf->ghost->again = 0;

    if (ngx_http_hls_ghost_run(rf->ghost) != NGX_OK) {
        goto done;
    }

wait:

    rf->running = 1;

    ngx_add_timer(&rf->timer, NGX_HTTP_HLS_REFRESH_LOST);

    return;

done:

    ngx_http_hls_refresh_free(rf);
}


/* one that has begun no fill has found no reason to, and never may */

static void
ngx_http_hls_refresh_end(ngx_http_hls_ghost_t *ghost)
{
    ngx_http_hls_refresh_t  *rf;

    rf = ghost->data;

    if (rf->running && !rf->filling) {
        ngx_http_hls_refresh_free(rf);
    }
}


/* the newest of what the playlist lists now and has not before */

static void
ngx_http_hls_prefetch_start(ngx_http_hls_object_t *obj,
    ngx_http_hls_refresh_t *rf)
{
    ngx_str_t            *dst;
    ngx_uint_t            i, first, n;
    ngx_hls_uri_t        *uri;
    ngx_http_hls_list_t  *list;

    list = obj->list;

    if (rf->prefetch == NULL || rf->pool
        || list == NULL || list->uris.nelts == 0)
    {
        return;
    }

    uri = list->uris.elts;
    first = list->uris.nelts;
    n = 0;

    while (first > 0 && n < obj->conf->prefetch) {
        first--;

        if (uri[first].type == NGX_HLS_URI_SEGMENT) {
            n++;
        }
    }

    if (n == 0) {
        return;
    }

    rf->pool = ngx_create_pool(1024, ngx_cycle->log);
    if (rf->pool == NULL) {
        return;
    }

    rf->next = 0;
    rf->uris = ngx_array_create(rf->pool, n, sizeof(ngx_str_t));

    for (i = first; rf->uris && i < list->uris.nelts; i++) {

        if (uri[i].type != NGX_HLS_URI_SEGMENT) {
            continue;
        }

        dst = ngx_array_push(rf->uris);
        if (dst == NULL) {
            break;
        }

        if (ngx_http_hls_prefetch_uri(rf->pool, &rf->ghost->uri, &uri[i].uri,
                                      dst)
            != NGX_OK)
        {
            rf->uris->nelts--;
        }
    }

    ngx_http_hls_prefetch_next(rf);
}


/* as a viewer would ask who has asked for the playlist by that URI */

static ngx_int_t
ngx_http_hls_prefetch_uri(ngx_pool_t *pool, ngx_str_t *base, ngx_str_t *uri,
    ngx_str_t *dst)
{
    u_char  *p;
    size_t   len;

    if (uri->len == 0 || ngx_strlchr(uri->data, uri->data + uri->len, '#')) {
        return NGX_DECLINED;
    }

    if (uri->data[0] == '/') {
        len = 0;

        if (uri->len > 1 && uri->data[1] == '/') {
            return NGX_DECLINED;
        }

    } else {

        for (p = uri->data; p < uri->data + uri->len; p++) {

            if (*p == ':') {
                return NGX_DECLINED;
            }

            if (*p == '/' || *p == '?') {
                break;
            }
        }

        len = base->len;

        p = ngx_strlchr(base->data, base->data + base->len, '?');

        if (p) {
            len = p - base->data;
        }

        while (len && base->data[len - 1] != '/') {
            len--;
        }
    }

    dst->data = ngx_pnalloc(pool, len + uri->len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(dst->data, base->data, len);
    p = ngx_cpymem(p, uri->data, uri->len);

    dst->len = p - dst->data;

    return NGX_OK;
}


static void
ngx_http_hls_prefetch_next(ngx_http_hls_refresh_t *rf)
{
    ngx_str_t  *uri;

    while (rf->uris && rf->next < rf->uris->nelts) {

        uri = rf->uris->elts;
        rf->prefetch->uri = uri[rf->next++];

        if (ngx_http_hls_ghost_run(rf->prefetch) == NGX_OK) {
            return;
        }
    }

    ngx_destroy_pool(rf->pool);

    rf->pool = NULL;
    rf->uris = NULL;
}


static void
ngx_http_hls_prefetch_end(ngx_http_hls_ghost_t *ghost)
{
    ngx_http_hls_prefetch_next(ghost->data);
}
