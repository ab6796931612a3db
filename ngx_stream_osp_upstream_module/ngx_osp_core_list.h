
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Reads {"results":[...]} or {"results":{...}} as it comes, in pieces of any
 * size, and never holds more than one element.  Pure.
 */


#ifndef _NGX_OSP_CORE_LIST_H_INCLUDED_
#define _NGX_OSP_CORE_LIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


/* bytes: the message of a site may be 8192 characters of "\ud83d\ude00" */

#define NGX_OSP_CORE_LIST_ELEMENT  131072
#define NGX_OSP_CORE_LIST_DEPTH    32


/*
 * An element of the list, or the one object; any value is possible.  NGX_OK:
 * taken; NGX_DECLINED: it is counted as a bad one; NGX_ERROR ends the reading.
 */
typedef ngx_int_t (*ngx_osp_core_list_pt)(void *data, json_t *element);


typedef struct {
    ngx_osp_core_list_pt     handler;
    void                    *data;

    ngx_uint_t               good;        /* elements taken */
    ngx_uint_t               bad;         /* refused, no JSON, too large */
    const char              *error;       /* after NGX_ERROR */

    ngx_uint_t               state;
    ngx_uint_t               depth;       /* of the value that is read */
    uint32_t                 objects;     /* a bit for each level */
    size_t                   len;         /* of buf */
    unsigned                 list:1;      /* results is one */
    unsigned                 found:1;
    unsigned                 keep:1;      /* the value is an element */
    unsigned                 large:1;     /* ... but for its size */
    unsigned                 string:1;
    unsigned                 escape:1;
    unsigned                 word:1;      /* a number, true, false or null */
    u_char                   buf[NGX_OSP_CORE_LIST_ELEMENT];
} ngx_osp_core_list_t;


void ngx_osp_core_list_init(ngx_osp_core_list_t *list,
    ngx_osp_core_list_pt handler, void *data);

/* NGX_OK; or NGX_ERROR and list->error, then no more may be read */
ngx_int_t ngx_osp_core_list_read(ngx_osp_core_list_t *list, u_char *p,
    u_char *last);

/* all has been read: NGX_OK; or NGX_ERROR: it is not complete */
ngx_int_t ngx_osp_core_list_end(ngx_osp_core_list_t *list);


#endif /* _NGX_OSP_CORE_LIST_H_INCLUDED_ */
