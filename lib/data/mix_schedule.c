#include "data/mix_schedule.h"

#include <math.h>

typedef unsigned __int128 wide;

/* Whether a's next record would be complete before b's. */
static int ends_before(const ft_mix_source *a, const ft_mix_source *b)
{
    return (wide)(a->used + a->next) * b->share < (wide)(b->used + b->next) * a->share;
}

size_t ft_mix_pick(const ft_mix_source *s, size_t n)
{
    uint64_t used = 0, shares = 0;
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        used += s[i].used;
        shares += s[i].share;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i].share == 0 || (wide)s[i].used * shares > (wide)s[i].share * used)
            continue;                       /* ahead of its share: it waits */
        if (best == n || ends_before(&s[i], &s[best]))
            best = i;
    }
    return best;
}

int ft_mix_share_parse(const char *text, size_t n, uint64_t *share)
{
    uint64_t whole = 0, part = 0, unit = FT_MIX_SHARE_UNIT;
    size_t i = 0, digits = 0;
    for (; i < n && text[i] >= '0' && text[i] <= '9'; i++, digits++) {
        whole = whole * 10 + (uint64_t)(text[i] - '0');
        if (whole > FT_MIX_SHARE_UNIT)
            return 0;
    }
    if (i < n && text[i] == '.')
        for (i++; i < n && text[i] >= '0' && text[i] <= '9' && unit > 1; i++, digits++) {
            unit /= 10;
            part += unit * (uint64_t)(text[i] - '0');
        }
    *share = whole * FT_MIX_SHARE_UNIT + part;
    return i == n && digits > 0 && *share > 0 &&
           *share <= (uint64_t)FT_MIX_SHARE_UNIT * FT_MIX_SHARE_UNIT;
}

void ft_mix_temperature(ft_mix_source *s, const uint64_t *sizes, size_t n, double t)
{
    uint64_t most = 1;
    for (size_t i = 0; i < n; i++)
        most = sizes[i] > most ? sizes[i] : most;
    for (size_t i = 0; i < n; i++) {
        double p = pow((double)sizes[i] / (double)most, 1 / t) * FT_MIX_SHARE_UNIT;
        uint64_t share = (uint64_t)(p + 0.5);
        s[i].share = sizes[i] == 0 ? 0 : share ? share : 1;
    }
}
