#define PCRE2_CODE_UNIT_WIDTH 8
#include "data/filter_custom.h"

#include "base/mem.h"
#include "data/example.h"
#include "text/words.h"

#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 1000000        /* of matching one text: well under a second */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* ---- parsing ---- */

static int bad(const char *rule, const char *at, const char *what, ft_err *e)
{
    return ft_err_set(e, FT_ERR_USAGE, "character %zu: %s", (size_t)(at - rule) + 1, what);
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* Copies the n characters at p. Returns: 0, or -1 when there are none or too many. */
static int take(char *to, size_t room, const char *p, size_t n)
{
    if (n == 0 || n >= room)
        return -1;
    memcpy(to, p, n);
    to[n] = '\0';
    return 0;
}

/* [length( | words(] field [)]. Returns: what follows, or NULL with e set. */
static const char *parse_field(ft_custom *c, const char *rule, const char *p, ft_err *e)
{
    size_t n;
    if (strncmp(p, "length(", 7) == 0)
        c->of = FT_CUSTOM_LENGTH;
    else if (strncmp(p, "words(", 6) == 0)
        c->of = FT_CUSTOM_WORDS;
    if (c->of != FT_CUSTOM_PLAIN)
        p = skip_blanks(strchr(p, '(') + 1);
    n = strspn(p, NAME_CHARS ".-@");
    if (take(c->field, sizeof c->field, p, n) < 0) {
        bad(rule, p, "a field is wanted here: scores.quality, @response, length(text)", e);
        return NULL;
    }
    if (c->field[0] == '@' && strcmp(c->field, "@prompt") != 0 &&
        strcmp(c->field, "@response") != 0 && strcmp(c->field, "@all") != 0) {
        bad(rule, p, "only @prompt, @response and @all begin with @", e);
        return NULL;
    }
    p = skip_blanks(p + n);
    if (c->of == FT_CUSTOM_PLAIN)
        return p;
    if (*p != ')') {
        bad(rule, p, "a ) is wanted here", e);
        return NULL;
    }
    return skip_blanks(p + 1);
}

static const char *parse_op(ft_custom *c, const char *rule, const char *p, ft_err *e)
{
    static const char *const ops[] = {"<=", ">=", "==", "!=", "!~", "<", ">", "~"};
    static const int of[] = {FT_CUSTOM_LE, FT_CUSTOM_GE, FT_CUSTOM_EQ, FT_CUSTOM_NE,
                             FT_CUSTOM_UNLIKE, FT_CUSTOM_LT, FT_CUSTOM_GT, FT_CUSTOM_LIKE};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strncmp(p, ops[i], strlen(ops[i])) == 0) {
            c->op = of[i];
            return skip_blanks(p + strlen(ops[i]));
        }
    bad(rule, p, "one of < <= > >= == != ~ !~ is wanted here", e);
    return NULL;
}

static int parse_pattern(ft_custom *c, const char *rule, const char *at, ft_err *e)
{
    int code;
    size_t where;
    char why[120] = "";
    c->pattern = pcre2_compile((PCRE2_SPTR)c->text, PCRE2_ZERO_TERMINATED,
                               PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                               &code, &where, NULL);
    if (c->pattern)
        return 0;
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    return bad(rule, at + where, why, e);
}

static int parse_value(ft_custom *c, const char *rule, const char *p, ft_err *e)
{
    size_t n = strlen(p);
    char *end;
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
        n--;
    if (n == 0)
        return bad(rule, p, "a value is wanted here", e);
    if (c->op < FT_CUSTOM_LIKE && *p != '"') {
        c->number = strtod(p, &end);
        c->is_number = end == p + n && isfinite(c->number);
    }
    if (!c->is_number && c->op < FT_CUSTOM_EQ)
        return bad(rule, p, "a number is wanted here", e);
    if (!c->is_number && c->op < FT_CUSTOM_LIKE && c->of != FT_CUSTOM_PLAIN)
        return bad(rule, p, "length() and words() are compared with numbers", e);
    if (c->op >= FT_CUSTOM_LIKE && c->of != FT_CUSTOM_PLAIN)
        return bad(rule, p, "a pattern is matched with a field itself", e);
    if (*p == '"') {
        if (n < 2 || p[n - 1] != '"')
            return bad(rule, p + n, "a closing \" is wanted here", e);
        p++;
        n -= 2;
    }
    c->text = ft_strndup(p, n, e);
    if (!c->text)
        return FT_ERR_NOMEM;
    return c->op >= FT_CUSTOM_LIKE ? parse_pattern(c, rule, p, e) : 0;
}

int ft_custom_parse(ft_custom *c, const char *rule, ft_err *e)
{
    const char *p = skip_blanks(rule);
    size_t n = strspn(p, NAME_CHARS "-");
    int rc;
    *c = (ft_custom){0};
    if (take(c->name, sizeof c->name, p, n) < 0)
        return bad(rule, p, "a name of 1 to 31 letters, digits, _ or - is wanted here", e);
    p = skip_blanks(p + n);
    if (*p != ':')
        return bad(rule, p, "a : is wanted behind the name (NAME: FIELD OP VALUE)", e);
    p = parse_field(c, rule, skip_blanks(p + 1), e);
    if (p)
        p = parse_op(c, rule, p, e);
    if (!p)
        return FT_ERR_USAGE;
    rc = parse_value(c, rule, p, e);
    if (rc < 0)
        ft_custom_free(c);
    return rc;
}

void ft_custom_free(ft_custom *c)
{
    ft_free(c->text);
    if (c->pattern)
        pcre2_code_free(c->pattern);
    *c = (ft_custom){0};
}

/* ---- asking ---- */

/* The value at a dotted path. A name that itself has dots is found as a whole first. */
static int find_field(ft_mp map, const char *path, ft_mp *v)
{
    char name[128];
    const char *dot;
    if (ft_mp_get(map, path, v))
        return 1;
    dot = strchr(path, '.');
    if (!dot || take(name, sizeof name, path, (size_t)(dot - path)) < 0)
        return 0;
    return ft_mp_get(map, name, &map) && find_field(map, dot + 1, v);
}

static size_t count_words(ft_slice s)
{
    size_t words = 0;
    for (size_t i = 0; i < s.n; i++)
        words += s.p[i] > 32 && (i == 0 || s.p[i - 1] <= 32);
    return words;
}

static int matches(const ft_custom *c, ft_slice s, int *holds, ft_err *e)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    int rc = FT_ERR_NOMEM;
    if (!data || !limits) {
        ft_err_nomem(e, 1024);
    } else {
        pcre2_set_match_limit(limits, STEPS_MAX);
        pcre2_set_depth_limit(limits, STEPS_MAX);
        pcre2_set_heap_limit(limits, 65536);                 /* KiB */
        rc = pcre2_match(c->pattern, s.n ? s.p : (const uint8_t *)"", s.n, 0, 0, data, limits);
        *holds = rc >= 0;
        if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
            rc = ft_err_set(e, FT_ERR_DATA, "rule %s: the pattern backtracks over its limit (%d): "
                            "write a simpler one", c->name, rc);
        else
            rc = 0;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return rc;
}

static int compare(const ft_custom *c, double v)
{
    switch (c->op) {
    case FT_CUSTOM_LT: return v < c->number;
    case FT_CUSTOM_LE: return v <= c->number;
    case FT_CUSTOM_GT: return v > c->number;
    case FT_CUSTOM_GE: return v >= c->number;
    case FT_CUSTOM_EQ: return v == c->number;
    default: return v != c->number;
    }
}

static int ask_string(const ft_custom *c, ft_slice s, int *holds, double *value, ft_err *e)
{
    int rc = 0;
    if (c->of == FT_CUSTOM_LENGTH || c->of == FT_CUSTOM_WORDS) {
        *value = (double)(c->of == FT_CUSTOM_LENGTH ? ft_char_count(s.p, s.n) : count_words(s));
        *holds = compare(c, *value);
        return 0;
    }
    if (c->op >= FT_CUSTOM_LIKE) {
        rc = matches(c, s, holds, e);
        *holds ^= c->op == FT_CUSTOM_UNLIKE;
    } else if (c->op >= FT_CUSTOM_EQ) {
        *holds = ft_slice_is(s, c->text) == (c->op == FT_CUSTOM_EQ);
    }
    *value = *holds;
    return rc;
}

static int ask_part(const ft_custom *c, ft_mp record, int *holds, double *value, ft_err *e)
{
    enum ft_part part = strcmp(c->field, "@prompt") == 0     ? FT_PART_PROMPT
                        : strcmp(c->field, "@response") == 0 ? FT_PART_RESPONSE : FT_PART_ALL;
    ft_buf text = {0};
    int rc = ft_example_part(record, part, &text, e);
    if (rc == 0)
        rc = ask_string(c, (ft_slice){text.p, text.n}, holds, value, e);
    ft_buf_free(&text);
    return rc;
}

int ft_custom_holds(const ft_custom *c, ft_mp record, int *holds, double *value, ft_err *e)
{
    ft_mp v;
    ft_slice s;
    int flag;
    *holds = 0;
    *value = 0;
    if (c->field[0] == '@')
        return ask_part(c, record, holds, value, e);
    if (!find_field(record, c->field, &v))
        return 0;
    if (ft_mp_str(v, &s))
        return ask_string(c, s, holds, value, e);
    if (c->of == FT_CUSTOM_LENGTH && ft_mp_type_of(v) == FT_MP_ARRAY)
        *value = (double)ft_mp_count(v);
    else if (c->of == FT_CUSTOM_PLAIN && c->is_number && ft_mp_bool(v, &flag))
        *value = flag;
    else if (c->of != FT_CUSTOM_PLAIN || !c->is_number || !ft_mp_float(v, value))
        return 0;
    *holds = compare(c, *value);
    return 0;
}
