/* peft_methods.c: what each method's configuration is called on either side. */
#include "train/peft_internal.h"

/* What IA3 scales the inputs of, as the msgpack of ["down_proj"]. */
static const uint8_t down_only[] = "\x91\xa9" "down_proj";

static int lora_to_adapter(const ft_peft_config *c, ft_adapter_config *cfg)
{
    cfg->method = FT_METHOD_LORA;
    cfg->rank = (size_t)c->rank;
    cfg->alpha = (float)c->alpha;
    cfg->dropout = c->dora ? 0 : (float)c->dropout;     /* ft_peft_remark says so */
    cfg->dora = c->dora;
    cfg->rslora = c->rslora;
    return 0;
}

static int ia3_to_adapter(const ft_peft_tensors *t, ft_adapter_config *cfg, ft_err *e)
{
    cfg->method = FT_METHOD_IA3;
    if (t->feedforward == (t->targets & 1u << FT_DOWN))
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "feedforward_modules: ft scales the inputs of down_proj, and "
                      "the outputs of all others");
}

static int virtual_to_adapter(const ft_peft_config *c, ft_adapter_config *cfg, ft_err *e)
{
    cfg->method = c->type == FT_PEFT_PREFIX ? FT_METHOD_PREFIX : FT_METHOD_PROMPT;
    cfg->virtual_tokens = (size_t)c->tokens;
    if (c->tokens <= FT_VIRTUAL_MOST)
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "num_virtual_tokens: over %d", FT_VIRTUAL_MOST);
}

int ft_peft_to_adapter(const ft_peft_config *c, const ft_peft_tensors *t, ft_adapter_config *cfg,
                       ft_err *e)
{
    *cfg = (ft_adapter_config){.targets = t->targets};
    switch (c->type) {
    case FT_PEFT_LORA: return lora_to_adapter(c, cfg);
    case FT_PEFT_IA3: return ia3_to_adapter(t, cfg, e);
    case FT_PEFT_PREFIX:
    case FT_PEFT_PROMPT: return virtual_to_adapter(c, cfg, e);
    }
    return ft_err_set(e, FT_ERR_INTERNAL, "peft_type: not a known one");
}

int ft_peft_from_adapter(const ft_adapter_config *cfg, ft_mp extra, ft_peft_config *c, ft_err *e)
{
    *c = (ft_peft_config){.rank = cfg->rank, .alpha = (double)cfg->alpha,
                          .dropout = (double)cfg->dropout};
    c->rslora = cfg->rslora;
    c->dora = cfg->dora;
    c->tokens = cfg->virtual_tokens;
    (void)ft_mp_get(extra, "targets", &c->targets);
    (void)ft_mp_get_str(extra, "base_name", &c->base_name);
    (void)ft_mp_get_str(extra, "revision", &c->revision);
    switch (cfg->method) {
    case FT_METHOD_LORA: c->type = FT_PEFT_LORA; return 0;
    case FT_METHOD_IA3:
        c->type = FT_PEFT_IA3;
        c->feedforward = (ft_mp){down_only, sizeof down_only - 1};
        return 0;
    case FT_METHOD_PREFIX: c->type = FT_PEFT_PREFIX; return 0;
    case FT_METHOD_PROMPT: c->type = FT_PEFT_PROMPT; return 0;
    default:
        return ft_err_set(e, FT_ERR_DATA, "method: PEFT has none like %s",
                          ft_method_name(cfg->method));
    }
}
