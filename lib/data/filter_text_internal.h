/* filter_text_internal.h: between filter_text.c (words, characters) and filter_lines.c (lines). */
#ifndef FT_FILTER_TEXT_INTERNAL_H
#define FT_FILTER_TEXT_INTERNAL_H

#include "base/buf.h"
#include "data/filter_repeat.h"
#include "data/filter_text.h"

struct ft_text_meter {
    ft_words *words;             /* of the whole text                     */
    ft_words *line_words;        /* of a line that C4 changed             */
    ft_repeat repeat;
    ft_seen seen;
    ft_buf lower, line, line_lower;
    size_t chars;                /* of the whole text                     */
    int ascii;                   /* whether no byte of the text is over 7f */
    uint64_t wanted;             /* the rules that were asked             */
};

double ft_share(double part, double whole);      /* 0 when the whole is 0 */

void ft_measure_gopher_lines(ft_text_meter *m, const uint8_t *p, size_t n, double *value);
int ft_measure_repeated_lines(ft_text_meter *m, const uint8_t *p, size_t n, double *value,
                              ft_err *e) FT_MUST_CHECK;
int ft_measure_fineweb(ft_text_meter *m, const uint8_t *p, size_t n, double *value,
                       ft_err *e) FT_MUST_CHECK;
/* Needs m->words to be those of the text. */
int ft_measure_c4(ft_text_meter *m, const uint8_t *p, size_t n, double *value,
                  ft_err *e) FT_MUST_CHECK;
void ft_measure_code_lines(const uint8_t *p, size_t n, double *value);

#endif
