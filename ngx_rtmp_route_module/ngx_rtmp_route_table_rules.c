
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The access list, and the addresses that its word "servers" stands for.  It
 * is changed as a whole: the copy that is not in use is written, then both
 * change places, so there is nothing to be made anew after a kill.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_uint_t ngx_rtmp_route_rule_find(ngx_rtmp_route_shm_t *sh,
    uint32_t id);
static void ngx_rtmp_route_rules_replace(ngx_rtmp_route_shm_t *sh,
    ngx_uint_t at, ngx_rtmp_route_rule_t *rule);
static ngx_uint_t ngx_rtmp_route_hosts_of(ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_endpoint_t *addrs);


ngx_int_t
ngx_rtmp_route_rule_add(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rule, uint32_t before)
{
    ngx_int_t               rc;
    ngx_uint_t              i, n, at;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_rule_t  *rules;

    sh = table->sh;
    rc = NGX_OK;

    ngx_rtmp_route_table_lock(table);

    rules = ngx_rtmp_route_rule_list(sh, sh->rules_used);
    n = sh->rules_len[sh->rules_used];

    for (i = 0; i < n; i++) {
        if (ngx_rtmp_route_rule_same(&rules[i], rule)) {
            rule->id = rules[i].id;
            rc = NGX_DONE;
            goto done;
        }
    }

    at = before ? ngx_rtmp_route_rule_find(sh, before) : n;

    if (before && at == n) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (n == sh->nrules) {
        rc = NGX_BUSY;
        goto done;
    }

    ngx_rtmp_route_table_touch(sh);

    sh->rule++;
    rule->id = sh->rule;

    ngx_rtmp_route_point();

    ngx_rtmp_route_rules_replace(sh, at, rule);

done:

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_rule_get(ngx_rtmp_route_table_t *table, uint32_t id,
    ngx_rtmp_route_rule_t *rule)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    rc = NGX_DECLINED;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_rule_find(sh, id);

    if (i < sh->rules_len[sh->rules_used]) {
        *rule = ngx_rtmp_route_rule_list(sh, sh->rules_used)[i];
        rc = NGX_OK;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_int_t
ngx_rtmp_route_rule_delete(ngx_rtmp_route_table_t *table, uint32_t id)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;
    rc = NGX_DECLINED;

    ngx_rtmp_route_table_lock(table);

    i = ngx_rtmp_route_rule_find(sh, id);

    if (i < sh->rules_len[sh->rules_used]) {
        ngx_rtmp_route_table_touch(sh);
        ngx_rtmp_route_rules_replace(sh, i, NULL);
        rc = NGX_OK;
    }

    ngx_rtmp_route_table_unlock(table);

    return rc;
}


ngx_uint_t
ngx_rtmp_route_rules(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rules)
{
    ngx_uint_t             n;
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    ngx_rtmp_route_table_lock(table);

    n = sh->rules_len[sh->rules_used];

    ngx_memcpy(rules, ngx_rtmp_route_rule_list(sh, sh->rules_used),
               n * sizeof(ngx_rtmp_route_rule_t));

    ngx_rtmp_route_table_unlock(table);

    return n;
}


ngx_uint_t
ngx_rtmp_route_max_rules(ngx_rtmp_route_table_t *table)
{
    return table->sh->nrules;
}


uint32_t
ngx_rtmp_route_rules_version(ngx_rtmp_route_table_t *table)
{
    return (uint32_t) table->sh->rules_version;
}


/* its place, or the length of the list */

static ngx_uint_t
ngx_rtmp_route_rule_find(ngx_rtmp_route_shm_t *sh, uint32_t id)
{
    ngx_uint_t              i, n;
    ngx_rtmp_route_rule_t  *rules;

    rules = ngx_rtmp_route_rule_list(sh, sh->rules_used);
    n = sh->rules_len[sh->rules_used];

    for (i = 0; i < n; i++) {
        if (rules[i].id == id) {
            break;
        }
    }

    return i;
}


/* the second one would never be looked at, whatever it does */

ngx_uint_t
ngx_rtmp_route_rule_same(ngx_rtmp_route_rule_t *a, ngx_rtmp_route_rule_t *b)
{
    if (a->kind != b->kind) {
        return 0;
    }

    return a->kind != NGX_RTMP_ROUTE_RULE_CIDR
           || (a->bits == b->bits && ngx_rtmp_route_addr_equal(&a->addr,
                                                               &b->addr));
}


/* with a rule put in at a place or, without one, the rule there taken out */

static void
ngx_rtmp_route_rules_replace(ngx_rtmp_route_shm_t *sh, ngx_uint_t at,
    ngx_rtmp_route_rule_t *rule)
{
    ngx_uint_t              n, len, rest;
    ngx_rtmp_route_rule_t  *old, *new;

    ngx_rtmp_route_table_changed(sh);

    n = !sh->rules_used;
    len = sh->rules_len[sh->rules_used];

    old = ngx_rtmp_route_rule_list(sh, sh->rules_used);
    new = ngx_rtmp_route_rule_list(sh, n);

    ngx_memcpy(new, old, at * sizeof(ngx_rtmp_route_rule_t));

    ngx_rtmp_route_point();

    old += at;
    new += at;
    rest = len - at;

    if (rule) {
        *new++ = *rule;
        len++;

    } else {
        old++;
        rest--;
        len--;
    }

    ngx_rtmp_route_point();

    ngx_memcpy(new, old, rest * sizeof(ngx_rtmp_route_rule_t));
    sh->rules_len[n] = (uint32_t) len;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    sh->rules_used = (uint32_t) n;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    sh->rules_version++;

    ngx_rtmp_route_point();
}


ngx_int_t
ngx_rtmp_route_rules_copy(ngx_rtmp_route_shm_t *sh, ngx_rtmp_route_shm_t *osh)
{
    ngx_uint_t  n;

    n = osh->rules_len[osh->rules_used];

    if (n > sh->nrules) {
        return NGX_DECLINED;
    }

    ngx_rtmp_route_table_touch(sh);

    ngx_memcpy(ngx_rtmp_route_rule_list(sh, sh->rules_used),
               ngx_rtmp_route_rule_list(osh, osh->rules_used),
               n * sizeof(ngx_rtmp_route_rule_t));

    sh->rules_len[sh->rules_used] = (uint32_t) n;
    sh->rule = osh->rule;
    sh->rules_version++;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_server_hosts(ngx_rtmp_route_table_t *table, uint32_t *cursor,
    ngx_rtmp_route_endpoint_t *addrs, ngx_uint_t room, ngx_uint_t *n)
{
    uint32_t                i, last;
    ngx_int_t               rc;
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_cold_t  *cold;

    sh = table->sh;
    *n = 0;

    ngx_rtmp_route_table_lock(table);

    last = ngx_min(sh->server_top, *cursor + NGX_RTMP_ROUTE_BATCH);

    for (i = *cursor; i < last; i++) {

        if (room - *n < NGX_RTMP_ROUTE_NPROTO * NGX_RTMP_ROUTE_MAX_ENDPOINTS) {
            break;
        }

        hot = ngx_rtmp_route_hot(sh, i);

        if (hot->valid) {
            cold = ngx_rtmp_route_cold(sh, i);
            *n += ngx_rtmp_route_hosts_of(&cold->info[hot->active],
                                          addrs + *n);
        }
    }

    rc = (i < sh->server_top) ? NGX_OK : NGX_DONE;

    ngx_rtmp_route_table_unlock(table);

    *cursor = i;

    return rc;
}


/* most often there is one, with many ports */

static ngx_uint_t
ngx_rtmp_route_hosts_of(ngx_rtmp_route_server_info_t *info,
    ngx_rtmp_route_endpoint_t *addrs)
{
    ngx_uint_t                  i, k, n;
    ngx_rtmp_route_endpoint_t  *e;

    n = 0;

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

        for (k = 0; k < info->nendpoints[i]; k++) {
            e = &info->endpoints[i][k];

            if (e->family == 0
                || (n && ngx_rtmp_route_addr_equal(e, &addrs[n - 1])))
            {
                continue;
            }

            addrs[n] = *e;
            addrs[n].port = 0;
            n++;
        }
    }

    return n;
}


uint32_t
ngx_rtmp_route_hosts_version(ngx_rtmp_route_table_t *table)
{
    return (uint32_t) table->sh->hosts_version;
}
