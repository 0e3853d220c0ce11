/* report.c: what a tool says on standard error: progress, warnings and the last line. */
#define _GNU_SOURCE
#include "tools/cli/cli_internal.h"

#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(const char *kind, const char *fmt, va_list ap)
{
    cli_progress_clear();
    fprintf(stderr, "%s: %s", cli.tool->name, kind);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

/* With --json it waits for the last line, so that standard error is one object. */
static void keep(ft_buf *list, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    ft_buf_add_str(list, list->n ? "," : "");
    ft_json_put_string(list, text, strlen(text));
}

void cli_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (cli.json)
        keep(&cli.warnings, fmt, ap);
    else
        say("warning: ", fmt, ap);
    va_end(ap);
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    if (cli.quiet)
        return;
    va_start(ap, fmt);
    if (cli.json)
        keep(&cli.notes, fmt, ap);
    else
        say("", fmt, ap);
    va_end(ap);
}

/* ---- progress ---- */

static const double redraw_seconds = 0.2;

void cli_progress_clear(void)
{
    if (cli.progress_shown)
        fputs("\r\033[K", stderr);
    cli.progress_shown = 0;
}

/* 12345678 -> "12.3M" */
static const char *short_number(double v, char out[16])
{
    static const char units[] = " kMGTP";
    size_t u = 0;
    while (v >= 999.5 && u + 2 < sizeof units) {
        v /= 1000;
        u++;
    }
    snprintf(out, 16, v < 9.995 && u ? "%.2f%c" : v < 99.95 && u ? "%.1f%c" : "%.0f%c", v,
             units[u]);
    return out;
}

void cli_progress(const char *label, double done, double total, const char *unit)
{
    char rate[16], sofar[16];
    double now = cli_now(), spent = now - cli.started, left;
    static int tty = -1;
    if (tty < 0)
        tty = isatty(STDERR_FILENO);
    if (!tty || cli.quiet || now - cli.progress_at < redraw_seconds || !(spent > 0))
        return;
    cli.progress_at = now;
    cli.progress_shown = 1;
    fprintf(stderr, "\r%s %s%s%s%s", cli.tool->name, label ? label : "", label ? " " : "",
            short_number(done, sofar), unit);
    if (total > 0)
        fprintf(stderr, " %.0f %%", 100 * fmin(done / total, 1));
    fprintf(stderr, " %s%s/s", short_number(done / spent, rate), unit);
    left = total > done && done > 0 ? (total - done) * spent / done : 0;
    if (left > 0)
        fprintf(stderr, " ETA %.0f:%02.0f", floor(left / 60), fmod(floor(left), 60));
    fputs("\033[K", stderr);
}

/* ---- the last line ---- */

static void result_key(const char *key)
{
    ft_buf_add_fmt(&cli.results_text, ", %s ", key);
    ft_buf_add_str(&cli.results_json, ",");
    ft_json_put_string(&cli.results_json, key, strlen(key));
    ft_buf_add_str(&cli.results_json, ":");
}

void cli_result_count(const char *key, uint64_t v)
{
    result_key(key);
    ft_buf_add_fmt(&cli.results_text, "%llu", (unsigned long long)v);
    ft_buf_add_fmt(&cli.results_json, "%llu", (unsigned long long)v);
}

void cli_result_real(const char *key, double v)
{
    result_key(key);
    ft_buf_add_fmt(&cli.results_text, "%.6g", v);
    if (isfinite(v))
        ft_buf_add_fmt(&cli.results_json, "%.17g", v);
    else
        ft_buf_add_str(&cli.results_json, "null");
}

void cli_result_text(const char *key, const char *v)
{
    result_key(key);
    ft_buf_add_str(&cli.results_text, v);
    ft_json_put_string(&cli.results_json, v, strlen(v));
}

static void put_counts_text(ft_buf *b)
{
    const ft_counts *c = &cli.counts;
    ft_buf_add_fmt(b, ", read %llu", (unsigned long long)c->read);
    if (c->created)
        ft_buf_add_fmt(b, ", created %llu", (unsigned long long)c->created);
    ft_buf_add_fmt(b, ", written %llu", (unsigned long long)c->written);
    for (size_t i = 0; i < c->n_reasons; i++)
        ft_buf_add_fmt(b, ", dropped %llu (%s)", (unsigned long long)c->dropped[i].n,
                       c->dropped[i].reason);
}

static void put_counts_json(ft_buf *b)
{
    const ft_counts *c = &cli.counts;
    ft_buf_add_fmt(b, ",\"read\":%llu,\"created\":%llu,\"written\":%llu,\"dropped\":{",
                   (unsigned long long)c->read, (unsigned long long)c->created,
                   (unsigned long long)c->written);
    for (size_t i = 0; i < c->n_reasons; i++) {
        if (i)
            ft_buf_add_byte(b, ',');
        ft_json_put_string(b, c->dropped[i].reason, strlen(c->dropped[i].reason));
        ft_buf_add_fmt(b, ":%llu", (unsigned long long)c->dropped[i].n);
    }
    ft_buf_add_byte(b, '}');
}

static void put_list(ft_buf *b, const char *key, const ft_buf *list)
{
    if (list->n)
        ft_buf_add_fmt(b, ",\"%s\":[%.*s]", key, (int)list->n, (const char *)list->p);
}

static void last_line(void)
{
    ft_buf b = {0};
    double seconds = cli_now() - cli.started;
    if (cli.quiet && !cli.json)
        return;
    if (!cli.has_counts && cli.results_text.n + cli.warnings.n + cli.notes.n == 0)
        return;
    if (cli.json) {
        ft_buf_add_str(&b, "{\"tool\":");
        ft_json_put_string(&b, cli.tool->name, strlen(cli.tool->name));
        if (cli.has_counts)
            put_counts_json(&b);
        ft_buf_add(&b, cli.results_json.p, cli.results_json.n);
        put_list(&b, "warnings", &cli.warnings);
        put_list(&b, "notes", &cli.notes);
        ft_buf_add_fmt(&b, ",\"seconds\":%.3f}\n", seconds);
    } else {
        if (cli.has_counts)
            put_counts_text(&b);
        ft_buf_add(&b, cli.results_text.p, cli.results_text.n);
        ft_buf_add_fmt(&b, "; %.1f s\n", seconds);
    }
    if (b.failed)
        return;
    /* The text form begins with the ", " of its first item: the tool's name takes its place. */
    if (cli.json)
        fprintf(stderr, "%.*s", (int)b.n, (const char *)b.p);
    else
        fprintf(stderr, "%s: %.*s", cli.tool->name, (int)b.n - 2, (const char *)b.p + 2);
    ft_buf_free(&b);
}

int cli_end(void)
{
    cli_progress_clear();
    if (cli.out)
        cli_check(ft_out_commit(&cli.out, &cli.err));
    last_line();
    ft_pool_free(&cli.pool);
    ft_buf_free(&cli.options);
    ft_buf_free(&cli.results_text);
    ft_buf_free(&cli.results_json);
    ft_buf_free(&cli.warnings);
    ft_buf_free(&cli.notes);
    ft_free(cli.args);
    return 0;
}
