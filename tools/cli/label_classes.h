/* label_classes.h: the labels of a data set as classes 0 to K - 1, and probabilities that the
 * records bring along. A label is a string, a number or a boolean; 3 and "3" are the same class, as
 * the keys of a map can only be strings. Classes are found as they come and put into order at the
 * end: booleans, numbers by value, strings by bytes.
 *
 *     label_classes_of(c, value, 1, &number, e)       for each label, and each key of a map
 *     label_classes_sort(c);                          then c->place[number] is the class
 *
 * Memory: what a digest set takes, and the labels, once each.
 */
#ifndef FT_LABEL_CLASSES_H
#define FT_LABEL_CLASSES_H

#include "base/buf.h"
#include "base/mp.h"
#include "data/digest_set.h"

#define LABEL_CLASSES_MAX 4096

typedef struct label_class {
    size_t at, n;              /* its value in values, msgpack */
    int from_label;            /* not only the key of a map    */
} label_class;

typedef struct label_classes {
    ft_digest_set *seen;
    ft_buf values, scratch;
    size_t n, cap;
    label_class *of;           /* by number of appearance; after sorting by class */
    uint32_t *place;           /* after sorting: class by number of appearance    */
} label_classes;

int label_classes_new(label_classes *c, ft_err *e) FT_MUST_CHECK;
void label_classes_free(label_classes *c);

/* Number of appearance of a label. Errors: FT_ERR_DATA (a list, a map, binary, NaN, over
 * LABEL_CLASSES_MAX of them), FT_ERR_NOMEM. */
int label_classes_of(label_classes *c, ft_mp value, int from_label, uint32_t *number,
                     ft_err *e) FT_MUST_CHECK;
int label_classes_sort(label_classes *c, ft_err *e) FT_MUST_CHECK;

/* The value of a class, as msgpack. */
ft_mp label_class_value(const label_classes *c, size_t class);

/* After sorting: reads probabilities of n classes into p. value: a map label -> number (absent:
 * 0), or an array: of n numbers in the order of classes; or, when all labels are whole numbers in
 * 0..length-1, by them. Errors: FT_ERR_DATA. */
int label_read_probabilities(label_classes *c, ft_mp value, double *p, ft_err *e) FT_MUST_CHECK;

/* After reading the labels, before sorting, when probabilities are arrays of `length`: adds the
 * classes that only an array has a place for, when labels are whole numbers. Errors: FT_ERR_DATA
 * when length and labels do not agree. */
int label_classes_for_arrays(label_classes *c, uint64_t length, ft_err *e) FT_MUST_CHECK;

#endif
