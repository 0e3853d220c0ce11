/* ngrams.h: what is counted in a text: words, pairs of words, and runs of 4 characters, each
 * as one of 2^20 buckets, words (and pairs) apart from characters.
 *
 *     ft_ngrams_make(&g, text.p, text.n, &packed, e);       // bytes to keep
 *     ft_ngram_iter it = ft_ngrams_of(packed);
 *     while (ft_ngrams_next(&it, &bucket, &count)) …
 *
 * Words are those of plain_words.h, in the canonical form of the text; a pair is two words on
 * end with a space between, the bucket being XXH3-64 of its bytes with seed 1. A run is 4
 * characters of the canonical form; XXH3-64 with seed 2. Only the first FT_NGRAM_TEXT_MAX bytes of
 * a canonical form are looked at.
 *
 * Packed: (bucket distance, count) as LEB128 pairs, buckets ascending: about 2.5 bytes an n-gram.
 */
#ifndef FT_NGRAMS_H
#define FT_NGRAMS_H

#include "base/buf.h"

#define FT_NGRAM_BUCKETS (1u << 20)          /* of words; as many follow for characters */
#define FT_NGRAM_COLUMNS (1u << 21)
#define FT_NGRAM_TEXT_MAX ((size_t)1 << 16)

typedef struct ft_ngrams {      /* scratch for one thread; all zero is valid */
    ft_buf canonical, pair, keys, sorted;
} ft_ngrams;

/* Appends the packed n-grams of a text to out. Errors: FT_ERR_NOMEM. */
int ft_ngrams_make(ft_ngrams *g, const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;
void ft_ngrams_free(ft_ngrams *g);

typedef struct ft_ngram_iter {
    ft_slice left;
    uint32_t bucket;
} ft_ngram_iter;

/* Appends one packed n-gram: the distance of its bucket from the one before (or
 * from 0), its count. */
void ft_ngrams_put(ft_buf *b, uint32_t step, uint32_t count);

/* Walks packed n-grams; buckets below FT_NGRAM_BUCKETS are of words. */
ft_ngram_iter ft_ngrams_of(ft_slice packed);
int ft_ngrams_next(ft_ngram_iter *it, uint32_t *bucket, uint32_t *count);

#endif
