/* compressed.h: how far a set of texts can be compressed: what repeats takes no room. Bytes / bytes
 * compressed is nearly uncorrelated with other measures of diversity and costs nothing (Shaib et
 * al., "Standardizing the Measurement of Text Diversity", arXiv:2403.00553; they use gzip).
 *
 * Here: zstd, level 3, window 2^27 with long-distance matching off, one frame over the texts, a
 * newline
 * behind each; in the order in which they came, and sorted by bytes, which puts what begins alike
 * side by side.
 *
 *     ft_compressed_add(c, text, n, e) …  ft_compressed_sum(c, &s, e)
 *
 * Texts are kept in memory up to a bound; from the first one on that does not fit, texts are
 * not looked at (both orders are of the same texts; s.whole says so). The figures depend on the
 * version of zstd, a
 * little. Memory: bytes_max, and a window of as much.
 */
#ifndef FT_COMPRESSED_H
#define FT_COMPRESSED_H

#include "base/buf.h"

typedef struct ft_compressed ft_compressed;

typedef struct ft_compressed_summary {
    uint64_t texts, bytes;       /* looked at, with a newline for each */
    uint64_t in_order, sorted;   /* bytes compressed                   */
    int whole;                   /* all texts were looked at           */
} ft_compressed_summary;

/* Owns: the caller, ft_compressed_free (accepts NULL, sets NULL). */
int ft_compressed_new(ft_compressed **c, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;
void ft_compressed_free(ft_compressed **c);
int ft_compressed_add(ft_compressed *c, ft_slice text, ft_err *e) FT_MUST_CHECK;

/* Errors: FT_ERR_NOMEM, FT_ERR_INTERNAL. */
int ft_compressed_sum(ft_compressed *c, ft_compressed_summary *s, ft_err *e) FT_MUST_CHECK;

#endif
