#include "model/model.h"

#include "base/mem.h"
#include "base/mp.h"
#include "model/nf4.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *peft, *name, *gguf; } targets[FT_TARGETS] = {
    {"q_proj", "q", "attn_q"},      {"k_proj", "k", "attn_k"},
    {"v_proj", "v", "attn_v"},      {"o_proj", "o", "attn_output"},
    {"gate_proj", "gate", "ffn_gate"}, {"up_proj", "up", "ffn_up"},
    {"down_proj", "down", "ffn_down"}};

const char *ft_target_peft_name(enum ft_target t)
{
    return targets[t].peft;
}

const char *ft_target_name(enum ft_target t)
{
    return targets[t].name;
}

/* ---- sizes ---- */

typedef struct loader {
    const ft_gguf *g;
    ft_model *m;
    uint8_t *used;               /* a flag for each tensor of the file */
    ft_err *e;
} loader;

static int refuse(loader *l, const char *key, const char *why)
{
    return ft_err_set(l->e, FT_ERR_DATA, "%s: key %s: %s", ft_gguf_path(l->g), key, why);
}

/* A whole number in [min, max]; fallback < min: the key is required. */
static int size_key(loader *l, const char *key, size_t min, size_t max, size_t fallback,
                    size_t *out)
{
    uint64_t v;
    *out = fallback;
    if (fallback >= min && !ft_gguf_kv_find(l->g, key))
        return 0;
    if (ft_gguf_uint(l->g, key, &v, l->e) < 0)
        return l->e->code;
    if (v < min || v > max)
        return ft_err_set(l->e, FT_ERR_DATA, "%s: key %s: %llu is not in %zu..%zu",
                          ft_gguf_path(l->g), key, (unsigned long long)v, min, max);
    *out = (size_t)v;
    return 0;
}

/* A finite number in (0, max]; fallback 0: the key is required. */
static int real_key(loader *l, const char *key, double max, double fallback, float *out)
{
    double v;
    *out = (float)fallback;
    if (fallback > 0 && !ft_gguf_kv_find(l->g, key))
        return 0;
    if (ft_gguf_float(l->g, key, &v, l->e) < 0)
        return l->e->code;
    if (!(v > 0 && v <= max))
        return ft_err_set(l->e, FT_ERR_DATA, "%s: key %s: %g is not in (0, %g]",
                          ft_gguf_path(l->g), key, v, max);
    *out = (float)v;
    return 0;
}

static int check_architecture(loader *l)
{
    ft_slice s;
    if (ft_gguf_string(l->g, "general.architecture", &s, l->e) < 0)
        return l->e->code;
    if (ft_slice_is(s, "llama"))
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.n > 64)
            return refuse(l, "general.architecture", "not \"llama\"");
    return ft_err_set(l->e, FT_ERR_DATA, "%s: key general.architecture: \"%.*s\", but ft computes "
                      "\"llama\" models only", ft_gguf_path(l->g), (int)s.n, (const char *)s.p);
}

/* Variants of the architecture that would give other numbers than ft computes. */
static int check_variants(loader *l)
{
    static const char *const zero[] = {"llama.expert_count", "llama.expert_used_count",
                                       "llama.attention.sliding_window"};
    static const char *const scales[] = {"llama.rope.scaling.factor", "llama.rope.scale_linear",
                                         "llama.attention.scale", "llama.logit_scale",
                                         "llama.residual_scale", "llama.embedding_scale"};
    ft_slice s;
    double f;
    uint64_t n;
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
        if (!ft_gguf_kv_find(l->g, zero[i]))
            continue;
        if (ft_gguf_uint(l->g, zero[i], &n, l->e) < 0)
            return l->e->code;
        if (n)
            return refuse(l, zero[i], "ft computes dense models with full attention only");
    }
    if (ft_gguf_kv_find(l->g, "llama.rope.scaling.type")) {
        if (ft_gguf_string(l->g, "llama.rope.scaling.type", &s, l->e) < 0)
            return l->e->code;
        if (!ft_slice_is(s, "none"))
            return refuse(l, "llama.rope.scaling.type", "scaled positions are not supported");
    }
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        if (!ft_gguf_kv_find(l->g, scales[i]))
            continue;
        if (ft_gguf_float(l->g, scales[i], &f, l->e) < 0)
            return l->e->code;
        if (!(f == 1 || f == 0))       /* 0: not set */
            return refuse(l, scales[i], "scaling is not supported");
    }
    return 0;
}

static int read_sizes(loader *l)
{
    ft_model *m = l->m;
    const size_t many = 1 << 20;
    if (size_key(l, "llama.block_count", 1, FT_GGUF_TENSORS_MAX / 9, 0, &m->L) < 0 ||
        size_key(l, "llama.context_length", 1, INT32_MAX, 0, &m->context) < 0 ||
        size_key(l, "llama.embedding_length", 1, many, 0, &m->C) < 0 ||
        size_key(l, "llama.feed_forward_length", 1, many, 0, &m->F) < 0 ||
        size_key(l, "llama.attention.head_count", 1, many, 0, &m->H) < 0 ||
        size_key(l, "llama.attention.head_count_kv", 1, many, m->H, &m->H_kv) < 0 ||
        real_key(l, "llama.attention.layer_norm_rms_epsilon", 1, 0, &m->rms_eps) < 0 ||
        real_key(l, "llama.rope.freq_base", 1e15, 10000, &m->rope_theta) < 0)
        return l->e->code;
    assert(m->H > 0 && m->H_kv > 0);
    if (m->C % m->H || m->C / m->H % 2)
        return refuse(l, "llama.attention.head_count",
                      "embedding_length is no even multiple of it");
    if (m->H % m->H_kv)
        return refuse(l, "llama.attention.head_count_kv", "head_count is no multiple of it");
    m->D = m->C / m->H;
    return 0;
}

/* Keys that say again what follows from others. */
static int check_repeated(loader *l)
{
    static const char *const head_sizes[] = {"llama.rope.dimension_count",
        "llama.attention.key_length", "llama.attention.value_length"};
    const ft_tensor *embedding = ft_gguf_tensor_find(l->g, "token_embd.weight");
    const ft_gguf_kv *tokens = ft_gguf_kv_find(l->g, "tokenizer.ggml.tokens");
    ft_model *m = l->m;
    size_t v;
    for (size_t i = 0; i < 3; i++) {
        if (size_key(l, head_sizes[i], 1, SIZE_MAX, m->D, &v) < 0)
            return l->e->code;
        if (v != m->D)
            return refuse(l, head_sizes[i],
                          "it must be embedding_length / head_count; ft knows no other");
    }
    if (!embedding)
        return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor token_embd.weight is missing",
                          ft_gguf_path(l->g));
    m->V = (size_t)embedding->shape[1];
    if (size_key(l, "llama.vocab_size", 1, SIZE_MAX, m->V, &v) < 0)
        return l->e->code;
    if (v != m->V)
        return refuse(l, "llama.vocab_size", "it is not the number of rows of token_embd.weight");
    if (tokens && tokens->count != m->V)
        return refuse(l, "tokenizer.ggml.tokens",
                      "its length is not the number of rows of token_embd.weight");
    return 0;
}

/* ---- tensors ---- */

/* The tensor of this name with this shape (rows 0: a vector of cols); marks it used. */
static const ft_tensor *take(loader *l, const char *name, size_t rows, size_t cols)
{
    const ft_tensor *t = ft_gguf_tensor_find(l->g, name);
    uint32_t n_dims = rows ? 2 : 1;
    if (!t) {
        ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %s is missing", ft_gguf_path(l->g), name);
        return NULL;
    }
    if (t->n_dims != n_dims || t->shape[0] != cols || (rows && t->shape[1] != rows)) {
        ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %s: shape [%llu, %llu] of %u dimensions, but "
                   "the keys ask for [%zu, %zu] of %u", ft_gguf_path(l->g), name,
                   (unsigned long long)t->shape[0], (unsigned long long)t->shape[1], t->n_dims,
                   cols, rows ? rows : 1, n_dims);
        return NULL;
    }
    l->used[t - ft_gguf_tensor_at(l->g, 0)] = 1;
    return t;
}

static int take_matrix(loader *l, const char *name, size_t rows, size_t cols, ft_weight *w,
                       const ft_tensor **tensor)
{
    const ft_tensor *t = take(l, name, rows, cols);
    if (!t)
        return l->e->code;
    *w = (ft_weight){.type = t->type, .rows = rows, .cols = cols, .data = t->data};
    if (tensor)
        *tensor = t;
    else if (t->type == FT_NF4)
        return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %s: type nf4, which is for matrices of "
                          "layers only", ft_gguf_path(l->g), name);
    return 0;
}

/* The rows of q and k lie in PEFT's order; scales that are not numbers would make weights of it. */
static int check_nf4(loader *l, const char *name, enum ft_target t, ft_weight *w)
{
    ft_nf4 x = ft_nf4_of(w->data, w->rows * w->cols);
    w->head_rows = t == FT_Q || t == FT_K ? l->m->D : 0;
    if (!ft_nf4_is_sane(&x))
        return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %s: a scale is negative or not finite",
                          ft_gguf_path(l->g), name);
    return 0;
}

static int take_vector(loader *l, const char *name, size_t n, const float **out)
{
    const ft_tensor *t = take(l, name, 0, n);
    if (!t)
        return l->e->code;
    if (t->type != FT_F32)
        return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %s: type %s, but ft reads vectors in f32",
                          ft_gguf_path(l->g), name, ft_type_info_of((uint32_t)t->type)->name);
    *out = t->data;
    return 0;
}

static int take_layer(loader *l, size_t i)
{
    const ft_model *m = l->m;
    const size_t C = m->C, kv = m->H_kv * m->D, F = m->F;
    const size_t sizes[FT_TARGETS][2] = {{C, C}, {kv, C}, {kv, C}, {C, C}, {F, C}, {F, C}, {C, F}};
    ft_layer *layer = &m->layers[i];
    char name[64];
    for (size_t t = 0; t < FT_TARGETS; t++) {
        snprintf(name, sizeof name, "blk.%zu.%s.weight", i, targets[t].gguf);
        if (take_matrix(l, name, sizes[t][0], sizes[t][1], &layer->w[t], &layer->tensor[t]) < 0 ||
            (layer->w[t].type == FT_NF4 &&
             check_nf4(l, name, (enum ft_target)t, &layer->w[t]) < 0))
            return l->e->code;
        if ((layer->w[t].type == FT_NF4) != (m->layers[0].w[0].type == FT_NF4))
            return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %s: type %s, but matrices are either "
                              "all in nf4 or none is", ft_gguf_path(l->g), name,
                              ft_type_info_of((uint32_t)layer->w[t].type)->name);
    }
    snprintf(name, sizeof name, "blk.%zu.attn_norm.weight", i);
    if (take_vector(l, name, C, &layer->attn_norm) < 0)
        return l->e->code;
    snprintf(name, sizeof name, "blk.%zu.ffn_norm.weight", i);
    return take_vector(l, name, C, &layer->mlp_norm);
}

static int take_rope_factors(loader *l)
{
    ft_model *m = l->m;
    const float *factors;
    if (!ft_gguf_tensor_find(l->g, "rope_freqs.weight"))
        return 0;
    if (take_vector(l, "rope_freqs.weight", m->D / 2, &factors) < 0)
        return l->e->code;
    m->rope_factors = ft_new(m->D / 2, sizeof *factors, l->e);
    if (!m->rope_factors)
        return FT_ERR_NOMEM;
    memcpy(m->rope_factors, factors, m->D / 2 * sizeof *factors);
    for (size_t i = 0; i < m->D / 2; i++)
        if (!(m->rope_factors[i] > 0 && isfinite(m->rope_factors[i])))
            return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor rope_freqs.weight: factor %zu is %g",
                              ft_gguf_path(l->g), i, (double)m->rope_factors[i]);
    return 0;
}

static int take_tensors(loader *l)
{
    ft_model *m = l->m;
    if (m->L > ft_gguf_tensor_count(l->g) / 9)
        return ft_err_set(l->e, FT_ERR_DATA, "%s: key llama.block_count: %zu layers need more "
                          "than the %zu tensors of the file", ft_gguf_path(l->g), m->L,
                          ft_gguf_tensor_count(l->g));
    m->layers = ft_new(m->L, sizeof *m->layers, l->e);
    if (!m->layers)
        return FT_ERR_NOMEM;
    if (take_matrix(l, "token_embd.weight", m->V, m->C, &m->embedding, NULL) < 0 ||
        take_vector(l, "output_norm.weight", m->C, &m->final_norm) < 0 || take_rope_factors(l) < 0)
        return l->e->code;
    for (size_t i = 0; i < m->L; i++)
        if (take_layer(l, i) < 0)
            return l->e->code;
    m->tied = !ft_gguf_tensor_find(l->g, "output.weight");
    m->head = m->embedding;
    if (!m->tied && take_matrix(l, "output.weight", m->V, m->C, &m->head, NULL) < 0)
        return l->e->code;
    for (size_t i = 0; i < ft_gguf_tensor_count(l->g); i++)
        if (!l->used[i]) {
            const ft_tensor *t = ft_gguf_tensor_at(l->g, i);
            return ft_err_set(l->e, FT_ERR_DATA, "%s: tensor %.*s: ft knows no use for it, so its "
                              "results would be wrong", ft_gguf_path(l->g), (int)t->name.n,
                              (const char *)t->name.p);
        }
    return 0;
}

/* ---- opening ---- */

static int load(ft_model *m, ft_err *e)
{
    loader l = {m->gguf, m, NULL, e};
    int rc;
    l.used = ft_new(ft_gguf_tensor_count(m->gguf), 1, e);
    if (!l.used)
        return FT_ERR_NOMEM;
    rc = check_architecture(&l) < 0 || check_variants(&l) < 0 || read_sizes(&l) < 0 ||
         check_repeated(&l) < 0 || take_tensors(&l) < 0 ? e->code : 0;
    ft_free(l.used);
    if (rc < 0)
        return rc;
    m->digest = ft_gguf_digest(m->gguf);
    rc = ft_nf4_file(m->gguf, &m->digest, &m->digest, e);
    m->transform = rc == 1 ? "nf4" : "";
    return rc < 0 ? rc : 0;
}

int ft_model_of_gguf(ft_model **out, ft_gguf **g, ft_err *e)
{
    ft_err own;
    ft_model *m = ft_new(1, sizeof *m, e);
    int rc = m ? 0 : FT_ERR_NOMEM;
    *out = NULL;
    if (m) {
        m->gguf = *g;
        *g = NULL;
        rc = load(m, e ? e : &own);
    }
    ft_gguf_free(g);
    if (rc < 0)
        ft_model_free(&m);
    *out = m;
    return rc;
}

int ft_model_open(ft_model **m, const char *path, ft_err *e)
{
    ft_gguf *g = NULL;
    int rc;
    *m = NULL;
    rc = ft_gguf_open(&g, path, e);
    return rc < 0 ? rc : ft_model_of_gguf(m, &g, e);
}

void ft_model_free(ft_model **p)
{
    ft_model *m = *p;
    *p = NULL;
    if (!m)
        return;
    for (size_t l = 0; m->layers && l < m->L; l++)
        for (size_t t = 0; t < FT_TARGETS; t++)
            ft_free(m->layers[l].own[t]);
    ft_free(m->layers);
    ft_free(m->rope_factors);
    ft_gguf_free(&m->gguf);
    ft_free(m);
}
