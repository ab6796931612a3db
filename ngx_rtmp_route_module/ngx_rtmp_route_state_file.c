
/*
 * Copyright (C) The nginx-osp authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_route_state.h"


static ngx_int_t ngx_rtmp_route_state_name(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *base, const char *suffix);
static char *ngx_rtmp_route_state_check(ngx_conf_t *cf,
    ngx_rtmp_route_state_t *state);
static ngx_uint_t ngx_rtmp_route_state_alive(uint64_t pid, uint64_t start);


char *
ngx_rtmp_route_state_names(ngx_conf_t *cf, ngx_rtmp_route_state_t *state,
    ngx_str_t *name)
{
    u_char  *p;

    if (name->len == 0 || name->data[name->len - 1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid state file \"%V\"", name);
        return NGX_CONF_ERROR;
    }

    state->name = *name;

    if (ngx_conf_full_name(cf->cycle, &state->name, 0) != NGX_OK
        || ngx_rtmp_route_state_name(cf, &state->temp, &state->name, ".tmp")
           != NGX_OK
        || ngx_rtmp_route_state_name(cf, &state->old, &state->name, ".old")
           != NGX_OK
        || ngx_rtmp_route_state_name(cf, &state->old_temp, &state->old, ".tmp")
           != NGX_OK
        || ngx_rtmp_route_state_name(cf, &state->bad, &state->name, ".bad")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    p = state->name.data + state->name.len;

    while (p[-1] != '/') {
        p--;
    }

    while (p - 1 > state->name.data && p[-1] == '/') {
        p--;
    }

    state->dir.data = state->name.data;
    state->dir.len = p - state->name.data;

    if (ngx_rtmp_route_state_name(cf, &state->dir, &state->dir, "")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_rtmp_route_state_check(cf, state);
}


static ngx_int_t
ngx_rtmp_route_state_name(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *base,
    const char *suffix)
{
    u_char     *p;
    ngx_str_t   s;

    s = *base;

    p = ngx_pnalloc(cf->pool, s.len + ngx_strlen(suffix) + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name->data = p;
    name->len = ngx_sprintf(p, "%V%s%Z", &s, suffix) - p - 1;

    return NGX_OK;
}


/* a test of the configuration makes nothing */

static char *
ngx_rtmp_route_state_check(ngx_conf_t *cf, ngx_rtmp_route_state_t *state)
{
    u_char           *p, *dir;
    ngx_err_t         err;
    ngx_file_info_t   fi;

    if (ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_CONF_OK;
    }

    if (ngx_file_info(state->name.data, &fi) != NGX_FILE_ERROR
        && !ngx_is_file(&fi))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "state file \"%V\" is not a regular file",
                           &state->name);
        return NGX_CONF_ERROR;
    }

    dir = ngx_pnalloc(cf->pool, state->dir.len + 1);
    if (dir == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(dir, state->dir.data, state->dir.len + 1);
    p = dir + state->dir.len;
    err = 0;

    for ( ;; ) {

        if (ngx_file_info(dir, &fi) != NGX_FILE_ERROR) {

            if (!ngx_is_dir(&fi)) {
                err = NGX_ENOTDIR;

            } else if (p != dir + state->dir.len
                       && access((char *) dir, W_OK|X_OK) == -1)
            {
                err = ngx_errno;
            }

            break;
        }

        if (ngx_errno != NGX_ENOENT) {
            err = ngx_errno;
            break;
        }

        /* the one above */

        while (p > dir && *p != '/') {
            p--;
        }

        if (p == dir) {
            dir = (u_char *) "/";
            p = dir;

        } else {
            *p-- = '\0';
        }
    }

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "directory \"%V\" of the state file cannot be made",
                           &state->dir);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_rtmp_route_state_make_dir(ngx_rtmp_route_state_t *state, ngx_log_t *log)
{
    u_char           *p, *last;
    ngx_uint_t        own;
    ngx_file_info_t   fi;

    if (ngx_file_info(state->dir.data, &fi) != NGX_FILE_ERROR) {
        return NGX_OK;
    }

    /* those above are for everyone to pass */

    last = state->dir.data + state->dir.len;

    for (p = state->dir.data + 1; p <= last; p++) {

        if (*p != '/' && p != last) {
            continue;
        }

        own = (p == last);
        *p = '\0';

        if (ngx_create_dir(state->dir.data, own ? 0700 : 0755)
            == NGX_FILE_ERROR)
        {
            if (ngx_errno != NGX_EEXIST) {
                ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                              ngx_create_dir_n " \"%s\" failed",
                              state->dir.data);
                return NGX_ERROR;
            }

        } else if (own) {
            ngx_rtmp_route_state_give(state, NGX_INVALID_FILE,
                                      state->dir.data);
        }

        if (!own) {
            *p = '/';
        }
    }

    return NGX_OK;
}


/* in a directory of another user a name may mean something else by now */

void
ngx_rtmp_route_state_give(ngx_rtmp_route_state_t *state, ngx_fd_t fd,
    u_char *name)
{
    int               rc;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(state->route->cycle->conf_ctx,
                                           ngx_core_module);

    if (geteuid() != 0 || ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return;
    }

    rc = (fd == NGX_INVALID_FILE)
         ? lchown((char *) name, ccf->user, ccf->group)
         : fchown(fd, ccf->user, ccf->group);

    if (rc == -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "chown() \"%s\" failed", name);
    }
}


ngx_int_t
ngx_rtmp_route_state_open_temp(ngx_str_t *name, ngx_fd_t *fdp)
{
    ngx_fd_t          fd;
    ngx_err_t         err;
    struct flock      fl;
    ngx_file_info_t   fi, now;

    fd = open((char *) name->data, O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (fd == NGX_INVALID_FILE && ngx_errno == NGX_EACCES) {

        /* root has left it; the directory is ours */

        if (ngx_delete_file(name->data) == NGX_FILE_ERROR) {
            ngx_set_errno(NGX_EACCES);
            return NGX_ERROR;
        }

        fd = open((char *) name->data, O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC,
                  0600);
    }

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    ngx_memzero(&fl, sizeof(struct flock));

    fl.l_type = F_WRLCK;
    fl.l_whence = SEEK_SET;

    if (fcntl(fd, F_SETLK, &fl) == -1
        && (ngx_errno == NGX_EAGAIN || ngx_errno == NGX_EACCES))
    {
        (void) ngx_close_file(fd);
        return NGX_BUSY;
    }

    /* who had the lock may have renamed the file before this took it */

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        || ngx_file_info(name->data, &now) == NGX_FILE_ERROR
        || ngx_file_uniq(&fi) != ngx_file_uniq(&now))
    {
        (void) ngx_close_file(fd);
        return NGX_BUSY;
    }

    if (ftruncate(fd, 0) == -1
        || ((fi.st_mode & 0777) != 0600 && fchmod(fd, 0600) == -1))
    {
        err = ngx_errno;
        (void) ngx_close_file(fd);
        ngx_set_errno(err);
        return NGX_ERROR;
    }

    *fdp = fd;

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_route_state_head(ngx_str_t *name, ngx_rtmp_route_state_head_t *head)
{
    u_char                   buf[NGX_RTMP_ROUTE_STATE_HEAD + 1], *p;
    json_t                  *json, *value;
    ssize_t                  n;
    ngx_fd_t                 fd;
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_uint_t               i;
    ngx_rtmp_route_error_t   err;

    static struct {
        const char  *name;
        size_t       offset;
    } fields[] = {
        { "version", offsetof(ngx_rtmp_route_state_head_t, version) },
        { "born", offsetof(ngx_rtmp_route_state_head_t, born) },
        { "master", offsetof(ngx_rtmp_route_state_head_t, master) },
        { "master_start",
          offsetof(ngx_rtmp_route_state_head_t, master_start) },
        { "worker", offsetof(ngx_rtmp_route_state_head_t, worker) },
        { "worker_start",
          offsetof(ngx_rtmp_route_state_head_t, worker_start) },
        { NULL, 0 }
    };

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return NGX_DECLINED;
    }

    n = ngx_read_fd(fd, buf, NGX_RTMP_ROUTE_STATE_HEAD);

    (void) ngx_close_file(fd);

    p = (n > 0) ? ngx_strlchr(buf, buf + n, '\n') : NULL;

    if (p == NULL) {
        return NGX_DECLINED;
    }

    *p++ = '}';

    text.data = buf;
    text.len = p - buf;

    json = ngx_rtmp_route_json_parse(&text, &err);

    value = json_object_get(json, "format");

    rc = (json_is_string(value)
          && ngx_strcmp(json_string_value(value), NGX_RTMP_ROUTE_STATE_FORMAT)
             == 0)
         ? NGX_OK : NGX_DECLINED;

    for (i = 0; fields[i].name; i++) {

        value = json_object_get(json, fields[i].name);

        *(uint64_t *) ((u_char *) head + fields[i].offset)
            = (uint64_t) json_integer_value(value);
    }

    json_decref(json);

    return rc;
}


void
ngx_rtmp_route_state_own(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_head_t *head)
{
    ngx_pid_t  master;

    master = (ngx_process == NGX_PROCESS_WORKER) ? ngx_parent : ngx_pid;

    head->version = NGX_RTMP_ROUTE_STATE_VERSION;
    head->born = ngx_rtmp_route_saved_born(&state->route->table);
    head->master = master;
    head->master_start = ngx_rtmp_route_process_start(master);
    head->worker = ngx_pid;
    head->worker_start = ngx_rtmp_route_process_start(ngx_pid);
}


ngx_uint_t
ngx_rtmp_route_state_newer(ngx_rtmp_route_state_t *state,
    ngx_rtmp_route_state_head_t *head)
{
    return head->born > ngx_rtmp_route_saved_born(&state->route->table)
           && (ngx_rtmp_route_state_alive(head->master, head->master_start)
               || ngx_rtmp_route_state_alive(head->worker,
                                             head->worker_start));
}


static ngx_uint_t
ngx_rtmp_route_state_alive(uint64_t pid, uint64_t start)
{
    ngx_uint_t  now;

    if (pid == 0 || pid > NGX_MAX_INT32_VALUE) {
        return 0;
    }

    if (kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
        return 0;
    }

    /* the number may be that of another process now */

    now = ngx_rtmp_route_process_start((ngx_pid_t) pid);

    return start == 0 || now == 0 || now == start;
}


ngx_int_t
ngx_rtmp_route_state_stat(ngx_str_t *name, uint64_t *file)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(name->data, &fi) == NGX_FILE_ERROR) {
        return NGX_DECLINED;
    }

    file[0] = (uint64_t) ngx_file_uniq(&fi);
    file[1] = (uint64_t) ngx_file_size(&fi);
    file[2] = (uint64_t) ngx_file_mtime(&fi);

#if (NGX_LINUX)
    file[2] = file[2] * 1000000000 + (uint64_t) fi.st_mtim.tv_nsec;
#endif

    return NGX_OK;
}
