#include "text/word_list.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/normal.h"
#include "text/unicode_internal.h"

#include <utf8proc.h>

enum part { GAP, PART_OF_WORD, WORD_BY_ITSELF };

/* Blocks whose text has no spaces between words. */
static int is_unspaced(uint32_t c)
{
    static const struct { uint32_t first, last; } blocks[] = {
        {0x0e00, 0x0eff}, {0x1000, 0x109f}, {0x1780, 0x17ff}, {0x3005, 0x3007}, {0x3040, 0x30ff},
        {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (c >= blocks[i].first && c <= blocks[i].last)
            return 1;
    return 0;
}

static enum part part_of(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO: case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return is_unspaced(c) ? WORD_BY_ITSELF : PART_OF_WORD;
    default:
        return GAP;
    }
}

/* What begins at p. Returns: its length. */
static size_t next_part(const uint8_t *p, size_t n, enum part *part)
{
    uint32_t c;
    size_t len;
    if (*p < 0x80) {
        *part = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                    ? PART_OF_WORD : GAP;
        return 1;
    }
    len = ft_utf8_wide(p, n, &c);
    *part = len ? part_of(c) : GAP;
    return len ? len : 1;
}

static int add_word(ft_word_list *w, size_t from, size_t to, ft_err *e)
{
    int rc;
    if (from == to)
        return 0;
    if ((rc = ft_grow(&w->word, &w->word_cap, w->n + 1, sizeof *w->word, e)) < 0 ||
        (rc = ft_grow(&w->hash, &w->hash_cap, w->n + 1, sizeof *w->hash, e)) < 0)
        return rc;
    w->word[w->n] = (ft_word){from, to - from};
    w->hash[w->n++] = ft_hash64(w->form.p + from, to - from, 0);
    return 0;
}

int ft_word_list_add(ft_word_list *w, const void *text, size_t n, unsigned ignore, ft_err *e)
{
    size_t at = w->form.n, from = at;
    int rc = n ? ft_normalise_ignoring(text, n, ignore, &w->form, e) : 0;
    while (rc == 0 && at < w->form.n) {
        enum part part;
        size_t len = next_part(w->form.p + at, w->form.n - at, &part);
        if (part != PART_OF_WORD) {
            rc = add_word(w, from, at, e);
            if (rc == 0 && part == WORD_BY_ITSELF)
                rc = add_word(w, at, at + len, e);
            from = at + len;
        }
        at += len;
    }
    return rc < 0 ? rc : add_word(w, from, at, e);
}

void ft_word_list_clear(ft_word_list *w)
{
    ft_buf_clear(&w->form);
    w->n = 0;
}

void ft_word_list_free(ft_word_list *w)
{
    ft_buf_free(&w->form);
    ft_free(w->word);
    ft_free(w->hash);
    *w = (ft_word_list){0};
}

void ft_word_list_put(const ft_word_list *w, size_t from, size_t to, ft_buf *out)
{
    for (size_t i = from; i < to; i++) {
        if (i > from)
            ft_buf_add_byte(out, ' ');
        ft_buf_add(out, w->form.p + w->word[i].at, w->word[i].n);
    }
}
