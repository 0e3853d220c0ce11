/* oom.so: an LD_PRELOAD library that makes allocations fail.
 *
 *   FT_OOM_AT=N      the N-th allocation after main began returns NULL (0 or unset: none)
 *   FT_OOM_ALL=1     and all later ones too
 *   FT_OOM_COUNT=F   writes the number of allocations into file F at exit
 *
 * What runs before main (the loader, the constructors of libraries) is let through, and so is what
 * OpenBLAS and its Fortran library ask for themselves, at any time: they end the process, or go on
 * with a null pointer. It is not ours to mend. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int in_main;
static atomic_ulong calls;
static unsigned long fail_at;
static int fail_all;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

/* Whether the code at this address is in a library that does not bear out of memory. */
static int is_foreign(const void *code)
{
    Dl_info where;
    return dladdr(code, &where) && where.dli_fname &&
           (strstr(where.dli_fname, "/libopenblas") || strstr(where.dli_fname, "/libgfortran"));
}

static int fails(const void *caller)
{
    unsigned long n;
    if (!atomic_load(&in_main))
        return 0;
    n = atomic_fetch_add(&calls, 1) + 1;
    if (fail_at && (n == fail_at || (fail_all && n > fail_at)) && !is_foreign(caller)) {
        errno = ENOMEM;
        return 1;
    }
    return 0;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, n);
}

void *memalign(size_t alignment, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    void *fresh = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, n);
    if (!fresh)
        return ENOMEM;
    *p = fresh;
    return 0;
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("FT_OOM_COUNT");
    char text[24];
    int n, fd;
    if (!path)
        return;
    atomic_store(&in_main, 0);
    n = snprintf(text, sizeof text, "%lu\n", atomic_load(&calls));
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(99);
    close(fd);
}

static int (*real_main)(int, char **, char **);

static int counted_main(int argc, char **argv, char **envp)
{
    const char *at = getenv("FT_OOM_AT"), *all = getenv("FT_OOM_ALL");
    fail_at = at ? strtoul(at, NULL, 10) : 0;
    fail_all = all && *all == '1';
    atomic_store(&in_main, 1);
    return real_main(argc, argv, envp);
}

typedef int start_fn(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                     void (*)(void), void *);

int __libc_start_main(int (*main_fn)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*ld_fini)(void), void *stack);

int __libc_start_main(int (*main_fn)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*ld_fini)(void), void *stack)
{
    start_fn *start;
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&start, &symbol, sizeof start);
    real_main = main_fn;
    return start(counted_main, argc, argv, init, fini, ld_fini, stack);
}
