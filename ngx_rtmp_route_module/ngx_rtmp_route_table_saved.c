
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_saved.h"
#include "ngx_rtmp_route_table_int.h"


/* the same time, as seen by two processes, may differ by so many ms */
#define NGX_RTMP_ROUTE_SAME_TIME  500


static void ngx_rtmp_route_saved_id(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_str_t *id);
static ngx_int_t ngx_rtmp_route_load_new(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_uint_t keep);
static ngx_int_t ngx_rtmp_route_load_heartbeat(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_uint_t how);
static ngx_uint_t ngx_rtmp_route_load_rival(ngx_rtmp_route_shm_t *sh,
    ngx_int_t self, ngx_rtmp_route_saved_server_t *saved);
static ngx_int_t ngx_rtmp_route_load_params(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved,
    ngx_rtmp_route_server_stat_t *stat);
static ngx_int_t ngx_rtmp_route_load_api(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved);
static ngx_uint_t ngx_rtmp_route_load_params_equal(
    ngx_rtmp_route_server_params_t *a, ngx_rtmp_route_server_params_t *b);
static uint32_t ngx_rtmp_route_load_create(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_stream_t *saved);
static ngx_int_t ngx_rtmp_route_load_where(ngx_rtmp_route_shm_t *sh,
    uint32_t i, ngx_rtmp_route_saved_stream_t *saved, ngx_uint_t how);
static ngx_int_t ngx_rtmp_route_load_held(ngx_rtmp_route_shm_t *sh,
    uint32_t i, ngx_rtmp_route_saved_stream_t *saved, ngx_uint_t how);
static void ngx_rtmp_route_load_pin(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_int_t server);


void
ngx_rtmp_route_saved_mark(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_mark_t *mark)
{
    mark->changes = table->sh->changes;
    mark->beats = table->sh->beats;

    ngx_memory_barrier();
}


void
ngx_rtmp_route_saved_last(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_mark_t *mark)
{
    ngx_rtmp_route_table_lock(table);

    mark->changes = table->sh->saved_changes;
    mark->beats = table->sh->saved_beats;

    ngx_rtmp_route_table_unlock(table);
}


void
ngx_rtmp_route_saved_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_mark_t *mark)
{
    ngx_rtmp_route_table_lock(table);

    table->sh->saved_changes = mark->changes;
    table->sh->saved_beats = mark->beats;

    ngx_rtmp_route_table_unlock(table);
}


uint64_t
ngx_rtmp_route_saved_born(ngx_rtmp_route_table_t *table)
{
    return table->sh->born;
}


ngx_uint_t
ngx_rtmp_route_saved_file(ngx_rtmp_route_table_t *table, uint64_t *file)
{
    ngx_uint_t             changed;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    changed = ngx_memcmp(sh->saved_file, file, sizeof(sh->saved_file)) != 0;

    if (changed) {
        ngx_memcpy(sh->saved_file, file, sizeof(sh->saved_file));
    }

    ngx_rtmp_route_table_unlock(table);

    return changed;
}


ngx_uint_t
ngx_rtmp_route_saved_turn(ngx_rtmp_route_table_t *table, ngx_msec_t interval)
{
    ngx_uint_t             turn;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    turn = ngx_rtmp_route_passed(sh->saved_turn) >= (ngx_msec_int_t) interval;

    if (turn) {
        sh->saved_turn = ngx_current_msec;
    }

    ngx_rtmp_route_table_unlock(table);

    return turn;
}


ngx_int_t
ngx_rtmp_route_saved_server(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_saved_server_t *saved)
{
    uint32_t                i;
    ngx_int_t               rc;
    ngx_msec_int_t          idle;
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_cold_t  *cold;

    sh = table->sh;
    rc = NGX_DONE;

    ngx_rtmp_route_table_lock(table);

    for (i = *cursor; i < sh->server_top; i++) {

        hot = ngx_rtmp_route_hot(sh, i);

        /* sessions do not survive a restart, so neither does what is gone */

        if (!hot->valid || (hot->flags & NGX_RTMP_ROUTE_SERVER_GONE)) {
            continue;
        }

        cold = ngx_rtmp_route_cold(sh, i++);

        saved->info = cold->info[hot->active];
        saved->params = cold->params[hot->active];
        saved->given = cold->given[hot->active];

        idle = ngx_rtmp_route_passed(hot->last_seen);
        saved->idle = ngx_max(idle, 0);

        rc = NGX_OK;
        break;
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_saved_stream(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_saved_stream_t *saved)
{
    int32_t                        ms;
    uint32_t                       i, last;
    ngx_int_t                      rc;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = *cursor;
    rc = ngx_rtmp_route_cells_step(sh, i, NGX_RTMP_ROUTE_WALK, &last)
         ? NGX_AGAIN : NGX_DONE;

    while (i < last) {
        st = ngx_rtmp_route_stream(sh, ++i);

        if (st->type != NGX_RTMP_ROUTE_CELL_STREAM
            || (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
            || !ngx_rtmp_route_stream_refresh(sh, i)
            || !ngx_rtmp_route_stream_known(st))
        {
            continue;
        }

        saved->key.len = st->key_len;
        saved->key.data = saved->key_buf;

        ngx_rtmp_route_text_get(sh, st->key, sizeof(st->key), st->text,
                                saved->key_buf, st->key_len);

        saved->server.data = saved->id_buf[0];
        saved->server.len = 0;
        saved->pin.data = saved->id_buf[1];
        saved->pin.len = 0;
        saved->list.data = saved->id_buf[2];
        saved->list.len = 0;

        if (st->server_seq) {
            ngx_rtmp_route_saved_id(sh, st->server, &saved->server);
        }

        if (st->pin_birth) {
            ngx_rtmp_route_saved_id(sh, st->pin, &saved->pin);
        }

        if (st->list_seq) {
            ngx_rtmp_route_saved_id(sh, st->list, &saved->list);
        }

        saved->from = ngx_rtmp_route_stream_from(st);
        saved->lived = (st->flags & NGX_RTMP_ROUTE_STREAM_LIVED) ? 1 : 0;
        saved->live = (st->publishers || st->players);
        saved->checked = (saved->from == NGX_RTMP_ROUTE_FROM_CORE
                          && (st->flags & NGX_RTMP_ROUTE_STREAM_CHECKED));

        ms = (int32_t) ((uint32_t) ngx_current_msec - st->used);
        saved->idle = (saved->live || ms < 0) ? 0 : ms;

        ms = (int32_t) (st->core - (uint32_t) ngx_current_msec);
        saved->ttl = (saved->checked && ms > 0) ? ms : 0;

        ms = (int32_t) ((uint32_t) (ngx_current_msec / 1000) - st->created);
        saved->age = (ms < 0) ? 0 : (ngx_msec_t) ms * 1000;

        rc = NGX_OK;
        break;
    }

    *cursor = i;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


static void
ngx_rtmp_route_saved_id(ngx_rtmp_route_shm_t *sh, ngx_uint_t i, ngx_str_t *id)
{
    ngx_rtmp_route_server_info_t  *info;

    info = &ngx_rtmp_route_cold(sh, i)
                                   ->info[ngx_rtmp_route_hot(sh, i)->active];

    id->len = info->id_len;
    ngx_memcpy(id->data, info->id, info->id_len);
}


ngx_uint_t
ngx_rtmp_route_saved_rules(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rules, uint32_t *last)
{
    ngx_uint_t             n;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    n = sh->rules_len[sh->rules_used];
    *last = sh->rule;

    ngx_memcpy(rules, ngx_rtmp_route_rule_list(sh, sh->rules_used),
               n * sizeof(ngx_rtmp_route_rule_t));

    ngx_rtmp_route_table_unlock(table);

    return n;
}


ngx_int_t
ngx_rtmp_route_load_server(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_uint_t how, ngx_uint_t keep)
{
    ngx_str_t                      id;
    ngx_rtmp_route_server_stat_t   stat;

    if (how == NGX_RTMP_ROUTE_LOAD_FRESH) {
        return ngx_rtmp_route_load_new(table, saved, keep);
    }

    if (saved->info.source == NGX_RTMP_ROUTE_SRC_REGISTER) {
        return ngx_rtmp_route_load_heartbeat(table, saved, how);
    }

    if (how == NGX_RTMP_ROUTE_LOAD_PEER) {
        return NGX_DONE;
    }

    if (saved->info.source == NGX_RTMP_ROUTE_SRC_API) {
        return ngx_rtmp_route_load_api(table, saved);
    }

    id.len = saved->info.id_len;
    id.data = saved->info.id;

    if (ngx_rtmp_route_server_get(table, &id, &stat) != NGX_OK
        || stat.info.source != saved->info.source)
    {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_load_params(table, saved, &stat);
}


static ngx_int_t
ngx_rtmp_route_load_new(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_uint_t keep)
{
    ngx_int_t              i, rc;
    ngx_msec_t             idle;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (ngx_rtmp_route_server_find(sh, saved->info.id, saved->info.id_len)
        != NGX_ERROR)
    {
        rc = NGX_DECLINED;
        goto done;
    }

    if (saved->info.source != NGX_RTMP_ROUTE_SRC_CONFIG
        && sh->servers + keep >= sh->nservers)
    {
        rc = NGX_BUSY;
        goto done;
    }

    i = ngx_rtmp_route_server_add(table, &saved->info, &saved->params);

    if (i == NGX_ERROR) {
        rc = NGX_BUSY;
        goto done;
    }

    rc = NGX_OK;

    hot = ngx_rtmp_route_hot(sh, i);
    idle = saved->idle;

    ngx_rtmp_route_cold(sh, i)->given[hot->active] = saved->given;

    /* one that has expired is seen as such: it is removed some time later */

    if (saved->params.timeout) {
        idle = ngx_min(idle, (ngx_msec_t) saved->params.timeout + 1);
    }

    hot->last_seen = ngx_current_msec - idle;

done:

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


/* as if it had come to this process, but at the time when it has come */

static ngx_int_t
ngx_rtmp_route_load_heartbeat(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_uint_t how)
{
    ngx_int_t                      i, rc;
    ngx_str_t                      id;
    ngx_msec_t                     seen;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_server_stat_t   stat;

    sh = table->sh;

    id.len = saved->info.id_len;
    id.data = saved->info.id;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_find(sh, id.data, id.len);

    if (i == NGX_ERROR) {

        rc = (saved->params.timeout && saved->idle <= saved->params.timeout
              && !ngx_rtmp_route_load_rival(sh, i, saved))
             ? NGX_OK : NGX_DECLINED;

    } else {
        hot = ngx_rtmp_route_hot(sh, i);

        if (hot->source != NGX_RTMP_ROUTE_SRC_REGISTER
            || ngx_rtmp_route_load_rival(sh, i, saved))
        {
            rc = NGX_DECLINED;

        } else if (ngx_rtmp_route_passed(hot->last_seen)
                   <= (ngx_msec_int_t) (saved->idle
                                        + NGX_RTMP_ROUTE_SAME_TIME))
        {
            rc = NGX_DONE;

        } else {
            rc = NGX_OK;
        }
    }

    ngx_rtmp_route_table_unlock(table);

    if (rc == NGX_OK) {
        seen = ngx_current_msec - saved->idle;

        rc = ngx_rtmp_route_server_set(table, &saved->info, &saved->given,
                                       NULL);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }

        rc = NGX_OK;

        ngx_rtmp_route_table_lock(table);

        i = ngx_rtmp_route_server_find(sh, id.data, id.len);

        if (i != NGX_ERROR) {
            ngx_rtmp_route_hot(sh, i)->last_seen = seen;
        }

        ngx_rtmp_route_table_unlock(table);
    }

    if (rc != NGX_DECLINED
        && how == NGX_RTMP_ROUTE_LOAD_OWNER
        && ngx_rtmp_route_server_get(table, &id, &stat) == NGX_OK
        && ngx_rtmp_route_load_params(table, saved, &stat) == NGX_OK)
    {
        return NGX_OK;
    }

    return rc;
}


/* whether another server has registered the address, and did so later */

static ngx_uint_t
ngx_rtmp_route_load_rival(ngx_rtmp_route_shm_t *sh, ngx_int_t self,
    ngx_rtmp_route_saved_server_t *saved)
{
    uint64_t                addrs;
    ngx_int_t               i;
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_cold_t  *cold;

    addrs = ngx_rtmp_route_server_addrs(&saved->info);

    for (i = 0; i < (ngx_int_t) sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);
        cold = ngx_rtmp_route_cold(sh, i);

        if (i != self
            && hot->valid
            && hot->source == NGX_RTMP_ROUTE_SRC_REGISTER
            && (cold->addrs & addrs)
            && ngx_rtmp_route_server_same_rtmp(&cold->info[hot->active],
                                               &saved->info)
            && ngx_rtmp_route_passed(hot->last_seen)
               <= (ngx_msec_int_t) saved->idle)
        {
            return 1;
        }
    }

    return 0;
}


/* what was set at run time, if it was set for the same server */

static ngx_int_t
ngx_rtmp_route_load_params(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_rtmp_route_server_stat_t *stat)
{
    ngx_int_t                        i;
    ngx_str_t                        id;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_server_params_t   given;

    sh = table->sh;

    id.len = saved->info.id_len;
    id.data = saved->info.id;

    if (ngx_rtmp_route_load_params_equal(&stat->params, &saved->params)) {
        return NGX_DONE;
    }

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_server_find(sh, id.data, id.len);

    if (i != NGX_ERROR) {
        given = ngx_rtmp_route_cold(sh, i)
                                ->given[ngx_rtmp_route_hot(sh, i)->active];
    }

    ngx_rtmp_route_table_unlock(table);

    if (i == NGX_ERROR
        || !ngx_rtmp_route_load_params_equal(&given, &saved->given))
    {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_server_update(table, &id, NULL, &saved->params);
}


static ngx_int_t
ngx_rtmp_route_load_api(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved)
{
    ngx_int_t                      rc;
    ngx_str_t                      id;
    ngx_rtmp_route_server_stat_t   stat;

    id.len = saved->info.id_len;
    id.data = saved->info.id;

    if (ngx_rtmp_route_server_get(table, &id, &stat) == NGX_OK) {

        if (stat.info.source != NGX_RTMP_ROUTE_SRC_API) {
            return NGX_DECLINED;
        }

        if (ngx_rtmp_route_load_params_equal(&stat.params, &saved->params)
            && ngx_memcmp(&stat.info, &saved->info,
                          sizeof(ngx_rtmp_route_server_info_t))
               == 0)
        {
            return NGX_DONE;
        }
    }

    rc = ngx_rtmp_route_server_set(table, &saved->info, &saved->params, NULL);

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


static ngx_uint_t
ngx_rtmp_route_load_params_equal(ngx_rtmp_route_server_params_t *a,
    ngx_rtmp_route_server_params_t *b)
{
    return a->weight == b->weight
           && a->max_conns == b->max_conns
           && a->max_streams == b->max_streams
           && a->max_fails == b->max_fails
           && a->fail_timeout == b->fail_timeout
           && a->slow_start == b->slow_start
           && a->timeout == b->timeout
           && a->down == b->down
           && a->drain == b->drain
           && a->backup == b->backup;
}


ngx_int_t
ngx_rtmp_route_load_stream(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_stream_t *saved, ngx_uint_t how)
{
    uint32_t               i;
    ngx_int_t              rc;
    ngx_uint_t             new;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    new = 0;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_stream_find(sh, &saved->key);

    if (i && how == NGX_RTMP_ROUTE_LOAD_FRESH) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (i) {
        i = ngx_rtmp_route_stream_refresh(sh, i);
    }

    if (i == 0) {
        new = 1;
        i = ngx_rtmp_route_load_create(table, saved);

        if (i == 0) {
            rc = NGX_BUSY;
            goto done;
        }
    }

    rc = ngx_rtmp_route_load_where(sh, i, saved, how);

    if (ngx_rtmp_route_load_held(sh, i, saved, how) == NGX_OK) {
        rc = NGX_OK;
    }

    if (saved->live) {
        ngx_rtmp_route_stream_used(sh, i);
    }

    if (ngx_rtmp_route_stream_settle(sh, i) == 0) {

        /* its server is not there */

        rc = NGX_DECLINED;

    } else if (new) {
        rc = NGX_OK;
    }

    if (rc == NGX_OK && how != NGX_RTMP_ROUTE_LOAD_FRESH) {
        table->wake = 1;
    }

done:

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


/* nothing is forgotten for what was remembered elsewhere */

static uint32_t
ngx_rtmp_route_load_create(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_stream_t *saved)
{
    uint32_t                       i;
    ngx_uint_t                     n;
    ngx_msec_t                     ms;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = table->sh;

    n = 1 + ngx_rtmp_route_text_cells(saved->key.len, sizeof(st->key));

    if (n > sh->nfree + (sh->ncells - sh->top)) {
        return 0;
    }

    i = ngx_rtmp_route_stream_create(table, &saved->key);

    if (i) {
        st = ngx_rtmp_route_stream(sh, i);

        ms = ngx_min(saved->idle, NGX_MAX_INT32_VALUE);
        st->used = (uint32_t) (ngx_current_msec - ms);

        ms = ngx_min(saved->age / 1000, NGX_MAX_INT32_VALUE);
        st->created = (uint32_t) (ngx_current_msec / 1000 - ms);
    }

    return i;
}


/* the server that is remembered beneath pin and list */

static ngx_int_t
ngx_rtmp_route_load_where(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_saved_stream_t *saved, ngx_uint_t how)
{
    int32_t                        idle;
    ngx_int_t                      n;
    ngx_uint_t                     from;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);
    from = saved->from;

    if (st->live || saved->server.len == 0
        || from == NGX_RTMP_ROUTE_FROM_NONE)
    {
        return NGX_DONE;
    }

    n = ngx_rtmp_route_server_find(sh, saved->server.data, saved->server.len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    if (how != NGX_RTMP_ROUTE_LOAD_FRESH) {

        /* what the control plane says is heard by each on its own */

        if (from == NGX_RTMP_ROUTE_FROM_CORE && !saved->live) {
            return NGX_DONE;
        }

        if (st->server_seq) {

            idle = (int32_t) ((uint32_t) ngx_current_msec - st->used);

            if (st->server == n
                || (!saved->live
                    && (idle < 0
                        || (ngx_msec_t) idle
                           <= saved->idle + NGX_RTMP_ROUTE_SAME_TIME)))
            {
                return NGX_DONE;
            }
        }

        if (from == NGX_RTMP_ROUTE_FROM_CORE) {
            from = NGX_RTMP_ROUTE_FROM_FOUND;
        }
    }

    ngx_rtmp_route_stream_move(sh, i, n, from);

    if (from == NGX_RTMP_ROUTE_FROM_CORE) {

        if (saved->checked) {
            st->core = (uint32_t) (ngx_current_msec + saved->ttl);
            st->flags |= NGX_RTMP_ROUTE_STREAM_CHECKED;

        } else {
            st->core = sh->core;
        }
    }

    if (saved->lived) {
        st->flags |= NGX_RTMP_ROUTE_STREAM_LIVED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_load_held(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_saved_stream_t *saved, ngx_uint_t how)
{
    ngx_int_t                      n, rc;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);
    rc = NGX_DONE;

    if (how != NGX_RTMP_ROUTE_LOAD_PEER) {

        n = saved->pin.len ? ngx_rtmp_route_server_find(sh, saved->pin.data,
                                                        saved->pin.len)
                           : NGX_ERROR;

        if (n == NGX_ERROR ? st->pin_birth != 0
                           : st->pin_birth == 0 || st->pin != n)
        {
            ngx_rtmp_route_load_pin(sh, i, n);
            rc = NGX_OK;
        }
    }

    if (saved->list.len == 0 || st->list_seq) {
        return rc;
    }

    n = ngx_rtmp_route_server_find(sh, saved->list.data, saved->list.len);

    if (n == NGX_ERROR
        || (how != NGX_RTMP_ROUTE_LOAD_FRESH
            && (ngx_rtmp_route_server_lapsed(ngx_rtmp_route_hot(sh, n))
                || (st->live && st->server != n)
                || (st->pin_birth && st->pin != n))))
    {
        return rc;
    }

    ngx_rtmp_route_stream_count(sh, st, -1);
    ngx_rtmp_route_table_changed(sh);

    st->list = (uint16_t) n;
    ngx_rtmp_route_point();
    st->list_gen = ngx_rtmp_route_cold(sh, n)->list_gen;
    ngx_rtmp_route_point();
    st->list_seq = ngx_rtmp_route_hot(sh, n)->seq;
    ngx_rtmp_route_point();

    ngx_rtmp_route_list_add(sh, i, 0);

    ngx_rtmp_route_stream_count(sh, st, 1);

    return NGX_OK;
}


/* NGX_ERROR: no server, the pin is taken away */

static void
ngx_rtmp_route_load_pin(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_int_t server)
{
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);

    ngx_rtmp_route_stream_count(sh, st, -1);
    ngx_rtmp_route_table_changed(sh);

    st->pin_birth = 0;
    ngx_rtmp_route_point();

    if (server != NGX_ERROR) {
        st->pin = (uint16_t) server;
        ngx_rtmp_route_point();
        st->pin_birth = ngx_rtmp_route_cold(sh, server)->birth;
        ngx_rtmp_route_point();
    }

    ngx_rtmp_route_stream_count(sh, st, 1);
}


ngx_int_t
ngx_rtmp_route_load_rules(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rules, ngx_uint_t n, uint32_t last)
{
    ngx_int_t              rc;
    ngx_uint_t             k;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (n > sh->nrules) {
        rc = NGX_BUSY;

    } else if (n == sh->rules_len[sh->rules_used]
               && ngx_memcmp(ngx_rtmp_route_rule_list(sh, sh->rules_used),
                             rules, n * sizeof(ngx_rtmp_route_rule_t))
                  == 0)
    {
        sh->rule = ngx_max(sh->rule, last);
        rc = NGX_DONE;

    } else {
        ngx_rtmp_route_table_touch(sh);
        ngx_rtmp_route_table_changed(sh);

        k = !sh->rules_used;

        ngx_memcpy(ngx_rtmp_route_rule_list(sh, k), rules,
                   n * sizeof(ngx_rtmp_route_rule_t));

        sh->rules_len[k] = (uint32_t) n;
        sh->rule = ngx_max(sh->rule, last);

        ngx_memory_barrier();
        ngx_rtmp_route_point();

        sh->rules_used = (uint32_t) k;

        ngx_memory_barrier();
        ngx_rtmp_route_point();

        sh->rules_version++;

        rc = NGX_OK;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


void
ngx_rtmp_route_load_unpin(ngx_rtmp_route_table_t *table, ngx_str_t *key)
{
    uint32_t               i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_stream_find(sh, key);

    if (i && ngx_rtmp_route_stream(sh, i)->pin_birth) {
        ngx_rtmp_route_load_pin(sh, i, NGX_ERROR);
        (void) ngx_rtmp_route_stream_settle(sh, i);
    }

    ngx_rtmp_route_table_unlock(table);
}
