
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "ngx_osp_core_ask.h"
#include "ngx_rtmp_route_slot.h"


#define NGX_OSP_CORE_MAGIC     0x61736b6f
#define NGX_OSP_CORE_LAYOUT    3

#define NGX_OSP_CORE_SEED      32
#define NGX_OSP_CORE_WAYS      8
#define NGX_OSP_CORE_SERVICES  2

/* no moment is farther away; clocks of two processes may differ a little */
#define NGX_OSP_CORE_FAR       60000

/* those that no process of ours has */
#define NGX_OSP_CORE_NO_SLOT   0xffffffff


/* state: 0, or the kind and 1 */

typedef struct {
    ngx_osp_core_digest_t       digest;
    uint64_t                    deadline;
    uint32_t                    slot;
    uint32_t                    generation;
    uint32_t                    number;
    uint32_t                    who;
    uint32_t                    reserved;
    uint32_t                    state;
} ngx_osp_core_question_t;


typedef struct {
    ngx_osp_core_digest_t       digest;
    uint64_t                    until;
    uint32_t                    reserved;
    uint32_t                    state;     /* 0: free, or the answer */
} ngx_osp_core_answer_t;


typedef struct {
    uint64_t                    until;     /* no question before */
    uint32_t                    failures;  /* in a row */
    uint32_t                    reserved;
} ngx_osp_core_health_t;


struct ngx_osp_core_asks_sh_s {
    uint32_t                    magic;
    uint32_t                    layout;
    uint32_t                    sizes;
    uint32_t                    number;    /* of the last question */
    uint32_t                    nsets;
    uint32_t                    excess;    /* of unknown names, in 1/1000 */
    uint64_t                    last;      /* when that was true */
    u_char                      seed[NGX_OSP_CORE_SEED];
    ngx_osp_core_shared_t       shared;
    ngx_osp_core_health_t       health[NGX_OSP_CORE_SERVICES];
    ngx_osp_core_question_t     questions[NGX_OSP_CORE_QUESTIONS];
    ngx_osp_core_answer_t       answers[1];
};


/* both kinds of checks are the same to the core, and have the same answer */

#define ngx_osp_core_service(kind)  ((kind) == NGX_OSP_CORE_AUTH)

#define ngx_osp_core_sizes()                                                  \
    ((uint32_t) (sizeof(ngx_osp_core_asks_sh_t)                               \
                 + 31 * sizeof(ngx_osp_core_answer_t)                         \
                 + NGX_OSP_CORE_QUESTIONS))


/* tests kill a process wherever a change is half done */

#if (NGX_RTMP_ROUTE_DEBUG_KILL)

extern ngx_uint_t  ngx_rtmp_route_kill_after;

#define ngx_osp_core_point()                                                  \
    do {                                                                      \
        if (ngx_rtmp_route_kill_after && --ngx_rtmp_route_kill_after == 0) {  \
            (void) kill(getpid(), SIGKILL);                                   \
        }                                                                     \
    } while (0)

#else

#define ngx_osp_core_point()

#endif


static ngx_int_t ngx_osp_core_ask_known(ngx_osp_core_asks_sh_t *sh,
    ngx_osp_core_digest_t *digest);
static ngx_int_t ngx_osp_core_ask_place(ngx_osp_core_asks_sh_t *sh,
    ngx_uint_t kind, uint32_t who, ngx_osp_core_digest_t *digest,
    ngx_osp_core_ask_t *ask);
static ngx_uint_t ngx_osp_core_ask_rate(ngx_osp_core_asks_sh_t *sh);
static ngx_uint_t ngx_osp_core_ask_is(ngx_osp_core_digest_t *one,
    ngx_osp_core_digest_t *two);
static ngx_osp_core_answer_t *ngx_osp_core_ask_set(ngx_osp_core_asks_sh_t *sh,
    ngx_osp_core_digest_t *digest);
static ngx_uint_t ngx_osp_core_ask_valid(ngx_osp_core_answer_t *a);
static void ngx_osp_core_ask_put(ngx_osp_core_asks_sh_t *sh,
    ngx_osp_core_digest_t *digest, ngx_uint_t answer, ngx_msec_t ttl);
static ngx_int_t ngx_osp_core_ask_health(ngx_osp_core_asks_sh_t *sh,
    ngx_uint_t kind, ngx_uint_t answer);


/* questions at a time of each kind, so that none stands in another's way */

static ngx_uint_t  ngx_osp_core_limits[] = { 24, 64, 32 };


ngx_int_t
ngx_osp_core_asks_init(ngx_osp_core_asks_t *asks, ngx_slab_pool_t *shpool)
{
    size_t                   size, n;
    ngx_osp_core_asks_sh_t  *sh;

    asks->shpool = shpool;

    sh = shpool->data;

    if (sh) {

        if (sh->magic != NGX_OSP_CORE_MAGIC
            || sh->layout != NGX_OSP_CORE_LAYOUT
            || sh->sizes != ngx_osp_core_sizes())
        {
            return NGX_DECLINED;
        }

        asks->sh = sh;

        return NGX_OK;
    }

    /* all in one piece: the slab allocator is not used again */

    size = shpool->pfree * ngx_pagesize;

    if (size < sizeof(ngx_osp_core_asks_sh_t)
               + NGX_OSP_CORE_WAYS * sizeof(ngx_osp_core_answer_t))
    {
        return NGX_ERROR;
    }

    sh = ngx_slab_alloc(shpool, size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    n = (size - sizeof(ngx_osp_core_asks_sh_t))
        / (NGX_OSP_CORE_WAYS * sizeof(ngx_osp_core_answer_t));

    ngx_memzero(sh, size);

    if (RAND_bytes(sh->seed, NGX_OSP_CORE_SEED) != 1) {
        ngx_slab_free(shpool, sh);
        return NGX_ERROR;
    }

    sh->nsets = (uint32_t) n;
    sh->layout = NGX_OSP_CORE_LAYOUT;
    sh->sizes = ngx_osp_core_sizes();
    sh->magic = NGX_OSP_CORE_MAGIC;

    asks->sh = sh;
    shpool->data = sh;

    return NGX_OK;
}


/* with the length of each part, so that none runs into the next */

ngx_int_t
ngx_osp_core_ask_digest(ngx_osp_core_asks_t *asks, ngx_uint_t kind,
    ngx_str_t *parts, ngx_uint_t n, ngx_osp_core_digest_t *digest)
{
    u_char      *p;
    uint32_t     len;
    ngx_int_t    rc;
    ngx_uint_t   i;
    u_char       md[EVP_MAX_MD_SIZE];
    u_char       buf[NGX_OSP_CORE_SEED + 1 + NGX_OSP_CORE_PARTS_LEN];

    p = ngx_cpymem(buf, asks->sh->seed, NGX_OSP_CORE_SEED);
    *p++ = (u_char) ngx_osp_core_service(kind);

    for (i = 0; i < n; i++) {

        if (sizeof(uint32_t) + parts[i].len > (size_t) (buf + sizeof(buf) - p))
        {
            return NGX_DECLINED;
        }

        len = (uint32_t) parts[i].len;

        p = ngx_cpymem(p, &len, sizeof(uint32_t));
        p = ngx_cpymem(p, parts[i].data, parts[i].len);
    }

    rc = NGX_ERROR;

    if (EVP_Digest(buf, p - buf, md, NULL, EVP_sha256(), NULL) == 1) {
        ngx_memcpy(digest, md, sizeof(ngx_osp_core_digest_t));
        rc = NGX_OK;
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    return rc;
}


ngx_int_t
ngx_osp_core_ask_begin(ngx_osp_core_asks_t *asks, ngx_uint_t kind,
    uint32_t who, ngx_osp_core_digest_t *digest, ngx_osp_core_ask_t *ask)
{
    ngx_int_t  rc;

    ngx_shmtx_lock(&asks->shpool->mutex);

    rc = ngx_osp_core_ask_known(asks->sh, digest);

    if (rc == NGX_DONE) {
        rc = ngx_osp_core_ask_place(asks->sh, kind, who, digest, ask);
    }

    ngx_osp_core_point();

    ngx_shmtx_unlock(&asks->shpool->mutex);

    return rc;
}


/* NGX_DONE: there is no answer */

static ngx_int_t
ngx_osp_core_ask_known(ngx_osp_core_asks_sh_t *sh,
    ngx_osp_core_digest_t *digest)
{
    ngx_uint_t              i;
    ngx_osp_core_answer_t  *a;

    a = ngx_osp_core_ask_set(sh, digest);

    for (i = 0; i < NGX_OSP_CORE_WAYS; i++, a++) {

        if (!ngx_osp_core_ask_valid(a)
            || !ngx_osp_core_ask_is(&a->digest, digest))
        {
            continue;
        }

        switch (a->state) {

        case NGX_OSP_CORE_YES:
            return NGX_OK;

        case NGX_OSP_CORE_NO:
            return NGX_DECLINED;

        default:
            return NGX_BUSY;
        }
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_osp_core_ask_place(ngx_osp_core_asks_sh_t *sh, ngx_uint_t kind,
    uint32_t who, ngx_osp_core_digest_t *digest, ngx_osp_core_ask_t *ask)
{
    uint32_t                  slot;
    uint64_t                  now;
    ngx_uint_t                i, n, own, same, whose, service, down;
    ngx_osp_core_health_t    *health;
    ngx_osp_core_question_t  *q, *place;

    now = ngx_current_msec;
    slot = (uint32_t) ngx_rtmp_route_slot();

    service = ngx_osp_core_service(kind);
    health = &sh->health[service];
    down = (health->failures >= NGX_OSP_CORE_FAILURES);

    place = NULL;
    n = 0;
    own = 0;
    same = 0;
    whose = 0;

    for (i = 0; i < NGX_OSP_CORE_QUESTIONS; i++) {
        q = &sh->questions[i];

        if (q->state
            && (q->deadline <= now || q->deadline - now > NGX_OSP_CORE_FAR))
        {
            q->state = 0;
            ngx_osp_core_point();
        }

        if (q->state == 0) {
            place = q;
            continue;
        }

        if (ngx_osp_core_ask_is(&q->digest, digest)) {
            return down ? NGX_BUSY : NGX_AGAIN;
        }

        n += (q->state == kind + 1);
        own += (q->slot == slot);
        whose += (who && q->who == who);
        same += (ngx_osp_core_service(q->state - 1) == service);
    }

    if (down
        && (same || (health->until > now
                     && health->until - now <= NGX_OSP_CORE_FAR)))
    {
        return NGX_BUSY;
    }

    if (place == NULL
        || n >= ngx_osp_core_limits[kind]
        || own >= NGX_OSP_CORE_OWN
        || whose >= NGX_OSP_CORE_ADDRESS
        || (kind == NGX_OSP_CORE_CHECK && !ngx_osp_core_ask_rate(sh)))
    {
        return NGX_ABORT;
    }

    ask->digest = *digest;
    ask->kind = kind;
    ask->index = (uint32_t) (place - sh->questions);
    ask->number = ++sh->number;
    ask->probe = (down ? 1 : 0);

    ngx_osp_core_point();

    place->digest = *digest;
    place->deadline = now + NGX_OSP_CORE_ASK_TIME + NGX_OSP_CORE_ASK_GRACE;
    ngx_osp_core_point();
    place->slot = slot;
    place->generation = ngx_rtmp_route_slot_generation(slot);
    place->number = ask->number;
    place->who = who;

    ngx_memory_barrier();
    ngx_osp_core_point();

    place->state = (uint32_t) kind + 1;

    return NGX_DONE;
}


/* as limit_req does */

static ngx_uint_t
ngx_osp_core_ask_rate(ngx_osp_core_asks_sh_t *sh)
{
    uint64_t  now, passed, excess;

    now = ngx_current_msec;

    passed = (now > sh->last) ? now - sh->last : 0;
    passed = ngx_min(passed, 1000 * NGX_OSP_CORE_BURST) * NGX_OSP_CORE_RATE;

    excess = sh->excess;
    excess = (excess > passed) ? excess - passed : 0;

    if (excess + 1000 > 1000 * NGX_OSP_CORE_BURST) {
        return 0;
    }

    sh->excess = (uint32_t) excess + 1000;
    sh->last = ngx_max(now, sh->last);

    return 1;
}


static ngx_uint_t
ngx_osp_core_ask_is(ngx_osp_core_digest_t *one, ngx_osp_core_digest_t *two)
{
    return one->half[0] == two->half[0] && one->half[1] == two->half[1];
}


static ngx_osp_core_answer_t *
ngx_osp_core_ask_set(ngx_osp_core_asks_sh_t *sh, ngx_osp_core_digest_t *digest)
{
    return &sh->answers[digest->half[0] % sh->nsets * NGX_OSP_CORE_WAYS];
}


static ngx_uint_t
ngx_osp_core_ask_valid(ngx_osp_core_answer_t *a)
{
    uint64_t  now;

    now = ngx_current_msec;

    return a->state && a->until > now && a->until - now <= NGX_OSP_CORE_FAR;
}


ngx_int_t
ngx_osp_core_ask_end(ngx_osp_core_asks_t *asks, ngx_osp_core_ask_t *ask,
    ngx_uint_t answer, ngx_msec_t ttl)
{
    ngx_int_t                 rc;
    ngx_osp_core_question_t  *q;

    ngx_shmtx_lock(&asks->shpool->mutex);

    /* the answer comes before the question goes: nobody asks in between */

    ngx_osp_core_ask_put(asks->sh, &ask->digest, answer, ttl);

    asks->sh->shared.answers[ngx_min(answer, NGX_OSP_CORE_FAILED)
                             - NGX_OSP_CORE_YES]++;

    rc = ngx_osp_core_ask_health(asks->sh, ask->kind, answer);

    ngx_osp_core_point();

    q = &asks->sh->questions[ask->index];

    if (q->state && q->number == ask->number) {
        q->state = 0;
    }

    ngx_osp_core_point();

    ngx_shmtx_unlock(&asks->shpool->mutex);

    return rc;
}


/* a "yes" that is good gives way to another "yes" only */

static void
ngx_osp_core_ask_put(ngx_osp_core_asks_sh_t *sh,
    ngx_osp_core_digest_t *digest, ngx_uint_t answer, ngx_msec_t ttl)
{
    ngx_uint_t              i, yes;
    ngx_osp_core_answer_t  *a, *place;

    a = ngx_osp_core_ask_set(sh, digest);

    place = NULL;
    yes = 0;

    for (i = 0; i < NGX_OSP_CORE_WAYS; i++, a++) {

        if (a->state && ngx_osp_core_ask_is(&a->digest, digest)) {
            a->state = 0;
            ngx_memory_barrier();
            ngx_osp_core_point();

            place = a;
            break;
        }

        if (!ngx_osp_core_ask_valid(a)) {
            a->state = 0;
        }

        if (place && place->state == 0) {
            continue;
        }

        if (place == NULL
            || a->state == 0
            || (yes && a->state != NGX_OSP_CORE_YES)
            || (yes == (a->state == NGX_OSP_CORE_YES)
                && a->until < place->until))
        {
            place = a;
            yes = (a->state == NGX_OSP_CORE_YES);
        }
    }

    if (ttl == 0
        || (place->state == NGX_OSP_CORE_YES && answer != NGX_OSP_CORE_YES))
    {
        return;
    }

    place->state = 0;

    ngx_memory_barrier();
    ngx_osp_core_point();

    place->digest = *digest;
    ngx_osp_core_point();
    place->until = (uint64_t) ngx_current_msec + ttl;

    ngx_memory_barrier();
    ngx_osp_core_point();

    place->state = (uint32_t) answer;
}


static ngx_int_t
ngx_osp_core_ask_health(ngx_osp_core_asks_sh_t *sh, ngx_uint_t kind,
    ngx_uint_t answer)
{
    uint32_t                failures;
    ngx_osp_core_health_t  *health;

    health = &sh->health[ngx_osp_core_service(kind)];
    failures = health->failures;

    switch (answer) {

    case NGX_OSP_CORE_DOWN:

        health->until = (uint64_t) ngx_current_msec
                        + NGX_OSP_CORE_FAILED_TIME;

        if (failures < NGX_OSP_CORE_FAILURES) {
            health->failures = failures + 1;
        }

        return (failures + 1 == NGX_OSP_CORE_FAILURES) ? NGX_DONE : NGX_OK;

    case NGX_OSP_CORE_FAILED:

        /* of this question only: it says nothing of others */

        return NGX_OK;

    default:

        health->failures = 0;

        return (failures >= NGX_OSP_CORE_FAILURES) ? NGX_DONE : NGX_OK;
    }
}


ngx_int_t
ngx_osp_core_ask_sweep(ngx_osp_core_asks_t *asks)
{
    ngx_uint_t                i, found, flying;
    ngx_osp_core_question_t  *q, questions[NGX_OSP_CORE_QUESTIONS];

    ngx_shmtx_lock(&asks->shpool->mutex);

    ngx_memcpy(questions, asks->sh->questions, sizeof(questions));

    ngx_shmtx_unlock(&asks->shpool->mutex);

    found = 0;
    flying = 0;

    for (i = 0; i < NGX_OSP_CORE_QUESTIONS; i++) {
        q = &questions[i];

        if (q->state == 0) {
            continue;
        }

        if (q->deadline > ngx_current_msec
            && (q->slot == NGX_OSP_CORE_NO_SLOT
                || ngx_rtmp_route_slot_alive(q->slot, q->generation)))
        {
            flying = 1;
            continue;
        }

        found = 1;

        ngx_shmtx_lock(&asks->shpool->mutex);

        if (asks->sh->questions[i].number == q->number) {
            asks->sh->questions[i].state = 0;
        }

        ngx_shmtx_unlock(&asks->shpool->mutex);
    }

    return found ? NGX_OK : flying ? NGX_AGAIN : NGX_DECLINED;
}


ngx_osp_core_shared_t *
ngx_osp_core_asks_shared(ngx_osp_core_asks_t *asks)
{
    return &asks->sh->shared;
}


void
ngx_osp_core_ask_stat(ngx_osp_core_asks_t *asks, ngx_osp_core_ask_stat_t *stat)
{
    ngx_uint_t               i;
    ngx_osp_core_answer_t   *a;
    ngx_osp_core_asks_sh_t  *sh;

    sh = asks->sh;

    ngx_memzero(stat, sizeof(ngx_osp_core_ask_stat_t));

    stat->size = (ngx_uint_t) sh->nsets * NGX_OSP_CORE_WAYS;

    ngx_shmtx_lock(&asks->shpool->mutex);

    for (i = 0; i < NGX_OSP_CORE_QUESTIONS; i++) {
        stat->questions += (sh->questions[i].state != 0);
    }

    ngx_shmtx_unlock(&asks->shpool->mutex);

    for (i = 0; i < stat->size; i++) {
        a = &sh->answers[i];

        if (!ngx_osp_core_ask_valid(a)) {
            continue;
        }

        stat->yes += (a->state == NGX_OSP_CORE_YES);
        stat->no += (a->state == NGX_OSP_CORE_NO);
        stat->failed += (a->state > NGX_OSP_CORE_NO);
    }
}
