/* streams.c: opening streams from options, and the loop over their records. */
#include "tools/cli/cli_internal.h"

#include <stdlib.h>
#include <unistd.h>

ft_reader *cli_reader(const char *path, ft_kind kind)
{
    ft_in *in = NULL;
    ft_reader *r = NULL;
    uint64_t size;
    cli_check(ft_in_open(&in, path, &cli.err));
    if (ft_in_is_tty(in))
        cli_usage_error("standard input is a terminal; give a file or put me behind a pipe");
    size = ft_in_size(in);
    cli_check(ft_reader_open(&r, in, kind, cli_pool(), &cli.err));
    if (!cli.watched) {
        cli.watched = r;
        cli.watched_size = (double)size;
    }
    return r;
}

ft_header cli_header_from(const ft_reader *in, ft_kind kind)
{
    ft_header h = *ft_reader_header(in);
    h.kind = kind;
    return h;
}

ft_mp cli_payload_options(void)
{
    if (cli.options.n == 0)
        cli_put_options(&cli.options);
    cli_check(ft_buf_check(&cli.options, &cli.err));
    return (ft_mp){cli.options.p, cli.options.n};
}

ft_out *cli_writer_out(const char *path)
{
    ft_out *out = NULL;
    cli_check(ft_out_open(&out, path, &cli.err));
    if (ft_out_is_tty(out)) {
        ft_out_abandon(&out);
        cli_usage_error("standard output is a terminal, and the output is binary; "
                        "use -o FILE, a pipe, or ft-cat");
    }
    return out;
}

ft_writer *cli_writer_on(ft_out *out, ft_header h)
{
    ft_writer *w = NULL;
    ft_writer_options o = {(int)cli.level, cli.no_history};
    h.tool = cli.tool->name;
    h.options = cli_payload_options();
    h.has_seed = (cli.tool->shared & CLI_SEED) != 0;
    h.seed = cli.seed;
    cli_check(ft_writer_open(&w, out, &h, &o, cli_pool(), &cli.err));
    return w;
}

ft_writer *cli_writer(const char *path, ft_header h)
{
    return cli_writer_on(cli_writer_out(path), h);
}

int cli_next(ft_reader *in, ft_mp *record)
{
    int rc = cli_check(ft_reader_next(in, record, &cli.err));
    if (in == cli.watched && (ft_reader_records(in) & 63) == 0)
        cli_progress(NULL, (double)ft_reader_bytes_in(in), cli.watched_size, "B");
    return rc != FT_EOS;
}

void cli_finish(ft_writer **w)
{
    cli.has_counts = 1;
    cli_check(ft_writer_finish(w, &cli.counts, &cli.err));
}

ft_counts *cli_counts(void)
{
    cli.has_counts = 1;
    return &cli.counts;
}
