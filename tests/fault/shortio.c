/* shortio.so: an LD_PRELOAD library that makes reads and writes short, as pipes and signals may.
 *
 *   FT_SHORT=N        at most N bytes a call
 *   FT_SHORT=random   at most 1..5000 bytes, another number each call
 *   FT_SHORT_EAGAIN=1 every second call on a pipe fails with EAGAIN, as on a non-blocking one
 *
 * Programs built with FORTIFY read by the checked entry points, so these are caught as well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ssize_t read_fn(int, void *, size_t);
typedef ssize_t write_fn(int, const void *, size_t);
typedef ssize_t pread_fn(int, void *, size_t, off64_t);
typedef ssize_t pwrite_fn(int, const void *, size_t, off64_t);

static atomic_uint calls;

static void *next(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);
    if (!p)
        abort();
    return p;
}

static size_t shorten(size_t n)
{
    const char *mode = getenv("FT_SHORT");
    unsigned call = atomic_fetch_add(&calls, 1);
    size_t most = n;
    if (mode && strcmp(mode, "random") == 0)
        most = 1 + (call * 2654435761U >> 16) % 5000;
    else if (mode)
        most = strtoul(mode, NULL, 10);
    return most && most < n ? most : n;
}

static int again(int fd)
{
    struct stat st;
    if (!getenv("FT_SHORT_EAGAIN") || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
        return 0;
    if (atomic_fetch_add(&calls, 1) % 2)
        return 0;
    errno = EAGAIN;
    return 1;
}

ssize_t read(int fd, void *p, size_t n)
{
    read_fn *real;
    void *f = next("read");
    memcpy(&real, &f, sizeof real);
    return again(fd) ? -1 : real(fd, p, shorten(n));
}

ssize_t write(int fd, const void *p, size_t n)
{
    write_fn *real;
    void *f = next("write");
    memcpy(&real, &f, sizeof real);
    return again(fd) ? -1 : real(fd, p, shorten(n));
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
    pread_fn *real;
    void *f = next("pread64");
    memcpy(&real, &f, sizeof real);
    return real(fd, p, shorten(n), at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    pwrite_fn *real;
    void *f = next("pwrite64");
    memcpy(&real, &f, sizeof real);
    return real(fd, p, shorten(n), at);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    return pread64(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *p, size_t n, off64_t at, size_t room);

ssize_t __read_chk(int fd, void *p, size_t n, size_t room)
{
    if (n > room)
        abort();
    return read(fd, p, n);
}

ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
    if (n > room)
        abort();
    return pread64(fd, p, n, at);
}

ssize_t __pread64_chk(int fd, void *p, size_t n, off64_t at, size_t room)
{
    if (n > room)
        abort();
    return pread64(fd, p, n, at);
}
