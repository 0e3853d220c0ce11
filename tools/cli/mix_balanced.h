/* mix_balanced.h: ft-mix --balance: reads all records, counts the values of a field, and writes
 * each as often, or with the weight, that the rule asks for. Ends in cli_fail when it fails. */
#ifndef FT_CLI_MIX_BALANCED_H
#define FT_CLI_MIX_BALANCED_H

#include "data/mix_balance.h"
#include "tools/cli/mix_input.h"

typedef struct cli_mix_rule {
    const char *field;
    ft_balance_rule uses;
    const char *weights;               /* "inverse-sqrt", "effective[:BETA]" or NULL        */
    double beta;                       /* of weights; 0: inverse-sqrt                       */
    int shuffle;
    /* Gives a record of input i as it is to be written (valid until the next call). */
    ft_mp (*dress)(void *ctx, size_t i, ft_mp record);
    void *ctx;
} cli_mix_rule;

/* Reads beta from weights. Refuses what is none, and weights beside cap or oversample (usage). */
void cli_mix_rule_check(cli_mix_rule *rule);

/* Reads the inputs one after the other, and writes the balanced records to out. */
void cli_mix_balanced(cli_mix_input *inputs, size_t n, const cli_mix_rule *rule, ft_writer *out);

#endif
