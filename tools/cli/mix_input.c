#include "tools/cli/mix_input.h"

#include "data/example.h"
#include "stream/certificate.h"
#include "stream/rows.h"

#include <string.h>

static const char *const unit_names[] = {"bytes", "tokens", "targets", "examples"};

const char *cli_mix_unit_name(enum cli_mix_unit unit)
{
    return unit_names[unit];
}

enum cli_mix_unit cli_mix_unit_of(const char *name, ft_kind kind)
{
    int is_text = kind == FT_KIND_TEXT;
    size_t unit = is_text ? CLI_MIX_BYTES : CLI_MIX_TOKENS;
    if (name)
        for (unit = 0; strcmp(name, unit_names[unit]) != 0; unit++)
            ;                                  /* the option's words are these */
    if (unit != CLI_MIX_EXAMPLES && (unit == CLI_MIX_BYTES) != is_text)
        cli_usage_error("--by %s: a stream of kind %s has none; %s", name, ft_kind_name(kind),
                        is_text ? "put ft-tokenize before, or count bytes or examples"
                                : "count tokens, targets or examples");
    return (enum cli_mix_unit)unit;
}

/* ---- opening ---- */

static void check_agrees(const ft_reader *first, const ft_reader *in)
{
    const ft_header *a = ft_reader_header(first), *b = ft_reader_header(in);
    const char *what = NULL;
    if (!ft_digest_equal(&a->tokenizer, &b->tokenizer))
        what = "tokenizer";
    else if (!ft_digest_equal(&a->template_, &b->template_))
        what = "chat template";
    if (!what)
        return;
    ft_err_set(cli_err(), FT_ERR_DATA, "%s and %s are of different %ss; tokenise both with one "
               "model", ft_reader_name(first), ft_reader_name(in), what);
    cli_fail();
}

void cli_mix_open(cli_mix_input *inputs, const char *const *paths, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ft_kind kind = i ? ft_reader_header(inputs[0].in)->kind : FT_KIND_ANY;
        inputs[i].in = cli_reader(paths[i], kind);
        kind = ft_reader_header(inputs[i].in)->kind;
        if (kind == FT_KIND_TEXT || kind == FT_KIND_TOKENS || kind == FT_KIND_PACKED) {
            check_agrees(inputs[0].in, inputs[i].in);
            continue;
        }
        ft_err_set(cli_err(), FT_ERR_DATA, "%s holds no examples: it is of kind %s", paths[i],
                   ft_kind_name(kind));
        cli_fail();
    }
}

/* Claims have no nil: that some inputs have none stands in the proof only. */
ft_header cli_mix_header(const cli_mix_input *inputs, size_t n, ft_buf *claims)
{
    ft_header h = cli_header_from(inputs[0].in, ft_reader_header(inputs[0].in)->kind);
    ft_certificate_set all = {0};
    for (size_t i = 0; i < n; i++)
        cli_check(ft_certificate_set_add(&all, ft_reader_header(inputs[i].in)->certificates,
                                         cli_err()));
    all.none = 0;
    ft_certificate_set_put(&all, claims);
    ft_certificate_set_free(&all);
    cli_check(ft_buf_check(claims, cli_err()));
    h.certificates = (ft_mp){claims->p, claims->n};
    return h;
}

/* ---- sizes ---- */

static uint64_t string_bytes(ft_mp v)
{
    ft_slice s;
    ft_mp item;
    ft_mp_iter it = ft_mp_iter_of(v);
    uint64_t n = 0;
    if (ft_mp_str(v, &s))
        return s.n;
    if (ft_mp_type_of(v) == FT_MP_ARRAY)
        while (ft_mp_next(&it, &item))
            n += ft_mp_str(item, &s) ? s.n : 0;
    return n;
}

/* Bytes of the texts of an example, without roles and whatever rides along. */
static int text_bytes(ft_mp record, uint64_t *n, ft_err *e)
{
    static const char *const fields[] = {"prompt", "completion", "text", "prediction", "reference"};
    enum ft_shape shape;
    ft_mp v, turn;
    ft_mp_iter it;
    if (ft_example_shape(record, &shape, e) < 0)
        return FT_ERR_DATA;
    *n = 0;
    if (shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &v)) {
        it = ft_mp_iter_of(v);
        while (ft_mp_next(&it, &turn))
            *n += ft_mp_get(turn, "content", &v) ? string_bytes(v) : 0;
        return 0;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *n += ft_mp_get(record, fields[i], &v) ? string_bytes(v) : 0;
    return 0;
}

static int segments_size(cli_mix_input *x, enum cli_mix_unit unit, ft_err *e)
{
    ft_row_iter it;
    ft_segment s;
    size_t n;
    int rc = ft_row_begin(x->record, &it, &n, e);
    if (rc < 0)
        return rc;
    for (x->n_examples = 0; (rc = ft_row_next(&it, &s, e)) == 0; x->n_examples++)
        x->size += unit == CLI_MIX_TOKENS ? s.n_tokens : unit == CLI_MIX_TARGETS ? s.n_targets : 1;
    return rc < 0 ? rc : 0;
}

static int measure(cli_mix_input *x, enum cli_mix_unit unit, ft_err *e)
{
    ft_segment s;
    int rc;
    x->size = unit == CLI_MIX_EXAMPLES;
    x->n_examples = 1;
    switch (ft_reader_header(x->in)->kind) {
    case FT_KIND_PACKED:
        x->size = 0;
        return segments_size(x, unit, e);
    case FT_KIND_TOKENS:
        if ((rc = ft_segment_parse(x->record, &s, e)) < 0)
            return rc;
        if (unit != CLI_MIX_EXAMPLES)
            x->size = unit == CLI_MIX_TOKENS ? s.n_tokens : s.n_targets;
        return 0;
    default:
        return unit == CLI_MIX_BYTES ? text_bytes(x->record, &x->size, e) : 0;
    }
}

/* ---- taking ---- */

/* The next record of the stream. Returns: whether there is one. */
static int read_one(cli_mix_input *x, enum cli_mix_unit unit)
{
    if (!cli_next(x->in, &x->record))
        return 0;
    if (measure(x, unit, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(x->in),
                    ft_reader_name(x->in));
        cli_fail();
    }
    x->rows++;
    x->units += x->size;
    x->examples += x->n_examples;
    return 1;
}

static void begin_epoch(cli_mix_input *x, enum cli_mix_unit unit)
{
    if (x->shuffle && ft_mix_store_shuffle(x->store, x->seed, (uint32_t)x->epoch, cli_err()) < 0)
        cli_fail();
    if (!x->shuffle)
        cli_check(ft_mix_store_begin(x->store, cli_err()));
    cli_mix_next(x, unit);
}

void cli_mix_store(cli_mix_input *x, enum cli_mix_unit unit, uint64_t memory, int shuffle,
                   uint64_t seed)
{
    x->shuffle = shuffle;
    x->seed = seed;
    cli_check(ft_mix_store_new(&x->store, memory, cli_err()));
    while (read_one(x, unit))
        cli_check(ft_mix_store_add(x->store, x->record, cli_err()));
    begin_epoch(x, unit);
}

void cli_mix_next(cli_mix_input *x, enum cli_mix_unit unit)
{
    uint64_t row;
    if (!x->store) {
        x->ended = !read_one(x, unit);
        return;
    }
    x->ended = cli_check(ft_mix_store_next(x->store, &x->record, &row, cli_err())) == FT_EOS;
    if (!x->ended)
        cli_check(measure(x, unit, cli_err()));
}

void cli_mix_again(cli_mix_input *x, enum cli_mix_unit unit)
{
    x->epoch++;
    begin_epoch(x, unit);
}

void cli_mix_drain(cli_mix_input *x)
{
    if (!x->store && !x->ended)
        while (read_one(x, CLI_MIX_EXAMPLES))
            ;
}

void cli_mix_close(cli_mix_input *x)
{
    ft_mix_store_free(&x->store);
    ft_reader_free(&x->in);
}
