
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_cache.h"


#define NGX_HTTP_HLS_EXT_LEN  7


typedef struct {
    ngx_str_t    ext;
    ngx_str_t    type;
} ngx_http_hls_type_t;


/* the most asked for come first */

static ngx_http_hls_type_t  ngx_http_hls_types[] = {

    { ngx_string("m3u8"), ngx_string("application/vnd.apple.mpegurl") },
    { ngx_string("ts"), ngx_string("video/mp2t") },
    { ngx_string("m4s"), ngx_string("video/iso.segment") },
    { ngx_string("mp4"), ngx_string("video/mp4") },
    { ngx_string("key"), ngx_string("application/octet-stream") },
    { ngx_string("mpd"), ngx_string("application/dash+xml") },
    { ngx_string("m3u"), ngx_string("application/vnd.apple.mpegurl") },
    { ngx_string("m4a"), ngx_string("audio/mp4") },
    { ngx_string("m4v"), ngx_string("video/mp4") },
    { ngx_string("m4f"), ngx_string("video/iso.segment") },
    { ngx_string("m4i"), ngx_string("video/mp4") },
    { ngx_string("fmp4"), ngx_string("video/mp4") },
    { ngx_string("cmfv"), ngx_string("video/mp4") },
    { ngx_string("cmfa"), ngx_string("audio/mp4") },
    { ngx_string("cmft"), ngx_string("application/mp4") },
    { ngx_string("init"), ngx_string("video/mp4") },
    { ngx_string("dash"), ngx_string("video/mp4") },
    { ngx_string("mov"), ngx_string("video/quicktime") },
    { ngx_string("m2ts"), ngx_string("video/mp2t") },
    { ngx_string("mpg"), ngx_string("video/mpeg") },
    { ngx_string("mts"), ngx_string("video/mp2t") },
    { ngx_string("webm"), ngx_string("video/webm") },
    { ngx_string("weba"), ngx_string("audio/webm") },
    { ngx_string("opus"), ngx_string("audio/ogg") },
    { ngx_string("aac"), ngx_string("audio/aac") },
    { ngx_string("mp3"), ngx_string("audio/mpeg") },
    { ngx_string("ac3"), ngx_string("audio/ac3") },
    { ngx_string("ec3"), ngx_string("audio/eac3") },
    { ngx_string("ac4"), ngx_string("audio/ac4") },
    { ngx_string("mp2"), ngx_string("audio/mpeg") },
    { ngx_string("vtt"), ngx_string("text/vtt") },
    { ngx_string("webvtt"), ngx_string("text/vtt") },
    { ngx_string("ttml"), ngx_string("application/ttml+xml") },
    { ngx_string("ttml2"), ngx_string("application/ttml+xml") },
    { ngx_string("dfxp"), ngx_string("application/ttml+xml") },
    { ngx_string("jpg"), ngx_string("image/jpeg") },
    { ngx_string("jpeg"), ngx_string("image/jpeg") },
    { ngx_string("png"), ngx_string("image/png") },
    { ngx_string("webp"), ngx_string("image/webp") },
    { ngx_string("flv"), ngx_string("video/x-flv") },
    { ngx_null_string, ngx_null_string }
};


void
ngx_http_hls_type(ngx_str_t *path, ngx_str_t *type)
{
    u_char               *p, *last, ext[NGX_HTTP_HLS_EXT_LEN];
    size_t                len;
    ngx_http_hls_type_t  *t;

    ngx_str_null(type);

    last = path->data + path->len;
    len = 0;

    for (p = last; p > path->data && p[-1] != '.'; p--) {

        if (p[-1] == '/' || ++len > NGX_HTTP_HLS_EXT_LEN) {
            return;
        }
    }

    ngx_strlow(ext, p, len);

    for (t = ngx_http_hls_types; t->ext.len; t++) {

        if (t->ext.len == len && ngx_memcmp(t->ext.data, ext, len) == 0) {
            *type = t->type;
            return;
        }
    }
}
