
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_edit.c ngx_hls_trim.c ngx_hls_compare.c ngx_hls_compose.c */
/* sources: ngx_hls_list.c ngx_hls_playlist.c ngx_hls_uri.c */


/*
 * Origins that begin again, list more or less, take turns or lose what they
 * had, at random; a viewer who remembers all must never see that a number goes
 * back, that a number stands for two segments, or a URI for two numbers.
 */


#include "unit.h"
#include "ngx_hls_edit.h"


#define ORIGINS  400
#define STEPS    80
#define NUMBERS  4096


/* an origin, and how it is to be */

typedef struct {
    ngx_uint_t   first;
    ngx_uint_t   next;
    ngx_uint_t   window;
    ngx_uint_t   target;
    ngx_uint_t   run;
    ngx_uint_t   names;         /* of runs: the same, others */
    ngx_uint_t   ring;          /* names come around, 0: they do not */
    ngx_uint_t   keys;          /* 0: none, 1: with IV, 2: without */
    ngx_uint_t   map;
    ngx_uint_t   counts;        /* DISCONTINUITY-SEQUENCE is written */
    ngx_uint_t   parts;
    ngx_uint_t   crlf;
    ngx_uint_t   discontinuity; /* of the first segment that is listed */
    ngx_uint_t   seen;          /* next when it was asked last */
    ngx_uint_t   hidden;        /* what has begun again would not be noticed */
                                /* later: the same names and numbers */
    u_char       breaks[NUMBERS];
} test_origin_t;


/* what a viewer has seen under a number */

typedef struct {
    ngx_str_t    uri;
    ngx_str_t    map;
    ngx_str_t    key;
    uint64_t     discontinuity;
    ngx_uint_t   run;           /* that it was first served in */
} test_seen_t;


typedef struct {
    uint64_t     sequence;
    uint64_t     discontinuity;
    ngx_msec_t   target;
    uint64_t     next;
    uint64_t     high;          /* behind the last number ever seen */
    ngx_uint_t   run;
    ngx_uint_t   restarts;
    test_seen_t  seen[NUMBERS];
    char        *error;

    ngx_str_t    map;           /* of the list that is read */
    ngx_str_t    key;
    ngx_uint_t   index;
} test_viewer_t;


static void test_origin(ngx_uint_t n, ngx_uint_t ring);
static void advance(test_origin_t *o, ngx_uint_t n);
static void restart(test_origin_t *o);
static size_t list(test_origin_t *o, u_char *p);
static ngx_int_t look(void *data, ngx_hls_playlist_t *pl,
    ngx_hls_line_t *line);
static void see(test_viewer_t *v, ngx_hls_playlist_t *pl,
    ngx_hls_line_t *line);
static ngx_str_t copy(ngx_str_t *s);
static ngx_uint_t same(ngx_str_t *a, ngx_str_t *b);
static ngx_uint_t held(void *data, ngx_str_t *uri);
static ngx_uint_t any(ngx_uint_t n);


static ngx_pool_t      *pool, *edit_pool;
static test_viewer_t   *viewer;
static test_origin_t   *origin;
static ngx_uint_t       lost;        /* of ten that were listed */
static u_char           served[262144];


int
main(int argc, char **argv)
{
    ngx_uint_t  n;

    unit_init();

    /* another seed may be given */

    srandom(argc > 1 ? atoi(argv[1]) : 1);

    viewer = malloc(sizeof(test_viewer_t));
    origin = malloc(sizeof(test_origin_t));

    for (n = 0; n < ORIGINS; n++) {
        test_origin(n, n % 5 == 0);

        if (unit_failed) {
            break;
        }
    }

    free(viewer);
    free(origin);

    return done();
}


static void
test_origin(ngx_uint_t n, ngx_uint_t ring)
{
    u_char           *body;
    ngx_uint_t        i, k, run;
    ngx_hls_edit_t    edit;
    ngx_hls_state_t   state;

    pool = ngx_create_pool(4096, &unit_log);
    edit_pool = ngx_create_pool(4096, &unit_log);

    ngx_memzero(&state, sizeof(state));
    ngx_memzero(&edit, sizeof(edit));
    ngx_memzero(viewer, sizeof(test_viewer_t));
    ngx_memzero(origin, sizeof(test_origin_t));

    edit.continuity = 1;
    edit.held = held;

    origin->window = 2 + any(6);
    origin->target = 2;
    origin->names = any(2);
    origin->keys = any(3);
    origin->map = any(2);
    origin->counts = any(2);
    origin->parts = any(2);
    origin->crlf = any(2);
    origin->first = any(3) ? 0 : any(1000);
    origin->next = origin->first + 1;

    if (ring) {
        origin->window += 2;
        origin->ring = origin->window;
        origin->keys = 0;
        origin->map = 0;
    }

    lost = any(6);

    for (i = 0; i < STEPS; i++) {

        k = any(20);

        if (k < 2) {
            run = origin->run;
            restart(origin);

            if (origin->run != run && any(2)) {

                /* of another server, on which it had begun before */

                edit.restart = 1;
                edit.recent = any(12000);
                advance(origin, any(origin->window));
            }

        } else if (k < 15) {

            /* a ring that turns more than once unseen tells nobody */

            advance(origin, 1 + (any(4) ? 0 : any(ring ? 2 : 8)));
        }

        ngx_reset_pool(edit_pool);

        edit.pool = edit_pool;

        body = ngx_palloc(edit.pool, 65536);
        edit.origin.data = body;
        edit.origin.len = list(origin, body);

        if (any(30) == 0 && !(origin->hidden && !edit.restart)) {

            /* an empty list, for a moment */

            edit.origin = unit_str("#EXTM3U\n#EXT-X-TARGETDURATION:2\n");

        } else {
            origin->seen = origin->next;
            origin->hidden = 0;
        }

        if (ngx_hls_edit(&edit, &state) != NGX_OK) {
            ok(0, "origin %lu, step %lu", (unsigned long) n,
               (unsigned long) i);
            break;
        }

        if (edit.restarted) {
            edit.restart = 0;
            viewer->run++;
            viewer->restarts++;
        }

        ngx_memzero(&viewer->map, sizeof(ngx_str_t));
        ngx_memzero(&viewer->key, sizeof(ngx_str_t));
        viewer->index = 0;

        if (ngx_hls_playlist_walk(edit.body.data,
                                  edit.body.data + edit.body.len,
                                  &edit.playlist, look, viewer)
            != NGX_OK
            && viewer->error == NULL)
        {
            viewer->error = "not a playlist";
        }

        if (viewer->error) {
            ok(0, "origin %lu, step %lu: %s", (unsigned long) n,
               (unsigned long) i, viewer->error);
            diag("origin: %.*s", (int) edit.origin.len, edit.origin.data);
            diag("before: %.*s", (int) edit.served.len, edit.served.data);
            diag("served: %.*s", (int) edit.body.len, edit.body.data);
            break;
        }

        viewer->sequence = edit.playlist.sequence;
        viewer->discontinuity = edit.playlist.discontinuity;
        viewer->target = edit.playlist.target;
        viewer->next = edit.playlist.sequence + edit.playlist.segments;
        viewer->high = ngx_max(viewer->high, viewer->next);

        memmove(served, edit.body.data, edit.body.len);

        edit.served.data = served;
        edit.served.len = edit.body.len;
    }

    if (i == STEPS) {
        ok(1, "origin %lu, %lu restarts", (unsigned long) n,
           (unsigned long) viewer->restarts);
    }

    ngx_destroy_pool(edit_pool);
    ngx_destroy_pool(pool);
}


static void
advance(test_origin_t *o, ngx_uint_t n)
{
    while (n--) {
        o->breaks[o->next % NUMBERS] = (any(8) == 0);
        o->next++;
    }

    while (o->next - o->first > o->window) {
        o->discontinuity += o->breaks[o->first % NUMBERS];
        o->first++;
    }
}


static void
restart(test_origin_t *o)
{
    ngx_uint_t  first, next;

    first = any(4) ? 0 : any(50);
    next = first + 1 + any(o->window);

    /* the same names under the same numbers would be the same run */

    if ((o->ring || !o->names) && next + 3 > o->seen) {
        return;
    }

    o->run++;
    o->hidden = o->ring || !o->names;
    o->first = first;
    o->next = next;
    o->discontinuity = 0;

    ngx_memzero(o->breaks, sizeof(o->breaks));

    o->breaks[o->first % NUMBERS] = (any(4) == 0);

    if (!o->ring) {
        o->target = 1 + any(4);
        o->keys = any(3);
        o->map = any(2);
        o->window = 2 + any(6);
        o->counts = any(2);
    }
}


static size_t
list(test_origin_t *o, u_char *p)
{
    char        *eol;
    u_char      *start;
    ngx_uint_t   i, name;

    start = p;
    eol = o->crlf ? "\r\n" : "\n";

    p = ngx_sprintf(p, "#EXTM3U%s#EXT-X-VERSION:7%s"
                    "#EXT-X-TARGETDURATION:%ui%s#EXT-X-MEDIA-SEQUENCE:%ui%s",
                    eol, eol, o->target, eol, o->first, eol);

    if (o->counts) {
        p = ngx_sprintf(p, "#EXT-X-DISCONTINUITY-SEQUENCE:%ui%s",
                        o->discontinuity, eol);
    }

    if (o->map) {
        p = ngx_sprintf(p, "#EXT-X-MAP:URI=\"init.mp4\"%s", eol);
    }

    for (i = o->first; i < o->next; i++) {

        if (o->keys && (i == o->first || i % 3 == 0)) {
            p = ngx_sprintf(p, "#EXT-X-KEY:METHOD=AES-128,URI=\"%ui.key\"",
                            i / 3);

            if (o->keys == 1) {
                p = ngx_sprintf(p, ",IV=0x%032xL", (uint64_t) i / 3);
            }

            p = ngx_sprintf(p, "%s", eol);
        }

        if (o->breaks[i % NUMBERS]) {
            p = ngx_sprintf(p, "#EXT-X-DISCONTINUITY%s", eol);
        }

        name = o->ring ? i % o->ring : i;

        if (o->names && !o->ring) {
            p = ngx_sprintf(p, "#EXTINF:%ui.000,%s%ui-%ui.ts%s", o->target,
                            eol, o->run, name, eol);

        } else {
            p = ngx_sprintf(p, "#EXTINF:%ui.000,%s%ui.ts%s", o->target, eol,
                            name, eol);
        }
    }

    if (o->parts) {
        for (i = any(3); i; i--) {
            p = ngx_sprintf(p, "#EXT-X-PART:DURATION=0.5,URI=\"%ui.%ui.ts\""
                            "%s", o->next, i, eol);
        }
    }

    return p - start;
}


static ngx_int_t
look(void *data, ngx_hls_playlist_t *pl, ngx_hls_line_t *line)
{
    test_viewer_t *v = data;

    ngx_str_t  value;

    switch (line->tag) {

    case NGX_HLS_TAG_KEY:

        if (ngx_hls_playlist_attribute(&line->value, "METHOD", 6, &value)
            == NGX_OK
            && value.len == 4)
        {
            ngx_str_null(&v->key);

        } else {
            v->key = line->value;
        }

        break;

    case NGX_HLS_TAG_MAP:
        v->map = line->uri->uri;
        break;

    case NGX_HLS_TAG_URI:
        see(v, pl, line);
        break;

    default:
        break;
    }

    return v->error ? NGX_ERROR : NGX_OK;
}


static void
see(test_viewer_t *v, ngx_hls_playlist_t *pl, ngx_hls_line_t *line)
{
    uint64_t      number, discontinuity;
    ngx_str_t    *uri;
    ngx_uint_t    i;
    test_seen_t  *s;

    uri = &line->uri->uri;
    number = line->uri->sequence;
    discontinuity = pl->discontinuity + pl->discontinuities;

    if (v->index++ == 0) {

        if (number < v->sequence) {
            v->error = "the sequence goes back";
            return;
        }

        if (pl->discontinuity < v->discontinuity) {
            v->error = "discontinuities go back";
            return;
        }

        if (v->restarts && pl->target < v->target) {
            v->error = "the target duration shrinks";
            return;
        }
    }

    if (pl->window > 64 * 4000) {
        v->error = "the list has no end";
        return;
    }

    s = &v->seen[number % NUMBERS];

    if (number < v->high && s->uri.len) {

        if (!same(&s->uri, uri)) {
            v->error = "a number stands for two segments";

        } else if (s->discontinuity != discontinuity) {
            v->error = "a segment has two discontinuity numbers";

        } else if (!origin->ring && !same(&s->map, &v->map)) {
            v->error = "a segment has two MAPs";

        } else if (!origin->ring && !same(&s->key, &v->key)) {
            v->error = "a segment has two keys";
        }

        return;
    }

    if (number < v->high) {

        /* it was never listed, and now it is */

        if (number < v->next) {
            v->error = "a segment comes late";
            return;
        }
    }

    for (i = 0; i < NUMBERS; i++) {
        if (v->seen[i].uri.len && same(&v->seen[i].uri, uri)) {
            v->error = "a URI stands for two segments";
            return;
        }
    }

    s->uri = copy(uri);
    s->map = copy(&v->map);
    s->key = copy(&v->key);
    s->discontinuity = discontinuity;
    s->run = v->run;

    if (number == 0) {
        return;
    }

    s = &v->seen[(number - 1) % NUMBERS];

    if (s->uri.len && s->run != v->run && s->discontinuity == discontinuity) {
        v->error = "runs without a discontinuity between them";
    }
}


static ngx_str_t
copy(ngx_str_t *s)
{
    ngx_str_t  c;

    c.len = s->len;
    c.data = ngx_pnalloc(pool, s->len + 1);

    if (s->len) {
        memcpy(c.data, s->data, s->len);
    }

    return c;
}


static ngx_uint_t
same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


/* what is lost stays lost */

static ngx_uint_t
held(void *data, ngx_str_t *uri)
{
    return ngx_murmur_hash2(uri->data, uri->len) % 10 >= lost;
}


static ngx_uint_t
any(ngx_uint_t n)
{
    return (ngx_uint_t) random() % n;
}
