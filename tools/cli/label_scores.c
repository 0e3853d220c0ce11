#include "tools/cli/label_scores.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/digest_set.h"
#include "data/example.h"
#include "data/lines.h"
#include "tools/cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define Z_UNIT 0.6745          /* of a normal distribution: MAD / standard deviation */

typedef struct score {
    double loss;               /* NaN: null, an example without targets */
    uint64_t targets;
    int used;
} score;

typedef struct table {         /* of one file */
    const char *path;          /* NULL: not given */
    ft_digest_set *ids;
    score *of;
    size_t n, cap;
} table;

struct label_scores {
    table with, without, one;
    int ratio_of_losses;
    double z_min, median, mad;
    uint64_t unscored, unequal;
    ft_buf line, text;
};

/* ---- reading ---- */

static int read_line(table *t, ft_mp line, ft_buf *id_json, ft_err *e)
{
    score s = {.loss = NAN};
    ft_mp id, loss;
    ft_digest key;
    uint64_t number;
    int is_new, rc;
    if (ft_mp_type_of(line) != FT_MP_MAP || !ft_mp_get(line, "id", &id) ||
        !ft_mp_get(line, "loss", &loss) ||
        (ft_mp_type_of(loss) != FT_MP_NIL && !ft_mp_float(loss, &s.loss)))
        return ft_err_set(e, FT_ERR_DATA, "is no {\"id\", \"loss\"} as ft-eval --scores writes");
    (void)ft_mp_get_uint(line, "targets", &s.targets);
    ft_buf_clear(id_json);
    ft_json_put(id_json, id);
    if ((rc = ft_buf_check(id_json, e)) < 0)
        return rc;
    key = ft_digest_of(id_json->p, id_json->n);
    if ((rc = ft_digest_set_add(t->ids, &key, &number, &is_new, e)) < 0)
        return rc;
    if (!is_new)
        return ft_err_set(e, FT_ERR_DATA, "id %.*s is there twice; scores are joined by id",
                          (int)(id_json->n < 80 ? id_json->n : 80), (const char *)id_json->p);
    if ((rc = ft_grow(&t->of, &t->cap, t->n + 1, sizeof *t->of, e)) < 0)
        return rc;
    t->of[t->n++] = s;
    return 0;
}

static void read_table(table *t, const char *path)
{
    ft_in *in = NULL;
    ft_lines *lines = NULL;
    ft_slice text;
    ft_buf record = {0}, id = {0};
    if (!(t->path = path))
        return;
    cli_check(ft_digest_set_new(&t->ids, cli_memory(), cli_err()));
    cli_check(ft_in_open(&in, path, cli_err()));
    cli_check(ft_lines_new(&lines, in, cli_err()));
    while (cli_check(ft_lines_next(lines, &text, cli_err())) == 0) {
        ft_buf_clear(&record);
        if (ft_json_parse(text.p, text.n, &record, cli_err()) < 0 ||
            read_line(t, (ft_mp){record.p, record.n}, &id, cli_err()) < 0) {
            ft_err_wrap(cli_err(), "line %llu of %s", (unsigned long long)ft_lines_number(lines),
                        path);
            cli_fail();
        }
    }
    ft_lines_free(&lines);
    ft_in_close(&in);
    ft_buf_free(&record);
    ft_buf_free(&id);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_of(double *v, size_t n)
{
    if (n == 0)
        return NAN;
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void find_spread(label_scores *s)
{
    double *v = ft_new(s->one.n, sizeof *v, cli_err());
    size_t n = 0;
    if (!v)
        cli_fail();
    for (size_t i = 0; i < s->one.n; i++)
        if (!isnan(s->one.of[i].loss))
            v[n++] = s->one.of[i].loss;
    s->median = median_of(v, n);
    for (size_t i = 0; i < n; i++)
        v[i] = fabs(v[i] - s->median);
    s->mad = median_of(v, n);
    ft_free(v);
}

label_scores *label_scores_new(const char *with, const char *without, const char *one,
                               int ratio_of_losses, double outlier_z)
{
    label_scores *s = ft_new(1, sizeof *s, cli_err());
    if (!s)
        cli_fail();
    s->ratio_of_losses = ratio_of_losses;
    s->z_min = outlier_z;
    read_table(&s->with, with);
    read_table(&s->without, without);
    read_table(&s->one, one);
    if (one)
        find_spread(s);
    return s;
}

static void table_free(table *t)
{
    ft_digest_set_free(&t->ids);
    ft_free(t->of);
}

void label_scores_free(label_scores **s)
{
    if (!*s)
        return;
    table_free(&(*s)->with);
    table_free(&(*s)->without);
    table_free(&(*s)->one);
    ft_buf_free(&(*s)->line);
    ft_buf_free(&(*s)->text);
    ft_free(*s);
    *s = NULL;
}

/* ---- judging ---- */

/* The score of an id, or NULL. */
static const score *find(table *t, ft_slice id, uint64_t row)
{
    ft_digest key = ft_digest_of(id.p, id.n);
    uint64_t number;
    int is_new;
    cli_check(ft_digest_set_add(t->ids, &key, &number, &is_new, cli_err()));
    if (number >= t->n)
        return NULL;
    if (t->of[number].used) {
        ft_err_set(cli_err(), FT_ERR_DATA, "record %llu: id %.*s stood there before; scores are "
                   "joined by id", (unsigned long long)row, (int)(id.n < 80 ? id.n : 80),
                   (const char *)id.p);
        cli_fail();
    }
    t->of[number].used = 1;
    return &t->of[number];
}

/* Appends the beginning of a part to b; of a part that the example has not, nothing. */
static void put_part(label_scores *s, const cli_item *it, enum ft_part part, ft_buf *b)
{
    ft_err e = {0};
    ft_buf_clear(&s->text);
    if (ft_example_part(it->record, part, &s->text, &e) == 0) {
        label_put_excerpt(b, (ft_slice){s->text.p, s->text.n});
    } else if (e.code != FT_ERR_DATA || part == FT_PART_RESPONSE) {
        ft_err_set(cli_err(), e.code, "record %llu: %s", (unsigned long long)it->number, e.text);
        cli_fail();
    }
    cli_check(ft_buf_check(b, cli_err()));
}

/* The answer's beginning is what is given, the question's is shown. */
static void suggest_drop(label_scores *s, label_suggestions *out, const cli_item *it, ft_slice id,
                         enum label_method m, double value)
{
    ft_buf answer = {0}, question = {0};
    put_part(s, it, FT_PART_RESPONSE, &answer);
    put_part(s, it, FT_PART_PROMPT, &question);
    label_line_begin(&s->line, id, it->number, "answer");
    ft_json_put_string(&s->line, answer.p, answer.n);
    ft_buf_add_str(&s->line, ",\"suggested\":null");
    label_line_end(&s->line, value, m, ",\"action\":\"drop\"",
                   (ft_slice){question.p, question.n});
    label_suggestions_add(out, m, -value, it->number, &s->line);
    ft_buf_free(&answer);
    ft_buf_free(&question);
}

static void judge_ifd(label_scores *s, label_suggestions *out, const cli_item *it, ft_slice id)
{
    const score *a = find(&s->with, id, it->number), *b = find(&s->without, id, it->number);
    double ifd;
    if (!a || !b || isnan(a->loss) || isnan(b->loss)) {
        s->unscored++;
        return;
    }
    s->unequal += a->targets != b->targets;
    ifd = s->ratio_of_losses ? a->loss / b->loss : exp(a->loss - b->loss);
    if (isfinite(ifd) && ifd > 1)
        suggest_drop(s, out, it, id, LABEL_IFD, ifd);
}

static void judge_loss(label_scores *s, label_suggestions *out, const cli_item *it, ft_slice id)
{
    const score *a = find(&s->one, id, it->number);
    double z;
    if (!a || isnan(a->loss)) {
        s->unscored++;
        return;
    }
    z = Z_UNIT * (a->loss - s->median) / s->mad;
    if (s->mad > 0 && z > s->z_min)
        suggest_drop(s, out, it, id, LABEL_LOSS, z);
}

void label_scores_add(label_scores *s, label_suggestions *out, const cli_item *it, ft_slice id)
{
    if (s->with.path)
        judge_ifd(s, out, it, id);
    if (s->one.path)
        judge_loss(s, out, it, id);
}

static void check_used(const table *t)
{
    size_t used = 0;
    for (size_t i = 0; i < t->n; i++)
        used += (size_t)t->of[i].used;
    if (t->n && used == 0) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s: none of its %zu ids is in the data: these are the "
                   "scores of something else", t->path, t->n);
        cli_fail();
    }
    if (used < t->n)
        cli_warn("%s: %zu of %zu ids are not in the data", t->path, t->n - used, t->n);
}

void label_scores_end(const label_scores *s)
{
    check_used(&s->with);
    check_used(&s->without);
    check_used(&s->one);
    if (s->unscored)
        cli_result_count("unscored", s->unscored);
    if (s->unequal)
        cli_warn("%llu answers have another number of targets with the question than without",
                 (unsigned long long)s->unequal);
    if (s->one.path) {
        cli_result_real("median_loss", s->median);
        cli_result_real("mad", s->mad);
    }
}
