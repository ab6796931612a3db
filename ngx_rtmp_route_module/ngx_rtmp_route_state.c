
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_rtmp_route_state.h"


/* ms: how often is looked for changes, and what is between two writings */
#define NGX_RTMP_ROUTE_STATE_TICK      250
#define NGX_RTMP_ROUTE_STATE_INTERVAL  500
#define NGX_RTMP_ROUTE_STATE_RETRY     10000

/* heartbeats that say nothing new; live streams of an older process */
#define NGX_RTMP_ROUTE_STATE_BEATS     5000
#define NGX_RTMP_ROUTE_STATE_LIVE      10000

/* a file of this zone is never larger than so many times the zone */
#define NGX_RTMP_ROUTE_STATE_FACTOR    16


static void ngx_rtmp_route_state_cold(ngx_rtmp_route_state_t *state,
    ngx_log_t *log);
static ngx_int_t ngx_rtmp_route_state_read(ngx_rtmp_route_state_t *state,
    ngx_str_t *name, ngx_rtmp_route_state_load_t *load, ngx_uint_t how,
    ngx_log_t *log);
static void ngx_rtmp_route_state_report(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_load_t *load, ngx_int_t rc, ngx_log_t *log);
static void ngx_rtmp_route_state_tick(ngx_event_t *ev);
static void ngx_rtmp_route_state_look(ngx_rtmp_route_state_t *state);
static ngx_uint_t ngx_rtmp_route_state_follow(ngx_rtmp_route_state_t *state,
    ngx_uint_t newer);
static ngx_uint_t ngx_rtmp_route_state_due(ngx_rtmp_route_state_t *state,
    ngx_uint_t live);
static void ngx_rtmp_route_state_start_load(ngx_rtmp_route_state_t *state,
    ngx_str_t *name, ngx_uint_t how);
static void ngx_rtmp_route_state_start_write(ngx_rtmp_route_state_t *state,
    ngx_uint_t old);
static void ngx_rtmp_route_state_step(ngx_event_t *ev);
static ngx_int_t ngx_rtmp_route_state_load_step(
    ngx_rtmp_route_state_t *state);
static void ngx_rtmp_route_state_finish(ngx_rtmp_route_state_t *state);
static void ngx_rtmp_route_state_result(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_write_t *w, ngx_int_t rc, ngx_log_t *log);


char *
ngx_rtmp_route_state(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_rtmp_route_t *route = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_rtmp_route_t           **routes;
    ngx_rtmp_route_state_t      *state, *other;
    ngx_rtmp_route_main_conf_t  *rmcf;

    if (route->state) {
        return "is duplicate";
    }

    value = cf->args->elts;

    state = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_route_state_t));
    if (state == NULL) {
        return NGX_CONF_ERROR;
    }

    state->route = route;
    state->fd = NGX_INVALID_FILE;

    if (ngx_rtmp_route_state_names(cf, state, &value[1]) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    rmcf = ngx_rtmp_route_main_conf(cf->cycle);
    routes = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {

        other = routes[i]->state;

        if (other
            && other->name.len == state->name.len
            && ngx_strcmp(other->name.data, state->name.data) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "state file \"%V\" is already used by route "
                               "\"%V\"", &state->name, &routes[i]->name);
            return NGX_CONF_ERROR;
        }
    }

    route->state = state;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_rtmp_route_state_init_zone(ngx_rtmp_route_t *route, ngx_uint_t fresh,
    ngx_log_t *log)
{
    if (route->state == NULL || ngx_test_config) {
        return NGX_OK;
    }

    if (ngx_rtmp_route_state_make_dir(route->state, log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (fresh) {
        ngx_rtmp_route_state_cold(route->state, log);
    }

    return NGX_OK;
}


static void
ngx_rtmp_route_state_cold(ngx_rtmp_route_state_t *state, ngx_log_t *log)
{
    uint64_t                      file[3];
    ngx_int_t                     rc;
    ngx_rtmp_route_state_load_t   load;

    if (ngx_rtmp_route_state_stat(&state->name, file) == NGX_OK) {
        (void) ngx_rtmp_route_saved_file(&state->route->table, file);
    }

    rc = ngx_rtmp_route_state_read(state, &state->name, &load,
                                   NGX_RTMP_ROUTE_LOAD_FRESH, log);

    if (rc != NGX_DECLINED) {
        ngx_rtmp_route_state_report(state, &load, rc, log);
    }

    /* all were killed during a binary upgrade */

    rc = ngx_rtmp_route_state_read(state, &state->old, &load,
                                   NGX_RTMP_ROUTE_LOAD_PEER, log);

    if (rc != NGX_DECLINED) {
        (void) ngx_delete_file(state->old.data);
    }
}


/*
 * NGX_OK: read to the end; NGX_AGAIN: the file ends too early; NGX_ERROR: it
 * is not in form; NGX_DECLINED: there is no file, or it cannot be read
 */

static ngx_int_t
ngx_rtmp_route_state_read(ngx_rtmp_route_state_t *state, ngx_str_t *name,
    ngx_rtmp_route_state_load_t *load, ngx_uint_t how, ngx_log_t *log)
{
    u_char           *buf;
    off_t             max, size;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    ngx_pool_t       *pool;
    const char       *failed;
    ngx_file_info_t   fi;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          ngx_open_file_n " \"%V\" failed, route \"%V\" "
                          "begins without its state", name,
                          &state->route->name);
        }

        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;
    failed = NULL;
    buf = NULL;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);

    if (pool) {
        buf = ngx_palloc(pool, NGX_RTMP_ROUTE_STATE_PIECE);
    }

    if (buf == NULL
        || ngx_rtmp_route_state_load_init(load, state->route, pool, how)
           != NGX_OK)
    {
        goto done;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        rc = NGX_ERROR;
        goto done;
    }

    rc = NGX_AGAIN;
    size = 0;
    max = (off_t) state->route->size * NGX_RTMP_ROUTE_STATE_FACTOR;

    for ( ;; ) {

        n = ngx_read_fd(fd, buf, NGX_RTMP_ROUTE_STATE_PIECE);

        if (n == -1) {
            failed = ngx_read_fd_n;
            break;
        }

        if (n == 0) {
            break;
        }

        size += n;

        if (size > max) {
            rc = NGX_ERROR;
            break;
        }

        rc = ngx_rtmp_route_state_feed(&load->reader, buf, n);

        if (rc == NGX_ERROR) {
            break;
        }
    }

    if (failed) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "%s \"%V\" failed", failed,
                      name);
        rc = NGX_AGAIN;
    }

    if (rc == NGX_DONE) {
        rc = NGX_OK;
    }

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", name);
    }

    if (pool) {
        ngx_destroy_pool(pool);
    }

    return rc;
}


static void
ngx_rtmp_route_state_report(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_load_t *load, ngx_int_t rc, ngx_log_t *log)
{
    char        *access;
    ngx_str_t   *name;
    ngx_uint_t   invalid;

    name = &state->route->name;
    invalid = load->invalid + load->reader.invalid;

    /* the list is taken as a whole, or not at all */

    access = (load->bad_rules || !load->all_rules)
             ? ", without its access list" : "";

    if (rc == NGX_OK && load->format && invalid == 0 && !load->bad_rules) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "route \"%V\" goes on with %ui servers and %ui streams "
                      "of state file \"%V\"", name, load->servers,
                      load->streams, &state->name);

        if (!load->key || !load->secret) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "streams of state file \"%V\" are not used, \"key\" "
                          "of route \"%V\" is another one now",
                          &state->name, name);
        }

        if (load->full) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "no room in zone \"%V\" for %ui entries of state "
                          "file \"%V\"", &state->route->zone, load->full,
                          &state->name);
        }

        return;
    }

    if (rc == NGX_OK && load->format && invalid == 0) {

        /* the zone has become smaller; nothing is wrong with the file */

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "zone \"%V\" is too small for the access list of state "
                      "file \"%V\", route \"%V\" begins without it, the file "
                      "is kept as \"%V\"", &state->route->zone, &state->name,
                      name, &state->bad);

    } else if (!load->format) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "\"%V\" is not a state file of rtmp_route, route \"%V\" "
                      "begins without its state, the file is kept as \"%V\"",
                      &state->name, name, &state->bad);

    } else if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "%ui entries of state file \"%V\" are damaged, route "
                      "\"%V\" goes on with %ui servers and %ui streams%s, the "
                      "file is kept as \"%V\"", invalid, &state->name, name,
                      load->servers, load->streams, access, &state->bad);

    } else {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "state file \"%V\" is %s, route \"%V\" goes on with "
                      "%ui servers and %ui streams%s, the file is kept as "
                      "\"%V\"", &state->name,
                      (rc == NGX_AGAIN) ? "truncated" : "damaged", name,
                      load->servers, load->streams, access, &state->bad);
    }

    if (ngx_rename_file(state->name.data, state->bad.data)
        == NGX_FILE_ERROR)
    {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_rename_file_n " \"%V\" to \"%V\" failed",
                      &state->name, &state->bad);
    }
}


void
ngx_rtmp_route_state_init_process(ngx_rtmp_route_t *route)
{
    ngx_event_t             *ev;
    ngx_rtmp_route_state_t  *state;

    state = route->state;

    if (state == NULL) {
        return;
    }

    state->dumb.fd = (ngx_socket_t) -1;
    state->dumb.data = state;

    ev = &state->step;

    ev->handler = ngx_rtmp_route_state_step;
    ev->data = &state->dumb;
    ev->log = ngx_cycle->log;

    ev = &state->tick;

    ev->handler = ngx_rtmp_route_state_tick;
    ev->data = &state->dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_RTMP_ROUTE_STATE_TICK);
}


static void
ngx_rtmp_route_state_tick(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_rtmp_route_state_t  *state;

    c = ev->data;
    state = c->data;

    if (state->pool == NULL) {
        ngx_rtmp_route_state_look(state);
    }

    state->ticks++;

    ngx_add_timer(ev, NGX_RTMP_ROUTE_STATE_TICK);
}


static void
ngx_rtmp_route_state_look(ngx_rtmp_route_state_t *state)
{
    uint64_t    file[3];
    ngx_uint_t  exiting, newer, later;

    exiting = ngx_exiting || ngx_quit || ngx_terminate;

    if (!exiting && ngx_worker != 0) {
        return;
    }

    if (ngx_rtmp_route_state_stat(&state->name, file) != NGX_OK) {
        ngx_memzero(&state->head, sizeof(ngx_rtmp_route_state_head_t));
        ngx_memzero(state->file, sizeof(file));

    } else if (ngx_memcmp(state->file, file, sizeof(file)) != 0) {

        if (ngx_rtmp_route_state_head(&state->name, &state->head) != NGX_OK) {
            ngx_memzero(&state->head, sizeof(ngx_rtmp_route_state_head_t));
        }

        ngx_memcpy(state->file, file, sizeof(file));
    }

    newer = ngx_rtmp_route_state_newer(state, &state->head);

    /* ... or it has been there, which makes no difference but the last one */

    later = state->head.born > ngx_rtmp_route_saved_born(&state->route->table)
            && state->head.born != state->over;

    if (newer || (later && !exiting)) {
        if (ngx_rtmp_route_state_follow(state, newer)) {
            return;
        }
    }

    if (newer) {

        /* workers that are told to leave still have sessions */

        if (ngx_rtmp_route_state_due(state, 1)) {
            ngx_rtmp_route_state_start_write(state, 1);
        }

        return;
    }

    if (exiting) {
        return;
    }

    if (state->ticks % 4 == 0
        && ngx_rtmp_route_state_stat(&state->old, file) == NGX_OK)
    {
        ngx_rtmp_route_state_start_load(state, &state->old,
                                        NGX_RTMP_ROUTE_LOAD_PEER);
        return;
    }

    if (ngx_rtmp_route_state_due(state, 0)) {
        ngx_rtmp_route_state_start_write(state, 0);
    }
}


/* 1 if there is something to be read first */

static ngx_uint_t
ngx_rtmp_route_state_follow(ngx_rtmp_route_state_t *state, ngx_uint_t newer)
{
    ngx_rtmp_route_saved_mark_t  mark;

    if (newer && !state->follows) {
        state->follows = 1;
        state->over = 0;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "state file \"%V\" of route \"%V\" is written by a "
                      "newer process now, %uL", &state->name,
                      &state->route->name, state->head.master);

        /* it is told all that is known here */

        ngx_memzero(&mark, sizeof(ngx_rtmp_route_saved_mark_t));
        ngx_rtmp_route_saved_set(&state->route->table, &mark);
    }

    if (ngx_rtmp_route_saved_file(&state->route->table, state->file)) {
        ngx_rtmp_route_state_start_load(state, &state->name,
                                        NGX_RTMP_ROUTE_LOAD_OWNER);
        return 1;
    }

    if (!newer) {
        state->follows = 0;
        state->over = state->head.born;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "state file \"%V\" of route \"%V\" is written by this "
                      "process again", &state->name, &state->route->name);

        ngx_memzero(&mark, sizeof(ngx_rtmp_route_saved_mark_t));
        ngx_rtmp_route_saved_set(&state->route->table, &mark);
    }

    return 0;
}


static ngx_uint_t
ngx_rtmp_route_state_due(ngx_rtmp_route_state_t *state, ngx_uint_t live)
{
    ngx_msec_t                    passed, interval;
    ngx_rtmp_route_table_t       *table;
    ngx_rtmp_route_saved_mark_t   mark, last;

    table = &state->route->table;
    passed = ngx_current_msec - state->written;

    if (passed < NGX_RTMP_ROUTE_STATE_INTERVAL
        || (state->failed && passed < NGX_RTMP_ROUTE_STATE_RETRY))
    {
        return 0;
    }

    ngx_rtmp_route_saved_mark(table, &mark);
    ngx_rtmp_route_saved_last(table, &last);

    if (mark.changes != last.changes) {
        interval = NGX_RTMP_ROUTE_STATE_INTERVAL;

    } else if (mark.beats != last.beats) {

        /* a fraction of the time after which a registration ends */

        interval = NGX_RTMP_ROUTE_STATE_BEATS;

        if (state->route->reg) {
            interval = ngx_min(interval, state->route->reg->timeout / 6);
            interval = ngx_max(interval, NGX_RTMP_ROUTE_STATE_INTERVAL);
        }

    } else if (live) {
        interval = NGX_RTMP_ROUTE_STATE_LIVE;

    } else {
        return 0;
    }

    if (passed < interval) {
        return 0;
    }

    /* one of those that are about to leave */

    return live ? ngx_rtmp_route_saved_turn(table, interval) : 1;
}


static void
ngx_rtmp_route_state_start_load(ngx_rtmp_route_state_t *state,
    ngx_str_t *name, ngx_uint_t how)
{
    ngx_fd_t     fd;
    ngx_pool_t  *pool;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return;
    }

    /* what is written after this is another file */

    if (how == NGX_RTMP_ROUTE_LOAD_PEER) {
        (void) ngx_delete_file(name->data);
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    state->load = pool ? ngx_palloc(pool, sizeof(ngx_rtmp_route_state_load_t))
                       : NULL;

    state->pool = pool;
    state->fd = fd;

    if (state->load == NULL
        || ngx_rtmp_route_state_load_init(state->load, state->route, pool, how)
           != NGX_OK)
    {
        ngx_rtmp_route_state_finish(state);
        return;
    }

    ngx_post_event(&state->step, &ngx_posted_next_events);
}


static void
ngx_rtmp_route_state_start_write(ngx_rtmp_route_state_t *state,
    ngx_uint_t old)
{
    ngx_pool_t  *pool;

    state->written = ngx_current_msec;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    state->pool = pool;
    state->write = ngx_rtmp_route_state_write_start(state, pool, old);

    if (state->write == NULL) {
        ngx_rtmp_route_state_finish(state);
        return;
    }

    ngx_post_event(&state->step, &ngx_posted_next_events);
}


static void
ngx_rtmp_route_state_step(ngx_event_t *ev)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_rtmp_route_state_t  *state;

    c = ev->data;
    state = c->data;

    if (state->write) {
        rc = ngx_rtmp_route_state_write_step(state->write, ev);

        if (rc == NGX_DONE) {
            return;
        }

    } else {
        rc = ngx_rtmp_route_state_load_step(state);
    }

    if (rc == NGX_AGAIN) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    if (state->write) {
        state->written = ngx_current_msec;
        ngx_rtmp_route_state_result(state, state->write, rc, ngx_cycle->log);
    }

    ngx_rtmp_route_state_finish(state);
}


static ngx_int_t
ngx_rtmp_route_state_load_step(ngx_rtmp_route_state_t *state)
{
    u_char     buf[NGX_RTMP_ROUTE_STATE_PIECE / 4];
    ssize_t    n;
    ngx_int_t  rc;

    if (state->fd != NGX_INVALID_FILE) {

        n = ngx_read_fd(state->fd, buf, sizeof(buf));

        if (n > 0) {
            rc = ngx_rtmp_route_state_feed(&state->load->reader, buf, n);
            return (rc == NGX_ERROR) ? NGX_ERROR : NGX_AGAIN;
        }

        (void) ngx_close_file(state->fd);
        state->fd = NGX_INVALID_FILE;
    }

    return ngx_rtmp_route_state_load_end(state->load);
}


static void
ngx_rtmp_route_state_finish(ngx_rtmp_route_state_t *state)
{
    if (state->write) {
        ngx_rtmp_route_state_write_end(state->write);
        state->write = NULL;
    }

    if (state->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(state->fd);
        state->fd = NGX_INVALID_FILE;
    }

    state->load = NULL;

    if (state->pool) {
        ngx_destroy_pool(state->pool);
        state->pool = NULL;
    }
}


static void
ngx_rtmp_route_state_result(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_write_t *w, ngx_int_t rc, ngx_log_t *log)
{
    if (rc == NGX_ERROR) {

        if (!state->failed) {
            state->failed = 1;

            ngx_log_error(NGX_LOG_ERR, log, w->err,
                          "state file \"%V\" of route \"%V\" cannot be "
                          "written, a restart will not find it: %s \"%V\" "
                          "failed", w->name, &state->route->name, w->failed,
                          w->temp);
        }

        return;
    }

    if (rc == NGX_OK && state->failed) {
        state->failed = 0;

        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "state file \"%V\" of route \"%V\" is written again",
                      w->name, &state->route->name);
    }
}


/* all workers have gone, so there is nobody to wait for this */

void
ngx_rtmp_route_state_exit_master(ngx_rtmp_route_t *route)
{
    ngx_int_t                      rc;
    ngx_log_t                     *log;
    ngx_pool_t                    *pool;
    ngx_rtmp_route_state_t        *state;
    ngx_rtmp_route_state_head_t    head;
    ngx_rtmp_route_saved_mark_t    mark, last;
    ngx_rtmp_route_state_write_t  *w;

    state = route->state;

    if (state == NULL) {
        return;
    }

    log = route->cycle->log;

    ngx_rtmp_route_saved_mark(&route->table, &mark);
    ngx_rtmp_route_saved_last(&route->table, &last);

    if ((mark.changes == last.changes && mark.beats == last.beats)
        || (ngx_rtmp_route_state_head(&state->name, &head) == NGX_OK
            && ngx_rtmp_route_state_newer(state, &head)))
    {
        return;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return;
    }

    w = ngx_rtmp_route_state_write_start(state, pool, 0);

    if (w) {
        do {
            rc = ngx_rtmp_route_state_write_step(w, NULL);
        } while (rc == NGX_AGAIN);

        ngx_rtmp_route_state_result(state, w, rc, log);
        ngx_rtmp_route_state_write_end(w);
    }

    ngx_destroy_pool(pool);
}
