/* filter_job.h: what ft-filter does with one record: measure, judge, tag, mask. Records are judged
 * on any thread; filter_report.h adds the verdicts up in order.
 *
 *     filter_plan plan = {.rules = ft_rules_default(), …};
 *     filter_workers_new(&w, &plan, threads);
 *     filter_judge(w, worker, it);                       // it->out: a verdict, then a new record
 */
#ifndef FT_CLI_FILTER_JOB_H
#define FT_CLI_FILTER_JOB_H

#include "data/filter_chat.h"
#include "data/filter_custom.h"
#include "data/pii.h"
#include "tools/cli/each_record.h"

/* Reasons: the rules, then these, then a user's own rules. */
enum { FILTER_LANGUAGE = FT_RULES, FILTER_PII, FILTER_CUSTOM, FILTER_CUSTOM_MAX = 12,
       FILTER_REASONS = FILTER_CUSTOM + FILTER_CUSTOM_MAX };

typedef struct filter_plan {
    ft_rules rules;
    int has_profile;             /* else by shape: instruct with a prompt, completion without */
    enum ft_profile profile;
    const char *languages;       /* "en,de", "all" or NULL */
    int tag, tag_only, from_tags;
    int all_values;              /* of dropped records too, for a report; else only up to the rule
                                  * that drops                                                  */
    enum { FILTER_PII_OFF, FILTER_PII_MASK, FILTER_PII_DROP } pii;
    ft_custom custom[FILTER_CUSTOM_MAX];
    size_t n_custom;
} filter_plan;

typedef struct filter_verdict {
    double value[FILTER_REASONS];
    uint64_t on;                 /* the rules that were asked           */
    uint8_t fires[FILTER_REASONS];   /* of those that were measured            */
    int reason;                  /* the first that fires, or -1          */
    int profile, changed;        /* changed: the new record follows      */
    uint64_t pii[FT_PII_KINDS];
    char language[8];            /* "" when unknown or not asked          */
} filter_verdict;

typedef struct filter_workers filter_workers;

const char *filter_reason_name(const filter_plan *p, size_t reason);
int filter_reason_is_on(const filter_plan *p, const filter_verdict *v, size_t reason);

/* Errors as of libft. Owns: the caller. */
int filter_workers_new(filter_workers **w, const filter_plan *plan, unsigned threads,
                       ft_err *e) FT_MUST_CHECK;
void filter_workers_free(filter_workers **w);

/* Fills it->out, or it->err. */
void filter_judge(filter_workers *w, unsigned worker, cli_item *it);

#endif
