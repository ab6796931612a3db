
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The first worker polls the core.  Its three answers are taken or left each
 * on its own: what is not good changes nothing, and is asked for less often.
 * One that has failed before comes last, as it may take its time again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core_poll.h"
#include "ngx_rtmp_route_slot.h"


/* so many intervals, or ms, pass at most before a failed one is asked again */
#define NGX_OSP_CORE_POLL_SKIP      7
#define NGX_OSP_CORE_POLL_BACKOFF   60000

/* between polls that somebody wants, ms */
#define NGX_OSP_CORE_POLL_REFRESH   1000

/* of an answer, unless osp_core_max_body is set: it is not held in memory */
#define NGX_OSP_CORE_POLL_BODY      (32 * 1024 * 1024)


static void ngx_osp_core_poll_refresh(ngx_rtmp_route_control_t *control);
static void ngx_osp_core_poll_show(ngx_rtmp_route_control_t *control,
    ngx_rtmp_route_json_t *json);
static void ngx_osp_core_poll_stat(ngx_rtmp_route_control_t *control,
    ngx_rtmp_route_control_stat_t *stat);
static void ngx_osp_core_poll_woken(void);
static void ngx_osp_core_poll_handler(ngx_event_t *ev);
static void ngx_osp_core_poll_begin(ngx_osp_core_poll_t *poll);
static void ngx_osp_core_poll_next(ngx_osp_core_poll_t *poll);
static ngx_int_t ngx_osp_core_poll_ask(ngx_osp_core_poll_t *poll);
static ngx_int_t ngx_osp_core_poll_body(ngx_rtmp_route_request_t *request,
    ngx_str_t *piece);
static void ngx_osp_core_poll_end(ngx_rtmp_route_request_t *request);
static void ngx_osp_core_poll_step(ngx_event_t *ev);
static void ngx_osp_core_poll_finish(ngx_osp_core_poll_t *poll);
static void ngx_osp_core_poll_log(ngx_osp_core_poll_t *poll,
    ngx_uint_t failed);
static ngx_uint_t ngx_osp_core_poll_names(ngx_uint_t mask, u_char *buf,
    ngx_str_t *text);
static void ngx_osp_core_poll_schedule(ngx_osp_core_poll_t *poll,
    ngx_msec_t time);


#define ngx_osp_core_poll_leaving()  (ngx_exiting || ngx_quit || ngx_terminate)


static ngx_str_t  ngx_osp_core_poll_uris[] = {
    ngx_string("/apiv1/server/"),
    ngx_string("/apiv1/server/rtmp"),
    ngx_string("/apiv1/stream/")
};


static ngx_str_t  ngx_osp_core_poll_words[] = {
    ngx_string("settings"),
    ngx_string("servers"),
    ngx_string("streams")
};


char *
ngx_osp_core_poll_init(ngx_conf_t *cf, ngx_osp_core_t *core)
{
    core->poll = ngx_pcalloc(cf->pool, sizeof(ngx_osp_core_poll_t));
    if (core->poll == NULL) {
        return NGX_CONF_ERROR;
    }

    core->poll->core = core;

    core->control.refresh = ngx_osp_core_poll_refresh;
    core->control.show = ngx_osp_core_poll_show;
    core->control.stat = ngx_osp_core_poll_stat;

    if (ngx_rtmp_route_on_wake(ngx_osp_core_poll_woken) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_osp_core_poll_start(ngx_osp_core_t *core)
{
    ngx_event_t          *ev;
    ngx_osp_core_poll_t  *poll;

    poll = core->poll;

    /* the slot is not known by a number that others could mistake */

    core->shared->poll_slot = (uint32_t) (ngx_rtmp_route_slot() + 1);

    poll->dumb.fd = (ngx_socket_t) -1;
    poll->dumb.data = poll;

    ev = &poll->timer;

    ev->handler = ngx_osp_core_poll_handler;
    ev->data = &poll->dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ev = &poll->step;

    ev->handler = ngx_osp_core_poll_step;
    ev->data = &poll->dumb;
    ev->log = ngx_cycle->log;

    ngx_add_timer(&poll->timer, 1);
}


/* in any process */

static void
ngx_osp_core_poll_refresh(ngx_rtmp_route_control_t *control)
{
    uint32_t         slot;
    ngx_osp_core_t  *core;

    core = control->data;

    (void) ngx_atomic_fetch_add(&core->shared->refreshes, 1);

    slot = core->shared->poll_slot;

    if (slot) {
        ngx_rtmp_route_slot_wake(slot - 1);
    }
}


/* in any process */

static void
ngx_osp_core_poll_show(ngx_rtmp_route_control_t *control,
    ngx_rtmp_route_json_t *json)
{
    ngx_str_t               state;
    ngx_uint_t              i, failed;
    ngx_osp_core_t         *core;
    ngx_osp_core_shared_t  *shared;

    core = control->data;
    shared = core->shared;

    failed = shared->poll_failed;

    if (!shared->poll_done) {
        ngx_str_set(&state, "unknown");

    } else if (failed) {
        ngx_str_set(&state, "down");

    } else {
        ngx_str_set(&state, "up");
    }

    ngx_rtmp_route_json_open(json, '{');

    ngx_rtmp_route_json_name(json, "url");
    ngx_rtmp_route_json_string(json, &core->client->url);

    ngx_rtmp_route_json_name(json, "state");
    ngx_rtmp_route_json_string(json, &state);

    ngx_rtmp_route_json_name(json, "failed");
    ngx_rtmp_route_json_open(json, '[');

    for (i = 0; i < NGX_OSP_CORE_NANSWERS; i++) {
        if (failed & ((ngx_uint_t) 1 << i)) {
            ngx_rtmp_route_json_string(json, &ngx_osp_core_poll_words[i]);
        }
    }

    ngx_rtmp_route_json_close(json, ']');

    ngx_rtmp_route_json_name(json, "servers");
    ngx_rtmp_route_json_number(json, shared->poll_servers);

    ngx_rtmp_route_json_name(json, "streams");
    ngx_rtmp_route_json_number(json, shared->poll_streams);

    if (shared->poll_once) {
        ngx_rtmp_route_json_name(json, "age");
        ngx_rtmp_route_json_number(json, (ngx_msec_t) (ngx_current_msec
                                                       - shared->poll_good)
                                         / 1000);
    }

    ngx_rtmp_route_json_close(json, '}');
}


/* in any process */

static void
ngx_osp_core_poll_stat(ngx_rtmp_route_control_t *control,
    ngx_rtmp_route_control_stat_t *stat)
{
    ngx_osp_core_t         *core;
    ngx_osp_core_shared_t  *shared;

    core = control->data;
    shared = core->shared;

    stat->up = shared->poll_done && shared->poll_failed == 0;
    stat->last = shared->poll_once ? shared->poll_time : 0;
    stat->servers = shared->poll_servers;
    stat->streams = shared->poll_streams;
    stat->polls = shared->polls[0];
    stat->polls_failed = shared->polls[1];
    stat->yes = shared->answers[0];
    stat->no = shared->answers[1];
    stat->failed = shared->answers[2];
}


/* in each process; the slot is woken for other reasons, too */

static void
ngx_osp_core_poll_woken(void)
{
    ngx_uint_t            i;
    ngx_array_t          *list;
    ngx_osp_core_t      **cores;
    ngx_osp_core_poll_t  *poll;

    list = (ngx_array_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                        ngx_osp_core_module);
    cores = list->elts;

    for (i = 0; i < list->nelts; i++) {
        poll = cores[i]->poll;

        if (poll->timer.handler && !poll->running
            && poll->refreshes != cores[i]->shared->refreshes)
        {
            ngx_osp_core_poll_schedule(poll, 0);
        }
    }
}


static void
ngx_osp_core_poll_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_osp_core_poll_t  *poll;

    c = ev->data;
    poll = c->data;

    if (ngx_osp_core_poll_leaving() || poll->running) {
        return;
    }

    ngx_osp_core_poll_begin(poll);
}


static void
ngx_osp_core_poll_begin(ngx_osp_core_poll_t *poll)
{
    ngx_uint_t                   i, failed, refreshes;
    ngx_osp_core_poll_answer_t  *answer;

    poll->running = 1;
    poll->begun = ngx_current_msec;
    poll->pos = 0;
    poll->norder = 0;

    refreshes = poll->core->shared->refreshes;

    for (failed = 0; failed < 2; failed++) {

        for (i = 0; i < NGX_OSP_CORE_NANSWERS; i++) {
            answer = &poll->answers[i];

            if ((answer->failures != 0) != failed) {
                continue;
            }

            if (answer->skip && poll->refreshes == refreshes) {
                answer->skip--;
                continue;
            }

            poll->order[poll->norder++] = i;
        }
    }

    poll->refreshes = refreshes;

    ngx_osp_core_poll_next(poll);
}


static void
ngx_osp_core_poll_next(ngx_osp_core_poll_t *poll)
{
    while (poll->pos < poll->norder) {

        poll->what = poll->order[poll->pos++];

        if (ngx_osp_core_poll_ask(poll) == NGX_OK) {
            return;
        }

        poll->answers[poll->what].reason = "no memory";
        poll->answers[poll->what].failures++;
    }

    ngx_osp_core_poll_finish(poll);
}


static ngx_int_t
ngx_osp_core_poll_ask(ngx_osp_core_poll_t *poll)
{
    ngx_osp_core_t            *core;
    ngx_rtmp_route_request_t  *request;

    core = poll->core;

    poll->pool = ngx_create_pool(4096, ngx_cycle->log);
    if (poll->pool == NULL) {
        return NGX_ERROR;
    }

    if (ngx_osp_core_apply_init(poll) != NGX_OK) {
        goto failed;
    }

    request = ngx_rtmp_route_request_create(core->client);
    if (request == NULL) {
        goto failed;
    }

    request->uri = ngx_osp_core_poll_uris[poll->what];
    request->handler = ngx_osp_core_poll_end;
    request->body_handler = ngx_osp_core_poll_body;
    request->data = poll;
    request->quiet = 1;

    if (core->conf->max_body == NGX_CONF_UNSET_SIZE) {
        request->max_body = NGX_OSP_CORE_POLL_BODY;
    }

    poll->request = request;

    if (ngx_rtmp_route_request_start(request) == NGX_OK) {
        return NGX_OK;
    }

    poll->request = NULL;

failed:

    ngx_destroy_pool(poll->pool);
    poll->pool = NULL;

    return NGX_ERROR;
}


static ngx_int_t
ngx_osp_core_poll_body(ngx_rtmp_route_request_t *request, ngx_str_t *piece)
{
    ngx_osp_core_poll_t  *poll;

    poll = request->data;

    if (request->status != 200) {
        poll->list->error = "unexpected status";
        return NGX_ERROR;
    }

    return ngx_osp_core_list_read(poll->list, piece->data,
                                  piece->data + piece->len);
}


static void
ngx_osp_core_poll_end(ngx_rtmp_route_request_t *request)
{
    size_t                       len;
    ngx_osp_core_list_t         *list;
    ngx_osp_core_poll_t         *poll;
    ngx_osp_core_poll_answer_t  *answer;

    poll = request->data;
    poll->request = NULL;

    list = poll->list;

    if (ngx_osp_core_poll_leaving()) {
        ngx_destroy_pool(poll->pool);
        poll->pool = NULL;
        return;
    }

    if (list->error == NULL && request->status == 0) {

        /* goes with the request */

        answer = &poll->answers[poll->what];

        len = ngx_min(request->error.len, sizeof(answer->text) - 1);
        ngx_memcpy(answer->text, request->error.data, len);
        answer->text[len] = '\0';

        ngx_osp_core_poll_answered(poll, (char *) answer->text);
        return;
    }

    if (list->error == NULL && request->status != 200) {
        list->error = "unexpected status";
    }

    if (list->error == NULL && ngx_osp_core_list_end(list) == NGX_OK
        && list->good == 0 && list->bad)
    {
        list->error = "nothing in it is as it should be";
    }

    if (list->error) {
        ngx_osp_core_poll_answered(poll, list->error);
        return;
    }

    ngx_osp_core_apply(poll);
}


void
ngx_osp_core_poll_answered(ngx_osp_core_poll_t *poll, const char *reason)
{
    ngx_uint_t                   i, skip;
    ngx_osp_core_poll_answer_t  *answer;

    ngx_destroy_pool(poll->pool);
    poll->pool = NULL;
    poll->list = NULL;

    answer = &poll->answers[poll->what];

    if (reason) {
        skip = ((ngx_uint_t) 1 << ngx_min(answer->failures, 3)) - 1;
        skip = ngx_min(skip, NGX_OSP_CORE_POLL_SKIP);
        skip = ngx_min(skip, NGX_OSP_CORE_POLL_BACKOFF
                             / poll->core->interval);

        answer->reason = reason;
        answer->failures++;
        answer->skip = skip;

    } else if (answer->failures) {
        answer->failures = 0;
        answer->skip = 0;

        /* others may be well again, too */

        for (i = 0; i < NGX_OSP_CORE_NANSWERS; i++) {
            poll->answers[i].skip = 0;
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "osp core poll: %V: %s, %ui failures",
                   &ngx_osp_core_poll_uris[poll->what], reason ? reason : "ok",
                   answer->failures);

    ngx_osp_core_poll_next(poll);
}


static void
ngx_osp_core_poll_step(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_osp_core_poll_t  *poll;

    c = ev->data;
    poll = c->data;

    if (ngx_osp_core_poll_leaving()) {
        ngx_destroy_pool(poll->pool);
        poll->pool = NULL;
        return;
    }

    ngx_osp_core_apply_step(poll);
}


static void
ngx_osp_core_poll_finish(ngx_osp_core_poll_t *poll)
{
    ngx_uint_t              i, failed;
    ngx_msec_t              interval, time;
    ngx_osp_core_shared_t  *shared;

    shared = poll->core->shared;
    failed = 0;

    for (i = 0; i < NGX_OSP_CORE_NANSWERS; i++) {
        if (poll->answers[i].failures) {
            failed |= (ngx_uint_t) 1 << i;
        }
    }

    ngx_osp_core_poll_log(poll, failed);

    poll->running = 0;

    shared->poll_failed = (uint32_t) failed;

    if (failed == 0) {
        shared->poll_good = ngx_current_msec;
        shared->poll_time = ngx_time();
        shared->poll_once = 1;
    }

    shared->poll_done = 1;
    shared->polls[failed != 0]++;

    if (poll->refreshes != shared->refreshes) {
        ngx_osp_core_poll_schedule(poll, 0);
        return;
    }

    /* proxies do not come all at once */

    interval = poll->core->interval;
    interval -= interval * (ngx_random() % 20) / 100;

    time = ngx_current_msec - poll->begun;
    time = (time < interval) ? interval - time : 0;

    ngx_osp_core_poll_schedule(poll, ngx_max(time, interval / 4));
}


/* a line for each change */

static void
ngx_osp_core_poll_log(ngx_osp_core_poll_t *poll, ngx_uint_t failed)
{
    u_char      buf[64];
    ngx_str_t   names;
    ngx_uint_t  i, more, less;

    more = failed & ~poll->failed;
    less = poll->failed & ~failed;

    poll->failed = failed;

    if (less) {
        (void) ngx_osp_core_poll_names(less, buf, &names);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "osp core \"%V\" tells its %V again",
                      &poll->core->client->url, &names);
    }

    if (more) {
        i = ngx_osp_core_poll_names(more, buf, &names);

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "osp core \"%V\" does not tell its %V, what is known "
                      "stays: %s", &poll->core->client->url, &names,
                      poll->answers[i].reason);
    }
}


/* the number of the first of them */

static ngx_uint_t
ngx_osp_core_poll_names(ngx_uint_t mask, u_char *buf, ngx_str_t *text)
{
    u_char      *p;
    ngx_uint_t   i, first;

    p = buf;
    first = NGX_OSP_CORE_NANSWERS;

    for (i = 0; i < NGX_OSP_CORE_NANSWERS; i++) {

        if (!(mask & ((ngx_uint_t) 1 << i))) {
            continue;
        }

        if (first == NGX_OSP_CORE_NANSWERS) {
            first = i;

        } else {
            p = ngx_cpymem(p, ", ", 2);
        }

        p = ngx_cpymem(p, ngx_osp_core_poll_words[i].data,
                       ngx_osp_core_poll_words[i].len);
    }

    text->data = buf;
    text->len = p - buf;

    return first;
}


/* 0: as soon as may be */

static void
ngx_osp_core_poll_schedule(ngx_osp_core_poll_t *poll, ngx_msec_t time)
{
    ngx_msec_t  passed;

    if (ngx_osp_core_poll_leaving()) {
        return;
    }

    if (time == 0) {
        passed = ngx_current_msec - poll->begun;

        time = (passed < NGX_OSP_CORE_POLL_REFRESH)
               ? NGX_OSP_CORE_POLL_REFRESH - passed : 1;
    }

    ngx_add_timer(&poll->timer, time);
}
