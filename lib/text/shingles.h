/* shingles.h: a text as a set of hashes of its overlapping pieces, by which two texts are compared:
 * the Jaccard index of two sets is the share of their pieces that both have (Broder 1997).
 *
 * A piece is `words` words in a row, from the first byte of the first to the last byte of the last;
 * words are what stands between spaces or bytes 0xff of a canonical text (text/normal.h, the
 * separator of ft_example_part). A text with fewer words has itself as one piece, and each
 * four of its characters in a row, so that short texts are compared too. A text without any word
 * has no piece: it equals nothing. Hashes are XXH3-64, with 0 replaced by 1.
 *
 *     ft_shingles s = {0};
 *     if (ft_shingles_of(&s, text, n, 5, e) < 0) …          // s.h[0 .. s.n), no two equal
 *     ft_shingles_index(&s, e) …  common = ft_shingles_common(&s, h, n);
 */
#ifndef FT_SHINGLES_H
#define FT_SHINGLES_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_SHINGLE_WORDS_MAX 64

typedef struct ft_shingles {   /* all zero is a valid empty set */
    uint64_t *h;               /* in the order of the text */
    size_t n, cap;
    uint64_t *table;           /* the same by their low bits; 0: free */
    size_t slots, table_cap;   /* a power of two; allocated */
} ft_shingles;

/* Replaces s by the set of n bytes of canonical text. words in 1..FT_SHINGLE_WORDS_MAX. */
int ft_shingles_of(ft_shingles *s, const void *text, size_t n, size_t words,
                   ft_err *e) FT_MUST_CHECK;

/* Makes room for n hashes, to be written to s->h by the caller, who sets s->n. */
int ft_shingles_room(ft_shingles *s, size_t n, ft_err *e) FT_MUST_CHECK;

/* Prepares s for ft_shingles_common; s->h holds no hash twice, and no 0. */
int ft_shingles_index(ft_shingles *s, ft_err *e) FT_MUST_CHECK;

/* Returns: how many of n different hashes are in s. Threads: any. */
size_t ft_shingles_common(const ft_shingles *s, const uint64_t *h, size_t n);

void ft_shingles_free(ft_shingles *s);   /* back to all zero */

#endif
