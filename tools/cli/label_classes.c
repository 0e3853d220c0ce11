#include "tools/cli/label_classes.h"

#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int label_classes_new(label_classes *c, ft_err *e)
{
    *c = (label_classes){0};
    return ft_digest_set_new(&c->seen, 0, e);
}

void label_classes_free(label_classes *c)
{
    ft_digest_set_free(&c->seen);
    ft_buf_free(&c->values);
    ft_buf_free(&c->scratch);
    ft_free(c->of);
    ft_free(c->place);
    *c = (label_classes){0};
}

/* A number of any kind as a double. */
static int number_of(ft_mp v, double *x)
{
    enum ft_mp_type t = ft_mp_type_of(v);
    return (t == FT_MP_UINT || t == FT_MP_INT || t == FT_MP_FLOAT) && ft_mp_float(v, x);
}

/* What makes two labels one: the string, or the JSON text of anything else. */
static int key_of(label_classes *c, ft_mp value, ft_digest *key, ft_err *e)
{
    enum ft_mp_type t = ft_mp_type_of(value);
    ft_slice s;
    double x;
    int rc;
    if (ft_mp_str(value, &s)) {
        *key = ft_digest_of(s.p, s.n);
        return 0;
    }
    if (t == FT_MP_FLOAT && (!ft_mp_float(value, &x) || !isfinite(x)))
        return ft_err_set(e, FT_ERR_DATA, "a label that is no finite number");
    if (t != FT_MP_BOOL && t != FT_MP_UINT && t != FT_MP_INT && t != FT_MP_FLOAT)
        return ft_err_set(e, FT_ERR_DATA, "a label is a string, a number, true or false, not of "
                          "type %s", ft_mp_type_name(t));
    ft_buf_clear(&c->scratch);
    ft_json_put(&c->scratch, value);
    if ((rc = ft_buf_check(&c->scratch, e)) < 0)
        return rc;
    *key = ft_digest_of(c->scratch.p, c->scratch.n);
    return 0;
}

static int add_class(label_classes *c, ft_mp value, int from_label, ft_err *e)
{
    int rc;
    if (c->n >= LABEL_CLASSES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "over %d different labels; is this field a label?",
                          LABEL_CLASSES_MAX);
    if ((rc = ft_grow(&c->of, &c->cap, c->n + 1, sizeof *c->of, e)) < 0)
        return rc;
    c->of[c->n++] = (label_class){c->values.n, value.n, from_label};
    ft_buf_add(&c->values, value.p, value.n);
    return ft_buf_check(&c->values, e);
}

int label_classes_of(label_classes *c, ft_mp value, int from_label, uint32_t *number, ft_err *e)
{
    ft_digest key;
    uint64_t at;
    int is_new, rc;
    if ((rc = key_of(c, value, &key, e)) < 0 ||
        (rc = ft_digest_set_add(c->seen, &key, &at, &is_new, e)) < 0)
        return rc;
    *number = (uint32_t)at;
    if (is_new)
        return add_class(c, value, from_label, e);
    if (from_label && !c->of[at].from_label) {
        c->of[at] = (label_class){c->values.n, value.n, 1};
        ft_buf_add(&c->values, value.p, value.n);
    }
    return ft_buf_check(&c->values, e);
}

ft_mp label_class_value(const label_classes *c, size_t class)
{
    return (ft_mp){c->values.p + c->of[class].at, c->of[class].n};
}

/* Sorting needs the values beside the classes. */
typedef struct sortable {
    ft_mp value;
    label_class class;
    uint32_t number;
} sortable;

static int kind_of(ft_mp v)
{
    double x;
    return number_of(v, &x) ? 1 : ft_mp_type_of(v) == FT_MP_STR ? 2 : 0;
}

static int by_value(const void *a, const void *b)
{
    const sortable *x = a, *y = b;
    int k = kind_of(x->value), l = kind_of(y->value), order;
    double u = 0, v = 0;
    ft_slice s = {0}, t = {0};
    if (k != l)
        return k - l;
    if (k == 0)
        return ft_mp_bool(x->value, &k) && ft_mp_bool(y->value, &l) ? k - l : 0;
    if (k == 1) {
        number_of(x->value, &u);
        number_of(y->value, &v);
        return u < v ? -1 : u > v ? 1 : x->number < y->number ? -1 : x->number > y->number;
    }
    ft_mp_str(x->value, &s);
    ft_mp_str(y->value, &t);
    order = memcmp(s.p, t.p, s.n < t.n ? s.n : t.n);
    return order ? order : s.n < t.n ? -1 : s.n > t.n;
}

int label_classes_sort(label_classes *c, ft_err *e)
{
    sortable *all = ft_new(c->n, sizeof *all, e);
    c->place = ft_new(c->n, sizeof *c->place, e);
    if (!all || !c->place) {
        ft_free(all);
        return FT_ERR_NOMEM;
    }
    for (size_t i = 0; i < c->n; i++)
        all[i] = (sortable){label_class_value(c, i), c->of[i], (uint32_t)i};
    qsort(all, c->n, sizeof *all, by_value);
    for (size_t i = 0; i < c->n; i++) {
        c->of[i] = all[i].class;
        c->place[all[i].number] = (uint32_t)i;
    }
    ft_free(all);
    return 0;
}

static int all_whole_below(const label_classes *c, uint64_t length)
{
    for (size_t i = 0; i < c->n; i++) {
        ft_mp v = label_class_value(c, i);
        uint64_t x;
        if (ft_mp_type_of(v) != FT_MP_UINT || !ft_mp_uint(v, &x) || x >= length)
            return 0;
    }
    return 1;
}

int label_classes_for_arrays(label_classes *c, uint64_t length, ft_err *e)
{
    int rc = 0;
    if (length <= LABEL_CLASSES_MAX && all_whole_below(c, length)) {
        ft_buf v = {0};
        uint32_t number;
        for (uint64_t i = 0; i < length && rc == 0; i++) {
            ft_buf_clear(&v);
            ft_mp_put_uint(&v, i);
            if ((rc = ft_buf_check(&v, e)) == 0)
                rc = label_classes_of(c, (ft_mp){v.p, v.n}, 1, &number, e);
        }
        ft_buf_free(&v);
        return rc;
    }
    if (length != c->n)
        return ft_err_set(e, FT_ERR_DATA, "arrays of %llu probabilities for %zu different labels: "
                          "give maps from label to probability", (unsigned long long)length, c->n);
    return 0;
}

static int read_probability(ft_mp v, double *p, ft_err *e)
{
    double x;
    if (!number_of(v, &x))
        return ft_err_set(e, FT_ERR_DATA, "a probability of type %s",
                          ft_mp_type_name(ft_mp_type_of(v)));
    if (!(x >= 0 && x <= 1))
        return ft_err_set(e, FT_ERR_DATA, "%g is no probability", x);
    *p = x;
    return 0;
}

int label_read_probabilities(label_classes *c, ft_mp value, double *p, ft_err *e)
{
    int is_map = ft_mp_type_of(value) == FT_MP_MAP, rc;
    ft_mp_iter it = ft_mp_iter_of(value);
    ft_mp key, v;
    uint32_t number = 0;
    for (size_t k = 0; k < c->n; k++)
        p[k] = 0;
    for (size_t k = 0; ft_mp_next(&it, &v); k++) {
        if (is_map) {
            key = v;
            if ((rc = label_classes_of(c, key, 0, &number, e)) < 0)
                return rc;
            ft_mp_next(&it, &v);
        }
        if (is_map ? number >= c->n : k >= c->n)
            return ft_err_set(e, FT_ERR_INTERNAL, "a class that was not there before");
        if ((rc = read_probability(v, &p[is_map ? c->place[number] : k], e)) < 0)
            return rc;
    }
    return 0;
}
