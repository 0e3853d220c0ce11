#include "data/filter_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { W = 1 << FT_PROFILE_WEB, P = 1 << FT_PROFILE_COMPLETION, I = 1 << FT_PROFILE_INSTRUCT,
       K = 1 << FT_PROFILE_CODE };

/* In the order in which they are asked: the first that fires is the reason for a drop. */
const ft_rule_def ft_rule_table[FT_RULES] = {
    {"text_empty", '>', W | P | I | K, 0, "fields without a visible character"},
    {"text_garbled", '>', W | P | I | K, 0,
     "U+FFFD, C1 controls, UTF-8 read as Latin-1, broken UTF-8: how many"},
    {"c4_lorem", '>', W, 0, "lines that say lorem ipsum (C4)"},
    {"c4_curly", '>', W, 0, "lines with a { (C4)"},
    {"c4_sentences", '<', W, 5, "sentences in the lines that C4 keeps (C4)"},
    {"gopher_words_min", '<', W, 50, "words that are no punctuation (Gopher)"},
    {"gopher_words_max", '>', W, 100000, "words that are no punctuation (Gopher)"},
    {"gopher_word_length_min", '<', W, 3, "mean characters of a word (Gopher)"},
    {"gopher_word_length_max", '>', W, 10, "mean characters of a word (Gopher)"},
    {"gopher_hashes", '>', W | P, 0.1, "# to a word (Gopher)"},
    {"gopher_ellipses", '>', W | P, 0.1, "ellipses to a word (Gopher)"},
    {"gopher_bullet_lines", '>', W, 0.9, "share of lines that begin with a bullet (Gopher)"},
    {"gopher_ellipsis_lines", '>', W | P, 0.3, "share of lines that end in an ellipsis (Gopher)"},
    {"gopher_alpha_words", '<', W, 0.8, "share of words with a letter (Gopher)"},
    {"gopher_stop_words", '<', W, 2, "of the be to of and that have with: how many (Gopher)"},
    {"rep_paragraphs", '>', W | P, 0.3, "share of paragraphs that came before (Gopher)"},
    {"rep_paragraph_chars", '>', W | P, 0.2, "their share of the characters (Gopher)"},
    {"rep_lines", '>', W | P, 0.3, "share of lines that came before (Gopher)"},
    {"rep_line_chars", '>', W | P, 0.2, "their share of the characters (Gopher)"},
    {"rep_top_2", '>', W, 0.2, "share of the most frequent 2 words in a row (Gopher)"},
    {"rep_top_3", '>', W, 0.18, "share of the most frequent 3 words in a row (Gopher)"},
    {"rep_top_4", '>', W, 0.16, "share of the most frequent 4 words in a row (Gopher)"},
    {"rep_dup_5", '>', W | P | I, 0.15, "share of 5 words in a row that came before (Gopher)"},
    {"rep_dup_6", '>', W | P | I, 0.14, "share of 6 words in a row that came before (Gopher)"},
    {"rep_dup_7", '>', W | P | I, 0.13, "share of 7 words in a row that came before (Gopher)"},
    {"rep_dup_8", '>', W | P | I, 0.12, "share of 8 words in a row that came before (Gopher)"},
    {"rep_dup_9", '>', W | P | I, 0.11, "share of 9 words in a row that came before (Gopher)"},
    {"rep_dup_10", '>', W | P | I, 0.1, "share of 10 words in a row that came before (Gopher)"},
    {"fineweb_line_ends", '<', W, 0.12, "share of lines that end in punctuation (FineWeb)"},
    {"fineweb_short_lines", '>', W, 0.67, "share of lines of at most 30 characters (FineWeb)"},
    {"fineweb_dup_chars", '>', W, 0.01, "share of characters in repeated lines (FineWeb)"},
    {"fineweb_newlines", '>', W, 0.3, "newlines to a word (FineWeb)"},
    {"char_symbols", '>', P, 0.25, "share of visible characters, neither letter nor digit (NeMo)"},
    {"char_digits", '>', P, 0.15, "share of characters that are digits (NeMo)"},
    {"char_urls", '>', P, 0.2, "share of characters in web addresses (NeMo)"},
    {"char_spaces", '>', P, 0.25, "share of characters that are white space (NeMo)"},
    {"code_line_max", '>', K, 1000, "characters of the longest line (StarCoder)"},
    {"code_line_mean", '>', K, 100, "mean characters of a line (StarCoder)"},
    {"code_alnum", '<', K, 0.25, "share of characters that are letters or digits (StarCoder)"},
    {"code_generated", '>', K, 0, "marks of generated code in the first 5 lines (StarCoder)"},
    {"chat_copy", '>', I, 0, "1: the answer is the prompt or begins with it"},
    {"chat_truncated", '>', I, 0, "1: a bracket, fence or quote stays open; 2: no end mark"},
    {"chat_refusal", '>', I, 0, "refusals and phrases of assistants: how many"},
    {"chat_roles", '>', I, 0, "turns that are out of order: the number of the first"},
    {"chat_residue", '>', I, 0, "marks of templates: <|im_start|>, {{x}} that no prompt has"},
    {"chat_url_only", '>', I, 0, "1: the answer is one web address"},
    {"chat_length_min", '<', I, 0.002, "characters of the answer to one of the prompt"},
    {"chat_length_max", '>', I, 1000, "characters of the answer to one of the prompt"},
    {"chat_language", '>', I, 0, "prompts that name no language and get an answer in another"},
};

const char *ft_profile_name(enum ft_profile p)
{
    static const char *const names[] = {"web", "completion", "instruct", "code"};
    return names[p];
}

ft_rules ft_rules_default(void)
{
    ft_rules r = {.allowed = FT_RULE_BIT(FT_RULES) - 1};
    for (size_t i = 0; i < FT_RULES; i++)
        r.threshold[i] = ft_rule_table[i].threshold;
    return r;
}

/* The bits of the rules that n characters name: a rule, or the group before the first _. */
static uint64_t named(const char *name, size_t n)
{
    uint64_t bits = 0;
    for (size_t i = 0; n && i < FT_RULES; i++) {
        const char *full = ft_rule_table[i].name;
        if (strncmp(full, name, n) == 0 &&
            (full[n] == '\0' || (full[n] == '_' && !memchr(name, '_', n))))
            bits |= FT_RULE_BIT(i);
    }
    return bits;
}

static int names_of(const char *list, uint64_t *bits, ft_err *e)
{
    *bits = 0;
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",\n");
        uint64_t b = named(p, n);
        if (!b)
            return ft_err_set(e, FT_ERR_USAGE, "no rule or group '%.*s' (character %zu); --list "
                              "shows them", (int)(n < 60 ? n : 60), p, (size_t)(p - list) + 1);
        *bits |= b;
        p += n;
        if (!*p)
            return 0;
    }
}

int ft_rules_off(ft_rules *r, const char *list, ft_err *e)
{
    uint64_t bits;
    if (names_of(list, &bits, e) < 0)
        return FT_ERR_USAGE;
    r->allowed &= ~bits;
    return 0;
}

int ft_rules_only(ft_rules *r, const char *list, ft_err *e)
{
    uint64_t bits;
    if (names_of(list, &bits, e) < 0)
        return FT_ERR_USAGE;
    r->allowed &= bits;
    r->forced = bits;
    return 0;
}

int ft_rules_set(ft_rules *r, const char *list, ft_err *e)
{
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, "=,\n"), i;
        char *end;
        double v;
        for (i = 0; i < FT_RULES; i++)
            if (strlen(ft_rule_table[i].name) == n && !strncmp(ft_rule_table[i].name, p, n))
                break;
        if (i == FT_RULES)
            return ft_err_set(e, FT_ERR_USAGE, "no rule '%.*s' (character %zu); --list shows them",
                              (int)(n < 60 ? n : 60), p, (size_t)(p - list) + 1);
        if (p[n] != '=')
            return ft_err_set(e, FT_ERR_USAGE, "%s needs =VALUE", ft_rule_table[i].name);
        p += n + 1;
        v = strtod(p, &end);
        if (end == p || !isfinite(v) || (*end && *end != ',' && *end != '\n'))
            return ft_err_set(e, FT_ERR_USAGE, "%s: no number at character %zu",
                              ft_rule_table[i].name, (size_t)(p - list) + 1);
        r->threshold[i] = v;
        p = end;
        if (!*p)
            return 0;
    }
}

uint64_t ft_rules_of(const ft_rules *r, enum ft_profile p)
{
    uint64_t bits = r->forced;
    for (size_t i = 0; i < FT_RULES; i++)
        if (ft_rule_table[i].profiles >> p & 1)
            bits |= FT_RULE_BIT(i);
    return bits & r->allowed;
}

int ft_rule_fires(const ft_rules *r, size_t rule, double value)
{
    return ft_rule_table[rule].drops == '<' ? value < r->threshold[rule]
                                            : value > r->threshold[rule];
}

size_t ft_rules_first(const ft_rules *r, uint64_t bits, const double *value)
{
    for (; bits; bits &= bits - 1) {
        size_t i = (size_t)__builtin_ctzll(bits);
        if (ft_rule_fires(r, i, value[i]))
            return i;
    }
    return FT_RULES;
}
