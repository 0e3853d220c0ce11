/* peft_methods.c: what each method's configuration is called on either side. */
#include "train/peft_internal.h"

int ft_peft_to_adapter(const ft_peft_config *c, const ft_peft_tensors *t, ft_adapter_config *cfg,
                       ft_err *e)
{
    *cfg = (ft_adapter_config){.targets = t->targets, .method = FT_METHOD_LORA,
                               .rank = (size_t)c->rank, .alpha = (float)c->alpha,
                               .dropout = (float)c->dropout};
    if (c->type != FT_PEFT_LORA)
        return ft_err_set(e, FT_ERR_DATA, "peft_type: this version of ft has no such method");
    if (c->rslora || c->dora)
        return ft_err_set(e, FT_ERR_DATA, "%s: true is more than this version of ft can honour",
                          c->dora ? "use_dora" : "use_rslora");
    return 0;
}

int ft_peft_from_adapter(const ft_adapter_config *cfg, ft_mp extra, ft_peft_config *c, ft_err *e)
{
    ft_mp targets = {0};
    *c = (ft_peft_config){.rank = cfg->rank, .alpha = (double)cfg->alpha,
                          .dropout = (double)cfg->dropout};
    (void)ft_mp_get(extra, "targets", &targets);
    c->targets = targets;
    (void)ft_mp_get_str(extra, "base_name", &c->base_name);
    (void)ft_mp_get_str(extra, "revision", &c->revision);
    switch (cfg->method) {
    case FT_METHOD_LORA: c->type = FT_PEFT_LORA; return 0;
    default:
        return ft_err_set(e, FT_ERR_DATA, "method: PEFT has none like %s",
                          ft_method_name(cfg->method));
    }
}
