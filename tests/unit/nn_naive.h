/* nn_naive.h: a Llama transformer with LoRA, DoRA and IA3 in double, written from the papers for
 * the tests of lib/nn: no tiles, no cache, no BLAS, no kernels; one function for each formula. */
#ifndef NN_NAIVE_H
#define NN_NAIVE_H

#include "model/model.h"
#include "nn/adapter.h"
#include "nn/transformer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct naive {
    const ft_model *m;
    const ft_adapter *l;
    const double *params;      /* in place of l->params */
};

static inline double *naive_new(size_t n)
{
    double *p = calloc(n ? n : 1, sizeof *p);
    assert(p);
    return p;
}

static inline double *naive_weights(const ft_weight *w)
{
    float *f = malloc(w->rows * w->cols * sizeof *f);
    double *d = naive_new(w->rows * w->cols);
    assert(f);
    ft_dequantise(w->type, w->data, f, w->rows * w->cols);
    for (size_t i = 0; i < w->rows * w->cols; i++)
        d[i] = (double)f[i];
    free(f);
    return d;
}

/* y = W x, row by row of x; the caller frees. */
static inline double *naive_product(const double *w, size_t rows, size_t cols, const double *x,
                                    size_t T)
{
    double *y = naive_new(T * rows);
    for (size_t t = 0; t < T; t++)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < cols; c++)
                y[t * rows + r] += w[r * cols + c] * x[t * cols + c];
    return y;
}

/* Length of row r of W + scaling B A. For the gradient it is a constant, so it is that of
 * l->params, not of n->params. */
static inline double naive_length(const struct naive *n, const double *w, size_t cols, size_t r,
                                  const size_t *at)
{
    const float *a = n->l->params + at[FT_ROLE_A], *b = n->l->params + at[FT_ROLE_B];
    size_t R = n->l->cfg.rank;
    double sum = 0;
    for (size_t c = 0; c < cols; c++) {
        double x = w[r * cols + c];
        for (size_t k = 0; k < R; k++)
            x += (double)n->l->cfg.alpha / (double)R * (double)b[r * R + k] *
                 (double)a[k * cols + c];
        sum += x * x;
    }
    return sqrt(sum);
}

/* DoRA: y_i *= m_i / length. IA3 on outputs: y_i *= l_i. */
static inline void naive_gain(const struct naive *n, const double *w, size_t rows, size_t cols,
                              const size_t *at, int outputs, double *y, size_t T)
{
    for (size_t r = 0; r < rows; r++) {
        double gain = 1;
        if (at[FT_ROLE_MAGNITUDE] != SIZE_MAX)
            gain = n->params[at[FT_ROLE_MAGNITUDE] + r] / naive_length(n, w, cols, r, at);
        if (at[FT_ROLE_SCALE] != SIZE_MAX && outputs)
            gain = n->params[at[FT_ROLE_SCALE] + r];
        for (size_t t = 0; t < T; t++)
            y[t * rows + r] *= gain;
    }
}

/* y = W x + scaling B A x of one matrix, and what its factors make of it; the caller frees. */
static inline double *naive_linear(const struct naive *n, size_t layer, enum ft_target t,
                                   const double *x, size_t T)
{
    const ft_weight *w = &n->m->layers[layer].w[t];
    double *full = naive_weights(w), *y, *in = naive_new(T * w->cols);
    const size_t *at = n->l ? n->l->role_at + (layer * FT_TARGETS + (size_t)t) * FT_ROLES : NULL;
    for (size_t i = 0; i < T * w->cols; i++)
        in[i] = at && t == FT_DOWN && at[FT_ROLE_SCALE] != SIZE_MAX
                    ? x[i] * n->params[at[FT_ROLE_SCALE] + i % w->cols] : x[i];
    y = naive_product(full, w->rows, w->cols, in, T);
    free(in);
    if (at && at[FT_ROLE_A] != SIZE_MAX) {
        size_t R = n->l->cfg.rank;
        double *u = naive_product(n->params + at[FT_ROLE_A], R, w->cols, x, T);
        double *v = naive_product(n->params + at[FT_ROLE_B], w->rows, R, u, T);
        for (size_t i = 0; i < T * w->rows; i++)
            y[i] += (double)n->l->cfg.alpha / (double)R * v[i];
        free(u);
        free(v);
    }
    if (at)
        naive_gain(n, full, w->rows, w->cols, at, t != FT_DOWN, y, T);
    free(full);
    return y;
}

/* y += U silu(D y + b) + c behind o or down, where the adapter has bottlenecks there. */
static inline void naive_bottleneck(const struct naive *n, size_t layer, enum ft_target t,
                                    double *y, size_t T)
{
    const size_t *at = n->l ? n->l->role_at + (layer * FT_TARGETS + (size_t)t) * FT_ROLES : NULL;
    size_t C = n->m->C, R;
    double *z, *v;
    if (!at || at[FT_ROLE_NARROW] == SIZE_MAX)
        return;
    R = n->l->cfg.rank;
    z = naive_product(n->params + at[FT_ROLE_NARROW], R, C, y, T);
    for (size_t i = 0; i < T * R; i++) {
        z[i] += n->params[at[FT_ROLE_NARROW_BIAS] + i % R];
        z[i] /= 1 + exp(-z[i]);
    }
    v = naive_product(n->params + at[FT_ROLE_WIDE], C, R, z, T);
    for (size_t i = 0; i < T * C; i++)
        y[i] += v[i] + n->params[at[FT_ROLE_WIDE_BIAS] + i % C];
    free(z);
    free(v);
}

static inline double *naive_norm(const double *x, const float *w, double eps, size_t T, size_t C)
{
    double *y = naive_new(T * C);
    for (size_t t = 0; t < T; t++) {
        double mean = 0;
        for (size_t c = 0; c < C; c++)
            mean += x[t * C + c] * x[t * C + c] / (double)C;
        for (size_t c = 0; c < C; c++)
            y[t * C + c] = x[t * C + c] / sqrt(mean + eps) * (double)w[c];
    }
    return y;
}

static inline void naive_rotate(double *x, size_t heads, const ft_model *m, size_t T)
{
    for (size_t t = 0; t < T; t++)
        for (size_t h = 0; h < heads; h++)
            for (size_t i = 0; i < m->D; i += 2) {
                double *p = x + (t * heads + h) * m->D + i, a = p[0], b = p[1];
                double turn = (double)t * pow((double)m->rope_theta, -(double)i / (double)m->D);
                if (m->rope_factors)
                    turn /= (double)m->rope_factors[i / 2];
                p[0] = a * cos(turn) - b * sin(turn);
                p[1] = a * sin(turn) + b * cos(turn);
            }
}

/* Attention of one query head h at position t: adds to out[D]. */
static inline void naive_attend(const ft_model *m, const double *q, const double *k,
                                const double *v, size_t t, size_t h, double *out)
{
    size_t D = m->D, kv = h / (m->H / m->H_kv);
    double *p = naive_new(t + 1), sum = 0, max = -INFINITY;
    for (size_t s = 0; s <= t; s++) {
        for (size_t i = 0; i < D; i++)
            p[s] += q[(t * m->H + h) * D + i] * k[(s * m->H_kv + kv) * D + i];
        p[s] /= sqrt((double)D);
        max = p[s] > max ? p[s] : max;
    }
    for (size_t s = 0; s <= t; s++)
        sum += p[s] = exp(p[s] - max);
    for (size_t s = 0; s <= t; s++)
        for (size_t i = 0; i < D; i++)
            out[i] += p[s] / sum * v[(s * m->H_kv + kv) * D + i];
    free(p);
}

/* Keys and values of prefix tuning's tokens, for those that were computed: of token i, layer after
 * layer, the keys and the values. */
static inline void naive_prefix(const struct naive *n, size_t layer, double *k, double *v)
{
    size_t kv = n->m->H_kv * n->m->D;
    if (!n->l || n->l->cfg.method != FT_METHOD_PREFIX)
        return;
    for (size_t i = 0; i < n->l->cfg.virtual_tokens; i++)
        for (size_t c = 0; c < kv; c++) {
            k[i * kv + c] = n->params[(i * n->m->L + layer) * 2 * kv + c];
            v[i * kv + c] = n->params[(i * n->m->L + layer) * 2 * kv + kv + c];
        }
}

static inline double *naive_attention(const struct naive *n, size_t layer, const double *x,
                                      size_t T)
{
    const ft_model *m = n->m;
    double *q = naive_linear(n, layer, FT_Q, x, T), *k = naive_linear(n, layer, FT_K, x, T);
    double *v = naive_linear(n, layer, FT_V, x, T), *o = naive_new(T * m->H * m->D), *y;
    naive_rotate(q, m->H, m, T);
    naive_rotate(k, m->H_kv, m, T);
    naive_prefix(n, layer, k, v);
    for (size_t t = 0; t < T; t++)
        for (size_t h = 0; h < m->H; h++)
            naive_attend(m, q, k, v, t, h, o + (t * m->H + h) * m->D);
    y = naive_linear(n, layer, FT_O, o, T);
    naive_bottleneck(n, layer, FT_O, y, T);
    free(q);
    free(k);
    free(v);
    free(o);
    return y;
}

static inline double *naive_mlp(const struct naive *n, size_t layer, const double *x, size_t T)
{
    double *g = naive_linear(n, layer, FT_GATE, x, T), *u = naive_linear(n, layer, FT_UP, x, T);
    double *y;
    for (size_t i = 0; i < T * n->m->F; i++)
        g[i] = g[i] / (1 + exp(-g[i])) * u[i];
    y = naive_linear(n, layer, FT_DOWN, g, T);
    naive_bottleneck(n, layer, FT_DOWN, y, T);
    free(g);
    free(u);
    return y;
}

/* x += y; frees y and h. */
static inline void naive_residual(double *x, double *y, double *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
    free(y);
    free(h);
}

/* Returns: the hidden states behind the final norm, [T x C]; the caller frees. */
static inline double *naive_hidden(const struct naive *n, const ft_seq *s)
{
    const ft_model *m = n->m;
    size_t T = s->T, C = m->C;
    double *embedding = naive_weights(&m->embedding);
    double *x = naive_new(T * C), *h, eps = (double)m->rms_eps;
    for (size_t i = 0; i < T * C; i++) {
        size_t id = s->ids[i / C];
        if (id < m->V)
            x[i] = embedding[id * C + i % C];
        else if (n->l->cfg.method == FT_METHOD_PROMPT)
            x[i] = n->params[(id - m->V) * C + i % C];
    }
    for (size_t layer = 0; layer < m->L; layer++) {
        h = naive_norm(x, m->layers[layer].attn_norm, eps, T, C);
        naive_residual(x, naive_attention(n, layer, h, T), h, T * C);
        h = naive_norm(x, m->layers[layer].mlp_norm, eps, T, C);
        naive_residual(x, naive_mlp(n, layer, h, T), h, T * C);
    }
    h = naive_norm(x, m->final_norm, eps, T, C);
    free(embedding);
    free(x);
    return h;
}

/* Returns: the sum of -log p over the targets of s. */
static inline double naive_loss(const struct naive *n, const ft_seq *s)
{
    const ft_model *m = n->m;
    size_t T = s->T;
    double *head = naive_weights(&m->head), *h = naive_hidden(n, s), *logits, loss = 0;
    logits = naive_product(head, m->V, m->C, h, T);
    for (size_t t = 1; t < T; t++) {
        const double *row = logits + (t - 1) * m->V;
        double max = -INFINITY, sum = 0;
        for (size_t v = 0; v < m->V; v++)
            max = row[v] > max ? row[v] : max;
        for (size_t v = 0; v < m->V; v++)
            sum += exp(row[v] - max);
        if (s->target[t])
            loss += max + log(sum) - row[s->ids[t]];
    }
    free(head);
    free(h);
    free(logits);
    return loss;
}

#endif
