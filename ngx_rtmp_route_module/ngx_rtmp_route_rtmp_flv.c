
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * With headers of nginx-http-flv-module streams are neither pulled nor pushed:
 * sessions are made in another way there.  This stands for what does so with
 * nginx-rtmp.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_rtmp_relay.h"


ngx_rtmp_route_relay_t *
ngx_rtmp_route_relay_of(ngx_rtmp_session_t *s)
{
    return NULL;
}


ngx_int_t
ngx_rtmp_route_relay_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    return NGX_OK;
}


void
ngx_rtmp_route_relay_init(void)
{
}


ngx_int_t
ngx_rtmp_route_link_init(ngx_cycle_t *cycle, ngx_rtmp_core_main_conf_t *cmcf)
{
    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_pull_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_push_hooks(ngx_rtmp_core_main_conf_t *cmcf)
{
    return NGX_OK;
}


ngx_uint_t
ngx_rtmp_route_push_away(ngx_rtmp_session_t *s)
{
    return 0;
}
