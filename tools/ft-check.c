/* ft-check: verifies streams, adapters and model files, and prints where they came from. */
#include "base/json.h"
#include "model/gguf.h"
#include "model/nf4.h"
#include "tools/cli/cli.h"
#include "tools/cli/content.h"
#include "tools/cli/leak.h"
#include "tools/cli/model_history.h"
#include "tools/cli/provenance.h"

#include <stdio.h>
#include <string.h>

static int show_history;
static const cli_option options[] = {
    {"history", 0, CLI_FLAG, &show_history, NULL, 0, 0, 0,
     "print what led to each stream, every id recomputed"}, {0}};
static const cli_tool tool = {
    "ft-check", "verify streams, adapters and models, to the last byte", "[options] [FILE...]",
    "ft-check train.ft adapter.ft model.gguf\n"
    "ft-import data.jsonl | ft-dedup | ft-check --history --json | jq .history",
    "ft-cat(1), ft(1)", CLI_IN | CLI_THREADS, -1, options};

/* What is known of a file, verified or not. */
typedef struct finding {
    const char *kind;
    uint64_t records, bytes;
    ft_digest digest;
    ft_buf history, certificates;    /* JSON arrays or text lines */
    ft_buf counts;                   /* JSON */
} finding;

static int check_records(ft_reader *r, ft_err *e)
{
    cli_content *content = NULL;
    ft_mp record;
    int rc = cli_content_begin(&content, ft_reader_header(r), e);
    if (rc < 0)
        ft_err_wrap(e, "%s", ft_reader_name(r));
    while (rc == 0 && (rc = ft_reader_next(r, &record, e)) == 0) {
        rc = cli_content_add(content, record, e);
        if (rc < 0)
            ft_err_wrap(e, "%s: record %llu", ft_reader_name(r),
                        (unsigned long long)ft_reader_records(r));
        if ((ft_reader_records(r) & 255) == 0)
            cli_progress(ft_reader_name(r), (double)ft_reader_bytes_in(r), 0, "B");
    }
    if (rc == FT_EOS && (rc = cli_content_end(content, e)) < 0)
        ft_err_wrap(e, "%s", ft_reader_name(r));
    cli_content_free(&content);
    return rc;
}

static void put_certificates(finding *f, ft_mp array)
{
    if (array.n)
        cli_certificates_put(&f->certificates, array, cli_json());
    cli_check(ft_buf_check(&f->certificates, cli_err()));
}

static int check_stream(ft_in *in, finding *f, ft_err *e)
{
    ft_reader *r = NULL;
    int rc = ft_reader_open(&r, in, FT_KIND_ANY, cli_pool(), e);
    if (rc < 0) {
        ft_in_close(&in);
        return rc;
    }
    f->kind = ft_kind_name(ft_reader_header(r)->kind);
    rc = check_records(r, e);
    f->records = ft_reader_records(r);
    f->bytes = ft_reader_bytes(r);
    if (rc == 0) {
        f->digest = ft_reader_digest(r);
        if (show_history)
            cli_history_put(&f->history, ft_reader_history(r), cli_json());
        put_certificates(f, ft_reader_certificates(r));
        ft_json_put(&f->counts, ft_reader_counts(r));
        if ((rc = ft_buf_check(&f->counts, e)) == 0)
            rc = ft_buf_check(&f->history, e);
    }
    ft_reader_free(&r);
    return rc;
}

static int check_gguf(const char *path, finding *f, ft_err *e)
{
    ft_gguf *g = NULL;
    ft_mp history = {NULL, 0}, certificates = {NULL, 0};
    ft_digest source;
    int rc = ft_gguf_open(&g, path, e);
    if (rc == 0)
        rc = cli_model_history(g, &history, e);
    if (rc == 0)
        rc = cli_model_certificates(g, &certificates, e);
    if (rc == 0) {
        f->digest = ft_gguf_digest(g);
        rc = ft_nf4_file(g, &f->digest, &source, e);
    }
    if (rc < 0) {
        ft_gguf_free(&g);
        return rc;
    }
    f->records = ft_gguf_tensor_count(g);
    for (size_t i = 0; i < f->records; i++)
        f->bytes += ft_gguf_tensor_at(g, i)->bytes;
    if (show_history)
        cli_history_put(&f->history, history, cli_json());
    put_certificates(f, certificates);
    ft_gguf_free(&g);
    return ft_buf_check(&f->history, e);
}

static int check_file(const char *path, finding *f, ft_err *e)
{
    ft_in *in = NULL;
    uint8_t magic[4];
    size_t got = 0;
    if (ft_in_open(&in, path, e) < 0)
        return e->code;
    if (ft_in_is_tty(in))
        cli_usage_error("standard input is a terminal; give a file or put me behind a pipe");
    if (ft_in_size(in) == 0 || strcmp(path, "-") == 0)
        return check_stream(in, f, e);
    if (ft_in_read(in, magic, sizeof magic, &got, e) < 0) {
        ft_in_close(&in);
        return e->code;
    }
    ft_in_close(&in);
    if (got == sizeof magic && memcmp(magic, "GGUF", sizeof magic) == 0) {
        f->kind = "gguf";
        return check_gguf(path, f, e);
    }
    return ft_in_open(&in, path, e) < 0 ? e->code : check_stream(in, f, e);
}

static void print_text(const char *path, const finding *f, int rc)
{
    char hex[33] = "-";
    if (rc == 0)
        ft_digest_hex(&f->digest, hex);
    cli_print("%s\t%s\t%llu\t%llu\t%s\t%s\n", path, f->kind, (unsigned long long)f->records,
              (unsigned long long)f->bytes, hex, rc == 0 ? "ok" : "bad");
    if (f->certificates.n)
        cli_print("%.*s", (int)f->certificates.n, (const char *)f->certificates.p);
    if (f->history.n)
        cli_print("%.*s", (int)f->history.n, (const char *)f->history.p);
}

static void print_json(const char *path, const finding *f, int rc)
{
    ft_buf b = {0};
    char hex[33];
    ft_buf_add_str(&b, "{\"file\":");
    ft_json_put_string(&b, path, strlen(path));
    ft_buf_add_fmt(&b, ",\"kind\":\"%s\",\"records\":%llu,\"bytes\":%llu", f->kind,
                   (unsigned long long)f->records, (unsigned long long)f->bytes);
    if (rc == 0) {
        ft_buf_add_fmt(&b, ",\"digest\":\"%s\",\"ok\":true", ft_digest_hex(&f->digest, hex));
        if (f->counts.n) {
            ft_buf_add_str(&b, ",\"counts\":");
            ft_buf_add(&b, f->counts.p, f->counts.n);
        }
        if (f->certificates.n) {
            ft_buf_add_str(&b, ",\"certificates\":");
            ft_buf_add(&b, f->certificates.p, f->certificates.n);
        }
        if (f->history.n) {
            ft_buf_add_str(&b, ",\"history\":");
            ft_buf_add(&b, f->history.p, f->history.n);
        }
    } else {
        ft_buf_add_str(&b, ",\"ok\":false,\"error\":");
        ft_json_put_string(&b, cli_err()->text, strlen(cli_err()->text));
    }
    ft_buf_add_str(&b, "}\n");
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(cli_stdout(), b.p, b.n, cli_err()));
    ft_buf_free(&b);
}

/* Returns: the exit status that this file asks for. */
static int report(const char *path)
{
    finding f = {.kind = "-"};
    int rc = check_file(path, &f, cli_err()), status = ft_err_exit_status(rc);
    if (cli_json())
        print_json(path, &f, rc);
    else
        print_text(path, &f, rc);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", tool.name, cli_err()->text);
    ft_err_set(cli_err(), FT_OK, "%s", "");
    ft_buf_free(&f.history);
    ft_buf_free(&f.certificates);
    ft_buf_free(&f.counts);
    return status;
}

int main(int argc, char **argv)
{
    int worst = 0;
    cli_begin(&tool, argc, argv);
    if (cli_arg_count() == 0)
        worst = report(cli_input());
    for (size_t i = 0; i < cli_arg_count(); i++) {
        int status = report(cli_arg(i));
        worst = status > worst ? status : worst;
    }
    cli_end();
    return worst;
}
