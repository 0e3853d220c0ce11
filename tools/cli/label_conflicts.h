/* label_conflicts.h: answers to one and the same prompt that say different things. Prompts are the
 * same when their canonical forms are; answers differ when the F1 of their words (plain_words.h) is
 * below 0.5. Nobody knows which is right: they are listed for a human.
 *
 * Each answer is compared with at most the first 64 to its prompt, and listed beside the earlier
 * one from which it differs most. Words stand in a spool; in memory, 27 to 54 bytes a distinct
 * prompt and 24 to 48 a record. All of it ends in cli_fail when it fails.
 */
#ifndef FT_LABEL_CONFLICTS_H
#define FT_LABEL_CONFLICTS_H

#include "tools/cli/each_record.h"
#include "tools/cli/label_suggest.h"

typedef struct label_conflicts label_conflicts;

label_conflicts *label_conflicts_new(void);
void label_conflicts_free(label_conflicts **c);

/* Keeps a record's answer. id: its id as JSON. */
void label_conflicts_add(label_conflicts *c, const cli_item *it, ft_slice id);

/* Once all was read: compares. */
void label_conflicts_judge(label_conflicts *c, label_suggestions *out);

#endif
