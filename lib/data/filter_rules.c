#include "data/filter_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { W = 1 << FT_PROFILE_WEB, P = 1 << FT_PROFILE_COMPLETION, I = 1 << FT_PROFILE_INSTRUCT,
       K = 1 << FT_PROFILE_CODE };

/* In the order in which they are asked: the first that fires is the reason for a drop. */
const ft_rule_def ft_rule_table[FT_RULES] = {
    {"text_empty", '>', 0, W | P | I | K, "fields without a visible character"},
    {"text_garbled", '>', 0, W | P | I | K,
     "U+FFFD, C1 controls, UTF-8 read as Latin-1, broken UTF-8: how many"},
    {"c4_lorem", '>', 0, W, "lines that say lorem ipsum (C4)"},
    {"c4_curly", '>', 0, W, "lines with a { (C4)"},
    {"c4_sentences", '<', 5, W, "sentences in the lines that C4 keeps (C4)"},
    {"gopher_words_min", '<', 50, W, "words that are no punctuation (Gopher)"},
    {"gopher_words_max", '>', 100000, W, "words that are no punctuation (Gopher)"},
    {"gopher_word_length_min", '<', 3, W, "mean characters of a word (Gopher)"},
    {"gopher_word_length_max", '>', 10, W, "mean characters of a word (Gopher)"},
    {"gopher_hashes", '>', 0.1, W | P, "# to a word (Gopher)"},
    {"gopher_ellipses", '>', 0.1, W | P, "ellipses to a word (Gopher)"},
    {"gopher_bullet_lines", '>', 0.9, W, "share of lines that begin with a bullet (Gopher)"},
    {"gopher_ellipsis_lines", '>', 0.3, W | P, "share of lines that end in an ellipsis (Gopher)"},
    {"gopher_alpha_words", '<', 0.8, W, "share of words with a letter (Gopher)"},
    {"gopher_stop_words", '<', 2, W, "of the be to of and that have with: how many (Gopher)"},
    {"rep_paragraphs", '>', 0.3, W | P, "share of paragraphs that came before (Gopher)"},
    {"rep_paragraph_chars", '>', 0.2, W | P, "their share of the characters (Gopher)"},
    {"rep_lines", '>', 0.3, W | P, "share of lines that came before (Gopher)"},
    {"rep_line_chars", '>', 0.2, W | P, "their share of the characters (Gopher)"},
    {"rep_top_2", '>', 0.2, W, "share of the most frequent 2 words in a row (Gopher)"},
    {"rep_top_3", '>', 0.18, W, "share of the most frequent 3 words in a row (Gopher)"},
    {"rep_top_4", '>', 0.16, W, "share of the most frequent 4 words in a row (Gopher)"},
    {"rep_dup_5", '>', 0.15, W | P | I, "share of 5 words in a row that came before (Gopher)"},
    {"rep_dup_6", '>', 0.14, W | P | I, "share of 6 words in a row that came before (Gopher)"},
    {"rep_dup_7", '>', 0.13, W | P | I, "share of 7 words in a row that came before (Gopher)"},
    {"rep_dup_8", '>', 0.12, W | P | I, "share of 8 words in a row that came before (Gopher)"},
    {"rep_dup_9", '>', 0.11, W | P | I, "share of 9 words in a row that came before (Gopher)"},
    {"rep_dup_10", '>', 0.1, W | P | I, "share of 10 words in a row that came before (Gopher)"},
    {"fineweb_line_ends", '<', 0.12, W, "share of lines that end in punctuation (FineWeb)"},
    {"fineweb_short_lines", '>', 0.67, W, "share of lines of at most 30 characters (FineWeb)"},
    {"fineweb_dup_chars", '>', 0.01, W, "share of characters in repeated lines (FineWeb)"},
    {"fineweb_newlines", '>', 0.3, W, "newlines to a word (FineWeb)"},
    {"char_symbols", '>', 0.25, P, "share of visible characters, neither letter nor digit (NeMo)"},
    {"char_digits", '>', 0.15, P, "share of characters that are digits (NeMo)"},
    {"char_urls", '>', 0.2, P, "share of characters in web addresses (NeMo)"},
    {"char_spaces", '>', 0.25, P, "share of characters that are white space (NeMo)"},
    {"code_line_max", '>', 1000, K, "characters of the longest line (StarCoder)"},
    {"code_line_mean", '>', 100, K, "mean characters of a line (StarCoder)"},
    {"code_alnum", '<', 0.25, K, "share of characters that are letters or digits (StarCoder)"},
    {"code_generated", '>', 0, K, "marks of generated code in the first 5 lines (StarCoder)"},
    {"chat_copy", '>', 0, I, "1: the answer is the prompt or begins with it"},
    {"chat_truncated", '>', 0, I, "1: a bracket, fence or quote stays open; 2: no end mark"},
    {"chat_refusal", '>', 0, I, "refusals and phrases of assistants: how many"},
    {"chat_roles", '>', 0, I, "turns that are out of order: the number of the first"},
    {"chat_residue", '>', 0, I, "marks of templates: ### Response:, <|im_start|>, {{x}} that no prompt has"},
    {"chat_url_only", '>', 0, I, "1: the answer is one web address"},
    {"chat_length_min", '<', 0.002, I, "characters of the answer to one of the prompt"},
    {"chat_length_max", '>', 1000, I, "characters of the answer to one of the prompt"},
    {"chat_language", '>', 0, I, "prompts with an answer in another language, of which they name none"},
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
