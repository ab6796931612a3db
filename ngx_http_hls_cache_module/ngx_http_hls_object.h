
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What happens to what a fill brings; between the files of that part only.
 *
 * An object lives from the claim of an entry to the end of that claim, which
 * may be later than the end of its fill: playlists are edited and compressed
 * in steps, and what is listed but missing is asked for again after a delay.
 */


#ifndef _NGX_HTTP_HLS_OBJECT_H_INCLUDED_
#define _NGX_HTTP_HLS_OBJECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_md5.h>
#include "ngx_hls_edit.h"
#include "ngx_hls_mpd.h"
#include "ngx_hls_uri.h"
#include "ngx_http_hls_cache.h"
#include "ngx_http_hls_policy.h"


/* playlists and manifests are collected in memory */
#define NGX_HTTP_HLS_LIST_MAX        (16 * 1024 * 1024)

/* bodies that are worth compressing, and bytes of one step of it */
#define NGX_HTTP_HLS_GZIP_MIN        256
#define NGX_HTTP_HLS_GZIP_STEP       131072

/* URIs that are noted of a playlist, the newest, and of those in one step */
#define NGX_HTTP_HLS_NOTES           512
#define NGX_HTTP_HLS_NOTES_STEP      128

/* directories above a segment that may have a manifest */
#define NGX_HTTP_HLS_NOTES_UP        3

/* refreshes that a process has at most */
#define NGX_HTTP_HLS_REFRESHES       4096

#define NGX_HTTP_HLS_PREFETCH_MAX    16


typedef struct ngx_http_hls_object_s  ngx_http_hls_object_t;
typedef struct ngx_http_hls_list_s    ngx_http_hls_list_t;


struct ngx_http_hls_object_s {
    ngx_pool_t                 *pool;
    ngx_http_hls_fill_t        *fill;      /* NULL: it has ended */
    ngx_http_hls_loc_conf_t    *conf;
    ngx_http_hls_zone_t        *zone;
    ngx_http_hls_target_t       target;
    ngx_uint_t                  kind;

    ngx_http_hls_found_t        found;     /* the claim, without a body */
    ngx_http_hls_data_t         data;      /* of the entry at that time */
    ngx_http_hls_body_t         body;      /* that is filled */
    ngx_http_hls_head_t         head;

    ngx_msec_t                  start;
    ngx_msec_t                  took;
    ngx_msec_t                  valid;     /* so long, 0: by the policy */
    ngx_msec_t                  told;      /* the header has come */
    ngx_http_hls_policy_age_t   age;       /* what it had then */
    ngx_uint_t                  status;
    ngx_md5_t                   md5;

    u_char                     *data_buf;  /* a playlist */
    size_t                      len;
    size_t                      size;

    ngx_str_t                   session;   /* value asked with */
    ngx_str_t                   viewer_session;  /* value of the viewer */
    ngx_uint_t                  private_session; /* session is his */
    ngx_str_t                   server;    /* whose answer it is, or empty */
    uint32_t                    place;     /* which that is, by any id */
    ngx_rtmp_route_peer_t      *other;     /* the one that is asked instead */
                                           /* of its own, or NULL */
    ngx_msec_t                  hang;      /* servers that do are left, or 0 */
    ngx_http_hls_list_t        *list;
    ngx_http_hls_ghost_t       *ghost;     /* to refresh it */
    ngx_http_hls_ghost_t       *prefetch;  /* and what it lists */
    ngx_event_t                 event;

    unsigned                    old:1;     /* the entry had a body */
    unsigned                    collect:1;
    unsigned                    ended:1;   /* the claim has */
    unsigned                    waiting:1; /* to be asked for again */
    unsigned                    closing:1; /* what is served gets an end */
    unsigned                    ghostly:1; /* nobody waits for it here */
    unsigned                    tier:1;    /* a proxy has asked for it */
    unsigned                    known:1;   /* the table knew the server */
    unsigned                    searched:1; /* not the first one that was */
                                            /* asked: it is to be known */
};


/* a playlist between its last byte and the store */

struct ngx_http_hls_list_s {
    ngx_hls_edit_t              edit;
    ngx_hls_state_t             state;
    ngx_hls_mpd_t               mpd;
    ngx_http_hls_times_t        times;
    ngx_http_hls_policy_ttl_t   ttl;

    ngx_str_t                   body;
    ngx_str_t                   gzip;
    size_t                      done;      /* of body, compressed and in */
                                           /* the md5 */
    void                       *stream;    /* z_stream */

    ngx_str_t                   host;      /* the last one, see own() */
    in_port_t                   port;
    uint32_t                    cell;      /* of the stream */
    uint64_t                    first;     /* number of the first noted */
    ngx_msec_t                  life;      /* of what is listed */
    ngx_array_t                 uris;      /* of ngx_hls_uri_t, to be noted */
    ngx_hls_uri_t               map;       /* in force at the first of them */
    ngx_hls_uri_t               key;
    ngx_uint_t                  noted;
    void                      (*step)(ngx_http_hls_object_t *obj);

    unsigned                    ended:1;   /* the origin's has an end */
    unsigned                    own:1;     /* that host is a server's */
    unsigned                    moved:1;   /* it was another server's before */
};


/* ngx_http_hls_object_claim.c: each ends the claim, and may free the object */

void ngx_http_hls_object_done(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times);
void ngx_http_hls_object_keep(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times);
void ngx_http_hls_object_failed(ngx_http_hls_object_t *obj,
    ngx_uint_t status);
void ngx_http_hls_object_pass(ngx_http_hls_object_t *obj, ngx_msec_t ttl);
void ngx_http_hls_object_again(ngx_http_hls_object_t *obj, ngx_msec_t delay,
    ngx_http_hls_data_t *data);
void ngx_http_hls_object_free(ngx_http_hls_object_t *obj);

/* the data of the entry as it is now, for those that are to be changed */
void ngx_http_hls_object_times(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times);

/* whether the table has the stream */
ngx_uint_t ngx_http_hls_object_live(ngx_http_hls_object_t *obj);

/* the ETag of a digest, into buf of NGX_HTTP_HLS_ETAG_LEN bytes */
void ngx_http_hls_object_etag(u_char digest[16], const char *coding,
    u_char *buf, ngx_str_t *etag);

#define ngx_http_hls_object_data(times)                                       \
    ((ngx_http_hls_data_t *) (times)->data)


/* ngx_http_hls_object_list.c: a whole body was collected */

void ngx_http_hls_list(ngx_http_hls_object_t *obj);

/*
 * What is served now and what is known of it; NGX_OK: found->body is
 * referenced.
 */
ngx_int_t ngx_http_hls_list_previous(ngx_http_hls_object_t *obj,
    ngx_http_hls_found_t *found, ngx_str_t *body, ngx_hls_state_t *state);

/* a playlist that is served yet, with an end; NGX_DECLINED: it has one */
ngx_int_t ngx_http_hls_list_end(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times);


/* ngx_http_hls_object_notes.c: what a playlist lists is told to the store */

ngx_int_t ngx_http_hls_notes_find(ngx_http_hls_object_t *obj);
/* the same for all that lies beside a manifest, which lists nothing */
void ngx_http_hls_notes_directory(ngx_http_hls_object_t *obj);
/* times of what lies there; NGX_DECLINED: nothing is known of it */
ngx_int_t ngx_http_hls_notes_parent(ngx_http_hls_object_t *obj,
    ngx_http_hls_times_t *times);
/* NGX_AGAIN: there are more */
ngx_int_t ngx_http_hls_notes_step(ngx_http_hls_object_t *obj);

/* whether what was served is still held, for ngx_hls_edit() */
ngx_uint_t ngx_http_hls_notes_held(void *data, ngx_str_t *uri);


/* ngx_http_hls_switch.c */

/*
 * Before a fill starts: how long it waits for a server that hangs, and whether
 * it asks another one than that of data, in which that is noted
 */
void ngx_http_hls_switch_prepare(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data);
/* what the parent's subrequests are to know of it: as fill->ask */
ngx_int_t ngx_http_hls_switch_ask(ngx_http_request_t *pr);
/* who has answered; NGX_DECLINED: it is not of the playlist that lists it */
ngx_int_t ngx_http_hls_switch_answer(ngx_http_hls_object_t *obj,
    ngx_http_request_t *sr);
/* before and after the playlist is edited; found is what is served */
void ngx_http_hls_switch_begin(ngx_http_hls_object_t *obj,
    ngx_http_hls_found_t *found);
/*
 * state is as it was before that.  NGX_OK, times are changed; NGX_DECLINED:
 * it is not used, the claim has ended.
 */
ngx_int_t ngx_http_hls_switch_check(ngx_http_hls_object_t *obj,
    ngx_hls_state_t *state, ngx_http_hls_times_t *times);
/* the other server has no playlist; ends the claim */
void ngx_http_hls_switch_failed(ngx_http_hls_object_t *obj);


/* ngx_http_hls_session.c */

/* what the playlist says that lists the object; NGX_DECLINED: none does */
ngx_int_t ngx_http_hls_session_owner(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *owner, ngx_uint_t *generation);
/* the arguments to ask the origin with */
ngx_int_t ngx_http_hls_session_args(ngx_http_hls_object_t *obj,
    ngx_http_request_t *r, ngx_str_t *args);
/* a fill that failed is worth another value: data is changed, or as it was */
ngx_int_t ngx_http_hls_session_failed(ngx_http_hls_object_t *obj,
    ngx_uint_t status, ngx_http_hls_data_t *data);
/* a media playlist has come: the value that helped is kept in data */
void ngx_http_hls_session_learn(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data);
/* what was told to the entry since the fill began, now, goes to data */
void ngx_http_hls_session_told(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data, ngx_http_hls_data_t *now);
/* a master in answer to a media request: as failed() */
ngx_int_t ngx_http_hls_session_master(ngx_http_hls_object_t *obj,
    ngx_http_hls_data_t *data);
/* the value that its media playlists have, for a master that has come */
ngx_int_t ngx_http_hls_session_value(ngx_http_hls_object_t *obj,
    ngx_str_t *value);
/* and their entries are told of it, once it is stored */
void ngx_http_hls_session_note(ngx_http_hls_object_t *obj, ngx_str_t *body);


/* ngx_http_hls_refresh.c */

/* makes obj->ghost if it may be needed */
void ngx_http_hls_refresh_prepare(ngx_http_hls_object_t *obj,
    ngx_http_request_t *r);
/*
 * After a fill of a playlist: obj->ghost may be taken over, times->fresh is
 * put off if it is to be refreshed before.
 */
void ngx_http_hls_refresh(ngx_http_hls_object_t *obj,
    ngx_http_hls_policy_ttl_t *ttl, ngx_http_hls_times_t *times);
/* has it filled anew at once, unless somebody else begins before */
void ngx_http_hls_refresh_again(ngx_http_hls_object_t *obj);


#endif /* _NGX_HTTP_HLS_OBJECT_H_INCLUDED_ */
