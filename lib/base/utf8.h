/* utf8.h: is this text valid UTF-8 (RFC 3629)? And what to do when it is not. */
#ifndef FT_UTF8_H
#define FT_UTF8_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Returns: the bytes (1..4) of the valid character at p, 0 when there is none: overlong forms,
 * surrogates, values over 10ffff and cut characters are not valid. n > 0. */
static inline size_t ft_utf8_length(const uint8_t *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

/* Returns: the offset of the first byte that is not valid UTF-8, n when all is. */
size_t ft_utf8_check(const uint8_t *p, size_t n);

/* Appends the text with U+FFFD for each longest run of bytes that begins a character but is none
 * (what the Unicode standard recommends, and Python's "replace" does). Returns: how many. */
size_t ft_utf8_repair(const uint8_t *p, size_t n, ft_buf *out);

#endif
