/* convert.h: a model file in another element type.
 *
 * Matrices get the wanted type; vectors stay as they are (f32). For q4_0, q5_0 and q5_1 the head
 * (output.weight, or the embedding when tied) gets q8_0, as the format's authors keep it finer too;
 * a matrix whose rows do not fill blocks gets f16. NF4 is for the matrices of layers, and the model
 * must be in it already (ft_model_to_nf4); other matrices keep their type. Metadata is copied,
 * general.file_type set. The bytes do not depend on the number of threads.
 */
#ifndef FT_CONVERT_H
#define FT_CONVERT_H

#include "base/io.h"
#include "base/pool.h"
#include "model/model.h"

/* Returns: the type that tensor t of the model gets when `want` is asked for. */
ft_type ft_convert_type(const ft_model *m, const ft_tensor *t, ft_type want);

/* What else is to happen on the way; NULL, or all zero: nothing. */
typedef struct ft_convert_extra {
    /* Whether the weights of t are to pass through `change`. */
    int (*changes)(const void *ctx, const ft_tensor *t);
    /* Alters weights [from, from + n) of t in place, counted over all its rows. Threads: several
     * at a time; the result must not depend on how the weights are cut. */
    void (*change)(const void *ctx, const ft_tensor *t, size_t from, float *w, size_t n);
    /* Adds or replaces metadata. */
    int (*add_keys)(const void *ctx, ft_gguf_writer *w, ft_err *e);
    const void *ctx;
} ft_convert_extra;

/* Writes what the model computes with, in the type that is wanted, to out, which the caller
 * commits.
 * Errors: FT_ERR_DATA for a weight that is NaN, infinite or too large for its new type (names
 * tensor and index), or FT_ERR_NUMERIC when the tensor was changed; FT_ERR_NOMEM, FT_ERR_IO. */
int ft_convert_write(const ft_model *m, ft_type want, const ft_convert_extra *extra, ft_out *out,
                     ft_pool *pool, ft_err *e) FT_MUST_CHECK;

#endif
