/* label_wrong.h: ft-label's check of labels: reads them (and probabilities, where the records bring
 * some), then trains the classifier, lets confident learning and the neighbours judge, and makes
 * suggestions. All of it ends in cli_fail when it fails.
 */
#ifndef FT_LABEL_WRONG_H
#define FT_LABEL_WRONG_H

#include "data/confident.h"
#include "data/example.h"
#include "tools/cli/each_record.h"
#include "tools/cli/label_suggest.h"

typedef struct label_wrong_options {
    const char *label;         /* fields                                                   */
    const char *probs;         /* NULL: the built-in classifier                            */
    const char *group;         /* NULL: cluster, else group; without: the prompt           */
    enum ft_part part;         /* what the classifier reads                                */
    enum ft_rank rank;
    unsigned folds, epochs;
    int knn;
} label_wrong_options;

typedef struct label_wrong label_wrong;

label_wrong *label_wrong_new(const label_wrong_options *o);
void label_wrong_free(label_wrong **w);

/* The steps of cli_each_record. */
void label_wrong_work(label_wrong *w, cli_item *it, unsigned worker);
void label_wrong_add(label_wrong *w, const cli_item *it);

/* Once all was read. Adds facts to the last line, and warns of labels that are too rare. */
void label_wrong_judge(label_wrong *w, label_suggestions *s);

#endif
