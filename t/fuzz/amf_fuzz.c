
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_rtmp_amf.c */


/*
 * What is read lies inside of the input; a container that was read can be
 * walked to its end, and is read again from its raw bytes.
 */


#include "unit.h"
#include "ngx_osp_rtmp_amf.h"


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_value(u_char *p, u_char *last, ngx_osp_rtmp_amf_value_t *v,
    ngx_uint_t depth);
static void fuzz_inside(u_char *p, u_char *last, ngx_str_t *str);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_osp_rtmp_amf_t         amf;
    ngx_osp_rtmp_amf_value_t   v;

    p = malloc(size + (size == 0));
    memcpy(p, data, size);

    ngx_osp_rtmp_amf_init(&amf, p, p + size);

    for ( ;; ) {
        rc = ngx_osp_rtmp_amf_read(&amf, &v);

        if (rc != NGX_OK) {
            break;
        }

        fuzz_value(p, p + size, &v, 0);
    }

    if (rc == NGX_DONE ? amf.pos != amf.last : amf.error == NULL) {
        abort();
    }

    free(p);

    return 0;
}


/* depth is bounded by the reader */

static void
fuzz_value(u_char *p, u_char *last, ngx_osp_rtmp_amf_value_t *v,
    ngx_uint_t depth)
{
    ngx_int_t                 rc;
    ngx_str_t                 name;
    ngx_uint_t                n;
    ngx_osp_rtmp_amf_t        amf, raw;
    ngx_osp_rtmp_amf_value_t  inner, again;

    if (depth > NGX_OSP_RTMP_AMF_DEPTH) {
        abort();
    }

    fuzz_inside(p, last, &v->raw);
    fuzz_inside(p, last, &v->string);

    ngx_osp_rtmp_amf_init(&raw, v->raw.data, v->raw.data + v->raw.len);

    if (ngx_osp_rtmp_amf_read(&raw, &again) != NGX_OK
        || raw.pos != raw.last || again.type != v->type)
    {
        abort();
    }

    if (ngx_osp_rtmp_amf_enter(v, &amf) != NGX_OK) {
        return;
    }

    fuzz_inside(v->raw.data, v->raw.data + v->raw.len, &v->body);

    (void) ngx_osp_rtmp_amf_find(v, "a", 1, &inner);

    for (n = 0; n < 32; n++) {

        if (v->type == NGX_OSP_RTMP_AMF_STRICT_ARRAY) {
            rc = ngx_osp_rtmp_amf_read(&amf, &inner);

        } else {
            rc = ngx_osp_rtmp_amf_property(&amf, &name, &inner);

            if (rc == NGX_OK) {
                fuzz_inside(p, last, &name);
            }
        }

        if (rc == NGX_ERROR) {
            abort();
        }

        if (rc == NGX_DONE) {
            break;
        }

        fuzz_value(p, last, &inner, depth + 1);
    }
}


static void
fuzz_inside(u_char *p, u_char *last, ngx_str_t *str)
{
    if (str->data == NULL && str->len == 0) {
        return;
    }

    if (str->data < p || str->data > last
        || str->len > (size_t) (last - str->data))
    {
        abort();
    }
}
