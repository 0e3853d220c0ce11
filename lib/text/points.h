/* points.h: a text as code points, with the questions that metrics ask of them. Metrics are
 * compared with numbers that Python programs publish, so white space and lower case are those of
 * Python's str (isspace and lower of Python 3.11), which differ from Unicode's property White_Space
 * by U+001C..U+001F.
 *
 *     ft_points t = {0};
 *     if (ft_points_set(&t, p, n, e) < 0 || ft_points_lower(&t, e) < 0) …
 *     for (size_t i = 0; i < t.n; i++) if (ft_point_class(t.c[i]) & FT_POINT_LETTER) …
 *
 * It does not normalise (text/normal.h does) and finds no grapheme clusters.
 */
#ifndef FT_POINTS_H
#define FT_POINTS_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_points {     /* all zero is a valid empty text */
    uint32_t *c;
    size_t n, cap;
} ft_points;

/* A byte that is no part of valid UTF-8 becomes this plus the byte: a point of no class. */
#define FT_POINT_INVALID 0x200000u

/* Replaces t by the code points of n bytes. Errors: FT_ERR_NOMEM. */
int ft_points_set(ft_points *t, const void *text, size_t n, ft_err *e) FT_MUST_CHECK;

/* Lower case as Python's str.lower: simple mappings, U+0130 to two points, and capital sigma by
 * its place (The Unicode Standard, table 3-17, Final_Sigma). */
int ft_points_lower(ft_points *t, ft_err *e) FT_MUST_CHECK;

/* Appends one point as UTF-8 (an invalid byte as that byte). */
void ft_point_put(ft_buf *b, uint32_t c);

/* Appends the lower case of n bytes. Errors: FT_ERR_NOMEM. */
int ft_lower(const void *text, size_t n, ft_points *scratch, ft_buf *out, ft_err *e) FT_MUST_CHECK;

void ft_points_free(ft_points *t);   /* back to all zero */

/* General categories L*, M*, N*, P*, S*; space: str.isspace. */
enum { FT_POINT_LETTER = 1, FT_POINT_MARK = 2, FT_POINT_NUMBER = 4, FT_POINT_PUNCTUATION = 8,
       FT_POINT_SYMBOL = 16, FT_POINT_SPACE = 32 };
unsigned ft_point_class(uint32_t c);

/* Whether str.isspace holds. */
static inline int ft_point_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == 0x20 || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Returns: the bytes of the space at p (of n), or 0 when there is none. */
static inline size_t ft_space_at(const uint8_t *p, size_t n)
{
    uint32_t c;
    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return (size_t)ft_point_is_space(p[0]);
    if (p[0] == 0xc2 && n >= 2)
        return p[1] == 0x85 || p[1] == 0xa0 ? 2 : 0;
    if (n < 3 || p[0] < 0xe1 || p[0] > 0xe3)
        return 0;
    if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
        return 0;
    c = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    return ft_point_is_space(c) ? 3 : 0;
}

/* Returns: n without the white space at the end. */
size_t ft_rstrip(const uint8_t *p, size_t n);

/* Gives the next run of bytes that is no white space, from *at on. Returns: whether there is
 * one. */
int ft_next_word(const uint8_t *p, size_t n, size_t *at, ft_slice *word);

#endif
