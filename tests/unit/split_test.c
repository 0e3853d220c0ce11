/* split_test.c: the words that ft_split_ends finds by masks are those of ft_split_next, which
 * tokenizer_test.c compares with the reference: on texts that put every kind of word at every
 * place of the window, of every length around it. */
#include "tokenizer_support.h"

#include "kernels/kernels.h"
#include "text/tokenizer_internal.h"

#include "tokenizer_text.h"

enum { LONGEST = 200, ROUNDS = 30000 };

/* What the texts are made of; longer pieces are rarer. */
static const char *const parts[] = {
    " ", " ", " ", "'", "'", "s", "t", "re", "ve", "ll", "d", "m", "a", "Word", "1", "23", "\n",
    "\t", "\r\n", "\x1c", "\x0b", "-", "...", "=====", "  ", "    ", "\xc3\xa9", "\xc2\xa0",
    "\xe4\xbd\xa0", "\xe3\x80\x80", "\xd9\xa3", "\xf0\x9f\x98\x80", "\xff", "\x80", "letters",
    "                    "};

static size_t make_text(text_source *r, uint8_t *p)
{
    size_t want = 1 + text_below(r, text_below(r, 2) ? LONGEST : 70), n = 0;
    uint32_t kinds = 1 + text_below(r, COUNT_OF(parts)), first = text_below(r, COUNT_OF(parts));
    while (n < want) {
        const char *s = parts[(first + text_below(r, kinds)) % COUNT_OF(parts)];
        size_t len = strlen(s);
        if (n + len > LONGEST)
            break;
        memcpy(p + n, s, len);
        n += len;
    }
    return n;
}

/* Compares from each word on. Returns: the words that were found by masks. */
static size_t compare(const ft_splitter *s, const ft_kernels *k, const uint8_t *p, size_t n)
{
    size_t found = 0, len;
    for (; n; p += len, n -= len) {
        uint64_t ends = ft_split_ends(s, k, p, n);
        size_t at = 0;
        for (uint64_t left = ends; left; left &= left - 1, found++) {
            at += ft_split_next(s, p + at, n - at);
            if (at != (size_t)__builtin_ctzll(left))
                fail_msg("%s: a word ends at %zu, masks say %d; of \"%.*s\"", k->name, at,
                         __builtin_ctzll(left), (int)n, (const char *)p);
        }
        len = ft_split_next(s, p, n);
    }
    return found;
}

static void check(const char *pre, const char *family)
{
    static uint8_t text[LONGEST + 64];
    const ft_kernels *k = ft_kernels_family(family);
    ft_splitter *s;
    text_source r = {5, 0};
    ft_err e = {0};
    ft_buf chunk = {0};
    size_t found = 0;
    if (!k)
        return;
    s = ft_new(1, sizeof *s, &e);
    assert_non_null(s);
    assert_int_equal(ft_splitter_init(s, slice_of(pre), &e), 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        memset(text, (int)text_below(&r, 256), sizeof text);   /* what is behind decides nothing */
        found += compare(s, k, text, make_text(&r, text));
    }
    assert_true(found > 10 * (size_t)ROUNDS);
    for (int i = 0; i < 8; i++) {
        text_chunk(&r, &chunk);
        ft_buf_add(&chunk, text, 64);
        assert_false(chunk.failed);
        found += compare(s, k, chunk.p, chunk.n - 64);
    }
    ft_buf_free(&chunk);
    ft_free(s);
}

static void masks_find_the_same_words(void **state)
{
    (void)state;
    for (int family = 0; family < 3; family++)
        for (int pre = 0; pre < 2; pre++)
            check(pre ? "gpt-2" : "smollm", family == 0 ? "ref" : family == 1 ? "avx2" : "avx512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks_find_the_same_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
