#include "tools/cli/mix_balanced.h"

#include "data/set_field.h"

#include <stdlib.h>
#include <string.h>

typedef struct balanced {
    const cli_mix_rule *rule;
    ft_balance *classes;
    ft_mix_store *rows, *shuffled;     /* shuffled: what is to be written, or NULL */
    ft_writer *out;
    ft_buf weight, edited;
} balanced;

void cli_mix_rule_check(cli_mix_rule *rule)
{
    const char *w = rule->weights;
    char *end;
    if (!w)
        return;
    if (rule->uses.cap || rule->uses.oversample)
        cli_usage_error("--weights goes without --cap and --oversample");
    if (strcmp(w, "inverse-sqrt") == 0)
        return;
    rule->beta = 0.999;
    if (strncmp(w, "effective", 9) != 0 || (w[9] != '\0' && w[9] != ':'))
        cli_usage_error("--weights %s: inverse-sqrt, effective or effective:BETA", w);
    if (w[9] == ':') {
        rule->beta = strtod(w + 10, &end);
        if (end == w + 10 || *end || !(rule->beta > 0) || !(rule->beta < 1))
            cli_usage_error("--weights %s: BETA is a number between 0 and 1, such as 0.999", w);
    }
}

/* ---- first pass ---- */

static void add_row(balanced *b, const cli_mix_input *x, ft_mp record)
{
    ft_mp label;
    int rc;
    if (!ft_mp_get(record, b->rule->field, &label))
        rc = ft_err_set(cli_err(), FT_ERR_DATA, "no field %s to balance by", b->rule->field);
    else if ((rc = ft_balance_add(b->classes, label, cli_err())) < 0)
        ft_err_wrap(cli_err(), rc == FT_ERR_NOMEM ? "--memory" : "field %s", b->rule->field);
    if (rc == 0)
        rc = ft_mix_store_add(b->rows, record, cli_err());
    if (rc < 0) {
        ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(x->in),
                    ft_reader_name(x->in));
        cli_fail();
    }
}

static void read_all(balanced *b, cli_mix_input *inputs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cli_mix_input *x = &inputs[i];
        if (ft_reader_header(x->in)->kind == FT_KIND_PACKED)
            cli_usage_error("--balance: packed rows hold several examples; balance before ft-pack");
        for (cli_mix_next(x, CLI_MIX_EXAMPLES); !x->ended; cli_mix_next(x, CLI_MIX_EXAMPLES))
            add_row(b, x, b->rule->dress(b->rule->ctx, i, x->record));
        cli_counts()->read += x->examples;
    }
}

/* Below a tenth of an even share, a class is hardly learnt. */
static void warn_of_rare(const ft_balance *c, uint64_t rows)
{
    size_t n = ft_balance_classes(c);
    uint64_t least = ft_balance_smallest(c);
    if (n > 1 && (double)least * (double)n < 0.1 * (double)rows)
        cli_warn("the rarest of %zu values has %llu of %llu records, under a tenth of an even "
                 "share", n, (unsigned long long)least, (unsigned long long)rows);
}

/* ---- second pass ---- */

static ft_mp weighted(balanced *b, uint64_t row, ft_mp record)
{
    double given = 1;
    (void)ft_mp_get_float(record, "weight", &given);
    ft_buf_clear(&b->weight);
    ft_buf_clear(&b->edited);
    ft_mp_put_float(&b->weight, given * ft_balance_weight(b->classes, row));
    ft_set_field(record, "weight", (ft_mp){b->weight.p, b->weight.n}, &b->edited);
    cli_check(ft_buf_check(&b->weight, cli_err()));
    cli_check(ft_buf_check(&b->edited, cli_err()));
    return (ft_mp){b->edited.p, b->edited.n};
}

static void put(balanced *b, ft_mp record)
{
    if (b->shuffled)
        cli_check(ft_mix_store_add(b->shuffled, record, cli_err()));
    else
        cli_check(ft_writer_put(b->out, record.p, record.n, cli_err()));
}

/* Writes each row that is to be used more than `pass` times. Returns: how many. */
static uint64_t write_pass(balanced *b, uint64_t pass)
{
    ft_mp record;
    uint64_t row, n = 0;
    cli_check(ft_mix_store_begin(b->rows, cli_err()));
    while (cli_check(ft_mix_store_next(b->rows, &record, &row, cli_err())) != FT_EOS)
        if (b->rule->weights ? pass == 0 : ft_balance_copies(b->classes, row) > pass) {
            put(b, b->rule->weights ? weighted(b, row, record) : record);
            n++;
        }
    return n;
}

static void write_all(balanced *b)
{
    uint64_t n, row, left;
    ft_mp record;
    for (uint64_t pass = 0; (n = write_pass(b, pass)) > 0; pass++) {
        cli_counts()->written += n;
        cli_counts()->created += pass > 0 ? n : 0;
    }
    if (b->shuffled) {
        cli_check(ft_mix_store_shuffle(b->shuffled, cli_seed(), 0, cli_err()));
        while (cli_check(ft_mix_store_next(b->shuffled, &record, &row, cli_err())) != FT_EOS)
            cli_check(ft_writer_put(b->out, record.p, record.n, cli_err()));
    }
    left = cli_counts()->read + cli_counts()->created - cli_counts()->written;
    if (left)
        ft_counts_drop(cli_counts(), "over the cap", left);
}

void cli_mix_balanced(cli_mix_input *inputs, size_t n, const cli_mix_rule *rule, ft_writer *out)
{
    balanced b = {.rule = rule, .out = out};
    uint64_t memory = cli_memory() ? cli_memory() : (uint64_t)256 << 20;
    size_t short_of = 0;
    cli_check(ft_balance_new(&b.classes, cli_memory(), cli_err()));
    cli_check(ft_mix_store_new(&b.rows, memory, cli_err()));
    if (rule->shuffle)
        cli_check(ft_mix_store_new(&b.shuffled, memory, cli_err()));
    read_all(&b, inputs, n);
    warn_of_rare(b.classes, cli_counts()->read);
    if (rule->weights)
        ft_balance_weigh(b.classes, rule->beta);
    else
        cli_check(ft_balance_deal(b.classes, &rule->uses, cli_seed(), &short_of, cli_err()));
    write_all(&b);
    if (short_of)
        cli_warn("%zu values stay below the size asked for: no record is used more than %llu "
                 "times; see --max-epochs", short_of, (unsigned long long)rule->uses.uses_max);
    cli_result_count("classes", ft_balance_classes(b.classes));
    cli_result_count("smallest", ft_balance_smallest(b.classes));
    cli_result_count("largest", ft_balance_largest(b.classes));
    ft_balance_free(&b.classes);
    ft_mix_store_free(&b.rows);
    ft_mix_store_free(&b.shuffled);
    ft_buf_free(&b.weight);
    ft_buf_free(&b.edited);
}
