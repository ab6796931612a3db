
/*
 * Copyright (C) The nginx-osp authors
 */


/* Balancing methods: which of the servers that may be taken is the one. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_table_int.h"


/* fixed point numbers of the weighted hash */
#define NGX_RTMP_ROUTE_LOG_BITS   26


typedef struct {
    uint64_t                         hash;
    uint64_t                         log;
    uint32_t                         weight;
    unsigned                         known:1;     /* the log */
} ngx_rtmp_route_rank_t;


static ngx_int_t ngx_rtmp_route_pick_hash(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup);
static ngx_uint_t ngx_rtmp_route_hash_better(ngx_rtmp_route_rank_t *rank,
    ngx_rtmp_route_rank_t *best);
static uint64_t ngx_rtmp_route_hash_log(ngx_rtmp_route_rank_t *rank);
static ngx_int_t ngx_rtmp_route_pick_conns(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup);
static ngx_int_t ngx_rtmp_route_pick_turn(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup, ngx_int_t like);
static ngx_int_t ngx_rtmp_route_pick_random(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup);


#define ngx_rtmp_route_in_class(sh, i, backup)                                \
    (!(ngx_rtmp_route_hot(sh, i)->flags & NGX_RTMP_ROUTE_SERVER_BACKUP)       \
     == !(backup))


void
ngx_rtmp_route_method_keys(ngx_rtmp_route_hot_t *hot, u_char *id, size_t len)
{
    u_char  *p;

    hot->key = ngx_rtmp_route_method_key(id, len);

    /* a name that has several addresses: "name#addr" */

    p = ngx_strlchr(id, id + len, '#');

    hot->group = p ? ngx_rtmp_route_method_key(id, p - id) : hot->key;
}


uint64_t
ngx_rtmp_route_method_key(u_char *text, size_t len)
{
    uint64_t  seed[2];

    seed[0] = 0;
    seed[1] = 0;

    return ngx_rtmp_route_siphash(seed, text, len);
}


/* an index or NGX_ERROR; a question takes no turn */

ngx_int_t
ngx_rtmp_route_pick_method(ngx_rtmp_route_table_t *table,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup)
{
    ngx_rtmp_route_shm_t  *sh;

    sh = table->sh;

    switch (table->method) {

    case NGX_RTMP_ROUTE_LEAST_CONN:
        return ngx_rtmp_route_pick_conns(sh, query, choice, backup);

    case NGX_RTMP_ROUTE_ROUND_ROBIN:
        return ngx_rtmp_route_pick_turn(sh, query, choice, backup, NGX_ERROR);

    case NGX_RTMP_ROUTE_RANDOM:
        return ngx_rtmp_route_pick_random(sh, query, choice, backup);

    default: /* NGX_RTMP_ROUTE_HASH */

        /* without a stream there is nothing to be hashed */

        if (query->key.len == 0) {
            return ngx_rtmp_route_pick_conns(sh, query, choice, backup);
        }

        return ngx_rtmp_route_pick_hash(sh, query, choice, backup);
    }
}


/*
 * Weighted rendezvous: each server has a hash for the stream, the least
 * -log(hash) / weight wins.  Proxies with the same servers agree, and a server
 * that comes or goes moves only its own streams.
 */

static ngx_int_t
ngx_rtmp_route_pick_hash(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup)
{
    uint64_t                key;
    ngx_int_t               found;
    ngx_uint_t              i;
    ngx_rtmp_route_hot_t   *hot;
    ngx_rtmp_route_rank_t   rank, best;

    key = ngx_rtmp_route_method_key(query->key.data, query->key.len);

    found = NGX_ERROR;
    ngx_memzero(&best, sizeof(ngx_rtmp_route_rank_t));

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!hot->valid) {
            continue;
        }

        /* the mixing at the end of MurmurHash3 */

        rank.hash = key ^ hot->key;
        rank.hash ^= rank.hash >> 33;
        rank.hash *= 0xff51afd7ed558ccdULL;
        rank.hash ^= rank.hash >> 33;
        rank.hash *= 0xc4ceb9fe1a85ec53ULL;
        rank.hash ^= rank.hash >> 33;

        rank.weight = ngx_rtmp_route_weight(hot);
        rank.known = 0;

        if (found != NGX_ERROR && !ngx_rtmp_route_hash_better(&rank, &best)) {
            continue;
        }

        if (ngx_rtmp_route_in_class(sh, i, backup)
            && ngx_rtmp_route_eligible(sh, query, choice, i,
                                       NGX_RTMP_ROUTE_FOR_NEW))
        {
            best = rank;
            found = i;
        }
    }

    return found;
}


static ngx_uint_t
ngx_rtmp_route_hash_better(ngx_rtmp_route_rank_t *rank,
    ngx_rtmp_route_rank_t *best)
{
    uint64_t  a, b;

    if (rank->weight == best->weight) {
        return rank->hash > best->hash;
    }

    if (rank->hash <= best->hash && rank->weight < best->weight) {
        return 0;
    }

    /* crosswise instead of a division */

    b = ngx_rtmp_route_hash_log(best) * rank->weight;

    /* -log2(x) is at least (1 - x) / ln(2), which is enough for most */

    a = ((~rank->hash >> (64 - NGX_RTMP_ROUTE_LOG_BITS)) * 5909) >> 12;

    if (a * best->weight > b) {
        return 0;
    }

    a = ngx_rtmp_route_hash_log(rank) * best->weight;

    return a < b || (a == b && rank->hash > best->hash);
}


/*
 * -log2((hash + 1) / 2^64) in integers, so that all machines get the same.
 * At most 2^32, so a product with a weight does not overflow.
 */

static uint64_t
ngx_rtmp_route_hash_log(ngx_rtmp_route_rank_t *rank)
{
    uint64_t    hash, m, log;
    ngx_uint_t  n;

    if (rank->known) {
        return rank->log;
    }

    rank->known = 1;
    rank->log = 0;

    hash = rank->hash;

    if (hash == (uint64_t) -1) {
        return 0;
    }

    hash++;

    for (n = 63; !(hash >> 63); n--) {
        hash <<= 1;
    }

    log = (uint64_t) n << NGX_RTMP_ROUTE_LOG_BITS;

    /* the mantissa in [1, 2): each squaring gives a digit of its log */

    m = hash >> 32;

    for (n = NGX_RTMP_ROUTE_LOG_BITS; n-- > 0; /* void */ ) {
        m = (m * m) >> 31;

        if (m >> 32) {
            m >>= 1;
            log |= (uint64_t) 1 << n;
        }
    }

    rank->log = ((uint64_t) 64 << NGX_RTMP_ROUTE_LOG_BITS) - log;

    return rank->log;
}


static ngx_int_t
ngx_rtmp_route_pick_conns(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup)
{
    uint64_t               a, b;
    ngx_int_t              found;
    ngx_uint_t             i, many;
    ngx_rtmp_route_hot_t  *hot, *best;

    best = NULL;
    many = 0;
    found = NGX_ERROR;

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!ngx_rtmp_route_in_class(sh, i, backup)
            || !ngx_rtmp_route_eligible(sh, query, choice, i,
                                        NGX_RTMP_ROUTE_FOR_NEW))
        {
            continue;
        }

        if (best) {
            a = (uint64_t) hot->conns * ngx_rtmp_route_weight(best);
            b = (uint64_t) best->conns * ngx_rtmp_route_weight(hot);

            if (a == b) {
                many = 1;
                continue;
            }

            if (a > b) {
                continue;
            }
        }

        best = hot;
        many = 0;
        found = i;
    }

    if (many) {
        return ngx_rtmp_route_pick_turn(sh, query, choice, backup, found);
    }

    return found;
}


/* smooth weighted round robin, of all or of those as busy as one */

static ngx_int_t
ngx_rtmp_route_pick_turn(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup, ngx_int_t like)
{
    int64_t                total, current, most;
    uint32_t               weight;
    ngx_int_t              found;
    ngx_uint_t             i;
    ngx_rtmp_route_hot_t  *hot, *model;

    total = 0;
    most = 0;
    found = NGX_ERROR;
    model = (like == NGX_ERROR) ? NULL : ngx_rtmp_route_hot(sh, like);

    for (i = 0; i < sh->server_top; i++) {
        hot = ngx_rtmp_route_hot(sh, i);

        if (!ngx_rtmp_route_in_class(sh, i, backup)
            || !ngx_rtmp_route_eligible(sh, query, choice, i,
                                        NGX_RTMP_ROUTE_FOR_NEW))
        {
            continue;
        }

        weight = ngx_rtmp_route_weight(hot);

        if (model
            && (uint64_t) hot->conns * ngx_rtmp_route_weight(model)
               != (uint64_t) model->conns * weight)
        {
            continue;
        }

        current = hot->current_weight + weight;
        total += weight;

        if (!ngx_rtmp_route_asks(query)) {
            hot->current_weight = current;
        }

        if (found == NGX_ERROR || current > most) {
            most = current;
            found = i;
        }
    }

    if (found != NGX_ERROR && !ngx_rtmp_route_asks(query)) {
        ngx_rtmp_route_hot(sh, found)->current_weight -= total;
    }

    return found;
}


static ngx_int_t
ngx_rtmp_route_pick_random(ngx_rtmp_route_shm_t *sh,
    ngx_rtmp_route_query_t *query, ngx_rtmp_route_choice_t *choice,
    ngx_uint_t backup)
{
    uint64_t               total, point;
    uint32_t               weight;
    ngx_uint_t             i, pass;
    ngx_rtmp_route_hot_t  *hot;

    total = 0;
    point = 0;

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < sh->server_top; i++) {
            hot = ngx_rtmp_route_hot(sh, i);

            if (!ngx_rtmp_route_in_class(sh, i, backup)
                || !ngx_rtmp_route_eligible(sh, query, choice, i,
                                            NGX_RTMP_ROUTE_FOR_NEW))
            {
                continue;
            }

            weight = ngx_rtmp_route_weight(hot);

            if (pass == 0) {
                total += weight;
                continue;
            }

            if (point < weight) {
                return i;
            }

            point -= weight;
        }

        if (total == 0) {
            break;
        }

        point = ((uint64_t) ngx_random() << 31 ^ (uint64_t) ngx_random())
                % total;
    }

    return NGX_ERROR;
}
