#include "tools/cli/peft_folder.h"

#include "base/mp.h"
#include "tools/cli/cli.h"
#include "train/peft.h"

static void derive(ft_writer *w, const char *role, ft_digest d)
{
    cli_check(ft_writer_derive_file(w, role, &d, cli_err()));
}

void cli_import_peft(const char *folder)
{
    ft_model *m = NULL;
    ft_peft *p = NULL;
    ft_buf extra = {0};
    ft_header h = {0};
    ft_writer *w;
    if (cli_given("model"))
        cli_check(ft_model_open(&m, cli_model(), cli_err()));
    cli_check(ft_peft_open(&p, folder, m, cli_err()));
    cli_check(ft_peft_header(p, &h, &extra, cli_err()));
    if (!ft_peft_is_bound(p))
        cli_warn("%s does not name its base model by a digest: wherever the adapter is used only "
                 "its shapes can be checked; -m MODEL binds it", folder);
    if (ft_peft_remark(p))
        cli_warn("%s: %s", folder, ft_peft_remark(p));
    w = cli_writer(cli_output(), h);
    derive(w, "peft config", ft_peft_config_digest(p));
    derive(w, "peft tensors", ft_peft_file_digest(p));
    if (m)
        derive(w, "model", m->digest);
    cli_check(ft_peft_copy(p, w, cli_err()));
    cli_counts()->read = cli_counts()->written = ft_peft_count(p);
    cli_finish(&w);
    ft_buf_free(&extra);
    ft_peft_free(&p);
    ft_model_free(&m);
}

void cli_export_peft(const char *input, const char *folder, const char *base_name)
{
    ft_reader *in = cli_reader(input, FT_KIND_ADAPTER);
    ft_slice transform = {0};
    size_t tensors = 0;
    cli_check(ft_peft_export(in, folder, base_name, &tensors, cli_err()));
    if (ft_mp_get_str(ft_reader_header(in)->extra, "transform", &transform) && transform.n)
        cli_warn("the adapter was trained on its base in %.*s: PEFT should load the base in 4 bits "
                 "too", (int)transform.n, (const char *)transform.p);
    cli_counts()->read = cli_counts()->written = tensors;
    ft_reader_free(&in);
}
