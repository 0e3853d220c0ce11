/* options.c: one table per tool says everything about its options; this file parses by it, prints
 * the help from it and writes the history's option map from it. */
#include "tools/cli/cli_internal.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GIVEN = 64, SHARED_MAX = 16 };

static const cli_option *given[MAX_GIVEN];
static size_t n_given;
static int want_help, want_version;

static const struct { unsigned bit; cli_option option; } shared[] = {
    {CLI_IN, {"input", 'i', CLI_TEXT, &cli.input, "FILE", 0, 0, 0,
              "read FILE, - is standard input"}},
    {CLI_OUT, {"output", 'o', CLI_TEXT, &cli.output, "FILE", 0, 0, 0,
               "write FILE, replaced only when complete"}},
    {CLI_MODEL, {"model", 'm', CLI_TEXT, &cli.model, "MODEL", 0, 0, 0, "the model, a GGUF file"}},
    {CLI_ADAPTER, {"adapter", 'a', CLI_TEXT, &cli.adapter, "FILE", 0, 0, 0,
                   "apply this adapter to the model"}},
    {CLI_THREADS, {"threads", 't', CLI_COUNT, &cli.threads, "N", 0, 256, 0,
                   "threads, 0 for one a processor; never changes the result"}},
    {CLI_SEED, {"seed", 0, CLI_COUNT, &cli.seed, "N", 0, 18446744073709549568.0, 0,
                "seed of all random choices"}},
    {CLI_LEVEL, {"level", 0, CLI_COUNT, &cli.level, "N", 1, 19, 0, "zstd compression level"}},
    {CLI_MEMORY, {"memory", 0, CLI_SIZE, &cli.memory, "SIZE", 0, 0, 0,
                  "refuse to take more, such as 512M or 4G; 0: no bound"}},
    {CLI_HISTORY, {"no-history", 0, CLI_FLAG, &cli.no_history, NULL, 0, 0, 0,
                   "leave the history out of the output"}},
    {0, {"quiet", 'q', CLI_FLAG, &cli.quiet, NULL, 0, 0, 0, "only errors on standard error"}},
    {0, {"verbose", 'v', CLI_FLAG, &cli.verbose, NULL, 0, 0, 0, "say more"}},
    {0, {"json", 0, CLI_FLAG, &cli.json, NULL, 0, 0, 0, "results and the last line as JSON"}},
    {0, {"help", 'h', CLI_FLAG, &want_help, NULL, 0, 0, 0, "show this help"}},
    {0, {"version", 0, CLI_FLAG, &want_version, NULL, 0, 0, 0,
         "show the version, with -v also the kernels in use"}},
};

const cli_option *cli_shared_options(void)
{
    static cli_option table[SHARED_MAX];
    size_t n = 0;
    if (table[0].name)
        return table;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        if (shared[i].bit && !(cli.tool->shared & shared[i].bit))
            continue;
        table[n] = shared[i].option;
        /* -t and other short forms yield to a tool's own. */
        for (const cli_option *o = cli.tool->options; o && o->name; o++)
            if (o->letter == table[n].letter)
                table[n].letter = 0;
        n++;
    }
    return table;
}

/* ---- values ---- */

static const char *size_text(uint64_t v, char *out, size_t cap)
{
    static const char units[] = "KMGT";
    size_t u = 0;
    if (v == 0 || v % 1024 != 0) {
        snprintf(out, cap, "%llu", (unsigned long long)v);
        return out;
    }
    for (v /= 1024; v % 1024 == 0 && u < 3; u++)
        v /= 1024;
    snprintf(out, cap, "%llu%c", (unsigned long long)v, units[u]);
    return out;
}

static _Noreturn void bad_value(const cli_option *o, const char *text, const char *wanted)
{
    cli_usage_error("--%s: '%s' is not %s", o->name, text, wanted);
}

static uint64_t parse_count(const cli_option *o, const char *text)
{
    char wanted[96];
    uint64_t v = 0;
    int bad = *text == '\0';
    for (const char *p = text; *p && !bad; p++)
        bad = *p < '0' || *p > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
              __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
    snprintf(wanted, sizeof wanted, "a whole number from %.0f to %.0f", o->min, o->max);
    if (bad || (double)v < o->min || (double)v > o->max)
        bad_value(o, text, wanted);
    return v;
}

/* strtod without its extras: no spaces, hexadecimal, inf or nan. */
static int parse_decimal(const char *text, double *v, char **end)
{
    if (!*text || strspn(text, "0123456789+-.") == 0 || strchr(text, 'x') || strchr(text, 'X'))
        return 0;
    *v = strtod(text, end);
    return *end != text && isfinite(*v);
}

static double parse_real(const cli_option *o, const char *text)
{
    char wanted[96], *end = NULL;
    double v = 0;
    snprintf(wanted, sizeof wanted, "a number from %g to %g", o->min, o->max);
    if (!parse_decimal(text, &v, &end) || *end || !(v >= o->min && v <= o->max))
        bad_value(o, text, wanted);
    return v;
}

static uint64_t parse_size(const cli_option *o, const char *text)
{
    static const char units[] = "KMGT";
    double v = 0;
    char *end = NULL;
    const char *unit;
    if (!parse_decimal(text, &v, &end) || v < 0)
        bad_value(o, text, "a size such as 512M or 1.5G");
    if (*end) {
        unit = strchr(units, *end & ~32);
        if (!unit || end[1])
            bad_value(o, text, "a size such as 512M or 1.5G");
        v = ldexp(v, 10 * (int)(unit - units + 1));
    }
    if (v >= 0x1p63)
        bad_value(o, text, "a size below 2^63");
    return (uint64_t)v;
}

static const char *parse_choice(const cli_option *o, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = o->metavar; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (n && strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0'))
            return text;
    cli_usage_error("--%s: '%s' is not one of %s", o->name, text, o->metavar);
}

/* Lists live as long as the program. again: the list is one of ours. */
static void add_to_list(const char **list, const char *text, int again)
{
    ft_buf b = {0};
    if (*list) {
        ft_buf_add_str(&b, *list);
        ft_buf_add_byte(&b, '\n');
    }
    ft_buf_add(&b, text, strlen(text) + 1);
    cli_check(ft_buf_check(&b, cli_err()));
    if (again)
        ft_free((void *)(uintptr_t)*list);
    *list = (const char *)b.p;
}

static void set_value(const cli_option *o, const char *text)
{
    switch (o->type) {
    case CLI_FLAG: *(int *)o->value = 1; break;
    case CLI_COUNT: *(uint64_t *)o->value = parse_count(o, text); break;
    case CLI_REAL: *(double *)o->value = parse_real(o, text); break;
    case CLI_TEXT: *(const char **)o->value = text; break;
    case CLI_SIZE: *(uint64_t *)o->value = parse_size(o, text); break;
    case CLI_CHOICE: *(const char **)o->value = parse_choice(o, text); break;
    case CLI_LIST: add_to_list(o->value, text, cli_given(o->name)); break;
    }
    if (!cli_given(o->name) && n_given < MAX_GIVEN)
        given[n_given++] = o;
}

int cli_given(const char *option)
{
    for (size_t i = 0; i < n_given; i++)
        if (strcmp(given[i]->name, option) == 0)
            return 1;
    return 0;
}

/* ---- parsing ---- */

static const cli_option *find(const cli_option *table, const char *name, size_t n, char letter)
{
    for (; table && table->name; table++)
        if (name ? strlen(table->name) == n && strncmp(table->name, name, n) == 0
                 : table->letter == letter)
            return table;
    return NULL;
}

static const cli_option *find_anywhere(const char *name, size_t n, char letter)
{
    const cli_option *o = find(cli.tool->options, name, n, letter);
    return o ? o : find(cli_shared_options(), name, n, letter);
}

static int parse_long(const char *arg, const char *next)
{
    const char *eq = strchr(arg, '=');
    size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
    const cli_option *o = find_anywhere(arg, n, 0);
    if (!o)
        cli_usage_error("unknown option --%.*s", (int)n, arg);
    if (o->type == CLI_FLAG) {
        if (eq)
            cli_usage_error("--%s takes no value", o->name);
        set_value(o, NULL);
        return 0;
    }
    if (!eq && !next)
        cli_usage_error("--%s needs a value (%s)", o->name, o->metavar);
    set_value(o, eq ? eq + 1 : next);
    return !eq;
}

/* A word of short options: flags may be joined, a value may follow directly or as next word. */
static int parse_short(const char *arg, const char *next)
{
    for (; *arg; arg++) {
        const cli_option *o = find_anywhere(NULL, 0, *arg);
        if (!o)
            cli_usage_error("unknown option -%c", *arg);
        if (o->type == CLI_FLAG) {
            set_value(o, NULL);
            continue;
        }
        if (!arg[1] && !next)
            cli_usage_error("-%c needs a value (%s)", *arg, o->metavar);
        set_value(o, arg[1] ? arg + 1 : next);
        return !arg[1];
    }
    return 0;
}

/* ---- help ---- */

static void default_text(const cli_option *o, char *out, size_t cap)
{
    char size[32];
    const char *text;
    out[0] = '\0';
    switch (o->type) {
    case CLI_FLAG: break;
    case CLI_COUNT:
        snprintf(out, cap, " [%llu]", (unsigned long long)*(uint64_t *)o->value);
        break;
    case CLI_REAL: snprintf(out, cap, " [%g]", *(double *)o->value); break;
    case CLI_SIZE:
        snprintf(out, cap, " [%s]", size_text(*(uint64_t *)o->value, size, sizeof size));
        break;
    case CLI_TEXT:
    case CLI_LIST:
    case CLI_CHOICE:
        text = *(const char **)o->value;
        if (text)
            snprintf(out, cap, " [%s]", text);
    }
}

static void print_table(const cli_option *o)
{
    for (; o && o->name; o++) {
        char left[160], def[80];
        if (o->flags & CLI_HIDDEN)
            continue;
        if (o->letter)
            snprintf(left, sizeof left, "-%c, --%s%s%s", o->letter, o->name,
                     o->metavar ? " " : "", o->metavar ? o->metavar : "");
        else
            snprintf(left, sizeof left, "    --%s%s%s", o->name, o->metavar ? " " : "",
                     o->metavar ? o->metavar : "");
        default_text(o, def, sizeof def);
        if (strlen(left) > 26)
            cli_print("  %s\n  %-26s %s%s\n", left, "", o->help, def);
        else
            cli_print("  %-26s %s%s\n", left, o->help, def);
    }
}

static _Noreturn void print_help(void)
{
    const cli_tool *t = cli.tool;
    cli_print("Usage: %s %s\n%s: %s.\n\n", t->name, t->usage, t->name, t->summary);
    if (t->options && t->options->name) {
        print_table(t->options);
        cli_print("\n");
    }
    print_table(cli_shared_options());
    cli_print("\nExamples:\n%s\nSee also: %s\n", t->examples, t->see_also);
    cli.quiet = 1;
    exit(cli_end());
}

static _Noreturn void print_version(void)
{
    cli_print("%s %s\n", cli.tool->name, FT_VERSION);
    if (cli.verbose)
        cli_print("kernels %s, stream format %d\n", ft_kernels_get()->name, FT_STREAM_VERSION);
    cli.quiet = 1;
    exit(cli_end());
}

void cli_parse(int argc, char **argv)
{
    int only_words = 0, positional_input;
    cli.args = ft_new((size_t)argc + 1, sizeof *cli.args, &cli.err);
    if (!cli.args)
        cli_fail();
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (only_words || arg[0] != '-' || arg[1] == '\0')
            cli.args[cli.n_args++] = arg;
        else if (strcmp(arg, "--") == 0)
            only_words = 1;
        else if (arg[1] == '-')
            i += parse_long(arg + 2, next);
        else
            i += parse_short(arg + 1, next);
    }
    if (want_help)
        print_help();
    if (want_version)
        print_version();
    positional_input = cli.tool->max_args == 1 && (cli.tool->shared & CLI_IN);
    if (cli.tool->max_args >= 0 && cli.n_args > (size_t)cli.tool->max_args)
        cli_usage_error("unexpected argument '%s'", cli.args[cli.tool->max_args]);
    if (positional_input && cli.n_args == 1) {
        if (cli_given("input"))
            cli_usage_error("give the input once: -i %s or %s", cli.input, cli.args[0]);
        cli.input = cli.args[0];
    }
}

/* ---- history ---- */

static size_t count_payload(const cli_option *o)
{
    size_t n = 0;
    for (; o && o->name; o++)
        n += (o->flags & CLI_PAYLOAD) != 0;
    return n;
}

void cli_put_options(ft_buf *b)
{
    const cli_option *o = cli.tool->options;
    ft_mp_put_map(b, count_payload(o));
    for (; o && o->name; o++) {
        if (!(o->flags & CLI_PAYLOAD))
            continue;
        ft_mp_put_cstr(b, o->name);
        switch (o->type) {
        case CLI_FLAG: ft_mp_put_bool(b, *(int *)o->value); break;
        case CLI_COUNT:
        case CLI_SIZE: ft_mp_put_uint(b, *(uint64_t *)o->value); break;
        case CLI_REAL: ft_mp_put_float(b, *(double *)o->value); break;
        case CLI_TEXT:
        case CLI_LIST:
        case CLI_CHOICE:
            if (*(const char **)o->value)
                ft_mp_put_cstr(b, *(const char **)o->value);
            else
                ft_mp_put_nil(b);
        }
    }
}
