#include "tools/cli/stats_report.h"

#include "base/mem.h"
#include "tools/cli/embed_texts.h"

#include <math.h>
#include <string.h>

#define BINS 40

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

/* ---- rows ---- */

static void add_shapes(const stats_data *s, stats_doc *d)
{
    static const stats_column columns[] = {{"shape", NULL, STATS_COUNT},
                                           {"rows", "rows", STATS_COUNT},
                                           {"share", "share", STATS_SHARE}};
    stats_table(d, "shapes", "Shape", columns, 3, 0);
    for (size_t i = 0; i < 4; i++) {
        const char *name = ft_shape_name((enum ft_shape)i);
        if (s->shapes[i])
            stats_row(d, (ft_slice){(const uint8_t *)name, strlen(name)},
                      (double[]){(double)s->shapes[i], share(s->shapes[i], s->rows)});
    }
}

static void add_turns(const stats_data *s, stats_doc *d)
{
    double edges[STATS_TURNS_MAX + 2], counts[STATS_TURNS_MAX + 1];
    size_t last = 0;
    for (size_t i = 0; i <= STATS_TURNS_MAX; i++) {
        edges[i] = (double)i;
        counts[i] = (double)s->turn_rows[i];
        last = s->turn_rows[i] ? i : last;
    }
    edges[last + 1] = (double)last + 1;
    if (!s->shapes[FT_SHAPE_MESSAGES])
        return;
    stats_count(d, "turns", "turns in chats", s->turns);
    stats_real(d, "turns_mean", "turns a chat",
               (double)s->turns / (double)s->shapes[FT_SHAPE_MESSAGES]);
    if (s->turn_rows[STATS_TURNS_MAX])
        stats_note(d, "the last bin has %d turns or more", STATS_TURNS_MAX);
    stats_histogram(d, "turns_histogram", "Turns a chat", "turns", edges + 1, counts + 1, last);
}

static void add_rows(const stats_report *r, stats_doc *d)
{
    const stats_data *s = r->data;
    ft_multiset_summary all, prompts;
    cli_check(ft_multiset_sum(s->keys, &all, cli_err()));
    cli_check(ft_multiset_sum(s->prompt_keys, &prompts, cli_err()));
    stats_section(d, "data", "Rows");
    stats_count(d, "rows", "rows", s->rows);
    stats_count(d, "duplicates", "exact duplicates of an earlier row", all.total - all.distinct);
    stats_share(d, "duplicate_share", "share of these", share(all.total - all.distinct, s->rows));
    stats_count(d, "prompts", "different prompts", prompts.distinct);
    stats_count(d, "most_frequent_prompt", "rows of the most frequent prompt", prompts.most);
    stats_count(d, "augmented", "rows made by augmentation (aug)", s->field[STATS_AUG].rows);
    stats_share(d, "augmented_share", "share of these", share(s->field[STATS_AUG].rows, s->rows));
    stats_count(d, "dirty", "rows marked as evaluation data (dirty)", s->dirty);
    add_turns(s, d);
    add_shapes(s, d);
}

/* ---- lengths ---- */

static const double percents[] = {0, 5, 25, 50, 75, 95, 99, 100};
enum { PERCENTS = sizeof percents / sizeof *percents };

static void add_length(stats_doc *d, const char *name, ft_multiset *m, uint64_t sum)
{
    uint64_t v[PERCENTS], n = ft_multiset_total(m);
    double values[PERCENTS + 1];
    cli_check(ft_multiset_percentiles(m, percents, PERCENTS, v, cli_err()));
    values[0] = n ? (double)sum / (double)n : NAN;
    for (size_t i = 0; i < PERCENTS; i++)
        values[i + 1] = n ? (double)v[i] : NAN;
    stats_row(d, (ft_slice){(const uint8_t *)name, strlen(name)}, values);
}

/* Bins double: 0, 1, 2-3, 4-7, … */
static void add_bins(stats_doc *d, const char *key, const char *title, const char *unit,
                     ft_multiset *m)
{
    double edges[BINS + 1], counts[BINS] = {0};
    ft_counted c;
    size_t n = 0;
    int rc = ft_multiset_begin(m, cli_err());
    while (rc == 0 && (rc = ft_multiset_next(m, &c, cli_err())) == 0) {
        size_t bin = 0;
        while (bin + 1 < BINS && c.key >> bin)
            bin++;
        counts[bin] += (double)c.count;
        n = bin + 1 > n ? bin + 1 : n;
    }
    cli_check(rc);
    for (size_t i = 0; i <= n; i++)
        edges[i] = i ? ldexp(1, (int)i - 1) : 0;
    if (n)
        stats_histogram(d, key, title, unit, edges, counts, n);
}

static void add_lengths(const stats_report *r, stats_doc *d)
{
    static const stats_column columns[] = {
        {"what", NULL, STATS_COUNT}, {"mean", "mean", STATS_REAL}, {"min", "min", STATS_COUNT},
        {"p5", "5 %", STATS_COUNT}, {"p25", "25 %", STATS_COUNT}, {"p50", "median", STATS_COUNT},
        {"p75", "75 %", STATS_COUNT}, {"p95", "95 %", STATS_COUNT}, {"p99", "99 %", STATS_COUNT},
        {"max", "max", STATS_COUNT}};
    static const char *const names[STATS_PARTS][3] = {
        {"prompt characters", "prompt words", "prompt tokens"},
        {"answer characters", "answer words", "answer tokens"}, {NULL, NULL, "row tokens"}};
    const stats_data *s = r->data;
    const stats_part *p = s->part;
    stats_section(d, "lengths", "Lengths");
    stats_count(d, "empty_prompts", "prompts without a word", p[STATS_PROMPT].empty);
    stats_count(d, "empty_answers", "answers without a word", p[STATS_ANSWER].empty);
    if (s->o.tokenizer) {
        stats_count(d, "tokens", "tokens", p[STATS_WHOLE].tokens_sum);
        stats_count(d, "target_tokens", "of these, targets", p[STATS_ANSWER].tokens_sum);
        stats_count(d, "untokenised", "rows that cannot be trained on", s->untokenised);
        if (s->untokenised)
            stats_note(d, "the first of them: %s", s->why_untokenised);
    }
    if (s->o.length) {
        stats_count(d, "length", "tokens that a row may have (--length)", s->o.length);
        stats_count(d, "over_length", "rows over it", s->over_length);
        stats_share(d, "over_length_share", "share of these",
                    share(s->over_length, s->rows - s->untokenised));
    }
    stats_table(d, "percentiles", "Length", columns, 10, 0);
    for (size_t i = 0; i < STATS_PARTS; i++) {
        if (names[i][0] && p[i].rows) {
            add_length(d, names[i][0], p[i].chars, p[i].chars_sum);
            add_length(d, names[i][1], p[i].words, p[i].words_sum);
        }
        if (s->o.tokenizer)
            add_length(d, names[i][2], p[i].tokens, p[i].tokens_sum);
    }
    add_bins(d, "prompt_words", "Prompt length", "words", p[STATS_PROMPT].words);
    add_bins(d, "answer_words", "Answer length", "words", p[STATS_ANSWER].words);
    if (s->o.tokenizer)
        add_bins(d, "row_tokens", "Row length", "tokens", p[STATS_WHOLE].tokens);
}

/* ---- fields ---- */

static void add_top(stats_doc *d, const char *key, const char *title, ft_tally *t, uint64_t rows,
                    size_t top)
{
    static const stats_column columns[] = {{"value", NULL, STATS_COUNT},
                                           {"rows", "rows", STATS_COUNT},
                                           {"share", "share", STATS_SHARE}};
    ft_tallied *v = ft_new(top, sizeof *v, cli_err());
    size_t n;
    if (!v)
        cli_fail();
    n = ft_tally_top(t, v, top);
    if (ft_tally_error(t))
        stats_note(d, "%s: more than %u different ones; counts may be too small by %llu",
                   title, FT_TALLY_NAMES, (unsigned long long)ft_tally_error(t));
    stats_table(d, key, title, columns, 3, 1);
    for (size_t i = 0; i < n; i++)
        stats_row(d, v[i].name, (double[]){(double)v[i].count, share(v[i].count, rows)});
    ft_free(v);
}

typedef struct counts_of {
    uint64_t *v;
    size_t n;
} counts_of;

static void take_count(void *ctx, ft_slice name, uint64_t count)
{
    counts_of *c = ctx;
    (void)name;
    c->v[c->n++] = count;
}

/* How uneven the rows are over the values that there are. */
static void add_balance(stats_doc *d, const stats_field *f)
{
    counts_of c = {ft_new(ft_tally_names(f->names), sizeof *c.v, cli_err()), 0};
    ft_evenness e;
    if (!c.v)
        cli_fail();
    ft_tally_each(f->names, take_count, &c);
    ft_evenness_of(c.v, c.n, &e);
    stats_real(d, "evenness", "evenness (entropy / the most possible)", e.entropy);
    stats_real(d, "gini", "Gini coefficient of the rows a value", e.gini);
    stats_real(d, "imbalance", "most frequent / rarest",
               c.n ? (double)c.v[c.n - 1] / (double)c.v[0] : NAN);
    ft_free(c.v);
}

static void add_field(const stats_report *r, stats_doc *d, size_t i, const char *key,
                      const char *title, const char *names)
{
    const stats_field *f = &r->data->field[i];
    ft_multiset_summary m;
    if (f->rows == 0 && (i != STATS_LANGUAGE || r->data->rows == 0 || r->data->o.no_languages))
        return;
    if (i == STATS_LANGUAGE && r->data->no_languages) {
        stats_section(d, key, title);
        stats_note(d, "not looked at: install libexttextcat-data");
        return;
    }
    cli_check(ft_multiset_sum(f->values, &m, cli_err()));
    stats_section(d, key, title);
    stats_count(d, "rows", i == STATS_ROLE ? "turns" : "rows that have one", f->rows);
    stats_count(d, "different", "different ones", m.distinct);
    stats_count(d, "largest", "of the most frequent", m.most);
    stats_real(d, "entropy", "entropy in bits", m.entropy);
    if (m.distinct == ft_tally_names(f->names))      /* all are at hand */
        add_balance(d, f);
    if (i == STATS_LANGUAGE) {
        stats_count(d, "unknown", "rows whose language is not known", r->data->rows - f->rows);
        stats_note(d, "of the answer, else of the prompt; by n-grams of letters, not known under "
                   "60 letters");
    }
    add_top(d, "top", names, f->names, f->rows, r->top);
}

static void add_fields(const stats_report *r, stats_doc *d)
{
    add_field(r, d, STATS_LABEL, "labels", "Labels", "Label");
    add_field(r, d, STATS_SOURCE, "sources", "Sources", "Source");
    add_field(r, d, STATS_GROUP, "groups", "Groups", "Group");
    add_field(r, d, STATS_CLUSTER, "clusters", "Near-duplicate clusters", "Cluster");
    add_field(r, d, STATS_AUG, "augmentation", "Augmentation", "How");
    add_field(r, d, STATS_TAG, "tags", "Tags", "Rule");
    add_field(r, d, STATS_LANGUAGE, "languages", "Languages", "Language");
    add_field(r, d, STATS_ROLE, "roles", "Roles", "Role");
}

/* ---- wording ---- */

static void add_lexical(const ft_lexical_summary *x, stats_doc *d)
{
    static const char *const distinct[] = {"distinct_1", "distinct_2", "distinct_3"};
    static const char *const window[] = {"distinct_1_10k", "distinct_2_10k", "distinct_3_10k"};
    static const char *const entropy[] = {"entropy_1", "entropy_2", "entropy_3", "entropy_4"};
    static const char *const labels[3][4] = {
        {"distinct-1 (different words / words)", "distinct-2", "distinct-3", NULL},
        {"distinct-1 in 10,000 words", "distinct-2 in 10,000 words",
         "distinct-3 in 10,000 words", NULL},
        {"entropy of words in bits", "entropy of pairs", "entropy of triples",
         "entropy of 4-grams"}};
    for (size_t i = 0; i < FT_LEXICAL_DISTINCT; i++)
        stats_real(d, distinct[i], labels[0][i], share(x->distinct[i], x->total[i]));
    for (size_t i = 0; i < FT_LEXICAL_DISTINCT; i++)
        stats_real(d, window[i], labels[1][i], x->window_distinct[i]);
    if (!x->windows)
        stats_note(d, "fewer than 10,000 words: no window");
    for (size_t i = 0; i < FT_LEXICAL_ORDERS; i++)
        stats_real(d, entropy[i], labels[2][i], x->total[i] ? x->entropy[i] : NAN);
    stats_real(d, "mattr_500", "MATTR-500 (different words in 500)", x->mattr);
    stats_real(d, "self_repetition", "self-repetition of 4-grams", x->self_repetition);
    stats_share(d, "repeating_share", "texts that share a 4-gram with another",
                share(x->repeating_texts, x->texts));
}

static void add_wording(const stats_report *r, stats_doc *d, size_t i, const char *key,
                        const char *title, const char *beginnings)
{
    const stats_part *p = &r->data->part[i];
    ft_lexical_summary x;
    ft_compressed_summary z;
    if (p->rows == 0)
        return;
    cli_check(ft_lexical_sum(p->lexical, &x, cli_err()));
    cli_check(ft_compressed_sum(p->compressed, &z, cli_err()));
    stats_section(d, key, title);
    stats_count(d, "texts", "texts", p->rows);
    stats_count(d, "words", "words", x.words);
    stats_count(d, "vocabulary", "different words", x.distinct[0]);
    add_lexical(&x, d);
    stats_real(d, "compression", "bytes / bytes compressed, in the order given",
               share(z.bytes, z.in_order));
    stats_real(d, "compression_sorted", "the same, sorted", share(z.bytes, z.sorted));
    if (!z.whole)
        stats_note(d, "compressed: the first %llu texts, %llu bytes, which --memory leaves room "
                   "for", (unsigned long long)z.texts, (unsigned long long)z.bytes);
    add_top(d, "beginnings", beginnings, p->beginnings, p->rows, r->top);
}

/* ---- points ---- */

static void say_how(const stats_report *r, stats_doc *d, size_t dimensions)
{
    stats_text(d, "points", "points", r->model ? "hidden states" : "n-grams");
    if (r->model)
        stats_note(d, "points are the means of the model's last hidden states over the first "
                   "%zu tokens, scaled to length 1", cli_embed_tokens(r->model));
    else
        stats_note(d, "no model was given (-m): points are hashed n-grams by tf-idf in a random "
                   "projection to %zu numbers; they know wording, not meaning", dimensions);
}

static void add_spread(const stats_report *r, stats_doc *d)
{
    const stats_spread *p = r->spread;
    if (!p || p->n == 0)
        return;
    stats_section(d, "spread", "Spread");
    say_how(r, d, p->d);
    stats_count(d, "sample", "rows looked at (--sample)", p->n);
    stats_real(d, "vendi", "Vendi score (how many different rows)", p->vendi);
    stats_count(d, "vendi_most", "the most it can be", p->n < p->d ? p->n : p->d);
    stats_count(d, "cells", "cells of k-means", p->k);
    stats_share(d, "cells_filled", "cells with a row", p->cells.filled);
    stats_real(d, "gini", "Gini coefficient of the rows a cell", p->cells.gini);
    stats_real(d, "evenness", "evenness (entropy / the most possible)", p->cells.entropy);
    stats_real(d, "inertia", "mean squared distance to the centre", p->inertia);
}

static void add_coverage(const stats_report *r, stats_doc *d)
{
    static const stats_column columns[] = {{"item", NULL, STATS_COUNT},
                                           {"distance", "distance", STATS_REAL}};
    const stats_coverage *c = r->coverage;
    ft_buf name = {0};
    if (!c)
        return;
    stats_section(d, "coverage", "Coverage of the evaluation set");
    say_how(r, d, r->spread ? r->spread->d : 0);
    stats_count(d, "items", "evaluation prompts", c->n);
    stats_count(d, "without_prompt", "rows without a prompt", c->without_prompt);
    stats_count(d, "train_prompts", "different training prompts looked at", c->train);
    stats_real(d, "radius", "their median distance to the nearest other", c->median);
    stats_share(d, "covered_share", "evaluation prompts with one that near",
                share(c->n - c->uncovered, c->n));
    stats_count(d, "uncovered", "evaluation prompts without", c->uncovered);
    stats_table(d, "uncovered_items", "Not covered, farthest first: id, prompt", columns, 2, 0);
    for (size_t i = 0; i < c->uncovered && i < r->top; i++) {
        const stats_item *it = &c->items[i];
        size_t n = it->prompt.n < 160 ? it->prompt.n : 160;
        while (n < it->prompt.n && n > 0 && (it->prompt.p[n] & 0xc0) == 0x80)
            n--;
        ft_buf_clear(&name);
        ft_buf_add(&name, it->id.p, it->id.n);
        ft_buf_add_str(&name, "  ");
        ft_buf_add(&name, it->prompt.p, n);
        cli_check(ft_buf_check(&name, cli_err()));
        stats_row(d, (ft_slice){name.p, name.n}, (double[]){it->distance});
    }
    ft_buf_free(&name);
}

stats_doc *stats_report_make(const stats_report *r)
{
    stats_doc *d = stats_doc_new();
    add_rows(r, d);
    add_lengths(r, d);
    add_fields(r, d);
    add_wording(r, d, STATS_PROMPT, "prompts", "Wording of the prompts", "Prompts begin with");
    add_wording(r, d, STATS_ANSWER, "answers", "Wording of the answers", "Answers begin with");
    add_spread(r, d);
    add_coverage(r, d);
    return d;
}
