
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_core_list.c */


/*
 * The first byte says how large the pieces are; whatever these are, the
 * result must be that of the whole.
 */


#include "unit.h"
#include "ngx_osp_core_list.h"


typedef struct {
    ngx_int_t    rc;
    const char  *error;
    ngx_uint_t   good;
    ngx_uint_t   bad;
} fuzz_result_t;


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_read(const u_char *data, size_t size, size_t piece,
    fuzz_result_t *result);
static ngx_int_t fuzz_element(void *data, json_t *json);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    fuzz_result_t  whole, pieces;

    if (size == 0) {
        return 0;
    }

    fuzz_read(data + 1, size - 1, size, &whole);
    fuzz_read(data + 1, size - 1, 1 + data[0] % 32, &pieces);

    if (whole.rc != pieces.rc || whole.error != pieces.error
        || whole.good != pieces.good || whole.bad != pieces.bad)
    {
        abort();
    }

    return 0;
}


static void
fuzz_read(const u_char *data, size_t size, size_t piece, fuzz_result_t *result)
{
    u_char  *copy;
    size_t   n;

    static ngx_osp_core_list_t  list;

    ngx_osp_core_list_init(&list, fuzz_element, NULL);

    result->rc = NGX_OK;

    while (size && result->rc == NGX_OK) {
        n = ngx_min(size, piece);

        copy = malloc(n);
        memcpy(copy, data, n);

        result->rc = ngx_osp_core_list_read(&list, copy, copy + n);

        free(copy);

        data += n;
        size -= n;
    }

    if (result->rc == NGX_OK) {
        result->rc = ngx_osp_core_list_end(&list);
    }

    if ((result->rc == NGX_OK) != (list.error == NULL)) {
        abort();
    }

    result->error = list.error;
    result->good = list.good;
    result->bad = list.bad;
}


static ngx_int_t
fuzz_element(void *data, json_t *json)
{
    return json_is_object(json) ? NGX_OK : NGX_DECLINED;
}
