#include "tools/cli/evaluate.h"

#include "data/json.h"
#include "nn/transformer.h"
#include "stream/rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/leak.h"
#include "train/batch.h"

#include <string.h>

typedef struct evaluator {
    cli_nn nn;
    const ft_tokenizer *tok;
    ft_out *scores;
    ft_batch batch;
    ft_buf ids;                  /* ids of the examples in the batch, as JSON and NUL-terminated */
    size_t first_record;         /* of the batch */
    cli_evaluation *r;
} evaluator;

/* Streams do not say how long their longest example is. */
void cli_nn_need(cli_nn *n, size_t T, size_t tokens)
{
    ft_nn_limits limits = {.tokens = n->capacity, .compute = n->compute};
    if (n->nn && tokens <= n->capacity && (T <= n->m->context || T <= n->longest))
        return;
    if (limits.tokens < CLI_CHUNK_TOKENS)
        limits.tokens = CLI_CHUNK_TOKENS;
    if (limits.tokens < tokens)
        limits.tokens = tokens;
    n->capacity = limits.tokens;
    /* A sequence over the context is refused with advice when it comes. */
    limits.seq_tokens = n->m->context < n->capacity ? n->m->context : n->capacity;
    if (T > n->m->context)
        limits.seq_tokens = T;
    n->longest = limits.seq_tokens;
    ft_nn_free(&n->nn);
    cli_check(ft_nn_new(&n->nn, n->m, n->l, cli_pool(), &limits, cli_err()));
}

static size_t count_targets(const ft_seq *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->T; i++)
        n += s->target[i];
    return n;
}

/* Adds the bytes that the targets decode to, and the words in them: runs of bytes that are no ASCII
 * white space; what is no target in between ends a word. */
static void count_text(evaluator *v, const ft_seq *s)
{
    int inside = 0;
    for (size_t i = 0; i < s->T && v->tok; i++) {
        ft_slice t;
        if (!s->target[i] || ft_tokenizer_is_special(v->tok, s->ids[i])) {
            inside = 0;
            continue;
        }
        t = ft_token_bytes(v->tok, s->ids[i]);
        v->r->bytes += t.n;
        for (size_t k = 0; k < t.n; k++) {
            int white = t.p[k] == ' ' || (t.p[k] >= '\t' && t.p[k] <= '\r');
            v->r->words += !white && !inside;
            inside = !white;
        }
    }
}

static void write_score(evaluator *v, const char *id, double nll, size_t targets)
{
    ft_buf line = {0};
    ft_buf_add_fmt(&line, "{\"id\":%s,\"loss\":", id);
    if (targets)
        ft_json_put_double(&line, nll / (double)targets);
    else
        ft_buf_add_str(&line, "null");
    ft_buf_add_fmt(&line, ",\"targets\":%zu}\n", targets);
    cli_check(ft_buf_check(&line, cli_err()));
    cli_check(ft_out_write(v->scores, line.p, line.n, cli_err()));
    ft_buf_free(&line);
}

/* Computes the batch and adds it to the sums, example by example in order. */
static void flush_batch(evaluator *v)
{
    const ft_seq *seqs = ft_batch_seqs(&v->batch);
    const char *id = (const char *)v->ids.p;
    if (ft_nn_loss(v->nn.nn, seqs, v->batch.n, v->batch.nll, NULL, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "%zu examples from record %zu on", v->batch.n, v->first_record);
        cli_fail();
    }
    for (size_t i = 0; i < v->batch.n; i++) {
        size_t targets = count_targets(&seqs[i]);
        v->r->examples++;
        v->r->tokens += seqs[i].T;
        v->r->targets += targets;
        count_text(v, &seqs[i]);
        v->r->nll += v->batch.nll[i];
        v->r->weighted += (double)seqs[i].weight * v->batch.nll[i];
        v->r->weight += (double)seqs[i].weight * (double)targets;
        if (v->scores) {
            write_score(v, id, v->batch.nll[i], targets);
            id += strlen(id) + 1;
        }
    }
    ft_batch_clear(&v->batch);
    ft_buf_clear(&v->ids);
}

static int add_segment(evaluator *v, const ft_segment *s, size_t record)
{
    int rc = ft_segment_check(s, v->nn.m->V, cli_err());
    if (rc < 0)
        return rc;
    if (v->batch.n && v->batch.tokens + s->n_tokens > CLI_CHUNK_TOKENS)
        flush_batch(v);
    if (v->batch.n == 0)
        v->first_record = record;
    cli_nn_need(&v->nn, s->n_tokens, s->n_tokens);
    cli_check(ft_batch_add(&v->batch, s, v->r->examples + v->batch.n, cli_err()));
    if (v->scores) {
        ft_json_put(&v->ids, s->id);
        ft_buf_add_byte(&v->ids, 0);
        cli_check(ft_buf_check(&v->ids, cli_err()));
    }
    return 0;
}

void cli_evaluate(ft_reader *in, const ft_model *m, const ft_adapter *l, enum ft_compute compute,
                  const ft_tokenizer *tok, ft_out *scores, int allow_leak, cli_evaluation *r)
{
    evaluator v = {.nn = {.m = m, .l = l, .compute = compute}, .tok = tok, .scores = scores,
                   .r = r};
    ft_mp record;
    *r = (cli_evaluation){0};
    while (cli_next(in, &record)) {
        size_t number = (size_t)ft_reader_records(in), n;
        ft_row_iter it;
        ft_segment s;
        int rc = ft_row_begin(record, &it, &n, cli_err());
        while (rc == 0 && (rc = ft_row_next(&it, &s, cli_err())) == 0)
            if ((rc = cli_leak_check_segment(&s, allow_leak, cli_err())) == 0)
                rc = add_segment(&v, &s, number);
        if (rc < 0) {
            ft_err_wrap(cli_err(), "record %zu of %s", number, ft_reader_name(in));
            cli_fail();
        }
    }
    if (v.batch.n)
        flush_batch(&v);
    ft_nn_free(&v.nn.nn);
    ft_batch_free(&v.batch);
    ft_buf_free(&v.ids);
}

double cli_evaluation_loss(const cli_evaluation *r)
{
    if (!(r->weight > 0)) {
        ft_err_set(cli_err(), FT_ERR_DATA, "no targets with a weight above 0 in %llu examples",
                   (unsigned long long)r->examples);
        cli_fail();
    }
    return r->weighted / r->weight;
}

void cli_check_tokenizer(const ft_reader *in, const ft_tokenizer *tok)
{
    ft_digest theirs = ft_reader_header(in)->tokenizer, ours = ft_tokenizer_digest(tok);
    char a[33], b[33];
    if (ft_digest_is_zero(&theirs)) {
        cli_warn("%s does not say with which tokenizer it was made", ft_reader_name(in));
    } else if (!ft_digest_equal(&theirs, &ours)) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s was tokenised with another tokenizer (%s) than the "
                   "model's (%s): tokenise it again with this model", ft_reader_name(in),
                   ft_digest_hex(&theirs, a), ft_digest_hex(&ours, b));
        cli_fail();
    }
}
