/* filter_language.h: in which language a text is, by libexttextcat's n-gram fingerprints (package
 * libexttextcat-data). Texts under 60 letters are unknown: guesses on them are worth nothing.
 *
 *     ft_language *l = NULL;
 *     if (ft_language_new(&l, e) < 0) …             one for each thread
 *     ft_guess g = ft_language_guess(l, words, text, n);
 *     if (g.n && ft_guess_has(&g, "en")) …
 *
 * What it does not do: mixed texts, dialects; names are the first subtag alone ("zh", "en"). */
#ifndef FT_FILTER_LANGUAGE_H
#define FT_FILTER_LANGUAGE_H

#include "text/words.h"

#define FT_LANGUAGE_LETTERS_MIN 60

typedef struct ft_language ft_language;

typedef struct ft_guess {
    size_t n;                /* 0: unknown; several: they are within 3 % of the best */
    char name[5][8];         /* the best first */
} ft_guess;

/* Errors: FT_ERR_NOINPUT when the fingerprints are not there. Owns: the caller. */
int ft_language_new(ft_language **l, ft_err *e) FT_MUST_CHECK;
void ft_language_free(ft_language **l);

/* Looks at the first 1000 bytes. classes: for ft_char_class. */
ft_guess ft_language_guess(ft_language *l, const ft_words *classes, const void *text, size_t n);

int ft_guess_has(const ft_guess *g, const char *name);

/* Returns: whether both are known and have no language in common. */
int ft_guesses_differ(const ft_guess *a, const ft_guess *b);

#endif
