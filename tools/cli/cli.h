/* cli.h: what all tools share: options from a table, streams from options, progress, counts,
 * the last line, the exit status. A tool's main reads as its data flow, and any failure ends in
 * cli_fail, which removes what was half written and exits with the status of the error.
 *
 *     static uint64_t shown = 10;
 *     static const cli_option options[] = {
 *         {"head", 'n', CLI_COUNT, &shown, "N", 0, 1e18, 0, "stop after N records"}, {0}};
 *     static const cli_tool tool = {"ft-cat", "show records as JSON lines", …, options};
 *     int main(int argc, char **argv) {
 *         cli_begin(&tool, argc, argv);                 // --help, --version and misuse end here
 *         ft_reader *in = cli_reader(cli_input(), FT_KIND_ANY);
 *         …  cli_check(ft_buf_check(&b, cli_err()));
 *         return cli_end();
 *     }
 */
#ifndef FT_CLI_H
#define FT_CLI_H

#include "base/err.h"
#include "base/pool.h"
#include "stream/stream.h"

#include <stdint.h>

enum cli_type {
    CLI_FLAG,     /* int: set to 1                                               */
    CLI_COUNT,    /* uint64_t: a whole number in [min, max]                      */
    CLI_REAL,     /* double in [min, max], finite                                */
    CLI_TEXT,     /* const char *                                                */
    CLI_SIZE,     /* uint64_t bytes: 64M, 1.5G (powers of 1024)                   */
    CLI_CHOICE,   /* const char *, one of metavar's words separated by |          */
    CLI_LIST      /* const char *: each time it is given, a line more             */
};

/* flags of an option */
enum { CLI_PAYLOAD = 1,   /* changes what is written: goes into the stream's history           */
       CLI_HIDDEN = 2 };

typedef struct cli_option {
    const char *name;        /* without --; {0} ends the table       */
    char letter;             /* short form or 0                      */
    enum cli_type type;
    void *value;             /* holds the default; --help shows it   */
    const char *metavar;     /* "N", "FILE", "error|cut|drop|split"  */
    double min, max;
    int flags;
    const char *help;        /* one line, no capital, no full stop   */
} cli_option;

/* shared options a tool takes, besides --quiet --verbose --json --help --version */
enum { CLI_IN = 1, CLI_OUT = 2, CLI_MODEL = 4, CLI_ADAPTER = 8, CLI_THREADS = 16, CLI_SEED = 32,
       CLI_LEVEL = 64, CLI_MEMORY = 128, CLI_HISTORY = 256,
       CLI_FILTER = CLI_IN | CLI_OUT | CLI_THREADS | CLI_LEVEL | CLI_HISTORY };

typedef struct cli_tool {
    const char *name;        /* "ft-dedup"                                          */
    const char *summary;     /* one line                                            */
    const char *usage;       /* "[options] [FILE...]" behind the name                */
    const char *examples;    /* two real pipes, a line each                          */
    const char *see_also;    /* "ft-split(1), ft-check(1)"                           */
    unsigned shared;
    int max_args;            /* positional arguments; -1: any number                 */
    const cli_option *options;
} cli_tool;

/* Parses the command line; guards descriptors 0-2; installs signal handlers. */
void cli_begin(const cli_tool *tool, int argc, char **argv);

/* Values of shared options. */
const char *cli_input(void);      /* -i, or the only positional argument of a CLI_IN tool, or "-" */
const char *cli_output(void);     /* -o or "-" */
const char *cli_model(void);      /* -m; usage error when the tool needs one and none was given */
const char *cli_adapter(void);    /* -a or NULL */
uint64_t cli_seed(void);
uint64_t cli_memory(void);        /* bytes; 0: not given */
int cli_json(void);
int cli_verbose(void);
size_t cli_arg_count(void);
const char *cli_arg(size_t i);
int cli_given(const char *option);            /* whether the user gave this option */
ft_pool *cli_pool(void);                      /* --threads threads (0 = all processors) */
ft_err *cli_err(void);                        /* where libft calls may put their error */

/* Ends the program. cli_fail prints "tool: text of cli_err()" and exits with its status;
 * cli_check does so when rc < 0 and otherwise returns rc. */
_Noreturn void cli_fail(void);
int cli_check(int rc);
_Noreturn void cli_usage_error(const char *fmt, ...) FT_PRINTF(1, 2);
void cli_warn(const char *fmt, ...) FT_PRINTF(1, 2);       /* "tool: warning: …" on stderr; with
                                                            * --json part of the last line */
void cli_note(const char *fmt, ...) FT_PRINTF(1, 2);       /* the same; silent with --quiet   */

/* Opens streams; a terminal is refused for binary data. Both end in cli_fail when they fail. */
ft_reader *cli_reader(const char *path, ft_kind kind);
/* h: kind and what the kind wants; tool, options and seed are filled in here. */
ft_writer *cli_writer(const char *path, ft_header h);

/* The same in two steps, for a header that is known only after all input was read. */
ft_out *cli_writer_out(const char *path);
ft_writer *cli_writer_on(ft_out *out, ft_header h);

/* The options that change what is written, as the map that headers hold. */
ft_mp cli_payload_options(void);

/* A header for a stream derived from in: its tokenizer, template, extra and
 * claimed certificates are kept. */
ft_header cli_header_from(const ft_reader *in, ft_kind kind);

/* The next record: 1, or 0 at the verified end; fails otherwise. Shows progress. */
int cli_next(ft_reader *in, ft_mp *record);

/* Progress on stderr when it is a terminal: "label 12 % 3.4 MB/s ETA 0:12", at most 5 a second. */
void cli_progress(const char *label, double done, double total, const char *unit);

/* Counts in examples; finish writes them into the trailer, cli_end prints them. */
ft_counts *cli_counts(void);
void cli_finish(ft_writer **w);               /* ft_writer_finish with cli_counts, or cli_fail */

/* Adds a field to the last line (text form: "key value", JSON form: "key":value). */
void cli_result_count(const char *key, uint64_t v);
void cli_result_real(const char *key, double v);
void cli_result_text(const char *key, const char *v);

/* Text results on standard output, buffered and checked. */
ft_out *cli_stdout(void);
void cli_print(const char *fmt, ...) FT_PRINTF(1, 2);

/* Prints the last line on stderr, closes standard output checked. Returns: 0, or fails. */
int cli_end(void);

#endif
