
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_mpd.c */


/* A manifest: times are bounded, and what is cut off is none. */


#include "unit.h"
#include "ngx_hls_mpd.h"


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char         *p, *last;
    ngx_hls_mpd_t   mpd, again;

    p = malloc(size + (size == 0));
    memcpy(p, data, size);

    if (ngx_hls_mpd_parse(p, p + size, &mpd) == NGX_OK) {

        if (mpd.update > NGX_HLS_MPD_MAX_DURATION
            || mpd.depth > NGX_HLS_MPD_MAX_DURATION
            || mpd.duration > NGX_HLS_MPD_MAX_DURATION
            || mpd.max_segment > NGX_HLS_MPD_MAX_DURATION
            || mpd.window > (uint64_t) 1 << 63
            || mpd.end > (uint64_t) 1 << 63
            || mpd.last > (uint64_t) 1 << 63
            || mpd.segment > (uint64_t) 1 << 63
            || (mpd.update && !mpd.has_update)
            || mpd.timelines + mpd.periods + mpd.representations > size)
        {
            abort();
        }

        if (ngx_hls_mpd_parse(p, p + size, &again) != NGX_OK
            || memcmp(&mpd, &again, sizeof(mpd)) != 0)
        {
            abort();
        }

        /* without its last ">" it is none */

        for (last = p + size; last[-1] != '>'; last--) {
            /* void */
        }

        if (ngx_hls_mpd_parse(p, last - 1, &again) != NGX_DECLINED) {
            abort();
        }
    }

    free(p);

    return 0;
}
