/* train_start.h: what training begins with: chance, parts of the model's matrices (--lora-init) or
 * another adapter (--init). All of it ends in cli_fail when it fails.
 *
 *     ft_reader *init;
 *     ft_adapter *a = cli_start_adapter(model, &init);     before anything else uses the model
 *     … plan …
 *     cli_start_fill(a, model, &plan);                     takes its time
 */
#ifndef FT_CLI_TRAIN_START_H
#define FT_CLI_TRAIN_START_H

#include "model/model.h"
#include "nn/adapter.h"
#include "stream/stream.h"
#include "train/train_plan.h"

/* The adapter that cli_train describes; with --init the one that is there, and cli_train then says
 * what it is. The base is transformed as that adapter wants it. *init: the reader of its stream at
 * its verified end, or NULL. Owns: the caller, both. */
ft_adapter *cli_start_adapter(ft_model *m, ft_reader **init);

/* Gives it the values of --lora-init, within the memory that the plan has for training. */
void cli_start_fill(ft_adapter *a, const ft_model *m, const ft_train_plan *plan);

/* Refuses rows of another chat template, and validation data that the adapter to begin with was
 * trained on. val: NULL or at its verified end. */
void cli_start_check_rows(const ft_reader *init, const ft_reader *in);
void cli_start_check_leak(const ft_reader *init, const ft_reader *val, int allow);

#endif
