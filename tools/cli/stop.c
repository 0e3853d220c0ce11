#define _GNU_SOURCE
#include "tools/cli/stop.h"

#include "base/io.h"

#include <signal.h>
#include <stddef.h>

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[SIGNALS];
static volatile sig_atomic_t asked;

static void on_signal(int sig)
{
    if (asked) {
        ft_io_remove_temporaries();
        signal(sig, SIG_DFL);
        raise(sig);
    }
    asked = sig;
}

void cli_stop_begin(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < SIGNALS; i++)
        /* Who ignores a signal, as a shell does for jobs in the background, means it. */
        if (sigaction(signals[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &sa, NULL);
}

int cli_stop_asked(void)
{
    return asked;
}

void cli_stop_end(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
}
