#define _POSIX_C_SOURCE 200809L
#include "train/trainer.h"

#include "base/mem.h"
#include "train/optim.h"
#include "train/prefixes.h"
#include "train/schedule.h"
#include "train/spike.h"
#include "train/trained.h"

#include <math.h>
#include <string.h>
#include <time.h>

struct ft_trainer {
    ft_adapter *adapter;
    ft_dataset *train, *val;
    ft_train_config cfg;
    ft_pool *pool;
    ft_nn *nn;
    ft_nn_limits limits;
    ft_schedule schedule;
    ft_adamw *adamw;
    float *grads, *best;       /* best: NULL without validation and bound on forgetting */
    uint64_t step, best_step;
    double best_loss;
    uint64_t stale;            /* validations since best_step */
    double loss, mean;         /* of the last step; running   */
    ft_evaluations seen;
    ft_example_loss *examples; /* of the last step            */
    size_t n_examples, examples_cap;
    size_t worst;              /* example of this step with the largest loss a target, and that */
    double worst_loss;
    size_t *order;             /* rows of this epoch              */
    size_t order_at;           /* place of the next step's first  */
    uint64_t epoch;            /* counted from 0                  */
    size_t *list;              /* examples of this step           */
    size_t n_list, list_cap;
    ft_batch batch;            /* the step's examples; of a validation, a micro-batch's */
    ft_prefixes prefixes;
};

static int take_memory(ft_trainer *t, const ft_model *m, ft_err *e)
{
    size_t n = t->adapter->n_params;
    if (!(t->grads = ft_new_aligned(n, sizeof *t->grads, e)) ||
        !(t->order = ft_new(t->train->n_rows, sizeof *t->order, e)) ||
        ((t->val || t->cfg.max_forget > 0) && !(t->best = ft_new(n, sizeof *t->best, e))))
        return FT_ERR_NOMEM;
    if (t->best)
        memcpy(t->best, t->adapter->params, n * sizeof *t->best);
    if (ft_adamw_new(&t->adamw, n, e) < 0 ||
        ft_trained_parts(t->adapter, t->cfg.lora_plus, t->adamw, e) < 0)
        return FT_ERR_NOMEM;
    return ft_nn_new(&t->nn, m, t->adapter, t->pool, &t->limits, e);
}

int ft_trainer_new(ft_trainer **out, const ft_model *m, ft_adapter *l, ft_dataset *train,
                   ft_dataset *val, const ft_train_config *cfg, ft_pool *pool, ft_err *e)
{
    ft_train_plan plan;
    ft_trainer *t = ft_new(1, sizeof *t, e);
    int rc;
    *out = NULL;
    if (!t)
        return FT_ERR_NOMEM;
    t->adapter = l;
    t->train = train;
    t->val = val;
    t->cfg = *cfg;
    t->pool = pool;
    t->best_loss = INFINITY;
    t->cfg.share = ft_train_shares(cfg, l);
    t->seen.forgets = cfg->forget != NULL;
    rc = ft_train_plan_for(m, l, train, val, cfg, ft_pool_threads(pool), &plan, e);
    t->limits = plan.limits;
    if (rc == 0)
        rc = take_memory(t, m, e);
    if (rc < 0) {
        ft_trainer_free(&t);
        return rc;
    }
    t->schedule = (ft_schedule){cfg->decline, cfg->lr,
                                ft_schedule_warmup(cfg->warmup, plan.steps), plan.steps};
    ft_train_order(train, cfg, 0, t->order);
    *out = t;
    return 0;
}

void ft_trainer_free(ft_trainer **out)
{
    ft_trainer *t = *out;
    if (!t)
        return;
    ft_nn_free(&t->nn);
    ft_adamw_free(&t->adamw);
    ft_batch_free(&t->batch);
    ft_prefixes_free(&t->prefixes);
    ft_free(t->grads);
    ft_free(t->best);
    ft_free(t->order);
    ft_free(t->list);
    ft_free(t->examples);
    ft_free(t);
    *out = NULL;
}

uint64_t ft_trainer_steps(const ft_trainer *t)
{
    return t->schedule.total;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- which examples ---- */

/* Fills t->list with the examples of rows order[from, to), in that order. */
static int list_rows(ft_trainer *t, const ft_dataset *d, const size_t *order, size_t from,
                     size_t to, ft_err *e)
{
    t->n_list = 0;
    return ft_train_list(d, order, from, to, &t->list, &t->n_list, &t->list_cap, e);
}

/* Steps over the rows of a step, and into the next epoch when this one ends. */
static void pass_rows(ft_trainer *t, size_t end)
{
    t->order_at = end;
    if (end == t->train->n_rows && ++t->epoch < t->cfg.epochs) {
        t->order_at = 0;
        ft_train_order(t->train, &t->cfg, t->epoch, t->order);
    }
}

/* Takes the examples of the next step. */
static int next_rows(ft_trainer *t, ft_err *e)
{
    size_t end = ft_train_step_end(t->train, t->order, t->order_at, t->cfg.batch);
    int rc = list_rows(t, t->train, t->order, t->order_at, end, e);
    pass_rows(t, end);
    return rc;
}

/* Fetches list[at, …) as far as the limits of a micro-batch allow, at least one example. */
static int fetch_micro(ft_trainer *t, ft_dataset *d, size_t at, size_t *count, ft_err *e)
{
    size_t n = 0, tokens = 0;
    while (at + n < t->n_list && (t->cfg.micro == 0 || n < t->cfg.micro)) {
        tokens += d->examples[t->list[at + n]].T;
        if (tokens > t->limits.tokens)
            break;
        n++;
    }
    *count = n;
    ft_batch_clear(&t->batch);
    return ft_dataset_fetch(d, t->list + at, n, &t->batch, e);
}

/* Puts the record before a numeric error: the one whose loss is not finite, if that is known.
 * nll: of examples list[at, at + count). */
static int blame(const ft_trainer *t, const ft_dataset *d, size_t at, size_t count,
                 const double *nll, ft_err *e)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(nll[i]))
            return ft_err_wrap(e, "record %zu", ft_dataset_row_of(d, t->list[at + i]) + 1);
    return ft_err_wrap(e, "one of %zu examples from record %zu on", count,
                       ft_dataset_row_of(d, t->list[at]) + 1);
}

/* ---- steps ---- */

/* Remembers the loss of the step's i-th example, and which has the largest a target. */
static void note_example(ft_trainer *t, size_t i, double nll)
{
    size_t example = t->list[i];
    uint32_t n = t->train->examples[example].n_targets;
    t->examples[i] = (ft_example_loss){example, n ? nll / n : (double)NAN, n};
    if (n == 0 || nll / n <= t->worst_loss)
        return;
    t->worst = example;
    t->worst_loss = nll / n;
}

/* Sequences rest[at, …) that fit into a micro-batch, at least one. */
static size_t micro_count(const ft_trainer *t, size_t at)
{
    size_t n = 0, tokens = 0, shared = 0;
    while (at + n < t->n_list && (t->cfg.micro == 0 || n < t->cfg.micro)) {
        const ft_seq *s = &t->prefixes.rest[at + n];
        tokens += s->T;
        shared += s->prefix ? t->prefixes.list[s->prefix - 1].T : 0;
        if (n > 0 && (tokens > t->limits.tokens || shared > t->limits.tokens))
            break;
        n++;
    }
    return n;
}

/* Adds the gradients of all examples of the step, their common beginnings at the end. kl += sum of
 * w * KL over all targets. */
static int backward(ft_trainer *t, const ft_nn_step *step, double *kl, ft_err *e)
{
    const ft_prefixes *p = &t->prefixes;
    int rc = 0;
    if (p->n && (rc = ft_nn_prefixes_begin(t->nn, p->list, p->n, step, e)) < 0)
        return rc;
    for (size_t at = 0, n; at < t->n_list; at += n) {
        n = micro_count(t, at);
        rc = ft_nn_backward(t->nn, p->rest + at, n, step, t->batch.nll + at, t->grads, e);
        if (rc < 0)
            return blame(t, t->train, at, n, t->batch.nll + at, e);
        for (size_t i = 0; i < n && step->kl > 0; i++)
            *kl += (double)p->rest[at + i].weight * ft_nn_kl(t->nn, i);
    }
    rc = p->n ? ft_nn_prefixes_end(t->nn, t->grads, e) : 0;
    ft_nn_step_end(t->nn, t->grads);
    return rc;
}

/* Fetches the examples of the step and finds what they share. */
static int fetch_step(ft_trainer *t, ft_err *e)
{
    int rc;
    ft_batch_clear(&t->batch);
    rc = ft_dataset_fetch(t->train, t->list, t->n_list, &t->batch, e);
    if (rc < 0)
        return rc;
    return (t->cfg.share ? ft_prefixes_find : ft_prefixes_none)(
        &t->prefixes, ft_batch_seqs(&t->batch), t->batch.n, e);
}

/* Fills t->grads. Returns the step's loss in *loss, and its tokens. */
static int gradient(ft_trainer *t, ft_train_report *report, ft_err *e)
{
    ft_nn_step step = {.dropout = t->adapter->cfg.dropout, .seed = t->cfg.seed,
                       .step = (uint32_t)t->step,
                       .neftune = (float)t->cfg.neftune, .kl = (float)t->cfg.kl};
    double sum = 0, weight;
    int rc = fetch_step(t, e);
    for (size_t i = 0; rc == 0 && i < t->n_list; i++) {
        const ft_dataset_example *x = &t->train->examples[t->list[i]];
        step.norm += (double)x->weight * (double)x->n_targets;
        report->tokens += x->T;
    }
    weight = step.norm;
    if (!(step.norm > 0))
        step.norm = 1;        /* no weight on any target: the gradient is zero */
    t->worst_loss = -1;
    memset(t->grads, 0, t->adapter->n_params * sizeof *t->grads);
    if (rc < 0 || (rc = backward(t, &step, &report->kl, e)) < 0 ||
        (rc = ft_grow(&t->examples, &t->examples_cap, t->n_list, sizeof *t->examples, e)) < 0)
        return rc;
    for (size_t i = 0; i < t->n_list; i++) {
        sum += (double)t->batch.seqs[i].weight * t->batch.nll[i];
        note_example(t, i, t->batch.nll[i]);
    }
    t->n_examples = t->n_list;
    report->loss = sum / step.norm;
    report->kl /= step.norm;
    ft_evaluations_train(&t->seen, sum, weight);
    return 0;
}

/* The loss on a whole set of data. base: of the base alone. */
static int measure(ft_trainer *t, ft_dataset *d, int base, double *loss, ft_err *e)
{
    double sum = 0;
    size_t count;
    int rc = list_rows(t, d, NULL, 0, d->n_rows, e);
    for (size_t at = 0; at < t->n_list && rc == 0; at += count) {
        const ft_seq *seqs;
        if ((rc = fetch_micro(t, d, at, &count, e)) < 0)
            break;
        seqs = ft_batch_seqs(&t->batch);
        rc = base ? ft_nn_base_loss(t->nn, seqs, count, t->batch.nll, e)
                  : ft_nn_loss(t->nn, seqs, count, t->batch.nll, NULL, e);
        if (rc < 0)
            rc = blame(t, d, at, count, t->batch.nll, e);
        for (size_t i = 0; i < count && rc == 0; i++)
            sum += (double)t->batch.seqs[i].weight * t->batch.nll[i];
    }
    *loss = sum / d->weight;
    return rc < 0 ? ft_err_wrap(e, "%s after step %llu", d == t->val ? "validation" : "forgetting",
                                (unsigned long long)t->step) : 0;
}

static void keep_as_best(ft_trainer *t, double loss)
{
    t->stale = 0;
    t->best_loss = loss;
    t->best_step = t->step;
    memcpy(t->best, t->adapter->params, t->adapter->n_params * sizeof *t->best);
}

/* Keeps the present parameters where they are the best, or without validation the last, that have
 * not forgotten too much. */
static void judge(ft_trainer *t)
{
    const ft_evaluations *v = &t->seen;
    t->stale += t->val != NULL;
    if (t->best && !ft_trainer_has_forgotten(t) && (!t->val || v->val_loss < t->best_loss))
        keep_as_best(t, t->val ? v->val_loss : v->forget_loss);
}

static int evaluate(ft_trainer *t, ft_train_report *r, ft_err *e)
{
    ft_evaluations *v = &t->seen;
    int rc = 0;
    r->evaluated = 1;
    r->validated = t->val != NULL;
    r->forgets = v->forgets;
    if (t->val)
        rc = measure(t, t->val, 0, &r->val_loss, e);
    if (rc == 0 && v->forgets)
        rc = measure(t, t->cfg.forget, 0, &r->forget_loss, e);
    if (rc < 0)
        return rc;
    ft_evaluations_take(v, t->val ? &r->val_loss : NULL, v->forgets ? &r->forget_loss : NULL);
    r->train_loss = v->train_loss;
    r->overfitting = v->rising == FT_OVERFITTING;
    r->forget_rise = ft_evaluations_rise(v);
    judge(t);
    return 0;
}

int ft_trainer_begin(ft_trainer *t, ft_train_report *r, ft_err *e)
{
    *r = (ft_train_report){.step = t->step};
    if (!t->cfg.forget || t->step > 0)
        return 0;
    r->forgets = 1;
    if (measure(t, t->cfg.forget, 1, &r->forget_loss, e) < 0)
        return e->code;
    t->seen.forget_start = t->seen.forget_loss = r->forget_loss;
    return 0;
}

/* Refuses a loss that stands out from those before it. */
static int check_spike(const ft_trainer *t, double loss, ft_err *e)
{
    if (!ft_spike_is(t->cfg.spike, t->mean, t->step, loss))
        return 0;
    return ft_err_set(e, FT_ERR_NUMERIC, "step %llu: the loss jumped to %.4g, over %g times its "
                      "running mean of %.4g; record %zu has the largest, %.4g a target",
                      (unsigned long long)t->step + 1, loss, t->cfg.spike, t->mean,
                      ft_dataset_row_of(t->train, t->worst) + 1, t->worst_loss);
}

int ft_trainer_step(ft_trainer *t, ft_train_report *report, ft_err *e)
{
    double start = now();
    int rc;
    *report = (ft_train_report){.step = t->step + 1};
    if (ft_trainer_is_over(t))
        return FT_EOS;
    report->epoch = t->epoch + 1;
    if ((rc = next_rows(t, e)) < 0)
        return rc;
    if (gradient(t, report, e) < 0)
        return ft_err_wrap(e, "step %llu", (unsigned long long)t->step + 1);
    if ((rc = check_spike(t, report->loss, e)) < 0)
        return rc;
    report->lr = ft_schedule_lr(&t->schedule, t->step);
    report->grad_norm = ft_clip_gradient(t->grads, t->adapter->n_params, t->cfg.clip);
    if (!isfinite(report->grad_norm))
        return ft_err_set(e, FT_ERR_NUMERIC, "step %llu, records from %zu on: the gradient is not "
                          "finite", (unsigned long long)t->step + 1,
                          ft_dataset_row_of(t->train, t->list[0]) + 1);
    ft_adamw_step(t->adamw, t->adapter->params, t->grads, report->lr, t->cfg.decay, t->pool);
    t->loss = report->loss;
    t->mean = ft_spike_mean(t->mean, t->step++, t->loss);
    report->seconds = now() - start;
    if ((t->val || t->cfg.forget) && (t->step == t->schedule.total ||
                                      (t->cfg.val_every && t->step % t->cfg.val_every == 0)))
        return evaluate(t, report, e);
    return 0;
}

int ft_trainer_is_early(const ft_trainer *t)
{
    return t->cfg.patience && t->stale >= t->cfg.patience && t->step < t->schedule.total;
}

int ft_trainer_anchored(const ft_trainer *t)
{
    return t->cfg.kl > 0;
}

int ft_trainer_has_forgotten(const ft_trainer *t)
{
    return t->cfg.max_forget > 0 && t->step > 0 &&
           ft_evaluations_rise(&t->seen) > t->cfg.max_forget;
}

int ft_trainer_is_over(const ft_trainer *t)
{
    return t->step == t->schedule.total || ft_trainer_is_early(t) || ft_trainer_has_forgotten(t);
}

/* ---- going back to a saved state ---- */

ft_train_state ft_trainer_state(const ft_trainer *t)
{
    return (ft_train_state){t->step, t->loss, t->mean, t->best_step, t->best_loss, t->stale,
                            t->adapter->n_params, t->adapter->params, t->adamw->m, t->adamw->v,
                            t->best, t->seen};
}

int ft_trainer_restore(ft_trainer *t, const ft_train_state *s, ft_err *e)
{
    if (s->step > t->schedule.total || s->best_step > s->step || s->stale > s->step ||
        (s->best_step > 0 && !t->best) || (s->best_step > 0) != (isfinite(s->best_loss) != 0) ||
        !isfinite(s->loss) || !isfinite(s->mean) || ft_evaluations_absurd(&s->seen) ||
        s->seen.forgets != (t->cfg.forget != NULL) || s->seen.count > s->step)
        return ft_err_set(e, FT_ERR_DATA, "a state that no run with these settings can be in");
    t->step = t->adamw->t = s->step;
    t->loss = s->loss;
    t->mean = s->mean;
    t->best_step = s->best_step;
    t->best_loss = s->best_loss;
    t->stale = s->stale;
    t->seen = s->seen;
    t->epoch = 0;
    t->order_at = 0;
    ft_train_order(t->train, &t->cfg, 0, t->order);
    for (uint64_t i = 0; i < s->step; i++)
        pass_rows(t, ft_train_step_end(t->train, t->order, t->order_at, t->cfg.batch));
    return 0;
}

const float *ft_trainer_params(const ft_trainer *t)
{
    int kept = t->best && (isfinite(t->best_loss) || ft_trainer_has_forgotten(t));
    return kept ? t->best : t->adapter->params;
}

const ft_example_loss *ft_trainer_examples(const ft_trainer *t, size_t *n)
{
    *n = t->n_examples;
    return t->examples;
}

uint64_t ft_trainer_best_step(const ft_trainer *t)
{
    return t->best ? t->best_step : t->step;
}

double ft_trainer_best_loss(const ft_trainer *t)
{
    return t->best_loss;
}
