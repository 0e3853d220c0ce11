/* cli_internal.h: state shared by the files of tools/cli. */
#ifndef FT_CLI_INTERNAL_H
#define FT_CLI_INTERNAL_H

#include "tools/cli/cli.h"

struct cli_state {
    const cli_tool *tool;
    const char *input, *output, *model, *adapter;
    uint64_t threads, seed, level, memory;
    int quiet, verbose, json, no_history;
    const char **args;
    size_t n_args;
    ft_pool *pool;
    ft_err err;
    ft_counts counts;
    int has_counts;              /* a stream was read or written */
    ft_out *out;                 /* cli_stdout, once asked for   */
    ft_buf results_text, results_json, options;
    ft_buf warnings, notes;      /* JSON strings, with --json; printed by the last line */
    double started;              /* seconds, monotonic */
    double progress_at;          /* when the progress line was last drawn */
    int progress_shown;
    const ft_reader *watched;    /* reader whose bytes drive the progress line, and its size */
    double watched_size;
};

extern struct cli_state cli;

/* The table of shared options that the tool takes, {0}-terminated. */
const cli_option *cli_shared_options(void);

/* Parses argv into the tables' values and cli.args; ends the program for --help and --version. */
void cli_parse(int argc, char **argv);

/* Appends the payload-changing options with their values as a msgpack map. */
void cli_put_options(ft_buf *b);

double cli_now(void);            /* seconds, monotonic */
void cli_progress_clear(void);

#endif
