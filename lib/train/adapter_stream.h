/* adapter_stream.h: adapters as streams of kind "adapter".
 *
 * The header's `extra` says what it is: {method: "lora", rank, alpha, dropout, targets: [names],
 * …, by method (nn/adapter.h); layers, base: bin digest of the model it is bound to (absent:
 * bound by shape), transform: "" or "nf4", what was done to that model}.
 * Records are {name, shape: [rows, cols], offset, data: bin of little-endian f32}: a tensor may
 * take several records of at most 8 MiB, offset counting elements. Names (targets' as well:
 * "q_proj") and row order are PEFT's:
 * base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight.
 */
#ifndef FT_ADAPTER_STREAM_H
#define FT_ADAPTER_STREAM_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/adapter.h"
#include "stream/stream.h"

/* Opens an adapter stream and binds it to a model: config read, every tensor present once,
 * shapes right, values finite, digest of the base equal (FT_ERR_DATA names both digests). The
 * transform that the adapter asks for is applied to *m, unless that is its result already; so
 * nothing else may be using the model yet. A model that is transformed is refused to an adapter
 * of the plain one. *reader (may be NULL) receives the verified reader for the history; the
 * caller frees it. warning: receives a static text, or NULL, when the adapter has no base
 * digest. */
int ft_adapter_read(ft_adapter **a, ft_model *m, const char *path, ft_pool *pool,
                    ft_reader **reader, const char **warning, ft_err *e) FT_MUST_CHECK;

/* Fills the header fields for an adapter like this; `extra` is built in *buf, which must live
 * as long as the header is used. */
int ft_adapter_header(const ft_adapter *a, const ft_model *m, ft_header *h, ft_buf *buf,
                      ft_err *e) FT_MUST_CHECK;

/* Writes all tensors as records. params: a->params or a saved copy of it.
 * Errors: FT_ERR_NUMERIC for a value that is not finite; those of ft_writer_put. */
int ft_adapter_write(const ft_adapter *a, const ft_model *m, const float *params, ft_writer *w,
                     ft_err *e) FT_MUST_CHECK;

#endif
