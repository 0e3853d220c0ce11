#define _GNU_SOURCE
#include "tools/cli/train_log.h"

#include "base/json.h"
#include "tools/cli/cli.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

static const char speed_key[] = ",\"tokens_per_s\":";

/* Takes a line into the digest, its speed left out. line: n bytes, the newline included. */
static void digest_line(ft_digest *d, const char *line, size_t n)
{
    const char *speed = memmem(line, n, speed_key, sizeof speed_key - 1);
    size_t first = speed ? (size_t)(speed - line) : n, rest = first;
    ft_buf b = {0};
    if (speed)
        rest += sizeof speed_key - 1;
    while (rest < n && line[rest] != ',' && line[rest] != '}')
        rest++;
    ft_buf_add(&b, d->b, sizeof d->b);
    ft_buf_add(&b, line, first);
    ft_buf_add(&b, line + rest, n - rest);
    cli_check(ft_buf_check(&b, cli_err()));
    *d = ft_digest_of(b.p, b.n);
    ft_buf_free(&b);
}

/* ---- writing ---- */

static void begin(cli_train_log *log, const char *path)
{
    *log = (cli_train_log){.path = path};
    if (path)
        cli_check(ft_out_open_log(&log->out, path, cli_err()));
}

void cli_train_logs_begin(cli_train_logs *logs)
{
    begin(&logs->steps, logs->steps_path);
    begin(&logs->examples, logs->examples_path);
}

static void flush(cli_train_log *log)
{
    if (log->out)
        cli_check(ft_out_flush(log->out, cli_err()));
}

static void put_line(cli_train_log *log, ft_buf *b)
{
    cli_check(ft_buf_check(b, cli_err()));
    digest_line(&log->digest, (const char *)b->p, b->n);
    if (log->out) {
        cli_check(ft_out_write(log->out, b->p, b->n, cli_err()));
    }
    ft_buf_clear(b);
}

static void put_real(ft_buf *b, const char *key, double v)
{
    ft_buf_add_fmt(b, ",\"%s\":", key);
    ft_json_put_double(b, v);
}

static void put_step(cli_train_log *log, const ft_train_report *p, int with_kl, ft_buf *b)
{
    ft_buf_add_fmt(b, "{\"step\":%llu", (unsigned long long)p->step);
    put_real(b, "loss", p->loss);
    if (with_kl)
        put_real(b, "kl", p->kl);
    put_real(b, "lr", p->lr);
    put_real(b, "grad_norm", p->grad_norm);
    ft_buf_add_fmt(b, ",\"tokens\":%llu%s%.1f}\n", (unsigned long long)p->tokens, speed_key,
                   (double)p->tokens / fmax(p->seconds, 1e-9));
    put_line(log, b);
}

static void put_evaluation(cli_train_log *log, const ft_train_report *p, ft_buf *b)
{
    ft_buf_add_fmt(b, "{\"step\":%llu", (unsigned long long)p->step);
    if (p->validated)
        put_real(b, "val_loss", p->val_loss);
    if (p->evaluated)
        put_real(b, "train_loss", p->train_loss);
    if (p->validated)
        put_real(b, "gap", p->val_loss - p->train_loss);
    if (p->forgets) {
        put_real(b, "forget_loss", p->forget_loss);
        put_real(b, "forget_rise", p->forget_rise);
    }
    ft_buf_add_str(b, "}\n");
    put_line(log, b);
}

static void put_examples(cli_train_log *log, const ft_train_report *p, const ft_trainer *t,
                         ft_dataset *train, ft_buf *b)
{
    size_t n;
    const ft_example_loss *x = ft_trainer_examples(t, &n);
    ft_buf id = {0};
    for (size_t i = 0; i < n; i++) {
        cli_check(ft_dataset_id(train, x[i].example, &id, cli_err()));
        ft_buf_add_str(b, "{\"id\":");
        ft_json_put(b, (ft_mp){id.p, id.n});
        ft_buf_add_fmt(b, ",\"epoch\":%llu,\"step\":%llu", (unsigned long long)p->epoch,
                       (unsigned long long)p->step);
        put_real(b, "loss", x[i].loss);
        ft_buf_add_fmt(b, ",\"targets\":%u}\n", x[i].targets);
        put_line(log, b);
    }
    ft_buf_free(&id);
}

void cli_train_logs_step(cli_train_logs *logs, const ft_train_report *p, const ft_trainer *t,
                         ft_dataset *train)
{
    ft_buf b = {0};
    if (p->step > 0)
        put_step(&logs->steps, p, ft_trainer_anchored(t), &b);
    if (p->evaluated || p->forgets)
        put_evaluation(&logs->steps, p, &b);
    flush(&logs->steps);
    if (p->step > 0) {
        put_examples(&logs->examples, p, t, train, &b);
        flush(&logs->examples);
    }
    ft_buf_free(&b);
}

ft_log_digests cli_train_logs_digests(const cli_train_logs *logs)
{
    return (ft_log_digests){logs->steps.digest, logs->examples.digest};
}

static void sync_log(cli_train_log *log)
{
    if (!log->out)
        return;
    cli_check(ft_out_sync(log->out, cli_err()));
    if (log->path)
        cli_check(ft_io_sync_folder_of(log->path, cli_err()));
    log->path = NULL;
}

void cli_train_logs_sync(cli_train_logs *logs)
{
    sync_log(&logs->steps);
    sync_log(&logs->examples);
}

void cli_train_logs_end(cli_train_logs *logs)
{
    if (logs->steps.out)
        cli_check(ft_out_commit(&logs->steps.out, cli_err()));
    if (logs->examples.out)
        cli_check(ft_out_commit(&logs->examples.out, cli_err()));
}

/* ---- going on ---- */

/* Returns: the number behind "step": in a line, which no text within it can be taken for, as quotes
 * stand there behind a backslash; UINT64_MAX: there is none. */
static uint64_t step_of(const char *line, size_t n)
{
    static const char first[] = "{\"step\":", later[] = ",\"step\":";
    const char *p = n >= sizeof first && memcmp(line, first, sizeof first - 1) == 0
                        ? line : memmem(line, n, later, sizeof later - 1);
    uint64_t step = 0;
    size_t at;
    if (line[0] != '{' || !p)
        return UINT64_MAX;
    for (at = (size_t)(p - line) + sizeof first - 1;
         at < n && line[at] >= '0' && line[at] <= '9' && step < 1u << 31; at++)
        step = step * 10 + (uint64_t)(line[at] - '0');
    return step;
}

/* Returns: how many bytes at the start of the text are whole lines of steps up to `step`; d
 * receives their digest. */
static size_t lines_until(const char *text, size_t n, uint64_t step, ft_digest *d)
{
    size_t at = 0;
    *d = (ft_digest){{0}};
    while (at < n) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - text) + 1 - at : 0;
        uint64_t found = length ? step_of(text + at, length) : UINT64_MAX;
        if (found > step)
            break;
        digest_line(d, text + at, length);
        at += length;
    }
    return at;
}

static void go_on(cli_train_log *log, const char *path, uint64_t step, const ft_digest *digest)
{
    struct stat st;
    ft_digest found;
    ft_map map = {NULL, 0};
    size_t keep = 0;
    *log = (cli_train_log){.digest = *digest, .path = path};
    if (!path)
        return;
    if (stat(path, &st) < 0) {
        cli_warn("the log %s is not there: it will begin with step %llu", path,
                 (unsigned long long)step + 1);
    } else if (S_ISREG(st.st_mode)) {
        cli_check(ft_map_open(&map, path, cli_err()));
        keep = lines_until((const char *)map.p, map.n, step, &found);
        ft_map_close(&map);
        if (!ft_digest_equal(&found, digest)) {
            ft_err_set(cli_err(), FT_ERR_DATA, "%s does not hold the first %llu steps of the run "
                       "that is to go on: name its log, or another file", path,
                       (unsigned long long)step);
            cli_fail();
        }
    }
    cli_check(ft_out_open_log_at(&log->out, path, keep, cli_err()));
}

void cli_train_logs_go_on(cli_train_logs *logs, uint64_t step, const ft_log_digests *digests)
{
    go_on(&logs->steps, logs->steps_path, step, &digests->steps);
    go_on(&logs->examples, logs->examples_path, step, &digests->examples);
}
