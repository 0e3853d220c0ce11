#include "tools/cli/filter_job.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

typedef struct worker {
    ft_filter_meter meter;
    ft_buf masked;
} worker;

struct filter_workers {
    const filter_plan *plan;
    ft_language *language;       /* one for all; NULL when nobody asks */
    worker *w;
    unsigned n;
};

const char *filter_reason_name(const filter_plan *p, size_t reason)
{
    return reason < FT_RULES           ? ft_rule_table[reason].name
           : reason == FILTER_LANGUAGE ? "language"
           : reason == FILTER_PII      ? "pii" : p->custom[reason - FILTER_CUSTOM].name;
}

int filter_reason_is_on(const filter_plan *p, const filter_verdict *v, size_t reason)
{
    if (reason < FT_RULES)
        return v->on >> reason & 1;
    if (reason == FILTER_LANGUAGE)
        return p->languages != NULL;
    if (reason == FILTER_PII)
        return p->pii != FILTER_PII_OFF;
    return reason - FILTER_CUSTOM < p->n_custom;
}

int filter_workers_new(filter_workers **out, const filter_plan *plan, unsigned threads, ft_err *e)
{
    filter_workers *w = ft_new(1, sizeof *w, e);
    uint64_t on = 0;
    int rc = 0;
    *out = w;
    if (!w)
        return FT_ERR_NOMEM;
    for (int p = 0; p < FT_PROFILES; p++)
        if (plan->has_profile ? p == (int)plan->profile
                              : p == FT_PROFILE_INSTRUCT || p == FT_PROFILE_COMPLETION)
            on |= ft_rules_of(&plan->rules, p);
    w->plan = plan;
    if (!plan->from_tags && (plan->languages || on & FT_RULE_BIT(FT_RULE_LANGUAGE_DIFFERS)))
        rc = ft_language_new(&w->language, e);
    if (rc == 0 && !(w->w = ft_new(threads, sizeof *w->w, e)))
        rc = FT_ERR_NOMEM;
    for (; rc == 0 && w->n < threads; w->n++) {
        ft_filter_meter *m = &w->w[w->n].meter;
        m->want_guess = plan->languages != NULL;
        m->language = w->language;
        m->until = plan->all_values || plan->tag_only ? NULL : &plan->rules;
        rc = ft_text_meter_new(&m->text, e);
    }
    if (rc < 0)
        filter_workers_free(out);
    return rc;
}

void filter_workers_free(filter_workers **wp)
{
    filter_workers *w = *wp;
    if (!w)
        return;
    for (unsigned i = 0; w->w && i < w->n; i++) {
        ft_filter_meter_free(&w->w[i].meter);
        ft_buf_free(&w->w[i].masked);
    }
    ft_language_free(&w->language);
    ft_free(w->w);
    ft_free(w);
    *wp = NULL;
}

/* ---- judging ---- */

static int profile_of(const filter_plan *p, ft_mp record, int *profile, ft_err *e)
{
    enum ft_shape shape;
    if (ft_example_shape(record, &shape, e) < 0)
        return FT_ERR_DATA;
    *profile = p->has_profile              ? (int)p->profile
               : shape == FT_SHAPE_TEXT ? FT_PROFILE_COMPLETION : FT_PROFILE_INSTRUCT;
    return 0;
}

/* Values as an earlier run wrote them. */
static int read_tags(const filter_plan *p, ft_mp record, filter_verdict *v, ft_guess *g, ft_err *e)
{
    ft_mp tags;
    ft_slice language;
    if (!ft_mp_get(record, "tags", &tags) || ft_mp_type_of(tags) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "no field tags for --from-tags: run ft-filter --tag-only "
                          "first");
    for (size_t i = 0; i < FT_RULES; i++)
        if (v->on >> i & 1 && (!ft_mp_get_float(tags, ft_rule_table[i].name, &v->value[i]) ||
                               !isfinite(v->value[i])))
            return ft_err_set(e, FT_ERR_DATA, "tags has no number %s for --from-tags: tag with "
                              "this rule on, or switch it off", ft_rule_table[i].name);
    *g = (ft_guess){0};
    if (p->languages && ft_mp_get_str(tags, "language", &language) && language.n > 0 &&
        language.n < sizeof g->name[0]) {
        memcpy(g->name[0], language.p, language.n);
        g->n = 1;
    }
    return 0;
}

/* Whether a known language is none of those that are wanted. */
static int is_foreign(const char *wanted, const ft_guess *g)
{
    char name[8];
    if (g->n == 0 || strcmp(wanted, "all") == 0)
        return 0;
    for (const char *p = wanted;; p++) {
        size_t n = strcspn(p, ",");
        if (n > 0 && n < sizeof name) {
            memcpy(name, p, n);
            name[n] = '\0';
            if (ft_guess_has(g, name))
                return 0;
        }
        p += n;
        if (!*p)
            return 1;
    }
}

static int judge_values(const filter_plan *p, ft_mp record, uint64_t done, filter_verdict *v,
                        const ft_guess *g, ft_err *e)
{
    int holds, rc;
    for (size_t i = 0; i < FT_RULES; i++)
        v->fires[i] = v->on & done & FT_RULE_BIT(i) && ft_rule_fires(&p->rules, i, v->value[i]);
    if (p->languages) {
        v->fires[FILTER_LANGUAGE] = (uint8_t)is_foreign(p->languages, g);
        v->value[FILTER_LANGUAGE] = v->fires[FILTER_LANGUAGE];
        if (g->n)
            memcpy(v->language, g->name[0], sizeof v->language);
    }
    for (size_t i = 0; i < p->n_custom; i++) {
        if ((rc = ft_custom_holds(&p->custom[i], record, &holds, &v->value[FILTER_CUSTOM + i],
                                  e)) < 0)
            return rc;
        v->fires[FILTER_CUSTOM + i] = (uint8_t)holds;
    }
    return 0;
}

/* ---- the record that is written ---- */

static int is_ours(const filter_plan *p, const filter_verdict *v, ft_mp key)
{
    ft_slice s;
    if (!ft_mp_str(key, &s))
        return 0;
    for (size_t i = 0; i < FILTER_REASONS; i++)
        if (i != FILTER_PII && filter_reason_is_on(p, v, i) &&
            ft_slice_is(s, filter_reason_name(p, i)))
            return 1;
    return 0;
}

static void put_value(ft_buf *b, double v)
{
    if (v >= 0 && v < 1e15 && v == floor(v))
        ft_mp_put_uint(b, (uint64_t)v);
    else
        ft_mp_put_float(b, v);
}

/* The map of tags: those that were there and are not ours, then ours. */
static void put_tags(ft_buf *b, const filter_plan *p, const filter_verdict *v, ft_mp old)
{
    ft_mp_iter it = ft_mp_iter_of(old);
    ft_buf pairs = {0};
    ft_mp key, value;
    size_t n = 0;
    while (ft_mp_type_of(old) == FT_MP_MAP && ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        if (!is_ours(p, v, key)) {
            ft_mp_put_raw(&pairs, key);
            ft_mp_put_raw(&pairs, value);
            n++;
        }
    for (size_t i = 0; i < FILTER_REASONS; i++) {
        if (i == FILTER_PII || !filter_reason_is_on(p, v, i) ||
            (i == FILTER_LANGUAGE && !v->language[0]))
            continue;
        ft_mp_put_cstr(&pairs, filter_reason_name(p, i));
        if (i == FILTER_LANGUAGE)
            ft_mp_put_cstr(&pairs, v->language);
        else
            put_value(&pairs, v->value[i]);
        n++;
    }
    ft_mp_put_map(b, n);
    ft_buf_add(b, pairs.p, pairs.n);
    b->failed |= pairs.failed;
    ft_buf_free(&pairs);
}

static void put_tagged(ft_buf *b, const filter_plan *p, const filter_verdict *v, ft_mp record)
{
    static const uint8_t empty_map = 0x80;
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, value, old = {&empty_map, 1};
    ft_slice s;
    int had = ft_mp_get(record, "tags", &old);
    ft_mp_put_map(b, ft_mp_count(record) + !had);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        ft_mp_put_raw(b, key);
        if (ft_mp_str(key, &s) && ft_slice_is(s, "tags"))
            put_tags(b, p, v, old);
        else
            ft_mp_put_raw(b, value);
    }
    if (!had) {
        ft_mp_put_cstr(b, "tags");
        put_tags(b, p, v, old);
    }
}

/* The verdict and, when it differs from what came, the record. */
static int put_result(const filter_plan *p, worker *w, filter_verdict *v, cli_item *it)
{
    ft_mp record = it->record;
    int masks = p->pii == FILTER_PII_MASK && v->value[FILTER_PII] > 0;
    int kept = v->reason < 0 || p->tag_only;
    v->changed = kept && (masks || p->tag || p->tag_only);
    ft_buf_add(&it->out, v, sizeof *v);
    if (!v->changed)
        return ft_buf_check(&it->out, &it->err);
    if (masks) {
        uint64_t again[FT_PII_KINDS] = {0};
        ft_buf_clear(&w->masked);
        (void)ft_pii_record(record, again, &w->masked);
        if (ft_buf_check(&w->masked, &it->err) < 0)
            return FT_ERR_NOMEM;
        record = (ft_mp){w->masked.p, w->masked.n};
    }
    if (p->tag || p->tag_only)
        put_tagged(&it->out, p, v, record);
    else
        ft_buf_add(&it->out, record.p, record.n);
    if (ft_buf_check(&it->out, &it->err) < 0)
        return FT_ERR_NOMEM;
    if (it->out.n - sizeof *v > FT_TEXT_RECORD_BYTES_MAX)
        return ft_err_set(&it->err, FT_ERR_DATA, "with tags or masks the record would exceed "
                          "8 MiB");
    return 0;
}

void filter_judge(filter_workers *workers, unsigned number, cli_item *it)
{
    const filter_plan *p = workers->plan;
    worker *w = &workers->w[number];
    filter_verdict v;
    int rc;
    memset(&v, 0, sizeof v);
    v.reason = -1;
    if (profile_of(p, it->record, &v.profile, &it->err) < 0)
        return;
    v.on = ft_rules_of(&p->rules, (enum ft_profile)v.profile);
    rc = p->from_tags ? read_tags(p, it->record, &v, &w->meter.guess, &it->err)
                      : ft_filter_measure(&w->meter, it->record, v.on, v.value, &it->err);
    if (rc < 0 || judge_values(p, it->record, p->from_tags ? v.on : w->meter.done, &v,
                               &w->meter.guess, &it->err) < 0)
        return;
    if (p->pii != FILTER_PII_OFF) {
        v.value[FILTER_PII] = (double)ft_pii_record(it->record, v.pii, NULL);
        v.fires[FILTER_PII] = p->pii == FILTER_PII_DROP && v.value[FILTER_PII] > 0;
    }
    for (size_t i = 0; i < FILTER_REASONS && v.reason < 0; i++)
        if (v.fires[i])
            v.reason = (int)i;
    (void)put_result(p, w, &v, it);        /* errors stay in the item until its turn comes */
}
