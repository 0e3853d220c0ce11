#include "tools/cli/metrics_by.h"

#include "base/mem.h"
#include "base/json.h"
#include "eval/classify.h"
#include "eval/exact_grams.h"
#include "tools/cli/cli.h"

#include <string.h>

typedef struct of_value {
    uint32_t number;               /* in the vocabulary */
    double *sums;
    size_t cap;                    /* doubles, all set  */
    ft_units *units;
} of_value;

struct cli_by {
    const char *field;
    const ft_suite *suite;
    int drawn;
    ft_vocab *values;              /* as JSON */
    of_value *of;
    size_t n, cap;
    ft_buf json;
};

cli_by *cli_by_new(const char *field, const ft_suite *s, int drawn)
{
    cli_by *b = ft_new(1, sizeof *b, cli_err());
    if (!b)
        cli_fail();
    b->field = field;
    b->suite = s;
    b->drawn = drawn;
    cli_check(ft_vocab_new(&b->values, cli_err()));
    return b;
}

static void forget_units(cli_by *b)
{
    for (size_t i = 0; i < b->n; i++)
        ft_units_free(&b->of[i].units);
    b->drawn = 0;
}

void cli_by_free(cli_by **b)
{
    if (!*b)
        return;
    forget_units(*b);
    for (size_t i = 0; i < (*b)->n; i++)
        ft_free((*b)->of[i].sums);
    ft_free((*b)->of);
    ft_vocab_free(&(*b)->values);
    ft_buf_free(&(*b)->json);
    ft_free(*b);
    *b = NULL;
}

void cli_count_labels(double *sums, uint32_t predicted, uint32_t reference)
{
    sums[FT_LABEL_SUMS * predicted + FT_LABEL_PREDICTED]++;
    sums[FT_LABEL_SUMS * reference + FT_LABEL_REFERENCE]++;
    if (predicted == reference)
        sums[FT_LABEL_SUMS * predicted + FT_LABEL_HIT]++;
}

static of_value *new_value(cli_by *b, uint32_t number)
{
    of_value *v;
    if (b->n == CLI_BY_MAX) {
        ft_err_set(cli_err(), FT_ERR_DATA, "over %d different values of %s: --by is for a few "
                   "classes or sources", CLI_BY_MAX, b->field);
        cli_fail();
    }
    cli_check(ft_grow(&b->of, &b->cap, b->n + 1, sizeof *b->of, cli_err()));
    v = &b->of[b->n++];
    *v = (of_value){.number = number};
    if (b->n > CLI_BY_DRAWN_MAX)
        forget_units(b);
    if (b->drawn)
        cli_check(ft_units_new(&v->units, b->suite->width, cli_err()));
    return v;
}

static of_value *value_of_record(cli_by *b, ft_mp record)
{
    uint32_t number;
    ft_mp v;
    ft_buf_clear(&b->json);
    if (ft_mp_get(record, b->field, &v))
        ft_json_put(&b->json, v);
    else
        ft_buf_add_str(&b->json, "null");
    cli_check(ft_buf_check(&b->json, cli_err()));
    cli_check(ft_vocab_number(b->values, b->json.p, b->json.n, &number, cli_err()));
    return number < b->n ? &b->of[number] : new_value(b, number);
}

static void make_room(of_value *v, size_t need)
{
    size_t had = v->cap;
    cli_check(ft_grow(&v->sums, &v->cap, need, sizeof *v->sums, cli_err()));
    memset(v->sums + had, 0, (v->cap - had) * sizeof *v->sums);
}

void cli_by_add(cli_by *b, ft_mp record, const double *row, const uint32_t *label, size_t n_labels,
                size_t labels_drawn, ft_slice group)
{
    of_value *v = value_of_record(b, record);
    size_t width = b->suite->width;
    double *unit;
    make_room(v, width + FT_LABEL_SUMS * n_labels);
    for (size_t k = 0; k < width; k++)
        v->sums[k] += row[k];
    if (label)
        cli_count_labels(v->sums + width, label[0], label[1]);
    if (!b->drawn)
        return;
    cli_check(ft_units_widen(v->units, width + FT_LABEL_SUMS * labels_drawn, cli_err()));
    if (group.n)
        cli_check(ft_units_add_to(v->units, group.p, group.n, row, &unit, cli_err()));
    else
        cli_check(ft_units_add(v->units, row, &unit, cli_err()));
    if (label && label[0] < labels_drawn && label[1] < labels_drawn)
        cli_count_labels(unit + width, label[0], label[1]);
}

/* Both are JSON, so neither is empty. */
static int compare_json(ft_slice s, ft_slice t)
{
    int order = memcmp(s.p, t.p, s.n < t.n ? s.n : t.n);
    return order ? order : (s.n > t.n) - (s.n < t.n);
}

/* At most CLI_BY_MAX of them: by insertion. */
static void sort_values(cli_by *b)
{
    for (size_t i = 1; i < b->n; i++) {
        of_value v = b->of[i];
        ft_slice json = ft_vocab_word(b->values, v.number);
        size_t k = i;
        for (; k > 0 && compare_json(ft_vocab_word(b->values, b->of[k - 1].number), json) > 0; k--)
            b->of[k] = b->of[k - 1];
        b->of[k] = v;
    }
}

void cli_by_end(cli_by *b, size_t n_labels, size_t labels_drawn)
{
    size_t width = b->suite->width;
    for (size_t i = 0; i < b->n; i++) {
        make_room(&b->of[i], width + FT_LABEL_SUMS * n_labels);
        if (b->drawn)
            cli_check(ft_units_widen(b->of[i].units, width + FT_LABEL_SUMS * labels_drawn,
                                     cli_err()));
    }
    sort_values(b);
}


size_t cli_by_count(const cli_by *b)
{
    return b->n;
}

cli_by_value cli_by_value_of(const cli_by *b, size_t i)
{
    const of_value *v = &b->of[i];
    return (cli_by_value){ft_vocab_word(b->values, v->number), v->sums, v->units};
}
