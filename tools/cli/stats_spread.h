/* stats_spread.h: ft-stats's figures about where texts lie: sampled rows as points, by the hidden
 * states of a model or by hashed n-grams, how they spread, and which prompts of an evaluation set
 * have one near.
 *
 * All of it ends in cli_fail when it fails.
 */
#ifndef FT_CLI_STATS_SPREAD_H
#define FT_CLI_STATS_SPREAD_H

#include "data/spread.h"
#include "model/model.h"
#include "tools/cli/stats_read.h"

typedef struct stats_eye {             /* what turns texts into points */
    ft_model *model;                   /* NULL: hashed n-grams         */
    ft_tokenizer *tokenizer;
    const char *compute;
    uint64_t memory;                   /* for the points; 0: no bound  */
} stats_eye;

typedef struct stats_spread {
    size_t n, d, k;                    /* points, their dimensions, cells */
    ft_evenness cells;
    double inertia, vendi;
} stats_spread;

/* A prompt of the evaluation set, as uncovered ones are listed. */
typedef struct stats_item {
    ft_buf id, prompt;                 /* the id as a name                  */
    double distance;
    size_t near, number;               /* of the prompt in the sample; its own */
} stats_item;

typedef struct stats_coverage {
    stats_item *items;                 /* all, uncovered ones first, the farthest first */
    size_t n, cap, uncovered;
    uint64_t without_prompt;
    size_t train;                      /* prompts looked at */
    double median;
} stats_coverage;

void stats_spread_of(const stats_sample *sample, const stats_eye *eye, uint64_t seed,
                     stats_spread *r);

/* Reads the evaluation set; before the data, so that a bad file is found at once. */
void stats_items_read(stats_coverage *c, const char *path, uint64_t memory);
void stats_coverage_of(stats_coverage *c, const stats_sample *prompts, const stats_eye *eye);
void stats_coverage_free(stats_coverage *c);

#endif
