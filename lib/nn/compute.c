#include "nn/transformer.h"

#include "kernels/kernels.h"

#include <string.h>

static const char *const computes[] = {"f32", "bf16", "int8", "auto"};
static const char *const recomputes[] = {"none", "attention", "full"};

/* Returns: the index of name, or of the last one. */
static size_t index_of(const char *const *names, size_t n, const char *name)
{
    size_t i = 0;
    while (i + 1 < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

enum ft_compute ft_compute_resolve(enum ft_compute c)
{
    if (c != FT_COMPUTE_AUTO)
        return c;
    return strcmp(ft_kernels_get()->name, "avx512") == 0 ? FT_COMPUTE_BF16 : FT_COMPUTE_F32;
}

const char *ft_compute_name(enum ft_compute c)
{
    return computes[c];
}

enum ft_compute ft_compute_by_name(const char *name)
{
    return (enum ft_compute)index_of(computes, FT_COMPUTE_AUTO + 1, name);
}

const char *ft_recompute_name(enum ft_recompute r)
{
    return recomputes[r];
}

enum ft_recompute ft_recompute_by_name(const char *name)
{
    return (enum ft_recompute)index_of(recomputes, FT_RECOMPUTE_FULL + 1, name);
}
