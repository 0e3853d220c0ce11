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
    double sign[256][8];         /* of the bits of a byte   */
    float *out;
} projection;

/* sum[0..64) += value with the signs of 64 bits; eight at a time, for the compiler's sake. */
static void add_signs(const projection *p, uint64_t signs, double value, double *sum)
{
    for (size_t b = 0; b < 8; b++, sum += 8) {
        const double *sign = p->sign[signs >> 8 * b & 0xff];
        for (size_t k = 0; k < 8; k++)
            sum[k] += sign[k] * value;
    }
}

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
        for (size_t j = 0; j < p->d; j += 64)
            add_signs(p, ft_rng_u64(0, FT_RNG_DATA, STEP, column * (p->d / 64) + j / 64), value,
                      sum + j);
    }
    for (size_t j = 0; j < p->d; j++)
        p->out[i * p->d + j] = (float)sum[j];
    ft_points_normalise(p->out + i * p->d, 1, p->d);
}

int ft_text_points(const ft_slice *packed, size_t n, size_t d, ft_pool *pool, float *out,
                   ft_err *e)
{
    uint32_t *texts = ft_new(FT_NGRAM_COLUMNS, sizeof *texts, e);
    projection p = {.packed = packed, .n = n, .d = d, .texts = texts, .out = out};
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
    for (size_t byte = 0; byte < 256; byte++)
        for (size_t k = 0; k < 8; k++)
            p.sign[byte][k] = byte >> k & 1 ? 1 : -1;
    ft_pool_run(pool, n, project, &p);
    ft_free(texts);
    return 0;
}
