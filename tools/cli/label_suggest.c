#include "tools/cli/label_suggest.h"

#include "base/json.h"
#include "base/mem.h"
#include "tools/cli/cli.h"

#include <stdlib.h>

static const char *const names[LABEL_METHODS] = {"confident", "knn", "ifd", "loss", "conflict"};

typedef struct entry {
    double key;
    uint64_t row, at;          /* at: in the spool, 4 bytes of length before the line */
} entry;

struct label_suggestions {
    ft_spool *spool;
    struct { entry *of; size_t n, cap; } methods[LABEL_METHODS];
};

label_suggestions *label_suggestions_new(void)
{
    label_suggestions *s = ft_new(1, sizeof *s, cli_err());
    if (!s)
        cli_fail();
    cli_check(ft_spool_new(&s->spool, cli_err()));
    return s;
}

void label_suggestions_free(label_suggestions **s)
{
    if (!*s)
        return;
    for (size_t m = 0; m < LABEL_METHODS; m++)
        ft_free((*s)->methods[m].of);
    ft_spool_free(&(*s)->spool);
    ft_free(*s);
    *s = NULL;
}

void label_line_begin(ft_buf *b, ft_slice id_json, uint64_t row, const char *field)
{
    ft_buf_clear(b);
    ft_buf_add_str(b, "{\"id\":");
    ft_buf_add(b, id_json.p, id_json.n);
    ft_buf_add_fmt(b, ",\"row\":%llu,\"field\":\"%s\",\"given\":", (unsigned long long)row, field);
}

void label_line_end(ft_buf *b, double score, enum label_method m, const char *extra,
                    ft_slice excerpt)
{
    ft_buf_add_str(b, ",\"score\":");
    ft_json_put_double(b, score);
    ft_buf_add_fmt(b, ",\"method\":\"%s\"%s,\"text\":", names[m], extra ? extra : "");
    ft_json_put_string(b, excerpt.p, excerpt.n);
    ft_buf_add_str(b, "}\n");
}

void label_suggestions_add(label_suggestions *s, enum label_method m, double key, uint64_t row,
                           const ft_buf *line)
{
    uint32_t n = (uint32_t)line->n;
    uint64_t at = ft_spool_bytes(s->spool);
    cli_check(ft_buf_check(line, cli_err()));
    cli_check(ft_grow(&s->methods[m].of, &s->methods[m].cap, s->methods[m].n + 1, sizeof(entry),
                      cli_err()));
    cli_check(ft_spool_write(s->spool, &n, sizeof n, cli_err()));
    cli_check(ft_spool_write(s->spool, line->p, line->n, cli_err()));
    s->methods[m].of[s->methods[m].n++] = (entry){key, row, at};
}

static int by_rank(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void write_line(label_suggestions *s, const entry *x, ft_buf *line, ft_out *out)
{
    uint32_t n;
    cli_check(ft_spool_read_at(s->spool, x->at, &n, sizeof n, cli_err()));
    ft_buf_clear(line);
    ft_buf_room(line, n);
    cli_check(ft_buf_check(line, cli_err()));
    cli_check(ft_spool_read_at(s->spool, x->at + sizeof n, line->p, n, cli_err()));
    cli_check(ft_out_write(out, line->p, n, cli_err()));
}

void label_suggestions_write(label_suggestions *s, ft_out *out)
{
    ft_buf line = {0};
    cli_check(ft_spool_rewind(s->spool, cli_err()));
    for (size_t m = 0; m < LABEL_METHODS; m++) {
        if (s->methods[m].n)
            qsort(s->methods[m].of, s->methods[m].n, sizeof(entry), by_rank);
        for (size_t i = 0; i < s->methods[m].n; i++)
            write_line(s, &s->methods[m].of[i], &line, out);
    }
    ft_buf_free(&line);
}

void label_suggestions_report(const label_suggestions *s, unsigned wanted)
{
    for (unsigned m = 0; m < LABEL_METHODS; m++)
        if (wanted & 1u << m)
            cli_result_count(names[m], s->methods[m].n);
}

void label_put_id(ft_buf *b, ft_mp record, uint64_t number)
{
    ft_mp id;
    if (ft_mp_get(record, "id", &id))
        ft_json_put(b, id);
    else
        ft_buf_add_fmt(b, "%llu", (unsigned long long)number);
}

void label_put_excerpt(ft_buf *b, ft_slice text)
{
    size_t n = text.n < FT_LABEL_EXCERPT ? text.n : FT_LABEL_EXCERPT;
    while (n < text.n && n > FT_LABEL_EXCERPT - 4 && (text.p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        ft_buf_add_byte(b, text.p[i] == 0xff ? '\n' : text.p[i]);
}
