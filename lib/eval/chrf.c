#include "eval/chrf.h"

#include "base/mem.h"
#include "eval/char_grams.h"
#include "eval/exact_grams.h"
#include "text/points.h"

#include <string.h>

struct ft_chrf {
    ft_chrf_settings how;
    ft_vocab *words;
    ft_char_grams *chars;
    ft_exact_grams *ngrams, *word_ngrams;   /* of characters where chars does not take them */
    ft_points raw;
    ft_symbols hyp, ref;               /* characters */
    ft_symbols hyp_words, ref_words;
    ft_buf word;
};

int ft_chrf_new(ft_chrf **c, const ft_chrf_settings *how, ft_err *e)
{
    if ((*c = ft_new(1, sizeof **c, e)) == NULL)
        return FT_ERR_NOMEM;
    (*c)->how = *how;
    if (ft_char_grams_new(&(*c)->chars, e) < 0 || ft_vocab_new(&(*c)->words, e) < 0 ||
        ft_exact_grams_new(&(*c)->ngrams, e) < 0 || ft_exact_grams_new(&(*c)->word_ngrams, e) < 0) {
        ft_chrf_free(c);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_chrf_free(ft_chrf **c)
{
    if (!*c)
        return;
    ft_char_grams_free(&(*c)->chars);
    ft_vocab_free(&(*c)->words);
    ft_exact_grams_free(&(*c)->ngrams);
    ft_exact_grams_free(&(*c)->word_ngrams);
    ft_points_free(&(*c)->raw);
    ft_symbols_free(&(*c)->hyp);
    ft_symbols_free(&(*c)->ref);
    ft_symbols_free(&(*c)->hyp_words);
    ft_symbols_free(&(*c)->ref_words);
    ft_buf_free(&(*c)->word);
    ft_free(*c);
    *c = NULL;
}

size_t ft_chrf_sums(const ft_chrf_settings *how)
{
    return (size_t)3 * (how->chars + how->words);
}

/* ---- a text as characters and words ---- */

static int add_word(ft_chrf *c, const uint32_t *p, size_t n, ft_symbols *to, ft_err *e)
{
    uint32_t number;
    ft_buf_clear(&c->word);
    for (size_t i = 0; i < n; i++)
        ft_point_put(&c->word, p[i]);
    if (ft_buf_check(&c->word, e) < 0 ||
        ft_vocab_number(c->words, c->word.p, c->word.n, &number, e) < 0)
        return FT_ERR_NOMEM;
    return ft_symbols_add(to, number, e);
}

static int is_ascii_punctuation(uint32_t c)
{
    return c > 0x20 && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* One mark is taken off a word, the last one before the first one. */
static int add_words(ft_chrf *c, ft_symbols *to, ft_err *e)
{
    const ft_points *t = &c->raw;
    int rc = 0;
    to->n = 0;
    for (size_t i = 0, n; rc == 0 && i < t->n; i += n) {
        size_t cut = 0;
        n = 1;
        if (ft_point_is_space(t->c[i]))
            continue;
        while (i + n < t->n && !ft_point_is_space(t->c[i + n]))
            n++;
        if (n > 1 && is_ascii_punctuation(t->c[i + n - 1]))
            cut = n - 1;
        else if (n > 1 && is_ascii_punctuation(t->c[i]))
            cut = 1;
        if (cut)
            rc = add_word(c, t->c + i, cut, to, e);
        if (rc == 0)
            rc = add_word(c, t->c + i + cut, n - cut, to, e);
    }
    return rc;
}

static int take(ft_chrf *c, ft_slice text, ft_symbols *chars, ft_symbols *words, ft_err *e)
{
    const ft_points *t = &c->raw;
    if (ft_points_set(&c->raw, text.p, text.n, e) < 0 ||
        (c->how.lowercase && ft_points_lower(&c->raw, e) < 0))
        return FT_ERR_NOMEM;
    if (t->n > chars->cap && ft_grow(&chars->s, &chars->cap, t->n, sizeof *chars->s, e) < 0)
        return FT_ERR_NOMEM;
    chars->n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (c->how.white_space || !ft_point_is_space(t->c[i]))
            chars->s[chars->n++] = t->c[i];
    return c->how.words ? add_words(c, words, e) : 0;
}

/* ---- sums ---- */

static void put_sums(const ft_symbols *hyp, const ft_symbols *ref, size_t order,
                     const double *match, double *sums)
{
    for (size_t k = 0; k < order; k++) {
        size_t in_ref = ft_exact_grams_in(ref->n, k + 1);
        sums[3 * k] = in_ref ? (double)ft_exact_grams_in(hyp->n, k + 1) : 0;
        sums[3 * k + 1] = (double)in_ref;
        sums[3 * k + 2] = match[k];
    }
}

static int compare(ft_exact_grams *g, const ft_symbols *hyp, const ft_symbols *ref, size_t order,
                   double *sums, ft_err *e)
{
    double match[FT_NGRAM_ORDER_MAX];
    if (ft_exact_grams_reset(g, order * ref->n / 2, e) < 0 ||
        ft_exact_grams_add(g, ref->s, ref->n, order, e) < 0)
        return FT_ERR_NOMEM;
    ft_exact_grams_match(g, hyp->s, hyp->n, order, match);
    put_sums(hyp, ref, order, match, sums);
    return 0;
}

static int compare_chars(ft_chrf *c, double *sums, ft_err *e)
{
    double match[FT_CHAR_GRAM_ORDER];
    int done;
    if (c->how.chars > FT_CHAR_GRAM_ORDER)
        return compare(c->ngrams, &c->hyp, &c->ref, c->how.chars, sums, e);
    if (ft_char_grams_match(c->chars, c->hyp.s, c->hyp.n, c->ref.s, c->ref.n, match, &done, e) < 0)
        return FT_ERR_NOMEM;
    if (!done)
        return compare(c->ngrams, &c->hyp, &c->ref, c->how.chars, sums, e);
    put_sums(&c->hyp, &c->ref, c->how.chars, match, sums);
    return 0;
}

int ft_chrf_segment(ft_chrf *c, ft_slice hyp, const ft_slice *refs, size_t n_refs, double *sums,
                    double *also, ft_err *e)
{
    ft_chrf_settings chars_alone = c->how;
    double best = -1, best_alone = -1, now[FT_CHRF_SUMS_MAX] = {0};
    size_t n = ft_chrf_sums(&c->how), n_alone = (size_t)3 * c->how.chars;
    chars_alone.words = 0;
    if (c->how.words)
        ft_vocab_reset(c->words);
    if (take(c, hyp, &c->hyp, &c->hyp_words, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n_refs; i++) {
        double score;
        if (take(c, refs[i], &c->ref, &c->ref_words, e) < 0 ||
            compare_chars(c, now, e) < 0 ||
            (c->how.words && compare(c->word_ngrams, &c->hyp_words, &c->ref_words, c->how.words,
                                     now + n_alone, e) < 0))
            return FT_ERR_NOMEM;
        score = n_refs > 1 ? ft_chrf_score(&c->how, now) : 0;
        if (score > best) {
            best = score;
            memcpy(sums, now, n * sizeof *sums);
        }
        score = also && n_refs > 1 ? ft_chrf_score(&chars_alone, now) : 0;
        if (also && score > best_alone) {
            best_alone = score;
            memcpy(also, now, n_alone * sizeof *also);
        }
    }
    return 0;
}

/* As chrF++.py has it: the mean of F over all orders. */
static double score_with_epsilon(const ft_chrf_settings *how, const double *sums)
{
    double factor = (double)how->beta * how->beta, score = 0;
    size_t orders = (size_t)how->chars + how->words;
    for (size_t k = 0; k < orders; k++) {
        const double *s = sums + 3 * k;
        double precision = s[0] > 0 ? s[2] / s[0] : 1e-16, recall = s[1] > 0 ? s[2] / s[1] : 1e-16;
        double below = factor * precision + recall;
        score += below > 0 ? (1 + factor) * precision * recall / below : 1e-16;
    }
    return 100 * score / (double)orders;
}

double ft_chrf_score(const ft_chrf_settings *how, const double *sums)
{
    double factor = (double)how->beta * how->beta, precision = 0, recall = 0;
    size_t orders = 0;
    if (how->epsilon)
        return score_with_epsilon(how, sums);
    for (size_t k = 0; k < how->chars + how->words; k++) {
        const double *s = sums + 3 * k;
        if (s[0] > 0 && s[1] > 0) {
            precision += s[2] / s[0];
            recall += s[2] / s[1];
            orders++;
        }
    }
    if (orders == 0 || !(precision + recall > 0))
        return 0;
    precision /= (double)orders;
    recall /= (double)orders;
    return 100 * ((1 + factor) * precision * recall / (factor * precision + recall));
}
