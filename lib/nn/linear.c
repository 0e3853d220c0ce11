/* linear.c: the frozen matrices of a layer as terms of products, with a method's beside them.
 *
 *   y = x W^T + …;   dx = dY W + …
 */
#include "nn/nn_internal.h"

void nn_add_term(struct output *out, const elem *a, size_t lda, size_t k, struct source b,
                 int mask)
{
    out->term[out->n_terms++] = (struct term){a, lda, k, b, mask};
}

void nn_linear_terms(struct ft_nn *nn, size_t layer, enum ft_target t, const elem *x,
                     const struct acts *a, struct output *out)
{
    const ft_weight *w = &nn->m->layers[layer].w[t];
    nn_add_term(out, x, w->cols, w->cols, (struct source){.w = w, .by_rows = 1}, 0);
    if (nn->hooks->terms)
        nn->hooks->terms(nn, layer, t, a, out);
}

void nn_linear_back_terms(struct ft_nn *nn, const struct linear_back *b, struct output *out)
{
    for (size_t i = 0; i < b->n; i++) {
        const ft_weight *w = &nn->m->layers[b->layer].w[b->t[i]];
        nn_add_term(out, b->dy[i], w->rows, w->rows, (struct source){.w = w}, 0);
        if (nn->hooks->back_terms)
            nn->hooks->back_terms(nn, b, i, out);
    }
}
