#include "tools/cli/split_rows.h"

#include "base/mem.h"
#include "data/tie_keys.h"
#include "tools/cli/cli.h"

static void check_memory(int rc)
{
    if (rc == FT_ERR_NOMEM && cli_memory())
        ft_err_wrap(cli_err(), "--memory");
    cli_check(rc);
}

static _Noreturn void fail_at(const ft_reader *in)
{
    ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(in),
                ft_reader_name(in));
    cli_fail();
}

/* ---- earlier parts ---- */

void cli_split_read_previous(cli_split_rows *r, char **paths, size_t n)
{
    ft_tie_keys keys;
    size_t cap = 0;
    uint64_t number;
    ft_mp record;
    int is_new;
    check_memory(ft_digest_set_new(&r->before, cli_memory(), cli_err()));
    for (r->n_previous = 0; r->n_previous < n; r->n_previous++) {
        ft_reader *in = cli_reader(paths[r->n_previous], FT_KIND_TEXT);
        r->previous[r->n_previous] = in;
        for (; cli_next(in, &record); r->previous_rows++) {
            if (ft_tie_keys_of(record, NULL, 0, r->scratch, &keys, cli_err()) < 0)
                fail_at(in);
            check_memory(ft_digest_set_add(r->before, &keys.row, &number, &is_new, cli_err()));
            check_memory(ft_grow(&r->before_part, &cap, (size_t)number + 1, 1, cli_err()));
            if (is_new)
                r->before_part[number] = (uint8_t)r->n_previous;
        }
    }
}

static int part_before(cli_split_rows *r, const ft_digest *row)
{
    uint64_t number;
    if (!r->before || !ft_digest_set_find(r->before, row, &number))
        return FT_NO_PART;
    return r->before_part[number];
}

/* ---- first pass ---- */

static void count_keys(cli_split_rows *r, const ft_tie_keys *k, ft_tie *tie)
{
    for (size_t i = 0; i < FT_TIES; i++) {
        enum ft_relation by = i == FT_TIE_PROMPT ? FT_BY_PROMPT
                            : i == FT_TIE_RESPONSE ? FT_BY_RESPONSE
                            : i == FT_TIE_CLUSTER ? FT_BY_CLUSTER : FT_BY_GROUP;
        tie->key[i] = FT_NO_KEY;
        if (k->has[i])
            check_memory(ft_components_key(r->ties, &k->key[i], by, &tie->key[i], cli_err()));
    }
    r->has_cluster += (uint64_t)k->has[FT_TIE_CLUSTER];
}

static void read_row(cli_split_rows *r, ft_mp record)
{
    cli_split_row row = {.bytes = (uint32_t)record.n};
    ft_tie_keys keys;
    ft_mp v;
    if (ft_tie_keys_of(record, r->groups, r->n_groups, r->scratch, &keys, cli_err()) < 0)
        fail_at(r->in);
    count_keys(r, &keys, &row.tie);
    if (r->stratify && ft_mp_get(record, r->stratify, &v)) {
        int rc = ft_group_key(v, "stratum", &row.label, cli_err());
        if (rc < 0) {
            ft_err_wrap(cli_err(), "field %s", r->stratify);
            fail_at(r->in);
        }
        row.has_label = (int8_t)rc;
    }
    row.is_augmented = ft_mp_get(record, "aug", &v) && ft_mp_type_of(v) != FT_MP_NIL;
    row.previous = (int8_t)part_before(r, &keys.row);
    cli_check(ft_spool_write(r->heads, &row, sizeof row, cli_err()));
    cli_check(ft_spool_write(r->records, record.p, record.n, cli_err()));
}

static int next_head(cli_split_rows *r, cli_split_row *row)
{
    size_t got;
    cli_check(ft_spool_read(r->heads, row, sizeof *row, &got, cli_err()));
    return got == sizeof *row;
}

static void find_common(cli_split_rows *r)
{
    ft_common_keys *k = NULL;
    cli_split_row row;
    check_memory(ft_common_keys_new(&k, r->ties, r->over, cli_err()));
    cli_check(ft_spool_rewind(r->heads, cli_err()));
    while (next_head(r, &row))
        check_memory(ft_common_keys_see(k, &row.tie, cli_err()));
    r->n_top = ft_common_keys_set(k, r->common, r->top, CLI_COMMON_SHOWN);
    ft_common_keys_free(&k);
}

void cli_split_read(cli_split_rows *r)
{
    cli_split_row row;
    ft_mp record;
    uint32_t home;
    check_memory(ft_components_new(&r->ties, cli_memory(), cli_err()));
    cli_check(ft_spool_new(&r->records, cli_err()));
    cli_check(ft_spool_new(&r->heads, cli_err()));
    for (; cli_next(r->in, &record); r->n++)
        read_row(r, record);
    if (r->over[0] || r->over[1])
        find_common(r);
    cli_check(ft_spool_rewind(r->heads, cli_err()));
    while (next_head(r, &row))
        check_memory(ft_components_tie(r->ties, &row.tie, &home, cli_err()));
    r->largest = ft_components_largest(r->ties);
}

void cli_split_stratify(cli_split_rows *r, const ft_shares *s)
{
    cli_split_row row;
    uint32_t home;
    if (!r->stratify)
        return;
    check_memory(ft_strata_new(&r->strata, r->ties, s->n, cli_err()));
    cli_check(ft_spool_rewind(r->heads, cli_err()));
    while (next_head(r, &row)) {
        check_memory(ft_components_home(r->ties, &row.tie, &home, cli_err()));
        check_memory(ft_strata_add(r->strata, home, row.has_label ? &row.label : NULL,
                                   row.previous, cli_err()));
    }
    check_memory(ft_strata_deal(r->strata, s, cli_seed(), cli_err()));
}

/* ---- last pass ---- */

void cli_split_rewind(cli_split_rows *r)
{
    cli_check(ft_spool_rewind(r->heads, cli_err()));
    cli_check(ft_spool_rewind(r->records, cli_err()));
}

int cli_split_next(cli_split_rows *r, cli_split_row *row, ft_mp *record, uint32_t *home)
{
    size_t got;
    if (!next_head(r, row))
        return 0;
    ft_buf_clear(&r->record);
    if (!ft_buf_room(&r->record, row->bytes))
        cli_check(ft_buf_check(&r->record, cli_err()));
    cli_check(ft_spool_read(r->records, r->record.p, row->bytes, &got, cli_err()));
    *record = (ft_mp){r->record.p, row->bytes};
    check_memory(ft_components_home(r->ties, &row->tie, home, cli_err()));
    return 1;
}

void cli_split_free(cli_split_rows *r)
{
    ft_strata_free(&r->strata);
    ft_components_free(&r->ties);
    ft_digest_set_free(&r->before);
    ft_free(r->before_part);
    ft_spool_free(&r->records);
    ft_spool_free(&r->heads);
    ft_reader_free(&r->in);
    for (size_t i = 0; i < r->n_previous; i++)
        ft_reader_free(&r->previous[i]);
    ft_buf_free(&r->record);
    ft_buf_free(&r->scratch[0]);
    ft_buf_free(&r->scratch[1]);
}
