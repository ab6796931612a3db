
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route.c ngx_rtmp_route_register.c ngx_rtmp_route_desc.c */
/* sources: ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_json.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_key.c ngx_rtmp_route_text.c */
/* sources: ngx_rtmp_route_table_check.c ngx_rtmp_route_table.c */
/* sources: ngx_rtmp_route_table_cell.c ngx_rtmp_route_table_links.c */
/* sources: ngx_rtmp_route_table_rebuild.c ngx_rtmp_route_table_rights.c */
/* sources: ngx_rtmp_route_table_server.c ngx_rtmp_route_table_stream.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_session.c ngx_rtmp_route_method.c */
/* sources: ngx_rtmp_route_table_stray.c ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_table_conflict.c ngx_rtmp_route_table_rules.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_events.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_zone.c */


/*
 * A body in each of its forms.  One that is refused must have changed nothing
 * and say why; what was taken must be found in the table, and shown as JSON.
 */


#include "unit.h"
#include <ngx_event.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_register.h"


#define ZONE  (256 * 1024)


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_init(void);
static void fuzz_register(ngx_pool_t *pool, json_t *body);
static void fuzz_form(json_t *body, ngx_uint_t form);
static void fuzz_error(ngx_pool_t *pool, ngx_rtmp_route_error_t *err);
static void fuzz_json(ngx_pool_t *pool, ngx_str_t *text);


static ngx_rtmp_route_t           route;
static ngx_rtmp_route_register_t  reg;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    json_t                  *body;
    ngx_str_t                text;
    ngx_pool_t              *pool;
    ngx_rtmp_route_error_t   err;

    if (route.reg == NULL) {
        fuzz_init();
    }

    pool = ngx_create_pool(4096, &unit_log);

    text.data = (u_char *) data;
    text.len = size;

    fuzz_json(pool, &text);

    body = ngx_rtmp_route_json_parse(&text, &err);

    if (body == NULL) {
        fuzz_error(pool, &err);

    } else {
        fuzz_register(pool, body);
        fuzz_form(body, NGX_RTMP_ROUTE_DESC_CREATE);
        fuzz_form(body, NGX_RTMP_ROUTE_DESC_UPDATE);

        json_decref(body);
    }

    ngx_destroy_pool(pool);

    return 0;
}


static void
fuzz_init(void)
{
    unit_init();

    unit_log.log_level = NGX_LOG_EMERG;

    reg.timeout = 30000;
    reg.streams = 1;

    ngx_str_set(&route.name, "live");
    route.zone = route.name;
    route.reg = &reg;
    route.table.log = &unit_log;
    route.table.inactive = 60000;

    if (ngx_rtmp_route_table_init(&route.table, unit_zone(ZONE)) != NGX_OK) {
        abort();
    }
}


static void
fuzz_register(ngx_pool_t *pool, json_t *body)
{
    ngx_int_t                      rc;
    ngx_str_t                      id;
    ngx_uint_t                     i, n;
    ngx_rtmp_route_desc_t          desc;
    ngx_rtmp_route_error_t         err;
    ngx_rtmp_route_listing_t       listing;
    ngx_rtmp_route_table_stat_t    before, after;
    ngx_rtmp_route_server_stat_t   stat;

    ngx_rtmp_route_table_stat(&route.table, &before);

    rc = ngx_rtmp_route_desc_parse(&desc, body, NGX_RTMP_ROUTE_DESC_REGISTER,
                                   &err);

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_register_claim(&reg, &desc, &err);
    }

    if (rc == NGX_OK) {
        rc = ngx_rtmp_route_register_apply(&route, &desc, &err);
    }

    ngx_rtmp_route_table_stat(&route.table, &after);

    if (rc != NGX_OK) {
        fuzz_error(pool, &err);

        if (before.servers != after.servers
            || before.streams != after.streams)
        {
            abort();
        }

        return;
    }

    id.data = desc.info.id;
    id.len = desc.info.id_len;

    if (id.len == 0
        || ngx_rtmp_route_server_get(&route.table, &id, &stat) != NGX_OK
        || stat.info.nendpoints[NGX_RTMP_ROUTE_RTMP] == 0)
    {
        abort();
    }

    for (i = 0; i < NGX_RTMP_ROUTE_NPROTO; i++) {

        if (stat.info.nendpoints[i] > NGX_RTMP_ROUTE_MAX_ENDPOINTS) {
            abort();
        }

        for (n = 0; n < stat.info.nendpoints[i]; n++) {

            if (stat.info.endpoints[i][n].port == 0
                || ngx_rtmp_route_addr_special(&stat.info.endpoints[i][n]))
            {
                abort();
            }
        }
    }

    if (ngx_rtmp_route_register_streams(&route, &desc, pool, &listing)
        != NGX_OK)
    {
        abort();
    }

    if (ngx_rtmp_route_table_check(&route.table) != NGX_OK) {
        abort();
    }

    fuzz_json(pool, &id);

    if (after.servers > 32) {
        (void) ngx_rtmp_route_server_delete(&route.table, &id);
    }
}


static void
fuzz_form(json_t *body, ngx_uint_t form)
{
    ngx_rtmp_route_desc_t           desc;
    ngx_rtmp_route_error_t          err;
    ngx_rtmp_route_server_params_t  params;

    ngx_rtmp_route_desc_defaults(&params);

    if (ngx_rtmp_route_desc_parse(&desc, body, form, &err) != NGX_OK) {
        return;
    }

    ngx_rtmp_route_desc_params(&desc, &params);

    if (params.weight == 0 || params.weight > 65535) {
        abort();
    }

    if (form == NGX_RTMP_ROUTE_DESC_CREATE && desc.info.id_len == 0) {
        abort();
    }
}


static void
fuzz_error(ngx_pool_t *pool, ngx_rtmp_route_error_t *err)
{
    if (err->status < 400 || err->code.len == 0 || err->text.len == 0
        || err->text.len > NGX_RTMP_ROUTE_ERROR_LEN)
    {
        abort();
    }

    fuzz_json(pool, &err->text);
}


/* any bytes make a string that jansson reads */

static void
fuzz_json(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char                 *p, *start;
    json_t                 *value;
    ngx_chain_t            *cl;
    ngx_rtmp_route_json_t   json;

    ngx_rtmp_route_json_init(&json, pool, 16);
    ngx_rtmp_route_json_open(&json, '{');
    ngx_rtmp_route_json_key(&json, text);
    ngx_rtmp_route_json_string(&json, text);
    ngx_rtmp_route_json_close(&json, '}');

    start = ngx_pnalloc(pool, json.length);
    p = start;

    for (cl = json.out; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    if ((size_t) (p - start) != json.length) {
        abort();
    }

    /* names with zeros are refused, and never made from what was parsed */

    if (ngx_strlchr(text->data, text->data + text->len, '\0') == NULL) {
        value = json_loadb((char *) start, json.length, 0, NULL);

        if (value == NULL) {
            abort();
        }

        json_decref(value);
    }
}
