/* filter_report.h: adds verdicts up: how many examples each rule would drop and did drop;
 * percentiles of its values; the first five it would drop. Written as text (--explain) and JSON
 * (--report); a rule that drops over a fifth of the rows is an alarm. */
#ifndef FT_CLI_FILTER_REPORT_H
#define FT_CLI_FILTER_REPORT_H

#include "tools/cli/filter_job.h"

typedef struct filter_report filter_report;

/* keep_values: for percentiles (up to 65536 a rule, above that a uniform sample of the rows that is
 * the same in each run) and examples; needed for writing. Ends in cli_fail. */
filter_report *filter_report_new(const filter_plan *plan, int keep_values);
void filter_report_add(filter_report *r, const filter_verdict *v, ft_mp record, uint64_t number);

/* Results and warnings of the last lines. */
void filter_report_say(const filter_report *r);

/* Opens them early, so that a name that cannot be written fails before the work; NULL: none. */
void filter_report_open(filter_report *r, const char *text_path, const char *json_path);
void filter_report_write(filter_report *r);      /* both, and makes them visible */
void filter_report_free(filter_report **r);

/* --list: rules, thresholds, profiles, one line each, on standard output. */
void filter_list_rules(const filter_plan *plan);

#endif
