
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_hls_mpd.h"


#define NGX_HLS_MPD_MAX_TICKS  ((uint64_t) 1 << 62)


typedef struct {
    ngx_hls_mpd_t   *mpd;
    u_char          *pos;
    u_char          *last;
    ngx_uint_t       depth;
    ngx_uint_t       tags;

    uint64_t         time;             /* ticks of the timeline */
    uint64_t         sum;
    uint64_t         duration;         /* last d */
    unsigned         seen:1;           /* the MPD element */
    unsigned         timeline:1;

    uint32_t         timescale[NGX_HLS_MPD_MAX_DEPTH + 1];
                                       /* for what is in each open element */
} ngx_hls_mpd_ctx_t;


/* a tag without its brackets */

typedef struct {
    ngx_str_t        name;             /* without a prefix */
    ngx_str_t        attributes;
    unsigned         closing:1;
    unsigned         empty:1;
} ngx_hls_mpd_tag_t;


static ngx_int_t ngx_hls_mpd_markup(ngx_hls_mpd_ctx_t *ctx);
static ngx_int_t ngx_hls_mpd_skip(ngx_hls_mpd_ctx_t *ctx, char *end,
    size_t len);
static ngx_int_t ngx_hls_mpd_read(ngx_hls_mpd_ctx_t *ctx,
    ngx_hls_mpd_tag_t *tag);
static ngx_int_t ngx_hls_mpd_element(ngx_hls_mpd_ctx_t *ctx,
    ngx_hls_mpd_tag_t *tag);
static ngx_int_t ngx_hls_mpd_root(ngx_hls_mpd_ctx_t *ctx,
    ngx_hls_mpd_tag_t *tag);
static ngx_int_t ngx_hls_mpd_template(ngx_hls_mpd_ctx_t *ctx,
    ngx_hls_mpd_tag_t *tag);
static ngx_int_t ngx_hls_mpd_segments(ngx_hls_mpd_ctx_t *ctx,
    ngx_hls_mpd_tag_t *tag);
static void ngx_hls_mpd_timeline(ngx_hls_mpd_ctx_t *ctx);
static uint64_t ngx_hls_mpd_ms(uint64_t ticks, uint64_t timescale);
static ngx_int_t ngx_hls_mpd_attribute(ngx_hls_mpd_tag_t *tag, char *name,
    ngx_str_t *value);
static ngx_int_t ngx_hls_mpd_number(ngx_hls_mpd_tag_t *tag, char *name,
    uint64_t *number);
static ngx_int_t ngx_hls_mpd_duration(ngx_hls_mpd_tag_t *tag, char *name,
    uint64_t *ms);
static ngx_int_t ngx_hls_mpd_iso_duration(ngx_str_t *text, uint64_t *ms);
static ngx_uint_t ngx_hls_mpd_is(ngx_str_t *text, char *name);


ngx_int_t
ngx_hls_mpd_parse(u_char *p, u_char *end, ngx_hls_mpd_t *mpd)
{
    ngx_int_t          rc;
    ngx_hls_mpd_ctx_t  ctx;

    ngx_memzero(mpd, sizeof(ngx_hls_mpd_t));
    ngx_memzero(&ctx, sizeof(ngx_hls_mpd_ctx_t));

    if (p == end || memchr(p, '\0', end - p) != NULL) {
        return NGX_DECLINED;
    }

    if (end - p >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) {
        p += 3;
    }

    ctx.mpd = mpd;
    ctx.pos = p;
    ctx.last = end;
    ctx.timescale[0] = 1;

    /* nothing but markup and blanks before the first element */

    for ( ;; ) {

        p = memchr(ctx.pos, '<', ctx.last - ctx.pos);

        if (p == NULL) {
            p = ctx.last;
        }

        if (ctx.depth == 0) {

            while (ctx.pos < p) {

                switch (*ctx.pos++) {

                case ' ':
                case '\t':
                case '\r':
                case '\n':
                    break;

                default:
                    return NGX_DECLINED;
                }
            }
        }

        if (p == ctx.last) {
            break;
        }

        ctx.pos = p;

        rc = ngx_hls_mpd_markup(&ctx);

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return (ctx.seen && ctx.depth == 0) ? NGX_OK : NGX_DECLINED;
}


/* what a "<" begins */

static ngx_int_t
ngx_hls_mpd_markup(ngx_hls_mpd_ctx_t *ctx)
{
    u_char             *p;
    size_t              len;
    ngx_int_t           rc;
    ngx_hls_mpd_tag_t   tag;

    if (++ctx->tags > NGX_HLS_MPD_MAX_TAGS) {
        return NGX_DECLINED;
    }

    p = ctx->pos;
    len = ctx->last - p;

    if (len >= 4 && ngx_strncmp(p, "<!--", 4) == 0) {
        ctx->pos += 4;
        return ngx_hls_mpd_skip(ctx, "-->", 3);
    }

    if (len >= 9 && ngx_strncmp(p, "<![CDATA[", 9) == 0) {

        if (ctx->depth == 0) {
            return NGX_DECLINED;
        }

        ctx->pos += 9;
        return ngx_hls_mpd_skip(ctx, "]]>", 3);
    }

    if (len >= 2 && p[1] == '?') {
        ctx->pos += 2;
        return ngx_hls_mpd_skip(ctx, "?>", 2);
    }

    if (len >= 2 && p[1] == '!') {

        /* a document type: entities could make anything of the rest */

        return NGX_DECLINED;
    }

    rc = ngx_hls_mpd_read(ctx, &tag);

    if (rc != NGX_OK) {
        return rc;
    }

    if (tag.closing) {

        if (ctx->depth == 0) {
            return NGX_DECLINED;
        }

        ctx->depth--;

        if (ngx_hls_mpd_is(&tag.name, "SegmentTimeline")) {
            ngx_hls_mpd_timeline(ctx);
        }

        return NGX_OK;
    }

    if (ctx->depth == 0 && ctx->seen) {
        /* a second root */
        return NGX_DECLINED;
    }

    rc = ngx_hls_mpd_element(ctx, &tag);

    if (rc != NGX_OK || tag.empty) {
        return rc;
    }

    if (ctx->depth == NGX_HLS_MPD_MAX_DEPTH) {
        return NGX_DECLINED;
    }

    ctx->depth++;
    ctx->timescale[ctx->depth] = ctx->timescale[ctx->depth - 1];

    return NGX_OK;
}


static ngx_int_t
ngx_hls_mpd_skip(ngx_hls_mpd_ctx_t *ctx, char *end, size_t len)
{
    u_char  *p;

    for (p = ctx->pos; (size_t) (ctx->last - p) >= len; p++) {

        p = memchr(p, end[0], ctx->last - p);

        if (p == NULL || (size_t) (ctx->last - p) < len) {
            return NGX_DECLINED;
        }

        if (ngx_memcmp(p, end, len) == 0) {
            ctx->pos = p + len;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* up to the ">" that is not in quotes */

static ngx_int_t
ngx_hls_mpd_read(ngx_hls_mpd_ctx_t *ctx, ngx_hls_mpd_tag_t *tag)
{
    u_char  *p, *last, *start;

    ngx_memzero(tag, sizeof(ngx_hls_mpd_tag_t));

    p = ctx->pos + 1;
    last = ctx->last;

    if (p < last && *p == '/') {
        tag->closing = 1;
        p++;
    }

    start = p;

    for ( /* void */ ; p < last; p++) {

        if (*p == ':') {
            start = p + 1;
            continue;
        }

        if (*p <= ' ' || *p == '>' || *p == '/' || *p == '<' || *p == '='
            || *p == '"' || *p == '\'')
        {
            break;
        }
    }

    if (p == start) {
        return NGX_DECLINED;
    }

    tag->name.data = start;
    tag->name.len = p - start;

    tag->attributes.data = p;

    while (p < last && *p != '>') {

        if (*p == '<') {
            return NGX_DECLINED;
        }

        if (*p == '"' || *p == '\'') {
            p = memchr(p + 1, *p, last - p - 1);

            if (p == NULL) {
                return NGX_DECLINED;
            }
        }

        p++;
    }

    if (p == last) {
        return NGX_DECLINED;
    }

    tag->attributes.len = p - tag->attributes.data;

    if (tag->attributes.len && p[-1] == '/') {
        tag->empty = 1;
        tag->attributes.len--;
    }

    ctx->pos = p + 1;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_mpd_element(ngx_hls_mpd_ctx_t *ctx, ngx_hls_mpd_tag_t *tag)
{
    if (!ctx->seen) {
        return ngx_hls_mpd_root(ctx, tag);
    }

    if (ngx_hls_mpd_is(&tag->name, "S")) {
        return ngx_hls_mpd_segments(ctx, tag);
    }

    if (ngx_hls_mpd_is(&tag->name, "SegmentTemplate")
        || ngx_hls_mpd_is(&tag->name, "SegmentList")
        || ngx_hls_mpd_is(&tag->name, "SegmentBase"))
    {
        return ngx_hls_mpd_template(ctx, tag);
    }

    if (ngx_hls_mpd_is(&tag->name, "SegmentTimeline")) {

        ngx_hls_mpd_timeline(ctx);

        ctx->mpd->timelines++;

        if (!tag->empty) {
            ctx->timeline = 1;
        }

    } else if (ngx_hls_mpd_is(&tag->name, "Period")) {
        ctx->mpd->periods++;

    } else if (ngx_hls_mpd_is(&tag->name, "Representation")) {
        ctx->mpd->representations++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_hls_mpd_root(ngx_hls_mpd_ctx_t *ctx, ngx_hls_mpd_tag_t *tag)
{
    ngx_int_t       rc;
    ngx_str_t       value;
    ngx_hls_mpd_t  *mpd;

    if (!ngx_hls_mpd_is(&tag->name, "MPD")) {
        return NGX_DECLINED;
    }

    ctx->seen = 1;
    mpd = ctx->mpd;

    rc = ngx_hls_mpd_attribute(tag, "type", &value);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    mpd->dynamic = (rc == NGX_OK && ngx_hls_mpd_is(&value, "dynamic"));

    rc = ngx_hls_mpd_attribute(tag, "availabilityStartTime", &value);

    mpd->has_start = (rc == NGX_OK && value.len != 0);

    rc = ngx_hls_mpd_duration(tag, "minimumUpdatePeriod", &mpd->update);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    mpd->has_update = (rc == NGX_OK);

    if (ngx_hls_mpd_duration(tag, "timeShiftBufferDepth", &mpd->depth)
        == NGX_ERROR
        || ngx_hls_mpd_duration(tag, "mediaPresentationDuration",
                                &mpd->duration)
           == NGX_ERROR
        || ngx_hls_mpd_duration(tag, "maxSegmentDuration", &mpd->max_segment)
           == NGX_ERROR)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_hls_mpd_template(ngx_hls_mpd_ctx_t *ctx, ngx_hls_mpd_tag_t *tag)
{
    uint64_t   n;
    ngx_int_t  rc;

    rc = ngx_hls_mpd_number(tag, "timescale", &n);

    if (rc == NGX_ERROR || (rc == NGX_OK && (n == 0 || n > 0xffffffff))) {
        return NGX_DECLINED;
    }

    /* it holds for templates of elements beside and below, too */

    if (rc == NGX_OK) {
        ctx->timescale[ctx->depth] = (uint32_t) n;
    }

    rc = ngx_hls_mpd_number(tag, "duration", &n);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        n = ngx_hls_mpd_ms(n, ctx->timescale[ctx->depth]);
        ctx->mpd->segment = ngx_max(ctx->mpd->segment, n);
    }

    return NGX_OK;
}


/* <S t="" d="" r=""/>: r more of the same duration */

static ngx_int_t
ngx_hls_mpd_segments(ngx_hls_mpd_ctx_t *ctx, ngx_hls_mpd_tag_t *tag)
{
    uint64_t   t, d, r, sum;
    ngx_int_t  rc;
    ngx_str_t  value;

    if (!ctx->timeline) {
        return NGX_OK;
    }

    rc = ngx_hls_mpd_number(tag, "t", &t);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        ctx->time = t;
    }

    if (ngx_hls_mpd_number(tag, "d", &d) != NGX_OK) {
        return NGX_DECLINED;
    }

    r = 0;

    rc = ngx_hls_mpd_attribute(tag, "r", &value);

    if (rc == NGX_OK && ngx_hls_mpd_is(&value, "-1")) {
        ctx->mpd->open = 1;

    } else if (rc == NGX_ERROR
               || ngx_hls_mpd_number(tag, "r", &r) == NGX_ERROR)
    {
        return NGX_DECLINED;
    }

    if (d != 0 && r >= NGX_HLS_MPD_MAX_TICKS / d - 1) {
        return NGX_DECLINED;
    }

    sum = d * (r + 1);

    if (sum > NGX_HLS_MPD_MAX_TICKS - ctx->sum
        || sum > NGX_HLS_MPD_MAX_TICKS - ctx->time)
    {
        return NGX_DECLINED;
    }

    ctx->sum += sum;
    ctx->time += sum;
    ctx->duration = d;

    return NGX_OK;
}


/* a timeline has ended */

static void
ngx_hls_mpd_timeline(ngx_hls_mpd_ctx_t *ctx)
{
    uint64_t        ms, timescale;
    ngx_hls_mpd_t  *mpd;

    if (ctx->timeline) {
        mpd = ctx->mpd;
        timescale = ctx->timescale[ctx->depth];

        ms = ngx_hls_mpd_ms(ctx->sum, timescale);

        if (ms >= mpd->window) {
            mpd->window = ms;
            mpd->end = ngx_hls_mpd_ms(ctx->time, timescale);
        }

        ms = ngx_hls_mpd_ms(ctx->duration, timescale);
        mpd->last = ngx_max(mpd->last, ms);
    }

    ctx->timeline = 0;
    ctx->time = 0;
    ctx->sum = 0;
    ctx->duration = 0;
}


/* ticks are below 2^62, timescale below 2^32 */

static uint64_t
ngx_hls_mpd_ms(uint64_t ticks, uint64_t timescale)
{
    uint64_t  s;

    s = ticks / timescale;

    if (s > NGX_HLS_MPD_MAX_TICKS / 1000) {
        return NGX_HLS_MPD_MAX_TICKS;
    }

    return s * 1000 + (ticks % timescale) * 1000 / timescale;
}


/* NGX_DECLINED: there is none; NGX_ERROR: it is not well formed */

static ngx_int_t
ngx_hls_mpd_attribute(ngx_hls_mpd_tag_t *tag, char *name, ngx_str_t *value)
{
    u_char     *p, *last, *start;
    ngx_str_t   found, text;

    p = tag->attributes.data;
    last = p + tag->attributes.len;

    while (p < last) {

        while (p < last && *p <= ' ') {
            p++;
        }

        start = p;

        while (p < last && *p > ' ' && *p != '=') {
            p++;
        }

        found.data = start;
        found.len = p - start;

        while (p < last && *p <= ' ') {
            p++;
        }

        if (p == last) {
            return found.len ? NGX_ERROR : NGX_DECLINED;
        }

        if (*p++ != '=') {
            return NGX_ERROR;
        }

        while (p < last && *p <= ' ') {
            p++;
        }

        if (p == last || (*p != '"' && *p != '\'')) {
            return NGX_ERROR;
        }

        text.data = p + 1;

        p = memchr(p + 1, *p, last - p - 1);

        if (p == NULL) {
            return NGX_ERROR;
        }

        text.len = p++ - text.data;

        if (ngx_hls_mpd_is(&found, name)) {
            *value = text;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_hls_mpd_number(ngx_hls_mpd_tag_t *tag, char *name, uint64_t *number)
{
    size_t     i;
    uint64_t   n;
    ngx_int_t  rc;
    ngx_str_t  value;

    rc = ngx_hls_mpd_attribute(tag, name, &value);

    if (rc != NGX_OK) {
        return rc;
    }

    /* 18 digits are below 2^60 */

    if (value.len == 0 || value.len > 18) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            return NGX_ERROR;
        }

        n = n * 10 + (value.data[i] - '0');
    }

    *number = n;

    return NGX_OK;
}


static ngx_int_t
ngx_hls_mpd_duration(ngx_hls_mpd_tag_t *tag, char *name, uint64_t *ms)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    rc = ngx_hls_mpd_attribute(tag, name, &value);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_hls_mpd_iso_duration(&value, ms);
}


/* "P1Y2M3DT4H5M6.789S" */

static ngx_int_t
ngx_hls_mpd_iso_duration(ngx_str_t *text, uint64_t *ms)
{
    u_char      *p, *last;
    uint64_t     n, unit, fraction, scale, sum;
    ngx_uint_t   time, parts, digits;

    p = text->data;
    last = p + text->len;

    if (p == last || *p++ != 'P') {
        return NGX_ERROR;
    }

    sum = 0;
    time = 0;
    parts = 0;

    while (p < last) {

        if (*p == 'T') {

            if (time) {
                return NGX_ERROR;
            }

            time = 1;
            p++;

            continue;
        }

        n = 0;
        digits = 0;

        for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {

            if (++digits > 15) {
                return NGX_ERROR;
            }

            n = n * 10 + (*p - '0');
        }

        fraction = 0;
        scale = 1000;

        if (p < last && (*p == '.' || *p == ',')) {

            for (p++; p < last && *p >= '0' && *p <= '9'; p++) {
                scale /= 10;
                fraction += (*p - '0') * scale;
                digits++;
            }
        }

        if (digits == 0 || p == last) {
            return NGX_ERROR;
        }

        switch (*p++) {

        case 'Y':
            unit = time ? 0 : 365 * 86400;
            break;

        case 'M':
            unit = time ? 60 : 30 * 86400;
            break;

        case 'W':
            unit = time ? 0 : 7 * 86400;
            break;

        case 'D':
            unit = time ? 0 : 86400;
            break;

        case 'H':
            unit = time ? 3600 : 0;
            break;

        case 'S':
            unit = time ? 1 : 0;
            break;

        default:
            unit = 0;
        }

        if (unit == 0 || n > NGX_HLS_MPD_MAX_DURATION / 1000 / unit) {
            return NGX_ERROR;
        }

        sum += n * unit * 1000 + fraction * unit;

        if (sum > NGX_HLS_MPD_MAX_DURATION) {
            return NGX_ERROR;
        }

        parts++;
    }

    if (parts == 0) {
        return NGX_ERROR;
    }

    *ms = sum;

    return NGX_OK;
}


static ngx_uint_t
ngx_hls_mpd_is(ngx_str_t *text, char *name)
{
    return text->len == ngx_strlen(name)
           && ngx_memcmp(text->data, name, text->len) == 0;
}
