/* export_table.h: examples as rows of CSV or TSV. The columns are the fields of the first example,
 * and every other must have just these, in any order: a table cannot tell a missing field from an
 * empty one. Strings are written as they are, everything else as JSON; a column has either strings
 * or JSON throughout, so that `ft-import --json-columns` reads it back exactly.
 */
#ifndef FT_CLI_EXPORT_TABLE_H
#define FT_CLI_EXPORT_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

typedef struct cli_table {
    uint8_t separator;
    ft_buf first;                /* a copy of the first record: its keys are the columns */
} cli_table;

/* Appends the header, and keeps the columns. Errors: FT_ERR_DATA naming the field. */
int cli_table_begin(cli_table *t, ft_mp record, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* Appends a record's row, without a line end. Errors: FT_ERR_DATA naming the field. Threads: any
 * number may use one t. */
int cli_table_row(const cli_table *t, ft_mp record, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* Appends the names of the columns that hold JSON, separated by commas. */
void cli_table_json_columns(const cli_table *t, ft_buf *out);
void cli_table_free(cli_table *t);

#endif
