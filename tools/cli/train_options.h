/* train_options.h: what a user may choose of a training run: the options of ft-train, and what they
 * come to. */
#ifndef FT_CLI_TRAIN_OPTIONS_H
#define FT_CLI_TRAIN_OPTIONS_H

#include "nn/adapter.h"
#include "tools/cli/cli.h"
#include "tools/cli/train_checkpoints.h"
#include "train/train_plan.h"

typedef struct cli_train_options {
    ft_adapter_config adapter;
    ft_train_config cfg;           /* cfg.compute is the caller's to resolve, from compute */
    const char *base;              /* "file" or "nf4" */
    const char *compute, *val_path, *log_path;     /* paths: or NULL */
    cli_checkpoints saved;
    int plan_only, allow_leak;
} cli_train_options;

/* With the default values, and after cli_begin with the user's. */
extern cli_train_options cli_train;
extern const cli_option cli_train_list[];

/* After cli_begin: refuses options that do not go together, and fills in adapter and cfg. */
void cli_train_options_take(void);

#endif
