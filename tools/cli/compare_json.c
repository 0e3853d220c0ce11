/* compare_json.c: the report of ft-compare as one JSON object. What is not known is null. */
#include "base/buf.h"
#include "base/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/compare_systems.h"

#include <string.h>

static void put_key(ft_buf *b, const char *key)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
        ft_buf_add_byte(b, ',');
    if (key) {
        ft_json_put_string(b, key, strlen(key));
        ft_buf_add_byte(b, ':');
    }
}

static void put_text(ft_buf *b, const char *key, const char *v)
{
    put_key(b, key);
    if (v)
        ft_json_put_string(b, v, strlen(v));
    else
        ft_buf_add_str(b, "null");
}

static void put_real(ft_buf *b, const char *key, double v)
{
    put_key(b, key);
    ft_json_put_double(b, v);
}

static void put_count(ft_buf *b, const char *key, uint64_t v)
{
    put_key(b, key);
    ft_buf_add_fmt(b, "%llu", (unsigned long long)v);
}

static void put_bool(ft_buf *b, const char *key, int v)
{
    put_key(b, key);
    ft_buf_add_str(b, v ? "true" : "false");
}

static void put_range(ft_buf *b, const char *key, double low, double high)
{
    put_key(b, key);
    ft_buf_add_byte(b, '[');
    ft_json_put_double(b, low);
    ft_buf_add_byte(b, ',');
    ft_json_put_double(b, high);
    ft_buf_add_byte(b, ']');
}

static void put_mean(ft_buf *b, const char *key, const ft_estimate *m, int binary, double low,
                     double high)
{
    put_key(b, key);
    ft_buf_add_byte(b, '{');
    put_real(b, "mean", m->mean);
    put_real(b, "se", m->se);
    put_range(b, "interval", m->low, m->high);
    if (binary)
        put_range(b, "wilson", low, high);
    ft_buf_add_byte(b, '}');
}

static void put_examples(ft_buf *b, const char *key, const cli_compare *c, const cli_comparison *t,
                         const size_t *list, size_t n)
{
    put_key(b, key);
    ft_buf_add_byte(b, '[');
    for (size_t i = 0; i < n; i++) {
        put_key(b, NULL);
        ft_buf_add_byte(b, '{');
        put_key(b, "id");
        ft_json_put(b, ft_score_table_id(c->systems[0].scores, t->metric->rows[list[i]]));
        put_real(b, "difference", t->difference[list[i]]);
        ft_buf_add_byte(b, '}');
    }
    ft_buf_add_byte(b, ']');
}

static void put_tests(ft_buf *b, const ft_comparison *r)
{
    put_real(b, "t_p", r->t_p);
    put_key(b, "randomisation");
    ft_buf_add_byte(b, '{');
    put_real(b, "p", r->swaps.p);
    put_count(b, "swaps", r->swaps.swaps);
    put_bool(b, "exact", r->swaps.exact);
    ft_buf_add_byte(b, '}');
    put_key(b, "bootstrap");
    ft_buf_add_byte(b, '{');
    put_real(b, "p", r->bootstrap.p);
    put_range(b, "interval", r->bootstrap.low, r->bootstrap.high);
    put_count(b, "resamples", r->bootstrap.resamples);
    ft_buf_add_byte(b, '}');
    if (r->binary)
        put_real(b, "mcnemar_p", r->mcnemar_p);
}

static void put_verdict(ft_buf *b, const cli_compare *c, const cli_comparison *t)
{
    static const char *const words[] = {[CLI_BETTER] = "better", [CLI_WORSE] = "worse",
                                        [CLI_NOT_SEEN] = "not seen", [CLI_ALL_EQUAL] = "equal",
                                        [CLI_TOO_FEW] = "too few"};
    ft_buf said = {0};
    cli_compare_put_verdict(&said, c, t);
    put_text(b, "verdict", words[t->verdict]);
    put_key(b, "says");
    ft_json_put_string(b, said.p, said.n);
    b->failed |= said.failed;
    ft_buf_free(&said);
}

static void put_comparison(ft_buf *b, const cli_compare *c, const cli_comparison *t)
{
    const cli_metric *m = t->metric;
    const ft_comparison *r = &t->r;
    put_key(b, NULL);
    ft_buf_add_byte(b, '{');
    put_text(b, "metric", m->key);
    put_text(b, "system", t->system->name);
    put_bool(b, "lower_is_better", m->lower_is_better);
    put_text(b, "weight", m->by_targets ? "targets" : NULL);
    put_count(b, "examples", m->n);
    put_count(b, "clusters", m->clusters);
    put_mean(b, "base", &r->a, r->binary, r->a_low, r->a_high);
    put_mean(b, "other", &r->b, r->binary, r->b_low, r->b_high);
    put_real(b, "difference", r->difference.mean);
    put_range(b, "interval", r->difference.low, r->difference.high);
    put_real(b, "se", r->difference.se);
    put_real(b, "se_rows", r->difference.se_rows);
    put_real(b, "effect_size", r->effect_size);
    put_real(b, "detectable", r->detectable);
    put_tests(b, r);
    put_real(b, "p", t->p);
    put_real(b, "p_holm", t->p_holm);
    put_count(b, "wins", r->wins);
    put_count(b, "ties", r->ties);
    put_count(b, "losses", r->losses);
    put_verdict(b, c, t);
    put_text(b, "note", m->note);
    put_examples(b, "gained", c, t, t->gained, t->n_gained);
    put_examples(b, "lost", c, t, t->lost, t->n_lost);
    ft_buf_add_byte(b, '}');
}

void cli_compare_json(const cli_compare *c)
{
    ft_buf b = {0};
    ft_buf_add_byte(&b, '{');
    put_text(&b, "baseline", c->systems[0].name);
    put_key(&b, "systems");
    ft_buf_add_byte(&b, '[');
    for (size_t i = 1; i < c->n_systems; i++) {
        put_key(&b, NULL);
        ft_json_put_string(&b, c->systems[i].name, strlen(c->systems[i].name));
    }
    ft_buf_add_byte(&b, ']');
    put_count(&b, "examples", c->rows);
    put_count(&b, "groups", c->groups);
    put_real(&b, "alpha", c->options.alpha);
    put_real(&b, "power", c->options.power);
    put_text(&b, "test", c->test);
    put_count(&b, "tests", c->n_tests);
    put_count(&b, "seed", c->options.seed);
    put_key(&b, "comparisons");
    ft_buf_add_byte(&b, '[');
    for (size_t i = 0; i < c->n_tests; i++)
        put_comparison(&b, c, &c->tests[i]);
    ft_buf_add_str(&b, "]}\n");
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(cli_stdout(), b.p, b.n, cli_err()));
    ft_buf_free(&b);
}
