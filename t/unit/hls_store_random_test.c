
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_http_hls_store.c ngx_http_hls_store_body.c */
/* sources: ngx_http_hls_store_cell.c ngx_http_hls_store_check.c */
/* sources: ngx_http_hls_store_entry.c ngx_http_hls_store_extent.c */
/* sources: ngx_http_hls_store_fill.c ngx_http_hls_store_links.c */
/* sources: ngx_http_hls_store_rebuild.c ngx_http_hls_store_ref.c */
/* sources: ngx_http_hls_store_stream.c ngx_http_hls_store_sweep.c */
/* sources: ngx_http_hls_store_walk.c ngx_http_hls_window.c */
/* sources: ngx_rtmp_route_zone.c */


/*
 * Random calls of the cache's store beside a model of it: in a roomy store
 * all must be as in the model, in a small one what is there must be.
 * TEST_CALLS says how many, TEST_SEED repeats a run.
 */


#include "hls_store.h"


#define CALLS    40000
#define KEYS     400
#define STREAMS  6
#define HELD     40


typedef struct {
    ngx_uint_t             exists;
    ngx_uint_t             body;
    ngx_uint_t             note;
    ngx_uint_t             status;
    ngx_uint_t             stream;     /* 0: none */
    u_char                 seed;
    size_t                 len;
    ngx_http_hls_times_t   times;

    uint32_t               seq;        /* of the entry */

    ngx_uint_t             orphan;     /* dropped while it was claimed */
    ngx_uint_t             claimed;    /* by what follows */
    ngx_http_hls_found_t   found;
    ngx_http_hls_body_t    fill;
    ngx_uint_t             shared;
    u_char                 fill_seed;
    size_t                 fill_total;
    size_t                 fill_len;
} model_t;


typedef struct {
    ngx_http_hls_found_t   found;
    u_char                 seed;
    size_t                 len;
    ngx_uint_t             key;
    ngx_uint_t             filling;
} hold_t;


static void run(const char *what, size_t size, ngx_uint_t keys, size_t most,
    ngx_uint_t calls);
static void call(void);
static void compare(ngx_uint_t n);
static ngx_uint_t expected(model_t *m);
static ngx_uint_t over(model_t *m);
static void drop(model_t *m);
static void claim(ngx_uint_t n);
static void fill(ngx_uint_t n);
static void fill_end(ngx_uint_t n);
static void held(void);
static void touch(ngx_uint_t n);
static void note(ngx_uint_t n);
static void purge(ngx_uint_t n);
static void purge_stream(void);
static void pass(void);
static void counters(void);
static void set_times(model_t *m, ngx_http_hls_times_t *times,
    ngx_uint_t keep);
static ngx_http_hls_times_t *some_times(void);
static char *key(ngx_uint_t n);
static char *stream_name(ngx_uint_t n);
static uint32_t stream_cell(ngx_uint_t n);
static ngx_uint_t some(ngx_uint_t n);
static void wrong(const char *what, ngx_uint_t n);


static ngx_http_hls_store_t  store;
static model_t               models[KEYS];
static hold_t                holds[HELD];
static ngx_uint_t            nholds;
static ngx_uint_t            nkeys;
static ngx_uint_t            nwrong;
static ngx_uint_t            ncalls;
static size_t                most_len;
static ngx_uint_t            roomy;


int
main(void)
{
    char        *value;
    ngx_uint_t   calls, seed;

    unit_init();
    unit_log.log_level = NGX_LOG_EMERG;
    unit_tick(100000);

    value = getenv("TEST_CALLS");
    calls = value ? strtoul(value, NULL, 10) : CALLS;

    value = getenv("TEST_SEED");
    seed = value ? strtoul(value, NULL, 10) : (ngx_uint_t) time(NULL);

    diag("seed %lu", (unsigned long) seed);
    srandom(seed);

    run("roomy store", 16 * 1024 * 1024, 60, 20000, calls);
    run("small store", 1024 * 1024, KEYS, 100000, calls);
    run("small objects", 1024 * 1024, KEYS, 500, calls);

    return done();
}


static void
run(const char *what, size_t size, ngx_uint_t keys, size_t most,
    ngx_uint_t calls)
{
    ngx_uint_t  i;

    store_make(&store, size);
    store_slot();

    ngx_memzero(models, sizeof(models));

    nkeys = keys;
    most_len = most;
    nholds = 0;
    nwrong = 0;
    roomy = (keys < KEYS);

    for (ncalls = 0; ncalls < calls && nwrong == 0; ncalls++) {
        call();

        if (ncalls % 512 == 0) {

            if (ngx_http_hls_store_check(&store) != NGX_OK) {
                wrong("check", 0);
            }

            counters();
        }
    }

    is_uint(nwrong, 0, "%s: as in the model, %lu calls", what,
            (unsigned long) ncalls);

    diag("%lu filled, %lu failed, %lu evicted, %lu passed",
         (unsigned long) store.sh->filled, (unsigned long) store.sh->failed,
         (unsigned long) store.sh->evicted, (unsigned long) store.sh->passed);

    while (nholds) {
        ngx_http_hls_store_release(&store, &holds[--nholds].found.body);
    }

    for (i = 0; i < nkeys; i++) {

        if (models[i].claimed) {
            ngx_http_hls_store_abandon(&store, &models[i].found,
                                       &models[i].fill);
        }
    }

    (void) ngx_http_hls_store_purge_all(&store);
    unit_tick(NGX_HTTP_HLS_IDLE);
    ngx_http_hls_store_sweep(&store);

    ok(ngx_http_hls_store_check(&store) == NGX_OK, "%s: consistent", what);
    is_uint(stat_of(&store)->used, 0, "%s: no pages", what);
    is_uint(resident(&store), 0, "%s: no memory", what);
    is_uint(stat_of(&store)->refs, 0, "%s: no references", what);
    is_uint(stat_of(&store)->cells_used, 0, "%s: no cells", what);

    store_free(&store);
}


static void
call(void)
{
    ngx_uint_t  n;

    n = some(nkeys);

    switch (some(20)) {

    case 0:
    case 1:
    case 2:
    case 3:
        compare(n);
        break;

    case 4:
    case 5:
    case 6:
    case 7:
        claim(n);
        break;

    case 8:
    case 9:
    case 10:
    case 11:
        n = some(nkeys);
        fill(n);
        break;

    case 12:
    case 13:
    case 14:
        held();
        break;

    case 15:
        touch(n);
        break;

    case 16:
        note(n);
        break;

    case 17:
        if (some(3) == 0) {
            purge(n);
        }

        break;

    case 18:
        if (some(40) == 0) {
            purge_stream();
        }

        break;

    default:
        pass();
        break;
    }

    /* fills do not go on for ever */

    for (n = 0; n < nkeys; n++) {
        if (models[n].claimed && some(20) == 0) {
            fill(n);
        }
    }
}


/* a look-up that changes nothing; what is found may be held */

static void
compare(ngx_uint_t n)
{
    size_t                 len;
    model_t               *m;
    ngx_int_t              rc;
    ngx_uint_t             state;
    ngx_http_hls_found_t   found;

    m = &models[n];
    state = expected(m);

    rc = ngx_http_hls_store_lookup(&store, key_of(&store, key(n)), 1, 0, 0,
                                   some(2), &found);

    if (rc != NGX_OK) {

        if (roomy) {
            wrong("no room", n);
        }

        return;
    }

    /* evicted */

    if (!roomy && found.seq != m->seq) {
        drop(m);
        state = NONE;
    }

    if (found.state != state) {
        diag("state %lu, not %lu", (unsigned long) found.state,
             (unsigned long) state);
        wrong("state", n);
    }

    if (state == NONE && !m->exists) {
        return;
    }

    if (memcmp(&found.times, &m->times, sizeof(ngx_http_hls_times_t)) != 0) {
        wrong("times", n);
    }

    if ((found.stream != 0) != (m->stream != 0)
        || (m->stream && found.stream != stream_cell(m->stream)))
    {
        wrong("stream", n);
    }

    if (found.state == FRESH && !m->body && found.status != m->status) {
        wrong("status", n);
    }

    if (state == FILLING) {

        len = m->fill_len;

        if ((found.body.body != 0) != (m->fill.body && m->shared)
            || (found.body.body
                && (found.body.state != NGX_HTTP_HLS_BODY_FILLING
                    || !good(&found.body, m->fill_seed, len))))
        {
            wrong("body of fill", n);
        }

    } else if (state == NONE || !m->body) {

        if (found.body.body) {
            wrong("no body", n);
        }

    } else if (!good(&found.body, m->seed, m->len)
               || found.body.total != (off_t) m->len
               || found.body.state != NGX_HTTP_HLS_BODY_DONE)
    {
        wrong("body", n);
    }

    if (found.body.body == 0) {
        return;
    }

    if (nholds < HELD && some(2)) {
        holds[nholds].found = found;
        holds[nholds].key = n;
        holds[nholds].filling = (state == FILLING);
        holds[nholds].seed = (state == FILLING) ? m->fill_seed : m->seed;
        holds[nholds].len = found.body.len;
        nholds++;
        return;
    }

    ngx_http_hls_store_release(&store, &found.body);
}


static ngx_uint_t
expected(model_t *m)
{
    ngx_uint_t  fresh, body;

    if (!m->exists) {
        return NONE;
    }

    fresh = m->times.fresh > ngx_current_msec;
    body = m->body && (fresh || m->times.stale > ngx_current_msec);

    if (fresh && (body || m->status)) {
        return FRESH;
    }

    if (m->claimed && !m->orphan) {
        return body ? UPDATING : FILLING;
    }

    return body ? STALE : NONE;
}


static ngx_uint_t
over(model_t *m)
{
    if (m->claimed && !m->orphan) {
        return 0;
    }

    if ((m->body || m->status) && m->times.fresh > ngx_current_msec) {
        return 0;
    }

    if ((m->body || m->note) && m->times.stale > ngx_current_msec) {
        return 0;
    }

    return 1;
}


/* a fill that goes on will hear of it */

static void
drop(model_t *m)
{
    m->exists = 0;
    m->orphan = m->claimed;
    m->seq = 0;
    m->body = 0;
    m->note = 0;
    m->status = 0;
    m->stream = 0;

    ngx_memzero(&m->times, sizeof(ngx_http_hls_times_t));
}


static void
claim(ngx_uint_t n)
{
    model_t     *m;
    ngx_uint_t   state, how;

    m = &models[n];

    if (m->claimed) {
        return;
    }

    how = some(6) ? CLAIM : REFRESH;
    state = expected(m);

    if (state == FRESH && how == CLAIM) {
        return;
    }

    if (look(&store, key(n), how, &m->found) == (ngx_uint_t) -1) {

        if (roomy) {
            wrong("no room", n);
        }

        return;
    }

    if (m->found.state != CLAIMED) {
        wrong("claim", n);
        return;
    }

    if (m->exists && m->found.seq != m->seq) {

        if (roomy) {
            wrong("lost", n);
        }

        drop(m);
    }

    if (m->body && state != NONE && !good(&m->found.body, m->seed, m->len)) {
        wrong("old body", n);
    }

    ngx_http_hls_store_release(&store, &m->found.body);

    m->exists = 1;
    m->seq = m->found.seq;
    m->orphan = 0;
    m->claimed = 1;
    m->fill.body = 0;
    m->fill_len = 0;
}


static void
fill(ngx_uint_t n)
{
    size_t      len;
    model_t    *m;
    ngx_int_t   rc;

    m = &models[n];

    if (!m->claimed) {
        return;
    }

    if (m->fill.body == 0) {

        if (some(6) == 0) {
            fill_end(n);
            return;
        }

        m->fill_seed = (u_char) some(256);
        m->fill_total = some(most_len);
        m->shared = some(2);

        rc = begin(&store, &m->found, some(2) ? (off_t) m->fill_total : -1,
                   most_len, m->shared, &m->fill);

        if (m->orphan ? rc != NGX_DECLINED : (rc != NGX_OK && roomy)) {
            wrong("begin", n);
        }

        if (rc != NGX_OK) {
            m->fill.body = 0;
            fill_end(n);
        }

        return;
    }

    if (m->fill_len == m->fill_total || some(20) == 0) {
        fill_end(n);
        return;
    }

    len = 1 + some(m->fill_total - m->fill_len);

    rc = add(&store, &m->found, &m->fill, m->fill_seed, len);

    if (m->orphan ? rc == NGX_OK : (rc != NGX_OK && roomy)) {
        wrong("write", n);
    }

    if (rc != NGX_OK) {
        fill_end(n);
        return;
    }

    m->fill_len += len;
}


static void
fill_end(ngx_uint_t n)
{
    model_t               *m;
    ngx_int_t              rc;
    ngx_uint_t             status, whole;
    ngx_http_hls_times_t  *times;

    m = &models[n];

    times = some_times();
    m->claimed = 0;

    if (m->fill.body && some(5)) {

        whole = (m->fill.total < 0 || m->fill_len == m->fill_total);

        rc = ngx_http_hls_store_done(&store, &m->found, &m->fill, times);

        if (rc != ((!m->orphan && whole) ? NGX_OK : NGX_DECLINED)) {
            wrong("done", n);
        }

        if (!good(&m->fill, m->fill_seed, m->fill_len)) {
            wrong("body of filler", n);
        }

        ngx_http_hls_store_release(&store, &m->fill);

        if (rc == NGX_OK) {
            m->body = 1;
            m->status = 0;
            m->seed = m->fill_seed;
            m->len = m->fill_len;
            set_times(m, times, 0);
            return;
        }

    } else if (some(2)) {

        status = some(2) ? 404 : 0;

        ngx_http_hls_store_fail(&store, &m->found, &m->fill, status, times);

        if (!m->orphan) {
            set_times(m, times, 0);

            if (!m->body) {
                m->status = status;
            }
        }

    } else {
        ngx_http_hls_store_abandon(&store, &m->found, &m->fill);
    }

    if (m->exists && !m->orphan && !m->body && over(m)) {
        drop(m);
    }
}


/* what is read stays as it is, or goes on with its fill */

static void
held(void)
{
    hold_t      *h;
    ngx_uint_t   n;

    if (nholds == 0) {
        return;
    }

    n = some(nholds);
    h = &holds[n];

    ngx_http_hls_store_progress(&store, &h->found.body);

    if (h->filling) {

        if (h->found.body.len < (off_t) h->len) {
            wrong("less than before", h->key);
        }

        h->len = h->found.body.len;
        h->filling = (h->found.body.state == NGX_HTTP_HLS_BODY_FILLING);
    }

    if (!good(&h->found.body, h->seed, h->len)) {
        wrong("held body", h->key);
    }

    if (some(2)) {
        ngx_http_hls_store_release(&store, &h->found.body);
        *h = holds[--nholds];
    }
}


static void
touch(ngx_uint_t n)
{
    model_t               *m;
    ngx_int_t              rc;
    ngx_msec_t             fresh;
    ngx_uint_t             keep;
    ngx_http_hls_times_t  *times;

    m = &models[n];

    times = some_times();
    keep = some(2);

    rc = ngx_http_hls_store_touch(&store, key_of(&store, key(n)), times,
                                  keep);

    if (roomy && rc != (m->exists ? NGX_OK : NGX_DECLINED)) {
        wrong("touch", n);
    }

    if (rc != NGX_OK) {

        if (m->claimed && !m->orphan) {
            wrong("touch", n);
        }

        drop(m);
        return;
    }

    fresh = m->times.fresh;
    set_times(m, times, keep);

    if (!m->body) {
        m->times.fresh = fresh;
    }
}


static void
note(ngx_uint_t n)
{
    model_t               *m;
    uint32_t               stream;
    ngx_uint_t             k;
    ngx_http_hls_found_t   found;
    ngx_http_hls_times_t  *times;

    m = &models[n];

    k = some(STREAMS);
    stream = stream_cell(k);

    if (stream == 0) {

        if (roomy) {
            wrong("no stream", n);
        }

        return;
    }

    /* whether it is there still */

    (void) look(&store, key(n), 0, &found);
    ngx_http_hls_store_release(&store, &found.body);

    if (found.seq != m->seq) {

        if (roomy) {
            wrong("lost", n);
        }

        drop(m);
    }

    times = some_times();

    if (ngx_http_hls_store_note(&store, key_of(&store, key(n)), 1, stream,
                                times)
        != NGX_OK)
    {
        if (roomy || m->exists) {
            wrong("note", n);
        }

        return;
    }

    (void) look(&store, key(n), 0, &found);
    ngx_http_hls_store_release(&store, &found.body);

    m->exists = 1;
    m->seq = found.seq;
    m->note = 1;
    m->status = 0;
    m->stream = k;

    set_times(m, times, 0);
}


static void
purge(ngx_uint_t n)
{
    model_t    *m;
    ngx_int_t   rc;

    m = &models[n];

    rc = ngx_http_hls_store_purge(&store, key_of(&store, key(n)));

    if (roomy && rc != (m->exists ? NGX_OK : NGX_DECLINED)) {
        wrong("purge", n);
    }

    drop(m);
}


static void
purge_stream(void)
{
    ngx_str_t   name;
    ngx_uint_t  i, k, n, purged;

    k = 1 + some(STREAMS - 1);
    n = 0;

    name = unit_str(stream_name(k));
    purged = ngx_http_hls_store_purge_stream(&store, &name);

    for (i = 0; i < nkeys; i++) {

        if (models[i].exists && models[i].stream == k) {
            drop(&models[i]);
            n++;
        }
    }

    if (roomy ? purged != n : purged > n) {
        wrong("purge of a stream", k);
    }
}


static void
pass(void)
{
    ngx_uint_t  i;

    unit_tick(some(8) ? some(10) : some(1000));

    if (some(4)) {
        return;
    }

    /* all cells are seen to within one call */

    ngx_http_hls_store_sweep(&store);

    if (!roomy) {
        return;
    }

    if (store.sh->cell_top > NGX_HTTP_HLS_BATCH) {
        wrong("too many cells", store.sh->cell_top);
    }

    for (i = 0; i < nkeys; i++) {

        if (models[i].exists && over(&models[i])) {
            drop(&models[i]);
        }
    }
}


static void
counters(void)
{
    uint32_t                     cursor;
    ngx_uint_t                   i, k, entries, fills, bodies;
    size_t                       bytes[STREAMS], objects[STREAMS];
    ngx_http_hls_store_stat_t    stat;

    static ngx_http_hls_stream_stat_t  stream;

    entries = 0;
    fills = 0;
    bodies = 0;

    ngx_memzero(bytes, sizeof(bytes));
    ngx_memzero(objects, sizeof(objects));

    for (i = 0; i < nkeys; i++) {

        if (!models[i].exists) {
            continue;
        }

        entries++;
        fills += models[i].claimed && !models[i].orphan;
        bodies += models[i].body;

        if (models[i].body) {
            objects[models[i].stream]++;
            bytes[models[i].stream] += models[i].len;
        }
    }

    ngx_http_hls_store_stat(&store, &stat);

    if (stat.used > stat.size || resident(&store) > stat.used) {
        wrong("size", 0);
    }

    if (!roomy) {
        return;
    }

    if (stat.entries != entries || stat.fills != fills
        || stat.bodies < bodies || stat.evicted || stat.passed)
    {
        diag("%u entries, %u fills", stat.entries, stat.fills);
        wrong("counters", 0);
    }

    cursor = 0;

    while (ngx_http_hls_store_stream_walk(&store, &cursor, &stream)
           == NGX_OK)
    {
        for (k = 1; k < STREAMS; k++) {

            if (stream.name.len == strlen(stream_name(k))
                && memcmp(stream.name.data, stream_name(k), stream.name.len)
                   == 0
                && (stream.objects != objects[k]
                    || stream.bytes != (off_t) bytes[k]))
            {
                wrong("counters of stream", k);
            }
        }
    }
}


static void
set_times(model_t *m, ngx_http_hls_times_t *times, ngx_uint_t keep)
{
    m->times.fresh = times->fresh;
    m->times.stale = times->stale;

    if (times->changed) {
        m->times.changed = times->changed;
    }

    if (!keep) {
        memcpy(m->times.data, times->data, NGX_HTTP_HLS_STORE_DATA);
    }
}


static ngx_http_hls_times_t *
some_times(void)
{
    static ngx_http_hls_times_t  times;

    times.fresh = ngx_current_msec + some(300);
    times.stale = times.fresh + some(600);
    times.changed = some(2) ? ngx_current_msec : 0;
    memset(times.data, (int) some(256), NGX_HTTP_HLS_STORE_DATA);

    return &times;
}


static char *
key(ngx_uint_t n)
{
    static char  text[400];

    snprintf(text, sizeof(text), "live|/hls/object-%lu", (unsigned long) n);

    if (n % 10 == 0) {
        memset(text + strlen(text), 'x', 50);
        text[18 + 50] = '\0';
        snprintf(text + 60, 20, "-%lu", (unsigned long) n);
    }

    return text;
}


static char *
stream_name(ngx_uint_t n)
{
    static char  text[32];

    snprintf(text, sizeof(text), "live/%lu", (unsigned long) n);

    return text;
}


/* the first one is none */

static uint32_t
stream_cell(ngx_uint_t n)
{
    ngx_str_t  name;

    name = unit_str(stream_name(n));

    return n ? ngx_http_hls_store_stream(&store, &name) : 99999999;
}


static ngx_uint_t
some(ngx_uint_t n)
{
    return (ngx_uint_t) random() % n;
}


static void
wrong(const char *what, ngx_uint_t n)
{
    diag("call %lu: %s of %lu", (unsigned long) ncalls, what,
         (unsigned long) n);

    nwrong++;
}
