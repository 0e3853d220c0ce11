/* dedup.h: the modes of ft-dedup, which exclude each other. Each opens the streams, works them to
 * their end and finishes the output, or ends in cli_fail; the tool parses options and chooses.
 */
#ifndef FT_CLI_DEDUP_H
#define FT_CLI_DEDUP_H

#include "data/example.h"

#include <stdint.h>

/* Passes on the first of equal examples, in cli_memory() bytes for their digests. ignore: what
 * equal texts may differ in, FT_IGNORE_* of text/normal.h. */
void cli_dedup_exact(enum ft_part part, unsigned ignore);

#endif
