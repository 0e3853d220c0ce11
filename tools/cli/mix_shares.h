/* mix_shares.h: how the command line of ft-mix says shares: FILE:SHARE, or files and a list. What
 * is neither is a usage error. */
#ifndef FT_CLI_MIX_SHARES_H
#define FT_CLI_MIX_SHARES_H

#include "base/buf.h"
#include "data/mix_schedule.h"

/* Cuts :SHARE off each of n paths (a single one may come without). Returns: the list of shares,
 * such as "90,10"; it and the cut paths live in `kept`, to be freed by the caller. */
const char *cli_mix_file_shares(const char **paths, size_t n, ft_buf *kept);

/* Reads a list of n shares into s[].share. */
void cli_mix_ratio(const char *list, ft_mix_source *s, size_t n);

#endif
