/* sample.h: from logits to the next token.
 *
 * In this order, each step as the logits processors of transformers do it:
 *   1. repetition penalty: a logit of a token that was seen is divided by it when positive,
 *      multiplied when negative (Keskar et al. 2019, with CTRL's sign fixed)
 *   2. temperature 0: the token of the largest logit. Otherwise logits are divided by it
 *   3. top-k: the k largest logits stay
 *   4. top-p: of those, by falling probability, a token stays while those before it have a
 *      probability below p together (Holtzman et al. 2020); the first one always stays
 *   5. min-p: a token stays whose probability is at least min_p times the largest one
 *   6. one is drawn by the probabilities that are left
 * Of equal logits the lower id comes first everywhere (transformers keeps all that equal the k-th).
 *
 * A draw is a function of (seed, key of the record, number of the token in its answer), so it does
 * not depend on what else is generated.
 *
 *     ft_sampler_new(&s, V, e);                           // one per thread
 *     ft_sample(s, &options, logits, ids, n_ids, key, index, &id, e);
 */
#ifndef FT_SAMPLE_H
#define FT_SAMPLE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_sampling {
    double temperature;          /* 0: greedy                                              */
    size_t top_k;                /* 0: all                                                 */
    double top_p;                /* in (0, 1]; 1: all                                      */
    double min_p;                /* in [0, 1]; 0: all                                      */
    double repetition_penalty;   /* > 0; 1: none                                           */
    size_t repetition_window;    /* the last so many tokens count as seen; 0: all          */
    uint64_t seed;
} ft_sampling;

/* Greedy, nothing else. */
#define FT_SAMPLING_GREEDY ((ft_sampling){.top_p = 1, .repetition_penalty = 1})

typedef struct ft_candidate {
    float logit;                 /* after the penalty */
    uint32_t id;
    double p;                    /* sums to 1         */
} ft_candidate;

typedef struct ft_sampler ft_sampler;

/* Scratch for V logits: 17 bytes each. Owns: the caller, ft_sampler_free (accepts NULL, sets NULL).
 * Errors: FT_ERR_NOMEM. */
int ft_sampler_new(ft_sampler **s, size_t V, ft_err *e) FT_MUST_CHECK;
void ft_sampler_free(ft_sampler **s);
size_t ft_sampler_bytes(size_t V);

/* Steps 1 to 5 with a temperature over 0. seen: the n_seen tokens before, prompt and answer.
 * Overwrites logits. Returns: what may be drawn, *n of them (>= 1), valid until the next call. */
const ft_candidate *ft_sample_candidates(ft_sampler *s, const ft_sampling *o, float *logits,
                                         const uint32_t *seen, size_t n_seen, size_t *n);

/* Chooses the token behind seen. Overwrites logits. key: of the record; index: of the token in
 * the answer, below 2^32. Errors: FT_ERR_NUMERIC for a logit that is NaN or infinite. */
int ft_sample(ft_sampler *s, const ft_sampling *o, float *logits, const uint32_t *seen,
              size_t n_seen, uint64_t key, size_t index, uint32_t *id, ft_err *e) FT_MUST_CHECK;

#endif
