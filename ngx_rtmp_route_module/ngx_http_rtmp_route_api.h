
/*
 * Copyright (C) The nginx-osp authors
 */


/* The HTTP API of the routes; between its own files only. */


#ifndef _NGX_HTTP_RTMP_ROUTE_API_H_INCLUDED_
#define _NGX_HTTP_RTMP_ROUTE_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_rtmp_route_api_section.h"
#include "ngx_http_rtmp_route_status.h"
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_json.h"
#include "ngx_rtmp_route_metrics.h"
#include "ngx_rtmp_route_version.h"


#define NGX_HTTP_RTMP_ROUTE_API_HREF                                          \
    "ngx_rtmp_route_module/README.md#errors"

/* of a body, but for that of a registration */
#define NGX_HTTP_RTMP_ROUTE_API_WRITE_BODY  65536

/* what it costs to look in vain for a record, in bytes of an answer */
#define NGX_HTTP_RTMP_ROUTE_API_VAIN  16384

/* bytes of answers in steps that are made in one turn of the event loop */
#define NGX_HTTP_RTMP_ROUTE_API_STEP  65536

/* "/1/" and "/v1/" mean the same */
#define NGX_HTTP_RTMP_ROUTE_API_REGISTER  "1/srs/register"

/* what a URI names, a bit each */

#define NGX_HTTP_RTMP_ROUTE_API_NONE      0x0000
#define NGX_HTTP_RTMP_ROUTE_API_VERSIONS  0x0001
#define NGX_HTTP_RTMP_ROUTE_API_SRS       0x0002
#define NGX_HTTP_RTMP_ROUTE_API_INDEX     0x0004
#define NGX_HTTP_RTMP_ROUTE_API_ROOT      0x0008
#define NGX_HTTP_RTMP_ROUTE_API_ROUTES    0x0010
#define NGX_HTTP_RTMP_ROUTE_API_ROUTE     0x0020
#define NGX_HTTP_RTMP_ROUTE_API_SERVERS   0x0040
#define NGX_HTTP_RTMP_ROUTE_API_SERVER    0x0080
#define NGX_HTTP_RTMP_ROUTE_API_STREAMS   0x0100
#define NGX_HTTP_RTMP_ROUTE_API_STREAM    0x0200
#define NGX_HTTP_RTMP_ROUTE_API_SESSIONS  0x0400
#define NGX_HTTP_RTMP_ROUTE_API_SESSION   0x0800
#define NGX_HTTP_RTMP_ROUTE_API_SECTION   0x1000
#define NGX_HTTP_RTMP_ROUTE_API_ACCESS    0x2000
#define NGX_HTTP_RTMP_ROUTE_API_RULE      0x4000
#define NGX_HTTP_RTMP_ROUTE_API_REFRESH   0x8000
#define NGX_HTTP_RTMP_ROUTE_API_CHECK     0x10000
#define NGX_HTTP_RTMP_ROUTE_API_PROXY     0x20000
#define NGX_HTTP_RTMP_ROUTE_API_BANS      0x100000
#define NGX_HTTP_RTMP_ROUTE_API_BAN       0x200000
#define NGX_HTTP_RTMP_ROUTE_API_LOOKUP    0x400000


typedef struct {
    ngx_uint_t                     used;       /* in any location */
    ngx_int_t                      request_id; /* index of the variable */
    ngx_uint_t                     nsections;
    ngx_http_rtmp_route_api_section_t
                    *sections[NGX_HTTP_RTMP_ROUTE_API_MAX_SECTIONS];
    ngx_uint_t                     nviewers;
    ngx_http_rtmp_route_api_viewers_pt
                     viewers[NGX_HTTP_RTMP_ROUTE_API_MAX_SECTIONS];
    ngx_uint_t                     nparts;     /* of the status page */
    ngx_http_rtmp_route_status_part_t
                      *parts[NGX_HTTP_RTMP_ROUTE_STATUS_MAX_PARTS];
} ngx_http_rtmp_route_api_main_conf_t;


typedef struct {
    ngx_uint_t                     used;       /* in a location of it */
} ngx_http_rtmp_route_api_srv_conf_t;


typedef struct {
    ngx_uint_t                     enabled;
    ngx_flag_t                     write;
    ngx_flag_t                     names;
} ngx_http_rtmp_route_api_loc_conf_t;


typedef struct ngx_http_rtmp_route_api_ctx_s  ngx_http_rtmp_route_api_ctx_t;

typedef ngx_int_t (*ngx_http_rtmp_route_api_pt)(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);

/*
 * Writes a part of an answer into ctx->json, and adds the bytes that other
 * work is worth to made, until that has reached NGX_HTTP_RTMP_ROUTE_API_STEP.
 * NGX_AGAIN: there is more to do; NGX_DONE: this was the end, of which a part
 * was written; otherwise the request was answered in another way.
 */
typedef ngx_int_t (*ngx_http_rtmp_route_api_step_pt)(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, size_t *made);


/* something of the request that was overwritten */

typedef struct {
    u_char                        *pos;
    ngx_str_t                      text;
} ngx_http_rtmp_route_api_masked_t;


/* which sessions are wanted */

typedef struct {
    ngx_uint_t                     type;      /* NGX_CONF_UNSET_UINT: any */
    ngx_uint_t                     state;     /* the same */
    ngx_str_t                      stream;    /* empty, as the next: any */
    ngx_str_t                      server;
    ngx_str_t                      agent;     /* a part of it */
    ngx_rtmp_route_rule_t          client;
    unsigned                       prefix:1;  /* stream is the begin of it */
    unsigned                       from:1;    /* client is set */
} ngx_http_rtmp_route_api_filter_t;


struct ngx_http_rtmp_route_api_ctx_s {
    ngx_http_request_t            *request;
    ngx_str_t                      token;
    ngx_array_t                   *masked;

    ngx_uint_t                     resource;
    ngx_rtmp_route_t              *route;
    ngx_str_t                      item;      /* id or key: rest of the URI */
    ngx_http_rtmp_route_api_section_t
                                  *section;   /* of another module */

    size_t                         limit;     /* of the body */
    ngx_str_t                      body;
    size_t                         size;      /* of body.data */
    ngx_http_rtmp_route_api_pt     body_handler;
    uint64_t                       digest;    /* of the registrar's token */

    ngx_rtmp_route_json_t          json;
    uint64_t                       fields;    /* those wanted */
    uint64_t                       instance;  /* of what cursors are about */
    uint32_t                       cursor;
    uint32_t                       next;      /* behind the page */
    ngx_uint_t                     entries;   /* so far */
    ngx_uint_t                     max;       /* entries of a page, 0: all */
    ngx_http_rtmp_route_api_filter_t
                                  *filter;    /* of sessions; NULL: none */
    void                          *data;      /* of a handler */
    ngx_str_t                     *type;      /* of the answer; NULL: JSON */
    ngx_uint_t                     hide;      /* names of streams, see entry */

    ngx_queue_t                    queue;     /* of those who wait for a turn */
    ngx_http_rtmp_route_api_step_pt
                                   step;

    unsigned                       secured:1;   /* token was looked for */
    unsigned                       path_args:1; /* arguments are in the path */
    unsigned                       single:1;    /* one entry is looked for */
    unsigned                       peek:1;      /* is there one more? */
    unsigned                       more:1;      /* after this page */
    unsigned                       whole:1;     /* nothing is sent before */
    unsigned                       queued:1;    /* waits for a turn */
    unsigned                       started:1;   /* the header was sent */
};


/* ngx_http_rtmp_route_api_module.c */

/* 405 with those methods that may be used */
ngx_int_t ngx_http_rtmp_route_api_allow(ngx_http_request_t *r,
    ngx_uint_t methods, ngx_uint_t disabled);


/* ngx_http_rtmp_route_api_answer.c: what is not in ..._section.h */

/* what a handler has returned; nginx's own page for a 500 is no JSON */
ngx_int_t ngx_http_rtmp_route_api_end(ngx_http_request_t *r, ngx_int_t rc);

/* Location: what was made within the collection that the URI names */
ngx_int_t ngx_http_rtmp_route_api_location(ngx_http_request_t *r,
    ngx_str_t *id);

/* the key of the stream that a text names; NGX_DECLINED: it names none */
ngx_int_t ngx_http_rtmp_route_api_key(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_str_t *text, ngx_str_t *key);


/* ngx_http_rtmp_route_api_token.c: keeps tokens out of the logs */

ngx_int_t ngx_http_rtmp_route_api_token_init(ngx_conf_t *cf);

/* the context of a request, made if need be; NULL: no memory */
ngx_http_rtmp_route_api_ctx_t *ngx_http_rtmp_route_api_ctx(
    ngx_http_request_t *r);


/*
 * ngx_http_rtmp_route_api_body.c: reads up to ctx->limit bytes of what may be
 * JSON
 */

ngx_int_t ngx_http_rtmp_route_api_body(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);


/* ngx_http_rtmp_route_api_turn.c */

/*
 * Makes an answer of 200 in steps, some of them later and while the client
 * reads it; returns what a content handler returns.  ctx->json is set up by
 * the caller.  With ctx->whole it is sent when all of it was made.
 */
ngx_int_t ngx_http_rtmp_route_api_steps(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_http_rtmp_route_api_step_pt step);


/* ngx_http_rtmp_route_api_section.c: what other modules have added */

ngx_http_rtmp_route_api_section_t *ngx_http_rtmp_route_api_section_find(
    ngx_http_rtmp_route_api_main_conf_t *amcf, ngx_str_t *name);
ngx_int_t ngx_http_rtmp_route_api_section(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_uint_t ngx_http_rtmp_route_api_viewers(ngx_http_request_t *r,
    ngx_rtmp_route_t *route, ngx_str_t *key);


/* ngx_http_rtmp_route_api_get.c and _list.c */

ngx_int_t ngx_http_rtmp_route_api_get_versions(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_index(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_root(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_routes(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_server(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_stream(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_list(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);

ngx_int_t ngx_http_rtmp_route_api_get_check(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);

/* with another status than 200, after something was changed */
ngx_int_t ngx_http_rtmp_route_api_send_server(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t status);
ngx_int_t ngx_http_rtmp_route_api_send_stream(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx, ngx_uint_t status);

/* ?fields= into ctx->fields; NGX_DECLINED: go on, otherwise it was answered */
ngx_int_t ngx_http_rtmp_route_api_fields(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx,
    ngx_http_rtmp_route_api_field_t *fields);


/* ngx_http_rtmp_route_api_entry.c: one entry of a list, as JSON */

extern ngx_http_rtmp_route_api_field_t
    ngx_http_rtmp_route_api_server_fields[];
extern ngx_http_rtmp_route_api_field_t
    ngx_http_rtmp_route_api_stream_fields[];
extern ngx_http_rtmp_route_api_field_t
    ngx_http_rtmp_route_api_session_fields[];

void ngx_http_rtmp_route_api_server_name(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat);
void ngx_http_rtmp_route_api_server(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_server_stat_t *stat, uint64_t fields);
void ngx_http_rtmp_route_api_stream(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_stream_stat_t *stat, ngx_http_rtmp_route_api_ctx_t *ctx);
void ngx_http_rtmp_route_api_session_name(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_session_stat_t *stat);
void ngx_http_rtmp_route_api_stream_source(ngx_rtmp_route_json_t *json,
    ngx_uint_t source);
/* a time that many ms ago */
void ngx_http_rtmp_route_api_ago(ngx_rtmp_route_json_t *json, ngx_msec_t ago);

/* the number of a state of sessions, or NGX_ERROR */
ngx_int_t ngx_http_rtmp_route_api_session_state(ngx_str_t *word);

void ngx_http_rtmp_route_api_session(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_session_stat_t *stat, uint64_t fields, ngx_uint_t hide);


/* ngx_http_rtmp_route_api_filter.c: ?type= and others, for sessions */

/* NGX_DECLINED: they are fine; otherwise the request was answered */
ngx_int_t ngx_http_rtmp_route_api_filter(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_uint_t ngx_http_rtmp_route_api_filter_match(
    ngx_http_rtmp_route_api_filter_t *filter,
    ngx_rtmp_route_session_stat_t *stat);


/* ngx_http_rtmp_route_api_bans.c */

extern ngx_http_rtmp_route_api_field_t
    ngx_http_rtmp_route_api_ban_fields[];

void ngx_http_rtmp_route_api_ban(ngx_rtmp_route_json_t *json,
    ngx_rtmp_route_ban_t *ban, uint64_t fields, ngx_uint_t hide);
ngx_int_t ngx_http_rtmp_route_api_get_ban(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_ban_create(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_ban_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_bans_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_session_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);


/* ngx_http_rtmp_route_api_lookup.c */

ngx_int_t ngx_http_rtmp_route_api_get_lookup(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);


/* ngx_http_rtmp_route_api_write.c */

ngx_int_t ngx_http_rtmp_route_api_register_check(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_register(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_server_create(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_server_update(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_server_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_stream_pin(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_stream_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_refresh(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);


/* ngx_http_rtmp_route_api_proxy.c: all of this nginx, and its drain */

ngx_int_t ngx_http_rtmp_route_api_get_proxy(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_proxy_update(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);


/* ngx_http_rtmp_route_api_access.c: the access list */

ngx_int_t ngx_http_rtmp_route_api_get_access(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_get_rule(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_rule_create(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);
ngx_int_t ngx_http_rtmp_route_api_rule_delete(ngx_http_request_t *r,
    ngx_http_rtmp_route_api_ctx_t *ctx);


extern ngx_module_t  ngx_http_rtmp_route_api_module;


#endif /* _NGX_HTTP_RTMP_ROUTE_API_H_INCLUDED_ */
