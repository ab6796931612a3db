
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_client.h"
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_health.h"
#include "ngx_rtmp_route_events.h"
#include "ngx_rtmp_route_state.h"
#include "ngx_rtmp_route_zone.h"


#define NGX_RTMP_ROUTE_MIN_SLOTS  64
#define NGX_RTMP_ROUTE_MAX_SLOTS  512


static char *ngx_rtmp_route_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_rtmp_route_create_conf(ngx_cycle_t *cycle);
static char *ngx_rtmp_route_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_rtmp_route_check_proxies(ngx_cycle_t *cycle,
    ngx_rtmp_route_main_conf_t *rmcf);
static ngx_rtmp_route_t *ngx_rtmp_route_lookup(
    ngx_rtmp_route_main_conf_t *rmcf, ngx_str_t *name);
static ngx_int_t ngx_rtmp_route_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_rtmp_route_t *ngx_rtmp_route_previous(ngx_rtmp_route_t *route);
static ngx_int_t ngx_rtmp_route_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_rtmp_route_init_process(ngx_cycle_t *cycle);
static void ngx_rtmp_route_exit_process(ngx_cycle_t *cycle);
static void ngx_rtmp_route_exit_master(ngx_cycle_t *cycle);
static void ngx_rtmp_route_woken(void);
static void ngx_rtmp_route_sweep_handler(ngx_event_t *ev);


static ngx_event_t                  ngx_rtmp_route_sweep_event;
static ngx_connection_t             ngx_rtmp_route_dumb;

/* of the configuration that was read last */
static ngx_rtmp_route_main_conf_t  *ngx_rtmp_route_last_conf;

/* configurations that were taken into use so far */
static ngx_uint_t                   ngx_rtmp_route_cycles;


static ngx_core_module_t  ngx_rtmp_route_module_ctx = {
    ngx_string("rtmp_route"),
    ngx_rtmp_route_create_conf,
    ngx_rtmp_route_init_conf
};


static ngx_command_t  ngx_rtmp_route_commands[] = {

    { ngx_string("rtmp_route"),
      NGX_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_rtmp_route_block,
      0,
      0,
      NULL },

    { ngx_string("zone"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE12,
      ngx_rtmp_route_zone,
      0,
      0,
      NULL },

    { ngx_string("state"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_rtmp_route_state,
      0,
      0,
      NULL },

    { ngx_string("key"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE12,
      ngx_rtmp_route_key_directive,
      0,
      0,
      NULL },

    { ngx_string("hash"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_rtmp_route_method,
      0,
      NGX_RTMP_ROUTE_HASH,
      NULL },

    { ngx_string("least_conn"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_NOARGS,
      ngx_rtmp_route_method,
      0,
      NGX_RTMP_ROUTE_LEAST_CONN,
      NULL },

    { ngx_string("round_robin"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_NOARGS,
      ngx_rtmp_route_method,
      0,
      NGX_RTMP_ROUTE_ROUND_ROBIN,
      NULL },

    { ngx_string("random"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_NOARGS,
      ngx_rtmp_route_method,
      0,
      NGX_RTMP_ROUTE_RANDOM,
      NULL },

    { ngx_string("unknown"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_rtmp_route_unknown,
      0,
      0,
      NULL },

    { ngx_string("inactive"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_rtmp_route_t, inactive),
      NULL },

    { ngx_string("register"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_rtmp_route_register,
      0,
      0,
      NULL },

    { ngx_string("health_check"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_ANY,
      ngx_rtmp_route_health_check,
      0,
      0,
      NULL },

    { ngx_string("server"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_rtmp_route_server,
      0,
      0,
      NULL },

    { ngx_string("path"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_rtmp_route_path,
      0,
      0,
      NULL },

    { ngx_string("resolver"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_rtmp_route_resolver,
      0,
      0,
      NULL },

    { ngx_string("resolver_timeout"),
      NGX_RTMP_ROUTE_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_rtmp_route_t, resolver_timeout),
      NULL },

      ngx_null_command
};


ngx_module_t  ngx_rtmp_route_module = {
    NGX_MODULE_V1,
    &ngx_rtmp_route_module_ctx,            /* module context */
    ngx_rtmp_route_commands,               /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_rtmp_route_init_module,            /* init module */
    ngx_rtmp_route_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_rtmp_route_exit_process,           /* exit process */
    ngx_rtmp_route_exit_master,            /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_rtmp_route_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    void                       **ctx;
    char                        *rv;
    ngx_str_t                   *value;
    ngx_conf_t                   save;
    ngx_rtmp_route_t            *route;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(cf->cycle);
    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_RTMP_ROUTE_ID_LEN
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '/')
           != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid route name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    route = ngx_rtmp_route_add(cf, &value[1]);
    if (route == NULL) {
        return NGX_CONF_ERROR;
    }

    if (route->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate rtmp_route \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    route->defined = 1;
    route->file = cf->conf_file->file.name.data;
    route->line = cf->conf_file->line;

    ctx = ngx_pcalloc(cf->temp_pool, ngx_max_module * sizeof(void *));
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx[ngx_rtmp_route_module.index] = route;

    save = *cf;
    cf->ctx = ctx;
    cf->cmd_type = NGX_RTMP_ROUTE_CONF;
    rmcf->current = route;

    rv = ngx_conf_parse(cf, NULL);

    rmcf->current = NULL;
    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_rtmp_route_defaults(cf, route) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    route->shm_zone = ngx_shared_memory_add(cf, &route->zone, route->size,
                                            &ngx_rtmp_route_module);
    if (route->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (route->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already used by another route",
                           &route->zone);
        return NGX_CONF_ERROR;
    }

    route->shm_zone->init = ngx_rtmp_route_init_zone;
    route->shm_zone->data = route;

    return NGX_CONF_OK;
}


static void *
ngx_rtmp_route_create_conf(ngx_cycle_t *cycle)
{
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cycle->pool, sizeof(ngx_rtmp_route_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rmcf->routes, cycle->pool, 4,
                       sizeof(ngx_rtmp_route_t *))
        != NGX_OK)
    {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     rmcf->current = NULL;
     *     rmcf->nwakes = 0;
     *     rmcf->initialized = 0;
     *     rmcf->proxies = { NULL };
     *     rmcf->proxies_alone = { NULL };
     *     rmcf->drains = 0;
     *     rmcf->registers = 0;
     */

    rmcf->cycle = cycle;

    ngx_rtmp_route_last_conf = rmcf;

    return rmcf;
}


static char *
ngx_rtmp_route_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_rtmp_route_main_conf_t *rmcf = conf;

    ngx_uint_t          i;
    ngx_rtmp_route_t  **routes;

    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {

        if (!routes[i]->defined) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "rtmp_route \"%V\" is not defined in %s:%ui",
                          &routes[i]->name, routes[i]->file, routes[i]->line);
            return NGX_CONF_ERROR;
        }

        if (routes[i]->needed.len && routes[i]->control == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "%V needs a route with \"osp_core\", which "
                          "rtmp_route \"%V\" has not in %s:%ui",
                          &routes[i]->needed, &routes[i]->name,
                          routes[i]->file, routes[i]->line);
            return NGX_CONF_ERROR;
        }

        ngx_rtmp_route_defaults_last(routes[i], cycle->log);
    }

    return ngx_rtmp_route_check_proxies(cycle, rmcf) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* who is let in as a proxy, if this nginx registers with none */

static ngx_int_t
ngx_rtmp_route_check_proxies(ngx_cycle_t *cycle,
    ngx_rtmp_route_main_conf_t *rmcf)
{
    ngx_rtmp_route_place_t  *place;

    static ngx_str_t  name = ngx_string("proxies");

    place = &rmcf->proxies_alone;

    if (place->file && ngx_rtmp_route_lookup(rmcf, &name)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"rtmp_route_acl proxies\" is about proxies, and not "
                      "about rtmp_route \"proxies\", which needs another "
                      "name, in %s:%ui", place->file, place->line);
        return NGX_ERROR;
    }

    if (rmcf->registers) {
        return NGX_OK;
    }

    if (place->file) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"rtmp_route_acl proxies\" needs proxies with which "
                      "this nginx registers, and there is no "
                      "\"rtmp_route_register\" in rtmp{}, in %s:%ui",
                      place->file, place->line);
        return NGX_ERROR;
    }

    place = &rmcf->proxies;

    if (place->file) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"proxies\" of \"rtmp_route_acl\" lets in nobody: "
                      "there is no \"rtmp_route_register\" in rtmp{}, in "
                      "%s:%ui", place->file, place->line);
    }

    return NGX_OK;
}


ngx_rtmp_route_t *
ngx_rtmp_route_add(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_rtmp_route_t            *route, **routep;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(cf->cycle);

    route = ngx_rtmp_route_lookup(rmcf, name);

    if (route != NULL) {
        return route;
    }

    route = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_t));
    if (route == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     route->table = { NULL };
     *     route->shm_zone = NULL;
     *     route->zone = { 0, NULL };
     *     route->reg = NULL;
     *     route->check = NULL;
     *     route->control = NULL;
     *     route->needed = { 0, NULL };
     *     route->paths = NULL;
     *     route->resolver = NULL;
     *     route->state = NULL;
     *     route->acl = { 0 };
     *     route->waiting = 0;
     *     route->telling = 0;
     *     route->defined = 0;
     */

    route->name = *name;
    route->cycle = cf->cycle;
    route->file = cf->conf_file->file.name.data;
    route->line = cf->conf_file->line;

    route->key = NGX_CONF_UNSET_UINT;
    route->secret = NGX_CONF_UNSET;
    route->method = NGX_CONF_UNSET_UINT;
    route->unknown = NGX_CONF_UNSET_UINT;
    route->inactive = NGX_CONF_UNSET_MSEC;
    route->resolver_timeout = NGX_CONF_UNSET_MSEC;

    route->acl.table = &route->table;

    ngx_queue_init(&route->waits);
    ngx_queue_init(&route->sessions);
    ngx_queue_init(&route->named);
    ngx_rbtree_init(&route->names, &route->names_sentinel,
                    ngx_str_rbtree_insert_value);

    if (ngx_array_init(&route->servers, cf->pool, 4,
                       sizeof(ngx_rtmp_route_server_t))
        != NGX_OK)
    {
        return NULL;
    }

    routep = ngx_array_push(&rmcf->routes);
    if (routep == NULL) {
        return NULL;
    }

    *routep = route;

    return route;
}


ngx_rtmp_route_t *
ngx_rtmp_route_find(ngx_str_t *name)
{
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);

    return ngx_rtmp_route_lookup(rmcf, name);
}


ngx_rtmp_route_t *
ngx_rtmp_route_current(ngx_conf_t *cf)
{
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(cf->cycle);

    return rmcf->current;
}


static ngx_rtmp_route_t *
ngx_rtmp_route_lookup(ngx_rtmp_route_main_conf_t *rmcf, ngx_str_t *name)
{
    ngx_uint_t          i;
    ngx_rtmp_route_t  **routes;

    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {

        if (routes[i]->name.len == name->len
            && ngx_strncmp(routes[i]->name.data, name->data, name->len) == 0)
        {
            return routes[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_rtmp_route_on_wake(void (*handler)(void))
{
    ngx_uint_t                   i;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_last_conf;

    for (i = 0; i < rmcf->nwakes; i++) {
        if (rmcf->wakes[i] == handler) {
            return NGX_OK;
        }
    }

    if (i == NGX_RTMP_ROUTE_MAX_WAKES) {
        ngx_log_error(NGX_LOG_EMERG, rmcf->cycle->log, 0,
                      "too many modules wait for other processes");
        return NGX_ERROR;
    }

    rmcf->wakes[i] = handler;
    rmcf->nwakes++;

    /* before, the number of worker processes may not be known yet */

    return rmcf->initialized ? ngx_rtmp_route_slots_init(rmcf->cycle) : NGX_OK;
}


/* before the first fork: a reload finds them there, and adds workers */

ngx_int_t
ngx_rtmp_route_slots_init(ngx_cycle_t *cycle)
{
    ngx_uint_t        n;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    n = ngx_max(ngx_ncpu, ccf->worker_processes);
    n = ngx_max(4 * n, NGX_RTMP_ROUTE_MIN_SLOTS);
    n = ngx_min(n, NGX_RTMP_ROUTE_MAX_SLOTS);

    return ngx_rtmp_route_slots_create(n, cycle->log);
}


static ngx_int_t
ngx_rtmp_route_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_rtmp_route_t  *oroute = data;

    ngx_int_t          rc;
    ngx_slab_pool_t   *shpool;
    ngx_rtmp_route_t  *route;

    route = shm_zone->data;

    if (ngx_rtmp_route_slots_init(route->cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    shpool = ngx_rtmp_route_zone_pool(shm_zone);
    if (shpool == NULL) {
        return NGX_ERROR;
    }

    route->table.log = shm_zone->shm.log;

    rc = ngx_rtmp_route_table_init(&route->table, shpool);

    if (ngx_rtmp_route_zone_ready(shm_zone, rc, "the zone another name")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (oroute != NULL) {
        return ngx_rtmp_route_state_init_zone(route, 0, shm_zone->shm.log);
    }

    /* a new zone: of the first start, or with another name or size */

    oroute = ngx_rtmp_route_previous(route);

    if (oroute == NULL) {
        return ngx_rtmp_route_state_init_zone(route, 1, shm_zone->shm.log);
    }

    rc = ngx_rtmp_route_table_copy(&route->table, &oroute->table);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" is too small for the access list or the "
                      "bans of route \"%V\"", &shm_zone->shm.name,
                      &route->name);
        return NGX_ERROR;
    }

    return ngx_rtmp_route_state_init_zone(route, 0, shm_zone->shm.log);
}


static ngx_rtmp_route_t *
ngx_rtmp_route_previous(ngx_rtmp_route_t *route)
{
    ngx_cycle_t                 *ocycle;
    ngx_rtmp_route_t            *oroute;
    ngx_rtmp_route_main_conf_t  *rmcf;

    ocycle = route->cycle->old_cycle;

    if (ocycle == NULL || ngx_is_init_cycle(ocycle)) {
        return NULL;
    }

    rmcf = ngx_rtmp_route_main_conf(ocycle);

    if (rmcf == NULL) {
        return NULL;
    }

    oroute = ngx_rtmp_route_lookup(rmcf, &route->name);

    return (oroute && oroute->table.sh) ? oroute : NULL;
}


static ngx_int_t
ngx_rtmp_route_init_module(ngx_cycle_t *cycle)
{
    ngx_time_t                  *tp;
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(cycle);
    routes = rmcf->routes.elts;

    tp = ngx_timeofday();

    rmcf->number = ++ngx_rtmp_route_cycles;
    rmcf->loaded = (uint64_t) tp->sec * 1000 + tp->msec;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        routes[i]->table.log = cycle->log;
        ngx_rtmp_route_servers_apply(routes[i]);
        ngx_rtmp_route_paths_check(routes[i]);
    }

    rmcf->initialized = 1;

    return (rmcf->nwakes || rmcf->drains) ? ngx_rtmp_route_slots_init(cycle)
                                          : NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_init_process(ngx_cycle_t *cycle)
{
    ngx_event_t                 *ev;
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_main_conf_t  *rmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    rmcf = ngx_rtmp_route_main_conf(cycle);

    if (rmcf->routes.nelts == 0 && rmcf->nwakes == 0) {
        return NGX_OK;
    }

    ngx_rtmp_route_slot_cycle(rmcf->number);

    if (ngx_rtmp_route_slot_claim(cycle, ngx_rtmp_route_woken) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rmcf->routes.nelts == 0) {
        return NGX_OK;
    }

    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        routes[i]->wake.handler = ngx_rtmp_route_wake_handler;
        routes[i]->wake.data = routes[i];
        routes[i]->wake.log = cycle->log;

        ngx_rtmp_route_events_init(routes[i], cycle->log);

        /* what a predecessor has left is undone at once */

        ngx_rtmp_route_table_sweep(&routes[i]->table);

        ngx_rtmp_route_state_init_process(routes[i]);

        if (ngx_worker == 0) {
            ngx_rtmp_route_servers_resolve(routes[i]);
            ngx_rtmp_route_health_init(routes[i], cycle);
        }
    }

    ngx_rtmp_route_dumb.fd = (ngx_socket_t) -1;

    ev = &ngx_rtmp_route_sweep_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_rtmp_route_sweep_handler;
    ev->data = &ngx_rtmp_route_dumb;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1000);

    return NGX_OK;
}


static void
ngx_rtmp_route_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_main_conf_t  *rmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    rmcf = ngx_rtmp_route_main_conf(cycle);
    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        ngx_rtmp_route_control_exit(routes[i]);
        ngx_rtmp_route_acl_free(&routes[i]->acl);
    }

    ngx_rtmp_route_health_exit();
    ngx_rtmp_route_client_exit();
    ngx_rtmp_route_slot_release();
}


static void
ngx_rtmp_route_exit_master(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(cycle);
    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        ngx_rtmp_route_state_exit_master(routes[i]);
    }
}


static void
ngx_rtmp_route_woken(void)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);
    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        if (!ngx_queue_empty(&routes[i]->waits)) {
            ngx_post_event(&routes[i]->wake, &ngx_posted_events);
        }

        ngx_rtmp_route_events_check(routes[i]);
    }

    for (i = 0; i < rmcf->nwakes; i++) {
        rmcf->wakes[i]();
    }
}


static void
ngx_rtmp_route_sweep_handler(ngx_event_t *ev)
{
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_main_conf_t  *rmcf;

    rmcf = ngx_rtmp_route_main_conf(ngx_cycle);
    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        ngx_rtmp_route_table_sweep(&routes[i]->table);
        ngx_rtmp_route_events_check(routes[i]);
        ngx_rtmp_route_events_sample(routes[i]);

        /* who was killed has woken nobody, nor does the time */

        if (!ngx_queue_empty(&routes[i]->waits)) {
            ngx_post_event(&routes[i]->wake, &ngx_posted_events);
        }
    }

    ngx_add_timer(ev, 1000);
}
