/* filter_text.h: the values of the rules that look at one text: those of C4, Gopher and FineWeb as
 * published (checked against datatrove 0.10.1), shares of kinds of characters, and rules for code.
 *
 *     ft_text_meter *m = NULL;
 *     double value[FT_RULES];
 *     if (ft_text_meter_new(&m, e) < 0) …
 *     if (ft_text_measure(m, text, n, wanted, value, e) < 0) …
 *
 * A text is cut into words once; lines are walked once for each family of rules that is wanted.
 * What it does not do: C4 also removes lines from a page; here pages are only judged. */
#ifndef FT_FILTER_TEXT_H
#define FT_FILTER_TEXT_H

#include "data/filter_rules.h"
#include "text/words.h"

typedef struct ft_text_meter ft_text_meter;

/* One for each thread: it holds scratch memory. Owns: the caller, ft_text_meter_free. */
int ft_text_meter_new(ft_text_meter **m, ft_err *e) FT_MUST_CHECK;
void ft_text_meter_free(ft_text_meter **m);

/* Sets value[i] for each rule of `wanted` (FT_RULE_BIT) that this module knows; leaves the others.
 * About 60 bytes of memory for each word of the longest text. Errors: as ft_words_split. */
int ft_text_measure(ft_text_meter *m, const void *text, size_t n, uint64_t wanted, double *value,
                    ft_err *e) FT_MUST_CHECK;

/* As ft_text_measure, but stops as soon as the first of the wanted rules that fires by `until` is
 * known (NULL: never). Sets *done to the wanted rules whose values are set; all that stand before
 * the first that fires are among them. */
int ft_text_measure_until(ft_text_meter *m, const void *text, size_t n, uint64_t wanted,
                          const ft_rules *until, double *value, uint64_t *done,
                          ft_err *e) FT_MUST_CHECK;

/* The words of the text, cut by the last ft_text_measure that wanted a rule about words, or now. */
int ft_text_words(ft_text_meter *m, const void *text, size_t n, const ft_words **w,
                  ft_err *e) FT_MUST_CHECK;
const ft_words *ft_text_classes(const ft_text_meter *m);   /* for ft_char_class */

/* Returns: what is garbled in a text, counted: U+FFFD, C1 controls, pairs that are UTF-8 read as
 * Latin-1 (Ã©, â€™), bytes that are no UTF-8. */
uint64_t ft_text_garbled(const void *text, size_t n);

/* Returns: whether a text holds a character that is not white space. */
int ft_text_is_visible(const ft_words *classes, const void *text, size_t n);

/* Bytes of the web address (http://, https://, www.) that begins at p; 0 when none does. */
size_t ft_text_url(const uint8_t *p, size_t n);

#endif
