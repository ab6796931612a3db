
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_hls_store.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>


#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC  1
#endif


static ngx_fd_t ngx_http_hls_window_file(ngx_log_t *log);
static ngx_int_t ngx_http_hls_window_limit(size_t size);


/*
 * The file is sparse: what is never written, or was punched out, takes no
 * memory, however large the window is
 */

ngx_http_hls_window_t *
ngx_http_hls_window_create(size_t size, ngx_log_t *log)
{
    void                   *base;
    size_t                  pages;
    ngx_fd_t                fd;
    ngx_http_hls_window_t  *window;

    pages = (size + ngx_pagesize - 1) / ngx_pagesize;

    /* addresses of 32 bits do not reach for all of it */

    if (pages > NGX_MAX_SIZE_T_VALUE / ngx_pagesize
                / (2 * NGX_HTTP_HLS_STORE_WINDOW)
        || (uint64_t) pages * NGX_HTTP_HLS_STORE_WINDOW > 0xfffffff0)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "cache of %uz bytes is too large", size);
        return NULL;
    }

    size = pages * ngx_pagesize * NGX_HTTP_HLS_STORE_WINDOW;

    window = ngx_calloc(sizeof(ngx_http_hls_window_t), log);
    if (window == NULL) {
        return NULL;
    }

    fd = ngx_http_hls_window_file(log);

    if (fd == NGX_INVALID_FILE) {
        ngx_free(window);
        return NULL;
    }

    if (ngx_http_hls_window_limit(size) != NGX_OK
        || ftruncate(fd, (off_t) size) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "ftruncate() of %uz bytes for a cache failed", size);
        goto failed;
    }

    base = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_NORESERVE,
                fd, 0);

    if (base == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "mmap() of %uz bytes for a cache failed", size);
        goto failed;
    }

#ifdef MADV_DONTDUMP
    (void) madvise(base, size, MADV_DONTDUMP);
#endif

    window->fd = fd;
    window->base = base;
    window->size = size;
    window->count = 1;

    return window;

failed:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " of a cache failed");
    }

    ngx_free(window);

    return NULL;
}


static ngx_fd_t
ngx_http_hls_window_file(ngx_log_t *log)
{
    ngx_fd_t  fd;

#if defined(SYS_memfd_create)

    fd = (ngx_fd_t) syscall(SYS_memfd_create, "hls_cache", MFD_CLOEXEC);

#else

    fd = NGX_INVALID_FILE;
    ngx_set_errno(NGX_ENOSYS);

#endif

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "memfd_create() for a cache failed");
    }

    return fd;
}


/* a file larger than the limit is no error but a signal */

static ngx_int_t
ngx_http_hls_window_limit(size_t size)
{
    struct rlimit  rlmt;

    if (getrlimit(RLIMIT_FSIZE, &rlmt) == 0
        && rlmt.rlim_cur != RLIM_INFINITY
        && rlmt.rlim_cur < size)
    {
        ngx_set_errno(EFBIG);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_hls_window_hold(ngx_http_hls_window_t *window)
{
    window->count++;
}


void
ngx_http_hls_window_free(ngx_http_hls_window_t *window)
{
    if (--window->count) {
        return;
    }

    if (munmap(window->base, window->size) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "munmap() of a cache failed");
    }

    if (ngx_close_file(window->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " of a cache failed");
    }

    ngx_free(window);
}
