#include "data/feature_store.h"

#include "base/io.h"
#include "base/mem.h"
#include "data/ngrams.h"

#include <math.h>
#include <string.h>

#define NO_COLUMN UINT32_MAX
/* An item: a column, and above it a count. */
enum { COLUMN_BITS = 21, COUNT_MAX = (1 << (32 - COLUMN_BITS)) - 1,
       HOT = 4095 };           /* columns of so many texts need no order among them */

struct ft_features {
    ft_spool *spool;             /* packed, by bucket; after finish items, or NULL */
    uint32_t *items;             /* after finish, when they fit                    */
    uint64_t *end;               /* of each row in the spool, or in items          */
    size_t n, cap, columns, word_columns;
    uint32_t *buckets;           /* texts that have it; in finish its column, or NO_COLUMN */
    float *bucket_idf;           /* in finish only                                 */
    float *idf;                  /* by column                                      */
    float *scale;                /* of each row: for all, for words                */
    float logs[COUNT_MAX + 1];   /* 1 + ln of counts                               */
};

int ft_features_new(ft_features **out, ft_err *e)
{
    ft_features *f = *out = ft_new(1, sizeof *f, e);
    if (!f)
        return FT_ERR_NOMEM;
    for (size_t i = 1; i <= COUNT_MAX; i++)
        f->logs[i] = (float)(1 + log((double)i));
    f->buckets = ft_new(FT_NGRAM_COLUMNS, sizeof *f->buckets, e);
    if (!f->buckets || ft_spool_new(&f->spool, e) < 0) {
        ft_features_free(out);
        return e->code;
    }
    return 0;
}

static void free_buckets(ft_features *f)
{
    ft_free(f->buckets);
    ft_free(f->bucket_idf);
    f->buckets = NULL;
    f->bucket_idf = NULL;
}

void ft_features_free(ft_features **out)
{
    ft_features *f = *out;
    if (!f)
        return;
    free_buckets(f);
    ft_spool_free(&f->spool);
    ft_free(f->items);
    ft_free(f->end);
    ft_free(f->idf);
    ft_free(f->scale);
    ft_free(f);
    *out = NULL;
}

int ft_features_add(ft_features *f, ft_slice packed, ft_err *e)
{
    ft_ngram_iter it = ft_ngrams_of(packed);
    uint32_t bucket, count;
    int rc;
    if (f->n >= UINT32_MAX - 1)
        return ft_err_set(e, FT_ERR_DATA, "over 2^32 - 2 texts");
    if ((rc = ft_grow(&f->end, &f->cap, f->n + 1, sizeof *f->end, e)) < 0 ||
        (rc = ft_spool_write(f->spool, packed.p, packed.n, e)) < 0)
        return rc;
    while (ft_ngrams_next(&it, &bucket, &count))
        f->buckets[bucket]++;
    f->end[f->n++] = ft_spool_bytes(f->spool);
    return 0;
}

/* What is in no two texts says nothing of others; of runs of characters, which are many, what is
 * in no three. */
static int is_kept(const ft_features *f, size_t bucket)
{
    return f->buckets[bucket] > (bucket < FT_NGRAM_BUCKETS ? 1 : 2);
}

static size_t heat(const ft_features *f, size_t bucket)
{
    return f->buckets[bucket] < HOT ? HOT - f->buckets[bucket] : 0;
}

/* Numbers the buckets [from, end) by falling frequency, so that what is used together and often
 * lies close together. */
static void number_part(ft_features *f, size_t from, size_t end)
{
    uint32_t place[HOT + 1] = {0}, sum = (uint32_t)f->columns;
    for (size_t b = from; b < end; b++)
        if (is_kept(f, b))
            place[heat(f, b)]++;
    for (size_t h = 0; h <= HOT; h++) {
        uint32_t here = place[h];
        place[h] = sum;
        sum += here;
    }
    for (size_t b = from; b < end; b++) {
        if (is_kept(f, b)) {
            uint32_t column = place[heat(f, b)]++;
            f->idf[column] = f->bucket_idf[b];
            f->buckets[b] = column;
        } else {
            f->buckets[b] = NO_COLUMN;
        }
    }
    f->columns = sum;
}

/* Numbers the columns, words first. Returns in items: what all rows have of them. */
static int number_columns(ft_features *f, uint64_t *items, ft_err *e)
{
    double all = 1 + (double)f->n;
    size_t columns = 0;
    *items = 0;
    for (size_t b = 0; b < FT_NGRAM_COLUMNS; b++)
        if (is_kept(f, b)) {
            columns++;
            *items += f->buckets[b];
        }
    f->bucket_idf = ft_new(FT_NGRAM_COLUMNS, sizeof *f->bucket_idf, e);
    f->idf = ft_new(columns, sizeof *f->idf, e);
    f->scale = ft_new(f->n, 2 * sizeof *f->scale, e);
    if (!f->bucket_idf || !f->idf || !f->scale)
        return FT_ERR_NOMEM;
    for (size_t b = 0; b < FT_NGRAM_COLUMNS; b++)
        f->bucket_idf[b] = (float)(1 + log(all / (1 + (double)f->buckets[b])));
    number_part(f, 0, FT_NGRAM_BUCKETS);
    f->word_columns = f->columns;
    number_part(f, FT_NGRAM_BUCKETS, FT_NGRAM_COLUMNS);
    return 0;
}

static float scale_of(double squares)
{
    return squares > 0 ? (float)(1 / sqrt(squares)) : 0;
}

/* Leaves the items of one row in out and finds its scales. */
static void turn_row(ft_features *f, size_t row, ft_slice packed, ft_buf *out)
{
    ft_ngram_iter it = ft_ngrams_of(packed);
    uint32_t bucket, count;
    double words = 0, chars = 0;
    ft_buf_clear(out);
    while (ft_ngrams_next(&it, &bucket, &count)) {
        double x;
        count = count < COUNT_MAX ? count : COUNT_MAX;
        x = (double)(f->bucket_idf[bucket] * f->logs[count]);
        *(bucket < FT_NGRAM_BUCKETS ? &words : &chars) += x * x;
        if (f->buckets[bucket] == NO_COLUMN)
            continue;
        bucket = f->buckets[bucket] | count << COLUMN_BITS;
        ft_buf_add(out, &bucket, sizeof bucket);
    }
    f->scale[2 * row] = scale_of(words + chars);
    f->scale[2 * row + 1] = scale_of(words);
}

static int read_bytes(const ft_features *f, uint64_t from, uint64_t end, ft_buf *b, ft_err *e)
{
    int rc;
    ft_buf_clear(b);
    ft_buf_room(b, (size_t)(end - from));
    if ((rc = ft_buf_check(b, e)) < 0)
        return rc;
    return ft_spool_read_at(f->spool, from, b->p, (size_t)(end - from), e);
}

/* Writes all rows anew as items: to `fresh`, or to f->items. */
static int turn_rows(ft_features *f, ft_spool *fresh, ft_err *e)
{
    ft_buf in = {0}, out = {0};
    uint64_t from = 0, done = 0;
    int rc = 0;
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        uint64_t end = f->end[i];
        if ((rc = read_bytes(f, from, end, &in, e)) < 0)
            break;
        turn_row(f, i, (ft_slice){in.p, (size_t)(end - from)}, &out);
        if ((rc = ft_buf_check(&out, e)) < 0)
            break;
        if (fresh)
            rc = ft_spool_write(fresh, out.p, out.n, e);
        else if (out.n)
            memcpy(f->items + done, out.p, out.n);
        f->end[i] = done += out.n / sizeof *f->items;
        from = end;
    }
    ft_buf_free(&in);
    ft_buf_free(&out);
    return rc;
}

int ft_features_finish(ft_features *f, uint64_t bytes_max, ft_err *e)
{
    ft_spool *fresh = NULL;
    uint64_t items;
    int rc;
    if ((rc = number_columns(f, &items, e)) < 0 || (rc = ft_spool_rewind(f->spool, e)) < 0)
        return rc;
    if (bytes_max == 0 || items <= bytes_max / sizeof *f->items) {
        if (!(f->items = ft_new((size_t)items, sizeof *f->items, e)))
            return FT_ERR_NOMEM;
    } else if ((rc = ft_spool_new(&fresh, e)) < 0) {
        return rc;
    }
    if ((rc = turn_rows(f, fresh, e)) == 0 && fresh)
        rc = ft_spool_rewind(fresh, e);
    ft_spool_free(&f->spool);
    f->spool = fresh;
    free_buckets(f);
    return rc;
}

uint64_t ft_features_bytes(const ft_features *f)
{
    uint64_t items = f->items && f->n ? f->end[f->n - 1] : 0;
    return items * sizeof *f->items + f->columns * sizeof *f->idf;
}

size_t ft_features_rows(const ft_features *f)
{
    return f->n;
}

size_t ft_features_columns(const ft_features *f)
{
    return f->columns;
}

size_t ft_features_word_columns(const ft_features *f)
{
    return f->word_columns;
}

/* Makes room for n n-grams. */
static int make_room(ft_feature_row *v, size_t n, ft_err *e)
{
    size_t cap = v->cap;
    int rc;
    if ((rc = ft_grow(&v->column, &cap, n, sizeof *v->column, e)) < 0)
        return rc;
    return ft_grow(&v->value, &v->cap, n, sizeof *v->value, e);
}

int ft_features_read(const ft_features *f, size_t row, enum ft_feature_part part,
                     ft_feature_row *v, ft_err *e)
{
    uint64_t from = row ? f->end[row - 1] : 0;
    size_t n = (size_t)(f->end[row] - from);
    size_t columns = part == FT_FEATURES_WORDS ? f->word_columns : f->columns;
    float scale = f->scale[2 * row + (part == FT_FEATURES_WORDS)];
    const uint32_t *item = f->items ? f->items + from : NULL;
    int rc;
    v->n = 0;
    if ((rc = make_room(v, n, e)) < 0)
        return rc;
    if (!f->items) {
        if ((rc = read_bytes(f, from * sizeof *item, f->end[row] * sizeof *item, &v->bytes, e)) < 0)
            return rc;
        item = (const uint32_t *)(const void *)v->bytes.p;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t column = item[i] & ((1u << COLUMN_BITS) - 1);
        if (column >= columns)
            break;
        v->column[i] = column;
        v->value[i] = f->logs[item[i] >> COLUMN_BITS] * scale * f->idf[column];
        v->n++;
    }
    return 0;
}

void ft_feature_row_free(ft_feature_row *v)
{
    ft_free(v->column);
    ft_free(v->value);
    ft_buf_free(&v->bytes);
    *v = (ft_feature_row){0};
}
