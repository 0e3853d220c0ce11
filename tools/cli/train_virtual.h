/* train_virtual.h: what the virtual tokens of an adapter are before they are trained. Ends in
 * cli_fail when it fails. */
#ifndef FT_CLI_TRAIN_VIRTUAL_H
#define FT_CLI_TRAIN_VIRTUAL_H

#include "model/model.h"
#include "nn/adapter.h"
#include "text/tokenizer.h"
#include "train/dataset.h"

/* Gives them the values of the tokens of text, or where text is NULL of the first tokens of the
 * training data, as the base sees them; does nothing for an adapter without virtual tokens. */
void cli_virtual_begin(ft_adapter *a, const ft_model *m, const ft_tokenizer *tok,
                       const char *text, ft_dataset *train);

#endif
