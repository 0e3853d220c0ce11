#include "data/bm25.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static const float K1 = 1.2f, B = 0.75f;

typedef struct entry {           /* a word of a text */
    uint64_t word;
    uint32_t text, tf;
} entry;

struct ft_bm25 {
    entry *entries;              /* by word, then text, once ended */
    float *length;               /* of each text, in words; once ended its part of the formula:
                                  * k1 (1 - b + b |d| / mean) */
    size_t n_entries, cap_entries, n_texts, cap_texts;
    uint64_t bytes_max, words;
};

int ft_bm25_new(ft_bm25 **out, uint64_t bytes_max, ft_err *e)
{
    ft_bm25 *b = ft_new(1, sizeof *b, e);
    *out = b;
    if (!b)
        return FT_ERR_NOMEM;
    b->bytes_max = bytes_max;
    return 0;
}

void ft_bm25_free(ft_bm25 **b)
{
    if (!*b)
        return;
    ft_free((*b)->entries);
    ft_free((*b)->length);
    ft_free(*b);
    *b = NULL;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Steps over the equal words from *at on. Returns: how many. */
static uint32_t run_of(const uint64_t *words, size_t n, size_t *at)
{
    size_t from = (*at)++;
    while (*at < n && words[*at] == words[from])
        ++*at;
    return (uint32_t)(*at - from);
}

int ft_bm25_add(ft_bm25 *b, uint64_t *words, size_t n, ft_err *e)
{
    uint64_t bytes = (b->n_entries + n) * sizeof *b->entries;
    if (b->n_texts >= UINT32_MAX || n > UINT32_MAX)
        return ft_err_set(e, FT_ERR_NOMEM, "over 2^32 texts or words of a text");
    if (b->bytes_max && 2 * bytes > b->bytes_max)
        return ft_err_set(e, FT_ERR_NOMEM, "the index of %zu texts takes %llu bytes, over the "
                          "bound of %llu", b->n_texts + 1, (unsigned long long)(2 * bytes),
                          (unsigned long long)b->bytes_max);
    if (ft_grow(&b->entries, &b->cap_entries, b->n_entries + n, sizeof *b->entries, e) < 0 ||
        ft_grow(&b->length, &b->cap_texts, b->n_texts + 1, sizeof *b->length, e) < 0)
        return FT_ERR_NOMEM;
    if (n)
        qsort(words, n, sizeof *words, by_value);
    for (size_t at = 0; at < n;) {
        uint64_t word = words[at];
        b->entries[b->n_entries++] = (entry){word, (uint32_t)b->n_texts, run_of(words, n, &at)};
    }
    b->length[b->n_texts++] = (float)n;
    b->words += n;
    return 0;
}

/* One pass of a radix sort by 16 bits of the word; texts stay in order. */
static void sort_pass(const entry *from, entry *to, size_t n, unsigned shift, size_t *count)
{
    size_t sum = 0;
    for (size_t i = 0; i < 65536; i++)
        count[i] = 0;
    for (size_t i = 0; i < n; i++)
        count[from[i].word >> shift & 0xffff]++;
    for (size_t i = 0; i < 65536; i++) {
        size_t c = count[i];
        count[i] = sum;
        sum += c;
    }
    for (size_t i = 0; i < n; i++)
        to[count[from[i].word >> shift & 0xffff]++] = from[i];
}

int ft_bm25_end(ft_bm25 *b, ft_err *e)
{
    entry *other = ft_new(b->n_entries + 1, sizeof *other, e);
    size_t *count = ft_new(65536, sizeof *count, e);
    float mean = b->words ? (float)((double)b->words / (double)b->n_texts) : 1;
    int rc = other && count ? 0 : FT_ERR_NOMEM;
    if (rc == 0 && b->n_entries) {
        sort_pass(b->entries, other, b->n_entries, 0, count);
        sort_pass(other, b->entries, b->n_entries, 16, count);
        sort_pass(b->entries, other, b->n_entries, 32, count);
        sort_pass(other, b->entries, b->n_entries, 48, count);
    }
    for (size_t i = 0; rc == 0 && i < b->n_texts; i++)
        b->length[i] = K1 * (1 - B + B * b->length[i] / mean);
    ft_free(other);
    ft_free(count);
    return rc;
}

size_t ft_bm25_count(const ft_bm25 *b)
{
    return b->n_texts;
}

/* Returns: the first entry whose word is not below `word`. */
static size_t first_of_word(const ft_bm25 *b, uint64_t word)
{
    size_t low = 0, high = b->n_entries;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (b->entries[mid].word < word)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Adds what a word, `times` times in the question, gives to the texts that have it. */
static void add_word(const ft_bm25 *b, uint64_t word, uint32_t times, float *scores)
{
    size_t from = first_of_word(b, word), to = from;
    double df, n = (double)b->n_texts;
    float idf;
    while (to < b->n_entries && b->entries[to].word == word)
        to++;
    if (from == to)
        return;
    df = (double)(to - from);
    idf = (float)times * (float)log(1 + (n - df + 0.5) / (df + 0.5)) * (K1 + 1);
    for (size_t i = from; i < to; i++) {
        const entry *x = &b->entries[i];
        scores[x->text] += idf * (float)x->tf / ((float)x->tf + b->length[x->text]);
    }
}

size_t ft_bm25_nearest(const ft_bm25 *b, uint64_t *words, size_t n, float *scores, size_t k,
                       uint32_t best[FT_BM25_MOST])
{
    size_t found = 0;
    if (n)
        qsort(words, n, sizeof *words, by_value);
    for (size_t at = 0; at < n;) {
        uint64_t word = words[at];
        add_word(b, word, run_of(words, n, &at), scores);
    }
    for (size_t i = 0; i < b->n_texts; i++) {
        size_t to;
        if (!(scores[i] > 0))
            continue;
        for (to = found; to > 0 && scores[best[to - 1]] < scores[i]; to--)
            if (to < k)
                best[to] = best[to - 1];
        if (to < k)
            best[to] = (uint32_t)i;
        found += found < k;
    }
    for (size_t i = 0; i < b->n_texts; i++)
        scores[i] = 0;
    return found;
}
