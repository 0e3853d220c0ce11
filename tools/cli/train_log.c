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

void cli_train_log_begin(cli_train_log *log, const char *path)
{
    *log = (cli_train_log){.path = path};
    cli_check(ft_out_open_log(&log->out, path, cli_err()));
}

static void put_line(cli_train_log *log, ft_buf *b)
{
    cli_check(ft_buf_check(b, cli_err()));
    digest_line(&log->digest, (const char *)b->p, b->n);
    if (log->out) {
        cli_check(ft_out_write(log->out, b->p, b->n, cli_err()));
        cli_check(ft_out_flush(log->out, cli_err()));
    }
    ft_buf_clear(b);
}

void cli_train_log_step(cli_train_log *log, const ft_train_report *p)
{
    ft_buf b = {0};
    ft_buf_add_fmt(&b, "{\"step\":%llu,\"loss\":", (unsigned long long)p->step);
    ft_json_put_double(&b, p->loss);
    ft_buf_add_str(&b, ",\"lr\":");
    ft_json_put_double(&b, p->lr);
    ft_buf_add_str(&b, ",\"grad_norm\":");
    ft_json_put_double(&b, p->grad_norm);
    ft_buf_add_fmt(&b, ",\"tokens\":%llu%s%.1f}\n", (unsigned long long)p->tokens, speed_key,
                   (double)p->tokens / fmax(p->seconds, 1e-9));
    put_line(log, &b);
    if (p->validated) {
        ft_buf_add_fmt(&b, "{\"step\":%llu,\"val_loss\":", (unsigned long long)p->step);
        ft_json_put_double(&b, p->val_loss);
        ft_buf_add_str(&b, "}\n");
        put_line(log, &b);
    }
    ft_buf_free(&b);
}

void cli_train_log_sync(cli_train_log *log)
{
    if (!log->out)
        return;
    cli_check(ft_out_sync(log->out, cli_err()));
    if (log->path)
        cli_check(ft_io_sync_folder_of(log->path, cli_err()));
    log->path = NULL;
}

void cli_train_log_end(cli_train_log *log)
{
    if (log->out)
        cli_check(ft_out_commit(&log->out, cli_err()));
}

/* ---- going on ---- */

/* Returns: the number behind {"step": at the start of a line, or 0. */
static uint64_t step_of(const char *line, size_t n)
{
    static const char start[] = "{\"step\":";
    size_t at = sizeof start - 1;
    uint64_t step = 0;
    if (n < at || memcmp(line, start, at) != 0)
        return 0;
    for (; at < n && line[at] >= '0' && line[at] <= '9' && step < 1u << 31; at++)
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
        uint64_t found = length ? step_of(text + at, length) : 0;
        if (found == 0 || found > step)
            break;
        digest_line(d, text + at, length);
        at += length;
    }
    return at;
}

void cli_train_log_go_on(cli_train_log *log, const char *path, uint64_t step,
                         const ft_digest *digest)
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
                       "that is to go on: name its log, or another file, with --log", path,
                       (unsigned long long)step);
            cli_fail();
        }
    }
    cli_check(ft_out_open_log_at(&log->out, path, keep, cli_err()));
}
