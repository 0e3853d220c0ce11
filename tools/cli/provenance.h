/* provenance.h: a stream's history for people and programs. */
#ifndef FT_CLI_PROVENANCE_H
#define FT_CLI_PROVENANCE_H

#include "base/buf.h"
#include "base/mp.h"

/* Appends a verified history array (ft_reader_history; n = 0: empty): a JSON array of objects with
 * digests in hex, or a line of text for each node, named by the first digits of its id. */
void cli_history_put(ft_buf *b, ft_mp array, int json);

#endif
