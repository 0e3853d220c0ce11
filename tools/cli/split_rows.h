/* split_rows.h: the examples that ft-split deals out: spooled with the numbers of their keys while
 * they are read, tied once all are known, and given out again. Ends in cli_fail when it fails. */
#ifndef FT_CLI_SPLIT_ROWS_H
#define FT_CLI_SPLIT_ROWS_H

#include "base/io.h"
#include "data/common_keys.h"
#include "data/components.h"
#include "data/digest_set.h"
#include "data/strata.h"
#include "stream/stream.h"

#define CLI_COMMON_SHOWN 5

typedef struct cli_split_row {
    uint32_t bytes;              /* of the record                     */
    ft_tie tie;
    ft_digest label;             /* of the value to stratify by       */
    int8_t has_label, is_augmented, previous;    /* previous: a part or FT_NO_PART */
} cli_split_row;

typedef struct cli_split_rows {
    const char *groups[FT_GROUPS_MAX];       /* set by the caller: group fields,     */
    size_t n_groups;
    const char *stratify;                    /* the field to stratify by, or NULL,   */
    uint64_t over[2];                        /* and the limits of ft_common_keys     */

    ft_reader *in, *previous[FT_SPLIT_PARTS_MAX];
    size_t n_previous;
    ft_components *ties;
    ft_strata *strata;           /* NULL without stratify                */
    uint64_t n, has_cluster, previous_rows;
    ft_common_counts common[2];
    ft_common_key top[CLI_COMMON_SHOWN];     /* common keys of most examples */
    size_t n_top;
    ft_component largest;
    ft_spool *records, *heads;
    ft_digest_set *before;       /* rows of the parts before, and the part of each */
    uint8_t *before_part;
    ft_buf record, scratch[2];
} cli_split_rows;

/* Reads the earlier parts, in their order. */
void cli_split_read_previous(cli_split_rows *r, char **paths, size_t n);

/* Reads `in` to its verified end, finds what is common and ties the rest. */
void cli_split_read(cli_split_rows *r);

/* Gives each component its side when there is a field to stratify by. */
void cli_split_stratify(cli_split_rows *r, const ft_shares *s);

/* Begins anew, and gives the next example with the key of its component: 1, or 0 after the last. */
void cli_split_rewind(cli_split_rows *r);
int cli_split_next(cli_split_rows *r, cli_split_row *row, ft_mp *record, uint32_t *home);
void cli_split_free(cli_split_rows *r);

#endif
