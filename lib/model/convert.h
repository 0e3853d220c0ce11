/* convert.h: a model file in another element type.
 *
 * Matrices get the wanted type; vectors stay as they are (f32). For q4_0 the head (output.weight,
 * or the embedding when tied) gets q8_0, as the format's authors keep it finer too; a matrix whose
 * rows do not fill blocks gets f16. Metadata is copied, general.file_type set. The bytes do not
 * depend on the number of threads.
 */
#ifndef FT_CONVERT_H
#define FT_CONVERT_H

#include "base/io.h"
#include "base/pool.h"
#include "model/model.h"

/* Returns: the type that tensor t of the model gets when `want` is asked for. */
ft_type ft_convert_type(const ft_model *m, const ft_tensor *t, ft_type want);

/* Writes the converted file to out, which the caller commits.
 * Errors: FT_ERR_DATA for a weight that is NaN, infinite or too large for its new type (names
 * tensor and index); FT_ERR_NOMEM, FT_ERR_IO. */
int ft_convert_write(const ft_model *m, ft_type want, ft_out *out, ft_pool *pool,
                     ft_err *e) FT_MUST_CHECK;

#endif
