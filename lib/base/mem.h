/* mem.h: allocation that reports, and the arena.
 *
 * All of libft allocates here, so that sizes from files pass one checked multiplication and a
 * test can make each allocation fail. Long-lived objects use ft_new/ft_free; what lives for one
 * record or one step uses an arena that the loop resets.
 *
 *     ft_arena *a = NULL;
 *     if (ft_arena_new(&a, 1 << 20, e) < 0) return e->code;
 *     while (next record) { char *s = ft_arena_alloc(a, n, e); …; ft_arena_reset(a); }
 *     ft_arena_free(&a);
 */
#ifndef FT_MEM_H
#define FT_MEM_H

#include "base/err.h"

#include <stddef.h>

/* Returns: count * size bytes of zeroed memory, or NULL with e set (FT_ERR_NOMEM; also when the
 * product overflows). A zero size gives a valid, freeable pointer. Owns: the caller, ft_free. */
void *ft_new(size_t count, size_t size, ft_err *e) FT_MUST_CHECK;

/* As ft_new, not zeroed and aligned to 64 bytes (kernels and BLAS). */
void *ft_new_aligned(size_t count, size_t size, ft_err *e) FT_MUST_CHECK;

/* Grows *p to hold at least `need` elements of `size` bytes, doubling *cap (in elements).
 * Returns: 0 or FT_ERR_NOMEM, then *p and *cap are as before. */
int ft_grow(void *p, size_t *cap, size_t need, size_t size, ft_err *e) FT_MUST_CHECK;

/* Returns: a copy of n bytes with a NUL behind it, or NULL with e set. Owns: the caller. */
char *ft_strndup(const char *s, size_t n, ft_err *e) FT_MUST_CHECK;

void ft_free(void *p);

typedef struct ft_arena ft_arena;

/* Makes an arena whose blocks have at least block_bytes. Owns: the caller, ft_arena_free. */
int ft_arena_new(ft_arena **a, size_t block_bytes, ft_err *e) FT_MUST_CHECK;

/* Returns: n bytes, 16-byte aligned, not zeroed, valid until ft_arena_reset; NULL with e set. */
void *ft_arena_alloc(ft_arena *a, size_t n, ft_err *e) FT_MUST_CHECK;

/* Takes all allocations back and keeps the largest block for the next round. */
void ft_arena_reset(ft_arena *a);

/* Frees the arena and sets *a to NULL. */
void ft_arena_free(ft_arena **a);

#endif
