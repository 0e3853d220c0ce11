#define _POSIX_C_SOURCE 200809L
#include "train/train_plan.h"

#include "base/mem.h"
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

static size_t micro_tokens(const ft_dataset *d, const ft_train_config *cfg)
{
    size_t tokens = d->longest > FT_MICRO_TOKENS ? d->longest : FT_MICRO_TOKENS;
    if (cfg->micro > 0)
        return tokens_of_longest(d, cfg->micro);
    return tokens < d->n_tokens ? tokens : (size_t)d->n_tokens;
}

ft_nn_limits ft_train_limits(const ft_dataset *train, const ft_dataset *val,
                             const ft_train_config *cfg)
{
    ft_train_config own = *cfg;
    ft_nn_limits a = {.seq_tokens = train->longest, .training = 1, .compute = cfg->compute,
                      .recompute = cfg->recompute, .whole_last_layer = cfg->whole_last_layer};
    if (own.micro > own.batch + train->widest - 1)    /* a step has no more examples */
        own.micro = own.batch + train->widest - 1;
    a.tokens = micro_tokens(train, &own);
    if (val) {
        size_t tokens = micro_tokens(val, cfg);
        a.tokens = a.tokens > tokens ? a.tokens : tokens;
        a.seq_tokens = a.seq_tokens > val->longest ? a.seq_tokens : val->longest;
    }
    return a;
}

static int count_steps(const ft_dataset *d, const ft_train_config *cfg, uint64_t *steps, ft_err *e)
{
    size_t *order = ft_new(d->n_rows, sizeof *order, e);
    /* With one example in each row, or no shuffling, all epochs have equally many. */
    int same = d->widest <= 1 || !cfg->shuffle;
    uint64_t n = 0, times = same ? cfg->epochs : 1, epochs = same ? 1 : cfg->epochs;
    if (!order)
        return FT_ERR_NOMEM;
    for (uint64_t epoch = 0; epoch < epochs; epoch++) {
        ft_train_order(d, cfg, epoch, order);
        for (size_t at = 0; at < d->n_rows; n++)
            at = ft_train_step_end(d, order, at, cfg->batch);
    }
    ft_free(order);
    if (__builtin_mul_overflow(n, times, steps) || *steps > UINT32_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "over 4 thousand million steps: fewer epochs, or a "
                          "larger batch");
    return 0;
}

int ft_train_plan_for(const ft_model *m, const ft_lora *l, const ft_dataset *train,
                      const ft_dataset *val, const ft_train_config *cfg, unsigned threads,
                      ft_train_plan *plan, ft_err *e)
{
    ft_nn_limits limits = ft_train_limits(train, val, cfg);
    size_t params = l->n_params * sizeof(float);
    ft_nn_plan nn;
    int rc = ft_nn_plan_for(m, l, threads, &limits, &nn, e);
    *plan = (ft_train_plan){0};
    if (rc < 0 || (rc = count_steps(train, cfg, &plan->steps, e)) < 0)
        return rc;
    plan->weights = nn.weights;
    plan->adapter = params * (val ? 2 : 1);
    plan->optimiser = params * 3;
    plan->activations = nn.activations;
    plan->scratch = nn.scratch;
    plan->data = ft_dataset_bytes(train) + (val ? ft_dataset_bytes(val) : 0) +
                 train->n_rows * sizeof(size_t);
    plan->peak = plan->weights + plan->adapter + plan->optimiser + plan->activations +
                 plan->scratch + plan->data;
    plan->tokens = train->n_tokens * cfg->epochs;
    return 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int ft_train_time(const ft_model *m, ft_lora *l, ft_dataset *train, const ft_train_plan *plan,
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
        ft_nn_limits limits = {.tokens = b.tokens, .seq_tokens = train->longest, .training = 1};
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
