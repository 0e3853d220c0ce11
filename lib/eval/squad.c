#include "eval/squad.h"

#include "base/mem.h"
#include "eval/exact_grams.h"
#include "text/points.h"

#include <string.h>

struct ft_squad {
    ft_points points;
    ft_buf prediction, ref;    /* reduced */
    ft_vocab *vocab;
    ft_exact_grams *counts;
    ft_symbols a, b;
};

int ft_squad_new(ft_squad **s, ft_err *e)
{
    if ((*s = ft_new(1, sizeof **s, e)) == NULL)
        return FT_ERR_NOMEM;
    if (ft_vocab_new(&(*s)->vocab, e) < 0 || ft_exact_grams_new(&(*s)->counts, e) < 0) {
        ft_squad_free(s);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_squad_free(ft_squad **s)
{
    if (!*s)
        return;
    ft_points_free(&(*s)->points);
    ft_buf_free(&(*s)->prediction);
    ft_buf_free(&(*s)->ref);
    ft_vocab_free(&(*s)->vocab);
    ft_exact_grams_free(&(*s)->counts);
    ft_symbols_free(&(*s)->a);
    ft_symbols_free(&(*s)->b);
    ft_free(*s);
    *s = NULL;
}

/* ---- reducing ---- */

static int is_ascii_punctuation(uint32_t c)
{
    return c > 0x20 && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* What Python's \w takes, underscores apart, which are deleted before. */
static int is_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
    return (ft_point_class(c) & (FT_POINT_LETTER | FT_POINT_NUMBER)) != 0;
}

static int is_article(const uint32_t *p, size_t n)
{
    return p[0] == 'a' ? n == 1 || (n == 2 && p[1] == 'n')
                       : n == 3 && p[0] == 't' && p[1] == 'h' && p[2] == 'e';
}

/* Deletes punctuation, and puts a space where an article was. */
static void delete_marks_and_articles(ft_points *t)
{
    size_t k = 0, o = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!is_ascii_punctuation(t->c[i]))
            t->c[k++] = t->c[i];
    for (size_t i = 0, n; i < k; i += n) {
        n = 1;
        if (!is_word(t->c[i])) {
            t->c[o++] = t->c[i];
            continue;
        }
        while (i + n < k && is_word(t->c[i + n]))
            n++;
        if (is_article(t->c + i, n)) {
            t->c[o++] = ' ';
        } else {
            memmove(t->c + o, t->c + i, n * sizeof *t->c);
            o += n;
        }
    }
    t->n = o;
}

int ft_squad_reduce(ft_squad *s, ft_slice text, ft_buf *out, ft_err *e)
{
    ft_points *t = &s->points;
    int space = 0, begun = 0;
    if (ft_points_set(t, text.p, text.n, e) < 0 || ft_points_lower(t, e) < 0)
        return FT_ERR_NOMEM;
    delete_marks_and_articles(t);
    for (size_t i = 0; i < t->n; i++) {
        if (ft_point_is_space(t->c[i])) {
            space = begun;
            continue;
        }
        if (space)
            ft_buf_add_byte(out, ' ');
        ft_point_put(out, t->c[i]);
        space = 0;
        begun = 1;
    }
    return ft_buf_check(out, e);
}

/* ---- scores ---- */

static int words_of(ft_squad *s, const ft_buf *text, ft_symbols *to, ft_err *e)
{
    ft_slice w;
    size_t at = 0;
    uint32_t number;
    to->n = 0;
    while (ft_next_word(text->p, text->n, &at, &w))
        if (ft_vocab_number(s->vocab, w.p, w.n, &number, e) < 0 ||
            ft_symbols_add(to, number, e) < 0)
            return FT_ERR_NOMEM;
    return 0;
}

static int f1_of(ft_squad *s, int version, double *f1, ft_err *e)
{
    double same, p, r;
    ft_vocab_reset(s->vocab);
    if (words_of(s, &s->prediction, &s->a, e) < 0 || words_of(s, &s->ref, &s->b, e) < 0 ||
        ft_exact_grams_reset(s->counts, s->b.n, e) < 0 ||
        ft_exact_grams_add(s->counts, s->b.s, s->b.n, 1, e) < 0)
        return FT_ERR_NOMEM;
    *f1 = 0;
    if (version == 2 && (s->a.n == 0 || s->b.n == 0)) {
        *f1 = s->a.n == s->b.n;
        return 0;
    }
    ft_exact_grams_match(s->counts, s->a.s, s->a.n, 1, &same);
    if (!(same > 0))
        return 0;
    p = same / (double)s->a.n;
    r = same / (double)s->b.n;
    *f1 = 2 * p * r / (p + r);
    return 0;
}

/* Compares with the reference that stands in s->ref. */
static int compare(ft_squad *s, int version, double *em, double *f1, ft_err *e)
{
    double f;
    int same = s->prediction.n == s->ref.n &&
               (s->ref.n == 0 || memcmp(s->prediction.p, s->ref.p, s->ref.n) == 0);
    if (f1_of(s, version, &f, e) < 0)
        return FT_ERR_NOMEM;
    if (same)
        *em = 100;
    if (100 * f > *f1)
        *f1 = 100 * f;
    return 0;
}

int ft_squad_segment(ft_squad *s, int version, ft_slice prediction, const ft_slice *refs,
                     size_t n_refs, double *em, double *f1, ft_err *e)
{
    size_t compared = 0;
    *em = *f1 = 0;
    ft_buf_clear(&s->prediction);
    if (ft_squad_reduce(s, prediction, &s->prediction, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n_refs; i++) {
        ft_buf_clear(&s->ref);
        if (ft_squad_reduce(s, refs[i], &s->ref, e) < 0)
            return FT_ERR_NOMEM;
        if (version == 2 && s->ref.n == 0)
            continue;
        compared++;
        if (compare(s, version, em, f1, e) < 0)
            return FT_ERR_NOMEM;
    }
    ft_buf_clear(&s->ref);
    return compared ? 0 : compare(s, version, em, f1, e);
}
