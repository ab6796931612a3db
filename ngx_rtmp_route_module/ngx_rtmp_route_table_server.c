
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* a registration is removed after so many of its time-outs */
#define NGX_RTMP_ROUTE_REMOVE  10


static ngx_int_t ngx_rtmp_route_server_set_locked(
    ngx_rtmp_route_table_t *table, ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params, ngx_rtmp_route_ref_t *ref);
static ngx_uint_t ngx_rtmp_route_server_sane(
    ngx_rtmp_route_server_info_t *info);
static ngx_int_t ngx_rtmp_route_server_place(ngx_rtmp_route_shm_t *sh);
static void ngx_rtmp_route_server_number(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_hot_t *hot);
static void ngx_rtmp_route_server_change(ngx_rtmp_route_table_t *table,
    ngx_uint_t i, ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params);
static ngx_uint_t ngx_rtmp_route_server_equal(ngx_rtmp_route_server_info_t *a,
    ngx_rtmp_route_server_info_t *b);
static ngx_uint_t ngx_rtmp_route_server_restarted(
    ngx_rtmp_route_server_info_t *old, ngx_rtmp_route_server_info_t *info);
static void ngx_rtmp_route_server_fill(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_stat_t *stat);


ngx_int_t
ngx_rtmp_route_server_find(ngx_rtmp_route_shm_t *sh, u_char *id, size_t len)
{
    uint32_t                       i, hash;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_server_info_t  *info;

    hash = (uint32_t) ngx_rtmp_route_siphash(sh->seed, id, len);

    for (i = *ngx_rtmp_route_id_bucket(sh, hash); i; i = cold->next) {

        cold = ngx_rtmp_route_cold(sh, i - 1);

        if (cold->hash != hash) {
            continue;
        }

        info = &cold->info[ngx_rtmp_route_hot(sh, i - 1)->active];

        if (info->id_len == len && ngx_memcmp(info->id, id, len) == 0) {
            return i - 1;
        }
    }

    return NGX_ERROR;
}


/* copies what picks need of a server to where they look for it */

void
ngx_rtmp_route_server_derive(ngx_rtmp_route_shm_t *sh, ngx_uint_t i)
{
    ngx_uint_t                       k, n;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_info_t    *info;
    ngx_rtmp_route_server_params_t  *params;

    ngx_rtmp_route_table_touch(sh);

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);
    info = &cold->info[hot->active];
    params = &cold->params[hot->active];

    hot->source = info->source;
    hot->resolved = 0;

    for (k = 0; k < NGX_RTMP_ROUTE_NPROTO; k++) {

        /* a name that has no address yet has ports only */

        for (n = 0; n < info->nendpoints[k]; n++) {
            if (info->endpoints[k][n].family == 0) {
                break;
            }
        }

        hot->nendpoints[k] = (u_char) n;

        if (n) {
            hot->resolved = 1;
        }
    }

    ngx_rtmp_route_point();

    hot->flags = (params->down ? NGX_RTMP_ROUTE_SERVER_DOWN : 0)
                 | (params->drain ? NGX_RTMP_ROUTE_SERVER_DRAIN : 0)
                 | (params->backup ? NGX_RTMP_ROUTE_SERVER_BACKUP : 0)
                 | (info->forced ? NGX_RTMP_ROUTE_SERVER_FORCED : 0)
                 | (info->gone ? NGX_RTMP_ROUTE_SERVER_GONE : 0);

    hot->weight = ngx_max(params->weight, 1);
    hot->max_conns = params->max_conns;
    hot->max_streams = params->max_streams;
    hot->max_fails = params->max_fails;
    hot->fail_timeout = params->fail_timeout;
    hot->timeout = params->timeout;
    hot->slow_start = params->slow_start;

    ngx_rtmp_route_method_keys(hot, info->id, info->id_len);

    ngx_rtmp_route_point();

    cold->hash = (uint32_t) ngx_rtmp_route_siphash(sh->seed, info->id,
                                                   info->id_len);
    cold->addrs = ngx_rtmp_route_server_addrs(info);

    ngx_rtmp_route_point();
}


void
ngx_rtmp_route_server_link(ngx_rtmp_route_shm_t *sh, ngx_uint_t i)
{
    uint32_t               *bucket;
    ngx_rtmp_route_cold_t  *cold;

    cold = ngx_rtmp_route_cold(sh, i);
    bucket = ngx_rtmp_route_id_bucket(sh, cold->hash);

    cold->next = *bucket;
    ngx_rtmp_route_point();
    *bucket = (uint32_t) i + 1;
    ngx_rtmp_route_point();

    sh->servers++;
}


void
ngx_rtmp_route_server_unlink(ngx_rtmp_route_shm_t *sh, ngx_uint_t i)
{
    uint32_t               *link;
    ngx_rtmp_route_cold_t  *cold;

    cold = ngx_rtmp_route_cold(sh, i);
    link = ngx_rtmp_route_id_bucket(sh, cold->hash);

    while (*link && *link != i + 1) {
        link = &ngx_rtmp_route_cold(sh, *link - 1)->next;
    }

    if (*link) {
        *link = cold->next;
        ngx_rtmp_route_point();
        sh->servers--;
    }
}


/* what refers to it does no longer match, so nothing else has to be done */

void
ngx_rtmp_route_server_drop(ngx_rtmp_route_shm_t *sh, ngx_uint_t i)
{
    ngx_rtmp_route_table_touch(sh);
    ngx_rtmp_route_table_changed(sh);

    ngx_rtmp_route_hot(sh, i)->valid = 0;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_server_note(sh, i);

    sh->strays += ngx_rtmp_route_hot(sh, i)->conns;

    ngx_rtmp_route_server_unlink(sh, i);

    ngx_rtmp_route_cold(sh, i)->list = 0;

    ngx_rtmp_route_point();

    sh->hosts_version++;

    ngx_rtmp_route_point();
}


/* whether the server had no room for another connection before */

ngx_uint_t
ngx_rtmp_route_server_conns(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    uint32_t birth, ngx_int_t add)
{
    uint32_t               conns;
    ngx_rtmp_route_hot_t  *hot;

    ngx_rtmp_route_table_touch(sh);

    if (!ngx_rtmp_route_server_born(sh, i, birth)) {
        sh->strays += (uint32_t) add;
        ngx_rtmp_route_point();
        return 0;
    }

    hot = ngx_rtmp_route_hot(sh, i);
    conns = hot->conns;

    hot->conns = conns + (uint32_t) add;

    ngx_rtmp_route_point();

    return hot->max_conns && conns >= hot->max_conns;
}


void
ngx_rtmp_route_server_sweep(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t              i;
    ngx_msec_t              idle;
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_shm_t   *sh;

    sh = table->sh;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid || !ngx_rtmp_route_server_lapsed(hot)) {
            continue;
        }

        if (ngx_rtmp_route_cold(sh, i)->list
            && ngx_rtmp_route_list_trim(sh, i, NGX_ERROR) == NGX_AGAIN)
        {
            return;
        }

        idle = ngx_current_msec - hot->last_seen;

        if (hot->conns == 0
            && idle / NGX_RTMP_ROUTE_REMOVE >= hot->timeout)
        {
            ngx_rtmp_route_server_drop(sh, i);
        }
    }
}


ngx_int_t
ngx_rtmp_route_server_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params, ngx_rtmp_route_ref_t *ref)
{
    ngx_int_t             rc;
    ngx_rtmp_route_ref_t  added;

    if (!ngx_rtmp_route_server_sane(info)) {
        return NGX_DECLINED;
    }

    if (ref == NULL) {
        ref = &added;
    }

    ngx_rtmp_route_table_lock(table);

    rc = ngx_rtmp_route_server_set_locked(table, info, params, ref);

    ngx_rtmp_route_table_unlock(table);

    if (rc == NGX_OK) {
        ngx_rtmp_route_session_adopt(table, ref->index);
    }

    if (table->adopt) {
        table->adopt = 0;
        ngx_rtmp_route_session_adopt_all(table);
    }

    return rc;
}


static ngx_int_t
ngx_rtmp_route_server_set_locked(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params, ngx_rtmp_route_ref_t *ref)
{
    ngx_int_t              i, rc;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    if ((info->source == NGX_RTMP_ROUTE_SRC_CONFIG
         || info->source == NGX_RTMP_ROUTE_SRC_CORE)
        && table->config != sh->config)
    {
        return NGX_ABORT;
    }

    i = ngx_rtmp_route_server_find(sh, info->id, info->id_len);

    if (i != NGX_ERROR
        && ngx_rtmp_route_server_allow(sh, i, info) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (info->source == NGX_RTMP_ROUTE_SRC_REGISTER
        && ngx_rtmp_route_server_displace(table, i, info) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_rtmp_route_server_unique(sh, i, info) != NGX_OK) {

        if (i != NGX_ERROR) {
            ngx_rtmp_route_server_drop(sh, i);
        }

        return NGX_DECLINED;
    }

    if (i != NGX_ERROR) {
        rc = NGX_DONE;

        if (ngx_rtmp_route_server_moved(sh, i, info)) {
            ngx_rtmp_route_server_split(table, i);
        }

        ngx_rtmp_route_server_change(table, i, info, params);

    } else {
        rc = NGX_OK;
        i = ngx_rtmp_route_server_add(table, info, params);

        if (i == NGX_ERROR) {
            return NGX_BUSY;
        }
    }

    ref->index = (uint32_t) i;
    ref->seq = ngx_rtmp_route_hot(sh, i)->seq;

    return rc;
}


static ngx_uint_t
ngx_rtmp_route_server_sane(ngx_rtmp_route_server_info_t *info)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        if (info->nendpoints[i] > NGX_RTMP_ROUTE_MAX_ENDPOINTS) {
            return 0;
        }
    }

    return info->id_len
           && info->id_len <= NGX_RTMP_ROUTE_ID_LEN
           && info->origin_len <= NGX_RTMP_ROUTE_ID_LEN
           && info->service_len <= NGX_RTMP_ROUTE_TEXT_LEN
           && info->pid_len <= NGX_RTMP_ROUTE_TEXT_LEN
           && info->device_len <= NGX_RTMP_ROUTE_TEXT_LEN;
}


/* a free place, if need be that of a registration which has expired */

static ngx_int_t
ngx_rtmp_route_server_place(ngx_rtmp_route_shm_t *sh)
{
    ngx_int_t              oldest;
    ngx_uint_t             i;
    ngx_msec_t             idle, longest;
    ngx_rtmp_route_hot_t  *hot;

    oldest = NGX_ERROR;
    longest = 0;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid) {
            return i;
        }

        if (ngx_rtmp_route_server_lapsed(hot) && hot->conns == 0) {
            idle = ngx_current_msec - hot->last_seen;

            if (idle > longest) {
                longest = idle;
                oldest = i;
            }
        }
    }

    if (i < sh->nservers) {
        ngx_rtmp_route_table_touch(sh);

        ngx_memzero(ngx_rtmp_route_hot(sh, i), sizeof(ngx_rtmp_route_hot_t));
        ngx_rtmp_route_point();
        sh->server_top = (uint32_t) i + 1;
        ngx_rtmp_route_point();

        return i;
    }

    if (oldest != NGX_ERROR) {
        ngx_rtmp_route_server_drop(sh, oldest);
    }

    return oldest;
}


ngx_int_t
ngx_rtmp_route_server_add(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info, ngx_rtmp_route_server_params_t *params)
{
    ngx_int_t                        i;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_params_t   def;

    sh = table->sh;

    i = ngx_rtmp_route_server_place(sh);
    if (i == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (params == NULL) {
        ngx_memzero(&def, sizeof(ngx_rtmp_route_server_params_t));
        def.weight = 1;
        def.max_fails = 1;
        def.fail_timeout = 10000;
        params = &def;
    }

    ngx_rtmp_route_table_touch(sh);

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    ngx_memzero(hot, sizeof(ngx_rtmp_route_hot_t));
    ngx_memzero(cold, sizeof(ngx_rtmp_route_cold_t));

    ngx_rtmp_route_server_write(sh, i, info, params, params);

    ngx_rtmp_route_server_number(sh, hot);

    hot->last_seen = ngx_current_msec;
    cold->birth = hot->seq;

    ngx_rtmp_route_health_born(table, i);

    /* of one whose name has other addresses now, sessions may be there yet */

    hot->adopt = (sh->strays != 0 || info->gone);

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    hot->valid = 1;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_server_link(sh, i);

    sh->hosts_version++;

    table->wake = 1;

    return i;
}


/* no number is ever given twice */

static void
ngx_rtmp_route_server_number(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_hot_t *hot)
{
    uint32_t  seq;

    seq = sh->seq + 1;
    sh->seq = seq;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    hot->seq = seq;
    ngx_rtmp_route_point();
}


static void
ngx_rtmp_route_server_change(ngx_rtmp_route_table_t *table, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info, ngx_rtmp_route_server_params_t *params)
{
    ngx_uint_t                       changed;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_params_t   own, given;

    sh = table->sh;

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    changed = !ngx_rtmp_route_server_equal(&cold->info[hot->active], info);

    if (ngx_rtmp_route_server_lapsed(hot)) {
        ngx_rtmp_route_health_recover(hot);
        table->wake = 1;
    }

    hot->last_seen = ngx_current_msec;
    sh->beats++;

    if (params) {
        own = cold->params[hot->active];
        given = cold->given[hot->active];

        if (info->source == NGX_RTMP_ROUTE_SRC_API) {
            given = *params;
            own = *params;
            changed = 1;

        } else if (ngx_rtmp_route_server_merge(&own, &given, params)) {
            changed = 1;
        }
    }

    if (!changed) {
        return;
    }

    ngx_rtmp_route_table_touch(sh);

    if (ngx_rtmp_route_server_restarted(&cold->info[hot->active], info)
        || ngx_rtmp_route_server_moved(sh, i, info))
    {

        /*
         * Before the new info: a process that is killed in between leaves
         * a restart that is seen once more
         */

        hot->fails = 0;
        ngx_rtmp_route_point();
        ngx_rtmp_route_health_born(table, i);
        ngx_rtmp_route_health_recover(hot);
        ngx_rtmp_route_point();
        ngx_rtmp_route_server_number(sh, hot);
        hot->streams = 0;
        hot->pending = 0;
        hot->named = 0;
        cold->list = 0;
        cold->conflicts = 0;
        ngx_rtmp_route_point();
    }

    if (params == NULL) {
        own = cold->params[hot->active];
        given = cold->given[hot->active];
    }

    ngx_rtmp_route_server_write(sh, i, info, &own, &given);

    sh->hosts_version++;

    table->wake = 1;
}


/* the port that a registration came from is another one each time */

static ngx_uint_t
ngx_rtmp_route_server_equal(ngx_rtmp_route_server_info_t *a,
    ngx_rtmp_route_server_info_t *b)
{
    return ngx_memcmp(a, b, offsetof(ngx_rtmp_route_server_info_t, registrar))
               == 0
           && a->registrar.family == b->registrar.family
           && ngx_memcmp(a->registrar.addr, b->registrar.addr,
                         sizeof(a->registrar.addr))
               == 0
           && a->token == b->token
           && ngx_memcmp(a->endpoints, b->endpoints, sizeof(a->endpoints))
               == 0;
}


static ngx_uint_t
ngx_rtmp_route_server_restarted(ngx_rtmp_route_server_info_t *old,
    ngx_rtmp_route_server_info_t *info)
{
    if (old->source != NGX_RTMP_ROUTE_SRC_REGISTER
        || info->source != NGX_RTMP_ROUTE_SRC_REGISTER)
    {
        return 0;
    }

    return old->service_len != info->service_len
           || ngx_memcmp(old->service, info->service, info->service_len) != 0
           || old->pid_len != info->pid_len
           || ngx_memcmp(old->pid, info->pid, info->pid_len) != 0;
}


/*
 * What was set at run time stays until the configuration or the registration
 * says something else than it said before.  An update says something else than
 * its author has seen.
 */

ngx_uint_t
ngx_rtmp_route_server_merge(ngx_rtmp_route_server_params_t *params,
    ngx_rtmp_route_server_params_t *given,
    ngx_rtmp_route_server_params_t *new)
{
    ngx_uint_t  changed;

    changed = 0;

#define ngx_rtmp_route_merge(field)                                           \
    if (given->field != new->field) {                                         \
        given->field = new->field;                                            \
        params->field = new->field;                                           \
        changed = 1;                                                          \
    }

    ngx_rtmp_route_merge(weight);
    ngx_rtmp_route_merge(max_conns);
    ngx_rtmp_route_merge(max_streams);
    ngx_rtmp_route_merge(max_fails);
    ngx_rtmp_route_merge(fail_timeout);
    ngx_rtmp_route_merge(slow_start);
    ngx_rtmp_route_merge(timeout);
    ngx_rtmp_route_merge(down);
    ngx_rtmp_route_merge(drain);
    ngx_rtmp_route_merge(backup);

#undef ngx_rtmp_route_merge

    return changed;
}


/* the copy that is not in use is written, then both change places */

void
ngx_rtmp_route_server_write(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params,
    ngx_rtmp_route_server_params_t *given)
{
    ngx_uint_t              n;
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_cold_t  *cold;

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    n = !hot->active;

    ngx_rtmp_route_table_changed(sh);

    cold->info[n] = *info;
    ngx_rtmp_route_point();
    cold->params[n] = *params;
    cold->given[n] = *given;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    hot->active = (u_char) n;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    ngx_rtmp_route_server_derive(sh, i);
}


ngx_int_t
ngx_rtmp_route_server_create(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_server_params_t *params)
{
    ngx_int_t             rc;
    ngx_rtmp_route_ref_t  added;

    if (!ngx_rtmp_route_server_sane(info)) {
        return NGX_DECLINED;
    }

    added.index = 0;

    ngx_rtmp_route_table_lock(table);

    if (ngx_rtmp_route_server_find(table->sh, info->id, info->id_len)
        == NGX_ERROR)
    {
        rc = ngx_rtmp_route_server_set_locked(table, info, params, &added);

    } else {
        rc = NGX_DONE;
    }

    ngx_rtmp_route_table_unlock(table);

    if (rc == NGX_OK) {
        ngx_rtmp_route_session_adopt(table, added.index);
    }

    return rc;
}


ngx_int_t
ngx_rtmp_route_server_get(ngx_rtmp_route_table_t *table, ngx_str_t *id,
    ngx_rtmp_route_server_stat_t *stat)
{
    ngx_int_t  i;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_find(table->sh, id->data, id->len);

    if (i != NGX_ERROR) {
        ngx_rtmp_route_server_fill(table->sh, i, stat);
    }

    ngx_rtmp_route_table_unlock(table);

    return (i == NGX_ERROR) ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_rtmp_route_server_expire(ngx_rtmp_route_table_t *table, ngx_str_t *id)
{
    ngx_int_t              i;
    ngx_rtmp_route_hot_t  *hot;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_find(table->sh, id->data, id->len);

    if (i != NGX_ERROR) {
        hot = ngx_rtmp_route_hot(table->sh, i);

        if (hot->source == NGX_RTMP_ROUTE_SRC_REGISTER && hot->timeout) {

            /* one that was late only would be kept while its checks pass */

            hot->last_seen = ngx_current_msec - 2 * (ngx_msec_t) hot->timeout
                             - 2;
            hot->stale = 0;

            if (hot->health == NGX_RTMP_ROUTE_HEALTH_UP) {
                hot->health = table->checks ? NGX_RTMP_ROUTE_HEALTH_CHECKING
                                            : NGX_RTMP_ROUTE_HEALTH_NONE;
            }

            table->sh->beats++;
            table->wake = 1;

        } else {
            i = NGX_ERROR;
        }
    }

    ngx_rtmp_route_table_unlock(table);

    return (i == NGX_ERROR) ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_rtmp_route_server_update(ngx_rtmp_route_table_t *table, ngx_str_t *id,
    ngx_rtmp_route_server_params_t *was,
    ngx_rtmp_route_server_params_t *params)
{
    ngx_int_t                        i;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   own, given, seen;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_find(sh, id->data, id->len);

    if (i != NGX_ERROR) {
        hot = ngx_rtmp_route_hot(sh, i);
        cold = ngx_rtmp_route_cold(sh, i);

        info = cold->info[hot->active];
        given = cold->given[hot->active];
        own = *params;

        if (was) {
            own = cold->params[hot->active];
            seen = *was;

            (void) ngx_rtmp_route_server_merge(&own, &seen, params);
        }

        ngx_rtmp_route_table_touch(sh);
        ngx_rtmp_route_server_write(sh, i, &info, &own, &given);

        table->wake = 1;
    }

    ngx_rtmp_route_table_unlock(table);

    return (i == NGX_ERROR) ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_rtmp_route_server_delete(ngx_rtmp_route_table_t *table, ngx_str_t *id)
{
    ngx_int_t  i;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_find(table->sh, id->data, id->len);

    if (i != NGX_ERROR) {
        ngx_rtmp_route_server_drop(table->sh, i);
    }

    ngx_rtmp_route_table_unlock(table);

    return (i == NGX_ERROR) ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_rtmp_route_server_walk_next(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_server_stat_t *stat, ngx_uint_t named)
{
    uint32_t               i;
    ngx_int_t              rc;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    rc = NGX_DONE;

    ngx_rtmp_route_table_lock(table);

    for (i = *cursor; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid
            || (named
                && hot->source != NGX_RTMP_ROUTE_SRC_CONFIG
                && hot->source != NGX_RTMP_ROUTE_SRC_CORE))
        {
            continue;
        }

        ngx_rtmp_route_server_fill(sh, i, stat);
        i++;
        rc = NGX_OK;
        break;
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


static void
ngx_rtmp_route_server_fill(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_server_stat_t *stat)
{
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_cold_t  *cold;

    hot = ngx_rtmp_route_hot(sh, i);
    cold = ngx_rtmp_route_cold(sh, i);

    stat->ref.index = (uint32_t) i;
    stat->ref.seq = hot->seq;
    stat->info = cold->info[hot->active];
    stat->params = cold->params[hot->active];
    stat->state = ngx_rtmp_route_server_state(hot);
    stat->health = hot->health;
    ngx_rtmp_route_health_fill(sh, i, &stat->check);
    stat->streams = hot->streams + hot->pinned + hot->named;
    stat->conns = hot->conns;
    stat->drained = (hot->flags & (NGX_RTMP_ROUTE_SERVER_DRAIN
                                   |NGX_RTMP_ROUTE_SERVER_GONE))
                    && hot->conns == 0
                    && hot->streams == 0 && hot->named == 0;
    stat->conflicts = ngx_rtmp_route_server_expired(hot) ? 0 : cold->conflicts;
    stat->selected = cold->selected;
    stat->fails = cold->fails;
    stat->unavail = cold->unavail;
    stat->in = cold->in;
    stat->out = cold->out;
    stat->last_seen = hot->last_seen;
    stat->expires = 0;

    if (hot->source == NGX_RTMP_ROUTE_SRC_REGISTER
        && hot->timeout
        && !ngx_rtmp_route_server_expired(hot))
    {
        /* never 0 before it has expired */

        stat->expires = hot->timeout - (ngx_current_msec - hot->last_seen);
        stat->expires = ngx_max(stat->expires, 1);
    }
}


ngx_uint_t
ngx_rtmp_route_server_state(ngx_rtmp_route_hot_t *hot)
{
    if (hot->flags & NGX_RTMP_ROUTE_SERVER_DOWN) {
        return NGX_RTMP_ROUTE_DOWN;
    }

    if (!hot->resolved) {
        return NGX_RTMP_ROUTE_UNRESOLVED;
    }

    if (ngx_rtmp_route_server_lapsed(hot)) {
        return NGX_RTMP_ROUTE_EXPIRED;
    }

    if (hot->health == NGX_RTMP_ROUTE_HEALTH_DOWN) {
        return NGX_RTMP_ROUTE_UNHEALTHY;
    }

    if (ngx_rtmp_route_server_unavail(hot)) {
        return NGX_RTMP_ROUTE_UNAVAIL;
    }

    if (hot->flags & NGX_RTMP_ROUTE_SERVER_GONE) {
        return NGX_RTMP_ROUTE_GONE;
    }

    if (hot->flags & NGX_RTMP_ROUTE_SERVER_DRAIN) {
        return NGX_RTMP_ROUTE_DRAINING;
    }

    if (ngx_rtmp_route_server_expired(hot)) {
        return NGX_RTMP_ROUTE_STALE;
    }

    if (hot->health == NGX_RTMP_ROUTE_HEALTH_CHECKING) {
        return NGX_RTMP_ROUTE_CHECKING;
    }

    return NGX_RTMP_ROUTE_UP;
}
