/* ft-filter: quality rules. Each gives an example a number; thresholds on these numbers drop. */
#include "tools/cli/filter_report.h"

#include <string.h>

static const char *profile, *set_list, *off_list, *only_list, *rule_list, *languages, *pii = "off";
static const char *explain, *report;
static int tag, tag_only, from_tags, list;
static const cli_option options[] = {
    {"profile", 'p', CLI_CHOICE, &profile, "web|completion|instruct|code", 0, 0, CLI_PAYLOAD,
     "which rules; else by record: instruct with a prompt, completion without"},
    {"set", 's', CLI_LIST, &set_list, "RULE=VALUE,...", 0, 0, CLI_PAYLOAD, "other thresholds"},
    {"off", 0, CLI_LIST, &off_list, "RULE,...", 0, 0, CLI_PAYLOAD,
     "without these rules or groups (c4, gopher, rep, fineweb, chat, ...)"},
    {"only", 0, CLI_LIST, &only_list, "RULE,...", 0, 0, CLI_PAYLOAD,
     "these rules or groups alone, whatever the profile"},
    {"rule", 'r', CLI_LIST, &rule_list, "NAME: FIELD OP VALUE", 0, 0, CLI_PAYLOAD,
     "drop where this holds; may be given several times"},
    {"language", 0, CLI_TEXT, &languages, "en,de|all", 0, 0, CLI_PAYLOAD,
     "keep these languages (and what is too short to tell); all: tag only"},
    {"pii", 0, CLI_CHOICE, &pii, "off|mask|drop", 0, 0, CLI_PAYLOAD,
     "e-mail and IP addresses, telephone and card numbers"},
    {"tag", 0, CLI_FLAG, &tag, NULL, 0, 0, CLI_PAYLOAD,
     "write the numbers into the records that stay"},
    {"tag-only", 0, CLI_FLAG, &tag_only, NULL, 0, 0, CLI_PAYLOAD, "write them and drop nothing"},
    {"from-tags", 0, CLI_FLAG, &from_tags, NULL, 0, 0, CLI_PAYLOAD,
     "take the numbers that are there instead of computing them"},
    {"explain", 0, CLI_TEXT, &explain, "FILE", 0, 0, 0,
     "write what each rule does, with percentiles and examples"},
    {"report", 0, CLI_TEXT, &report, "FILE", 0, 0, 0, "the same as JSON"},
    {"list", 0, CLI_FLAG, &list, NULL, 0, 0, 0, "print the rules, thresholds and profiles"},
    {0}};
static const cli_tool tool = {
    "ft-filter", "drop, tag or mask examples by rules of quality", "[options] [FILE]",
    "  ft-import < chats.jsonl | ft-filter --explain why.txt | ft-dedup -o good.ft\n"
    "  ft-import < pages.jsonl | ft-filter --profile web --language en --pii mask -o clean.ft",
    "ft-import(1), ft-dedup(1), ft-label(1), ft-stats(1)", CLI_FILTER, 1, options};

typedef struct job {
    filter_plan plan;
    filter_workers *workers;
    filter_report *report;
    ft_writer *out;
} job;

static void check_usage(int rc)
{
    if (rc < 0)
        cli_fail();
}

static void add_rule(filter_plan *p, const char *text, size_t n)
{
    char rule[1024];
    ft_custom *c = &p->custom[p->n_custom];
    if (n >= sizeof rule)
        cli_usage_error("--rule: longer than %zu bytes", sizeof rule - 1);
    if (p->n_custom == FILTER_CUSTOM_MAX)
        cli_usage_error("--rule: at most %d", FILTER_CUSTOM_MAX);
    memcpy(rule, text, n);
    rule[n] = '\0';
    if (ft_custom_parse(c, rule, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "--rule '%s'", rule);
        cli_fail();
    }
    for (size_t i = 0; i < FILTER_CUSTOM + p->n_custom; i++)
        if (strcmp(filter_reason_name(p, i), c->name) == 0)
            cli_usage_error("--rule: there is a rule %s already", c->name);
    p->n_custom++;
}

static void read_rules(filter_plan *p)
{
    ft_rules *r = &p->rules;
    *r = ft_rules_default();
    if (set_list && ft_rules_set(r, set_list, cli_err()) < 0)
        check_usage(ft_err_wrap(cli_err(), "--set"));
    if (only_list && ft_rules_only(r, only_list, cli_err()) < 0)
        check_usage(ft_err_wrap(cli_err(), "--only"));
    if (off_list && ft_rules_off(r, off_list, cli_err()) < 0)
        check_usage(ft_err_wrap(cli_err(), "--off"));
    for (const char *at = rule_list; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        add_rule(p, at, strcspn(at, "\n"));
}

static void read_options(filter_plan *p)
{
    read_rules(p);
    p->has_profile = profile != NULL;
    for (int i = 0; profile && i < FT_PROFILES; i++)
        if (strcmp(profile, ft_profile_name((enum ft_profile)i)) == 0)
            p->profile = (enum ft_profile)i;
    p->languages = languages;
    if (languages && strspn(languages, "abcdefghijklmnopqrstuvwxyz,") != strlen(languages))
        cli_usage_error("--language: names such as en or de, with commas between");
    p->pii = strcmp(pii, "mask") == 0   ? FILTER_PII_MASK
             : strcmp(pii, "drop") == 0 ? FILTER_PII_DROP : FILTER_PII_OFF;
    p->tag = tag;
    p->tag_only = tag_only;
    p->from_tags = from_tags;
    p->all_values = explain || report;
}

static void judge(void *ctx, cli_item *it, unsigned worker)
{
    filter_judge(((job *)ctx)->workers, worker, it);
}

static void put(void *ctx, cli_item *it)
{
    job *j = ctx;
    filter_verdict v;
    ft_mp record = it->record;
    memcpy(&v, it->out.p, sizeof v);
    if (v.changed)
        record = (ft_mp){it->out.p + sizeof v, it->out.n - sizeof v};
    filter_report_add(j->report, &v, it->record, it->number);
    cli_counts()->read++;
    if (v.reason >= 0 && !tag_only) {
        ft_counts_drop(cli_counts(), filter_reason_name(&j->plan, (size_t)v.reason), 1);
        return;
    }
    cli_check(ft_writer_put(j->out, record.p, record.n, cli_err()));
    cli_counts()->written++;
}

int main(int argc, char **argv)
{
    job j = {0};
    ft_reader *in;
    int status;
    cli_begin(&tool, argc, argv);
    read_options(&j.plan);
    if (list) {
        filter_list_rules(&j.plan);
        return cli_end();
    }
    cli_check(filter_workers_new(&j.workers, &j.plan, ft_pool_threads(cli_pool()), cli_err()));
    j.report = filter_report_new(&j.plan, explain || report);
    filter_report_open(j.report, explain, report);
    in = cli_reader(cli_input(), FT_KIND_TEXT);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    cli_each_record(in, &(cli_steps){.work = judge, .done = put}, &j);
    cli_finish(&j.out);
    filter_report_write(j.report);
    filter_report_say(j.report);
    ft_reader_free(&in);
    filter_report_free(&j.report);
    filter_workers_free(&j.workers);
    status = cli_end();                        /* prints reasons, which name the rules */
    for (size_t i = 0; i < j.plan.n_custom; i++)
        ft_custom_free(&j.plan.custom[i]);
    return status;
}
