#include "tools/cli/split_notes.h"

#include "base/json.h"
#include "data/example.h"
#include "tools/cli/cli.h"

void cli_split_notes_begin(cli_split_notes *s, cli_split_rows *r)
{
    uint32_t root;
    *s = (cli_split_notes){0};
    for (; s->n_common < r->n_top; s->n_common++)
        s->keys[s->n_common] = r->top[s->n_common].key;
    s->n = s->n_common;
    s->alarm = r->largest.rows > 1 && (double)r->largest.rows > 0.2 * (double)r->n;
    if (!s->alarm)
        return;
    root = ft_components_root(r->ties, r->largest.most);
    s->n += ft_components_strongest(r->ties, root, s->keys + s->n, CLI_COMMON_SHOWN);
}

/* The first characters of a text, or a value. */
static void put_short(ft_buf *b, ft_slice s)
{
    const size_t shown = 60;
    size_t n = s.n < shown ? s.n : shown;
    while (n < s.n && n > shown - 4 && (s.p[n] & 0xc0) == 0x80)
        n--;                                    /* not inside a character */
    ft_json_put_string(b, (const char *)s.p, n);
    ft_buf_add_str(b, n < s.n ? " …" : "");
}

static void put_part(ft_buf *b, ft_mp record, enum ft_part part)
{
    ft_buf text = {0};
    if (ft_example_part(record, part, &text, NULL) < 0 || text.n == 0) {
        ft_buf_clear(&text);
        cli_check(ft_example_part(record, FT_PART_ALL, &text, cli_err()));
    }
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == 0xff)
            text.p[i] = ' ';
    put_short(b, (ft_slice){text.p, text.n});
    ft_buf_free(&text);
}

static void put_field(ft_buf *b, ft_mp record, const char *field)
{
    ft_slice s;
    ft_mp v;
    if (!ft_mp_get(record, field, &v))
        return;
    if (ft_mp_str(v, &s))
        put_short(b, s);
    else
        ft_json_put(b, v);
}

static void put_text(ft_buf *b, const cli_split_rows *r, size_t slot, ft_mp record)
{
    static const char *const names[] = {"the prompt ", "the response ", "the cluster "};
    ft_buf_add_str(b, slot < FT_TIE_GROUP ? names[slot] : "the group ");
    if (slot < FT_TIE_CLUSTER)
        put_part(b, record, slot == FT_TIE_PROMPT ? FT_PART_PROMPT : FT_PART_RESPONSE);
    else
        put_field(b, record, slot == FT_TIE_CLUSTER ? "cluster" : r->groups[slot - FT_TIE_GROUP]);
    ft_buf_add_byte(b, '\0');
    cli_check(ft_buf_check(b, cli_err()));
}

void cli_split_notes_see(cli_split_notes *s, const cli_split_rows *r, const cli_split_row *row,
                         ft_mp record)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t slot = 0; slot < FT_TIES && s->texts[i].n == 0; slot++)
            if (row->tie.key[slot] == s->keys[i])
                put_text(&s->texts[i], r, slot, record);
}

static const char *text_of(const cli_split_notes *s, size_t i)
{
    return s->texts[i].n ? (const char *)s->texts[i].p : "equal examples";
}

static void say_common(const cli_split_notes *s, const cli_split_rows *r)
{
    for (size_t i = 0; i < s->n_common; i++)
        cli_note("%s is shared by %llu groups in %llu examples, so it ties nobody; --common sets "
                 "the limit, %llu", text_of(s, i), (unsigned long long)r->top[i].groups,
                 (unsigned long long)r->top[i].rows,
                 (unsigned long long)r->over[r->top[i].slot]);
    if (r->common[0].texts + r->common[1].texts > s->n_common)
        cli_note("so do %llu more prompts and responses",
                 (unsigned long long)(r->common[0].texts + r->common[1].texts - s->n_common));
}

static void say_alarm(const cli_split_notes *s, const cli_split_rows *r, const char *part)
{
    ft_buf more = {0};
    for (size_t i = s->n_common + 1; i < s->n; i++)
        ft_buf_add_fmt(&more, "; %llu by %s",
                       (unsigned long long)ft_components_rows_with(r->ties, s->keys[i]),
                       text_of(s, i));
    ft_buf_add_byte(&more, '\0');
    cli_check(ft_buf_check(&more, cli_err()));
    cli_warn("%llu of %llu examples hang together and go to %s; most of them, %llu, by %s%s; with "
             "--common N, a prompt or response of over N groups ties nobody",
             (unsigned long long)r->largest.rows, (unsigned long long)r->n, part,
             (unsigned long long)r->largest.most_rows,
             s->n > s->n_common ? text_of(s, s->n_common) : "equal examples",
             (const char *)more.p);
    ft_buf_free(&more);
}

void cli_split_notes_end(cli_split_notes *s, const cli_split_rows *r, const char *largest_part)
{
    say_common(s, r);
    if (s->alarm)
        say_alarm(s, r, largest_part);
    for (size_t i = 0; i < s->n; i++)
        ft_buf_free(&s->texts[i]);
}
