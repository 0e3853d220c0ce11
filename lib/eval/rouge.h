/* rouge.h: ROUGE-1, -2, -L and -Lsum (Lin 2004) as rouge-score 0.1.2 computes them for one pair of
 * texts: F measures in 0..1, of several references the best. A corpus' score is the plain mean.
 *
 *     ft_rouge_settings how = {.stem = 1};
 *     ft_rouge_new(&r, &how, e);
 *     ft_rouge_segment(r, prediction, references, n, f, &letters, e);   // f[FT_ROUGE_L] …
 *
 * Sentences of -Lsum are lines; nothing splits sentences. Threads: one ft_rouge each.
 */
#ifndef FT_ROUGE_H
#define FT_ROUGE_H

#include "base/buf.h"
#include "base/err.h"

enum ft_rouge_type { FT_ROUGE_1, FT_ROUGE_2, FT_ROUGE_L, FT_ROUGE_LSUM, FT_ROUGE_TYPES };

typedef struct ft_rouge_settings {
    int stem;                  /* Porter's stemmer for words of over 3 letters (porter.h)  */
    int unicode;               /* words of any script instead of a-z and 0-9: see below     */
} ft_rouge_settings;

/* Words are lower-cased runs of [a-z0-9], as rouge-score has them: text in other scripts has none.
 * With `unicode` they are runs of letters, marks and numbers (general categories L, M, N); a
 * letter of a script that is written without spaces (Han, Hiragana, Katakana, Thai, Lao, Myanmar,
 * Khmer) is a word by itself, with the marks behind it. */

typedef struct ft_rouge_letters {      /* of predictions and references, to warn with */
    size_t kept, dropped;
} ft_rouge_letters;

typedef struct ft_rouge ft_rouge;

/* how is copied. Owns: the caller, ft_rouge_free (accepts NULL, sets NULL). */
int ft_rouge_new(ft_rouge **r, const ft_rouge_settings *how, ft_err *e) FT_MUST_CHECK;
void ft_rouge_free(ft_rouge **r);

/* types: bits 1 << FT_ROUGE_*; only those of f are set. n_refs > 0. letters is added to.
 * Errors: FT_ERR_NOMEM, also for lines so long that the table of -Lsum is over 1 GiB. */
int ft_rouge_segment(ft_rouge *r, unsigned types, ft_slice prediction, const ft_slice *refs,
                     size_t n_refs, double f[FT_ROUGE_TYPES], ft_rouge_letters *letters,
                     ft_err *e) FT_MUST_CHECK;

/* Appends the words of a text, a line feed behind each. */
int ft_rouge_words(ft_rouge *r, ft_slice text, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
