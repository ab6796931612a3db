
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route_state_read.c ngx_rtmp_route_state_load.c */
/* sources: ngx_rtmp_route_state_fields.c ngx_rtmp_route_table_saved.c */
/* sources: ngx_rtmp_route.c ngx_rtmp_route_register.c ngx_rtmp_route_desc.c */
/* sources: ngx_rtmp_route_json.c ngx_rtmp_route_addr.c ngx_rtmp_route_acl.c */
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
/* sources: ngx_rtmp_route_table_core.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_events.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_zone.c ngx_rtmp_route_proxies.c */


/*
 * A state file, read in pieces whose size is in its first byte.  In pieces or
 * at once it has to be the same, and the table has to be consistent.
 */


#include "unit.h"
#include <ngx_event.h>
#include "ngx_rtmp_route_state.h"


#define ZONE  (256 * 1024)


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_init(void);
static ngx_int_t fuzz_load(ngx_rtmp_route_state_load_t *load, ngx_uint_t how,
    const u_char *data, size_t size, size_t piece);


static ngx_rtmp_route_t           route;
static ngx_rtmp_route_register_t  reg;
static ngx_rtmp_route_control_t   control;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    size_t                         piece;
    ngx_int_t                      rc, again;
    ngx_slab_pool_t               *shpool;
    ngx_rtmp_route_table_stat_t    stat;
    ngx_rtmp_route_state_load_t    load, twice;

    if (size == 0) {
        return 0;
    }

    if (route.reg == NULL) {
        fuzz_init();
    }

    piece = *data++;
    size--;

    shpool = unit_zone(ZONE);
    ngx_memzero(&route.table, sizeof(ngx_rtmp_route_table_t));
    route.table.log = &unit_log;
    route.table.inactive = 60000;

    if (shpool == NULL
        || ngx_rtmp_route_table_init(&route.table, shpool) != NGX_OK)
    {
        abort();
    }

    rc = fuzz_load(&load, NGX_RTMP_ROUTE_LOAD_FRESH, data, size,
                   piece ? piece : size);

    if (ngx_rtmp_route_table_check(&route.table) != NGX_OK) {
        abort();
    }

    ngx_rtmp_route_table_stat(&route.table, &stat);

    if (stat.servers != load.servers || stat.streams > load.streams) {
        abort();
    }

    again = fuzz_load(&twice, NGX_RTMP_ROUTE_LOAD_OWNER, data, size, size);

    if (again != rc
        || twice.format != load.format
        || twice.invalid != load.invalid
        || twice.reader.invalid != load.reader.invalid
        || twice.bad_rules != load.bad_rules)
    {
        abort();
    }

    (void) fuzz_load(&twice, NGX_RTMP_ROUTE_LOAD_PEER, data, size, size);

    if (ngx_rtmp_route_table_check(&route.table) != NGX_OK) {
        abort();
    }

    unit_zone_free(shpool);

    return 0;
}


static void
fuzz_init(void)
{
    unit_init();

    unit_log.log_level = NGX_LOG_EMERG;

    if (ngx_rtmp_route_slots_create(4, &unit_log) != NGX_OK) {
        abort();
    }

    reg.timeout = 30000;
    reg.streams = 1;

    ngx_str_set(&route.name, "live");
    route.zone = route.name;
    route.reg = &reg;
    route.control = &control;
}


static ngx_int_t
fuzz_load(ngx_rtmp_route_state_load_t *load, ngx_uint_t how,
    const u_char *data, size_t size, size_t piece)
{
    size_t       n;
    ngx_int_t    rc;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(4096, &unit_log);

    if (ngx_rtmp_route_state_load_init(load, &route, pool, how) != NGX_OK) {
        abort();
    }

    rc = NGX_AGAIN;

    while (size && rc != NGX_ERROR) {
        n = ngx_min(size, piece);
        rc = ngx_rtmp_route_state_feed(&load->reader, (u_char *) data, n);
        data += n;
        size -= n;
    }

    while (ngx_rtmp_route_state_load_end(load) == NGX_AGAIN) {
        /* void */
    }

    ngx_destroy_pool(pool);

    return rc;
}
