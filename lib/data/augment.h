/* augment.h: more training examples from those there are, without a model: prompts in other words
 * (templates), placeholders filled (slots), typing mistakes in the prompt (noise), and for
 * classifiers the four operations of EDA.
 *
 *     ft_augment_begin(a, &plan, record, number, e);
 *     for (k = 1; k <= times; k++)
 *         ft_augment_copy(a, k, &out, e);      // nothing is appended when nothing changed
 *     ft_augment_original(a, &out, e);         // the original, tied to its copies
 *
 * What a copy becomes depends on the texts of the example, the plan and its number alone, not on
 * the place of the example or the thread. A copy has the fields of its original and
 *     id      the original's, as a string, with "+aug1" behind it
 *     group   the original's; where it has none both get one made of the prompt, so that no split
 *             separates them
 *     aug     how it was made, such as "noise+template:3+slots" or "eda:swap"
 *     origin  the original's id
 *
 * The prompt is the user's turns (a template goes around the first of them), `prompt`, or the
 * `text` of an example with a `label`. Slots are filled in all turns and fields, one value for
 * all places of a name; noise and EDA stay in the prompt.
 */
#ifndef FT_AUGMENT_H
#define FT_AUGMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"
#include "data/augment_lists.h"

typedef struct ft_augment_plan {
    const ft_lists *templates, *slots, *synonyms;      /* NULL: without                    */
    double noise;              /* of a letter to be mistyped, in [0, 1]; 0: without        */
    double eda;                /* alpha, in (0, 1]: EDA and nothing else; 0: without       */
    uint64_t seed;
} ft_augment_plan;

typedef struct ft_augmenter ft_augmenter;

typedef struct ft_augment_tally {      /* of the copies of one example */
    uint64_t written, unchanged, repeated;     /* repeated: the same as an earlier copy    */
    uint64_t unfilled;                         /* {{name}} without values, in copy 1       */
} ft_augment_tally;

/* What one thread needs. Owns: the caller, ft_augmenter_free (accepts NULL). */
int ft_augmenter_new(ft_augmenter **a, ft_err *e) FT_MUST_CHECK;
void ft_augmenter_free(ft_augmenter **a);

/* Starts an example; the record and the plan must outlive its copies. number: the id of a record
 * without one. Errors: FT_ERR_DATA (not an example), FT_ERR_NOMEM. */
int ft_augment_begin(ft_augmenter *a, const ft_augment_plan *plan, ft_mp record, uint64_t number,
                     ft_err *e) FT_MUST_CHECK;

/* Appends copy k (from 1), unless it is as the original or an earlier copy.
 * Errors: FT_ERR_NOMEM. */
int ft_augment_copy(ft_augmenter *a, uint32_t k, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* Appends the original: as it is, or with the group that its copies got. */
void ft_augment_original(const ft_augmenter *a, ft_buf *out);

const ft_augment_tally *ft_augment_tally_of(const ft_augmenter *a);

/* EDA's recommendation by the number of training examples: 16 copies with alpha 0.05 up to 500, 8
 * with 0.05 up to 2000, 4 with 0.1 for more (Wei and Zou, "EDA", EMNLP 2019, table 3). */
void ft_augment_eda_defaults(uint64_t examples, uint64_t *copies, double *alpha);

#endif
