/* split_notes.h: what ft-split says of what ties much, and of what is too common to tie: with the
 * texts, which are known only once an example that has them comes by again. */
#ifndef FT_CLI_SPLIT_NOTES_H
#define FT_CLI_SPLIT_NOTES_H

#include "tools/cli/split_rows.h"

typedef struct cli_split_notes {
    uint32_t keys[2 * CLI_COMMON_SHOWN];     /* first the common ones, then those that tie most */
    ft_buf texts[2 * CLI_COMMON_SHOWN];      /* JSON, shortened; empty until seen */
    size_t n_common, n;
    int alarm;                   /* whether the largest component is over a fifth of all */
} cli_split_notes;

/* Chooses what to show, sees an example, says it. largest_part: where the largest component
 * went. */
void cli_split_notes_begin(cli_split_notes *s, cli_split_rows *r);
void cli_split_notes_see(cli_split_notes *s, const cli_split_rows *r, const cli_split_row *row,
                         ft_mp record);
void cli_split_notes_end(cli_split_notes *s, const cli_split_rows *r, const char *largest_part);

#endif
