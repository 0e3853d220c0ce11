#include "tools/cli/split_certificate.h"

#include "stream/certificate.h"
#include "tools/cli/cli.h"

static ft_digest identity(const cli_split_rows *r, size_t parts)
{
    ft_buf b = {0};
    ft_digest d = ft_reader_digest(r->in);
    ft_mp_put_cstr(&b, "ft-split 1");           /* another number when sides are chosen otherwise */
    ft_mp_put_bin(&b, d.b, sizeof d.b);
    for (size_t i = 0; i < r->n_previous; i++) {
        d = ft_reader_digest(r->previous[i]);
        ft_mp_put_bin(&b, d.b, sizeof d.b);
    }
    ft_mp_put_raw(&b, cli_payload_options());
    ft_mp_put_uint(&b, cli_seed());
    ft_mp_put_uint(&b, parts);
    cli_check(ft_buf_check(&b, cli_err()));
    d = ft_digest_of(b.p, b.n);
    ft_buf_free(&b);
    return d;
}

static void put_relations(ft_buf *b, const cli_split_rows *r)
{
    ft_mp_put_array(b, 2 + (size_t)(r->has_cluster > 0) + r->n_groups);
    if (r->has_cluster)
        ft_mp_put_cstr(b, "cluster");
    ft_mp_put_cstr(b, "prompt");
    ft_mp_put_cstr(b, "response");
    for (size_t i = 0; i < r->n_groups; i++) {
        ft_buf name = {0};
        ft_buf_add_fmt(&name, "group:%s", r->groups[i]);
        cli_check(ft_buf_check(&name, cli_err()));
        ft_mp_put_str(b, (const char *)name.p, name.n);
        ft_buf_free(&name);
    }
}

static void put_common(ft_buf *b, const cli_split_rows *r)
{
    static const char *const names[] = {"prompt", "response"};
    ft_mp_put_map(b, 2);
    for (size_t i = 0; i < 2; i++) {
        ft_mp_put_cstr(b, names[i]);
        ft_mp_put_map(b, 3);
        ft_mp_put_cstr(b, "over");
        ft_mp_put_uint(b, r->over[i]);
        ft_mp_put_cstr(b, "texts");
        ft_mp_put_uint(b, r->common[i].texts);
        ft_mp_put_cstr(b, "examples");
        ft_mp_put_uint(b, r->common[i].rows);
    }
}

void cli_split_put_claim(ft_buf *b, const cli_split_rows *r, size_t part, size_t parts)
{
    ft_buf relations = {0}, common = {0};
    put_relations(&relations, r);
    put_common(&common, r);
    cli_check(ft_buf_check(&relations, cli_err()));
    cli_check(ft_buf_check(&common, cli_err()));
    ft_certificate c = {.split = identity(r, parts), .part = part, .parts = parts,
                        .relations = {relations.p, relations.n}, .common = {common.p, common.n},
                        .within = ft_reader_certificates(r->in)};
    ft_mp_put_array(b, 1);
    ft_certificate_put(b, &c);
    cli_check(ft_buf_check(b, cli_err()));
    ft_buf_free(&relations);
    ft_buf_free(&common);
}
