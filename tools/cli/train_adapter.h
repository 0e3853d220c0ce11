/* train_adapter.h: the adapter that comes out of training is written, or saved where there is
 * room for it. */
#ifndef FT_CLI_TRAIN_ADAPTER_H
#define FT_CLI_TRAIN_ADAPTER_H

#include "model/model.h"
#include "nn/adapter.h"
#include "stream/stream.h"

typedef struct cli_adapter_output {
    const ft_adapter *adapter;
    const ft_model *model;
    const float *params;
    const ft_reader *in, *val_in;      /* what it was trained on; val_in: or NULL */
    uint64_t examples;
    ft_header header;
} cli_adapter_output;

/* Writes the whole stream to out, which is gone afterwards. Hours of work must not be lost to a
 * reader that went away or a disk that is full: then the adapter goes to a file here, or in
 * $TMPDIR, and the program still fails. */
void cli_adapter_write(const cli_adapter_output *a, ft_writer *out);

#endif
