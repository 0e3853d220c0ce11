#define _GNU_SOURCE
#include "base/io.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUT_BUFFER_BYTES = 64 << 10 };

void ft_io_guard_standard(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            /* The wrong direction on purpose: reading 0 or writing 1, 2 then fails. The lowest
             * free number is fd, since all below are open. */
            if (open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY)) < 0)
                return;
}

/* A descriptor set to non-blocking by whoever shares it: wait as a blocking one would. */
static void wait_ready(int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    (void)poll(&p, 1, -1);
}

static ssize_t read_once(int fd, void *p, size_t n)
{
    for (;;) {
        ssize_t got = read(fd, p, n);
        if (got >= 0)
            return got;
        if (errno == EAGAIN)
            wait_ready(fd, POLLIN);
        else if (errno != EINTR)
            return -1;
    }
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put > 0) {
            p += put;
            n -= (size_t)put;
        } else if (put == 0) {
            errno = EIO;
            return -1;
        } else if (errno == EAGAIN) {
            wait_ready(fd, POLLOUT);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static int fsync_retry(int fd)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* close() is not retried on EINTR: on Linux the descriptor is gone by then. */
static int close_checked(int fd)
{
    return close(fd) < 0 && errno != EINTR ? -1 : 0;
}

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- input ---- */

struct ft_in {
    int fd;
    uint64_t size;
    char *name;
};

int ft_in_open(ft_in **out, const char *path, ft_err *e)
{
    ft_in *in = ft_new(1, sizeof *in, e);
    struct stat st;
    *out = NULL;
    if (!in)
        return FT_ERR_NOMEM;
    in->fd = -1;
    in->name = ft_strndup(path, strlen(path), e);
    if (!in->name)
        goto nomem;
    if (strcmp(path, "-") == 0) {
        int flags = fcntl(STDIN_FILENO, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY) {
            ft_err_set(e, FT_ERR_NOINPUT, "standard input is closed");
            goto missing;
        }
        in->fd = STDIN_FILENO;
    } else {
        in->fd = open_retry(path, O_RDONLY, 0);
        if (in->fd < 0) {
            ft_err_sys(e, FT_ERR_NOINPUT, errno, "cannot open %s", path);
            goto missing;
        }
    }
    if (fstat(in->fd, &st) < 0) {
        ft_err_sys(e, FT_ERR_NOINPUT, errno, "cannot examine %s", path);
        goto missing;
    }
    if (S_ISDIR(st.st_mode)) {
        ft_err_set(e, FT_ERR_NOINPUT, "%s is a folder", path);
        goto missing;
    }
    in->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    *out = in;
    return 0;
nomem:
    ft_in_close(&in);
    return FT_ERR_NOMEM;
missing:
    ft_in_close(&in);
    return FT_ERR_NOINPUT;
}

int ft_in_read_some(ft_in *in, void *p, size_t n, size_t *got, ft_err *e)
{
    ssize_t r = read_once(in->fd, p, n);
    if (r < 0)
        return ft_err_sys(e, FT_ERR_IO, errno, "reading %s", in->name);
    *got = (size_t)r;
    return 0;
}

int ft_in_read(ft_in *in, void *p, size_t n, size_t *got, ft_err *e)
{
    size_t sum = 0, part = 1;
    while (sum < n && part > 0) {
        int rc = ft_in_read_some(in, (uint8_t *)p + sum, n - sum, &part, e);
        if (rc < 0)
            return rc;
        sum += part;
    }
    *got = sum;
    return 0;
}

const char *ft_in_name(const ft_in *in)
{
    return in->name;
}

int ft_in_is_tty(const ft_in *in)
{
    return isatty(in->fd);
}

uint64_t ft_in_size(const ft_in *in)
{
    return in->size;
}

void ft_in_close(ft_in **in)
{
    if (!*in)
        return;
    if ((*in)->fd > STDIN_FILENO)
        (void)close_checked((*in)->fd);
    ft_free((*in)->name);
    ft_free(*in);
    *in = NULL;
}

/* ---- output ---- */

struct ft_out {
    int fd;
    char *name, *tmp;         /* tmp is NULL when written directly */
    int slot;                 /* index into `temporaries`, or -1 */
    uint64_t bytes;
    size_t used;
    uint8_t buffer[OUT_BUFFER_BYTES];
};

/* Names of unfinished files, for the signal handler. A slot is free when NULL. */
enum { MAX_TEMPORARIES = 64 };
static const char *volatile temporaries[MAX_TEMPORARIES];

static int slot_take(const char *tmp)
{
    for (int i = 0; i < MAX_TEMPORARIES; i++)
        if (!temporaries[i]) {
            temporaries[i] = tmp;
            return i;
        }
    return -1;
}

static void slot_release(ft_out *out)
{
    if (out->slot >= 0)
        temporaries[out->slot] = NULL;
    out->slot = -1;
}

void ft_io_remove_temporaries(void)
{
    for (int i = 0; i < MAX_TEMPORARIES; i++)
        if (temporaries[i])
            (void)unlink(temporaries[i]);
}

/* Opens and locks out->tmp. The lock tells a stale file (take it over) from one that another
 * process is writing (refuse); the second look at the name catches a file that its owner renamed
 * or removed between our open and our lock. */
static int lock_temporary(ft_out *out, ft_err *e)
{
    struct stat ours, named;
    for (int tries = 0; tries < 100; tries++) {
        out->fd = open_retry(out->tmp, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (out->fd < 0)
            return ft_err_sys(e, FT_ERR_CREATE, errno, "cannot create %s", out->tmp);
        if (flock(out->fd, LOCK_EX | LOCK_NB) < 0) {
            if (errno == EINTR) {
                (void)close_checked(out->fd);
                out->fd = -1;
                continue;
            }
            if (errno == EWOULDBLOCK)
                return ft_err_set(e, FT_ERR_CREATE, "another process is writing %s", out->name);
            return ft_err_sys(e, FT_ERR_CREATE, errno, "cannot lock %s", out->tmp);
        }
        if (fstat(out->fd, &ours) == 0 && S_ISREG(ours.st_mode) && stat(out->tmp, &named) == 0 &&
            ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
            out->slot = slot_take(out->tmp);
            if (ftruncate(out->fd, 0) < 0)
                return ft_err_sys(e, FT_ERR_CREATE, errno, "cannot empty %s", out->tmp);
            return 0;
        }
        (void)close_checked(out->fd);
        out->fd = -1;
    }
    return ft_err_set(e, FT_ERR_CREATE, "cannot get hold of %s", out->tmp);
}

/* A signal must not find a temporary file that is not in the handler's list yet; nor may one be
 * listed before it is known to be ours. So signals wait in between. */
static int open_temporary(ft_out *out, ft_err *e)
{
    sigset_t all, before;
    int rc;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = lock_temporary(out, e);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int open_output_fd(ft_out *out, const char *path, ft_err *e)
{
    struct stat st;
    size_t room;
    if (strcmp(path, "-") == 0) {
        int flags = fcntl(STDOUT_FILENO, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
            return ft_err_set(e, FT_ERR_IO, "standard output is closed");
        out->fd = STDOUT_FILENO;
        return 0;
    }
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return ft_err_set(e, FT_ERR_CREATE, "%s is a folder", path);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        out->fd = open_retry(path, O_WRONLY, 0);
        return out->fd < 0 ? ft_err_sys(e, FT_ERR_CREATE, errno, "cannot open %s", path) : 0;
    }
    room = strlen(path) + sizeof ".ft-tmp";
    out->tmp = ft_new(room, 1, e);
    if (!out->tmp)
        return FT_ERR_NOMEM;
    snprintf(out->tmp, room, "%s.ft-tmp", path);
    return open_temporary(out, e);
}

static int open_in_place(ft_out *out, const char *path, ft_err *e)
{
    out->fd = open_retry(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    return out->fd < 0 ? ft_err_sys(e, FT_ERR_CREATE, errno, "cannot create %s", path) : 0;
}

static int open_to_append(ft_out *out, const char *path, ft_err *e)
{
    out->fd = open_retry(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    return out->fd < 0 ? ft_err_sys(e, FT_ERR_CREATE, errno, "cannot create %s", path) : 0;
}

static int open_by(ft_out **result, const char *path,
                   int (*open_fd)(ft_out *out, const char *path, ft_err *e), ft_err *e)
{
    ft_out *out = ft_new(1, sizeof *out, e);
    int rc;
    *result = NULL;
    if (!out)
        return FT_ERR_NOMEM;
    out->fd = -1;
    out->slot = -1;
    out->name = ft_strndup(path, strlen(path), e);
    rc = out->name ? open_fd(out, path, e) : FT_ERR_NOMEM;
    if (rc < 0) {
        ft_out_abandon(&out);
        return rc;
    }
    *result = out;
    return 0;
}

int ft_out_open(ft_out **result, const char *path, ft_err *e)
{
    return open_by(result, path, open_output_fd, e);
}

int ft_out_open_log(ft_out **result, const char *path, ft_err *e)
{
    return open_by(result, path, open_in_place, e);
}

int ft_out_open_log_at(ft_out **result, const char *path, uint64_t keep, ft_err *e)
{
    int rc = open_by(result, path, open_to_append, e);
    struct stat st;
    if (rc == 0 && fstat((*result)->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        ftruncate((*result)->fd, (off_t)keep) < 0) {
        rc = ft_err_sys(e, FT_ERR_IO, errno, "cannot shorten %s", path);
        ft_out_abandon(result);
    }
    return rc;
}

int ft_out_flush(ft_out *out, ft_err *e)
{
    size_t n = out->used;
    out->used = 0;
    if (n && write_all(out->fd, out->buffer, n) < 0)
        return ft_err_sys(e, FT_ERR_IO, errno, "writing %s", out->name);
    return 0;
}

int ft_out_sync(ft_out *out, ft_err *e)
{
    int rc = ft_out_flush(out, e);
    /* EINVAL, EROFS: a pipe or a device. */
    if (rc == 0 && fsync_retry(out->fd) < 0 && errno != EINVAL && errno != EROFS)
        rc = ft_err_sys(e, FT_ERR_IO, errno, "syncing %s", out->name);
    return rc;
}

int ft_out_write(ft_out *out, const void *p, size_t n, ft_err *e)
{
    out->bytes += n;
    if (n > sizeof out->buffer - out->used) {
        int rc = ft_out_flush(out, e);
        if (rc < 0)
            return rc;
        if (n >= sizeof out->buffer)
            return write_all(out->fd, p, n) < 0
                       ? ft_err_sys(e, FT_ERR_IO, errno, "writing %s", out->name) : 0;
    }
    if (n)
        memcpy(out->buffer + out->used, p, n);
    out->used += n;
    return 0;
}

uint64_t ft_out_bytes(const ft_out *out)
{
    return out->bytes;
}

int ft_out_is_tty(const ft_out *out)
{
    return isatty(out->fd);
}

int ft_out_is_file(const ft_out *out)
{
    return out->tmp != NULL;
}

const char *ft_out_path(const ft_out *out)
{
    return out->tmp;
}

int ft_io_sync_folder_of(const char *path, ft_err *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? ft_strndup(path, (size_t)(slash - path) + (slash == path), e)
                         : ft_strndup(".", 1, e);
    int fd, rc = 0;
    if (!folder)
        return FT_ERR_NOMEM;
    fd = open_retry(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        rc = ft_err_sys(e, FT_ERR_IO, errno, "cannot open the folder %s", folder);
    /* EINVAL: a file system that cannot sync a folder has nothing to sync. */
    else if (fsync_retry(fd) < 0 && errno != EINVAL)
        rc = ft_err_sys(e, FT_ERR_IO, errno, "syncing the folder %s", folder);
    if (fd >= 0 && close_checked(fd) < 0 && rc == 0)
        rc = ft_err_sys(e, FT_ERR_IO, errno, "closing the folder %s", folder);
    ft_free(folder);
    return rc;
}

static int publish(ft_out *out, ft_err *e)
{
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(out->fd, 0666 & ~mask) < 0)
        return ft_err_sys(e, FT_ERR_IO, errno, "setting the mode of %s", out->tmp);
    if (fsync_retry(out->fd) < 0)
        return ft_err_sys(e, FT_ERR_IO, errno, "syncing %s", out->tmp);
    if (rename(out->tmp, out->name) < 0)
        return ft_err_sys(e, FT_ERR_IO, errno, "renaming %s to %s", out->tmp, out->name);
    slot_release(out);
    ft_free(out->tmp);
    out->tmp = NULL;
    return ft_io_sync_folder_of(out->name, e);   /* makes the rename itself durable */
}

int ft_out_commit(ft_out **result, ft_err *e)
{
    ft_out *out = *result;
    int rc = ft_out_flush(out, e);
    if (rc == 0 && out->tmp)
        rc = publish(out, e);
    if (rc == 0 && out->fd >= 0) {
        if (close_checked(out->fd) < 0)
            rc = ft_err_sys(e, FT_ERR_IO, errno, "closing %s", out->name);
        out->fd = -1;
    }
    ft_out_abandon(result);
    return rc;
}

void ft_out_abandon(ft_out **result)
{
    ft_out *out = *result;
    if (!out)
        return;
    /* Only a file that we hold the lock of is ours to remove. */
    if (out->tmp && out->slot >= 0)
        (void)unlink(out->tmp);
    slot_release(out);
    if (out->fd > STDERR_FILENO)
        (void)close_checked(out->fd);
    ft_free(out->tmp);
    ft_free(out->name);
    ft_free(out);
    *result = NULL;
}

/* ---- spool ---- */

struct ft_spool {
    int fd;
    uint64_t bytes, at;    /* length; position of the next sequential read */
    size_t used;
    uint8_t buffer[OUT_BUFFER_BYTES];
};

static int open_unnamed(ft_err *e)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    int fd;
    if (!dir || !*dir)
        dir = "/tmp";
    fd = open_retry(dir, O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return ft_err_sys(e, FT_ERR_CREATE, errno, "cannot create a spool in %s", dir);
    if ((size_t)snprintf(path, sizeof path, "%s/ft-XXXXXX", dir) >= sizeof path)
        return ft_err_set(e, FT_ERR_CREATE, "TMPDIR is too long");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return ft_err_sys(e, FT_ERR_CREATE, errno, "cannot create a spool in %s", dir);
    (void)unlink(path);
    return fd;
}

int ft_spool_new(ft_spool **out, ft_err *e)
{
    ft_spool *s = ft_new(1, sizeof *s, e);
    *out = NULL;
    if (!s)
        return FT_ERR_NOMEM;
    s->fd = open_unnamed(e);
    if (s->fd < 0) {
        int rc = s->fd;
        ft_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

static int spool_flush(ft_spool *s, ft_err *e)
{
    size_t n = s->used;
    s->used = 0;
    if (n && write_all(s->fd, s->buffer, n) < 0)
        return ft_err_sys(e, FT_ERR_IO, errno, "writing a spool file (TMPDIR says where)");
    return 0;
}

int ft_spool_write(ft_spool *s, const void *p, size_t n, ft_err *e)
{
    s->bytes += n;
    if (n > sizeof s->buffer - s->used) {
        int rc = spool_flush(s, e);
        if (rc < 0)
            return rc;
        if (n >= sizeof s->buffer)
            return write_all(s->fd, p, n) < 0
                       ? ft_err_sys(e, FT_ERR_IO, errno, "writing a spool file") : 0;
    }
    if (n)
        memcpy(s->buffer + s->used, p, n);
    s->used += n;
    return 0;
}

int ft_spool_rewind(ft_spool *s, ft_err *e)
{
    s->at = 0;
    return spool_flush(s, e);
}

int ft_spool_read(ft_spool *s, void *p, size_t n, size_t *got, ft_err *e)
{
    uint64_t left = s->bytes - s->at;
    size_t want = n < left ? n : (size_t)left;
    int rc = ft_spool_read_at(s, s->at, p, want, e);
    if (rc < 0)
        return rc;
    s->at += want;
    *got = want;
    return 0;
}

int ft_spool_read_at(ft_spool *s, uint64_t offset, void *p, size_t n, ft_err *e)
{
    uint8_t *to = p;
    while (n > 0) {
        ssize_t got = pread(s->fd, to, n, (off_t)offset);
        if (got > 0) {
            to += got;
            n -= (size_t)got;
            offset += (uint64_t)got;
        } else if (got == 0) {
            return ft_err_set(e, FT_ERR_IO, "a spool file is shorter than what was written to it");
        } else if (errno != EINTR) {
            return ft_err_sys(e, FT_ERR_IO, errno, "reading a spool file");
        }
    }
    return 0;
}

uint64_t ft_spool_bytes(const ft_spool *s)
{
    return s->bytes;
}

void ft_spool_free(ft_spool **s)
{
    if (!*s)
        return;
    (void)close_checked((*s)->fd);
    ft_free(*s);
    *s = NULL;
}

/* ---- mapped files ---- */

int ft_map_open(ft_map *m, const char *path, ft_err *e)
{
    struct stat st;
    void *p = NULL;
    int rc = 0, fd = open_retry(path, O_RDONLY, 0);
    *m = (ft_map){NULL, 0};
    if (fd < 0)
        return ft_err_sys(e, FT_ERR_NOINPUT, errno, "cannot open %s", path);
    if (fstat(fd, &st) < 0)
        rc = ft_err_sys(e, FT_ERR_NOINPUT, errno, "cannot examine %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = ft_err_set(e, FT_ERR_NOINPUT, "%s is not a regular file", path);
    else if (st.st_size > 0) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            rc = ft_err_sys(e, FT_ERR_IO, errno, "cannot map %s", path);
        else
            *m = (ft_map){p, (size_t)st.st_size};
    }
    (void)close_checked(fd);
    return rc;
}

/* Advice on the whole pages within n bytes at p. */
static void advise(const ft_map *m, const void *p, size_t n, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)m->p;
    uintptr_t from = (uintptr_t)p, end = from + n;
    if (from < start || end > start + m->n)
        return;
    from = (from + page - 1) / page * page;
    end = end / page * page;
    if (from < end)
        (void)madvise((void *)from, end - from, advice);
}

void ft_map_forget(const ft_map *m, const void *p, size_t n)
{
    advise(m, p, n, MADV_DONTNEED);
}

void ft_map_want(const ft_map *m, const void *p, size_t n)
{
    advise(m, p, n, MADV_WILLNEED);
}

void ft_map_close(ft_map *m)
{
    if (m->n)
        (void)munmap((void *)(uintptr_t)m->p, m->n);
    *m = (ft_map){NULL, 0};
}
