#include "data/feature_store.h"

#include "base/io.h"
#include "base/mem.h"
#include "data/ngrams.h"

#include <math.h>

#define NO_COLUMN UINT32_MAX
enum { LOGS = 64 };            /* counts whose 1 + ln is at hand */

struct ft_features {
    ft_spool *spool;             /* packed, by bucket; after finish by column */
    uint64_t *end;               /* of each row in the spool                  */
    size_t n, cap, columns, word_columns;
    uint32_t *buckets;           /* texts that have it; in finish its column, or NO_COLUMN */
    float *bucket_idf;           /* in finish only                            */
    float *idf;                  /* by column                                 */
    float *scale;                /* of each row: for all, for words           */
    float logs[LOGS];
};

int ft_features_new(ft_features **out, ft_err *e)
{
    ft_features *f = *out = ft_new(1, sizeof *f, e);
    if (!f)
        return FT_ERR_NOMEM;
    for (size_t i = 1; i < LOGS; i++)
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

static int number_columns(ft_features *f, ft_err *e)
{
    double all = 1 + (double)f->n;
    for (size_t b = 0; b < FT_NGRAM_COLUMNS; b++)
        f->columns += f->buckets[b] > 1;
    f->bucket_idf = ft_new(FT_NGRAM_COLUMNS, sizeof *f->bucket_idf, e);
    f->idf = ft_new(f->columns, sizeof *f->idf, e);
    f->scale = ft_new(f->n, 2 * sizeof *f->scale, e);
    if (!f->bucket_idf || !f->idf || !f->scale)
        return FT_ERR_NOMEM;
    f->columns = 0;
    for (size_t b = 0; b < FT_NGRAM_COLUMNS; b++) {
        f->bucket_idf[b] = (float)(1 + log(all / (1 + (double)f->buckets[b])));
        if (f->buckets[b] > 1)
            f->idf[f->columns] = f->bucket_idf[b];
        f->buckets[b] = f->buckets[b] > 1 ? (uint32_t)f->columns++ : NO_COLUMN;
        if (b < FT_NGRAM_BUCKETS)
            f->word_columns = f->columns;
    }
    return 0;
}

static float log_count(const ft_features *f, uint32_t count)
{
    return count < LOGS ? f->logs[count] : 1 + logf((float)count);
}

static float scale_of(double squares)
{
    return squares > 0 ? (float)(1 / sqrt(squares)) : 0;
}

/* Packs one row by columns into out and finds its scales. */
static void pack_row(ft_features *f, size_t row, ft_slice packed, ft_buf *out)
{
    ft_ngram_iter it = ft_ngrams_of(packed);
    uint32_t bucket, count, before = 0;
    double words = 0, chars = 0;
    ft_buf_clear(out);
    while (ft_ngrams_next(&it, &bucket, &count)) {
        double x = (double)(f->bucket_idf[bucket] * log_count(f, count));
        *(bucket < FT_NGRAM_BUCKETS ? &words : &chars) += x * x;
        if (f->buckets[bucket] == NO_COLUMN)
            continue;
        ft_ngrams_put(out, f->buckets[bucket] - before, count);
        before = f->buckets[bucket];
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

int ft_features_finish(ft_features *f, ft_err *e)
{
    ft_spool *fresh = NULL;
    ft_buf in = {0}, out = {0};
    uint64_t from = 0;
    int rc;
    if ((rc = number_columns(f, e)) == 0 && (rc = ft_spool_rewind(f->spool, e)) == 0)
        rc = ft_spool_new(&fresh, e);
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        uint64_t end = f->end[i];
        if ((rc = read_bytes(f, from, end, &in, e)) < 0)
            break;
        pack_row(f, i, (ft_slice){in.p, (size_t)(end - from)}, &out);
        if ((rc = ft_buf_check(&out, e)) == 0)
            rc = ft_spool_write(fresh, out.p, out.n, e);
        f->end[i] = rc == 0 ? ft_spool_bytes(fresh) : end;
        from = end;
    }
    if (rc == 0 && (rc = ft_spool_rewind(fresh, e)) == 0) {
        ft_spool_free(&f->spool);
        f->spool = fresh;
        fresh = NULL;
    }
    ft_spool_free(&fresh);
    ft_buf_free(&in);
    ft_buf_free(&out);
    free_buckets(f);
    return rc;
}

size_t ft_features_rows(const ft_features *f)
{
    return f->n;
}

size_t ft_features_columns(const ft_features *f)
{
    return f->columns;
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
    size_t bytes = (size_t)(f->end[row] - from);
    float scale = f->scale[2 * row + (part == FT_FEATURES_WORDS)];
    uint32_t column, count;
    int rc;
    v->n = 0;
    if ((rc = read_bytes(f, from, f->end[row], &v->bytes, e)) < 0 ||
        (rc = make_room(v, bytes / 2 + 1, e)) < 0)
        return rc;
    ft_ngram_iter it = ft_ngrams_of((ft_slice){v->bytes.p, bytes});
    while (ft_ngrams_next(&it, &column, &count)) {
        if (part == FT_FEATURES_WORDS && column >= f->word_columns)
            break;
        v->column[v->n] = column;
        v->value[v->n++] = log_count(f, count) * scale;
    }
    for (size_t i = 0; i < v->n; i++)
        v->value[i] *= f->idf[v->column[i]];
    return 0;
}

void ft_feature_row_free(ft_feature_row *v)
{
    ft_free(v->column);
    ft_free(v->value);
    ft_buf_free(&v->bytes);
    *v = (ft_feature_row){0};
}
