#include "tools/cli/train_data.h"

#include "tools/cli/cli.h"
#include "tools/cli/evaluate.h"
#include "tools/cli/leak.h"

ft_reader *cli_packed_open(const char *path, const ft_tokenizer *tok)
{
    ft_reader *in = cli_reader(path, FT_KIND_PACKED);
    cli_check_tokenizer(in, tok);
    return in;
}

static int check_row(ft_mp record, ft_err *e)
{
    ft_row_iter it;
    ft_segment s;
    size_t n;
    int rc = ft_row_begin(record, &it, &n, e);
    while (rc == 0 && (rc = ft_row_next(&it, &s, e)) == 0)
        rc = cli_leak_check_segment(&s, 0, e);
    return rc == FT_EOS ? 0 : rc;
}

ft_dataset *cli_packed_read(ft_reader *in, const ft_model *m, ft_virtual before, int to_measure)
{
    ft_dataset *d = NULL;
    ft_mp record;
    cli_check(ft_dataset_new(&d, m->V, cli_err()));
    d->before = before;
    while (cli_next(in, &record))
        if (ft_dataset_add(d, record, cli_err()) < 0 ||
            (to_measure && check_row(record, cli_err()) < 0)) {
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
            cli_fail();
        }
    if (ft_dataset_end(d, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "%s", ft_reader_name(in));
        cli_fail();
    }
    if (d->longest > m->context)
        cli_warn("an example of %s has %zu tokens, but the model was made for %zu: ft-pack -l cuts",
                 ft_reader_name(in), d->longest, m->context);
    return d;
}
