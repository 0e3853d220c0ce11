#include "data/plain_words.h"

#include "base/hash.h"
#include "base/utf8.h"

#include <stdlib.h>

enum class { GAP, LETTER, ALONE };

static int in(uint32_t c, uint32_t from, uint32_t to)
{
    return c >= from && c <= to;
}

static enum class class_of(uint32_t c)
{
    if (c < 0x80)
        return in(c | 0x20, 'a', 'z') || in(c, '0', '9') ? LETTER : GAP;
    if (c < 0xc0 || in(c, 0x2000, 0x206f) || in(c, 0x3000, 0x303f) || in(c, 0xff00, 0xff0f))
        return GAP;
    if (in(c, 0x2e80, 0x2fff) || in(c, 0x3040, 0x9fff) || in(c, 0xf900, 0xfaff) ||
        in(c, 0x20000, 0x3ffff))
        return ALONE;
    return LETTER;
}

/* The class of the character at p[0..n), and its bytes. */
static enum class class_at(const uint8_t *p, size_t n, size_t *len)
{
    uint32_t c = p[0];
    *len = ft_utf8_length(p, n);
    if (*len == 0) {
        *len = 1;
        return LETTER;
    }
    if (*len > 1)
        c &= 0x7fu >> *len;
    for (size_t i = 1; i < *len; i++)
        c = c << 6 | (p[i] & 0x3f);
    return class_of(c);
}

int ft_word_next(ft_slice text, size_t *at, ft_slice *word)
{
    size_t i = *at, len = 0;
    enum class k = GAP;
    while (i < text.n && (k = class_at(text.p + i, text.n - i, &len)) == GAP)
        i += len;
    if (i >= text.n) {
        *at = text.n;
        return 0;
    }
    word->p = text.p + i;
    do
        i += len;
    while (k == LETTER && i < text.n && class_at(text.p + i, text.n - i, &len) == LETTER);
    word->n = (size_t)(text.p + i - word->p);
    *at = i;
    return 1;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int ft_words_sorted(ft_slice text, ft_buf *out, ft_err *e)
{
    size_t at = 0, from = out->n;
    ft_slice word;
    while (ft_word_next(text, &at, &word)) {
        uint64_t h = ft_hash64(word.p, word.n, 0);
        ft_buf_add(out, &h, sizeof h);
    }
    if (out->n > from && !out->failed)
        qsort(out->p + from, (out->n - from) / sizeof(uint64_t), sizeof(uint64_t), by_value);
    return ft_buf_check(out, e);
}

double ft_words_f1(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
    size_t i = 0, k = 0, common = 0;
    if (n_a + n_b == 0)
        return 1;
    while (i < n_a && k < n_b) {
        common += a[i] == b[k];
        if (a[i] < b[k])
            i++;
        else if (b[k] < a[i])
            k++;
        else
            i++, k++;
    }
    return 2 * (double)common / (double)(n_a + n_b);
}
