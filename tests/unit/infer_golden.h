/* infer_golden.h: what the tests of lib/infer share: the models, the adapter of
 * tests/golden/make_generate.py, and a look at its golden file. */
#ifndef FT_INFER_GOLDEN_H
#define FT_INFER_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK(call) assert_int_equal((call), 0)

/* "toy", "toy256" (of many types) or "real"; NULL when the real one is not there. */
static inline ft_model *golden_model(const char *name)
{
    const char *toy = getenv("TOY"), *path = getenv("MODEL");
    ft_model *m = NULL;
    char beside[4096];
    ft_err e;
    if (!toy)
        toy = "tests/golden/toy.gguf";
    if (strcmp(name, "toy") == 0) {
        path = toy;
    } else if (strcmp(name, "toy256") == 0) {
        snprintf(beside, sizeof beside, "%.*s256.gguf", (int)strlen(toy) - 5, toy);
        path = beside;
    }
    if (!path || access(path, R_OK) != 0)
        return NULL;
    if (ft_model_open(&m, path, &e) < 0)
        fail_msg("%s", e.text);
    return m;
}

/* lora_value() of make_generate.py. */
static inline void golden_values(float *p, size_t n, uint32_t tensor, double size)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)i * 2654435761u + tensor * 97u;
        x ^= x >> 15;
        x *= 2246822519u;
        x ^= x >> 13;
        p[i] = (float)(((double)x / 4294967296.0 - 0.5) * size);
    }
}

/* The adapter of make_generate.py: values in PEFT's row order, brought into GGUF's. */
static inline ft_adapter *golden_lora(const ft_model *m, size_t rank, double size_b)
{
    ft_adapter_config cfg = {.rank = rank, .alpha = 2.0f * (float)rank, .dropout = 0,
                             .targets = (1u << FT_TARGETS) - 1};
    ft_adapter *l = NULL;
    ft_err e;
    if (ft_adapter_new(&l, m, &cfg, 1, &e) < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < m->L; i++)
        for (uint32_t t = 0; t < FT_TARGETS; t++) {
            const ft_weight *w = &m->layers[i].w[t];
            uint32_t tensor = ((uint32_t)i * FT_TARGETS + t) * 2;
            float *b = ft_lora_b(l, l->params, i, (enum ft_target)t);
            float *peft = malloc(w->rows * rank * sizeof *peft);
            size_t heads = t == FT_Q ? m->H : t == FT_K ? m->H_kv : 0;
            golden_values(ft_lora_a(l, l->params, i, (enum ft_target)t), rank * w->cols, tensor,
                          2.0 / sqrt((double)w->cols));
            golden_values(peft, w->rows * rank, tensor + 1, size_b);
            if (heads)
                ft_rows_from_peft(peft, b, heads, m->D, rank);
            else
                memcpy(b, peft, w->rows * rank * sizeof *b);
            free(peft);
        }
    return l;
}

/* The adapter of make_gains.py: DoRA, or IA3 on some matrices. */
static inline ft_adapter *golden_gains(const ft_model *m, const ft_adapter_config *cfg)
{
    ft_adapter *a = NULL;
    ft_err e;
    if (ft_adapter_new(&a, m, cfg, 1, &e) < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        uint32_t t = (uint32_t)(s->layer * FT_TARGETS) + (uint32_t)s->target;
        size_t n = s->rows * s->cols;
        float *peft = malloc(n * sizeof *peft), more = 0;
        if (s->role == FT_ROLE_A)
            golden_values(peft, n, 2 * t, 2.0 / sqrt((double)s->cols));
        else if (s->role == FT_ROLE_B)
            golden_values(peft, n, 2 * t + 1, 0.5);
        else
            golden_values(peft, n, (s->role == FT_ROLE_MAGNITUDE ? 1000 : 2000) + t,
                          s->role == FT_ROLE_MAGNITUDE ? 1 : 0.8);
        if (s->role == FT_ROLE_MAGNITUDE || s->role == FT_ROLE_SCALE)
            more = s->role == FT_ROLE_MAGNITUDE ? 1.5f : 1;
        for (size_t k = 0; k < n; k++)
            peft[k] += more;
        ft_slot_from_peft(s, m, peft, a->params + s->at);
        free(peft);
    }
    return a;
}

#define GOLDEN_ALL ((1u << FT_TARGETS) - 1)
#define GOLDEN_DORA                                                                                \
    ((ft_adapter_config){.rank = 4, .alpha = 8, .targets = GOLDEN_ALL, .dora = 1})
#define GOLDEN_IA3                                                                                 \
    ((ft_adapter_config){.method = FT_METHOD_IA3,                                                  \
                         .targets = 1u << FT_K | 1u << FT_V | 1u << FT_DOWN})
#define GOLDEN_IA3_ALL ((ft_adapter_config){.method = FT_METHOD_IA3, .targets = GOLDEN_ALL})

/* Prefix or prompt tuning with n virtual tokens of the same values. */
static inline ft_adapter *golden_virtual(const ft_model *m, enum ft_method method, size_t n,
                                         double size)
{
    ft_adapter_config cfg = {.method = method, .virtual_tokens = n};
    ft_adapter *l = NULL;
    ft_err e;
    if (ft_adapter_new(&l, m, &cfg, 1, &e) < 0)
        fail_msg("%s", e.text);
    golden_values(l->params, l->n_params, (uint32_t)method, size);
    return l;
}

/* Bottlenecks that do something: all tensors, biases too, in (-size/2, size/2). */
static inline ft_adapter *golden_bottlenecks(const ft_model *m, unsigned targets, size_t width,
                                             double size)
{
    ft_adapter_config cfg = {.method = FT_METHOD_ADAPTER, .rank = width, .targets = targets};
    ft_adapter *l = NULL;
    ft_err e;
    if (ft_adapter_new(&l, m, &cfg, 1, &e) < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < l->n_slots; i++)
        golden_values(l->params + l->slots[i].at, l->slots[i].rows * l->slots[i].cols, (uint32_t)i,
                      size);
    return l;
}

static inline ft_pool *golden_pool(unsigned threads)
{
    ft_pool *p = NULL;
    ft_err e;
    if (ft_pool_new(&p, threads, &e) < 0)
        fail_msg("%s", e.text);
    return p;
}

#endif
