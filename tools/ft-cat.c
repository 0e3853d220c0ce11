/* ft-cat: shows the records of a stream as JSON lines, or the text behind their tokens. */
#include "base/json.h"
#include "stream/rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/load.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static uint64_t head;
static int decode;
static const cli_option options[] = {
    {"head", 'n', CLI_COUNT, &head, "N", 1, 1e18, 0, "stop after N records, the rest unverified"},
    {"decode", 'd', CLI_FLAG, &decode, NULL, 0, 0, 0,
     "show tokens as text by the tokenizer of -m, targets marked"},
    {0}};
static const cli_tool tool = {
    "ft-cat", "show the records of a stream as JSON lines", "[options] [FILE]",
    "ft-cat train.ft | jq -r .prompt\n"
    "ft-tokenize -m model.gguf -i train.ft | ft-cat --decode -m model.gguf --head 3",
    "ft-check(1), ft-export(1)", CLI_IN | CLI_MODEL | CLI_THREADS, 1, options};

/* ---- as JSON ---- */

/* Appends the fields of a map but the named ones, each with a comma before it. */
static void put_others(ft_buf *b, ft_mp map, const char *const *but)
{
    ft_mp_iter it = ft_mp_iter_of(map);
    ft_mp key, value;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (ft_mp_is_one_of(key, but))
            continue;
        ft_buf_add_byte(b, ',');
        ft_json_put(b, key);
        ft_buf_add_byte(b, ':');
        ft_json_put(b, value);
    }
}

static void put_segment(ft_buf *b, const ft_segment *s)
{
    static const char *const shown[] = {"id", "ids", "mask", NULL};
    ft_buf_add_str(b, "{\"id\":");
    ft_json_put(b, s->id);
    ft_buf_add_str(b, ",\"ids\":[");
    for (size_t i = 0; i < s->n_tokens; i++)
        ft_buf_add_fmt(b, i ? ",%u" : "%u", ft_segment_id_at(s, i));
    ft_buf_add_str(b, "],\"mask\":[");
    for (size_t i = 0; i < s->n_tokens; i++)
        ft_buf_add_str(b, ft_segment_is_target(s, i) ? &",1"[i == 0] : &",0"[i == 0]);
    ft_buf_add_byte(b, ']');
    put_others(b, s->map, shown);
    ft_buf_add_byte(b, '}');
}

static int put_row(ft_buf *b, ft_mp record, ft_err *e)
{
    static const char *const shown[] = {"segments", NULL};
    ft_row_iter it;
    ft_segment s;
    size_t n;
    int rc = ft_row_begin(record, &it, &n, e);
    ft_buf_add_str(b, "{\"segments\":");
    for (size_t i = 0; rc == 0 && (rc = ft_row_next(&it, &s, e)) == 0; i++) {
        ft_buf_add_byte(b, i ? ',' : '[');
        put_segment(b, &s);
    }
    ft_buf_add_byte(b, ']');
    put_others(b, record, shown);
    ft_buf_add_byte(b, '}');
    return rc < 0 ? rc : 0;
}

static float float_at(const uint8_t *p)
{
    uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                    (uint32_t)p[3] << 24;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* A tensor's numbers are for machines: their count, extremes and norm stand for them. */
static int put_tensor(ft_buf *b, ft_mp record, ft_err *e)
{
    static const char *const shown[] = {"data", NULL};
    ft_mp v;
    ft_slice data;
    double min = INFINITY, max = -INFINITY, squares = 0;
    size_t n;
    ft_buf line = {0};
    if (!ft_mp_get(record, "data", &v) || !ft_mp_bin(v, &data) || data.n == 0 || data.n % 4)
        return ft_err_set(e, FT_ERR_DATA, "field data is missing or no list of numbers");
    n = data.n / 4;
    for (size_t i = 0; i < n; i++) {
        double x = (double)float_at(data.p + 4 * i);
        min = x < min || isnan(x) ? x : min;
        max = x > max || isnan(x) ? x : max;
        squares += x * x;
    }
    put_others(&line, record, shown);
    if (line.n)
        line.p[0] = '{';
    else
        ft_buf_add_byte(&line, '{');
    ft_buf_add(b, line.p, line.n);
    b->failed |= line.failed;
    ft_buf_add_fmt(b, "%s\"count\":%zu,\"min\":", line.n > 1 ? "," : "", n);
    ft_json_put_double(b, min);
    ft_buf_add_str(b, ",\"max\":");
    ft_json_put_double(b, max);
    ft_buf_add_str(b, ",\"norm\":");
    ft_json_put_double(b, sqrt(squares));
    ft_buf_add_byte(b, '}');
    ft_buf_free(&line);
    return 0;
}

static int put_record(ft_buf *b, ft_kind kind, ft_mp record, ft_err *e)
{
    ft_segment s;
    switch (kind) {
    case FT_KIND_TOKENS:
        if (ft_segment_parse(record, &s, e) < 0)
            return e->code;
        put_segment(b, &s);
        return 0;
    case FT_KIND_PACKED: return put_row(b, record, e);
    case FT_KIND_ADAPTER:
    case FT_KIND_CHECKPOINT: return put_tensor(b, record, e);
    default: ft_json_put(b, record); return 0;
    }
}

/* ---- as text ---- */

typedef struct decoder {
    ft_tokenizer *tokenizer;
    const char *open, *close;    /* around targets */
    int to_terminal;
} decoder;

static decoder decoder_for(const ft_header *h)
{
    decoder d = {NULL, "\xe2\x9f\xa6", "\xe2\x9f\xa7", isatty(STDOUT_FILENO)};
    ft_digest ours;
    if (h->kind != FT_KIND_TOKENS && h->kind != FT_KIND_PACKED)
        cli_usage_error("--decode needs a stream of kind tokens or packed; this one is of kind %s",
                        ft_kind_name(h->kind));
    d.tokenizer = cli_tokenizer(cli_model());
    ours = ft_tokenizer_digest(d.tokenizer);
    if (!ft_digest_equal(&ours, &h->tokenizer)) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s has another tokenizer than the one that made this "
                   "stream", cli_model());
        cli_fail();
    }
    if (d.to_terminal) {
        d.open = "\033[7m";
        d.close = "\033[27m";
    }
    return d;
}

/* A terminal obeys control characters, so those of the data become ones it only shows. */
static void put_text(ft_buf *b, ft_slice s, int to_terminal)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (to_terminal && ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f))
            ft_buf_add_str(b, "\xef\xbf\xbd");
        else
            ft_buf_add_byte(b, c);
    }
}

static int decode_segment(ft_buf *b, const decoder *d, const ft_segment *s, ft_err *e)
{
    int marked = 0;
    for (size_t i = 0; i < s->n_tokens; i++) {
        uint32_t id = ft_segment_id_at(s, i);
        int target = ft_segment_is_target(s, i);
        if (id >= ft_tokenizer_size(d->tokenizer))
            return ft_err_set(e, FT_ERR_DATA, "token %zu has id %u, which the tokenizer lacks", i,
                              id);
        if (target != marked)
            ft_buf_add_str(b, target ? d->open : d->close);
        marked = target;
        put_text(b, ft_token_bytes(d->tokenizer, id), d->to_terminal);
    }
    ft_buf_add_str(b, marked ? d->close : "");
    ft_buf_add_str(b, "\n\n");
    return 0;
}

static int decode_record(ft_buf *b, const decoder *d, ft_kind kind, ft_mp record, ft_err *e)
{
    ft_row_iter it;
    ft_segment s;
    size_t n;
    int rc;
    if (kind == FT_KIND_TOKENS) {
        rc = ft_segment_parse(record, &s, e);
        return rc < 0 ? rc : decode_segment(b, d, &s, e);
    }
    rc = ft_row_begin(record, &it, &n, e);
    while (rc == 0 && (rc = ft_row_next(&it, &s, e)) == 0)
        rc = decode_segment(b, d, &s, e);
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    ft_buf b = {0};
    ft_mp record;
    ft_reader *in;
    ft_kind kind;
    decoder d = {0};
    cli_begin(&tool, argc, argv);
    in = cli_reader(cli_input(), FT_KIND_ANY);
    kind = ft_reader_header(in)->kind;
    if (decode)
        d = decoder_for(ft_reader_header(in));
    while (!(head && ft_reader_records(in) == head) && cli_next(in, &record)) {
        int rc;
        ft_buf_clear(&b);
        if (decode) {
            rc = decode_record(&b, &d, kind, record, cli_err());
        } else {
            rc = put_record(&b, kind, record, cli_err());
            ft_buf_add_byte(&b, '\n');
        }
        if (rc < 0)
            ft_err_wrap(cli_err(), "%s: record %llu", ft_reader_name(in),
                        (unsigned long long)ft_reader_records(in));
        cli_check(rc);
        cli_check(ft_buf_check(&b, cli_err()));
        cli_check(ft_out_write(cli_stdout(), b.p, b.n, cli_err()));
    }
    if (!ft_reader_verified(in))
        cli_note("stopped after %llu records as asked; the rest was not read or verified",
                 (unsigned long long)head);
    ft_reader_free(&in);
    ft_tokenizer_free(&d.tokenizer);
    ft_buf_free(&b);
    return cli_end();
}
