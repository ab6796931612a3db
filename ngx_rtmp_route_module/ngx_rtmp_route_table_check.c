
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* what the records say, to be compared with what is derived from them */

typedef struct {
    uint32_t                         publishers;
    uint32_t                         players;
    uint32_t                         live;
    u_char                           owned;       /* found in its place */
    u_char                           lru;
    u_char                           listed;
    u_char                           queued;
} ngx_rtmp_route_check_cell_t;


typedef struct {
    uint32_t                         conns;
    uint32_t                         streams;
    uint32_t                         pinned;
    uint32_t                         pending;
    uint32_t                         named;
} ngx_rtmp_route_check_server_t;


typedef struct {
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_check_cell_t     *cells;
    ngx_rtmp_route_check_server_t   *servers;
    ngx_rtmp_route_table_stat_t      stat;
    uint32_t                         strays;
    uint32_t                         waiters;
    const char                      *what;
    uint32_t                         where;
} ngx_rtmp_route_check_t;


static ngx_int_t ngx_rtmp_route_check_failed(ngx_rtmp_route_check_t *ctx,
    const char *what, ngx_uint_t where);
static ngx_int_t ngx_rtmp_route_check_rules(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_bans(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_servers(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_records(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_session(ngx_rtmp_route_check_t *ctx,
    uint32_t i);
static ngx_int_t ngx_rtmp_route_check_text(ngx_rtmp_route_check_t *ctx,
    size_t len, size_t room, uint32_t text);
static ngx_int_t ngx_rtmp_route_check_buckets(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_streams(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_lru(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_lists(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_slots(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_free(ngx_rtmp_route_check_t *ctx);
static ngx_int_t ngx_rtmp_route_check_counters(ngx_rtmp_route_check_t *ctx);


typedef ngx_int_t (*ngx_rtmp_route_check_pt)(ngx_rtmp_route_check_t *ctx);

static ngx_rtmp_route_check_pt  ngx_rtmp_route_checks[] = {
    ngx_rtmp_route_check_rules,
    ngx_rtmp_route_check_bans,
    ngx_rtmp_route_check_servers,
    ngx_rtmp_route_check_records,
    ngx_rtmp_route_check_buckets,
    ngx_rtmp_route_check_streams,
    ngx_rtmp_route_check_lru,
    ngx_rtmp_route_check_lists,
    ngx_rtmp_route_check_slots,
    ngx_rtmp_route_check_free,
    ngx_rtmp_route_check_counters,
    NULL
};


ngx_int_t
ngx_rtmp_route_table_audit(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_table_audit_t *audit)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    struct timeval           start, end;
    ngx_rtmp_route_check_t   ctx;

    ngx_memzero(&ctx, sizeof(ngx_rtmp_route_check_t));
    ngx_memzero(audit, sizeof(ngx_rtmp_route_table_audit_t));

    ctx.sh = table->sh;

    ctx.cells = ngx_calloc((table->sh->ncells + 1)
                           * sizeof(ngx_rtmp_route_check_cell_t), table->log);
    if (ctx.cells == NULL) {
        return NGX_ABORT;
    }

    ctx.servers = ngx_calloc(table->sh->nservers
                             * sizeof(ngx_rtmp_route_check_server_t),
                             table->log);
    if (ctx.servers == NULL) {
        ngx_free(ctx.cells);
        return NGX_ABORT;
    }

    rc = NGX_OK;

    ngx_rtmp_route_table_lock(table);

    ngx_gettimeofday(&start);

    for (i = 0; ngx_rtmp_route_checks[i]; i++) {
        rc = ngx_rtmp_route_checks[i](&ctx);

        if (rc != NGX_OK) {
            break;
        }
    }

    ngx_gettimeofday(&end);

    ngx_rtmp_route_table_unlock(table);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, table->log, 0,
                      "table is inconsistent%s: %s of %uD",
                      table->shpool->log_ctx, ctx.what, ctx.where);
    }

    audit->fault = ctx.what;
    audit->where = ctx.where;
    audit->waiters = ctx.waiters;
    audit->held = (ngx_uint_t) ((end.tv_sec - start.tv_sec) * 1000000
                                + (end.tv_usec - start.tv_usec));

    ngx_rtmp_route_table_stat(table, &audit->stat);

    ngx_free(ctx.servers);
    ngx_free(ctx.cells);

    return rc;
}


ngx_int_t
ngx_rtmp_route_table_check(ngx_rtmp_route_table_t *table)
{
    ngx_rtmp_route_table_audit_t  audit;

    return ngx_rtmp_route_table_audit(table, &audit) == NGX_OK ? NGX_OK
                                                               : NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_check_failed(ngx_rtmp_route_check_t *ctx, const char *what,
    ngx_uint_t where)
{
    ctx->what = what;
    ctx->where = (uint32_t) where;

    return NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_route_check_rules(ngx_rtmp_route_check_t *ctx)
{
    ngx_uint_t              i, k, n;
    ngx_rtmp_route_shm_t   *sh;
    ngx_rtmp_route_rule_t  *rules;

    sh = ctx->sh;

    if (sh->rules_used > 1 || sh->rules_len[sh->rules_used] > sh->nrules) {
        return ngx_rtmp_route_check_failed(ctx, "rules", sh->rules_used);
    }

    rules = ngx_rtmp_route_rule_list(sh, sh->rules_used);
    n = sh->rules_len[sh->rules_used];

    for (i = 0; i < n; i++) {

        if (rules[i].id == 0 || rules[i].id > sh->rule) {
            return ngx_rtmp_route_check_failed(ctx, "id of rule", i);
        }

        for (k = 0; k < i; k++) {
            if (rules[k].id == rules[i].id
                || ngx_rtmp_route_rule_same(&rules[k], &rules[i]))
            {
                return ngx_rtmp_route_check_failed(ctx, "double rule", i);
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_bans(ngx_rtmp_route_check_t *ctx)
{
    ngx_uint_t                  i, n;
    ngx_rtmp_route_shm_t       *sh;
    ngx_rtmp_route_ban_cell_t  *b;

    sh = ctx->sh;
    n = 0;

    for (i = 0; i < sh->nbans; i++) {
        b = ngx_rtmp_route_ban(sh, i);

        if (!b->valid) {
            continue;
        }

        n++;

        if (b->id == 0 || b->id > sh->ban) {
            return ngx_rtmp_route_check_failed(ctx, "id of ban", i);
        }

        if (ngx_rtmp_route_check_text(ctx, b->key_len, sizeof(b->key), b->text)
            != NGX_OK)
        {
            return ngx_rtmp_route_check_failed(ctx, "key of ban", i);
        }
    }

    if (n != sh->bans) {
        return ngx_rtmp_route_check_failed(ctx, "number of bans", sh->bans);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_servers(ngx_rtmp_route_check_t *ctx)
{
    ngx_uint_t                       i, n, chained;
    ngx_rtmp_route_hot_t            *hot;
    ngx_rtmp_route_shm_t            *sh;
    ngx_rtmp_route_cold_t           *cold;
    ngx_rtmp_route_server_info_t    *info;
    ngx_rtmp_route_server_params_t  *params;

    sh = ctx->sh;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);
        cold = ngx_rtmp_route_cold(sh, i);

        if (!hot->valid) {
            continue;
        }

        ctx->stat.servers++;

        info = &cold->info[hot->active];
        params = &cold->params[hot->active];

        if (ngx_rtmp_route_server_find(sh, info->id, info->id_len)
            != (ngx_int_t) i)
        {
            return ngx_rtmp_route_check_failed(ctx, "id of server", i);
        }

        if (hot->seq == 0 || cold->birth == 0 || cold->birth > hot->seq
            || hot->seq > sh->seq)
        {
            return ngx_rtmp_route_check_failed(ctx, "number of server", i);
        }

        if (hot->source != info->source
            || hot->weight != ngx_max(params->weight, 1)
            || hot->max_conns != params->max_conns
            || hot->max_streams != params->max_streams
            || !(hot->flags & NGX_RTMP_ROUTE_SERVER_DRAIN) != !params->drain
            || !(hot->flags & NGX_RTMP_ROUTE_SERVER_DOWN) != !params->down
            || !(hot->flags & NGX_RTMP_ROUTE_SERVER_FORCED) != !info->forced
            || !(hot->flags & NGX_RTMP_ROUTE_SERVER_GONE) != !info->gone)
        {
            return ngx_rtmp_route_check_failed(ctx, "copy of server", i);
        }
    }

    chained = 0;

    for (n = 0; n < sh->nservers; n++) {
        i = ngx_rtmp_route_at(sh, ids, uint32_t)[n];

        while (i) {

            if (++chained > ctx->stat.servers || i > sh->server_top
                || !ngx_rtmp_route_hot(sh, i - 1)->valid)
            {
                return ngx_rtmp_route_check_failed(ctx, "chain of server", i);
            }

            i = ngx_rtmp_route_cold(sh, i - 1)->next;
        }
    }

    if (chained != ctx->stat.servers) {
        return ngx_rtmp_route_check_failed(ctx, "number of servers", chained);
    }

    return NGX_OK;
}


/* each text belongs to one record */

static ngx_int_t
ngx_rtmp_route_check_records(ngx_rtmp_route_check_t *ctx)
{
    size_t                          len;
    uint32_t                        i;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_cell_t          *cell;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    sh = ctx->sh;

    for (i = 1; i <= sh->top; i++) {

        cell = ngx_rtmp_route_cell(sh, i);

        switch (cell->text.type) {

        case NGX_RTMP_ROUTE_CELL_FREE:
        case NGX_RTMP_ROUTE_CELL_TEXT:
            break;

        case NGX_RTMP_ROUTE_CELL_STREAM:
            st = &cell->stream;

            if (ngx_rtmp_route_check_text(ctx, st->key_len, sizeof(st->key),
                                          st->text)
                != NGX_OK)
            {
                return ngx_rtmp_route_check_failed(ctx, "key of stream", i);
            }

            break;

        case NGX_RTMP_ROUTE_CELL_SESSION:
        case NGX_RTMP_ROUTE_CELL_CONN:
            s = &cell->session;
            len = s->client_len + s->agent_len + s->key_len;

            if (ngx_rtmp_route_check_text(ctx, len, sizeof(s->data), s->text)
                != NGX_OK)
            {
                return ngx_rtmp_route_check_failed(ctx, "text of session", i);
            }

            if (ngx_rtmp_route_check_session(ctx, i) != NGX_OK) {
                return ngx_rtmp_route_check_failed(ctx, "links of session", i);
            }

            break;

        default:
            return ngx_rtmp_route_check_failed(ctx, "type", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_session(ngx_rtmp_route_check_t *ctx, uint32_t i)
{
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_check_cell_t    *c;
    ngx_rtmp_route_stream_cell_t   *st;
    ngx_rtmp_route_session_cell_t  *s;

    sh = ctx->sh;
    s = ngx_rtmp_route_session_cell(sh, i);

    if (s->slot >= sh->nslots || s->stream > sh->top) {
        return NGX_ERROR;
    }

    if (ngx_rtmp_route_server_born(sh, s->server, s->birth)) {
        ctx->servers[s->server].conns++;

    } else {
        ctx->strays++;
    }

    if (s->type == NGX_RTMP_ROUTE_CELL_CONN) {
        ctx->stat.conns++;
        return NGX_OK;
    }

    ctx->stat.sessions++;

    if (s->stream == 0) {
        return NGX_OK;
    }

    c = &ctx->cells[s->stream];
    st = ngx_rtmp_route_stream(sh, s->stream);

    if (st->type != NGX_RTMP_ROUTE_CELL_STREAM) {
        return NGX_ERROR;
    }

    if (ngx_rtmp_route_session_publishes(s)) {
        c->publishers++;

    } else {
        c->players++;
    }

    if ((s->flags & NGX_RTMP_ROUTE_SESSION_LIVE) && s->place == st->place) {
        c->live++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_text(ngx_rtmp_route_check_t *ctx, size_t len, size_t room,
    uint32_t text)
{
    ngx_uint_t                   n;
    ngx_rtmp_route_text_cell_t  *cell;

    for (n = ngx_rtmp_route_text_cells(len, room); n; n--) {

        if (text == 0 || text > ctx->sh->top || ctx->cells[text].owned) {
            return NGX_ERROR;
        }

        cell = ngx_rtmp_route_text(ctx->sh, text);

        if (cell->type != NGX_RTMP_ROUTE_CELL_TEXT) {
            return NGX_ERROR;
        }

        ctx->cells[text].owned = 1;
        text = cell->text;
    }

    return text ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_buckets(ngx_rtmp_route_check_t *ctx)
{
    uint32_t                       i, n;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = ctx->sh;

    for (n = 0; n < sh->nbuckets; n++) {

        for (i = ngx_rtmp_route_at(sh, buckets, uint32_t)[n]; i; i = st->next)
        {
            if (i > sh->top || ctx->cells[i].owned) {
                return ngx_rtmp_route_check_failed(ctx, "bucket", n);
            }

            ctx->cells[i].owned = 1;

            st = ngx_rtmp_route_stream(sh, i);

            if (st->type != NGX_RTMP_ROUTE_CELL_STREAM
                || (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
                || ngx_rtmp_route_bucket(sh, st->hash)
                   != &ngx_rtmp_route_at(sh, buckets, uint32_t)[n])
            {
                return ngx_rtmp_route_check_failed(ctx, "chain of stream", i);
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_streams(ngx_rtmp_route_check_t *ctx)
{
    u_char                         buf[NGX_RTMP_ROUTE_KEY_LEN];
    uint32_t                       i, *counter;
    ngx_str_t                      key;
    ngx_uint_t                     n;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_check_cell_t   *c;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = ctx->sh;

    for (i = 1; i <= sh->top; i++) {

        st = ngx_rtmp_route_stream(sh, i);

        if (st->type != NGX_RTMP_ROUTE_CELL_STREAM) {
            continue;
        }

        c = &ctx->cells[i];

        if (st->publishers != c->publishers
            || st->players != c->players
            || st->live != c->live)
        {
            return ngx_rtmp_route_check_failed(ctx, "sessions of stream", i);
        }

        if (ngx_rtmp_route_stream_void(st)) {
            return ngx_rtmp_route_check_failed(ctx, "use of stream", i);
        }

        if (st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN) {

            if (c->owned) {
                return ngx_rtmp_route_check_failed(ctx, "orphan", i);
            }

            c->owned = 1;
            continue;
        }

        ctx->stat.streams++;

        key.len = st->key_len;
        key.data = buf;

        ngx_rtmp_route_text_get(sh, st->key, sizeof(st->key), st->text, buf,
                                st->key_len);

        if (!c->owned || ngx_rtmp_route_stream_find(sh, &key) != i) {
            return ngx_rtmp_route_check_failed(ctx, "place of stream", i);
        }

        counter = ngx_rtmp_route_stream_counter(sh, st);

        if (counter == NULL) {
            continue;
        }

        n = ((u_char *) counter - (u_char *) ngx_rtmp_route_hot(sh, 0))
            / sizeof(ngx_rtmp_route_hot_t);

        if (n >= sh->server_top) {
            return ngx_rtmp_route_check_failed(ctx, "server of stream", i);
        }

        hot = ngx_rtmp_route_hot(sh, n);

        if (counter == &hot->streams) {
            ctx->servers[n].streams++;

        } else if (counter == &hot->pinned) {
            ctx->servers[n].pinned++;

        } else if (counter == &hot->named) {
            ctx->servers[n].named++;

        } else {
            ctx->servers[n].pending++;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_lru(ngx_rtmp_route_check_t *ctx)
{
    uint32_t                       i, prev;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = ctx->sh;
    prev = 0;

    for (i = sh->lru_first; i; i = st->lru_next) {

        st = ngx_rtmp_route_stream(sh, i);

        if (i > sh->top || ctx->cells[i].lru || st->lru_prev != prev) {
            return ngx_rtmp_route_check_failed(ctx, "queue of stream", i);
        }

        ctx->cells[i].lru = 1;
        prev = i;
    }

    if (sh->lru_last != prev) {
        return ngx_rtmp_route_check_failed(ctx, "end of queue", prev);
    }

    for (i = 1; i <= sh->top; i++) {

        st = ngx_rtmp_route_stream(sh, i);

        if (st->type != NGX_RTMP_ROUTE_CELL_STREAM) {

            if (ctx->cells[i].lru) {
                return ngx_rtmp_route_check_failed(ctx, "type in queue", i);
            }

            continue;
        }

        if (ctx->cells[i].lru != ngx_rtmp_route_stream_idle(st)
            || !ctx->cells[i].lru
               != !(st->flags & NGX_RTMP_ROUTE_STREAM_LRU))
        {
            return ngx_rtmp_route_check_failed(ctx, "idleness of stream", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_lists(ngx_rtmp_route_check_t *ctx)
{
    uint32_t                       i, first;
    ngx_uint_t                     n;
    ngx_rtmp_route_hot_t          *hot;
    ngx_rtmp_route_shm_t          *sh;
    ngx_rtmp_route_stream_cell_t  *st;

    sh = ctx->sh;

    for (n = 0; n < sh->server_top; n++) {
        hot = ngx_rtmp_route_hot(sh, n);
        first = ngx_rtmp_route_cold(sh, n)->list;

        if (!hot->valid || first == 0) {
            continue;
        }

        i = first;

        do {
            st = ngx_rtmp_route_stream(sh, i);

            if (i > sh->top || ctx->cells[i].listed
                || st->type != NGX_RTMP_ROUTE_CELL_STREAM
                || st->list != n || st->list_seq != hot->seq
                || ngx_rtmp_route_stream(sh, st->list_next)->list_prev != i)
            {
                return ngx_rtmp_route_check_failed(ctx, "list of server", n);
            }

            ctx->cells[i].listed = 1;
            i = st->list_next;

        } while (i != first);
    }

    for (i = 1; i <= sh->top; i++) {

        st = ngx_rtmp_route_stream(sh, i);

        if (st->type == NGX_RTMP_ROUTE_CELL_STREAM
            && !(st->flags & NGX_RTMP_ROUTE_STREAM_ORPHAN)
            && !ngx_rtmp_route_server_is(sh, st->list, st->list_seq)
               != !ctx->cells[i].listed)
        {
            return ngx_rtmp_route_check_failed(ctx, "listing of stream", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_slots(ngx_rtmp_route_check_t *ctx)
{
    uint32_t                        i, first, told;
    ngx_uint_t                      n;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_head_t          *head;
    ngx_rtmp_route_session_cell_t  *s;

    sh = ctx->sh;

    for (n = 0; n < sh->nslots; n++) {

        head = ngx_rtmp_route_head(sh, n);
        first = head->first;
        told = 0;

        if (head->nwaiters && ngx_rtmp_route_slot_alive(n, head->generation)) {
            ctx->waiters += head->nwaiters;
        }

        i = first;

        while (i) {
            s = ngx_rtmp_route_session_cell(sh, i);

            if (i > sh->top || ctx->cells[i].queued
                || (s->type != NGX_RTMP_ROUTE_CELL_SESSION
                    && s->type != NGX_RTMP_ROUTE_CELL_CONN)
                || s->slot != n
                || ngx_rtmp_route_session_cell(sh, s->next)->prev != i)
            {
                return ngx_rtmp_route_check_failed(ctx, "queue of slot", n);
            }

            ctx->cells[i].queued = 1;
            ctx->cells[i].owned = 1;
            told += (s->told != 0);

            i = (s->next == first) ? 0 : s->next;
        }

        if (head->told != told) {
            return ngx_rtmp_route_check_failed(ctx, "marks of slot", n);
        }
    }

    return NGX_OK;
}


/* whatever is in no other place is in the free list */

static ngx_int_t
ngx_rtmp_route_check_free(ngx_rtmp_route_check_t *ctx)
{
    uint32_t               i, n;
    ngx_rtmp_route_shm_t  *sh;

    sh = ctx->sh;
    n = 0;

    for (i = sh->free; i; i = ngx_rtmp_route_text(sh, i)->text) {

        if (i > sh->top || ctx->cells[i].owned
            || ngx_rtmp_route_text(sh, i)->type != NGX_RTMP_ROUTE_CELL_FREE)
        {
            return ngx_rtmp_route_check_failed(ctx, "free cell", i);
        }

        ctx->cells[i].owned = 1;
        n++;
    }

    if (n != sh->nfree) {
        return ngx_rtmp_route_check_failed(ctx, "number of free cells", n);
    }

    for (i = 1; i <= sh->top; i++) {
        if (!ctx->cells[i].owned) {
            return ngx_rtmp_route_check_failed(ctx, "lost cell", i);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_route_check_counters(ngx_rtmp_route_check_t *ctx)
{
    ngx_uint_t                      i;
    ngx_rtmp_route_hot_t           *hot;
    ngx_rtmp_route_shm_t           *sh;
    ngx_rtmp_route_check_server_t  *server;

    sh = ctx->sh;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);
        server = &ctx->servers[i];

        if (!hot->valid) {
            continue;
        }

        if (hot->conns != server->conns) {
            return ngx_rtmp_route_check_failed(ctx, "conns of server", i);
        }

        if (hot->streams != server->streams
            || hot->pinned != server->pinned
            || hot->pending != server->pending
            || hot->named != server->named)
        {
            return ngx_rtmp_route_check_failed(ctx, "streams of server", i);
        }
    }

    if (sh->servers != ctx->stat.servers) {
        return ngx_rtmp_route_check_failed(ctx, "total of servers",
                                           sh->servers);
    }

    if (sh->streams != ctx->stat.streams) {
        return ngx_rtmp_route_check_failed(ctx, "total of streams",
                                           sh->streams);
    }

    if (sh->sessions != ctx->stat.sessions || sh->conns != ctx->stat.conns
        || sh->strays != ctx->strays)
    {
        return ngx_rtmp_route_check_failed(ctx, "total of sessions",
                                           sh->sessions);
    }

    return NGX_OK;
}
