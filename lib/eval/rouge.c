#include "eval/rouge.h"

#include "base/mem.h"
#include "eval/lcs.h"
#include "eval/exact_grams.h"
#include "eval/porter.h"
#include "text/points.h"

#include <string.h>

typedef struct side {
    ft_symbols words;
    ft_symbols lines;          /* where each line that has words ends, in words */
} side;

struct ft_rouge {
    ft_rouge_settings how;
    ft_points points;
    ft_buf word;               /* the one that is being read */
    ft_vocab *vocab;
    ft_exact_grams *ngrams;
    ft_lcs *lcs;
    side prediction, ref;
    uint8_t *marked;           /* by place in the reference                            */
    size_t marked_cap;
    uint32_t *left[2];         /* by word: how often reference and prediction still have it */
    size_t left_cap[2];
};

int ft_rouge_new(ft_rouge **r, const ft_rouge_settings *how, ft_err *e)
{
    if ((*r = ft_new(1, sizeof **r, e)) == NULL)
        return FT_ERR_NOMEM;
    (*r)->how = *how;
    if (ft_vocab_new(&(*r)->vocab, e) < 0 || ft_exact_grams_new(&(*r)->ngrams, e) < 0 ||
        ft_lcs_new(&(*r)->lcs, e) < 0) {
        ft_rouge_free(r);
        return FT_ERR_NOMEM;
    }
    return 0;
}

static void free_side(side *s)
{
    ft_symbols_free(&s->words);
    ft_symbols_free(&s->lines);
}

void ft_rouge_free(ft_rouge **r)
{
    if (!*r)
        return;
    ft_points_free(&(*r)->points);
    ft_buf_free(&(*r)->word);
    ft_vocab_free(&(*r)->vocab);
    ft_exact_grams_free(&(*r)->ngrams);
    ft_lcs_free(&(*r)->lcs);
    free_side(&(*r)->prediction);
    free_side(&(*r)->ref);
    ft_free((*r)->marked);
    ft_free((*r)->left[0]);
    ft_free((*r)->left[1]);
    ft_free(*r);
    *r = NULL;
}

/* ---- words ---- */

static int is_ascii_word(const ft_buf *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->p[i] >= 0x80)
            return 0;
    return 1;
}

/* The word ends: its number goes to s. */
static int end_word(ft_rouge *r, side *s, ft_err *e)
{
    uint32_t number;
    if (ft_buf_check(&r->word, e) < 0)
        return FT_ERR_NOMEM;
    if (r->word.n == 0)
        return 0;
    if (r->how.stem && r->word.n > 3 && (!r->how.unicode || is_ascii_word(&r->word)))
        r->word.n = ft_porter_stem((char *)r->word.p, r->word.n);
    if (ft_vocab_number(r->vocab, r->word.p, r->word.n, &number, e) < 0)
        return FT_ERR_NOMEM;
    ft_buf_clear(&r->word);
    return ft_symbols_add(&s->words, number, e);
}

static int end_line(const ft_rouge *r, side *s, ft_err *e)
{
    (void)r;
    if (s->words.n == (s->lines.n ? s->lines.s[s->lines.n - 1] : 0))
        return 0;
    return ft_symbols_add(&s->lines, (uint32_t)s->words.n, e);
}

/* Scripts written without spaces. */
static int is_word_alone(uint32_t c)
{
    return c >= 0xe00 &&
           (c <= 0xeff || (c >= 0x1000 && c <= 0x109f) || (c >= 0x1780 && c <= 0x17ff) ||
            c == 0x3005 || c == 0x3007 || (c >= 0x3040 && c <= 0x30ff) ||
            (c >= 0x31f0 && c <= 0x31ff) || (c >= 0x3400 && c <= 0x4dbf) ||
            (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
            (c >= 0xff66 && c <= 0xff9d) || (c >= 0x20000 && c <= 0x3ffff));
}

static int unicode_words(ft_rouge *r, side *s, ft_rouge_letters *letters, ft_err *e)
{
    int rc = ft_points_lower(&r->points, e), was_alone = 0;
    for (size_t i = 0; rc == 0 && i < r->points.n; i++) {
        uint32_t c = r->points.c[i];
        unsigned class = ft_point_class(c);
        int alone = (class & FT_POINT_LETTER) && is_word_alone(c);
        letters->kept += (class & FT_POINT_LETTER) != 0;
        if (!(class & (FT_POINT_LETTER | FT_POINT_MARK | FT_POINT_NUMBER)) || alone ||
            (was_alone && !(class & FT_POINT_MARK)))
            rc = end_word(r, s, e);
        if (class & (FT_POINT_LETTER | FT_POINT_MARK | FT_POINT_NUMBER))
            ft_point_put(&r->word, c);
        if (!(class & FT_POINT_MARK))
            was_alone = alone;
        if (rc == 0 && c == '\n')
            rc = end_line(r, s, e);
    }
    return rc;
}

/* What a point is in lower case, where that is ASCII; 0: nothing of a word. */
static uint8_t ascii_of(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ? (uint8_t)c
               : c >= 'A' && c <= 'Z'                           ? (uint8_t)(c + 32)
                                                                : 0;
    return c == 0x212a ? 'k' : c == 0x130 ? 'i' : 0;     /* the Kelvin sign; I with a dot */
}

static int ascii_words(ft_rouge *r, side *s, ft_rouge_letters *letters, ft_err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->points.n; i++) {
        uint32_t c = r->points.c[i];
        uint8_t a = ascii_of(c);
        if (a) {
            ft_buf_add_byte(&r->word, a);
            letters->kept += a > '9';
        } else if (c >= 0x80 && (ft_point_class(c) & FT_POINT_LETTER)) {
            letters->dropped++;
        }
        if (!a || c == 0x130)                    /* its dot is a mark of its own */
            rc = end_word(r, s, e);
        if (rc == 0 && c == '\n')
            rc = end_line(r, s, e);
    }
    return rc;
}

static int take(ft_rouge *r, ft_slice text, side *s, ft_rouge_letters *letters, ft_err *e)
{
    int rc = ft_points_set(&r->points, text.p, text.n, e);
    s->words.n = s->lines.n = 0;
    ft_buf_clear(&r->word);
    if (rc == 0)
        rc = r->how.unicode ? unicode_words(r, s, letters, e) : ascii_words(r, s, letters, e);
    if (rc == 0)
        rc = end_word(r, s, e);
    return rc < 0 ? rc : end_line(r, s, e);
}

int ft_rouge_words(ft_rouge *r, ft_slice text, ft_buf *out, ft_err *e)
{
    ft_rouge_letters letters = {0};
    ft_vocab_reset(r->vocab);
    if (take(r, text, &r->ref, &letters, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < r->ref.words.n; i++) {
        ft_slice w = ft_vocab_word(r->vocab, r->ref.words.s[i]);
        ft_buf_add(out, w.p, w.n);
        ft_buf_add_byte(out, '\n');
    }
    return ft_buf_check(out, e);
}

/* ---- scores ---- */

static double f_measure(size_t hits, size_t in_prediction, size_t in_ref)
{
    double p = (double)hits / (double)(in_prediction ? in_prediction : 1);
    double r = (double)hits / (double)(in_ref ? in_ref : 1);
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

/* Makes room for n words, none of which is left. */
static int clear_left(ft_rouge *r, size_t n, ft_err *e)
{
    for (size_t k = 0; k < 2; k++) {
        if (n > r->left_cap[k] &&
            ft_grow(&r->left[k], &r->left_cap[k], n, sizeof *r->left[k], e) < 0)
            return FT_ERR_NOMEM;
        if (n)
            memset(r->left[k], 0, n * sizeof *r->left[k]);
    }
    return 0;
}

/* Marks the union of the LCS of one line of the reference with each line of the prediction. */
static int mark_line(ft_rouge *r, size_t from, size_t to, ft_err *e)
{
    const side *p = &r->prediction;
    size_t symbols = ft_vocab_count(r->vocab), start = 0;
    for (size_t i = 0; i < p->lines.n; start = p->lines.s[i++]) {
        int rc = ft_lcs_mark(r->lcs, r->ref.words.s + from, to - from, p->words.s + start,
                             p->lines.s[i] - start, symbols, r->marked + from, e);
        if (rc < 0)
            return ft_err_wrap(e, "rougeLsum");
    }
    return 0;
}

/* Hits of ROUGE-Lsum: words of the union that both sides have left; each takes one from both. */
static int count_union(ft_rouge *r, size_t *hits, ft_err *e)
{
    const side *p = &r->prediction, *q = &r->ref;
    size_t n = q->words.n, start = 0;
    *hits = 0;
    if (n == 0 || p->words.n == 0)
        return 0;
    if (clear_left(r, ft_vocab_count(r->vocab), e) < 0 ||
        (n > r->marked_cap && ft_grow(&r->marked, &r->marked_cap, n, 1, e) < 0))
        return FT_ERR_NOMEM;
    memset(r->marked, 0, n);
    for (size_t i = 0; i < n; i++)
        r->left[0][q->words.s[i]]++;
    for (size_t i = 0; i < p->words.n; i++)
        r->left[1][p->words.s[i]]++;
    for (size_t i = 0; i < q->lines.n; start = q->lines.s[i++])
        if (mark_line(r, start, q->lines.s[i], e) < 0)
            return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t w = q->words.s[i];
        if (!r->marked[i] || r->left[0][w] == 0 || r->left[1][w] == 0)
            continue;
        r->left[0][w]--;
        r->left[1][w]--;
        ++*hits;
    }
    return 0;
}

static void keep_best(double *best, double f, int first)
{
    if (first || f > *best)
        *best = f;
}

/* Compares the prediction with one reference. */
static int compare(ft_rouge *r, unsigned types, int first, double f[FT_ROUGE_TYPES], ft_err *e)
{
    const ft_symbols *p = &r->prediction.words, *q = &r->ref.words;
    size_t hits;
    double match[2];
    if (types & (1u << FT_ROUGE_1 | 1u << FT_ROUGE_2)) {
        if (ft_exact_grams_reset(r->ngrams, 2 * q->n, e) < 0 ||
            ft_exact_grams_add(r->ngrams, q->s, q->n, 2, e) < 0)
            return FT_ERR_NOMEM;
        ft_exact_grams_match(r->ngrams, p->s, p->n, 2, match);
        for (size_t k = 0; k < 2; k++)
            keep_best(&f[FT_ROUGE_1 + k],
                      f_measure((size_t)match[k], ft_exact_grams_in(p->n, k + 1),
                                ft_exact_grams_in(q->n, k + 1)), first);
    }
    if (types & 1u << FT_ROUGE_L) {
        if (ft_lcs_length(r->lcs, q->s, q->n, p->s, p->n, ft_vocab_count(r->vocab), &hits, e) < 0)
            return FT_ERR_NOMEM;
        keep_best(&f[FT_ROUGE_L], f_measure(hits, p->n, q->n), first);
    }
    if (types & 1u << FT_ROUGE_LSUM) {
        if (count_union(r, &hits, e) < 0)
            return FT_ERR_NOMEM;
        keep_best(&f[FT_ROUGE_LSUM], f_measure(hits, p->n, q->n), first);
    }
    return 0;
}

int ft_rouge_segment(ft_rouge *r, unsigned types, ft_slice prediction, const ft_slice *refs,
                     size_t n_refs, double f[FT_ROUGE_TYPES], ft_rouge_letters *letters, ft_err *e)
{
    ft_vocab_reset(r->vocab);
    if (take(r, prediction, &r->prediction, letters, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n_refs; i++)
        if (take(r, refs[i], &r->ref, letters, e) < 0 || compare(r, types, i == 0, f, e) < 0)
            return FT_ERR_NOMEM;
    return 0;
}
