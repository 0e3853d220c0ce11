/* optim.h: AdamW over one flat block of parameters, and clipping of the gradient by its global
 * norm. Results do not depend on the number of threads. */
#ifndef FT_OPTIM_H
#define FT_OPTIM_H

#include "base/err.h"
#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

/* Parameters that are updated at `rate` times the learning rate: `rows` runs of n elements, ld
 * apart, from `at` on. */
typedef struct ft_adamw_part {
    size_t at, rows, n, ld;
    double rate;
} ft_adamw_part;

typedef struct ft_adamw {
    float *m, *v;          /* first and second moments, n each */
    size_t n;
    uint64_t t;            /* updates done */
    double beta1, beta2;
    float eps;
    ft_adamw_part *parts;  /* what is updated, a task each; NULL: everything */
    size_t n_parts, parts_cap;
} ft_adamw;

/* Takes zeroed moments for n parameters; betas 0.9 and 0.999, eps 1e-8.
 * Owns: the caller, ft_adamw_free. Errors: FT_ERR_NOMEM. */
int ft_adamw_new(ft_adamw **o, size_t n, ft_err *e) FT_MUST_CHECK;
void ft_adamw_free(ft_adamw **o);

/* From now on also parameters of this part are updated, at its rate, and such as are in no part
 * keep their values. Parts do not overlap. Errors: FT_ERR_NOMEM. */
int ft_adamw_add_part(ft_adamw *o, ft_adamw_part part, ft_err *e) FT_MUST_CHECK;

/* One update of params [n] by grads [n], with decay that is decoupled from the gradient. */
void ft_adamw_step(ft_adamw *o, float *params, const float *grads, double lr, double decay,
                   ft_pool *pool);

/* Scales grads down to a norm of at most max_norm (0: never), with the factor of torch's
 * clip_grad_norm_: max_norm / (norm + 1e-6) when that is below 1.
 * Returns: the Euclidean norm before clipping, summed in double in index order; NaN or infinity
 * when a gradient is. grads are then left alone. */
double ft_clip_gradient(float *grads, size_t n, double max_norm);

#endif
