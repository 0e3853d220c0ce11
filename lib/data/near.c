#include "data/near.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

struct ft_near {
    size_t bands, rows;
    uint64_t *a, *b;
};

int ft_near_new(ft_near **out, uint64_t seed, size_t bands, size_t rows, ft_err *e)
{
    size_t k = bands * rows;
    ft_near *f = ft_new(1, sizeof *f, e);
    *out = f;
    if (!f)
        return FT_ERR_NOMEM;
    f->bands = bands;
    f->rows = rows;
    f->a = ft_new_aligned(k, sizeof *f->a, e);
    f->b = f->a ? ft_new_aligned(k, sizeof *f->b, e) : NULL;
    if (!f->b) {
        ft_near_free(out);
        return FT_ERR_NOMEM;
    }
    for (size_t j = 0; j < k; j++) {
        f->a[j] = ft_rng_u64(seed, FT_RNG_DATA, 0, 2 * j) | 1;
        f->b[j] = ft_rng_u64(seed, FT_RNG_DATA, 0, 2 * j + 1);
    }
    return 0;
}

void ft_near_free(ft_near **f)
{
    if (!*f)
        return;
    ft_free((*f)->a);
    ft_free((*f)->b);
    ft_free(*f);
    *f = NULL;
}

size_t ft_near_bands(const ft_near *f)
{
    return f->bands;
}

size_t ft_near_minima(const ft_near *f)
{
    return f->bands * f->rows;
}

void ft_near_keys(const ft_near *f, const uint64_t *h, size_t n, uint32_t *scratch, uint64_t *keys)
{
    size_t k = ft_near_minima(f);
    memset(scratch, 0xff, k * sizeof *scratch);
    ft_kernels_get()->minhash(h, n, f->a, f->b, scratch, k);
    for (size_t i = 0; i < f->bands; i++) {
        uint64_t key = ft_hash64(scratch + i * f->rows, f->rows * sizeof *scratch, 0);
        keys[i] = key ? key : 1;
    }
}

double ft_near_probability(double j, size_t bands, size_t rows)
{
    return 1 - pow(1 - pow(j, (double)rows), (double)bands);
}
