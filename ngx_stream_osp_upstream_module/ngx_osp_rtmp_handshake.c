
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ngx_osp_rtmp_handshake.h"


#define NGX_OSP_RTMP_HS_DIGEST         32
#define NGX_OSP_RTMP_HS_OFFSETS        728    /* places of a digest */
#define NGX_OSP_RTMP_HS_SALT           16     /* fresh bytes of a block */


static void ngx_osp_rtmp_handshake_answer(ngx_osp_rtmp_handshake_t *hs);
static void ngx_osp_rtmp_handshake_block(u_char *p);
static void ngx_osp_rtmp_handshake_time(u_char *p);
static ngx_int_t ngx_osp_rtmp_handshake_digest(ngx_osp_rtmp_handshake_t *hs);
static u_char *ngx_osp_rtmp_handshake_place(u_char *block, ngx_uint_t scheme);
static ngx_int_t ngx_osp_rtmp_handshake_hmac_without(u_char *block,
    u_char *place, u_char *key, size_t len, u_char *digest);
static ngx_int_t ngx_osp_rtmp_handshake_hmac(u_char *key, size_t len,
    u_char *data, size_t n, u_char *digest);


/*
 * Keys of the digest handshake, publicly known constants.  The text alone is
 * the key of the digests in C1 and S1, all of it that of the one in S2.
 */

static u_char  ngx_osp_rtmp_player_key[] = "Genuine Adobe Flash Player 001";

static u_char  ngx_osp_rtmp_server_key[] =
    "Genuine Adobe Flash Media Server 001"
    "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57"
    "\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae";

#define NGX_OSP_RTMP_PLAYER_KEY        30
#define NGX_OSP_RTMP_SERVER_KEY        36
#define NGX_OSP_RTMP_SERVER_KEY_FULL   68


/* made once: so many calls of random() for each session would be felt */

static u_char      ngx_osp_rtmp_handshake_random[NGX_OSP_RTMP_HS_LEN];
static ngx_uint_t  ngx_osp_rtmp_handshake_ready;


void
ngx_osp_rtmp_handshake_server_init(ngx_osp_rtmp_handshake_t *hs, u_char *buf)
{
    ngx_memzero(hs, sizeof(ngx_osp_rtmp_handshake_t));

    hs->buf = buf;
}


/*
 * RTMP 1.0, 5.2.  C1 is collected at the place of S2, whose simple form is
 * its echo.
 */

ngx_int_t
ngx_osp_rtmp_handshake_server(ngx_osp_rtmp_handshake_t *hs, u_char **pos,
    u_char *last)
{
    size_t   n;
    u_char  *p;

    if (hs->error) {
        return NGX_ERROR;
    }

    p = *pos;

    if (hs->got == 0 && p != last) {

        if (*p >= NGX_OSP_RTMP_VERSION_CRYPTED && *p <= 9) {
            hs->crypted = 1;
            hs->error = "client asks for encrypted rtmp, which is not served";
            return NGX_ERROR;
        }

        if (*p != NGX_OSP_RTMP_VERSION) {
            hs->error = "client does not speak rtmp version 3";
            return NGX_ERROR;
        }

        p++;
        hs->got = 1;
    }

    if (hs->got >= 1 && hs->got < NGX_OSP_RTMP_HS_C0C1) {
        n = ngx_min((size_t) (last - p), NGX_OSP_RTMP_HS_C0C1 - hs->got);

        /* hs->got counts C0 and stands one byte before its place in S2 */

        ngx_memcpy(hs->buf + NGX_OSP_RTMP_HS_LEN + hs->got, p, n);

        p += n;
        hs->got += n;

        *pos = p;

        if (hs->got == NGX_OSP_RTMP_HS_C0C1) {
            ngx_osp_rtmp_handshake_answer(hs);
            return NGX_OK;
        }

        return NGX_AGAIN;
    }

    if (hs->got >= NGX_OSP_RTMP_HS_C0C1) {
        n = ngx_min((size_t) (last - p), NGX_OSP_RTMP_HS_C0C1C2 - hs->got);

        p += n;
        hs->got += n;
    }

    *pos = p;

    return hs->got == NGX_OSP_RTMP_HS_C0C1C2 ? NGX_DONE : NGX_AGAIN;
}


static void
ngx_osp_rtmp_handshake_answer(ngx_osp_rtmp_handshake_t *hs)
{
    hs->buf[0] = NGX_OSP_RTMP_VERSION;

    if (ngx_osp_rtmp_handshake_digest(hs) == NGX_OK) {
        hs->digest = 1;
        return;
    }

    ngx_osp_rtmp_handshake_block(hs->buf + 1);
}


/* a block of the simple form: time, zero, random bytes */

static void
ngx_osp_rtmp_handshake_block(u_char *p)
{
    ngx_uint_t  i;

    if (!ngx_osp_rtmp_handshake_ready) {

        for (i = 0; i < NGX_OSP_RTMP_HS_LEN; i++) {
            ngx_osp_rtmp_handshake_random[i] = (u_char) (ngx_random() >> 8);
        }

        ngx_osp_rtmp_handshake_ready = 1;
    }

    ngx_memcpy(p, ngx_osp_rtmp_handshake_random, NGX_OSP_RTMP_HS_LEN);

    ngx_osp_rtmp_handshake_time(p);
    ngx_memzero(p + 4, 4);

    for (i = 8; i < 8 + NGX_OSP_RTMP_HS_SALT; i++) {
        p[i] = (u_char) (ngx_random() >> 8);
    }
}


static void
ngx_osp_rtmp_handshake_time(u_char *p)
{
    uint32_t  now;

    now = (uint32_t) ngx_current_msec;

    p[0] = (u_char) (now >> 24);
    p[1] = (u_char) (now >> 16);
    p[2] = (u_char) (now >> 8);
    p[3] = (u_char) now;
}


/*
 * The digest form: C1 holds HMAC-SHA256 of its other 1504 bytes at one of two
 * places; so does S1, and the last 32 bytes of S2 sign the rest of it with
 * what comes of the digest of C1.  NGX_DECLINED: C1 has no valid digest.
 */

static ngx_int_t
ngx_osp_rtmp_handshake_digest(ngx_osp_rtmp_handshake_t *hs)
{
    u_char      *s1, *s2, *place;
    ngx_uint_t   scheme;
    u_char       key[NGX_OSP_RTMP_HS_DIGEST], digest[NGX_OSP_RTMP_HS_DIGEST];

    s1 = hs->buf + 1;
    s2 = s1 + NGX_OSP_RTMP_HS_LEN;

    /* the second word of C1 is zero in the simple form, 5.2.3 */

    if (s2[4] == 0 && s2[5] == 0 && s2[6] == 0 && s2[7] == 0) {
        return NGX_DECLINED;
    }

    for (scheme = 0; scheme < 2; scheme++) {
        place = ngx_osp_rtmp_handshake_place(s2, scheme);

        if (ngx_osp_rtmp_handshake_hmac_without(s2, place,
                                                ngx_osp_rtmp_player_key,
                                                NGX_OSP_RTMP_PLAYER_KEY,
                                                digest)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (ngx_memcmp(place, digest, NGX_OSP_RTMP_HS_DIGEST) == 0) {
            break;
        }
    }

    if (scheme == 2) {
        return NGX_DECLINED;
    }

    if (ngx_osp_rtmp_handshake_hmac(ngx_osp_rtmp_server_key,
                                    NGX_OSP_RTMP_SERVER_KEY_FULL,
                                    digest, NGX_OSP_RTMP_HS_DIGEST, key)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* C1 stays as it is until nothing can fail */

    ngx_osp_rtmp_handshake_block(s1);

    /* a version of the server must be there, as in C1 */

    s1[4] = 5;
    s1[5] = 0;
    s1[6] = 17;
    s1[7] = 1;

    place = ngx_osp_rtmp_handshake_place(s1, scheme);

    if (ngx_osp_rtmp_handshake_hmac_without(s1, place,
                                            ngx_osp_rtmp_server_key,
                                            NGX_OSP_RTMP_SERVER_KEY, digest)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(place, digest, NGX_OSP_RTMP_HS_DIGEST);

    /* C1 does for the random bytes of S2 */

    place = s2 + NGX_OSP_RTMP_HS_LEN - NGX_OSP_RTMP_HS_DIGEST;

    if (ngx_osp_rtmp_handshake_hmac(key, NGX_OSP_RTMP_HS_DIGEST, s2,
                                    NGX_OSP_RTMP_HS_LEN
                                    - NGX_OSP_RTMP_HS_DIGEST,
                                    digest)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(place, digest, NGX_OSP_RTMP_HS_DIGEST);

    return NGX_OK;
}


/* the digest is in one half of the block, where the sum of 4 bytes says */

static u_char *
ngx_osp_rtmp_handshake_place(u_char *block, ngx_uint_t scheme)
{
    u_char      *p;
    ngx_uint_t   offset;

    p = block + (scheme == 0 ? 8 : 772);

    offset = ((ngx_uint_t) p[0] + p[1] + p[2] + p[3])
             % NGX_OSP_RTMP_HS_OFFSETS;

    return p + 4 + offset;
}


static ngx_int_t
ngx_osp_rtmp_handshake_hmac_without(u_char *block, u_char *place, u_char *key,
    size_t len, u_char *digest)
{
    u_char  *p, data[NGX_OSP_RTMP_HS_LEN - NGX_OSP_RTMP_HS_DIGEST];

    p = ngx_cpymem(data, block, place - block);

    place += NGX_OSP_RTMP_HS_DIGEST;

    ngx_memcpy(p, place, block + NGX_OSP_RTMP_HS_LEN - place);

    return ngx_osp_rtmp_handshake_hmac(key, len, data, sizeof(data), digest);
}


static ngx_int_t
ngx_osp_rtmp_handshake_hmac(u_char *key, size_t len, u_char *data, size_t n,
    u_char *digest)
{
    unsigned  size;

    size = NGX_OSP_RTMP_HS_DIGEST;

    if (HMAC(EVP_sha256(), key, (int) len, data, n, digest, &size) == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


u_char *
ngx_osp_rtmp_handshake_c0c1(u_char *buf)
{
    *buf++ = NGX_OSP_RTMP_VERSION;

    ngx_osp_rtmp_handshake_block(buf);

    return buf + NGX_OSP_RTMP_HS_LEN;
}


void
ngx_osp_rtmp_handshake_client_init(ngx_osp_rtmp_handshake_t *hs, u_char *buf)
{
    ngx_memzero(hs, sizeof(ngx_osp_rtmp_handshake_t));

    hs->buf = buf;
}


ngx_int_t
ngx_osp_rtmp_handshake_client(ngx_osp_rtmp_handshake_t *hs, u_char **pos,
    u_char *last)
{
    size_t   n;
    u_char  *p;

    if (hs->error) {
        return NGX_ERROR;
    }

    p = *pos;

    if (hs->got == 0 && p != last) {

        if (*p != NGX_OSP_RTMP_VERSION) {
            hs->error = "server does not speak rtmp version 3";
            return NGX_ERROR;
        }

        p++;
        hs->got = 1;
    }

    if (hs->got >= 1 && hs->got < NGX_OSP_RTMP_HS_C0C1) {
        n = ngx_min((size_t) (last - p), NGX_OSP_RTMP_HS_C0C1 - hs->got);

        if (hs->buf) {
            ngx_memcpy(hs->buf + hs->got - 1, p, n);
        }

        p += n;
        hs->got += n;

        *pos = p;

        return hs->got == NGX_OSP_RTMP_HS_C0C1 ? NGX_OK : NGX_AGAIN;
    }

    if (hs->got >= NGX_OSP_RTMP_HS_C0C1) {
        n = ngx_min((size_t) (last - p), NGX_OSP_RTMP_HS_S0S1S2 - hs->got);

        p += n;
        hs->got += n;
    }

    *pos = p;

    return hs->got == NGX_OSP_RTMP_HS_S0S1S2 ? NGX_DONE : NGX_AGAIN;
}
