
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_state.h"


static ngx_int_t ngx_rtmp_route_state_value(
    ngx_rtmp_route_state_reader_t *reader, u_char ch);
static ngx_int_t ngx_rtmp_route_state_more(
    ngx_rtmp_route_state_reader_t *reader, u_char ch);
static void ngx_rtmp_route_state_keep(ngx_rtmp_route_state_reader_t *reader,
    u_char ch);
static void ngx_rtmp_route_state_deliver(
    ngx_rtmp_route_state_reader_t *reader);


enum {
    sw_start = 0,
    sw_name_or_end,
    sw_name_start,
    sw_name,
    sw_colon,
    sw_value,
    sw_in_value,
    sw_after_value,
    sw_element_or_end,
    sw_element,
    sw_in_element,
    sw_after_element,
    sw_end
};


void
ngx_rtmp_route_state_reader_init(ngx_rtmp_route_state_reader_t *reader,
    u_char *text)
{
    reader->invalid = 0;
    reader->state = sw_start;
    reader->list = NGX_RTMP_ROUTE_STATE_NONE;
    reader->depth = 0;
    reader->text = text;
    reader->name.data = reader->name_buf;
    reader->name.len = 0;
}


ngx_int_t
ngx_rtmp_route_state_feed(ngx_rtmp_route_state_reader_t *reader, u_char *p,
    size_t n)
{
    u_char      ch, *last;
    ngx_int_t   rc;

    for (last = p + n; p < last; p++) {

        ch = *p;

        switch (reader->state) {

        case sw_in_value:
        case sw_in_element:

            rc = ngx_rtmp_route_state_more(reader, ch);

            if (rc == NGX_AGAIN) {
                continue;
            }

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            reader->state = (reader->state == sw_in_value) ? sw_after_value
                                                           : sw_after_element;

            if (rc == NGX_DECLINED) {

                /* the character is behind the value */

                p--;
            }

            continue;

        case sw_name:

            if (reader->escaped) {
                reader->escaped = 0;

            } else if (ch == '\\') {
                reader->escaped = 1;

            } else if (ch == '"') {
                reader->state = sw_colon;
                continue;
            }

            /* one that is longer is none of those known */

            if (reader->name.len < NGX_RTMP_ROUTE_STATE_NAME) {
                reader->name.data[reader->name.len++] = ch;
            }

            continue;
        }

        if (ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t') {
            continue;
        }

        switch (reader->state) {

        case sw_start:

            if (ch != '{') {
                return NGX_ERROR;
            }

            reader->state = sw_name_or_end;
            break;

        case sw_name_or_end:

            if (ch == '}') {
                reader->state = sw_end;
                break;
            }

            /* fall through */

        case sw_name_start:

            if (ch != '"') {
                return NGX_ERROR;
            }

            reader->name.len = 0;
            reader->escaped = 0;
            reader->state = sw_name;
            break;

        case sw_colon:

            if (ch != ':') {
                return NGX_ERROR;
            }

            reader->state = sw_value;
            break;

        case sw_value:

            reader->list = (ch == '[') ? reader->array(reader->data,
                                                       &reader->name)
                                       : NGX_RTMP_ROUTE_STATE_NONE;

            if (reader->list) {
                reader->state = sw_element_or_end;
                break;
            }

            reader->keep = (ch != '[' && ch != '{');
            reader->state = sw_in_value;

            if (ngx_rtmp_route_state_value(reader, ch) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case sw_element_or_end:

            if (ch == ']') {
                reader->record(reader->data, reader->list, NULL);
                reader->state = sw_after_value;
                break;
            }

            /* fall through */

        case sw_element:

            reader->keep = 1;
            reader->state = sw_in_element;

            if (ngx_rtmp_route_state_value(reader, ch) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case sw_after_element:

            if (ch == ',') {
                reader->state = sw_element;
                break;
            }

            if (ch == ']') {
                reader->record(reader->data, reader->list, NULL);
                reader->state = sw_after_value;
                break;
            }

            return NGX_ERROR;

        case sw_after_value:

            if (ch == ',') {
                reader->state = sw_name_start;
                break;
            }

            if (ch == '}') {
                reader->state = sw_end;
                break;
            }

            return NGX_ERROR;

        default: /* sw_end */

            return NGX_ERROR;
        }
    }

    return (reader->state == sw_end) ? NGX_DONE : NGX_AGAIN;
}


/* a value begins with this character */

static ngx_int_t
ngx_rtmp_route_state_value(ngx_rtmp_route_state_reader_t *reader, u_char ch)
{
    reader->len = 0;
    reader->failed = 0;
    reader->quoted = 0;
    reader->escaped = 0;
    reader->literal = 0;
    reader->depth = 0;

    /* what is parsed has to be an array or an object */

    ngx_rtmp_route_state_keep(reader, '[');

    switch (ch) {

    case '{':
    case '[':
    case '"':
        break;

    case '}':
    case ']':
    case ',':
    case ':':
        return NGX_ERROR;

    default:
        reader->literal = 1;
        break;
    }

    /* one character is never all of a value, but for a digit */

    return (ngx_rtmp_route_state_more(reader, ch) == NGX_AGAIN) ? NGX_OK
                                                                : NGX_ERROR;
}


/*
 * NGX_AGAIN; NGX_OK: the character was the last one of the value;
 * NGX_DECLINED: it is behind it
 */

static ngx_int_t
ngx_rtmp_route_state_more(ngx_rtmp_route_state_reader_t *reader, u_char ch)
{
    if (reader->literal) {

        if (ch == ',' || ch == '}' || ch == ']' || ch == ' ' || ch == '\n'
            || ch == '\r' || ch == '\t')
        {
            ngx_rtmp_route_state_deliver(reader);
            return NGX_DECLINED;
        }

        if (ch == '"' || ch == '{' || ch == '[' || ch == ':') {
            return NGX_ERROR;
        }

        ngx_rtmp_route_state_keep(reader, ch);

        return NGX_AGAIN;
    }

    ngx_rtmp_route_state_keep(reader, ch);

    if (reader->quoted) {

        if (reader->escaped) {
            reader->escaped = 0;

        } else if (ch == '\\') {
            reader->escaped = 1;

        } else if (ch == '"') {
            reader->quoted = 0;

            if (reader->depth == 0) {
                ngx_rtmp_route_state_deliver(reader);
                return NGX_OK;
            }
        }

        return NGX_AGAIN;
    }

    switch (ch) {

    case '"':
        reader->quoted = 1;
        break;

    case '{':
    case '[':

        if (reader->depth == NGX_RTMP_ROUTE_JSON_DEPTH) {
            return NGX_ERROR;
        }

        reader->open[reader->depth++] = ch;
        break;

    case '}':
    case ']':

        /* never at depth 0 */

        if (reader->open[--reader->depth] != (ch == '}' ? '{' : '[')) {
            return NGX_ERROR;
        }

        if (reader->depth == 0) {
            ngx_rtmp_route_state_deliver(reader);
            return NGX_OK;
        }

        break;
    }

    return NGX_AGAIN;
}


static void
ngx_rtmp_route_state_keep(ngx_rtmp_route_state_reader_t *reader, u_char ch)
{
    if (!reader->keep) {
        return;
    }

    /* with room for the bracket that will close it */

    if (reader->len == NGX_RTMP_ROUTE_STATE_RECORD - 1) {
        reader->failed = 1;
        return;
    }

    reader->text[reader->len++] = ch;
}


static void
ngx_rtmp_route_state_deliver(ngx_rtmp_route_state_reader_t *reader)
{
    json_t                  *json;
    ngx_str_t                text;
    ngx_rtmp_route_error_t   err;

    if (!reader->keep) {
        return;
    }

    if (reader->failed) {
        reader->invalid++;
        return;
    }

    reader->text[reader->len++] = ']';

    text.len = reader->len;
    text.data = reader->text;

    json = ngx_rtmp_route_json_parse(&text, &err);

    if (json == NULL || json_array_size(json) != 1) {
        reader->invalid++;

    } else if (reader->list) {
        reader->record(reader->data, reader->list, json_array_get(json, 0));

    } else {
        reader->value(reader->data, &reader->name, json_array_get(json, 0));
    }

    json_decref(json);
}
