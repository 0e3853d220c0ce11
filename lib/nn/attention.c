/* attention.c: causal softmax attention with grouped key/value heads, by blocks of queries.
 *
 * For a block of FT_TILE_QUERIES rows only its scores against the keys so far exist at a time, in
 * the scratch of the thread; forward keeps the log-sum-exp of each row, from which backward
 * computes the probabilities again (Dao et al. 2022, without the tiling over keys).
 */
#include "nn/nn_internal.h"

#include <math.h>
#include <string.h>

struct attention {
    struct ft_nn *nn;
    const struct acts *a;
    const float *datt;
    float *dq, *dk, *dv;
    float scale;
};

/* Scores of queries [r0, r1) of head h against keys [0, r1) into s [r1-r0 x r1]. */
static void scores(const struct attention *at, size_t first, size_t h, size_t r0, size_t r1,
                   float *s)
{
    const ft_model *m = at->nn->m;
    size_t group = m->H / m->H_kv, ldq = m->H * m->D, ldk = m->H_kv * m->D;
    nn_gemm_nt(r1 - r0, r1, m->D, 1, at->a->q + (first + r0) * ldq + h * m->D, ldq,
               at->a->k + first * ldk + h / group * m->D, ldk, 0, s, r1);
}

static void forward_task(void *ctx, size_t task, unsigned worker)
{
    const struct attention *at = ctx;
    struct ft_nn *nn = at->nn;
    const ft_model *m = nn->m;
    size_t h = task % m->H, seq = task / m->H, T = nn->seqs[seq].T, first = nn->first[seq];
    size_t ldq = m->H * m->D, ldk = m->H_kv * m->D, kv = h / (m->H / m->H_kv);
    float *s = scratch_of(nn, worker);
    for (size_t r0 = 0; r0 < T; r0 += FT_TILE_QUERIES) {
        size_t r1 = T - r0 < FT_TILE_QUERIES ? T : r0 + FT_TILE_QUERIES;
        scores(at, first, h, r0, r1, s);
        for (size_t r = r0; r < r1; r++) {
            float *row = s + (r - r0) * r1;
            at->a->lse[(first + r) * m->H + h] = nn->kern->softmax(row, at->scale, r + 1);
            memset(row + r + 1, 0, (r1 - r - 1) * sizeof *row);
        }
        nn_gemm_nn(r1 - r0, m->D, r1, 1, s, r1, at->a->v + first * ldk + kv * m->D, ldk, 0,
                   at->a->att + (first + r0) * ldq + h * m->D, ldq);
    }
}

void nn_attention(struct ft_nn *nn, struct acts *a)
{
    struct attention at = {nn, a, NULL, NULL, NULL, NULL, 1 / sqrtf((float)nn->m->D)};
    ft_pool_run(nn->pool, nn->n_seqs * nn->m->H, forward_task, &at);
}

/* One block of queries of one head: with P the probabilities, dP = dO V^T,
 * dS = P (dP - rowsum(dO O)) scale; dQ = dS K, dK += dS^T Q, dV += P^T dO. */
static void back_block(const struct attention *at, size_t first, size_t h, size_t r0, size_t r1,
                       float *p, float *ds)
{
    struct ft_nn *nn = at->nn;
    const ft_model *m = nn->m;
    size_t D = m->D, ldq = m->H * D, ldk = m->H_kv * D, kv = h / (m->H / m->H_kv), M = r1 - r0;
    const float *o = at->a->att + (first + r0) * ldq + h * D;
    const float *d_o = at->datt + (first + r0) * ldq + h * D;
    const float *q = at->a->q + (first + r0) * ldq + h * D;
    const float *k = at->a->k + first * ldk + kv * D, *v = at->a->v + first * ldk + kv * D;
    scores(at, first, h, r0, r1, p);
    nn_gemm_nt(M, r1, D, 1, d_o, ldq, v, ldk, 0, ds, r1);
    for (size_t r = 0; r < M; r++) {
        float *prow = p + r * r1, *drow = ds + r * r1;
        size_t seen = r0 + r + 1;
        float delta = nn->kern->dot(d_o + r * ldq, o + r * ldq, D);
        nn->kern->softmax_again(prow, at->scale, at->a->lse[(first + r0 + r) * m->H + h], seen);
        for (size_t c = 0; c < seen; c++)
            drow[c] = prow[c] * (drow[c] - delta) * at->scale;
        memset(prow + seen, 0, (r1 - seen) * sizeof *prow);
        memset(drow + seen, 0, (r1 - seen) * sizeof *drow);
    }
    nn_gemm_nn(M, D, r1, 1, ds, r1, k, ldk, 0, at->dq + (first + r0) * ldq + h * D, ldq);
    nn_gemm_tn(r1, D, M, 1, ds, r1, q, ldq, 1, at->dk + first * ldk + kv * D, ldk);
    nn_gemm_tn(r1, D, M, 1, p, r1, d_o, ldq, 1, at->dv + first * ldk + kv * D, ldk);
}

/* The heads that share a key/value head are one task, in order: they add to the same dK, dV. */
static void back_task(void *ctx, size_t task, unsigned worker)
{
    const struct attention *at = ctx;
    struct ft_nn *nn = at->nn;
    const ft_model *m = nn->m;
    size_t kv = task % m->H_kv, seq = task / m->H_kv, group = m->H / m->H_kv;
    size_t T = nn->seqs[seq].T, first = nn->first[seq], ldk = m->H_kv * m->D;
    float *p = scratch_of(nn, worker), *ds = p + FT_TILE_QUERIES * T;
    for (size_t t = 0; t < T; t++) {
        memset(at->dk + (first + t) * ldk + kv * m->D, 0, m->D * sizeof(float));
        memset(at->dv + (first + t) * ldk + kv * m->D, 0, m->D * sizeof(float));
    }
    for (size_t h = kv * group; h < (kv + 1) * group; h++)
        for (size_t r0 = 0; r0 < T; r0 += FT_TILE_QUERIES)
            back_block(at, first, h, r0, T - r0 < FT_TILE_QUERIES ? T : r0 + FT_TILE_QUERIES, p,
                       ds);
}

void nn_attention_back(struct ft_nn *nn, const struct acts *a, const float *datt, float *dq,
                       float *dk, float *dv)
{
    struct attention at = {nn, a, datt, dq, dk, dv, 1 / sqrtf((float)nn->m->D)};
    ft_pool_run(nn->pool, nn->n_seqs * nn->m->H_kv, back_task, &at);
}
