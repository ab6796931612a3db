
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_osp_core_list.h"


static u_char *ngx_osp_core_list_key(ngx_osp_core_list_t *list, u_char *p,
    u_char *last);
static ngx_int_t ngx_osp_core_list_start(ngx_osp_core_list_t *list, u_char ch);
static u_char *ngx_osp_core_list_value(ngx_osp_core_list_t *list, u_char *p,
    u_char *last);
static ngx_int_t ngx_osp_core_list_scan(ngx_osp_core_list_t *list, u_char ch);
static ngx_int_t ngx_osp_core_list_element(ngx_osp_core_list_t *list);


typedef enum {
    list_start = 0,
    list_first_key,
    list_key,
    list_in_key,
    list_colon,
    list_value,
    list_first_element,
    list_element,
    list_in_value,
    list_next_element,
    list_next,
    list_done
} ngx_osp_core_list_state_e;


#define ngx_osp_core_list_space(ch)                                           \
    ((ch) == ' ' || (ch) == '\t' || (ch) == CR || (ch) == LF)


void
ngx_osp_core_list_init(ngx_osp_core_list_t *list,
    ngx_osp_core_list_pt handler, void *data)
{
    ngx_memzero(list, offsetof(ngx_osp_core_list_t, buf));

    list->handler = handler;
    list->data = data;
}


ngx_int_t
ngx_osp_core_list_read(ngx_osp_core_list_t *list, u_char *p, u_char *last)
{
    u_char  ch;

    if (list->error) {
        return NGX_ERROR;
    }

    while (p < last) {

        if (list->state == list_in_key) {
            p = ngx_osp_core_list_key(list, p, last);

            if (p == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        if (list->state == list_in_value) {
            p = ngx_osp_core_list_value(list, p, last);

            if (p == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        ch = *p++;

        if (ngx_osp_core_list_space(ch)) {
            continue;
        }

        switch (list->state) {

        case list_start:
            if (ch != '{') {
                list->error = "no object";
                return NGX_ERROR;
            }

            list->state = list_first_key;
            break;

        case list_first_key:
            if (ch == '}') {
                list->state = list_done;
                break;
            }

            /* fall through */

        case list_key:
            if (ch != '"') {
                goto invalid;
            }

            list->len = 0;
            list->state = list_in_key;
            break;

        case list_colon:
            if (ch != ':') {
                goto invalid;
            }

            list->state = list_value;
            break;

        case list_first_element:
            if (ch == ']') {
                list->state = list_next;
                break;
            }

            /* fall through */

        case list_value:
        case list_element:
            if (ngx_osp_core_list_start(list, ch) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case list_next_element:
            if (ch == ']') {
                list->state = list_next;
                break;
            }

            if (ch != ',') {
                goto invalid;
            }

            list->state = list_element;
            break;

        case list_next:
            if (ch == '}') {
                list->state = list_done;
                break;
            }

            if (ch != ',') {
                goto invalid;
            }

            list->list = 0;
            list->state = list_key;
            break;

        default: /* list_done */
            goto invalid;
        }
    }

    return NGX_OK;

invalid:

    list->error = "invalid JSON";

    return NGX_ERROR;
}


/* only as much of it is kept as tells it from "results" */

static u_char *
ngx_osp_core_list_key(ngx_osp_core_list_t *list, u_char *p, u_char *last)
{
    u_char  ch;

    while (p < last) {
        ch = *p++;

        if (ch < 0x20) {
            list->error = "invalid JSON";
            return NULL;
        }

        if (list->escape) {
            list->escape = 0;

        } else if (ch == '\\') {
            list->escape = 1;

        } else if (ch == '"') {

            list->keep = (list->len == sizeof("results") - 1
                          && ngx_memcmp(list->buf, "results",
                                        sizeof("results") - 1)
                             == 0);

            if (list->keep && list->found) {
                list->error = "results are there twice";
                return NULL;
            }

            list->state = list_colon;

            return p;
        }

        if (list->len < sizeof("results")) {
            list->buf[list->len++] = ch;
        }
    }

    return p;
}


/* a value begins with this character */

static ngx_int_t
ngx_osp_core_list_start(ngx_osp_core_list_t *list, u_char ch)
{
    if (list->keep && !list->list && ch == '[') {
        list->found = 1;
        list->list = 1;
        list->state = list_first_element;

        return NGX_OK;
    }

    if (list->keep && !list->list) {

        if (ch != '{') {
            list->error = "results are neither a list nor an object";
            return NGX_ERROR;
        }

        list->found = 1;
    }

    list->len = 0;
    list->depth = 0;
    list->objects = 0;
    list->large = 0;
    list->string = 0;
    list->escape = 0;
    list->word = 0;

    if (ch == '{' || ch == '[' || ch == '"') {
        /* void */

    } else if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
               || ch == '-')
    {
        list->word = 1;

    } else {
        list->error = "invalid JSON";
        return NGX_ERROR;
    }

    list->state = list_in_value;

    if (list->keep) {
        list->buf[list->len++] = ch;
    }

    return ngx_osp_core_list_scan(list, ch) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static u_char *
ngx_osp_core_list_value(ngx_osp_core_list_t *list, u_char *p, u_char *last)
{
    u_char      ch, *start;
    ngx_int_t   rc;

    start = p;
    rc = NGX_AGAIN;

    while (p < last) {
        ch = *p;

        if (list->word) {

            if (ch == ',' || ch == ']' || ch == '}'
                || ngx_osp_core_list_space(ch))
            {
                rc = NGX_OK;
                break;
            }

            if (ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '{'
                || ch == '[' || ch == ':')
            {
                list->error = "invalid JSON";
                return NULL;
            }

            p++;
            continue;
        }

        p++;
        rc = ngx_osp_core_list_scan(list, ch);

        if (rc == NGX_ERROR) {
            return NULL;
        }

        if (rc == NGX_OK) {
            break;
        }
    }

    if (list->keep && !list->large) {

        if ((size_t) (p - start) <= NGX_OSP_CORE_LIST_ELEMENT - list->len) {
            ngx_memcpy(list->buf + list->len, start, p - start);
            list->len += p - start;

        } else if (list->list) {
            list->large = 1;

        } else {
            list->error = "it is too large";
            return NULL;
        }
    }

    if (rc == NGX_AGAIN) {
        return p;
    }

    if (list->large) {
        list->bad++;

    } else if (list->keep && ngx_osp_core_list_element(list) != NGX_OK) {
        return NULL;
    }

    list->state = list->list ? list_next_element : list_next;

    return p;
}


/* NGX_OK: a list, object or string is complete */

static ngx_int_t
ngx_osp_core_list_scan(ngx_osp_core_list_t *list, u_char ch)
{
    ngx_uint_t  object;

    if (list->string) {

        if (ch < 0x20) {
            goto invalid;
        }

        if (list->escape) {
            list->escape = 0;

        } else if (ch == '\\') {
            list->escape = 1;

        } else if (ch == '"') {
            list->string = 0;
            return list->depth ? NGX_AGAIN : NGX_OK;
        }

        return NGX_AGAIN;
    }

    switch (ch) {

    case '"':
        list->string = 1;
        return NGX_AGAIN;

    case '{':
    case '[':
        if (list->depth == NGX_OSP_CORE_LIST_DEPTH) {
            list->error = "too deep";
            return NGX_ERROR;
        }

        list->objects = (list->objects << 1) | (ch == '{');
        list->depth++;
        return NGX_AGAIN;

    case '}':
    case ']':
        object = list->objects & 1;

        if (object != (ch == '}')) {
            goto invalid;
        }

        list->objects >>= 1;
        list->depth--;
        return list->depth ? NGX_AGAIN : NGX_OK;

    default:
        return NGX_AGAIN;
    }

invalid:

    list->error = "invalid JSON";

    return NGX_ERROR;
}


/*
 * What is wrong inside is the fault of this element alone: names that users
 * have chosen may hold anything
 */

static ngx_int_t
ngx_osp_core_list_element(ngx_osp_core_list_t *list)
{
    json_t        *element;
    ngx_int_t      rc;
    json_error_t   error;

    element = json_loadb((char *) list->buf, list->len,
                         JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    if (element == NULL) {
        list->bad++;
        return NGX_OK;
    }

    rc = list->handler(list->data, element);

    json_decref(element);

    if (rc == NGX_OK) {
        list->good++;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        list->bad++;
        return NGX_OK;
    }

    if (list->error == NULL) {
        list->error = "no memory";
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_osp_core_list_end(ngx_osp_core_list_t *list)
{
    if (list->error) {
        return NGX_ERROR;
    }

    if (list->state != list_done) {
        list->error = "JSON is cut";
        return NGX_ERROR;
    }

    if (!list->found) {
        list->error = "no results";
        return NGX_ERROR;
    }

    return NGX_OK;
}
