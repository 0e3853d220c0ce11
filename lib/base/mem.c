#define _DEFAULT_SOURCE
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *ft_new(size_t count, size_t size, ft_err *e)
{
    size_t bytes;
    void *p;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        ft_err_nomem(e, SIZE_MAX);
        return NULL;
    }
    p = calloc(bytes ? bytes : 1, 1);
    if (!p)
        ft_err_nomem(e, bytes);
    return p;
}

enum { HUGE_PAGE = 2 << 20, LARGE = 16 << 20 };

void *ft_new_aligned(size_t count, size_t size, ft_err *e)
{
    size_t bytes, padded;
    void *p = NULL;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)63, &padded)) {
        ft_err_nomem(e, SIZE_MAX);
        return NULL;
    }
    padded &= ~(size_t)63;
    if (padded >= LARGE)
        padded = (padded + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    p = aligned_alloc(padded >= LARGE ? HUGE_PAGE : 64, padded ? padded : 64);
    if (!p)
        ft_err_nomem(e, bytes);
    else if (padded >= LARGE)
        (void)madvise(p, padded, MADV_HUGEPAGE);    /* fewer misses of the page tables' cache */
    return p;
}

int ft_grow(void *p, size_t *cap, size_t need, size_t size, ft_err *e)
{
    void *old, *fresh;
    size_t n = *cap ? *cap : 16, bytes;
    if (need <= *cap)
        return 0;
    while (n < need)
        if (__builtin_mul_overflow(n, (size_t)2, &n))
            return ft_err_nomem(e, SIZE_MAX);
    if (__builtin_mul_overflow(n, size, &bytes))
        return ft_err_nomem(e, SIZE_MAX);
    memcpy(&old, p, sizeof old);
    fresh = realloc(old, bytes);
    if (!fresh)
        return ft_err_nomem(e, bytes);
    memcpy(p, &fresh, sizeof fresh);
    *cap = n;
    return 0;
}

char *ft_strndup(const char *s, size_t n, ft_err *e)
{
    char *p;
    if (n == SIZE_MAX) {
        ft_err_nomem(e, n);
        return NULL;
    }
    p = malloc(n + 1);
    if (!p) {
        ft_err_nomem(e, n + 1);
        return NULL;
    }
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

void ft_free(void *p)
{
    free(p);
}

/* An arena is a list of blocks, newest first; allocation bumps `used` of the newest. */
struct block {
    struct block *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

struct ft_arena {
    struct block *top;
    size_t block_bytes;
};

static struct block *block_new(size_t size, ft_err *e)
{
    struct block *b;
    size_t bytes;
    if (__builtin_add_overflow(size, sizeof *b, &bytes)) {
        ft_err_nomem(e, SIZE_MAX);
        return NULL;
    }
    b = malloc(bytes);
    if (!b) {
        ft_err_nomem(e, bytes);
        return NULL;
    }
    b->next = NULL;
    b->size = size;
    b->used = 0;
    return b;
}

int ft_arena_new(ft_arena **out, size_t block_bytes, ft_err *e)
{
    ft_arena *a = ft_new(1, sizeof *a, e);
    *out = NULL;
    if (!a)
        return e ? e->code : FT_ERR_NOMEM;
    a->block_bytes = block_bytes;
    *out = a;
    return 0;
}

void *ft_arena_alloc(ft_arena *a, size_t n, ft_err *e)
{
    size_t want;
    void *p;
    if (__builtin_add_overflow(n, (size_t)15, &want)) {
        ft_err_nomem(e, n);
        return NULL;
    }
    want &= ~(size_t)15;
    if (!a->top || a->top->size - a->top->used < want) {
        struct block *b = block_new(want > a->block_bytes ? want : a->block_bytes, e);
        if (!b)
            return NULL;
        b->next = a->top;
        a->top = b;
    }
    p = a->top->data + a->top->used;
    a->top->used += want;
    return p;
}

void ft_arena_reset(ft_arena *a)
{
    struct block *keep = NULL, *b = a->top, *next;
    for (; b; b = next) {
        next = b->next;
        if (!keep || b->size > keep->size) {
            free(keep);
            keep = b;
        } else {
            free(b);
        }
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->top = keep;
}

void ft_arena_free(ft_arena **a)
{
    if (!*a)
        return;
    ft_arena_reset(*a);
    free((*a)->top);
    free(*a);
    *a = NULL;
}
