#define _POSIX_C_SOURCE 200809L
#include "tools/cli/train_adapter.h"

#include "tools/cli/cli.h"
#include "train/adapter_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int write_stream(const cli_adapter_output *a, ft_writer *w, ft_err *e)
{
    ft_counts c = {.read = a->examples};
    int rc = ft_writer_derive(w, a->in, e);
    if (rc == 0 && a->val_in)
        rc = ft_writer_derive_apart(w, a->val_in, e);
    if (rc == 0)
        rc = ft_writer_derive_file(w, "model", &a->model->digest, e);
    if (rc == 0)
        rc = ft_adapter_write(a->adapter, a->model, a->params, w, e);
    if (rc < 0) {
        ft_writer_abandon(&w);
        return rc;
    }
    ft_counts_drop(&c, "trained on", c.read);
    return ft_writer_finish(&w, &c, e);
}

_Noreturn static void save_elsewhere(const cli_adapter_output *a)
{
    ft_err why = *cli_err();
    const char *tmp = getenv("TMPDIR"), *folder = ".";
    char path[4096];
    if (access(folder, W_OK) != 0)
        folder = tmp && *tmp ? tmp : "/tmp";
    snprintf(path, sizeof path, "%s/ft-train.%ld.adapter.ft", folder, (long)getpid());
    if (write_stream(a, cli_writer(path, a->header), cli_err()) < 0)
        cli_fail();
    *cli_err() = why;
    ft_err_wrap(cli_err(), "the adapter was saved as %s, because writing it failed", path);
    cli_fail();
}

void cli_adapter_write(const cli_adapter_output *a, ft_writer *out)
{
    int rc = write_stream(a, out, cli_err());
    if (rc == FT_ERR_IO)
        save_elsewhere(a);
    cli_check(rc);
}
