/* model_history.h: the history of a model file, kept in its metadata.
 *
 * The key ft.history holds the msgpack array of history.h as an array of bytes. A model's own node
 * has kind "model", counts tensors as records and has a digest of zeros, since a file cannot hold
 * its own; the nodes before it are those of the adapter and the base.
 */
#ifndef FT_CLI_MODEL_HISTORY_H
#define FT_CLI_MODEL_HISTORY_H

#include "base/buf.h"
#include "model/gguf.h"
#include "stream/stream.h"

/* The msgpack object in a metadata key of bytes, checked; n = 0: there is no such key. Points into
 * the file. Errors: FT_ERR_DATA naming file and key. */
int cli_model_object(const ft_gguf *g, const char *key, ft_mp *v, ft_err *e) FT_MUST_CHECK;

/* Gives the history array of a model file, every id recomputed; n = 0 when it has none. Points
 * into the file. Errors: FT_ERR_DATA. */
int cli_model_history(const ft_gguf *g, ft_mp *array, ft_err *e) FT_MUST_CHECK;

/* Appends to b the history of a model that this tool makes from base and, unless NULL, from what
 * `adapter` brought: their nodes and this tool's own. Nothing with --no-history. Fails the tool. */
void cli_put_model_history(const ft_gguf *base, const ft_digest *base_digest,
                           const ft_reader *adapter, ft_buf *b);

#endif
