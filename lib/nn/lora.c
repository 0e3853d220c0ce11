#include "nn/lora.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

static const char choices[] = "q,k,v,o,gate,up,down, or all, attention, mlp";

static unsigned bits_of_word(const char *w, size_t n)
{
    static const struct { const char *name; unsigned bits; } sets[] = {
        {"all", (1u << FT_TARGETS) - 1},
        {"attention", 1u << FT_Q | 1u << FT_K | 1u << FT_V | 1u << FT_O},
        {"mlp", 1u << FT_GATE | 1u << FT_UP | 1u << FT_DOWN}};
    for (int t = 0; t < FT_TARGETS; t++) {
        const char *name = ft_target_name(t), *peft = ft_target_peft_name(t);
        if ((strlen(name) == n && memcmp(name, w, n) == 0) ||
            (strlen(peft) == n && memcmp(peft, w, n) == 0))
            return 1u << t;
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strlen(sets[i].name) == n && memcmp(sets[i].name, w, n) == 0)
            return sets[i].bits;
    return 0;
}

int ft_lora_parse_targets(const char *text, unsigned *bits, ft_err *e)
{
    *bits = 0;
    for (;;) {
        size_t n = strcspn(text, ",");
        unsigned b = bits_of_word(text, n);
        if (!b)
            return ft_err_set(e, FT_ERR_USAGE, "LoRA target '%.*s' is not one of %s", (int)n, text,
                              choices);
        *bits |= b;
        if (!text[n])
            return 0;
        text += n + 1;
    }
}

static int check_config(const ft_model *m, const ft_lora_config *c, ft_err *e)
{
    if (c->targets == 0 || c->targets >> FT_TARGETS)
        return ft_err_set(e, FT_ERR_USAGE, "no LoRA targets: give %s", choices);
    if (!(c->dropout >= 0 && c->dropout < 1) || !isfinite(c->alpha))
        return ft_err_set(e, FT_ERR_USAGE, "LoRA dropout must be in [0, 1) and alpha finite");
    for (int t = 0; t < FT_TARGETS; t++) {
        const ft_weight *w = &m->layers[0].w[t];
        size_t most = w->rows < w->cols ? w->rows : w->cols;
        if ((c->targets >> t & 1) && (c->rank < 1 || c->rank > most))
            return ft_err_set(e, FT_ERR_USAGE, "LoRA rank %zu does not fit %s, which is %zu x %zu: "
                              "1 to %zu", c->rank, ft_target_name(t), w->rows, w->cols, most);
    }
    return 0;
}

/* Gives each adapted matrix its place in the parameter block. */
static void lay_out(ft_lora *l, const ft_model *m)
{
    for (size_t i = 0; i < m->L; i++)
        for (int t = 0; t < FT_TARGETS; t++) {
            const ft_weight *w = &m->layers[i].w[t];
            size_t at = i * FT_TARGETS + (size_t)t;
            l->a_at[at] = l->b_at[at] = SIZE_MAX;
            if (!(l->cfg.targets >> t & 1))
                continue;
            l->a_at[at] = l->n_params;
            l->b_at[at] = l->n_params + l->cfg.rank * w->cols;
            l->n_params += l->cfg.rank * (w->cols + w->rows);
        }
}

static void draw_a(ft_lora *l, const ft_model *m, uint64_t seed)
{
    uint32_t tensor = 0;
    for (size_t i = 0; i < m->L; i++)
        for (int t = 0; t < FT_TARGETS; t++) {
            float *a = ft_lora_a(l, l->params, i, t);
            size_t cols = m->layers[i].w[t].cols;
            float bound = (float)(1 / sqrt((double)cols));
            if (!a)
                continue;
            for (size_t j = 0; j < l->cfg.rank * cols; j++)
                a[j] = (2 * ft_rng_float(seed, FT_RNG_INIT, tensor, j) - 1) * bound;
            tensor++;
        }
}

int ft_lora_new(ft_lora **out, const ft_model *m, const ft_lora_config *cfg, uint64_t seed,
                ft_err *e)
{
    ft_lora *l;
    int rc = check_config(m, cfg, e);
    *out = NULL;
    if (rc < 0)
        return rc;
    l = ft_new(1, sizeof *l, e);
    if (!l)
        return FT_ERR_NOMEM;
    l->cfg = *cfg;
    l->L = m->L;
    l->scaling = cfg->alpha / (float)cfg->rank;
    l->a_at = ft_new(m->L * FT_TARGETS, sizeof *l->a_at, e);
    l->b_at = l->a_at ? ft_new(m->L * FT_TARGETS, sizeof *l->b_at, e) : NULL;
    if (l->b_at) {
        lay_out(l, m);
        l->params = ft_new(l->n_params, sizeof *l->params, e);
    }
    if (!l->params) {
        ft_lora_free(&l);
        return FT_ERR_NOMEM;
    }
    draw_a(l, m, seed);
    *out = l;
    return 0;
}

void ft_lora_free(ft_lora **l)
{
    if (!*l)
        return;
    ft_free((*l)->params);
    ft_free((*l)->a_at);
    ft_free((*l)->b_at);
    ft_free(*l);
    *l = NULL;
}

float *ft_lora_a(const ft_lora *l, float *p, size_t layer, enum ft_target t)
{
    size_t at = l->a_at[layer * FT_TARGETS + (size_t)t];
    return at == SIZE_MAX ? NULL : p + at;
}

float *ft_lora_b(const ft_lora *l, float *p, size_t layer, enum ft_target t)
{
    size_t at = l->b_at[layer * FT_TARGETS + (size_t)t];
    return at == SIZE_MAX ? NULL : p + at;
}
