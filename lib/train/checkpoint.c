#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_FLOATS = 1 << 20 >> 2,    /* 1 MiB of data in a record: little to hold at a time */
       BLOCKS = 4,
       FORMAT = 2 };           /* of the header's extra; 1 had no number and no "seen" */

static const char *const block_names[BLOCKS] = {"params", "m", "v", "best"};

/* The arrays of a state in the order of block_names; NULL: not kept. */
static void blocks_of(const ft_train_state *s, float *blocks[BLOCKS])
{
    blocks[0] = s->params;
    blocks[1] = s->m;
    blocks[2] = s->v;
    blocks[3] = s->best_step > 0 ? s->best : NULL;
}

/* ---- writing ---- */

static void put_digest(ft_buf *b, const char *key, const ft_digest *d)
{
    ft_mp_put_cstr(b, key);
    ft_mp_put_bin(b, d->b, sizeof d->b);
}

static void put_text(ft_buf *b, const char *key, const char *text)
{
    ft_mp_put_cstr(b, key);
    ft_mp_put_cstr(b, text);
}

static void put_uint(ft_buf *b, const char *key, uint64_t v)
{
    ft_mp_put_cstr(b, key);
    ft_mp_put_uint(b, v);
}

static void put_real(ft_buf *b, const char *key, double v)
{
    ft_mp_put_cstr(b, key);
    ft_mp_put_float(b, v);
}

static void put_run(ft_buf *b, const ft_run *run)
{
    ft_mp_put_cstr(b, "run");
    ft_mp_put_map(b, ft_digest_is_zero(&run->init) ? 10 : 11);
    put_uint(b, "format", FORMAT);
    put_text(b, "version", FT_VERSION);
    put_digest(b, "model", &run->model);
    put_text(b, "transform", run->transform);
    put_digest(b, "data", &run->data);
    put_digest(b, "validation", &run->validation);
    put_digest(b, "forget", &run->forget);
    ft_mp_put_cstr(b, "options");
    if (run->options.n)
        ft_mp_put_raw(b, run->options);
    else
        ft_mp_put_map(b, 0);
    put_uint(b, "seed", run->seed);
    put_text(b, "numerics", run->numerics);
    if (!ft_digest_is_zero(&run->init))
        put_digest(b, "init", &run->init);
}

static void put_seen(ft_buf *b, const ft_evaluations *v)
{
    ft_mp_put_cstr(b, "seen");
    ft_mp_put_map(b, v->forgets ? 8 : 6);
    put_real(b, "nll", v->nll);
    put_real(b, "weight", v->weight);
    put_uint(b, "count", v->count);
    put_real(b, "train_loss", v->train_loss);
    put_real(b, "val_loss", v->val_loss);
    put_uint(b, "rising", v->rising);
    if (!v->forgets)
        return;
    put_real(b, "forget_start", v->forget_start);
    put_real(b, "forget_loss", v->forget_loss);
}

static void put_state(ft_buf *b, const ft_train_state *s, const ft_log_digests *log)
{
    ft_mp_put_cstr(b, "state");
    ft_mp_put_map(b, s->best_step > 0 ? 10 : 8);
    put_uint(b, "step", s->step);
    put_real(b, "loss", s->loss);
    put_real(b, "mean", s->mean);
    put_uint(b, "stale", s->stale);
    put_uint(b, "params", s->n_params);
    put_digest(b, "log", &log->steps);
    put_digest(b, "examples", &log->examples);
    put_seen(b, &s->seen);
    if (s->best_step == 0)
        return;
    put_uint(b, "best_step", s->best_step);
    put_real(b, "best_loss", s->best_loss);
}

int ft_checkpoint_header(const ft_run *run, const ft_train_state *s, const ft_log_digests *log,
                         ft_header *h, ft_buf *buf, ft_err *e)
{
    for (size_t i = 0; i < s->n_params; i++)
        if (!isfinite(s->params[i]))
            return ft_err_set(e, FT_ERR_NUMERIC, "step %llu: parameter %zu is not finite after "
                              "the update", (unsigned long long)s->step, i);
    ft_buf_clear(buf);
    ft_mp_put_map(buf, 2);
    put_run(buf, run);
    put_state(buf, s, log);
    h->kind = FT_KIND_CHECKPOINT;
    h->extra = (ft_mp){buf->p, buf->n};
    return ft_buf_check(buf, e);
}

static int write_block(const char *name, const float *data, size_t n, ft_writer *w, ft_buf *b,
                       ft_err *e)
{
    int rc = 0;
    for (size_t at = 0; at < n && rc == 0; at += RECORD_FLOATS) {
        ft_buf_clear(b);
        ft_mp_put_map(b, 4);
        put_text(b, "name", name);
        ft_mp_put_cstr(b, "shape");
        ft_mp_put_array(b, 1);
        ft_mp_put_uint(b, n);
        put_uint(b, "offset", at);
        ft_mp_put_cstr(b, "data");
        ft_mp_put_bin(b, data + at, (n - at < RECORD_FLOATS ? n - at : RECORD_FLOATS) * 4);
        rc = ft_buf_check(b, e);
        if (rc == 0)
            rc = ft_writer_put(w, b->p, b->n, e);
    }
    return rc;
}

int ft_checkpoint_write(const ft_train_state *s, ft_writer *w, ft_err *e)
{
    float *blocks[BLOCKS];
    ft_buf b = {0};
    int rc = 0;
    blocks_of(s, blocks);
    for (int i = 0; i < BLOCKS && rc == 0; i++)
        if (blocks[i])
            rc = write_block(block_names[i], blocks[i], s->n_params, w, &b, e);
    ft_buf_free(&b);
    return rc;
}

/* ---- reading ---- */

static int get_digest(ft_mp map, const char *key, ft_digest *d)
{
    ft_mp v;
    ft_slice bytes;
    if (!ft_mp_get(map, key, &v) || !ft_mp_bin(v, &bytes) || bytes.n != sizeof d->b)
        return 0;
    memcpy(d->b, bytes.p, sizeof d->b);
    return 1;
}

static uint64_t format_of(ft_mp extra)
{
    ft_mp run;
    uint64_t format;
    return ft_mp_get(extra, "run", &run) && ft_mp_get_uint(run, "format", &format) ? format : 1;
}

static int parse_seen(ft_mp state, ft_evaluations *v, ft_err *e)
{
    ft_mp seen, start;
    *v = (ft_evaluations){0};
    if (!ft_mp_get(state, "seen", &seen) || !ft_mp_get_float(seen, "nll", &v->nll) ||
        !ft_mp_get_float(seen, "weight", &v->weight) || !ft_mp_get_uint(seen, "count", &v->count) ||
        !ft_mp_get_float(seen, "train_loss", &v->train_loss) ||
        !ft_mp_get_float(seen, "val_loss", &v->val_loss) ||
        !ft_mp_get_uint(seen, "rising", &v->rising))
        return ft_err_set(e, FT_ERR_DATA, "header's state lacks a field of seen");
    v->forgets = ft_mp_get(seen, "forget_start", &start);
    if (v->forgets && (!ft_mp_float(start, &v->forget_start) ||
                       !ft_mp_get_float(seen, "forget_loss", &v->forget_loss)))
        return ft_err_set(e, FT_ERR_DATA, "header's state lacks the losses on general text");
    return 0;
}

/* Reads the numbers of a state; its arrays stay. One of another format has these fields at least:
 * it is whole, though no run of this version goes on from it. */
static int parse_state(ft_mp extra, ft_train_state *s, ft_log_digests *log, ft_err *e)
{
    ft_mp state, v;
    uint64_t n_params;
    *log = (ft_log_digests){{{0}}, {{0}}};
    if (!ft_mp_get(extra, "state", &state) || !ft_mp_get_uint(state, "step", &s->step) ||
        !ft_mp_get_float(state, "loss", &s->loss) || !ft_mp_get_float(state, "mean", &s->mean) ||
        !ft_mp_get_uint(state, "stale", &s->stale) ||
        !ft_mp_get_uint(state, "params", &n_params) || !get_digest(state, "log", &log->steps))
        return ft_err_set(e, FT_ERR_DATA, "header's state lacks a field");
    if (n_params < 1 || n_params > SIZE_MAX / sizeof(float))
        return ft_err_set(e, FT_ERR_DATA, "header's state has a number of parameters that makes "
                          "no sense");
    if (format_of(extra) == FORMAT && !get_digest(state, "examples", &log->examples))
        return ft_err_set(e, FT_ERR_DATA, "header's state lacks the digest of the examples' log");
    if (format_of(extra) == FORMAT && parse_seen(state, &s->seen, e) < 0)
        return e ? e->code : FT_ERR_DATA;
    s->n_params = (size_t)n_params;
    s->best_step = 0;
    s->best_loss = INFINITY;
    if (ft_mp_get(state, "best_step", &v) &&
        (!ft_mp_uint(v, &s->best_step) || s->best_step == 0 ||
         !ft_mp_get_float(state, "best_loss", &s->best_loss)))
        return ft_err_set(e, FT_ERR_DATA, "header's state lacks the best loss or step");
    return 0;
}

/* How much of each block has come. */
typedef struct progress {
    size_t n;                  /* elements that each has */
    int wanted;                /* blocks                 */
    size_t came[BLOCKS];
} progress;

/* Takes one record: what it holds must follow on what came. blocks: NULL only checks. */
static int take_record(ft_mp record, progress *p, float **blocks, ft_err *e)
{
    ft_slice name, data;
    ft_mp v;
    uint64_t offset;
    int i = 0;
    size_t left;
    if (!ft_mp_get_str(record, "name", &name))
        return ft_err_set(e, FT_ERR_DATA, "name: missing or not a string");
    while (i < p->wanted && !ft_slice_is(name, block_names[i]))
        i++;
    if (i == p->wanted)
        return ft_err_set(e, FT_ERR_DATA, "name: not one that this checkpoint should hold");
    left = p->n - p->came[i];
    if (!ft_mp_get_uint(record, "offset", &offset) || offset != p->came[i] || left == 0)
        return ft_err_set(e, FT_ERR_DATA, "offset: not where %s goes on", block_names[i]);
    if (!ft_mp_get(record, "data", &v) || !ft_mp_bin(v, &data) || data.n == 0 || data.n % 4 != 0 ||
        data.n / 4 > left)
        return ft_err_set(e, FT_ERR_DATA, "data: not a run of 1 to %zu floats", left);
    if (blocks)
        memcpy(blocks[i] + p->came[i], data.p, data.n);
    p->came[i] += data.n / 4;
    return 0;
}

/* Reads all records of a stream whose header said s. */
static int take_records(ft_reader *in, const ft_train_state *s, float **blocks, ft_err *e)
{
    progress p = {.n = s->n_params, .wanted = s->best_step > 0 ? BLOCKS : BLOCKS - 1};
    ft_mp record;
    int rc;
    while ((rc = ft_reader_next(in, &record, e)) == 0)
        if (take_record(record, &p, blocks, e) < 0)
            return ft_err_wrap(e, "record %llu of %s", (unsigned long long)ft_reader_records(in),
                               ft_reader_name(in));
    if (rc < 0)
        return rc;
    for (int i = 0; i < p.wanted; i++)
        if (p.came[i] != p.n)
            return ft_err_set(e, FT_ERR_DATA, "%s: %s has %zu of %zu values", ft_reader_name(in),
                              block_names[i], p.came[i], p.n);
    return 0;
}

static int open_checkpoint(ft_reader **in, const char *path, ft_pool *pool, ft_err *e)
{
    ft_in *file = NULL;
    int rc = ft_in_open(&file, path, e);
    *in = NULL;
    if (rc == 0 && (rc = ft_reader_open(in, file, FT_KIND_CHECKPOINT, pool, e)) < 0)
        ft_in_close(&file);
    return rc;
}

int ft_checkpoint_verify(const char *path, ft_pool *pool, ft_buf *extra, ft_err *e)
{
    ft_reader *in = NULL;
    ft_train_state s = {0};
    ft_log_digests log;
    int rc = open_checkpoint(&in, path, pool, e);
    ft_buf_clear(extra);
    if (rc == 0) {
        ft_mp map = ft_reader_header(in)->extra;
        ft_buf_add(extra, map.p, map.n);
        rc = ft_buf_check(extra, e);
        if (rc == 0 && (rc = parse_state(map, &s, &log, e)) < 0)
            ft_err_wrap(e, "%s", path);
    }
    if (rc == 0)
        rc = take_records(in, &s, NULL, e);
    ft_reader_free(&in);
    return rc;
}

int ft_checkpoint_read(const char *path, ft_pool *pool, ft_train_state *s, ft_log_digests *log,
                       ft_err *e)
{
    ft_reader *in = NULL;
    ft_train_state said = *s;
    float *blocks[BLOCKS];
    int rc = open_checkpoint(&in, path, pool, e);
    if (rc == 0)
        rc = parse_state(ft_reader_header(in)->extra, &said, log, e);
    if (rc == 0 && (said.n_params != s->n_params || (said.best_step > 0 && !s->best)))
        rc = ft_err_set(e, FT_ERR_DATA, "%s: holds %zu parameters%s, not %zu", path, said.n_params,
                        said.best_step > 0 ? " and the best of them" : "", s->n_params);
    blocks_of(&said, blocks);
    if (rc == 0)
        rc = take_records(in, &said, blocks, e);
    if (rc == 0)
        *s = said;
    ft_reader_free(&in);
    return rc;
}

/* ---- comparing ---- */

static int same_digest(ft_mp run, const char *key, const char *what, const ft_digest *now,
                       ft_err *e)
{
    ft_digest then;
    char a[33], b[33];
    if (!get_digest(run, key, &then))
        return ft_err_set(e, FT_ERR_DATA, "header's run lacks %s", key);
    if (ft_digest_equal(&then, now))
        return 0;
    if (ft_digest_is_zero(&then) || ft_digest_is_zero(now))
        return ft_err_set(e, FT_ERR_DATA, "the run had %s %s, this one has %s", what,
                          ft_digest_is_zero(&then) ? "none" : ft_digest_hex(&then, a),
                          ft_digest_is_zero(now) ? "none" : ft_digest_hex(now, b));
    return ft_err_set(e, FT_ERR_DATA, "other %s: the run had %s, this one has %s", what,
                      ft_digest_hex(&then, a), ft_digest_hex(now, b));
}

/* Runs that began with no adapter say nothing of it. */
static int same_init(ft_mp run, const ft_digest *now, ft_err *e)
{
    ft_mp v;
    if (!ft_mp_get(run, "init", &v) && ft_digest_is_zero(now))
        return 0;
    if (!ft_mp_get(run, "init", &v))
        return ft_err_set(e, FT_ERR_DATA, "the run did not begin with an adapter (--init)");
    return same_digest(run, "init", "adapter to begin with", now, e);
}

/* A text from the file for a message: no byte of it can steer a terminal. */
static const char *printable(ft_slice s, char *out, size_t cap)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? (char)s.p[i] : '?';
    out[n] = '\0';
    return out;
}

static int same_text(ft_mp run, const char *key, const char *what, const char *now, ft_err *e)
{
    ft_slice then;
    char text[80];
    if (!ft_mp_get_str(run, key, &then))
        return ft_err_set(e, FT_ERR_DATA, "header's run lacks %s", key);
    if (ft_slice_is(then, now))
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "other %s: the run had \"%s\", this one has \"%s\"", what,
                      printable(then, text, sizeof text), now);
}

/* The value of an option as a person would type it. */
static const char *shown(ft_mp v, char *out, size_t cap)
{
    ft_slice s;
    uint64_t u;
    double d;
    int truth;
    if (ft_mp_str(v, &s))
        printable(s, out, cap);
    else if (ft_mp_uint(v, &u))
        snprintf(out, cap, "%llu", (unsigned long long)u);
    else if (ft_mp_float(v, &d))
        snprintf(out, cap, "%.17g", d);
    else if (ft_mp_bool(v, &truth))
        snprintf(out, cap, "%s", truth ? "on" : "off");
    else
        snprintf(out, cap, "unset");
    return out;
}

/* Every option of `a` stands in `b` with the same value. forwards: a is the checkpoint's. */
static int same_options(ft_mp a, ft_mp b, int forwards, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(a);
    ft_mp key, v, other;
    ft_slice name;
    char option[48], left[64], right[64];
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &v)) {
        if (!ft_mp_str(key, &name) || name.n >= sizeof option)
            return ft_err_set(e, FT_ERR_DATA, "header's run has an option without a proper name");
        printable(name, option, sizeof option);
        if (!ft_mp_get(b, option, &other))
            return ft_err_set(e, FT_ERR_DATA, "other options: only %s knows --%s",
                              forwards ? "the run's version" : "this version", option);
        if (v.n != other.n || memcmp(v.p, other.p, v.n) != 0)
            return ft_err_set(e, FT_ERR_DATA, "other options: the run had --%s %s, this one has "
                              "%s", option, shown(v, left, sizeof left),
                              shown(other, right, sizeof right));
    }
    return 0;
}

static int same_seed(ft_mp run, uint64_t now, ft_err *e)
{
    uint64_t then;
    if (!ft_mp_get_uint(run, "seed", &then))
        return ft_err_set(e, FT_ERR_DATA, "header's run lacks seed");
    return then == now ? 0
                       : ft_err_set(e, FT_ERR_DATA, "other seed: the run had --seed %llu, this one "
                                    "has %llu", (unsigned long long)then, (unsigned long long)now);
}

int ft_checkpoint_fits(ft_mp extra, const ft_run *now, ft_err *e)
{
    ft_mp run, options;
    int rc;
    if (!ft_mp_get(extra, "run", &run) || !ft_mp_get(run, "options", &options))
        return ft_err_set(e, FT_ERR_DATA, "header lacks its run");
    if (format_of(extra) != FORMAT)
        return ft_err_set(e, FT_ERR_DATA, "a checkpoint of format %llu, and this version of ft "
                          "goes on from format %d: finish the run with the ft that began it, or "
                          "begin anew in another folder", (unsigned long long)format_of(extra),
                          FORMAT);
    if ((rc = same_text(run, "version", "version of ft", FT_VERSION, e)) < 0 ||
        (rc = same_digest(run, "model", "model", &now->model, e)) < 0 ||
        (rc = same_text(run, "transform", "transform of the model", now->transform, e)) < 0 ||
        (rc = same_digest(run, "data", "training data", &now->data, e)) < 0 ||
        (rc = same_digest(run, "validation", "validation data", &now->validation, e)) < 0 ||
        (rc = same_init(run, &now->init, e)) < 0 ||
        (rc = same_digest(run, "forget", "data of --forget", &now->forget, e)) < 0 ||
        (rc = same_options(options, now->options, 1, e)) < 0 ||
        (rc = same_options(now->options, options, 0, e)) < 0 ||
        (rc = same_seed(run, now->seed, e)) < 0)
        return rc;
    return same_text(run, "numerics", "arithmetic", now->numerics, e);
}
