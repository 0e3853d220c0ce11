#include "train/peft_config.h"

#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 80 };

/* Keys of all methods: what is read, and what says nothing about the adapter's work. */
static const char *const common[] = {
    "peft_type", "task_type", "base_model_name_or_path", "revision", "auto_mapping",
    "inference_mode", "peft_version", "runtime_config", NULL};

/* Keys of one method; the first ones are read, those behind them passed over: how the adapter was
 * initialised (where that leaves the base as it is), or numbers without effect while the switch
 * that wants them is off. */
static const char *const lora_keys[] = {
    "r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora", "bias",
    "init_lora_weights", "megatron_core", "qalora_group_size", "loftq_config", "eva_config",
    "corda_config", "lora_ga_config", "ensure_weight_tying", NULL};
static const char *const prefix_keys[] = {
    "num_virtual_tokens", "token_dim", "num_layers", "num_attention_heads",
    "num_transformer_submodules", "encoder_hidden_size", "prefix_projection", "init_weights", NULL};
static const char *const prompt_keys[] = {
    "num_virtual_tokens", "token_dim", "num_layers", "num_attention_heads",
    "num_transformer_submodules", "prompt_tuning_init", "prompt_tuning_init_text",
    "tokenizer_name_or_path", "tokenizer_kwargs", NULL};
static const char *const ia3_keys[] = {
    "target_modules", "feedforward_modules", "init_ia3_weights", NULL};

static const struct {
    const char *name;
    const char *const *keys;
} types[] = {{"LORA", lora_keys}, {"PREFIX_TUNING", prefix_keys}, {"PROMPT_TUNING", prompt_keys},
             {"IA3", ia3_keys}};
enum { TYPES = sizeof types / sizeof *types };

/* ---- errors ---- */

/* "KEY: VALUE why", both as JSON and of bounded length. */
static int refuse(ft_mp key, ft_mp value, const char *why, ft_err *e)
{
    ft_buf k = {0}, v = {0};
    ft_json_put(&k, key);
    ft_json_put(&v, value);
    if (ft_buf_check(&k, e) == 0 && ft_buf_check(&v, e) == 0)
        ft_err_set(e, FT_ERR_DATA, "%.*s: %.*s%s %s",
                   (int)(k.n < SHOWN_BYTES + 2 ? k.n - 2 : SHOWN_BYTES), (const char *)k.p + 1,
                   (int)(v.n < SHOWN_BYTES ? v.n : SHOWN_BYTES), (const char *)v.p,
                   v.n < SHOWN_BYTES ? "" : "…", why);
    ft_buf_free(&k);
    ft_buf_free(&v);
    return e->code;
}

static int refuse_key(ft_mp map, const char *key, const char *why, ft_err *e)
{
    ft_buf k = {0};
    ft_mp value;
    if (!ft_mp_get(map, key, &value))
        return ft_err_set(e, FT_ERR_DATA, "%s: missing", key);
    ft_mp_put_cstr(&k, key);
    if (ft_buf_check(&k, e) == 0)
        refuse((ft_mp){k.p, k.n}, value, why, e);
    ft_buf_free(&k);
    return e->code;
}

/* ---- values ---- */

/* Whether a value switches something off: null, false, "", [] or {}. */
static int is_off(ft_mp v)
{
    int truth = 1;
    ft_slice s = {.n = 1};
    switch (ft_mp_type_of(v)) {
    case FT_MP_NIL: return 1;
    case FT_MP_BOOL: return ft_mp_bool(v, &truth) && !truth;
    case FT_MP_STR: return ft_mp_str(v, &s) && s.n == 0;
    case FT_MP_ARRAY:
    case FT_MP_MAP: return ft_mp_count(v) == 0;
    default: return 0;
    }
}

/* A key that may be missing or null, which leaves *out as it is. */
static int get_count(ft_mp map, const char *key, uint64_t *out, ft_err *e)
{
    ft_mp v;
    if (!ft_mp_get(map, key, &v) || ft_mp_type_of(v) == FT_MP_NIL)
        return 0;
    if (!ft_mp_uint(v, out) || *out == 0 || *out > 1u << 24)
        return refuse_key(map, key, "is not a whole number from 1 to 2^24", e);
    return 0;
}

static int get_flag(ft_mp map, const char *key, int *out, ft_err *e)
{
    ft_mp v;
    if (!ft_mp_get(map, key, &v) || ft_mp_type_of(v) == FT_MP_NIL)
        return 0;
    return ft_mp_bool(v, out) ? 0 : refuse_key(map, key, "is not true or false", e);
}

static int get_text(ft_mp map, const char *key, ft_slice *out, ft_err *e)
{
    ft_mp v;
    if (!ft_mp_get(map, key, &v) || ft_mp_type_of(v) == FT_MP_NIL)
        return 0;
    return ft_mp_str(v, out) ? 0 : refuse_key(map, key, "is not a string", e);
}

/* A list of strings. */
static int get_list(ft_mp map, const char *key, ft_mp *out, ft_err *e)
{
    ft_mp_iter it;
    ft_mp item;
    ft_slice s;
    if (!ft_mp_get(map, key, out))
        return ft_err_set(e, FT_ERR_DATA, "%s: missing", key);
    if (ft_mp_type_of(*out) == FT_MP_STR)
        return refuse_key(map, key, "is a pattern, which ft does not match: load the adapter with "
                          "PEFT and save it again with the list of the modules", e);
    if (ft_mp_type_of(*out) != FT_MP_ARRAY)
        return refuse_key(map, key, "is not a list of module names", e);
    it = ft_mp_iter_of(*out);
    while (ft_mp_next(&it, &item))
        if (!ft_mp_str(item, &s) || s.n == 0)
            return refuse_key(map, key, "is not a list of module names", e);
    return 0;
}

/* ---- methods ---- */

/* Some initialisations change the base, so that the adapter alone means nothing. */
static int check_initialisation(ft_mp map, ft_err *e)
{
    ft_mp v;
    ft_slice s;
    if (!ft_mp_get(map, "init_lora_weights", &v) || !ft_mp_str(v, &s) ||
        ft_slice_is(s, "gaussian") || ft_slice_is(s, "eva") || ft_slice_is(s, "orthogonal"))
        return 0;
    return refuse_key(map, "init_lora_weights", "changes the base model: save the adapter with "
                      "PEFT's path_initial_model_for_weight_conversion", e);
}

static int parse_lora(ft_peft_config *c, ft_mp map, ft_err *e)
{
    ft_mp v;
    ft_slice s;
    if (get_count(map, "r", &c->rank, e) < 0)
        return e->code;
    if (c->rank == 0)
        return ft_err_set(e, FT_ERR_DATA, "r: missing");
    if (!ft_mp_get_float(map, "lora_alpha", &c->alpha) || !isfinite((float)c->alpha))
        return refuse_key(map, "lora_alpha", "is not a number", e);
    if (ft_mp_get(map, "lora_dropout", &v) &&
        !(ft_mp_float(v, &c->dropout) && c->dropout >= 0 && c->dropout < 1))
        return refuse_key(map, "lora_dropout", "is not a number in [0, 1)", e);
    if (get_flag(map, "use_rslora", &c->rslora, e) < 0 ||
        get_flag(map, "use_dora", &c->dora, e) < 0 || check_initialisation(map, e) < 0)
        return e->code;
    if (ft_mp_get(map, "bias", &v) && !is_off(v) && !(ft_mp_str(v, &s) && ft_slice_is(s, "none")))
        return refuse_key(map, "bias", "is not \"none\": ft adapts no biases", e);
    if (ft_mp_get_str(map, "target_modules", &s) && ft_slice_is(s, "all-linear")) {
        c->all_linear = 1;
        return 0;
    }
    return get_list(map, "target_modules", &c->targets, e);
}

static int parse_prompt(ft_peft_config *c, ft_mp map, ft_err *e)
{
    uint64_t parts = 1;
    if (get_count(map, "num_virtual_tokens", &c->tokens, e) < 0 ||
        get_count(map, "token_dim", &c->token_dim, e) < 0 ||
        get_count(map, "num_layers", &c->layers, e) < 0 ||
        get_count(map, "num_attention_heads", &c->heads, e) < 0 ||
        get_count(map, "num_transformer_submodules", &parts, e) < 0)
        return e->code;
    if (parts != 1)
        return refuse_key(map, "num_transformer_submodules", "is not 1", e);
    return c->tokens ? 0 : ft_err_set(e, FT_ERR_DATA, "num_virtual_tokens: missing");
}

static int parse_ia3(ft_peft_config *c, ft_mp map, ft_err *e)
{
    if (get_list(map, "target_modules", &c->targets, e) < 0)
        return e->code;
    return get_list(map, "feedforward_modules", &c->feedforward, e);
}

/* ---- the whole ---- */

static int find_type(ft_mp map, size_t *type, ft_err *e)
{
    ft_slice s;
    if (ft_mp_get_str(map, "peft_type", &s))
        for (*type = 0; *type < TYPES; ++*type)
            if (ft_slice_is(s, types[*type].name))
                return 0;
    return refuse_key(map, "peft_type", "is none of LORA, PREFIX_TUNING, PROMPT_TUNING and IA3, "
                      "which ft can read", e);
}

static int check_task(ft_mp map, ft_err *e)
{
    ft_slice task;
    if (get_text(map, "task_type", &task, e) < 0)
        return e->code;
    if (!ft_mp_get_str(map, "task_type", &task) || ft_slice_is(task, "CAUSAL_LM"))
        return 0;
    return refuse_key(map, "task_type", "is not CAUSAL_LM", e);
}

/* Nothing that ft would silently leave out. */
static int check_rest(ft_mp map, size_t type, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(map);
    ft_mp key, value;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        if (!ft_mp_is_one_of(key, common) && !ft_mp_is_one_of(key, types[type].keys) &&
            !is_off(value))
            return refuse(key, value, "is more than ft can honour", e);
    return 0;
}

int ft_peft_config_parse(ft_peft_config *c, const void *text, size_t n, ft_err *e)
{
    ft_mp map;
    size_t type = TYPES;
    int rc = ft_json_parse(text, n, &c->parsed, e);
    if (rc < 0)
        return rc;
    map = (ft_mp){c->parsed.p, c->parsed.n};
    if (ft_mp_type_of(map) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "not an object");
    if (find_type(map, &type, e) < 0 || check_task(map, e) < 0 || check_rest(map, type, e) < 0 ||
        get_text(map, "base_model_name_or_path", &c->base_name, e) < 0 ||
        get_text(map, "revision", &c->revision, e) < 0)
        return e->code;
    c->type = (enum ft_peft_type)type;
    if (c->type == FT_PEFT_LORA)
        return parse_lora(c, map, e);
    return c->type == FT_PEFT_IA3 ? parse_ia3(c, map, e) : parse_prompt(c, map, e);
}

void ft_peft_config_free(ft_peft_config *c)
{
    ft_buf_free(&c->parsed);
    memset(c, 0, sizeof *c);
}

/* ---- modules ---- */

size_t ft_peft_module(size_t layer, enum ft_target t, char *out, size_t cap)
{
    return (size_t)snprintf(out, cap, "model.layers.%zu.%s.%s", layer,
                            t < FT_GATE ? "self_attn" : "mlp", ft_target_peft_name(t));
}

int ft_peft_selects(ft_mp list, size_t layer, enum ft_target t)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp item;
    ft_slice s;
    char name[96];
    size_t n = ft_peft_module(layer, t, name, sizeof name);
    while (ft_mp_next(&it, &item))
        if (ft_mp_str(item, &s) && s.n <= n && memcmp(name + n - s.n, s.p, s.n) == 0 &&
            (s.n == n || name[n - s.n - 1] == '.'))
            return 1;
    return 0;
}

/* ---- writing ---- */

static void put_key(ft_buf *b, const char *key)
{
    ft_buf_add_fmt(b, "%s\n  \"%s\": ", b->n > 1 ? "," : "", key);
}

static void put_word(ft_buf *b, const char *key, const char *word)
{
    put_key(b, key);
    ft_buf_add_str(b, word);
}

/* 0: not known, which PEFT then takes from the model. */
static void put_count(ft_buf *b, const char *key, uint64_t v)
{
    if (v == 0)
        return;
    put_key(b, key);
    ft_buf_add_fmt(b, "%llu", (unsigned long long)v);
}

/* In the shortest form that is the same float; a whole number, as alpha is in PEFT, without a
 * fraction. */
static void put_float(ft_buf *b, const char *key, float v)
{
    char text[40];
    int digits = 6;
    do
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
    while (fabsf(strtof(text, NULL) - v) > 0 && ++digits <= 9);
    put_key(b, key);
    ft_buf_add_str(b, text);
}

static void put_text(ft_buf *b, const char *key, ft_slice s)
{
    put_key(b, key);
    if (s.n)
        ft_json_put_string(b, s.p, s.n);
    else
        ft_buf_add_str(b, "null");
}

static void put_modules(ft_buf *b, const char *key, unsigned bits)
{
    const char *before = "";
    put_key(b, key);
    ft_buf_add_byte(b, '[');
    for (int t = 0; t < FT_TARGETS; t++)
        if (bits & 1u << t) {
            ft_buf_add_fmt(b, "%s\"%s\"", before, ft_target_peft_name((enum ft_target)t));
            before = ", ";
        }
    ft_buf_add_byte(b, ']');
}

static void put_lora(const ft_peft_config *c, unsigned targets, ft_buf *b)
{
    put_word(b, "bias", "\"none\"");
    put_word(b, "fan_in_fan_out", "false");
    put_word(b, "init_lora_weights", "true");
    put_float(b, "lora_alpha", (float)c->alpha);
    put_float(b, "lora_dropout", (float)c->dropout);
    put_count(b, "r", c->rank);
    put_modules(b, "target_modules", targets);
    put_word(b, "use_dora", c->dora ? "true" : "false");
    put_word(b, "use_rslora", c->rslora ? "true" : "false");
}

static void put_prompt(const ft_peft_config *c, ft_buf *b)
{
    put_count(b, "num_attention_heads", c->heads);
    put_count(b, "num_layers", c->layers);
    put_count(b, "num_transformer_submodules", 1);
    put_count(b, "num_virtual_tokens", c->tokens);
    if (c->type == FT_PEFT_PREFIX)
        put_word(b, "prefix_projection", "false");
    else
        put_word(b, "prompt_tuning_init", "\"RANDOM\"");
    put_count(b, "token_dim", c->token_dim);
}

void ft_peft_config_put(const ft_peft_config *c, unsigned targets, unsigned feedforward, ft_buf *b)
{
    ft_buf own = {0};
    put_text(&own, "base_model_name_or_path", c->base_name);
    put_word(&own, "inference_mode", "true");
    put_key(&own, "peft_type");
    ft_buf_add_fmt(&own, "\"%s\"", types[c->type].name);
    put_text(&own, "revision", c->revision);
    put_word(&own, "task_type", "\"CAUSAL_LM\"");
    if (c->type == FT_PEFT_LORA) {
        put_lora(c, targets, &own);
    } else if (c->type == FT_PEFT_IA3) {
        put_modules(&own, "feedforward_modules", feedforward);
        put_modules(&own, "target_modules", targets);
    } else {
        put_prompt(c, &own);
    }
    ft_buf_add_byte(b, '{');
    ft_buf_add(b, own.p, own.n);
    ft_buf_add_str(b, "\n}\n");
    b->failed |= own.failed;
    ft_buf_free(&own);
}
