
/*
 * Copyright (C) The nginx-osp authors
 */


/* The version of all modules; CHANGES begins with the same. */


#ifndef _NGX_RTMP_ROUTE_VERSION_H_INCLUDED_
#define _NGX_RTMP_ROUTE_VERSION_H_INCLUDED_


#define NGX_RTMP_ROUTE_VERSION_MAJOR     0
#define NGX_RTMP_ROUTE_VERSION_MINOR     1
#define NGX_RTMP_ROUTE_VERSION_REVISION  0

#define ngx_rtmp_route_version_text(n)   #n
#define ngx_rtmp_route_version_join(a, b, c)                                  \
    ngx_rtmp_route_version_text(a) "."                                        \
    ngx_rtmp_route_version_text(b) "."                                        \
    ngx_rtmp_route_version_text(c)

#define NGX_RTMP_ROUTE_VERSION                                                \
    ngx_rtmp_route_version_join(NGX_RTMP_ROUTE_VERSION_MAJOR,                 \
                                NGX_RTMP_ROUTE_VERSION_MINOR,                 \
                                NGX_RTMP_ROUTE_VERSION_REVISION)


#endif /* _NGX_RTMP_ROUTE_VERSION_H_INCLUDED_ */
