/* train_data.h: packed streams as training reads them: all of it, before the first step. Ends in
 * cli_fail when it fails. */
#ifndef FT_CLI_TRAIN_DATA_H
#define FT_CLI_TRAIN_DATA_H

#include "model/model.h"
#include "stream/stream.h"
#include "text/tokenizer.h"
#include "train/dataset.h"

/* Opens a packed stream; rows of another tokenizer are refused. */
ft_reader *cli_packed_open(const char *path, const ft_tokenizer *tok);

/* Reads it to its verified end; each example is to begin with the virtual tokens `before`.
 * to_measure: augmented examples are refused, which data to measure on must not have. Warns of
 * examples that are longer than the model was made for. Owns: the caller, ft_dataset_free. */
ft_dataset *cli_packed_read(ft_reader *in, const ft_model *m, ft_virtual before, int to_measure);

#endif
