/* signatures.h: members that all of ft-eval's signatures share: how intervals were drawn, and on
 * what data, so that two results can be told to be comparable. Each begins with a comma, to stand
 * behind "program".
 *
 *     cli_put_drawn(b, draws, n_units, by_cluster ? "group" : NULL);
 *     cli_put_data(b, in, NULL);
 */
#ifndef FT_CLI_SIGNATURES_H
#define FT_CLI_SIGNATURES_H

#include "base/buf.h"
#include "stream/stream.h"

/* cluster: the field whose values were drawn together, or NULL. */
void cli_put_drawn(ft_buf *b, uint64_t draws, size_t n_units, const char *cluster);

/* in: at its verified end. references: the digest of another stream, or NULL. */
void cli_put_data(ft_buf *b, const ft_reader *in, const char *references);

#endif
