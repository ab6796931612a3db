
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_rtmp_route.c ngx_rtmp_route_register.c ngx_rtmp_route_desc.c */
/* sources: ngx_rtmp_route_json.c ngx_rtmp_route_addr.c */
/* sources: ngx_rtmp_route_slot.c ngx_rtmp_route_key.c ngx_rtmp_route_text.c */
/* sources: ngx_rtmp_route_table.c ngx_rtmp_route_table_cell.c */
/* sources: ngx_rtmp_route_table_links.c ngx_rtmp_route_table_rebuild.c */
/* sources: ngx_rtmp_route_table_conflict.c ngx_rtmp_route_table_core.c */
/* sources: ngx_rtmp_route_table_rights.c ngx_rtmp_route_table_server.c */
/* sources: ngx_rtmp_route_table_name.c */
/* sources: ngx_rtmp_route_table_stream.c ngx_rtmp_route_table_session.c */
/* sources: ngx_rtmp_route_table_stray.c */
/* sources: ngx_rtmp_route_table_bans.c ngx_rtmp_route_table_rate.c */
/* sources: ngx_rtmp_route_table_metrics.c */
/* sources: ngx_rtmp_route_method.c ngx_rtmp_route_pick.c */
/* sources: ngx_rtmp_route_table_health.c */
/* sources: ngx_rtmp_route_events.c ngx_rtmp_route_table_event.c */
/* sources: ngx_rtmp_route_zone.c */
/* libs: -ljansson */


#include "unit.h"
#include <ngx_event.h>
#include "ngx_rtmp_route_addr.h"
#include "ngx_rtmp_route_key.h"
#include "ngx_rtmp_route_register.h"


#define BASE  "\"ip\":\"10.0.0.1\",\"server\":\"vid\",\"service\":\"s\","      \
              "\"pid\":\"1\",\"rtmp\":[\"1935\"]"

#define LONG  "0123456789012345678901234567890123456789012345678901234567890123"


/* what is NULL is fine */

typedef struct {
    char        *body;
    char        *error;
} test_body_t;


typedef struct {
    char        *body;
    ngx_uint_t   status;    /* 0: registered */
} test_claim_t;


static void test_bodies(void);
static void test_fields(void);
static void test_create(void);
static void test_update(void);
static void test_streams(void);
static void test_caller(void);
static void test_secret(void);
static void test_claims(void);
static void test_apply(void);
static void test_listing(void);
static void test_too_many(void);

static ngx_int_t parse(char *body, ngx_uint_t form);
static ngx_int_t apply(char *body);
static void check_claims(const char *what, test_claim_t *claims);
static ngx_array_t *cidrs(char *text);
static ngx_str_t endpoint(ngx_uint_t protocol, ngx_uint_t i);
static ngx_uint_t stream_is(char *key, char *server);


static test_body_t  bodies[] = {
    { "{" BASE "}", NULL },
    { "{" BASE ",\"summaries\":{\"x\":[1,2]},\"ok\":null}", NULL },
    { "{\"IP\":\"10.0.0.1\",\"Server\":\"v\",\"SERVICE\":\"s\",\"pId\":\"1\","
      "\"RTMP\":[\"1935\"]}", NULL },

    /* the order in which SRS looks */

    { "{}", "empty ip" },
    { "{\"server\":\"v\"}", "empty ip" },
    { "{\"ip\":\"\",\"rtmp\":[]}", "empty ip" },
    { "{\"ip\":null}", "empty ip" },
    { "{\"ip\":\"x\"}", "empty server" },
    { "{\"ip\":\"x\",\"server\":\"v\"}", "empty service" },
    { "{\"ip\":\"x\",\"server\":\"v\",\"service\":\"s\"}", "empty pid" },
    { "{\"ip\":\"x\",\"server\":\"v\",\"service\":\"s\",\"pid\":\"1\"}",
      "empty rtmp" },
    { "{\"ip\":\"x\",\"server\":\"v\",\"service\":\"s\",\"pid\":\"1\","
      "\"rtmp\":[]}", "empty rtmp" },

    { "[]", "the body must be a JSON object" },
    { "{\"ip\":1}", "\"ip\" must be a string" },
    { "{\"pid\":1}", "\"pid\" must be a string" },
    { "{\"service\":[]}", "\"service\" must be a string" },
    { "{\"rtmp\":\"1935\"}", "\"rtmp\" must be an array of strings" },
    { "{\"rtmp\":[1935]}", "\"rtmp\" must be an array of strings" },
    { "{\"rtmp\":{}}", "\"rtmp\" must be an array of strings" },
    { "{\"http\":[null]}", "\"http\" must be an array of strings" },
    { "{\"device_id\":{}}", "\"device_id\" must be a string" },
    { "{\"ip\":\"10.0.0.1\",\"IP\":\"10.0.0.2\"}", "duplicate field \"ip\"" },

    { "{\"ip\":\"origin.example.com\",\"server\":\"v\",\"service\":\"s\","
      "\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
      "\"ip\" must be a literal IPv4 or IPv6 address, not a name" },
    { "{\"ip\":\"10.0.0.1:80\",\"server\":\"v\",\"service\":\"s\","
      "\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
      "\"ip\" must be a literal IPv4 or IPv6 address, not a name" },
    { "{\"ip\":\"10.0.0.1\",\"server\":\"" LONG LONG "x\","
      "\"service\":\"s\",\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
      "\"server\" is longer than 128 bytes" },
    { "{\"ip\":\"10.0.0.1\",\"server\":\"v\",\"service\":\"" LONG "x\","
      "\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
      "\"service\" is longer than 64 bytes" },
    { "{\"ip\":\"10.0.0.1\",\"server\":\"" LONG LONG "\","
      "\"service\":\"" LONG "\",\"pid\":\"1\",\"rtmp\":[\"1935\"]}", NULL },
    { "{\"ip\":\"10.0.0.1\",\"server\":\"a\\nb\",\"service\":\"s\","
      "\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
      "\"server\" has control characters" },
    { "{\"ip\":\"10.0.0.1\",\"server\":\"a\\u007f\",\"service\":\"s\","
      "\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
      "\"server\" has control characters" },
    { "{" BASE ",\"device_id\":\"" LONG "x\"}",
      "\"device_id\" is longer than 64 bytes" },

    { "{" BASE ",\"http\":[\"0\"]}", "invalid port or address in \"http\"" },
    { "{" BASE ",\"http\":[\"65536\"]}",
      "invalid port or address in \"http\"" },
    { "{" BASE ",\"http\":[\"\"]}", "invalid port or address in \"http\"" },
    { "{" BASE ",\"http\":[\"name:80\"]}",
      "invalid port or address in \"http\"" },
    { "{" BASE ",\"rtc\":[\"udp://0.0.0.0:x\"]}",
      "invalid port or address in \"rtc\"" },

    { "{" BASE ",\"weight\":0}", "\"weight\" must be between 1 and 65535" },
    { "{" BASE ",\"weight\":65536}",
      "\"weight\" must be between 1 and 65535" },
    { "{" BASE ",\"weight\":\"1\"}", "\"weight\" must be an integer" },
    { "{" BASE ",\"weight\":1.5}", "\"weight\" must be an integer" },
    { "{" BASE ",\"max_conns\":-1}",
      "\"max_conns\" must be between 0 and 2147483647" },
    { "{" BASE ",\"max_streams\":2147483648}",
      "\"max_streams\" must be between 0 and 2147483647" },
    { "{" BASE ",\"proxy_protocol\":\"v3\"}",
      "\"proxy_protocol\" must be \"off\", \"v1\", \"v2\" or \"srs\"" },
    { "{" BASE ",\"proxy_protocol\":true}",
      "\"proxy_protocol\" must be a string" },

    { "{" BASE ",\"streams\":{}}", "\"streams\" must be an array" },
    { "{" BASE ",\"streams\":[1]}",
      "\"streams\" must hold names, or objects that have a \"name\"" },
    { "{" BASE ",\"streams\":[{\"publishers\":1}]}",
      "\"streams\" must hold names, or objects that have a \"name\"" },
    { "{" BASE ",\"streams\":[{\"name\":\"a/b\",\"publishers\":-1}]}",
      "\"publishers\" of a stream must be a number" },
    { "{" BASE ",\"streams\":[{\"name\":\"a/b\",\"players\":\"1\"}]}",
      "\"players\" of a stream must be a number" },

    /* these are for operators */

    { "{" BASE ",\"down\":1,\"drain\":\"x\",\"backup\":[],\"id\":1}", NULL },
    { NULL, NULL }
};


static ngx_pool_t                *pool;
static ngx_rtmp_route_desc_t      desc;
static ngx_rtmp_route_error_t     err;
static ngx_rtmp_route_listing_t   listing;
static ngx_rtmp_route_register_t  reg;
static ngx_rtmp_route_t           route;
static char                      *registrar = "192.0.2.1";
static json_t                    *json;


int
main(void)
{
    unit_init();

    pool = ngx_create_pool(4096, &unit_log);

    test_bodies();
    test_fields();
    test_create();
    test_update();
    test_streams();
    test_caller();
    test_secret();
    test_claims();
    test_apply();
    test_listing();
    test_too_many();

    json_decref(json);
    ngx_destroy_pool(pool);

    return done();
}


static void
test_bodies(void)
{
    ngx_int_t     rc;
    test_body_t  *t;

    for (t = bodies; t->body; t++) {

        rc = parse(t->body, NGX_RTMP_ROUTE_DESC_REGISTER);

        if (t->error == NULL) {
            if (!ok(rc == NGX_OK, "taken: %.60s", t->body)) {
                diag("%.*s", (int) err.text.len, err.text.data);
            }

            continue;
        }

        ok(rc == NGX_DECLINED && err.status == 400, "refused: %.60s", t->body);
        is_str(&err.text, t->error, "says why");
    }
}


static void
test_fields(void)
{
    ngx_str_t  s;

    ok(parse("{\"ip\":\"::ffff:10.0.0.1\",\"server\":\"vid-1\","
             "\"service\":\"svc\",\"pid\":\"77\",\"device_id\":\"dev\","
             "\"rtmp\":[\"1935\",\":1936\",\"tcp://10.0.0.2:1937\","
                      "\"[::]:1938\",\"1939\"],"
             "\"rtmps\":[\"443\"],\"http\":[\"0.0.0.0:8080\"],"
             "\"https\":[\"127.0.0.1:8443\"],\"api\":[\"1985\"],"
             "\"srt\":[\"udp://0.0.0.0:10080\"],"
             "\"rtc\":[\"udp://8000\",\"tcp://0.0.0.0:8000\"],"
             "\"weight\":3,\"max_conns\":500,\"max_streams\":100,"
             "\"proxy_protocol\":\"srs\"}", NGX_RTMP_ROUTE_DESC_REGISTER)
       == NGX_OK, "all fields");

    is_uint(desc.info.source, NGX_RTMP_ROUTE_SRC_REGISTER, "source");

    s.data = desc.info.id;
    s.len = desc.info.id_len;
    is_str(&s, "vid-1", "id");

    s.data = desc.info.host;
    s.len = desc.info.host_len;
    is_str(&s, "10.0.0.1", "host");

    s.data = desc.info.service;
    s.len = desc.info.service_len;
    is_str(&s, "svc", "service");

    s.data = desc.info.pid;
    s.len = desc.info.pid_len;
    is_str(&s, "77", "pid");

    s.data = desc.info.device;
    s.len = desc.info.device_len;
    is_str(&s, "dev", "device");

    is_uint(desc.info.nendpoints[NGX_RTMP_ROUTE_RTMP], 4,
            "more endpoints than there is room for");

    s = endpoint(NGX_RTMP_ROUTE_RTMP, 0);
    is_str(&s, "10.0.0.1:1935", "port");
    s = endpoint(NGX_RTMP_ROUTE_RTMP, 1);
    is_str(&s, "10.0.0.1:1936", "colon and port");
    s = endpoint(NGX_RTMP_ROUTE_RTMP, 2);
    is_str(&s, "10.0.0.2:1937", "an address of its own");
    s = endpoint(NGX_RTMP_ROUTE_RTMP, 3);
    is_str(&s, "10.0.0.1:1938", "any address");
    s = endpoint(NGX_RTMP_ROUTE_RTMPS, 0);
    is_str(&s, "10.0.0.1:443", "rtmps");
    s = endpoint(NGX_RTMP_ROUTE_HTTP, 0);
    is_str(&s, "10.0.0.1:8080", "http");
    s = endpoint(NGX_RTMP_ROUTE_HTTPS, 0);
    is_str(&s, "10.0.0.1:8443", "loopback of somebody else is his address");
    s = endpoint(NGX_RTMP_ROUTE_API, 0);
    is_str(&s, "10.0.0.1:1985", "api");
    s = endpoint(NGX_RTMP_ROUTE_SRT, 0);
    is_str(&s, "10.0.0.1:10080", "srt");
    s = endpoint(NGX_RTMP_ROUTE_RTC, 1);
    is_str(&s, "10.0.0.1:8000", "rtc");

    is_uint(desc.params.weight, 3, "weight");
    is_uint(desc.params.max_conns, 500, "max_conns");
    is_uint(desc.params.max_streams, 100, "max_streams");
    is_uint(desc.info.proxy_protocol, NGX_RTMP_ROUTE_PP_SRS, "proxy_protocol");
    is_uint(desc.given, NGX_RTMP_ROUTE_DESC_WEIGHT
                        |NGX_RTMP_ROUTE_DESC_MAX_CONNS
                        |NGX_RTMP_ROUTE_DESC_MAX_STREAMS, "what was given");

    ok(parse("{\"ip\":\"[2001:DB8::1]\",\"server\":\"v\",\"service\":\"s\","
             "\"pid\":\"1\",\"rtmp\":[\"1935\"]}",
             NGX_RTMP_ROUTE_DESC_REGISTER)
       == NGX_OK, "IPv6");

    s.data = desc.info.host;
    s.len = desc.info.host_len;
    is_str(&s, "2001:db8::1", "host without brackets");

    s = endpoint(NGX_RTMP_ROUTE_RTMP, 0);
    is_str(&s, "[2001:db8::1]:1935", "endpoint with brackets");
}


static void
test_create(void)
{
    ngx_str_t  s;

    ok(parse("{\"server\":\"10.0.0.12\",\"rtmp\":[\"1935\"],\"http\":[\"80\"],"
             "\"weight\":2,\"max_fails\":3,\"fail_timeout\":\"5s\","
             "\"slow_start\":\"1m\",\"backup\":true,\"down\":true,"
             "\"drain\":false}", NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_OK, "a server");

    s.data = desc.info.id;
    s.len = desc.info.id_len;
    is_str(&s, "10.0.0.12", "its address is its id");

    is_uint(desc.info.source, NGX_RTMP_ROUTE_SRC_API, "source");
    is_uint(desc.params.max_fails, 3, "max_fails");
    is_uint(desc.params.fail_timeout, 5000, "fail_timeout");
    is_uint(desc.params.slow_start, 60000, "slow_start");
    ok(desc.params.backup && desc.params.down && !desc.params.drain, "flags");

    ok(parse("{\"server\":\"10.0.0.12\"}", NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_OK, "nothing but an address");
    s = endpoint(NGX_RTMP_ROUTE_RTMP, 0);
    is_str(&s, "10.0.0.12:1935", "the port of rtmp");

    ok(parse("{\"server\":\"[::1]:1936\",\"id\":\"a/b\",\"http\":[\"80\"]}",
             NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_OK, "address and port");
    s = endpoint(NGX_RTMP_ROUTE_RTMP, 0);
    is_str(&s, "[::1]:1936", "its endpoint");
    s = endpoint(NGX_RTMP_ROUTE_HTTP, 0);
    is_str(&s, "[::1]:80", "another endpoint");

    ok(parse("{\"server\":\"10.0.0.12\",\"http\":[\"80\"]}",
             NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_OK, "http alone");
    is_uint(desc.info.nendpoints[NGX_RTMP_ROUTE_RTMP], 0, "has no rtmp");

    ok(parse("{\"server\":\"10.0.0.12:1\",\"rtmp\":[\"2\"]}",
             NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "two ports");
    ok(parse("{\"server\":\"example.com\"}", NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "a name");
    ok(parse("{\"server\":\"10.0.0.1:0\"}", NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "no port");
    ok(parse("{\"server\":\"1935\"}", NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "a port alone");
    ok(parse("{}", NGX_RTMP_ROUTE_DESC_CREATE) == NGX_DECLINED, "nothing");
    is_str(&err.text, "empty server", "is told");
    ok(parse("{\"server\":\"10.0.0.12\",\"wieght\":1}",
             NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "a slip of the pen");
    is_str(&err.text, "unknown field \"wieght\"", "is told");
    ok(parse("{\"server\":\"10.0.0.12\",\"fail_timeout\":\"x\"}",
             NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "no time");
    ok(parse("{\"server\":\"10.0.0.12\",\"down\":1}",
             NGX_RTMP_ROUTE_DESC_CREATE)
       == NGX_DECLINED, "no flag");
}


static void
test_update(void)
{
    ngx_rtmp_route_server_params_t  params;

    ngx_rtmp_route_desc_defaults(&params);
    params.max_conns = 7;
    params.down = 1;

    ok(parse("{\"weight\":5,\"drain\":true}", NGX_RTMP_ROUTE_DESC_UPDATE)
       == NGX_OK, "two parameters");

    ngx_rtmp_route_desc_params(&desc, &params);
    is_uint(params.weight, 5, "a new weight");
    ok(params.drain, "drained");
    is_uint(params.max_conns, 7, "the others are left alone");
    ok(params.down, "down is left alone");
    is_uint(params.max_fails, 1, "and so is max_fails");

    ok(parse("{\"down\":false}", NGX_RTMP_ROUTE_DESC_UPDATE) == NGX_OK,
       "up again");
    ngx_rtmp_route_desc_params(&desc, &params);
    ok(!params.down && params.drain, "is up");

    ok(parse("{}", NGX_RTMP_ROUTE_DESC_UPDATE) == NGX_OK, "nothing");
    ok(parse("{\"server\":\"10.0.0.1\"}", NGX_RTMP_ROUTE_DESC_UPDATE)
       == NGX_DECLINED, "an address cannot be changed");
}


static void
test_streams(void)
{
    ngx_str_t  name;

    ok(parse("{" BASE ",\"streams\":[\"live/a\",{\"name\":\"live/b\"},"
             "{\"name\":\"live/c\",\"publishers\":0,\"players\":3},"
             "{\"name\":\"live/d\",\"publishers\":1,\"players\":null}]}",
             NGX_RTMP_ROUTE_DESC_REGISTER)
       == NGX_OK, "streams");

    ok(ngx_rtmp_route_desc_stream(&desc, 0, &name) == NGX_OK, "a name");
    is_str(&name, "live/a", "its text");
    ok(ngx_rtmp_route_desc_stream(&desc, 1, &name) == NGX_OK, "an object");
    is_str(&name, "live/b", "its name");
    ok(ngx_rtmp_route_desc_stream(&desc, 2, &name) == NGX_DECLINED,
       "players alone");
    ok(ngx_rtmp_route_desc_stream(&desc, 3, &name) == NGX_OK, "a publisher");
    ok(ngx_rtmp_route_desc_stream(&desc, 4, &name) == NGX_DONE, "the end");

    ok(parse("{" BASE "}", NGX_RTMP_ROUTE_DESC_REGISTER) == NGX_OK, "none");
    ok(ngx_rtmp_route_desc_stream(&desc, 0, &name) == NGX_DONE, "none");
}


static void
test_caller(void)
{
    ngx_str_t                  s;
    ngx_sockaddr_t             sa;
    ngx_rtmp_route_endpoint_t  addr;

    ngx_memzero(&reg, sizeof(reg));

    s = unit_str("10.1.2.3");
    (void) ngx_rtmp_route_addr_parse(&s, &addr);
    (void) ngx_rtmp_route_endpoint_sockaddr(&addr, &sa);

    ok(ngx_rtmp_route_register_caller(&reg, &sa.sockaddr, &err) == NGX_OK,
       "anybody");

    reg.from = cidrs("10.0.0.0/8");
    ok(ngx_rtmp_route_register_caller(&reg, &sa.sockaddr, &err) == NGX_OK,
       "from here");

    reg.from = cidrs("10.2.0.0/16");
    ok(ngx_rtmp_route_register_caller(&reg, &sa.sockaddr, &err)
       == NGX_DECLINED, "from elsewhere");
    is_uint(err.status, 403, "status");
    is_str(&err.code, "CallerNotAllowed", "code");

    ngx_memzero(&sa, sizeof(sa));
    sa.sockaddr.sa_family = AF_UNIX;
    ok(ngx_rtmp_route_register_caller(&reg, &sa.sockaddr, &err)
       == NGX_DECLINED, "from a socket in the file system");
}


static void
test_secret(void)
{
    uint64_t     one, two;
    ngx_str_t    token, *p;

    ngx_memzero(&reg, sizeof(reg));

    token = unit_str("any");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err) == NGX_OK,
       "no token needed");
    is_uint(one, 0, "and none known");

    reg.tokens = ngx_array_create(pool, 2, sizeof(ngx_str_t));
    p = ngx_array_push(reg.tokens);
    *p = unit_str("secret");
    p = ngx_array_push(reg.tokens);
    *p = unit_str("next");

    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err)
       == NGX_DECLINED, "wrong");
    is_uint(err.status, 401, "status");
    is_str(&err.code, "TokenInvalid", "code");

    ngx_str_null(&token);
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err)
       == NGX_DECLINED, "missing");
    is_str(&err.code, "TokenMissing", "code");

    token = unit_str("secret");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err) == NGX_OK,
       "right");
    token = unit_str("next");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &two, &err) == NGX_OK,
       "the other one");
    ok(one && two && one != two, "digests differ");

    token = unit_str("secre");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err)
       == NGX_DECLINED, "too short");
    token = unit_str("secrets");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err)
       == NGX_DECLINED, "too long");
    token = unit_str("secretsecret");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err)
       == NGX_DECLINED, "twice");
    token = unit_str("Secret");
    ok(ngx_rtmp_route_register_secret(&reg, &token, &one, &err)
       == NGX_DECLINED, "case matters");
}


static void
test_claims(void)
{
    ngx_rtmp_route_ports_t  *ports;

#define IP(ip, rtmp)                                                          \
    "{\"ip\":\"" ip "\",\"server\":\"v\",\"service\":\"s\",\"pid\":\"1\","     \
    "\"rtmp\":[\"" rtmp "\"]}"

    static test_claim_t  unlimited[] = {
        { IP("10.0.0.1", "1935"), 0 },
        { IP("203.0.113.1", "1935"), 0 },
        { IP("2001:db8::1", "1935"), 0 },
        { IP("127.0.0.1", "1935"), 403 },
        { IP("::1", "1935"), 403 },
        { IP("::ffff:127.0.0.1", "1935"), 403 },
        { IP("169.254.169.254", "80"), 403 },
        { IP("fe80::1", "1935"), 403 },
        { IP("224.0.0.1", "1935"), 403 },
        { IP("ff02::1", "1935"), 403 },
        { IP("0.0.0.0", "1935"), 403 },
        { IP("::", "1935"), 403 },
        { IP("255.255.255.255", "1935"), 403 },
        { IP("10.0.0.1", "169.254.169.254:80"), 403 },
        { IP("10.0.0.1", "10.0.0.2:1935"), 0 },
        { IP("10.0.0.1", "127.0.0.1:1935"), 0 },
        { NULL, 0 }
    };

    static test_claim_t  limited[] = {
        { IP("10.0.0.1", "1935"), 0 },
        { IP("127.0.0.1", "1935"), 0 },
        { IP("127.0.0.2", "1935"), 403 },
        { IP("192.0.2.1", "1935"), 403 },
        { IP("2001:db8::1", "1935"), 403 },
        { IP("10.0.0.1", "192.0.2.1:1935"), 403 },
        { NULL, 0 }
    };

    static test_claim_t  numbers[] = {
        { IP("10.0.0.1", "1935"), 0 },
        { IP("10.0.0.1", "1999"), 0 },
        { IP("10.0.0.1", "2000"), 403 },
        { IP("10.0.0.1", "22"), 403 },
        { IP("10.0.0.1", "443"), 0 },
        { "{" BASE ",\"http\":[\"80\"]}", 403 },
        { NULL, 0 }
    };

    ngx_memzero(&reg, sizeof(reg));

    check_claims("without allow", unlimited);

    reg.allow = cidrs("10.0.0.0/8");
    *(ngx_cidr_t *) ngx_array_push(reg.allow)
                                   = *(ngx_cidr_t *) cidrs("127.0.0.1")->elts;

    check_claims("with allow", limited);

    reg.ports = ngx_array_create(pool, 2, sizeof(ngx_rtmp_route_ports_t));
    ports = ngx_array_push(reg.ports);
    ports->first = 1935;
    ports->last = 1999;
    ports = ngx_array_push(reg.ports);
    ports->first = 443;
    ports->last = 443;

    check_claims("with ports", numbers);
}


static void
test_apply(void)
{
    ngx_str_t                      id;
    ngx_rtmp_route_server_stat_t   stat;

    ngx_memzero(&reg, sizeof(reg));
    reg.timeout = 30000;
    reg.max_fails = 1;
    reg.streams = 1;

    ngx_str_set(&route.name, "live");
    route.zone = route.name;
    route.reg = &reg;
    route.table.log = &unit_log;
    route.table.inactive = 60000;

    ok(ngx_rtmp_route_table_init(&route.table, unit_zone(1024 * 1024))
       == NGX_OK, "a table");

    ok(apply("{" BASE ",\"weight\":2}") == NGX_OK, "registers");

    ngx_str_set(&id, "vid");
    ok(ngx_rtmp_route_server_get(&route.table, &id, &stat) == NGX_OK,
       "is there");
    is_uint(stat.params.weight, 2, "weight");
    is_uint(stat.params.max_fails, 1, "max_fails");
    is_uint(stat.params.timeout, 30000, "timeout");

    stat.params.drain = 1;
    stat.params.weight = 9;
    ok(ngx_rtmp_route_server_update(&route.table, &id, NULL,
                                    &stat.params)
       == NGX_OK, "an operator drains it");

    ok(apply("{" BASE ",\"weight\":2}") == NGX_OK, "the next heartbeat");
    (void) ngx_rtmp_route_server_get(&route.table, &id, &stat);
    ok(stat.params.drain, "is still drained");
    is_uint(stat.params.weight, 9, "keeps the operator's weight");

    ok(apply("{" BASE ",\"weight\":4}") == NGX_OK, "it says something new");
    (void) ngx_rtmp_route_server_get(&route.table, &id, &stat);
    is_uint(stat.params.weight, 4, "which counts");

    registrar = "192.0.2.2";
    ok(apply("{" BASE "}") == NGX_DECLINED, "somebody else");
    is_uint(err.status, 403, "status");
    is_str(&err.code, "ServerOwned", "code");

    ok(apply("{\"ip\":\"10.0.0.1\",\"server\":\"thief\",\"service\":\"s\","
             "\"pid\":\"1\",\"rtmp\":[\"1935\"]}")
       == NGX_DECLINED, "somebody else with the same address");
    registrar = "192.0.2.1";
}


static void
test_listing(void)
{
    ok(apply("{" BASE ",\"streams\":[\"live/a\",\"live/b\",\"\",\"../x\"]}")
       == NGX_OK, "lists streams");
    is_uint(listing.listed, 2, "two of them");
    is_uint(listing.invalid, 2, "two are no names");
    ok(stream_is("live/a", "vid"), "is known");
    ok(stream_is("live/b", "vid"), "is known too");

    ok(apply("{\"ip\":\"10.0.0.2\",\"server\":\"w\",\"service\":\"s\","
             "\"pid\":\"1\",\"rtmp\":[\"1935\"],"
             "\"streams\":[\"live/a\",\"live/c\"]}")
       == NGX_OK, "another one");
    is_uint(listing.listed, 1, "a new stream");
    is_uint(listing.conflicts, 1, "and one that is taken");
    ok(stream_is("live/a", "vid"), "it stays");
    ok(stream_is("live/c", "w"), "the new one");

    ok(apply("{" BASE ",\"streams\":[\"live/b\"]}") == NGX_OK, "lists less");
    ok(!stream_is("live/a", "vid"), "it is forgotten");
    ok(stream_is("live/b", "vid"), "the other one is not");

    ok(apply("{" BASE "}") == NGX_OK, "lists nothing");
    ok(stream_is("live/b", "vid"), "which changes nothing");

    reg.streams = 0;
    ok(apply("{" BASE ",\"streams\":[\"live/z\"]}") == NGX_OK, "may not list");
    ok(!stream_is("live/z", "vid"), "is not heard");
    reg.streams = 1;

    route.key = NGX_RTMP_ROUTE_KEY_APP_STREAM;
    route.secret = 1;
    ok(apply("{" BASE ",\"streams\":[\"live/secret\"]}") == NGX_OK,
       "names are secret");
    is_uint(listing.listed, 1, "listed");
    ok(!stream_is("live/secret", "vid"), "and kept so");
    route.secret = 0;
}


static void
test_too_many(void)
{
    u_char      *p, *body;
    ngx_uint_t   i, n;

    n = NGX_RTMP_ROUTE_DESC_MAX_STREAM_LIST + 1;

    body = ngx_pnalloc(pool, n * 8 + 256);

    p = ngx_sprintf(body, "{" BASE ",\"streams\":[");

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "\"%05ui\",", i);
    }

    p = ngx_sprintf(p - 1, "]}%Z");

    ok(apply((char *) body) == NGX_OK, "a list that is too long");
    ok(desc.too_many && desc.streams == NULL, "is ignored");
    is_uint(listing.listed, 0, "as a whole");
}


/* the description points into the parsed body, so it is kept */

static ngx_int_t
parse(char *body, ngx_uint_t form)
{
    ngx_str_t  text;

    json_decref(json);

    text = unit_str(body);
    json = ngx_rtmp_route_json_parse(&text, &err);

    if (json == NULL) {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_desc_parse(&desc, json, form, &err);
}


static ngx_int_t
apply(char *body)
{
    ngx_str_t  s;

    ngx_memzero(&listing, sizeof(listing));

    if (parse(body, NGX_RTMP_ROUTE_DESC_REGISTER) != NGX_OK
        || ngx_rtmp_route_register_claim(&reg, &desc, &err) != NGX_OK)
    {
        return NGX_ABORT;
    }

    s = unit_str(registrar);
    (void) ngx_rtmp_route_addr_parse(&s, &desc.info.registrar);

    if (ngx_rtmp_route_register_apply(&route, &desc, &err) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_rtmp_route_register_streams(&route, &desc, pool, &listing);
}


static void
check_claims(const char *what, test_claim_t *claims)
{
    ngx_int_t      rc;
    test_claim_t  *t;

    for (t = claims; t->body; t++) {

        if (parse(t->body, NGX_RTMP_ROUTE_DESC_REGISTER) != NGX_OK) {
            ok(0, "%s: %s", what, t->body);
            continue;
        }

        rc = ngx_rtmp_route_register_claim(&reg, &desc, &err);

        ok((rc == NGX_OK) == (t->status == 0)
           && (rc == NGX_OK || err.status == t->status),
           "%s: %s", what, t->body);
    }
}


static ngx_array_t *
cidrs(char *text)
{
    ngx_str_t     s;
    ngx_array_t  *a;

    a = ngx_array_create(pool, 2, sizeof(ngx_cidr_t));
    s = unit_str(text);

    (void) ngx_ptocidr(&s, ngx_array_push(a));

    return a;
}


static ngx_str_t
endpoint(ngx_uint_t protocol, ngx_uint_t i)
{
    ngx_str_t  s;

    static u_char  buf[NGX_SOCKADDR_STRLEN];

    s.data = buf;
    s.len = ngx_rtmp_route_endpoint_text(buf, buf + NGX_SOCKADDR_STRLEN,
                                         &desc.info.endpoints[protocol][i], 0)
            - buf;

    return s;
}


static ngx_uint_t
stream_is(char *key, char *server)
{
    ngx_str_t                      s;
    ngx_rtmp_route_stream_stat_t   stat;

    s = unit_str(key);

    return ngx_rtmp_route_stream_get(&route.table, &s, &stat) == NGX_OK
           && stat.server.len == strlen(server)
           && memcmp(stat.server.data, server, stat.server.len) == 0;
}
