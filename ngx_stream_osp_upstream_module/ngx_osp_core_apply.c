
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * What the core says is collected while its answer is read, and goes to the
 * table when all of it was good: thousands of streams in small steps.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_osp_core_poll.h"


#define NGX_OSP_CORE_MAX_SERVERS  1024
#define NGX_OSP_CORE_MAX_STREAMS  262144

/* streams that go to the table in one step */
#define NGX_OSP_CORE_STEP         200

/* of an address in the log */
#define NGX_OSP_CORE_LOG_LEN      64

/* ports of the servers if nothing else is said */
#define NGX_OSP_CORE_HTTP_PORT    5999


typedef struct {
    ngx_str_t                   address;
    ngx_uint_t                  down;
} ngx_osp_core_server_t;


/* what is given to the table, by the name */

typedef struct {
    ngx_str_node_t                    sn;
    ngx_rtmp_route_control_server_t  *server;
} ngx_osp_core_taken_t;


/* a server as streams name it */

typedef struct {
    ngx_str_node_t                  sn;
    ngx_rtmp_route_control_name_t   server;  /* no name: it is of no use */
    ngx_uint_t                      found;   /* it has been looked for */
} ngx_osp_core_name_t;


typedef struct {
    ngx_osp_core_name_t        *server;
    ngx_str_t                   channel;
} ngx_osp_core_stream_t;


/* what was passed over: a hash of it all, and the first */

typedef struct {
    uint32_t                    hash;
    ngx_uint_t                  n;
    ngx_str_t                   first;
    ngx_uint_t                  local;       /* the first is 127.0.0.1 */
} ngx_osp_core_skipped_t;


static ngx_int_t ngx_osp_core_apply_site_element(void *data,
    json_t *element);
static ngx_int_t ngx_osp_core_apply_server_element(void *data,
    json_t *element);
static ngx_int_t ngx_osp_core_apply_stream_element(void *data,
    json_t *element);
static ngx_osp_core_name_t *ngx_osp_core_apply_name(ngx_osp_core_poll_t *poll,
    ngx_str_t *address);
static ngx_int_t ngx_osp_core_apply_text(json_t *element, const char *name,
    ngx_str_t *text);
static void ngx_osp_core_apply_site(ngx_osp_core_poll_t *poll);
static void ngx_osp_core_apply_servers(ngx_osp_core_poll_t *poll);
static ngx_uint_t ngx_osp_core_apply_list(ngx_osp_core_poll_t *poll,
    ngx_rtmp_route_control_server_t *servers, ngx_osp_core_skipped_t *skipped);
static void ngx_osp_core_apply_ports(ngx_osp_core_t *core,
    ngx_rtmp_route_control_server_t *server);
static void ngx_osp_core_apply_skip(ngx_osp_core_skipped_t *skipped,
    ngx_str_t *address, ngx_uint_t local);
static void ngx_osp_core_apply_skip_log(ngx_osp_core_poll_t *poll,
    ngx_osp_core_skipped_t *skipped);
static void ngx_osp_core_apply_stream(ngx_osp_core_poll_t *poll,
    ngx_osp_core_stream_t *stream);
static void ngx_osp_core_apply_streams_end(ngx_osp_core_poll_t *poll);


static ngx_osp_core_list_pt  ngx_osp_core_apply_elements[] = {
    ngx_osp_core_apply_site_element,
    ngx_osp_core_apply_server_element,
    ngx_osp_core_apply_stream_element
};


ngx_int_t
ngx_osp_core_apply_init(ngx_osp_core_poll_t *poll)
{
    poll->list = ngx_palloc(poll->pool, sizeof(ngx_osp_core_list_t));
    if (poll->list == NULL) {
        return NGX_ERROR;
    }

    ngx_osp_core_list_init(poll->list, ngx_osp_core_apply_elements[poll->what],
                           poll);

    poll->nservers = 0;
    poll->nstreams = 0;

    switch (poll->what) {

    case NGX_OSP_CORE_SERVERS:
        return ngx_list_init(&poll->servers, poll->pool, 16,
                             sizeof(ngx_osp_core_server_t));

    case NGX_OSP_CORE_STREAMS:
        ngx_rbtree_init(&poll->names, &poll->sentinel,
                        ngx_str_rbtree_insert_value);

        return ngx_list_init(&poll->streams, poll->pool, 256,
                             sizeof(ngx_osp_core_stream_t));

    default: /* NGX_OSP_CORE_SITE */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_osp_core_apply_site_element(void *data, json_t *element)
{
    ngx_osp_core_poll_t *poll = data;

    ngx_str_t   protocol;
    ngx_uint_t  https;

    if (ngx_osp_core_apply_text(element, "siteProtocol", &protocol)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (protocol.len == sizeof("https://") - 1
        && ngx_memcmp(protocol.data, "https://", protocol.len) == 0)
    {
        https = 1;

    } else if (protocol.len == sizeof("http://") - 1
               && ngx_memcmp(protocol.data, "http://", protocol.len) == 0)
    {
        https = 0;

    } else {
        return NGX_DECLINED;
    }

    /* it may be missing */

    ngx_str_null(&poll->site);

    if (json_object_get(element, "siteAddress")) {

        if (ngx_osp_core_apply_text(element, "siteAddress", &poll->site)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        poll->site.data = ngx_pstrdup(poll->pool, &poll->site);
        if (poll->site.data == NULL) {
            return NGX_ERROR;
        }
    }

    poll->https = https;

    return NGX_OK;
}


static ngx_int_t
ngx_osp_core_apply_server_element(void *data, json_t *element)
{
    ngx_osp_core_poll_t *poll = data;

    json_t                 *active;
    ngx_str_t               address;
    ngx_osp_core_server_t  *server;

    active = json_object_get(element, "active");

    if (ngx_osp_core_apply_text(element, "address", &address) != NGX_OK
        || (active && !json_is_boolean(active)))
    {
        return NGX_DECLINED;
    }

    if (poll->nservers == NGX_OSP_CORE_MAX_SERVERS) {
        poll->list->error = "too many servers";
        return NGX_ERROR;
    }

    server = ngx_list_push(&poll->servers);
    if (server == NULL) {
        return NGX_ERROR;
    }

    server->address.len = address.len;
    server->address.data = ngx_pstrdup(poll->pool, &address);
    server->down = json_is_false(active);

    if (server->address.data == NULL) {
        return NGX_ERROR;
    }

    poll->nservers++;

    return NGX_OK;
}


static ngx_int_t
ngx_osp_core_apply_stream_element(void *data, json_t *element)
{
    ngx_osp_core_poll_t *poll = data;

    ngx_str_t               channel, address;
    ngx_osp_core_stream_t  *stream;

    if (ngx_osp_core_apply_text(element, "channelEndpointID", &channel)
        != NGX_OK
        || ngx_osp_core_apply_text(element, "rtmpServer", &address) != NGX_OK
        || channel.len > NGX_OSP_CORE_CHANNEL_LEN)
    {
        return NGX_DECLINED;
    }

    if (poll->nstreams == NGX_OSP_CORE_MAX_STREAMS) {
        poll->list->error = "too many streams";
        return NGX_ERROR;
    }

    stream = ngx_list_push(&poll->streams);
    if (stream == NULL) {
        return NGX_ERROR;
    }

    stream->server = ngx_osp_core_apply_name(poll, &address);
    stream->channel.len = channel.len;
    stream->channel.data = ngx_pstrdup(poll->pool, &channel);

    if (stream->server == NULL || stream->channel.data == NULL) {
        return NGX_ERROR;
    }

    poll->nstreams++;

    return NGX_OK;
}


static ngx_osp_core_name_t *
ngx_osp_core_apply_name(ngx_osp_core_poll_t *poll, ngx_str_t *address)
{
    uint32_t              hash;
    ngx_osp_core_name_t  *name;

    hash = ngx_crc32_long(address->data, address->len);

    name = (ngx_osp_core_name_t *) ngx_str_rbtree_lookup(&poll->names,
                                                         address, hash);
    if (name) {
        return name;
    }

    name = ngx_pcalloc(poll->pool, sizeof(ngx_osp_core_name_t));
    if (name == NULL) {
        return NULL;
    }

    name->sn.node.key = hash;
    name->sn.str.len = address->len;
    name->sn.str.data = ngx_pstrdup(poll->pool, address);

    if (name->sn.str.data == NULL) {
        return NULL;
    }

    ngx_rbtree_insert(&poll->names, &name->sn.node);

    return name;
}


/* it belongs to the element */

static ngx_int_t
ngx_osp_core_apply_text(json_t *element, const char *name, ngx_str_t *text)
{
    json_t  *value;

    value = json_object_get(element, name);

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    text->data = (u_char *) json_string_value(value);
    text->len = json_string_length(value);

    return (text->len <= NGX_RTMP_ROUTE_KEY_LEN) ? NGX_OK : NGX_DECLINED;
}


void
ngx_osp_core_apply(ngx_osp_core_poll_t *poll)
{
    switch (poll->what) {

    case NGX_OSP_CORE_SITE:
        ngx_osp_core_apply_site(poll);
        return;

    case NGX_OSP_CORE_SERVERS:
        ngx_osp_core_apply_servers(poll);
        return;

    default: /* NGX_OSP_CORE_STREAMS */
        break;
    }

    poll->number = ngx_rtmp_route_control_begin(poll->core->route);

    if (poll->number == 0) {

        /* after a reload it is the successor's */

        ngx_osp_core_poll_answered(poll, NULL);
        return;
    }

    poll->part = &poll->streams.part;
    poll->elt = 0;
    poll->cursor = 0;
    poll->taken = 0;
    poll->lost = 0;
    poll->full = 0;
    poll->ending = 0;

    ngx_osp_core_apply_step(poll);
}


static void
ngx_osp_core_apply_site(ngx_osp_core_poll_t *poll)
{
    ngx_osp_core_t  *core;

    core = poll->core;

    core->shared->site_https = poll->https;

    ngx_osp_core_address_site(core, &poll->site);

    ngx_osp_core_poll_answered(poll, NULL);
}


static void
ngx_osp_core_apply_servers(ngx_osp_core_poll_t *poll)
{
    ngx_uint_t                        n;
    ngx_osp_core_t                   *core;
    ngx_osp_core_skipped_t            skipped;
    ngx_rtmp_route_control_server_t  *servers;

    core = poll->core;

    servers = ngx_pcalloc(poll->pool, (poll->nservers + 1)
                                 * sizeof(ngx_rtmp_route_control_server_t));
    if (servers == NULL) {
        ngx_osp_core_poll_answered(poll, "no memory");
        return;
    }

    n = ngx_osp_core_apply_list(poll, servers, &skipped);

    ngx_osp_core_apply_skip_log(poll, &skipped);

    if (n == 0 && ngx_rtmp_route_control_count(core->route)) {

        if (!poll->kept) {
            poll->kept = 1;

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "osp core \"%V\" has no servers any more, those "
                          "that are known stay", &core->client->url);
        }

        ngx_osp_core_poll_answered(poll, NULL);
        return;
    }

    if (ngx_rtmp_route_control_servers(core->route, servers, n) != NGX_OK) {
        ngx_osp_core_poll_answered(poll, "no memory");
        return;
    }

    poll->kept = 0;
    core->shared->poll_servers = (uint32_t) n;

    ngx_osp_core_poll_answered(poll, NULL);
}


/* the same server may be there by several addresses, or twice */

static ngx_uint_t
ngx_osp_core_apply_list(ngx_osp_core_poll_t *poll,
    ngx_rtmp_route_control_server_t *servers, ngx_osp_core_skipped_t *skipped)
{
    u_char                            buf[NGX_RTMP_ROUTE_HOST_LEN];
    ngx_int_t                         rc;
    ngx_str_t                         name;
    uint32_t                          hash;
    ngx_uint_t                        i, n;
    ngx_rbtree_t                      tree;
    ngx_list_part_t                  *part;
    ngx_rbtree_node_t                 sentinel;
    ngx_osp_core_taken_t             *taken;
    ngx_osp_core_server_t            *listed;
    ngx_rtmp_route_control_server_t  *server;

    ngx_memzero(skipped, sizeof(ngx_osp_core_skipped_t));

    ngx_rbtree_init(&tree, &sentinel, ngx_str_rbtree_insert_value);

    part = &poll->servers.part;
    listed = part->elts;
    n = 0;

    for (i = 0; /* void */ ; i++) {

        if (i == part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            listed = part->elts;
            i = 0;
        }

        rc = ngx_osp_core_address(poll->core, &listed[i].address, buf, &name);

        if (rc != NGX_OK) {
            ngx_osp_core_apply_skip(skipped, &listed[i].address,
                                    rc == NGX_AGAIN);
            continue;
        }

        hash = ngx_crc32_long(name.data, name.len);

        taken = (ngx_osp_core_taken_t *) ngx_str_rbtree_lookup(&tree, &name,
                                                               hash);
        if (taken) {
            taken->server->down &= listed[i].down;
            continue;
        }

        taken = ngx_palloc(poll->pool, sizeof(ngx_osp_core_taken_t));
        server = &servers[n];

        server->name.len = name.len;
        server->name.data = ngx_pstrdup(poll->pool, &name);

        if (taken == NULL || server->name.data == NULL) {
            continue;
        }

        taken->sn.node.key = hash;
        taken->sn.str = server->name;
        taken->server = server;

        ngx_rbtree_insert(&tree, &taken->sn.node);

        server->down = listed[i].down;
        ngx_osp_core_apply_ports(poll->core, server);

        n++;
    }

    return n;
}


static void
ngx_osp_core_apply_ports(ngx_osp_core_t *core,
    ngx_rtmp_route_control_server_t *server)
{
    server->ports[NGX_RTMP_ROUTE_RTMP] = core->rtmp;
    server->ports[NGX_RTMP_ROUTE_HTTP] = core->http;
    server->ports[NGX_RTMP_ROUTE_HTTPS] = core->https;

    if (core->http == 0 && core->https == 0) {
        server->ports[core->shared->site_https ? NGX_RTMP_ROUTE_HTTPS
                                               : NGX_RTMP_ROUTE_HTTP] =
                                                       NGX_OSP_CORE_HTTP_PORT;
    }
}


static void
ngx_osp_core_apply_skip(ngx_osp_core_skipped_t *skipped, ngx_str_t *address,
    ngx_uint_t local)
{
    ngx_crc32_update(&skipped->hash, address->data, address->len);
    ngx_crc32_update(&skipped->hash, (u_char *) "\n", 1);

    if (skipped->n++ == 0) {
        skipped->first = *address;
        skipped->local = local;
    }
}


static void
ngx_osp_core_apply_skip_log(ngx_osp_core_poll_t *poll,
    ngx_osp_core_skipped_t *skipped)
{
    u_char      c, buf[NGX_OSP_CORE_LOG_LEN];
    ngx_str_t   text;
    ngx_uint_t  i;

    if (skipped->n && skipped->hash == 0) {
        skipped->hash = 1;
    }

    if (poll->skipped == skipped->hash) {
        return;
    }

    poll->skipped = skipped->hash;

    if (skipped->n == 0) {
        return;
    }

    text.data = buf;
    text.len = ngx_min(skipped->first.len, NGX_OSP_CORE_LOG_LEN);

    for (i = 0; i < text.len; i++) {
        c = skipped->first.data[i];
        buf[i] = (c < 0x20 || c >= 0x7f || c == '"') ? '?' : c;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  skipped->local
                      ? "osp core \"%V\" has %ui servers that are passed over, "
                        "the first is \"%V\", which is this address only on "
                        "the core's own host, and its \"siteAddress\" is none"
                      : "osp core \"%V\" has %ui servers that are passed over, "
                        "the first is \"%V\", which is no address",
                  &poll->core->client->url, skipped->n, &text);
}


void
ngx_osp_core_apply_step(ngx_osp_core_poll_t *poll)
{
    ngx_uint_t              n;
    ngx_list_part_t        *part;
    ngx_osp_core_stream_t  *streams;

    if (poll->ending) {

        if (ngx_rtmp_route_control_end(poll->core->route, poll->number,
                                       &poll->cursor)
            != NGX_AGAIN)
        {
            ngx_osp_core_apply_streams_end(poll);
            return;
        }

        goto later;
    }

    for (n = 0; n < NGX_OSP_CORE_STEP; n++) {

        part = poll->part;

        if (poll->elt == part->nelts) {

            if (part->next == NULL) {
                poll->ending = 1;
                break;
            }

            poll->part = part->next;
            poll->elt = 0;

            continue;
        }

        streams = part->elts;

        ngx_osp_core_apply_stream(poll, &streams[poll->elt++]);
    }

later:

    ngx_post_event(&poll->step, &ngx_posted_next_events);
}


static void
ngx_osp_core_apply_stream(ngx_osp_core_poll_t *poll,
    ngx_osp_core_stream_t *stream)
{
    u_char                buf[NGX_RTMP_ROUTE_HOST_LEN];
    u_char                key_buf[NGX_OSP_CORE_CHANNEL_LEN + 8];
    ngx_str_t             key, name, *text;
    ngx_osp_core_t       *core;
    ngx_osp_core_name_t  *server;

    core = poll->core;
    server = stream->server;

    if (!server->found) {
        server->found = 1;

        if (ngx_osp_core_address(core, &server->sn.str, buf, &name) == NGX_OK)
        {
            text = &server->server.name;

            text->data = ngx_pstrdup(poll->pool, &name);
            text->len = text->data ? name.len : 0;
        }
    }

    if (server->server.name.len == 0) {
        poll->lost++;
        return;
    }

    if (ngx_osp_core_channel_key(core, &stream->channel, key_buf, &key)
        != NGX_OK)
    {
        return;
    }

    switch (ngx_rtmp_route_control_stream(core->route, &key, &server->server,
                                          poll->number, 0))
    {

    case NGX_DECLINED:
        poll->lost++;
        break;

    case NGX_BUSY:
        poll->full++;
        break;

    default:
        poll->taken++;
        break;
    }
}


static void
ngx_osp_core_apply_streams_end(ngx_osp_core_poll_t *poll)
{
    ngx_osp_core_t  *core;

    core = poll->core;

    if (poll->lost && !poll->lost_logged) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "osp core \"%V\" has %ui streams on servers that it "
                      "does not name", &core->client->url, poll->lost);
    }

    if (poll->full && !poll->full_logged) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no room in route \"%V\" for %ui streams of osp core "
                      "\"%V\"", ngx_rtmp_route_name(core->route), poll->full,
                      &core->client->url);
    }

    poll->lost_logged = (poll->lost != 0);
    poll->full_logged = (poll->full != 0);

    core->shared->poll_streams = (uint32_t) poll->taken;

    ngx_osp_core_poll_answered(poll, NULL);
}
