
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * Who lists a stream in vain, as somebody who comes before has it elsewhere.
 * This is kept for the API only, in a ring: the oldest are forgotten when
 * there are too many.  A record counts as long as its stream is marked and
 * its server is the same; how many a server has is counted besides.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


static ngx_uint_t ngx_rtmp_route_conflict_is(ngx_rtmp_route_conflict_t *c,
    ngx_rtmp_route_stream_cell_t *st, uint32_t i);


void
ngx_rtmp_route_conflict_add(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_uint_t server)
{
    uint32_t                       seq;
    ngx_uint_t                     n;
    ngx_rtmp_route_cold_t         *cold;
    ngx_rtmp_route_conflict_t     *c;
    ngx_rtmp_route_stream_cell_t  *st;

    st = ngx_rtmp_route_stream(sh, i);
    cold = ngx_rtmp_route_cold(sh, server);
    seq = ngx_rtmp_route_hot(sh, server)->seq;

    if (st->flags & NGX_RTMP_ROUTE_STREAM_CONFLICT) {

        for (n = 0; n < sh->nconflicts; n++) {
            c = ngx_rtmp_route_conflict(sh, n);

            if (!ngx_rtmp_route_conflict_is(c, st, i)
                || c->server != server || c->seq != seq)
            {
                continue;
            }

            /* the list may name it twice */

            if (c->list_gen != cold->list_gen) {
                c->list_gen = cold->list_gen;
                cold->listed++;
            }

            return;
        }
    }

    c = ngx_rtmp_route_conflict(sh, sh->conflict % sh->nconflicts);
    sh->conflict++;

    c->valid = 0;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    c->stream = i;
    c->hash = st->hash;
    c->seq = seq;
    c->server = (uint16_t) server;
    c->list_gen = cold->list_gen;

    ngx_rtmp_route_point();

    st->flags |= NGX_RTMP_ROUTE_STREAM_CONFLICT;
    cold->listed++;

    ngx_memory_barrier();
    ngx_rtmp_route_point();

    c->valid = 1;

    ngx_rtmp_route_point();
}


/* a server's list has ended: what it no longer lists in vain is forgotten */

void
ngx_rtmp_route_conflict_trim(ngx_rtmp_route_shm_t *sh, ngx_uint_t server)
{
    ngx_uint_t                  n;
    ngx_rtmp_route_cold_t      *cold;
    ngx_rtmp_route_conflict_t  *c;

    cold = ngx_rtmp_route_cold(sh, server);

    if (cold->conflicts == 0 && cold->listed == 0) {
        return;
    }

    cold->conflicts = cold->listed;

    for (n = 0; n < sh->nconflicts; n++) {
        c = ngx_rtmp_route_conflict(sh, n);

        if (c->valid && c->server == server
            && c->list_gen != cold->list_gen)
        {
            c->valid = 0;
            ngx_rtmp_route_point();
        }
    }
}


void
ngx_rtmp_route_conflict_fill(ngx_rtmp_route_shm_t *sh, uint32_t i,
    ngx_rtmp_route_stream_stat_t *stat)
{
    u_char                        *p;
    ngx_uint_t                     n, k, found;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_conflict_t     *c;
    ngx_rtmp_route_server_info_t  *info;
    ngx_rtmp_route_stream_cell_t  *st;

    stat->nconflicts = 0;

    st = ngx_rtmp_route_stream(sh, i);

    if (!(st->flags & NGX_RTMP_ROUTE_STREAM_CONFLICT)) {
        return;
    }

    found = 0;

    for (n = 0; n < sh->nconflicts; n++) {
        c = ngx_rtmp_route_conflict(sh, n);

        if (!ngx_rtmp_route_conflict_is(c, st, i)) {
            continue;
        }

        found = 1;

        hot = ngx_rtmp_route_hot(sh, c->server);

        if (!ngx_rtmp_route_server_is(sh, c->server, c->seq)
            || ngx_rtmp_route_server_lapsed(hot)
            || stat->nconflicts == NGX_RTMP_ROUTE_MAX_CONFLICTS)
        {
            continue;
        }

        info = &ngx_rtmp_route_cold(sh, c->server)->info[hot->active];

        /* it has the stream by now */

        if (info->id_len == stat->server.len
            && ngx_memcmp(info->id, stat->server.data, info->id_len) == 0)
        {
            continue;
        }

        k = stat->nconflicts++;
        p = stat->conflict_buf[k];

        stat->conflicts[k].data = p;
        stat->conflicts[k].len = info->id_len;
        ngx_memcpy(p, info->id, info->id_len);
    }

    if (!found) {
        st->flags &= ~NGX_RTMP_ROUTE_STREAM_CONFLICT;
    }
}


/* a cell is used again: another stream has another hash, or no mark */

static ngx_uint_t
ngx_rtmp_route_conflict_is(ngx_rtmp_route_conflict_t *c,
    ngx_rtmp_route_stream_cell_t *st, uint32_t i)
{
    return c->valid && c->stream == i && c->hash == st->hash;
}
