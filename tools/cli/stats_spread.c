#include "tools/cli/stats_spread.h"

#include "base/mem.h"
#include "data/ngrams.h"
#include "data/text_points.h"
#include "tools/cli/embed_texts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- points ---- */

static void model_points(const stats_eye *eye, const ft_slice *texts, size_t n, float *x)
{
    cli_embedder *embedder = cli_embedder_new(eye->model, eye->tokenizer, eye->compute);
    for (size_t i = 0, some; i < n; i += some) {
        some = n - i < CLI_EMBED_TEXTS ? n - i : CLI_EMBED_TEXTS;
        cli_progress("reading the sample", (double)i, (double)n, "texts");
        cli_embed(embedder, texts + i, some, x + i * eye->model->C);
    }
    cli_embedder_free(&embedder);
}

static void ngram_points(const ft_slice *texts, size_t n, float *x)
{
    ft_ngrams g = {0};
    ft_buf all = {0};
    ft_slice *packed = ft_new(n, sizeof *packed, cli_err());
    size_t *start = ft_new(n + 1, sizeof *start, cli_err());
    if (!packed || !start)
        cli_fail();
    for (size_t i = 0; i < n; i++) {
        start[i] = all.n;
        cli_check(ft_ngrams_make(&g, texts[i].p, texts[i].n, &all, cli_err()));
    }
    start[n] = all.n;
    for (size_t i = 0; i < n; i++)
        packed[i] = (ft_slice){all.p + start[i], start[i + 1] - start[i]};
    cli_check(ft_text_points(packed, n, FT_TEXT_POINTS, cli_pool(), x, cli_err()));
    ft_ngrams_free(&g);
    ft_buf_free(&all);
    ft_free(packed);
    ft_free(start);
}

/* Returns: n rows of *d numbers, of length 1. */
static float *points_of(const stats_eye *eye, const ft_slice *texts, size_t n, size_t *d)
{
    float *x;
    *d = eye->model ? eye->model->C : FT_TEXT_POINTS;
    if (eye->memory && (uint64_t)n > eye->memory / 16 / *d) {
        ft_err_set(cli_err(), FT_ERR_NOMEM, "--memory: %zu texts as points of %zu numbers take "
                   "more than a quarter of it: lower --sample", n, *d);
        cli_fail();
    }
    if (!(x = ft_new(n, *d * sizeof *x, cli_err())))
        cli_fail();
    if (eye->model)
        model_points(eye, texts, n, x);
    else
        ngram_points(texts, n, x);
    ft_points_normalise(x, n, *d);
    return x;
}

static ft_slice *slices_of(const stats_sample *s, size_t more)
{
    ft_slice *v = ft_new(s->n + more, sizeof *v, cli_err());
    if (!v)
        cli_fail();
    for (size_t i = 0; i < s->n; i++)
        v[i] = (ft_slice){s->v[i].text, s->v[i].n};
    return v;
}

/* ---- spread ---- */

static void count_cells(const uint32_t *cell, size_t n, size_t k, ft_evenness *r)
{
    uint64_t *counts = ft_new(k, sizeof *counts, cli_err());
    if (!counts)
        cli_fail();
    for (size_t i = 0; i < n; i++)
        counts[cell[i]]++;
    ft_evenness_of(counts, k, r);
    ft_free(counts);
}

void stats_spread_of(const stats_sample *sample, const stats_eye *eye, uint64_t seed,
                     stats_spread *r)
{
    ft_slice *texts = slices_of(sample, 0);
    float *x;
    uint32_t *cell = ft_new(sample->n, sizeof *cell, cli_err());
    *r = (stats_spread){.n = sample->n, .k = ft_cells_for(sample->n)};
    if (!cell)
        cli_fail();
    x = points_of(eye, texts, sample->n, &r->d);
    cli_check(ft_kmeans(x, r->n, r->d, &(ft_kmeans_options){.k = r->k, .seed = seed}, cli_pool(),
                        cell, &r->inertia, cli_err()));
    count_cells(cell, r->n, r->k, &r->cells);
    cli_check(ft_vendi(x, r->n, r->d, cli_pool(), &r->vendi, cli_err()));
    ft_free(x);
    ft_free(cell);
    ft_free(texts);
}

/* ---- coverage ---- */

/* One record. Returns: bytes it takes, or an error. */
static int64_t add_item(stats_coverage *c, ft_mp record, uint64_t number)
{
    stats_item it = {0};
    enum ft_shape shape;
    ft_mp v;
    size_t n = STATS_SAMPLE_BYTES;
    if (ft_example_shape(record, &shape, cli_err()) < 0)
        return FT_ERR_DATA;
    if (shape == FT_SHAPE_PREDICTION && !ft_mp_get(record, "prompt", &v)) {
        c->without_prompt++;
        return 0;
    }
    cli_check(ft_example_part(record, FT_PART_PROMPT, &it.prompt, cli_err()));
    if (it.prompt.n > n) {
        while (n > 0 && (it.prompt.p[n] & 0xc0) == 0x80)
            n--;
        it.prompt.n = n;
    }
    if (ft_mp_get(record, "id", &v))
        stats_put_name(&it.id, v);
    else
        ft_buf_add_fmt(&it.id, "%llu", (unsigned long long)number);
    cli_check(ft_buf_check(&it.id, cli_err()));
    cli_check(ft_grow(&c->items, &c->cap, c->n + 1, sizeof *c->items, cli_err()));
    c->items[c->n++] = it;
    return (int64_t)(it.prompt.cap + it.id.cap + sizeof it);
}

void stats_items_read(stats_coverage *c, const char *path, uint64_t memory)
{
    ft_reader *in = cli_reader(path, FT_KIND_TEXT);
    uint64_t bytes = 0;
    ft_mp record;
    while (cli_next(in, &record)) {
        int64_t took = add_item(c, record, ft_reader_records(in));
        if (took >= 0 && memory && (bytes += (uint64_t)took) > memory / 4)
            took = ft_err_set(cli_err(), FT_ERR_NOMEM, "--memory: the prompts so far take more "
                              "than a quarter of it");
        if (took < 0) {
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
            cli_fail();
        }
    }
    ft_reader_free(&in);
}

static int farthest_first(const void *a, const void *b)
{
    const stats_item *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance > y->distance ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

void stats_coverage_of(stats_coverage *c, const stats_sample *prompts, const stats_eye *eye)
{
    size_t n = prompts->n, d;
    ft_slice *texts = slices_of(prompts, c->n);
    ft_nearest *near = ft_new(n + c->n, sizeof *near, cli_err());
    float *x;
    if (!near)
        cli_fail();
    for (size_t i = 0; i < c->n; i++)
        texts[n + i] = (ft_slice){c->items[i].prompt.p, c->items[i].prompt.n};
    x = points_of(eye, texts, n + c->n, &d);
    ft_nearest_points(x, n, x, n, d, cli_pool(), near);
    ft_nearest_points(x + n * d, c->n, x, n, d, cli_pool(), near + n);
    cli_check(ft_median_distance(near, n, &c->median, cli_err()));
    c->train = n;
    if (n < 2)                   /* no distance to compare with */
        c->median = NAN;
    for (size_t i = 0; i < c->n; i++) {
        c->items[i].distance = near[n + i].distance;
        c->items[i].near = near[n + i].at;
        c->items[i].number = i;
        c->uncovered += !(c->items[i].distance <= c->median);
    }
    if (c->n)
        qsort(c->items, c->n, sizeof *c->items, farthest_first);
    ft_free(x);
    ft_free(near);
    ft_free(texts);
}

void stats_coverage_free(stats_coverage *c)
{
    for (size_t i = 0; i < c->n; i++) {
        ft_buf_free(&c->items[i].id);
        ft_buf_free(&c->items[i].prompt);
    }
    ft_free(c->items);
}
