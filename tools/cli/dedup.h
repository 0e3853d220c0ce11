/* dedup.h: the modes of ft-dedup, which exclude each other. Each opens the streams, works them to
 * their end and finishes the output, or ends in cli_fail; the tool parses options and chooses.
 */
#ifndef FT_CLI_DEDUP_H
#define FT_CLI_DEDUP_H

#include "data/example.h"
#include "data/leak_index.h"
#include "tools/cli/cli.h"

#include <stdint.h>

/* Passes on the first of equal examples, in cli_memory() bytes for their digests. ignore: what
 * equal texts may differ in, FT_IGNORE_* of text/normal.h. */
void cli_dedup_exact(enum ft_part part, unsigned ignore);

/* Evaluation items in training examples: data/leak_index.h has the rule. */
typedef struct cli_against {
    const char *sets;            /* files of evaluation items, commas between; NULL: off    */
    uint64_t run, span, sure;    /* words                                                   */
    double share, often;         /* of an item; of the examples, more being boilerplate     */
    uint64_t often_min;          /* examples that a run may be in however few there are     */
} cli_against;

#define CLI_AGAINST_DEFAULTS \
    {.run = 8, .span = 8, .sure = 13, .share = 0.5, .often = 0.001, .often_min = 20}

#define CLI_AGAINST_OPTIONS(o)                                                                  \
    {"against", 0, CLI_TEXT, &(o).sets, "FILE,...", 0, 0, CLI_PAYLOAD,                          \
     "drop examples in which evaluation items of these streams stand"},                         \
    {"run", 0, CLI_COUNT, &(o).run, "N", 1, FT_LEAK_WORDS_MAX, CLI_PAYLOAD,                     \
     "words that are looked for at a time; shorter items are compared whole"},                  \
    {"span", 0, CLI_COUNT, &(o).span, "N", 1, 1e6, CLI_PAYLOAD,                                 \
     "words in a row below which nothing is a leak"},                                           \
    {"sure-span", 0, CLI_COUNT, &(o).sure, "N", 1, 1e6, CLI_PAYLOAD,                            \
     "words in a row that are a leak by themselves"},                                           \
    {"share", 0, CLI_REAL, &(o).share, "S", 0, 1, CLI_PAYLOAD,                                  \
     "share of the item's words that makes a shorter span a leak"},                             \
    {"boilerplate", 0, CLI_REAL, &(o).often, "S", 0, 1, CLI_PAYLOAD,                            \
     "runs in more than this share of the examples do not count; 1: all count"},                \
    {"boilerplate-min", 0, CLI_COUNT, &(o).often_min, "N", 0, 1e12, CLI_PAYLOAD,                \
     "examples a run may be in before it is boilerplate"}

/* part: of the items, what is looked for. mark: drop nothing, say it in the field dirty. report: a
 * file for the matches as JSON lines, or NULL. */
void cli_dedup_against(const cli_against *o, enum ft_part part, unsigned ignore, int mark,
                       const char *report);

/* Passages that stand in examples before: data/repeats.h has the rule. */
typedef struct cli_substring {
    int on;
    uint64_t min_bytes, keep, top;
    const char *cut;             /* "sentence" or "exact" */
} cli_substring;

#define CLI_SUBSTRING_DEFAULTS {.min_bytes = 100, .keep = 1, .top = 100, .cut = "sentence"}

#define CLI_SUBSTRING_OPTIONS(o)                                                                \
    {"substring", 0, CLI_FLAG, &(o).on, NULL, 0, 0, CLI_PAYLOAD,                                \
     "cut passages that were there before"},                                                    \
    {"min-bytes", 0, CLI_COUNT, &(o).min_bytes, "N", 16, 1e6, CLI_PAYLOAD,                      \
     "shorter passages may repeat"},                                                            \
    {"max-per-template", 0, CLI_COUNT, &(o).keep, "N", 1, 1e9, CLI_PAYLOAD,                     \
     "how often a passage may stand in all"},                                                   \
    {"cut", 0, CLI_CHOICE, &(o).cut, "sentence|exact", 0, 0, CLI_PAYLOAD,                       \
     "only whole sentences and lines, or all that repeats"},                                    \
    {"top", 0, CLI_COUNT, &(o).top, "N", 1, 1e5, 0,                                             \
     "how many repeated passages to report"}

/* part: where passages are looked for. report: a file for the most repeated passages as JSON
 * lines, or NULL. */
void cli_dedup_substring(const cli_substring *o, enum ft_part part, const char *report);

#endif
