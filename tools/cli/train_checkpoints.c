#include "tools/cli/train_checkpoints.h"

#include "tools/cli/cli.h"
#include "tools/cli/stop.h"

void cli_checkpoints_open(cli_checkpoints *c)
{
    if (!c->path)
        return;
    cli_check(ft_checkpoint_folder_open(&c->folder, c->path, cli_err()));
    if (c->folder->n > 0 && !c->resume)
        cli_usage_error("%s holds checkpoints of a run: go on with it by --resume, or give an "
                        "empty folder", c->path);
}

void cli_checkpoints_free(cli_checkpoints *c)
{
    ft_checkpoint_folder_free(&c->folder);
}

/* Returns: whether the checkpoint is whole; extra receives what its header says. */
static int is_whole(const char *path, ft_buf *extra)
{
    int rc = ft_checkpoint_verify(path, cli_pool(), extra, cli_err());
    if (rc != FT_ERR_DATA && rc != FT_ERR_TRUNCATED)
        return cli_check(rc) == 0;
    cli_warn("a checkpoint is damaged, the one before it is tried: %s", cli_err()->text);
    ft_err_set(cli_err(), FT_OK, "%s", "");
    return 0;
}

/* Returns: whether there was a good checkpoint; then log is what its logs have. */
static int go_on(cli_checkpoints *c, ft_trainer *t, ft_log_digests *log)
{
    ft_train_state s = ft_trainer_state(t);
    const char *path = NULL;
    ft_buf extra = {0};
    size_t i = c->folder ? c->folder->n : 0;
    while (i > 0 && !is_whole(path = ft_checkpoint_path(c->folder, c->folder->steps[i - 1]),
                              &extra))
        i--;
    if (i > 0) {
        int rc = ft_checkpoint_fits((ft_mp){extra.p, extra.n}, &c->run, cli_err());
        if (rc < 0)
            ft_err_wrap(cli_err(), "%s cannot be gone on with", path);
        if (rc == 0)
            rc = ft_checkpoint_read(path, cli_pool(), &s, log, cli_err());
        if (rc == 0 && s.step != c->folder->steps[i - 1])
            rc = ft_err_set(cli_err(), FT_ERR_DATA, "%s holds step %llu: it was renamed", path,
                            (unsigned long long)s.step);
        if (rc == 0 && (rc = ft_trainer_restore(t, &s, cli_err())) < 0)
            ft_err_wrap(cli_err(), "%s", path);
        cli_check(rc);
        cli_check(ft_checkpoint_folder_took(c->folder, s.step, cli_err()));
        cli_note("going on after step %llu of %llu", (unsigned long long)s.step,
                 (unsigned long long)ft_trainer_steps(t));
    }
    ft_buf_free(&extra);
    return i > 0;
}

void cli_checkpoints_begin(cli_checkpoints *c, ft_trainer *t, cli_train_logs *logs)
{
    ft_log_digests digests;
    c->run.data = ft_reader_digest(c->in);
    if (c->val_in)
        c->run.validation = ft_reader_digest(c->val_in);
    if (c->init)
        c->run.init = ft_reader_digest(c->init);
    if (c->forget_in)
        c->run.forget = ft_reader_digest(c->forget_in);
    c->run.options = cli_payload_options();
    c->header = cli_header_from(c->in, FT_KIND_CHECKPOINT);
    if (go_on(c, t, &digests))
        cli_train_logs_go_on(logs, ft_trainer_state(t).step, &digests);
    else if (c->resume)
        cli_train_logs_begin(logs);
    if (c->path)
        cli_stop_begin();
}

/* Writes the whole stream to w, which is gone afterwards. */
static int write_stream(const cli_checkpoints *c, const ft_train_state *s, ft_writer *w, ft_err *e)
{
    ft_counts counts = {0};
    int rc = ft_writer_derive(w, c->in, e);
    if (rc == 0 && c->val_in)
        rc = ft_writer_derive_apart(w, c->val_in, e);
    if (rc == 0 && c->init)
        rc = ft_writer_derive(w, c->init, e);
    if (rc == 0 && c->forget_in)
        rc = ft_writer_derive_apart(w, c->forget_in, e);
    if (rc == 0)
        rc = ft_writer_derive_file(w, "model", &c->run.model, e);
    if (rc == 0)
        rc = ft_checkpoint_write(s, w, e);
    if (rc == 0)
        return ft_writer_finish(&w, &counts, e);
    ft_writer_abandon(&w);
    return rc;
}

static void save(cli_checkpoints *c, const ft_trainer *t, const ft_log_digests *log)
{
    ft_train_state s = ft_trainer_state(t);
    ft_header h = c->header;
    ft_buf extra = {0};
    if (ft_checkpoint_header(&c->run, &s, log, &h, &extra, cli_err()) < 0)
        cli_checkpoints_fail(c);
    if (write_stream(c, &s, cli_writer(ft_checkpoint_path(c->folder, s.step), h), cli_err()) < 0)
        cli_checkpoints_fail(c);
    cli_check(ft_checkpoint_folder_saved(c->folder, s.step, cli_err()));
    ft_buf_free(&extra);
}

_Noreturn static void stop(cli_checkpoints *c, const ft_trainer *t)
{
    ft_train_state s = ft_trainer_state(t);
    ft_err_set(cli_err(), FT_ERR_STOPPED, "stopped by a signal after step %llu of %llu, which is "
               "saved as %s: the same command with --resume goes on",
               (unsigned long long)s.step, (unsigned long long)ft_trainer_steps(t),
               ft_checkpoint_path(c->folder, s.step));
    cli_fail();
}

void cli_checkpoints_step(cli_checkpoints *c, const ft_trainer *t, cli_train_logs *logs)
{
    ft_log_digests digests = cli_train_logs_digests(logs);
    int over = ft_trainer_is_over(t), stopping = cli_stop_asked() && !over;
    if (!c->path || (ft_trainer_state(t).step % c->every != 0 && !over && !stopping))
        return;
    cli_train_logs_sync(logs);    /* no checkpoint of steps that the log may lose */
    save(c, t, &digests);
    if (stopping)
        stop(c, t);
}

void cli_checkpoints_end(cli_checkpoints *c)
{
    if (c->path)
        cli_stop_end();
}

void cli_checkpoints_fail(cli_checkpoints *c)
{
    ft_err why = *cli_err();
    if (c->folder && c->folder->good)
        ft_err_set(cli_err(), why.code, "%s; the last good checkpoint is %s", why.text,
                   ft_checkpoint_path(c->folder, c->folder->good));
    cli_fail();
}
