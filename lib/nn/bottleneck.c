/* bottleneck.c: narrow layers behind the output y of o and down (Houlsby et al. 2019, section 2.1)
 * or of down alone (Pfeiffer et al. 2020, section 3), before the residual is added:
 *
 *   y' = y + s U^T + c,  s = silu(z),  z = y D^T + b;   D [R x C], U [C x R]
 *   dz = (dY' U) silu'(z),  dY = dY' + dz D
 *   dU += dY'^T s,  dc += sum dY',  dD += dz^T y,  db += sum dz
 *
 * y and z are kept as elements, and what follows is computed from these, so that backward sees the
 * same numbers.
 */
#include "base/rng.h"
#include "nn/method.h"
#include "nn/nn_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what it is ---- */

static int check(const ft_model *m, const ft_adapter_config *c, ft_err *e)
{
    if (c->targets != FT_BOTTLENECK_HOULSBY && c->targets != FT_BOTTLENECK_PFEIFFER)
        return ft_err_set(e, FT_ERR_USAGE, "bottlenecks stand behind o and down (houlsby), or "
                          "behind down (pfeiffer)");
    if (c->rank < 1 || c->rank > m->C)
        return ft_err_set(e, FT_ERR_USAGE, "a bottleneck of width %zu does not fit a model of %zu "
                          "channels: 1 to %zu", c->rank, m->C, m->C);
    return 0;
}

static int lay_out(ft_adapter *a, const ft_model *m, ft_err *e)
{
    size_t R = a->cfg.rank, C = m->C;
    const ft_slot parts[] = {{.role = FT_ROLE_NARROW, .rows = R, .cols = C},
                             {.role = FT_ROLE_NARROW_BIAS, .rows = R, .cols = 1, .vector = 1},
                             {.role = FT_ROLE_WIDE, .rows = C, .cols = R},
                             {.role = FT_ROLE_WIDE_BIAS, .rows = C, .cols = 1, .vector = 1}};
    int rc = 0;
    for (size_t i = 0; i < m->L * FT_TARGETS; i++)
        for (size_t k = 0; k < sizeof parts / sizeof *parts && rc == 0; k++) {
            ft_slot s = parts[k];
            s.layer = i / FT_TARGETS;
            s.target = (enum ft_target)(i % FT_TARGETS);
            if (a->cfg.targets >> s.target & 1)
                rc = ft_adapter_add_slot(a, s, e);
        }
    return rc;
}

/* All but D begins at zero, so that nothing is changed at first. */
static void init(ft_adapter *a, const ft_model *m, uint64_t seed)
{
    uint32_t tensor = 0;
    float bound = (float)(1 / sqrt((double)m->C));
    a->scaling = 1;
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        if (s->role != FT_ROLE_NARROW)
            continue;
        for (size_t j = 0; j < s->rows * s->cols; j++)
            a->params[s->at + j] = (2 * ft_rng_float(seed, FT_RNG_INIT, tensor, j) - 1) * bound;
        tensor++;
    }
}

static void slot_name(const ft_slot *s, char *name, size_t cap)
{
    static const char *const parts[FT_ROLES] = {
        [FT_ROLE_NARROW] = "down.weight", [FT_ROLE_NARROW_BIAS] = "down.bias",
        [FT_ROLE_WIDE] = "up.weight", [FT_ROLE_WIDE_BIAS] = "up.bias"};
    snprintf(name, cap, "%s.adapter_%s", s->target == FT_O ? "self_attn" : "mlp", parts[s->role]);
}

static void put_config(ft_buf *b, const ft_adapter_config *c)
{
    ft_mp_put_cstr(b, "kind");
    ft_mp_put_cstr(b, c->targets == FT_BOTTLENECK_HOULSBY ? "houlsby" : "pfeiffer");
    ft_mp_put_cstr(b, "width");
    ft_mp_put_uint(b, c->rank);
    ft_mp_put_cstr(b, "activation");
    ft_mp_put_cstr(b, "silu");
}

static int get_config(ft_mp map, ft_adapter_config *c, ft_err *e)
{
    uint64_t width;
    ft_slice kind, activation;
    if (!ft_mp_get_str(map, "kind", &kind) ||
        (!ft_slice_is(kind, "houlsby") && !ft_slice_is(kind, "pfeiffer")))
        return ft_err_set(e, FT_ERR_DATA, "kind: missing, or neither houlsby nor pfeiffer");
    if (!ft_mp_get_uint(map, "width", &width) || width < 1 || width > SIZE_MAX)
        return ft_err_set(e, FT_ERR_DATA, "width: missing or zero");
    if (!ft_mp_get_str(map, "activation", &activation) || !ft_slice_is(activation, "silu"))
        return ft_err_set(e, FT_ERR_DATA, "activation: missing, or not silu, the only one that "
                          "this version knows");
    c->rank = (size_t)width;
    c->targets = ft_slice_is(kind, "houlsby") ? FT_BOTTLENECK_HOULSBY : FT_BOTTLENECK_PFEIFFER;
    return 0;
}

/* ---- forward ---- */

static int follows(const struct ft_nn *nn, enum ft_target t)
{
    return (int)(nn->adapter->cfg.targets >> t & 1);
}

static const float *part(const struct ft_nn *nn, size_t layer, enum ft_target t, enum ft_role role)
{
    return ft_adapter_of(nn->adapter, nn->adapter->params, layer, t, role);
}

struct finish {
    elem *z, *to;              /* [rows x R2], z of the rows; silu(z) or dz                     */
    const float *bias;
    float *y;                  /* [rows x C], changed in place                                 */
};

/* Row r of a tile into rows of R elements, R2 apart, a zero behind an odd R. */
static void put_narrow(struct ft_nn *nn, const struct tile *t, size_t r, const float *x, elem *to)
{
    elem *row = elem_at(nn, to, (t->row + r) * nn->R2);
    const float zero = 0;
    nn_put(nn, x, elem_at(nn, row, t->col), t->cols);
    if (nn->R < nn->R2 && t->col + t->cols == nn->R)
        nn_put(nn, &zero, elem_at(nn, row, nn->R), 1);
}

static void fill_ones(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = 1;
}

/* z, rounded as it is kept, and silu(z). */
static void put_z(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    float *one = t->spare, *kept = one + t->cols, *s = kept + t->cols;
    fill_ones(one, t->cols);
    for (size_t r = 0; r < t->rows; r++) {
        float *z = t->y[0] + r * t->ld;
        nn->kern->axpy(1, f->bias + t->col, z, t->cols);
        put_narrow(nn, t, r, z, f->z);
        nn_get(nn, elem_at(nn, f->z, (t->row + r) * nn->R2 + t->col), kept, t->cols);
        nn->kern->swiglu(kept, one, s, t->cols);
        put_narrow(nn, t, r, s, f->to);
    }
}

static void add_wide(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    for (size_t r = 0; r < t->rows; r++) {
        float *x = t->y[0] + r * t->ld;
        nn->kern->axpy(1, f->bias + t->col, x, t->cols);
        nn->kern->axpy(1, x, f->y + (t->row + r) * nn->m->C + t->col, t->cols);
    }
}

static void behind(struct ft_nn *nn, const struct rowset *rows, size_t layer, enum ft_target t,
                   const struct acts *a, float *y)
{
    size_t R = nn->R, C = nn->m->C;
    struct finish narrow = {.z = a->u[t], .to = nn->narrow,
                            .bias = part(nn, layer, t, FT_ROLE_NARROW_BIAS)};
    struct finish wide = {.bias = part(nn, layer, t, FT_ROLE_WIDE_BIAS), .y = y};
    struct product down = {.n_out = 1, .cols = R, .finish = put_z, .ctx = &narrow, .layer = layer};
    struct product up = {.n_out = 1, .cols = C, .finish = add_wide, .ctx = &wide, .layer = layer};
    nn_add_term(&down.out[0], a->out[t], C, C,
                (struct source){.m = part(nn, layer, t, FT_ROLE_NARROW), .ld = C, .alpha = 1,
                                .by_rows = 1}, 0);
    nn_add_term(&up.out[0], nn->narrow, nn->R2, R,
                (struct source){.m = part(nn, layer, t, FT_ROLE_WIDE), .ld = R, .alpha = 1,
                                .by_rows = 1}, 0);
    nn_products(nn, rows, &down, 1);
    if (y)
        nn_products(nn, rows, &up, 1);
}

/* ---- backward ---- */

/* From a tile of ds: s again, and dz. */
static void put_dz(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    float *one = t->spare, *z = one + t->cols, *s = z + t->cols, *dz = s + t->cols;
    float *unused = dz + t->cols;
    fill_ones(one, t->cols);
    for (size_t r = 0; r < t->rows; r++) {
        nn_get(nn, elem_at(nn, f->z, (t->row + r) * nn->R2 + t->col), z, t->cols);
        nn->kern->swiglu(z, one, s, t->cols);
        nn->kern->swiglu_back(t->y[0] + r * t->ld, z, one, dz, unused, t->cols);
        put_narrow(nn, t, r, s, nn->narrow);
        put_narrow(nn, t, r, dz, f->to);
    }
}

static void put_dy(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    (void)ctx;
    for (size_t r = 0; r < t->rows; r++) {
        size_t at = (t->row + r) * nn->m->C + t->col;
        float *dy = t->y[0] + r * t->ld;
        nn->kern->axpy(1, nn->dx + at, dy, t->cols);
        nn_put(nn, dy, elem_at(nn, nn->dout, at), t->cols);
    }
}

/* Gradients of the biases, added row by row in order: columns of c, then of b. */
struct sums {
    struct ft_nn *nn;
    const struct rowset *rows;
    float *dc, *db;
};

enum { COLUMNS = 64 };         /* of a task */

static size_t sum_tasks(size_t n)
{
    return (n + COLUMNS - 1) / COLUMNS;
}

static void sum_task(void *ctx, size_t task, unsigned worker)
{
    const struct sums *s = ctx;
    struct ft_nn *nn = s->nn;
    size_t C = nn->m->C, first = s->rows->at, end = first + s->rows->n;
    int wide = task < sum_tasks(C);
    size_t from = (wide ? task : task - sum_tasks(C)) * COLUMNS, all = wide ? C : nn->R;
    size_t n = all - from < COLUMNS ? all - from : COLUMNS;
    float *line = scratch_of(nn, worker);
    for (size_t row = first; row < end; row++) {
        if (wide) {
            nn->kern->axpy(1, nn->dx + row * C + from, s->dc + from, n);
        } else {
            nn_get(nn, elem_at(nn, nn->du[0], row * nn->R2 + from), line, n);
            nn->kern->axpy(1, line, s->db + from, n);
        }
    }
}

static const elem *behind_back(struct ft_nn *nn, const struct rowset *rows, size_t layer,
                               enum ft_target t, const struct acts *a, float *grads)
{
    size_t R = nn->R, C = nn->m->C;
    struct finish f = {.z = a->u[t], .to = nn->du[0]};
    struct product dz = {.n_out = 1, .cols = R, .finish = put_dz, .ctx = &f, .layer = layer};
    struct product dy = {.n_out = 1, .cols = C, .finish = put_dy, .layer = layer};
    struct sums s = {nn, rows, ft_adapter_of(nn->adapter, grads, layer, t, FT_ROLE_WIDE_BIAS),
                     ft_adapter_of(nn->adapter, grads, layer, t, FT_ROLE_NARROW_BIAS)};
    struct nn_low_rank sides = {C, C, a->out[t], nn->dy, nn->narrow, nn->du[0],
                                ft_adapter_of(nn->adapter, grads, layer, t, FT_ROLE_NARROW),
                                ft_adapter_of(nn->adapter, grads, layer, t, FT_ROLE_WIDE)};
    nn_add_term(&dz.out[0], nn->dy, C, C,
                (struct source){.m = part(nn, layer, t, FT_ROLE_WIDE), .ld = R, .alpha = 1}, 0);
    nn_add_term(&dy.out[0], nn->du[0], nn->R2, R,
                (struct source){.m = part(nn, layer, t, FT_ROLE_NARROW), .ld = C, .alpha = 1}, 0);
    nn_products(nn, rows, &dz, 1);
    nn_products(nn, rows, &dy, 1);
    nn_low_rank_gradients(nn, rows, &sides);
    ft_pool_run(nn->pool, sum_tasks(C) + sum_tasks(R), sum_task, &s);
    return nn->dout;
}

static const struct nn_hooks hooks = {.follows = follows, .behind = behind,
                                      .behind_back = behind_back};

const struct ft_method_kind ft_method_bottleneck = {
    .name = "adapter", .rate = 1e-3, .check = check, .lay_out = lay_out, .init = init,
    .slot_name = slot_name, .entries = 3, .put_config = put_config, .get_config = get_config,
    .hooks = &hooks,
    .not_merged = "its layers are not linear, so that no matrix does what they do"};
