/* ft-label: looks for wrong labels and bad answers. The examples pass through as they are;
 * suggestions go to a file for a human, and --apply puts in what the human accepted. */
#include "data/classifier.h"
#include "tools/cli/cli.h"
#include "tools/cli/each_record.h"
#include "tools/cli/label_apply.h"
#include "tools/cli/label_conflicts.h"
#include "tools/cli/label_scores.h"
#include "tools/cli/label_suggest.h"
#include "tools/cli/label_wrong.h"

#include <string.h>

static const char *suggest_path, *apply_path, *label_field = "label", *key_name = "all";
static const char *probs_field, *group_field, *rank_name = "margin", *ifd_name = "ppl";
static const char *with_path, *without_path, *scores_path;
static uint64_t folds = 5, epochs = 3;
static double outlier_z = 3.5;
static int knn, conflicts;
static const cli_option options[] = {
    {"suggest", 0, CLI_TEXT, &suggest_path, "FILE", 0, 0, 0,
     "write suggestions as JSON lines; -: to standard output, and no stream"},
    {"apply", 0, CLI_TEXT, &apply_path, "FILE", 0, 0, 0,
     "correct what the lines of FILE with \"accept\": true say, nothing else"},
    {"label", 'l', CLI_TEXT, &label_field, "FIELD", 0, 0, 0, "check the labels in FIELD"},
    {"key", 'k', CLI_CHOICE, &key_name, "prompt|response|all", 0, 0, 0,
     "the part of an example that its label speaks of"},
    {"probs", 0, CLI_TEXT, &probs_field, "FIELD", 0, 0, 0,
     "the records' own probabilities: an array, or a map from label"},
    {"group", 'g', CLI_TEXT, &group_field, "FIELD", 0, 0, 0,
     "keep what has the same value in one fold (cluster, else group)"},
    {"folds", 0, CLI_COUNT, &folds, "N", 2, FT_FOLDS_MAX, 0, "parts of the cross-validation"},
    {"epochs", 0, CLI_COUNT, &epochs, "N", 1, 1000, 0, "passes over the data of each fold"},
    {"rank", 0, CLI_CHOICE, &rank_name, "margin|self", 0, 0, 0,
     "order by the margin to the best other label, or by the own probability"},
    {"knn", 0, CLI_FLAG, &knn, NULL, 0, 0, 0,
     "also where 7 of the 10 most similar texts have other labels"},
    {"with-prompt", 0, CLI_TEXT, &with_path, "FILE", 0, 0, 0,
     "ft-eval's scores of the answers, for IFD, and"},
    {"without-prompt", 0, CLI_TEXT, &without_path, "FILE", 0, 0, 0,
     "its scores of the answers alone"},
    {"ifd", 0, CLI_CHOICE, &ifd_name, "ppl|loss", 0, 0, 0,
     "IFD as the ratio of perplexities or of losses"},
    {"scores", 0, CLI_TEXT, &scores_path, "FILE", 0, 0, 0,
     "ft-eval's scores: suggest dropping outliers by loss"},
    {"outlier", 0, CLI_REAL, &outlier_z, "Z", 0, 1e6, 0, "the robust z-score of an outlier"},
    {"conflicts", 0, CLI_FLAG, &conflicts, NULL, 0, 0, 0,
     "list different answers to the same prompt"},
    {0}};
static const cli_tool tool = {
    "ft-label", "find wrong labels and bad answers; suggest, correct what was accepted",
    "--suggest FILE [options] [FILE]\n       ft-label --apply FILE [options] [FILE]",
    "  ft-import < rated.jsonl | ft-label --knn --suggest - | jq -c '.accept = true' > reviewed\n"
    "  ft-import < rated.jsonl | ft-label --apply reviewed | ft-export > corrected.jsonl",
    "ft-dedup(1), ft-eval(1), ft-split(1)", CLI_FILTER | CLI_MEMORY | CLI_SEED, 1, options};

typedef struct job {
    label_wrong *labels;             /* NULL: not asked for */
    label_scores *scores;
    label_conflicts *conflicts;
    label_suggestions *suggestions;
    ft_writer *out;                  /* NULL: suggestions go to standard output */
    unsigned methods;                /* a bit for each      */
    ft_buf id;
} job;

static void check_usage(void)
{
    if (!suggest_path == !apply_path)
        cli_usage_error("give --suggest FILE to look for errors, or --apply FILE to correct them");
    if (!with_path != !without_path)
        cli_usage_error("--with-prompt and --without-prompt go together");
    if (suggest_path && strcmp(suggest_path, "-") == 0 && cli_given("output"))
        cli_usage_error("--suggest -: standard output has the suggestions, there is no stream "
                        "for -o");
    if (apply_path)
        for (const cli_option *o = options; o->name; o++)
            if (strcmp(o->name, "apply") != 0 && cli_given(o->name))
                cli_usage_error("--%s has no meaning with --apply", o->name);
}

/* Labels are checked when something says so, or nothing else is asked for. */
static int checks_labels(void)
{
    int others = with_path || scores_path || conflicts;
    return !others || knn || probs_field || cli_given("label");
}

static void begin(job *j)
{
    int others = with_path || scores_path;
    label_wrong_options o = {
        .label = label_field, .probs = probs_field, .group = group_field, .knn = knn,
        .part = strcmp(key_name, "prompt") == 0     ? FT_PART_PROMPT
                : strcmp(key_name, "response") == 0 ? FT_PART_RESPONSE
                                                    : FT_PART_ALL,
        .rank = strcmp(rank_name, "self") == 0 ? FT_RANK_SELF : FT_RANK_MARGIN,
        .folds = (unsigned)folds, .epochs = (unsigned)epochs};
    if (checks_labels())
        j->labels = label_wrong_new(&o);
    if (others)
        j->scores = label_scores_new(with_path, without_path, scores_path,
                                     strcmp(ifd_name, "loss") == 0, outlier_z);
    if (conflicts)
        j->conflicts = label_conflicts_new();
    j->suggestions = label_suggestions_new();
    j->methods = (j->labels ? 1u << LABEL_CONFIDENT : 0) | (knn ? 1u << LABEL_KNN : 0) |
                 (with_path ? 1u << LABEL_IFD : 0) | (scores_path ? 1u << LABEL_LOSS : 0) |
                 (conflicts ? 1u << LABEL_CONFLICT : 0);
}

static void work(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    if (j->labels)
        label_wrong_work(j->labels, it, worker);
}

static void done(void *ctx, cli_item *it)
{
    job *j = ctx;
    ft_slice id;
    ft_buf_clear(&j->id);
    label_put_id(&j->id, it->record, it->number);
    cli_check(ft_buf_check(&j->id, cli_err()));
    id = (ft_slice){j->id.p, j->id.n};
    if (j->labels)
        label_wrong_add(j->labels, it);
    if (j->scores)
        label_scores_add(j->scores, j->suggestions, it, id);
    if (j->conflicts)
        label_conflicts_add(j->conflicts, it, id);
    if (j->out)
        cli_check(ft_writer_put(j->out, it->record.p, it->record.n, cli_err()));
    cli_counts()->read++;
    cli_counts()->written++;
}

static void judge(job *j)
{
    if (j->labels)
        label_wrong_judge(j->labels, j->suggestions);
    if (j->scores)
        label_scores_end(j->scores);
    if (j->conflicts)
        label_conflicts_judge(j->conflicts, j->suggestions);
    label_suggestions_report(j->suggestions, j->methods);
}

static void look(ft_reader *in)
{
    job j = {0};
    ft_out *file = NULL;
    if (strcmp(suggest_path, "-") != 0) {
        j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
        cli_check(ft_writer_derive(j.out, in, cli_err()));
        cli_check(ft_out_open(&file, suggest_path, cli_err()));
    }
    begin(&j);
    cli_each_record(in, &(cli_steps){.work = work, .done = done}, &j);
    judge(&j);
    label_suggestions_write(j.suggestions, file ? file : cli_stdout());
    if (j.out) {
        cli_finish(&j.out);
        cli_check(ft_out_commit(&file, cli_err()));
    }
    label_wrong_free(&j.labels);
    label_scores_free(&j.scores);
    label_conflicts_free(&j.conflicts);
    label_suggestions_free(&j.suggestions);
    ft_buf_free(&j.id);
}

static void apply(ft_reader *in)
{
    label_review *r = label_review_read(apply_path);
    ft_digest digest = label_review_digest(r);
    ft_writer *out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    ft_mp record, result;
    cli_check(ft_writer_derive(out, in, cli_err()));
    cli_check(ft_writer_derive_file(out, "review", &digest, cli_err()));
    while (cli_next(in, &record)) {
        cli_counts()->read++;
        if (label_review_apply(r, record, ft_reader_records(in), &result)) {
            cli_check(ft_writer_put(out, result.p, result.n, cli_err()));
            cli_counts()->written++;
        } else {
            ft_counts_drop(cli_counts(), "reviewed", 1);
        }
    }
    label_review_end(r);
    cli_finish(&out);
    label_review_free(&r);
}

int main(int argc, char **argv)
{
    ft_reader *in;
    cli_begin(&tool, argc, argv);
    check_usage();
    in = cli_reader(cli_input(), FT_KIND_TEXT);
    if (apply_path)
        apply(in);
    else
        look(in);
    ft_reader_free(&in);
    return cli_end();
}
