#include "eval/bleu.h"

#include "base/mem.h"
#include "eval/exact_grams.h"
#include "text/points.h"

#include <math.h>
#include <string.h>

struct ft_bleu {
    ft_bleu_settings how;
    ft_vocab *words;
    ft_exact_grams *ngrams;
    ft_symbols hyp, ref;
    ft_points points, spaced;
    ft_buf lower, a, b;        /* a text on its way through the tokenizer */
};

int ft_bleu_new(ft_bleu **b, const ft_bleu_settings *how, ft_err *e)
{
    if ((*b = ft_new(1, sizeof **b, e)) == NULL)
        return FT_ERR_NOMEM;
    (*b)->how = *how;
    if (ft_vocab_new(&(*b)->words, e) < 0 || ft_exact_grams_new(&(*b)->ngrams, e) < 0) {
        ft_bleu_free(b);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_bleu_free(ft_bleu **b)
{
    if (!*b)
        return;
    ft_vocab_free(&(*b)->words);
    ft_exact_grams_free(&(*b)->ngrams);
    ft_symbols_free(&(*b)->hyp);
    ft_symbols_free(&(*b)->ref);
    ft_points_free(&(*b)->points);
    ft_points_free(&(*b)->spaced);
    ft_buf_free(&(*b)->lower);
    ft_buf_free(&(*b)->a);
    ft_buf_free(&(*b)->b);
    ft_free(*b);
    *b = NULL;
}

/* ---- 13a ----
 * The rules of mteval-v13a as regular expressions over characters. They look at ASCII only, and a
 * byte over 0x7f is "no digit" as its character is, so they may go byte by byte. Matches do not
 * overlap: what a match took is not looked at again. */

static int is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int is_dot(uint8_t c)
{
    return c == '.' || c == ',';
}

/* Replaces each `from` by `to`, which is not longer, in place. */
static void replace_all(ft_buf *t, const char *from, const char *to)
{
    size_t n_from = strlen(from), n_to = strlen(to), o = 0, i = 0;
    if (t->n < n_from || !memchr(t->p, from[0], t->n))
        return;
    while (i < t->n) {
        if (t->n - i >= n_from && memcmp(t->p + i, from, n_from) == 0) {
            memcpy(t->p + o, to, n_to);
            o += n_to;
            i += n_from;
        } else {
            t->p[o++] = t->p[i++];
        }
    }
    t->n = o;
}

static void unescape(ft_buf *t)
{
    replace_all(t, "<skipped>", "");
    replace_all(t, "-\n", "");
    replace_all(t, "\n", " ");
    replace_all(t, "&quot;", "\"");
    replace_all(t, "&amp;", "&");
    replace_all(t, "&lt;", "<");
    replace_all(t, "&gt;", ">");
}

/* ([{-~[-` -&(-+:-@/]) -> " \1 ": all ASCII punctuation but ' , - . */
static const uint8_t alone[256] = {
    [' '] = 1, ['!'] = 1, ['"'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['('] = 1,
    [')'] = 1, ['*'] = 1, ['+'] = 1, ['/'] = 1, [':'] = 1, [';'] = 1, ['<'] = 1, ['='] = 1,
    ['>'] = 1, ['?'] = 1, ['@'] = 1, ['['] = 1, ['\\'] = 1, [']'] = 1, ['^'] = 1, ['_'] = 1,
    ['`'] = 1, ['{'] = 1, ['|'] = 1, ['}'] = 1, ['~'] = 1};

/* The first rule, on " text ". A space becomes one space: three split words no better. */
static size_t set_apart(const uint8_t *p, size_t n, uint8_t *to)
{
    size_t o = 0;
    to[o++] = ' ';
    for (size_t i = 0; i < n; i++) {
        if (alone[p[i]] && p[i] != ' ') {
            to[o++] = ' ';
            to[o++] = p[i];
            to[o++] = ' ';
        } else {
            to[o++] = p[i];
        }
    }
    to[o++] = ' ';
    return o;
}

/* ([^0-9])([.,]) -> "\1 \2 " */
static size_t dots_behind_others(const uint8_t *p, size_t n, uint8_t *to)
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++) {
        to[o++] = p[i];
        if (i + 1 < n && !is_digit(p[i]) && is_dot(p[i + 1])) {
            to[o++] = ' ';
            to[o++] = p[++i];
            to[o++] = ' ';
        }
    }
    return o;
}

/* ([.,])([^0-9]) -> " \1 \2" */
static size_t dots_before_others(const uint8_t *p, size_t n, uint8_t *to)
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && is_dot(p[i]) && !is_digit(p[i + 1])) {
            to[o++] = ' ';
            to[o++] = p[i++];
            to[o++] = ' ';
        }
        to[o++] = p[i];
    }
    return o;
}

/* ([0-9])(-) -> "\1 \2 " */
static size_t dashes_behind_digits(const uint8_t *p, size_t n, uint8_t *to)
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++) {
        to[o++] = p[i];
        if (i + 1 < n && is_digit(p[i]) && p[i + 1] == '-') {
            to[o++] = ' ';
            to[o++] = p[++i];
            to[o++] = ' ';
        }
    }
    return o;
}

typedef size_t rule(const uint8_t *p, size_t n, uint8_t *to);

/* Applies a rule that makes at most three bytes of one, and two more. */
static int apply(rule *r, const uint8_t *p, size_t n, ft_buf *to, ft_err *e)
{
    uint8_t *room;
    ft_buf_clear(to);
    if ((room = ft_buf_room(to, 3 * n + 2)) == NULL)
        return ft_buf_check(to, e);
    to->n = r(p, n, room);
    return 0;
}

/* Leaves in *out a text whose words are the tokens; it is one of b's buffers. */
static int tokenise_13a(ft_bleu *b, ft_slice text, const ft_buf **out, ft_err *e)
{
    static rule *const rules[] = {dots_behind_others, dots_before_others, dashes_behind_digits};
    ft_buf *from = &b->a, *to = &b->b, *swap;
    ft_buf_clear(to);
    ft_buf_add(to, text.p, text.n);
    if (ft_buf_check(to, e) < 0)
        return FT_ERR_NOMEM;
    unescape(to);
    if (apply(set_apart, to->p, to->n, from, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < 3; i++) {
        const char *needs = i < 2 ? ".," : "-";
        if (!memchr(from->p, needs[0], from->n) &&
            (i == 2 || !memchr(from->p, needs[1], from->n)))
            continue;
        if (apply(rules[i], from->p, from->n, to, e) < 0)
            return FT_ERR_NOMEM;
        swap = from;
        from = to;
        to = swap;
    }
    *out = from;
    return 0;
}

/* ---- intl ----
 * (\P{N})(\p{P}) -> "\1 \2 ", (\p{P})(\P{N}) -> " \1 \2", (\p{S}) -> " \1 ", without spaces at the
 * ends: a dot behind a number at the end of the text stays with it, as in mteval-v14. */

static int is_class(uint32_t c, unsigned of)
{
    if (c < 0x80 && ((c | 32) - 'a' < 26 || c == ' '))
        return 0;
    return (ft_point_class(c) & of) != 0;
}

static void split_behind(const ft_points *t, ft_points *to)
{
    to->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        to->c[to->n++] = t->c[i];
        if (i + 1 < t->n && is_class(t->c[i + 1], FT_POINT_PUNCTUATION) &&
            !is_class(t->c[i], FT_POINT_NUMBER)) {
            to->c[to->n++] = ' ';
            to->c[to->n++] = t->c[++i];
            to->c[to->n++] = ' ';
        }
    }
}

static void split_before(const ft_points *t, ft_points *to)
{
    to->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (i + 1 < t->n && is_class(t->c[i], FT_POINT_PUNCTUATION) &&
            !is_class(t->c[i + 1], FT_POINT_NUMBER)) {
            to->c[to->n++] = ' ';
            to->c[to->n++] = t->c[i++];
            to->c[to->n++] = ' ';
        }
        to->c[to->n++] = t->c[i];
    }
}

static int room_for(ft_points *t, size_t n, ft_err *e)
{
    return n > t->cap ? ft_grow(&t->c, &t->cap, n, sizeof *t->c, e) : 0;
}

static int tokenise_intl(ft_bleu *b, ft_slice text, const ft_buf **out, ft_err *e)
{
    int rc = ft_points_set(&b->points, text.p, text.n, e);
    if (rc < 0 || (rc = room_for(&b->spaced, 2 * b->points.n, e)) < 0)
        return rc;
    split_behind(&b->points, &b->spaced);
    if ((rc = room_for(&b->points, 2 * b->spaced.n, e)) < 0)
        return rc;
    split_before(&b->spaced, &b->points);
    ft_buf_clear(&b->a);
    for (size_t i = 0; i < b->points.n; i++) {
        int symbol = is_class(b->points.c[i], FT_POINT_SYMBOL);
        if (symbol)
            ft_buf_add_byte(&b->a, ' ');
        ft_point_put(&b->a, b->points.c[i]);
        if (symbol)
            ft_buf_add_byte(&b->a, ' ');
    }
    *out = &b->a;
    return ft_buf_check(&b->a, e);
}

static int tokenise_char(ft_bleu *b, ft_slice text, const ft_buf **out, ft_err *e)
{
    int rc = ft_points_set(&b->points, text.p, text.n, e);
    ft_buf_clear(&b->a);
    for (size_t i = 0; rc == 0 && i < b->points.n; i++) {
        ft_point_put(&b->a, b->points.c[i]);
        ft_buf_add_byte(&b->a, ' ');
    }
    *out = &b->a;
    return rc < 0 ? rc : ft_buf_check(&b->a, e);
}

static int tokenise_none(ft_bleu *b, ft_slice text, const ft_buf **out, ft_err *e)
{
    ft_buf_clear(&b->a);
    ft_buf_add(&b->a, text.p, text.n);
    *out = &b->a;
    return ft_buf_check(&b->a, e);
}

/* Leaves in *out the text whose words are the tokens. */
static int tokenise(ft_bleu *b, ft_slice text, const ft_buf **out, ft_err *e)
{
    if (b->how.lowercase) {
        ft_buf_clear(&b->lower);
        if (ft_lower(text.p, text.n, &b->points, &b->lower, e) < 0)
            return FT_ERR_NOMEM;
        text = (ft_slice){b->lower.p, b->lower.n};
    }
    text.n = ft_rstrip(text.p, text.n);
    switch (b->how.tok) {
    case FT_BLEU_13A: return tokenise_13a(b, text, out, e);
    case FT_BLEU_INTL: return tokenise_intl(b, text, out, e);
    case FT_BLEU_CHAR: return tokenise_char(b, text, out, e);
    default: return tokenise_none(b, text, out, e);
    }
}

static int words_of(ft_bleu *b, ft_slice text, ft_symbols *to, ft_err *e)
{
    const ft_buf *tokens;
    ft_slice word;
    uint32_t number;
    size_t at = 0;
    int rc = tokenise(b, text, &tokens, e);
    to->n = 0;
    while (rc == 0 && ft_next_word(tokens->p, tokens->n, &at, &word))
        if ((rc = ft_vocab_number(b->words, word.p, word.n, &number, e)) == 0)
            rc = ft_symbols_add(to, number, e);
    return rc;
}

int ft_bleu_tokens(ft_bleu *b, ft_slice text, ft_buf *out, ft_err *e)
{
    const ft_buf *tokens;
    ft_slice word;
    size_t at = 0;
    int rc = tokenise(b, text, &tokens, e);
    while (rc == 0 && ft_next_word(tokens->p, tokens->n, &at, &word)) {
        ft_buf_add(out, word.p, word.n);
        ft_buf_add_byte(out, '\n');
    }
    return rc < 0 ? rc : ft_buf_check(out, e);
}

/* ---- sums and score ---- */

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

int ft_bleu_segment(ft_bleu *b, ft_slice hyp, const ft_slice *refs, size_t n_refs,
                    double sums[FT_BLEU_SUMS], ft_err *e)
{
    size_t closest = 0;
    int rc;
    ft_vocab_reset(b->words);
    if ((rc = words_of(b, hyp, &b->hyp, e)) < 0)
        return rc;
    for (size_t i = 0; i < n_refs; i++) {
        size_t far, least = distance(closest, b->hyp.n);
        if ((rc = words_of(b, refs[i], &b->ref, e)) < 0)
            return rc;
        if (i == 0 && (rc = ft_exact_grams_reset(b->ngrams, FT_BLEU_ORDER * b->ref.n, e)) < 0)
            return rc;
        far = distance(b->ref.n, b->hyp.n);
        if (i == 0 || far < least || (far == least && b->ref.n < closest))
            closest = b->ref.n;
        if ((rc = ft_exact_grams_add(b->ngrams, b->ref.s, b->ref.n, FT_BLEU_ORDER, e)) < 0)
            return rc;
    }
    sums[0] = (double)b->hyp.n;
    sums[1] = (double)closest;
    ft_exact_grams_match(b->ngrams, b->hyp.s, b->hyp.n, FT_BLEU_ORDER, sums + 2);
    for (size_t k = 0; k < FT_BLEU_ORDER; k++)
        sums[2 + FT_BLEU_ORDER + k] = (double)ft_exact_grams_in(b->hyp.n, k + 1);
    return 0;
}

/* The precision of one order, in percent. *halving doubles with each order without a match. */
static double precision(const ft_bleu_settings *how, double matches, double total, double *halving)
{
    if (matches > 0)
        return 100 * matches / total;
    if (how->smooth == FT_BLEU_EXP) {
        *halving *= 2;
        return 100 / (*halving * total);
    }
    return how->smooth == FT_BLEU_FLOOR ? 100 * how->smooth_value / total : 0;
}

double ft_bleu_score(const ft_bleu_settings *how, const double sums[FT_BLEU_SUMS],
                     int effective_order)
{
    double hyp = sums[0], ref = sums[1], brevity = 1, halving = 1, logs = 0;
    const double *matches = sums + 2, *total = sums + 2 + FT_BLEU_ORDER;
    size_t order = FT_BLEU_ORDER, n;
    if (!(matches[0] > 0 || matches[1] > 0 || matches[2] > 0 || matches[3] > 0))
        return 0;
    if (hyp < ref)
        brevity = hyp > 0 ? exp(1 - ref / hyp) : 0;
    for (n = 0; n < FT_BLEU_ORDER; n++) {
        double add = how->smooth == FT_BLEU_ADD_K && n > 0 ? how->smooth_value : 0, p;
        if (total[n] + add <= 0)
            break;
        if (effective_order)
            order = n + 1;
        p = precision(how, matches[n] + add, total[n] + add, &halving);
        if (!(p > 0))
            return 0;          /* its logarithm counts as -9999999999 */
        logs += log(p);
    }
    return n < order ? 0 : brevity * exp(logs / (double)order);
}
