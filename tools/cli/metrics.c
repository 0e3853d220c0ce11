/* metrics.c: see metrics.h. Threads make a row of sums of each record; rows are added up, labels
 * numbered and units filled in the order of the stream, so the result depends on no thread. */
#include "tools/cli/metrics.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/example.h"
#include "eval/bootstrap.h"
#include "eval/classify.h"
#include "eval/exact_grams.h"
#include "tools/cli/each_record.h"
#include "tools/cli/metrics_by.h"
#include "tools/cli/references.h"

#include <string.h>

enum {
    LABELS_MAX = 4096,           /* more different ones are no labels                     */
    LABELS_DRAWN_MAX = 128       /* more are not drawn again: their measures get no interval */
};

/* What one thread works with. */
typedef struct worker {
    ft_scorer *scorer;
    ft_slice *refs;
    size_t n_refs, refs_cap;
    ft_buf reference;            /* a record of --references */
    double *p;                   /* probabilities            */
    size_t p_cap;
} worker;

typedef struct job {
    const ft_suite *suite;
    const cli_metrics *o;
    int allow_leak;
    worker *workers;
    cli_references *references;
    ft_out *scores;
    double *sums;                /* of all; labels behind the suite's */
    size_t n_labels;
    ft_vocab *labels;
    ft_units *units;
    cli_by *by;                  /* NULL: no --by               */
    int by_cluster;              /* decided by the first record */
    int warned_cluster;
    uint64_t examples;
    size_t refs_least, refs_most;
} job;

/* ---- the command line ---- */

static void refuse_without(int wanted, const char *option, const char *with)
{
    if (!wanted && cli_given(option))
        cli_usage_error("--%s goes with %s", option, with);
}

static void read_tok(cli_metrics *o, int bleu, int rouge)
{
    static const char *const names[] = {"13a", "intl", "char", "none"};
    for (const char *p = o->tok, *end; p; p = *end ? end + 1 : NULL) {
        size_t n, k = 0;
        end = p + strcspn(p, ",");
        n = (size_t)(end - p);
        while (k < 4 && (strlen(names[k]) != n || memcmp(names[k], p, n) != 0))
            k++;
        if (k < 4 && !bleu)
            cli_usage_error("--tok %s goes with --metrics bleu", names[k]);
        if (k < 4) {
            o->suite.bleu.tok = (enum ft_bleu_tok)k;
        } else if (n == 7 && memcmp(p, "unicode", 7) == 0) {
            if (!rouge)
                cli_usage_error("--tok unicode goes with the metrics rouge1, rouge2, rougeL and "
                                "rougeLsum");
            o->suite.rouge.unicode = 1;
        } else {
            cli_usage_error("--tok: '%.*s' is not one of 13a, intl, char, none, unicode",
                            (int)(n < 40 ? n : 40), p);
        }
    }
}

static void read_smooth(cli_metrics *o)
{
    static const char *const names[] = {"exp", "floor", "add-k", "none"};
    size_t k = 0;
    while (strcmp(names[k], o->smooth) != 0)
        k++;
    o->suite.bleu.smooth = (enum ft_bleu_smooth)k;
    o->suite.bleu.smooth_value = k == FT_BLEU_ADD_K ? 1 : 0.1;
    if (cli_given("smooth-value")) {
        if (k != FT_BLEU_FLOOR && k != FT_BLEU_ADD_K)
            cli_usage_error("--smooth-value goes with --smooth floor or add-k");
        o->suite.bleu.smooth_value = o->smooth_value;
    }
}

const char *const cli_metrics_of_text[] = {
    "references", "tok", "smooth", "smooth-value", "chrf-char-order", "chrf-word-order",
    "chrf-beta", "chrf-whitespace", "chrf-eps-smoothing", "stem", "squad", "lowercase", "by", NULL};

/* An option that would do nothing is misuse. */
static void refuse_all(int drawn)
{
    static const char *const drawing[] = {"bootstrap", "cluster"};
    for (size_t i = 0; cli_metrics_of_text[i]; i++)
        refuse_without(0, cli_metrics_of_text[i], "--metrics");
    for (size_t i = 0; i < 2; i++)
        refuse_without(drawn, drawing[i], "--metrics and --choices");
}

static void read_chrf(cli_metrics *o)
{
    static const char *const all[] = {"chrf-char-order", "chrf-beta", "chrf-whitespace",
                                      "chrf-eps-smoothing"};
    ft_chrf_settings *both[] = {&o->suite.chrf, &o->suite.chrfpp};
    int chrf = ft_suite_has(&o->suite, FT_METRIC_CHRF);
    for (size_t i = 0; i < 4; i++)
        refuse_without(chrf || ft_suite_has(&o->suite, FT_METRIC_CHRFPP), all[i],
                       "the metrics chrf and chrfpp");
    refuse_without(chrf, "chrf-word-order", "--metrics chrf");
    for (size_t i = 0; i < 2; i++) {
        both[i]->chars = (unsigned)o->chrf_chars;
        both[i]->beta = (unsigned)o->chrf_beta;
        both[i]->white_space = o->chrf_space;
        both[i]->epsilon = o->chrf_epsilon;
    }
    o->suite.chrf.words = (unsigned)o->chrf_words;
}

void cli_metrics_check(cli_metrics *o, int drawn)
{
    ft_suite *s = &o->suite;
    int bleu, rouge;
    if (o->draws > 0 && o->draws < 40)
        cli_usage_error("--bootstrap %llu: 40 draws are the least that have a 95 %% interval",
                        (unsigned long long)o->draws);
    if (!o->list) {
        refuse_all(drawn);
        return;
    }
    if (ft_suite_parse(s, o->list, cli_err()) < 0)
        cli_usage_error("--metrics: %s", cli_err()->text);
    bleu = ft_suite_has(s, FT_METRIC_BLEU);
    rouge = ft_suite_has(s, FT_METRIC_ROUGE1) || ft_suite_has(s, FT_METRIC_ROUGE2) ||
            ft_suite_has(s, FT_METRIC_ROUGEL) || ft_suite_has(s, FT_METRIC_ROUGELSUM);
    refuse_without(bleu, "smooth", "--metrics bleu");
    refuse_without(rouge, "stem", "the metrics rouge1, rouge2, rougeL and rougeLsum");
    refuse_without(ft_suite_has(s, FT_METRIC_EM) || ft_suite_has(s, FT_METRIC_F1), "squad",
                   "the metrics em and f1");
    read_tok(o, bleu, rouge);
    read_smooth(o);
    read_chrf(o);
    s->rouge.stem = o->stem;
    s->squad_version = (int)o->squad;
    s->lowercase = s->bleu.lowercase = s->chrf.lowercase = s->chrfpp.lowercase = o->lowercase;
    ft_suite_plan(s);
}

/* ---- a record ---- */

static int add_ref(worker *w, ft_slice s, ft_err *e)
{
    if (ft_grow(&w->refs, &w->refs_cap, w->n_refs + 1, sizeof *w->refs, e) < 0)
        return FT_ERR_NOMEM;
    w->refs[w->n_refs++] = s;
    return 0;
}

/* The strings of a field reference, which was checked, or of one that stands alone. */
static int take_references(worker *w, ft_mp v, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_slice s;
    ft_mp item;
    w->n_refs = 0;
    if (ft_mp_str(v, &s))
        return add_ref(w, s, e);
    if (ft_mp_type_of(v) != FT_MP_ARRAY || ft_mp_count(v) == 0)
        return ft_err_set(e, FT_ERR_DATA, "field reference is no string and no list of strings");
    while (ft_mp_next(&it, &item)) {
        if (!ft_mp_str(item, &s))
            return ft_err_set(e, FT_ERR_DATA, "field reference[] is no string");
        if (add_ref(w, s, e) < 0)
            return FT_ERR_NOMEM;
    }
    return 0;
}

/* What a record answers: its completion, its last turn of the assistant, its text. */
static int answer_of(ft_mp record, ft_slice *s, ft_err *e)
{
    enum ft_shape shape;
    ft_mp list, turn;
    ft_mp_iter it;
    ft_slice role;
    int found = 0;
    if (ft_example_shape(record, &shape, e) < 0)
        return FT_ERR_DATA;
    if (shape == FT_SHAPE_PROMPT)
        return ft_mp_get_str(record, "completion", s) ? 0 : FT_ERR_DATA;
    if (shape == FT_SHAPE_TEXT)
        return ft_mp_get_str(record, "text", s) ? 0 : FT_ERR_DATA;
    if (shape == FT_SHAPE_PREDICTION)
        return ft_mp_get_str(record, "prediction", s) ? 0 : FT_ERR_DATA;
    (void)ft_mp_get(record, "messages", &list);
    it = ft_mp_iter_of(list);
    while (ft_mp_next(&it, &turn))
        if (ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "assistant"))
            found = ft_mp_get_str(turn, "content", s);
    return found ? 0 : ft_err_set(e, FT_ERR_DATA, "no turn of the assistant to compare");
}

/* Prediction and references of a record that has both. */
static int take_pair(worker *w, ft_mp record, ft_slice *prediction, ft_err *e)
{
    enum ft_shape shape;
    ft_mp v;
    if (ft_mp_get(record, "prediction", &v) && !ft_mp_get(record, "reference", &v))
        return ft_err_set(e, FT_ERR_DATA, "field reference is missing beside prediction; "
                          "references of another stream come by --references");
    if (ft_example_shape(record, &shape, e) < 0)
        return FT_ERR_DATA;
    if (!ft_mp_get_str(record, "prediction", prediction) || !ft_mp_get(record, "reference", &v))
        return ft_err_set(e, FT_ERR_DATA, "a record of shape %s has no prediction and reference "
                          "to compare; ft-generate makes them", ft_shape_name(shape));
    return take_references(w, v, e);
}

/* The same with the references in another stream. */
static int take_joined(const job *j, worker *w, ft_mp record, ft_slice *prediction, size_t *row,
                       ft_err *e)
{
    ft_mp other, v;
    ft_slice s;
    int rc = cli_references_find(j->references, record, &w->reference, row, e);
    if (rc < 0)
        return rc;
    other = (ft_mp){w->reference.p, w->reference.n};
    if (!ft_mp_get_str(record, "prediction", prediction) &&
        (rc = answer_of(record, prediction, e)) < 0)
        return rc;
    if (ft_mp_get(other, "reference", &v))
        rc = take_references(w, v, e);
    else if ((rc = answer_of(other, &s, e)) == 0) {
        w->n_refs = 0;
        return add_ref(w, s, e);
    }
    return rc < 0 ? ft_err_wrap(e, "its reference") : 0;
}

/* Probabilities of labels, field scores: a map from label to number. */
static int add_calibration(worker *w, ft_mp record, double *sums, ft_err *e)
{
    ft_mp scores, key, value;
    ft_mp_iter it;
    ft_slice text, label, reference;
    size_t n = 0, right = SIZE_MAX;
    double all = 0;
    if (!ft_mp_get(record, "scores", &scores) || ft_mp_type_of(scores) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "ece and brier need a field scores: a map from each "
                          "label to its probability");
    if (ft_scorer_label(w->scorer, w->refs[0], 1, &reference, e) < 0)
        return FT_ERR_NOMEM;
    it = ft_mp_iter_of(scores);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        double p;
        if (!ft_mp_str(key, &text) || !ft_mp_float(value, &p) || !(p >= 0 && p <= 1))
            return ft_err_set(e, FT_ERR_DATA, "field scores: a label's value is no probability");
        if (ft_scorer_label(w->scorer, text, 0, &label, e) < 0 ||
            ft_grow(&w->p, &w->p_cap, n + 1, sizeof *w->p, e) < 0)
            return FT_ERR_NOMEM;
        if (label.n == reference.n && (label.n == 0 || memcmp(label.p, reference.p, label.n) == 0))
            right = n;
        all += p;
        w->p[n++] = p;
    }
    if (!(all > 0.99 && all < 1.01))
        return ft_err_set(e, FT_ERR_DATA, "field scores: probabilities add up to %g, not to 1",
                          all);
    ft_calibration_add(sums, w->p, n, right < n ? right : n);
    return 0;
}

/* {"id", "group", metric: value, …}: of metrics that a single example has. */
static void put_score_line(const job *j, const cli_item *it, const double *row, ft_buf *b)
{
    double scores[FT_METRICS];
    ft_mp v;
    ft_suite_scores(j->suite, row, 0, 1, scores);
    ft_buf_add_str(b, "{\"id\":");
    if (ft_mp_get(it->record, "id", &v))
        ft_json_put(b, v);
    else
        ft_buf_add_fmt(b, "%llu", (unsigned long long)it->number);
    if (ft_mp_get(it->record, "group", &v)) {
        ft_buf_add_str(b, ",\"group\":");
        ft_json_put(b, v);
    }
    for (unsigned m = 0; m <= FT_METRIC_ACCURACY; m++) {
        if (!ft_suite_has(j->suite, (enum ft_metric)m))
            continue;
        ft_buf_add_fmt(b, ",\"%s\":", ft_metric_name((enum ft_metric)m));
        ft_json_put_double(b, scores[m]);
    }
    ft_buf_add_str(b, "}\n");
}

static int needs_one_reference(const ft_suite *s)
{
    return ft_suite_wants_labels(s) || ft_suite_has(s, FT_METRIC_ECE) ||
           ft_suite_has(s, FT_METRIC_BRIER);
}

/* Leaves in out: the row, and behind it the line for --scores. */
static int work_on(const job *j, cli_item *it, worker *w, ft_err *e)
{
    size_t bytes = j->suite->width * sizeof(double);
    double *row = (double *)(void *)ft_buf_room(&it->out, bytes);
    ft_slice prediction;
    ft_mp v;
    size_t used = 0;
    int rc;
    if (!row)
        return ft_buf_check(&it->out, e);
    if (!j->allow_leak && ft_mp_get(it->record, "aug", &v))
        return ft_err_set(e, FT_ERR_DATA, "an augmented example (field aug) is nothing to measure "
                          "on; --allow-leak takes it");
    rc = j->references ? take_joined(j, w, it->record, &prediction, &used, e)
                       : take_pair(w, it->record, &prediction, e);
    if (rc < 0)
        return rc;
    if (w->n_refs > 1 && needs_one_reference(j->suite))
        return ft_err_set(e, FT_ERR_DATA, "%zu references: macro_f1, micro_f1, mcc, ece and brier "
                          "take one label; accuracy and em take several", w->n_refs);
    if ((rc = ft_scorer_segment(w->scorer, prediction, w->refs, w->n_refs, row, e)) < 0)
        return rc;
    if ((ft_suite_has(j->suite, FT_METRIC_ECE) || ft_suite_has(j->suite, FT_METRIC_BRIER)) &&
        (rc = add_calibration(w, it->record, row + j->suite->at[FT_METRIC_ECE], e)) < 0)
        return rc;
    it->out.n += bytes;
    it->tally[0] = w->n_refs;
    it->tally[1] = used;
    if (ft_suite_wants_labels(j->suite)) {
        /* labels behind the row: length, bytes, bytes */
        ft_slice a, b;
        if (ft_scorer_label(w->scorer, prediction, 0, &a, e) < 0 ||
            ft_scorer_label(w->scorer, w->refs[0], 1, &b, e) < 0)
            return FT_ERR_NOMEM;
        it->tally[2] = a.n;
        it->tally[3] = b.n;
        ft_buf_add(&it->out, a.p, a.n);
        ft_buf_add(&it->out, b.p, b.n);
    }
    if (j->scores) {
        double copy[FT_SUMS_FIRST + FT_BLEU_SUMS + 2 * FT_CHRF_SUMS_MAX + FT_METRICS +
                    FT_CALIBRATION_SUMS];
        memcpy(copy, it->out.p, bytes);          /* out may move */
        put_score_line(j, it, copy, &it->out);
    }
    return ft_buf_check(&it->out, e);
}

static void work(void *ctx, cli_item *it, unsigned worker_number)
{
    const job *j = ctx;
    /* The error stays in the item until its turn comes. */
    if (work_on(j, it, &j->workers[worker_number], &it->err) < 0)
        it->out.n = 0;
}

/* ---- in order ---- */

static uint32_t number_of(job *j, const uint8_t *p, size_t n)
{
    uint32_t number;
    cli_check(ft_vocab_number(j->labels, p, n, &number, cli_err()));
    if (number >= LABELS_MAX) {
        ft_err_set(cli_err(), FT_ERR_DATA, "over %d different labels: macro_f1, micro_f1 and mcc "
                   "are for classes, not for texts; em and f1 compare texts", LABELS_MAX);
        cli_fail();
    }
    return number;
}

static size_t labels_drawn(const job *j)
{
    return j->n_labels < LABELS_DRAWN_MAX ? j->n_labels : LABELS_DRAWN_MAX;
}

/* Numbers the two labels, and makes room for their counts. */
static void take_labels(job *j, const cli_item *it, uint32_t label[2])
{
    const uint8_t *p = it->out.p + j->suite->width * sizeof(double);
    label[0] = number_of(j, p, it->tally[2]);
    label[1] = number_of(j, p + it->tally[2], it->tally[3]);
    cli_count_labels(j->sums + j->suite->width, label[0], label[1]);
    j->n_labels = ft_vocab_count(j->labels);
    cli_check(ft_units_widen(j->units, j->suite->width + FT_LABEL_SUMS * labels_drawn(j),
                             cli_err()));
}

/* What this example is drawn with: a group's bytes, or nothing when it is drawn by itself. */
static ft_slice group_of(job *j, const cli_item *it)
{
    ft_mp group;
    int has = strcmp(j->o->cluster, "none") != 0 && ft_mp_get(it->record, j->o->cluster, &group);
    if (j->examples == 1)
        j->by_cluster = has;
    if (has != j->by_cluster && !j->warned_cluster) {
        j->warned_cluster = 1;
        cli_warn("record %llu %s field %s, unlike those before: %s",
                 (unsigned long long)it->number, has ? "has a" : "has no", j->o->cluster,
                 has ? "each example is drawn by itself" : "it is drawn by itself");
    }
    if (!j->by_cluster)
        return (ft_slice){0};
    return has ? (ft_slice){group.p, group.n}
               : (ft_slice){(const uint8_t *)&it->number, sizeof it->number};
}

static void add_unit(job *j, const double *row, const uint32_t *label, ft_slice group)
{
    double *unit;
    if (group.n)
        cli_check(ft_units_add_to(j->units, group.p, group.n, row, &unit, cli_err()));
    else
        cli_check(ft_units_add(j->units, row, &unit, cli_err()));
    if (label && label[0] < LABELS_DRAWN_MAX && label[1] < LABELS_DRAWN_MAX)
        cli_count_labels(unit + j->suite->width, label[0], label[1]);
}

static void take(void *ctx, cli_item *it)
{
    job *j = ctx;
    const double *row = (const double *)(const void *)it->out.p;
    size_t width = j->suite->width, at = width * sizeof(double) + it->tally[2] + it->tally[3];
    int labels = ft_suite_wants_labels(j->suite);
    uint32_t label[2] = {0, 0};
    ft_slice group = {0};
    j->examples++;
    for (size_t k = 0; k < width; k++)
        j->sums[k] += row[k];
    if (labels)
        take_labels(j, it, label);
    if (j->o->draws) {
        group = group_of(j, it);
        add_unit(j, row, labels ? label : NULL, group);
    }
    if (j->by)
        cli_by_add(j->by, it->record, row, labels ? label : NULL, j->n_labels, labels_drawn(j),
                   group);
    if (j->references)
        cli_references_use(j->references, it->tally[1]);
    j->refs_most = it->tally[0] > j->refs_most ? it->tally[0] : j->refs_most;
    j->refs_least = it->tally[0] < j->refs_least ? it->tally[0] : j->refs_least;
    if (j->scores)
        cli_check(ft_out_write(j->scores, it->out.p + at, it->out.n - at, cli_err()));
}

/* ---- all ---- */

static void score_draw(const void *ctx, const double *sums, double *scores)
{
    const job *j = ctx;
    ft_suite_scores(j->suite, sums, j->n_labels, 0, scores);
}

static void draw(const job *j, const ft_units *units, double (*interval)[2])
{
    cli_check(ft_bootstrap(units, j->o->draws, cli_seed(), score_draw, j, FT_METRICS, cli_pool(),
                           interval, cli_err()));
}

/* Scores, and intervals where there are units, of all and of each value of --by. */
static void find_scores(job *j, cli_metrics_found *f)
{
    size_t n_labels = j->n_labels, values = j->by ? cli_by_count(j->by) : 0;
    f->of = ft_new(1 + values, sizeof *f->of, cli_err());
    if (!f->of)
        cli_fail();
    f->n_values = values;
    f->n_units = j->o->draws ? ft_units_count(j->units) : 0;
    if (n_labels > LABELS_DRAWN_MAX)
        f->without_interval = 1u << FT_METRIC_MACRO_F1 | 1u << FT_METRIC_MICRO_F1 |
                              1u << FT_METRIC_MCC;
    j->n_labels = labels_drawn(j);
    for (size_t i = 0; i <= values; i++) {
        cli_by_value v = {.sums = j->sums, .units = f->n_units ? j->units : NULL};
        cli_metrics_scores *s = &f->of[i];
        if (i > 0)
            v = cli_by_value_of(j->by, i - 1);
        s->value = v.json;
        s->examples = (uint64_t)v.sums[FT_SUM_ROWS];
        ft_suite_scores(j->suite, v.sums, n_labels, 0, s->score);
        if ((s->drawn = v.units != NULL))
            draw(j, v.units, s->interval);
    }
}

static void begin(job *j)
{
    unsigned threads = ft_pool_threads(cli_pool());
    size_t width = j->suite->width, labels = ft_suite_wants_labels(j->suite) ? 1 : 0;
    j->workers = ft_new(threads, sizeof *j->workers, cli_err());
    j->sums = ft_new(width + labels * FT_LABEL_SUMS * LABELS_MAX, sizeof *j->sums, cli_err());
    if (!j->workers || !j->sums)
        cli_fail();
    for (unsigned i = 0; i < threads; i++)
        cli_check(ft_scorer_new(&j->workers[i].scorer, j->suite, cli_err()));
    cli_check(ft_vocab_new(&j->labels, cli_err()));
    cli_check(ft_units_new(&j->units, width, cli_err()));
    if (j->o->by)
        j->by = cli_by_new(j->o->by, j->suite, j->o->draws > 0);
}

static void end(job *j)
{
    for (unsigned i = 0; i < ft_pool_threads(cli_pool()); i++) {
        ft_scorer_free(&j->workers[i].scorer);
        ft_free(j->workers[i].refs);
        ft_free(j->workers[i].p);
        ft_buf_free(&j->workers[i].reference);
    }
    ft_free(j->workers);
    ft_free(j->sums);
    ft_vocab_free(&j->labels);
    ft_units_free(&j->units);
    cli_by_free(&j->by);
}

void cli_metrics_run(const cli_metrics *o, ft_reader *in, ft_out *scores, int allow_leak)
{
    job j = {.suite = &o->suite, .o = o, .scores = scores, .allow_leak = allow_leak,
             .refs_least = SIZE_MAX};
    cli_metrics_found f = {0};
    char digest[33];
    begin(&j);
    if (o->references)
        j.references = cli_references_read(o->references);
    cli_each_record(in, &(cli_steps){.work = work, .done = take}, &j);
    if (j.references) {
        memcpy(digest, cli_references_digest(j.references), sizeof digest);
        f.references = digest;
        cli_references_end(&j.references);
    }
    f.sums = j.sums;
    f.refs_least = j.refs_least;
    f.refs_most = j.refs_most;
    f.by_cluster = j.by_cluster;
    if (j.by)
        cli_by_end(j.by, j.n_labels, labels_drawn(&j));
    find_scores(&j, &f);
    cli_metrics_print(o, in, &f);
    ft_free(f.of);
    end(&j);
}
