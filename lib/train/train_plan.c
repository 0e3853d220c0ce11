#define _POSIX_C_SOURCE 200809L
#include "train/train_plan.h"

#include "base/mem.h"
#include "train/prefixes.h"
#include "train/shuffle.h"

#include <stdlib.h>
#include <time.h>

size_t ft_train_step_end(const ft_dataset *d, const size_t *order, size_t from, uint64_t batch)
{
    size_t end = from, examples = 0;
    while (end < d->n_rows && examples < batch) {
        examples += d->row_at[order[end] + 1] - d->row_at[order[end]];
        end++;
    }
    return end;
}

void ft_train_order(const ft_dataset *d, const ft_train_config *cfg, uint64_t epoch, size_t *order)
{
    if (cfg->shuffle)
        ft_shuffle(order, d->n_rows, cfg->seed, (uint32_t)epoch);
    else
        for (size_t i = 0; i < d->n_rows; i++)
            order[i] = i;
}

static int longer_first(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x < y) - (x > y);
}

/* Tokens of the n longest examples together; all of them when memory for sorting is short. */
static size_t tokens_of_longest(const ft_dataset *d, uint64_t n)
{
    uint32_t *T;
    size_t sum = 0;
    if (n >= d->n_examples || !(T = ft_new(d->n_examples, sizeof *T, NULL)))
        return (size_t)d->n_tokens;
    for (size_t i = 0; i < d->n_examples; i++)
        T[i] = d->examples[i].T;
    qsort(T, d->n_examples, sizeof *T, longer_first);
    for (size_t i = 0; i < n; i++)
        sum += T[i];
    ft_free(T);
    return sum;
}

/* Tokens of a micro-batch: what the user's examples can have, or `tokens`, but no example less. */
static size_t micro_tokens(const ft_dataset *d, uint64_t micro, size_t tokens)
{
    if (micro > 0)
        return tokens_of_longest(d, micro);
    if (tokens < d->longest)
        tokens = d->longest;
    return tokens < d->n_tokens ? tokens : (size_t)d->n_tokens;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- what the steps are ---- */

int ft_train_list(const ft_dataset *d, const size_t *order, size_t from, size_t to, size_t **list,
                  size_t *n, size_t *cap, ft_err *e)
{
    for (size_t i = from; i < to; i++) {
        size_t row = order ? order[i] : i, first = d->row_at[row];
        size_t more = d->row_at[row + 1] - first;
        if (ft_grow(list, cap, *n + more, sizeof **list, e) < 0)
            return FT_ERR_NOMEM;
        for (size_t k = 0; k < more; k++)
            (*list)[(*n)++] = first + k;
    }
    return 0;
}

struct survey {
    ft_dataset *d;
    const ft_train_config *cfg;
    size_t *order, *list;
    size_t n_list, list_cap;
    ft_batch batch;
    ft_prefixes prefixes;
    uint64_t steps, shared;
    size_t step_tokens, step_targets, prefix_tokens;    /* of the largest steps */
};

static int survey_step(struct survey *s, size_t from, size_t to, ft_err *e)
{
    size_t tokens = 0, targets = 0;
    int rc;
    s->steps++;
    s->n_list = 0;
    rc = ft_train_list(s->d, s->order, from, to, &s->list, &s->n_list, &s->list_cap, e);
    for (size_t i = 0; rc == 0 && i < s->n_list; i++) {
        tokens += s->d->examples[s->list[i]].T;
        targets += s->d->examples[s->list[i]].n_targets;
    }
    s->step_tokens = larger(s->step_tokens, tokens);
    s->step_targets = larger(s->step_targets, targets);
    if (rc < 0 || !s->cfg->share)
        return rc;
    ft_batch_clear(&s->batch);
    if ((rc = ft_dataset_fetch(s->d, s->list, s->n_list, &s->batch, e)) < 0 ||
        (rc = ft_prefixes_find(&s->prefixes, ft_batch_seqs(&s->batch), s->batch.n, e)) < 0)
        return rc;
    s->prefix_tokens = larger(s->prefix_tokens, s->prefixes.tokens);
    s->shared += s->prefixes.saved;
    return 0;
}

static int survey_epochs(struct survey *s, ft_err *e)
{
    /* Without shuffling all epochs are alike; so are their numbers with one example in each row
     * where nothing is shared. */
    int same = !s->cfg->shuffle || (s->d->widest <= 1 && !s->cfg->share), rc = 0;
    uint64_t times = same ? s->cfg->epochs : 1, epochs = same ? 1 : s->cfg->epochs;
    for (uint64_t epoch = 0; epoch < epochs && rc == 0; epoch++) {
        ft_train_order(s->d, s->cfg, epoch, s->order);
        for (size_t at = 0, end; at < s->d->n_rows && rc == 0; at = end) {
            end = ft_train_step_end(s->d, s->order, at, s->cfg->batch);
            rc = survey_step(s, at, end, e);
        }
    }
    s->shared *= times;
    if (rc == 0 && (__builtin_mul_overflow(s->steps, times, &s->steps) || s->steps > UINT32_MAX))
        rc = ft_err_set(e, FT_ERR_USAGE, "over 4 thousand million steps: fewer epochs, or a "
                        "larger batch");
    return rc;
}

static int survey(struct survey *s, ft_err *e)
{
    int rc;
    s->order = ft_new(s->d->n_rows, sizeof *s->order, e);
    rc = s->order ? survey_epochs(s, e) : FT_ERR_NOMEM;
    ft_free(s->order);
    ft_free(s->list);
    ft_batch_free(&s->batch);
    ft_prefixes_free(&s->prefixes);
    return rc;
}

/* ---- memory ---- */

/* Most targets of a micro-batch when all examples are taken in their order, as validation does. */
static size_t most_targets(const ft_dataset *d, uint64_t micro, size_t tokens)
{
    size_t most = 0, targets = 0, sum = 0, n = 0;
    for (size_t i = 0; i < d->n_examples; i++) {
        sum += d->examples[i].T;
        if (n > 0 && (sum > tokens || n == micro)) {
            sum = d->examples[i].T;
            targets = n = 0;
        }
        targets += d->examples[i].n_targets;
        most = larger(most, targets);
        n++;
    }
    return most;
}

static ft_nn_limits limits_for(const ft_dataset *train, const ft_dataset *val,
                               const ft_train_config *cfg, const struct survey *s, size_t tokens)
{
    ft_nn_limits a = {.seq_tokens = train->longest, .training = 1, .compute = cfg->compute,
                      .plain_losses = 1, .recompute = cfg->recompute,
                      .whole_last_layer = cfg->whole_last_layer, .prefix_tokens = s->prefix_tokens,
                      .stream_weights = cfg->stream_weights, .targets = s->step_targets,
                      .free_reductions = cfg->free_reductions};
    a.tokens = micro_tokens(train, cfg->micro, tokens);
    if (a.tokens > s->step_tokens)
        a.tokens = s->step_tokens;
    if (val) {
        a.tokens = larger(a.tokens, micro_tokens(val, cfg->micro, tokens));
        a.seq_tokens = larger(a.seq_tokens, val->longest);
        a.targets = larger(a.targets, most_targets(val, cfg->micro, a.tokens));
    }
    return a;
}

/* Measured: libraries with OpenBLAS, and the streams' buffers. */
enum { OTHER_BYTES = 24 << 20 };

/* The plan for micro-batches of so many tokens and cfg's recomputation. */
static int price(const ft_model *m, const ft_adapter *l, const ft_dataset *train,
                 const ft_dataset *val, const ft_train_config *cfg, unsigned threads,
                 const struct survey *s, size_t tokens, ft_train_plan *plan, ft_err *e)
{
    size_t params = l->n_params * sizeof(float);
    ft_nn_plan nn;
    int rc;
    plan->limits = limits_for(train, val, cfg, s, tokens);
    rc = ft_nn_plan_for(m, l, threads, &plan->limits, &nn, e);
    if (rc < 0)
        return rc;
    plan->weights = nn.weights;
    plan->adapter = params * (val ? 2 : 1);
    plan->optimiser = params * 3;
    plan->activations = nn.activations;
    plan->scratch = nn.scratch;
    plan->data = ft_dataset_bytes(train) + (val ? ft_dataset_bytes(val) : 0) +
                 train->n_rows * sizeof(size_t) + s->step_tokens * 5;
    plan->other = OTHER_BYTES;
    plan->peak = plan->weights + plan->adapter + plan->optimiser + plan->activations +
                 plan->scratch + plan->data + plan->other;
    plan->fits = !cfg->memory || plan->peak <= cfg->memory;
    return 0;
}

/* Tries what takes less and less, the cheapest first: smaller micro-batches, then computing again,
 * then weights that are read layer after layer. The last is kept when nothing fits. */
static int choose(const ft_model *m, const ft_adapter *l, const ft_dataset *train,
                  const ft_dataset *val, const ft_train_config *cfg, unsigned threads,
                  const struct survey *s, ft_train_plan *plan, ft_err *e)
{
    ft_train_config now = *cfg;
    int rc;
    for (int streamed = 0; streamed <= 1; streamed++)
        for (int how = cfg->recompute; how <= FT_RECOMPUTE_FULL; how++) {
            now.recompute = (enum ft_recompute)how;
            now.stream_weights = streamed;
            for (size_t tokens = FT_MICRO_TOKENS;; tokens /= 2) {
                rc = price(m, l, train, val, &now, threads, s, tokens, plan, e);
                if (rc < 0 || plan->fits)
                    return rc;
                if (cfg->micro > 0 || tokens <= train->longest)
                    break;
            }
            if (cfg->keep_recompute)
                break;
        }
    return 0;
}

int ft_train_plan_for(const ft_model *m, const ft_adapter *l, ft_dataset *train,
                      const ft_dataset *val, const ft_train_config *cfg, unsigned threads,
                      ft_train_plan *plan, ft_err *e)
{
    ft_train_config own = *cfg;
    struct survey s = {.d = train, .cfg = &own};
    int rc;
    *plan = (ft_train_plan){0};
    own.share = cfg->share && !(l->cfg.dropout > 0);
    rc = survey(&s, e);
    if (rc == 0)
        rc = choose(m, l, train, val, cfg, threads, &s, plan, e);
    plan->steps = s.steps;
    plan->shared = s.shared;
    plan->tokens = train->n_tokens * cfg->epochs;
    return rc;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int ft_train_time(const ft_model *m, ft_adapter *l, ft_dataset *train, const ft_train_plan *plan,
                  ft_pool *pool, double *seconds, ft_err *e)
{
    enum { ENOUGH = 512 };    /* tokens after which the cost of a token hardly changes */
    float *grads = ft_new(l->n_params, sizeof *grads, e);
    ft_nn_step step = {.norm = 1};
    ft_batch b = {0};
    ft_nn *nn = NULL;
    int rc = grads ? 0 : FT_ERR_NOMEM;
    for (size_t i = 0; i < train->n_examples && b.tokens < ENOUGH && rc == 0; i++)
        rc = ft_dataset_fetch(train, &i, 1, &b, e);
    if (rc == 0) {
        ft_nn_limits limits = plan->limits;
        limits.tokens = larger(b.tokens, limits.seq_tokens);
        limits.prefix_tokens = 0;
        rc = ft_nn_new(&nn, m, l, pool, &limits, e);
    }
    if (rc == 0) {
        double start = now();
        rc = ft_nn_backward(nn, ft_batch_seqs(&b), b.n, &step, b.nll, grads, e);
        *seconds = (now() - start) / (double)b.tokens * (double)plan->tokens;
    }
    ft_nn_free(&nn);
    ft_batch_free(&b);
    ft_free(grads);
    return rc;
}
