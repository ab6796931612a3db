
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Other names in a client's bytes: those that its commands say are put in place
 * of its own, all else is the same.  Pure: takes bytes, gives bytes.
 */


#ifndef _NGX_OSP_RTMP_RENAME_H_INCLUDED_
#define _NGX_OSP_RTMP_RENAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_osp_rtmp_chunk.h"
#include "ngx_osp_rtmp_command.h"


#define NGX_OSP_RTMP_RENAME_LEN        8192    /* of a command, both ways */


/*
 * What a stream is called instead, arguments included; text is as received.
 * NGX_OK; NGX_DECLINED: the same; NGX_ERROR.  The result is read before the
 * next call.
 */
typedef ngx_int_t (*ngx_osp_rtmp_rename_pt)(void *data, ngx_str_t *text,
    ngx_str_t *to);


/* a command that is not whole yet */

typedef struct {
    uint32_t                csid;
    ngx_uint_t              fmt;
} ngx_osp_rtmp_rename_open_t;


/* belongs to the caller, who sets the first four and calls _init() */

typedef struct {
    ngx_str_t               app;         /* of connect; data is NULL: as it */
    ngx_str_t               tc_url;      /* is */
    ngx_osp_rtmp_rename_pt  stream;
    void                   *data;

    ngx_osp_rtmp_reader_t  *reader;
    ngx_osp_rtmp_asm_t      assembly;
    u_char                 *payload;
    ngx_osp_rtmp_rename_open_t
                            open[NGX_OSP_RTMP_MAX_OPEN];
    ngx_osp_rtmp_name_e     name;        /* of the command that was written */
    unsigned                full:1;      /* NGX_ERROR: for lack of room */
    const char             *error;       /* NGX_ERROR: why */
} ngx_osp_rtmp_rename_t;


/*
 * The reader has read what is in front of the bytes that will be given; buf
 * has 2 * NGX_OSP_RTMP_RENAME_LEN bytes.
 */
void ngx_osp_rtmp_rename_init(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_reader_t *reader, u_char *buf);

/*
 * Reads [*pos, last), which ends between two chunks, and writes it to [*out,
 * end) with the new names, up to the end of the next command, where *pos and
 * *out are then.  Commands are written where they end, in one piece, and with
 * a header of fmt 0 or 1, which does not rely on the length of the one before;
 * chunks of other messages as they are.  So the receiver differs from who reads
 * the client in nothing but the length of commands, and what follows a command
 * and relies on it is one.
 *
 * NGX_OK: a command was written, rn->name; NGX_DONE: there is none left, and
 * all was written; NGX_ERROR.
 */
ngx_int_t ngx_osp_rtmp_rename(ngx_osp_rtmp_rename_t *rn, u_char **pos,
    u_char *last, u_char **out, u_char *end);

/*
 * The payload of a command with the new names, in buf.  NGX_OK; NGX_DECLINED:
 * it says none, or they are the same; NGX_ERROR: no room, or rn->stream()
 * has failed.
 */
ngx_int_t ngx_osp_rtmp_rename_payload(ngx_osp_rtmp_rename_t *rn,
    ngx_osp_rtmp_message_t *msg, ngx_osp_rtmp_command_t *cmd, u_char *buf,
    u_char *end, size_t *len);


/*
 * Where a path is divided that servers are asked for: the stream gets as many
 * parts as that of the client has, the app what is left, which is one at the
 * least.  Both paths are canonical.  NGX_DECLINED: it has too few parts.
 */
ngx_int_t ngx_osp_rtmp_rename_split(ngx_str_t *to, ngx_uint_t parts,
    ngx_str_t *app, ngx_str_t *stream);

/* the parts of a canonical path */
ngx_uint_t ngx_osp_rtmp_rename_parts(ngx_str_t *path);

/*
 * An app or a stream with another path, unless that is NULL; with args its
 * arguments stay, "app...vhost...name" among them.  NGX_DECLINED: the same.
 */
ngx_int_t ngx_osp_rtmp_rename_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *path, ngx_uint_t args, ngx_str_t *to);

/* the same of a tcUrl, of which scheme, host and port stay */
ngx_int_t ngx_osp_rtmp_rename_url(ngx_pool_t *pool, ngx_str_t *url,
    ngx_str_t *path, ngx_uint_t args, ngx_str_t *to);

/* whether it has a path, be it that of an app, a stream or a tcUrl */
ngx_uint_t ngx_osp_rtmp_rename_has_path(ngx_str_t *text, ngx_uint_t url);


#endif /* _NGX_OSP_RTMP_RENAME_H_INCLUDED_ */
