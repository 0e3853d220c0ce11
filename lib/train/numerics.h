/* numerics.h: the name of the arithmetic that a run is computed with. Two runs whose names are
 * equal give the same bytes; a checkpoint holds it, and is not gone on with under another. */
#ifndef FT_NUMERICS_H
#define FT_NUMERICS_H

#include "base/err.h"

#include <stddef.h>

/* Writes the family of ft's kernels, the compute type, and the kernel set and version of OpenBLAS:
 * "avx512 f32 openblas SkylakeX 0.3.21". compute: "f32". OpenBLAS must be loaded already, as it is
 * once an ft_nn exists. Errors: FT_ERR_NOMEM, FT_ERR_INTERNAL when OpenBLAS does not say. */
int ft_numerics_name(const char *compute, char *out, size_t cap, ft_err *e) FT_MUST_CHECK;

#endif
