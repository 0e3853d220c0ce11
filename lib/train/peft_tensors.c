#include "train/peft_tensors.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const char prefix[] = "base_model.model.";

static const ft_peft_part lora[] = {{".lora_A.weight", {FT_DIM_RANK, FT_DIM_IN}},
                                    {".lora_B.weight", {FT_DIM_OUT, FT_DIM_RANK}},
                                    {".lora_magnitude_vector", {FT_DIM_OUT, FT_DIM_NONE}}};
static const ft_peft_part ia3[] = {{".ia3_l", {FT_DIM_OUT, FT_DIM_ONE}}};
/* Of a feed-forward module the input is scaled. */
static const ft_peft_part ia3_feedforward = {".ia3_l", {FT_DIM_ONE, FT_DIM_IN}};
static const ft_peft_part prefixes[] = {{"prompt_embeddings", {FT_DIM_TOKENS, FT_DIM_PREFIX}}};
static const ft_peft_part prompts[] = {{"prompt_embeddings", {FT_DIM_TOKENS, FT_DIM_CHANNELS}}};

static const struct {
    enum ft_peft_dim out, in;
} sides[FT_TARGETS] = {[FT_Q] = {FT_DIM_QUERY, FT_DIM_CHANNELS},
                       [FT_K] = {FT_DIM_KEY, FT_DIM_CHANNELS},
                       [FT_V] = {FT_DIM_KEY, FT_DIM_CHANNELS},
                       [FT_O] = {FT_DIM_CHANNELS, FT_DIM_QUERY},
                       [FT_GATE] = {FT_DIM_MLP, FT_DIM_CHANNELS},
                       [FT_UP] = {FT_DIM_MLP, FT_DIM_CHANNELS},
                       [FT_DOWN] = {FT_DIM_CHANNELS, FT_DIM_MLP}};

static int by_matrix(const ft_peft_tensors *t)
{
    return t->config->type == FT_PEFT_LORA || t->config->type == FT_PEFT_IA3;
}

static int is_target(const ft_peft_tensors *t, size_t layer, int target)
{
    return t->config->all_linear ||
           ft_peft_selects(t->config->targets, layer, (enum ft_target)target);
}

static int is_feedforward(const ft_peft_tensors *t, size_t layer, int target)
{
    return t->config->type == FT_PEFT_IA3 &&
           ft_peft_selects(t->config->feedforward, layer, (enum ft_target)target);
}

/* ---- beginning ---- */

static int know(ft_peft_tensors *t, const char *key, uint64_t got, enum ft_peft_dim d, ft_err *e)
{
    if (t->dims[d] && got && got != t->dims[d])
        return ft_err_set(e, FT_ERR_DATA, "%s: %llu, but the model has %llu", key,
                          (unsigned long long)got, (unsigned long long)t->dims[d]);
    if (got)
        t->dims[d] = got;
    return 0;
}

/* What prefix and prompt tuning say of the model in their configuration; widths that it does not
 * say are found in the tensor. */
static int know_prompt(ft_peft_tensors *t, const ft_model *m, ft_err *e)
{
    const ft_peft_config *c = t->config;
    int is_prefix = c->type == FT_PEFT_PREFIX;
    if (m && c->layers && c->layers != m->L)
        return ft_err_set(e, FT_ERR_DATA, "num_layers: %llu, but the model has %zu",
                          (unsigned long long)c->layers, m->L);
    if (c->layers)
        t->layers = (size_t)c->layers;
    if (t->layers == 0 || t->layers > FT_PEFT_LAYERS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "num_layers: missing, or over %d", FT_PEFT_LAYERS_MAX);
    if (know(t, "token_dim", c->token_dim, is_prefix ? FT_DIM_KEY : FT_DIM_CHANNELS, e) < 0)
        return e->code;
    if (is_prefix && c->heads && t->dims[FT_DIM_KEY] % c->heads)
        return ft_err_set(e, FT_ERR_DATA, "token_dim: %llu is no multiple of num_attention_heads",
                          (unsigned long long)t->dims[FT_DIM_KEY]);
    t->dims[FT_DIM_PREFIX] = 2 * (uint64_t)t->layers * t->dims[FT_DIM_KEY];
    return 0;
}

int ft_peft_tensors_begin(ft_peft_tensors *t, const ft_peft_config *config, const ft_model *m,
                          ft_err *e)
{
    memset(t, 0, sizeof *t);
    t->config = config;
    t->dims[FT_DIM_ONE] = 1;
    t->dims[FT_DIM_RANK] = config->rank;
    t->dims[FT_DIM_TOKENS] = config->tokens;
    if (m) {
        t->layers = m->L;
        t->dims[FT_DIM_CHANNELS] = m->C;
        t->dims[FT_DIM_QUERY] = m->H * m->D;
        t->dims[FT_DIM_KEY] = m->H_kv * m->D;
        t->dims[FT_DIM_MLP] = m->F;
    }
    switch (config->type) {
    case FT_PEFT_LORA: t->parts = lora; t->n_parts = config->dora ? 3 : 2; break;
    case FT_PEFT_IA3: t->parts = ia3; t->n_parts = 1; break;
    case FT_PEFT_PREFIX: t->parts = prefixes; t->n_parts = 1; break;
    case FT_PEFT_PROMPT: t->parts = prompts; t->n_parts = 1; break;
    }
    t->seen = ft_new((size_t)FT_PEFT_LAYERS_MAX * FT_TARGETS, 1, e);
    if (!t->seen)
        return FT_ERR_NOMEM;
    return by_matrix(t) ? 0 : know_prompt(t, m, e);
}

void ft_peft_tensors_free(ft_peft_tensors *t)
{
    ft_free(t->seen);
    t->seen = NULL;
}

/* ---- names ---- */

/* Takes text off the front of s. Returns: whether it stood there. */
static int skip(ft_slice *s, const char *text)
{
    size_t n = strlen(text);
    if (s->n < n || memcmp(s->p, text, n) != 0)
        return 0;
    s->p += n;
    s->n -= n;
    return 1;
}

/* A number below the limit in plain decimal: no sign, no leading zero. */
static int skip_layer(ft_slice *s, size_t *layer)
{
    size_t v = 0, digits = 0;
    while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9' && v < FT_PEFT_LAYERS_MAX)
        v = v * 10 + (size_t)(s->p[digits++] - '0');
    if (digits == 0 || v >= FT_PEFT_LAYERS_MAX || (digits > 1 && s->p[0] == '0'))
        return 0;
    s->p += digits;
    s->n -= digits;
    *layer = v;
    return 1;
}

/* The place of a name: index into seen, its matrix, and its part. */
static int find(const ft_peft_tensors *t, ft_slice name, size_t *at, int *target, size_t *part)
{
    size_t layer;
    *at = *part = 0;
    *target = 0;
    if (!by_matrix(t))
        return ft_slice_is(name, t->parts[0].suffix);
    if (!skip(&name, prefix) || !skip(&name, "model.layers.") || !skip_layer(&name, &layer))
        return 0;
    for (*target = 0; *target < FT_TARGETS; ++*target) {
        ft_slice s = name;
        if (!skip(&s, *target < FT_GATE ? ".self_attn." : ".mlp.") ||
            !skip(&s, ft_target_peft_name((enum ft_target)*target)))
            continue;
        *at = layer * FT_TARGETS + (size_t)*target;
        for (*part = 0; *part < t->n_parts; ++*part)
            if (ft_slice_is(s, t->parts[*part].suffix))
                return 1;
    }
    return 0;
}

/* ---- shapes ---- */

static enum ft_peft_dim resolve(enum ft_peft_dim d, int target)
{
    return d == FT_DIM_IN ? sides[target].in : d == FT_DIM_OUT ? sides[target].out : d;
}

/* shape against the symbols of a part; a number that is not known yet becomes known. */
static int check_shape(ft_peft_tensors *t, const ft_peft_part *p, int target, uint32_t n_dims,
                       const uint64_t *shape, ft_err *e)
{
    uint32_t want = p->dims[1] == FT_DIM_NONE ? 1 : 2;
    if (n_dims != want)
        return ft_err_set(e, FT_ERR_DATA, "shape: %u dimensions, not %u", n_dims, want);
    for (uint32_t i = 0; i < want; i++) {
        uint64_t *known = &t->dims[resolve(p->dims[i], target)];
        if (shape[i] == 0 || shape[i] > 1u << 30)
            return ft_err_set(e, FT_ERR_DATA, "shape: dimension %u is %llu", i,
                              (unsigned long long)shape[i]);
        if (*known == 0)
            *known = shape[i];
        if (shape[i] != *known)
            return ft_err_set(e, FT_ERR_DATA, "shape: dimension %u is %llu, not %llu as the "
                              "configuration, the model or other tensors have it", i,
                              (unsigned long long)shape[i], (unsigned long long)*known);
    }
    return 0;
}

int ft_peft_tensors_add(ft_peft_tensors *t, ft_slice name, uint32_t n_dims, const uint64_t *shape,
                        ft_err *e)
{
    size_t at, part, layer;
    int target;
    const ft_peft_part *p;
    if (!find(t, name, &at, &target, &part))
        return ft_err_set(e, FT_ERR_DATA, "no tensor of this method in a Llama model");
    layer = at / FT_TARGETS;
    p = &t->parts[part];
    if (by_matrix(t) && !is_target(t, layer, target))
        return ft_err_set(e, FT_ERR_DATA, "target_modules does not name its module");
    if (is_feedforward(t, layer, target)) {
        p = &ia3_feedforward;
        t->feedforward |= 1u << target;
    }
    if (t->seen[at] & 1u << part)
        return ft_err_set(e, FT_ERR_DATA, "it comes twice");
    if (check_shape(t, p, target, n_dims, shape, e) < 0)
        return e->code;
    t->seen[at] |= (uint8_t)(1u << part);
    return 0;
}

/* ---- end ---- */

static int put_name(const ft_peft_tensors *t, size_t layer, int target, size_t part, char *name)
{
    size_t n = sizeof prefix - 1;
    if (!by_matrix(t))
        return snprintf(name, FT_PEFT_NAME_BYTES, "%s", t->parts[0].suffix);
    memcpy(name, prefix, n);
    n += ft_peft_module(layer, (enum ft_target)target, name + n, FT_PEFT_NAME_BYTES - n);
    return snprintf(name + n, FT_PEFT_NAME_BYTES - n, "%s", t->parts[part].suffix);
}

static int missing(const ft_peft_tensors *t, size_t layer, int target, size_t part, ft_err *e)
{
    char name[FT_PEFT_NAME_BYTES];
    (void)put_name(t, layer, target, part, name);
    return ft_err_set(e, FT_ERR_DATA, "tensor %s: missing", name);
}

/* Layers that a model is not there to tell: up to the last one that has a tensor. */
static void count_layers(ft_peft_tensors *t)
{
    size_t last = 0;
    for (size_t i = 0; i < (size_t)FT_PEFT_LAYERS_MAX * FT_TARGETS; i++)
        if (t->seen[i])
            last = i / FT_TARGETS + 1;
    if (last > t->layers)
        t->layers = last;
}

/* All layers have the matrices of layer 0. */
static int check_matrices(ft_peft_tensors *t, ft_err *e)
{
    for (size_t layer = 0; layer < t->layers; layer++)
        for (int target = 0; target < FT_TARGETS; target++) {
            int wanted = is_target(t, layer, target);
            unsigned seen = t->seen[layer * FT_TARGETS + (size_t)target];
            if (layer == 0 && wanted)
                t->targets |= 1u << target;
            for (size_t part = 0; wanted && part < t->n_parts; part++)
                if (!(seen & 1u << part))
                    return missing(t, layer, target, part, e);
            if (wanted != (int)(t->targets >> target & 1) ||
                (wanted && is_feedforward(t, layer, target) != is_feedforward(t, 0, target)))
                return ft_err_set(e, FT_ERR_DATA, "target_modules: not all layers have %s adapted "
                                  "alike, which ft cannot do",
                                  ft_target_peft_name((enum ft_target)target));
        }
    return t->targets ? 0 : ft_err_set(e, FT_ERR_DATA, "target_modules: names no matrix of a "
                                       "Llama model");
}

/* A rank beyond a side of its matrix is more than ft takes. */
static int check_rank(const ft_peft_tensors *t, ft_err *e)
{
    for (int target = 0; target < FT_TARGETS; target++)
        if (t->targets & 1u << target && t->config->type == FT_PEFT_LORA &&
            (t->config->rank > t->dims[sides[target].in] ||
             t->config->rank > t->dims[sides[target].out]))
            return ft_err_set(e, FT_ERR_DATA, "r: %llu, but %s is %llu by %llu",
                              (unsigned long long)t->config->rank,
                              ft_target_peft_name((enum ft_target)target),
                              (unsigned long long)t->dims[sides[target].out],
                              (unsigned long long)t->dims[sides[target].in]);
    return 0;
}

int ft_peft_tensors_end(ft_peft_tensors *t, ft_err *e)
{
    size_t limit = t->layers;
    if (!by_matrix(t) && !t->seen[0])
        return missing(t, 0, 0, 0, e);
    if (t->config->type == FT_PEFT_PREFIX && t->dims[FT_DIM_PREFIX] % (2 * t->layers))
        return ft_err_set(e, FT_ERR_DATA, "tensor %s: shape: dimension 1 is no multiple of keys "
                          "and values of %zu layers", t->parts[0].suffix, t->layers);
    if (!by_matrix(t))
        return 0;
    count_layers(t);
    if (limit && t->layers > limit)
        return ft_err_set(e, FT_ERR_DATA, "it has a tensor of layer %zu, but the model has %zu "
                          "layers", t->layers - 1, limit);
    if (t->layers == 0)
        return ft_err_set(e, FT_ERR_DATA, "no tensors");
    return check_matrices(t, e) < 0 ? e->code : check_rank(t, e);
}

uint64_t ft_peft_token_dim(const ft_peft_tensors *t)
{
    if (t->config->type == FT_PEFT_PREFIX)
        return t->dims[FT_DIM_PREFIX] / (2 * t->layers);
    return t->config->type == FT_PEFT_PROMPT ? t->dims[FT_DIM_CHANNELS] : 0;
}

int ft_peft_tensors_at(const ft_peft_tensors *t, size_t i, char name[FT_PEFT_NAME_BYTES])
{
    size_t per_layer = (size_t)__builtin_popcount(t->targets) * t->n_parts, nth;
    int target = -1;
    if (!by_matrix(t)) {
        (void)put_name(t, 0, 0, 0, name);
        return i == 0;
    }
    if (i >= per_layer * t->layers)
        return 0;
    nth = i % per_layer / t->n_parts + 1;
    while (nth > 0)
        nth -= t->targets >> ++target & 1;
    (void)put_name(t, i / per_layer, target, i % t->n_parts, name);
    return 1;
}
