/* generate_adapters.h: the adapters of ft-generate: one for all records (-a), and named ones that
 * a record asks for by its field `adapter`, where "base" is none. */
#ifndef FT_CLI_GENERATE_ADAPTERS_H
#define FT_CLI_GENERATE_ADAPTERS_H

#include "base/mp.h"
#include "model/model.h"
#include "nn/adapter.h"
#include "stream/stream.h"

enum { CLI_ADAPTERS_MAX = 14 };     /* named ones; a stream derives from 16 others at most */

typedef struct cli_named_adapter {
    const char *name;               /* NULL: the one of -a */
    ft_adapter *adapter;
    ft_reader *reader;              /* verified, for the history */
} cli_named_adapter;

typedef struct cli_adapters {
    cli_named_adapter list[1 + CLI_ADAPTERS_MAX];
    size_t n;
    size_t max_rank;
    int named;                      /* whether records may name one */
    char *names;                    /* what list's names point into */
} cli_adapters;

/* Reads the adapter of -a and those of "NAME=FILE,..." (NULL: none); transforms the model as they
 * ask. Fails the tool, also when they do not ask for the same. */
void cli_adapters_read(cli_adapters *a, ft_model *m, const char *named);
void cli_adapters_free(cli_adapters *a);

/* Gives what the record is to be answered with; *l = NULL: the base. Errors: FT_ERR_DATA for a name
 * that there is not. */
int cli_adapters_find(const cli_adapters *a, ft_mp record, const ft_adapter **l,
                      ft_err *e) FT_MUST_CHECK;

#endif
