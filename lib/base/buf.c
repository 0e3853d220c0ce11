#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint8_t *ft_buf_room(ft_buf *b, size_t n)
{
    size_t need;
    if (b->failed || __builtin_add_overflow(b->n, n, &need) ||
        ft_grow(&b->p, &b->cap, need ? need : 1, 1, NULL) < 0) {
        b->failed = 1;
        return NULL;
    }
    return b->p + b->n;
}

void ft_buf_add(ft_buf *b, const void *p, size_t n)
{
    uint8_t *to = ft_buf_room(b, n);
    if (!to)
        return;
    if (n)
        memcpy(to, p, n);
    b->n += n;
}

void ft_buf_add_str(ft_buf *b, const char *s)
{
    ft_buf_add(b, s, strlen(s));
}

void ft_buf_add_fmt(ft_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;
    uint8_t *to;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    to = n < 0 ? NULL : ft_buf_room(b, (size_t)n + 1);
    if (to) {
        vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    } else {
        b->failed = 1;
    }
    va_end(again);
}

void ft_buf_add_byte(ft_buf *b, uint8_t c)
{
    ft_buf_add(b, &c, 1);
}

void ft_buf_add_u32(ft_buf *b, uint32_t v)
{
    uint8_t a[4];
    for (size_t i = 0; i < 4; i++)
        a[i] = (uint8_t)(v >> (8 * i));
    ft_buf_add(b, a, 4);
}

void ft_buf_add_u64(ft_buf *b, uint64_t v)
{
    ft_buf_add_u32(b, (uint32_t)v);
    ft_buf_add_u32(b, (uint32_t)(v >> 32));
}

int ft_buf_check(const ft_buf *b, ft_err *e)
{
    return b->failed ? ft_err_nomem(e, b->cap * 2) : 0;
}

void ft_buf_clear(ft_buf *b)
{
    b->n = 0;
    b->failed = 0;
}

void ft_buf_free(ft_buf *b)
{
    ft_free(b->p);
    memset(b, 0, sizeof *b);
}

ft_rd ft_rd_of(const void *p, size_t n)
{
    ft_rd r = {p, p, NULL, 0};
    r.end = n ? r.p + n : r.p;
    return r;
}

const uint8_t *ft_rd_bytes(ft_rd *r, uint64_t n)
{
    const uint8_t *p = r->p;
    if (r->failed || n > (uint64_t)(r->end - r->p)) {
        r->failed = 1;
        return NULL;
    }
    if (n)
        r->p += n;
    return p;
}

static uint64_t read_le(ft_rd *r, size_t n)
{
    const uint8_t *p = ft_rd_bytes(r, n);
    uint64_t v = 0;
    if (!p)
        return 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

uint8_t ft_rd_u8(ft_rd *r)
{
    return (uint8_t)read_le(r, 1);
}

uint16_t ft_rd_u16(ft_rd *r)
{
    return (uint16_t)read_le(r, 2);
}

uint32_t ft_rd_u32(ft_rd *r)
{
    return (uint32_t)read_le(r, 4);
}

uint64_t ft_rd_u64(ft_rd *r)
{
    return read_le(r, 8);
}

size_t ft_rd_left(const ft_rd *r)
{
    return (size_t)(r->end - r->p);
}

size_t ft_rd_at(const ft_rd *r)
{
    return (size_t)(r->p - r->start);
}
