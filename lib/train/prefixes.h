/* prefixes.h: which sequences of a step begin alike, so that their beginning (a system prompt, an
 * instruction) is computed once.
 *
 * Sorted by their ids, sequences with a common beginning stand together, and the beginnings of
 * beginnings form a tree. Each sequence shares one beginning at most. From the leaves of the
 * tree up, what lies within a beginning, sequences that share nothing yet and groups that share
 * a longer one, goes over to it where that saves tokens, if all that do make up for computing it
 * once. A beginning ends before the last token in front of the first target of each of its
 * sequences. The choice depends on the sequences alone.
 *
 *     ft_prefixes p = {0};
 *     ft_prefixes_find(&p, seqs, n, e);
 *     if (p.n) ft_nn_prefixes_begin(nn, p.list, p.n, &step, e);
 *     ft_nn_backward(nn, p.rest + from, count, …);
 */
#ifndef FT_PREFIXES_H
#define FT_PREFIXES_H

#include "base/err.h"
#include "nn/transformer.h"

enum { FT_PREFIX_LEAST = 8 };  /* a shorter beginning is not worth its trouble */

typedef struct ft_prefixes {   /* all zero is empty */
    ft_seq *list;              /* n beginnings; they point into the sequences' ids */
    size_t n, tokens, saved;   /* tokens of all beginnings; tokens that need not be computed */
    ft_seq *rest;              /* the sequences, those with a beginning without it */
    size_t *order, *common;
    struct ft_prefix_place *places;
    struct ft_prefix_node *stack;
    size_t list_cap, rest_cap, order_cap, common_cap, places_cap, stack_cap;
} ft_prefixes;

/* Looks through n sequences, which must live as long as the result is used. Errors:
 * FT_ERR_NOMEM. */
int ft_prefixes_find(ft_prefixes *p, const ft_seq *seqs, size_t n, ft_err *e) FT_MUST_CHECK;
/* Shares nothing: rest is the sequences as they are. */
int ft_prefixes_none(ft_prefixes *p, const ft_seq *seqs, size_t n, ft_err *e) FT_MUST_CHECK;
void ft_prefixes_free(ft_prefixes *p);

#endif
