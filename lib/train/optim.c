#include "train/optim.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>

/* A task updates this many parameters whatever the number of threads: a kernel may round the end
 * of a range differently from its middle, so the cuts must not move. */
enum { PART = 1 << 16 };

int ft_adamw_new(ft_adamw **out, size_t n, ft_err *e)
{
    ft_adamw *o = ft_new(1, sizeof *o, e);
    *out = NULL;
    if (!o)
        return FT_ERR_NOMEM;
    *o = (ft_adamw){.n = n, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8f};
    o->m = ft_new(n, sizeof *o->m, e);
    o->v = o->m ? ft_new(n, sizeof *o->v, e) : NULL;
    if (!o->v) {
        ft_adamw_free(&o);
        return FT_ERR_NOMEM;
    }
    *out = o;
    return 0;
}

void ft_adamw_free(ft_adamw **o)
{
    if (!*o)
        return;
    ft_free((*o)->m);
    ft_free((*o)->v);
    ft_free((*o)->parts);
    ft_free(*o);
    *o = NULL;
}

static int add_task(ft_adamw *o, ft_adamw_part p, ft_err *e)
{
    if (ft_grow(&o->parts, &o->parts_cap, o->n_parts + 1, sizeof *o->parts, e) < 0)
        return FT_ERR_NOMEM;
    o->parts[o->n_parts++] = p;
    return 0;
}

int ft_adamw_add_part(ft_adamw *o, ft_adamw_part p, ft_err *e)
{
    size_t all, rows;
    if (p.ld == p.n) {         /* one run */
        p.n *= p.rows;
        p.ld = p.n;
        p.rows = 1;
    }
    all = p.rows > 1 ? p.rows : p.n;
    rows = p.rows > 1 ? PART / p.n + 1 : PART;
    for (size_t from = 0; from < all; from += rows) {
        ft_adamw_part cut = p;
        size_t n = all - from < rows ? all - from : rows;
        cut.at = p.at + (p.rows > 1 ? from * p.ld : from);
        *(p.rows > 1 ? &cut.rows : &cut.n) = n;
        if (add_task(o, cut, e) < 0)
            return FT_ERR_NOMEM;
    }
    return 0;
}

typedef struct update {
    const ft_adamw *o;
    float *params;
    const float *grads;
    double lr;
    float c1, c2, decay;
} update;

static void update_run(const update *u, size_t from, size_t n, double rate)
{
    const ft_adamw *o = u->o;
    ft_kernels_get()->adamw(u->params + from, o->m + from, o->v + from, u->grads + from, n,
                            (float)(u->lr * rate), (float)o->beta1, (float)o->beta2, u->c1, u->c2,
                            o->eps, u->decay);
}

static void update_part(void *ctx, size_t task, unsigned worker)
{
    const update *u = ctx;
    const ft_adamw *o = u->o;
    size_t from = task * PART, n = o->n - from < PART ? o->n - from : PART;
    (void)worker;
    update_run(u, from, n, 1);
}

static void update_rows(void *ctx, size_t task, unsigned worker)
{
    const update *u = ctx;
    const ft_adamw_part *p = &u->o->parts[task];
    (void)worker;
    for (size_t r = 0; r < p->rows; r++)
        update_run(u, p->at + r * p->ld, p->n, p->rate);
}

void ft_adamw_step(ft_adamw *o, float *params, const float *grads, double lr, double decay,
                   ft_pool *pool)
{
    double t = (double)++o->t;
    update u = {o, params, grads, lr, (float)(1 - pow(o->beta1, t)),
                (float)(1 - pow(o->beta2, t)), (float)decay};
    if (o->parts)
        ft_pool_run(pool, o->n_parts, update_rows, &u);
    else
        ft_pool_run(pool, o->n / PART + (o->n % PART != 0), update_part, &u);
}

double ft_clip_gradient(float *grads, size_t n, double max_norm)
{
    const ft_kernels *k = ft_kernels_get();
    double norm = sqrt(k->sum_squares(grads, n)), factor = max_norm / (norm + 1e-6);
    if (isfinite(norm) && max_norm > 0 && factor < 1)
        k->scale((float)factor, grads, n);
    return norm;
}
