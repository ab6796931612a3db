
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_zone.h"


ngx_slab_pool_t *
ngx_rtmp_route_zone_pool(ngx_shm_zone_t *shm_zone)
{
    size_t            len;
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shpool->data) {
        return shpool;
    }

    /* before the arena takes all of it */

    len = sizeof(" in zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NULL;
    }

    ngx_sprintf(shpool->log_ctx, " in zone \"%V\"%Z", &shm_zone->shm.name);

    return shpool;
}


ngx_int_t
ngx_rtmp_route_zone_ready(ngx_shm_zone_t *shm_zone, ngx_int_t rc,
    const char *other)
{
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" was made by another version of this module, "
                      "restart nginx or give %s", &shm_zone->shm.name, other);

    } else {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" is too small", &shm_zone->shm.name);
    }

    return NGX_ERROR;
}


void *
ngx_rtmp_route_zone_arena(ngx_slab_pool_t *shpool, size_t header, size_t *size)
{
    void  *arena;

    *size = shpool->pfree * ngx_pagesize;

    if (*size <= header) {
        return NULL;
    }

    arena = ngx_slab_alloc(shpool, *size);

    if (arena) {
        ngx_memzero(arena, header);
    }

    return arena;
}


void *
ngx_rtmp_route_zone_reuse(ngx_slab_pool_t *shpool, size_t header, size_t *size)
{
    u_char  *p;

    p = shpool->data;

    if (p < shpool->start
        || p >= shpool->end
        || (size_t) (shpool->end - p) < header)
    {
        return NULL;
    }

    *size = shpool->end - p;

    return p;
}


ngx_int_t
ngx_rtmp_route_zone_layout(void *arena, size_t size, size_t least, size_t most,
    ngx_rtmp_route_zone_place_pt place)
{
    size_t  n;

    if (place(arena, least) > size) {
        return NGX_ERROR;
    }

    while (least < most) {
        n = least + (most - least + 1) / 2;

        if (place(arena, n) > size) {
            most = n - 1;

        } else {
            least = n;
        }
    }

    (void) place(arena, least);

    return NGX_OK;
}


void
ngx_rtmp_route_zone_seed(void *seed, size_t len)
{
    size_t          i;
    u_char         *p;
    ssize_t         n;
    ngx_fd_t        fd;
    struct timeval  tv;

    n = 0;
    fd = ngx_open_file((u_char *) "/dev/urandom", NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, seed, len);
        (void) ngx_close_file(fd);
    }

    if (n == (ssize_t) len) {
        return;
    }

    p = seed;

    ngx_gettimeofday(&tv);

    for (i = 0; i < len; i++) {
        p[i] = (u_char) (ngx_random() ^ (tv.tv_usec >> (i % 16)));
    }
}
