/* generate_record.h: records as ft-generate writes them. Both fail the tool when memory ends. */
#ifndef FT_CLI_GENERATE_RECORD_H
#define FT_CLI_GENERATE_RECORD_H

#include "base/buf.h"
#include "base/mp.h"

/* Builds in b the record with its answer: all fields as they were, but the earlier answer (the
 * assistant's last turn, or the completion) moved to `reference` and the new one in `prediction`,
 * both at the end. */
void cli_answered_record(ft_buf *b, ft_mp record, ft_slice answer);

/* Builds in b a record whose only turn is the user's. */
void cli_prompt_record(ft_buf *b, const char *text);

#endif
