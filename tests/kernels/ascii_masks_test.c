/* ascii_masks of every family against the questions of <ctype.h> in the C locale, for each byte
 * value at each place. */
#include "kernels_support.h"

#include <ctype.h>

enum { N = 64 };

static void same_as_ctype(const uint8_t *p, const ft_ascii_masks *m)
{
    for (unsigned i = 0; i < N; i++) {
        int c = p[i];
        assert_int_equal(m->letter >> i & 1, c < 0x80 && isalpha(c));
        assert_int_equal(m->digit >> i & 1, c < 0x80 && isdigit(c));
        assert_int_equal(m->space >> i & 1, c < 0x80 && isspace(c));
        assert_int_equal(m->blank >> i & 1, c == ' ');
        assert_int_equal(m->quote >> i & 1, c == '\'');
        assert_int_equal(m->wide >> i & 1, c >= 0x80);
    }
}

static void bytes_are_sorted(const ft_kernels *f)
{
    area a = {0};
    for EACH(s, shifts)
        for (unsigned step = 0; step < 2; step++)
            for (unsigned first = 0; first < 256; first++) {
                uint8_t *p = area_take(&a, N, shifts[s]);
                ft_ascii_masks m;
                for (unsigned i = 0; i < N; i++)
                    p[i] = (uint8_t)(first + i * (4 * step + 1));
                memset(&m, 0xa5, sizeof m);
                f->ascii_masks(p, &m);
                area_intact(&a);
                same_as_ctype(p, &m);
            }
}

FAMILY_TESTS(bytes_are_sorted)

int main(void)
{
    const struct CMUnitTest tests[] = {FAMILY_LIST(bytes_are_sorted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
