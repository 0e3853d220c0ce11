/* compare_systems.c: see compare_systems.h. */
#include "tools/cli/compare_systems.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void *room(size_t n, size_t size)
{
    void *p = ft_new(n, size, cli_err());
    if (!p)
        cli_fail();
    return p;
}

static _Noreturn void refuse(void)
{
    cli_err()->code = FT_ERR_DATA;
    cli_fail();
}

/* ---- lists of words on the command line ---- */

/* Whether word (n bytes) is one of the comma-separated list's; NULL is empty. */
static int is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return 1;
    return 0;
}

static char *copy(const char *s, size_t n)
{
    char *p = ft_strndup(s, n, cli_err());
    if (!p)
        cli_fail();
    return p;
}

/* A copy of the next word of a list; NULL at the end. */
static char *next_word(const char **list)
{
    size_t n;
    char *word;
    if (!*list)
        return NULL;
    n = strcspn(*list, ",");
    word = copy(*list, n);
    *list = (*list)[n] ? *list + n + 1 : NULL;
    return word;
}

/* ---- names ---- */

/* The name with what a terminal would act on escaped, as in JSON but without the quotes. */
static char *shown(const char *key)
{
    ft_buf b = {0};
    char *name;
    ft_json_put_string(&b, key, strlen(key));
    cli_check(ft_buf_check(&b, cli_err()));
    if (!(name = ft_strndup((const char *)b.p + 1, b.n - 2, cli_err())))
        cli_fail();
    ft_buf_free(&b);
    return name;
}

/* "runs/tuned.jsonl" -> "tuned" */
static char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    return n ? copy(base, n) : copy(path, strlen(path));
}

static int names_differ(const cli_compare *c)
{
    for (size_t i = 0; i < c->n_systems; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->systems[i].name, c->systems[k].name) == 0)
                return 0;
    return 1;
}

/* Gives a system a name, fit to be shown; takes over `name`. */
static void set_name(cli_system *s, char *name)
{
    ft_free(s->name);
    s->name = shown(name);
    ft_free(name);
}

static void take_names(cli_compare *c)
{
    const char *rest = c->names;
    char *word;
    size_t n = 0;
    for (; (word = next_word(&rest)); n++) {
        if (!*word)
            cli_usage_error("--names %s: name %zu is empty", c->names, n + 1);
        if (n < c->n_systems)
            set_name(&c->systems[n], word);
        else
            ft_free(word);
    }
    if (n != c->n_systems)
        cli_usage_error("--names %s: %zu names for %zu files", c->names, n, c->n_systems);
    if (!names_differ(c))
        cli_usage_error("--names %s: two systems have the same name", c->names);
}

/* By their files' names, which may be whole paths. */
static void name_systems(cli_compare *c)
{
    for (size_t i = 0; i < c->n_systems; i++)
        set_name(&c->systems[i], short_name(c->systems[i].path));
    if (names_differ(c))
        return;
    for (size_t i = 0; i < c->n_systems; i++)
        set_name(&c->systems[i], copy(c->systems[i].path, strlen(c->systems[i].path)));
    if (!names_differ(c))
        cli_usage_error("a file is given twice; --names A,B,... tells them apart");
}

/* ---- reading ---- */

static void read_system(const cli_compare *c, cli_system *s)
{
    ft_in *in = NULL;
    cli_check(ft_in_open(&in, s->path, cli_err()));
    cli_check(ft_score_table_read(&s->scores, in, c->group, cli_err()));
    ft_in_close(&in);
}

/* Fields that ft's tools write beside scores and that are none. */
static int is_score(const char *key)
{
    static const char *const others[] = {"targets", "weight", "group", "cluster", "label", "source",
                                         "row", "record", "line", "tokens", "bytes", "seed", NULL};
    for (size_t i = 0; others[i]; i++)
        if (strcmp(key, others[i]) == 0)
            return 0;
    return 1;
}

static int lower_is_better(const cli_compare *c, const char *key)
{
    static const char *const lower[] = {"loss", "nll", "perplexity", "bits_per_byte", "brier",
                                        "ece", "ter", "wer", "cer", "error", "seconds", NULL};
    for (size_t i = 0; lower[i]; i++)
        if (strcmp(key, lower[i]) == 0)
            return 1;
    return is_listed(c->lower, key);
}

static const char *note_of(const char *key)
{
    if (strncmp(key, "bleu", 4) == 0 || strncmp(key, "chrf", 4) == 0)
        return "scores of single examples are compared; the score of a whole corpus, which is "
               "reported elsewhere, is not their mean";
    return NULL;
}

static double value_of(const cli_system *s, size_t row, const char *key)
{
    size_t k = ft_score_table_column(s->scores, key);
    return k < ft_score_table_columns(s->scores)
        ? ft_score_table_values(s->scores, k)[s->row_of ? s->row_of[row] : row] : NAN;
}

static const char *show_id(const cli_compare *c, size_t row, char out[80])
{
    return ft_score_table_show_id(ft_score_table_id(c->systems[0].scores, row), out);
}

/* Refuses a metric that an example has in one file only. */
static void check_present(const cli_compare *c, const cli_metric *m, size_t row)
{
    const cli_system *with = NULL, *without = NULL;
    char id[80];
    for (size_t s = 0; s < c->n_systems; s++)
        *(isnan(value_of(&c->systems[s], row, m->key)) ? &without : &with) = &c->systems[s];
    if (!with || !without)
        return;
    ft_err_set(cli_err(), FT_ERR_DATA, "id %s has %s in %s and none in %s: the same examples must "
               "be scored", show_id(c, row, id), m->name, with->path, without->path);
    cli_fail();
}

/* Targets of a row, 0: it does not count. They must agree: losses of other tokens are others. */
static double targets_of(const cli_compare *c, size_t row)
{
    double targets = value_of(&c->systems[0], row, "targets");
    char id[80];
    for (size_t s = 1; s < c->n_systems; s++) {
        double other = value_of(&c->systems[s], row, "targets");
        if (other == targets || isnan(other) || isnan(targets))
            continue;
        ft_err_set(cli_err(), FT_ERR_DATA, "id %s has %g targets in %s and %g in %s: losses "
                   "compare only over the same tokens", show_id(c, row, id), targets,
                   c->systems[0].path, other, c->systems[s].path);
        cli_fail();
    }
    if (isnan(targets) || (targets >= 0 && targets <= 1e15))
        return isnan(targets) ? 0 : targets;
    ft_err_set(cli_err(), FT_ERR_DATA, "%s: line %llu: %g is no number of targets",
               c->systems[0].path,
               (unsigned long long)ft_score_table_line(c->systems[0].scores, row), targets);
    cli_fail();
}

/* Groups of the first file that names any. Rows without one are each their own. */
static const cli_system *grouped(const cli_compare *c)
{
    for (size_t s = 0; s < c->n_systems; s++)
        if (ft_score_table_groups(c->systems[s].scores))
            return &c->systems[s];
    return NULL;
}

static uint32_t group_of(const cli_system *s, size_t row, uint32_t *alone)
{
    uint32_t g = ft_score_table_group(s->scores, s->row_of ? s->row_of[row] : row);
    return g == FT_NO_GROUP ? (*alone)++ : g;
}

static size_t count_clusters(const cli_metric *m, size_t most)
{
    uint8_t *seen;
    size_t n = 0;
    if (!m->cluster)
        return m->n;
    seen = room(most, 1);
    for (size_t i = 0; i < m->n; i++) {
        n += !seen[m->cluster[i]];
        seen[m->cluster[i]] = 1;
    }
    ft_free(seen);
    return n;
}

/* Collects the rows that have the metric. */
static void fill_metric(const cli_compare *c, cli_metric *m)
{
    const cli_system *groups = grouped(c);
    uint32_t alone = groups ? (uint32_t)ft_score_table_groups(groups->scores) : 0;
    m->rows = room(c->rows, sizeof *m->rows);
    m->baseline = room(c->rows, sizeof *m->baseline);
    m->weight = m->by_targets ? room(c->rows, sizeof *m->weight) : NULL;
    m->cluster = groups ? room(c->rows, sizeof *m->cluster) : NULL;
    for (size_t row = 0; row < c->rows; row++) {
        double x = value_of(&c->systems[0], row, m->key), w = 1;
        check_present(c, m, row);
        if (isnan(x) || (m->by_targets && !((w = targets_of(c, row)) > 0)))
            continue;
        m->rows[m->n] = row;
        m->baseline[m->n] = x;
        if (m->weight)
            m->weight[m->n] = w;
        if (m->cluster)
            m->cluster[m->n] = group_of(groups, row, &alone);
        m->n++;
    }
    m->clusters = count_clusters(m, alone);
    if (m->n)
        return;
    ft_err_set(cli_err(), FT_ERR_DATA, "no example has a %s%s", m->name,
               m->by_targets ? " and targets" : "");
    cli_fail();
}

static void add_metric(cli_compare *c, const char *key)
{
    cli_metric *m = &c->metrics_of[c->n_metrics++];
    size_t targets = ft_score_table_column(c->systems[0].scores, "targets");
    *m = (cli_metric){.key = copy(key, strlen(key)), .name = shown(key), .note = note_of(key),
                      .lower_is_better = lower_is_better(c, key)};
    m->by_targets = strcmp(key, "loss") == 0 && !c->unweighted &&
                    targets < ft_score_table_columns(c->systems[0].scores);
    fill_metric(c, m);
}

/* The first system that has no such column, or NULL. */
static const cli_system *lacking(const cli_compare *c, const char *key)
{
    for (size_t s = 0; s < c->n_systems; s++) {
        const ft_score_table *t = c->systems[s].scores;
        if (ft_score_table_column(t, key) == ft_score_table_columns(t))
            return &c->systems[s];
    }
    return NULL;
}

static void choose_named(cli_compare *c)
{
    const char *rest = c->metrics;
    char *key;
    while ((key = next_word(&rest))) {
        const cli_system *s = lacking(c, key);
        for (size_t i = 0; i < c->n_metrics; i++)
            if (strcmp(c->metrics_of[i].key, key) == 0)
                cli_usage_error("--metrics %s: %s is there twice", c->metrics, key);
        if (s) {
            ft_err_set(cli_err(), FT_ERR_DATA, "%s: no line has a number as %s", s->path, key);
            cli_fail();
        }
        if (c->n_metrics == FT_SCORE_COLUMNS_MAX)
            cli_usage_error("--metrics: more than %d", FT_SCORE_COLUMNS_MAX);
        add_metric(c, key);
        ft_free(key);
    }
}

/* Whether a system before s has the column, so that it was dealt with already. */
static int was_seen(const cli_compare *c, size_t s, const char *key)
{
    while (s-- > 0)
        if (ft_score_table_column(c->systems[s].scores, key) <
            ft_score_table_columns(c->systems[s].scores))
            return 1;
    return 0;
}

static void consider(cli_compare *c, const char *key)
{
    const cli_system *without = lacking(c, key);
    char *name;
    if (!without) {
        add_metric(c, key);
        return;
    }
    name = shown(key);
    cli_note("%s is not compared: %s has none", name, without->path);
    ft_free(name);
}

static void choose_common(cli_compare *c)
{
    for (size_t s = 0; s < c->n_systems; s++)
        for (size_t k = 0; k < ft_score_table_columns(c->systems[s].scores); k++) {
            const char *key = ft_score_table_column_name(c->systems[s].scores, k);
            if (is_score(key) && !was_seen(c, s, key))
                consider(c, key);
        }
    if (c->n_metrics)
        return;
    ft_err_set(cli_err(), FT_ERR_DATA, "no score that all files have (fields with numbers, other "
               "than targets and the like; --metrics NAME takes any)");
    cli_fail();
}

void cli_compare_read(cli_compare *c)
{
    if (c->names)
        take_names(c);
    else
        name_systems(c);
    for (size_t s = 0; s < c->n_systems; s++) {
        cli_system *x = &c->systems[s];
        read_system(c, x);
        c->rows = ft_score_table_rows(c->systems[0].scores);
        if (ft_score_table_rows(x->scores) == 0) {
            ft_err_set(cli_err(), FT_ERR_DATA, "%s: there are no scores in it", x->path);
            refuse();
        }
        if (s == 0)
            continue;
        x->row_of = room(c->rows, sizeof *x->row_of);
        cli_check(ft_score_table_join(c->systems[0].scores, x->scores, x->row_of, cli_err()));
    }
    c->groups = grouped(c) ? ft_score_table_groups(grouped(c)->scores) : 0;
    if (cli_given("group") && !c->groups && strcmp(c->group, "id") != 0) {
        ft_err_set(cli_err(), FT_ERR_DATA, "no line of any file has a field %s", c->group);
        refuse();
    }
    if (c->metrics)
        choose_named(c);
    else
        choose_common(c);
}

/* ---- testing ---- */

/* Puts place i into the list of those with the largest x, equal ones in their order. */
static void keep_largest(size_t *list, size_t *n, size_t most, const double *d, double sign,
                         size_t i)
{
    size_t at = *n;
    if (!(sign * d[i] > 0))
        return;
    while (at > 0 && sign * d[list[at - 1]] < sign * d[i])
        at--;
    if (at >= most)
        return;
    if (*n < most)
        ++*n;
    memmove(list + at + 1, list + at, (*n - at - 1) * sizeof *list);
    list[at] = i;
}

static void test_one(cli_compare *c, cli_comparison *t)
{
    const cli_metric *m = t->metric;
    double sign = m->lower_is_better ? -1 : 1;
    double *scores = room(m->n, sizeof *scores);
    ft_pairs pairs = {m->n, m->baseline, scores, m->weight, m->cluster, m->lower_is_better};
    t->difference = room(m->n, sizeof *t->difference);
    for (size_t i = 0; i < m->n; i++) {
        scores[i] = value_of(t->system, m->rows[i], m->key);
        t->difference[i] = scores[i] - m->baseline[i];
        keep_largest(t->gained, &t->n_gained, c->examples, t->difference, sign, i);
        keep_largest(t->lost, &t->n_lost, c->examples, t->difference, -sign, i);
    }
    cli_check(ft_compare(&pairs, &c->options, cli_pool(), &t->r, cli_err()));
    ft_free(scores);
    t->p = strcmp(c->test, "t") == 0           ? t->r.t_p
           : strcmp(c->test, "bootstrap") == 0 ? t->r.bootstrap.p
                                               : t->r.swaps.p;
    if (isnan(t->p))           /* of one cluster: nothing is known */
        t->p = 1;
}

static enum cli_verdict judge(const cli_compare *c, const cli_comparison *t)
{
    double better = t->metric->lower_is_better ? -t->r.difference.mean : t->r.difference.mean;
    /* All clusters on one side is the most that can happen, two of 2^G ways to deal them out. */
    if (t->r.ties == t->metric->n)
        return CLI_ALL_EQUAL;
    if (t->metric->clusters < 2 || pow(2, 1 - (double)t->metric->clusters) > c->options.alpha)
        return CLI_TOO_FEW;
    if (t->p_holm > c->options.alpha || better == 0)
        return CLI_NOT_SEEN;
    return better > 0 ? CLI_BETTER : CLI_WORSE;
}

void cli_compare_test(cli_compare *c)
{
    double p[CLI_TESTS_MAX], holm[CLI_TESTS_MAX];
    c->tests = room(c->n_metrics * (c->n_systems - 1), sizeof *c->tests);
    for (size_t m = 0; m < c->n_metrics; m++)
        for (size_t s = 1; s < c->n_systems; s++) {
            cli_comparison *t = &c->tests[c->n_tests];
            t->metric = &c->metrics_of[m];
            t->system = &c->systems[s];
            test_one(c, t);
            p[c->n_tests++] = t->p;
        }
    ft_holm(p, c->n_tests, holm);
    for (size_t i = 0; i < c->n_tests; i++) {
        c->tests[i].p_holm = holm[i];
        c->tests[i].verdict = judge(c, &c->tests[i]);
    }
}

void cli_compare_free(cli_compare *c)
{
    for (size_t i = 0; i < c->n_tests; i++)
        ft_free(c->tests[i].difference);
    ft_free(c->tests);
    for (size_t i = 0; i < c->n_metrics; i++) {
        ft_free(c->metrics_of[i].key);
        ft_free(c->metrics_of[i].name);
        ft_free(c->metrics_of[i].rows);
        ft_free(c->metrics_of[i].baseline);
        ft_free(c->metrics_of[i].weight);
        ft_free(c->metrics_of[i].cluster);
    }
    for (size_t i = 0; i < c->n_systems; i++) {
        ft_score_table_free(&c->systems[i].scores);
        ft_free(c->systems[i].row_of);
        ft_free(c->systems[i].name);
    }
}
