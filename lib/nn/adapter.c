#include "nn/adapter.h"

#include "base/mem.h"
#include "nn/dora.h"
#include "nn/method.h"

#include <stdio.h>
#include <string.h>

static const struct ft_method_kind *const kinds[FT_METHODS] = {
    &ft_method_lora, &ft_method_ia3, &ft_method_prefix, &ft_method_prompt, &ft_method_bottleneck,
    &ft_method_full};

const struct ft_method_kind *ft_method_kind_of(enum ft_method method)
{
    return kinds[method];
}

const char *ft_method_name(enum ft_method method)
{
    return kinds[method]->name;
}

enum ft_method ft_method_by_name(ft_slice name)
{
    int i = 0;
    while (i < FT_METHODS && !ft_slice_is(name, kinds[i]->name))
        i++;
    return (enum ft_method)i;
}

double ft_method_rate(enum ft_method method)
{
    return kinds[method]->rate;
}

const char *ft_method_not_merged(enum ft_method method)
{
    return kinds[method]->not_merged;
}

/* ---- making ---- */

int ft_adapter_add_slot(ft_adapter *a, ft_slot slot, ft_err *e)
{
    size_t i = (slot.layer * FT_TARGETS + (size_t)slot.target) * FT_ROLES + (size_t)slot.role;
    if (ft_grow(&a->slots, &a->slots_cap, a->n_slots + 1, sizeof *a->slots, e) < 0)
        return FT_ERR_NOMEM;
    slot.at = a->n_params;
    if (slot.layer != FT_NO_LAYER)
        a->role_at[i] = slot.at;
    a->n_params += slot.rows * slot.cols;
    a->slots[a->n_slots++] = slot;
    return 0;
}

static int make(ft_adapter *a, const ft_model *m, uint64_t seed, ft_err *e)
{
    const struct ft_method_kind *kind = kinds[a->cfg.method];
    size_t parts = m->L * FT_TARGETS * FT_ROLES;
    int rc;
    a->role_at = ft_new(parts, sizeof *a->role_at, e);
    if (!a->role_at)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < parts; i++)
        a->role_at[i] = SIZE_MAX;
    rc = kind->lay_out(a, m, e);
    if (rc < 0)
        return rc;
    a->params = ft_new(a->n_params, sizeof *a->params, e);
    if (!a->params)
        return FT_ERR_NOMEM;
    kind->init(a, m, seed);
    return 0;
}

int ft_adapter_new(ft_adapter **out, const ft_model *m, const ft_adapter_config *cfg,
                   uint64_t seed, ft_err *e)
{
    ft_adapter *a;
    int rc = kinds[cfg->method]->check(m, cfg, e);
    *out = NULL;
    if (rc < 0)
        return rc;
    a = ft_new(1, sizeof *a, e);
    if (!a)
        return FT_ERR_NOMEM;
    a->cfg = *cfg;
    a->L = m->L;
    rc = make(a, m, seed, e);
    if (rc < 0)
        ft_adapter_free(&a);
    *out = a;
    return rc;
}

void ft_adapter_free(ft_adapter **a)
{
    if (!*a)
        return;
    ft_free((*a)->params);
    ft_free((*a)->slots);
    ft_free((*a)->role_at);
    ft_dora_free(&(*a)->dora);
    ft_free(*a);
    *a = NULL;
}

size_t ft_adapter_n_trained(const ft_adapter *a)
{
    size_t n = a->n_params;
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        n -= a->frozen * (s->role == FT_ROLE_A ? s->cols : s->role == FT_ROLE_B ? s->rows : 0);
    }
    return n;
}

float *ft_adapter_of(const ft_adapter *a, float *p, size_t layer, enum ft_target t,
                       enum ft_role role)
{
    size_t at = a->role_at[(layer * FT_TARGETS + (size_t)t) * FT_ROLES + (size_t)role];
    return at == SIZE_MAX ? NULL : p + at;
}

/* ---- matrices ---- */

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

int ft_targets_parse(const char *text, unsigned *bits, ft_err *e)
{
    *bits = 0;
    for (;;) {
        size_t n = strcspn(text, ",");
        unsigned b = bits_of_word(text, n);
        if (!b)
            return ft_err_set(e, FT_ERR_USAGE, "target '%.*s' is not one of %s", (int)n, text,
                              choices);
        *bits |= b;
        if (!text[n])
            return 0;
        text += n + 1;
    }
}

void ft_targets_put(ft_buf *b, unsigned bits)
{
    ft_mp_put_array(b, (size_t)__builtin_popcount(bits));
    for (int t = 0; t < FT_TARGETS; t++)
        if (bits & 1u << t)
            ft_mp_put_cstr(b, ft_target_peft_name((enum ft_target)t));
}

int ft_targets_get(ft_mp map, unsigned *bits, ft_err *e)
{
    ft_mp list, item;
    ft_mp_iter it;
    ft_slice name;
    *bits = 0;
    if (!ft_mp_get(map, "targets", &list))
        return ft_err_set(e, FT_ERR_DATA, "targets: missing");
    if (ft_mp_type_of(list) != FT_MP_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "targets: not an array");
    it = ft_mp_iter_of(list);
    while (ft_mp_next(&it, &item)) {
        int t = 0;
        if (!ft_mp_str(item, &name))
            return ft_err_set(e, FT_ERR_DATA, "targets: not a string");
        while (t < FT_TARGETS && !ft_slice_is(name, ft_target_peft_name((enum ft_target)t)))
            t++;
        if (t == FT_TARGETS)
            return ft_err_set(e, FT_ERR_DATA, "targets: unknown matrix '%.*s'",
                              (int)(name.n < 40 ? name.n : 40), (const char *)name.p);
        if (*bits & 1u << t)
            return ft_err_set(e, FT_ERR_DATA, "targets: %s twice",
                              ft_target_peft_name((enum ft_target)t));
        *bits |= 1u << t;
    }
    return *bits ? 0 : ft_err_set(e, FT_ERR_DATA, "targets: none");
}

size_t ft_target_heads(const ft_model *m, enum ft_target t)
{
    return t == FT_Q ? m->H : t == FT_K ? m->H_kv : 0;
}

void ft_target_path(enum ft_target t, char *out, size_t cap)
{
    snprintf(out, cap, "%s.%s", t < FT_GATE ? "self_attn" : "mlp", ft_target_peft_name(t));
}

/* ---- as streams and other programs have it ---- */

void ft_slot_name(const ft_adapter *a, const ft_slot *s, char name[FT_SLOT_NAME])
{
    char in_layer[FT_SLOT_NAME / 2];
    if (s->layer == FT_NO_LAYER) {
        kinds[a->cfg.method]->slot_name(s, name, FT_SLOT_NAME);
        return;
    }
    kinds[a->cfg.method]->slot_name(s, in_layer, sizeof in_layer);
    snprintf(name, FT_SLOT_NAME, "base_model.model.model.layers.%zu.%s", s->layer, in_layer);
}

/* Keys and values by turns along the columns: of keys, each head is turned around. */
static void turn_keys(const ft_slot *s, const ft_model *m, const float *src, float *dst,
                      void (*turn)(const float *, float *, size_t, size_t, size_t))
{
    size_t kv = s->key_heads * m->D, n = s->rows * s->cols;
    for (size_t at = 0; at < n; at += 2 * kv) {
        turn(src + at, dst + at, s->key_heads, m->D, 1);
        memcpy(dst + at + kv, src + at + kv, kv * sizeof *dst);
    }
}

void ft_slot_to_peft(const ft_slot *s, const ft_model *m, const float *src, float *dst)
{
    if (s->key_heads)
        turn_keys(s, m, src, dst, ft_rows_to_peft);
    else if (s->heads)
        ft_rows_to_peft(src, dst, s->heads, m->D, s->cols);
    else
        memcpy(dst, src, s->rows * s->cols * sizeof *dst);
}

void ft_slot_from_peft(const ft_slot *s, const ft_model *m, const float *src, float *dst)
{
    if (s->key_heads)
        turn_keys(s, m, src, dst, ft_rows_from_peft);
    else if (s->heads)
        ft_rows_from_peft(src, dst, s->heads, m->D, s->cols);
    else
        memcpy(dst, src, s->rows * s->cols * sizeof *dst);
}

size_t ft_adapter_config_entries(const ft_adapter_config *cfg)
{
    const struct ft_method_kind *kind = kinds[cfg->method];
    return 1 + kind->entries + (kind->more_entries ? kind->more_entries(cfg) : 0);
}

void ft_adapter_config_put(ft_buf *b, const ft_adapter_config *cfg)
{
    ft_mp_put_cstr(b, "method");
    ft_mp_put_cstr(b, kinds[cfg->method]->name);
    kinds[cfg->method]->put_config(b, cfg);
}

int ft_adapter_config_get(ft_mp map, ft_adapter_config *cfg, ft_err *e)
{
    ft_slice name;
    *cfg = (ft_adapter_config){0};
    if (!ft_mp_get_str(map, "method", &name))
        return ft_err_set(e, FT_ERR_DATA, "method: missing or not a string");
    cfg->method = ft_method_by_name(name);
    if (cfg->method == FT_METHODS)
        return ft_err_set(e, FT_ERR_DATA, "method: not one that this version knows");
    return kinds[cfg->method]->get_config(map, cfg, e);
}
