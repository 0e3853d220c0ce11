/* plain_words.h: the words of a text in canonical form (text/normal.h), for counting and comparing.
 * A word is a run of letters and digits: ASCII ones, and any character from U+00A0 on that is
 * none of
 * the common marks (U+00A0-00BF, U+2000-206F, U+3000-303F, U+FF00-FF0F). An ideograph or kana
 * (U+2E80-2FFF, U+3040-9FFF, U+F900-FAFF, U+20000-3FFFF), which no space parts from its neighbour,
 * is a word by itself. Bytes that are no valid UTF-8 count as letters.
 *
 *     size_t at = 0;
 *     while (ft_word_next(text, &at, &word)) …
 *
 * It knows no language: no stems, no articles, no contractions.
 */
#ifndef FT_PLAIN_WORDS_H
#define FT_PLAIN_WORDS_H

#include "base/buf.h"

/* The next word from *at on. Returns: 1 with *at behind it, 0 at the end. */
int ft_word_next(ft_slice text, size_t *at, ft_slice *word);

/* F1 of two bags of words, as SQuAD scores an answer: 2 common / (words of a + words of b), common
 * counted with multiplicity; 1 when both have none, 0 when one has. a, b: digests of words,
 * ascending (ft_words_sorted). */
double ft_words_f1(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b);

/* Appends the XXH3-64 digests of the words of a text to out, 8 bytes each in this machine's order,
 * and sorts what was appended. Errors: FT_ERR_NOMEM. */
int ft_words_sorted(ft_slice text, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
