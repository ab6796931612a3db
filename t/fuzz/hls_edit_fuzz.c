
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_hls_edit.c ngx_hls_trim.c ngx_hls_compare.c ngx_hls_compose.c */
/* sources: ngx_hls_list.c ngx_hls_playlist.c ngx_hls_uri.c */


/*
 * What an origin answers, one after the other: a line of options, playlists
 * with "--" and options between them.  Options are letters, and what is held
 * is a digit.  What is served is a playlist that says what is told of it, and
 * its numbers do not go back.
 */


#include "unit.h"
#include "ngx_hls_edit.h"


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_edit(ngx_hls_edit_t *edit, ngx_hls_state_t *state);
static ngx_uint_t fuzz_long(ngx_str_t *body);
static ngx_str_t fuzz_body(ngx_pool_t *pool, const u_char **p,
    const u_char *last);
static void fuzz_options(ngx_hls_edit_t *edit, const u_char **p,
    const u_char *last);
static ngx_uint_t fuzz_held(void *data, ngx_str_t *uri);
static ngx_uint_t fuzz_own(void *data, ngx_str_t *host, in_port_t port);


static ngx_uint_t  held;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_str_t           *arg;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    const u_char        *p;
    ngx_hls_edit_t       edit;
    ngx_hls_state_t      state;

    static ngx_uint_t    ready;

    if (!ready) {
        unit_init();
        ready = 1;
    }

    pool = ngx_create_pool(1024, &unit_log);

    memset(&edit, 0, sizeof(edit));
    memset(&state, 0, sizeof(state));

    edit.pool = pool;
    edit.held = fuzz_held;
    edit.session_args = ngx_array_create(pool, 1, sizeof(ngx_str_t));

    arg = ngx_array_push(edit.session_args);
    ngx_str_set(arg, "s");

    ngx_str_set(&edit.session_value, "v");

    p = data;

    for (i = 0; i < 8 && p < data + size; i++) {
        fuzz_options(&edit, &p, data + size);

        edit.origin = fuzz_body(pool, &p, data + size);

        fuzz_edit(&edit, &state);
    }

    ngx_destroy_pool(pool);

    return 0;
}


static void
fuzz_edit(ngx_hls_edit_t *edit, ngx_hls_state_t *state)
{
    uint64_t             n;
    ngx_int_t            rc;
    ngx_uint_t           last;
    ngx_hls_state_t      before;
    ngx_hls_playlist_t   pl, old;

    before = *state;

    rc = ngx_hls_edit(edit, state);

    if (rc == NGX_DECLINED || rc == NGX_AGAIN) {

        if (memcmp(&before, state, sizeof(before)) != 0) {
            abort();
        }

        return;
    }

    if (rc != NGX_OK) {
        abort();
    }

    (void) ngx_hls_edit_msn(state, 5, &n);

    if (fuzz_long(&edit->body)) {

        /* lines grow, and may be too long then */

        ngx_str_null(&edit->served);
        return;
    }

    if (ngx_hls_playlist_parse(edit->body.data,
                               edit->body.data + edit->body.len, &pl, NULL,
                               NULL)
        != NGX_OK)
    {
        /* so may numbers */

        if (edit->playlist.sequence <= NGX_HLS_MAX_SEQUENCE
            && edit->playlist.discontinuity <= NGX_HLS_MAX_SEQUENCE)
        {
            abort();
        }

        ngx_str_null(&edit->served);
        return;
    }

    if (pl.master != edit->playlist.master
        || pl.sequence != edit->playlist.sequence
        || pl.segments != edit->playlist.segments
        || pl.endlist != edit->playlist.endlist
        || pl.window != edit->playlist.window
        || pl.discontinuity != edit->playlist.discontinuity
        || pl.discontinuities != edit->playlist.discontinuities
        || pl.target != edit->playlist.target)
    {
        abort();
    }

    if (pl.skipped) {

        if (memcmp(&before, state, sizeof(before)) != 0) {
            abort();
        }

        return;
    }

    last = pl.sequence + pl.segments;

    if (!pl.master
        && (int64_t) last != (int64_t) state->next + state->offset)
    {
        abort();
    }

    if (edit->continuity
        && !pl.master
        && edit->served.len
        && (before.flags & NGX_HLS_STATE_SET)
        && !(before.flags & NGX_HLS_STATE_MASTER)
        && (!edit->restarted || (state->flags & NGX_HLS_STATE_JOINED))
        && ngx_hls_playlist_parse(edit->served.data,
                                  edit->served.data + edit->served.len, &old,
                                  NULL, NULL)
           == NGX_OK
        && (int64_t) (old.sequence + old.segments)
           == (int64_t) before.next + before.offset)
    {
        if (pl.sequence < old.sequence
            || last < old.sequence + old.segments
            || pl.discontinuity < old.discontinuity)
        {
            abort();
        }
    }

    edit->served = edit->body;
}


static ngx_uint_t
fuzz_long(ngx_str_t *body)
{
    return body->len > NGX_HLS_MAX_LINE - 100;
}


/* up to a line "--"; a copy of its own, so that overruns are seen */

static ngx_str_t
fuzz_body(ngx_pool_t *pool, const u_char **p, const u_char *last)
{
    ngx_str_t      text;
    const u_char  *start, *end;

    start = *p;

    for (end = start; end < last; end++) {
        if (last - end >= 3 && memcmp(end, "\n--", 3) == 0) {
            end++;
            break;
        }
    }

    text.len = end - start;
    text.data = ngx_pnalloc(pool, text.len ? text.len : 1);

    if (text.len) {
        memcpy(text.data, start, text.len);
    }

    *p = (end < last) ? end + 2 : last;

    return text;
}


/* up to the end of the line */

static void
fuzz_options(ngx_hls_edit_t *edit, const u_char **p, const u_char *last)
{
    edit->continuity = 1;
    edit->restart = 0;
    edit->recent = 3000;
    edit->endlist = 0;
    edit->session = NGX_HLS_SESSION_KEEP;
    edit->master_session = NGX_HLS_SESSION_KEEP;
    edit->own = NULL;
    held = 9;

    for ( /* void */ ; *p < last && **p != '\n'; (*p)++) {

        switch (**p) {

        case 'c':
            edit->continuity = 0;
            break;

        case 'e':
            edit->endlist = 1;
            break;

        case 'm':
            edit->restart = 1;
            break;

        case 'r':
            edit->session = NGX_HLS_SESSION_REMOVE;
            break;

        case 'v':
            edit->session = NGX_HLS_SESSION_REPLACE;
            edit->master_session = NGX_HLS_SESSION_REPLACE;
            break;

        case 'o':
            edit->own = fuzz_own;
            break;

        case 'n':
            ngx_str_null(&edit->served);
            break;

        default:
            if (**p >= '0' && **p <= '9') {
                held = **p - '0';
            }
        }
    }

    if (*p < last) {
        (*p)++;
    }
}


static ngx_uint_t
fuzz_held(void *data, ngx_str_t *uri)
{
    return uri->len && uri->data[uri->len - 1] % 10 <= held;
}


static ngx_uint_t
fuzz_own(void *data, ngx_str_t *host, in_port_t port)
{
    return host->data[0] == 'o';
}
