/* ft-merge: an adapter and its base in, one model out. */
#include "infer/merge.h"
#include "tools/cli/cli.h"
#include "tools/cli/leak.h"
#include "tools/cli/model_history.h"
#include "train/adapter_stream.h"

#include <sys/stat.h>

static const char *type_name = "f16";
static int verify;

static const cli_option options[] = {
    {"type", 0, CLI_CHOICE, &type_name, "f32|f16|bf16", 0, 0, CLI_PAYLOAD, "type of the matrices"},
    {"verify", 0, CLI_FLAG, &verify, NULL, 0, 0, 0,
     "compare merged and unmerged; a difference over the bound publishes nothing"},
    {0}};

static const cli_tool tool = {
    "ft-merge", "fold an adapter into its base model", "-m BASE [-a ADAPTER] -o MODEL",
    "  ft-train -m base.gguf < train.ft | ft-merge -m base.gguf -o tuned.gguf --verify\n"
    "  ft-merge -m base.gguf -a adapter.ft --type f32 -o - | cat > tuned.gguf",
    "ft-train(1), ft-quant(1), ft-eval(1), ft-check(1)",
    CLI_OUT | CLI_MODEL | CLI_ADAPTER | CLI_THREADS | CLI_HISTORY, 0, options};

static ft_out *open_output(void)
{
    ft_out *out = NULL;
    struct stat base, output;
    if (stat(cli_model(), &base) == 0 && stat(cli_output(), &output) == 0 &&
        base.st_dev == output.st_dev && base.st_ino == output.st_ino)
        cli_usage_error("the output is the base itself, to which adapters are bound; give another "
                        "name");
    cli_check(ft_out_open(&out, cli_output(), cli_err()));
    if (ft_out_is_tty(out))
        cli_usage_error("standard output is a terminal, and a model is binary; use -o FILE");
    if (verify && !ft_out_is_file(out))
        cli_usage_error("--verify reads the model back, so it needs -o FILE");
    return out;
}

/* Reads back what was written, before it gets its name. */
static void verify_output(const ft_model *m, const ft_adapter *l, ft_type type, ft_out *out)
{
    ft_model *merged = NULL;
    ft_merge_difference d;
    cli_check(ft_out_flush(out, cli_err()));
    cli_check(ft_model_open(&merged, ft_out_path(out), cli_err()));
    cli_check(ft_merge_verify(m, l, merged, type, cli_pool(), &d, cli_err()));
    cli_result_count("positions", d.positions);
    cli_result_real("max_logit_difference", d.max_logit);
    cli_result_real("mean_kl_nats", d.mean_kl);
    ft_model_free(&merged);
}

int main(int argc, char **argv)
{
    ft_model *model = NULL;
    ft_adapter *lora = NULL;
    ft_reader *reader = NULL;
    const char *warning = NULL, *adapter;
    ft_buf history = {0}, certificates = {0};
    cli_leak trained = {0};
    cli_begin(&tool, argc, argv);
    adapter = cli_adapter() ? cli_adapter() : "-";
    ft_type type = ft_type_info_by_name(type_name)->type;
    cli_check(ft_model_open(&model, cli_model(), cli_err()));
    cli_check(ft_adapter_read(&lora, model, adapter, cli_pool(), &reader, &warning, cli_err()));
    if (warning)
        cli_warn("%s: %s", adapter, warning);
    cli_put_model_history(model->gguf, &model->digest, reader, &history);

    ft_out *out = open_output();
    cli_leak_add_model(&trained, model->gguf);
    cli_leak_add_reader(&trained, reader);
    cli_leak_put(&trained, &certificates);
    ft_merge_options o = {type, {history.p, history.n}, {certificates.p, certificates.n}};
    cli_check(ft_merge_write(model, lora, &o, out, cli_pool(), cli_err()));
    cli_result_text("type", type_name);
    cli_result_count("bytes", ft_out_bytes(out));
    if (verify)
        verify_output(model, lora, type, out);
    cli_check(ft_out_commit(&out, cli_err()));

    ft_buf_free(&history);
    ft_buf_free(&certificates);
    cli_leak_free(&trained);
    ft_reader_free(&reader);
    ft_adapter_free(&lora);
    ft_model_free(&model);
    return cli_end();
}
