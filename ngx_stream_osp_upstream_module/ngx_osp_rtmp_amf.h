
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * AMF0, as in "Action Message Format -- AMF 0", 2007.  Pure: allocates
 * nothing, results point into the input, no recursion.
 */


#ifndef _NGX_OSP_RTMP_AMF_H_INCLUDED_
#define _NGX_OSP_RTMP_AMF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* markers, 2.1 */

#define NGX_OSP_RTMP_AMF_NUMBER        0x00
#define NGX_OSP_RTMP_AMF_BOOLEAN       0x01
#define NGX_OSP_RTMP_AMF_STRING        0x02
#define NGX_OSP_RTMP_AMF_OBJECT        0x03
#define NGX_OSP_RTMP_AMF_NULL          0x05
#define NGX_OSP_RTMP_AMF_UNDEFINED     0x06
#define NGX_OSP_RTMP_AMF_REFERENCE     0x07
#define NGX_OSP_RTMP_AMF_ECMA_ARRAY    0x08
#define NGX_OSP_RTMP_AMF_OBJECT_END    0x09
#define NGX_OSP_RTMP_AMF_STRICT_ARRAY  0x0a
#define NGX_OSP_RTMP_AMF_DATE          0x0b
#define NGX_OSP_RTMP_AMF_LONG_STRING   0x0c
#define NGX_OSP_RTMP_AMF_UNSUPPORTED   0x0d
#define NGX_OSP_RTMP_AMF_XML           0x0f
#define NGX_OSP_RTMP_AMF_TYPED_OBJECT  0x10
#define NGX_OSP_RTMP_AMF_AMF3          0x11

#define NGX_OSP_RTMP_AMF_DEPTH         16      /* nested containers */
#define NGX_OSP_RTMP_AMF_ITEMS         4096    /* values in one message */


/* an iterator over a sequence of values or of properties */

typedef struct {
    u_char                 *pos;
    u_char                 *last;
    const char             *error;       /* of the call that returned ERROR */
} ngx_osp_rtmp_amf_t;


typedef struct {
    ngx_uint_t              type;        /* marker; LONG_STRING is STRING */
    double                  number;      /* number, boolean (0, 1), date */
    ngx_str_t               string;      /* string, xml */
    ngx_str_t               body;        /* what is inside a container */
    ngx_str_t               raw;         /* the whole value, marker included */
} ngx_osp_rtmp_amf_value_t;


void ngx_osp_rtmp_amf_init(ngx_osp_rtmp_amf_t *amf, u_char *pos,
    u_char *last);

/*
 * Reads one value; of a container the whole of it, checked to the bottom.
 * NGX_OK; NGX_DONE (no more bytes); NGX_ERROR (cut, nested too deep, too many
 * values, a reference, a reserved marker, or AMF3 that is not a simple value;
 * amf->error tells, pos has not moved).  Simple values of AMF3 (marker 0x11)
 * are given as their AMF0 equals.
 */
ngx_int_t ngx_osp_rtmp_amf_read(ngx_osp_rtmp_amf_t *amf,
    ngx_osp_rtmp_amf_value_t *value);

/*
 * Goes into a container that was read: an object, typed object or ECMA array
 * (then use amf_property()), or a strict array (then use amf_read()).
 * NGX_DECLINED if the value is none.
 */
ngx_int_t ngx_osp_rtmp_amf_enter(ngx_osp_rtmp_amf_value_t *container,
    ngx_osp_rtmp_amf_t *amf);

/* reads a property; returns as amf_read() */
ngx_int_t ngx_osp_rtmp_amf_property(ngx_osp_rtmp_amf_t *amf, ngx_str_t *name,
    ngx_osp_rtmp_amf_value_t *value);

/*
 * Finds a property of an object, the last one if the name is repeated.
 * NGX_OK or NGX_DECLINED (not there, or the value is no object).
 */
ngx_int_t ngx_osp_rtmp_amf_find(ngx_osp_rtmp_amf_value_t *object,
    const char *name, size_t len, ngx_osp_rtmp_amf_value_t *value);

/* reads a value of that type: NGX_OK, NGX_DONE, NGX_DECLINED, NGX_ERROR */

ngx_int_t ngx_osp_rtmp_amf_read_number(ngx_osp_rtmp_amf_t *amf,
    double *number);
ngx_int_t ngx_osp_rtmp_amf_read_string(ngx_osp_rtmp_amf_t *amf,
    ngx_str_t *string);


/*
 * Writers: each returns the new position, or NULL if there is no room or p is
 * NULL already, so that only the last result need be tested.
 */

u_char *ngx_osp_rtmp_amf_put_number(u_char *p, u_char *last, double number);
u_char *ngx_osp_rtmp_amf_put_boolean(u_char *p, u_char *last,
    ngx_uint_t value);
u_char *ngx_osp_rtmp_amf_put_string(u_char *p, u_char *last,
    ngx_str_t *string);
u_char *ngx_osp_rtmp_amf_put_null(u_char *p, u_char *last);
u_char *ngx_osp_rtmp_amf_put_undefined(u_char *p, u_char *last);
u_char *ngx_osp_rtmp_amf_put_object(u_char *p, u_char *last);
u_char *ngx_osp_rtmp_amf_put_ecma_array(u_char *p, u_char *last,
    uint32_t count);
u_char *ngx_osp_rtmp_amf_put_strict_array(u_char *p, u_char *last,
    uint32_t count);

/* the name of a property, its value follows; the end of object, ECMA array */
u_char *ngx_osp_rtmp_amf_put_name(u_char *p, u_char *last, ngx_str_t *name);
u_char *ngx_osp_rtmp_amf_put_end(u_char *p, u_char *last);

/* a value as it was read */
u_char *ngx_osp_rtmp_amf_put_raw(u_char *p, u_char *last, ngx_str_t *raw);


#endif /* _NGX_OSP_RTMP_AMF_H_INCLUDED_ */
