/* language.h: in which language a text is, by the n-gram fingerprints of the package
 * libexttextcat-data (Cavnar and Trenkle 1994, "N-gram-based text categorization"): the 400 most
 * frequent runs of 1 to 5 characters are ranked, and of each language's ranks the sum of the
 * distances is taken; the smallest sum is the best guess.
 *
 *     ft_language *l = NULL;
 *     if (ft_language_new(&l, e) < 0) …             one for all threads
 *     ft_guess g = ft_language_guess(l, words, text, n);
 *     if (g.n && ft_guess_has(&g, "en")) …
 *
 * A guess is a function of the text and the fingerprints alone. Texts under 60 letters are unknown:
 * guesses on them are worth nothing.
 * What it does not do: mixed texts, dialects; names are the first subtag alone ("zh", "en"). */
#ifndef FT_LANGUAGE_H
#define FT_LANGUAGE_H

#include "text/words.h"

#define FT_LANGUAGE_LETTERS_MIN 60
#define FT_LANGUAGE_LOOK_BYTES 1000

typedef struct ft_language ft_language;

typedef struct ft_guess {
    size_t n;                /* 0: unknown; several: they are near to the best */
    char name[5][8];         /* the best first */
} ft_guess;

/* Reads fpdb.conf and the fingerprints it names from their usual folder, or from `folder`.
 * Errors: FT_ERR_NOINPUT when they are not there; FT_ERR_DATA with file and line when one is
 * broken. Owns: the caller. */
int ft_language_new(ft_language **l, ft_err *e) FT_MUST_CHECK;
int ft_language_new_from(ft_language **l, const char *folder, ft_err *e) FT_MUST_CHECK;
void ft_language_free(ft_language **l);         /* accepts NULL, sets NULL */

/* Looks at the first 1000 bytes, up to a whole character. classes: for ft_char_class. Languages
 * whose distance is under 1.03 times the least are named; with over five of them the text is
 * unknown. Ties go to the language that fpdb.conf names first, those of n-grams to the one that
 * comes first.
 * Threads: any number at once; about 80 KiB of stack. */
ft_guess ft_language_guess(const ft_language *l, const ft_words *classes, const void *text,
                           size_t n);

/* As ft_language_guess with another margin (over 1): for those who would rather not know than be
 * wrong about short texts. */
ft_guess ft_language_guess_within(const ft_language *l, const ft_words *classes, const void *text,
                                  size_t n, double margin);

int ft_guess_has(const ft_guess *g, const char *name);

/* Returns: whether both are known and have no language in common. */
int ft_guesses_differ(const ft_guess *a, const ft_guess *b);

#endif
