/* filter_custom.h: rules that a user writes: NAME: FIELD OP VALUE. The example is DROPPED when the
 * condition holds; it does not hold when the field is missing or of another type.
 *
 *     ft_custom c;
 *     if (ft_custom_parse(&c, "low: scores.quality < 0.5", e) < 0) …
 *     if (ft_custom_holds(&c, record, &holds, &value, e) < 0) …
 *
 * FIELD: dotted names (scores.quality), or @prompt, @response, @all (as ft_example_part), bare or
 * in length(…) (characters; elements of a list) or words(…) (between white space).
 * OP: < <= > >= == != with a number; == != with a string; ~ and !~ with a PCRE2 pattern. A string
 * or pattern may stand in "…". A pattern that backtracks too much is an error. */
#ifndef FT_FILTER_CUSTOM_H
#define FT_FILTER_CUSTOM_H

#include "base/buf.h"
#include "base/mp.h"

typedef struct ft_custom {
    char name[32], field[128];
    enum { FT_CUSTOM_PLAIN, FT_CUSTOM_LENGTH, FT_CUSTOM_WORDS } of;
    enum { FT_CUSTOM_LT, FT_CUSTOM_LE, FT_CUSTOM_GT, FT_CUSTOM_GE, FT_CUSTOM_EQ, FT_CUSTOM_NE,
           FT_CUSTOM_LIKE, FT_CUSTOM_UNLIKE } op;
    int is_number;
    double number;
    char *text;
    void *pattern;           /* pcre2_code */
} ft_custom;

/* Errors: FT_ERR_USAGE with the character where it goes wrong. Owns: the caller, ft_custom_free. */
int ft_custom_parse(ft_custom *c, const char *rule, ft_err *e) FT_MUST_CHECK;
void ft_custom_free(ft_custom *c);

/* Sets *holds, and *value: the number compared, or 1 or 0 for strings. Threads: any number at once.
 * Errors: FT_ERR_DATA when a pattern exceeds its limits. */
int ft_custom_holds(const ft_custom *c, ft_mp record, int *holds, double *value,
                    ft_err *e) FT_MUST_CHECK;

#endif
