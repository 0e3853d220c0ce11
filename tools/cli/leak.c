#include "tools/cli/leak.h"

#include "base/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/model_history.h"

int cli_model_certificates(const ft_gguf *g, ft_mp *array, ft_err *e)
{
    int rc = cli_model_object(g, "ft.certificates", array, e);
    if (rc < 0 || array->n == 0)
        return rc;
    rc = ft_certificates_check(*array, e);
    return rc < 0 ? ft_err_wrap(e, "%s: ft.certificates", ft_gguf_path(g)) : 0;
}

void cli_leak_add_model(cli_leak *l, const ft_gguf *g)
{
    ft_mp array;
    cli_check(cli_model_certificates(g, &array, cli_err()));
    if (!array.n)
        return;
    l->known = 1;
    cli_check(ft_certificate_set_add(&l->set, array, cli_err()));
}

void cli_leak_add_reader(cli_leak *l, const ft_reader *r)
{
    l->known = 1;
    cli_check(ft_certificate_set_add(&l->set, ft_reader_certificates(r), cli_err()));
}

void cli_leak_put(const cli_leak *l, ft_buf *b)
{
    ft_certificate_set_put(&l->set, b);
    cli_check(ft_buf_check(b, cli_err()));
}

void cli_leak_free(cli_leak *l)
{
    ft_certificate_set_free(&l->set);
}

static void say_leak(const char *trained, const char *data, const ft_certificate *c, int allow)
{
    char hex[33];
    if (allow) {
        cli_warn("%s and %s are of the same part %llu of split %.8s: the numbers say nothing about "
                 "unseen data (--allow-leak)", trained, data, (unsigned long long)c->part + 1,
                 ft_digest_hex(&c->split, hex));
        return;
    }
    ft_err_set(cli_err(), FT_ERR_DATA, "%s is of part %llu of split %.8s, and so is %s: it "
               "was trained on what it would be measured on; take another part, or say "
               "--allow-leak", data,
               (unsigned long long)c->part + 1, ft_digest_hex(&c->split, hex), trained);
    cli_fail();
}

void cli_leak_check(const cli_leak *l, const char *trained, const ft_reader *data, int allow)
{
    ft_mp theirs = ft_reader_certificates(data);
    const char *name = ft_reader_name(data);
    ft_buf ours = {0};
    ft_certificate found;
    if (!l->known)
        return;
    cli_leak_put(l, &ours);
    switch (ft_certificates_compare((ft_mp){ours.p, ours.n}, theirs, &found)) {
    case FT_APART: break;
    case FT_APART_LEAK: say_leak(trained, name, &found, allow); break;
    case FT_APART_PARTLY:
        cli_warn("part of %s has no certificate of a split: whether %s shares examples with it is "
                 "not known", l->set.none ? trained : name, l->set.none ? name : trained);
        break;
    case FT_APART_UNRELATED:
        cli_warn("%s and %s are of different splits: whether they share examples is not known",
                 trained, name);
        break;
    case FT_APART_LACKING:
        cli_warn("%s has no certificate of a split, so whether it shares examples with %s is not "
                 "known; parts that ft-split makes have one", ours.n ? name : trained,
                 ours.n ? trained : name);
    }
    ft_buf_free(&ours);
}

void cli_leak_check_claims(const cli_leak *l, const char *trained, const ft_reader *data,
                           int allow)
{
    ft_buf ours = {0};
    ft_certificate found;
    cli_leak_put(l, &ours);
    if (!allow && ft_certificates_compare((ft_mp){ours.p, ours.n},
                                          ft_reader_header(data)->certificates,
                                          &found) == FT_APART_LEAK)
        say_leak(trained, ft_reader_name(data), &found, allow);
    ft_buf_free(&ours);
}

int cli_leak_check_segment(const ft_segment *s, int allow, ft_err *e)
{
    ft_mp v;
    if (allow || !ft_mp_get(s->map, "aug", &v) || ft_mp_type_of(v) == FT_MP_NIL)
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "an augmented example (field aug) in data to measure on: "
                      "split before augmenting, or say --allow-leak");
}

/* Whether there is a certificate of a part other than the first, however deep. */
static int find_later_part(ft_mp array, ft_certificate *c)
{
    ft_mp_iter it = array.n ? ft_mp_iter_of(array) : (ft_mp_iter){0};
    ft_mp v;
    while (ft_mp_next(&it, &v))
        if (ft_certificate_parse(v, c, NULL) == 0 &&
            (c->part > 0 || find_later_part(c->within, c)))
            return 1;
    return 0;
}

void cli_leak_check_first_part(const ft_reader *in)
{
    ft_mp proof = ft_reader_certificates(in);
    ft_certificate c;
    char hex[33];
    if (!find_later_part(proof.n ? proof : ft_reader_header(in)->certificates, &c))
        return;
    ft_err_set(cli_err(), FT_ERR_DATA, "%s is of part %llu of %llu of split %.8s, and only the "
               "first part, which is trained on, is augmented: copies of what is measured on make "
               "the measure worthless; for training on this part, say --allow-leak",
               ft_reader_name(in), (unsigned long long)c.part + 1, (unsigned long long)c.parts,
               ft_digest_hex(&c.split, hex));
    cli_fail();
}

/* ---- showing ---- */

static void put_hex(ft_buf *b, const ft_digest *d)
{
    char hex[33];
    ft_buf_add_str(b, ft_digest_hex(d, hex));
}

static void put_json(ft_buf *b, ft_mp array);

static void put_one_json(ft_buf *b, ft_mp v)
{
    ft_certificate c;
    if (ft_certificate_parse(v, &c, NULL) < 0) {
        ft_buf_add_str(b, "null");
        return;
    }
    ft_buf_add_str(b, "{\"split\":\"");
    put_hex(b, &c.split);
    ft_buf_add_fmt(b, "\",\"part\":%llu,\"parts\":%llu,\"relations\":",
                   (unsigned long long)c.part, (unsigned long long)c.parts);
    ft_json_put(b, c.relations);
    if (c.common.n) {
        ft_buf_add_str(b, ",\"common\":");
        ft_json_put(b, c.common);
    }
    if (c.within.n) {
        ft_buf_add_str(b, ",\"within\":");
        put_json(b, c.within);
    }
    ft_buf_add_str(b, "}");
}

static void put_json(ft_buf *b, ft_mp array)
{
    ft_mp_iter it = array.n ? ft_mp_iter_of(array) : (ft_mp_iter){0};
    const char *sep = "";
    ft_mp v;
    ft_buf_add_str(b, "[");
    for (; ft_mp_next(&it, &v); sep = ",") {
        ft_buf_add_str(b, sep);
        put_one_json(b, v);
    }
    ft_buf_add_str(b, "]");
}

static void put_text(ft_buf *b, ft_mp array, unsigned depth)
{
    ft_mp_iter it = array.n ? ft_mp_iter_of(array) : (ft_mp_iter){0};
    ft_certificate c;
    char hex[33];
    ft_mp v;
    while (ft_mp_next(&it, &v)) {
        ft_buf_add_fmt(b, "%*s", 4 * (int)depth, "");
        if (ft_certificate_parse(v, &c, NULL) < 0) {
            ft_buf_add_str(b, "some records have no certificate\n");
            continue;
        }
        ft_buf_add_fmt(b, "part %llu of %llu of split %.8s  kept together ",
                       (unsigned long long)c.part + 1, (unsigned long long)c.parts,
                       ft_digest_hex(&c.split, hex));
        ft_json_put(b, c.relations);
        if (c.common.n) {
            ft_buf_add_str(b, "  common ");
            ft_json_put(b, c.common);
        }
        ft_buf_add_str(b, c.within.n ? "  within\n" : "\n");
        put_text(b, c.within, depth + 1);
    }
}

void cli_certificates_put(ft_buf *b, ft_mp array, int json)
{
    if (json)
        put_json(b, array);
    else
        put_text(b, array, 1);
}
