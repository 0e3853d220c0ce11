/* references.h: references that stand in another stream than the predictions, joined by id, one to
 * one. All of the stream is read before the first prediction: records into a spool file, for each
 * 32 to 64 bytes in memory. Ids are compared as they are written: 7 is not "7". All of it ends in
 * cli_fail when it fails, but for what runs on any thread.
 *
 *     cli_references *r = cli_references_read("gold.ft");
 *     cli_references_find(r, record, &buf, &row, e)         // any thread: the record with this id
 *     cli_references_use(r, row);                           // in order: refuses a second use
 *     cli_references_end(&r);                               // refuses what nobody used
 */
#ifndef FT_CLI_REFERENCES_H
#define FT_CLI_REFERENCES_H

#include "tools/cli/cli.h"

typedef struct cli_references cli_references;

cli_references *cli_references_read(const char *path);

/* Leaves the record with record's id in buf. Errors: FT_ERR_DATA naming the id. Threads: any. */
int cli_references_find(const cli_references *r, ft_mp record, ft_buf *buf, size_t *row,
                        ft_err *e) FT_MUST_CHECK;
void cli_references_use(cli_references *r, size_t row);
const char *cli_references_digest(const cli_references *r);    /* 32 hex digits */
void cli_references_end(cli_references **r);

#endif
