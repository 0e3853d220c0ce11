/* batch.h: sequences in memory, as the transformer takes them, filled one segment at a time.
 *
 *     ft_batch b = {0};
 *     ft_batch_add(&b, &segment, number, V, e);  …
 *     ft_nn_loss(nn, ft_batch_seqs(&b), b.n, b.nll, NULL, e);
 *     ft_batch_clear(&b);
 */
#ifndef FT_BATCH_H
#define FT_BATCH_H

#include "base/err.h"
#include "nn/transformer.h"
#include "nn/virtual_tokens.h"
#include "stream/rows.h"

typedef struct ft_batch {      /* all zero is empty */
    size_t n, tokens;          /* sequences, tokens of all of them, virtual ones counted */
    double *nll;               /* room for n losses */
    ft_seq *seqs;              /* ask ft_batch_seqs: pointers are set there */
    uint32_t *ids;
    uint8_t *targets;
    size_t nll_cap, seqs_cap, ids_cap, targets_cap;
    ft_virtual before;         /* what each sequence begins with: the caller's to set */
} ft_batch;

/* Whether a model with V tokens can take the segment: ids below V, weight a finite float.
 * Errors: FT_ERR_DATA naming the token. */
int ft_segment_check(const ft_segment *s, size_t V, ft_err *e) FT_MUST_CHECK;

/* Appends a copy of a segment that passed ft_segment_check, behind the virtual tokens. key: the
 * example's number. */
int ft_batch_add(ft_batch *b, const ft_segment *s, uint64_t key, ft_err *e) FT_MUST_CHECK;

/* Returns: the n sequences, valid until the next add. */
const ft_seq *ft_batch_seqs(ft_batch *b);

void ft_batch_clear(ft_batch *b);   /* keeps the memory, and before */
void ft_batch_free(ft_batch *b);    /* back to all zero */

#endif
