/* unicode_internal.h: the two questions about characters that this module asks everywhere. */
#ifndef FT_UNICODE_INTERNAL_H
#define FT_UNICODE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* The property White_Space (PropList.txt; unchanged since Unicode 6.3). */
static inline int ft_is_white_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Decodes one well-formed sequence of two to four bytes out of n > 0 (Unicode 15.0, table 3-7).
 * Returns: its length, or 0 when none begins here. */
static inline size_t ft_utf8_wide(const uint8_t *p, size_t n, uint32_t *c)
{
    size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    uint32_t v;
    if (len == 0 || n < len)
        return 0;
    v = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    if ((len == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) ||
        (len == 4 && (v < 0x10000 || v > 0x10ffff)))
        return 0;
    *c = v;
    return len;
}

#endif
