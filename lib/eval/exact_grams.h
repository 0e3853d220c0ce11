/* exact_grams.h: counts of n-grams, exactly: no hash stands for a word or an n-gram, so a score
 * cannot be wrong by a collision, whatever the text. Symbols are numbers: code points, or words by
 * ft_vocab. The n-grams of the references are a tree in which a node is an n-gram and its child
 * that n-gram with one symbol more; what is scored walks down this tree from each of its places
 * and leaves it at the first n-gram that no reference has.
 *
 *     ft_exact_grams_reset(g, n_ref, e);
 *     ft_exact_grams_add(g, ref, n_ref, 4, e);                  // once for each reference
 *     ft_exact_grams_match(g, hyp, n_hyp, 4, match, e);         // match[0..3]: clipped matches
 *
 * Memory: 28 bytes for each different n-gram of the references. Threads: one object each.
 */
#ifndef FT_EXACT_GRAMS_H
#define FT_EXACT_GRAMS_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_NGRAM_ORDER_MAX 16

/* Symbols of some texts; all zero is empty. */
typedef struct ft_symbols {
    uint32_t *s;
    size_t n, cap;
} ft_symbols;
int ft_symbols_add(ft_symbols *t, uint32_t s, ft_err *e) FT_MUST_CHECK;
void ft_symbols_free(ft_symbols *t);

/* Numbers for words: equal bytes, equal number, from 0 on in the order they come. */
typedef struct ft_vocab ft_vocab;
int ft_vocab_new(ft_vocab **v, ft_err *e) FT_MUST_CHECK;
void ft_vocab_reset(ft_vocab *v);
int ft_vocab_number(ft_vocab *v, const void *word, size_t n, uint32_t *number,
                    ft_err *e) FT_MUST_CHECK;
size_t ft_vocab_count(const ft_vocab *v);
/* The word of a number, until the next one is added. */
ft_slice ft_vocab_word(const ft_vocab *v, size_t number);
void ft_vocab_free(ft_vocab **v);

typedef struct ft_exact_grams ft_exact_grams;
int ft_exact_grams_new(ft_exact_grams **g, ft_err *e) FT_MUST_CHECK;

/* Forgets all. expected: how many n-grams will come, roughly. */
int ft_exact_grams_reset(ft_exact_grams *g, size_t expected, ft_err *e) FT_MUST_CHECK;

/* Adds the n-grams of orders 1..order of one reference. Of several references an n-gram has the
 * greatest of its counts. */
int ft_exact_grams_add(ft_exact_grams *g, const uint32_t *s, size_t n, size_t order,
                       ft_err *e) FT_MUST_CHECK;

/* match[k-1]: the sum over the different k-grams of s of the lesser of the counts here and
 * there. */
void ft_exact_grams_match(ft_exact_grams *g, const uint32_t *s, size_t n, size_t order,
                          double *match);
void ft_exact_grams_free(ft_exact_grams **g);

/* How many k-grams n symbols have. */
static inline size_t ft_exact_grams_in(size_t n, size_t k)
{
    return n >= k ? n - k + 1 : 0;
}

#endif
