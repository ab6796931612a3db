
/*
 * Copyright (C) The nginx-osp authors
 */


/* What health checks have found of servers, and what follows from it. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* changes that are written to the log in one step */
#define NGX_RTMP_ROUTE_NOTES  8


typedef struct {
    ngx_uint_t                       up;
    size_t                           len;
    u_char                           id[NGX_RTMP_ROUTE_ID_LEN];
} ngx_rtmp_route_note_t;


static void ngx_rtmp_route_health_turn(ngx_rtmp_route_table_t *table,
    ngx_uint_t i, ngx_uint_t health);
static ngx_uint_t ngx_rtmp_route_health_masks(ngx_rtmp_route_table_t *table,
    ngx_uint_t *up, ngx_uint_t *sure);
static ngx_uint_t ngx_rtmp_route_health_mask(ngx_rtmp_route_hot_t *hot);
static ngx_uint_t ngx_rtmp_route_health_out(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_hot_t *hot);
static void ngx_rtmp_route_health_target(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t i, ngx_rtmp_route_target_t *target);


void
ngx_rtmp_route_health_reset(ngx_rtmp_route_table_t *table)
{
    ngx_uint_t             i;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid) {
            continue;
        }

        if (!table->checks) {
            hot->health = NGX_RTMP_ROUTE_HEALTH_NONE;

        } else if (hot->health == NGX_RTMP_ROUTE_HEALTH_NONE) {

            /* what has worked so far does not end with a reload */

            hot->health = table->mandatory ? NGX_RTMP_ROUTE_HEALTH_UP
                                           : NGX_RTMP_ROUTE_HEALTH_CHECKING;
            hot->check = ngx_current_msec;
        }

        ngx_rtmp_route_health_note(table, i);
    }

    table->wake = 1;

    ngx_rtmp_route_table_unlock(table);
}


ngx_int_t
ngx_rtmp_route_health_next(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_msec_t interval, ngx_msec_t jitter, ngx_rtmp_route_target_t *target)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n;
    ngx_msec_int_t         passed;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    rc = NGX_DONE;

    ngx_rtmp_route_table_lock(table);

    for (i = *cursor, n = 0; i < sh->server_top; i++, n++) {

        if (n == NGX_RTMP_ROUTE_WALK) {
            rc = NGX_AGAIN;
            break;
        }

        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid
            || (hot->flags & NGX_RTMP_ROUTE_SERVER_DOWN)
            || !hot->resolved
            || (!table->checks && !hot->wanted))
        {
            continue;
        }

        /* the interval may have been a longer one before */

        passed = ngx_rtmp_route_passed(hot->check);

        if (passed < 0 && (ngx_msec_t) -passed <= interval + jitter) {
            continue;
        }

        hot->check = ngx_current_msec + interval
                     + (jitter ? (ngx_msec_t) ngx_random() % (jitter + 1) : 0);

        ngx_rtmp_route_health_target(sh, i, target);

        rc = NGX_OK;
        i++;
        break;
    }

    *cursor = (uint32_t) i;

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_health_result(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_str_t *error, ngx_uint_t fails,
    ngx_uint_t passes, ngx_uint_t *was, ngx_uint_t *health)
{
    ngx_int_t                 rc;
    ngx_uint_t                passed;
    ngx_rtmp_route_hot_t     *hot;
    ngx_rtmp_route_shm_t     *sh;
    ngx_rtmp_route_health_t  *h;

    sh = table->sh;
    passed = (error == NULL);

    ngx_rtmp_route_table_lock(table);

    if (ref->index >= sh->server_top
        || !ngx_rtmp_route_server_is(sh, ref->index, ref->seq))
    {
        ngx_rtmp_route_table_unlock(table);
        return NGX_DECLINED;
    }

    hot = ngx_rtmp_route_hot(sh, ref->index);
    h = &ngx_rtmp_route_cold(sh, ref->index)->health;

    if (h->checks == 0 || h->passed != passed) {
        h->count = 0;
    }

    h->count++;
    h->checks++;
    h->last = ngx_current_msec;
    h->passed = (u_char) passed;

    if (!passed) {
        h->fails++;
        h->error_len = (u_char) ngx_min(error->len, NGX_RTMP_ROUTE_WHY_LEN);
        ngx_memcpy(h->error, error->data, h->error_len);
    }

    *was = hot->health;
    *health = hot->health;

    if (!table->checks) {

        /* nobody has asked for it to be marked down */

        *health = (passed && hot->wanted) ? NGX_RTMP_ROUTE_HEALTH_UP
                                          : NGX_RTMP_ROUTE_HEALTH_NONE;

    } else if (passed && h->count >= passes) {
        *health = NGX_RTMP_ROUTE_HEALTH_UP;

    } else if (!passed && h->count >= fails) {
        *health = NGX_RTMP_ROUTE_HEALTH_DOWN;
    }

    if (*health == hot->health) {
        rc = NGX_DONE;

    } else {
        rc = NGX_OK;
        ngx_rtmp_route_health_turn(table, ref->index, *health);
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_health_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ref_t *ref, ngx_uint_t health)
{
    ngx_int_t              rc;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    if (ref->index >= sh->server_top
        || !ngx_rtmp_route_server_is(sh, ref->index, ref->seq))
    {
        rc = NGX_DECLINED;

    } else if (ngx_rtmp_route_hot(sh, ref->index)->health == health) {
        rc = NGX_DONE;

    } else {
        rc = NGX_OK;
        ngx_rtmp_route_health_turn(table, ref->index, health);
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


static void
ngx_rtmp_route_health_turn(ngx_rtmp_route_table_t *table, ngx_uint_t i,
    ngx_uint_t health)
{
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    hot = ngx_rtmp_route_hot(sh, i);

    if (health == NGX_RTMP_ROUTE_HEALTH_DOWN) {
        ngx_rtmp_route_cold(sh, i)->health.unhealthy++;

    } else {

        if (hot->health == NGX_RTMP_ROUTE_HEALTH_DOWN) {
            ngx_rtmp_route_health_recover(hot);
        }

        table->wake = 1;
    }

    if (health == NGX_RTMP_ROUTE_HEALTH_DOWN) {

        /* who looks without the lock finds the one after the other */

        ngx_rtmp_route_table_touch(sh);

        hot->health = (u_char) health;

        ngx_memory_barrier();
        ngx_rtmp_route_point();

        sh->lost++;

    } else {
        hot->health = (u_char) health;
    }

    ngx_rtmp_route_point();

    /* what it means to others is found when they are wanted, or soon */

    if (ngx_rtmp_route_server_late(hot)) {
        (void) ngx_rtmp_route_health_survey(table);
    }

    ngx_rtmp_route_health_note(table, i);
}


ngx_int_t
ngx_rtmp_route_health_survey(ngx_rtmp_route_table_t *table)
{
    ngx_int_t              rc;
    uint32_t               n;
    ngx_uint_t             i, up, sure, mask, stale, wanted;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    rc = NGX_DECLINED;
    n = 0;

    /* nobody is late: the usual case */

    if (!ngx_rtmp_route_health_masks(table, &up, &sure) && sh->stale == 0) {
        return rc;
    }

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid || hot->source != NGX_RTMP_ROUTE_SRC_REGISTER) {
            continue;
        }

        mask = ngx_rtmp_route_health_mask(hot);

        wanted = ngx_rtmp_route_server_late(hot) && (mask & ~sure);

        if (wanted && !hot->wanted && !table->checks) {
            hot->check = ngx_current_msec;
        }

        hot->wanted = (u_char) wanted;

        if (!table->checks && !hot->wanted) {
            hot->health = NGX_RTMP_ROUTE_HEALTH_NONE;
        }

        stale = hot->stale;

        if (!ngx_rtmp_route_server_expired(hot)
            || (hot->flags & NGX_RTMP_ROUTE_SERVER_DOWN)
            || hot->health != NGX_RTMP_ROUTE_HEALTH_UP)
        {
            hot->stale = 0;

        } else if (mask & ~up) {
            hot->stale = 1;
            hot->staled = ngx_current_msec;

        } else if (stale && ngx_rtmp_route_passed(hot->staled)
                            > (ngx_msec_int_t) hot->timeout)
        {
            /* the others have had time to register again */

            hot->stale = 0;
        }

        if (hot->stale) {
            n++;
        }

        if (hot->stale && !stale) {
            table->wake = 1;
            rc = NGX_OK;
        }
    }

    if (sh->stale == 0 && n) {
        table->log_stale = n;
    }

    if (sh->stale && n == 0) {
        table->log_fresh = 1;
    }

    sh->stale = n;

    return rc;
}


/*
 * The protocols of which there is a server that is up, and of these one that
 * will not expire soon.  Returns whether any is late.
 */

static ngx_uint_t
ngx_rtmp_route_health_masks(ngx_rtmp_route_table_t *table, ngx_uint_t *up,
    ngx_uint_t *sure)
{
    ngx_uint_t             i, late, mask;
    ngx_rtmp_route_hot_t  *hot;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    late = 0;
    *up = 0;
    *sure = 0;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid) {
            continue;
        }

        if (ngx_rtmp_route_server_late(hot)) {
            late = 1;
        }

        if ((hot->flags & (NGX_RTMP_ROUTE_SERVER_DOWN
                           |NGX_RTMP_ROUTE_SERVER_DRAIN
                           |NGX_RTMP_ROUTE_SERVER_GONE))
            || hot->health == NGX_RTMP_ROUTE_HEALTH_DOWN
            || (table->mandatory
                && hot->health == NGX_RTMP_ROUTE_HEALTH_CHECKING)
            || ngx_rtmp_route_server_unavail(hot)
            || ngx_rtmp_route_server_expired(hot))
        {
            continue;
        }

        mask = ngx_rtmp_route_health_mask(hot);

        *up |= mask;

        if (!ngx_rtmp_route_server_late(hot)) {
            *sure |= mask;
        }
    }

    return late;
}


/* with TLS or without is the same for who wants a server */

static ngx_uint_t
ngx_rtmp_route_health_mask(ngx_rtmp_route_hot_t *hot)
{
    ngx_uint_t  i, mask;

    mask = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {
        if (hot->nendpoints[i]) {
            mask |= (ngx_uint_t) 1
                    << ((i == NGX_RTMP_ROUTE_RTMPS
                         || i == NGX_RTMP_ROUTE_HTTPS) ? i - 1 : i);
        }
    }

    return mask;
}


void
ngx_rtmp_route_health_note(ngx_rtmp_route_table_t *table, ngx_uint_t i)
{
    ngx_uint_t                out;
    ngx_rtmp_route_hot_t     *hot;
    ngx_rtmp_route_health_t  *h;

    hot = ngx_rtmp_route_hot(table->sh, i);
    h = &ngx_rtmp_route_cold(table->sh, i)->health;

    out = ngx_rtmp_route_health_out(table, hot);

    if (out && !hot->out) {
        h->downstart = ngx_current_msec;

    } else if (!out && hot->out) {

        if (ngx_rtmp_route_passed(h->downstart) > 0) {
            h->downtime += ngx_rtmp_route_passed(h->downstart);
        }
    }

    ngx_rtmp_route_point();

    hot->out = (u_char) out;
}


static ngx_uint_t
ngx_rtmp_route_health_out(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_hot_t *hot)
{
    if (ngx_rtmp_route_server_lapsed(hot)) {
        return NGX_RTMP_ROUTE_OUT_EXPIRED;
    }

    if (hot->health == NGX_RTMP_ROUTE_HEALTH_DOWN) {
        return NGX_RTMP_ROUTE_OUT_HEALTH;
    }

    if (table->mandatory && hot->health == NGX_RTMP_ROUTE_HEALTH_CHECKING) {
        return NGX_RTMP_ROUTE_OUT_CHECKING;
    }

    if (ngx_rtmp_route_server_unavail(hot)) {
        return NGX_RTMP_ROUTE_OUT_UNAVAIL;
    }

    return 0;
}


void
ngx_rtmp_route_health_recover(ngx_rtmp_route_hot_t *hot)
{
    if (hot->slow_start) {
        hot->started = ngx_current_msec;
        ngx_rtmp_route_point();
        hot->slow = 1;
    }
}


void
ngx_rtmp_route_health_born(ngx_rtmp_route_table_t *table, ngx_uint_t i)
{
    ngx_rtmp_route_hot_t  *hot;

    hot = ngx_rtmp_route_hot(table->sh, i);

    hot->health = table->checks ? NGX_RTMP_ROUTE_HEALTH_CHECKING
                                : NGX_RTMP_ROUTE_HEALTH_NONE;
    hot->stale = 0;
    hot->wanted = 0;
    hot->check = ngx_current_msec;

    ngx_rtmp_route_cold(table->sh, i)->health.count = 0;
}


void
ngx_rtmp_route_health_copy(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_shm_t *osh, ngx_uint_t n)
{
    ngx_rtmp_route_hot_t  *hot, *ohot;

    hot = ngx_rtmp_route_hot(sh, i);
    ohot = ngx_rtmp_route_hot(osh, n);

    hot->health = ohot->health;
    hot->stale = ohot->stale;
    hot->wanted = ohot->wanted;
    hot->slow = ohot->slow;
    hot->out = ohot->out;
    hot->noted = ohot->noted;
    hot->check = ohot->check;
    hot->staled = ohot->staled;
    hot->started = ohot->started;

    ngx_rtmp_route_cold(sh, i)->health = ngx_rtmp_route_cold(osh, n)->health;

    sh->stale += hot->stale;
}


void
ngx_rtmp_route_health_fill(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_health_stat_t *stat)
{
    ngx_msec_int_t            ago;
    ngx_rtmp_route_hot_t     *hot;
    ngx_rtmp_route_health_t  *h;

    hot = ngx_rtmp_route_hot(sh, i);
    h = &ngx_rtmp_route_cold(sh, i)->health;

    stat->checks = h->checks;
    stat->fails = h->fails;
    stat->unhealthy = h->unhealthy;
    stat->downtime = h->downtime;
    stat->downstart = 0;

    ago = ngx_rtmp_route_passed(h->last);
    stat->last = ngx_max(ago, 0);
    stat->last_passed = h->passed;
    stat->took = h->took;

    if (hot->out) {
        ago = ngx_rtmp_route_passed(h->downstart);
        stat->downstart = ngx_max(ago, 1);
        stat->downtime += stat->downstart;
    }

    stat->error.len = h->passed ? 0 : ngx_min(h->error_len,
                                              NGX_RTMP_ROUTE_WHY_LEN);
    stat->error.data = stat->error_buf;
    ngx_memcpy(stat->error_buf, h->error, stat->error.len);
}


uint32_t
ngx_rtmp_route_health_weight(ngx_rtmp_route_hot_t *hot)
{
    uint64_t        weight;
    ngx_msec_int_t  passed;

    weight = (uint64_t) hot->weight << NGX_RTMP_ROUTE_WEIGHT_BITS;

    passed = ngx_rtmp_route_passed(hot->started);

    /* it may be none since, and the time of another process ahead of ours */

    if (hot->slow_start && passed < (ngx_msec_int_t) hot->slow_start) {
        weight = weight * (uint64_t) ngx_max(passed, 0) / hot->slow_start;
    }

    return (uint32_t) ngx_max(weight, 1);
}


void
ngx_rtmp_route_health_sweep(ngx_rtmp_route_table_t *table)
{
    ngx_str_t                      id;
    ngx_uint_t                     i, n, out;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_note_t          notes[NGX_RTMP_ROUTE_NOTES];
    ngx_rtmp_route_server_info_t  *info;

    sh = table->sh;
    n = 0;

    ngx_rtmp_route_table_lock(table);

    (void) ngx_rtmp_route_health_survey(table);

    for (i = 0; i < sh->server_top && n < NGX_RTMP_ROUTE_NOTES; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid) {
            continue;
        }

        if (hot->slow
            && ngx_rtmp_route_passed(hot->started)
               >= (ngx_msec_int_t) hot->slow_start)
        {
            hot->slow = 0;
        }

        out = hot->out;

        ngx_rtmp_route_health_note(table, i);
        ngx_rtmp_route_server_note(sh, i);

        /*
         * The other changes are told by who makes them, and that some are
         * used that do not register is told of all of them
         */

        if (out == hot->out
            || (hot->out != NGX_RTMP_ROUTE_OUT_EXPIRED
                && (out != NGX_RTMP_ROUTE_OUT_EXPIRED || hot->out
                    || ngx_rtmp_route_server_expired(hot))))
        {
            continue;
        }

        info = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

        notes[n].up = !hot->out;
        notes[n].len = info->id_len;
        ngx_memcpy(notes[n].id, info->id, info->id_len);
        n++;
    }

    ngx_rtmp_route_table_unlock(table);

    for (i = 0; i < n; i++) {
        id.len = notes[i].len;
        id.data = notes[i].id;

        if (notes[i].up) {
            ngx_log_error(NGX_LOG_NOTICE, table->log, 0,
                          "upstream server \"%V\" is up: it has registered "
                          "again%s", &id, table->shpool->log_ctx);

        } else {
            ngx_log_error(NGX_LOG_WARN, table->log, 0,
                          "upstream server \"%V\" is down: it does not "
                          "register any more%s", &id,
                          table->shpool->log_ctx);
        }
    }
}


static void
ngx_rtmp_route_health_target(ngx_rtmp_route_shm_t *sh, ngx_uint_t i,
    ngx_rtmp_route_target_t *target)
{
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_server_info_t  *info;

    hot = ngx_rtmp_route_hot(sh, i);
    info = &ngx_rtmp_route_cold(sh, i)->info[hot->active];

    target->ref.index = (uint32_t) i;
    target->ref.seq = hot->seq;

    target->id.len = info->id_len;
    target->id.data = target->id_buf;
    ngx_memcpy(target->id_buf, info->id, info->id_len);

    target->host.len = info->host_len;
    target->host.data = target->host_buf;
    ngx_memcpy(target->host_buf, info->host, info->host_len);
    target->host_buf[info->host_len] = '\0';

    target->proxy_protocol = info->proxy_protocol;

    ngx_memcpy(target->nendpoints, hot->nendpoints,
               sizeof(target->nendpoints));
    ngx_memcpy(target->endpoints, info->endpoints,
               sizeof(target->endpoints));
}
