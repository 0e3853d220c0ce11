#include "data/passages.h"

#include "base/hash.h"
#include "base/mem.h"
#include "data/spool_sort.h"

#define OWN_SLOTS 8192u        /* twice FT_PASSAGE_BYTES_MAX */

#define OWNER_BITS 20          /* of a gram in the table: which of the shown passages has it; the
                                * others are its hash, which is not 0 */

typedef struct shown {
    uint32_t grams;            /* different ones                 */
    uint32_t common, with;     /* with the text of that number   */
} shown;

struct ft_passages {
    ft_spool_sort *sorted;     /* ~bytes, first place, length, count */
    uint64_t bytes_max;        /* for grams */
    uint64_t *own;             /* OWN_SLOTS: the grams of the text that is looked at */
    uint32_t *slots;           /* which of them are taken                            */
    uint32_t n_own;
    uint64_t *grams;           /* of all that is shown: open addressing, 0 is free   */
    size_t n_grams, n_slots;
    shown *shown;
    uint32_t n_shown, looked_at;
    size_t shown_cap;
};

int ft_passages_new(ft_passages **out, uint64_t bytes_max, ft_err *e)
{
    ft_passages *p = ft_new(1, sizeof *p, e);
    *out = p;
    if (!p)
        return FT_ERR_NOMEM;
    p->bytes_max = bytes_max / 4 * 3;
    p->own = ft_new(OWN_SLOTS, sizeof *p->own, e);
    p->slots = ft_new(FT_PASSAGE_BYTES_MAX, sizeof *p->slots, e);
    if (!p->own || !p->slots)
        return FT_ERR_NOMEM;
    return ft_spool_sort_new(&p->sorted, 4, (size_t)(bytes_max / 4), e);
}

int ft_passages_add(ft_passages *p, const ft_repeat *r, ft_err *e)
{
    uint64_t entry[4] = {~((r->count - 1) * r->n), r->at, r->n, r->count};
    return ft_spool_sort_add(p->sorted, entry, e);
}

int ft_passages_start(ft_passages *p, ft_err *e)
{
    return ft_spool_sort_start(p->sorted, e);
}

int ft_passages_next(ft_passages *p, ft_repeat *r, ft_err *e)
{
    const uint64_t *entry;
    int rc = ft_spool_sort_next(p->sorted, &entry, e);
    if (rc == 1)
        *r = (ft_repeat){entry[1], entry[2], entry[3]};
    return rc;
}

/* ---- variants ---- */

/* Gathers the different grams of a text in own. Returns: their number. */
static uint32_t gather(ft_passages *p, const uint8_t *text, size_t n)
{
    uint32_t k = 0;
    while (p->n_own > 0)
        p->own[p->slots[--p->n_own]] = 0;
    for (size_t i = 0; i + FT_PASSAGE_GRAM <= n; i++) {
        uint64_t h = ft_hash64(text + i, FT_PASSAGE_GRAM, 0);
        uint32_t at;
        h = h >> OWNER_BITS == 0 ? UINT64_C(1) << OWNER_BITS : h >> OWNER_BITS << OWNER_BITS;
        at = (uint32_t)(h >> OWNER_BITS) % OWN_SLOTS;
        while (p->own[at] != 0 && p->own[at] != h)
            at = (at + 1) % OWN_SLOTS;
        if (p->own[at] == 0) {
            p->own[at] = h;
            p->slots[k++] = at;
        }
    }
    p->n_own = k;
    return k;
}

static void put_gram(ft_passages *p, uint64_t gram)
{
    size_t at = gram >> OWNER_BITS & (p->n_slots - 1);
    while (p->grams[at] != 0)
        at = (at + 1) & (p->n_slots - 1);
    p->grams[at] = gram;
}

/* Makes room for more grams, in a table at most half full. */
static int make_room(ft_passages *p, size_t more, ft_err *e)
{
    size_t n = p->n_slots ? p->n_slots : 1024, had = p->n_slots;
    uint64_t *old = p->grams, *fresh;
    while (n < 2 * (p->n_grams + more))
        n *= 2;
    if (n == had)
        return 0;
    if ((n + had) * sizeof *fresh > p->bytes_max || p->n_shown >> OWNER_BITS)
        return ft_err_set(e, FT_ERR_NOMEM, "%u passages to show take over %zu bytes, and %llu are "
                          "left for them: show fewer", (unsigned)p->n_shown,
                          (n + had) * sizeof *fresh, (unsigned long long)p->bytes_max);
    if (!(fresh = ft_new(n, sizeof *fresh, e)))
        return FT_ERR_NOMEM;
    p->grams = fresh;
    p->n_slots = n;
    for (size_t i = 0; i < had; i++)
        if (old[i])
            put_gram(p, old[i]);
    ft_free(old);
    return 0;
}

/* Counts one more gram in common. Returns: whether these are half of the fewer ones. */
static int is_half(ft_passages *p, uint32_t owner, uint32_t n)
{
    shown *s = &p->shown[owner];
    if (s->with != p->looked_at)
        s->common = 0;
    s->with = p->looked_at;
    return 2 * ++s->common >= (s->grams < n ? s->grams : n);
}

/* Returns: whether the n grams in own make a variant of what is shown. */
static int is_variant(ft_passages *p, uint32_t n)
{
    size_t mask = p->n_slots - 1;
    for (uint32_t i = 0; i < n && p->n_slots; i++) {
        uint64_t h = p->own[p->slots[i]] >> OWNER_BITS;
        for (size_t at = h & mask; p->grams[at]; at = (at + 1) & mask)
            if (p->grams[at] >> OWNER_BITS == h &&
                is_half(p, p->grams[at] & ((1u << OWNER_BITS) - 1), n))
                return 1;
    }
    return 0;
}

int ft_passages_show(ft_passages *p, const uint8_t *text, size_t n, ft_err *e)
{
    uint32_t k = gather(p, text, n < FT_PASSAGE_BYTES_MAX ? n : FT_PASSAGE_BYTES_MAX);
    int rc;
    p->looked_at++;
    if (is_variant(p, k))
        return 0;
    if ((rc = make_room(p, k, e)) < 0 ||
        (rc = ft_grow(&p->shown, &p->shown_cap, p->n_shown + 1, sizeof *p->shown, e)) < 0)
        return rc;
    for (uint32_t i = 0; i < k; i++)
        put_gram(p, p->own[p->slots[i]] | p->n_shown);
    p->n_grams += k;
    p->shown[p->n_shown++] = (shown){.grams = k};
    return 1;
}

void ft_passages_free(ft_passages **p)
{
    if (!*p)
        return;
    ft_spool_sort_free(&(*p)->sorted);
    ft_free((*p)->own);
    ft_free((*p)->slots);
    ft_free((*p)->grams);
    ft_free((*p)->shown);
    ft_free(*p);
    *p = NULL;
}
