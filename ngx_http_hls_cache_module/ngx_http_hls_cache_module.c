
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_cache.h"
#include "ngx_http_hls_api.h"


#define NGX_HTTP_HLS_MAX_SIZE      (64 * 1024 * 1024)
#define NGX_HTTP_HLS_FILL_TIMEOUT  30000


static void *ngx_http_hls_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_hls_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_hls_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_hls_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_hls_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_hls_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_hls_init_auth(ngx_conf_t *cf);
static ngx_int_t ngx_http_hls_init_ids(ngx_conf_t *cf);
static ngx_int_t ngx_http_hls_init_process(ngx_cycle_t *cycle);
static void ngx_http_hls_sweep_handler(ngx_event_t *ev);


static ngx_event_t       ngx_http_hls_sweep_event;
static ngx_connection_t  ngx_http_hls_dumb;


static ngx_conf_bitmask_t  ngx_http_hls_use_stale_masks[] = {
    { ngx_string("error"), NGX_HTTP_UPSTREAM_FT_ERROR },
    { ngx_string("timeout"), NGX_HTTP_UPSTREAM_FT_TIMEOUT },
    { ngx_string("invalid_header"), NGX_HTTP_UPSTREAM_FT_INVALID_HEADER },
    { ngx_string("updating"), NGX_HTTP_UPSTREAM_FT_UPDATING },
    { ngx_string("http_500"), NGX_HTTP_UPSTREAM_FT_HTTP_500 },
    { ngx_string("http_502"), NGX_HTTP_UPSTREAM_FT_HTTP_502 },
    { ngx_string("http_503"), NGX_HTTP_UPSTREAM_FT_HTTP_503 },
    { ngx_string("http_504"), NGX_HTTP_UPSTREAM_FT_HTTP_504 },
    { ngx_string("http_403"), NGX_HTTP_UPSTREAM_FT_HTTP_403 },
    { ngx_string("http_404"), NGX_HTTP_UPSTREAM_FT_HTTP_404 },
    { ngx_string("http_429"), NGX_HTTP_UPSTREAM_FT_HTTP_429 },
    { ngx_string("off"), NGX_HTTP_UPSTREAM_FT_OFF },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_hls_auths[] = {
    { ngx_string("off"), NGX_HTTP_HLS_AUTH_OFF },
    { ngx_string("osp"), NGX_HTTP_HLS_AUTH_OSP },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_hls_auth_fails[] = {
    { ngx_string("deny"), NGX_HTTP_HLS_AUTH_DENY },
    { ngx_string("allow"), NGX_HTTP_HLS_AUTH_ALLOW },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_hls_timeout_bounds = {
    ngx_conf_check_num_bounds, 1, 3600000
};


static ngx_command_t  ngx_http_hls_commands[] = {

    { ngx_string("hls_cache_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_hls_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_hls_cache,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache_valid"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_hls_valid,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache_use_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, use_stale),
      &ngx_http_hls_use_stale_masks },

    { ngx_string("hls_cache_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, key),
      NULL },

    { ngx_string("hls_cache_args"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_hls_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, args),
      NULL },

    { ngx_string("hls_cache_session_args"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_hls_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, session_args),
      NULL },

    { ngx_string("hls_cache_variants"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_hls_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, variants),
      NULL },

    { ngx_string("hls_cache_pass_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_hls_headers,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache_bypass"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_set_predicate_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, bypass),
      NULL },

    { ngx_string("hls_cache_prefetch"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_hls_prefetch,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache_continuity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, continuity),
      NULL },

    { ngx_string("hls_cache_endlist"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_hls_endlist,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache_cors"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_hls_cors,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cache_max_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, max_size),
      NULL },

    { ngx_string("hls_cache_max_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, max_stale),
      &ngx_http_hls_timeout_bounds },

    { ngx_string("hls_cache_fill_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, fill_timeout),
      &ngx_http_hls_timeout_bounds },

    { ngx_string("hls_cache_honor_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, honor_headers),
      NULL },

    { ngx_string("hls_cache_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, auth),
      &ngx_http_hls_auths },

    { ngx_string("hls_cache_auth_fail"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, auth_fail),
      &ngx_http_hls_auth_fails },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_hls_cache_module_ctx = {
    ngx_http_hls_add_variables,            /* preconfiguration */
    ngx_http_hls_init,                     /* postconfiguration */

    ngx_http_hls_create_main_conf,         /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_hls_create_srv_conf,          /* create server configuration */
    ngx_http_hls_merge_srv_conf,           /* merge server configuration */

    ngx_http_hls_create_loc_conf,          /* create location configuration */
    ngx_http_hls_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_hls_cache_module = {
    NGX_MODULE_V1,
    &ngx_http_hls_cache_module_ctx,        /* module context */
    ngx_http_hls_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_hls_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_hls_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_hls_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_hls_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->zones, cf->pool, 2,
                       sizeof(ngx_http_hls_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&conf->checks, cf->pool, 4, sizeof(void **))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_hls_create_srv_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->id = { 0, NULL };
     *     conf->any = 0;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_hls_srv_conf_t));
}


static char *
ngx_http_hls_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_hls_srv_conf_t *conf = child;

    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_server_name_t    *name;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    name = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {

        p = name[i].name.data;

#if (NGX_PCRE)
        if (name[i].regex) {
            conf->any = 1;
            continue;
        }
#endif

        if (name[i].name.len == 0
            || (name[i].name.len == 1 && p[0] == '_'))
        {
            continue;
        }

        if (p[0] == '.'
            || ngx_strlchr(p, p + name[i].name.len, '*') != NULL)
        {
            conf->any = 1;
            continue;
        }

        if (conf->id.len == 0) {
            conf->id = name[i].name;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_hls_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_hls_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_hls_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->route = NULL;
     *     conf->server = NULL;
     *     conf->use_stale = 0;
     *     conf->key = NULL;
     *     conf->own = 0;
     *     conf->own_auth = 0;
     *     conf->cors_any = 0;
     *     conf->pass_cookie = 0;
     *     conf->pass_authorization = 0;
     */

    conf->zone = NGX_CONF_UNSET_PTR;
    conf->valid = NGX_CONF_UNSET_PTR;
    conf->args = NGX_CONF_UNSET_PTR;
    conf->session_args = NGX_CONF_UNSET_PTR;
    conf->variants = NGX_CONF_UNSET_PTR;
    conf->prefetch = NGX_CONF_UNSET_UINT;
    conf->continuity = NGX_CONF_UNSET;
    conf->endlist = NGX_CONF_UNSET_MSEC;
    conf->cors = NGX_CONF_UNSET_PTR;
    conf->max_size = NGX_CONF_UNSET;
    conf->max_stale = NGX_CONF_UNSET_MSEC;
    conf->fill_timeout = NGX_CONF_UNSET_MSEC;
    conf->bypass = NGX_CONF_UNSET_PTR;
    conf->pass_header = NGX_CONF_UNSET_PTR;
    conf->honor_headers = NGX_CONF_UNSET;
    conf->auth = NGX_CONF_UNSET_UINT;
    conf->auth_fail = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_hls_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_hls_loc_conf_t *prev = parent;
    ngx_http_hls_loc_conf_t *conf = child;

    void                      ***loc_conf;
    ngx_http_conf_ctx_t         *ctx;
    ngx_http_hls_main_conf_t    *hmcf;

    ngx_conf_merge_ptr_value(conf->zone, prev->zone, NULL);

    ngx_conf_merge_ptr_value(conf->valid, prev->valid, NULL);

    ngx_conf_merge_bitmask_value(conf->use_stale, prev->use_stale,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_UPSTREAM_FT_ERROR
                                  |NGX_HTTP_UPSTREAM_FT_TIMEOUT
                                  |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
                                  |NGX_HTTP_UPSTREAM_FT_UPDATING
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_500
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_502
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_503
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_504
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_403
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_404
                                  |NGX_HTTP_UPSTREAM_FT_HTTP_429));

    if (conf->use_stale & NGX_HTTP_UPSTREAM_FT_OFF) {
        conf->use_stale = NGX_CONF_BITMASK_SET|NGX_HTTP_UPSTREAM_FT_OFF;
    }

    if (conf->key == NULL) {
        conf->key = prev->key;
    }

    ngx_conf_merge_ptr_value(conf->args, prev->args, NULL);
    ngx_conf_merge_ptr_value(conf->session_args, prev->session_args,
                             &ngx_http_hls_default_session);
    ngx_conf_merge_ptr_value(conf->variants, prev->variants, NULL);
    ngx_conf_merge_uint_value(conf->prefetch, prev->prefetch, 0);
    ngx_conf_merge_value(conf->continuity, prev->continuity, 1);
    ngx_conf_merge_msec_value(conf->endlist, prev->endlist, 0);

    if (conf->cors == NGX_CONF_UNSET_PTR) {
        conf->cors_any = prev->cors_any;
    }

    ngx_conf_merge_ptr_value(conf->cors, prev->cors, NULL);

    ngx_conf_merge_off_value(conf->max_size, prev->max_size,
                             NGX_HTTP_HLS_MAX_SIZE);
    ngx_conf_merge_msec_value(conf->max_stale, prev->max_stale, 0);
    ngx_conf_merge_msec_value(conf->fill_timeout, prev->fill_timeout,
                              NGX_HTTP_HLS_FILL_TIMEOUT);
    ngx_conf_merge_ptr_value(conf->bypass, prev->bypass, NULL);

    if (conf->pass_header == NGX_CONF_UNSET_PTR) {
        conf->pass_cookie = prev->pass_cookie;
        conf->pass_authorization = prev->pass_authorization;
    }

    ngx_conf_merge_ptr_value(conf->pass_header, prev->pass_header, NULL);

    ngx_conf_merge_value(conf->honor_headers, prev->honor_headers, 0);

    conf->own_auth = (conf->auth != NGX_CONF_UNSET_UINT);

    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_HTTP_HLS_AUTH_OFF);
    ngx_conf_merge_uint_value(conf->auth_fail, prev->auth_fail,
                              NGX_HTTP_HLS_AUTH_DENY);

    if (conf->zone == NULL && conf->auth == NGX_HTTP_HLS_AUTH_OFF) {
        return NGX_CONF_OK;
    }

    conf->server = ngx_http_conf_get_module_srv_conf(cf,
                                                    ngx_http_hls_cache_module);

    /* what other modules have merged into it is seen when all have */

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hls_cache_module);

    loc_conf = ngx_array_push(&hmcf->checks);
    if (loc_conf == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx = cf->ctx;
    *loc_conf = ctx->loc_conf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_hls_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_hls_main_conf_t   *hmcf;
    ngx_http_core_main_conf_t  *cmcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hls_cache_module);

    if (ngx_http_hls_zones_check(cf) != NGX_OK
        || ngx_http_hls_check(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (hmcf->zones.nelts == 0) {
        return hmcf->checks.nelts ? ngx_http_hls_init_auth(cf) : NGX_OK;
    }

    if (ngx_http_hls_init_ids(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_rtmp_route_on_wake(ngx_http_hls_woken) != NGX_OK
        || ngx_http_hls_api_init(cf) != NGX_OK
        || ngx_http_hls_status_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hls_handler;

    /* before the access phase */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hls_cors_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hls_status_count;

    ngx_http_hls_cors_init();

    return ngx_http_hls_init_auth(cf);
}


/* handlers of a phase run from the last to the first */

static ngx_int_t
ngx_http_hls_init_auth(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hls_auth_handler;

    ngx_http_hls_auth_init();

    return NGX_OK;
}


/* servers without a name are told apart by their first address */

static ngx_int_t
ngx_http_hls_init_ids(ngx_conf_t *cf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_addr_t        *addr;
    ngx_http_conf_port_t        *port;
    ngx_http_hls_srv_conf_t     *hscf;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            server = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {

                hscf = ngx_http_conf_get_module_srv_conf(server[s],
                                                    ngx_http_hls_cache_module);

                if (hscf->id.len == 0) {
                    hscf->id = addr[a].opt.addr_text;
                }
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_event_t                *ev;
    ngx_http_hls_zone_t       **zone;
    ngx_http_hls_main_conf_t   *hmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    hmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_hls_cache_module);

    if (hmcf == NULL || hmcf->zones.nelts == 0) {
        return NGX_OK;
    }

    zone = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {
        zone[i]->store.log = cycle->log;

        /* what a predecessor has left is undone at once */

        ngx_http_hls_store_sweep(&zone[i]->store);
    }

    ngx_http_hls_dumb.fd = (ngx_socket_t) -1;

    ev = &ngx_http_hls_sweep_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_http_hls_sweep_handler;
    ev->data = &ngx_http_hls_dumb;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1000);

    return NGX_OK;
}


static void
ngx_http_hls_sweep_handler(ngx_event_t *ev)
{
    ngx_uint_t                  i;
    ngx_http_hls_zone_t       **zone;
    ngx_http_hls_main_conf_t   *hmcf;

    hmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_hls_cache_module);
    zone = hmcf->zones.elts;

    for (i = 0; i < hmcf->zones.nelts; i++) {
        ngx_http_hls_store_sweep(&zone[i]->store);
    }

    ngx_add_timer(ev, 1000);
}
