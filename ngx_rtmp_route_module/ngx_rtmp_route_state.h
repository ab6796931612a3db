
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The state file of a route: what outlives a restart, as JSON.
 *
 * A master that starts reads it.  The first worker writes it, in small steps,
 * to FILE.tmp, which is locked while that lasts and then renamed.  The head of
 * the file says whose it is: during a binary upgrade the newer one has the
 * say, and the older one reads what it writes, and tells it by FILE.old of
 * what comes to the old workers.
 */


#ifndef _NGX_RTMP_ROUTE_STATE_H_INCLUDED_
#define _NGX_RTMP_ROUTE_STATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_conf.h"
#include "ngx_rtmp_route_json.h"
#include "ngx_rtmp_route_saved.h"
#include "ngx_rtmp_route_text.h"


#define NGX_RTMP_ROUTE_STATE_FORMAT   "nginx-osp route"
#define NGX_RTMP_ROUTE_STATE_VERSION  1

#define NGX_RTMP_ROUTE_STATE_NAME     48       /* of a member */
#define NGX_RTMP_ROUTE_STATE_RECORD   32768    /* bytes of JSON */
#define NGX_RTMP_ROUTE_STATE_HEAD     1024     /* the first line */
#define NGX_RTMP_ROUTE_STATE_TIME     0x7fffffffffffULL   /* no later one */
#define NGX_RTMP_ROUTE_STATE_PIECE    65536    /* read or written at once */

/* arrays at the top whose elements are records */

#define NGX_RTMP_ROUTE_STATE_NONE     0
#define NGX_RTMP_ROUTE_STATE_ACCESS   1
#define NGX_RTMP_ROUTE_STATE_SERVERS  2
#define NGX_RTMP_ROUTE_STATE_STREAMS  3
#define NGX_RTMP_ROUTE_STATE_BANS     4


/*
 * A reader of {"name":value,"array":[record,...],...}, in pieces of any size.
 * It holds one record at a time; a record that is too long or no JSON is
 * counted and left out; what is not known is passed over.  Pure.
 */

typedef struct ngx_rtmp_route_state_reader_s  ngx_rtmp_route_state_reader_t;

struct ngx_rtmp_route_state_reader_s {
    void           *data;

    /* a value at the top, but no array or object */
    void          (*value)(void *data, ngx_str_t *name, json_t *value);

    /* NGX_RTMP_ROUTE_STATE_NONE, or the array is one of records */
    ngx_uint_t    (*array)(void *data, ngx_str_t *name);

    /* record is NULL at the end of the array */
    void          (*record)(void *data, ngx_uint_t array, json_t *record);

    ngx_uint_t      invalid;    /* records left out */

    ngx_uint_t      state;
    ngx_uint_t      list;       /* the array whose elements are read */
    ngx_uint_t      depth;
    u_char          open[NGX_RTMP_ROUTE_JSON_DEPTH];
    size_t          len;        /* of text */
    unsigned        quoted:1;
    unsigned        escaped:1;
    unsigned        keep:1;     /* the value is wanted */
    unsigned        literal:1;
    unsigned        failed:1;
    ngx_str_t       name;
    u_char          name_buf[NGX_RTMP_ROUTE_STATE_NAME];
    u_char         *text;       /* room for NGX_RTMP_ROUTE_STATE_RECORD */
};


/* who wrote a state file */

typedef struct {
    uint64_t        version;
    uint64_t        born;       /* of the zone, ms since the epoch */
    uint64_t        master;     /* pids, and when these processes started */
    uint64_t        master_start;
    uint64_t        worker;
    uint64_t        worker_start;
} ngx_rtmp_route_state_head_t;


/* takes records into a table */

typedef struct {
    ngx_rtmp_route_t                 *route;
    ngx_uint_t                        how;      /* NGX_RTMP_ROUTE_LOAD_* */
    ngx_uint_t                        keep;     /* servers to leave room for */
    ngx_rtmp_route_state_reader_t     reader;
    uint64_t                          now;      /* ms since the epoch */
    uint64_t                          version;
    uint64_t                          last_rule;
    uint64_t                          last_ban;
    uint32_t                          cursor;
    ngx_array_t                       rules;    /* ngx_rtmp_route_rule_t */
    ngx_array_t                       bans;     /* ngx_rtmp_route_ban_t * */
    ngx_array_t                       ids;      /* of servers of the API */
    ngx_array_t                       pins;     /* keys; both as uint64_t */

    ngx_uint_t                        servers;  /* taken */
    ngx_uint_t                        streams;
    ngx_uint_t                        invalid;  /* not in form */
    ngx_uint_t                        refused;  /* by the configuration */
    ngx_uint_t                        full;     /* no room for them */
    unsigned                          format:1; /* is ours */
    unsigned                          key:1;    /* names are made alike ... */
    unsigned                          secret:1; /* ... and kept alike */
    unsigned                          bad_rules:1;
    unsigned                          all_rules:1;
    unsigned                          all_servers:1;
    unsigned                          all_streams:1;
    unsigned                          swept:1;
} ngx_rtmp_route_state_load_t;


typedef struct ngx_rtmp_route_state_write_s  ngx_rtmp_route_state_write_t;

struct ngx_rtmp_route_state_s {
    ngx_rtmp_route_t                 *route;
    ngx_str_t                         name;     /* zero terminated, as all */
    ngx_str_t                         temp;     /* FILE.tmp */
    ngx_str_t                         old;      /* FILE.old */
    ngx_str_t                         old_temp;
    ngx_str_t                         bad;      /* FILE.bad */
    ngx_str_t                         dir;

    /* of this process */

    ngx_event_t                       tick;
    ngx_event_t                       step;
    ngx_connection_t                  dumb;
    ngx_pool_t                       *pool;     /* of what is under way */
    ngx_rtmp_route_state_write_t     *write;
    ngx_rtmp_route_state_load_t      *load;
    ngx_fd_t                          fd;       /* that is loaded */
    ngx_rtmp_route_state_head_t       head;     /* of the file as it is */
    uint64_t                          file[3];  /* the file it was read from */
    uint64_t                          over;     /* who had the say before */
    ngx_msec_t                        written;  /* the last time */
    ngx_uint_t                        ticks;
    unsigned                          failed:1;
    unsigned                          follows:1;
};


/* ngx_rtmp_route_state_read.c */

/* text is room for one record; callbacks are set by the caller */
void ngx_rtmp_route_state_reader_init(ngx_rtmp_route_state_reader_t *reader,
    u_char *text);

/* NGX_AGAIN: wants more; NGX_DONE: all was read; NGX_ERROR: not in form */
ngx_int_t ngx_rtmp_route_state_feed(ngx_rtmp_route_state_reader_t *reader,
    u_char *p, size_t n);


/* ngx_rtmp_route_state_load.c */

/* NGX_OK or NGX_ERROR; what it needs is allocated from the pool */
ngx_int_t ngx_rtmp_route_state_load_init(ngx_rtmp_route_state_load_t *load,
    ngx_rtmp_route_t *route, ngx_pool_t *pool, ngx_uint_t how);

/*
 * After all was fed: what an operator has deleted elsewhere goes here, too.
 * NGX_AGAIN: a bounded step was made, and there is more to be done.
 */
ngx_int_t ngx_rtmp_route_state_load_end(ngx_rtmp_route_state_load_t *load);


/* ngx_rtmp_route_state_fields.c; NGX_OK, or NGX_DECLINED: not in form */

ngx_int_t ngx_rtmp_route_state_info(json_t *record,
    ngx_rtmp_route_server_info_t *info);
ngx_int_t ngx_rtmp_route_state_params(json_t *record,
    ngx_rtmp_route_server_params_t *params);
ngx_int_t ngx_rtmp_route_state_key(json_t *record,
    ngx_rtmp_route_saved_stream_t *saved);

/* without a value the text is empty; the index of a word is its number */
ngx_int_t ngx_rtmp_route_state_text(json_t *value, u_char *data, size_t max,
    size_t *len);
ngx_int_t ngx_rtmp_route_state_word(json_t *value, ngx_str_t *words,
    ngx_uint_t *n);
ngx_int_t ngx_rtmp_route_state_number(json_t *value, uint64_t max,
    uint64_t *number);

extern ngx_str_t  ngx_rtmp_route_state_protocols[];
extern ngx_str_t  ngx_rtmp_route_state_sources[];
extern ngx_str_t  ngx_rtmp_route_state_proxy[];
extern ngx_str_t  ngx_rtmp_route_state_keys[];
extern ngx_str_t  ngx_rtmp_route_state_from[];
extern ngx_str_t  ngx_rtmp_route_state_ops[];


/* ngx_rtmp_route_state_write.c */

/*
 * Writes the table to FILE or, if old is set, to FILE.old: step is to be
 * called while it is NGX_AGAIN.  NGX_OK: written and renamed; NGX_BUSY:
 * another process is writing, or a newer one has come; NGX_ERROR: err and
 * failed are what could not be done.  NGX_DONE: as NGX_AGAIN, but ev is posted
 * when it is time; with ev NULL that is never so.  end may be called at any
 * time, unless step has returned NGX_DONE.
 */

struct ngx_rtmp_route_state_write_s {
    ngx_rtmp_route_state_t           *state;
    ngx_pool_t                       *pool;
    ngx_log_t                        *log;
    ngx_str_t                        *name;
    ngx_str_t                        *temp;
    ngx_fd_t                          fd;
    ngx_fd_t                          last;     /* the file before this one */
    ngx_rtmp_route_json_t             json;
    ngx_rtmp_route_saved_mark_t       mark;
    ngx_rtmp_route_saved_stream_t     stream;
    ngx_uint_t                        phase;
    uint32_t                          cursor;
    off_t                             offset;
    uint64_t                          now;
    ngx_err_t                         err;
    const char                       *failed;
    unsigned                          old:1;
};

ngx_rtmp_route_state_write_t *ngx_rtmp_route_state_write_start(
    ngx_rtmp_route_state_t *state, ngx_pool_t *pool, ngx_uint_t old);
ngx_int_t ngx_rtmp_route_state_write_step(ngx_rtmp_route_state_write_t *w,
    ngx_event_t *ev);
void ngx_rtmp_route_state_write_end(ngx_rtmp_route_state_write_t *w);


/* ngx_rtmp_route_state_file.c */

/* names of the files; NULL or an error message is logged and NGX_CONF_ERROR */
char *ngx_rtmp_route_state_names(ngx_conf_t *cf,
    ngx_rtmp_route_state_t *state, ngx_str_t *name);

/* makes the directory for the user of the workers; NGX_OK or NGX_ERROR */
ngx_int_t ngx_rtmp_route_state_make_dir(ngx_rtmp_route_state_t *state,
    ngx_log_t *log);

/* the user of the workers is to own what root has made: a file or, by name */
void ngx_rtmp_route_state_give(ngx_rtmp_route_state_t *state, ngx_fd_t fd,
    u_char *name);

/*
 * Opens and locks a file to be written; NGX_OK; NGX_BUSY: it is locked;
 * NGX_ERROR: see ngx_errno.
 */
ngx_int_t ngx_rtmp_route_state_open_temp(ngx_str_t *name, ngx_fd_t *fd);

/* NGX_OK: the head; NGX_DECLINED: no file, or none of ours */
ngx_int_t ngx_rtmp_route_state_head(ngx_str_t *name,
    ngx_rtmp_route_state_head_t *head);

/* what this process writes into the head */
void ngx_rtmp_route_state_own(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_head_t *head);

/* whether the head is of somebody alive who is newer than our zone */
ngx_uint_t ngx_rtmp_route_state_newer(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_head_t *head);

/* three numbers that stand for a file as it is now, or NGX_DECLINED */
ngx_int_t ngx_rtmp_route_state_stat(ngx_str_t *name, uint64_t *file);


/* ngx_rtmp_route_state.c */

/* in init_zone: the directory and, for a new zone, what the file says */
ngx_int_t ngx_rtmp_route_state_init_zone(ngx_rtmp_route_t *route,
    ngx_uint_t fresh, ngx_log_t *log);

/* in init_process, and at the end of the last process */
void ngx_rtmp_route_state_init_process(ngx_rtmp_route_t *route);
void ngx_rtmp_route_state_exit_master(ngx_rtmp_route_t *route);


#endif /* _NGX_RTMP_ROUTE_STATE_H_INCLUDED_ */
