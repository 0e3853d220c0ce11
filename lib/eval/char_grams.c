/* char_grams.c: see char_grams.h. A place is one number:
 *
 *     six characters, 10 bits each, 0 behind the end | characters left, at most 6: 3 bits | text: 1
 *
 * Sorting is by radix, the last character first; characters are renumbered 1, 2, … as they
 * come, so that a pass has as many buckets as there are different characters.
 */
#include "eval/char_grams.h"

#include "base/mem.h"

#include <string.h>

enum {
    ORDER = FT_CHAR_GRAM_ORDER,
    BITS = 10,
    LOW_BITS = 4,                /* below the characters */
    DIGITS = 1 << BITS,
    SLOTS = 4096                 /* of other characters than the first 256 */
};

typedef struct renumbered {
    uint32_t round, c;
    uint32_t number;
} renumbered;

struct ft_char_grams {
    uint32_t round;              /* numbers of earlier rounds do not hold */
    uint32_t n;                  /* different characters so far           */
    renumbered direct[256], slots[SLOTS];
    uint64_t *places, *other;
    size_t cap, other_cap;
    uint32_t count[ORDER][DIGITS];
};

int ft_char_grams_new(ft_char_grams **g, ft_err *e)
{
    *g = ft_new(1, sizeof **g, e);
    return *g ? 0 : FT_ERR_NOMEM;
}

void ft_char_grams_free(ft_char_grams **g)
{
    if (!*g)
        return;
    ft_free((*g)->places);
    ft_free((*g)->other);
    ft_free(*g);
    *g = NULL;
}

/* ---- numbers for characters ---- */

static void begin_round(ft_char_grams *g)
{
    g->n = 0;
    if (++g->round == 0) {
        memset(g->direct, 0, sizeof g->direct);
        memset(g->slots, 0, sizeof g->slots);
        g->round = 1;
    }
}

/* Returns: the number of a character, or 0 when there are too many. */
static uint32_t number_of(ft_char_grams *g, uint32_t c)
{
    renumbered *r = &g->direct[c & 255];
    if (c >= 256) {
        size_t at = (c * 2654435769u) >> 20;
        while (g->slots[at].round == g->round && g->slots[at].c != c)
            at = (at + 1) % SLOTS;
        r = &g->slots[at];
    }
    if (r->round != g->round) {
        if (g->n == FT_CHAR_GRAM_ALPHABET)
            return 0;
        *r = (renumbered){g->round, c, ++g->n};
    }
    return r->number;
}

/* Writes the places of a text, the last one first, and counts its characters.
 * Returns: whether the alphabet sufficed. */
static int add_places(ft_char_grams *g, const uint32_t *s, size_t n, uint64_t text, uint64_t *to)
{
    uint64_t key = 0;
    for (size_t i = n; i-- > 0;) {
        uint64_t c = number_of(g, s[i]), left = n - i < ORDER ? n - i : ORDER;
        if (c == 0)
            return 0;
        key = c << (BITS * (ORDER - 1)) | key >> BITS;
        to[n - 1 - i] = key << LOW_BITS | left << 1 | text;
        g->count[0][c]++;
    }
    return 1;
}

/* ---- sorting ---- */

static unsigned digit(uint64_t place, unsigned k)
{
    return (unsigned)(place >> (LOW_BITS + BITS * (ORDER - 1 - k))) & (DIGITS - 1);
}

/* The k-th characters of all places are the (k-1)-th, but for the one that the first place of each
 * text has there, which is nobody's k-th; instead one place more has none. */
static void count_digits(ft_char_grams *g, const uint64_t *first_a, const uint64_t *first_b)
{
    size_t bytes = (g->n + 1) * sizeof g->count[0][0];
    for (unsigned k = 1; k < ORDER; k++) {
        memcpy(g->count[k], g->count[k - 1], bytes);
        for (unsigned t = 0; t < 2; t++) {
            const uint64_t *first = t ? first_b : first_a;
            if (!first)
                continue;
            g->count[k][digit(*first, k - 1)]--;
            g->count[k][0]++;
        }
    }
}

static void sort_places(ft_char_grams *g, size_t n)
{
    uint64_t *from = g->places, *to = g->other, *swap;
    for (unsigned k = ORDER; k-- > 0;) {
        uint32_t *at = g->count[k], sum = 0;
        for (uint32_t d = 0; d <= g->n; d++) {
            uint32_t here = at[d];
            at[d] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            to[at[digit(from[i], k)]++] = from[i];
        swap = from;
        from = to;
        to = swap;
    }
    /* ORDER is even: the result is in places again. */
}

/* ---- counting ---- */

/* How many characters two places share, 0..6. */
static unsigned shared(uint64_t a, uint64_t b)
{
    uint64_t differ = (a ^ b) >> LOW_BITS;
    if (differ == 0)
        return ORDER;
    return ((unsigned)__builtin_clzll(differ) - LOW_BITS) / BITS;
}

/* Walks the sorted places; here[t][k] counts the (k+1)-gram that stands here in text t. */
static void count_matches(const ft_char_grams *g, size_t n, double match[ORDER])
{
    uint32_t here[2][8] = {{0}}, found[ORDER] = {0};
    for (size_t i = 0; i < n; i++) {
        uint64_t p = g->places[i];
        unsigned left = (unsigned)(p >> 1) & 7, same = i ? shared(p, g->places[i - 1]) : 0;
        uint32_t *mine = here[p & 1];
        for (unsigned k = same; k < ORDER; k++) {
            found[k] += here[0][k] < here[1][k] ? here[0][k] : here[1][k];
            here[0][k] = here[1][k] = 0;
        }
        for (unsigned k = 0; k < ORDER; k++)
            mine[k] += k < left;
    }
    for (unsigned k = 0; k < ORDER; k++) {
        found[k] += here[0][k] < here[1][k] ? here[0][k] : here[1][k];
        match[k] = found[k];
    }
}

int ft_char_grams_match(ft_char_grams *g, const uint32_t *a, size_t n_a, const uint32_t *b,
                        size_t n_b, double match[FT_CHAR_GRAM_ORDER], int *done, ft_err *e)
{
    size_t n = n_a + n_b;
    *done = 0;
    if (n > UINT32_MAX)
        return 0;
    if ((n > g->cap && ft_grow(&g->places, &g->cap, n, sizeof *g->places, e) < 0) ||
        (n > g->other_cap && ft_grow(&g->other, &g->other_cap, n, sizeof *g->other, e) < 0))
        return FT_ERR_NOMEM;
    begin_round(g);
    memset(g->count[0], 0, sizeof g->count[0]);
    if (!add_places(g, a, n_a, 0, g->places) || !add_places(g, b, n_b, 1, g->places + n_a))
        return 0;
    /* Where texts begin: the last of the places that were written for each. */
    count_digits(g, n_a ? g->places + n_a - 1 : NULL, n_b ? g->places + n - 1 : NULL);
    sort_places(g, n);
    count_matches(g, n, match);
    *done = 1;
    return 0;
}
