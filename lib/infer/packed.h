/* packed.h: the quantised matrices of a model in the order in which products in bytes read them,
 * a copy in memory. Part of pass.h.
 *
 * A product with one row of x reads every weight once, so it is as fast as memory when weights lie
 * one behind the other as they are used, in large pages; and products with many rows need no
 * rearranging. Codes and scales are those of the file: nothing is rounded again.
 *
 *     ft_packed_new(&p, model, pool, e);
 *     ft_product q = {.w = &layer->w[FT_Q], .packed = ft_packed_of(p, layer_number, FT_Q), …};
 */
#ifndef FT_PACKED_H
#define FT_PACKED_H

#include "base/err.h"
#include "base/pool.h"
#include "kernels/kernels.h"
#include "model/model.h"

#include <stddef.h>

typedef struct ft_matrix_packed {
    enum ft_groups type;
    size_t group_bytes;
    const void *groups;          /* NULL: a type that has no products in bytes */
} ft_matrix_packed;

typedef struct ft_packed ft_packed;

/* Packs every matrix of a type that has products in bytes. The model must outlive it only where
 * products take other matrices from there. Owns: the caller, ft_packed_free (accepts NULL, sets
 * NULL). Errors: FT_ERR_NOMEM. */
int ft_packed_new(ft_packed **p, const ft_model *m, ft_pool *pool, ft_err *e) FT_MUST_CHECK;
void ft_packed_free(ft_packed **p);

/* What ft_packed_new allocates. 0: the model has no such matrix. */
size_t ft_packed_bytes(const ft_model *m);

const ft_matrix_packed *ft_packed_of(const ft_packed *p, size_t layer, enum ft_target t);
const ft_matrix_packed *ft_packed_head(const ft_packed *p);

#endif
