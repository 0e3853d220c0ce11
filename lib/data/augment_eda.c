#include "data/augment_internal.h"

#include <string.h>

void ft_eda_work_free(ft_eda_work *w)
{
    ft_free(w->words);
    ft_free(w->spare);
    ft_buf_free(&w->bytes);
    *w = (ft_eda_work){0};
}

static int is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cuts text into words. Returns: 0 with their number in *n. */
static int cut(ft_slice text, ft_eda_work *w, size_t *n, ft_err *e)
{
    size_t at = 0;
    for (*n = 0;; ++*n) {
        size_t from;
        while (at < text.n && is_space(text.p[at]))
            at++;
        for (from = at; at < text.n && !is_space(text.p[at]);)
            at++;
        if (at == from)
            return 0;
        if (ft_grow(&w->words, &w->cap, *n + 1, sizeof *w->words, e) < 0)
            return FT_ERR_NOMEM;
        w->words[*n] = (ft_slice){text.p + from, at - from};
    }
}

static int is_point(uint8_t c)
{
    return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
           (c > 'z' && c < 127);
}

/* The synonyms of a word, or NULL; *core: the word without what surrounds it. */
static const ft_list *synonyms_of(const ft_lists *synonyms, ft_slice word, ft_slice *core)
{
    uint8_t small[64];
    while (word.n && is_point(word.p[0]))
        word = (ft_slice){word.p + 1, word.n - 1};
    while (word.n && is_point(word.p[word.n - 1]))
        word.n--;
    *core = word;
    if (word.n == 0 || word.n > sizeof small)
        return NULL;
    for (size_t i = 0; i < word.n; i++)
        small[i] = word.p[i] >= 'A' && word.p[i] <= 'Z' ? word.p[i] | 32 : word.p[i];
    return ft_lists_find(synonyms, small, word.n);
}

static size_t strength(double alpha, size_t n)
{
    size_t k = (size_t)(alpha * (double)n);
    return k ? k : 1;
}

/* ---- the operations, on w->words ---- */

static void swap_words(ft_eda_work *w, size_t n, size_t times, ft_dice *dice)
{
    for (size_t k = 0; k < times; k++) {
        size_t a = (size_t)ft_dice_below(dice, n), b = (size_t)ft_dice_below(dice, n - 1);
        ft_slice kept = w->words[a];
        b += b >= a;
        w->words[a] = w->words[b];
        w->words[b] = kept;
    }
}

/* Returns: the words that are left, one at least. */
static size_t delete_words(ft_eda_work *w, size_t n, double alpha, ft_dice *dice)
{
    size_t kept = 0;
    ft_slice one = w->words[ft_dice_below(dice, n)];
    for (size_t i = 0; i < n; i++)
        if (!ft_dice_chance(dice, alpha))
            w->words[kept++] = w->words[i];
    if (kept == 0)
        w->words[kept++] = one;
    return kept;
}

/* Puts the places of words that have synonyms into spare (as n). Returns: how many. */
static int find_places(ft_eda_work *w, size_t n, const ft_lists *synonyms, size_t *found,
                       ft_err *e)
{
    ft_slice core;
    *found = 0;
    if (ft_grow(&w->spare, &w->cap_spare, n + 1, sizeof *w->spare, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (synonyms_of(synonyms, w->words[i], &core))
            w->spare[(*found)++].n = i;
    return 0;
}

static ft_slice some_synonym(const ft_lists *synonyms, ft_slice word, ft_slice *core,
                             ft_dice *dice)
{
    const ft_list *list = synonyms_of(synonyms, word, core);
    return ft_lists_item(synonyms, list, (size_t)ft_dice_below(dice, list->n));
}

static int replace_words(ft_eda_work *w, size_t found, size_t times, const ft_lists *synonyms,
                         ft_dice *dice, ft_err *e)
{
    size_t bytes = 0;
    for (size_t k = 0; k < times && k < found; k++) {      /* the first `times` of a shuffle */
        size_t pick = k + (size_t)ft_dice_below(dice, found - k), place = w->spare[pick].n;
        ft_slice word = w->words[place], core, synonym = some_synonym(synonyms, word, &core, dice);
        size_t before = (size_t)(core.p - word.p), start = w->bytes.n;
        w->spare[pick].n = w->spare[k].n;
        w->spare[k] = (ft_slice){NULL, place};
        ft_buf_add(&w->bytes, word.p, before);
        ft_buf_add(&w->bytes, synonym.p, synonym.n);
        ft_buf_add(&w->bytes, core.p + core.n, word.n - before - core.n);
        w->words[place].n = w->bytes.n - start;
    }
    if (ft_buf_check(&w->bytes, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t k = 0; k < times && k < found; k++) {      /* the buffer moves no more */
        ft_slice *word = &w->words[w->spare[k].n];
        word->p = w->bytes.p + bytes;
        bytes += word->n;
    }
    return 0;
}

/* found: words with synonyms among the first n, whose places are in spare. Returns: the words. */
static int insert_words(ft_eda_work *w, size_t *n, size_t found, size_t times,
                        const ft_lists *synonyms, ft_dice *dice, ft_err *e)
{
    size_t first = *n;
    ft_slice core;
    if (ft_grow(&w->words, &w->cap, *n + times, sizeof *w->words, e) < 0 ||
        ft_grow(&w->spare, &w->cap_spare, found + times, sizeof *w->spare, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t k = 0; k < times; k++) {                   /* drawn before places move */
        size_t place = w->spare[ft_dice_below(dice, found)].n;
        w->spare[found + k] = some_synonym(synonyms, w->words[place], &core, dice);
    }
    for (size_t k = 0; k < times; k++, ++*n) {
        size_t at = (size_t)ft_dice_below(dice, first + k + 1);
        memmove(w->words + at + 1, w->words + at, (*n - at) * sizeof *w->words);
        w->words[at] = w->spare[found + k];
    }
    return 0;
}

int ft_augment_eda(ft_slice text, enum ft_eda op, double alpha, const ft_lists *synonyms,
                   ft_dice *dice, ft_eda_work *w, ft_buf *out, int *changed, ft_err *e)
{
    size_t n, found = 0, all;
    int rc = cut(text, w, &n, e);
    ft_buf_clear(&w->bytes);
    *changed = 0;
    all = n;
    if (rc == 0 && (op == FT_EDA_REPLACE || op == FT_EDA_INSERT))
        rc = find_places(w, n, synonyms, &found, e);
    if (rc < 0)
        return rc;
    if (op == FT_EDA_SWAP && n > 1) {
        swap_words(w, n, strength(alpha, n), dice);
        *changed = 1;
    } else if (op == FT_EDA_DELETE && n > 1) {
        n = delete_words(w, n, alpha, dice);
        *changed = n < all;
    } else if (found) {
        size_t times = strength(alpha, n);
        rc = op == FT_EDA_REPLACE ? replace_words(w, found, times, synonyms, dice, e)
                                  : insert_words(w, &n, found, times, synonyms, dice, e);
        *changed = 1;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (i)
            ft_buf_add_byte(out, ' ');
        ft_buf_add(out, w->words[i].p, w->words[i].n);
    }
    return rc;
}
