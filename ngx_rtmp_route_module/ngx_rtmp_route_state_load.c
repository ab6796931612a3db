
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_register.h"
#include "ngx_rtmp_route_state.h"


/* records that are looked at in one step */
#define NGX_RTMP_ROUTE_STATE_SWEEP  500

static void ngx_rtmp_route_state_top(void *data, ngx_str_t *name,
    json_t *value);
static ngx_uint_t ngx_rtmp_route_state_array(void *data, ngx_str_t *name);
static void ngx_rtmp_route_state_record(void *data, ngx_uint_t array,
    json_t *record);
static void ngx_rtmp_route_state_end_of(ngx_rtmp_route_state_load_t *load,
    ngx_uint_t array);
static void ngx_rtmp_route_state_rule(ngx_rtmp_route_state_load_t *load,
    json_t *record);
static void ngx_rtmp_route_state_ban(ngx_rtmp_route_state_load_t *load,
    json_t *record);
static void ngx_rtmp_route_state_server(ngx_rtmp_route_state_load_t *load,
    json_t *record);
static ngx_uint_t ngx_rtmp_route_state_allowed(
    ngx_rtmp_route_state_load_t *load, ngx_rtmp_route_saved_server_t *saved);
static void ngx_rtmp_route_state_stream(ngx_rtmp_route_state_load_t *load,
    json_t *record);
static ngx_msec_t ngx_rtmp_route_state_since(
    ngx_rtmp_route_state_load_t *load, json_t *value);
static void ngx_rtmp_route_state_count(ngx_rtmp_route_state_load_t *load,
    ngx_int_t rc, ngx_uint_t *taken);
static void ngx_rtmp_route_state_seen(ngx_array_t *seen, u_char *data,
    size_t len);
static ngx_uint_t ngx_rtmp_route_state_was_seen(ngx_array_t *seen,
    u_char *data, size_t len);
static uint64_t ngx_rtmp_route_state_hash(u_char *data, size_t len);
static int ngx_libc_cdecl ngx_rtmp_route_state_compare(const void *one,
    const void *two);


ngx_int_t
ngx_rtmp_route_state_load_init(ngx_rtmp_route_state_load_t *load,
    ngx_rtmp_route_t *route, ngx_pool_t *pool, ngx_uint_t how)
{
    u_char                   *text;
    ngx_uint_t                i;
    ngx_time_t               *tp;
    ngx_rtmp_route_server_t  *servers;

    ngx_memzero(load, sizeof(ngx_rtmp_route_state_load_t));

    tp = ngx_timeofday();

    load->route = route;
    load->how = how;
    load->now = (uint64_t) tp->sec * 1000 + tp->msec;

    servers = route->servers.elts;

    for (i = 0; i < route->servers.nelts; i++) {
        load->keep += ngx_max(servers[i].naddrs, 1);
    }

    text = ngx_palloc(pool, NGX_RTMP_ROUTE_STATE_RECORD);

    if (text == NULL
        || ngx_array_init(&load->rules, pool, 16,
                          sizeof(ngx_rtmp_route_rule_t)) != NGX_OK
        || ngx_array_init(&load->bans, pool, 16,
                          sizeof(ngx_rtmp_route_ban_t *)) != NGX_OK
        || ngx_array_init(&load->ids, pool, 16, sizeof(uint64_t)) != NGX_OK
        || ngx_array_init(&load->pins, pool, 16, sizeof(uint64_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    load->reader.data = load;
    load->reader.value = ngx_rtmp_route_state_top;
    load->reader.array = ngx_rtmp_route_state_array;
    load->reader.record = ngx_rtmp_route_state_record;

    ngx_rtmp_route_state_reader_init(&load->reader, text);

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_state_load_end(ngx_rtmp_route_state_load_t *load)
{
    ngx_int_t                       rc;
    ngx_str_t                       id;
    ngx_uint_t                      n;
    ngx_rtmp_route_table_t         *table;
    ngx_rtmp_route_server_stat_t    stat;
    ngx_rtmp_route_saved_stream_t   saved;

    if (load->how != NGX_RTMP_ROUTE_LOAD_OWNER
        || !load->format || !load->key || !load->secret
        || !load->all_servers || !load->all_streams)
    {
        return NGX_OK;
    }

    table = &load->route->table;

    if (!load->swept) {
        load->swept = 1;

        ngx_qsort(load->ids.elts, load->ids.nelts, sizeof(uint64_t),
                  ngx_rtmp_route_state_compare);
        ngx_qsort(load->pins.elts, load->pins.nelts, sizeof(uint64_t),
                  ngx_rtmp_route_state_compare);

        while (ngx_rtmp_route_server_walk(table, &load->cursor, &stat)
               == NGX_OK)
        {
            if (stat.info.source == NGX_RTMP_ROUTE_SRC_API
                && !ngx_rtmp_route_state_was_seen(&load->ids, stat.info.id,
                                                  stat.info.id_len))
            {
                id.len = stat.info.id_len;
                id.data = stat.info.id;

                (void) ngx_rtmp_route_server_delete(table, &id);
            }
        }

        load->cursor = 0;

        return NGX_AGAIN;
    }

    for (n = 0; n < NGX_RTMP_ROUTE_STATE_SWEEP; n++) {

        rc = ngx_rtmp_route_saved_stream(table, &load->cursor, &saved);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : NGX_AGAIN;
        }

        if (saved.pin.len
            && !ngx_rtmp_route_state_was_seen(&load->pins, saved.key.data,
                                              saved.key.len))
        {
            ngx_rtmp_route_load_unpin(table, &saved.key);
        }
    }

    return NGX_AGAIN;
}


static void
ngx_rtmp_route_state_top(void *data, ngx_str_t *name, json_t *value)
{
    ngx_rtmp_route_state_load_t *load = data;

    ngx_uint_t  n;

    if (ngx_rtmp_route_text_is(name, "format")) {
        load->format = json_is_string(value)
                       && ngx_strcmp(json_string_value(value),
                                     NGX_RTMP_ROUTE_STATE_FORMAT)
                          == 0;

    } else if (ngx_rtmp_route_text_is(name, "version")) {
        (void) ngx_rtmp_route_state_number(value, NGX_MAX_INT32_VALUE,
                                           &load->version);

    } else if (ngx_rtmp_route_text_is(name, "key")) {
        load->key = ngx_rtmp_route_state_word(value, ngx_rtmp_route_state_keys,
                                              &n) == NGX_OK
                    && n == load->route->key;

    } else if (ngx_rtmp_route_text_is(name, "secret")) {
        load->secret = json_is_boolean(value)
                       && (ngx_flag_t) json_is_true(value)
                          == load->route->secret;

    } else if (ngx_rtmp_route_text_is(name, "last_rule")) {
        (void) ngx_rtmp_route_state_number(value, 0xffffffff,
                                           &load->last_rule);

    } else if (ngx_rtmp_route_text_is(name, "last_ban")) {
        (void) ngx_rtmp_route_state_number(value, 0xffffffff,
                                           &load->last_ban);
    }
}


static ngx_uint_t
ngx_rtmp_route_state_array(void *data, ngx_str_t *name)
{
    ngx_rtmp_route_state_load_t *load = data;

    if (!load->format) {
        return NGX_RTMP_ROUTE_STATE_NONE;
    }

    if (ngx_rtmp_route_text_is(name, "access")) {
        return load->all_rules ? NGX_RTMP_ROUTE_STATE_NONE
                               : NGX_RTMP_ROUTE_STATE_ACCESS;
    }

    if (ngx_rtmp_route_text_is(name, "bans")) {
        return NGX_RTMP_ROUTE_STATE_BANS;
    }

    if (ngx_rtmp_route_text_is(name, "servers")) {
        return NGX_RTMP_ROUTE_STATE_SERVERS;
    }

    if (ngx_rtmp_route_text_is(name, "streams")) {
        return (load->key && load->secret) ? NGX_RTMP_ROUTE_STATE_STREAMS
                                           : NGX_RTMP_ROUTE_STATE_NONE;
    }

    return NGX_RTMP_ROUTE_STATE_NONE;
}


static void
ngx_rtmp_route_state_record(void *data, ngx_uint_t array, json_t *record)
{
    ngx_rtmp_route_state_load_t *load = data;

    if (record == NULL) {
        ngx_rtmp_route_state_end_of(load, array);
        return;
    }

    switch (array) {

    case NGX_RTMP_ROUTE_STATE_ACCESS:
        ngx_rtmp_route_state_rule(load, record);
        break;

    case NGX_RTMP_ROUTE_STATE_BANS:
        ngx_rtmp_route_state_ban(load, record);
        break;

    case NGX_RTMP_ROUTE_STATE_SERVERS:
        ngx_rtmp_route_state_server(load, record);
        break;

    default: /* NGX_RTMP_ROUTE_STATE_STREAMS */
        ngx_rtmp_route_state_stream(load, record);
        break;
    }
}


/* a part of an access list may be worse than none, so it is taken as a whole */

static void
ngx_rtmp_route_state_end_of(ngx_rtmp_route_state_load_t *load,
    ngx_uint_t array)
{
    if (array == NGX_RTMP_ROUTE_STATE_SERVERS) {
        load->all_servers = 1;
        return;
    }

    if (array == NGX_RTMP_ROUTE_STATE_STREAMS) {
        load->all_streams = 1;
        return;
    }

    if (array == NGX_RTMP_ROUTE_STATE_BANS) {

        if (load->how != NGX_RTMP_ROUTE_LOAD_PEER) {
            load->full += ngx_rtmp_route_load_bans(&load->route->table,
                                                   load->bans.elts,
                                                   load->bans.nelts,
                                                   (uint32_t) load->last_ban);
        }

        load->bans.nelts = 0;
        return;
    }

    load->all_rules = 1;

    if (load->reader.invalid) {
        load->bad_rules = 1;
    }

    if (load->bad_rules || load->how == NGX_RTMP_ROUTE_LOAD_PEER) {
        return;
    }

    if (ngx_rtmp_route_load_rules(&load->route->table, load->rules.elts,
                                  load->rules.nelts,
                                  (uint32_t) load->last_rule)
        == NGX_BUSY)
    {
        load->bad_rules = 1;
        load->full++;
    }
}


static void
ngx_rtmp_route_state_rule(ngx_rtmp_route_state_load_t *load, json_t *record)
{
    uint64_t                id;
    ngx_str_t               cidr;
    ngx_uint_t              i;
    const char             *action;
    ngx_rtmp_route_rule_t   rule, *rules;

    ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));

    action = json_string_value(json_object_get(record, "action"));

    cidr.data = (u_char *) json_string_value(
                                    json_object_get(record, "cidr"));
    cidr.len = json_string_length(json_object_get(record, "cidr"));

    if (action == NULL || cidr.data == NULL
        || ngx_rtmp_route_state_number(json_object_get(record, "id"),
                                       0xffffffff, &id)
           != NGX_OK
        || id == 0
        || ngx_rtmp_route_rule_parse(&cidr, &rule) != NGX_OK
        || load->rules.nelts == NGX_RTMP_ROUTE_MAX_RULES)
    {
        goto invalid;
    }

    if (ngx_strcmp(action, "allow") == 0) {
        rule.action = NGX_RTMP_ROUTE_ALLOW;

    } else if (ngx_strcmp(action, "deny") == 0) {
        rule.action = NGX_RTMP_ROUTE_DENY;

    } else {
        goto invalid;
    }

    rule.id = (uint32_t) id;
    load->last_rule = ngx_max(load->last_rule, id);

    rules = load->rules.elts;

    for (i = 0; i < load->rules.nelts; i++) {
        if (rules[i].id == rule.id) {
            goto invalid;
        }
    }

    rules = ngx_array_push(&load->rules);

    if (rules == NULL) {
        goto invalid;
    }

    *rules = rule;

    return;

invalid:

    load->bad_rules = 1;
    load->invalid++;
}


static void
ngx_rtmp_route_state_ban(ngx_rtmp_route_state_load_t *load, json_t *record)
{
    uint64_t                        id, until;
    ngx_str_t                       client;
    ngx_uint_t                      ops;
    ngx_rtmp_route_ban_t           *ban, **bans;
    ngx_rtmp_route_rule_t           rule;
    ngx_rtmp_route_saved_stream_t   saved;

    ngx_str_null(&saved.key);
    ngx_memzero(&rule, sizeof(ngx_rtmp_route_rule_t));

    client.data = (u_char *) json_string_value(json_object_get(record,
                                                               "client"));
    client.len = json_string_length(json_object_get(record, "client"));

    if (ngx_rtmp_route_state_number(json_object_get(record, "id"), 0xffffffff,
                                    &id)
           != NGX_OK
        || id == 0
        || ngx_rtmp_route_state_number(json_object_get(record, "until"),
                                       NGX_RTMP_ROUTE_STATE_TIME, &until)
           != NGX_OK
        || ngx_rtmp_route_state_word(json_object_get(record, "type"),
                                     ngx_rtmp_route_state_ops, &ops)
           != NGX_OK
        || ops == 0
        || (json_object_get(record, "client")
            && (client.len == 0
                || ngx_rtmp_route_rule_parse(&client, &rule) != NGX_OK
                || rule.kind != NGX_RTMP_ROUTE_RULE_CIDR))
        || ((json_object_get(record, "stream")
             || json_object_get(record, "hex"))
            && ngx_rtmp_route_state_key(record, &saved) != NGX_OK)
        || (saved.key.len == 0 && rule.addr.family == 0)
        || load->bans.nelts == NGX_RTMP_ROUTE_MAX_BANS)
    {
        load->invalid++;
        return;
    }

    load->last_ban = ngx_max(load->last_ban, id);

    if (until <= load->now) {
        return;
    }

    if (saved.key.len && (!load->key || !load->secret)) {
        load->refused++;
        return;
    }

    ban = ngx_palloc(load->bans.pool,
                     offsetof(ngx_rtmp_route_ban_t, key_buf) + saved.key.len);
    bans = ngx_array_push(&load->bans);

    if (ban == NULL || bans == NULL) {
        load->bans.nelts -= (bans != NULL);
        load->full++;
        return;
    }

    *bans = ban;

    ban->id = (uint32_t) id;
    ban->ops = ops;
    ban->addr = rule.addr;
    ban->bits = rule.bits;
    ban->left = (ngx_msec_t) ngx_min(until - load->now, NGX_MAX_UINT32_VALUE);
    ban->age = ngx_rtmp_route_state_since(load,
                                          json_object_get(record, "created"));

    ban->key.data = ban->key_buf;
    ban->key.len = saved.key.len;
    ngx_memcpy(ban->key_buf, saved.key_buf, saved.key.len);
}


static void
ngx_rtmp_route_state_server(ngx_rtmp_route_state_load_t *load, json_t *record)
{
    json_t                         *given;
    ngx_rtmp_route_saved_server_t   saved;

    ngx_memzero(&saved, sizeof(ngx_rtmp_route_saved_server_t));

    saved.params.weight = 1;
    saved.params.max_fails = 1;
    saved.params.fail_timeout = 10000;

    if (ngx_rtmp_route_state_info(record, &saved.info) != NGX_OK
        || ngx_rtmp_route_state_params(record, &saved.params) != NGX_OK)
    {
        load->invalid++;
        return;
    }

    /* what was said at first is written where it is something else */

    saved.given = saved.params;
    given = json_object_get(record, "given");

    if (given && ngx_rtmp_route_state_params(given, &saved.given) != NGX_OK) {
        load->invalid++;
        return;
    }

    saved.idle = ngx_rtmp_route_state_since(load,
                                   json_object_get(record, "seen"));

    if (saved.info.source == NGX_RTMP_ROUTE_SRC_API) {
        ngx_rtmp_route_state_seen(&load->ids, saved.info.id,
                                  saved.info.id_len);
    }

    if (!ngx_rtmp_route_state_allowed(load, &saved)) {
        load->refused++;
        return;
    }

    ngx_rtmp_route_state_count(load,
                               ngx_rtmp_route_load_server(&load->route->table,
                                                          &saved, load->how,
                                                          load->keep),
                               &load->servers);
}


/* the configuration may have changed since, and has the last word */

static ngx_uint_t
ngx_rtmp_route_state_allowed(ngx_rtmp_route_state_load_t *load,
    ngx_rtmp_route_saved_server_t *saved)
{
    ngx_uint_t                i;
    ngx_rtmp_route_t         *route;
    ngx_rtmp_route_desc_t     desc;
    ngx_rtmp_route_error_t    err;
    ngx_rtmp_route_server_t  *servers;

    route = load->route;

    switch (saved->info.source) {

    case NGX_RTMP_ROUTE_SRC_CONFIG:

        servers = route->servers.elts;

        for (i = 0; i < route->servers.nelts; i++) {

            if (servers[i].info.origin_len == saved->info.origin_len
                && ngx_memcmp(servers[i].info.origin, saved->info.origin,
                              saved->info.origin_len)
                   == 0)
            {
                return 1;
            }
        }

        return 0;

    case NGX_RTMP_ROUTE_SRC_CORE:
        return route->control != NULL;

    case NGX_RTMP_ROUTE_SRC_REGISTER:

        if (route->reg == NULL
            || saved->info.nendpoints[NGX_RTMP_ROUTE_RTMP] == 0)
        {
            return 0;
        }

        saved->params.timeout = (uint32_t) route->reg->timeout;
        saved->given.timeout = (uint32_t) route->reg->timeout;

        ngx_memzero(&desc, offsetof(ngx_rtmp_route_desc_t, params));

        desc.info = saved->info;
        desc.addr = saved->info.endpoints[NGX_RTMP_ROUTE_RTMP][0];

        return ngx_rtmp_route_register_claim(route->reg, &desc, &err)
               == NGX_OK;

    default: /* NGX_RTMP_ROUTE_SRC_API */
        return 1;
    }
}


static void
ngx_rtmp_route_state_stream(ngx_rtmp_route_state_load_t *load, json_t *record)
{
    json_t                         *value;
    uint64_t                        until;
    ngx_uint_t                      i;
    ngx_rtmp_route_saved_stream_t   saved;

    static const char  *names[] = { "server", "pin", "list" };

    ngx_str_t  *ids[] = { &saved.server, &saved.pin, &saved.list };

    if (ngx_rtmp_route_state_key(record, &saved) != NGX_OK) {
        load->invalid++;
        return;
    }

    for (i = 0; i < 3; i++) {
        ids[i]->data = saved.id_buf[i];

        if (ngx_rtmp_route_state_text(json_object_get(record,
                                                               names[i]),
                                      ids[i]->data, NGX_RTMP_ROUTE_ID_LEN,
                                      &ids[i]->len)
            != NGX_OK)
        {
            load->invalid++;
            return;
        }
    }

    saved.from = NGX_RTMP_ROUTE_FROM_NONE;
    value = json_object_get(record, "source");

    if (value
        && ngx_rtmp_route_state_word(value, ngx_rtmp_route_state_from,
                                     &saved.from)
           != NGX_OK)
    {
        load->invalid++;
        return;
    }

    saved.lived = json_is_true(json_object_get(record, "published"))
                  ? 1 : 0;
    saved.live = json_is_true(json_object_get(record, "live"))
                 ? 1 : 0;
    saved.idle = saved.live
                 ? 0
                 : ngx_rtmp_route_state_since(load,
                                     json_object_get(record, "used"));
    saved.age = ngx_rtmp_route_state_since(load,
                                  json_object_get(record, "created"));
    saved.checked = 0;
    saved.ttl = 0;

    value = json_object_get(record, "until");

    if (value
        && ngx_rtmp_route_state_number(value, NGX_RTMP_ROUTE_STATE_TIME,
                                       &until)
           == NGX_OK)
    {
        saved.checked = 1;

        if (until > load->now) {
            saved.ttl = (ngx_msec_t) ngx_min(until - load->now, 600000);
        }
    }

    if (saved.from == NGX_RTMP_ROUTE_FROM_CORE
        && load->route->control == NULL)
    {
        saved.from = NGX_RTMP_ROUTE_FROM_NONE;
    }

    if (saved.pin.len) {
        ngx_rtmp_route_state_seen(&load->pins, saved.key.data, saved.key.len);
    }

    ngx_rtmp_route_state_count(load,
                               ngx_rtmp_route_load_stream(&load->route->table,
                                                          &saved, load->how),
                               &load->streams);
}


/* what is said to be in the future has just been */

static ngx_msec_t
ngx_rtmp_route_state_since(ngx_rtmp_route_state_load_t *load, json_t *value)
{
    uint64_t  then;

    if (ngx_rtmp_route_state_number(value, NGX_RTMP_ROUTE_STATE_TIME, &then)
        != NGX_OK
        || then > load->now)
    {
        return 0;
    }

    return (ngx_msec_t) ngx_min(load->now - then, NGX_MAX_INT32_VALUE);
}


static void
ngx_rtmp_route_state_count(ngx_rtmp_route_state_load_t *load, ngx_int_t rc,
    ngx_uint_t *taken)
{
    switch (rc) {

    case NGX_OK:
        (*taken)++;
        break;

    case NGX_BUSY:
        load->full++;
        break;

    case NGX_DECLINED:
        load->refused++;
        break;

    default: /* NGX_DONE */
        break;
    }
}


static void
ngx_rtmp_route_state_seen(ngx_array_t *seen, u_char *data, size_t len)
{
    uint64_t  *hash;

    hash = ngx_array_push(seen);

    if (hash) {
        *hash = ngx_rtmp_route_state_hash(data, len);
    }
}


static ngx_uint_t
ngx_rtmp_route_state_was_seen(ngx_array_t *seen, u_char *data, size_t len)
{
    uint64_t    hash, *hashes;
    ngx_uint_t  i, low, high;

    hash = ngx_rtmp_route_state_hash(data, len);
    hashes = seen->elts;

    low = 0;
    high = seen->nelts;

    while (low < high) {
        i = low + (high - low) / 2;

        if (hashes[i] == hash) {
            return 1;
        }

        if (hashes[i] < hash) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    return 0;
}


static uint64_t
ngx_rtmp_route_state_hash(u_char *data, size_t len)
{
    return (uint64_t) ngx_crc32_long(data, len) << 32
           | ngx_murmur_hash2(data, len);
}


static int ngx_libc_cdecl
ngx_rtmp_route_state_compare(const void *one, const void *two)
{
    uint64_t  a, b;

    a = *(const uint64_t *) one;
    b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}
