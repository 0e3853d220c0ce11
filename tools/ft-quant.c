/* ft-quant: a model in another element type, and what that costs in loss. */
#include "model/convert.h"
#include "model/nf4.h"
#include "tools/cli/cli.h"
#include "tools/cli/evaluate.h"
#include "tools/cli/leak.h"
#include "tools/cli/load.h"
#include "tools/cli/model_history.h"

#include <string.h>
#include <sys/stat.h>

static const char *type_name = "q8_0";
static const char *eval_path;

static const cli_option options[] = {
    {"type", 't', CLI_CHOICE, &type_name, "f32|f16|bf16|q8_0|q5_1|q5_0|q4_0|nf4", 0, 0, CLI_PAYLOAD,
     "type of the matrices"},
    {"eval", 0, CLI_TEXT, &eval_path, "PACKED", 0, 0, 0,
     "measure the loss on this packed stream before and after"},
    {0}};

static const cli_tool tool = {
    "ft-quant", "convert a model to a smaller (or larger) element type",
    "-m MODEL -o OUTPUT -t TYPE [--eval PACKED]",
    "  ft-quant -m tuned.gguf -o small.gguf -t q8_0\n"
    "  ft-tokenize -m tuned.gguf < test.ft | ft-pack -l 512 -o test.packed.ft &&\n"
    "    ft-quant -m tuned.gguf -o small.gguf -t q4_0 --eval test.packed.ft",
    "ft-merge(1), ft-eval(1), ft-check(1)",
    CLI_OUT | CLI_MODEL | CLI_THREADS | CLI_HISTORY, 0, options};

static ft_out *open_output(void)
{
    ft_out *out = NULL;
    struct stat a, b;
    if (stat(cli_model(), &a) == 0 && stat(cli_output(), &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        cli_usage_error("the output is the model itself; give another name");
    cli_check(ft_out_open(&out, cli_output(), cli_err()));
    if (ft_out_is_tty(out))
        cli_usage_error("standard output is a terminal, and a model is binary; use -o FILE");
    if (eval_path && !ft_out_is_file(out))
        cli_usage_error("--eval reads the model back, so it needs -o FILE");
    return out;
}

/* Says what did not get the type that was asked for, and why that may hurt. */
static void note_types(const ft_model *m, ft_type want)
{
    size_t plain = 0, again = 0;
    int head = 0;
    for (size_t i = 0; i < ft_gguf_tensor_count(m->gguf); i++) {
        const ft_tensor *t = ft_gguf_tensor_at(m->gguf, i);
        ft_type to = ft_convert_type(m, t, want);
        if (t->n_dims < 2 || (want == FT_NF4 && to != want))
            continue;
        head += to != want && to == FT_Q8_0;
        plain += to != want && to == FT_F16;
        ft_type from = ft_model_weight(m, t).type;
        again += to != from && ft_type_info_of((uint32_t)from)->block > 1 &&
                 ft_type_info_of((uint32_t)to)->block > 1;
    }
    if (want == FT_NF4)
        cli_note("the embedding, the head and the norms keep their types");
    if (head)
        cli_note("the head is kept in q8_0");
    if (plain)
        cli_note("%zu matrices whose rows do not fill blocks are kept in f16", plain);
    if (again)
        cli_warn("%zu matrices were quantised before; from the f32 or f16 file the result would "
                 "be nearer", again);
}

static double loss_of(const ft_model *m)
{
    ft_tokenizer *tok = cli_tokenizer_of(m->gguf);
    ft_reader *in = cli_reader(eval_path, FT_KIND_PACKED);
    cli_evaluation r;
    cli_check_tokenizer(in, tok);
    cli_evaluate(in, m, NULL, FT_COMPUTE_F32, tok, NULL, 1, &r);
    ft_reader_free(&in);
    ft_tokenizer_free(&tok);
    return cli_evaluation_loss(&r);
}

/* The loss after is that of the written bytes, before they get their name. */
static void report_loss(double before, ft_out *out)
{
    ft_model *converted = NULL;
    double after;
    cli_check(ft_out_flush(out, cli_err()));
    cli_check(ft_model_open(&converted, ft_out_path(out), cli_err()));
    after = loss_of(converted);
    ft_model_free(&converted);
    cli_result_real("loss_before", before);
    cli_result_real("loss_after", after);
    cli_result_real("loss_change_percent", (after / before - 1) * 100);
}

static uint64_t tensor_bytes(const ft_model *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < ft_gguf_tensor_count(m->gguf); i++)
        n += ft_gguf_tensor_at(m->gguf, i)->bytes;
    return n;
}

/* What the new file says of itself: bytes of keys, n = 0 for none. */
typedef struct metadata {
    ft_buf history, certificates;
} metadata;

static int add_keys(const void *ctx, ft_gguf_writer *w, ft_err *e)
{
    const metadata *d = ctx;
    int rc = 0;
    if (d->history.n)
        rc = ft_gguf_writer_bytes(w, "ft.history", d->history.p, d->history.n, e);
    if (rc == 0 && d->certificates.n)
        rc = ft_gguf_writer_bytes(w, "ft.certificates", d->certificates.p, d->certificates.n, e);
    return rc;
}

static void put_metadata(metadata *d, const ft_model *m)
{
    cli_leak trained = {0};
    cli_put_model_history(m->gguf, &m->digest, NULL, &d->history);
    cli_leak_add_model(&trained, m->gguf);
    cli_leak_put(&trained, &d->certificates);
    cli_leak_free(&trained);
}

int main(int argc, char **argv)
{
    ft_model *m = NULL;
    metadata about = {{0}, {0}};
    double loss_before = 0;
    ft_convert_extra extra = {.add_keys = add_keys, .ctx = &about};
    cli_begin(&tool, argc, argv);
    ft_type type = ft_type_info_by_name(type_name)->type;
    cli_check(ft_model_open(&m, cli_model(), cli_err()));
    ft_out *out = open_output();
    note_types(m, type);
    if (eval_path)
        loss_before = loss_of(m);
    if (type == FT_NF4)
        cli_check(ft_model_to_nf4(m, cli_pool(), cli_err()));
    put_metadata(&about, m);
    cli_check(ft_convert_write(m, type, &extra, out, cli_pool(), cli_err()));
    cli_result_text("type", type_name);
    cli_result_count("tensor_bytes_before", tensor_bytes(m));
    cli_result_count("bytes", ft_out_bytes(out));
    if (eval_path)
        report_loss(loss_before, out);
    cli_check(ft_out_commit(&out, cli_err()));
    ft_buf_free(&about.history);
    ft_buf_free(&about.certificates);
    ft_model_free(&m);
    return cli_end();
}
