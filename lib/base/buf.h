/* buf.h: a growing byte buffer to write to, and a bounded reader over bytes that came from outside.
 *
 * The writer ft_buf and the reader ft_rd both keep their error sticky: do a run of operations,
 * then ask once. A failed ft_buf holds what fitted; a failed ft_rd returns zeros, so parsers need
 * no pointer arithmetic and no check after each field.
 *
 *     ft_rd r = ft_rd_of(p, n);
 *     uint32_t version = ft_rd_u32(&r);
 *     const uint8_t *name = ft_rd_bytes(&r, ft_rd_u64(&r));
 *     if (r.failed) return ft_err_set(e, FT_ERR_DATA, "header ends at byte %zu", ft_rd_at(&r));
 */
#ifndef FT_BUF_H
#define FT_BUF_H

#include "base/err.h"

#include <stdint.h>

typedef struct ft_slice {  /* bytes that somebody else owns */
    const uint8_t *p;
    size_t n;
} ft_slice;

typedef struct ft_buf {    /* all zero is a valid empty buffer */
    uint8_t *p;
    size_t n, cap;         /* bytes used, bytes allocated */
    int failed;            /* an allocation failed: contents are incomplete */
} ft_buf;

/* Appends n bytes. On failure sets b->failed and appends nothing. */
void ft_buf_add(ft_buf *b, const void *p, size_t n);
void ft_buf_add_str(ft_buf *b, const char *s);
void ft_buf_add_fmt(ft_buf *b, const char *fmt, ...) FT_PRINTF(2, 3);
void ft_buf_add_byte(ft_buf *b, uint8_t c);
void ft_buf_add_u32(ft_buf *b, uint32_t v);   /* little-endian */
void ft_buf_add_u64(ft_buf *b, uint64_t v);

/* Makes room for n more bytes and returns where they begin (b->n is not moved), or NULL with
 * b->failed set. */
uint8_t *ft_buf_room(ft_buf *b, size_t n);

/* Returns: 0, or FT_ERR_NOMEM with e set when any append failed. */
int ft_buf_check(const ft_buf *b, ft_err *e) FT_MUST_CHECK;

void ft_buf_clear(ft_buf *b);   /* keeps the memory */
void ft_buf_free(ft_buf *b);    /* back to all zero */

typedef struct ft_rd {
    const uint8_t *start, *p, *end;
    int failed;
} ft_rd;

ft_rd ft_rd_of(const void *p, size_t n);
uint8_t ft_rd_u8(ft_rd *r);
uint16_t ft_rd_u16(ft_rd *r);   /* all little-endian */
uint32_t ft_rd_u32(ft_rd *r);
uint64_t ft_rd_u64(ft_rd *r);

/* Returns: a pointer to the next n bytes and steps over them, or NULL (and failed) when fewer
 * remain. */
const uint8_t *ft_rd_bytes(ft_rd *r, uint64_t n);

size_t ft_rd_left(const ft_rd *r);  /* bytes not yet read */
size_t ft_rd_at(const ft_rd *r);    /* offset of the next byte from the start */

#endif
