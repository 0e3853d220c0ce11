#include "data/ngrams.h"

#include "base/hash.h"
#include "data/plain_words.h"
#include "text/normal.h"

#include <string.h>

enum { SEED_WORDS = 1, SEED_CHARS = 2, RUN = 4 };

static void add_key(ft_ngrams *g, const void *p, size_t n, uint64_t seed)
{
    uint32_t key = (uint32_t)(ft_hash64(p, n, seed) % FT_NGRAM_BUCKETS) +
                   (seed == SEED_CHARS ? FT_NGRAM_BUCKETS : 0);
    ft_buf_add(&g->keys, &key, sizeof key);
}

static void add_words(ft_ngrams *g, ft_slice text)
{
    size_t at = 0, n_before = 0;
    ft_slice word;
    ft_buf_clear(&g->pair);
    while (ft_word_next(text, &at, &word)) {
        add_key(g, word.p, word.n, SEED_WORDS);
        if (n_before) {
            ft_buf_add_byte(&g->pair, ' ');
            ft_buf_add(&g->pair, word.p, word.n);
            add_key(g, g->pair.p, g->pair.n, SEED_WORDS);
        }
        ft_buf_clear(&g->pair);
        ft_buf_add(&g->pair, word.p, word.n);
        n_before = word.n;
    }
}

static int continues(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* All runs of RUN characters, which are told apart by their first bytes. */
static void add_runs(ft_ngrams *g, ft_slice text)
{
    size_t begin[RUN] = {0}, chars = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && continues(text.p[i]))
            continue;
        if (chars >= RUN)
            add_key(g, text.p + begin[chars % RUN], i - begin[chars % RUN], SEED_CHARS);
        begin[chars++ % RUN] = i;
    }
}

/* One pass of a radix sort by 11 bits from `shift` on. */
static void sort_pass(const uint32_t *from, uint32_t *to, size_t n, unsigned shift)
{
    enum { DIGITS = 2048 };
    uint32_t place[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++)
        place[from[i] >> shift & (DIGITS - 1)]++;
    for (size_t d = 0; d < DIGITS; d++) {
        uint32_t here = place[d];
        place[d] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n; i++)
        to[place[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

static void put_number(ft_buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        ft_buf_add_byte(b, (uint8_t)(v | 0x80));
    ft_buf_add_byte(b, (uint8_t)v);
}

void ft_ngrams_put(ft_buf *b, uint32_t step, uint32_t count)
{
    put_number(b, step);
    put_number(b, count);
}

static void pack(const uint32_t *key, size_t n, ft_buf *out)
{
    uint32_t before = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && key[end] == key[i];)
            end++;
        ft_ngrams_put(out, key[i] - before, (uint32_t)(end - i));
        before = key[i];
    }
}

int ft_ngrams_make(ft_ngrams *g, const void *text, size_t n, ft_buf *out, ft_err *e)
{
    ft_slice s;
    size_t keys;
    int rc;
    ft_buf_clear(&g->canonical);
    ft_buf_clear(&g->keys);
    ft_buf_clear(&g->sorted);
    if ((rc = ft_normalise(text, n, &g->canonical, e)) < 0)
        return rc;
    s = (ft_slice){g->canonical.p, g->canonical.n};
    if (s.n > FT_NGRAM_TEXT_MAX)
        for (s.n = FT_NGRAM_TEXT_MAX; s.n && continues(s.p[s.n]);)
            s.n--;
    add_words(g, s);
    add_runs(g, s);
    keys = g->keys.n / sizeof(uint32_t);
    ft_buf_room(&g->sorted, g->keys.n);
    if ((rc = ft_buf_check(&g->pair, e)) < 0 || (rc = ft_buf_check(&g->keys, e)) < 0 ||
        (rc = ft_buf_check(&g->sorted, e)) < 0 || keys == 0)
        return rc;
    sort_pass((const uint32_t *)(const void *)g->keys.p, (uint32_t *)(void *)g->sorted.p, keys, 0);
    sort_pass((const uint32_t *)(const void *)g->sorted.p, (uint32_t *)(void *)g->keys.p, keys, 11);
    pack((const uint32_t *)(const void *)g->keys.p, keys, out);
    return ft_buf_check(out, e);
}

void ft_ngrams_free(ft_ngrams *g)
{
    ft_buf_free(&g->canonical);
    ft_buf_free(&g->pair);
    ft_buf_free(&g->keys);
    ft_buf_free(&g->sorted);
}

/* One LEB128 number of at most 32 bits. Returns: where it ends, or NULL when it does not. */
static const uint8_t *read_number(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    *v = 0;
    for (unsigned shift = 0; p < end && shift < 32; shift += 7) {
        *v |= (uint32_t)(*p & 0x7f) << shift;
        if (!(*p++ & 0x80))
            return p;
    }
    return NULL;
}

ft_ngram_iter ft_ngrams_of(ft_slice packed)
{
    return (ft_ngram_iter){.left = packed};
}

int ft_ngrams_next(ft_ngram_iter *it, uint32_t *bucket, uint32_t *count)
{
    const uint8_t *p = it->left.p, *end = p + it->left.n;
    uint32_t step;
    if (it->left.n == 0 || !(p = read_number(p, end, &step)) ||
        !(p = read_number(p, end, count)))
        return 0;
    it->left = (ft_slice){p, (size_t)(end - p)};
    *bucket = it->bucket += step;
    return *bucket < FT_NGRAM_COLUMNS;
}
