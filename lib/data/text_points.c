#include "data/text_points.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/ngrams.h"
#include "data/spread.h"

#include <math.h>
#include <string.h>

#define STEP 0x7470
#define D_MAX 1024

typedef struct projection {
    const ft_slice *packed;
    size_t n, d;
    const uint32_t *texts;       /* by column: that have it */
    float *out;
} projection;

static void project(void *ctx, size_t i, unsigned worker)
{
    const projection *p = ctx;
    ft_ngram_iter it = ft_ngrams_of(p->packed[i]);
    double sum[D_MAX];
    uint32_t column, count;
    (void)worker;
    memset(sum, 0, p->d * sizeof *sum);
    while (ft_ngrams_next(&it, &column, &count)) {
        double value = (1 + log((double)count)) *
                       (1 + log((1 + (double)p->n) / (1 + (double)p->texts[column])));
        for (size_t j = 0; j < p->d; j += 64) {
            uint64_t signs = ft_rng_u64(0, FT_RNG_DATA, STEP, column * (p->d / 64) + j / 64);
            for (size_t k = 0; k < 64; k++)
                sum[j + k] += signs >> k & 1 ? value : -value;
        }
    }
    for (size_t j = 0; j < p->d; j++)
        p->out[i * p->d + j] = (float)sum[j];
    ft_points_normalise(p->out + i * p->d, 1, p->d);
}

int ft_text_points(const ft_slice *packed, size_t n, size_t d, ft_pool *pool, float *out,
                   ft_err *e)
{
    uint32_t *texts = ft_new(FT_NGRAM_COLUMNS, sizeof *texts, e);
    projection p = {packed, n, d, texts, out};
    if (!texts)
        return FT_ERR_NOMEM;
    if (d > D_MAX || d % 64) {
        ft_free(texts);
        return ft_err_set(e, FT_ERR_INTERNAL, "points of %zu numbers", d);
    }
    for (size_t i = 0; i < n; i++) {
        ft_ngram_iter it = ft_ngrams_of(packed[i]);
        uint32_t column, count;
        while (ft_ngrams_next(&it, &column, &count))
            texts[column]++;
    }
    ft_pool_run(pool, n, project, &p);
    ft_free(texts);
    return 0;
}
