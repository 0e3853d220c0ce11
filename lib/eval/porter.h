/* porter.h: the stemmer of Porter (An algorithm for suffix stripping, Program 14.3, 1980) in the
 * form in which NLTK's PorterStemmer has it by default and rouge-score uses it: with Martin
 * Porter's later changes and NLTK's own (short words in -ies and -ied, y behind a consonant, a
 * pool of irregular words). It is neither the published algorithm nor Snowball's "porter".
 *
 *     n = ft_porter_stem(word, n);         // "relational" -> "relat", in place
 */
#ifndef FT_PORTER_H
#define FT_PORTER_H

#include <stddef.h>

/* Stems n bytes of lower-case ASCII letters and digits (a digit counts as a consonant) in place.
 * Returns: the new length, at most n. */
size_t ft_porter_stem(char *word, size_t n);

#endif
