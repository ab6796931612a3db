
/*
 * Copyright (C) The nginx-osp authors
 */


/* Tests for the RTMP handshake. */

/* sources: ngx_osp_rtmp_handshake.c */


#include "unit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ngx_osp_rtmp_handshake.h"


static u_char  c0c1c2[NGX_OSP_RTMP_HS_C0C1C2 + 8];
static u_char  reply[NGX_OSP_RTMP_HS_S0S1S2];

static u_char  tail[32] = {
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8,
    0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab,
    0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae
};


static void make(void);
static ngx_int_t serve(ngx_osp_rtmp_handshake_t *hs, size_t cut, size_t each,
    size_t *left);
static void simple(void);
static void refused(void);
static size_t place(u_char *block, ngx_uint_t scheme);
static void sign(u_char *block, size_t offset, const char *key, u_char *out);
static void digests(void);
static void client(void);


/* C0, C1, C2 and the first 8 bytes of chunks */

static void
make(void)
{
    size_t  i;

    for (i = 0; i < sizeof(c0c1c2); i++) {
        c0c1c2[i] = (u_char) (i * 7 + i / 256);
    }

    c0c1c2[0] = 3;

    ngx_memzero(c0c1c2 + 5, 4);
}


/* gives cut bytes, then each bytes at a time; copies the answer */

static ngx_int_t
serve(ngx_osp_rtmp_handshake_t *hs, size_t cut, size_t each, size_t *left)
{
    size_t      n, done;
    u_char     *buf, *out, *pos;
    ngx_int_t   rc;
    ngx_uint_t  answers;

    out = malloc(NGX_OSP_RTMP_HS_S0S1S2);
    ngx_osp_rtmp_handshake_server_init(hs, out);

    answers = 0;
    done = 0;
    n = cut;

    for ( ;; ) {
        n = ngx_min(n, sizeof(c0c1c2));

        buf = malloc(n - done + 1);
        memcpy(buf, c0c1c2 + done, n - done);

        pos = buf;

        do {
            rc = ngx_osp_rtmp_handshake_server(hs, &pos, buf + (n - done));

            if (rc == NGX_OK) {
                memcpy(reply, out, NGX_OSP_RTMP_HS_S0S1S2);
                answers++;
            }

        } while (rc == NGX_OK);

        if (rc == NGX_AGAIN && pos != buf + (n - done)) {
            rc = NGX_ERROR;
        }

        done += pos - buf;
        free(buf);

        if (rc != NGX_AGAIN) {
            break;
        }

        if (n == sizeof(c0c1c2)) {
            break;
        }

        n += each;
    }

    *left = sizeof(c0c1c2) - done;

    free(out);

    if (rc == NGX_DONE && answers != 1) {
        return NGX_ERROR;
    }

    return rc;
}


static void
simple(void)
{
    size_t                    i, left;
    u_char                    first[NGX_OSP_RTMP_HS_LEN];
    ngx_uint_t                bad;
    ngx_osp_rtmp_handshake_t  hs;

    make();

    ngx_current_msec = 0x01020304;

    ok(serve(&hs, sizeof(c0c1c2), 1, &left) == NGX_DONE, "simple handshake");
    is_uint(left, 8, "what follows is left");
    is_uint(hs.digest, 0, "no digest");

    is_uint(reply[0], 3, "S0");
    ok(memcmp(reply + 1, "\x01\x02\x03\x04\0\0\0\0", 8) == 0, "S1");
    ok(memcmp(reply + 1537, c0c1c2 + 1, 1536) == 0, "S2 is C1");

    memcpy(first, reply + 1, 1536);

    bad = 0;

    for (i = 0; i < sizeof(c0c1c2); i += (i < 10 || i > 1530) ? 1 : 97) {

        if (serve(&hs, i, sizeof(c0c1c2), &left) != NGX_DONE || left < 8
            || memcmp(reply + 1537, c0c1c2 + 1, 1536) != 0
            || reply[0] != 3)
        {
            bad++;
        }
    }

    is_uint(bad, 0, "cut anywhere");

    ok(serve(&hs, 0, 1, &left) == NGX_DONE
       && memcmp(reply + 1537, c0c1c2 + 1, 1536) == 0, "bytes one by one");
    ok(memcmp(first, reply + 1, 1536) != 0, "S1 differs");

    /* versions without a digest fall back */

    memcpy(c0c1c2 + 5, "\x80\x00\x07\x02", 4);

    ok(serve(&hs, sizeof(c0c1c2), 1, &left) == NGX_DONE && !hs.digest
       && memcmp(reply + 1537, c0c1c2 + 1, 1536) == 0,
       "simple if the digest is wrong");
}


static void
refused(void)
{
    u_char                    c, *pos;
    ngx_uint_t                i, bad;
    ngx_osp_rtmp_handshake_t  hs;

    bad = 0;

    for (i = 0; i < 256; i++) {

        if (i == 3) {
            continue;
        }

        c = (u_char) i;
        pos = &c;

        ngx_osp_rtmp_handshake_server_init(&hs, reply);

        if (ngx_osp_rtmp_handshake_server(&hs, &pos, &c + 1) != NGX_ERROR
            || hs.error == NULL
            || hs.crypted != (i >= 6 && i <= 9)
            || ngx_osp_rtmp_handshake_server(&hs, &pos, &c + 1) != NGX_ERROR)
        {
            bad++;
        }
    }

    is_uint(bad, 0, "other versions are refused at their first byte");

    ngx_osp_rtmp_handshake_server_init(&hs, reply);

    pos = &c;

    ok(ngx_osp_rtmp_handshake_server(&hs, &pos, &c) == NGX_AGAIN, "nothing");
}


static size_t
place(u_char *block, ngx_uint_t scheme)
{
    size_t  base;

    base = scheme ? 772 : 8;

    return (block[base] + block[base + 1] + block[base + 2]
            + block[base + 3]) % 728 + base + 4;
}


static void
sign(u_char *block, size_t offset, const char *key, u_char *out)
{
    u_char    data[1504];
    unsigned  len;

    memcpy(data, block, offset);
    memcpy(data + offset, block + offset + 32, 1504 - offset);

    HMAC(EVP_sha256(), key, strlen(key), data, 1504, out, &len);
}


static void
digests(void)
{
    size_t                    left, at;
    u_char                    c1_digest[32], digest[32], key[68], tmp[32];
    unsigned                  len;
    ngx_uint_t                scheme, i, bad, same;
    ngx_osp_rtmp_handshake_t  hs;

    for (scheme = 0; scheme < 2; scheme++) {

        bad = 0;
        same = 0;

        /* also the first and the last place */

        for (i = 0; i < 8; i++) {

            make();
            memcpy(c0c1c2 + 5, "\x80\x00\x07\x02", 4);

            if (i < 2) {
                at = scheme ? 773 : 9;
                ngx_memzero(c0c1c2 + at, 4);

                if (i == 1) {
                    memcpy(c0c1c2 + at, "\xff\xff\xd9\x00", 4);
                }

            } else {
                c0c1c2[(scheme ? 773 : 9) + 1] = (u_char) (i * 31);
                c0c1c2[(scheme ? 773 : 9) + 2] = (u_char) (i * 57);
            }

            at = place(c0c1c2 + 1, scheme);

            sign(c0c1c2 + 1, at, "Genuine Adobe Flash Player 001",
                 c1_digest);
            memcpy(c0c1c2 + 1 + at, c1_digest, 32);

            if (serve(&hs, 700, 300, &left) != NGX_DONE || left != 8
                || !hs.digest || reply[0] != 3 || reply[5] == 0)
            {
                bad++;
                continue;
            }

            at = place(reply + 1, scheme);

            sign(reply + 1, at, "Genuine Adobe Flash Media Server 001",
                 digest);

            if (memcmp(reply + 1 + at, digest, 32) != 0) {
                bad++;
            }

            memcpy(key, "Genuine Adobe Flash Media Server 001", 36);
            memcpy(key + 36, tail, 32);

            HMAC(EVP_sha256(), key, 68, c1_digest, 32, tmp, &len);
            HMAC(EVP_sha256(), tmp, 32, reply + 1537, 1504, digest, &len);

            if (memcmp(reply + 1537 + 1504, digest, 32) != 0) {
                bad++;
            }

            if (memcmp(reply + 1537, c0c1c2 + 1, 1536) == 0) {
                same++;
            }
        }

        is_uint(bad, 0, "digest handshake, scheme %d", (int) scheme);
        is_uint(same, 0, "S2 is signed");

        c0c1c2[1400] ^= 1;

        ok(serve(&hs, 700, 300, &left) == NGX_DONE && !hs.digest,
           "a bit of C1 is wrong");
    }
}


static void
client(void)
{
    size_t                    i;
    u_char                    out[NGX_OSP_RTMP_HS_C0C1], c2[1536], *pos, *end;
    ngx_int_t                 rc;
    ngx_uint_t                bad;
    ngx_osp_rtmp_handshake_t  hs;

    ok(ngx_osp_rtmp_handshake_c0c1(out) == out + sizeof(out), "C0, C1");
    ok(out[0] == 3 && memcmp(out + 5, "\0\0\0\0", 4) == 0, "simple form");

    /* S0, S1, S2 look like C0, C1, C2 */

    make();
    end = c0c1c2 + sizeof(c0c1c2);

    bad = 0;

    for (i = 0; i <= NGX_OSP_RTMP_HS_C0C1C2; i += 53) {

        ngx_osp_rtmp_handshake_client_init(&hs, i % 2 ? c2 : NULL);

        pos = c0c1c2;
        rc = ngx_osp_rtmp_handshake_client(&hs, &pos, c0c1c2 + i);

        if (rc == NGX_OK) {

            if (pos != c0c1c2 + 1537) {
                bad++;
            }

            rc = ngx_osp_rtmp_handshake_client(&hs, &pos, c0c1c2 + i);
        }

        if (rc == NGX_AGAIN && pos == c0c1c2 + i) {
            rc = ngx_osp_rtmp_handshake_client(&hs, &pos, end);

            if (rc == NGX_OK) {
                rc = ngx_osp_rtmp_handshake_client(&hs, &pos, end);
            }
        }

        if (rc != NGX_DONE || pos != end - 8
            || (i % 2 && memcmp(c2, c0c1c2 + 1, 1536) != 0))
        {
            bad++;
        }
    }

    is_uint(bad, 0, "answer of a server, cut anywhere");

    c0c1c2[0] = 'H';
    pos = c0c1c2;

    ngx_osp_rtmp_handshake_client_init(&hs, NULL);

    ok(ngx_osp_rtmp_handshake_client(&hs, &pos, end) == NGX_ERROR
       && hs.error != NULL, "not a server of RTMP");
}


int
main(void)
{
    unit_init();

    simple();
    refused();
    digests();
    client();

    return done();
}
