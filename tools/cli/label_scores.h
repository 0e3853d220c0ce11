/* label_scores.h: ft-label's checks of answers by what a model makes of them, from the files that
 * ft-eval --scores writes: JSON lines {"id", "loss", "targets"}, joined with the records by id.
 *
 * IFD (Li et al.: "From Quantity to Quality", NAACL 2024): how much the question helps with the
 * answer, perplexity(answer | question) / perplexity(answer), or the same of losses. Over 1, the
 * question makes the answer less likely: it is unrelated.
 *
 * Outliers: robust z-score of the loss, 0.6745 (loss - median) / median absolute deviation
 * (Iglewicz
 * and Hoaglin, 1993).
 *
 * All of it ends in cli_fail when it fails. Memory: 45 to 72 bytes for each line of a file.
 */
#ifndef FT_LABEL_SCORES_H
#define FT_LABEL_SCORES_H

#include "tools/cli/each_record.h"
#include "tools/cli/label_suggest.h"

typedef struct label_scores label_scores;

/* Reads the files: with and without, for IFD, or NULL both; one, for outliers, or NULL. */
label_scores *label_scores_new(const char *with, const char *without, const char *one,
                               int ratio_of_losses, double outlier_z);
void label_scores_free(label_scores **s);

/* Judges a record. id: its id as JSON. */
void label_scores_add(label_scores *s, label_suggestions *out, const cli_item *it, ft_slice id);

/* Once all was read: what did not fit together. */
void label_scores_end(const label_scores *s);

#endif
