#include "data/augment.h"

#include "base/json.h"
#include "data/augment_internal.h"
#include "data/example.h"
#include "data/set_field.h"

#include <string.h>

enum side { FIRST_PROMPT, PROMPT, ELSEWHERE };

struct ft_augmenter {
    const ft_augment_plan *plan;
    ft_mp record;
    enum ft_shape shape;
    uint64_t seed;             /* of this example */
    ft_buf id, id_text, group; /* msgpack; its text; msgpack, empty when the record has one */
    ft_augment_tally tally;
    ft_digest *seen;           /* texts of the copies that were written */
    size_t n_seen, cap_seen;

    ft_dice dice;              /* of the copy in work, as all below */
    int prompts, changed;
    const char *eda_name;      /* set when EDA did something */
    size_t template_used;      /* from 1; 0: none */
    int filled, noisy;
    ft_buf texts, stage[2], pairs, scratch[2];
    ft_eda_work eda;
};

int ft_augmenter_new(ft_augmenter **a, ft_err *e)
{
    *a = ft_new(1, sizeof **a, e);
    return *a ? 0 : FT_ERR_NOMEM;
}

void ft_augmenter_free(ft_augmenter **out)
{
    ft_augmenter *a = *out;
    if (!a)
        return;
    ft_buf *const buffers[] = {&a->id, &a->id_text, &a->group, &a->texts, &a->stage[0],
                               &a->stage[1], &a->pairs, &a->scratch[0], &a->scratch[1]};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        ft_buf_free(buffers[i]);
    ft_eda_work_free(&a->eda);
    ft_free(a->seen);
    ft_free(a);
    *out = NULL;
}

void ft_augment_eda_defaults(uint64_t examples, uint64_t *copies, double *alpha)
{
    *copies = examples <= 500 ? 16 : examples <= 2000 ? 8 : 4;
    *alpha = examples <= 2000 ? 0.05 : 0.1;
}

const ft_augment_tally *ft_augment_tally_of(const ft_augmenter *a)
{
    return &a->tally;
}

/* ---- an example ---- */

static void take_id(ft_augmenter *a, uint64_t number)
{
    ft_slice s;
    ft_mp id;
    ft_buf_clear(&a->id);
    ft_buf_clear(&a->id_text);
    if (ft_mp_get(a->record, "id", &id))
        ft_mp_put_raw(&a->id, id);
    else
        ft_mp_put_uint(&a->id, number);
    id = (ft_mp){a->id.p, a->id.n};
    if (ft_mp_str(id, &s))
        ft_buf_add(&a->id_text, s.p, s.n);
    else
        ft_json_put(&a->id_text, id);
}

/* A group of 16 hex digits for an example that has none: of its prompt, or of all of one that has
 * no prompt. */
static int make_group(ft_augmenter *a, ft_err *e)
{
    ft_digest key;
    ft_mp v;
    char hex[33];
    enum ft_part part = FT_PART_PROMPT;
    int rc;
    ft_buf_clear(&a->group);
    if (ft_mp_get(a->record, "group", &v))
        return 0;
    if (a->shape == FT_SHAPE_PREDICTION && !ft_mp_get(a->record, "prompt", &v))
        part = FT_PART_ALL;
    if ((rc = ft_example_key(a->record, part, a->scratch, &key, e)) < 0)
        return rc;
    ft_mp_put_str(&a->group, ft_digest_hex(&key, hex), 16);
    return ft_buf_check(&a->group, e);
}

int ft_augment_begin(ft_augmenter *a, const ft_augment_plan *plan, ft_mp record, uint64_t number,
                     ft_err *e)
{
    int rc;
    a->plan = plan;
    a->record = record;
    a->tally = (ft_augment_tally){0};
    a->n_seen = 0;
    if ((rc = ft_example_shape(record, &a->shape, e)) < 0)
        return rc;
    ft_buf_clear(&a->texts);
    if ((rc = ft_example_part(record, FT_PART_ALL, &a->texts, e)) < 0)
        return rc;
    a->seed = ft_hash64(a->texts.p, a->texts.n, plan->seed);
    take_id(a, number);
    if ((rc = ft_buf_check(&a->id, e)) < 0 || (rc = ft_buf_check(&a->id_text, e)) < 0)
        return rc;
    return make_group(a, e);
}

/* ---- a text ---- */

/* Appends the template that this copy uses, with the text for each {prompt}. */
static void put_template(ft_augmenter *a, ft_slice text, ft_buf *out)
{
    const ft_lists *l = a->plan->templates;
    const ft_list *all = ft_lists_find(l, "", 0);
    uint64_t start = ft_rng_below(a->seed, FT_RNG_DATA, 0, 0, all->n);
    size_t i = (size_t)((start + a->dice.copy - 1) % all->n);
    ft_slice t = ft_lists_item(l, all, i);
    for (size_t at = 0; at < t.n;) {
        if (t.n - at >= 8 && memcmp(t.p + at, "{prompt}", 8) == 0) {
            ft_buf_add(out, text.p, text.n);
            at += 8;
        } else {
            ft_buf_add_byte(out, t.p[at++]);
        }
    }
    a->template_used = i + 1;
}

static int put_eda(ft_augmenter *a, ft_slice text, ft_buf *out, ft_err *e)
{
    static const char *const names[] = {"swap", "delete", "replace", "insert"};
    enum ft_eda op = (enum ft_eda)((a->dice.copy - 1) % (a->plan->synonyms ? 4 : 2));
    int changed, rc = ft_augment_eda(text, op, a->plan->eda, a->plan->synonyms, &a->dice, &a->eda,
                                     out, &changed, e);
    if (rc == 0 && changed)
        a->eda_name = names[op];
    else
        out->n = 0;
    if (rc == 0 && !changed)
        ft_buf_add(out, text.p, text.n);
    return rc;
}

static int differ(ft_slice a, ft_slice b)
{
    return a.n != b.n || (a.n && memcmp(a.p, b.p, a.n) != 0);
}

/* Appends text as this copy has it, as a msgpack string. Mistakes come first, so that they befall
 * neither templates nor the values of slots, which the answer repeats. */
static int put_text(ft_augmenter *a, enum side side, ft_slice text, ft_buf *out, ft_err *e)
{
    const ft_augment_plan *plan = a->plan;
    ft_slice now = text;
    uint64_t unfilled = 0;
    int flip = 0, rc = 0;
    for (int step = 0; step < 4 && rc == 0; step++) {
        ft_buf *to = &a->stage[flip];
        ft_buf_clear(to);
        if (step == 0 && plan->noise > 0 && side != ELSEWHERE)
            ft_augment_noise(now, plan->noise, plan->slots, &a->dice, to);
        else if (step == 1 && plan->templates && side == FIRST_PROMPT)
            put_template(a, now, to);
        else if (step == 2 && plan->slots)
            a->filled |= ft_augment_fill(now, plan->slots, a->seed, a->dice.copy, to, &unfilled);
        else if (step == 3 && plan->eda > 0 && side != ELSEWHERE)
            rc = put_eda(a, now, to, e);
        else
            continue;
        if (step == 0)
            a->noisy |= differ((ft_slice){to->p, to->n}, now);
        if (rc == 0)
            rc = ft_buf_check(to, e);
        now = (ft_slice){to->p, to->n};
        flip = !flip;
    }
    if (a->dice.copy == 1)
        a->tally.unfilled += unfilled;
    a->changed |= differ(now, text);
    ft_mp_put_str(out, (const char *)now.p, now.n);
    ft_buf_add(&a->texts, now.p, now.n);
    ft_buf_add_byte(&a->texts, 0xff);
    return rc;
}

/* ---- a record ---- */

static enum side next_prompt(ft_augmenter *a)
{
    return a->prompts++ ? PROMPT : FIRST_PROMPT;
}

static int put_turn(ft_augmenter *a, ft_mp turn, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(turn);
    ft_slice role, name, text;
    ft_mp key, v;
    int rc = 0, is_user = ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "user");
    ft_mp_put_map(out, (size_t)ft_mp_count(turn));
    while (rc == 0 && ft_mp_next(&it, &key) && ft_mp_next(&it, &v)) {
        ft_mp_put_raw(out, key);
        if (ft_mp_str(key, &name) && ft_slice_is(name, "content") && ft_mp_str(v, &text))
            rc = put_text(a, is_user ? next_prompt(a) : ELSEWHERE, text, out, e);
        else
            ft_mp_put_raw(out, v);
    }
    return rc;
}

/* Appends a field's value: a text, a list of texts, or the turns of a chat. */
static int put_value(ft_augmenter *a, enum side side, ft_mp v, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_slice text;
    ft_mp item;
    int rc = 0;
    if (ft_mp_str(v, &text))
        return put_text(a, side, text, out, e);
    ft_mp_put_array(out, (size_t)ft_mp_count(v));
    while (rc == 0 && ft_mp_next(&it, &item)) {
        if (ft_mp_type_of(item) == FT_MP_MAP)
            rc = put_turn(a, item, out, e);
        else if (ft_mp_str(item, &text))
            rc = put_text(a, side, text, out, e);
        else
            ft_mp_put_raw(out, item);
    }
    return rc;
}

/* Whether a field holds texts of the example; *side: which. */
static int holds_text(ft_augmenter *a, ft_slice name, enum side *side)
{
    static const char *const fields[][4] = {
        [FT_SHAPE_MESSAGES] = {"messages"}, [FT_SHAPE_PROMPT] = {"prompt", "completion"},
        [FT_SHAPE_TEXT] = {"text"}, [FT_SHAPE_PREDICTION] = {"prompt", "prediction", "reference"}};
    ft_mp label;
    for (size_t i = 0; i < 4 && fields[a->shape][i]; i++)
        if (ft_slice_is(name, fields[a->shape][i])) {
            int asks = ft_slice_is(name, "prompt") ||
                       (a->shape == FT_SHAPE_TEXT && ft_mp_get(a->record, "label", &label));
            *side = asks ? next_prompt(a) : ELSEWHERE;
            return 1;
        }
    return 0;
}

static void put_mark(const ft_augmenter *a, ft_buf *out)
{
    ft_buf mark = {0};
    ft_slice before;
    if (ft_mp_get_str(a->record, "aug", &before)) {
        ft_buf_add(&mark, before.p, before.n);
        ft_buf_add_byte(&mark, '+');
    }
    if (a->noisy)
        ft_buf_add_str(&mark, "noise+");
    if (a->template_used)
        ft_buf_add_fmt(&mark, "template:%zu+", a->template_used);
    if (a->filled)
        ft_buf_add_str(&mark, "slots+");
    if (a->eda_name)
        ft_buf_add_fmt(&mark, "eda:%s+", a->eda_name);
    ft_mp_put_str(out, (const char *)mark.p, mark.n ? mark.n - 1 : 0);
    out->failed |= mark.failed;
    ft_buf_free(&mark);
}

/* Puts the fields of the copy into pairs; *n: how many. */
static int put_fields(ft_augmenter *a, size_t *n, ft_err *e)
{
    static const char *const ours[] = {"id", "aug", NULL};
    ft_mp_iter it = ft_mp_iter_of(a->record);
    ft_mp key, v;
    ft_slice name = {0};
    enum side side;
    int rc = 0;
    while (rc == 0 && ft_mp_next(&it, &key) && ft_mp_next(&it, &v)) {
        if (ft_mp_is_one_of(key, ours))
            continue;
        ft_mp_put_raw(&a->pairs, key);
        if (ft_mp_str(key, &name) && holds_text(a, name, &side))
            rc = put_value(a, side, v, &a->pairs, e);
        else
            ft_mp_put_raw(&a->pairs, v);
        ++*n;
    }
    return rc;
}

static int was_written(ft_augmenter *a, ft_err *e)
{
    ft_digest d = ft_digest_of(a->texts.p, a->texts.n);
    int rc;
    for (size_t i = 0; i < a->n_seen; i++)
        if (ft_digest_equal(&a->seen[i], &d))
            return 1;
    rc = ft_grow(&a->seen, &a->cap_seen, a->n_seen + 1, sizeof *a->seen, e);
    if (rc == 0)
        a->seen[a->n_seen++] = d;
    return rc;
}

static void put_copy(ft_augmenter *a, uint32_t k, size_t n, ft_buf *out)
{
    ft_mp origin;
    int has_origin = ft_mp_get(a->record, "origin", &origin), has_group = a->group.n == 0;
    ft_buf_add_fmt(&a->id_text, "+aug%u", k);
    ft_mp_put_map(out, n + 2 + !has_origin + !has_group);
    ft_mp_put_cstr(out, "id");
    ft_mp_put_str(out, (const char *)a->id_text.p, a->id_text.n);
    out->failed |= a->id_text.failed;
    ft_buf_add(out, a->pairs.p, a->pairs.n);
    if (!has_group) {
        ft_mp_put_cstr(out, "group");
        ft_buf_add(out, a->group.p, a->group.n);
    }
    ft_mp_put_cstr(out, "aug");
    put_mark(a, out);
    if (!has_origin) {
        ft_mp_put_cstr(out, "origin");
        ft_buf_add(out, a->id.p, a->id.n);
    }
}

int ft_augment_copy(ft_augmenter *a, uint32_t k, ft_buf *out, ft_err *e)
{
    size_t n = 0, id_bytes = a->id_text.n;
    int rc;
    a->dice = (ft_dice){a->seed, k, 0};
    a->prompts = a->changed = a->filled = a->noisy = 0;
    a->template_used = 0;
    a->eda_name = NULL;
    ft_buf_clear(&a->texts);
    ft_buf_clear(&a->pairs);
    if ((rc = put_fields(a, &n, e)) < 0 || (rc = ft_buf_check(&a->texts, e)) < 0 ||
        (rc = ft_buf_check(&a->pairs, e)) < 0)
        return rc;
    if (!a->changed) {
        a->tally.unchanged++;
        return 0;
    }
    if ((rc = was_written(a, e)) != 0) {
        a->tally.repeated += rc > 0;
        return rc < 0 ? rc : 0;
    }
    put_copy(a, k, n, out);
    a->id_text.n = id_bytes;
    a->tally.written++;
    return ft_buf_check(out, e);
}

void ft_augment_original(const ft_augmenter *a, ft_buf *out)
{
    if (a->tally.written && a->group.n)
        ft_set_field(a->record, "group", (ft_mp){a->group.p, a->group.n}, out);
    else
        ft_mp_put_raw(out, a->record);
}
