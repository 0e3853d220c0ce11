#include "kernels/kernels_internal.h"

enum { BLOCK = FT_HADAMARD };

void ft_k_hadamard_ref(float *x, size_t n)
{
    for (; n >= BLOCK; n -= BLOCK, x += BLOCK)
        ft_k_hadamard_rows_ref(x, 1, BLOCK, 1);
}

/* Butterflies at distances 1, 2, … BLOCK / 2 between rows. */
void ft_k_hadamard_rows_ref(float *x, size_t ld, size_t rows, size_t n)
{
    for (; rows >= BLOCK; rows -= BLOCK, x += BLOCK * ld)
        for (size_t h = 1; h < BLOCK; h *= 2)
            for (size_t i = 0; i < BLOCK; i++)
                for (size_t j = 0; i & h ? 0 : j < n; j++) {
                    float *a = x + i * ld + j, *b = a + h * ld;
                    float sum = *a + *b, difference = *a - *b;
                    float scale = h == BLOCK / 2 ? 0.125f : 1;
                    *a = sum * scale;
                    *b = difference * scale;
                }
}
