#include "tools/cli/train_memory.h"

#include "tools/cli/cli.h"

#include <unistd.h>

uint64_t cli_memory_bound(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (cli_given("memory"))
        return cli_memory();
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

static double mib(size_t bytes)
{
    return (double)bytes / 1048576;
}

void cli_plan_check(const ft_train_plan *p, uint64_t bound)
{
    if (p->fits)
        return;
    ft_err_set(cli_err(), FT_ERR_NOMEM, "training takes %.1f MiB at least (weights %.1f, adapter "
               "and optimiser %.1f, activations and scratch %.1f, the rest %.1f), but %s %.1f MiB: "
               "shorter examples or a smaller adapter take less, and so does what --micro and "
               "--recompute leave to choose", mib(p->peak), mib(p->weights),
               mib(p->adapter + p->optimiser), mib(p->activations + p->scratch),
               mib(p->data + p->other), cli_given("memory") ? "--memory allows"
                                                            : "this machine has", mib(bound));
    cli_fail();
}

void cli_plan_print(const ft_train_plan *p, double seconds)
{
    const struct { const char *name; size_t bytes; } sizes[] = {
        {"weights", p->weights}, {"adapter", p->adapter}, {"optimiser", p->optimiser},
        {"activations", p->activations}, {"scratch", p->scratch}, {"data", p->data},
        {"other", p->other}, {"peak", p->peak}};
    const struct { const char *name; uint64_t n; } counts[] = {
        {"micro_tokens", p->limits.tokens}, {"steps", p->steps}, {"tokens", p->tokens},
        {"shared", p->shared}};
    int json = cli_json();
    if (json)
        cli_print("{");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (json)
            cli_print("\"%s\":%zu,", sizes[i].name, sizes[i].bytes);
        else
            cli_print("%-12s %10.1f MiB\n", sizes[i].name, mib(sizes[i].bytes));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        cli_print(json ? "\"%s\":%llu," : "%-12s %10llu\n", counts[i].name,
                  (unsigned long long)counts[i].n);
    cli_print(json ? "\"compute\":\"%s\",\"recompute\":\"%s\",\"weights_streamed\":%s,"
                   : "compute      %10s\nrecompute    %10s\nstreamed     %10s\n",
              ft_compute_name(p->limits.compute), ft_recompute_name(p->limits.recompute),
              p->limits.stream_weights ? "true" : "false");
    cli_print(json ? "\"seconds\":%.3f}\n"
                   : "seconds      %10.1f  (measured on some of the data, validation not "
                     "counted)\n", seconds);
}
