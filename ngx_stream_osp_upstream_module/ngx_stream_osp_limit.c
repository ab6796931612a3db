
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Limits of connections, counted over all workers.  A session has a place in
 * each counter that is about it from the moment when it has named its stream
 * until its end is known.
 *
 * A publisher who comes back while its old session hangs may find a counter
 * full only because that one is in it.  Then it goes on without a place, the
 * old session is taken over, and after that it needs one like all others.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_osp_session.h"
#include "ngx_rtmp_route_zone.h"


#define NGX_STREAM_OSP_LIMIT_ZONE_SIZE  (4 * 1024 * 1024)

/* whom a limit is about, beside NGX_RTMP_ROUTE_PUBLISH and _PLAY */

#define NGX_STREAM_OSP_LIMIT_ALL        2

#define NGX_STREAM_OSP_LIMIT_MAX        1000000000

/* places that a connection may have for streams beside its first one */

#define NGX_STREAM_OSP_LIMIT_MORE       64


/* a directive */

typedef struct {
    ngx_str_t                      key;
    ngx_stream_complex_value_t     value;
    uint32_t                       max;
    ngx_uint_t                     op;
    ngx_str_t                      text;         /* for the log */
    ngx_str_t                      description;  /* for the client */
} ngx_stream_osp_limit_rule_t;


struct ngx_stream_osp_limit_s {
    ngx_uint_t                     settled;      /* has its places */
    ngx_uint_t                     n;
    ngx_stream_osp_limit_rule_t  **rules;
    ngx_stream_osp_limit_place_t   places[1];
};


static ngx_int_t ngx_stream_osp_limit_texts(ngx_conf_t *cf,
    ngx_stream_osp_limit_rule_t *rule);
static ngx_int_t ngx_stream_osp_limit_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_stream_osp_limit_admit(ngx_stream_osp_session_t *os,
    ngx_uint_t takeover);
static ngx_stream_osp_limit_t *ngx_stream_osp_limit_create(
    ngx_stream_osp_session_t *os, ngx_rtmp_route_t *route, ngx_uint_t room);
static void ngx_stream_osp_limit_inherit(ngx_stream_osp_limit_t *limit,
    ngx_stream_osp_limit_t *old, ngx_uint_t all);
static ngx_int_t ngx_stream_osp_limit_take(ngx_stream_osp_session_t *os,
    ngx_stream_osp_limit_t *limit, ngx_rtmp_route_t *route, ngx_str_t *name,
    ngx_uint_t takeover, ngx_stream_osp_bar_t *bar);
static ngx_stream_osp_limit_zone_t *ngx_stream_osp_limit_zone(
    ngx_stream_osp_session_t *os);


static ngx_str_t  ngx_stream_osp_limit_ops[] = {
    ngx_string("publish"),
    ngx_string("play"),
    ngx_string("")
};


char *
ngx_stream_osp_limit_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_osp_srv_conf_t *oscf = conf;

    ngx_int_t                            n;
    ngx_str_t                           *value;
    ngx_uint_t                           i, op;
    ngx_stream_osp_main_conf_t          *omcf;
    ngx_stream_osp_limit_rule_t         *rule, *rules;
    ngx_stream_compile_complex_value_t   ccv;

    value = cf->args->elts;

    n = ngx_atoi(value[2].data, value[2].len);

    if (n <= 0 || n > NGX_STREAM_OSP_LIMIT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of connections \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    op = NGX_STREAM_OSP_LIMIT_ALL;

    if (cf->args->nelts == 4) {

        for (op = 0; op < NGX_STREAM_OSP_LIMIT_ALL; op++) {
            if (ngx_strcmp(value[3].data, ngx_stream_osp_limit_ops[op].data)
                == 0)
            {
                break;
            }
        }

        if (op == NGX_STREAM_OSP_LIMIT_ALL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"publish\" or \"play\"", &value[3]);
            return NGX_CONF_ERROR;
        }
    }

    if (oscf->limits == NULL) {
        oscf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_stream_osp_limit_rule_t));
        if (oscf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rules = oscf->limits->elts;

    for (i = 0; i < oscf->limits->nelts; i++) {

        if (rules[i].op == op
            && rules[i].key.len == value[1].len
            && ngx_strncmp(rules[i].key.data, value[1].data, value[1].len)
               == 0)
        {
            return "is duplicate";
        }
    }

    rule = ngx_array_push(oscf->limits);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    rule->key = value[1];
    rule->max = (uint32_t) n;
    rule->op = op;

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &rule->value;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_stream_osp_limit_texts(cf, rule) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    omcf = ngx_stream_conf_get_module_main_conf(cf,
                                              ngx_stream_osp_upstream_module);
    omcf->limits = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_osp_limit_texts(ngx_conf_t *cf, ngx_stream_osp_limit_rule_t *rule)
{
    size_t   len;
    u_char  *p;

    len = rule->key.len + NGX_INT32_LEN + sizeof("  publish");

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rule->text.data = p;

    p = ngx_sprintf(p, "%V %uD", &rule->key, rule->max);

    if (rule->op != NGX_STREAM_OSP_LIMIT_ALL) {
        p = ngx_sprintf(p, " %V", &ngx_stream_osp_limit_ops[rule->op]);
    }

    rule->text.len = p - rule->text.data;

    len = sizeof("too many connections, the limit is  publishers")
          + NGX_INT32_LEN;

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rule->description.data = p;

    p = ngx_sprintf(p, "too many connections, the limit is %uD", rule->max);

    if (rule->op != NGX_STREAM_OSP_LIMIT_ALL) {
        p = ngx_sprintf(p, " %s%s", (rule->op == NGX_RTMP_ROUTE_PUBLISH)
                                    ? "publisher" : "player",
                        rule->max == 1 ? "" : "s");
    }

    rule->description.len = p - rule->description.data;

    return NGX_OK;
}


/* once all was read: there is a zone if there are limits */

char *
ngx_stream_osp_limit_init_conf(ngx_conf_t *cf,
    ngx_stream_osp_main_conf_t *omcf)
{
    static ngx_str_t  name = ngx_string("osp_upstream_limit_conn");

    ngx_conf_init_size_value(omcf->limit_size, NGX_STREAM_OSP_LIMIT_ZONE_SIZE);

    if (omcf->limit_size < 8 * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"osp_upstream_limit_conn_zone_size\" %uz is too "
                           "small", omcf->limit_size);
        return NGX_CONF_ERROR;
    }

    if (!omcf->limits) {
        return NGX_CONF_OK;
    }

    omcf->limit_shm = ngx_shared_memory_add(cf, &name, omcf->limit_size,
                                            &ngx_stream_osp_upstream_module);
    if (omcf->limit_shm == NULL) {
        return NGX_CONF_ERROR;
    }

    omcf->cycle = cf->cycle;

    omcf->limit_shm->init = ngx_stream_osp_limit_init;
    omcf->limit_shm->data = omcf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_osp_limit_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_int_t                    rc;
    ngx_slab_pool_t             *shpool;
    ngx_stream_osp_main_conf_t  *omcf;

    omcf = shm_zone->data;

    /* the layout depends on the number of slots */

    if (ngx_rtmp_route_slots_init(omcf->cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    omcf->limit_zone.log = shm_zone->shm.log;

    shpool = ngx_rtmp_route_zone_pool(shm_zone);
    if (shpool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_stream_osp_limit_zone_init(&omcf->limit_zone, shpool);

    return ngx_rtmp_route_zone_ready(shm_zone, rc,
                                     "it another "
                                     "\"osp_upstream_limit_conn_zone_size\"");
}


ngx_int_t
ngx_stream_osp_limit_conn(ngx_stream_osp_session_t *os)
{
    if (os->conf->limits == NULL) {
        return NGX_OK;
    }

    if (os->limit == NULL) {

        os->limit = ngx_stream_osp_limit_create(os, os->setup->route, 0);
        if (os->limit == NULL) {
            ngx_stream_osp_finalize(os, NGX_STREAM_INTERNAL_SERVER_ERROR,
                                    NGX_STREAM_OSP_INTERNAL_ERROR);
            return NGX_ERROR;
        }
    }

    return ngx_stream_osp_limit_admit(os, os->conf->takeover);
}


ngx_int_t
ngx_stream_osp_limit_settle(ngx_stream_osp_session_t *os)
{
    if (os->limit == NULL) {
        return NGX_OK;
    }

    return ngx_stream_osp_limit_admit(os, 0);
}


static ngx_int_t
ngx_stream_osp_limit_admit(ngx_stream_osp_session_t *os, ngx_uint_t takeover)
{
    ngx_stream_osp_bar_t     bar;
    ngx_stream_osp_setup_t  *setup;

    setup = os->setup;

    if (os->limit->settled
        || ngx_stream_osp_limit_take(os, os->limit, setup->route,
                                     &setup->query.key, takeover, &bar)
           == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_stream_osp_refuse(os, bar.status, bar.reason, bar.code, &bar.text);

    return NGX_ERROR;
}


ngx_int_t
ngx_stream_osp_limit_stream(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_rtmp_route_query_t *query,
    ngx_uint_t replace, ngx_stream_osp_bar_t *bar)
{
    ngx_stream_osp_limit_t  *limit;

    if (os->conf->limits == NULL) {
        return NGX_OK;
    }

    /* one client is not to fill the zone, which ends all limits */

    if (os->limit
        && !replace
        && os->limit->n >= os->conf->limits->nelts + NGX_STREAM_OSP_LIMIT_MORE)
    {
        return os->conf->limit_dry_run ? NGX_OK : NGX_ABORT;
    }

    limit = ngx_stream_osp_limit_create(os, route,
                                        os->limit ? os->limit->n : 0);
    if (limit == NULL) {
        return NGX_ERROR;
    }

    if (os->limit) {
        ngx_stream_osp_limit_inherit(limit, os->limit, !replace);
        ngx_stream_osp_limit_free(os);
    }

    os->limit = limit;

    return ngx_stream_osp_limit_take(os, limit, route, &query->key, 0, bar);
}


/*
 * What is about what the client has named, with room for some more; NULL: no
 * memory
 */

static ngx_stream_osp_limit_t *
ngx_stream_osp_limit_create(ngx_stream_osp_session_t *os,
    ngx_rtmp_route_t *route, ngx_uint_t room)
{
    ngx_str_t                      text[4];
    ngx_uint_t                     i;
    ngx_stream_osp_limit_t        *limit;
    ngx_stream_osp_limit_rule_t   *rules;
    ngx_stream_osp_limit_place_t  *place;

    rules = os->conf->limits->elts;
    room += os->conf->limits->nelts;

    limit = ngx_calloc(offsetof(ngx_stream_osp_limit_t, places)
                       + room * sizeof(ngx_stream_osp_limit_place_t)
                       + room * sizeof(ngx_stream_osp_limit_rule_t *),
                       os->session->connection->log);
    if (limit == NULL) {
        return NULL;
    }

    limit->rules = (ngx_stream_osp_limit_rule_t **) &limit->places[room];

    text[0] = *ngx_rtmp_route_name(route);

    for (i = 0; i < os->conf->limits->nelts; i++) {

        if (rules[i].op != NGX_STREAM_OSP_LIMIT_ALL
            && rules[i].op != os->name.op)
        {
            continue;
        }

        if (ngx_stream_complex_value(os->session, &rules[i].value, &text[3])
            != NGX_OK)
        {
            ngx_free(limit);
            return NULL;
        }

        if (text[3].len == 0) {
            continue;
        }

        text[1] = ngx_stream_osp_limit_ops[rules[i].op];
        text[2] = rules[i].key;

        limit->rules[limit->n] = &rules[i];
        place = &limit->places[limit->n++];

        place->max = rules[i].max;

        ngx_stream_osp_limit_zone_key(ngx_stream_osp_limit_zone(os), text, 4,
                                      &place->key);
    }

    return limit;
}


/* a connection has one place in a counter, with all its streams */

static void
ngx_stream_osp_limit_inherit(ngx_stream_osp_limit_t *limit,
    ngx_stream_osp_limit_t *old, ngx_uint_t all)
{
    ngx_uint_t                     i, k;
    ngx_stream_osp_limit_place_t  *place;

    for (i = 0; i < old->n; i++) {

        place = &old->places[i];

        if (place->cell == 0) {
            continue;
        }

        for (k = 0; k < limit->n; k++) {
            if (limit->places[k].key.hash[0] == place->key.hash[0]
                && limit->places[k].key.hash[1] == place->key.hash[1])
            {
                break;
            }
        }

        if (k == limit->n) {

            if (!all) {
                continue;
            }

            limit->rules[limit->n++] = old->rules[i];
        }

        limit->places[k] = *place;
        place->cell = 0;
    }
}


/* NGX_OK; NGX_DONE: bar says why not */

static ngx_int_t
ngx_stream_osp_limit_take(ngx_stream_osp_session_t *os,
    ngx_stream_osp_limit_t *limit, ngx_rtmp_route_t *route, ngx_str_t *name,
    ngx_uint_t takeover, ngx_stream_osp_bar_t *bar)
{
    ngx_int_t                     rc;
    ngx_str_t                     text[2];
    ngx_uint_t                    which, publish;
    ngx_stream_osp_limit_key_t    stream;
    ngx_stream_osp_limit_zone_t  *zone;

    if (limit->n == 0) {
        limit->settled = 1;
        return NGX_OK;
    }

    zone = ngx_stream_osp_limit_zone(os);

    publish = (os->name.op == NGX_RTMP_ROUTE_PUBLISH);

    if (publish) {
        text[0] = *ngx_rtmp_route_name(route);
        text[1] = *name;

        ngx_stream_osp_limit_zone_key(zone, text, 2, &stream);
    }

    which = 0;

    rc = ngx_stream_osp_limit_zone_take(zone, limit->places, limit->n,
                                        publish ? &stream : NULL, &which);

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, os->session->connection->log, 0,
                   "osp limit of %ui: %i", limit->n, rc);

    /* who is there is to go, if it hangs: it is seen then */

    if (rc == NGX_AGAIN && takeover) {
        return NGX_OK;
    }

    limit->settled = 1;

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        return NGX_OK;
    }

    ngx_log_error(os->conf->limit_log_level, os->session->connection->log, 0,
                  "limiting connections%s by \"%V\"",
                  os->conf->limit_dry_run ? ", dry run," : "",
                  &limit->rules[which]->text);

    if (os->conf->limit_dry_run) {
        return NGX_OK;
    }

    bar->status = NGX_STREAM_SERVICE_UNAVAILABLE;
    bar->reason = NGX_STREAM_OSP_LIMIT;
    bar->code = "NetConnection.Connect.Rejected";
    bar->text = limit->rules[which]->description;

    return NGX_DONE;
}


void
ngx_stream_osp_limit_free(ngx_stream_osp_session_t *os)
{
    ngx_uint_t               i;
    ngx_stream_osp_limit_t  *limit;

    limit = os->limit;

    if (limit == NULL) {
        return;
    }

    os->limit = NULL;

    for (i = 0; i < limit->n; i++) {

        if (limit->places[i].cell) {
            ngx_stream_osp_limit_zone_give(ngx_stream_osp_limit_zone(os),
                                           limit->places, limit->n);
            break;
        }
    }

    ngx_free(limit);
}


static ngx_stream_osp_limit_zone_t *
ngx_stream_osp_limit_zone(ngx_stream_osp_session_t *os)
{
    ngx_stream_osp_main_conf_t  *omcf;

    omcf = ngx_stream_get_module_main_conf(os->session,
                                           ngx_stream_osp_upstream_module);

    return &omcf->limit_zone;
}
