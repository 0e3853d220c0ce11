/* split_certificate.h: the claim that ft-split writes into the header of each part. */
#ifndef FT_CLI_SPLIT_CERTIFICATE_H
#define FT_CLI_SPLIT_CERTIFICATE_H

#include "tools/cli/split_rows.h"

/* Appends the array of one certificate for a part. The split is named by the digests of all that
 * was read, the options that matter and the seed, so that the same split again has the
 * same name. */
void cli_split_put_claim(ft_buf *b, const cli_split_rows *r, size_t part, size_t parts);

#endif
