
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_amf.h"


/* AMF3 markers, "AMF 3 Specification", 3.1 */

#define NGX_OSP_RTMP_AMF3_UNDEFINED    0x00
#define NGX_OSP_RTMP_AMF3_NULL         0x01
#define NGX_OSP_RTMP_AMF3_FALSE        0x02
#define NGX_OSP_RTMP_AMF3_TRUE         0x03
#define NGX_OSP_RTMP_AMF3_INTEGER      0x04
#define NGX_OSP_RTMP_AMF3_DOUBLE       0x05
#define NGX_OSP_RTMP_AMF3_STRING       0x06


typedef struct {
    ngx_uint_t              strict;
    uint32_t                left;      /* elements of a strict array */
} ngx_osp_rtmp_amf_level_t;


static u_char *ngx_osp_rtmp_amf_value(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error);
static u_char *ngx_osp_rtmp_amf_container(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error);
static u_char *ngx_osp_rtmp_amf_single(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error);
static u_char *ngx_osp_rtmp_amf3_single(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error);
static u_char *ngx_osp_rtmp_amf3_u29(u_char *p, u_char *last,
    uint32_t *number);
static u_char *ngx_osp_rtmp_amf_text(u_char *p, u_char *last, size_t size,
    ngx_str_t *text);
static u_char *ngx_osp_rtmp_amf_double(u_char *p, u_char *last,
    double *number);
static ngx_uint_t ngx_osp_rtmp_amf_is_object(ngx_uint_t type);
static ngx_uint_t ngx_osp_rtmp_amf_is_end(u_char *p, u_char *last);
static u_char *ngx_osp_rtmp_amf_put_marker(u_char *p, u_char *last,
    ngx_uint_t type);
static u_char *ngx_osp_rtmp_amf_put_size(u_char *p, u_char *last,
    uint32_t number, size_t size);


static const char  ngx_osp_rtmp_amf_cut[] = "amf value is cut";


void
ngx_osp_rtmp_amf_init(ngx_osp_rtmp_amf_t *amf, u_char *pos, u_char *last)
{
    amf->pos = pos;
    amf->last = last;
    amf->error = NULL;
}


ngx_int_t
ngx_osp_rtmp_amf_read(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_amf_value_t *value)
{
    u_char  *p;

    if (amf->pos == amf->last) {
        return NGX_DONE;
    }

    p = ngx_osp_rtmp_amf_value(amf->pos, amf->last, value, &amf->error);
    if (p == NULL) {
        return NGX_ERROR;
    }

    amf->pos = p;

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_amf_enter(ngx_osp_rtmp_amf_value_t *container,
    ngx_osp_rtmp_amf_t *amf)
{
    if (!ngx_osp_rtmp_amf_is_object(container->type)
        && container->type != NGX_OSP_RTMP_AMF_STRICT_ARRAY)
    {
        return NGX_DECLINED;
    }

    ngx_osp_rtmp_amf_init(amf, container->body.data,
                          container->body.data + container->body.len);

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_amf_property(ngx_osp_rtmp_amf_t *amf, ngx_str_t *name,
    ngx_osp_rtmp_amf_value_t *value)
{
    u_char  *p;

    if (amf->pos == amf->last) {
        return NGX_DONE;
    }

    p = ngx_osp_rtmp_amf_text(amf->pos, amf->last, 2, name);
    if (p == NULL) {
        amf->error = ngx_osp_rtmp_amf_cut;
        return NGX_ERROR;
    }

    p = ngx_osp_rtmp_amf_value(p, amf->last, value, &amf->error);
    if (p == NULL) {
        return NGX_ERROR;
    }

    amf->pos = p;

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_amf_find(ngx_osp_rtmp_amf_value_t *object, const char *name,
    size_t len, ngx_osp_rtmp_amf_value_t *value)
{
    ngx_int_t                 rc;
    ngx_str_t                 key;
    ngx_osp_rtmp_amf_t        amf;
    ngx_osp_rtmp_amf_value_t  v;

    if (!ngx_osp_rtmp_amf_is_object(object->type)) {
        return NGX_DECLINED;
    }

    (void) ngx_osp_rtmp_amf_enter(object, &amf);

    rc = NGX_DECLINED;

    while (ngx_osp_rtmp_amf_property(&amf, &key, &v) == NGX_OK) {

        if (key.len == len && ngx_memcmp(key.data, name, len) == 0) {
            *value = v;
            rc = NGX_OK;
        }
    }

    return rc;
}


ngx_int_t
ngx_osp_rtmp_amf_read_number(ngx_osp_rtmp_amf_t *amf, double *number)
{
    u_char                    *pos;
    ngx_int_t                  rc;
    ngx_osp_rtmp_amf_value_t   value;

    pos = amf->pos;

    rc = ngx_osp_rtmp_amf_read(amf, &value);
    if (rc != NGX_OK) {
        return rc;
    }

    if (value.type != NGX_OSP_RTMP_AMF_NUMBER) {
        amf->pos = pos;
        return NGX_DECLINED;
    }

    *number = value.number;

    return NGX_OK;
}


ngx_int_t
ngx_osp_rtmp_amf_read_string(ngx_osp_rtmp_amf_t *amf, ngx_str_t *string)
{
    u_char                    *pos;
    ngx_int_t                  rc;
    ngx_osp_rtmp_amf_value_t   value;

    pos = amf->pos;

    rc = ngx_osp_rtmp_amf_read(amf, &value);
    if (rc != NGX_OK) {
        return rc;
    }

    if (value.type != NGX_OSP_RTMP_AMF_STRING) {
        amf->pos = pos;
        return NGX_DECLINED;
    }

    *string = value.string;

    return NGX_OK;
}


/* AMF 0, 2.1-2.18; the levels of nested containers are kept in an array */

static u_char *
ngx_osp_rtmp_amf_value(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error)
{
    u_char                    *start;
    ngx_str_t                  name;
    ngx_uint_t                 depth, items;
    ngx_osp_rtmp_amf_value_t   v;
    ngx_osp_rtmp_amf_level_t  *level, levels[NGX_OSP_RTMP_AMF_DEPTH];

    start = p;
    depth = 0;
    items = 0;

    for ( ;; ) {

        if (items++ == NGX_OSP_RTMP_AMF_ITEMS) {
            *error = "too many amf values";
            return NULL;
        }

        p = ngx_osp_rtmp_amf_container(p, last, &v, error);
        if (p == NULL) {
            return NULL;
        }

        if (depth == 0) {
            *value = v;
        }

        if (v.body.data) {

            if (depth == NGX_OSP_RTMP_AMF_DEPTH) {
                *error = "amf values are nested too deep";
                return NULL;
            }

            level = &levels[depth++];

            level->strict = (v.type == NGX_OSP_RTMP_AMF_STRICT_ARRAY);
            level->left = (uint32_t) v.body.len;
        }

        /* close what is complete, then go to the next value */

        while (depth) {
            level = &levels[depth - 1];

            if (level->strict) {

                if (level->left) {
                    level->left--;
                    break;
                }

                if (depth == 1) {
                    value->body.len = p - value->body.data;
                }

            } else if (ngx_osp_rtmp_amf_is_end(p, last)) {

                if (depth == 1) {
                    value->body.len = p - value->body.data;
                }

                p += 3;

            } else {
                p = ngx_osp_rtmp_amf_text(p, last, 2, &name);
                if (p == NULL) {
                    *error = ngx_osp_rtmp_amf_cut;
                    return NULL;
                }

                break;
            }

            depth--;
        }

        if (depth == 0) {
            break;
        }
    }

    value->raw.data = start;
    value->raw.len = p - start;

    return p;
}


/*
 * Reads a single value, or what stands before the first property or element
 * of a container; then body.data is set, and body.len is the number of
 * elements of a strict array
 */

static u_char *
ngx_osp_rtmp_amf_container(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error)
{
    ngx_memzero(value, sizeof(ngx_osp_rtmp_amf_value_t));

    if (p == last) {
        *error = ngx_osp_rtmp_amf_cut;
        return NULL;
    }

    value->type = *p;

    switch (*p) {

    case NGX_OSP_RTMP_AMF_OBJECT:
        p++;
        break;

    case NGX_OSP_RTMP_AMF_TYPED_OBJECT:
        p = ngx_osp_rtmp_amf_text(p + 1, last, 2, &value->string);
        break;

    case NGX_OSP_RTMP_AMF_ECMA_ARRAY:

        /* the count is only a hint, 2.10 */

        p = (last - p < 5) ? NULL : p + 5;
        break;

    case NGX_OSP_RTMP_AMF_STRICT_ARRAY:

        if (last - p < 5) {
            p = NULL;
            break;
        }

        value->body.len = (uint32_t) p[1] << 24 | (uint32_t) p[2] << 16
                          | (uint32_t) p[3] << 8 | (uint32_t) p[4];
        p += 5;
        break;

    default:
        return ngx_osp_rtmp_amf_single(p, last, value, error);
    }

    if (p == NULL) {
        *error = ngx_osp_rtmp_amf_cut;
        return NULL;
    }

    value->body.data = p;

    return p;
}


static u_char *
ngx_osp_rtmp_amf_single(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error)
{
    switch (*p++) {

    case NGX_OSP_RTMP_AMF_NULL:
    case NGX_OSP_RTMP_AMF_UNDEFINED:
    case NGX_OSP_RTMP_AMF_UNSUPPORTED:
        return p;

    case NGX_OSP_RTMP_AMF_NUMBER:
        p = ngx_osp_rtmp_amf_double(p, last, &value->number);
        break;

    case NGX_OSP_RTMP_AMF_BOOLEAN:

        if (p == last) {
            p = NULL;
            break;
        }

        value->number = (*p++ != 0);
        break;

    case NGX_OSP_RTMP_AMF_STRING:
        p = ngx_osp_rtmp_amf_text(p, last, 2, &value->string);
        break;

    case NGX_OSP_RTMP_AMF_LONG_STRING:
        value->type = NGX_OSP_RTMP_AMF_STRING;

        /* fall through */

    case NGX_OSP_RTMP_AMF_XML:
        p = ngx_osp_rtmp_amf_text(p, last, 4, &value->string);
        break;

    case NGX_OSP_RTMP_AMF_DATE:

        /* milliseconds and a time zone that is not used, 2.13 */

        p = ngx_osp_rtmp_amf_double(p, last, &value->number);

        if (p) {
            p = (last - p < 2) ? NULL : p + 2;
        }

        break;

    case NGX_OSP_RTMP_AMF_AMF3:
        return ngx_osp_rtmp_amf3_single(p, last, value, error);

    case NGX_OSP_RTMP_AMF_REFERENCE:
        *error = "amf reference";
        return NULL;

    default:
        *error = "unexpected amf marker";
        return NULL;
    }

    if (p == NULL) {
        *error = ngx_osp_rtmp_amf_cut;
    }

    return p;
}


/*
 * AMF 3, 3.2-3.8: values without references; others would need the tables of
 * all that stood before them
 */

static u_char *
ngx_osp_rtmp_amf3_single(u_char *p, u_char *last,
    ngx_osp_rtmp_amf_value_t *value, const char **error)
{
    uint32_t  n;

    if (p == last) {
        *error = ngx_osp_rtmp_amf_cut;
        return NULL;
    }

    switch (*p++) {

    case NGX_OSP_RTMP_AMF3_UNDEFINED:
        value->type = NGX_OSP_RTMP_AMF_UNDEFINED;
        return p;

    case NGX_OSP_RTMP_AMF3_NULL:
        value->type = NGX_OSP_RTMP_AMF_NULL;
        return p;

    case NGX_OSP_RTMP_AMF3_FALSE:
    case NGX_OSP_RTMP_AMF3_TRUE:
        value->type = NGX_OSP_RTMP_AMF_BOOLEAN;
        value->number = (p[-1] == NGX_OSP_RTMP_AMF3_TRUE);
        return p;

    case NGX_OSP_RTMP_AMF3_INTEGER:
        value->type = NGX_OSP_RTMP_AMF_NUMBER;

        p = ngx_osp_rtmp_amf3_u29(p, last, &n);

        if (p) {
            value->number = (n < 0x10000000) ? (double) n
                                             : (double) n - 0x20000000;
        }

        break;

    case NGX_OSP_RTMP_AMF3_DOUBLE:
        value->type = NGX_OSP_RTMP_AMF_NUMBER;
        p = ngx_osp_rtmp_amf_double(p, last, &value->number);
        break;

    case NGX_OSP_RTMP_AMF3_STRING:
        value->type = NGX_OSP_RTMP_AMF_STRING;

        p = ngx_osp_rtmp_amf3_u29(p, last, &n);
        if (p == NULL) {
            break;
        }

        if ((n & 1) == 0) {
            *error = "amf3 reference";
            return NULL;
        }

        n >>= 1;

        if ((size_t) (last - p) < n) {
            p = NULL;
            break;
        }

        value->string.data = p;
        value->string.len = n;

        p += n;
        break;

    default:
        *error = "amf3 value";
        return NULL;
    }

    if (p == NULL) {
        *error = ngx_osp_rtmp_amf_cut;
    }

    return p;
}


/* AMF 3, 1.3.1: 7 bits a byte, the fourth has 8 */

static u_char *
ngx_osp_rtmp_amf3_u29(u_char *p, u_char *last, uint32_t *number)
{
    uint32_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < 4; i++) {

        if (p == last) {
            return NULL;
        }

        if (i == 3) {
            n = n << 8 | *p++;
            break;
        }

        n = n << 7 | (*p & 0x7f);

        if ((*p++ & 0x80) == 0) {
            break;
        }
    }

    *number = n;

    return p;
}


static u_char *
ngx_osp_rtmp_amf_text(u_char *p, u_char *last, size_t size, ngx_str_t *text)
{
    uint32_t  len;

    if ((size_t) (last - p) < size) {
        return NULL;
    }

    len = (uint32_t) p[0] << 8 | (uint32_t) p[1];

    if (size == 4) {
        len = len << 16 | (uint32_t) p[2] << 8 | (uint32_t) p[3];
    }

    p += size;

    if ((size_t) (last - p) < len) {
        return NULL;
    }

    text->data = p;
    text->len = len;

    return p + len;
}


static u_char *
ngx_osp_rtmp_amf_double(u_char *p, u_char *last, double *number)
{
    uint64_t    n;
    ngx_uint_t  i;

    if (last - p < 8) {
        return NULL;
    }

    n = 0;

    for (i = 0; i < 8; i++) {
        n = n << 8 | p[i];
    }

    ngx_memcpy(number, &n, 8);

    return p + 8;
}


static ngx_uint_t
ngx_osp_rtmp_amf_is_object(ngx_uint_t type)
{
    return type == NGX_OSP_RTMP_AMF_OBJECT
           || type == NGX_OSP_RTMP_AMF_TYPED_OBJECT
           || type == NGX_OSP_RTMP_AMF_ECMA_ARRAY;
}


static ngx_uint_t
ngx_osp_rtmp_amf_is_end(u_char *p, u_char *last)
{
    return last - p >= 3
           && p[0] == 0 && p[1] == 0 && p[2] == NGX_OSP_RTMP_AMF_OBJECT_END;
}


u_char *
ngx_osp_rtmp_amf_put_number(u_char *p, u_char *last, double number)
{
    uint64_t   n;
    ngx_int_t  i;

    p = ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_NUMBER);

    if (p == NULL || last - p < 8) {
        return NULL;
    }

    ngx_memcpy(&n, &number, 8);

    for (i = 56; i >= 0; i -= 8) {
        *p++ = (u_char) (n >> i);
    }

    return p;
}


u_char *
ngx_osp_rtmp_amf_put_boolean(u_char *p, u_char *last, ngx_uint_t value)
{
    p = ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_BOOLEAN);

    return ngx_osp_rtmp_amf_put_size(p, last, value ? 1 : 0, 1);
}


u_char *
ngx_osp_rtmp_amf_put_string(u_char *p, u_char *last, ngx_str_t *string)
{
    if (string->len > 0xffffffff) {
        return NULL;
    }

    if (string->len > 0xffff) {
        p = ngx_osp_rtmp_amf_put_marker(p, last,
                                        NGX_OSP_RTMP_AMF_LONG_STRING);
        p = ngx_osp_rtmp_amf_put_size(p, last, (uint32_t) string->len, 4);

    } else {
        p = ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_STRING);
        p = ngx_osp_rtmp_amf_put_size(p, last, (uint32_t) string->len, 2);
    }

    return ngx_osp_rtmp_amf_put_raw(p, last, string);
}


u_char *
ngx_osp_rtmp_amf_put_null(u_char *p, u_char *last)
{
    return ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_NULL);
}


u_char *
ngx_osp_rtmp_amf_put_undefined(u_char *p, u_char *last)
{
    return ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_UNDEFINED);
}


u_char *
ngx_osp_rtmp_amf_put_object(u_char *p, u_char *last)
{
    return ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_OBJECT);
}


u_char *
ngx_osp_rtmp_amf_put_ecma_array(u_char *p, u_char *last, uint32_t count)
{
    p = ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_ECMA_ARRAY);

    return ngx_osp_rtmp_amf_put_size(p, last, count, 4);
}


u_char *
ngx_osp_rtmp_amf_put_strict_array(u_char *p, u_char *last, uint32_t count)
{
    p = ngx_osp_rtmp_amf_put_marker(p, last, NGX_OSP_RTMP_AMF_STRICT_ARRAY);

    return ngx_osp_rtmp_amf_put_size(p, last, count, 4);
}


u_char *
ngx_osp_rtmp_amf_put_name(u_char *p, u_char *last, ngx_str_t *name)
{
    if (name->len > 0xffff) {
        return NULL;
    }

    p = ngx_osp_rtmp_amf_put_size(p, last, (uint32_t) name->len, 2);

    return ngx_osp_rtmp_amf_put_raw(p, last, name);
}


u_char *
ngx_osp_rtmp_amf_put_end(u_char *p, u_char *last)
{
    return ngx_osp_rtmp_amf_put_size(p, last, NGX_OSP_RTMP_AMF_OBJECT_END, 3);
}


u_char *
ngx_osp_rtmp_amf_put_raw(u_char *p, u_char *last, ngx_str_t *raw)
{
    if (p == NULL || (size_t) (last - p) < raw->len) {
        return NULL;
    }

    if (raw->len == 0) {
        return p;
    }

    return ngx_cpymem(p, raw->data, raw->len);
}


static u_char *
ngx_osp_rtmp_amf_put_marker(u_char *p, u_char *last, ngx_uint_t type)
{
    return ngx_osp_rtmp_amf_put_size(p, last, (uint32_t) type, 1);
}


static u_char *
ngx_osp_rtmp_amf_put_size(u_char *p, u_char *last, uint32_t number,
    size_t size)
{
    if (p == NULL || (size_t) (last - p) < size) {
        return NULL;
    }

    while (size--) {
        *p++ = (u_char) (number >> (8 * size));
    }

    return p;
}
