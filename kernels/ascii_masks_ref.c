#include "kernels/kernels_internal.h"

void ft_k_ascii_masks_ref(const uint8_t *p, ft_ascii_masks *m)
{
    *m = (ft_ascii_masks){0};
    for (unsigned i = 0; i < 64; i++) {
        uint64_t c = p[i], bit = (uint64_t)1 << i;
        m->letter |= (c | 0x20) - 'a' < 26 ? bit : 0;
        m->digit |= c - '0' < 10 ? bit : 0;
        m->space |= c == ' ' || c - 0x09 < 5 ? bit : 0;
        m->blank |= c == ' ' ? bit : 0;
        m->quote |= c == '\'' ? bit : 0;
        m->wide |= c >= 0x80 ? bit : 0;
    }
}
