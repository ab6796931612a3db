
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_http_hls_store.c ngx_http_hls_store_body.c */
/* sources: ngx_http_hls_store_cell.c ngx_http_hls_store_check.c */
/* sources: ngx_http_hls_store_entry.c ngx_http_hls_store_extent.c */
/* sources: ngx_http_hls_store_fill.c ngx_http_hls_store_links.c */
/* sources: ngx_http_hls_store_rebuild.c ngx_http_hls_store_ref.c */
/* sources: ngx_http_hls_store_stream.c ngx_http_hls_store_sweep.c */
/* sources: ngx_http_hls_store_walk.c ngx_http_hls_window.c */
/* sources: ngx_rtmp_route_zone.c */


/*
 * The cache's store beside the model of its random test: the input is what
 * the calls are chosen by.
 */


#include <stdlib.h>

static long input_next(void);
int random_main(void);

#define main    random_main
#define random  input_next

#include "hls_store_random_test.c"

#undef random
#undef main


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);


static const u_char  *input_pos;
static const u_char  *input_end;


/* two bytes of the input; behind its end the first choice is taken */

static long
input_next(void)
{
    long  n;

    n = 0;

    if (input_pos < input_end) {
        n = *input_pos++;
    }

    if (input_pos < input_end) {
        n |= *input_pos++ << 8;
    }

    return n;
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    static ngx_uint_t  initialized;

    if (size == 0) {
        return 0;
    }

    if (!initialized) {
        initialized = 1;

        unit_init();
        unit_log.log_level = NGX_LOG_EMERG;
        unit_tick(100000);
    }

    input_pos = data + 1;
    input_end = data + size;

    switch (data[0] % 3) {

    case 0:
        run("roomy store", 4 * 1024 * 1024, 20, 10000, size / 8);
        break;

    case 1:
        run("small store", 256 * 1024, KEYS, 30000, size / 8);
        break;

    default:
        run("small objects", 256 * 1024, KEYS, 500, size / 8);
        break;
    }

    ngx_rtmp_route_slot_release();

    if (unit_failed) {
        abort();
    }

    return 0;
}
