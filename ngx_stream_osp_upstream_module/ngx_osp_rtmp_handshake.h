
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * The RTMP handshake, RTMP 1.0, 5.2, both sides, and the server's side of the
 * digest form that Flash Player 9 and later, FMLE and others ask for.  Pure:
 * no input or output, the buffers are the caller's.
 */


#ifndef _NGX_OSP_RTMP_HANDSHAKE_H_INCLUDED_
#define _NGX_OSP_RTMP_HANDSHAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_OSP_RTMP_VERSION           3
#define NGX_OSP_RTMP_VERSION_CRYPTED   6        /* RTMPE, and 8, 9 */

#define NGX_OSP_RTMP_HS_LEN            1536     /* C1, S1, C2, S2 */
#define NGX_OSP_RTMP_HS_C0C1           1537
#define NGX_OSP_RTMP_HS_C0C1C2         3073
#define NGX_OSP_RTMP_HS_S0S1S2         3073


typedef struct {
    u_char                 *buf;         /* of the caller, see below */
    size_t                  got;         /* bytes eaten */
    const char             *error;
    unsigned                digest:1;    /* the digest form was used */
    unsigned                crypted:1;   /* refused: C0 asks for RTMPE */
} ngx_osp_rtmp_handshake_t;


/* buf has NGX_OSP_RTMP_HS_S0S1S2 bytes and is needed until it has been sent */
void ngx_osp_rtmp_handshake_server_init(ngx_osp_rtmp_handshake_t *hs,
    u_char *buf);

/*
 * Eats C0, C1 and C2 from [*pos, last), cut anywhere.  NGX_AGAIN: all eaten,
 * more needed.  NGX_OK, once: C1 is complete, buf holds S0, S1 and S2 to be
 * sent; call again with what is left.  NGX_DONE: C2 is complete, chunks begin
 * at *pos.  NGX_ERROR: hs->error tells.
 */
ngx_int_t ngx_osp_rtmp_handshake_server(ngx_osp_rtmp_handshake_t *hs,
    u_char **pos, u_char *last);

/*
 * Writes C0 and C1 to buf, which has NGX_OSP_RTMP_HS_C0C1 bytes; returns the
 * end.  A C2 of any content may be sent right behind: neither nginx-rtmp nor
 * SRS checks it.
 */
u_char *ngx_osp_rtmp_handshake_c0c1(u_char *buf);

/*
 * buf is NULL, or has NGX_OSP_RTMP_HS_LEN bytes if C2 shall be the echo of S1
 */
void ngx_osp_rtmp_handshake_client_init(ngx_osp_rtmp_handshake_t *hs,
    u_char *buf);

/*
 * Eats S0, S1 and S2.  Returns as the server's side; at NGX_OK S1 is complete
 * and buf, if there is one, holds C2.
 */
ngx_int_t ngx_osp_rtmp_handshake_client(ngx_osp_rtmp_handshake_t *hs,
    u_char **pos, u_char *last);


#endif /* _NGX_OSP_RTMP_HANDSHAKE_H_INCLUDED_ */
