/* The minima of MinHash against the formula in 128 bits, written here once more: for numbers of
 * hash functions around every width of registers, at odd addresses, between guards. */
#include "kernels_support.h"

static uint64_t bits(size_t which, size_t i)
{
    uint64_t z = (which * 1000003 + i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t least(uint32_t was, const uint64_t *h, size_t n, uint64_t a, uint64_t b)
{
    for (size_t i = 0; i < n; i++) {
        unsigned __int128 v = (unsigned __int128)a * h[i] + b;
        uint32_t middle = (uint32_t)(v % ((unsigned __int128)1 << 64) / ((uint64_t)1 << 32));
        was = middle < was ? middle : was;
    }
    return was;
}

static uint64_t *numbers(area *a, size_t n, size_t shift, size_t which)
{
    uint64_t *p = area_take(a, n * sizeof *p, shift);
    for (size_t i = 0; i < n; i++) {
        uint64_t v = bits(which, i);
        memcpy((uint8_t *)p + i * sizeof v, &v, sizeof v);
    }
    return p;
}

static const size_t functions[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 33, 112, 113};
static const size_t shingles[] = {0, 1, 2, 53, 200};
static const size_t byte_shifts[] = {0, 8, 24};

static void minima_are_right(const ft_kernels *f)
{
    static area ha, aa, ba, ma;
    for EACH(k, functions)
        for EACH(n, shingles)
            for EACH(s, byte_shifts) {
                size_t nk = functions[k], nn = shingles[n];
                uint64_t *h = numbers(&ha, nn, byte_shifts[s], 1 + n);
                uint64_t *a = numbers(&aa, nk, byte_shifts[s], 20 + k);
                uint64_t *b = numbers(&ba, nk, byte_shifts[s], 40 + k);
                uint32_t *m = area_take(&ma, nk * sizeof *m, byte_shifts[s]);
                uint32_t want[128];
                for (size_t j = 0; j < nk; j++) {
                    uint64_t aj, bj, hs[256];
                    /* Some so small that the new ones must not replace them. */
                    uint32_t was = j % 3 == 0 ? (uint32_t)j : UINT32_MAX;
                    memcpy((uint8_t *)m + j * sizeof was, &was, sizeof was);
                    memcpy(&aj, (uint8_t *)a + j * sizeof aj, sizeof aj);
                    memcpy(&bj, (uint8_t *)b + j * sizeof bj, sizeof bj);
                    if (nn)
                        memcpy(hs, h, nn * sizeof *hs);
                    want[j] = least(was, hs, nn, aj, bj);
                }
                f->minhash(h, nn, a, b, m, nk);
                area_intact(&ma);
                area_intact(&ha);
                if (nk)
                    assert_memory_equal(m, want, nk * sizeof *want);
            }
}

/* A second call goes on where the first one ended. */
static void calls_add_up(const ft_kernels *f)
{
    uint64_t h[40], a[21], b[21];
    uint32_t once[21], twice[21];
    for (size_t i = 0; i < 40; i++)
        h[i] = bits(7, i);
    for (size_t j = 0; j < 21; j++) {
        a[j] = bits(8, j);
        b[j] = bits(9, j);
        once[j] = twice[j] = UINT32_MAX;
    }
    f->minhash(h, 40, a, b, once, 21);
    f->minhash(h, 13, a, b, twice, 21);
    f->minhash(h + 13, 27, a, b, twice, 21);
    assert_memory_equal(once, twice, sizeof once);
}

FAMILY_TESTS(minima_are_right)
FAMILY_TESTS(calls_add_up)

int main(void)
{
    const struct CMUnitTest tests[] = {FAMILY_LIST(minima_are_right), FAMILY_LIST(calls_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
