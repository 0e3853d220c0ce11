/* stats_report.h: which figures ft-stats reports, in which order, under which keys.
 */
#ifndef FT_CLI_STATS_REPORT_H
#define FT_CLI_STATS_REPORT_H

#include "tools/cli/stats_doc.h"
#include "tools/cli/stats_spread.h"

typedef struct stats_report {
    stats_data *data;
    const stats_spread *spread;        /* NULL: not asked for */
    const stats_coverage *coverage;    /* NULL: not asked for */
    const ft_model *model;             /* or NULL             */
    size_t top;                        /* rows of tables      */
} stats_report;

/* Adds everything up. Ends in cli_fail when it fails. Owns: the caller. */
stats_doc *stats_report_make(const stats_report *r);

#endif
