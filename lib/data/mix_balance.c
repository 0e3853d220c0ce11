#include "data/mix_balance.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/tie_keys.h"
#include "data/digest_set.h"

#include <math.h>
#include <stdlib.h>

struct class {
    uint64_t rows, whole, extra;   /* each row `whole` times, `extra` of them once more */
    double weight;
};

struct place {                     /* of a row, for ranking within its class */
    uint64_t key, row;
    uint32_t class;
};

struct ft_balance {
    ft_digest_set *labels;
    struct class *classes;
    uint32_t *class_of;            /* each row's; the high bit: once more */
    size_t n_classes, cap_classes, n_rows, cap_rows;
    uint64_t memory;
};

#define ONCE_MORE 0x80000000u
#define ROW_BYTES (sizeof(uint32_t) + sizeof(struct place))

int ft_balance_new(ft_balance **out, uint64_t memory, ft_err *e)
{
    ft_balance *b = ft_new(1, sizeof *b, e);
    *out = b;
    if (!b)
        return FT_ERR_NOMEM;
    b->memory = memory;
    if (ft_digest_set_new(&b->labels, memory, e) == 0)
        return 0;
    ft_balance_free(out);
    return FT_ERR_NOMEM;
}

void ft_balance_free(ft_balance **out)
{
    ft_balance *b = *out;
    if (!b)
        return;
    ft_digest_set_free(&b->labels);
    ft_free(b->classes);
    ft_free(b->class_of);
    ft_free(b);
    *out = NULL;
}

int ft_balance_add(ft_balance *b, ft_mp label, ft_err *e)
{
    ft_digest key;
    uint64_t number;
    int is_new, rc = ft_group_key(label, "label", &key, e);
    if (rc < 0)
        return rc;
    if (b->memory && (b->n_rows + 1) * ROW_BYTES > b->memory)
        return ft_err_set(e, FT_ERR_NOMEM, "%zu rows take %zu bytes, over the bound of %llu",
                          b->n_rows + 1, (b->n_rows + 1) * ROW_BYTES,
                          (unsigned long long)b->memory);
    if ((rc = ft_digest_set_add(b->labels, &key, &number, &is_new, e)) < 0 ||
        (rc = ft_grow(&b->class_of, &b->cap_rows, b->n_rows + 1, sizeof *b->class_of, e)) < 0)
        return rc;
    if (number >= ONCE_MORE)
        return ft_err_set(e, FT_ERR_NOMEM, "over 2^31 different labels");
    if (is_new) {
        rc = ft_grow(&b->classes, &b->cap_classes, b->n_classes + 1, sizeof *b->classes, e);
        if (rc < 0)
            return rc;
        b->classes[b->n_classes++] = (struct class){0};
    }
    b->class_of[b->n_rows++] = (uint32_t)number;
    b->classes[number].rows++;
    return 0;
}

size_t ft_balance_classes(const ft_balance *b)
{
    return b->n_classes;
}

uint64_t ft_balance_smallest(const ft_balance *b)
{
    uint64_t n = b->n_classes ? b->classes[0].rows : 0;
    for (size_t i = 1; i < b->n_classes; i++)
        n = b->classes[i].rows < n ? b->classes[i].rows : n;
    return n;
}

uint64_t ft_balance_largest(const ft_balance *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b->n_classes; i++)
        n = b->classes[i].rows > n ? b->classes[i].rows : n;
    return n;
}

/* ---- uses ---- */

static int by_class_and_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Marks the `extra` rows of each class that have its smallest random numbers. */
static int choose_extra(ft_balance *b, uint64_t seed, ft_err *e)
{
    struct place *places = ft_new(b->n_rows, sizeof *places, e);
    uint64_t rank = 0;
    if (!places)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < b->n_rows; i++)
        places[i] = (struct place){ft_rng_u64(seed, FT_RNG_DATA, 0, i), i, b->class_of[i]};
    if (b->n_rows)
        qsort(places, b->n_rows, sizeof *places, by_class_and_key);
    for (size_t i = 0; i < b->n_rows; i++) {
        uint32_t class = places[i].class;
        rank = i > 0 && places[i - 1].class == class ? rank + 1 : 0;
        if (rank < b->classes[class].extra)
            b->class_of[places[i].row] |= ONCE_MORE;
    }
    ft_free(places);
    return 0;
}

int ft_balance_deal(ft_balance *b, const ft_balance_rule *rule, uint64_t seed, size_t *short_of,
                    ft_err *e)
{
    uint64_t most = ft_balance_largest(b);
    *short_of = 0;
    if (rule->cap && rule->cap < most)
        most = rule->cap;
    for (size_t i = 0; i < b->n_classes; i++) {
        struct class *c = &b->classes[i];
        uint64_t target = c->rows < most && !rule->oversample ? c->rows : most;
        if (rule->uses_max && target / rule->uses_max >= c->rows &&
            target > c->rows * rule->uses_max) {
            target = c->rows * rule->uses_max;
            ++*short_of;
        }
        c->whole = target / c->rows;
        c->extra = target % c->rows;
    }
    return choose_extra(b, seed, e);
}

uint64_t ft_balance_copies(const ft_balance *b, uint64_t row)
{
    uint32_t class = b->class_of[row];
    return b->classes[class & ~ONCE_MORE].whole + (class & ONCE_MORE ? 1 : 0);
}

/* ---- weights ---- */

void ft_balance_weigh(ft_balance *b, double beta)
{
    double sum = 0;
    for (size_t i = 0; i < b->n_classes; i++) {
        struct class *c = &b->classes[i];
        double n = (double)c->rows;
        /* 1 - b^n without the loss of digits that b near 1 would bring */
        c->weight = beta > 0 ? (1 - beta) / -expm1(n * log1p(beta - 1)) : 1 / sqrt(n);
        sum += n * c->weight;
    }
    for (size_t i = 0; i < b->n_classes; i++)
        b->classes[i].weight *= (double)b->n_rows / sum;
}

double ft_balance_weight(const ft_balance *b, uint64_t row)
{
    return b->classes[b->class_of[row] & ~ONCE_MORE].weight;
}
