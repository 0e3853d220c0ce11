/* dedup_near.h: `ft-dedup --near`: examples that are nearly those that were there before.
 *
 *     static dedup_near near = DEDUP_NEAR_DEFAULTS;
 *     static const cli_option options[] = {…, DEDUP_NEAR_OPTIONS(near), {0}};
 *     dedup_near_check(&near);
 *     if (near.on) return dedup_near_run(&near, part, ignore, mark);
 */
#ifndef FT_CLI_DEDUP_NEAR_H
#define FT_CLI_DEDUP_NEAR_H

#include "data/example.h"
#include "data/near.h"
#include "text/shingles.h"
#include "tools/cli/cli.h"

typedef struct dedup_near {
    int on, explain;
    double threshold;
    uint64_t shingle, bands, rows, seed, candidates;
    const char *pairs;                      /* a file, or NULL */
} dedup_near;

#define DEDUP_NEAR_DEFAULTS \
    {.threshold = 0.75, .shingle = 5, .bands = 14, .rows = 8, .candidates = 1000}

#define DEDUP_NEAR_OPTIONS(o)                                                                 \
    {"near", 0, CLI_FLAG, &(o).on, NULL, 0, 0, CLI_PAYLOAD,                                   \
     "drop also what is nearly like an example before it"},                                   \
    {"threshold", 0, CLI_REAL, &(o).threshold, "J", 0.01, 1, CLI_PAYLOAD,                     \
     "how alike that is: share of common shingles (Jaccard index)"},                          \
    {"shingle", 0, CLI_COUNT, &(o).shingle, "N", 1, FT_SHINGLE_WORDS_MAX, CLI_PAYLOAD,        \
     "words of a shingle"},                                                                   \
    {"bands", 0, CLI_COUNT, &(o).bands, "N", 1, FT_NEAR_BANDS_MAX, CLI_PAYLOAD,               \
     "bands, one of which must agree for two examples to be compared"},                       \
    {"rows", 0, CLI_COUNT, &(o).rows, "N", 1, FT_NEAR_ROWS_MAX, CLI_PAYLOAD,                  \
     "hashes in a band"},                                                                     \
    {"seed", 0, CLI_COUNT, &(o).seed, "N", 0, 1e15, CLI_PAYLOAD, "of the hash functions"},    \
    {"candidates", 0, CLI_COUNT, &(o).candidates, "N", 1, 1e9, CLI_PAYLOAD,                   \
     "most kept examples of a band to compare one with, the nearest"},                        \
    {"pairs", 0, CLI_TEXT, &(o).pairs, "FILE", 0, 0, 0,                                       \
     "what goes and what is kept for it, as JSON lines"},                                     \
    {"explain", 0, CLI_FLAG, &(o).explain, NULL, 0, 0, 0,                                     \
     "show which share of alike pairs these settings find, and end"}

/* Ends in a usage error when options are given that do not go together. */
void dedup_near_check(const dedup_near *o);

/* Runs from cli_input() to cli_output(). ignore: FT_IGNORE_* of text/normal.h; mark: drop nothing.
 * Returns: cli_end(). */
int dedup_near_run(const dedup_near *o, enum ft_part part, unsigned ignore, int mark);

#endif
