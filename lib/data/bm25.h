/* bm25.h: which of many texts is nearest to a question, by the words they share: rare words count
 * more, repeated ones less and less, long texts not more than short ones.
 *
 *     ft_bm25_new(&b, bytes_max, e);
 *     for each text: ft_bm25_add(b, words, n, e);          // numbered 0, 1, 2, …
 *     ft_bm25_end(b, e);
 *     n = ft_bm25_nearest(b, words, n_words, scores, 4, best);
 *
 * Words are digests (text/word_list.h makes them). Score of text d for question q (Robertson and
 * Zaragoza 2009, eq. 3.15, with k1 = 1.2, b = 0.75):
 *
 *     sum over words w of q: idf(w) tf (k1 + 1) / (tf + k1 (1 - b + b |d| / mean |d|))
 *     idf(w) = ln(1 + (N - df + 1/2) / (df + 1/2))
 *
 * It knows no stems and no meanings. Memory: 16 bytes for each different word of each text, and as
 * much again for the time of ft_bm25_end.
 */
#ifndef FT_BM25_H
#define FT_BM25_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_bm25 ft_bm25;

/* bytes_max: what the index may take; 0: no bound. Owns: the caller. */
int ft_bm25_new(ft_bm25 **b, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;
void ft_bm25_free(ft_bm25 **b);                     /* accepts NULL, sets NULL */

/* Adds the next text. words: digests in any order, sorted here. Errors: FT_ERR_NOMEM, with the
 * numbers when the bound would be passed. */
int ft_bm25_add(ft_bm25 *b, uint64_t *words, size_t n, ft_err *e) FT_MUST_CHECK;

/* Makes the index of all texts; once, before the first question. */
int ft_bm25_end(ft_bm25 *b, ft_err *e) FT_MUST_CHECK;

size_t ft_bm25_count(const ft_bm25 *b);             /* texts */

/* The at most k <= FT_BM25_MOST texts with the highest scores above 0, best first, of equal ones
 * the first. words: sorted here. scores: room for as many floats as there are texts, zero at the
 * first call and again afterwards.
 * Returns: how many. Threads: any, each with its own scores. */
#define FT_BM25_MOST 64
size_t ft_bm25_nearest(const ft_bm25 *b, uint64_t *words, size_t n, float *scores, size_t k,
                       uint32_t best[FT_BM25_MOST]);

#endif
