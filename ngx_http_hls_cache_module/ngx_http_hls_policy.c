
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_hls_store.h"
#include "ngx_http_hls_policy.h"


static void ngx_http_hls_policy_aged(ngx_http_hls_policy_list_t *in,
    ngx_http_hls_policy_ttl_t *ttl);
static ngx_msec_t ngx_http_hls_policy_clamp(ngx_msec_t value, ngx_msec_t min,
    ngx_msec_t max);
static void ngx_http_hls_policy_control(ngx_http_hls_policy_headers_t *headers,
    ngx_str_t *value);
static ngx_uint_t ngx_http_hls_policy_is(ngx_str_t *text, const char *word);


void
ngx_http_hls_policy_age(ngx_str_t *value, ngx_http_hls_policy_age_t *age)
{
    u_char     *p, *last, *end;
    ngx_int_t   n;
    ngx_str_t   name;

    ngx_memzero(age, sizeof(ngx_http_hls_policy_age_t));

    p = value->data;
    last = value->data + value->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == ',')) {
            p++;
        }

        name.data = p;

        while (p < last && *p != '=' && *p != ',') {
            p++;
        }

        name.len = p - name.data;

        if (p == last || *p == ',') {
            continue;
        }

        end = ngx_strlchr(++p, last, ',');

        if (end == NULL) {
            end = last;
        }

        n = ngx_atoi(p, end - p);
        p = end;

        if (n == NGX_ERROR) {
            continue;
        }

        n = ngx_min(n, NGX_HTTP_HLS_AGE_MAX);

        if (ngx_http_hls_policy_is(&name, "changed")) {
            age->changed = n;
            age->has_changed = 1;

        } else if (ngx_http_hls_policy_is(&name, "fetched")) {
            age->fetched = n;
            age->has_fetched = 1;
        }
    }

    /* it is not newer than the content, and without that it is nothing */

    if (age->has_changed && age->changed < age->fetched) {
        age->changed = age->fetched;
    }

    if (!age->has_fetched) {
        age->has_changed = 0;
    }
}


void
ngx_http_hls_policy_seconds(ngx_str_t *value, ngx_http_hls_policy_age_t *age)
{
    ngx_int_t  n;

    ngx_memzero(age, sizeof(ngx_http_hls_policy_age_t));

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR) {
        return;
    }

    age->fetched = (ngx_msec_t) ngx_min(n, NGX_HTTP_HLS_AGE_MAX / 1000) * 1000;
    age->has_fetched = 1;
}


ngx_msec_t
ngx_http_hls_policy_rest(ngx_msec_t ttl, ngx_http_hls_policy_age_t *age)
{
    if (!age->has_fetched || ttl <= NGX_HTTP_HLS_POLL_MIN) {
        return ttl;
    }

    return ttl - ngx_min(age->fetched, ttl - NGX_HTTP_HLS_POLL_MIN);
}


void
ngx_http_hls_policy_list(ngx_http_hls_policy_list_t *in,
    ngx_http_hls_policy_ttl_t *ttl)
{
    ngx_msec_t  now, half, next;

    /* it is no newer here than where it was before */

    now = in->aged ? in->good : in->now;

    ttl->predicted = 0;

    ttl->target = in->target ? in->target : NGX_HTTP_HLS_TARGET;

    if (in->master) {
        ttl->target = NGX_HTTP_HLS_MASTER;
    }

    if (in->update) {
        ttl->target = in->update;
    }

    ttl->target = ngx_http_hls_policy_clamp(ttl->target, NGX_HTTP_HLS_TTL_MIN,
                                            NGX_HTTP_HLS_ENDED);

    ttl->usable = now + (in->stale ? in->stale : 3 * ttl->target);

    if (in->valid) {
        ttl->next = now + in->valid;
        goto done;
    }

    if (in->endlist) {

        /* it is served for as long as that, whatever becomes of the origin */

        ttl->next = now + (in->vod ? NGX_HTTP_HLS_ENDED
                                   : NGX_HTTP_HLS_ENDED_LIVE);
        ttl->usable = now + NGX_HTTP_HLS_ENDED;
        goto done;
    }

    if (in->master) {
        ttl->next = now + NGX_HTTP_HLS_MASTER;
        goto done;
    }

    if (in->update) {
        ttl->next = now
                    + ngx_http_hls_policy_clamp(in->update,
                                                NGX_HTTP_HLS_TTL_MIN,
                                                NGX_HTTP_HLS_TTL_MAX);
        goto done;
    }

    half = ngx_http_hls_policy_clamp(ttl->target / 2, NGX_HTTP_HLS_TTL_MIN,
                                     NGX_HTTP_HLS_TTL_MAX);

    ttl->next = now + half;

    if (in->period == 0) {
        goto done;
    }

    next = in->changed + in->period;

    if ((ngx_msec_int_t) (next - now) > 0) {

        /* it is not worth asking just before the change */

        if ((ngx_msec_int_t) (next - ttl->next)
            <= (ngx_msec_int_t) (ttl->target / 8))
        {
            ttl->next = next;
            ttl->predicted = 1;
        }

    } else if (now - in->changed <= 3 * ttl->target) {

        /* it is overdue */

        ttl->next = now + ngx_min(ngx_max(ttl->target / 8,
                                          NGX_HTTP_HLS_POLL_MIN),
                                  half);
        ttl->predicted = 1;
    }

done:

    if (in->aged) {
        ngx_http_hls_policy_aged(in, ttl);
    }

    if ((ngx_msec_int_t) (ttl->usable - ttl->next) < 0) {
        ttl->usable = ttl->next + 3 * ttl->target;
    }

    ttl->kept = ttl->usable + NGX_HTTP_HLS_KEPT;
}


/*
 * The proxy asks the origin at the same times: soon after is when it has
 * something new.  What it has had for too long does not live longer here.
 */

static void
ngx_http_hls_policy_aged(ngx_http_hls_policy_list_t *in,
    ngx_http_hls_policy_ttl_t *ttl)
{
    ngx_msec_t      step;
    ngx_msec_int_t  late;

    ttl->next += NGX_HTTP_HLS_TIER_LATE;

    late = (ngx_msec_int_t) (in->now + NGX_HTTP_HLS_TIER_MIN - ttl->next);

    if (late > 0) {
        step = ngx_max(ttl->target / 8, NGX_HTTP_HLS_POLL_MIN);
        ttl->next += (late + step - 1) / step * step;
    }

    if ((ngx_msec_int_t) (ttl->usable - ttl->next) < 0) {
        ttl->usable = ttl->next;
    }

    /* not ahead of that time either */

    ttl->predicted = 1;
}


ngx_msec_t
ngx_http_hls_policy_life(ngx_msec_t window, ngx_msec_t target,
    ngx_uint_t ended, ngx_msec_t valid)
{
    if (valid) {
        return valid;
    }

    if (ended) {
        return NGX_HTTP_HLS_ENDED;
    }

    window = ngx_min(window, NGX_HTTP_HLS_ENDED);
    target = ngx_min(target, NGX_HTTP_HLS_ENDED);

    return ngx_http_hls_policy_clamp(window + 3 * target,
                                     NGX_HTTP_HLS_LIFE_MIN,
                                     NGX_HTTP_HLS_ENDED);
}


void
ngx_http_hls_policy_fail(ngx_http_hls_policy_fail_t *in,
    ngx_http_hls_policy_failed_t *failed)
{
    ngx_uint_t  gone;

    gone = (in->status == NGX_HTTP_FORBIDDEN
            || in->status == NGX_HTTP_NOT_FOUND
            || in->status == 410);

    if (in->usable) {

        /* soon, for a playlist may be away for a moment only */

        failed->action = NGX_HTTP_HLS_FAILED_STALE;
        failed->status = 0;
        failed->ttl = ngx_http_hls_policy_clamp(in->target / 8,
                                                NGX_HTTP_HLS_POLL_MIN,
                                                NGX_HTTP_HLS_ERROR);
        return;
    }

    if (gone && in->listed && in->tries < NGX_HTTP_HLS_TRIES) {
        failed->action = NGX_HTTP_HLS_FAILED_RETRY;
        failed->status = 0;
        failed->ttl = ngx_http_hls_policy_delay(in->tries);
        return;
    }

    failed->action = NGX_HTTP_HLS_FAILED_ERROR;
    failed->ttl = NGX_HTTP_HLS_FAILED;

    if (in->body) {

        /* it has been there: is it to come back? */

        if (in->route) {
            failed->status = in->live ? NGX_HTTP_SERVICE_UNAVAILABLE
                                      : NGX_HTTP_NOT_FOUND;

        } else {
            failed->status = gone ? in->status : NGX_HTTP_SERVICE_UNAVAILABLE;
        }

        return;
    }

    if (in->listed && gone) {
        failed->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return;
    }

    failed->status = in->status ? in->status : NGX_HTTP_BAD_GATEWAY;

    if (in->valid) {
        failed->ttl = in->valid;

    } else if (failed->status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        failed->ttl = NGX_HTTP_HLS_ERROR;
    }
}


ngx_msec_t
ngx_http_hls_policy_delay(ngx_uint_t tries)
{
    return (ngx_msec_t) NGX_HTTP_HLS_POLL_MIN << (2 * ngx_min(tries, 2));
}


void
ngx_http_hls_policy_answer(ngx_http_hls_policy_found_t *in,
    ngx_http_hls_data_t *data, ngx_http_hls_policy_answer_t *answer)
{
    ngx_uint_t  filling, usable;
    ngx_msec_t  limit, since;

    answer->action = NGX_HTTP_HLS_ANSWER_WAIT;
    answer->status = 0;
    answer->wait = (ngx_msec_t) -1;
    answer->stale = 0;

    filling = (in->state != NGX_HTTP_HLS_STORE_FRESH);

    if (!in->body) {

        if (!filling) {

            if (in->status < NGX_HTTP_SPECIAL_RESPONSE) {
                answer->action = NGX_HTTP_HLS_ANSWER_PASS;

            } else {
                answer->action = NGX_HTTP_HLS_ANSWER_ERROR;
                answer->status = in->status;
            }
        }

        return;
    }

    usable = ((int32_t) (data->usable - (uint32_t) in->now) > 0);

    answer->stale = (data->flags & NGX_HTTP_HLS_FAILING) ? 1 : 0;

    if ((data->flags & (NGX_HTTP_HLS_MEDIA
                        |NGX_HTTP_HLS_LIST_END
                        |NGX_HTTP_HLS_FIXED))
        == NGX_HTTP_HLS_MEDIA
        && in->now - in->changed > 3 * (ngx_msec_t) data->target)
    {
        answer->stale = 1;
    }

    if (!filling) {

        if (usable) {
            answer->action = NGX_HTTP_HLS_ANSWER_BODY;
            return;
        }

        answer->action = NGX_HTTP_HLS_ANSWER_ERROR;
        answer->status = data->error ? data->error
                                     : NGX_HTTP_SERVICE_UNAVAILABLE;
        return;
    }

    /*
     * a fill runs: it is waited for as long as one takes most often, and
     * those who come later do not wait for one that hangs
     */

    since = in->now - ngx_http_hls_policy_moment(in->now, data->started);

    if (usable) {
        limit = ngx_http_hls_policy_clamp(3 * (ngx_msec_t) data->took, 50,
                                          500);

        if ((data->flags & NGX_HTTP_HLS_FAILING) || since >= limit) {
            answer->action = NGX_HTTP_HLS_ANSWER_BODY;
            return;
        }

        answer->wait = limit - since;
        return;
    }

    limit = ngx_max(3 * (ngx_msec_t) data->target, NGX_HTTP_HLS_TARGET);

    if (since >= limit) {
        answer->action = NGX_HTTP_HLS_ANSWER_ERROR;
        answer->status = data->error ? data->error
                                     : NGX_HTTP_SERVICE_UNAVAILABLE;
        return;
    }

    answer->wait = limit - since;
}


ngx_msec_t
ngx_http_hls_policy_hang(ngx_http_hls_data_t *data, ngx_uint_t segment)
{
    ngx_msec_t  target;

    target = data->target;

    if (segment) {
        target = ngx_max(target, NGX_HTTP_HLS_HANG_SEGMENT);

    } else {

        /* some are always slow */

        target = ngx_max(target, 4 * (ngx_msec_t) data->took);
        target = ngx_max(target, NGX_HTTP_HLS_HANG_MIN);
    }

    /* a proxy leaves a server that hangs by itself, and asks the next one */

    return (data->flags & NGX_HTTP_HLS_AGED)
           ? 2 * target + NGX_HTTP_HLS_HANG_MIN : target;
}


ngx_uint_t
ngx_http_hls_policy_look(ngx_http_hls_data_t *data, ngx_msec_t now,
    ngx_msec_t changed)
{
    ngx_msec_t  target, since;

    target = data->target;

    if ((data->flags & (NGX_HTTP_HLS_MEDIA|NGX_HTTP_HLS_LIST_END))
        != NGX_HTTP_HLS_MEDIA
        || data->server == 0
        || (ngx_msec_int_t) (now - changed)
           <= (ngx_msec_int_t) (target + target / 2))
    {
        return 0;
    }

    /* nobody has asked for it: it may have gone on all the time */

    since = now - ngx_http_hls_policy_moment(now, data->started);

    if (!(data->flags & NGX_HTTP_HLS_FAILING)
        && (ngx_msec_int_t) since > (ngx_msec_int_t) (target + target / 2))
    {
        return 0;
    }

    if (data->look & NGX_HTTP_HLS_LOOK_PAUSE) {
        since = now - ngx_http_hls_policy_moment(now, data->since);

        if ((ngx_msec_int_t) since >= 0
            && since < NGX_HTTP_HLS_LOOK_TARGETS * target)
        {
            return 0;
        }

        data->look = 0;
        data->place = 0;
        data->other = 0;
    }

    return !(data->look & NGX_HTTP_HLS_LOOK_TURN);
}


ngx_int_t
ngx_http_hls_policy_looked(ngx_http_hls_data_t *data, ngx_msec_t now,
    uint32_t server, uint32_t seen)
{
    uint16_t    other;
    ngx_msec_t  since;

    other = (uint16_t) (server ^ (server >> 16));
    other = other ? other : 1;

    if (seen && data->other != other) {

        /* the next change of it tells that it is alive */

        data->other = other;
        data->seen = seen;
        data->since = (uint32_t) now;

        return NGX_AGAIN;
    }

    if (seen && data->seen != seen) {
        data->server = server;
        data->other = 0;
        data->place = 0;
        data->look = NGX_HTTP_HLS_LOOK_PAUSE;
        data->since = (uint32_t) now;

        return NGX_OK;
    }

    since = now - ngx_http_hls_policy_moment(now, data->since);

    if (seen && since <= (ngx_msec_t) data->target + data->target / 2) {
        return NGX_AGAIN;
    }

    data->other = 0;
    data->place++;

    if (data->place >= NGX_HTTP_HLS_LOOK_PLACES) {
        data->place = 0;
        data->look = NGX_HTTP_HLS_LOOK_PAUSE;
        data->since = (uint32_t) now;
    }

    return NGX_DECLINED;
}


void
ngx_http_hls_policy_header(ngx_http_hls_policy_headers_t *headers,
    ngx_str_t *name, ngx_str_t *value, time_t now)
{
    time_t  expires;

    if (ngx_http_hls_policy_is(name, "cache-control")) {
        ngx_http_hls_policy_control(headers, value);

    } else if (ngx_http_hls_policy_is(name, "expires")) {

        expires = ngx_parse_http_time(value->data, value->len);

        headers->expires = (expires == NGX_ERROR || expires < now)
                           ? 0 : expires - now;

    } else if (ngx_http_hls_policy_is(name, "pragma")) {

        if (ngx_strlcasestrn(value->data, value->data + value->len,
                             (u_char *) "no-cache", 8 - 1)
            != NULL)
        {
            headers->no_store = 1;
        }

    } else if (ngx_http_hls_policy_is(name, "set-cookie")) {
        headers->set_cookie = 1;

    } else if (ngx_http_hls_policy_is(name, "vary")) {
        headers->vary = 1;

        if (ngx_strlchr(value->data, value->data + value->len, '*') != NULL) {
            headers->vary_all = 1;
        }

    } else if (ngx_http_hls_policy_is(name, "content-encoding")) {

        if (!ngx_http_hls_policy_is(value, "identity")) {
            headers->encoded = 1;
        }
    }
}


ngx_int_t
ngx_http_hls_policy_cacheable(ngx_http_hls_policy_headers_t *headers,
    ngx_uint_t media, ngx_uint_t honor, ngx_msec_t *valid)
{
    time_t  age;

    *valid = 0;

    if (headers->private || headers->vary_all || headers->encoded) {
        return NGX_DECLINED;
    }

    if (media && !honor) {
        return NGX_OK;
    }

    if (headers->no_store || headers->set_cookie
        || (headers->vary && !media))
    {
        return NGX_DECLINED;
    }

    age = (headers->max_age != -1) ? headers->max_age : headers->expires;

    if (age == -1) {
        return NGX_OK;
    }

    if (age == 0) {
        return NGX_DECLINED;
    }

    *valid = (ngx_msec_t) ngx_min(age, 86400) * 1000;

    return NGX_OK;
}


ngx_uint_t
ngx_http_hls_policy_msn(ngx_http_hls_data_t *data, uint64_t msn,
    uint64_t last, ngx_msec_t since)
{
    uint64_t  expected;

    if (!(data->flags & NGX_HTTP_HLS_BLOCK_RELOAD) || data->target == 0) {
        return 0;
    }

    /* a playlist that nobody has asked for has gone on meanwhile */

    expected = last + since / data->target;

    return msn > last && msn <= expected + NGX_HTTP_HLS_AHEAD;
}


static ngx_msec_t
ngx_http_hls_policy_clamp(ngx_msec_t value, ngx_msec_t min, ngx_msec_t max)
{
    return ngx_min(ngx_max(value, min), max);
}


static void
ngx_http_hls_policy_control(ngx_http_hls_policy_headers_t *headers,
    ngx_str_t *value)
{
    u_char     *p, *end, *last;
    ngx_int_t   n;
    ngx_str_t   name, arg;
    ngx_uint_t  shared;

    p = value->data;
    end = value->data + value->len;
    shared = 0;

    while (p < end) {

        last = ngx_strlchr(p, end, ',');
        if (last == NULL) {
            last = end;
        }

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        name.data = p;

        while (p < last && *p != '=' && *p != ' ' && *p != '\t') {
            p++;
        }

        name.len = p - name.data;

        while (p < last && (*p == '=' || *p == ' ' || *p == '"')) {
            p++;
        }

        arg.data = p;

        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }

        arg.len = p - arg.data;

        if (ngx_http_hls_policy_is(&name, "private")) {
            headers->private = 1;

        } else if (ngx_http_hls_policy_is(&name, "no-store")
                   || ngx_http_hls_policy_is(&name, "no-cache"))
        {
            headers->no_store = 1;

        } else if (ngx_http_hls_policy_is(&name, "s-maxage")
                   || (ngx_http_hls_policy_is(&name, "max-age") && !shared))
        {
            n = ngx_atoi(arg.data, ngx_min(arg.len, 9));

            if (n != NGX_ERROR) {
                headers->max_age = (arg.len > 9) ? 999999999 : n;
                shared = (name.data[0] == 's' || name.data[0] == 'S');
            }
        }

        p = last + 1;
    }
}


static ngx_uint_t
ngx_http_hls_policy_is(ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_strncasecmp(text->data, (u_char *) word, text->len) == 0;
}
