/* feature_store.h: the n-grams of many texts, kept in a spool, given back as tf-idf vectors.
 *
 *     ft_features_new(&f, e);
 *     ft_features_add(f, packed, e);                         for each text, from ngrams.h
 *     ft_features_finish(f, e);                              then, from any thread:
 *     ft_features_read(f, row, FT_FEATURES_ALL, &v, e);      v.column[i], v.value[i], i < v.n
 *
 * The value of an n-gram in a text is (1 + ln count) * (1 + ln((1 + texts) / (1 + texts that have
 * it))), the vector scaled to length 1. An n-gram that only one text has tells nothing about
 * others: it counts for the length but is not given back; the rest are numbered from 0 on.
 *
 * Memory: 16 MiB while texts are added and 4 bytes a column after it, 16 bytes a text; the
 * spool takes
 * about 2.5 bytes for each distinct n-gram of each text, twice that in ft_features_finish.
 */
#ifndef FT_FEATURE_STORE_H
#define FT_FEATURE_STORE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

typedef struct ft_features ft_features;

typedef struct ft_feature_row {   /* one thread's; all zero is valid */
    size_t n, cap;
    uint32_t *column;             /* ascending */
    float *value;
    ft_buf bytes;
} ft_feature_row;

enum ft_feature_part { FT_FEATURES_ALL, FT_FEATURES_WORDS };

/* Owns: the caller, ft_features_free (accepts NULL, sets NULL). */
int ft_features_new(ft_features **f, ft_err *e) FT_MUST_CHECK;
void ft_features_free(ft_features **f);

/* Appends a text's packed n-grams. */
int ft_features_add(ft_features *f, ft_slice packed, ft_err *e) FT_MUST_CHECK;

/* Ends the adding: numbers the columns and writes the spool anew by them. */
int ft_features_finish(ft_features *f, ft_err *e) FT_MUST_CHECK;

size_t ft_features_rows(const ft_features *f);
size_t ft_features_columns(const ft_features *f);     /* after finish */

/* The vector of a text, of all its n-grams or of words and their pairs alone (then scaled by
 * these). Threads: any number at a time, each with its own v. */
int ft_features_read(const ft_features *f, size_t row, enum ft_feature_part part,
                     ft_feature_row *v, ft_err *e) FT_MUST_CHECK;
void ft_feature_row_free(ft_feature_row *v);

#endif
