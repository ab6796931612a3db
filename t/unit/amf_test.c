
/*
 * Copyright (C) The nginx-osp authors
 */


/* Tests for AMF0. */

/* sources: ngx_osp_rtmp_amf.c */


#include "unit.h"

#include "ngx_osp_rtmp_amf.h"


#define EXACT(text)  (u_char *) (text), sizeof(text) - 1


static u_char  *heap;


static ngx_osp_rtmp_amf_t exact(u_char *p, size_t len);
static void one(u_char *p, size_t len, ngx_uint_t type, double number,
    const char *string, const char *name);
static void values(void);
static void containers(void);
static void refuse(u_char *p, size_t len, const char *error,
    const char *name);
static void refused(void);
static void limits(void);
static void amf3(void);
static void cuts(void);
static u_char *write_all(u_char *p, u_char *last);
static void writers(void);


/* a copy of its own size, so that reading over the end is noticed */

static ngx_osp_rtmp_amf_t
exact(u_char *p, size_t len)
{
    ngx_osp_rtmp_amf_t  amf;

    free(heap);

    heap = malloc(len + (len == 0));
    memcpy(heap, p, len);

    ngx_osp_rtmp_amf_init(&amf, heap, heap + len);

    return amf;
}


static void
one(u_char *p, size_t len, ngx_uint_t type, double number,
    const char *string, const char *name)
{
    size_t                    i;
    ngx_uint_t                bad;
    ngx_osp_rtmp_amf_t        amf;
    ngx_osp_rtmp_amf_value_t  v;

    amf = exact(p, len);

    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK && v.type == type
       && v.number == number && amf.pos == amf.last
       && v.raw.data == heap && v.raw.len == len, "%s", name);

    if (v.string.data == NULL) {
        v.string.data = heap;
    }

    is_str(&v.string, string, "%s, string", name);

    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_DONE, "%s, end", name);

    bad = 0;

    for (i = 1; i < len; i++) {
        amf = exact(p, i);

        if (ngx_osp_rtmp_amf_read(&amf, &v) != NGX_ERROR
            || amf.pos != heap || amf.error == NULL)
        {
            bad++;
        }
    }

    is_uint(bad, 0, "%s, cut", name);
}


static void
values(void)
{
    one(EXACT("\x00\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        NGX_OSP_RTMP_AMF_NUMBER, 1, "", "number");
    one(EXACT("\x00\xc0\x00\x00\x00\x00\x00\x00\x00"),
        NGX_OSP_RTMP_AMF_NUMBER, -2, "", "negative number");
    one(EXACT("\x01\x01"), NGX_OSP_RTMP_AMF_BOOLEAN, 1, "", "true");
    one(EXACT("\x01\x00"), NGX_OSP_RTMP_AMF_BOOLEAN, 0, "", "false");
    one(EXACT("\x01\x07"), NGX_OSP_RTMP_AMF_BOOLEAN, 1, "", "also true");
    one(EXACT("\x02\x00\x03" "abc"), NGX_OSP_RTMP_AMF_STRING, 0, "abc",
        "string");
    one(EXACT("\x02\x00\x00"), NGX_OSP_RTMP_AMF_STRING, 0, "",
        "empty string");
    one(EXACT("\x0c\x00\x00\x00\x03" "abc"), NGX_OSP_RTMP_AMF_STRING, 0,
        "abc", "long string");
    one(EXACT("\x05"), NGX_OSP_RTMP_AMF_NULL, 0, "", "null");
    one(EXACT("\x06"), NGX_OSP_RTMP_AMF_UNDEFINED, 0, "", "undefined");
    one(EXACT("\x0d"), NGX_OSP_RTMP_AMF_UNSUPPORTED, 0, "", "unsupported");
    one(EXACT("\x0b\x3f\xf0\x00\x00\x00\x00\x00\x00\x00\x00"),
        NGX_OSP_RTMP_AMF_DATE, 1, "", "date");
    one(EXACT("\x0f\x00\x00\x00\x04" "<a/>"), NGX_OSP_RTMP_AMF_XML, 0,
        "<a/>", "xml");
    one(EXACT("\x03\x00\x00\x09"), NGX_OSP_RTMP_AMF_OBJECT, 0, "",
        "empty object");
    one(EXACT("\x0a\x00\x00\x00\x00"), NGX_OSP_RTMP_AMF_STRICT_ARRAY, 0, "",
        "empty strict array");
    one(EXACT("\x08\x00\x00\x00\x07\x00\x00\x09"),
        NGX_OSP_RTMP_AMF_ECMA_ARRAY, 0, "", "ecma array of wrong count");
    one(EXACT("\x10\x00\x01" "C" "\x00\x01" "a" "\x05\x00\x00\x09"),
        NGX_OSP_RTMP_AMF_TYPED_OBJECT, 0, "C", "typed object");
    one(EXACT("\x03" "\x00\x01" "a" "\x03" "\x00\x01" "b"
              "\x0a\x00\x00\x00\x02" "\x03\x00\x00\x09" "\x05"
              "\x00\x00\x09" "\x00\x01" "c" "\x05" "\x00\x00\x09"),
        NGX_OSP_RTMP_AMF_OBJECT, 0, "", "nested containers");
}


static void
containers(void)
{
    double                    number;
    ngx_str_t                 name;
    ngx_osp_rtmp_amf_t        amf, sub;
    ngx_osp_rtmp_amf_value_t  v, w;

    amf = exact(EXACT("\x03"
                      "\x00\x03" "app" "\x02\x00\x04" "live"
                      "\x00\x00" "\x05"
                      "\x00\x02" "in" "\x08\x00\x00\x00\x01"
                          "\x00\x03" "app" "\x02\x00\x03" "not"
                          "\x00\x00\x09"
                      "\x00\x03" "app" "\x02\x00\x04" "last"
                      "\x00\x02" "ar" "\x0a\x00\x00\x00\x02"
                          "\x05" "\x00\x40\x00\x00\x00\x00\x00\x00\x00"
                      "\x00\x00\x09"
                      "\x05"));

    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK, "object");
    ok(ngx_osp_rtmp_amf_enter(&v, &sub) == NGX_OK, "enter");

    ok(ngx_osp_rtmp_amf_property(&sub, &name, &w) == NGX_OK, "property");
    is_str(&name, "app", "name");
    is_str(&w.string, "live", "value");

    ok(ngx_osp_rtmp_amf_property(&sub, &name, &w) == NGX_OK
       && name.len == 0 && w.type == NGX_OSP_RTMP_AMF_NULL, "empty name");
    ok(ngx_osp_rtmp_amf_property(&sub, &name, &w) == NGX_OK
       && w.type == NGX_OSP_RTMP_AMF_ECMA_ARRAY, "ecma array");
    ok(ngx_osp_rtmp_amf_property(&sub, &name, &w) == NGX_OK, "repeated");
    ok(ngx_osp_rtmp_amf_property(&sub, &name, &w) == NGX_OK, "strict array");
    ok(ngx_osp_rtmp_amf_property(&sub, &name, &w) == NGX_DONE, "end");

    ok(ngx_osp_rtmp_amf_read(&amf, &w) == NGX_OK
       && w.type == NGX_OSP_RTMP_AMF_NULL, "value after the object");
    ok(ngx_osp_rtmp_amf_read(&amf, &w) == NGX_DONE, "end of values");

    ok(ngx_osp_rtmp_amf_find(&v, "app", 3, &w) == NGX_OK, "find");
    is_str(&w.string, "last", "the last one is found, not a nested one");
    ok(ngx_osp_rtmp_amf_find(&v, "ap", 2, &w) == NGX_DECLINED, "not found");
    ok(ngx_osp_rtmp_amf_find(&w, "app", 3, &w) == NGX_DECLINED,
       "a string has no properties");

    ok(ngx_osp_rtmp_amf_find(&v, "ar", 2, &w) == NGX_OK
       && ngx_osp_rtmp_amf_find(&w, "0", 1, &w) == NGX_DECLINED,
       "a strict array has no properties");

    ok(ngx_osp_rtmp_amf_enter(&w, &sub) == NGX_OK
       && ngx_osp_rtmp_amf_read_number(&sub, &number) == NGX_DECLINED
       && ngx_osp_rtmp_amf_read(&sub, &w) == NGX_OK
       && ngx_osp_rtmp_amf_read_number(&sub, &number) == NGX_OK
       && number == 2
       && ngx_osp_rtmp_amf_read_number(&sub, &number) == NGX_DONE,
       "elements of a strict array");

    amf = exact(EXACT("\x05"));

    ok(ngx_osp_rtmp_amf_read_string(&amf, &name) == NGX_DECLINED
       && amf.pos == heap, "null is no string, and not eaten");
    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK
       && ngx_osp_rtmp_amf_enter(&v, &sub) == NGX_DECLINED,
       "null is no container");
}


static void
refuse(u_char *p, size_t len, const char *error, const char *name)
{
    ngx_str_t                 str;
    ngx_osp_rtmp_amf_t        amf;
    ngx_osp_rtmp_amf_value_t  v;

    amf = exact(p, len);

    if (!ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_ERROR && amf.pos == heap,
            "%s", name))
    {
        return;
    }

    str = unit_str(amf.error);
    is_str(&str, error, "%s, error", name);
}


static void
refused(void)
{
    refuse(EXACT("\x07\x00\x00"), "amf reference", "reference");
    refuse(EXACT("\x03\x00\x01" "a\x07\x00\x00\x00\x00\x09"),
           "amf reference", "reference in an object");
    refuse(EXACT("\x04"), "unexpected amf marker", "movie clip");
    refuse(EXACT("\x0e"), "unexpected amf marker", "record set");
    refuse(EXACT("\x09"), "unexpected amf marker", "end of no object");
    refuse(EXACT("\x12"), "unexpected amf marker", "unknown marker");
    refuse(EXACT("\xff"), "unexpected amf marker", "another");
    refuse(EXACT("\x02\xff\xff" "abc"), "amf value is cut",
           "string longer than the message");
    refuse(EXACT("\x0c\xff\xff\xff\xff" "abc"), "amf value is cut",
           "long string longer than the message");
    refuse(EXACT("\x0f\x7f\xff\xff\xff" "abc"), "amf value is cut",
           "xml longer than the message");
    refuse(EXACT("\x0a\xff\xff\xff\xff\x05\x05"), "amf value is cut",
           "strict array longer than the message");
    refuse(EXACT("\x03\xff\xff" "abc"), "amf value is cut",
           "name longer than the message");
    refuse(EXACT("\x10\xff\xff" "abc"), "amf value is cut",
           "class name longer than the message");
    refuse(EXACT("\x08\x00\x00\x00\x01\x00\x01" "a\x05"), "amf value is cut",
           "ecma array without an end");
}


static void
limits(void)
{
    u_char                    *p, buf[8192];
    ngx_uint_t                 i, n;
    ngx_osp_rtmp_amf_t         amf;
    ngx_osp_rtmp_amf_value_t   v;

    for (n = NGX_OSP_RTMP_AMF_DEPTH; n < 1000; n += 983) {

        /* objects */

        p = buf;

        for (i = 0; i < n; i++) {
            p = ngx_cpymem(p, "\x03\x00\x01" "a", 4);
        }

        *p++ = 0x05;

        for (i = 0; i < n; i++) {
            p = ngx_cpymem(p, "\x00\x00\x09", 3);
        }

        amf = exact(buf, p - buf);

        ok(ngx_osp_rtmp_amf_read(&amf, &v)
           == (n == NGX_OSP_RTMP_AMF_DEPTH ? NGX_OK : NGX_ERROR),
           "%d nested objects", (int) n);

        /* arrays */

        p = buf;

        for (i = 0; i < n; i++) {
            p = ngx_cpymem(p, "\x0a\x00\x00\x00\x01", 5);
        }

        *p++ = 0x05;

        amf = exact(buf, p - buf);

        ok(ngx_osp_rtmp_amf_read(&amf, &v)
           == (n == NGX_OSP_RTMP_AMF_DEPTH ? NGX_OK : NGX_ERROR),
           "%d nested arrays", (int) n);
    }

    refuse(buf, p - buf, "amf values are nested too deep", "1000 deep");

    p = ngx_cpymem(buf, "\x0a\x00\x00\x0f\xff", 5);
    ngx_memset(p, 0x05, 4096);

    amf = exact(buf, 5 + 4095);
    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK, "4096 values");

    buf[3] = 0x10;
    buf[4] = 0x00;

    refuse(buf, 5 + 4096, "too many amf values", "4097 values");
}


static void
amf3(void)
{
    one(EXACT("\x11\x00"), NGX_OSP_RTMP_AMF_UNDEFINED, 0, "",
        "amf3 undefined");
    one(EXACT("\x11\x01"), NGX_OSP_RTMP_AMF_NULL, 0, "", "amf3 null");
    one(EXACT("\x11\x02"), NGX_OSP_RTMP_AMF_BOOLEAN, 0, "", "amf3 false");
    one(EXACT("\x11\x03"), NGX_OSP_RTMP_AMF_BOOLEAN, 1, "", "amf3 true");
    one(EXACT("\x11\x04\x7f"), NGX_OSP_RTMP_AMF_NUMBER, 127, "",
        "amf3 integer");
    one(EXACT("\x11\x04\x81\x00"), NGX_OSP_RTMP_AMF_NUMBER, 128, "",
        "amf3 integer of two bytes");
    one(EXACT("\x11\x04\x81\x80\x00"), NGX_OSP_RTMP_AMF_NUMBER, 16384, "",
        "amf3 integer of three bytes");
    one(EXACT("\x11\x04\xff\xff\xff\xff"), NGX_OSP_RTMP_AMF_NUMBER, -1, "",
        "amf3 negative integer");
    one(EXACT("\x11\x04\xbf\xff\xff\xff"), NGX_OSP_RTMP_AMF_NUMBER,
        0x0fffffff, "", "amf3 largest integer");
    one(EXACT("\x11\x05\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        NGX_OSP_RTMP_AMF_NUMBER, 1, "", "amf3 double");
    one(EXACT("\x11\x06\x07" "abc"), NGX_OSP_RTMP_AMF_STRING, 0, "abc",
        "amf3 string");
    one(EXACT("\x03\x00\x01" "a\x11\x06\x07" "abc\x00\x00\x09"),
        NGX_OSP_RTMP_AMF_OBJECT, 0, "", "amf3 string in an object");

    refuse(EXACT("\x11\x06\x02"), "amf3 reference", "amf3 reference");
    refuse(EXACT("\x11\x06\xff\xff\xff\xff"), "amf value is cut",
           "amf3 string longer than the message");
    refuse(EXACT("\x11\x0a\x0b\x01\x01"), "amf3 value", "amf3 object");
    refuse(EXACT("\x11\x09\x01\x01"), "amf3 value", "amf3 array");
    refuse(EXACT("\x11\x0c\x03\x00"), "amf3 value", "amf3 bytes");
    refuse(EXACT("\x11\xff"), "amf3 value", "amf3 unknown");
}


/* random damage: no crash, and what is read is inside of the message */

static void
cuts(void)
{
    u_char                     buf[512], *p;
    size_t                     len;
    uint32_t                   state;
    ngx_str_t                  name;
    ngx_uint_t                 i, j, bad, good;
    ngx_osp_rtmp_amf_t         amf, sub;
    ngx_osp_rtmp_amf_value_t   v, w;

    state = 1;
    bad = 0;
    good = 0;

    for (i = 0; i < 20000; i++) {
        p = write_all(buf, buf + sizeof(buf));
        len = p - buf;

        for (j = 0; j < 1 + i % 3; j++) {
            state = state * 1664525 + 1013904223;
            buf[(state >> 8) % len] = (u_char) (state >> 16) % 20;
        }

        amf = exact(buf, len);

        while (ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK) {
            good++;

            if (amf.pos > amf.last
                || v.raw.data < heap || v.raw.data + v.raw.len != amf.pos)
            {
                bad++;
            }

            if (v.type == NGX_OSP_RTMP_AMF_STRICT_ARRAY
                || ngx_osp_rtmp_amf_enter(&v, &sub) != NGX_OK)
            {
                continue;
            }

            while (sub.pos < sub.last) {
                if (ngx_osp_rtmp_amf_property(&sub, &name, &w) != NGX_OK) {
                    bad++;
                    break;
                }
            }
        }
    }

    ok(bad == 0 && good > 20000, "damaged messages, %d values", (int) good);
}


static u_char *
write_all(u_char *p, u_char *last)
{
    ngx_str_t  s, raw;

    s = unit_str("text");
    raw.data = (u_char *) "\x0a\x00\x00\x00\x01\x06";
    raw.len = 6;

    p = ngx_osp_rtmp_amf_put_string(p, last, &s);
    p = ngx_osp_rtmp_amf_put_number(p, last, -1.5);
    p = ngx_osp_rtmp_amf_put_boolean(p, last, 5);
    p = ngx_osp_rtmp_amf_put_null(p, last);
    p = ngx_osp_rtmp_amf_put_undefined(p, last);
    p = ngx_osp_rtmp_amf_put_object(p, last);
    p = ngx_osp_rtmp_amf_put_name(p, last, &s);
    p = ngx_osp_rtmp_amf_put_ecma_array(p, last, 1);
    p = ngx_osp_rtmp_amf_put_name(p, last, &s);
    p = ngx_osp_rtmp_amf_put_raw(p, last, &raw);
    p = ngx_osp_rtmp_amf_put_end(p, last);
    p = ngx_osp_rtmp_amf_put_end(p, last);
    p = ngx_osp_rtmp_amf_put_strict_array(p, last, 1);
    p = ngx_osp_rtmp_amf_put_null(p, last);

    return p;
}


static void
writers(void)
{
    u_char                    *p, *buf, text[256];
    size_t                     i, len;
    ngx_str_t                  got, s;
    ngx_uint_t                 bad;
    ngx_osp_rtmp_amf_t         amf;
    ngx_osp_rtmp_amf_value_t   v;

    buf = malloc(128);

    p = write_all(buf, buf + 128);

    len = p - buf;

    got.data = text;
    got.len = ngx_hex_dump(text, buf, len) - text;

    is_str(&got, "02000474657874" "00bff8000000000000" "0101" "05" "06"
           "03000474657874" "0800000001" "000474657874" "0a0000000106"
           "000009" "000009" "0a0000000105", "what is written");

    free(buf);

    bad = 0;

    for (i = 0; i <= len; i++) {
        buf = malloc(i + (i == 0));

        p = write_all(buf, buf + i);

        if (p != (i == len ? buf + i : NULL)) {
            bad++;
        }

        free(buf);
    }

    is_uint(bad, 0, "no room");

    buf = malloc(70000);
    ngx_memset(buf, 'x', 70000);

    s.data = buf;
    s.len = 65536;

    p = malloc(70000);

    ok(ngx_osp_rtmp_amf_put_string(p, p + 70000, &s) == p + 65536 + 5
       && p[0] == NGX_OSP_RTMP_AMF_LONG_STRING, "long string");

    ngx_osp_rtmp_amf_init(&amf, p, p + 65536 + 5);

    ok(ngx_osp_rtmp_amf_read(&amf, &v) == NGX_OK
       && v.type == NGX_OSP_RTMP_AMF_STRING && v.string.len == 65536,
       "long string is read");

    ok(ngx_osp_rtmp_amf_put_name(p, p + 70000, &s) == NULL, "long name");

    s.len = 65535;

    ok(ngx_osp_rtmp_amf_put_string(p, p + 70000, &s) == p + 65535 + 3,
       "longest string");

    free(p);
    free(buf);
}


int
main(void)
{
    unit_init();

    values();
    containers();
    refused();
    limits();
    amf3();
    cuts();
    writers();

    free(heap);

    return done();
}
