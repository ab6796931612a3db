
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What of a table outlives a restart, as records that go into the state file
 * and come out of it.  Times are spans, so that the table knows nothing of
 * the calendar.
 */


#ifndef _NGX_RTMP_ROUTE_SAVED_H_INCLUDED_
#define _NGX_RTMP_ROUTE_SAVED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table.h"


/*
 * How a record is taken: into a table that was just made; or into one that is
 * in use, from the process that has the say (changes of operators count), or
 * from another one (registrations and live streams count).
 */

#define NGX_RTMP_ROUTE_LOAD_FRESH     0
#define NGX_RTMP_ROUTE_LOAD_OWNER     1
#define NGX_RTMP_ROUTE_LOAD_PEER      2


typedef struct {
    ngx_rtmp_route_server_info_t     info;
    ngx_rtmp_route_server_params_t   params;
    ngx_rtmp_route_server_params_t   given;     /* without changes since */
    ngx_msec_t                       idle;      /* ms since it was seen */
} ngx_rtmp_route_saved_server_t;


/* empty ids: no such server */

typedef struct {
    ngx_str_t                        key;       /* points to key_buf */
    ngx_str_t                        server;    /* ids, point to id_buf */
    ngx_str_t                        pin;
    ngx_str_t                        list;
    ngx_uint_t                       from;      /* why it is on server */
    ngx_msec_t                       idle;      /* ms since it was used */
    ngx_msec_t                       age;       /* ms */
    ngx_msec_t                       ttl;       /* ms, if checked */
    unsigned                         lived:1;   /* was published once */
    unsigned                         live:1;    /* has sessions */
    unsigned                         checked:1; /* an answer for a time */
    u_char                           id_buf[3][NGX_RTMP_ROUTE_ID_LEN];
    u_char                           key_buf[NGX_RTMP_ROUTE_KEY_LEN];
} ngx_rtmp_route_saved_stream_t;


/* all numbers that tell whether there is anything new to be saved */

typedef struct {
    uint64_t                         changes;
    uint64_t                         beats;     /* of registrations */
} ngx_rtmp_route_saved_mark_t;


/* no lock: changes from now on make it another one */
void ngx_rtmp_route_saved_mark(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_mark_t *mark);

/* what was saved last, in whatever process */
void ngx_rtmp_route_saved_last(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_mark_t *mark);
void ngx_rtmp_route_saved_set(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_mark_t *mark);

/* when the zone was made, ms since the epoch */
uint64_t ngx_rtmp_route_saved_born(ngx_rtmp_route_table_t *table);

/*
 * Three numbers that stand for a file: 1 if they are not those of the last
 * call in whatever process, which is answered to one process only.
 */
ngx_uint_t ngx_rtmp_route_saved_file(ngx_rtmp_route_table_t *table,
    uint64_t *file);

/* 1 to one process, if the last time was at least so many ms ago */
ngx_uint_t ngx_rtmp_route_saved_turn(ngx_rtmp_route_table_t *table,
    ngx_msec_t interval);


/*
 * Walks, as those in ngx_rtmp_route_table.h; NGX_AGAIN: a bounded step was
 * made and has found nothing.
 */
ngx_int_t ngx_rtmp_route_saved_server(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_saved_server_t *saved);
ngx_int_t ngx_rtmp_route_saved_stream(ngx_rtmp_route_table_t *table,
    uint32_t *cursor, ngx_rtmp_route_saved_stream_t *saved);

/* as ngx_rtmp_route_rules(); last is the highest id that was given */
ngx_uint_t ngx_rtmp_route_saved_rules(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rules, uint32_t *last);


/*
 * NGX_OK: taken; NGX_DONE: nothing new; NGX_DECLINED: it does not fit to what
 * is there; NGX_BUSY: no room, or no more than is kept free for others.
 */
ngx_int_t ngx_rtmp_route_load_server(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_server_t *saved, ngx_uint_t how, ngx_uint_t keep);
ngx_int_t ngx_rtmp_route_load_stream(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_saved_stream_t *saved, ngx_uint_t how);

/* all of them or, NGX_BUSY, none */
ngx_int_t ngx_rtmp_route_load_rules(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_rule_t *rules, ngx_uint_t n, uint32_t last);

/*
 * These bans and no others, with their ids, none of which is over; returns for
 * how many there is no room
 */
ngx_uint_t ngx_rtmp_route_load_bans(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_ban_t **bans, ngx_uint_t n, uint32_t last);

/* takes the pin of a stream away */
void ngx_rtmp_route_load_unpin(ngx_rtmp_route_table_t *table,
    ngx_str_t *key);


#endif /* _NGX_RTMP_ROUTE_SAVED_H_INCLUDED_ */
