#include "tools/cli/train_start.h"

#include "nn/lora_start.h"
#include "tools/cli/cli.h"
#include "tools/cli/evaluate.h"
#include "tools/cli/leak.h"
#include "tools/cli/train_options.h"
#include "train/adapter_stream.h"

#include <string.h>

static ft_adapter *read_adapter(ft_model *m, ft_reader **init)
{
    const char *path = cli_train.init_path, *warning;
    int was_plain = *m->transform == '\0';
    ft_adapter *a = NULL;
    cli_check(ft_adapter_read(&a, m, path, cli_pool(), init, &warning, cli_err()));
    if (warning)
        cli_warn("%s: %s", path, warning);
    if (was_plain && *m->transform) {
        if (cli_given("base"))
            cli_usage_error("--base %s: %s was trained on the base in %s", cli_train.base, path,
                            m->transform);
        cli_train.base = m->transform;
    }
    cli_train_options_from(&a->cfg);
    return a;
}

ft_adapter *cli_start_adapter(ft_model *m, ft_reader **init)
{
    const ft_adapter_config *c = &cli_train.adapter;
    uint64_t seed = cli_train.cfg.seed;
    ft_adapter *a = NULL;
    *init = NULL;
    if (cli_train.init_path)
        return read_adapter(m, init);
    cli_check(cli_train.start == FT_LORA_DEFAULT ? ft_adapter_new(&a, m, c, seed, cli_err())
                                                 : ft_lora_start_new(&a, m, c, seed, cli_err()));
    return a;
}

/* Decomposing happens before the memory for steps is taken, and may use as much. */
void cli_start_fill(ft_adapter *a, const ft_model *m, const ft_train_plan *plan)
{
    size_t room = plan->optimiser + plan->activations + plan->scratch;
    uint64_t bound = cli_train.cfg.memory;
    size_t least = cli_train.start == FT_LORA_DEFAULT ? 0 : ft_lora_start_bytes(a, m);
    if (cli_train.start == FT_LORA_DEFAULT)
        return;
    if (bound && plan->peak - room + least > bound) {
        ft_err_set(cli_err(), FT_ERR_NOMEM, "decomposing the largest matrix takes %.1f MiB, with "
                   "all else %.1f, but the bound is %.1f MiB: --lora-init default takes none",
                   (double)least / 1048576, (double)(plan->peak - room + least) / 1048576,
                   (double)bound / 1048576);
        cli_fail();
    }
    cli_check(ft_lora_start_fill(a, m, cli_train.start, room, cli_pool(), cli_err()));
}

void cli_start_check_rows(const ft_reader *init, const ft_reader *in)
{
    if (init)
        cli_check_template(in, init);
}

void cli_start_check_leak(const ft_reader *init, const ft_reader *val, int allow)
{
    cli_leak trained = {0};
    if (!init)
        return;
    cli_leak_add_reader(&trained, init);
    cli_leak_check(&trained, ft_reader_name(init), val, allow);
    cli_leak_free(&trained);
}
