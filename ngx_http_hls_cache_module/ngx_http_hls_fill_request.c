
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_http_hls_lone.h"


typedef struct {
    ngx_uint_t                  index;
    ngx_http_variable_value_t   value;
} ngx_http_hls_fill_value_t;


static ngx_int_t ngx_http_hls_fill_host(ngx_http_request_t *pr,
    ngx_str_t *host);
static ngx_uint_t ngx_http_hls_fill_is_passed(ngx_str_t *key,
    ngx_array_t *pass);
static ngx_int_t ngx_http_hls_fill_pass_header(ngx_http_request_t *pr,
    ngx_keyval_t *header);
#if (NGX_PCRE)
static ngx_int_t ngx_http_hls_fill_captures(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_http_hls_place_t *place);
#endif
static ngx_uint_t ngx_http_hls_fill_is_connection(ngx_str_t *name);
static ngx_int_t ngx_http_hls_fill_probe_set(ngx_conf_t *cf);
#if (NGX_PCRE)
static ngx_int_t ngx_http_hls_fill_probe_capture(ngx_conf_t *cf);
#endif


/* of one hop, or of a part or a coding that one viewer wants */

static ngx_str_t  ngx_http_hls_fill_never[] = {
    ngx_string("accept-encoding"),
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("expect"),
    ngx_string("host"),
    ngx_string("if-match"),
    ngx_string("if-modified-since"),
    ngx_string("if-none-match"),
    ngx_string("if-range"),
    ngx_string("if-unmodified-since"),
    ngx_string("keep-alive"),
    ngx_string("range"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_null_string
};


static ngx_str_t  ngx_http_hls_fill_get = ngx_string("GET");


/* nginx's own functions, the same for any configuration */

static ngx_http_get_variable_pt  ngx_http_hls_fill_set_handler;
static ngx_http_get_variable_pt  ngx_http_hls_fill_capture_handler;


ngx_int_t
ngx_http_hls_fill_request_line(ngx_http_request_t *pr, ngx_str_t *uri,
    ngx_str_t *args)
{
    u_char     *p;
    size_t      len;
    uintptr_t   escape;

    pr->method = NGX_HTTP_GET;
    pr->method_name = ngx_http_hls_fill_get;
    pr->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&pr->http_protocol, "HTTP/1.1");
    ngx_str_set(&pr->schema, "http");

    pr->uri.len = uri->len;
    pr->uri.data = ngx_pstrdup(pr->pool, uri);
    if (pr->uri.data == NULL) {
        return NGX_ERROR;
    }

    pr->args.len = args->len;
    pr->args.data = ngx_pnalloc(pr->pool, args->len + 1);
    if (pr->args.data == NULL) {
        return NGX_ERROR;
    }

    if (args->len) {
        ngx_memcpy(pr->args.data, args->data, args->len);
    }

    ngx_http_set_exten(pr);

    escape = 2 * ngx_escape_uri(NULL, uri->data, uri->len, NGX_ESCAPE_URI);

    len = sizeof("GET ? HTTP/1.1") - 1 + uri->len + escape + args->len;

    p = ngx_pnalloc(pr->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pr->request_line.data = p;

    p = ngx_cpymem(p, "GET ", sizeof("GET ") - 1);

    pr->unparsed_uri.data = p;

    if (escape) {
        p = (u_char *) ngx_escape_uri(p, uri->data, uri->len, NGX_ESCAPE_URI);

    } else {
        p = ngx_cpymem(p, uri->data, uri->len);
    }

    if (args->len) {
        *p++ = '?';
        p = ngx_cpymem(p, args->data, args->len);
    }

    pr->unparsed_uri.len = p - pr->unparsed_uri.data;

    p = ngx_cpymem(p, " HTTP/1.1", sizeof(" HTTP/1.1") - 1);

    pr->request_line.len = p - pr->request_line.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_hls_fill_headers(ngx_http_request_t *pr, ngx_str_t *host,
    ngx_array_t *passed)
{
    ngx_uint_t     i;
    ngx_keyval_t  *header;

    if (ngx_list_init(&pr->headers_in.headers, pr->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (host->len && ngx_http_hls_fill_host(pr, host) != NGX_OK) {
        return NGX_ERROR;
    }

    if (passed == NULL) {
        return NGX_OK;
    }

    header = passed->elts;

    for (i = 0; i < passed->nelts; i++) {

        if (ngx_http_hls_fill_pass_header(pr, &header[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_host(ngx_http_request_t *pr, ngx_str_t *host)
{
    u_char           *p, *last, *colon;
    ngx_int_t         port;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&pr->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    ngx_str_set(&h->key, "Host");
    h->lowcase_key = (u_char *) "host";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);

    h->value.len = host->len;
    h->value.data = ngx_pnalloc(pr->pool, host->len + 1);
    if (h->value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(h->value.data, host->data, host->len);
    *p = '\0';

    pr->headers_in.host = h;

    /* the name alone; it may be an address of IPv6 */

    last = host->data + host->len;
    colon = NULL;
    port = 0;

    for (p = host->data; p < last; p++) {

        if (*p == ']') {
            colon = NULL;

        } else if (*p == ':' && colon == NULL) {
            colon = p;
        }
    }

    if (colon) {
        port = ngx_atoi(colon + 1, last - colon - 1);
        last = colon;
    }

    pr->headers_in.server.len = last - host->data;
    pr->headers_in.server.data = ngx_pnalloc(pr->pool, last - host->data + 1);
    if (pr->headers_in.server.data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(pr->headers_in.server.data, host->data, last - host->data);

#if (nginx_version >= 1029003)

    if (port > 0 && port < 65536) {
        pr->port = (in_port_t) port;
    }

#else

    (void) port;

#endif

    return NGX_OK;
}


ngx_array_t *
ngx_http_hls_fill_passed(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_array_t *pass)
{
    ngx_uint_t        i;
    ngx_array_t      *passed;
    ngx_keyval_t     *kv;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    passed = ngx_array_create(pool, 1, sizeof(ngx_keyval_t));
    if (passed == NULL) {
        return NULL;
    }

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (!ngx_http_hls_fill_is_passed(&header[i].key, pass)) {
            continue;
        }

        kv = ngx_array_push(passed);
        if (kv == NULL) {
            return NULL;
        }

        kv->key.len = header[i].key.len;
        kv->key.data = ngx_pstrdup(pool, &header[i].key);
        kv->value.len = header[i].value.len;
        kv->value.data = ngx_pstrdup(pool, &header[i].value);

        if (kv->key.data == NULL || kv->value.data == NULL) {
            return NULL;
        }
    }

    return passed;
}


static ngx_uint_t
ngx_http_hls_fill_is_passed(ngx_str_t *key, ngx_array_t *pass)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    for (name = ngx_http_hls_fill_never; name->len; name++) {

        if (name->len == key->len
            && ngx_strncasecmp(name->data, key->data, name->len) == 0)
        {
            return 0;
        }
    }

    name = pass->elts;

    for (i = 0; i < pass->nelts; i++) {

        if (name[i].len == key->len
            && ngx_strncasecmp(name[i].data, key->data, key->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_hls_fill_pass_header(ngx_http_request_t *pr, ngx_keyval_t *header)
{
    u_char                     *p;
    ngx_table_elt_t            *h;
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    h = ngx_list_push(&pr->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(pr->pool, 2 * header->key.len + header->value.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->key.len = header->key.len;
    h->key.data = p;
    p = ngx_cpymem(p, header->key.data, header->key.len);
    *p++ = '\0';

    h->lowcase_key = p;
    h->hash = ngx_hash_strlow(p, header->key.data, header->key.len);
    p += header->key.len;

    h->value.len = header->value.len;
    h->value.data = p;
    p = ngx_cpymem(p, header->value.data, header->value.len);
    *p = '\0';

    /* what variables look for in headers_in */

    cmcf = ngx_http_get_module_main_conf(pr, ngx_http_core_module);

    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    if (hh == NULL) {
        return NGX_OK;
    }

    return hh->handler(pr, h, hh->offset);
}


ngx_int_t
ngx_http_hls_fill_place(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_hls_place_t *place)
{
    ngx_memzero(place, sizeof(ngx_http_hls_place_t));

    place->srv_conf = r->srv_conf;
    place->loc_conf = r->loc_conf;

    /* "if" has no content handler of its own, "rewrite" may have its say */

    place->phase_handler = r->phase_handler;
    place->content_handler = r->content_handler;
    place->valid_location = r->valid_location;

#if (NGX_PCRE)

    if (ngx_http_hls_fill_captures(r, pool, place) != NGX_OK) {
        return NGX_ERROR;
    }

#endif

    place->variables = ngx_http_hls_fill_variables(r, pool, 0);

    return place->variables ? NGX_OK : NGX_ERROR;
}


#if (NGX_PCRE)

static ngx_int_t
ngx_http_hls_fill_captures(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_hls_place_t *place)
{
    int         last;
    ngx_uint_t  i;

    if (r->ncaptures == 0 || r->captures == NULL || r->captures_data == NULL) {
        return NGX_OK;
    }

    place->captures = ngx_palloc(pool, r->ncaptures * sizeof(int));
    if (place->captures == NULL) {
        return NGX_ERROR;
    }

    last = 0;

    for (i = 0; i < r->ncaptures; i++) {
        place->captures[i] = r->captures[i];
        last = ngx_max(last, r->captures[i]);
    }

    place->captures_data = ngx_pnalloc(pool, last + 1);
    if (place->captures_data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(place->captures_data, r->captures_data, last);

    place->ncaptures = r->ncaptures;

    return NGX_OK;
}

#endif


ngx_int_t
ngx_http_hls_fill_set_place(ngx_http_request_t *pr,
    ngx_http_hls_place_t *place)
{
    ngx_http_core_loc_conf_t  *clcf;

    pr->srv_conf = place->srv_conf;
    pr->loc_conf = place->loc_conf;

    clcf = ngx_http_get_module_loc_conf(pr, ngx_http_core_module);

    ngx_set_connection_log(pr->connection, clcf->error_log);

    pr->phase_handler = place->phase_handler;
    pr->content_handler = place->content_handler;
    pr->valid_location = place->valid_location;
    pr->valid_unparsed_uri = 0;

#if (NGX_PCRE)

    if (place->ncaptures) {
        ngx_http_core_main_conf_t  *cmcf;

        /* an array that is as long as any expression needs */

        cmcf = ngx_http_get_module_main_conf(pr, ngx_http_core_module);

        pr->captures = ngx_palloc(pr->pool, cmcf->ncaptures * sizeof(int));
        if (pr->captures == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(pr->captures, place->captures,
                   place->ncaptures * sizeof(int));

        pr->captures_data = place->captures_data;
        pr->ncaptures = place->ncaptures;
    }

#endif

    return ngx_http_hls_fill_set_variables(pr, place->variables);
}


ngx_array_t *
ngx_http_hls_fill_variables(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_uint_t captures)
{
    ngx_uint_t                  i;
    ngx_array_t                *values;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t  *vv;
    ngx_http_core_main_conf_t  *cmcf;
    ngx_http_hls_fill_value_t  *value;

    values = ngx_array_create(pool, 4, sizeof(ngx_http_hls_fill_value_t));
    if (values == NULL) {
        return NULL;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].get_handler == ngx_http_hls_fill_capture_handler
            || (v[i].get_handler == ngx_http_hls_fill_set_handler
                && !captures))
        {
            vv = &r->variables[i];

        } else if (ngx_http_hls_fill_is_connection(&v[i].name)) {
            vv = ngx_http_get_indexed_variable(r, i);

        } else {
            continue;
        }

        if (vv == NULL || !vv->valid || v[i].get_handler == NULL) {
            continue;
        }

        value = ngx_array_push(values);
        if (value == NULL) {
            return NULL;
        }

        value->index = i;
        value->value = *vv;

        value->value.data = ngx_pnalloc(pool, vv->len + 1);
        if (value->value.data == NULL) {
            return NULL;
        }

        if (vv->len) {
            ngx_memcpy(value->value.data, vv->data, vv->len);
        }
    }

    return values;
}


/* there is none to compute them from */

static ngx_uint_t
ngx_http_hls_fill_is_connection(ngx_str_t *name)
{
    ngx_str_t         *n;
    static ngx_str_t   names[] = {
        ngx_string("https"),
        ngx_string("scheme"),
        ngx_string("server_addr"),
        ngx_string("server_port"),
        ngx_null_string
    };

    for (n = names; n->len; n++) {

        if (n->len == name->len
            && ngx_memcmp(n->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_hls_fill_set_variables(ngx_http_request_t *pr, ngx_array_t *variables)
{
    ngx_uint_t                  i;
    ngx_http_hls_fill_value_t  *value;

    value = variables->elts;

    for (i = 0; i < variables->nelts; i++) {
        pr->variables[value[i].index] = value[i].value;
    }

    return NGX_OK;
}


/*
 * Variables of "set" and of named captures have nothing to be computed from,
 * and are told from others, those of "map" for one, by their handlers.  These
 * are static in nginx, so one of each kind is made to look at.
 */

ngx_int_t
ngx_http_hls_fill_probe(ngx_conf_t *cf)
{
    if (ngx_http_hls_fill_probe_set(cf) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    if (ngx_http_hls_fill_probe_capture(cf) != NGX_OK) {
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_fill_probe_set(ngx_conf_t *cf)
{
    void                 *conf;
    char                 *rv;
    ngx_str_t             args[3], name;
    ngx_uint_t            i;
    ngx_array_t           array, *saved;
    ngx_module_t         *module;
    ngx_command_t        *cmd;
    ngx_http_module_t    *ctx;
    ngx_http_variable_t  *v;

    module = NULL;

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_http_rewrite_module")
            == 0)
        {
            module = cf->cycle->modules[i];
            break;
        }
    }

    if (module == NULL) {
        return NGX_OK;
    }

    for (cmd = module->commands; cmd->name.len; cmd++) {

        if (ngx_strcmp(cmd->name.data, "set") == 0) {
            break;
        }
    }

    ctx = module->ctx;

    if (cmd->name.len == 0 || ctx->create_loc_conf == NULL) {
        return NGX_OK;
    }

    conf = ctx->create_loc_conf(cf);
    if (conf == NULL) {
        return NGX_ERROR;
    }

    args[0] = cmd->name;
    ngx_str_set(&args[1], "$hls_fill_set");
    ngx_str_null(&args[2]);

    array.elts = args;
    array.nelts = 3;
    array.size = sizeof(ngx_str_t);
    array.nalloc = 3;
    array.pool = cf->pool;

    saved = cf->args;
    cf->args = &array;

    rv = cmd->set(cf, cmd, conf);

    cf->args = saved;

    if (rv != NGX_CONF_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "hls_fill_set");

    v = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_http_hls_fill_set_handler = v->get_handler;

    return NGX_OK;
}


#if (NGX_PCRE)

static ngx_int_t
ngx_http_hls_fill_probe_capture(ngx_conf_t *cf)
{
    u_char                errstr[NGX_MAX_CONF_ERRSTR];
    ngx_str_t             name;
    ngx_http_variable_t  *v;
    ngx_regex_compile_t   rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    ngx_str_set(&rc.pattern, "(?<hls_fill_capture>)");
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_http_regex_compile(cf, &rc) == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "hls_fill_capture");

    v = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_http_hls_fill_capture_handler = v->get_handler;

    return NGX_OK;
}

#endif
