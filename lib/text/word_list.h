/* word_list.h: a text as a stream of words, so that line breaks, case and punctuation do not count
 * when passages are looked for. A word is a longest run of letters, marks and numbers (Unicode's
 * categories L, M, N) of the canonical form (text/normal.h); in scripts that are written without
 * spaces (Han, kana, Thai, Lao, Myanmar, Khmer) each character is a word.
 *
 *     ft_word_list_clear(&w);
 *     if (ft_word_list_add(&w, p, n, FT_IGNORE_USUAL, e) < 0) …    as often as wanted
 *     … w.hash[i], w.n …
 */
#ifndef FT_WORD_LIST_H
#define FT_WORD_LIST_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

typedef struct ft_word {
    size_t at, n;                /* in form */
} ft_word;

typedef struct ft_word_list {    /* all zero is a valid empty list */
    ft_buf form;                 /* the canonical text                    */
    ft_word *word;
    uint64_t *hash;              /* XXH3-64 of each word                  */
    size_t n, word_cap, hash_cap;
} ft_word_list;

/* Appends the words of n bytes; none goes on from the text before. ignore: FT_IGNORE_*. */
int ft_word_list_add(ft_word_list *w, const void *text, size_t n, unsigned ignore,
                     ft_err *e) FT_MUST_CHECK;

void ft_word_list_clear(ft_word_list *w);    /* keeps the memory */
void ft_word_list_free(ft_word_list *w);     /* back to all zero */

/* Appends words [from, to) to out, a space between them. */
void ft_word_list_put(const ft_word_list *w, size_t from, size_t to, ft_buf *out);

#endif
