/* texts.h: cuts an input into the texts of its records, a block of them at a time, so that the
 * texts of a block can be parsed on all threads.
 *
 *     ft_texts_new(&t, unpack, FT_CUT_JSON, e);
 *     while ((rc = ft_texts_next(t, &texts, &n, e)) == 0) … texts[0..n) …   // FT_EOS: the end
 *
 * Cutting only looks for ends; what a text holds is its parser's business, also whether it is
 * UTF-8. A byte order mark before the first text is dropped, and so is what is blank.
 * Memory: a block of 4 MiB, and the longest text.
 */
#ifndef FT_TEXTS_H
#define FT_TEXTS_H

#include "data/unpack.h"

#define FT_TEXT_BYTES_MAX ((size_t)16 << 20)
#define FT_TEXTS_DEPTH_MAX 64        /* nesting of brackets, where they have to be followed */

/* FT_CUT_LINES: each line. FT_CUT_PARAGRAPHS: the lines up to a blank one, with the line ends
 * between them. FT_CUT_CSV: up to a line end outside quotes; only empty lines are blank.
 * FT_CUT_JSON: each line, when the first one holds a whole object; otherwise whatever lies between
 * white space at the top, objects over many lines, and the elements of lists. */
enum ft_cut { FT_CUT_LINES, FT_CUT_PARAGRAPHS, FT_CUT_JSON, FT_CUT_CSV };

typedef struct ft_text {
    const uint8_t *p;
    size_t n;
    uint64_t line;                   /* where it begins, from 1 */
} ft_text;

typedef struct ft_texts ft_texts;

/* Owns: the caller, ft_texts_free (accepts NULL); u stays the caller's and must outlive it. */
int ft_texts_new(ft_texts **t, ft_unpack *u, enum ft_cut how, ft_err *e) FT_MUST_CHECK;
void ft_texts_free(ft_texts **t);

/* Gives the next texts, one at least, valid until the next call. An error comes after all texts
 * that stand before it: FT_ERR_DATA (over FT_TEXT_BYTES_MAX, a list that is none), naming input
 * and line, and those of ft_unpack_read. */
int ft_texts_next(ft_texts *t, const ft_text **texts, size_t *n, ft_err *e) FT_MUST_CHECK;

#endif
