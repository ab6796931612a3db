
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_cache.h"
#include "ngx_rtmp_route_zone.h"


#define NGX_HTTP_HLS_MIN_ZONE  (1024 * 1024)


static ngx_int_t ngx_http_hls_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_http_hls_zone_window(ngx_http_hls_zone_t *zone,
    ngx_http_hls_zone_t *ozone, ngx_log_t *log);
static void ngx_http_hls_zone_cleanup(void *data);


char *
ngx_http_hls_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    off_t                 size;
    size_t                len;
    ngx_str_t            *value;
    ngx_pool_cleanup_t   *cln;
    ngx_http_hls_zone_t  *zone;

    value = cf->args->elts;

    if (value[1].len == 0 || ngx_strcmp(value[1].data, "off") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    /* unlike other zones it may well have gigabytes */

    size = ngx_parse_offset(&value[2]);

    if (size == NGX_ERROR
        || size > (off_t) (NGX_MAX_SIZE_T_VALUE / 2
                           / NGX_HTTP_HLS_STORE_WINDOW))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_HTTP_HLS_MIN_ZONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs at least 1m",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    zone = ngx_http_hls_zone_get(cf, &value[1]);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    len = ngx_http_hls_store_zone_size((size_t) size);

    if (len >= (size_t) size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", &value[1]);
        return NGX_CONF_ERROR;
    }

    zone->size = (size_t) size;
    zone->store.size = zone->size - len;
    zone->store.log = cf->log;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_hls_zone_cleanup;
    cln->data = zone;

    zone->shm_zone = ngx_shared_memory_add(cf, &value[1], len,
                                           &ngx_http_hls_cache_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_http_hls_init_zone;
    zone->shm_zone->data = zone;

    return NGX_CONF_OK;
}


ngx_http_hls_zone_t *
ngx_http_hls_zone_get(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_hls_zone_t        *zone, **zonep;
    ngx_http_hls_main_conf_t   *hmcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hls_cache_module);

    zonep = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {

        if (zonep[i]->name.len == name->len
            && ngx_strncmp(zonep[i]->name.data, name->data, name->len) == 0)
        {
            return zonep[i];
        }
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_hls_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     zone->size = 0;
     *     zone->store = { NULL };
     *     zone->shm_zone = NULL;
     *     zone->window = NULL;
     *     zone->nfills = 0;
     */

    zone->name = *name;
    zone->cycle = cf->cycle;
    zone->file = cf->conf_file->file.name.data;
    zone->line = cf->conf_file->line;

    for (i = 0; i < NGX_HTTP_HLS_BUCKETS; i++) {
        ngx_queue_init(&zone->buckets[i]);
    }

    if (ngx_array_init(&zone->routes, cf->pool, 1, sizeof(ngx_rtmp_route_t *))
        != NGX_OK)
    {
        return NULL;
    }

    ngx_queue_init(&zone->watches);
    ngx_queue_init(&zone->senders);
    ngx_queue_init(&zone->refreshes);

    zonep = ngx_array_push(&hmcf->zones);
    if (zonep == NULL) {
        return NULL;
    }

    *zonep = zone;

    return zone;
}


ngx_int_t
ngx_http_hls_zones_check(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_hls_zone_t       **zone;
    ngx_http_hls_main_conf_t   *hmcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hls_cache_module);

    zone = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {

        if (zone[i]->size == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"hls_cache\" zone \"%V\" is unknown in %s:%ui",
                          &zone[i]->name, zone[i]->file, zone[i]->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_hls_zone_t  *ozone = data;

    ngx_int_t             rc;
    ngx_slab_pool_t      *shpool;
    ngx_http_hls_zone_t  *zone;

    zone = shm_zone->data;

    /* the layout depends on the number of slots */

    if (ngx_rtmp_route_slots_init(zone->cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_hls_zone_window(zone, ozone, shm_zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }

    shpool = ngx_rtmp_route_zone_pool(shm_zone);
    if (shpool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_hls_store_init(&zone->store, shpool);

    return ngx_rtmp_route_zone_ready(shm_zone, rc, "the zone another name");
}


/*
 * Memory of bodies goes with nginx's zone: taken over when that is, and held
 * by each cycle that uses it, so that it ends with the last one
 */

static ngx_int_t
ngx_http_hls_zone_window(ngx_http_hls_zone_t *zone,
    ngx_http_hls_zone_t *ozone, ngx_log_t *log)
{
    if (ozone) {
        zone->window = ozone->window;
        ngx_http_hls_window_hold(zone->window);

    } else {
        zone->window = ngx_http_hls_window_create(zone->store.size, log);
        if (zone->window == NULL) {
            return NGX_ERROR;
        }
    }

    zone->store.log = log;
    zone->store.window = zone->window;

    return NGX_OK;
}


static void
ngx_http_hls_zone_cleanup(void *data)
{
    ngx_http_hls_zone_t *zone = data;

    if (zone->window) {
        ngx_http_hls_window_free(zone->window);
        zone->window = NULL;
    }
}
