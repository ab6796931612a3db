
/*
 * Copyright (C) The nginx-osp authors
 */


/*
 * A minimal TAP writer and what nginx's core needs before it can be used
 * outside of nginx.  Included once, by the only source file of a test:
 *
 *     int main(void) { unit_init(); ok(1 + 1 == 2, "sum"); return done(); }
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <nginx.h>

#include <stdio.h>
#include <stdarg.h>
#include <sys/mman.h>


static ngx_uint_t       unit_count;
static ngx_uint_t       unit_failed;
static ngx_log_t        unit_log;
static ngx_open_file_t  unit_log_file;
static ngx_cycle_t      unit_cycle;


/* the result is that of the check */

#define ok(cond, ...)                                                         \
    unit_ok(__FILE__, __LINE__, (cond) ? 1 : 0, #cond, __VA_ARGS__)

/* of any integer type */

#define is_uint(got, expected, ...)                                           \
    unit_is_uint(__FILE__, __LINE__, (unsigned long long) (got),              \
                 (unsigned long long) (expected), __VA_ARGS__)

/* a pointer to ngx_str_t against a literal or other zero terminated string */

#define is_str(got, expected, ...)                                            \
    unit_is_str(__FILE__, __LINE__, (got), (expected), __VA_ARGS__)


static ngx_uint_t unit_ok(const char *file, int line, ngx_uint_t result,
    const char *expr, const char *fmt, ...)
    __attribute__ ((format (printf, 5, 6), unused));
static ngx_uint_t unit_is_uint(const char *file, int line,
    unsigned long long got, unsigned long long expected, const char *fmt, ...)
    __attribute__ ((format (printf, 5, 6), unused));
static ngx_uint_t unit_is_str(const char *file, int line, ngx_str_t *got,
    const char *expected, const char *fmt, ...)
    __attribute__ ((format (printf, 5, 6), unused));
static void unit_report(ngx_uint_t result, const char *fmt, va_list args);
static void diag(const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2), unused));
static int done(void) __attribute__ ((unused));
static void unit_init(void) __attribute__ ((unused));
static void unit_tick(ngx_msec_t ms) __attribute__ ((unused));
static ngx_slab_pool_t *unit_zone(size_t size) __attribute__ ((unused));
static void unit_zone_free(ngx_slab_pool_t *shpool) __attribute__ ((unused));
static ngx_str_t unit_str(const char *text) __attribute__ ((unused));


static ngx_uint_t
unit_ok(const char *file, int line, ngx_uint_t result, const char *expr,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    unit_report(result, fmt, args);
    va_end(args);

    if (!result) {
        diag("%s:%d: %s", file, line, expr);
    }

    return result;
}


static ngx_uint_t
unit_is_uint(const char *file, int line, unsigned long long got,
    unsigned long long expected, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    unit_report(got == expected, fmt, args);
    va_end(args);

    if (got != expected) {
        diag("%s:%d: got %lld, expected %lld", file, line, got, expected);
    }

    return got == expected;
}


static ngx_uint_t
unit_is_str(const char *file, int line, ngx_str_t *got, const char *expected,
    const char *fmt, ...)
{
    va_list     args;
    ngx_uint_t  result;

    result = (got->len == strlen(expected)
              && memcmp(got->data, expected, got->len) == 0);

    va_start(args, fmt);
    unit_report(result, fmt, args);
    va_end(args);

    if (!result) {
        diag("%s:%d: got \"%.*s\", expected \"%s\"", file, line,
             (int) got->len, (char *) got->data, expected);
    }

    return result;
}


static void
unit_report(ngx_uint_t result, const char *fmt, va_list args)
{
    unit_count++;

    if (!result) {
        unit_failed++;
    }

    printf("%sok %lu - ", result ? "" : "not ", (unsigned long) unit_count);
    vprintf(fmt, args);
    printf("\n");

    fflush(stdout);
}


static void
diag(const char *fmt, ...)
{
    va_list  args;

    printf("# ");

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    fflush(stdout);
}


/* prints the plan; what main() returns */

static int
done(void)
{
    printf("1..%lu\n", (unsigned long) unit_count);

    fflush(stdout);

    return unit_failed ? 1 : 0;
}


/* what is logged goes to the standard error */

static void
unit_init(void)
{
    ngx_uint_t  n;

    ngx_pid = getpid();
    ngx_ncpu = sysconf(_SC_NPROCESSORS_ONLN);
    ngx_pagesize = getpagesize();
    ngx_cacheline_size = 64;

    for (ngx_pagesize_shift = 0, n = ngx_pagesize; n >>= 1; /* void */ ) {
        ngx_pagesize_shift++;
    }

    ngx_time_init();

    unit_log_file.fd = ngx_stderr;
    unit_log.file = &unit_log_file;
    unit_log.log_level = NGX_LOG_NOTICE;

    unit_cycle.log = &unit_log;
    ngx_cycle = &unit_cycle;

#if (nginx_version >= 1015008)
    ngx_slab_sizes_init();
#endif
}


/* lets time pass without waiting */

static void
unit_tick(ngx_msec_t ms)
{
    ngx_current_msec += ms;
}


/* an anonymous shared zone as nginx makes them; NULL on failure */

static ngx_slab_pool_t *
unit_zone(size_t size)
{
    void             *addr;
    ngx_slab_pool_t  *shpool;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (addr == MAP_FAILED) {
        return NULL;
    }

    shpool = addr;

    shpool->end = (u_char *) addr + size;
    shpool->min_shift = 3;
    shpool->addr = addr;

    if (ngx_shmtx_create(&shpool->mutex, &shpool->lock, NULL) != NGX_OK) {
        (void) munmap(addr, size);
        return NULL;
    }

    ngx_slab_init(shpool);

    return shpool;
}


static void
unit_zone_free(ngx_slab_pool_t *shpool)
{
    ngx_shmtx_destroy(&shpool->mutex);

    (void) munmap(shpool, shpool->end - (u_char *) shpool);
}


/* a zero terminated string as ngx_str_t */

static ngx_str_t
unit_str(const char *text)
{
    ngx_str_t  str;

    str.data = (u_char *) text;
    str.len = strlen(text);

    return str;
}


#endif /* _UNIT_H_INCLUDED_ */
