#include "tools/cli/filter_report.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLES 5
#define EXCERPT_BYTES 80
#define SAMPLE_MAX 65536
#define ALARM_SHARE 0.2
#define ALARM_ROWS 20

typedef struct rule_sum {
    uint64_t asked, over, dropped, alone;
    double *sample;
    size_t n, cap, n_examples;
    ft_buf examples;             /* JSON objects with commas between */
} rule_sum;

struct filter_report {
    const filter_plan *plan;
    int keep_values;
    uint64_t rows, by_profile[FT_PROFILES], pii[FT_PII_KINDS], masked_rows;
    rule_sum sum[FILTER_REASONS];
    ft_out *text, *json;
};

static const double percents[] = {0.5, 5, 25, 50, 75, 95, 99.5};
enum { PERCENTS = sizeof percents / sizeof *percents };

filter_report *filter_report_new(const filter_plan *plan, int keep_values)
{
    filter_report *r = ft_new(1, sizeof *r, cli_err());
    if (!r)
        cli_fail();
    r->plan = plan;
    r->keep_values = keep_values;
    return r;
}

void filter_report_free(filter_report **rp)
{
    filter_report *r = *rp;
    if (!r)
        return;
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        ft_free(r->sum[i].sample);
        ft_buf_free(&r->sum[i].examples);
    }
    ft_out_abandon(&r->text);
    ft_out_abandon(&r->json);
    ft_free(r);
    *rp = NULL;
}

/* ---- adding up ---- */

/* Algorithm R (Vitter 1985): each value stays with the same chance. */
static void sample(rule_sum *s, size_t rule, double value)
{
    uint64_t place = s->asked - 1;
    if (s->n < SAMPLE_MAX) {
        cli_check(ft_grow(&s->sample, &s->cap, s->n + 1, sizeof *s->sample, cli_err()));
        s->sample[s->n++] = value;
        return;
    }
    place = ft_rng_below(0, FT_RNG_DATA, (uint32_t)rule, place, s->asked);
    if (place < SAMPLE_MAX)
        s->sample[place] = value;
}

/* {"id": …, "value": …, "text": "…"}; the text is masked when the stream is. */
static void add_example(rule_sum *s, int mask, ft_mp record, uint64_t number, double value)
{
    ft_buf text = {0}, masked = {0};
    uint64_t found[FT_PII_KINDS] = {0};
    ft_buf *b = &s->examples;
    ft_mp id;
    size_t n;
    ft_err ignored;
    if (s->n_examples++)
        ft_buf_add_str(b, ",");
    ft_buf_add_str(b, "{\"id\":");
    if (ft_mp_get(record, "id", &id))
        ft_json_put(b, id);
    else
        ft_buf_add_fmt(b, "%llu", (unsigned long long)number);
    ft_buf_add_fmt(b, ",\"value\":%.6g,\"text\":", value);
    if (ft_example_part(record, FT_PART_RESPONSE, &text, &ignored) < 0)
        ft_buf_clear(&text);
    if (mask && ft_pii_mask((ft_slice){text.p, text.n}, found, &masked) > 0) {
        ft_buf_free(&text);
        text = masked;
        masked = (ft_buf){0};
    }
    n = text.n < EXCERPT_BYTES ? text.n : EXCERPT_BYTES;
    while (n < text.n && n > 0 && (text.p[n] & 0xc0) == 0x80)     /* at a whole character */
        n--;
    ft_json_put_string(b, text.p ? text.p : (const uint8_t *)"", n);
    ft_buf_add_str(b, "}");
    cli_check(ft_buf_check(b, cli_err()));
    ft_buf_free(&text);
    ft_buf_free(&masked);
}

void filter_report_add(filter_report *r, const filter_verdict *v, ft_mp record, uint64_t number)
{
    size_t fired = 0;
    for (size_t i = 0; i < FILTER_REASONS; i++)
        fired += v->fires[i];
    r->rows++;
    r->by_profile[v->profile]++;
    for (size_t k = 0; k < FT_PII_KINDS; k++)
        r->pii[k] += v->pii[k] > 0;
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        rule_sum *s = &r->sum[i];
        if (!filter_reason_is_on(r->plan, v, i))
            continue;
        s->asked++;
        if (r->keep_values)
            sample(s, i, v->value[i]);
        if (!v->fires[i])
            continue;
        s->over++;
        s->alone += fired == 1;
        s->dropped += v->reason == (int)i && !r->plan->tag_only;
        if (r->keep_values && s->n_examples < EXAMPLES)
            add_example(s, r->plan->pii != FILTER_PII_OFF, record, number, v->value[i]);
    }
}

/* ---- saying ---- */

void filter_report_say(const filter_report *r)
{
    ft_buf b = {0};
    for (size_t i = 0; i < FT_PROFILES; i++)
        if (r->by_profile[i])
            ft_buf_add_fmt(&b, "%s%s %llu", b.n ? ", " : "", ft_profile_name((enum ft_profile)i),
                           (unsigned long long)r->by_profile[i]);
    ft_buf_add_byte(&b, '\0');
    cli_check(ft_buf_check(&b, cli_err()));
    cli_result_text("profile", b.n > 1 ? (const char *)b.p : "none");
    ft_buf_free(&b);
    for (size_t k = 0; r->plan->pii != FILTER_PII_OFF && k < FT_PII_KINDS; k++) {
        char key[32];
        snprintf(key, sizeof key, "rows_with_%s", ft_pii_name((enum ft_pii_kind)k));
        cli_result_count(key, r->pii[k]);
    }
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        uint64_t n = r->plan->tag_only ? r->sum[i].over : r->sum[i].dropped;
        if (r->rows >= ALARM_ROWS && (double)n > ALARM_SHARE * (double)r->rows)
            cli_warn("rule %s %s %llu of %llu rows, more than a fifth: look at --explain, --set or "
                     "--off", filter_reason_name(r->plan, i),
                     r->plan->tag_only ? "would drop" : "dropped", (unsigned long long)n,
                     (unsigned long long)r->rows);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The smallest value that at least so many percent of the values do not exceed. */
static double percentile(const rule_sum *s, double percent)
{
    double place = percent / 100 * (double)s->n;
    size_t i = (size_t)place;
    if ((double)i < place)
        i++;
    return s->n == 0 ? 0 : s->sample[i > 0 ? i - 1 : 0];
}

static void write_json(filter_report *r, ft_buf *b)
{
    const char *comma = "";
    ft_buf_add_fmt(b, "{\"rows\":%llu,\"rules\":[", (unsigned long long)r->rows);
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        const rule_sum *s = &r->sum[i];
        const char *name;
        if (!s->asked)
            continue;
        name = filter_reason_name(r->plan, i);
        ft_buf_add_fmt(b, "%s\n{\"rule\":\"%s\",", comma, name);
        if (i < FT_RULES)
            ft_buf_add_fmt(b, "\"drops\":\"%c\",\"threshold\":%.9g,", ft_rule_table[i].drops,
                           r->plan->rules.threshold[i]);
        ft_buf_add_fmt(b, "\"asked\":%llu,\"over\":%llu,\"dropped\":%llu,\"alone\":%llu,"
                       "\"percentiles\":{", (unsigned long long)s->asked,
                       (unsigned long long)s->over, (unsigned long long)s->dropped,
                       (unsigned long long)s->alone);
        for (size_t k = 0; k < PERCENTS; k++)
            ft_buf_add_fmt(b, "%s\"%g\":%.9g", k ? "," : "", percents[k],
                           percentile(s, percents[k]));
        ft_buf_add_str(b, "},\"examples\":[");
        ft_buf_add(b, s->examples.p, s->examples.n);
        ft_buf_add_str(b, "]}");
        comma = ",";
    }
    ft_buf_add_str(b, "]}\n");
}

static void write_text(filter_report *r, ft_buf *b)
{
    ft_buf_add_fmt(b, "%-24s %12s %9s %9s %9s  %s\n", "rule", "drops", "over", "dropped", "alone",
                   "values: 0.5 5 25 50 75 95 99.5 %");
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        const rule_sum *s = &r->sum[i];
        char drops[32] = "";
        if (!s->asked)
            continue;
        if (i < FT_RULES)
            snprintf(drops, sizeof drops, "%c %g", ft_rule_table[i].drops,
                     r->plan->rules.threshold[i]);
        ft_buf_add_fmt(b, "%-24s %12s %9llu %9llu %9llu ", filter_reason_name(r->plan, i), drops,
                       (unsigned long long)s->over, (unsigned long long)s->dropped,
                       (unsigned long long)s->alone);
        for (size_t k = 0; k < PERCENTS; k++)
            ft_buf_add_fmt(b, " %.3g", percentile(s, percents[k]));
        ft_buf_add_byte(b, '\n');
    }
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        ft_slice all = {r->sum[i].examples.p, r->sum[i].examples.n};
        if (all.n == 0)
            continue;
        ft_buf_add_fmt(b, "\n%s: %llu of %llu rows\n", filter_reason_name(r->plan, i),
                       (unsigned long long)r->sum[i].over, (unsigned long long)r->rows);
        ft_buf_add_fmt(b, "%.*s\n", (int)all.n, (const char *)all.p);
    }
}

void filter_report_open(filter_report *r, const char *text_path, const char *json_path)
{
    if (text_path)
        cli_check(ft_out_open(&r->text, text_path, cli_err()));
    if (json_path)
        cli_check(ft_out_open(&r->json, json_path, cli_err()));
}

static void finish_file(filter_report *r, ft_out **out, void (*write)(filter_report *, ft_buf *))
{
    ft_buf b = {0};
    if (!*out)
        return;
    write(r, &b);
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(*out, b.p, b.n, cli_err()));
    cli_check(ft_out_commit(out, cli_err()));
    ft_buf_free(&b);
}

void filter_report_write(filter_report *r)
{
    for (size_t i = 0; i < FILTER_REASONS; i++)
        if (r->sum[i].n)
            qsort(r->sum[i].sample, r->sum[i].n, sizeof(double), by_size);
    finish_file(r, &r->text, write_text);
    finish_file(r, &r->json, write_json);
}

void filter_list_rules(const filter_plan *plan)
{
    for (size_t i = 0; i < FT_RULES; i++) {
        const ft_rule_def *d = &ft_rule_table[i];
        ft_buf b = {0};
        for (size_t p = 0; p < FT_PROFILES; p++)
            if (ft_rules_of(&plan->rules, (enum ft_profile)p) >> i & 1)
                ft_buf_add_fmt(&b, "%s%s", b.n ? "," : "", ft_profile_name((enum ft_profile)p));
        ft_buf_add_byte(&b, '\0');
        cli_check(ft_buf_check(&b, cli_err()));
        cli_print("%s\t%c %g\t%s\t%s\n", d->name, d->drops, plan->rules.threshold[i],
                  b.n > 1 ? (const char *)b.p : "off", d->what);
        ft_buf_free(&b);
    }
}
