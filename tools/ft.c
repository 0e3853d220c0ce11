/* ft NAME ...: runs ft-NAME, the one next to this program before one in PATH. The only tool that
 * starts a program, and it becomes that program. */
#define _GNU_SOURCE
#include "tools/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the order in which data flows. */
static const struct { const char *name, *does; } tools[] = {
    {"import", "JSON lines or text -> examples"},
    {"export", "examples -> JSON lines or text"},
    {"dedup", "drop examples that were there before"},
    {"filter", "drop, tag or mask examples by rules of quality"},
    {"label", "find wrong labels and bad answers; apply what was accepted"},
    {"split", "training, validation and test parts that share nothing"},
    {"stats", "what is in a data set, how varied it is, what it covers"},
    {"mix", "several streams by exact shares; balance classes; shuffle"},
    {"augment", "more examples: templates, slots, typing noise, EDA"},
    {"tokenize", "examples -> token ids and targets"},
    {"pack", "fill windows of N tokens; examples never see each other"},
    {"train", "train an adapter"},
    {"eval", "loss, perplexity, bits per byte"},
    {"shots", "examples before each question, fixed or the nearest"},
    {"generate", "answer the prompts of a stream"},
    {"compare", "whether one system is better than another, from their scores"},
    {"merge", "put an adapter into its base model"},
    {"quant", "write a model in another number format"},
    {"cat", "show records as JSON lines"},
    {"check", "verify a stream, an adapter or a model; show its history"},
};

static const cli_option no_options[] = {{0}};
static const cli_tool tool = {
    "ft", "fine-tune language models with pipes; alone it lists the tools", "[NAME [argument...]]",
    "  ft import <chat.jsonl | ft dedup | ft tokenize -m model.gguf | ft pack -l 512 >packed.ft\n"
    "  ft train -m model.gguf <packed.ft | ft merge -m model.gguf -a - -o tuned.gguf\n",
    "ft-import(1), ft-train(1), ft-check(1)", 0, 0, no_options};

/* Tool names are short words; anything else (a slash above all) is not looked for. */
static int is_word(const char *name)
{
    size_t n = strlen(name);
    return n < 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* Returns only when ft-NAME cannot be run; then errno says why. */
static void run_tool(const char *name, char **argv)
{
    char self[4096], path[sizeof self + 64], program[64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;
    snprintf(program, sizeof program, "ft-%s", name);
    argv[0] = program;
    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash) {
        *slash = '\0';
        snprintf(path, sizeof path, "%s/%s", self, program);
        execv(path, argv);
    }
    execvp(program, argv);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-') {
        const char *name = argv[1];
        int known = is_word(name);
        if (known)
            run_tool(name, argv + 1);
        if (known && errno != ENOENT)
            fprintf(stderr, "ft: cannot run ft-%s: %s\n", name, strerror(errno));
        else
            fprintf(stderr, "ft: there is no tool '%s'; `ft` lists them\n", name);
        return 64;
    }
    cli_begin(&tool, argc, argv);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        cli_print("ft %-10s %s\n", tools[i].name, tools[i].does);
    return cli_end();
}
