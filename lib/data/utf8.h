/* utf8.h: is this text valid UTF-8 (RFC 3629)? */
#ifndef FT_UTF8_H
#define FT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Returns: the bytes (1..4) of the valid character at p, 0 when there is none: overlong forms,
 * surrogates, values over 10ffff and cut characters are not valid. n > 0. */
size_t ft_utf8_length(const uint8_t *p, size_t n);

/* Returns: the offset of the first byte that is not valid UTF-8, n when all is. */
size_t ft_utf8_check(const uint8_t *p, size_t n);

#endif
