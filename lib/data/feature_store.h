/* feature_store.h: the n-grams of many texts, kept in memory or a spool, given back as tf-idf
 * vectors.
 *
 *     ft_features_new(&f, e);
 *     ft_features_add(f, packed, e);                         for each text, from ngrams.h
 *     ft_features_finish(f, bytes, e);                       then, from any thread:
 *     ft_features_read(f, row, FT_FEATURES_ALL, &v, e);      v.column[i], v.value[i], i < v.n
 *
 * The value of an n-gram in a text is (1 + ln count) * (1 + ln((1 + texts) / (1 + texts that have
 * it))), the vector scaled to length 1; counts from 2047 on are 2047. A word or pair that only one
 * text has tells nothing about others: it counts for the length but is not given back, and likewise
 * a run of characters that only two have. The rest are numbered from 0 on, words and pairs first,
 * each part by falling frequency.
 *
 * Memory: 16 MiB while texts are added and 4 bytes a column after it, 16 bytes a text, and after
 * ft_features_finish 4 bytes for each n-gram that a text has, which go to the spool when they are
 * too many; till then the spool has about 3 bytes for each.
 */
#ifndef FT_FEATURE_STORE_H
#define FT_FEATURE_STORE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

typedef struct ft_features ft_features;

typedef struct ft_feature_row {   /* one thread's; all zero is valid */
    size_t n, cap;
    uint32_t *column;             /* each once, words and pairs first */
    float *value;
    ft_buf bytes;
} ft_feature_row;

enum ft_feature_part { FT_FEATURES_ALL, FT_FEATURES_WORDS };

/* Owns: the caller, ft_features_free (accepts NULL, sets NULL). */
int ft_features_new(ft_features **f, ft_err *e) FT_MUST_CHECK;
void ft_features_free(ft_features **f);

/* Appends a text's packed n-grams. */
int ft_features_add(ft_features *f, ft_slice packed, ft_err *e) FT_MUST_CHECK;

/* Ends the adding: numbers the columns and writes the texts anew by them, to memory when they take
 * no more than bytes_max (0: no bound) there. */
int ft_features_finish(ft_features *f, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;

size_t ft_features_rows(const ft_features *f);

/* After finish: all columns, those of words and pairs (the first ones), and what is in memory. */
size_t ft_features_columns(const ft_features *f);
size_t ft_features_word_columns(const ft_features *f);
uint64_t ft_features_bytes(const ft_features *f);

/* The vector of a text, of all its n-grams or of words and their pairs alone (then scaled by
 * these). Threads: any number at a time, each with its own v. */
int ft_features_read(const ft_features *f, size_t row, enum ft_feature_part part,
                     ft_feature_row *v, ft_err *e) FT_MUST_CHECK;
void ft_feature_row_free(ft_feature_row *v);

#endif
