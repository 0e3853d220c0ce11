/* cli.c: beginning and ending of a tool. */
#define _GNU_SOURCE
#include "tools/cli/cli_internal.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cli_state cli = {.input = "-", .output = "-", .level = 3};

/* Removes what is half written, then dies of the signal, so that the shell sees the truth. */
static void on_signal(int sig)
{
    ft_io_remove_temporaries();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* A mapped model file became shorter than it was. Only async-signal-safe calls from here. */
static void on_sigbus(int sig)
{
    static const char text[] =
        ": a file that was being read became shorter; is it being rewritten?\n";
    (void)sig;
    ft_io_remove_temporaries();
    if (write(STDERR_FILENO, cli.tool->name, strlen(cli.tool->name)) > 0 &&
        write(STDERR_FILENO, text, sizeof text - 1) > 0)
        _exit(65);
    _exit(65);
}

static void install_handlers(void)
{
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction sa = {.sa_handler = on_signal}, old;
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(deadly[i], &sa, NULL);
    sa.sa_handler = on_sigbus;
    sigaction(SIGBUS, &sa, NULL);
    signal(SIGXFSZ, SIG_IGN);    /* a file size limit is then an error of write() */
}

void cli_begin(const cli_tool *tool, int argc, char **argv)
{
    const char *family = getenv("FT_CPU");
    ft_io_guard_standard();
    cli.tool = tool;
    cli.started = cli_now();
    install_handlers();
    if (family && *family && !ft_kernels_family(family))
        cli_usage_error("FT_CPU=%s: no such kernel family on this processor (ref, avx2, avx512)",
                        family);
    cli_parse(argc, argv);
}

const char *cli_input(void)
{
    return cli.input;
}

const char *cli_output(void)
{
    return cli.output;
}

const char *cli_model(void)
{
    if (!cli.model)
        cli_usage_error("which model? give -m MODEL.gguf");
    return cli.model;
}

const char *cli_adapter(void)
{
    return cli.adapter;
}

uint64_t cli_seed(void)
{
    return cli.seed;
}

uint64_t cli_memory(void)
{
    return cli.memory;
}

int cli_json(void)
{
    return cli.json;
}

int cli_verbose(void)
{
    return cli.verbose;
}

size_t cli_arg_count(void)
{
    return cli.n_args;
}

const char *cli_arg(size_t i)
{
    return i < cli.n_args ? cli.args[i] : NULL;
}

ft_pool *cli_pool(void)
{
    if (!cli.pool)
        cli_check(ft_pool_new(&cli.pool, (unsigned)cli.threads, &cli.err));
    return cli.pool;
}

ft_err *cli_err(void)
{
    return &cli.err;
}

void cli_fail(void)
{
    cli_progress_clear();
    if (cli.warnings.n)
        fprintf(stderr, "%s: warnings: %.*s\n", cli.tool->name, (int)cli.warnings.n,
                (const char *)cli.warnings.p);
    fprintf(stderr, "%s: %s\n", cli.tool->name, cli.err.text);
    ft_io_remove_temporaries();
    exit(ft_err_exit_status(cli.err.code ? cli.err.code : FT_ERR_INTERNAL));
}

int cli_check(int rc)
{
    if (rc < 0) {
        if (cli.err.code >= 0)
            ft_err_set(&cli.err, rc, "failed without a reason");
        cli_fail();
    }
    return rc;
}

void cli_usage_error(const char *fmt, ...)
{
    va_list ap;
    cli_progress_clear();
    fprintf(stderr, "%s: ", cli.tool->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nTry '%s --help' or 'man %s'.\n", cli.tool->name, cli.tool->name);
    ft_io_remove_temporaries();
    exit(64);
}

/* ---- text on standard output ---- */

ft_out *cli_stdout(void)
{
    if (!cli.out)
        cli_check(ft_out_open(&cli.out, "-", &cli.err));
    return cli.out;
}

void cli_print(const char *fmt, ...)
{
    char small[1024];
    va_list ap, again;
    int n;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof small) {
        cli_check(ft_out_write(cli_stdout(), small, (size_t)n, &cli.err));
    } else if (n >= 0) {
        char *big = ft_new((size_t)n + 1, 1, &cli.err);
        if (!big)
            cli_fail();
        vsnprintf(big, (size_t)n + 1, fmt, again);
        cli_check(ft_out_write(cli_stdout(), big, (size_t)n, &cli.err));
        ft_free(big);
    }
    va_end(again);
}
