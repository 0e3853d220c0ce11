/* import_work.h: the work of ft-import: texts to records on all threads, written in order.
 *
 * A block of texts is cut into runs, and a run is one thread's: a worker makes its records behind
 * each other in one buffer. The first text that is refused, in the order of the input, is the one
 * that the program ends with.
 */
#ifndef FT_CLI_IMPORT_WORK_H
#define FT_CLI_IMPORT_WORK_H

#include "data/csv.h"
#include "data/formats.h"
#include "data/renames.h"
#include "data/texts.h"
#include "tools/cli/cli.h"

enum cli_import_kind { CLI_IMPORT_JSON, CLI_IMPORT_CSV, CLI_IMPORT_LINES, CLI_IMPORT_PARAGRAPHS };

typedef struct cli_import_job {
    ft_unpack *from;
    ft_writer *out;
    enum cli_import_kind kind;
    enum ft_format format;           /* JSON and CSV                                     */
    const ft_renames *renames;       /* NULL: none                                       */
    int separator;                   /* CSV: a byte, or -1: guessed from the header      */
    const char *json_columns;        /* CSV: or NULL                                     */
    int repair;                      /* bytes that are no UTF-8 become U+FFFD            */

    ft_csv *csv;                     /* the rest is its own, and its counts               */
    uint64_t turns, joined, repaired;
} cli_import_job;

/* Reads all of the input, counting in cli_counts. Ends in cli_fail when something is refused. */
void cli_import(cli_import_job *j);

#endif
