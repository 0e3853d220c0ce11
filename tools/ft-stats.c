/* ft-stats: what is in a data set, how varied it is, and what of an evaluation set it covers; as
 * text, as JSON, and as a page with pictures. */
#include "base/io.h"
#include "base/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/load.h"
#include "tools/cli/stats_report.h"

#include <string.h>

static const char *html_path, *against, *uncovered_path, *template_name, *key_name = "all";
static const char *compute = "auto", *title = "What is in the data";
static uint64_t sample = 1000, top = 10, length;
static int no_languages;
static const cli_option options[] = {
    {"html", 0, CLI_TEXT, &html_path, "FILE", 0, 0, 0, "also write a page with pictures"},
    {"title", 0, CLI_TEXT, &title, "TEXT", 0, 0, 0, "the page's title"},
    {"against", 0, CLI_TEXT, &against, "EVAL", 0, 0, 0,
     "how many prompts of this stream have a similar one in the data"},
    {"uncovered", 0, CLI_TEXT, &uncovered_path, "FILE", 0, 0, 0,
     "write those that have none as JSON lines"},
    {"length", 'l', CLI_COUNT, &length, "N", 1, 1e9, 0,
     "count the rows of more than N tokens (with -m)"},
    {"key", 'k', CLI_CHOICE, &key_name, "prompt|response|all", 0, 0, 0,
     "the part of a row whose spread is measured"},
    {"sample", 0, CLI_COUNT, &sample, "N", 0, 1e7, 0,
     "measure spread and coverage on N rows; 0: not at all"},
    {"top", 0, CLI_COUNT, &top, "N", 1, 10000, 0, "show the N first of long lists"},
    {"no-languages", 0, CLI_FLAG, &no_languages, NULL, 0, 0, 0,
     "do not guess languages, which takes most of the time"},
    {"chat-template", 0, CLI_TEXT, &template_name, "NAME", 0, 0, 0,
     "smollm2 or chatml, instead of the model's own"},
    {"compute", 0, CLI_CHOICE, &compute, "f32|bf16|int8|auto", 0, 0, 0,
     "what products are computed in"},
    {0}};
static const cli_tool tool = {
    "ft-stats", "what is in a data set, how varied it is, and what it covers",
    "[-m MODEL] [options] [FILE...]",
    "  ft-import < chat.jsonl | ft-stats -m model.gguf --length 512 --html report.html\n"
    "  ft-dedup < train.ft | ft-stats --against test.ft --json | jq .coverage.covered_share",
    "ft-dedup(1), ft-split(1), ft-filter(1)",
    CLI_IN | CLI_MODEL | CLI_THREADS | CLI_SEED | CLI_MEMORY, -1, options};

static void check_usage(void)
{
    if (cli_given("input") && cli_arg_count())
        cli_usage_error("-i is the same as a FILE: give one of them");
    if (cli_given("length") && !cli_given("model"))
        cli_usage_error("--length counts tokens: give -m MODEL");
    if (cli_given("chat-template") && !cli_given("model"))
        cli_usage_error("--chat-template has no meaning without -m MODEL");
    if (cli_given("uncovered") && !against)
        cli_usage_error("--uncovered needs --against EVAL");
    if (against && sample == 0)
        cli_usage_error("--against needs a sample: --sample 0 takes none");
    if (cli_given("title") && !html_path)
        cli_usage_error("--title is that of the page: give --html FILE");
}

static void read_all(stats_data *s)
{
    for (size_t i = 0; i < (cli_arg_count() ? cli_arg_count() : 1); i++) {
        ft_reader *in = cli_reader(cli_arg_count() ? cli_arg(i) : cli_input(), FT_KIND_TEXT);
        stats_read(s, in);
        ft_reader_free(&in);
    }
    stats_read_end(s);
}

static void write_to(ft_out *out, ft_buf *b)
{
    cli_check(ft_buf_check(b, cli_err()));
    cli_check(ft_out_write(out, b->p, b->n, cli_err()));
    ft_buf_clear(b);
}

/* {"id":…,"distance":…,"prompt":…,"near":…} */
static void write_uncovered(ft_out *out, const stats_coverage *c, const stats_sample *prompts)
{
    ft_buf b = {0};
    for (size_t i = 0; i < c->uncovered; i++) {
        const stats_item *it = &c->items[i];
        ft_buf_add_str(&b, "{\"id\":");
        ft_json_put_string(&b, it->id.p, it->id.n);
        ft_buf_add_str(&b, ",\"distance\":");
        ft_json_put_double(&b, it->distance);
        ft_buf_add_str(&b, ",\"prompt\":");
        ft_json_put_string(&b, it->prompt.n ? it->prompt.p : (const uint8_t *)"", it->prompt.n);
        if (it->near < prompts->n) {
            ft_buf_add_str(&b, ",\"nearest\":");
            ft_json_put_string(&b, prompts->v[it->near].text, prompts->v[it->near].n);
        }
        ft_buf_add_str(&b, "}\n");
        write_to(out, &b);
    }
    ft_buf_free(&b);
}

static void write_report(const stats_doc *d, ft_out *page)
{
    ft_buf b = {0};
    if (cli_json())
        stats_write_json(d, &b);
    else
        stats_write_text(d, &b);
    write_to(cli_stdout(), &b);
    if (page) {
        stats_write_html(d, title, &b);
        write_to(page, &b);
    }
    ft_buf_free(&b);
}

static void open_model(stats_eye *eye, stats_options *o)
{
    if (!cli_given("model"))
        return;
    cli_check(ft_model_open(&eye->model, cli_model(), cli_err()));
    o->gguf = eye->model->gguf;
    o->tokenizer = eye->tokenizer = cli_tokenizer_of(o->gguf);
    o->template_name = template_name;
    o->length = length;
}

static void commit(ft_out **out)
{
    if (*out)
        cli_check(ft_out_commit(out, cli_err()));
}

int main(int argc, char **argv)
{
    stats_eye eye = {.compute = compute};
    stats_options o = {.sample = sample};
    stats_spread spread = {0};
    stats_coverage coverage = {0};
    stats_report r = {0};
    stats_doc *d;
    ft_out *page = NULL, *list = NULL;
    cli_begin(&tool, argc, argv);
    check_usage();
    eye.compute = compute;
    eye.memory = o.memory = cli_memory();
    o.sample = (size_t)sample;
    o.no_languages = no_languages;
    o.seed = cli_seed();
    o.prompts = against != NULL;
    o.part = strcmp(key_name, "prompt") == 0     ? FT_PART_PROMPT
             : strcmp(key_name, "response") == 0 ? FT_PART_RESPONSE
                                                 : FT_PART_ALL;
    open_model(&eye, &o);
    if (html_path)
        cli_check(ft_out_open(&page, html_path, cli_err()));
    if (uncovered_path)
        cli_check(ft_out_open(&list, uncovered_path, cli_err()));
    if (against)
        stats_items_read(&coverage, against, cli_memory());
    r = (stats_report){.data = stats_data_new(&o), .top = (size_t)top,
                       .model = eye.model};
    read_all(r.data);
    if (sample)
        stats_spread_of(&r.data->sampled, &eye, cli_seed(), &spread);
    if (against)
        stats_coverage_of(&coverage, &r.data->prompts, &eye);
    r.spread = sample ? &spread : NULL;
    r.coverage = against ? &coverage : NULL;
    d = stats_report_make(&r);
    write_report(d, page);
    if (list)
        write_uncovered(list, &coverage, &r.data->prompts);
    cli_result_count("rows", r.data->rows);
    cli_check(ft_out_flush(cli_stdout(), cli_err()));
    commit(&page);
    commit(&list);
    stats_doc_free(&d);
    stats_coverage_free(&coverage);
    stats_data_free(&r.data);
    ft_tokenizer_free(&eye.tokenizer);
    ft_model_free(&eye.model);
    return cli_end();
}
