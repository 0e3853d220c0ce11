#include "infer/sample.h"

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ft_sampler {
    size_t V;
    ft_candidate *list;
    uint8_t *marked;           /* tokens that the penalty was applied to; zero between calls */
};

size_t ft_sampler_bytes(size_t V)
{
    return V * (sizeof(ft_candidate) + 1);
}

int ft_sampler_new(ft_sampler **out, size_t V, ft_err *e)
{
    ft_sampler *s = *out = ft_new(1, sizeof *s, e);
    if (!s)
        return FT_ERR_NOMEM;
    s->V = V;
    s->list = ft_new(V, sizeof *s->list, e);
    s->marked = ft_new(V, 1, e);
    if (!s->list || !s->marked) {
        ft_sampler_free(out);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_sampler_free(ft_sampler **out)
{
    ft_sampler *s = *out;
    if (!s)
        return;
    ft_free(s->list);
    ft_free(s->marked);
    ft_free(s);
    *out = NULL;
}

static void punish(ft_sampler *s, const ft_sampling *o, float *logits, const uint32_t *seen,
                   size_t n)
{
    float penalty = (float)o->repetition_penalty;
    if (!(o->repetition_penalty < 1) && !(o->repetition_penalty > 1))
        return;
    if (o->repetition_window && n > o->repetition_window) {
        seen += n - o->repetition_window;
        n = o->repetition_window;
    }
    for (size_t i = 0; i < n; i++) {
        float *x = &logits[seen[i]];
        if (!s->marked[seen[i]])
            *x = *x < 0 ? *x * penalty : *x / penalty;
        s->marked[seen[i]] = 1;
    }
    for (size_t i = 0; i < n; i++)
        s->marked[seen[i]] = 0;
}

static uint32_t best_of(const float *logits, size_t V)
{
    float most = ft_kernels_get()->max(logits, V);
    uint32_t best = 0;
    while (best + 1 < V && logits[best] < most)
        best++;
    return best;
}

static int comes_before(const ft_candidate *a, const ft_candidate *b)
{
    return a->logit > b->logit || (!(a->logit < b->logit) && a->id < b->id);
}

static int compare(const void *a, const void *b)
{
    return comes_before(b, a) - comes_before(a, b);
}

/* ---- the k first candidates: a heap whose root is the last of them ---- */

static void sink(ft_candidate *heap, size_t n, size_t i)
{
    for (;;) {
        size_t last = i, l = 2 * i + 1, r = l + 1;
        ft_candidate t;
        if (l < n && comes_before(&heap[last], &heap[l]))
            last = l;
        if (r < n && comes_before(&heap[last], &heap[r]))
            last = r;
        if (last == i)
            return;
        t = heap[i];
        heap[i] = heap[last];
        heap[last] = t;
        i = last;
    }
}

static void keep_first(ft_candidate *c, size_t n, size_t k)
{
    for (size_t i = k / 2; i-- > 0;)
        sink(c, k, i);
    for (size_t i = k; i < n; i++)
        if (comes_before(&c[i], &c[0])) {
            c[0] = c[i];
            sink(c, k, 0);
        }
}

/* ---- probabilities ---- */

/* Fills p of candidates by softmax of logit / temperature. Returns: the largest. */
static double normalise(ft_candidate *c, size_t n, double temperature)
{
    double max = -INFINITY, sum = 0, largest = 0;
    for (size_t i = 0; i < n; i++)
        max = (double)c[i].logit > max ? (double)c[i].logit : max;
    for (size_t i = 0; i < n; i++)
        sum += c[i].p = exp(((double)c[i].logit - max) / temperature);
    for (size_t i = 0; i < n; i++) {
        c[i].p /= sum;
        largest = c[i].p > largest ? c[i].p : largest;
    }
    return largest;
}

/* Keeps what has at least this probability, in order. Returns: how many. */
static size_t keep_likely(ft_candidate *c, size_t n, double p)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (c[i].p >= p)
            c[kept++] = c[i];
    return kept;
}

/* A token less likely than (1 - p) / n never stays: all that are no likelier have less than 1 - p
 * together, so those before it have p. Without them few are left to sort. */
static size_t keep_top_p(ft_candidate *c, size_t n, double top_p)
{
    double before = 0;
    size_t i;
    n = keep_likely(c, n, (1 - top_p) / (double)n * 0.999999);
    qsort(c, n, sizeof *c, compare);
    for (i = 0; i < n && (i == 0 || before < top_p); i++)
        before += c[i].p;
    return i;
}

const ft_candidate *ft_sample_candidates(ft_sampler *s, const ft_sampling *o, float *logits,
                                         const uint32_t *seen, size_t n_seen, size_t *n)
{
    ft_candidate *c = s->list;
    double largest;
    size_t left = s->V;
    punish(s, o, logits, seen, n_seen);
    for (size_t i = 0; i < left; i++)
        c[i] = (ft_candidate){logits[i], (uint32_t)i, 0};
    if (o->top_k && o->top_k < left) {
        keep_first(c, left, o->top_k);
        left = o->top_k;
        qsort(c, left, sizeof *c, compare);
    }
    largest = normalise(c, left, o->temperature);
    if (o->top_p < 1)
        left = keep_top_p(c, left, o->top_p);
    if (o->min_p > 0)
        left = keep_likely(c, left, o->min_p * largest);
    (void)normalise(c, left, o->temperature);
    *n = left;
    return c;
}

int ft_sample(ft_sampler *s, const ft_sampling *o, float *logits, const uint32_t *seen,
              size_t n_seen, uint64_t key, size_t index, uint32_t *id, ft_err *e)
{
    const ft_candidate *c;
    double u, sum = 0;
    size_t n, i = 0;
    /* A sum of squares is finite when all are, or too large; then they are looked at. */
    int sound = isfinite(ft_kernels_get()->sum_squares(logits, s->V));
    for (size_t t = 0; !sound && t < s->V; t++)
        if (!isfinite(logits[t]))
            return ft_err_set(e, FT_ERR_NUMERIC, "the logit of token %zu after %zu tokens is %s",
                              t, n_seen, isnan(logits[t]) ? "not a number" : "infinite");
    if (!(o->temperature > 0)) {
        punish(s, o, logits, seen, n_seen);
        *id = best_of(logits, s->V);
        return 0;
    }
    c = ft_sample_candidates(s, o, logits, seen, n_seen, &n);
    u = (double)(ft_rng_u64(o->seed, FT_RNG_SAMPLE, (uint32_t)key,
                            (key >> 32) << 32 | (uint32_t)index) >> 11) * 0x1p-53;
    while (i + 1 < n && (sum += c[i].p) <= u)
        i++;
    *id = c[i].id;
    return 0;
}
