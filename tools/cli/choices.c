#include "tools/cli/choices.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/example.h"
#include "eval/bootstrap.h"
#include "eval/classify.h"
#include "tools/cli/cli.h"
#include "tools/cli/example_ids.h"
#include "tools/cli/load.h"
#include "tools/cli/signatures.h"
#include "train/batch.h"

#include <math.h>
#include <string.h>

/* Sums of an example. */
enum { ROWS, RIGHT, RIGHT_PER_BYTE, CALIBRATION, WIDTH = CALIBRATION + FT_CALIBRATION_SUMS };
enum { CHOICES_MAX = 1024 };

static const char *const names[] = {"accuracy", "accuracy_per_byte", "ece", "brier"};
enum { N_NAMES = sizeof names / sizeof names[0] };

/* An example whose choices are in the batch. */
typedef struct pending {
    uint64_t number;
    size_t first, n, answer;       /* choices: first in the batch and in bytes */
    size_t line, unit;             /* offsets into ids and groups; unit_n 0: none */
    size_t line_n, unit_n;
} pending;

typedef struct job {
    const cli_choices *o;
    ft_reader *in;
    cli_nn *nn;
    const ft_tokenizer *tok;
    cli_example *encoder;
    ft_batch batch;
    size_t longest;                /* sequence of the batch */
    pending *examples;
    size_t n, cap;
    size_t *bytes;                 /* of each choice in the batch */
    size_t bytes_cap;
    ft_buf ids, groups;            /* JSON ids; values of the cluster field */
    ft_buf record, tokens;         /* scratch */
    double p[CHOICES_MAX], sums[WIDTH];
    ft_units *units;
    int by_cluster;
} job;

static _Noreturn void fail_record(const job *j, uint64_t number)
{
    ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)number,
                ft_reader_name(j->in));
    cli_fail();
}

/* ---- an example with another answer ---- */

static void put_turns(ft_buf *b, ft_mp list, ft_slice answer)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_mp_put_array(b, ft_mp_count(list));
    while (ft_mp_next(&it, &turn)) {
        if (it.left > 0) {
            ft_mp_put_raw(b, turn);
            continue;
        }
        ft_mp_put_map(b, 2);
        ft_mp_put_cstr(b, "role");
        ft_mp_put_cstr(b, "assistant");
        ft_mp_put_cstr(b, "content");
        ft_mp_put_str(b, (const char *)answer.p, answer.n);
    }
}

static void put_example(ft_buf *b, ft_mp record, enum ft_shape shape, ft_slice answer)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, value;
    ft_slice name;
    ft_mp_put_map(b, ft_mp_count(record));
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        int is_name = ft_mp_str(key, &name);
        ft_mp_put_raw(b, key);
        if (is_name && shape == FT_SHAPE_PROMPT && ft_slice_is(name, "completion"))
            ft_mp_put_str(b, (const char *)answer.p, answer.n);
        else if (is_name && shape == FT_SHAPE_MESSAGES && ft_slice_is(name, "messages"))
            put_turns(b, value, answer);
        else
            ft_mp_put_raw(b, value);
    }
}

/* The answer of an example: its completion, or its last turn, which must be the assistant's. */
static int answer_of(ft_mp record, enum ft_shape *shape, ft_slice *answer, ft_err *e)
{
    ft_mp list, turn = {0};
    ft_mp_iter it;
    ft_slice role;
    int rc = ft_example_shape(record, shape, e);
    if (rc < 0)
        return rc;
    if (*shape == FT_SHAPE_PROMPT && ft_mp_get_str(record, "completion", answer))
        return 0;
    if (*shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &list)) {
        it = ft_mp_iter_of(list);
        while (ft_mp_next(&it, &turn))
            ;
        if (ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "assistant") &&
            ft_mp_get_str(turn, "content", answer))
            return 0;
    }
    return ft_err_set(e, FT_ERR_DATA, "no answer to choose: --choices takes prompt and completion, "
                      "or messages that end with the assistant's turn");
}

/* ---- a choice ---- */

/* Takes what stands before the last answer out of the targets. */
static int keep_last_turn(job *j, ft_mp record, ft_err *e)
{
    size_t n;
    int rc;
    j->encoder->ask = 1;
    rc = cli_example_encode(j->encoder, record, e);
    j->encoder->ask = 0;
    n = j->encoder->ids.n;
    if (rc < 0 || (rc = cli_example_encode(j->encoder, record, e)) < 0)
        return rc;
    for (size_t i = 0; i < n && i < j->encoder->mask.n; i++)
        j->encoder->mask.p[i] = 0;
    return 0;
}

static int add_choice(job *j, ft_mp record, enum ft_shape shape, ft_slice choice, ft_err *e)
{
    static const uint8_t no_id[] = {0xc0};
    cli_example *x = j->encoder;
    ft_segment s;
    ft_mp made;
    size_t T;
    int rc;
    ft_buf_clear(&j->record);
    ft_buf_clear(&j->tokens);
    put_example(&j->record, record, shape, choice);
    made = (ft_mp){j->record.p, j->record.n};
    if ((rc = ft_buf_check(&j->record, e)) < 0)
        return rc;
    rc = shape == FT_SHAPE_MESSAGES ? keep_last_turn(j, made, e) : cli_example_encode(x, made, e);
    if (rc < 0)
        return rc;
    ft_tokens_put(&j->tokens, (ft_mp){0}, (ft_mp){no_id, 1}, x->ids.p, x->mask.p, x->ids.n);
    if ((rc = ft_buf_check(&j->tokens, e)) < 0 ||
        (rc = ft_segment_parse((ft_mp){j->tokens.p, j->tokens.n}, &s, e)) < 0 ||
        (rc = ft_segment_check(&s, j->nn->m->V, e)) < 0)
        return rc;
    if (s.n_targets == 0)
        return ft_err_set(e, FT_ERR_DATA, "a choice without a token to predict");
    if (ft_grow(&j->bytes, &j->bytes_cap, j->batch.n + 1, sizeof *j->bytes, e) < 0)
        return FT_ERR_NOMEM;
    j->bytes[j->batch.n] = choice.n;
    T = j->batch.before.n + s.n_tokens;
    j->longest = T > j->longest ? T : j->longest;
    return ft_batch_add(&j->batch, &s, 0, e);
}

/* Adds all choices of an example to the batch. */
static int add_example(job *j, ft_mp record, pending *x, ft_err *e)
{
    enum ft_shape shape;
    ft_slice answer, choice;
    ft_mp list, item, v;
    ft_mp_iter it;
    int rc = answer_of(record, &shape, &answer, e);
    if (rc < 0)
        return rc;
    if (!j->o->allow_leak && ft_mp_get(record, "aug", &v))
        return ft_err_set(e, FT_ERR_DATA, "an augmented example (field aug) is nothing to measure "
                          "on; --allow-leak takes it");
    if (!ft_mp_get(record, j->o->field, &list) || ft_mp_type_of(list) != FT_MP_ARRAY ||
        ft_mp_count(list) < 2 || ft_mp_count(list) > CHOICES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "field %s is no list of 2 to %d choices", j->o->field,
                          CHOICES_MAX);
    x->answer = SIZE_MAX;
    it = ft_mp_iter_of(list);
    for (x->n = 0; ft_mp_next(&it, &item); x->n++) {
        if (!ft_mp_str(item, &choice) || choice.n == 0)
            return ft_err_set(e, FT_ERR_DATA, "%s[%zu] is no text", j->o->field, x->n);
        if (choice.n == answer.n && memcmp(choice.p, answer.p, choice.n) == 0) {
            if (x->answer != SIZE_MAX)
                return ft_err_set(e, FT_ERR_DATA, "the answer is two of the choices");
            x->answer = x->n;
        }
        if (add_choice(j, record, shape, choice, e) < 0)
            return ft_err_wrap(e, "%s[%zu]", j->o->field, x->n);
    }
    return x->answer != SIZE_MAX ? 0
           : ft_err_set(e, FT_ERR_DATA, "the answer is none of the choices: both must be written "
                        "the same, spaces included");
}

/* ---- scores ---- */

/* Probabilities of the choices among themselves. */
static void soften(double *p, const double *nll, size_t n)
{
    double least = nll[0], all = 0;
    for (size_t i = 1; i < n; i++)
        least = nll[i] < least ? nll[i] : least;
    for (size_t i = 0; i < n; i++)
        all += p[i] = exp(least - nll[i]);
    for (size_t i = 0; i < n; i++)
        p[i] /= all;
}

static size_t best_of(const double *nll, const size_t *bytes, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (nll[i] / (bytes ? (double)bytes[i] : 1) <
            nll[best] / (bytes ? (double)bytes[best] : 1))
            best = i;
    return best;
}

static void write_score(const job *j, const pending *x, const double *nll, size_t choice)
{
    ft_buf b = {0};
    ft_buf_add_str(&b, "{\"id\":");
    ft_buf_add(&b, j->ids.p + x->line, x->line_n);
    ft_buf_add_fmt(&b, ",\"choice\":%zu,\"answer\":%zu,\"nll\":", choice, x->answer);
    for (size_t i = 0; i < x->n; i++) {
        ft_buf_add_byte(&b, i ? ',' : '[');
        ft_json_put_double(&b, nll[i]);
    }
    ft_buf_add_str(&b, "]}\n");
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(j->o->scores, b.p, b.n, cli_err()));
    ft_buf_free(&b);
}

static void score_example(job *j, const pending *x)
{
    const double *nll = j->batch.nll + x->first;
    double row[WIDTH] = {1}, *unit;
    size_t choice = best_of(nll, NULL, x->n);
    row[RIGHT] = choice == x->answer;
    row[RIGHT_PER_BYTE] = best_of(nll, j->bytes + x->first, x->n) == x->answer;
    soften(j->p, nll, x->n);
    ft_calibration_add(row + CALIBRATION, j->p, x->n, x->answer);
    for (size_t k = 0; k < WIDTH; k++)
        j->sums[k] += row[k];
    if (j->by_cluster && x->unit_n)
        cli_check(ft_units_add_to(j->units, j->groups.p + x->unit, x->unit_n, row, &unit,
                                  cli_err()));
    else if (j->by_cluster)
        cli_check(ft_units_add_to(j->units, &x->number, sizeof x->number, row, &unit, cli_err()));
    else
        cli_check(ft_units_add(j->units, row, &unit, cli_err()));
    if (j->o->scores)
        write_score(j, x, nll, choice);
}

static void flush(job *j)
{
    if (j->batch.n == 0)
        return;
    cli_nn_need(j->nn, j->longest, j->batch.tokens);
    if (ft_nn_loss(j->nn->nn, ft_batch_seqs(&j->batch), j->batch.n, j->batch.nll, NULL,
                   cli_err()) < 0)
        fail_record(j, j->examples[0].number);
    for (size_t i = 0; i < j->n; i++)
        score_example(j, &j->examples[i]);
    j->n = j->longest = 0;
    ft_batch_clear(&j->batch);
    ft_buf_clear(&j->ids);
    ft_buf_clear(&j->groups);
}

static void take_record(job *j, ft_mp record, const ft_chat **chat)
{
    pending x = {.number = ft_reader_records(j->in), .first = j->batch.n, .line = j->ids.n,
                 .unit = j->groups.n};
    ft_mp v;
    if (!*chat && ft_mp_get(record, "messages", &v))
        *chat = cli_chat_of(j->nn->m->gguf, NULL);
    j->encoder->chat = *chat;
    if (add_example(j, record, &x, cli_err()) < 0)
        fail_record(j, x.number);
    if (ft_mp_get(record, "id", &v))
        ft_json_put(&j->ids, v);
    else
        ft_buf_add_fmt(&j->ids, "%llu", (unsigned long long)x.number);
    if (strcmp(j->o->cluster, "none") != 0 && ft_mp_get(record, j->o->cluster, &v))
        ft_buf_add(&j->groups, v.p, v.n);
    x.line_n = j->ids.n - x.line;
    x.unit_n = j->groups.n - x.unit;
    if (x.number == 1)
        j->by_cluster = x.unit_n > 0;
    if (ft_buf_check(&j->ids, cli_err()) < 0 || ft_buf_check(&j->groups, cli_err()) < 0 ||
        ft_grow(&j->examples, &j->cap, j->n + 1, sizeof *j->examples, cli_err()) < 0)
        cli_fail();
    j->examples[j->n++] = x;
    if (j->batch.tokens >= CLI_CHUNK_TOKENS)
        flush(j);
}

/* ---- the whole ---- */

static void score_sums(const void *ctx, const double *sums, double *scores)
{
    (void)ctx;
    scores[0] = sums[RIGHT] / sums[ROWS];
    scores[1] = sums[RIGHT_PER_BYTE] / sums[ROWS];
    scores[2] = ft_calibration_error(sums + CALIBRATION, sums[ROWS]);
    scores[3] = sums[CALIBRATION] / sums[ROWS];
}

static void put_interval(ft_buf *b, unsigned i, const double interval[2])
{
    ft_buf_add_fmt(b, "%s\"%s\":{\"low\":", i ? "," : "", names[i]);
    ft_json_put_double(b, interval[0]);
    ft_buf_add_str(b, ",\"high\":");
    ft_json_put_double(b, interval[1]);
    ft_buf_add_byte(b, '}');
}

/* How the numbers came about; the likelihood is that of the answer's tokens and the end behind. */
static void put_signatures(const job *j, int drawn, ft_buf *b)
{
    static const char *const how[N_NAMES] = {"by:sum", "by:byte", "of:choices|bins:15",
                                             "of:choices"};
    ft_buf_add_fmt(b, ",\"signatures\":{\"program\":\"ft-eval %s\",\"choices\":", FT_VERSION);
    ft_json_put_string(b, j->o->field, strlen(j->o->field));
    for (unsigned i = 0; i < N_NAMES; i++)
        ft_buf_add_fmt(b, ",\"%s\":\"likelihood:answer+end|%s\"", names[i], how[i]);
    ft_buf_add_fmt(b, ",\"compute\":\"%s\"", ft_compute_name(ft_compute_resolve(j->nn->compute)));
    if (drawn)
        cli_put_drawn(b, j->o->draws, ft_units_count(j->units),
                      j->by_cluster ? j->o->cluster : NULL);
    cli_put_data(b, j->in, NULL);
    ft_buf_add_byte(b, '}');
}

static void print(const job *j, double (*interval)[2])
{
    double scores[N_NAMES];
    ft_buf b = {0};
    unsigned long long examples = (unsigned long long)j->sums[ROWS];
    score_sums(NULL, j->sums, scores);
    for (unsigned i = 0; i < N_NAMES; i++) {
        ft_buf_add_fmt(&b, cli_json() ? "%s\"%s\":" : "%s%s\t", !cli_json() ? "" : i ? "," : "{",
                       names[i]);
        if (examples)
            ft_json_put_double(&b, scores[i]);
        else
            ft_buf_add_str(&b, "null");
        for (unsigned k = 0; k < 2 && interval && !cli_json(); k++) {
            ft_buf_add_byte(&b, '\t');
            ft_json_put_double(&b, interval[i][k]);
        }
        if (!cli_json())
            ft_buf_add_byte(&b, '\n');
    }
    ft_buf_add_fmt(&b, cli_json() ? ",\"examples\":%llu,\"intervals\":{" : "examples\t%llu\n",
                   examples);
    for (unsigned i = 0; i < N_NAMES && interval && cli_json(); i++)
        put_interval(&b, i, interval[i]);
    if (cli_json()) {
        ft_buf_add_byte(&b, '}');
        put_signatures(j, interval != NULL, &b);
        ft_buf_add_str(&b, "}\n");
    }
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(cli_stdout(), b.p, b.n, cli_err()));
    ft_buf_free(&b);
}

static void free_job(job *j)
{
    cli_example_free(&j->encoder);
    ft_batch_free(&j->batch);
    ft_units_free(&j->units);
    ft_nn_free(&j->nn->nn);
    ft_free(j->examples);
    ft_free(j->bytes);
    ft_buf_free(&j->ids);
    ft_buf_free(&j->groups);
    ft_buf_free(&j->record);
    ft_buf_free(&j->tokens);
}

void cli_choices_run(const cli_choices *o, ft_reader *in, cli_nn *nn, const ft_tokenizer *tok)
{
    job j = {.o = o, .in = in, .nn = nn, .tok = tok,
             .batch = {.before = ft_virtual_of(nn->l, nn->m)}};
    double interval[N_NAMES][2];
    const ft_chat *chat = NULL;
    ft_mp record;
    int drawn;
    cli_check(ft_units_new(&j.units, WIDTH, cli_err()));
    cli_check(cli_example_new(&j.encoder, tok, cli_err()));
    while (cli_next(in, &record))
        take_record(&j, record, &chat);
    flush(&j);
    drawn = o->draws > 0 && ft_units_count(j.units) > 0;
    if (drawn)
        cli_check(ft_bootstrap(j.units, o->draws, cli_seed(), score_sums, NULL, N_NAMES,
                               cli_pool(), interval, cli_err()));
    print(&j, drawn ? interval : NULL);
    free_job(&j);
}
