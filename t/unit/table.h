
/*
 * Copyright (C) The nginx-osp authors
 */


/* What the tests of the table have in common. */


#ifndef _UNIT_TABLE_H_INCLUDED_
#define _UNIT_TABLE_H_INCLUDED_


#include "unit.h"

#include <sys/wait.h>

#include "ngx_rtmp_route_table_int.h"


/* the sources of a test of the table: see its first line */

static void table_make(ngx_rtmp_route_table_t *table, size_t size)
    __attribute__ ((unused));
static void table_slot(void) __attribute__ ((unused));
static ngx_int_t server_add(ngx_rtmp_route_table_t *table, const char *id,
    ngx_uint_t n, ngx_rtmp_route_server_params_t *params)
    __attribute__ ((unused));
static void server_info(ngx_rtmp_route_server_info_t *info, const char *id,
    ngx_uint_t n, ngx_uint_t source) __attribute__ ((unused));
static void server_params(ngx_rtmp_route_server_params_t *params)
    __attribute__ ((unused));
static ngx_int_t server_patch(ngx_rtmp_route_table_t *table, const char *id,
    size_t offset, uint32_t value) __attribute__ ((unused));
static ngx_int_t server_flags(ngx_rtmp_route_table_t *table, const char *id,
    ngx_uint_t down, ngx_uint_t drain, ngx_uint_t backup)
    __attribute__ ((unused));
static ngx_rtmp_route_server_stat_t *server_stat(
    ngx_rtmp_route_table_t *table, const char *id) __attribute__ ((unused));
static ngx_rtmp_route_stream_stat_t *stream_stat(
    ngx_rtmp_route_table_t *table, const char *key) __attribute__ ((unused));
static ngx_int_t stream_set(ngx_rtmp_route_table_t *table, const char *key,
    const char *id, ngx_uint_t from) __attribute__ ((unused));
static ngx_int_t stream_forget(ngx_rtmp_route_table_t *table,
    const char *key) __attribute__ ((unused));
static void query_init(ngx_rtmp_route_query_t *query, const char *key,
    ngx_uint_t op) __attribute__ ((unused));
static ngx_int_t pick(ngx_rtmp_route_table_t *table, const char *key,
    ngx_uint_t op, ngx_rtmp_route_peer_t *peer) __attribute__ ((unused));
static ngx_int_t session_open(ngx_rtmp_route_table_t *table, const char *key,
    ngx_uint_t type, ngx_rtmp_route_session_t *session,
    ngx_rtmp_route_peer_t *peer) __attribute__ ((unused));


/* a new zone, and slots if there are none yet */

static void
table_make(ngx_rtmp_route_table_t *table, size_t size)
{
    ngx_slab_pool_t  *shpool;

    if (ngx_rtmp_route_slots_create(16, &unit_log) != NGX_OK) {
        abort();
    }

    shpool = unit_zone(size);

    if (shpool == NULL) {
        abort();
    }

    ngx_memzero(table, sizeof(ngx_rtmp_route_table_t));

    table->log = &unit_log;
    table->inactive = 60000;

    if (ngx_rtmp_route_table_init(table, shpool) != NGX_OK) {
        abort();
    }
}


/* claims a slot for this process, which may be a child */

static void
table_slot(void)
{
    ngx_pid = getpid();

    if (ngx_rtmp_route_slot_claim(&unit_cycle, NULL) != NGX_OK) {
        abort();
    }
}


/* a configured server at 10.0.x.y with ports of its own */

static ngx_int_t
server_add(ngx_rtmp_route_table_t *table, const char *id, ngx_uint_t n,
    ngx_rtmp_route_server_params_t *params)
{
    ngx_rtmp_route_server_info_t  info;

    server_info(&info, id, n, NGX_RTMP_ROUTE_SRC_CONFIG);

    return ngx_rtmp_route_server_set(table, &info, params, NULL);
}


static void
server_info(ngx_rtmp_route_server_info_t *info, const char *id, ngx_uint_t n,
    ngx_uint_t source)
{
    ngx_uint_t                  i;
    ngx_rtmp_route_endpoint_t  *e;

    static ngx_uint_t  protocols[] = { NGX_RTMP_ROUTE_RTMP,
                                       NGX_RTMP_ROUTE_HTTP };

    ngx_memzero(info, sizeof(ngx_rtmp_route_server_info_t));

    info->source = (u_char) source;
    info->id_len = (u_char) strlen(id);
    ngx_memcpy(info->id, id, info->id_len);

    for (i = 0; i < 2; i++) {
        e = &info->endpoints[protocols[i]][0];

        e->family = AF_INET;
        e->port = i ? 5999 : 1935;
        e->addr[0] = 10;
        e->addr[2] = (u_char) (n >> 8);
        e->addr[3] = (u_char) n;

        info->nendpoints[protocols[i]] = 1;
    }

    if (source == NGX_RTMP_ROUTE_SRC_REGISTER) {
        info->registrar = info->endpoints[NGX_RTMP_ROUTE_RTMP][0];
        info->registrar.port = 40000;
        info->service_len = 1;
        info->service[0] = 's';
        info->pid_len = 1;
        info->pid[0] = '1';
    }
}


static void
server_params(ngx_rtmp_route_server_params_t *params)
{
    ngx_memzero(params, sizeof(ngx_rtmp_route_server_params_t));

    params->weight = 1;
    params->max_fails = 1;
    params->fail_timeout = 10000;
    params->timeout = 30000;
}


static ngx_int_t
server_patch(ngx_rtmp_route_table_t *table, const char *id, size_t offset,
    uint32_t value)
{
    ngx_str_t                      name;
    ngx_rtmp_route_server_stat_t  *stat;

    stat = server_stat(table, id);

    if (stat == NULL) {
        return NGX_DECLINED;
    }

    name = unit_str(id);

    *(uint32_t *) ((u_char *) &stat->params + offset) = value;

    return ngx_rtmp_route_server_update(table, &name, NULL, &stat->params);
}


static ngx_int_t
server_flags(ngx_rtmp_route_table_t *table, const char *id, ngx_uint_t down,
    ngx_uint_t drain, ngx_uint_t backup)
{
    ngx_str_t                      name;
    ngx_rtmp_route_server_stat_t  *stat;

    stat = server_stat(table, id);

    if (stat == NULL) {
        return NGX_DECLINED;
    }

    name = unit_str(id);

    stat->params.down = down;
    stat->params.drain = drain;
    stat->params.backup = backup;

    return ngx_rtmp_route_server_update(table, &name, NULL, &stat->params);
}


/* NULL: no such server */

static ngx_rtmp_route_server_stat_t *
server_stat(ngx_rtmp_route_table_t *table, const char *id)
{
    ngx_str_t  name;

    static ngx_rtmp_route_server_stat_t  stat;

    name = unit_str(id);

    if (ngx_rtmp_route_server_get(table, &name, &stat) != NGX_OK) {
        return NULL;
    }

    return &stat;
}


static ngx_rtmp_route_stream_stat_t *
stream_stat(ngx_rtmp_route_table_t *table, const char *key)
{
    ngx_str_t  name;

    static ngx_rtmp_route_stream_stat_t  stat;

    name = unit_str(key);

    if (ngx_rtmp_route_stream_get(table, &name, &stat) != NGX_OK) {
        return NULL;
    }

    return &stat;
}


static ngx_int_t
stream_set(ngx_rtmp_route_table_t *table, const char *key, const char *id,
    ngx_uint_t from)
{
    ngx_str_t  name, server;

    name = unit_str(key);
    server = unit_str(id);

    return ngx_rtmp_route_stream_set(table, &name, &server, from);
}


static ngx_int_t
stream_forget(ngx_rtmp_route_table_t *table, const char *key)
{
    ngx_str_t  name;

    name = unit_str(key);

    return ngx_rtmp_route_stream_delete(table, &name);
}


static void
query_init(ngx_rtmp_route_query_t *query, const char *key, ngx_uint_t op)
{
    ngx_memzero(query, sizeof(ngx_rtmp_route_query_t));

    query->key = unit_str(key);
    query->op = op;
    query->protocol = (op == NGX_RTMP_ROUTE_FETCH) ? NGX_RTMP_ROUTE_HTTP
                                                   : NGX_RTMP_ROUTE_RTMP;
    query->alternative = NGX_RTMP_ROUTE_NONE;
}


static ngx_int_t
pick(ngx_rtmp_route_table_t *table, const char *key, ngx_uint_t op,
    ngx_rtmp_route_peer_t *peer)
{
    ngx_rtmp_route_query_t  query;

    query_init(&query, key, op);

    return ngx_rtmp_route_table_pick(table, &query, peer);
}


static ngx_int_t
session_open(ngx_rtmp_route_table_t *table, const char *key, ngx_uint_t type,
    ngx_rtmp_route_session_t *session, ngx_rtmp_route_peer_t *peer)
{
    ngx_rtmp_route_query_t         query;
    ngx_rtmp_route_session_info_t  info;

    query_init(&query, key, type);

    info.type = type;
    info.client = unit_str("203.0.113.7:51234");
    info.agent = unit_str("FMLE/3.0 (compatible; FMSc/1.0)");

    ngx_memzero(session, sizeof(ngx_rtmp_route_session_t));

    return ngx_rtmp_route_table_open(table, &query, &info, session, peer);
}


#endif /* _UNIT_TABLE_H_INCLUDED_ */
