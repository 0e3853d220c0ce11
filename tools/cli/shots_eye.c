#include "tools/cli/shots_eye.h"

#include "base/mem.h"
#include "data/vectors.h"
#include "tools/cli/cli.h"
#include "tools/cli/embed_texts.h"
#include "tools/cli/load.h"

enum { ASKED_TOGETHER = 256 };       /* questions for which the vectors are read once */

struct shots_eye {
    ft_model *model;
    ft_tokenizer *tokenizer;
    cli_embedder *embedder;
    ft_vectors *pool;
    ft_buf text;                     /* texts that wait, one behind the other */
    size_t *end, n, cap;             /* where each ends                       */
    ft_slice slices[ASKED_TOGETHER];
    float *vectors;                  /* of so many                            */
    uint32_t *best, *found;
    size_t k, cap_best, cap_found;
};

shots_eye *shots_eye_new(const char *compute)
{
    shots_eye *x = ft_new(1, sizeof *x, cli_err());
    if (!x)
        cli_fail();
    cli_check(ft_model_open(&x->model, cli_model(), cli_err()));
    x->tokenizer = cli_tokenizer_of(x->model->gguf);
    x->embedder = cli_embedder_new(x->model, x->tokenizer, compute);
    cli_check(ft_vectors_new(&x->pool, x->model->C, cli_err()));
    if (!(x->vectors = ft_new(ASKED_TOGETHER, x->model->C * sizeof *x->vectors, cli_err())))
        cli_fail();
    return x;
}

void shots_eye_free(shots_eye **x)
{
    if (!*x)
        return;
    cli_embedder_free(&(*x)->embedder);
    ft_tokenizer_free(&(*x)->tokenizer);
    ft_model_free(&(*x)->model);
    ft_vectors_free(&(*x)->pool);
    ft_buf_free(&(*x)->text);
    ft_free((*x)->end);
    ft_free((*x)->vectors);
    ft_free((*x)->best);
    ft_free((*x)->found);
    ft_free(*x);
    *x = NULL;
}

void shots_eye_ask(shots_eye *x, ft_slice question)
{
    ft_buf_add(&x->text, question.p, question.n);
    cli_check(ft_buf_check(&x->text, cli_err()));
    cli_check(ft_grow(&x->end, &x->cap, x->n + 1, sizeof *x->end, cli_err()));
    x->end[x->n++] = x->text.n;
}

/* The vectors of n waiting texts from the first on, in x->vectors. */
static void look_at(shots_eye *x, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = first + i ? x->end[first + i - 1] : 0;
        x->slices[i] = (ft_slice){x->text.p + at, x->end[first + i] - at};
    }
    cli_embed(x->embedder, x->slices, n, x->vectors);
}

static void add_waiting(shots_eye *x)
{
    look_at(x, 0, x->n);              /* at most CLI_EMBED_TEXTS */
    cli_check(ft_vectors_add(x->pool, x->vectors, x->n, cli_err()));
    ft_buf_clear(&x->text);
    x->n = 0;
}

void shots_eye_add(shots_eye *x, ft_slice question)
{
    shots_eye_ask(x, question);
    if (x->n == CLI_EMBED_TEXTS)
        add_waiting(x);
}

void shots_eye_end(shots_eye *x)
{
    add_waiting(x);
    cli_check(ft_vectors_end(x->pool, cli_err()));
}

void shots_eye_find(shots_eye *x, size_t k)
{
    cli_check(ft_grow(&x->best, &x->cap_best, x->n * k + 1, sizeof *x->best, cli_err()));
    cli_check(ft_grow(&x->found, &x->cap_found, x->n + 1, sizeof *x->found, cli_err()));
    x->k = k;
    for (size_t first = 0, some; first < x->n; first += some) {
        some = x->n - first < ASKED_TOGETHER ? x->n - first : ASKED_TOGETHER;
        look_at(x, first, some);
        cli_check(ft_vectors_nearest(x->pool, x->vectors, some, k, cli_pool(),
                                     x->best + first * k, x->found + first, cli_err()));
    }
    ft_buf_clear(&x->text);
    x->n = 0;
}

size_t shots_eye_found(const shots_eye *x, size_t i, const uint32_t **numbers)
{
    *numbers = x->best + i * x->k;
    return x->found[i];
}
