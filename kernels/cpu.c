/* cpu.c: what this processor can do, and what the operating system saves of it. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0: which register states the system saves at a switch (bits 1, 2: xmm, ymm; 5-7: zmm). */
static uint64_t saved_states(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static int has(uint32_t word, unsigned bit)
{
    return word >> bit & 1;
}

struct ft_cpu ft_cpu_detect(void)
{
    struct ft_cpu cpu = {0, 0};
    uint32_t a, b, c, d, leaf7_b, leaf7_c, leaf1_c;
    uint64_t saved;
    if (!__get_cpuid(1, &a, &b, &leaf1_c, &d) || !has(leaf1_c, 27) /* OSXSAVE */)
        return cpu;
    saved = saved_states();
    if (!__get_cpuid_count(7, 0, &a, &leaf7_b, &leaf7_c, &d))
        return cpu;
    cpu.avx2 = (saved & 6) == 6 && has(leaf1_c, 28) && has(leaf1_c, 12) /* FMA */ &&
               has(leaf1_c, 29) /* F16C */ && has(leaf7_b, 5);
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d))
        a = 0;
    cpu.avx512 = cpu.avx2 && (saved & 0xe6) == 0xe6 && has(leaf7_b, 16) /* F */ &&
                 has(leaf7_b, 17) /* DQ */ && has(leaf7_b, 30) /* BW */ &&
                 has(leaf7_b, 31) /* VL */ && has(leaf7_c, 11) /* VNNI */ && has(a, 5) /* BF16 */;
    return cpu;
}
#else
struct ft_cpu ft_cpu_detect(void)
{
    return (struct ft_cpu){0, 0};
}
#endif
