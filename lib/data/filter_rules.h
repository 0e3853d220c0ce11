/* filter_rules.h: the quality rules: their names, thresholds, profiles, and which of them are on.
 *
 * A rule gives each example one number and drops it when the number lies on the wrong side of a
 * threshold. So values can be written into records and thresholds moved without computing again.
 *
 *     ft_rules r = ft_rules_default();
 *     if (ft_rules_set(&r, "gopher_words_min=20", e) < 0) …
 *     if (ft_rules_off(&r, "c4,rep_top_2", e) < 0) …
 *     uint64_t on = ft_rules_of(&r, FT_PROFILE_WEB);
 *     if (on & FT_RULE_BIT(i) && ft_rule_fires(&r, i, value[i])) …
 *
 * What it does not do: compute values (filter_text.h, filter_chat.h). */
#ifndef FT_FILTER_RULES_H
#define FT_FILTER_RULES_H

#include "base/err.h"

#include <stdint.h>

enum ft_rule {
    FT_RULE_EMPTY, FT_RULE_GARBLED,
    FT_RULE_C4_LOREM, FT_RULE_C4_CURLY, FT_RULE_C4_SENTENCES,
    FT_RULE_WORDS_MIN, FT_RULE_WORDS_MAX, FT_RULE_WORD_LENGTH_MIN, FT_RULE_WORD_LENGTH_MAX,
    FT_RULE_HASHES, FT_RULE_ELLIPSES, FT_RULE_BULLET_LINES, FT_RULE_ELLIPSIS_LINES,
    FT_RULE_ALPHA_WORDS, FT_RULE_STOP_WORDS,
    FT_RULE_REP_PARAGRAPHS, FT_RULE_REP_PARAGRAPH_CHARS, FT_RULE_REP_LINES, FT_RULE_REP_LINE_CHARS,
    FT_RULE_REP_TOP_2, FT_RULE_REP_TOP_3, FT_RULE_REP_TOP_4,
    FT_RULE_REP_DUP_5, FT_RULE_REP_DUP_6, FT_RULE_REP_DUP_7, FT_RULE_REP_DUP_8, FT_RULE_REP_DUP_9,
    FT_RULE_REP_DUP_10,
    FT_RULE_LINE_ENDS, FT_RULE_SHORT_LINES, FT_RULE_DUP_CHARS, FT_RULE_NEWLINES,
    FT_RULE_SYMBOLS, FT_RULE_DIGITS, FT_RULE_URLS, FT_RULE_SPACES,
    FT_RULE_CODE_LINE_MAX, FT_RULE_CODE_LINE_MEAN, FT_RULE_CODE_ALNUM, FT_RULE_CODE_GENERATED,
    FT_RULE_COPY, FT_RULE_TRUNCATED, FT_RULE_REFUSAL, FT_RULE_ROLES, FT_RULE_RESIDUE,
    FT_RULE_URL_ONLY, FT_RULE_LENGTH_MIN, FT_RULE_LENGTH_MAX, FT_RULE_LANGUAGE_DIFFERS,
    FT_RULES
};
#define FT_RULE_BIT(i) (UINT64_C(1) << (i))

enum ft_profile { FT_PROFILE_WEB, FT_PROFILE_COMPLETION, FT_PROFILE_INSTRUCT, FT_PROFILE_CODE,
                  FT_PROFILES };
const char *ft_profile_name(enum ft_profile p);

typedef struct ft_rule_def {
    const char *name;        /* "gopher_words_min"; its group is what stands before the first _ */
    char drops;              /* '<': dropped below the threshold; '>': above */
    unsigned profiles;       /* 1 << enum ft_profile */
    double threshold;
    const char *what;        /* what the value is, and whose rule it is */
} ft_rule_def;
extern const ft_rule_def ft_rule_table[FT_RULES];

typedef struct ft_rules {
    double threshold[FT_RULES];
    uint64_t allowed;        /* neither switched off nor left out */
    uint64_t forced;         /* by ft_rules_only: on in every profile */
} ft_rules;

ft_rules ft_rules_default(void);

/* Each takes names of rules or groups that commas or newlines separate; set takes rule=value.
 * Errors: FT_ERR_USAGE naming what it does not know and where. */
int ft_rules_set(ft_rules *r, const char *list, ft_err *e) FT_MUST_CHECK;
int ft_rules_off(ft_rules *r, const char *list, ft_err *e) FT_MUST_CHECK;
int ft_rules_only(ft_rules *r, const char *list, ft_err *e) FT_MUST_CHECK;

/* Returns: the bits of the rules that are on in a profile. */
uint64_t ft_rules_of(const ft_rules *r, enum ft_profile p);

/* Returns: whether a value lies on the wrong side. Equal to the threshold is right. */
int ft_rule_fires(const ft_rules *r, size_t rule, double value);

/* Returns: the first of the rules of `bits` that fires on its value, or FT_RULES. */
size_t ft_rules_first(const ft_rules *r, uint64_t bits, const double *value);

#endif
